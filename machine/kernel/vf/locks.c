/* SPDX-License-Identifier: MIT */
/*
 * What stands between drivers and the routines that raise the IRQL and take locks, when force-IRQL or deadlock
 * detection
 * is on. As on Windows, imports of drivers are bound to these when they are loaded; without a mode they are bound to
 * the routines themselves, and nothing of this costs anything.
 *
 * What drivers' headers do inline is not seen here: the initialization of spin locks, and changes of the IRQL, which
 * inlineirql.c sees instead.
 */
#include "locks.h"
#include "mm.h"
#include "rtl.h"

#undef KeRaiseIrql
#undef KeLowerIrql

/* The exports, which check; the kernel's own headers have them inline. */
KIRQL NTAPI VfpRealRaiseIrql(KIRQL NewIrql) __asm__("KfRaiseIrql");
VOID NTAPI VfpRealInitializeSpinLock(PKSPIN_LOCK SpinLock) __asm__("KeInitializeSpinLock");

/* What the driver kit declares and mingw's headers lack. */
KIRQL NTAPI ExAcquireSpinLockShared(volatile LONG *SpinLock);
KIRQL NTAPI ExAcquireSpinLockExclusive(volatile LONG *SpinLock);
VOID FASTCALL ExEnterCriticalRegionAndAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex);
VOID FASTCALL ExReleaseFastMutexUnsafeAndLeaveCriticalRegion(PFAST_MUTEX FastMutex);

#define VFP_CALLER __builtin_return_address(0)

/* ---- IRQL ---- */

static inline VOID VfpRaised(VOID)
{
    if (MmForceIrql)
    {
        MmHidePageable();
    }
}

static KIRQL NTAPI VfpRaiseIrql(KIRQL NewIrql)
{
    KIRQL old = KeGetCurrentIrql();

    if (!MmForceIrql || old >= DISPATCH_LEVEL || NewIrql < DISPATCH_LEVEL || NewIrql > HIGH_LEVEL)
    {
        return VfpRealRaiseIrql(NewIrql);
    }
    (VOID)VfpRealRaiseIrql(DISPATCH_LEVEL); /* where other processors can still be asked to flush */
    MmHidePageable();
    (VOID)VfpRealRaiseIrql(NewIrql);
    return old;
}

static VOID NTAPI VfpRaiseIrqlOld(KIRQL NewIrql, PKIRQL OldIrql)
{
    *OldIrql = VfpRaiseIrql(NewIrql);
}

static KIRQL NTAPI VfpRaiseToDpc(VOID)
{
    return VfpRaiseIrql(DISPATCH_LEVEL);
}

static KIRQL NTAPI VfpRaiseToSynch(VOID)
{
    return VfpRaiseIrql(12);
}

/* ---- objects that the kernel touches at DISPATCH_LEVEL ---- */

/* C4/E1, part of force-IRQL: a synchronization object must not be pageable. */
static inline VOID VfpRequireNonpaged(PVOID Object)
{
    if (MmForceIrql && MmIsPageableAddress(Object))
    {
        VfCheck(FALSE, 0xE1, (ULONG_PTR)Object, 0, 0);
    }
}

static inline VOID VfpAcquiring(PVOID Lock, VFP_LOCK_TYPE Type, BOOLEAN Try, PVOID Caller)
{
    VfpRequireNonpaged(Lock);
    if (VfDeadlockOn)
    {
        VfpBeforeAcquire(Lock, Type, Try, Caller);
    }
}

static inline VOID VfpAcquired(PVOID Lock, VFP_LOCK_TYPE Type, PVOID Caller)
{
    if (VfDeadlockOn)
    {
        VfpAfterAcquire(Lock, Type, Caller);
    }
}

static inline VOID VfpReleasing(PVOID Lock, VFP_LOCK_TYPE Type, BOOLEAN Lowers)
{
    if (VfDeadlockOn)
    {
        VfpBeforeRelease(Lock, Type, Lowers);
    }
}

static VOID NTAPI VfpInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
    VfpRequireNonpaged(Event);
    KeInitializeEvent(Event, Type, State);
}

static VOID NTAPI VfpInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit)
{
    VfpRequireNonpaged(Semaphore);
    KeInitializeSemaphore(Semaphore, Count, Limit);
}

