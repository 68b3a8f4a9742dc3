/* SPDX-License-Identifier: MIT */
/* Lookaside lists of the three kinds: reuse, own allocation routines, emptying. */
#include "ktlib.h"

static LONG Allocations, Frees;

static PVOID NTAPI CountedAllocate(POOL_TYPE Type, SIZE_T Size, ULONG Tag)
{
    InterlockedIncrement(&Allocations);
    return ExAllocatePoolWithTag(Type, Size, Tag);
}

static VOID NTAPI CountedFree(PVOID Block)
{
    InterlockedIncrement(&Frees);
    ExFreePoolWithTag(Block, KT_TAG);
}

static PVOID NTAPI CountedAllocateEx(POOL_TYPE Type, SIZE_T Size, ULONG Tag, PLOOKASIDE_LIST_EX List)
{
    InterlockedIncrement(&Allocations);
    return ExAllocatePoolWithTag(Type, Size, Tag);
}

static VOID NTAPI CountedFreeEx(PVOID Block, PLOOKASIDE_LIST_EX List)
{
    InterlockedIncrement(&Frees);
    ExFreePoolWithTag(Block, KT_TAG);
}

static VOID TestNonPaged(KTEST_RUN *Run)
{
    PNPAGED_LOOKASIDE_LIST list = ExAllocatePoolWithTag(NonPagedPool, sizeof(*list), KT_TAG);
    PVOID blocks[3], again;

    CHECK(list != NULL);
    if (list == NULL)
    {
        return;
    }
    Allocations = Frees = 0;
    ExInitializeNPagedLookasideList(list, CountedAllocate, CountedFree, 0, 200, KT_TAG, 0);
    for (ULONG i = 0; i < 3; i++)
    {
        blocks[i] = ExAllocateFromNPagedLookasideList(list);
        CHECK(blocks[i] != NULL);
        if (blocks[i] != NULL)
        {
            KtFill(blocks[i], 200, i);
        }
    }
    CHECK_EQUAL(Allocations, 3);
    CHECK(blocks[0] != blocks[1] && blocks[1] != blocks[2]);
    for (ULONG i = 0; i < 3; i++)
    {
        CHECK_EQUAL(KtMismatches(blocks[i], 200, i), 0);
    }
    ExFreeToNPagedLookasideList(list, blocks[0]);
    again = ExAllocateFromNPagedLookasideList(list);
    KtSay(Run, "freed %p, allocated %p; routines ran %ld and %ld times", blocks[0], again, Allocations, Frees);
    CHECK(again == blocks[0]); /* the list keeps some: last in, first out */
    CHECK_EQUAL(Allocations, 3);
    for (ULONG i = 0; i < 3; i++)
    {
        ExFreeToNPagedLookasideList(list, blocks[i]);
    }
    ExDeleteNPagedLookasideList(list);
    CHECK_EQUAL(Frees, 3); /* deleting frees what the list kept */
    ExFreePoolWithTag(list, KT_TAG);
}

static VOID TestPaged(KTEST_RUN *Run)
{
    PPAGED_LOOKASIDE_LIST list = ExAllocatePoolWithTag(NonPagedPool, sizeof(*list), KT_TAG);
    PVOID block;

    CHECK(list != NULL);
    if (list == NULL)
    {
        return;
    }
    Allocations = Frees = 0;
    ExInitializePagedLookasideList(list, CountedAllocate, CountedFree, 0, 64, KT_TAG, 0);
    for (ULONG i = 0; i < 10; i++)
    {
        block = ExAllocateFromPagedLookasideList(list);
        CHECK(block != NULL);
        if (block != NULL)
        {
            RtlFillMemory(block, 64, 0xA5);
            ExFreeToPagedLookasideList(list, block);
        }
    }
    KtSay(Run, "ten allocations from a paged list took %ld from the pool", Allocations);
    CHECK_EQUAL(Allocations, 1);
    ExDeletePagedLookasideList(list);
    CHECK_EQUAL(Frees, 1);
    ExFreePoolWithTag(list, KT_TAG);
}

static VOID TestEx(KTEST_RUN *Run)
{
    PLOOKASIDE_LIST_EX list = ExAllocatePoolWithTag(NonPagedPool, sizeof(*list), KT_TAG);
    PVOID first, second;

    CHECK(list != NULL);
    if (list == NULL)
    {
        return;
    }
    Allocations = Frees = 0;
    CHECK_STATUS(
        ExInitializeLookasideListEx(list, CountedAllocateEx, CountedFreeEx, NonPagedPoolNx, 0, 5000, KT_TAG, 0),
        STATUS_SUCCESS);
    first = ExAllocateFromLookasideListEx(list);
    second = ExAllocateFromLookasideListEx(list);
    CHECK(first != NULL && second != NULL && first != second);
    CHECK_EQUAL(Allocations, 2);
    ExFreeToLookasideListEx(list, first);
    ExFreeToLookasideListEx(list, second);
    CHECK_EQUAL(Frees, 0);
    ExFlushLookasideListEx(list);
    CHECK_EQUAL(Frees, 2);
    first = ExAllocateFromLookasideListEx(list);
    CHECK_EQUAL(Allocations, 3);
    ExFreeToLookasideListEx(list, first);
    ExDeleteLookasideListEx(list);
    CHECK_EQUAL(Frees, 3);

    /* Unknown flags are refused. */
    CHECK_STATUS(ExInitializeLookasideListEx(list, NULL, NULL, NonPagedPoolNx, 0x80, 64, KT_TAG, 0),
                 STATUS_INVALID_PARAMETER_5);
    ExFreePoolWithTag(list, KT_TAG);
}

VOID KtGroup_lookaside(KTEST_RUN *Run)
{
    TestNonPaged(Run);
    TestPaged(Run);
    TestEx(Run);
}
