/* SPDX-License-Identifier: MIT */
/*
 * The one locale, English (United States), by id and by name: what run-time libraries ask at their start, and comparing
 * and mapping strings with it. Comparing is by code units, or upper-cased ones; a dictionary's order is not there.
 */
#include "base.h"

#define BASE_LOCALE_ID   0x0409
#define BASE_LOCALE_NAME L"en-US"

static BOOLEAN BaseIsLocale(LCID Locale)
{
    return Locale == BASE_LOCALE_ID || Locale == LOCALE_USER_DEFAULT || Locale == LOCALE_SYSTEM_DEFAULT ||
           Locale == LOCALE_NEUTRAL || Locale == LOCALE_INVARIANT;
}

static BOOLEAN BaseIsLocaleName(LPCWSTR Name)
{
    /* NULL is the user's, "" the invariant one, "!x-sys-default-locale" the system's. */
    return Name == NULL || Name[0] == 0 || lstrcmpiW(Name, BASE_LOCALE_NAME) == 0 ||
           lstrcmpiW(Name, L"!x-sys-default-locale") == 0;
}

BOOL WINAPI IsValidLocale(LCID Locale, DWORD dwFlags)
{
    UNREFERENCED_PARAMETER(dwFlags);
    return Locale == BASE_LOCALE_ID;
}

BOOL WINAPI IsValidLocaleName(LPCWSTR lpLocaleName)
{
    return lpLocaleName != NULL && BaseIsLocaleName(lpLocaleName);
}

BOOL WINAPI EnumSystemLocalesW(LOCALE_ENUMPROCW lpLocaleEnumProc, DWORD dwFlags)
{
    WCHAR id[] = L"00000409";
    UNREFERENCED_PARAMETER(dwFlags);
    if (lpLocaleEnumProc == NULL)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    lpLocaleEnumProc(id);
    return TRUE;
}

