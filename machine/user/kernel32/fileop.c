/* SPDX-License-Identifier: MIT */
/* Files by name: attributes, directories, deletion, renaming, searches. */
#include "base.h"

/* ---- Opening for one operation ---- */

static NTSTATUS BaseOpen(PCWSTR Name, ACCESS_MASK Access, ULONG Options, PHANDLE Handle)
{
    UNICODE_STRING ntName;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK ioStatus;
    NTSTATUS status = RtlDosPathNameToNtPathName_U_WithStatus(Name, &ntName, NULL, NULL);
    if (!NT_SUCCESS(status))
    {
        return status == STATUS_OBJECT_NAME_INVALID ? STATUS_OBJECT_PATH_NOT_FOUND : status;
    }
    InitializeObjectAttributes(&attributes, &ntName, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = NtOpenFile(Handle, Access | SYNCHRONIZE, &attributes, &ioStatus,
                        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        Options | FILE_SYNCHRONOUS_IO_NONALERT);
    RtlFreeUnicodeString(&ntName);
    return status;
}

static NTSTATUS BaseQueryByName(PCWSTR Name, PFILE_NETWORK_OPEN_INFORMATION Information)
{
    UNICODE_STRING ntName;
    OBJECT_ATTRIBUTES attributes;
    NTSTATUS status = RtlDosPathNameToNtPathName_U_WithStatus(Name, &ntName, NULL, NULL);
    if (!NT_SUCCESS(status))
    {
        return status == STATUS_OBJECT_NAME_INVALID ? STATUS_OBJECT_PATH_NOT_FOUND : status;
    }
    InitializeObjectAttributes(&attributes, &ntName, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = NtQueryFullAttributesFile(&attributes, Information);
    RtlFreeUnicodeString(&ntName);
    return status;
}

/* ---- Attributes ---- */

DWORD WINAPI GetFileAttributesW(LPCWSTR lpFileName)
{
    FILE_NETWORK_OPEN_INFORMATION information;
    NTSTATUS status = BaseQueryByName(lpFileName, &information);
    if (!NT_SUCCESS(status))
    {
        BaseFail(status);
        return INVALID_FILE_ATTRIBUTES;
    }
    return information.FileAttributes;
}

DWORD WINAPI GetFileAttributesA(LPCSTR lpFileName)
{
    BASE_WIDE name;
    DWORD attributes = INVALID_FILE_ATTRIBUTES;
    if (BaseWiden(&name, lpFileName))
    {
        attributes = GetFileAttributesW(name.Text);
    }
    BaseRelease(&name);
    return attributes;
}

BOOL WINAPI GetFileAttributesExW(LPCWSTR lpFileName, GET_FILEEX_INFO_LEVELS fInfoLevelId, LPVOID lpFileInformation)
{
    FILE_NETWORK_OPEN_INFORMATION information;
    LPWIN32_FILE_ATTRIBUTE_DATA data = lpFileInformation;
    if (fInfoLevelId != GetFileExInfoStandard)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    NTSTATUS status = BaseQueryByName(lpFileName, &information);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    data->dwFileAttributes = information.FileAttributes;
    memcpy(&data->ftCreationTime, &information.CreationTime, sizeof(FILETIME));
    memcpy(&data->ftLastAccessTime, &information.LastAccessTime, sizeof(FILETIME));
    memcpy(&data->ftLastWriteTime, &information.LastWriteTime, sizeof(FILETIME));
    data->nFileSizeHigh = (DWORD)information.EndOfFile.HighPart;
    data->nFileSizeLow = information.EndOfFile.LowPart;
    return TRUE;
}

BOOL WINAPI GetFileAttributesExA(LPCSTR lpFileName, GET_FILEEX_INFO_LEVELS fInfoLevelId, LPVOID lpFileInformation)
{
    BASE_WIDE name;
    BOOL result = BaseWiden(&name, lpFileName) && GetFileAttributesExW(name.Text, fInfoLevelId, lpFileInformation);
    BaseRelease(&name);
    return result;
}

BOOL WINAPI SetFileAttributesW(LPCWSTR lpFileName, DWORD dwFileAttributes)
{
    FILE_BASIC_INFORMATION basic = {0};
    IO_STATUS_BLOCK ioStatus;
    HANDLE handle;
    NTSTATUS status = BaseOpen(lpFileName, FILE_WRITE_ATTRIBUTES, FILE_OPEN_FOR_BACKUP_INTENT, &handle);
    if (NT_SUCCESS(status))
    {
        basic.FileAttributes = dwFileAttributes | FILE_ATTRIBUTE_NORMAL;
        status = NtSetInformationFile(handle, &ioStatus, &basic, sizeof(basic), FileBasicInformation);
        NtClose(handle);
    }
    return BaseResult(status);
}

BOOL WINAPI SetFileAttributesA(LPCSTR lpFileName, DWORD dwFileAttributes)
{
    BASE_WIDE name;
    BOOL result = BaseWiden(&name, lpFileName) && SetFileAttributesW(name.Text, dwFileAttributes);
    BaseRelease(&name);
    return result;
}

/* ---- Deletion ---- */

static BOOL BaseDelete(PCWSTR Name, ULONG Options)
{
    FILE_DISPOSITION_INFORMATION disposition = {TRUE};
    IO_STATUS_BLOCK ioStatus;
    HANDLE handle;
    NTSTATUS status = BaseOpen(Name, DELETE, Options | FILE_OPEN_FOR_BACKUP_INTENT, &handle);
    if (NT_SUCCESS(status))
    {
        status = NtSetInformationFile(handle, &ioStatus, &disposition, sizeof(disposition),
                                      FileDispositionInformation);
        NtClose(handle);
    }
    if (status == STATUS_FILE_IS_A_DIRECTORY)
    {
        return BaseFailWith(ERROR_ACCESS_DENIED);
    }
    if (status == STATUS_NOT_A_DIRECTORY)
    {
        return BaseFailWith(ERROR_DIRECTORY);
    }
    return BaseResult(status);
}

BOOL WINAPI DeleteFileW(LPCWSTR lpFileName)
{
    return BaseDelete(lpFileName, FILE_NON_DIRECTORY_FILE | FILE_OPEN_REPARSE_POINT);
}

BOOL WINAPI DeleteFileA(LPCSTR lpFileName)
{
    BASE_WIDE name;
    BOOL result = BaseWiden(&name, lpFileName) && DeleteFileW(name.Text);
    BaseRelease(&name);
    return result;
}

BOOL WINAPI RemoveDirectoryW(LPCWSTR lpPathName)
{
    return BaseDelete(lpPathName, FILE_DIRECTORY_FILE | FILE_OPEN_REPARSE_POINT);
}

BOOL WINAPI RemoveDirectoryA(LPCSTR lpPathName)
{
    BASE_WIDE name;
    BOOL result = BaseWiden(&name, lpPathName) && RemoveDirectoryW(name.Text);
    BaseRelease(&name);
    return result;
}

/* ---- Directories ---- */

BOOL WINAPI CreateDirectoryW(LPCWSTR lpPathName, LPSECURITY_ATTRIBUTES lpSecurityAttributes)
{
    UNICODE_STRING ntName;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK ioStatus;
    HANDLE handle;
    NTSTATUS status = RtlDosPathNameToNtPathName_U_WithStatus(lpPathName, &ntName, NULL, NULL);
    if (!NT_SUCCESS(status))
    {
        return BaseFailWith(ERROR_PATH_NOT_FOUND);
    }
    InitializeObjectAttributes(&attributes, &ntName, OBJ_CASE_INSENSITIVE, NULL,
                               lpSecurityAttributes != NULL ? lpSecurityAttributes->lpSecurityDescriptor : NULL);
    status = NtCreateFile(&handle, FILE_LIST_DIRECTORY | SYNCHRONIZE, &attributes, &ioStatus, NULL,
                          FILE_ATTRIBUTE_NORMAL, FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_CREATE,
                          FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_FOR_BACKUP_INTENT, NULL, 0);
    RtlFreeUnicodeString(&ntName);
    if (!NT_SUCCESS(status))
    {
        return status == STATUS_NOT_A_DIRECTORY ? BaseFailWith(ERROR_ALREADY_EXISTS) : BaseFail(status);
    }
    NtClose(handle);
    return TRUE;
}

BOOL WINAPI CreateDirectoryA(LPCSTR lpPathName, LPSECURITY_ATTRIBUTES lpSecurityAttributes)
{
    BASE_WIDE name;
    BOOL result = BaseWiden(&name, lpPathName) && CreateDirectoryW(name.Text, lpSecurityAttributes);
    BaseRelease(&name);
    return result;
}

/* ---- Renaming ---- */

BOOL WINAPI MoveFileExW(LPCWSTR lpExistingFileName, LPCWSTR lpNewFileName, DWORD dwFlags)
{
    UNICODE_STRING target;
    IO_STATUS_BLOCK ioStatus;
    HANDLE handle;
    if (lpNewFileName == NULL || (dwFlags & ~(MOVEFILE_REPLACE_EXISTING | MOVEFILE_COPY_ALLOWED |
                                              MOVEFILE_WRITE_THROUGH)))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    NTSTATUS status = BaseOpen(lpExistingFileName, DELETE | FILE_READ_ATTRIBUTES,
                               FILE_OPEN_FOR_BACKUP_INTENT | FILE_OPEN_REPARSE_POINT, &handle);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    status = RtlDosPathNameToNtPathName_U_WithStatus(lpNewFileName, &target, NULL, NULL);
    if (NT_SUCCESS(status))
    {
        SIZE_T size = sizeof(FILE_RENAME_INFORMATION) + target.Length;
        PFILE_RENAME_INFORMATION rename = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, size);
        status = STATUS_NO_MEMORY;
        if (rename != NULL)
        {
            rename->ReplaceIfExists = (dwFlags & MOVEFILE_REPLACE_EXISTING) != 0;
            rename->FileNameLength = target.Length;
            memcpy(rename->FileName, target.Buffer, target.Length);
            status = NtSetInformationFile(handle, &ioStatus, rename, (ULONG)size, FileRenameInformation);
            RtlFreeHeap(RtlProcessHeap(), 0, rename);
        }
        RtlFreeUnicodeString(&target);
    }
    NtClose(handle);
    return BaseResult(status);
}

BOOL WINAPI MoveFileExA(LPCSTR lpExistingFileName, LPCSTR lpNewFileName, DWORD dwFlags)
{
    BASE_WIDE from = {0};
    BASE_WIDE to = {0};
    BOOL result = BaseWiden(&from, lpExistingFileName) && BaseWiden(&to, lpNewFileName) &&
                  MoveFileExW(from.Text, to.Text, dwFlags);
    BaseRelease(&from);
    BaseRelease(&to);
    return result;
}

BOOL WINAPI MoveFileW(LPCWSTR lpExistingFileName, LPCWSTR lpNewFileName)
{
    return MoveFileExW(lpExistingFileName, lpNewFileName, MOVEFILE_COPY_ALLOWED);
}

BOOL WINAPI MoveFileA(LPCSTR lpExistingFileName, LPCSTR lpNewFileName)
{
    return MoveFileExA(lpExistingFileName, lpNewFileName, MOVEFILE_COPY_ALLOWED);
}

/* ---- Searches: the handle is a heap block around the directory's handle ---- */

#define BASE_FIND_BUFFER 2048u
#define BASE_FIND_MAGIC 0x646E6946u

typedef struct _BASE_FIND
{
    ULONG Magic;
    HANDLE Directory;
    ULONG Next; /* offset of the next entry in Buffer; 0 with Filled FALSE: ask the file system */
    BOOLEAN Filled;
    RTL_CRITICAL_SECTION Lock;
    union
    {
        FILE_BOTH_DIR_INFORMATION Entry;
        UCHAR Buffer[BASE_FIND_BUFFER];
    };
} BASE_FIND, *PBASE_FIND;

static BOOL BaseCopyEntry(const FILE_BOTH_DIR_INFORMATION *Entry, LPWIN32_FIND_DATAW Data)
{
    SIZE_T length = Entry->FileNameLength < (MAX_PATH - 1) * sizeof(WCHAR) ? Entry->FileNameLength
                                                                          : (MAX_PATH - 1) * sizeof(WCHAR);
    memset(Data, 0, sizeof(*Data));
    Data->dwFileAttributes = Entry->FileAttributes;
    memcpy(&Data->ftCreationTime, &Entry->CreationTime, sizeof(FILETIME));
    memcpy(&Data->ftLastAccessTime, &Entry->LastAccessTime, sizeof(FILETIME));
    memcpy(&Data->ftLastWriteTime, &Entry->LastWriteTime, sizeof(FILETIME));
    Data->nFileSizeHigh = (DWORD)Entry->EndOfFile.HighPart;
    Data->nFileSizeLow = Entry->EndOfFile.LowPart;
    memcpy(Data->cFileName, Entry->FileName, length);
    if (Entry->ShortNameLength > 0 && Entry->ShortNameLength <= (CHAR)sizeof(Entry->ShortName))
    {
        memcpy(Data->cAlternateFileName, Entry->ShortName, (SIZE_T)Entry->ShortNameLength);
    }
    return TRUE;
}

static NTSTATUS BaseFill(PBASE_FIND Find, PUNICODE_STRING Pattern, BOOLEAN Restart)
{
    IO_STATUS_BLOCK ioStatus;
    NTSTATUS status = NtQueryDirectoryFile(Find->Directory, NULL, NULL, NULL, &ioStatus, Find->Buffer,
                                           sizeof(Find->Buffer), FileBothDirectoryInformation, FALSE, Pattern,
                                           Restart);
    Find->Filled = NT_SUCCESS(status);
    Find->Next = 0;
    return status;
}

static BOOL BaseTakeEntry(PBASE_FIND Find, LPWIN32_FIND_DATAW Data)
{
    PFILE_BOTH_DIR_INFORMATION entry = (PFILE_BOTH_DIR_INFORMATION)(Find->Buffer + Find->Next);
    Find->Filled = entry->NextEntryOffset != 0;
    Find->Next += entry->NextEntryOffset;
    return BaseCopyEntry(entry, Data);
}

/* "*.*" means everything; the file system knows '*' and '?'. */
static VOID BasePattern(PWSTR Text, PUNICODE_STRING Pattern)
{
    BaseInitString(Pattern, Text);
    if (Pattern->Length == 3 * sizeof(WCHAR) && Text[0] == L'*' && Text[1] == L'.' && Text[2] == L'*')
    {
        Pattern->Length = sizeof(WCHAR);
    }
}

HANDLE WINAPI FindFirstFileExW(LPCWSTR lpFileName, FINDEX_INFO_LEVELS fInfoLevelId, LPVOID lpFindFileData,
                               FINDEX_SEARCH_OPS fSearchOp, LPVOID lpSearchFilter, DWORD dwAdditionalFlags)
{
    UNICODE_STRING pattern;
    PWSTR filePart = NULL;
    PBASE_FIND find = NULL;
    PWSTR full = NULL;
    NTSTATUS status;

    if (fInfoLevelId > FindExInfoBasic || fSearchOp > FindExSearchLimitToDirectories || lpSearchFilter != NULL ||
        (dwAdditionalFlags & ~3u) || lpFileName == NULL)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return INVALID_HANDLE_VALUE;
    }
    ULONG bytes = RtlGetFullPathName_U(lpFileName, 0, NULL, NULL);
    if (bytes == 0)
    {
        RtlSetLastWin32Error(ERROR_PATH_NOT_FOUND);
        return INVALID_HANDLE_VALUE;
    }
    full = RtlAllocateHeap(RtlProcessHeap(), 0, bytes + sizeof(WCHAR));
    find = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*find));
    status = STATUS_NO_MEMORY;
    if (full == NULL || find == NULL)
    {
        goto Exit;
    }
    RtlGetFullPathName_U(lpFileName, bytes, full, &filePart);
    status = STATUS_OBJECT_NAME_NOT_FOUND;
    if (filePart == NULL)
    {
        goto Exit; /* "C:\dir\" names nothing to find */
    }
    SIZE_T patternBytes = (BaseLength(filePart) + 1) * sizeof(WCHAR);
    PWSTR patternText = RtlAllocateHeap(RtlProcessHeap(), 0, patternBytes);
    status = STATUS_NO_MEMORY;
    if (patternText != NULL)
    {
        memcpy(patternText, filePart, patternBytes);
        BasePattern(patternText, &pattern);
        *filePart = 0;
        status = BaseOpen(full, FILE_LIST_DIRECTORY, FILE_DIRECTORY_FILE | FILE_OPEN_FOR_BACKUP_INTENT,
                          &find->Directory);
        if (status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_NOT_A_DIRECTORY)
        {
            status = STATUS_OBJECT_PATH_NOT_FOUND;
        }
        if (NT_SUCCESS(status))
        {
            status = BaseFill(find, &pattern, TRUE);
        }
        RtlFreeHeap(RtlProcessHeap(), 0, patternText);
    }

