/* SPDX-License-Identifier: MIT */
/* Waits themselves: time-outs, alerts, wait-all and wait-any over many and mixed objects, order of waiters, pulses. */
#include "ktlib.h"

static VOID TestTimeouts(KTEST_RUN *Run)
{
    LARGE_INTEGER zero = {.QuadPart = 0}, time;
    ULONG64 before, after;
    KEVENT never;
    KIRQL irql;

    KeInitializeEvent(&never, NotificationEvent, FALSE);

    /* Absolute: a point of the system time. */
    before = KeQueryInterruptTime(); /* first: a host that stops us in between must not shorten what is measured */
    KeQuerySystemTime(&time);
    time.QuadPart += 20 * 10000;
    CHECK_STATUS(KeWaitForSingleObject(&never, Executive, KernelMode, FALSE, &time), STATUS_TIMEOUT);
    after = KeQueryInterruptTime();
    KtSay(Run, "an absolute time-out in 20 ms came after %I64u us", (after - before) / 10);
    CHECK(after - before >= 20 * 10000 - 2 * (ULONG64)KeQueryTimeIncrement());

    time.QuadPart = 1; /* long past */
    CHECK_STATUS(KeWaitForSingleObject(&never, Executive, KernelMode, FALSE, &time), STATUS_TIMEOUT);

    /* No time-out at all is allowed at DISPATCH_LEVEL. */
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    CHECK_STATUS(KeWaitForSingleObject(&never, Executive, KernelMode, FALSE, &zero), STATUS_TIMEOUT);
    KeSetEvent(&never, IO_NO_INCREMENT, FALSE);
    CHECK_STATUS(KeWaitForSingleObject(&never, Executive, KernelMode, FALSE, &zero), STATUS_SUCCESS);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    KeLowerIrql(irql);

    before = KeQueryInterruptTime();
    time = KtMilliseconds(15);
    CHECK_STATUS(KeDelayExecutionThread(KernelMode, FALSE, &time), STATUS_SUCCESS);
    after = KeQueryInterruptTime();
    CHECK(after - before >= 15 * 10000 - (ULONG64)KeQueryTimeIncrement());
}

typedef struct _SLEEPER
{
    KEVENT Event, Ready, Second;
    volatile LONG Done;
    KPROCESSOR_MODE Mode;
    BOOLEAN Alertable;
    LONG TimeoutMs;
    NTSTATUS Status, SecondStatus;
} SLEEPER;

static VOID NTAPI Sleep(PVOID Context)
{
    SLEEPER *sleeper = Context;
    LARGE_INTEGER time = KtMilliseconds(sleeper->TimeoutMs);
    LARGE_INTEGER now = {.QuadPart = 0};

    KeSetEvent(&sleeper->Ready, IO_NO_INCREMENT, FALSE);
    sleeper->Status = KeWaitForSingleObject(&sleeper->Event, Executive, sleeper->Mode, sleeper->Alertable, &time);
    sleeper->Done = 1;
    KeWaitForSingleObject(&sleeper->Second, Executive, KernelMode, FALSE, NULL);
    sleeper->SecondStatus = KeWaitForSingleObject(&sleeper->Event, Executive, sleeper->Mode, TRUE, &now);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* Starts a sleeper, alerts it in KernelMode, and collects what its two waits returned. */
static VOID AlertSleeper(KTEST_RUN *Run, SLEEPER *Sleeper)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;
    PVOID thread;

    KeInitializeEvent(&Sleeper->Event, SynchronizationEvent, FALSE);
    KeInitializeEvent(&Sleeper->Ready, NotificationEvent, FALSE);
    KeInitializeEvent(&Sleeper->Second, NotificationEvent, FALSE);
    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    CHECK_STATUS(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, &attributes, NULL, NULL, Sleep, Sleeper),
                 STATUS_SUCCESS);
    CHECK_STATUS(ObReferenceObjectByHandle(handle, SYNCHRONIZE, NULL, KernelMode, &thread, NULL), STATUS_SUCCESS);
    KeWaitForSingleObject(&Sleeper->Ready, Executive, KernelMode, FALSE, NULL);
    KtSleep(5); /* most likely it waits by now; the result is the same if it does not yet */
    CHECK_STATUS(ZwAlertThread(handle), STATUS_SUCCESS);
    KeSetEvent(&Sleeper->Second, IO_NO_INCREMENT, FALSE);
    ZwClose(handle);
    KtJoin(thread);
}

