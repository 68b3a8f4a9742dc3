/* SPDX-License-Identifier: MIT */
/* Opening files and devices; position, size, attributes of open ones. */
#include "base.h"

#include <winioctl.h>

#ifndef FILE_DEVICE_CONSOLE
#define FILE_DEVICE_CONSOLE 0x50
#endif

#define BASE_FILE_ATTRIBUTES 0x7FA7u /* what a new file may be given: all attributes but "directory" */

static NTSTATUS BaseNtPath(PCWSTR Name, PUNICODE_STRING NtName)
{
    static const struct
    {
        PCWSTR Name;
        PCWSTR Device;
    } consoles[] = {
        {L"CONIN$", L"\\Device\\ConDrv\\Input"},
        {L"CONOUT$", L"\\Device\\ConDrv\\Output"},
    };
    for (ULONG i = 0; i < ARRAYSIZE(consoles); i++)
    {
        UNICODE_STRING given;
        UNICODE_STRING console;
        BaseInitString(&console, consoles[i].Name);
        if (BaseInitString(&given, Name) && RtlEqualUnicodeString(&given, &console, TRUE))
        {
            SIZE_T bytes = (BaseLength(consoles[i].Device) + 1) * sizeof(WCHAR);
            NtName->Buffer = RtlAllocateHeap(RtlProcessHeap(), 0, bytes);
            if (NtName->Buffer == NULL)
            {
                return STATUS_NO_MEMORY;
            }
            memcpy(NtName->Buffer, consoles[i].Device, bytes);
            NtName->Length = (USHORT)(bytes - sizeof(WCHAR));
            NtName->MaximumLength = (USHORT)bytes;
            return STATUS_SUCCESS;
        }
    }
    return RtlDosPathNameToNtPathName_U_WithStatus(Name, NtName, NULL, NULL);
}

static BOOL BaseDisposition(DWORD Win32, DWORD Access, PULONG Native)
{
    switch (Win32)
    {
    case CREATE_NEW:
        *Native = FILE_CREATE;
        return TRUE;
    case CREATE_ALWAYS:
        *Native = FILE_OVERWRITE_IF;
        return TRUE;
    case OPEN_EXISTING:
        *Native = FILE_OPEN;
        return TRUE;
    case OPEN_ALWAYS:
        *Native = FILE_OPEN_IF;
        return TRUE;
    case TRUNCATE_EXISTING:
        *Native = FILE_OVERWRITE;
        return (Access & (GENERIC_WRITE | FILE_WRITE_DATA | GENERIC_ALL)) != 0;
    default:
        return FALSE;
    }
}

static ULONG BaseCreateOptions(DWORD Flags, PDWORD Access)
{
    static const struct
    {
        DWORD Flag;
        ULONG Option;
    } map[] = {
        {FILE_FLAG_WRITE_THROUGH, FILE_WRITE_THROUGH},
        {FILE_FLAG_NO_BUFFERING, FILE_NO_INTERMEDIATE_BUFFERING},
        {FILE_FLAG_RANDOM_ACCESS, FILE_RANDOM_ACCESS},
        {FILE_FLAG_SEQUENTIAL_SCAN, FILE_SEQUENTIAL_ONLY},
        {FILE_FLAG_DELETE_ON_CLOSE, FILE_DELETE_ON_CLOSE},
        {FILE_FLAG_BACKUP_SEMANTICS, FILE_OPEN_FOR_BACKUP_INTENT},
        {FILE_FLAG_OPEN_REPARSE_POINT, FILE_OPEN_REPARSE_POINT},
        {FILE_FLAG_OPEN_NO_RECALL, FILE_OPEN_NO_RECALL},
    };
    ULONG options = 0;
    for (ULONG i = 0; i < ARRAYSIZE(map); i++)
    {
        options |= (Flags & map[i].Flag) ? map[i].Option : 0;
    }
    if (!(Flags & FILE_FLAG_OVERLAPPED))
    {
        options |= FILE_SYNCHRONOUS_IO_NONALERT;
    }
    if (!(Flags & FILE_FLAG_BACKUP_SEMANTICS))
    {
        options |= FILE_NON_DIRECTORY_FILE;
    }
    if (Flags & FILE_FLAG_DELETE_ON_CLOSE)
    {
        *Access |= DELETE;
    }
    *Access |= SYNCHRONIZE | FILE_READ_ATTRIBUTES;
    return options;
}

