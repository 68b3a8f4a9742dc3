/* SPDX-License-Identifier: MIT */
/*
 * Locking pages for I/O: MmProbeAndLockPages and its kin, MmUnlockPages.
 *
 * A lock is a reference on the page (and a count of one lock in it), nothing in the page tables: the address may be
 * unmapped or the process's view may change while the page stays. The trimmer leaves pages with locks alone.
 *
 *   for each page       resident and allows the access?  -> one interlocked addition, next page
 *   (WorkingSetLock)    otherwise                        -> drop the lock, fault it in, try the same page again
 */
#include "mmp.h"

#define MI_TRACKER_TAG 'kLmM'

/* What VF's tracking of locked pages keeps per lock of user memory, to name the driver that forgot one. */
typedef struct _MI_LOCK_TRACKER
{
    LIST_ENTRY Links;
    PMDL Mdl;
    PVOID Caller;
    ULONG Pages;
} MI_LOCK_TRACKER;

static MI_CACHE MipTrackerCache = {.Size = sizeof(MI_LOCK_TRACKER), .Tag = MI_TRACKER_TAG};

/* ---- tracking ---- */

static VOID MipTrack(PEPROCESS Process, PMDL Mdl, ULONG Pages, PVOID Caller)
{
    MI_LOCK_TRACKER *tracker = MiCacheAllocate(&MipTrackerCache);
    KIRQL irql;

    if (tracker == NULL)
    {
        return; /* the count alone still tells that there is a lock, only not whose */
    }
    tracker->Mdl = Mdl;
    tracker->Caller = Caller;
    tracker->Pages = Pages;
    irql = MiAcquireLock(&Process->Space.LockedMdlsLock);
    InsertHeadList(&Process->Space.LockedMdls, &tracker->Links);
    MiReleaseLock(&Process->Space.LockedMdlsLock, irql);
}

/* Pages: how many are unlocked; the tracker goes when none is left. */
static VOID MipUntrack(PEPROCESS Process, PMDL Mdl, ULONG Pages)
{
    MI_LOCK_TRACKER *found = NULL;
    KIRQL irql = MiAcquireLock(&Process->Space.LockedMdlsLock);

    for (PLIST_ENTRY link = Process->Space.LockedMdls.Flink; link != &Process->Space.LockedMdls; link = link->Flink)
    {
        MI_LOCK_TRACKER *tracker = CONTAINING_RECORD(link, MI_LOCK_TRACKER, Links);
        if (tracker->Mdl == Mdl)
        {
            tracker->Pages -= min(Pages, tracker->Pages);
            if (tracker->Pages == 0)
            {
                RemoveEntryList(&tracker->Links);
                found = tracker;
            }
            break;
        }
    }
    MiReleaseLock(&Process->Space.LockedMdlsLock, irql);
    if (found != NULL)
    {
        MiCacheFree(&MipTrackerCache, found);
    }
}

VOID MiReportLockedPages(PEPROCESS Process)
{
    LIST_ENTRY *head = &Process->Space.LockedMdls;

    if (!IsListEmpty(head))
    {
        MI_LOCK_TRACKER *tracker = CONTAINING_RECORD(head->Blink, MI_LOCK_TRACKER, Links); /* the oldest */
        KeBugCheckEx(MI_BUGCHECK_LEFT_LOCKED_PAGES, (ULONG_PTR)tracker->Caller, 0, (ULONG_PTR)tracker->Mdl,
                     (ULONG_PTR)Process->Space.LockedPages);
    }
    KeBugCheckEx(MI_BUGCHECK_HAS_LOCKED_PAGES, 0, (ULONG_PTR)Process, (ULONG_PTR)Process->Space.LockedPages, 0);
}

/* ---- unlocking ---- */

