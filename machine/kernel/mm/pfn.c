/* SPDX-License-Identifier: MIT */
/*
 * Page frames: the database, the free list, the life of a page.
 *
 *            MiAllocatePage*            references 0
 *     Free ------------------> in use ---------------> Free
 *                              |    ^
 *             page lock, view  |    | unlock, unmap
 *                              v    |
 *                           in use, more references
 *
 * A page lives until its LAST reference goes, whoever holds it: the entry that maps it, a page lock of an MDL, a user
 * view of an MDL, a section. So memory that is still locked or still visible to a program is never handed to another
 * owner, whatever order a driver releases things in.
 *
 * The count of references and the count of page locks among them share one 64-bit word, so that taking and dropping
 * a lock is one interlocked addition, without a spin lock.
 */
#include "mmp.h"

PFN_NUMBER MiHighestPage;
PFN_COUNT MiTotalPages;
volatile LONG64 MiFreePageCount;
volatile LONG64 MiUncachedPages;

static KSPIN_LOCK MipPfnLock;
static ULONG MipFreeHead, MipFreeTail; /* page 0 is never free, so 0 ends the list */
static LONG64 MipReserve;              /* free pages that user requests leave alone */

static PFN_NUMBER MipBootStart,
    MipBootEnd; /* phase 0: taken from the end of the largest free range, before there is a list */
static BOOLEAN MipDatabaseReady;

VOID MiZeroPage(PFN_NUMBER Pfn)
{
    __stosq(MiPfnToVirtual(Pfn), 0, PAGE_SIZE / sizeof(ULONG64));
}

/* ---- the free list; PFN lock held ---- */

static VOID MipUnlink(PFN_NUMBER Pfn)
{
    PMMPFN page = MiPfn(Pfn);

    if (page->Flink != 0)
    {
        MiPfn(page->Flink)->Blink = page->Blink;
    }
    else
    {
        MipFreeTail = page->Blink;
    }
    if (page->Blink != 0)
    {
        MiPfn(page->Blink)->Flink = page->Flink;
    }
    else
    {
        MipFreeHead = page->Flink;
    }
    page->Flink = page->Blink = 0;
}

static VOID MipTake(PFN_NUMBER Pfn, MI_PAGE_STATE State)
{
    PMMPFN page = MiPfn(Pfn);

    MipUnlink(Pfn);
    page->State = (UCHAR)State;
    page->Counts = 1;
    page->Pte = NULL;
    MiFreePageCount--;
}

static VOID MipPut(PFN_NUMBER Pfn, BOOLEAN Last)
{
    PMMPFN page = MiPfn(Pfn);

    page->State = MiPageFree;
    page->Pte = NULL;
    if (Last)
    {
        page->Flink = 0;
        page->Blink = MipFreeTail;
        if (MipFreeTail != 0)
        {
            MiPfn(MipFreeTail)->Flink = (ULONG)Pfn;
        }
        else
        {
            MipFreeHead = (ULONG)Pfn;
        }
        MipFreeTail = (ULONG)Pfn;
    }
    else
    {
        page->Blink = 0;
        page->Flink = MipFreeHead;
        if (MipFreeHead != 0)
        {
            MiPfn(MipFreeHead)->Blink = (ULONG)Pfn;
        }
        else
        {
            MipFreeTail = (ULONG)Pfn;
        }
        MipFreeHead = (ULONG)Pfn;
    }
    MiFreePageCount++;
}

/* ---- taking and giving ---- */

static PFN_NUMBER MipBootPage(VOID)
{
    PFN_NUMBER page;

    if (MipBootStart == MipBootEnd)
    {
        return 0;
    }
    page = --MipBootEnd;
    MiZeroPage(page);
    return page;
}

SIZE_T MiAllocatePages(SIZE_T Count, PPFN_NUMBER Pages, ULONG Flags, MI_PAGE_STATE State)
{
    LONG64 reserve = (Flags & MI_ALLOCATE_USER) ? MipReserve : 0;
    LONG64 available;
    KIRQL irql;

    if (!MipDatabaseReady)
    {
        Pages[0] = MipBootPage();
        return Pages[0] != 0;
    }
    irql = MiAcquireLock(&MipPfnLock);
    available = MiFreePageCount - reserve;
    if (available < (LONG64)Count)
    {
        Count = (Flags & MI_ALLOCATE_PARTIAL) && available > 0 ? (SIZE_T)available : 0;
    }
    for (SIZE_T i = 0; i < Count; i++)
    {
        Pages[i] = MipFreeHead;
        MipTake(Pages[i], State);
    }
    MiReleaseLock(&MipPfnLock, irql);
    if (Flags & MI_ALLOCATE_ZEROED)
    {
        for (SIZE_T i = 0; i < Count; i++)
        {
            MiZeroPage(Pages[i]);
        }
    }
    return Count;
}

