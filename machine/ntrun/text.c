/* SPDX-License-Identifier: MIT */
/* Growing strings, lists of them, and ntrun's own messages. See text.h. */
#include "text.h"

#include "exitcodes.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void MemoryExhausted(void)
{
    fputs("ntrun: out of memory\n", stderr);
    exit(NTRUN_CANNOT_START);
}

void *MemoryAllocate(size_t Size)
{
    void *memory = calloc(1, Size != 0 ? Size : 1);

    if (memory == NULL)
    {
        MemoryExhausted();
    }
    return memory;
}

void *MemoryGrow(void *Array, size_t *Capacity, size_t Count, size_t ItemSize)
{
    size_t capacity = *Capacity;

    if (Count <= capacity)
    {
        return Array;
    }
    capacity = capacity < 16 ? 16 : capacity;
    while (capacity < Count && capacity <= SIZE_MAX / 2)
    {
        capacity *= 2;
    }
    Array = capacity < Count ? NULL : reallocarray(Array, capacity, ItemSize);
    if (Array == NULL)
    {
        MemoryExhausted();
    }
    *Capacity = capacity;
    return Array;
}

static void TextAppendList(TEXT *Text, const char *Format, va_list Arguments)
{
    va_list again;
    int length;

    va_copy(again, Arguments);
    length = vsnprintf(NULL, 0, Format, again);
    va_end(again);
    if (length < 0)
    {
        MemoryExhausted();
    }
    Text->Data = MemoryGrow(Text->Data, &Text->Capacity, Text->Length + (size_t)length + 1, 1);
    vsnprintf(Text->Data + Text->Length, (size_t)length + 1, Format, Arguments);
    Text->Length += (size_t)length;
}

void TextAppend(TEXT *Text, const char *Format, ...)
{
    va_list arguments;

    va_start(arguments, Format);
    TextAppendList(Text, Format, arguments);
    va_end(arguments);
}

void TextAppendBytes(TEXT *Text, const char *Bytes, size_t Count)
{
    Text->Data = MemoryGrow(Text->Data, &Text->Capacity, Text->Length + Count + 1, 1);
    memcpy(Text->Data + Text->Length, Bytes, Count);
    Text->Length += Count;
    Text->Data[Text->Length] = '\0';
}

void TextAppendRepeated(TEXT *Text, char Character, size_t Count)
{
    Text->Data = MemoryGrow(Text->Data, &Text->Capacity, Text->Length + Count + 1, 1);
    memset(Text->Data + Text->Length, Character, Count);
    Text->Length += Count;
    Text->Data[Text->Length] = '\0';
}

const char *TextString(const TEXT *Text)
{
    return Text->Data != NULL ? Text->Data : "";
}

void TextFree(TEXT *Text)
{
    free(Text->Data);
    memset(Text, 0, sizeof(*Text));
}

void TextListAdd(TEXT_LIST *List, const char *Format, ...)
{
    TEXT text = {0};
    va_list arguments;

    va_start(arguments, Format);
    TextAppendList(&text, Format, arguments);
    va_end(arguments);
    List->Items = MemoryGrow(List->Items, &List->Capacity, List->Count + 2, sizeof(*List->Items));
    List->Items[List->Count++] = text.Data;
    List->Items[List->Count] = NULL;
}

void TextListFree(TEXT_LIST *List)
{
    for (size_t i = 0; i < List->Count; i++)
    {
        free(List->Items[i]);
    }
    free(List->Items);
    memset(List, 0, sizeof(*List));
}

char *TextFormat(const char *Format, ...)
{
    TEXT text = {0};
    va_list arguments;

    va_start(arguments, Format);
    TextAppendList(&text, Format, arguments);
    va_end(arguments);
    return text.Data;
}

void Say(const char *Format, ...)
{
    TEXT text = {0};
    va_list arguments;

    /* One write, so that lines of several processes on one terminal do not mix. */
    TextAppend(&text, "ntrun: ");
    va_start(arguments, Format);
    TextAppendList(&text, Format, arguments);
    va_end(arguments);
    TextAppend(&text, "\n");
    fputs(text.Data, stderr);
    TextFree(&text);
}
