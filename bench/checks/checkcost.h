/* SPDX-License-Identifier: MIT */
/* What checkcost.exe asks of checkcost.sys. */
#pragma once

#define CHECKCOST_NOTHING CTL_CODE(FILE_DEVICE_UNKNOWN, 0xB10, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define CHECKCOST_MEASURE CTL_CODE(FILE_DEVICE_UNKNOWN, 0xB11, METHOD_BUFFERED, FILE_ANY_ACCESS)

/* In: the operation, its size, a buffer of the program's. Out, in the same place: time-stamp counts of all rounds. */
typedef struct _CHECKCOST_REQUEST
{
    unsigned int Operation; /* index into the driver's table */
    unsigned int Rounds;
    unsigned long long Size;
    unsigned long long Buffer;
} CHECKCOST_REQUEST;

enum
{
    CheckCostEmpty, /* the loop itself: taken off by the program */
    CheckCostNonPagedPool,
    CheckCostPagedPool,
    CheckCostRaise,
    CheckCostSpinLock,
    CheckCostTwoSpinLocks,
    CheckCostFastMutex,
    CheckCostMutex,
    CheckCostMdl,
    CheckCostCount
};
