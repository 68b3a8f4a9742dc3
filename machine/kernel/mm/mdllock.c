/* SPDX-License-Identifier: MIT */
/*
 * Locking pages for I/O: MmProbeAndLockPages and its kin. (Unlocking: mdlunlock.c.)
 *
 * A lock is a reference on the page (and a count of one lock in it), nothing in the page tables: the address may be
 * unmapped or the process's view may change while the page stays. The trimmer leaves pages with locks alone.
 *
 *   for each page       resident and allows the access?  -> one interlocked addition, next page
 *   (WorkingSetLock)    otherwise                        -> drop the lock, fault it in, try the same page again
 */
#include "mmp.h"

/* What an MDL that is to be locked must not be. */
#define MI_LOCK_WRONG \
    (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL | MDL_IO_SPACE)

static VF_SELDOM VOID MipTrackOnList(PEPROCESS Process, PMDL Mdl, ULONG Pages, PVOID Caller)
{
    KIRQL irql = MiRaiseToDispatch();
    MI_LOCK_TRACKER *tracker = MiCacheTake(&MiTrackerCache);

    if (tracker != NULL) /* else the count alone still tells that there is a lock, only not whose */
    {
        tracker->Mdl = Mdl;
        tracker->Caller = Caller;
        tracker->Pages = Pages;
        MiEnterLock(&Process->Space.LockTrackersLock);
        tracker->Next = Process->Space.LockTrackers;
        Process->Space.LockTrackers = tracker;
        MiLeaveLock(&Process->Space.LockTrackersLock);
    }
    MiLowerFromDispatch(irql);
}

static inline VOID MipTrack(PEPROCESS Process, PMDL Mdl, ULONG Pages, PVOID Caller)
{
    MI_LOCK_TRACKER *place = MiLockPlace(Process, Mdl);

    if (InterlockedCompareExchangePointer((PVOID volatile *)&place->Mdl, Mdl, NULL) != NULL)
    {
        MipTrackOnList(Process, Mdl, Pages, Caller);
        return;
    }
    place->Caller = Caller;
    place->Pages = Pages;
}

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
 * memory, a page locked too often. Returns how many it locked.
 */
MI_INLINE ULONG MipLockRun(const MMPTE *Entry, PPFN_NUMBER Pfns, ULONG Count, ULONG64 Need)
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
        if (MI_LOCKS(InterlockedExchangeAdd64(&page->Counts, MI_LOCK_UNIT)) >= MI_MAXIMUM_LOCKS)
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

/* On its own, so that the loop keeps to registers. */
static DECLSPEC_NOINLINE ULONG MipLockMany(const MMPTE *Entry, PPFN_NUMBER Pfns, ULONG Count, ULONG64 Need)
{
    return MipLockRun(Entry, Pfns, Count, Need);
}

/*
 * Locks pages from Done on as long as they are resident, allow the access and are nothing special. WorkingSetLock held.
 * Returns how many are locked then.
 */
static DECLSPEC_NOINLINE ULONG MipLockResident(PEPROCESS Process, PMDL Mdl, ULONG Done, ULONG Pages, ULONG64 Need)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);

    while (Done < Pages)
    {
        ULONG_PTR page = MI_PAGE(Mdl->StartVa) + Done;
        ULONG run = (ULONG)min(Pages - Done, 512 - (page & 511));
        PMMPTE entry = MiFindUserPte(Process, page);
        ULONG locked = entry != NULL ? MipLockMany(entry, pfns + Done, run, Need) : 0;

        Done += locked;
        if (locked != run)
        {
            break;
        }
    }
    return Done;
}

/* What is left of memory has to keep the rest of the machine going. More: locked, but not yet counted. */
static inline BOOLEAN MipLockedTooMuch(ULONG More)
{
    return MiCounters.LockedPages + More > (LONG64)(MiTotalPages - MiTotalPages / 8);
}

/*
 * WorkingSetLock held, since the last of the pages was locked: an ending process loses its pages under that lock, and
 * then looks whether it is charged for any, so no lock goes unnoticed. Not before the last: a lock that is going to fail
 * for want of the rest is no driver's mistake.
 */
static inline VOID MipCharge(PEPROCESS Process, ULONG Pages)
{
    InterlockedAdd64(&Process->Space.LockedPages, Pages);
}

/*
 * User memory from *Done on; a page that stopped MipLockResident is looked at closer, or faulted in, or the end. Charges
 * the process.
 */
