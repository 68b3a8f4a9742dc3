/* SPDX-License-Identifier: MIT */
/* ntrun's command line. */
#ifndef ISTHMUS_NTRUN_OPTIONS_H
#define ISTHMUS_NTRUN_OPTIONS_H

#include "faults.h"
#include "text.h"
#include "verify.h"

#include <stdbool.h>
#include <stdint.h>

/* Pointers without ownership point into argv. */
typedef struct OPTIONS
{
    unsigned Cpus;
    unsigned Memory; /* MB */
    bool Icount;
    unsigned IcountShift;
    bool Repeats; /* an option was given that needs exact repetition, and takes --icount along */
    SWEEP Sweep;
    bool FixedSeed;
    uint64_t Seed;
    bool Gdb;
    unsigned Timeout; /* seconds, 0 = none */
    bool Keep;
    bool Verbose;
    VERIFY Verify;       /* its settings are at the end of Settings once all is read */
    const char *Machine; /* QEMU's name of it */
    const char *System;  /* directory, NULL = look for it */
    const char *Json;    /* file, "-" = standard output, NULL = none */
    const char *Stdin;   /* file, "-" = ntrun's own, NULL = none */
    TEXT_LIST Adds;        /* FILE[=NAME] */
    TEXT_LIST Environment; /* NAME=VALUE */
    TEXT_LIST Settings;    /* NAME[:VALUE], for boot.cfg */
    TEXT_LIST Drivers;     /* paths */
    const char *Program;
    char *const *Arguments;
    size_t ArgumentCount;
} OPTIONS;

typedef enum OPTIONS_RESULT
{
    OptionsRun,
    OptionsHelp,
    OptionsVersion,
    OptionsWrong,
} OPTIONS_RESULT;

/**
 * Reads the command line.
 *
 * @param Error  Receives a message if the result is OptionsWrong.
 */
OPTIONS_RESULT OptionsParse(OPTIONS *Options, int Argc, char *const *Argv, TEXT *Error);

/** Frees what OptionsParse allocated, whatever it returned. */
void OptionsFree(OPTIONS *Options);

/** The text of --help. */
extern const char OptionsHelpText[];

#endif
