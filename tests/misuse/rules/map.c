/* SPDX-License-Identifier: MIT */
/* Mistakes with views of MDLs. */
#include "misuse.h"

static PVOID MapKernel(PMDL Mdl, ULONG Priority)
{
    PVOID va = MmMapLockedPagesSpecifyCache(Mdl, KernelMode, MmCached, NULL, FALSE, (MM_PAGE_PRIORITY)Priority);

    MisuseNote("va", (ULONG_PTR)va);
    return va;
}

static PVOID MapUser(PMDL Mdl)
{
    PVOID va = NULL;

    __try
    {
        va = MmMapLockedPagesSpecifyCache(Mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        DbgPrint("misuse: the user mapping raised 0x%08lx\n", GetExceptionCode());
    }
    MisuseNote("va", (ULONG_PTR)va);
    return va;
}

MISUSE(map_unlocked)
{
    MapKernel(MisuseMdl(Context->User, PAGE_SIZE), NormalPagePriority);
}

CORRECT(map_unlocked)
{
    PMDL mdl = MisuseMdl(Context->User, PAGE_SIZE);

    MmProbeAndLockPages(mdl, UserMode, IoReadAccess);
    MapKernel(mdl, NormalPagePriority);
    MisuseUnlock(mdl);
}

MISUSE(map_twice)
{
    MapKernel(MisuseLocked(Context, TRUE), NormalPagePriority);
}

CORRECT(map_twice)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority); /* gives the view there is */
    MisuseUnlock(mdl);
}

/* The flag says locked, the pages are not. */
MISUSE(map_lock_dropped)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    MmUnlockPages(mdl);
    mdl->MdlFlags |= MDL_PAGES_LOCKED;
    MapKernel(mdl, NormalPagePriority);
}

CORRECT(map_lock_dropped)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    MapKernel(mdl, NormalPagePriority);
    MisuseUnlock(mdl);
}

#define DEVICE_PAGE 0xFEE00000 /* the local APIC: no memory */

MISUSE(map_not_memory)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    MmGetMdlPfnArray(mdl)[1] = DEVICE_PAGE >> PAGE_SHIFT;
    MapKernel(mdl, NormalPagePriority);
}

CORRECT(map_not_memory)
{
    MM_PHYSICAL_ADDRESS_LIST device = {.PhysicalAddress.QuadPart = DEVICE_PAGE, .NumberOfBytes = PAGE_SIZE};
    PMDL mdl;

    Context->Status = MmAllocateMdlForIoSpace(&device, 1, &mdl);
    if (NT_SUCCESS(Context->Status))
    {
        PVOID va = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmNonCached, NULL, FALSE, NormalPagePriority);

        DbgPrint("misuse: version of the local APIC: %lx\n", *(volatile ULONG *)((PUCHAR)va + 0x30));
        MmUnmapLockedPages(va, mdl);
        IoFreeMdl(mdl);
    }
}

static VOID MapAt(KIRQL Irql, PMDL Mdl, KPROCESSOR_MODE Mode)
{
    KIRQL old = MisuseRaise(Irql);
    PVOID va = MmMapLockedPagesSpecifyCache(Mdl, Mode, MmCached, NULL, FALSE, NormalPagePriority);

    MmUnmapLockedPages(va, Mdl);
    KeLowerIrql(old);
    MisuseUnlock(Mdl);
}

MISUSE(map_high)
{
    MapAt(MISUSE_HIGH, MisuseLocked(Context, FALSE), KernelMode);
}

CORRECT(map_high)
{
    MapAt(DISPATCH_LEVEL, MisuseLocked(Context, FALSE), KernelMode);
}

MISUSE(map_user_raised)
{
    MapAt(DISPATCH_LEVEL, MisuseLocked(Context, FALSE), UserMode);
}

CORRECT(map_user_raised)
{
    MapAt(APC_LEVEL, MisuseLocked(Context, FALSE), UserMode);
}

static VOID MapObsoleteAt(KIRQL Irql, PMDL Mdl, KPROCESSOR_MODE Mode)
{
    KIRQL old = MisuseRaise(Irql);
    PVOID va = MmMapLockedPages(Mdl, Mode);

    MmUnmapLockedPages(va, Mdl);
    KeLowerIrql(old);
    MisuseUnlock(Mdl);
}

MISUSE(map_obsolete_high)
{
    MapObsoleteAt(MISUSE_HIGH, MisuseLocked(Context, FALSE), KernelMode);
}

CORRECT(map_obsolete_high)
{
    MapObsoleteAt(DISPATCH_LEVEL, MisuseLocked(Context, FALSE), KernelMode);
}

MISUSE(map_obsolete_user_raised)
{
    MapObsoleteAt(DISPATCH_LEVEL, MisuseLocked(Context, FALSE), UserMode);
}

CORRECT(map_obsolete_user_raised)
{
    MapObsoleteAt(APC_LEVEL, MisuseLocked(Context, FALSE), UserMode);
}

MISUSE(map_obsolete)
{
    MapObsoleteAt(PASSIVE_LEVEL, MisuseLocked(Context, FALSE), KernelMode);
}

CORRECT(map_obsolete)
{
    MapAt(PASSIVE_LEVEL, MisuseLocked(Context, FALSE), KernelMode);
}

MISUSE(map_or_bug_check)
{
    MmMapLockedPagesSpecifyCache(MisuseLocked(Context, FALSE), KernelMode, MmCached, NULL, TRUE, NormalPagePriority);
}

