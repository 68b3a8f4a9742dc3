/* SPDX-License-Identifier: MIT */
/*
 * Deferred procedure calls.
 *
 * One queue per processor, under that processor's DpcLock, taken with interrupts off so that DPCs can be queued at any
 * IRQL. KDPC.DpcData names the processor whose queue the DPC is on; whoever changes it from NULL owns the insertion.
 * DPCs run at DISPATCH_LEVEL on a stack of their own per processor.
 *
 * High importance goes to the head of the queue. Low importance on the own processor does not ask for an interrupt
 * until the queue is KI_LOW_DEPTH deep; the clock tick collects what is left. All others ask at once, on other
 * processors too. Threaded DPCs run as ordinary DPCs, as Windows runs them when threaded DPCs are switched off.
 */
#include "kip.h"
#include "mm.h"

#define KI_LOW_DEPTH 4
#define KI_TARGET_BIAS KI_MAXIMUM_PROCESSORS /* KDPC.Number: 0 the processor that queues it, else bias + number */

VOID KiInitializeDpcQueue(PKPRCB Prcb)
{
    Prcb->DpcLock = 0;
    InitializeListHead(&Prcb->DpcListHead);
    Prcb->DpcQueueDepth = 0;
}

/* Makes a processor look at its DPCs, timers and ready threads as soon as its IRQL allows. Own processor only:
   others get the DPC vector by HalSendIpi. */
VOID KiRequestDispatch(PKPRCB Prcb)
{
    if (!Prcb->DpcInterruptRequested)
    {
        Prcb->DpcInterruptRequested = TRUE;
        HalRequestSoftwareInterrupt(DISPATCH_LEVEL);
    }
}

static VOID KiInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE Routine, PVOID Context, UCHAR Type)
{
    Dpc->Type = Type;
    Dpc->Importance = MediumImportance;
    Dpc->Number = 0;
    Dpc->DeferredRoutine = Routine;
    Dpc->DeferredContext = Context;
    Dpc->DpcData = NULL;
}

/** Makes a DPC in caller's nonpaged memory. IRQL: any. */
VOID NTAPI KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    KiInitializeDpc(Dpc, DeferredRoutine, DeferredContext, KiDpcObject);
}

/** Makes a threaded DPC; it runs as an ordinary one. IRQL: any. */
VOID NTAPI KeInitializeThreadedDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext)
{
    KiInitializeDpc(Dpc, DeferredRoutine, DeferredContext, KiThreadedDpcObject);
}

/** Chooses how urgently the DPC runs. IRQL: any; not while it is queued. */
VOID NTAPI KeSetImportanceDpc(PRKDPC Dpc, KDPC_IMPORTANCE Importance)
{
    Dpc->Importance = (UCHAR)Importance;
}

/** Ties the DPC to a processor. IRQL: any; not while it is queued. */
VOID NTAPI KeSetTargetProcessorDpc(PRKDPC Dpc, CCHAR Number)
{
    Dpc->Number = (USHORT)(KI_TARGET_BIAS + (UCHAR)Number);
}

