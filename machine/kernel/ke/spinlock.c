/* SPDX-License-Identifier: MIT */
/*
 * Spin locks that drivers take.
 *
 * A plain lock holds the owner's KTHREAD | 1, so that taking it twice is found at once (bug check F) instead of as a
 * machine that stands still, and giving back what nobody holds is found too (bug check 10). An in-stack queued lock
 * holds the address of the last waiter's handle; each waiter spins on its own handle (MCS). The two kinds don't mix on
 * one lock, as on Windows.
 *
 * The IRQL is Verifier's business: C4, 40 and 41 for taking and giving back below DISPATCH_LEVEL what asks for it, 42 for
 * KeAcquireSpinLock above it, 32 for KeReleaseSpinLock at any other.
 */
#include "kip.h"
#include "vf.h"

#define KI_QUEUE_WAIT 1ULL
#define KI_QUEUE_OWNER 2ULL

static inline BOOLEAN KiTryLock(PKSPIN_LOCK Lock, ULONG_PTR Owner)
{
    return *(volatile KSPIN_LOCK *)Lock == 0 &&
           _InterlockedCompareExchange64((volatile LONG64 *)Lock, (LONG64)Owner, 0) == 0;
}

static inline VOID KiSpin(PKSPIN_LOCK Lock)
{
    ULONG_PTR owner = (ULONG_PTR)KiCurrentThread() | 1;

    if (VfShuffleOn)
    {
        VfShuffleHere(FALSE);
    }
    while (!KiTryLock(Lock, owner))
    {
        if (*(volatile KSPIN_LOCK *)Lock == owner)
        {
            KeBugCheckEx(0x0F, (ULONG_PTR)Lock, owner & ~1ULL, 0, 0);
        }
        _mm_pause();
    }
}

static inline VOID KiUnspin(PKSPIN_LOCK Lock)
{
    if (*Lock == 0)
    {
        KeBugCheckEx(0x10, (ULONG_PTR)Lock, 0, 0, 0);
    }
    KiReleaseRaw(Lock);
}

static inline KIRQL KiRaiseForLock(PKSPIN_LOCK Lock)
{
    KIRQL old = KeGetCurrentIrql();

    if (old > DISPATCH_LEVEL)
    {
        VfCheck(FALSE, 0x42, old, (ULONG_PTR)Lock, 0);
        return old; /* checks are off: the lock is taken where the caller is */
    }
    __writecr8(DISPATCH_LEVEL);
    return old;
}

static inline VOID KiCheckAtDpc(PKSPIN_LOCK Lock, ULONG Rule)
{
    KIRQL irql = KeGetCurrentIrql();

    if (irql < DISPATCH_LEVEL)
    {
        VfCheck(FALSE, Rule, irql, (ULONG_PTR)Lock, 0);
    }
}

static inline VOID KiCheckRelease(PKSPIN_LOCK Lock)
{
    KIRQL irql = KeGetCurrentIrql();

    if (irql != DISPATCH_LEVEL)
    {
        VfCheck(FALSE, 0x32, irql, (ULONG_PTR)Lock, 0);
    }
}

/** Takes a spin lock; returns the IRQL before, for KeReleaseSpinLock. IRQL: <= DISPATCH_LEVEL, then DISPATCH_LEVEL. */
KIRQL NTAPI KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock)
{
    KIRQL old = KiRaiseForLock(SpinLock);

    KiSpin(SpinLock);
    return old;
}

/** KeAcquireSpinLockRaiseToDpc, but to SYNCH_LEVEL (12). */
KIRQL FASTCALL KeAcquireSpinLockRaiseToSynch(PKSPIN_LOCK SpinLock)
{
    KIRQL old = KfRaiseIrql(12);

    KiSpin(SpinLock);
    return old;
}

/** Gives a spin lock back and lowers to NewIrql. IRQL: DISPATCH_LEVEL. */
VOID NTAPI KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    KiCheckRelease(SpinLock);
    KiUnspin(SpinLock);
    KeLowerIrql(NewIrql);
}

/** Takes a spin lock without changing the IRQL. IRQL: >= DISPATCH_LEVEL. */
VOID NTAPI KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    KiCheckAtDpc(SpinLock, 0x40);
    KiSpin(SpinLock);
}

/** Gives back what KeAcquireSpinLockAtDpcLevel took. */
VOID NTAPI KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    KiCheckAtDpc(SpinLock, 0x41);
    KiUnspin(SpinLock);
}

/** Takes a lock if it is free. IRQL: >= DISPATCH_LEVEL. */
BOOLEAN FASTCALL KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    KiCheckAtDpc(SpinLock, 0x40);
    return KiTryLock(SpinLock, (ULONG_PTR)KiCurrentThread() | 1);
}

