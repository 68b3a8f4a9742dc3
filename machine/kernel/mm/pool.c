/* SPDX-License-Identifier: MIT */
/*
 * Pool blocks below a page.
 *
 *   page:  | header | bytes ... slack | header | bytes ... | header | free: list links ... |
 *            Units ------------------->  Previous says how far back the one before begins
 *
 * A page is cut into blocks of 16-byte units that merge with their free neighbours. Free blocks are on lists by size,
 * with a bit per list that is not empty. A page that is free as a whole leaves, but for a few kept as they are.
 */
#include "poolp.h"
#include "io.h"

MI_POOL MiPools[MiPoolCount];
static ULONG64 MipCookie;

/*
 * A header as its two halves. Whoever frees a block looks at its header without the lock, while another processor may
 * be merging the block before it, which changes Previous and with it Check. Both are in the first half, so that half
 * is written and read in one piece: the reader sees the header before or after the merge, never in between.
 */
typedef union _MIP_HEADER
{
    MI_BLOCK Block;
    ULONG64 Half[2];
} MIP_HEADER;

/* The check of a header that stands, or is to stand, at the address. */
static USHORT MipCheckAt(const MIP_HEADER *Header, const VOID *Address)
{
    ULONG64 mix = (ULONG64)Address ^ MipCookie ^ ((ULONG64)Header->Block.Tag << 16) ^ Header->Block.Previous ^
                  ((ULONG64)Header->Block.Flags << 8) ^ Header->Half[1];

    return (USHORT)((mix * 0x9E3779B97F4A7C15ULL) >> 48);
}

USHORT MiBlockCheck(const MI_BLOCK *Block)
{
    return MipCheckAt((const MIP_HEADER *)Block, Block);
}

static BOOLEAN MipIsSound(const MI_BLOCK *Block)
{
    const volatile MIP_HEADER *header = (const volatile MIP_HEADER *)Block;
    MIP_HEADER copy;

    copy.Half[0] = header->Half[0];
    copy.Half[1] = header->Half[1];
    return copy.Block.Check == MipCheckAt(&copy, Block);
}

static VOID MipSetPrevious(PMI_BLOCK Block, ULONG Units)
{
    MIP_HEADER copy = *(MIP_HEADER *)Block;

    copy.Block.Previous = (UCHAR)Units;
    copy.Block.Check = MipCheckAt(&copy, Block);
    ((volatile MIP_HEADER *)Block)->Half[0] = copy.Half[0];
}

static inline PMI_BLOCK MipNext(PMI_BLOCK Block)
{
    PMI_BLOCK next = (PMI_BLOCK)((PUCHAR)Block + Block->Units * MI_UNIT);

    return ((ULONG_PTR)next & (PAGE_SIZE - 1)) != 0 ? next : NULL;
}

static inline VOID MipSeal(PMI_BLOCK Block)
{
    Block->Check = MiBlockCheck(Block);
}

static VOID MipInsertFree(MI_POOL *Pool, PMI_BLOCK Block)
{
    ULONG units = (ULONG)Block->Units;

    Block->Flags = (UCHAR)(Pool->Index << MI_BLOCK_POOL_SHIFT);
    Block->Slack = 0;
    MipSeal(Block);
    InsertHeadList(&Pool->Free[units], (PLIST_ENTRY)(Block + 1));
    Pool->NonEmpty[units / 64] |= 1ULL << (units % 64);
}

static VOID MipRemoveFree(MI_POOL *Pool, PMI_BLOCK Block)
{
    ULONG units = (ULONG)Block->Units;
    PLIST_ENTRY links = (PLIST_ENTRY)(Block + 1);

    /* Links that a write to freed memory has changed: 19/3, or, if they lead nowhere, the fault that MmOwnsPool explains. */
    if (links->Flink->Blink != links || links->Blink->Flink != links)
    {
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_HEADER, 3, (ULONG_PTR)links, (ULONG_PTR)links->Flink->Blink,
                     (ULONG_PTR)links->Blink->Flink);
    }
    if (RemoveEntryList(links))
    {
        Pool->NonEmpty[units / 64] &= ~(1ULL << (units % 64));
    }
}

/* A header that does not add up: whoever wrote over it wrote past the end of the block before. */
static VOID MipRequireSound(PMI_BLOCK Block)
{
    if (Block->Check != MiBlockCheck(Block))
    {
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_HEADER, 0x20, (ULONG_PTR)Block, (ULONG_PTR)Block + Block->Units * MI_UNIT,
                     *(ULONG_PTR *)Block);
    }
}

static PMI_BLOCK MipFindFree(MI_POOL *Pool, ULONG Units)
{
    for (ULONG word = Units / 64; word < RTL_NUMBER_OF(Pool->NonEmpty); word++)
    {
        ULONG64 lists = Pool->NonEmpty[word];
        if (word == Units / 64)
        {
            lists &= ~0ULL << (Units % 64);
        }
        if (lists != 0)
        {
            ULONG units = word * 64 + (ULONG)__builtin_ctzll(lists);
            PMI_BLOCK block = (PMI_BLOCK)Pool->Free[units].Flink - 1;
            MipRequireSound(block);
            MipRemoveFree(Pool, block);
            return block;
        }
    }
    return NULL;
}

