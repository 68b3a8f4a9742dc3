/* SPDX-License-Identifier: MIT */
/*
 * Numbers, sorting, random numbers and multibyte text of the C run time.
 */
#include "rtlp.h"
#include "crtnames.h"

/* ---- text to number: one parser for both widths ---- */

typedef struct _RTLP_PARSED
{
    ULONG64 Value;
    SIZE_T End; /* index behind the last character used; 0 if there was no number */
    BOOLEAN Negative;
    BOOLEAN Overflow;
} RTLP_PARSED, *PRTLP_PARSED;

static ULONG RtlpUnitAt(const VOID *Text, BOOLEAN Wide, SIZE_T Index)
{
    return Wide ? ((const WCHAR *)Text)[Index] : ((const UCHAR *)Text)[Index];
}

static ULONG RtlpDigitValue(ULONG Unit)
{
    if (Unit >= '0' && Unit <= '9')
    {
        return Unit - '0';
    }

    if (Unit >= 'a' && Unit <= 'z')
    {
        return Unit - 'a' + 10;
    }

    return Unit >= 'A' && Unit <= 'Z' ? Unit - 'A' + 10 : 99;
}

static RTLP_PARSED RtlpParse(const VOID *Text, BOOLEAN Wide, int Base)
{
    RTLP_PARSED Parsed = {0, 0, FALSE, FALSE};
    SIZE_T At = 0;

    if (Base < 0 || Base == 1 || Base > 36)
    {
        return Parsed;
    }

    while (RtlpUnitAt(Text, Wide, At) == ' ' || (RtlpUnitAt(Text, Wide, At) >= 9 && RtlpUnitAt(Text, Wide, At) <= 13))
    {
        At += 1;
    }

    if (RtlpUnitAt(Text, Wide, At) == '-' || RtlpUnitAt(Text, Wide, At) == '+')
    {
        Parsed.Negative = RtlpUnitAt(Text, Wide, At) == '-';
        At += 1;
    }

    if ((Base == 0 || Base == 16) && RtlpUnitAt(Text, Wide, At) == '0' &&
        (RtlpUnitAt(Text, Wide, At + 1) | 0x20) == 'x' && RtlpDigitValue(RtlpUnitAt(Text, Wide, At + 2)) < 16)
    {
        At += 2;
        Base = 16;
    }
    else if (Base == 0)
    {
        Base = RtlpUnitAt(Text, Wide, At) == '0' ? 8 : 10;
    }

    for (;; At += 1)
    {
        ULONG Digit = RtlpDigitValue(RtlpUnitAt(Text, Wide, At));

        if (Digit >= (ULONG)Base)
        {
            break;
        }

        if (Parsed.Value > (~(ULONG64)0 - Digit) / (ULONG)Base)
        {
            Parsed.Overflow = TRUE;
        }

        Parsed.Value = Parsed.Value * (ULONG)Base + Digit;
        Parsed.End = At + 1;
    }

    return Parsed;
}

static LONG RtlpToSigned(const RTLP_PARSED *Parsed)
{
    if (Parsed->Negative)
    {
        return Parsed->Overflow || Parsed->Value > 0x80000000 ? (LONG)0x80000000 : (LONG)(0 - (ULONG)Parsed->Value);
    }

    return Parsed->Overflow || Parsed->Value > 0x7FFFFFFF ? 0x7FFFFFFF : (LONG)Parsed->Value;
}

static ULONG RtlpToUnsigned(const RTLP_PARSED *Parsed)
{
    if (Parsed->Overflow || Parsed->Value > 0xFFFFFFFF)
    {
        return 0xFFFFFFFF;
    }

    return Parsed->Negative ? 0 - (ULONG)Parsed->Value : (ULONG)Parsed->Value;
}

