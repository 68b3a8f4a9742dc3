/* SPDX-License-Identifier: MIT */
/*
 * DOS paths: their kinds, full paths, and the way to NT names.
 *
 *   C:\a\b          drive absolute      \??\C:\a\b
 *   C:a             drive relative      against that drive's current directory
 *   \a              rooted              on the current drive
 *   a\b             relative            against the current directory
 *   \\server\share  UNC                 \??\UNC\server\share
 *   \\.\name        device              \??\name
 *   \\?\anything    verbatim            \??\anything, not touched
 *   NUL, CON ...    DOS device          \??\NUL
 */
#include "ntdllp.h"

static BOOLEAN RtlpIsSeparator(WCHAR Character)
{
    return Character == L'\\' || Character == L'/';
}

static SIZE_T RtlpPathLength(PCWSTR Path)
{
    SIZE_T length = 0;
    while (Path[length] != 0)
    {
        length++;
    }
    return length;
}

RTL_PATH_TYPE NTAPI RtlDetermineDosPathNameType_U(PCWSTR Path)
{
    if (RtlpIsSeparator(Path[0]))
    {
        if (!RtlpIsSeparator(Path[1]))
        {
            return RtlPathTypeRooted;
        }
        if (Path[2] != L'.' && Path[2] != L'?')
        {
            return RtlPathTypeUncAbsolute;
        }
        if (RtlpIsSeparator(Path[3]))
        {
            return RtlPathTypeLocalDevice;
        }
        return Path[3] == 0 ? RtlPathTypeRootLocalDevice : RtlPathTypeUncAbsolute;
    }
    if (Path[0] == 0 || Path[1] != L':')
    {
        return RtlPathTypeRelative;
    }
    return RtlpIsSeparator(Path[2]) ? RtlPathTypeDriveAbsolute : RtlPathTypeDriveRelative;
}

/**
 * Tells whether the last part of a path names a DOS device (NUL, CON, AUX, PRN, COM1..9, LPT1..9,
 * CONIN$, CONOUT$), with or without an extension, as DOS has it.
 *
 * @return 0, or length in bytes in the low word and offset in bytes in the high word
 */
ULONG NTAPI RtlIsDosDeviceName_U(PCWSTR Path)
{
    static const WCHAR *const names[] = {L"NUL", L"CON", L"AUX", L"PRN", L"CONIN$", L"CONOUT$"};
    SIZE_T length = RtlpPathLength(Path);
    RTL_PATH_TYPE type = RtlDetermineDosPathNameType_U(Path);
    if (type == RtlPathTypeLocalDevice || type == RtlPathTypeRootLocalDevice || type == RtlPathTypeUncAbsolute ||
        length > 0x7000)
    {
        return 0;
    }
    SIZE_T start = length;
    while (start > 0 && !RtlpIsSeparator(Path[start - 1]) && !(start == 2 && Path[1] == L':'))
    {
        start--;
    }
    SIZE_T end = start;
    while (end < length && Path[end] != L'.' && Path[end] != L':')
    {
        end++;
    }
    while (end > start && Path[end - 1] == L' ')
    {
        end--;
    }
    UNICODE_STRING candidate = {(USHORT)((end - start) * sizeof(WCHAR)), 0, (PWSTR)Path + start};
    BOOLEAN match = FALSE;
    for (ULONG i = 0; i < ARRAYSIZE(names) && !match; i++)
    {
        UNICODE_STRING name = {(USHORT)(RtlpPathLength(names[i]) * sizeof(WCHAR)), 0, (PWSTR)names[i]};
        match = RtlEqualUnicodeString(&candidate, &name, TRUE);
    }
    if (!match && end - start == 4 && Path[end - 1] >= L'1' && Path[end - 1] <= L'9')
    {
        static const UNICODE_STRING com = RTL_CONSTANT_STRING16(L"COM");
        static const UNICODE_STRING lpt = RTL_CONSTANT_STRING16(L"LPT");
        candidate.Length -= sizeof(WCHAR);
        match = RtlEqualUnicodeString(&candidate, &com, TRUE) || RtlEqualUnicodeString(&candidate, &lpt, TRUE);
        candidate.Length += sizeof(WCHAR);
    }
    return match ? (ULONG)(start * sizeof(WCHAR)) << 16 | candidate.Length : 0;
}

