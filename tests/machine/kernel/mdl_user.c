/* SPDX-License-Identifier: MIT */
/*
 * A process allocates, the kernel maps: IoAllocateMdl, MmProbeAndLockPages, MmGetSystemAddressForMdlSafe,
 * MmUnlockPages, IoFreeMdl, with the flags and fields of each step.
 */
#include "ktlib.h"

/* PFNs of the MDL that are not those behind the user's pages. */
static ULONG WrongPfns(PMDL Mdl, PVOID Va)
{
    ULONG pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(Va, Mdl->ByteCount);
    ULONG wrong = 0;

    for (ULONG i = 0; i < pages; i++)
    {
        wrong += MmGetMdlPfnArray(Mdl)[i] != KtPfn((PUCHAR)PAGE_ALIGN(Va) + i * PAGE_SIZE);
    }
    return wrong;
}

static ULONG WrongSystemPfns(PMDL Mdl, PVOID SystemVa)
{
    ULONG pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(SystemVa, Mdl->ByteCount);
    ULONG wrong = 0;

    for (ULONG i = 0; i < pages; i++)
    {
        wrong += MmGetMdlPfnArray(Mdl)[i] != KtPfn((PUCHAR)PAGE_ALIGN(SystemVa) + i * PAGE_SIZE);
    }
    return wrong;
}

static VOID ShareBytes(KTEST_RUN *Run, PUCHAR User, PUCHAR System, ULONG Size)
{
    KtFill(User, Size, Size);
    CHECK_EQUAL(KtMismatches(System, Size, Size), 0);
    KtFill(System, Size, ~Size);
    CHECK_EQUAL(KtMismatches(User, Size, ~Size), 0);
}

