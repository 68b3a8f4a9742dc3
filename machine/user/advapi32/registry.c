/* SPDX-License-Identifier: MIT */
/*
 * The registry. Functions return Win32 errors; handles are kernel handles, except for the predefined
 * keys, which stand for paths:
 *
 *   HKEY_LOCAL_MACHINE \Registry\Machine     HKEY_USERS        \Registry\User
 *   HKEY_CURRENT_USER  \Registry\User\<SID>  HKEY_CLASSES_ROOT \Registry\Machine\Software\Classes
 */
#include "adv.h"
#include "reg.h"

#define REG_ACCESS_FLAGS (KEY_WOW64_64KEY | KEY_WOW64_32KEY)

LSTATUS RegpError(NTSTATUS Status)
{
    if (Status == STATUS_NO_MORE_ENTRIES)
    {
        return ERROR_NO_MORE_ITEMS;
    }
    return NT_SUCCESS(Status) ? ERROR_SUCCESS : (LSTATUS)RtlNtStatusToDosError(Status);
}

/* ---- Key handles ---- */

static BOOLEAN RegpIsPredefined(HKEY Key)
{
    return ((ULONG_PTR)Key & 0xFFFFFFF0u) == 0x80000000u;
}

/* The NT path of the calling user's key, in a heap buffer. */
static NTSTATUS RegpUserPath(PWSTR *Path)
{
    struct
    {
        TOKEN_USER User;
        UCHAR Sid[SECURITY_MAX_SID_SIZE];
    } user;
    static const WCHAR prefix[] = L"\\Registry\\User\\";
    UNICODE_STRING text = {0, 0, NULL};
    HANDLE token;
    ULONG size;

    *Path = NULL;
    NTSTATUS status = NtOpenProcessToken(NtCurrentProcess(), TOKEN_QUERY, &token);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = NtQueryInformationToken(token, TokenUser, &user, sizeof(user), &size);
    NtClose(token);
    if (NT_SUCCESS(status))
    {
        status = RtlConvertSidToUnicodeString(&text, user.User.User.Sid, TRUE);
    }
    if (NT_SUCCESS(status))
    {
        *Path = AdvAllocate(sizeof(prefix) + text.Length);
        if (*Path == NULL)
        {
            status = STATUS_NO_MEMORY;
        }
        else
        {
            memcpy(*Path, prefix, sizeof(prefix));
            memcpy((PUCHAR)*Path + sizeof(prefix) - sizeof(WCHAR), text.Buffer, text.Length);
        }
        RtlFreeUnicodeString(&text);
    }
    return status;
}

/* A kernel handle for any key handle. Close it with RegpRelease. */
NTSTATUS RegpResolve(HKEY Key, ACCESS_MASK Access, PHANDLE Handle)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    PWSTR owned = NULL;
    PCWSTR path;

    if (!RegpIsPredefined(Key))
    {
        *Handle = (HANDLE)Key;
        return STATUS_SUCCESS;
    }
    NTSTATUS status = STATUS_SUCCESS;
    switch ((ULONG_PTR)Key & 0xF)
    {
    case 0:
        path = L"\\Registry\\Machine\\Software\\Classes";
        break;
    case 1:
        status = RegpUserPath(&owned);
        path = owned;
        break;
    case 2:
        path = L"\\Registry\\Machine";
        break;
    case 3:
        path = L"\\Registry\\User";
        break;
    default:
        return STATUS_INVALID_HANDLE;
    }
    if (NT_SUCCESS(status))
    {
        AdvInitString(&name, path);
        InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
        status = NtOpenKey(Handle, Access, &attributes);
    }
    AdvFree(owned);
    return status;
}

VOID RegpRelease(HKEY Key, HANDLE Handle)
{
    if (Handle != (HANDLE)Key)
    {
        NtClose(Handle);
    }
}

