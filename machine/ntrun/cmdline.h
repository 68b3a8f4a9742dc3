/* SPDX-License-Identifier: MIT */
/* From Unix arguments to a Windows command line, and what may be a name on the other side. */
#ifndef ISTHMUS_NTRUN_CMDLINE_H
#define ISTHMUS_NTRUN_CMDLINE_H

#include "text.h"

#include <stdbool.h>

/* The longest command line Windows takes, in UTF-16 units without the NUL. */
#define CMDLINE_MAX_UNITS 32766u

/**
 * Appends one argument so that CommandLineToArgvW and msvcrt's start-up read it back unchanged. An argument with a
 * wildcard is quoted too: the shell has expanded what was to be expanded, msvcrt must not do it again.
 */
void CmdlineAppendArgument(TEXT *Line, const char *Argument);

/**
 * Builds a whole command line.
 *
 * @param Line     Receives it; empty before.
 * @param Program  argv[0]; holds no quotation mark, as no Windows path does.
 * @param Error    Receives a message if the result is false.
 * @return false if an argument cannot be carried: not UTF-8, with a line break, or too long together.
 */
bool CmdlineBuild(TEXT *Line, const char *Program, char *const *Arguments, size_t Count, TEXT *Error);

/** True if Text is well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool Utf8IsValid(const char *Text);

/** Length of valid UTF-8 in UTF-16 units. */
size_t Utf8Units(const char *Text);

/**
 * True if Name is a path of one or more Windows file names, separated by '/' or '\': relative, without "." and "..",
 * without characters that Windows forbids.
 */
bool WindowsPathIsValid(const char *Name);

/** The part of a Unix path behind its last '/'. */
const char *PathBaseName(const char *Path);

/** True if Name ends in Extension, ASCII letters without case. */
bool PathHasExtension(const char *Name, const char *Extension);

#endif
