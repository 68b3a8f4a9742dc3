/* SPDX-License-Identifier: MIT */
/*
 * The C run-time beyond what the other tests use: mathematics against what the compiler computes exactly at compile time,
 * the _s functions at their borders, directories, times, duplicated files. Built as any mingw-w64 program is.
 */
#define MINGW_HAS_SECURE_API 1
#include <conio.h>
#include <direct.h>
#include <errno.h>
#include <float.h>
#include <io.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timeb.h>
#include <time.h>
#include <wchar.h>
#include <windows.h>
#include "check.h"

/* msvcrt's own, whatever mingw-w64's library has of the same name. */
static double (*Imported(const char *Name))(double)
{
    return (double (*)(double))(void *)GetProcAddress(GetModuleHandleA("msvcrt.dll"), Name);
}

static double (*ImportedPair(const char *Name))(double, double)
{
    return (double (*)(double, double))(void *)GetProcAddress(GetModuleHandleA("msvcrt.dll"), Name);
}

/* Distance in units of the last place; 0 also for two NaNs. */
static long long Units(double A, double B)
{
    long long a, b;
    if (A != A && B != B)
    {
        return 0;
    }
    memcpy(&a, &A, 8);
    memcpy(&b, &B, 8);
    a = a < 0 ? (long long)(0x8000000000000000ULL - (unsigned long long)a) : a;
    b = b < 0 ? (long long)(0x8000000000000000ULL - (unsigned long long)b) : b;
    return a > b ? a - b : b - a;
}

static long long Worst;

static void Compare(const char *Name, double x, double Got, double Expected)
{
    long long units = Units(Got, Expected);
    Worst = units > Worst ? units : Worst;
    if (units > 1)
    {
        printf("%s(%.17g) = %.17g, must be %.17g\n", Name, x, Got, Expected);
    }
    CHECK(units <= 1);
}

/* gcc folds f(constant) with MPFR, correctly rounded; the imported function is called at run time. */
#define TRY(f, x) Compare(#f, x, Imported(#f)(x), __builtin_##f(x))
#define TRY_ALL(f) TRY(f, 0.5); TRY(f, 0.001); TRY(f, 0.9999); TRY(f, 1e-9); TRY(f, 0.70710678)
#define TRY_WIDE(f) TRY_ALL(f); TRY(f, -0.25); TRY(f, 2.5); TRY(f, -7.75); TRY(f, 33.3)
#define TRY_FAR(f) TRY_WIDE(f); TRY(f, 1e5); TRY(f, -12345.678); TRY(f, 1e10)
#define TRY_PAIR(f, x, y) Compare(#f, x, ImportedPair(#f)(x, y), __builtin_##f(x, y))

static void Mathematics(void)
{
    TRY_WIDE(sin); TRY_WIDE(cos); TRY_WIDE(tan); TRY_FAR(atan); TRY_ALL(asin); TRY_ALL(acos);
    TRY_WIDE(exp); TRY(exp, 700.5); TRY(exp, -700.5); TRY(exp, -744.0);
    TRY_WIDE(sinh); TRY_WIDE(cosh); TRY_WIDE(tanh); TRY(sinh, 709.0);
    TRY_ALL(log); TRY(log, 1e300); TRY(log, 5e-324); TRY_ALL(log10); TRY(log10, 1000.0); TRY(log10, 1e-300);
    TRY_ALL(sqrt); TRY_FAR(floor); TRY_FAR(ceil); TRY_FAR(fabs);
    TRY_PAIR(pow, 2.0, 0.5); TRY_PAIR(pow, 10.0, 300.0); TRY_PAIR(pow, 1.0000001, 1e9); TRY_PAIR(pow, -3.0, 5.0);
    TRY_PAIR(pow, 0.1, -307.5); TRY_PAIR(pow, 1.5, 1700.0); TRY_PAIR(fmod, 1e300, 3.7); TRY_PAIR(fmod, -7.5, 2.0);
    TRY_PAIR(atan2, 1.0, -1.0); TRY_PAIR(atan2, -0.5, 3.0); TRY_PAIR(pow, 2.0, -1060.0);
    double zero = 0, inf = 1 / zero;
    double (*power)(double, double) = ImportedPair("pow");
    CHECK(power(0, 0) == 1 && power(zero, -1) == inf && power(-zero, -3) == -inf && power(inf, -1) == 0);
    CHECK(power(-1, inf) == 1 && power(0.5, inf) == 0 && power(0.5, -inf) == inf && isnan(power(-2, 0.5)));
    errno = 0;
    CHECK(Imported("exp")(1000) == inf && errno == ERANGE);
    errno = 0;
    CHECK(isnan(Imported("acos")(2)) && errno == EDOM);
    CHECK(isnan(Imported("sin")(inf)) && Imported("tanh")(inf) == 1 && Imported("exp")(-inf) == 0);
    int exponent;
    double whole;
    CHECK(frexp(-24.0, &exponent) == -0.75 && exponent == 5 && ldexp(0.75, 5) == 24 && ldexp(1, 3000) == inf);
    CHECK(modf(-3.25, &whole) == -0.25 && whole == -3 && div(-7, 2).rem == -1 && _finite(1) && !_finite(inf));
    printf("mathematics: worst error %lld units in the last place\n", Worst);
}

