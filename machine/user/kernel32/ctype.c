/* SPDX-License-Identifier: MIT */
/*
 * GetStringTypeW and LCMapStringW: what kind of character, and its other case. Classes come from a
 * table of runs made from Unicode's categories; upper and lower case from the system's case table,
 * which the object manager uses too.
 */
#include "base.h"

WCHAR NTAPI RtlDowncaseUnicodeChar(WCHAR Character);

typedef enum _CHARACTER_CLASS
{
    CLASS_NONE,
    CLASS_ALPHA,
    CLASS_PUNCT,
    CLASS_DIGIT,
    CLASS_SPACE,
    CLASS_CONTROL,
    CLASS_OTHER
} CHARACTER_CLASS;

static const struct
{
    USHORT First;
    USHORT Last;
    UCHAR Class;
} BaseRuns[] = {
#include "ctype.inc"
};

static CHARACTER_CLASS BaseClass(WCHAR Character)
{
    SIZE_T low = 0;
    SIZE_T high = ARRAYSIZE(BaseRuns);
    while (low < high)
    {
        SIZE_T middle = (low + high) / 2;
        if (Character > BaseRuns[middle].Last)
        {
            low = middle + 1;
        }
        else
        {
            high = middle;
        }
    }
    return low < ARRAYSIZE(BaseRuns) && Character >= BaseRuns[low].First ? (CHARACTER_CLASS)BaseRuns[low].Class
                                                                          : CLASS_NONE;
}

static WORD BaseType1(WCHAR Character)
{
    WORD type = C1_DEFINED;
    switch (BaseClass(Character))
    {
    case CLASS_NONE:
        return 0;
    case CLASS_ALPHA:
        type |= C1_ALPHA;
        break;
    case CLASS_PUNCT:
        type |= C1_PUNCT;
        break;
    case CLASS_DIGIT:
        type |= C1_DIGIT;
        break;
    case CLASS_SPACE:
        type |= C1_SPACE;
        break;
    case CLASS_CONTROL:
        type |= C1_CNTRL;
        break;
    default:
        break;
    }
    if (type & C1_ALPHA)
    {
        type |= RtlDowncaseUnicodeChar(Character) != Character ? C1_UPPER : 0;
        type |= RtlUpcaseUnicodeChar(Character) != Character ? C1_LOWER : 0;
    }
    WCHAR folded = Character | 0x20;
    if ((Character >= L'0' && Character <= L'9') || (folded >= L'a' && folded <= L'f' && Character < 0x80))
    {
        type |= C1_XDIGIT;
    }
    if ((Character >= 9 && Character <= 13) || Character == 0x85)
    {
        type |= C1_SPACE;
    }
    if (Character == L' ' || Character == L'\t' || Character == 0xA0)
    {
        type |= C1_BLANK;
    }
    return type;
}

/** CT_CTYPE1 only; the types 2 and 3 (writing direction, text processing) are refused. */
BOOL WINAPI GetStringTypeW(DWORD dwInfoType, LPCWCH lpSrcStr, int cchSrc, LPWORD lpCharType)
{
    if (lpSrcStr == NULL || lpCharType == NULL || cchSrc == 0 || cchSrc < -1)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    if (dwInfoType != CT_CTYPE1)
    {
        return BaseFailWith(ERROR_INVALID_FLAGS);
    }
    SIZE_T length = cchSrc == -1 ? BaseLength(lpSrcStr) + 1 : (SIZE_T)cchSrc;
    for (SIZE_T i = 0; i < length; i++)
    {
        lpCharType[i] = BaseType1(lpSrcStr[i]);
    }
    return TRUE;
}

/** LCMAP_UPPERCASE or LCMAP_LOWERCASE, character by character; sort keys and the rest are refused. */
int WINAPI LCMapStringW(LCID Locale, DWORD dwMapFlags, LPCWSTR lpSrcStr, int cchSrc, LPWSTR lpDestStr, int cchDest)
{
    UNREFERENCED_PARAMETER(Locale);
    DWORD flags = dwMapFlags & ~(DWORD)LCMAP_LINGUISTIC_CASING;
    if (lpSrcStr == NULL || cchSrc == 0 || cchSrc < -1 || cchDest < 0 || (cchDest != 0 && lpDestStr == NULL))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    if (flags != LCMAP_UPPERCASE && flags != LCMAP_LOWERCASE)
    {
        return BaseFailWith(ERROR_INVALID_FLAGS);
    }
    SIZE_T length = cchSrc == -1 ? BaseLength(lpSrcStr) + 1 : (SIZE_T)cchSrc;
    if (cchDest != 0)
    {
        if ((SIZE_T)cchDest < length)
        {
            return BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
        }
        for (SIZE_T i = 0; i < length; i++)
        {
            lpDestStr[i] = flags == LCMAP_UPPERCASE ? RtlUpcaseUnicodeChar(lpSrcStr[i])
                                                    : RtlDowncaseUnicodeChar(lpSrcStr[i]);
        }
    }
    return (int)length;
}
