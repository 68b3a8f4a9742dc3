/* SPDX-License-Identifier: MIT */
/* Volumes, names of devices, and the names of open files. */
#include "base.h"

/* The root of the drive in Path, or of the current one for NULL. */
static HANDLE BaseOpenRoot(PCWSTR Path)
{
    return CreateFileW(Path != NULL ? Path : L"\\", FILE_READ_ATTRIBUTES,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

static NTSTATUS BaseGiveText(const WCHAR *Text, ULONG Bytes, PWSTR Target, DWORD Room)
{
    if (Target == NULL)
    {
        return STATUS_SUCCESS;
    }
    if (Bytes / sizeof(WCHAR) >= Room)
    {
        return STATUS_BUFFER_TOO_SMALL;
    }
    memcpy(Target, Text, Bytes);
    Target[Bytes / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}

BOOL WINAPI GetVolumeInformationW(LPCWSTR lpRootPathName, LPWSTR lpVolumeNameBuffer, DWORD nVolumeNameSize,
                                  LPDWORD lpVolumeSerialNumber, LPDWORD lpMaximumComponentLength,
                                  LPDWORD lpFileSystemFlags, LPWSTR lpFileSystemNameBuffer, DWORD nFileSystemNameSize)
{
    union
    {
        FILE_FS_VOLUME_INFORMATION Volume;
        FILE_FS_ATTRIBUTE_INFORMATION Attribute;
        UCHAR Room[600];
    } answer;
    IO_STATUS_BLOCK ioStatus;
    HANDLE root = BaseOpenRoot(lpRootPathName);
    NTSTATUS status;

    if (root == INVALID_HANDLE_VALUE)
    {
        return FALSE;
    }
    status = NtQueryVolumeInformationFile(root, &ioStatus, &answer, sizeof(answer), FileFsVolumeInformation);
    if (NT_SUCCESS(status))
    {
        if (lpVolumeSerialNumber != NULL)
        {
            *lpVolumeSerialNumber = answer.Volume.VolumeSerialNumber;
        }
        status = BaseGiveText(answer.Volume.VolumeLabel, answer.Volume.VolumeLabelLength, lpVolumeNameBuffer,
                              nVolumeNameSize);
    }
    if (NT_SUCCESS(status))
    {
        status = NtQueryVolumeInformationFile(root, &ioStatus, &answer, sizeof(answer), FileFsAttributeInformation);
    }
    if (NT_SUCCESS(status))
    {
        if (lpMaximumComponentLength != NULL)
        {
            *lpMaximumComponentLength = (DWORD)answer.Attribute.MaximumComponentNameLength;
        }
        if (lpFileSystemFlags != NULL)
        {
            *lpFileSystemFlags = answer.Attribute.FileSystemAttributes;
        }
        status = BaseGiveText(answer.Attribute.FileSystemName, answer.Attribute.FileSystemNameLength,
                              lpFileSystemNameBuffer, nFileSystemNameSize);
    }
    NtClose(root);
    return status == STATUS_BUFFER_TOO_SMALL ? BaseFailWith(ERROR_MORE_DATA) : BaseResult(status);
}

static BOOL BaseGiveNarrow(PCWSTR Text, PSTR Target, DWORD Room)
{
    return Target == NULL || BaseNarrow(Text, BaseLength(Text), Target, Room) < Room ? TRUE
                                                                                     : BaseFailWith(ERROR_MORE_DATA);
}

BOOL WINAPI GetVolumeInformationA(LPCSTR lpRootPathName, LPSTR lpVolumeNameBuffer, DWORD nVolumeNameSize,
                                  LPDWORD lpVolumeSerialNumber, LPDWORD lpMaximumComponentLength,
                                  LPDWORD lpFileSystemFlags, LPSTR lpFileSystemNameBuffer, DWORD nFileSystemNameSize)
{
    WCHAR label[MAX_PATH + 1], system[MAX_PATH + 1];
    BASE_WIDE root;
    BOOL result = BaseWiden(&root, lpRootPathName) &&
                  GetVolumeInformationW(root.Text, label, ARRAYSIZE(label), lpVolumeSerialNumber,
                                        lpMaximumComponentLength, lpFileSystemFlags, system, ARRAYSIZE(system)) &&
                  BaseGiveNarrow(label, lpVolumeNameBuffer, nVolumeNameSize) &&
                  BaseGiveNarrow(system, lpFileSystemNameBuffer, nFileSystemNameSize);
    BaseRelease(&root);
    return result;
}

BOOL WINAPI GetDiskFreeSpaceW(LPCWSTR lpRootPathName, LPDWORD lpSectorsPerCluster, LPDWORD lpBytesPerSector,
                              LPDWORD lpNumberOfFreeClusters, LPDWORD lpTotalNumberOfClusters)
{
    FILE_FS_SIZE_INFORMATION size;
    IO_STATUS_BLOCK ioStatus;
    HANDLE root = BaseOpenRoot(lpRootPathName);
    NTSTATUS status;

    if (root == INVALID_HANDLE_VALUE)
    {
        return FALSE;
    }
    status = NtQueryVolumeInformationFile(root, &ioStatus, &size, sizeof(size), FileFsSizeInformation);
    NtClose(root);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    const DWORD values[] = {size.SectorsPerAllocationUnit, size.BytesPerSector,
                            (DWORD)min(size.AvailableAllocationUnits.QuadPart, MAXDWORD),
                            (DWORD)min(size.TotalAllocationUnits.QuadPart, MAXDWORD)};
    LPDWORD const targets[] = {lpSectorsPerCluster, lpBytesPerSector, lpNumberOfFreeClusters, lpTotalNumberOfClusters};
    for (ULONG i = 0; i < ARRAYSIZE(values); i++)
    {
        if (targets[i] != NULL)
        {
            *targets[i] = values[i];
        }
    }
    return TRUE;
}

BOOL WINAPI GetDiskFreeSpaceA(LPCSTR lpRootPathName, LPDWORD lpSectorsPerCluster, LPDWORD lpBytesPerSector,
                              LPDWORD lpNumberOfFreeClusters, LPDWORD lpTotalNumberOfClusters)
{
    BASE_WIDE root;
    BOOL result = BaseWiden(&root, lpRootPathName) &&
                  GetDiskFreeSpaceW(root.Text, lpSectorsPerCluster, lpBytesPerSector, lpNumberOfFreeClusters,
                                    lpTotalNumberOfClusters);
    BaseRelease(&root);
    return result;
}

BOOL WINAPI GetDiskFreeSpaceExA(LPCSTR lpDirectoryName, PULARGE_INTEGER lpFreeBytesAvailableToCaller,
                                PULARGE_INTEGER lpTotalNumberOfBytes, PULARGE_INTEGER lpTotalNumberOfFreeBytes)
{
    BASE_WIDE directory;
    BOOL result = BaseWiden(&directory, lpDirectoryName) &&
                  GetDiskFreeSpaceExW(directory.Text, lpFreeBytesAvailableToCaller, lpTotalNumberOfBytes,
                                      lpTotalNumberOfFreeBytes);
    BaseRelease(&directory);
    return result;
}

/* There is no mount manager, so no volume has a \\?\Volume{...} name: every search ends at once. */

HANDLE WINAPI FindFirstVolumeW(LPWSTR lpszVolumeName, DWORD cchBufferLength)
{
    UNREFERENCED_PARAMETER(lpszVolumeName);
    UNREFERENCED_PARAMETER(cchBufferLength);
    BaseFailWith(ERROR_NO_MORE_FILES);
    return INVALID_HANDLE_VALUE;
}

BOOL WINAPI FindNextVolumeW(HANDLE hFindVolume, LPWSTR lpszVolumeName, DWORD cchBufferLength)
{
    UNREFERENCED_PARAMETER(hFindVolume);
    UNREFERENCED_PARAMETER(lpszVolumeName);
    UNREFERENCED_PARAMETER(cchBufferLength);
    return BaseFailWith(ERROR_INVALID_HANDLE);
}

BOOL WINAPI FindVolumeClose(HANDLE hFindVolume)
{
    UNREFERENCED_PARAMETER(hFindVolume);
    return BaseFailWith(ERROR_INVALID_HANDLE);
}

/* ---- Names of devices ---- */

/* \??\name */
static BOOL BaseDosName(PCWSTR Name, PWSTR Buffer, SIZE_T Room, PUNICODE_STRING String)
{
    SIZE_T length = BaseLength(Name);

    if (length == 0 || length + 5 > Room)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    memcpy(Buffer, L"\\??\\", 8);
    memcpy(Buffer + 4, Name, (length + 1) * sizeof(WCHAR));
    return BaseInitString(String, Buffer);
}

/*
 * Permanent objects are for the system alone, and there is no CSRSS that would hold the links of others: a definition
 * lives as long as the program that made it, by the handle kept here.
 */
typedef struct _BASE_DEFINITION
{
    struct _BASE_DEFINITION *Next;
    HANDLE Link;
    WCHAR Name[MAX_PATH];
} BASE_DEFINITION;

static BASE_DEFINITION *BaseDefinitions;
static RTL_SRWLOCK BaseDefinitionLock;

/* Takes the definition of a name off the list; lock held. */
static BASE_DEFINITION *BaseTakeDefinition(PCWSTR Name)
{
    for (BASE_DEFINITION **link = &BaseDefinitions; *link != NULL; link = &(*link)->Next)
    {
        BASE_DEFINITION *found = *link;
        if (CompareStringOrdinal(found->Name, -1, Name, -1, TRUE) == CSTR_EQUAL)
        {
            *link = found->Next;
            return found;
        }
    }
    return NULL;
}

static NTSTATUS BaseRemoveDefinition(PCWSTR Name)
{
    BASE_DEFINITION *found = BaseTakeDefinition(Name);

    if (found == NULL)
    {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    NtClose(found->Link);
    RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, found);
    return STATUS_SUCCESS;
}

static NTSTATUS BaseAddDefinition(PCWSTR Name, PUNICODE_STRING Path, PUNICODE_STRING Target)
{
    BASE_DEFINITION *made = RtlAllocateHeap(NtCurrentPeb()->ProcessHeap, HEAP_ZERO_MEMORY, sizeof(*made));
    OBJECT_ATTRIBUTES attributes;
    NTSTATUS status;

    if (made == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    BaseRemoveDefinition(Name); /* a new one replaces it */
    InitializeObjectAttributes(&attributes, Path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = NtCreateSymbolicLinkObject(&made->Link, SYMBOLIC_LINK_QUERY, &attributes, Target);
    if (!NT_SUCCESS(status))
    {
        RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, made);
        return status;
    }
    memcpy(made->Name, Name, (BaseLength(Name) + 1) * sizeof(WCHAR));
    made->Next = BaseDefinitions;
    BaseDefinitions = made;
    return STATUS_SUCCESS;
}

/* One definition a name: an earlier one is not kept below it, and DDD_EXACT_MATCH_ON_REMOVE is not there. */
BOOL WINAPI DefineDosDeviceW(DWORD dwFlags, LPCWSTR lpDeviceName, LPCWSTR lpTargetPath)
{
    BOOL remove = (dwFlags & DDD_REMOVE_DEFINITION) != 0;
    WCHAR buffer[MAX_PATH + 4];
    UNICODE_STRING name, target = {0};
    NTSTATUS status;

    if ((dwFlags & ~(DDD_RAW_TARGET_PATH | DDD_REMOVE_DEFINITION | DDD_NO_BROADCAST_SYSTEM)) != 0 ||
        (!remove && lpTargetPath == NULL))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    if (!BaseDosName(lpDeviceName, buffer, ARRAYSIZE(buffer), &name))
    {
        return FALSE;
    }
    BOOL convert = !remove && (dwFlags & DDD_RAW_TARGET_PATH) == 0;
    if (convert ? !RtlDosPathNameToNtPathName_U(lpTargetPath, &target, NULL, NULL)
                : !remove && !BaseInitString(&target, lpTargetPath))
    {
        return BaseFailWith(ERROR_PATH_NOT_FOUND);
    }
    RtlAcquireSRWLockExclusive(&BaseDefinitionLock);
    status = remove ? BaseRemoveDefinition(lpDeviceName) : BaseAddDefinition(lpDeviceName, &name, &target);
    RtlReleaseSRWLockExclusive(&BaseDefinitionLock);
    if (convert)
    {
        RtlFreeUnicodeString(&target);
    }
    return BaseResult(status);
}

BOOL WINAPI DefineDosDeviceA(DWORD dwFlags, LPCSTR lpDeviceName, LPCSTR lpTargetPath)
{
    BASE_WIDE name, target = {0};
    BOOL result = BaseWiden(&name, lpDeviceName) && BaseWiden(&target, lpTargetPath) &&
                  DefineDosDeviceW(dwFlags, name.Text, target.Text);
    BaseRelease(&name);
    BaseRelease(&target);
    return result;
}

/* ---- Names of files ---- */

/* How many characters of an NT path the target of a drive letter takes up; 0 if it is not that drive. */
static DWORD BaseMatchDrive(WCHAR Letter, PCWSTR Path)
{
    const WCHAR device[] = {Letter, L':', 0};
    WCHAR target[MAX_PATH];
    DWORD length = QueryDosDeviceW(device, target, ARRAYSIZE(target));

    if (length < 3)
    {
        return 0;
    }
    length -= 2; /* two zeros end it */
    return CompareStringOrdinal(Path, (int)length, target, (int)length, TRUE) == CSTR_EQUAL ? length : 0;
}

/* Returns the length with the zero if Room is too small, without it otherwise, as the function does. */
static DWORD BaseGiveFinal(PCWSTR Prefix, PCWSTR Path, PWSTR Target, DWORD Room)
{
    DWORD prefix = (DWORD)BaseLength(Prefix), path = (DWORD)BaseLength(Path);

    if (prefix + path + 1 > Room)
    {
        return prefix + path + 1;
    }
    memcpy(Target, Prefix, prefix * sizeof(WCHAR));
    memcpy(Target + prefix, Path, (path + 1) * sizeof(WCHAR));
    return prefix + path;
}

DWORD WINAPI GetFinalPathNameByHandleW(HANDLE hFile, LPWSTR lpszFilePath, DWORD cchFilePath, DWORD dwFlags)
{
    struct
    {
        UNICODE_STRING Name;
        WCHAR Text[1024];
    } answer;
    ULONG needed;
    NTSTATUS status =
        NtQueryObject(hFile, 1 /* ObjectNameInformation */, &answer, sizeof(answer) - sizeof(WCHAR), &needed);

    if (!NT_SUCCESS(status))
    {
        return (DWORD)BaseFail(status);
    }
    PWSTR path = answer.Name.Buffer;
    path[answer.Name.Length / sizeof(WCHAR)] = 0;
    if ((dwFlags & (VOLUME_NAME_NT | VOLUME_NAME_NONE | VOLUME_NAME_GUID)) == VOLUME_NAME_NT)
    {
        return BaseGiveFinal(L"", path, lpszFilePath, cchFilePath);
    }
    for (WCHAR letter = L'A'; letter <= L'Z' && (dwFlags & VOLUME_NAME_GUID) == 0; letter++)
    {
        const WCHAR prefix[] = {L'\\', L'\\', L'?', L'\\', letter, L':', 0};
        DWORD length = BaseMatchDrive(letter, path);
        if (length != 0)
        {
            return BaseGiveFinal((dwFlags & VOLUME_NAME_NONE) != 0 ? L"" : prefix, path + length, lpszFilePath,
                                 cchFilePath);
        }
    }
    return (DWORD)BaseFailWith(ERROR_PATH_NOT_FOUND); /* no drive letter, or a volume's GUID wanted */
}

DWORD WINAPI GetFinalPathNameByHandleA(HANDLE hFile, LPSTR lpszFilePath, DWORD cchFilePath, DWORD dwFlags)
{
    WCHAR path[1100];
    DWORD length = GetFinalPathNameByHandleW(hFile, path, ARRAYSIZE(path), dwFlags);

    return length == 0 ? 0 : BaseNarrow(path, length, lpszFilePath, cchFilePath);
}

BOOL WINAPI CreateHardLinkW(LPCWSTR lpFileName, LPCWSTR lpExistingFileName, LPSECURITY_ATTRIBUTES lpSecurityAttributes)
{
    UNICODE_STRING name;
    IO_STATUS_BLOCK ioStatus;
    HANDLE file;
    NTSTATUS status = STATUS_NO_MEMORY;

    if (lpSecurityAttributes != NULL)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    file = CreateFileW(lpExistingFileName, FILE_WRITE_ATTRIBUTES | SYNCHRONIZE,
                       FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
    {
        return FALSE;
    }
    if (!RtlDosPathNameToNtPathName_U(lpFileName, &name, NULL, NULL))
    {
        NtClose(file);
        return BaseFailWith(ERROR_PATH_NOT_FOUND);
    }
    ULONG size = (ULONG)sizeof(FILE_LINK_INFORMATION) + name.Length;
    PFILE_LINK_INFORMATION link = RtlAllocateHeap(NtCurrentPeb()->ProcessHeap, HEAP_ZERO_MEMORY, size);
    if (link != NULL)
    {
        link->FileNameLength = name.Length;
        memcpy(link->FileName, name.Buffer, name.Length);
        status = NtSetInformationFile(file, &ioStatus, link, size, FileLinkInformation); /* the file system decides */
        RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, link);
    }
    RtlFreeUnicodeString(&name);
    NtClose(file);
    return BaseResult(status);
}

/* They are, and nothing changes it: the OEM code page is the same. */
BOOL WINAPI AreFileApisANSI(VOID)
{
    return TRUE;
}
