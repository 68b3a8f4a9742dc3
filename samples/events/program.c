/* SPDX-License-Identifier: MIT */
/*
 * events.exe: shows what events.sys tells. With a program and its arguments it starts that and listens until it has
 * ended; with --seconds N it listens so long. It reads the ring of the channel itself, with isthmus_ring.h.
 */
#include "events.h"
#include <isthmus/isthmus_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const Kinds[] = {"?", "process start", "process end", "thread start", "thread end", "image"};

static void Print(const EVENT *Event)
{
    char name[3 * EVENT_NAME_BYTES / 2 + 1] = "";
    int bytes = WideCharToMultiByte(CP_UTF8, 0, (LPCWCH)(Event + 1), (int)(Event->NameBytes / 2), name,
                                    sizeof(name) - 1, NULL, NULL);
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

typedef struct CHANNEL
{
    HANDLE Device;
    HANDLE Data;  /* the driver sets it when this program sleeps and events have come */
    HANDLE Space; /* for a producer that sleeps; events.sys doesn't */
    ISTHMUS_RING_VIEW View;
    ISTHMUS_RING_CONSUMER Ring;
} CHANNEL;

/* Asks the driver for the channel and opens this end of it. FALSE with the last error. */
static BOOL OpenChannel(CHANNEL *Channel)
{
    ISTHMUS_CHANNEL_CREATE create = {{ISTHMUS_REVISION, sizeof(create)}, 256 * 1024, 0, 0, ISTHMUS_CHANNEL_TO_PROGRAM, 0};
    ISTHMUS_CHANNEL_INFO info;
    DWORD got;
    Channel->Data = CreateEventW(NULL, FALSE, FALSE, NULL);
    Channel->Space = CreateEventW(NULL, FALSE, FALSE, NULL);
    create.DataEvent = (UINT64)(ULONG_PTR)Channel->Data;
    create.SpaceEvent = (UINT64)(ULONG_PTR)Channel->Space;
    if (!DeviceIoControl(Channel->Device, IOCTL_EVENTS_START, &create, sizeof(create), &info, sizeof(info), &got, NULL))
    {
        return FALSE;
    }
    void *base = (void *)(ULONG_PTR)info.Address;
    Channel->View = IsthmusRingViewAt(base, base);
    if (IsthmusRingConsumerOpen(&Channel->Ring, &Channel->View) != IsthmusRingOk)
    {
        SetLastError(ERROR_REVISION_MISMATCH);
        return FALSE;
    }
    return TRUE;
}

/* What the driver has dropped, as its control page says. */
static UINT64 Dropped(const CHANNEL *Channel)
{
    const ISTHMUS_RING_DESCRIPTION *description = Channel->View.Description;
    const BYTE *page = Channel->View.Producer;
    return ((const ISTHMUS_RING_COUNTERS *)(page + description->CountersOffset))->Drops;
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

/* Shows events until the process has ended (NULL: for that many milliseconds) and none is left. FALSE: the stream broke. */
static BOOL Listen(CHANNEL *Channel, HANDLE Process, DWORD Milliseconds)
{
    UINT64 shown = 0;
    DWORD begin = GetTickCount();
    BOOL last = FALSE;
    ISTHMUS_RING_RESULT result;
    do
    {
        ISTHMUS_RING_RECORD record;
        while ((result = IsthmusRingPeek(&Channel->Ring, &record)) == IsthmusRingOk)
        {
            Print(record.Data);
            shown++;
        }
        IsthmusRingRelease(&Channel->Ring);
        if (IsthmusRingWakeProducer(&Channel->Ring))
        {
            SetEvent(Channel->Space);
        }
        if (result != IsthmusRingEmpty || last)
        {
            break;
        }
        result = IsthmusRingConsumerSleep(&Channel->Ring);
        if (result == IsthmusRingEmpty)
        {
            HANDLE handles[2] = {Channel->Data, Process};
            DWORD passed = GetTickCount() - begin;
            DWORD wait = Process != NULL ? INFINITE : passed < Milliseconds ? Milliseconds - passed : 0;
            DWORD reason = WaitForMultipleObjects(Process != NULL ? 2 : 1, handles, FALSE, wait);
            IsthmusRingConsumerAwake(&Channel->Ring);
            last = reason != WAIT_OBJECT_0; /* what came until now is still to be shown */
        }
    } while (result == IsthmusRingOk || result == IsthmusRingEmpty);
    printf("%llu events, %llu lost\n", (unsigned long long)shown, (unsigned long long)Dropped(Channel));
    return result == IsthmusRingEmpty;
}

int main(int Count, char **Arguments)
{
    DWORD seconds = 0;
    HANDLE process = NULL;
    CHANNEL channel;
    if (Count == 3 && strcmp(Arguments[1], "--seconds") == 0)
    {
        seconds = (DWORD)strtoul(Arguments[2], NULL, 10);
    }
    if (Count < 2 || (Arguments[1][0] == '-' && seconds == 0))
    {
        printf("usage: events program.exe [arguments]\n       events --seconds N\n");
        return 2;
    }
    channel.Device = CreateFileW(EVENTS_DEVICE_W, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (channel.Device == INVALID_HANDLE_VALUE)
    {
        return Fail("cannot open the driver (is events.sys started, and are you an administrator?)");
    }
    if (!OpenChannel(&channel))
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
    BOOL done = Listen(&channel, process, seconds * 1000);
    CloseHandle(channel.Device); /* takes the mapping with it */
    CloseHandle(channel.Data);
    CloseHandle(channel.Space);
    return done ? 0 : 1;
}
