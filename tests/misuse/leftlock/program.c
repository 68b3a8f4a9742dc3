/* SPDX-License-Identifier: MIT */
/*
 * leftlock.exe: has leftlock.sys lock three pages, and then either ends (`exit`; `crowd`: with many
 * other locks taken and given back around the one that stays) or stops the driver and stays alive
 * (`unload`), or only shows that the driver answers (`none`). Run as: ntrun leftlock.sys leftlock.exe exit
 * With exit or unload the machine must stop with 0x76 or 0xCB; the program's own exit code 0 must not be seen.
 */
#include <windows.h>
#include <stdio.h>
#include <string.h>
#include "leftlock.h"

#define LENGTH (3 * 4096 - 200)

static int StopDriver(void)
{
    SERVICE_STATUS status;
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager != NULL ? OpenServiceW(manager, L"leftlock", SERVICE_STOP) : NULL;
    if (service == NULL || !ControlService(service, SERVICE_CONTROL_STOP, &status))
    {
        printf("leftlock: cannot stop the driver: error %lu\n", (unsigned long)GetLastError());
        return 1;
    }
    printf("leftlock: the driver is stopped with pages of process %lu locked; state %lu\n",
           (unsigned long)GetCurrentProcessId(), (unsigned long)status.dwCurrentState);
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
    return 0;
}

int main(int Count, char **Arguments)
{
    const char *how = Count == 2 ? Arguments[1] : "";
    LEFTLOCK_BUFFER buffer;
    DWORD got;
    if (strcmp(how, "exit") != 0 && strcmp(how, "crowd") != 0 && strcmp(how, "unload") != 0 && strcmp(how, "none") != 0)
    {
        fprintf(stderr, "usage: leftlock exit | crowd | unload | none\n");
        return 2;
    }
    HANDLE device = CreateFileW(L"\\\\.\\Leftlock", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (device == INVALID_HANDLE_VALUE)
    {
        printf("leftlock: cannot open the device: error %lu\n", (unsigned long)GetLastError());
        return 1;
    }
    BYTE *memory = VirtualAlloc(NULL, LENGTH, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (memory == NULL)
    {
        printf("leftlock: cannot allocate: error %lu\n", (unsigned long)GetLastError());
        return 1;
    }
    buffer.Address = (unsigned long long)(ULONG_PTR)(memory + 100);
    buffer.Length = strcmp(how, "none") == 0 ? 0 : LENGTH - 100;
    buffer.Crowd = strcmp(how, "crowd") == 0 ? LEFTLOCK_CROWD : 0;
    BOOL done = DeviceIoControl(device, IOCTL_LEFTLOCK_LOCK, &buffer, sizeof(buffer), NULL, 0, &got, NULL);
    if (strcmp(how, "none") == 0)
    {
        printf("leftlock: nothing was locked: error %lu\n", done ? 0ul : (unsigned long)GetLastError());
        return done || GetLastError() != ERROR_INVALID_PARAMETER;
    }
    if (!done)
    {
        printf("leftlock: the driver did not lock: error %lu\n", (unsigned long)GetLastError());
        return 1;
    }
    printf("leftlock: %llu bytes at 0x%llx are locked\n", buffer.Length, buffer.Address);
    CloseHandle(device);
    fflush(stdout);
    return strcmp(how, "unload") == 0 ? StopDriver() : 0;
}
