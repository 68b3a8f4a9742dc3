/* SPDX-License-Identifier: MIT */
/* Clocks and calendars. The current time comes from the page that the kernel shares with every process. */
#include "base.h"

static LONG64 BaseReadTime(const volatile KSYSTEM_TIME *Time)
{
    LONG high;
    ULONG low;
    do
    {
        /* The kernel writes High2Time, LowPart, High1Time in this order; x64 keeps it. */
        high = Time->High1Time;
        low = Time->LowPart;
    } while (high != Time->High2Time);
    return (LONG64)((ULONG64)(ULONG)high << 32 | low);
}

static VOID BaseToFileTime(LONG64 Time, LPFILETIME FileTime)
{
    FileTime->dwLowDateTime = (DWORD)Time;
    FileTime->dwHighDateTime = (DWORD)(Time >> 32);
}

static LONG64 BaseFromFileTime(const FILETIME *FileTime)
{
    return (LONG64)((ULONG64)FileTime->dwHighDateTime << 32 | FileTime->dwLowDateTime);
}

VOID WINAPI GetSystemTimeAsFileTime(LPFILETIME lpSystemTimeAsFileTime)
{
    BaseToFileTime(BaseReadTime(&SharedUserData->SystemTime), lpSystemTimeAsFileTime);
}

/** The most exact time there is: asked of the kernel, which reads the counter. */
VOID WINAPI GetSystemTimePreciseAsFileTime(LPFILETIME lpSystemTimeAsFileTime)
{
    LARGE_INTEGER now;
    NtQuerySystemTime(&now);
    BaseToFileTime(now.QuadPart, lpSystemTimeAsFileTime);
}

BOOL WINAPI FileTimeToSystemTime(CONST FILETIME *lpFileTime, LPSYSTEMTIME lpSystemTime)
{
    LARGE_INTEGER time = {.QuadPart = BaseFromFileTime(lpFileTime)};
    TIME_FIELDS fields;
    if (time.QuadPart < 0)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    RtlTimeToTimeFields(&time, &fields);
    lpSystemTime->wYear = (WORD)fields.Year;
    lpSystemTime->wMonth = (WORD)fields.Month;
    lpSystemTime->wDay = (WORD)fields.Day;
    lpSystemTime->wDayOfWeek = (WORD)fields.Weekday;
    lpSystemTime->wHour = (WORD)fields.Hour;
    lpSystemTime->wMinute = (WORD)fields.Minute;
    lpSystemTime->wSecond = (WORD)fields.Second;
    lpSystemTime->wMilliseconds = (WORD)fields.Milliseconds;
    return TRUE;
}

BOOL WINAPI SystemTimeToFileTime(CONST SYSTEMTIME *lpSystemTime, LPFILETIME lpFileTime)
{
    LARGE_INTEGER time;
    TIME_FIELDS fields = {(SHORT)lpSystemTime->wYear,   (SHORT)lpSystemTime->wMonth,  (SHORT)lpSystemTime->wDay,
                          (SHORT)lpSystemTime->wHour,   (SHORT)lpSystemTime->wMinute, (SHORT)lpSystemTime->wSecond,
                          (SHORT)lpSystemTime->wMilliseconds, 0};
    if (!RtlTimeFieldsToTime(&fields, &time))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    BaseToFileTime(time.QuadPart, lpFileTime);
    return TRUE;
}

VOID WINAPI GetSystemTime(LPSYSTEMTIME lpSystemTime)
{
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    FileTimeToSystemTime(&now, lpSystemTime);
}

BOOL WINAPI FileTimeToLocalFileTime(CONST FILETIME *lpFileTime, LPFILETIME lpLocalFileTime)
{
    LONG64 bias = BaseReadTime(&SharedUserData->TimeZoneBias);
    BaseToFileTime(BaseFromFileTime(lpFileTime) - bias, lpLocalFileTime);
    return TRUE;
}

BOOL WINAPI LocalFileTimeToFileTime(CONST FILETIME *lpLocalFileTime, LPFILETIME lpFileTime)
{
    LONG64 bias = BaseReadTime(&SharedUserData->TimeZoneBias);
    BaseToFileTime(BaseFromFileTime(lpLocalFileTime) + bias, lpFileTime);
    return TRUE;
}

VOID WINAPI GetLocalTime(LPSYSTEMTIME lpSystemTime)
{
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    FileTimeToLocalFileTime(&now, &now);
    FileTimeToSystemTime(&now, lpSystemTime);
}

LONG WINAPI CompareFileTime(CONST FILETIME *lpFileTime1, CONST FILETIME *lpFileTime2)
{
    ULONG64 a = (ULONG64)BaseFromFileTime(lpFileTime1);
    ULONG64 b = (ULONG64)BaseFromFileTime(lpFileTime2);
    return a < b ? -1 : a > b;
}

