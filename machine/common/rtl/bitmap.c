/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps. Everything but setting and clearing rests on one search: the next bit of a wanted value.
 *
 * No locks: who shares a bitmap brings one. IRQL: any at which the bitmap is resident.
 */
#include "rtlp.h"

#define RTLP_NOT_FOUND 0xFFFFFFFF
#define RTLP_ALL_ONES 0xFFFFFFFFu

/* The index of the first bit at or behind From that has the value, or SizeOfBitMap. */
static ULONG RtlpNextBit(const RTL_BITMAP *Map, ULONG From, BOOLEAN Value)
{
    ULONG Flip = Value ? 0 : RTLP_ALL_ONES;
    ULONG Last;
    ULONG Index;
    ULONG Word;

    if (From >= Map->SizeOfBitMap)
    {
        return Map->SizeOfBitMap;
    }

    Last = (Map->SizeOfBitMap - 1) / 32;
    Index = From / 32;
    Word = (Map->Buffer[Index] ^ Flip) & (RTLP_ALL_ONES << (From % 32));
    while (Word == 0 && Index < Last)
    {
        Index += 1;
        Word = Map->Buffer[Index] ^ Flip;
    }

    if (Word == 0)
    {
        return Map->SizeOfBitMap;
    }

    return min(Index * 32 + (ULONG)__builtin_ctz(Word), Map->SizeOfBitMap);
}

/* Sets or clears a range that lies inside the bitmap. */
static VOID RtlpWriteBits(PRTL_BITMAP Map, ULONG Start, ULONG Count, BOOLEAN Value)
{
    while (Count != 0)
    {
        ULONG Bit = Start % 32;
        ULONG Run = min(Count, 32 - Bit);
        ULONG Mask = (Run == 32 ? RTLP_ALL_ONES : (1u << Run) - 1) << Bit;

        if (Value)
        {
            Map->Buffer[Start / 32] |= Mask;
        }
        else
        {
            Map->Buffer[Start / 32] &= ~Mask;
        }

        Start += Run;
        Count -= Run;
    }
}

/**
 * Prepares a bitmap header. The buffer's contents are left alone.
 *
 * @param BitMapBuffer  ULONG-aligned, a multiple of 4 bytes
 * @param SizeOfBitMap  in bits
 */
VOID NTAPI RtlInitializeBitMap(_Out_ PRTL_BITMAP BitMapHeader, _In_ PULONG BitMapBuffer, _In_ ULONG SizeOfBitMap)
{
    BitMapHeader->SizeOfBitMap = SizeOfBitMap;
    BitMapHeader->Buffer = BitMapBuffer;
}

/* All bits: whole words, so that the unused bits of the last one are written too. */
static VOID RtlpFillBitMap(PRTL_BITMAP Map, ULONG Word)
{
    ULONG Index;

    for (Index = 0; Index < Map->SizeOfBitMap / 32 + (Map->SizeOfBitMap % 32 != 0); Index += 1)
    {
        Map->Buffer[Index] = Word;
    }
}

VOID NTAPI RtlClearAllBits(_In_ PRTL_BITMAP BitMapHeader)
{
    RtlpFillBitMap(BitMapHeader, 0);
}

VOID NTAPI RtlSetAllBits(_In_ PRTL_BITMAP BitMapHeader)
{
    RtlpFillBitMap(BitMapHeader, RTLP_ALL_ONES);
}

VOID NTAPI RtlClearBit(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG BitNumber)
{
    BitMapHeader->Buffer[BitNumber / 32] &= ~(1u << (BitNumber % 32));
}

VOID NTAPI RtlSetBit(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG BitNumber)
{
    BitMapHeader->Buffer[BitNumber / 32] |= 1u << (BitNumber % 32);
}

BOOLEAN NTAPI RtlTestBit(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG BitNumber)
{
    return (BitMapHeader->Buffer[BitNumber / 32] >> (BitNumber % 32)) & 1;
}

VOID NTAPI RtlClearBits(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG StartingIndex, _In_ ULONG NumberToClear)
{
    RtlpWriteBits(BitMapHeader, StartingIndex, NumberToClear, FALSE);
}

VOID NTAPI RtlSetBits(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG StartingIndex, _In_ ULONG NumberToSet)
{
    RtlpWriteBits(BitMapHeader, StartingIndex, NumberToSet, TRUE);
}

static BOOLEAN RtlpAreBits(const RTL_BITMAP *Map, ULONG Start, ULONG Length, BOOLEAN Value)
{
    if (Length == 0 || Start >= Map->SizeOfBitMap || Length > Map->SizeOfBitMap - Start)
    {
        return FALSE;
    }

    return RtlpNextBit(Map, Start, !Value) - Start >= Length;
}