/** TRUE if the lock is free at the moment. IRQL: any. */
BOOLEAN FASTCALL KeTestSpinLock(PKSPIN_LOCK SpinLock)
{
    return *(volatile KSPIN_LOCK *)SpinLock == 0;
}

/** For code shared by DPCs and threaded DPCs: raises to DISPATCH_LEVEL if need be. IRQL: <= DISPATCH_LEVEL. */
KIRQL FASTCALL KeAcquireSpinLockForDpc(PKSPIN_LOCK SpinLock)
{
    return KeAcquireSpinLockRaiseToDpc(SpinLock);
}

/** Undoes KeAcquireSpinLockForDpc. */
VOID FASTCALL KeReleaseSpinLockForDpc(PKSPIN_LOCK SpinLock, KIRQL OldIrql)
{
    KeReleaseSpinLock(SpinLock, OldIrql);
}

/* ---- in-stack queued locks ---- */

static inline PKSPIN_LOCK KiLockOf(PKLOCK_QUEUE_HANDLE Handle)
{
    return (PKSPIN_LOCK)((ULONG_PTR)Handle->LockQueue.Lock & ~(KI_QUEUE_WAIT | KI_QUEUE_OWNER));
}

static VOID KiQueueLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE Handle)
{
    PKSPIN_LOCK_QUEUE self = &Handle->LockQueue;
    PKSPIN_LOCK_QUEUE previous;

    if (VfShuffleOn)
    {
        VfShuffleHere(FALSE);
    }
    self->Next = NULL;
    self->Lock = (PKSPIN_LOCK)((ULONG_PTR)SpinLock | KI_QUEUE_WAIT);
    previous = InterlockedExchangePointer((PVOID volatile *)SpinLock, self);
    if (previous != NULL)
    {
        previous->Next = self;
        while ((ULONG_PTR)self->Lock & KI_QUEUE_WAIT)
        {
            _mm_pause();
        }
    }
    self->Lock = (PKSPIN_LOCK)((ULONG_PTR)SpinLock | KI_QUEUE_OWNER);
}

static VOID KiQueueUnlock(PKLOCK_QUEUE_HANDLE Handle)
{
    PKSPIN_LOCK_QUEUE self = &Handle->LockQueue;
    PKSPIN_LOCK lock = KiLockOf(Handle);
    PKSPIN_LOCK_QUEUE next = self->Next;

    if (!((ULONG_PTR)self->Lock & KI_QUEUE_OWNER))
    {
        KeBugCheckEx(0x10, (ULONG_PTR)lock, (ULONG_PTR)Handle, 0, 0);
    }
    self->Lock = lock;
    if (next == NULL)
    {
        if (InterlockedCompareExchangePointer((PVOID volatile *)lock, NULL, self) == self)
        {
            return;
        }
        while ((next = *(PKSPIN_LOCK_QUEUE volatile *)&self->Next) == NULL)
        {
            _mm_pause();
        }
    }
    self->Next = NULL;
    __atomic_store_n((ULONG_PTR *)&next->Lock, (ULONG_PTR)lock, __ATOMIC_RELEASE);
}

/** Takes a queued lock: fair, each waiter spins on its own handle. IRQL: <= DISPATCH_LEVEL, then DISPATCH_LEVEL. */
VOID FASTCALL KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    LockHandle->OldIrql = KiRaiseForLock(SpinLock);
    KiQueueLock(SpinLock, LockHandle);
}

/** Gives a queued lock back and restores the IRQL. */
VOID FASTCALL KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle)
{
    KiCheckRelease(KiLockOf(LockHandle));
    KiQueueUnlock(LockHandle);
    KeLowerIrql(LockHandle->OldIrql);
}

/** Takes a queued lock. IRQL: >= DISPATCH_LEVEL. */
VOID FASTCALL KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KiCheckAtDpc(SpinLock, 0x40);
    KiQueueLock(SpinLock, LockHandle);
}

/** Undoes KeAcquireInStackQueuedSpinLockAtDpcLevel. */
VOID FASTCALL KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle)
{
    KiCheckAtDpc(KiLockOf(LockHandle), 0x41);
    KiQueueUnlock(LockHandle);
}

/** KeAcquireInStackQueuedSpinLock, for code shared with threaded DPCs. */
VOID FASTCALL KeAcquireInStackQueuedSpinLockForDpc(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    KeAcquireInStackQueuedSpinLock(SpinLock, LockHandle);
}

/** Undoes KeAcquireInStackQueuedSpinLockForDpc. */
VOID FASTCALL KeReleaseInStackQueuedSpinLockForDpc(PKLOCK_QUEUE_HANDLE LockHandle)
{
    KeReleaseInStackQueuedSpinLock(LockHandle);
}
