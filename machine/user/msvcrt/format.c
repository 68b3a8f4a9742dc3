/* SPDX-License-Identifier: MIT */
/*
 * The engine of the printf family, with msvcrt's rules: in a wide format %s means wide text and %S narrow, h and l force
 * one or the other; I64, I32 and I are sizes; %p gives 16 upper-case digits; %n is refused.
 */
#include "crt.h"
#include <limits.h>

typedef struct _CRT_SPEC
{
    BOOL Left, Plus, Space, Alternate, Zero;
    int Width;
    int Precision; /* -1: none given */
    int Size;      /* bytes of an integer argument: 1, 2, 4, 8 */
    char Prefix;   /* 'h', 'l' or 0: what was said of text */
} CRT_SPEC;

static void CrtPut(CRT_SINK *Sink, const void *Units, size_t Count)
{
    if (Count != 0)
    {
        Sink->Put(Sink, Units, Count);
        Sink->Total += Count;
    }
}

static void CrtPutRepeated(CRT_SINK *Sink, char Character, int Count)
{
    while (Count > 0)
    {
        char narrow[32];
        WCHAR wide[32];
        int part = Count < 32 ? Count : 32;
        for (int i = 0; i < part; i++)
        {
            narrow[i] = Character;
            wide[i] = (unsigned char)Character;
        }
        CrtPut(Sink, Sink->Wide ? (void *)wide : narrow, (size_t)part);
        Count -= part;
    }
}

/* ASCII text into a sink of either width. */
static void CrtPutAscii(CRT_SINK *Sink, const char *Text, size_t Count)
{
    if (!Sink->Wide)
    {
        CrtPut(Sink, Text, Count);
        return;
    }
    while (Count-- != 0)
    {
        WCHAR unit = (unsigned char)*Text++;
        CrtPut(Sink, &unit, 1);
    }
}

static void CrtPutNumber(CRT_SINK *Sink, const CRT_SPEC *Spec, const char *Sign, const char *Digits, int ZeroCount)
{
    int signLength = (int)strlen(Sign);
    int digitLength = (int)strlen(Digits);
    int pad = Spec->Width - signLength - ZeroCount - digitLength;

    if (!Spec->Left && !Spec->Zero)
    {
        CrtPutRepeated(Sink, ' ', pad);
    }
    CrtPutAscii(Sink, Sign, (size_t)signLength);
    if (!Spec->Left && Spec->Zero)
    {
        CrtPutRepeated(Sink, '0', pad);
    }
    CrtPutRepeated(Sink, '0', ZeroCount);
    CrtPutAscii(Sink, Digits, (size_t)digitLength);
    if (Spec->Left)
    {
        CrtPutRepeated(Sink, ' ', pad);
    }
}

static void CrtPutInteger(CRT_SINK *Sink, CRT_SPEC *Spec, unsigned long long Value, BOOL Negative, int Base, BOOL Upper, BOOL Signed)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    char text[24];
    char *digit = text + sizeof(text);
    const char *sign = "";
    int zeros;

    *--digit = 0;
    if (Spec->Alternate && Value != 0 && Base == 16)
    {
        sign = Upper ? "0X" : "0x";
    }
    for (unsigned long long v = Value; v != 0; v /= (unsigned)Base)
    {
        *--digit = (Upper ? upper : lower)[v % (unsigned)Base];
    }
    if (Value == 0 && Spec->Precision != 0)
    {
        *--digit = '0';
    }
    if (Spec->Alternate && Base == 8 && *digit != '0')
    {
        *--digit = '0';
    }
    if (Signed)
    {
        sign = Negative ? "-" : Spec->Plus ? "+" : Spec->Space ? " " : "";
    }
    zeros = Spec->Precision - (int)strlen(digit);
    if (Spec->Precision >= 0)
    {
        Spec->Zero = FALSE;
    }
    CrtPutNumber(Sink, Spec, sign, digit, zeros > 0 ? zeros : 0);
}

static void CrtPutDouble(CRT_SINK *Sink, CRT_SPEC *Spec, double Value, char Conversion)
{
    char text[512];
    char *digits = text;
    const char *sign = Spec->Plus ? "+" : Spec->Space ? " " : "";

    /* 512 bytes hold every double at up to 150 places; more places than that are zeros of no meaning, cut as documented. */
    CrtFormatDouble(Value, Conversion, Spec->Precision < 0 ? 6 : Spec->Precision > 150 ? 150 : Spec->Precision, Spec->Alternate, text, sizeof(text));
    if (*digits == '-')
    {
        sign = "-";
        digits++;
    }
    if (*digits > '9')
    {
        Spec->Zero = FALSE; /* inf, nan */
    }
    CrtPutNumber(Sink, Spec, sign, digits, 0);
}