LONG strtol(const char *String, char **End, int Base)
{
    RTLP_PARSED Parsed = RtlpParse(String, FALSE, Base);

    if (End != NULL)
    {
        *End = (char *)(ULONG_PTR)String + Parsed.End;
    }

    return RtlpToSigned(&Parsed);
}

ULONG strtoul(const char *String, char **End, int Base)
{
    RTLP_PARSED Parsed = RtlpParse(String, FALSE, Base);

    if (End != NULL)
    {
        *End = (char *)(ULONG_PTR)String + Parsed.End;
    }

    return RtlpToUnsigned(&Parsed);
}

unsigned long long _strtoui64(const char *String, char **End, int Base)
{
    RTLP_PARSED Parsed = RtlpParse(String, FALSE, Base);

    if (End != NULL)
    {
        *End = (char *)(ULONG_PTR)String + Parsed.End;
    }

    if (Parsed.Overflow)
    {
        return ~0ULL;
    }

    return Parsed.Negative ? 0 - Parsed.Value : Parsed.Value;
}

LONG wcstol(const WCHAR *String, WCHAR **End, int Base)
{
    RTLP_PARSED Parsed = RtlpParse(String, TRUE, Base);

    if (End != NULL)
    {
        *End = (WCHAR *)(ULONG_PTR)String + Parsed.End;
    }

    return RtlpToSigned(&Parsed);
}

ULONG wcstoul(const WCHAR *String, WCHAR **End, int Base)
{
    RTLP_PARSED Parsed = RtlpParse(String, TRUE, Base);

    if (End != NULL)
    {
        *End = (WCHAR *)(ULONG_PTR)String + Parsed.End;
    }

    return RtlpToUnsigned(&Parsed);
}

int atoi(const char *String)
{
    return (int)strtol(String, NULL, 10);
}

LONG atol(const char *String)
{
    return strtol(String, NULL, 10);
}

int _wtoi(const WCHAR *String)
{
    return (int)wcstol(String, NULL, 10);
}

LONG _wtol(const WCHAR *String)
{
    return wcstol(String, NULL, 10);
}

/* ---- number to text ---- */

static int RtlpToText(ULONG64 Value, BOOLEAN Negative, PVOID String, BOOLEAN Wide, SIZE_T Size, int Base)
{
    CHAR Digits[65];
    ULONG Count = 0;
    ULONG Index;

    if (String == NULL || Size == 0)
    {
        return RTLP_EINVAL;
    }

    if (Base < 2 || Base > 36)
    {
        Size = 0; /* only the terminator */
    }
    else
    {
        Digits[0] = '-';
        Count = (Negative ? 1u : 0u) + RtlpFormatNumber(Value, (ULONG)Base, FALSE, &Digits[Negative ? 1 : 0]);
    }

    if (Count >= Size)
    {
        Index = 0;
        Count = 0;
    }

    for (Index = 0; Index <= Count; Index += 1)
    {
        CHAR Digit = Index < Count ? Digits[Index] : 0;

        if (Wide)
        {
            ((PWCHAR)String)[Index] = (WCHAR)Digit;
        }
        else
        {
            ((PCHAR)String)[Index] = Digit;
        }
    }

    if (Size == 0)
    {
        return RTLP_EINVAL;
    }

    return Count == 0 ? RTLP_ERANGE : 0;
}

/* A minus sign is written in base 10 only; other bases show the bits. */
#define RTLP_SIGNED_TO_TEXT(Value, Unsigned, String, Wide, Size, Base)                                                 \
    ((Base) == 10 && (Value) < 0                                                                                       \
         ? RtlpToText(0 - (ULONG64)(LONG64)(Value), TRUE, (String), (Wide), (Size), (Base))                            \
         : RtlpToText((Unsigned)(Value), FALSE, (String), (Wide), (Size), (Base)))

char *_itoa(int Value, char *String, int Base)
{
    RTLP_SIGNED_TO_TEXT(Value, ULONG, String, FALSE, 66, Base);
    return String;
}

