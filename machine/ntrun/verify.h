/* SPDX-License-Identifier: MIT */
/* --verify: the checks of Driver Verifier that the kernel is asked to make. */
#ifndef ISTHMUS_NTRUN_VERIFY_H
#define ISTHMUS_NTRUN_VERIFY_H

#include "text.h"

#include <stdbool.h>

/* What --verify has chosen so far. All zero: nothing was said, and the kernel's own defaults hold. */
typedef struct VERIFY
{
    bool None; /* the checks that are on by default are off, but for those in Modes */
    unsigned Modes; /* bit n: the n-th mode of the table in verify.c */
} VERIFY;

/**
 * Takes in one value of --verify.
 *
 * @param List   Names of modes, separated by commas.
 * @param Error  Receives a message if the result is false; it lists the modes that exist.
 */
bool VerifyParse(VERIFY *Verify, const char *List, TEXT *Error);

/** Adds the kernel's options for what was chosen: NAME or NAME:VALUE, as --option takes them. */
void VerifySettings(const VERIFY *Verify, TEXT_LIST *Settings);

/** Appends a line per mode for --help, indented by two. */
void VerifyHelp(TEXT *Help);

#endif
