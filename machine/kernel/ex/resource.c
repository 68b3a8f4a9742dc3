/* SPDX-License-Identifier: MIT */
/*
 * Executive resources: shared or exclusive, recursive, handed over in the order NT documents.
 *
 *            ActiveCount 0 ----shared----> n owners ----last release---+
 *                 ^  \                        ^                        |
 *                 |   +---exclusive--> owned  |  convert               |
 *                 +------last release---+-----+                        |
 *                 +----------------------------------------------------+
 *
 * Who releases hands over: to all shared waiters after an exclusive owner, to one exclusive waiter after shared owners.
 * A thread that is woken owns the resource already; it only writes its name into its entry.
 *
 * All fields are guarded by the resource's SpinLock. OwnerEntry holds the exclusive owner; shared owners stand in
 * OwnerTable, whose entry 0 carries the table's size. Waiting objects and the first table are allocated at
 * initialisation, so that only a table that must grow can ever want memory.
 */
#include "exp.h"
#include "vf.h"

#define EX_RESOURCE_OWNERS 7

typedef struct _EXP_RESOURCE_BLOCK
{
    KSEMAPHORE Shared;
    KEVENT Exclusive;
    OWNER_ENTRY Table[EX_RESOURCE_OWNERS + 1];
} EXP_RESOURCE_BLOCK;

static EXP_RESOURCE_BLOCK *ExpBlock(PERESOURCE Resource)
{
    return CONTAINING_RECORD(Resource->SharedWaiters, EXP_RESOURCE_BLOCK, Shared);
}

static BOOLEAN ExpIsExclusive(PERESOURCE Resource)
{
    return (Resource->Flag & ResourceOwnedExclusive) != 0;
}

