/* SPDX-License-Identifier: MIT */
/* Pages by MDL: every flag, ranges and steps, what is refused, freeing in other processes and levels. */
#include "mdllib.h"

#define MB (1ULL << 20)

static ULONG Outside(PMDL Mdl, ULONG64 Low, ULONG64 High)
{
    ULONG count = 0;

    for (ULONG i = 0; i < KtPages(Mdl); i++)
    {
        ULONG64 at = (ULONG64)MmGetMdlPfnArray(Mdl)[i] << PAGE_SHIFT;
        count += at < Low || at + PAGE_SIZE - 1 > High;
    }
    return count;
}

static VOID TestFields(KTEST_RUN *Run)
{
    PMDL mdl;

    KT_COVERS("MmAllocatePagesForMdlEx, MmAllocatePagesForMdl", "whole pages: ByteCount rounded up, StartVa and "
              "ByteOffset 0, Process NULL, MDL_PAGES_LOCKED alone",
              "DDI; the rounding after the field's use in public drivers");
    mdl = KtAllocateBetween(0, MAXLONGLONG, 0, PAGE_SIZE + 1, 0);
    CHECK(mdl != NULL);
    CHECK_EQUAL(mdl->ByteCount, 2 * PAGE_SIZE);
    CHECK_EQUAL(mdl->ByteOffset, 0);
    CHECK(mdl->StartVa == NULL && mdl->Process == NULL && mdl->Next == NULL);
    CHECK_EQUAL(KtFlags(mdl), MDL_PAGES_LOCKED);
    KtSayMdl(Run, "two pages", mdl);
    KtFreePages(mdl);

    KT_COVERS("MmAllocatePagesForMdlEx", "0 bytes, more than 4 GB - PAGE_SIZE, an empty range, a step that is not "
              "whole pages, an unknown flag or cache type: NULL", "DDI for the limits; NULL for nonsense is ours");
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 0, 0, 0) == NULL);
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 0, 0x100000000ULL, 0) == NULL);
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 0, (SIZE_T)1 << 50, 0) == NULL);
    CHECK(KtAllocateBetween(MB, MB - 1, 0, PAGE_SIZE, 0) == NULL);
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 100, PAGE_SIZE, 0) == NULL);
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 0, PAGE_SIZE, 0x80000000) == NULL);
    CHECK(KtAllocateBetween(1ULL << 45, (1ULL << 45) + MB, 0, PAGE_SIZE, 0) == NULL); /* no memory there */
}

static VOID TestFlags(KTEST_RUN *Run)
{
    static const ULONG flags[] = {MM_DONT_ZERO_ALLOCATION,
                                  MM_ALLOCATE_FROM_LOCAL_NODE_ONLY,
                                  MM_ALLOCATE_FULLY_REQUIRED,
                                  MM_ALLOCATE_NO_WAIT,
                                  MM_ALLOCATE_PREFER_CONTIGUOUS,
                                  MM_ALLOCATE_PREFER_CONTIGUOUS | MM_ALLOCATE_FULLY_REQUIRED | MM_ALLOCATE_NO_WAIT |
                                      MM_DONT_ZERO_ALLOCATION | MM_ALLOCATE_FROM_LOCAL_NODE_ONLY};

    KT_COVERS("MmAllocatePagesForMdlEx", "flags 1, 2, 4, 8, 0x10, alone and together: all pages there are asked for, "
              "zeroed unless MM_DONT_ZERO_ALLOCATION", "DDI");
    for (ULONG round = 0; round < 2; round++) /* the second time the pages were dirty */
    {
        for (ULONG i = 0; i < RTL_NUMBER_OF(flags); i++)
        {
            PMDL mdl = KtAllocateBetween(0, MAXLONGLONG, 0, 20 * PAGE_SIZE, flags[i]);
            PUCHAR va = mdl != NULL ? MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) : NULL;
            CHECK(va != NULL);
            CHECK_EQUAL(mdl->ByteCount, 20 * PAGE_SIZE);
            CHECK((flags[i] & MM_DONT_ZERO_ALLOCATION) != 0 || KtAllBytes(va, 20 * PAGE_SIZE, 0));
            RtlFillMemory(va, 20 * PAGE_SIZE, 0xDD);
            KtFreePages(mdl);
        }
    }
}

