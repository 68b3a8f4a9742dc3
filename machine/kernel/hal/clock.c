/* SPDX-License-Identifier: MIT */
/*
 * Counters and the calendar: the time stamp counter measured against the APIC timer, stalls, the CMOS clock.
 */
#include "halp.h"
#include "vf.h"

#define HALP_CALIBRATION_NS 2000000 /* 2 ms */
#define HALP_SAMPLES 8
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define UNIX_EPOCH 116444736000000000LL /* 1970 in 100 ns since 1601 */
#define DEFAULT_TIME 1767225600ULL      /* 2026-01-01, for a machine without a CMOS clock */

static ULONG64 HalpTscFrequency;

typedef struct _HALP_SAMPLE
{
    ULONG64 Tsc;
    ULONG Timer;
} HALP_SAMPLE;

/* Both counters at one moment: the reading of the timer that took the least time, between two of the TSC. The host may
   take the processor away in the middle of any one of them. */
static HALP_SAMPLE HalpSample(VOID)
{
    HALP_SAMPLE best = {0, 0};
    ULONG64 bestWidth = ~0ULL;

    for (ULONG i = 0; i < HALP_SAMPLES; i++)
    {
        ULONG64 before = __rdtsc();
        ULONG timer = HalpReadStopwatch();
        ULONG64 width = __rdtsc() - before;

        if (width < bestWidth)
        {
            bestWidth = width;
            best.Tsc = before + width / 2;
            best.Timer = timer;
        }
    }
    return best;
}

VOID HalpCalibrate(VOID)
{
    HALP_SAMPLE first, last;

    HalpStartStopwatch();
    first = HalpSample();
    do
    {
        _mm_pause();
    } while (first.Timer - HalpReadStopwatch() < HALP_CALIBRATION_NS);
    last = HalpSample();
    /* Milliseconds of counts times 10^9: far from overflowing. */
    HalpTscFrequency = (last.Tsc - first.Tsc) * HALP_TIMER_FREQUENCY / (first.Timer - last.Timer);
    if (HalpTscFrequency < 20000000)
    {
        KeBugCheckEx(0x5C, 2, HalpTscFrequency, 0, 0);
    }
}

/* Described in hal.h. */
ULONG64 HalQueryTscFrequency(VOID)
{
    return HalpTscFrequency;
}

/**
 * The performance counter: time since boot in 100 ns units, the same on all processors.
 *
 * @param PerformanceFrequency  receives the counts per second, 10,000,000; may be NULL
 * IRQL: any.
 */
LARGE_INTEGER NTAPI KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency)
{
    LARGE_INTEGER counter;
    ULONG64 stamp;

    if (PerformanceFrequency != NULL)
    {
        PerformanceFrequency->QuadPart = 10000000;
    }
    counter.QuadPart = (LONGLONG)KeQueryInterruptTimePrecise(&stamp);
    return counter;
}

/** Spins for so many microseconds. Drivers keep it under 50. IRQL: any. */
VOID NTAPI KeStallExecutionProcessor(ULONG MicroSeconds)
{
    ULONG64 start = __rdtsc();
    ULONG64 counts = (ULONG64)MicroSeconds * HalpTscFrequency / 1000000;

    while (__rdtsc() - start < counts)
    {
        _mm_pause();
    }
}

/* ---- the calendar ---- */

static UCHAR HalpReadCmos(UCHAR Register)
{
    __outbyte(CMOS_INDEX, Register | 0x80);
    return __inbyte(CMOS_DATA);
}

typedef struct _HALP_DATE
{
    ULONG Fields[7]; /* second minute hour day month year century */
} HALP_DATE;

static VOID HalpReadDate(HALP_DATE *Date)
{
    static const UCHAR registers[7] = {0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x32};

    for (ULONG i = 0; i < 7; i++)
    {
        Date->Fields[i] = HalpReadCmos(registers[i]);
    }
}

static ULONG HalpFromBcd(ULONG Value)
{
    return (Value >> 4) * 10 + (Value & 15);
}

static BOOLEAN HalpDecodeDate(HALP_DATE *Date)
{
    UCHAR mode = HalpReadCmos(0x0B);
    BOOLEAN afternoon = !(mode & 2) && (Date->Fields[2] & 0x80);

    Date->Fields[2] &= (mode & 2) ? 0xFF : 0x7F;
    for (ULONG i = 0; i < 7; i++)
    {
        if (!(mode & 4))
        {
            Date->Fields[i] = HalpFromBcd(Date->Fields[i]);
        }
    }
    if (!(mode & 2))
    {
        Date->Fields[2] = Date->Fields[2] % 12 + (afternoon ? 12 : 0);
    }
    if (Date->Fields[6] < 19 || Date->Fields[6] > 21)
    {
        Date->Fields[6] = 20; /* no century register */
    }
    Date->Fields[5] += Date->Fields[6] * 100;
    return Date->Fields[4] >= 1 && Date->Fields[4] <= 12 && Date->Fields[3] >= 1 && Date->Fields[3] <= 31 &&
           Date->Fields[2] < 24 && Date->Fields[1] < 60 && Date->Fields[0] < 60;
}

/* Days from 1601-01-01, Gregorian: years counted from March, so that the leap day is the last of a year. */
static ULONG64 HalpDays(ULONG Year, ULONG Month, ULONG Day)
{
    ULONG64 year = Month > 2 ? Year : Year - 1;
    ULONG64 month = Month > 2 ? Month - 3 : Month + 9;
    ULONG64 days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + Day - 1;

    return days - 584694; /* the same sum for 1601-01-01 */
}

/* UTC; option=time:SECONDS (since 1970) overrides the CMOS clock, for runs that must repeat exactly. */
LONG64 HalpReadSystemTime(VOID)
{
    ULONG64 seconds = VfOptionValue("time", 0);
    HALP_DATE date, again;

    if (seconds != 0)
    {
        return (LONG64)seconds * 10000000 + UNIX_EPOCH;
    }
    if (HalpReadCmos(0x0D) == 0xFF)
    {
        return (LONG64)DEFAULT_TIME * 10000000 + UNIX_EPOCH; /* nobody answers at the ports */
    }
    HalpReadDate(&again);
    do
    {
        date = again;
        while (HalpReadCmos(0x0A) & 0x80)
        {
            _mm_pause(); /* it is being updated */
        }
        HalpReadDate(&again);
    } while (__builtin_memcmp(&date, &again, sizeof(date)) != 0);
    if (!HalpDecodeDate(&date))
    {
        return (LONG64)DEFAULT_TIME * 10000000 + UNIX_EPOCH;
    }
    return (LONG64)(((HalpDays(date.Fields[5], date.Fields[4], date.Fields[3]) * 24 + date.Fields[2]) * 60 +
                     date.Fields[1]) * 60 + date.Fields[0]) * 10000000;
}

/* Described in hal.h. */
VOID HalInitialize(const BOOT_BLOCK *Block)
{
    HalpMapLocalApic();
    HalInitializeLocalApic();
    HalpCalibrate();
    KiInitializeTime(HalpReadSystemTime());
    HalStartClock();
}