/** Opens SubKey below Key; NULL or an empty name opens Key itself once more. */
LSTATUS WINAPI RegOpenKeyExW(HKEY hKey, LPCWSTR lpSubKey, DWORD ulOptions, REGSAM samDesired, PHKEY phkResult)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    HANDLE parent;
    HANDLE handle;
    ACCESS_MASK access = samDesired & ~REG_ACCESS_FLAGS;

    if (phkResult == NULL || (ulOptions & ~(DWORD)(REG_OPTION_OPEN_LINK | REG_OPTION_BACKUP_RESTORE)))
    {
        return ERROR_INVALID_PARAMETER;
    }
    if (!AdvInitString(&name, lpSubKey))
    {
        return ERROR_INVALID_PARAMETER;
    }
    if (name.Length != 0 && name.Buffer[0] == L'\\')
    {
        return ERROR_BAD_PATHNAME;
    }
    NTSTATUS status = RegpResolve(hKey, name.Length != 0 ? MAXIMUM_ALLOWED : access, &parent);
    if (!NT_SUCCESS(status))
    {
        return RegpError(status);
    }
    if (name.Length == 0 && parent != (HANDLE)hKey)
    {
        *phkResult = (HKEY)parent; /* just opened, with the right access */
        return ERROR_SUCCESS;
    }
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, parent, NULL);
    status = NtOpenKey(&handle, access, &attributes);
    RegpRelease(hKey, parent);
    if (NT_SUCCESS(status))
    {
        *phkResult = (HKEY)handle;
    }
    return RegpError(status);
}

/* Creates one level, or all levels of a path: each missing parent first. */
static NTSTATUS RegpCreatePath(HANDLE Parent, PUNICODE_STRING Path, PUNICODE_STRING Class, ULONG Options,
                               ACCESS_MASK Access, PVOID Security, PHANDLE Handle, PULONG Disposition)
{
    HANDLE current = Parent;
    USHORT start = 0;
    USHORT length = Path->Length / sizeof(WCHAR);
    NTSTATUS status = STATUS_OBJECT_NAME_INVALID;

    while (start < length)
    {
        OBJECT_ATTRIBUTES attributes;
        HANDLE next;
        USHORT end = start;
        while (end < length && Path->Buffer[end] != L'\\')
        {
            end++;
        }
        if (end == start)
        {
            start++; /* "a\\b" */
            continue;
        }
        USHORT rest = end;
        while (rest < length && Path->Buffer[rest] == L'\\')
        {
            rest++;
        }
        BOOLEAN last = rest == length;
        UNICODE_STRING part = {(USHORT)((end - start) * sizeof(WCHAR)), 0, Path->Buffer + start};
        InitializeObjectAttributes(&attributes, &part, OBJ_CASE_INSENSITIVE, current, last ? Security : NULL);
        status = NtCreateKey(&next, last ? Access : MAXIMUM_ALLOWED, &attributes, 0, last ? Class : NULL,
                             last ? Options : Options & REG_OPTION_VOLATILE, Disposition);
        if (current != Parent)
        {
            NtClose(current);
        }
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        current = next;
        start = rest;
    }
    *Handle = current;
    return status;
}

