/* SPDX-License-Identifier: MIT */
/* The MDL family's neighbours: MDLs as data, probes, secured ranges, translations, safe copies, routines by name. */
#include "mdllib.h"

static VOID TestData(KTEST_RUN *Run)
{
    ULONG64 room[16];
    PMDL mdl = (PMDL)room, made;

    KT_COVERS("MmInitializeMdl", "sets Next, Size, MdlFlags, StartVa, ByteOffset and ByteCount, and leaves the rest",
              "DDI MmInitializeMdl");
    RtlFillMemory(room, sizeof(room), 0xCC);
    MmInitializeMdl(mdl, (PVOID)0x12345678, 0x2000);
    CHECK(mdl->Next == NULL && mdl->StartVa == (PVOID)0x12345000);
    CHECK_EQUAL(mdl->Size, sizeof(MDL) + 3 * sizeof(PFN_NUMBER));
    CHECK_EQUAL(KtFlags(mdl), 0);
    CHECK_EQUAL(mdl->ByteOffset, 0x678);
    CHECK_EQUAL(mdl->ByteCount, 0x2000);
    CHECK_EQUAL((ULONG_PTR)mdl->Process, 0xCCCCCCCCCCCCCCCC);
    CHECK_EQUAL((ULONG_PTR)mdl->MappedSystemVa, 0xCCCCCCCCCCCCCCCC);
    CHECK_EQUAL(MmGetMdlPfnArray(mdl)[0], 0xCCCCCCCCCCCCCCCC);

    KT_COVERS("MmGetMdlVirtualAddress, MmGetMdlByteCount, MmGetMdlByteOffset, MmGetMdlPfnArray, "
              "ADDRESS_AND_SIZE_TO_SPAN_PAGES", "from the fields alone, at HIGH_LEVEL as well", "DDI");
    KIRQL irql;
    KeRaiseIrql(HIGH_LEVEL, &irql);
    BOOLEAN right = MmGetMdlVirtualAddress(mdl) == (PVOID)0x12345678 && MmGetMdlByteCount(mdl) == 0x2000 &&
                    MmGetMdlByteOffset(mdl) == 0x678 && MmGetMdlPfnArray(mdl) == (PPFN_NUMBER)(mdl + 1) &&
                    ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)0x12345678, (ULONG_PTR)0x2000) == 3;
    KeLowerIrql(irql);
    CHECK(right);
    CHECK_EQUAL(ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)0xFFF, (ULONG_PTR)1), 1);
    CHECK_EQUAL(ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)0xFFF, (ULONG_PTR)2), 2);
    CHECK_EQUAL(ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)0x1000, (ULONG_PTR)0), 0);

    KT_COVERS("MmSizeOfMdl", "the fixed part and one PFN per page touched; 0x30 and 8 bytes on x64", "DDI");
    CHECK_EQUAL(MmSizeOfMdl((PVOID)0x1000, 0), 0x30);
    CHECK_EQUAL(MmSizeOfMdl((PVOID)0x1FFF, 1), 0x38);
    CHECK_EQUAL(MmSizeOfMdl((PVOID)0x1FFF, 2), 0x40);
    CHECK_EQUAL(MmSizeOfMdl((PVOID)0x1000, 0xFFFFF000), 0x30 + 8 * 0xFFFFFULL);

    KT_COVERS("MmCreateMdl", "initialises the MDL given, or one from nonpaged pool that ExFreePool frees; NULL past 4 "
              "GB - PAGE_SIZE", "DDI MmCreateMdl; NULL for the size is ours");
    CHECK(MmCreateMdl(mdl, (PVOID)0x5001, 10) == mdl);
    CHECK(mdl->StartVa == (PVOID)0x5000 && mdl->ByteOffset == 1 && mdl->ByteCount == 10);
    made = MmCreateMdl(NULL, (PVOID)0x5001, PAGE_SIZE);
    CHECK(made != NULL);
    CHECK_EQUAL(KtFlags(made), 0);
    CHECK_EQUAL(made->Size, 0x40);
    ExFreePool(made);
    CHECK(MmCreateMdl(NULL, (PVOID)0x5000, 0xFFFFF001) == NULL);
}

