/* SPDX-License-Identifier: MIT */
/* The kernel allocates, a process maps: nonpaged pool, paged pool, pages; protections, wanted addresses, unmapping. */
#include "ktlib.h"

static VOID CheckView(KTEST_RUN *Run, PCSTR What, PMDL Mdl, PUCHAR Kernel, PUCHAR User, SIZE_T Size)
{
    CHECK(User != NULL);
    if (User == NULL)
    {
        return;
    }
    KtSay(Run, "%s: kernel %p PFN 0x%I64X, user %p PFN 0x%I64X, MDL flags 0x%04lX", What, Kernel,
          (ULONG64)KtPfn(Kernel), User, (ULONG64)KtPfn(User), KtFlags(Mdl));
    CHECK(User < (PUCHAR)MmHighestUserAddress);
    CHECK_EQUAL(BYTE_OFFSET(User), BYTE_OFFSET(Kernel));
    for (SIZE_T i = 0; i < Size; i += PAGE_SIZE)
    {
        CHECK_EQUAL(KtPfn(Kernel + i), KtPfn(User + i));
    }
    KtFill(Kernel, Size, (ULONG)Size);
    CHECK_EQUAL(KtMismatches(User, Size, (ULONG)Size), 0);
    KtFill(User, Size, (ULONG)Size + 1);
    CHECK_EQUAL(KtMismatches(Kernel, Size, (ULONG)Size + 1), 0);
}