/** One zone without daylight saving; its bias is what the kernel keeps. */
DWORD WINAPI GetTimeZoneInformation(LPTIME_ZONE_INFORMATION lpTimeZoneInformation)
{
    memset(lpTimeZoneInformation, 0, sizeof(*lpTimeZoneInformation));
    lpTimeZoneInformation->Bias = (LONG)(BaseReadTime(&SharedUserData->TimeZoneBias) / 600000000);
    if (lpTimeZoneInformation->Bias == 0)
    {
        memcpy(lpTimeZoneInformation->StandardName, L"UTC", sizeof(L"UTC"));
    }
    return TIME_ZONE_ID_UNKNOWN;
}

/* Minutes west of UTC; FALSE for a zone with daylight saving, whose rules are not kept here. */
static BOOL BaseZoneBias(const TIME_ZONE_INFORMATION *Zone, PLONG Bias)
{
    TIME_ZONE_INFORMATION own;

    if (Zone == NULL)
    {
        GetTimeZoneInformation(&own);
        Zone = &own;
    }
    *Bias = Zone->Bias + Zone->StandardBias;
    return Zone->DaylightDate.wMonth == 0 ? TRUE : BaseFailWith(ERROR_NOT_SUPPORTED);
}

static BOOL BaseShiftTime(const SYSTEMTIME *Time, LONG64 Minutes, LPSYSTEMTIME Shifted)
{
    FILETIME time;

    if (!SystemTimeToFileTime(Time, &time))
    {
        return FALSE;
    }
    BaseToFileTime(BaseFromFileTime(&time) + Minutes * 600000000, &time);
    return FileTimeToSystemTime(&time, Shifted);
}

BOOL WINAPI SystemTimeToTzSpecificLocalTime(CONST TIME_ZONE_INFORMATION *lpTimeZoneInformation,
                                            CONST SYSTEMTIME *lpUniversalTime, LPSYSTEMTIME lpLocalTime)
{
    LONG bias;
    return BaseZoneBias(lpTimeZoneInformation, &bias) && BaseShiftTime(lpUniversalTime, -(LONG64)bias, lpLocalTime);
}

BOOL WINAPI TzSpecificLocalTimeToSystemTime(CONST TIME_ZONE_INFORMATION *lpTimeZoneInformation,
                                            CONST SYSTEMTIME *lpLocalTime, LPSYSTEMTIME lpUniversalTime)
{
    LONG bias;
    return BaseZoneBias(lpTimeZoneInformation, &bias) && BaseShiftTime(lpLocalTime, bias, lpUniversalTime);
}

/* ---- Since start ---- */

ULONGLONG WINAPI GetTickCount64(VOID)
{
    return (ULONGLONG)BaseReadTime(&SharedUserData->InterruptTime) / 10000;
}

DWORD WINAPI GetTickCount(VOID)
{
    return (DWORD)GetTickCount64();
}

BOOL WINAPI QueryPerformanceCounter(LARGE_INTEGER *lpPerformanceCount)
{
    return BaseResult(NtQueryPerformanceCounter(lpPerformanceCount, NULL));
}

BOOL WINAPI QueryPerformanceFrequency(LARGE_INTEGER *lpFrequency)
{
    LARGE_INTEGER counter;
    return BaseResult(NtQueryPerformanceCounter(&counter, lpFrequency));
}

BOOL WINAPI QueryUnbiasedInterruptTime(PULONGLONG UnbiasedTime)
{
    *UnbiasedTime = (ULONGLONG)BaseReadTime(&SharedUserData->InterruptTime);
    return TRUE;
}

/** The clock's step in 100 ns; nothing slows it down or speeds it up. */
BOOL WINAPI GetSystemTimeAdjustment(PDWORD lpTimeAdjustment, PDWORD lpTimeIncrement, PBOOL lpTimeAdjustmentDisabled)
{
    SYSTEM_BASIC_INFORMATION_FULL system;
    NTSTATUS status = NtQuerySystemInformation(SystemBasicInformation, &system, sizeof(system), NULL);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    *lpTimeAdjustment = *lpTimeIncrement = system.TimerResolution;
    *lpTimeAdjustmentDisabled = TRUE;
    return TRUE;
}

/** The machine's clock is its host's and not to be set. */
BOOL WINAPI SetSystemTime(const SYSTEMTIME *lpSystemTime)
{
    UNREFERENCED_PARAMETER(lpSystemTime);
    return BaseFailWith(ERROR_PRIVILEGE_NOT_HELD);
}
