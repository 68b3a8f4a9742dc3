/* SPDX-License-Identifier: MIT */
/*
 * MDLs of up to 1 GB of real memory: every page is written through one address and read through another. The cycles per
 * page that are shown should not grow with the size; nothing asserts them, but work that grew with the square of the
 * size would not end in the test's time.
 */
#include "mdllib.h"

#define MB ((SIZE_T)1 << 20)
#define LARGEST (1024 * MB)

static VOID Stamp(PUCHAR Va, SIZE_T Size, ULONG Seed)
{
    for (SIZE_T at = 0; at < Size; at += PAGE_SIZE)
    {
        *(volatile ULONG64 *)(Va + at + 8) = at * 3 + Seed;
    }
}

static SIZE_T Mistakes(PUCHAR Va, SIZE_T Size, ULONG Seed)
{
    SIZE_T mistakes = 0;

    for (SIZE_T at = 0; at < Size; at += PAGE_SIZE)
    {
        mistakes += *(volatile ULONG64 *)(Va + at + 8) != at * 3 + Seed;
    }
    return mistakes;
}

typedef struct _COST
{
    ULONG64 Since;
    ULONG Pages;
} COST;

static ULONG PerPage(COST *Cost)
{
    ULONG64 now = __rdtsc();
    ULONG cost = (ULONG)((now - Cost->Since) / Cost->Pages);

    Cost->Since = __rdtsc();
    return cost;
}

static VOID TestLock(KTEST_RUN *Run, SIZE_T Size)
{
    PUCHAR user = KtUserAllocate(Run, Size, PAGE_READWRITE), view;
    PMDL mdl = IoAllocateMdl(user, (ULONG)Size, FALSE, FALSE, NULL), part;
    COST cost = {.Since = __rdtsc(), .Pages = (ULONG)(Size >> PAGE_SHIFT)};
    ULONG lock, again, map, unlock;

    CHECK(mdl != NULL);
    if (user == NULL || mdl == NULL)
    {
        return;
    }
    KT_COVERS("MmProbeAndLockPages, MmUnlockPages, MmMapLockedPagesSpecifyCache", "buffers of 64 MB to 1 GB in one "
              "MDL: every page brought in, locked, mapped and read back", "DDI: up to 4 GB - PAGE_SIZE");
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS); /* no page was there before */
    lock = PerPage(&cost);
    MmUnlockPages(mdl);
    cost.Since = __rdtsc();
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    again = PerPage(&cost);
    view = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    map = PerPage(&cost);
    CHECK(view != NULL);
    if (view != NULL)
    {
        Stamp(view, Size, 1);
        CHECK_EQUAL(Mistakes(user, Size, 1), 0);
        KT_COVERS("IoBuildPartialMdl", "half of MDLs of 64 MB to 1 GB: 32 MB and more, where the Size field has "
                  "wrapped", "DDI");
        part = IoAllocateMdl(user, (ULONG)Size / 2, FALSE, FALSE, NULL);
        IoBuildPartialMdl(mdl, part, user + Size / 2, 0);
        CHECK(part->MappedSystemVa == view + Size / 2);
        CHECK_EQUAL(MmGetMdlPfnArray(part)[(Size / 2 >> PAGE_SHIFT) - 1],
                    MmGetMdlPfnArray(mdl)[(Size >> PAGE_SHIFT) - 1]);
        IoFreeMdl(part);
        KT_COVERS("MmAdvanceMdl", "in steps of 8 to 128 MB over MDLs of 64 MB to 1 GB", "DDI");
        for (ULONG i = 0; i < 4; i++)
        {
            CHECK_STATUS(MmAdvanceMdl(mdl, (ULONG)Size / 8), STATUS_SUCCESS);
        }
        CHECK_EQUAL(mdl->ByteCount, Size / 2);
        CHECK_EQUAL(MmGetMdlPfnArray(mdl)[0], KtPfn(user + Size / 2));
    }
    cost.Since = __rdtsc();
    cost.Pages /= 2;
    MmUnlockPages(mdl);
    unlock = PerPage(&cost);
    KtSay(Run, "%4lu MB: cycles per page: first lock %lu, second %lu, map %lu, unlock %lu", (ULONG)(Size / MB),
          lock, again, map, unlock);
    IoFreeMdl(mdl);
    KtUserFree(user);
}