/* One buffer through all steps. */
static VOID TestSteps(KTEST_RUN *Run, PUCHAR Base, ULONG Offset, ULONG Size)
{
    PUCHAR va = Base + Offset, system;
    ULONG pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(va, Size);
    ULONG fixed = pages <= 23 ? MDL_ALLOCATED_FIXED_SIZE : 0;
    PMDL mdl = IoAllocateMdl(va, Size, FALSE, FALSE, NULL);

    KT_COVERS("IoAllocateMdl, MmGetMdlVirtualAddress, MmGetMdlByteCount, MmGetMdlByteOffset", "fields and flags "
              "before any lock, for buffers of one byte to 300 pages at any offset", "DDI IoAllocateMdl");
    CHECK(mdl != NULL);
    if (mdl == NULL)
    {
        return;
    }
    CHECK_EQUAL(KtFlags(mdl), fixed);
    CHECK(mdl->Next == NULL);
    CHECK(mdl->StartVa == PAGE_ALIGN(va));
    CHECK_EQUAL(mdl->ByteOffset, BYTE_OFFSET(va));
    CHECK_EQUAL(mdl->ByteCount, Size);
    CHECK_EQUAL((USHORT)mdl->Size, sizeof(MDL) + pages * sizeof(PFN_NUMBER));
    CHECK(MmGetMdlVirtualAddress(mdl) == va);
    CHECK_EQUAL(MmGetMdlByteCount(mdl), Size);
    CHECK_EQUAL(MmGetMdlByteOffset(mdl), BYTE_OFFSET(va));

    KT_COVERS("MmProbeAndLockPages, MmUnlockPages", "flags 0008, 000A after a lock for reading, 008A for writing, "
              "0008 after the unlock; Process is set, the PFNs are those behind the pages",
              "flags as debuggers show them on Windows");
    CHECK_STATUS(KtLock(mdl, UserMode, IoReadAccess), STATUS_SUCCESS);
    CHECK_EQUAL(KtFlags(mdl), fixed | MDL_PAGES_LOCKED);
    CHECK(mdl->Process == PsGetCurrentProcess());
    CHECK_EQUAL(WrongPfns(mdl, va), 0);
    MmUnlockPages(mdl);
    CHECK_EQUAL(KtFlags(mdl), fixed);

    CHECK_STATUS(KtLock(mdl, UserMode, IoModifyAccess), STATUS_SUCCESS);
    CHECK_EQUAL(KtFlags(mdl), fixed | MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
    CHECK_EQUAL(WrongPfns(mdl, va), 0);
    KT_COVERS("MmGetSystemAddressForMdlSafe, MmUnlockPages", "flag 0001 and MappedSystemVa with the byte offset; a "
              "second call gives the same address; both sides read what the other wrote; the unlock drops the "
              "mapping", "DDI MmGetSystemAddressForMdlSafe, MmUnlockPages");
    system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    CHECK(system != NULL);
    if (system != NULL)
    {
        CHECK_EQUAL(KtFlags(mdl), fixed | MDL_PAGES_LOCKED | MDL_WRITE_OPERATION | MDL_MAPPED_TO_SYSTEM_VA);
        CHECK(mdl->MappedSystemVa == system);
        CHECK(system > (PUCHAR)MmSystemRangeStart);
        CHECK_EQUAL(BYTE_OFFSET(system), BYTE_OFFSET(va));
        CHECK(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == system); /* maps once only */
        CHECK_EQUAL(WrongSystemPfns(mdl, system), 0);
        KtSayMdl(Run, "locked for write and mapped", mdl);
        KtSay(Run, "user %p and kernel %p share %lu pages, the first with PFN 0x%I64X", va, system, pages,
              (ULONG64)MmGetMdlPfnArray(mdl)[0]);
        ShareBytes(Run, va, system, Size);
    }
    MmUnlockPages(mdl); /* drops the mapping too */
    CHECK_EQUAL(KtFlags(mdl) & (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA), 0);
    IoFreeMdl(mdl);
}

static VOID TestShapes(KTEST_RUN *Run)
{
    static const struct
    {
        ULONG Offset, Size;
    } shapes[] = {
        {0, PAGE_SIZE},
        {0x10, 100},
        {0, 1},
        {PAGE_SIZE - 1, 1},
        {PAGE_SIZE - 1, 2},
        {0x123, 2 * PAGE_SIZE},
        {1, 22 * PAGE_SIZE},
        {0, 23 * PAGE_SIZE},
        {0, 24 * PAGE_SIZE},
        {0xFFF, 299 * PAGE_SIZE + 1},
        {0, 300 * PAGE_SIZE},
    };
    PUCHAR base = KtUserAllocate(Run, 304 * PAGE_SIZE, PAGE_READWRITE);

    for (ULONG i = 0; base != NULL && i < RTL_NUMBER_OF(shapes); i++)
    {
        TestSteps(Run, base, shapes[i].Offset, shapes[i].Size);
    }
    KtUserFree(base);
}

static NTSTATUS LockRange(PVOID Va, ULONG Size, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation)
{
    PMDL mdl = IoAllocateMdl(Va, Size, FALSE, FALSE, NULL);
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

    if (mdl != NULL)
    {
        status = KtLock(mdl, Mode, Operation);
        if (NT_SUCCESS(status))
        {
            MmUnlockPages(mdl);
        }
        else if (mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_WRITE_OPERATION | MDL_MAPPED_TO_SYSTEM_VA))
        {
            status = STATUS_INTERNAL_ERROR; /* a lock that failed must leave no trace in the flags */
        }
        IoFreeMdl(mdl);
    }
    return status;
}

