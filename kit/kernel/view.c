/* SPDX-License-Identifier: MIT */
/*
 * Views: mappings of a region into a process.
 *
 *                 mapped in the current process,         claimed, under the lock, by exactly one of:
 *                 then added under the lock              unmap, release, cleanup, drain, process end
 *   (nothing) ------------------------------> [mapped] ----------------------------------> [claimed]
 *       ^                                                                                      |
 *       |  session closed or region not live any more:                the claimer attaches to the view's process
 *       +--- the mapping is undone by the thread that made it         if it isn't the current one, unmaps, detaches
 *                                                                                              v
 *                                                                                           [ gone ]  Gone is set
 *
 * A mapping must go from the process it was made in, and before that process's address space does. So a claimed view
 * stays on its region's list until it is unmapped: the notify routine of its process finds it there and waits for
 * Gone rather than let the process end under the claimer.
 */
#include "ist.h"

/* Reserved ranges can be taken by others between the release and the map: this often it is tried again. */
#define IST_MAP_ATTEMPTS 8

/* MmMapLockedPagesSpecifyCache into the current process, with its exception turned into a status. <= APC_LEVEL. */
DECLSPEC_NOINLINE static NTSTATUS IstMapUser(PMDL Mdl, PVOID Wanted, ULONG Priority, PVOID *Address)
{
    *Address = NULL;
    __try
    {
        *Address = MmMapLockedPagesSpecifyCache(Mdl, UserMode, MmCached, Wanted, FALSE, Priority);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    /* Windows raises; NULL is what a kernel returns that has no such mapping. */
    return *Address != NULL ? STATUS_SUCCESS : STATUS_NOT_SUPPORTED;
}

/* Unmaps the segments mapped so far, in the process where they are. */
static VOID IstViewUnmapSegments(PIST_VIEW View)
{
    KAPC_STATE state;
    BOOLEAN attach = PsGetCurrentProcess() != View->Account->Process;
    if (attach)
    {
        KeStackAttachProcess((PKPROCESS)View->Account->Process, &state);
    }
    while (View->Mapped > 0)
    {
        PIST_SEGMENT segment = &View->Region->Segments[--View->Mapped];
        MmUnmapLockedPages(View->Address + segment->Offset, segment->Mdl);
        IstCount(IstCountUserMappings, -1);
    }
    if (attach)
    {
        KeUnstackDetachProcess(&state);
    }
}

/* Maps all segments in a row from Wanted on (NULL: anywhere, for a single segment). */
static NTSTATUS IstViewMapSegments(PIST_VIEW View, PUCHAR Wanted)
{
    PISTHMUS_REGION region = View->Region;
    for (ULONG i = 0; i < region->SegmentCount; i++)
    {
        PIST_SEGMENT segment = &region->Segments[i];
        BOOLEAN writable = (View->Access & ISTHMUS_ACCESS_WRITE) && !segment->ReadOnly;
        ULONG priority = IstLibrary.MapPriority | (writable ? 0 : IstLibrary.MapNoWrite);
        PVOID address;
        NTSTATUS status =
            IstMapUser(segment->Mdl, Wanted != NULL ? Wanted + segment->Offset : NULL, priority, &address);
        if (!NT_SUCCESS(status))
        {
            IstViewUnmapSegments(View);
            return status;
        }
        if (i == 0)
        {
            View->Address = address;
        }
        View->Mapped++;
        IstCount(IstCountUserMappings, 1);
    }
    return STATUS_SUCCESS;
}

/*
 * Several segments must lie in a row, and the map call takes one MDL at a time: find room for all by reserving and
 * giving back a range, then map into it piece by piece. Another thread of the process can be quicker; then again.
 */
static NTSTATUS IstViewMapInRow(PIST_VIEW View)
{
    NTSTATUS status = STATUS_CONFLICTING_ADDRESSES;
    for (ULONG attempt = 0; attempt < IST_MAP_ATTEMPTS && status == STATUS_CONFLICTING_ADDRESSES; attempt++)
    {
        PVOID base = NULL;
        SIZE_T size = View->Bytes;
        status = ZwAllocateVirtualMemory(ZwCurrentProcess(), &base, 0, &size, MEM_RESERVE, PAGE_NOACCESS);
        if (!NT_SUCCESS(status))
        {
            break;
        }
        SIZE_T none = 0;
        PVOID reserved = base;
        status = ZwFreeVirtualMemory(ZwCurrentProcess(), &reserved, &none, MEM_RELEASE);
        if (!NT_SUCCESS(status))
        {
            break;
        }
        status = IstViewMapSegments(View, base);
    }
    return status;
}

static VOID IstViewDereference(PIST_VIEW View)
{
    if (InterlockedDecrement(&View->References) == 0)
    {
        IstFree(View);
    }
}

/* Whether the region may be shown to a program with this access. Within a use. */
static NTSTATUS IstViewAllowed(PISTHMUS_REGION Region, UINT32 Access)
{
    if (Region->Kind == ISTHMUS_KIND_USER_BUFFER && ((Region->Address | Region->Length) & (PAGE_SIZE - 1)))
    {
        return STATUS_MAPPED_ALIGNMENT;
    }
    if ((!(Access & ISTHMUS_ACCESS_WRITE) || Region->Channel != NULL) && IstLibrary.MapNoWrite == 0)
    {
        return STATUS_NOT_SUPPORTED;
    }
    /* Pages locked for reading only may be shared or copy-on-write: writing through them would reach others. */
    if ((Access & ISTHMUS_ACCESS_WRITE) && !(Region->Access & ISTHMUS_ACCESS_WRITE))
    {
        return STATUS_ACCESS_DENIED;
    }
    return STATUS_SUCCESS;
}

/*
 * TRUE if a range of the account's process touches one of its views. Its Mapping mutex is held, so that no view comes
 * to be meanwhile that isn't in the lists yet.
 *
 * Sharing a view as a user buffer would lock the pages of the region below it a second time, and they would be freed
 * under that lock: bug check 4E/9A for nonpaged pool and pages.
 */
BOOLEAN IstViewOverlaps(_In_ PIST_ACCOUNT Account, _In_ UINT64 Address, _In_ UINT64 Length)
{
    BOOLEAN found = FALSE;
    IstLock();
    for (PLIST_ENTRY r = IstLibrary.Regions.Flink; r != &IstLibrary.Regions && !found; r = r->Flink)
    {
        PISTHMUS_REGION region = CONTAINING_RECORD(r, ISTHMUS_REGION, Link);
        for (PLIST_ENTRY v = region->Views.Flink; v != &region->Views && !found; v = v->Flink)
        {
            PIST_VIEW view = CONTAINING_RECORD(v, IST_VIEW, RegionLink);
            UINT64 start = (UINT64)(ULONG_PTR)view->Address;
            found = view->Account == Account && Address < start + view->Bytes && start < Address + Length;
        }
    }
    IstUnlock();
    return found;
}

/* Adds a mapped view to its session and region, if both still take one. */
static NTSTATUS IstViewPublish(PISTHMUS_SESSION Session, PIST_VIEW View, ISTHMUS_VIEW_INFO *Info)
{
    NTSTATUS status = STATUS_SUCCESS;
    IstLock();
    if (Session->Closed)
    {
        status = STATUS_FILE_CLOSED;
    }
    else if (View->Region->State != IstRegionLive)
    {
        status = STATUS_NOT_LOCKED;
    }
    else if (IstGrantFindLocked(Session, View->Region->Id) == NULL)
    {
        status = STATUS_NOT_FOUND; /* released by another thread meanwhile */
    }
    else
    {
        View->Account->References++; /* closed when the view is destroyed */
        View->Id = ++IstLibrary.NextId;
        View->SessionId = Session->Id;
        IstRegionReference(View->Region);
        View->Region->Holders++;
        InsertTailList(&Session->Views, &View->SessionLink);
        InsertTailList(&View->Region->Views, &View->RegionLink);

        RtlZeroMemory(Info, sizeof(*Info));
        Info->Header.Revision = ISTHMUS_REVISION;
        Info->Header.Size = sizeof(*Info);
        Info->View = View->Id;
        Info->Region = View->Region->Id;
        Info->Address = (UINT64)(ULONG_PTR)View->Address;
        Info->Length = View->Bytes;
        Info->Access = View->Access;
    }
    IstUnlock();
    return status;
}

/* Maps a region that is in use. The account's Mapping mutex is held. */
static NTSTATUS IstViewMake(PISTHMUS_SESSION Session, PISTHMUS_REGION Region, UINT32 Access, PIST_ACCOUNT Account,
                            ISTHMUS_VIEW_INFO *Info)
{
    NTSTATUS status = IstViewAllowed(Region, Access);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IstCharge(Account, IstChargeViews, 1);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    PIST_VIEW view = IstAllocate(sizeof(*view));
    if (view == NULL)
    {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto Exit;
    }
    view->References = 1;
    view->Region = Region;
    view->Account = Account;
    view->Access = Access;
    view->Bytes = (SIZE_T)IstRegionViewBytes(Region);
    KeInitializeEvent(&view->Gone, NotificationEvent, FALSE);

    status = Region->SegmentCount == 1 ? IstViewMapSegments(view, NULL) : IstViewMapInRow(view);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    status = IstViewPublish(Session, view, Info);
    if (!NT_SUCCESS(status))
    {
        IstViewUnmapSegments(view);
        goto Exit;
    }
    IstCount(IstCountTotalViews, 1);
    return STATUS_SUCCESS; /* the view is in the lists and may be gone by now */

Exit:
    IstFree(view);
    IstUncharge(Account, IstChargeViews, 1);
    return status;
}

/* Maps a region to which the session has at least the access Granted; for a channel that is none. */
NTSTATUS IstViewMap(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Region, _In_ UINT32 Granted, _In_ UINT32 Access,
                    _Out_ ISTHMUS_VIEW_INFO *Info)
{
    PISTHMUS_REGION region;
    PIST_ACCOUNT account;

    NTSTATUS status = IstAccountOpen(&account);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    /*
     * The mutex before the use: another thread of the process may hold it through a page fault that takes as long as
     * the process likes, and a use of the region, which may be another process's buffer, must not wait for that.
     */
    IstAccountLockMapping(account);
    status = IsthmusRegionEnter(Session, Region, Granted, &region);
    if (NT_SUCCESS(status))
    {
        status = IstViewMake(Session, region, Access, account, Info);
        IsthmusRegionLeave(region);
    }
    IstAccountUnlockMapping(account);
    IstAccountClose(account);
    return status;
}

NTSTATUS IsthmusViewMap(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Region, _In_ UINT32 Access,
                        _Out_ ISTHMUS_VIEW_INFO *Info)
{
    if (!(Access & ISTHMUS_ACCESS_READ) || (Access & ~ISTHMUS_ACCESS_ALL))
    {
        return STATUS_INVALID_PARAMETER;
    }
    return IstViewMap(Session, Region, Access, Access, Info);
}

/* Claims a view: the caller alone calls IstViewDestroy. Lock held. */
VOID IstViewClaimLocked(_Inout_ PIST_VIEW View)
{
    View->Claimed = TRUE;
    RemoveEntryList(&View->SessionLink);
}

/* Waits for a view that another thread claimed. The lock is held and given up. */
VOID IstViewWaitUnlock(_Inout_ PIST_VIEW View)
{
    InterlockedIncrement(&View->References);
    IstUnlock();
    KeWaitForSingleObject(&View->Gone, Executive, KernelMode, FALSE, NULL);
    IstViewDereference(View);
}

/* Unmaps a claimed view and lets go of its region. Lock not held, PASSIVE_LEVEL, any process. */
VOID IstViewDestroy(_In_ PIST_VIEW View)
{
    PISTHMUS_REGION region = View->Region;
    PIST_ACCOUNT account = View->Account;
    IstViewUnmapSegments(View);

    IstLock();
    RemoveEntryList(&View->RegionLink);
    IstUnchargeLocked(account, IstChargeViews, 1);
    BOOLEAN drain = IstRegionDropLocked(region);
    IstUnlock();
    IstAccountClose(account);

    KeSetEvent(&View->Gone, IO_NO_INCREMENT, FALSE);
    IstViewDereference(View);
    if (drain)
    {
        IstRegionDrain(region);
    }
    IstRegionDereference(region);
}

NTSTATUS IsthmusViewUnmap(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 View)
{
    PIST_VIEW found = NULL;
    IstLock();
    for (PLIST_ENTRY link = Session->Views.Flink; link != &Session->Views; link = link->Flink)
    {
        PIST_VIEW view = CONTAINING_RECORD(link, IST_VIEW, SessionLink);
        if (view->Id == View)
        {
            found = view;
            IstViewClaimLocked(view);
            break;
        }
    }
    IstUnlock();
    if (found == NULL)
    {
        return STATUS_NOT_FOUND;
    }
    IstViewDestroy(found);
    return STATUS_SUCCESS;
}
