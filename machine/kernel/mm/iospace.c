/* SPDX-License-Identifier: MIT */
/*
 * Device memory, contiguous memory, noncached memory.
 */
#include "mmp.h"

static PVOID MipMapIo(PHYSICAL_ADDRESS Physical, SIZE_T Size, MEMORY_CACHING_TYPE CacheType, ULONG64 Bits, PVOID Caller)
{
    ULONG64 start = (ULONG64)Physical.QuadPart;
    ULONG64 pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(start, Size);
    PFN_NUMBER first = start >> PAGE_SHIFT;
    ULONG index;

    if (Size == 0 || start + Size < start || start + Size > (1ULL << 52) ||
        Size > ((ULONG64)MI_RECORD_MAX_PAGES - 1) << PAGE_SHIFT || !MiIsValidCacheType(CacheType) ||
        !VfGranted(VfRequestIoSpace))
    {
        return NULL;
    }
    MI_RULE(KeGetCurrentIrql() <= DISPATCH_LEVEL, 0x73, KeGetCurrentIrql(), start, Size);
    for (PFN_NUMBER pfn = first; pfn < first + pages; pfn++)
    {
        MI_RULE(!MiIsMemory(pfn) || !MiMayPageLeave(pfn), 0x83, start, Size, pfn);
        /* RAM may be mapped by whoever owns it, with the memory type it has; not what is free, and not page tables. */
        if (MiIsMemory(pfn) && (MiPfn(pfn)->State == MiPageFree || MiPfn(pfn)->State == MiPagePageTable ||
                                MiPfn(pfn)->CacheType != CacheType))
        {
            return NULL;
        }
    }
    index = MiReserveRange(&MiSystemPtes, (ULONG)pages, 1);
    if (index == 0)
    {
        return NULL;
    }
    MiMapRun(&MiSystemPtes, index, pages, first, Bits | MiCacheBits(CacheType));
    *MiRegionPte(&MiSystemPtes, index - 1) = MiMakeRecord(MiRecordIoSpace, (ULONG)pages, MiPackCaller(Caller));
    InterlockedIncrement64(&MiCounters.IoSpaceMappings);
    VfTake(VfIoMapping, MiRegionVa(&MiSystemPtes, index), NULL, pages, 0);
    return (PUCHAR)MiRegionVa(&MiSystemPtes, index) + (start & (PAGE_SIZE - 1));
}

/**
 * Maps physical addresses into the kernel, read-write, not executable.
 *
 * @param NumberOfBytes  any offset and length; whole pages get mapped
 * @param CacheType      for RAM it must be the type the pages have
 * @return the address, or NULL. Give it back with MmUnmapIoSpace and the same length.
 * IRQL <= DISPATCH_LEVEL.
 */
PVOID NTAPI MmMapIoSpace(_In_ PHYSICAL_ADDRESS PhysicalAddress, _In_ SIZE_T NumberOfBytes,
                         _In_ MEMORY_CACHING_TYPE CacheType)
{
    return MipMapIo(PhysicalAddress, NumberOfBytes, CacheType, MI_PTE_KERNEL, __builtin_return_address(0));
}

/**
 * MmMapIoSpace with a page protection: PAGE_READONLY, PAGE_READWRITE, or their executable kinds, and PAGE_NOCACHE or
 * PAGE_WRITECOMBINE. NULL for any other.
 */
PVOID NTAPI MmMapIoSpaceEx(_In_ PHYSICAL_ADDRESS PhysicalAddress, _In_ SIZE_T NumberOfBytes, _In_ ULONG Protect)
{
    ULONG protection = MiMakeProtection(Protect);
    ULONG base = protection & MM_PROTECTION_BASE;
    MEMORY_CACHING_TYPE type = MmCached;
    ULONG64 bits = MI_PTE_KERNEL;

    if (protection == MI_INVALID_PROTECTION || base == MM_ZERO_ACCESS || base == MM_WRITECOPY ||
        base == MM_EXECUTE_WRITECOPY || (protection & ~MM_PROTECTION_BASE) == MM_GUARD)
    {
        return NULL;
    }
    if ((protection & ~MM_PROTECTION_BASE) == MM_NOCACHE)
    {
        type = MmNonCached;
    }
    else if ((protection & ~MM_PROTECTION_BASE) == MM_WRITECOMBINE)
    {
        type = MmWriteCombined;
    }
    bits &= MiAllowsWrite(base) ? ~0ULL : ~(MI_PTE_WRITE | MI_PTE_DIRTY);
    bits &= MiAllowsExecute(base) ? ~MI_PTE_NX : ~0ULL;
    return MipMapIo(PhysicalAddress, NumberOfBytes, type, bits, __builtin_return_address(0));
}