/* Drops the locks of PFNs [First, First + Count) of the MDL, without any accounting. */
static VOID MipDropLocks(PMDL Mdl, ULONG First, ULONG Count)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);
    BOOLEAN mixed = (Mdl->MdlFlags & MDL_IO_SPACE) != 0;

    for (ULONG i = First; i < First + Count; i++)
    {
        PFN_NUMBER pfn = pfns[i];
        LONG64 counts;
        if (pfn > MiHighestPage || (mixed && !MiIsMemory(pfn)))
        {
            if (mixed)
            {
                continue; /* device memory has no counts */
            }
            KeBugCheckEx(MI_BUGCHECK_PFN_LIST_CORRUPT, 0x99, pfn, MiPageNotMemory, 0);
        }
        counts = InterlockedAdd64(&MiPfn(pfn)->Counts, -MI_LOCK_UNIT);
        if (MI_LOCKS(counts) < 0)
        {
            KeBugCheckEx(MI_BUGCHECK_PFN_LIST_CORRUPT, 7, pfn, (ULONG_PTR)MI_SHARES(counts), 0);
        }
        if (MI_REFERENCES(counts) == 0)
        {
            MiFreePage(pfn, FALSE);
        }
    }
}

VOID MiUnlockMdlPages(PMDL Mdl, ULONG First, ULONG Count)
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

/**
 * Unlocks what MmProbeAndLock* locked; releases the MDL's kernel mapping first if it has one.
 *
 * IRQL <= DISPATCH_LEVEL, in any process. Pages not locked through this MDL: verifier 7C, 7D, B4, or bug check 76/1;
 * a page whose locks are already gone: 4E/7.
 */
VOID NTAPI MmUnlockPages(_Inout_ PMDL MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;
    ULONG_PTR flags = (USHORT)mdl->MdlFlags;
    ULONG pages = MiMdlPages(mdl);

    MI_RULE(KeGetCurrentIrql() <= DISPATCH_LEVEL, 0x78, KeGetCurrentIrql(), (ULONG_PTR)mdl, 0);
    if ((flags & MDL_PAGES_LOCKED) == 0 || (flags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL)) != 0)
    {
        MI_RULE((flags & MDL_SOURCE_IS_NONPAGED_POOL) == 0, 0x7D, (ULONG_PTR)mdl, flags, 0);
        MI_RULE((flags & MDL_PARTIAL) == 0, 0xB4, (ULONG_PTR)mdl, flags, MDL_PARTIAL);
        VfCheck(FALSE, 0x7C, (ULONG_PTR)mdl, flags, 0);
        /* Windows looks at the process named in the MDL; in one never locked that is not filled in. */
        KeBugCheckEx(MI_BUGCHECK_HAS_LOCKED_PAGES, 1, (ULONG_PTR)mdl, (ULONG_PTR)MiCurrentProcess()->Space.LockedPages,
                     0);
    }
    if (flags & MDL_MAPPED_TO_SYSTEM_VA)
    {
        MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
    }
    VfGive(VfPageLock, mdl, NULL);
    MiUnlockMdlPages(mdl, 0, pages);
    mdl->MdlFlags &= ~(MDL_PAGES_LOCKED | MDL_IO_SPACE);
}

/* ---- locking ---- */

static BOOLEAN MipLockPage(PFN_NUMBER Pfn)
{
    LONG64 counts = InterlockedAdd64(&MiPfn(Pfn)->Counts, MI_LOCK_UNIT);

    if (MI_LOCKS(counts) > MI_MAXIMUM_LOCKS)
    {
        InterlockedAdd64(&MiPfn(Pfn)->Counts, -MI_LOCK_UNIT);
        return FALSE;
    }
    return TRUE;
}

/*
 * Locks the pages of adjacent entries, up to the first that needs a closer look: an access it does not allow, device
 * memory, a page locked too often. Returns how many it locked. On its own, so that the loop keeps to registers.
 */