/**
 * TRUE if the whole range is clear; FALSE also for an empty range or one that leaves the bitmap.
 */
BOOLEAN NTAPI RtlAreBitsClear(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG StartingIndex, _In_ ULONG Length)
{
    return RtlpAreBits(BitMapHeader, StartingIndex, Length, FALSE);
}

/**
 * TRUE if the whole range is set; FALSE also for an empty range or one that leaves the bitmap.
 */
BOOLEAN NTAPI RtlAreBitsSet(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG StartingIndex, _In_ ULONG Length)
{
    return RtlpAreBits(BitMapHeader, StartingIndex, Length, TRUE);
}

/* The first run of Count bits with the value that begins in [From, Limit). */
static ULONG RtlpFindRun(const RTL_BITMAP *Map, ULONG Count, ULONG From, ULONG Limit, BOOLEAN Value)
{
    ULONG Start = RtlpNextBit(Map, From, Value);

    while (Start < Limit && Count <= Map->SizeOfBitMap - Start)
    {
        ULONG End = RtlpNextBit(Map, Start, !Value);

        if (End - Start >= Count)
        {
            return Start;
        }

        Start = RtlpNextBit(Map, End, Value);
    }

    return RTLP_NOT_FOUND;
}

static ULONG RtlpFindBits(PRTL_BITMAP Map, ULONG Count, ULONG Hint, BOOLEAN Value)
{
    ULONG Found;

    if (Hint >= Map->SizeOfBitMap)
    {
        Hint = 0;
    }

    if (Count == 0)
    {
        return Hint & ~7u; /* what NT answers to a question about nothing */
    }

    if (Count > Map->SizeOfBitMap)
    {
        return RTLP_NOT_FOUND;
    }

    Found = RtlpFindRun(Map, Count, Hint, Map->SizeOfBitMap, Value);
    return Found != RTLP_NOT_FOUND ? Found : RtlpFindRun(Map, Count, 0, Hint, Value);
}

/**
 * Finds a run of clear bits.
 *
 * @param NumberToFind  length of the run
 * @param HintIndex     where to look first; the search wraps around
 * @return the index of its first bit, or 0xFFFFFFFF
 */
ULONG NTAPI RtlFindClearBits(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG NumberToFind, _In_ ULONG HintIndex)
{
    return RtlpFindBits(BitMapHeader, NumberToFind, HintIndex, FALSE);
}

ULONG NTAPI RtlFindSetBits(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG NumberToFind, _In_ ULONG HintIndex)
{
    return RtlpFindBits(BitMapHeader, NumberToFind, HintIndex, TRUE);
}

ULONG NTAPI RtlFindClearBitsAndSet(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG NumberToFind, _In_ ULONG HintIndex)
{
    ULONG Found = RtlpFindBits(BitMapHeader, NumberToFind, HintIndex, FALSE);

    if (Found != RTLP_NOT_FOUND)
    {
        RtlpWriteBits(BitMapHeader, Found, NumberToFind, TRUE);
    }

    return Found;
}

ULONG NTAPI RtlFindSetBitsAndClear(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG NumberToFind, _In_ ULONG HintIndex)
{
    ULONG Found = RtlpFindBits(BitMapHeader, NumberToFind, HintIndex, TRUE);

    if (Found != RTLP_NOT_FOUND)
    {
        RtlpWriteBits(BitMapHeader, Found, NumberToFind, FALSE);
    }

    return Found;
}

/**
 * Finds the first run of clear bits at or behind an index.
 *
 * @param StartingRunIndex  receives its first bit
 * @return its length; zero if there is none
 */
ULONG NTAPI RtlFindNextForwardRunClear(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG FromIndex,
                                       _Out_ PULONG StartingRunIndex)
{
    ULONG Start = RtlpNextBit(BitMapHeader, FromIndex, FALSE);

    *StartingRunIndex = min(Start, BitMapHeader->SizeOfBitMap);
    return Start < BitMapHeader->SizeOfBitMap ? RtlpNextBit(BitMapHeader, Start, TRUE) - Start : 0;
}

ULONG NTAPI RtlFindFirstRunClear(_In_ PRTL_BITMAP BitMapHeader, _Out_ PULONG StartingIndex)
{
    return RtlFindNextForwardRunClear(BitMapHeader, 0, StartingIndex);
}

/**
 * Finds the last run of clear bits that ends at or before an index; a run that reaches past it is cut off there.
 *
 * @param StartingRunIndex  receives its first bit
 * @return its length; zero if there is none
 */