typedef struct _RTLP_PATH_BUILDER
{
    PWSTR Buffer;
    SIZE_T Length; /* characters */
    SIZE_T Root;   /* ".." does not go below this length */
} RTLP_PATH_BUILDER;

/* Appends the components of Text, resolving "." and ".." and the trailing dots and spaces that names don't keep. */
static VOID RtlpAppendComponents(RTLP_PATH_BUILDER *Builder, PCWSTR Text)
{
    while (*Text != 0)
    {
        if (RtlpIsSeparator(*Text))
        {
            if (Builder->Length == 0 || Builder->Buffer[Builder->Length - 1] != L'\\')
            {
                Builder->Buffer[Builder->Length++] = L'\\';
            }
            Text++;
            continue;
        }
        SIZE_T length = 0;
        while (Text[length] != 0 && !RtlpIsSeparator(Text[length]))
        {
            length++;
        }
        if (length == 2 && Text[0] == L'.' && Text[1] == L'.')
        {
            SIZE_T back = Builder->Length;
            if (back > Builder->Root && Builder->Buffer[back - 1] == L'\\')
            {
                back--;
            }
            while (back > Builder->Root && Builder->Buffer[back - 1] != L'\\')
            {
                back--;
            }
            Builder->Length = back;
        }
        else if (!(length == 1 && Text[0] == L'.'))
        {
            SIZE_T kept = length;
            if (Text[length] == 0)
            {
                while (kept > 0 && (Text[kept - 1] == L'.' || Text[kept - 1] == L' '))
                {
                    kept--;
                }
            }
            else if (Text[kept - 1] == L'.')
            {
                kept--;
            }
            memcpy(Builder->Buffer + Builder->Length, Text, kept * sizeof(WCHAR));
            Builder->Length += kept;
        }
        Text += length;
    }
    /* "C:\a\b\.." ends at "C:\a", not at "C:\a\" */
    if (Builder->Length > Builder->Root && Builder->Buffer[Builder->Length - 1] == L'\\' && Text[-1] == L'.')
    {
        Builder->Length--;
    }
}

static VOID RtlpAppendRaw(RTLP_PATH_BUILDER *Builder, PCWSTR Text, SIZE_T Length)
{
    memcpy(Builder->Buffer + Builder->Length, Text, Length * sizeof(WCHAR));
    Builder->Length += Length;
}

/* \\server\share of a UNC path is copied as it is; returns its length. */
static SIZE_T RtlpUncRoot(PCWSTR Path)
{
    SIZE_T length = 2;
    for (ULONG part = 0; part < 2; part++)
    {
        while (Path[length] != 0 && !RtlpIsSeparator(Path[length]))
        {
            length++;
        }
        if (part == 0 && Path[length] != 0)
        {
            length++;
        }
    }
    return length;
}

/* The current directory of a drive other than the current one, from the variable "=X:". */
static VOID RtlpAppendDriveDirectory(RTLP_PATH_BUILDER *Builder, WCHAR Drive, SIZE_T Capacity)
{
    WCHAR nameBuffer[3] = {L'=', Drive, L':'};
    UNICODE_STRING name = {sizeof(nameBuffer), sizeof(nameBuffer), nameBuffer};
    SIZE_T room = (Capacity - Builder->Length - 2) * sizeof(WCHAR);
    UNICODE_STRING value = {0, (USHORT)(room < 0xFFFC ? room : 0xFFFC), Builder->Buffer + Builder->Length};
    if (NT_SUCCESS(RtlQueryEnvironmentVariable_U(NULL, &name, &value)) && value.Length >= 3 * sizeof(WCHAR))
    {
        Builder->Length += value.Length / sizeof(WCHAR);
        if (Builder->Buffer[Builder->Length - 1] != L'\\')
        {
            Builder->Buffer[Builder->Length++] = L'\\';
        }
        return;
    }
    WCHAR root[3] = {Drive, L':', L'\\'};
    RtlpAppendRaw(Builder, root, 3);
}

