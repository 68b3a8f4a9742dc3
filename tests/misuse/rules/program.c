/* SPDX-License-Identifier: MIT */
/*
 * misuse.exe [--correct] RULE: has misuse.sys break a rule, or keep it. Then it stops the driver, since some mistakes
 * show only when the driver is gone, and waits for those.
 *
 * Exit codes: 0 all went well; 100 wrong use; 101 the driver refused; 102 it could not be stopped.
 */
#include <windows.h>
#include <stdio.h>
#include <string.h>
#include "codes.h"

/* As long as a mistake may need to show after the driver's end; mistakes end the machine, and the wait with it. */
#define AFTER_UNLOAD 2000 /* milliseconds */

static int StopDriver(void)
{
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = OpenServiceA(manager, "misuse", SERVICE_STOP);
    SERVICE_STATUS status;

    if (!ControlService(service, SERVICE_CONTROL_STOP, &status))
    {
        printf("misuse: the driver did not stop: error %lu\n", GetLastError());
        return 102;
    }
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
    return 0;
}

int main(int argc, char **argv)
{
    BOOL correct = argc == 3 && strcmp(argv[1], "--correct") == 0;
    const char *rule = argv[argc - 1];
    HANDLE device = CreateFileA("\\\\.\\Misuse", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    char output[64];
    DWORD returned;
    int code;

    if (argc != 2 && !correct)
    {
        fprintf(stderr, "usage: misuse [--correct] RULE\n");
        return 100;
    }
    if (device == INVALID_HANDLE_VALUE)
    {
        printf("misuse: cannot open the device: error %lu\n", GetLastError());
        return 101;
    }
    if (!DeviceIoControl(device, correct ? MISUSE_CORRECT : MISUSE_BREAK, (void *)rule, (DWORD)strlen(rule), output,
                         sizeof(output), &returned, NULL))
    {
        printf("misuse: the driver answered with error %lu\n", GetLastError());
        return 101;
    }
    CloseHandle(device);
    printf("misuse: %s: survived the request\n", rule);
    fflush(stdout);
    code = StopDriver();
    if (code == 0 && !correct)
    {
        Sleep(AFTER_UNLOAD);
    }
    printf("misuse: %s: survived the driver's end\n", rule);
    return code;
}