ULONG NTAPI RtlFindLastBackwardRunClear(_In_ PRTL_BITMAP BitMapHeader, _In_ ULONG FromIndex,
                                        _Out_ PULONG StartingRunIndex)
{
    ULONG End;
    ULONG Start;

    *StartingRunIndex = 0;
    if (BitMapHeader->SizeOfBitMap == 0)
    {
        return 0;
    }

    End = min(FromIndex, BitMapHeader->SizeOfBitMap - 1) + 1;
    while (End != 0 && RtlTestBit(BitMapHeader, End - 1))
    {
        End -= End % 32 == 0 && BitMapHeader->Buffer[End / 32 - 1] == RTLP_ALL_ONES ? 32 : 1;
    }

    Start = End;
    while (Start != 0 && !RtlTestBit(BitMapHeader, Start - 1))
    {
        Start -= Start % 32 == 0 && BitMapHeader->Buffer[Start / 32 - 1] == 0 ? 32 : 1;
    }

    *StartingRunIndex = Start;
    return End - Start;
}

/**
 * Lists runs of clear bits.
 *
 * @param RunArray            receives the runs
 * @param SizeOfRunArray      room in it
 * @param LocateLongestRuns   TRUE: the longest ones, longest first; FALSE: the first ones, in order
 * @return the number of runs stored
 */
ULONG NTAPI RtlFindClearRuns(_In_ PRTL_BITMAP BitMapHeader, _Out_ PRTL_BITMAP_RUN RunArray, _In_ ULONG SizeOfRunArray,
                             _In_ BOOLEAN LocateLongestRuns)
{
    ULONG Count = 0;
    ULONG Start = 0;
    ULONG Length;

    while ((LocateLongestRuns || Count < SizeOfRunArray) &&
           (Length = RtlFindNextForwardRunClear(BitMapHeader, Start, &Start)) != 0)
    {
        ULONG Place = Count;

        if (LocateLongestRuns)
        {
            /* Insert before all shorter ones; the shortest falls out of a full array. */
            while (Place != 0 && RunArray[Place - 1].NumberOfBits < Length)
            {
                Place -= 1;
                if (Place + 1 < SizeOfRunArray)
                {
                    RunArray[Place + 1] = RunArray[Place];
                }
            }
        }

        if (Place < SizeOfRunArray)
        {
            RunArray[Place].StartingIndex = Start;
            RunArray[Place].NumberOfBits = Length;
            Count = min(Count + 1, SizeOfRunArray);
        }

        Start += Length;
    }

    return Count;
}

/**
 * Finds the longest run of clear bits, the first of several.
 *
 * @return its length; zero if there is none
 */
ULONG NTAPI RtlFindLongestRunClear(_In_ PRTL_BITMAP BitMapHeader, _Out_ PULONG StartingIndex)
{
    RTL_BITMAP_RUN Run = {0, 0};

    RtlFindClearRuns(BitMapHeader, &Run, 1, TRUE);
    *StartingIndex = Run.StartingIndex;
    return Run.NumberOfBits;
}

ULONG NTAPI RtlNumberOfSetBits(_In_ PRTL_BITMAP BitMapHeader)
{
    ULONG Count = 0;
    ULONG Index;
    ULONG Rest = BitMapHeader->SizeOfBitMap % 32;

    for (Index = 0; Index < BitMapHeader->SizeOfBitMap / 32; Index += 1)
    {
        Count += (ULONG)__builtin_popcount(BitMapHeader->Buffer[Index]);
    }

    if (Rest != 0)
    {
        Count += (ULONG)__builtin_popcount(BitMapHeader->Buffer[Index] & ((1u << Rest) - 1));
    }

    return Count;
}

ULONG NTAPI RtlNumberOfClearBits(_In_ PRTL_BITMAP BitMapHeader)
{
    return BitMapHeader->SizeOfBitMap - RtlNumberOfSetBits(BitMapHeader);
}

ULONG NTAPI RtlNumberOfSetBitsUlongPtr(_In_ ULONG_PTR Target)
{
    return (ULONG)__builtin_popcountll(Target);
}

/**
 * The number of the highest bit set, or -1 for zero.
 */
CCHAR NTAPI RtlFindMostSignificantBit(_In_ ULONGLONG Set)
{
    return (CCHAR)(Set == 0 ? -1 : 63 - __builtin_clzll(Set));
}

/**
 * The number of the lowest bit set, or -1 for zero.
 */
CCHAR NTAPI RtlFindLeastSignificantBit(_In_ ULONGLONG Set)
{
    return (CCHAR)(Set == 0 ? -1 : __builtin_ctzll(Set));
}