static VOID TestAllocate(KTEST_RUN *Run)
{
    PMDL small, large;
    PIRP irp;
    KIRQL irql;

    KT_COVERS("IoAllocateMdl, IoFreeMdl", "at DISPATCH_LEVEL; MDL_ALLOCATED_FIXED_SIZE up to 23 pages, no flag above; "
              "Length 0 is an MDL of no bytes", "DDI IoAllocateMdl; the 23 pages: ReactOS");
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    small = IoAllocateMdl((PVOID)0x10001, 23 * PAGE_SIZE - 1, FALSE, FALSE, NULL);
    large = IoAllocateMdl((PVOID)0x10001, 23 * PAGE_SIZE, FALSE, TRUE, NULL);
    KeLowerIrql(irql);
    CHECK(small != NULL && large != NULL);
    CHECK_EQUAL(KtFlags(small), MDL_ALLOCATED_FIXED_SIZE);
    CHECK_EQUAL(KtFlags(large), 0);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    IoFreeMdl(small);
    IoFreeMdl(large);
    KeLowerIrql(irql);
    small = IoAllocateMdl(NULL, 0, FALSE, FALSE, NULL);
    CHECK(small != NULL && small->ByteCount == 0 && small->StartVa == NULL);
    IoFreeMdl(small);

    KT_COVERS("IoAllocateMdl", "up to 4 GB - PAGE_SIZE, not one byte more", "DDI IoAllocateMdl");
    CHECK(IoAllocateMdl((PVOID)0x10000, 0xFFFFF001, FALSE, FALSE, NULL) == NULL);
    CHECK(IoAllocateMdl((PVOID)0x10000, 0xFFFFFFFF, FALSE, FALSE, NULL) == NULL);
    large = IoAllocateMdl((PVOID)0x10FFF, 0xFFFFF000, FALSE, FALSE, NULL);
    CHECK(large != NULL);
    if (large != NULL)
    {
        KtSayMdl(Run, "as large as it gets", large);
        CHECK_EQUAL(large->ByteCount, 0xFFFFF000);
        CHECK_EQUAL((USHORT)large->Size, (USHORT)(sizeof(MDL) + 0x100000 * sizeof(PFN_NUMBER))); /* 16 bits wrap */
        IoFreeMdl(large);
    }

    KT_COVERS("IoAllocateMdl", "with an IRP: SecondaryBuffer FALSE replaces Irp->MdlAddress, TRUE appends to its "
              "chain, also to an empty one; SecondaryBuffer without an IRP means nothing", "DDI IoAllocateMdl");
    irp = IoAllocateIrp(1, FALSE);
    PMDL first = IoAllocateMdl((PVOID)0x10000, 1, TRUE, FALSE, irp);
    CHECK(irp->MdlAddress == first && first->Next == NULL);
    PMDL second = IoAllocateMdl((PVOID)0x20000, 1, TRUE, FALSE, irp);
    CHECK(irp->MdlAddress == first && first->Next == second && second->Next == NULL);
    PMDL third = IoAllocateMdl((PVOID)0x30000, 1, FALSE, FALSE, irp);
    CHECK(irp->MdlAddress == third && third->Next == NULL);
    PMDL free = IoAllocateMdl((PVOID)0x40000, 1, TRUE, FALSE, NULL);
    CHECK(free != NULL && free->Next == NULL && third->Next == NULL);

    KT_COVERS("IoFreeMdl", "frees the one MDL, not those it points to; IoFreeIrp frees none",
              "DDI IoFreeMdl, IoFreeIrp");
    IoFreeMdl(first);
    CHECK(second->StartVa == (PVOID)0x20000);
    IoFreeIrp(irp);
    CHECK(third->StartVa == (PVOID)0x30000);
    IoFreeMdl(second);
    IoFreeMdl(third);
    IoFreeMdl(free);
}

