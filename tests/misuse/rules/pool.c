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

static VOID AllocateRaised(POOL_TYPE PoolType)
{
    KIRQL irql;
    PVOID block;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    block = ExAllocatePoolWithTag(PoolType, 100, MISUSE_TAG);
    KeLowerIrql(irql);
    MisuseFree(block);
}

MISUSE(pool_paged_raised)
{
    AllocateRaised(PagedPool);
}

CORRECT(pool_paged_raised)
{
    AllocateRaised(NonPagedPoolNx);
}

/* The block's last unit has room for 8 bytes that nobody asked for. */
static VOID WriteAt(volatile SIZE_T Offset)
{
    PUCHAR block = MisusePool(104);

    block[Offset] = 0x5A;
    MisuseFree(block);
}

MISUSE(pool_overrun)
{
    WriteAt(104);
}

CORRECT(pool_overrun)
{
    WriteAt(103);
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
