/* SPDX-License-Identifier: MIT */
/*
 * MDLs as data: making, freeing, describing pool, parts of others, moving the start. Locking is in mdllock.c, mapping
 * in mdlmap.c and mdluser.c.
 *
 *   IoAllocateMdl      0008            (small ones)
 *   + lock             000A  / 008A    (for write)
 *   + kernel map       000B  / 008B
 *   + unlock           0008            mapping dropped first
 *   build nonpaged     000C            MappedSystemVa = the buffer itself
 */
#include "mmp.h"

#define MI_FIXED_MDL_PAGES 23
#define MI_MDL_TAG ' ldM'
#define MI_OTHER_MDL_TAG 'dMmM'
#define MI_MDL_LIMIT (0x100000000ULL - PAGE_SIZE) /* bytes that one MDL can describe */

static MI_CACHE MipMdlCache = {.Size = sizeof(MDL) + MI_FIXED_MDL_PAGES * sizeof(PFN_NUMBER), .Tag = MI_MDL_TAG};

/**
 * Bytes that an MDL needs for a buffer: the fixed part and one PFN per page that the buffer touches. Any IRQL.
 */
SIZE_T NTAPI MmSizeOfMdl(_In_ PVOID Base, _In_ SIZE_T Length)
{
    SIZE_T pages =
        (Length >> PAGE_SHIFT) + ((BYTE_OFFSET(Base) + (Length & (PAGE_SIZE - 1)) + PAGE_SIZE - 1) >> PAGE_SHIFT);

    return sizeof(MDL) + pages * sizeof(PFN_NUMBER);
}

/**
 * Initialises an MDL, taking memory for it from nonpaged pool if none is given (obsolete; freed with ExFreePool).
 */
PMDL NTAPI MmCreateMdl(_In_opt_ PMDL MemoryDescriptorList, _In_ PVOID Base, _In_ SIZE_T Length)
{
    if (MemoryDescriptorList == NULL)
    {
        if (Length > MI_MDL_LIMIT)
        {
            return NULL;
        }
        MemoryDescriptorList =
            MiAllocatePoolFor(__builtin_return_address(0), MmSizeOfMdl(Base, Length), MI_OTHER_MDL_TAG);
        if (MemoryDescriptorList == NULL)
        {
            return NULL;
        }
    }
    MmInitializeMdl(MemoryDescriptorList, Base, Length);
    return MemoryDescriptorList;
}

/* One that does not fit a block of the cache. */
static VF_SELDOM PMDL MipAllocateLarge(ULONG Pages)
{
    return ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(MDL) + Pages * sizeof(PFN_NUMBER), MI_MDL_TAG);
}

/**
 * Allocates an MDL for a buffer. The PFNs are not filled in; Process and MappedSystemVa mean nothing yet.
 *
 * @param VirtualAddress   start of the buffer, any alignment
 * @param Length           bytes, up to 4 GB - PAGE_SIZE
 * @param SecondaryBuffer  FALSE: becomes Irp->MdlAddress; TRUE: goes to the end of the IRP's chain
 * @param ChargeQuota      accepted; processes have no such quota here
 * @param Irp              or NULL
 * @return the MDL, to be freed with IoFreeMdl; NULL if there is no memory or Length is too large
 * IRQL <= DISPATCH_LEVEL.
 */
PMDL NTAPI IoAllocateMdl(_In_opt_ PVOID VirtualAddress, _In_ ULONG Length, _In_ BOOLEAN SecondaryBuffer,
                         _In_ BOOLEAN ChargeQuota, _Inout_opt_ PIRP Irp)
{
    ULONG pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(VirtualAddress, (ULONG64)Length);
    BOOLEAN large = pages > MI_FIXED_MDL_PAGES;
    PMDL mdl, *link;

    UNREFERENCED_PARAMETER(ChargeQuota);
    if (Length > MI_MDL_LIMIT || !VfGranted(VfRequestMdl))
    {
        return NULL;
    }
    mdl = large ? MipAllocateLarge(pages) : MiCacheAllocate(&MipMdlCache);
    if (mdl == NULL)
    {
        return NULL;
    }
    mdl->Next = NULL;
    mdl->Size = (CSHORT)(sizeof(MDL) + pages * sizeof(PFN_NUMBER));
    mdl->MdlFlags = large ? 0 : MDL_ALLOCATED_FIXED_SIZE;
    mdl->StartVa = PAGE_ALIGN(VirtualAddress);
    mdl->ByteCount = Length;
    mdl->ByteOffset = BYTE_OFFSET(VirtualAddress);
    InterlockedIncrement64(&MiCounters.Mdls);
    VfTake(VfMdl, mdl, NULL, Length, 0);
    if (Irp != NULL)
    {
        link = &Irp->MdlAddress;
        while (SecondaryBuffer && *link != NULL)
        {
            link = &(*link)->Next;
        }
        *link = mdl;
    }
    return mdl;
}

