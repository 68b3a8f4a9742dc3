/* SPDX-License-Identifier: MIT */
/* Views of MDLs as the processor sees them: protections, cache types, guards, obsolete and short-lived mappings. */
#include "mdllib.h"

static VOID TestKernelViewBits(KTEST_RUN *Run)
{
    static const struct
    {
        ULONG Priority;
        BOOLEAN Write, Execute;
    } cases[] = {
        {LowPagePriority, TRUE, TRUE},
        {NormalPagePriority, TRUE, TRUE},
        {HighPagePriority | MdlMappingNoExecute, TRUE, FALSE},
        {NormalPagePriority | MdlMappingNoWrite, FALSE, TRUE},
        {NormalPagePriority | MdlMappingNoWrite | MdlMappingNoExecute | MdlMappingWithGuardPtes, FALSE, FALSE},
    };
    PMDL mdl = KtAllocatePages(Run, 3 * PAGE_SIZE);

    KT_COVERS("MmMapLockedPagesSpecifyCache", "a kernel view is writable and executable unless MdlMappingNoWrite, "
              "MdlMappingNoExecute forbid it; it sets MDL_MAPPED_TO_SYSTEM_VA and MappedSystemVa, unmapping takes the "
              "flag back", "DDI");
    for (ULONG i = 0; mdl != NULL && i < RTL_NUMBER_OF(cases); i++)
    {
        PUCHAR va = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, cases[i].Priority);
        CHECK(va != NULL);
        if (va == NULL)
        {
            continue;
        }
        KtSay(Run, "priority 0x%08lX: view %p, entry 0x%I64X, flags 0x%04lX", cases[i].Priority, va, KtEntry(va),
              KtFlags(mdl));
        CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA);
        CHECK(mdl->MappedSystemVa == va);
        CHECK_EQUAL((KtEntry(va) & KT_PTE_WRITE) != 0, cases[i].Write);
        CHECK_EQUAL((KtEntry(va) & KT_PTE_NX) == 0, cases[i].Execute);
        CHECK_EQUAL(KtEntry(va) & KT_PTE_USER, 0);
        CHECK(!MmIsAddressValid(va - 1));
        CHECK(!MmIsAddressValid(va + 3 * PAGE_SIZE));
        MmUnmapLockedPages(va, mdl);
        CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED);
        CHECK(!MmIsAddressValid(va));
        CHECK_EQUAL(KtEntry(va), 0);
    }

    KT_COVERS("MmMapLockedPagesSpecifyCache", "before and behind a kernel view lies an address without a page, also "
              "without MdlMappingWithGuardPtes", "DDI: guard PTEs only with the flag; ours: always");
    if (mdl != NULL)
    {
        PUCHAR one = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
        CHECK(one != NULL && !MmIsAddressValid(one - PAGE_SIZE) && !MmIsAddressValid(one + 3 * PAGE_SIZE));
        MmUnmapLockedPages(one, mdl);
    }

    KT_COVERS("MmMapLockedPagesSpecifyCache", "an unknown cache type gives NULL and leaves the flags", "ours");
    if (mdl != NULL)
    {
        CHECK(MmMapLockedPagesSpecifyCache(mdl, KernelMode, (MEMORY_CACHING_TYPE)77, NULL, FALSE, NormalPagePriority) ==
              NULL);
        CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED);
    }
    KtFreePages(mdl);
}

