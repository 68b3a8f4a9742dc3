/* SPDX-License-Identifier: MIT */
/*
 * Doubles to text and back, exactly. A double is m * 2^e; as a decimal number it has at most 309 digits before the point and
 * 1074 behind it, which fits a plain array of nine-digit limbs. Slow beside clever methods, and obviously right.
 */
#include "crt.h"

#define LIMBS_BEFORE 36 /* 324 digits before the point */
#define LIMBS_BEHIND 122 /* 1098 digits behind it */
#define LIMBS (LIMBS_BEFORE + LIMBS_BEHIND)
#define LIMB 1000000000u
#define DIGITS (LIMBS * 9)

/* Limb 0 is the most significant; the point stands behind limb LIMBS_BEFORE - 1. */
typedef struct _CRT_DECIMAL
{
    unsigned Limb[LIMBS];
} CRT_DECIMAL;

static void CrtTimesTwo(CRT_DECIMAL *D)
{
    unsigned carry = 0;

    for (int i = LIMBS - 1; i >= 0; i--)
    {
        unsigned v = D->Limb[i] * 2 + carry;
        carry = v >= LIMB;
        D->Limb[i] = carry ? v - LIMB : v;
    }
}

static void CrtHalf(CRT_DECIMAL *D)
{
    unsigned carry = 0;

    for (int i = 0; i < LIMBS; i++)
    {
        unsigned v = D->Limb[i] + carry * LIMB;
        carry = v & 1;
        D->Limb[i] = v / 2;
    }
}

static void CrtExpand(unsigned long long Mantissa, int Exponent, char *Digits)
{
    CRT_DECIMAL d;

    ZeroMemory(&d, sizeof(d));
    d.Limb[LIMBS_BEFORE - 1] = (unsigned)(Mantissa % LIMB);
    d.Limb[LIMBS_BEFORE - 2] = (unsigned)(Mantissa / LIMB % LIMB);
    for (; Exponent > 0; Exponent--)
    {
        CrtTimesTwo(&d);
    }
    for (; Exponent < 0; Exponent++)
    {
        CrtHalf(&d);
    }
    for (int i = 0; i < LIMBS; i++)
    {
        unsigned v = d.Limb[i];
        for (int j = 8; j >= 0; j--)
        {
            Digits[i * 9 + j] = (char)('0' + v % 10);
            v /= 10;
        }
    }
}

/* Rounds to the digit at Keep (the first dropped one), half to even. The digits before have room for a carry. */
static void CrtRound(char *Digits, int Keep)
{
    BOOL up = FALSE;

    if (Keep >= DIGITS)
    {
        return;
    }
    if (Digits[Keep] > '5')
    {
        up = TRUE;
    }
    else if (Digits[Keep] == '5')
    {
        for (int i = Keep + 1; i < DIGITS && !up; i++)
        {
            up = Digits[i] != '0';
        }
        up = up || (Keep > 0 && ((Digits[Keep - 1] - '0') & 1) != 0);
    }
    for (int i = Keep; i < DIGITS; i++)
    {
        Digits[i] = '0';
    }
    for (int i = Keep - 1; up && i >= 0; i--)
    {
        up = Digits[i] == '9';
        Digits[i] = up ? '0' : (char)(Digits[i] + 1);
    }
}

static int CrtFirstDigit(const char *Digits)
{
    int i = 0;

    while (i < DIGITS && Digits[i] == '0')
    {
        i++;
    }
    return i;
}

#define UNITS_DIGIT (LIMBS_BEFORE * 9 - 1) /* index of the digit before the point */

static char *CrtPutFixed(char *Out, const char *Digits, int Precision, BOOL Alternate)
{
    int i = CrtFirstDigit(Digits);

    if (i > UNITS_DIGIT)
    {
        i = UNITS_DIGIT;
    }
    for (; i <= UNITS_DIGIT; i++)
    {
        *Out++ = Digits[i];
    }
    if (Precision > 0 || Alternate)
    {
        *Out++ = '.';
    }
    for (int p = 0; p < Precision; p++)
    {
        *Out++ = Digits[UNITS_DIGIT + 1 + p];
    }
    return Out;
}

static char *CrtPutScientific(char *Out, const char *Digits, int First, int Precision, BOOL Alternate, char Letter)
{
    int exponent = First < DIGITS ? UNITS_DIGIT - First : 0;
    int start = First < DIGITS ? First : UNITS_DIGIT;

    *Out++ = Digits[start];
    if (Precision > 0 || Alternate)
    {
        *Out++ = '.';
    }
    for (int p = 1; p <= Precision; p++)
    {
        *Out++ = start + p < DIGITS ? Digits[start + p] : '0';
    }
    *Out++ = Letter;
    *Out++ = exponent < 0 ? '-' : '+';
    exponent = exponent < 0 ? -exponent : exponent;
    *Out++ = (char)('0' + exponent / 100); /* msvcrt always writes three digits */
    *Out++ = (char)('0' + exponent / 10 % 10);
    *Out++ = (char)('0' + exponent % 10);
    return Out;
}

