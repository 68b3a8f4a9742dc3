/* SPDX-License-Identifier: MIT */
/* The whole result of a run as data: docs/report.md has the schema. */
#ifndef ISTHMUS_NTRUN_JSONREPORT_H
#define ISTHMUS_NTRUN_JSONREPORT_H

#include "options.h"
#include "run.h"
#include "symbols.h"

/* What came of a run. */
typedef struct RESULT
{
    int Code;     /* ntrun's exit code */
    TEXT Message; /* for the user, empty if there is nothing to say */
    RUN Run;
    SYMBOLS Symbols;
} RESULT;

#define JSON_SCHEMA 1

/** The result as JSON text, with a line feed at the end; the caller frees it. Never NULL. */
char *JsonBuild(const RESULT *Result, const OPTIONS *Options);

/**
 * Writes the result to a file, or to standard output if Path is "-".
 *
 * @param Error  Receives a message if the result is false.
 */
bool JsonWrite(const char *Path, const RESULT *Result, const OPTIONS *Options, TEXT *Error);

#endif
