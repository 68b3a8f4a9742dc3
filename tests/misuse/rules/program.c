/* SPDX-License-Identifier: MIT */
/* misuse.exe RULE: has misuse.sys break a rule. If it survives that, it stops the driver and waits. */
#include <windows.h>
#include <winioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MISUSE_BREAK CTL_CODE(FILE_DEVICE_UNKNOWN, 0xB00, METHOD_BUFFERED, FILE_ANY_ACCESS)

int main(int argc, char **argv)
{
    HANDLE device = CreateFileA("\\\\.\\Misuse", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    SC_HANDLE manager, service;
    SERVICE_STATUS status;
    char output[64];
    DWORD returned;

    if (argc < 2 || device == INVALID_HANDLE_VALUE)
    {
        fprintf(stderr, "misuse: error %lu\n", GetLastError());
        return 100;
    }
    if (!DeviceIoControl(device, MISUSE_BREAK, argv[1], (DWORD)strlen(argv[1]), output, sizeof(output), &returned,
                         NULL))
    {
        printf("misuse: the driver answered with error %lu\n", GetLastError());
        return 101;
    }
    CloseHandle(device);
    printf("survived the request\n");
    fflush(stdout);
    manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT);
    service = OpenServiceA(manager, "misuse", SERVICE_STOP);
    if (!ControlService(service, SERVICE_CONTROL_STOP, &status))
    {
        printf("misuse: the driver did not stop: error %lu\n", GetLastError());
        return 102;
    }
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
    Sleep(3000);
    printf("survived the driver's end\n");
    return 0;
}
