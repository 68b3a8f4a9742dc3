/* SPDX-License-Identifier: MIT */
/*
 * HAL: the board. Consoles on debug ports, local APIC, clock, starting the other processors,
 * leaving the machine. Everything here may be called at any IRQL unless said otherwise.
 */
#pragma once

#include "nt.h"
#include "bootblock.h"

typedef enum _HAL_STREAM
{
    HalStreamOutput = 0xE9,  /* the program's standard output */
    HalStreamError = 0xEA,   /* its standard error, DbgPrint, the machine's own words */
    HalStreamReport = 0xEB,  /* lines for ntrun: "exit 0", "bugcheck ..." */
} HAL_STREAM;

/** Writes bytes to a console. Calls of up to 512 bytes are whole; longer ones are cut, between lines if possible, so
    that interrupts are not kept away for long. */
VOID HalWriteConsole(HAL_STREAM Stream, const VOID *Bytes, SIZE_T Length);

/** printf for the machine's own messages (RTL's narrow formats); at most 512 bytes a call. */
VOID HalPrint(HAL_STREAM Stream, PCSTR Format, ...) __attribute__((format(printf, 2, 3)));

/** Leaves QEMU through isa-debug-exit; the real status goes by a report line before. */
DECLSPEC_NORETURN VOID HalExitMachine(UCHAR Status);

/** Boot processor: maps the local APIC, calibrates the counters. Called once, after Mm phase 0. */
VOID HalInitialize(const BOOT_BLOCK *Block);

/** Starts the other processors one at a time, each on its own stack; they enter KiProcessorStartup. */
VOID HalStartProcessors(VOID);

/** A started processor reports; returns when HalStartProcessors has started all of them. Interrupts off. */
VOID HalProcessorReached(ULONG Number);

VOID HalInitializeLocalApic(VOID);
VOID HalEndOfInterrupt(VOID);
VOID HalSendIpi(ULONG TargetProcessor, UCHAR Vector);
VOID HalSendIpiToOthers(UCHAR Vector);
VOID HalSendNmiToOthers(VOID);
/** APC_LEVEL or DISPATCH_LEVEL: that interrupt comes on this processor as soon as its IRQL is below. */
VOID HalRequestSoftwareInterrupt(KIRQL Irql);
/** Time stamp counts per second; 0 before HalInitialize. */
ULONG64 HalQueryTscFrequency(VOID);
/** Clock interrupt: TRUE if it is a tick, else it was one in between; *EndTurn: the thread's turn is over. CLOCK_LEVEL. */
BOOLEAN HalClockInterrupt(PVOID Pc, BOOLEAN *EndTurn);
/** VF has a new moment in mind for the next interrupt in between (VfNextNudge). */
VOID HalRearmClock(VOID);
VOID HalStartClock(VOID); /* per processor: periodic local-APIC timer, KeMaximumIncrement apart */