Exit:
    RtlFreeHeap(RtlProcessHeap(), 0, full);
    if (!NT_SUCCESS(status))
    {
        if (find != NULL && find->Directory != NULL)
        {
            NtClose(find->Directory);
        }
        RtlFreeHeap(RtlProcessHeap(), 0, find);
        BaseFail(status == STATUS_NO_SUCH_FILE ? STATUS_OBJECT_NAME_NOT_FOUND : status);
        return INVALID_HANDLE_VALUE;
    }
    find->Magic = BASE_FIND_MAGIC;
    RtlInitializeCriticalSection(&find->Lock);
    BaseTakeEntry(find, lpFindFileData);
    return find;
}

HANDLE WINAPI FindFirstFileW(LPCWSTR lpFileName, LPWIN32_FIND_DATAW lpFindFileData)
{
    return FindFirstFileExW(lpFileName, FindExInfoStandard, lpFindFileData, FindExSearchNameMatch, NULL, 0);
}

BOOL WINAPI FindNextFileW(HANDLE hFindFile, LPWIN32_FIND_DATAW lpFindFileData)
{
    PBASE_FIND find = hFindFile;
    NTSTATUS status = STATUS_SUCCESS;
    if (hFindFile == INVALID_HANDLE_VALUE || find == NULL || find->Magic != BASE_FIND_MAGIC)
    {
        return BaseFailWith(ERROR_INVALID_HANDLE);
    }
    RtlEnterCriticalSection(&find->Lock);
    if (!find->Filled)
    {
        status = BaseFill(find, NULL, FALSE);
    }
    if (NT_SUCCESS(status))
    {
        BaseTakeEntry(find, lpFindFileData);
    }
    RtlLeaveCriticalSection(&find->Lock);
    return BaseResult(status);
}