PFN_NUMBER MiAllocatePage(ULONG Flags, MI_PAGE_STATE State)
{
    PFN_NUMBER page;

    return MiAllocatePages(1, &page, Flags & ~MI_ALLOCATE_PARTIAL, State) == 1 ? page : 0;
}

VOID MiFreePage(PFN_NUMBER Pfn, BOOLEAN Last)
{
    PMMPFN page = MiPfn(Pfn);
    KIRQL irql;

    if (!MiIsMemory(Pfn) || page->State == MiPageFree || page->State == MiPageReserved || page->Counts != 0)
    {
        KeBugCheckEx(MI_BUGCHECK_PFN_LIST_CORRUPT, 0x99, Pfn, page->State, (ULONG_PTR)page->Counts);
    }
    if (page->CacheType != MmCached)
    {
        MiSetCacheType(Pfn, MmCached);
    }
    irql = MiAcquireLock(&MipPfnLock);
    MipPut(Pfn, Last);
    MiReleaseLock(&MipPfnLock, irql);
}

VOID MiReleasePages(const PFN_NUMBER *Pages, SIZE_T Count)
{
    SIZE_T i = 0;

    while (i < Count)
    {
        KIRQL irql;

        if (MI_REFERENCES(InterlockedDecrement64(&MiPfn(Pages[i])->Counts)) > 0)
        {
            i++;
            continue;
        }
        if (MiPfn(Pages[i])->CacheType != MmCached || MiPfn(Pages[i])->Counts != 0)
        {
            MiFreePage(Pages[i++], FALSE); /* knows what to do, or whom to blame */
            continue;
        }
        /* The usual case: the lock is taken once for this page and the plain ones that follow. */
        irql = MiAcquireLock(&MipPfnLock);
        MipPut(Pages[i++], FALSE);
        while (i < Count && MiPfn(Pages[i])->Counts == 1 && MiPfn(Pages[i])->CacheType == MmCached &&
               InterlockedCompareExchange64(&MiPfn(Pages[i])->Counts, 0, 1) == 1)
        {
            MipPut(Pages[i++], FALSE);
        }
        MiReleaseLock(&MipPfnLock, irql);
    }
}

/* The direct map keeps its cached alias. Nothing touches the page through it while it has another type: it is zeroed
   before it gets one, and after it has lost it. */
VOID MiSetCacheType(PFN_NUMBER Pfn, MEMORY_CACHING_TYPE CacheType)
{
    PMMPFN page = MiPfn(Pfn);

    if ((page->CacheType == MmCached) != (CacheType == MmCached))
    {
        InterlockedAdd64(&MiUncachedPages, CacheType == MmCached ? -1 : 1);
    }
    page->CacheType = (UCHAR)CacheType;
}

