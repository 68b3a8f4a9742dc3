/* SPDX-License-Identifier: MIT */
/*
 * printf by the rules of the Windows C run time.
 *
 *      % [flags] [width] [.precision] [size] type
 *
 *      flags      - + space # 0
 *      width      digits or *
 *      precision  digits or *
 *      size       hh h l ll w L I I32 I64 j z t     (l is 32 bits; I, z, t are 64)
 *      type       d i o u x X   integers
 *                 p             pointer: 16 upper-case hexadecimal digits
 *                 c C s S       characters and strings; C and S have the width that the function has not;
 *                               h makes them narrow, l and w wide
 *                 Z             PANSI_STRING, with l or w PUNICODE_STRING
 *                 n             refused: nothing is stored
 *
 * Floating point is not there, as in the kernel of Windows: the argument is skipped and the type letter printed.
 * Text changes its width by UTF-8.
 */
#include "format.h"

#define RTLP_FLAG_LEFT 0x01
#define RTLP_FLAG_PLUS 0x02
#define RTLP_FLAG_SPACE 0x04
#define RTLP_FLAG_ALTERNATE 0x08
#define RTLP_FLAG_ZERO 0x10

#define RTLP_MAX_LENGTH 0x7FFFFFFF

typedef enum _RTLP_SIZE
{
    SizeDefault,
    SizeChar,
    SizeShort,
    SizeLong, /* 32 bits for numbers, wide for text */
    Size64,
} RTLP_SIZE;

typedef struct _RTLP_SPEC
{
    ULONG Flags;
    ULONG Width;
    LONG Precision; /* -1: none given */
    RTLP_SIZE Size;
    BOOLEAN Wide; /* w or l */
    WCHAR Type;
} RTLP_SPEC, *PRTLP_SPEC;

/* A position in a format of either width. */
typedef struct _RTLP_READER
{
    BOOLEAN Wide;
    const VOID *At;
} RTLP_READER, *PRTLP_READER;

/* Arguments by reference: va_list may be an array type. */
typedef struct _RTLP_ARGUMENTS
{
    va_list List;
} RTLP_ARGUMENTS, *PRTLP_ARGUMENTS;

static WCHAR RtlpPeek(const RTLP_READER *Reader, ULONG Ahead)
{
    return Reader->Wide ? ((const WCHAR *)Reader->At)[Ahead] : ((const UCHAR *)Reader->At)[Ahead];
}

static VOID RtlpAdvance(PRTLP_READER Reader, ULONG Units)
{
    Reader->At = (const UCHAR *)Reader->At + Units * (Reader->Wide ? sizeof(WCHAR) : 1);
}

static VOID RtlpPut(PRTLP_SINK Sink, WCHAR Unit)
{
    if (Sink->Length < Sink->Room)
    {
        if (Sink->Wide)
        {
            ((PWCHAR)Sink->Buffer)[Sink->Length] = Unit;
        }
        else
        {
            ((PUCHAR)Sink->Buffer)[Sink->Length] = (UCHAR)Unit;
        }
    }

    Sink->Length += 1;
}

static VOID RtlpPad(PRTLP_SINK Sink, WCHAR Unit, ULONG64 Count)
{
    /* A hostile width may be in the billions: count what can't be stored without a loop. */
    while (Count != 0 && Sink->Length < Sink->Room)
    {
        RtlpPut(Sink, Unit);
        Count -= 1;
    }

    Sink->Length += Count;
}

/* Writes one code point in the sink's width, or only counts its units. */
static ULONG RtlpPutCodePoint(PRTLP_SINK Sink, ULONG CodePoint, BOOLEAN Store)
{
    UCHAR Text[4];
    ULONG Length;
    ULONG Index;

    if (CodePoint == RTLP_BAD_CODE_POINT)
    {
        CodePoint = RTLP_REPLACEMENT;
    }

    if (Sink->Wide)
    {
        if (CodePoint < 0x10000)
        {
            if (Store)
            {
                RtlpPut(Sink, (WCHAR)CodePoint);
            }
            return 1;
        }

        if (Store)
        {
            RtlpPut(Sink, (WCHAR)(0xD800 + ((CodePoint - 0x10000) >> 10)));
            RtlpPut(Sink, (WCHAR)(0xDC00 + (CodePoint & 0x3FF)));
        }
        return 2;
    }

    Length = RtlpEncodeUtf8(CodePoint, Text);
    for (Index = 0; Store && Index < Length; Index += 1)
    {
        RtlpPut(Sink, Text[Index]);
    }

    return Length;
}

