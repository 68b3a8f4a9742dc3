/* SPDX-License-Identifier: MIT */
/* Versions, last errors, the processor number, times. */
#include "ntdllp.h"

/* ---- Versions ---- */

/** The version of the system, from the PEB. Fills the Ex fields too if the size says they are there. */
NTSTATUS NTAPI RtlGetVersion(PRTL_OSVERSIONINFOW Information)
{
    PPEB peb = NtCurrentPeb();
    Information->dwMajorVersion = peb->OSMajorVersion;
    Information->dwMinorVersion = peb->OSMinorVersion;
    Information->dwBuildNumber = peb->OSBuildNumber;
    Information->dwPlatformId = peb->OSPlatformId;
    memset(Information->szCSDVersion, 0, sizeof(Information->szCSDVersion));
    if (peb->CSDVersion.Buffer != NULL && peb->CSDVersion.Length < sizeof(Information->szCSDVersion))
    {
        memcpy(Information->szCSDVersion, peb->CSDVersion.Buffer, peb->CSDVersion.Length);
    }
    if (Information->dwOSVersionInfoSize >= sizeof(RTL_OSVERSIONINFOEXW))
    {
        PRTL_OSVERSIONINFOEXW extended = (PRTL_OSVERSIONINFOEXW)Information;
        extended->wServicePackMajor = peb->OSCSDVersion >> 8;
        extended->wServicePackMinor = peb->OSCSDVersion & 0xFF;
        extended->wSuiteMask = (WORD)SharedUserData->SuiteMask;
        extended->wProductType = (BYTE)SharedUserData->NtProductType;
        extended->wReserved = 0;
    }
    return STATUS_SUCCESS;
}

VOID NTAPI RtlGetNtVersionNumbers(PULONG Major, PULONG Minor, PULONG Build)
{
    PPEB peb = NtCurrentPeb();
    if (Major != NULL)
    {
        *Major = peb->OSMajorVersion;
    }
    if (Minor != NULL)
    {
        *Minor = peb->OSMinorVersion;
    }
    if (Build != NULL)
    {
        *Build = peb->OSBuildNumber | 0xF0000000u; /* F: a free (not checked) build */
    }
}

/* ---- Last errors ---- */

VOID NTAPI RtlSetLastWin32Error(ULONG Error)
{
    NtCurrentTeb()->LastErrorValue = Error;
}

ULONG NTAPI RtlGetLastWin32Error(VOID)
{
    return NtCurrentTeb()->LastErrorValue;
}

VOID NTAPI RtlSetLastWin32ErrorAndNtStatusFromNtStatus(NTSTATUS Status)
{
    NtCurrentTeb()->LastStatusValue = Status;
    NtCurrentTeb()->LastErrorValue = RtlNtStatusToDosError(Status);
}

NTSTATUS NTAPI RtlGetLastNtStatus(VOID)
{
    return (NTSTATUS)NtCurrentTeb()->LastStatusValue;
}

/* ---- Processor ---- */

/**
 * The number of the processor this thread runs on now. The limit of the TEB's segment holds it, as on
 * Windows: the kernel puts it into bits 14.. of each processor's descriptor 0x50. Without that
 * descriptor the processor's own number is used, which is the same on a machine with one socket.
 */
ULONG NTAPI RtlGetCurrentProcessorNumber(VOID)
{
    ULONG limit = 0;
    BOOLEAN valid;
    __asm__ volatile("lsl %2, %0\n\tsetz %1" : "=r"(limit), "=q"(valid) : "r"(0x53) : "cc");
    if (valid)
    {
        return (limit >> 14) & 0x3FF;
    }
    ULONG eax = 1;
    ULONG ebx;
    ULONG ecx = 0;
    ULONG edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ebx >> 24;
}

/* ---- Times: 100 ns units since 1601, as the Gregorian calendar counts ---- */

#define TICKS_PER_MILLISECOND 10000
#define MILLISECONDS_PER_DAY 86400000
#define DAYS_PER_400_YEARS 146097
#define DAYS_FROM_1601_TO_1970 134774
#define DAYS_FROM_1601_TO_1980 138426

static LONG RtlpDaysBeforeYear(LONG Year)
{
    LONG years = Year - 1601;
    return years * 365 + years / 4 - years / 100 + years / 400;
}

static BOOLEAN RtlpIsLeapYear(LONG Year)
{
    return Year % 4 == 0 && (Year % 100 != 0 || Year % 400 == 0);
}

static LONG RtlpDaysInMonth(LONG Year, LONG Month)
{
    static const UCHAR days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[Month - 1] + (Month == 2 && RtlpIsLeapYear(Year));
}

