/* SPDX-License-Identifier: MIT */
/* Pages by MDL: flags, limits, partial results, zeroing, contiguity; reserved mappings; protection of kernel views. */
#include "ktlib.h"

static const PHYSICAL_ADDRESS Low = {.QuadPart = 0}, High = {.QuadPart = MAXLONGLONG}, None = {.QuadPart = 0};

static VOID FreePages(PMDL Mdl)
{
    MmFreePagesFromMdl(Mdl);
    ExFreePool(Mdl);
}

static ULONG Pages(PMDL Mdl)
{
    return ADDRESS_AND_SIZE_TO_SPAN_PAGES(MmGetMdlVirtualAddress(Mdl), MmGetMdlByteCount(Mdl));
}

static ULONG Duplicates(PMDL Mdl)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);
    ULONG count = 0;

    for (ULONG i = 0; i < Pages(Mdl); i++)
    {
        for (ULONG j = 0; j < i; j++)
        {
            count += pfns[i] == pfns[j];
        }
    }
    return count;
}

static VOID TestZeroed(KTEST_RUN *Run)
{
    for (ULONG round = 0; round < 3; round++)
    {
        PMDL mdl = round == 0 ? MmAllocatePagesForMdl(Low, High, None, 40 * PAGE_SIZE)
                              : MmAllocatePagesForMdlEx(Low, High, None, 40 * PAGE_SIZE, MmCached,
                                                        round == 1 ? 0 : MM_DONT_ZERO_ALLOCATION);
        PUCHAR system;

        CHECK(mdl != NULL);
        if (mdl == NULL)
        {
            continue;
        }
        CHECK_EQUAL(MmGetMdlByteCount(mdl), 40 * PAGE_SIZE);
        CHECK_EQUAL(MmGetMdlByteOffset(mdl), 0);
        CHECK_EQUAL(KtFlags(mdl) & MDL_PAGES_LOCKED, MDL_PAGES_LOCKED);
        CHECK_EQUAL(Duplicates(mdl), 0);
        KtSayMdl(Run, "pages", mdl);
        system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        CHECK(system != NULL);
        if (system != NULL)
        {
            if (round != 2)
            {
                CHECK(KtAllBytes(system, 40 * PAGE_SIZE, 0));
            }
            RtlFillMemory(system, 40 * PAGE_SIZE, 0xDD); /* what the next round must not see */
        }
        FreePages(mdl); /* drops the kernel mapping */
    }
}

static VOID TestLimits(KTEST_RUN *Run)
{
    PHYSICAL_ADDRESS low = {.QuadPart = 8 << 20}, high = {.QuadPart = (24 << 20) - 1};
    PMDL mdl = MmAllocatePagesForMdlEx(low, high, None, 16 * PAGE_SIZE, MmCached, 0);

    CHECK(mdl != NULL);
    if (mdl != NULL)
    {
        ULONG outside = 0;
        for (ULONG i = 0; i < Pages(mdl); i++)
        {
            PFN_NUMBER pfn = MmGetMdlPfnArray(mdl)[i];
            outside += pfn < (8 << 20) >> PAGE_SHIFT || pfn >= (24 << 20) >> PAGE_SHIFT;
        }
        KtSay(Run, "%lu pages asked between 8 and 24 MB, first PFN 0x%I64X, %lu outside", Pages(mdl),
              (ULONG64)MmGetMdlPfnArray(mdl)[0], outside);
        CHECK_EQUAL(outside, 0);
        FreePages(mdl);
    }
    /* No memory there at all. */
    low.QuadPart = 1LL << 45;
    high.QuadPart = (1LL << 45) + (1 << 20);
    CHECK(MmAllocatePagesForMdlEx(low, high, None, PAGE_SIZE, MmCached, 0) == NULL);
}