static DECLSPEC_NOINLINE NTSTATUS MipLockRest(PMDL Mdl, PEPROCESS Process, ULONG Pages, BOOLEAN Write, PULONG Done)
{
    ULONG64 need = MI_PTE_VALID | (Write ? MI_PTE_WRITE : 0);
    NTSTATUS status = STATUS_SUCCESS;

    while (*Done != Pages)
    {
        ULONG_PTR page = MI_PAGE(Mdl->StartVa) + *Done;
        PMMPTE entry;
        BOOLEAN locked;

        if (MipLockedTooMuch(*Done))
        {
            return STATUS_WORKING_SET_QUOTA;
        }
        MiLockWorkingSet(Process);
        entry = MiFindUserPte(Process, page);
        locked = entry != NULL && MipLockOdd(Mdl, *Done, *entry, need, &status);
        if (locked)
        {
            *Done = MipLockResident(Process, Mdl, *Done + 1, Pages, need);
            if (*Done == Pages)
            {
                MipCharge(Process, Pages);
            }
        }
        MiUnlockWorkingSet(Process);
        if (NT_SUCCESS(status) && !locked)
        {
            status = MiFaultUserPage(Process, page, Write ? MiAccessWrite : MiAccessRead);
        }
        if (status == STATUS_NO_MEMORY || status == STATUS_IN_PAGE_ERROR)
        {
            return STATUS_WORKING_SET_QUOTA;
        }
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
    return STATUS_SUCCESS;
}

/* MipLockRun for kernel memory: where pages can leave, none does between the look at its entry and the lock. */
static ULONG MipLockKernelRun(PMMPTE Entry, PPFN_NUMBER Pfns, ULONG Count, ULONG64 Need)
{
    ULONG locked;
    KIRQL irql;

    if (!MiPageable)
    {
        return MipLockMany(Entry, Pfns, Count, Need);
    }
    irql = MiLockPageable();
    locked = MipLockMany(Entry, Pfns, Count, Need);
    MiUnlockPageable(irql);
    return locked;
}

/* Kernel memory: present, or the bug check a touch would bring. */
static DECLSPEC_NOINLINE NTSTATUS MipLockKernel(PMDL Mdl, ULONG Pages, BOOLEAN Write, PVOID Caller, PULONG Done)
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
static inline NTSTATUS MipCheckRange(PMDL Mdl, PEPROCESS Process, KPROCESSOR_MODE Mode)
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
    if (last > (ULONG_PTR)MM_HIGHEST_USER || Process->Space.Dead)
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
static inline VOID MipRequireIrql(PMDL Mdl, ULONG_PTR Va, BOOLEAN Write)
{
    BOOLEAN pageable = !MmIsSystemAddress((PVOID)Va) || MiIsPagedPool(Va);

    if (KeGetCurrentIrql() > (pageable ? APC_LEVEL : DISPATCH_LEVEL))
    {
        KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, Va, KeGetCurrentIrql(), Write, (ULONG_PTR)MmProbeAndLockPages);
    }
}

/* Nothing stays locked. */
static DECLSPEC_NORETURN VOID MipGiveUp(PMDL Mdl, ULONG Done, NTSTATUS Status)
{
    MiDropLocks(Mdl, Done);
    Mdl->MdlFlags &= ~MDL_IO_SPACE;
    ExRaiseStatus(Status);
}

/* The pages are locked, and the process is charged for them. Process: NULL for kernel memory. */
MI_INLINE VOID MipAccountLock(PMDL Mdl, PEPROCESS Process, ULONG Pages, BOOLEAN Write, PVOID Caller)
{
    Mdl->Process = Process;
    Mdl->MdlFlags =
        (CSHORT)((Mdl->MdlFlags & ~MDL_WRITE_OPERATION) | MDL_PAGES_LOCKED | (Write ? MDL_WRITE_OPERATION : 0));
    InterlockedAdd64(&MiCounters.LockedPages, Pages);
    VfTake(VfPageLock, Mdl, NULL, Pages, 0);
    if (Process != NULL && MiTrackLocks)
    {
        MipTrack(Process, Mdl, Pages, Caller);
    }
}