static VOID TestUserViewBits(KTEST_RUN *Run)
{
    PMDL mdl = KtAllocatePages(Run, 2 * PAGE_SIZE);
    NTSTATUS status;
    PUCHAR write, read;

    if (mdl == NULL)
    {
        return;
    }
    KT_COVERS("MmMapLockedPagesSpecifyCache", "a user view is never executable, writable unless MdlMappingNoWrite, "
              "sets no flag and no MappedSystemVa, and there may be several", "DDI");
    write = KtMapUser(mdl, NULL, NormalPagePriority, &status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    read = KtMapUser(mdl, NULL, NormalPagePriority | MdlMappingNoWrite, &status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    if (write != NULL && read != NULL)
    {
        KtSay(Run, "user views: %p entry 0x%I64X, %p entry 0x%I64X", write, KtEntry(write), read, KtEntry(read));
        CHECK_EQUAL(KtEntry(write) & (KT_PTE_WRITE | KT_PTE_USER | KT_PTE_NX), KT_PTE_WRITE | KT_PTE_USER | KT_PTE_NX);
        CHECK_EQUAL(KtEntry(read) & (KT_PTE_WRITE | KT_PTE_USER | KT_PTE_NX), KT_PTE_USER | KT_PTE_NX);
        CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED);
        MmUnmapLockedPages(read, mdl);
        MmUnmapLockedPages(write, mdl);
        CHECK_EQUAL(KtEntry(write), 0);
        CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED);
    }

    KT_COVERS("MmMapLockedPagesSpecifyCache", "wanted user addresses: unaligned, in the last 64 KB, in the first 64 "
              "KB or the kernel's raise STATUS_INVALID_ADDRESS, taken ones STATUS_CONFLICTING_ADDRESSES, free ones "
              "are granted", "DDI; that nothing is rounded down is ours");
    PUCHAR taken = KtUserAllocate(Run, PAGE_SIZE, PAGE_READWRITE);
    static const ULONG64 invalid[] = {0x7FFFFFFF0000, 0x7FFFFFFEF000 /* one page fits, two do not */, 0x1000,
                                      0xFFFFF80000000000, 0x00010001};
    for (ULONG i = 0; i < RTL_NUMBER_OF(invalid); i++)
    {
        CHECK(KtMapUser(mdl, (PVOID)invalid[i], NormalPagePriority, &status) == NULL);
        CHECK_STATUS(status, STATUS_INVALID_ADDRESS);
    }
    CHECK(KtMapUser(mdl, taken, NormalPagePriority, &status) == NULL);
    CHECK_STATUS(status, STATUS_CONFLICTING_ADDRESSES);
    CHECK(KtMapUser(mdl, taken - PAGE_SIZE, NormalPagePriority, &status) == NULL);
    CHECK_STATUS(status, STATUS_CONFLICTING_ADDRESSES);
    KtUserFree(taken);
    CHECK(KtMapUser(mdl, taken, NormalPagePriority, &status) == taken);
    CHECK_STATUS(status, STATUS_SUCCESS);
    MmUnmapLockedPages(taken, mdl);

    KT_COVERS("MmMapLockedPagesSpecifyCache", "a user view with an unknown cache type raises "
              "STATUS_INVALID_PARAMETER", "ours");
    CHECK_STATUS(KT_RAISED(MmMapLockedPagesSpecifyCache(mdl, UserMode, (MEMORY_CACHING_TYPE)77, NULL, FALSE,
                                                        NormalPagePriority)),
                 STATUS_INVALID_PARAMETER);
    KtFreePages(mdl);
}

static const PHYSICAL_ADDRESS Low = {.QuadPart = 0}, High = {.QuadPart = MAXLONGLONG}, None = {.QuadPart = 0};

static ULONG64 CacheBits(KTEST_RUN *Run, PMDL Mdl, MEMORY_CACHING_TYPE Wanted)
{
    PUCHAR va = MmMapLockedPagesSpecifyCache(Mdl, KernelMode, Wanted, NULL, FALSE, NormalPagePriority);
    ULONG64 bits;

    CHECK(va != NULL);
    bits = KtEntry(va) & KT_PTE_CACHE;
    CHECK_EQUAL(KtEntry(va + PAGE_SIZE) & KT_PTE_CACHE, bits);
    MmUnmapLockedPages(va, Mdl);
    return bits;
}

