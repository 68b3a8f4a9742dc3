/* SPDX-License-Identifier: MIT */
/*
 * Threads and processes as KE knows them: birth, death, priority, suspension.
 */
#include "kip.h"

/** Prepares a process object. IRQL: any. */
VOID KeInitializeProcess(PKPROCESS Process, SCHAR BasePriority, KAFFINITY Affinity, ULONG64 DirectoryTableBase)
{
    RtlZeroMemory(Process, sizeof(*Process));
    Process->Header.Type = KiProcessObject;
    Process->Header.Size = sizeof(KPROCESS) / sizeof(ULONG) > 0xFF ? 0xFF : sizeof(KPROCESS) / sizeof(ULONG);
    InitializeListHead(&Process->Header.WaitListHead);
    InitializeListHead(&Process->ThreadListHead);
    Process->BasePriority = BasePriority;
    Process->Affinity = Affinity;
    Process->DirectoryTableBase = DirectoryTableBase;
}

/** Signals a process object: its last thread has gone. IRQL: <= DISPATCH_LEVEL. */
VOID KeSetProcess(PKPROCESS Process, KPRIORITY Increment)
{
    BOOLEAN on = KiLockDispatcher();

    Process->Header.SignalState = 1;
    KiWaitTest(&Process->Header, Increment);
    KiUnlockDispatcher(on);
}

/* ---- suspension: a normal kernel APC that waits for a semaphore ---- */

static VOID NTAPI KiSuspendKernelRoutine(PKAPC Apc, PKNORMAL_ROUTINE *Routine, PVOID *Context, PVOID *Argument1,
                                         PVOID *Argument2)
{
}

static VOID NTAPI KiSuspendRundown(PKAPC Apc)
{
}

static VOID NTAPI KiSuspendNormalRoutine(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeWaitForSingleObject(&KiCurrentThread()->SuspendSemaphore, Suspended, KernelMode, FALSE, NULL);
}

VOID KiInitializeSuspend(PKTHREAD Thread)
{
    KeInitializeApc(&Thread->SuspendApc, Thread, OriginalApcEnvironment, KiSuspendKernelRoutine, KiSuspendRundown,
                    KiSuspendNormalRoutine, KernelMode, NULL);
    KeInitializeSemaphore(&Thread->SuspendSemaphore, 0, 2);
    Thread->SuspendCount = 0;
}

/** Stops a thread at PASSIVE_LEVEL outside critical regions; counts. Returns the previous count.
    Raises STATUS_SUSPEND_COUNT_EXCEEDED. IRQL: <= APC_LEVEL. */
ULONG KeSuspendThread(PKTHREAD Thread)
{
    BOOLEAN on = KiLockDispatcher();
    ULONG previous = (ULONG)Thread->SuspendCount;

    if (previous == KI_MAXIMUM_SUSPEND)
    {
        KiUnlockDispatcher(on);
        ExRaiseStatus(STATUS_SUSPEND_COUNT_EXCEEDED);
    }
    if (Thread->ApcQueueable)
    {
        Thread->SuspendCount++;
        if (previous == 0)
        {
            /* Inserted still: resumed before the APC ran, the semaphore holds the unit of that resume. */
            if (Thread->SuspendApc.Inserted || !KiInsertApcLocked(&Thread->SuspendApc, 0))
            {
                Thread->SuspendSemaphore.Header.SignalState--;
            }
        }
    }
    KiUnlockDispatcher(on);
    return previous;
}

static VOID KiReleaseSuspended(PKTHREAD Thread)
{
    Thread->SuspendSemaphore.Header.SignalState++;
    KiWaitTest(&Thread->SuspendSemaphore.Header, 0);
}

/** Undoes one suspension; returns the count before. IRQL: <= DISPATCH_LEVEL. */
ULONG KeResumeThread(PKTHREAD Thread)
{
    BOOLEAN on = KiLockDispatcher();
    ULONG previous = (ULONG)Thread->SuspendCount;

    if (previous != 0 && --Thread->SuspendCount == 0)
    {
        KiReleaseSuspended(Thread);
    }
    KiUnlockDispatcher(on);
    return previous;
}