static DECLSPEC_NOINLINE ULONG MipLockRun(PMMPTE Entry, PPFN_NUMBER Pfns, ULONG Count, ULONG64 Need)
{
    PFN_NUMBER highest = MiHighestPage;
    ULONG i;

    for (i = 0; i < Count; i++)
    {
        ULONG64 value = Entry[i];
        PFN_NUMBER pfn = MI_PTE_PFN(value);
        PMMPFN page = MiPfn(pfn);

        if ((value & Need) != Need || pfn > highest || page->State == MiPageNotMemory)
        {
            break;
        }
        if (InterlockedExchangeAdd64(&page->Counts, MI_LOCK_UNIT) >= (LONG64)MI_MAXIMUM_LOCKS << 32)
        {
            InterlockedExchangeAdd64(&page->Counts, -MI_LOCK_UNIT);
            break;
        }
        Pfns[i] = pfn;
    }
    return i;
}

/* The page at which MipLockRun stopped. FALSE: it does not allow the access as it is. */
static BOOLEAN MipLockOdd(PMDL Mdl, ULONG Index, ULONG64 Value, ULONG64 Need, PNTSTATUS Status)
{
    PFN_NUMBER pfn = MI_PTE_PFN(Value);

    if ((Value & Need) != Need)
    {
        return FALSE;
    }
    if (!MiIsMemory(pfn))
    {
        MI_RULE(FALSE, 0x6F, (ULONG_PTR)Mdl, pfn, MiHighestPage);
        Mdl->MdlFlags |= MDL_IO_SPACE;
    }
    else if (!MipLockPage(pfn))
    {
        *Status = STATUS_WORKING_SET_QUOTA;
        return FALSE;
    }
    MmGetMdlPfnArray(Mdl)[Index] = pfn;
    return TRUE;
}

/*
 * Locks pages from *Done on as long as they are resident and allow the access. WorkingSetLock held.
 * STATUS_SUCCESS: stopped at a page that needs a fault, or at the end.
 */
static NTSTATUS MipLockResident(PEPROCESS Process, PMDL Mdl, ULONG Pages, ULONG64 Need, PULONG Done)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);
    ULONG_PTR first = MI_PAGE(Mdl->StartVa);
    NTSTATUS status = STATUS_SUCCESS;
    ULONG i = *Done;

    while (i < Pages)
    {
        ULONG_PTR page = first + i;
        PMMPTE entry = MiUserPte(Process, page, FALSE);
        ULONG run = (ULONG)min(Pages - i, 512 - (page & 511));
        ULONG locked = entry != NULL ? MipLockRun(entry, pfns + i, run, Need) : 0;

        i += locked;
        if (locked == run)
        {
            continue;
        }
        if (entry == NULL || !MipLockOdd(Mdl, i, entry[locked], Need, &status))
        {
            break;
        }
        i++;
    }
    *Done = i;
    return status;
}

/* What is left of memory has to keep the rest of the machine going. More: locked, but not yet counted. */
static BOOLEAN MipLockedTooMuch(ULONG More)
{
    return MiCounters.LockedPages + More > (LONG64)(MiTotalPages - MiTotalPages / 8);
}

