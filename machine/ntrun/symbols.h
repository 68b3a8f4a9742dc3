/* SPDX-License-Identifier: MIT */
/* From addresses of the machine's kernel to functions, files and lines, by llvm-symbolizer. */
#ifndef ISTHMUS_NTRUN_SYMBOLS_H
#define ISTHMUS_NTRUN_SYMBOLS_H

#include "package.h"
#include "places.h"
#include "report.h"

#include <stdio.h>

/* A place in a source. Function is never NULL; File is NULL if only a symbol's name is known. */
typedef struct SOURCE_LINE
{
    char *Function;
    char *File; /* with its whole path, or from the root of this project's sources */
    unsigned Line; /* 0 if it is not known; never without File */
} SOURCE_LINE;

/* What is at an address: the innermost inlined function first, the one that was really called last. */
typedef struct SYMBOL
{
    uint64_t Address;
    bool IsCode; /* it is on a stack */
    SOURCE_LINE *Lines;
    size_t LineCount; /* 0: nothing is known */
} SYMBOL;

typedef struct SYMBOLS
{
    SYMBOL *Items; /* sorted by address once resolved */
    size_t Count;
    size_t Capacity;
    bool Resolved;
    char *Root;         /* where this project's sources lie, with a '/' at the end; NULL if not known */
    TEXT_LIST Problems; /* why something has no name, for the user */
} SYMBOLS;

/** The address to ask about for a frame: of the call itself, not of what follows it. */
uint64_t FrameCode(const FRAME *Frame);

/** Asks for an address. */
void SymbolsAdd(SYMBOLS *Symbols, uint64_t Address);

/** Asks for all addresses of a stack. */
void SymbolsAddStack(SYMBOLS *Symbols, const STACK *Stack);

/**
 * Answers everything asked for, with one run of llvm-symbolizer. Names come from the files that were packed: their
 * DWARF, or a PDB beside them; for the machine's own, from the build's symbols directory if it has the same code.
 */
void SymbolsResolve(SYMBOLS *Symbols, const MODULES *Modules, const PACKAGE *Package, const PLACES *Places);

/** The answer for an address; NULL if nothing is known. */
const SYMBOL *SymbolsFind(const SYMBOLS *Symbols, uint64_t Address);

/** Opens a source that a SOURCE_LINE names; NULL if it is not here. The caller closes it. */
FILE *SymbolsOpenSource(const SYMBOLS *Symbols, const char *File);

/** Frees everything. */
void SymbolsFree(SYMBOLS *Symbols);

#endif
