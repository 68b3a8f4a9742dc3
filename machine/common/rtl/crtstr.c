/* SPDX-License-Identifier: MIT */
/*
 * Narrow strings of the C run time. Case is that of ASCII: the "C" locale, the only one there is.
 */
#include "rtlenv.h"
#include "crtnames.h"

#define RTLP_CHAR char
#define RTLP_UNIT unsigned char
#define RTLP_NAME(Name) str##Name
#define RTLP_UNDER(Name) _str##Name
#define RTLP_LOWER(Character) tolower(Character)
#define RTLP_UPPER(Character) toupper(Character)
#include "crtstrbody.h"

char *strchr(const char *String, int Character)
{
    for (;; String += 1)
    {
        if (*String == (char)Character)
        {
            return (char *)(ULONG_PTR)String;
        }

        if (*String == 0)
        {
            return NULL;
        }
    }
}

char *strrchr(const char *String, int Character)
{
    const char *Found = NULL;

    for (;; String += 1)
    {
        if (*String == (char)Character)
        {
            Found = String;
        }

        if (*String == 0)
        {
            return (char *)(ULONG_PTR)Found;
        }
    }
}

char *_strset(char *String, int Character)
{
    return _strnset(String, Character, (size_t)-1);
}

char *_strnset(char *String, int Character, size_t Limit)
{
    size_t Index;

    for (Index = 0; Index < Limit && String[Index] != 0; Index += 1)
    {
        String[Index] = (char)Character;
    }

    return String;
}

/* Context remembers where the next token starts; both pointers may not be NULL on the first call. */
char *strtok_s(char *String, const char *Delimiters, char **Context)
{
    char *Start;

    if (Delimiters == NULL || Context == NULL || (String == NULL && *Context == NULL))
    {
        return NULL;
    }

    Start = String != NULL ? String : *Context;
    Start += strspn(Start, Delimiters);
    if (*Start == 0)
    {
        *Context = Start;
        return NULL;
    }

    *Context = Start + strcspn(Start, Delimiters);
    if (**Context != 0)
    {
        **Context = 0;
        *Context += 1;
    }

    return Start;
}

/* Characters, as ctype.h has them for ASCII. */

int isdigit(int Character)
{
    return Character >= '0' && Character <= '9';
}

int islower(int Character)
{
    return Character >= 'a' && Character <= 'z';
}

int isupper(int Character)
{
    return Character >= 'A' && Character <= 'Z';
}

int isalpha(int Character)
{
    return islower(Character) || isupper(Character);
}

int isalnum(int Character)
{
    return isalpha(Character) || isdigit(Character);
}

int isprint(int Character)
{
    return Character >= 0x20 && Character <= 0x7E;
}

int isspace(int Character)
{
    return Character == ' ' || (Character >= 9 && Character <= 13);
}

int isxdigit(int Character)
{
    return isdigit(Character) || (Character >= 'a' && Character <= 'f') || (Character >= 'A' && Character <= 'F');
}

int tolower(int Character)
{
    return isupper(Character) ? Character + ('a' - 'A') : Character;
}

int toupper(int Character)
{
    return islower(Character) ? Character - ('a' - 'A') : Character;
}