static PMI_BLOCK MipNewPage(MI_POOL *Pool)
{
    PMI_BLOCK block = MiAllocateMapped(Pool->Region, 1, MiRecordPoolPage, Pool->Index, Pool->PteBits, MiPagePool);

    if (block != NULL)
    {
        RtlZeroMemory(block, sizeof(*block));
        block->Units = MI_PAGE_UNITS;
    }
    return block;
}

/* Cuts what is not needed off a block that is on no list. */
static VOID MipSplit(MI_POOL *Pool, PMI_BLOCK Block, ULONG Units)
{
    ULONG rest = (ULONG)Block->Units - Units;
    PMI_BLOCK tail, next;

    if (rest < 2)
    {
        return;
    }
    Block->Units = Units;
    tail = (PMI_BLOCK)((PUCHAR)Block + Units * MI_UNIT);
    RtlZeroMemory(tail, sizeof(*tail));
    tail->Units = rest;
    tail->Previous = (UCHAR)Units;
    next = MipNext(tail);
    if (next != NULL)
    {
        MipSetPrevious(next, rest);
    }
    MipInsertFree(Pool, tail);
}

/**
 * Takes a block of at most MI_LARGEST_BLOCK bytes.
 */
PVOID MiAllocateBlock(const MI_REQUEST *Request)
{
    MI_POOL *pool = Request->Pool;
    SIZE_T size = max(Request->Size, 1);
    ULONG units = (ULONG)((size + MI_UNIT - 1) / MI_UNIT) + 1;
    BOOLEAN driver = Request->Driver;
    PMI_BLOCK block;
    KIRQL irql;

    irql = MiAcquireLock(&pool->Lock);
    block = MipFindFree(pool, units);
    if (block == NULL && pool->SpareCount != 0)
    {
        block = pool->Spare[--pool->SpareCount];
    }
    if (block == NULL)
    {
        MiReleaseLock(&pool->Lock, irql);
        block = MipNewPage(pool);
        if (block == NULL)
        {
            return NULL;
        }
        irql = MiAcquireLock(&pool->Lock);
    }
    MipSplit(pool, block, units);
    block->Tag = Request->Tag;
    block->Flags = (UCHAR)(MI_BLOCK_IN_USE | (pool->Index << MI_BLOCK_POOL_SHIFT) | (driver ? MI_BLOCK_DRIVER : 0));
    block->Slack = block->Units * MI_UNIT - sizeof(MI_BLOCK) - size;
    block->Caller = MiPackCaller(Request->Caller);
    MipSeal(block);
    MiReleaseLock(&pool->Lock, irql);

    for (PUCHAR at = (PUCHAR)(block + 1) + size, end = at + block->Slack; at < end; at++)
    {
        *at = MI_SLACK_FILL;
    }
    if (driver)
    {
        InterlockedIncrement64(&MiCounters.DriverBlocks);
        InterlockedAdd64(&MiCounters.DriverBytes, (LONG64)size);
    }
    if (Request->Zero)
    {
        RtlZeroMemory(block + 1, size);
    }
    return block + 1;
}

/** Someone wrote past the end of the block: C4/51 for a driver's, BAD_POOL_HEADER 21 with the first wrong byte. */
VOID MiCheckSlack(PMI_BLOCK Block)
{
    SIZE_T size = Block->Units * MI_UNIT - sizeof(MI_BLOCK) - Block->Slack;
    PUCHAR slack = (PUCHAR)(Block + 1) + size;

    for (ULONG i = 0; i < Block->Slack; i++)
    {
        if (slack[i] != MI_SLACK_FILL)
        {
            MI_RULE((Block->Flags & MI_BLOCK_DRIVER) == 0, 0x51, Block + 1, &slack[i], size);
            KeBugCheckEx(MI_BUGCHECK_BAD_POOL_HEADER, 0x21, (ULONG_PTR)(Block + 1), size, slack[i]);
        }
    }
}

/**
 * Gives a block back and merges it with free neighbours. The caller has checked that it is one.
 */
