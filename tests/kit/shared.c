/* SPDX-License-Identifier: MIT */
/*
 * One process's regions used by another through a duplicated handle, while the first is killed; and the driver stopped
 * while it is in use.
 */
#include "check.h"

#define PAGE 4096
#define BUFFER (2048 * PAGE)
#define USERS 3

/* What parent and child tell each other, in a named section. */
typedef struct TABLE
{
    DWORD ParentId;
    volatile LONG Ready;
    HANDLE Device; /* in the parent */
    UINT64 Buffer; /* regions of the child */
    UINT64 Pages;
} TABLE;

static const wchar_t TableName[] = L"kit-test table";

int SharedChild(void)
{
    UINT64 view;
    HANDLE section = OpenFileMappingW(FILE_MAP_WRITE, FALSE, TableName);
    TABLE *table = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    HANDLE parent = table != NULL ? OpenProcess(PROCESS_DUP_HANDLE, FALSE, table->ParentId) : NULL;
    BYTE *buffer = VirtualAlloc(NULL, BUFFER, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    HISTHMUS isthmus = IsthmusOpen(0);
    if (parent == NULL || buffer == NULL || isthmus == NULL ||
        !IsthmusShare(isthmus, buffer, BUFFER, ISTHMUS_ACCESS_ALL, &table->Buffer) ||
        !IsthmusAllocate(isthmus, ISTHMUS_KIND_PAGED_POOL, BUFFER, &table->Pages) ||
        IsthmusMap(isthmus, table->Pages, ISTHMUS_ACCESS_ALL, &view) == NULL ||
        IsthmusMap(isthmus, table->Buffer, ISTHMUS_ACCESS_ALL, &view) == NULL ||
        !DuplicateHandle(GetCurrentProcess(), IsthmusGetHandle(isthmus), parent, &table->Device, 0, FALSE,
                         DUPLICATE_SAME_ACCESS))
    {
        return 41;
    }
    InterlockedExchange(&table->Ready, 1);
    Sleep(INFINITE);
    return 42;
}

typedef struct USE
{
    HISTHMUS Isthmus;
    UINT64 Region;
    int Kind;
    volatile LONG *Stop;
    LONG Done, Refused, Wrong;
} USE;

/* Sums up, maps, or moves bytes of the child's buffer until told to stop. */
static DWORD WINAPI UseBuffer(LPVOID Context)
{
    USE *use = Context;
    static BYTE bytes[64 * PAGE];
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
    while (!*use->Stop)
    {
        UINT32 crc;
        UINT64 view;
        DWORD got;
        BOOL done;
        ISTHMUS_TRANSFER query = {
            {ISTHMUS_REVISION, sizeof(query)}, use->Region, 5 * PAGE + 1, ISTHMUS_FROM_DRIVER, 0};
        OVERLAPPED overlapped = {.hEvent = event};
        switch (use->Kind)
        {
        case 0:
            done = IsthmusChecksum(use->Isthmus, use->Region, 0, BUFFER, &crc);
            break;
        case 1:
            done = IsthmusMap(use->Isthmus, use->Region, ISTHMUS_ACCESS_ALL, &view) != NULL;
            if (done && !IsthmusUnmap(use->Isthmus, view) && GetLastError() != ERROR_NOT_FOUND)
            {
                use->Wrong++; /* gone already is right: it went with the region */
            }
            break;
        default:
            done = DeviceIoControl(IsthmusGetHandle(use->Isthmus), IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT, &query,
                                   sizeof(query), bytes, sizeof(bytes), &got, &overlapped);
            if (!done && GetLastError() == ERROR_IO_PENDING)
            {
                done = GetOverlappedResult(IsthmusGetHandle(use->Isthmus), &overlapped, &got, TRUE);
            }
            break;
        }
        use->Done += done;
        use->Refused += !done && GetLastError() == ERROR_NOT_LOCKED;
        use->Wrong += !done && GetLastError() != ERROR_NOT_LOCKED;
    }
    CloseHandle(event);
    return 0;
}

/* Kills a child whose buffer three threads of ours use, after some milliseconds. */
static void KillUnderUse(TABLE *Table, DWORD Milliseconds)
{
    USE uses[USERS];
    HANDLE threads[USERS];
    volatile LONG stop = 0;
    UINT64 view;
    LONG done = 0, refused = 0, wrong = 0;
    MEMORY_BASIC_INFORMATION information;
    Table->Ready = 0;
    HANDLE child = StartSelf("shared", NULL);
    for (int wait = 0; wait < 500 && !Table->Ready; wait++)
    {
        Sleep(10);
    }
    HISTHMUS isthmus = (HISTHMUS)Table->Device;
    BYTE *kept = Table->Ready ? IsthmusMap(isthmus, Table->Buffer, ISTHMUS_ACCESS_ALL, &view) : NULL;
    if (!CheckDone(kept != NULL, "map the child's buffer here"))
    {
        TerminateProcess(child, 1);
        WaitExit(child);
        return;
    }
    for (int i = 0; i < USERS; i++)
    {
        uses[i] = (USE){isthmus, Table->Buffer, i, &stop, 0, 0, 0};
        threads[i] = CreateThread(NULL, 0, UseBuffer, &uses[i], 0, NULL);
    }
    Sleep(Milliseconds);
    TerminateProcess(child, 57);
    DWORD code = WaitExit(child);
    Check(code == 57, "the child ends under our use, with %lu", (unsigned long)code);
    Check(VirtualQuery(kept, &information, sizeof(information)) != 0 && information.State == MEM_FREE,
          "our view of its buffer is gone");
    Sleep(5);
    InterlockedExchange(&stop, 1);
    for (int i = 0; i < USERS; i++)
    {
        WaitForSingleObject(threads[i], INFINITE);
        CloseHandle(threads[i]);
        done += uses[i].Done;
        refused += uses[i].Refused;
        wrong += uses[i].Wrong;
    }
    Check(wrong == 0 && refused > 0, "%ld uses before, %ld refused after, %ld other errors", (long)done, (long)refused,
          (long)wrong);
    CheckDone(IsthmusClose(isthmus), "close its handle");
}

void TestShared(void)
{
    ISTHMUS_STATISTICS before;
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, PAGE, TableName);
    TABLE *table = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    if (!CheckDone(table != NULL, "make a section"))
    {
        return;
    }
    table->ParentId = GetCurrentProcessId();
    TakeCounters(&before);
    for (DWORD round = 0; round < 8; round++)
    {
        KillUnderUse(table, round * 3);
        CheckSame(&before, "the kill");
    }
    UnmapViewOfFile(table);
    CloseHandle(section);
}

