/* SPDX-License-Identifier: MIT */
/* Semaphores: counts, the limit, and one release that frees several waiters. */
#include "ktlib.h"

static VOID TestCount(KTEST_RUN *Run)
{
    LARGE_INTEGER now = {.QuadPart = 0};
    KSEMAPHORE semaphore;

    KeInitializeSemaphore(&semaphore, 1, 3);
    CHECK_EQUAL(KeReadStateSemaphore(&semaphore), 1);
    CHECK_EQUAL(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 2, FALSE), 1);
    CHECK_EQUAL(KeReadStateSemaphore(&semaphore), 3);
    for (LONG i = 2; i >= 0; i--)
    {
        CHECK_STATUS(KeWaitForSingleObject(&semaphore, Executive, KernelMode, FALSE, &now), STATUS_SUCCESS);
        CHECK_EQUAL(KeReadStateSemaphore(&semaphore), i);
    }
    CHECK_STATUS(KeWaitForSingleObject(&semaphore, Executive, KernelMode, FALSE, &now), STATUS_TIMEOUT);
    CHECK_EQUAL(KeReadStateSemaphore(&semaphore), 0);
}

static VOID TestLimit(KTEST_RUN *Run)
{
    KSEMAPHORE semaphore;
    NTSTATUS raised;

    KeInitializeSemaphore(&semaphore, 2, 3);
    raised = KT_RAISED(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 2, FALSE));
    KtSay(Run, "release by 2 at 2 of 3 raised 0x%08lX, state %ld", raised, KeReadStateSemaphore(&semaphore));
    CHECK_STATUS(raised, STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    CHECK_EQUAL(KeReadStateSemaphore(&semaphore), 2);
    CHECK_STATUS(KT_RAISED(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, MAXLONG, FALSE)),
                 STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    CHECK_EQUAL(KeReadStateSemaphore(&semaphore), 2);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL); /* the raise left no lock behind */
    CHECK_EQUAL(KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, 1, FALSE), 2);
}

typedef struct _CROWD
{
    KSEMAPHORE Semaphore;
    KEVENT AllWait;
    volatile LONG Arrived, Through;
} CROWD;

static VOID NTAPI PassSemaphore(PVOID Context)
{
    CROWD *crowd = Context;

    if (InterlockedIncrement(&crowd->Arrived) == 4)
    {
        KeSetEvent(&crowd->AllWait, IO_NO_INCREMENT, FALSE);
    }
    KeWaitForSingleObject(&crowd->Semaphore, Executive, KernelMode, FALSE, NULL);
    InterlockedIncrement(&crowd->Through);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestCrowd(KTEST_RUN *Run)
{
    CROWD crowd = {.Arrived = 0};
    PETHREAD threads[4];
    PVOID objects[4];
    ULONG started = 0;
    LARGE_INTEGER limit = KtMilliseconds(50);
    NTSTATUS status;

    KeInitializeSemaphore(&crowd.Semaphore, 0, 10);
    KeInitializeEvent(&crowd.AllWait, NotificationEvent, FALSE);
    for (ULONG i = 0; i < 4; i++)
    {
        threads[i] = KtStart(Run, PassSemaphore, &crowd);
        started += threads[i] != NULL;
        objects[i] = threads[i];
    }
    if (started != 4)
    {
        KeReleaseSemaphore(&crowd.Semaphore, IO_NO_INCREMENT, 4, FALSE);
    }
    else
    {
        KWAIT_BLOCK blocks[4];

        KeWaitForSingleObject(&crowd.AllWait, Executive, KernelMode, FALSE, NULL);
        CHECK_EQUAL(KeReleaseSemaphore(&crowd.Semaphore, IO_NO_INCREMENT, 3, FALSE), 0);
        CHECK(KtUntil(&crowd.Through, 3));
        /* Three passed, the fourth cannot: waiting for all four must time out. */
        status = KeWaitForMultipleObjects(4, objects, WaitAll, Executive, KernelMode, FALSE, &limit, blocks);
        CHECK_STATUS(status, STATUS_TIMEOUT);
        CHECK_EQUAL(crowd.Through, 3);
        CHECK_EQUAL(KeReadStateSemaphore(&crowd.Semaphore), 0);
        KeReleaseSemaphore(&crowd.Semaphore, IO_NO_INCREMENT, 1, FALSE);
        status = KeWaitForMultipleObjects(4, objects, WaitAll, Executive, KernelMode, FALSE, NULL, blocks);
        CHECK_STATUS(status, STATUS_SUCCESS);
        CHECK_EQUAL(crowd.Through, 4);
    }
    for (ULONG i = 0; i < 4; i++)
    {
        KtJoin(threads[i]);
    }
}

/* A bounded buffer with two semaphores: nothing is lost, nothing comes twice. */
#define ITEMS 500
#define PLACES 4

typedef struct _BUFFER
{
    KSEMAPHORE Full, Empty;
    ULONG Places[PLACES];
} BUFFER;

static VOID NTAPI Produce(PVOID Context)
{
    BUFFER *buffer = Context;

    for (ULONG i = 0; i < ITEMS; i++)
    {
        KeWaitForSingleObject(&buffer->Empty, Executive, KernelMode, FALSE, NULL);
        buffer->Places[i % PLACES] = i;
        KeReleaseSemaphore(&buffer->Full, IO_NO_INCREMENT, 1, FALSE);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestBuffer(KTEST_RUN *Run)
{
    BUFFER buffer;
    PETHREAD producer;
    ULONG wrong = 0;

    KeInitializeSemaphore(&buffer.Full, 0, PLACES);
    KeInitializeSemaphore(&buffer.Empty, PLACES, PLACES);
    producer = KtStart(Run, Produce, &buffer);
    for (ULONG i = 0; producer != NULL && i < ITEMS; i++)
    {
        KeWaitForSingleObject(&buffer.Full, Executive, KernelMode, FALSE, NULL);
        wrong += buffer.Places[i % PLACES] != i;
        KeReleaseSemaphore(&buffer.Empty, IO_NO_INCREMENT, 1, FALSE);
    }
    KtJoin(producer);
    KtSay(Run, "%u items went through %u places, %lu out of order", ITEMS, PLACES, wrong);
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(KeReadStateSemaphore(&buffer.Full), 0);
    CHECK_EQUAL(KeReadStateSemaphore(&buffer.Empty), PLACES);
}

VOID KtGroup_semaphores(KTEST_RUN *Run)
{
    TestCount(Run);
    TestLimit(Run);
    TestCrowd(Run);
    TestBuffer(Run);
}
