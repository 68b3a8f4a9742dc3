/* SPDX-License-Identifier: MIT */
/* Mistakes with MDLs. */
#include "misuse.h"

VOID Misuse_unlock_never_locked(MISUSE_CONTEXT *Context)
{
    MmUnlockPages(IoAllocateMdl(Context->User, PAGE_SIZE, FALSE, FALSE, NULL));
}

VOID Misuse_unlock_twice(MISUSE_CONTEXT *Context)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    MmUnlockPages(mdl);
    MmUnlockPages(mdl);
}

VOID Misuse_unlock_nonpaged_pool(MISUSE_CONTEXT *Context)
{
    PMDL mdl = IoAllocateMdl(MisusePool(PAGE_SIZE), PAGE_SIZE, FALSE, FALSE, NULL);

    MmBuildMdlForNonPagedPool(mdl);
    MmUnlockPages(mdl);
}

VOID Misuse_unlock_partial(MISUSE_CONTEXT *Context)
{
    PMDL mdl = MisuseLocked(Context, FALSE), part = IoAllocateMdl(Context->User, PAGE_SIZE, FALSE, FALSE, NULL);

    IoBuildPartialMdl(mdl, part, Context->User, PAGE_SIZE);
    MmUnlockPages(part);
}

VOID Misuse_lock_twice(MISUSE_CONTEXT *Context)
{
    MmProbeAndLockPages(MisuseLocked(Context, FALSE), UserMode, IoReadAccess);
}

VOID Misuse_lock_raised(MISUSE_CONTEXT *Context)
{
    PMDL mdl = IoAllocateMdl(Context->User, PAGE_SIZE, FALSE, FALSE, NULL);
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    MmProbeAndLockPages(mdl, UserMode, IoReadAccess);
    KeLowerIrql(irql);
}

VOID Misuse_map_unlocked(MISUSE_CONTEXT *Context)
{
    PMDL mdl = IoAllocateMdl(Context->User, PAGE_SIZE, FALSE, FALSE, NULL);

    MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
}

VOID Misuse_map_twice(MISUSE_CONTEXT *Context)
{
    MmMapLockedPagesSpecifyCache(MisuseLocked(Context, TRUE), KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
}

VOID Misuse_map_user_raised(MISUSE_CONTEXT *Context)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority);
    KeLowerIrql(irql);
}

VOID Misuse_unmap_twice(MISUSE_CONTEXT *Context)
{
    PMDL mdl = MisuseLocked(Context, TRUE);
    PVOID va = mdl->MappedSystemVa;

    MmUnmapLockedPages(va, mdl);
    MmUnmapLockedPages(va, mdl);
}

VOID Misuse_unmap_of_source(MISUSE_CONTEXT *Context)
{
    PMDL mdl = MisuseLocked(Context, TRUE), part = IoAllocateMdl(Context->User, PAGE_SIZE, FALSE, FALSE, NULL);

    IoBuildPartialMdl(mdl, part, Context->User, PAGE_SIZE);
    MmUnmapLockedPages(part->MappedSystemVa, part); /* its source's mapping */
}

VOID Misuse_unmap_user_wrong(MISUSE_CONTEXT *Context)
{
    MmUnmapLockedPages(Context->User, MisuseLocked(Context, FALSE)); /* the program's own memory is no view */
}

VOID Misuse_free_mapped(MISUSE_CONTEXT *Context)
{
    IoFreeMdl(MisuseLocked(Context, TRUE));
}

VOID Misuse_build_on_paged_pool(MISUSE_CONTEXT *Context)
{
    PVOID pool = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE, MISUSE_TAG);

    MmBuildMdlForNonPagedPool(IoAllocateMdl(pool, PAGE_SIZE, FALSE, FALSE, NULL));
}

VOID Misuse_build_on_user(MISUSE_CONTEXT *Context)
{
    MmBuildMdlForNonPagedPool(IoAllocateMdl(Context->User, PAGE_SIZE, FALSE, FALSE, NULL));
}

VOID Misuse_partial_outside(MISUSE_CONTEXT *Context)
{
    PMDL mdl = MisuseLocked(Context, FALSE), part = IoAllocateMdl(Context->User, 2 * PAGE_SIZE, FALSE, FALSE, NULL);

    IoBuildPartialMdl(mdl, part, Context->User + PAGE_SIZE, PAGE_SIZE + 1);
}

VOID Misuse_partial_too_small(MISUSE_CONTEXT *Context)
{
    PUCHAR pool = MisusePool(64 * PAGE_SIZE);
    PMDL mdl = IoAllocateMdl(pool, 64 * PAGE_SIZE, FALSE, FALSE, NULL);
    PMDL part = IoAllocateMdl(pool, 30 * PAGE_SIZE, FALSE, FALSE, NULL);

    MmBuildMdlForNonPagedPool(mdl);
    IoBuildPartialMdl(mdl, part, pool, 64 * PAGE_SIZE);
}

VOID Misuse_write_read_only_view(MISUSE_CONTEXT *Context)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    volatile UCHAR *va = MmMapLockedPagesSpecifyCache(
        mdl, KernelMode, MmCached, NULL, FALSE, (MM_PAGE_PRIORITY)(NormalPagePriority | 0x80000000 /* no write */));

    va[3] = 1;
}

/* Two MDLs for one page; the PFN array of one is changed, so that the other page is unlocked once too often. */
VOID Misuse_over_unlock(MISUSE_CONTEXT *Context)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    MmGetMdlPfnArray(mdl)[1] = MmGetMdlPfnArray(mdl)[0];
    MmUnlockPages(mdl);
}

VOID Misuse_free_locked_pages_twice(MISUSE_CONTEXT *Context)
{
    PHYSICAL_ADDRESS low = {.QuadPart = 0}, high = {.QuadPart = MAXLONGLONG};
    PMDL mdl = MmAllocatePagesForMdlEx(low, high, low, 3 * PAGE_SIZE, MmCached, 0);
    PFN_NUMBER pfns[3];

    RtlCopyMemory(pfns, MmGetMdlPfnArray(mdl), sizeof(pfns));
    MmFreePagesFromMdl(mdl);
    mdl->ByteCount = 3 * PAGE_SIZE;
    mdl->MdlFlags |= MDL_PAGES_LOCKED;
    RtlCopyMemory(MmGetMdlPfnArray(mdl), pfns, sizeof(pfns));
    MmFreePagesFromMdl(mdl);
}
