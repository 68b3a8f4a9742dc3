/* SPDX-License-Identifier: MIT */
/*
 * scenario.exe: one short way through everything the kit does, the same every time, for ntrun's sweeps. It goes on
 * where it can after a step has failed, because a driver that refused one request must still serve the next.
 *
 *     scenario walk      every step once; exit code: how many failed
 *     scenario threads   two threads share, allocate, map and release on one session at the same time
 *     scenario ends      one thread works in the driver while the other ends the process; exit code 57
 *     scenario stream    a channel of each kind, from making to end of stream; exit code as `walk`
 *     scenario crowd     two threads work, and a child process opens, maps and is killed; exit code as `walk`
 */
#include <isthmus/isthmus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define ROUNDS 6
#define NAME L"scenario"
#define ENDED 57

static BYTE Buffer[5 * PAGE];
static volatile LONG Failures;

static BOOL Step(BOOL Done, const char *What)
{
    if (!Done)
    {
        DWORD error = GetLastError();
        InterlockedIncrement(&Failures);
        printf("%s: error %lu\n", What, (unsigned long)error);
    }
    return Done;
}

/* Maps a region for writing and for reading, and sees the same byte through both. */
static void MapTwice(HISTHMUS Isthmus, UINT64 Region)
{
    UINT64 first = 0, second = 0;
    volatile BYTE *memory = IsthmusMap(Isthmus, Region, ISTHMUS_ACCESS_ALL, &first);
    volatile BYTE *reading = IsthmusMap(Isthmus, Region, ISTHMUS_ACCESS_READ, &second);
    Step(memory != NULL, "map");
    Step(reading != NULL, "map for reading");
    if (memory != NULL)
    {
        memory[PAGE] = 0x5A;
    }
    if (memory != NULL && reading != NULL && reading[PAGE] != 0x5A)
    {
        printf("the views differ\n");
        exit(100);
    }
    if (reading != NULL)
    {
        Step(IsthmusUnmap(Isthmus, second), "unmap");
    }
    /* The other view goes with the region. */
}

/* The same bytes in and out by each transfer method. */
static void Transfer(HISTHMUS Isthmus, UINT64 Region)
{
    static const DWORD in[] = {IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, IOCTL_ISTHMUS_TRANSFER_NEITHER};
    static const DWORD out[] = {IOCTL_ISTHMUS_TRANSFER_BUFFERED, IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT,
                                IOCTL_ISTHMUS_TRANSFER_NEITHER};
    static BYTE data[2 * PAGE];
    ISTHMUS_TRANSFER query = {{ISTHMUS_REVISION, sizeof(query)}, Region, 0, ISTHMUS_TO_DRIVER, 0};
    OVERLAPPED overlapped = {0};
    HANDLE device = IsthmusGetHandle(Isthmus);
    DWORD got;
    overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    for (unsigned i = 0; i < 2 + 3; i++)
    {
        BOOL done;
        query.Direction = i < 2 ? ISTHMUS_TO_DRIVER : ISTHMUS_FROM_DRIVER;
        done = DeviceIoControl(device, i < 2 ? in[i] : out[i - 2], &query, sizeof(query), data + 7, PAGE, &got,
                               &overlapped);
        if (!done && GetLastError() == ERROR_IO_PENDING)
        {
            done = GetOverlappedResult(device, &overlapped, &got, TRUE);
        }
        Step(done, "transfer");
    }
    CloseHandle(overlapped.hEvent);
}

/* Another session finds the region by its name. */
static void OpenByName(void)
{
    HISTHMUS other = IsthmusOpen(0);
    UINT64 region, view;
    if (!Step(other != NULL, "open another session"))
    {
        return;
    }
    if (Step(IsthmusOpenNamed(other, NAME, ISTHMUS_ACCESS_READ, &region), "open by name"))
    {
        Step(IsthmusMap(other, region, ISTHMUS_ACCESS_READ, &view) != NULL, "map by name");
    }
    Step(IsthmusClose(other), "close the other session");
}

static void Look(HISTHMUS Isthmus, UINT64 Region)
{
    static BYTE room[4 * PAGE];
    ISTHMUS_STATISTICS statistics;
    Step(IsthmusDescribe(Isthmus, Region, 0, 0, 0, (ISTHMUS_DESCRIPTION *)room, sizeof(room)), "describe");
    Step(IsthmusList(Isthmus, ISTHMUS_LIST_REGIONS, 0, (ISTHMUS_LIST_PAGE *)room, sizeof(room)), "list");
    Step(IsthmusStatistics(Isthmus, &statistics), "statistics");
}