static VOID NTAPI VfpInitializeTimer(PKTIMER Timer)
{
    VfpRequireNonpaged(Timer);
    KeInitializeTimer(Timer);
}

static VOID NTAPI VfpInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type)
{
    VfpRequireNonpaged(Timer);
    KeInitializeTimerEx(Timer, Type);
}

static LONG NTAPI VfpSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    VfpRequireNonpaged(Event);
    return KeSetEvent(Event, Increment, Wait);
}

/* ---- spin locks ---- */

static VOID NTAPI VfpInitializeSpin(PKSPIN_LOCK SpinLock)
{
    VfpRequireNonpaged(SpinLock);
    if (VfDeadlockOn)
    {
        VfpInitializeLock(SpinLock, VfpSpinLock);
    }
    VfpRealInitializeSpinLock(SpinLock);
}

static KIRQL NTAPI VfpAcquireSpinLock(PKSPIN_LOCK SpinLock)
{
    KIRQL old;

    VfpAcquiring(SpinLock, VfpSpinLock, FALSE, VFP_CALLER);
    old = KeAcquireSpinLockRaiseToDpc(SpinLock);
    VfpAcquired(SpinLock, VfpSpinLock, VFP_CALLER);
    VfpRaised();
    return old;
}

static KIRQL FASTCALL VfpAcquireSpinLockToSynch(PKSPIN_LOCK SpinLock)
{
    KIRQL old;

    VfpAcquiring(SpinLock, VfpSpinLock, FALSE, VFP_CALLER);
    old = KeAcquireSpinLockRaiseToSynch(SpinLock);
    VfpAcquired(SpinLock, VfpSpinLock, VFP_CALLER);
    VfpRaised();
    return old;
}

static VOID NTAPI VfpAcquireSpinLockAtDpc(PKSPIN_LOCK SpinLock)
{
    VfpAcquiring(SpinLock, VfpSpinLock, FALSE, VFP_CALLER);
    KeAcquireSpinLockAtDpcLevel(SpinLock);
    VfpAcquired(SpinLock, VfpSpinLock, VFP_CALLER);
}

static BOOLEAN FASTCALL VfpTrySpinLockAtDpc(PKSPIN_LOCK SpinLock)
{
    BOOLEAN taken;

    VfpAcquiring(SpinLock, VfpSpinLock, TRUE, VFP_CALLER);
    taken = KeTryToAcquireSpinLockAtDpcLevel(SpinLock);
    if (taken)
    {
        VfpAcquired(SpinLock, VfpSpinLock, VFP_CALLER);
    }
    return taken;
}

static VOID NTAPI VfpReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    VfpReleasing(SpinLock, VfpSpinLock, NewIrql < DISPATCH_LEVEL);
    KeReleaseSpinLock(SpinLock, NewIrql);
}

static VOID NTAPI VfpReleaseSpinLockFromDpc(PKSPIN_LOCK SpinLock)
{
    VfpReleasing(SpinLock, VfpSpinLock, FALSE);
    KeReleaseSpinLockFromDpcLevel(SpinLock);
}

static VOID FASTCALL VfpAcquireQueued(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE Handle)
{
    VfpAcquiring(SpinLock, VfpQueuedSpinLock, FALSE, VFP_CALLER);
    KeAcquireInStackQueuedSpinLock(SpinLock, Handle);
    VfpAcquired(SpinLock, VfpQueuedSpinLock, VFP_CALLER);
    VfpRaised();
}

static VOID FASTCALL VfpAcquireQueuedAtDpc(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE Handle)
{
    VfpAcquiring(SpinLock, VfpQueuedSpinLock, FALSE, VFP_CALLER);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(SpinLock, Handle);
    VfpAcquired(SpinLock, VfpQueuedSpinLock, VFP_CALLER);
}

/* The handle holds the lock's address with marks in its lowest bits. */
static PVOID VfpLockOfHandle(PKLOCK_QUEUE_HANDLE Handle)
{
    return (PVOID)((ULONG_PTR)Handle->LockQueue.Lock & ~3ULL);
}

static VOID FASTCALL VfpReleaseQueued(PKLOCK_QUEUE_HANDLE Handle)
{
    VfpReleasing(VfpLockOfHandle(Handle), VfpQueuedSpinLock, Handle->OldIrql < DISPATCH_LEVEL);
    KeReleaseInStackQueuedSpinLock(Handle);
}

