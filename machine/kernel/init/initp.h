/* SPDX-License-Identifier: MIT */
/* Private to INIT. */
#pragma once

#include "init.h"

/* boot.cfg, which ntrun wrote: `key=value` lines in UTF-8. */
typedef struct _INIT_LINE
{
    PCSTR Value;
    SIZE_T Length;
} INIT_LINE;

VOID InitpSetConfiguration(PCSTR Text, SIZE_T Length);

/** The next line with this key after *Position (0 at first). FALSE when there is none left. */
BOOLEAN InitpNextLine(PCSTR Key, SIZE_T *Position, INIT_LINE *Line);

/** A line's value as UTF-16 in paged pool, Prefix before it; free with RtlFreeUnicodeString. */
NTSTATUS InitpToUnicode(PCWSTR Prefix, const INIT_LINE *Line, PUNICODE_STRING String);

/** Starts the drivers that boot.cfg names. The first one that fails is reported, and its status returned. */
NTSTATUS InitpStartDrivers(VOID);

/** Stops them, last first. */
VOID InitpStopDrivers(VOID);

/** Starts the program of boot.cfg, waits for it and for what it left running, and gives its exit status. */
NTSTATUS InitpRunProgram(PNTSTATUS ExitStatus);

/** Notes what the kernel holds by itself, so that only what drivers hold counts as left over. */
VOID InitpTakeBaseline(VOID);

/**
 * Counts what drivers left behind, says so, and leaves the machine.
 *
 * @param Started     a failure if a driver or the program did not start, which has been reported
 * @param ExitStatus  the program's
 */
DECLSPEC_NORETURN VOID InitpShutDown(NTSTATUS Started, NTSTATUS ExitStatus);

/** Leaves the machine because it could not do what boot.cfg asks; the reason is in words. */
DECLSPEC_NORETURN VOID InitpRefuse(PCSTR What, NTSTATUS Status);
