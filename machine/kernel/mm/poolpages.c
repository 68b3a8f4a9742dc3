/* SPDX-License-Identifier: MIT */
/*
 * Pool blocks of a page and more: page-aligned, on pages of their own between guard entries; telling what a pointer
 * is; counting what drivers leave.
 */
#include "poolp.h"

BOOLEAN MmIsPagedPool(PVOID Address)
{
    return MiIsPagedPool((ULONG_PTR)Address);
}

PVOID MiAllocatePoolPages(const MI_REQUEST *Request)
{
    MI_POOL *pool = Request->Pool;
    SIZE_T pages = BYTES_TO_PAGES(Request->Size);
    BOOLEAN driver = Request->Driver;
    ULONG index, mapped = 0;
    PVOID va;

    if (pages > MI_RECORD_MAX_PAGES || (LONG64)pages > MiFreePageCount)
    {
        return NULL;
    }
    index = MiReserveRange(pool->Region, (ULONG)pages, 2);
    if (index == 0)
    {
        return NULL;
    }
    while (mapped < pages)
    {
        PFN_NUMBER chunk[64];
        ULONG want = min((ULONG)pages - mapped, (ULONG)RTL_NUMBER_OF(chunk));
        if (MiAllocatePages(want, chunk, Request->Zero ? MI_ALLOCATE_ZEROED : 0, MiPagePool) == 0)
        {
            break;
        }
        MiMapPages(pool->Region, index + mapped, want, chunk, pool->PteBits);
        mapped += want;
    }
    if (mapped < pages)
    {
        for (ULONG i = 0; i < mapped; i++) /* never touched: nothing to flush */
        {
            ULONG64 entry = MiTakeKernelEntry(MiRegionPte(pool->Region, index + i), 0);
            if (entry & MI_PTE_VALID)
            {
                MiReleasePage(MI_PTE_PFN(entry));
            }
        }
        MiReturnRange(pool->Region, index, (ULONG)pages, 2);
        return NULL;
    }
    *MiRegionPte(pool->Region, index - 2) =
        MiMakePoolRecord(Request->Tag, (ULONG)((pages << PAGE_SHIFT) - Request->Size), pool->Index, driver);
    *MiRegionPte(pool->Region, index - 1) =
        MiMakeRecord(MiRecordPoolPages, (ULONG)pages, MiPackCaller(Request->Caller));
    if (driver)
    {
        InterlockedIncrement64(&MiCounters.DriverBlocks);
        InterlockedAdd64(&MiCounters.DriverBytes, (LONG64)Request->Size);
    }
    va = MiRegionVa(pool->Region, index);
    return va;
}

/**
 * Frees a block of pages. A page that is still locked, or seen through a user view, stays in use until that ends;
 * nonpaged pool that is freed while locked is a driver's error: 4E/9A.
 */
VOID MiFreePoolPages(MI_POOL *Pool, PVOID Address, ULONG Pages)
{
    ULONG index = MiRegionIndex(Pool->Region, (ULONG_PTR)Address);
    ULONG64 record = (ULONG64)InterlockedExchange64((volatile LONG64 *)MiRegionPte(Pool->Region, index - 1), 0);
    ULONG64 second = *MiRegionPte(Pool->Region, index - 2);

    if (MiRecordKind(record) != MiRecordPoolPages) /* two processors free the same block */
    {
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 7, 0, second >> 32, (ULONG_PTR)Address);
    }
    if (second & 0x80)
    {
        InterlockedDecrement64(&MiCounters.DriverBlocks);
        InterlockedAdd64(&MiCounters.DriverBytes, -(LONG64)(((SIZE_T)Pages << PAGE_SHIFT) - ((second >> 8) & 0x1FFF)));
    }
    for (ULONG i = 0; i < Pages && !Pool->Paged; i++)
    {
        PFN_NUMBER pfn = MI_PTE_PFN(*MiRegionPte(Pool->Region, index + i));
        if (MI_LOCKS(MiPfn(pfn)->Counts) != 0)
        {
            KeBugCheckEx(MI_BUGCHECK_PFN_LIST_CORRUPT, 0x9A, pfn, MiPfn(pfn)->State,
                         (ULONG_PTR)MI_REFERENCES(MiPfn(pfn)->Counts));
        }
    }
    for (ULONG done = 0; done < Pages;)
    {
        PFN_NUMBER chunk[64];
        ULONG now = min(Pages - done, (ULONG)RTL_NUMBER_OF(chunk));
        ULONG resident = 0;
        for (ULONG i = 0; i < now; i++)
        {
            ULONG64 entry = MiTakeKernelEntry(MiRegionPte(Pool->Region, index + done + i), 0);
            if (entry & MI_PTE_VALID)
            {
                chunk[resident++] = MI_PTE_PFN(entry);
            }
        }
        KeFlushTb(NULL, MiRegionVa(Pool->Region, index + done), now);
        MiReleasePages(chunk, resident);
        done += now;
    }
    *MiRegionPte(Pool->Region, index - 2) = 0;
    MiReturnRange(Pool->Region, index, Pages, 2);
}

