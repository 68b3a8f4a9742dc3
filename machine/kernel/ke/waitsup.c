/* SPDX-License-Identifier: MIT */
/*
 * What all waits share: tests of objects, waking, blocking, time-outs. Everything under the dispatcher lock.
 */
#include "kip.h"
#include "vf.h"

static inline UCHAR KiTypeOf(PDISPATCHER_HEADER Object)
{
    return Object->Type & 0x7F;
}

/* Whether a wait of Thread for Object would end now. */
BOOLEAN KiIsSignalled(PDISPATCHER_HEADER Object, PKTHREAD Thread)
{
    if (KiTypeOf(Object) == KiMutantObject)
    {
        return Object->SignalState > 0 || CONTAINING_RECORD(Object, KMUTANT, Header)->OwnerThread == Thread;
    }
    return Object->SignalState > 0;
}

/* The side effect of a wait that ends: auto-reset, count, ownership. */
VOID KiSatisfy(PDISPATCHER_HEADER Object, PKTHREAD Thread, LONG_PTR *Status)
{
    switch (KiTypeOf(Object))
    {
    case KiEventSynchronization:
    case KiTimerSynchronization:
    case KiGateObject:
        Object->SignalState = 0;
        break;
    case KiSemaphoreObject:
        Object->SignalState--;
        break;
    case KiMutantObject:
    {
        PKMUTANT mutant = CONTAINING_RECORD(Object, KMUTANT, Header);

        if (--Object->SignalState == 0)
        {
            Thread->KernelApcDisable -= mutant->ApcDisable;
            mutant->OwnerThread = Thread;
            if (mutant->Abandoned)
            {
                mutant->Abandoned = FALSE;
                *Status |= STATUS_ABANDONED;
            }
            InsertHeadList(&Thread->MutantListHead, &mutant->MutantListEntry);
        }
        break;
    }
    default:
        break;
    }
}

static BOOLEAN KiAllSignalled(PKTHREAD Thread)
{
    for (PKWAIT_BLOCK block = Thread->WaitBlockList; block != NULL; block = block->NextWaitBlock)
    {
        if (!KiIsSignalled(block->Object, Thread))
        {
            return FALSE;
        }
    }
    return TRUE;
}

static VOID KiSatisfyAll(PKTHREAD Thread, LONG_PTR *Status)
{
    for (PKWAIT_BLOCK block = Thread->WaitBlockList; block != NULL; block = block->NextWaitBlock)
    {
        KiSatisfy(block->Object, Thread, Status);
    }
}

VOID KiLinkWaitBlock(PKWAIT_BLOCK Block, PKTHREAD Thread, PDISPATCHER_HEADER Object, USHORT Key, UCHAR Type)
{
    Block->Thread = Thread;
    Block->Object = Object;
    Block->WaitKey = Key;
    Block->WaitType = Type;
    Block->NextWaitBlock = NULL;
    InsertTailList(&Object->WaitListHead, &Block->WaitListEntry);
}

/* Takes a waiting thread off everything it waits for and makes it ready. */
VOID KiUnwaitThread(PKTHREAD Thread, LONG_PTR Status, KPRIORITY Increment)
{
    for (PKWAIT_BLOCK block = Thread->WaitBlockList; block != NULL; block = block->NextWaitBlock)
    {
        RemoveEntryList(&block->WaitListEntry);
    }
    Thread->WaitBlockList = NULL;
    if (Thread->TimerInWait)
    {
        RemoveEntryList(&Thread->WaitBlock[THREAD_WAIT_OBJECTS].WaitListEntry);
        Thread->TimerInWait = FALSE;
        KiRemoveTimer(&Thread->Timer);
    }
    if (Thread->Queue != NULL)
    {
        Thread->Queue->CurrentCount++;
    }
    Thread->WaitStatus = Status;
    if (Increment > 0 && Thread->Priority < LOW_REALTIME_PRIORITY)
    {
        KPRIORITY boosted = Thread->BasePriority + Increment;

        if (boosted >= LOW_REALTIME_PRIORITY)
        {
            boosted = LOW_REALTIME_PRIORITY - 1;
        }
        if (boosted > Thread->Priority)
        {
            Thread->PriorityDecrement = (SCHAR)(boosted - Thread->BasePriority);
            Thread->Priority = (SCHAR)boosted;
        }
    }
    KiReadyThread(Thread);
}

