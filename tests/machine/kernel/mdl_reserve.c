/* SPDX-License-Identifier: MIT */
/* Reserved mapping addresses: buffers with an offset, parts, again and again, and what is refused. */
#include "mdllib.h"

static VOID TestAddresses(KTEST_RUN *Run)
{
    PUCHAR va;

    KT_COVERS("MmAllocateMappingAddress, MmFreeMappingAddress", "reserves addresses without pages, page-aligned, "
              "whole pages; tag 0 gives NULL; more than there is gives NULL", "DDI MmAllocateMappingAddress");
    CHECK(MmAllocateMappingAddress(PAGE_SIZE, 0) == NULL);
    CHECK(MmAllocateMappingAddress((SIZE_T)1 << 46, KT_TAG) == NULL);
    va = MmAllocateMappingAddress(2 * PAGE_SIZE + 1, KT_TAG);
    CHECK(va != NULL);
    CHECK_EQUAL(BYTE_OFFSET(va), 0);
    CHECK(!MmIsAddressValid(va) && !MmIsAddressValid(va + 2 * PAGE_SIZE));
    MmFreeMappingAddress(va, KT_TAG);

    KT_COVERS("MmAllocateMappingAddressEx", "without flags as MmAllocateMappingAddress; MM_MAPPING_ADDRESS_DIVISIBLE "
              "and unknown flags give NULL", "DDI MmAllocateMappingAddressEx; refusing the flag is ours");
    va = MmAllocateMappingAddressEx(PAGE_SIZE, KT_TAG, 0);
    CHECK(va != NULL);
    MmFreeMappingAddress(va, KT_TAG);
    CHECK(MmAllocateMappingAddressEx(PAGE_SIZE, 0, 0) == NULL);
    CHECK(MmAllocateMappingAddressEx(PAGE_SIZE, KT_TAG, MM_MAPPING_ADDRESS_DIVISIBLE) == NULL);
    CHECK(MmAllocateMappingAddressEx(PAGE_SIZE, KT_TAG, 0x80000000) == NULL);
}

/* One reservation for transfers of any buffer, as a driver keeps it that must go on when there is no memory. */
static VOID TestTransfers(KTEST_RUN *Run)
{
    static const struct
    {
        ULONG Offset, Size;
    } buffers[] = {{0, 1}, {0x123, 100}, {0xFFF, 2}, {0x800, 3 * PAGE_SIZE}, {0, 4 * PAGE_SIZE}};
    PUCHAR base = KtUserAllocate(Run, 5 * PAGE_SIZE, PAGE_READWRITE);
    PUCHAR reserved = MmAllocateMappingAddress(4 * PAGE_SIZE, KT_TAG), va;
    KIRQL irql;
    PMDL mdl;

    KT_COVERS("MmMapLockedPagesWithReservedMapping, MmUnmapReservedMapping", "maps a buffer of any offset at the "
              "reserved address; the result has the byte offset, MappedSystemVa has not; MDL_MAPPED_TO_SYSTEM_VA "
              "comes and goes; at DISPATCH_LEVEL", "DDI MmMapLockedPagesWithReservedMapping");
    CHECK(reserved != NULL);
    for (ULONG i = 0; base != NULL && reserved != NULL && i < RTL_NUMBER_OF(buffers); i++)
    {
        mdl = IoAllocateMdl(base + buffers[i].Offset, buffers[i].Size, FALSE, FALSE, NULL);
        KtFill(base + buffers[i].Offset, buffers[i].Size, i);
        CHECK_STATUS(KtLock(mdl, UserMode, IoReadAccess), STATUS_SUCCESS);
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        va = MmMapLockedPagesWithReservedMapping(reserved, KT_TAG, mdl, MmCached);
        CHECK(va == reserved + buffers[i].Offset);
        CHECK(mdl->MappedSystemVa == reserved);
        CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA);
        CHECK(va != NULL && KtMismatches(va, buffers[i].Size, i) == 0);
        CHECK_EQUAL(MmIsAddressValid(reserved + 3 * PAGE_SIZE), KtPages(mdl) == 4);
        MmUnmapReservedMapping(reserved, KT_TAG, mdl);
        CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED);
        CHECK(!MmIsAddressValid(reserved));
        KeLowerIrql(irql);
        KtSay(Run, "offset 0x%lX, 0x%lX bytes: mapped at %p of the reservation %p", buffers[i].Offset, buffers[i].Size,
              va, reserved);
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    }

    KT_COVERS("MmMapLockedPagesWithReservedMapping", "NULL, and no flag, for a reservation that is too small or an "
              "unknown cache type", "DDI");
    mdl = KtAllocatePages(Run, 5 * PAGE_SIZE);
    CHECK(MmMapLockedPagesWithReservedMapping(reserved, KT_TAG, mdl, MmCached) == NULL);
    CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED);
    KtFreePages(mdl);
    mdl = KtAllocatePages(Run, PAGE_SIZE);
    CHECK(MmMapLockedPagesWithReservedMapping(reserved, KT_TAG, mdl, (MEMORY_CACHING_TYPE)77) == NULL);
    CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED);
    KtFreePages(mdl);

    KT_COVERS("MmMapLockedPagesWithReservedMapping", "parts of a locked MDL can be mapped there one after the other",
              "DDI IoBuildPartialMdl");
    mdl = IoAllocateMdl(base, 5 * PAGE_SIZE, FALSE, FALSE, NULL);
    PMDL part = IoAllocateMdl(base, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    KtFill(base, 5 * PAGE_SIZE, 66);
    CHECK_STATUS(KtLock(mdl, UserMode, IoReadAccess), STATUS_SUCCESS);
    for (ULONG at = 0; at + 3000 <= 5 * PAGE_SIZE; at += 3000)
    {
        IoBuildPartialMdl(mdl, part, base + at, 3000);
        va = MmMapLockedPagesWithReservedMapping(reserved, KT_TAG, part, MmCached);
        CHECK(va != NULL && memcmp(va, base + at, 3000) == 0);
        CHECK_EQUAL(KtState(part), MDL_PARTIAL | MDL_PARTIAL_HAS_BEEN_MAPPED | MDL_MAPPED_TO_SYSTEM_VA);
        MmUnmapReservedMapping(reserved, KT_TAG, part);
        CHECK_EQUAL(KtState(part), MDL_PARTIAL);
    }
    IoFreeMdl(part);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    MmFreeMappingAddress(reserved, KT_TAG);
    KtUserFree(base);
}

VOID KtGroup_mdl_reserve(KTEST_RUN *Run)
{
    TestAddresses(Run);
    TestTransfers(Run);
}