static VOID TestChunks(KTEST_RUN *Run)
{
    const ULONG chunks = MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS;
    ULONG misplaced = 0, breaks = 0;
    PMDL mdl;

    KT_COVERS("MmAllocatePagesForMdlEx", "MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS with a step: each chunk is "
              "contiguous, as long as the step and aligned to it", "DDI");
    mdl = KtAllocateBetween(0, MAXLONGLONG, 64 * 1024, 8 * 64 * 1024, chunks | MM_ALLOCATE_FULLY_REQUIRED);
    CHECK(mdl != NULL);
    for (ULONG i = 0; mdl != NULL && i < KtPages(mdl); i++)
    {
        PPFN_NUMBER pfns = MmGetMdlPfnArray(mdl);
        misplaced += i % 16 == 0 && pfns[i] % 16 != 0;
        breaks += i % 16 != 0 && pfns[i] != pfns[i - 1] + 1;
    }
    KtSay(Run, "8 chunks of 64 KB: %lu not aligned, %lu breaks inside", misplaced, breaks);
    CHECK_EQUAL(misplaced, 0);
    CHECK_EQUAL(breaks, 0);
    KtFreePages(mdl);

    KT_COVERS("MmAllocatePagesForMdlEx", "with a step of 0 it is one chunk or nothing; with a step there may be fewer "
              "chunks, each whole", "DDI");
    mdl = KtAllocateBetween(0, MAXLONGLONG, 0, 30 * PAGE_SIZE, chunks);
    CHECK(mdl != NULL);
    for (ULONG i = 1; mdl != NULL && i < KtPages(mdl); i++)
    {
        breaks += MmGetMdlPfnArray(mdl)[i] != MmGetMdlPfnArray(mdl)[0] + i;
    }
    CHECK_EQUAL(breaks, 0);
    KtFreePages(mdl);
    CHECK(KtAllocateBetween(16 * MB, 17 * MB - 1, 0, 2 * MB, chunks) == NULL);
    mdl = KtAllocateBetween(16 * MB, 18 * MB - 1, 64 * 1024, 4 * MB, chunks);
    if (mdl != NULL)
    {
        KtSay(Run, "of 4 MB in 64 KB chunks between 16 and 18 MB came %lu KB", mdl->ByteCount >> 10);
        CHECK_EQUAL(Outside(mdl, 16 * MB, 18 * MB - 1), 0);
    }
    CHECK(mdl == NULL || (mdl->ByteCount % (64 * 1024) == 0 && mdl->ByteCount <= 2 * MB));
    KtFreePages(mdl);

    KT_COVERS("MmAllocatePagesForMdlEx", "the step of chunks must be a power of two and divide the size; chunks "
              "exclude MM_ALLOCATE_PREFER_CONTIGUOUS; otherwise NULL",
              "DDI, DDI MmAllocateNodePagesForMdlEx; NULL is ours");
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 3 * PAGE_SIZE, 6 * PAGE_SIZE, chunks) == NULL);
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 4 * PAGE_SIZE, 6 * PAGE_SIZE, chunks) == NULL);
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 4 * PAGE_SIZE, 8 * PAGE_SIZE - 1, chunks) == NULL);
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 0, 8 * PAGE_SIZE, chunks | MM_ALLOCATE_PREFER_CONTIGUOUS) == NULL);

    KT_COVERS("MmAllocatePagesForMdlEx", "MM_ALLOCATE_FAST_LARGE_PAGES needs chunks of whole large pages, and gives "
              "such; otherwise NULL", "DDI; the free list stands for the cache of large pages");
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 0, 2 * MB, MM_ALLOCATE_FAST_LARGE_PAGES) == NULL);
    CHECK(KtAllocateBetween(0, MAXLONGLONG, 0, 2 * MB, MM_ALLOCATE_FAST_LARGE_PAGES | chunks) == NULL);
    CHECK(KtAllocateBetween(0, MAXLONGLONG, MB, 2 * MB, MM_ALLOCATE_FAST_LARGE_PAGES | chunks) == NULL);
    mdl = KtAllocateBetween(0, MAXLONGLONG, 2 * MB, 4 * MB, MM_ALLOCATE_FAST_LARGE_PAGES | chunks);
    CHECK(mdl != NULL);
    if (mdl != NULL)
    {
        CHECK_EQUAL(MmGetMdlPfnArray(mdl)[0] % 512, 0);
        CHECK_EQUAL(MmGetMdlPfnArray(mdl)[511], MmGetMdlPfnArray(mdl)[0] + 511);
        CHECK_EQUAL(MmGetMdlPfnArray(mdl)[512] % 512, 0);
    }
    KtFreePages(mdl);
}