LSTATUS WINAPI RegCreateKeyExW(HKEY hKey, LPCWSTR lpSubKey, DWORD Reserved, LPWSTR lpClass, DWORD dwOptions,
                               REGSAM samDesired, CONST LPSECURITY_ATTRIBUTES lpSecurityAttributes, PHKEY phkResult,
                               LPDWORD lpdwDisposition)
{
    UNICODE_STRING name;
    UNICODE_STRING class;
    HANDLE parent;
    HANDLE handle;
    ULONG disposition = REG_OPENED_EXISTING_KEY;

    if (Reserved != 0 || phkResult == NULL || lpSubKey == NULL ||
        (dwOptions & ~(DWORD)(REG_OPTION_VOLATILE | REG_OPTION_BACKUP_RESTORE)) || !AdvInitString(&name, lpSubKey) ||
        !AdvInitString(&class, lpClass))
    {
        return ERROR_INVALID_PARAMETER;
    }
    if (name.Length != 0 && name.Buffer[0] == L'\\')
    {
        return ERROR_BAD_PATHNAME;
    }
    if (name.Length == 0)
    {
        if (lpdwDisposition != NULL)
        {
            *lpdwDisposition = disposition;
        }
        return RegOpenKeyExW(hKey, NULL, 0, samDesired, phkResult);
    }
    NTSTATUS status = RegpResolve(hKey, MAXIMUM_ALLOWED, &parent);
    if (!NT_SUCCESS(status))
    {
        return RegpError(status);
    }
    status = RegpCreatePath(parent, &name, lpClass != NULL ? &class : NULL, dwOptions,
                            samDesired & ~REG_ACCESS_FLAGS,
                            lpSecurityAttributes != NULL ? lpSecurityAttributes->lpSecurityDescriptor : NULL, &handle,
                            &disposition);
    RegpRelease(hKey, parent);
    if (NT_SUCCESS(status))
    {
        *phkResult = (HKEY)handle;
        if (lpdwDisposition != NULL)
        {
            *lpdwDisposition = disposition;
        }
    }
    return RegpError(status);
}

LSTATUS WINAPI RegOpenKeyW(HKEY hKey, LPCWSTR lpSubKey, PHKEY phkResult)
{
    return RegOpenKeyExW(hKey, lpSubKey, 0, MAXIMUM_ALLOWED, phkResult);
}

LSTATUS WINAPI RegCreateKeyW(HKEY hKey, LPCWSTR lpSubKey, PHKEY phkResult)
{
    return RegCreateKeyExW(hKey, lpSubKey, 0, NULL, 0, MAXIMUM_ALLOWED, NULL, phkResult, NULL);
}

LSTATUS WINAPI RegCloseKey(HKEY hKey)
{
    return RegpIsPredefined(hKey) ? ERROR_SUCCESS : RegpError(NtClose((HANDLE)hKey));
}

LSTATUS WINAPI RegDeleteKeyExW(HKEY hKey, LPCWSTR lpSubKey, REGSAM samDesired, DWORD Reserved)
{
    HKEY key;
    if (lpSubKey == NULL || Reserved != 0)
    {
        return ERROR_INVALID_PARAMETER;
    }
    LSTATUS error = RegOpenKeyExW(hKey, lpSubKey, 0, DELETE | (samDesired & REG_ACCESS_FLAGS), &key);
    if (error == ERROR_SUCCESS)
    {
        error = RegpError(NtDeleteKey((HANDLE)key));
        RegCloseKey(key);
    }
    return error;
}

LSTATUS WINAPI RegDeleteKeyW(HKEY hKey, LPCWSTR lpSubKey)
{
    return RegDeleteKeyExW(hKey, lpSubKey, 0, 0);
}

/** Deletes a key with all keys below it; without a name, everything below hKey and its values. */
LSTATUS WINAPI RegDeleteTreeW(HKEY hKey, LPCWSTR lpSubKey)
{
    HKEY key = hKey;
    WCHAR name[256];
    LSTATUS error = ERROR_SUCCESS;
    if (lpSubKey != NULL)
    {
        error = RegOpenKeyExW(hKey, lpSubKey, 0, DELETE | KEY_ENUMERATE_SUB_KEYS | KEY_QUERY_VALUE | KEY_SET_VALUE,
                              &key);
        if (error != ERROR_SUCCESS)
        {
            return error;
        }
    }
    for (;;)
    {
        DWORD length = ARRAYSIZE(name);
        error = RegEnumKeyExW(key, 0, name, &length, NULL, NULL, NULL, NULL);
        if (error == ERROR_SUCCESS)
        {
            error = RegDeleteTreeW(key, name);
        }
        if (error != ERROR_SUCCESS)
        {
            break;
        }
    }
    if (error == ERROR_NO_MORE_ITEMS)
    {
        error = ERROR_SUCCESS;
        if (lpSubKey != NULL)
        {
            error = RegpError(NtDeleteKey((HANDLE)key));
        }
        else
        {
            DWORD length = ARRAYSIZE(name);
            while (RegEnumValueW(key, 0, name, &length, NULL, NULL, NULL, NULL) == ERROR_SUCCESS &&
                   error == ERROR_SUCCESS)
            {
                error = RegDeleteValueW(key, name);
                length = ARRAYSIZE(name);
            }
        }
    }
    if (lpSubKey != NULL)
    {
        RegCloseKey(key);
    }
    return error;
}

