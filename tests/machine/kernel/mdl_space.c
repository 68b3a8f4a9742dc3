/* SPDX-License-Identifier: MIT */
/* MDLs and mappings of device memory: the local APIC's page stands for a device. */
#include "mdllib.h"

#define APIC 0xFEE00000ULL
#define APIC_VERSION 0x30 /* register: version in bits 0-7 */

static NTSTATUS Describe(ULONG64 Address, SIZE_T Size, PMDL *Mdl)
{
    MM_PHYSICAL_ADDRESS_LIST list = {.PhysicalAddress = {.QuadPart = (LONG64)Address}, .NumberOfBytes = Size};

    *Mdl = NULL;
    return MmAllocateMdlForIoSpace(&list, 1, Mdl);
}

static VOID TestMdl(KTEST_RUN *Run)
{
    PUCHAR pool = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, KT_TAG);
    MM_PHYSICAL_ADDRESS_LIST list[2] = {{.PhysicalAddress = {.QuadPart = APIC}, .NumberOfBytes = PAGE_SIZE},
                                        {.PhysicalAddress = {.QuadPart = 1LL << 40}, .NumberOfBytes = 2 * PAGE_SIZE}};
    PMDL mdl = NULL;
    PUCHAR va;

    KT_COVERS("MmAllocateMdlForIoSpace", "one MDL for several ranges, in their order; MDL_IO_SPACE, neither locked "
              "nor mapped, StartVa and ByteOffset 0; freed with IoFreeMdl", "DDI MmAllocateMdlForIoSpace");
    CHECK_STATUS(MmAllocateMdlForIoSpace(list, 2, &mdl), STATUS_SUCCESS);
    if (mdl != NULL)
    {
        KtSayMdl(Run, "device memory", mdl);
        CHECK_EQUAL(KtState(mdl), MDL_IO_SPACE);
        CHECK_EQUAL(mdl->ByteCount, 3 * PAGE_SIZE);
        CHECK_EQUAL(mdl->ByteOffset, 0);
        CHECK(mdl->Process == NULL && mdl->StartVa == NULL);
        CHECK_EQUAL(MmGetMdlPfnArray(mdl)[0], APIC >> PAGE_SHIFT);
        CHECK_EQUAL(MmGetMdlPfnArray(mdl)[1], (1ULL << 40) >> PAGE_SHIFT);
        CHECK_EQUAL(MmGetMdlPfnArray(mdl)[2], ((1ULL << 40) >> PAGE_SHIFT) + 1);
        IoFreeMdl(mdl);
    }

    KT_COVERS("MmAllocateMdlForIoSpace", "a range of RAM, one that is not whole pages or has none, or wraps: "
              "STATUS_INVALID_PARAMETER_1; more than 4 GB - PAGE_SIZE in all as well; no range: "
              "STATUS_INVALID_PARAMETER_2", "DDI; the last code and the one for the size are ours");
    CHECK_STATUS(Describe((ULONG64)KtPfn(pool) << PAGE_SHIFT, PAGE_SIZE, &mdl), STATUS_INVALID_PARAMETER_1);
    CHECK_STATUS(Describe(APIC + 16, PAGE_SIZE, &mdl), STATUS_INVALID_PARAMETER_1);
    CHECK_STATUS(Describe(APIC, PAGE_SIZE + 1, &mdl), STATUS_INVALID_PARAMETER_1);
    CHECK_STATUS(Describe(APIC, 0, &mdl), STATUS_INVALID_PARAMETER_1);
    CHECK_STATUS(Describe(0xFFFFFFFFFFFFF000, 2 * PAGE_SIZE, &mdl), STATUS_INVALID_PARAMETER_1);
    CHECK_STATUS(Describe(1ULL << 40, 1ULL << 32, &mdl), STATUS_INVALID_PARAMETER_1);
    CHECK_STATUS(MmAllocateMdlForIoSpace(list, 0, &mdl), STATUS_INVALID_PARAMETER_2);
    CHECK(mdl == NULL);

    KT_COVERS("MmMapLockedPagesSpecifyCache, MmUnmapLockedPages", "device memory is mapped with the cache type asked "
              "for; the device answers through the view", "DDI MmAllocateMdlForIoSpace, MmMapLockedPagesSpecifyCache");
    CHECK_STATUS(Describe(APIC, PAGE_SIZE, &mdl), STATUS_SUCCESS);
    va = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmNonCached, NULL, FALSE, NormalPagePriority);
    CHECK(va != NULL);
    if (va != NULL)
    {
        ULONG version = *(volatile ULONG *)(va + APIC_VERSION);
        KtSay(Run, "the local APIC through an MDL: version register 0x%08lX, entry 0x%I64X", version, KtEntry(va));
        CHECK_EQUAL(version & 0xF0, 0x10);
        CHECK_EQUAL(KtEntry(va) & KT_PTE_CACHE, 0x18);
        CHECK_EQUAL(KtState(mdl), MDL_IO_SPACE | MDL_MAPPED_TO_SYSTEM_VA);

        KT_COVERS("IoBuildPartialMdl", "a part of device memory inherits MDL_IO_SPACE", "ReactOS, IoBuildPartialMdl");
        PMDL part = IoAllocateMdl(NULL, PAGE_SIZE, FALSE, FALSE, NULL);
        IoBuildPartialMdl(mdl, part, (PVOID)0x30, 4);
        CHECK_EQUAL(KtState(part), MDL_PARTIAL | MDL_IO_SPACE | MDL_MAPPED_TO_SYSTEM_VA);
        CHECK(part->MappedSystemVa == va + 0x30);
        IoFreeMdl(part);
        MmUnmapLockedPages(va, mdl);
        CHECK_EQUAL(KtState(mdl), MDL_IO_SPACE);
    }
    IoFreeMdl(mdl);
    ExFreePoolWithTag(pool, KT_TAG);
}

