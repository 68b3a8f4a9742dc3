/* SPDX-License-Identifier: MIT */
/*
 * Regions: how long they live.
 *
 *                     memory locked or allocated, kernel view made
 *   (nothing) -----------------------------------------------------> [ live ]
 *                                                                       |
 *       last holder (grant or view) gone: release, cleanup, unmap       |
 *       or the user buffer's process ends: the notify routine           |  whoever writes "draining" drains; one only
 *                                                                       v
 *                                                                 [ draining ]  no new use, grant, view or watch
 *                                                                       |  1. the watch is stopped, a channel's ends are told
 *                                                                       |  2. views left (a process ended) are unmapped
 *                                                                       |  3. uses under way end: Idle
 *                                                                       |  4. kernel view, lock, memory are released
 *                                                                       v
 *                                                                   [ gone ]    charges taken back, Gone is set
 *                                                                       |
 *                                                    last reference: the structure is freed
 *
 * Three counts, from the narrowest to the widest:
 *   Uses        calls that touch the memory just now. Rise while live (under the lock, or from what is not 0 at
 *               DISPATCH_LEVEL), fall anywhere. Draining gives up the one that live stands for and waits for Idle.
 *   Holders     grants and views: why the region lives. Changed under the lock.
 *   References  of the structure: holders, uses, waiters, drivers, and one from live to gone. A grant on a region that was
 *               taken back keeps the structure as a tombstone: STATUS_NOT_LOCKED is the answer to its id.
 *
 * The order in a process's end matters: user pages must be unlocked before its address space goes, and a view must be
 * unmapped while its process still has one. Both waits are for threads that hold a use or a claim inside the library;
 * these run in critical regions (no suspension) and never wait for a program.
 */
#include "ist.h"

/* No machine has this much; sums below stay far from wrapping. */
#define IST_LENGTH_MAX (1ull << 46)

VOID IstRegionReference(_Inout_ PISTHMUS_REGION Region)
{
    InterlockedIncrement(&Region->References);
}

/* <= DISPATCH_LEVEL: what needs PASSIVE_LEVEL was done while draining. */
VOID IstRegionDereference(_In_ PISTHMUS_REGION Region)
{
    if (InterlockedDecrement(&Region->References) == 0)
    {
        IstChannelFree(Region->Channel);
        IstFree(Region);
    }
}

/* One holder less. TRUE: it was the last, and the caller must drain the region after giving up the lock. Lock held. */
BOOLEAN IstRegionDropLocked(_Inout_ PISTHMUS_REGION Region)
{
    Region->Holders--;
    if (Region->Holders == 0 && Region->State == IstRegionLive)
    {
        Region->State = IstRegionDraining;
        return TRUE;
    }
    return FALSE;
}

/* Bytes that the region's pages hold: its span for a user buffer, whole pages for the others. */
static UINT64 IstSpanBytes(UINT32 Kind, UINT64 Address, UINT64 Length)
{
    UINT64 offset = Kind == ISTHMUS_KIND_USER_BUFFER ? Address & (PAGE_SIZE - 1) : 0;
    return (offset + Length + PAGE_SIZE - 1) & ~(UINT64)(PAGE_SIZE - 1);
}

UINT64 IstRegionPages(_In_ PISTHMUS_REGION Region)
{
    return Region->Charged / PAGE_SIZE;
}

VOID IstRegionInfo(_In_ PISTHMUS_REGION Region, _In_ UINT32 Access, _Out_ ISTHMUS_REGION_INFO *Info)
{
    RtlZeroMemory(Info, sizeof(*Info));
    Info->Header.Revision = ISTHMUS_REVISION;
    Info->Header.Size = sizeof(*Info);
    Info->Region = Region->Id;
    Info->Length = Region->Length;
    Info->Pages = IstRegionPages(Region);
    Info->Kind = Region->Kind;
    Info->Access = Access;
    Info->Segments = Region->SegmentCount;
}

