/* SPDX-License-Identifier: MIT */
/* Writes a package as a cpio archive in the "newc" form. */
#ifndef ISTHMUS_NTRUN_ARCHIVEWRITER_H
#define ISTHMUS_NTRUN_ARCHIVEWRITER_H

#include "package.h"

#include <stdbool.h>

/**
 * Writes the archive: each directory before what lies in it, then the files in the package's order.
 *
 * @param Fd    Where to; at its start.
 * @param Size  Out: bytes written.
 * @return false and errno if writing fails.
 */
bool ArchiveWrite(int Fd, const PACKAGE *Package, uint64_t *Size);

#endif
