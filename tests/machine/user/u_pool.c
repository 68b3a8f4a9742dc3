/* SPDX-License-Identifier: MIT */
/* The thread pool: work, timers and waits, their cancellation and their end; work items, registered waits, timer
 * queues. */
#include "check.h"

#define WORK 200
#define WAITS 150

static volatile LONG Calls, Timeouts, Most;
static HANDLE Gate, Signal;

static VOID CALLBACK Count(PTP_CALLBACK_INSTANCE Instance, PVOID Context, PTP_WORK Work)
{
    (void)Instance, (void)Context, (void)Work;
    InterlockedIncrement(&Calls);
}

/* Runs until the gate opens: others must run meanwhile. */
static VOID CALLBACK Block(PTP_CALLBACK_INSTANCE Instance, PVOID Context, PTP_WORK Work)
{
    (void)Context, (void)Work;
    CallbackMayRunLong(Instance);
    InterlockedIncrement(&Most);
    WaitForSingleObject(Gate, INFINITE);
    InterlockedIncrement(&Calls);
}

static VOID CALLBACK Simple(PTP_CALLBACK_INSTANCE Instance, PVOID Context)
{
    SetEventWhenCallbackReturns(Instance, Context);
    InterlockedIncrement(&Calls);
}

static VOID TestWork(VOID)
{
    PTP_WORK work = CreateThreadpoolWork(Count, NULL, NULL), blocked = CreateThreadpoolWork(Block, NULL, NULL);

    CHECK(work != NULL && blocked != NULL);
    for (int i = 0; i < WORK; i++)
    {
        SubmitThreadpoolWork(work);
    }
    WaitForThreadpoolWorkCallbacks(work, FALSE);
    CHECK_EQUAL(Calls, WORK);
    CloseThreadpoolWork(work);
    for (int i = 0; i < 8; i++)
    {
        SubmitThreadpoolWork(blocked);
    }
    for (int i = 0; i < 1000 && Most != 8; i++)
    {
        Sleep(1);
    }
    CHECK_EQUAL(Most, 8); /* all at the same time */
    SetEvent(Gate);
    WaitForThreadpoolWorkCallbacks(blocked, FALSE);
    CHECK_EQUAL(Calls, WORK + 8);
    CloseThreadpoolWork(blocked);
    CHECK(TrySubmitThreadpoolCallback(Simple, Signal, NULL));
    CHECK_EQUAL(WaitForSingleObject(Signal, 10000), WAIT_OBJECT_0);
    CHECK_EQUAL(Calls, WORK + 9);
}

static VOID CALLBACK Tick(PTP_CALLBACK_INSTANCE Instance, PVOID Context, PTP_TIMER Timer)
{
    (void)Instance, (void)Timer;
    if (InterlockedIncrement(&Calls) == 3)
    {
        SetEvent(Context);
    }
}

static VOID TestTimer(VOID)
{
    ULARGE_INTEGER due = {.QuadPart = (ULONGLONG)-10000};
    FILETIME time = {due.LowPart, due.HighPart};
    PTP_TIMER timer = CreateThreadpoolTimer(Tick, Signal, NULL);

    Calls = 0;
    CHECK(!IsThreadpoolTimerSet(timer));
    SetThreadpoolTimer(timer, &time, 1, 0);
    CHECK(IsThreadpoolTimerSet(timer));
    CHECK_EQUAL(WaitForSingleObject(Signal, 10000), WAIT_OBJECT_0);
    SetThreadpoolTimer(timer, NULL, 0, 0);
    WaitForThreadpoolTimerCallbacks(timer, TRUE);
    LONG calls = Calls;
    Sleep(30);
    CHECK_EQUAL(Calls, calls); /* it is off */
    CloseThreadpoolTimer(timer);
}

static VOID CALLBACK Waited(PTP_CALLBACK_INSTANCE Instance, PVOID Context, PTP_WAIT Wait, TP_WAIT_RESULT Result)
{
    (void)Instance, (void)Context, (void)Wait;
    InterlockedIncrement(Result == WAIT_TIMEOUT ? &Timeouts : &Calls);
}

