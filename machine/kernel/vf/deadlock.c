/* SPDX-License-Identifier: MIT */
/*
 * Deadlock detection: the order in which drivers take locks.
 *
 * Each lock that a driver takes is a node; taking B while holding A draws the edge A -> B, and keeps it. Before the
 * edge
 * is drawn, a way from B back to A is looked for: if there is one, the two orders can meet on two processors some day,
 * and the machine stops now (C4/1001), whether or not they ever have.
 *
 *      thread 1: A, B        A --> B
 *      thread 2: B, C        B --> C           holding C, takes A: C --> A would close the circle
 *
 * What is held belongs to the thread, or to the processor inside a DPC, which borrows whatever thread it interrupts.
 * A request that does not wait (try, time-out 0) draws no edge to the lock it asks for: it cannot be part of a deadlock
 * as the one who waits. Recursion of a KMUTEX draws none either.
 *
 * Not looked at: locks the kernel takes for itself, ERESOURCEs and pushlocks (Windows' detection does not either),
 * locks
 * on kernel stacks (the next call puts another lock there, and nobody says so).
 *
 * Choices where the documentation leaves room. 1003, release in the wrong order, is raised when a release lowers the
 * IRQL below what a lock taken later needs; hand-over-hand release at one IRQL is sound and common, and passes. 1002 is
 * raised when a lock is seen for the first time and cannot have been initialized, by what it holds: many locks are
 * initialized inline, so that nobody can know otherwise.
 *
 * Nodes and edges come from tables made once, so nothing is allocated under a driver's locks; when they are full, what
 * does not fit is not looked at, and counted. One raw lock with interrupts off guards all; bug checks are raised after
 * it.
 *
 * Facts: "Bug Check 0xC4" and "Deadlock Detection", windows-driver-docs.
 */
#include "locks.h"
#include "hal.h"
#include "ldr.h"
#include "mm.h"

#define VFP_LOCKS 8192
#define VFP_EDGES 32768
#define VFP_BUCKETS 1024

typedef struct _VFP_LOCK
{
    ULONG_PTR Address;
    USHORT NextInBucket;  /* 0: none, here and in all links; node and edge 0 are never used */
    USHORT NextHeld;
    USHORT FirstEdge;     /* to locks taken while this one was held */
    USHORT EdgesToIt;
    UCHAR Type;           /* VFP_LOCK_TYPE */
    ULONG Depth;          /* 0: not held, as far as drivers' calls tell */
    ULONG Mark;           /* the last search that came by */
    USHORT From;          /* and the node it came from */
    ULONG_PTR Owner;      /* VfpContext */
    PKTHREAD Thread;
    ULONG64 Sequence;     /* of the acquisition */
    PVOID Caller;
} VFP_LOCK;

typedef struct _VFP_EDGE
{
    USHORT To;
    USHORT Next;
    PVOID Caller;         /* who took To while holding the node */
} VFP_EDGE;

typedef struct _VFP_ISSUE
{
    ULONG_PTR Rule, P2, P3, P4; /* Rule 0: none */
} VFP_ISSUE;

BOOLEAN VfDeadlockOn;
static VFP_LOCK *VfpLocks;
static VFP_EDGE *VfpEdges;
static USHORT VfpBuckets[VFP_BUCKETS];
static USHORT VfpFreeLock, VfpFreeEdge; /* chained by NextInBucket and Next */
static USHORT VfpHeld;                  /* all held locks, latest first */
static ULONG VfpSearch;
static ULONG64 VfpSequence;
static volatile LONG VfpGuard;
static LONG64 VfpAcquisitions, VfpEdgesDrawn, VfpNotLookedAt;

VOID VfpInitializeDeadlock(VOID)
{
    VfpLocks = ExAllocatePoolWithTag(NonPagedPoolNx, VFP_LOCKS * sizeof(VFP_LOCK), 'ldfV');
    VfpEdges = ExAllocatePoolWithTag(NonPagedPoolNx, VFP_EDGES * sizeof(VFP_EDGE), 'ldfV');
    if (VfpLocks == NULL || VfpEdges == NULL)
    {
        HalPrint(HalStreamError, "machine: no memory for deadlock detection; it stays off\n");
        return;
    }
    RtlZeroMemory(VfpLocks, VFP_LOCKS * sizeof(VFP_LOCK));
    RtlZeroMemory(VfpEdges, VFP_EDGES * sizeof(VFP_EDGE));
    for (ULONG i = VFP_LOCKS - 1; i != 0; i--)
    {
        VfpLocks[i].NextInBucket = VfpFreeLock;
        VfpFreeLock = (USHORT)i;
    }
    for (ULONG i = VFP_EDGES - 1; i != 0; i--)
    {
        VfpEdges[i].Next = VfpFreeEdge;
        VfpFreeEdge = (USHORT)i;
    }
    VfDeadlockOn = TRUE;
}

