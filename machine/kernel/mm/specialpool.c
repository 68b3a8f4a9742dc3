/* SPDX-License-Identifier: MIT */
/*
 * Special pool: a page for each block of less than a page that a driver allocates, between entries that are not valid.
 *
 *   entries    ... | record | record |  page  | record | record |  page  | ...
 *                     tag     caller  <-block-> (guard of both neighbours)
 *
 *   overrun        | ######## fill ######## | block       |slop|   the first byte behind the page faults; the slop, up
 *                                                                  to 15 bytes of alignment, is all that is found late
 *   underrun       | block       | ######## fill ############# |   the first byte before the page faults
 *
 * What a fault does not find, the fill tells when the block is freed. Fill is also what a new block holds that is not
 * asked for zeroed: nobody can rely on zeroes that were not promised.
 *
 * A freed block's entries stay as they are but for the page, and say "freed", until the search for addresses, which
 * goes round, comes back to them. With the default memory that is after some 170,000 further blocks.
 *
 * Blocks of a page and more lie between guards in the ordinary pool already. When addresses or pages run short a block
 * comes from the ordinary pool, which the machine reports at its end: special pool promises to find what it can, not
 * to make allocations fail.
 *
 * Facts: "Special pool memory corruption detection in Driver Verifier" and "Bug Check 0xC1, 0xCC, 0xCD, 0xD5, 0xD6",
 * windows-driver-docs.
 */
#include "poolp.h"
#include "rtl.h"

#define MI_SPECIAL_FILL 0x5B
#define MI_SPECIAL_FILL_8 0x5B5B5B5B5B5B5B5BULL
/* Whoever is at fault: the kernel, for somebody (CC, CD), or a driver itself (D5, D6). */
#define MI_BUGCHECK_FREED(Driver) ((Driver) ? 0xD5 : 0xCC)
#define MI_BUGCHECK_BEYOND(Driver) ((Driver) ? 0xD6 : 0xCD)

/* Beside what MiMakePoolRecord stores. */
#define MI_SPECIAL_AT_START (1ULL << 24)
#define MI_SPECIAL_ON_LINE (1ULL << 25) /* cache-aligned */

MI_REGION MiSpecialRegion, MiSpecialPagedRegion;
BOOLEAN MiSpecialPool;
static BOOLEAN MipAtStart;
static volatile LONG64 MipSpecialBlocks, MipOrdinaryBlocks;

VOID MiInitializeSpecialPool(ULONG Pages)
{
    MiSpecialPool = VfOption(VfSpecialPool);
    if (MiSpecialPool)
    {
        MipAtStart = VfOptionIs("specialpool", "underrun");
        MiInitializeRegion(&MiSpecialRegion, MM_SPECIAL_POOL_BASE, Pages);
        MiInitializeRegion(&MiSpecialPagedRegion, MM_SPECIAL_PAGED_POOL_BASE, Pages);
    }
}

static MI_REGION *MipSpecialRegionOf(ULONG_PTR Va)
{
    if (!MiSpecialPool)
    {
        return NULL;
    }
    return MiInRegion(&MiSpecialRegion, Va)        ? &MiSpecialRegion
           : MiInRegion(&MiSpecialPagedRegion, Va) ? &MiSpecialPagedRegion
                                                   : NULL;
}

BOOLEAN MiIsSpecialPool(PVOID Address)
{
    return MipSpecialRegionOf((ULONG_PTR)Address) != NULL;
}

/* Where in its page a block of these properties begins. */
static ULONG MipSpecialOffset(SIZE_T Size, ULONG64 Record)
{
    ULONG alignment = (Record & MI_SPECIAL_ON_LINE) ? MI_CACHE_LINE : MI_UNIT;

    return (Record & MI_SPECIAL_AT_START) ? 0 : PAGE_SIZE - (ULONG)((Size + alignment - 1) & ~(SIZE_T)(alignment - 1));
}

