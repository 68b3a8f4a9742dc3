/* SPDX-License-Identifier: MIT */
/*
 * What a lock does with pages that are not plain: protected, guarded, copied on write, of sections, without an address
 * any more; in other processes; one by one.
 */
#include "mdllib.h"

static PMDL Describe(KTEST_RUN *Run, PVOID Va, ULONG Size)
{
    PMDL mdl = IoAllocateMdl(Va, Size, FALSE, FALSE, NULL);

    CHECK(mdl != NULL);
    return mdl;
}

/* Locks, and says what it raised; nothing stays locked. */
static NTSTATUS Try(KTEST_RUN *Run, PVOID Va, ULONG Size, LOCK_OPERATION Operation)
{
    PMDL mdl = Describe(Run, Va, Size);
    NTSTATUS status;
    ULONG before;

    if (mdl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    before = KtFlags(mdl);
    status = KtLock(mdl, UserMode, Operation);
    if (NT_SUCCESS(status))
    {
        MmUnlockPages(mdl);
    }
    else
    {
        CHECK_EQUAL(KtFlags(mdl), before); /* a refused lock leaves no trace in the flags */
        CHECK_EQUAL(KtLockedPages(PAGE_ALIGN(Va), KtPages(mdl)), 0); /* nor in the pages before the one refused */
    }
    IoFreeMdl(mdl);
    return status;
}

static VOID TestProtections(KTEST_RUN *Run)
{
    static const struct
    {
        ULONG Protect;
        NTSTATUS Read, Write;
    } cases[] = {
        {PAGE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS},
        {PAGE_READONLY, STATUS_SUCCESS, STATUS_ACCESS_VIOLATION},
        {PAGE_NOACCESS, STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION},
        {PAGE_EXECUTE_READ, STATUS_SUCCESS, STATUS_ACCESS_VIOLATION},
        {PAGE_EXECUTE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS},
    };
    PUCHAR base = KtUserAllocate(Run, 3 * PAGE_SIZE, PAGE_READWRITE);

    KT_COVERS("MmProbeAndLockPages", "raises STATUS_ACCESS_VIOLATION where the page's protection forbids the "
              "operation; IoModifyAccess asks for what IoWriteAccess does; the flags stay as they were", "DDI");
    for (ULONG i = 0; base != NULL && i < RTL_NUMBER_OF(cases); i++)
    {
        CHECK_STATUS(KtUserProtect(base + PAGE_SIZE, PAGE_SIZE, cases[i].Protect), STATUS_SUCCESS);
        KtSay(Run, "protection 0x%02lX: read 0x%08lX, write 0x%08lX", cases[i].Protect,
              Try(Run, base, 3 * PAGE_SIZE, IoReadAccess), Try(Run, base, 3 * PAGE_SIZE, IoWriteAccess));
        CHECK_STATUS(Try(Run, base, 3 * PAGE_SIZE, IoReadAccess), cases[i].Read);
        CHECK_STATUS(Try(Run, base, 3 * PAGE_SIZE, IoWriteAccess), cases[i].Write);
        CHECK_STATUS(Try(Run, base, 3 * PAGE_SIZE, IoModifyAccess), cases[i].Write);
        /* From KernelMode the same: the mode decides which addresses, not what their pages allow. */
        PMDL mdl = Describe(Run, base, 3 * PAGE_SIZE);
        NTSTATUS status = KtLock(mdl, KernelMode, IoWriteAccess);
        CHECK_STATUS(status, cases[i].Write);
        if (NT_SUCCESS(status))
        {
            MmUnlockPages(mdl);
        }
        IoFreeMdl(mdl);
    }
    KtUserFree(base);

    KT_COVERS("MmProbeAndLockPages", "a guard page raises STATUS_GUARD_PAGE_VIOLATION once, as a touch would: the "
              "guard is gone afterwards", "ours, after what a touch of the page does");
    base = KtUserAllocate(Run, PAGE_SIZE, PAGE_READWRITE | PAGE_GUARD);
    if (base != NULL)
    {
        CHECK_STATUS(Try(Run, base, 10, IoReadAccess), STATUS_GUARD_PAGE_VIOLATION);
        CHECK_STATUS(Try(Run, base, 10, IoReadAccess), STATUS_SUCCESS);
    }
    KtUserFree(base);
}

/* Ranges that begin, end or wrap where no buffer may. */
static VOID TestRanges(KTEST_RUN *Run)
{
    PUCHAR top = (PUCHAR)MmHighestUserAddress + 1 - PAGE_SIZE; /* the last page that could be a program's */
    PMDL mdl;

    KT_COVERS("MmProbeAndLockPages", "ranges past user space, across its end, or around the address space raise "
              "STATUS_ACCESS_VIOLATION in UserMode; kernel addresses do in UserMode only", "DDI");
    CHECK_STATUS(Try(Run, top, PAGE_SIZE + 1, IoReadAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(Try(Run, top + PAGE_SIZE, 1, IoReadAccess), STATUS_ACCESS_VIOLATION); /* the last 64 KB */
    CHECK_STATUS(Try(Run, (PVOID)0xFFFFFFFFFFFFF800, PAGE_SIZE, IoReadAccess), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(Try(Run, (PVOID)0x0000800000000000, 1, IoReadAccess), STATUS_ACCESS_VIOLATION); /* not canonical */
    CHECK_STATUS(Try(Run, &top, 1, IoReadAccess), STATUS_ACCESS_VIOLATION);                        /* our stack */

    KT_COVERS("MmProbeAndLockPages", "an MDL of no bytes raises STATUS_INVALID_PARAMETER", "ours");
    mdl = Describe(Run, top, 0);
    CHECK_EQUAL(mdl->ByteCount, 0);
    CHECK_STATUS(KtLock(mdl, UserMode, IoReadAccess), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(KtState(mdl), 0);
    IoFreeMdl(mdl);
}

/* A section's view: shared pages are locked where they are; copy-on-write ones are copied by a lock for writing. */
static VOID TestSections(KTEST_RUN *Run)
{
    LARGE_INTEGER size = {.QuadPart = 4 * PAGE_SIZE};
    PUCHAR shared = NULL, copy = NULL;
    HANDLE section = NULL;
    SIZE_T length = 0;
    PMDL mdl;

    CHECK_STATUS(ZwCreateSection(&section, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(ZwMapViewOfSection(section, NtCurrentProcess(), (PVOID *)&shared, 0, 0, NULL, &length, ViewUnmap, 0,
                                    PAGE_READWRITE),
                 STATUS_SUCCESS);
    length = 0;
    CHECK_STATUS(ZwMapViewOfSection(section, NtCurrentProcess(), (PVOID *)&copy, 0, 0, NULL, &length, ViewUnmap, 0,
                                    PAGE_WRITECOPY),
                 STATUS_SUCCESS);
    if (shared == NULL || copy == NULL)
    {
        return;
    }
    KtFill(shared, 4 * PAGE_SIZE, 40);

    KT_COVERS("MmProbeAndLockPages", "pages of a section are locked where they are; a copy-on-write page locked for "
              "reading is the shared one, locked for writing it becomes the process's own first",
              "DDI MmProbeAndLockPages (permits the operation), Windows' rule for copy-on-write pages");
    mdl = Describe(Run, copy, 2 * PAGE_SIZE);
    CHECK_STATUS(KtLock(mdl, UserMode, IoReadAccess), STATUS_SUCCESS);
    CHECK_EQUAL(MmGetMdlPfnArray(mdl)[0], KtPfn(shared));
    MmUnlockPages(mdl);
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    KtSay(Run, "copy-on-write: shared PFN 0x%I64X, locked for writing PFN 0x%I64X", (ULONG64)KtPfn(shared),
          (ULONG64)MmGetMdlPfnArray(mdl)[0]);
    CHECK(MmGetMdlPfnArray(mdl)[0] != KtPfn(shared));
    CHECK_EQUAL(MmGetMdlPfnArray(mdl)[0], KtPfn(copy));
    PUCHAR system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    CHECK(system != NULL);
    if (system != NULL)
    {
        CHECK_EQUAL(KtMismatches(system, 2 * PAGE_SIZE, 40), 0); /* copied */
        RtlFillMemory(system, 2 * PAGE_SIZE, 0x11);
        CHECK(KtAllBytes(copy, 2 * PAGE_SIZE, 0x11));
    }
    CHECK_EQUAL(KtMismatches(shared, 4 * PAGE_SIZE, 40), 0); /* and the section's pages are as they were */
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);

    KT_COVERS("MmProbeAndLockPages", "the lock outlives the view, and the section's pages with it", "DDI");
    mdl = Describe(Run, shared + 100, 3 * PAGE_SIZE);
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    CHECK_STATUS(ZwUnmapViewOfSection(NtCurrentProcess(), shared), STATUS_SUCCESS);
    CHECK_STATUS(ZwUnmapViewOfSection(NtCurrentProcess(), copy), STATUS_SUCCESS);
    CHECK_STATUS(ZwClose(section), STATUS_SUCCESS);
    CHECK(system != NULL);
    if (system != NULL)
    {
        CHECK_EQUAL(system[0], ((UCHAR)(100 * 31 + 40 * 0x9D))); /* KtFill's byte at 100 */
        RtlFillMemory(system, 3 * PAGE_SIZE, 0x22);
        CHECK(KtAllBytes(system, 3 * PAGE_SIZE, 0x22));
    }
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
}

/* Two allocations side by side: one MDL over both; and what one of them does later. */
static VOID TestAcrossAllocations(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, 128 * 1024, PAGE_READWRITE), system;
    PVOID first = base, second = base + 64 * 1024;
    SIZE_T size = 64 * 1024;
    PMDL mdl;

    KtUserFree(base); /* now there is room for two, at known places */
    CHECK_STATUS(
        ZwAllocateVirtualMemory(NtCurrentProcess(), &first, 0, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE),
        STATUS_SUCCESS);
    CHECK_STATUS(
        ZwAllocateVirtualMemory(NtCurrentProcess(), &second, 0, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE),
        STATUS_SUCCESS);
    CHECK(first == base && second == base + 64 * 1024);

    KT_COVERS("MmProbeAndLockPages", "one lock may span two allocations; freeing or protecting one of them afterwards "
              "takes the address, not the pages", "DDI: no guarantee about the address, the pages stay");
    mdl = Describe(Run, base + 64 * 1024 - 2 * PAGE_SIZE, 4 * PAGE_SIZE);
    KtFill(base + 64 * 1024 - 2 * PAGE_SIZE, 4 * PAGE_SIZE, 90);
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
    KtUserFree(first);
    CHECK_STATUS(KtUserProtect(second, PAGE_SIZE, PAGE_NOACCESS), STATUS_SUCCESS);
    system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    CHECK(system != NULL);
    if (system != NULL)
    {
        CHECK_EQUAL(KtMismatches(system, 4 * PAGE_SIZE, 90), 0);
        KtFill(system, 4 * PAGE_SIZE, 91);
    }
    CHECK_STATUS(KtUserProtect(second, PAGE_SIZE, PAGE_READWRITE), STATUS_SUCCESS);
    MmUnlockPages(mdl);
    CHECK_EQUAL(KtState(mdl), MDL_WRITE_OPERATION & KtState(mdl)); /* neither locked nor mapped */
    IoFreeMdl(mdl);
    KtUserFree(second);
}

/* The same page in several MDLs, more often than a test of the limit would be quick. */
static VOID TestManyLocks(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, PAGE_SIZE, PAGE_READWRITE);
    PMDL mdls[64];
    ULONG differ = 0;

    if (base == NULL)
    {
        return;
    }
    KT_COVERS("MmProbeAndLockPages, MmUnlockPages", "a page locked through several MDLs is unlocked with the last",
              "DDI");
    for (ULONG i = 0; i < RTL_NUMBER_OF(mdls); i++)
    {
        mdls[i] = Describe(Run, base + i, 100);
        CHECK_STATUS(KtLock(mdls[i], UserMode, IoReadAccess), STATUS_SUCCESS);
        differ += MmGetMdlPfnArray(mdls[i])[0] != MmGetMdlPfnArray(mdls[0])[0];
    }
    CHECK_EQUAL(differ, 0);
    base[RTL_NUMBER_OF(mdls) - 1 + 10] = 7;
    KtUserFree(base);
    for (ULONG i = 0; i < RTL_NUMBER_OF(mdls); i++)
    {
        if (i == RTL_NUMBER_OF(mdls) - 1)
        {
            PUCHAR system = MmGetSystemAddressForMdlSafe(mdls[i], NormalPagePriority);
            CHECK(system != NULL && system[10] == 7); /* the page is what it was, by the last lock alone */
        }
        MmUnlockPages(mdls[i]);
        IoFreeMdl(mdls[i]);
    }
}

typedef struct _OTHER
{
    PEPROCESS Process;
    PMDL Mdl;
    NTSTATUS Good, Bad;
    BOOLEAN Attached;
} OTHER;

static VOID NTAPI LockThere(PVOID Context)
{
    OTHER *other = Context;
    NTSTATUS status;
    PMDL bad = IoAllocateMdl((PVOID)0x10, 1, FALSE, FALSE, NULL);

    status = KT_RAISED(MmProbeAndLockProcessPages(other->Mdl, other->Process, UserMode, IoWriteAccess));
    other->Good = status;
    status = KT_RAISED(MmProbeAndLockProcessPages(bad, other->Process, UserMode, IoWriteAccess));
    other->Bad = status;
    other->Attached = PsGetCurrentProcess() != PsInitialSystemProcess;
    IoFreeMdl(bad);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestOtherProcess(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, 3 * PAGE_SIZE, PAGE_READWRITE), system;
    OTHER other = {.Process = PsGetCurrentProcess(), .Mdl = Describe(Run, base + 7, 2 * PAGE_SIZE), .Attached = TRUE};

    KT_COVERS("MmProbeAndLockProcessPages", "a thread of another process locks the range of the given process; "
              "Process, flags and PFNs are those of a lock there, and the thread is not attached afterwards, also "
              "when it raised", "DDI MmProbeAndLockProcessPages");
    KtFill(base, 3 * PAGE_SIZE, 33);
    KtJoin(KtStart(Run, LockThere, &other));
    CHECK_STATUS(other.Good, STATUS_SUCCESS);
    CHECK_STATUS(other.Bad, STATUS_ACCESS_VIOLATION);
    CHECK(!other.Attached);
    if (NT_SUCCESS(other.Good))
    {
        CHECK(other.Mdl->Process == other.Process);
        CHECK_EQUAL(KtState(other.Mdl), MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
        CHECK_EQUAL(MmGetMdlPfnArray(other.Mdl)[1], KtPfn(base + PAGE_SIZE));
        system = MmGetSystemAddressForMdlSafe(other.Mdl, NormalPagePriority);
        CHECK(system != NULL && memcmp(system, base + 7, 2 * PAGE_SIZE) == 0);
        KtSayMdl(Run, "locked by a system thread", other.Mdl);
        MmUnlockPages(other.Mdl);
    }
    IoFreeMdl(other.Mdl);
    KtUserFree(base);
}

static VOID TestSelectedPages(KTEST_RUN *Run)
{
    static const UCHAR order[] = {5, 0, 5, 3};
    PUCHAR base = KtUserAllocate(Run, 6 * PAGE_SIZE, PAGE_READWRITE), system;
    FILE_SEGMENT_ELEMENT segments[RTL_NUMBER_OF(order) + 1] = {0};
    PMDL mdl = Describe(Run, base, sizeof(order) * PAGE_SIZE);
    NTSTATUS status;

    for (ULONG i = 0; i < RTL_NUMBER_OF(order); i++)
    {
        segments[i].Buffer = (PVOID64)(base + order[i] * PAGE_SIZE);
    }
    for (ULONG i = 0; i < 6; i++)
    {
        RtlFillMemory(base + i * PAGE_SIZE, PAGE_SIZE, i + 1);
    }
    KT_COVERS("MmProbeAndLockSelectedPages", "one page per element of the array, in its order, the same page twice if "
              "asked; the MDL maps them as one buffer", "DDI MmProbeAndLockSelectedPages, ReadFileScatter");
    status = KT_RAISED(MmProbeAndLockSelectedPages(mdl, segments, UserMode, IoWriteAccess));
    CHECK_STATUS(status, STATUS_SUCCESS);
    if (NT_SUCCESS(status))
    {
        CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
        CHECK(mdl->Process == PsGetCurrentProcess());
        system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
        CHECK(system != NULL);
        for (ULONG i = 0; system != NULL && i < RTL_NUMBER_OF(order); i++)
        {
            CHECK_EQUAL(MmGetMdlPfnArray(mdl)[i], KtPfn(base + order[i] * PAGE_SIZE));
            CHECK(KtAllBytes(system + i * PAGE_SIZE, PAGE_SIZE, (UCHAR)(order[i] + 1)));
        }
        MmUnlockPages(mdl);
    }

    KT_COVERS("MmProbeAndLockSelectedPages", "if one page cannot be locked, it raises and none stays locked; an "
              "address that is not a page's raises STATUS_DATATYPE_MISALIGNMENT", "DDI; the second code is ours");
    CHECK_STATUS(KtUserProtect(base + 3 * PAGE_SIZE, PAGE_SIZE, PAGE_READONLY), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(MmProbeAndLockSelectedPages(mdl, segments, UserMode, IoWriteAccess)),
                 STATUS_ACCESS_VIOLATION);
    CHECK_EQUAL(KtState(mdl) & MDL_PAGES_LOCKED, 0);
    CHECK_EQUAL(KtLockedPages(base, 6), 0);
    segments[1].Buffer = (PVOID64)(base + 1);
    CHECK_STATUS(KT_RAISED(MmProbeAndLockSelectedPages(mdl, segments, UserMode, IoReadAccess)),
                 STATUS_DATATYPE_MISALIGNMENT);
    segments[1].Buffer = (PVOID64)MmSystemRangeStart;
    CHECK_STATUS(KT_RAISED(MmProbeAndLockSelectedPages(mdl, segments, UserMode, IoReadAccess)),
                 STATUS_ACCESS_VIOLATION);
    IoFreeMdl(mdl);
    KtUserFree(base);
}

/* Kernel memory: nonpaged at DISPATCH_LEVEL, paged below, read-only only for reading. */
static VOID TestKernelMemory(KTEST_RUN *Run)
{
    PUCHAR pool = ExAllocatePoolWithTag(NonPagedPoolNx, 2 * PAGE_SIZE, KT_TAG);
    PMDL mdl = Describe(Run, pool, 2 * PAGE_SIZE), code;
    NTSTATUS volatile raised = STATUS_UNSUCCESSFUL;
    KIRQL irql;

    KT_COVERS("MmProbeAndLockPages", "nonpageable kernel memory can be locked at DISPATCH_LEVEL; Process is NULL",
              "DDI");
    CHECK(pool != NULL);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    raised = KtLock(mdl, KernelMode, IoWriteAccess);
    KeLowerIrql(irql);
    CHECK_STATUS(raised, STATUS_SUCCESS);
    CHECK(mdl->Process == NULL);
    CHECK_EQUAL(KtState(mdl), MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
    CHECK_EQUAL(MmGetMdlPfnArray(mdl)[1], KtPfn(pool + PAGE_SIZE));
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    ExFreePoolWithTag(pool, KT_TAG);

    KT_COVERS("MmProbeAndLockPages", "a driver's own code can be locked for reading, and for writing raises "
              "STATUS_ACCESS_VIOLATION", "ours: code is not writable here, as with Windows' driver code protection");
    code = Describe(Run, (PVOID)(ULONG_PTR)TestKernelMemory, 64);
    CHECK_STATUS(KtLock(code, KernelMode, IoReadAccess), STATUS_SUCCESS);
    MmUnlockPages(code);
    CHECK_STATUS(KtLock(code, KernelMode, IoWriteAccess), STATUS_ACCESS_VIOLATION);
    IoFreeMdl(code);
}

VOID KtGroup_mdl_lock(KTEST_RUN *Run)
{
    TestProtections(Run);
    TestRanges(Run);
    TestSections(Run);
    TestAcrossAllocations(Run);
    TestManyLocks(Run);
    TestOtherProcess(Run);
    TestSelectedPages(Run);
    TestKernelMemory(Run);
}
