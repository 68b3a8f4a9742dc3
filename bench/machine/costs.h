/* SPDX-License-Identifier: MIT */
/* What costs.exe asks of costs.sys. Counts are differences of the time-stamp counter: instructions with --icount. */
#pragma once

#define COSTS_CODE(Number, Method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0xB20 + (Number), (Method), FILE_ANY_ACCESS)

/* Requests that the program measures as a whole. The driver finds their data's first byte and does nothing else. */
#define COSTS_BUFFERED   COSTS_CODE(0, METHOD_BUFFERED)   /* Information: all of the output */
#define COSTS_IN_DIRECT  COSTS_CODE(1, METHOD_IN_DIRECT)  /* mapped by MmGetSystemAddressForMdlSafe */
#define COSTS_OUT_DIRECT COSTS_CODE(2, METHOD_OUT_DIRECT) /* the same */
#define COSTS_NEITHER    COSTS_CODE(3, METHOD_NEITHER)    /* captured by IsthmusRequestCapture */

/* Work that the driver measures step by step: COSTS_MEMORY -> COSTS_STEPS per sample. */
#define COSTS_LOCK     COSTS_CODE(4, METHOD_BUFFERED) /* an MDL for the program's buffer */
#define COSTS_USER_MAP COSTS_CODE(5, METHOD_BUFFERED) /* nonpaged pool of the driver's, mapped for the program */
#define COSTS_SHARE    COSTS_CODE(12, METHOD_BUFFERED) /* a region of the kit's, made of the program's buffer */

/* One channel per handle. */
#define COSTS_CHANNEL_OPEN    COSTS_CODE(6, METHOD_BUFFERED)  /* ISTHMUS_CHANNEL_CREATE -> ISTHMUS_CHANNEL_INFO */
#define COSTS_CHANNEL_CLOSE   COSTS_CODE(7, METHOD_BUFFERED)
#define COSTS_CHANNEL_PRODUCE COSTS_CODE(8, METHOD_BUFFERED)  /* COSTS_RECORDS -> UINT64, for all records */
#define COSTS_CHANNEL_CONSUME COSTS_CODE(9, METHOD_BUFFERED)  /* COSTS_RECORDS -> UINT64, for all records */
#define COSTS_CHANNEL_STAMP   COSTS_CODE(10, METHOD_BUFFERED) /* sends one record: the time-stamp counter; wakes */
#define COSTS_CHANNEL_AWAIT   COSTS_CODE(11, METHOD_BUFFERED) /* sleeps until such a record comes -> UINT64, its age */

#define COSTS_SAMPLES_MAX 64u
#define COSTS_RECORD_MAX  16384u

typedef struct _COSTS_MEMORY
{
    UINT64 Buffer; /* COSTS_LOCK, COSTS_SHARE: of the program's */
    UINT64 Bytes;
    UINT64 Samples; /* 1 to COSTS_SAMPLES_MAX; one more round goes before, not measured */
} COSTS_MEMORY;

typedef struct _COSTS_STEPS
{
    UINT64 Allocate; /* COSTS_LOCK: IoAllocateMdl; COSTS_USER_MAP: IoAllocateMdl, MmBuildMdlForNonPagedPool;
                        COSTS_SHARE: IsthmusRegionShare */
    UINT64 Lock;     /* COSTS_LOCK: MmProbeAndLockPages */
    UINT64 Map;
    UINT64 Unmap;
    UINT64 Unlock;   /* COSTS_LOCK: MmUnlockPages, with no mapping left */
    UINT64 Free;     /* IoFreeMdl; COSTS_SHARE: IsthmusRegionRelease */
    UINT64 Whole;    /* COSTS_LOCK: all of it again, unmapped by MmUnlockPages, without a look at the counter between */
} COSTS_STEPS;

typedef struct _COSTS_RECORDS
{
    UINT32 Length;  /* of each record, bytes, up to COSTS_RECORD_MAX */
    UINT32 Records;
    UINT32 Batch;   /* records per publication or release */
    UINT32 Reserved;
} COSTS_RECORDS;