static void Walk(void)
{
    HISTHMUS isthmus = IsthmusOpen(0);
    UINT64 shared = 0, region = 0;
    UINT32 crc;
    if (!Step(isthmus != NULL, "open"))
    {
        return;
    }
    if (Step(IsthmusShare(isthmus, Buffer + 9, 4 * PAGE, ISTHMUS_ACCESS_ALL, &shared), "share"))
    {
        Step(IsthmusChecksum(isthmus, shared, 0, 4 * PAGE, &crc), "checksum");
        Transfer(isthmus, shared);
        Step(IsthmusWatch(isthmus, shared, 0, 1, 1, 1000), "watch");
        Look(isthmus, shared);
    }
    for (DWORD kind = ISTHMUS_KIND_NONPAGED_POOL; kind <= ISTHMUS_KIND_PAGES; kind++)
    {
        if (!Step(IsthmusAllocate(isthmus, kind, 3 * PAGE, &region), "allocate"))
        {
            continue;
        }
        MapTwice(isthmus, region);
        if (kind == ISTHMUS_KIND_PAGES && Step(IsthmusName(isthmus, region, NAME, NULL), "name"))
        {
            OpenByName();
        }
        Look(isthmus, region);
        if (kind != ISTHMUS_KIND_PAGED_POOL) /* that one goes with the session */
        {
            Step(IsthmusRelease(isthmus, region), "release");
        }
    }
    if (shared != 0)
    {
        Step(IsthmusRelease(isthmus, shared), "release what is shared");
    }
    Step(IsthmusClose(isthmus), "close");
}

/* ---- Channels ------------------------------------------------------------------------------------------------- */

/* Reads until the driver has closed its end. FALSE: something else ended it. */
static BOOL ReadAll(HISTHMUSCHANNEL Channel, UINT64 *Records)
{
    for (;;)
    {
        const void *data;
        DWORD length;
        while (IsthmusChannelPeek(Channel, &data, &length))
        {
            ++*Records;
        }
        DWORD error = GetLastError();
        IsthmusChannelFlush(Channel);
        if (error == ERROR_HANDLE_EOF)
        {
            return TRUE;
        }
        if (error != ERROR_NO_MORE_ITEMS || (!IsthmusChannelWait(Channel, 5000) && GetLastError() != ERROR_HANDLE_EOF))
        {
            return FALSE;
        }
    }
}

/* More than fits at once, so that both sides find it full and empty, and sleep. */
static void FromDriver(HISTHMUS Isthmus, DWORD Flags, DWORD Producers)
{
    UINT64 records = 0;
    HISTHMUSCHANNEL channel = IsthmusChannelOpen(Isthmus, ISTHMUS_CHANNEL_TO_PROGRAM, PAGE, Flags);
    if (!Step(channel != NULL, "open a channel to the program"))
    {
        return;
    }
    if (Step(IsthmusChannelSource(channel, 40, Producers, 16, 400, FALSE), "source"))
    {
        if (Step(ReadAll(channel, &records), "read all") && records != 40 * Producers)
        {
            printf("%llu of %lu records\n", (unsigned long long)records, (unsigned long)(40 * Producers));
            exit(100);
        }
        Step(IsthmusChannelFinish(channel, 0), "finish reading");
    }
    Step(IsthmusChannelClose(channel), "close the channel to the program");
}

static void ToDriver(HISTHMUS Isthmus)
{
    ISTHMUS_CHANNEL_STATE state;
    HISTHMUSCHANNEL channel = IsthmusChannelOpen(Isthmus, ISTHMUS_CHANNEL_TO_DRIVER, PAGE, 0);
    if (!Step(channel != NULL, "open a channel to the driver"))
    {
        return;
    }
    for (DWORD sent = 0; sent < 40;)
    {
        if (IsthmusChannelSend(channel, Buffer, sent * 10))
        {
            sent++;
        }
        else if (!Step(GetLastError() == ERROR_PIPE_BUSY && IsthmusChannelWait(channel, 5000), "wait for room"))
        {
            break;
        }
    }
    if (Step(IsthmusChannelFinish(channel, 5000), "finish sending") &&
        Step(IsthmusChannelQuery(channel, &state), "query") && state.Records != 40)
    {
        printf("the driver took %llu of 40 records\n", (unsigned long long)state.Records);
        exit(100);
    }
    Step(IsthmusChannelClose(channel), "close the channel to the driver");
}

static void Streams(void)
{
    HISTHMUS isthmus = IsthmusOpen(0);
    if (!Step(isthmus != NULL, "open"))
    {
        return;
    }
    FromDriver(isthmus, 0, 1);
    FromDriver(isthmus, ISTHMUS_CHANNEL_MANY, 3);
    ToDriver(isthmus);
    Step(IsthmusClose(isthmus), "close");
}

/* ---- Two threads ---------------------------------------------------------------------------------------------- */

