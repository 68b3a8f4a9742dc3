/* SPDX-License-Identifier: MIT */
/* RegGetValue: a value of an expected type, its texts always terminated. */
#include "reg.h"

#include <winreg.h>

/* One of these bits for each type from REG_NONE to REG_QWORD; list types of resources have none. */
static DWORD RegpTypeBit(DWORD Type)
{
    switch (Type)
    {
    case REG_NONE:
    case REG_SZ:
    case REG_EXPAND_SZ:
    case REG_BINARY:
    case REG_DWORD:
        return 1u << Type;
    case REG_MULTI_SZ:
        return RRF_RT_REG_MULTI_SZ;
    case REG_QWORD:
        return RRF_RT_REG_QWORD;
    default:
        return 0x8000; /* only RRF_RT_ANY takes it */
    }
}

/* RRF_RT_DWORD and RRF_RT_QWORD take REG_BINARY of the number's size only. */
static BOOLEAN RegpTypeFits(DWORD Flags, DWORD Type, DWORD Bytes)
{
    DWORD wanted = Flags & RRF_RT_ANY;

    if ((RegpTypeBit(Type) & wanted) == 0)
    {
        return FALSE;
    }
    return Type != REG_BINARY || ((wanted != RRF_RT_DWORD || Bytes == 4) && (wanted != RRF_RT_QWORD || Bytes == 8));
}

static LSTATUS RegpQuery(HKEY Key, BOOLEAN Wide, const VOID *Name, LPDWORD Type, PVOID Data, LPDWORD Bytes)
{
    return Wide ? RegQueryValueExW(Key, Name, NULL, Type, Data, Bytes)
                : RegQueryValueExA(Key, Name, NULL, Type, Data, Bytes);
}

/* The bytes of a text with its zero, or of a list with both; Data has room for two characters more. */
static DWORD RegpTerminate(BOOLEAN Wide, DWORD Type, PUCHAR Data, DWORD Bytes)
{
    DWORD unit = Wide ? sizeof(WCHAR) : 1, zeros = Type == REG_MULTI_SZ ? 2 : 1;

    Bytes -= Bytes % unit;
    for (DWORD have = 0; have < zeros; have++)
    {
        DWORD at = Bytes - (have + 1) * unit;
        if (Bytes < (have + 1) * unit || Data[at] != 0 || Data[at + unit - 1] != 0)
        {
            return Bytes + (zeros - have) * unit; /* what follows is zero */
        }
    }
    return Bytes;
}

/* Reads into a heap block with room behind; the value may grow meanwhile. */
static LSTATUS RegpFetch(HKEY Key, BOOLEAN Wide, const VOID *Name, LPDWORD Type, PUCHAR *Data, LPDWORD Bytes)
{
    LSTATUS error;

    *Bytes = 0;
    do
    {
        DWORD room = 0;

        *Data = NULL;
        error = RegpQuery(Key, Wide, Name, Type, NULL, &room);
        if (error != ERROR_SUCCESS)
        {
            return error;
        }
        *Data = AdvAllocate(room + 2 * sizeof(WCHAR));
        if (*Data == NULL)
        {
            return ERROR_NOT_ENOUGH_MEMORY;
        }
        *Bytes = room;
        error = RegpQuery(Key, Wide, Name, Type, *Data, Bytes);
        if (error != ERROR_SUCCESS)
        {
            AdvFree(*Data);
            *Data = NULL;
        }
    } while (error == ERROR_MORE_DATA);
    return error;
}

