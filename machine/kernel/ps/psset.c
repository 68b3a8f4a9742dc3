/* SPDX-License-Identifier: MIT */
/*
 * NtSetInformationProcess and NtSetInformationThread.
 */
#include "psp.h"

/* Copies a fixed-size argument in; the class says how large it must be. */
static NTSTATUS PspReadArgument(PVOID Local, PVOID Source, ULONG Expected, ULONG Length, KPROCESSOR_MODE Mode)
{
    return Length != Expected ? STATUS_INFO_LENGTH_MISMATCH : PspCopyIn(Local, Source, Expected, sizeof(UCHAR), Mode);
}

/* ---- processes ---- */

/* Realtime and anything above normal needs SeIncreaseBasePriorityPrivilege only for realtime, as on NT. */
static NTSTATUS PspSetBasePriority(PEPROCESS Process, LONG Base, KPROCESSOR_MODE Mode)
{
    PETHREAD thread = NULL;
    LONG old = Process->Pcb.BasePriority;
    if (Base < LOW_PRIORITY + 1 || Base > HIGH_PRIORITY)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Base > old && Base >= LOW_REALTIME_PRIORITY &&
        !SeSinglePrivilegeCheck(SeExports->SeIncreaseBasePriorityPrivilege, Mode))
    {
        return STATUS_PRIVILEGE_NOT_HELD;
    }
    /* Threads keep their distance from the process's base. */
    while ((thread = PsGetNextProcessThread(Process, thread)) != NULL)
    {
        LONG distance = thread->Tcb.BasePriority - old;
        LONG target = Base + distance;
        KeSetBasePriorityThread(&thread->Tcb, target - old > 15 ? 15 : target - old < -15 ? -15 : target - old);
    }
    Process->Pcb.BasePriority = (SCHAR)Base;
    return STATUS_SUCCESS;
}

static NTSTATUS PspSetPriorityClass(PEPROCESS Process, UCHAR Class, KPROCESSOR_MODE Mode)
{
    /* By class number: idle, normal, high, realtime, below, above. */
    static const UCHAR bases[] = {0, 4, 8, 13, 24, 6, 10};
    if (Class == 0 || Class >= RTL_NUMBER_OF(bases))
    {
        return STATUS_INVALID_PARAMETER;
    }
    return PspSetBasePriority(Process, bases[Class], Mode);
}

