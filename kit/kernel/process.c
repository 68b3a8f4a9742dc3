/* SPDX-License-Identifier: MIT */
/*
 * A process ends: the notify routine takes back what of ours lies in it, before it loses its address space.
 *
 * The routine runs in the process's last thread, ahead of the closing of its handles. IRP_MJ_CLEANUP alone wouldn't
 * do: with the handle duplicated into another process it comes much later or in another process, and by then the
 * pages would be locked in an address space that no longer exists (bug check 0x76). No thread of the process can be
 * inside the library any more, but threads of others can: unmapping one of its views, or releasing one of its
 * regions. They are waited for.
 */
#include "ist.h"

/* A view mapped in the process, or NULL. Lock held. */
static PIST_VIEW IstProcessFindViewLocked(HANDLE ProcessId)
{
    for (PLIST_ENTRY r = IstLibrary.Regions.Flink; r != &IstLibrary.Regions; r = r->Flink)
    {
        PISTHMUS_REGION region = CONTAINING_RECORD(r, ISTHMUS_REGION, Link);
        for (PLIST_ENTRY v = region->Views.Flink; v != &region->Views; v = v->Flink)
        {
            PIST_VIEW view = CONTAINING_RECORD(v, IST_VIEW, RegionLink);
            if (view->Account->ProcessId == ProcessId)
            {
                return view;
            }
        }
    }
    return NULL;
}

/* A region made of the process's own memory, or a channel of it, or NULL. Lock held. */
static PISTHMUS_REGION IstProcessFindRegionLocked(HANDLE ProcessId)
{
    for (PLIST_ENTRY r = IstLibrary.Regions.Flink; r != &IstLibrary.Regions; r = r->Flink)
    {
        PISTHMUS_REGION region = CONTAINING_RECORD(r, ISTHMUS_REGION, Link);
        if (region->ProcessId == ProcessId)
        {
            return region;
        }
    }
    return NULL;
}

static VOID IstProcessRevokeViews(HANDLE ProcessId)
{
    for (;;)
    {
        IstLock();
        PIST_VIEW view = IstProcessFindViewLocked(ProcessId);
        if (view == NULL)
        {
            IstUnlock();
            return;
        }
        if (view->Claimed)
        {
            IstViewWaitUnlock(view);
            continue;
        }
        IstViewClaimLocked(view);
        IstUnlock();
        IstViewDestroy(view);
        IstCount(IstCountRevocations, 1);
    }
}

static VOID IstProcessRevokeRegions(HANDLE ProcessId)
{
    for (;;)
    {
        IstLock();
        PISTHMUS_REGION region = IstProcessFindRegionLocked(ProcessId);
        if (region == NULL)
        {
            IstUnlock();
            return;
        }
        IstRegionReference(region);
        BOOLEAN mine = region->State == IstRegionLive;
        if (mine)
        {
            region->State = IstRegionDraining;
        }
        IstUnlock();

        if (mine)
        {
            IstRegionDrain(region);
            IstCount(IstCountRevocations, 1);
        }
        else
        {
            KeWaitForSingleObject(&region->Gone, Executive, KernelMode, FALSE, NULL);
        }
        IstRegionDereference(region);
    }
}

/* PASSIVE_LEVEL; for an end, in the context of the process that ends. */
VOID NTAPI IstProcessNotify(_In_ HANDLE ParentId, _In_ HANDLE ProcessId, _In_ BOOLEAN Create)
{
    UNREFERENCED_PARAMETER(ParentId);
    if (Create)
    {
        return;
    }
    /* Every process of the system comes by here; most have no account. */
    IstLock();
    BOOLEAN ours = IstAccountFindLocked(ProcessId) != NULL;
    IstUnlock();
    if (ours)
    {
        IstProcessRevokeViews(ProcessId);
        IstProcessRevokeRegions(ProcessId);
    }
}