VOID MiFoundPages(MI_REGION *Region, ULONG Index, ULONG64 Record, MI_FOUND *Found)
{
    ULONG64 second = *MiRegionPte(Region, Index - 2);

    Found->Pool = &MiPools[(second >> 5) & 3];
    Found->Tag = (ULONG)(second >> 32);
    Found->Caller = MiUnpackCaller(MiRecordInfo(Record));
    Found->Pages = MiRecordPages(Record);
    Found->Size = ((SIZE_T)Found->Pages << PAGE_SHIFT) - ((second >> 8) & 0x1FFF);
    Found->Block = NULL;
    Found->Driver = (second & 0x80) != 0;
    Found->Special = MiRecordKind(Record) == MiRecordSpecial;
}

static VOID MipFoundBlock(PMI_BLOCK Block, MI_FOUND *Found)
{
    Found->Pool = &MiPools[(Block->Flags & MI_BLOCK_POOL) >> MI_BLOCK_POOL_SHIFT];
    Found->Tag = Block->Tag;
    Found->Caller = MiUnpackCaller(Block->Caller);
    Found->Pages = 0;
    Found->Size = Block->Units * MI_UNIT - sizeof(MI_BLOCK) - Block->Slack;
    Found->Block = Block;
    Found->Driver = (Block->Flags & MI_BLOCK_DRIVER) != 0;
    Found->Special = FALSE;
}

VOID MiFindPoolBlock(PVOID Address, MI_FOUND *Found)
{
    ULONG_PTR va = (ULONG_PTR)Address;
    MI_REGION *region = MiInRegion(&MiNonPagedRegion, va) ? &MiNonPagedRegion
                        : MiInRegion(&MiPagedRegion, va)  ? &MiPagedRegion
                                                          : NULL;
    ULONG64 record;

    if (!MmIsSystemAddress(Address))
    {
        VfCheck(FALSE, 0x10, va, 0, 0);
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 0x40, va, (ULONG_PTR)MM_SYSTEM_RANGE_START, 0);
    }
    if (region == NULL && MiIsSpecialPool(Address))
    {
        MiFindSpecial(Address, Found);
        return;
    }
    if (region == NULL)
    {
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, 0x42, va, 0, 0);
    }
    record = MiFindRecord(region, va & ~(ULONG_PTR)(PAGE_SIZE - 1));
    if (MiRecordKind(record) == MiRecordPoolPages && (va & (PAGE_SIZE - 1)) == 0)
    {
        MiFoundPages(region, MiRegionIndex(region, va), record, Found);
        return;
    }
    if (MiRecordKind(record) != MiRecordPoolPage || (va & (PAGE_SIZE - 1)) == 0)
    {
        /* Inside a block of pages, or not allocated (any more). */
        KeBugCheckEx(MI_BUGCHECK_BAD_POOL_CALLER, region == &MiPagedRegion ? 0x48 : 0x44, va, 0, 0);
    }
    MipFoundBlock(MiBlockOf(Address), Found);
}

/* ---- what is left ---- */

typedef VOID (*PMI_POOL_VISITOR)(const MI_FOUND *Found, PVOID Address, PVOID Context);