PVOID MiAllocateSpecial(const MI_REQUEST *Request)
{
    MI_REGION *region = Request->Pool->Paged ? &MiSpecialPagedRegion : &MiSpecialRegion;
    BOOLEAN start = Request->Special == MiSpecialDefault ? MipAtStart : Request->Special == MiSpecialUnderrun;
    SIZE_T size = max(Request->Size, 1);
    ULONG64 record;
    PFN_NUMBER page = 0;
    ULONG index = 0;
    PUCHAR va;

    /* The last pages are for requests that special pool does not serve. */
    if (MiFreePageCount > (LONG64)MiTotalPages / 16)
    {
        index = MiReserveRange(region, 1, 2);
    }
    if (index != 0)
    {
        page = MiAllocatePage(0, MiPagePool);
    }
    if (page == 0)
    {
        if (index != 0)
        {
            MiReturnRange(region, index, 1, 2);
        }
        InterlockedIncrement64(&MipOrdinaryBlocks);
        return NULL;
    }
    for (PULONG64 at = MiPfnToVirtual(page), end = at + PAGE_SIZE / 8; at < end; at++)
    {
        *at = MI_SPECIAL_FILL_8;
    }
    record = MiMakePoolRecord(Request->Tag, (ULONG)(PAGE_SIZE - size), Request->Pool->Index, TRUE) |
             (start ? MI_SPECIAL_AT_START : 0) | (Request->CacheAligned ? MI_SPECIAL_ON_LINE : 0);
    *MiRegionPte(region, index - 2) = record;
    *MiRegionPte(region, index - 1) = MiMakeRecord(MiRecordSpecial, 1, MiPackCaller(Request->Caller));
    *MiRegionPte(region, index) = ((ULONG64)page << PAGE_SHIFT) | Request->Pool->PteBits;
    va = (PUCHAR)MiRegionVa(region, index) + MipSpecialOffset(size, record);
    if (Request->Zero)
    {
        RtlZeroMemory(va, size);
    }
    InterlockedIncrement64(&MipSpecialBlocks);
    InterlockedIncrement64(&MiCounters.DriverBlocks);
    InterlockedAdd64(&MiCounters.DriverBytes, (LONG64)size);
    return va;
}

PVOID MiSpecialBlock(const MI_REGION *Region, ULONG Index)
{
    ULONG64 record = *MiRegionPte(Region, Index - 2);

    return (PUCHAR)MiRegionVa(Region, Index) + MipSpecialOffset(PAGE_SIZE - MI_RECORD_SLACK(record), record);
}

/** What a pointer into special pool is; C1/20 to 22 if it is no block's address. */
VOID MiFindSpecial(PVOID Address, MI_FOUND *Found)
{
    MI_REGION *region = MipSpecialRegionOf((ULONG_PTR)Address);
    ULONG_PTR page = (ULONG_PTR)Address & ~(ULONG_PTR)(PAGE_SIZE - 1);
    ULONG offset = (ULONG)((ULONG_PTR)Address & (PAGE_SIZE - 1));
    ULONG index = MiRegionIndex(region, page);

    if (MiRecordKind(MiFindRecord(region, page)) != MiRecordSpecial)
    {
        KeBugCheckEx(MI_BUGCHECK_SPECIAL_POOL, (ULONG_PTR)Address, 0, 0, 0x20);
    }
    MiFoundPages(region, index, *MiRegionPte(region, index - 1), Found);
    if (Address != MiSpecialBlock(region, index))
    {
        /* "Bytes calculated" is what the address leaves to the page's end: too few, or more than were asked for. */
        KeBugCheckEx(MI_BUGCHECK_SPECIAL_POOL, (ULONG_PTR)Address, Found->Size, PAGE_SIZE - offset,
                     Found->Size > PAGE_SIZE - offset ? 0x21 : 0x22);
    }
}

/* The first byte of the fill that is none any more, NULL if all are. */
static PUCHAR MipFindDamage(PUCHAR From, PUCHAR To, PULONG Bits)
{
    PUCHAR first = NULL;

    while (From < To)
    {
        if (((ULONG_PTR)From & 7) == 0 && To - From >= 8 && *(PULONG64)From == MI_SPECIAL_FILL_8)
        {
            From += 8;
            continue;
        }
        if (*From != MI_SPECIAL_FILL)
        {
            first = first != NULL ? first : From;
            *Bits += (ULONG)__builtin_popcount(*From ^ MI_SPECIAL_FILL);
        }
        From++;
    }
    return first;
}

/* 23 before the block, 24 behind it; 32 if a single bit is wrong, which smells of hardware. */
static VOID MipCheckFill(PUCHAR Block, SIZE_T Size)
{
    PUCHAR page = (PUCHAR)((ULONG_PTR)Block & ~(ULONG_PTR)(PAGE_SIZE - 1));
    ULONG bits = 0;
    PUCHAR before = MipFindDamage(page, Block, &bits);
    PUCHAR after = MipFindDamage(Block + Size, page + PAGE_SIZE, &bits);

    if (before != NULL || after != NULL)
    {
        KeBugCheckEx(MI_BUGCHECK_SPECIAL_POOL, (ULONG_PTR)Block, (ULONG_PTR)(before != NULL ? before : after), 0,
                     bits == 1 ? 0x32 : before != NULL ? 0x23 : 0x24);
    }
}

/**
 * Frees a block that MiFindSpecial found.
 */
