/* SPDX-License-Identifier: MIT */
/*
 * Sleeping until a variable changes: the one place where user-mode locks wait.
 *
 * A waiter puts a record on its own stack into the bucket of its address and sleeps on the event of
 * its thread (made when the thread starts, so that no wait can fail for want of a handle). A waker
 * takes records out of the bucket and sets their events.
 *
 *   waiter                                   waker
 *   lock bucket                              change the variable
 *   variable still the same? else leave      lock bucket
 *   insert record                            remove record(s), note the events
 *   unlock, sleep on own event               unlock, set the events
 *
 * The comparison happens under the bucket's lock, and the waker changes the variable before it takes
 * that lock: a change is seen by the comparison, or the record is seen by the waker. Each removal is
 * answered by exactly one set of the event, so a waiter whose time ran out while it was being woken
 * still consumes that set before it leaves.
 */
#include "ntdllp.h"

#define WAIT_BUCKETS 128u

typedef struct _RTLP_WAITER
{
    LIST_ENTRY Links;
    const volatile void *Address;
    HANDLE Event;
    BOOLEAN Queued;
} RTLP_WAITER, *PRTLP_WAITER;

typedef struct _RTLP_BUCKET
{
    volatile LONG Lock;
    LIST_ENTRY Waiters; /* Flink NULL: never used */
} RTLP_BUCKET, *PRTLP_BUCKET;

static RTLP_BUCKET RtlpBuckets[WAIT_BUCKETS];

volatile BOOLEAN RtlpProcessIsEnding;
NTSTATUS RtlpProcessExitStatus;

VOID RtlpCheckHopelessWait(VOID)
{
    if (RtlpProcessIsEnding)
    {
        NtTerminateProcess(NtCurrentProcess(), RtlpProcessExitStatus);
    }
}

static PRTLP_BUCKET RtlpLockBucket(const volatile void *Address)
{
    ULONG64 hash = ((ULONG_PTR)Address >> 3) * 0x9E3779B97F4A7C15ull;
    PRTLP_BUCKET bucket = &RtlpBuckets[hash >> 57];
    ULONG tries = 0;

    while (_InterlockedExchange(&bucket->Lock, 1) != 0)
    {
        RtlpCheckHopelessWait();
        if (++tries < 100)
        {
            YieldProcessor();
        }
        else
        {
            /* A real sleep, not a yield: the holder may have a lower priority than we do. */
            LARGE_INTEGER interval = {.QuadPart = -1000};
            NtDelayExecution(FALSE, &interval);
        }
    }
    if (bucket->Waiters.Flink == NULL)
    {
        RtlpInitializeList(&bucket->Waiters);
    }
    return bucket;
}

static VOID RtlpUnlockBucket(PRTLP_BUCKET Bucket)
{
    __atomic_store_n(&Bucket->Lock, 0, __ATOMIC_RELEASE);
}

static BOOLEAN RtlpIsUnchanged(const volatile void *Address, const void *Compare, SIZE_T Size)
{
    switch (Size)
    {
    case 1:
        return *(const volatile UCHAR *)Address == *(const UCHAR *)Compare;
    case 2:
        return *(const volatile USHORT *)Address == *(const USHORT *)Compare;
    case 4:
        return *(const volatile ULONG *)Address == *(const ULONG *)Compare;
    default:
        return *(const volatile ULONG64 *)Address == *(const ULONG64 *)Compare;
    }
}

/** Makes the event that this thread sleeps on. Called once, before the thread takes any lock. */
NTSTATUS RtlpInitializeThreadWait(VOID)
{
    return NtCreateEvent(&NtCurrentTeb()->NtdllWaitEvent, EVENT_ALL_ACCESS, NULL, SynchronizationEvent, FALSE);
}

VOID RtlpDeleteThreadWait(VOID)
{
    HANDLE event = NtCurrentTeb()->NtdllWaitEvent;
    NtCurrentTeb()->NtdllWaitEvent = NULL;
    if (event != NULL)
    {
        NtClose(event);
    }
}

/**
 * Sleeps while the variable at Address equals the one at Compare, until a wake for Address.
 *
 * @param Size     1, 2, 4 or 8 bytes
 * @param Timeout  in 100 ns units, negative = relative, NULL = forever
 * @return STATUS_SUCCESS also when woken without a change; STATUS_TIMEOUT; STATUS_INVALID_PARAMETER
 */
NTSTATUS NTAPI RtlWaitOnAddress(const volatile void *Address, PVOID Compare, SIZE_T Size, PLARGE_INTEGER Timeout)
{
    if (Size != 1 && Size != 2 && Size != 4 && Size != 8)
    {
        return STATUS_INVALID_PARAMETER;
    }
    RTLP_WAITER waiter = {.Address = Address, .Event = NtCurrentTeb()->NtdllWaitEvent, .Queued = TRUE};
    PRTLP_BUCKET bucket = RtlpLockBucket(Address);
    if (!RtlpIsUnchanged(Address, Compare, Size))
    {
        RtlpUnlockBucket(bucket);
        return STATUS_SUCCESS;
    }
    RtlpCheckHopelessWait();
    RtlpInsertTail(&bucket->Waiters, &waiter.Links);
    RtlpUnlockBucket(bucket);

    NTSTATUS status = NtWaitForSingleObject(waiter.Event, FALSE, Timeout);
    if (status == STATUS_SUCCESS)
    {
        return STATUS_SUCCESS;
    }

    bucket = RtlpLockBucket(Address);
    BOOLEAN queued = waiter.Queued;
    if (queued)
    {
        RtlpRemoveEntry(&waiter.Links);
    }
    RtlpUnlockBucket(bucket);
    if (!queued)
    {
        NtWaitForSingleObject(waiter.Event, FALSE, NULL);
        return STATUS_SUCCESS;
    }
    return status;
}

static VOID RtlpWake(PVOID Address, BOOLEAN All)
{
    HANDLE events[16];
    BOOLEAN again;
    if (RtlpProcessIsEnding)
    {
        return; /* the sleepers are gone, and their stacks with the records may be too */
    }
    do
    {
        ULONG count = 0;
        again = FALSE;
        PRTLP_BUCKET bucket = RtlpLockBucket(Address);
        PLIST_ENTRY entry = bucket->Waiters.Flink;
        while (entry != &bucket->Waiters)
        {
            PRTLP_WAITER waiter = CONTAINING_RECORD(entry, RTLP_WAITER, Links);
            entry = entry->Flink;
            if (waiter->Address != Address)
            {
                continue;
            }
            if (count == ARRAYSIZE(events))
            {
                again = TRUE;
                break;
            }
            RtlpRemoveEntry(&waiter->Links);
            events[count++] = waiter->Event;
            waiter->Queued = FALSE;
            if (!All)
            {
                break;
            }
        }
        RtlpUnlockBucket(bucket);
        for (ULONG i = 0; i < count; i++)
        {
            NtSetEvent(events[i], NULL);
        }
    } while (again);
}

/** Wakes the longest waiter on Address, if there is one. */
VOID NTAPI RtlWakeAddressSingle(PVOID Address)
{
    RtlpWake(Address, FALSE);
}

/** Wakes all waiters on Address. */
VOID NTAPI RtlWakeAddressAll(PVOID Address)
{
    RtlpWake(Address, TRUE);
}