static NTSTATUS MipLockUser(PMDL Mdl, PEPROCESS Process, ULONG Pages, BOOLEAN Write, PULONG Done)
{
    ULONG64 need = MI_PTE_VALID | (Write ? MI_PTE_WRITE : 0);
    ULONG_PTR first = MI_PAGE(Mdl->StartVa);
    NTSTATUS status;

    for (;;)
    {
        if (MipLockedTooMuch(*Done))
        {
            return STATUS_WORKING_SET_QUOTA;
        }
        ExAcquireFastMutex(&Process->Space.WorkingSetLock);
        status = MipLockResident(Process, Mdl, Pages, need, Done);
        ExReleaseFastMutex(&Process->Space.WorkingSetLock);
        if (!NT_SUCCESS(status) || *Done == Pages)
        {
            return status;
        }
        status = MiFaultUserPage(Process, first + *Done, Write ? MiAccessWrite : MiAccessRead);
        if (status == STATUS_NO_MEMORY || status == STATUS_IN_PAGE_ERROR)
        {
            return STATUS_WORKING_SET_QUOTA;
        }
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
}

/* MipLockRun for kernel memory: where pages can leave, none does between the look at its entry and the lock. */
static ULONG MipLockKernelRun(PMMPTE Entry, PPFN_NUMBER Pfns, ULONG Count, ULONG64 Need)
{
    ULONG locked;
    KIRQL irql;

    if (!MiPageable)
    {
        return MipLockRun(Entry, Pfns, Count, Need);
    }
    irql = MiLockPageable();
    locked = MipLockRun(Entry, Pfns, Count, Need);
    MiUnlockPageable(irql);
    return locked;
}

/* Kernel memory: present, or the bug check a touch would bring. */
static NTSTATUS MipLockKernel(PMDL Mdl, ULONG Pages, BOOLEAN Write, PVOID Caller, PULONG Done)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);
    ULONG64 need = MI_PTE_VALID | (Write ? MI_PTE_WRITE : 0);
    ULONG_PTR first = MI_PAGE(Mdl->StartVa);
    NTSTATUS status = STATUS_SUCCESS;
    ULONG i = 0;

    while (i < Pages && NT_SUCCESS(status))
    {
        ULONG_PTR page = first + i;
        BOOLEAN large;
        PMMPTE entry = MiLookupKernelPte(page << PAGE_SHIFT, &large);
        ULONG run = (ULONG)min(Pages - i, 512 - (page & 511));
        ULONG locked;
        ULONG64 value;

        if (MiBringBackKernelPage(page << PAGE_SHIFT))
        {
            continue;
        }
        locked = entry != NULL && !large ? MipLockKernelRun(entry, pfns + i, run, need) : 0;
        i += locked;
        if (locked == run)
        {
            continue;
        }
        value = entry != NULL ? entry[locked] : 0;
        if (locked != 0 && MiPageable)
        {
            continue; /* its page may be one that left: from the start with it */
        }
        if (large) /* one of the direct map: the entry of the page that it would have */
        {
            value = (value & ~(0x1FFULL << PAGE_SHIFT)) + ((page & 511) << PAGE_SHIFT);
        }
        if ((value & MI_PTE_VALID) == 0 && MiPageable && entry != NULL &&
            (MiBringBackKernelPage((first + i) << PAGE_SHIFT) || (entry[locked] & MI_PTE_VALID)))
        {
            continue; /* it had left just now, and is back, perhaps by another processor's doing */
        }
        if ((value & MI_PTE_VALID) == 0)
        {
            KeBugCheckEx(MI_BUGCHECK_PAGE_FAULT, (first + i) << PAGE_SHIFT, Write ? 2 : 0, (ULONG_PTR)Caller, 0);
        }
        if (MipLockOdd(Mdl, i, value, need, &status))
        {
            i++;
        }
        else if (NT_SUCCESS(status))
        {
            status = STATUS_ACCESS_VIOLATION; /* read-only */
        }
    }
    *Done = i;
    return status;
}

/* What is wrong with the range before any page is looked at. */
static NTSTATUS MipCheckRange(PMDL Mdl, PEPROCESS Process, KPROCESSOR_MODE Mode)
{
    ULONG_PTR start = (ULONG_PTR)MiMdlVa(Mdl);
    ULONG_PTR last = start + Mdl->ByteCount - 1;

    if (Mdl->ByteCount == 0)
    {
        return STATUS_INVALID_PARAMETER; /* ours: Windows says nothing of a lock on no bytes */
    }
    if (last < start)
    {
        return STATUS_ACCESS_VIOLATION;
    }
    if (MmIsSystemAddress((PVOID)start))
    {
        return Mode == KernelMode ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
    }
    if (last > (ULONG_PTR)MM_HIGHEST_USER || Process == NULL || Process->Space.Dead)
    {
        return STATUS_ACCESS_VIOLATION;
    }
    return STATUS_SUCCESS;
}

/*
 * The verifier's rules speak of DISPATCH_LEVEL for all three ways to lock. Pageable memory may not be locked at
 * DISPATCH_LEVEL either; there Windows meets the first page that is not resident, in MmProbeAndLockPages itself. Here
 * the first page need not be missing.
 */
