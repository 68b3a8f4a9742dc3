/* SPDX-License-Identifier: MIT */
/* Mistakes that go unnoticed, or are noticed late, without a mode of the verifier: special pool, force-IRQL, trim. */
#include "misuse.h"

PVOID NTAPI ExAllocatePool2(ULONG64 Flags, SIZE_T NumberOfBytes, ULONG Tag);
#define POOL_FLAG_NON_PAGED 0x40ULL

#define SIZE 112 /* a multiple of 16: the block ends where its page does */
#define ODD_SIZE 100

static volatile UCHAR Sink;

static VOID Read(PVOID Address)
{
    Sink = *(volatile UCHAR *)Address;
}

static VOID Write(PVOID Address)
{
    *(volatile UCHAR *)Address = 0xC5;
}

/* A read by kernel code, on the driver's behalf. */
static VOID ReadByKernel(PVOID Address)
{
    static UCHAR zero;

    (VOID)RtlCompareMemory(Address, &zero, 1);
}

static PUCHAR Paged(VOID)
{
    PUCHAR block = ExAllocatePoolWithTag(PagedPool, SIZE, MISUSE_TAG);

    if (block == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    MisuseNote("paged", (ULONG_PTR)block);
    Write(block);
    return block;
}

/* ---- special pool ---- */

MISUSE(special_overrun)
{
    PUCHAR block = MisusePool(SIZE);

    Write(block + SIZE);
    MisuseFree(block);
}

CORRECT(special_overrun)
{
    PUCHAR block = MisusePool(SIZE);

    Write(block + SIZE - 1);
    MisuseFree(block);
}

MISUSE(special_overread)
{
    PUCHAR block = MisusePool(SIZE);

    Read(block + SIZE);
    MisuseFree(block);
}

CORRECT(special_overread)
{
    PUCHAR block = MisusePool(SIZE);

    Read(block + SIZE - 1);
    MisuseFree(block);
}

MISUSE(special_overread_by_kernel)
{
    PUCHAR block = MisusePool(SIZE);

    ReadByKernel(block + SIZE);
    MisuseFree(block);
}

CORRECT(special_overread_by_kernel)
{
    PUCHAR block = MisusePool(SIZE);

    ReadByKernel(block + SIZE - 1);
    MisuseFree(block);
}

MISUSE(special_slop)
{
    PUCHAR block = MisusePool(ODD_SIZE);

    Write(block + ODD_SIZE); /* inside the last 16 bytes, which the block has half of */
    MisuseFree(block);
}

CORRECT(special_slop)
{
    PUCHAR block = MisusePool(ODD_SIZE);

    Write(block + ODD_SIZE - 1);
    MisuseFree(block);
}

MISUSE(special_underrun)
{
    PUCHAR block = MisusePool(SIZE);

    MisuseNote("before", (ULONG_PTR)block - 1);
    Write(block - 1);
    MisuseFree(block);
}

CORRECT(special_underrun)
{
    PUCHAR block = MisusePool(SIZE);

    Write(block);
    MisuseFree(block);
}

MISUSE(special_single_bit)
{
    PUCHAR block = MisusePool(SIZE);

    MisuseNote("before", (ULONG_PTR)block - 17);
    *(volatile UCHAR *)(block - 17) ^= 1;
    MisuseFree(block);
}

CORRECT(special_single_bit)
{
    PUCHAR block = MisusePool(SIZE);

    *(volatile UCHAR *)block ^= 1;
    MisuseFree(block);
}

MISUSE(special_use_after_free)
{
    PUCHAR block = MisusePool(SIZE);

    MisuseFree(block);
    Read(block);
}

CORRECT(special_use_after_free)
{
    PUCHAR block = MisusePool(SIZE);

    Read(block);
    MisuseFree(block);
}

MISUSE(special_use_after_free_by_kernel)
{
    PUCHAR block = MisusePool(SIZE);

    MisuseFree(block);
    ReadByKernel(block);
}

CORRECT(special_use_after_free_by_kernel)
{
    PUCHAR block = MisusePool(SIZE);

    ReadByKernel(block);
    MisuseFree(block);
}

/* Many blocks later the address is still not in use again. */
MISUSE(special_use_long_after_free)
{
    PUCHAR block = MisusePool(SIZE);

    MisuseFree(block);
    for (ULONG i = 0; i < 2000; i++)
    {
        PVOID other = ExAllocatePoolWithTag(NonPagedPoolNx, SIZE, MISUSE_TAG);

        if (other != NULL)
        {
            MisuseFree(other);
        }
    }
    Write(block);
}

CORRECT(special_use_long_after_free)
{
    Correct_special_use_after_free(Context);
}

MISUSE(special_double_free)
{
    PUCHAR block = MisusePool(SIZE);

    MisuseFree(block);
    MisuseFree(block);
}

CORRECT(special_double_free)
{
    MisuseFree(MisusePool(SIZE));
}

MISUSE(special_free_inside)
{
    MisuseFree((PUCHAR)MisusePool(SIZE) + 16);
}

CORRECT(special_free_inside)
{
    MisuseFree(MisusePool(SIZE));
}

MISUSE(special_free_before)
{
    PUCHAR block = MisusePool(SIZE);

    MisuseNote("before", (ULONG_PTR)block - 16);
    MisuseFree(block - 16);
}

CORRECT(special_free_before)
{
    MisuseFree(MisusePool(SIZE));
}

MISUSE(special_paged)
{
    PUCHAR block = Paged();

    Read(block + SIZE);
    MisuseFree(block);
}

CORRECT(special_paged)
{
    PUCHAR block = Paged();

    Read(block + SIZE - 1);
    MisuseFree(block);
}

MISUSE(special_pool2)
{
    PUCHAR block = ExAllocatePool2(POOL_FLAG_NON_PAGED, SIZE, MISUSE_TAG);

    MisuseNote("pool", (ULONG_PTR)block);
    Read(block + SIZE);
    MisuseFree(block);
}

CORRECT(special_pool2)
{
    PUCHAR block = ExAllocatePool2(POOL_FLAG_NON_PAGED, SIZE, MISUSE_TAG);

    Read(block + SIZE - 1);
    MisuseFree(block);
}

static NPAGED_LOOKASIDE_LIST List;

MISUSE(special_lookaside)
{
    PUCHAR block;

    ExInitializeNPagedLookasideList(&List, NULL, NULL, 0, SIZE, MISUSE_TAG, 0);
    block = ExAllocateFromNPagedLookasideList(&List);
    MisuseNote("pool", (ULONG_PTR)block);
    ExFreeToNPagedLookasideList(&List, block);
    Read(block);
    ExDeleteNPagedLookasideList(&List);
}

CORRECT(special_lookaside)
{
    PUCHAR block;

    ExInitializeNPagedLookasideList(&List, NULL, NULL, 0, SIZE, MISUSE_TAG, 0);
    block = ExAllocateFromNPagedLookasideList(&List);
    Read(block);
    ExFreeToNPagedLookasideList(&List, block);
    ExDeleteNPagedLookasideList(&List);
}

/* ---- force-IRQL ---- */

static VOID AtDispatch(VOID (*Routine)(PVOID), PVOID Address)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    Routine(Address);
    KeLowerIrql(irql);
}

