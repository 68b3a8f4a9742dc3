/* SPDX-License-Identifier: MIT */
/*
 * The end of threads and processes.
 *
 * A thread ends itself, at PASSIVE_LEVEL, in its own process. Others can only ask: NtTerminateThread queues a user APC
 * in front of everything, whose kernel routine is this exit. So a thread that is in the kernel finishes its call first,
 * a wait of UserMode ends with STATUS_USER_APC, and a thread in user mode stops between two instructions.
 *
 *     each thread                              the last thread of a process, in addition
 *       no new requests about it (rundown)       waits until the other threads have gone
 *       thread-exit routines of drivers          process-exit routines (address space, handles still there)
 *       its I/O is cancelled and waited for      handles closed: IRP_MJ_CLEANUP, IRP_MJ_CLOSE
 *       mutants abandoned                        address space cleaned; locked pages are bug check 76 or CB
 *       TEB and user stack freed                 the process object signalled
 *       APCs run down, object signalled
 */
#include "psp.h"

/* Leaves the list of those that keep the process alive; TRUE for the last one. */
static BOOLEAN PspLeaveProcess(PETHREAD Thread, PEPROCESS Process, NTSTATUS Status)
{
    BOOLEAN last;
    ExAcquireFastMutex(&Process->ProcessLock);
    last = --Process->ActiveThreads == 0;
    if (last)
    {
        InterlockedOr(&Process->Flags, PSP_PROCESS_DELETE | PSP_PROCESS_EXITING);
        if (Status != STATUS_THREAD_IS_TERMINATING)
        {
            Process->ExitStatus = Status;
        }
        else if (Process->ExitStatus == STATUS_PENDING)
        {
            Process->ExitStatus = Process->LastThreadExitStatus;
        }
    }
    else if (Status != STATUS_THREAD_IS_TERMINATING)
    {
        Process->LastThreadExitStatus = Status;
    }
    ExReleaseFastMutex(&Process->ProcessLock);
    return last;
}

/* The last thread sees to it that the others are gone before it takes away what they stand on. */
static VOID PspWaitForOtherThreads(PETHREAD Self, PEPROCESS Process)
{
    PETHREAD thread = NULL;
    while ((thread = PsGetNextProcessThread(Process, thread)) != NULL)
    {
        if (thread != Self)
        {
            KeWaitForSingleObject(&thread->Tcb, Executive, KernelMode, FALSE, NULL);
        }
    }
}

static VOID PspFreeUserMemory(PETHREAD Thread)
{
    PVOID teb = Thread->Tcb.Teb, stack = Thread->UserStack;
    Thread->UserStack = NULL;
    if (stack != NULL)
    {
        MmFreeUserMemory(stack);
    }
    if (teb != NULL)
    {
        MmFreeUserMemory(teb);
    }
}

/* In the last thread's context, the address space whole. */
static VOID PspExitProcess(PETHREAD Thread, PEPROCESS Process)
{
    KeQuerySystemTime(&Process->ExitTime);
    PspCallProcessExitNotify(Process);
    ObKillProcess(Process);
    if (Process->SectionObject != NULL)
    {
        ObDereferenceObject(Process->SectionObject);
        Process->SectionObject = NULL;
    }
    MmCleanProcessAddressSpace(Process);
}