static VOID MipVisitPage(PVOID Page, PMI_POOL_VISITOR Visitor, PVOID Context)
{
    PUCHAR at = Page;
    PUCHAR end = at + PAGE_SIZE;

    while (at < end)
    {
        PMI_BLOCK block = (PMI_BLOCK)at;
        MI_FOUND found;
        if (block->Units == 0 || block->Check != MiBlockCheck(block))
        {
            return;
        }
        if (block->Flags & MI_BLOCK_IN_USE)
        {
            MipFoundBlock(block, &found);
            Visitor(&found, block + 1, Context);
        }
        at += block->Units * MI_UNIT;
    }
}

/* A page of blocks that is being made has none yet; one that was trimmed comes back when it is looked at. */
static BOOLEAN MipHasPage(ULONG64 Entry)
{
    return (Entry & MI_PTE_VALID) != 0 || MiRecordKind(Entry) == MiRecordTrimmed;
}

/* The machine is quiet, or the caller can live with a count that is out of date by the time it is read. */
static VOID MipVisitRegion(MI_REGION *Region, PMI_POOL_VISITOR Visitor, PVOID Context)
{
    for (ULONG i = 0; i < Region->Mapped;)
    {
        ULONG64 record = *MiRegionPte(Region, i++);
        MI_FOUND found;
        if (MiRecordKind(record) == MiRecordPoolPages || MiRecordKind(record) == MiRecordSpecial)
        {
            MiFoundPages(Region, i, record, &found);
            Visitor(&found, found.Special ? MiSpecialBlock(Region, i) : MiRegionVa(Region, i), Context);
            i += found.Pages;
        }
        else if (MiRecordKind(record) == MiRecordPoolPage && MipHasPage(*MiRegionPte(Region, i)))
        {
            MipVisitPage(MiRegionVa(Region, i++), Visitor, Context);
        }
    }
}

VOID MiTagText(ULONG Tag, PCHAR Text)
{
    for (ULONG i = 0; i < 4; i++)
    {
        UCHAR letter = (UCHAR)(Tag >> (8 * i));
        Text[i] = letter >= 0x20 && letter < 0x7F ? (CHAR)letter : '.';
    }
    Text[4] = 0;
}

static VOID MipVisitAll(PMI_POOL_VISITOR Visitor, PVOID Context)
{
    MipVisitRegion(&MiNonPagedRegion, Visitor, Context);
    MipVisitRegion(&MiPagedRegion, Visitor, Context);
    MipVisitRegion(&MiSpecialRegion, Visitor, Context); /* of no pages unless the mode is on */
    MipVisitRegion(&MiSpecialPagedRegion, Visitor, Context);
}

static VOID MipPrintBlock(const MI_FOUND *Found, PVOID Address, PVOID Context)
{
    CHAR caller[96];
    CHAR tag[5];

    UNREFERENCED_PARAMETER(Context);
    if (!Found->Driver)
    {
        return;
    }
    MiTagText(Found->Tag, tag);
    HalPrint(HalStreamError, "pool left: %p, %Iu bytes, %s, tag '%s', allocated by %s\n", Address, Found->Size,
             Found->Pool->Paged ? "paged" : "nonpaged", tag, LdrFormatAddress(Found->Caller, caller, sizeof(caller)));
}

VOID MmPrintLeftoverPool(VOID)
{
    MipVisitAll(MipPrintBlock, NULL);
}

typedef struct _MI_POOL_COUNT
{
    ULONG_PTR Base;
    SIZE_T Size;
    LONG64 Blocks, Bytes;
} MI_POOL_COUNT;

static VOID MipCountBlock(const MI_FOUND *Found, PVOID Address, PVOID Context)
{
    MI_POOL_COUNT *count = Context;

    UNREFERENCED_PARAMETER(Address);
    if ((ULONG_PTR)Found->Caller - count->Base < count->Size)
    {
        count->Blocks++;
        count->Bytes += (LONG64)Found->Size;
    }
}

/**
 * Counts the pool that code of one image allocated and has not freed, for the check at unload.
 *
 * @param Base, Size  the image
 * @param Bytes       receives the number of bytes
 * @return the number of blocks
 * IRQL PASSIVE_LEVEL, the image at rest.
 */
LONG64 MmCountImagePool(PVOID Base, SIZE_T Size, PLONG64 Bytes)
{
    MI_POOL_COUNT count = {(ULONG_PTR)Base, Size, 0, 0};

    MipVisitAll(MipCountBlock, &count);
    *Bytes = count.Bytes;
    return count.Blocks;
}
