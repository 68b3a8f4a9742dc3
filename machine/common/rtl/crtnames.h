/* SPDX-License-Identifier: MIT */
/*
 * The C run time that ntoskrnl.exe and ntdll.dll export: declarations that do not depend on a C library's headers.
 *
 * Natively, in the tests, every name gets a prefix so that it lives beside the build machine's own C library.
 */
#ifndef ISTHMUS_CRTNAMES_H
#define ISTHMUS_CRTNAMES_H

#if defined(RTL_NATIVE)
#include "crtprefix.h"
#endif

#define RTLP_EINVAL 22
#define RTLP_ERANGE 34
#define RTLP_STRUNCATE 80
#define RTLP_TRUNCATE ((size_t)-1)

/* memory */
void *memcpy(void *Destination, const void *Source, size_t Length);
void *memmove(void *Destination, const void *Source, size_t Length);
void *memset(void *Destination, int Value, size_t Length);
int memcmp(const void *First, const void *Second, size_t Length);
void *memchr(const void *Buffer, int Value, size_t Length);
int memcpy_s(void *Destination, size_t Size, const void *Source, size_t Length);
int memmove_s(void *Destination, size_t Size, const void *Source, size_t Length);

/* narrow strings */
size_t strlen(const char *String);
size_t strnlen(const char *String, size_t Limit);
int strcmp(const char *First, const char *Second);
int strncmp(const char *First, const char *Second, size_t Limit);
int _stricmp(const char *First, const char *Second);
int _strnicmp(const char *First, const char *Second, size_t Limit);
char *strcpy(char *Destination, const char *Source);
char *strncpy(char *Destination, const char *Source, size_t Limit);
char *strcat(char *Destination, const char *Source);
char *strncat(char *Destination, const char *Source, size_t Limit);
char *strchr(const char *String, int Character);
char *strrchr(const char *String, int Character);
char *strstr(const char *String, const char *Part);
char *strpbrk(const char *String, const char *Set);
size_t strspn(const char *String, const char *Set);
size_t strcspn(const char *String, const char *Set);
char *_strlwr(char *String);
char *_strupr(char *String);
char *_strrev(char *String);
char *_strset(char *String, int Character);
char *_strnset(char *String, int Character, size_t Limit);
char *strtok_s(char *String, const char *Delimiters, char **Context);
int strcpy_s(char *Destination, size_t Size, const char *Source);
int strncpy_s(char *Destination, size_t Size, const char *Source, size_t Limit);
int strcat_s(char *Destination, size_t Size, const char *Source);
int strncat_s(char *Destination, size_t Size, const char *Source, size_t Limit);

/* wide strings */
size_t wcslen(const WCHAR *String);
size_t wcsnlen(const WCHAR *String, size_t Limit);
int wcscmp(const WCHAR *First, const WCHAR *Second);
int wcsncmp(const WCHAR *First, const WCHAR *Second, size_t Limit);
int _wcsicmp(const WCHAR *First, const WCHAR *Second);
int _wcsnicmp(const WCHAR *First, const WCHAR *Second, size_t Limit);
WCHAR *wcscpy(WCHAR *Destination, const WCHAR *Source);
WCHAR *wcsncpy(WCHAR *Destination, const WCHAR *Source, size_t Limit);
WCHAR *wcscat(WCHAR *Destination, const WCHAR *Source);
WCHAR *wcsncat(WCHAR *Destination, const WCHAR *Source, size_t Limit);
WCHAR *wcschr(const WCHAR *String, WCHAR Character);
WCHAR *wcsrchr(const WCHAR *String, WCHAR Character);
WCHAR *wcsstr(const WCHAR *String, const WCHAR *Part);
WCHAR *wcspbrk(const WCHAR *String, const WCHAR *Set);
size_t wcsspn(const WCHAR *String, const WCHAR *Set);
size_t wcscspn(const WCHAR *String, const WCHAR *Set);
WCHAR *_wcslwr(WCHAR *String);
WCHAR *_wcsupr(WCHAR *String);
WCHAR *_wcsrev(WCHAR *String);
WCHAR *_wcsnset(WCHAR *String, WCHAR Character, size_t Limit);
int wcscpy_s(WCHAR *Destination, size_t Size, const WCHAR *Source);
int wcsncpy_s(WCHAR *Destination, size_t Size, const WCHAR *Source, size_t Limit);
int wcscat_s(WCHAR *Destination, size_t Size, const WCHAR *Source);
int wcsncat_s(WCHAR *Destination, size_t Size, const WCHAR *Source, size_t Limit);

