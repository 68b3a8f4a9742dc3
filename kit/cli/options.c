/* SPDX-License-Identifier: MIT */
/*
 * Options: a command's table says which it has; anything else is refused. Values stand in the next argument or behind
 * an equals sign. What isn't an option is a word, and after "--" everything is.
 */
#include "cli.h"

static void *Field(OPTIONS *Options, const OPTION *Option)
{
    return (BYTE *)Options + Option->Field;
}

/* A decimal or 0x number, with K, M or G behind it if it counts bytes. */
static BOOL ParseNumber(const wchar_t *Text, BOOL Suffix, UINT64 *Value)
{
    unsigned base = 10, shift = 0;
    UINT64 value = 0;
    if (Text[0] == L'0' && (Text[1] == L'x' || Text[1] == L'X'))
    {
        base = 16;
        Text += 2;
    }
    const wchar_t *first = Text;
    for (;; Text++)
    {
        unsigned digit = *Text >= L'0' && *Text <= L'9'   ? (unsigned)(*Text - L'0')
                         : *Text >= L'a' && *Text <= L'f' ? (unsigned)(*Text - L'a') + 10
                         : *Text >= L'A' && *Text <= L'F' ? (unsigned)(*Text - L'A') + 10
                                                          : 16;
        if (digit >= base)
        {
            break;
        }
        if (value > (~0ull - digit) / base)
        {
            return FALSE;
        }
        value = value * base + digit;
    }
    if (Text == first)
    {
        return FALSE;
    }
    if (Suffix && *Text != 0)
    {
        wchar_t letter = *Text & ~0x20; /* upper case */
        shift = letter == L'K' ? 10 : letter == L'M' ? 20 : letter == L'G' ? 30 : 0;
        Text += shift != 0;
    }
    if (*Text != 0 || (shift != 0 && value >> (64 - shift) != 0))
    {
        return FALSE;
    }
    *Value = value << shift;
    return TRUE;
}

/* One number, or two with a hyphen between them. */
static BOOL ParseRange(const wchar_t *Text, UINT64 Range[2])
{
    wchar_t first[32];
    const wchar_t *hyphen = wcschr(Text, L'-');
    size_t length = hyphen != NULL ? (size_t)(hyphen - Text) : wcslen(Text);
    if (length >= sizeof(first) / sizeof(first[0]))
    {
        return FALSE;
    }
    wmemcpy(first, Text, length);
    first[length] = 0;
    return ParseNumber(first, TRUE, &Range[0]) && ParseNumber(hyphen != NULL ? hyphen + 1 : first, TRUE, &Range[1]);
}

static const OPTION *FindOption(const COMMAND *Command, const wchar_t *Name, size_t Length)
{
    for (int i = 0; i < Command->OptionCount; i++)
    {
        if (wcslen(Command->Options[i].Name) == Length && wcsncmp(Command->Options[i].Name, Name, Length) == 0)
        {
            return &Command->Options[i];
        }
    }
    return NULL;
}

static BOOL SetOption(const COMMAND *Command, const OPTION *Option, const wchar_t *Value, OPTIONS *Options)
{
    if (Option->Kind == OptionText)
    {
        *(const wchar_t **)Field(Options, Option) = Value;
        return TRUE;
    }
    if (Option->Kind == OptionRange ? !ParseRange(Value, Field(Options, Option))
                                    : !ParseNumber(Value, Option->Kind == OptionBytes, Field(Options, Option)))
    {
        fprintf(stderr, "isthmus: %s wants %s, not \"%s\"; see isthmus help %s.\n", Utf8(Option->Name),
                Option->Kind == OptionBytes   ? "a number of bytes like 8192, 0x2000 or 8K"
                : Option->Kind == OptionRange ? "bytes like 64, or a range like 16-1K"
                                              : "a number",
                Utf8(Value), Utf8(Command->Name));
        return FALSE;
    }
    if (Option->Field == offsetof(OPTIONS, Seconds))
    {
        Options->HasSeconds = TRUE; /* "--for 0" isn't the same as no --for */
    }
    else if (*(UINT64 *)Field(Options, Option) == 0 && Option->Field != offsetof(OPTIONS, Offset))
    {
        fprintf(stderr, "isthmus: %s must be at least 1.\n", Utf8(Option->Name));
        return FALSE;
    }
    return TRUE;
}

/* Takes a command's options out of its arguments. FALSE: a message was printed, and the usage is wrong. */
BOOL TakeOptions(const COMMAND *Command, wchar_t **Arguments, int Count, OPTIONS *Options)
{
    BOOL onlyWords = FALSE;
    Options->Words = Arguments;
    for (int i = 0; i < Count; i++)
    {
        const wchar_t *name = Arguments[i];
        if (onlyWords || name[0] != L'-' || name[1] == 0)
        {
            Options->Words[Options->WordCount++] = Arguments[i];
            continue;
        }
        if (wcscmp(name, L"--") == 0)
        {
            onlyWords = TRUE;
            continue;
        }
        const wchar_t *equals = wcschr(name, L'=');
        const OPTION *option = FindOption(Command, name, equals != NULL ? (size_t)(equals - name) : wcslen(name));
        if (option == NULL)
        {
            fprintf(stderr, "isthmus: %s has no option %s; see isthmus help %s.\n", Utf8(Command->Name), Utf8(name),
                    Utf8(Command->Name));
            return FALSE;
        }
        if (option->Kind == OptionFlag)
        {
            if (equals != NULL)
            {
                fprintf(stderr, "isthmus: %s takes no value.\n", Utf8(option->Name));
                return FALSE;
            }
            *(BOOL *)Field(Options, option) = TRUE;
            continue;
        }
        const wchar_t *value = equals != NULL ? equals + 1 : i + 1 < Count ? Arguments[++i] : NULL;
        if (value == NULL || value[0] == 0)
        {
            fprintf(stderr, "isthmus: %s needs a value: %s; see isthmus help %s.\n", Utf8(option->Name), option->Value,
                    Utf8(Command->Name));
            return FALSE;
        }
        if (!SetOption(Command, option, value, Options))
        {
            return FALSE;
        }
    }
    if (Options->WordCount > Command->WordsMost)
    {
        fprintf(stderr, "isthmus: %s takes no \"%s\"; see isthmus help %s.\n", Utf8(Command->Name),
                Utf8(Options->Words[Command->WordsMost]), Utf8(Command->Name));
        return FALSE;
    }
    return TRUE;
}