static VOID TestBuild(KTEST_RUN *Run)
{
    PHYSICAL_ADDRESS highest = {.QuadPart = MAXLONGLONG};
    PUCHAR pool = ExAllocatePoolWithTag(NonPagedPoolNx, 3 * PAGE_SIZE, KT_TAG);
    PUCHAR contiguous = MmAllocateContiguousMemory(2 * PAGE_SIZE, highest);
    PMDL mdl = IoAllocateMdl(pool + 0x21, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    KIRQL irql;

    KT_COVERS("MmBuildMdlForNonPagedPool", "fills in the PFNs and MappedSystemVa, the buffer itself; "
              "MDL_SOURCE_IS_NONPAGED_POOL, Process NULL; at DISPATCH_LEVEL; also for contiguous memory", "DDI");
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    MmBuildMdlForNonPagedPool(mdl);
    KeLowerIrql(irql);
    CHECK_EQUAL(KtState(mdl), MDL_SOURCE_IS_NONPAGED_POOL);
    CHECK(mdl->Process == NULL);
    CHECK(mdl->MappedSystemVa == pool + 0x21);
    CHECK(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == pool + 0x21);
    for (ULONG i = 0; i < 3; i++)
    {
        CHECK_EQUAL(MmGetMdlPfnArray(mdl)[i], KtPfn(pool + i * PAGE_SIZE));
    }
    MmPrepareMdlForReuse(mdl);
    CHECK_EQUAL(KtState(mdl), MDL_SOURCE_IS_NONPAGED_POOL);
    IoFreeMdl(mdl);
    mdl = IoAllocateMdl(contiguous, 2 * PAGE_SIZE, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(mdl);
    CHECK_EQUAL(MmGetMdlPfnArray(mdl)[1], MmGetMdlPfnArray(mdl)[0] + 1);
    IoFreeMdl(mdl);
    MmFreeContiguousMemory(contiguous);
    ExFreePoolWithTag(pool, KT_TAG);
}

static VOID TestProbes(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, 2 * PAGE_SIZE, PAGE_READWRITE);
    PUCHAR top = (PUCHAR)MmUserProbeAddress;

    KT_COVERS("ProbeForRead", "length 0 is no check at all; alignment first (STATUS_DATATYPE_MISALIGNMENT), then the "
              "range (STATUS_ACCESS_VIOLATION at MmUserProbeAddress); pages are not looked at", "DDI ProbeForRead");
    CHECK_STATUS(KT_RAISED(ProbeForRead((PVOID)MmSystemRangeStart, 0, 8)), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForRead(base + 1, 4, 4)), STATUS_DATATYPE_MISALIGNMENT);
    CHECK_STATUS(KT_RAISED(ProbeForRead((PUCHAR)MmSystemRangeStart + 1, 4, 4)), STATUS_DATATYPE_MISALIGNMENT);
    CHECK_STATUS(KT_RAISED(ProbeForRead(base + 1, 4, 1)), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForRead(top - 8, 8, 1)), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForRead(top - 8, 9, 1)), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(KT_RAISED(ProbeForRead((PVOID)MmSystemRangeStart, 1, 1)), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(KT_RAISED(ProbeForRead((PVOID)0x1000, MAXULONG_PTR, 1)), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(KT_RAISED(ProbeForRead(NULL, 1, 1)), STATUS_SUCCESS);

    KT_COVERS("ProbeForWrite", "what ProbeForRead checks, and every page must be writable", "DDI ProbeForWrite");
    CHECK_STATUS(KT_RAISED(ProbeForWrite((PVOID)MmSystemRangeStart, 0, 8)), STATUS_SUCCESS);
    base[PAGE_SIZE - 1] = 0x7E;
    CHECK_STATUS(KT_RAISED(ProbeForWrite(base + 3, 2 * PAGE_SIZE - 3, 1)), STATUS_SUCCESS);
    CHECK_EQUAL(base[PAGE_SIZE - 1], 0x7E);
    CHECK_STATUS(KtUserProtect(base + PAGE_SIZE, PAGE_SIZE, PAGE_READONLY), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForWrite(base, PAGE_SIZE, 1)), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForWrite(base, PAGE_SIZE + 1, 1)), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(KT_RAISED(ProbeForWrite(NULL, 1, 1)), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(KT_RAISED(ProbeForWrite(top - 8, 9, 1)), STATUS_ACCESS_VIOLATION);
    KtUserFree(base);
}

static VOID TestSecure(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, 4 * PAGE_SIZE, PAGE_READWRITE);
    PVOID at = base;
    SIZE_T size = 0;
    HANDLE secure;

    KT_COVERS("MmSecureVirtualMemory, MmUnsecureVirtualMemory", "a secured range can neither be freed nor lose the "
              "access; what is around it can; unsecured, everything can again; a range without the access gives NULL",
              "DDI MmSecureVirtualMemory");
    secure = MmSecureVirtualMemory(base + PAGE_SIZE, PAGE_SIZE, PAGE_READWRITE);
    CHECK(secure != NULL);
    CHECK(!NT_SUCCESS(ZwFreeVirtualMemory(NtCurrentProcess(), &at, &size, MEM_RELEASE)));
    CHECK(!NT_SUCCESS(KtUserProtect(base + PAGE_SIZE, PAGE_SIZE, PAGE_READONLY)));
    CHECK_STATUS(KtUserProtect(base + 3 * PAGE_SIZE, PAGE_SIZE, PAGE_READONLY), STATUS_SUCCESS);
    base[PAGE_SIZE] = 1;
    if (secure != NULL)
    {
        MmUnsecureVirtualMemory(secure);
    }
    CHECK_STATUS(KtUserProtect(base + PAGE_SIZE, PAGE_SIZE, PAGE_READONLY), STATUS_SUCCESS);
    CHECK(MmSecureVirtualMemory(base, 4 * PAGE_SIZE, PAGE_READWRITE) == NULL);
    secure = MmSecureVirtualMemory(base, 4 * PAGE_SIZE, PAGE_READONLY);
    CHECK(secure != NULL);
    CHECK(!NT_SUCCESS(KtUserProtect(base, PAGE_SIZE, PAGE_NOACCESS)));
    if (secure != NULL)
    {
        MmUnsecureVirtualMemory(secure);
    }
    KtUserFree(base);
    CHECK(MmSecureVirtualMemory(base, PAGE_SIZE, PAGE_READONLY) == NULL);
    CHECK(MmSecureVirtualMemory((PVOID)MmSystemRangeStart, PAGE_SIZE, PAGE_READONLY) == NULL);
}