int WINAPI GetUserDefaultLocaleName(LPWSTR lpLocaleName, int cchLocaleName)
{
    if (lpLocaleName == NULL || cchLocaleName < (int)ARRAYSIZE(BASE_LOCALE_NAME))
    {
        return BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    memcpy(lpLocaleName, BASE_LOCALE_NAME, sizeof(BASE_LOCALE_NAME));
    return (int)ARRAYSIZE(BASE_LOCALE_NAME);
}

/* What is known of the locale, by LCTYPE; names as Windows gives them for en-US. */
static const struct
{
    LCTYPE Type;
    PCWSTR Text;
    DWORD Number; /* for LOCALE_RETURN_NUMBER, where it makes sense */
} BaseLocaleFacts[] = {
    {LOCALE_ILANGUAGE, L"0409", 0x409},
    {LOCALE_SNAME, BASE_LOCALE_NAME, 0},
    {LOCALE_SENGLANGUAGE, L"English", 0},
    {LOCALE_SENGCOUNTRY, L"United States", 0},
    {LOCALE_SISO639LANGNAME, L"en", 0},
    {LOCALE_SISO3166CTRYNAME, L"US", 0},
    {LOCALE_SABBREVLANGNAME, L"ENU", 0},
    {LOCALE_IDEFAULTANSICODEPAGE, L"65001", CP_UTF8},
    {LOCALE_IDEFAULTCODEPAGE, L"65001", CP_UTF8},
    {LOCALE_SDECIMAL, L".", 0},
    {LOCALE_STHOUSAND, L",", 0},
    {LOCALE_SGROUPING, L"3;0", 0},
    {LOCALE_SLIST, L",", 0},
    {LOCALE_IDIGITS, L"2", 2},
    {LOCALE_ILZERO, L"1", 1},
    {LOCALE_INEGNUMBER, L"1", 1},
    {LOCALE_IMEASURE, L"1", 1},
    {LOCALE_SPOSITIVESIGN, L"", 0},
    {LOCALE_SNEGATIVESIGN, L"-", 0},
    {LOCALE_SCURRENCY, L"$", 0},
    {LOCALE_SINTLSYMBOL, L"USD", 0},
    {LOCALE_SMONDECIMALSEP, L".", 0},
    {LOCALE_SMONTHOUSANDSEP, L",", 0},
    {LOCALE_SMONGROUPING, L"3;0", 0},
    {LOCALE_ICURRDIGITS, L"2", 2},
    {LOCALE_STIMEFORMAT, L"h:mm:ss tt", 0},
    {LOCALE_SSHORTDATE, L"M/d/yyyy", 0},
    {LOCALE_SLONGDATE, L"dddd, MMMM d, yyyy", 0},
    {LOCALE_ITIME, L"0", 0},
    {LOCALE_S1159, L"AM", 0},
    {LOCALE_S2359, L"PM", 0},
};

/* Characters stored, with the zero; with LOCALE_RETURN_NUMBER a DWORD, two characters' worth. Others: refused. */
int WINAPI GetLocaleInfoW(LCID Locale, LCTYPE LCType, LPWSTR lpLCData, int cchData)
{
    LCTYPE type = LCType & ~(LCTYPE)(LOCALE_NOUSEROVERRIDE | LOCALE_USE_CP_ACP | LOCALE_RETURN_NUMBER);
    if (!BaseIsLocale(Locale) || cchData < 0 || (cchData != 0 && lpLCData == NULL))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    for (SIZE_T i = 0; i < ARRAYSIZE(BaseLocaleFacts); i++)
    {
        const VOID *source = BaseLocaleFacts[i].Text;
        int length = 2;
        if (BaseLocaleFacts[i].Type != type)
        {
            continue;
        }
        if (LCType & LOCALE_RETURN_NUMBER)
        {
            source = &BaseLocaleFacts[i].Number;
        }
        else
        {
            length = (int)BaseLength(source) + 1;
        }
        if (cchData == 0)
        {
            return length;
        }
        if (cchData < length)
        {
            return BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
        }
        memcpy(lpLCData, source, (SIZE_T)length * sizeof(WCHAR));
        return length;
    }
    return BaseFailWith(ERROR_INVALID_FLAGS);
}

int WINAPI GetLocaleInfoEx(LPCWSTR lpLocaleName, LCTYPE LCType, LPWSTR lpLCData, int cchData)
{
    if (!BaseIsLocaleName(lpLocaleName))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    return GetLocaleInfoW(BASE_LOCALE_ID, LCType, lpLCData, cchData);
}

int WINAPI GetLocaleInfoA(LCID Locale, LCTYPE LCType, LPSTR lpLCData, int cchData)
{
    WCHAR wide[64];
    int length = GetLocaleInfoW(Locale, LCType, wide, ARRAYSIZE(wide));
    if (length == 0)
    {
        return 0;
    }
    if (LCType & LOCALE_RETURN_NUMBER)
    {
        if (cchData != 0 && cchData < (int)sizeof(DWORD))
        {
            return BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
        }
        memcpy(lpLCData, wide, cchData != 0 ? sizeof(DWORD) : 0);
        return sizeof(DWORD);
    }
    return WideCharToMultiByte(CP_ACP, 0, wide, length, lpLCData, cchData, NULL, NULL);
}

int WINAPI CompareStringW(LCID Locale, DWORD dwCmpFlags, PCNZWCH lpString1, int cchCount1, PCNZWCH lpString2,
                          int cchCount2)
{
    const DWORD fold = NORM_IGNORECASE | LINGUISTIC_IGNORECASE;
    if (!BaseIsLocale(Locale))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    if (dwCmpFlags & ~(fold | SORT_STRINGSORT | NORM_LINGUISTIC_CASING))
    {
        return BaseFailWith(ERROR_INVALID_FLAGS);
    }
    return CompareStringOrdinal(lpString1, cchCount1, lpString2, cchCount2, (dwCmpFlags & fold) != 0);
}

int WINAPI CompareStringEx(LPCWSTR lpLocaleName, DWORD dwCmpFlags, LPCWCH lpString1, int cchCount1, LPCWCH lpString2,
                           int cchCount2, LPNLSVERSIONINFO lpVersionInformation, LPVOID lpReserved, LPARAM lParam)
{
    if (!BaseIsLocaleName(lpLocaleName) || lpVersionInformation != NULL || lpReserved != NULL || lParam != 0)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    return CompareStringW(BASE_LOCALE_ID, dwCmpFlags, lpString1, cchCount1, lpString2, cchCount2);
}

int WINAPI LCMapStringEx(LPCWSTR lpLocaleName, DWORD dwMapFlags, LPCWSTR lpSrcStr, int cchSrc, LPWSTR lpDestStr,
                         int cchDest, LPNLSVERSIONINFO lpVersionInformation, LPVOID lpReserved, LPARAM lParam)
{
    if (!BaseIsLocaleName(lpLocaleName) || lpVersionInformation != NULL || lpReserved != NULL || lParam != 0)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    return LCMapStringW(BASE_LOCALE_ID, dwMapFlags, lpSrcStr, cchSrc, lpDestStr, cchDest);
}