static VOID FASTCALL VfpReleaseQueuedFromDpc(PKLOCK_QUEUE_HANDLE Handle)
{
    VfpReleasing(VfpLockOfHandle(Handle), VfpQueuedSpinLock, FALSE);
    KeReleaseInStackQueuedSpinLockFromDpcLevel(Handle);
}

static KIRQL NTAPI VfpAcquireShared(volatile LONG *SpinLock)
{
    KIRQL old;

    VfpRequireNonpaged((PVOID)SpinLock);
    old = ExAcquireSpinLockShared(SpinLock);
    VfpRaised();
    return old;
}

static KIRQL NTAPI VfpAcquireExclusive(volatile LONG *SpinLock)
{
    KIRQL old;

    VfpRequireNonpaged((PVOID)SpinLock);
    old = ExAcquireSpinLockExclusive(SpinLock);
    VfpRaised();
    return old;
}

/* ---- fast and guarded mutexes ---- */

static VOID FASTCALL VfpAcquireFast(PFAST_MUTEX Mutex)
{
    VfpAcquiring(Mutex, VfpFastMutex, FALSE, VFP_CALLER);
    ExAcquireFastMutex(Mutex);
    VfpAcquired(Mutex, VfpFastMutex, VFP_CALLER);
}

static BOOLEAN FASTCALL VfpTryFast(PFAST_MUTEX Mutex)
{
    BOOLEAN taken;

    VfpAcquiring(Mutex, VfpFastMutex, TRUE, VFP_CALLER);
    taken = ExTryToAcquireFastMutex(Mutex);
    if (taken)
    {
        VfpAcquired(Mutex, VfpFastMutex, VFP_CALLER);
    }
    return taken;
}

static VOID FASTCALL VfpReleaseFast(PFAST_MUTEX Mutex)
{
    VfpReleasing(Mutex, VfpFastMutex, Mutex->OldIrql < APC_LEVEL);
    ExReleaseFastMutex(Mutex);
}

static VOID FASTCALL VfpAcquireFastUnsafe(PFAST_MUTEX Mutex)
{
    VfpAcquiring(Mutex, VfpFastMutex, FALSE, VFP_CALLER);
    ExAcquireFastMutexUnsafe(Mutex);
    VfpAcquired(Mutex, VfpFastMutex, VFP_CALLER);
}

static VOID FASTCALL VfpReleaseFastUnsafe(PFAST_MUTEX Mutex)
{
    VfpReleasing(Mutex, VfpFastMutex, FALSE);
    ExReleaseFastMutexUnsafe(Mutex);
}

static VOID FASTCALL VfpEnterAndAcquireFast(PFAST_MUTEX Mutex)
{
    VfpAcquiring(Mutex, VfpFastMutex, FALSE, VFP_CALLER);
    ExEnterCriticalRegionAndAcquireFastMutexUnsafe(Mutex);
    VfpAcquired(Mutex, VfpFastMutex, VFP_CALLER);
}

static VOID FASTCALL VfpReleaseFastAndLeave(PFAST_MUTEX Mutex)
{
    VfpReleasing(Mutex, VfpFastMutex, FALSE);
    ExReleaseFastMutexUnsafeAndLeaveCriticalRegion(Mutex);
}

static VOID FASTCALL VfpAcquireGuarded(PKGUARDED_MUTEX Mutex)
{
    VfpAcquiring(Mutex, VfpGuardedMutex, FALSE, VFP_CALLER);
    KeAcquireGuardedMutex(Mutex);
    VfpAcquired(Mutex, VfpGuardedMutex, VFP_CALLER);
}

static VOID FASTCALL VfpAcquireGuardedUnsafe(PKGUARDED_MUTEX Mutex)
{
    VfpAcquiring(Mutex, VfpGuardedMutex, FALSE, VFP_CALLER);
    KeAcquireGuardedMutexUnsafe(Mutex);
    VfpAcquired(Mutex, VfpGuardedMutex, VFP_CALLER);
}

