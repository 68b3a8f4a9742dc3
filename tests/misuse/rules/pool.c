/* SPDX-License-Identifier: MIT */
/* Mistakes with pool. */
#include "misuse.h"

MISUSE(pool_zero_size)
{
    MisuseFree(MisusePool(0));
}

CORRECT(pool_zero_size)
{
    MisuseFree(MisusePool(1));
}

MISUSE(pool_double_free)
{
    PVOID block = MisusePool(100);

    MisuseFree(block);
    MisuseFree(block);
}

CORRECT(pool_double_free)
{
    MisuseFree(MisusePool(100));
}

MISUSE(pool_wrong_tag)
{
    ExFreePoolWithTag(MisusePool(100), 'gnrW');
}

CORRECT(pool_wrong_tag)
{
    ExFreePoolWithTag(MisusePool(100), MISUSE_TAG);
}

MISUSE(pool_free_user)
{
    MisuseFree(Context->User);
}

/* User memory goes the way it came: the harness frees it with ZwFreeVirtualMemory. */
CORRECT(pool_free_user)
{
    MisuseFree(MisusePool(PAGE_SIZE));
}

MISUSE(pool_free_inside)
{
    MisuseFree((PUCHAR)MisusePool(3 * PAGE_SIZE) + PAGE_SIZE);
}

CORRECT(pool_free_inside)
{
    MisuseFree(MisusePool(3 * PAGE_SIZE));
}

/* Not even a multiple of the alignment that pool has. */
MISUSE(pool_free_misaligned)
{
    MisuseFree((PUCHAR)MisusePool(100) + 8);
}

CORRECT(pool_free_misaligned)
{
    MisuseFree(MisusePool(100));
}

static ULONG NoPool;

MISUSE(pool_free_not_pool)
{
    MisuseFree(&NoPool);
}

CORRECT(pool_free_not_pool)
{
    NoPool = 0; /* what is not from pool is not given back */
}

static PVOID PagedPages(VOID)
{
    PVOID block = ExAllocatePoolWithTag(PagedPool, PAGE_SIZE, MISUSE_TAG);

    MisuseNote("pool", (ULONG_PTR)block);
    return block;
}

MISUSE(pool_free_paged_twice)
{
    PVOID block = PagedPages();

    MisuseFree(block);
    MisuseFree(block);
}

CORRECT(pool_free_paged_twice)
{
    MisuseFree(PagedPages());
}

static PVOID AllocateAt(KIRQL Irql, POOL_TYPE PoolType)
{
    KIRQL old = MisuseRaise(Irql);
    PVOID block = ExAllocatePoolWithTag(PoolType, 100, MISUSE_TAG);

    KeLowerIrql(old);
    MisuseNote("pool", (ULONG_PTR)block);
    return block;
}

static VOID FreeAt(KIRQL Irql, PVOID Block)
{
    KIRQL old = MisuseRaise(Irql);

    MisuseFree(Block);
    KeLowerIrql(old);
}

MISUSE(pool_paged_raised)
{
    AllocateAt(DISPATCH_LEVEL, PagedPool);
}

CORRECT(pool_paged_raised)
{
    MisuseFree(AllocateAt(APC_LEVEL, PagedPool));
}

MISUSE(pool_nonpaged_high)
{
    AllocateAt(MISUSE_HIGH, NonPagedPoolNx);
}

CORRECT(pool_nonpaged_high)
{
    MisuseFree(AllocateAt(DISPATCH_LEVEL, NonPagedPoolNx));
}

MISUSE(pool_free_paged_raised)
{
    FreeAt(DISPATCH_LEVEL, AllocateAt(PASSIVE_LEVEL, PagedPool));
}

CORRECT(pool_free_paged_raised)
{
    FreeAt(APC_LEVEL, AllocateAt(PASSIVE_LEVEL, PagedPool));
}

MISUSE(pool_free_high)
{
    FreeAt(MISUSE_HIGH, AllocateAt(PASSIVE_LEVEL, NonPagedPoolNx));
}

CORRECT(pool_free_high)
{
    FreeAt(DISPATCH_LEVEL, AllocateAt(PASSIVE_LEVEL, NonPagedPoolNx));
}

MISUSE(pool_must_succeed)
{
    AllocateAt(PASSIVE_LEVEL, NonPagedPoolMustSucceed);
}

/* There is no request that must succeed, only one that looks at the answer. */
CORRECT(pool_must_succeed)
{
    PVOID block = AllocateAt(PASSIVE_LEVEL, NonPagedPoolNx);

    if (block != NULL)
    {
        MisuseFree(block);
    }
}

