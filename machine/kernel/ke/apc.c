/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous procedure calls: making, queueing, keeping away.
 *
 *   special kernel APC   no normal routine; its kernel routine runs at APC_LEVEL. Kept away by a guarded region and
 *                        by IRQL >= APC_LEVEL
 *   normal kernel APC    kernel routine at APC_LEVEL, then the normal routine at PASSIVE_LEVEL; one at a time.
 *                        Kept away by a critical region as well
 *   user APC             runs in user mode, at an alertable wait of UserMode or when NtContinue / NtTestAlert ask.
 *                        A forced one (KeInsertForcedUserApc, for PS to end threads) comes before the others and
 *                        does not wait to be asked for
 *
 * The queues are under the dispatcher lock. A thread attached to another process has two sets: those of its home
 * process (OriginalApcEnvironment) wait in SavedApcState until it detaches.
 */
#include "kip.h"
#include "vf.h"

VOID KiInitializeApcState(PKAPC_STATE State, PKPROCESS Process)
{
    InitializeListHead(&State->ApcListHead[KernelMode]);
    InitializeListHead(&State->ApcListHead[UserMode]);
    State->Process = Process;
    State->KernelApcInProgress = FALSE;
    State->KernelApcPending = FALSE;
    State->UserApcPending = FALSE;
}

/**
 * Makes an APC in caller's nonpaged memory.
 *
 * @param Environment      which process the thread must be in when it runs
 * @param RundownRoutine   called instead if the thread ends first; NULL: the memory is freed as pool
 * @param NormalRoutine    NULL: a special kernel APC, Mode and NormalContext are not used
 * IRQL: any.
 */
VOID KeInitializeApc(PKAPC Apc, PKTHREAD Thread, KAPC_ENVIRONMENT Environment, PKKERNEL_ROUTINE KernelRoutine,
                     PKRUNDOWN_ROUTINE RundownRoutine, PKNORMAL_ROUTINE NormalRoutine, KPROCESSOR_MODE Mode,
                     PVOID NormalContext)
{
    RtlZeroMemory(Apc, sizeof(*Apc));
    Apc->Type = KiApcObject;
    Apc->Size = sizeof(KAPC);
    Apc->Thread = Thread;
    Apc->ApcStateIndex = (CCHAR)(Environment == CurrentApcEnvironment ? Thread->ApcStateIndex : Environment);
    Apc->KernelRoutine = KernelRoutine;
    Apc->RundownRoutine = RundownRoutine;
    Apc->NormalRoutine = NormalRoutine;
    Apc->ApcMode = NormalRoutine != NULL ? Mode : KernelMode;
    Apc->NormalContext = NormalRoutine != NULL ? NormalContext : NULL;
}

/* Special kernel APCs go before the normal ones, each kind in order. */
static VOID KiQueueApc(PKAPC Apc, PKAPC_STATE State)
{
    PLIST_ENTRY head = &State->ApcListHead[(int)Apc->ApcMode];
    PLIST_ENTRY place = head->Blink;

    if (Apc->NormalRoutine == NULL)
    {
        for (place = head; place->Flink != head; place = place->Flink)
        {
            if (CONTAINING_RECORD(place->Flink, KAPC, ApcListEntry)->NormalRoutine != NULL)
            {
                break;
            }
        }
    }
    InsertHeadList(place, &Apc->ApcListEntry);
}

static VOID KiWakeForKernelApc(PKAPC Apc, PKTHREAD Thread, KPRIORITY Increment)
{
    Thread->ApcState.KernelApcPending = TRUE;
    if (Thread->State == ThreadStateRunning)
    {
        ULONG number = Thread->NextProcessor;

        if (number == KiPrcb()->Number)
        {
            HalRequestSoftwareInterrupt(APC_LEVEL);
        }
        else
        {
            HalSendIpi(number, KI_APC_VECTOR);
        }
    }
    else if (Thread->State == ThreadStateWaiting && Thread->WaitIrql == PASSIVE_LEVEL &&
             Thread->SpecialApcDisable == 0 &&
             (Apc->NormalRoutine == NULL ||
              (Thread->KernelApcDisable == 0 && !Thread->ApcState.KernelApcInProgress)))
    {
        KiUnwaitThread(Thread, STATUS_KERNEL_APC, Increment);
    }
}

