/* SPDX-License-Identifier: MIT */
/*
 * Requests to iotest.sys that end before the call returns: every transfer method, both sorts of device, and every
 * buffer that can be wrong.
 */
#include "check.h"
#include <winioctl.h>
#include <stdint.h>
#include <stdlib.h>
#include "../iotest/iotest.h"

#define PAGE 4096
#define MDL_LOCKED 0x0002u
#define MDL_WRITE 0x0080u

static HANDLE Device;
static BYTE *Memory; /* 8 pages */

static HANDLE Open(const char *Name, DWORD Access)
{
    return CreateFileA(Name, Access, 0, NULL, OPEN_EXISTING, 0, NULL);
}

static BOOL Control(DWORD Code, void *Input, DWORD InputSize, void *Output, DWORD OutputSize, DWORD *Returned)
{
    *Returned = 0xEEEEEEEE;
    SetLastError(0);
    return DeviceIoControl(Device, Code, Input, InputSize, Output, OutputSize, Returned, NULL);
}

static IOTEST_SEEN Seen(void)
{
    IOTEST_SEEN seen = {0};
    DWORD returned;

    CHECK(DeviceIoControl(Device, IOTEST_DESCRIBE, NULL, 0, &seen, sizeof(seen), &returned, NULL) &&
          returned == sizeof(seen));
    printf("driver saw: system buffer %u, MDL %u (flags 0x%x, %u bytes at 0x%x), user buffer %u, type 3 %u, lengths %u "
           "and %u\n",
           seen.SystemBuffer, seen.Mdl, seen.MdlFlags, seen.MdlByteCount, seen.MdlByteOffset, seen.UserBuffer,
           seen.Type3, seen.InputLength, seen.OutputLength);
    CHECK(seen.RequestorMode == 1 && seen.InRequestor == 1 && seen.Irql == 0);
    return seen;
}

static void Fill(BYTE *Bytes, size_t Size, unsigned Seed)
{
    for (size_t i = 0; i < Size; i++)
    {
        Bytes[i] = (BYTE)(i * 11 + Seed);
    }
}

static size_t Inverted(const BYTE *Output, const BYTE *Input, size_t Size)
{
    size_t i = 0;

    while (i < Size && (Output[i] ^ Input[i]) == 0xFF)
    {
        i++;
    }
    return i;
}

static void TestBuffered(DWORD Code)
{
    static const DWORD sizes[][2] = {
        {1, 1}, {10, 10}, {100, 50}, {50, 100}, {PAGE, PAGE}, {PAGE + 1, 3 * PAGE}, {3 * PAGE, 2 * PAGE}};
    BYTE *input = Memory, *output = Memory + 4 * PAGE;
    DWORD returned;

    for (int i = 0; i < 7; i++)
    {
        DWORD both = min(sizes[i][0], sizes[i][1]);
        Fill(input, 3 * PAGE, (unsigned)i);
        memset(output, 0x99, 3 * PAGE);
        CHECK(Control(Code, input, sizes[i][0], output, sizes[i][1], &returned));
        CHECK_EQUAL(returned, both);
        CHECK_EQUAL(Inverted(output, input, both), both);
        CHECK(output[both] == 0x99); /* no byte more than Information says */
    }
    /* One buffer for both directions. */
    Fill(input, 100, 5);
    CHECK(Control(Code, input, 100, input, 100, &returned) && input[0] == (BYTE)~5);
    /* Nothing at all. */
    CHECK(Control(Code, NULL, 0, NULL, 0, &returned));
    CHECK_EQUAL(returned, 0);
    CHECK(Control(Code, input, 10, NULL, 0, &returned) && returned == 0);
    CHECK(Control(Code, NULL, 0, output, 10, &returned) && returned == 0);
}