/*
 * Writes (or measures) text of either width. Limit is the precision: a number of units of the output; a character
 * that would cross it is left out whole.
 */
static ULONG64 RtlpText(PRTLP_SINK Sink, const VOID *Text, BOOLEAN Wide, ULONG64 Length, ULONG64 Limit, BOOLEAN Store)
{
    ULONG64 Units = 0;
    ULONG64 At = 0;

    while (At < Length && Units < Limit)
    {
        ULONG Used = 1;

        if (Wide == Sink->Wide)
        {
            if (Store)
            {
                RtlpPut(Sink, Wide ? ((const WCHAR *)Text)[At] : ((const UCHAR *)Text)[At]);
            }
            Units += 1;
        }
        else
        {
            ULONG CodePoint = Wide ? RtlpDecodeUtf16((const WCHAR *)Text + At, Length - At, &Used)
                                   : RtlpDecodeUtf8((const UCHAR *)Text + At, Length - At, &Used);
            ULONG Need = RtlpPutCodePoint(Sink, CodePoint, FALSE);

            if (Need > Limit - Units)
            {
                break;
            }

            RtlpPutCodePoint(Sink, CodePoint, Store);
            Units += Need;
        }

        At += Used;
    }

    return Units;
}

static VOID RtlpPutPaddedText(PRTLP_SINK Sink, const RTLP_SPEC *Spec, const VOID *Text, BOOLEAN Wide, ULONG64 Length,
                              ULONG64 Limit)
{
    ULONG64 Units = RtlpText(Sink, Text, Wide, Length, Limit, FALSE);
    ULONG64 Fill = Spec->Width > Units ? Spec->Width - Units : 0;

    if ((Spec->Flags & RTLP_FLAG_LEFT) == 0)
    {
        RtlpPad(Sink, (Spec->Flags & RTLP_FLAG_ZERO) != 0 ? '0' : ' ', Fill);
    }

    RtlpText(Sink, Text, Wide, Length, Limit, TRUE);
    if ((Spec->Flags & RTLP_FLAG_LEFT) != 0)
    {
        RtlpPad(Sink, ' ', Fill);
    }
}

/* The width of a text argument: S and C are the other one, h and l/w decide. */
static BOOLEAN RtlpArgumentIsWide(const RTLP_SINK *Sink, const RTLP_SPEC *Spec)
{
    if (Spec->Size == SizeShort)
    {
        return FALSE;
    }

    if (Spec->Wide)
    {
        return TRUE;
    }

    return Spec->Type == 'S' || Spec->Type == 'C' ? !Sink->Wide : Sink->Wide;
}

static VOID RtlpPutString(PRTLP_SINK Sink, const RTLP_SPEC *Spec, const VOID *Text)
{
    BOOLEAN Wide = RtlpArgumentIsWide(Sink, Spec);
    ULONG64 Limit = Spec->Precision < 0 ? ~(ULONG64)0 : (ULONG64)Spec->Precision;
    ULONG64 Length = 0;

    if (Text == NULL)
    {
        Text = "(null)";
        Wide = FALSE;
    }

    /* With a precision the text need not be terminated: never look further than the output could take. */
    while (Length < Limit && (Wide ? ((const WCHAR *)Text)[Length] != 0 : ((const CHAR *)Text)[Length] != 0))
    {
        Length += 1;
    }

    RtlpPutPaddedText(Sink, Spec, Text, Wide, Length, Limit);
}