/* Dispatcher lock held. */
BOOLEAN KiInsertApcLocked(PKAPC Apc, KPRIORITY Increment)
{
    PKTHREAD thread = Apc->Thread;
    PKAPC_STATE state = &thread->ApcState;

    if (Apc->Inserted || !thread->ApcQueueable)
    {
        return FALSE;
    }
    if (Apc->ApcStateIndex == InsertApcEnvironment)
    {
        Apc->ApcStateIndex = (CCHAR)thread->ApcStateIndex;
    }
    if (Apc->ApcStateIndex != thread->ApcStateIndex)
    {
        state = &thread->SavedApcState;
    }
    Apc->Inserted = TRUE;
    KiQueueApc(Apc, state);
    if (state != &thread->ApcState)
    {
        return TRUE; /* seen when the thread detaches */
    }
    if (Apc->ApcMode == KernelMode)
    {
        KiWakeForKernelApc(Apc, thread, Increment);
    }
    else if (thread->State == ThreadStateWaiting && thread->WaitMode == UserMode &&
             (thread->Alertable || thread->ApcState.UserApcPending))
    {
        thread->ApcState.UserApcPending = TRUE;
        KiUnwaitThread(thread, STATUS_USER_APC, Increment);
    }
    return TRUE;
}

/**
 * Queues an APC to its thread.
 *
 * @return FALSE if it is queued already or the thread takes none any more
 * IRQL: <= DISPATCH_LEVEL.
 */
BOOLEAN KeInsertQueueApc(PKAPC Apc, PVOID Argument1, PVOID Argument2, KPRIORITY Increment)
{
    BOOLEAN on = KiLockDispatcher();
    BOOLEAN inserted;

    if (!Apc->Inserted)
    {
        Apc->SystemArgument1 = Argument1;
        Apc->SystemArgument2 = Argument2;
    }
    inserted = KiInsertApcLocked(Apc, Increment);
    KiUnlockDispatcher(on);
    return inserted;
}

/* Described in ke.h. */
BOOLEAN KeInsertForcedUserApc(PKAPC Apc, PVOID Argument1, PVOID Argument2)
{
    BOOLEAN on = KiLockDispatcher();
    PKTHREAD thread = Apc->Thread;
    BOOLEAN inserted = FALSE;

    if (!Apc->Inserted && thread->ApcQueueable)
    {
        PKAPC_STATE state = thread->ApcStateIndex == 0 ? &thread->ApcState : &thread->SavedApcState;

        Apc->ApcStateIndex = OriginalApcEnvironment;
        Apc->ApcMode = UserMode;
        Apc->SystemArgument1 = Argument1;
        Apc->SystemArgument2 = Argument2;
        Apc->Inserted = TRUE;
        InsertHeadList(&state->ApcListHead[UserMode], &Apc->ApcListEntry);
        state->UserApcPending = TRUE;
        if (state == &thread->ApcState && thread->State == ThreadStateWaiting && thread->WaitMode == UserMode)
        {
            KiUnwaitThread(thread, STATUS_USER_APC, 2);
        }
        else if (thread->State == ThreadStateRunning && thread->NextProcessor != KiPrcb()->Number)
        {
            HalSendIpi(thread->NextProcessor, KI_APC_VECTOR); /* out of user mode, and back through KiExitToUser */
        }
        inserted = TRUE;
    }
    KiUnlockDispatcher(on);
    return inserted;
}

/** Takes a queued APC back; FALSE if it was not queued. IRQL: <= DISPATCH_LEVEL. */
BOOLEAN NTAPI KeRemoveQueueApc(PKAPC Apc)
{
    BOOLEAN on = KiLockDispatcher();
    BOOLEAN inserted = Apc->Inserted;

    if (inserted)
    {
        Apc->Inserted = FALSE;
        RemoveEntryList(&Apc->ApcListEntry);
    }
    KiUnlockDispatcher(on);
    return inserted;
}

