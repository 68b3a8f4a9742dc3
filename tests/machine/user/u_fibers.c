/* SPDX-License-Identifier: MIT */
/* Fibers, and snapshots of processes, threads and modules. */
#include "check.h"

#include <tlhelp32.h>

#pragma GCC diagnostic ignored "-Warray-bounds" /* in winnt.h's GetCurrentFiber: gs:[n] read as an array */

static PVOID Main;
static DWORD Fls;
static volatile LONG Destroyed, Steps;

static VOID CALLBACK Destroy(PVOID Value)
{
    InterlockedExchangeAdd(&Destroyed, (LONG)(LONG_PTR)Value);
}

/* Deep enough to move the guard page of its own stack. */
static int Deep(int Depth)
{
    volatile char room[4000];

    room[0] = (char)Depth;
    return Depth == 0 ? room[0] : Deep(Depth - 1) + room[0];
}

static VOID CALLBACK Fiber(PVOID Parameter)
{
    volatile double kept = 1.5;

    CHECK_EQUAL((ULONG_PTR)GetFiberData(), (ULONG_PTR)Parameter);
    CHECK(FlsGetValue(Fls) == NULL); /* its own */
    FlsSetValue(Fls, (PVOID)100);
    for (;;)
    {
        Steps++;
        SwitchToFiber(Main);
        kept *= 2;
        CHECK(FlsGetValue(Fls) == (PVOID)100);
        CHECK(Deep(100) != 0);
        CHECK(kept == 3.0 || kept == 6.0);
    }
}

static DWORD WINAPI Convert(PVOID Parameter)
{
    (void)Parameter;
    CHECK(!IsThreadAFiber());
    Fls = FlsAlloc(Destroy);
    FlsSetValue(Fls, (PVOID)1);
    Main = ConvertThreadToFiber((PVOID)7);
    CHECK(Main != NULL && IsThreadAFiber() && GetCurrentFiber() == Main && GetFiberData() == (PVOID)7);
    CHECK(ConvertThreadToFiber(NULL) == NULL && GetLastError() == ERROR_ALREADY_FIBER);

    PVOID fiber = CreateFiberEx(0, 0x100000, FIBER_FLAG_FLOAT_SWITCH, Fiber, (PVOID)5);
    CHECK(fiber != NULL);
    for (int i = 0; i < 3; i++)
    {
        SwitchToFiber(fiber);
        CHECK_EQUAL(Steps, i + 1);
        CHECK(GetCurrentFiber() == Main && FlsGetValue(Fls) == (PVOID)1);
    }
    CHECK(Deep(10) != 0);
    DeleteFiber(fiber);
    CHECK_EQUAL(Destroyed, 100);
    CHECK(ConvertFiberToThread());
    CHECK(!ConvertFiberToThread() && GetLastError() == ERROR_ALREADY_THREAD);
    return 3;
}

static VOID TestFibers(VOID)
{
    DWORD code = 0;
    HANDLE thread = CreateThread(NULL, 0, Convert, NULL, 0, NULL);

    WaitForSingleObject(thread, INFINITE);
    GetExitCodeThread(thread, &code);
    CloseHandle(thread);
    CHECK_EQUAL(code, 3);
    CHECK_EQUAL(Destroyed, 101); /* the thread's own value, at its end */
}

static VOID TestProcesses(VOID)
{
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD, 0);
    PROCESSENTRY32 process = {.dwSize = sizeof(process)};
    THREADENTRY32 thread = {.dwSize = sizeof(thread)};
    DWORD self = 0, system = 0, threads = 0;

    CHECK(snapshot != INVALID_HANDLE_VALUE);
    for (BOOL more = Process32First(snapshot, &process); more; more = Process32Next(snapshot, &process))
    {
        printf("%6lu %6lu %3lu %s\n", process.th32ProcessID, process.th32ParentProcessID, process.cntThreads,
               process.szExeFile);
        self += process.th32ProcessID == GetCurrentProcessId() && strcmp(process.szExeFile, "u_fibers.exe") == 0 &&
                process.cntThreads == 1;
        system += process.th32ProcessID == 4 && strcmp(process.szExeFile, "System") == 0 && process.cntThreads > 1;
    }
    CHECK_EQUAL(GetLastError(), ERROR_NO_MORE_FILES);
    CHECK_EQUAL(self, 1);
    CHECK_EQUAL(system, 1);
    for (BOOL more = Thread32First(snapshot, &thread); more; more = Thread32Next(snapshot, &thread))
    {
        threads += thread.th32OwnerProcessID == GetCurrentProcessId() && thread.th32ThreadID == GetCurrentThreadId();
    }
    CHECK_EQUAL(threads, 1);
    process.dwSize = 8;
    CHECK(!Process32First(snapshot, &process) && GetLastError() == ERROR_BAD_LENGTH);
    CHECK(CloseHandle(snapshot));
    CHECK(CreateToolhelp32Snapshot(0, 0) == INVALID_HANDLE_VALUE && GetLastError() == ERROR_INVALID_PARAMETER);
}

static VOID TestModules(VOID)
{
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, GetCurrentProcessId());
    MODULEENTRY32 module = {.dwSize = sizeof(module)};
    DWORD found = 0;

    CHECK(snapshot != INVALID_HANDLE_VALUE);
    CHECK(Module32First(snapshot, &module) && module.hModule == GetModuleHandleA(NULL)); /* the program is the first */
    do
    {
        found += module.hModule == GetModuleHandleA("kernel32") && _stricmp(module.szModule, "kernel32.dll") == 0 &&
                 strstr(module.szExePath, "\\System32\\") != NULL && module.modBaseSize != 0;
    } while (Module32Next(snapshot, &module));
    CHECK_EQUAL(found, 1);
    CloseHandle(snapshot);
    CHECK(CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, 4) == INVALID_HANDLE_VALUE); /* System has no list */
}

/* PROCESS_QUERY_INFORMATION brings the limited right with it, as do those for threads. */
static VOID TestRights(VOID)
{
    FILETIME times[4];
    DWORD code = 0;
    HANDLE process = OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, GetCurrentProcessId());
    HANDLE thread = OpenThread(THREAD_QUERY_INFORMATION, FALSE, GetCurrentThreadId());

    CHECK(GetExitCodeProcess(process, &code) && code == STILL_ACTIVE);
    CHECK(GetProcessTimes(process, &times[0], &times[1], &times[2], &times[3]));
    CHECK(GetExitCodeThread(thread, &code) && code == STILL_ACTIVE);
    CloseHandle(process);
    CloseHandle(thread);
    process = OpenProcess(PROCESS_VM_READ, FALSE, GetCurrentProcessId());
    CHECK(!GetExitCodeProcess(process, &code) && GetLastError() == ERROR_ACCESS_DENIED);
    CloseHandle(process);
}

int main(void)
{
    TestFibers();
    TestProcesses();
    TestModules();
    TestRights();
    return Done("fibers");
}