static BOOLEAN VfpEnter(VOID)
{
    BOOLEAN enabled = (__builtin_ia32_readeflags_u64() & 0x200) != 0;

    KiDisable();
    while (InterlockedExchange(&VfpGuard, 1) != 0)
    {
        YieldProcessor();
    }
    return enabled;
}

static VOID VfpLeave(BOOLEAN Enabled, const VFP_ISSUE *Issue)
{
    WriteRelease(&VfpGuard, 0);
    if (Enabled)
    {
        KiEnable();
    }
    if (Issue != NULL && Issue->Rule != 0)
    {
        VfCheck(FALSE, Issue->Rule, Issue->P2, Issue->P3, Issue->P4);
    }
}

/* Whose the locks are that are taken now. */
static ULONG_PTR VfpContext(VOID)
{
    return KeIsInDpc() ? KiCurrentProcessor() + 1 : (ULONG_PTR)KiCurrentThread();
}

static BOOLEAN VfpIsLookedAt(PVOID Lock)
{
    return !MmIsSystemPteAddress(Lock) && !LdrIsKernelAddress(Lock); /* kernel stacks are there */
}

/* ---- nodes ---- */

static PUSHORT VfpBucketOf(ULONG_PTR Address)
{
    return &VfpBuckets[(Address >> PAGE_SHIFT) % VFP_BUCKETS]; /* by page, so that a freed range is found quickly */
}

static USHORT VfpFind(PVOID Lock)
{
    USHORT index = *VfpBucketOf((ULONG_PTR)Lock);

    while (index != 0 && VfpLocks[index].Address != (ULONG_PTR)Lock)
    {
        index = VfpLocks[index].NextInBucket;
    }
    return index;
}

static USHORT VfpAdd(PVOID Lock, VFP_LOCK_TYPE Type)
{
    PUSHORT bucket = VfpBucketOf((ULONG_PTR)Lock);
    USHORT index = VfpFreeLock;

    if (index == 0)
    {
        VfpNotLookedAt++;
        return 0;
    }
    VfpFreeLock = VfpLocks[index].NextInBucket;
    RtlZeroMemory(&VfpLocks[index], sizeof(VFP_LOCK));
    VfpLocks[index].Address = (ULONG_PTR)Lock;
    VfpLocks[index].Type = (UCHAR)Type;
    VfpLocks[index].NextInBucket = *bucket;
    *bucket = index;
    return index;
}

static VOID VfpUnlinkHeld(USHORT Index)
{
    PUSHORT link = &VfpHeld;

    while (*link != 0 && *link != Index)
    {
        link = &VfpLocks[*link].NextHeld;
    }
    if (*link == Index)
    {
        *link = VfpLocks[Index].NextHeld;
    }
    VfpLocks[Index].Depth = 0;
    VfpLocks[Index].Owner = 0;
}

/* ---- edges ---- */

static VOID VfpDropEdges(VFP_LOCK *From, USHORT To /* 0: all */)
{
    PUSHORT link = &From->FirstEdge;

    while (*link != 0)
    {
        USHORT edge = *link;
        if (To != 0 && VfpEdges[edge].To != To)
        {
            link = &VfpEdges[edge].Next;
            continue;
        }
        VfpLocks[VfpEdges[edge].To].EdgesToIt--;
        *link = VfpEdges[edge].Next;
        VfpEdges[edge].Next = VfpFreeEdge;
        VfpFreeEdge = edge;
    }
}

static USHORT VfpFindEdge(USHORT From, USHORT To)
{
    USHORT edge = VfpLocks[From].FirstEdge;

    while (edge != 0 && VfpEdges[edge].To != To)
    {
        edge = VfpEdges[edge].Next;
    }
    return edge;
}

