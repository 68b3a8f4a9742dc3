/* SPDX-License-Identifier: MIT */
/*
 * Which resources and lookaside lists of drivers are alive, for the verifier's rules:
 *
 *                                  initialised again   deleted, not initialised   its memory freed
 *   ERESOURCE                      C4, D0              C4, D1                     C4, D2
 *   lookaside list                 C4, CA              C4, CB                     C4, CC
 *
 * They are linked by the entry that each has for such a list. What the kernel initialises, and all with the checks off,
 * has an entry that points to itself.
 */
#include "exp.h"
#include "vf.h"

typedef struct _EXP_LIVE
{
    LIST_ENTRY Head;
    ULONG Link; /* offset of the entry */
    ULONG Again, Unknown, Freed;
} EXP_LIVE;

static EXP_LIVE ExpLive[] = {
    [ExpLiveResource] = {{&ExpLive[ExpLiveResource].Head, &ExpLive[ExpLiveResource].Head},
                         FIELD_OFFSET(ERESOURCE, SystemResourcesList), 0xD0, 0xD1, 0xD2},
    [ExpLiveLookaside] = {{&ExpLive[ExpLiveLookaside].Head, &ExpLive[ExpLiveLookaside].Head},
                          FIELD_OFFSET(GENERAL_LOOKASIDE, ListEntry), 0xCA, 0xCB, 0xCC},
};
static KSPIN_LOCK ExpLiveLock;

static PLIST_ENTRY ExpLink(const EXP_LIVE *Live, PVOID Structure)
{
    return (PLIST_ENTRY)((PUCHAR)Structure + Live->Link);
}

/* Lock held. */
static BOOLEAN ExpIsListed(const EXP_LIVE *Live, const LIST_ENTRY *Link)
{
    for (PLIST_ENTRY entry = Live->Head.Flink; entry != &Live->Head; entry = entry->Flink)
    {
        if (entry == Link)
        {
            return TRUE;
        }
    }
    return FALSE;
}

VOID ExpCheckNew(EXP_LIVE_KIND Kind, PVOID Structure, PVOID Caller)
{
    EXP_LIVE *live = &ExpLive[Kind];
    BOOLEAN listed;
    KIRQL irql;

    if (VfIsChecked(Caller))
    {
        KeAcquireSpinLock(&ExpLiveLock, &irql);
        listed = ExpIsListed(live, ExpLink(live, Structure));
        KeReleaseSpinLock(&ExpLiveLock, irql);
        VfCheck(!listed, live->Again, (ULONG_PTR)Structure, 0, 0);
    }
}

VOID ExpEnterLive(EXP_LIVE_KIND Kind, PVOID Structure, PVOID Caller)
{
    EXP_LIVE *live = &ExpLive[Kind];
    PLIST_ENTRY link = ExpLink(live, Structure);
    KIRQL irql;

    InitializeListHead(link);
    if (VfIsChecked(Caller))
    {
        KeAcquireSpinLock(&ExpLiveLock, &irql);
        InsertTailList(&live->Head, link);
        KeReleaseSpinLock(&ExpLiveLock, irql);
    }
}

VOID ExpLeaveLive(EXP_LIVE_KIND Kind, PVOID Structure, PVOID Caller)
{
    EXP_LIVE *live = &ExpLive[Kind];
    PLIST_ENTRY link = ExpLink(live, Structure);
    BOOLEAN listed;
    KIRQL irql;

    if (!VfOption(VfChecks))
    {
        return;
    }
    KeAcquireSpinLock(&ExpLiveLock, &irql);
    listed = ExpIsListed(live, link);
    if (listed)
    {
        RemoveEntryList(link);
        InitializeListHead(link);
    }
    KeReleaseSpinLock(&ExpLiveLock, irql);
    /* What the kernel initialised for a driver is not listed. */
    if (!listed && link->Flink != link && VfIsChecked(Caller))
    {
        VfCheck(FALSE, live->Unknown, (ULONG_PTR)Structure, 0, 0);
    }
    link->Flink = NULL;
}

VOID ExCheckForLive(PVOID Memory, SIZE_T Size)
{
    for (ULONG kind = 0; kind < RTL_NUMBER_OF(ExpLive); kind++)
    {
        EXP_LIVE *live = &ExpLive[kind];
        ULONG_PTR structure = 0;
        KIRQL irql;

        if (IsListEmpty(&live->Head))
        {
            continue;
        }
        KeAcquireSpinLock(&ExpLiveLock, &irql);
        for (PLIST_ENTRY entry = live->Head.Flink; entry != &live->Head && structure == 0; entry = entry->Flink)
        {
            if ((ULONG_PTR)entry - (ULONG_PTR)Memory < Size)
            {
                structure = (ULONG_PTR)entry - live->Link;
            }
        }
        KeReleaseSpinLock(&ExpLiveLock, irql);
        VfCheck(structure == 0, live->Freed, structure, (ULONG_PTR)Memory, Size);
    }
}