static VOID TestCacheTypes(KTEST_RUN *Run)
{
    static const struct
    {
        MEMORY_CACHING_TYPE Type;
        ULONG64 Bits;
    } types[] = {{MmNonCached, 0x18}, {MmCached, 0}, {MmWriteCombined, 0x8}};
    NTSTATUS status;
    PUCHAR user;
    PMDL mdl;

    for (ULONG i = 0; i < RTL_NUMBER_OF(types); i++)
    {
        KT_COVERS("MmAllocatePagesForMdlEx, MmMapLockedPagesSpecifyCache", "pages keep the cache type they were "
                  "allocated with: every view has it, whatever type the mapping asks for",
                  "DDI MmMapLockedPagesSpecifyCache");
        mdl = MmAllocatePagesForMdlEx(Low, High, None, 2 * PAGE_SIZE, types[i].Type, 0);
        CHECK(mdl != NULL);
        for (ULONG j = 0; mdl != NULL && j < RTL_NUMBER_OF(types); j++)
        {
            CHECK_EQUAL(CacheBits(Run, mdl, types[j].Type), types[i].Bits);
        }
        user = mdl != NULL ? KtMapUser(mdl, NULL, NormalPagePriority, &status) : NULL;
        CHECK(user != NULL);
        if (user != NULL)
        {
            KtSay(Run, "allocated with cache type %d: user view's entry 0x%I64X", types[i].Type, KtEntry(user));
            CHECK_EQUAL(KtEntry(user) & KT_PTE_CACHE, types[i].Bits);
            MmUnmapLockedPages(user, mdl);
        }
        KtFreePages(mdl);

        KT_COVERS("MmAllocatePagesForMdl, MmMapLockedPagesSpecifyCache", "pages of MmAllocatePagesForMdl, and those "
                  "allocated with MmNotMapped, have no cache type: the first mapping gives it to them, for good",
                  "DDI MmMapLockedPagesSpecifyCache; that the first decides is ours");
        for (ULONG j = 0; j < 2; j++)
        {
            mdl = j == 0 ? MmAllocatePagesForMdl(Low, High, None, 2 * PAGE_SIZE)
                         : MmAllocatePagesForMdlEx(Low, High, None, 2 * PAGE_SIZE, MmNotMapped, 0);
            CHECK(mdl != NULL);
            if (mdl != NULL)
            {
                CHECK_EQUAL(CacheBits(Run, mdl, types[i].Type), types[i].Bits);
                CHECK_EQUAL(CacheBits(Run, mdl, MmCached), types[i].Bits);
                CHECK_EQUAL(CacheBits(Run, mdl, MmNonCached), types[i].Bits);
            }
            KtFreePages(mdl);
        }
    }
    KT_COVERS("MmFreePagesFromMdl", "pages that go back are cached again for their next owner", "ours");
    mdl = MmAllocatePagesForMdlEx(Low, High, None, 64 * PAGE_SIZE, MmNonCached, 0);
    KtFreePages(mdl);
    mdl = KtAllocatePages(Run, 64 * PAGE_SIZE);
    if (mdl != NULL)
    {
        CHECK_EQUAL(CacheBits(Run, mdl, MmNonCached), 0);
    }
    KtFreePages(mdl);
}

static VOID TestObsolete(KTEST_RUN *Run)
{
    PMDL mdl = KtAllocatePages(Run, 2 * PAGE_SIZE);
    PUCHAR volatile user = NULL;
    PUCHAR va;

    if (mdl == NULL)
    {
        return;
    }
    KT_COVERS("MmMapLockedPages", "maps cached with the highest priority, in the kernel or in the process; the same "
              "flags as MmMapLockedPagesSpecifyCache; with MDL_MAPPING_CAN_FAIL it would return NULL",
              "DDI MmMapLockedPages");
    va = MmMapLockedPages(mdl, KernelMode);
    CHECK(va != NULL);
    CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA);
    MmUnmapLockedPages(va, mdl);
    mdl->MdlFlags |= MDL_MAPPING_CAN_FAIL;
    va = MmMapLockedPages(mdl, KernelMode);
    CHECK(va != NULL);
    CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_MAPPING_CAN_FAIL);
    MmUnmapLockedPages(va, mdl);
    mdl->MdlFlags &= ~MDL_MAPPING_CAN_FAIL;
    CHECK_STATUS(KT_RAISED(user = MmMapLockedPages(mdl, UserMode)), STATUS_SUCCESS);
    CHECK(user != NULL && user < (PUCHAR)MmHighestUserAddress);
    if (user != NULL)
    {
        user[3] = 9;
        CHECK_EQUAL(KtEntry(user) & KT_PTE_NX, KT_PTE_NX);
        MmUnmapLockedPages(user, mdl);
    }
    KtFreePages(mdl);
}

typedef struct _VISIT
{
    PUCHAR Va;
    ULONG64 Entry;
    KIRQL Irql;
    ULONG Calls;
} VISIT;

static VOID NTAPI Visit(PVOID Context, PVOID Va)
{
    VISIT *visit = Context;

    visit->Va = Va;
    visit->Entry = KtEntry(Va);
    visit->Irql = KeGetCurrentIrql();
    visit->Calls++;
}