/* All of the rules, any memory. Done: pages that are locked already. Rule: B0, or B1 for MmProbeAndLockProcessPages. */
static DECLSPEC_NOINLINE VOID MipProbeAndLockAny(PMDL Mdl, PEPROCESS Process, KPROCESSOR_MODE Mode, BOOLEAN Write,
                                                 ULONG Rule, PVOID Caller, ULONG Done)
{
    BOOLEAN user = !MmIsSystemAddress(Mdl->StartVa);
    ULONG pages = MiMdlPages(Mdl);
    NTSTATUS status;

    MI_RULE((Mdl->MdlFlags & MI_LOCK_WRONG) == 0, Rule, Mdl, (USHORT)Mdl->MdlFlags, MI_LOCK_WRONG);
    status = MipCheckRange(Mdl, Process, Mode);
    if (!NT_SUCCESS(status))
    {
        MipGiveUp(Mdl, Done, status);
    }
    MipRequireIrql(Mdl, (ULONG_PTR)MiMdlVa(Mdl), Write);
    if (!VfGranted(VfRequestLock))
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    status = user ? MipLockRest(Mdl, Process, pages, Write, &Done) : MipLockKernel(Mdl, pages, Write, Caller, &Done);
    if (!NT_SUCCESS(status))
    {
        MipGiveUp(Mdl, Done, status);
    }
    MipAccountLock(Mdl, user ? Process : NULL, pages, Write, Caller);
}

/* A buffer of a program, and nothing against a lock: what is resident of it is locked at once. */
MI_INLINE VOID MipProbeAndLock(PMDL Mdl, PEPROCESS Process, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation, ULONG Rule,
                               PVOID Caller)
{
    BOOLEAN write = Operation != IoReadAccess;
    ULONG_PTR start = (ULONG_PTR)MiMdlVa(Mdl);
    ULONG_PTR end = start + Mdl->ByteCount;
    KIRQL irql = KeGetCurrentIrql();
    ULONG done = 0;

    if (start < end && end <= (ULONG_PTR)MM_HIGHEST_USER && (Mdl->MdlFlags & MI_LOCK_WRONG) == 0 && irql <= APC_LEVEL &&
        !Process->Space.Dead && !VfFailuresOn && !MipLockedTooMuch(0))
    {
        ULONG64 need = MI_PTE_VALID | (write ? MI_PTE_WRITE : 0);
        ULONG pages = MiMdlPages(Mdl);
        MiLockWorkingSetAt(Process, irql);
        if (pages == 1) /* no loops */
        {
            PMMPTE entry = MiFindUserPte(Process, MI_PAGE(start));
            done = entry != NULL ? MipLockRun(entry, MmGetMdlPfnArray(Mdl), 1, need) : 0;
        }
        else
        {
            done = MipLockResident(Process, Mdl, 0, pages, need);
        }
        if (done == pages)
        {
            MipCharge(Process, pages);
        }
        MiUnlockWorkingSet(Process);
        if (done == pages)
        {
            MipAccountLock(Mdl, Process, pages, write, Caller);
            return;
        }
    }
    MipProbeAndLockAny(Mdl, Process, Mode, write, Rule, Caller, done);
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
    MipProbeAndLock(MemoryDescriptorList, MiCurrentProcess(), AccessMode, Operation, 0xB0,
                    __builtin_return_address(0));
}

/**
 * MmProbeAndLockPages on the address space of Process. IRQL <= APC_LEVEL, in any process.
 */
VOID NTAPI MmProbeAndLockProcessPages(_Inout_ PMDL MemoryDescriptorList, _In_ PEPROCESS Process,
                                      _In_ KPROCESSOR_MODE AccessMode, _In_ LOCK_OPERATION Operation)
{
    MI_RULE(KeGetCurrentIrql() <= DISPATCH_LEVEL, 0x71, KeGetCurrentIrql(), MemoryDescriptorList, Process);
    /* The page tables are reached through the direct map, so the thread need not attach to the process. */
    MipProbeAndLock(MemoryDescriptorList, Process, AccessMode, Operation, 0xB1, __builtin_return_address(0));
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
            BOOLEAN kernel = MmIsSystemAddress(one->StartVa);
            status = kernel ? MipLockKernel(one, 1, write, __builtin_return_address(0), &segment)
                            : MipLockRest(one, process, 1, write, &segment);
            if (kernel && NT_SUCCESS(status))
            {
                MipCharge(process, 1); /* the MDL is the process's, whatever its pages are */
            }
        }
        if (NT_SUCCESS(status))
        {
            pfns[done++] = MmGetMdlPfnArray(one)[0];
            mdl->MdlFlags |= one->MdlFlags & MDL_IO_SPACE;
        }
    }
    if (!NT_SUCCESS(status))
    {
        InterlockedAdd64(&process->Space.LockedPages, -(LONG64)done);
        MipGiveUp(mdl, done, status);
    }
    MipAccountLock(mdl, process, pages, write, __builtin_return_address(0));
}