VOID MiFreeSpecial(PVOID Address, const MI_FOUND *Found, PVOID Caller)
{
    MI_REGION *region = MipSpecialRegionOf((ULONG_PTR)Address);
    ULONG index = MiRegionIndex(region, (ULONG_PTR)Address);
    ULONG64 live = *MiRegionPte(region, index - 1);
    ULONG64 freed = MiMakeRecord(MiRecordSpecialFreed, 1, MiPackCaller(Caller));
    ULONG64 entry;
    PFN_NUMBER page;

    MipCheckFill(Address, Found->Size);
    if (MiRecordKind(live) != MiRecordSpecial ||
        (ULONG64)InterlockedCompareExchange64((volatile LONG64 *)MiRegionPte(region, index - 1), (LONG64)freed,
                                              (LONG64)live) != live)
    {
        KeBugCheckEx(MI_BUGCHECK_SPECIAL_POOL, (ULONG_PTR)Address, 0, 0, 0x20); /* two processors free it */
    }
    entry = MiTakeKernelEntry(MiRegionPte(region, index), freed);
    page = MI_PTE_PFN(entry);
    if (entry & MI_PTE_VALID)
    {
        KeFlushTb(NULL, MiRegionVa(region, index), 1);
    }
    if (page != 0)
    {
        if (!Found->Pool->Paged && MI_LOCKS(MiPfn(page)->Counts) != 0)
        {
            KeBugCheckEx(MI_BUGCHECK_PFN_LIST_CORRUPT, 0x9A, page, MiPfn(page)->State,
                         (ULONG_PTR)MI_REFERENCES(MiPfn(page)->Counts));
        }
        MiReleasePage(page);
    }
    MiReturnRange(region, index, 1, 2);
    InterlockedDecrement64(&MiCounters.DriverBlocks);
    InterlockedAdd64(&MiCounters.DriverBytes, -(LONG64)Found->Size);
}

/* A block's tag, size and caller on the error console, in front of the blue screen that cannot say it. */
static VOID MipDescribe(PCSTR What, ULONG_PTR Va, MI_REGION *Region, ULONG Index)
{
    CHAR caller[96], tag[5];
    MI_FOUND found;

    MiFoundPages(Region, Index, *MiRegionPte(Region, Index - 1), &found);
    MiTagText(found.Tag, tag);
    HalPrint(HalStreamError, "special pool: %p %s %Iu bytes, %s, tag '%s', allocated by %s\n", (PVOID)Va, What,
             found.Size, found.Pool->Paged ? "paged" : "nonpaged", tag, LdrFormatAddress(found.Caller, caller, sizeof(caller)));
}

/**
 * A fault below DISPATCH_LEVEL at an address of special pool that has no page: D5, D6, or CC, CD if the kernel did it
 * for somebody. Returns if the address is not special pool's.
 */
VOID MiSpecialPoolFault(ULONG_PTR Va, ULONG_PTR Access, ULONG_PTR Pc)
{
    MI_REGION *region = MipSpecialRegionOf(Va);
    BOOLEAN driver = !LdrIsKernelAddress((PVOID)Pc);
    ULONG index;
    ULONG64 entry;

    if (region == NULL)
    {
        return;
    }
    index = MiRegionIndex(region, Va);
    entry = index < region->Mapped ? *MiRegionPte(region, index) : 0;
    if (MiRecordKind(entry) == MiRecordSpecialFreed && index >= 2 &&
        MiRecordKind(*MiRegionPte(region, index - 1)) == MiRecordSpecialFreed)
    {
        CHAR text[128], freer[96];

        _snprintf(text, sizeof(text), "was freed by %s; it held",
                  LdrFormatAddress(MiUnpackCaller(MiRecordInfo(entry)), freer, sizeof(freer)));
        MipDescribe(text, Va, region, index);
        KeBugCheckEx(MI_BUGCHECK_FREED(driver), Va, Access, Pc, 0);
    }
    if (index >= 3 && MiRecordKind(MiFindRecord(region, (ULONG_PTR)MiRegionVa(region, index - 1))) == MiRecordSpecial)
    {
        MipDescribe("lies behind a block of", Va, region, index - 1);
    }
    else if (MiRecordKind(entry) == MiRecordSpecial)
    {
        MipDescribe("lies before a block of", Va, region, index + 1);
    }
    KeBugCheckEx(MI_BUGCHECK_BEYOND(driver), Va, Access, Pc, 0);
}

/** One line for the account at the machine's end, if the mode is on. */
VOID MiReportSpecialPool(VOID)
{
    if (MiSpecialPool)
    {
        HalPrint(HalStreamError,
                 "machine: special pool served %lld blocks; %lld came from ordinary pool for lack of room\n",
                 MipSpecialBlocks, MipOrdinaryBlocks);
    }
}
