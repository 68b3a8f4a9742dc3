/* SPDX-License-Identifier: MIT */
/*
 * Ranges of kernel addresses: system PTEs, the pools, driver images. One allocator serves them all.
 *
 *   entries   ... | record | page | page | page | record | page | record | record | page | page | ...
 *                 |<----- a view, 3 pages ----->|<- stack ...  |<-- block of pool, 2 pages -->|
 *
 * A record is an entry that the CPU takes for not present: it says who owns the pages that follow, how many they are,
 * and (37 bits) the caller or tag. So every range has a guard page below it and, in its neighbour's record, one above;
 * a release is checked against its record, and walking the entries finds every owner, at no cost in memory. The entries
 * of a region are one array (pte.c says how).
 *
 * Searching goes round (next fit): an address that was given back comes into use again late, so that a driver that
 * keeps using a view after its end meets a fault and not somebody else's data.
 */
#include "mmp.h"

MI_REGION MiSystemPtes, MiNonPagedRegion, MiPagedRegion, MiImageRegion;

VOID MiInitializeRegion(MI_REGION *Region, ULONG_PTR Base, ULONG Pages)
{
    Pages = (Pages + 511) & ~511u;
    Region->Base = Base;
    Region->Pages = Pages;
    Region->Free = (LONG)Pages;
    Region->Hint = 0;
    Region->Bitmap = MiBootAllocate(Pages / 8);
    Region->Entries = MiKernelPte(Base);
    KeInitializeSpinLock(&Region->Lock);
}

/* First run of Count clear bits that starts at From or above and ends at End or below; End if there is none. */
static ULONG MipFindClear(const MI_REGION *Region, ULONG Count, ULONG From, ULONG End)
{
    ULONG start = From;

    while (start < End && Count <= End - start)
    {
        ULONG64 free = ~(ULONG64)Region->Bitmap[start / 64] >> (start % 64);
        ULONG run = 0;
        if (free == 0)
        {
            start = (start | 63) + 1;
            continue;
        }
        start += (ULONG)__builtin_ctzll(free);
        while (run < Count && start + run < End)
        {
            ULONG at = start + run;
            ULONG64 taken = (ULONG64)Region->Bitmap[at / 64] >> (at % 64);
            if (taken != 0)
            {
                run += (ULONG)__builtin_ctzll(taken);
                break;
            }
            run += 64 - at % 64;
        }
        if (run >= Count && Count <= End - start)
        {
            return start;
        }
        start += run + 1;
    }
    return End;
}

/* Clears bits, word by word. */
VF_SELDOM VOID MiClearBits(MI_REGION *Region, ULONG Start, ULONG Count)
{
    while (Count != 0)
    {
        ULONG now = min(64 - Start % 64, Count);

        InterlockedAnd64(&Region->Bitmap[Start / 64], ~MiWordMask(Start, now));
        Start += now;
        Count -= now;
    }
}

/* Sets bits that were seen clear, word by word. FALSE, with none set: somebody else was faster. */
static BOOLEAN MipSetBits(MI_REGION *Region, ULONG Start, ULONG Count)
{
    ULONG done = 0;

    while (done < Count)
    {
        ULONG at = Start + done;
        ULONG now = min(64 - at % 64, Count - done);
        LONG64 mask = MiWordMask(at, now);
        LONG64 word = Region->Bitmap[at / 64];

        if ((word & mask) != 0)
        {
            MiClearBits(Region, Start, done);
            return FALSE;
        }
        if (InterlockedCompareExchange64(&Region->Bitmap[at / 64], word | mask, word) == word)
        {
            done += now;
        }
    }
    return TRUE;
}

/* Page tables up to an address. They are needed in order, because a search takes the first free addresses. */
static BOOLEAN MipMakeTables(MI_REGION *Region, ULONG End)
{
    while (Region->Mapped < End)
    {
        if (MiMakeKernelTable(Region->Base + ((ULONG_PTR)Region->Mapped << PAGE_SHIFT)) == NULL)
        {
            return FALSE;
        }
        Region->Mapped += 512;
    }
    return TRUE;
}

