/* SPDX-License-Identifier: MIT */
/*
 * Mapping when the kernel's addresses run out: who still gets one, by priority, and what those see who get none. Other
 * reservations take all addresses that there are; some are given back step by step.
 */
#include "mdllib.h"

#define CHUNK 1024 /* pages per reservation */
#define MOST 17000

typedef struct _HOARD
{
    PVOID *Chunks;     /* reservations of CHUNK pages, then of 16, then of 1 */
    ULONG Count, Large;
} HOARD;

static VOID Take(HOARD *Hoard, ULONG Pages)
{
    PVOID va;

    while (Hoard->Count < MOST && (va = MmAllocateMappingAddress((SIZE_T)Pages * PAGE_SIZE, KT_TAG)) != NULL)
    {
        Hoard->Chunks[Hoard->Count++] = va;
    }
}

static BOOLEAN TakeAll(KTEST_RUN *Run, HOARD *Hoard)
{
    Hoard->Count = 0;
    Hoard->Chunks = ExAllocatePoolWithTag(NonPagedPoolNx, MOST * sizeof(PVOID), KT_TAG);
    CHECK(Hoard->Chunks != NULL);
    if (Hoard->Chunks == NULL)
    {
        return FALSE;
    }
    Take(Hoard, CHUNK);
    Hoard->Large = Hoard->Count;
    Take(Hoard, 16);
    Take(Hoard, 1);
    KtSay(Run, "%lu reservations of %u pages took all addresses, with %lu small ones", Hoard->Large, CHUNK,
          Hoard->Count - Hoard->Large);
    return Hoard->Large > 64 && Hoard->Count < MOST;
}

/* Gives large chunks back until Left of them are held. */
static VOID GiveBack(HOARD *Hoard, ULONG Left)
{
    while (Hoard->Large > Left)
    {
        MmFreeMappingAddress(Hoard->Chunks[--Hoard->Large], KT_TAG);
    }
}

static VOID GiveAll(HOARD *Hoard, ULONG All)
{
    for (ULONG i = All; i < Hoard->Count; i++)
    {
        MmFreeMappingAddress(Hoard->Chunks[i], KT_TAG);
    }
    GiveBack(Hoard, 0);
    ExFreePoolWithTag(Hoard->Chunks, KT_TAG);
}

static VOID NTAPI NeverCalled(PVOID Context, PVOID Va)
{
    UNREFERENCED_PARAMETER(Va);
    *(BOOLEAN *)Context = TRUE;
}

static BOOLEAN CanMap(PMDL Mdl, ULONG Priority)
{
    PVOID va = MmMapLockedPagesSpecifyCache(Mdl, KernelMode, MmCached, NULL, FALSE, Priority);

    if (va != NULL)
    {
        MmUnmapLockedPages(va, Mdl);
    }
    return va != NULL;
}

