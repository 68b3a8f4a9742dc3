/* SPDX-License-Identifier: MIT */
/* More on files: copies, temporary names, searches, drives, information by class. */
#include "base.h"

#include <winioctl.h>

/* ---- Copies ---- */

static BOOL BaseCopyBytes(HANDLE From, HANDLE To)
{
    const DWORD size = 0x10000;
    PVOID buffer = RtlAllocateHeap(RtlProcessHeap(), 0, size);
    BOOL result = buffer != NULL ? TRUE : BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
    while (result)
    {
        DWORD read = 0;
        DWORD written = 0;
        result = ReadFile(From, buffer, size, &read, NULL);
        if (!result || read == 0)
        {
            break;
        }
        result = WriteFile(To, buffer, read, &written, NULL);
        if (result && written != read)
        {
            result = BaseFailWith(ERROR_DISK_FULL);
        }
    }
    RtlFreeHeap(RtlProcessHeap(), 0, buffer);
    return result;
}

BOOL WINAPI CopyFileW(LPCWSTR lpExistingFileName, LPCWSTR lpNewFileName, BOOL bFailIfExists)
{
    FILE_BASIC_INFORMATION basic;
    IO_STATUS_BLOCK ioStatus;
    HANDLE from = CreateFileW(lpExistingFileName, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                              OPEN_EXISTING, FILE_FLAG_SEQUENTIAL_SCAN, NULL);
    if (from == INVALID_HANDLE_VALUE)
    {
        return FALSE;
    }
    HANDLE to = CreateFileW(lpNewFileName, GENERIC_WRITE | DELETE, 0, NULL,
                            bFailIfExists ? CREATE_NEW : CREATE_ALWAYS, FILE_FLAG_SEQUENTIAL_SCAN, NULL);
    if (to == INVALID_HANDLE_VALUE)
    {
        DWORD error = GetLastError();
        NtClose(from);
        return BaseFailWith(error);
    }
    BOOL result = BaseCopyBytes(from, to);
    DWORD error = GetLastError();
    if (!result)
    {
        FILE_DISPOSITION_INFORMATION disposition = {TRUE};
        NtSetInformationFile(to, &ioStatus, &disposition, sizeof(disposition), FileDispositionInformation);
    }
    else if (NT_SUCCESS(NtQueryInformationFile(from, &ioStatus, &basic, sizeof(basic), FileBasicInformation)))
    {
        /* A copy keeps attributes and the time of the last write. */
        basic.CreationTime.QuadPart = 0;
        basic.LastAccessTime.QuadPart = 0;
        basic.ChangeTime.QuadPart = 0;
        NtSetInformationFile(to, &ioStatus, &basic, sizeof(basic), FileBasicInformation);
    }
    NtClose(to);
    NtClose(from);
    return result ? TRUE : BaseFailWith(error);
}

BOOL WINAPI CopyFileA(LPCSTR lpExistingFileName, LPCSTR lpNewFileName, BOOL bFailIfExists)
{
    BASE_WIDE from = {0};
    BASE_WIDE to = {0};
    BOOL result = BaseWiden(&from, lpExistingFileName) && BaseWiden(&to, lpNewFileName) &&
                  CopyFileW(from.Text, to.Text, bFailIfExists);
    BaseRelease(&from);
    BaseRelease(&to);
    return result;
}

/* ---- Temporary names ---- */

static VOID BaseHex(PWSTR Out, UINT Value)
{
    for (int i = 3; i >= 0; i--, Value >>= 4)
    {
        Out[i] = L"0123456789ABCDEF"[Value & 15];
    }
}

