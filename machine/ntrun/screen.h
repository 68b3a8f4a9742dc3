/* SPDX-License-Identifier: MIT */
/* The blue screen, as text. */
#ifndef ISTHMUS_NTRUN_SCREEN_H
#define ISTHMUS_NTRUN_SCREEN_H

#include "symbols.h"

/**
 * Finds the driver to blame: the innermost one on the stack; or else, and for 0xCB and 0xCE first, the one a parameter
 * points to.
 *
 * @param Code  Out: an address in it that tells most.
 * @return NULL if no driver is involved.
 */
const MODULE *ScreenBlame(const STOP *Stop, const MODULES *Modules, uint64_t *Code);

/** True if the module is the machine's kernel itself. */
bool ModuleIsKernel(const MODULE *Module);

/** Asks for the symbols that the screen shows. */
void ScreenAddSymbols(SYMBOLS *Symbols, const STOP *Stop);

/**
 * Writes the screen of a report that has a bug check.
 *
 * @param Color  With colours for a terminal.
 */
void ScreenWrite(TEXT *Text, const REPORT *Report, const SYMBOLS *Symbols, bool Color);

/** Writes a stack, one line a frame, indented by Indent blanks. Drivers' frames are marked. */
void ScreenStack(TEXT *Text, const STACK *Stack, const MODULES *Modules, const SYMBOLS *Symbols, int Indent,
                 bool Color);

#endif
