/* SPDX-License-Identifier: MIT */
/* Growing strings, lists of them, and ntrun's own messages. Without memory ntrun ends with NTRUN_CANNOT_START. */
#ifndef ISTHMUS_NTRUN_TEXT_H
#define ISTHMUS_NTRUN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A string that grows. All zero is an empty one; Data is then NULL. Otherwise it is NUL-terminated. */
typedef struct TEXT
{
    char *Data;
    size_t Length;
    size_t Capacity;
} TEXT;

/* A list of strings that it owns. All zero is an empty one. Items[Count] is NULL once something was added. */
typedef struct TEXT_LIST
{
    char **Items;
    size_t Count;
    size_t Capacity;
} TEXT_LIST;

/** Appends as printf does. */
void TextAppend(TEXT *Text, const char *Format, ...) __attribute__((format(printf, 2, 3)));

/** Appends bytes. */
void TextAppendBytes(TEXT *Text, const char *Bytes, size_t Count);

/** Appends one character Count times. */
void TextAppendRepeated(TEXT *Text, char Character, size_t Count);

/** The string, never NULL. Valid until the next change. */
const char *TextString(const TEXT *Text);

/** Frees the contents; the text is empty afterwards. */
void TextFree(TEXT *Text);

/** Adds a formatted string. */
void TextListAdd(TEXT_LIST *List, const char *Format, ...) __attribute__((format(printf, 2, 3)));

/** Frees the contents; the list is empty afterwards. */
void TextListFree(TEXT_LIST *List);

/** A formatted string; the caller frees it. */
char *TextFormat(const char *Format, ...) __attribute__((format(printf, 1, 2)));

/** Memory, zeroed, never NULL; the caller frees it. */
void *MemoryAllocate(size_t Size);

/** Grows an array to hold at least Count items of ItemSize bytes and returns it; *Capacity is in items. */
void *MemoryGrow(void *Array, size_t *Capacity, size_t Count, size_t ItemSize);

/** Prints "ntrun: <text>" and a line feed to standard error. */
void Say(const char *Format, ...) __attribute__((format(printf, 1, 2)));

#endif
