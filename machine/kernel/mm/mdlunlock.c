/* SPDX-License-Identifier: MIT */
/*
 * Unlocking pages, and telling whose driver forgot to.
 *
 * VF's tracking of locked pages keeps who locked an MDL. A locked MDL's tracker is in the place of its process that its
 * address leads to (MiLockPlace): taken and given up by one store, without a lock. If another MDL is there, the tracker
 * is a block on the process's list.
 */
#include "mmp.h"

#define MI_TRACKER_TAG 'kLmM'

MI_CACHE MiTrackerCache = {.Size = sizeof(MI_LOCK_TRACKER), .Tag = MI_TRACKER_TAG};

/* ---- tracking ---- */

/* FALSE: the MDL is not on the list. */
static BOOLEAN MipUntrackOnList(PEPROCESS Process, PMDL Mdl, ULONG Pages)
{
    MI_LOCK_TRACKER *tracker, *previous = NULL;
    BOOLEAN last = FALSE;
    KIRQL irql = MiAcquireLock(&Process->Space.LockTrackersLock);

    for (tracker = Process->Space.LockTrackers; tracker != NULL && tracker->Mdl != Mdl; tracker = tracker->Next)
    {
        previous = tracker;
    }
    if (tracker != NULL)
    {
        last = Pages >= tracker->Pages;
        tracker->Pages -= Pages;
    }
    if (last && previous != NULL)
    {
        previous->Next = tracker->Next;
    }
    else if (last)
    {
        Process->Space.LockTrackers = tracker->Next;
    }
    MiLeaveLock(&Process->Space.LockTrackersLock);
    if (last)
    {
        MiCacheGive(&MiTrackerCache, tracker);
    }
    MiLowerFromDispatch(irql);
    return tracker != NULL;
}

static inline VOID MipUntrackInPlace(MI_LOCK_TRACKER *Place, PMDL Mdl, ULONG Pages)
{
    if (Place->Mdl != Mdl)
    {
        return;
    }
    if (Pages < Place->Pages)
    {
        Place->Pages -= Pages;
        return;
    }
    Place->Mdl = NULL;
}

/* Where there is a list, it has the younger lock if an MDL has two. */
static VF_SELDOM VOID MipUntrackAnywhere(PEPROCESS Process, PMDL Mdl, ULONG Pages)
{
    if (!MipUntrackOnList(Process, Mdl, Pages))
    {
        MipUntrackInPlace(MiLockPlace(Process, Mdl), Mdl, Pages);
    }
}

/* Pages: how many are unlocked; the tracker goes when none is left. */
static inline VOID MipUntrack(PEPROCESS Process, PMDL Mdl, ULONG Pages)
{
    if (Process->Space.LockTrackers != NULL)
    {
        MipUntrackAnywhere(Process, Mdl, Pages);
        return;
    }
    MipUntrackInPlace(MiLockPlace(Process, Mdl), Mdl, Pages);
}

VOID MiReportLockedPages(PEPROCESS Process)
{
    const MI_LOCK_TRACKER *tracker = Process->Space.LockTrackers;

    for (ULONG i = 0; i < MI_LOCK_PLACES && tracker == NULL; i++)
    {
        tracker = Process->Space.LockPlaces[i].Mdl != NULL ? &Process->Space.LockPlaces[i] : NULL;
    }
    if (tracker != NULL)
    {
        KeBugCheckEx(MI_BUGCHECK_LEFT_LOCKED_PAGES, (ULONG_PTR)tracker->Caller, 0, (ULONG_PTR)tracker->Mdl,
                     (ULONG_PTR)Process->Space.LockedPages);
    }
    KeBugCheckEx(MI_BUGCHECK_HAS_LOCKED_PAGES, 0, (ULONG_PTR)Process, (ULONG_PTR)Process->Space.LockedPages, 0);
}

/* ---- unlocking ---- */

