/* SPDX-License-Identifier: MIT */
/*
 * share and alloc: make a region, say what it is, and hold it so that others can look at it.
 */
#include "cli.h"

#define CHECK_CHUNK (16ull << 20) /* bytes between two signs of progress */

static HANDLE Ended; /* set by Ctrl+C and its like, or by Enter */

static BOOL WINAPI OnControl(DWORD Type)
{
    (void)Type;
    SetEvent(Ended);
    return TRUE; /* main takes the region back and returns */
}

/* Reads standard input up to a line's end, or its own. */
static DWORD WINAPI WaitForEnter(void *Nothing)
{
    char character;
    DWORD got;
    (void)Nothing;
    while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), &character, 1, &got, NULL) && got != 0 && character != '\n')
    {
    }
    SetEvent(Ended);
    return 0;
}

/* Holds until Enter, Ctrl+C or the time asked for. FALSE if that can't be waited for; a message was printed. */
BOOL Hold(const OPTIONS *Options)
{
    fflush(stdout);
    if (Options->HasSeconds)
    {
        ULONGLONG milliseconds = Options->Seconds < MAXDWORD / 1000 ? Options->Seconds * 1000 : INFINITE;
        WaitForSingleObject(Ended, (DWORD)milliseconds);
        return TRUE;
    }
    HANDLE thread = CreateThread(NULL, 0, WaitForEnter, NULL, 0, NULL);
    if (thread == NULL)
    {
        ReportError("cannot wait for Enter", GetLastError());
        return FALSE;
    }
    if (IsTerminal(STD_ERROR_HANDLE))
    {
        fprintf(stderr, "Enter or Ctrl+C gives it back.\n");
    }
    WaitForSingleObject(Ended, INFINITE);
    CloseHandle(thread); /* it may still be reading; it ends with the process */
    return TRUE;
}

/* A session and a way to end; NULL after a message. */
HISTHMUS BeginHold(void)
{
    Ended = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (Ended == NULL || !SetConsoleCtrlHandler(OnControl, TRUE))
    {
        ReportError("cannot prepare for Ctrl+C", GetLastError());
        return NULL;
    }
    return OpenSession();
}

static BOOL NameRegion(HISTHMUS Isthmus, UINT64 Region, const OPTIONS *Options)
{
    if (Options->Name != NULL && !IsthmusName(Isthmus, Region, Options->Name, NULL))
    {
        ReportError("cannot name the region", GetLastError());
        return FALSE;
    }
    return TRUE;
}

static void PrintRow(const char *Key, const char *Value)
{
    printf("  %-10s%s\n", Key, Value);
}

static void PrintRegionHead(UINT64 Region, const OPTIONS *Options, UINT32 Kind, DWORD Access, UINT64 Bytes)
{
    printf("%sregion %llu%s\n", Bold(), (unsigned long long)Region, Plain());
    if (Options->Name != NULL)
    {
        PrintRow("name", Visible(Utf8(Options->Name)));
    }
    PrintRow("kind", KindName(Kind));
    PrintRow("access", AccessName(Access));
    PrintRow("bytes", Grouped(Bytes));
    printf("  %-10s%lu\n", "process", (unsigned long)GetCurrentProcessId());
}

/* Chunk by chunk, both sides' checksums. FALSE if they differ or can't be had; what was found is printed. */
static BOOL CheckBytes(HISTHMUS Isthmus, UINT64 Region, const BYTE *Bytes, UINT64 Length)
{
    UINT32 whole = 0;
    for (UINT64 offset = 0; offset < Length;)
    {
        UINT32 driver;
        UINT64 chunk = min(Length - offset, CHECK_CHUNK);
        if (WaitForSingleObject(Ended, 0) == WAIT_OBJECT_0)
        {
            ProgressEnd();
            fprintf(stderr, "isthmus: the check was broken off.\n");
            return FALSE;
        }
        if (!IsthmusChecksum(Isthmus, Region, offset, chunk, &driver))
        {
            ProgressEnd();
            ReportError("cannot have the driver read the region", GetLastError());
            return FALSE;
        }
        UINT32 program = ProgramCrc32(0, Bytes + offset, chunk);
        if (driver != program)
        {
            ProgressEnd();
            fprintf(stderr, "isthmus: bytes from %s on differ: CRC-32 %08X by the driver, %08X here.\n",
                    Grouped(offset), driver, program);
            return FALSE;
        }
        whole = ProgramCrc32(whole, Bytes + offset, chunk);
        offset += chunk;
        Progress("checking", offset, Length);
    }
    ProgressEnd();
    printf("  %-10sCRC-32 %08X; the driver's is the same\n", "check", whole);
    return TRUE;
}

