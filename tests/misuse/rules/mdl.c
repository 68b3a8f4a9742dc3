/* SPDX-License-Identifier: MIT */
/* Mistakes with MDLs as data: building, parts, freeing; and with the pages that MDLs own. */
#include "misuse.h"

MISUSE(free_mapped)
{
    IoFreeMdl(MisuseLocked(Context, TRUE));
}

CORRECT(free_mapped)
{
    MisuseUnlock(MisuseLocked(Context, TRUE));
}

MISUSE(build_on_paged_pool)
{
    PVOID pool = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE, MISUSE_TAG);

    MmBuildMdlForNonPagedPool(MisuseMdl(pool, PAGE_SIZE));
}

CORRECT(build_on_paged_pool)
{
    PVOID pool = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE, MISUSE_TAG);
    PMDL mdl = MisuseMdl(pool, PAGE_SIZE);

    MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess);
    MisuseUnlock(mdl);
    MisuseFree(pool);
}

/* An MDL of "kernel memory" on a user address: nothing keeps the pages, and another process has others there. */
MISUSE(build_on_user)
{
    MmBuildMdlForNonPagedPool(MisuseMdl(Context->User, PAGE_SIZE));
}

CORRECT(build_on_user)
{
    MisuseUnlock(MisuseLocked(Context, FALSE));
}

MISUSE(build_on_nothing)
{
    MmBuildMdlForNonPagedPool(MisuseMdl((PVOID)0xFFFFF00000001000, PAGE_SIZE));
}

CORRECT(build_on_nothing)
{
    PVOID pool = MisusePool(PAGE_SIZE);
    PMDL mdl = MisuseMdl(pool, PAGE_SIZE);

    MmBuildMdlForNonPagedPool(mdl);
    IoFreeMdl(mdl);
    MisuseFree(pool);
}

MISUSE(free_mdl_twice)
{
    PMDL mdl = MisuseMdl(Context->User, PAGE_SIZE);

    IoFreeMdl(mdl);
    IoFreeMdl(mdl);
}

CORRECT(free_mdl_twice)
{
    IoFreeMdl(MisuseMdl(Context->User, PAGE_SIZE));
}

MISUSE(partial_outside)
{
    PMDL mdl = MisuseLocked(Context, FALSE), part = IoAllocateMdl(Context->User, 2 * PAGE_SIZE, FALSE, FALSE, NULL);

    MisuseNote("part", (ULONG_PTR)part);
    IoBuildPartialMdl(mdl, part, Context->User + PAGE_SIZE, PAGE_SIZE + 1);
}

CORRECT(partial_outside)
{
    PMDL mdl = MisuseLocked(Context, FALSE), part = MisuseMdl(Context->User, 2 * PAGE_SIZE);

    IoBuildPartialMdl(mdl, part, Context->User + PAGE_SIZE, 0); /* as far as the source goes */
    IoFreeMdl(part);
    MisuseUnlock(mdl);
}

#define LARGE_PAGES 64 /* more than the MDLs that come from a lookaside list have room for */

static VOID BuildPart(ULONG RoomFor, ULONG Pages)
{
    PUCHAR pool = MisusePool(LARGE_PAGES * PAGE_SIZE);
    PMDL mdl = MisuseMdl(pool, LARGE_PAGES * PAGE_SIZE);
    PMDL part = IoAllocateMdl(pool, RoomFor * PAGE_SIZE, FALSE, FALSE, NULL);

    MisuseNote("part", (ULONG_PTR)part);
    MmBuildMdlForNonPagedPool(mdl);
    IoBuildPartialMdl(mdl, part, pool, Pages * PAGE_SIZE);
    IoFreeMdl(part);
    IoFreeMdl(mdl);
    MisuseFree(pool);
}

MISUSE(partial_too_small)
{
    BuildPart(LARGE_PAGES / 2, LARGE_PAGES);
}

CORRECT(partial_too_small)
{
    BuildPart(LARGE_PAGES / 2, LARGE_PAGES / 2);
}

#define PAGES 3

static PMDL AllocatePages(VOID)
{
    PHYSICAL_ADDRESS low = {.QuadPart = 0}, high = {.QuadPart = MAXLONGLONG};
    PMDL mdl = MmAllocatePagesForMdlEx(low, high, low, PAGES * PAGE_SIZE, MmCached, MM_ALLOCATE_FULLY_REQUIRED);

    MisuseNote("mdl", (ULONG_PTR)mdl);
    MisuseNote("pfn", MmGetMdlPfnArray(mdl)[0]);
    return mdl;
}

static VOID FreePages(PMDL Mdl)
{
    MmFreePagesFromMdl(Mdl);
    ExFreePool(Mdl);
}

