/* SPDX-License-Identifier: MIT */
/* What iotest.sys and its programs agree on. */
#pragma once

#define IOTEST_CODE(number, method, access) CTL_CODE(FILE_DEVICE_UNKNOWN, 0xA00 + (number), method, access)

#define IOTEST_INVERT IOTEST_CODE(0, METHOD_BUFFERED, FILE_ANY_ACCESS)       /* output = inverted input */
#define IOTEST_SUM IOTEST_CODE(1, METHOD_IN_DIRECT, FILE_ANY_ACCESS)         /* Information = sum of the bytes, 16 bits */
#define IOTEST_FILL IOTEST_CODE(2, METHOD_OUT_DIRECT, FILE_ANY_ACCESS)       /* fills with the input's first byte */
#define IOTEST_NEITHER IOTEST_CODE(3, METHOD_NEITHER, FILE_ANY_ACCESS)       /* output = inverted input, captured */
#define IOTEST_DESCRIBE IOTEST_CODE(4, METHOD_BUFFERED, FILE_ANY_ACCESS)     /* IOTEST_SEEN of the request before */
#define IOTEST_PEND IOTEST_CODE(5, METHOD_BUFFERED, FILE_ANY_ACCESS)         /* INVERT, from a DPC some ms later */
#define IOTEST_HOLD IOTEST_CODE(6, METHOD_BUFFERED, FILE_ANY_ACCESS)         /* until it is cancelled */
#define IOTEST_STATUS IOTEST_CODE(7, METHOD_BUFFERED, FILE_ANY_ACCESS)       /* ends with the input as its status */
#define IOTEST_FOR_READERS IOTEST_CODE(8, METHOD_BUFFERED, FILE_READ_DATA)   /* does nothing */
#define IOTEST_FOR_WRITERS IOTEST_CODE(9, METHOD_BUFFERED, FILE_WRITE_DATA)  /* does nothing */
#define IOTEST_COUNTS IOTEST_CODE(10, METHOD_BUFFERED, FILE_ANY_ACCESS)      /* IOTEST_COUNTERS */
#define IOTEST_PEND_FILL IOTEST_CODE(11, METHOD_OUT_DIRECT, FILE_ANY_ACCESS) /* FILL, from a DPC */

/* Reads and writes at this offset and above are pended. */
#define IOTEST_PEND_OFFSET 0x1000000

/* What the driver saw of a request. */
typedef struct _IOTEST_SEEN
{
    UINT32 SystemBuffer, Mdl, UserBuffer, Type3; /* 1 if there */
    UINT32 MdlFlags, MdlByteCount, MdlByteOffset;
    UINT32 InputLength, OutputLength;
    UINT32 RequestorMode;
    UINT32 InRequestor; /* 1 if in the context of the process that asked */
    UINT32 Irql;
} IOTEST_SEEN;

typedef struct _IOTEST_COUNTERS
{
    UINT32 Creates, Cleanups, Closes, Held, Cancelled;
} IOTEST_COUNTERS;
