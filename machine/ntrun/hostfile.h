/* SPDX-License-Identifier: MIT */
/* Files of the host. */
#ifndef ISTHMUS_NTRUN_HOSTFILE_H
#define ISTHMUS_NTRUN_HOSTFILE_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest member a "newc" archive can hold. */
#define HOST_FILE_MAX 0xFFFFFFFFull

/**
 * Reads a whole file; it need not be a regular one.
 *
 * @param Data   Out: its bytes; the caller frees them.
 * @param Time   Out: when it was modified, in seconds since 1970.
 * @param Error  Receives a message if the result is false.
 */
bool HostFileRead(const char *Path, uint8_t **Data, size_t *Size, uint32_t *Time, TEXT *Error);

/** Writes all bytes to a descriptor. False and errno if that fails. */
bool HostWriteAll(int Fd, const void *Data, size_t Size);

#endif