/* 53 bits is the precision Windows starts threads with: the functions must not depend on it, and leave it as it is. */
static DWORD WINAPI Thread53(void *Context)
{
    unsigned short precision53 = 0x27F, after;
    (void)Context;
    __asm__ volatile("fldcw %0" : : "m"(precision53));
    Mathematics();
    __asm__ volatile("fnstcw %0" : "=m"(after));
    CHECK(after == precision53);
    return 0;
}

static void SecureStrings(void)
{
    char b[8];
    wchar_t w[8];
    char *next = NULL;
    size_t n;
    CHECK(strcpy_s(b, 8, "1234567") == 0 && strcmp(b, "1234567") == 0);
    CHECK(strcpy_s(b, 8, "12345678") == ERANGE && b[0] == 0);
    CHECK(strcpy_s(b, 0, "x") == EINVAL && strcpy_s(NULL, 8, "x") == EINVAL && strcpy_s(b, 8, NULL) == EINVAL);
    CHECK(strncpy_s(b, 8, "abcdefgh", 3) == 0 && strcmp(b, "abc") == 0);
    CHECK(strncpy_s(b, 8, "12345678", _TRUNCATE) == STRUNCATE && strcmp(b, "1234567") == 0);
    CHECK(strcpy_s(b, 8, "abc") == 0 && strcat_s(b, 8, "defg") == 0 && strcmp(b, "abcdefg") == 0);
    CHECK(strcat_s(b, 8, "h") == ERANGE && b[0] == 0);
    CHECK(wcscpy_s(w, 8, L"abc") == 0 && wcscat_s(w, 8, L"defg") == 0 && wcscmp(w, L"abcdefg") == 0);
    CHECK(sprintf_s(b, 8, "%d", 1234567) == 7 && sprintf_s(b, 8, "%d", 12345678) == -1 && b[0] == 0);
    CHECK(_snprintf_s(b, 8, 3, "%s", "abcdef") == -1 && strcmp(b, "abc") == 0);
    CHECK(_snprintf_s(b, 8, _TRUNCATE, "%s", "1234567890") == -1 && strcmp(b, "1234567") == 0);
    char text[] = ",,one,two,,three";
    CHECK(strcmp(strtok_s(text, ",", &next), "one") == 0 && strcmp(strtok_s(NULL, ",", &next), "two") == 0);
    CHECK(strcmp(strtok_s(NULL, ",", &next), "three") == 0 && strtok_s(NULL, ",", &next) == NULL);
    CHECK(memcpy_s(b, 8, "123456789", 9) == ERANGE && b[0] == 0 && memmove_s(b, 8, "xy", 3) == 0);
    CHECK(mbstowcs_s(&n, w, 8, "gr\xC3\xBC\xC3\x9F", _TRUNCATE) == 0 && n == 5 && w[2] == 0xFC);
    CHECK(wcstombs_s(&n, b, 8, w, _TRUNCATE) == 0 && n == 7 && strcmp(b, "gr\xC3\xBC\xC3\x9F") == 0);
    CHECK(strerror_s(b, 8, ENOENT) == 0 && strcmp(b, "No such") == 0);
    CHECK(_strtoi64("-9223372036854775808", NULL, 10) == LLONG_MIN);
    CHECK(_strtoi64("9223372036854775808", NULL, 10) == LLONG_MAX && wcstod(L" -1.5e3x", NULL) == -1500);
    char digits[72];
    wchar_t wide[72];
    CHECK(strcmp(_ltoa(-1234, digits, 10), "-1234") == 0 && strcmp(_ltoa(-1, digits, 16), "ffffffff") == 0);
    CHECK(strcmp(_ultoa(4294967295u, digits, 36), "1z141z3") == 0 && _atoi64(" -77x") == -77);
    CHECK(strcmp(_i64toa(LLONG_MIN, digits, 10), "-9223372036854775808") == 0 && strlen(_i64toa(-1, digits, 2)) == 64);
    CHECK(wcscmp(_ui64tow(ULLONG_MAX, wide, 10), L"18446744073709551615") == 0 && wcscmp(_ltow(0, wide, 10), L"0") == 0);
    CHECK(mbtowc(w, "\xE9", 1) == 1 && w[0] == 0xE9 && wctomb(b, 0xE9) == 1 && wctomb(b, 0x20AC) == -1);
    CHECK(strcoll("a", "b") < 0 && wcscoll(L"b", L"a") > 0 && strxfrm(b, "abc", 8) == 3);
}

