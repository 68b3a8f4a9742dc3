/* SPDX-License-Identifier: MIT */
/*
 * What libcheck.sys and libcheck.exe agree on.
 */
#pragma once

#include <isthmus/isthmus_abi.h>

#define LIBCHECK_DEVICE_W L"\\\\.\\IsthmusLibCheck"

/* Where the request buffer is captured and summed up; any method. The outcome is asked for with RESULT. */
#define LIBCHECK_PASSIVE  0x900u
#define LIBCHECK_DISPATCH 0x901u /* at DISPATCH_LEVEL in the caller's thread */
#define LIBCHECK_WORKER   0x902u /* in a system thread, the caller waits */

/* Other checks, buffered: LIBCHECK_RESULT out. Status is what the library answered. */
#define LIBCHECK_RESULT   0x910u
#define LIBCHECK_ATTACHED 0x911u /* share, allocate and map, attached to the system process */
#define LIBCHECK_DPC      0x912u /* writes through a reference from a DPC, before and after release */
#define LIBCHECK_OWN      0x913u /* a kernel-mode request for neither, with a pool buffer */

typedef struct LIBCHECK_ANSWER
{
    UINT32 Status;  /* NTSTATUS */
    UINT32 Crc32;
    UINT64 Length;
    UINT32 More[4]; /* per check */
} LIBCHECK_ANSWER;