static void TestShapes(void)
{
    DWORD returned;
    IOTEST_SEEN seen;

    CHECK(Control(IOTEST_INVERT, Memory, 10, Memory, 20, &returned));
    seen = Seen();
    CHECK(seen.SystemBuffer && !seen.Mdl && seen.InputLength == 10 && seen.OutputLength == 20);
    CHECK(Control(IOTEST_INVERT, NULL, 0, NULL, 0, &returned));
    CHECK(!Seen().SystemBuffer);

    CHECK(Control(IOTEST_SUM, Memory, 4, Memory + 0x123, PAGE, &returned));
    seen = Seen();
    CHECK(seen.SystemBuffer && seen.Mdl && seen.MdlByteCount == PAGE && seen.MdlByteOffset == 0x123);
    CHECK_EQUAL(seen.MdlFlags & (MDL_LOCKED | MDL_WRITE), MDL_LOCKED); /* locked for reading */
    CHECK(Control(IOTEST_FILL, Memory, 1, Memory + PAGE, 2 * PAGE, &returned));
    seen = Seen();
    CHECK(seen.SystemBuffer && seen.Mdl);
    CHECK_EQUAL(seen.MdlFlags & (MDL_LOCKED | MDL_WRITE), MDL_LOCKED | MDL_WRITE);
    CHECK(Control(IOTEST_FILL, Memory, 1, NULL, 0, &returned)); /* a direct buffer of nothing has no MDL */
    CHECK(!Seen().Mdl);
    CHECK(Control(IOTEST_NEITHER, Memory, 8, Memory + PAGE, 8, &returned));
    seen = Seen();
    CHECK(!seen.SystemBuffer && !seen.Mdl && seen.UserBuffer && seen.Type3);
}

static void TestDirect(void)
{
    static const DWORD shapes[][2] = {{0, PAGE},         {1, 1},        {PAGE - 1, 2},
                                      {0xFFF, PAGE + 2}, {0, 8 * PAGE}, {5, 3 * PAGE}};
    BYTE fill = 0x41;
    DWORD returned, sum;

    for (int i = 0; i < 6; i++)
    {
        BYTE *at = Memory + shapes[i][0];
        Fill(Memory, 8 * PAGE, (unsigned)i);
        sum = 0;
        for (DWORD j = 0; j < shapes[i][1]; j++)
        {
            sum += at[j];
        }
        CHECK(Control(IOTEST_SUM, NULL, 0, at, shapes[i][1], &returned));
        CHECK_EQUAL(returned, sum & 0xFFFF);
        CHECK(Control(IOTEST_FILL, &fill, 1, at, shapes[i][1], &returned));
        CHECK_EQUAL(returned, shapes[i][1]);
        CHECK(at[0] == fill && at[shapes[i][1] - 1] == fill);
        CHECK(shapes[i][0] == 0 || at[-1] != fill || Memory[0] == fill);
    }
}

static void ExpectRefusal(const char *What, DWORD Code, void *Input, DWORD InputSize, void *Output, DWORD OutputSize)
{
    DWORD returned, error;
    BOOL done = Control(Code, Input, InputSize, Output, OutputSize, &returned);

    error = GetLastError();
    printf("%s, method %lu: done %d, error %lu\n", What, Code & 3, done, error);
    CHECK(!done);
    CHECK(error == ERROR_NOACCESS || error == ERROR_NO_SYSTEM_RESOURCES || error == ERROR_NOT_ENOUGH_MEMORY ||
          error == ERROR_WORKING_SET_QUOTA || error == ERROR_INVALID_USER_BUFFER || error == ERROR_COMMITMENT_LIMIT);
}