static VOID TestMapMdl(KTEST_RUN *Run)
{
    static const struct
    {
        ULONG Protect;
        BOOLEAN Write, Execute;
    } cases[] = {
        {PAGE_READONLY, FALSE, FALSE},     {PAGE_READWRITE, TRUE, FALSE},         {PAGE_EXECUTE, FALSE, TRUE},
        {PAGE_EXECUTE_READ, FALSE, TRUE}, {PAGE_EXECUTE_READWRITE, TRUE, TRUE},
    };
    PUCHAR base = KtUserAllocate(Run, 2 * PAGE_SIZE, PAGE_READWRITE), va;
    PMDL mdl = IoAllocateMdl(base + 5, PAGE_SIZE, FALSE, FALSE, NULL);
    VISIT visit = {0};
    KIRQL irql;

    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    KT_COVERS("MmMapMdl", "maps with the wanted protection, calls the routine with the buffer's address at the "
              "caller's IRQL, and unmaps: the flags before and after are the same", "DDI MmMapMdl");
    for (ULONG i = 0; i < RTL_NUMBER_OF(cases); i++)
    {
        NTSTATUS status;
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        status = MmMapMdl(mdl, cases[i].Protect, Visit, &visit);
        KeLowerIrql(irql);
        CHECK_STATUS(status, STATUS_SUCCESS);
        CHECK_EQUAL(visit.Calls, i + 1);
        CHECK_EQUAL(visit.Irql, DISPATCH_LEVEL);
        CHECK_EQUAL(BYTE_OFFSET(visit.Va), 5);
        CHECK_EQUAL((visit.Entry & KT_PTE_WRITE) != 0, cases[i].Write);
        CHECK_EQUAL((visit.Entry & KT_PTE_NX) == 0, cases[i].Execute);
        CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
        CHECK(!MmIsAddressValid(visit.Va));
    }
    KT_COVERS("MmMapMdl", "an MDL that is mapped already is used as it is, and stays mapped; PAGE_NOACCESS and words "
              "that are no protection give STATUS_INVALID_PAGE_PROTECTION without a call", "DDI; the code is ours");
    va = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    CHECK_STATUS(MmMapMdl(mdl, PAGE_READONLY, Visit, &visit), STATUS_SUCCESS);
    CHECK(visit.Va == va);
    CHECK_EQUAL(KtState(mdl) & MDL_MAPPED_TO_SYSTEM_VA, MDL_MAPPED_TO_SYSTEM_VA);
    CHECK_STATUS(MmMapMdl(mdl, PAGE_NOACCESS, Visit, &visit), STATUS_INVALID_PAGE_PROTECTION);
    CHECK_STATUS(MmMapMdl(mdl, PAGE_WRITECOPY, Visit, &visit), STATUS_INVALID_PAGE_PROTECTION);
    CHECK_STATUS(MmMapMdl(mdl, 0, Visit, &visit), STATUS_INVALID_PAGE_PROTECTION);
    CHECK_EQUAL(visit.Calls, RTL_NUMBER_OF(cases) + 1);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    KtUserFree(base);
}

static VOID TestProtect(KTEST_RUN *Run)
{
    static const struct
    {
        ULONG Protect;
        BOOLEAN Valid, Write, Execute;
    } cases[] = {
        {PAGE_READONLY, TRUE, FALSE, FALSE},    {PAGE_NOACCESS, FALSE, FALSE, FALSE},
        {PAGE_READWRITE, TRUE, TRUE, FALSE},    {PAGE_EXECUTE, TRUE, FALSE, TRUE},
        {PAGE_EXECUTE_READ, TRUE, FALSE, TRUE}, {PAGE_EXECUTE_READWRITE, TRUE, TRUE, TRUE},
    };
    static const ULONG wrong[] = {0, PAGE_WRITECOPY, PAGE_EXECUTE_WRITECOPY, PAGE_READWRITE | PAGE_GUARD, 0x12345};
    PUCHAR pool = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, KT_TAG), va;
    PMDL mdl = KtAllocatePages(Run, 2 * PAGE_SIZE), other;

    KT_COVERS("MmProtectMdlSystemAddress", "STATUS_NOT_MAPPED_VIEW for an MDL without a kernel view, and for nonpaged "
              "pool, whose address is not a view", "DDI; the pool's case is ours");
    CHECK_STATUS(MmProtectMdlSystemAddress(mdl, PAGE_READONLY), STATUS_NOT_MAPPED_VIEW);
    other = IoAllocateMdl(pool, PAGE_SIZE, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(other);
    CHECK_STATUS(MmProtectMdlSystemAddress(other, PAGE_READONLY), STATUS_NOT_MAPPED_VIEW);
    IoFreeMdl(other);
    ExFreePoolWithTag(pool, KT_TAG);

    KT_COVERS("MmProtectMdlSystemAddress", "each of the six protections reaches the entries of all pages; the "
              "contents survive PAGE_NOACCESS; others give STATUS_INVALID_PAGE_PROTECTION and change nothing", "DDI");
    va = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    CHECK(va != NULL);
    KtFill(va, 2 * PAGE_SIZE, 4);
    for (ULONG i = 0; i < RTL_NUMBER_OF(cases); i++)
    {
        CHECK_STATUS(MmProtectMdlSystemAddress(mdl, cases[i].Protect), STATUS_SUCCESS);
        for (ULONG page = 0; page < 2; page++)
        {
            ULONG64 entry = KtEntry(va + page * PAGE_SIZE);
            CHECK_EQUAL(entry & KT_PTE_VALID, cases[i].Valid);
            CHECK_EQUAL(cases[i].Valid && (entry & KT_PTE_WRITE) != 0, cases[i].Write);
            CHECK_EQUAL(cases[i].Valid && (entry & KT_PTE_NX) == 0, cases[i].Execute);
        }
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(wrong); i++)
    {
        CHECK_STATUS(MmProtectMdlSystemAddress(mdl, wrong[i]), STATUS_INVALID_PAGE_PROTECTION);
    }
    CHECK_EQUAL(KtMismatches(va, 2 * PAGE_SIZE, 4), 0);
    CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA);
    KtFreePages(mdl);
}