static VOID TestRefusals(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, 4 * PAGE_SIZE, PAGE_READWRITE);
    PUCHAR volatile kernel = ExAllocatePoolWithTag(NonPagedPool, 100, KT_TAG);
    SIZE_T size = PAGE_SIZE;
    PVOID hole = base + 2 * PAGE_SIZE;

    if (base == NULL || kernel == NULL)
    {
        CHECK(kernel != NULL);
        return;
    }
    KtFill(base, 4 * PAGE_SIZE, 3);

    /* Read-only memory: reading is allowed, writing is not. */
    CHECK_STATUS(KtUserProtect(base, PAGE_SIZE, PAGE_READONLY), STATUS_SUCCESS);
    CHECK_STATUS(LockRange(base, PAGE_SIZE, UserMode, IoReadAccess), STATUS_SUCCESS);
    CHECK_STATUS(LockRange(base, PAGE_SIZE, UserMode, IoWriteAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(LockRange(base, PAGE_SIZE, UserMode, IoModifyAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(LockRange(base, 2 * PAGE_SIZE, UserMode, IoWriteAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(LockRange(base + PAGE_SIZE, PAGE_SIZE, UserMode, IoWriteAccess), STATUS_SUCCESS);
    CHECK_STATUS(KtUserProtect(base, PAGE_SIZE, PAGE_NOACCESS), STATUS_SUCCESS);
    CHECK_STATUS(LockRange(base, 1, UserMode, IoReadAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(KtUserProtect(base, PAGE_SIZE, PAGE_READWRITE), STATUS_SUCCESS);

    KT_COVERS("MmProbeAndLockPages", "a page missing in the middle, freed memory and the null pointer raise "
              "STATUS_ACCESS_VIOLATION, and none of the pages stays locked", "DDI MmProbeAndLockPages");
    /* A hole in the middle: nothing stays locked, so the memory may go. */
    CHECK_STATUS(ZwFreeVirtualMemory(NtCurrentProcess(), &hole, &size, MEM_DECOMMIT), STATUS_SUCCESS);
    CHECK_STATUS(LockRange(base, 4 * PAGE_SIZE, UserMode, IoReadAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(LockRange(base + 2 * PAGE_SIZE - 1, 2, UserMode, IoReadAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(LockRange(base, 2 * PAGE_SIZE, UserMode, IoReadAccess), STATUS_SUCCESS);

    /* Kernel addresses in UserMode, ranges that leave user space, ranges that wrap. */
    CHECK_STATUS(LockRange(kernel, 100, UserMode, IoReadAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(LockRange(kernel, 100, KernelMode, IoReadAccess), STATUS_SUCCESS);
    CHECK_STATUS(LockRange((PVOID)0x7FFFFFFEF000, 2 * PAGE_SIZE, UserMode, IoReadAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(LockRange((PVOID)0xFFFFFFFFFFFFF000, 2 * PAGE_SIZE, UserMode, IoReadAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(LockRange(NULL, PAGE_SIZE, UserMode, IoReadAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(LockRange(base, 0x10000000, UserMode, IoReadAccess), STATUS_ACCESS_VIOLATION);
    KtUserFree(base);
    CHECK_STATUS(LockRange(base, 1, UserMode, IoReadAccess), STATUS_ACCESS_VIOLATION); /* freed */
    KtSay(Run, "read-only, unmapped, decommitted, kernel and wrapping ranges were refused with 0x%08lX",
          STATUS_ACCESS_VIOLATION);
    ExFreePoolWithTag(kernel, KT_TAG);
}

/* The program frees its memory while the pages are locked: the address goes, the pages stay until the unlock. */
static VOID TestFreedWhileLocked(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, 8 * PAGE_SIZE, PAGE_READWRITE), system, other;
    ULONG reused = 0;
    PMDL mdl;

    if (base == NULL)
    {
        return;
    }
    KT_COVERS("MmProbeAndLockPages", "memory freed while it is locked: the address goes, the pages keep their bytes "
              "and nobody else gets them", "DDI: the pages stay locked, the address may go");
    mdl = IoAllocateMdl(base, 8 * PAGE_SIZE, FALSE, FALSE, NULL);
    KtFill(base, 8 * PAGE_SIZE, 77);
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    CHECK(system != NULL);
    KtUserFree(base);
    CHECK_STATUS(KT_RAISED(*(volatile UCHAR *)base), STATUS_ACCESS_VIOLATION);
    other = KtUserAllocate(Run, 64 * PAGE_SIZE, PAGE_READWRITE);
    if (system != NULL && other != NULL)
    {
        KtFill(other, 64 * PAGE_SIZE, 78);
        for (ULONG i = 0; i < 64; i++)
        {
            for (ULONG j = 0; j < 8; j++)
            {
                reused += KtPfn(other + i * PAGE_SIZE) == MmGetMdlPfnArray(mdl)[j];
            }
        }
        KtSay(Run, "freed while locked: %lu bytes changed, %lu of its pages used again",
              (ULONG)KtMismatches(system, 8 * PAGE_SIZE, 77), reused);
        CHECK_EQUAL(KtMismatches(system, 8 * PAGE_SIZE, 77), 0);
        CHECK_EQUAL(reused, 0);
        KtFill(system, 8 * PAGE_SIZE, 79);
        CHECK_EQUAL(KtMismatches(other, 64 * PAGE_SIZE, 78), 0);
    }
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    KtUserFree(other);
}

/* One page locked through two MDLs; a page never touched; protection taken away after the lock. */
static VOID TestSharedPage(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, 2 * PAGE_SIZE, PAGE_READWRITE), one, two;
    PMDL first, second;

    if (base == NULL)
    {
        return;
    }
    KT_COVERS("MmProbeAndLockPages, MmUnlockPages", "two MDLs over one page have one PFN and two views; either unlock "
              "leaves the other whole; making the memory read-only afterwards does not reach the views",
              "DDI MmProbeAndLockPages");
    first = IoAllocateMdl(base, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    second = IoAllocateMdl(base + 100, 50, FALSE, FALSE, NULL);
    CHECK_STATUS(KtLock(first, UserMode, IoWriteAccess), STATUS_SUCCESS); /* demand-zero pages come in by the lock */
    CHECK_STATUS(KtLock(second, UserMode, IoWriteAccess), STATUS_SUCCESS);
    CHECK_EQUAL(MmGetMdlPfnArray(first)[0], MmGetMdlPfnArray(second)[0]);
    one = MmGetSystemAddressForMdlSafe(first, NormalPagePriority);
    two = MmGetSystemAddressForMdlSafe(second, NormalPagePriority);
    CHECK(one != NULL && two != NULL && one != two - 100);
    CHECK(KtAllBytes(one, 2 * PAGE_SIZE, 0));
    CHECK_STATUS(KtUserProtect(base, 2 * PAGE_SIZE, PAGE_READONLY), STATUS_SUCCESS);
    two[7] = 0x5A;
    CHECK_EQUAL(one[107], 0x5A);
    CHECK_EQUAL(*(volatile UCHAR *)(base + 107), 0x5A);
    MmUnlockPages(first);
    two[8] = 0x5B; /* the second lock still holds the page and its own mapping */
    CHECK_EQUAL(*(volatile UCHAR *)(base + 108), 0x5B);
    MmUnlockPages(second);
    IoFreeMdl(first);
    IoFreeMdl(second);
    KtUserFree(base);
}

/* Locking moves at APC_LEVEL as well; unlocking is allowed at DISPATCH_LEVEL and in another process. */
static VOID TestLevels(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, 3 * PAGE_SIZE, PAGE_READWRITE);
    PMDL mdl = IoAllocateMdl(base, 3 * PAGE_SIZE, FALSE, FALSE, NULL);
    PUCHAR volatile system = NULL;
    KAPC_STATE state;
    KIRQL irql;

    KT_COVERS("MmProbeAndLockPages, MmUnlockPages", "locking at APC_LEVEL; mapping and unlocking at DISPATCH_LEVEL in "
              "another process", "DDI MmUnlockPages");
    KeRaiseIrql(APC_LEVEL, &irql);
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    KeLowerIrql(irql);
    KtFill(base, 3 * PAGE_SIZE, 9);
    KeStackAttachProcess((PKPROCESS)PsInitialSystemProcess, &state);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    system = MmGetSystemAddressForMdlSafe(mdl, HighPagePriority);
    CHECK(system != NULL);
    CHECK_EQUAL(KtMismatches(system, 3 * PAGE_SIZE, 9), 0); /* in the System process, at DISPATCH_LEVEL */
    KtFill(system, 3 * PAGE_SIZE, 10);
    MmUnlockPages(mdl);
    KeLowerIrql(irql);
    KeUnstackDetachProcess(&state);
    CHECK_EQUAL(KtMismatches(base, 3 * PAGE_SIZE, 10), 0);
    IoFreeMdl(mdl);
    KtUserFree(base);
}

static VOID TestSizesOfMdls(KTEST_RUN *Run)
{
    PMDL mdl;

    CHECK_EQUAL(sizeof(MDL), 0x30);
    CHECK_EQUAL(MmSizeOfMdl((PVOID)0x1000, PAGE_SIZE), 0x38);
    CHECK_EQUAL(MmSizeOfMdl((PVOID)0x1FFF, 2), 0x40);
    CHECK_EQUAL(ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)0x1FFF, 2), 2);
    CHECK(IoAllocateMdl((PVOID)0x10000, 0xFFFFF001, FALSE, FALSE, NULL) == NULL); /* above 4 GB - PAGE_SIZE */
    mdl = IoAllocateMdl((PVOID)0x10000, 64 * 1024 * 1024, FALSE, FALSE, NULL);
    CHECK(mdl != NULL);
    if (mdl != NULL)
    {
        CHECK_EQUAL(mdl->ByteCount, 64 * 1024 * 1024);
        IoFreeMdl(mdl);
    }
}

VOID KtGroup_mdl_user(KTEST_RUN *Run)
{
    TestSizesOfMdls(Run);
    TestShapes(Run);
    TestRefusals(Run);
    TestFreedWhileLocked(Run);
    TestSharedPage(Run);
    TestLevels(Run);
}