/* Builds the full path in a heap buffer that the caller frees. */
static NTSTATUS RtlpBuildFullPath(PCWSTR Path, RTLP_PATH_BUILDER *Builder)
{
    PUNICODE_STRING current = &NtCurrentPeb()->ProcessParameters->CurrentDirectory.DosPath;
    SIZE_T length = RtlpPathLength(Path);
    if (length == 0)
    {
        return STATUS_OBJECT_NAME_INVALID;
    }
    SIZE_T capacity = length + 1024 + 16;
    memset(Builder, 0, sizeof(*Builder));
    Builder->Buffer = RtlpAllocate(capacity * sizeof(WCHAR));
    if (Builder->Buffer == NULL)
    {
        return STATUS_NO_MEMORY;
    }

    ULONG device = RtlIsDosDeviceName_U(Path);
    if (device != 0)
    {
        RtlpAppendRaw(Builder, L"\\\\.\\", 4);
        RtlpAppendRaw(Builder, (PCWSTR)((const UCHAR *)Path + (device >> 16)), (device & 0xFFFF) / sizeof(WCHAR));
        Builder->Root = 4;
        Builder->Buffer[Builder->Length] = 0;
        return STATUS_SUCCESS;
    }

    RtlAcquirePebLock();
    switch (RtlDetermineDosPathNameType_U(Path))
    {
    case RtlPathTypeUncAbsolute:
    {
        SIZE_T root = RtlpUncRoot(Path);
        for (SIZE_T i = 0; i < root; i++)
        {
            Builder->Buffer[i] = RtlpIsSeparator(Path[i]) ? L'\\' : Path[i];
        }
        Builder->Length = Builder->Root = root;
        Path += root;
        break;
    }
    case RtlPathTypeLocalDevice:
        RtlpAppendRaw(Builder, Path[2] == L'?' ? L"\\\\?\\" : L"\\\\.\\", 4);
        Builder->Root = 4;
        Path += 4;
        break;
    case RtlPathTypeRootLocalDevice:
        RtlpAppendRaw(Builder, L"\\\\.\\", 4);
        Builder->Root = 4;
        Path += 3;
        break;
    case RtlPathTypeDriveAbsolute:
        RtlpAppendRaw(Builder, Path, 2);
        Builder->Buffer[Builder->Length++] = L'\\';
        Builder->Root = 3;
        Path += 3;
        break;
    case RtlPathTypeRooted:
        RtlpAppendRaw(Builder, current->Buffer, 2);
        Builder->Buffer[Builder->Length++] = L'\\';
        Builder->Root = 3;
        Path += 1;
        break;
    case RtlPathTypeDriveRelative:
        if (RtlUpcaseUnicodeChar(Path[0]) == RtlUpcaseUnicodeChar(current->Buffer[0]))
        {
            RtlpAppendRaw(Builder, current->Buffer, current->Length / sizeof(WCHAR));
        }
        else
        {
            RtlpAppendDriveDirectory(Builder, Path[0], capacity - length);
        }
        Builder->Root = 3;
        Path += 2;
        break;
    default:
        RtlpAppendRaw(Builder, current->Buffer, current->Length / sizeof(WCHAR));
        Builder->Root = current->Buffer[0] == L'\\' ? RtlpUncRoot(current->Buffer) : 3;
        break;
    }
    RtlReleasePebLock();

    if (*Path != 0)
    {
        RtlpAppendComponents(Builder, Path);
    }
    else if (Builder->Length > Builder->Root && Builder->Buffer[Builder->Length - 1] == L'\\')
    {
        Builder->Length--; /* "C:" alone: the directory itself */
    }
    Builder->Buffer[Builder->Length] = 0;
    return STATUS_SUCCESS;
}

