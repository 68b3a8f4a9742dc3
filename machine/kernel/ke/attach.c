/* SPDX-License-Identifier: MIT */
/*
 * A thread in another process's address space.
 *
 * The home process's APC queues are set aside in KTHREAD.SavedApcState by the first attach, in the caller's
 * KAPC_STATE by nested ones. In a KAPC_STATE, Process says what detach has to do: 1 nothing (it was there already),
 * NULL go home, else back to that process.
 */
#include "kip.h"

#define KI_ATTACH_NOTHING ((PKPROCESS)1)

/* Both lists are moved; the heads are where the entries point back to. Lock held. */
static VOID KiMoveApcState(PKAPC_STATE From, PKAPC_STATE To)
{
    *To = *From;
    for (int mode = KernelMode; mode < MaximumMode; mode++)
    {
        if (IsListEmpty(&From->ApcListHead[mode]))
        {
            InitializeListHead(&To->ApcListHead[mode]);
        }
        else
        {
            To->ApcListHead[mode].Flink->Blink = &To->ApcListHead[mode];
            To->ApcListHead[mode].Blink->Flink = &To->ApcListHead[mode];
        }
    }
}

static VOID KiAttach(PKTHREAD Thread, PKPROCESS Process, PKAPC_STATE Save)
{
    PKPROCESS from = Thread->ApcState.Process;

    KiMoveApcState(&Thread->ApcState, Save);
    KiInitializeApcState(&Thread->ApcState, Process);
    if (Save == &Thread->SavedApcState)
    {
        Thread->ApcStateIndex = 1;
    }
    Thread->AttachCount++;
    KiSwapProcess(from, Process);
}

/**
 * Moves the running thread into a process's address space until KeUnstackDetachProcess.
 *
 * @param ApcState  caller's; for the matching detach
 * Bug check 5 in a DPC. The process must not be deleted meanwhile: the caller holds a reference.
 * IRQL: <= APC_LEVEL.
 */
VOID NTAPI KeStackAttachProcess(PKPROCESS Process, PKAPC_STATE ApcState)
{
    PKTHREAD thread = KiCurrentThread();
    BOOLEAN on;

    if (KeIsInDpc() || KeGetCurrentIrql() > DISPATCH_LEVEL)
    {
        KeBugCheckEx(0x05, (ULONG_PTR)Process, (ULONG_PTR)thread->ApcState.Process, thread->ApcStateIndex,
                     KeIsInDpc());
    }
    on = KiLockDispatcher();
    if (thread->ApcState.Process == Process)
    {
        ApcState->Process = KI_ATTACH_NOTHING;
    }
    else if (thread->ApcStateIndex != 0)
    {
        KiAttach(thread, Process, ApcState);
    }
    else
    {
        KiAttach(thread, Process, &thread->SavedApcState);
        ApcState->Process = NULL;
    }
    KiUnlockDispatcher(on);
}

/* Kernel APCs of the process we are leaving are delivered first. Returns with the lock held. */
static BOOLEAN KiDrainForDetach(PKTHREAD Thread)
{
    for (;;)
    {
        BOOLEAN on = KiLockDispatcher();

        if (!Thread->ApcState.KernelApcPending || KeGetCurrentIrql() >= APC_LEVEL || Thread->SpecialApcDisable != 0)
        {
            return on;
        }
        KiUnlockDispatcher(on);
        KiCheckKernelApcs(Thread);
    }
}

static VOID KiDetach(PKTHREAD Thread, PKAPC_STATE Save)
{
    PKPROCESS from = Thread->ApcState.Process;

    if (Thread->ApcStateIndex == 0 || Thread->ApcState.KernelApcInProgress ||
        !IsListEmpty(&Thread->ApcState.ApcListHead[KernelMode]) ||
        !IsListEmpty(&Thread->ApcState.ApcListHead[UserMode]))
    {
        KeBugCheckEx(0x06, (ULONG_PTR)from, (ULONG_PTR)Thread->Process, Thread->ApcStateIndex,
                     Thread->ApcState.KernelApcInProgress);
    }
    KiMoveApcState(Save, &Thread->ApcState);
    if (Save == &Thread->SavedApcState)
    {
        Thread->ApcStateIndex = 0;
    }
    Thread->AttachCount--;
    KiSwapProcess(from, Thread->ApcState.Process);
    if (!IsListEmpty(&Thread->ApcState.ApcListHead[KernelMode]))
    {
        Thread->ApcState.KernelApcPending = TRUE;
        HalRequestSoftwareInterrupt(APC_LEVEL);
    }
}

/** Undoes KeStackAttachProcess. Bug check 6 if the thread is not attached, or inside an APC. IRQL: <= APC_LEVEL. */
VOID NTAPI KeUnstackDetachProcess(PKAPC_STATE ApcState)
{
    PKTHREAD thread = KiCurrentThread();
    BOOLEAN on;

    if (ApcState->Process == KI_ATTACH_NOTHING)
    {
        return;
    }
    on = KiDrainForDetach(thread);
    KiDetach(thread, ApcState->Process != NULL ? ApcState : &thread->SavedApcState);
    KiUnlockDispatcher(on);
}

/** The older attach: one level only. Bug check 5 if the thread is attached elsewhere, or in a DPC. IRQL: <= APC_LEVEL.
    */
VOID NTAPI KeAttachProcess(PKPROCESS Process)
{
    PKTHREAD thread = KiCurrentThread();
    BOOLEAN on;

    if (thread->ApcState.Process == Process)
    {
        return;
    }
    if (thread->ApcStateIndex != 0 || KeIsInDpc())
    {
        KeBugCheckEx(0x05, (ULONG_PTR)Process, (ULONG_PTR)thread->ApcState.Process, thread->ApcStateIndex,
                     KeIsInDpc());
    }
    on = KiLockDispatcher();
    KiAttach(thread, Process, &thread->SavedApcState);
    KiUnlockDispatcher(on);
}

/** Undoes KeAttachProcess; does nothing in the home process. IRQL: <= APC_LEVEL. */
VOID NTAPI KeDetachProcess(VOID)
{
    PKTHREAD thread = KiCurrentThread();
    BOOLEAN on;

    if (thread->ApcStateIndex == 0)
    {
        return;
    }
    on = KiDrainForDetach(thread);
    KiDetach(thread, &thread->SavedApcState);
    KiUnlockDispatcher(on);
}

/** TRUE if the running thread is attached to a process other than its own. IRQL: any. */
BOOLEAN NTAPI KeIsAttachedProcess(VOID)
{
    return KiCurrentThread()->ApcStateIndex != 0;
}
