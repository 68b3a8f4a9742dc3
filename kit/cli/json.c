/* SPDX-License-Identifier: MIT */
/*
 * A JSON writer on standard output: two spaces of indentation, commas where they belong, strings escaped.
 */
#include "cli.h"

static int Depth;
static BOOL First = TRUE; /* nothing stands before the next value at this depth */

static void Quote(const char *Text)
{
    putchar('"');
    for (; *Text != 0; Text++)
    {
        unsigned char c = (unsigned char)*Text;
        if (c == '"' || c == '\\')
        {
            printf("\\%c", c);
        }
        else if (c < 0x20)
        {
            printf("\\u%04x", c);
        }
        else
        {
            putchar(c);
        }
    }
    putchar('"');
}

/* What comes before any value: the comma, a new line, the key. */
static void Begin(const char *Key)
{
    if (Depth != 0)
    {
        printf(First ? "\n%*s" : ",\n%*s", 2 * Depth, "");
    }
    if (Key != NULL)
    {
        Quote(Key);
        printf(": ");
    }
    First = FALSE;
}

/* Bracket: '{' or '['. */
void JsonOpen(const char *Key, char Bracket)
{
    Begin(Key);
    putchar(Bracket);
    Depth++;
    First = TRUE;
}

/* Bracket: '}' or ']'. */
void JsonClose(char Bracket)
{
    Depth--;
    if (!First)
    {
        printf("\n%*s", 2 * Depth, "");
    }
    putchar(Bracket);
    First = FALSE;
    if (Depth == 0)
    {
        putchar('\n');
        First = TRUE;
    }
}

void JsonNumber(const char *Key, UINT64 Value)
{
    Begin(Key);
    printf("%llu", (unsigned long long)Value);
}

/* A string: JSON has no hexadecimal numbers, and many readers no integers beyond 2^53. */
void JsonHex(const char *Key, UINT64 Value)
{
    Begin(Key);
    printf("\"0x%llx\"", (unsigned long long)Value);
}

void JsonText(const char *Key, const char *Value)
{
    Begin(Key);
    if (Value == NULL)
    {
        printf("null");
    }
    else
    {
        Quote(Value);
    }
}

void JsonBool(const char *Key, BOOL Value)
{
    Begin(Key);
    printf(Value ? "true" : "false");
}
