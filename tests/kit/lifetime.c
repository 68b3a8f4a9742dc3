/* SPDX-License-Identifier: MIT */
/*
 * Processes that end with regions live: by exit, killed, at any moment, and with their handle duplicated elsewhere.
 */
#include "check.h"

#define PAGE 4096

/* ---- What the children do ------------------------------------------------------------------------------------ */

/* Holds one of each: a shared buffer, three kinds allocated and mapped, a named region, a running watch. */
static int HoldEverything(HISTHMUS *Isthmus)
{
    static BYTE buffer[3 * PAGE + 100];
    UINT64 region, view;
    wchar_t name[] = L"kit-test child 00000000";
    *Isthmus = IsthmusOpen(0);
    if (*Isthmus == NULL || !IsthmusShare(*Isthmus, buffer + 50, 3 * PAGE, ISTHMUS_ACCESS_ALL, &region) ||
        !IsthmusWatch(*Isthmus, region, 0, 100, 1000, 60000))
    {
        return 11;
    }
    for (DWORD kind = ISTHMUS_KIND_NONPAGED_POOL; kind <= ISTHMUS_KIND_PAGES; kind++)
    {
        if (!IsthmusAllocate(*Isthmus, kind, 5 * PAGE, &region) ||
            IsthmusMap(*Isthmus, region, ISTHMUS_ACCESS_ALL, &view) == NULL ||
            IsthmusMap(*Isthmus, region, ISTHMUS_ACCESS_ALL, &view) == NULL)
        {
            return 12;
        }
    }
    for (int i = 0; i < 8; i++)
    {
        name[15 + i] = L"0123456789ABCDEF"[(GetCurrentProcessId() >> (28 - 4 * i)) & 15];
    }
    return IsthmusName(*Isthmus, region, name, NULL) ? 0 : 13;
}

/* Goes through all steps again and again until it is killed. */
static int StepsForever(void)
{
    static BYTE buffer[16 * PAGE];
    HISTHMUS isthmus;
    for (;;)
    {
        UINT64 shared, region, view;
        UINT32 crc;
        isthmus = IsthmusOpen(0);
        if (isthmus == NULL)
        {
            return 21;
        }
        IsthmusShare(isthmus, buffer + 9, 15 * PAGE, ISTHMUS_ACCESS_ALL, &shared);
        IsthmusChecksum(isthmus, shared, 0, 15 * PAGE, &crc);
        IsthmusAllocate(isthmus, ISTHMUS_KIND_PAGES, 16 * PAGE, &region);
        IsthmusMap(isthmus, region, ISTHMUS_ACCESS_ALL, &view);
        IsthmusWatch(isthmus, region, 0, 1, 1000, 1000);
        IsthmusUnmap(isthmus, view);
        IsthmusMap(isthmus, region, ISTHMUS_ACCESS_ALL, &view);
        IsthmusRelease(isthmus, shared);
        IsthmusRelease(isthmus, region);
        IsthmusClose(isthmus);
    }
}

/* Puts its device handle into the parent and is gone at once; the exit code is the handle's value there. */
static int Duplicate(DWORD ParentId)
{
    static BYTE buffer[3 * PAGE];
    UINT64 region, view;
    HANDLE there;
    HANDLE parent = OpenProcess(PROCESS_DUP_HANDLE, FALSE, ParentId);
    HISTHMUS isthmus = IsthmusOpen(0);
    memset(buffer, 0x31, sizeof(buffer));
    if (parent == NULL || isthmus == NULL)
    {
        printf("        the child can't open its parent or the driver: error %lu\n", (unsigned long)GetLastError());
        return 0;
    }
    if (!IsthmusShare(isthmus, buffer, sizeof(buffer), ISTHMUS_ACCESS_ALL, &region) ||
        !IsthmusAllocate(isthmus, ISTHMUS_KIND_PAGES, 2 * PAGE, &region))
    {
        printf("        the child can't make its regions: error %lu\n", (unsigned long)GetLastError());
        return 0;
    }
    BYTE *memory = IsthmusMap(isthmus, region, ISTHMUS_ACCESS_ALL, &view);
    if (memory == NULL)
    {
        printf("        the child can't map: error %lu\n", (unsigned long)GetLastError());
        return 0;
    }
    memset(memory, 0x42, 2 * PAGE);
    if (!DuplicateHandle(GetCurrentProcess(), IsthmusGetHandle(isthmus), parent, &there, 0, FALSE,
                         DUPLICATE_SAME_ACCESS))
    {
        printf("        the child can't duplicate its handle: error %lu\n", (unsigned long)GetLastError());
        return 0;
    }
    TerminateProcess(GetCurrentProcess(), (UINT)(ULONG_PTR)there);
    return 0;
}