static char *CrtTrimZeros(char *Begin, char *End)
{
    char *point = Begin;

    while (point < End && *point != '.')
    {
        point++;
    }
    if (point == End)
    {
        return End;
    }
    while (End > point && (End[-1] == '0' || End[-1] == '.'))
    {
        if (*--End == '.')
        {
            break;
        }
    }
    return End;
}

static char *CrtPutGeneral(char *Out, char *Digits, int Precision, BOOL Alternate, char Letter)
{
    char *begin = Out;
    int first = CrtFirstDigit(Digits);
    int exponent;

    Precision = Precision == 0 ? 1 : Precision;
    CrtRound(Digits, first + Precision);
    first = CrtFirstDigit(Digits);
    exponent = first < DIGITS ? UNITS_DIGIT - first : 0;
    if (exponent >= -4 && exponent < Precision)
    {
        Out = CrtPutFixed(Out, Digits, Precision - 1 - exponent, Alternate);
        return Alternate ? Out : CrtTrimZeros(begin, Out);
    }
    Out = CrtPutScientific(Out, Digits, first, Precision - 1, Alternate, Letter);
    if (!Alternate)
    {
        char tail[5];
        char *trimmed = CrtTrimZeros(begin, Out - 5);
        CopyMemory(tail, Out - 5, 5);
        CopyMemory(trimmed, tail, 5);
        Out = trimmed + 5;
    }
    return Out;
}

/* Buffer must hold 512 bytes; Precision is at most 150. Returns the length. */
int CrtFormatDouble(double Value, char Conversion, int Precision, BOOL Alternate, char *Buffer, size_t Size)
{
    union
    {
        double Value;
        unsigned long long Bits;
    } u = {Value};
    unsigned long long mantissa = u.Bits & 0xFFFFFFFFFFFFFULL;
    int exponent = (int)(u.Bits >> 52) & 0x7FF;
    char *digits, *out = Buffer;

    if (Size < 512 || (digits = malloc(DIGITS)) == NULL)
    {
        Buffer[0] = 0;
        return 0;
    }
    if (u.Bits >> 63)
    {
        *out++ = '-';
    }
    if (exponent == 0x7FF)
    {
        CopyMemory(out, mantissa == 0 ? "inf" : "nan", 4);
        free(digits);
        return (int)strlen(Buffer);
    }
    CrtExpand(exponent != 0 ? mantissa | (1ULL << 52) : mantissa, (exponent != 0 ? exponent : 1) - 1075, digits);
    switch (Conversion)
    {
    case 'e':
    case 'E':
        CrtRound(digits, CrtFirstDigit(digits) + Precision + 1);
        out = CrtPutScientific(out, digits, CrtFirstDigit(digits), Precision, Alternate, Conversion);
        break;
    case 'g':
    case 'G':
        out = CrtPutGeneral(out, digits, Precision, Alternate, Conversion == 'g' ? 'e' : 'E');
        break;
    default:
        CrtRound(digits, UNITS_DIGIT + 1 + Precision);
        out = CrtPutFixed(out, digits, Precision, Alternate);
        break;
    }
    *out = 0;
    free(digits);
    return (int)(out - Buffer);
}

/*
 * Text to double through the 80-bit format: right to the last bit for up to 19 digits and moderate exponents, and within
 * one unit in the last place beyond.
 */
double strtod(const char *Text, char **End)
{
    const char *p = Text;
    long double value = 0;
    int scale = 0;
    BOOL negative, any = FALSE;

    while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
    {
        p++;
    }
    negative = *p == '-';
    if (*p == '-' || *p == '+')
    {
        p++;
    }
    for (; *p >= '0' && *p <= '9'; p++, any = TRUE)
    {
        value = value * 10 + (*p - '0');
    }
    if (*p == '.')
    {
        for (p++; *p >= '0' && *p <= '9'; p++, any = TRUE)
        {
            value = value * 10 + (*p - '0');
            scale--;
        }
    }
    if (!any)
    {
        p = Text;
    }
    else if (*p == 'e' || *p == 'E')
    {
        const char *q = p + 1;
        BOOL minus = *q == '-';
        int exponent = 0;
        if (*q == '-' || *q == '+')
        {
            q++;
        }
        if (*q >= '0' && *q <= '9')
        {
            for (; *q >= '0' && *q <= '9'; q++)
            {
                exponent = exponent < 10000 ? exponent * 10 + (*q - '0') : exponent;
            }
            scale += minus ? -exponent : exponent;
            p = q;
        }
    }
    if (End != NULL)
    {
        *End = (char *)p;
    }
    for (long double power = 10; scale != 0 && value != 0; scale /= 2, power *= power)
    {
        if (scale % 2 != 0)
        {
            value = scale > 0 ? value * power : value / power;
        }
    }
    return (double)(negative ? -value : value);
}

double atof(const char *Text)
{
    return strtod(Text, NULL);
}