static BOOLEAN FASTCALL VfpTryGuarded(PKGUARDED_MUTEX Mutex)
{
    BOOLEAN taken;

    VfpAcquiring(Mutex, VfpGuardedMutex, TRUE, VFP_CALLER);
    taken = KeTryToAcquireGuardedMutex(Mutex);
    if (taken)
    {
        VfpAcquired(Mutex, VfpGuardedMutex, VFP_CALLER);
    }
    return taken;
}

static VOID FASTCALL VfpReleaseGuarded(PKGUARDED_MUTEX Mutex)
{
    VfpReleasing(Mutex, VfpGuardedMutex, FALSE);
    KeReleaseGuardedMutex(Mutex);
}

static VOID FASTCALL VfpReleaseGuardedUnsafe(PKGUARDED_MUTEX Mutex)
{
    VfpReleasing(Mutex, VfpGuardedMutex, FALSE);
    KeReleaseGuardedMutexUnsafe(Mutex);
}

/* ---- mutexes, which are waited for like anything else ---- */

#define VFP_MUTANT_OBJECT 2 /* DISPATCHER_HEADER.Type */

static BOOLEAN VfpIsMutex(PVOID Object)
{
    return VfDeadlockOn && ((PDISPATCHER_HEADER)Object)->Type == VFP_MUTANT_OBJECT;
}

static VOID NTAPI VfpInitializeMutex(PRKMUTEX Mutex, ULONG Level)
{
    VfpRequireNonpaged(Mutex);
    if (VfDeadlockOn)
    {
        VfpInitializeLock(Mutex, VfpMutex);
    }
    KeInitializeMutex(Mutex, Level);
}

static LONG NTAPI VfpReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait)
{
    VfpReleasing(Mutex, VfpMutex, FALSE);
    return KeReleaseMutex(Mutex, Wait);
}

static BOOLEAN VfpIsPoll(PLARGE_INTEGER Timeout)
{
    return Timeout != NULL && Timeout->QuadPart == 0;
}

static NTSTATUS NTAPI VfpWaitForSingleObject(PVOID Object, KWAIT_REASON Reason, KPROCESSOR_MODE Mode, BOOLEAN Alertable,
                                             PLARGE_INTEGER Timeout)
{
    BOOLEAN mutex = VfpIsMutex(Object);
    NTSTATUS status;

    if (mutex)
    {
        VfpBeforeAcquire(Object, VfpMutex, VfpIsPoll(Timeout), VFP_CALLER);
    }
    status = KeWaitForSingleObject(Object, Reason, Mode, Alertable, Timeout);
    if (mutex && (status == STATUS_SUCCESS || status == STATUS_ABANDONED_WAIT_0))
    {
        VfpAfterAcquire(Object, VfpMutex, VFP_CALLER);
    }
    return status;
}

static NTSTATUS NTAPI VfpWaitForMultipleObjects(ULONG Count, PVOID Objects[], WAIT_TYPE Type, KWAIT_REASON Reason,
                                                KPROCESSOR_MODE Mode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                                                PKWAIT_BLOCK WaitBlocks)
{
    NTSTATUS status;
    ULONG index;

    for (ULONG i = 0; i < Count; i++)
    {
        if (VfpIsMutex(Objects[i]))
        {
            VfpBeforeAcquire(Objects[i], VfpMutex, VfpIsPoll(Timeout), VFP_CALLER);
        }
    }
    status = KeWaitForMultipleObjects(Count, Objects, Type, Reason, Mode, Alertable, Timeout, WaitBlocks);
    index = (ULONG)status & 0x3F;
    if ((ULONG)status >= Count && (ULONG)status - STATUS_ABANDONED_WAIT_0 >= Count)
    {
        return status;
    }
    for (ULONG i = 0; i < Count; i++)
    {
        if ((Type == WaitAll || i == index) && VfpIsMutex(Objects[i]))
        {
            VfpAfterAcquire(Objects[i], VfpMutex, VFP_CALLER);
        }
    }
    return status;
}

/* ---- binding ---- */

typedef struct _VFP_HOOK
{
    PCSTR Name;
    PVOID Routine;
} VFP_HOOK;

