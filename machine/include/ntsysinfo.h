/* SPDX-License-Identifier: MIT */
/* What NtQuerySystemInformation(SystemProcessInformation) answers, complete; winternl.h has it abridged. x64 layout. */
#pragma once

#include "ntpeb.h"

#define NT_SYSTEM_PROCESS_INFORMATION 5

typedef struct _NT_SYSTEM_THREAD
{
    LARGE_INTEGER KernelTime, UserTime, CreateTime;
    ULONG WaitTime;
    PVOID StartAddress;
    CLIENT_ID ClientId;
    LONG Priority, BasePriority;
    ULONG ContextSwitches;
    ULONG ThreadState, WaitReason;
} NT_SYSTEM_THREAD;

typedef struct _NT_SYSTEM_PROCESS
{
    ULONG NextEntryOffset;         /* bytes; 0 in the last one */
    ULONG NumberOfThreads;
    LARGE_INTEGER WorkingSetPrivateSize;
    ULONG HardFaultCount, NumberOfThreadsHighWatermark;
    ULONGLONG CycleTime;
    LARGE_INTEGER CreateTime, UserTime, KernelTime;
    UNICODE_STRING ImageName;      /* the last part of the path, in the same answer */
    LONG BasePriority;
    HANDLE UniqueProcessId, InheritedFromUniqueProcessId;
    ULONG HandleCount, SessionId;
    ULONG_PTR UniqueProcessKey;
    SIZE_T PeakVirtualSize, VirtualSize;
    ULONG PageFaultCount;
    SIZE_T PeakWorkingSetSize, WorkingSetSize;
    SIZE_T QuotaPeakPagedPoolUsage, QuotaPagedPoolUsage, QuotaPeakNonPagedPoolUsage, QuotaNonPagedPoolUsage;
    SIZE_T PagefileUsage, PeakPagefileUsage, PrivatePageCount;
    ULONGLONG IoCounters[6];       /* operations: read, write, other; bytes: the same */
    NT_SYSTEM_THREAD Threads[];
} NT_SYSTEM_PROCESS;

_Static_assert(sizeof(NT_SYSTEM_THREAD) == 0x50, "SYSTEM_THREAD_INFORMATION");
_Static_assert(sizeof(NT_SYSTEM_PROCESS) == 0x100, "SYSTEM_PROCESS_INFORMATION");
_Static_assert(offsetof(NT_SYSTEM_PROCESS, UniqueProcessId) == 0x50, "SYSTEM_PROCESS_INFORMATION");
_Static_assert(offsetof(NT_SYSTEM_PROCESS, PrivatePageCount) == 0xC8, "SYSTEM_PROCESS_INFORMATION");