/** Undoes MmMapIoSpace*. Another address or length than mapped: bug check DA/2, DA/6. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI MmUnmapIoSpace(_In_ PVOID BaseAddress, _In_ SIZE_T NumberOfBytes)
{
    ULONG pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(BaseAddress, NumberOfBytes);
    ULONG_PTR page = (ULONG_PTR)PAGE_ALIGN(BaseAddress);
    ULONG64 record = MiFindRecord(&MiSystemPtes, page);

    if (MiRecordKind(record) != MiRecordIoSpace || MiRecordPages(record) != pages)
    {
        if (MiRecordKind(record) == MiRecordIoSpace)
        {
            KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 2, page, MiRecordPages(record), pages);
        }
        KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 6, 0 /* no MDL */, (ULONG_PTR)BaseAddress, pages);
    }
    VfGive(VfIoMapping, (PVOID)page, NULL);
    MiReleaseRange(&MiSystemPtes, MiRegionIndex(&MiSystemPtes, page), pages, 1);
    InterlockedDecrement64(&MiCounters.IoSpaceMappings);
}

/** MmMapIoSpace under its old name for frame buffers. */
PVOID NTAPI MmMapVideoDisplay(_In_ PHYSICAL_ADDRESS PhysicalAddress, _In_ SIZE_T NumberOfBytes,
                              _In_ MEMORY_CACHING_TYPE CacheType)
{
    return MipMapIo(PhysicalAddress, NumberOfBytes, CacheType, MI_PTE_KERNEL, __builtin_return_address(0));
}

VOID NTAPI MmUnmapVideoDisplay(_In_ PVOID BaseAddress, _In_ SIZE_T NumberOfBytes)
{
    MmUnmapIoSpace(BaseAddress, NumberOfBytes);
}

/**
 * An MDL for device memory, to be mapped with MmMapLockedPagesSpecifyCache; freed with IoFreeMdl.
 *
 * @param PhysicalAddressList  ranges, page-aligned in start and length, none of them RAM
 * @return STATUS_INVALID_PARAMETER_1 (a range is not such), STATUS_INVALID_PARAMETER_2, STATUS_INSUFFICIENT_RESOURCES
 * IRQL <= DISPATCH_LEVEL.
 */
