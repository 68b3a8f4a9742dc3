/* SPDX-License-Identifier: MIT */
/*
 * Why: the same user address read by the driver in the caller's context, in a system thread, and in another process;
 * and, from all of these, through the mapping.
 *
 * The other process is this program again, as `isthmus peer`. It places other bytes at the same address and then opens
 * the driver. That it has done so is read from the driver's list of sessions.
 */
#include "cli.h"

#define LOOK_BYTES    32
#define PEER_SALT     0x5A
#define PEER_TIME     10000 /* milliseconds that each side waits for the other */
#define PEER_NO_ROOM  3     /* the peer's exit code if the address is taken there */

#define PLACE_COUNT 4
/* Addresses that a small process hardly uses. */
static UINT64 PlaceAddress(int Place)
{
    UINT64 base = sizeof(void *) == 8 ? 0x0000002000000000ull : 0x30000000ull;
    return base + (UINT64)Place * 0x01230000ull;
}

static BYTE PeerByte(unsigned Index)
{
    return (BYTE)(Index * 7 + PEER_SALT);
}

/* The second process: `isthmus peer ADDRESS`. Exit code 0 if nobody ended it in time. */
int PeerMain(const OPTIONS *Options)
{
    if (Options->WordCount != 1)
    {
        return EXIT_USAGE;
    }
    UINT64 address = 0;
    for (const wchar_t *c = Options->Words[0]; *c != 0; c++)
    {
        address = address * 16 + (UINT64)(*c <= L'9' ? *c - L'0' : (*c | 0x20) - L'a' + 10);
    }
    BYTE *memory = VirtualAlloc((void *)(ULONG_PTR)address, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (memory != (BYTE *)(ULONG_PTR)address)
    {
        return PEER_NO_ROOM;
    }
    for (unsigned i = 0; i < 4096; i++)
    {
        memory[i] = PeerByte(i);
    }
    HISTHMUS isthmus = IsthmusOpen(0);
    if (isthmus == NULL)
    {
        return EXIT_FAILED;
    }
    Sleep(PEER_TIME);
    IsthmusClose(isthmus);
    return EXIT_OK;
}

/* TRUE if the process has a session. */
static BOOL HasSession(DEMO *Demo, DWORD ProcessId)
{
    struct
    {
        ISTHMUS_LIST_PAGE Page;
        ISTHMUS_LIST_ENTRY Entries[16];
    } list;
    UINT64 after = 0;
    do
    {
        if (!IsthmusList(Demo->Isthmus, ISTHMUS_LIST_SESSIONS, after, &list.Page, sizeof(list)))
        {
            return FALSE;
        }
        for (UINT32 i = 0; i < list.Page.Count; i++)
        {
            if (list.Entries[i].ProcessId == ProcessId)
            {
                return TRUE;
            }
            after = list.Entries[i].Id;
        }
    } while (list.Page.More && list.Page.Count != 0);
    return FALSE;
}

/* Starts the peer and waits until its bytes are in place. ERROR_INVALID_ADDRESS asks for another place. */
static BOOL StartPeer(DEMO *Demo, UINT64 Address, PROCESS_INFORMATION *Peer)
{
    wchar_t program[1024], line[1200];
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    DWORD length = GetModuleFileNameW(NULL, program, sizeof(program) / sizeof(program[0]));
    if (length == 0 || length >= sizeof(program) / sizeof(program[0]))
    {
        return FALSE;
    }
    /* "program" peer ADDRESS, put together by hand: the C run-times disagree about swprintf. */
    wchar_t *end = line;
    *end++ = L'"';
    wcscpy(end, program);
    end += length;
    wcscpy(end, L"\" peer ");
    end += wcslen(end);
    for (int shift = 60; shift >= 0; shift -= 4)
    {
        *end++ = L"0123456789abcdef"[(Address >> shift) & 15];
    }
    *end = 0;
    if (!CreateProcessW(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, Peer))
    {
        return FALSE;
    }
    for (DWORD waited = 0; waited < PEER_TIME / 2; waited += 10)
    {
        if (HasSession(Demo, Peer->dwProcessId))
        {
            return TRUE;
        }
        if (WaitForSingleObject(Peer->hProcess, 10) == WAIT_OBJECT_0)
        {
            DWORD code = EXIT_FAILED;
            GetExitCodeProcess(Peer->hProcess, &code);
            SetLastError(code == PEER_NO_ROOM ? ERROR_INVALID_ADDRESS : ERROR_PROCESS_ABORTED);
            CloseHandle(Peer->hThread);
            CloseHandle(Peer->hProcess);
            return FALSE;
        }
    }
    TerminateProcess(Peer->hProcess, EXIT_FAILED);
    CloseHandle(Peer->hThread);
    CloseHandle(Peer->hProcess);
    SetLastError(ERROR_TIMEOUT);
    return FALSE;
}

static void EndPeer(const PROCESS_INFORMATION *Peer)
{
    TerminateProcess(Peer->hProcess, EXIT_OK);
    WaitForSingleObject(Peer->hProcess, PEER_TIME);
    CloseHandle(Peer->hThread);
    CloseHandle(Peer->hProcess);
}

static BOOL Peek(DEMO *Demo, UINT64 Address, UINT64 Region, DWORD Context, DWORD ProcessId, ISTHMUS_PEEK_RESULT *Result)
{
    ISTHMUS_PEEK query = {0};
    OVERLAPPED overlapped = {0};
    DWORD got = 0;
    query.Header.Revision = ISTHMUS_REVISION;
    query.Header.Size = sizeof(query);
    query.Address = Address;
    query.Region = Region;
    query.ProcessId = ProcessId;
    query.Context = Context;
    query.Length = LOOK_BYTES;
    overlapped.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (overlapped.hEvent == NULL)
    {
        return FALSE;
    }
    HANDLE device = IsthmusGetHandle(Demo->Isthmus);
    BOOL done =
        DeviceIoControl(device, IOCTL_ISTHMUS_PEEK, &query, sizeof(query), Result, sizeof(*Result), &got, &overlapped);
    if (!done && GetLastError() == ERROR_IO_PENDING)
    {
        done = GetOverlappedResult(device, &overlapped, &got, TRUE);
    }
    DWORD error = GetLastError();
    CloseHandle(overlapped.hEvent);
    SetLastError(error);
    return done;
}

static void PrintBytes(const char *What, const BYTE *Bytes)
{
    printf(ROW, What);
    for (int i = 0; i < 16; i++)
    {
        printf("%02X ", Bytes[i]);
    }
    printf("...\n");
}

static void PrintLook(const char *What, const ISTHMUS_PEEK_RESULT *Result)
{
    if (Result->Status == 0)
    {
        PrintBytes(What, Result->Bytes);
    }
    else
    {
        printf(ROW "caught exception 0x%08X\n", What, Result->Status);
    }
}

/* The looks at the address itself. */
static void LookAtAddress(DEMO *Demo, const BYTE *Memory, DWORD PeerId)
{
    ISTHMUS_PEEK_RESULT result;
    BYTE peer[LOOK_BYTES];
    UINT64 address = (UINT64)(ULONG_PTR)Memory;
    for (unsigned i = 0; i < LOOK_BYTES; i++)
    {
        peer[i] = PeerByte(i);
    }
    PrintBytes("program", Memory);

    if (!Peek(Demo, address, 0, ISTHMUS_PEEK_CALLER, 0, &result))
    {
        ProofFailed(Demo, "read in the caller's thread");
        return;
    }
    PrintLook("caller's thread", &result);
    Proof(Demo, result.Status == 0 && memcmp(result.Bytes, Memory, LOOK_BYTES) == 0,
          "in the caller's thread the address means the caller's bytes");

    if (!Peek(Demo, address, 0, ISTHMUS_PEEK_SYSTEM, 0, &result))
    {
        ProofFailed(Demo, "read in a system thread");
        return;
    }
    PrintLook("system thread", &result);
    Proof(Demo, result.Status != 0 || memcmp(result.Bytes, Memory, LOOK_BYTES) != 0,
          "in a system thread it does not: %s", result.Status != 0 ? "the fault was caught" : "other bytes are there");

    if (!Peek(Demo, address, 0, ISTHMUS_PEEK_PROCESS, PeerId, &result))
    {
        ProofFailed(Demo, "read in another process");
        return;
    }
    PrintLook("another process", &result);
    Proof(Demo, result.Status == 0 && memcmp(result.Bytes, peer, LOOK_BYTES) == 0,
          "in another process (id %lu) the same address gives that process's bytes", (unsigned long)PeerId);
}

/* The same looks through the mapping of a region. */
static void LookThroughMapping(DEMO *Demo, BYTE *Memory, DWORD PeerId)
{
    static const struct
    {
        DWORD Context;
        const char *Name;
    } contexts[] = {
        {ISTHMUS_PEEK_CALLER, "the caller's thread"},
        {ISTHMUS_PEEK_SYSTEM, "a system thread"},
        {ISTHMUS_PEEK_PROCESS, "another process"},
    };
    ISTHMUS_PEEK_RESULT result;
    UINT64 region;
    if (!IsthmusShare(Demo->Isthmus, Memory, LOOK_BYTES, ISTHMUS_ACCESS_READ, &region))
    {
        ProofFailed(Demo, "share the buffer");
        return;
    }
    for (unsigned i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++)
    {
        if (!Peek(Demo, 0, region, contexts[i].Context, contexts[i].Context == ISTHMUS_PEEK_PROCESS ? PeerId : 0,
                  &result))
        {
            ProofFailed(Demo, "read through the mapping");
            continue;
        }
        Proof(Demo, result.Status == 0 && memcmp(result.Bytes, Memory, LOOK_BYTES) == 0,
              "through the mapping the bytes are right in %s", contexts[i].Name);
    }
    if (!IsthmusRelease(Demo->Isthmus, region))
    {
        ProofFailed(Demo, "release");
    }
}

void DemoWhy(DEMO *Demo)
{
    PROCESS_INFORMATION peer;
    if (!(Demo->Version.Capabilities & ISTHMUS_CAN_PEEK))
    {
        printf(ROW "the running driver was installed without --demo: stop and remove it, then run isthmus demo again\n",
               "note");
        Proof(Demo, FALSE, "the driver refuses plain reads");
        return;
    }
    if (!(Demo->Version.Capabilities & ISTHMUS_CALLER_IS_ADMIN))
    {
        ProofRefused(Demo, "plain reads are for administrators: run it as one");
        return;
    }
    for (int place = 0; place < PLACE_COUNT; place++)
    {
        UINT64 address = PlaceAddress(place);
        BYTE *memory = VirtualAlloc((void *)(ULONG_PTR)address, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
        if (memory != (BYTE *)(ULONG_PTR)address)
        {
            if (memory != NULL)
            {
                VirtualFree(memory, 0, MEM_RELEASE);
            }
            continue;
        }
        memcpy(memory, Demo->Bytes, (size_t)min(Demo->Length, (UINT64)LOOK_BYTES));
        BOOL started = StartPeer(Demo, address, &peer);
        if (!started && GetLastError() == ERROR_INVALID_ADDRESS)
        {
            VirtualFree(memory, 0, MEM_RELEASE);
            continue;
        }
        if (!started)
        {
            ProofFailed(Demo, "start a second process");
        }
        else
        {
            printf(ROW "0x%llX, in this process and in process %lu\n", "user address", (unsigned long long)address,
                   (unsigned long)peer.dwProcessId);
            LookAtAddress(Demo, memory, peer.dwProcessId);
            LookThroughMapping(Demo, memory, peer.dwProcessId);
            EndPeer(&peer);
        }
        VirtualFree(memory, 0, MEM_RELEASE);
        return;
    }
    Proof(Demo, FALSE, "no address was free in both processes; run it again");
}
