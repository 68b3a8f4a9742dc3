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

MISUSE(map_user_raised)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, NULL, FALSE, NormalPagePriority);
    KeLowerIrql(irql);
}

CORRECT(map_user_raised)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    PVOID va = MapUser(mdl);

    MmUnmapLockedPages(va, mdl);
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
