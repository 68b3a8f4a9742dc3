/* SPDX-License-Identifier: MIT */
/* What programs wait for: events, mutexes and their abandonment, semaphores, waitable timers, locks, conditions. */
#include "check.h"

static void TestEvents(void)
{
    HANDLE manual = CreateEventA(NULL, TRUE, FALSE, NULL), automatic = CreateEventA(NULL, FALSE, TRUE, NULL);
    HANDLE both[2] = {manual, automatic};

    CHECK(manual != NULL && automatic != NULL);
    CHECK_EQUAL(WaitForSingleObject(manual, 0), WAIT_TIMEOUT);
    CHECK_EQUAL(WaitForMultipleObjects(2, both, TRUE, 10), WAIT_TIMEOUT);
    CHECK(SetEvent(manual));
    CHECK_EQUAL(WaitForMultipleObjects(2, both, TRUE, 10), WAIT_OBJECT_0);
    CHECK_EQUAL(WaitForSingleObject(automatic, 0), WAIT_TIMEOUT); /* taken */
    CHECK_EQUAL(WaitForSingleObject(manual, 0), WAIT_OBJECT_0);   /* stays */
    CHECK(ResetEvent(manual) && SetEvent(automatic));
    CHECK_EQUAL(WaitForMultipleObjects(2, both, FALSE, 10), WAIT_OBJECT_0 + 1);
    CHECK_FAILS(WaitForSingleObject((HANDLE)0x1234, 0) != WAIT_FAILED, ERROR_INVALID_HANDLE);
    CHECK(CloseHandle(manual) && CloseHandle(automatic));

    HANDLE named = CreateEventA(NULL, TRUE, FALSE, "TestEvent"), again = CreateEventA(NULL, TRUE, FALSE, "TestEvent");
    CHECK(named != NULL && again != NULL);
    CHECK_EQUAL(GetLastError(), ERROR_ALREADY_EXISTS);
    CHECK(SetEvent(again));
    CHECK_EQUAL(WaitForSingleObject(named, 0), WAIT_OBJECT_0);
    HANDLE opened = OpenEventA(SYNCHRONIZE, FALSE, "TestEvent");
    CHECK(opened != NULL);
    CHECK_FAILS(SetEvent(opened), ERROR_ACCESS_DENIED); /* opened for waiting only */
    CHECK_FAILS(CreateMutexA(NULL, FALSE, "TestEvent"), ERROR_INVALID_HANDLE);
    CHECK(CloseHandle(named) && CloseHandle(again) && CloseHandle(opened));
    CHECK_FAILS(OpenEventA(SYNCHRONIZE, FALSE, "TestEvent"), ERROR_FILE_NOT_FOUND);
}

typedef struct HOLDER
{
    HANDLE Mutex, Owned, Go;
    BOOL Release;
} HOLDER;

static DWORD WINAPI Hold(void *Context)
{
    HOLDER *holder = Context;

    WaitForSingleObject(holder->Mutex, INFINITE);
    SetEvent(holder->Owned);
    WaitForSingleObject(holder->Go, INFINITE);
    return holder->Release ? (DWORD)ReleaseMutex(holder->Mutex) : 0;
}

static void TestMutexes(void)
{
    HOLDER holder = {CreateMutexA(NULL, TRUE, NULL), CreateEventA(NULL, FALSE, FALSE, NULL),
                     CreateEventA(NULL, FALSE, FALSE, NULL), TRUE};
    HANDLE thread;

    CHECK_EQUAL(WaitForSingleObject(holder.Mutex, 0), WAIT_OBJECT_0); /* owned twice now */
    CHECK(ReleaseMutex(holder.Mutex) && ReleaseMutex(holder.Mutex));
    CHECK_FAILS(ReleaseMutex(holder.Mutex), ERROR_NOT_OWNER);
    for (int abandon = 0; abandon < 2; abandon++)
    {
        holder.Release = !abandon;
        thread = CreateThread(NULL, 0, Hold, &holder, 0, NULL);
        CHECK_EQUAL(WaitForSingleObject(holder.Owned, 10000), WAIT_OBJECT_0);
        CHECK_EQUAL(WaitForSingleObject(holder.Mutex, 10), WAIT_TIMEOUT);
        CHECK_FAILS(ReleaseMutex(holder.Mutex), ERROR_NOT_OWNER);
        SetEvent(holder.Go);
        CHECK_EQUAL(WaitForSingleObject(thread, 10000), WAIT_OBJECT_0);
        CHECK_EQUAL(WaitForSingleObject(holder.Mutex, 1000), abandon ? WAIT_ABANDONED : WAIT_OBJECT_0);
        CHECK(ReleaseMutex(holder.Mutex));
        CHECK_EQUAL(WaitForSingleObject(holder.Mutex, 0), WAIT_OBJECT_0); /* told once */
        CHECK(ReleaseMutex(holder.Mutex));
        CloseHandle(thread);
    }
    CloseHandle(holder.Mutex);
    CloseHandle(holder.Owned);
    CloseHandle(holder.Go);
}

