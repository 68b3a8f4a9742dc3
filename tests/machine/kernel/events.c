/* SPDX-License-Identifier: MIT */
/* Events, and waits on them: satisfied, timed out, by a second thread, any and all of several. */
#include "ktlib.h"

static VOID TestStates(KTEST_RUN *Run)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    KEVENT notification, synchronization;

    KeInitializeEvent(&notification, NotificationEvent, FALSE);
    KeInitializeEvent(&synchronization, SynchronizationEvent, TRUE);
    CHECK_EQUAL(KeReadStateEvent(&notification), 0);
    CHECK_EQUAL(KeReadStateEvent(&synchronization), 1);
    CHECK_EQUAL(KeSetEvent(&notification, IO_NO_INCREMENT, FALSE), 0);
    CHECK_EQUAL(KeSetEvent(&notification, IO_NO_INCREMENT, FALSE), 1);

    /* A satisfied wait leaves a notification event set and takes a synchronization event. */
    CHECK_STATUS(KeWaitForSingleObject(&notification, Executive, KernelMode, FALSE, &now), STATUS_SUCCESS);
    CHECK_EQUAL(KeReadStateEvent(&notification), 1);
    CHECK_STATUS(KeWaitForSingleObject(&synchronization, Executive, KernelMode, FALSE, &now), STATUS_SUCCESS);
    CHECK_EQUAL(KeReadStateEvent(&synchronization), 0);
    CHECK_STATUS(KeWaitForSingleObject(&synchronization, Executive, KernelMode, FALSE, &now), STATUS_TIMEOUT);
    CHECK_EQUAL(KeResetEvent(&notification), 1);
    CHECK_EQUAL(KeReadStateEvent(&notification), 0);
}

static VOID TestTimeout(KTEST_RUN *Run)
{
    LARGE_INTEGER wait = KtMilliseconds(20);
    ULONG64 before, after;
    KEVENT event;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    before = KeQueryInterruptTime();
    CHECK_STATUS(KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, &wait), STATUS_TIMEOUT);
    after = KeQueryInterruptTime();
    KtSay(Run, "a wait of 20 ms ended after %I64u us", (after - before) / 10);
    CHECK(after - before >= 20 * 10000 - KeQueryTimeIncrement()); /* never early by more than a tick; late is allowed */
}

typedef struct _PAIR
{
    KEVENT Go, Done;
    ULONG Cpu;
} PAIR;

static VOID NTAPI SetDone(PVOID Context)
{
    PAIR *pair = Context;

    KeWaitForSingleObject(&pair->Go, Executive, KernelMode, FALSE, NULL);
    pair->Cpu = KeGetCurrentProcessorNumber();
    KeSetEvent(&pair->Done, IO_NO_INCREMENT, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestThreads(KTEST_RUN *Run)
{
    PETHREAD thread;
    PAIR pair;

    KeInitializeEvent(&pair.Go, SynchronizationEvent, FALSE);
    KeInitializeEvent(&pair.Done, NotificationEvent, FALSE);
    thread = KtStart(Run, SetDone, &pair);
    if (thread == NULL)
    {
        return;
    }
    KeSetEvent(&pair.Go, IO_NO_INCREMENT, FALSE);
    CHECK_STATUS(KeWaitForSingleObject(&pair.Done, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
    KtJoin(thread);
    KtSay(Run, "the second thread ran on CPU %lu, this one runs on CPU %lu", pair.Cpu, KeGetCurrentProcessorNumber());
}

static VOID TestMultiple(KTEST_RUN *Run)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    KEVENT events[3];
    PVOID objects[3];

    for (ULONG i = 0; i < 3; i++)
    {
        KeInitializeEvent(&events[i], SynchronizationEvent, FALSE);
        objects[i] = &events[i];
    }
    CHECK_STATUS(KeWaitForMultipleObjects(3, objects, WaitAny, Executive, KernelMode, FALSE, &now, NULL),
                 STATUS_TIMEOUT);
    KeSetEvent(&events[2], IO_NO_INCREMENT, FALSE);
    KeSetEvent(&events[1], IO_NO_INCREMENT, FALSE);
    CHECK_STATUS(KeWaitForMultipleObjects(3, objects, WaitAny, Executive, KernelMode, FALSE, &now, NULL),
                 STATUS_WAIT_1);
    CHECK_EQUAL(KeReadStateEvent(&events[1]), 0);
    CHECK_EQUAL(KeReadStateEvent(&events[2]), 1);

    /* WaitAll takes all or none. */
    KeSetEvent(&events[0], IO_NO_INCREMENT, FALSE);
    CHECK_STATUS(KeWaitForMultipleObjects(3, objects, WaitAll, Executive, KernelMode, FALSE, &now, NULL),
                 STATUS_TIMEOUT);
    CHECK_EQUAL(KeReadStateEvent(&events[0]), 1);
    KeSetEvent(&events[1], IO_NO_INCREMENT, FALSE);
    CHECK_STATUS(KeWaitForMultipleObjects(3, objects, WaitAll, Executive, KernelMode, FALSE, &now, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(KeReadStateEvent(&events[0]) + KeReadStateEvent(&events[1]) + KeReadStateEvent(&events[2]), 0);
}

VOID KtGroup_events(KTEST_RUN *Run)
{
    TestStates(Run);
    TestTimeout(Run);
    TestThreads(Run);
    TestMultiple(Run);
}