MISUSE(force_paged_pool)
{
    PUCHAR block = Paged();

    AtDispatch(Read, block);
    MisuseFree(block);
}

CORRECT(force_paged_pool)
{
    PUCHAR block = Paged();

    AtDispatch(Read, &List);
    Read(block);
    MisuseFree(block);
}

/* No stack frame, no unwind data: nothing but the instruction tells that the IRQL is raised here. */
static __attribute__((noinline)) VOID ReadRaised(PUCHAR Address)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    Sink = *(volatile UCHAR *)Address;
    KeLowerIrql(irql);
}

MISUSE(force_in_leaf)
{
    PUCHAR block = Paged();

    ReadRaised(block);
    MisuseFree(block);
}

CORRECT(force_in_leaf)
{
    ReadRaised((PUCHAR)&List);
}

MISUSE(force_by_kernel)
{
    PUCHAR block = Paged();

    AtDispatch(ReadByKernel, block);
    MisuseFree(block);
}

CORRECT(force_by_kernel)
{
    PUCHAR block = Paged();

    ReadByKernel(block);
    MisuseFree(block);
}

static KSPIN_LOCK Lock;

MISUSE(force_user_under_lock)
{
    KIRQL irql;

    Write(Context->User); /* resident: without the mode the mistake goes unnoticed */
    KeAcquireSpinLock(&Lock, &irql);
    Read(Context->User);
    KeReleaseSpinLock(&Lock, irql);
}

