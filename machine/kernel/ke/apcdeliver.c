/* SPDX-License-Identifier: MIT */
/*
 * Running APCs, and alerts.
 */
#include "kip.h"

/* Unlinks the first APC of a queue. Lock held. */
static VOID KiTake(PKAPC Apc)
{
    RemoveEntryList(&Apc->ApcListEntry);
    Apc->Inserted = FALSE;
}

static VOID KiCheckApcIrql(PKAPC Apc, PKKERNEL_ROUTINE Routine, PKNORMAL_ROUTINE Normal, KIRQL Expected)
{
    if (KeGetCurrentIrql() != Expected)
    {
        KeBugCheckEx(0xC8, ((ULONG_PTR)KeGetCurrentIrql() << 16) | ((ULONG_PTR)Expected << 8), (ULONG_PTR)Routine,
                     (ULONG_PTR)Apc, (ULONG_PTR)Normal);
    }
}

/* One kernel APC of the current thread; FALSE when none may run. APC_LEVEL. */
static BOOLEAN KiDeliverKernelApc(PKTHREAD Thread)
{
    PLIST_ENTRY head = &Thread->ApcState.ApcListHead[KernelMode];
    PKKERNEL_ROUTINE kernelRoutine;
    PKNORMAL_ROUTINE normalRoutine;
    PVOID normalContext, argument1, argument2;
    PKAPC apc;
    BOOLEAN on = KiLockDispatcher();

    Thread->ApcState.KernelApcPending = FALSE;
    if (IsListEmpty(head))
    {
        KiUnlockDispatcher(on);
        return FALSE;
    }
    apc = CONTAINING_RECORD(head->Flink, KAPC, ApcListEntry);
    if (apc->NormalRoutine != NULL && (Thread->ApcState.KernelApcInProgress || Thread->KernelApcDisable != 0))
    {
        KiUnlockDispatcher(on);
        return FALSE;
    }
    KiTake(apc);
    kernelRoutine = apc->KernelRoutine;
    normalRoutine = apc->NormalRoutine;
    normalContext = apc->NormalContext;
    argument1 = apc->SystemArgument1;
    argument2 = apc->SystemArgument2;
    KiUnlockDispatcher(on);

    kernelRoutine(apc, &normalRoutine, &normalContext, &argument1, &argument2); /* may free the APC */
    KiCheckApcIrql(apc, kernelRoutine, normalRoutine, APC_LEVEL);
    if (normalRoutine != NULL)
    {
        Thread->ApcState.KernelApcInProgress = TRUE;
        KeLowerIrql(PASSIVE_LEVEL);
        normalRoutine(normalContext, argument1, argument2);
        KfRaiseIrql(APC_LEVEL);
        Thread->ApcState.KernelApcInProgress = FALSE;
    }
    return TRUE;
}

static VOID KiDeliverUserApc(PKTHREAD Thread, PKTRAP_FRAME Frame)
{
    PLIST_ENTRY head = &Thread->ApcState.ApcListHead[UserMode];
    PKNORMAL_ROUTINE normalRoutine;
    PVOID normalContext, argument1, argument2;
    PKAPC apc;
    BOOLEAN on = KiLockDispatcher();

    Thread->ApcState.UserApcPending = FALSE;
    if (IsListEmpty(head))
    {
        KiUnlockDispatcher(on);
        return;
    }
    apc = CONTAINING_RECORD(head->Flink, KAPC, ApcListEntry);
    KiTake(apc);
    normalRoutine = apc->NormalRoutine;
    normalContext = apc->NormalContext;
    argument1 = apc->SystemArgument1;
    argument2 = apc->SystemArgument2;
    KiUnlockDispatcher(on);

    apc->KernelRoutine(apc, &normalRoutine, &normalContext, &argument1, &argument2);
    if (normalRoutine == NULL)
    {
        KeTestAlertThread(UserMode); /* the next one, if there is one */
    }
    else
    {
        KiInitializeUserApc(Frame, normalRoutine, normalContext, argument1, argument2);
    }
}

/* Delivers kernel APCs, and one user APC if Mode is UserMode and one is due. APC_LEVEL, interrupts on. */
VOID KiDeliverApc(KPROCESSOR_MODE Mode, PKTRAP_FRAME Frame)
{
    PKTHREAD thread = KiCurrentThread();
    PKPROCESS process = thread->ApcState.Process;

    if (thread->SpecialApcDisable == 0)
    {
        while (KiDeliverKernelApc(thread))
        {
            if (thread->ApcState.Process != process)
            {
                KeBugCheckEx(0x05, (ULONG_PTR)process, (ULONG_PTR)thread->ApcState.Process, thread->ApcStateIndex,
                             KiPrcb()->DpcRoutineActive);
            }
        }
        if (Mode == UserMode && thread->ApcState.UserApcPending)
        {
            KiDeliverUserApc(thread, Frame);
        }
    }
}

/**
 * Alerts a thread: ends an alertable wait of that mode, or the next one before it begins.
 *
 * @return whether it had been alerted already
 * IRQL: <= DISPATCH_LEVEL.
 */
BOOLEAN KeAlertThread(PKTHREAD Thread, KPROCESSOR_MODE Mode)
{
    BOOLEAN on = KiLockDispatcher();
    BOOLEAN previous = Thread->Alerted[(int)Mode];

    if (!previous)
    {
        if (Thread->State == ThreadStateWaiting && Thread->Alertable && Mode <= Thread->WaitMode)
        {
            KiUnwaitThread(Thread, STATUS_ALERTED, 1);
        }
        else
        {
            Thread->Alerted[(int)Mode] = TRUE;
        }
    }
    KiUnlockDispatcher(on);
    return previous;
}

/**
 * Takes back an alert of the running thread; if a user APC waits, it is made due at the return to user mode.
 *
 * @return whether it was alerted
 * IRQL: <= DISPATCH_LEVEL.
 */
BOOLEAN KeTestAlertThread(KPROCESSOR_MODE Mode)
{
    PKTHREAD thread = KiCurrentThread();
    BOOLEAN on = KiLockDispatcher();
    BOOLEAN alerted = thread->Alerted[(int)Mode];

    if (alerted)
    {
        thread->Alerted[(int)Mode] = FALSE;
    }
    else if (Mode == UserMode && !IsListEmpty(&thread->ApcState.ApcListHead[UserMode]))
    {
        thread->ApcState.UserApcPending = TRUE;
    }
    KiUnlockDispatcher(on);
    return alerted;
}
