/* SPDX-License-Identifier: MIT */
/*
 * Kernel views of MDLs: mapping, unmapping, changing protection.
 */
#include "mmp.h"

#define MI_PRIORITY_MASK 0xFFu

BOOLEAN MiIsValidCacheType(MEMORY_CACHING_TYPE CacheType)
{
    return CacheType == MmNonCached || CacheType == MmCached || CacheType == MmWriteCombined ||
           CacheType == MmHardwareCoherentCached || CacheType == MmNonCachedUnordered;
}

/* How many addresses a request of this priority must leave over. */
static BOOLEAN MipRoomFor(ULONG Pages, ULONG Priority)
{
    LONG free = MiSystemPtes.Free - (LONG)Pages;
    LONG total = (LONG)MiSystemPtes.Pages;

    switch (Priority & MI_PRIORITY_MASK)
    {
    case LowPagePriority:
        return free > total / 8;
    case NormalPagePriority:
        return free > total / 32;
    default:
        return free >= 0;
    }
}

/*
 * Writes the entries of a view. RAM has one memory type for all its mappings, the one it was allocated with: the
 * request's type counts for device memory, and for pages of MmAllocatePagesForMdl at their first mapping (DDI
 * MmMapLockedPagesSpecifyCache). As long as all RAM is cached, pages need not be looked at.
 */
VOID MiWriteMdlEntries(PMDL Mdl, ULONG Index, ULONG Pages, MEMORY_CACHING_TYPE CacheType, ULONG64 Bits)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);

    if ((Mdl->MdlFlags & MDL_IO_SPACE) == 0 && MiUncachedPages == 0)
    {
        MiMapPages(&MiSystemPtes, Index, Pages, pfns, Bits);
        return;
    }
    for (ULONG i = 0; i < Pages; i++)
    {
        MEMORY_CACHING_TYPE type = MiIsMemory(pfns[i]) ? MiChooseCacheType(pfns[i], CacheType) : CacheType;
        *MiRegionPte(&MiSystemPtes, Index + i) = (pfns[i] << PAGE_SHIFT) | Bits | MiCacheBits(type);
    }
}

ULONG64 MiKernelViewBits(ULONG Priority)
{
    ULONG64 bits = MI_PTE_KERNEL;

    if (Priority & MdlMappingNoWrite)
    {
        bits &= ~(MI_PTE_WRITE | MI_PTE_DIRTY);
    }
    if ((Priority & MdlMappingNoExecute) == 0)
    {
        bits &= ~MI_PTE_NX; /* as on Windows: who does not ask for no-execute may execute */
    }
    return bits;
}

/* What an MDL must be to be mapped, in Windows' order: the IRQL, the flags, then the pages. Returns if it is, or if only
   a rule of the verifier is broken and the checks are off. */
MI_INLINE VOID MipCheckMap(PMDL Mdl, KPROCESSOR_MODE Mode, BOOLEAN Obsolete, ULONG Priority, PVOID Caller)
{
    BOOLEAN kernel = Mode == KernelMode;
    ULONG flags = (USHORT)Mdl->MdlFlags;
    BOOLEAN wrong = kernel ? KeGetCurrentIrql() > DISPATCH_LEVEL || (flags & MI_KERNEL_VIEW_WRONG) != 0 ||
                                 (flags & (MI_KERNEL_VIEW_NEEDS | MDL_IO_SPACE)) == 0
                           : KeGetCurrentIrql() > APC_LEVEL || (flags & (MI_USER_VIEW_NEEDS | MDL_IO_SPACE)) == 0;

    if (wrong)
    {
        MiReportMap(Mdl, Mode, Obsolete);
    }
    if (VfOption(VfChecks))
    {
        const PFN_NUMBER *pfns = MmGetMdlPfnArray(Mdl);
        PFN_NUMBER highest = MiHighestPage;
        for (SIZE_T i = 0, pages = MiMdlPages(Mdl); i < pages; i++)
        {
            const MMPFN *page = MiPfn(pfns[i]);
            if (pfns[i] > highest ||
                (page->State == MiPageUser ? page->Counts < MI_LOCK_UNIT : page->State <= MiPageFree))
            {
                MiCheckOddPage(Mdl, &pfns[i]);
            }
        }
    }
    if (MiNoExecutable && kernel && (Priority & MdlMappingNoExecute) == 0 && MiIsDriverCode(Caller))
    {
        VfCheck(FALSE, 0x2002, (ULONG_PTR)Caller, Priority, 0);
    }
}

