/* SPDX-License-Identifier: MIT */
/* The files that go onto the machine's disk, checked on the host before anything is started. */
#ifndef ISTHMUS_NTRUN_PACKAGE_H
#define ISTHMUS_NTRUN_PACKAGE_H

#include "options.h"
#include "pe.h"
#include "places.h"
#include "text.h"

#include <stdint.h>

typedef struct PACKAGE_FILE
{
    char *Name;     /* path in the archive, with '/' */
    char *HostPath; /* NULL if ntrun made it */
    uint8_t *Data;
    size_t Size;
    uint32_t Time; /* seconds since 1970 */
} PACKAGE_FILE;

typedef struct PACKAGE
{
    PACKAGE_FILE *Files;
    size_t Count;
    size_t Capacity;
} PACKAGE;

/* What a PE file is to be used as. */
typedef enum IMAGE_USE
{
    ImageUseKernel,
    ImageUseDriver,
    ImageUseProgram,
    ImageUseDll,
} IMAGE_USE;

/**
 * Collects the system's files, drivers, program, added files, the program's DLLs and boot.cfg.
 *
 * @param Error  Receives a message if the result is not 0.
 * @return 0, or the exit code: NTRUN_USAGE, NTRUN_CANNOT_START or NTRUN_REFUSED.
 */
int PackageBuild(PACKAGE *Package, const OPTIONS *Options, const PLACES *Places, TEXT *Error);

/** Frees everything. */
void PackageFree(PACKAGE *Package);

/** A file by its path in the archive, ASCII letters without case; NULL if there is none. */
const PACKAGE_FILE *PackageFind(const PACKAGE *Package, const char *Name);

/**
 * Checks that bytes are a PE64 image fit for a use.
 *
 * @param HostPath  For the message.
 * @return 0, or NTRUN_REFUSED and a message.
 */
int ImageCheck(const char *HostPath, const uint8_t *Data, size_t Size, IMAGE_USE Use, PE_IMAGE *Image, TEXT *Error);

#endif
