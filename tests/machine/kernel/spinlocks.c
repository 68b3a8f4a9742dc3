/* SPDX-License-Identifier: MIT */
/* Spin locks: plain, in-stack queued, reader-writer; IRQL on each side, and exclusion between the CPUs. */
#include "ktlib.h"

#define LEAST_ROUNDS 3000
#define MOST_ROUNDS 300000
#define ENOUGH_MEETINGS 5
#define MAX_CPUS 4

typedef struct _GUARDED
{
    KSPIN_LOCK Lock;
    LONG RwLock;
    volatile LONG Started, Wanted;  /* all begin together */
    volatile ULONG64 First, Second; /* equal whenever the lock is free */
    volatile LONG Torn, Contended, WrongIrql;
    volatile LONG Readers, ReadersTogether;
    volatile LONG Wanting; /* CPUs that wait for the lock */
} GUARDED;

typedef struct _WORKER
{
    GUARDED *Guarded;
    ULONG Cpu;
    ULONG Changes;
} WORKER;

static VOID Begin(WORKER *Worker)
{
    KeSetSystemAffinityThread((KAFFINITY)1 << Worker->Cpu);
    InterlockedIncrement(&Worker->Guarded->Started);
    while (Worker->Guarded->Started < Worker->Guarded->Wanted)
    {
        YieldProcessor();
    }
}

/* The CPUs go on until they have met at the lock some times; with one CPU, or a busy host, not for ever. */
static BOOLEAN GoOn(GUARDED *Guarded, ULONG Rounds)
{
    return Rounds < LEAST_ROUNDS ||
           (Guarded->Wanted > 1 && Guarded->Contended < ENOUGH_MEETINGS && Rounds < MOST_ROUNDS);
}

static VOID Want(GUARDED *Guarded)
{
    InterlockedIncrement(&Guarded->Wanting);
}

static VOID Change(WORKER *Worker)
{
    GUARDED *Guarded = Worker->Guarded;

    InterlockedDecrement(&Guarded->Wanting);
    if (Guarded->First != Guarded->Second)
    {
        InterlockedIncrement(&Guarded->Torn);
    }
    if (KeGetCurrentIrql() != DISPATCH_LEVEL)
    {
        InterlockedIncrement(&Guarded->WrongIrql);
    }
    Guarded->First++;
    for (volatile ULONG i = 0; i < 20; i++)
    {
    }
    Guarded->Second++;
    Worker->Changes++;
    Guarded->Contended += Guarded->Wanting != 0; /* someone waits while this CPU is inside */
}

