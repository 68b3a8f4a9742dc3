/* SPDX-License-Identifier: MIT */
/* A driver installed, started, used, stopped and removed by a program, through the service control manager. */
#include "check.h"
#include <winioctl.h>
#include <stdint.h>
#include "../iotest/iotest.h"

static const char Path[] = "C:\\run\\iotest.sys";

static DWORD State(SC_HANDLE Service)
{
    SERVICE_STATUS status = {0};

    CHECK(QueryServiceStatus(Service, &status));
    CHECK_EQUAL(status.dwServiceType, SERVICE_KERNEL_DRIVER);
    return status.dwCurrentState;
}

static BOOL Works(void)
{
    HANDLE device = CreateFileA("\\\\.\\IoTestBuffered", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    BYTE byte = 0x0F, answer = 0;
    DWORD returned = 0;
    BOOL works;

    if (device == INVALID_HANDLE_VALUE)
    {
        return FALSE;
    }
    works = DeviceIoControl(device, IOTEST_INVERT, &byte, 1, &answer, 1, &returned, NULL) && returned == 1 &&
            answer == 0xF0;
    CloseHandle(device);
    return works;
}

static SC_HANDLE Create(SC_HANDLE Manager, const char *Name, const char *Binary)
{
    return CreateServiceA(Manager, Name, Name, SERVICE_ALL_ACCESS, SERVICE_KERNEL_DRIVER, SERVICE_DEMAND_START,
                          SERVICE_ERROR_NORMAL, Binary, NULL, NULL, NULL, NULL, NULL);
}

static void TestLife(SC_HANDLE Manager)
{
    SC_HANDLE service = Create(Manager, "iotest", Path), again;
    SERVICE_STATUS status;

    CHECK(service != NULL);
    CHECK_FAILS(Create(Manager, "iotest", Path) != NULL, ERROR_SERVICE_EXISTS);
    CHECK_EQUAL(State(service), SERVICE_STOPPED);
    CHECK_FAILS(ControlService(service, SERVICE_CONTROL_STOP, &status), ERROR_SERVICE_NOT_ACTIVE);
    CHECK(!Works());
    for (int i = 0; i < 3; i++)
    {
        CHECK(StartServiceA(service, 0, NULL));
        CHECK_EQUAL(State(service), SERVICE_RUNNING);
        CHECK(Works());
        CHECK_FAILS(StartServiceA(service, 0, NULL), ERROR_SERVICE_ALREADY_RUNNING);
        CHECK(ControlService(service, SERVICE_CONTROL_STOP, &status));
        CHECK_EQUAL(status.dwCurrentState, SERVICE_STOPPED);
        CHECK_EQUAL(State(service), SERVICE_STOPPED);
        CHECK(!Works());
    }
    CHECK(CloseServiceHandle(service));
    service = OpenServiceA(Manager, "IOTEST", SERVICE_ALL_ACCESS);
    CHECK(service != NULL);
    CHECK(StartServiceA(service, 0, NULL) && Works());
    again = OpenServiceA(Manager, "iotest", SERVICE_QUERY_STATUS);
    CHECK(again != NULL && State(again) == SERVICE_RUNNING);
    CHECK_FAILS(ControlService(again, SERVICE_CONTROL_STOP, &status), ERROR_ACCESS_DENIED);
    CHECK(ControlService(service, SERVICE_CONTROL_STOP, &status));
    CHECK(DeleteService(service));
    CHECK(CloseServiceHandle(again) && CloseServiceHandle(service));
    CHECK_FAILS(OpenServiceA(Manager, "iotest", SERVICE_ALL_ACCESS) != NULL, ERROR_SERVICE_DOES_NOT_EXIST);
}

static void TestFailures(SC_HANDLE Manager)
{
    static const struct
    {
        const char *Name, *Binary;
        DWORD Error;
    } cases[] = {
        {"missing", "C:\\run\\missing.sys", ERROR_FILE_NOT_FOUND},
        {"text", "C:\\run\\license.txt", ERROR_BAD_EXE_FORMAT},
        {"failing", "C:\\run\\failentry.sys", ERROR_NOT_READY},
        {"lacking", "C:\\run\\noimport.sys", ERROR_PROC_NOT_FOUND},
    };

    for (int i = 0; i < 4; i++)
    {
        SC_HANDLE service = Create(Manager, cases[i].Name, cases[i].Binary);
        CHECK(service != NULL);
        SetLastError(0);
        CHECK(!StartServiceA(service, 0, NULL));
        printf("starting %s: error %lu\n", cases[i].Name, GetLastError());
        CHECK_EQUAL(GetLastError(), cases[i].Error);
        CHECK_EQUAL(State(service), SERVICE_STOPPED);
        CHECK(DeleteService(service) && CloseServiceHandle(service));
    }
    CHECK_FAILS(OpenServiceA(Manager, "nosuchservice", SERVICE_START) != NULL, ERROR_SERVICE_DOES_NOT_EXIST);
    CHECK_FAILS(CloseServiceHandle(NULL), ERROR_INVALID_HANDLE);
}

static void TestConfig(SC_HANDLE Manager)
{
    SC_HANDLE service = Create(Manager, "configured", Path);
    union
    {
        QUERY_SERVICE_CONFIGA Config;
        char Room[512];
    } answer;
    DWORD needed = 0;

    CHECK(service != NULL);
    CHECK_FAILS(QueryServiceConfigA(service, &answer.Config, 8, &needed), ERROR_INSUFFICIENT_BUFFER);
    CHECK(needed > sizeof(answer.Config) && needed <= sizeof(answer));
    CHECK(QueryServiceConfigA(service, &answer.Config, needed, &needed));
    CHECK(strcmp(answer.Config.lpBinaryPathName, "\\??\\C:\\run\\iotest.sys") == 0);
    CHECK_EQUAL(answer.Config.dwStartType, SERVICE_DEMAND_START);
    CHECK(ChangeServiceConfigA(service, SERVICE_NO_CHANGE, SERVICE_DISABLED, SERVICE_NO_CHANGE, NULL, NULL, NULL, NULL,
                               NULL, NULL, "A name"));
    CHECK(QueryServiceConfigA(service, &answer.Config, sizeof(answer), &needed));
    CHECK_EQUAL(answer.Config.dwStartType, SERVICE_DISABLED);
    CHECK(strcmp(answer.Config.lpDisplayName, "A name") == 0);
    CHECK_FAILS(ChangeServiceConfigA(service, SERVICE_NO_CHANGE, 77, SERVICE_NO_CHANGE, NULL, NULL, NULL, NULL, NULL,
                                     NULL, NULL),
                ERROR_INVALID_PARAMETER);
    CHECK(DeleteService(service) && CloseServiceHandle(service));
}

static void TestGetValue(void)
{
    static const char key[] = "Software\\u_scm";
    HKEY handle;
    char text[16] = "";
    DWORD number = 0, size = sizeof(text), type = 0;

    CHECK_EQUAL(RegCreateKeyA(HKEY_LOCAL_MACHINE, key, &handle), 0);
    CHECK_EQUAL(RegSetValueExA(handle, "Open", 0, REG_SZ, (const BYTE *)"abc", 3), 0); /* its zero is missing */
    CHECK_EQUAL(RegSetValueExA(handle, "Number", 0, REG_DWORD, (const BYTE *)&type, 4), 0);
    CHECK_EQUAL(RegSetValueExA(handle, "Expand", 0, REG_EXPAND_SZ, (const BYTE *)"%SystemDrive%!", 15), 0);
    CHECK_EQUAL(RegGetValueA(HKEY_LOCAL_MACHINE, key, "Open", RRF_RT_REG_SZ, &type, text, &size), 0);
    CHECK(size == 4 && type == REG_SZ && strcmp(text, "abc") == 0);
    CHECK_EQUAL(RegGetValueA(handle, NULL, "Open", RRF_RT_REG_DWORD, NULL, text, &size), ERROR_UNSUPPORTED_TYPE);
    size = sizeof(number);
    CHECK_EQUAL(RegGetValueA(handle, NULL, "Number", RRF_RT_DWORD, NULL, &number, &size), 0);
    size = sizeof(text);
    CHECK_EQUAL(RegGetValueA(handle, "", "Expand", RRF_RT_REG_SZ, &type, text, &size), 0);
    CHECK(type == REG_SZ && strcmp(text, "C:!") == 0);
    size = 2;
    CHECK_EQUAL(RegGetValueA(handle, NULL, "Open", RRF_RT_ANY, NULL, text, &size), ERROR_MORE_DATA);
    CHECK_EQUAL(size, 4);
    CHECK_EQUAL(RegFlushKey(handle), 0);
    CHECK_EQUAL(RegCloseKey(handle), 0);
    CHECK_EQUAL(RegDeleteKeyA(HKEY_LOCAL_MACHINE, key), 0);
}

int main(void)
{
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);

    CHECK(manager != NULL);
    TestLife(manager);
    TestFailures(manager);
    TestConfig(manager);
    TestGetValue();
    CHECK(CloseServiceHandle(manager));
    return Done("u_scm");
}
