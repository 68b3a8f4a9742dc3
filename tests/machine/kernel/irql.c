/* SPDX-License-Identifier: MIT */
/* IRQL: raising and lowering, what it holds back, and that CR8 is the truth. */
#include "ktlib.h"

static VOID TestLevels(KTEST_RUN *Run)
{
    static const KIRQL levels[] = {APC_LEVEL, DISPATCH_LEVEL, 5, CLOCK_LEVEL, HIGH_LEVEL};
    KIRQL olds[RTL_NUMBER_OF(levels)];
    KIRQL expected = PASSIVE_LEVEL;

    for (ULONG i = 0; i < RTL_NUMBER_OF(levels); i++)
    {
        KeRaiseIrql(levels[i], &olds[i]);
        CHECK_EQUAL(olds[i], expected);
        CHECK_EQUAL(KeGetCurrentIrql(), levels[i]);
        CHECK_EQUAL(__readcr8(), levels[i]);
        expected = levels[i];
    }
    for (ULONG i = RTL_NUMBER_OF(levels); i-- > 0;)
    {
        KeLowerIrql(olds[i]);
        CHECK_EQUAL(KeGetCurrentIrql(), olds[i]);
    }
    CHECK_EQUAL(KeRaiseIrqlToDpcLevel(), PASSIVE_LEVEL);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

typedef struct _SPY
{
    KDPC Dpc;
    volatile LONG Ran;
} SPY;

static VOID NTAPI Mark(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    InterlockedIncrement(&((SPY *)Context)->Ran);
}

/* DPCs of this CPU wait while it is at DISPATCH_LEVEL, also for its clock, and come when it falls. */
static VOID TestDpcsHeld(KTEST_RUN *Run)
{
    SPY spy = {.Ran = 0};
    ULONG64 start;
    KIRQL irql;

    KeInitializeDpc(&spy.Dpc, Mark, &spy);
    CHECK(KtRunOn(KeGetCurrentProcessorNumber()));
    KeSetTargetProcessorDpc(&spy.Dpc, (CCHAR)KeGetCurrentProcessorNumber());
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeInsertQueueDpc(&spy.Dpc, NULL, NULL);
    start = KeQueryInterruptTime();
    KeStallExecutionProcessor(3000);
    while (KeQueryInterruptTime() - start < 40000) /* the clock still ticks above DISPATCH_LEVEL */
    {
        YieldProcessor();
    }
    CHECK_EQUAL(spy.Ran, 0);
    KeLowerIrql(irql);
    CHECK_EQUAL(spy.Ran, 1);
    KeRevertToUserAffinityThread();
    KeFlushQueuedDpcs();
}

typedef struct _RIVAL
{
    KEVENT Go;
    volatile LONG Ready, Ran;
    ULONG Cpu;
} RIVAL;

static VOID NTAPI RunAsRival(PVOID Context)
{
    RIVAL *rival = Context;

    KeSetSystemAffinityThread((KAFFINITY)1 << rival->Cpu);
    KeSetPriorityThread(KeGetCurrentThread(), LOW_REALTIME_PRIORITY + 4);
    InterlockedExchange(&rival->Ready, 1);
    KeWaitForSingleObject(&rival->Go, Executive, KernelMode, FALSE, NULL);
    InterlockedExchange(&rival->Ran, 1);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* A thread of higher priority on the same CPU runs at once, but not while this one is at DISPATCH_LEVEL. */
static VOID TestPreemption(KTEST_RUN *Run)
{
    RIVAL rival = {.Cpu = KeNumberProcessors - 1};
    PETHREAD thread;
    KIRQL irql;
    LONG seenRaised;

    KeInitializeEvent(&rival.Go, NotificationEvent, FALSE);
    CHECK(KtRunOn(rival.Cpu));
    thread = KtStart(Run, RunAsRival, &rival);
    if (thread != NULL)
    {
        CHECK(KtUntil(&rival.Ready, 1));
        KtSleep(10);
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        KeSetEvent(&rival.Go, IO_NO_INCREMENT, FALSE);
        KeStallExecutionProcessor(2000);
        seenRaised = rival.Ran;
        KeLowerIrql(irql);
        CHECK_EQUAL(seenRaised, 0);
        CHECK_EQUAL(rival.Ran, 1); /* lowering switched to it before it returned */
        KtSay(Run, "the rival on CPU %lu ran: at DISPATCH_LEVEL %ld, after lowering %ld", rival.Cpu, seenRaised,
              rival.Ran);
    }
    KtJoin(thread);
    KeRevertToUserAffinityThread();
}

/* Two busy threads of one priority share a CPU by time slices, without ever waiting. */
typedef struct _BUSY
{
    volatile LONG *Stop;
    volatile LONG Rounds;
    ULONG Cpu;
} BUSY;

static VOID NTAPI StayBusy(PVOID Context)
{
    BUSY *busy = Context;

    KeSetSystemAffinityThread((KAFFINITY)1 << busy->Cpu);
    while (!*busy->Stop)
    {
        busy->Rounds++;
        YieldProcessor();
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestTimeSlices(KTEST_RUN *Run)
{
    volatile LONG stop = 0;
    BUSY busy[2] = {{.Stop = &stop}, {.Stop = &stop}};
    PETHREAD threads[2];
    ULONG tries = 0;

    for (ULONG i = 0; i < 2; i++)
    {
        busy[i].Cpu = KeNumberProcessors - 1;
        threads[i] = KtStart(Run, StayBusy, &busy[i]);
    }
    while ((busy[0].Rounds == 0 || busy[1].Rounds == 0) && tries++ < 2000)
    {
        KtSleep(5);
    }
    stop = 1;
    KtJoin(threads[0]);
    KtJoin(threads[1]);
    KtSay(Run, "two busy threads on one CPU made %ld and %ld rounds", busy[0].Rounds, busy[1].Rounds);
    CHECK(busy[0].Rounds > 0 && busy[1].Rounds > 0);
}

static VOID TestProcessors(KTEST_RUN *Run)
{
    KAFFINITY active;
    ULONG count = KeQueryActiveProcessorCount(&active);

    KtSay(Run, "%lu CPUs, mask 0x%I64X", count, (ULONG64)active);
    CHECK_EQUAL(count, (ULONG)KeNumberProcessors);
    CHECK_EQUAL(active, ((KAFFINITY)1 << count) - 1);
    for (ULONG cpu = 0; cpu < count; cpu++)
    {
        CHECK(KtRunOn(cpu));
        KtSleep(1);
        CHECK_EQUAL(KeGetCurrentProcessorNumber(), cpu);
    }
    KeRevertToUserAffinityThread();
}

VOID KtGroup_irql(KTEST_RUN *Run)
{
    TestLevels(Run);
    TestDpcsHeld(Run);
    TestPreemption(Run);
    TestTimeSlices(Run);
    TestProcessors(Run);
}