static VOID VfpDraw(USHORT From, USHORT To, PVOID Caller)
{
    USHORT edge = VfpFreeEdge;

    if (edge == 0)
    {
        VfpNotLookedAt++;
        return;
    }
    VfpFreeEdge = VfpEdges[edge].Next;
    VfpEdges[edge].To = To;
    VfpEdges[edge].Caller = Caller;
    VfpEdges[edge].Next = VfpLocks[From].FirstEdge;
    VfpLocks[From].FirstEdge = edge;
    VfpLocks[To].EdgesToIt++;
    VfpEdgesDrawn++;
}

/* Is there a way? Depth first; From tells the way back. Each node is visited once, so the stack has room. */
static BOOLEAN VfpReaches(USHORT Start, USHORT Goal)
{
    static USHORT stack[VFP_LOCKS];
    ULONG depth = 0;

    VfpSearch++;
    VfpLocks[Start].Mark = VfpSearch;
    VfpLocks[Start].From = 0;
    stack[depth++] = Start;
    while (depth != 0)
    {
        USHORT at = stack[--depth];
        if (at == Goal)
        {
            return TRUE;
        }
        for (USHORT edge = VfpLocks[at].FirstEdge; edge != 0; edge = VfpEdges[edge].Next)
        {
            VFP_LOCK *to = &VfpLocks[VfpEdges[edge].To];
            if (to->Mark != VfpSearch)
            {
                to->Mark = VfpSearch;
                to->From = at;
                stack[depth++] = VfpEdges[edge].To;
            }
        }
    }
    return FALSE;
}

static PCSTR VfpTypeName(UCHAR Type)
{
    static const PCSTR names[] = {"spin lock", "queued spin lock", "fast mutex", "guarded mutex", "mutex"};

    return names[Type];
}

/* The circle, edge by edge, in front of the blue screen, which has room for one address. */
static VOID VfpPrintCircle(USHORT Wanted, USHORT Held, PVOID Caller)
{
    CHAR who[96];

    HalPrint(HalStreamError, "deadlock: %s %p is held,\n", VfpTypeName(VfpLocks[Held].Type),
             (PVOID)VfpLocks[Held].Address);
    HalPrint(HalStreamError, "          and %s %p asked for by %s\n", VfpTypeName(VfpLocks[Wanted].Type),
             (PVOID)VfpLocks[Wanted].Address, LdrFormatAddress(Caller, who, sizeof(who)));
    for (USHORT at = Held; VfpLocks[at].From != 0; at = VfpLocks[at].From)
    {
        USHORT from = VfpLocks[at].From;
        HalPrint(HalStreamError, "          before, with %p held, %p was taken by %s\n", (PVOID)VfpLocks[from].Address,
                 (PVOID)VfpLocks[at].Address,
                 LdrFormatAddress(VfpEdges[VfpFindEdge(from, at)].Caller, who, sizeof(who)));
    }
}

/* ---- acquire and release ---- */

/* What a lock holds that was initialized, or is held by somebody unknown. */
static BOOLEAN VfpLooksInitialized(PVOID Lock, VFP_LOCK_TYPE Type)
{
    ULONG64 value = *(volatile ULONG64 *)Lock;

    switch (Type)
    {
    case VfpSpinLock:
    case VfpQueuedSpinLock:
        return value == 0 || MmIsSystemAddress((PVOID)value); /* free, or its owner's address */
    case VfpFastMutex:
        return ((PFAST_MUTEX)Lock)->Event.Header.Type == SynchronizationEvent &&
               ((PFAST_MUTEX)Lock)->Event.Header.WaitListHead.Flink != NULL;
    case VfpGuardedMutex:
        return ((PKGUARDED_MUTEX)Lock)->Gate.Header.WaitListHead.Flink != NULL;
    default:
        return ((PKMUTEX)Lock)->Header.WaitListHead.Flink != NULL;
    }
}

static VOID VfpCheckOrder(USHORT Wanted, ULONG_PTR Context, PVOID Caller, VFP_ISSUE *Issue)
{
    for (USHORT held = VfpHeld; held != 0; held = VfpLocks[held].NextHeld)
    {
        if (VfpLocks[held].Owner != Context || VfpFindEdge(held, Wanted) != 0)
        {
            continue;
        }
        if (VfpReaches(Wanted, held))
        {
            VfpPrintCircle(Wanted, held, Caller);
            *Issue = (VFP_ISSUE){0x1001, VfpLocks[Wanted].Address, VfpLocks[held].Address, 0};
            return;
        }
        VfpDraw(held, Wanted, Caller);
    }
}