static VOID TestPages(KTEST_RUN *Run, SIZE_T Size)
{
    COST cost = {.Since = __rdtsc(), .Pages = (ULONG)(Size >> PAGE_SHIFT)};
    PMDL mdl;
    PUCHAR view, user;
    ULONG allocate, map, mapUser, free;
    NTSTATUS status;

    KT_COVERS("MmAllocatePagesForMdlEx, MmFreePagesFromMdl", "64 MB to 1 GB in one MDL, mapped into the kernel and "
              "into the program, read back through the other", "DDI: up to 4 GB - PAGE_SIZE");
    mdl = KtAllocatePages(Run, Size);
    allocate = PerPage(&cost);
    if (mdl == NULL)
    {
        return;
    }
    view = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    map = PerPage(&cost);
    user = KtMapUser(mdl, NULL, NormalPagePriority, &status);
    mapUser = PerPage(&cost);
    CHECK(view != NULL);
    CHECK_STATUS(status, STATUS_SUCCESS);
    if (view != NULL && user != NULL)
    {
        Stamp(view, Size, 9);
        CHECK_EQUAL(Mistakes(user, Size, 9), 0);
        MmUnmapLockedPages(user, mdl);
    }
    cost.Since = __rdtsc();
    KtFreePages(mdl);
    free = PerPage(&cost);
    KtSay(Run, "%4lu MB: cycles per page: allocate and zero %lu, map %lu, map to user %lu, free %lu",
          (ULONG)(Size / MB), allocate, map, mapUser, free);
}

/* One page, once per element, up to the limit of its lock count and one time more. */
static VOID TestLockCount(KTEST_RUN *Run)
{
    const ULONG limit = 65520;
    PUCHAR page = KtUserAllocate(Run, PAGE_SIZE, PAGE_READWRITE);
    FILE_SEGMENT_ELEMENT *segments = ExAllocatePoolWithTag(NonPagedPoolNx, (limit + 2) * sizeof(*segments), KT_TAG);
    PMDL mdl;

    CHECK(segments != NULL);
    if (page == NULL || segments == NULL)
    {
        return;
    }
    for (ULONG i = 0; i < limit + 2; i++)
    {
        segments[i].Buffer = (PVOID64)page;
    }
    KT_COVERS("MmProbeAndLockSelectedPages, MmProbeAndLockPages", "one page locked 65,520 times; once more raises "
              "STATUS_WORKING_SET_QUOTA, and what that call had locked is unlocked",
              "ours: the counter has 16 bits, as NT's");
    mdl = IoAllocateMdl(page, (limit + 1) * PAGE_SIZE, FALSE, FALSE, NULL);
    CHECK_STATUS(KT_RAISED(MmProbeAndLockSelectedPages(mdl, segments, UserMode, IoReadAccess)),
                 STATUS_WORKING_SET_QUOTA);
    CHECK_EQUAL(KtState(mdl), 0);
    IoFreeMdl(mdl);
    mdl = IoAllocateMdl(page, limit * PAGE_SIZE, FALSE, FALSE, NULL);
    CHECK_STATUS(KT_RAISED(MmProbeAndLockSelectedPages(mdl, segments, UserMode, IoReadAccess)), STATUS_SUCCESS);
    CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED);
    PMDL one = IoAllocateMdl(page, 1, FALSE, FALSE, NULL);
    CHECK_STATUS(KtLock(one, UserMode, IoReadAccess), STATUS_WORKING_SET_QUOTA);
    MmUnlockPages(mdl);
    CHECK_STATUS(KtLock(one, UserMode, IoReadAccess), STATUS_SUCCESS);
    MmUnlockPages(one);
    IoFreeMdl(one);
    IoFreeMdl(mdl);
    ExFreePoolWithTag(segments, KT_TAG);
    KtUserFree(page);
}

static VOID TestPool(KTEST_RUN *Run)
{
    SIZE_T size = 128 * MB;
    PUCHAR pool = ExAllocatePoolWithTag(NonPagedPoolNx, size, KT_TAG), user;
    PMDL mdl = IoAllocateMdl(pool, (ULONG)size, FALSE, FALSE, NULL);
    NTSTATUS status;

    KT_COVERS("MmBuildMdlForNonPagedPool", "128 MB of pool in one MDL, mapped into the program", "DDI");
    CHECK(pool != NULL && mdl != NULL);
    if (pool == NULL || mdl == NULL)
    {
        return;
    }
    MmBuildMdlForNonPagedPool(mdl);
    user = KtMapUser(mdl, NULL, NormalPagePriority, &status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    if (user != NULL)
    {
        Stamp(pool, size - PAGE_SIZE, 2);
        CHECK_EQUAL(Mistakes(user, size - PAGE_SIZE, 2), 0);
        MmUnmapLockedPages(user, mdl);
    }
    IoFreeMdl(mdl);
    ExFreePoolWithTag(pool, KT_TAG);
}

VOID KtGroup_mdl_large(KTEST_RUN *Run)
{
    for (SIZE_T size = 64 * MB; size <= LARGEST; size *= 4)
    {
        TestLock(Run, size);
        TestPages(Run, size);
    }
    TestPool(Run);
    TestLockCount(Run);
}