BOOL WINAPI FindClose(HANDLE hFindFile)
{
    PBASE_FIND find = hFindFile;
    if (hFindFile == INVALID_HANDLE_VALUE || find == NULL || find->Magic != BASE_FIND_MAGIC)
    {
        return BaseFailWith(ERROR_INVALID_HANDLE);
    }
    find->Magic = 0;
    NtClose(find->Directory);
    RtlDeleteCriticalSection(&find->Lock);
    RtlFreeHeap(RtlProcessHeap(), 0, find);
    return TRUE;
}

static VOID BaseNarrowData(const WIN32_FIND_DATAW *Wide, LPWIN32_FIND_DATAA Data)
{
    memcpy(Data, Wide, offsetof(WIN32_FIND_DATAW, cFileName));
    Data->cFileName[0] = 0;
    Data->cAlternateFileName[0] = 0;
    BaseNarrow(Wide->cFileName, BaseLength(Wide->cFileName), Data->cFileName, sizeof(Data->cFileName));
    BaseNarrow(Wide->cAlternateFileName, BaseLength(Wide->cAlternateFileName), Data->cAlternateFileName,
               sizeof(Data->cAlternateFileName));
}

HANDLE WINAPI FindFirstFileA(LPCSTR lpFileName, LPWIN32_FIND_DATAA lpFindFileData)
{
    BASE_WIDE name;
    WIN32_FIND_DATAW wide;
    HANDLE handle = INVALID_HANDLE_VALUE;
    if (BaseWiden(&name, lpFileName))
    {
        handle = FindFirstFileW(name.Text, &wide);
        if (handle != INVALID_HANDLE_VALUE)
        {
            BaseNarrowData(&wide, lpFindFileData);
        }
    }
    BaseRelease(&name);
    return handle;
}

BOOL WINAPI FindNextFileA(HANDLE hFindFile, LPWIN32_FIND_DATAA lpFindFileData)
{
    WIN32_FIND_DATAW wide;
    if (!FindNextFileW(hFindFile, &wide))
    {
        return FALSE;
    }
    BaseNarrowData(&wide, lpFindFileData);
    return TRUE;
}
