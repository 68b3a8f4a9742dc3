/* SPDX-License-Identifier: MIT */
/*
 * Inside a heap: free lists, segments, and the blocks cut from them. The heap is locked whenever these
 * routines run. heap.c has the overall picture.
 */
#include "ntdllp.h"
#include "heapp.h"

/* ---- Free lists ---- */

static ULONG RtlpBin(ULONG Units)
{
    if (Units < HEAP_EXACT_BINS)
    {
        return Units;
    }
    ULONG bin = HEAP_EXACT_BINS + (31 - (ULONG)__builtin_clz(Units)) - HEAP_EXACT_SHIFT;
    return bin < HEAP_BINS ? bin : HEAP_BINS - 1;
}

static VOID RtlpInsertFree(PRTLP_HEAP Heap, PRTLP_BLOCK Block)
{
    ULONG bin = RtlpBin(Block->Units);
    Block->State = BLOCK_FREE;
    Block->Slack = 0;
    RtlpSeal(Heap, Block);
    RtlpInsertHead(&Heap->Bins[bin], RtlpFreeLinks(Block));
    Heap->BinMap[bin / 64] |= 1ull << (bin % 64);
}

static VOID RtlpRemoveFree(PRTLP_HEAP Heap, PRTLP_BLOCK Block)
{
    PLIST_ENTRY links = RtlpFreeLinks(Block);
    if (links->Flink->Blink != links || links->Blink->Flink != links)
    {
        RtlpHeapCorrupt(Heap, Block, "a freed block was written to");
    }
    RtlpRemoveEntry(links);

    ULONG bin = RtlpBin(Block->Units);
    if (RtlpIsListEmpty(&Heap->Bins[bin]))
    {
        Heap->BinMap[bin / 64] &= ~(1ull << (bin % 64));
    }
}

static PRTLP_BLOCK RtlpFindFree(PRTLP_HEAP Heap, ULONG Units)
{
    ULONG bin = RtlpBin(Units);
    if (bin >= HEAP_EXACT_BINS)
    {
        /* This list holds sizes on both sides of what is wanted; the ones behind it always fit. */
        for (PLIST_ENTRY entry = Heap->Bins[bin].Flink; entry != &Heap->Bins[bin]; entry = entry->Flink)
        {
            PRTLP_BLOCK block = RtlpBlockOfLinks(entry);
            if (block->Units >= Units)
            {
                return block;
            }
        }
        bin++;
    }
    for (ULONG word = bin / 64; word < HEAP_BINS / 64; word++)
    {
        ULONG64 map = Heap->BinMap[word];
        if (word == bin / 64)
        {
            map &= ~0ull << (bin % 64);
        }
        if (map != 0)
        {
            return RtlpBlockOfLinks(Heap->Bins[word * 64 + (ULONG)__builtin_ctzll(map)].Flink);
        }
    }
    return NULL;
}

/* ---- Segments ---- */

/* Commits at least Units more at the end of a segment; the new space joins a free block before it. */
static BOOLEAN RtlpExtendSegment(PRTLP_HEAP Heap, PRTLP_SEGMENT Segment, ULONG Units)
{
    SIZE_T wanted = ALIGN_UP((SIZE_T)Units * HEAP_UNIT, HEAP_COMMIT_STEP);
    SIZE_T left = (ULONG_PTR)Segment->ReservedEnd - (ULONG_PTR)Segment->CommittedEnd;
    if (wanted > left)
    {
        wanted = left;
        if (wanted < (SIZE_T)Units * HEAP_UNIT)
        {
            return FALSE;
        }
    }
    PVOID base = Segment->CommittedEnd;
    SIZE_T size = wanted;
    if (!NT_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &size, MEM_COMMIT, Heap->Protect)))
    {
        return FALSE;
    }

    /* The end mark becomes the header of the new free block, and a new mark is set behind it. */
    PRTLP_BLOCK block = (PRTLP_BLOCK)((PUCHAR)Segment->CommittedEnd - HEAP_UNIT);
    RtlpVerify(Heap, block);
    Segment->CommittedEnd = (PUCHAR)Segment->CommittedEnd + wanted;
    block->Units = (ULONG)(wanted / HEAP_UNIT);
    RtlpSetEndMark(Heap, Segment, block->Units);

    if (block->PreviousUnits != 0)
    {
        PRTLP_BLOCK previous = RtlpPrevious(block);
        RtlpVerify(Heap, previous);
        if (previous->State == BLOCK_FREE)
        {
            RtlpRemoveFree(Heap, previous);
            previous->Units += block->Units;
            block = previous;
            RtlpSetEndMark(Heap, Segment, block->Units);
        }
    }
    RtlpInsertFree(Heap, block);
    return TRUE;
}

/* Lays out a segment whose first FirstByte bytes are headers; at least one page is committed already. */
VOID RtlpFormatSegment(PRTLP_HEAP Heap, PRTLP_SEGMENT Segment, PVOID Base, SIZE_T HeaderBytes,
                              SIZE_T Committed, SIZE_T Reserved)
{
    Segment->Base = Base;
    Segment->CommittedEnd = (PUCHAR)Base + Committed;
    Segment->ReservedEnd = (PUCHAR)Base + Reserved;
    Segment->First = (PRTLP_BLOCK)((PUCHAR)Base + ALIGN_UP(HeaderBytes, HEAP_UNIT));
    RtlpInsertTail(&Heap->Segments, &Segment->Links);

    PRTLP_BLOCK block = Segment->First;
    block->Units = (ULONG)(((ULONG_PTR)Segment->CommittedEnd - (ULONG_PTR)block) / HEAP_UNIT) - 1;
    block->PreviousUnits = 0;
    RtlpSetEndMark(Heap, Segment, block->Units);
    RtlpInsertFree(Heap, block);
}

