/* SPDX-License-Identifier: MIT */
/* NtQuerySystemInformation and the services that tell the time. */
#include "exp.h"
#include "ldr.h"
#include "mm.h"
#include "ntsysinfo.h"
#include "rtl.h"
#include "vf.h"

enum
{
    ExpSystemBasic = 0,
    ExpSystemPerformance = 2,
    ExpSystemTimeOfDay = 3,
    ExpSystemModules = 11,
    ExpSystemKernelDebugger = 35,
};

typedef struct _EXP_BASIC_INFORMATION
{
    ULONG Reserved;
    ULONG TimerResolution;
    ULONG PageSize;
    ULONG NumberOfPhysicalPages;
    ULONG LowestPhysicalPageNumber;
    ULONG HighestPhysicalPageNumber;
    ULONG AllocationGranularity;
    ULONG_PTR MinimumUserModeAddress;
    ULONG_PTR MaximumUserModeAddress;
    KAFFINITY ActiveProcessorsAffinityMask;
    CCHAR NumberOfProcessors;
} EXP_BASIC_INFORMATION;

typedef struct _EXP_TIME_OF_DAY
{
    LARGE_INTEGER BootTime;
    LARGE_INTEGER CurrentTime;
    LARGE_INTEGER TimeZoneBias;
    ULONG TimeZoneId;
    ULONG Reserved;
    ULONGLONG BootTimeBias;
    ULONGLONG SleepTimeBias;
} EXP_TIME_OF_DAY;

/* SYSTEM_PERFORMANCE_INFORMATION; what nobody counts here stays 0. */
typedef struct _EXP_PERFORMANCE
{
    LARGE_INTEGER IdleTime;
    LARGE_INTEGER Transfers[3];
    ULONG Operations[3];
    ULONG AvailablePages;
    ULONG CommittedPages;
    ULONG CommitLimit;
    ULONG PeakCommitment;
    ULONG Faults[14];
    ULONG PagedPoolPages;
    ULONG NonPagedPoolPages;
    ULONG PoolRequests[4];
    ULONG FreeSystemPtes;
    ULONG Others[42];
} EXP_PERFORMANCE;
C_ASSERT(sizeof(EXP_PERFORMANCE) == 312);

/* RTL_PROCESS_MODULE_INFORMATION as published by NT. */
typedef struct _EXP_MODULE
{
    HANDLE Section;
    PVOID MappedBase;
    PVOID ImageBase;
    ULONG ImageSize;
    ULONG Flags;
    USHORT LoadOrderIndex;
    USHORT InitOrderIndex;
    USHORT LoadCount;
    USHORT OffsetToFileName;
    UCHAR FullPathName[256];
} EXP_MODULE;