typedef struct _SYSTEM_VIEW
{
    PMDL Mdl;
    PVOID Program; /* memory of the program, which is none of the System process's */
    NTSTATUS Map, Lock;
} SYSTEM_VIEW;

static VOID NTAPI MapInSystem(PVOID Context)
{
    SYSTEM_VIEW *view = Context;
    PMDL mdl = IoAllocateMdl(view->Program, PAGE_SIZE, FALSE, FALSE, NULL);
    PUCHAR va = KtMapUser(view->Mdl, NULL, NormalPagePriority, &view->Map);

    if (va != NULL)
    {
        MmUnmapLockedPages(va, view->Mdl);
    }
    view->Lock = KtLock(mdl, KernelMode, IoReadAccess);
    if (NT_SUCCESS(view->Lock))
    {
        MmUnlockPages(mdl);
    }
    IoFreeMdl(mdl);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestSystemProcess(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, PAGE_SIZE, PAGE_READWRITE);
    SYSTEM_VIEW view = {.Mdl = KtAllocatePages(Run, 2 * PAGE_SIZE), .Program = base};

    if (base == NULL || view.Mdl == NULL)
    {
        return;
    }
    KT_COVERS("MmMapLockedPagesSpecifyCache, MmProbeAndLockPages", "in a thread of the System process, which has no "
              "user space here, a user view raises STATUS_PROCESS_IS_TERMINATING and a program's address "
              "STATUS_ACCESS_VIOLATION", "ours for the view; DDI for the lock: the current process");
    KtJoin(KtStart(Run, MapInSystem, &view));
    KtSay(Run, "in the System process: map 0x%08lX, lock 0x%08lX", view.Map, view.Lock);
    CHECK_STATUS(view.Map, STATUS_PROCESS_IS_TERMINATING);
    CHECK_EQUAL(KtState(view.Mdl), MDL_PAGES_LOCKED);
    CHECK_STATUS(view.Lock, STATUS_ACCESS_VIOLATION);
    KtFreePages(view.Mdl);
    KtUserFree(base);
}

static VOID TestContents(KTEST_RUN *Run)
{
    PMDL mdl = IoAllocateMdl((PVOID)0x10000, 100, FALSE, FALSE, NULL);

    KT_COVERS("MmMdlPageContentsState", "sets, clears and tells MDL_PAGE_CONTENTS_INVARIANT (0x4000); returns the "
              "state before", "DDI MmMdlPageContentsState");
    CHECK_EQUAL(MmMdlPageContentsState(mdl, MmMdlPageContentsQuery), MmMdlPageContentsDynamic);
    CHECK_EQUAL(MmMdlPageContentsState(mdl, MmMdlPageContentsInvariant), MmMdlPageContentsDynamic);
    CHECK_EQUAL(KtState(mdl), 0x4000);
    CHECK_EQUAL(MmMdlPageContentsState(mdl, MmMdlPageContentsQuery), MmMdlPageContentsInvariant);
    CHECK_EQUAL(MmMdlPageContentsState(mdl, MmMdlPageContentsDynamic), MmMdlPageContentsInvariant);
    CHECK_EQUAL(KtState(mdl), 0);
    IoFreeMdl(mdl);
}

VOID KtGroup_mdl_map(KTEST_RUN *Run)
{
    TestKernelViewBits(Run);
    TestUserViewBits(Run);
    TestCacheTypes(Run);
    TestObsolete(Run);
    TestMapMdl(Run);
    TestProtect(Run);
    TestContents(Run);
    TestSystemProcess(Run);
}