/* characters and numbers; int stands for C's long, which is as wide on Windows */
int isalpha(int Character);
int isalnum(int Character);
int isdigit(int Character);
int islower(int Character);
int isprint(int Character);
int isspace(int Character);
int isupper(int Character);
int isxdigit(int Character);
int tolower(int Character);
int toupper(int Character);
unsigned short towlower(unsigned short Character);
unsigned short towupper(unsigned short Character);
int atoi(const char *String);
LONG atol(const char *String);
int _wtoi(const WCHAR *String);
LONG _wtol(const WCHAR *String);
LONG strtol(const char *String, char **End, int Base);
ULONG strtoul(const char *String, char **End, int Base);
unsigned long long _strtoui64(const char *String, char **End, int Base);
LONG wcstol(const WCHAR *String, WCHAR **End, int Base);
ULONG wcstoul(const WCHAR *String, WCHAR **End, int Base);
char *_itoa(int Value, char *String, int Base);
WCHAR *_itow(int Value, WCHAR *String, int Base);
int _itoa_s(int Value, char *String, size_t Size, int Base);
int _itow_s(int Value, WCHAR *String, size_t Size, int Base);
int _ltoa_s(LONG Value, char *String, size_t Size, int Base);
int _ltow_s(LONG Value, WCHAR *String, size_t Size, int Base);
int _ultoa_s(ULONG Value, char *String, size_t Size, int Base);
int _ultow_s(ULONG Value, WCHAR *String, size_t Size, int Base);
int _i64toa_s(long long Value, char *String, size_t Size, int Base);
int _i64tow_s(long long Value, WCHAR *String, size_t Size, int Base);
int _ui64toa_s(unsigned long long Value, char *String, size_t Size, int Base);
int _ui64tow_s(unsigned long long Value, WCHAR *String, size_t Size, int Base);
int rand(void);
void srand(unsigned int Seed);
void qsort(void *Base, size_t Count, size_t Width, int (*Compare)(const void *, const void *));
void *bsearch(const void *Key, const void *Base, size_t Count, size_t Width,
              int (*Compare)(const void *, const void *));
size_t mbstowcs(WCHAR *Destination, const char *Source, size_t Limit);
size_t wcstombs(char *Destination, const WCHAR *Source, size_t Limit);
int mbtowc(WCHAR *Destination, const char *Source, size_t Limit);
int wctomb(char *Destination, WCHAR Character);

/* formatting: format.c says which formats there are */
int _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments);
int _vsnwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, va_list Arguments);
int vsprintf(char *Buffer, const char *Format, va_list Arguments);
int sprintf(char *Buffer, const char *Format, ...);
int _snprintf(char *Buffer, size_t Count, const char *Format, ...);
int swprintf(WCHAR *Buffer, const WCHAR *Format, ...);
int _swprintf(WCHAR *Buffer, const WCHAR *Format, ...);
int _vswprintf(WCHAR *Buffer, const WCHAR *Format, va_list Arguments);
int _snwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, ...);
int sprintf_s(char *Buffer, size_t Size, const char *Format, ...);
int vsprintf_s(char *Buffer, size_t Size, const char *Format, va_list Arguments);
int swprintf_s(WCHAR *Buffer, size_t Size, const WCHAR *Format, ...);
int vswprintf_s(WCHAR *Buffer, size_t Size, const WCHAR *Format, va_list Arguments);
int _snprintf_s(char *Buffer, size_t Size, size_t Count, const char *Format, ...);
int _vsnprintf_s(char *Buffer, size_t Size, size_t Count, const char *Format, va_list Arguments);
int _snwprintf_s(WCHAR *Buffer, size_t Size, size_t Count, const WCHAR *Format, ...);
int _vsnwprintf_s(WCHAR *Buffer, size_t Size, size_t Count, const WCHAR *Format, va_list Arguments);

#endif /* ISTHMUS_CRTNAMES_H */
