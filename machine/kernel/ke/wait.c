/* SPDX-License-Identifier: MIT */
/*
 * Waiting for objects and for time.
 *
 * A wait goes round this loop: under the dispatcher lock see whether it need not block (objects, alerts, user APCs,
 * time-out); else put a wait block on each object, and perhaps the thread's timer, and give the processor away.
 * Whoever signals takes the blocks off and says with which status. A kernel APC wakes the thread with
 * STATUS_KERNEL_APC: the APC runs as the IRQL drops, and the loop begins again with the time that is left.
 */
#include "kip.h"
#include "vf.h"

/* A kernel APC was queued after the lock was taken: run it first, for once the thread sleeps nobody will interrupt
   it. */
static BOOLEAN KiKernelApcWaits(PKTHREAD Thread, KIRQL Irql)
{
    return Thread->ApcState.KernelApcPending && Thread->SpecialApcDisable == 0 && Irql < APC_LEVEL;
}

static VOID KiCheckMutantLimit(PDISPATCHER_HEADER Object, PKTHREAD Thread, BOOLEAN On)
{
    if ((Object->Type & 0x7F) == KiMutantObject && Object->SignalState == (LONG)MINLONG &&
        CONTAINING_RECORD(Object, KMUTANT, Header)->OwnerThread == Thread)
    {
        KiUnlockDispatcher(On);
        ExRaiseStatus(STATUS_MUTANT_LIMIT_EXCEEDED);
    }
}

/* The stack of a thread that waits in user mode may be paged out, and with it the object: Verifier's rule 123. */
static VOID KiCheckWaitStack(PKTHREAD Thread, PVOID Object, PVOID Caller)
{
    if ((ULONG_PTR)Object >= (ULONG_PTR)Thread->StackLimit && (ULONG_PTR)Object < (ULONG_PTR)Thread->StackBase &&
        VfIsChecked(Caller))
    {
        VfCheck(FALSE, 0x123, (ULONG_PTR)Object, 0, 0);
    }
}

/**
 * Waits for one object.
 *
 * @param Object      event, mutant, semaphore, timer, thread, process: nonpaged memory
 * @param WaitReason  for display
 * @param WaitMode    UserMode: a user APC or the end of the thread may cut the wait short
 * @param Alertable   alerts and user APCs (in UserMode) cut it short
 * @param Timeout     100 ns units; NULL forever, 0 only look, negative from now, positive a system time
 * @return STATUS_WAIT_0, STATUS_ABANDONED_WAIT_0, STATUS_TIMEOUT, STATUS_ALERTED, STATUS_USER_APC
 * Raises STATUS_MUTANT_LIMIT_EXCEEDED. IRQL: <= APC_LEVEL, DISPATCH_LEVEL with a zero time-out.
 */
NTSTATUS NTAPI KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                     PLARGE_INTEGER Timeout)
{
    PKTHREAD thread = KiCurrentThread();
    PDISPATCHER_HEADER object = Object;
    PKWAIT_BLOCK block = &thread->WaitBlock[0];
    KI_TIMEOUT timeout;
    LONG_PTR status;
    KIRQL irql;

    irql = KiCheckWaitIrql(Object, Timeout, __builtin_return_address(0));
    if (WaitMode == UserMode)
    {
        KiCheckWaitStack(thread, Object, __builtin_return_address(0));
    }
    KiPrepareTimeout(&timeout, Timeout);
    do
    {
        BOOLEAN on = KiBeginWait(thread);

        if (KiKernelApcWaits(thread, irql))
        {
            KiUnlockDispatcher(on);
            status = STATUS_KERNEL_APC;
            continue;
        }
        if (KiIsSignalled(object, thread))
        {
            KiCheckMutantLimit(object, thread, on);
            status = STATUS_WAIT_0;
            KiSatisfy(object, thread, &status);
            KiUnlockDispatcher(on);
            break;
        }
        status = KiTestAlert(thread, Alertable, WaitMode);
        if (status == STATUS_SUCCESS && !timeout.Infinite && !KiStartWaitTimer(thread, &timeout))
        {
            status = STATUS_TIMEOUT;
        }
        if (status != STATUS_SUCCESS)
        {
            KiUnlockDispatcher(on);
            break;
        }
        KiLinkWaitBlock(block, thread, object, 0, WaitAny);
        thread->WaitBlockList = block;
        thread->WaitType = WaitAny;
        status = KiBlock(thread, irql, on, WaitReason, WaitMode, Alertable);
    } while (status == STATUS_KERNEL_APC);
    return (NTSTATUS)status;
}

/* Looks at all objects. TRUE: the wait is over with *Status. */
static BOOLEAN KiTryMultiple(ULONG Count, PVOID Objects[], WAIT_TYPE Type, PKTHREAD Thread, BOOLEAN On,
                             LONG_PTR *Status)
{
    ULONG signalled = 0;

    for (ULONG i = 0; i < Count; i++)
    {
        PDISPATCHER_HEADER object = Objects[i];

        if (!KiIsSignalled(object, Thread))
        {
            continue;
        }
        KiCheckMutantLimit(object, Thread, On);
        if (Type == WaitAny)
        {
            *Status = STATUS_WAIT_0 + i;
            KiSatisfy(object, Thread, Status);
            return TRUE;
        }
        signalled++;
    }
    if (Type == WaitAny || signalled != Count)
    {
        return FALSE;
    }
    *Status = STATUS_WAIT_0;
    for (ULONG i = 0; i < Count; i++)
    {
        KiSatisfy(Objects[i], Thread, Status);
    }
    return TRUE;
}