MISUSE(pool_executable)
{
    MisuseFree(AllocateAt(PASSIVE_LEVEL, NonPagedPool));
}

CORRECT(pool_executable)
{
    MisuseFree(AllocateAt(PASSIVE_LEVEL, NonPagedPoolNx));
}

static VOID WriteAt(SIZE_T Size, volatile SIZE_T Offset)
{
    PUCHAR block = MisusePool(Size);

    block[Offset] = 0x5A;
    MisuseFree(block);
}

/* The block's last unit has room for 8 bytes that nobody asked for. */
MISUSE(pool_overrun)
{
    WriteAt(104, 104);
}

CORRECT(pool_overrun)
{
    WriteAt(104, 103);
}

/* No such room: the next byte belongs to the header of the next block. */
MISUSE(pool_overrun_header)
{
    WriteAt(112, 112);
}

CORRECT(pool_overrun_header)
{
    WriteAt(112, 111);
}

#define RARE_SIZE 1200 /* three to a page, and no other block of the machine fits into the hole better */
#define BLOCKS 8

/* Index of a block between two others of ours, which stay, so that it merges with nobody when it is freed. */
static ULONG AllocateNeighbours(PUCHAR *Blocks)
{
    ULONG middle = 1;

    for (ULONG i = 0; i < BLOCKS; i++)
    {
        Blocks[i] = MisusePool(RARE_SIZE);
    }
    while (middle < BLOCKS - 2 && (BYTE_OFFSET(Blocks[middle - 1]) > BYTE_OFFSET(Blocks[middle]) ||
                                   BYTE_OFFSET(Blocks[middle]) > BYTE_OFFSET(Blocks[middle + 1])))
    {
        middle++;
    }
    MisuseNote("pool", (ULONG_PTR)Blocks[middle]);
    return middle;
}

static VOID WriteFreed(PVOID Link, BOOLEAN Before)
{
    PUCHAR blocks[BLOCKS];
    ULONG middle = AllocateNeighbours(blocks);
    volatile LIST_ENTRY *block = (PLIST_ENTRY)blocks[middle];

    if (Before)
    {
        block->Flink = Link;
    }
    MisuseFree((PVOID)block);
    if (!Before)
    {
        block->Flink = Link;
    }
    blocks[middle] = ExAllocatePoolWithTag(NonPagedPoolNx, RARE_SIZE, MISUSE_TAG); /* takes the hole */
    for (ULONG i = 0; i < BLOCKS; i++)
    {
        MisuseFree(blocks[i]);
    }
}

/* The free list leads to an address that is not there. */
MISUSE(pool_write_freed)
{
    WriteFreed((PVOID)0x4141414100, FALSE);
}

CORRECT(pool_write_freed)
{
    WriteFreed((PVOID)0x4141414100, TRUE);
}

static LIST_ENTRY Elsewhere = {&Elsewhere, &Elsewhere};

/* The free list leads to another list. */
MISUSE(pool_write_freed_list)
{
    MisuseNote("elsewhere", (ULONG_PTR)&Elsewhere);
    WriteFreed(&Elsewhere, FALSE);
}

CORRECT(pool_write_freed_list)
{
    WriteFreed(&Elsewhere, TRUE);
}

static PKTIMER StartTimer(VOID)
{
    PKTIMER timer = MisusePool(sizeof(KTIMER) + 64);
    LARGE_INTEGER due = {.QuadPart = -600000000};

    KeInitializeTimer(timer);
    KeSetTimer(timer, due, NULL);
    return timer;
}

MISUSE(pool_live_timer)
{
    MisuseFree(StartTimer());
}

CORRECT(pool_live_timer)
{
    PKTIMER timer = StartTimer();

    KeCancelTimer(timer);
    MisuseFree(timer);
}

static PVOID Kept;

static VOID FreeKept(VOID)
{
    MisuseFree(Kept);
}

/* The mistake shows when the driver is unloaded. */
MISUSE(pool_leak)
{
    Kept = MisusePool(1234);
}

CORRECT(pool_leak)
{
    Kept = MisusePool(1234);
    MisuseAtUnload = FreeKept;
}

static VOID Execute(POOL_TYPE PoolType)
{
    PUCHAR code = ExAllocatePoolWithTag(PoolType, 16, MISUSE_TAG);

    MisuseNote("pool", (ULONG_PTR)code);
    code[0] = 0xC3; /* ret */
    ((VOID(*)(VOID))(PVOID)code)();
    MisuseFree(code);
}

MISUSE(execute_pool)
{
    Execute(NonPagedPoolNx);
}

CORRECT(execute_pool)
{
    Execute(NonPagedPool);
}
