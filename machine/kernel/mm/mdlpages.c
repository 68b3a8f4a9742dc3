/* SPDX-License-Identifier: MIT */
/*
 * MmAllocatePagesForMdl and its kin: physical pages without an address, described by an MDL.
 */
#include "mmp.h"

#define MI_MDL_TAG 'dMmM'
#define MI_KNOWN_FLAGS (MM_DONT_ZERO_ALLOCATION | MM_ALLOCATE_FROM_LOCAL_NODE_ONLY | MM_ALLOCATE_FULLY_REQUIRED | \
                        MM_ALLOCATE_NO_WAIT | MM_ALLOCATE_PREFER_CONTIGUOUS | MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS | \
                        MM_ALLOCATE_FAST_LARGE_PAGES)

typedef struct _MI_PAGE_REQUEST
{
    PFN_NUMBER Low, High, Skip; /* pages */
    SIZE_T Pages;
    ULONG Flags;
} MI_PAGE_REQUEST;

static SIZE_T MipTakeRun(PPFN_NUMBER Pfns, SIZE_T Count, PFN_NUMBER Low, PFN_NUMBER High, PFN_NUMBER Alignment)
{
    PFN_NUMBER first = MiAllocateRun(Count, Low, High, Alignment, 0, MiPageMdl);

    for (SIZE_T i = 0; first != 0 && i < Count; i++)
    {
        Pfns[i] = first + i;
    }
    return first != 0 ? Count : 0;
}

/* Chunks that are contiguous each; as many as there are. Those of a size of their own are aligned to it. */
static SIZE_T MipTakeChunks(const MI_PAGE_REQUEST *Request, PPFN_NUMBER Pfns)
{
    SIZE_T chunk = Request->Skip != 0 ? Request->Skip : Request->Pages;
    PFN_NUMBER alignment = max(Request->Skip, 1);
    SIZE_T taken = 0;

    while (taken < Request->Pages && MipTakeRun(Pfns + taken, chunk, Request->Low, Request->High, alignment) != 0)
    {
        taken += chunk;
    }
    return taken;
}

/* Single pages from the range, then from the range moved up by Skip, and so on to the end of memory. */
static SIZE_T MipTakePages(const MI_PAGE_REQUEST *Request, PPFN_NUMBER Pfns)
{
    PFN_NUMBER low = Request->Low, high = Request->High;
    SIZE_T taken = 0;

    if ((Request->Flags & MM_ALLOCATE_PREFER_CONTIGUOUS) && MipTakeRun(Pfns, Request->Pages, low, high, 1) != 0)
    {
        return Request->Pages;
    }
    if (low <= 1 && high >= MiHighestPage)
    {
        return MiAllocatePages(Request->Pages, Pfns, MI_ALLOCATE_USER | MI_ALLOCATE_PARTIAL, MiPageMdl);
    }
    while (taken < Request->Pages && low <= MiHighestPage)
    {
        taken += MiAllocatePagesInRange(Request->Pages - taken, Pfns + taken, low, high, MiPageMdl);
        if (Request->Skip == 0 || high > MAXULONG_PTR - Request->Skip)
        {
            break;
        }
        low += Request->Skip;
        high += Request->Skip;
    }
    return taken;
}

static PMDL MipAllocatePages(const MI_PAGE_REQUEST *Request, MEMORY_CACHING_TYPE CacheType, PVOID Caller)
{
    PMDL mdl = MiAllocatePoolFor(Caller, MmSizeOfMdl(NULL, Request->Pages << PAGE_SHIFT), MI_MDL_TAG);
    PPFN_NUMBER pfns;
    SIZE_T taken;

    if (mdl == NULL)
    {
        return NULL;
    }
    pfns = MmGetMdlPfnArray(mdl);
    taken = (Request->Flags & MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS) ? MipTakeChunks(Request, pfns)
                                                                     : MipTakePages(Request, pfns);
    if (taken == 0 || (taken < Request->Pages && (Request->Flags & MM_ALLOCATE_FULLY_REQUIRED)))
    {
        for (SIZE_T i = 0; i < taken; i++)
        {
            MiReleasePage(pfns[i]);
        }
        ExFreePoolWithTag(mdl, MI_MDL_TAG);
        return NULL;
    }
    for (SIZE_T i = 0; i < taken; i++)
    {
        if ((Request->Flags & MM_DONT_ZERO_ALLOCATION) == 0)
        {
            MiZeroPage(pfns[i]);
        }
        if (CacheType != MmCached)
        {
            MiSetCacheType(pfns[i], CacheType);
        }
    }
    MmInitializeMdl(mdl, NULL, taken << PAGE_SHIFT);
    mdl->Process = NULL;
    mdl->MdlFlags = MDL_PAGES_LOCKED;
    InterlockedAdd64(&MiCounters.MdlPages, (LONG64)taken);
    VfTake(VfMdlPages, mdl, NULL, taken, 0);
    return mdl;
}