static VF_SELDOM VOID MipUnmapPartial(PMDL Mdl)
{
    MmUnmapLockedPages(Mdl->MappedSystemVa, Mdl);
}

/* Not from the cache. Others than ours may be freed here, too: those of MmAllocatePagesForMdl, MmCreateMdl. */
static DECLSPEC_NOINLINE VOID MipFreeLarge(PMDL Mdl)
{
    if (MiPoolTagOf(Mdl) == MI_MDL_TAG)
    {
        InterlockedDecrement64(&MiCounters.Mdls);
    }
    ExFreePool(Mdl);
}

/**
 * Frees one MDL (not its chain). A partial MDL's own mapping is released; pages locked through it must have been
 * unlocked, and a mapping of an MDL that is not partial undone. IRQL <= DISPATCH_LEVEL.
 */
VOID NTAPI IoFreeMdl(_In_ PMDL Mdl)
{
    if (MiCacheIsKept(Mdl)) /* freed already: its flags say nothing any more */
    {
        MiCacheReport(MI_MDL_TAG, Mdl);
    }
    if (Mdl->MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED)
    {
        MipUnmapPartial(Mdl);
    }
    else if ((Mdl->MdlFlags & (MDL_PARTIAL | MDL_SOURCE_IS_NONPAGED_POOL)) == 0)
    {
        MI_RULE((Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) == 0, 0xB8, (ULONG_PTR)Mdl, (ULONG_PTR)(USHORT)Mdl->MdlFlags,
                0);
    }
    VfGive(VfMdl, Mdl, NULL);
    if ((Mdl->MdlFlags & MDL_ALLOCATED_FIXED_SIZE) == 0)
    {
        MipFreeLarge(Mdl);
        return;
    }
    InterlockedDecrement64(&MiCounters.Mdls);
    MiCacheFree(&MipMdlCache, Mdl);
}

/**
 * Makes an MDL describe a part of another one's buffer, with its PFNs and, if there is one, within its mapping.
 *
 * @param SourceMdl       locked, or built for nonpaged pool
 * @param TargetMdl       large enough, else bug check 40; not the owner of the pages: never unlock it
 * @param VirtualAddress  start of the part in the source's buffer
 * @param Length          bytes; 0: up to the source's end. Outside the source: bug check 12E
 * IRQL <= DISPATCH_LEVEL.
 */
VOID NTAPI IoBuildPartialMdl(_In_ PMDL SourceMdl, _Inout_ PMDL TargetMdl, _In_ PVOID VirtualAddress, _In_ ULONG Length)
{
    ULONG_PTR offset = (ULONG_PTR)VirtualAddress - (ULONG_PTR)MiMdlVa(SourceMdl);
    const CSHORT inherited = MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_IO_PAGE_READ | MDL_IO_SPACE;
    ULONG pages, skip;

    if (offset >= SourceMdl->ByteCount || (Length != 0 && Length > SourceMdl->ByteCount - offset))
    {
        KeBugCheckEx(MI_BUGCHECK_PARTIAL_MDL, (ULONG_PTR)SourceMdl, (ULONG_PTR)TargetMdl, (ULONG_PTR)VirtualAddress,
                     Length);
    }
    if (Length == 0)
    {
        Length = SourceMdl->ByteCount - (ULONG)offset;
    }
    pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(VirtualAddress, (ULONG_PTR)Length);
    /* Size has 16 bits and wraps for MDLs of more than 32 MB; those show by the length they were made for. */
    if (pages > ((USHORT)TargetMdl->Size - sizeof(MDL)) / sizeof(PFN_NUMBER) && pages > MiMdlPages(TargetMdl))
    {
        KeBugCheck(MI_BUGCHECK_TARGET_MDL_TOO_SMALL); /* its page: no parameters */
    }
    skip = (ULONG)(((ULONG_PTR)PAGE_ALIGN(VirtualAddress) - (ULONG_PTR)SourceMdl->StartVa) >> PAGE_SHIFT);
    TargetMdl->Process = SourceMdl->Process;
    TargetMdl->StartVa = PAGE_ALIGN(VirtualAddress);
    TargetMdl->ByteOffset = BYTE_OFFSET(VirtualAddress);
    TargetMdl->ByteCount = Length;
    TargetMdl->MappedSystemVa = (PUCHAR)SourceMdl->MappedSystemVa + offset;
    TargetMdl->MdlFlags &= MDL_ALLOCATED_FIXED_SIZE | MDL_ALLOCATED_MUST_SUCCEED;
    TargetMdl->MdlFlags |= MDL_PARTIAL | (SourceMdl->MdlFlags & inherited);
    RtlCopyMemory(MmGetMdlPfnArray(TargetMdl), MmGetMdlPfnArray(SourceMdl) + skip, pages * sizeof(PFN_NUMBER));
}

