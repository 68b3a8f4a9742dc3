/* SPDX-License-Identifier: MIT */
/*
 * The functions of <math.h> that programs import: those mingw-w64 leaves to msvcrt, and those that other compilers call.
 *
 * They are computed with the x87 instructions, whose 64-bit significand leaves 11 bits beyond a double's, and rounded
 * once at the end: the error stays within one unit in the last place. Windows starts threads with the precision control
 * at 53 bits, so CrtEnter and CrtLeave set it to 64 for what lies between them. Special values follow C's Annex F; domain and
 * range errors set errno as msvcrt does. (Intel SDM volume 1, 8.3 and 8.7, tells ranges and results of the instructions.)
 */
#include "crt.h"

typedef long double WIDE;

double frexp(double x, int *Exponent);

#define CRT_LN2     0.693147180559945309417232121458176568L
#define CRT_LOG10_2 0.301029995663981195213738894724493027L

static BOOL CrtIsNan(double x)
{
    return x != x;
}

static BOOL CrtIsInfinite(double x)
{
    return __builtin_fabs(x) == __builtin_inf();
}

/* Notes a result that has no value (a NaN from what was a number). */
static double CrtDomain(double Result)
{
    errno = EDOM;
    return Result;
}

/* Notes an overflow: an infinity out of finite arguments. */
static double CrtCheckRange(double Argument, double Result)
{
    if (CrtIsInfinite(Result) && !CrtIsInfinite(Argument) && !CrtIsNan(Argument))
    {
        errno = ERANGE;
    }
    return Result;
}

/* ---- the instructions ---- */

/* Begins a computation in 64-bit precision. The value goes through the instruction, so that no use of it comes before. */
static WIDE CrtEnter(double x, unsigned short *Old)
{
    WIDE value = x;
    unsigned short control;
    __asm__ volatile("fnstcw %0" : "=m"(*Old));
    control = *Old | 0x300;
    __asm__ volatile("fldcw %1" : "+t"(value) : "m"(control));
    return value;
}

/* Ends it, and rounds. */
static double CrtLeave(WIDE Value, unsigned short Old)
{
    __asm__ volatile("fldcw %1" : "+t"(Value) : "m"(Old));
    return (double)Value;
}

static WIDE CrtAtan2Wide(WIDE y, WIDE x)
{
    WIDE result;
    __asm__("fpatan" : "=t"(result) : "0"(x), "u"(y) : "st(1)");
    return result;
}

/* y * log2(x), x > 0 */
static WIDE CrtLog2Times(WIDE x, WIDE y)
{
    WIDE result;
    __asm__("fyl2x" : "=t"(result) : "0"(x), "u"(y) : "st(1)");
    return result;
}

static WIDE CrtRoundWide(WIDE x)
{
    __asm__("frndint" : "+t"(x));
    return x;
}

static WIDE CrtSqrtWide(WIDE x)
{
    __asm__("fsqrt" : "+t"(x));
    return x;
}

static WIDE CrtScaleWide(WIDE x, WIDE Exponent)
{
    __asm__("fscale" : "+t"(x) : "u"(Exponent));
    return x;
}

/* 2^x - 1, |x| <= 1 */
static WIDE CrtExp2Minus1(WIDE x)
{
    __asm__("f2xm1" : "+t"(x));
    return x;
}

/* 2^x; x within the exponent range of an 80-bit number */
static WIDE CrtExp2Wide(WIDE x)
{
    WIDE whole = CrtRoundWide(x);
    return CrtScaleWide(CrtExp2Minus1(x - whole) + 1, whole);
}

/* e^x in two parts of log2(e), so that the product keeps its low bits. |x| <= 11000 */
static WIDE CrtExpWide(WIDE x)
{
    const WIDE high = 1.4426950407214462757110595703125L; /* log2(e), its first 32 bits */
    const WIDE low = 1.675171316223821974e-10L;           /* and the rest */
    WIDE whole = CrtRoundWide(x * high);
    WIDE rest = (x * high - whole) + x * low;
    return CrtScaleWide(CrtExp2Wide(rest), whole);
}

