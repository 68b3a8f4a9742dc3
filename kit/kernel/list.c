/* SPDX-License-Identifier: MIT */
/*
 * List: who holds what, in the order of ids, a page at a time.
 *
 * Sessions and regions stand in their lists in that order. Views stand under their regions, so the next one is
 * searched for; with the quotas' thousands of views, and one page per call, that is cheap enough for a tool.
 */
#include "ist.h"

#define IST_LIST_ENTRIES 512 /* per call */

static BOOLEAN IstListMayShow(PIST_ACCOUNT Account, BOOLEAN Administrator)
{
    return Administrator || Account->ProcessId == PsGetCurrentProcessId();
}

static VOID IstListSession(PISTHMUS_SESSION Session, ISTHMUS_LIST_ENTRY *Entry)
{
    Entry->Id = Session->Id;
    Entry->ProcessId = (UINT64)(ULONG_PTR)Session->Account->ProcessId;
    Entry->State = Session->Closed ? ISTHMUS_STATE_DRAINING : ISTHMUS_STATE_LIVE;
    Entry->Count = Session->GrantCount;
}

static VOID IstListRegion(PISTHMUS_REGION Region, ISTHMUS_LIST_ENTRY *Entry)
{
    Entry->Id = Region->Id;
    Entry->ProcessId = (UINT64)(ULONG_PTR)Region->Account->ProcessId;
    Entry->Length = Region->Length;
    Entry->Address = Region->Address;
    Entry->Kind = Region->Kind;
    Entry->Access = Region->Access;
    Entry->State = Region->State;
    Entry->Count = Region->Holders;
    RtlCopyMemory(Entry->Name, Region->Name, Region->NameLength);
}

static VOID IstListView(PIST_VIEW View, ISTHMUS_LIST_ENTRY *Entry)
{
    Entry->Id = View->Id;
    Entry->Parent = View->Region->Id;
    Entry->Session = View->SessionId;
    Entry->ProcessId = (UINT64)(ULONG_PTR)View->Account->ProcessId;
    Entry->Length = View->Bytes;
    Entry->Address = (UINT64)(ULONG_PTR)View->Address;
    Entry->Kind = View->Region->Kind;
    Entry->Access = View->Access;
    Entry->State = View->Claimed ? ISTHMUS_STATE_DRAINING : ISTHMUS_STATE_LIVE;
}

/* The entry with the smallest id above After, filled in; FALSE if there is none. Lock held. */
static BOOLEAN IstListNextLocked(UINT32 What, UINT64 After, BOOLEAN Administrator, ISTHMUS_LIST_ENTRY *Entry)
{
    PIST_VIEW best = NULL;
    RtlZeroMemory(Entry, sizeof(*Entry));
    if (What == ISTHMUS_LIST_SESSIONS)
    {
        for (PLIST_ENTRY link = IstLibrary.Sessions.Flink; link != &IstLibrary.Sessions; link = link->Flink)
        {
            PISTHMUS_SESSION session = CONTAINING_RECORD(link, ISTHMUS_SESSION, Link);
            if (session->Id > After && IstListMayShow(session->Account, Administrator))
            {
                IstListSession(session, Entry);
                return TRUE;
            }
        }
        return FALSE;
    }
    for (PLIST_ENTRY link = IstLibrary.Regions.Flink; link != &IstLibrary.Regions; link = link->Flink)
    {
        PISTHMUS_REGION region = CONTAINING_RECORD(link, ISTHMUS_REGION, Link);
        if (What == ISTHMUS_LIST_REGIONS)
        {
            if (region->Id > After && IstListMayShow(region->Account, Administrator))
            {
                IstListRegion(region, Entry);
                return TRUE;
            }
            continue;
        }
        for (PLIST_ENTRY v = region->Views.Flink; v != &region->Views; v = v->Flink)
        {
            PIST_VIEW view = CONTAINING_RECORD(v, IST_VIEW, RegionLink);
            if (view->Id > After && (best == NULL || view->Id < best->Id) &&
                IstListMayShow(view->Account, Administrator))
            {
                best = view;
            }
        }
    }
    if (best != NULL)
    {
        IstListView(best, Entry);
    }
    return best != NULL;
}

NTSTATUS IsthmusList(_In_ UINT32 What, _In_ UINT64 After, _In_ BOOLEAN Administrator,
                     _Out_writes_(Maximum) ISTHMUS_LIST_ENTRY *Entries, _In_ ULONG Maximum, _Out_ ULONG *Count,
                     _Out_ BOOLEAN *More)
{
    ISTHMUS_LIST_ENTRY entry;
    Maximum = min(Maximum, IST_LIST_ENTRIES);
    *Count = 0;
    *More = FALSE;
    if (What < ISTHMUS_LIST_SESSIONS || What > ISTHMUS_LIST_VIEWS)
    {
        return STATUS_INVALID_PARAMETER;
    }
    for (;;)
    {
        /* Between two entries the lock is free; what comes and goes meanwhile is in the list or not. */
        IstLock();
        BOOLEAN found = IstListNextLocked(What, After, Administrator, &entry);
        IstUnlock();
        if (!found)
        {
            return STATUS_SUCCESS;
        }
        if (*Count == Maximum)
        {
            *More = TRUE;
            return STATUS_SUCCESS;
        }
        Entries[(*Count)++] = entry;
        After = entry.Id;
    }
}
