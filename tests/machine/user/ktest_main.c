/* SPDX-License-Identifier: MIT */
/* ktest.exe GROUP: has ktest.sys run a group of its tests, shows the report, and returns how many checks failed. */
#include <windows.h>
#include <winioctl.h>
#include <stdio.h>
#include <string.h>

#define KTEST_RUN_GROUP CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_READ_DATA | FILE_WRITE_DATA)

static struct
{
    ULONG Known, Checks, Failures, TextLength;
    CHAR Text[64 * 1024];
} Answer;

int main(int argc, char **argv)
{
    HANDLE device;
    DWORD returned;

    if (argc != 2)
    {
        fprintf(stderr, "usage: ktest.exe GROUP\n");
        return 100;
    }
    device = CreateFileW(L"\\\\.\\KTest", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (device == INVALID_HANDLE_VALUE)
    {
        fprintf(stderr, "ktest: cannot open \\\\.\\KTest: error %lu; is ktest.sys loaded?\n", GetLastError());
        return 101;
    }
    if (!DeviceIoControl(device, KTEST_RUN_GROUP, argv[1], (DWORD)strlen(argv[1]), &Answer, sizeof(Answer), &returned, NULL))
    {
        fprintf(stderr, "ktest: the driver refused: error %lu\n", GetLastError());
        return 102;
    }
    CloseHandle(device);
    if (!Answer.Known)
    {
        fprintf(stderr, "ktest: there is no group '%s'\n", argv[1]);
        return 103;
    }
    fwrite(Answer.Text, 1, Answer.TextLength, stdout);
    printf("%s: %lu checks, %lu failed\n", argv[1], Answer.Checks, Answer.Failures);
    if (Answer.Checks == 0)
    {
        fprintf(stderr, "ktest: the group checked nothing\n");
        return 104;
    }
    return Answer.Failures > 99 ? 99 : (int)Answer.Failures;
}
