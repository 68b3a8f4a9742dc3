/* SPDX-License-Identifier: MIT */
/* Part of mmp.h: MM's spin locks, and blocks kept per processor. */
#pragma once

/* Raising from HIGH_LEVEL, where phase 0 runs, would lower: an IRQL that is high enough is left. */
static inline KIRQL MiRaiseToDispatch(VOID)
{
    KIRQL irql = KeGetCurrentIrql();

    if (irql < DISPATCH_LEVEL)
    {
        __writecr8(DISPATCH_LEVEL);
    }
    return irql;
}

static inline VOID MiLowerFromDispatch(KIRQL Irql)
{
    if (Irql < DISPATCH_LEVEL)
    {
        __writecr8(Irql);
    }
}

/*
 * MM's own spin locks, inline because they are taken so often. The value is the owner's, as in KE's, so that a debugger
 * reads all locks alike.
 */
VF_SELDOM VOID MiSpin(PKSPIN_LOCK Lock, LONG64 Owner);

static inline VOID MiEnterLock(PKSPIN_LOCK Lock) /* at DISPATCH_LEVEL */
{
    LONG64 owner = (LONG64)KiCurrentThread() | 1;

    if (InterlockedCompareExchange64((volatile LONG64 *)Lock, owner, 0) != 0)
    {
        MiSpin(Lock, owner);
    }
}

static inline VOID MiLeaveLock(PKSPIN_LOCK Lock)
{
    WriteRelease64((volatile LONG64 *)Lock, 0);
}

static inline KIRQL MiAcquireLock(PKSPIN_LOCK Lock)
{
    KIRQL irql = MiRaiseToDispatch();

    MiEnterLock(Lock);
    return irql;
}

static inline VOID MiReleaseLock(PKSPIN_LOCK Lock, KIRQL Irql)
{
    MiLeaveLock(Lock);
    MiLowerFromDispatch(Irql);
}

/* ---- blocks kept per processor (cache.c) ---- */

typedef struct DECLSPEC_ALIGN(64) _MI_CACHE_LIST
{
    PVOID First;
    ULONG Count;
} MI_CACHE_LIST;

typedef struct _MI_CACHE
{
    SIZE_T Size;
    ULONG Tag;
    MI_CACHE_LIST Lists[KI_MAXIMUM_PROCESSORS];
} MI_CACHE;

/* The second word of a block that is kept says so: a block that is freed twice is recognised as the pool would do. */
typedef struct _MI_KEPT
{
    struct _MI_KEPT *Next;
    ULONG64 Mark;
} MI_KEPT;

#define MI_KEPT_BLOCKS 32
#define MI_KEPT_MARK 0x9D3E6A1B5C7F2841ULL

/** A cache's pool, if it has no block or no room. At DISPATCH_LEVEL. */
VF_SELDOM PVOID MiCacheFill(MI_CACHE *Cache);
VF_SELDOM VOID MiCacheSpill(MI_CACHE *Cache, PVOID Address);
DECLSPEC_NORETURN VOID MiCacheReport(ULONG Tag, PVOID Address); /* freed twice */

/** TRUE if the address is a block that was freed and is kept for reuse. */
static inline BOOLEAN MiCacheIsKept(const VOID *Address)
{
    return ((const MI_KEPT *)Address)->Mark == (MI_KEPT_MARK ^ (ULONG64)Address);
}

/** A block of nonpaged pool of the cache's size, not zeroed, or NULL. At DISPATCH_LEVEL. */
static inline PVOID MiCacheTake(MI_CACHE *Cache)
{
    MI_CACHE_LIST *list = &Cache->Lists[KiCurrentProcessor()];
    MI_KEPT *block = list->First;

    if (block == NULL)
    {
        return MiCacheFill(Cache);
    }
    list->First = block->Next;
    list->Count--;
    block->Mark = 0;
    return block;
}

/** Takes a block back that is not kept (what drivers free is to be asked before). At DISPATCH_LEVEL. */
static inline VOID MiCacheGive(MI_CACHE *Cache, PVOID Address)
{
    MI_CACHE_LIST *list = &Cache->Lists[KiCurrentProcessor()];
    MI_KEPT *block = Address;

    if (list->Count >= MI_KEPT_BLOCKS)
    {
        MiCacheSpill(Cache, Address);
        return;
    }
    block->Next = list->First;
    block->Mark = MI_KEPT_MARK ^ (ULONG64)block;
    list->First = block;
    list->Count++;
}

/** MiCacheTake and MiCacheGive <= DISPATCH_LEVEL. */
static inline PVOID MiCacheAllocate(MI_CACHE *Cache)
{
    KIRQL irql = MiRaiseToDispatch();
    PVOID block = MiCacheTake(Cache);

    MiLowerFromDispatch(irql);
    return block;
}

static inline VOID MiCacheFree(MI_CACHE *Cache, PVOID Address)
{
    KIRQL irql = MiRaiseToDispatch();

    MiCacheGive(Cache, Address);
    MiLowerFromDispatch(irql);
}