/* Ends the waits that the object's state allows, first come first served. */
VOID KiWaitTest(PDISPATCHER_HEADER Object, KPRIORITY Increment)
{
    PLIST_ENTRY entry = Object->WaitListHead.Flink;

    while (entry != &Object->WaitListHead && Object->SignalState > 0)
    {
        PKWAIT_BLOCK block = CONTAINING_RECORD(entry, KWAIT_BLOCK, WaitListEntry);
        PKTHREAD thread = block->Thread;
        LONG_PTR status = STATUS_WAIT_0;

        entry = entry->Flink;
        if (block->WaitType == WaitAny)
        {
            status = block->WaitKey;
            KiSatisfy(Object, thread, &status);
        }
        else if (KiAllSignalled(thread))
        {
            KiSatisfyAll(thread, &status);
        }
        else
        {
            continue;
        }
        KiUnwaitThread(thread, status, Increment);
        /* The thread may have waited for this object more than once: the next entry may have been its own. */
        entry = Object->WaitListHead.Flink;
    }
}

/* Verifier's rule for a wait at this IRQL (the page of bug check C4); sleeping has no object and its own rule. */
static ULONG KiWaitRule(PVOID Object, PLARGE_INTEGER Timeout, KIRQL Irql)
{
    if (Object == NULL)
    {
        return 0x3B;
    }
    return Irql > DISPATCH_LEVEL ? 0x120 : Timeout == NULL ? 0x121 : 0x122;
}

/**
 * The rule for waits; returns the IRQL: at most APC_LEVEL if they may block, DISPATCH_LEVEL if they only look
 * (time-out zero). Breaches are reported as Verifier does; without it a wait in a DPC is bug check B8, as for a thread
 * that is switched away from there (no other is chosen yet: 0), and the others are A.
 *
 * @param Object  NULL: a sleep
 */
KIRQL KiCheckWaitIrql(PVOID Object, PLARGE_INTEGER Timeout, PVOID Caller)
{
    KIRQL irql = KeGetCurrentIrql();
    PKPRCB prcb;

    if (irql < DISPATCH_LEVEL || (irql == DISPATCH_LEVEL && Timeout != NULL && Timeout->QuadPart == 0))
    {
        return irql;
    }
    prcb = KiPrcb();
    if (VfOption(VfChecks))
    {
        ULONG rule = KiWaitRule(Object, Timeout, irql);

        VfCheck(FALSE, rule, rule == 0x3B ? irql : (ULONG_PTR)&irql, (ULONG_PTR)Object, (ULONG_PTR)Timeout);
    }
    if (prcb->DpcRoutineActive)
    {
        KeBugCheckEx(0xB8, (ULONG_PTR)prcb->CurrentThread, 0, (ULONG_PTR)prcb->CurrentThread->InitialStack, 0);
    }
    KeBugCheckEx(0x0A, (ULONG_PTR)Object, irql, 1, (ULONG_PTR)Caller);
}

/* Takes the dispatcher lock for a wait, unless a KeSetEvent(..., Wait = TRUE) left it held. */
BOOLEAN KiBeginWait(PKTHREAD Thread)
{
    if (Thread->WaitNext)
    {
        Thread->WaitNext = FALSE;
        return Thread->WaitNextOn;
    }
    return KiLockDispatcher();
}