static VOID NTAPI UsePlain(PVOID Context)
{
    GUARDED *guarded = ((WORKER *)Context)->Guarded;
    KIRQL irql;

    Begin(Context);
    for (ULONG i = 0; GoOn(guarded, i); i++)
    {
        Want(guarded);
        KeAcquireSpinLock(&guarded->Lock, &irql);
        Change(Context);
        KeReleaseSpinLock(&guarded->Lock, irql);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI UseQueued(PVOID Context)
{
    GUARDED *guarded = ((WORKER *)Context)->Guarded;
    KLOCK_QUEUE_HANDLE handle;

    Begin(Context);
    for (ULONG i = 0; GoOn(guarded, i); i++)
    {
        Want(guarded);
        KeAcquireInStackQueuedSpinLock(&guarded->Lock, &handle);
        Change(Context);
        KeReleaseInStackQueuedSpinLock(&handle);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* Both sorts of reader-writer access; every fourth round writes. */
static VOID NTAPI UseReaderWriter(PVOID Context)
{
    GUARDED *guarded = ((WORKER *)Context)->Guarded;
    KIRQL irql;

    Begin(Context);
    for (ULONG i = 0; GoOn(guarded, i); i++)
    {
        if (i % 4 == 0)
        {
            Want(guarded);
            irql = ExAcquireSpinLockExclusive(&guarded->RwLock);
            if (guarded->Readers != 0)
            {
                InterlockedIncrement(&guarded->Torn);
            }
            Change(Context);
            ExReleaseSpinLockExclusive(&guarded->RwLock, irql);
            continue;
        }
        irql = ExAcquireSpinLockShared(&guarded->RwLock);
        if (InterlockedIncrement(&guarded->Readers) > 1)
        {
            InterlockedIncrement(&guarded->ReadersTogether);
        }
        if (guarded->First != guarded->Second)
        {
            InterlockedIncrement(&guarded->Torn);
        }
        InterlockedDecrement(&guarded->Readers);
        ExReleaseSpinLockShared(&guarded->RwLock, irql);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID RunWorkers(KTEST_RUN *Run, PCSTR What, PKSTART_ROUTINE Routine)
{
    ULONG cpus = min((ULONG)KeNumberProcessors, MAX_CPUS);
    GUARDED guarded = {.Wanted = (LONG)cpus};
    WORKER workers[MAX_CPUS];
    PETHREAD threads[MAX_CPUS];
    ULONG64 changes = 0;

    KeInitializeSpinLock(&guarded.Lock);
    for (ULONG i = 0; i < cpus; i++)
    {
        workers[i] = (WORKER){&guarded, i, 0};
        threads[i] = KtStart(Run, Routine, &workers[i]);
        if (threads[i] == NULL)
        {
            InterlockedDecrement(&guarded.Wanted);
        }
    }
    for (ULONG i = 0; i < cpus; i++)
    {
        KtJoin(threads[i]);
        CHECK(workers[i].Changes >= LEAST_ROUNDS / 4);
        changes += workers[i].Changes;
    }
    KtSay(Run,
          "%s on %lu CPUs: %I64u changes counted as %I64u and %I64u; waited for %ld times, readers together %ld times",
          What, cpus, changes, guarded.First, guarded.Second, guarded.Contended, guarded.ReadersTogether);
    CHECK_EQUAL(guarded.First, changes);
    CHECK_EQUAL(guarded.Second, changes);
    CHECK_EQUAL(guarded.Torn, 0);
    CHECK_EQUAL(guarded.WrongIrql, 0);
}

static VOID TestSingle(KTEST_RUN *Run)
{
    KLOCK_QUEUE_HANDLE handle;
    KSPIN_LOCK lock;
    KIRQL irql;

    KeInitializeSpinLock(&lock);
    CHECK(KeTestSpinLock(&lock));
    KeAcquireSpinLock(&lock, &irql);
    CHECK_EQUAL(irql, PASSIVE_LEVEL);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    CHECK(!KeTestSpinLock(&lock));
    CHECK(!KeTryToAcquireSpinLockAtDpcLevel(&lock));
    KeReleaseSpinLockFromDpcLevel(&lock);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    CHECK(KeTryToAcquireSpinLockAtDpcLevel(&lock));
    KeReleaseSpinLock(&lock, irql);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
    CHECK(KeTestSpinLock(&lock));

    KeAcquireInStackQueuedSpinLock(&lock, &handle);
    CHECK_EQUAL(handle.OldIrql, PASSIVE_LEVEL);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    CHECK(!KeTestSpinLock(&lock));
    KeReleaseInStackQueuedSpinLock(&handle);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
    CHECK(KeTestSpinLock(&lock));
}

static VOID TestReaderWriterSingle(KTEST_RUN *Run)
{
    LONG lock = 0;
    KIRQL irql = ExAcquireSpinLockShared(&lock);

    CHECK_EQUAL(irql, PASSIVE_LEVEL);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    CHECK(lock != 0);
    CHECK(ExTryConvertSharedSpinLockExclusive(&lock)); /* the only reader */
    ExReleaseSpinLockExclusive(&lock, irql);
    CHECK_EQUAL(lock, 0);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

typedef struct _SECOND_READER
{
    LONG Lock;
    volatile LONG Inside, Leave;
} SECOND_READER;

static VOID NTAPI ReadToo(PVOID Context)
{
    SECOND_READER *second = Context;
    KIRQL irql;

    KeSetSystemAffinityThread((KAFFINITY)1 << 1);
    irql = ExAcquireSpinLockShared(&second->Lock);
    InterlockedExchange(&second->Inside, 1);
    while (!second->Leave)
    {
        YieldProcessor();
    }
    ExReleaseSpinLockShared(&second->Lock, irql);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* Two readers are inside together on two CPUs, and then neither can become the writer. */
static VOID TestTwoReaders(KTEST_RUN *Run)
{
    SECOND_READER second = {.Lock = 0};
    PETHREAD thread;
    LOGICAL converted;
    LONG inside;
    KIRQL irql;

    if (KeNumberProcessors < 2)
    {
        KtSay(Run, "one CPU: two readers cannot hold the lock at once");
        return;
    }
    CHECK(KtRunOn(0));
    thread = KtStart(Run, ReadToo, &second);
    if (thread == NULL)
    {
        return;
    }
    irql = ExAcquireSpinLockShared(&second.Lock);
    for (ULONG64 i = 0; i < 2000000000ULL && !second.Inside; i++)
    {
        YieldProcessor();
    }
    inside = second.Inside;
    converted = ExTryConvertSharedSpinLockExclusive(&second.Lock);
    second.Leave = 1;
    ExReleaseSpinLockShared(&second.Lock, irql);
    CHECK_EQUAL(inside, 1);
    CHECK_EQUAL(converted, FALSE);
    KtJoin(thread);
    CHECK_EQUAL(second.Lock, 0);
    KeRevertToUserAffinityThread();
}

VOID KtGroup_spinlocks(KTEST_RUN *Run)
{
    TestSingle(Run);
    TestReaderWriterSingle(Run);
    TestTwoReaders(Run);
    RunWorkers(Run, "plain spin lock", UsePlain);
    RunWorkers(Run, "in-stack queued spin lock", UseQueued);
    RunWorkers(Run, "reader-writer spin lock", UseReaderWriter);
}
