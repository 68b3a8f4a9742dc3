/* SPDX-License-Identifier: MIT */
/*
 * Time.
 *
 * Interrupt time, 100 ns units since boot, is the time stamp counter scaled by the frequency HAL measured. The clock
 * interrupt of processor 0 (1 kHz) publishes it in KUSER_SHARED_DATA, cut to whole milliseconds, so that a late or lost
 * interrupt costs precision for a moment and never time. KeQueryTimeIncrement and KeMaximumIncrement are one tick:
 * 10,000 units, and the tick count is interrupt time divided by it. The performance counter is the same clock uncut,
 * 10 MHz as on today's Windows.
 */
#include "kip.h"

#undef KeQuerySystemTime
#undef KeQueryInterruptTime
#undef KeQueryTickCount

#define KI_TICK_MULTIPLIER (1UL << 24) /* milliseconds per tick in 8.24 */

VOID NTAPI KiExportQuerySystemTime(PLARGE_INTEGER CurrentTime) __asm__("KeQuerySystemTime");
ULONGLONG NTAPI KiExportQueryInterruptTime(VOID) __asm__("KeQueryInterruptTime");
VOID NTAPI KiExportQueryTickCount(PLARGE_INTEGER CurrentCount) __asm__("KeQueryTickCount");

BOOLEAN KiTimeRunning;
static ULONG64 KiTscBase;      /* counter at interrupt time 0 */
static ULONG64 KiTscToTime;    /* 2^64 * 10^7 / frequency */
static volatile ULONG64 KiTimeOffset; /* system time - interrupt time */
ULONG KeMaximumIncrement = KI_TICK;
ULONG KeTimeIncrement = KI_TICK;

ULONG64 KiInterruptTimePrecise(VOID)
{
    if (!KiTimeRunning)
    {
        return 0;
    }
    return (ULONG64)(((unsigned __int128)(__rdtsc() - KiTscBase) * KiTscToTime) >> 64);
}

ULONG64 KiSystemTimeOffset(VOID)
{
    return KiTimeOffset;
}

/* High2 first, then the pair Low and High1: a reader that finds High1 equal to High2 has a whole value. */
static VOID KiPublish(volatile KSYSTEM_TIME *Field, ULONG64 Value)
{
    Field->High2Time = (LONG)(Value >> 32);
    *(volatile ULONG64 *)&Field->LowPart = Value;
}

/* Clock interrupt of processor 0. */
VOID KiUpdateTime(VOID)
{
    PKUSER_SHARED_DATA shared = SharedUserData;
    ULONG64 tick = KiInterruptTimePrecise() / KI_TICK;
    ULONG64 time = tick * KI_TICK;

    if (!KiTimeRunning || tick <= shared->TickCountQuad)
    {
        return;
    }
    KiPublish(&shared->InterruptTime, time);
    KiPublish(&shared->SystemTime, time + KiTimeOffset);
    shared->TickCount.High2Time = (LONG)(tick >> 32);
    shared->TickCountQuad = tick;
    shared->TickCountLowDeprecated = (ULONG)tick;
    if (KiTimersDue(tick))
    {
        PKPRCB prcb = KiPrcb();

        prcb->TimerRequest = TRUE;
        KiRequestDispatch(prcb);
    }
}