static int WriteReadOnly(BOOL Run)
{
    UINT64 region, view;
    HISTHMUS isthmus = IsthmusOpen(0);
    if (isthmus == NULL || !IsthmusAllocate(isthmus, ISTHMUS_KIND_PAGES, PAGE, &region))
    {
        return 31;
    }
    volatile BYTE *memory = IsthmusMap(isthmus, region, Run ? ISTHMUS_ACCESS_ALL : ISTHMUS_ACCESS_READ, &view);
    if (memory == NULL)
    {
        return 32;
    }
    SetErrorMode(SEM_NOGPFAULTERRORBOX | SEM_FAILCRITICALERRORS);
    if (Run)
    {
        memory[0] = 0xC3; /* ret */
        ((void (*)(void))(ULONG_PTR)memory)();
    }
    else
    {
        memory[0] = 1;
    }
    return 33;
}

int ChildMain(int Count, char **Arguments)
{
    HISTHMUS isthmus;
    int code = 1;
    if (Count == 0)
    {
        return code;
    }
    if (strcmp(Arguments[0], "hold-exit") == 0)
    {
        return HoldEverything(&isthmus);
    }
    if (strcmp(Arguments[0], "hold-sleep") == 0)
    {
        code = HoldEverything(&isthmus);
        if (code == 0)
        {
            Sleep(60000);
        }
        return code;
    }
    if (strcmp(Arguments[0], "channels") == 0)
    {
        return ChannelsForever();
    }
    if (strcmp(Arguments[0], "steps") == 0)
    {
        return StepsForever();
    }
    if (strcmp(Arguments[0], "duplicate") == 0 && Count == 2)
    {
        return Duplicate((DWORD)strtoul(Arguments[1], NULL, 10));
    }
    if (strcmp(Arguments[0], "shared") == 0)
    {
        return SharedChild();
    }
    if (strcmp(Arguments[0], "limits") == 0 && Count == 2)
    {
        return LimitsChild(Arguments[1]);
    }
    if (strcmp(Arguments[0], "plain") == 0 && Count == 2)
    {
        return PlainUser(Arguments[1]);
    }
    if (strcmp(Arguments[0], "write-read-only") == 0)
    {
        return WriteReadOnly(FALSE);
    }
    if (strcmp(Arguments[0], "run-view") == 0)
    {
        return WriteReadOnly(TRUE);
    }
    if (strcmp(Arguments[0], "crash") == 0)
    {
        code = HoldEverything(&isthmus);
        SetErrorMode(SEM_NOGPFAULTERRORBOX | SEM_FAILCRITICALERRORS);
        volatile int *volatile nowhere = NULL;
        *nowhere = code;
    }
    return code;
}

/* ---- What is checked ----------------------------------------------------------------------------------------- */

static void TestEnds(void)
{
    ISTHMUS_STATISTICS before, during;
    DWORD code;
    TakeCounters(&before);
    code = WaitExit(StartSelf("hold-exit", NULL));
    Check(code == 0, "a process exits holding everything: code %lu", (unsigned long)code);
    CheckSame(&before, "its exit");

    code = WaitExit(StartSelf("crash", NULL));
    Check(code == 0xC0000005, "a process crashes holding everything: code 0x%08lX", (unsigned long)code);
    CheckSame(&before, "its crash");

    HANDLE process = StartSelf("hold-sleep", NULL);
    for (int wait = 0; wait < 200; wait++)
    {
        TakeCounters(&during);
        if (during.Regions >= before.Regions + 4 && during.Views >= before.Views + 6)
        {
            break;
        }
        Sleep(20);
    }
    Check(during.Regions == before.Regions + 4 && during.Views == before.Views + 6 &&
              during.LockedBytes > before.LockedBytes,
          "a process holds %llu regions, %llu views, %llu locked bytes",
          (unsigned long long)(during.Regions - before.Regions), (unsigned long long)(during.Views - before.Views),
          (unsigned long long)(during.LockedBytes - before.LockedBytes));
    if (process != NULL)
    {
        Sleep(20); /* the name is given last */
        CheckDone(TerminateProcess(process, 55), "kill it");
        code = WaitExit(process);
        Check(code == 55, "it ended with %lu", (unsigned long)code);
    }
    CheckSame(&before, "its kill");
}