/** Prepares a resource in nonpaged memory of the caller's. IRQL <= DISPATCH_LEVEL. */
NTSTATUS NTAPI ExInitializeResourceLite(PERESOURCE Resource)
{
    VfCheckStructure(Resource, sizeof(*Resource), __builtin_return_address(0));
    ExpCheckNew(ExpLiveResource, Resource, __builtin_return_address(0));
    EXP_RESOURCE_BLOCK *block = ExAllocatePoolWithTag(NonPagedPool, sizeof(*block), 'seRE');

    if (block == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(Resource, sizeof(*Resource));
    RtlZeroMemory(block, sizeof(*block));
    KeInitializeSemaphore(&block->Shared, 0, MAXLONG);
    KeInitializeEvent(&block->Exclusive, SynchronizationEvent, FALSE);
    KeInitializeSpinLock(&Resource->SpinLock);
    ExpEnterLive(ExpLiveResource, Resource, __builtin_return_address(0));
    block->Table[0].TableSize = EX_RESOURCE_OWNERS + 1;
    Resource->SharedWaiters = &block->Shared;
    Resource->ExclusiveWaiters = &block->Exclusive;
    Resource->OwnerTable = block->Table;
    return STATUS_SUCCESS;
}

/** Frees what the resource holds; nobody may own it or wait for it. IRQL <= DISPATCH_LEVEL. */
NTSTATUS NTAPI ExDeleteResourceLite(PERESOURCE Resource)
{
    EXP_RESOURCE_BLOCK *block;

    ExpLeaveLive(ExpLiveResource, Resource, __builtin_return_address(0));
    block = ExpBlock(Resource);
    if (Resource->OwnerTable != block->Table)
    {
        ExFreePoolWithTag(Resource->OwnerTable, 'seRE');
    }
    ExFreePoolWithTag(block, 'seRE');
    Resource->SharedWaiters = NULL;
    Resource->ExclusiveWaiters = NULL;
    Resource->OwnerTable = NULL;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ExReinitializeResourceLite(PERESOURCE Resource)
{
    ExDeleteResourceLite(Resource);
    return ExInitializeResourceLite(Resource);
}

/*
 * Verifier: C4, 3D for a resource that is not aligned, 37 and 38 for acquiring and releasing one while a normal kernel
 * APC could come and suspend the owner. System threads cannot be suspended.
 */
static VOID ExpCheckUse(PERESOURCE Resource, ULONG Rule, PVOID Caller)
{
    PKTHREAD thread = KiCurrentThread();

    if (((ULONG_PTR)Resource & (sizeof(PVOID) - 1)) != 0 && VfIsChecked(Caller))
    {
        VfCheck(FALSE, 0x3D, 0, 0, (ULONG_PTR)Resource);
    }
    if (thread->CombinedApcDisable == 0 && KeGetCurrentIrql() < APC_LEVEL && !PsIsSystemThread((PETHREAD)thread) &&
        VfIsChecked(Caller))
    {
        VfCheck(FALSE, Rule, KeGetCurrentIrql(), 0, (ULONG_PTR)Resource);
    }
}

static POWNER_ENTRY ExpFindShared(PERESOURCE Resource, ERESOURCE_THREAD Thread)
{
    for (ULONG i = 1; i < Resource->OwnerTable[0].TableSize; i++)
    {
        if (Resource->OwnerTable[i].OwnerThread == Thread)
        {
            return &Resource->OwnerTable[i];
        }
    }
    return NULL;
}

/* A free entry; NULL if the table is full. */
static POWNER_ENTRY ExpFreeEntry(PERESOURCE Resource)
{
    return ExpFindShared(Resource, 0);
}

/* Called without the lock: doubles the table. Waits for memory as long as it takes, as NT does. */
static VOID ExpGrowTable(PERESOURCE Resource, ULONG SeenSize)
{
    LARGE_INTEGER pause = {.QuadPart = -10000};
    POWNER_ENTRY table, old = NULL;
    KIRQL irql;

    while ((table = ExAllocatePoolWithTag(NonPagedPool, 2 * SeenSize * sizeof(OWNER_ENTRY), 'seRE')) == NULL)
    {
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
    }
    RtlZeroMemory(table, 2 * SeenSize * sizeof(OWNER_ENTRY));
    KeAcquireSpinLock(&Resource->SpinLock, &irql);
    if (Resource->OwnerTable[0].TableSize == SeenSize)
    {
        RtlCopyMemory(table, Resource->OwnerTable, SeenSize * sizeof(OWNER_ENTRY));
        table[0].TableSize = 2 * SeenSize;
        old = Resource->OwnerTable != ExpBlock(Resource)->Table ? Resource->OwnerTable : NULL;
        Resource->OwnerTable = table;
        table = NULL;
    }
    KeReleaseSpinLock(&Resource->SpinLock, irql);
    if (table != NULL)
    {
        ExFreePoolWithTag(table, 'seRE'); /* somebody else grew it meanwhile */
    }
    if (old != NULL)
    {
        ExFreePoolWithTag(old, 'seRE');
    }
}

static VOID ExpSetShared(POWNER_ENTRY Entry, ERESOURCE_THREAD Thread)
{
    Entry->OwnerThread = Thread;
    Entry->OwnerCount = 1;
}

/* Writes the name of a thread that was given shared ownership while it waited. */
static VOID ExpNameSharedOwner(PERESOURCE Resource, ERESOURCE_THREAD Thread)
{
    for (;;)
    {
        POWNER_ENTRY entry;
        ULONG size;
        KIRQL irql;

        KeAcquireSpinLock(&Resource->SpinLock, &irql);
        entry = ExpFreeEntry(Resource);
        size = Resource->OwnerTable[0].TableSize;
        if (entry != NULL)
        {
            ExpSetShared(entry, Thread);
        }
        KeReleaseSpinLock(&Resource->SpinLock, irql);
        if (entry != NULL)
        {
            return;
        }
        ExpGrowTable(Resource, size);
    }
}

/** Takes the resource exclusively. FALSE only if Wait is FALSE and it is not free. IRQL <= APC_LEVEL, in a critical region. */
BOOLEAN NTAPI ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait)
{
    ERESOURCE_THREAD self = ExGetCurrentResourceThread();
    BOOLEAN granted = TRUE;
    KIRQL irql;

    ExpCheckUse(Resource, 0x37, __builtin_return_address(0));
    KeAcquireSpinLock(&Resource->SpinLock, &irql);
    if (Resource->ActiveCount == 0)
    {
        Resource->ActiveCount = 1;
        Resource->Flag |= ResourceOwnedExclusive;
        Resource->OwnerEntry.OwnerThread = self;
        Resource->OwnerEntry.OwnerCount = 1;
    }
    else if (ExpIsExclusive(Resource) && Resource->OwnerEntry.OwnerThread == self)
    {
        Resource->OwnerEntry.OwnerCount++;
    }
    else
    {
        granted = FALSE;
        if (Wait)
        {
            Resource->NumberOfExclusiveWaiters++;
            Resource->ContentionCount++;
        }
    }
    KeReleaseSpinLock(&Resource->SpinLock, irql);
    if (!granted && Wait)
    {
        KeWaitForSingleObject(Resource->ExclusiveWaiters, WrResource, KernelMode, FALSE, NULL);
        Resource->OwnerEntry.OwnerThread = self; /* ours already: only the name is missing */
        granted = TRUE;
    }
    return granted;
}

BOOLEAN NTAPI ExTryToAcquireResourceExclusiveLite(PERESOURCE Resource)
{
    return ExAcquireResourceExclusiveLite(Resource, FALSE);
}

typedef enum _EXP_SHARED_RULE
{
    ExpSharedFair,         /* waits behind exclusive waiters, unless it owns the resource already */
    ExpSharedStarve,       /* passes exclusive waiters */
    ExpSharedBehindWaiters /* waits behind exclusive waiters even if it owns the resource already */
} EXP_SHARED_RULE;

typedef enum _EXP_OUTCOME { ExpGranted, ExpMustWait, ExpMustGrow, ExpRefused } EXP_OUTCOME;

static EXP_OUTCOME ExpTryShared(PERESOURCE Resource, ERESOURCE_THREAD Self, EXP_SHARED_RULE Rule, BOOLEAN Wait)
{
    POWNER_ENTRY entry;
    BOOLEAN mustYield;

    if (ExpIsExclusive(Resource))
    {
        if (Resource->OwnerEntry.OwnerThread == Self)
        {
            Resource->OwnerEntry.OwnerCount++;
            return ExpGranted;
        }
        mustYield = TRUE;
    }
    else
    {
        entry = ExpFindShared(Resource, Self);
        mustYield = Resource->NumberOfExclusiveWaiters != 0 &&
                    (Rule == ExpSharedBehindWaiters || (Rule == ExpSharedFair && entry == NULL));
        if (entry != NULL && !mustYield)
        {
            entry->OwnerCount++;
            return ExpGranted;
        }
    }
    if (mustYield)
    {
        if (!Wait)
        {
            return ExpRefused;
        }
        Resource->NumberOfSharedWaiters++;
        Resource->ContentionCount++;
        return ExpMustWait;
    }
    entry = ExpFreeEntry(Resource);
    if (entry == NULL)
    {
        return ExpMustGrow;
    }
    ExpSetShared(entry, Self);
    Resource->ActiveCount++;
    return ExpGranted;
}

static BOOLEAN ExpAcquireShared(PERESOURCE Resource, EXP_SHARED_RULE Rule, BOOLEAN Wait)
{
    ERESOURCE_THREAD self = ExGetCurrentResourceThread();

    for (;;)
    {
        EXP_OUTCOME outcome;
        ULONG size;
        KIRQL irql;

        KeAcquireSpinLock(&Resource->SpinLock, &irql);
        outcome = ExpTryShared(Resource, self, Rule, Wait);
        size = Resource->OwnerTable[0].TableSize;
        KeReleaseSpinLock(&Resource->SpinLock, irql);
        switch (outcome)
        {
        case ExpGranted:
            return TRUE;
        case ExpRefused:
            return FALSE;
        case ExpMustGrow:
            ExpGrowTable(Resource, size);
            break;
        case ExpMustWait:
            KeWaitForSingleObject(Resource->SharedWaiters, WrResource, KernelMode, FALSE, NULL);
            ExpNameSharedOwner(Resource, self);
            return TRUE;
        }
    }
}

BOOLEAN NTAPI ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait)
{
    ExpCheckUse(Resource, 0x37, __builtin_return_address(0));
    return ExpAcquireShared(Resource, ExpSharedFair, Wait);
}

