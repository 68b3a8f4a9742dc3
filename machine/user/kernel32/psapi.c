/* SPDX-License-Identifier: MIT */
/* Lists of processes and of loaded drivers, as psapi.dll gives them. */
#include "base.h"
#include "ntsysinfo.h"

#define BASE_SYSTEM_MODULES 11     /* SystemModuleInformation */

/* RTL_PROCESS_MODULE_INFORMATION */
typedef struct _BASE_DRIVER
{
    PVOID Reserved[2];
    PVOID ImageBase;
    ULONG ImageSize, Flags;
    USHORT Order[2], LoadCount;
    USHORT OffsetToFileName;
    CHAR FullPathName[256];
} BASE_DRIVER;

typedef struct _BASE_DRIVERS
{
    ULONG Count;
    BASE_DRIVER Drivers[];
} BASE_DRIVERS;

/* A class that says how much room it needs, in a heap block; NULL with the last error set. */
static PVOID BaseQuerySystem(SYSTEM_INFORMATION_CLASS Class)
{
    ULONG room = 0x4000;
    NTSTATUS status;

    do
    {
        ULONG needed = 0;
        PVOID answer = RtlAllocateHeap(NtCurrentPeb()->ProcessHeap, 0, room);

        if (answer == NULL)
        {
            BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
            return NULL;
        }
        status = NtQuerySystemInformation(Class, answer, room, &needed);
        if (NT_SUCCESS(status))
        {
            return answer;
        }
        RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, answer);
        room = needed + 0x1000; /* more may have come meanwhile */
    } while (status == STATUS_INFO_LENGTH_MISMATCH);
    BaseFail(status);
    return NULL;
}

/* As many as fit; cbNeeded tells what was stored, not what there is. */
BOOL WINAPI K32EnumProcesses(DWORD *lpidProcess, DWORD cb, LPDWORD lpcbNeeded)
{
    PVOID list = BaseQuerySystem(NT_SYSTEM_PROCESS_INFORMATION);
    DWORD count = 0;

    if (list == NULL)
    {
        return FALSE;
    }
    for (NT_SYSTEM_PROCESS *process = list; count < cb / sizeof(DWORD);)
    {
        lpidProcess[count++] = (DWORD)(ULONG_PTR)process->UniqueProcessId;
        if (process->NextEntryOffset == 0)
        {
            break;
        }
        process = (NT_SYSTEM_PROCESS *)((PUCHAR)process + process->NextEntryOffset);
    }
    *lpcbNeeded = count * sizeof(DWORD);
    RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, list);
    return TRUE;
}

/* The kernel comes first. cbNeeded tells what there is. */
BOOL WINAPI K32EnumDeviceDrivers(LPVOID *lpImageBase, DWORD cb, LPDWORD lpcbNeeded)
{
    BASE_DRIVERS *list = BaseQuerySystem(BASE_SYSTEM_MODULES);

    if (list == NULL)
    {
        return FALSE;
    }
    for (ULONG i = 0; i < list->Count && i < cb / sizeof(PVOID); i++)
    {
        lpImageBase[i] = list->Drivers[i].ImageBase;
    }
    *lpcbNeeded = list->Count * sizeof(PVOID);
    RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, list);
    return TRUE;
}

/* The driver's path, or its last part; what does not fit is cut. Returns the characters stored, 0 with the last error
 * set. */
static DWORD BaseDriverName(LPVOID Base, BOOLEAN Whole, PSTR Target, DWORD Room)
{
    BASE_DRIVERS *list = BaseQuerySystem(BASE_SYSTEM_MODULES);
    DWORD length = 0;

    if (list == NULL || Room == 0)
    {
        RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, list);
        return list == NULL ? 0 : (DWORD)BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    BaseFailWith(ERROR_INVALID_HANDLE);
    for (ULONG i = 0; i < list->Count && length == 0 && Base != NULL; i++)
    {
        if (list->Drivers[i].ImageBase == Base)
        {
            PCSTR name = list->Drivers[i].FullPathName + (Whole ? 0 : list->Drivers[i].OffsetToFileName);
            length = (DWORD)min(BaseLengthA(name), Room - 1);
            memcpy(Target, name, length);
            Target[length] = 0;
        }
    }
    RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, list);
    return length;
}

DWORD WINAPI K32GetDeviceDriverBaseNameA(LPVOID ImageBase, LPSTR lpFilename, DWORD nSize)
{
    return BaseDriverName(ImageBase, FALSE, lpFilename, nSize);
}

DWORD WINAPI K32GetDeviceDriverFileNameA(LPVOID ImageBase, LPSTR lpFilename, DWORD nSize)
{
    return BaseDriverName(ImageBase, TRUE, lpFilename, nSize);
}

static DWORD BaseDriverNameWide(LPVOID Base, BOOLEAN Whole, PWSTR Target, DWORD Room)
{
    CHAR name[256];
    DWORD length = min(BaseDriverName(Base, Whole, name, sizeof(name)), Room == 0 ? 0 : Room - 1);

    for (DWORD i = 0; i < length; i++)
    {
        Target[i] = (UCHAR)name[i]; /* names of drivers are ASCII in this list */
    }
    if (length != 0)
    {
        Target[length] = 0;
    }
    return length;
}

DWORD WINAPI K32GetDeviceDriverBaseNameW(LPVOID ImageBase, LPWSTR lpBaseName, DWORD nSize)
{
    return BaseDriverNameWide(ImageBase, FALSE, lpBaseName, nSize);
}

DWORD WINAPI K32GetDeviceDriverFileNameW(LPVOID ImageBase, LPWSTR lpFilename, DWORD nSize)
{
    return BaseDriverNameWide(ImageBase, TRUE, lpFilename, nSize);
}