static VOID TestTranslation(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, 2 * PAGE_SIZE, PAGE_READWRITE);
    PUCHAR pool = ExAllocatePoolWithTag(NonPagedPoolNx, PAGE_SIZE, KT_TAG);
    PHYSICAL_ADDRESS physical;
    KIRQL irql;

    KT_COVERS("MmGetPhysicalAddress", "the address behind one that is mapped, offset included, of the kernel or of "
              "the current process; 0 if there is no page; any IRQL", "DDI MmGetPhysicalAddress");
    CHECK_EQUAL(MmGetPhysicalAddress(base).QuadPart, 0); /* never touched */
    base[5] = 1;
    physical = MmGetPhysicalAddress(base + 5);
    CHECK_EQUAL(physical.QuadPart & 0xFFF, 5);
    CHECK_EQUAL((KtEntry(base) & 0xFFFFFFFFFF000) + 5, physical.QuadPart);
    CHECK_EQUAL(MmGetPhysicalAddress((PVOID)0x0000800000000000).QuadPart, 0);
    KeRaiseIrql(HIGH_LEVEL, &irql);
    physical = MmGetPhysicalAddress(pool + 7);
    KeLowerIrql(irql);
    CHECK_EQUAL(physical.QuadPart & 0xFFF, 7 + BYTE_OFFSET(pool));
    CHECK(MmGetVirtualForPhysical(physical) != NULL);
    CHECK_EQUAL(MmGetPhysicalAddress(MmGetVirtualForPhysical(physical)).QuadPart, physical.QuadPart);

    KT_COVERS("MmIsAddressValid, MmIsNonPagedSystemAddressValid", "TRUE where a touch would not fault just now; FALSE "
              "for pages not there yet, addresses that are none, and (the second) the program's",
              "DDI MmIsAddressValid");
    CHECK(MmIsAddressValid(base) && MmIsAddressValid(pool) && MmIsAddressValid((PVOID)(ULONG_PTR)TestTranslation));
    CHECK(!MmIsAddressValid(base + PAGE_SIZE));
    CHECK(!MmIsAddressValid((PVOID)0x0000800000000000) && !MmIsAddressValid(NULL));
    CHECK(MmIsNonPagedSystemAddressValid(pool) && !MmIsNonPagedSystemAddressValid(base));
    KtUserFree(base);
    ExFreePoolWithTag(pool, KT_TAG);
}