BOOLEAN NTAPI ExAcquireSharedStarveExclusive(PERESOURCE Resource, BOOLEAN Wait)
{
    ExpCheckUse(Resource, 0x37, __builtin_return_address(0));
    return ExpAcquireShared(Resource, ExpSharedStarve, Wait);
}

BOOLEAN NTAPI ExAcquireSharedWaitForExclusive(PERESOURCE Resource, BOOLEAN Wait)
{
    ExpCheckUse(Resource, 0x37, __builtin_return_address(0));
    return ExpAcquireShared(Resource, ExpSharedBehindWaiters, Wait);
}

/* Hands a resource that has just become free to those who wait. Returns what to signal once the lock is released. */
static VOID ExpHandOver(PERESOURCE Resource, BOOLEAN PreferShared, PULONG WakeShared, PBOOLEAN WakeExclusive)
{
    if (Resource->NumberOfSharedWaiters != 0 && (PreferShared || Resource->NumberOfExclusiveWaiters == 0))
    {
        *WakeShared = Resource->NumberOfSharedWaiters;
        Resource->ActiveCount = (SHORT)*WakeShared;
        Resource->NumberOfSharedWaiters = 0;
    }
    else if (Resource->NumberOfExclusiveWaiters != 0)
    {
        Resource->NumberOfExclusiveWaiters--;
        Resource->ActiveCount = 1;
        Resource->Flag |= ResourceOwnedExclusive;
        Resource->OwnerEntry.OwnerThread = 1; /* nobody's name until the waiter runs */
        Resource->OwnerEntry.OwnerCount = 1;
        *WakeExclusive = TRUE;
    }
}