static VOID KiRundownApcs(PLIST_ENTRY Head)
{
    for (;;)
    {
        BOOLEAN on = KiLockDispatcher();
        PKAPC apc = NULL;

        if (!IsListEmpty(Head))
        {
            apc = CONTAINING_RECORD(RemoveHeadList(Head), KAPC, ApcListEntry);
            apc->Inserted = FALSE;
        }
        KiUnlockDispatcher(on);
        if (apc == NULL)
        {
            return;
        }
        if (apc->RundownRoutine != NULL)
        {
            apc->RundownRoutine(apc);
        }
        else
        {
            ExFreePool(apc);
        }
    }
}

/**
 * The thread ends: no APC is taken any more, those queued are run down. Called by the thread itself, not attached.
 * IRQL: PASSIVE_LEVEL or APC_LEVEL.
 */
VOID KeFlushQueueApcs(PKTHREAD Thread)
{
    BOOLEAN on = KiLockDispatcher();

    Thread->ApcQueueable = FALSE;
    Thread->ApcState.UserApcPending = FALSE;
    KiUnlockDispatcher(on);
    KiRundownApcs(&Thread->ApcState.ApcListHead[UserMode]);
    KiRundownApcs(&Thread->ApcState.ApcListHead[KernelMode]);
}

/* ---- keeping APCs away ---- */

/* After the counts fell or a queue changed: has the current thread APCs that may run now? Then run them, or ask for
   the interrupt if the IRQL is too high for it here. */
VOID KiCheckKernelApcs(PKTHREAD Thread)
{
    if (IsListEmpty(&Thread->ApcState.ApcListHead[KernelMode]) || Thread->SpecialApcDisable != 0)
    {
        return;
    }
    if (KeGetCurrentIrql() == PASSIVE_LEVEL)
    {
        KIRQL old = KfRaiseIrql(APC_LEVEL);

        KiDeliverApc(KernelMode, NULL);
        KeLowerIrql(old);
    }
    else
    {
        Thread->ApcState.KernelApcPending = TRUE;
        HalRequestSoftwareInterrupt(APC_LEVEL);
    }
}

static inline VOID KiCheckRegionIrql(ULONG Rule)
{
    KIRQL irql = KeGetCurrentIrql();

    if (irql > APC_LEVEL)
    {
        VfCheck(FALSE, Rule, irql, 0, 0);
    }
}

/** No normal kernel APCs for this thread until KeLeaveCriticalRegion; counts. C4, 11A. IRQL: <= APC_LEVEL. */
VOID NTAPI KeEnterCriticalRegion(VOID)
{
    KiCheckRegionIrql(0x11A);
    KiCurrentThread()->KernelApcDisable--;
}

/** Undoes one KeEnterCriticalRegion; C4, 3E without one, and 11B. IRQL: <= APC_LEVEL. */
VOID NTAPI KeLeaveCriticalRegion(VOID)
{
    PKTHREAD thread = KiCurrentThread();

    KiCheckRegionIrql(0x11B);
    VfCheck(thread->KernelApcDisable < 0, 0x3E, 0, 0, 0);
    if (++thread->KernelApcDisable == 0)
    {
        KiCheckKernelApcs(thread);
    }
}

/** No kernel APCs at all for this thread until KeLeaveGuardedRegion; counts. IRQL: <= APC_LEVEL. */
VOID NTAPI KeEnterGuardedRegion(VOID)
{
    KiCurrentThread()->SpecialApcDisable--;
}

/** Undoes one KeEnterGuardedRegion. IRQL: <= APC_LEVEL. */
VOID NTAPI KeLeaveGuardedRegion(VOID)
{
    PKTHREAD thread = KiCurrentThread();

    if (++thread->SpecialApcDisable == 0)
    {
        KiCheckKernelApcs(thread);
    }
}

/** TRUE inside a critical or guarded region, or at IRQL >= APC_LEVEL: normal kernel APCs don't come. */
BOOLEAN NTAPI KeAreApcsDisabled(VOID)
{
    return KiCurrentThread()->CombinedApcDisable != 0;
}

/** TRUE if no kernel APC at all can come. */
BOOLEAN NTAPI KeAreAllApcsDisabled(VOID)
{
    return KiCurrentThread()->SpecialApcDisable != 0 || KeGetCurrentIrql() >= APC_LEVEL;
}