/* Puts the expanded text in place of the other. */
static LSTATUS RegpExpand(BOOLEAN Wide, PUCHAR *Data, LPDWORD Bytes)
{
    DWORD unit = Wide ? sizeof(WCHAR) : 1;
    DWORD needed =
        Wide ? ExpandEnvironmentStringsW((PWSTR)*Data, NULL, 0) : ExpandEnvironmentStringsA((PSTR)*Data, NULL, 0);
    PUCHAR expanded = AdvAllocate((SIZE_T)(needed + 1) * unit);

    if (expanded == NULL)
    {
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    needed = Wide ? ExpandEnvironmentStringsW((PWSTR)*Data, (PWSTR)expanded, needed + 1)
                  : ExpandEnvironmentStringsA((PSTR)*Data, (PSTR)expanded, needed + 1);
    AdvFree(*Data);
    *Data = expanded;
    *Bytes = needed * unit;
    return ERROR_SUCCESS;
}

static LSTATUS RegpGive(const VOID *Found, DWORD Bytes, DWORD Flags, PVOID Data, LPDWORD Size)
{
    LSTATUS error = ERROR_SUCCESS;

    if (Data != NULL && *Size < Bytes)
    {
        error = ERROR_MORE_DATA;
        if ((Flags & RRF_ZEROONFAILURE) != 0)
        {
            memset(Data, 0, *Size);
        }
    }
    else if (Data != NULL)
    {
        memcpy(Data, Found, Bytes);
    }
    if (Size != NULL)
    {
        *Size = Bytes;
    }
    return error;
}

static LSTATUS RegpGetValue(HKEY Key, BOOLEAN Wide, const VOID *Name, DWORD Flags, LPDWORD Type, PVOID Data,
                            LPDWORD Size)
{
    PUCHAR found;
    DWORD type = REG_NONE, bytes;
    LSTATUS error;

    if ((Flags & RRF_RT_ANY) == 0 || (Data != NULL && Size == NULL))
    {
        return ERROR_INVALID_PARAMETER;
    }
    error = RegpFetch(Key, Wide, Name, &type, &found, &bytes);
    if (error == ERROR_SUCCESS && (type == REG_SZ || type == REG_EXPAND_SZ || type == REG_MULTI_SZ))
    {
        bytes = RegpTerminate(Wide, type, found, bytes);
    }
    if (error == ERROR_SUCCESS && type == REG_EXPAND_SZ && (Flags & RRF_NOEXPAND) == 0)
    {
        error = RegpExpand(Wide, &found, &bytes);
        type = REG_SZ; /* as it is told, and as which it must be wanted */
    }
    if (error == ERROR_SUCCESS)
    {
        error = RegpTypeFits(Flags, type, bytes) ? RegpGive(found, bytes, Flags, Data, Size) : ERROR_UNSUPPORTED_TYPE;
    }
    if (error == ERROR_SUCCESS && Type != NULL)
    {
        *Type = type;
    }
    AdvFree(found);
    return error;
}

LSTATUS WINAPI RegGetValueW(HKEY hkey, LPCWSTR lpSubKey, LPCWSTR lpValue, DWORD dwFlags, LPDWORD pdwType, PVOID pvData,
                            LPDWORD pcbData)
{
    HKEY key = hkey;
    LSTATUS error = lpSubKey != NULL && lpSubKey[0] != 0 ? RegOpenKeyExW(hkey, lpSubKey, 0, KEY_QUERY_VALUE, &key) : 0;

    if (error == ERROR_SUCCESS)
    {
        error = RegpGetValue(key, TRUE, lpValue, dwFlags, pdwType, pvData, pcbData);
        if (key != hkey)
        {
            RegCloseKey(key);
        }
    }
    return error;
}

LSTATUS WINAPI RegGetValueA(HKEY hkey, LPCSTR lpSubKey, LPCSTR lpValue, DWORD dwFlags, LPDWORD pdwType, PVOID pvData,
                            LPDWORD pcbData)
{
    HKEY key = hkey;
    LSTATUS error = lpSubKey != NULL && lpSubKey[0] != 0 ? RegOpenKeyExA(hkey, lpSubKey, 0, KEY_QUERY_VALUE, &key) : 0;

    if (error == ERROR_SUCCESS)
    {
        error = RegpGetValue(key, FALSE, lpValue, dwFlags, pdwType, pvData, pcbData);
        if (key != hkey)
        {
            RegCloseKey(key);
        }
    }
    return error;
}

LSTATUS WINAPI RegFlushKey(HKEY hKey)
{
    HANDLE handle;
    NTSTATUS status = RegpResolve(hKey, KEY_QUERY_VALUE, &handle);

    if (NT_SUCCESS(status))
    {
        status = NtFlushKey(handle);
        RegpRelease(hKey, handle);
    }
    return NT_SUCCESS(status) ? ERROR_SUCCESS : RegpError(status);
}
