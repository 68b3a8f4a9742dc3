/* SPDX-License-Identifier: MIT */
/*
 * events.exe: shows what events.sys tells. With a program and its arguments it starts that and listens until it has
 * ended; with --seconds N it listens so long.
 */
#include "events.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const Kinds[] = {"?", "process start", "process end", "thread start", "thread end", "image"};

static void Print(const EVENT *Event)
{
    char name[3 * EVENT_NAME_CHARS + 1] = "";
    int chars = 0;
    while (chars < (int)EVENT_NAME_CHARS && Event->Name[chars] != 0)
    {
        chars++;
    }
    int bytes = WideCharToMultiByte(CP_UTF8, 0, (LPCWCH)Event->Name, chars, name, sizeof(name) - 1, NULL, NULL);
    name[bytes > 0 ? bytes : 0] = 0;

    printf("%12.6f  %-13s  %6u", (double)Event->Time / 1e7, Kinds[Event->Kind <= EVENT_IMAGE ? Event->Kind : 0],
           Event->ProcessId);
    switch (Event->Kind)
    {
    case EVENT_PROCESS_START:
        printf("  parent %u", Event->Other);
        break;
    case EVENT_THREAD_START:
    case EVENT_THREAD_END:
        printf("  thread %u", Event->Other);
        break;
    case EVENT_IMAGE:
        printf("  %016llX  %6llu KB  %s", (unsigned long long)Event->Base, (unsigned long long)(Event->Size / 1024),
               name);
        break;
    }
    printf("\n");
}

/* Takes event number Next out of the ring; the number of the one taken, or 0 if it isn't there yet. See events.h. */
static UINT64 Take(const volatile EVENT *Ring, UINT64 Next, EVENT *Event)
{
    const volatile EVENT *slot = &Ring[Next % EVENT_SLOTS];
    UINT64 before = slot->Sequence;
    MemoryBarrier();
    memcpy(Event, (const void *)slot, sizeof(*Event));
    MemoryBarrier();
    UINT64 after = slot->Sequence;
    return before == after && before >= Next ? before : 0;
}

static HANDLE StartProgram(int Count, char **Arguments)
{
    static char line[8192];
    STARTUPINFOA startup;
    PROCESS_INFORMATION process;
    for (int i = 0; i < Count; i++)
    {
        if (strlen(line) + strlen(Arguments[i]) + 4 > sizeof(line))
        {
            SetLastError(ERROR_INSUFFICIENT_BUFFER);
            return NULL;
        }
        strcat(strcat(strcat(line, i == 0 ? "\"" : " \""), Arguments[i]), "\"");
    }
    ZeroMemory(&startup, sizeof(startup));
    startup.cb = sizeof(startup);
    if (!CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process))
    {
        return NULL;
    }
    CloseHandle(process.hThread);
    return process.hProcess;
}

static int Fail(const char *What)
{
    fprintf(stderr, "events: %s: error %lu.\n", What, (unsigned long)GetLastError());
    return 1;
}

/* Shows events until the process has ended (NULL: for that many milliseconds) and none is left. */
static void Listen(const volatile EVENT *Ring, HANDLE Wakeup, HANDLE Process, DWORD Milliseconds)
{
    UINT64 next = 1, shown = 0, lost = 0;
    EVENT event;
    DWORD begin = GetTickCount();
    BOOL last = FALSE;
    for (;;)
    {
        UINT64 got = Take(Ring, next, &event);
        if (got != 0)
        {
            lost += got - next;
            next = got + 1;
            shown++;
            Print(&event);
            continue;
        }
        if (last)
        {
            break;
        }
        HANDLE handles[2] = {Wakeup, Process};
        DWORD passed = GetTickCount() - begin;
        DWORD wait = Process != NULL ? INFINITE : passed < Milliseconds ? Milliseconds - passed : 0;
        DWORD reason = WaitForMultipleObjects(Process != NULL ? 2 : 1, handles, FALSE, wait);
        last = reason != WAIT_OBJECT_0; /* what came until now is still to be shown */
    }
    printf("%llu events, %llu lost\n", (unsigned long long)shown, (unsigned long long)lost);
}

int main(int Count, char **Arguments)
{
    DWORD seconds = 0, got;
    HANDLE process = NULL;
    EVENTS_START start;
    EVENTS_STARTED started;
    if (Count == 3 && strcmp(Arguments[1], "--seconds") == 0)
    {
        seconds = (DWORD)strtoul(Arguments[2], NULL, 10);
    }
    if (Count < 2 || (Arguments[1][0] == '-' && seconds == 0))
    {
        printf("usage: events program.exe [arguments]\n       events --seconds N\n");
        return 2;
    }
    HANDLE device = CreateFileW(EVENTS_DEVICE_W, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (device == INVALID_HANDLE_VALUE)
    {
        return Fail("cannot open the driver (is events.sys started, and are you an administrator?)");
    }
    HANDLE wakeup = CreateEventW(NULL, FALSE, FALSE, NULL);
    start.Wakeup = (UINT64)(ULONG_PTR)wakeup;
    if (!DeviceIoControl(device, IOCTL_EVENTS_START, &start, sizeof(start), &started, sizeof(started), &got, NULL))
    {
        return Fail("the driver does not start");
    }
    if (seconds == 0)
    {
        process = StartProgram(Count - 1, Arguments + 1);
        if (process == NULL)
        {
            return Fail("cannot start the program");
        }
    }
    Listen((const volatile EVENT *)(ULONG_PTR)started.Ring, wakeup, process, seconds * 1000);
    CloseHandle(device); /* takes the view with it */
    CloseHandle(wakeup);
    return 0;
}