/* ---- Values ---- */

LSTATUS WINAPI RegSetValueExW(HKEY hKey, LPCWSTR lpValueName, DWORD Reserved, DWORD dwType, CONST BYTE *lpData,
                              DWORD cbData)
{
    UNICODE_STRING name;
    HANDLE handle;
    if (Reserved != 0 || !AdvInitString(&name, lpValueName) || (cbData != 0 && lpData == NULL))
    {
        return ERROR_INVALID_PARAMETER;
    }
    NTSTATUS status = RegpResolve(hKey, KEY_SET_VALUE, &handle);
    if (NT_SUCCESS(status))
    {
        status = NtSetValueKey(handle, &name, 0, dwType, (PVOID)lpData, cbData);
        RegpRelease(hKey, handle);
    }
    return RegpError(status);
}

/* Reads a value into a heap block, whatever its size. */
NTSTATUS RegpReadValue(HANDLE Key, PUNICODE_STRING Name, PKEY_VALUE_PARTIAL_INFORMATION *Value)
{
    ULONG size = sizeof(KEY_VALUE_PARTIAL_INFORMATION) + 256;
    *Value = NULL;
    for (ULONG tries = 0; tries < 8; tries++)
    {
        ULONG needed = 0;
        PKEY_VALUE_PARTIAL_INFORMATION value = AdvAllocate(size);
        if (value == NULL)
        {
            return STATUS_NO_MEMORY;
        }
        NTSTATUS status = NtQueryValueKey(Key, Name, KeyValuePartialInformation, value, size, &needed);
        if (NT_SUCCESS(status))
        {
            *Value = value;
            return STATUS_SUCCESS;
        }
        AdvFree(value);
        if (status != STATUS_BUFFER_OVERFLOW && status != STATUS_BUFFER_TOO_SMALL)
        {
            return status;
        }
        size = needed; /* and once more: it may have grown meanwhile */
    }
    return STATUS_UNSUCCESSFUL;
}

/* What the Query and Enum functions do with a value's data. */
static LSTATUS RegpGiveData(const VOID *Data, DWORD Length, LPBYTE Buffer, LPDWORD Size)
{
    LSTATUS error = ERROR_SUCCESS;
    if (Size == NULL)
    {
        return Buffer == NULL ? ERROR_SUCCESS : ERROR_INVALID_PARAMETER;
    }
    if (Buffer != NULL)
    {
        if (*Size < Length)
        {
            error = ERROR_MORE_DATA;
        }
        else
        {
            memcpy(Buffer, Data, Length);
        }
    }
    *Size = Length;
    return error;
}

LSTATUS WINAPI RegQueryValueExW(HKEY hKey, LPCWSTR lpValueName, LPDWORD lpReserved, LPDWORD lpType, LPBYTE lpData,
                                LPDWORD lpcbData)
{
    UNICODE_STRING name;
    HANDLE handle;
    PKEY_VALUE_PARTIAL_INFORMATION value = NULL;
    if (lpReserved != NULL || (lpData != NULL && lpcbData == NULL) || !AdvInitString(&name, lpValueName))
    {
        return ERROR_INVALID_PARAMETER;
    }
    NTSTATUS status = RegpResolve(hKey, KEY_QUERY_VALUE, &handle);
    if (NT_SUCCESS(status))
    {
        status = RegpReadValue(handle, &name, &value);
        RegpRelease(hKey, handle);
    }
    if (!NT_SUCCESS(status))
    {
        return RegpError(status);
    }
    if (lpType != NULL)
    {
        *lpType = value->Type;
    }
    LSTATUS error = RegpGiveData(value->Data, value->DataLength, lpData, lpcbData);
    AdvFree(value);
    return error;
}

