/* SPDX-License-Identifier: MIT */
/*
 * Named regions; and the reads of IOCTL_ISTHMUS_PEEK, which depend on how the driver was installed.
 */
#include "check.h"

#define PAGE 4096

static void TestNameRules(HISTHMUS Isthmus, UINT64 Region)
{
    wchar_t longest[ISTHMUS_NAME_CHARS + 2];
    for (unsigned i = 0; i < ISTHMUS_NAME_CHARS + 1; i++)
    {
        longest[i] = L'x';
    }
    longest[ISTHMUS_NAME_CHARS + 1] = 0;
    CheckError(IsthmusName(Isthmus, Region, L"", NULL), ERROR_INVALID_PARAMETER, "an empty name");
    CheckError(IsthmusName(Isthmus, Region, longest, NULL), ERROR_INVALID_PARAMETER, "a name of 65 characters");

    struct
    {
        ISTHMUS_NAME Name;
        BYTE Junk[64];
    } raw;
    HANDLE device = OpenDevice(ISTHMUS_DEVICE_NEITHER_W);
    ZeroMemory(&raw, sizeof(raw));
    raw.Name.Header.Revision = ISTHMUS_REVISION;
    raw.Name.Header.Size = sizeof(raw.Name);
    raw.Name.NameLength = 3;
    CheckError(Raw(device, IOCTL_ISTHMUS_NAME, &raw, sizeof(raw.Name), NULL, 0, NULL), ERROR_INVALID_PARAMETER,
               "half a character");
    raw.Name.NameLength = 0xFFFFFFFE;
    CheckError(Raw(device, IOCTL_ISTHMUS_NAME, &raw, sizeof(raw.Name), NULL, 0, NULL), ERROR_INVALID_PARAMETER,
               "2^32-2 bytes of name");
    raw.Name.NameLength = 8;
    raw.Name.SecurityLength = sizeof(raw.Junk) + 1;
    CheckError(Raw(device, IOCTL_ISTHMUS_NAME, &raw, sizeof(raw), NULL, 0, NULL), ERROR_BAD_LENGTH,
               "a descriptor longer than given");
    raw.Name.SecurityLength = 0xFFFFFFFF;
    CheckError(Raw(device, IOCTL_ISTHMUS_NAME, &raw, sizeof(raw), NULL, 0, NULL), ERROR_INVALID_PARAMETER,
               "2^32-1 bytes of descriptor");

    /* A descriptor that is none, on a region of this handle. */
    ISTHMUS_ALLOCATE allocate = {{ISTHMUS_REVISION, sizeof(allocate)}, PAGE, ISTHMUS_KIND_PAGES, 0};
    ISTHMUS_REGION_INFO info = {0};
    CheckDone(Raw(device, IOCTL_ISTHMUS_ALLOCATE, &allocate, sizeof(allocate), &info, sizeof(info), NULL), "allocate");
    raw.Name.Region = info.Region;
    raw.Name.SecurityLength = sizeof(raw.Junk);
    memset(raw.Junk, 0xAB, sizeof(raw.Junk));
    CheckError(Raw(device, IOCTL_ISTHMUS_NAME, &raw, sizeof(raw), NULL, 0, NULL), ERROR_INVALID_SECURITY_DESCR,
               "junk as descriptor");
    CloseHandle(device);
}

