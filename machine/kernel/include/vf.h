/* SPDX-License-Identifier: MIT */
/*
 * VF: what Driver Verifier does: options, checks, trackers.
 */
#pragma once

#include "nt.h"

typedef enum _VF_OPTION
{
    VfTrackLockedPages,   /* 0xCB instead of 0x76, naming the driver; on unless option=notrack */
    VfChecks,             /* the 0xC4 and 0xC9 rules; on unless option=noverifier */
    VfIoChecks,           /* the 0xC9 rules among them; off with option=noio */
    VfTrimPressure,       /* pageable memory leaves at random moments; option=trim */
    VfSpecialPool,        /* a page per pool block of a driver; option=specialpool[:underrun] */
    VfForceIrql,          /* pageable memory is hidden from drivers at DISPATCH_LEVEL; option=forceirql */
    VfDeadlock,           /* order of locks; option=deadlock */
    VfVerbose,            /* option=verbose */
    VfOptionCount
} VF_OPTION;

/** Keeps the text of boot.cfg (which must stay in memory) and answers every later question from it. Before all rooms. */
VOID VfInitialize(PCSTR Configuration, SIZE_T Length);

extern BOOLEAN VfOptions[VfOptionCount];

/** Any IRQL. */
static inline BOOLEAN VfOption(VF_OPTION Option)
{
    return VfOptions[Option];
}

/*
 * What is called only when something is wrong, or in a mode that is off. Such a routine saves all registers itself, so
 * that the one that might call it keeps its variables where it likes, and saves none on entry for the call's sake.
 */
#define VF_SELDOM __attribute__((preserve_most, cold, noinline))

/* Without debug information of its own: stacks show the routine that it is inlined into. */
#define VF_INLINE static inline __attribute__((nodebug, always_inline))

/** TRUE if boot.cfg has `option=Name` or `option=Name:...`. Any IRQL. */
BOOLEAN VfOptionGiven(PCSTR Name);

/** TRUE if the last `option=Name:Value` has this value. Any IRQL. */
BOOLEAN VfOptionIs(PCSTR Name, PCSTR Value);

/** The number of `option=Name:Value` (decimal, or hexadecimal with 0x), or Default if it is absent or no number. Any IRQL. */
ULONG64 VfOptionValue(PCSTR Name, ULONG64 Default);

/**
 * What a driver's import of a kernel routine is bound to: the routine, or what checks its calls if a mode wants that.
 * PASSIVE_LEVEL.
 */
PVOID VfHookFor(PCSTR Name, PVOID Routine);

/* Deadlock detection (deadlock.c); these do nothing unless it is on. */
extern BOOLEAN VfDeadlockOn; /* the mode is on and its tables exist */
VF_SELDOM VOID VfpForgetLocks(PVOID Base, SIZE_T Size);

/** Memory that may hold locks is given back. Any IRQL. */
static inline VOID VfForgetLocks(PVOID Base, SIZE_T Size)
{
    if (VfDeadlockOn)
    {
        VfpForgetLocks(Base, Size);
    }
}

VOID VfThreadEnds(VOID);
VOID VfReportDeadlock(VOID);

/** TRUE if the checks are on and Caller, a return address, is in a driver: the kernel's own calls are not checked. Any
    IRQL. */
BOOLEAN VfIsChecked(PVOID Caller);

/*
 * Rules E0 to E4 and E6 on the addresses that a driver passes; nothing happens unless the checks are on and Caller is in
 * a driver. Any IRQL.
 */
VOID VfCheckStructure(PVOID Structure, SIZE_T Size, PVOID Caller);
VOID VfCheckSynchronization(PVOID Object, PVOID Caller);
VOID VfCheckIrpAddresses(PIRP Irp, PVOID Caller); /* RequestorMode is KernelMode */
VOID VfCheckService(PCSTR Kinds, const ULONG_PTR *Arguments, PVOID Caller);

VF_SELDOM VOID VfpCheck(ULONG_PTR Rule, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4);

/** Bug check 0xC4 with these parameters unless the rule holds or the checks are off. Any IRQL. */
VF_INLINE VOID VfCheck(BOOLEAN Holds, ULONG_PTR Rule, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4)
{
    if (__builtin_expect(!Holds, FALSE))
    {
        VfpCheck(Rule, P2, P3, P4);
    }
}