/* More than there is: fewer pages, or nothing if all are required. */
static VOID TestPartialResult(KTEST_RUN *Run)
{
    PHYSICAL_ADDRESS low = {.QuadPart = 0}, high = {.QuadPart = (32 << 20) - 1};
    PMDL mdl;

    KT_COVERS("MmAllocatePagesForMdlEx", "more than there is: fewer pages, or NULL with MM_ALLOCATE_FULLY_REQUIRED",
              "DDI");
    CHECK(MmAllocatePagesForMdlEx(low, high, None, 64 << 20, MmCached,
                                  MM_ALLOCATE_FULLY_REQUIRED | MM_DONT_ZERO_ALLOCATION) == NULL);
    mdl = MmAllocatePagesForMdlEx(low, high, None, 64 << 20, MmCached, MM_DONT_ZERO_ALLOCATION);
    CHECK(mdl != NULL);
    if (mdl != NULL)
    {
        KtSay(Run, "of 64 MB asked below 32 MB came %lu KB", MmGetMdlByteCount(mdl) >> 10);
        CHECK(MmGetMdlByteCount(mdl) > 0 && MmGetMdlByteCount(mdl) < 32 << 20);
        CHECK_EQUAL(MmGetMdlByteCount(mdl) % PAGE_SIZE, 0);
        FreePages(mdl);
    }
}

static VOID TestContiguous(KTEST_RUN *Run)
{
    PHYSICAL_ADDRESS step = {.QuadPart = 16 * PAGE_SIZE};
    PMDL mdl = MmAllocatePagesForMdlEx(Low, High, step, 32 * PAGE_SIZE, MmCached,
                                       MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS | MM_ALLOCATE_FULLY_REQUIRED);
    ULONG breaks = 0;

    CHECK(mdl != NULL);
    if (mdl == NULL)
    {
        return;
    }
    for (ULONG i = 0; i < Pages(mdl); i++)
    {
        breaks += i % 16 != 0 && MmGetMdlPfnArray(mdl)[i] != MmGetMdlPfnArray(mdl)[i - 1] + 1;
    }
    KtSay(Run, "two chunks of 16 pages: PFNs from 0x%I64X and 0x%I64X, %lu breaks inside",
          (ULONG64)MmGetMdlPfnArray(mdl)[0], (ULONG64)MmGetMdlPfnArray(mdl)[16], breaks);
    CHECK_EQUAL(breaks, 0);
    CHECK_EQUAL(Pages(mdl), 32);
    FreePages(mdl);
}

/* A view that the driver's own mapping can outlive: MmFreePagesFromMdl at DISPATCH_LEVEL. */
static VOID TestRaised(KTEST_RUN *Run)
{
    KIRQL irql;
    PMDL mdl;
    PUCHAR system;
    BOOLEAN zero = FALSE;

    KT_COVERS("MmAllocatePagesForMdlEx, MmFreePagesFromMdl", "allocated, mapped and freed at DISPATCH_LEVEL", "DDI");
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    mdl = MmAllocatePagesForMdlEx(Low, High, None, 3 * PAGE_SIZE, MmCached, MM_ALLOCATE_NO_WAIT);
    if (mdl != NULL)
    {
        system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        zero = system != NULL && KtAllBytes(system, 3 * PAGE_SIZE, 0);
        FreePages(mdl);
    }
    KeLowerIrql(irql);
    CHECK(mdl != NULL);
    CHECK(zero);
}

static VOID TestReservedMapping(KTEST_RUN *Run)
{
    PUCHAR reserved = MmAllocateMappingAddress(4 * PAGE_SIZE, KT_TAG), mapped;
    PMDL mdl = MmAllocatePagesForMdlEx(Low, High, None, 3 * PAGE_SIZE, MmCached, 0);
    PUCHAR system;
    KIRQL irql;

    CHECK(reserved != NULL && mdl != NULL);
    if (reserved == NULL || mdl == NULL)
    {
        return;
    }
    CHECK(MmAllocateMappingAddress(PAGE_SIZE, 0) == NULL); /* tag 0 */
    CHECK(!MmIsAddressValid(reserved));
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    for (ULONG i = 0; i < 3; i++)
    {
        mapped = MmMapLockedPagesWithReservedMapping(reserved, KT_TAG, mdl, MmCached);
        CHECK(mapped == reserved);
        if (mapped != NULL)
        {
            KtFill(mapped, 3 * PAGE_SIZE, i);
            CHECK_EQUAL(KtPfn(mapped + PAGE_SIZE), MmGetMdlPfnArray(mdl)[1]);
            MmUnmapReservedMapping(reserved, KT_TAG, mdl);
        }
    }
    KeLowerIrql(irql);
    CHECK(!MmIsAddressValid(reserved));
    MmFreeMappingAddress(reserved, KT_TAG);
    system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    CHECK(system != NULL);
    if (system != NULL)
    {
        CHECK_EQUAL(KtMismatches(system, 3 * PAGE_SIZE, 2), 0);
    }
    FreePages(mdl);
}