static VOID TestCopy(KTEST_RUN *Run)
{
    PUCHAR user = KtUserAllocate(Run, 4 * PAGE_SIZE, PAGE_READWRITE);
    PUCHAR target = ExAllocatePoolWithTag(NonPagedPoolNx, 4 * PAGE_SIZE, KT_TAG);
    MM_COPY_ADDRESS source;
    SIZE_T copied = 77;

    KT_COVERS("MmCopyMemory", "virtual: the kernel's addresses and the current process's, whose pages are brought in; "
              "it stops at the first page that cannot be read, says how far it got, and never faults",
              "DDI MmCopyMemory");
    source.VirtualAddress = user + 100;
    CHECK_STATUS(MmCopyMemory(target, source, 3 * PAGE_SIZE, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_SUCCESS);
    CHECK_EQUAL(copied, 3 * PAGE_SIZE);
    CHECK(KtAllBytes(target, 3 * PAGE_SIZE, 0)); /* they had never been touched */
    KtFill(user, 4 * PAGE_SIZE, 5);
    CHECK_STATUS(MmCopyMemory(target, source, 3 * PAGE_SIZE, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_SUCCESS);
    CHECK(memcmp(target, user + 100, 3 * PAGE_SIZE) == 0);
    CHECK_EQUAL((KtWorkingSetFlags(user) >> 1) & 7, 1); /* the page is the process's alone again */
    CHECK_STATUS(KtUserProtect(user + 2 * PAGE_SIZE, PAGE_SIZE, PAGE_NOACCESS), STATUS_SUCCESS);
    CHECK(!NT_SUCCESS(MmCopyMemory(target, source, 3 * PAGE_SIZE, MM_COPY_MEMORY_VIRTUAL, &copied)));
    CHECK_EQUAL(copied, 2 * PAGE_SIZE - 100);
    source.VirtualAddress = (PVOID)0xFFFFF6FB00000000;
    CHECK(!NT_SUCCESS(MmCopyMemory(target, source, 8, MM_COPY_MEMORY_VIRTUAL, &copied)));
    CHECK_EQUAL(copied, 0);
    source.VirtualAddress = (PVOID)(ULONG_PTR)TestCopy;
    CHECK_STATUS(MmCopyMemory(target, source, 16, MM_COPY_MEMORY_VIRTUAL, &copied), STATUS_SUCCESS);
    CHECK(memcmp(target, (PVOID)(ULONG_PTR)TestCopy, 16) == 0);

    KT_COVERS("MmCopyMemory", "physical: RAM only; both flags or none: STATUS_INVALID_PARAMETER",
              "DDI; the code is ours");
    source.PhysicalAddress = MmGetPhysicalAddress(user + 9);
    CHECK_STATUS(MmCopyMemory(target, source, 50, MM_COPY_MEMORY_PHYSICAL, &copied), STATUS_SUCCESS);
    CHECK(memcmp(target, user + 9, 50) == 0);
    source.PhysicalAddress.QuadPart = 0xFEE00000;
    CHECK(!NT_SUCCESS(MmCopyMemory(target, source, 4, MM_COPY_MEMORY_PHYSICAL, &copied)));
    CHECK_EQUAL(copied, 0);
    CHECK_STATUS(MmCopyMemory(target, source, 4, 3, &copied), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(MmCopyMemory(target, source, 4, 0, &copied), STATUS_INVALID_PARAMETER);
    KtUserFree(user);
    ExFreePoolWithTag(target, KT_TAG);
}

/* Every exported name of the family, asked for as a driver does that must also load on older systems. */
static VOID TestByName(KTEST_RUN *Run)
{
    static const WCHAR *const names[] = {
        L"IoAllocateMdl", L"IoFreeMdl", L"IoBuildPartialMdl", L"MmAdvanceMdl", L"MmAllocateMappingAddress",
        L"MmAllocateMappingAddressEx", L"MmAllocateMdlForIoSpace", L"MmAllocateNodePagesForMdlEx",
        L"MmAllocatePagesForMdl", L"MmAllocatePagesForMdlEx", L"MmBuildMdlForNonPagedPool", L"MmCopyMemory",
        L"MmCreateMdl", L"MmFreeMappingAddress", L"MmFreePagesFromMdl", L"MmFreePagesFromMdlEx",
        L"MmGetPhysicalAddress", L"MmIsAddressValid", L"MmMapIoSpace", L"MmMapIoSpaceEx", L"MmMapLockedPages",
        L"MmMapLockedPagesSpecifyCache", L"MmMapLockedPagesWithReservedMapping", L"MmMapMdl", L"MmMdlPageContentsState",
        L"MmProbeAndLockPages", L"MmProbeAndLockProcessPages", L"MmProbeAndLockSelectedPages",
        L"MmProtectMdlSystemAddress", L"MmSecureVirtualMemory", L"MmSizeOfMdl", L"MmUnlockPages", L"MmUnmapIoSpace",
        L"MmUnmapLockedPages", L"MmUnmapReservedMapping", L"MmUnsecureVirtualMemory", L"ProbeForRead",
        L"ProbeForWrite"};
    UNICODE_STRING name;
    ULONG missing = 0;

    KT_COVERS("MmGetSystemRoutineAddress", "finds every routine of the MDL family by name, NULL for others",
              "DDI MmGetSystemRoutineAddress");
    for (ULONG i = 0; i < RTL_NUMBER_OF(names); i++)
    {
        RtlInitUnicodeString(&name, names[i]);
        if (MmGetSystemRoutineAddress(&name) == NULL)
        {
            KtSay(Run, "not found: %ws", names[i]);
            missing++;
        }
    }
    CHECK_EQUAL(missing, 0);
    RtlInitUnicodeString(&name, L"MmProbeAndLockNothing");
    CHECK(MmGetSystemRoutineAddress(&name) == NULL);
    RtlInitUnicodeString(&name, L"mmunlockpages"); /* names have their case */
    CHECK(MmGetSystemRoutineAddress(&name) == NULL);
    RtlInitUnicodeString(&name, L"MmUnlockPages");
    CHECK(MmGetSystemRoutineAddress(&name) == (PVOID)(ULONG_PTR)MmUnlockPages);
}

VOID KtGroup_mdl_near(KTEST_RUN *Run)
{
    TestData(Run);
    TestAllocate(Run);
    TestBuild(Run);
    TestProbes(Run);
    TestSecure(Run);
    TestTranslation(Run);
    TestCopy(Run);
    TestByName(Run);
}