static VOID TestNonPagedPool(KTEST_RUN *Run, SIZE_T Size)
{
    PUCHAR pool = ExAllocatePoolWithTag(NonPagedPoolNx, Size, KT_TAG), user;
    PMDL mdl = IoAllocateMdl(pool, (ULONG)Size, FALSE, FALSE, NULL);
    NTSTATUS status;

    CHECK(pool != NULL && mdl != NULL);
    if (pool == NULL || mdl == NULL)
    {
        return;
    }
    MmBuildMdlForNonPagedPool(mdl);
    CHECK_EQUAL(KtFlags(mdl) & ~MDL_ALLOCATED_FIXED_SIZE, MDL_SOURCE_IS_NONPAGED_POOL);
    CHECK(mdl->MappedSystemVa == pool);
    CHECK(mdl->Process == NULL);
    CHECK(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == pool);
    KT_COVERS("MmMapLockedPagesSpecifyCache, MmUnmapLockedPages", "nonpaged pool mapped into a process: the same "
              "PFNs, no flag set; the address is gone after the unmap", "DDI");
    user = KtMapUser(mdl, NULL, NormalPagePriority, &status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    CheckView(Run, "nonpaged pool", mdl, pool, user, Size);
    if (user != NULL)
    {
        /* a user view sets no flag */
        CHECK_EQUAL(KtFlags(mdl) & ~MDL_ALLOCATED_FIXED_SIZE, MDL_SOURCE_IS_NONPAGED_POOL);
        MmUnmapLockedPages(user, mdl);
        CHECK_STATUS(KT_RAISED(*(volatile UCHAR *)user), STATUS_ACCESS_VIOLATION);
    }
    IoFreeMdl(mdl);
    ExFreePoolWithTag(pool, KT_TAG);
}

static VOID TestPagedPool(KTEST_RUN *Run)
{
    PUCHAR pool = ExAllocatePoolWithTag(PagedPool, 3 * PAGE_SIZE, KT_TAG), user;
    PMDL mdl = IoAllocateMdl(pool, 3 * PAGE_SIZE, FALSE, FALSE, NULL);
    NTSTATUS status;

    CHECK(pool != NULL && mdl != NULL);
    if (pool == NULL || mdl == NULL)
    {
        return;
    }
    KT_COVERS("MmProbeAndLockPages, MmMapLockedPagesSpecifyCache", "paged pool locked with KernelMode, Process NULL, "
              "and mapped into a process", "DDI");
    CHECK_STATUS(KtLock(mdl, KernelMode, IoWriteAccess), STATUS_SUCCESS);
    CHECK_EQUAL(KtFlags(mdl) & ~MDL_ALLOCATED_FIXED_SIZE, MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
    CHECK(mdl->Process == NULL);
    user = KtMapUser(mdl, NULL, NormalPagePriority, &status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    CheckView(Run, "paged pool", mdl, pool, user, 3 * PAGE_SIZE);
    if (user != NULL)
    {
        MmUnmapLockedPages(user, mdl);
    }
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    ExFreePoolWithTag(pool, KT_TAG);
}

static PMDL AllocatePages(SIZE_T Size)
{
    PHYSICAL_ADDRESS low = {.QuadPart = 0}, high = {.QuadPart = MAXLONGLONG}, skip = {.QuadPart = 0};
    return MmAllocatePagesForMdlEx(low, high, skip, Size, MmCached, MM_ALLOCATE_FULLY_REQUIRED);
}

static VOID FreePages(PMDL Mdl)
{
    MmFreePagesFromMdl(Mdl);
    ExFreePool(Mdl);
}

static VOID TestPages(KTEST_RUN *Run)
{
    PMDL mdl = AllocatePages(5 * PAGE_SIZE);
    PUCHAR kernel, user, second;
    NTSTATUS status;

    CHECK(mdl != NULL);
    if (mdl == NULL)
    {
        return;
    }
    CHECK_EQUAL(KtFlags(mdl) & MDL_PAGES_LOCKED, MDL_PAGES_LOCKED);
    kernel = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    CHECK(kernel != NULL);
    user = KtMapUser(mdl, NULL, NormalPagePriority, &status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    second = KtMapUser(mdl, NULL, NormalPagePriority, &status); /* as many user views as wanted */
    CHECK_STATUS(status, STATUS_SUCCESS);
    if (kernel != NULL && user != NULL && second != NULL)
    {
        CHECK(KtAllBytes(user, 5 * PAGE_SIZE, 0));
        CheckView(Run, "pages", mdl, kernel, user, 5 * PAGE_SIZE);
        CHECK(second != user);
        CHECK_EQUAL(KtMismatches(second, 5 * PAGE_SIZE, 5 * PAGE_SIZE + 1), 0);
        MmUnmapLockedPages(user, mdl);
        CHECK_EQUAL(KtMismatches(second, 5 * PAGE_SIZE, 5 * PAGE_SIZE + 1), 0);
        MmUnmapLockedPages(second, mdl);
        MmUnmapLockedPages(kernel, mdl);
        CHECK_EQUAL(KtFlags(mdl) & MDL_MAPPED_TO_SYSTEM_VA, 0);
    }
    FreePages(mdl);
}

/* A read-only view stays read-only, whatever the program tries; the other view of the same pages is not affected. */
static VOID TestReadOnly(KTEST_RUN *Run)
{
    PMDL mdl = AllocatePages(2 * PAGE_SIZE);
    PUCHAR writable, readable;
    NTSTATUS status;
    ULONG old;
    PVOID base;
    SIZE_T size;

    CHECK(mdl != NULL);
    if (mdl == NULL)
    {
        return;
    }
    writable = KtMapUser(mdl, NULL, NormalPagePriority, &status);
    readable = KtMapUser(mdl, NULL, NormalPagePriority | MdlMappingNoWrite, &status);
    CHECK(writable != NULL && readable != NULL);
    if (writable != NULL && readable != NULL)
    {
    KT_COVERS("MmMapLockedPagesSpecifyCache", "the program can neither make a read-only view writable nor free a "
              "view; another view of the same pages is not affected", "DDI");
        writable[5] = 0x77;
        CHECK_EQUAL(*(volatile UCHAR *)(readable + 5), 0x77);
        CHECK_STATUS(KT_RAISED(*(volatile UCHAR *)(readable + 5) = 1), STATUS_ACCESS_VIOLATION);
        CHECK_EQUAL(*(volatile UCHAR *)(readable + 5), 0x77);

        base = readable;
        size = PAGE_SIZE;
        status = ZwProtectVirtualMemory(NtCurrentProcess(), &base, &size, PAGE_READWRITE, &old);
        KtSay(Run, "making a read-only view writable from user mode: status 0x%08lX", status);
        CHECK(!NT_SUCCESS(status));
        CHECK_STATUS(KT_RAISED(*(volatile UCHAR *)(readable + 5) = 1), STATUS_ACCESS_VIOLATION);
        base = readable;
        size = 0;
        status = ZwFreeVirtualMemory(NtCurrentProcess(), &base, &size, MEM_RELEASE);
        CHECK(!NT_SUCCESS(status)); /* nor can the program free a view */
        CHECK_STATUS(KT_RAISED(*(volatile UCHAR *)(readable + 5)), STATUS_SUCCESS);
        writable[6] = 0x78;
        CHECK_EQUAL(*(volatile UCHAR *)(readable + 6), 0x78);
        MmUnmapLockedPages(writable, mdl);
        MmUnmapLockedPages(readable, mdl);
    }
    FreePages(mdl);
}

static VOID TestWantedAddress(KTEST_RUN *Run)
{
    PMDL mdl = AllocatePages(4 * PAGE_SIZE);
    PUCHAR reserved = KtUserAllocate(Run, 16 * PAGE_SIZE, PAGE_READWRITE), user;
    NTSTATUS status;

    CHECK(mdl != NULL);
    if (mdl == NULL || reserved == NULL)
    {
        return;
    }
    CHECK(KtMapUser(mdl, reserved, NormalPagePriority, &status) == NULL);
    CHECK_STATUS(status, STATUS_CONFLICTING_ADDRESSES);
    CHECK(KtMapUser(mdl, reserved + 12 * PAGE_SIZE, NormalPagePriority, &status) == NULL);
    CHECK_STATUS(status, STATUS_CONFLICTING_ADDRESSES);
    KtUserFree(reserved);
    user = KtMapUser(mdl, reserved, NormalPagePriority, &status);
    KtSay(Run, "wanted %p, got %p, status 0x%08lX", reserved, user, status);
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK(user == reserved);
    if (user != NULL)
    {
        MmUnmapLockedPages(user, mdl);
    }
    CHECK(KtMapUser(mdl, reserved + 1, NormalPagePriority, &status) == NULL);
    CHECK_STATUS(status, STATUS_INVALID_ADDRESS);
    CHECK(KtMapUser(mdl, (PVOID)0x7FFFFFFF0000, NormalPagePriority, &status) == NULL);
    CHECK(!NT_SUCCESS(status));
    CHECK(KtMapUser(mdl, (PVOID)0xFFFFF80000000000, NormalPagePriority, &status) == NULL);
    CHECK(!NT_SUCCESS(status));
    FreePages(mdl);
}

/* What the program can find out about a view. */
static VOID TestQuery(KTEST_RUN *Run)
{
    PMDL mdl = AllocatePages(3 * PAGE_SIZE);
    MEMORY_BASIC_INFORMATION information = {0};
    NTSTATUS status;
    SIZE_T length;
    PUCHAR user;

    CHECK(mdl != NULL);
    if (mdl == NULL)
    {
        return;
    }
    user = KtMapUser(mdl, NULL, NormalPagePriority | MdlMappingNoWrite, &status);
    CHECK(user != NULL);
    if (user != NULL)
    {
    KT_COVERS("MmMapLockedPagesSpecifyCache", "a view is committed memory of its size and protection to whoever asks",
              "ours");
        CHECK_STATUS(ZwQueryVirtualMemory(NtCurrentProcess(), user, KT_MEMORY_BASIC_INFORMATION, &information,
                                          sizeof(information), &length),
                     STATUS_SUCCESS);
        KtSay(Run, "query of a view: base %p size 0x%I64X state 0x%lX protect 0x%lX", information.BaseAddress,
              (ULONG64)information.RegionSize, information.State, information.Protect);
        CHECK(information.BaseAddress == user);
        CHECK_EQUAL(information.RegionSize, 3 * PAGE_SIZE);
        CHECK_EQUAL(information.State, MEM_COMMIT);
        CHECK_EQUAL(information.Protect, PAGE_READONLY);
        MmUnmapLockedPages(user, mdl);
    }
    FreePages(mdl);
}

VOID KtGroup_mdl_kernel(KTEST_RUN *Run)
{
    TestNonPagedPool(Run, PAGE_SIZE);
    TestNonPagedPool(Run, 7 * PAGE_SIZE);
    TestNonPagedPool(Run, 64 * PAGE_SIZE);
    TestPagedPool(Run);
    TestPages(Run);
    TestReadOnly(Run);
    TestWantedAddress(Run);
    TestQuery(Run);
}
