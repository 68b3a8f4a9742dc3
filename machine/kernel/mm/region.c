/* SPDX-License-Identifier: MIT */
/*
 * Ranges of kernel addresses: system PTEs, the pools, driver images. One allocator serves them all.
 *
 *   entries   ... | record | page | page | page | record | page | record | record | page | page | ...
 *                 |<----- a view, 3 pages ----->|<- stack ...  |<-- block of pool, 2 pages -->|
 *
 * A record is an entry that the CPU takes for not present: it says who owns the pages that follow, how many they are,
 * and (37 bits) the caller or tag. So every range has a guard page below it and, in its neighbour's record, one above;
 * a release is checked against its record, and walking the entries finds every owner, at no cost in memory.
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
    Region->Tables = MiBootAllocate(Pages / 512 * sizeof(PMMPTE));
    KeInitializeSpinLock(&Region->Lock);
}

/* First run of Count clear bits that starts at From or above and ends at End or below; End if there is none. */
static ULONG MipFindClear(const MI_REGION *Region, ULONG Count, ULONG From, ULONG End)
{
    ULONG start = From;

    while (start < End && Count <= End - start)
    {
        ULONG64 free = ~Region->Bitmap[start / 64] >> (start % 64);
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
            ULONG64 taken = Region->Bitmap[at / 64] >> (at % 64);
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

static VOID MipSetBits(MI_REGION *Region, ULONG Start, ULONG Count, BOOLEAN Taken)
{
    while (Count != 0)
    {
        ULONG bit = Start % 64;
        ULONG now = min(64 - bit, Count);
        ULONG64 mask = (now == 64 ? ~0ULL : (1ULL << now) - 1) << bit;
        if (Taken)
        {
            Region->Bitmap[Start / 64] |= mask;
        }
        else
        {
            Region->Bitmap[Start / 64] &= ~mask;
        }
        Start += now;
        Count -= now;
    }
}

static BOOLEAN MipMakeTables(MI_REGION *Region, ULONG Start, ULONG Count)
{
    for (ULONG i = Start / 512; i <= (Start + Count - 1) / 512; i++)
    {
        if (Region->Tables[i] == NULL)
        {
            Region->Tables[i] = MiMakeKernelTable(Region->Base + ((ULONG_PTR)i << 21));
            if (Region->Tables[i] == NULL)
            {
                return FALSE;
            }
        }
    }
    return TRUE;
}

/* The usual case: right at the hint, within one word of the bitmap (and so within one page table), all free. Lock held.
 */
static inline BOOLEAN MipTakeAtHint(MI_REGION *Region, ULONG Count)
{
    ULONG start = Region->Hint;
    ULONG64 mask;

    if (start % 64 + Count > 64 || start >= Region->Pages || Region->Tables[start / 512] == NULL)
    {
        return FALSE;
    }
    mask = (Count == 64 ? ~0ULL : (1ULL << Count) - 1) << (start % 64);
    if (Region->Bitmap[start / 64] & mask)
    {
        return FALSE;
    }
    Region->Bitmap[start / 64] |= mask;
    return TRUE;
}

ULONG MiReserveRange(MI_REGION *Region, ULONG Pages, ULONG Records)
{
    ULONG count = Pages + Records;
    ULONG start;
    KIRQL irql;

    if (Pages > MI_RECORD_MAX_PAGES || count > Region->Pages)
    {
        return 0;
    }
    irql = MiAcquireLock(&Region->Lock);
    start = Region->Hint;
    if (!MipTakeAtHint(Region, count))
    {
        start = MipFindClear(Region, count, Region->Hint, Region->Pages);
        if (start == Region->Pages)
        {
            start = MipFindClear(Region, count, 0, Region->Pages);
        }
        if (start == Region->Pages || !MipMakeTables(Region, start, count))
        {
            MiReleaseLock(&Region->Lock, irql);
            return 0;
        }
        MipSetBits(Region, start, count, TRUE);
    }
    Region->Free -= (LONG)count;
    Region->Hint = start + count;
    MiReleaseLock(&Region->Lock, irql);
    return start + Records;
}

VOID MiReturnRange(MI_REGION *Region, ULONG Index, ULONG Pages, ULONG Records)
{
    KIRQL irql = MiAcquireLock(&Region->Lock);

    MipSetBits(Region, Index - Records, Pages + Records, FALSE);
    Region->Free += (LONG)(Pages + Records);
    MiReleaseLock(&Region->Lock, irql);
}

VOID MiReleaseRange(MI_REGION *Region, ULONG Index, ULONG Pages, ULONG Records)
{
    ULONG at = Index;
    ULONG end = Index + Pages;

    while (at < end)
    {
        PMMPTE entry = MiRegionPte(Region, at);
        ULONG stop = min(end, (at | 511) + 1);
        for (; at < stop; at++)
        {
            *entry++ = 0;
        }
    }
    for (ULONG i = 1; i <= Records; i++)
    {
        *MiRegionPte(Region, Index - i) = 0;
    }
    KeFlushTb(NULL, MiRegionVa(Region, Index), Pages);
    MiReturnRange(Region, Index, Pages, Records);
}

VOID MiMapPages(MI_REGION *Region, ULONG Index, SIZE_T Pages, const PFN_NUMBER *Pfns, ULONG64 Bits)
{
    ULONG at = Index;
    ULONG end = Index + (ULONG)Pages;

    while (at < end)
    {
        PMMPTE entry = MiRegionPte(Region, at);
        ULONG stop = min(end, (at | 511) + 1);
        for (; at < stop; at++)
        {
            *entry++ = (*Pfns++ << PAGE_SHIFT) | Bits;
        }
    }
}

VOID MiMapRun(MI_REGION *Region, ULONG Index, SIZE_T Pages, PFN_NUMBER First, ULONG64 Bits)
{
    for (ULONG i = 0; i < Pages; i++)
    {
        *MiRegionPte(Region, Index + i) = ((First + i) << PAGE_SHIFT) | Bits;
    }
}

ULONG64 MiFindRecord(const MI_REGION *Region, ULONG_PTR Va)
{
    ULONG index;
    ULONG64 record;

    if (!MiInRegion(Region, Va) || (Va & (PAGE_SIZE - 1)) != 0)
    {
        return 0;
    }
    index = MiRegionIndex(Region, Va);
    if (index == 0 || Region->Tables[(index - 1) >> 9] == NULL)
    {
        return 0;
    }
    record = *MiRegionPte(Region, index - 1);
    return MiRecordKind(record) != MiRecordNone ? record : 0;
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