static VOID TestExhausted(KTEST_RUN *Run, HOARD *Hoard, PMDL Mdl)
{
    PHYSICAL_ADDRESS apic = {.QuadPart = 0xFEE00000};
    BOOLEAN called = FALSE;
    NTSTATUS status;
    PUCHAR va;

    KT_COVERS("MmMapLockedPagesSpecifyCache, MmGetSystemAddressForMdlSafe, MmMapLockedPages", "without an address "
              "left: NULL at any priority, for the obsolete routine with MDL_MAPPING_CAN_FAIL; the MDL is as it was",
              "DDI");
    CHECK(!CanMap(Mdl, LowPagePriority) && !CanMap(Mdl, NormalPagePriority) && !CanMap(Mdl, HighPagePriority));
    CHECK(MmGetSystemAddressForMdlSafe(Mdl, HighPagePriority) == NULL);
    CHECK_EQUAL(KtState(Mdl), MDL_PAGES_LOCKED);
    Mdl->MdlFlags |= MDL_MAPPING_CAN_FAIL;
    CHECK(MmMapLockedPages(Mdl, KernelMode) == NULL);
    CHECK_EQUAL(KtState(Mdl), MDL_PAGES_LOCKED | MDL_MAPPING_CAN_FAIL);
    Mdl->MdlFlags &= ~MDL_MAPPING_CAN_FAIL;

    KT_COVERS("MmMapMdl", "without an address left: STATUS_INSUFFICIENT_RESOURCES, and the routine is not called",
              "DDI; the code is ours");
    CHECK_STATUS(MmMapMdl(Mdl, PAGE_READWRITE, NeverCalled, &called), STATUS_INSUFFICIENT_RESOURCES);
    CHECK(!called);

    KT_COVERS("MmMapIoSpace, MmAllocateMappingAddress", "without an address left: NULL", "DDI");
    CHECK(MmMapIoSpace(apic, PAGE_SIZE, MmNonCached) == NULL);
    CHECK(MmAllocateMappingAddress(PAGE_SIZE, KT_TAG) == NULL);

    KT_COVERS("MmMapLockedPagesWithReservedMapping, MmMapLockedPagesSpecifyCache", "what was reserved before still "
              "maps, and a user view needs none of the kernel's addresses",
              "DDI MmMapLockedPagesWithReservedMapping: forward progress");
    va = MmMapLockedPagesWithReservedMapping(Hoard->Chunks[0], KT_TAG, Mdl, MmCached);
    CHECK(va != NULL);
    if (va != NULL)
    {
        KtFill(va, 4 * PAGE_SIZE, 3);
        MmUnmapReservedMapping(Hoard->Chunks[0], KT_TAG, Mdl);
    }
    va = KtMapUser(Mdl, NULL, NormalPagePriority, &status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    if (va != NULL)
    {
        CHECK_EQUAL(KtMismatches(va, 4 * PAGE_SIZE, 3), 0);
        MmUnmapLockedPages(va, Mdl);
    }
}

static VOID TestPriorities(KTEST_RUN *Run, HOARD *Hoard, PMDL Mdl)
{
    static const struct
    {
        ULONG Free; /* one part in so many */
        BOOLEAN Low, Normal, High;
    } steps[] = {{64, FALSE, FALSE, TRUE}, {16, FALSE, TRUE, TRUE}, {4, TRUE, TRUE, TRUE}};
    ULONG all = Hoard->Large;

    KT_COVERS("MmMapLockedPagesSpecifyCache", "as addresses get scarce LowPagePriority fails first, then "
              "NormalPagePriority, HighPagePriority last", "DDI MmGetSystemAddressForMdlSafe; how scarce is ours");
    for (ULONG i = 0; i < RTL_NUMBER_OF(steps); i++)
    {
        GiveBack(Hoard, all - all / steps[i].Free);
        BOOLEAN low = CanMap(Mdl, LowPagePriority), normal = CanMap(Mdl, NormalPagePriority),
                high = CanMap(Mdl, HighPagePriority);
        KtSay(Run, "one address in %lu free: low %u, normal %u, high %u", steps[i].Free, low, normal, high);
        CHECK_EQUAL(low, steps[i].Low);
        CHECK_EQUAL(normal, steps[i].Normal);
        CHECK_EQUAL(high, steps[i].High);
    }
}

/* More than the machine can do without. */
static VOID TestTooMuch(KTEST_RUN *Run)
{
    PHYSICAL_MEMORY_RANGE *ranges = MmGetPhysicalMemoryRanges();
    ULONG64 memory = 0;
    PUCHAR base;
    SIZE_T size;
    PMDL mdl;

    CHECK(ranges != NULL);
    if (ranges == NULL)
    {
        return;
    }
    for (ULONG i = 0; ranges[i].NumberOfBytes.QuadPart != 0; i++)
    {
        memory += (ULONG64)ranges[i].NumberOfBytes.QuadPart;
    }
    ExFreePool(ranges);
    size = (SIZE_T)ROUND_TO_PAGES(memory - memory / 10);
    base = KtUserAllocate(Run, size, PAGE_READWRITE);
    if (base == NULL)
    {
        return;
    }
    KT_COVERS("MmProbeAndLockPages", "more than seven eighths of RAM raises STATUS_WORKING_SET_QUOTA, and nothing of "
              "it stays locked: half as much can be locked at once", "ours: Windows has other limits with this code");
    mdl = IoAllocateMdl(base, (ULONG)size, FALSE, FALSE, NULL);
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_WORKING_SET_QUOTA);
    CHECK_EQUAL(KtState(mdl), 0);
    IoFreeMdl(mdl);
    mdl = IoAllocateMdl(base, (ULONG)(size / 2), FALSE, FALSE, NULL);
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    KtSay(Run, "of %lu MB of RAM %lu MB are too much to lock, %lu MB are not", (ULONG)(memory >> 20),
          (ULONG)(size >> 20), (ULONG)(size >> 21));
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    KtUserFree(base);
}

VOID KtGroup_mdl_scarce(KTEST_RUN *Run)
{
    PMDL mdl = KtAllocatePages(Run, 4 * PAGE_SIZE);
    HOARD hoard = {0};
    ULONG all;

    if (mdl == NULL || !TakeAll(Run, &hoard))
    {
        CHECK(hoard.Count != 0);
        return;
    }
    all = hoard.Large;
    TestExhausted(Run, &hoard, mdl);
    TestPriorities(Run, &hoard, mdl);
    GiveAll(&hoard, all);
    CHECK(CanMap(mdl, LowPagePriority));
    KtFreePages(mdl);
    TestTooMuch(Run);
}