/* Drains a region that the caller moved from live to draining. Lock not held, no use held, PASSIVE_LEVEL. */
VOID IstRegionDrain(_In_ PISTHMUS_REGION Region)
{
    IstWatchStop(&Region->Watch);
    IstChannelEnd(Region->Channel);

    for (;;)
    {
        IstLock();
        if (IsListEmpty(&Region->Views))
        {
            IstUnlock();
            break;
        }
        PIST_VIEW view = CONTAINING_RECORD(Region->Views.Flink, IST_VIEW, RegionLink);
        if (view->Claimed)
        {
            IstViewWaitUnlock(view);
            continue;
        }
        IstViewClaimLocked(view);
        IstUnlock();
        IstViewDestroy(view);
    }

    if (InterlockedDecrement(&Region->Uses) != 0)
    {
        KeWaitForSingleObject(&Region->Idle, Executive, KernelMode, FALSE, NULL);
    }
    IstNameForget(Region);
    IstChannelRelease(Region->Channel);
    IstSegmentsRelease(Region);

    PIST_ACCOUNT account = Region->Account;
    IstLock();
    Region->State = IstRegionGone;
    Region->Account = NULL;
    RemoveEntryList(&Region->Link);
    IstUnchargeLocked(account, IstChargeRegions, 1);
    IstUnchargeLocked(account, Region->Kind == ISTHMUS_KIND_USER_BUFFER ? IstChargeLocked : IstChargeAllocated,
                      Region->Charged);
    IstUnlock();
    IstAccountClose(account);

    KeSetEvent(&Region->Gone, IO_NO_INCREMENT, FALSE);
    IstRegionDereference(Region);
}

/* Bytes of address space that a view takes: all segments in a row. */
UINT64 IstRegionViewBytes(_In_ PISTHMUS_REGION Region)
{
    PIST_SEGMENT last = &Region->Segments[Region->SegmentCount - 1];
    return last->Offset + last->Bytes;
}

/* Allocates the structure with room for the segments and fills in what is known before the memory is. */
static PISTHMUS_REGION IstRegionAllocate(UINT32 Kind, UINT32 Access, UINT64 Address, UINT64 Length)
{
    UINT64 span = IstSpanBytes(Kind, Address, Length);
    UINT64 count = Kind == ISTHMUS_KIND_CHANNEL ? IST_CHANNEL_SEGMENTS
                                                : (span + IstLibrary.SegmentBytes - 1) / IstLibrary.SegmentBytes;
    if (count > MAXULONG / sizeof(IST_SEGMENT))
    {
        return NULL;
    }
    PISTHMUS_REGION region = IstAllocate(FIELD_OFFSET(ISTHMUS_REGION, Segments) + (SIZE_T)count * sizeof(IST_SEGMENT));
    if (region == NULL)
    {
        return NULL;
    }
    region->References = 1;
    region->Uses = 1;
    region->State = IstRegionLive;
    region->Kind = Kind;
    region->Access = Access;
    region->Address = Address;
    region->Length = Length;
    region->Charged = span;
    region->SegmentCount = (ULONG)count;
    InitializeListHead(&region->Views);
    KeInitializeEvent(&region->Idle, NotificationEvent, FALSE);
    KeInitializeEvent(&region->Gone, NotificationEvent, FALSE);
    IstWatchInitialize(&region->Watch);
    return region;
}

/* Locks the current process's memory for a region, unless it is a view of another region. */
static NTSTATUS IstRegionLock(PISTHMUS_REGION Region, PIST_ACCOUNT Account, KPROCESSOR_MODE Mode)
{
    NTSTATUS status = STATUS_CONFLICTING_ADDRESSES;
    IstAccountLockMapping(Account);
    if (!IstViewOverlaps(Account, Region->Address, Region->Length))
    {
        status = IstSegmentsLockUser(Region, Mode);
    }
    IstAccountUnlockMapping(Account);
    return status;
}

