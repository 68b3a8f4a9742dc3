/* SPDX-License-Identifier: MIT */
/*
 * Overlapped requests to iotest.sys: completion from DPCs, events, waiting for results, cancelling, completion ports,
 * completion routines, several at once, and requests that are left to the end of the process.
 */
#include "check.h"
#include <winioctl.h>
#include <stdint.h>
#include "../iotest/iotest.h"

#define COUNT 8

static HANDLE Open(const char *Name)
{
    return CreateFileA(Name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
}

static IOTEST_COUNTERS Counts(void)
{
    HANDLE device = CreateFileA("\\\\.\\IoTestBuffered", 0, 0, NULL, OPEN_EXISTING, 0, NULL);
    IOTEST_COUNTERS counters = {0};
    DWORD returned;

    CHECK(DeviceIoControl(device, IOTEST_COUNTS, NULL, 0, &counters, sizeof(counters), &returned, NULL));
    CloseHandle(device);
    return counters;
}

static void TestPending(HANDLE Device)
{
    OVERLAPPED overlapped = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    BYTE input[64], output[64];
    DWORD moved = 0;

    memset(input, 0x0F, sizeof(input));
    memset(output, 0, sizeof(output));
    CHECK_FAILS(DeviceIoControl(Device, IOTEST_PEND, input, 64, output, 64, NULL, &overlapped), ERROR_IO_PENDING);
    CHECK_EQUAL(WaitForSingleObject(overlapped.hEvent, 10000), WAIT_OBJECT_0);
    CHECK(GetOverlappedResult(Device, &overlapped, &moved, FALSE) && moved == 64);
    CHECK(output[0] == 0xF0 && output[63] == 0xF0); /* copied back in this thread, before the event */
    CHECK(HasOverlappedIoCompleted(&overlapped));

    /* Without an event of its own the file's is used; asking with wait. */
    CloseHandle(overlapped.hEvent);
    overlapped = (OVERLAPPED){0};
    memset(output, 0, sizeof(output));
    CHECK_FAILS(DeviceIoControl(Device, IOTEST_PEND, input, 64, output, 64, NULL, &overlapped), ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(Device, &overlapped, &moved, TRUE) && moved == 64 && output[5] == 0xF0);

    /* One that ends at once: the call says so, and the result is there as well. */
    overlapped = (OVERLAPPED){.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    CHECK(DeviceIoControl(Device, IOTEST_INVERT, input, 10, output, 10, &moved, &overlapped) && moved == 10);
    CHECK_EQUAL(WaitForSingleObject(overlapped.hEvent, 0), WAIT_OBJECT_0);
    CHECK(GetOverlappedResult(Device, &overlapped, &moved, FALSE) && moved == 10);

    /* An error at once sets nothing. */
    LONG status = (LONG)0xC0000001;
    ResetEvent(overlapped.hEvent);
    CHECK_FAILS(DeviceIoControl(Device, IOTEST_STATUS, &status, 4, NULL, 0, &moved, &overlapped), ERROR_GEN_FAILURE);
    CHECK_EQUAL(WaitForSingleObject(overlapped.hEvent, 0), WAIT_TIMEOUT);
    CloseHandle(overlapped.hEvent);
}

/* Several at once; the buffers of direct ones are written by the driver while the program waits. */
static void TestSeveral(HANDLE Device)
{
    static BYTE buffers[COUNT][10000];
    OVERLAPPED overlapped[COUNT] = {0};
    HANDLE events[COUNT];
    DWORD moved;

    for (int i = 0; i < COUNT; i++)
    {
        BYTE fill = (BYTE)(i + 1);
        events[i] = overlapped[i].hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
        CHECK_FAILS(DeviceIoControl(Device, IOTEST_PEND_FILL, &fill, 1, buffers[i] + i, 9000, NULL, &overlapped[i]),
                    ERROR_IO_PENDING);
    }
    CHECK_EQUAL(WaitForMultipleObjects(COUNT, events, TRUE, 20000), WAIT_OBJECT_0);
    for (int i = 0; i < COUNT; i++)
    {
        int wrong = 0;
        CHECK(GetOverlappedResult(Device, &overlapped[i], &moved, FALSE) && moved == 9000);
        for (int j = 0; j < 9000; j++)
        {
            wrong += buffers[i][i + j] != i + 1;
        }
        CHECK_EQUAL(wrong, 0);
        CHECK_EQUAL(buffers[i][i + 9000], 0);
        CloseHandle(events[i]);
    }
}

static void TestReadWrite(const char *Name)
{
    static BYTE buffer[3 * 4096 + 5];
    HANDLE device = Open(Name);
    OVERLAPPED overlapped = {.Offset = IOTEST_PEND_OFFSET + 3, .hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    DWORD moved = 0, wrong = 0;

    CHECK(device != INVALID_HANDLE_VALUE);
    memset(buffer, 0, sizeof(buffer));
    CHECK_FAILS(ReadFile(device, buffer, sizeof(buffer), NULL, &overlapped), ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(device, &overlapped, &moved, TRUE));
    CHECK_EQUAL(moved, sizeof(buffer));
    for (DWORD i = 0; i < sizeof(buffer); i++)
    {
        wrong += buffer[i] != (BYTE)(i + 3);
    }
    CHECK_EQUAL(wrong, 0);
    ResetEvent(overlapped.hEvent);
    CHECK_FAILS(WriteFile(device, buffer, sizeof(buffer), NULL, &overlapped), ERROR_IO_PENDING);
    CHECK(GetOverlappedResult(device, &overlapped, &moved, TRUE) && moved == sizeof(buffer));
    CloseHandle(overlapped.hEvent);
    CloseHandle(device);
}

static DWORD WINAPI HoldInThread(void *Context)
{
    HANDLE *handles = Context;
    static OVERLAPPED overlapped; /* must live on: the request ends with the thread, not with this call */

    DeviceIoControl(handles[0], IOTEST_HOLD, NULL, 0, NULL, 0, NULL, &overlapped);
    SetEvent(handles[1]);
    return GetLastError();
}

static void TestCancel(HANDLE Device)
{
    OVERLAPPED first = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)},
               second = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    IOTEST_COUNTERS before = Counts();
    DWORD moved;

    CHECK_FAILS(DeviceIoControl(Device, IOTEST_HOLD, NULL, 0, NULL, 0, NULL, &first), ERROR_IO_PENDING);
    CHECK_FAILS(DeviceIoControl(Device, IOTEST_HOLD, NULL, 0, NULL, 0, NULL, &second), ERROR_IO_PENDING);
    CHECK_EQUAL(Counts().Held, before.Held + 2);
    CHECK_FAILS(GetOverlappedResult(Device, &first, &moved, FALSE), ERROR_IO_INCOMPLETE);
    CHECK(CancelIoEx(Device, &first)); /* this one only */
    CHECK_FAILS(GetOverlappedResult(Device, &first, &moved, TRUE), ERROR_OPERATION_ABORTED);
    CHECK_EQUAL(WaitForSingleObject(second.hEvent, 0), WAIT_TIMEOUT);
    CHECK_FAILS(CancelIoEx(Device, &first), ERROR_NOT_FOUND); /* there is nothing left of it */
    CHECK(CancelIo(Device));                                  /* all of this thread */
    CHECK_FAILS(GetOverlappedResult(Device, &second, &moved, TRUE), ERROR_OPERATION_ABORTED);
    CHECK_EQUAL(Counts().Held, before.Held);
    CHECK_EQUAL(Counts().Cancelled, before.Cancelled + 2);

    /* The thread that asked ends: its requests are cancelled. */
    HANDLE handles[2] = {Device, CreateEventA(NULL, TRUE, FALSE, NULL)};
    HANDLE thread = CreateThread(NULL, 0, HoldInThread, handles, 0, NULL);
    CHECK_EQUAL(WaitForSingleObject(handles[1], 10000), WAIT_OBJECT_0);
    CHECK_EQUAL(WaitForSingleObject(thread, 10000), WAIT_OBJECT_0);
    CHECK_EQUAL(Counts().Held, before.Held);
    CHECK_EQUAL(Counts().Cancelled, before.Cancelled + 3);
    CloseHandle(thread);
    CloseHandle(handles[1]);

    /* The last handle goes: cleanup ends what is held for the file. */
    HANDLE other = Open("\\\\.\\IoTestDirect");
    ResetEvent(first.hEvent);
    CHECK_FAILS(DeviceIoControl(other, IOTEST_HOLD, NULL, 0, NULL, 0, NULL, &first), ERROR_IO_PENDING);
    CHECK(CloseHandle(other));
    CHECK_EQUAL(WaitForSingleObject(first.hEvent, 10000), WAIT_OBJECT_0);
    CHECK_EQUAL((DWORD)first.Internal, 0xC0000120); /* STATUS_CANCELLED */
    CloseHandle(first.hEvent);
    CloseHandle(second.hEvent);
}

static void TestPort(void)
{
    HANDLE device = Open("\\\\.\\IoTestDirect"), port = CreateIoCompletionPort(device, NULL, 0x1234, 0);
    OVERLAPPED overlapped[COUNT] = {0}, *done = NULL;
    BYTE buffers[COUNT][100];
    ULONG_PTR key = 0;
    DWORD moved = 0, seen = 0;

    CHECK(device != INVALID_HANDLE_VALUE && port != NULL);
    CHECK_FAILS(GetQueuedCompletionStatus(port, &moved, &key, &done, 10), WAIT_TIMEOUT);
    CHECK(done == NULL);
    for (int i = 0; i < COUNT; i++)
    {
        BOOL pended = i % 2 != 0;
        overlapped[i].Offset = pended ? IOTEST_PEND_OFFSET : 0;
        BOOL result = ReadFile(device, buffers[i], 50 + (DWORD)i, NULL, &overlapped[i]);
        CHECK(result == !pended); /* those that end at once come through the port too */
    }
    for (int i = 0; i < COUNT; i++)
    {
        CHECK(GetQueuedCompletionStatus(port, &moved, &key, &done, 10000));
        CHECK(key == 0x1234 && done >= overlapped && done < overlapped + COUNT);
        CHECK_EQUAL(moved, 50 + (done - overlapped));
        seen |= 1u << (done - overlapped);
    }
    CHECK_EQUAL(seen, (1u << COUNT) - 1);
    CHECK_FAILS(DeviceIoControl(device, IOTEST_HOLD, NULL, 0, NULL, 0, NULL, &overlapped[0]), ERROR_IO_PENDING);
    CHECK(CancelIoEx(device, NULL));
    CHECK_FAILS(GetQueuedCompletionStatus(port, &moved, &key, &done, 10000), ERROR_OPERATION_ABORTED);
    CHECK(done == &overlapped[0]);
    CHECK(PostQueuedCompletionStatus(port, 77, 88, (OVERLAPPED *)0x99));
    CHECK(GetQueuedCompletionStatus(port, &moved, &key, &done, 0) && moved == 77 && key == 88 &&
          done == (OVERLAPPED *)0x99);
    CloseHandle(device);
    CloseHandle(port);
}

static int RoutineRuns;
static DWORD RoutineError, RoutineMoved;

static void CALLBACK OnDone(DWORD Error, DWORD Moved, OVERLAPPED *Overlapped)
{
    RoutineRuns += Overlapped->hEvent == (HANDLE)0x4711; /* free for the program's use here */
    RoutineError = Error;
    RoutineMoved = Moved;
}

static void TestRoutine(void)
{
    HANDLE device = Open("\\\\.\\IoTestBuffered");
    OVERLAPPED overlapped = {.Offset = IOTEST_PEND_OFFSET, .hEvent = (HANDLE)0x4711};
    BYTE buffer[300];

    CHECK(ReadFileEx(device, buffer, sizeof(buffer), &overlapped, OnDone));
    Sleep(30);
    CHECK_EQUAL(RoutineRuns, 0); /* only an alertable wait lets it run */
    for (int i = 0; i < 100 && RoutineRuns == 0; i++)
    {
        SleepEx(100, TRUE);
    }
    CHECK(RoutineRuns == 1 && RoutineError == 0 && RoutineMoved == 300);
    CHECK(buffer[0] == 0 && buffer[255] == 255 && buffer[299] == 43);
    CloseHandle(device);
}

int main(void)
{
    HANDLE device = Open("\\\\.\\IoTestBuffered");
    static OVERLAPPED left[3];

    CHECK(device != INVALID_HANDLE_VALUE);
    TestPending(device);
    TestSeveral(device);
    TestReadWrite("\\\\.\\IoTestBuffered");
    TestReadWrite("\\\\.\\IoTestDirect");
    TestCancel(device);
    TestPort();
    TestRoutine();
    /* These are left to the end of the process, which must cancel them; the machine looks for what remains. */
    for (int i = 0; i < 3; i++)
    {
        CHECK_FAILS(DeviceIoControl(device, IOTEST_HOLD, NULL, 0, NULL, 0, NULL, &left[i]), ERROR_IO_PENDING);
    }
    return Done("u_overlapped");
}
