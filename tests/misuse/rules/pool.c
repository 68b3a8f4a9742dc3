/* SPDX-License-Identifier: MIT */
/* Mistakes with pool. */
#include "misuse.h"

VOID Misuse_pool_zero_size(MISUSE_CONTEXT *Context)
{
    ExFreePoolWithTag(ExAllocatePoolWithTag(NonPagedPoolNx, 0, MISUSE_TAG), MISUSE_TAG);
}

VOID Misuse_pool_double_free(MISUSE_CONTEXT *Context)
{
    PVOID block = MisusePool(100);

    ExFreePoolWithTag(block, MISUSE_TAG);
    ExFreePoolWithTag(block, MISUSE_TAG);
}

VOID Misuse_pool_wrong_tag(MISUSE_CONTEXT *Context)
{
    ExFreePoolWithTag(MisusePool(100), 'gnrW');
}

VOID Misuse_pool_free_user(MISUSE_CONTEXT *Context)
{
    ExFreePoolWithTag(Context->User, MISUSE_TAG);
}

VOID Misuse_pool_free_inside(MISUSE_CONTEXT *Context)
{
    ExFreePoolWithTag((PUCHAR)MisusePool(3 * PAGE_SIZE) + PAGE_SIZE, MISUSE_TAG);
}

VOID Misuse_pool_paged_raised(MISUSE_CONTEXT *Context)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    (void)ExAllocatePoolWithTag(PagedPool, 100, MISUSE_TAG);
    KeLowerIrql(irql);
}

VOID Misuse_pool_overrun(MISUSE_CONTEXT *Context)
{
    PUCHAR block = MisusePool(104); /* 8 bytes of its last 16 are not the driver's */
    volatile SIZE_T beyond = 104;

    block[beyond] = 0x5A;
    ExFreePoolWithTag(block, MISUSE_TAG);
}

VOID Misuse_pool_live_timer(MISUSE_CONTEXT *Context)
{
    PKTIMER timer = MisusePool(sizeof(KTIMER) + 64);
    LARGE_INTEGER due = {.QuadPart = -600000000};

    KeInitializeTimer(timer);
    KeSetTimer(timer, due, NULL);
    ExFreePoolWithTag(timer, MISUSE_TAG);
}

static VOID Nothing(VOID)
{
}

VOID Misuse_pool_leak(MISUSE_CONTEXT *Context)
{
    MisusePool(1234);
    MisuseAtUnload = Nothing; /* the mistake shows when the driver is unloaded */
}

VOID Misuse_execute_pool(MISUSE_CONTEXT *Context)
{
    PUCHAR code = MisusePool(16);

    code[0] = 0xC3; /* ret */
    ((VOID(*)(VOID))(PVOID)code)();
}