/* An MDL must not be built on what is not there: MEMORY_MANAGEMENT 1240, with the entry, if there is a table for it. */
static DECLSPEC_NORETURN VOID MipReportNotResident(PMDL Mdl, ULONG_PTR Va)
{
    BOOLEAN large;

    KeBugCheckEx(MEMORY_MANAGEMENT, 0x1240, (ULONG_PTR)Mdl, (ULONG_PTR)MiLookupPte(__readcr3(), Va, &large), 0);
}

/* The entry that the page at Va would have if it weren't part of a large one (2 MB: the loader makes no others;
   bit 12 of such an entry is its PAT bit). */
static inline ULONG64 MipPartOfLarge(ULONG64 Large, ULONG_PTR Va)
{
    return (Large & ~(0x1FFULL << PAGE_SHIFT)) + (Va & (0x1FFULL << PAGE_SHIFT));
}

/*
 * The frames behind kernel addresses that one page table covers, up to the first that isn't mapped; returns how many.
 * *Device becomes TRUE if one of them is not memory.
 */
static ULONG MipReadFrames(ULONG_PTR Va, ULONG Count, PPFN_NUMBER Pfns, PBOOLEAN Device)
{
    BOOLEAN large;
    PMMPTE entry = MmIsSystemAddress((PVOID)Va) ? MiLookupKernelPte(Va, &large) : NULL;
    ULONG i;

    if (entry == NULL)
    {
        return 0;
    }
    for (i = 0; i < Count; i++)
    {
        ULONG64 value = large ? MipPartOfLarge(*entry, Va) + ((ULONG64)i << PAGE_SHIFT) : entry[i];
        PFN_NUMBER pfn = MI_PTE_PFN(value);
        if ((value & MI_PTE_VALID) == 0)
        {
            break;
        }
        if (!MiIsMemory(pfn))
        {
            *Device = TRUE;
        }
        Pfns[i] = pfn;
    }
    return i;
}

/**
 * Fills in an MDL for a buffer in nonpaged memory: pool, pages from MmAllocate*, a driver's image. The pages need no
 * lock; afterwards the MDL may be mapped to user mode, and must be neither locked, unlocked nor mapped by the kernel.
 *
 * IRQL <= DISPATCH_LEVEL. Verifier: 7F for paged pool, 140 for other memory that can be paged. Memory that is not
 * there: bug check 1A/1240.
 */
VOID NTAPI MmBuildMdlForNonPagedPool(_Inout_ PMDLX MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;
    PPFN_NUMBER pfns = MmGetMdlPfnArray(mdl);
    ULONG_PTR va = (ULONG_PTR)mdl->StartVa;
    ULONG pages = MiMdlPages(mdl);
    ULONG done = 0;
    BOOLEAN device = FALSE;

    MI_RULE(!MiIsPagedPool(va), 0x7F, KeGetCurrentIrql(), (ULONG_PTR)mdl, (ULONG_PTR)(USHORT)mdl->MdlFlags);
    MI_RULE(MmIsSystemAddress((PVOID)va), 0x140, KeGetCurrentIrql(), mdl, MiMdlVa(mdl));
    mdl->Process = NULL;
    mdl->MappedSystemVa = MiMdlVa(mdl);
    mdl->MdlFlags |= MDL_SOURCE_IS_NONPAGED_POOL;
    while (done < pages)
    {
        ULONG_PTR at = va + ((ULONG_PTR)done << PAGE_SHIFT);
        ULONG run = (ULONG)min(pages - done, 512 - (MI_PAGE(at) & 511));
        ULONG found = MipReadFrames(at, run, pfns + done, &device);
        done += found;
        if (found < run)
        {
            MipReportNotResident(mdl, va + ((ULONG_PTR)done << PAGE_SHIFT));
        }
    }
    mdl->MdlFlags |= device ? MDL_IO_SPACE : 0;
}