static VOID RtlpPutCharacter(PRTLP_SINK Sink, const RTLP_SPEC *Spec, int Value)
{
    WCHAR Wide = (WCHAR)Value;
    CHAR Narrow = (CHAR)Value;

    if (RtlpArgumentIsWide(Sink, Spec))
    {
        RtlpPutPaddedText(Sink, Spec, &Wide, TRUE, 1, ~(ULONG64)0);
    }
    else
    {
        RtlpPutPaddedText(Sink, Spec, &Narrow, FALSE, 1, ~(ULONG64)0);
    }
}

static VOID RtlpPutCounted(PRTLP_SINK Sink, const RTLP_SPEC *Spec, const STRING *String)
{
    BOOLEAN Wide = Spec->Wide && Spec->Size != SizeShort;

    if (String == NULL || String->Buffer == NULL)
    {
        RtlpPutPaddedText(Sink, Spec, "(null)", FALSE, 6, ~(ULONG64)0);
        return;
    }

    /* STRING and UNICODE_STRING have the same layout: lengths in bytes, then the buffer. */
    RtlpPutPaddedText(Sink, Spec, String->Buffer, Wide, Wide ? String->Length / sizeof(WCHAR) : String->Length,
                      ~(ULONG64)0);
}

ULONG RtlpFormatNumber(_In_ ULONG64 Value, _In_ ULONG Base, _In_ BOOLEAN Upper, _Out_writes_(64) PCHAR Digits)
{
    const char *Set = Upper ? "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" : "0123456789abcdefghijklmnopqrstuvwxyz";
    CHAR Reversed[64];
    ULONG Count = 0;
    ULONG Index;

    do
    {
        Reversed[Count] = Set[Value % Base];
        Value /= Base;
        Count += 1;
    } while (Value != 0);

    for (Index = 0; Index < Count; Index += 1)
    {
        Digits[Index] = Reversed[Count - 1 - Index];
    }

    return Count;
}

static VOID RtlpPutNumber(PRTLP_SINK Sink, const RTLP_SPEC *Spec, ULONG64 Value, BOOLEAN Negative)
{
    ULONG Base = Spec->Type == 'o' ? 8 : Spec->Type == 'x' || Spec->Type == 'X' || Spec->Type == 'p' ? 16 : 10;
    BOOLEAN Upper = Spec->Type == 'X' || Spec->Type == 'p';
    CHAR Digits[64];
    CHAR Prefix[2];
    ULONG Prefixes = 0;
    ULONG Count = RtlpFormatNumber(Value, Base, Upper, Digits);
    ULONG64 Zeros = 0;
    ULONG64 Fill;
    ULONG Index;

    if (Value == 0 && Spec->Precision == 0)
    {
        Count = 0;
    }

    if (Spec->Type == 'd' || Spec->Type == 'i')
    {
        if (Negative || (Spec->Flags & (RTLP_FLAG_PLUS | RTLP_FLAG_SPACE)) != 0)
        {
            Prefix[Prefixes++] = Negative ? '-' : (Spec->Flags & RTLP_FLAG_PLUS) != 0 ? '+' : ' ';
        }
    }
    else if ((Spec->Flags & RTLP_FLAG_ALTERNATE) != 0 && Base == 16 && (Value != 0 || Spec->Type == 'p'))
    {
        Prefix[Prefixes++] = '0';
        Prefix[Prefixes++] = Upper ? 'X' : 'x';
    }

    if (Spec->Precision >= 0)
    {
        Zeros = (ULONG)Spec->Precision > Count ? (ULONG)Spec->Precision - Count : 0;
    }

    if ((Spec->Flags & RTLP_FLAG_ALTERNATE) != 0 && Base == 8 && Zeros == 0 && (Count == 0 || Digits[0] != '0'))
    {
        Zeros = 1;
    }

    Fill = Prefixes + Zeros + Count < Spec->Width ? Spec->Width - (Prefixes + Zeros + Count) : 0;
    if (Spec->Precision < 0 && (Spec->Flags & (RTLP_FLAG_ZERO | RTLP_FLAG_LEFT)) == RTLP_FLAG_ZERO)
    {
        Zeros += Fill;
        Fill = 0;
    }

    if ((Spec->Flags & RTLP_FLAG_LEFT) == 0)
    {
        RtlpPad(Sink, ' ', Fill);
    }

    for (Index = 0; Index < Prefixes; Index += 1)
    {
        RtlpPut(Sink, (UCHAR)Prefix[Index]);
    }

    RtlpPad(Sink, '0', Zeros);
    for (Index = 0; Index < Count; Index += 1)
    {
        RtlpPut(Sink, (UCHAR)Digits[Index]);
    }

    if ((Spec->Flags & RTLP_FLAG_LEFT) != 0)
    {
        RtlpPad(Sink, ' ', Fill);
    }
}