LSTATUS WINAPI RegDeleteValueW(HKEY hKey, LPCWSTR lpValueName)
{
    UNICODE_STRING name;
    HANDLE handle;
    if (!AdvInitString(&name, lpValueName))
    {
        return ERROR_INVALID_PARAMETER;
    }
    NTSTATUS status = RegpResolve(hKey, KEY_SET_VALUE, &handle);
    if (NT_SUCCESS(status))
    {
        status = NtDeleteValueKey(handle, &name);
        RegpRelease(hKey, handle);
    }
    return RegpError(status);
}

/* ---- Enumeration ---- */

/* A name with a zero behind it, and its length without; ERROR_MORE_DATA if the buffer is too small. */
static LSTATUS RegpGiveName(const WCHAR *Name, ULONG Bytes, LPWSTR Buffer, LPDWORD Characters)
{
    DWORD length = Bytes / sizeof(WCHAR);
    if (*Characters < length + 1)
    {
        return ERROR_MORE_DATA;
    }
    memcpy(Buffer, Name, Bytes);
    Buffer[length] = 0;
    *Characters = length;
    return ERROR_SUCCESS;
}

LSTATUS WINAPI RegEnumKeyExW(HKEY hKey, DWORD dwIndex, LPWSTR lpName, LPDWORD lpcchName, LPDWORD lpReserved,
                             LPWSTR lpClass, LPDWORD lpcchClass, PFILETIME lpftLastWriteTime)
{
    union
    {
        KEY_BASIC_INFORMATION Basic;
        UCHAR Room[sizeof(KEY_BASIC_INFORMATION) + 512 * sizeof(WCHAR)];
    } key;
    HANDLE handle;
    ULONG needed;
    if (lpReserved != NULL || lpName == NULL || lpcchName == NULL)
    {
        return ERROR_INVALID_PARAMETER;
    }
    NTSTATUS status = RegpResolve(hKey, KEY_ENUMERATE_SUB_KEYS, &handle);
    if (NT_SUCCESS(status))
    {
        status = NtEnumerateKey(handle, dwIndex, KeyBasicInformation, &key, sizeof(key), &needed);
        RegpRelease(hKey, handle);
    }
    if (!NT_SUCCESS(status))
    {
        return RegpError(status);
    }
    if (lpClass != NULL && lpcchClass != NULL && *lpcchClass != 0)
    {
        *lpClass = 0;
    }
    if (lpcchClass != NULL)
    {
        *lpcchClass = 0;
    }
    if (lpftLastWriteTime != NULL)
    {
        memcpy(lpftLastWriteTime, &key.Basic.LastWriteTime, sizeof(FILETIME));
    }
    return RegpGiveName(key.Basic.Name, key.Basic.NameLength, lpName, lpcchName);
}

LSTATUS WINAPI RegEnumKeyW(HKEY hKey, DWORD dwIndex, LPWSTR lpName, DWORD cchName)
{
    return RegEnumKeyExW(hKey, dwIndex, lpName, &cchName, NULL, NULL, NULL, NULL);
}

/* One value with name and data, in a heap block. */
static NTSTATUS RegpReadIndexed(HANDLE Key, ULONG Index, PKEY_VALUE_FULL_INFORMATION *Value)
{
    ULONG size = sizeof(KEY_VALUE_FULL_INFORMATION) + 512;
    *Value = NULL;
    for (ULONG tries = 0; tries < 8; tries++)
    {
        ULONG needed = 0;
        PKEY_VALUE_FULL_INFORMATION value = AdvAllocate(size);
        if (value == NULL)
        {
            return STATUS_NO_MEMORY;
        }
        NTSTATUS status = NtEnumerateValueKey(Key, Index, KeyValueFullInformation, value, size, &needed);
        if (NT_SUCCESS(status))
        {
            *Value = value;
            return STATUS_SUCCESS;
        }
        AdvFree(value);
        if (status != STATUS_BUFFER_OVERFLOW && status != STATUS_BUFFER_TOO_SMALL)
        {
            return status;
        }
        size = needed;
    }
    return STATUS_UNSUCCESSFUL;
}