static NTSTATUS IstRegionMakeMemory(PISTHMUS_REGION Region, PIST_ACCOUNT Account, KPROCESSOR_MODE Mode)
{
    switch (Region->Kind)
    {
    case ISTHMUS_KIND_USER_BUFFER:
        return IstRegionLock(Region, Account, Mode);
    case ISTHMUS_KIND_CHANNEL:
        return IstChannelStart(Region);
    default:
        return IstSegmentsAllocate(Region);
    }
}

/*
 * Common to all ways of making a region; the parameters are checked. A channel becomes the region's, also on failure.
 * Its session can't use its memory otherwise, map it again or name it: the grant gives no access and isn't a maker's.
 */
NTSTATUS IstRegionMake(_Inout_ PISTHMUS_SESSION Session, _In_ UINT32 Kind, _In_ UINT32 Access, _In_ UINT64 Address,
                       _In_ UINT64 Length, _In_ KPROCESSOR_MODE Mode, _In_opt_ PISTHMUS_CHANNEL Channel,
                       _Out_ ISTHMUS_REGION_INFO *Info)
{
    IST_CHARGE bytesKind = Kind == ISTHMUS_KIND_USER_BUFFER ? IstChargeLocked : IstChargeAllocated;
    UINT64 bytes = IstSpanBytes(Kind, Address, Length);
    PIST_ACCOUNT account = NULL;
    PISTHMUS_REGION region = NULL;
    BOOLEAN chargedRegion = FALSE, chargedBytes = FALSE;

    NTSTATUS status = IstAccountOpen(&account);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    status = IstCharge(account, IstChargeRegions, 1);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    chargedRegion = TRUE;
    status = IstCharge(account, bytesKind, bytes);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    chargedBytes = TRUE;

    region = IstRegionAllocate(Kind, Access, Address, Length);
    if (region == NULL)
    {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto Exit;
    }
    region->Channel = Channel;
    status = IstRegionMakeMemory(region, account, Mode);
    if (!NT_SUCCESS(status))
    {
        IstSegmentsRelease(region);
        goto Exit;
    }

    /* From here the region is found by the process's end; the account and the charges are its own. */
    region->Account = account;
    region->ProcessId = Kind == ISTHMUS_KIND_USER_BUFFER || Channel != NULL ? account->ProcessId : NULL;
    account = NULL;
    Channel = NULL;
    chargedRegion = chargedBytes = FALSE;
    IstRegionReference(region);
    IstLock();
    region->Id = ++IstLibrary.NextId;
    InsertTailList(&IstLibrary.Regions, &region->Link);
    IstUnlock();
    IstCount(IstCountTotalRegions, 1);

    status = region->Channel == NULL ? IstGrantAdd(Session, region, Access, TRUE)
                                     : IstGrantAdd(Session, region, 0, FALSE);
    if (NT_SUCCESS(status))
    {
        IstRegionInfo(region, Access, Info);
    }
    else
    {
        IstLock();
        BOOLEAN drain = region->State == IstRegionLive;
        if (drain)
        {
            region->State = IstRegionDraining;
        }
        IstUnlock();
        if (drain)
        {
            IstRegionDrain(region);
        }
    }
    IstRegionDereference(region);
    region = NULL;

Exit:
    if (Channel != NULL)
    {
        IstChannelRelease(Channel);
        IstChannelFree(Channel);
    }
    IstFree(region);
    if (chargedBytes)
    {
        IstUncharge(account, bytesKind, bytes);
    }
    if (chargedRegion)
    {
        IstUncharge(account, IstChargeRegions, 1);
    }
    if (account != NULL)
    {
        IstAccountClose(account);
    }
    return status;
}

