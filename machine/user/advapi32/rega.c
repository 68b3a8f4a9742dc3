/* SPDX-License-Identifier: MIT */
/* The registry's ANSI functions: names, and the data of the string types, are converted. */
#include "reg.h"

static BOOLEAN RegpIsText(DWORD Type)
{
    return Type == REG_SZ || Type == REG_EXPAND_SZ || Type == REG_MULTI_SZ;
}

static LSTATUS RegpWiden(LPCSTR Text, PWSTR *Wide)
{
    return AdvWiden(Text, Wide) ? ERROR_SUCCESS : ERROR_NOT_ENOUGH_MEMORY;
}

LSTATUS WINAPI RegOpenKeyExA(HKEY hKey, LPCSTR lpSubKey, DWORD ulOptions, REGSAM samDesired, PHKEY phkResult)
{
    PWSTR name;
    LSTATUS error = RegpWiden(lpSubKey, &name);
    if (error == ERROR_SUCCESS)
    {
        error = RegOpenKeyExW(hKey, name, ulOptions, samDesired, phkResult);
        AdvFree(name);
    }
    return error;
}

LSTATUS WINAPI RegOpenKeyA(HKEY hKey, LPCSTR lpSubKey, PHKEY phkResult)
{
    return RegOpenKeyExA(hKey, lpSubKey, 0, MAXIMUM_ALLOWED, phkResult);
}

LSTATUS WINAPI RegCreateKeyExA(HKEY hKey, LPCSTR lpSubKey, DWORD Reserved, LPSTR lpClass, DWORD dwOptions,
                               REGSAM samDesired, CONST LPSECURITY_ATTRIBUTES lpSecurityAttributes, PHKEY phkResult,
                               LPDWORD lpdwDisposition)
{
    PWSTR name = NULL;
    PWSTR class = NULL;
    LSTATUS error = RegpWiden(lpSubKey, &name);
    if (error == ERROR_SUCCESS)
    {
        error = RegpWiden(lpClass, &class);
    }
    if (error == ERROR_SUCCESS)
    {
        error = RegCreateKeyExW(hKey, name, Reserved, class, dwOptions, samDesired, lpSecurityAttributes, phkResult,
                                lpdwDisposition);
    }
    AdvFree(class);
    AdvFree(name);
    return error;
}

LSTATUS WINAPI RegCreateKeyA(HKEY hKey, LPCSTR lpSubKey, PHKEY phkResult)
{
    return RegCreateKeyExA(hKey, lpSubKey, 0, NULL, 0, MAXIMUM_ALLOWED, NULL, phkResult, NULL);
}

LSTATUS WINAPI RegDeleteKeyA(HKEY hKey, LPCSTR lpSubKey)
{
    PWSTR name;
    LSTATUS error = RegpWiden(lpSubKey, &name);
    if (error == ERROR_SUCCESS)
    {
        error = RegDeleteKeyW(hKey, name);
        AdvFree(name);
    }
    return error;
}

LSTATUS WINAPI RegDeleteTreeA(HKEY hKey, LPCSTR lpSubKey)
{
    PWSTR name;
    LSTATUS error = RegpWiden(lpSubKey, &name);
    if (error == ERROR_SUCCESS)
    {
        error = RegDeleteTreeW(hKey, name);
        AdvFree(name);
    }
    return error;
}

LSTATUS WINAPI RegDeleteValueA(HKEY hKey, LPCSTR lpValueName)
{
    PWSTR name;
    LSTATUS error = RegpWiden(lpValueName, &name);
    if (error == ERROR_SUCCESS)
    {
        error = RegDeleteValueW(hKey, name);
        AdvFree(name);
    }
    return error;
}

LSTATUS WINAPI RegSetValueExA(HKEY hKey, LPCSTR lpValueName, DWORD Reserved, DWORD dwType, CONST BYTE *lpData,
                              DWORD cbData)
{
    PWSTR name;
    PWSTR text = NULL;
    LSTATUS error = RegpWiden(lpValueName, &name);
    if (error != ERROR_SUCCESS)
    {
        return error;
    }
    if (RegpIsText(dwType) && lpData != NULL)
    {
        SIZE_T characters = 0;
        text = AdvWidenN((LPCSTR)lpData, cbData, &characters);
        lpData = (CONST BYTE *)text;
        cbData = (DWORD)(characters * sizeof(WCHAR));
        error = text != NULL ? ERROR_SUCCESS : ERROR_NOT_ENOUGH_MEMORY;
    }
    if (error == ERROR_SUCCESS)
    {
        error = RegSetValueExW(hKey, name, Reserved, dwType, lpData, cbData);
    }
    AdvFree(text);
    AdvFree(name);
    return error;
}

/* Gives data that was read as wide text, or anything else, to an ANSI caller. */
static LSTATUS RegpGiveAnsi(DWORD Type, const VOID *Data, DWORD Length, LPBYTE Buffer, LPDWORD Size)
{
    ULONG needed = Length;
    if (Size == NULL)
    {
        return ERROR_SUCCESS;
    }
    if (RegpIsText(Type))
    {
        RtlUnicodeToUTF8N(NULL, 0, &needed, Data, Length & ~1u);
    }
    LSTATUS error = ERROR_SUCCESS;
    if (Buffer != NULL)
    {
        if (*Size < needed)
        {
            error = ERROR_MORE_DATA;
        }
        else if (RegpIsText(Type))
        {
            RtlUnicodeToUTF8N((PCHAR)Buffer, needed, &needed, Data, Length & ~1u);
        }
        else
        {
            memcpy(Buffer, Data, Length);
        }
    }
    *Size = needed;
    return error;
}