static SIZE_T RtlpFilePart(const RTLP_PATH_BUILDER *Builder)
{
    SIZE_T start = Builder->Length;
    while (start > Builder->Root && Builder->Buffer[start - 1] != L'\\')
    {
        start--;
    }
    return start;
}

/**
 * Makes a full DOS path.
 *
 * @param Size      of Buffer, in bytes
 * @param FilePart  receives the last component's place in Buffer, or NULL if the path ends in '\'
 * @return bytes stored without the zero; if larger than Size, bytes needed with it; 0 on failure
 */
ULONG NTAPI RtlGetFullPathName_U(PCWSTR Path, ULONG Size, PWSTR Buffer, PWSTR *FilePart)
{
    RTLP_PATH_BUILDER builder;
    if (FilePart != NULL)
    {
        *FilePart = NULL;
    }
    if (!NT_SUCCESS(RtlpBuildFullPath(Path, &builder)))
    {
        return 0;
    }
    ULONG bytes = (ULONG)(builder.Length * sizeof(WCHAR));
    if (bytes + sizeof(WCHAR) > Size)
    {
        bytes += sizeof(WCHAR);
    }
    else
    {
        memcpy(Buffer, builder.Buffer, bytes + sizeof(WCHAR));
        SIZE_T part = RtlpFilePart(&builder);
        if (FilePart != NULL && part < builder.Length)
        {
            *FilePart = Buffer + part;
        }
    }
    RtlpFree(builder.Buffer);
    return bytes;
}

static NTSTATUS RtlpMakeNtPath(PCWSTR Prefix, PCWSTR Text, SIZE_T Length, PUNICODE_STRING NtPath)
{
    SIZE_T prefix = RtlpPathLength(Prefix);
    SIZE_T total = (prefix + Length) * sizeof(WCHAR);
    if (total > 0xFFFC)
    {
        return STATUS_NAME_TOO_LONG;
    }
    NtPath->Buffer = RtlpAllocate(total + sizeof(WCHAR));
    if (NtPath->Buffer == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    memcpy(NtPath->Buffer, Prefix, prefix * sizeof(WCHAR));
    memcpy(NtPath->Buffer + prefix, Text, Length * sizeof(WCHAR));
    NtPath->Buffer[prefix + Length] = 0;
    NtPath->Length = (USHORT)total;
    NtPath->MaximumLength = (USHORT)(total + sizeof(WCHAR));
    return STATUS_SUCCESS;
}

/**
 * Turns a DOS path into an NT name.
 *
 * @param NtPath    receives a string that the caller frees with RtlFreeUnicodeString
 * @param FilePart  receives the place of the last component in it, or NULL
 * @param Relative  cleared: names are always given in full
 */
NTSTATUS NTAPI RtlDosPathNameToNtPathName_U_WithStatus(PCWSTR Path, PUNICODE_STRING NtPath, PCWSTR *FilePart,
                                                       PRTL_RELATIVE_NAME_U Relative)
{
    RTLP_PATH_BUILDER builder = {0};
    NTSTATUS status;

    if (Relative != NULL)
    {
        memset(Relative, 0, sizeof(*Relative));
    }
    if (FilePart != NULL)
    {
        *FilePart = NULL;
    }
    if (Path == NULL)
    {
        return STATUS_OBJECT_NAME_INVALID;
    }
    BOOLEAN verbatim = Path[0] == L'\\' && (Path[1] == L'\\' || Path[1] == L'?') && Path[2] == L'?' && Path[3] == L'\\';
    if (verbatim)
    {
        status = RtlpMakeNtPath(L"\\??\\", Path + 4, RtlpPathLength(Path + 4), NtPath);
    }
    else
    {
        status = RtlpBuildFullPath(Path, &builder);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        if (builder.Buffer[0] == L'\\' && (builder.Buffer[2] == L'.' || builder.Buffer[2] == L'?') &&
            builder.Length >= 4 && builder.Buffer[3] == L'\\')
        {
            status = RtlpMakeNtPath(L"\\??\\", builder.Buffer + 4, builder.Length - 4, NtPath);
        }
        else if (builder.Buffer[0] == L'\\')
        {
            status = RtlpMakeNtPath(L"\\??\\UNC\\", builder.Buffer + 2, builder.Length - 2, NtPath);
        }
        else
        {
            status = RtlpMakeNtPath(L"\\??\\", builder.Buffer, builder.Length, NtPath);
        }
        RtlpFree(builder.Buffer);
    }
    if (NT_SUCCESS(status) && FilePart != NULL)
    {
        SIZE_T start = NtPath->Length / sizeof(WCHAR);
        while (start > 4 && NtPath->Buffer[start - 1] != L'\\')
        {
            start--;
        }
        *FilePart = NtPath->Buffer[start] != 0 ? NtPath->Buffer + start : NULL;
    }
    return status;
}

BOOL NTAPI RtlDosPathNameToNtPathName_U(PCWSTR Path, PUNICODE_STRING NtPath, PCWSTR *FilePart, VOID *Relative)
{
    return NT_SUCCESS(RtlDosPathNameToNtPathName_U_WithStatus(Path, NtPath, FilePart, Relative));
}

/** TRUE if a DOS path names a file or directory that is there. */
BOOLEAN NTAPI RtlDoesFileExists_U(PCWSTR Path)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    FILE_BASIC_INFORMATION information;
    if (!NT_SUCCESS(RtlDosPathNameToNtPathName_U_WithStatus(Path, &name, NULL, NULL)))
    {
        return FALSE;
    }
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    NTSTATUS status = NtQueryAttributesFile(&attributes, &information);
    RtlpFree(name.Buffer);
    return NT_SUCCESS(status) || status == STATUS_SHARING_VIOLATION || status == STATUS_ACCESS_DENIED;
}

