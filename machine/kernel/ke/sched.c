/* SPDX-License-Identifier: MIT */
/*
 * Who runs where: ready queues, the choice of a processor for a thread and of a thread for a processor, preemption.
 *
 * All of it under the dispatcher lock, with interrupts off. There is one set of ready queues for all processors; a
 * thread on it runs on the first processor of its affinity that looks. When a thread becomes ready, one processor is
 * told to look: an idle one (the one it ran on last if that is idle), else the one that runs the lowest priority, if
 * that is lower than the thread's. Telling is Prcb->Reschedule and, across processors, a DPC interrupt.
 *
 *        KiReadyThread            KiSelectThread              KiBlock, KiPreempt, KeTerminateThread
 *   waiting ------------> ready -----------------> running ------------------------------------> waiting, ready, gone
 */
#include "kip.h"

KSPIN_LOCK KiDispatcherLock;
BOOLEAN KiSchedulerEnabled;
KAFFINITY KiIdleSummary;
volatile KAFFINITY KiActiveAffinity = 1;
LIST_ENTRY KiReaperListHead;
KEVENT KiReaperEvent;

static LIST_ENTRY KiReadyQueues[MAXIMUM_PRIORITY];
static ULONG KiReadySummary; /* bit per queue that is not empty */

VOID KiInitializeDispatcher(VOID)
{
    for (ULONG i = 0; i < MAXIMUM_PRIORITY; i++)
    {
        InitializeListHead(&KiReadyQueues[i]);
    }
    InitializeListHead(&KiReaperListHead);
    KeInitializeEvent(&KiReaperEvent, SynchronizationEvent, FALSE);
}

BOOLEAN KiLockDispatcher(VOID)
{
    BOOLEAN on = KiDisableInterrupts();

    KiAcquireRaw(&KiDispatcherLock);
    return on;
}

VOID KiUnlockDispatcher(BOOLEAN On)
{
    PKPRCB prcb = KiPrcb();

    if (prcb->Reschedule && KiSchedulerEnabled)
    {
        if (On && KeGetCurrentIrql() < DISPATCH_LEVEL)
        {
            KiPreempt(prcb);
        }
        else
        {
            KiRequestDispatch(prcb);
        }
    }
    KiReleaseRaw(&KiDispatcherLock);
    KiRestoreInterrupts(On);
}

/* Processors a thread may use now. Affinity to processors that never started means any. */
static KAFFINITY KiAllowed(PKTHREAD Thread)
{
    KAFFINITY allowed = Thread->Affinity & KiActiveAffinity;

    return allowed != 0 ? allowed : KiActiveAffinity;
}

static VOID KiInsertReady(PKTHREAD Thread)
{
    PLIST_ENTRY queue = &KiReadyQueues[Thread->Priority];

    if (Thread->Preempted)
    {
        Thread->Preempted = FALSE;
        InsertHeadList(queue, &Thread->WaitListEntry);
    }
    else
    {
        InsertTailList(queue, &Thread->WaitListEntry);
    }
    KiReadySummary |= 1u << Thread->Priority;
    Thread->State = ThreadStateReady;
}

static VOID KiRemoveReady(PKTHREAD Thread)
{
    RemoveEntryList(&Thread->WaitListEntry);
    if (IsListEmpty(&KiReadyQueues[Thread->Priority]))
    {
        KiReadySummary &= ~(1u << Thread->Priority);
    }
}

/* The best ready thread for a processor, of at least that priority; NULL if none. */
static PKTHREAD KiFindReady(PKPRCB Prcb, LONG Priority)
{
    ULONG summary = KiReadySummary;

    while (summary != 0)
    {
        LONG top = 31 - __builtin_clz(summary);

        if (top < Priority)
        {
            return NULL;
        }
        for (PLIST_ENTRY entry = KiReadyQueues[top].Flink; entry != &KiReadyQueues[top]; entry = entry->Flink)
        {
            PKTHREAD thread = CONTAINING_RECORD(entry, KTHREAD, WaitListEntry);

            if (KiAllowed(thread) & Prcb->SetMember)
            {
                return thread;
            }
        }
        summary &= ~(1u << top);
    }
    return NULL;
}

static VOID KiTell(PKPRCB Prcb, LONG Priority)
{
    Prcb->RunningPriority = Priority;
    Prcb->Reschedule = 1;
    if (Prcb != KiPrcb())
    {
        HalSendIpi(Prcb->Number, KI_DPC_VECTOR);
    }
}

