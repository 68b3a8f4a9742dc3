/* SPDX-License-Identifier: MIT */
/* Runs QEMU: starts it, carries its consoles, watches the clock and the signals, and ends it. */
#ifndef ISTHMUS_NTRUN_RUN_H
#define ISTHMUS_NTRUN_RUN_H

#include "options.h"
#include "places.h"
#include "report.h"

#include <stdbool.h>

typedef struct RUN
{
    MACHINE_END End;
    REPORT Report;
    int Signal;      /* not 0: ntrun was told to end by this signal, and QEMU has been ended */
    int OutputError; /* not 0: the errno that standard output refused data with */
    TEXT Command;    /* QEMU's command line */
} RUN;

/**
 * Runs the machine to its end.
 *
 * @param Image    Path that QEMU opens.
 * @param ImageFd  Descriptor that Image may refer to; kept open for QEMU.
 * @param Error    Receives a message if the result is false: QEMU could not be started.
 */
bool RunMachine(RUN *Run, const OPTIONS *Options, const PLACES *Places, const char *Image, int ImageFd, TEXT *Error);

/** Frees everything. */
void RunFree(RUN *Run);

#endif