MI_INLINE PVOID MipMapToSystem(PMDL Mdl, MEMORY_CACHING_TYPE CacheType, ULONG Priority, PVOID Caller)
{
    ULONG pages = MiMdlPages(Mdl);
    ULONG index;
    PUCHAR va;

    if (pages == 0 || !MiIsValidCacheType(CacheType) || !MipRoomFor(pages, Priority))
    {
        return NULL;
    }
    index = MiReserveRange(&MiSystemPtes, pages, 1);
    if (index == 0)
    {
        return NULL;
    }
    MiWriteMdlEntries(Mdl, index, pages, CacheType, MiKernelViewBits(Priority));
    *MiRegionPte(&MiSystemPtes, index - 1) = MiMakeRecord(MiRecordMdlView, pages, MiPackCaller(Caller));
    InterlockedIncrement64(&MiCounters.SystemMappings);
    va = MiRegionVa(&MiSystemPtes, index);
    VfTake(VfSystemMapping, va, NULL, pages, 0);
    va += Mdl->ByteOffset;
    Mdl->MappedSystemVa = va;
    Mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA | ((Mdl->MdlFlags & MDL_PARTIAL) ? MDL_PARTIAL_HAS_BEEN_MAPPED : 0);
    return va;
}

MI_INLINE PVOID MipMapLockedPages(PMDL Mdl, KPROCESSOR_MODE Mode, MEMORY_CACHING_TYPE CacheType, PVOID Base,
                               ULONG BugCheckOnFailure, ULONG Priority, PVOID Caller)
{
    PVOID va;

    if (Mode != KernelMode)
    {
        return MiMapMdlToUser(Mdl, CacheType, Base, Priority);
    }
    if (!BugCheckOnFailure && !VfGranted(VfRequestKernelView))
    {
        return NULL; /* who asks for a bug check has said that he cannot do without */
    }
    va = MipMapToSystem(Mdl, CacheType, Priority, Caller);
    if (va == NULL && BugCheckOnFailure)
    {
        KeBugCheckEx(MI_BUGCHECK_NO_MORE_SYSTEM_PTES, 0, MiMdlPages(Mdl), (ULONG_PTR)MiSystemPtes.Free,
                     MiSystemPtes.Pages);
    }
    return va;
}

/**
 * Maps an MDL's pages, into the kernel or into the current process.
 *
 * @param MemoryDescriptorList  locked, or built for nonpaged pool (user views only), or a partial of such
 * @param AccessMode            KernelMode: one view per MDL; UserMode: any number, always no-execute
 * @param CacheType             for device memory; RAM keeps the type it was allocated with
 * @param BaseAddress           UserMode: page-aligned address wanted, or NULL
 * @param BugCheckOnFailure     KernelMode: bug check 3F instead of NULL
 * @param Priority              LowPagePriority, NormalPagePriority or HighPagePriority, with MdlMappingNoWrite,
 *                              MdlMappingNoExecute, MdlMappingWithGuardPtes (views have guard pages in any case)
 * @return address of the buffer's first byte; KernelMode: NULL on failure
 * UserMode RAISES: STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_ADDRESS (unaligned, or not in user space),
 * STATUS_CONFLICTING_ADDRESSES (taken), STATUS_INVALID_PARAMETER, STATUS_PROCESS_IS_TERMINATING.
 * IRQL <= DISPATCH_LEVEL, for UserMode <= APC_LEVEL. Undone by MmUnmapLockedPages; a kernel view also by MmUnlockPages.
 */
PVOID NTAPI MmMapLockedPagesSpecifyCache(_In_ PMDLX MemoryDescriptorList, _In_ KPROCESSOR_MODE AccessMode,
                                         _In_ MEMORY_CACHING_TYPE CacheType, _In_opt_ PVOID BaseAddress,
                                         _In_ ULONG BugCheckOnFailure, _In_ MM_PAGE_PRIORITY Priority)
{
    MI_RULE(!MiStrictMdl || !BugCheckOnFailure || AccessMode != KernelMode, 0x82, (ULONG_PTR)MemoryDescriptorList,
            (ULONG_PTR)(USHORT)MemoryDescriptorList->MdlFlags, 0);
    MipCheckMap(MemoryDescriptorList, AccessMode, FALSE, (ULONG)Priority, __builtin_return_address(0));
    return MipMapLockedPages(MemoryDescriptorList, AccessMode, CacheType, BaseAddress, BugCheckOnFailure,
                             (ULONG)Priority, __builtin_return_address(0));
}

/**
 * Obsolete form of MmMapLockedPagesSpecifyCache: cached, highest priority. A kernel mapping that fails is bug check 3F
 * unless the MDL has MDL_MAPPING_CAN_FAIL; a user mapping that fails raises.
 */