/* Drops the locks of PFNs [First, First + Count) of the MDL, without any accounting. */
MI_INLINE VOID MipDropLocks(PMDL Mdl, ULONG First, ULONG Count)
{
    const PFN_NUMBER *pfn = MmGetMdlPfnArray(Mdl) + First;
    const PFN_NUMBER *end = pfn + Count;
    PFN_NUMBER highest = MiHighestPage;
    BOOLEAN mixed = (Mdl->MdlFlags & MDL_IO_SPACE) != 0;

    for (; pfn != end; pfn++)
    {
        LONG64 counts;
        if (*pfn > highest || (mixed && !MiIsMemory(*pfn)))
        {
            if (mixed)
            {
                continue; /* device memory has no counts */
            }
            KeBugCheckEx(MI_BUGCHECK_PFN_LIST_CORRUPT, 0x99, *pfn, MiPageNotMemory, 0);
        }
        counts = InterlockedAdd64(&MiPfn(*pfn)->Counts, -MI_LOCK_UNIT);
        if (MI_LOCKS(counts) < 0)
        {
            KeBugCheckEx(MI_BUGCHECK_PFN_LIST_CORRUPT, 7, *pfn, (ULONG_PTR)MI_SHARES(counts), 0);
        }
        if (MI_REFERENCES(counts) == 0)
        {
            MiFreePage(*pfn, FALSE);
        }
    }
}

VOID MiDropLocks(PMDL Mdl, ULONG Count)
{
    MipDropLocks(Mdl, 0, Count);
}

MI_INLINE VOID MipUnlock(PMDL Mdl, ULONG First, ULONG Count)
{
    PEPROCESS process = Mdl->Process;

    if (process != NULL)
    {
        /* Before the locks go: as long as the process is charged for them, it cannot be deleted unnoticed. */
        if (MiTrackLocks)
        {
            MipUntrack(process, Mdl, Count);
        }
        if (InterlockedAdd64(&process->Space.LockedPages, -(LONG64)Count) < 0)
        {
            KeBugCheckEx(MI_BUGCHECK_HAS_LOCKED_PAGES, 1, (ULONG_PTR)Mdl,
                         (ULONG_PTR)(process->Space.LockedPages + Count), 0);
        }
    }
    InterlockedAdd64(&MiCounters.LockedPages, -(LONG64)Count);
    MipDropLocks(Mdl, First, Count);
}

VOID MiUnlockMdlPages(PMDL Mdl, ULONG First, ULONG Count)
{
    MipUnlock(Mdl, First, Count);
}

static DECLSPEC_NORETURN VOID MipReportUnlock(PMDL Mdl)
{
    ULONG_PTR flags = (USHORT)Mdl->MdlFlags;

    VfCheck((flags & MDL_SOURCE_IS_NONPAGED_POOL) == 0, 0x7D, (ULONG_PTR)Mdl, flags, 0);
    VfCheck((flags & MDL_PARTIAL) == 0, 0xB4, (ULONG_PTR)Mdl, flags, MDL_PARTIAL);
    VfCheck(FALSE, 0x7C, (ULONG_PTR)Mdl, flags, 0);
    /* Windows looks at the process named in the MDL; in one never locked that is not filled in. */
    KeBugCheckEx(MI_BUGCHECK_HAS_LOCKED_PAGES, 1, (ULONG_PTR)Mdl, (ULONG_PTR)MiCurrentProcess()->Space.LockedPages, 0);
}

/**
 * Unlocks what MmProbeAndLock* locked; releases the MDL's kernel mapping first if it has one.
 *
 * IRQL <= DISPATCH_LEVEL, in any process. Pages not locked through this MDL: verifier 7C, 7D, B4, or bug check 76/1;
 * a page whose locks are already gone: 4E/7.
 */
VOID NTAPI MmUnlockPages(_Inout_ PMDL MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;

    MI_RULE(KeGetCurrentIrql() <= DISPATCH_LEVEL, 0x78, KeGetCurrentIrql(), (ULONG_PTR)mdl, 0);
    if ((mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL)) != MDL_PAGES_LOCKED)
    {
        MipReportUnlock(mdl);
    }
    if (mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA)
    {
        MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
    }
    VfGive(VfPageLock, mdl, NULL);
    MipUnlock(mdl, 0, MiMdlPages(mdl));
    mdl->MdlFlags &= ~(MDL_PAGES_LOCKED | MDL_IO_SPACE);
}

