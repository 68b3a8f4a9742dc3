/* SPDX-License-Identifier: MIT */
/*
 * From a DLL's name to a mapped, relocated and linked module.
 *
 *   name ---- ".dll" added if it has no extension
 *    |-- already loaded? by file name, or by full path if the name has a directory
 *    |-- the four system DLLs: from System32 only
 *    |-- directories: the program's, System32, the current one (or those the caller gave)
 *    '-- open, section, view, headers, relocation, TLS slot, imports (which come back here)
 */
#include "ntdllp.h"

PWSTR LdrpDefaultPath;
PWSTR LdrpSystemPath;

/* A copy of Name with ".dll" behind a file name without a dot; a final dot means "no extension". */
static NTSTATUS LdrpNormalizeName(PCUNICODE_STRING Name, PUNICODE_STRING Normalized, PBOOLEAN IsPath)
{
    USHORT length = Name->Length / sizeof(WCHAR);
    USHORT start = length;
    BOOLEAN dot = FALSE;

    if (length == 0 || Name->Length > 0xFF00)
    {
        return STATUS_INVALID_PARAMETER;
    }
    while (start > 0 && Name->Buffer[start - 1] != L'\\' && Name->Buffer[start - 1] != L'/' &&
           Name->Buffer[start - 1] != L':')
    {
        start--;
        dot = dot || Name->Buffer[start] == L'.';
    }
    *IsPath = start != 0;
    if (Name->Buffer[length - 1] == L'.')
    {
        length--;
    }
    Normalized->Buffer = RtlpAllocate((length + 5) * sizeof(WCHAR));
    if (Normalized->Buffer == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    memcpy(Normalized->Buffer, Name->Buffer, length * sizeof(WCHAR));
    if (!dot)
    {
        memcpy(Normalized->Buffer + length, L".dll", 4 * sizeof(WCHAR));
        length += 4;
    }
    Normalized->Buffer[length] = 0;
    Normalized->Length = length * sizeof(WCHAR);
    Normalized->MaximumLength = Normalized->Length + sizeof(WCHAR);
    return STATUS_SUCCESS;
}

/* Windows takes these from System32 whatever lies beside the program. */
static BOOLEAN LdrpIsSystemDll(PCUNICODE_STRING Name)
{
    static const UNICODE_STRING names[] = {
        RTL_CONSTANT_STRING16(L"ntdll.dll"),
        RTL_CONSTANT_STRING16(L"kernel32.dll"),
        RTL_CONSTANT_STRING16(L"advapi32.dll"),
        RTL_CONSTANT_STRING16(L"msvcrt.dll"),
    };
    for (ULONG i = 0; i < ARRAYSIZE(names); i++)
    {
        if (RtlEqualUnicodeString(Name, &names[i], TRUE))
        {
            return TRUE;
        }
    }
    return FALSE;
}

/* The full path of the file to load, in a heap buffer. */
static NTSTATUS LdrpFindFile(PCWSTR SearchPath, PCUNICODE_STRING Name, BOOLEAN IsPath, PUNICODE_STRING FullName)
{
    PCWSTR path = SearchPath != NULL ? SearchPath : LdrpDefaultPath;
    ULONG size = 1024 * sizeof(WCHAR);
    FullName->Buffer = RtlpAllocate(size);
    if (FullName->Buffer == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    ULONG bytes;
    if (IsPath)
    {
        bytes = RtlGetFullPathName_U(Name->Buffer, size, FullName->Buffer, NULL);
        if (bytes != 0 && bytes < size && !RtlDoesFileExists_U(FullName->Buffer))
        {
            bytes = 0;
        }
    }
    else
    {
        path = LdrpIsSystemDll(Name) ? LdrpSystemPath : path;
        bytes = RtlDosSearchPath_U(path, Name->Buffer, NULL, size, FullName->Buffer, NULL);
    }
    if (bytes == 0 || bytes >= size)
    {
        RtlpFree(FullName->Buffer);
        FullName->Buffer = NULL;
        return STATUS_DLL_NOT_FOUND;
    }
    FullName->Length = (USHORT)bytes;
    FullName->MaximumLength = (USHORT)(bytes + sizeof(WCHAR));
    return STATUS_SUCCESS;
}

static NTSTATUS LdrpMapFile(PCWSTR FullName, PVOID *Base)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK ioStatus;
    HANDLE file;
    HANDLE section;
    SIZE_T size = 0;

    *Base = NULL;
    NTSTATUS status = RtlDosPathNameToNtPathName_U_WithStatus(FullName, &name, NULL, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    status = NtOpenFile(&file, FILE_EXECUTE | FILE_READ_DATA | SYNCHRONIZE, &attributes, &ioStatus,
                        FILE_SHARE_READ | FILE_SHARE_DELETE, FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT);
    RtlpFree(name.Buffer);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = NtCreateSection(&section, SECTION_MAP_READ | SECTION_MAP_EXECUTE | SECTION_QUERY, NULL, NULL,
                             PAGE_EXECUTE_READ, SEC_IMAGE, file);
    NtClose(file);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = NtMapViewOfSection(section, NtCurrentProcess(), Base, 0, 0, NULL, &size, ViewShare, 0,
                                PAGE_EXECUTE_READ);
    NtClose(section);
    if (status == STATUS_IMAGE_MACHINE_TYPE_MISMATCH)
    {
        NtUnmapViewOfSection(NtCurrentProcess(), *Base);
        status = STATUS_INVALID_IMAGE_FORMAT;
    }
    return status;
}

/* Everything that reads the image's own tables; a fault in there means that they are broken. */
static NTSTATUS LdrpPrepare(PLDRP_MODULE Module, PCWSTR SearchPath)
{
    NTSTATUS status;
    __try
    {
        status = LdrpRelocateImage(Module);
        if (NT_SUCCESS(status))
        {
            status = LdrpRegisterTls(Module);
        }
        if (NT_SUCCESS(status) && (Module->Entry.Flags & LDRP_IMAGE_DLL))
        {
            status = LdrpSnapModule(Module, SearchPath);
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = STATUS_INVALID_IMAGE_FORMAT;
    }
    return status;
}

/** Finds a loaded module by a name as a program gives it. STATUS_DLL_NOT_FOUND if it is not loaded. */
NTSTATUS LdrpFindLoaded(PCUNICODE_STRING Name, PLDRP_MODULE *Module)
{
    UNICODE_STRING normalized;
    BOOLEAN isPath;
    *Module = NULL;
    NTSTATUS status = LdrpNormalizeName(Name, &normalized, &isPath);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (isPath)
    {
        WCHAR full[512];
        ULONG bytes = RtlGetFullPathName_U(normalized.Buffer, sizeof(full), full, NULL);
        if (bytes != 0 && bytes < sizeof(full))
        {
            UNICODE_STRING fullName = {(USHORT)bytes, (USHORT)bytes, full};
            *Module = LdrpFindModuleByName(&fullName, TRUE);
        }
    }
    else
    {
        *Module = LdrpFindModuleByName(&normalized, FALSE);
    }
    RtlpFree(normalized.Buffer);
    return *Module != NULL ? STATUS_SUCCESS : STATUS_DLL_NOT_FOUND;
}

/**
 * Gives the module of a name, loading it and what it imports if need be. No DllMain runs in here, and
 * nothing is referenced: the caller adds an edge or a load count, or calls LdrpCollect.
 *
 * @param SearchPath  directories separated by ';', NULL = the process's
 */
NTSTATUS LdrpLoadModule(PCWSTR SearchPath, PCUNICODE_STRING Name, PLDRP_MODULE *Module)
{
    UNICODE_STRING normalized = {0, 0, NULL};
    UNICODE_STRING fullName = {0, 0, NULL};
    BOOLEAN isPath;
    PVOID base = NULL;

    NTSTATUS status = LdrpFindLoaded(Name, Module);
    if (status != STATUS_DLL_NOT_FOUND)
    {
        return status;
    }
    status = LdrpNormalizeName(Name, &normalized, &isPath);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = LdrpFindFile(SearchPath, &normalized, isPath, &fullName);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    *Module = LdrpFindModuleByName(&fullName, TRUE);
    if (*Module != NULL)
    {
        goto Exit;
    }
    status = LdrpMapFile(fullName.Buffer, &base);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    status = LdrpCreateModule(base, &fullName, Module);
    if (!NT_SUCCESS(status))
    {
        NtUnmapViewOfSection(NtCurrentProcess(), base);
        goto Exit;
    }
    status = LdrpPrepare(*Module, SearchPath);

Exit:
    if (!NT_SUCCESS(status) && *Module != NULL)
    {
        (*Module)->Leaving = TRUE; /* half linked: nobody may find it; LdrpCollect takes it down */
        *Module = NULL;
    }
    RtlpFree(fullName.Buffer);
    RtlpFree(normalized.Buffer);
    return status;
}