static VOID KiDescribeProcessor(PKUSER_SHARED_DATA Shared)
{
    static const UCHAR present[] = {PF_COMPARE_EXCHANGE_DOUBLE, PF_MMX_INSTRUCTIONS_AVAILABLE,
                                    PF_XMMI_INSTRUCTIONS_AVAILABLE, PF_RDTSC_INSTRUCTION_AVAILABLE, PF_PAE_ENABLED,
                                    PF_XMMI64_INSTRUCTIONS_AVAILABLE, PF_NX_ENABLED, 23 /* PF_FASTFAIL_AVAILABLE */};
    ULONG eax, ebx, ecx, edx;

    for (ULONG i = 0; i < sizeof(present); i++)
    {
        Shared->ProcessorFeatures[present[i]] = TRUE;
    }
    __asm__("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(1), "c"(0));
    Shared->ProcessorFeatures[PF_SSE3_INSTRUCTIONS_AVAILABLE] = (ecx & 1) != 0;
    Shared->ProcessorFeatures[PF_COMPARE_EXCHANGE128] = (ecx & (1u << 13)) != 0;
    /* XSAVE and AVX are not switched between threads, so they are not announced. */
}

/* Described in ke.h. */
VOID KiInitializeTime(LONG64 SystemTime)
{
    static const WCHAR root[] = L"C:\\Windows";
    PKUSER_SHARED_DATA shared = SharedUserData;
    ULONG64 frequency = HalQueryTscFrequency();
    ULONG64 rest;

    /* 2^64 * 10^7 / frequency: the quotient fits, for a frequency above 10 MHz. */
    __asm__("divq %2" : "=a"(KiTscToTime), "=d"(rest) : "r"(frequency), "a"(0ULL), "d"(10000000ULL));
    KiTscBase = __rdtsc();
    KiTimeOffset = (ULONG64)SystemTime;
    shared->TickCountMultiplier = KI_TICK_MULTIPLIER;
    shared->ImageNumberLow = IMAGE_FILE_MACHINE_AMD64;
    shared->ImageNumberHigh = IMAGE_FILE_MACHINE_AMD64;
    RtlCopyMemory(shared->NtSystemRoot, root, sizeof(root));
    shared->NtProductType = NtProductWinNt;
    shared->ProductTypeIsValid = TRUE;
    shared->NtMajorVersion = 10;
    shared->NtMinorVersion = 0;
    shared->NXSupportPolicy = 1; /* always on */
    shared->LargePageMinimum = 0x200000;
    shared->ActiveProcessorCount = 1;
    shared->ActiveGroupCount = 1;
    KiDescribeProcessor(shared);
    KiPublish(&shared->SystemTime, KiTimeOffset);
    KiTimeRunning = TRUE;
}

/* Clock interrupt of every processor: accounts, quantum, DPCs of low importance. CLOCK_LEVEL. */
VOID KiClockInterrupt(PKTRAP_FRAME Frame)
{
    PKPRCB prcb = KiPrcb();
    PKTHREAD thread = prcb->CurrentThread;
    BOOLEAN endTurn;

    if (!HalClockInterrupt((PVOID)Frame->Rip, &endTurn))
    {
        if (endTurn && thread != prcb->IdleThread)
        {
            thread->Quantum = 0;
            prcb->QuantumEnd = TRUE;
            KiRequestDispatch(prcb);
        }
        return;
    }
    if (prcb->Number == 0)
    {
        KiUpdateTime();
    }
    if (thread == prcb->IdleThread && !prcb->DpcRoutineActive)
    {
        prcb->IdleTime++;
        thread->KernelTime++;
    }
    else if (Frame->Cs & 3)
    {
        prcb->UserTime++;
        thread->UserTime++;
        InterlockedIncrement64((volatile LONG64 *)&thread->Process->UserTime);
    }
    else if (prcb->DpcRoutineActive)
    {
        prcb->DpcTime++;
        prcb->KernelTime++;
    }
    else
    {
        prcb->KernelTime++;
        thread->KernelTime++;
        InterlockedIncrement64((volatile LONG64 *)&thread->Process->KernelTime);
    }
    if (thread != prcb->IdleThread && --thread->Quantum <= 0)
    {
        prcb->QuantumEnd = TRUE;
        KiRequestDispatch(prcb);
    }
    if (prcb->DpcQueueDepth != 0)
    {
        KiRequestDispatch(prcb);
    }
}

/** System time as of the last tick, 100 ns since 1601 UTC. IRQL: any. */
VOID NTAPI KiExportQuerySystemTime(PLARGE_INTEGER CurrentTime)
{
    CurrentTime->QuadPart = *(volatile LONG64 *)&SharedUserData->SystemTime;
}

/** System time now. IRQL: any. */
VOID NTAPI KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime)
{
    CurrentTime->QuadPart = (LONG64)(KiInterruptTimePrecise() + KiTimeOffset);
}

/** Time since boot as of the last tick, 100 ns units. IRQL: any. */
ULONGLONG NTAPI KiExportQueryInterruptTime(VOID)
{
    return *(volatile ULONG64 *)&SharedUserData->InterruptTime;
}

/** Time since boot, 100 ns units; *QpcTimeStamp the performance counter at that moment. IRQL: any. */
ULONGLONG NTAPI KeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp)
{
    ULONG64 now = KiInterruptTimePrecise();

    *QpcTimeStamp = now;
    return now;
}

/** Time since boot without sleep; the machine does not sleep. IRQL: any. */
ULONGLONG NTAPI KeQueryUnbiasedInterruptTime(VOID)
{
    return *(volatile ULONG64 *)&SharedUserData->InterruptTime;
}

/** Clock ticks since boot. IRQL: any. */
VOID NTAPI KiExportQueryTickCount(PLARGE_INTEGER CurrentCount)
{
    CurrentCount->QuadPart = (LONG64)SharedUserData->TickCountQuad;
}

/** Length of a clock tick, 100 ns units: 10,000. IRQL: any. */
ULONG NTAPI KeQueryTimeIncrement(VOID)
{
    return KI_TICK;
}