/* The last errors that CreateFile gives and the general translation does not. */
static VOID BaseSetOpenError(NTSTATUS Status, DWORD Disposition)
{
    BaseFail(Status);
    if (Status == STATUS_OBJECT_NAME_COLLISION && Disposition == CREATE_NEW)
    {
        RtlSetLastWin32Error(ERROR_FILE_EXISTS);
    }
    else if (Status == STATUS_FILE_IS_A_DIRECTORY)
    {
        RtlSetLastWin32Error(ERROR_ACCESS_DENIED);
    }
}

HANDLE WINAPI CreateFileW(LPCWSTR lpFileName, DWORD dwDesiredAccess, DWORD dwShareMode,
                          LPSECURITY_ATTRIBUTES lpSecurityAttributes, DWORD dwCreationDisposition,
                          DWORD dwFlagsAndAttributes, HANDLE hTemplateFile)
{
    UNREFERENCED_PARAMETER(hTemplateFile); /* supplies extended attributes, which the machine's files don't have */
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK ioStatus;
    SECURITY_QUALITY_OF_SERVICE quality;
    HANDLE handle;
    ULONG disposition;

    if (lpFileName == NULL || *lpFileName == 0)
    {
        RtlSetLastWin32Error(ERROR_PATH_NOT_FOUND);
        return INVALID_HANDLE_VALUE;
    }
    if (!BaseDisposition(dwCreationDisposition, dwDesiredAccess, &disposition))
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return INVALID_HANDLE_VALUE;
    }
    NTSTATUS status = BaseNtPath(lpFileName, &name);
    if (!NT_SUCCESS(status))
    {
        BaseFail(status == STATUS_OBJECT_NAME_INVALID ? STATUS_OBJECT_PATH_NOT_FOUND : status);
        return INVALID_HANDLE_VALUE;
    }
    ULONG options = BaseCreateOptions(dwFlagsAndAttributes, &dwDesiredAccess);
    InitializeObjectAttributes(&attributes, &name,
                               (dwFlagsAndAttributes & FILE_FLAG_POSIX_SEMANTICS) ? 0 : OBJ_CASE_INSENSITIVE, NULL,
                               NULL);
    if (lpSecurityAttributes != NULL)
    {
        attributes.SecurityDescriptor = lpSecurityAttributes->lpSecurityDescriptor;
        attributes.Attributes |= lpSecurityAttributes->bInheritHandle ? OBJ_INHERIT : 0;
    }
    if (dwFlagsAndAttributes & SECURITY_SQOS_PRESENT)
    {
        quality.Length = sizeof(quality);
        quality.ImpersonationLevel = (SECURITY_IMPERSONATION_LEVEL)((dwFlagsAndAttributes >> 16) & 3);
        quality.ContextTrackingMode = (dwFlagsAndAttributes & SECURITY_CONTEXT_TRACKING) != 0;
        quality.EffectiveOnly = (dwFlagsAndAttributes & SECURITY_EFFECTIVE_ONLY) != 0;
        attributes.SecurityQualityOfService = &quality;
    }
    status = NtCreateFile(&handle, dwDesiredAccess, &attributes, &ioStatus, NULL,
                          dwFlagsAndAttributes & BASE_FILE_ATTRIBUTES, dwShareMode,
                          disposition, options, NULL, 0);
    RtlFreeUnicodeString(&name);
    if (!NT_SUCCESS(status))
    {
        BaseSetOpenError(status, dwCreationDisposition);
        return INVALID_HANDLE_VALUE;
    }
    BOOL existed = (dwCreationDisposition == CREATE_ALWAYS && ioStatus.Information == FILE_OVERWRITTEN) ||
                   (dwCreationDisposition == OPEN_ALWAYS && ioStatus.Information == FILE_OPENED);
    RtlSetLastWin32Error(existed ? ERROR_ALREADY_EXISTS : ERROR_SUCCESS);
    return handle;
}

