/* SPDX-License-Identifier: MIT */
/*
 * libcheck.exe: asks libcheck.sys for each of its checks and compares the answers.
 */
#include "libcheck.h"
#include <stdio.h>
#include <string.h>

#define INVALID_DEVICE_STATE 0xC0000184u
#define BYTES 6000

static HANDLE Device;
static int Failures;

static void Check(BOOL Holds, const char *What)
{
    printf("  %s  %s\n", Holds ? "ok  " : "FAIL", What);
    Failures += !Holds;
}

static UINT32 Crc(const BYTE *Bytes, size_t Length)
{
    UINT32 crc = ~0u;
    for (size_t i = 0; i < Length; i++)
    {
        crc ^= Bytes[i];
        for (int bit = 0; bit < 8; bit++)
        {
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
        }
    }
    return ~crc;
}

static BOOL Ask(DWORD Function, LIBCHECK_ANSWER *Answer)
{
    DWORD got = 0;
    ZeroMemory(Answer, sizeof(*Answer));
    return DeviceIoControl(Device, ISTHMUS_CONTROL_CODE(Function, ISTHMUS_METHOD_BUFFERED), NULL, 0, Answer,
                           sizeof(*Answer), &got, NULL) &&
           got == sizeof(*Answer);
}

/* One capture: method and place, and the status that it must have. */
static void Capture(DWORD Function, DWORD Method, BYTE *Data, UINT32 Wanted, UINT32 Irql, const char *What)
{
    char line[160];
    DWORD got;
    LIBCHECK_ANSWER answer;
    BOOL buffered = Method == ISTHMUS_METHOD_BUFFERED;
    BOOL done = DeviceIoControl(Device, ISTHMUS_CONTROL_CODE(Function, Method), buffered ? Data : NULL,
                                buffered ? BYTES : 0, buffered ? NULL : Data, buffered ? 0 : BYTES, &got, NULL) &&
                Ask(LIBCHECK_RESULT, &answer);
    BOOL holds = done && answer.Status == Wanted &&
                 (Wanted != 0 || (answer.Crc32 == Crc(Data, BYTES) && answer.Length == BYTES && answer.More[0] == Irql));
    snprintf(line, sizeof(line), "%s, method %lu: status %08X, %llu bytes, CRC-32 %08X, IRQL %u", What,
             (unsigned long)Method, answer.Status, (unsigned long long)answer.Length, answer.Crc32, answer.More[0]);
    Check(holds, line);
}

int main(void)
{
    static BYTE data[BYTES + 1];
    LIBCHECK_ANSWER answer;
    char line[160];
    Device = CreateFileW(LIBCHECK_DEVICE_W, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (Device == INVALID_HANDLE_VALUE)
    {
        printf("cannot open the driver: error %lu\n", (unsigned long)GetLastError());
        return 100;
    }
    for (int i = 0; i <= BYTES; i++)
    {
        data[i] = (BYTE)(i * 7 + (i >> 8));
    }
    for (DWORD method = ISTHMUS_METHOD_BUFFERED; method <= ISTHMUS_METHOD_NEITHER; method++)
    {
        BOOL raw = method == ISTHMUS_METHOD_NEITHER;
        Capture(LIBCHECK_PASSIVE, method, data + 1, 0, 0, "in the caller's thread");
        Capture(LIBCHECK_DISPATCH, method, data + 1, raw ? INVALID_DEVICE_STATE : 0, 2, "at DISPATCH_LEVEL");
        Capture(LIBCHECK_WORKER, method, data + 1, raw ? INVALID_DEVICE_STATE : 0, 0, "in a system thread");
    }

    BOOL done = Ask(LIBCHECK_ATTACHED, &answer);
    snprintf(line, sizeof(line), "attached to another process: session %08X, share %08X, allocate %08X, map %08X",
             answer.More[0], answer.More[1], answer.More[2], answer.More[3]);
    Check(done && answer.Status == 0 && answer.More[0] == INVALID_DEVICE_STATE &&
              answer.More[1] == INVALID_DEVICE_STATE && answer.More[2] == INVALID_DEVICE_STATE &&
              answer.More[3] == INVALID_DEVICE_STATE,
          line);

    done = Ask(LIBCHECK_DPC, &answer);
    snprintf(line, sizeof(line), "from a DPC: entered %u, status %08X, bytes right %u; after the release entered %u",
             answer.More[0], answer.More[1], answer.More[2], answer.More[3]);
    Check(done && answer.Status == 0 && answer.More[0] == 1 && answer.More[1] == 0 && answer.More[2] == 1 &&
              answer.More[3] == 0,
          line);

    static BYTE pool[5000];
    memset(pool, 0x5C, sizeof(pool));
    done = Ask(LIBCHECK_OWN, &answer);
    snprintf(line, sizeof(line), "a driver's own request, neither, pool buffer: status %08X, %llu bytes, CRC-32 %08X",
             answer.Status, (unsigned long long)answer.Length, answer.Crc32);
    Check(done && answer.Status == 0 && answer.Crc32 == Crc(pool, sizeof(pool)), line);

    CloseHandle(Device);
    printf("%d failed\n", Failures);
    return Failures;
}
