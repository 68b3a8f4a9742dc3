/* SPDX-License-Identifier: MIT */
/*
 * Sessions: one per open handle to the driver. A session owns its grants (holds on regions) and its views.
 *
 *              IsthmusSessionCreate              IsthmusSessionCleanup            IsthmusSessionClose
 *   (nothing) ----------------------> [ open ] -----------------------> [closed] --------------------> (freed)
 *                                        |                                 |
 *                             calls add grants and views         calls add nothing: what a call
 *                             under the lock                     had under way is undone by that call
 *
 * Cleanup comes with IRP_MJ_CLEANUP: in the process that closed the last handle, which needn't be the one that opened
 * it, and possibly while other threads are inside calls on the same file object. So each call that maps or locks
 * looks at Closed, under the lock, in the same step that would add its result to the session.
 */
#include "ist.h"

NTSTATUS IsthmusSessionCreate(_Out_ PISTHMUS_SESSION *Session)
{
    *Session = NULL;
    PIST_ACCOUNT account = NULL;
    PISTHMUS_SESSION session = NULL;

    NTSTATUS status = IstAccountOpen(&account);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    session = IstAllocate(sizeof(*session));
    if (session == NULL)
    {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto Exit;
    }
    status = IstCharge(account, IstChargeSessions, 1);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    InitializeListHead(&session->Grants);
    InitializeListHead(&session->Views);
    session->Account = account;
    session->Last.Header.Revision = ISTHMUS_REVISION;
    session->Last.Header.Size = sizeof(session->Last);

    IstLock();
    session->Id = ++IstLibrary.NextId;
    account->OwnSessions++;
    InsertTailList(&IstLibrary.Sessions, &session->Link);
    IstUnlock();
    IstCount(IstCountTotalSessions, 1);

    *Session = session;
    session = NULL;
    account = NULL;

Exit:
    IstFree(session);
    if (account != NULL)
    {
        IstAccountClose(account);
    }
    return status;
}

UINT64 IsthmusSessionId(_In_ PISTHMUS_SESSION Session)
{
    return Session->Id;
}

BOOLEAN IsthmusProcessHasSession(_In_ PEPROCESS Process)
{
    BOOLEAN found = FALSE;
    IstLock();
    for (PLIST_ENTRY link = IstLibrary.Accounts.Flink; link != &IstLibrary.Accounts; link = link->Flink)
    {
        PIST_ACCOUNT account = CONTAINING_RECORD(link, IST_ACCOUNT, Link);
        if (account->Process == Process)
        {
            found = account->OwnSessions != 0;
            break;
        }
    }
    IstUnlock();
    return found;
}

/* The session's grant for a region, or NULL. Lock held. */
PIST_GRANT IstGrantFindLocked(_In_ PISTHMUS_SESSION Session, _In_ UINT64 Region)
{
    for (PLIST_ENTRY link = Session->Grants.Flink; link != &Session->Grants; link = link->Flink)
    {
        PIST_GRANT grant = CONTAINING_RECORD(link, IST_GRANT, Link);
        if (grant->Region->Id == Region)
        {
            return grant;
        }
    }
    return NULL;
}

/*
 * Gives a session a hold on a live region: STATUS_FILE_CLOSED if the session was cleaned up meanwhile,
 * STATUS_NOT_LOCKED if the region isn't live any more. A second grant for the same region widens the first.
 */
NTSTATUS IstGrantAdd(_Inout_ PISTHMUS_SESSION Session, _Inout_ PISTHMUS_REGION Region, _In_ UINT32 Access,
                     _In_ BOOLEAN Maker)
{
    NTSTATUS status = STATUS_SUCCESS;
    PIST_GRANT grant = IstAllocate(sizeof(*grant));
    if (grant == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }

    IstLock();
    PIST_GRANT existing = IstGrantFindLocked(Session, Region->Id);
    if (Session->Closed)
    {
        status = STATUS_FILE_CLOSED;
    }
    else if (Region->State != IstRegionLive)
    {
        status = STATUS_NOT_LOCKED;
    }
    else if (existing != NULL)
    {
        existing->Access |= Access;
    }
    else if (Session->GrantCount >= IstLibrary.LimitProcess[IstChargeRegions])
    {
        /* Opened regions, and those whose process has ended, are charged to nobody: they are limited here. */
        status = STATUS_QUOTA_EXCEEDED;
        IstCount(IstCountRefusals, 1);
    }
    else
    {
        IstRegionReference(Region);
        Region->Holders++;
        grant->Region = Region;
        grant->Access = Access;
        grant->Maker = Maker;
        InsertTailList(&Session->Grants, &grant->Link);
        Session->GrantCount++;
        grant = NULL;
    }
    IstUnlock();
    IstFree(grant);
    return status;
}

/* Takes a grant from its session; the lock is held and given up. The last hold on a region drains it. */
static VOID IstGrantDropUnlock(PISTHMUS_SESSION Session, PIST_GRANT Grant)
{
    PISTHMUS_REGION region = Grant->Region;
    RemoveEntryList(&Grant->Link);
    Session->GrantCount--;
    BOOLEAN drain = IstRegionDropLocked(region);
    IstUnlock();

    if (drain)
    {
        IstRegionDrain(region);
    }
    IstRegionDereference(region);
    IstFree(Grant);
}

/* The session's next unclaimed view of a region (of any region, if NULL), claimed; NULL if there is none. Lock held. */
static PIST_VIEW IstSessionClaimViewLocked(PISTHMUS_SESSION Session, PISTHMUS_REGION Region)
{
    for (PLIST_ENTRY link = Session->Views.Flink; link != &Session->Views; link = link->Flink)
    {
        PIST_VIEW view = CONTAINING_RECORD(link, IST_VIEW, SessionLink);
        if (Region == NULL || view->Region == Region)
        {
            IstViewClaimLocked(view);
            return view;
        }
    }
    return NULL;
}

NTSTATUS IsthmusRegionRelease(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Region)
{
    for (;;)
    {
        IstLock();
        PIST_GRANT grant = IstGrantFindLocked(Session, Region);
        if (grant == NULL)
        {
            IstUnlock();
            return STATUS_NOT_FOUND;
        }
        /* The session's views first; each turn looks the grant up again, as the lock was let go. */
        PIST_VIEW view = IstSessionClaimViewLocked(Session, grant->Region);
        if (view == NULL)
        {
            IstGrantDropUnlock(Session, grant);
            return STATUS_SUCCESS;
        }
        IstUnlock();
        IstViewDestroy(view);
    }
}

VOID IsthmusSessionCleanup(_Inout_ PISTHMUS_SESSION Session)
{
    IstLock();
    Session->Closed = TRUE;
    IstUnlock();

    for (;;)
    {
        IstLock();
        PIST_VIEW view = IstSessionClaimViewLocked(Session, NULL);
        if (view == NULL)
        {
            IstUnlock();
            break;
        }
        IstUnlock();
        IstViewDestroy(view);
    }
    for (;;)
    {
        IstLock();
        if (IsListEmpty(&Session->Grants))
        {
            IstUnlock();
            break;
        }
        IstGrantDropUnlock(Session, CONTAINING_RECORD(Session->Grants.Flink, IST_GRANT, Link));
    }
}

VOID IsthmusSessionClose(_In_ PISTHMUS_SESSION Session)
{
    IstLock();
    RemoveEntryList(&Session->Link);
    Session->Account->OwnSessions--;
    IstUnchargeLocked(Session->Account, IstChargeSessions, 1);
    IstUnlock();

    IstAccountClose(Session->Account);
    IstFree(Session);
}