DECLSPEC_NORETURN VOID PspExitThread(NTSTATUS Status)
{
    PETHREAD thread = PsGetCurrentThread();
    PEPROCESS process = thread->ThreadsProcess;
    BOOLEAN last;

    if (KeIsAttachedProcess())
    {
        KeBugCheckEx(INVALID_PROCESS_ATTACH_ATTEMPT, (ULONG_PTR)process, (ULONG_PTR)PsGetCurrentProcess(),
                     thread->Tcb.ApcStateIndex, 0);
    }
    KeLowerIrql(PASSIVE_LEVEL);
    if (thread->Tcb.CombinedApcDisable != 0)
    {
        KeBugCheckEx(KERNEL_APC_PENDING_DURING_EXIT, 0, (ULONG_PTR)(LONG_PTR)thread->Tcb.KernelApcDisable, 0, 0);
    }
    InterlockedOr(&thread->Flags, PSP_THREAD_TERMINATED);
    ExWaitForRundownProtectionRelease(&thread->RundownProtect);
    PspCallThreadNotify(thread, FALSE);
    last = PspLeaveProcess(thread, process, Status);
    IoCancelThreadIo(thread);
    KeRundownThread();
    if (last)
    {
        PspWaitForOtherThreads(thread, process);
    }
    else
    {
        PspFreeUserMemory(thread);
    }
    thread->ExitStatus = Status;
    KeQuerySystemTime(&thread->ExitTime);
    if (last)
    {
        PspExitProcess(thread, process);
    }
    thread->Tcb.Teb = NULL;
    PspClearImpersonation(thread);
    KeFlushQueueApcs(&thread->Tcb);
    if (last)
    {
        KeSetProcess(&process->Pcb, 0);
    }
    KeTerminateThread(0);
}

/* ---- asking others to end ---- */

static VOID NTAPI PspExitApcRoutine(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                                    PVOID *Argument2)
{
    PspExitThread((NTSTATUS)(LONG_PTR)*Argument1);
}

static VOID NTAPI PspExitApcRundown(PKAPC Apc)
{
    /* The thread ended by itself; the APC is part of it. */
}