static VOID ExpWake(PERESOURCE Resource, ULONG WakeShared, BOOLEAN WakeExclusive)
{
    if (WakeShared != 0)
    {
        KeReleaseSemaphore(Resource->SharedWaiters, IO_NO_INCREMENT, (LONG)WakeShared, FALSE);
    }
    if (WakeExclusive)
    {
        KeSetEvent(Resource->ExclusiveWaiters, IO_NO_INCREMENT, FALSE);
    }
}

/** Releases one acquisition on behalf of a thread. Bug check E3 if that thread owns nothing. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD Thread)
{
    ULONG wakeShared = 0;
    BOOLEAN wakeExclusive = FALSE;
    KIRQL irql;

    KeAcquireSpinLock(&Resource->SpinLock, &irql);
    if (ExpIsExclusive(Resource))
    {
        if (Resource->OwnerEntry.OwnerThread != Thread)
        {
            KeBugCheckEx(RESOURCE_NOT_OWNED, (ULONG_PTR)Resource, Thread, (ULONG_PTR)Resource->OwnerTable, 1);
        }
        if (--Resource->OwnerEntry.OwnerCount == 0)
        {
            Resource->OwnerEntry.OwnerThread = 0;
            Resource->Flag &= ~ResourceOwnedExclusive;
            Resource->ActiveCount = 0;
            ExpHandOver(Resource, TRUE, &wakeShared, &wakeExclusive);
        }
    }
    else
    {
        POWNER_ENTRY entry = Thread != 0 ? ExpFindShared(Resource, Thread) : NULL;
        if (entry == NULL)
        {
            KeBugCheckEx(RESOURCE_NOT_OWNED, (ULONG_PTR)Resource, Thread, (ULONG_PTR)Resource->OwnerTable, 2);
        }
        if (--entry->OwnerCount == 0)
        {
            entry->OwnerThread = 0;
            if (--Resource->ActiveCount == 0)
            {
                ExpHandOver(Resource, FALSE, &wakeShared, &wakeExclusive);
            }
        }
    }
    KeReleaseSpinLock(&Resource->SpinLock, irql);
    ExpWake(Resource, wakeShared, wakeExclusive);
}

VOID FASTCALL ExReleaseResourceLite(PERESOURCE Resource)
{
    ExpCheckUse(Resource, 0x38, __builtin_return_address(0));
    ExReleaseResourceForThreadLite(Resource, ExGetCurrentResourceThread());
}

/** Turns the caller's exclusive ownership into shared, letting shared waiters in. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI ExConvertExclusiveToSharedLite(PERESOURCE Resource)
{
    ULONG wakeShared;
    KIRQL irql;

    KeAcquireSpinLock(&Resource->SpinLock, &irql);
    if (!ExpIsExclusive(Resource))
    {
        KeBugCheckEx(RESOURCE_NOT_OWNED, (ULONG_PTR)Resource, ExGetCurrentResourceThread(), (ULONG_PTR)Resource->OwnerTable, 3);
    }
    /* While it is owned exclusively the table is empty, so an entry is always free. */
    Resource->OwnerTable[1] = Resource->OwnerEntry;
    Resource->OwnerEntry.OwnerThread = 0;
    Resource->OwnerEntry.OwnerCount = 0;
    Resource->Flag &= ~ResourceOwnedExclusive;
    wakeShared = Resource->NumberOfSharedWaiters;
    Resource->NumberOfSharedWaiters = 0;
    Resource->ActiveCount = (SHORT)(1 + wakeShared);
    KeReleaseSpinLock(&Resource->SpinLock, irql);
    ExpWake(Resource, wakeShared, FALSE);
}