VOID VfpBeforeAcquire(PVOID Lock, VFP_LOCK_TYPE Type, BOOLEAN Try, PVOID Caller)
{
    ULONG_PTR context = VfpContext();
    VFP_ISSUE issue = {0};
    BOOLEAN enabled, known;
    USHORT index;

    if (!VfpIsLookedAt(Lock))
    {
        return;
    }
    enabled = VfpEnter();
    index = VfpFind(Lock);
    known = index != 0;
    index = known ? index : VfpAdd(Lock, Type);
    if (!known && !VfpLooksInitialized(Lock, Type))
    {
        issue = (VFP_ISSUE){0x1002, (ULONG_PTR)Lock, 0, 0};
    }
    else if (index != 0 && VfpLocks[index].Type != Type)
    {
        issue = (VFP_ISSUE){0x1008, (ULONG_PTR)Lock, VfpLocks[index].Type, Type};
    }
    else if (index != 0 && VfpLocks[index].Owner == context)
    {
        if (!Try && Type != VfpMutex)
        {
            issue = (VFP_ISSUE){0x1000, (ULONG_PTR)Lock, (ULONG_PTR)VfpLocks[index].Caller, 0};
        }
    }
    else if (index != 0 && !Try)
    {
        VfpCheckOrder(index, context, Caller, &issue);
    }
    VfpLeave(enabled, &issue);
}

VOID VfpAfterAcquire(PVOID Lock, VFP_LOCK_TYPE Type, PVOID Caller)
{
    BOOLEAN enabled;
    USHORT index;

    if (!VfpIsLookedAt(Lock))
    {
        return;
    }
    enabled = VfpEnter();
    VfpAcquisitions++;
    index = VfpFind(Lock);
    index = index != 0 ? index : VfpAdd(Lock, Type);
    if (index != 0 && VfpLocks[index].Depth++ == 0)
    {
        VFP_LOCK *lock = &VfpLocks[index];
        lock->Owner = VfpContext();
        lock->Thread = KiCurrentThread();
        lock->Caller = Caller;
        lock->Sequence = ++VfpSequence;
        lock->NextHeld = VfpHeld;
        VfpHeld = index;
    }
    VfpLeave(enabled, NULL);
}

/* A lock that no driver's call took, as far as was seen: may this context release it? */
static VOID VfpCheckUnknown(PVOID Lock, VFP_LOCK_TYPE Type, VFP_ISSUE *Issue)
{
    PKTHREAD owner = Type == VfpFastMutex      ? (PKTHREAD)((PFAST_MUTEX)Lock)->Owner
                     : Type == VfpGuardedMutex ? ((PKGUARDED_MUTEX)Lock)->Owner
                     : Type == VfpMutex        ? ((PKMUTEX)Lock)->OwnerThread
                     : *(volatile ULONG64 *)Lock != 0 ? KiCurrentThread()
                                                      : NULL;

    if (owner == NULL)
    {
        *Issue = (VFP_ISSUE){0x1007, (ULONG_PTR)Lock, 0, 0};
    }
    else if (owner != KiCurrentThread())
    {
        *Issue = (VFP_ISSUE){0x1004, (ULONG_PTR)Lock, (ULONG_PTR)owner, (ULONG_PTR)KiCurrentThread()};
    }
}

static BOOLEAN VfpIsSpin(UCHAR Type)
{
    return Type == VfpSpinLock || Type == VfpQueuedSpinLock;
}

/* A lock of the same IRQL, taken later by the same context and still held. */
static VOID VfpCheckLowering(USHORT Index, VFP_ISSUE *Issue)
{
    const VFP_LOCK *lock = &VfpLocks[Index];

    for (USHORT other = VfpHeld; other != 0; other = VfpLocks[other].NextHeld)
    {
        const VFP_LOCK *later = &VfpLocks[other];
        BOOLEAN same = VfpIsSpin(lock->Type) ? VfpIsSpin(later->Type) : later->Type == lock->Type;
        if (other != Index && later->Owner == lock->Owner && same && later->Sequence > lock->Sequence)
        {
            *Issue = (VFP_ISSUE){0x1003, lock->Address, later->Address, 0};
            return;
        }
    }
}

