/* SPDX-License-Identifier: MIT */
/*
 * Guarded mutexes: as fast mutexes, but instead of raising the IRQL their owner is in a guarded region.
 *
 * Count is 1 when free, 0 when owned, below when others wait; the owner lets one waiter through the gate, who owns the
 * mutex from then on.
 */
#include "kip.h"

/** Makes a guarded mutex. IRQL: any. */
VOID FASTCALL KeInitializeGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    RtlZeroMemory(GuardedMutex, sizeof(*GuardedMutex));
    GuardedMutex->Count = 1;
    GuardedMutex->Gate.Header.Type = KiGateObject;
    GuardedMutex->Gate.Header.Size = sizeof(KGATE) / sizeof(ULONG);
    InitializeListHead(&GuardedMutex->Gate.Header.WaitListHead);
}

/** Takes the mutex; the caller is in a guarded region already. IRQL: <= APC_LEVEL. */
VOID FASTCALL KeAcquireGuardedMutexUnsafe(PKGUARDED_MUTEX GuardedMutex)
{
    if (InterlockedDecrement(&GuardedMutex->Count) != 0)
    {
        InterlockedIncrement((volatile LONG *)&GuardedMutex->Contention);
        KeWaitForSingleObject(&GuardedMutex->Gate, WrGuardedMutex, KernelMode, FALSE, NULL);
    }
    GuardedMutex->Owner = KiCurrentThread();
}

/** Gives the mutex back, staying in the guarded region. */
VOID FASTCALL KeReleaseGuardedMutexUnsafe(PKGUARDED_MUTEX GuardedMutex)
{
    GuardedMutex->Owner = NULL;
    if (InterlockedIncrement(&GuardedMutex->Count) <= 0)
    {
        KeSetEvent((PKEVENT)&GuardedMutex->Gate, 1, FALSE); /* a gate resets like a synchronization event */
    }
}

/** Enters a guarded region and takes the mutex. Not recursive. IRQL: <= APC_LEVEL. */
VOID FASTCALL KeAcquireGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    KeEnterGuardedRegion();
    KeAcquireGuardedMutexUnsafe(GuardedMutex);
}

/** Gives the mutex back and leaves the guarded region. */
VOID FASTCALL KeReleaseGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    KeReleaseGuardedMutexUnsafe(GuardedMutex);
    KeLeaveGuardedRegion();
}

/** Takes the mutex if it is free; in a guarded region then, not otherwise. IRQL: <= APC_LEVEL. */
BOOLEAN FASTCALL KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX GuardedMutex)
{
    KeEnterGuardedRegion();
    if (InterlockedCompareExchange(&GuardedMutex->Count, 0, 1) == 1)
    {
        GuardedMutex->Owner = KiCurrentThread();
        return TRUE;
    }
    KeLeaveGuardedRegion();
    return FALSE;
}
