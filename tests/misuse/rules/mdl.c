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
    PMDL mdl = AllocatePages();

    MmFreePagesFromMdl(mdl);
    ExFreePool(mdl);
}