/* Brings an argument of sin and kin into the range of the instructions, |x| < 2^63: by the remainder of 2 pi. */
static WIDE CrtReduce(double x)
{
    const WIDE turn = 6.283185307179586476925286766559005768L;
    WIDE value = x;
    if (__builtin_fabs(x) >= 9.0e18 && !CrtIsInfinite(x)) /* of an infinity no remainder comes to an end */
    {
        unsigned short status;
        do
        {
            __asm__("fprem1\n\tfnstsw %1" : "+t"(value), "=a"(status) : "u"(turn));
        } while (status & 0x400); /* C2: the reduction is not complete */
    }
    return value;
}

/* ---- circular ---- */

double sin(double x)
{
    WIDE value = CrtReduce(x);
    if (CrtIsInfinite(x))
    {
        return CrtDomain(__builtin_nan(""));
    }
    __asm__("fsin" : "+t"(value));
    return (double)value;
}

double cos(double x)
{
    WIDE value = CrtReduce(x);
    if (CrtIsInfinite(x))
    {
        return CrtDomain(__builtin_nan(""));
    }
    __asm__("fcos" : "+t"(value));
    return (double)value;
}

double tan(double x)
{
    WIDE value = CrtReduce(x), one;
    if (CrtIsInfinite(x))
    {
        return CrtDomain(__builtin_nan(""));
    }
    __asm__("fptan" : "=t"(one), "=u"(value) : "0"(value));
    return (double)value;
}

double atan(double x)
{
    return (double)CrtAtan2Wide(x, 1);
}

double atan2(double y, double x)
{
    return (double)CrtAtan2Wide(y, x);
}

double asin(double x)
{
    if (x < -1 || x > 1)
    {
        return CrtDomain(__builtin_nan(""));
    }
    unsigned short old;
    WIDE wide = CrtEnter(x, &old);
    return CrtLeave(CrtAtan2Wide(wide, CrtSqrtWide((1 - wide) * (1 + wide))), old);
}

double acos(double x)
{
    if (x < -1 || x > 1)
    {
        return CrtDomain(__builtin_nan(""));
    }
    unsigned short old;
    WIDE wide = CrtEnter(x, &old);
    return CrtLeave(CrtAtan2Wide(CrtSqrtWide((1 - wide) * (1 + wide)), wide), old);
}

/* ---- exponentials, logarithms, powers ---- */

double exp(double x)
{
    if (CrtIsNan(x) || CrtIsInfinite(x))
    {
        return x < 0 ? 0 : x;
    }
    if (x > 11000 || x < -11000)
    {
        return x > 0 ? CrtCheckRange(x, __builtin_inf()) : 0;
    }
    unsigned short old;
    WIDE wide = CrtEnter(x, &old);
    return CrtCheckRange(x, CrtLeave(CrtExpWide(wide), old));
}

/* log(x) times Factor / log 2 */
static double CrtLogarithm(double x, WIDE Factor)
{
    if (x == 0)
    {
        errno = ERANGE;
        return -__builtin_inf();
    }
    if (x < 0)
    {
        return CrtDomain(__builtin_nan(""));
    }
    return CrtIsNan(x) || CrtIsInfinite(x) ? x : (double)CrtLog2Times(x, Factor);
}

double log(double x)
{
    return CrtLogarithm(x, CRT_LN2);
}

double log10(double x)
{
    return CrtLogarithm(x, CRT_LOG10_2);
}

double sqrt(double x)
{
    if (x < 0)
    {
        return CrtDomain(__builtin_nan(""));
    }
    __asm__("sqrtsd %0, %0" : "+x"(x));
    return x;
}

double fabs(double x)
{
    return __builtin_fabs(x);
}

static BOOL CrtIsWhole(double x)
{
    return __builtin_fabs(x) >= 4503599627370496.0 || (double)(long long)x == x;
}

static BOOL CrtIsOdd(double x)
{
    return CrtIsWhole(x) && __builtin_fabs(x) < 9007199254740992.0 && ((long long)x & 1) != 0;
}

