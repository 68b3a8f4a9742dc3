/* SPDX-License-Identifier: MIT */
/*
 * Processes: a child with arguments, environment and an inherited handle; exit codes; ending one; handles put into it;
 * its memory read and written. Without arguments this is the parent; as a child the first argument says what to do.
 */
#include "check.h"
#include <stdlib.h>

static char Shared[64] = "the child's bytes";

static int Child(int argc, char **argv)
{
    HANDLE event;

    if (strcmp(argv[1], "exit") == 0)
    {
        return argc > 2 ? atoi(argv[2]) : 0;
    }
    if (strcmp(argv[1], "arguments") == 0)
    {
        return argc == 4 && strcmp(argv[2], "two words") == 0 && strcmp(argv[3], "\\\"") == 0 &&
                       getenv("FOR_CHILD") != NULL && strcmp(getenv("FOR_CHILD"), "inherited") == 0
                   ? 21
                   : 22;
    }
    if (strcmp(argv[1], "signal") == 0)
    {
        event = (HANDLE)(ULONG_PTR)strtoull(argv[2], NULL, 16);
        return SetEvent(event) ? 31 : 32;
    }
    if (strcmp(argv[1], "named") == 0)
    {
        event = OpenEventA(EVENT_MODIFY_STATE, FALSE, argv[2]);
        return event != NULL && SetEvent(event) ? 41 : 42;
    }
    if (strcmp(argv[1], "crash") == 0)
    {
        volatile ULONG_PTR nowhere = 0x88;
        *(volatile int *)nowhere = 1;
    }
    if (strcmp(argv[1], "show") == 0)
    {
        /* Its address goes to the parent through the event's name; the parent reads and writes it there. */
        event = OpenEventA(SYNCHRONIZE, FALSE, argv[2]);
        return WaitForSingleObject(event, 20000) == WAIT_OBJECT_0 && strcmp(Shared, "written by parent") == 0 ? 51 : 52;
    }
    Sleep(INFINITE);
    return 99;
}

static BOOL Start(const char *Arguments, BOOL Inherit, DWORD Flags, PROCESS_INFORMATION *Information)
{
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    char program[MAX_PATH], line[512];

    GetModuleFileNameA(NULL, program, sizeof(program));
    snprintf(line, sizeof(line), "\"%s\" %s", program, Arguments);
    return CreateProcessA(NULL, line, NULL, NULL, Inherit, Flags, NULL, NULL, &startup, Information);
}

static DWORD Finish(PROCESS_INFORMATION *Information)
{
    DWORD code = 0xFFFFFFFF;

    CHECK_EQUAL(WaitForSingleObject(Information->hProcess, 30000), WAIT_OBJECT_0);
    CHECK(GetExitCodeProcess(Information->hProcess, &code));
    /* The process is signalled by its last thread, which is itself signalled a moment later, when it has gone. */
    CHECK_EQUAL(WaitForSingleObject(Information->hThread, 30000), WAIT_OBJECT_0);
    CloseHandle(Information->hThread);
    CloseHandle(Information->hProcess);
    return code;
}

static void TestExitCodes(void)
{
    static const DWORD codes[] = {0, 1, 77, 123456};
    PROCESS_INFORMATION child;
    char arguments[64];

    for (int i = 0; i < 4; i++)
    {
        snprintf(arguments, sizeof(arguments), "exit %lu", codes[i]);
        CHECK(Start(arguments, FALSE, 0, &child));
        CHECK(child.dwProcessId == GetProcessId(child.hProcess) && child.dwProcessId != GetCurrentProcessId());
        CHECK_EQUAL(Finish(&child), codes[i]);
    }
    SetEnvironmentVariableA("FOR_CHILD", "inherited");
    CHECK(Start("arguments \"two words\" \"\\\\\\\"\"", FALSE, 0, &child));
    CHECK_EQUAL(Finish(&child), 21);
    CHECK(Start("crash", FALSE, 0, &child));
    CHECK_EQUAL(Finish(&child), EXCEPTION_ACCESS_VIOLATION);
}

