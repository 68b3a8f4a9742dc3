/* SPDX-License-Identifier: MIT */
/* Private to the sweep: its points, a run of one, and the table of all. */
#ifndef ISTHMUS_NTRUN_SWEEPP_H
#define ISTHMUS_NTRUN_SWEEPP_H

#include "sweep.h"

#define SWEEP_HANGS "hangs\n" /* added to the report of a run that was stopped */

/* One run: what is to go wrong in it, and what came of it. */
typedef struct SWEEP_POINT
{
    uint64_t Number;
    char *Setting; /* for boot.cfg; NULL for none */
    char *Option;  /* the same as an option of ntrun */
    bool HasSeed;  /* the number is a seed */

    int Code;      /* ntrun's exit code */
    REPORT Report;
    char *What;    /* of the report's line on the point; NULL if the machine did not come by it */
    char *Where;
    char *Output;  /* all that the run said */
    bool Held;
    char *Outcome; /* in words */
} SWEEP_POINT;

/** Runs points, some at a time; fills in Code, Report and Output. Shows progress on a terminal if Progress is set. */
void SweepRunAll(const OPTIONS *Options, SWEEP_POINT *Points, size_t Count, bool Progress, SWEEP_RUNNER *Runner);

/** Puts function and line behind each place, for those that llvm-symbolizer knows. Returns: they are return addresses. */
void SweepNamePlaces(const OPTIONS *Options, SWEEP_POINT *Points, size_t Count, bool Returns);

/**
 * Prints a line per point (consecutive ones with the same result in one line), how often which result came, and what
 * failed and how to repeat it.
 *
 * @param Repeat  the command line without the sweep; the point's option is put in behind its first word
 * @return the number of points that did not hold
 */
size_t SweepPrint(const SWEEP_POINT *Points, size_t Count, const TEXT_LIST *Repeat);

#endif