/*
 * Flags that exclude or need each other (DDI MmAllocatePagesForMdlEx, MmAllocateNodePagesForMdlEx). There is no cache
 * of large pages besides the free list: a large page that is not whole there fails, as from an empty cache.
 */
static BOOLEAN MipAreFlagsValid(ULONG Flags, ULONG64 SkipBytes, SIZE_T TotalBytes)
{
    BOOLEAN chunks = (Flags & MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS) != 0;

    if ((Flags & ~MI_KNOWN_FLAGS) != 0 || (chunks && (Flags & MM_ALLOCATE_PREFER_CONTIGUOUS) != 0))
    {
        return FALSE;
    }
    if ((Flags & MM_ALLOCATE_FAST_LARGE_PAGES) != 0 &&
        (!chunks || SkipBytes == 0 || SkipBytes % MI_LARGE_PAGE_SIZE != 0))
    {
        return FALSE;
    }
    return !chunks || SkipBytes == 0 || ((SkipBytes & (SkipBytes - 1)) == 0 && TotalBytes % SkipBytes == 0);
}

static PMDL MipAllocateFor(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes,
                           SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType, ULONG Flags, PVOID Caller)
{
    MI_PAGE_REQUEST request;

    MI_RULE(KeGetCurrentIrql() <= DISPATCH_LEVEL, 0x7E, KeGetCurrentIrql(), DISPATCH_LEVEL, 0);
    if (TotalBytes == 0 || TotalBytes > 0x100000000ULL - PAGE_SIZE ||
        (ULONG64)LowAddress.QuadPart > (ULONG64)HighAddress.QuadPart || (SkipBytes.QuadPart & (PAGE_SIZE - 1)) != 0 ||
        !MipAreFlagsValid(Flags, (ULONG64)SkipBytes.QuadPart, TotalBytes) ||
        (!MiIsValidCacheType(CacheType) && CacheType != MmNotMapped) || !VfGranted(VfRequestPages))
    {
        return NULL;
    }
    request.Low = ((ULONG64)LowAddress.QuadPart >> PAGE_SHIFT) + (BYTE_OFFSET(LowAddress.QuadPart) != 0);
    request.High = (ULONG64)HighAddress.QuadPart >> PAGE_SHIFT;
    if (BYTE_OFFSET(HighAddress.QuadPart) != PAGE_SIZE - 1) /* the page goes on beyond it */
    {
        if (request.High == 0)
        {
            return NULL;
        }
        request.High--;
    }
    request.Skip = (ULONG64)SkipBytes.QuadPart >> PAGE_SHIFT;
    request.Pages = BYTES_TO_PAGES(TotalBytes);
    request.Flags = Flags;
    return MipAllocatePages(&request, CacheType, Caller);
}

/**
 * Takes physical pages that nobody maps, described by a new MDL.
 *
 * @param LowAddress, HighAddress  first and last byte of the range of physical addresses wanted
 * @param SkipBytes  how far to move the range up when it has too few pages; 0: not at all. With
 *                   MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS: size and alignment of each chunk, a power of two of
 *                   pages; 0 there: one chunk of all
 * @param TotalBytes  up to 4 GB - PAGE_SIZE; with chunks a multiple of their size
 * @param CacheType   that every mapping of the pages will have; MmNotMapped: the first mapping's
 * @param Flags       MM_DONT_ZERO_ALLOCATION, MM_ALLOCATE_FROM_LOCAL_NODE_ONLY (there is one node),
 *                    MM_ALLOCATE_FULLY_REQUIRED, MM_ALLOCATE_NO_WAIT (nothing here waits),
 *                    MM_ALLOCATE_PREFER_CONTIGUOUS or MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS, with the latter and a skip
 *                    of 2 MB or a multiple MM_ALLOCATE_FAST_LARGE_PAGES
 * @return an MDL (StartVa 0, MDL_PAGES_LOCKED) whose ByteCount says how much there was; NULL if nothing, or less than
 *         all with MM_ALLOCATE_FULLY_REQUIRED, or an argument is wrong
 * IRQL <= DISPATCH_LEVEL. MmFreePagesFromMdl, then ExFreePool on the MDL.
 */