static VOID MipRequireIrql(PMDL Mdl, ULONG_PTR Va, BOOLEAN Write)
{
    BOOLEAN pageable = !MmIsSystemAddress((PVOID)Va) || MiIsPagedPool(Va);

    if (KeGetCurrentIrql() > (pageable ? APC_LEVEL : DISPATCH_LEVEL))
    {
        KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, Va, KeGetCurrentIrql(), Write, (ULONG_PTR)MmProbeAndLockPages);
    }
}

/* Rule: B0, or B1 for MmProbeAndLockProcessPages. */
VOID MiProbeAndLock(PMDL Mdl, PEPROCESS Process, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation, ULONG Rule,
                    PVOID Caller)
{
    const USHORT wrong =
        MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL | MDL_IO_SPACE;
    BOOLEAN write = Operation != IoReadAccess;
    BOOLEAN user = !MmIsSystemAddress(Mdl->StartVa);
    ULONG pages = MiMdlPages(Mdl);
    ULONG done = 0;
    NTSTATUS status;

    MI_RULE((Mdl->MdlFlags & wrong) == 0, Rule, (ULONG_PTR)Mdl, (ULONG_PTR)(USHORT)Mdl->MdlFlags, wrong);
    status = MipCheckRange(Mdl, Process, Mode);
    if (!NT_SUCCESS(status))
    {
        ExRaiseStatus(status);
    }
    MipRequireIrql(Mdl, (ULONG_PTR)MiMdlVa(Mdl), write);
    if (!VfGranted(VfRequestLock))
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    status = user ? MipLockUser(Mdl, Process, pages, write, &done) : MipLockKernel(Mdl, pages, write, Caller, &done);
    if (!NT_SUCCESS(status))
    {
        MipDropLocks(Mdl, 0, done);
        Mdl->MdlFlags &= ~MDL_IO_SPACE;
        ExRaiseStatus(status);
    }
    Mdl->Process = user ? Process : NULL;
    Mdl->MdlFlags =
        (CSHORT)((Mdl->MdlFlags & ~MDL_WRITE_OPERATION) | MDL_PAGES_LOCKED | (write ? MDL_WRITE_OPERATION : 0));
    InterlockedAdd64(&MiCounters.LockedPages, pages);
    VfTake(VfPageLock, Mdl, NULL, pages, 0);
    if (user)
    {
        InterlockedAdd64(&Process->Space.LockedPages, pages);
        if (MiTrackLocks)
        {
            MipTrack(Process, Mdl, pages, Caller);
        }
    }
}

/**
 * Makes the pages of an MDL's buffer resident and keeps them so until MmUnlockPages; fills in their PFNs.
 *
 * @param MemoryDescriptorList  not locked, mapped, partial or built for nonpaged pool
 * @param AccessMode            UserMode: the buffer must lie in user space
 * @param Operation             IoReadAccess: for reading by the device; IoWriteAccess, IoModifyAccess: for writing
 * RAISES STATUS_ACCESS_VIOLATION, STATUS_GUARD_PAGE_VIOLATION, STATUS_WORKING_SET_QUOTA (too much is locked, or one
 * page too often), STATUS_INVALID_PARAMETER (no bytes), STATUS_INSUFFICIENT_RESOURCES; nothing stays locked then. IRQL
 * <= APC_LEVEL, in the process that owns a user buffer; <= DISPATCH_LEVEL for nonpaged kernel memory.
 */
VOID NTAPI MmProbeAndLockPages(_Inout_ PMDL MemoryDescriptorList, _In_ KPROCESSOR_MODE AccessMode,
                               _In_ LOCK_OPERATION Operation)
{
    MI_RULE(KeGetCurrentIrql() <= DISPATCH_LEVEL, 0x70, KeGetCurrentIrql(), MemoryDescriptorList, (UCHAR)AccessMode);
    MiProbeAndLock(MemoryDescriptorList, PsInitialSystemProcess != NULL ? MiCurrentProcess() : NULL, AccessMode,
                   Operation, 0xB0, __builtin_return_address(0));
}

/**
 * MmProbeAndLockPages on the address space of Process. IRQL <= APC_LEVEL, in any process.
 */
