/* SPDX-License-Identifier: MIT */
/* DPCs: when and where they run, their order, their arguments, other CPUs, flushing. */
#include "ktlib.h"

#define MAX_RUNS 16

typedef struct _TRACE
{
    volatile LONG Runs;
    PVOID Who[MAX_RUNS];
    PVOID Argument1, Argument2, Context;
    KIRQL Irql;
    ULONG Cpu;
} TRACE;

static TRACE Trace; /* of the test that runs; ktest.exe runs one group at a time */

static VOID NTAPI Record(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    LONG place = InterlockedIncrement(&Trace.Runs) - 1;

    if (place < MAX_RUNS)
    {
        Trace.Who[place] = Dpc;
    }
    Trace.Context = Context;
    Trace.Argument1 = Argument1;
    Trace.Argument2 = Argument2;
    Trace.Irql = KeGetCurrentIrql();
    Trace.Cpu = KeGetCurrentProcessorNumber();
}

static VOID TestOnce(KTEST_RUN *Run)
{
    KDPC dpc;
    KIRQL irql;

    RtlZeroMemory(&Trace, sizeof(Trace));
    KeInitializeDpc(&dpc, Record, &dpc);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    CHECK(KeInsertQueueDpc(&dpc, (PVOID)0x1111, (PVOID)0x2222));
    CHECK(!KeInsertQueueDpc(&dpc, (PVOID)0x3333, (PVOID)0x4444)); /* queued already: arguments stay */
    CHECK_EQUAL(Trace.Runs, 0);                                   /* not before the IRQL falls */
    KeLowerIrql(irql);
    KeFlushQueuedDpcs();
    KtSay(Run, "a DPC ran at IRQL %d on CPU %lu", Trace.Irql, Trace.Cpu);
    CHECK_EQUAL(Trace.Runs, 1);
    CHECK_EQUAL(Trace.Irql, DISPATCH_LEVEL);
    CHECK(Trace.Context == &dpc && Trace.Argument1 == (PVOID)0x1111 && Trace.Argument2 == (PVOID)0x2222);

    /* Removed before it ran: it does not run; it may be queued again. */
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    CHECK(KeInsertQueueDpc(&dpc, NULL, NULL));
    CHECK(KeRemoveQueueDpc(&dpc));
    CHECK(!KeRemoveQueueDpc(&dpc));
    KeLowerIrql(irql);
    KeFlushQueuedDpcs();
    CHECK_EQUAL(Trace.Runs, 1);
    CHECK(KeInsertQueueDpc(&dpc, NULL, NULL));
    KeFlushQueuedDpcs();
    CHECK_EQUAL(Trace.Runs, 2);
}

/* First come, first served; high importance goes to the front. */
static VOID TestOrder(KTEST_RUN *Run)
{
    KDPC dpcs[4];
    KIRQL irql;
    static const ULONG expected[4] = {2, 0, 1, 3};

    RtlZeroMemory(&Trace, sizeof(Trace));
    for (ULONG i = 0; i < 4; i++)
    {
        KeInitializeDpc(&dpcs[i], Record, NULL);
    }
    KeSetImportanceDpc(&dpcs[2], HighImportance);
    KeRaiseIrql(HIGH_LEVEL, &irql); /* no interrupt may drain the queue half-way */
    for (ULONG i = 0; i < 4; i++)
    {
        CHECK(KeInsertQueueDpc(&dpcs[i], NULL, NULL));
    }
    KeLowerIrql(irql);
    KeFlushQueuedDpcs();
    CHECK_EQUAL(Trace.Runs, 4);
    for (ULONG i = 0; i < 4; i++)
    {
        KtSay(Run, "DPC %lu ran as number %lu", (ULONG)((PKDPC)Trace.Who[i] - dpcs), i);
        CHECK(Trace.Who[i] == &dpcs[expected[i]]);
    }
}

