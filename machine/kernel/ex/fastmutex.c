/* SPDX-License-Identifier: MIT */
/*
 * Fast mutexes. Count is 1 when free, 0 when held, negative by the number of waiters.
 * The event is a synchronization event: each release with waiters lets exactly one go on.
 */
#include "exp.h"
#include "vf.h"

static VOID ExpAcquire(PFAST_MUTEX Mutex)
{
    if (VfShuffleOn)
    {
        VfShuffleHere(TRUE);
    }
    if (InterlockedDecrement(&Mutex->Count) != 0)
    {
        Mutex->Contention++;
        KeWaitForSingleObject(&Mutex->Event, WrFastMutex, KernelMode, FALSE, NULL);
    }
    Mutex->Owner = KiCurrentThread();
}

static VOID ExpRelease(PFAST_MUTEX Mutex)
{
    Mutex->Owner = NULL;
    if (InterlockedIncrement(&Mutex->Count) <= 0)
    {
        KeSetEvent(&Mutex->Event, IO_NO_INCREMENT, FALSE);
    }
}

/** Takes the mutex and raises to APC_LEVEL. IRQL <= APC_LEVEL. Not recursive. */
VOID FASTCALL ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL irql;

    KeRaiseIrql(APC_LEVEL, &irql);
    ExpAcquire(FastMutex);
    FastMutex->OldIrql = irql;
}

VOID FASTCALL ExReleaseFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL irql = (KIRQL)FastMutex->OldIrql;

    ExpRelease(FastMutex);
    KeLowerIrql(irql);
}

BOOLEAN FASTCALL ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KIRQL irql;

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
    ExpAcquire(FastMutex);
}

VOID FASTCALL ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    ExpRelease(FastMutex);
}

VOID FASTCALL ExEnterCriticalRegionAndAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    KeEnterCriticalRegion();
    ExpAcquire(FastMutex);
}

VOID FASTCALL ExReleaseFastMutexUnsafeAndLeaveCriticalRegion(PFAST_MUTEX FastMutex)
{
    ExpRelease(FastMutex);
    KeLeaveCriticalRegion();
}