/* pow where an argument is 0, infinite or no number, but not both of y = 0 and x = 1 (answered before). */
static double CrtPowerSpecial(double x, double y)
{
    double magnitude = __builtin_fabs(x);
    if (CrtIsNan(x) || CrtIsNan(y))
    {
        return x + y;
    }
    if (CrtIsInfinite(y))
    {
        return magnitude == 1 ? 1 : (magnitude > 1) == (y > 0) ? __builtin_inf() : 0;
    }
    double result = (x == 0) == (y > 0) ? 0 : __builtin_inf();
    if (x == 0 && y < 0)
    {
        errno = ERANGE;
    }
    return __builtin_signbit(x) && CrtIsOdd(y) ? -result : result;
}

double pow(double x, double y)
{
    if (y == 0 || x == 1)
    {
        return 1;
    }
    if (x == 0 || CrtIsNan(x) || CrtIsNan(y) || CrtIsInfinite(x) || CrtIsInfinite(y))
    {
        return CrtPowerSpecial(x, y);
    }
    if (x < 0 && !CrtIsWhole(y))
    {
        return CrtDomain(__builtin_nan(""));
    }
    int exponent;
    unsigned short old;
    double fraction = frexp(__builtin_fabs(x), &exponent);
    if (fraction < 0.7071)
    {
        fraction *= 2;
        exponent--;
    }
    WIDE mantissa = CrtEnter(fraction, &old);
    /* log2(x) as e + log2(m), x = m * 2^e and m around 1, so that the products with y keep their low bits. */
    WIDE whole = exponent * (WIDE)y;
    WIDE part = CrtLog2Times(mantissa, 1) * y;
    WIDE steps = CrtRoundWide(whole + part);
    steps = steps > 16000 ? 16000 : steps < -16000 ? -16000 : steps; /* far outside a double, inside an 80-bit number */
    WIDE rest = (whole - steps) + part;
    rest = rest > 1 ? 1 : rest < -1 ? -1 : rest;
    double result = CrtCheckRange(x, CrtLeave(CrtScaleWide(CrtExp2Wide(rest), steps), old));
    return x < 0 && CrtIsOdd(y) ? -result : result;
}

/* ---- hyperbolic ---- */

/* e^x - 1 for |x| < 0.34, where the subtraction would lose bits. */
static WIDE CrtExpMinus1(WIDE x)
{
    return CrtExp2Minus1(x * 1.442695040888963407359924681001892137L);
}

double sinh(double x)
{
    if (CrtIsNan(x) || CrtIsInfinite(x) || x == 0)
    {
        return x;
    }
    if (__builtin_fabs(x) > 11000)
    {
        return CrtCheckRange(x, x > 0 ? __builtin_inf() : -__builtin_inf());
    }
    unsigned short old;
    WIDE wide = CrtEnter(x, &old);
    WIDE e = __builtin_fabs(x) < 0.3 ? CrtExpMinus1(wide) : CrtExpWide(wide) - 1;
    return CrtCheckRange(x, CrtLeave((e + e / (e + 1)) / 2, old));
}

double cosh(double x)
{
    if (CrtIsNan(x) || __builtin_fabs(x) > 11000)
    {
        return CrtCheckRange(x, x * x);
    }
    unsigned short old;
    WIDE e = CrtExpWide(CrtEnter(x, &old));
    return CrtCheckRange(x, CrtLeave((e + 1 / e) / 2, old));
}

double tanh(double x)
{
    if (CrtIsNan(x) || x == 0)
    {
        return x;
    }
    if (__builtin_fabs(x) > 40)
    {
        return x > 0 ? 1 : -1;
    }
    unsigned short old;
    WIDE twice = 2 * CrtEnter(x, &old);
    WIDE e = __builtin_fabs(x) < 0.15 ? CrtExpMinus1(twice) : CrtExpWide(twice) - 1;
    return CrtLeave(e / (e + 2), old);
}

