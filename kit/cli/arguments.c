/* SPDX-License-Identifier: MIT */
/*
 * The command line, wide, from GetCommandLineW: main's own arguments are narrow and lose what the code page lacks.
 * The rules are those of Microsoft's start-up code: 2n backslashes before a quote are n backslashes and the quote
 * opens or closes; 2n+1 are n and a quote sign; two quotes inside quotes are a quote sign.
 */
#include "cli.h"

static const wchar_t *TakeOne(const wchar_t *From, wchar_t *To, BOOL Program)
{
    BOOL quoted = FALSE;
    for (;;)
    {
        size_t slashes = 0;
        while (!Program && *From == L'\\')
        {
            slashes++;
            From++;
        }
        if (*From == L'"')
        {
            for (size_t i = 0; i < slashes / 2; i++)
            {
                *To++ = L'\\';
            }
            if (slashes % 2 != 0)
            {
                *To++ = *From++;
            }
            else if (quoted && From[1] == L'"')
            {
                *To++ = L'"';
                From += 2;
            }
            else
            {
                quoted = !quoted;
                From++;
            }
            continue;
        }
        while (slashes-- > 0)
        {
            *To++ = L'\\';
        }
        if (*From == 0 || (!quoted && (*From == L' ' || *From == L'\t')))
        {
            *To = 0;
            return From;
        }
        *To++ = *From++;
    }
}

/* The arguments, program name first, and their count; NULL if memory ran out. They live as long as the process. */
wchar_t **TakeArguments(int *Count)
{
    const wchar_t *line = GetCommandLineW();
    size_t length = wcslen(line);
    /* No more arguments than characters, and no more characters than the line has, plus one end each. */
    wchar_t **arguments = malloc((length + 2) * sizeof(*arguments));
    wchar_t *text = malloc((2 * length + 2) * sizeof(*text));
    *Count = 0;
    if (arguments == NULL || text == NULL)
    {
        free(arguments);
        free(text);
        return NULL;
    }
    while (*line != 0)
    {
        arguments[*Count] = text;
        line = TakeOne(line, text, *Count == 0);
        text += wcslen(text) + 1;
        ++*Count;
        while (*line == L' ' || *line == L'\t')
        {
            line++;
        }
    }
    arguments[*Count] = NULL;
    return arguments;
}