PMDL NTAPI MmAllocatePagesForMdlEx(_In_ PHYSICAL_ADDRESS LowAddress, _In_ PHYSICAL_ADDRESS HighAddress,
                                   _In_ PHYSICAL_ADDRESS SkipBytes, _In_ SIZE_T TotalBytes,
                                   _In_ MEMORY_CACHING_TYPE CacheType, _In_ ULONG Flags)
{
    return MipAllocateFor(LowAddress, HighAddress, SkipBytes, TotalBytes, CacheType, Flags,
                          __builtin_return_address(0));
}

/** MmAllocatePagesForMdlEx with zeroed pages, cached as their first mapping wants; may return fewer than asked for. */
PMDL NTAPI MmAllocatePagesForMdl(_In_ PHYSICAL_ADDRESS LowAddress, _In_ PHYSICAL_ADDRESS HighAddress,
                                 _In_ PHYSICAL_ADDRESS SkipBytes, _In_ SIZE_T TotalBytes)
{
    return MipAllocateFor(LowAddress, HighAddress, SkipBytes, TotalBytes, MmNotMapped, 0, __builtin_return_address(0));
}

/** MmAllocatePagesForMdlEx from a NUMA node; there is one, number 0. NULL for any other. */
PMDL NTAPI MmAllocateNodePagesForMdlEx(_In_ PHYSICAL_ADDRESS LowAddress, _In_ PHYSICAL_ADDRESS HighAddress,
                                       _In_ PHYSICAL_ADDRESS SkipBytes, _In_ SIZE_T TotalBytes,
                                       _In_ MEMORY_CACHING_TYPE CacheType, _In_ ULONG IdealNode, _In_ ULONG Flags)
{
    return IdealNode == 0 ? MipAllocateFor(LowAddress, HighAddress, SkipBytes, TotalBytes, CacheType, Flags,
                                           __builtin_return_address(0))
                          : NULL;
}

/**
 * Frees the pages (not the MDL) that MmAllocatePagesForMdl* took; releases the kernel view of the MDL first.
 *
 * A page that a user view still shows stays with it until the view ends. A page that is locked through another MDL is
 * bug check 4E/9A; an MDL that was freed before, 4E/99. IRQL <= DISPATCH_LEVEL.
 */
VOID NTAPI MmFreePagesFromMdl(_In_ PMDLX MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;
    PPFN_NUMBER pfns = MmGetMdlPfnArray(mdl);
    ULONG pages = MiMdlPages(mdl);

    MI_RULE(KeGetCurrentIrql() <= DISPATCH_LEVEL, 0x7E, KeGetCurrentIrql(), DISPATCH_LEVEL, 0);
    if (mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA)
    {
        MmUnmapLockedPages(mdl->MappedSystemVa, mdl);
    }
    for (ULONG i = 0; i < pages; i++)
    {
        PFN_NUMBER pfn = pfns[i];
        if (!MiIsMemory(pfn) || MiPfn(pfn)->State != MiPageMdl)
        {
            KeBugCheckEx(MI_BUGCHECK_PFN_LIST_CORRUPT, 0x99, pfn, MiIsMemory(pfn) ? MiPfn(pfn)->State : MiPageNotMemory,
                         0);
        }
        if (MI_LOCKS(MiPfn(pfn)->Counts) != 0)
        {
            KeBugCheckEx(MI_BUGCHECK_PFN_LIST_CORRUPT, 0x9A, pfn, MiPfn(pfn)->State,
                         (ULONG_PTR)MI_REFERENCES(MiPfn(pfn)->Counts));
        }
    }
    MiReleasePages(pfns, pages);
    __stosq(pfns, MAXULONG64, pages); /* should it be freed again, these are no pages */
    mdl->MdlFlags &= ~MDL_PAGES_LOCKED;
    InterlockedAdd64(&MiCounters.MdlPages, -(LONG64)pages);
    VfGive(VfMdlPages, mdl, NULL);
}

/** MmFreePagesFromMdl; no flag is known, Flags is ignored. */
VOID NTAPI MmFreePagesFromMdlEx(_In_ PMDL MemoryDescriptorList, _In_ ULONG Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    MmFreePagesFromMdl(MemoryDescriptorList);
}