static void Directories(void)
{
    struct stat s;
    struct _stati64 s64;
    char path[260], name[256], extension[256], here[260];
    CHECK(_getcwd(here, sizeof(here)) != NULL && _mkdir("crt") == 0 && _mkdir("crt") == -1 && errno == EEXIST);
    CHECK(stat("crt", &s) == 0 && (s.st_mode & S_IFDIR) && stat("nowhere", &s) == -1 && errno == ENOENT);
    CHECK(_chdir("crt") == 0);
    FILE *file;
    CHECK(fopen_s(&file, "a.txt", "wb") == 0 && fputs("twelve bytes", file) == 0 && fclose(file) == 0);
    CHECK(stat("a.txt", &s) == 0 && (s.st_mode & S_IFREG) && s.st_size == 12 && s.st_mtime > 1500000000);
    CHECK(_stati64("a.txt", &s64) == 0 && s64.st_size == 12 && fopen_s(&file, "none", "r") == ENOENT);
    _splitpath("C:\\a.b\\c\\d.e.f", path, path + 4, name, extension);
    CHECK(strcmp(path, "C:") == 0 && strcmp(path + 4, "\\a.b\\c\\") == 0 && strcmp(name, "d.e") == 0 &&
          strcmp(extension, ".f") == 0);
    _makepath(path, "C", "\\x", "y", "z");
    CHECK(strcmp(path, "C:\\x\\y.z") == 0 && _fullpath(path, "a.txt", sizeof(path)) != NULL && strstr(path, "\\crt\\a.txt"));
    CHECK(_unlink("a.txt") == 0 && _chdir(here) == 0 && _rmdir("crt") == 0 && stat("crt", &s) == -1);
}

static void TimesAndFiles(void)
{
    time_t now = time(NULL), then = 1795840000;
    struct timeb b;
    wchar_t text[64];
    CHECK(strcmp(ctime(&then), "Sat Nov 28 04:26:40 2026\n") == 0 || (printf("%s", ctime(&then)), 0));
    ftime(&b);
    CHECK(b.time - now >= 0 && b.time - now < 60 && difftime(now, then) == (double)(now - then));
    CHECK(wcsftime(text, 64, L"%Y-%m-%d \x2013 %H", gmtime(&then)) == 15);
    int copy = _dup(1);
    FILE *file = fopen("dup.txt", "w+b");
    CHECK(copy > 2 && file != NULL && fflush(stdout) == 0);
    CHECK(_dup2(_fileno(file), 1) == 0 && puts("into the file") >= 0 && fflush(stdout) == 0 && _dup2(copy, 1) == 0);
    rewind(file);
    CHECK(fgetwc(file) == L'i' && ungetwc(0x20AC, file) == 0x20AC && fgetwc(file) == 0x20AC && fgetwc(file) == L'n');
    CHECK(fclose(file) == 0 && _close(copy) == 0 && _unlink("dup.txt") == 0);
    CHECK(system(NULL) == 0 && system("dir") == -1 && errno == ENOENT);
    CHECK(_getch() == EOF && _ungetch('x') == 'x' && _getch() == 'x');
}

int main(void)
{
    HANDLE thread;
    Mathematics();
    thread = CreateThread(NULL, 0, Thread53, NULL, 0, NULL);
    CHECK(thread != NULL && WaitForSingleObject(thread, INFINITE) == WAIT_OBJECT_0);
    CloseHandle(thread);
    SecureStrings();
    Directories();
    TimesAndFiles();
    return Done("u_crt");
}