static PKPRCB KiFindVictim(PKTHREAD Thread, KAFFINITY Allowed)
{
    PKPRCB victim = NULL;

    for (; Allowed != 0; Allowed &= Allowed - 1)
    {
        ULONG i = (ULONG)__builtin_ctzll(Allowed);
        PKPRCB prcb = &KiProcessors[i]->Prcb;

        if (victim == NULL || prcb->RunningPriority < victim->RunningPriority ||
            (prcb->RunningPriority == victim->RunningPriority && i == Thread->NextProcessor))
        {
            victim = prcb;
        }
    }
    return victim->RunningPriority < Thread->Priority ? victim : NULL;
}

/* Lock held; the thread is on no list. */
VOID KiReadyThread(PKTHREAD Thread)
{
    KAFFINITY allowed = KiAllowed(Thread);
    KAFFINITY idle = allowed & KiIdleSummary;
    PKPRCB prcb;

    KiInsertReady(Thread);
    if (!KiSchedulerEnabled)
    {
        return;
    }
    if (idle != 0)
    {
        ULONG number = (ULONG)__builtin_ctzll(idle);

        if (idle & ((KAFFINITY)1 << Thread->NextProcessor))
        {
            number = Thread->NextProcessor;
        }
        KiIdleSummary &= ~((KAFFINITY)1 << number);
        prcb = &KiProcessors[number]->Prcb;
    }
    else
    {
        prcb = KiFindVictim(Thread, allowed);
    }
    if (prcb != NULL)
    {
        KiTell(prcb, Thread->Priority);
    }
}

static PKTHREAD KiSelectThread(PKPRCB Prcb)
{
    PKTHREAD thread = KiFindReady(Prcb, 0);

    Prcb->Reschedule = 0;
    if (thread == NULL)
    {
        thread = Prcb->IdleThread;
        Prcb->RunningPriority = -1;
        KiIdleSummary |= Prcb->SetMember;
        return thread;
    }
    KiRemoveReady(thread);
    Prcb->RunningPriority = thread->Priority;
    KiIdleSummary &= ~Prcb->SetMember;
    return thread;
}

/* Loads another process's page tables. The bit comes before the load and goes after it, so that KeFlushTb never misses
   a processor that may hold its translations. Lock held. */
VOID KiSwapProcess(PKPROCESS From, PKPROCESS To)
{
    LONG bit = 1L << KiPrcb()->Number;

    if (From == To)
    {
        return;
    }
    InterlockedOr(&To->ActiveProcessors[0], bit);
    if (__readcr3() != To->DirectoryTableBase)
    {
        __writecr3(To->DirectoryTableBase);
    }
    InterlockedAnd(&From->ActiveProcessors[0], ~bit);
}

/* Runs another thread, which was taken off the ready queues. The current one is already where it belongs. */
static VOID KiSwitchTo(PKPRCB Prcb, PKTHREAD To)
{
    PKTHREAD from = Prcb->CurrentThread;
    KIRQL irql;

    if (Prcb->DpcRoutineActive)
    {
        KeBugCheckEx(0xB8, (ULONG_PTR)from, (ULONG_PTR)To, (ULONG_PTR)from->InitialStack, 0);
    }
    To->State = ThreadStateRunning;
    if (To->Quantum <= 0)
    {
        To->Quantum = KI_QUANTUM;
    }
    if (To != from)
    {
        ULONG64 now = __rdtsc();

        from->CycleTime += now - from->LastSwitchTsc;
        To->LastSwitchTsc = now;
        To->ContextSwitches++;
        To->NextProcessor = Prcb->Number;
        To->OnProcessor = TRUE;
        from->OnProcessor = FALSE;
        Prcb->ContextSwitches++;
        Prcb->QuantumEnd = FALSE;
        KiSwapProcess(from->ApcState.Process, To->ApcState.Process);
        KiSetThreadEnvironment(Prcb, To);
        irql = KeGetCurrentIrql();
        Prcb->SwitchIrql = irql;
        KiSwapContext(from, To);
        if (KiPrcb()->SwitchIrql != irql)
        {
            __writecr8(irql); /* of the thread that gave way it was another; interrupts are off still */
        }
    }
    if (from->ApcState.KernelApcPending && from->SpecialApcDisable == 0)
    {
        HalRequestSoftwareInterrupt(APC_LEVEL);
    }
}

/* Gives the processor away. The current thread is already where it belongs (waiting, ready, gone). Lock held, and held
   again on return, which may be on another processor. */
VOID KiSwitchAway(PKPRCB Prcb)
{
    KiSwitchTo(Prcb, KiSelectThread(Prcb));
}