static void TestSemaphores(void)
{
    HANDLE semaphore = CreateSemaphoreA(NULL, 1, 3, NULL);
    LONG previous = 99;

    CHECK(semaphore != NULL);
    CHECK(ReleaseSemaphore(semaphore, 2, &previous) && previous == 1);
    CHECK_FAILS(ReleaseSemaphore(semaphore, 1, &previous), ERROR_TOO_MANY_POSTS);
    for (int i = 0; i < 3; i++)
    {
        CHECK_EQUAL(WaitForSingleObject(semaphore, 0), WAIT_OBJECT_0);
    }
    CHECK_EQUAL(WaitForSingleObject(semaphore, 0), WAIT_TIMEOUT);
    CHECK_FAILS(CreateSemaphoreA(NULL, 4, 3, NULL), ERROR_INVALID_PARAMETER);
    CloseHandle(semaphore);
}

static volatile LONG TimerApcs;

static void CALLBACK OnTimer(void *Context, DWORD Low, DWORD High)
{
    (void)Low;
    (void)High;
    InterlockedAdd(&TimerApcs, (LONG)(INT_PTR)Context);
}

static void TestTimers(void)
{
    HANDLE timer = CreateWaitableTimerA(NULL, TRUE, NULL), automatic = CreateWaitableTimerA(NULL, FALSE, NULL);
    LARGE_INTEGER due = {.QuadPart = -20 * 10000};
    FILETIME now;

    CHECK(timer != NULL && automatic != NULL);
    CHECK(SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE));
    CHECK_EQUAL(WaitForSingleObject(timer, 0), WAIT_TIMEOUT);
    CHECK_EQUAL(WaitForSingleObject(timer, 10000), WAIT_OBJECT_0);
    CHECK_EQUAL(WaitForSingleObject(timer, 0), WAIT_OBJECT_0); /* manual reset */
    due.QuadPart = -(LONGLONG)600 * 1000 * 10000;
    CHECK(SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE));
    CHECK_EQUAL(WaitForSingleObject(timer, 0), WAIT_TIMEOUT);
    CHECK(CancelWaitableTimer(timer));
    GetSystemTimeAsFileTime(&now);
    due.LowPart = now.dwLowDateTime;
    due.HighPart = (LONG)now.dwHighDateTime;
    due.QuadPart += 20 * 10000;
    CHECK(SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE)); /* absolute */
    CHECK_EQUAL(WaitForSingleObject(timer, 10000), WAIT_OBJECT_0);
    due.QuadPart = -50000;
    CHECK(SetWaitableTimer(automatic, &due, 5, NULL, NULL, FALSE)); /* periodic */
    for (int i = 0; i < 4; i++)
    {
        CHECK_EQUAL(WaitForSingleObject(automatic, 10000), WAIT_OBJECT_0);
    }
    CHECK(CancelWaitableTimer(automatic));
    CHECK(SetWaitableTimer(automatic, &due, 0, OnTimer, (void *)3, FALSE)); /* with an APC */
    for (int i = 0; i < 100 && TimerApcs == 0; i++)
    {
        SleepEx(100, TRUE);
    }
    CHECK_EQUAL(TimerApcs, 3);
    CloseHandle(timer);
    CloseHandle(automatic);
}

#define ROUNDS 3000

typedef struct SHARED
{
    CRITICAL_SECTION Section;
    SRWLOCK Lock;
    CONDITION_VARIABLE Changed;
    volatile LONG First, Second, Torn, Queue, Consumed;
    volatile LONG Stop;
} SHARED;

static DWORD WINAPI UseSection(void *Context)
{
    SHARED *shared = Context;

    for (int i = 0; i < ROUNDS; i++)
    {
        if (i % 8 != 0 || !TryEnterCriticalSection(&shared->Section))
        {
            EnterCriticalSection(&shared->Section);
        }
        EnterCriticalSection(&shared->Section); /* recursive */
        shared->Torn += shared->First != shared->Second;
        shared->First++;
        if (i % 100 == 0)
        {
            SwitchToThread();
        }
        shared->Second++;
        LeaveCriticalSection(&shared->Section);
        LeaveCriticalSection(&shared->Section);
    }
    return 0;
}