VF_SELDOM ULONG MiTakeElsewhere(MI_REGION *Region, ULONG Pages, ULONG Records)
{
    ULONG count = Pages + Records;
    ULONG start;
    KIRQL irql;

    if (Pages > MI_RECORD_MAX_PAGES || count > Region->Pages)
    {
        return MAXULONG;
    }
    irql = MiAcquireLock(&Region->Lock);
    do
    {
        start = MipFindClear(Region, count, Region->Hint, Region->Pages);
        if (start == Region->Pages)
        {
            start = MipFindClear(Region, count, 0, Region->Pages);
        }
        if (start == Region->Pages || !MipMakeTables(Region, start + count))
        {
            start = MAXULONG;
        }
    } while (start != MAXULONG && !MipSetBits(Region, start, count));
    MiReleaseLock(&Region->Lock, irql);
    return start;
}

/* These loops are on their own, so that the compiler may make them long: a single page goes without. */
VOID MiMapMany(PMMPTE Entry, SIZE_T Pages, const PFN_NUMBER *Pfns, ULONG64 Bits)
{
    for (SIZE_T i = 0; i < Pages; i++)
    {
        Entry[i] = (Pfns[i] << PAGE_SHIFT) | Bits;
    }
}

VOID MiClearMany(PMMPTE Entry, SIZE_T Count)
{
    for (SIZE_T i = 0; i < Count; i++)
    {
        Entry[i] = 0;
    }
}

VOID MiMapRun(MI_REGION *Region, ULONG Index, SIZE_T Pages, PFN_NUMBER First, ULONG64 Bits)
{
    for (ULONG i = 0; i < Pages; i++)
    {
        *MiRegionPte(Region, Index + i) = ((First + i) << PAGE_SHIFT) | Bits;
    }
}

PVOID MiAllocateMapped(MI_REGION *Region, ULONG Pages, MI_RECORD_KIND Kind, ULONG64 Info, ULONG64 Bits,
                       MI_PAGE_STATE State)
{
    ULONG index = MiReserveRange(Region, Pages, 1);
    ULONG mapped = 0;

    if (index == 0)
    {
        return NULL;
    }
    while (mapped < Pages)
    {
        PFN_NUMBER chunk[32];
        ULONG want = min(Pages - mapped, (ULONG)RTL_NUMBER_OF(chunk));
        if (MiAllocatePages(want, chunk, 0, State) == 0)
        {
            break;
        }
        MiMapPages(Region, index + mapped, want, chunk, Bits);
        mapped += want;
    }
    *MiRegionPte(Region, index - 1) = MiMakeRecord(Kind, Pages, Info);
    if (mapped < Pages)
    {
        for (ULONG i = 0; i < mapped; i++) /* nobody has touched these addresses: nothing to flush */
        {
            ULONG64 entry = MiTakeKernelEntry(MiRegionPte(Region, index + i), 0);
            if (entry & MI_PTE_VALID)
            {
                MiReleasePage(MI_PTE_PFN(entry));
            }
        }
        *MiRegionPte(Region, index - 1) = 0;
        MiReturnRange(Region, index, Pages, 1);
        return NULL;
    }
    return MiRegionVa(Region, index);
}

VOID MiFreeMapped(MI_REGION *Region, PVOID Va, ULONG Pages)
{
    ULONG index = MiRegionIndex(Region, (ULONG_PTR)Va);

    /* Entries first, then the flush, then the pages; in batches, so that the PFNs have a place meanwhile. */
    *MiRegionPte(Region, index - 1) = 0;
    for (ULONG done = 0; done < Pages;)
    {
        PFN_NUMBER chunk[64];
        ULONG now = 0;
        ULONG first = done;
        for (; done < Pages && now < RTL_NUMBER_OF(chunk); done++)
        {
            ULONG64 old = MiTakeKernelEntry(MiRegionPte(Region, index + done), 0);
            if (old & MI_PTE_VALID)
            {
                chunk[now++] = MI_PTE_PFN(old);
            }
        }
        KeFlushTb(NULL, MiRegionVa(Region, index + first), done - first);
        MiReleasePages(chunk, now);
    }
    MiReturnRange(Region, index, Pages, 1);
}
