/* SPDX-License-Identifier: MIT */
/* Bug checks in words: names, what each parameter says, what to look for. */
#ifndef ISTHMUS_NTRUN_BUGWORDS_H
#define ISTHMUS_NTRUN_BUGWORDS_H

#include "text.h"

#include <stdbool.h>
#include <stdint.h>

#define BUG_ANY_KIND UINT64_MAX

/*
 * What a bug check says. A parameter's words begin with a letter for how its value is shown, and a colon:
 *
 *     p  address or handle             i  IRQL, by name            f  MDL flags, by name
 *     n  decimal number                s  NTSTATUS, by name        m  KPROCESSOR_MODE
 *     x  hexadecimal number            t  pool tag, as letters     o  POOL_TYPE
 *     a  kind of access of a fault above DISPATCH_LEVEL: 0 read, 1 write, 8 execute
 *     b  kind of access of another fault: 0 read, 2 write, 0x10 execute
 *     c  that of 0xCE: 0 read, 1 write, 0x10 execute
 *     k  the kind of this bug check
 *
 * NULL: the parameter says nothing.
 */
typedef struct BUG_WORDS
{
    uint32_t Code;
    uint64_t Kind; /* parameter 1, or BUG_ANY_KIND */
    const char *What;
    const char *Parameters[4];
    const char *Advice; /* NULL: that of the code's BUG_ANY_KIND entry */
} BUG_WORDS;

extern const BUG_WORDS BugGeneralWords[];
extern const size_t BugGeneralCount;
extern const BUG_WORDS BugMemoryWords[]; /* codes whose first parameter is a kind: pool, frames, mappings */
extern const size_t BugMemoryCount;
extern const BUG_WORDS BugVerifierWords[]; /* 0xC4 and 0xC9 */
extern const size_t BugVerifierCount;

/** The name of a bug check, as in bugcodes.h; NULL if it is a driver's own code. */
const char *BugName(uint32_t Code);

/** The words for a code and its first parameter; never NULL. */
const BUG_WORDS *BugWords(uint32_t Code, uint64_t Parameter1);

/** What to look for; NULL if nobody knows. */
const char *BugAdvice(const BUG_WORDS *Words);

/** Appends the words for one parameter and its value; nothing if it says nothing. Index is 0 to 3. */
void BugAppendMeaning(TEXT *Text, const BUG_WORDS *Words, unsigned Index, uint64_t Value);

/** Appends a pool tag as its four letters, in quotation marks. */
void BugAppendTag(TEXT *Text, uint64_t Tag);

/** The name of an IRQL; "" if it has none. */
const char *IrqlName(unsigned Irql);

#endif