HANDLE WINAPI CreateFileA(LPCSTR lpFileName, DWORD dwDesiredAccess, DWORD dwShareMode,
                          LPSECURITY_ATTRIBUTES lpSecurityAttributes, DWORD dwCreationDisposition,
                          DWORD dwFlagsAndAttributes, HANDLE hTemplateFile)
{
    BASE_WIDE name;
    HANDLE handle = INVALID_HANDLE_VALUE;
    if (BaseWiden(&name, lpFileName))
    {
        handle = CreateFileW(name.Text, dwDesiredAccess, dwShareMode, lpSecurityAttributes, dwCreationDisposition,
                             dwFlagsAndAttributes, hTemplateFile);
    }
    BaseRelease(&name);
    return handle;
}

/* ---- Position and size ---- */

BOOL WINAPI GetFileSizeEx(HANDLE hFile, PLARGE_INTEGER lpFileSize)
{
    FILE_STANDARD_INFORMATION standard;
    IO_STATUS_BLOCK ioStatus;
    NTSTATUS status = NtQueryInformationFile(BaseHandle(hFile), &ioStatus, &standard, sizeof(standard),
                                             FileStandardInformation);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    *lpFileSize = standard.EndOfFile;
    return TRUE;
}

DWORD WINAPI GetFileSize(HANDLE hFile, LPDWORD lpFileSizeHigh)
{
    LARGE_INTEGER size;
    if (!GetFileSizeEx(hFile, &size))
    {
        return INVALID_FILE_SIZE;
    }
    if (lpFileSizeHigh != NULL)
    {
        *lpFileSizeHigh = (DWORD)size.HighPart;
    }
    if (size.LowPart == INVALID_FILE_SIZE)
    {
        RtlSetLastWin32Error(ERROR_SUCCESS);
    }
    return size.LowPart;
}

static BOOL BaseGetPosition(HANDLE File, PLARGE_INTEGER Position)
{
    FILE_POSITION_INFORMATION information;
    IO_STATUS_BLOCK ioStatus;
    NTSTATUS status = NtQueryInformationFile(File, &ioStatus, &information, sizeof(information),
                                             FilePositionInformation);
    *Position = information.CurrentByteOffset;
    return BaseResult(status);
}

BOOL WINAPI SetFilePointerEx(HANDLE hFile, LARGE_INTEGER liDistanceToMove, PLARGE_INTEGER lpNewFilePointer,
                             DWORD dwMoveMethod)
{
    FILE_POSITION_INFORMATION information;
    IO_STATUS_BLOCK ioStatus;
    LARGE_INTEGER base = {.QuadPart = 0};
    HANDLE file = BaseHandle(hFile);

    if (dwMoveMethod > FILE_END)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    if ((dwMoveMethod == FILE_CURRENT && !BaseGetPosition(file, &base)) ||
        (dwMoveMethod == FILE_END && !GetFileSizeEx(file, &base)))
    {
        return FALSE;
    }
    LONG64 position;
    if (__builtin_add_overflow(base.QuadPart, liDistanceToMove.QuadPart, &position) || position < 0)
    {
        return BaseFailWith(ERROR_NEGATIVE_SEEK);
    }
    information.CurrentByteOffset.QuadPart = position;
    NTSTATUS status = NtSetInformationFile(file, &ioStatus, &information, sizeof(information),
                                           FilePositionInformation);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    if (lpNewFilePointer != NULL)
    {
        lpNewFilePointer->QuadPart = position;
    }
    return TRUE;
}