/* Never called: the kernel routine does not come back. Its address makes the APC one for user mode. */
static VOID NTAPI PspExitApcNormal(PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

/* Ends a thread as soon as it is not in the kernel. Asking twice does nothing more. */
static NTSTATUS PspRequestExit(PETHREAD Thread, NTSTATUS Status)
{
    if ((Thread->Flags & PSP_THREAD_SYSTEM) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if ((InterlockedOr(&Thread->Flags, PSP_THREAD_TERMINATED) & PSP_THREAD_TERMINATED) != 0)
    {
        return STATUS_SUCCESS;
    }
    KeInitializeApc(&Thread->ExitApc, &Thread->Tcb, OriginalApcEnvironment, PspExitApcRoutine, PspExitApcRundown,
                    PspExitApcNormal, UserMode, NULL);
    KeInsertForcedUserApc(&Thread->ExitApc, (PVOID)(LONG_PTR)Status, NULL);
    KeForceResumeThread(&Thread->Tcb);
    return STATUS_SUCCESS;
}

/* The same, and at once if it is the current one. */
NTSTATUS PspTerminateThread(PETHREAD Thread, NTSTATUS Status)
{
    if (Thread == PsGetCurrentThread())
    {
        PspExitThread(Status);
    }
    return PspRequestExit(Thread, Status);
}

/* Ends all threads of a process but one (NULL: all but the caller, if it is his). STATUS_NOTHING_TO_TERMINATE without
   any. */
NTSTATUS PspTerminateProcess(PEPROCESS Process, NTSTATUS Status, PETHREAD Except)
{
    NTSTATUS result = STATUS_NOTHING_TO_TERMINATE;
    PETHREAD thread = NULL;
    while ((thread = PsGetNextProcessThread(Process, thread)) != NULL)
    {
        if (thread != Except && thread != PsGetCurrentThread())
        {
            PspTerminateThread(thread, Status);
            result = STATUS_SUCCESS;
        }
    }
    return result;
}

static VOID PspMarkDelete(PEPROCESS Process)
{
    ExAcquireFastMutex(&Process->ProcessLock);
    InterlockedOr(&Process->Flags, PSP_PROCESS_DELETE);
    ExReleaseFastMutex(&Process->ProcessLock);
}

VOID PsKillProcess(_In_ PEPROCESS Process, _In_ NTSTATUS Status)
{
    PETHREAD thread = NULL;

    PspMarkDelete(Process);
    while ((thread = PsGetNextProcessThread(Process, thread)) != NULL)
    {
        PspRequestExit(thread, Status);
    }
}

DECLSPEC_NORETURN VOID PsTerminateCurrentProcess(_In_ NTSTATUS Status)
{
    PEPROCESS process = PsGetCurrentThread()->ThreadsProcess;
    PspMarkDelete(process);
    PspTerminateProcess(process, Status, NULL);
    PspExitThread(Status);
}

/**
 * Ends a process (PROCESS_TERMINATE).
 *
 * @param ProcessHandle  NULL: ends all other threads of the caller's process and returns
 * @return does not return for the caller's own process; STATUS_ACCESS_DENIED; STATUS_PROCESS_IS_TERMINATING (it has
 *         ended already). PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtTerminateProcess(_In_opt_ HANDLE ProcessHandle, _In_ NTSTATUS ExitStatus)
{
    PEPROCESS process;
    NTSTATUS status;
    if (ProcessHandle == NULL)
    {
        PspTerminateProcess(PsGetCurrentThread()->ThreadsProcess, ExitStatus, PsGetCurrentThread());
        return STATUS_SUCCESS;
    }
    status = ObReferenceObjectByHandle(ProcessHandle, PROCESS_TERMINATE, PsProcessType, ExGetPreviousMode(),
                                       (PVOID *)&process, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (process == PsInitialSystemProcess)
    {
        ObDereferenceObject(process);
        return STATUS_ACCESS_DENIED;
    }
    if (process == PsGetCurrentThread()->ThreadsProcess)
    {
        ObDereferenceObject(process);
        PsTerminateCurrentProcess(ExitStatus);
    }
    if ((process->Flags & PSP_PROCESS_EXITING) != 0)
    {
        status = STATUS_PROCESS_IS_TERMINATING;
    }
    else
    {
        PspMarkDelete(process);
        PspTerminateProcess(process, ExitStatus, NULL);
    }
    ObDereferenceObject(process);
    return status;
}

/**
 * Ends a thread (THREAD_TERMINATE).
 *
 * @param ThreadHandle  NULL: the current thread, unless it is the process's last
 * @return STATUS_CANT_TERMINATE_SELF (NULL and last thread), STATUS_INVALID_PARAMETER (a system thread),
 *         STATUS_ACCESS_DENIED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtTerminateThread(_In_opt_ HANDLE ThreadHandle, _In_ NTSTATUS ExitStatus)
{
    PETHREAD thread = PsGetCurrentThread();
    NTSTATUS status;
    if (ThreadHandle == NULL)
    {
        if (thread->ThreadsProcess->ActiveThreads == 1)
        {
            return STATUS_CANT_TERMINATE_SELF;
        }
        return PspTerminateThread(thread, ExitStatus);
    }
    status = ObReferenceObjectByHandle(ThreadHandle, THREAD_TERMINATE, PsThreadType, ExGetPreviousMode(),
                                       (PVOID *)&thread, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (thread == PsGetCurrentThread())
    {
        ObDereferenceObject(thread);
        return PspTerminateThread(thread, ExitStatus);
    }
    status = PspTerminateThread(thread, ExitStatus);
    ObDereferenceObject(thread);
    return status;
}

/** Ends every process but System and waits for each. Returns how many had not ended by themselves. PASSIVE_LEVEL. */
ULONG PsTerminateAllProcesses(_In_ NTSTATUS Status)
{
    PEPROCESS process = NULL;
    ULONG ended = 0;
    while ((process = PsGetNextProcess(process)) != NULL)
    {
        if (process == PsInitialSystemProcess || process->Pcb.Header.SignalState != 0)
        {
            continue;
        }
        if ((process->Flags & PSP_PROCESS_EXITING) == 0)
        {
            ended++;
        }
        PspMarkDelete(process);
        PspTerminateProcess(process, Status, NULL);
        KeWaitForSingleObject(&process->Pcb, Executive, KernelMode, FALSE, NULL);
    }
    return ended;
}