MISUSE(allocate_pages_high)
{
    KIRQL old = MisuseRaise(MISUSE_HIGH);

    AllocatePages();
    KeLowerIrql(old);
}

CORRECT(allocate_pages_high)
{
    KIRQL old = MisuseRaise(DISPATCH_LEVEL);

    FreePages(AllocatePages());
    KeLowerIrql(old);
}

MISUSE(free_pages_high)
{
    PMDL mdl = AllocatePages();
    KIRQL old = MisuseRaise(MISUSE_HIGH);

    FreePages(mdl);
    KeLowerIrql(old);
}

CORRECT(free_pages_high)
{
    Correct_allocate_pages_high(Context);
}

/* The pages are locked by a second MDL, through the kernel view of the first. */
static PMDL LockView(PMDL Pages)
{
    PVOID va = MmGetSystemAddressForMdlSafe(Pages, NormalPagePriority | MdlMappingNoExecute);
    PMDL mdl = MisuseMdl(va, PAGES * PAGE_SIZE);

    MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess);
    return mdl;
}

MISUSE(free_pages_locked)
{
    PMDL pages = AllocatePages();

    LockView(pages);
    FreePages(pages);
}

CORRECT(free_pages_locked)
{
    PMDL pages = AllocatePages();

    MisuseUnlock(LockView(pages));
    FreePages(pages);
}

static VOID MapIoAt(KIRQL Irql, PHYSICAL_ADDRESS Address, MEMORY_CACHING_TYPE Type)
{
    KIRQL old = MisuseRaise(Irql);
    PVOID va = MmMapIoSpace(Address, PAGE_SIZE, Type);

    KeLowerIrql(old);
    if (va != NULL)
    {
        MmUnmapIoSpace(va, PAGE_SIZE);
    }
}

static const PHYSICAL_ADDRESS Device = {.QuadPart = 0xFEE00000}; /* the local APIC */

MISUSE(map_io_high)
{
    MapIoAt(MISUSE_HIGH, Device, MmNonCached);
}

CORRECT(map_io_high)
{
    MapIoAt(DISPATCH_LEVEL, Device, MmNonCached);
}

static PHYSICAL_ADDRESS PhysicalOf(PUCHAR User)
{
    PHYSICAL_ADDRESS physical;

    *(volatile UCHAR *)User = 1;
    physical = MmGetPhysicalAddress(User);
    MisuseNote("physical", (ULONG_PTR)physical.QuadPart);
    return physical;
}

/* The page may be another's by the time the mapping is used. */
MISUSE(map_io_unlocked)
{
    MapIoAt(PASSIVE_LEVEL, PhysicalOf(Context->User), MmCached);
}

CORRECT(map_io_unlocked)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    MapIoAt(PASSIVE_LEVEL, PhysicalOf(Context->User), MmCached);
    MisuseUnlock(mdl);
}

static VOID UnmapIo(SIZE_T Size, SIZE_T Offset)
{
    PVOID va = MmMapIoSpace(Device, 2 * PAGE_SIZE, MmNonCached);

    MisuseNote("va", (ULONG_PTR)va);
    MmUnmapIoSpace((PUCHAR)va + Offset, Size);
}

MISUSE(unmap_io_length)
{
    UnmapIo(PAGE_SIZE, 0);
}

CORRECT(unmap_io_length)
{
    UnmapIo(2 * PAGE_SIZE, 0);
}

MISUSE(unmap_io_address)
{
    UnmapIo(PAGE_SIZE, PAGE_SIZE);
}

CORRECT(unmap_io_address)
{
    UnmapIo(2 * PAGE_SIZE, 0);
}

MISUSE(contiguous_not_such)
{
    MmFreeContiguousMemory(MisusePool(PAGE_SIZE));
}

CORRECT(contiguous_not_such)
{
    PHYSICAL_ADDRESS highest = {.QuadPart = MAXLONGLONG};

    MmFreeContiguousMemory(MmAllocateContiguousMemory(PAGE_SIZE, highest));
}

MISUSE(free_locked_pages_twice)
{
    PMDL mdl = AllocatePages();
    PFN_NUMBER pfns[PAGES];

    RtlCopyMemory(pfns, MmGetMdlPfnArray(mdl), sizeof(pfns));
    MmFreePagesFromMdl(mdl);
    mdl->ByteCount = PAGES * PAGE_SIZE;
    mdl->MdlFlags |= MDL_PAGES_LOCKED;
    RtlCopyMemory(MmGetMdlPfnArray(mdl), pfns, sizeof(pfns));
    MmFreePagesFromMdl(mdl);
}

CORRECT(free_locked_pages_twice)
{
    FreePages(AllocatePages());
}