void TestNames(void)
{
    HISTHMUS maker = IsthmusOpen(0), opener = IsthmusOpen(0);
    UINT64 region, second, opened, viewA, viewB;
    UINT32 crc;
    if (!CheckDone(maker != NULL && opener != NULL, "open two sessions") ||
        !CheckDone(IsthmusAllocate(maker, ISTHMUS_KIND_PAGES, 2 * PAGE, &region), "allocate") ||
        !CheckDone(IsthmusAllocate(maker, ISTHMUS_KIND_PAGES, PAGE, &second), "allocate another"))
    {
        return;
    }
    TestNameRules(maker, region);
    if (CheckDone(IsthmusName(maker, region, L"kit-test One", NULL), "name a region"))
    {
        CheckError(IsthmusName(maker, region, L"kit-test Two", NULL), ERROR_BAD_COMMAND, "name it again");
        CheckError(IsthmusName(maker, second, L"KIT-TEST one", NULL), ERROR_ALREADY_EXISTS,
                   "the same name for another");
        CheckError(IsthmusOpenNamed(opener, L"kit-test none", ISTHMUS_ACCESS_READ, &opened), ERROR_FILE_NOT_FOUND,
                   "open a wrong name");
        CheckError(IsthmusOpenNamed(opener, L"kit-test One", 0, &opened), ERROR_INVALID_PARAMETER,
                   "open it for nothing");
        if (CheckDone(IsthmusOpenNamed(opener, L"Kit-Test one", ISTHMUS_ACCESS_READ, &opened), "open it for reading"))
        {
            CheckError(IsthmusMap(opener, opened, ISTHMUS_ACCESS_ALL, &viewB) != NULL, ERROR_ACCESS_DENIED,
                       "map it for writing");
            CheckError(IsthmusName(opener, opened, L"kit-test Three", NULL), ERROR_ACCESS_DENIED,
                       "name what was only opened");
            CheckError(IsthmusWatch(opener, opened, 0, 1, 1, 100), ERROR_ACCESS_DENIED, "watch it");
        }
        if (CheckDone(IsthmusOpenNamed(opener, L"kit-test one", ISTHMUS_ACCESS_ALL, &opened),
                      "open it for reading and writing"))
        {
            BYTE *a = IsthmusMap(maker, region, ISTHMUS_ACCESS_ALL, &viewA);
            BYTE *b = IsthmusMap(opener, opened, ISTHMUS_ACCESS_ALL, &viewB);
            if (CheckDone(a != NULL && b != NULL, "map it in both sessions"))
            {
                a[PAGE + 5] = 0x77;
                Check(b[PAGE + 5] == 0x77, "what one writes the other reads");
            }
            CheckDone(IsthmusRelease(maker, region), "the maker releases it");
            CheckDone(IsthmusChecksum(opener, opened, 0, 2 * PAGE, &crc), "the opener still has it");
            Check(b == NULL || b[PAGE + 5] == 0x77, "and its view");
            CheckError(IsthmusName(maker, second, L"kit-test one", NULL), ERROR_ALREADY_EXISTS,
                       "the name is still taken");
            CheckDone(IsthmusRelease(opener, opened), "the opener releases it too");
            CheckDone(IsthmusName(maker, second, L"kit-test one", NULL), "now the name is free");
        }
    }
    IsthmusClose(maker);
    IsthmusClose(opener);
}

static BOOL Peek(HANDLE Device, const ISTHMUS_PEEK *Query, ISTHMUS_PEEK_RESULT *Result)
{
    ZeroMemory(Result, sizeof(*Result));
    return Raw(Device, IOCTL_ISTHMUS_PEEK, Query, sizeof(*Query), Result, sizeof(*Result), NULL);
}

void TestPeek(void)
{
    BYTE bytes[16];
    ISTHMUS_VERSION version;
    ISTHMUS_PEEK_RESULT result;
    ISTHMUS_PEEK query = {
        {ISTHMUS_REVISION, sizeof(query)}, (UINT64)(ULONG_PTR)bytes, 0, 0, 0, ISTHMUS_PEEK_CALLER, sizeof(bytes)};
    HANDLE device = OpenDevice(ISTHMUS_DEVICE_NEITHER_W);
    if (device == INVALID_HANDLE_VALUE || !Raw(device, IOCTL_ISTHMUS_VERSION, NULL, 0, &version, sizeof(version), NULL))
    {
        return;
    }
    Pattern(bytes, sizeof(bytes), 11);
    if (!(version.Capabilities & ISTHMUS_CAN_PEEK))
    {
        CheckError(Peek(device, &query, &result), ERROR_NOT_SUPPORTED, "peek without the Demo option");
        CloseHandle(device);
        return;
    }
    CheckDone(Peek(device, &query, &result) && result.Status == 0 && memcmp(result.Bytes, bytes, sizeof(bytes)) == 0,
              "peek at our bytes");
    static const UINT64 bad[] = {
        0, 0x1000, 0x0000800000000000ull, 0xFFFF800000000000ull, 0xFFFFF80000000000ull, 0xFFFFFFFFFFFFFFF8ull};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    {
        query.Address = bad[i];
        CheckDone(Peek(device, &query, &result) && result.Status == 0xC0000005 && result.Length == 0,
                  "peek at 0x%llX: status 0x%08X", (unsigned long long)bad[i], result.Status);
    }
    query.Address = (UINT64)(ULONG_PTR)bytes;
    query.Length = 0;
    CheckError(Peek(device, &query, &result), ERROR_INVALID_PARAMETER, "peek at no bytes");
    query.Length = ISTHMUS_PEEK_MAX + 1;
    CheckError(Peek(device, &query, &result), ERROR_INVALID_PARAMETER, "peek at 65 bytes");
    query.Length = 16;
    query.Context = 3;
    CheckError(Peek(device, &query, &result), ERROR_INVALID_PARAMETER, "peek from nowhere");
    query.Context = ISTHMUS_PEEK_PROCESS;
    query.ProcessId = 4;
    CheckError(Peek(device, &query, &result), ERROR_ACCESS_DENIED, "peek into a process that didn't open the driver");
    query.ProcessId = 0x7FFFFFFC;
    Check(!Peek(device, &query, &result), "peek into a process that isn't there: error %lu",
          (unsigned long)GetLastError());
    CloseHandle(device);
}
