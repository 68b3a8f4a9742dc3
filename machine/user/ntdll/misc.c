/* SPDX-License-Identifier: MIT */
/* Versions, last errors, the processor number, times. */
#include "ntdllp.h"

/* ---- Versions ---- */

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

/* ---- Times; the calendar is in machine/common/rtl ---- */

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