static void TestWrongBuffers(void)
{
    static const DWORD codes[] = {IOTEST_INVERT, IOTEST_SUM, IOTEST_FILL, IOTEST_NEITHER};
    BYTE *readOnly = VirtualAlloc(NULL, 2 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READONLY);
    BYTE *hole = VirtualAlloc(NULL, 3 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    BYTE *kernel = (BYTE *)0xFFFFF80000000000;
    BYTE *last = (BYTE *)0x7FFFFFFEFFF0;
    DWORD returned;

    CHECK(VirtualFree(hole + PAGE, PAGE, MEM_DECOMMIT));
    for (int i = 0; i < 4; i++)
    {
        /* A null pointer is no buffer, whatever its length, except where a driver or an MDL must take it as it is. */
        if (codes[i] == IOTEST_NEITHER)
        {
            ExpectRefusal("null input", codes[i], NULL, 100, Memory, 100);
        }
        else
        {
            CHECK(Control(codes[i], NULL, 100, Memory, 100, &returned));
            CHECK_EQUAL(Seen().InputLength, 0);
        }
        if (codes[i] != IOTEST_INVERT)
        {
            ExpectRefusal("null output", codes[i], Memory, 100, NULL, 100);
        }
        else
        {
            CHECK(Control(codes[i], Memory, 100, NULL, 100, &returned) && returned == 0);
            CHECK_EQUAL(Seen().OutputLength, 0);
        }
        ExpectRefusal("kernel input", codes[i], kernel, 100, Memory, 100);
        ExpectRefusal("kernel output", codes[i], Memory, 100, kernel, 100);
        ExpectRefusal("input over a hole", codes[i], hole, 3 * PAGE, Memory, 3 * PAGE);
        ExpectRefusal("output over a hole", codes[i], Memory, 3 * PAGE, hole, 3 * PAGE);
        ExpectRefusal("input past the end of user space", codes[i], last, 100, Memory, 100);
        ExpectRefusal("output past the end of user space", codes[i], Memory, 100, last, 100);
        ExpectRefusal("output of 4 GB - 1", codes[i], Memory, 100, Memory, 0xFFFFFFFF);
        ExpectRefusal("output of 4 GB - a page", codes[i], Memory, 100, Memory, 0xFFFFF000);
        if (codes[i] != IOTEST_NEITHER) /* whose driver looks at the first 100 bytes only */
        {
            ExpectRefusal("input of 4 GB - 1", codes[i], Memory, 0xFFFFFFFF, Memory, 100);
        }
    }
    /* Read-only memory can be read from, not written to. */
    CHECK(Control(IOTEST_SUM, NULL, 0, readOnly, 2 * PAGE, &returned) && returned == 0);
    ExpectRefusal("read-only output", IOTEST_FILL, Memory, 1, readOnly, PAGE);
    ExpectRefusal("read-only output", IOTEST_INVERT, Memory, 10, readOnly, 10);
    ExpectRefusal("read-only output", IOTEST_NEITHER, Memory, 10, readOnly, 10);
    CHECK_EQUAL(readOnly[0], 0);
    CHECK(Control(IOTEST_INVERT, readOnly, 10, Memory, 10, &returned) && returned == 10 && Memory[0] == 0xFF);
    VirtualFree(readOnly, 0, MEM_RELEASE);
    VirtualFree(hole, 0, MEM_RELEASE);
}

static void TestStatuses(void)
{
    LONG status;
    DWORD returned;
    BYTE output[16];

    status = 0x40000000; /* informational: success */
    CHECK(Control(IOTEST_STATUS, &status, 4, output, 4, &returned) && returned == 4);
    status = (LONG)0x80000005; /* STATUS_BUFFER_OVERFLOW: a warning brings data and is an error to Win32 */
    memset(output, 0, sizeof(output));
    CHECK(!Control(IOTEST_STATUS, &status, 4, output, 4, &returned));
    CHECK_EQUAL(GetLastError(), ERROR_MORE_DATA);
    CHECK(returned == 4 && *(LONG *)output == status);
    status = (LONG)0xC0000010; /* STATUS_INVALID_DEVICE_REQUEST: an error brings none */
    memset(output, 0, sizeof(output));
    CHECK(!Control(IOTEST_STATUS, &status, 4, output, 4, &returned));
    CHECK_EQUAL(GetLastError(), ERROR_INVALID_FUNCTION);
    CHECK(*(LONG *)output == 0);
    CHECK(!Control(IOTEST_STATUS, &status, 3, output, 4, &returned));
    CHECK_EQUAL(GetLastError(), ERROR_INVALID_PARAMETER);
    CHECK(!Control(0x12345678, NULL, 0, NULL, 0, &returned));
    CHECK_EQUAL(GetLastError(), ERROR_INVALID_FUNCTION);
    CHECK(Control(IOTEST_PEND, output, 16, output, 16, &returned) && returned == 16); /* waits inside the call */
}

static void TestAccess(void)
{
    HANDLE nothing = Open("\\\\.\\IoTestBuffered", 0), reader = Open("\\\\.\\IoTestBuffered", GENERIC_READ);
    DWORD returned;

    CHECK(nothing != INVALID_HANDLE_VALUE && reader != INVALID_HANDLE_VALUE);
    CHECK(DeviceIoControl(nothing, IOTEST_INVERT, NULL, 0, NULL, 0, &returned, NULL));
    CHECK_FAILS(DeviceIoControl(nothing, IOTEST_FOR_READERS, NULL, 0, NULL, 0, &returned, NULL), ERROR_ACCESS_DENIED);
    CHECK_FAILS(DeviceIoControl(reader, IOTEST_FOR_WRITERS, NULL, 0, NULL, 0, &returned, NULL), ERROR_ACCESS_DENIED);
    CHECK(DeviceIoControl(reader, IOTEST_FOR_READERS, NULL, 0, NULL, 0, &returned, NULL));
    CHECK(DeviceIoControl(Device, IOTEST_FOR_WRITERS, NULL, 0, NULL, 0, &returned, NULL));
    CHECK_FAILS(ReadFile(nothing, Memory, 1, &returned, NULL), ERROR_ACCESS_DENIED);
    CHECK_FAILS(WriteFile(reader, Memory, 1, &returned, NULL), ERROR_ACCESS_DENIED);
    CloseHandle(nothing);
    CloseHandle(reader);
    CHECK_FAILS(DeviceIoControl(reader, IOTEST_INVERT, NULL, 0, NULL, 0, &returned, NULL), ERROR_INVALID_HANDLE);
    CHECK(Open("\\\\.\\IoTestNothing", GENERIC_READ) == INVALID_HANDLE_VALUE);
    CHECK_EQUAL(GetLastError(), ERROR_FILE_NOT_FOUND);
}

static void TestReadWrite(const char *Name, int Kind)
{
    static const DWORD shapes[][2] = {{0, 1}, {0, PAGE}, {0x321, 3 * PAGE}, {PAGE - 1, 2}, {7, 5 * PAGE + 9}};
    HANDLE device = Open(Name, GENERIC_READ | GENERIC_WRITE), previous = Device;
    BYTE *readOnly = VirtualAlloc(NULL, PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READONLY);
    IOTEST_SEEN seen;
    DWORD moved;

    CHECK(device != INVALID_HANDLE_VALUE);
    Device = device;
    for (int i = 0; i < 5; i++)
    {
        BYTE *at = Memory + shapes[i][0];
        DWORD size = shapes[i][1], wrong = 0;
        OVERLAPPED place = {.Offset = (DWORD)i * 1000};

        memset(Memory, 0xCC, 8 * PAGE);
        CHECK(ReadFile(device, at, size, &moved, &place));
        CHECK_EQUAL(moved, size);
        for (DWORD j = 0; j < size; j++)
        {
            wrong += at[j] != (BYTE)(i * 1000 + (int)j);
        }
        CHECK_EQUAL(wrong, 0);
        CHECK(at[size] == 0xCC && (shapes[i][0] == 0 || at[-1] == 0xCC));
        seen = Seen();
        CHECK(seen.SystemBuffer == (Kind == 0) && seen.Mdl == (Kind == 1) && seen.OutputLength == size);
        CHECK(Kind != 1 || (seen.MdlFlags & (MDL_LOCKED | MDL_WRITE)) == (MDL_LOCKED | MDL_WRITE)); /* a read writes */
        place = (OVERLAPPED){.Offset = (DWORD)i * 1000};
        CHECK(WriteFile(device, at, size, &moved, &place));
        CHECK_EQUAL(moved, size);
        seen = Seen();
        CHECK(Kind != 1 || (seen.MdlFlags & (MDL_LOCKED | MDL_WRITE)) == MDL_LOCKED);
        place = (OVERLAPPED){.Offset = IOTEST_PEND_OFFSET};
        CHECK(ReadFile(device, at, size, &moved, &place) && moved == size && at[size - 1] == (BYTE)(size - 1));
    }
    CHECK(ReadFile(device, Memory, 0, &moved, NULL) && moved == 0);
    CHECK(WriteFile(device, Memory, 0, &moved, NULL) && moved == 0);
    CHECK_FAILS(ReadFile(device, readOnly, 10, &moved, NULL), ERROR_NOACCESS);
    CHECK_FAILS(ReadFile(device, (void *)0xFFFFF80000000000, 10, &moved, NULL), ERROR_NOACCESS);
    CHECK_FAILS(WriteFile(device, (void *)0x50, 10, &moved, NULL), ERROR_NOACCESS);
    CHECK(!ReadFile(device, Memory, 0xFFFFFFFF, &moved, NULL));
    /* that one's driver stops at the first wrong byte */
    CHECK(Kind == 2 || !WriteFile(device, Memory, 0xFFFFF000, &moved, NULL));
    VirtualFree(readOnly, 0, MEM_RELEASE);
    Device = previous;
    CloseHandle(device);
}

static void TestCounts(void)
{
    IOTEST_COUNTERS before, after;
    DWORD returned;

    CHECK(Control(IOTEST_COUNTS, NULL, 0, &before, sizeof(before), &returned));
    HANDLE first = Open("\\\\.\\IoTestBuffered", GENERIC_READ), second = NULL;
    CHECK(DuplicateHandle(GetCurrentProcess(), first, GetCurrentProcess(), &second, 0, FALSE, DUPLICATE_SAME_ACCESS));
    CHECK(CloseHandle(first));
    CHECK(Control(IOTEST_COUNTS, NULL, 0, &after, sizeof(after), &returned));
    CHECK(after.Creates == before.Creates + 1 && after.Cleanups == before.Cleanups && after.Closes == before.Closes);
    CHECK(CloseHandle(second)); /* the last handle: cleanup, then close */
    CHECK(Control(IOTEST_COUNTS, NULL, 0, &after, sizeof(after), &returned));
    CHECK(after.Cleanups == before.Cleanups + 1 && after.Closes == before.Closes + 1);
    CHECK(!Control(IOTEST_COUNTS, NULL, 0, &after, 3, &returned));
    CHECK_EQUAL(GetLastError(), ERROR_INSUFFICIENT_BUFFER);
}

int main(void)
{
    Device = Open("\\\\.\\IoTestBuffered", GENERIC_READ | GENERIC_WRITE);
    Memory = VirtualAlloc(NULL, 8 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    CHECK(Device != INVALID_HANDLE_VALUE && Memory != NULL);
    TestBuffered(IOTEST_INVERT);
    TestBuffered(IOTEST_PEND);
    TestBuffered(IOTEST_NEITHER);
    TestShapes();
    TestDirect();
    TestWrongBuffers();
    TestStatuses();
    TestAccess();
    TestReadWrite("\\\\.\\IoTestBuffered", 0);
    TestReadWrite("\\\\.\\IoTestDirect", 1);
    TestReadWrite("\\\\.\\IoTestNeither", 2);
    TestCounts();
    CloseHandle(Device);
    return Done("u_io");
}