WCHAR *_itow(int Value, WCHAR *String, int Base)
{
    RTLP_SIGNED_TO_TEXT(Value, ULONG, String, TRUE, 66, Base);
    return String;
}

int _itoa_s(int Value, char *String, size_t Size, int Base)
{
    return RTLP_SIGNED_TO_TEXT(Value, ULONG, String, FALSE, Size, Base);
}

int _itow_s(int Value, WCHAR *String, size_t Size, int Base)
{
    return RTLP_SIGNED_TO_TEXT(Value, ULONG, String, TRUE, Size, Base);
}

int _ltoa_s(LONG Value, char *String, size_t Size, int Base)
{
    return RTLP_SIGNED_TO_TEXT(Value, ULONG, String, FALSE, Size, Base);
}

int _ltow_s(LONG Value, WCHAR *String, size_t Size, int Base)
{
    return RTLP_SIGNED_TO_TEXT(Value, ULONG, String, TRUE, Size, Base);
}

int _ultoa_s(ULONG Value, char *String, size_t Size, int Base)
{
    return RtlpToText(Value, FALSE, String, FALSE, Size, Base);
}

int _ultow_s(ULONG Value, WCHAR *String, size_t Size, int Base)
{
    return RtlpToText(Value, FALSE, String, TRUE, Size, Base);
}

int _i64toa_s(long long Value, char *String, size_t Size, int Base)
{
    return RTLP_SIGNED_TO_TEXT(Value, ULONG64, String, FALSE, Size, Base);
}

int _i64tow_s(long long Value, WCHAR *String, size_t Size, int Base)
{
    return RTLP_SIGNED_TO_TEXT(Value, ULONG64, String, TRUE, Size, Base);
}

int _ui64toa_s(unsigned long long Value, char *String, size_t Size, int Base)
{
    return RtlpToText(Value, FALSE, String, FALSE, Size, Base);
}

int _ui64tow_s(unsigned long long Value, WCHAR *String, size_t Size, int Base)
{
    return RtlpToText(Value, FALSE, String, TRUE, Size, Base);
}

/* ---- random numbers: the sequence that Windows programs know ---- */

static ULONG RtlpRandSeed = 1;

void srand(unsigned int Seed)
{
    RtlpRandSeed = Seed;
}

int rand(void)
{
    RtlpRandSeed = RtlpRandSeed * 214013 + 2531011;
    return (int)((RtlpRandSeed >> 16) & 0x7FFF);
}

/* ---- sorting and searching ---- */

static VOID RtlpSwapBytes(PUCHAR First, PUCHAR Second, size_t Width)
{
    for (; Width != 0; Width -= 1, First += 1, Second += 1)
    {
        UCHAR Byte = *First;

        *First = *Second;
        *Second = Byte;
    }
}

/* Heap sort: no recursion on a small kernel stack, and no input that makes it slow. */
void qsort(void *Base, size_t Count, size_t Width, int (*Compare)(const void *, const void *))
{
    PUCHAR Items = Base;
    size_t Start = Count / 2;
    size_t End = Count;

    while (End > 1)
    {
        size_t Root;

        if (Start != 0)
        {
            Start -= 1;
        }
        else
        {
            End -= 1;
            RtlpSwapBytes(Items, Items + End * Width, Width);
        }

        Root = Start;
        while (Root * 2 + 1 < End)
        {
            size_t Child = Root * 2 + 1;

            if (Child + 1 < End && Compare(Items + Child * Width, Items + (Child + 1) * Width) < 0)
            {
                Child += 1;
            }

            if (Compare(Items + Root * Width, Items + Child * Width) >= 0)
            {
                break;
            }

            RtlpSwapBytes(Items + Root * Width, Items + Child * Width, Width);
            Root = Child;
        }
    }
}