PVOID NTAPI MmMapLockedPages(_In_ PMDL MemoryDescriptorList, _In_ KPROCESSOR_MODE AccessMode)
{
    MI_RULE(!MiStrictMdl, 0x81, (ULONG_PTR)MemoryDescriptorList, (ULONG_PTR)(USHORT)MemoryDescriptorList->MdlFlags, 0);
    MipCheckMap(MemoryDescriptorList, AccessMode, TRUE, HighPagePriority, __builtin_return_address(0));
    return MipMapLockedPages(MemoryDescriptorList, AccessMode, MmCached, NULL,
                             (MemoryDescriptorList->MdlFlags & MDL_MAPPING_CAN_FAIL) == 0, HighPagePriority,
                             __builtin_return_address(0));
}

/* A wrong release. Where Windows names its tracking structure for the view, DA names the view's first page: there is no
   such structure. */
static DECLSPEC_NORETURN VOID MipReportRelease(PVOID Base, PMDL Mdl, ULONG Pages, ULONG64 Record)
{
    ULONG_PTR page = (ULONG_PTR)PAGE_ALIGN(Base);
    ULONG64 entry;

    if (MiRecordKind(Record) != MiRecordMdlView)
    {
        KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 6, (ULONG_PTR)Mdl, (ULONG_PTR)Base, Pages);
    }
    if (MiRecordPages(Record) != Pages)
    {
        KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 2, page, MiRecordPages(Record), Pages);
    }
    if (BYTE_OFFSET(Base) != Mdl->ByteOffset)
    {
        KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 3, page, page + Mdl->ByteOffset, (ULONG_PTR)Base);
    }
    entry = *MiRegionPte(&MiSystemPtes, MiRegionIndex(&MiSystemPtes, page));
    if (Pages != 0 && MI_PTE_PFN(entry) != MmGetMdlPfnArray(Mdl)[0])
    {
        KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 4, page, MI_PTE_PFN(entry), MmGetMdlPfnArray(Mdl)[0]);
    }
    KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 1, page, (ULONG_PTR)Mdl, page); /* released just now by another */
}

/*
 * Takes the record of a view away, so that only one of two racing callers goes on; its mistakes are bug checks.
 */
MI_INLINE VOID MipClaimView(PVOID Base, PMDL Mdl, ULONG Pages)
{
    ULONG_PTR page = (ULONG_PTR)PAGE_ALIGN(Base);
    PMMPTE record = MiRecordEntry(&MiSystemPtes, page);
    ULONG64 value = record != NULL ? *record : 0;

    if (!MiIsRecordOf(value, MiRecordMdlView, Pages) || BYTE_OFFSET(Base) != Mdl->ByteOffset ||
        (Pages != 0 && /* MmAdvanceMdl may have left no page */
         MI_PTE_PFN(record[1]) != MmGetMdlPfnArray(Mdl)[0]) ||
        (ULONG64)InterlockedCompareExchange64((volatile LONG64 *)record, 0, (LONG64)value) != value)
    {
        MipReportRelease(Base, Mdl, Pages, value);
    }
}

static VF_SELDOM VOID MipReportUnmapIrql(PVOID Base, PMDL Mdl)
{
    VfCheck(FALSE, 0x7A, KeGetCurrentIrql(), (ULONG_PTR)Base, (ULONG_PTR)Mdl);
}

