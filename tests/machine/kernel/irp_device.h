/* SPDX-License-Identifier: MIT */
/*
 * Devices for the tests of the I/O manager: a lower one that does what a request's code says, and an upper one attached
 * to it that passes requests down.
 *
 *   issuer (a test) --> upper (optional completion routine) --> lower (completes, pends, holds, fails)
 */
#pragma once

#include "ktlib.h"

#define IRP_CODE(number, method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x900 + (number), method, FILE_ANY_ACCESS)

#define CODE_INVERT_BUFFERED IRP_CODE(0, METHOD_BUFFERED)     /* output = inverted input, Information = input length */
#define CODE_PEND_BUFFERED IRP_CODE(1, METHOD_BUFFERED)       /* the same, but completed from a DPC */
#define CODE_HOLD IRP_CODE(2, METHOD_BUFFERED)                /* until it is cancelled */
#define CODE_FAIL IRP_CODE(3, METHOD_BUFFERED)                /* STATUS_DEVICE_NOT_READY, Information 0 */
#define CODE_OUT_DIRECT IRP_CODE(4, METHOD_OUT_DIRECT)        /* writes 0x5C into the output buffer, through its MDL */
#define CODE_IN_DIRECT IRP_CODE(6, METHOD_IN_DIRECT)          /* Information = sum of the output's bytes, by its MDL */
#define CODE_NEITHER IRP_CODE(7, METHOD_NEITHER)              /* looks at nothing */
#define CODE_CHAIN IRP_CODE(8, METHOD_OUT_DIRECT)             /* locks Chained in two more MDLs of the IRP's chain */
#define CODE_WARN IRP_CODE(5, METHOD_BUFFERED)                /* STATUS_BUFFER_OVERFLOW with 4 bytes of data */

typedef struct _IRP_DEVICE
{
    PDEVICE_OBJECT Lower;                /* the device below; NULL for the lower one itself */
    PIO_COMPLETION_ROUTINE Completion;   /* upper: set on what it passes down */
    PVOID Context;
    volatile LONG Requests;
    PMDL LastMdl;                        /* what the lower device saw in its last request */
    PVOID LastSystemBuffer;
    ULONG LastMdlFlags;
    ULONG LastFlags;                     /* IRP flags */
    KPROCESSOR_MODE LastMode;
    PIRP Held;
    KTIMER Timer;
    KDPC Dpc;
    PIRP Pending;
    PVOID Chained;                       /* two pages for CODE_CHAIN */
} IRP_DEVICE;

typedef struct _IRP_STACK
{
    PDEVICE_OBJECT Lower, Upper;
} IRP_STACK;

static inline IRP_DEVICE *KtIrpDevice(PDEVICE_OBJECT Device)
{
    return Device->DeviceExtension;
}

/** Makes both devices. Flags: DO_BUFFERED_IO, DO_DIRECT_IO or none. FALSE and a failed check without memory. */
BOOLEAN KtOpenIrpStack(KTEST_RUN *Run, IRP_STACK *Stack, ULONG Flags);
VOID KtCloseIrpStack(IRP_STACK *Stack);