LSTATUS WINAPI RegQueryValueExA(HKEY hKey, LPCSTR lpValueName, LPDWORD lpReserved, LPDWORD lpType, LPBYTE lpData,
                                LPDWORD lpcbData)
{
    PWSTR name;
    UNICODE_STRING string;
    HANDLE handle;
    PKEY_VALUE_PARTIAL_INFORMATION value = NULL;
    if (lpReserved != NULL || (lpData != NULL && lpcbData == NULL))
    {
        return ERROR_INVALID_PARAMETER;
    }
    LSTATUS error = RegpWiden(lpValueName, &name);
    if (error != ERROR_SUCCESS)
    {
        return error;
    }
    NTSTATUS status = AdvInitString(&string, name) ? RegpResolve(hKey, KEY_QUERY_VALUE, &handle)
                                                   : STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(status))
    {
        status = RegpReadValue(handle, &string, &value);
        RegpRelease(hKey, handle);
    }
    AdvFree(name);
    if (!NT_SUCCESS(status))
    {
        return RegpError(status);
    }
    if (lpType != NULL)
    {
        *lpType = value->Type;
    }
    error = RegpGiveAnsi(value->Type, value->Data, value->DataLength, lpData, lpcbData);
    AdvFree(value);
    return error;
}

/* A wide name for an ANSI caller, with a zero behind it. */
static LSTATUS RegpGiveNameA(PCWSTR Name, DWORD Characters, LPSTR Buffer, LPDWORD Size)
{
    ULONG bytes = 0;
    RtlUnicodeToUTF8N(NULL, 0, &bytes, Name, Characters * sizeof(WCHAR));
    if (*Size < bytes + 1)
    {
        return ERROR_MORE_DATA;
    }
    RtlUnicodeToUTF8N(Buffer, bytes, &bytes, Name, Characters * sizeof(WCHAR));
    Buffer[bytes] = 0;
    *Size = bytes;
    return ERROR_SUCCESS;
}

LSTATUS WINAPI RegEnumKeyExA(HKEY hKey, DWORD dwIndex, LPSTR lpName, LPDWORD lpcchName, LPDWORD lpReserved,
                             LPSTR lpClass, LPDWORD lpcchClass, PFILETIME lpftLastWriteTime)
{
    WCHAR name[512];
    DWORD length = ARRAYSIZE(name);
    if (lpName == NULL || lpcchName == NULL)
    {
        return ERROR_INVALID_PARAMETER;
    }
    LSTATUS error = RegEnumKeyExW(hKey, dwIndex, name, &length, lpReserved, NULL, NULL, lpftLastWriteTime);
    if (error != ERROR_SUCCESS)
    {
        return error;
    }
    if (lpClass != NULL && lpcchClass != NULL && *lpcchClass != 0)
    {
        *lpClass = 0;
    }
    if (lpcchClass != NULL)
    {
        *lpcchClass = 0;
    }
    return RegpGiveNameA(name, length, lpName, lpcchName);
}

LSTATUS WINAPI RegEnumKeyA(HKEY hKey, DWORD dwIndex, LPSTR lpName, DWORD cchName)
{
    return RegEnumKeyExA(hKey, dwIndex, lpName, &cchName, NULL, NULL, NULL, NULL);
}

LSTATUS WINAPI RegEnumValueA(HKEY hKey, DWORD dwIndex, LPSTR lpValueName, LPDWORD lpcchValueName, LPDWORD lpReserved,
                             LPDWORD lpType, LPBYTE lpData, LPDWORD lpcbData)
{
    PWSTR name = AdvAllocate(0x4000 * sizeof(WCHAR)); /* value names have at most 16,383 characters */
    DWORD length = 0x4000;
    DWORD type = REG_NONE;
    DWORD size = 0;
    PVOID data = NULL;
    LSTATUS error = ERROR_NOT_ENOUGH_MEMORY;

    if (name == NULL)
    {
        return error;
    }
    error = lpValueName == NULL || lpcchValueName == NULL || (lpData != NULL && lpcbData == NULL)
                ? ERROR_INVALID_PARAMETER
                : RegEnumValueW(hKey, dwIndex, name, &length, lpReserved, &type, NULL, &size);
    if (error == ERROR_SUCCESS)
    {
        DWORD again = 0x4000;
        data = AdvAllocate(size + 2);
        error = data == NULL ? ERROR_NOT_ENOUGH_MEMORY
                             : RegEnumValueW(hKey, dwIndex, name, &again, lpReserved, &type, data, &size);
        length = again;
    }
    if (error == ERROR_SUCCESS)
    {
        if (lpType != NULL)
        {
            *lpType = type;
        }
        error = RegpGiveNameA(name, length, lpValueName, lpcchValueName);
        LSTATUS dataError = RegpGiveAnsi(type, data, size, lpData, lpcbData);
        error = error != ERROR_SUCCESS ? error : dataError;
    }
    AdvFree(data);
    AdvFree(name);
    return error;
}