NTSTATUS IsthmusRegionShare(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Address, _In_ UINT64 Length,
                            _In_ UINT32 Access, _In_ KPROCESSOR_MODE Mode, _Out_ ISTHMUS_REGION_INFO *Info)
{
    if (Length == 0 || !(Access & ISTHMUS_ACCESS_READ) || (Access & ~ISTHMUS_ACCESS_ALL))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Length - 1 > ~Address)
    {
        return STATUS_INTEGER_OVERFLOW;
    }
    UINT64 last = Address + (Length - 1);
    /* The upper half is the kernel's on every system; where the user range ends below it, the probe knows. */
    if (last > MAXULONG_PTR || (LONG64)last < 0)
    {
        return STATUS_ACCESS_VIOLATION;
    }
    if (Length > IST_LENGTH_MAX)
    {
        return STATUS_QUOTA_EXCEEDED;
    }
    return IstRegionMake(Session, ISTHMUS_KIND_USER_BUFFER, Access, Address, Length, Mode, NULL, Info);
}

NTSTATUS IsthmusRegionAllocate(_Inout_ PISTHMUS_SESSION Session, _In_ UINT32 Kind, _In_ UINT64 Length,
                               _Out_ ISTHMUS_REGION_INFO *Info)
{
    if (Length == 0 || Kind < ISTHMUS_KIND_NONPAGED_POOL || Kind > ISTHMUS_KIND_PAGES)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Length > IST_LENGTH_MAX)
    {
        return STATUS_QUOTA_EXCEEDED;
    }
    return IstRegionMake(Session, Kind, ISTHMUS_ACCESS_ALL, 0, Length, KernelMode, NULL, Info);
}

/* Begins a use of a live region. Lock held. */
NTSTATUS IstRegionEnterLocked(_Inout_ PISTHMUS_REGION Region)
{
    if (Region->State != IstRegionLive)
    {
        return STATUS_NOT_LOCKED;
    }
    InterlockedIncrement(&Region->Uses);
    IstRegionReference(Region);
    return STATUS_SUCCESS;
}

BOOLEAN IsthmusRegionTryEnter(_In_ PISTHMUS_REGION Region)
{
    for (;;)
    {
        /* 0 is for good: the drainer gave up the last use. Above 0, the drainer can't have seen Idle yet. */
        LONG uses = Region->Uses;
        if (uses == 0 || Region->State != IstRegionLive)
        {
            return FALSE;
        }
        if (InterlockedCompareExchange(&Region->Uses, uses + 1, uses) == uses)
        {
            IstRegionReference(Region); /* the caller's own keeps the structure until here */
            return TRUE;
        }
    }
}

NTSTATUS IsthmusRegionReference(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Id, _In_ UINT32 Access,
                                _Out_ PISTHMUS_REGION *Region)
{
    NTSTATUS status = IsthmusRegionEnter(Session, Id, Access, Region);
    if (NT_SUCCESS(status))
    {
        IstRegionReference(*Region);
        IsthmusRegionLeave(*Region);
    }
    return status;
}

VOID IsthmusRegionDereference(_In_ PISTHMUS_REGION Region)
{
    IstRegionDereference(Region);
}

NTSTATUS IsthmusRegionEnter(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Id, _In_ UINT32 Access,
                            _Out_ PISTHMUS_REGION *Region)
{
    NTSTATUS status;
    *Region = NULL;
    IstLock();
    PIST_GRANT grant = IstGrantFindLocked(Session, Id);
    if (Session->Closed)
    {
        status = STATUS_FILE_CLOSED;
    }
    else if (grant == NULL)
    {
        status = STATUS_NOT_FOUND;
    }
    else if ((grant->Access & Access) != Access)
    {
        status = STATUS_ACCESS_DENIED;
    }
    else
    {
        status = IstRegionEnterLocked(grant->Region);
        if (NT_SUCCESS(status))
        {
            *Region = grant->Region;
        }
    }
    IstUnlock();
    return status;
}

VOID IsthmusRegionLeave(_In_ PISTHMUS_REGION Region)
{
    /* The reference outlasts the event's use here: the drainer may finish as soon as Idle is set. */
    if (InterlockedDecrement(&Region->Uses) == 0)
    {
        KeSetEvent(&Region->Idle, IO_NO_INCREMENT, FALSE);
    }
    IstRegionDereference(Region);
}
