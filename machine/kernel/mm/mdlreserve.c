/* SPDX-License-Identifier: MIT */
/*
 * Reserved mappings: kernel addresses kept ready, so that mapping an MDL there cannot fail for want of them.
 */
#include "mmp.h"

static DECLSPEC_NORETURN VOID MipMisuse(ULONG Type, PVOID Base, ULONG_PTR P3, ULONG_PTR P4)
{
    KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, Type, (ULONG_PTR)Base, P3, P4);
}

/* The reservation at Base, if Tag owns it; otherwise DA with the code for a stranger, or for an address that is none.
 */
static ULONG MipFindReservation(PVOID Base, ULONG Tag, ULONG NotOwner, ULONG Invalid)
{
    ULONG64 record = MiFindRecord(&MiSystemPtes, (ULONG_PTR)Base);

    if (MiRecordKind(record) != MiRecordReservedMapping)
    {
        MipMisuse(Invalid, Base, Tag, 0);
    }
    if ((ULONG)MiRecordInfo(record) != Tag)
    {
        MipMisuse(NotOwner, Base, Tag, (ULONG)MiRecordInfo(record));
    }
    return MiRecordPages(record);
}

/**
 * Reserves kernel addresses for later mappings of MDLs.
 *
 * @param NumberOfBytes  not 0; else bug check DA/100
 * @param PoolTag        the owner's; 0 gives NULL
 * @return the address, or NULL
 * IRQL <= APC_LEVEL. Free with MmFreeMappingAddress.
 */
PVOID NTAPI MmAllocateMappingAddress(_In_ SIZE_T NumberOfBytes, _In_ ULONG PoolTag)
{
    SIZE_T pages = BYTES_TO_PAGES(NumberOfBytes);
    ULONG index;

    if (NumberOfBytes == 0)
    {
        MipMisuse(0x100, NULL, PoolTag, (ULONG_PTR)__builtin_return_address(0));
    }
    if (PoolTag == 0 || pages > MI_RECORD_MAX_PAGES || !VfGranted(VfRequestAddresses))
    {
        return NULL;
    }
    index = MiReserveRange(&MiSystemPtes, (ULONG)pages, 1);
    if (index == 0)
    {
        return NULL;
    }
    *MiRegionPte(&MiSystemPtes, index - 1) = MiMakeRecord(MiRecordReservedMapping, (ULONG)pages, PoolTag);
    InterlockedIncrement64(&MiCounters.ReservedMappings);
    VfTake(VfReservedMapping, MiRegionVa(&MiSystemPtes, index), NULL, pages, PoolTag);
    return MiRegionVa(&MiSystemPtes, index);
}

/** MmAllocateMappingAddress; no flag is known, so Flags must be 0. */
PVOID NTAPI MmAllocateMappingAddressEx(_In_ SIZE_T NumberOfBytes, _In_ ULONG PoolTag, _In_ ULONG Flags)
{
    return Flags == 0 ? MmAllocateMappingAddress(NumberOfBytes, PoolTag) : NULL;
}

/** Frees a reservation with nothing mapped in it (DA/103). IRQL <= APC_LEVEL. */
VOID NTAPI MmFreeMappingAddress(_In_ PVOID BaseAddress, _In_ ULONG PoolTag)
{
    ULONG pages = MipFindReservation(BaseAddress, PoolTag, 0x101, 0x102);
    ULONG index = MiRegionIndex(&MiSystemPtes, (ULONG_PTR)BaseAddress);

    for (ULONG i = 0; i < pages; i++)
    {
        if (*MiRegionPte(&MiSystemPtes, index + i) != 0)
        {
            MipMisuse(0x103, MiRegionVa(&MiSystemPtes, index + i), PoolTag, pages);
        }
    }
    VfGive(VfReservedMapping, BaseAddress, NULL);
    *MiRegionPte(&MiSystemPtes, index - 1) = 0;
    MiReturnRange(&MiSystemPtes, index, pages, 1); /* unmapping has flushed */
    InterlockedDecrement64(&MiCounters.ReservedMappings);
}

