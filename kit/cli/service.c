/* SPDX-License-Identifier: MIT */
/*
 * The driver as a service of the service control manager.
 */
#include "cli.h"

#define DRIVER_FILE L"isthmus.sys"
#define WAIT_MILLISECONDS 10000

static SC_HANDLE OpenManager(DWORD Access)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, Access);
    if (manager == NULL)
    {
        ReportError("cannot reach the service control manager", GetLastError());
    }
    return manager;
}

/* The service, or NULL with its error in GetLastError; the caller says what it means. */
static SC_HANDLE OpenDriverService(DWORD Access)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    if (manager == NULL)
    {
        return NULL;
    }
    SC_HANDLE service = OpenServiceW(manager, ISTHMUS_SERVICE_W, Access);
    DWORD error = GetLastError();
    CloseServiceHandle(manager);
    SetLastError(error);
    return service;
}

DRIVER_STATE QueryDriver(void)
{
    SERVICE_STATUS status;
    SC_HANDLE service = OpenDriverService(SERVICE_QUERY_STATUS);
    if (service == NULL)
    {
        return GetLastError() == ERROR_SERVICE_DOES_NOT_EXIST ? DriverAbsent : DriverUnknown;
    }
    BOOL done = QueryServiceStatus(service, &status);
    CloseServiceHandle(service);
    if (!done)
    {
        return DriverUnknown;
    }
    return status.dwCurrentState == SERVICE_STOPPED ? DriverStopped : DriverRunning;
}

/* The driver's full path: as given, or isthmus.sys beside this program. */
static BOOL FindDriverFile(const wchar_t *Given, wchar_t *Path, DWORD Room)
{
    if (Given != NULL)
    {
        DWORD length = GetFullPathNameW(Given, Room, Path, NULL);
        if (length == 0 || length >= Room)
        {
            fprintf(stderr, "isthmus: %s is not a usable path.\n", Utf8(Given));
            return FALSE;
        }
    }
    else
    {
        DWORD length = GetModuleFileNameW(NULL, Path, Room);
        wchar_t *slash = length != 0 && length < Room ? wcsrchr(Path, L'\\') : NULL;
        if (slash == NULL || (size_t)(slash + 1 - Path) + wcslen(DRIVER_FILE) >= Room)
        {
            fprintf(stderr, "isthmus: cannot tell where this program lies; give the driver with --sys.\n");
            return FALSE;
        }
        wcscpy(slash + 1, DRIVER_FILE);
    }
    if (GetFileAttributesW(Path) == INVALID_FILE_ATTRIBUTES)
    {
        fprintf(stderr, "isthmus: there is no %s; put isthmus.sys beside isthmus.exe or give it with --sys.\n",
                Utf8(Path));
        return FALSE;
    }
    return TRUE;
}

/* Parameters\Demo = 1: lets administrators use the demonstration reads. */
static BOOL SetDemoOption(void)
{
    HKEY key;
    DWORD one = 1;
    LONG error =
        RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"System\\CurrentControlSet\\Services\\" ISTHMUS_SERVICE_W L"\\Parameters",
                        0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);
    if (error == ERROR_SUCCESS)
    {
        error = RegSetValueExW(key, L"Demo", 0, REG_DWORD, (const BYTE *)&one, sizeof(one));
        RegCloseKey(key);
    }
    if (error != ERROR_SUCCESS)
    {
        ReportError("cannot set the Demo option in the registry", (DWORD)error);
        return FALSE;
    }
    return TRUE;
}

BOOL InstallDriver(const wchar_t *Given, BOOL Demo)
{
    wchar_t path[1024];
    if (!FindDriverFile(Given, path, sizeof(path) / sizeof(path[0])))
    {
        return FALSE;
    }
    SC_HANDLE manager = OpenManager(SC_MANAGER_CREATE_SERVICE);
    if (manager == NULL)
    {
        return FALSE;
    }
    SC_HANDLE service =
        CreateServiceW(manager, ISTHMUS_SERVICE_W, L"Isthmus shared memory", SERVICE_ALL_ACCESS, SERVICE_KERNEL_DRIVER,
                       SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, path, NULL, NULL, NULL, NULL, NULL);
    if (service == NULL)
    {
        ReportError("cannot install the driver", GetLastError());
        CloseServiceHandle(manager);
        return FALSE;
    }
    CloseServiceHandle(service);
    CloseServiceHandle(manager);
    if (Demo && !SetDemoOption())
    {
        RemoveDriver();
        return FALSE;
    }
    return TRUE;
}

BOOL StartDriver(void)
{
    SC_HANDLE service = OpenDriverService(SERVICE_START);
    if (service == NULL)
    {
        ReportError("cannot open the service", GetLastError());
        return FALSE;
    }
    BOOL done = StartServiceW(service, 0, NULL);
    if (!done)
    {
        ReportError("cannot start the driver", GetLastError());
    }
    CloseServiceHandle(service);
    return done;
}

BOOL StopDriver(void)
{
    SERVICE_STATUS status;
    SC_HANDLE service = OpenDriverService(SERVICE_STOP | SERVICE_QUERY_STATUS);
    if (service == NULL)
    {
        ReportError("cannot open the service", GetLastError());
        return FALSE;
    }
    BOOL done = ControlService(service, SERVICE_CONTROL_STOP, &status);
    if (!done)
    {
        ReportError("cannot stop the driver", GetLastError());
    }
    /* With handles open elsewhere the driver unloads when the last of them is closed. */
    for (DWORD waited = 0; done && status.dwCurrentState != SERVICE_STOPPED; waited += 50)
    {
        if (waited >= WAIT_MILLISECONDS)
        {
            fprintf(stderr,
                    "isthmus: the driver is still in use; it stops when the programs that use it are closed.\n");
            done = FALSE;
            break;
        }
        Sleep(50);
        if (!QueryServiceStatus(service, &status))
        {
            ReportError("cannot query the driver", GetLastError());
            done = FALSE;
        }
    }
    CloseServiceHandle(service);
    return done;
}

BOOL RemoveDriver(void)
{
    SC_HANDLE service = OpenDriverService(DELETE);
    if (service == NULL)
    {
        ReportError("cannot open the service", GetLastError());
        return FALSE;
    }
    BOOL done = DeleteService(service);
    if (!done)
    {
        ReportError("cannot remove the driver", GetLastError());
    }
    CloseServiceHandle(service);
    return done;
}

HISTHMUS OpenSession(void)
{
    HISTHMUS isthmus = IsthmusOpen(0);
    if (isthmus == NULL)
    {
        ReportError("cannot open the driver", GetLastError());
    }
    return isthmus;
}