BOOLEAN NTAPI ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource)
{
    return ExpIsExclusive(Resource) && Resource->OwnerEntry.OwnerThread == ExGetCurrentResourceThread();
}

/** How often the calling thread holds the resource, shared or exclusive. IRQL <= DISPATCH_LEVEL. */
ULONG NTAPI ExIsResourceAcquiredSharedLite(PERESOURCE Resource)
{
    ULONG count = 0;
    POWNER_ENTRY entry;
    KIRQL irql;

    KeAcquireSpinLock(&Resource->SpinLock, &irql);
    if (ExpIsExclusive(Resource))
    {
        count = Resource->OwnerEntry.OwnerThread == ExGetCurrentResourceThread() ? Resource->OwnerEntry.OwnerCount : 0;
    }
    else if ((entry = ExpFindShared(Resource, ExGetCurrentResourceThread())) != NULL)
    {
        count = entry->OwnerCount;
    }
    KeReleaseSpinLock(&Resource->SpinLock, irql);
    return count;
}

ULONG NTAPI ExGetExclusiveWaiterCount(PERESOURCE Resource)
{
    return Resource->NumberOfExclusiveWaiters;
}

ULONG NTAPI ExGetSharedWaiterCount(PERESOURCE Resource)
{
    return Resource->NumberOfSharedWaiters;
}

/** Puts a pointer (low two bits set) in the place of the calling thread as owner. IRQL <= APC_LEVEL. */
VOID NTAPI ExSetResourceOwnerPointer(PERESOURCE Resource, PVOID OwnerPointer)
{
    POWNER_ENTRY entry;
    KIRQL irql;

    KeAcquireSpinLock(&Resource->SpinLock, &irql);
    entry = ExpIsExclusive(Resource) ? &Resource->OwnerEntry : ExpFindShared(Resource, ExGetCurrentResourceThread());
    if (entry == NULL || entry->OwnerThread != ExGetCurrentResourceThread())
    {
        KeBugCheckEx(RESOURCE_NOT_OWNED, (ULONG_PTR)Resource, ExGetCurrentResourceThread(), (ULONG_PTR)Resource->OwnerTable, 4);
    }
    entry->OwnerThread = (ERESOURCE_THREAD)OwnerPointer;
    KeReleaseSpinLock(&Resource->SpinLock, irql);
}

VOID NTAPI ExDisableResourceBoostLite(PERESOURCE Resource)
{
    Resource->Flag |= 1; /* owners are never boosted here, so there is nothing to turn off but the mark */
}

PVOID NTAPI ExEnterCriticalRegionAndAcquireResourceExclusive(PERESOURCE Resource)
{
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(Resource, TRUE);
    return NULL; /* the Win32 thread; there is none */
}

PVOID NTAPI ExEnterCriticalRegionAndAcquireResourceShared(PERESOURCE Resource)
{
    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(Resource, TRUE);
    return NULL;
}

PVOID NTAPI ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(PERESOURCE Resource)
{
    KeEnterCriticalRegion();
    ExAcquireSharedWaitForExclusive(Resource, TRUE);
    return NULL;
}

VOID FASTCALL ExReleaseResourceAndLeaveCriticalRegion(PERESOURCE Resource)
{
    ExReleaseResourceLite(Resource);
    KeLeaveCriticalRegion();
}