static NTSTATUS ExpCopyOut(PVOID Target, ULONG Length, PULONG ReturnLength, const VOID *Source, ULONG Needed)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();

    __try
    {
        if (mode != KernelMode && ReturnLength != NULL)
        {
            ProbeForWrite(ReturnLength, sizeof(ULONG), sizeof(ULONG));
        }
        if (ReturnLength != NULL)
        {
            *ReturnLength = Needed;
        }
        if (Length < Needed)
        {
            return STATUS_INFO_LENGTH_MISMATCH;
        }
        if (mode != KernelMode)
        {
            ProbeForWrite(Target, Needed, 1);
        }
        RtlCopyMemory(Target, Source, Needed);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static NTSTATUS ExpQueryBasic(PVOID Target, ULONG Length, PULONG ReturnLength)
{
    PPHYSICAL_MEMORY_RANGE ranges = MmGetPhysicalMemoryRanges();
    EXP_BASIC_INFORMATION basic = {0};
    ULONG64 bytes = 0;

    if (ranges == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    basic.LowestPhysicalPageNumber = (ULONG)(ranges[0].BaseAddress.QuadPart >> PAGE_SHIFT);
    for (ULONG i = 0; ranges[i].NumberOfBytes.QuadPart != 0; i++)
    {
        bytes += (ULONG64)ranges[i].NumberOfBytes.QuadPart;
        basic.HighestPhysicalPageNumber = (ULONG)((ranges[i].BaseAddress.QuadPart + ranges[i].NumberOfBytes.QuadPart) >> PAGE_SHIFT) - 1;
    }
    ExFreePool(ranges);
    basic.TimerResolution = KeQueryTimeIncrement();
    basic.PageSize = PAGE_SIZE;
    basic.NumberOfPhysicalPages = (ULONG)(bytes >> PAGE_SHIFT);
    basic.AllocationGranularity = 0x10000;
    basic.MinimumUserModeAddress = (ULONG_PTR)MM_LOWEST_USER;
    basic.MaximumUserModeAddress = (ULONG_PTR)MM_HIGHEST_USER;
    basic.ActiveProcessorsAffinityMask = KeQueryActiveProcessors();
    basic.NumberOfProcessors = (CCHAR)KeQueryActiveProcessorCount(NULL);
    return ExpCopyOut(Target, Length, ReturnLength, &basic, sizeof(basic));
}

static NTSTATUS ExpQueryPerformance(PVOID Target, ULONG Length, PULONG ReturnLength)
{
    EXP_PERFORMANCE performance = {0};
    MM_MEMORY_COUNTS counts;

    MmQueryMemoryCounts(&counts);
    performance.AvailablePages = (ULONG)counts.Available;
    performance.CommittedPages = (ULONG)counts.Committed;
    performance.CommitLimit = (ULONG)counts.CommitLimit;
    performance.PeakCommitment = (ULONG)counts.PeakCommitted;
    performance.PagedPoolPages = (ULONG)counts.PagedPool;
    performance.NonPagedPoolPages = (ULONG)counts.NonPagedPool;
    performance.FreeSystemPtes = (ULONG)counts.FreeSystemPtes;
    return ExpCopyOut(Target, Length, ReturnLength, &performance, sizeof(performance));
}

static NTSTATUS ExpQueryTimeOfDay(PVOID Target, ULONG Length, PULONG ReturnLength)
{
    EXP_TIME_OF_DAY time = {0};

    KeQuerySystemTime(&time.CurrentTime);
    time.BootTime.QuadPart = time.CurrentTime.QuadPart - (LONGLONG)KeQueryInterruptTime();
    return ExpCopyOut(Target, Length, ReturnLength, &time, sizeof(time));
}

static VOID ExpFillModule(EXP_MODULE *Entry, const LDR_MODULE *Module, USHORT Index)
{
    PVOID base = Module->Base;

    /* Kernel addresses are for administrators, as on current Windows. */
    if (ExGetPreviousMode() != KernelMode && !SeSinglePrivilegeCheck(RtlConvertLongToLuid(SE_DEBUG_PRIVILEGE), ExGetPreviousMode()))
    {
        base = NULL;
    }
    RtlZeroMemory(Entry, sizeof(*Entry));
    Entry->ImageBase = base;
    Entry->ImageSize = Module->Size;
    Entry->LoadOrderIndex = Index;
    Entry->LoadCount = (USHORT)(Module->References + 1);
    _snprintf((PCHAR)Entry->FullPathName, sizeof(Entry->FullPathName), "\\SystemRoot\\System32\\%s%ws",
              LdrIsKernelAddress(Module->Base) ? "" : "drivers\\", Module->Name);
    Entry->FullPathName[sizeof(Entry->FullPathName) - 1] = 0;
    Entry->OffsetToFileName = (USHORT)(strrchr((PCHAR)Entry->FullPathName, '\\') + 1 - (PCHAR)Entry->FullPathName);
}

static NTSTATUS ExpQueryModules(PVOID Target, ULONG Length, PULONG ReturnLength)
{
    typedef struct _MODULES
    {
        ULONG Count;
        EXP_MODULE Modules[1];
    } MODULES;
    const ULONG maximum = 129;
    MODULES *list = ExAllocatePoolWithTag(PagedPool, sizeof(MODULES) + maximum * sizeof(EXP_MODULE), EX_TAG);
    const LDR_MODULE *module;
    LONG index = -1;
    NTSTATUS status;

    if (list == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(list, sizeof(*list));
    while (list->Count < maximum && (module = LdrNextModule(&index)) != NULL)
    {
        ExpFillModule(&list->Modules[list->Count], module, (USHORT)list->Count);
        list->Count++;
    }
    status = ExpCopyOut(Target, Length, ReturnLength, list, (ULONG)(FIELD_OFFSET(MODULES, Modules) + list->Count * sizeof(EXP_MODULE)));
    ExFreePoolWithTag(list, EX_TAG);
    return status;
}

static NTSTATUS ExpQueryProcesses(PVOID Target, ULONG Length, PULONG ReturnLength)
{
    PVOID copy;
    ULONG needed;
    NTSTATUS status = PsQueryProcesses(Target, Length, &copy, &needed);

    if (NT_SUCCESS(status))
    {
        status = ExpCopyOut(Target, Length, ReturnLength, copy, needed);
        ExFreePool(copy);
    }
    return status;
}

/* The answer is made in kernel memory of the length asked for: a longer one than this is of no use to anybody. */
static NTSTATUS ExpQueryLedger(PVOID Target, ULONG Length, PULONG ReturnLength)
{
    ULONG room = min(Length, 4u << 20);
    ULONG needed = 0;
    PVOID copy = ExAllocatePoolWithTag(PagedPool, max(room, 1), EX_TAG);
    NTSTATUS status;

    if (copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    status = VfQueryLedger(copy, room, &needed);
    if (NT_SUCCESS(status))
    {
        status = ExpCopyOut(Target, Length, ReturnLength, copy, needed);
    }
    else if (status == STATUS_INFO_LENGTH_MISMATCH && ReturnLength != NULL)
    {
        ExpCopyOut(ReturnLength, sizeof(needed), NULL, &needed, sizeof(needed));
    }
    ExFreePoolWithTag(copy, EX_TAG);
    return status;
}

static NTSTATUS ExpReportLedger(const VOID *Title, ULONG Length)
{
    CHAR title[64] = "";

    if (!VfLedgerOn)
    {
        return STATUS_NOT_SUPPORTED;
    }
    __try
    {
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForRead((PVOID)Title, Length, 1);
        }
        RtlCopyMemory(title, Title, min(Length, sizeof(title) - 1));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    for (PCHAR at = title; *at != 0; at++)
    {
        *at = *at < ' ' || *at > '~' ? '?' : *at; /* it becomes a part of a line */
    }
    VfReportLedger(title, NULL);
    return STATUS_SUCCESS;
}

/** System-wide information; classes that the machine has no answer for give STATUS_INVALID_INFO_CLASS. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtQuerySystemInformation(ULONG SystemInformationClass, PVOID SystemInformation, ULONG Length, PULONG ReturnLength)
{
    static const BOOLEAN noDebugger[2] = {FALSE, TRUE};

    switch (SystemInformationClass)
    {
    case ExpSystemBasic:
        return ExpQueryBasic(SystemInformation, Length, ReturnLength);
    case ExpSystemPerformance:
        return ExpQueryPerformance(SystemInformation, Length, ReturnLength);
    case ExpSystemTimeOfDay:
        return ExpQueryTimeOfDay(SystemInformation, Length, ReturnLength);
    case NT_SYSTEM_PROCESS_INFORMATION:
        return ExpQueryProcesses(SystemInformation, Length, ReturnLength);
    case ExpSystemModules:
        return ExpQueryModules(SystemInformation, Length, ReturnLength);
    case ExpSystemKernelDebugger:
        return ExpCopyOut(SystemInformation, Length, ReturnLength, noDebugger, sizeof(noDebugger));
    case VF_SYSTEM_LEDGER_CLASS:
        return ExpQueryLedger(SystemInformation, Length, ReturnLength);
    case VF_SYSTEM_LEDGER_REPORT_CLASS:
        return ExpReportLedger(SystemInformation, Length);
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}

NTSTATUS NTAPI NtQuerySystemTime(PLARGE_INTEGER SystemTime)
{
    LARGE_INTEGER now;

    KeQuerySystemTime(&now);
    return ExpCopyOut(SystemTime, sizeof(now), NULL, &now, sizeof(now));
}

NTSTATUS NTAPI NtQueryPerformanceCounter(PLARGE_INTEGER Counter, PLARGE_INTEGER Frequency)
{
    LARGE_INTEGER frequency;
    LARGE_INTEGER counter = KeQueryPerformanceCounter(&frequency);
    NTSTATUS status = ExpCopyOut(Counter, sizeof(counter), NULL, &counter, sizeof(counter));

    if (NT_SUCCESS(status) && Frequency != NULL)
    {
        status = ExpCopyOut(Frequency, sizeof(frequency), NULL, &frequency, sizeof(frequency));
    }
    return status;
}