MEMORY_CACHING_TYPE MiChooseCacheType(PFN_NUMBER Pfn, MEMORY_CACHING_TYPE Wanted)
{
    PMMPFN page = MiPfn(Pfn);
    UCHAR type = MI_CACHE_UNDECIDED;

    /* Of two mappings at once one decides for both. */
    if (__atomic_compare_exchange_n(&page->CacheType, &type, (UCHAR)Wanted, FALSE, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    {
        if (Wanted == MmCached)
        {
            InterlockedDecrement64(&MiUncachedPages);
        }
        return Wanted;
    }
    return (MEMORY_CACHING_TYPE)type;
}

/* ---- by place ---- */

static PFN_NUMBER MipFirstCandidate(PFN_NUMBER Pfn, SIZE_T Count, PFN_NUMBER Alignment, PFN_NUMBER Boundary)
{
    for (;;)
    {
        Pfn = (Pfn + Alignment - 1) / Alignment * Alignment;
        if (Boundary == 0 || Pfn / Boundary == (Pfn + Count - 1) / Boundary)
        {
            return Pfn;
        }
        Pfn = (Pfn / Boundary + 1) * Boundary;
    }
}

PFN_NUMBER MiAllocateRun(SIZE_T Count, PFN_NUMBER Low, PFN_NUMBER High, PFN_NUMBER Alignment, PFN_NUMBER Boundary,
                         MI_PAGE_STATE State)
{
    PFN_NUMBER start;

    High = min(High, MiHighestPage);
    if (Count == 0 || Count > MiTotalPages || (Boundary != 0 && Count > Boundary))
    {
        return 0;
    }
    start = MipFirstCandidate(max(Low, 1), Count, Alignment, Boundary);
    while (start <= High && Count - 1 <= High - start)
    {
        PFN_NUMBER busy = start + Count; /* looked for without the lock, from the end, then made sure of with it */
        KIRQL irql;

        while (busy > start && MiPfn(busy - 1)->State == MiPageFree)
        {
            busy--;
        }
        if (busy > start)
        {
            start = MipFirstCandidate(busy, Count, Alignment, Boundary);
            continue;
        }
        irql = MiAcquireLock(&MipPfnLock);
        while (busy < start + Count && MiPfn(busy)->State == MiPageFree)
        {
            busy++;
        }
        if (busy == start + Count)
        {
            for (PFN_NUMBER page = start; page < start + Count; page++)
            {
                MipTake(page, State);
            }
            MiReleaseLock(&MipPfnLock, irql);
            return start;
        }
        MiReleaseLock(&MipPfnLock, irql);
        start = MipFirstCandidate(busy + 1, Count, Alignment, Boundary);
    }
    return 0;
}

SIZE_T MiAllocatePagesInRange(SIZE_T Count, PPFN_NUMBER Pages, PFN_NUMBER Low, PFN_NUMBER High, MI_PAGE_STATE State)
{
    SIZE_T taken = 0;

    High = min(High, MiHighestPage);
    for (PFN_NUMBER page = max(Low, 1); page <= High && taken < Count;)
    {
        PFN_NUMBER stop = min(High, page + 1023); /* bounds the time at DISPATCH_LEVEL */
        KIRQL irql = MiAcquireLock(&MipPfnLock);

        for (; page <= stop && taken < Count; page++)
        {
            if (MiPfn(page)->State == MiPageFree)
            {
                MipTake(page, State);
                Pages[taken++] = page;
            }
        }
        MiReleaseLock(&MipPfnLock, irql);
    }
    return taken;
}

/* ---- phase 0 ---- */

PVOID MiBootAllocate(SIZE_T Size)
{
    SIZE_T pages = BYTES_TO_PAGES(Size);
    PFN_NUMBER first;

    if (MipDatabaseReady)
    {
        first = MiAllocateRun(pages, MiHighestPage / 2, MiHighestPage, 1, 0, MiPageKernel); /* low pages are dear */
        first = first != 0 ? first : MiAllocateRun(pages, 1, MiHighestPage, 1, 0, MiPageKernel);
    }
    else
    {
        first = MipBootEnd - MipBootStart >= pages ? MipBootEnd - pages : 0;
        MipBootEnd -= first != 0 ? pages : 0;
    }
    if (first == 0)
    {
        KeBugCheckEx(PHASE0_INITIALIZATION_FAILED, (ULONG_PTR)STATUS_INSUFFICIENT_RESOURCES, Size,
                     MipBootEnd - MipBootStart, 0);
    }
    __stosq(MiPfnToVirtual(first), 0, pages * (PAGE_SIZE / sizeof(ULONG64)));
    return MiPfnToVirtual(first);
}

/* The database is virtually one array; where it describes RAM it has pages of its own, in the holes one page of zeroes,
   that is MiPageNotMemory, read-only. */
static VOID MipMapDatabase(const BOOT_BLOCK *Block)
{
    ULONG_PTR end = ROUND_TO_PAGES(MM_PFN_DATABASE_BASE + (MiHighestPage + 1) * sizeof(MMPFN));
    PFN_NUMBER hole = MipBootPage();
    PMMPTE table = NULL;

    for (ULONG i = 0; i < Block->MemoryRangeCount; i++)
    {
        const BOOT_MEMORY_RANGE *range = &Block->MemoryRanges[i];
        if (range->Type == BootMemoryFirmware)
        {
            continue;
        }
        ULONG_PTR first = (ULONG_PTR)PAGE_ALIGN(MiPfn(range->Base >> PAGE_SHIFT));
        ULONG_PTR last = (ULONG_PTR)MiPfn((range->Base + range->Size - 1) >> PAGE_SHIFT) + sizeof(MMPFN) - 1;
        table = NULL;
        for (ULONG_PTR va = first; va <= last; va += PAGE_SIZE)
        {
            table = table == NULL || (va & (512 * PAGE_SIZE - 1)) == 0 ? MiMakeKernelTable(va) : table;
            PMMPTE entry = &table[(va >> PAGE_SHIFT) & 511];
            if (*entry == 0)
            {
                *entry = (MipBootPage() << PAGE_SHIFT) | MI_PTE_KERNEL;
            }
        }
    }
    table = NULL;
    for (ULONG_PTR va = MM_PFN_DATABASE_BASE; va < end; va += PAGE_SIZE)
    {
        table = table == NULL || (va & (512 * PAGE_SIZE - 1)) == 0 ? MiMakeKernelTable(va) : table;
        PMMPTE entry = &table[(va >> PAGE_SHIFT) & 511];
        if (*entry == 0)
        {
            *entry = (hole << PAGE_SHIFT) | (MI_PTE_KERNEL & ~MI_PTE_WRITE);
        }
    }
}

/* From Used on phase 0 has taken the range. The list gets the pages so that high ones are taken first: what lies low
   is kept for drivers that need it. */
static VOID MipDescribeRange(const BOOT_MEMORY_RANGE *Range, PFN_NUMBER Used)
{
    PFN_NUMBER first = Range->Base >> PAGE_SHIFT;
    PFN_NUMBER end = (Range->Base + Range->Size) >> PAGE_SHIFT;

    for (PFN_NUMBER page = first; page < end; page++)
    {
        PMMPFN entry = MiPfn(page);
        entry->CacheType = MmCached;
        entry->Counts = 1;
        switch (Range->Type)
        {
        case BootMemoryFree:
            MiTotalPages++;
            entry->State = MiPageKernel;
            if (page != 0 && page < Used)
            {
                entry->Counts = 0;
                MipPut(page, FALSE);
            }
            break;
        case BootMemoryKernelImage:
            entry->State = MiPageKernel;
            break;
        case BootMemoryPageTables:
            entry->State = MiPagePageTable;
            break;
        default:
            entry->State = MiPageReserved;
            break;
        }
    }
}

VOID MiInitializePfnDatabase(const BOOT_BLOCK *Block)
{
    const BOOT_MEMORY_RANGE *largest = NULL;
    MiHighestPage = Block->HighestPhysicalAddress >> PAGE_SHIFT;
    for (ULONG i = 0; i < Block->MemoryRangeCount; i++)
    {
        const BOOT_MEMORY_RANGE *range = &Block->MemoryRanges[i];
        if (range->Type == BootMemoryFree && (largest == NULL || range->Size > largest->Size))
        {
            largest = range;
        }
    }
    if (largest == NULL)
    {
        KeBugCheckEx(PHASE0_INITIALIZATION_FAILED, (ULONG_PTR)STATUS_INSUFFICIENT_RESOURCES, 0, 0, 0);
    }
    MipBootStart = largest->Base >> PAGE_SHIFT;
    MipBootEnd = (largest->Base + largest->Size) >> PAGE_SHIFT;
    MipMapDatabase(Block);
    for (ULONG i = 0; i < Block->MemoryRangeCount; i++)
    {
        const BOOT_MEMORY_RANGE *range = &Block->MemoryRanges[i];
        if (range->Type != BootMemoryFirmware)
        {
            MipDescribeRange(range, range == largest ? MipBootEnd : MAXULONG_PTR);
        }
    }
    MipDatabaseReady = TRUE;
    MipReserve = max(64, MiTotalPages / 128);
}

/**
 * Hands a range of RAM that had an owner during the start (the loader's image) to the free list.
 */
VOID MiDonateRange(PFN_NUMBER First, SIZE_T Count)
{
    for (PFN_NUMBER page = First; page < First + Count; page++)
    {
        PMMPFN entry = MiPfn(page);
        KIRQL irql;

        if (page == 0 || entry->State != MiPageReserved)
        {
            continue;
        }
        irql = MiAcquireLock(&MipPfnLock);
        entry->Counts = 0;
        MipPut(page, TRUE);
        MiTotalPages++;
        MiReleaseLock(&MipPfnLock, irql);
    }
}
