/* SPDX-License-Identifier: MIT */
/*
 * Times: 100-nanosecond units since the first of January 1601, and the calendar. IRQL: any.
 */
#include "rtlp.h"

#define RTLP_UNITS_PER_MILLISECOND 10000LL
#define RTLP_UNITS_PER_SECOND 10000000LL
#define RTLP_SECONDS_PER_DAY 86400LL
#define RTLP_MILLISECONDS_PER_DAY 86400000LL
#define RTLP_SECONDS_1601_TO_1970 11644473600LL
#define RTLP_SECONDS_1601_TO_1980 11960006400LL
#define RTLP_LAST_YEAR 30827

/* Days before the year, counted from 1601, the first year of a 400-year cycle. */
static LONG RtlpDaysBeforeYear(LONG Year)
{
    LONG Past = Year - 1601;

    return Past * 365 + Past / 4 - Past / 100 + Past / 400;
}

static BOOLEAN RtlpIsLeapYear(LONG Year)
{
    return Year % 4 == 0 && (Year % 100 != 0 || Year % 400 == 0);
}

/* Days of the year before month 1 to 12; month 13 gives the length of the year. */
static LONG RtlpDaysBeforeMonth(LONG Year, LONG Month)
{
    static const USHORT Days[14] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

    return Days[Month] + (Month > 2 && RtlpIsLeapYear(Year) ? 1 : 0);
}

/**
 * Takes a time apart.
 *
 * @param Time        the time, not negative
 * @param TimeFields  receives year, month and day from one, the time of day, and the weekday (0 = Sunday)
 */
VOID NTAPI RtlTimeToTimeFields(_In_ PLARGE_INTEGER Time, _Out_ PTIME_FIELDS TimeFields)
{
    LONG64 Milliseconds = Time->QuadPart / RTLP_UNITS_PER_MILLISECOND;
    LONG Days = (LONG)(Milliseconds / RTLP_MILLISECONDS_PER_DAY);
    LONG Rest = (LONG)(Milliseconds % RTLP_MILLISECONDS_PER_DAY);
    LONG Year = 1601 + (LONG)((LONG64)Days * 400 / 146097);
    LONG Month = 1;

    /* The estimate is at most one year off. */
    while (RtlpDaysBeforeYear(Year) > Days)
    {
        Year -= 1;
    }

    while (RtlpDaysBeforeYear(Year + 1) <= Days)
    {
        Year += 1;
    }

    TimeFields->Weekday = (SHORT)((Days + 1) % 7); /* it was a Monday */
    Days -= RtlpDaysBeforeYear(Year);
    while (RtlpDaysBeforeMonth(Year, Month + 1) <= Days)
    {
        Month += 1;
    }

    TimeFields->Year = (SHORT)Year;
    TimeFields->Month = (SHORT)Month;
    TimeFields->Day = (SHORT)(Days - RtlpDaysBeforeMonth(Year, Month) + 1);
    TimeFields->Hour = (SHORT)(Rest / 3600000);
    TimeFields->Minute = (SHORT)(Rest / 60000 % 60);
    TimeFields->Second = (SHORT)(Rest / 1000 % 60);
    TimeFields->Milliseconds = (SHORT)(Rest % 1000);
}

/**
 * Puts a time together; the weekday is not looked at.
 *
 * @return FALSE if a field is out of range
 */
BOOLEAN NTAPI RtlTimeFieldsToTime(_In_ PTIME_FIELDS TimeFields, _Out_ PLARGE_INTEGER Time)
{
    LONG Year = TimeFields->Year;
    LONG Month = TimeFields->Month;
    LONG64 Milliseconds;

    if (Year < 1601 || Year > RTLP_LAST_YEAR || Month < 1 || Month > 12 || TimeFields->Day < 1 ||
        TimeFields->Day > RtlpDaysBeforeMonth(Year, Month + 1) - RtlpDaysBeforeMonth(Year, Month) ||
        TimeFields->Hour < 0 || TimeFields->Hour > 23 || TimeFields->Minute < 0 || TimeFields->Minute > 59 ||
        TimeFields->Second < 0 || TimeFields->Second > 59 || TimeFields->Milliseconds < 0 ||
        TimeFields->Milliseconds > 999)
    {
        return FALSE;
    }

    Milliseconds = RtlpDaysBeforeYear(Year) + RtlpDaysBeforeMonth(Year, Month) + TimeFields->Day - 1;
    Milliseconds = Milliseconds * 24 + TimeFields->Hour;
    Milliseconds = Milliseconds * 60 + TimeFields->Minute;
    Milliseconds = Milliseconds * 60 + TimeFields->Second;
    Milliseconds = Milliseconds * 1000 + TimeFields->Milliseconds;
    Time->QuadPart = Milliseconds * RTLP_UNITS_PER_MILLISECOND;
    return TRUE;
}

/**
 * Takes an interval apart into days and time of day; year, month and weekday are zero.
 */
VOID NTAPI RtlTimeToElapsedTimeFields(_In_ PLARGE_INTEGER Time, _Out_ PTIME_FIELDS TimeFields)
{
    LONG64 Milliseconds = Time->QuadPart / RTLP_UNITS_PER_MILLISECOND;
    LONG Rest = (LONG)(Milliseconds % RTLP_MILLISECONDS_PER_DAY);

    TimeFields->Year = 0;
    TimeFields->Month = 0;
    TimeFields->Day = (SHORT)(Milliseconds / RTLP_MILLISECONDS_PER_DAY);
    TimeFields->Hour = (SHORT)(Rest / 3600000);
    TimeFields->Minute = (SHORT)(Rest / 60000 % 60);
    TimeFields->Second = (SHORT)(Rest / 1000 % 60);
    TimeFields->Milliseconds = (SHORT)(Rest % 1000);
    TimeFields->Weekday = 0;
}

static BOOLEAN RtlpToSeconds(LONG64 Time, LONG64 Start, PULONG Seconds)
{
    LONG64 Value = Time / RTLP_UNITS_PER_SECOND - Start;

    if (Time < 0 || Value < 0 || Value > 0xFFFFFFFFLL)
    {
        return FALSE;
    }

    *Seconds = (ULONG)Value;
    return TRUE;
}

/**
 * Seconds since 1970; FALSE if the time lies before or more than 2^32 seconds later.
 */
BOOLEAN NTAPI RtlTimeToSecondsSince1970(_In_ PLARGE_INTEGER Time, _Out_ PULONG ElapsedSeconds)
{
    return RtlpToSeconds(Time->QuadPart, RTLP_SECONDS_1601_TO_1970, ElapsedSeconds);
}

BOOLEAN NTAPI RtlTimeToSecondsSince1980(_In_ PLARGE_INTEGER Time, _Out_ PULONG ElapsedSeconds)
{
    return RtlpToSeconds(Time->QuadPart, RTLP_SECONDS_1601_TO_1980, ElapsedSeconds);
}

VOID NTAPI RtlSecondsSince1970ToTime(_In_ ULONG ElapsedSeconds, _Out_ PLARGE_INTEGER Time)
{
    Time->QuadPart = (RTLP_SECONDS_1601_TO_1970 + ElapsedSeconds) * RTLP_UNITS_PER_SECOND;
}

VOID NTAPI RtlSecondsSince1980ToTime(_In_ ULONG ElapsedSeconds, _Out_ PLARGE_INTEGER Time)
{
    Time->QuadPart = (RTLP_SECONDS_1601_TO_1980 + ElapsedSeconds) * RTLP_UNITS_PER_SECOND;
}
