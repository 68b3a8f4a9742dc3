/* SPDX-License-Identifier: MIT */
/*
 * Code pages and simple strings. The machine has one code page, UTF-8, as the ANSI and the OEM one;
 * all others are refused with ERROR_INVALID_PARAMETER.
 */
#include "base.h"

/* CP_MACCP and CP_UTF7 are code pages of their own, which the machine does not have. */
static BOOLEAN BaseIsCodePage(UINT CodePage)
{
    return CodePage == CP_ACP || CodePage == CP_OEMCP || CodePage == CP_THREAD_ACP || CodePage == CP_UTF8;
}

int WINAPI MultiByteToWideChar(UINT CodePage, DWORD dwFlags, LPCCH lpMultiByteStr, int cbMultiByte,
                               LPWSTR lpWideCharStr, int cchWideChar)
{
    if (!BaseIsCodePage(CodePage) || lpMultiByteStr == NULL || cbMultiByte == 0 || cbMultiByte < -1 ||
        cchWideChar < 0 || (cchWideChar != 0 && lpWideCharStr == NULL))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    if (dwFlags & ~(MB_ERR_INVALID_CHARS | MB_PRECOMPOSED | MB_COMPOSITE | MB_USEGLYPHCHARS))
    {
        return BaseFailWith(ERROR_INVALID_FLAGS);
    }
    SIZE_T length = cbMultiByte == -1 ? BaseLengthA(lpMultiByteStr) + 1 : (SIZE_T)cbMultiByte;
    if (length > 0x3FFFFFFF)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    ULONG needed = 0;
    NTSTATUS status = RtlUTF8ToUnicodeN(NULL, 0, &needed, lpMultiByteStr, (ULONG)length);
    if (NT_ERROR(status))
    {
        return BaseFail(status);
    }
    if (status == STATUS_SOME_NOT_MAPPED && (dwFlags & MB_ERR_INVALID_CHARS))
    {
        return BaseFailWith(ERROR_NO_UNICODE_TRANSLATION);
    }
    if (cchWideChar == 0)
    {
        return (int)(needed / sizeof(WCHAR));
    }
    ULONG room = (ULONG)cchWideChar < 0x3FFFFFFF ? (ULONG)cchWideChar * sizeof(WCHAR) : 0x7FFFFFFE;
    status = RtlUTF8ToUnicodeN(lpWideCharStr, room, &needed, lpMultiByteStr, (ULONG)length);
    if (NT_ERROR(status))
    {
        return BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    return (int)(needed / sizeof(WCHAR));
}

int WINAPI WideCharToMultiByte(UINT CodePage, DWORD dwFlags, LPCWCH lpWideCharStr, int cchWideChar,
                               LPSTR lpMultiByteStr, int cbMultiByte, LPCCH lpDefaultChar,
                               LPBOOL lpUsedDefaultChar)
{
    if (!BaseIsCodePage(CodePage) || lpWideCharStr == NULL || cchWideChar == 0 || cchWideChar < -1 ||
        cbMultiByte < 0 || (cbMultiByte != 0 && lpMultiByteStr == NULL) ||
        (CodePage == CP_UTF8 && (lpDefaultChar != NULL || lpUsedDefaultChar != NULL)))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    SIZE_T length = cchWideChar == -1 ? BaseLength(lpWideCharStr) + 1 : (SIZE_T)cchWideChar;
    if (length > 0x1FFFFFFF)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    ULONG needed = 0;
    NTSTATUS status = RtlUnicodeToUTF8N(NULL, 0, &needed, lpWideCharStr, (ULONG)(length * sizeof(WCHAR)));
    if (NT_ERROR(status))
    {
        return BaseFail(status);
    }
    if (status == STATUS_SOME_NOT_MAPPED && (dwFlags & WC_ERR_INVALID_CHARS))
    {
        return BaseFailWith(ERROR_NO_UNICODE_TRANSLATION);
    }
    if (lpUsedDefaultChar != NULL)
    {
        *lpUsedDefaultChar = FALSE; /* every character has its place in UTF-8 */
    }
    if (cbMultiByte == 0)
    {
        return (int)needed;
    }
    status = RtlUnicodeToUTF8N(lpMultiByteStr, (ULONG)cbMultiByte, &needed, lpWideCharStr,
                               (ULONG)(length * sizeof(WCHAR)));
    if (NT_ERROR(status))
    {
        return BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    return (int)needed;
}

UINT WINAPI GetACP(VOID)
{
    return CP_UTF8;
}

UINT WINAPI GetOEMCP(VOID)
{
    return CP_UTF8;
}

BOOL WINAPI IsValidCodePage(UINT CodePage)
{
    return CodePage == CP_UTF8;
}

/** UTF-8 has no lead bytes in the sense of the double-byte code pages. */
BOOL WINAPI IsDBCSLeadByte(BYTE TestChar)
{
    UNREFERENCED_PARAMETER(TestChar);
    return FALSE;
}

BOOL WINAPI IsDBCSLeadByteEx(UINT CodePage, BYTE TestChar)
{
    UNREFERENCED_PARAMETER(TestChar);
    return BaseIsCodePage(CodePage) ? FALSE : BaseFailWith(ERROR_INVALID_PARAMETER);
}

BOOL WINAPI GetCPInfo(UINT CodePage, LPCPINFO lpCPInfo)
{
    if (!BaseIsCodePage(CodePage) || lpCPInfo == NULL)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    memset(lpCPInfo, 0, sizeof(*lpCPInfo));
    lpCPInfo->MaxCharSize = 4;
    lpCPInfo->DefaultChar[0] = '?';
    return TRUE;
}

/* ---- Locales: one, English (United States) ---- */

LCID WINAPI GetUserDefaultLCID(VOID)
{
    return MAKELCID(MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US), SORT_DEFAULT);
}

LCID WINAPI GetSystemDefaultLCID(VOID)
{
    return GetUserDefaultLCID();
}

LCID WINAPI GetThreadLocale(VOID)
{
    return GetUserDefaultLCID();
}

LANGID WINAPI GetUserDefaultLangID(VOID)
{
    return MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US);
}

