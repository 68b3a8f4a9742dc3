/* SPDX-License-Identifier: MIT */
/*
 * Force-IRQL: whenever a driver is at DISPATCH_LEVEL or above, pageable memory is not there.
 *
 * User memory and paged pool are hidden from the one processor: its CR3 gets a top-level table that has no user half
 * and no entry for the two ranges of paged pool. Nothing is shared, nothing is waited for, nothing is lost on the other
 * processors, and it is exact: no access by this processor can slip through because another brought the page back.
 *
 *                      ordinary table            hidden table
 *   user half          the process's             -
 *   paged pool         )                         -
 *   all other kernel   ) same tables             same tables
 *
 * Hiding begins when a driver raises, takes a spin lock, or is called as a DPC. It ends with the first access from
 * below
 * DISPATCH_LEVEL that finds the memory gone, or with a switch to another process: so a lock that is taken and released
 * without touching pageable memory costs one load of CR3 at most. The entries of paged pool are not global in this
 * mode, so that loading
 * CR3 drops them.
 *
 * Pageable sections of drivers lie among others that are not, so they cannot be hidden by a top-level entry: their
 * pages
 * are trimmed on all processors when a driver raises (pageable.c). A processor below DISPATCH_LEVEL that runs such code
 * brings its page back at once; from then on an access at DISPATCH_LEVEL elsewhere goes unnoticed until the next raise.
 * Windows has that gap for all memory.
 *
 * A page locked through an MDL is no exception: its frame stays and the MDL's mapping works, the pageable address does
 * not. Views of MDLs in user memory are nonpageable, though: a processor that touches one sees user memory again, until
 * the next raise.
 */
#include "mmp.h"

#define MI_TOP_INDEX(Va) (((Va) >> 39) & 511)

BOOLEAN MmForceIrql;
static ULONG64 MipHiddenTable; /* physical */
static volatile LONG64 MipHidings;

VOID MiInitializeForceIrql(VOID)
{
    PFN_NUMBER page;
    PULONG64 table;

    if (!VfOption(VfForceIrql))
    {
        return;
    }
    page = MiAllocatePage(MI_ALLOCATE_ZEROED, MiPagePageTable);
    table = MiPfnToVirtual(page);
    RtlCopyMemory(table + 256, (PULONG64)MiPhysicalToVirtual(MiKernelPml4) + 256, 256 * sizeof(ULONG64));
    table[MI_TOP_INDEX(MM_PAGED_POOL_BASE)] = 0;
    table[MI_TOP_INDEX(MM_SPECIAL_PAGED_POOL_BASE)] = 0;
    MipHiddenTable = (ULONG64)page << PAGE_SHIFT;
    MmForceIrql = TRUE;
}

/**
 * Hides pageable memory from this processor. IRQL >= DISPATCH_LEVEL, and low enough for requests between processors
 * (KeFlushTb); only with MmForceIrql.
 */
VOID MmHidePageable(VOID)
{
    MiTrimSections();
    if (__readcr3() != MipHiddenTable)
    {
        __writecr3(MipHiddenTable);
        MipHidings++; /* two processors may count as one: a figure, no fact */
    }
}

VOID MiShowPageable(VOID)
{
    /* A switch between the two comes back with CR3 loaded for the same process, so the order does no harm. */
    if (MmForceIrql && __readcr3() == MipHiddenTable)
    {
        __writecr3(KiCurrentProcess()->DirectoryTableBase);
    }
}

/* TRUE for what is not pageable though it lies in the user half: a view of an MDL, the page shared with user mode. */
static BOOLEAN MipIsPhysicalView(ULONG_PTR Va)
{
    BOOLEAN large;
    PMMPTE entry = MiLookupPte(KiCurrentProcess()->DirectoryTableBase & MI_PTE_PFN_MASK, Va, &large);
    const ULONG64 view = MI_PTE_VALID | MI_PTE_PHYSICAL;

    return entry != NULL && (*entry & view) == view;
}

BOOLEAN MiShowForFault(ULONG_PTR Va)
{
    BOOLEAN user = !MmIsSystemAddress((PVOID)Va);
    BOOLEAN mayShow = KeGetCurrentIrql() < DISPATCH_LEVEL;

    if (!MmForceIrql || __readcr3() != MipHiddenTable || !(user || MiIsPagedPool(Va)))
    {
        return FALSE;
    }
    if (!mayShow)
    {
        mayShow = user ? MipIsPhysicalView(Va) : MiOwnsPagedPool();
    }
    if (mayShow)
    {
        MiShowPageable();
    }
    return mayShow;
}

BOOLEAN MiIsHidden(ULONG_PTR Va)
{
    return MmForceIrql && __readcr3() == MipHiddenTable && (!MmIsSystemAddress((PVOID)Va) || MiIsPagedPool(Va));
}

/** TRUE for kernel stacks and for views. Any IRQL. */
BOOLEAN MmIsSystemPteAddress(PVOID Address)
{
    return MiInRegion(&MiSystemPtes, (ULONG_PTR)Address);
}

/** TRUE if the address is in memory that may be paged: user memory, paged pool, a pageable section. Any IRQL. */
BOOLEAN MmIsPageableAddress(PVOID Address)
{
    return !MmIsSystemAddress(Address) || MiIsPagedPool((ULONG_PTR)Address) || MiFindPageableSection(Address) != NULL;
}

static VOID MipReportForceIrql(VOID)
{
    if (MmForceIrql)
    {
        HalPrint(HalStreamError, "machine: force-irql hid user memory and paged pool %lld times\n", MipHidings);
    }
}

VOID MmReportModes(VOID)
{
    MiReportSpecialPool();
    MipReportForceIrql();
    MiReportPageable();
    VfReportDeadlock();
}