DWORD WINAPI SetFilePointer(HANDLE hFile, LONG lDistanceToMove, PLONG lpDistanceToMoveHigh, DWORD dwMoveMethod)
{
    LARGE_INTEGER distance = {.QuadPart = lDistanceToMove};
    LARGE_INTEGER position;
    if (lpDistanceToMoveHigh != NULL)
    {
        distance.LowPart = (DWORD)lDistanceToMove;
        distance.HighPart = *lpDistanceToMoveHigh;
    }
    if (!SetFilePointerEx(hFile, distance, &position, dwMoveMethod))
    {
        return INVALID_SET_FILE_POINTER;
    }
    if (lpDistanceToMoveHigh != NULL)
    {
        *lpDistanceToMoveHigh = position.HighPart;
    }
    else if (position.HighPart != 0)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return INVALID_SET_FILE_POINTER;
    }
    if (position.LowPart == INVALID_SET_FILE_POINTER)
    {
        RtlSetLastWin32Error(ERROR_SUCCESS);
    }
    return position.LowPart;
}

BOOL WINAPI SetEndOfFile(HANDLE hFile)
{
    FILE_END_OF_FILE_INFORMATION end;
    FILE_ALLOCATION_INFORMATION allocation;
    IO_STATUS_BLOCK ioStatus;
    HANDLE file = BaseHandle(hFile);
    if (!BaseGetPosition(file, &end.EndOfFile))
    {
        return FALSE;
    }
    NTSTATUS status = NtSetInformationFile(file, &ioStatus, &end, sizeof(end), FileEndOfFileInformation);
    if (NT_SUCCESS(status))
    {
        allocation.AllocationSize = end.EndOfFile;
        status = NtSetInformationFile(file, &ioStatus, &allocation, sizeof(allocation), FileAllocationInformation);
    }
    return BaseResult(status);
}

BOOL WINAPI FlushFileBuffers(HANDLE hFile)
{
    IO_STATUS_BLOCK ioStatus;
    return BaseResult(NtFlushBuffersFile(BaseHandle(hFile), &ioStatus));
}

/* ---- What a handle is ---- */

DWORD WINAPI GetFileType(HANDLE hFile)
{
    RtlSetLastWin32Error(ERROR_SUCCESS);
    switch (BaseDeviceType(hFile))
    {
    case 0:
        return FILE_TYPE_UNKNOWN;
    case FILE_DEVICE_DISK:
    case FILE_DEVICE_DISK_FILE_SYSTEM:
    case FILE_DEVICE_CD_ROM:
    case FILE_DEVICE_CD_ROM_FILE_SYSTEM:
    case FILE_DEVICE_FILE_SYSTEM:
    case FILE_DEVICE_VIRTUAL_DISK:
    case FILE_DEVICE_CONTROLLER:
    case FILE_DEVICE_DATALINK:
    case FILE_DEVICE_DFS:
        return FILE_TYPE_DISK;
    case FILE_DEVICE_NAMED_PIPE:
        return FILE_TYPE_PIPE;
    case FILE_DEVICE_CONSOLE:
    case FILE_DEVICE_KEYBOARD:
    case FILE_DEVICE_MOUSE:
    case FILE_DEVICE_NULL:
    case FILE_DEVICE_PARALLEL_PORT:
    case FILE_DEVICE_PRINTER:
    case FILE_DEVICE_SERIAL_PORT:
    case FILE_DEVICE_SCREEN:
    case FILE_DEVICE_SOUND:
    case FILE_DEVICE_MODEM:
        return FILE_TYPE_CHAR;
    default:
        return FILE_TYPE_UNKNOWN;
    }
}