NTSTATUS NTAPI MmAllocateMdlForIoSpace(_In_reads_(NumberOfEntries) PMM_PHYSICAL_ADDRESS_LIST PhysicalAddressList,
                                       _In_ SIZE_T NumberOfEntries, _Out_ PMDL *NewMdl)
{
    ULONG64 total = 0;
    PPFN_NUMBER pfns;
    PMDL mdl;

    if (NumberOfEntries == 0)
    {
        return STATUS_INVALID_PARAMETER_2;
    }
    for (SIZE_T i = 0; i < NumberOfEntries; i++)
    {
        ULONG64 start = (ULONG64)PhysicalAddressList[i].PhysicalAddress.QuadPart;
        ULONG64 size = PhysicalAddressList[i].NumberOfBytes;
        if (size == 0 || ((start | size) & (PAGE_SIZE - 1)) != 0 || start + size < start ||
            start + size > (1ULL << 52) || total + size > 0x100000000ULL - PAGE_SIZE)
        {
            return STATUS_INVALID_PARAMETER_1;
        }
        for (PFN_NUMBER pfn = start >> PAGE_SHIFT; pfn < (start + size) >> PAGE_SHIFT; pfn++)
        {
            if (MiIsMemory(pfn))
            {
                return STATUS_INVALID_PARAMETER_1;
            }
        }
        total += size;
    }
    mdl = IoAllocateMdl(NULL, (ULONG)total, FALSE, FALSE, NULL);
    if (mdl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    pfns = MmGetMdlPfnArray(mdl);
    for (SIZE_T i = 0; i < NumberOfEntries; i++)
    {
        PFN_NUMBER pfn = (ULONG64)PhysicalAddressList[i].PhysicalAddress.QuadPart >> PAGE_SHIFT;
        for (SIZE_T n = PhysicalAddressList[i].NumberOfBytes >> PAGE_SHIFT; n != 0; n--)
        {
            *pfns++ = pfn++;
        }
    }
    mdl->Process = NULL;
    mdl->MdlFlags |= MDL_IO_SPACE;
    *NewMdl = mdl;
    return STATUS_SUCCESS;
}

/* ---- contiguous memory ---- */

static PVOID MipAllocateContiguous(SIZE_T Size, ULONG64 Lowest, ULONG64 Highest, ULONG64 Boundary,
                                   MEMORY_CACHING_TYPE CacheType, ULONG64 Bits, PVOID Caller)
{
    SIZE_T pages = BYTES_TO_PAGES(Size);
    PFN_NUMBER low = (Lowest >> PAGE_SHIFT) + (BYTE_OFFSET(Lowest) != 0);
    PFN_NUMBER first;
    ULONG index;

    if (Size == 0 || pages > MI_RECORD_MAX_PAGES || !MiIsValidCacheType(CacheType) || !VfGranted(VfRequestContiguous) ||
        (Boundary != 0 && ((Boundary & (Boundary - 1)) != 0 || Boundary < PAGE_SIZE)) || Highest < PAGE_SIZE - 1)
    {
        return NULL;
    }
    /* The last byte may lie at Highest itself. */
    first = MiAllocateRun(pages, low, Highest == MAXULONG64 ? MiHighestPage : ((Highest + 1) >> PAGE_SHIFT) - 1, 1,
                          Boundary >> PAGE_SHIFT, MiPageContiguous);
    if (first == 0)
    {
        return NULL;
    }
    index = MiReserveRange(&MiSystemPtes, (ULONG)pages, 1);
    for (SIZE_T i = 0; i < pages; i++)
    {
        if (index == 0)
        {
            MiReleasePage(first + i);
        }
        else if (CacheType != MmCached)
        {
            MiSetCacheType(first + i, CacheType);
        }
    }
    if (index == 0)
    {
        return NULL;
    }
    MiMapRun(&MiSystemPtes, index, pages, first, Bits | MiCacheBits(CacheType));
    *MiRegionPte(&MiSystemPtes, index - 1) = MiMakeRecord(MiRecordContiguous, (ULONG)pages, MiPackCaller(Caller));
    InterlockedIncrement64(&MiCounters.Contiguous);
    VfTake(VfContiguous, MiRegionVa(&MiSystemPtes, index), NULL, pages, 0);
    return MiRegionVa(&MiSystemPtes, index);
}

static VOID MipFreeKernelPages(PVOID Base, MI_RECORD_KIND Kind, ULONG Pages /* 0: whatever the record says */)
{
    ULONG64 record = MiFindRecord(&MiSystemPtes, (ULONG_PTR)Base);

    if (MiRecordKind(record) != Kind)
    {
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 0x60, (ULONG_PTR)Base, 0, 0);
    }
    if (Pages != 0 && MiRecordPages(record) != Pages)
    {
        KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 2, (ULONG_PTR)Base, MiRecordPages(record), Pages);
    }
    for (ULONG i = 0; i < MiRecordPages(record); i++)
    {
        PFN_NUMBER pfn = MI_PTE_PFN(*MiRegionPte(&MiSystemPtes, MiRegionIndex(&MiSystemPtes, (ULONG_PTR)Base) + i));
        if (MI_LOCKS(MiPfn(pfn)->Counts) != 0)
        {
            KeBugCheckEx(MI_BUGCHECK_PFN_LIST_CORRUPT, 0x9A, pfn, MiPfn(pfn)->State,
                         (ULONG_PTR)MI_REFERENCES(MiPfn(pfn)->Counts));
        }
    }
    VfGive(VfContiguous, Base, NULL);
    MiFreeMapped(&MiSystemPtes, Base, MiRecordPages(record));
    InterlockedDecrement64(&MiCounters.Contiguous);
}

