/* SPDX-License-Identifier: MIT */
/*
 * ledgertest.exe: has ledgertest.sys take one of each, asks the machine what is held, has it all given back, and asks
 * again. `ledgertest leak` leaves pool behind; `ledgertest off` expects the ledger not to be on.
 */
#include <windows.h>
#include <stdio.h>
#include <string.h>
#include "ledgertest.h"

#define CLASS_LEDGER 0x4C564649u
#define CLASS_LEDGER_REPORT 0x4C56464Au
#define STATUS_NOT_SUPPORTED_ ((LONG)0xC00000BBL)
#define STATUS_INFO_LENGTH_MISMATCH_ ((LONG)0xC0000004L)

typedef LONG(WINAPI *QUERY)(ULONG Class, PVOID Buffer, ULONG Length, PULONG ReturnLength);

typedef struct LEDGER
{
    ULONG64 Count, Lost;
    struct
    {
        ULONG64 Kind, Key, Size, ProcessId, ThreadId;
        CHAR Driver[32];
        ULONG64 Offset;
    } Holdings[1];
} LEDGER;

static QUERY Query;
static UCHAR Room[65536];

/* How many holdings there are; each must be the driver's, with a place in it, taken by this very thread. */
static int Count(const char *When)
{
    LEDGER *ledger = (LEDGER *)Room;
    ULONG length = 0;
    LONG status = Query(CLASS_LEDGER, Room, sizeof(Room), &length);
    int wrong = 0;

    Query(CLASS_LEDGER_REPORT, (PVOID)When, (ULONG)strlen(When), NULL);
    if (status < 0)
    {
        printf("ledgertest: the query failed: 0x%08lx\n", (unsigned long)status);
        return -1;
    }
    for (ULONG64 i = 0; i < ledger->Count; i++)
    {
        wrong += strcmp(ledger->Holdings[i].Driver, "ledgertest.sys") != 0 || ledger->Holdings[i].Offset == 0 ||
                 ledger->Holdings[i].Key == 0 || ledger->Holdings[i].ThreadId != GetCurrentThreadId() ||
                 ledger->Holdings[i].ProcessId != GetCurrentProcessId();
    }
    printf("ledgertest: %s: %llu holdings, %d of them not as they should be\n", When, ledger->Count, wrong);
    return wrong != 0 || ledger->Lost != 0 ? -1 : (int)ledger->Count;
}

static BOOL Ask(HANDLE Device, DWORD Code, PVOID Input, DWORD Length)
{
    DWORD got;
    BOOL done = DeviceIoControl(Device, Code, Input, Length, NULL, 0, &got, NULL);

    if (!done)
    {
        printf("ledgertest: the driver says error %lu\n", (unsigned long)GetLastError());
    }
    return done;
}

int main(int ArgumentCount, char **Arguments)
{
    const char *how = ArgumentCount == 2 ? Arguments[1] : "";
    HANDLE device = CreateFileW(L"\\\\.\\LedgerTest", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    LEDGERTEST_BUFFER buffer = {.Length = 5000};
    ULONG length = 0;
    int before, held, after;

    Query = (QUERY)(PVOID)GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "NtQuerySystemInformation");
    buffer.Address = (ULONG_PTR)VirtualAlloc(NULL, 8192, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) + 100;
    if (device == INVALID_HANDLE_VALUE || Query == NULL || buffer.Address == 100)
    {
        printf("ledgertest: cannot start: error %lu\n", (unsigned long)GetLastError());
        return 1;
    }
    if (strcmp(how, "off") == 0)
    {
        return Query(CLASS_LEDGER, Room, sizeof(Room), &length) == STATUS_NOT_SUPPORTED_ ? 0 : 1;
    }
    if (strcmp(how, "leak") == 0)
    {
        return Ask(device, IOCTL_LEDGERTEST_LEAK, NULL, 0) ? 0 : 1;
    }
    before = Count("before");
    if (!Ask(device, IOCTL_LEDGERTEST_TAKE, &buffer, sizeof(buffer)))
    {
        return 1;
    }
    held = Count("with one of each");
    if (Query(CLASS_LEDGER, Room, 40, &length) != STATUS_INFO_LENGTH_MISMATCH_ || length <= 40)
    {
        printf("ledgertest: a short buffer was not refused with the length needed\n");
        return 1;
    }
    if (!Ask(device, IOCTL_LEDGERTEST_RELEASE, NULL, 0))
    {
        return 1;
    }
    after = Count("after the release");
    return before == 0 && held == 16 && after == 0 ? 0 : 1;
}