/* ---- The driver stopped -------------------------------------------------------------------------------------- */

static DWORD ServiceState(SC_HANDLE Service)
{
    SERVICE_STATUS status;
    return QueryServiceStatus(Service, &status) ? status.dwCurrentState : 0;
}

void TestStopped(void)
{
    static BYTE buffer[3 * PAGE];
    SERVICE_STATUS status;
    ISTHMUS_STATISTICS now = {0};
    UINT64 shared, region, view;
    UINT32 crc = 0;
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service =
        OpenServiceW(manager, ISTHMUS_SERVICE_W, SERVICE_START | SERVICE_STOP | SERVICE_QUERY_STATUS);
    HISTHMUS isthmus = IsthmusOpen(0);
    Pattern(buffer, sizeof(buffer), 5);
    if (!CheckDone(service != NULL && isthmus != NULL, "open the service and a session") ||
        !CheckDone(IsthmusShare(isthmus, buffer, sizeof(buffer), ISTHMUS_ACCESS_ALL, &shared) &&
                       IsthmusAllocate(isthmus, ISTHMUS_KIND_PAGES, 4 * PAGE, &region),
                   "share and allocate"))
    {
        return;
    }
    BYTE *memory = IsthmusMap(isthmus, region, ISTHMUS_ACCESS_ALL, &view);
    CheckDone(memory != NULL && IsthmusWatch(isthmus, region, 0, 1, 100, 60000), "map and watch");

    BOOL stopped = ControlService(service, SERVICE_CONTROL_STOP, &status);
    printf("        the stop was %s, the service's state is %lu\n", stopped ? "accepted" : "refused",
           (unsigned long)ServiceState(service));
    CheckDone(IsthmusChecksum(isthmus, shared, 0, sizeof(buffer), &crc) && crc == Crc(buffer, sizeof(buffer)),
              "the session still works: CRC-32 %08X", crc);
    memory[PAGE] = 0x3C;
    CheckDone(IsthmusChecksum(isthmus, region, PAGE, 1, &crc) && crc == Crc("\x3C", 1), "and its view");
    HISTHMUS late = IsthmusOpen(0);
    Check(late == NULL, "a new session is refused: error %lu", (unsigned long)GetLastError());
    CheckDone(IsthmusClose(isthmus), "close the session with all of it live");

    for (int wait = 0; wait < 200 && ServiceState(service) != SERVICE_STOPPED; wait++)
    {
        Sleep(20);
    }
    Check(ServiceState(service) == SERVICE_STOPPED, "now the driver is stopped");
    CheckDone(StartServiceW(service, 0, NULL), "start it again");
    isthmus = IsthmusOpen(0);
    CheckDone(isthmus != NULL && IsthmusStatistics(isthmus, &now), "open a session");
    Check(now.TotalSessions == 1 && now.Sessions == 1 && now.Regions == 0 && now.Views == 0 && now.Locks == 0 &&
              now.UserMappings == 0 && now.Watches == 0,
          "it is a new one: %llu sessions since its start", (unsigned long long)now.TotalSessions);
    IsthmusClose(isthmus);
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
}
