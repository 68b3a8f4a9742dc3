/* SPDX-License-Identifier: MIT */
/*
 * Wide strings of the C run time. Case follows the system's Unicode tables, as in the kernel's wcsicmp.
 */
#include "rtlenv.h"
#include "rtlp.h"
#include "crtnames.h"

#define RTLP_CHAR WCHAR
#define RTLP_UNIT unsigned short
#define RTLP_NAME(Name) wcs##Name
#define RTLP_UNDER(Name) _wcs##Name
#define RTLP_LOWER(Character) RtlpDowncase(Character)
#define RTLP_UPPER(Character) RtlpUpcase(Character)
#include "crtstrbody.h"

WCHAR *wcschr(const WCHAR *String, WCHAR Character)
{
    for (;; String += 1)
    {
        if (*String == Character)
        {
            return (WCHAR *)(ULONG_PTR)String;
        }

        if (*String == 0)
        {
            return NULL;
        }
    }
}

WCHAR *wcsrchr(const WCHAR *String, WCHAR Character)
{
    const WCHAR *Found = NULL;

    for (;; String += 1)
    {
        if (*String == Character)
        {
            Found = String;
        }

        if (*String == 0)
        {
            return (WCHAR *)(ULONG_PTR)Found;
        }
    }
}

WCHAR *_wcsnset(WCHAR *String, WCHAR Character, size_t Limit)
{
    size_t Index;

    for (Index = 0; Index < Limit && String[Index] != 0; Index += 1)
    {
        String[Index] = Character;
    }

    return String;
}

unsigned short towlower(unsigned short Character)
{
    return RtlpDowncase(Character);
}

unsigned short towupper(unsigned short Character)
{
    return RtlpUpcase(Character);
}