CORRECT(force_user_under_lock)
{
    KIRQL irql;

    KeAcquireSpinLock(&Lock, &irql);
    KeReleaseSpinLock(&Lock, irql);
    Write(Context->User);
}

/* Locking keeps the frame, not the address: at DISPATCH_LEVEL only the MDL's own mapping may be used. */
MISUSE(force_locked_user)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    AtDispatch(Read, Context->User);
    MisuseUnlock(mdl);
}

CORRECT(force_locked_user)
{
    PMDL mdl = MisuseLocked(Context, TRUE);

    AtDispatch(Read, MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority));
    MisuseUnlock(mdl);
}

static __attribute__((section("PAGE"), noinline)) VOID Pageable(PVOID Address)
{
    Read(Address);
}

MISUSE(force_pageable_code)
{
    MisuseNote("code", (ULONG_PTR)Pageable);
    Pageable(&List); /* resident */
    AtDispatch(Pageable, &List);
}

CORRECT(force_pageable_code)
{
    PVOID handle;

    AtDispatch(Read, &List); /* the section is trimmed, and comes back */
    Pageable(&List);
    handle = MmLockPagableDataSection(Pageable);
    AtDispatch(Pageable, &List);
    MmUnlockPagableImageSection(handle);
}

static VOID NTAPI DpcRead(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Read(Context);
}

static VOID ReadInDpc(PVOID Address)
{
    static KDPC dpc;

    KeInitializeDpc(&dpc, DpcRead, Address);
    KeInsertQueueDpc(&dpc, NULL, NULL);
    KeFlushQueuedDpcs();
}

MISUSE(force_in_dpc)
{
    PUCHAR block = Paged();

    ReadInDpc(block);
    MisuseFree(block);
}

CORRECT(force_in_dpc)
{
    ReadInDpc(&List);
}

MISUSE(force_pageable_event)
{
    PVOID event = Paged();

    KeInitializeEvent(event, NotificationEvent, FALSE);
    MisuseFree(event);
}

CORRECT(force_pageable_event)
{
    PVOID event = MisusePool(sizeof(KEVENT));

    KeInitializeEvent(event, NotificationEvent, FALSE);
    MisuseFree(event);
}

/* ---- trim ---- */

/* Raises as drivers of older kits do, inline: no hook sees it. Sooner or later the page has left just before. */
MISUSE(trim_paged_pool)
{
    LARGE_INTEGER moment = {.QuadPart = -50000};
    PUCHAR block = Paged();

    for (ULONG i = 0; i < 400; i++)
    {
        KIRQL old = (KIRQL)__readcr8();

        KeDelayExecutionThread(KernelMode, FALSE, &moment);
        __writecr8(DISPATCH_LEVEL);
        Read(block);
        __writecr8(old);
    }
    MisuseFree(block);
}

CORRECT(trim_paged_pool)
{
    LARGE_INTEGER moment = {.QuadPart = -50000};
    PUCHAR block = Paged();

    for (ULONG i = 0; i < 100; i++)
    {
        KeDelayExecutionThread(KernelMode, FALSE, &moment);
        Read(block);
    }
    MisuseFree(block);
}