VOID NTAPI MmProbeAndLockProcessPages(_Inout_ PMDL MemoryDescriptorList, _In_ PEPROCESS Process,
                                      _In_ KPROCESSOR_MODE AccessMode, _In_ LOCK_OPERATION Operation)
{
    MI_RULE(KeGetCurrentIrql() <= DISPATCH_LEVEL, 0x71, KeGetCurrentIrql(), MemoryDescriptorList, Process);
    /* The page tables are reached through the direct map, so the thread need not attach to the process. */
    MiProbeAndLock(MemoryDescriptorList, Process, AccessMode, Operation, 0xB1, __builtin_return_address(0));
}

/**
 * Locks single pages of the current process, one per segment, in an MDL made for all of them.
 *
 * @param SegmentArray  page addresses, each a multiple of PAGE_SIZE; the MDL's length says how many
 * RAISES as MmProbeAndLockPages. IRQL <= APC_LEVEL.
 */
VOID NTAPI MmProbeAndLockSelectedPages(_Inout_ PMDL MemoryDescriptorList, _In_ PFILE_SEGMENT_ELEMENT SegmentArray,
                                       _In_ KPROCESSOR_MODE AccessMode, _In_ LOCK_OPERATION Operation)
{
    PMDL mdl = MemoryDescriptorList;
    PPFN_NUMBER pfns = MmGetMdlPfnArray(mdl);
    PEPROCESS process = MiCurrentProcess();
    ULONG pages = MiMdlPages(mdl);
    BOOLEAN write = Operation != IoReadAccess;
    ULONG done = 0;
    NTSTATUS status = STATUS_SUCCESS;

    MI_RULE(KeGetCurrentIrql() <= DISPATCH_LEVEL, 0x72, KeGetCurrentIrql(), mdl, process);
    if (pages != 0)
    {
        MipRequireIrql(mdl, (ULONG_PTR)SegmentArray[0].Buffer, write);
    }
    if (mdl->ByteOffset != 0 || pages == 0)
    {
        ExRaiseStatus(STATUS_INVALID_PARAMETER);
    }
    if (!VfGranted(VfRequestLock))
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    while (NT_SUCCESS(status) && done < pages)
    {
        ULONG64 raw[(sizeof(MDL) + sizeof(PFN_NUMBER)) / sizeof(ULONG64)];
        PMDL one = (PMDL)raw;
        ULONG segment = 0;

        MmInitializeMdl(one, SegmentArray[done].Buffer, PAGE_SIZE);
        status = one->ByteOffset != 0      ? STATUS_DATATYPE_MISALIGNMENT
                 : MipLockedTooMuch(done) ? STATUS_WORKING_SET_QUOTA
                                          : MipCheckRange(one, process, AccessMode);
        if (NT_SUCCESS(status))
        {
            status = MmIsSystemAddress(one->StartVa)
                         ? MipLockKernel(one, 1, write, __builtin_return_address(0), &segment)
                         : MipLockUser(one, process, 1, write, &segment);
        }
        if (NT_SUCCESS(status))
        {
            pfns[done++] = MmGetMdlPfnArray(one)[0];
            mdl->MdlFlags |= one->MdlFlags & MDL_IO_SPACE;
        }
    }
    if (!NT_SUCCESS(status))
    {
        MipDropLocks(mdl, 0, done);
        mdl->MdlFlags &= ~MDL_IO_SPACE;
        ExRaiseStatus(status);
    }
    mdl->Process = process;
    mdl->MdlFlags =
        (CSHORT)((mdl->MdlFlags & ~MDL_WRITE_OPERATION) | MDL_PAGES_LOCKED | (write ? MDL_WRITE_OPERATION : 0));
    InterlockedAdd64(&MiCounters.LockedPages, pages);
    VfTake(VfPageLock, mdl, NULL, pages, 0);
    InterlockedAdd64(&process->Space.LockedPages, pages);
    if (MiTrackLocks)
    {
        MipTrack(process, mdl, pages, __builtin_return_address(0));
    }
}
