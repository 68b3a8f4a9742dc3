/* SPDX-License-Identifier: MIT */
/* HAL's private side. */
#pragma once

#include "hal.h"
#include "ke.h"

#define HALP_TIMER_FREQUENCY 1000000000ULL /* the local APIC's timer at divisor 1, in QEMU: one count per nanosecond */
#define HALP_CLOCK_FREQUENCY 1000          /* clock interrupts per second */

#define HALP_TICK ((ULONG)(HALP_TIMER_FREQUENCY / HALP_CLOCK_FREQUENCY)) /* counts between clock interrupts */

VOID HalpMapLocalApic(VOID);
VOID HalpSendInit(ULONG ApicId);
VOID HalpSendStartup(ULONG ApicId, ULONG Page);
/* The APIC timer as a stopwatch: starts it one-shot from the largest count; reads what is left. */
VOID HalpStartStopwatch(VOID);
ULONG HalpReadStopwatch(VOID);
/* One clock interrupt after so many counts. */
VOID HalpStartTimer(ULONG Count);
VOID HalpStartNudges(VOID);
VOID HalpCalibrate(VOID);
LONG64 HalpReadSystemTime(VOID); /* 100 ns since 1601 UTC */

int _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments);
