/* SPDX-License-Identifier: MIT */
/*
 * careless.exe: walks into the mistakes of careless.sys, or round them if the second word is `careful`.
 *
 *     careless two | use | lock | count | view [careful]
 *
 * By itself each comes through with exit code 0; a sweep finds what can go wrong. Exit code 3: the count is wrong.
 */
#include <windows.h>
#include <stdio.h>
#include <string.h>
#include "careless.h"

#define PER_THREAD 40

static HANDLE Device;
static ULONG Careful = CARELESS;
static BYTE Buffer[3 * 4096];

static BOOL Control(DWORD Code, void *Output, DWORD Length)
{
    OVERLAPPED overlapped = {0}; /* the driver never pends, so the event is not needed */
    DWORD got;
    return DeviceIoControl(Device, Code, &Careful, sizeof(Careful), Output, Length, &got, &overlapped);
}

static DWORD WINAPI Count(LPVOID Context)
{
    (void)Context;
    for (int i = 0; i < PER_THREAD; i++)
    {
        Control(IOCTL_CARELESS_COUNT, NULL, 0);
    }
    return 0;
}

static int CountByTwo(void)
{
    HANDLE other = CreateThread(NULL, 0, Count, NULL, 0, NULL);
    ULONG total = 0;
    if (other == NULL)
    {
        return 2;
    }
    Count(NULL);
    WaitForSingleObject(other, INFINITE);
    CloseHandle(other);
    if (!Control(IOCTL_CARELESS_TOTAL, &total, sizeof(total)))
    {
        return 2;
    }
    printf("counted %lu of %d\n", (unsigned long)total, 2 * PER_THREAD);
    return total == 2 * PER_THREAD ? 0 : 3;
}

int main(int Words, char **Word)
{
    const char *how = Words > 1 ? Word[1] : "";
    int code;
    if (Words == 3 && strcmp(Word[2], "careful") == 0)
    {
        Careful = CAREFUL;
    }
    /* Two threads use the handle; a synchronous one would let them in only one after the other. */
    Device = CreateFileW(L"\\\\.\\Careless", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED,
                         NULL);
    if (Device == INVALID_HANDLE_VALUE)
    {
        printf("careless: cannot open the device: error %lu\n", (unsigned long)GetLastError());
        return 1;
    }
    if (strcmp(how, "two") == 0)
    {
        code = !Control(IOCTL_CARELESS_TWO, NULL, 0);
    }
    else if (strcmp(how, "use") == 0)
    {
        code = !Control(IOCTL_CARELESS_USE, NULL, 0);
    }
    else if (strcmp(how, "lock") == 0)
    {
        code = !Control(IOCTL_CARELESS_LOCK, Buffer, sizeof(Buffer)) || !Control(IOCTL_CARELESS_UNLOCK, NULL, 0);
    }
    else if (strcmp(how, "view") == 0)
    {
        code = !Control(IOCTL_CARELESS_VIEW, NULL, 0);
    }
    else if (strcmp(how, "count") == 0)
    {
        code = CountByTwo();
    }
    else
    {
        fprintf(stderr, "usage: careless two | use | lock | count | view [careful]\n");
        code = 2;
    }
    CloseHandle(Device);
    return code;
}
