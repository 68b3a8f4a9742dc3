/* SPDX-License-Identifier: MIT */
/*
 * KQUEUE: work handed to a limited number of running threads.
 *
 * CurrentCount is the number of threads that took an entry from the queue and run now. A thread belongs to the queue
 * from its first KeRemoveQueue on; when it blocks on something else it does not count (KiActivateQueueWaiter), and when
 * that wait ends it counts again (KiUnwaitThread), for a while perhaps above the limit. Idle threads are woken last
 * in, first out, and get the entry as the status of their wait.
 */
#include "kip.h"

/** Makes a queue. Count: threads that may run at once, 0 for one per processor. IRQL: any. */
VOID NTAPI KeInitializeQueue(PRKQUEUE Queue, ULONG Count)
{
    Queue->Header.Lock = 0;
    Queue->Header.Type = KiQueueObject;
    Queue->Header.Size = sizeof(KQUEUE) / sizeof(ULONG);
    Queue->Header.SignalState = 0;
    InitializeListHead(&Queue->Header.WaitListHead);
    InitializeListHead(&Queue->EntryListHead);
    InitializeListHead(&Queue->ThreadListHead);
    Queue->CurrentCount = 0;
    Queue->MaximumCount = Count != 0 ? Count : (ULONG)KiProcessorCount;
}

/** Number of entries. IRQL: any. */
LONG NTAPI KeReadStateQueue(PRKQUEUE Queue)
{
    return *(volatile LONG *)&Queue->Header.SignalState;
}

static PKTHREAD KiLastWaiter(PRKQUEUE Queue)
{
    if (IsListEmpty(&Queue->Header.WaitListHead))
    {
        return NULL;
    }
    return CONTAINING_RECORD(Queue->Header.WaitListHead.Blink, KWAIT_BLOCK, WaitListEntry)->Thread;
}

static PLIST_ENTRY KiTakeEntry(PRKQUEUE Queue)
{
    PLIST_ENTRY entry = RemoveHeadList(&Queue->EntryListHead);

    Queue->Header.SignalState--;
    entry->Flink = NULL;
    return entry;
}

/* A thread of the queue stops running: another may have an entry. Lock held. */
VOID KiActivateQueueWaiter(PKQUEUE Queue)
{
    PKTHREAD waiter;

    Queue->CurrentCount--;
    waiter = KiLastWaiter(Queue);
    if (waiter != NULL && !IsListEmpty(&Queue->EntryListHead) && Queue->CurrentCount < Queue->MaximumCount)
    {
        KiUnwaitThread(waiter, (LONG_PTR)KiTakeEntry(Queue), 0);
    }
}

static LONG KiInsertQueue(PRKQUEUE Queue, PLIST_ENTRY Entry, BOOLEAN Head)
{
    BOOLEAN on = KiLockDispatcher();
    PKTHREAD thread = KiCurrentThread();
    PKTHREAD waiter = KiLastWaiter(Queue);
    LONG previous = Queue->Header.SignalState;

    if (waiter != NULL && IsListEmpty(&Queue->EntryListHead) && Queue->CurrentCount < Queue->MaximumCount &&
        (thread->Queue != Queue || thread->WaitReason != WrQueue || thread->State == ThreadStateRunning))
    {
        Entry->Flink = NULL;
        KiUnwaitThread(waiter, (LONG_PTR)Entry, 0);
    }
    else
    {
        Queue->Header.SignalState++;
        if (Head)
        {
            InsertHeadList(&Queue->EntryListHead, Entry);
        }
        else
        {
            InsertTailList(&Queue->EntryListHead, Entry);
        }
    }
    KiUnlockDispatcher(on);
    return previous;
}

/** Adds an entry at the end; returns the number of entries before. IRQL: <= DISPATCH_LEVEL. */
LONG NTAPI KeInsertQueue(PRKQUEUE Queue, PLIST_ENTRY Entry)
{
    return KiInsertQueue(Queue, Entry, FALSE);
}

/** Adds an entry at the front; returns the number of entries before. IRQL: <= DISPATCH_LEVEL. */
LONG NTAPI KeInsertHeadQueue(PRKQUEUE Queue, PLIST_ENTRY Entry)
{
    return KiInsertQueue(Queue, Entry, TRUE);
}

/* The running thread belongs to Queue from now on and does not count while it looks. Lock held. */
static VOID KiJoinQueue(PKTHREAD Thread, PRKQUEUE Queue)
{
    if (Thread->Queue == Queue)
    {
        Queue->CurrentCount--;
        return;
    }
    if (Thread->Queue != NULL)
    {
        RemoveEntryList(&Thread->QueueListEntry);
        KiActivateQueueWaiter(Thread->Queue);
    }
    Thread->Queue = Queue;
    InsertTailList(&Queue->ThreadListHead, &Thread->QueueListEntry);
}