/* Takes the first pages off a kernel view: their addresses are returned, the record moves up to the new first page. */
static VOID MipShrinkView(PMDL Mdl, ULONG Skip)
{
    ULONG index = MiRegionIndex(&MiSystemPtes, (ULONG_PTR)Mdl->MappedSystemVa);
    ULONG64 record = MiFindRecord(&MiSystemPtes, (ULONG_PTR)PAGE_ALIGN(Mdl->MappedSystemVa));
    ULONG pages = MiRecordPages(record);

    if (MiRecordKind(record) != MiRecordMdlView || pages < Skip)
    {
        KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 6, (ULONG_PTR)Mdl->MappedSystemVa, (ULONG_PTR)Mdl, Skip);
    }
    for (ULONG i = 0; i < Skip; i++)
    {
        *MiRegionPte(&MiSystemPtes, index + i) = 0;
    }
    *MiRegionPte(&MiSystemPtes, index + Skip - 1) = MiMakeRecord(MiRecordMdlView, pages - Skip, MiRecordInfo(record));
    *MiRegionPte(&MiSystemPtes, index - 1) = 0;
    VfMove(VfSystemMapping, MiRegionVa(&MiSystemPtes, index), MiRegionVa(&MiSystemPtes, index + Skip), pages - Skip);
    KeFlushTb(NULL, MiRegionVa(&MiSystemPtes, index), Skip);
    MiReturnRange(&MiSystemPtes, index, Skip - 1, 1);
}

/**
 * Moves the start of an MDL's buffer forward. Pages that are skipped as a whole are unlocked and unmapped at once.
 *
 * @param NumberOfBytes  up to ByteCount
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER_2 past the end
 * IRQL <= DISPATCH_LEVEL.
 */
NTSTATUS NTAPI MmAdvanceMdl(_Inout_ PMDL Mdl, _In_ ULONG NumberOfBytes)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);
    ULONG pages = MiMdlPages(Mdl);
    ULONG skip;

    if (NumberOfBytes > Mdl->ByteCount)
    {
        return STATUS_INVALID_PARAMETER_2;
    }
    skip = (ULONG)(((ULONG_PTR)Mdl->ByteOffset + NumberOfBytes) >> PAGE_SHIFT);
    if (skip != 0)
    {
        BOOLEAN ownView = (Mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0 &&
                          (Mdl->MdlFlags & (MDL_PARTIAL | MDL_PARTIAL_HAS_BEEN_MAPPED)) != MDL_PARTIAL;
        if (ownView)
        {
            MipShrinkView(Mdl, skip);
        }
        if (Mdl->MdlFlags & MDL_PAGES_LOCKED)
        {
            MiUnlockMdlPages(Mdl, 0, skip);
            if (skip == pages) /* nothing is left to unlock: who frees the MDL now has forgotten nothing */
            {
                VfGive(VfPageLock, Mdl, NULL);
            }
            else
            {
                VfMove(VfPageLock, Mdl, Mdl, pages - skip);
            }
        }
        RtlMoveMemory(pfns, pfns + skip, (pages - skip) * sizeof(PFN_NUMBER));
    }
    if (Mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL))
    {
        Mdl->MappedSystemVa = (PUCHAR)Mdl->MappedSystemVa + NumberOfBytes;
    }
    Mdl->StartVa = (PUCHAR)Mdl->StartVa + ((ULONG_PTR)skip << PAGE_SHIFT);
    Mdl->ByteOffset = (ULONG)((Mdl->ByteOffset + (ULONG_PTR)NumberOfBytes) & (PAGE_SIZE - 1));
    Mdl->ByteCount -= NumberOfBytes;
    return STATUS_SUCCESS;
}