/* What ends an alertable or user-mode wait before it begins. STATUS_SUCCESS: nothing does. */
NTSTATUS KiTestAlert(PKTHREAD Thread, BOOLEAN Alertable, KPROCESSOR_MODE Mode)
{
    if (Alertable)
    {
        if (Thread->Alerted[(int)Mode])
        {
            Thread->Alerted[(int)Mode] = FALSE;
            return STATUS_ALERTED;
        }
        if (Mode == UserMode && !IsListEmpty(&Thread->ApcState.ApcListHead[UserMode]))
        {
            Thread->ApcState.UserApcPending = TRUE;
            return STATUS_USER_APC;
        }
        if (Thread->Alerted[KernelMode])
        {
            Thread->Alerted[KernelMode] = FALSE;
            return STATUS_ALERTED;
        }
    }
    else if (Mode == UserMode && Thread->ApcState.UserApcPending)
    {
        return STATUS_USER_APC;
    }
    return STATUS_SUCCESS;
}

/* Before the lock: relative intervals begin now, however often the wait is interrupted by APCs. */
VOID KiPrepareTimeout(KI_TIMEOUT *Timeout, PLARGE_INTEGER Interval)
{
    RtlZeroMemory(Timeout, sizeof(*Timeout));
    if (Interval == NULL)
    {
        Timeout->Infinite = TRUE;
    }
    else if (Interval->QuadPart == 0)
    {
        Timeout->Poll = TRUE;
    }
    else if (Interval->QuadPart < 0)
    {
        ULONG64 now = KiInterruptTimePrecise();
        ULONG64 length = (ULONG64)0 - (ULONG64)Interval->QuadPart;

        Timeout->Due = now + length;
    }
    else
    {
        Timeout->Absolute = TRUE;
        Timeout->SystemDue = Interval->QuadPart;
    }
}

BOOLEAN KiStartWaitTimer(PKTHREAD Thread, KI_TIMEOUT *Timeout)
{
    PKTIMER timer = &Thread->Timer;

    if (Timeout->Poll)
    {
        return FALSE;
    }
    if (Timeout->Absolute)
    {
        LONG64 due = Timeout->SystemDue - (LONG64)KiSystemTimeOffset();

        if (due <= (LONG64)KiInterruptTimePrecise())
        {
            return FALSE;
        }
        Timeout->Due = (ULONG64)due;
    }
    timer->Header.SignalState = 0;
    timer->Header.Absolute = Timeout->Absolute;
    timer->Dpc = NULL;
    timer->Period = 0;
    if (!KiInsertTimer(timer, Timeout->Due))
    {
        return FALSE;
    }
    KiLinkWaitBlock(&Thread->WaitBlock[THREAD_WAIT_OBJECTS], Thread, &timer->Header, (USHORT)STATUS_TIMEOUT, WaitAny);
    Thread->TimerInWait = TRUE;
    return TRUE;
}

LONG_PTR KiBlock(PKTHREAD Thread, KIRQL Irql, BOOLEAN On, KWAIT_REASON Reason, KPROCESSOR_MODE Mode, BOOLEAN Alertable)
{
    PKPRCB prcb = KiPrcb();
    LONG_PTR status;

    if (Thread == prcb->IdleThread)
    {
        KeBugCheckEx(0xB8, (ULONG_PTR)Thread, 0, (ULONG_PTR)Thread->InitialStack, 0);
    }
    if (VfKillOn)
    {
        VfKillAtWait();
    }
    Thread->WaitReason = (UCHAR)Reason;
    Thread->WaitMode = Mode;
    Thread->Alertable = Alertable;
    Thread->WaitIrql = Irql;
    Thread->WaitTime = (ULONG)(SharedUserData->TickCountQuad);
    Thread->State = ThreadStateWaiting;
    if (Thread->Queue != NULL && Reason != WrQueue)
    {
        KiActivateQueueWaiter(Thread->Queue);
    }
    KiSwitchAway(prcb);
    Thread->Alertable = FALSE;
    status = Thread->WaitStatus;
    KiUnlockDispatcher(On);
    return status;
}