/* Fetches an integer argument in its size and formats it. */
static VOID RtlpPutInteger(PRTLP_SINK Sink, const RTLP_SPEC *Spec, PRTLP_ARGUMENTS Arguments)
{
    BOOLEAN Signed = Spec->Type == 'd' || Spec->Type == 'i';
    LONG64 Value;

    if (Spec->Size == Size64)
    {
        Value = va_arg(Arguments->List, LONG64);
    }
    else
    {
        LONG Word = va_arg(Arguments->List, LONG);

        if (Spec->Size == SizeShort)
        {
            Value = Signed ? (LONG64)(SHORT)Word : (LONG64)(USHORT)Word;
        }
        else if (Spec->Size == SizeChar)
        {
            Value = Signed ? (LONG64)(signed char)Word : (LONG64)(UCHAR)Word;
        }
        else
        {
            Value = Signed ? (LONG64)Word : (LONG64)(ULONG)Word;
        }
    }

    if (Signed && Value < 0)
    {
        RtlpPutNumber(Sink, Spec, 0 - (ULONG64)Value, TRUE);
    }
    else
    {
        RtlpPutNumber(Sink, Spec, (ULONG64)Value, FALSE);
    }
}

/* Reads digits or an asterisk; a number that does not fit stays at the largest one. */
static LONG RtlpReadNumber(PRTLP_READER Reader, PRTLP_ARGUMENTS Arguments)
{
    ULONG64 Value = 0;

    if (RtlpPeek(Reader, 0) == '*')
    {
        RtlpAdvance(Reader, 1);
        return va_arg(Arguments->List, LONG);
    }

    while (RtlpPeek(Reader, 0) >= '0' && RtlpPeek(Reader, 0) <= '9')
    {
        Value = min(Value * 10 + (RtlpPeek(Reader, 0) - '0'), (ULONG64)RTLP_MAX_LENGTH);
        RtlpAdvance(Reader, 1);
    }

    return (LONG)Value;
}

static VOID RtlpReadFlags(PRTLP_READER Reader, PRTLP_SPEC Spec)
{
    for (;; RtlpAdvance(Reader, 1))
    {
        switch (RtlpPeek(Reader, 0))
        {
        case '-':
            Spec->Flags |= RTLP_FLAG_LEFT;
            break;

        case '+':
            Spec->Flags |= RTLP_FLAG_PLUS;
            break;

        case ' ':
            Spec->Flags |= RTLP_FLAG_SPACE;
            break;

        case '#':
            Spec->Flags |= RTLP_FLAG_ALTERNATE;
            break;

        case '0':
            Spec->Flags |= RTLP_FLAG_ZERO;
            break;

        default:
            return;
        }
    }
}

static VOID RtlpReadSize(PRTLP_READER Reader, PRTLP_SPEC Spec)
{
    for (;;)
    {
        WCHAR Next = RtlpPeek(Reader, 0);

        if (Next == 'h')
        {
            Spec->Size = Spec->Size == SizeShort ? SizeChar : SizeShort;
        }
        else if (Next == 'l')
        {
            Spec->Size = Spec->Size == SizeLong ? Size64 : SizeLong;
            Spec->Wide = TRUE;
        }
        else if (Next == 'w')
        {
            Spec->Wide = TRUE;
        }
        else if (Next == 'I' && RtlpPeek(Reader, 1) == '3' && RtlpPeek(Reader, 2) == '2')
        {
            Spec->Size = SizeLong;
            RtlpAdvance(Reader, 2);
        }
        else if (Next == 'I' && RtlpPeek(Reader, 1) == '6' && RtlpPeek(Reader, 2) == '4')
        {
            Spec->Size = Size64;
            RtlpAdvance(Reader, 2);
        }
        else if (Next == 'I' || Next == 'j' || Next == 'z' || Next == 't')
        {
            Spec->Size = Size64;
        }
        else if (Next != 'L')
        {
            return;
        }

        RtlpAdvance(Reader, 1);
    }
}

