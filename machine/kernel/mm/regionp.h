/* SPDX-License-Identifier: MIT */
/* Part of mmp.h: ranges of kernel addresses (region.c has the drawing). */
#pragma once

typedef struct _MI_REGION
{
    ULONG_PTR Base;
    ULONG Pages;
    volatile ULONG Hint; /* where the next search starts */
    volatile LONG Free;
    volatile LONG64 *Bitmap; /* 1 = taken; changed by interlocked instructions only */
    PMMPTE Entries;   /* of all its pages; there are page tables for the first Mapped of them */
    volatile ULONG Mapped;
    KSPIN_LOCK Lock;  /* to search, and to make page tables */
} MI_REGION;

typedef enum _MI_RECORD_KIND
{
    MiRecordNone,
    MiRecordMdlView,
    MiRecordStack,
    MiRecordIoSpace,
    MiRecordContiguous,
    MiRecordNonCached,
    MiRecordReservedMapping,
    MiRecordImage,
    MiRecordUnloadedImage,
    MiRecordPoolPage,  /* one page of small blocks */
    MiRecordPoolPages, /* one block of whole pages; its second record has tag and size */
    MiRecordSectionView,
    MiRecordSpecial,      /* one page of special pool; its second record as above */
    MiRecordSpecialFreed, /* in the first record and in the page's entry: who freed it */
    MiRecordTrimmed,      /* in a page's own entry: pageable.c has the format */
} MI_RECORD_KIND;

#define MI_RECORD_MAX_PAGES ((1u << 22) - 1)

static inline MMPTE MiMakeRecord(MI_RECORD_KIND Kind, ULONG Pages, ULONG64 Info)
{
    return ((ULONG64)Kind << 1) | ((ULONG64)Pages << 5) | (Info << 27);
}
static inline MI_RECORD_KIND MiRecordKind(ULONG64 Record)
{
    return Record & 1 ? MiRecordNone : (MI_RECORD_KIND)((Record >> 1) & 0xF);
}
static inline ULONG MiRecordPages(ULONG64 Record) { return (ULONG)(Record >> 5) & MI_RECORD_MAX_PAGES; }
static inline ULONG64 MiRecordInfo(ULONG64 Record) { return Record >> 27; }

static inline BOOLEAN MiIsRecordOf(ULONG64 Record, MI_RECORD_KIND Kind, ULONG Pages)
{
    return (Record & ((1ULL << 27) - 1)) == MiMakeRecord(Kind, Pages, 0);
}

/* Callers are kernel or driver code, so 37 bits name them to four bytes. */
static inline ULONG64 MiPackCaller(PVOID Caller)
{
    return (((ULONG_PTR)Caller - MM_IMAGE_BASE) >> 2) & ((1ULL << 37) - 1);
}
static inline PVOID MiUnpackCaller(ULONG64 Info) { return (PVOID)(MM_IMAGE_BASE + (Info << 2)); }

static inline PMMPTE MiRegionPte(const MI_REGION *Region, ULONG Index)
{
    return Region->Entries + Index;
}
static inline BOOLEAN MiInRegion(const MI_REGION *Region, ULONG_PTR Va)
{
    return Va - Region->Base < (ULONG_PTR)Region->Pages << PAGE_SHIFT;
}
static inline ULONG MiRegionIndex(const MI_REGION *Region, ULONG_PTR Va)
{
    return (ULONG)((Va - Region->Base) >> PAGE_SHIFT);
}
static inline PVOID MiRegionVa(const MI_REGION *Region, ULONG Index)
{
    return (PVOID)(Region->Base + ((ULONG_PTR)Index << PAGE_SHIFT));
}

extern MI_REGION MiSystemPtes, MiNonPagedRegion, MiPagedRegion, MiImageRegion;
extern MI_REGION MiSpecialRegion, MiSpecialPagedRegion; /* of no pages unless special pool is on */

/** TRUE for code of a driver, as opposed to the kernel's. Any IRQL. */
static inline BOOLEAN MiIsDriverCode(PVOID Address)
{
    return MiInRegion(&MiImageRegion, (ULONG_PTR)Address);
}

static inline BOOLEAN MiIsPagedPool(ULONG_PTR Va)
{
    return MiInRegion(&MiPagedRegion, Va) || MiInRegion(&MiSpecialPagedRegion, Va);
}

VOID MiInitializeRegion(MI_REGION *Region, ULONG_PTR Base, ULONG Pages);
/** Addresses that are not right at the hint, or not in one word; MAXULONG if there are none. */
VF_SELDOM ULONG MiTakeElsewhere(MI_REGION *Region, ULONG Pages, ULONG Records);
VF_SELDOM VOID MiClearBits(MI_REGION *Region, ULONG Start, ULONG Count);