/** Undoes all suspensions, for a thread that has to end; returns the count before. IRQL: <= DISPATCH_LEVEL. */
ULONG KeForceResumeThread(PKTHREAD Thread)
{
    BOOLEAN on = KiLockDispatcher();
    ULONG previous = (ULONG)Thread->SuspendCount;

    if (previous != 0)
    {
        Thread->SuspendCount = 0;
        KiReleaseSuspended(Thread);
    }
    KiUnlockDispatcher(on);
    return previous;
}

/* ---- birth and death ---- */

static volatile LONG KiUserThreads; /* started and not yet reaped */

/* Described in ke.h. */
VOID KeInitializeThread(PKTHREAD Thread, PVOID KernelStack, PKI_SYSTEM_ROUTINE SystemRoutine,
                        PKSTART_ROUTINE StartRoutine, PVOID StartContext, const CONTEXT *UserContext, PVOID Teb,
                        PKPROCESS Process)
{
    RtlZeroMemory(Thread, sizeof(*Thread));
    Thread->Header.Type = KiThreadObject;
    Thread->Header.Size = sizeof(KTHREAD) / sizeof(ULONG);
    InitializeListHead(&Thread->Header.WaitListHead);
    InitializeListHead(&Thread->MutantListHead);
    Thread->StackBase = KernelStack;
    Thread->StackLimit = (PUCHAR)KernelStack - KI_KERNEL_STACK_SIZE;
    Thread->Teb = Teb;
    Thread->Process = Process;
    Thread->Priority = Process->BasePriority;
    Thread->BasePriority = Process->BasePriority;
    Thread->Quantum = KI_QUANTUM;
    Thread->Affinity = Process->Affinity;
    Thread->UserAffinity = Process->Affinity;
    Thread->ApcQueueable = TRUE;
    Thread->SystemThread = UserContext == NULL;
    Thread->PreviousMode = UserContext == NULL ? KernelMode : UserMode;
    KeInitializeTimer(&Thread->Timer);
    KiInitializeApcState(&Thread->ApcState, Process);
    KiInitializeApcState(&Thread->SavedApcState, NULL);
    KiInitializeSuspend(Thread);
    Thread->State = ThreadStateInitialized;
    KiInitializeThreadStack(Thread, SystemRoutine, StartRoutine, StartContext, UserContext);
}

/** Lets an initialised thread run for the first time. IRQL: <= DISPATCH_LEVEL. */
VOID KeStartThread(PKTHREAD Thread)
{
    BOOLEAN on;

    if (!Thread->SystemThread)
    {
        InterlockedIncrement(&KiUserThreads);
    }
    on = KiLockDispatcher();
    InsertTailList(&Thread->Process->ThreadListHead, &Thread->ThreadListEntry);
    Thread->NextProcessor = KiPrcb()->Number;
    Thread->IdealProcessor = Thread->NextProcessor;
    KiReadyThread(Thread);
    KiUnlockDispatcher(on);
}

/* Described in ke.h. */
DECLSPEC_NORETURN VOID KeTerminateThread(KPRIORITY Increment)
{
    PKTHREAD thread = KiCurrentThread();

    KiLockDispatcher();
    if (thread->Queue != NULL)
    {
        RemoveEntryList(&thread->QueueListEntry);
        KiActivateQueueWaiter(thread->Queue);
        thread->Queue = NULL;
    }
    RemoveEntryList(&thread->ThreadListEntry);
    thread->ApcQueueable = FALSE;
    thread->Header.SignalState = 1;
    KiWaitTest(&thread->Header, Increment);
    thread->State = ThreadStateTerminated;
    InsertTailList(&KiReaperListHead, &thread->WaitListEntry);
    KiReaperEvent.Header.SignalState = 1;
    KiWaitTest(&KiReaperEvent.Header, 0);
    KiSwitchAway(KiPrcb());
    KeBugCheckEx(0x0D, (ULONG_PTR)thread, 0, 0, 0); /* a thread that has gone came back */
}

