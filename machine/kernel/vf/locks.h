/* SPDX-License-Identifier: MIT */
/* Private to VF: the graph of lock orders (deadlock.c), and who tells it (locks.c). */
#pragma once

#include "ke.h"
#include "vf.h"

typedef enum _VFP_LOCK_TYPE
{
    VfpSpinLock,
    VfpQueuedSpinLock,
    VfpFastMutex,
    VfpGuardedMutex,
    VfpMutex,
} VFP_LOCK_TYPE;


/** Makes the tables. PASSIVE_LEVEL, once, with the first driver. */
VOID VfpInitializeDeadlock(VOID);

/** A driver is about to take a lock. Try: it does not wait if the lock is taken. Bug check C4/1000, 1001, 1002, 1008. */
VOID VfpBeforeAcquire(PVOID Lock, VFP_LOCK_TYPE Type, BOOLEAN Try, PVOID Caller);
/** It has it. */
VOID VfpAfterAcquire(PVOID Lock, VFP_LOCK_TYPE Type, PVOID Caller);
/**
 * A driver is about to give a lock back. Lowers: the IRQL falls below what spin locks, or fast mutexes, are held at.
 * Bug check C4/1003, 1004, 1007, 1009.
 */
VOID VfpBeforeRelease(PVOID Lock, VFP_LOCK_TYPE Type, BOOLEAN Lowers);
/** A driver initializes a lock. Bug check C4/1005 if it is known already. */
VOID VfpInitializeLock(PVOID Lock, VFP_LOCK_TYPE Type);