static void CrtPutNarrow(CRT_SINK *Sink, CRT_SPEC *Spec, const char *Text, size_t Length)
{
    WCHAR *wide = NULL;
    size_t units = Length;
    int pad;

    if (Sink->Wide)
    {
        int count = Length != 0 ? MultiByteToWideChar(CP_ACP, 0, Text, (int)Length, NULL, 0) : 0;
        wide = malloc(((size_t)count + 1) * sizeof(WCHAR));
        if (wide == NULL)
        {
            return;
        }
        units = Length != 0 ? (size_t)MultiByteToWideChar(CP_ACP, 0, Text, (int)Length, wide, count) : 0;
    }
    pad = Spec->Width - (int)units;
    if (!Spec->Left)
    {
        CrtPutRepeated(Sink, Spec->Zero ? '0' : ' ', pad);
    }
    CrtPut(Sink, Sink->Wide ? (const void *)wide : Text, units);
    if (Spec->Left)
    {
        CrtPutRepeated(Sink, ' ', pad);
    }
    free(wide);
}

static void CrtPutWideText(CRT_SINK *Sink, CRT_SPEC *Spec, const WCHAR *Text, size_t Length)
{
    char *narrow = NULL;
    size_t units = Length;
    int pad;

    if (!Sink->Wide)
    {
        int bytes = Length != 0 ? WideCharToMultiByte(CP_ACP, 0, Text, (int)Length, NULL, 0, NULL, NULL) : 0;
        narrow = malloc((size_t)bytes + 1);
        if (narrow == NULL)
        {
            return;
        }
        units = Length != 0 ? (size_t)WideCharToMultiByte(CP_ACP, 0, Text, (int)Length, narrow, bytes, NULL, NULL) : 0;
    }
    pad = Spec->Width - (int)units;
    if (!Spec->Left)
    {
        CrtPutRepeated(Sink, Spec->Zero ? '0' : ' ', pad);
    }
    CrtPut(Sink, Sink->Wide ? (const void *)Text : narrow, units);
    if (Spec->Left)
    {
        CrtPutRepeated(Sink, ' ', pad);
    }
    free(narrow);
}

static size_t CrtLength(const void *Text, BOOL Wide, int Precision)
{
    size_t length = 0;

    while (length < (size_t)(unsigned)Precision && (Wide ? ((const WCHAR *)Text)[length] : ((const char *)Text)[length]) != 0)
    {
        length++;
    }
    return length;
}

static void CrtPutText(CRT_SINK *Sink, CRT_SPEC *Spec, BOOL Wide, const void *Text)
{
    if (Text == NULL)
    {
        Text = Wide ? (const void *)L"(null)" : "(null)";
    }
    if (Wide)
    {
        CrtPutWideText(Sink, Spec, Text, CrtLength(Text, TRUE, Spec->Precision));
    }
    else
    {
        CrtPutNarrow(Sink, Spec, Text, CrtLength(Text, FALSE, Spec->Precision));
    }
}

/* A cursor over a format of either width. */
typedef struct _CRT_CURSOR
{
    const void *At;
    BOOL Wide;
} CRT_CURSOR;

static unsigned CrtPeek(const CRT_CURSOR *Cursor)
{
    return Cursor->Wide ? *(const WCHAR *)Cursor->At : *(const unsigned char *)Cursor->At;
}

static void CrtStep(CRT_CURSOR *Cursor)
{
    Cursor->At = (const char *)Cursor->At + (Cursor->Wide ? sizeof(WCHAR) : 1);
}

static BOOL CrtAccept(CRT_CURSOR *Cursor, char Character)
{
    if (CrtPeek(Cursor) != (unsigned char)Character)
    {
        return FALSE;
    }
    CrtStep(Cursor);
    return TRUE;
}

static int CrtReadNumber(CRT_CURSOR *Cursor)
{
    int number = 0;

    while (CrtPeek(Cursor) >= '0' && CrtPeek(Cursor) <= '9')
    {
        number = number > 100000000 ? number : number * 10 + (int)(CrtPeek(Cursor) - '0');
        CrtStep(Cursor);
    }
    return number;
}

static void CrtReadFlags(CRT_CURSOR *Cursor, CRT_SPEC *Spec)
{
    for (;; CrtStep(Cursor))
    {
        switch (CrtPeek(Cursor))
        {
        case '-': Spec->Left = TRUE; break;
        case '+': Spec->Plus = TRUE; break;
        case ' ': Spec->Space = TRUE; break;
        case '#': Spec->Alternate = TRUE; break;
        case '0': Spec->Zero = TRUE; break;
        default: return;
        }
    }
}

static void CrtReadSize(CRT_CURSOR *Cursor, CRT_SPEC *Spec)
{
    Spec->Size = 4;
    for (;;)
    {
        if (CrtAccept(Cursor, 'h'))
        {
            Spec->Size = Spec->Prefix == 'h' ? 1 : 2;
            Spec->Prefix = 'h';
        }
        else if (CrtAccept(Cursor, 'l') || CrtAccept(Cursor, 'w'))
        {
            Spec->Size = Spec->Prefix == 'l' ? 8 : 4;
            Spec->Prefix = 'l';
        }
        else if (CrtAccept(Cursor, 'I'))
        {
            Spec->Size = 8;
            if (CrtAccept(Cursor, '6'))
            {
                CrtAccept(Cursor, '4');
            }
            else if (CrtAccept(Cursor, '3'))
            {
                CrtAccept(Cursor, '2');
                Spec->Size = 4;
            }
        }
        else if (CrtAccept(Cursor, 'z') || CrtAccept(Cursor, 't') || CrtAccept(Cursor, 'j'))
        {
            Spec->Size = 8;
        }
        else if (CrtAccept(Cursor, 'L'))
        {
            Spec->Prefix = 'L';
        }
        else
        {
            return;
        }
    }
}