CORRECT(map_or_bug_check)
{
    MapAt(PASSIVE_LEVEL, MisuseLocked(Context, FALSE), KernelMode);
}

MISUSE(map_executable)
{
    MapKernel(MisuseLocked(Context, FALSE), NormalPagePriority);
}

CORRECT(map_executable)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    MapKernel(mdl, NormalPagePriority | MdlMappingNoExecute);
    MisuseUnlock(mdl);
}

/* Takes the kernel's addresses in ever smaller pieces, until not even one page is left. */
static ULONG TakeAddresses(PVOID *Pieces, ULONG Room)
{
    ULONG count = 0;

    for (SIZE_T size = 1ULL << 34; size >= PAGE_SIZE; size /= 2)
    {
        while (count < Room && (Pieces[count] = MmAllocateMappingAddress(size, MISUSE_TAG)) != NULL)
        {
            count++;
        }
    }
    return count;
}

static PVOID MapWithoutAddresses(PMDL Mdl, BOOLEAN BugCheckOnFailure)
{
    const ULONG room = 4096;
    PVOID *pieces = MisusePool(room * sizeof(PVOID));
    ULONG count = TakeAddresses(pieces, room);
    PVOID va = MmMapLockedPagesSpecifyCache(Mdl, KernelMode, MmCached, NULL, BugCheckOnFailure, HighPagePriority);

    while (count != 0)
    {
        MmFreeMappingAddress(pieces[--count], MISUSE_TAG);
    }
    MisuseFree(pieces);
    return va;
}

MISUSE(map_without_addresses)
{
    MapWithoutAddresses(MisuseLocked(Context, FALSE), TRUE);
}

CORRECT(map_without_addresses)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    Context->Status = MapWithoutAddresses(mdl, FALSE) == NULL ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    MisuseUnlock(mdl);
}

MISUSE(unmap_twice)
{
    PMDL mdl = MisuseLocked(Context, TRUE);
    PVOID va = mdl->MappedSystemVa;

    MmUnmapLockedPages(va, mdl);
    MmUnmapLockedPages(va, mdl);
}

CORRECT(unmap_twice)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
    MisuseUnlock(mdl);
}

static VOID UnmapAt(KIRQL Irql, PVOID Va, PMDL Mdl)
{
    KIRQL old = MisuseRaise(Irql);

    MmUnmapLockedPages(Va, Mdl);
    KeLowerIrql(old);
}

MISUSE(unmap_high)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    UnmapAt(MISUSE_HIGH, mdl->MappedSystemVa, mdl);
}

CORRECT(unmap_high)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    UnmapAt(DISPATCH_LEVEL, mdl->MappedSystemVa, mdl);
    MisuseUnlock(mdl);
}

MISUSE(unmap_user_raised)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    UnmapAt(DISPATCH_LEVEL, MapUser(mdl), mdl);
}

CORRECT(unmap_user_raised)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    UnmapAt(APC_LEVEL, MapUser(mdl), mdl);
    MisuseUnlock(mdl);
}

/* The MDL was shortened by hand. */
MISUSE(unmap_wrong_count)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    mdl->ByteCount = PAGE_SIZE;
    MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
}

/* A page that is no longer wanted is given up with MmAdvanceMdl. */
CORRECT(unmap_wrong_count)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    MmAdvanceMdl(mdl, PAGE_SIZE);
    MisuseUnlock(mdl);
}

MISUSE(unmap_wrong_address)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    MmUnmapLockedPages((PUCHAR)mdl->MappedSystemVa + 0x10, mdl);
}

CORRECT(unmap_wrong_address)
{
    Correct_unmap_twice(Context);
}

/* The PFN array is the system's, not the driver's. */
MISUSE(unmap_changed_pfn)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    MmGetMdlPfnArray(mdl)[0] = MmGetMdlPfnArray(mdl)[1];
    MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
}

CORRECT(unmap_changed_pfn)
{
    Correct_unmap_twice(Context);
}

MISUSE(unmap_of_source)
{
    PMDL mdl = MisuseLocked(Context, TRUE), part = MisuseMdl(Context->User, PAGE_SIZE);

    IoBuildPartialMdl(mdl, part, Context->User, PAGE_SIZE);
    MmUnmapLockedPages(part->MappedSystemVa, part); /* its source's view */
}

CORRECT(unmap_of_source)
{
    PMDL mdl = MisuseLocked(Context, TRUE), part = MisuseMdl(Context->User, PAGE_SIZE);

    IoBuildPartialMdl(mdl, part, Context->User, PAGE_SIZE);
    MmPrepareMdlForReuse(part); /* knows that the view is not the part's own */
    IoFreeMdl(part);
    MisuseUnlock(mdl);
}

/* The program's own memory is no view of the MDL. */
MISUSE(unmap_user_wrong)
{
    MmUnmapLockedPages(Context->User, MisuseLocked(Context, FALSE));
}

CORRECT(unmap_user_wrong)
{
    Correct_map_user_raised(Context);
}

MISUSE(write_read_only_view)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    volatile UCHAR *va = MapKernel(mdl, NormalPagePriority | MdlMappingNoWrite | MdlMappingNoExecute);

    va[3] = 1;
}

CORRECT(write_read_only_view)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    volatile UCHAR *va = MapKernel(mdl, NormalPagePriority | MdlMappingNoExecute);

    va[3] = 1;
    MisuseUnlock(mdl);
}
