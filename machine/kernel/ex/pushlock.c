/* SPDX-License-Identifier: MIT */
/*
 * Push locks: one pointer that many share or one owns. Drivers take a free one inline, so these bits are NT's:
 *
 *   bit 0     locked
 *   bit 1     somebody waits
 *   bits 4..  how many share it; 0 while locked: one owner
 *
 * NT hangs the waiters' blocks on the pointer itself; here they stand in one of a few queues, chosen by the lock's
 * address, so that the count stays where it is. The waiting bit is set and cleared under the queue's lock only, and set
 * only while the lock is held: whoever lets go of a lock with the bit set looks into the queue afterwards, so nobody is
 * forgotten. A lock is not handed over: whom it wakes tries again, and may be overtaken, as on NT.
 *
 * All: <= APC_LEVEL, in a critical region, since an owner that normal APCs could suspend would stop everyone.
 */
#include "exp.h"

#define EXP_PUSH_LOCKED 1ULL
#define EXP_PUSH_WAITING 2ULL
#define EXP_PUSH_SHARE 16ULL
#define EXP_PUSH_COUNT(Value) ((Value) / EXP_PUSH_SHARE)
#define EXP_PUSH_QUEUES 32

typedef struct _EXP_PUSH_WAIT
{
    LIST_ENTRY Links;
    volatile ULONG_PTR *Lock;
    BOOLEAN Exclusive;
    KEVENT Woken;
} EXP_PUSH_WAIT;

typedef struct _EXP_PUSH_QUEUE
{
    KSPIN_LOCK Lock;
    LIST_ENTRY Waits;              /* Flink NULL until the first wait */
} EXP_PUSH_QUEUE;

static EXP_PUSH_QUEUE ExpPushQueues[EXP_PUSH_QUEUES];

static EXP_PUSH_QUEUE *ExpPushQueue(volatile ULONG_PTR *Lock)
{
    return &ExpPushQueues[((ULONG_PTR)Lock >> 3) * 0x9E3779B97F4A7C15ULL >> 59];
}

/* TRUE if Lock had Old and has New now. */
static BOOLEAN ExpPushSwap(volatile ULONG_PTR *Lock, ULONG_PTR Old, ULONG_PTR New)
{
    return (ULONG_PTR)InterlockedCompareExchange64((volatile LONG64 *)Lock, (LONG64)New, (LONG64)Old) == Old;
}

/* The value with one holder more, or 0 if it has to wait. */
static ULONG_PTR ExpPushTaken(ULONG_PTR Value, BOOLEAN Exclusive)
{
    if ((Value & EXP_PUSH_LOCKED) == 0)
    {
        return Value | EXP_PUSH_LOCKED | (Exclusive ? 0 : EXP_PUSH_SHARE);
    }
    /* More may share it, but not past those who wait for it alone. */
    return !Exclusive && EXP_PUSH_COUNT(Value) != 0 && (Value & EXP_PUSH_WAITING) == 0 ? Value + EXP_PUSH_SHARE : 0;
}

/* Waits to be woken, if the lock is still in the way. */
static VOID ExpPushWait(volatile ULONG_PTR *Lock, BOOLEAN Exclusive)
{
    EXP_PUSH_QUEUE *queue = ExpPushQueue(Lock);
    EXP_PUSH_WAIT wait = {.Lock = Lock, .Exclusive = Exclusive};
    BOOLEAN queued = FALSE;
    ULONG_PTR old;
    KIRQL irql;

    KeInitializeEvent(&wait.Woken, SynchronizationEvent, FALSE);
    KeAcquireSpinLock(&queue->Lock, &irql);
    if (queue->Waits.Flink == NULL)
    {
        InitializeListHead(&queue->Waits);
    }
    for (old = *Lock; !queued && ExpPushTaken(old, Exclusive) == 0; old = *Lock)
    {
        queued = ExpPushSwap(Lock, old, old | EXP_PUSH_WAITING);
    }
    if (queued)
    {
        InsertTailList(&queue->Waits, &wait.Links);
    }
    KeReleaseSpinLock(&queue->Lock, irql);
    if (queued)
    {
        KeWaitForSingleObject(&wait.Woken, WrPushLock, KernelMode, FALSE, NULL);
    }
}

static VOID ExpPushAcquire(volatile ULONG_PTR *Lock, BOOLEAN Exclusive)
{
    for (;;)
    {
        ULONG_PTR old = *Lock;
        ULONG_PTR taken = ExpPushTaken(old, Exclusive);

        if (taken == 0)
        {
            ExpPushWait(Lock, Exclusive);
        }
        else if (ExpPushSwap(Lock, old, taken))
        {
            return;
        }
    }
}

