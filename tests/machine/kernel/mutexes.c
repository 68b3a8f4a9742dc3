/* SPDX-License-Identifier: MIT */
/* Kernel mutexes: recursion, the effect on APCs, wrong owners, and mutual exclusion of threads on all CPUs. */
#include "ktlib.h"

#define ROUNDS 400
#define WORKERS 3

static VOID TestRecursion(KTEST_RUN *Run)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    KMUTEX mutex;

    KeInitializeMutex(&mutex, 0);
    CHECK_EQUAL((LONG)KeReadStateMutex(&mutex), 1);
    CHECK(!KeAreApcsDisabled());
    CHECK_STATUS(KeWaitForSingleObject(&mutex, Executive, KernelMode, FALSE, &now), STATUS_SUCCESS);
    CHECK_EQUAL((LONG)KeReadStateMutex(&mutex), 0);
    CHECK(KeAreApcsDisabled()); /* an owner of a KMUTEX takes no normal kernel APCs */
    CHECK_STATUS(KeWaitForSingleObject(&mutex, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    CHECK_STATUS(KeWaitForSingleObject(&mutex, Executive, KernelMode, FALSE, &now), STATUS_SUCCESS);
    CHECK_EQUAL((LONG)KeReadStateMutex(&mutex), -2);

    /* A release returns the state before it: 0 says that this one freed the mutex. */
    CHECK_EQUAL((LONG)KeReleaseMutex(&mutex, FALSE), -2);
    CHECK_EQUAL((LONG)KeReleaseMutex(&mutex, FALSE), -1);
    CHECK(KeAreApcsDisabled());
    CHECK_EQUAL((LONG)KeReleaseMutex(&mutex, FALSE), 0);
    CHECK_EQUAL((LONG)KeReadStateMutex(&mutex), 1);
    CHECK(!KeAreApcsDisabled());
}

typedef struct _OWNER
{
    KMUTEX Mutex;
    KEVENT Owned, Release;
    NTSTATUS WrongRelease, TimedOut, SecondWait;
    LONG StateSeen;
} OWNER;

static VOID NTAPI HoldMutex(PVOID Context)
{
    OWNER *owner = Context;

    KeWaitForSingleObject(&owner->Mutex, Executive, KernelMode, FALSE, NULL);
    KeSetEvent(&owner->Owned, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(&owner->Release, Executive, KernelMode, FALSE, NULL);
    owner->StateSeen = KeReadStateMutex(&owner->Mutex);
    KeReleaseMutex(&owner->Mutex, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestWrongOwner(KTEST_RUN *Run)
{
    LARGE_INTEGER soon = KtMilliseconds(10);
    OWNER owner = {.StateSeen = 99};
    PETHREAD thread;
    NTSTATUS raised;

    KeInitializeMutex(&owner.Mutex, 0);
    KeInitializeEvent(&owner.Owned, NotificationEvent, FALSE);
    KeInitializeEvent(&owner.Release, NotificationEvent, FALSE);

    raised = KT_RAISED(KeReleaseMutex(&owner.Mutex, FALSE));
    KtSay(Run, "release of a mutex nobody owns raised 0x%08lX", raised);
    CHECK_STATUS(raised, STATUS_MUTANT_NOT_OWNED);

    thread = KtStart(Run, HoldMutex, &owner);
    if (thread == NULL)
    {
        return;
    }
    KeWaitForSingleObject(&owner.Owned, Executive, KernelMode, FALSE, NULL);
    CHECK_STATUS(KT_RAISED(KeReleaseMutex(&owner.Mutex, FALSE)), STATUS_MUTANT_NOT_OWNED);
    CHECK_EQUAL((LONG)KeReadStateMutex(&owner.Mutex), 0);
    CHECK_STATUS(KeWaitForSingleObject(&owner.Mutex, Executive, KernelMode, FALSE, &soon), STATUS_TIMEOUT);
    CHECK(!KeAreApcsDisabled()); /* a wait that got nothing disables nothing */
    KeSetEvent(&owner.Release, IO_NO_INCREMENT, FALSE);
    CHECK_STATUS(KeWaitForSingleObject(&owner.Mutex, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    KeReleaseMutex(&owner.Mutex, FALSE);
    KtJoin(thread);
    CHECK_EQUAL(owner.StateSeen, 0);
}

typedef struct _SHARED
{
    KMUTEX Mutex;
    volatile ULONG First, Second; /* always equal outside the mutex */
    volatile LONG Torn, Inside, Overlaps;
    volatile LONG Cpus;
} SHARED;

static VOID NTAPI CountUnderMutex(PVOID Context)
{
    SHARED *shared = Context;

    for (ULONG i = 0; i < ROUNDS; i++)
    {
        KeWaitForSingleObject(&shared->Mutex, Executive, KernelMode, FALSE, NULL);
        if (InterlockedIncrement(&shared->Inside) != 1)
        {
            InterlockedIncrement(&shared->Overlaps);
        }
        if (shared->First != shared->Second)
        {
            InterlockedIncrement(&shared->Torn);
        }
        shared->First++;
        InterlockedOr(&shared->Cpus, 1 << KeGetCurrentProcessorNumber());
        if (i % 64 == 0)
        {
            ZwYieldExecution();
        }
        shared->Second++;
        InterlockedDecrement(&shared->Inside);
        KeReleaseMutex(&shared->Mutex, FALSE);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestExclusion(KTEST_RUN *Run)
{
    SHARED shared = {.Torn = 0};
    PETHREAD threads[WORKERS];

    KeInitializeMutex(&shared.Mutex, 0);
    for (ULONG i = 0; i < WORKERS; i++)
    {
        threads[i] = KtStart(Run, CountUnderMutex, &shared);
    }
    for (ULONG i = 0; i < WORKERS; i++)
    {
        KtJoin(threads[i]);
    }
    KtSay(Run, "%lu threads counted to %lu and %lu under one mutex, on CPUs 0x%lX; overlaps %ld, torn reads %ld",
          WORKERS, shared.First, shared.Second, shared.Cpus, shared.Overlaps, shared.Torn);
    CHECK_EQUAL(shared.First, WORKERS * ROUNDS);
    CHECK_EQUAL(shared.Second, WORKERS * ROUNDS);
    CHECK_EQUAL(shared.Overlaps, 0);
    CHECK_EQUAL(shared.Torn, 0);
}

/* Two mutexes at once: both or none. */
static VOID TestPair(KTEST_RUN *Run)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    OWNER owner = {0};
    KMUTEX other;
    PVOID objects[2] = {&other, &owner.Mutex};
    PETHREAD thread;

    KeInitializeMutex(&other, 0);
    KeInitializeMutex(&owner.Mutex, 0);
    KeInitializeEvent(&owner.Owned, NotificationEvent, FALSE);
    KeInitializeEvent(&owner.Release, NotificationEvent, FALSE);
    thread = KtStart(Run, HoldMutex, &owner);
    if (thread == NULL)
    {
        return;
    }
    KeWaitForSingleObject(&owner.Owned, Executive, KernelMode, FALSE, NULL);
    CHECK_STATUS(KeWaitForMultipleObjects(2, objects, WaitAll, Executive, KernelMode, FALSE, &now, NULL),
                 STATUS_TIMEOUT);
    CHECK_EQUAL((LONG)KeReadStateMutex(&other), 1);
    CHECK_STATUS(KeWaitForMultipleObjects(2, objects, WaitAny, Executive, KernelMode, FALSE, &now, NULL),
                 STATUS_WAIT_0);
    CHECK_EQUAL((LONG)KeReleaseMutex(&other, FALSE), 0);
    KeSetEvent(&owner.Release, IO_NO_INCREMENT, FALSE);
    CHECK_STATUS(KeWaitForMultipleObjects(2, objects, WaitAll, Executive, KernelMode, FALSE, NULL, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL((LONG)KeReadStateMutex(&other), 0);
    CHECK_EQUAL((LONG)KeReadStateMutex(&owner.Mutex), 0);
    CHECK_EQUAL((LONG)KeReleaseMutex(&other, FALSE), 0);
    CHECK_EQUAL((LONG)KeReleaseMutex(&owner.Mutex, FALSE), 0);
    CHECK(!KeAreApcsDisabled());
    KtJoin(thread);
}

VOID KtGroup_mutexes(KTEST_RUN *Run)
{
    TestRecursion(Run);
    TestWrongOwner(Run);
    TestExclusion(Run);
    TestPair(Run);
}
