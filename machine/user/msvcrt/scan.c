/* SPDX-License-Identifier: MIT */
/* The engine of the scanf family, for narrow formats: d i u x X o p c s [ n f e g %, widths, *, sizes h hh l ll I64 z. */
#include "crt.h"
#include <limits.h>

static int CrtNext(CRT_SOURCE *Source)
{
    int c = Source->Get(Source);

    if (c != EOF)
    {
        Source->Read++;
    }
    return c;
}

static void CrtBack(CRT_SOURCE *Source, int Character)
{
    if (Character != EOF)
    {
        Source->Unget(Source, Character);
        Source->Read--;
    }
}

static BOOL CrtIsSpace(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int CrtSkipSpace(CRT_SOURCE *Source)
{
    int c;

    while (CrtIsSpace(c = CrtNext(Source)))
    {
    }
    CrtBack(Source, c);
    return c;
}

static int CrtDigit(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

static BOOL CrtScanInteger(CRT_SOURCE *Source, int Base, int Width, unsigned long long *Value)
{
    BOOL negative = FALSE, any = FALSE;
    int c = CrtNext(Source);

    *Value = 0;
    if ((c == '-' || c == '+') && Width > 1)
    {
        negative = c == '-';
        Width--;
        c = CrtNext(Source);
    }
    if (c == '0' && Width > 1 && (Base == 0 || Base == 16))
    {
        any = TRUE;
        Width--;
        c = CrtNext(Source);
        if ((c == 'x' || c == 'X') && Width > 0)
        {
            Base = 16;
            any = FALSE;
            Width--;
            c = CrtNext(Source);
        }
        else if (Base == 0)
        {
            Base = 8;
        }
    }
    Base = Base == 0 ? 10 : Base;
    for (; Width > 0 && CrtDigit(c) < Base; Width--)
    {
        *Value = *Value * (unsigned)Base + (unsigned)CrtDigit(c);
        any = TRUE;
        c = CrtNext(Source);
    }
    CrtBack(Source, c);
    if (negative)
    {
        *Value = 0 - *Value;
    }
    return any;
}

static BOOL CrtScanDouble(CRT_SOURCE *Source, int Width, double *Value)
{
    char text[128];
    int used = 0;
    int c = CrtNext(Source);
    char *end;

    while (Width-- > 0 && used < 127 &&
           ((c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'))
    {
        text[used++] = (char)c;
        c = CrtNext(Source);
    }
    CrtBack(Source, c);
    text[used] = 0;
    *Value = strtod(text, &end);
    return end != text;
}

static void CrtStore(void *Target, unsigned long long Value, int Size)
{
    switch (Size)
    {
    case 1: *(unsigned char *)Target = (unsigned char)Value; break;
    case 2: *(unsigned short *)Target = (unsigned short)Value; break;
    case 4: *(unsigned *)Target = (unsigned)Value; break;
    default: *(unsigned long long *)Target = Value; break;
    }
}

/* "[...]": fills the set and returns what stands behind it, or NULL if it is not closed. */
static const char *CrtReadSet(const char *Format, unsigned char Set[256])
{
    BOOL invert = *Format == '^';
    const char *start;

    if (invert)
    {
        Format++;
    }
    ZeroMemory(Set, 256);
    start = Format;
    for (; *Format != 0 && (*Format != ']' || Format == start); Format++)
    {
        unsigned char from = (unsigned char)*Format;
        unsigned char to = from;
        if (Format[1] == '-' && Format[2] != ']' && Format[2] != 0)
        {
            to = (unsigned char)Format[2];
            Format += 2;
        }
        for (unsigned c = from; c <= to; c++)
        {
            Set[c] = 1;
        }
    }
    if (*Format == 0)
    {
        return NULL;
    }
    for (int i = 0; invert && i < 256; i++)
    {
        Set[i] = !Set[i];
    }
    return Format + 1;
}

static BOOL CrtScanText(CRT_SOURCE *Source, const unsigned char *Set, int Width, BOOL Wide, void *Target)
{
    int count = 0;
    int c;

    while (count < Width && (c = CrtNext(Source)) != EOF)
    {
        if (Set != NULL ? !Set[c] : CrtIsSpace(c))
        {
            CrtBack(Source, c);
            break;
        }
        if (Target != NULL)
        {
            if (Wide)
            {
                ((WCHAR *)Target)[count] = (WCHAR)c;
            }
            else
            {
                ((char *)Target)[count] = (char)c;
            }
        }
        count++;
    }
    if (count != 0 && Target != NULL)
    {
        if (Wide)
        {
            ((WCHAR *)Target)[count] = 0;
        }
        else
        {
            ((char *)Target)[count] = 0;
        }
    }
    return count != 0;
}

static BOOL CrtScanCharacters(CRT_SOURCE *Source, int Width, char *Target)
{
    for (int i = 0; i < Width; i++)
    {
        int c = CrtNext(Source);
        if (c == EOF)
        {
            return FALSE;
        }
        if (Target != NULL)
        {
            Target[i] = (char)c;
        }
    }
    return TRUE;
}

static const char *CrtReadScanSize(const char *Format, int *Size)
{
    *Size = 4;
    for (;; Format++)
    {
        if (*Format == 'h')
        {
            *Size = *Size == 2 ? 1 : 2;
        }
        else if (*Format == 'l')
        {
            *Size = *Size == -4 ? 8 : -4; /* -4: one l seen; a long is 4 bytes, but a double is meant for floats */
        }
        else if (*Format == 'I' && Format[1] == '6' && Format[2] == '4')
        {
            *Size = 8;
            Format += 2;
        }
        else if (*Format == 'z' || *Format == 'j' || *Format == 't' || *Format == 'L')
        {
            *Size = 8;
        }
        else
        {
            return Format;
        }
    }
}

int CrtScan(CRT_SOURCE *Source, const char *Format, va_list Arguments)
{
    int assigned = 0;
    unsigned char set[256];

    while (*Format != 0)
    {
        BOOL suppress = FALSE, ok;
        BOOL longMark;
        int width = 0, size;
        unsigned long long value;
        double number;
        void *target;
        char conversion;

        if (CrtIsSpace((unsigned char)*Format))
        {
            CrtSkipSpace(Source);
            Format++;
            continue;
        }
        if (*Format != '%' || Format[1] == '%')
        {
            int c = CrtNext(Source);
            if (c != (unsigned char)*Format)
            {
                CrtBack(Source, c);
                return c == EOF && assigned == 0 ? EOF : assigned;
            }
            Format += *Format == '%' ? 2 : 1;
            continue;
        }
        Format++;
        if (*Format == '*')
        {
            suppress = TRUE;
            Format++;
        }
        for (; *Format >= '0' && *Format <= '9'; Format++)
        {
            width = width > 10000000 ? width : width * 10 + (*Format - '0');
        }
        Format = CrtReadScanSize(Format, &size);
        longMark = size == -4 || size == 8;
        size = size == -4 ? 4 : size;
        conversion = *Format++;
        if (conversion == 'n')
        {
            if (!suppress)
            {
                CrtStore(va_arg(Arguments, void *), (unsigned)Source->Read, size);
            }
            continue;
        }
        if (conversion != 'c' && conversion != '[' && CrtSkipSpace(Source) == EOF)
        {
            return assigned == 0 ? EOF : assigned;
        }
        target = suppress || conversion == 0 ? NULL : va_arg(Arguments, void *);
        switch (conversion)
        {
        case 'd': case 'u': case 'i': case 'x': case 'X': case 'o': case 'p':
            if (conversion == 'p')
            {
                size = 8;
            }
            ok = CrtScanInteger(Source, conversion == 'i' ? 0 : conversion == 'o' ? 8 : conversion == 'd' || conversion == 'u' ? 10 : 16,
                                width != 0 ? width : INT_MAX, &value);
            if (ok && target != NULL)
            {
                CrtStore(target, value, size);
            }
            break;
        case 'e': case 'f': case 'g': case 'E': case 'G':
            ok = CrtScanDouble(Source, width != 0 ? width : INT_MAX, &number);
            if (ok && target != NULL)
            {
                if (longMark)
                {
                    *(double *)target = number;
                }
                else
                {
                    *(float *)target = (float)number;
                }
            }
            break;
        case 's': case 'S':
            ok = CrtScanText(Source, NULL, width != 0 ? width : INT_MAX, longMark || conversion == 'S', target);
            break;
        case 'c':
            ok = CrtScanCharacters(Source, width != 0 ? width : 1, target);
            break;
        case '[':
            Format = CrtReadSet(Format, set);
            ok = Format != NULL && CrtScanText(Source, set, width != 0 ? width : INT_MAX, longMark, target);
            break;
        default:
            errno = EINVAL;
            return assigned;
        }
        if (!ok)
        {
            return assigned == 0 && CrtSkipSpace(Source) == EOF ? EOF : assigned;
        }
        assigned += target != NULL;
    }
    return assigned;
}