/* ---- the ledger: who holds what, and the stack that took it ---- */

typedef enum _VF_HOLDING
{
    VfPageLock,        /* key: the MDL; size: pages */
    VfSystemMapping,   /* key: first page; size: pages */
    VfUserMapping,     /* key: first page, in a process; size: pages */
    VfReservedMapping, /* key: first page; size: pages */
    VfIoMapping,       /* key: first page; size: pages */
    VfMdl,             /* key: the MDL; size: bytes it describes */
    VfMdlPages,        /* key: the MDL; size: pages */
    VfContiguous,      /* key: first page; size: pages */
    VfPool,            /* key: the block; size: bytes */
    VfIrp,             /* key: the IRP */
    VfWorkItem,        /* key: the work item */
    VfHandle,          /* key: the handle, in a process */
    VfReference,       /* key: the object */
    VfHoldingKinds
} VF_HOLDING;

/*
 * Information classes of NtQuerySystemInformation. The first answers with a VF_LEDGER; the second has ntrun show the
 * ledger at that moment, under the title (ASCII) that the buffer holds. Windows answers STATUS_INVALID_INFO_CLASS, so a
 * program that asks runs there too. Classes, not a device: asking takes no handle, IRP or pool that would be in the
 * answer.
 */
#define VF_SYSTEM_LEDGER_CLASS 0x4C564649u
#define VF_SYSTEM_LEDGER_REPORT_CLASS 0x4C56464Au

typedef struct _VF_LEDGER_HOLDING
{
    ULONG64 Kind; /* VF_HOLDING */
    ULONG64 Key;
    ULONG64 Size;
    ULONG64 ProcessId, ThreadId;
    CHAR Driver[32]; /* "foo.sys" */
    ULONG64 Offset;  /* in it: the innermost return address on the stack that took it */
} VF_LEDGER_HOLDING;

typedef struct _VF_LEDGER
{
    ULONG64 Count;
    ULONG64 Lost; /* holdings that could not be written down for want of memory */
    VF_LEDGER_HOLDING Holdings[1];
} VF_LEDGER;

extern BOOLEAN VfLedgerOn;

/** Starts the ledger if it was asked for. Once, as soon as there is pool. */
VOID VfStartLedger(VOID);

VF_SELDOM VOID VfpTake(VF_HOLDING Kind, const VOID *Key, const VOID *Process, ULONG64 Size, ULONG Tag);
VF_SELDOM VOID VfpTakeObject(VF_HOLDING Kind, const VOID *Key, const VOID *Process, PVOID Object);
VF_SELDOM VOID VfpGive(VF_HOLDING Kind, const VOID *Key, const VOID *Process, PVOID Caller);
VF_SELDOM VOID VfpMove(VF_HOLDING Kind, const VOID *Key, const VOID *NewKey, ULONG64 NewSize);
VOID VfpForget(VF_HOLDING Kind, const VOID *Key);
BOOLEAN VfpIsDriver(PVOID Caller);

/** Writes down what the running thread took, if a driver is on its stack. Any IRQL; no lock that pool needs may be
    held. */
VF_INLINE VOID VfTake(VF_HOLDING Kind, const VOID *Key, const VOID *Process, ULONG64 Size, ULONG Tag)
{
    if (__builtin_expect(VfLedgerOn, FALSE))
    {
        VfpTake(Kind, Key, Process, Size, Tag);
    }
}

/** It was given back, by whomever. Any IRQL. */
VF_INLINE VOID VfGive(VF_HOLDING Kind, const VOID *Key, const VOID *Process)
{
    if (__builtin_expect(VfLedgerOn, FALSE))
    {
        VfpGive(Kind, Key, Process, NULL);
    }
}

/** A part was given back: what is left goes by NewKey, and is of NewSize. Any IRQL. */
VF_INLINE VOID VfMove(VF_HOLDING Kind, const VOID *Key, const VOID *NewKey, ULONG64 NewSize)
{
    if (__builtin_expect(VfLedgerOn, FALSE))
    {
        VfpMove(Kind, Key, NewKey, NewSize);
    }
}