static NTSTATUS PspSetProcessAffinity(PEPROCESS Process, KAFFINITY Affinity)
{
    PETHREAD thread = NULL;
    if (Affinity == 0 || (Affinity & ~KeQueryActiveProcessors()) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    Process->Pcb.Affinity = Affinity;
    while ((thread = PsGetNextProcessThread(Process, thread)) != NULL)
    {
        PspSetThreadAffinity(thread, Affinity);
    }
    return STATUS_SUCCESS;
}

typedef union _PSP_SET_ARGUMENT
{
    PROCESS_ACCESS_TOKEN Token;
    struct { BOOLEAN Foreground; UCHAR PriorityClass; } PriorityClass;
    KAFFINITY Affinity;
    HANDLE Handle;
    PVOID Pointer;
    ULONG Number;
    LONG Signed;
    QUOTA_LIMITS Quota;
} PSP_SET_ARGUMENT;

/* Size of a settable class's argument and the right it needs; 0 for classes that cannot be set. */
static ULONG PspProcessSetShape(PROCESSINFOCLASS Class, PACCESS_MASK Access)
{
    *Access = PROCESS_SET_INFORMATION;
    switch ((ULONG)Class)
    {
    case ProcessQuotaLimits:
        *Access = 0x0100; /* PROCESS_SET_QUOTA */
        return sizeof(QUOTA_LIMITS);
    case ProcessAccessToken:
        return sizeof(PROCESS_ACCESS_TOKEN);
    case ProcessPriorityClass:
        return 2;
    case ProcessAffinityMask:
        return sizeof(KAFFINITY);
    case ProcessBasePriority:
    case ProcessDefaultHardErrorMode:
        return sizeof(ULONG);
    default:
        return 0;
    }
}

static NTSTATUS PspSetProcess(PEPROCESS Process, PROCESSINFOCLASS Class, const PSP_SET_ARGUMENT *Argument,
                              KPROCESSOR_MODE Mode)
{
    switch ((ULONG)Class)
    {
    case ProcessQuotaLimits:
        return MmSetWorkingSetLimits(Process, &Argument->Quota);
    case ProcessAccessToken:
        return PspAssignPrimaryToken(Process, Argument->Token.Token, Mode);
    case ProcessPriorityClass:
        return PspSetPriorityClass(Process, Argument->PriorityClass.PriorityClass, Mode);
    case ProcessAffinityMask:
        return PspSetProcessAffinity(Process, Argument->Affinity);
    case ProcessBasePriority:
        return PspSetBasePriority(Process, Argument->Signed & 0x7FFFFFFF, Mode);
    default: /* ProcessDefaultHardErrorMode */
        Process->DefaultHardErrorProcessing = Argument->Number;
        return STATUS_SUCCESS;
    }
}

/**
 * Changes a process: ProcessAccessToken (before it runs), PriorityClass, BasePriority, AffinityMask,
 * DefaultHardErrorMode.
 *
 * @return STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS, STATUS_PRIVILEGE_NOT_HELD, STATUS_ACCESS_DENIED.
 *         PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtSetInformationProcess(_In_ HANDLE ProcessHandle, _In_ PROCESSINFOCLASS ProcessInformationClass,
                                       _In_reads_bytes_(Length) PVOID ProcessInformation, _In_ ULONG Length)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PSP_SET_ARGUMENT argument;
    ACCESS_MASK access;
    PEPROCESS process;
    ULONG expected = PspProcessSetShape(ProcessInformationClass, &access);
    if (expected == 0)
    {
        return STATUS_INVALID_INFO_CLASS;
    }
    NTSTATUS status = PspReadArgument(&argument, ProcessInformation, expected, Length, mode);
    if (NT_SUCCESS(status))
    {
        status = ObReferenceObjectByHandle(ProcessHandle, access, PsProcessType, mode, (PVOID *)&process, NULL);
    }
    if (NT_SUCCESS(status))
    {
        status = PspSetProcess(process, ProcessInformationClass, &argument, mode);
        ObDereferenceObject(process);
    }
    return status;
}

/* ---- threads ---- */

NTSTATUS PspSetThreadAffinity(PETHREAD Thread, KAFFINITY Affinity)
{
    KAFFINITY allowed = Thread->ThreadsProcess->Pcb.Affinity & KeQueryActiveProcessors();
    if (Affinity == 0 || (Affinity & ~allowed) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    KeSetAffinityThread(&Thread->Tcb, Affinity);
    return STATUS_SUCCESS;
}

static NTSTATUS PspSetThreadPriority(PETHREAD Thread, LONG Priority, KPROCESSOR_MODE Mode)
{
    if (Priority <= LOW_PRIORITY || Priority > HIGH_PRIORITY)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Priority >= LOW_REALTIME_PRIORITY && !SeSinglePrivilegeCheck(SeExports->SeIncreaseBasePriorityPrivilege, Mode))
    {
        return STATUS_PRIVILEGE_NOT_HELD;
    }
    KeSetPriorityThread(&Thread->Tcb, Priority);
    return STATUS_SUCCESS;
}

/* -2..2 for all; up to +-15 saturates; beyond only in the realtime class. */
static NTSTATUS PspSetThreadBasePriority(PETHREAD Thread, LONG Increment)
{
    BOOLEAN realtime = Thread->ThreadsProcess->Pcb.BasePriority >= LOW_REALTIME_PRIORITY;
    if (!realtime && (Increment > 2 || Increment < -2) && Increment != 15 && Increment != 16 && Increment != -15 &&
        Increment != -16)
    {
        return STATUS_INVALID_PARAMETER;
    }
    KeSetBasePriorityThread(&Thread->Tcb, Increment == 15 ? 16 : Increment == -15 ? -16 : Increment);
    return STATUS_SUCCESS;
}

static ULONG PspThreadSetShape(THREADINFOCLASS Class, PACCESS_MASK Access)
{
    *Access = THREAD_SET_INFORMATION;
    switch ((ULONG)Class)
    {
    case ThreadPriority:
    case ThreadBasePriority:
        *Access = THREAD_SET_LIMITED_INFORMATION;
        return sizeof(LONG);
    case ThreadAffinityMask:
    case ThreadQuerySetWin32StartAddress:
        return sizeof(PVOID);
    case ThreadImpersonationToken:
        *Access = THREAD_SET_THREAD_TOKEN;
        return sizeof(HANDLE);
    case ThreadIdealProcessor:
    case ThreadPriorityBoost:
        return sizeof(ULONG);
    default:
        return 0;
    }
}

static NTSTATUS PspSetThread(PETHREAD Thread, THREADINFOCLASS Class, const PSP_SET_ARGUMENT *Argument,
                             KPROCESSOR_MODE Mode)
{
    switch ((ULONG)Class)
    {
    case ThreadPriority:
        return PspSetThreadPriority(Thread, Argument->Signed, Mode);
    case ThreadBasePriority:
        return PspSetThreadBasePriority(Thread, Argument->Signed);
    case ThreadAffinityMask:
        return PspSetThreadAffinity(Thread, Argument->Affinity);
    case ThreadQuerySetWin32StartAddress:
        Thread->Win32StartAddress = Argument->Pointer;
        return STATUS_SUCCESS;
    case ThreadImpersonationToken:
        return PspAssignImpersonationToken(Thread, Argument->Handle, Mode);
    case ThreadIdealProcessor:
        if (Argument->Number > MAXIMUM_PROCESSORS)
        {
            return STATUS_INVALID_PARAMETER;
        }
        if (Argument->Number < KeQueryActiveProcessorCount(NULL))
        {
            Thread->Tcb.IdealProcessor = Argument->Number;
        }
        return STATUS_SUCCESS;
    default: /* ThreadPriorityBoost */
        return STATUS_NOT_SUPPORTED;
    }
}

/**
 * Changes a thread: priority, base priority, affinity, ideal processor, impersonation token, Win32 start address,
 * ThreadHideFromDebugger (no argument).
 *
 * @return STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_PARAMETER, STATUS_PRIVILEGE_NOT_HELD,
 *         STATUS_BAD_TOKEN_TYPE, STATUS_ACCESS_DENIED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtSetInformationThread(_In_ HANDLE ThreadHandle, _In_ THREADINFOCLASS ThreadInformationClass,
                                      _In_reads_bytes_(Length) PVOID ThreadInformation, _In_ ULONG Length)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PSP_SET_ARGUMENT argument = {0};
    ACCESS_MASK access;
    PETHREAD thread;
    ULONG expected = PspThreadSetShape(ThreadInformationClass, &access);
    NTSTATUS status = STATUS_SUCCESS;
    if (ThreadInformationClass == ThreadHideFromDebugger)
    {
        status = Length != 0 ? STATUS_INFO_LENGTH_MISMATCH : STATUS_SUCCESS;
    }
    else if (expected == 0)
    {
        return STATUS_INVALID_INFO_CLASS;
    }
    else
    {
        status = PspReadArgument(&argument, ThreadInformation, expected, Length, mode);
    }
    if (NT_SUCCESS(status))
    {
        status = ObReferenceObjectByHandle(ThreadHandle, access, PsThreadType, mode, (PVOID *)&thread, NULL);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (ThreadInformationClass == ThreadHideFromDebugger)
    {
        InterlockedOr(&thread->Flags, PSP_THREAD_HIDDEN);
    }
    else
    {
        status = PspSetThread(thread, ThreadInformationClass, &argument, mode);
    }
    ObDereferenceObject(thread);
    return status;
}
