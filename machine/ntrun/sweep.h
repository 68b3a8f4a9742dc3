/* SPDX-License-Identifier: MIT */
/* Sweeps: the same program many times, each time with another thing going wrong. */
#ifndef ISTHMUS_NTRUN_SWEEP_H
#define ISTHMUS_NTRUN_SWEEP_H

#include "options.h"
#include "report.h"

/* One run with these options; returns what ntrun returns. */
typedef int SWEEP_RUNNER(const OPTIONS *Options, int *Signal);

/**
 * Carries out Options->Sweep and prints what came of it on standard output.
 *
 * @param Argv    the command line, to tell how a run is repeated
 * @param Runner  called in processes of their own
 * @return 0 if every run held, 1 if one did not, NTRUN_CANNOT_START if there is nothing to sweep
 */
int SweepMain(OPTIONS *Options, int Argc, char **Argv, SWEEP_RUNNER *Runner);

/** In a run of a sweep: hands the machine's report and end to the one who sweeps. Does nothing otherwise. */
void SweepDeliver(const REPORT *Report, const MACHINE_END *End);

#endif