LANGID WINAPI GetSystemDefaultLangID(VOID)
{
    return GetUserDefaultLangID();
}

/** Compares by code units, or by upper-cased ones. */
int WINAPI CompareStringOrdinal(LPCWCH lpString1, int cchCount1, LPCWCH lpString2, int cchCount2, BOOL bIgnoreCase)
{
    if (lpString1 == NULL || lpString2 == NULL || cchCount1 < -1 || cchCount2 < -1)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    SIZE_T length1 = cchCount1 == -1 ? BaseLength(lpString1) : (SIZE_T)cchCount1;
    SIZE_T length2 = cchCount2 == -1 ? BaseLength(lpString2) : (SIZE_T)cchCount2;
    for (SIZE_T i = 0; i < length1 && i < length2; i++)
    {
        WCHAR a = bIgnoreCase ? RtlUpcaseUnicodeChar(lpString1[i]) : lpString1[i];
        WCHAR b = bIgnoreCase ? RtlUpcaseUnicodeChar(lpString2[i]) : lpString2[i];
        if (a != b)
        {
            return a < b ? CSTR_LESS_THAN : CSTR_GREATER_THAN;
        }
    }
    return length1 < length2 ? CSTR_LESS_THAN : length1 > length2 ? CSTR_GREATER_THAN : CSTR_EQUAL;
}

/* ---- lstr ---- */

int WINAPI lstrlenW(LPCWSTR lpString)
{
    return lpString != NULL ? (int)BaseLength(lpString) : 0;
}

int WINAPI lstrlenA(LPCSTR lpString)
{
    return lpString != NULL ? (int)BaseLengthA(lpString) : 0;
}

LPWSTR WINAPI lstrcpyW(LPWSTR lpString1, LPCWSTR lpString2)
{
    memmove(lpString1, lpString2, (BaseLength(lpString2) + 1) * sizeof(WCHAR));
    return lpString1;
}

LPSTR WINAPI lstrcpyA(LPSTR lpString1, LPCSTR lpString2)
{
    memmove(lpString1, lpString2, BaseLengthA(lpString2) + 1);
    return lpString1;
}

LPWSTR WINAPI lstrcpynW(LPWSTR lpString1, LPCWSTR lpString2, int iMaxLength)
{
    if (iMaxLength <= 0)
    {
        return lpString1;
    }
    SIZE_T length = 0;
    while (length + 1 < (SIZE_T)iMaxLength && lpString2[length] != 0)
    {
        lpString1[length] = lpString2[length];
        length++;
    }
    lpString1[length] = 0;
    return lpString1;
}

LPSTR WINAPI lstrcpynA(LPSTR lpString1, LPCSTR lpString2, int iMaxLength)
{
    if (iMaxLength <= 0)
    {
        return lpString1;
    }
    SIZE_T length = 0;
    while (length + 1 < (SIZE_T)iMaxLength && lpString2[length] != 0)
    {
        lpString1[length] = lpString2[length];
        length++;
    }
    lpString1[length] = 0;
    return lpString1;
}

LPWSTR WINAPI lstrcatW(LPWSTR lpString1, LPCWSTR lpString2)
{
    lstrcpyW(lpString1 + BaseLength(lpString1), lpString2);
    return lpString1;
}

LPSTR WINAPI lstrcatA(LPSTR lpString1, LPCSTR lpString2)
{
    lstrcpyA(lpString1 + BaseLengthA(lpString1), lpString2);
    return lpString1;
}

static int BaseCompareWide(PCWSTR A, PCWSTR B, BOOLEAN IgnoreCase)
{
    if (A == NULL || B == NULL)
    {
        return (A != NULL) - (B != NULL);
    }
    return CompareStringOrdinal(A, -1, B, -1, IgnoreCase) - CSTR_EQUAL;
}

static int BaseCompareNarrow(PCSTR A, PCSTR B, BOOLEAN IgnoreCase)
{
    BASE_WIDE a = {0};
    BASE_WIDE b = {0};
    int result = 0;
    if (BaseWiden(&a, A) && BaseWiden(&b, B))
    {
        result = BaseCompareWide(a.Text, b.Text, IgnoreCase);
    }
    BaseRelease(&a);
    BaseRelease(&b);
    return result;
}

int WINAPI lstrcmpW(LPCWSTR lpString1, LPCWSTR lpString2)
{
    return BaseCompareWide(lpString1, lpString2, FALSE);
}

int WINAPI lstrcmpiW(LPCWSTR lpString1, LPCWSTR lpString2)
{
    return BaseCompareWide(lpString1, lpString2, TRUE);
}

int WINAPI lstrcmpA(LPCSTR lpString1, LPCSTR lpString2)
{
    return BaseCompareNarrow(lpString1, lpString2, FALSE);
}

int WINAPI lstrcmpiA(LPCSTR lpString1, LPCSTR lpString2)
{
    return BaseCompareNarrow(lpString1, lpString2, TRUE);
}
