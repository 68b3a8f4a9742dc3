/* SPDX-License-Identifier: MIT */
/*
 * Clock interrupts between the ticks (VF wants them for `kill` and `shuffle`). The timer runs one-shot then: each time to
 * the next tick or to the next nudge, whichever comes first.
 *
 * With --icount the time stamp counter and the timer both count the machine's nanoseconds, so that a nudge comes exactly
 * at its instruction.
 */
#include "halp.h"
#include "vf.h"

#define HALP_SHORTEST 20 /* counts; what is due already comes so soon */

typedef struct _HALP_NUDGE
{
    ULONG64 Tick, Nudge; /* time stamp counts */
} HALP_NUDGE;

static HALP_NUDGE HalpNudges[KI_MAXIMUM_PROCESSORS];

static VOID HalpArm(HALP_NUDGE *Own, ULONG64 Now)
{
    ULONG64 due = min(Own->Tick, Own->Nudge);

    HalpStartTimer(due <= Now + HALP_SHORTEST ? HALP_SHORTEST : (ULONG)min(due - Now, (ULONG64)HALP_TICK));
}

/* On the processor itself, interrupts off or nothing due. */
VOID HalpStartNudges(VOID)
{
    HALP_NUDGE *own = &HalpNudges[KiCurrentProcessor()];
    ULONG64 now = __rdtsc();

    own->Tick = now + HALP_TICK;
    own->Nudge = VfNextNudge(now);
    HalpArm(own, now);
}

/* Described in hal.h. */
VOID HalRearmClock(VOID)
{
    BOOLEAN enabled = (__builtin_ia32_readeflags_u64() & 0x200) != 0;

    KiDisable();
    if (VfNudgesOn())
    {
        HALP_NUDGE *own = &HalpNudges[KiCurrentProcessor()];
        ULONG64 now = __rdtsc();

        own->Nudge = min(own->Nudge, VfNextNudge(now));
        HalpArm(own, now);
    }
    if (enabled)
    {
        KiEnable();
    }
}

/* Described in hal.h. The clock's own IRQL keeps the next one away. */
BOOLEAN HalClockInterrupt(PVOID Pc, BOOLEAN *EndTurn)
{
    HALP_NUDGE *own = &HalpNudges[KiCurrentProcessor()];
    BOOLEAN tick;
    ULONG64 now;

    *EndTurn = FALSE;
    if (!VfNudgesOn())
    {
        return TRUE;
    }
    now = __rdtsc();
    tick = now >= own->Tick;
    if (now >= own->Nudge)
    {
        *EndTurn = VfNudge(now, Pc);
        own->Nudge = VfNextNudge(now);
    }
    while (own->Tick <= now)
    {
        own->Tick += HALP_TICK;
    }
    HalpArm(own, now);
    return tick;
}
