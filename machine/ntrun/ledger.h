/* SPDX-License-Identifier: MIT */
/* The ledger, as text. */
#ifndef ISTHMUS_NTRUN_LEDGER_H
#define ISTHMUS_NTRUN_LEDGER_H

#include "symbols.h"

/** Asks for the symbols of a ledger's stacks. */
void LedgerAddSymbols(SYMBOLS *Symbols, const LEDGER *Ledger);

/** Writes a ledger; what was taken by the same stack is one entry. */
void LedgerWrite(TEXT *Text, const LEDGER *Ledger, const MODULES *Modules, const SYMBOLS *Symbols, bool Color);

#endif
