/* SPDX-License-Identifier: MIT */
/*
 * EX: executive support: resources, lookaside lists, fast mutexes, push locks, rundown protection, work items,
 * callbacks; and the objects programs name: events, mutants, semaphores, timers. (Pool is MM's.)
 */
#pragma once

#include "ke.h"
#include "vf.h"

VOID ExInitializePhase0(VOID);     /* locks and lists; before threads */
VOID ExInitializePhase1(VOID);     /* object types, worker threads */
extern POBJECT_TYPE ExMutantObjectType, ExTimerObjectType;

/** Waits until every queued work item has run. PASSIVE_LEVEL; for unload and shutdown. */
VOID ExDrainWorkQueues(VOID);
/*
 * What is about to be freed holds a live resource or lookaside list of a driver (C4, D2 and CC), or a queued work item
 * (E4, 0). IRQL <= DISPATCH_LEVEL.
 */
VOID ExCheckForLive(PVOID Memory, SIZE_T Size);
VOID ExCheckForWorker(PVOID Memory, SIZE_T Size);
/** Checks what a work item's routine left behind: bug checks E1, 1, DF. */
VOID ExCheckWorkerReturn(PVOID Routine, PVOID Parameter, PVOID Item);
/** Event trace providers that drivers have registered and not ended. Any IRQL. */
ULONG EtwQueryProviderCount(VOID);
/** Random 64-bit number from a generator seeded at boot (deterministic with option=seed). Any IRQL. */
ULONG64 ExGenRandom64(VOID);

/* ---- fast mutexes, for rooms that take them often (fastmutex.c) ---- */

VF_SELDOM VOID ExWaitForFastMutex(PFAST_MUTEX Mutex);
VF_SELDOM VOID ExWakeFastMutex(PFAST_MUTEX Mutex);

/** Takes a mutex without a look at the IRQL, which keeps APCs away: APC_LEVEL, or a critical region. */
static inline VOID ExEnterFastMutex(PFAST_MUTEX Mutex)
{
    if (VfShuffleOn)
    {
        VfShuffleHere(TRUE);
    }
    if (InterlockedDecrement(&Mutex->Count) != 0)
    {
        ExWaitForFastMutex(Mutex);
    }
    Mutex->Owner = KiCurrentThread();
}

/** Undoes ExEnterFastMutex. */
static inline VOID ExLeaveFastMutex(PFAST_MUTEX Mutex)
{
    Mutex->Owner = NULL;
    if (InterlockedIncrement(&Mutex->Count) <= 0)
    {
        ExWakeFastMutex(Mutex);
    }
}
