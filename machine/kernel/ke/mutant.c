/* SPDX-License-Identifier: MIT */
/*
 * Mutants, the kernel's mutexes: owned by a thread, recursive, abandoned when the owner ends.
 *
 * SignalState is 1 when free and 1 - depth when owned. A KMUTEX (KeInitializeMutex) also keeps normal kernel
 * APCs from its owner, as entering a critical region does.
 */
#include "kip.h"
#include "vf.h"

VOID KiEndSignal(BOOLEAN On, BOOLEAN Wait);

static VOID KiInitializeMutant(PRKMUTANT Mutant, UCHAR ApcDisable)
{
    Mutant->Header.Lock = 0;
    Mutant->Header.Type = KiMutantObject;
    Mutant->Header.Size = sizeof(KMUTANT) / sizeof(ULONG);
    Mutant->Header.SignalState = 1;
    InitializeListHead(&Mutant->Header.WaitListHead);
    Mutant->OwnerThread = NULL;
    Mutant->Abandoned = FALSE;
    Mutant->ApcDisable = ApcDisable;
}

/** Makes a mutex. Level is not used. IRQL: any. */
VOID NTAPI KeInitializeMutex(PRKMUTEX Mutex, ULONG Level)
{
    VfCheckSynchronization(Mutex, __builtin_return_address(0));
    KiInitializeMutant(Mutex, 1);
}

/** Makes a mutant as programs name them, owned by the caller from the start if InitialOwner. IRQL: <= DISPATCH_LEVEL.
    */
VOID NTAPI KeInitializeMutant(PRKMUTANT Mutant, BOOLEAN InitialOwner)
{
    KiInitializeMutant(Mutant, 0);
    if (InitialOwner)
    {
        PKTHREAD thread = KiCurrentThread();
        BOOLEAN on = KiLockDispatcher();

        Mutant->Header.SignalState = 0;
        Mutant->OwnerThread = thread;
        InsertTailList(&thread->MutantListHead, &Mutant->MutantListEntry);
        KiUnlockDispatcher(on);
    }
}

/**
 * Gives a mutant back, one level of it.
 *
 * @param Abandoned  the owner is gone or gives up: freed whatever the depth, the next waiter is told
 * @return the previous state: 0 means that it was held once
 * Raises STATUS_MUTANT_NOT_OWNED, or STATUS_ABANDONED if it was abandoned before.
 * IRQL: <= DISPATCH_LEVEL; Wait TRUE only <= APC_LEVEL.
 */
LONG NTAPI KeReleaseMutant(PRKMUTANT Mutant, KPRIORITY Increment, BOOLEAN Abandoned, BOOLEAN Wait)
{
    PKTHREAD thread = KiCurrentThread();
    BOOLEAN on = KiLockDispatcher();
    LONG previous = Mutant->Header.SignalState;
    BOOLEAN checkApcs = FALSE;

    if (!Abandoned)
    {
        if (Mutant->OwnerThread != thread)
        {
            NTSTATUS status = Mutant->Abandoned ? STATUS_ABANDONED : STATUS_MUTANT_NOT_OWNED;

            KiUnlockDispatcher(on);
            ExRaiseStatus(status);
        }
        Mutant->Header.SignalState++;
    }
    else
    {
        Mutant->Header.SignalState = 1;
        Mutant->Abandoned = TRUE;
    }
    if (Mutant->Header.SignalState == 1)
    {
        if (previous <= 0)
        {
            RemoveEntryList(&Mutant->MutantListEntry);
            if (Mutant->ApcDisable != 0 && Mutant->OwnerThread != NULL)
            {
                Mutant->OwnerThread->KernelApcDisable++;
                checkApcs = Mutant->OwnerThread == thread;
            }
        }
        Mutant->OwnerThread = NULL;
        if (!IsListEmpty(&Mutant->Header.WaitListHead))
        {
            KiWaitTest(&Mutant->Header, Increment);
        }
    }
    KiEndSignal(on, Wait);
    if (checkApcs && !Wait)
    {
        KiCheckKernelApcs(thread);
    }
    return previous;
}

/** Gives a mutex back. See KeReleaseMutant. */
LONG NTAPI KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait)
{
    return KeReleaseMutant(Mutex, 1, FALSE, Wait);
}

/** 1 free, otherwise 1 - depth. IRQL: any. */
LONG NTAPI KeReadStateMutant(PRKMUTANT Mutant)
{
    return *(volatile LONG *)&Mutant->Header.SignalState;
}

/** As KeReadStateMutant. */
LONG NTAPI KeReadStateMutex(PRKMUTEX Mutex)
{
    return *(volatile LONG *)&Mutex->Header.SignalState;
}

/**
 * The running thread ends: its mutants are abandoned. A mutex of kernel code still held is a fault of that code
 * (bug check D, MUTEX_ALREADY_OWNED's neighbour THREAD_TERMINATE_HELD_MUTEX 4000008A).
 * IRQL: PASSIVE_LEVEL or APC_LEVEL.
 */
VOID KeRundownThread(VOID)
{
    PKTHREAD thread = KiCurrentThread();
    BOOLEAN on;

    VfThreadEnds();
    on = KiLockDispatcher();
    while (!IsListEmpty(&thread->MutantListHead))
    {
        PKMUTANT mutant = CONTAINING_RECORD(thread->MutantListHead.Flink, KMUTANT, MutantListEntry);

        if (mutant->ApcDisable != 0)
        {
            KeBugCheckEx(0x4000008A, (ULONG_PTR)thread, (ULONG_PTR)mutant, 0, 0);
        }
        RemoveEntryList(&mutant->MutantListEntry);
        mutant->Header.SignalState = 1;
        mutant->Abandoned = TRUE;
        mutant->OwnerThread = NULL;
        KiWaitTest(&mutant->Header, 1);
    }
    KiUnlockDispatcher(on);
}