/**
 * Looks for a file in the directories of a semicolon-separated list.
 *
 * @param Extension  appended if FileName has none; may be NULL
 * @return like RtlGetFullPathName_U; 0 if the file is in none of them
 */
ULONG NTAPI RtlDosSearchPath_U(PCWSTR Path, PCWSTR FileName, PCWSTR Extension, ULONG Size, PWSTR Buffer,
                               PWSTR *FilePart)
{
    SIZE_T nameLength = RtlpPathLength(FileName);
    SIZE_T extensionLength = 0;
    SIZE_T dot = nameLength;
    while (dot > 0 && FileName[dot - 1] != L'.' && !RtlpIsSeparator(FileName[dot - 1]))
    {
        dot--;
    }
    if (Extension != NULL && (dot == 0 || FileName[dot - 1] != L'.'))
    {
        extensionLength = RtlpPathLength(Extension);
    }
    SIZE_T room = RtlpPathLength(Path) + nameLength + extensionLength + 2;
    PWSTR candidate = RtlpAllocate(room * sizeof(WCHAR));
    ULONG result = 0;
    if (candidate == NULL)
    {
        return 0;
    }
    BOOLEAN qualified = RtlDetermineDosPathNameType_U(FileName) != RtlPathTypeRelative;
    PCWSTR next = Path;
    do
    {
        SIZE_T length = 0;
        if (!qualified)
        {
            while (next[length] != 0 && next[length] != L';')
            {
                length++;
            }
            memcpy(candidate, next, length * sizeof(WCHAR));
            next += length + (next[length] == L';');
            if (length != 0 && !RtlpIsSeparator(candidate[length - 1]))
            {
                candidate[length++] = L'\\';
            }
        }
        memcpy(candidate + length, FileName, nameLength * sizeof(WCHAR));
        memcpy(candidate + length + nameLength, Extension, extensionLength * sizeof(WCHAR));
        candidate[length + nameLength + extensionLength] = 0;
        if (RtlDoesFileExists_U(candidate))
        {
            result = RtlGetFullPathName_U(candidate, Size, Buffer, FilePart);
            break;
        }
    } while (!qualified && *next != 0);
    RtlpFree(candidate);
    return result;
}