BOOL WINAPI GetFileInformationByHandle(HANDLE hFile, LPBY_HANDLE_FILE_INFORMATION lpFileInformation)
{
    FILE_BASIC_INFORMATION basic;
    FILE_STANDARD_INFORMATION standard;
    FILE_INTERNAL_INFORMATION internal;
    IO_STATUS_BLOCK ioStatus;
    HANDLE file = BaseHandle(hFile);
    NTSTATUS status = NtQueryInformationFile(file, &ioStatus, &basic, sizeof(basic), FileBasicInformation);
    if (NT_SUCCESS(status))
    {
        status = NtQueryInformationFile(file, &ioStatus, &standard, sizeof(standard), FileStandardInformation);
    }
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    /* Not every file system numbers its files and volumes; these fields are 0 then, as on Windows. */
    if (!NT_SUCCESS(NtQueryInformationFile(file, &ioStatus, &internal, sizeof(internal), FileInternalInformation)))
    {
        internal.IndexNumber.QuadPart = 0;
    }
    union
    {
        FILE_FS_VOLUME_INFORMATION Volume;
        UCHAR Room[sizeof(FILE_FS_VOLUME_INFORMATION) + 64];
    } volume = {0};
    status = NtQueryVolumeInformationFile(file, &ioStatus, &volume, sizeof(volume), FileFsVolumeInformation);
    ULONG serial = NT_ERROR(status) ? 0 : volume.Volume.VolumeSerialNumber;

    lpFileInformation->dwFileAttributes = basic.FileAttributes;
    memcpy(&lpFileInformation->ftCreationTime, &basic.CreationTime, sizeof(FILETIME));
    memcpy(&lpFileInformation->ftLastAccessTime, &basic.LastAccessTime, sizeof(FILETIME));
    memcpy(&lpFileInformation->ftLastWriteTime, &basic.LastWriteTime, sizeof(FILETIME));
    lpFileInformation->dwVolumeSerialNumber = serial;
    lpFileInformation->nFileSizeHigh = (DWORD)standard.EndOfFile.HighPart;
    lpFileInformation->nFileSizeLow = standard.EndOfFile.LowPart;
    lpFileInformation->nNumberOfLinks = standard.NumberOfLinks;
    lpFileInformation->nFileIndexHigh = (DWORD)internal.IndexNumber.HighPart;
    lpFileInformation->nFileIndexLow = internal.IndexNumber.LowPart;
    return TRUE;
}

BOOL WINAPI GetFileTime(HANDLE hFile, LPFILETIME lpCreationTime, LPFILETIME lpLastAccessTime,
                        LPFILETIME lpLastWriteTime)
{
    FILE_BASIC_INFORMATION basic;
    IO_STATUS_BLOCK ioStatus;
    NTSTATUS status = NtQueryInformationFile(BaseHandle(hFile), &ioStatus, &basic, sizeof(basic),
                                             FileBasicInformation);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    if (lpCreationTime != NULL)
    {
        memcpy(lpCreationTime, &basic.CreationTime, sizeof(FILETIME));
    }
    if (lpLastAccessTime != NULL)
    {
        memcpy(lpLastAccessTime, &basic.LastAccessTime, sizeof(FILETIME));
    }
    if (lpLastWriteTime != NULL)
    {
        memcpy(lpLastWriteTime, &basic.LastWriteTime, sizeof(FILETIME));
    }
    return TRUE;
}

BOOL WINAPI SetFileTime(HANDLE hFile, const FILETIME *lpCreationTime, const FILETIME *lpLastAccessTime,
                        const FILETIME *lpLastWriteTime)
{
    FILE_BASIC_INFORMATION basic = {0}; /* zeroes mean "leave as it is" */
    IO_STATUS_BLOCK ioStatus;
    if (lpCreationTime != NULL)
    {
        memcpy(&basic.CreationTime, lpCreationTime, sizeof(FILETIME));
    }
    if (lpLastAccessTime != NULL)
    {
        memcpy(&basic.LastAccessTime, lpLastAccessTime, sizeof(FILETIME));
    }
    if (lpLastWriteTime != NULL)
    {
        memcpy(&basic.LastWriteTime, lpLastWriteTime, sizeof(FILETIME));
    }
    return BaseResult(NtSetInformationFile(BaseHandle(hFile), &ioStatus, &basic, sizeof(basic),
                                           FileBasicInformation));
}
