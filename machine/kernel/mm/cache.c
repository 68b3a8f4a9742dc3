/* SPDX-License-Identifier: MIT */
/*
 * Small blocks of one size that come and go all the time (MDLs, trackers of locks, VADs), kept per processor in front
 * of the pool. At DISPATCH_LEVEL a processor's list belongs to whoever runs on it, so it needs no lock.
 *
 * The second word of a block that is kept says so: a block that is freed twice is recognised as the pool would do.
 */
#include "mmp.h"

#define MI_KEPT_BLOCKS 32
#define MI_KEPT_MARK 0x9D3E6A1B5C7F2841ULL

typedef struct _MI_KEPT
{
    struct _MI_KEPT *Next;
    ULONG64 Mark;
} MI_KEPT;

PVOID MiCacheAllocate(MI_CACHE *Cache)
{
    KIRQL irql = KeGetCurrentIrql();
    MI_CACHE_LIST *list;
    MI_KEPT *block;

    if (irql < DISPATCH_LEVEL)
    {
        __writecr8(DISPATCH_LEVEL);
    }
    list = &Cache->Lists[KiCurrentProcessor()];
    block = list->First;
    if (block != NULL)
    {
        list->First = block->Next;
        list->Count--;
        block->Mark = 0;
    }
    if (irql < DISPATCH_LEVEL)
    {
        KeLowerIrql(irql);
    }
    return block != NULL ? (PVOID)block : ExAllocatePoolWithTag(NonPagedPoolNx, Cache->Size, Cache->Tag);
}

BOOLEAN MiCacheIsKept(const VOID *Address)
{
    const MI_KEPT *block = Address;

    return block->Mark == (MI_KEPT_MARK ^ (ULONG64)block);
}

VOID MiCacheFree(MI_CACHE *Cache, PVOID Address)
{
    MI_KEPT *block = Address;
    KIRQL irql = KeGetCurrentIrql();
    MI_CACHE_LIST *list;
    BOOLEAN kept = FALSE;

    if (MiCacheIsKept(block))
    {
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 7, 0, Cache->Tag, (ULONG_PTR)Address);
    }
    if (irql < DISPATCH_LEVEL)
    {
        __writecr8(DISPATCH_LEVEL);
    }
    list = &Cache->Lists[KiCurrentProcessor()];
    if (list->Count < MI_KEPT_BLOCKS)
    {
        block->Next = list->First;
        block->Mark = MI_KEPT_MARK ^ (ULONG64)block;
        list->First = block;
        list->Count++;
        kept = TRUE;
    }
    if (irql < DISPATCH_LEVEL)
    {
        KeLowerIrql(irql);
    }
    if (!kept)
    {
        ExFreePoolWithTag(Address, Cache->Tag);
    }
}
