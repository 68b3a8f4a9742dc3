/* SPDX-License-Identifier: MIT */
/*
 * Threads that race: release against use, map against release, close against everything. The error codes allowed are
 * those of either order; what counts is that nothing is left and nothing breaks.
 */
#include "check.h"

#define PAGE 4096
#define ROUNDS 250

typedef struct RACE
{
    HISTHMUS Isthmus;
    volatile UINT64 Region; /* what the other threads aim at */
    volatile LONG Stop;
    volatile LONG Uses, Misses, Wrong;
} RACE;

static void Tally(RACE *Race, BOOL Done)
{
    DWORD error = Done ? 0 : GetLastError();
    if (Done)
    {
        InterlockedIncrement(&Race->Uses);
    }
    else if (error == ERROR_NOT_FOUND || error == ERROR_NOT_LOCKED || error == ERROR_INVALID_HANDLE ||
             error == ERROR_BUSY)
    {
        InterlockedIncrement(&Race->Misses);
    }
    else
    {
        InterlockedIncrement(&Race->Wrong);
        printf("        unexpected error %lu\n", (unsigned long)error);
    }
}

static DWORD WINAPI User(LPVOID Context)
{
    RACE *race = Context;
    while (!race->Stop)
    {
        UINT32 crc;
        Tally(race, IsthmusChecksum(race->Isthmus, race->Region, 0, 4 * PAGE, &crc));
    }
    return 0;
}

static DWORD WINAPI Mapper(LPVOID Context)
{
    RACE *race = Context;
    while (!race->Stop)
    {
        UINT64 view;
        volatile BYTE *memory = IsthmusMap(race->Isthmus, race->Region, ISTHMUS_ACCESS_ALL, &view);
        /* The bytes aren't touched: another thread may release the region, and the view with it, any time. */
        Tally(race, memory != NULL);
        if (memory != NULL)
        {
            Tally(race, IsthmusUnmap(race->Isthmus, view));
        }
    }
    return 0;
}

static DWORD WINAPI Watcher(LPVOID Context)
{
    RACE *race = Context;
    while (!race->Stop)
    {
        ISTHMUS_DESCRIPTION description;
        Tally(race, IsthmusWatch(race->Isthmus, race->Region, 0, 1, 2, 1000));
        Tally(race, IsthmusDescribe(race->Isthmus, race->Region, 0, 0, 0, &description, sizeof(description)));
    }
    return 0;
}

/* Requests for neither, which lock this process's buffer and move its bytes into and out of the region. */
static DWORD WINAPI Mover(LPVOID Context)
{
    RACE *race = Context;
    BYTE bytes[3 * PAGE];
    HANDLE device = IsthmusGetHandle(race->Isthmus);
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    memset(bytes, 0x17, sizeof(bytes));
    for (DWORD round = 0; !race->Stop; round++)
    {
        ISTHMUS_TRANSFER query = {
            {ISTHMUS_REVISION, sizeof(query)}, race->Region, 11, round & 1 ? ISTHMUS_TO_DRIVER : ISTHMUS_FROM_DRIVER, 0};
        OVERLAPPED overlapped = {.hEvent = event};
        DWORD got;
        BOOL done = DeviceIoControl(device, IOCTL_ISTHMUS_TRANSFER_NEITHER, &query, sizeof(query), bytes, sizeof(bytes),
                                    &got, &overlapped);
        if (!done && GetLastError() == ERROR_IO_PENDING)
        {
            done = GetOverlappedResult(device, &overlapped, &got, TRUE);
        }
        if (done || query.Region != 0) /* before there is a region, reading from none is a wrong parameter */
        {
            Tally(race, done);
        }
    }
    CloseHandle(event);
    return 0;
}

/* Makes and releases regions while the others use them. */
static void RaceRelease(DWORD Kind)
{
    static BYTE buffer[4 * PAGE];
    RACE race = {0};
    HANDLE threads[4];
    ISTHMUS_STATISTICS before;
    TakeCounters(&before);
    race.Isthmus = IsthmusOpen(0);
    if (!CheckDone(race.Isthmus != NULL, "open a session"))
    {
        return;
    }
    threads[0] = CreateThread(NULL, 0, User, &race, 0, NULL);
    threads[1] = CreateThread(NULL, 0, Kind == ISTHMUS_KIND_USER_BUFFER ? User : Mapper, &race, 0, NULL);
    threads[2] = CreateThread(NULL, 0, Watcher, &race, 0, NULL);
    threads[3] = CreateThread(NULL, 0, Mover, &race, 0, NULL);
    int bad = 0;
    for (int round = 0; round < ROUNDS; round++)
    {
        UINT64 region;
        BOOL made = Kind == ISTHMUS_KIND_USER_BUFFER
                        ? IsthmusShare(race.Isthmus, buffer, sizeof(buffer), ISTHMUS_ACCESS_ALL, &region)
                        : IsthmusAllocate(race.Isthmus, Kind, 4 * PAGE, &region);
        if (!made)
        {
            bad++;
            continue;
        }
        race.Region = region;
        if (round % 16 == 0)
        {
            Sleep(1);
        }
        bad += !IsthmusRelease(race.Isthmus, region);
    }
    race.Stop = 1;
    for (int i = 0; i < 4; i++)
    {
        if (threads[i] != NULL)
        {
            WaitForSingleObject(threads[i], INFINITE);
            CloseHandle(threads[i]);
        }
    }
    Check(bad == 0 && race.Wrong == 0, "kind %lu: %d rounds of make and release against %ld uses and %ld misses",
          (unsigned long)Kind, ROUNDS, (long)race.Uses, (long)race.Misses);
    CheckDone(IsthmusClose(race.Isthmus), "close");
    CheckSame(&before, "the race");
}

/* Calls through a handle that another thread closes meanwhile. */
static DWORD WINAPI Hammer(LPVOID Context)
{
    RACE *race = Context;
    UINT64 region, view;
    UINT32 crc;
    if (IsthmusAllocate(race->Isthmus, ISTHMUS_KIND_PAGES, 4 * PAGE, &region))
    {
        InterlockedIncrement(&race->Uses);
        IsthmusMap(race->Isthmus, region, ISTHMUS_ACCESS_ALL, &view);
        IsthmusChecksum(race->Isthmus, region, 0, 4 * PAGE, &crc);
    }
    return 0;
}

static void RaceClose(void)
{
    ISTHMUS_STATISTICS before;
    RACE race = {0};
    TakeCounters(&before);
    for (int round = 0; round < 100; round++)
    {
        race.Isthmus = IsthmusOpen(0);
        if (race.Isthmus == NULL)
        {
            CheckDone(FALSE, "open a session");
            break;
        }
        HANDLE a = CreateThread(NULL, 0, Hammer, &race, 0, NULL), b = CreateThread(NULL, 0, Hammer, &race, 0, NULL);
        if (round % 3 != 0)
        {
            Sleep(round % 3 - 1);
        }
        IsthmusClose(race.Isthmus);
        if (a != NULL)
        {
            WaitForSingleObject(a, INFINITE);
            CloseHandle(a);
        }
        if (b != NULL)
        {
            WaitForSingleObject(b, INFINITE);
            CloseHandle(b);
        }
    }
    CheckSame(&before, "100 closes under two threads");
}

void TestRaces(void)
{
    RaceRelease(ISTHMUS_KIND_USER_BUFFER);
    RaceRelease(ISTHMUS_KIND_NONPAGED_POOL);
    RaceRelease(ISTHMUS_KIND_PAGED_POOL);
    RaceRelease(ISTHMUS_KIND_PAGES);
    RaceClose();
}
