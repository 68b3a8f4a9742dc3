/* SPDX-License-Identifier: MIT */
/* Locale: "C" with UTF-8 text, and no other. And strtok and rand, which keep state per thread. */
#include "crt.h"

struct lconv
{
    char *decimal_point, *thousands_sep, *grouping, *int_curr_symbol, *currency_symbol, *mon_decimal_point, *mon_thousands_sep,
        *mon_grouping, *positive_sign, *negative_sign;
    char int_frac_digits, frac_digits, p_cs_precedes, p_sep_by_space, n_cs_precedes, n_sep_by_space, p_sign_posn, n_sign_posn;
    WCHAR *wide[8];
};

static struct lconv CrtConventions = {".", "", "", "", "", "", "", "", "", "", 127, 127, 127, 127, 127, 127, 127, 127,
                                      {L".", L"", L"", L"", L"", L"", L"", L""}};

struct lconv *localeconv(void)
{
    return &CrtConventions;
}

/* Accepts "C", "" and "POSIX"; anything else is not there. */
char *setlocale(int Category, const char *Locale)
{
    if (Category < 0 || Category > 5)
    {
        return NULL;
    }
    if (Locale == NULL || Locale[0] == 0 || (Locale[0] == 'C' && Locale[1] == 0))
    {
        return "C";
    }
    return NULL;
}

/* The C locale has no code page: 0, which makes programs convert wide characters below 256 by themselves. */
unsigned ___lc_codepage_func(void)
{
    return 0;
}

int ___mb_cur_max_func(void)
{
    return 1; /* text is handled by bytes: UTF-8 passes through untouched */
}

static BOOL CrtInSet(char c, const char *Set)
{
    for (; *Set != 0; Set++)
    {
        if (*Set == c)
        {
            return TRUE;
        }
    }
    return FALSE;
}

char *strtok(char *Text, const char *Delimiters)
{
    CRT_THREAD *thread = CrtThread();
    char *p = Text != NULL ? Text : thread->StrtokNext;
    char *start;

    if (p == NULL)
    {
        return NULL;
    }
    while (*p != 0 && CrtInSet(*p, Delimiters))
    {
        p++;
    }
    if (*p == 0)
    {
        thread->StrtokNext = NULL;
        return NULL;
    }
    start = p;
    while (*p != 0 && !CrtInSet(*p, Delimiters))
    {
        p++;
    }
    thread->StrtokNext = *p != 0 ? p + 1 : NULL;
    *p = 0;
    return start;
}

/* The generator msvcrt has always had: programs rely on its sequence. */
int rand(void)
{
    CRT_THREAD *thread = CrtThread();

    thread->RandSeed = thread->RandSeed * 214013 + 2531011;
    return (int)(thread->RandSeed >> 16) & 0x7FFF;
}

void srand(unsigned Seed)
{
    CrtThread()->RandSeed = Seed;
}

int abs(int Value)
{
    return Value < 0 ? -Value : Value;
}

long labs(long Value)
{
    return Value < 0 ? -Value : Value;
}

/* wctype masks as msvcrt's headers define them. */
#define CRT_UPPER 0x1
#define CRT_LOWER 0x2
#define CRT_DIGIT 0x4
#define CRT_SPACE 0x8
#define CRT_PUNCT 0x10
#define CRT_CONTROL 0x20
#define CRT_BLANK 0x40
#define CRT_HEX 0x80
#define CRT_ALPHA 0x100

static int CrtClass(WCHAR c)
{
    WORD type;

    /* GetStringTypeW's C1 bits are the same masks. */
    if (c == 0xFFFF || !GetStringTypeW(CT_CTYPE1, &c, 1, &type))
    {
        return 0;
    }
    return type;
}

#undef iswalpha
#undef iswdigit
#undef iswspace
#undef iswalnum
#undef iswupper
#undef iswlower
#undef iswpunct
#undef iswprint
#undef iswxdigit

int iswctype(WCHAR Character, unsigned short Mask)
{
    return CrtClass(Character) & Mask;
}

int iswalpha(WCHAR c) { return CrtClass(c) & CRT_ALPHA; }
int iswdigit(WCHAR c) { return c >= L'0' && c <= L'9'; }
int iswspace(WCHAR c) { return CrtClass(c) & CRT_SPACE; }
int iswalnum(WCHAR c) { return CrtClass(c) & (CRT_ALPHA | CRT_DIGIT); }
int iswupper(WCHAR c) { return CrtClass(c) & CRT_UPPER; }
int iswlower(WCHAR c) { return CrtClass(c) & CRT_LOWER; }
int iswpunct(WCHAR c) { return CrtClass(c) & CRT_PUNCT; }
int iswprint(WCHAR c) { return c == L' ' || (CrtClass(c) & (CRT_ALPHA | CRT_DIGIT | CRT_PUNCT)) != 0; }
int iswxdigit(WCHAR c) { return iswdigit(c) || (c >= L'a' && c <= L'f') || (c >= L'A' && c <= L'F'); }

int ispunct(int c) { return c > 0x20 && c < 0x7F && !((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z')); }
int iscntrl(int c) { return (c >= 0 && c < 0x20) || c == 0x7F; }
int isgraph(int c) { return c > 0x20 && c < 0x7F; }