VOID NTAPI RtlTimeToTimeFields(PLARGE_INTEGER Time, PTIME_FIELDS Fields)
{
    ULONG64 milliseconds = (ULONG64)Time->QuadPart / TICKS_PER_MILLISECOND;
    LONG days = (LONG)(milliseconds / MILLISECONDS_PER_DAY);
    LONG rest = (LONG)(milliseconds % MILLISECONDS_PER_DAY);

    Fields->Weekday = (SHORT)((days + 1) % 7); /* the first day, 1 January 1601, was a Monday */
    Fields->Milliseconds = (SHORT)(rest % 1000);
    Fields->Second = (SHORT)(rest / 1000 % 60);
    Fields->Minute = (SHORT)(rest / 60000 % 60);
    Fields->Hour = (SHORT)(rest / 3600000);

    LONG year = 1601 + (LONG)((LONG64)days * 400 / DAYS_PER_400_YEARS);
    while (RtlpDaysBeforeYear(year) > days)
    {
        year--;
    }
    while (RtlpDaysBeforeYear(year + 1) <= days)
    {
        year++;
    }
    days -= RtlpDaysBeforeYear(year);
    LONG month = 1;
    while (days >= RtlpDaysInMonth(year, month))
    {
        days -= RtlpDaysInMonth(year, month++);
    }
    Fields->Year = (SHORT)year;
    Fields->Month = (SHORT)month;
    Fields->Day = (SHORT)(days + 1);
}

/** FALSE if the fields are no date between 1601 and 30827 or no time; Weekday is ignored. */
BOOLEAN NTAPI RtlTimeFieldsToTime(PTIME_FIELDS Fields, PLARGE_INTEGER Time)
{
    if (Fields->Year < 1601 || Fields->Year > 30827 || Fields->Month < 1 || Fields->Month > 12 || Fields->Day < 1 ||
        Fields->Day > RtlpDaysInMonth(Fields->Year, Fields->Month) || (USHORT)Fields->Hour > 23 ||
        (USHORT)Fields->Minute > 59 || (USHORT)Fields->Second > 59 || (USHORT)Fields->Milliseconds > 999)
    {
        return FALSE;
    }
    LONG64 days = RtlpDaysBeforeYear(Fields->Year) + Fields->Day - 1;
    for (LONG month = 1; month < Fields->Month; month++)
    {
        days += RtlpDaysInMonth(Fields->Year, month);
    }
    LONG64 milliseconds = days * MILLISECONDS_PER_DAY + Fields->Hour * 3600000ll + Fields->Minute * 60000ll +
                          Fields->Second * 1000ll + Fields->Milliseconds;
    Time->QuadPart = milliseconds * TICKS_PER_MILLISECOND;
    return TRUE;
}

BOOLEAN NTAPI RtlTimeToSecondsSince1970(PLARGE_INTEGER Time, PULONG Seconds)
{
    LONG64 seconds = Time->QuadPart / 10000000 - DAYS_FROM_1601_TO_1970 * 86400ll;
    if (seconds < 0 || seconds > 0xFFFFFFFFll)
    {
        return FALSE;
    }
    *Seconds = (ULONG)seconds;
    return TRUE;
}

VOID NTAPI RtlSecondsSince1970ToTime(ULONG Seconds, PLARGE_INTEGER Time)
{
    Time->QuadPart = (Seconds + DAYS_FROM_1601_TO_1970 * 86400ll) * 10000000;
}

/** The system's time zone bias, as the kernel keeps it in the shared page. */
static LONG64 RtlpTimeZoneBias(VOID)
{
    const volatile KSYSTEM_TIME *bias = &SharedUserData->TimeZoneBias;
    LONG high;
    ULONG low;
    do
    {
        high = bias->High1Time;
        low = bias->LowPart;
    } while (high != bias->High2Time);
    return (LONG64)((ULONG64)(ULONG)high << 32 | low);
}

NTSTATUS NTAPI RtlSystemTimeToLocalTime(PLARGE_INTEGER SystemTime, PLARGE_INTEGER LocalTime)
{
    LocalTime->QuadPart = SystemTime->QuadPart - RtlpTimeZoneBias();
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlLocalTimeToSystemTime(PLARGE_INTEGER LocalTime, PLARGE_INTEGER SystemTime)
{
    SystemTime->QuadPart = LocalTime->QuadPart + RtlpTimeZoneBias();
    return STATUS_SUCCESS;
}

/** The performance counter and its frequency; always there. */
BOOL NTAPI RtlQueryPerformanceCounter(PLARGE_INTEGER Counter)
{
    return NT_SUCCESS(NtQueryPerformanceCounter(Counter, NULL));
}

BOOL NTAPI RtlQueryPerformanceFrequency(PLARGE_INTEGER Frequency)
{
    LARGE_INTEGER counter;
    return NT_SUCCESS(NtQueryPerformanceCounter(&counter, Frequency));
}
