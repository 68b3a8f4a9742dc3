/* SPDX-License-Identifier: MIT */
/*
 * Fast mutexes. Count is 1 when free, 0 when held, negative by the number of waiters.
 * The event is a synchronization event: each release with waiters lets exactly one go on.
 */
#include "exp.h"
#include "vf.h"

/* Verifier: C4, 33 to acquire above APC_LEVEL, 34 to release at any other level. */
static inline VOID ExpCheck(PFAST_MUTEX Mutex, BOOLEAN Holds, ULONG Rule)
{
    if (!Holds)
    {
        VfCheck(FALSE, Rule, KeGetCurrentIrql(), (ULONG_PTR)Mutex, 0);
    }
}

/* C4, 39 and 3A: the "unsafe" routines are for callers to whom no normal kernel APC can come. */
static inline VOID ExpCheckUnsafe(PFAST_MUTEX Mutex, ULONG Rule, PVOID Caller)
{
    PKTHREAD thread = KiCurrentThread();

    if (KeGetCurrentIrql() != APC_LEVEL && thread->CombinedApcDisable == 0 && VfIsChecked(Caller))
    {
        VfCheck(FALSE, Rule, KeGetCurrentIrql(), 0, (ULONG_PTR)Mutex);
    }
}

/* Somebody holds it. */
VF_SELDOM VOID ExWaitForFastMutex(PFAST_MUTEX Mutex)
{
    Mutex->Contention++;
    KeWaitForSingleObject(&Mutex->Event, WrFastMutex, KernelMode, FALSE, NULL);
}

/* Somebody waits for it. */
VF_SELDOM VOID ExWakeFastMutex(PFAST_MUTEX Mutex)
{
    KeSetEvent(&Mutex->Event, IO_NO_INCREMENT, FALSE);
}

/** Takes the mutex and raises to APC_LEVEL. IRQL <= APC_LEVEL. Not recursive. */
VOID FASTCALL ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL irql;

    ExpCheck(FastMutex, KeGetCurrentIrql() <= APC_LEVEL, 0x33);
    KeRaiseIrql(APC_LEVEL, &irql);
    ExEnterFastMutex(FastMutex);
    FastMutex->OldIrql = irql;
}

VOID FASTCALL ExReleaseFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL irql = (KIRQL)FastMutex->OldIrql;

    ExpCheck(FastMutex, KeGetCurrentIrql() == APC_LEVEL, 0x34);
    ExLeaveFastMutex(FastMutex);
    KeLowerIrql(irql);
}

BOOLEAN FASTCALL ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL irql;

    ExpCheck(FastMutex, KeGetCurrentIrql() <= APC_LEVEL, 0x33);
    KeRaiseIrql(APC_LEVEL, &irql);
    if (InterlockedCompareExchange(&FastMutex->Count, 0, 1) != 1)
    {
        KeLowerIrql(irql);
        return FALSE;
    }
    FastMutex->Owner = KiCurrentThread();
    FastMutex->OldIrql = irql;
    return TRUE;
}

/** Takes the mutex; the caller is at APC_LEVEL or in a critical region already. */
VOID FASTCALL ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    ExpCheckUnsafe(FastMutex, 0x39, __builtin_return_address(0));
    ExEnterFastMutex(FastMutex);
}

VOID FASTCALL ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    ExpCheckUnsafe(FastMutex, 0x3A, __builtin_return_address(0));
    ExLeaveFastMutex(FastMutex);
}

VOID FASTCALL ExEnterCriticalRegionAndAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    KeEnterCriticalRegion();
    ExEnterFastMutex(FastMutex);
}

VOID FASTCALL ExReleaseFastMutexUnsafeAndLeaveCriticalRegion(PFAST_MUTEX FastMutex)
{
    ExLeaveFastMutex(FastMutex);
    KeLeaveCriticalRegion();
}