static VOID KiLinkMultiple(ULONG Count, PVOID Objects[], WAIT_TYPE Type, PKTHREAD Thread, PKWAIT_BLOCK Blocks)
{
    for (ULONG i = 0; i < Count; i++)
    {
        KiLinkWaitBlock(&Blocks[i], Thread, Objects[i], (USHORT)i, (UCHAR)Type);
        Blocks[i].NextWaitBlock = i + 1 < Count ? &Blocks[i + 1] : NULL;
    }
    Thread->WaitBlockList = Blocks;
    Thread->WaitType = (UCHAR)Type;
}

/**
 * Waits for any or all of several objects.
 *
 * @param Count           1 .. THREAD_WAIT_OBJECTS, or MAXIMUM_WAIT_OBJECTS with a WaitBlockArray; else bug check C
 * @param WaitType        WaitAny: the first one signalled, by index; WaitAll: nothing is taken until all can be
 * @param WaitBlockArray  Count blocks of nonpaged memory that live as long as the wait, or NULL
 * @return STATUS_WAIT_0 + index, STATUS_ABANDONED_WAIT_0 + index (WaitAll: index 0), STATUS_TIMEOUT, STATUS_ALERTED,
 *         STATUS_USER_APC
 * Other parameters, raising and IRQL as KeWaitForSingleObject.
 */
NTSTATUS NTAPI KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason,
                                        KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                                        PKWAIT_BLOCK WaitBlockArray)
{
    PKTHREAD thread = KiCurrentThread();
    PKWAIT_BLOCK blocks = WaitBlockArray != NULL ? WaitBlockArray : thread->WaitBlock;
    KI_TIMEOUT timeout;
    LONG_PTR status;
    KIRQL irql;

    if (Count == 0 || Count > (WaitBlockArray != NULL ? MAXIMUM_WAIT_OBJECTS : THREAD_WAIT_OBJECTS))
    {
        KeBugCheck(0x0C); /* MAXIMUM_WAIT_OBJECTS_EXCEEDED */
    }
    irql = KiCheckWaitIrql(Object[0], Timeout, __builtin_return_address(0));
    for (ULONG i = 0; i < Count && WaitMode == UserMode; i++)
    {
        KiCheckWaitStack(thread, Object[i], __builtin_return_address(0));
    }
    KiPrepareTimeout(&timeout, Timeout);
    do
    {
        BOOLEAN on = KiBeginWait(thread);

        if (KiKernelApcWaits(thread, irql))
        {
            KiUnlockDispatcher(on);
            status = STATUS_KERNEL_APC;
            continue;
        }
        if (KiTryMultiple(Count, Object, WaitType, thread, on, &status))
        {
            KiUnlockDispatcher(on);
            break;
        }
        status = KiTestAlert(thread, Alertable, WaitMode);
        if (status == STATUS_SUCCESS && !timeout.Infinite && !KiStartWaitTimer(thread, &timeout))
        {
            status = STATUS_TIMEOUT;
        }
        if (status != STATUS_SUCCESS)
        {
            KiUnlockDispatcher(on);
            break;
        }
        KiLinkMultiple(Count, Object, WaitType, thread, blocks);
        status = KiBlock(thread, irql, on, WaitReason, WaitMode, Alertable);
    } while (status == STATUS_KERNEL_APC);
    return (NTSTATUS)status;
}

/**
 * Sleeps.
 *
 * @param Interval  100 ns units: negative from now, positive a system time, 0 yields. Never shorter than asked;
 *                  longer by up to one clock tick (1 ms)
 * @return STATUS_SUCCESS, STATUS_ALERTED, STATUS_USER_APC
 * IRQL: <= APC_LEVEL.
 */
NTSTATUS NTAPI KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    PKTHREAD thread = KiCurrentThread();
    KI_TIMEOUT timeout;
    LONG_PTR status;
    KIRQL irql;

    irql = KiCheckWaitIrql(NULL, Interval, __builtin_return_address(0));
    KiPrepareTimeout(&timeout, Interval);
    do
    {
        BOOLEAN on = KiBeginWait(thread);

        if (KiKernelApcWaits(thread, irql))
        {
            KiUnlockDispatcher(on);
            status = STATUS_KERNEL_APC;
            continue;
        }
        status = KiTestAlert(thread, Alertable, WaitMode);
        if (status != STATUS_SUCCESS)
        {
            KiUnlockDispatcher(on);
            break;
        }
        if (!KiStartWaitTimer(thread, &timeout))
        {
            KiUnlockDispatcher(on);
            if (timeout.Poll)
            {
                NtYieldExecution();
            }
            break;
        }
        thread->WaitBlockList = NULL;
        status = KiBlock(thread, irql, on, DelayExecution, WaitMode, Alertable);
    } while (status == STATUS_KERNEL_APC);
    return status == STATUS_TIMEOUT ? STATUS_SUCCESS : (NTSTATUS)status;
}
