/* SPDX-License-Identifier: MIT */
/* What the machine reports about its end, and what ntrun makes of it. */
#ifndef ISTHMUS_NTRUN_REPORT_H
#define ISTHMUS_NTRUN_REPORT_H

#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Lines from the report port:
 *     exit <decimal>            the program's exit code or NTSTATUS
 *     bugcheck <hex> x 5        code and four parameters
 *     refused <text>            a driver or the program did not start
 *     leak <text>               something was left over
 * Lines that are none of these are kept in Raw only.
 */
typedef struct REPORT
{
    TEXT Raw;     /* all that came, up to REPORT_MAX bytes */
    TEXT Pending; /* a line that has not ended yet */
    bool HasExit;
    uint32_t Exit;
    bool HasBugcheck;
    TEXT Bugcheck; /* of the first one */
    bool HasRefusal;
    TEXT Refusal; /* of the first one */
    unsigned LeakCount;
    TEXT Leaks; /* joined by "; " */
} REPORT;

#define REPORT_MAX 65536u

/* How QEMU ended. */
typedef struct MACHINE_END
{
    int WaitStatus; /* of waitpid */
    bool TimedOut;  /* stopped by ntrun */
    unsigned Timeout; /* seconds, for the message */
} MACHINE_END;

/** Takes in bytes from the report port. */
void ReportFeed(REPORT *Report, const char *Bytes, size_t Count);

/** Takes in a last line without a line feed. */
void ReportFinish(REPORT *Report);

/**
 * Decides ntrun's exit code. The gravest event counts: blue screen, refusal, time-out, crash, leftovers, the program.
 *
 * @param Message  Receives a line for the user; stays empty if the program's code is returned as it is.
 */
int ReportConclude(const REPORT *Report, const MACHINE_END *End, TEXT *Message);

/** Frees everything. */
void ReportFree(REPORT *Report);

#endif
