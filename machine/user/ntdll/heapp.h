/* SPDX-License-Identifier: MIT */
/* The heap's structures, for heap.c, heapblock.c and heapcheck.c; heap.c explains them. */
#ifndef ISTHMUS_HEAPP_H
#define ISTHMUS_HEAPP_H

#define HEAP_UNIT 16u
#define HEAP_SIGNATURE 0x70616548u
#define HEAP_SMALLEST_UNITS 2u /* header and the links of a free block */
#define HEAP_EXACT_SHIFT 6u
#define HEAP_EXACT_BINS (1u << HEAP_EXACT_SHIFT) /* sizes below 1 KB: one list each */
#define HEAP_BINS 128u
#define HEAP_LARGEST_BLOCK 0x7F000u /* bytes; above this a block is an allocation of its own */
#define HEAP_COMMIT_STEP 0x10000u
#define HEAP_FIRST_RESERVE 0x100000u
#define HEAP_LARGEST_RESERVE 0x4000000u
#define HEAP_LARGEST_SEGMENT 0x400000000ull

#define BLOCK_BUSY 0xB5u
#define BLOCK_FREE 0xF3u
#define BLOCK_LARGE 0x1Au
#define BLOCK_END 0xEDu
#define BLOCK_ABSORBED 0xA0u

typedef struct _RTLP_BLOCK
{
    ULONG Units;         /* size with this header, in 16-byte units */
    ULONG PreviousUnits; /* size of the block in front, 0 for the first */
    USHORT Slack;        /* bytes at the end that were not asked for */
    UCHAR State;
    UCHAR Reserved;
    ULONG Check;
} RTLP_BLOCK, *PRTLP_BLOCK;

_Static_assert(sizeof(RTLP_BLOCK) == HEAP_UNIT, "a header is one unit");

typedef struct _RTLP_SEGMENT
{
    LIST_ENTRY Links;
    PVOID Base;
    PVOID CommittedEnd;
    PVOID ReservedEnd;
    PRTLP_BLOCK First;
} RTLP_SEGMENT, *PRTLP_SEGMENT;

typedef struct _RTLP_LARGE
{
    LIST_ENTRY Links;
    SIZE_T Size;
    SIZE_T Total;
    RTLP_BLOCK Block;
} RTLP_LARGE, *PRTLP_LARGE;

_Static_assert(sizeof(RTLP_LARGE) % HEAP_UNIT == 0, "user memory is aligned");

typedef struct _RTLP_HEAP
{
    RTLP_SEGMENT FirstSegment;
    ULONG Signature;
    ULONG Flags;
    ULONG Protect;
    ULONG Cookie;
    SIZE_T NextReserve;
    RTL_CRITICAL_SECTION Lock;
    LIST_ENTRY Segments;
    LIST_ENTRY Large;
    ULONG64 BinMap[HEAP_BINS / 64];
    LIST_ENTRY Bins[HEAP_BINS];
} RTLP_HEAP, *PRTLP_HEAP;

/* heapblock.c: the heap is locked */
VOID RtlpFormatSegment(PRTLP_HEAP Heap, PRTLP_SEGMENT Segment, PVOID Base, SIZE_T HeaderBytes, SIZE_T Committed,
                       SIZE_T Reserved);
PRTLP_BLOCK RtlpTake(PRTLP_HEAP Heap, ULONG Units);
VOID RtlpRelease(PRTLP_HEAP Heap, PRTLP_BLOCK Block);
VOID RtlpTrim(PRTLP_HEAP Heap, PRTLP_BLOCK Block, ULONG Units);
BOOLEAN RtlpGrowInPlace(PRTLP_HEAP Heap, PRTLP_BLOCK Block, ULONG Units);

DECLSPEC_NORETURN VOID RtlpHeapCorrupt(PRTLP_HEAP Heap, const void *Block, PCSTR What);

static inline ULONG RtlpCheckOf(const RTLP_HEAP *Heap, const RTLP_BLOCK *Block)
{
    ULONG mix = Block->Units * 0x9E3779B1u ^ Block->PreviousUnits * 0x85EBCA77u;
    mix ^= ((ULONG)Block->Slack << 16 | (ULONG)Block->State << 8 | Block->Reserved) * 0xC2B2AE3Du;
    return mix ^ Heap->Cookie ^ (ULONG)((ULONG_PTR)Block >> 4);
}

static inline VOID RtlpSeal(const RTLP_HEAP *Heap, PRTLP_BLOCK Block)
{
    Block->Reserved = 0;
    Block->Check = RtlpCheckOf(Heap, Block);
}

static inline VOID RtlpVerify(PRTLP_HEAP Heap, PRTLP_BLOCK Block)
{
    if (Block->Check != RtlpCheckOf(Heap, Block))
    {
        RtlpHeapCorrupt(Heap, Block + 1, "the header of a block was overwritten");
    }
}

static inline PRTLP_BLOCK RtlpNext(PRTLP_BLOCK Block)
{
    return Block + Block->Units;
}

static inline PRTLP_BLOCK RtlpPrevious(PRTLP_BLOCK Block)
{
    return Block - Block->PreviousUnits;
}

static inline PLIST_ENTRY RtlpFreeLinks(PRTLP_BLOCK Block)
{
    return (PLIST_ENTRY)(Block + 1);
}

static inline PRTLP_BLOCK RtlpBlockOfLinks(PLIST_ENTRY Links)
{
    return (PRTLP_BLOCK)Links - 1;
}

static inline ULONG RtlpUnitsFor(SIZE_T Size)
{
    ULONG units = (ULONG)((Size + HEAP_UNIT - 1) / HEAP_UNIT) + 1;
    return units < HEAP_SMALLEST_UNITS ? HEAP_SMALLEST_UNITS : units;
}

static inline VOID RtlpSetEndMark(PRTLP_HEAP Heap, PRTLP_SEGMENT Segment, ULONG PreviousUnits)
{
    PRTLP_BLOCK mark = (PRTLP_BLOCK)Segment->CommittedEnd - 1;
    mark->Units = 0;
    mark->PreviousUnits = PreviousUnits;
    mark->Slack = 0;
    mark->State = BLOCK_END;
    RtlpSeal(Heap, mark);
}

#endif
