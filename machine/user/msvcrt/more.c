/* SPDX-License-Identifier: MIT */
/* Small functions that programs expect beside the large ones: times as text, wide numbers, collation, processes. */
#include "crt.h"

struct tm *_gmtime64(const long long *Time);
size_t strftime(char *Buffer, size_t Size, const char *Format, const struct tm *Tm);
long long _strtoi64(const char *Text, char **End, int Base);

/* ---- time ---- */

/* "Sat Nov 28 06:36:30 2026\n" in a buffer of the thread's. */
char *asctime(const struct tm *Tm)
{
    CRT_THREAD *thread = CrtThread();

    if (thread->TimeText == NULL && (thread->TimeText = malloc(32)) == NULL)
    {
        return NULL;
    }
    return strftime(thread->TimeText, 32, "%a %b %d %H:%M:%S %Y\n", Tm) != 0 ? thread->TimeText : NULL;
}

char *_ctime64(const long long *Time)
{
    struct tm *tm = _gmtime64(Time); /* the machine's zone is UTC */

    return tm != NULL ? asctime(tm) : NULL;
}

double _difftime64(long long Later, long long Earlier)
{
    return (double)(Later - Earlier);
}

struct _CRT_TIMEB
{
    long long time;
    unsigned short millitm;
    short timezone, dstflag;
};

void _ftime64(struct _CRT_TIMEB *Time)
{
    FILETIME now;
    unsigned long long ticks;

    GetSystemTimeAsFileTime(&now);
    ticks = ((unsigned long long)now.dwHighDateTime << 32 | now.dwLowDateTime) - 116444736000000000ULL;
    Time->time = (long long)(ticks / 10000000);
    Time->millitm = (unsigned short)(ticks / 10000 % 1000);
    Time->timezone = 0;
    Time->dstflag = 0;
}

/* By way of strftime: the format and the result are UTF-8 in between. */
size_t wcsftime(WCHAR *Buffer, size_t Size, const WCHAR *Format, const struct tm *Tm)
{
    int bytes = WideCharToMultiByte(CP_ACP, 0, Format, -1, NULL, 0, NULL, NULL);
    size_t room = Size < 0x10000 ? Size * 3 + 1 : 0x30000;
    char *format = malloc((size_t)bytes), *text = malloc(room);
    size_t length = 0;

    if (format != NULL && text != NULL && Size != 0)
    {
        WideCharToMultiByte(CP_ACP, 0, Format, -1, format, bytes, NULL, NULL);
        length = strftime(text, room, format, Tm);
        length = length == 0 ? 0 : (size_t)MultiByteToWideChar(CP_ACP, 0, text, (int)length, Buffer, (int)Size - 1);
        Buffer[length] = 0;
    }
    free(format);
    free(text);
    return length;
}

/* ---- numbers ---- */

/* A 64-bit number; out of range the nearest and ERANGE. */
long long _strtoi64(const char *Text, char **End, int Base)
{
    unsigned long long _strtoui64(const char *, char **, int);
    const char *p = Text;
    BOOL negative;
    unsigned long long value, limit;

    while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
    {
        p++;
    }
    negative = *p == '-';
    limit = negative ? 1ULL << 63 : (1ULL << 63) - 1;
    value = _strtoui64(Text, End, Base);
    value = negative && value != ~0ULL ? 0 - value : value;
    if (value > limit)
    {
        errno = ERANGE;
        value = limit;
    }
    return negative ? (long long)(0 - value) : (long long)value;
}

long long _atoi64(const char *Text)
{
    return _strtoi64(Text, NULL, 10);
}

/* Digits of a number, written backwards into 65 units and copied: the widest is 64 binary digits and a sign. */
#define CRT_DIGITS(Unit, name)                                                                                         \
    static Unit *name(unsigned long long Value, BOOL Negative, Unit *Text, int Base)                                   \
    {                                                                                                                  \
        Unit digits[66];                                                                                               \
        int at = 65;                                                                                                   \
        Value = Negative ? 0 - Value : Value;                                                                          \
        digits[at] = 0;                                                                                                \
        do                                                                                                             \
        {                                                                                                              \
            digits[--at] = (Unit)"0123456789abcdefghijklmnopqrstuvwxyz"[Value % (unsigned)Base];                       \
            Value /= (unsigned)Base;                                                                                   \
        } while (Value != 0);                                                                                          \
        if (Negative)                                                                                                  \
        {                                                                                                              \
            digits[--at] = '-';                                                                                        \
        }                                                                                                              \
        CopyMemory(Text, digits + at, (size_t)(66 - at) * sizeof(Unit));                                               \
        return Text;                                                                                                   \
    }
