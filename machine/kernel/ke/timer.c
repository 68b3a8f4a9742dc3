/* SPDX-License-Identifier: MIT */
/*
 * Timers.
 *
 * A wheel of 512 lists, one per clock tick (1 ms), each sorted by due time. A timer lies on the list of the first tick
 * at which it is due: ceil(due / tick) mod 512. The clock of processor 0 looks at one list per tick, by the earliest
 * due tick noted beside the list, and asks for KiTimerExpiration at DISPATCH_LEVEL when there is something to do.
 *
 *   KiTimerHand      last tick whose list has been emptied of due timers; under the dispatcher lock
 *   KiTimerScanned   last tick the clock has looked at; written by processor 0 only
 *
 * A timer inserted for a tick the clock has already passed would be overlooked for a turn of the wheel. Inserting
 * writes the note and then reads KiTimerScanned, the clock writes KiTimerScanned and then reads the note, both with
 * full barriers: one of the two sees the other.
 */
#include "kip.h"
#include "vf.h"

typedef struct _KI_BUCKET
{
    LIST_ENTRY Head;
    volatile ULONG64 NextTick; /* of the first entry; ~0 if empty */
} KI_BUCKET;

static KI_BUCKET KiTimers[KI_TIMER_BUCKETS];
static ULONG64 KiTimersPresent[KI_TIMER_BUCKETS / 64]; /* bit per list that is not empty */
static ULONG64 KiTimerHand;
static volatile ULONG64 KiTimerScanned;

VOID KiInitializeTimers(VOID)
{
    for (ULONG i = 0; i < KI_TIMER_BUCKETS; i++)
    {
        InitializeListHead(&KiTimers[i].Head);
        KiTimers[i].NextTick = ~0ULL;
    }
}

static ULONG64 KiTickOf(ULONG64 Due)
{
    return Due / KI_TICK + (Due % KI_TICK != 0);
}

static VOID KiNoteFirst(KI_BUCKET *Bucket)
{
    ULONG index = (ULONG)(Bucket - KiTimers);

    if (IsListEmpty(&Bucket->Head))
    {
        Bucket->NextTick = ~0ULL;
        KiTimersPresent[index / 64] &= ~(1ULL << (index % 64));
    }
    else
    {
        KiTimersPresent[index / 64] |= 1ULL << (index % 64);
        Bucket->NextTick = KiTickOf(CONTAINING_RECORD(Bucket->Head.Flink, KTIMER, TimerListEntry)->DueTime.QuadPart);
    }
}

/* Dispatcher lock held. FALSE: the time has come already, the timer was not put on the wheel. */
BOOLEAN KiInsertTimer(PKTIMER Timer, ULONG64 Due)
{
    ULONG64 tick = KiTickOf(Due);
    KI_BUCKET *bucket = &KiTimers[tick % KI_TIMER_BUCKETS];
    PLIST_ENTRY place;

    Timer->DueTime.QuadPart = Due;
    if (tick <= KiTimerHand)
    {
        return FALSE;
    }
    for (place = bucket->Head.Blink; place != &bucket->Head; place = place->Blink)
    {
        if (CONTAINING_RECORD(place, KTIMER, TimerListEntry)->DueTime.QuadPart <= Due)
        {
            break;
        }
    }
    InsertHeadList(place, &Timer->TimerListEntry);
    Timer->Header.Inserted = 1;
    KiNoteFirst(bucket);
    KiFence();
    if (tick <= KiTimerScanned)
    {
        PKPRCB first = &KiProcessors[0]->Prcb;

        first->TimerRequest = TRUE;
        if (first == KiPrcb())
        {
            KiRequestDispatch(first);
        }
        else
        {
            HalSendIpi(0, KI_DPC_VECTOR);
        }
    }
    return TRUE;
}

/* Dispatcher lock held; does nothing if the timer is not on the wheel. */
VOID KiRemoveTimer(PKTIMER Timer)
{
    if (Timer->Header.Inserted)
    {
        RemoveEntryList(&Timer->TimerListEntry);
        Timer->Header.Inserted = 0;
        KiNoteFirst(&KiTimers[KiTickOf(Timer->DueTime.QuadPart) % KI_TIMER_BUCKETS]);
    }
}

