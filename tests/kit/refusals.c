/* SPDX-License-Identifier: MIT */
/*
 * On a kernel that can't lock or map (Wine, where drivers run in a user process): buffered and direct I/O work, and
 * every way of sharing that can't is refused with ERROR_NOT_SUPPORTED, before anything relies on it.
 */
#include "check.h"

#define BYTES 5000

static BOOL Transfer(HANDLE Device, DWORD Code, BYTE *Data, DWORD Parts, ISTHMUS_LAST_REQUEST *Last)
{
    struct
    {
        ISTHMUS_TRANSFER Query;
        BYTE Rest[BYTES];
    } input;
    BOOL buffered = (Code & 3) == ISTHMUS_METHOD_BUFFERED;
    ISTHMUS_PART part = {(UINT64)(ULONG_PTR)Data, 100};
    DWORD extra = buffered ? BYTES : Parts * (DWORD)sizeof(part);
    ZeroMemory(&input, sizeof(input));
    input.Query.Header.Revision = ISTHMUS_REVISION;
    input.Query.Header.Size = sizeof(input.Query);
    input.Query.Direction = ISTHMUS_TO_DRIVER;
    input.Query.PartCount = Parts;
    memcpy(input.Rest, buffered ? Data : (BYTE *)&part, extra);
    return Raw(Device, Code, &input, sizeof(input.Query) + extra, buffered ? NULL : Data, buffered ? 0 : BYTES, NULL) &&
           Raw(Device, IOCTL_ISTHMUS_LAST_REQUEST, NULL, 0, Last, sizeof(*Last), NULL);
}

static void TestWorking(BYTE *Data)
{
    static const struct
    {
        const wchar_t *Device;
        DWORD Code;
        DWORD Method;
        const char *Name;
    } ways[] = {
        {ISTHMUS_DEVICE_BUFFERED_W, IOCTL_ISTHMUS_TRANSFER_BUFFERED, ISTHMUS_METHOD_BUFFERED, "buffered"},
        {ISTHMUS_DEVICE_DIRECT_W, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_METHOD_IN_DIRECT, "direct"},
    };
    for (unsigned i = 0; i < 2; i++)
    {
        ISTHMUS_LAST_REQUEST last = {0};
        DWORD got = 0;
        HANDLE device = OpenDevice(ways[i].Device);
        CheckDone(Transfer(device, ways[i].Code, Data, 0, &last), "a control code, %s", ways[i].Name);
        Check(last.Method == ways[i].Method && last.Length == BYTES && last.Crc32 == Crc(Data, BYTES),
              "method %u, %llu bytes, CRC-32 %08X by the driver, %08X here", last.Method,
              (unsigned long long)last.Length, last.Crc32, Crc(Data, BYTES));
        CheckDone(WriteFile(device, Data + 1, BYTES - 1, &got, NULL) && got == BYTES - 1 &&
                      Raw(device, IOCTL_ISTHMUS_LAST_REQUEST, NULL, 0, &last, sizeof(last), NULL),
                  "WriteFile, %s", ways[i].Name);
        Check(last.Method == ways[i].Method && last.Crc32 == Crc(Data + 1, BYTES - 1),
              "method %u, %llu bytes, CRC-32 %08X by the driver", last.Method, (unsigned long long)last.Length,
              last.Crc32);
        CheckDone(ReadFile(device, Data, BYTES, &got, NULL) && got == 0, "ReadFile without a target, %s: at the end",
                  ways[i].Name);
        CloseHandle(device);
    }
}

void TestRefusals(void)
{
    static BYTE data[BYTES];
    ISTHMUS_VERSION version;
    ISTHMUS_LAST_REQUEST last;
    UINT64 region;
    DWORD got;
    HISTHMUS isthmus = IsthmusOpen(0);
    Pattern(data, sizeof(data), 31);
    if (!CheckDone(isthmus != NULL && IsthmusQueryVersion(isthmus, &version), "open a session"))
    {
        return;
    }
    printf("        system %u.%u.%u\n", version.SystemMajor, version.SystemMinor, version.SystemBuild);
    CheckError(IsthmusShare(isthmus, data, sizeof(data), ISTHMUS_ACCESS_ALL, &region), ERROR_NOT_SUPPORTED,
               "share a buffer");
    CheckError(IsthmusShare(isthmus, data, sizeof(data), ISTHMUS_ACCESS_READ, &region), ERROR_NOT_SUPPORTED,
               "share a buffer for reading");
    for (DWORD kind = ISTHMUS_KIND_NONPAGED_POOL; kind <= ISTHMUS_KIND_PAGES; kind++)
    {
        CheckError(IsthmusAllocate(isthmus, kind, 65536, &region), ERROR_NOT_SUPPORTED, "allocate kind %lu",
                   (unsigned long)kind);
    }
    IsthmusClose(isthmus);

    TestWorking(data);
    HANDLE device = OpenDevice(ISTHMUS_DEVICE_NEITHER_W);
    CheckError(Transfer(device, IOCTL_ISTHMUS_TRANSFER_NEITHER, data, 0, &last), ERROR_NOT_SUPPORTED,
               "a control code, neither");
    CheckError(WriteFile(device, data, BYTES, &got, NULL), ERROR_NOT_SUPPORTED, "WriteFile, neither");
    CheckError(Transfer(device, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, data, 1, &last), ERROR_NOT_SUPPORTED,
               "a chain of two buffers");
    CloseHandle(device);
}
