/* SPDX-License-Identifier: MIT */
/* The parts of a report's line. */
#ifndef ISTHMUS_NTRUN_REPORTLINE_H
#define ISTHMUS_NTRUN_REPORTLINE_H

#include "report.h"

/** The rest of a line behind its first word, or NULL if it begins with another word. */
const char *LineAfter(const char *Line, const char *Word);

/** Takes a hexadecimal number and the blanks behind it from the line; false if there is none. */
bool LineHex(const char **Line, uint64_t *Value);

/** The number behind NAME= in a line of such pairs, or 0. */
uint64_t LineField(const char *Line, const char *Name, int Base);

/** Adds "<address> at|call" to a stack; false if the line says something else. */
bool StackAddLine(STACK *Stack, const char *Line);

/** Takes in a line of a bug check's report; false if it is none. */
bool StopLine(STOP *Stop, const char *Line);

/** Takes in a line of a ledger; false if it is none. */
bool LedgerLine(REPORT *Report, const char *Line);

/** Frees a ledger's contents. */
void LedgerFree(LEDGER *Ledger);

/** Takes in "<base> <size> loaded|unloaded <name>"; a later line about the same module counts. */
void ModulesLine(MODULES *Modules, const char *Line);

#endif
