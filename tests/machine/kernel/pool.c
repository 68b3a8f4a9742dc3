/* SPDX-License-Identifier: MIT */
/* Pool: sizes and alignment, both kinds, execute protection, failure, contents under random load by several threads. */
#include "ktlib.h"

static VOID TestSizes(KTEST_RUN *Run, POOL_TYPE Type, PCSTR Name)
{
    static const SIZE_T sizes[] = {1,    8,    15,   16,    17,    32,    100,    256,    511,
                                   1024, 2000, 2048, 3000,  4000,  4064,  4080,   4095,   4096,
                                   4097, 5000, 8192, 10000, 65536, 65537, 300000, 1048576};
    PUCHAR blocks[RTL_NUMBER_OF(sizes)];
    ULONG misplaced = 0, straddling = 0;

    for (ULONG i = 0; i < RTL_NUMBER_OF(sizes); i++)
    {
        blocks[i] = ExAllocatePoolWithTag(Type, sizes[i], KT_TAG);
        CHECK(blocks[i] != NULL);
        if (blocks[i] == NULL)
        {
            continue;
        }
        misplaced += ((ULONG_PTR)blocks[i] & (sizes[i] >= PAGE_SIZE ? PAGE_SIZE - 1 : 15)) != 0;
        straddling += sizes[i] <= PAGE_SIZE - 16 && PAGE_ALIGN(blocks[i]) != PAGE_ALIGN(blocks[i] + sizes[i] - 1);
        KtFill(blocks[i], sizes[i], (ULONG)sizes[i]);
    }
    KtSay(Run, "%s: 1 byte at %p, 100 at %p, 4096 at %p, 1 MB at %p", Name, blocks[0], blocks[6], blocks[17],
          blocks[25]);
    CHECK_EQUAL(misplaced, 0);
    CHECK_EQUAL(straddling, 0);
    for (ULONG i = 0; i < RTL_NUMBER_OF(sizes); i++)
    {
        if (blocks[i] != NULL)
        {
            CHECK((ULONG_PTR)blocks[i] > (ULONG_PTR)MmSystemRangeStart);
            CHECK_EQUAL(KtMismatches(blocks[i], sizes[i], (ULONG)sizes[i]), 0);
            ExFreePoolWithTag(blocks[i], i % 2 != 0 ? KT_TAG : 0); /* tag 0: whatever it is */
        }
    }
}

static VOID TestPool2(KTEST_RUN *Run)
{
    static const SIZE_T sizes[] = {1, 64, 500, 4096, 20000, 262144};
    PUCHAR block;

    for (ULONG round = 0; round < 2; round++) /* the second time over blocks that were written */
    {
        for (ULONG i = 0; i < RTL_NUMBER_OF(sizes); i++)
        {
            ULONG64 flags = i % 2 != 0 ? POOL_FLAG_NON_PAGED : POOL_FLAG_PAGED;
            block = ExAllocatePool2(flags, sizes[i], KT_TAG);
            CHECK(block != NULL);
            if (block != NULL)
            {
                CHECK(KtAllBytes(block, sizes[i], 0));
                RtlFillMemory(block, sizes[i], 0xEE);
                ExFreePoolWithTag(block, KT_TAG);
            }
        }
    }
    block = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_CACHE_ALIGNED | POOL_FLAG_UNINITIALIZED, 200, KT_TAG);
    CHECK(block != NULL && ((ULONG_PTR)block & 63) == 0);
    if (block != NULL)
    {
        ExFreePoolWithTag(block, KT_TAG);
    }
    CHECK(ExAllocatePool2(POOL_FLAG_NON_PAGED, (SIZE_T)1 << 42, KT_TAG) == NULL);
    CHECK_STATUS(
        KT_RAISED((void)ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_RAISE_ON_FAILURE, (SIZE_T)1 << 42, KT_TAG)),
        STATUS_INSUFFICIENT_RESOURCES);
}