/**
 * Maps an MDL at a reserved address. MappedSystemVa becomes the reservation's base, without the byte offset.
 *
 * @param MappingAddress  from MmAllocateMappingAddress, nothing mapped there
 * @param PoolTag         its tag
 * @return address of the buffer's first byte; NULL if the reservation is too small or CacheType unknown
 * IRQL <= DISPATCH_LEVEL. Bug check DA: 104 not the owner, 105 no reservation, 107 something is mapped there.
 */
PVOID NTAPI MmMapLockedPagesWithReservedMapping(_In_ PVOID MappingAddress, _In_ ULONG PoolTag,
                                                _In_ PMDL MemoryDescriptorList, _In_ MEMORY_CACHING_TYPE CacheType)
{
    PMDL mdl = MemoryDescriptorList;
    ULONG pages = MiMdlPages(mdl);
    ULONG reserved = MipFindReservation(MappingAddress, PoolTag, 0x104, 0x105);
    ULONG index = MiRegionIndex(&MiSystemPtes, (ULONG_PTR)MappingAddress);

    if (pages == 0 || pages > reserved || !MiIsValidCacheType(CacheType))
    {
        return NULL;
    }
    for (ULONG i = 0; i < reserved; i++)
    {
        if (*MiRegionPte(&MiSystemPtes, index + i) != 0)
        {
            MipMisuse(0x107, MappingAddress, (ULONG_PTR)MiRegionVa(&MiSystemPtes, index + i),
                      (ULONG_PTR)MiRegionVa(&MiSystemPtes, index + reserved - 1));
        }
    }
    MiWriteMdlEntries(mdl, index, pages, CacheType, MI_PTE_KERNEL);
    InterlockedIncrement64(&MiCounters.SystemMappings);
    VfTake(VfSystemMapping, MappingAddress, NULL, pages, PoolTag);
    mdl->MappedSystemVa = MappingAddress;
    mdl->MdlFlags |= MDL_MAPPED_TO_SYSTEM_VA | ((mdl->MdlFlags & MDL_PARTIAL) ? MDL_PARTIAL_HAS_BEEN_MAPPED : 0);
    return (PUCHAR)MappingAddress + mdl->ByteOffset;
}

/**
 * Unmaps an MDL from a reserved address, before its pages are unlocked.
 *
 * IRQL <= DISPATCH_LEVEL. Bug check DA: 108 not the owner, 109 no reservation, 10A more pages than reserved, 10B not
 * mapped, 10C pages mapped that the MDL does not cover.
 */
VOID NTAPI MmUnmapReservedMapping(_In_ PVOID BaseAddress, _In_ ULONG PoolTag, _In_ PMDL MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;
    ULONG pages = MiMdlPages(mdl);
    ULONG reserved = MipFindReservation(BaseAddress, PoolTag, 0x108, 0x109);
    ULONG index = MiRegionIndex(&MiSystemPtes, (ULONG_PTR)BaseAddress);

    if (pages > reserved)
    {
        MipMisuse(0x10A, BaseAddress, reserved, pages);
    }
    for (ULONG i = 0; i < reserved; i++)
    {
        PMMPTE entry = MiRegionPte(&MiSystemPtes, index + i);
        if (i < pages && *entry == 0)
        {
            MipMisuse(0x10B, BaseAddress, PoolTag, pages);
        }
        if (i >= pages && *entry != 0)
        {
            MipMisuse(0x10C, BaseAddress, PoolTag, pages);
        }
        *entry = 0;
    }
    KeFlushTb(NULL, BaseAddress, pages);
    mdl->MdlFlags &= ~(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
    VfGive(VfSystemMapping, BaseAddress, NULL);
    InterlockedDecrement64(&MiCounters.SystemMappings);
}