/* More handles than one wait takes. */
static VOID TestWaits(VOID)
{
    static HANDLE events[WAITS];
    static PTP_WAIT waits[WAITS];
    ULARGE_INTEGER due = {.QuadPart = (ULONGLONG)-200000};
    FILETIME time = {due.LowPart, due.HighPart};

    Calls = Timeouts = 0;
    for (int i = 0; i < WAITS; i++)
    {
        events[i] = CreateEventA(NULL, FALSE, FALSE, NULL);
        waits[i] = CreateThreadpoolWait(Waited, NULL, NULL);
        SetThreadpoolWait(waits[i], events[i], i == 7 ? &time : NULL);
    }
    for (int i = WAITS - 30; i < WAITS; i++) /* first those that are not in the first group */
    {
        SetEvent(events[i]);
    }
    for (int i = 0; i < 10000 && Calls != 30; i++)
    {
        Sleep(1);
    }
    CHECK_EQUAL(Calls, 30);
    for (int i = 0; i < WAITS - 30; i++)
    {
        if (i != 7 && i != 8)
        {
            SetEvent(events[i]);
        }
    }
    for (int i = 0; i < 10000 && (Calls != WAITS - 2 || Timeouts != 1); i++)
    {
        Sleep(1);
    }
    CHECK_EQUAL(Calls, WAITS - 2);
    CHECK_EQUAL(Timeouts, 1);
    SetThreadpoolWait(waits[8], NULL, NULL);
    SetEvent(events[8]);
    Sleep(30);
    CHECK_EQUAL(Calls, WAITS - 2); /* nobody waits for it any more */
    for (int i = 0; i < WAITS; i++)
    {
        WaitForThreadpoolWaitCallbacks(waits[i], TRUE);
        CloseThreadpoolWait(waits[i]);
        CloseHandle(events[i]);
    }
}

static DWORD WINAPI Item(PVOID Context)
{
    SetEvent(Context);
    return 0;
}

static VOID CALLBACK Registered(PVOID Context, BOOLEAN TimedOut)
{
    (void)Context;
    InterlockedIncrement(TimedOut ? &Timeouts : &Calls);
    SetEvent(Signal);
}

/* A handle without the right to wait is not watched; what stands beside it is, and no signal gets lost. */
static VOID TestUnwatchable(VOID)
{
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, NULL), deaf, wait, bad;

    CHECK(DuplicateHandle(GetCurrentProcess(), event, GetCurrentProcess(), &deaf, EVENT_MODIFY_STATE, FALSE, 0));
    Calls = Timeouts = 0;
    ResetEvent(Signal); /* the last timer may have set it again */
    CHECK(RegisterWaitForSingleObject(&wait, event, Registered, NULL, INFINITE, WT_EXECUTEDEFAULT));
    CHECK(RegisterWaitForSingleObject(&bad, deaf, Registered, NULL, INFINITE, WT_EXECUTEDEFAULT));
    for (int i = 0; i < 3; i++)
    {
        SetEvent(event);
        CHECK_EQUAL(WaitForSingleObject(Signal, 10000), WAIT_OBJECT_0);
    }
    CHECK(UnregisterWaitEx(bad, INVALID_HANDLE_VALUE));
    CHECK(UnregisterWaitEx(wait, INVALID_HANDLE_VALUE));
    CHECK(Calls == 3 && Timeouts == 0);
    CloseHandle(deaf);
    CloseHandle(event);
}

static HANDLE Ended, Own;

/* Ends its own wait; by an event, since waiting for oneself never ends. */
static VOID CALLBACK EndsItself(PVOID Context, BOOLEAN TimedOut)
{
    (void)TimedOut;
    CHECK(WaitForSingleObject(Gate, 10000) == WAIT_OBJECT_0); /* Own is set */
    CHECK(!(Context != NULL ? DeleteTimerQueueTimer(Context, Own, Ended) : UnregisterWaitEx(Own, Ended)));
    CHECK_EQUAL(GetLastError(), ERROR_IO_PENDING);
    CHECK_EQUAL(WaitForSingleObject(Ended, 0), WAIT_TIMEOUT);
}

