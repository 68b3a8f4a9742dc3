/* SPDX-License-Identifier: MIT */
/*
 * Other interleavings of the same program: with --icount a run repeats exactly, and this makes runs differ by the seed
 * alone. Three means, all drawn from one sequence of numbers that begins with the seed:
 *
 *   - between the clock's ticks each processor is interrupted at random moments, and a thread may have to go behind
 *     others of its priority. With --icount an interrupt also ends the turn of the processor that runs, so that the
 *     processors' instructions mix in another way;
 *   - where a spin lock or a fast mutex is taken, and where a system service begins, the processor may let the other one
 *     go on first (under --icount that is what `pause` does), or the thread may yield.
 *
 * What the driver kit's headers make inline, as raising and lowering the IRQL, is only met by the random interrupts.
 */
#include "hal.h"
#include "ke.h"
#include "vfp.h"

#define VFP_SHORTEST 8  /* a random interrupt comes after 2^8 to 2^19 instructions, each power as likely as another */
#define VFP_POWERS 11

BOOLEAN VfShuffleOn;
static volatile LONG64 VfpDraws, VfpShuffles;

static ULONG64 VfpDraw(VOID)
{
    return VfpMix(KeBootBlock->RandomSeed[0] ^ (ULONG64)InterlockedIncrement64(&VfpDraws));
}

ULONG64 VfpShuffleDue(ULONG64 Now)
{
    ULONG64 draw;

    if (!VfShuffleOn)
    {
        return MAXULONG64;
    }
    draw = VfpDraw();
    return Now + (1ULL << (VFP_SHORTEST + draw % VFP_POWERS)) + (draw >> 32) % (1ULL << VFP_SHORTEST);
}

BOOLEAN VfpShuffleAtClock(VOID)
{
    InterlockedIncrement64(&VfpShuffles);
    return VfpDraw() % 2 == 0;
}

VF_SELDOM VOID VfShuffleHere(BOOLEAN MayYield)
{
    ULONG64 draw = VfpDraw();

    if (draw % 4 != 0)
    {
        return;
    }
    InterlockedIncrement64(&VfpShuffles);
    if (MayYield && (draw & 8) != 0 && KeGetCurrentIrql() <= APC_LEVEL)
    {
        NtYieldExecution();
        return;
    }
    for (ULONG64 left = (draw >> 8) % 4; left != 0; left--)
    {
        _mm_pause();
    }
}

VOID VfpReportShuffle(VOID)
{
    if (VfShuffleOn)
    {
        HalPrint(HalStreamReport, "shuffles %lld\n", VfpShuffles);
    }
}

/* option=shuffle */
BOOLEAN VfpParseShuffle(VFP_TEXT Text)
{
    VfShuffleOn = TRUE;
    return Text.Length == 0;
}