static VOID TestFailure(KTEST_RUN *Run)
{
    CHECK(ExAllocatePoolWithTag(NonPagedPoolNx, (SIZE_T)1 << 42, KT_TAG) == NULL);
    CHECK(ExAllocatePoolWithTag(PagedPool, (SIZE_T)1 << 42, KT_TAG) == NULL);
    CHECK(ExAllocatePoolWithTag(NonPagedPoolNx, MAXULONG_PTR, KT_TAG) == NULL);
    CHECK(ExAllocatePoolWithTag(NonPagedPoolNx, MAXULONG_PTR - PAGE_SIZE, KT_TAG) == NULL);
    CHECK_STATUS(KT_RAISED((void)ExAllocatePoolWithQuotaTag(NonPagedPool, (SIZE_T)1 << 42, KT_TAG)),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK(ExAllocatePoolWithQuotaTag(NonPagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE, (SIZE_T)1 << 42, KT_TAG) == NULL);
}

/* Nonpaged pool at DISPATCH_LEVEL; its physical pages are there, and neighbours in one page share its frame. */
static VOID TestRaised(KTEST_RUN *Run)
{
    PUCHAR small, large;
    PFN_NUMBER first;
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    small = ExAllocatePoolWithTag(NonPagedPoolNx, 100, KT_TAG);
    large = ExAllocatePoolWithTag(NonPagedPoolNx, 3 * PAGE_SIZE, KT_TAG);
    if (small != NULL && large != NULL)
    {
        RtlFillMemory(small, 100, 0x11);
        KtFill(large, 3 * PAGE_SIZE, 5);
    }
    KeLowerIrql(irql);
    CHECK(small != NULL && large != NULL);
    if (small == NULL || large == NULL)
    {
        return;
    }
    CHECK(KtAllBytes(small, 100, 0x11));
    CHECK_EQUAL(KtMismatches(large, 3 * PAGE_SIZE, 5), 0);
    first = KtPfn(large);
    KtSay(Run, "three pages of nonpaged pool at %p have PFNs %I64X %I64X %I64X", large, (ULONG64)first,
          (ULONG64)KtPfn(large + PAGE_SIZE), (ULONG64)KtPfn(large + 2 * PAGE_SIZE));
    CHECK(first != 0 && first != KtPfn(large + PAGE_SIZE));
    CHECK_EQUAL(MmGetPhysicalAddress(large + 123).QuadPart, (first << PAGE_SHIFT) + 123);
    CHECK(MmIsAddressValid(large + 2 * PAGE_SIZE));
    CHECK(!MmIsAddressValid((PVOID)0x1000));
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    ExFreePoolWithTag(small, KT_TAG);
    ExFreePoolWithTag(large, KT_TAG);
    KeLowerIrql(irql);
}

static VOID TestExecutable(KTEST_RUN *Run)
{
    static const UCHAR code[] = {0xB8, 0x2A, 0, 0, 0, 0xC3}; /* mov eax, 42; ret */
    PUCHAR block = ExAllocatePoolWithTag(NonPagedPoolExecute, sizeof(code), KT_TAG);
    ULONG (*routine)(VOID) = (ULONG(*)(VOID))(PVOID)block;

    CHECK(block != NULL);
    if (block != NULL)
    {
        RtlCopyMemory(block, code, sizeof(code));
        CHECK_EQUAL(routine(), 42);
        ExFreePoolWithTag(block, KT_TAG);
    }
}

#define LOAD_BLOCKS 48
#define LOAD_ROUNDS 1500

typedef struct _LOAD
{
    ULONG Seed;
    ULONG Damaged, Refused, Done;
} LOAD;

/* Allocates and frees at random, and looks at every byte before it goes. */
static VOID NTAPI LoadPool(PVOID Context)
{
    LOAD *load = Context;
    struct
    {
        PUCHAR Block;
        SIZE_T Size;
        ULONG Seed;
    } held[LOAD_BLOCKS];

    RtlZeroMemory(held, sizeof(held));
    for (ULONG i = 0; i < LOAD_ROUNDS + LOAD_BLOCKS; i++)
    {
        ULONG slot = i < LOAD_ROUNDS ? KtRandom(&load->Seed) % LOAD_BLOCKS : i - LOAD_ROUNDS;
        if (held[slot].Block != NULL)
        {
            load->Damaged += KtMismatches(held[slot].Block, held[slot].Size, held[slot].Seed) != 0;
            ExFreePoolWithTag(held[slot].Block, KT_TAG);
            held[slot].Block = NULL;
        }
        else if (i < LOAD_ROUNDS)
        {
            ULONG random = KtRandom(&load->Seed);
            held[slot].Size = 1 + (random % 16 == 0 ? random % 20000 : random % 700);
            held[slot].Seed = random;
            held[slot].Block = ExAllocatePoolWithTag(random & 1 ? NonPagedPoolNx : PagedPool, held[slot].Size, KT_TAG);
            if (held[slot].Block == NULL)
            {
                load->Refused++;
                continue;
            }
            KtFill(held[slot].Block, held[slot].Size, random);
        }
        load->Done++;
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestLoad(KTEST_RUN *Run)
{
    LOAD loads[3] = {{.Seed = 11}, {.Seed = 22}, {.Seed = 33}};
    PETHREAD threads[3];

    for (ULONG i = 0; i < 3; i++)
    {
        threads[i] = KtStart(Run, LoadPool, &loads[i]);
    }
    for (ULONG i = 0; i < 3; i++)
    {
        KtJoin(threads[i]);
        KtSay(Run, "thread %lu: %lu operations, %lu refused, %lu blocks damaged", i, loads[i].Done, loads[i].Refused,
              loads[i].Damaged);
        CHECK_EQUAL(loads[i].Damaged, 0);
        CHECK_EQUAL(loads[i].Refused, 0);
        CHECK(loads[i].Done > LOAD_ROUNDS);
    }
}

VOID KtGroup_pool(KTEST_RUN *Run)
{
    TestSizes(Run, NonPagedPoolNx, "nonpaged NX pool");
    TestSizes(Run, NonPagedPool, "nonpaged pool");
    TestSizes(Run, PagedPool, "paged pool");
    TestPool2(Run);
    TestFailure(Run);
    TestRaised(Run);
    TestExecutable(Run);
    TestLoad(Run);
}
