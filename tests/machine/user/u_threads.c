/* SPDX-License-Identifier: MIT */
/* Threads of a program: birth and end, exit codes, thread-local storage, suspending, priorities, APCs. */
#include "check.h"
#include <process.h>

static DWORD Slot;
static __thread int ThreadVariable = 17;

static DWORD WINAPI UseStorage(void *Context)
{
    int number = (int)(INT_PTR)Context;

    CHECK(TlsGetValue(Slot) == NULL && GetLastError() == ERROR_SUCCESS);
    CHECK(TlsSetValue(Slot, Context));
    CHECK_EQUAL(ThreadVariable, 17);
    ThreadVariable = number;
    for (int i = 0; i < 50; i++)
    {
        SwitchToThread();
        if (TlsGetValue(Slot) != Context || ThreadVariable != number)
        {
            return 1000;
        }
    }
    return (DWORD)number;
}

static void TestStorage(void)
{
    HANDLE threads[4];
    DWORD code;

    Slot = TlsAlloc();
    CHECK(Slot != TLS_OUT_OF_INDEXES);
    CHECK(TlsSetValue(Slot, (void *)0x1234));
    for (int i = 0; i < 4; i++)
    {
        threads[i] = CreateThread(NULL, 0, UseStorage, (void *)(INT_PTR)(i + 20), 0, NULL);
        CHECK(threads[i] != NULL);
    }
    CHECK_EQUAL(WaitForMultipleObjects(4, threads, TRUE, 20000), WAIT_OBJECT_0);
    for (int i = 0; i < 4; i++)
    {
        CHECK(GetExitCodeThread(threads[i], &code));
        CHECK_EQUAL(code, i + 20);
        CloseHandle(threads[i]);
    }
    CHECK(TlsGetValue(Slot) == (void *)0x1234);
    CHECK_EQUAL(ThreadVariable, 17);
    CHECK(TlsFree(Slot));
    DWORD slots[200];
    for (int i = 0; i < 200; i++) /* more than fit into the TEB itself */
    {
        slots[i] = TlsAlloc();
        CHECK(slots[i] != TLS_OUT_OF_INDEXES && TlsSetValue(slots[i], (void *)(INT_PTR)i));
    }
    for (int i = 0; i < 200; i++)
    {
        CHECK_EQUAL((ULONG_PTR)TlsGetValue(slots[i]), i);
        TlsFree(slots[i]);
    }
}

static volatile LONG Counter;

static DWORD WINAPI CountUp(void *Context)
{
    for (;;)
    {
        Counter++;
        Sleep(1);
    }
    return (DWORD)(ULONG_PTR)Context;
}

static void TestSuspend(void)
{
    DWORD id = 0, code = 0;
    HANDLE thread = CreateThread(NULL, 0, CountUp, NULL, CREATE_SUSPENDED, &id);
    LONG before;

    CHECK(thread != NULL && id != 0 && id == GetThreadId(thread));
    Sleep(20);
    CHECK_EQUAL(Counter, 0);
    CHECK_EQUAL(ResumeThread(thread), 1);
    for (int i = 0; i < 2000 && Counter < 3; i++)
    {
        Sleep(2);
    }
    CHECK(Counter >= 3);
    CHECK_EQUAL(SuspendThread(thread), 0);
    CHECK_EQUAL(SuspendThread(thread), 1);
    Sleep(10); /* it may still be on its way into the suspension */
    before = Counter;
    Sleep(30);
    CHECK_EQUAL(Counter, before);

    CONTEXT context = {.ContextFlags = CONTEXT_FULL};
    CHECK(GetThreadContext(thread, &context));
    CHECK(context.Rip != 0 && context.Rsp != 0 && context.Rip < 0x7FFFFFFF0000);
    CHECK_EQUAL(ResumeThread(thread), 2);
    CHECK_EQUAL(ResumeThread(thread), 1);
    for (int i = 0; i < 2000 && Counter == before; i++)
    {
        Sleep(2);
    }
    CHECK(Counter > before);
    CHECK(GetExitCodeThread(thread, &code) && code == STILL_ACTIVE);
    CHECK_EQUAL(WaitForSingleObject(thread, 0), WAIT_TIMEOUT);
    CHECK(TerminateThread(thread, 77));
    CHECK_EQUAL(WaitForSingleObject(thread, 10000), WAIT_OBJECT_0);
    CHECK(GetExitCodeThread(thread, &code) && code == 77);
    CloseHandle(thread);
}

static unsigned __stdcall FromRuntime(void *Context)
{
    errno = 5;
    *(int *)Context = 1;
    _endthreadex(33);
    return 0;
}

static DWORD WINAPI Leave(void *Context)
{
    ExitThread((DWORD)(ULONG_PTR)Context);
}

static void TestEnds(void)
{
    int ran = 0;
    DWORD code;
    HANDLE thread = (HANDLE)_beginthreadex(NULL, 0, FromRuntime, &ran, 0, NULL);

    CHECK(thread != NULL);
    CHECK_EQUAL(WaitForSingleObject(thread, 10000), WAIT_OBJECT_0);
    CHECK(GetExitCodeThread(thread, &code) && code == 33 && ran == 1);
    CloseHandle(thread);
    thread = CreateThread(NULL, 0, Leave, (void *)44, 0, NULL);
    CHECK_EQUAL(WaitForSingleObject(thread, 10000), WAIT_OBJECT_0);
    CHECK(GetExitCodeThread(thread, &code) && code == 44);
    CloseHandle(thread);
    CHECK_FAILS(CloseHandle(thread), ERROR_INVALID_HANDLE);
}