double _hypot(double x, double y)
{
    if (CrtIsInfinite(x) || CrtIsInfinite(y))
    {
        return __builtin_inf();
    }
    unsigned short old;
    WIDE wide = CrtEnter(x, &old), other = y;
    return CrtCheckRange(x, CrtLeave(CrtSqrtWide(wide * wide + other * other), old));
}

/* ---- parts of a number ---- */

static double CrtToward(double x, unsigned short Rounding)
{
    unsigned short old, control;
    WIDE value = x;
    __asm__ volatile("fnstcw %0" : "=m"(old));
    control = (unsigned short)((old & ~0xC00) | Rounding);
    __asm__ volatile("fldcw %1\n\tfrndint\n\tfldcw %2" : "+t"(value) : "m"(control), "m"(old));
    return (double)value;
}

double floor(double x)
{
    return CrtToward(x, 0x400);
}

double ceil(double x)
{
    return CrtToward(x, 0x800);
}

double modf(double x, double *Whole)
{
    *Whole = CrtToward(x, 0xC00);
    return CrtIsInfinite(x) ? __builtin_copysign(0, x) : __builtin_copysign(x - *Whole, x);
}

double fmod(double x, double y)
{
    WIDE value = x, divisor = y;
    unsigned short status;
    if (CrtIsNan(x) || CrtIsNan(y))
    {
        return x + y;
    }
    if (CrtIsInfinite(x) || y == 0)
    {
        return CrtDomain(__builtin_nan(""));
    }
    if (CrtIsInfinite(y))
    {
        return x;
    }
    do
    {
        __asm__("fprem\n\tfnstsw %1" : "+t"(value), "=a"(status) : "u"(divisor));
    } while (status & 0x400); /* C2: more to do */
    return (double)value;
}

double frexp(double x, int *Exponent)
{
    WIDE value = x, exponent;
    *Exponent = 0;
    if (x == 0 || CrtIsNan(x) || CrtIsInfinite(x))
    {
        return x;
    }
    __asm__("fxtract" : "=t"(value), "=u"(exponent) : "0"(value));
    *Exponent = (int)exponent + 1;
    return (double)(value / 2);
}

double ldexp(double x, int Exponent)
{
    int limited = Exponent > 5000 ? 5000 : Exponent < -5000 ? -5000 : Exponent;
    return CrtCheckRange(x, (double)CrtScaleWide(x, limited));
}

/* ---- the same for float ---- */

#define CRT_FLOAT(name)                                                                                                \
    float name##f(float x)                                                                                             \
    {                                                                                                                  \
        return (float)name(x);                                                                                         \
    }
CRT_FLOAT(sin)
CRT_FLOAT(cos)
CRT_FLOAT(tan)
CRT_FLOAT(asin)
CRT_FLOAT(acos)
CRT_FLOAT(atan)
CRT_FLOAT(sinh)
CRT_FLOAT(cosh)
CRT_FLOAT(tanh)
CRT_FLOAT(exp)
CRT_FLOAT(log)
CRT_FLOAT(log10)
CRT_FLOAT(sqrt)
CRT_FLOAT(floor)
CRT_FLOAT(ceil)

float atan2f(float y, float x)
{
    return (float)atan2(y, x);
}

float powf(float x, float y)
{
    return (float)pow(x, y);
}

float fmodf(float x, float y)
{
    return (float)fmod(x, y);
}

float modff(float x, float *Whole)
{
    double whole;
    float rest = (float)modf(x, &whole);
    *Whole = (float)whole;
    return rest;
}

int _finite(double x)
{
    return !CrtIsNan(x) && !CrtIsInfinite(x);
}

int _isnan(double x)
{
    return CrtIsNan(x);
}

typedef struct _CRT_DIV
{
    int quot, rem;
} CRT_DIV;

CRT_DIV div(int Number, int Divisor)
{
    CRT_DIV result = {Number / Divisor, Number % Divisor};
    return result;
}

CRT_DIV ldiv(long Number, long Divisor)
{
    return div(Number, Divisor);
}
