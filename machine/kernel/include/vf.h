/* SPDX-License-Identifier: MIT */
/*
 * VF: what Driver Verifier does: options, checks, trackers.
 */
#pragma once

#include "nt.h"

typedef enum _VF_OPTION
{
    VfTrackLockedPages,   /* 0xCB instead of 0x76, naming the driver; on unless option=notrack */
    VfChecks,             /* the 0xC4 and 0xC9 rules; on unless option=noverifier */
    VfTrimPressure,       /* user pages leave at random moments; option=trim */
    VfVerbose,            /* option=verbose */
    VfOptionCount
} VF_OPTION;

/** Keeps the text of boot.cfg (which must stay in memory) and answers every later question from it. Before all rooms. */
VOID VfInitialize(PCSTR Configuration, SIZE_T Length);

/** Any IRQL. */
BOOLEAN VfOption(VF_OPTION Option);

/** TRUE if boot.cfg has `option=Name` or `option=Name:...`. Any IRQL. */
BOOLEAN VfOptionGiven(PCSTR Name);

/** The number of `option=Name:Value` (decimal, or hexadecimal with 0x), or Default if it is absent or no number. Any IRQL. */
ULONG64 VfOptionValue(PCSTR Name, ULONG64 Default);

/** Bug check 0xC4 with these parameters unless the rule holds or the checks are off. Any IRQL. */
VOID VfCheck(BOOLEAN Holds, ULONG_PTR Rule, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4);