/**
 * Physically contiguous nonpaged memory, cached, not zeroed, not executable, page-aligned.
 *
 * @param HighestAcceptableAddress  the last byte may lie here
 * @return the address or NULL; free with MmFreeContiguousMemory
 * IRQL <= DISPATCH_LEVEL.
 */
PVOID NTAPI MmAllocateContiguousMemory(_In_ SIZE_T NumberOfBytes, _In_ PHYSICAL_ADDRESS HighestAcceptableAddress)
{
    return MipAllocateContiguous(NumberOfBytes, 0, (ULONG64)HighestAcceptableAddress.QuadPart, 0, MmCached,
                                 MI_PTE_KERNEL, __builtin_return_address(0));
}

/**
 * The same between two physical addresses, not crossing a multiple of BoundaryAddressMultiple (0: any), with a cache
 * type.
 */
PVOID NTAPI MmAllocateContiguousMemorySpecifyCache(_In_ SIZE_T NumberOfBytes,
                                                   _In_ PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                   _In_ PHYSICAL_ADDRESS HighestAcceptableAddress,
                                                   _In_opt_ PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                                   _In_ MEMORY_CACHING_TYPE CacheType)
{
    return MipAllocateContiguous(NumberOfBytes, (ULONG64)LowestAcceptableAddress.QuadPart,
                                 (ULONG64)HighestAcceptableAddress.QuadPart, (ULONG64)BoundaryAddressMultiple.QuadPart,
                                 CacheType, MI_PTE_KERNEL, __builtin_return_address(0));
}

/** The same; there is one NUMA node, so any preference is met. */
PVOID NTAPI MmAllocateContiguousMemorySpecifyCacheNode(_In_ SIZE_T NumberOfBytes,
                                                       _In_ PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                       _In_ PHYSICAL_ADDRESS HighestAcceptableAddress,
                                                       _In_opt_ PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                                       _In_ MEMORY_CACHING_TYPE CacheType,
                                                       _In_ NODE_REQUIREMENT PreferredNode)
{
    UNREFERENCED_PARAMETER(PreferredNode);
    return MipAllocateContiguous(NumberOfBytes, (ULONG64)LowestAcceptableAddress.QuadPart,
                                 (ULONG64)HighestAcceptableAddress.QuadPart, (ULONG64)BoundaryAddressMultiple.QuadPart,
                                 CacheType, MI_PTE_KERNEL, __builtin_return_address(0));
}

/**
 * The same with a page protection instead of a cache type: PAGE_READWRITE or PAGE_EXECUTE_READWRITE, with
 * PAGE_NOCACHE or PAGE_WRITECOMBINE. NULL for any other.
 */
PVOID NTAPI MmAllocateContiguousNodeMemory(_In_ SIZE_T NumberOfBytes, _In_ PHYSICAL_ADDRESS LowestAcceptableAddress,
                                           _In_ PHYSICAL_ADDRESS HighestAcceptableAddress,
                                           _In_opt_ PHYSICAL_ADDRESS BoundaryAddressMultiple, _In_ ULONG Protect,
                                           _In_ NODE_REQUIREMENT PreferredNode)
{
    ULONG base = Protect & ~(PAGE_NOCACHE | PAGE_WRITECOMBINE);
    MEMORY_CACHING_TYPE type = (Protect & PAGE_NOCACHE)        ? MmNonCached
                               : (Protect & PAGE_WRITECOMBINE) ? MmWriteCombined
                                                               : MmCached;
    ULONG64 bits = base == PAGE_EXECUTE_READWRITE ? MI_PTE_KERNEL & ~MI_PTE_NX : MI_PTE_KERNEL;

    UNREFERENCED_PARAMETER(PreferredNode);
    if (base != PAGE_READWRITE && base != PAGE_EXECUTE_READWRITE)
    {
        return NULL;
    }
    return MipAllocateContiguous(NumberOfBytes, (ULONG64)LowestAcceptableAddress.QuadPart,
                                 (ULONG64)HighestAcceptableAddress.QuadPart, (ULONG64)BoundaryAddressMultiple.QuadPart,
                                 type, bits, __builtin_return_address(0));
}