/* Lock held: lets a better thread have this processor if there is one. */
VOID KiPreempt(PKPRCB Prcb)
{
    PKTHREAD thread = Prcb->CurrentThread;
    BOOLEAN idle = thread == Prcb->IdleThread;
    BOOLEAN misplaced = !idle && !(KiAllowed(thread) & Prcb->SetMember);
    PKTHREAD better = KiFindReady(Prcb, idle ? 0 : misplaced ? 0 : thread->Priority + 1);

    Prcb->Reschedule = 0;
    if (better == NULL && !misplaced)
    {
        Prcb->RunningPriority = idle ? -1 : thread->Priority;
        if (idle)
        {
            KiIdleSummary |= Prcb->SetMember;
        }
        return;
    }
    Prcb->RunningPriority = better != NULL ? better->Priority : -1;
    if (!idle)
    {
        thread->Preempted = !misplaced;
        KiReadyThread(thread);
    }
    KiSwitchAway(Prcb);
}

/* The current thread has used its time: its boost decays, and equals get their turn. DISPATCH_LEVEL, no lock. */
VOID KiQuantumEnd(VOID)
{
    PKPRCB prcb = KiPrcb();
    PKTHREAD thread = prcb->CurrentThread;

    KiLockDispatcher();
    prcb->QuantumEnd = FALSE;
    if (thread != prcb->IdleThread && thread->Quantum <= 0)
    {
        thread->Quantum = KI_QUANTUM;
        if (thread->Priority < LOW_REALTIME_PRIORITY && thread->Priority > thread->BasePriority)
        {
            thread->Priority--;
            thread->PriorityDecrement = (SCHAR)(thread->Priority - thread->BasePriority);
            prcb->RunningPriority = thread->Priority;
        }
        if (KiFindReady(prcb, thread->Priority) != NULL)
        {
            prcb->RunningPriority = thread->Priority;
            thread->Preempted = FALSE;
            KiReadyThread(thread);
            KiSwitchAway(prcb);
        }
    }
    else if (prcb->Reschedule && KiSchedulerEnabled)
    {
        KiPreempt(prcb);
    }
    KiReleaseRaw(&KiDispatcherLock);
    KiEnable();
}

/* Lock held. A change of a thread that is ready or running may change who should run. */
VOID KiSetPriority(PKTHREAD Thread, KPRIORITY Priority)
{
    KPRIORITY old = Thread->Priority;

    if (old == Priority)
    {
        return;
    }
    if (Thread->State == ThreadStateReady)
    {
        KiRemoveReady(Thread);
        Thread->Priority = (SCHAR)Priority;
        KiReadyThread(Thread);
        return;
    }
    Thread->Priority = (SCHAR)Priority;
    if (Thread->State == ThreadStateRunning)
    {
        PKPRCB prcb = &KiProcessors[Thread->NextProcessor]->Prcb;

        if (!prcb->Reschedule)
        {
            prcb->RunningPriority = Priority;
        }
        if (Priority < old && KiReadySummary != 0)
        {
            KiTell(prcb, prcb->RunningPriority);
        }
    }
}

/* Lock held, after a change of Affinity. TRUE if the thread is the current one and has to leave its processor. */
BOOLEAN KiReadyAffinityChanged(PKTHREAD Thread)
{
    if (Thread->State == ThreadStateReady)
    {
        KiRemoveReady(Thread);
        KiReadyThread(Thread);
    }
    else if (Thread->State == ThreadStateRunning)
    {
        PKPRCB prcb = &KiProcessors[Thread->NextProcessor]->Prcb;

        if (!(KiAllowed(Thread) & prcb->SetMember))
        {
            KiTell(prcb, prcb->RunningPriority);
            return prcb == KiPrcb();
        }
    }
    return FALSE;
}

/**
 * Gives the processor to another ready thread, also to one of lower priority, for a time slice at most.
 *
 * @return STATUS_SUCCESS: somebody else ran; STATUS_NO_YIELD_PERFORMED: nobody was ready
 * IRQL: <= APC_LEVEL.
 */
NTSTATUS NTAPI NtYieldExecution(VOID)
{
    BOOLEAN on = KiLockDispatcher();
    PKPRCB prcb = KiPrcb();
    PKTHREAD thread = prcb->CurrentThread;
    PKTHREAD other = thread == prcb->IdleThread ? NULL : KiFindReady(prcb, 1);

    if (other != NULL)
    {
        KiRemoveReady(other);
        thread->Quantum = KI_QUANTUM;
        thread->Preempted = FALSE;
        prcb->RunningPriority = MAXIMUM_PRIORITY; /* anywhere but here */
        KiReadyThread(thread);
        prcb->RunningPriority = other->Priority;
        prcb->Reschedule = 0;
        KiSwitchTo(prcb, other);
    }
    KiUnlockDispatcher(on);
    return other != NULL ? STATUS_SUCCESS : STATUS_NO_YIELD_PERFORMED;
}
