/* SPDX-License-Identifier: MIT */
/* HeapValidate: reads a heap without trusting it. */
#include "ntdllp.h"
#include "heapp.h"

static BOOLEAN RtlpHeaderIsGood(PRTLP_HEAP Heap, PRTLP_BLOCK Block)
{
    return Block->Check == RtlpCheckOf(Heap, Block);
}

/* Walks one segment; with Wanted, also tells whether it is a block in use there. */
static BOOLEAN RtlpSegmentIsGood(PRTLP_HEAP Heap, PRTLP_SEGMENT Segment, PRTLP_BLOCK Wanted, PBOOLEAN Found)
{
    PRTLP_BLOCK end = (PRTLP_BLOCK)Segment->CommittedEnd - 1;
    PRTLP_BLOCK block = Segment->First;
    ULONG previous = 0;

    for (; block < end; block = RtlpNext(block))
    {
        if (!RtlpHeaderIsGood(Heap, block) || block->PreviousUnits != previous ||
            block->Units < HEAP_SMALLEST_UNITS || (block->State != BLOCK_BUSY && block->State != BLOCK_FREE))
        {
            return FALSE;
        }
        if (block == Wanted && block->State == BLOCK_BUSY)
        {
            *Found = TRUE;
        }
        previous = block->Units;
    }
    return block == end && RtlpHeaderIsGood(Heap, end) && end->State == BLOCK_END && end->PreviousUnits == previous;
}

/**
 * Checks a heap, or whether Block is a block in use of it.
 *
 * @return FALSE on any damage; nothing is reported and the process goes on
 */
BOOLEAN NTAPI RtlValidateHeap(PVOID HeapHandle, ULONG Flags, PVOID Memory)
{
    PRTLP_HEAP heap = HeapHandle;
    if (heap == NULL || heap->Signature != HEAP_SIGNATURE)
    {
        return FALSE;
    }
    BOOLEAN lock = !((heap->Flags | Flags) & HEAP_NO_SERIALIZE);
    if (lock)
    {
        RtlEnterCriticalSection(&heap->Lock);
    }
    PRTLP_BLOCK wanted = Memory != NULL ? (PRTLP_BLOCK)Memory - 1 : NULL;
    BOOLEAN good = TRUE;
    BOOLEAN found = FALSE;
    for (PLIST_ENTRY entry = heap->Segments.Flink; entry != &heap->Segments && good; entry = entry->Flink)
    {
        good = RtlpSegmentIsGood(heap, CONTAINING_RECORD(entry, RTLP_SEGMENT, Links), wanted, &found);
    }
    for (PLIST_ENTRY entry = heap->Large.Flink; entry != &heap->Large && good; entry = entry->Flink)
    {
        PRTLP_LARGE large = CONTAINING_RECORD(entry, RTLP_LARGE, Links);
        good = RtlpHeaderIsGood(heap, &large->Block) && large->Block.State == BLOCK_LARGE;
        found = found || &large->Block == wanted;
    }
    if (lock)
    {
        RtlLeaveCriticalSection(&heap->Lock);
    }
    return good && (wanted == NULL || found);
}