/** "<path>\<3 letters><4 hex digits>.TMP"; with uUnique 0 a name that is free, and the file is made. */
UINT WINAPI GetTempFileNameW(LPCWSTR lpPathName, LPCWSTR lpPrefixString, UINT uUnique, LPWSTR lpTempFileName)
{
    SIZE_T length = BaseLength(lpPathName);
    if (length == 0 || length > MAX_PATH - 14)
    {
        return (UINT)BaseFailWith(ERROR_BUFFER_OVERFLOW);
    }
    DWORD attributes = GetFileAttributesW(lpPathName);
    if (attributes == INVALID_FILE_ATTRIBUTES || !(attributes & FILE_ATTRIBUTE_DIRECTORY))
    {
        return (UINT)BaseFailWith(ERROR_DIRECTORY);
    }
    memcpy(lpTempFileName, lpPathName, length * sizeof(WCHAR));
    if (lpTempFileName[length - 1] != L'\\')
    {
        lpTempFileName[length++] = L'\\';
    }
    for (ULONG i = 0; i < 3 && lpPrefixString != NULL && lpPrefixString[i] != 0; i++)
    {
        lpTempFileName[length++] = lpPrefixString[i];
    }
    memcpy(lpTempFileName + length + 4, L".TMP", 5 * sizeof(WCHAR));
    if ((uUnique & 0xFFFF) != 0)
    {
        BaseHex(lpTempFileName + length, uUnique);
        return uUnique & 0xFFFF;
    }
    UINT number = GetTickCount() & 0xFFFF;
    for (ULONG tries = 0; tries < 0xFFFF; tries++, number = (number + 1) & 0xFFFF)
    {
        number += number == 0;
        BaseHex(lpTempFileName + length, number);
        HANDLE file = CreateFileW(lpTempFileName, GENERIC_READ, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
        if (file != INVALID_HANDLE_VALUE)
        {
            NtClose(file);
            return number;
        }
        if (GetLastError() != ERROR_FILE_EXISTS && GetLastError() != ERROR_SHARING_VIOLATION)
        {
            return 0;
        }
    }
    return (UINT)BaseFailWith(ERROR_FILE_EXISTS);
}

UINT WINAPI GetTempFileNameA(LPCSTR lpPathName, LPCSTR lpPrefixString, UINT uUnique, LPSTR lpTempFileName)
{
    BASE_WIDE path = {0};
    BASE_WIDE prefix = {0};
    WCHAR name[MAX_PATH + 1];
    UINT result = 0;
    if (BaseWiden(&path, lpPathName) && BaseWiden(&prefix, lpPrefixString))
    {
        result = GetTempFileNameW(path.Text, prefix.Text, uUnique, name);
        if (result != 0 && BaseNarrow(name, BaseLength(name), lpTempFileName, MAX_PATH) >= MAX_PATH)
        {
            result = (UINT)BaseFailWith(ERROR_BUFFER_OVERFLOW);
        }
    }
    BaseRelease(&path);
    BaseRelease(&prefix);
    return result;
}

/* ---- Searches ---- */

/** Looks in lpPath, or where programs are looked for: program's directory, current one, System32, Windows, PATH. */
DWORD WINAPI SearchPathW(LPCWSTR lpPath, LPCWSTR lpFileName, LPCWSTR lpExtension, DWORD nBufferLength,
                         LPWSTR lpBuffer, LPWSTR *lpFilePart)
{
    PWSTR own = NULL;
    if (lpFileName == NULL || *lpFileName == 0)
    {
        return (DWORD)BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    if (lpPath == NULL)
    {
        own = BaseProgramPath();
        lpPath = own;
        if (own == NULL)
        {
            return (DWORD)BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
        }
    }
    ULONG bytes = nBufferLength < 0x3FFFFFFF ? nBufferLength * sizeof(WCHAR) : 0x7FFFFFFE;
    bytes = RtlDosSearchPath_U(lpPath, lpFileName, lpExtension, bytes, lpBuffer, lpFilePart);
    RtlFreeHeap(RtlProcessHeap(), 0, own);
    return bytes != 0 ? bytes / sizeof(WCHAR) : (DWORD)BaseFailWith(ERROR_FILE_NOT_FOUND);
}

/* ---- Drives ---- */

/** A bit for each letter that \?? knows. */
DWORD WINAPI GetLogicalDrives(VOID)
{
    DWORD drives = 0;
    for (WCHAR letter = L'A'; letter <= L'Z'; letter++)
    {
        WCHAR device[3] = {letter, L':', 0};
        WCHAR target[128];
        if (QueryDosDeviceW(device, target, ARRAYSIZE(target)) != 0)
        {
            drives |= 1u << (letter - L'A');
        }
    }
    return drives;
}

static HANDLE BaseOpenDirectory(PCWSTR Path)
{
    return CreateFileW(Path != NULL ? Path : L"\\", FILE_READ_ATTRIBUTES,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

UINT WINAPI GetDriveTypeW(LPCWSTR lpRootPathName)
{
    HANDLE root = BaseOpenDirectory(lpRootPathName);
    if (root == INVALID_HANDLE_VALUE)
    {
        return DRIVE_NO_ROOT_DIR;
    }
    FILE_FS_DEVICE_INFORMATION device;
    IO_STATUS_BLOCK ioStatus;
    NTSTATUS status = NtQueryVolumeInformationFile(root, &ioStatus, &device, sizeof(device), FileFsDeviceInformation);
    NtClose(root);
    if (!NT_SUCCESS(status))
    {
        return DRIVE_UNKNOWN;
    }
    switch (device.DeviceType)
    {
    case FILE_DEVICE_VIRTUAL_DISK:
        return DRIVE_RAMDISK;
    case FILE_DEVICE_CD_ROM:
    case FILE_DEVICE_CD_ROM_FILE_SYSTEM:
        return DRIVE_CDROM;
    case FILE_DEVICE_DISK:
    case FILE_DEVICE_DISK_FILE_SYSTEM:
        return DRIVE_FIXED;
    default:
        return DRIVE_UNKNOWN;
    }
}

UINT WINAPI GetDriveTypeA(LPCSTR lpRootPathName)
{
    BASE_WIDE path;
    UINT type = BaseWiden(&path, lpRootPathName) ? GetDriveTypeW(path.Text) : DRIVE_UNKNOWN;
    BaseRelease(&path);
    return type;
}

BOOL WINAPI GetDiskFreeSpaceExW(LPCWSTR lpDirectoryName, PULARGE_INTEGER lpFreeBytesAvailableToCaller,
                                PULARGE_INTEGER lpTotalNumberOfBytes, PULARGE_INTEGER lpTotalNumberOfFreeBytes)
{
    HANDLE directory = BaseOpenDirectory(lpDirectoryName);
    if (directory == INVALID_HANDLE_VALUE)
    {
        return FALSE;
    }
    FILE_FS_SIZE_INFORMATION size;
    IO_STATUS_BLOCK ioStatus;
    NTSTATUS status = NtQueryVolumeInformationFile(directory, &ioStatus, &size, sizeof(size), FileFsSizeInformation);
    NtClose(directory);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    ULONG64 unit = (ULONG64)size.SectorsPerAllocationUnit * size.BytesPerSector;
    ULONG64 free = (ULONG64)size.AvailableAllocationUnits.QuadPart * unit;
    if (lpFreeBytesAvailableToCaller != NULL)
    {
        lpFreeBytesAvailableToCaller->QuadPart = free;
    }
    if (lpTotalNumberOfBytes != NULL)
    {
        lpTotalNumberOfBytes->QuadPart = (ULONG64)size.TotalAllocationUnits.QuadPart * unit;
    }
    if (lpTotalNumberOfFreeBytes != NULL)
    {
        lpTotalNumberOfFreeBytes->QuadPart = free;
    }
    return TRUE;
}

/* ---- Information by class: the classes whose structures are the native ones ---- */

BOOL WINAPI GetFileInformationByHandleEx(HANDLE hFile, FILE_INFO_BY_HANDLE_CLASS FileInformationClass,
                                         LPVOID lpFileInformation, DWORD dwBufferSize)
{
    IO_STATUS_BLOCK ioStatus;
    FILE_INFORMATION_CLASS native;
    switch (FileInformationClass)
    {
    case FileBasicInfo:
        native = FileBasicInformation;
        break;
    case FileStandardInfo:
        native = FileStandardInformation;
        break;
    case FileNameInfo:
        native = FileNameInformation;
        break;
    default:
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    NTSTATUS status = NtQueryInformationFile(hFile, &ioStatus, lpFileInformation, dwBufferSize, native);
    return status == STATUS_INFO_LENGTH_MISMATCH ? BaseFailWith(ERROR_BAD_LENGTH) : BaseResult(status);
}

BOOL WINAPI SetFileInformationByHandle(HANDLE hFile, FILE_INFO_BY_HANDLE_CLASS FileInformationClass,
                                       LPVOID lpFileInformation, DWORD dwBufferSize)
{
    IO_STATUS_BLOCK ioStatus;
    FILE_INFORMATION_CLASS native;
    switch (FileInformationClass)
    {
    case FileBasicInfo:
        native = FileBasicInformation;
        break;
    case FileDispositionInfo:
        native = FileDispositionInformation;
        break;
    case FileAllocationInfo:
        native = FileAllocationInformation;
        break;
    case FileEndOfFileInfo:
        native = FileEndOfFileInformation;
        break;
    default:
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    NTSTATUS status = NtSetInformationFile(hFile, &ioStatus, lpFileInformation, dwBufferSize, native);
    return status == STATUS_INFO_LENGTH_MISMATCH ? BaseFailWith(ERROR_BAD_LENGTH) : BaseResult(status);
}