VOID MiFreeBlock(MI_POOL *Pool, PMI_BLOCK Block)
{
    PMI_BLOCK next, previous;
    PVOID page = NULL;
    KIRQL irql;

    if (Block->Flags & MI_BLOCK_DRIVER)
    {
        InterlockedDecrement64(&MiCounters.DriverBlocks);
        InterlockedAdd64(&MiCounters.DriverBytes, -(LONG64)(Block->Units * MI_UNIT - sizeof(MI_BLOCK) - Block->Slack));
    }
    irql = MiAcquireLock(&Pool->Lock);
    if ((Block->Flags & MI_BLOCK_IN_USE) == 0) /* two processors free the same block */
    {
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 7, 0, Block->Tag, (ULONG_PTR)(Block + 1));
    }
    Block->Flags &= (UCHAR)~MI_BLOCK_IN_USE;
    next = MipNext(Block);
    if (next != NULL)
    {
        MI_RULE((Block->Flags & MI_BLOCK_DRIVER) == 0 || next->Check == MiBlockCheck(next), 0x52, Block + 1, 0,
                Block->Units * MI_UNIT - sizeof(MI_BLOCK) - Block->Slack);
        MipRequireSound(next);
        if (next->Previous != Block->Units)
        {
            KeBugCheckEx(MI_BUGCHECK_BAD_POOL_HEADER, 0x20, (ULONG_PTR)Block, (ULONG_PTR)next, *(ULONG_PTR *)next);
        }
        if ((next->Flags & MI_BLOCK_IN_USE) == 0)
        {
            MipRemoveFree(Pool, next);
            Block->Units += next->Units;
        }
    }
    if (Block->Previous != 0)
    {
        previous = (PMI_BLOCK)((PUCHAR)Block - Block->Previous * MI_UNIT);
        MipRequireSound(previous);
        if ((previous->Flags & MI_BLOCK_IN_USE) == 0)
        {
            MipRemoveFree(Pool, previous);
            previous->Units += Block->Units;
            MipSeal(Block); /* the old header stays recognisable: a second free finds "not in use" */
            Block = previous;
        }
    }
    next = MipNext(Block);
    if (next != NULL)
    {
        MipSetPrevious(next, (ULONG)Block->Units);
    }
    if (Block->Units != MI_PAGE_UNITS)
    {
        MipInsertFree(Pool, Block);
    }
    else
    {
        MipSeal(Block);
        if (Pool->SpareCount < MI_SPARE_PAGES)
        {
            Pool->Spare[Pool->SpareCount++] = Block;
        }
        else
        {
            page = Block;
        }
    }
    MiReleaseLock(&Pool->Lock, irql);
    if (page != NULL)
    {
        MiFreeMapped(Pool->Region, page, 1);
    }
}

PMI_BLOCK MiBlockOf(PVOID Address)
{
    PMI_BLOCK block = (PMI_BLOCK)Address - 1;

    if (((ULONG_PTR)Address & (MI_UNIT - 1)) != 0)
    {
        VfCheck(FALSE, 0x16, 0, (ULONG_PTR)Address, 0);
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 0x46, (ULONG_PTR)Address, 0, 0);
    }
    if (MipIsSound(block) && (block->Flags & MI_BLOCK_REDIRECT))
    {
        block = (PMI_BLOCK)((PUCHAR)block - block->Units * MI_UNIT);
    }
    if (!MipIsSound(block))
    {
        VfCheck(!IoIsIrp(Address), 0x105, (ULONG_PTR)Address, 0, 0); /* inside its block */
        /* Not a header, or one that was written over. */
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_HEADER, 0x20, (ULONG_PTR)block, (ULONG_PTR)Address, *(ULONG_PTR *)block);
    }
    if ((block->Flags & MI_BLOCK_IN_USE) == 0)
    {
        VfCheck(FALSE, 0x13, 0, (ULONG_PTR)block, *(ULONG_PTR *)block);
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 7, 0, *(ULONG_PTR *)block, (ULONG_PTR)Address);
    }
    return block;
}

/** TRUE if this processor holds the lock of a pool: what faults then is a pool's list that somebody wrote over. */
BOOLEAN MmOwnsPool(VOID)
{
    for (ULONG i = 0; i < MiPoolCount; i++)
    {
        if (MiPools[i].Lock == ((ULONG_PTR)KiCurrentThread() | 1))
        {
            return TRUE;
        }
    }
    return FALSE;
}

static VOID MipInitializeOne(ULONG Index, MI_REGION *Region, ULONG64 Bits, BOOLEAN Paged)
{
    MI_POOL *pool = &MiPools[Index];

    KeInitializeSpinLock(&pool->Lock);
    pool->Region = Region;
    pool->PteBits = Bits;
    pool->Index = Index;
    pool->Paged = Paged;
    for (ULONG i = 0; i < RTL_NUMBER_OF(pool->Free); i++)
    {
        InitializeListHead(&pool->Free[i]);
    }
}

BOOLEAN MiOwnsPagedPool(VOID)
{
    return *(volatile KSPIN_LOCK *)&MiPools[MiPoolPaged].Lock == ((KSPIN_LOCK)KiCurrentThread() | 1);
}

VOID MiInitializePool(ULONG64 Cookie)
{
    /* What is hidden by loading CR3 must not be global. */
    ULONG64 paged = MI_PTE_KERNEL & ~(MmForceIrql ? MI_PTE_GLOBAL : 0);

    MipCookie = Cookie;
    MipInitializeOne(MiPoolNonPaged, &MiNonPagedRegion, MI_PTE_KERNEL, FALSE);
    MipInitializeOne(MiPoolExecutable, &MiNonPagedRegion, MI_PTE_KERNEL & ~MI_PTE_NX, FALSE);
    MipInitializeOne(MiPoolPaged, &MiPagedRegion, paged, TRUE);
}
