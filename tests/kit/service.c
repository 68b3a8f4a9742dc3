/* SPDX-License-Identifier: MIT */
/*
 * The driver as a service: its parameters in the registry, and its start and stop.
 */
#include "check.h"

static HKEY OpenParameters(void)
{
    HKEY key;
    LONG error =
        RegCreateKeyExW(HKEY_LOCAL_MACHINE, L"System\\CurrentControlSet\\Services\\" ISTHMUS_SERVICE_W L"\\Parameters",
                        0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);
    return error == ERROR_SUCCESS ? key : NULL;
}

BOOL SetParameter(const wchar_t *Name, DWORD Type, UINT64 Value)
{
    HKEY key = OpenParameters();
    if (key == NULL)
    {
        return FALSE;
    }
    LONG error = RegSetValueExW(key, Name, 0, Type, (const BYTE *)&Value, Type == REG_QWORD ? 8 : 4);
    RegCloseKey(key);
    return error == ERROR_SUCCESS;
}

BOOL ClearParameter(const wchar_t *Name)
{
    HKEY key = OpenParameters();
    if (key == NULL)
    {
        return FALSE;
    }
    LONG error = RegDeleteValueW(key, Name);
    RegCloseKey(key);
    return error == ERROR_SUCCESS || error == ERROR_FILE_NOT_FOUND;
}

BOOL Restart(void)
{
    SERVICE_STATUS status;
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = manager != NULL ? OpenServiceW(manager, ISTHMUS_SERVICE_W, SERVICE_START | SERVICE_STOP) : NULL;
    BOOL done =
        service != NULL && ControlService(service, SERVICE_CONTROL_STOP, &status) && StartServiceW(service, 0, NULL);
    DWORD error = GetLastError();
    if (service != NULL)
    {
        CloseServiceHandle(service);
    }
    if (manager != NULL)
    {
        CloseServiceHandle(manager);
    }
    SetLastError(error);
    return done;
}