static VOID TestRanges(KTEST_RUN *Run)
{
    PMDL mdl;

    KT_COVERS("MmAllocatePagesForMdlEx", "all pages lie between the two addresses; a page that they cut does not "
              "count", "DDI; the second half is ours");
    mdl = KtAllocateBetween(20 * MB + 1, 21 * MB - 2, 0, 4 * MB, MM_DONT_ZERO_ALLOCATION);
    if (mdl != NULL)
    {
        CHECK_EQUAL(Outside(mdl, 20 * MB + 1, 21 * MB - 2), 0);
        CHECK(KtPages(mdl) <= 254);
    }
    CHECK(KtAllocateBetween(20 * MB + 1, 20 * MB + PAGE_SIZE, 0, PAGE_SIZE, 0) == NULL);
    KtFreePages(mdl);

    KT_COVERS("MmAllocatePagesForMdlEx", "without enough pages in the range it moves up by the step, also over ranges "
              "that leave gaps; fewer pages than asked for are an answer, except with MM_ALLOCATE_FULLY_REQUIRED",
              "DDI");
    mdl = KtAllocateBetween(16 * MB, 16 * MB + 64 * 1024 - 1, 2 * MB, 512 * 1024, MM_DONT_ZERO_ALLOCATION);
    CHECK(mdl != NULL);
    if (mdl != NULL)
    {
        ULONG wrong = 0, beyond = 0;
        for (ULONG i = 0; i < KtPages(mdl); i++)
        {
            ULONG64 at = (ULONG64)MmGetMdlPfnArray(mdl)[i] << PAGE_SHIFT;
            wrong += at % (2 * MB) >= 64 * 1024;
            beyond += at >= 18 * MB;
        }
        KtSay(Run, "64 KB of every 2 MB from 16 MB on: %lu pages, %lu outside, %lu from later ranges", KtPages(mdl),
              wrong, beyond);
        CHECK_EQUAL(wrong, 0);
        CHECK(beyond != 0);
        CHECK_EQUAL(mdl->ByteCount, 512 * 1024);
    }
    KtFreePages(mdl);
    CHECK(KtAllocateBetween(16 * MB, 17 * MB - 1, 0, 2 * MB, MM_ALLOCATE_FULLY_REQUIRED) == NULL);
}