static VOID TestAlerts(KTEST_RUN *Run)
{
    static const struct
    {
        KPROCESSOR_MODE Mode;
        BOOLEAN Alertable;
        NTSTATUS First, Second;
    } cases[] = {
        {KernelMode, TRUE, STATUS_ALERTED, STATUS_TIMEOUT},  /* the alert ends the wait and is used up */
        {UserMode, TRUE, STATUS_ALERTED, STATUS_TIMEOUT},    /* a kernel-mode alert ends user-mode waits as well */
        {KernelMode, FALSE, STATUS_TIMEOUT, STATUS_ALERTED}, /* not alertable: kept for the next wait that is */
    };

    for (ULONG i = 0; i < RTL_NUMBER_OF(cases); i++)
    {
        SLEEPER sleeper = {
            .Mode = cases[i].Mode, .Alertable = cases[i].Alertable, .TimeoutMs = cases[i].Alertable ? 5000 : 30};

        AlertSleeper(Run, &sleeper);
        KtSay(Run, "alert of a wait (mode %d, alertable %d): 0x%08lX, then 0x%08lX", cases[i].Mode, cases[i].Alertable,
              sleeper.Status, sleeper.SecondStatus);
        CHECK_STATUS(sleeper.Status, cases[i].First);
        CHECK_STATUS(sleeper.SecondStatus, cases[i].Second);
    }
}

static VOID TestManyObjects(KTEST_RUN *Run)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    PKWAIT_BLOCK blocks = ExAllocatePoolWithTag(NonPagedPool, MAXIMUM_WAIT_OBJECTS * sizeof(KWAIT_BLOCK), KT_TAG);
    PKEVENT events = ExAllocatePoolWithTag(NonPagedPool, MAXIMUM_WAIT_OBJECTS * sizeof(KEVENT), KT_TAG);
    PVOID objects[MAXIMUM_WAIT_OBJECTS];
    ULONG left = 0;

    CHECK(blocks != NULL && events != NULL);
    if (blocks != NULL && events != NULL)
    {
        for (ULONG i = 0; i < MAXIMUM_WAIT_OBJECTS; i++)
        {
            KeInitializeEvent(&events[i], SynchronizationEvent, i != 17);
            objects[i] = &events[i];
        }
        CHECK_STATUS(KeWaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, objects, WaitAll, Executive, KernelMode, FALSE,
                                              &now, blocks),
                     STATUS_TIMEOUT);
        for (ULONG i = 0; i < MAXIMUM_WAIT_OBJECTS; i++)
        {
            left += KeReadStateEvent(&events[i]);
        }
        CHECK_EQUAL(left, MAXIMUM_WAIT_OBJECTS - 1); /* nothing taken */
        KeSetEvent(&events[17], IO_NO_INCREMENT, FALSE);
        CHECK_STATUS(KeWaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, objects, WaitAll, Executive, KernelMode, FALSE,
                                              &now, blocks),
                     STATUS_SUCCESS);
        KeSetEvent(&events[63], IO_NO_INCREMENT, FALSE);
        CHECK_STATUS(KeWaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, objects, WaitAny, Executive, KernelMode, FALSE,
                                              NULL, blocks),
                     STATUS_WAIT_63);
    }
    if (blocks != NULL)
    {
        ExFreePoolWithTag(blocks, KT_TAG);
    }
    if (events != NULL)
    {
        ExFreePoolWithTag(events, KT_TAG);
    }
}

typedef struct _MIXED
{
    KEVENT Event;
    KSEMAPHORE Semaphore;
    KTIMER Timer;
} MIXED;

