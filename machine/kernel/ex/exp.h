/* SPDX-License-Identifier: MIT */
/* Private to EX. */
#pragma once

#include "ex.h"
#include "ke.h"
#include "ob.h"
#include "ps.h"

#ifndef MUTANT_INCREMENT
#define MUTANT_INCREMENT 1
#endif
#ifndef TIMER_APC_INCREMENT
#define TIMER_APC_INCREMENT 0
#endif

NTSTATUS NTAPI ObCloseHandle(HANDLE Handle, KPROCESSOR_MODE Mode);

#define EX_TAG ' xE '

VOID ExpInitializeEvents(VOID);
VOID ExpInitializeMutants(VOID);
VOID ExpInitializeSemaphores(VOID);
VOID ExpInitializeTimers(VOID);
VOID ExpInitializeCallbacks(VOID);
VOID ExpInitializeWorkers(VOID);
VOID ExpInitializeRandom(VOID);

/** Makes an object type or stops the machine: without its types the kernel cannot start. */
VOID ExpCreateType(const OB_TYPE_DEFINITION *Definition, POBJECT_TYPE *Type);

/** Checks that a user-mode caller may write a handle there. Raises; call inside __try. */
VOID ExpProbeHandle(PHANDLE Handle, KPROCESSOR_MODE Mode);

/** Gives a handle to the caller; if the pointer went bad meanwhile the handle is closed again. */
NTSTATUS ExpReturnHandle(PHANDLE Target, HANDLE Handle);

/** Creation common to the waitable objects: object, handle, hand-over. Initialize fills the zeroed body. */
typedef VOID (*PEXP_INITIALIZE)(PVOID Object, const VOID *Parameters);
NTSTATUS ExpCreateWaitable(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, POBJECT_TYPE Type, ULONG BodySize,
                           PEXP_INITIALIZE Initialize, const VOID *Parameters);
NTSTATUS ExpOpenWaitable(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, POBJECT_TYPE Type);

/** Stores a LONG through an optional user pointer. */
NTSTATUS ExpReturnLong(PLONG Target, LONG Value);

/* Live structures of drivers (live.c); Caller is the return address of the exported routine. IRQL <= DISPATCH_LEVEL. */
typedef enum _EXP_LIVE_KIND
{
    ExpLiveResource,
    ExpLiveLookaside,
} EXP_LIVE_KIND;

VOID ExpCheckNew(EXP_LIVE_KIND Kind, PVOID Structure, PVOID Caller);  /* before it is written to */
VOID ExpEnterLive(EXP_LIVE_KIND Kind, PVOID Structure, PVOID Caller); /* initialises its list entry */
VOID ExpLeaveLive(EXP_LIVE_KIND Kind, PVOID Structure, PVOID Caller);

/**
 * Takes a spin lock with interrupts off, at whatever IRQL the caller is; the lock may be a driver's, so it is held as KE
 * holds one (owner's thread with bit 0 set). Returns whether interrupts were on.
 */
static inline BOOLEAN ExpLockInterrupts(PKSPIN_LOCK Lock)
{
    BOOLEAN enabled = (__readeflags() & 0x200) != 0;
    LONG64 owner = (LONG64)KiCurrentThread() | 1;

    _disable();
    while (InterlockedCompareExchange64((volatile LONG64 *)Lock, owner, 0) != 0)
    {
        /* Waits with interrupts as they were: whoever holds the lock may be waiting for us to drop translations. */
        if (enabled)
        {
            _enable();
        }
        while (*(volatile KSPIN_LOCK *)Lock != 0)
        {
            YieldProcessor();
        }
        _disable();
    }
    return enabled;
}

static inline VOID ExpUnlockInterrupts(PKSPIN_LOCK Lock, BOOLEAN Enabled)
{
    WriteRelease64((volatile LONG64 *)Lock, 0);
    if (Enabled)
    {
        _enable();
    }
}