static unsigned long long CrtUnsigned(unsigned long long Value, int Size)
{
    return Size == 8 ? Value : Size == 4 ? (unsigned)Value : Size == 2 ? (unsigned short)Value : (unsigned char)Value;
}

static long long CrtSigned(unsigned long long Value, int Size)
{
    return Size == 8 ? (long long)Value : Size == 4 ? (int)Value : Size == 2 ? (short)Value : (signed char)Value;
}

static BOOL CrtIsWideText(const CRT_SINK *Sink, const CRT_SPEC *Spec, BOOL Opposite)
{
    return Spec->Prefix == 'h' ? FALSE : Spec->Prefix == 'l' ? TRUE : Sink->Wide != Opposite;
}

/* Arguments travel as 8-byte slots, as the x64 calling convention lays them out. */
static BOOL CrtConvert(CRT_SINK *Sink, CRT_SPEC *Spec, unsigned Conversion, va_list *Arguments)
{
    unsigned long long raw;
    long long value;
    WCHAR wide;
    char narrow;

    switch (Conversion)
    {
    case '%':
        CrtPutAscii(Sink, "%", 1);
        return TRUE;
    case 'd':
    case 'i':
        value = CrtSigned(va_arg(*Arguments, unsigned long long), Spec->Size);
        CrtPutInteger(Sink, Spec, value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value, value < 0, 10, FALSE, TRUE);
        return TRUE;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        raw = CrtUnsigned(va_arg(*Arguments, unsigned long long), Spec->Size);
        CrtPutInteger(Sink, Spec, raw, FALSE, Conversion == 'u' ? 10 : Conversion == 'o' ? 8 : 16, Conversion == 'X', FALSE);
        return TRUE;
    case 'p':
        Spec->Precision = 16;
        CrtPutInteger(Sink, Spec, va_arg(*Arguments, unsigned long long), FALSE, 16, TRUE, FALSE);
        return TRUE;
    case 's':
    case 'S':
        CrtPutText(Sink, Spec, CrtIsWideText(Sink, Spec, Conversion == 'S'), va_arg(*Arguments, const void *));
        return TRUE;
    case 'c':
    case 'C':
        raw = va_arg(*Arguments, unsigned long long);
        if (CrtIsWideText(Sink, Spec, Conversion == 'C'))
        {
            wide = (WCHAR)raw;
            CrtPutWideText(Sink, Spec, &wide, 1);
        }
        else
        {
            narrow = (char)raw;
            CrtPutNarrow(Sink, Spec, &narrow, 1);
        }
        return TRUE;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        CrtPutDouble(Sink, Spec, va_arg(*Arguments, double), (char)Conversion); /* msvcrt's long double is a double */
        return TRUE;
    default:
        return FALSE;
    }
}

int CrtFormat(CRT_SINK *Sink, const void *Format, va_list Arguments)
{
    CRT_CURSOR cursor = {Format, Sink->Wide};
    va_list arguments;
    BOOL ok = TRUE;

    va_copy(arguments, Arguments);
    while (ok && CrtPeek(&cursor) != 0)
    {
        CRT_SPEC spec = {.Precision = -1};
        unsigned conversion;
        const void *run = cursor.At;
        size_t count = 0;

        while (CrtPeek(&cursor) != 0 && CrtPeek(&cursor) != '%')
        {
            CrtStep(&cursor);
            count++;
        }
        CrtPut(Sink, run, count);
        if (!CrtAccept(&cursor, '%'))
        {
            break;
        }
        CrtReadFlags(&cursor, &spec);
        if (CrtAccept(&cursor, '*'))
        {
            spec.Width = va_arg(arguments, int);
            if (spec.Width < 0)
            {
                spec.Left = TRUE;
                spec.Width = spec.Width == INT_MIN ? 0 : -spec.Width;
            }
        }
        else
        {
            spec.Width = CrtReadNumber(&cursor);
        }
        if (CrtAccept(&cursor, '.'))
        {
            spec.Precision = CrtAccept(&cursor, '*') ? va_arg(arguments, int) : CrtReadNumber(&cursor);
        }
        CrtReadSize(&cursor, &spec);
        conversion = CrtPeek(&cursor);
        if (conversion != 0)
        {
            CrtStep(&cursor);
        }
        ok = CrtConvert(Sink, &spec, conversion, &arguments);
    }
    va_end(arguments);
    if (!ok)
    {
        errno = EINVAL;
        return -1;
    }
    return Sink->Total <= 0x7FFFFFFF ? (int)Sink->Total : -1;
}