static BOOLEAN ExpPushTry(volatile ULONG_PTR *Lock, BOOLEAN Exclusive)
{
    for (;;)
    {
        ULONG_PTR old = *Lock;
        ULONG_PTR taken = ExpPushTaken(old, Exclusive);

        if (taken == 0 || ExpPushSwap(Lock, old, taken))
        {
            return taken != 0;
        }
    }
}

/* Wakes the first who waits; with one that would share it, all that follow directly and would share it, too. */
static VOID ExpPushWake(volatile ULONG_PTR *Lock)
{
    EXP_PUSH_QUEUE *queue = ExpPushQueue(Lock);
    BOOLEAN left = FALSE, more = TRUE;
    ULONG woken = 0;
    KIRQL irql;

    KeAcquireSpinLock(&queue->Lock, &irql);
    for (PLIST_ENTRY link = queue->Waits.Flink; link != NULL && link != &queue->Waits;)
    {
        EXP_PUSH_WAIT *wait = CONTAINING_RECORD(link, EXP_PUSH_WAIT, Links);

        link = link->Flink;
        if (wait->Lock != Lock)
        {
            continue;
        }
        more = more && (woken == 0 || !wait->Exclusive);
        if (!more)
        {
            left = TRUE;
            break;
        }
        more = !wait->Exclusive;
        woken++;
        RemoveEntryList(&wait->Links);
        KeSetEvent(&wait->Woken, IO_NO_INCREMENT, FALSE); /* its block may be gone after this */
    }
    if (!left)
    {
        InterlockedAnd64((volatile LONG64 *)Lock, ~(LONG64)EXP_PUSH_WAITING);
    }
    KeReleaseSpinLock(&queue->Lock, irql);
}

static VOID ExpPushRelease(volatile ULONG_PTR *Lock)
{
    ULONG_PTR old, left;

    do
    {
        old = *Lock;
        left = EXP_PUSH_COUNT(old) > 1 ? old - EXP_PUSH_SHARE : old & EXP_PUSH_WAITING;
    } while (!ExpPushSwap(Lock, old, left));
    if ((left & EXP_PUSH_WAITING) != 0 && (left & EXP_PUSH_LOCKED) == 0)
    {
        ExpPushWake(Lock);
    }
}

/** Any IRQL. */
VOID NTAPI ExInitializePushLock(PEX_PUSH_LOCK PushLock)
{
    *PushLock = 0;
}

VOID FASTCALL ExfAcquirePushLockExclusive(PEX_PUSH_LOCK PushLock)
{
    ExpPushAcquire(PushLock, TRUE);
}

VOID FASTCALL ExfAcquirePushLockShared(PEX_PUSH_LOCK PushLock)
{
    ExpPushAcquire(PushLock, FALSE);
}

BOOLEAN FASTCALL ExfTryAcquirePushLockShared(PEX_PUSH_LOCK PushLock)
{
    return ExpPushTry(PushLock, FALSE);
}

/** For a lock held either way. */
VOID FASTCALL ExfReleasePushLock(PEX_PUSH_LOCK PushLock)
{
    ExpPushRelease(PushLock);
}

VOID FASTCALL ExfReleasePushLockExclusive(PEX_PUSH_LOCK PushLock)
{
    ExpPushRelease(PushLock);
}

VOID FASTCALL ExfReleasePushLockShared(PEX_PUSH_LOCK PushLock)
{
    ExpPushRelease(PushLock);
}

/** After an inline release that found the waiting bit. */
VOID FASTCALL ExfTryToWakePushLock(PEX_PUSH_LOCK PushLock)
{
    ULONG_PTR value = *PushLock;

    if ((value & EXP_PUSH_WAITING) != 0 && (value & EXP_PUSH_LOCKED) == 0)
    {
        ExpPushWake(PushLock);
    }
}

/* The forms that headers use from Windows 8.1 on. Flags choose priority boosts (AutoBoost), which do not exist here. */

VOID FASTCALL ExAcquirePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    ExpPushAcquire(PushLock, TRUE);
}

VOID FASTCALL ExAcquirePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    ExpPushAcquire(PushLock, FALSE);
}

BOOLEAN FASTCALL ExTryAcquirePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    return ExpPushTry(PushLock, TRUE);
}

BOOLEAN FASTCALL ExTryAcquirePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    return ExpPushTry(PushLock, FALSE);
}

VOID FASTCALL ExReleasePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    ExpPushRelease(PushLock);
}

VOID FASTCALL ExReleasePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    ExpPushRelease(PushLock);
}

VOID FASTCALL ExReleasePushLockEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    ExpPushRelease(PushLock);
}
