/* SPDX-License-Identifier: MIT */
/*
 * The working set: which pages of a process are in memory, and sending them out. What a program does who wants to see
 * whether a driver has locked its pages.
 */
#include "base.h"

#include <psapi.h>

#define BASE_WORKING_SET_EX  4 /* MEMORY_INFORMATION_CLASS */
#define BASE_QUOTA_LIMITS    1 /* PROCESSINFOCLASS */

/** For each address of the array: is its page there, shared, locked? pv holds PSAPI_WORKING_SET_EX_INFORMATION. */
BOOL WINAPI K32QueryWorkingSetEx(HANDLE hProcess, PVOID pv, DWORD cb)
{
    return BaseResult(NtQueryVirtualMemory(hProcess, NULL, BASE_WORKING_SET_EX, pv, cb, NULL));
}

/** Both (SIZE_T)-1: every page that may leave does. The machine keeps no limits: others are ERROR_NOT_SUPPORTED. */
BOOL WINAPI SetProcessWorkingSetSizeEx(HANDLE hProcess, SIZE_T dwMinimumWorkingSetSize, SIZE_T dwMaximumWorkingSetSize,
                                       DWORD Flags)
{
    QUOTA_LIMITS limits;
    if (Flags & ~(QUOTA_LIMITS_HARDWS_MIN_ENABLE | QUOTA_LIMITS_HARDWS_MIN_DISABLE | QUOTA_LIMITS_HARDWS_MAX_ENABLE |
                  QUOTA_LIMITS_HARDWS_MAX_DISABLE))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    memset(&limits, 0, sizeof(limits));
    limits.MinimumWorkingSetSize = dwMinimumWorkingSetSize;
    limits.MaximumWorkingSetSize = dwMaximumWorkingSetSize;
    return BaseResult(NtSetInformationProcess(hProcess, BASE_QUOTA_LIMITS, &limits, sizeof(limits)));
}

BOOL WINAPI SetProcessWorkingSetSize(HANDLE hProcess, SIZE_T dwMinimumWorkingSetSize, SIZE_T dwMaximumWorkingSetSize)
{
    return SetProcessWorkingSetSizeEx(hProcess, dwMinimumWorkingSetSize, dwMaximumWorkingSetSize, 0);
}

BOOL WINAPI K32EmptyWorkingSet(HANDLE hProcess)
{
    return SetProcessWorkingSetSizeEx(hProcess, (SIZE_T)-1, (SIZE_T)-1, 0);
}
