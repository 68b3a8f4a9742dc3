/* SPDX-License-Identifier: MIT */
/* Timers: relative and absolute, notification and synchronization, periodic, with a DPC, set again and cancelled. */
#include "ktlib.h"

static VOID TestStates(KTEST_RUN *Run)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    KTIMER timer;

    KeInitializeTimer(&timer); /* a notification timer */
    CHECK(!KeReadStateTimer(&timer));
    CHECK(!KeCancelTimer(&timer));
    CHECK(!KeSetTimer(&timer, KtMilliseconds(60000), NULL)); /* returns: was it in the queue before? */
    CHECK(KeSetTimer(&timer, KtMilliseconds(60000), NULL));
    CHECK_STATUS(KeWaitForSingleObject(&timer, Executive, KernelMode, FALSE, &now), STATUS_TIMEOUT);
    CHECK(KeCancelTimer(&timer));
    CHECK(!KeCancelTimer(&timer));
    CHECK(!KeReadStateTimer(&timer));

    CHECK(!KeSetTimer(&timer, KtMilliseconds(5), NULL));
    CHECK_STATUS(KeWaitForSingleObject(&timer, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    CHECK(KeReadStateTimer(&timer)); /* stays signalled */
    CHECK(!KeCancelTimer(&timer));   /* expired: no longer in the queue */
    CHECK(KeReadStateTimer(&timer));
    CHECK(!KeSetTimer(&timer, KtMilliseconds(60000), NULL));
    CHECK(!KeReadStateTimer(&timer)); /* setting resets */
    CHECK(KeCancelTimer(&timer));

    KeInitializeTimerEx(&timer, SynchronizationTimer);
    KeSetTimer(&timer, KtMilliseconds(5), NULL);
    CHECK_STATUS(KeWaitForSingleObject(&timer, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    CHECK(!KeReadStateTimer(&timer)); /* taken by the wait */
}

static VOID TestDueTimes(KTEST_RUN *Run)
{
    ULONG64 tick = KeQueryTimeIncrement();
    LARGE_INTEGER due;
    ULONG64 before, after;
    KTIMER timer;

    KeInitializeTimer(&timer);
    before = KeQueryInterruptTime();
    KeSetTimer(&timer, KtMilliseconds(25), NULL);
    KeWaitForSingleObject(&timer, Executive, KernelMode, FALSE, NULL);
    after = KeQueryInterruptTime();
    KtSay(Run, "a timer of 25 ms took %I64u us; one tick is %I64u us", (after - before) / 10, tick / 10);
    CHECK(after - before >= 25 * 10000 - tick);

    KeQuerySystemTime(&due);
    before = KeQueryInterruptTime();
    due.QuadPart += 25 * 10000;
    CHECK(!KeSetTimer(&timer, due, NULL));
    CHECK_STATUS(KeWaitForSingleObject(&timer, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    after = KeQueryInterruptTime();
    CHECK(after - before >= 25 * 10000 - 2 * tick);

    due.QuadPart = 5; /* an absolute time long past, and a relative one of nothing: due at once */
    CHECK(!KeSetTimer(&timer, due, NULL));
    CHECK_STATUS(KeWaitForSingleObject(&timer, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    due.QuadPart = -1;
    KeSetTimer(&timer, due, NULL);
    CHECK_STATUS(KeWaitForSingleObject(&timer, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
}

typedef struct _FIRING
{
    KTIMER Timer;
    KDPC Dpc;
    KEVENT Enough;
    volatile LONG Count;
    LONG Wanted, Number;
    KIRQL Irql;
    ULONG Cpu;
    PVOID Seen;
} FIRING;

static volatile LONG FiringOrder[3], FiringNext;

static VOID NTAPI Fire(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    FIRING *firing = Context;

    firing->Irql = KeGetCurrentIrql();
    firing->Cpu = KeGetCurrentProcessorNumber();
    firing->Seen = Dpc;
    if (firing->Number < 3)
    {
        FiringOrder[InterlockedIncrement(&FiringNext) - 1] = firing->Number;
    }
    if (InterlockedIncrement(&firing->Count) == firing->Wanted)
    {
        KeSetEvent(&firing->Enough, IO_NO_INCREMENT, FALSE);
    }
}

static VOID PrepareFiring(FIRING *Firing, LONG Wanted, LONG Number)
{
    RtlZeroMemory(Firing, sizeof(*Firing));
    KeInitializeTimerEx(&Firing->Timer, NotificationTimer);
    KeInitializeDpc(&Firing->Dpc, Fire, Firing);
    KeInitializeEvent(&Firing->Enough, NotificationEvent, FALSE);
    Firing->Wanted = Wanted;
    Firing->Number = Number;
}

static VOID TestPeriodic(KTEST_RUN *Run)
{
    ULONG64 before, after;
    FIRING firing;
    LONG count;

    PrepareFiring(&firing, 5, 99);
    before = KeQueryInterruptTime();
    CHECK(!KeSetTimerEx(&firing.Timer, KtMilliseconds(4), 4, &firing.Dpc));
    CHECK_STATUS(KeWaitForSingleObject(&firing.Enough, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    after = KeQueryInterruptTime();
    CHECK(KeCancelTimer(&firing.Timer)); /* a periodic timer is always in the queue */
    KeFlushQueuedDpcs();
    count = firing.Count;
    KtSleep(20);
    KtSay(Run, "a periodic timer fired %ld times in %I64u us, at IRQL %d on CPU %lu", count, (after - before) / 10,
          firing.Irql, firing.Cpu);
    CHECK(count >= 5);
    CHECK_EQUAL(firing.Count, count); /* none after cancel and flush */
    CHECK_EQUAL(firing.Irql, DISPATCH_LEVEL);
    CHECK(firing.Seen == &firing.Dpc);
    CHECK(!KeCancelTimer(&firing.Timer));
}

static VOID TestOrder(KTEST_RUN *Run)
{
    static FIRING firings[3];

    FiringNext = 0;
    for (LONG i = 0; i < 3; i++)
    {
        PrepareFiring(&firings[i], 1, i);
        KeSetTargetProcessorDpc(&firings[i].Dpc, 0); /* one queue, so that the order can be told */
    }
    KeSetTimer(&firings[2].Timer, KtMilliseconds(90), &firings[2].Dpc);
    KeSetTimer(&firings[0].Timer, KtMilliseconds(10), &firings[0].Dpc);
    KeSetTimer(&firings[1].Timer, KtMilliseconds(50), &firings[1].Dpc);
    for (LONG i = 0; i < 3; i++)
    {
        CHECK_STATUS(KeWaitForSingleObject(&firings[i].Enough, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    }
    KtSay(Run, "timers of 10, 50 and 90 ms fired in the order %ld %ld %ld", FiringOrder[0], FiringOrder[1],
          FiringOrder[2]);
    CHECK(FiringOrder[0] == 0 && FiringOrder[1] == 1 && FiringOrder[2] == 2);
    KeFlushQueuedDpcs();
}

/* Many timers, set and cancelled at random from both CPUs; none may fire after its cancellation, none may be lost. */
#define MANY 64

static VOID NTAPI CountOne(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    InterlockedIncrement((volatile LONG *)Context);
}

static VOID TestMany(KTEST_RUN *Run)
{
    struct
    {
        KTIMER Timer;
        KDPC Dpc;
    } *many = ExAllocatePoolWithTag(NonPagedPool, MANY * sizeof(*many), KT_TAG);
    volatile LONG fired = 0;
    LONG cancelled = 0;
    ULONG seed = 12345;

    CHECK(many != NULL);
    if (many == NULL)
    {
        return;
    }
    for (ULONG i = 0; i < MANY; i++)
    {
        KeInitializeTimer(&many[i].Timer);
        KeInitializeDpc(&many[i].Dpc, CountOne, (PVOID)&fired);
        if (i % 2 != 0)
        {
            KeSetTargetProcessorDpc(&many[i].Dpc, (CCHAR)(i / 2 % KeNumberProcessors));
        }
        KeSetTimer(&many[i].Timer, KtMilliseconds(5 + (LONG)(KtRandom(&seed) % 40)), &many[i].Dpc);
    }
    KtSleep(10);
    for (ULONG i = 0; i < MANY; i += 3)
    {
        cancelled += KeCancelTimer(&many[i].Timer);
    }
    KtUntil(&fired, MANY - cancelled);
    KtSleep(20);
    KeFlushQueuedDpcs();
    KtSay(Run, "of %u timers %ld were cancelled in time and %ld fired", MANY, cancelled, fired);
    CHECK_EQUAL(fired + cancelled, MANY);
    ExFreePoolWithTag(many, KT_TAG);
}

VOID KtGroup_timers(KTEST_RUN *Run)
{
    TestStates(Run);
    TestDueTimes(Run);
    TestPeriodic(Run);
    TestOrder(Run);
    TestMany(Run);
}