static VOID RtlpReadSpec(PRTLP_READER Reader, PRTLP_ARGUMENTS Arguments, PRTLP_SPEC Spec)
{
    LONG Width;

    Spec->Flags = 0;
    Spec->Precision = -1;
    Spec->Size = SizeDefault;
    Spec->Wide = FALSE;
    RtlpReadFlags(Reader, Spec);
    Width = RtlpReadNumber(Reader, Arguments);
    if (Width < 0)
    {
        Spec->Flags |= RTLP_FLAG_LEFT;
    }

    Spec->Width = Width < 0 ? 0 - (ULONG)Width : (ULONG)Width;
    if (RtlpPeek(Reader, 0) == '.')
    {
        RtlpAdvance(Reader, 1);
        Spec->Precision = RtlpReadNumber(Reader, Arguments);
        if (Spec->Precision < 0)
        {
            Spec->Precision = -1;
        }
    }

    RtlpReadSize(Reader, Spec);
    Spec->Type = RtlpPeek(Reader, 0);
}

static VOID RtlpPutSpec(PRTLP_SINK Sink, PRTLP_SPEC Spec, PRTLP_ARGUMENTS Arguments)
{
    switch (Spec->Type)
    {
    case 'd':
    case 'i':
    case 'o':
    case 'u':
    case 'x':
    case 'X':
        RtlpPutInteger(Sink, Spec, Arguments);
        break;

    case 'p':
        Spec->Size = Size64;
        Spec->Precision = 16;
        RtlpPutInteger(Sink, Spec, Arguments);
        break;

    case 'c':
    case 'C':
        RtlpPutCharacter(Sink, Spec, va_arg(Arguments->List, int));
        break;

    case 's':
    case 'S':
        RtlpPutString(Sink, Spec, va_arg(Arguments->List, const VOID *));
        break;

    case 'Z':
        RtlpPutCounted(Sink, Spec, va_arg(Arguments->List, const STRING *));
        break;

    case 'n':
        (VOID)va_arg(Arguments->List, PVOID);
        break;

    case 'a':
    case 'A':
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        (VOID)va_arg(Arguments->List, double);
        RtlpPut(Sink, Spec->Type);
        break;

    default: /* a percent sign, or a letter that means nothing */
        RtlpPut(Sink, Spec->Type);
        break;
    }
}

BOOLEAN RtlpFormat(_Inout_ PRTLP_SINK Sink, _In_ const VOID *Format, _In_ va_list List)
{
    RTLP_READER Reader;
    RTLP_ARGUMENTS Arguments;

    Reader.Wide = Sink->Wide;
    Reader.At = Format;
    va_copy(Arguments.List, List);
    while (RtlpPeek(&Reader, 0) != 0 && Sink->Length <= RTLP_MAX_LENGTH)
    {
        RTLP_SPEC Spec;

        if (RtlpPeek(&Reader, 0) != '%')
        {
            RtlpPut(Sink, RtlpPeek(&Reader, 0));
            RtlpAdvance(&Reader, 1);
            continue;
        }

        RtlpAdvance(&Reader, 1);
        RtlpReadSpec(&Reader, &Arguments, &Spec);
        if (Spec.Type == 0)
        {
            break;
        }

        RtlpPutSpec(Sink, &Spec, &Arguments);
        RtlpAdvance(&Reader, 1);
    }

    va_end(Arguments.List);
    return Sink->Length <= RTLP_MAX_LENGTH;
}