/** A handle to Object was made in the table of Process. PASSIVE_LEVEL. */
VF_INLINE VOID VfTakeHandle(HANDLE Handle, const VOID *Process, PVOID Object)
{
    if (__builtin_expect(VfLedgerOn, FALSE))
    {
        VfpTakeObject(VfHandle, Handle, Process, Object);
    }
}

/** The code at Caller has taken a reference to Object; nothing if that is the kernel's. Any IRQL. */
VF_INLINE VOID VfTakeReference(PVOID Object, PVOID Caller)
{
    if (__builtin_expect(VfLedgerOn, FALSE) && VfpIsDriver(Caller))
    {
        VfpTakeObject(VfReference, Object, NULL, Object);
    }
}

/** A driver at Caller gives a reference back: the youngest that it has, or else the youngest of another driver. */
VF_INLINE VOID VfGiveReference(const VOID *Object, PVOID Caller)
{
    if (__builtin_expect(VfLedgerOn, FALSE) && VfpIsDriver(Caller))
    {
        VfpGive(VfReference, Object, NULL, Caller);
    }
}

/** Reports the ledger, all of it or what a driver's LDR_MODULE holds, under a title. IRQL <= DISPATCH_LEVEL. */
VOID VfReportLedger(PCSTR Title, const VOID *Module);

/** Reports who holds what has one of these keys; for a bug check's parameters. Any IRQL. */
VOID VfReportLedgerFor(const ULONG_PTR *Keys, ULONG Count);

/**
 * The answer to VF_SYSTEM_LEDGER_CLASS.
 *
 * @param Ledger  kernel memory of Length bytes
 * @return STATUS_INFO_LENGTH_MISMATCH with the length needed; STATUS_NOT_SUPPORTED if the ledger is off
 * IRQL PASSIVE_LEVEL.
 */
NTSTATUS VfQueryLedger(VF_LEDGER *Ledger, ULONG Length, PULONG ReturnLength);

/* ---- low resources (failures.c), option=fail:... ---- */

typedef enum _VF_REQUEST
{
    VfRequestPool, VfRequestMdl, VfRequestLock, VfRequestKernelView, VfRequestUserView, VfRequestPages,
    VfRequestAddresses, VfRequestContiguous, VfRequestIoSpace, VfRequestIrp, VfRequestCallback,
} VF_REQUEST;

extern BOOLEAN VfFailuresOn;
VF_SELDOM BOOLEAN VfGrant(VF_REQUEST Request);

/** FALSE: the request is to fail as if the resource were used up. Where a request that may fail is made. <= DISPATCH_LEVEL. */
static inline BOOLEAN VfGranted(VF_REQUEST Request)
{
    return !VfFailuresOn || VfGrant(Request);
}

/* ---- killing the program (kill.c), option=kill:... ---- */

extern BOOLEAN VfKillOn;
NTSTATUS VfStartKillers(VOID);               /* once all processors run; PASSIVE_LEVEL */
VOID VfWatchProgram(PEPROCESS Process);      /* the program under test; PASSIVE_LEVEL */
VOID VfWatchEnded(VOID);                     /* it has ended */
VOID VfKillAtService(BOOLEAN Leaving);       /* in its thread, PASSIVE_LEVEL */
VOID VfKillAtWait(VOID);                     /* the current thread is about to give up its processor; dispatcher lock held */
VF_SELDOM VOID VfKillAtCall(PVOID Routine);  /* a dispatch routine is about to be called; <= DISPATCH_LEVEL */

/* ---- other interleavings (shuffle.c), option=shuffle ---- */

extern BOOLEAN VfShuffleOn;
/** Perhaps lets another processor, or (MayYield, nothing held) another thread, go first. Any IRQL. */
VF_SELDOM VOID VfShuffleHere(BOOLEAN MayYield);

/* ---- both want clock interrupts between the ticks (clock.c) ---- */

BOOLEAN VfNudgesOn(VOID);
ULONG64 VfNextNudge(ULONG64 Now);            /* when, in time stamp counts; MAXULONG64 never. Interrupts off */
BOOLEAN VfNudge(ULONG64 Now, PVOID Pc);      /* it is due; TRUE: the current thread's turn is over. CLOCK_LEVEL */

/** The first option whose value makes no sense, or NULL. */
PCSTR VfBadOption(VOID);

/** Says on the consoles what the options above did. PASSIVE_LEVEL, at the end. */
VOID VfReport(VOID);