static BOOLEAN RtlpAddSegment(PRTLP_HEAP Heap, ULONG Units)
{
    SIZE_T reserve = Heap->NextReserve;
    SIZE_T needed = (SIZE_T)Units * HEAP_UNIT + sizeof(RTLP_SEGMENT) + 2 * HEAP_UNIT;
    if (reserve < needed)
    {
        reserve = ALIGN_UP(needed, 0x10000);
    }
    PVOID base = NULL;
    SIZE_T size = reserve;
    if (!NT_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &size, MEM_RESERVE, Heap->Protect)))
    {
        return FALSE;
    }
    PVOID commitBase = base;
    SIZE_T commit = ALIGN_UP(needed, HEAP_COMMIT_STEP);
    if (commit > size)
    {
        commit = size;
    }
    if (!NT_SUCCESS(NtAllocateVirtualMemory(NtCurrentProcess(), &commitBase, 0, &commit, MEM_COMMIT, Heap->Protect)))
    {
        size = 0;
        NtFreeVirtualMemory(NtCurrentProcess(), &base, &size, MEM_RELEASE);
        return FALSE;
    }
    if (Heap->NextReserve < HEAP_LARGEST_RESERVE)
    {
        Heap->NextReserve *= 2;
    }
    RtlpFormatSegment(Heap, (PRTLP_SEGMENT)base, base, sizeof(RTLP_SEGMENT), commit, size);
    return TRUE;
}

static PRTLP_BLOCK RtlpGrow(PRTLP_HEAP Heap, ULONG Units)
{
    BOOLEAN grown = FALSE;
    for (PLIST_ENTRY entry = Heap->Segments.Flink; entry != &Heap->Segments && !grown; entry = entry->Flink)
    {
        grown = RtlpExtendSegment(Heap, CONTAINING_RECORD(entry, RTLP_SEGMENT, Links), Units);
    }
    if (!grown && (!(Heap->Flags & HEAP_GROWABLE) || !RtlpAddSegment(Heap, Units)))
    {
        return NULL;
    }
    return RtlpFindFree(Heap, Units);
}

/* ---- Blocks; the heap is locked ---- */

/* Cuts a block to Units and returns the rest, if it is worth it, to the free lists. */
VOID RtlpTrim(PRTLP_HEAP Heap, PRTLP_BLOCK Block, ULONG Units)
{
    ULONG rest = Block->Units - Units;
    if (rest < HEAP_SMALLEST_UNITS)
    {
        return;
    }
    Block->Units = Units;
    PRTLP_BLOCK tail = RtlpNext(Block);
    tail->Units = rest;
    tail->PreviousUnits = Units;

    PRTLP_BLOCK after = RtlpNext(tail);
    RtlpVerify(Heap, after);
    if (after->State == BLOCK_FREE)
    {
        RtlpRemoveFree(Heap, after);
        tail->Units += after->Units;
        after = RtlpNext(tail);
        RtlpVerify(Heap, after);
    }
    after->PreviousUnits = tail->Units;
    RtlpSeal(Heap, after);
    RtlpInsertFree(Heap, tail);
}

PRTLP_BLOCK RtlpTake(PRTLP_HEAP Heap, ULONG Units)
{
    PRTLP_BLOCK block = RtlpFindFree(Heap, Units);
    if (block == NULL)
    {
        block = RtlpGrow(Heap, Units);
        if (block == NULL)
        {
            return NULL;
        }
    }
    RtlpVerify(Heap, block);
    RtlpRemoveFree(Heap, block);
    RtlpTrim(Heap, block, Units);
    return block;
}

VOID RtlpRelease(PRTLP_HEAP Heap, PRTLP_BLOCK Block)
{
    PRTLP_BLOCK next = RtlpNext(Block);
    RtlpVerify(Heap, next);
    if (next->PreviousUnits != Block->Units)
    {
        RtlpHeapCorrupt(Heap, next, "a block header was overwritten");
    }
    if (next->State == BLOCK_FREE)
    {
        RtlpRemoveFree(Heap, next);
        Block->Units += next->Units;
    }
    if (Block->PreviousUnits != 0)
    {
        PRTLP_BLOCK previous = RtlpPrevious(Block);
        RtlpVerify(Heap, previous);
        if (previous->State == BLOCK_FREE)
        {
            RtlpRemoveFree(Heap, previous);
            previous->Units += Block->Units;
            Block->State = BLOCK_ABSORBED; /* so that freeing it again is noticed */
            RtlpSeal(Heap, Block);
            Block = previous;
        }
    }
    next = RtlpNext(Block);
    RtlpVerify(Heap, next);
    next->PreviousUnits = Block->Units;
    RtlpSeal(Heap, next);
    RtlpInsertFree(Heap, Block);
}

/* Makes a block larger where it stands, if the block behind it is free and big enough. */
BOOLEAN RtlpGrowInPlace(PRTLP_HEAP Heap, PRTLP_BLOCK Block, ULONG Units)
{
    PRTLP_BLOCK next = RtlpNext(Block);
    RtlpVerify(Heap, next);
    if (next->State != BLOCK_FREE || Block->Units + next->Units < Units)
    {
        return FALSE;
    }
    RtlpRemoveFree(Heap, next);
    Block->Units += next->Units;
    next = RtlpNext(Block);
    RtlpVerify(Heap, next);
    next->PreviousUnits = Block->Units;
    RtlpSeal(Heap, next);
    RtlpTrim(Heap, Block, Units);
    return TRUE;
}
