/* SPDX-License-Identifier: MIT */
/*
 * Clock interrupts between the ticks, for the options that want something to happen at a moment of their own.
 */
#include "ke.h"
#include "vfp.h"

BOOLEAN VfNudgesOn(VOID)
{
    return VfKillOn || VfShuffleOn;
}

ULONG64 VfNextNudge(ULONG64 Now)
{
    return min(VfpKillDue(), VfpShuffleDue(Now));
}

BOOLEAN VfNudge(ULONG64 Now, PVOID Pc)
{
    VfpKillAtClock(Now, Pc);
    return VfShuffleOn && VfpShuffleAtClock();
}