static VOID TestProtection(KTEST_RUN *Run)
{
    PMDL mdl = MmAllocatePagesForMdlEx(Low, High, None, 2 * PAGE_SIZE, MmCached, 0);
    ULONG (*routine)(VOID);
    PUCHAR system;

    CHECK(mdl != NULL);
    if (mdl == NULL)
    {
        return;
    }
    CHECK_STATUS(MmProtectMdlSystemAddress(mdl, PAGE_READONLY), STATUS_NOT_MAPPED_VIEW);
    system = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
    CHECK(system != NULL);
    if (system != NULL)
    {
        static const UCHAR code[] = {0xB8, 0x2B, 0, 0, 0, 0xC3}; /* mov eax, 43; ret */
        RtlCopyMemory(system, code, sizeof(code));
        CHECK_STATUS(MmProtectMdlSystemAddress(mdl, 0x12345), STATUS_INVALID_PAGE_PROTECTION);
        CHECK_STATUS(MmProtectMdlSystemAddress(mdl, PAGE_EXECUTE_READ), STATUS_SUCCESS);
    KT_COVERS("MmProtectMdlSystemAddress", "code written through a view runs after PAGE_EXECUTE_READ", "DDI");
        routine = (ULONG(*)(VOID))(PVOID)system;
        CHECK_EQUAL(routine(), 43);
        CHECK_STATUS(MmProtectMdlSystemAddress(mdl, PAGE_READWRITE), STATUS_SUCCESS);
        system[100] = 9;
        CHECK_EQUAL(system[100], 9);
        MmUnmapLockedPages(system, mdl);
    }
    FreePages(mdl);
}

typedef struct _CORRUPTION
{
    ULONG Seed;
    volatile LONG Wrong, Refused;
} CORRUPTION;

/* Allocates, maps, fills, checks, frees, all the time: pages of one thread must never be another's. */
static VOID NTAPI Churn(PVOID Context)
{
    CORRUPTION *corruption = Context;

    for (ULONG i = 0; i < 60; i++)
    {
        ULONG pages = 1 + KtRandom(&corruption->Seed) % 20;
        PMDL mdl = MmAllocatePagesForMdlEx(Low, High, None, pages * PAGE_SIZE, MmCached,
                                           i % 2 != 0 ? MM_DONT_ZERO_ALLOCATION : 0);
        PUCHAR system = mdl != NULL ? MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) : NULL;
        ULONG seed = KtRandom(&corruption->Seed);

        if (system == NULL)
        {
            corruption->Refused++;
        }
        else
        {
            corruption->Wrong += i % 2 == 0 && !KtAllBytes(system, pages * PAGE_SIZE, 0);
            KtFill(system, pages * PAGE_SIZE, seed);
            corruption->Wrong += KtMismatches(system, pages * PAGE_SIZE, seed) != 0;
        }
        if (mdl != NULL)
        {
            FreePages(mdl);
        }
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestChurn(KTEST_RUN *Run)
{
    CORRUPTION corruptions[2] = {{.Seed = 5}, {.Seed = 6}};
    PETHREAD threads[2];

    KT_COVERS("MmAllocatePagesForMdlEx, MmFreePagesFromMdl", "two threads allocating and freeing never see each "
              "other's pages, and zeroed means zeroed", "DDI");
    for (ULONG i = 0; i < 2; i++)
    {
        threads[i] = KtStart(Run, Churn, &corruptions[i]);
    }
    for (ULONG i = 0; i < 2; i++)
    {
        KtJoin(threads[i]);
        CHECK_EQUAL(corruptions[i].Wrong, 0);
        CHECK_EQUAL(corruptions[i].Refused, 0);
    }
}

VOID KtGroup_mdl_pages(KTEST_RUN *Run)
{
    TestZeroed(Run);
    TestLimits(Run);
    TestPartialResult(Run);
    TestContiguous(Run);
    TestRaised(Run);
    TestReservedMapping(Run);
    TestProtection(Run);
    TestChurn(Run);
}