/* Described in ke.h. */
VOID NTAPI KeReaperThread(PVOID Context)
{
    for (;;)
    {
        KeWaitForSingleObject(&KiReaperEvent, Executive, KernelMode, FALSE, NULL);
        for (;;)
        {
            BOOLEAN on = KiLockDispatcher();
            PKTHREAD thread = NULL;
            BOOLEAN user;

            if (!IsListEmpty(&KiReaperListHead))
            {
                thread = CONTAINING_RECORD(RemoveHeadList(&KiReaperListHead), KTHREAD, WaitListEntry);
            }
            KiUnlockDispatcher(on);
            if (thread == NULL)
            {
                break;
            }
            user = !thread->SystemThread;
            PsReapThread(thread);
            if (user)
            {
                InterlockedDecrement(&KiUserThreads);
            }
        }
    }
}

/* Described in ke.h. */
BOOLEAN KeWaitForUserThreads(VOID)
{
    LARGE_INTEGER pause;

    pause.QuadPart = -10000;
    for (ULONG i = 0; KiUserThreads != 0 && i < 1000; i++)
    {
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
    }
    return KiUserThreads == 0;
}

/* ---- priority ---- */

/**
 * Sets a thread's priority, 1..31; from 16 on it is real time: never boosted, never decayed.
 *
 * @return the previous priority
 * IRQL: PASSIVE_LEVEL.
 */
KPRIORITY NTAPI KeSetPriorityThread(PKTHREAD Thread, KPRIORITY Priority)
{
    BOOLEAN on;
    KPRIORITY previous;

    if (Priority < 0 || Priority > HIGH_PRIORITY)
    {
        KeBugCheckEx(0x0A, (ULONG_PTR)Thread, KeGetCurrentIrql(), 0, (ULONG_PTR)__builtin_return_address(0));
    }
    if (Priority == 0)
    {
        Priority = 1; /* 0 is for nobody here: there is no zero-page thread */
    }
    on = KiLockDispatcher();
    previous = Thread->Priority;
    Thread->PriorityDecrement = 0;
    if (Priority != previous)
    {
        Thread->Quantum = KI_QUANTUM;
        KiSetPriority(Thread, Priority);
    }
    KiUnlockDispatcher(on);
    return previous;
}

/** The thread's present priority. IRQL: any. */
KPRIORITY NTAPI KeQueryPriorityThread(PKTHREAD Thread)
{
    return Thread->Priority;
}

/**
 * Sets a thread's base priority relative to its process's; +-16 (THREAD_BASE_PRIORITY_MAX + 1) saturates.
 *
 * @return the previous increment
 * IRQL: PASSIVE_LEVEL.
 */
LONG NTAPI KeSetBasePriorityThread(PKTHREAD Thread, LONG Increment)
{
    BOOLEAN on = KiLockDispatcher();
    LONG processBase = Thread->Process->BasePriority;
    LONG previous = Thread->BasePriority - processBase;
    LONG low = processBase >= LOW_REALTIME_PRIORITY ? LOW_REALTIME_PRIORITY : 1;
    LONG high = processBase >= LOW_REALTIME_PRIORITY ? HIGH_PRIORITY : LOW_REALTIME_PRIORITY - 1;
    LONG base = Increment >= 16 ? high : Increment <= -16 ? low : processBase + Increment;

    base = base < low ? low : base > high ? high : base;
    Thread->BasePriority = (SCHAR)base;
    Thread->PriorityDecrement = 0;
    KiSetPriority(Thread, base);
    KiUnlockDispatcher(on);
    return previous;
}

/** Clock ticks the thread has run in the kernel (returned) and in user mode. IRQL: any. */
ULONG NTAPI KeQueryRuntimeThread(PKTHREAD Thread, PULONG UserTime)
{
    *UserTime = (ULONG)Thread->UserTime;
    return (ULONG)Thread->KernelTime;
}

/** Time stamp counts the thread has run; *CycleTimeStamp the counter now. IRQL: <= DISPATCH_LEVEL. */
ULONG64 NTAPI KeQueryTotalCycleTimeThread(PKTHREAD Thread, PULONG64 CycleTimeStamp)
{
    BOOLEAN on = KiLockDispatcher();
    ULONG64 now = __rdtsc();
    ULONG64 total = Thread->CycleTime + (Thread->State == ThreadStateRunning ? now - Thread->LastSwitchTsc : 0);

    *CycleTimeStamp = now;
    KiUnlockDispatcher(on);
    return total;
}