/** Ties the DPC to a processor. STATUS_INVALID_PARAMETER if there is no such processor. IRQL: any. */
NTSTATUS NTAPI KeSetTargetProcessorDpcEx(PKDPC Dpc, PPROCESSOR_NUMBER ProcNumber)
{
    ULONG index = KeGetProcessorIndexFromNumber(ProcNumber);

    if (index == INVALID_PROCESSOR_INDEX || ProcNumber->Reserved != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    Dpc->Number = (USHORT)(KI_TARGET_BIAS + index);
    return STATUS_SUCCESS;
}

static PKPRCB KiDpcTarget(PRKDPC Dpc)
{
    ULONG number = Dpc->Number;

    if (number >= KI_TARGET_BIAS && number - KI_TARGET_BIAS < KI_MAXIMUM_PROCESSORS &&
        (KiActiveAffinity & ((KAFFINITY)1 << (number - KI_TARGET_BIAS))))
    {
        return &KiProcessors[number - KI_TARGET_BIAS]->Prcb;
    }
    if (number >= KI_TARGET_BIAS)
    {
        KeBugCheckEx(0xC7, 3, (ULONG_PTR)Dpc, number - KI_TARGET_BIAS, KeNumberProcessors);
    }
    return KiPrcb();
}

/**
 * Queues a DPC.
 *
 * @return FALSE if it is queued already; the arguments of the first call stay
 * IRQL: any.
 */
BOOLEAN NTAPI KeInsertQueueDpc(PRKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2)
{
    BOOLEAN enabled = KiDisableInterrupts();
    PKPRCB target = KiDpcTarget(Dpc);
    BOOLEAN inserted = FALSE, ask = FALSE;

    KiAcquireRaw(&target->DpcLock);
    if (InterlockedCompareExchangePointer((PVOID volatile *)&Dpc->DpcData, target, NULL) == NULL)
    {
        Dpc->SystemArgument1 = SystemArgument1;
        Dpc->SystemArgument2 = SystemArgument2;
        if (Dpc->Importance == HighImportance)
        {
            InsertHeadList(&target->DpcListHead, &Dpc->DpcListEntry);
        }
        else
        {
            InsertTailList(&target->DpcListHead, &Dpc->DpcListEntry);
        }
        target->DpcQueueDepth++;
        ask = Dpc->Importance != LowImportance || target->DpcQueueDepth >= KI_LOW_DEPTH || target != KiPrcb();
        inserted = TRUE;
    }
    KiReleaseRaw(&target->DpcLock);
    if (ask)
    {
        if (target == KiPrcb())
        {
            KiRequestDispatch(target);
        }
        else
        {
            HalSendIpi(target->Number, KI_DPC_VECTOR);
        }
    }
    KiRestoreInterrupts(enabled);
    return inserted;
}

/** Takes a DPC off its queue; FALSE if it was on none (it may be running). IRQL: any. */
BOOLEAN NTAPI KeRemoveQueueDpc(PRKDPC Dpc)
{
    BOOLEAN enabled = KiDisableInterrupts();
    BOOLEAN removed = FALSE;
    PKPRCB target;

    while ((target = (PKPRCB)Dpc->DpcData) != NULL)
    {
        KiAcquireRaw(&target->DpcLock);
        if (Dpc->DpcData == target)
        {
            RemoveEntryList(&Dpc->DpcListEntry);
            target->DpcQueueDepth--;
            Dpc->DpcData = NULL;
            removed = TRUE;
        }
        KiReleaseRaw(&target->DpcLock);
        if (removed)
        {
            break;
        }
    }
    KiRestoreInterrupts(enabled);
    return removed;
}

/* Runs what is queued. On the DPC stack, DISPATCH_LEVEL. */
static ULONG_PTR KiRunDpcs(PVOID Argument)
{
    PKPRCB prcb = Argument;

    for (;;)
    {
        PKDEFERRED_ROUTINE routine;
        PVOID context, argument1, argument2;
        ULONG before;
        PKDPC dpc;

        KiDisable();
        KiAcquireRaw(&prcb->DpcLock);
        if (IsListEmpty(&prcb->DpcListHead))
        {
            KiReleaseRaw(&prcb->DpcLock);
            KiEnable();
            return 0;
        }
        dpc = CONTAINING_RECORD(RemoveHeadList(&prcb->DpcListHead), KDPC, DpcListEntry);
        prcb->DpcQueueDepth--;
        routine = dpc->DeferredRoutine;
        context = dpc->DeferredContext;
        argument1 = dpc->SystemArgument1;
        argument2 = dpc->SystemArgument2;
        prcb->CurrentDpc = dpc;
        prcb->CurrentDpcRoutine = (PVOID)routine;
        dpc->DpcData = NULL; /* from here on it may be queued again, or freed by its routine */
        KiReleaseRaw(&prcb->DpcLock);
        KiEnable();
        prcb->DpcCount++;
        if (MmForceIrql)
        {
            MmHidePageable();
        }
        before = prcb->CurrentThread->CombinedApcDisable;
        routine(dpc, context, argument1, argument2);
        if (KeGetCurrentIrql() != DISPATCH_LEVEL)
        {
            KeBugCheckEx(0x08, (ULONG_PTR)routine, KeGetCurrentIrql(), (ULONG_PTR)dpc, 0); /* IRQL_NOT_DISPATCH_LEVEL */
        }
        if (prcb->CurrentThread->CombinedApcDisable != before)
        {
            /* Also for the DPC of a timer, which is queued like any other here: on Windows that is kind 5. */
            KeBugCheckEx(0xC7, 4, (ULONG_PTR)routine, before, prcb->CurrentThread->CombinedApcDisable);
        }
    }
}

/* The DPC interrupt: DPCs, expired timers, then perhaps another thread. DISPATCH_LEVEL, interrupts on. */
VOID KiDispatchInterrupt(VOID)
{
    PKPRCB prcb = KiPrcb();

    do
    {
        prcb->DpcInterruptRequested = TRUE; /* no interrupt is needed for what is queued now */
        prcb->DpcRoutineActive = TRUE;
        if (prcb->TimerRequest)
        {
            prcb->TimerRequest = FALSE;
            KiTimerExpiration();
        }
        if (prcb->DpcQueueDepth != 0)
        {
            KiCallOnStack(KiRunDpcs, prcb, prcb->DpcStack);
        }
        prcb->DpcRoutineActive = FALSE;
        prcb->CurrentDpc = NULL;
        prcb->DpcInterruptRequested = FALSE;
        KiFence();
    } while (prcb->TimerRequest || prcb->DpcQueueDepth != 0);
    if (prcb->QuantumEnd || prcb->Reschedule)
    {
        KiQuantumEnd();
    }
}

BOOLEAN KeIsInDpc(VOID)
{
    /* Below DISPATCH_LEVEL a thread may move between the two reads, but then the answer is FALSE on either processor. */
    return KeGetCurrentIrql() >= DISPATCH_LEVEL && KiPrcb()->DpcRoutineActive;
}

static VOID NTAPI KiFlushDpcRoutine(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    if (InterlockedDecrement((volatile LONG *)Argument1) == 0)
    {
        KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
    }
}

/**
 * Returns when every DPC that was queued on any processor before the call has run.
 * IRQL: PASSIVE_LEVEL.
 */
VOID NTAPI KeFlushQueuedDpcs(VOID)
{
    KDPC dpcs[KI_MAXIMUM_PROCESSORS];
    volatile LONG left = 1;
    KEVENT done;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    for (ULONG i = 0; i < KI_MAXIMUM_PROCESSORS; i++)
    {
        if (KiActiveAffinity & ((KAFFINITY)1 << i))
        {
            /* At the tail of its queue; the ones before it are done when it runs. */
            KeInitializeDpc(&dpcs[i], KiFlushDpcRoutine, &done);
            KeSetTargetProcessorDpc(&dpcs[i], (CCHAR)i);
            InterlockedIncrement(&left);
            KeInsertQueueDpc(&dpcs[i], (PVOID)&left, NULL);
        }
    }
    if (InterlockedDecrement(&left) != 0)
    {
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    }
}

VOID KiCheckForDpc(PVOID Memory, SIZE_T Size)
{
    for (ULONG i = 0; i < KI_MAXIMUM_PROCESSORS; i++)
    {
        PKPRCB prcb;
        BOOLEAN enabled;

        if (!(KiActiveAffinity & ((KAFFINITY)1 << i)))
        {
            continue;
        }
        prcb = &KiProcessors[i]->Prcb;
        if (prcb->DpcQueueDepth == 0)
        {
            continue;
        }
        enabled = KiDisableInterrupts();
        KiAcquireRaw(&prcb->DpcLock);
        for (PLIST_ENTRY entry = prcb->DpcListHead.Flink; entry != &prcb->DpcListHead; entry = entry->Flink)
        {
            PKDPC dpc = CONTAINING_RECORD(entry, KDPC, DpcListEntry);

            if ((ULONG_PTR)dpc - (ULONG_PTR)Memory < Size)
            {
                KiReleaseRaw(&prcb->DpcLock);
                KeBugCheckEx(0xC7, 1, (ULONG_PTR)dpc, (ULONG_PTR)Memory, (ULONG_PTR)Memory + Size);
            }
            if ((ULONG_PTR)dpc->DeferredRoutine - (ULONG_PTR)Memory < Size)
            {
                KiReleaseRaw(&prcb->DpcLock);
                KeBugCheckEx(0xC7, 2, (ULONG_PTR)dpc->DeferredRoutine, (ULONG_PTR)Memory, (ULONG_PTR)Memory + Size);
            }
        }
        KiReleaseRaw(&prcb->DpcLock);
        KiRestoreInterrupts(enabled);
    }
}