static char ApcOrder[16];
static int ApcCount;

static void CALLBACK OnApc(ULONG_PTR Context)
{
    ApcOrder[ApcCount++] = (char)Context;
}

typedef struct SLEEPER
{
    HANDLE Ready;
    DWORD First, Second, Third;
} SLEEPER;

static DWORD WINAPI SleepAlertable(void *Context)
{
    SLEEPER *sleeper = Context;

    SetEvent(sleeper->Ready);
    Sleep(30); /* not alertable: the APCs wait */
    sleeper->First = SleepEx(20000, TRUE);
    sleeper->Second = SleepEx(1, TRUE);
    return 0;
}

static void TestApcs(void)
{
    SLEEPER sleeper = {CreateEventA(NULL, TRUE, FALSE, NULL), 99, 99, 99};
    HANDLE thread = CreateThread(NULL, 0, SleepAlertable, &sleeper, 0, NULL);

    CHECK_EQUAL(WaitForSingleObject(sleeper.Ready, 10000), WAIT_OBJECT_0);
    CHECK(QueueUserAPC(OnApc, thread, 'a'));
    CHECK(QueueUserAPC(OnApc, thread, 'b'));
    CHECK(QueueUserAPC(OnApc, thread, 'c'));
    CHECK_EQUAL(WaitForSingleObject(thread, 20000), WAIT_OBJECT_0);
    CHECK_EQUAL(sleeper.First, WAIT_IO_COMPLETION);
    CHECK_EQUAL(sleeper.Second, 0);
    CHECK(strcmp(ApcOrder, "abc") == 0);      /* all that were queued, in order, in one wait */
    CHECK(!QueueUserAPC(OnApc, thread, 'd')); /* it has ended */
    CloseHandle(thread);

    /* To itself: delivered by the next alertable wait, also one that times out at once. */
    CHECK(QueueUserAPC(OnApc, GetCurrentThread(), 'e'));
    CHECK_EQUAL(WaitForSingleObject(sleeper.Ready, 0), WAIT_OBJECT_0);
    CHECK_EQUAL(ApcCount, 3);
    CHECK_EQUAL(SleepEx(0, TRUE), WAIT_IO_COMPLETION);
    CHECK_EQUAL(ApcCount, 4);
    CHECK_EQUAL(SleepEx(0, TRUE), 0);
    CloseHandle(sleeper.Ready);
}

static void TestPriorities(void)
{
    CHECK_EQUAL(GetThreadPriority(GetCurrentThread()), THREAD_PRIORITY_NORMAL);
    CHECK(SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_HIGHEST));
    CHECK_EQUAL(GetThreadPriority(GetCurrentThread()), THREAD_PRIORITY_HIGHEST);
    CHECK(SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_NORMAL));
    SYSTEM_INFO information;
    GetSystemInfo(&information);
    printf("%lu CPUs, page size %lu, granularity %lu\n", information.dwNumberOfProcessors, information.dwPageSize,
           information.dwAllocationGranularity);
    CHECK(information.dwPageSize == 4096 && information.dwAllocationGranularity == 65536);
    for (DWORD cpu = 0; cpu < information.dwNumberOfProcessors; cpu++)
    {
        CHECK(SetThreadAffinityMask(GetCurrentThread(), (DWORD_PTR)1 << cpu) != 0);
        Sleep(1);
        CHECK_EQUAL(GetCurrentProcessorNumber(), cpu);
    }
    CHECK_FAILS(SetThreadAffinityMask(GetCurrentThread(), (DWORD_PTR)1 << 60), ERROR_INVALID_PARAMETER);
    CHECK(SetThreadAffinityMask(GetCurrentThread(), information.dwActiveProcessorMask) != 0);
}

static DWORD WINAPI AddMany(void *Context)
{
    volatile LONG *sum = Context;
    for (int i = 0; i < 20000; i++)
    {
        InterlockedIncrement(sum);
    }
    return 0;
}

/* Many threads, one after another and at once. */
static void TestMany(void)
{
    volatile LONG sum = 0;
    HANDLE threads[20];

    for (int round = 0; round < 3; round++)
    {
        for (int i = 0; i < 20; i++)
        {
            threads[i] = CreateThread(NULL, 0, AddMany, (void *)&sum, 0, NULL);
            CHECK(threads[i] != NULL);
        }
        CHECK_EQUAL(WaitForMultipleObjects(20, threads, TRUE, 60000), WAIT_OBJECT_0);
        for (int i = 0; i < 20; i++)
        {
            CloseHandle(threads[i]);
        }
    }
    CHECK_EQUAL(sum, 3 * 20 * 20000);
}

int main(void)
{
    TestStorage();
    TestSuspend();
    TestEnds();
    TestApcs();
    TestPriorities();
    TestMany();
    return Done("u_threads");
}
