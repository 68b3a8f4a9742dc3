/* SPDX-License-Identifier: MIT */
/* Checks of the test programs: each counts, a failed one says where and what; Done() gives the exit code. */
#pragma once

#include <windows.h>
#include <stdio.h>
#include <string.h>

static volatile LONG Checks, Failures;

static inline void CheckHolds(BOOL Holds, const char *Text, const char *File, int Line)
{
    InterlockedIncrement(&Checks);
    if (!Holds)
    {
        InterlockedIncrement(&Failures);
        printf("FAILED %s:%d: %s (last error %lu)\n", File, Line, Text, GetLastError());
    }
}

static inline void CheckEqual(ULONG64 Found, ULONG64 Expected, const char *Text, const char *File, int Line)
{
    DWORD error = GetLastError();

    InterlockedIncrement(&Checks);
    if (Found != Expected)
    {
        InterlockedIncrement(&Failures);
        printf("FAILED %s:%d: %s is 0x%llX, must be 0x%llX (last error %lu)\n", File, Line, Text, Found, Expected,
               error);
    }
}

#define CHECK(condition) CheckHolds((condition) ? TRUE : FALSE, #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(found, expected) CheckEqual((ULONG64)(found), (ULONG64)(expected), #found, __FILE__, __LINE__)
/* The call fails, and with this error. */
#define CHECK_FAILS(call, error)              \
    do                                        \
    {                                         \
        SetLastError(0);                      \
        CHECK(!(call));                       \
        CHECK_EQUAL(GetLastError(), (error)); \
    } while (0)

/* Says how it went; the exit code is the number of failures, and 99 if nothing was checked at all. */
static inline int Done(const char *Name)
{
    printf("%s: %ld checks, %ld failed\n", Name, Checks, Failures);
    return Checks == 0 || Failures > 99 ? 99 : (int)Failures;
}