static DWORD WINAPI Share(LPVOID Context)
{
    for (int round = 0; round < ROUNDS; round++)
    {
        UINT64 region;
        UINT32 crc;
        if (Step(IsthmusShare(Context, Buffer + 9, 4 * PAGE, ISTHMUS_ACCESS_ALL, &region), "share"))
        {
            Step(IsthmusChecksum(Context, region, 0, 4 * PAGE, &crc), "checksum");
            Step(IsthmusRelease(Context, region), "release");
        }
    }
    return 0;
}

static DWORD WINAPI Allocate(LPVOID Context)
{
    for (int round = 0; round < ROUNDS; round++)
    {
        UINT64 region, view;
        if (Step(IsthmusAllocate(Context, ISTHMUS_KIND_NONPAGED_POOL + round % 3, 3 * PAGE, &region), "allocate"))
        {
            if (Step(IsthmusMap(Context, region, ISTHMUS_ACCESS_ALL, &view) != NULL, "map"))
            {
                Step(IsthmusUnmap(Context, view), "unmap");
            }
            Step(IsthmusRelease(Context, region), "release");
        }
    }
    return 0;
}

/* Starts Share and Allocate; the caller closes the handles. */
static BOOL StartTwo(HISTHMUS Isthmus, HANDLE *Threads)
{
    Threads[0] = CreateThread(NULL, 0, Share, Isthmus, 0, NULL);
    Threads[1] = CreateThread(NULL, 0, Allocate, Isthmus, 0, NULL);
    return Step(Threads[0] != NULL && Threads[1] != NULL, "start threads");
}

static void EndTwo(HANDLE *Threads)
{
    for (int i = 0; i < 2; i++)
    {
        if (Threads[i] != NULL)
        {
            WaitForSingleObject(Threads[i], INFINITE);
            CloseHandle(Threads[i]);
        }
    }
}

static void Threads(void)
{
    HISTHMUS isthmus = IsthmusOpen(0);
    HANDLE threads[2];
    if (Step(isthmus != NULL, "open"))
    {
        StartTwo(isthmus, threads);
        EndTwo(threads);
        Step(IsthmusClose(isthmus), "close");
    }
}

/* The process ends while a thread of it is somewhere in the driver. */
static void Ends(void)
{
    HISTHMUS isthmus = IsthmusOpen(0);
    HANDLE threads[2];
    if (Step(isthmus != NULL, "open") && StartTwo(isthmus, threads))
    {
        UINT64 region;
        IsthmusAllocate(isthmus, ISTHMUS_KIND_PAGES, PAGE, &region);
    }
    TerminateProcess(GetCurrentProcess(), ENDED);
}

/* ---- Another process ------------------------------------------------------------------------------------------ */

static int Child(void)
{
    HISTHMUS isthmus = IsthmusOpen(0);
    UINT64 region, view;
    IsthmusShare(isthmus, Buffer, sizeof(Buffer), ISTHMUS_ACCESS_ALL, &region);
    IsthmusOpenNamed(isthmus, NAME, ISTHMUS_ACCESS_ALL, &region);
    IsthmusMap(isthmus, region, ISTHMUS_ACCESS_ALL, &view);
    Sleep(60000);
    return 0;
}

static void Crowd(const char *Self)
{
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION child;
    char line[MAX_PATH + 16];
    HISTHMUS isthmus = IsthmusOpen(0);
    HANDLE threads[2];
    UINT64 region;
    if (!Step(isthmus != NULL, "open"))
    {
        return;
    }
    if (Step(IsthmusAllocate(isthmus, ISTHMUS_KIND_PAGES, 2 * PAGE, &region), "allocate"))
    {
        Step(IsthmusName(isthmus, region, NAME, NULL), "name");
    }
    snprintf(line, sizeof(line), "\"%s\" child", Self);
    if (Step(CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &child), "start a child"))
    {
        StartTwo(isthmus, threads);
        Sleep(3);
        TerminateProcess(child.hProcess, ENDED);
        WaitForSingleObject(child.hProcess, INFINITE);
        CloseHandle(child.hProcess);
        CloseHandle(child.hThread);
        EndTwo(threads);
    }
    Step(IsthmusClose(isthmus), "close");
}

int main(int Count, char **Arguments)
{
    const char *mode = Count == 2 ? Arguments[1] : "";
    memset(Buffer, 0x31, sizeof(Buffer));
    if (strcmp(mode, "walk") == 0)
    {
        Walk();
    }
    else if (strcmp(mode, "stream") == 0)
    {
        Streams();
    }
    else if (strcmp(mode, "threads") == 0)
    {
        Threads();
    }
    else if (strcmp(mode, "ends") == 0)
    {
        Ends();
    }
    else if (strcmp(mode, "crowd") == 0)
    {
        Crowd(Arguments[0]);
    }
    else if (strcmp(mode, "child") == 0)
    {
        return Child();
    }
    else
    {
        fprintf(stderr, "scenario: name one of walk, stream, threads, ends, crowd\n");
        return 101;
    }
    return Failures > 99 ? 99 : (int)Failures;
}
