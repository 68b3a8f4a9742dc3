/* SPDX-License-Identifier: MIT */
/*
 * VF: what Driver Verifier does: options, checks, trackers.
 */
#pragma once

#include "nt.h"

typedef enum _VF_OPTION
{
    VfTrackLockedPages,   /* 0xCB instead of 0x76, with the stack that took the lock; on by default */
    VfChecks,             /* the 0xC4 / 0xC9 rules; on by default */
    VfTrimPressure,       /* user pages leave at random moments; option=trim */
    VfVerbose,
    VfOptionCount
} VF_OPTION;

VOID VfInitialize(PCSTR Configuration, SIZE_T Length);  /* the text of boot.cfg; any later question is answered from it */
BOOLEAN VfOption(VF_OPTION Option);
/** Value of `option=Name:Value` as a number, or Default. */
ULONG64 VfOptionValue(PCSTR Name, ULONG64 Default);

/** Bug check 0xC4 if the rule is broken and checks are on; the address of the caller names the driver. Any IRQL. */
VOID VfCheck(BOOLEAN Holds, ULONG_PTR Rule, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4);