/* Shares, shows, holds and gives back one buffer that is there. */
static BOOL ShareAndHold(HISTHMUS Isthmus, const OPTIONS *Options, BYTE *Buffer, UINT64 Length)
{
    UINT64 region;
    DWORD access = Options->ReadOnly ? ISTHMUS_ACCESS_READ : ISTHMUS_ACCESS_ALL;
    if (Length >= CHECK_CHUNK)
    {
        Progress("locking", 0, 0);
    }
    BOOL shared = IsthmusShare(Isthmus, Buffer, Length, access, &region);
    DWORD error = GetLastError();
    ProgressEnd();
    if (!shared)
    {
        ReportError("cannot share the buffer", error);
        return FALSE;
    }
    if (!NameRegion(Isthmus, region, Options))
    {
        return FALSE;
    }
    PrintRegionHead(region, Options, ISTHMUS_KIND_USER_BUFFER, access, Length);
    printf("  %-10s0x%llx\n", "address", (unsigned long long)(ULONG_PTR)Buffer);
    if (Options->Check && !CheckBytes(Isthmus, region, Buffer, Length))
    {
        return FALSE;
    }
    if (!Hold(Options))
    {
        return FALSE;
    }
    if (!IsthmusRelease(Isthmus, region))
    {
        ReportError("cannot release the region", GetLastError());
        return FALSE;
    }
    return TRUE;
}

int CommandShare(const OPTIONS *Options)
{
    const wchar_t *path = Options->WordCount != 0 ? Options->Words[0] : NULL;
    UINT64 length = Options->Size;
    if ((path == NULL) == (length == 0) || Options->Offset >= 4096)
    {
        fprintf(stderr,
                "isthmus: share wants a file or --size, and an --offset below 4096; see isthmus help share.\n");
        return EXIT_USAGE;
    }
    if (path != NULL && !FileLength(path, &length))
    {
        return EXIT_FAILED;
    }
    SIZE_T room = length <= SIZE_MAX - Options->Offset ? (SIZE_T)(length + Options->Offset) : SIZE_MAX;
    BYTE *memory = VirtualAlloc(NULL, room, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (memory == NULL)
    {
        ReportError("cannot allocate the buffer", ERROR_NOT_ENOUGH_MEMORY);
        return EXIT_FAILED;
    }
    BYTE *buffer = memory + Options->Offset;
    BOOL done = FALSE;
    if (path == NULL || ReadWholeFile(path, buffer, &length) != NULL)
    {
        HISTHMUS isthmus = BeginHold();
        done = isthmus != NULL && ShareAndHold(isthmus, Options, buffer, length);
        if (isthmus != NULL)
        {
            IsthmusClose(isthmus);
        }
    }
    VirtualFree(memory, 0, MEM_RELEASE);
    return done ? EXIT_OK : EXIT_FAILED;
}

UINT32 ParseKind(const wchar_t *Name)
{
    return wcscmp(Name, L"user") == 0       ? ISTHMUS_KIND_USER_BUFFER
           : wcscmp(Name, L"nonpaged") == 0 ? ISTHMUS_KIND_NONPAGED_POOL
           : wcscmp(Name, L"paged") == 0    ? ISTHMUS_KIND_PAGED_POOL
           : wcscmp(Name, L"pages") == 0    ? ISTHMUS_KIND_PAGES
           : wcscmp(Name, L"channel") == 0  ? ISTHMUS_KIND_CHANNEL
                                            : 0;
}

static BOOL AllocAndHold(HISTHMUS Isthmus, const OPTIONS *Options, UINT32 Kind, UINT64 Length)
{
    UINT64 region, view;
    if (!IsthmusAllocate(Isthmus, Kind, Length, &region))
    {
        ReportError("cannot have the memory allocated", GetLastError());
        return FALSE;
    }
    void *address = IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view);
    if (address == NULL)
    {
        ReportError("cannot map the region", GetLastError());
        return FALSE;
    }
    if (!NameRegion(Isthmus, region, Options))
    {
        return FALSE;
    }
    PrintRegionHead(region, Options, Kind, ISTHMUS_ACCESS_ALL, Length);
    printf("  %-10s%llu\n", "view", (unsigned long long)view);
    printf("  %-10s0x%llx\n", "address", (unsigned long long)(ULONG_PTR)address);
    if (!Hold(Options))
    {
        return FALSE;
    }
    if (!IsthmusRelease(Isthmus, region))
    {
        ReportError("cannot release the region", GetLastError());
        return FALSE;
    }
    return TRUE;
}

int CommandAlloc(const OPTIONS *Options)
{
    UINT32 kind = Options->Kind != NULL ? ParseKind(Options->Kind) : ISTHMUS_KIND_PAGED_POOL;
    if (kind == 0 || kind == ISTHMUS_KIND_USER_BUFFER || kind == ISTHMUS_KIND_CHANNEL)
    {
        fprintf(stderr, "isthmus: the driver allocates nonpaged, paged or pages, not \"%s\".\n", Utf8(Options->Kind));
        return EXIT_USAGE;
    }
    HISTHMUS isthmus = BeginHold();
    BOOL done = isthmus != NULL && AllocAndHold(isthmus, Options, kind, Options->Size != 0 ? Options->Size : 3 * 4096);
    if (isthmus != NULL)
    {
        IsthmusClose(isthmus);
    }
    return done ? EXIT_OK : EXIT_FAILED;
}