VOID VfpBeforeRelease(PVOID Lock, VFP_LOCK_TYPE Type, BOOLEAN Lowers)
{
    VFP_ISSUE issue = {0};
    BOOLEAN enabled;
    USHORT index;

    if (!VfpIsLookedAt(Lock))
    {
        return;
    }
    enabled = VfpEnter();
    index = VfpFind(Lock);
    if (index == 0 || VfpLocks[index].Depth == 0)
    {
        VfpCheckUnknown(Lock, Type, &issue);
    }
    else if (VfpLocks[index].Type != Type)
    {
        issue = (VFP_ISSUE){0x1009, (ULONG_PTR)Lock, VfpLocks[index].Type, Type};
    }
    else if (VfpLocks[index].Owner != VfpContext())
    {
        issue = (VFP_ISSUE){0x1004, (ULONG_PTR)Lock, (ULONG_PTR)VfpLocks[index].Thread, (ULONG_PTR)KiCurrentThread()};
    }
    else
    {
        if (Lowers)
        {
            VfpCheckLowering(index, &issue);
        }
        if (--VfpLocks[index].Depth == 0)
        {
            VfpUnlinkHeld(index);
        }
    }
    VfpLeave(enabled, &issue);
}

VOID VfpInitializeLock(PVOID Lock, VFP_LOCK_TYPE Type)
{
    VFP_ISSUE issue = {0};
    BOOLEAN enabled;

    if (!VfpIsLookedAt(Lock))
    {
        return;
    }
    enabled = VfpEnter();
    if (VfpFind(Lock) != 0)
    {
        issue = (VFP_ISSUE){0x1005, (ULONG_PTR)Lock, 0, 0};
    }
    else
    {
        (VOID)VfpAdd(Lock, Type);
    }
    VfpLeave(enabled, &issue);
}

/* ---- ends ---- */

static VOID VfpForgetLock(PUSHORT Link)
{
    USHORT index = *Link;
    VFP_LOCK *lock = &VfpLocks[index];

    *Link = lock->NextInBucket;
    VfpDropEdges(lock, 0);
    for (ULONG i = 1; lock->EdgesToIt != 0 && i < VFP_LOCKS; i++)
    {
        VfpDropEdges(&VfpLocks[i], index);
    }
    RtlZeroMemory(lock, sizeof(*lock));
    lock->NextInBucket = VfpFreeLock;
    VfpFreeLock = index;
}

/**
 * Memory goes: the locks in it are no more. Bug check C4/100B if a driver holds one. IRQL <= DISPATCH_LEVEL.
 */
VF_SELDOM VOID VfpForgetLocks(PVOID Base, SIZE_T Size)
{
    ULONG_PTR first = (ULONG_PTR)Base >> PAGE_SHIFT, last = ((ULONG_PTR)Base + Size - 1) >> PAGE_SHIFT;
    VFP_ISSUE issue = {0};
    BOOLEAN enabled;

    if (Size == 0)
    {
        return;
    }
    enabled = VfpEnter();
    for (ULONG_PTR n = 0; n <= last - first && n < VFP_BUCKETS && issue.Rule == 0; n++)
    {
        PUSHORT link = &VfpBuckets[(first + n) % VFP_BUCKETS];
        while (*link != 0)
        {
            const VFP_LOCK *lock = &VfpLocks[*link];
            if (lock->Address - (ULONG_PTR)Base >= Size)
            {
                link = &VfpLocks[*link].NextInBucket;
            }
            else if (lock->Depth != 0)
            {
                issue = (VFP_ISSUE){0x100B, lock->Address, (ULONG_PTR)lock->Thread, 0};
                break;
            }
            else
            {
                VfpForgetLock(link);
            }
        }
    }
    VfpLeave(enabled, &issue);
}

/** A thread ends: C4/100A if it holds a lock. IRQL <= APC_LEVEL, in the thread. */
VOID VfThreadEnds(VOID)
{
    VFP_ISSUE issue = {0};
    BOOLEAN enabled;

    if (!VfDeadlockOn)
    {
        return;
    }
    enabled = VfpEnter();
    for (USHORT held = VfpHeld; held != 0 && issue.Rule == 0; held = VfpLocks[held].NextHeld)
    {
        if (VfpLocks[held].Owner == (ULONG_PTR)KiCurrentThread())
        {
            issue = (VFP_ISSUE){0x100A, (ULONG_PTR)KiCurrentThread(), VfpLocks[held].Address, 0};
        }
    }
    VfpLeave(enabled, &issue);
}

VOID VfReportDeadlock(VOID)
{
    if (VfDeadlockOn)
    {
        HalPrint(HalStreamError,
                 "machine: deadlock detection saw %lld acquisitions, %lld orders of two locks; %lld found no room\n",
                 VfpAcquisitions, VfpEdgesDrawn, VfpNotLookedAt);
    }
}