static void TestSweep(void)
{
    ISTHMUS_STATISTICS before;
    TakeCounters(&before);
    for (DWORD delay = 0; delay < 24; delay++)
    {
        HANDLE process = StartSelf("steps", NULL);
        if (process == NULL)
        {
            return;
        }
        Sleep(20 + delay * 7);
        TerminateProcess(process, 56);
        DWORD code = WaitExit(process);
        if (code != 56)
        {
            Check(FALSE, "kill %lu: the process ended with %lu", (unsigned long)delay, (unsigned long)code);
        }
    }
    CheckSame(&before, "24 kills at different moments");
}

static void TestDuplicate(void)
{
    char arguments[64];
    ISTHMUS_STATISTICS before;
    ISTHMUS_VERSION version;
    UINT64 view;
    UINT32 crc = 0;
    TakeCounters(&before);
    snprintf(arguments, sizeof(arguments), "duplicate %lu", (unsigned long)GetCurrentProcessId());
    DWORD value = WaitExit(StartSelf(arguments, NULL));
    HISTHMUS isthmus = (HISTHMUS)(ULONG_PTR)value;
    if (!Check(value != 0 && value != 0xFFFFFFFF, "a killed process left us its handle 0x%lX", (unsigned long)value) ||
        !CheckDone(IsthmusQueryVersion(isthmus, &version), "the handle works"))
    {
        return;
    }
    /* Ids count up: the session's, the shared buffer's, the pages'. */
    UINT64 buffer = version.Session + 1, pages = version.Session + 2;
    CheckError(IsthmusChecksum(isthmus, buffer, 0, 1, &crc), ERROR_NOT_LOCKED,
               "the dead process's buffer was taken back");
    CheckError(IsthmusMap(isthmus, buffer, ISTHMUS_ACCESS_ALL, &view) != NULL, ERROR_NOT_LOCKED, "it can't be mapped");
    CheckDone(IsthmusRelease(isthmus, buffer), "it can be released");
    CheckDone(IsthmusChecksum(isthmus, pages, 0, 2 * PAGE, &crc), "the driver's pages live on, CRC-32 %08X", crc);
    BYTE *memory = IsthmusMap(isthmus, pages, ISTHMUS_ACCESS_ALL, &view);
    if (CheckDone(memory != NULL, "map them here"))
    {
        Check(memory[0] == 0x42 && memory[2 * PAGE - 1] == 0x42, "with the dead process's bytes: 0x%02X", memory[0]);
    }
    BYTE mine[100];
    UINT64 own;
    memset(mine, 3, sizeof(mine));
    CheckDone(IsthmusShare(isthmus, mine, sizeof(mine), ISTHMUS_ACCESS_READ, &own) &&
                  IsthmusChecksum(isthmus, own, 0, sizeof(mine), &crc) && crc == Crc(mine, sizeof(mine)),
              "share a buffer of ours through it");
    CheckDone(IsthmusClose(isthmus), "close it");
    CheckSame(&before, "the duplicated handle");
}

void TestLifetime(void)
{
    TestEnds();
    TestDuplicate();
    TestSweep();

    ISTHMUS_STATISTICS before;
    HISTHMUS isthmus;
    TakeCounters(&before);
    Check(HoldEverything(&isthmus) == 0, "hold everything here");
    CheckDone(IsthmusClose(isthmus), "close the handle with all of it live");
    CheckSame(&before, "the close");
}