CRT_DIGITS(char, CrtDigits)
CRT_DIGITS(WCHAR, CrtDigitsWide)

/* A minus only in base 10, as msvcrt does; other bases show the bits. Base is 2 to 36. */
#define CRT_TO_TEXT(Unit, name, digits, Type, Unsigned)                                                                \
    Unit *name(Type Value, Unit *Text, int Base)                                                                       \
    {                                                                                                                  \
        BOOL negative = Base == 10 && Value < (Type)1 && Value != 0;                                                   \
        return digits(negative ? (unsigned long long)(long long)Value : (Unsigned)Value, negative, Text, Base);        \
    }
CRT_TO_TEXT(char, _ltoa, CrtDigits, long, unsigned long)
CRT_TO_TEXT(char, _ultoa, CrtDigits, unsigned long, unsigned long)
CRT_TO_TEXT(char, _i64toa, CrtDigits, long long, unsigned long long)
CRT_TO_TEXT(char, _ui64toa, CrtDigits, unsigned long long, unsigned long long)
CRT_TO_TEXT(WCHAR, _ltow, CrtDigitsWide, long, unsigned long)
CRT_TO_TEXT(WCHAR, _ultow, CrtDigitsWide, unsigned long, unsigned long)
CRT_TO_TEXT(WCHAR, _i64tow, CrtDigitsWide, long long, unsigned long long)
CRT_TO_TEXT(WCHAR, _ui64tow, CrtDigitsWide, unsigned long long, unsigned long long)

/* ---- single characters: in the C locale a byte is a character ---- */

int mbtowc(WCHAR *Wide, const char *Text, size_t Count)
{
    if (Text == NULL || Count == 0)
    {
        return Text == NULL ? 0 : -1;
    }
    if (Wide != NULL)
    {
        *Wide = (unsigned char)*Text;
    }
    return *Text != 0;
}

int wctomb(char *Text, WCHAR Wide)
{
    if (Text == NULL)
    {
        return 0;
    }
    if (Wide > 0xFF)
    {
        errno = EILSEQ;
        return -1;
    }
    *Text = (char)Wide;
    return 1;
}

/* The characters of numbers are ASCII, so a wide one is read through a narrow copy. */
double wcstod(const WCHAR *Text, WCHAR **End)
{
    const WCHAR *start = Text;
    size_t length = 0;
    char *narrow, *end;
    double value = 0;

    while (*start == L' ' || (*start >= L'\t' && *start <= L'\r'))
    {
        start++;
    }
    while (start[length] > 0x20 && start[length] < 0x7F)
    {
        length++;
    }
    narrow = malloc(length + 1);
    if (narrow == NULL)
    {
        return 0;
    }
    for (size_t i = 0; i < length; i++)
    {
        narrow[i] = (char)start[i];
    }
    narrow[length] = 0;
    value = strtod(narrow, &end);
    if (End != NULL)
    {
        *End = (WCHAR *)(end == narrow ? Text : start + (end - narrow));
    }
    free(narrow);
    return value;
}

double _wtof(const WCHAR *Text)
{
    return wcstod(Text, NULL);
}

/* ---- collation: in the C locale, by code units ---- */

size_t strxfrm(char *Target, const char *Source, size_t Room)
{
    size_t length = strlen(Source);

    if (length < Room)
    {
        CopyMemory(Target, Source, length + 1);
    }
    return length;
}

size_t wcsxfrm(WCHAR *Target, const WCHAR *Source, size_t Room)
{
    size_t length = wcslen(Source);

    if (length < Room)
    {
        CopyMemory(Target, Source, (length + 1) * sizeof(WCHAR));
    }
    return length;
}

/* ---- processes ---- */

int _getpid(void)
{
    return (int)GetCurrentProcessId();
}

/* There is no command interpreter on the machine, and system says so. */
int system(const char *Command)
{
    if (Command != NULL)
    {
        errno = ENOENT;
        return -1;
    }
    return 0;
}