static LONG_PTR KiRemoveQueue(PRKQUEUE Queue, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    PKTHREAD thread = KiCurrentThread();
    BOOLEAN joined = FALSE;
    KI_TIMEOUT timeout;
    LONG_PTR status;
    KIRQL irql;

    irql = KiCheckWaitIrql(Queue, Timeout, __builtin_return_address(0));
    KiPrepareTimeout(&timeout, Timeout);
    for (;;)
    {
        BOOLEAN on = KiBeginWait(thread);

        if (joined && thread->Queue != Queue)
        {
            KiUnlockDispatcher(on);
            return STATUS_ABANDONED; /* run down while an APC was run */
        }
        KiJoinQueue(thread, Queue);
        joined = TRUE;
        if (!IsListEmpty(&Queue->EntryListHead) && Queue->CurrentCount < Queue->MaximumCount)
        {
            Queue->CurrentCount++;
            status = (LONG_PTR)KiTakeEntry(Queue);
            KiUnlockDispatcher(on);
            return status;
        }
        if (thread->ApcState.KernelApcPending && thread->SpecialApcDisable == 0 && irql < APC_LEVEL)
        {
            Queue->CurrentCount++;
            KiUnlockDispatcher(on); /* the APC runs here */
            continue;
        }
        status = KiTestAlert(thread, Alertable, WaitMode);
        if (status == STATUS_SUCCESS && !timeout.Infinite && !KiStartWaitTimer(thread, &timeout))
        {
            status = STATUS_TIMEOUT;
        }
        if (status != STATUS_SUCCESS)
        {
            Queue->CurrentCount++;
            KiUnlockDispatcher(on);
            return status;
        }
        KiLinkWaitBlock(&thread->WaitBlock[0], thread, &Queue->Header, 0, WaitAny);
        thread->WaitBlockList = &thread->WaitBlock[0];
        thread->WaitType = WaitAny;
        status = KiBlock(thread, irql, on, WrQueue, WaitMode, Alertable);
        thread->WaitReason = Executive;
        if (status != STATUS_KERNEL_APC)
        {
            return status;
        }
    }
}

/**
 * Takes an entry, or waits for one. The thread belongs to the queue afterwards.
 *
 * @return the entry; or STATUS_TIMEOUT, STATUS_USER_APC, STATUS_ABANDONED (the queue was run down) as a pointer
 * IRQL: <= APC_LEVEL; DISPATCH_LEVEL with a zero time-out.
 */
PLIST_ENTRY NTAPI KeRemoveQueue(PRKQUEUE Queue, KPROCESSOR_MODE WaitMode, PLARGE_INTEGER Timeout)
{
    return (PLIST_ENTRY)KiRemoveQueue(Queue, WaitMode, FALSE, Timeout);
}

/**
 * Takes several entries at once.
 *
 * @param EntryArray  receives up to Count entries; the first place receives the status if none came
 * @return the number of entries, at least 1 (a status counts as one, as on Windows)
 */
ULONG NTAPI KeRemoveQueueEx(PKQUEUE Queue, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                            PLIST_ENTRY *EntryArray, ULONG Count)
{
    LONG_PTR first = KiRemoveQueue(Queue, WaitMode, Alertable, Timeout);
    ULONG taken = 1;
    BOOLEAN on;

    EntryArray[0] = (PLIST_ENTRY)first;
    if ((ULONG_PTR)first < (ULONG_PTR)MM_SYSTEM_RANGE_START)
    {
        return 1; /* a status */
    }
    on = KiLockDispatcher();
    while (taken < Count && !IsListEmpty(&Queue->EntryListHead))
    {
        EntryArray[taken++] = KiTakeEntry(Queue);
    }
    KiUnlockDispatcher(on);
    return taken;
}

/**
 * Ends a queue: its threads don't belong to it any more, those that wait get STATUS_ABANDONED.
 *
 * @return the entries still queued, as a ring without a head, or NULL
 * IRQL: <= DISPATCH_LEVEL.
 */
PLIST_ENTRY NTAPI KeRundownQueue(PRKQUEUE Queue)
{
    BOOLEAN on = KiLockDispatcher();
    PLIST_ENTRY first = NULL;
    PKTHREAD waiter;

    if (!IsListEmpty(&Queue->EntryListHead))
    {
        first = Queue->EntryListHead.Flink;
        RemoveEntryList(&Queue->EntryListHead);
        InitializeListHead(&Queue->EntryListHead);
        Queue->Header.SignalState = 0;
    }
    while (!IsListEmpty(&Queue->ThreadListHead))
    {
        PKTHREAD thread = CONTAINING_RECORD(RemoveHeadList(&Queue->ThreadListHead), KTHREAD, QueueListEntry);

        thread->Queue = NULL;
    }
    while ((waiter = KiLastWaiter(Queue)) != NULL)
    {
        KiUnwaitThread(waiter, STATUS_ABANDONED, 0);
    }
    KiUnlockDispatcher(on);
    return first;
}

PLIST_ENTRY KeFindInQueue(PRKQUEUE Queue, PVOID Memory, SIZE_T Size)
{
    BOOLEAN on = KiLockDispatcher();
    PLIST_ENTRY found = NULL;

    for (PLIST_ENTRY entry = Queue->EntryListHead.Flink; entry != &Queue->EntryListHead; entry = entry->Flink)
    {
        if ((ULONG_PTR)entry - (ULONG_PTR)Memory < Size)
        {
            found = entry;
            break;
        }
    }
    KiUnlockDispatcher(on);
    return found;
}