static VOID CALLBACK EndsItsQueue(PVOID Context, BOOLEAN TimedOut)
{
    (void)TimedOut;
    CHECK(DeleteTimerQueueEx(Context, Ended));
}

static VOID TestEndedFromWithin(VOID)
{
    HANDLE queue = CreateTimerQueue(), timer;

    Ended = CreateEventA(NULL, FALSE, FALSE, NULL);
    ResetEvent(Gate);
    CHECK(RegisterWaitForSingleObject(&Own, Ended, EndsItself, NULL, 1, WT_EXECUTEONLYONCE));
    SetEvent(Gate);
    CHECK_EQUAL(WaitForSingleObject(Ended, 10000), WAIT_OBJECT_0);

    ResetEvent(Gate);
    CHECK(CreateTimerQueueTimer(&Own, queue, EndsItself, queue, 1, 1, WT_EXECUTEDEFAULT));
    SetEvent(Gate);
    CHECK_EQUAL(WaitForSingleObject(Ended, 10000), WAIT_OBJECT_0);
    CHECK(CreateTimerQueueTimer(&timer, queue, EndsItsQueue, queue, 1, 0, WT_EXECUTEONLYONCE));
    CHECK_EQUAL(WaitForSingleObject(Ended, 10000), WAIT_OBJECT_0);
    CloseHandle(Ended);
}

static VOID TestOlder(VOID)
{
    HANDLE wait, event = CreateEventA(NULL, FALSE, FALSE, NULL), queue = CreateTimerQueue(), timer;

    CHECK(QueueUserWorkItem(Item, Signal, 0));
    CHECK_EQUAL(WaitForSingleObject(Signal, 10000), WAIT_OBJECT_0);
    Calls = Timeouts = 0;
    CHECK(RegisterWaitForSingleObject(&wait, event, Registered, NULL, INFINITE, WT_EXECUTEDEFAULT));
    for (int i = 0; i < 3; i++) /* it waits again after each call */
    {
        SetEvent(event);
        CHECK_EQUAL(WaitForSingleObject(Signal, 10000), WAIT_OBJECT_0);
    }
    CHECK(UnregisterWaitEx(wait, INVALID_HANDLE_VALUE));
    CHECK(Calls == 3 && Timeouts == 0);
    CHECK(RegisterWaitForSingleObject(&wait, event, Registered, NULL, 5, WT_EXECUTEONLYONCE));
    CHECK_EQUAL(WaitForSingleObject(Signal, 10000), WAIT_OBJECT_0);
    CHECK(UnregisterWaitEx(wait, INVALID_HANDLE_VALUE));
    CHECK_EQUAL(Timeouts, 1);

    CHECK(CreateTimerQueueTimer(&timer, queue, Registered, NULL, 5, 5, WT_EXECUTEDEFAULT));
    CHECK_EQUAL(WaitForSingleObject(Signal, 10000), WAIT_OBJECT_0);
    CHECK_EQUAL(WaitForSingleObject(Signal, 10000), WAIT_OBJECT_0);
    CHECK(DeleteTimerQueueTimer(queue, timer, INVALID_HANDLE_VALUE));
    CHECK(CreateTimerQueueTimer(&timer, queue, Registered, NULL, 0, 0, WT_EXECUTEONLYONCE));
    CHECK(DeleteTimerQueueEx(queue, INVALID_HANDLE_VALUE));
    CloseHandle(event);
}

int main(void)
{
    Gate = CreateEventA(NULL, TRUE, FALSE, NULL);
    Signal = CreateEventA(NULL, FALSE, FALSE, NULL);
    TestWork();
    TestTimer();
    TestWaits();
    TestOlder();
    TestUnwatchable();
    TestEndedFromWithin();
    return Done("pool");
}