void *bsearch(const void *Key, const void *Base, size_t Count, size_t Width, int (*Compare)(const void *, const void *))
{
    const UCHAR *Items = Base;
    size_t Low = 0;

    while (Low < Count)
    {
        size_t Middle = Low + (Count - Low) / 2;
        int Order = Compare(Key, Items + Middle * Width);

        if (Order == 0)
        {
            return (void *)(ULONG_PTR)(Items + Middle * Width);
        }

        if (Order < 0)
        {
            Count = Middle;
        }
        else
        {
            Low = Middle + 1;
        }
    }

    return NULL;
}

/* ---- multibyte text: UTF-8, invalid input is refused ---- */

size_t mbstowcs(WCHAR *Destination, const char *Source, size_t Limit)
{
    size_t Length = 0;
    size_t Count = 0;

    while (Source[Length] != 0)
    {
        Length += 1;
    }

    while (Length != 0)
    {
        ULONG Used;
        ULONG CodePoint = RtlpDecodeUtf8((const UCHAR *)Source, Length, &Used);
        ULONG Units = CodePoint >= 0x10000 ? 2 : 1;

        if (CodePoint == RTLP_BAD_CODE_POINT)
        {
            return (size_t)-1;
        }

        if (Destination != NULL)
        {
            if (Count + Units > Limit)
            {
                return Count;
            }

            Destination[Count] = (WCHAR)(Units == 1 ? CodePoint : 0xD800 + ((CodePoint - 0x10000) >> 10));
            if (Units == 2)
            {
                Destination[Count + 1] = (WCHAR)(0xDC00 + (CodePoint & 0x3FF));
            }
        }

        Count += Units;
        Source += Used;
        Length -= Used;
    }

    if (Destination != NULL && Count < Limit)
    {
        Destination[Count] = 0;
    }

    return Count;
}

size_t wcstombs(char *Destination, const WCHAR *Source, size_t Limit)
{
    size_t Length = wcslen(Source);
    size_t Count = 0;

    while (Length != 0)
    {
        UCHAR Text[4];
        ULONG Used;
        ULONG CodePoint = RtlpDecodeUtf16(Source, Length, &Used);
        ULONG Bytes;
        ULONG Index;

        if (CodePoint == RTLP_BAD_CODE_POINT)
        {
            return (size_t)-1;
        }

        Bytes = RtlpEncodeUtf8(CodePoint, Text);
        if (Destination != NULL)
        {
            if (Count + Bytes > Limit)
            {
                return Count;
            }

            for (Index = 0; Index < Bytes; Index += 1)
            {
                Destination[Count + Index] = (char)Text[Index];
            }
        }

        Count += Bytes;
        Source += Used;
        Length -= Used;
    }

    if (Destination != NULL && Count < Limit)
    {
        Destination[Count] = 0;
    }

    return Count;
}

/* A character beyond the BMP needs two units and is refused here. */
int mbtowc(WCHAR *Destination, const char *Source, size_t Limit)
{
    ULONG Used;
    ULONG CodePoint;

    if (Source == NULL || Limit == 0)
    {
        return 0;
    }

    CodePoint = RtlpDecodeUtf8((const UCHAR *)Source, Limit, &Used);
    if (CodePoint >= 0x10000)
    {
        return -1;
    }

    if (Destination != NULL)
    {
        *Destination = (WCHAR)CodePoint;
    }

    return CodePoint != 0 ? (int)Used : 0;
}

int wctomb(char *Destination, WCHAR Character)
{
    UCHAR Text[4];
    ULONG Used;
    ULONG Bytes;
    ULONG Index;

    if (Destination == NULL)
    {
        return 0;
    }

    if (RtlpDecodeUtf16(&Character, 1, &Used) == RTLP_BAD_CODE_POINT)
    {
        return -1;
    }

    Bytes = RtlpEncodeUtf8(Character, Text);
    for (Index = 0; Index < Bytes; Index += 1)
    {
        Destination[Index] = (char)Text[Index];
    }

    return (int)Bytes;
}