LSTATUS WINAPI RegEnumValueW(HKEY hKey, DWORD dwIndex, LPWSTR lpValueName, LPDWORD lpcchValueName,
                             LPDWORD lpReserved, LPDWORD lpType, LPBYTE lpData, LPDWORD lpcbData)
{
    PKEY_VALUE_FULL_INFORMATION value = NULL;
    HANDLE handle;
    if (lpReserved != NULL || lpValueName == NULL || lpcchValueName == NULL ||
        (lpData != NULL && lpcbData == NULL))
    {
        return ERROR_INVALID_PARAMETER;
    }
    NTSTATUS status = RegpResolve(hKey, KEY_QUERY_VALUE, &handle);
    if (NT_SUCCESS(status))
    {
        status = RegpReadIndexed(handle, dwIndex, &value);
        RegpRelease(hKey, handle);
    }
    if (!NT_SUCCESS(status))
    {
        return RegpError(status);
    }
    if (lpType != NULL)
    {
        *lpType = value->Type;
    }
    LSTATUS error = RegpGiveName(value->Name, value->NameLength, lpValueName, lpcchValueName);
    LSTATUS dataError = RegpGiveData((PUCHAR)value + value->DataOffset, value->DataLength, lpData, lpcbData);
    AdvFree(value);
    return error != ERROR_SUCCESS ? error : dataError;
}

LSTATUS WINAPI RegQueryInfoKeyW(HKEY hKey, LPWSTR lpClass, LPDWORD lpcchClass, LPDWORD lpReserved,
                                LPDWORD lpcSubKeys, LPDWORD lpcbMaxSubKeyLen, LPDWORD lpcbMaxClassLen,
                                LPDWORD lpcValues, LPDWORD lpcbMaxValueNameLen, LPDWORD lpcbMaxValueLen,
                                LPDWORD lpcbSecurityDescriptor, PFILETIME lpftLastWriteTime)
{
    union
    {
        KEY_FULL_INFORMATION Full;
        UCHAR Room[sizeof(KEY_FULL_INFORMATION) + 512];
    } key;
    HANDLE handle;
    ULONG needed;
    if (lpReserved != NULL)
    {
        return ERROR_INVALID_PARAMETER;
    }
    NTSTATUS status = RegpResolve(hKey, KEY_QUERY_VALUE, &handle);
    if (NT_SUCCESS(status))
    {
        status = NtQueryKey(handle, KeyFullInformation, &key, sizeof(key), &needed);
        RegpRelease(hKey, handle);
    }
    if (!NT_SUCCESS(status))
    {
        return RegpError(status);
    }
    LPDWORD targets[] = {lpcSubKeys, lpcbMaxSubKeyLen, lpcbMaxClassLen, lpcValues, lpcbMaxValueNameLen,
                         lpcbMaxValueLen, lpcbSecurityDescriptor};
    DWORD values[] = {key.Full.SubKeys,
                      key.Full.MaxNameLen / (DWORD)sizeof(WCHAR),
                      key.Full.MaxClassLen / (DWORD)sizeof(WCHAR),
                      key.Full.Values,
                      key.Full.MaxValueNameLen / (DWORD)sizeof(WCHAR),
                      key.Full.MaxValueDataLen,
                      0};
    for (ULONG i = 0; i < ARRAYSIZE(targets); i++)
    {
        if (targets[i] != NULL)
        {
            *targets[i] = values[i];
        }
    }
    if (lpftLastWriteTime != NULL)
    {
        memcpy(lpftLastWriteTime, &key.Full.LastWriteTime, sizeof(FILETIME));
    }
    if (lpClass != NULL && lpcchClass != NULL)
    {
        return RegpGiveName((PWSTR)((PUCHAR)&key + key.Full.ClassOffset), key.Full.ClassLength, lpClass, lpcchClass);
    }
    return ERROR_SUCCESS;
}