static DWORD WINAPI UseSrwLock(void *Context)
{
    SHARED *shared = Context;

    for (int i = 0; i < ROUNDS; i++)
    {
        if (i % 4 != 0)
        {
            AcquireSRWLockShared(&shared->Lock);
            if (shared->First != shared->Second)
            {
                InterlockedIncrement(&shared->Torn);
            }
            ReleaseSRWLockShared(&shared->Lock);
            continue;
        }
        AcquireSRWLockExclusive(&shared->Lock);
        shared->First++;
        if (i % 100 == 0)
        {
            SwitchToThread();
        }
        shared->Second++;
        ReleaseSRWLockExclusive(&shared->Lock);
    }
    return 0;
}

static DWORD WINAPI Consume(void *Context)
{
    SHARED *shared = Context;

    for (;;)
    {
        AcquireSRWLockExclusive(&shared->Lock);
        while (shared->Queue == 0 && !shared->Stop)
        {
            SleepConditionVariableSRW(&shared->Changed, &shared->Lock, INFINITE, 0);
        }
        if (shared->Queue == 0)
        {
            ReleaseSRWLockExclusive(&shared->Lock);
            return 0;
        }
        shared->Queue--;
        shared->Consumed++;
        ReleaseSRWLockExclusive(&shared->Lock);
    }
}

static void RunThree(SHARED *Shared, LPTHREAD_START_ROUTINE Routine, const char *What, LONG Changes)
{
    HANDLE threads[3];

    Shared->First = Shared->Second = Shared->Torn = 0;
    for (int i = 0; i < 3; i++)
    {
        threads[i] = CreateThread(NULL, 0, Routine, Shared, 0, NULL);
    }
    CHECK_EQUAL(WaitForMultipleObjects(3, threads, TRUE, 60000), WAIT_OBJECT_0);
    for (int i = 0; i < 3; i++)
    {
        CloseHandle(threads[i]);
    }
    printf("%s: %ld and %ld, torn %ld\n", What, Shared->First, Shared->Second, Shared->Torn);
    CHECK_EQUAL(Shared->First, Changes);
    CHECK_EQUAL(Shared->Second, Changes);
    CHECK_EQUAL(Shared->Torn, 0);
}

static void TestLocks(void)
{
    static SHARED shared;
    HANDLE threads[3];

    InitializeCriticalSection(&shared.Section);
    InitializeSRWLock(&shared.Lock);
    InitializeConditionVariable(&shared.Changed);
    RunThree(&shared, UseSection, "critical section", 3 * ROUNDS);
    RunThree(&shared, UseSrwLock, "slim reader-writer lock", 3 * ROUNDS / 4);

    for (int i = 0; i < 3; i++)
    {
        threads[i] = CreateThread(NULL, 0, Consume, &shared, 0, NULL);
    }
    for (int i = 0; i < 500; i++)
    {
        AcquireSRWLockExclusive(&shared.Lock);
        shared.Queue++;
        ReleaseSRWLockExclusive(&shared.Lock);
        WakeConditionVariable(&shared.Changed);
    }
    AcquireSRWLockExclusive(&shared.Lock);
    shared.Stop = 1;
    ReleaseSRWLockExclusive(&shared.Lock);
    WakeAllConditionVariable(&shared.Changed);
    CHECK_EQUAL(WaitForMultipleObjects(3, threads, TRUE, 60000), WAIT_OBJECT_0);
    CHECK_EQUAL(shared.Consumed, 500);
    AcquireSRWLockExclusive(&shared.Lock);
    CHECK_FAILS(SleepConditionVariableSRW(&shared.Changed, &shared.Lock, 10, 0), ERROR_TIMEOUT);
    ReleaseSRWLockExclusive(&shared.Lock);
    EnterCriticalSection(&shared.Section);
    CHECK_FAILS(SleepConditionVariableCS(&shared.Changed, &shared.Section, 10), ERROR_TIMEOUT);
    LeaveCriticalSection(&shared.Section);
    DeleteCriticalSection(&shared.Section);
    for (int i = 0; i < 3; i++)
    {
        CloseHandle(threads[i]);
    }
}

static LONG InitRuns;

static BOOL CALLBACK InitOnce(PINIT_ONCE Once, void *Parameter, void **Context)
{
    (void)Once;
    InterlockedIncrement(&InitRuns);
    *Context = Parameter;
    return TRUE;
}

static void TestOnce(void)
{
    static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
    void *context = NULL;

    for (int i = 0; i < 5; i++)
    {
        CHECK(InitOnceExecuteOnce(&once, InitOnce, (void *)0x1230, &context));
        CHECK(context == (void *)0x1230);
    }
    CHECK_EQUAL(InitRuns, 1);
}

int main(void)
{
    TestEvents();
    TestMutexes();
    TestSemaphores();
    TestTimers();
    TestLocks();
    TestOnce();
    return Done("u_sync");
}