static VOID TestMapping(KTEST_RUN *Run)
{
    static const struct
    {
        ULONG Protect;
        ULONG64 Write, Execute, Cache;
    } cases[] = {
        {PAGE_READONLY, 0, 0, 0},
        {PAGE_READWRITE | PAGE_NOCACHE, 1, 0, 0x18},
        {PAGE_READWRITE | PAGE_WRITECOMBINE, 1, 0, 0x8},
        {PAGE_EXECUTE_READ, 0, 1, 0},
        {PAGE_EXECUTE_READWRITE | PAGE_NOCACHE, 1, 1, 0x18},
    };
    PHYSICAL_ADDRESS apic = {.QuadPart = APIC}, inside = {.QuadPart = APIC + APIC_VERSION},
                     beyond = {.QuadPart = (LONG64)(1ULL << 53)};
    PUCHAR va;

    KT_COVERS("MmMapIoSpace, MmUnmapIoSpace, MmIsIoSpaceActive", "any offset and length, the result has the offset; "
              "whole pages, not executable, with the cache type asked for; at DISPATCH_LEVEL", "DDI MmMapIoSpace");
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    va = MmMapIoSpace(inside, 4, MmNonCached);
    KeLowerIrql(irql);
    CHECK(va != NULL);
    if (va != NULL)
    {
        CHECK_EQUAL(BYTE_OFFSET(va), APIC_VERSION);
        CHECK_EQUAL(*(volatile ULONG *)va & 0xF0, 0x10);
        CHECK_EQUAL(KtEntry(va) & (KT_PTE_NX | KT_PTE_CACHE | KT_PTE_WRITE | KT_PTE_USER),
                    KT_PTE_NX | KT_PTE_WRITE | 0x18);
        CHECK(MmIsIoSpaceActive(apic, PAGE_SIZE));
        MmUnmapIoSpace(va, 4);
        CHECK(!MmIsAddressValid(va));
    }

    KT_COVERS("MmMapIoSpace", "0 bytes, an unknown cache type, addresses that no processor has: NULL; so is RAM that "
              "is free or a page table's, or has another cache type than asked for",
              "ours; page tables since Windows 10 1803");
    CHECK(MmMapIoSpace(apic, 0, MmNonCached) == NULL);
    CHECK(MmMapIoSpace(apic, PAGE_SIZE, (MEMORY_CACHING_TYPE)77) == NULL);
    CHECK(MmMapIoSpace(beyond, PAGE_SIZE, MmNonCached) == NULL);
    PHYSICAL_ADDRESS top = {.QuadPart = (LONG64)(__readcr3() & ~0xFFFULL)};
    CHECK(MmMapIoSpace(top, PAGE_SIZE, MmCached) == NULL);
    PMDL pages = KtAllocatePages(Run, PAGE_SIZE);
    PHYSICAL_ADDRESS own = {.QuadPart = (LONG64)MmGetMdlPfnArray(pages)[0] << PAGE_SHIFT};
    CHECK(MmMapIoSpace(own, PAGE_SIZE, MmNonCached) == NULL);
    va = MmMapIoSpace(own, PAGE_SIZE, MmCached);
    CHECK(va != NULL);
    MmUnmapIoSpace(va, PAGE_SIZE);
    KtFreePages(pages);

    KT_COVERS("MmMapIoSpaceEx", "each protection and cache modifier reaches the entry; both modifiers, PAGE_NOACCESS, "
              "PAGE_GUARD and copy-on-write give NULL", "DDI MmMapIoSpaceEx; NULL is ours");
    for (ULONG i = 0; i < RTL_NUMBER_OF(cases); i++)
    {
        ULONG64 entry;
        va = MmMapIoSpaceEx(apic, PAGE_SIZE, cases[i].Protect);
        CHECK(va != NULL);
        entry = KtEntry(va);
        CHECK_EQUAL((entry & KT_PTE_WRITE) != 0, cases[i].Write);
        CHECK_EQUAL((entry & KT_PTE_NX) == 0, cases[i].Execute);
        CHECK_EQUAL(entry & KT_PTE_CACHE, cases[i].Cache);
        MmUnmapIoSpace(va, PAGE_SIZE);
    }
    CHECK(MmMapIoSpaceEx(apic, PAGE_SIZE, PAGE_READWRITE | PAGE_NOCACHE | PAGE_WRITECOMBINE) == NULL);
    CHECK(MmMapIoSpaceEx(apic, PAGE_SIZE, PAGE_NOACCESS) == NULL);
    CHECK(MmMapIoSpaceEx(apic, PAGE_SIZE, PAGE_READWRITE | PAGE_GUARD) == NULL);
    CHECK(MmMapIoSpaceEx(apic, PAGE_SIZE, PAGE_WRITECOPY) == NULL);
    CHECK(MmMapIoSpaceEx(apic, 0, PAGE_READWRITE) == NULL);
}

VOID KtGroup_mdl_space(KTEST_RUN *Run)
{
    TestMdl(Run);
    TestMapping(Run);
}