static DECLSPEC_NOINLINE VOID MipUnmapFromSystem(PVOID Base, PMDL Mdl)
{
    ULONG pages = MiMdlPages(Mdl);

    MI_RULE(KeGetCurrentIrql() <= DISPATCH_LEVEL, 0x79, KeGetCurrentIrql(), (ULONG_PTR)Base, (ULONG_PTR)Mdl);
    MI_RULE((Mdl->MdlFlags & (MDL_PARTIAL | MDL_PARTIAL_HAS_BEEN_MAPPED)) != MDL_PARTIAL, 0xB5, (ULONG_PTR)Mdl,
            (ULONG_PTR)(USHORT)Mdl->MdlFlags, MDL_PARTIAL); /* the view is its source's */
    MI_RULE((Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0, 0xB6, (ULONG_PTR)Mdl, (ULONG_PTR)(USHORT)Mdl->MdlFlags,
            MDL_MAPPED_TO_SYSTEM_VA);
    MipClaimView(Base, Mdl, pages);
    VfGive(VfSystemMapping, PAGE_ALIGN(Base), NULL);
    Mdl->MdlFlags &= ~(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
    InterlockedDecrement64(&MiCounters.SystemMappings);
    MiReleaseRange(&MiSystemPtes, MiRegionIndex(&MiSystemPtes, (ULONG_PTR)Base), pages, 1);
}

/**
 * Undoes a mapping of MmMapLockedPages*.
 *
 * @param BaseAddress  what the map returned
 * Kernel view: IRQL <= DISPATCH_LEVEL, in any process; mistakes are bug check DA (1 unmapped twice, 2 wrong count,
 * 3 wrong address, 4 first PFN changed, 6 never mapped). User view: <= APC_LEVEL, in the process that it was mapped
 * in; an address that has no such view there is bug check D7.
 */
VOID NTAPI MmUnmapLockedPages(_In_ PVOID BaseAddress, _In_ PMDL MemoryDescriptorList)
{
    if (MmIsSystemAddress(BaseAddress))
    {
        MipUnmapFromSystem(BaseAddress, MemoryDescriptorList);
        return;
    }
    if (KeGetCurrentIrql() > APC_LEVEL)
    {
        MipReportUnmapIrql(BaseAddress, MemoryDescriptorList);
    }
    MiUnmapMdlFromUser(BaseAddress, MemoryDescriptorList);
}

/**
 * Changes the protection of an MDL's kernel view.
 *
 * @param NewProtect  PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE, PAGE_EXECUTE, PAGE_EXECUTE_READ,
 * PAGE_EXECUTE_READWRITE
 * @return STATUS_INVALID_PAGE_PROTECTION, STATUS_NOT_MAPPED_VIEW
 * IRQL <= DISPATCH_LEVEL.
 */
NTSTATUS NTAPI MmProtectMdlSystemAddress(_In_ PMDL MemoryDescriptorList, _In_ ULONG NewProtect)
{
    PMDL mdl = MemoryDescriptorList;
    ULONG protection = MiMakeProtection(NewProtect);
    ULONG pages = MiMdlPages(mdl);
    ULONG_PTR page = (ULONG_PTR)PAGE_ALIGN(mdl->MappedSystemVa);
    ULONG64 record;
    ULONG index;

    if (protection > MM_EXECUTE_READWRITE || protection == MM_WRITECOPY)
    {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    record = (mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) ? MiFindRecord(&MiSystemPtes, page) : 0;
    if ((MiRecordKind(record) != MiRecordMdlView && MiRecordKind(record) != MiRecordReservedMapping) ||
        MiRecordPages(record) < pages)
    {
        return STATUS_NOT_MAPPED_VIEW;
    }
    index = MiRegionIndex(&MiSystemPtes, page);
    for (ULONG i = 0; i < pages; i++)
    {
        PMMPTE entry = MiRegionPte(&MiSystemPtes, index + i);
        ULONG64 old = *entry;
        /* Without access: not valid, PFN and (moved up, where they do not read as a record's kind) cache bits kept. */
        ULONG64 kept = (old & MI_PTE_PFN_MASK) | (((old & MI_PTE_VALID) ? old : old >> 6) & MI_PTE_LEGACY_CACHE);
        *entry = protection == MM_ZERO_ACCESS ? (kept & MI_PTE_PFN_MASK) | ((kept & MI_PTE_LEGACY_CACHE) << 6)
                                              : kept | MI_PTE_VALID | MI_PTE_ACCESSED | MI_PTE_GLOBAL |
                                                    (MiAllowsWrite(protection) ? MI_PTE_WRITE | MI_PTE_DIRTY : 0) |
                                                    (MiAllowsExecute(protection) ? 0 : MI_PTE_NX);
    }
    KeFlushTb(NULL, (PVOID)page, pages);
    return STATUS_SUCCESS;
}

/**
 * Calls a routine with the address of an MDL's buffer, mapping it for that time if it is not mapped.
 *
 * @param Protection  of a mapping made here: PAGE_READONLY, PAGE_READWRITE, or one of the PAGE_EXECUTE kinds of them
 * @return STATUS_INVALID_PAGE_PROTECTION, STATUS_INSUFFICIENT_RESOURCES (the routine was not called)
 * IRQL <= DISPATCH_LEVEL; the routine runs at the same IRQL.
 */
NTSTATUS NTAPI MmMapMdl(_In_ PMDL MemoryDescriptorList, _In_ ULONG Protection, _In_ PMM_MDL_ROUTINE DriverRoutine,
                        _Inout_opt_ PVOID DriverContext)
{
    ULONG protection = MiMakeProtection(Protection);
    ULONG priority = HighPagePriority;
    PVOID va;

    if (protection > MM_EXECUTE_READWRITE || protection == MM_WRITECOPY || protection == MM_ZERO_ACCESS)
    {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    priority |= MiAllowsWrite(protection) ? 0 : MdlMappingNoWrite;
    priority |= MiAllowsExecute(protection) ? 0 : MdlMappingNoExecute;
    if (MemoryDescriptorList->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL))
    {
        DriverRoutine(DriverContext, MemoryDescriptorList->MappedSystemVa);
        return STATUS_SUCCESS;
    }
    if (!VfGranted(VfRequestKernelView))
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    va = MipMapToSystem(MemoryDescriptorList, MmCached, priority, __builtin_return_address(0));
    if (va == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    DriverRoutine(DriverContext, va);
    MmUnmapLockedPages(va, MemoryDescriptorList);
    return STATUS_SUCCESS;
}