static void TestHandles(void)
{
    SECURITY_ATTRIBUTES inheritable = {sizeof(inheritable), NULL, TRUE};
    HANDLE event = CreateEventA(&inheritable, TRUE, FALSE, NULL), theirs = NULL, back = NULL, none = NULL;
    PROCESS_INFORMATION child;
    char arguments[64];

    snprintf(arguments, sizeof(arguments), "signal %llx", (ULONG64)(ULONG_PTR)event);
    CHECK(Start(arguments, TRUE, 0, &child));
    CHECK_EQUAL(Finish(&child), 31);
    CHECK_EQUAL(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    ResetEvent(event);
    CHECK(Start(arguments, FALSE, 0, &child)); /* not inherited: there is no such handle */
    CHECK_EQUAL(Finish(&child), 32);
    CHECK_EQUAL(WaitForSingleObject(event, 0), WAIT_TIMEOUT);

    /* A handle put into a child, and taken out again. Suspended: running, the child could take the number for itself. */
    CHECK(Start("sleep", FALSE, CREATE_SUSPENDED, &child));
    CHECK(DuplicateHandle(GetCurrentProcess(), event, child.hProcess, &theirs, 0, FALSE, DUPLICATE_SAME_ACCESS));
    CHECK(theirs != NULL);
    CHECK(DuplicateHandle(child.hProcess, theirs, GetCurrentProcess(), &back, 0, FALSE,
                          DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE));
    CHECK(SetEvent(back));
    CHECK_EQUAL(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    CHECK_FAILS(DuplicateHandle(child.hProcess, theirs, GetCurrentProcess(), &none, 0, FALSE, DUPLICATE_SAME_ACCESS),
                ERROR_INVALID_HANDLE);
    CHECK(CloseHandle(back));
    CHECK(TerminateProcess(child.hProcess, 66));
    CHECK_EQUAL(Finish(&child), 66);
    CloseHandle(event);

    event = CreateEventA(NULL, TRUE, FALSE, "ProcessTestEvent");
    CHECK(Start("named ProcessTestEvent", FALSE, 0, &child));
    CHECK_EQUAL(Finish(&child), 41);
    CHECK_EQUAL(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    CloseHandle(event);
}

/* The same program lies at the same address in both: its variable is reached through the child's handle. */
static void TestMemory(void)
{
    HANDLE go = CreateEventA(NULL, TRUE, FALSE, "ProcessTestGo");
    PROCESS_INFORMATION child;
    char seen[64] = "";
    SIZE_T moved = 0;
    MEMORY_BASIC_INFORMATION information;

    CHECK(Start("show ProcessTestGo", FALSE, CREATE_SUSPENDED, &child));
    CHECK(VirtualQueryEx(child.hProcess, Shared, &information, sizeof(information)) != 0);
    if (information.Type == MEM_IMAGE) /* not relocated elsewhere */
    {
        CHECK(ReadProcessMemory(child.hProcess, Shared, seen, sizeof(Shared), &moved));
        CHECK_EQUAL(moved, sizeof(Shared));
        CHECK(strcmp(seen, "the child's bytes") == 0);
        CHECK(WriteProcessMemory(child.hProcess, Shared, "written by parent", 18, &moved) && moved == 18);
        CHECK(strcmp(Shared, "the child's bytes") == 0); /* copy on write: only the child's */
    }
    CHECK(!ReadProcessMemory(child.hProcess, (void *)0x30, seen, 8, &moved));
    void *remote = VirtualAllocEx(child.hProcess, NULL, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    CHECK(remote != NULL);
    CHECK(WriteProcessMemory(child.hProcess, remote, "remote", 7, &moved));
    CHECK(ReadProcessMemory(child.hProcess, remote, seen, 7, &moved) && strcmp(seen, "remote") == 0);
    CHECK(VirtualFreeEx(child.hProcess, remote, 0, MEM_RELEASE));
    CHECK_EQUAL(ResumeThread(child.hThread), 1);
    SetEvent(go);
    CHECK_EQUAL(Finish(&child), information.Type == MEM_IMAGE ? 51 : 52);
    CloseHandle(go);
}

static void TestErrors(void)
{
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION child;
    char missing[] = "missing.exe", text[] = "license.txt";

    CHECK_FAILS(CreateProcessA(NULL, missing, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &child),
                ERROR_FILE_NOT_FOUND);
    CHECK_FAILS(CreateProcessA(text, NULL, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &child), ERROR_BAD_EXE_FORMAT);
    CHECK_FAILS(OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, 0x7FFFFFF0), ERROR_INVALID_PARAMETER);
}

/* Many at once, of which some are killed. */
static void TestMany(void)
{
    PROCESS_INFORMATION children[6];

    for (int i = 0; i < 6; i++)
    {
        CHECK(Start(i % 2 == 0 ? "exit 5" : "sleep", FALSE, 0, &children[i]));
    }
    for (int i = 1; i < 6; i += 2)
    {
        HANDLE opened = OpenProcess(PROCESS_TERMINATE, FALSE, children[i].dwProcessId);
        CHECK(opened != NULL);
        CHECK(TerminateProcess(opened, 6));
        CloseHandle(opened);
    }
    for (int i = 0; i < 6; i++)
    {
        CHECK_EQUAL(Finish(&children[i]), i % 2 == 0 ? 5 : 6);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
    {
        return Child(argc, argv);
    }
    TestExitCodes();
    TestHandles();
    TestMemory();
    TestErrors();
    TestMany();
    return Done("u_process");
}