static const VFP_HOOK VfpHooks[] = {
    {"ExAcquireFastMutex", VfpAcquireFast},
    {"ExAcquireFastMutexUnsafe", VfpAcquireFastUnsafe},
    {"ExAcquireSpinLockExclusive", VfpAcquireExclusive},
    {"ExAcquireSpinLockShared", VfpAcquireShared},
    {"ExEnterCriticalRegionAndAcquireFastMutexUnsafe", VfpEnterAndAcquireFast},
    {"ExReleaseFastMutex", VfpReleaseFast},
    {"ExReleaseFastMutexUnsafe", VfpReleaseFastUnsafe},
    {"ExReleaseFastMutexUnsafeAndLeaveCriticalRegion", VfpReleaseFastAndLeave},
    {"ExTryToAcquireFastMutex", VfpTryFast},
    {"KeAcquireGuardedMutex", VfpAcquireGuarded},
    {"KeAcquireGuardedMutexUnsafe", VfpAcquireGuardedUnsafe},
    {"KeAcquireInStackQueuedSpinLock", VfpAcquireQueued},
    {"KeAcquireInStackQueuedSpinLockAtDpcLevel", VfpAcquireQueuedAtDpc},
    {"KeAcquireInStackQueuedSpinLockForDpc", VfpAcquireQueued},
    {"KeAcquireSpinLockAtDpcLevel", VfpAcquireSpinLockAtDpc},
    {"KeAcquireSpinLockForDpc", VfpAcquireSpinLock},
    {"KeAcquireSpinLockRaiseToDpc", VfpAcquireSpinLock},
    {"KeAcquireSpinLockRaiseToSynch", VfpAcquireSpinLockToSynch},
    {"KeInitializeEvent", VfpInitializeEvent},
    {"KeInitializeMutex", VfpInitializeMutex},
    {"KeInitializeSemaphore", VfpInitializeSemaphore},
    {"KeInitializeSpinLock", VfpInitializeSpin},
    {"KeInitializeTimer", VfpInitializeTimer},
    {"KeInitializeTimerEx", VfpInitializeTimerEx},
    {"KeRaiseIrql", VfpRaiseIrqlOld},
    {"KeRaiseIrqlToDpcLevel", VfpRaiseToDpc},
    {"KeRaiseIrqlToSynchLevel", VfpRaiseToSynch},
    {"KeReleaseGuardedMutex", VfpReleaseGuarded},
    {"KeReleaseGuardedMutexUnsafe", VfpReleaseGuardedUnsafe},
    {"KeReleaseInStackQueuedSpinLock", VfpReleaseQueued},
    {"KeReleaseInStackQueuedSpinLockForDpc", VfpReleaseQueued},
    {"KeReleaseInStackQueuedSpinLockFromDpcLevel", VfpReleaseQueuedFromDpc},
    {"KeReleaseMutex", VfpReleaseMutex},
    {"KeReleaseSpinLock", VfpReleaseSpinLock},
    {"KeReleaseSpinLockForDpc", VfpReleaseSpinLock},
    {"KeReleaseSpinLockFromDpcLevel", VfpReleaseSpinLockFromDpc},
    {"KeSetEvent", VfpSetEvent},
    {"KeTryToAcquireGuardedMutex", VfpTryGuarded},
    {"KeTryToAcquireSpinLockAtDpcLevel", VfpTrySpinLockAtDpc},
    {"KeWaitForMultipleObjects", VfpWaitForMultipleObjects},
    {"KeWaitForSingleObject", VfpWaitForSingleObject},
    {"KefAcquireSpinLockAtDpcLevel", VfpAcquireSpinLockAtDpc},
    {"KefReleaseSpinLockFromDpcLevel", VfpReleaseSpinLockFromDpc},
    {"KfAcquireSpinLock", VfpAcquireSpinLock},
    {"KfRaiseIrql", VfpRaiseIrql},
    {"KfReleaseSpinLock", VfpReleaseSpinLock},
};

PVOID VfHookFor(PCSTR Name, PVOID Routine)
{
    if (!VfOption(VfDeadlock) && !VfOption(VfForceIrql))
    {
        return Routine;
    }
    if (VfOption(VfDeadlock) && !VfDeadlockOn)
    {
        VfpInitializeDeadlock();
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(VfpHooks); i++)
    {
        if (strcmp(VfpHooks[i].Name, Name) == 0)
        {
            return VfpHooks[i].Routine;
        }
    }
    return Routine;
}
