/* SPDX-License-Identifier: MIT */
/*
 * Events, gates, semaphores.
 */
#include "kip.h"
#include "vf.h"

/* Leaves a routine that has a Wait parameter: with TRUE the lock stays held for the wait that follows at once. */
VOID KiEndSignal(BOOLEAN On, BOOLEAN Wait)
{
    if (Wait)
    {
        PKTHREAD thread = KiCurrentThread();

        thread->WaitNext = TRUE;
        thread->WaitNextOn = On;
        return;
    }
    KiUnlockDispatcher(On);
}

/* Signalling is for IRQL <= DISPATCH_LEVEL; Verifier's rule 80, and bug check A without it. */
VOID KiCheckSignalIrql(PVOID Object, PVOID Caller)
{
    KIRQL irql = KeGetCurrentIrql();

    if (irql > DISPATCH_LEVEL)
    {
        VfCheck(FALSE, 0x80, irql, (ULONG_PTR)Object, 0);
        KeBugCheckEx(0x0A, (ULONG_PTR)Object, irql, 1, (ULONG_PTR)Caller);
    }
}

/**
 * Makes an event in caller's nonpaged memory.
 *
 * @param Type   NotificationEvent stays set, SynchronizationEvent is reset by the wait it ends
 * @param State  set from the start
 * IRQL: any.
 */
VOID NTAPI KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
    VfCheckSynchronization(Event, __builtin_return_address(0));
    Event->Header.Lock = 0;
    Event->Header.Type = (UCHAR)Type;
    Event->Header.Size = sizeof(KEVENT) / sizeof(ULONG);
    Event->Header.SignalState = State != FALSE;
    InitializeListHead(&Event->Header.WaitListHead);
}

/**
 * Sets an event and wakes those who wait for it.
 *
 * @param Increment  boost for the threads it wakes
 * @param Wait       TRUE: the caller's next call is KeWaitXxx; returns with the dispatcher locked and interrupts off
 * @return the previous state
 * IRQL: <= DISPATCH_LEVEL; Wait TRUE only <= APC_LEVEL.
 */
LONG NTAPI KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    BOOLEAN on;
    LONG previous;

    KiCheckSignalIrql(Event, __builtin_return_address(0));
    on = KiLockDispatcher();
    previous = Event->Header.SignalState;
    Event->Header.SignalState = 1;
    if (previous == 0 && !IsListEmpty(&Event->Header.WaitListHead))
    {
        KiWaitTest(&Event->Header, Increment);
    }
    KiEndSignal(on, Wait);
    return previous;
}

/** Resets an event; returns the previous state. IRQL: <= DISPATCH_LEVEL. */
LONG NTAPI KeResetEvent(PRKEVENT Event)
{
    BOOLEAN on;
    LONG previous;

    KiCheckSignalIrql(Event, __builtin_return_address(0));
    on = KiLockDispatcher();
    previous = Event->Header.SignalState;
    Event->Header.SignalState = 0;
    KiUnlockDispatcher(on);
    return previous;
}

/** Resets an event. IRQL: <= DISPATCH_LEVEL. */
VOID NTAPI KeClearEvent(PRKEVENT Event)
{
    Event->Header.SignalState = 0;
}

/** Wakes those who wait now (one of them, for a synchronization event) and leaves the event reset; returns the previous
    state. IRQL: as KeSetEvent. */
LONG NTAPI KePulseEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    BOOLEAN on;
    LONG previous;

    KiCheckSignalIrql(Event, __builtin_return_address(0));
    on = KiLockDispatcher();
    previous = Event->Header.SignalState;
    if (previous == 0 && !IsListEmpty(&Event->Header.WaitListHead))
    {
        Event->Header.SignalState = 1;
        KiWaitTest(&Event->Header, Increment);
    }
    Event->Header.SignalState = 0;
    KiEndSignal(on, Wait);
    return previous;
}

/** The event's state, which may have changed by the time the caller looks at it. IRQL: any. */
LONG NTAPI KeReadStateEvent(PRKEVENT Event)
{
    return *(volatile LONG *)&Event->Header.SignalState;
}

/** Sets a synchronization event and boosts the one waiter to a priority of its own choosing; the rest of the
    executive's locks use it. IRQL: <= DISPATCH_LEVEL. */
VOID NTAPI KeSetEventBoostPriority(PRKEVENT Event, PKTHREAD *Thread)
{
    BOOLEAN on = KiLockDispatcher();

    if (Thread != NULL && !IsListEmpty(&Event->Header.WaitListHead))
    {
        *Thread = CONTAINING_RECORD(Event->Header.WaitListHead.Flink, KWAIT_BLOCK, WaitListEntry)->Thread;
    }
    Event->Header.SignalState = 1;
    KiWaitTest(&Event->Header, 1);
    KiUnlockDispatcher(on);
}

/**
 * Makes a counting semaphore.
 *
 * @param Count  units there are at first
 * @param Limit  units there may ever be, > 0
 * IRQL: any.
 */
VOID NTAPI KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit)
{
    VfCheckSynchronization(Semaphore, __builtin_return_address(0));
    Semaphore->Header.Lock = 0;
    Semaphore->Header.Type = KiSemaphoreObject;
    Semaphore->Header.Size = sizeof(KSEMAPHORE) / sizeof(ULONG);
    Semaphore->Header.SignalState = Count;
    InitializeListHead(&Semaphore->Header.WaitListHead);
    Semaphore->Limit = Limit;
}

/**
 * Adds units and wakes as many waiters.
 *
 * @return the previous count
 * Raises STATUS_SEMAPHORE_LIMIT_EXCEEDED if the limit would be passed; the count is unchanged then.
 * IRQL: <= DISPATCH_LEVEL; Wait TRUE only <= APC_LEVEL.
 */
LONG NTAPI KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait)
{
    BOOLEAN on;
    LONG previous, next;

    KiCheckSignalIrql(Semaphore, __builtin_return_address(0));
    on = KiLockDispatcher();
    previous = Semaphore->Header.SignalState;
    if (__builtin_add_overflow(previous, Adjustment, &next) || next > Semaphore->Limit || next < previous)
    {
        KiUnlockDispatcher(on);
        ExRaiseStatus(STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    }
    Semaphore->Header.SignalState = next;
    if (previous == 0 && !IsListEmpty(&Semaphore->Header.WaitListHead))
    {
        KiWaitTest(&Semaphore->Header, Increment);
    }
    KiEndSignal(on, Wait);
    return previous;
}

/** The semaphore's count. IRQL: any. */
LONG NTAPI KeReadStateSemaphore(PRKSEMAPHORE Semaphore)
{
    return *(volatile LONG *)&Semaphore->Header.SignalState;
}