/** Frees contiguous memory. What is not such: bug check C2/60; pages still locked: 4E/9A. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI MmFreeContiguousMemory(_In_ PVOID BaseAddress)
{
    MipFreeKernelPages(BaseAddress, MiRecordContiguous, 0);
}

VOID NTAPI MmFreeContiguousMemorySpecifyCache(_In_ PVOID BaseAddress, _In_ SIZE_T NumberOfBytes,
                                              _In_ MEMORY_CACHING_TYPE CacheType)
{
    UNREFERENCED_PARAMETER(CacheType);
    MipFreeKernelPages(BaseAddress, MiRecordContiguous, (ULONG)BYTES_TO_PAGES(NumberOfBytes));
}

/** Nonpaged memory that bypasses the cache; whole pages. NULL if there is none. IRQL <= DISPATCH_LEVEL. */
PVOID NTAPI MmAllocateNonCachedMemory(_In_ SIZE_T NumberOfBytes)
{
    SIZE_T pages = BYTES_TO_PAGES(NumberOfBytes);
    ULONG index;
    PVOID va;

    if (pages == 0 || pages > MI_RECORD_MAX_PAGES || !VfGranted(VfRequestContiguous))
    {
        return NULL;
    }
    va = MiAllocateMapped(&MiSystemPtes, (ULONG)pages, MiRecordNonCached, MiPackCaller(__builtin_return_address(0)),
                          MI_PTE_KERNEL | MiCacheBits(MmNonCached), MiPageContiguous);
    if (va != NULL)
    {
        index = MiRegionIndex(&MiSystemPtes, (ULONG_PTR)va);
        for (ULONG i = 0; i < pages; i++)
        {
            MiSetCacheType(MI_PTE_PFN(*MiRegionPte(&MiSystemPtes, index + i)), MmNonCached);
        }
        InterlockedIncrement64(&MiCounters.Contiguous);
        VfTake(VfContiguous, va, NULL, pages, 0);
    }
    return va;
}

VOID NTAPI MmFreeNonCachedMemory(_In_ PVOID BaseAddress, _In_ SIZE_T NumberOfBytes)
{
    MipFreeKernelPages(BaseAddress, MiRecordNonCached, (ULONG)BYTES_TO_PAGES(NumberOfBytes));
}

/** TRUE if a range of physical addresses is mapped by MmMapIoSpace*. IRQL <= DISPATCH_LEVEL. */
LOGICAL NTAPI MmIsIoSpaceActive(_In_ PHYSICAL_ADDRESS StartAddress, _In_ SIZE_T NumberOfBytes)
{
    PFN_NUMBER low = (ULONG64)StartAddress.QuadPart >> PAGE_SHIFT;
    PFN_NUMBER high = ((ULONG64)StartAddress.QuadPart + NumberOfBytes - 1) >> PAGE_SHIFT;

    for (ULONG i = 0; NumberOfBytes != 0 && i < MiSystemPtes.Mapped;)
    {
        ULONG64 record = *MiRegionPte(&MiSystemPtes, i++);
        PFN_NUMBER first;
        if (MiRecordKind(record) != MiRecordIoSpace)
        {
            continue;
        }
        first = MI_PTE_PFN(*MiRegionPte(&MiSystemPtes, i));
        if (first <= high && low < first + MiRecordPages(record))
        {
            return TRUE;
        }
        i += MiRecordPages(record);
    }
    return FALSE;
}