static VOID TestNode(KTEST_RUN *Run)
{
    PHYSICAL_ADDRESS low = {.QuadPart = 0}, high = {.QuadPart = MAXLONGLONG};
    PMDL mdl;

    KT_COVERS("MmAllocateNodePagesForMdlEx", "node 0, the only one, as MmAllocatePagesForMdlEx with the same flags; "
              "any other node gives NULL", "DDI MmAllocateNodePagesForMdlEx: valid nodes are 0 to N-1");
    mdl = MmAllocateNodePagesForMdlEx(low, high, low, 3 * PAGE_SIZE, MmCached, 0,
                                      MM_ALLOCATE_FROM_LOCAL_NODE_ONLY | MM_ALLOCATE_FULLY_REQUIRED);
    CHECK(mdl != NULL);
    CHECK_EQUAL(KtFlags(mdl), MDL_PAGES_LOCKED);
    CHECK_EQUAL(mdl->ByteCount, 3 * PAGE_SIZE);
    KtFreePages(mdl);
    CHECK(MmAllocateNodePagesForMdlEx(low, high, low, PAGE_SIZE, MmCached, 1, 0) == NULL);
    CHECK(MmAllocateNodePagesForMdlEx(low, high, low, PAGE_SIZE, MmCached, 0, 0x80000000) == NULL);
}

static VOID TestFree(KTEST_RUN *Run)
{
    PMDL mdl = KtAllocatePages(Run, 4 * PAGE_SIZE);
    PVOID va;
    KIRQL irql;

    KT_COVERS("MmFreePagesFromMdl", "drops the kernel view, frees the pages, leaves the MDL to ExFreePool; at "
              "DISPATCH_LEVEL, in any process; the flags are 0 afterwards", "DDI; the view since Windows 7");
    va = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    CHECK(va != NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    MmFreePagesFromMdl(mdl);
    KeLowerIrql(irql);
    CHECK_EQUAL(KtFlags(mdl), 0);
    CHECK(!MmIsAddressValid(va));
    ExFreePool(mdl);

    KT_COVERS("MmFreePagesFromMdlEx", "as MmFreePagesFromMdl, whatever the flags",
              "ours: the routine has no public page");
    mdl = KtAllocatePages(Run, 4 * PAGE_SIZE);
    MmFreePagesFromMdlEx(mdl, 0);
    CHECK_EQUAL(KtFlags(mdl), 0);
    ExFreePool(mdl);
}

/* Our decision: a user view keeps its pages until it ends, though the driver has freed them. */
static VOID TestFreedWhileMapped(KTEST_RUN *Run)
{
    PMDL mdl = KtAllocatePages(Run, 4 * PAGE_SIZE), others;
    PFN_NUMBER kept[4];
    ULONG again = 0;
    NTSTATUS status;
    PUCHAR user;
    PMDL shadow;

    KT_COVERS("MmFreePagesFromMdl", "pages freed while a program has them mapped stay the view's: nobody else gets "
              "them until it is unmapped", "ours: Windows documents only that it must not be done");
    user = KtMapUser(mdl, NULL, NormalPagePriority, &status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    KtFill(user, 4 * PAGE_SIZE, 61);
    for (ULONG i = 0; i < RTL_NUMBER_OF(kept); i++)
    {
        kept[i] = KtPfn(user + i * PAGE_SIZE);
    }
    shadow = IoAllocateMdl(NULL, 4 * PAGE_SIZE, FALSE, FALSE, NULL); /* for the unmapping: the same length */
    KtFreePages(mdl);
    others = KtAllocatePages(Run, 8 * MB);
    for (ULONG i = 0; others != NULL && i < KtPages(others); i++)
    {
        for (ULONG j = 0; j < RTL_NUMBER_OF(kept); j++)
        {
            again += MmGetMdlPfnArray(others)[i] == kept[j];
        }
    }
    CHECK_EQUAL(KtMismatches(user, 4 * PAGE_SIZE, 61), 0);
    CHECK_EQUAL(KtPfn(user), kept[0]);
    KtSay(Run, "freed while mapped: %lu pages of the view among 2048 new ones", again);
    CHECK_EQUAL(again, 0);
    KtFreePages(others);
    MmUnmapLockedPages(user, shadow);
    IoFreeMdl(shadow);
}

VOID KtGroup_mdl_alloc(KTEST_RUN *Run)
{
    TestFields(Run);
    TestFlags(Run);
    TestChunks(Run);
    TestRanges(Run);
    TestNode(Run);
    TestFree(Run);
    TestFreedWhileMapped(Run);
}