static VOID TestLowImportance(KTEST_RUN *Run)
{
    KDPC dpc;

    RtlZeroMemory(&Trace, sizeof(Trace));
    KeInitializeDpc(&dpc, Record, NULL);
    KeSetImportanceDpc(&dpc, LowImportance);
    CHECK(KeInsertQueueDpc(&dpc, NULL, NULL));
    CHECK(KtUntil(&Trace.Runs, 1)); /* low importance may wait for the clock, but not for ever */
}

static VOID TestTargets(KTEST_RUN *Run)
{
    ULONG cpus = KeNumberProcessors;

    for (ULONG cpu = 0; cpu < cpus; cpu++)
    {
        KDPC dpc;

        RtlZeroMemory(&Trace, sizeof(Trace));
        Trace.Cpu = MAXULONG;
        KeInitializeDpc(&dpc, Record, NULL);
        KeSetTargetProcessorDpc(&dpc, (CCHAR)cpu);
        KeSetImportanceDpc(&dpc, MediumHighImportance);
        CHECK(KeInsertQueueDpc(&dpc, NULL, NULL));
        KeFlushQueuedDpcs();
        KtSay(Run, "a DPC for CPU %lu ran on CPU %lu; its queuer runs on CPU %lu", cpu, Trace.Cpu,
              KeGetCurrentProcessorNumber());
        CHECK_EQUAL(Trace.Runs, 1);
        CHECK_EQUAL(Trace.Cpu, cpu);
        CHECK_EQUAL(Trace.Irql, DISPATCH_LEVEL);
    }
}

typedef struct _CHAIN
{
    KDPC Dpc;
    KEVENT Done;
    volatile LONG Left, Runs;
} CHAIN;

/* A DPC may queue itself again, and may set events. */
static VOID NTAPI RunAgain(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CHAIN *chain = Context;

    chain->Runs++;
    if (--chain->Left > 0)
    {
        KeInsertQueueDpc(Dpc, Argument1, Argument2);
    }
    else
    {
        KeSetEvent(&chain->Done, IO_NO_INCREMENT, FALSE);
    }
}

static VOID TestChain(KTEST_RUN *Run)
{
    CHAIN chain = {.Left = 100};

    KeInitializeEvent(&chain.Done, NotificationEvent, FALSE);
    KeInitializeDpc(&chain.Dpc, RunAgain, &chain);
    CHECK(KeInsertQueueDpc(&chain.Dpc, NULL, NULL));
    CHECK_STATUS(KeWaitForSingleObject(&chain.Done, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    KeFlushQueuedDpcs();
    CHECK_EQUAL(chain.Runs, 100);
}

/* A threaded or normal DPC interrupts a busy thread: the thread sees it happen without ever waiting. */
static VOID TestInterrupts(KTEST_RUN *Run)
{
    KDPC dpc;
    ULONG64 spins = 0;

    if (KeNumberProcessors < 2)
    {
        KtSay(Run, "one CPU: no DPC from another CPU can interrupt this thread");
        return;
    }
    RtlZeroMemory(&Trace, sizeof(Trace));
    CHECK(KtRunOn(0));
    KeInitializeDpc(&dpc, Record, NULL);
    KeSetTargetProcessorDpc(&dpc, 1);
    KeSetImportanceDpc(&dpc, HighImportance);
    CHECK(KeInsertQueueDpc(&dpc, NULL, NULL));
    while (Trace.Runs == 0 && spins < 2000000000ULL)
    {
        spins++;
        YieldProcessor();
    }
    KtSay(Run, "a high-importance DPC on the other CPU ran within %I64u spins", spins);
    CHECK_EQUAL(Trace.Runs, 1);
    KeRevertToUserAffinityThread();
    KeFlushQueuedDpcs();
}

VOID KtGroup_dpcs(KTEST_RUN *Run)
{
    TestOnce(Run);
    TestOrder(Run);
    TestLowImportance(Run);
    TestTargets(Run);
    TestChain(Run);
    TestInterrupts(Run);
}