/* The clock of processor 0: whether a list up to Tick has something due. */
BOOLEAN KiTimersDue(ULONG64 Tick)
{
    ULONG64 scanned = KiTimerScanned;
    ULONG64 count = Tick - scanned;
    BOOLEAN due = FALSE;

    KiTimerScanned = Tick;
    KiFence();
    if (count > KI_TIMER_BUCKETS)
    {
        count = KI_TIMER_BUCKETS;
    }
    for (ULONG64 i = 0; i < count; i++)
    {
        due |= KiTimers[(Tick - i) % KI_TIMER_BUCKETS].NextTick <= Tick;
    }
    return due;
}

static VOID KiSignalTimer(PKTIMER Timer, ULONG64 Now)
{
    PKDPC dpc = Timer->Dpc;

    Timer->Header.SignalState = 1;
    if (Timer->Period != 0)
    {
        ULONG64 period = (ULONG64)Timer->Period * 10000;
        ULONG64 due = Timer->DueTime.QuadPart + period;

        /* Periods that passed unnoticed (a stopped machine) are not made up for one by one. */
        if (!KiInsertTimer(Timer, due > Now ? due : Now + period))
        {
            KiInsertTimer(Timer, (KiTimerHand + 1) * KI_TICK); /* the hand went past while the lock was waited for */
        }
    }
    if (!IsListEmpty(&Timer->Header.WaitListHead))
    {
        KiWaitTest(&Timer->Header, 0);
    }
    if (dpc != NULL)
    {
        ULONG64 time = Now + KiSystemTimeOffset();

        KeInsertQueueDpc(dpc, (PVOID)(ULONG_PTR)(ULONG)time, (PVOID)(ULONG_PTR)(time >> 32));
    }
}

/* DISPATCH_LEVEL, no lock: signals what is due. */
VOID KiTimerExpiration(VOID)
{
    ULONG64 now, tick, first;
    BOOLEAN on;

    on = KiLockDispatcher();
    now = SharedUserData->TickCountQuad * (ULONG64)KI_TICK;
    tick = now / KI_TICK;
    first = KiTimerHand + 1;
    if (tick >= first + KI_TIMER_BUCKETS)
    {
        first = tick - KI_TIMER_BUCKETS + 1;
    }
    KiTimerHand = tick;
    for (ULONG64 t = first; t <= tick; t++)
    {
        KI_BUCKET *bucket = &KiTimers[t % KI_TIMER_BUCKETS];

        while (!IsListEmpty(&bucket->Head))
        {
            PKTIMER timer = CONTAINING_RECORD(bucket->Head.Flink, KTIMER, TimerListEntry);

            if ((ULONG64)timer->DueTime.QuadPart > now)
            {
                break;
            }
            KiRemoveTimer(timer);
            KiSignalTimer(timer, now);
        }
    }
    KiUnlockDispatcher(on);
}

/** Makes a notification timer (stays signalled). IRQL: any. */
VOID NTAPI KeInitializeTimer(PKTIMER Timer)
{
    KeInitializeTimerEx(Timer, NotificationTimer);
}

/** Makes a timer; SynchronizationTimer releases one waiter. IRQL: any. */
VOID NTAPI KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type)
{
    VfCheckSynchronization(Timer, __builtin_return_address(0));
    RtlZeroMemory(Timer, sizeof(*Timer));
    Timer->Header.Type = (UCHAR)(KiTimerNotification + Type);
    InitializeListHead(&Timer->Header.WaitListHead);
}

/**
 * Starts a timer, or starts it anew.
 *
 * @param DueTime  100 ns units: negative from now, else a system time; past times expire at once
 * @param Period   milliseconds, 0 for once
 * @param Dpc      queued at each expiry, or NULL
 * @return whether it was running already
 * IRQL: <= DISPATCH_LEVEL.
 */
