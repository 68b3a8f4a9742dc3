/* SPDX-License-Identifier: MIT */
/* Mistakes with reserved mapping addresses. The reservation's tag is MISUSE_TAG. */
#include "misuse.h"

#define STRANGER 'gnrW'

static PVOID Reserve(ULONG Pages)
{
    PVOID va = MmAllocateMappingAddress((SIZE_T)Pages * PAGE_SIZE, MISUSE_TAG);

    MisuseNote("va", (ULONG_PTR)va);
    return va;
}

static VOID Map(PVOID Va, ULONG Tag, PMDL Mdl)
{
    MmMapLockedPagesWithReservedMapping(Va, Tag, Mdl, MmCached);
}

/* From beginning to end, as it should be. */
static VOID UseReservation(MISUSE_CONTEXT *Context)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    PVOID va = Reserve(2);

    Map(va, MISUSE_TAG, mdl);
    MmUnmapReservedMapping(va, MISUSE_TAG, mdl);
    MmFreeMappingAddress(va, MISUSE_TAG);
    MisuseUnlock(mdl);
}

MISUSE(reserve_nothing)
{
    MmAllocateMappingAddress(0, MISUSE_TAG);
}

CORRECT(reserve_nothing)
{
    MmFreeMappingAddress(MmAllocateMappingAddress(1, MISUSE_TAG), MISUSE_TAG);
}

MISUSE(reserve_free_stranger)
{
    MmFreeMappingAddress(Reserve(2), STRANGER);
}

CORRECT(reserve_free_stranger)
{
    MmFreeMappingAddress(Reserve(2), MISUSE_TAG);
}

MISUSE(reserve_free_twice)
{
    PVOID va = Reserve(2);

    MmFreeMappingAddress(va, MISUSE_TAG);
    MmFreeMappingAddress(va, MISUSE_TAG);
}

CORRECT(reserve_free_twice)
{
    MmFreeMappingAddress(Reserve(2), MISUSE_TAG);
}

MISUSE(reserve_free_mapped)
{
    PVOID va = Reserve(2);

    Map(va, MISUSE_TAG, MisuseLocked(Context, FALSE));
    MmFreeMappingAddress(va, MISUSE_TAG);
}

CORRECT(reserve_free_mapped)
{
    UseReservation(Context);
}

MISUSE(reserve_map_stranger)
{
    Map(Reserve(2), STRANGER, MisuseLocked(Context, FALSE));
}

CORRECT(reserve_map_stranger)
{
    UseReservation(Context);
}

MISUSE(reserve_map_nowhere)
{
    PVOID va = Reserve(2);

    MmFreeMappingAddress(va, MISUSE_TAG);
    Map(va, MISUSE_TAG, MisuseLocked(Context, FALSE));
}

CORRECT(reserve_map_nowhere)
{
    UseReservation(Context);
}

MISUSE(reserve_map_twice)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    PVOID va = Reserve(2);

    Map(va, MISUSE_TAG, mdl);
    Map(va, MISUSE_TAG, mdl);
}

CORRECT(reserve_map_twice)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    PVOID va = Reserve(2);

    for (ULONG i = 0; i < 2; i++)
    {
        Map(va, MISUSE_TAG, mdl);
        MmUnmapReservedMapping(va, MISUSE_TAG, mdl);
    }
    MmFreeMappingAddress(va, MISUSE_TAG);
    MisuseUnlock(mdl);
}

MISUSE(reserve_unmap_stranger)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    PVOID va = Reserve(2);

    Map(va, MISUSE_TAG, mdl);
    MmUnmapReservedMapping(va, STRANGER, mdl);
}

CORRECT(reserve_unmap_stranger)
{
    UseReservation(Context);
}

MISUSE(reserve_unmap_nowhere)
{
    PVOID va = Reserve(2);

    MmFreeMappingAddress(va, MISUSE_TAG);
    MmUnmapReservedMapping(va, MISUSE_TAG, MisuseLocked(Context, FALSE));
}

CORRECT(reserve_unmap_nowhere)
{
    UseReservation(Context);
}

MISUSE(reserve_unmap_too_much)
{
    MmUnmapReservedMapping(Reserve(1), MISUSE_TAG, MisuseLocked(Context, FALSE));
}

CORRECT(reserve_unmap_too_much)
{
    UseReservation(Context);
}

MISUSE(reserve_unmap_not_mapped)
{
    MmUnmapReservedMapping(Reserve(2), MISUSE_TAG, MisuseLocked(Context, FALSE));
}

CORRECT(reserve_unmap_not_mapped)
{
    UseReservation(Context);
}

/* The MDL was shortened by hand in the meantime. */
MISUSE(reserve_unmap_part)
{
    PMDL mdl = MisuseLocked(Context, FALSE);
    PVOID va = Reserve(2);

    Map(va, MISUSE_TAG, mdl);
    mdl->ByteCount = PAGE_SIZE;
    MmUnmapReservedMapping(va, MISUSE_TAG, mdl);
}

CORRECT(reserve_unmap_part)
{
    UseReservation(Context);
}
