/* SPDX-License-Identifier: MIT */
/* What is to go wrong on the machine: the values of --fail, --kill and --sweep. */
#ifndef ISTHMUS_NTRUN_FAULTS_H
#define ISTHMUS_NTRUN_FAULTS_H

#include "text.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum SWEEP_KIND
{
    SweepNone,
    SweepFailures,  /* each request of the drivers refused, one per run */
    SweepSites,     /* each place that requests something refused for good, one per run */
    SweepKill,      /* the program killed at each point, one per run */
    SweepSchedules, /* a number of seeds */
} SWEEP_KIND;

typedef struct SWEEP
{
    SWEEP_KIND Kind;
    uint64_t Runs; /* at most so many, spread evenly; 0 = as many as there are points */
    unsigned Jobs; /* runs at the same time */
} SWEEP;

/** Checks the value of --fail: nth=N, every=N, site=N, random=N or random=N,seed=S. */
bool FaultsCheckFail(const char *Value, TEXT *Error);

/** Checks the value of --kill: point=N or instruction=N. */
bool FaultsCheckKill(const char *Value, TEXT *Error);

/** Reads the value of --sweep: failures, sites, kill, each perhaps with =N; or schedules=N. */
bool FaultsReadSweep(SWEEP *Sweep, const char *Value, TEXT *Error);

#endif