BOOLEAN NTAPI KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
    BOOLEAN on;
    ULONG64 now = KiInterruptTimePrecise();
    ULONG64 due;
    BOOLEAN running;

    if (DueTime.QuadPart < 0)
    {
        due = now + ((ULONG64)0 - (ULONG64)DueTime.QuadPart);
    }
    else
    {
        LONG64 relative = DueTime.QuadPart - (LONG64)KiSystemTimeOffset();

        due = relative > 0 ? (ULONG64)relative : 0;
    }
    on = KiLockDispatcher();
    running = Timer->Header.Inserted;
    KiRemoveTimer(Timer);
    Timer->Header.SignalState = 0;
    Timer->Header.Absolute = DueTime.QuadPart >= 0;
    Timer->Dpc = Dpc;
    Timer->Period = Period > 0 ? (ULONG)Period : 0;
    if (due <= now || !KiInsertTimer(Timer, due))
    {
        Timer->DueTime.QuadPart = now;
        KiSignalTimer(Timer, now);
    }
    KiUnlockDispatcher(on);
    return running;
}

/** KeSetTimerEx without a period. */
BOOLEAN NTAPI KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
    return KeSetTimerEx(Timer, DueTime, 0, Dpc);
}

/** KeSetTimerEx; the tolerance is not used, every timer is exact to the tick. */
BOOLEAN NTAPI KeSetCoalescableTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG TolerableDelay, PKDPC Dpc)
{
    return KeSetTimerEx(Timer, DueTime, (LONG)Period, Dpc);
}

/** Stops a timer; TRUE if it was running. Its DPC may be queued or running still. IRQL: <= DISPATCH_LEVEL. */
BOOLEAN NTAPI KeCancelTimer(PKTIMER Timer)
{
    BOOLEAN on = KiLockDispatcher();
    BOOLEAN running = Timer->Header.Inserted;

    KiRemoveTimer(Timer);
    Timer->Period = 0;
    KiUnlockDispatcher(on);
    return running;
}

/** Whether the timer has expired. IRQL: any. */
BOOLEAN NTAPI KeReadStateTimer(PKTIMER Timer)
{
    return *(volatile LONG *)&Timer->Header.SignalState != 0;
}

static BOOLEAN KiInside(PVOID Address, PVOID Memory, SIZE_T Size)
{
    return (ULONG_PTR)Address - (ULONG_PTR)Memory < Size;
}

static VOID KiCheckBucket(PLIST_ENTRY Head, PVOID Memory, SIZE_T Size)
{
    for (PLIST_ENTRY entry = Head->Flink; entry != Head; entry = entry->Flink)
    {
        PKTIMER timer = CONTAINING_RECORD(entry, KTIMER, TimerListEntry);

        if (KiInside(timer, Memory, Size))
        {
            KeBugCheckEx(0xC7, 0, (ULONG_PTR)timer, (ULONG_PTR)Memory, (ULONG_PTR)Memory + Size);
        }
        if (timer->Dpc != NULL && KiInside(timer->Dpc, Memory, Size))
        {
            KeBugCheckEx(0xC7, 1, (ULONG_PTR)timer->Dpc, (ULONG_PTR)Memory, (ULONG_PTR)Memory + Size);
        }
        if (timer->Dpc != NULL && KiInside((PVOID)timer->Dpc->DeferredRoutine, Memory, Size))
        {
            KeBugCheckEx(0xC7, 2, (ULONG_PTR)timer->Dpc->DeferredRoutine, (ULONG_PTR)Memory, (ULONG_PTR)Memory + Size);
        }
    }
}

/* Bug check C7 for what is about to be freed. Described in ke.h. Only lists that have timers are looked at. */
VOID KeCheckForTimer(PVOID Memory, SIZE_T Size)
{
    BOOLEAN on = KiLockDispatcher();

    for (ULONG word = 0; word < KI_TIMER_BUCKETS / 64; word++)
    {
        for (ULONG64 bits = KiTimersPresent[word]; bits != 0; bits &= bits - 1)
        {
            KiCheckBucket(&KiTimers[word * 64 + (ULONG)__builtin_ctzll(bits)].Head, Memory, Size);
        }
    }
    KiUnlockDispatcher(on);
    KiCheckForDpc(Memory, Size);
}