/* The bits of Count addresses from Start on, if they are all in one word of the bitmap. */
static inline BOOLEAN MiInOneWord(ULONG Start, ULONG Count)
{
    return Count - 1 < 64 - Start % 64;
}
static inline LONG64 MiWordMask(ULONG Start, ULONG Count)
{
    return (LONG64)((~0ULL >> (64 - Count)) << (Start % 64));
}

/**
 * Reserves Pages addresses preceded by Records record entries (at least 1); returns the first page's index, 0 if there
 * is no room. The usual case, right at the hint, is inline: one interlocked instruction takes them all.
 */
static inline ULONG MiReserveRange(MI_REGION *Region, ULONG Pages, ULONG Records)
{
    ULONG count = Pages + Records;
    ULONG hint = Region->Hint;
    ULONG start = hint;
    BOOLEAN taken = FALSE;

    if (MiInOneWord(start, count) && start < Region->Mapped)
    {
        LONG64 mask = MiWordMask(start, count);
        LONG64 word = Region->Bitmap[start / 64];
        taken = (word & mask) == 0 &&
                InterlockedCompareExchange64(&Region->Bitmap[start / 64], word | mask, word) == word;
    }
    if (!taken)
    {
        start = MiTakeElsewhere(Region, Pages, Records);
        if (start == MAXULONG)
        {
            return 0;
        }
    }
    InterlockedAdd(&Region->Free, -(LONG)count);
    InterlockedCompareExchange((volatile LONG *)&Region->Hint, (LONG)(start + count), (LONG)hint); /* never back */
    return start + Records;
}

VOID MiClearMany(PMMPTE Entry, SIZE_T Count);
static inline VOID MiClearEntries(PMMPTE Entry, SIZE_T Count)
{
    if (Count == 1)
    {
        *Entry = 0;
        return;
    }
    MiClearMany(Entry, Count);
}

/** Only gives the addresses back: entries are clear and flushed already. */
static inline VOID MiReturnRange(MI_REGION *Region, ULONG Index, ULONG Pages, ULONG Records)
{
    ULONG start = Index - Records;
    ULONG count = Pages + Records;

    if (MiInOneWord(start, count))
    {
        InterlockedAnd64(&Region->Bitmap[start / 64], ~MiWordMask(start, count));
    }
    else
    {
        MiClearBits(Region, start, count);
    }
    InterlockedAdd(&Region->Free, (LONG)count);
}

/**
 * Clears the entries of a range and its records, flushes, and gives the addresses back. The pages themselves are the
 * caller's.
 */
static inline VOID MiReleaseRange(MI_REGION *Region, ULONG Index, ULONG Pages, ULONG Records)
{
    for (ULONG i = 1; i <= Records; i++)
    {
        *MiRegionPte(Region, Index - i) = 0;
    }
    MiClearEntries(MiRegionPte(Region, Index), Pages);
    KeFlushTb(NULL, MiRegionVa(Region, Index), Pages);
    MiReturnRange(Region, Index, Pages, Records);
}
VOID MiMapMany(PMMPTE Entry, SIZE_T Pages, const PFN_NUMBER *Pfns, ULONG64 Bits);
/** Writes Pages (at least 1) valid entries from an array of PFNs. */
static inline VOID MiMapPages(MI_REGION *Region, ULONG Index, SIZE_T Pages, const PFN_NUMBER *Pfns, ULONG64 Bits)
{
    PMMPTE entry = MiRegionPte(Region, Index);

    *entry = (*Pfns << PAGE_SHIFT) | Bits;
    if (Pages > 1)
    {
        MiMapMany(entry + 1, Pages - 1, Pfns + 1, Bits);
    }
}
VOID MiMapRun(MI_REGION *Region, ULONG Index, SIZE_T Pages, PFN_NUMBER First, ULONG64 Bits);
/** Where the record lies of a range whose first page is at Va, or NULL. It may hold something else, or nothing. */
static inline PMMPTE MiRecordEntry(const MI_REGION *Region, ULONG_PTR Va)
{
    ULONG_PTR offset = Va - PAGE_SIZE - Region->Base;

    return offset < (ULONG_PTR)Region->Mapped << PAGE_SHIFT && (offset & (PAGE_SIZE - 1)) == 0
               ? Region->Entries + (offset >> PAGE_SHIFT) : NULL;
}
/** The record before a range if Va is its first page, else 0. */
static inline ULONG64 MiFindRecord(const MI_REGION *Region, ULONG_PTR Va)
{
    PMMPTE entry = MiRecordEntry(Region, Va);

    return entry != NULL && MiRecordKind(*entry) != MiRecordNone ? *entry : 0;
}
/** Reserves, takes pages, maps: for stacks, images, noncached memory. NULL if out of either. */
PVOID MiAllocateMapped(MI_REGION *Region, ULONG Pages, MI_RECORD_KIND Kind, ULONG64 Info, ULONG64 Bits,
                       MI_PAGE_STATE State);
VOID MiFreeMapped(MI_REGION *Region, PVOID Va, ULONG Pages);
