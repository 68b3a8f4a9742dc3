/* SPDX-License-Identifier: MIT */
/* Private to VF. */
#pragma once

#include "vf.h"

/* The value of an option while it is read. */
typedef struct _VFP_TEXT
{
    PCSTR Value;
    SIZE_T Length;
} VFP_TEXT;

/** Moves past a word if the text begins with it. */
BOOLEAN VfpSkip(VFP_TEXT *Text, PCSTR Word);
/** Reads a decimal number that fits, and moves past it. */
BOOLEAN VfpReadNumber(VFP_TEXT *Text, ULONG64 *Number);

/** A number that looks random, always the same for the same one (splitmix64 by Vigna). Any IRQL. */
static inline ULONG64 VfpMix(ULONG64 Value)
{
    Value += 0x9E3779B97F4A7C15ULL;
    Value = (Value ^ (Value >> 30)) * 0xBF58476D1CE4E5B9ULL;
    Value = (Value ^ (Value >> 27)) * 0x94D049BB133111EBULL;
    return Value ^ (Value >> 31);
}

/* Each reads its option's value, FALSE if it makes no sense; and tells at the end what it did. */
BOOLEAN VfpParseFailures(VFP_TEXT Text);
VOID VfpReportFailures(VOID);
BOOLEAN VfpParseKill(VFP_TEXT Text);
VOID VfpReportKill(VOID);
BOOLEAN VfpParseShuffle(VFP_TEXT Text);
VOID VfpReportShuffle(VOID);

/* For clock.c: when the next nudge is due, in time stamp counts; and what is done then. */
ULONG64 VfpKillDue(VOID);
VOID VfpKillAtClock(ULONG64 Now, PVOID Pc);
ULONG64 VfpShuffleDue(ULONG64 Now);
BOOLEAN VfpShuffleAtClock(VOID);