static VOID NTAPI SignalMixed(PVOID Context)
{
    MIXED *mixed = Context;

    KtSleep(5);
    KeReleaseSemaphore(&mixed->Semaphore, IO_NO_INCREMENT, 1, FALSE);
    KtSleep(5);
    KeSetEvent(&mixed->Event, IO_NO_INCREMENT, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* Event, semaphore, timer and thread together, each signalled by someone else. */
static VOID TestMixed(KTEST_RUN *Run)
{
    LARGE_INTEGER limit = KtMilliseconds(5000);
    MIXED mixed;
    PETHREAD thread;
    PVOID objects[4];
    KWAIT_BLOCK blocks[4];

    KeInitializeEvent(&mixed.Event, SynchronizationEvent, FALSE);
    KeInitializeSemaphore(&mixed.Semaphore, 0, 1);
    KeInitializeTimerEx(&mixed.Timer, SynchronizationTimer);
    KeSetTimer(&mixed.Timer, KtMilliseconds(15), NULL);
    thread = KtStart(Run, SignalMixed, &mixed);
    if (thread != NULL)
    {
        objects[0] = &mixed.Event;
        objects[1] = &mixed.Semaphore;
        objects[2] = &mixed.Timer;
        objects[3] = thread;
        CHECK_STATUS(KeWaitForMultipleObjects(4, objects, WaitAll, Executive, KernelMode, FALSE, &limit, blocks),
                     STATUS_SUCCESS);
        CHECK_EQUAL(KeReadStateEvent(&mixed.Event), 0);
        CHECK_EQUAL(KeReadStateSemaphore(&mixed.Semaphore), 0);
        CHECK(!KeReadStateTimer(&mixed.Timer));
        /* A thread that ended stays signalled. */
        CHECK_STATUS(KeWaitForMultipleObjects(4, objects, WaitAny, Executive, KernelMode, FALSE, &limit, blocks),
                     STATUS_WAIT_3);
    }
    KtJoin(thread);
    KeCancelTimer(&mixed.Timer);
}

#define QUEUE 3
typedef struct _LINE
{
    KEVENT Event, Turn[QUEUE];
    volatile LONG Next, Order[QUEUE], Waiting;
} LINE;

typedef struct _PLACE
{
    LINE *Line;
    LONG Number;
} PLACE;

static VOID NTAPI StandInLine(PVOID Context)
{
    PLACE *place = Context;
    LINE *line = place->Line;

    KeWaitForSingleObject(&line->Turn[place->Number], Executive, KernelMode, FALSE, NULL);
    InterlockedIncrement(&line->Waiting);
    KeWaitForSingleObject(&line->Event, Executive, KernelMode, FALSE, NULL);
    line->Order[InterlockedIncrement(&line->Next) - 1] = place->Number;
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* A synchronization event serves its waiters in the order in which they came. */
static VOID TestOrder(KTEST_RUN *Run)
{
    LINE line = {.Next = 0};
    PLACE places[QUEUE];
    PETHREAD threads[QUEUE];

    KeInitializeEvent(&line.Event, SynchronizationEvent, FALSE);
    for (LONG i = 0; i < QUEUE; i++)
    {
        KeInitializeEvent(&line.Turn[i], NotificationEvent, FALSE);
        places[i] = (PLACE){&line, i};
        threads[i] = KtStart(Run, StandInLine, &places[i]);
    }
    for (LONG i = 0; i < QUEUE; i++)
    {
        KeSetEvent(&line.Turn[i], IO_NO_INCREMENT, FALSE);
        CHECK(KtUntil(&line.Waiting, i + 1));
        KtSleep(10);
    }
    CHECK_EQUAL(line.Next, 0);
    for (LONG i = 0; i < QUEUE; i++)
    {
        KeSetEvent(&line.Event, IO_NO_INCREMENT, FALSE);
        CHECK(KtUntil(&line.Next, i + 1)); /* one at a time */
        CHECK_EQUAL(KeReadStateEvent(&line.Event), 0);
    }
    for (LONG i = 0; i < QUEUE; i++)
    {
        KtJoin(threads[i]);
    }
    KtSay(Run, "waiters served in the order %ld %ld %ld", line.Order[0], line.Order[1], line.Order[2]);
    CHECK(line.Order[0] == 0 && line.Order[1] == 1 && line.Order[2] == 2);
}

/* A pulse frees who waits and leaves the event reset; setting with Wait = TRUE and then waiting is one step. */
static VOID TestPulse(KTEST_RUN *Run)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    SLEEPER sleeper = {.Mode = KernelMode, .TimeoutMs = 5000};
    PETHREAD thread;
    KEVENT a, b;

    KeInitializeEvent(&sleeper.Event, NotificationEvent, FALSE);
    KeInitializeEvent(&sleeper.Ready, NotificationEvent, FALSE);
    KeInitializeEvent(&sleeper.Second, NotificationEvent, TRUE);
    thread = KtStart(Run, Sleep, &sleeper);
    KeWaitForSingleObject(&sleeper.Ready, Executive, KernelMode, FALSE, NULL);
    while (thread != NULL && !sleeper.Done)
    {
        KtSleep(5);
        CHECK_EQUAL(KePulseEvent(&sleeper.Event, IO_NO_INCREMENT, FALSE), 0);
        CHECK_EQUAL(KeReadStateEvent(&sleeper.Event), 0);
    }
    KtJoin(thread);
    CHECK_STATUS(sleeper.Status, STATUS_SUCCESS);
    CHECK_STATUS(sleeper.SecondStatus, STATUS_TIMEOUT);

    KeInitializeEvent(&a, SynchronizationEvent, FALSE);
    KeInitializeEvent(&b, SynchronizationEvent, TRUE);
    CHECK_EQUAL(KeSetEvent(&a, IO_NO_INCREMENT, TRUE), 0);
    CHECK_STATUS(KeWaitForSingleObject(&b, Executive, KernelMode, FALSE, &now), STATUS_SUCCESS);
    CHECK_EQUAL(KeReadStateEvent(&a), 1);
    CHECK_EQUAL(KeReadStateEvent(&b), 0);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

VOID KtGroup_waits(KTEST_RUN *Run)
{
    TestTimeouts(Run);
    TestAlerts(Run);
    TestManyObjects(Run);
    TestMixed(Run);
    TestOrder(Run);
    TestPulse(Run);
}
