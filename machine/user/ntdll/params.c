/* SPDX-License-Identifier: MIT */
/* Process parameters and the current directory. */
#include "ntdllp.h"

#define CURRENT_DIRECTORY_CHARACTERS 264

static WCHAR RtlpCurrentDirectory[CURRENT_DIRECTORY_CHARACTERS];

/* ---- The current directory ---- */

/* Opens a directory and makes it the current one; the handle keeps it from being deleted. */
static NTSTATUS RtlpEnterDirectory(PCWSTR FullPath, SIZE_T Length)
{
    PCURDIR current = &NtCurrentPeb()->ProcessParameters->CurrentDirectory;
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK ioStatus;
    HANDLE handle;

    if (Length + 2 > CURRENT_DIRECTORY_CHARACTERS)
    {
        return STATUS_NAME_TOO_LONG;
    }
    NTSTATUS status = RtlDosPathNameToNtPathName_U_WithStatus(FullPath, &name, NULL, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_INHERIT, NULL, NULL);
    status = NtOpenFile(&handle, FILE_TRAVERSE | SYNCHRONIZE, &attributes, &ioStatus,
                        FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT);
    RtlpFree(name.Buffer);
    if (!NT_SUCCESS(status))
    {
        return status;
    }

    HANDLE old = current->Handle;
    memmove(RtlpCurrentDirectory, FullPath, Length * sizeof(WCHAR));
    if (RtlpCurrentDirectory[Length - 1] != L'\\')
    {
        RtlpCurrentDirectory[Length++] = L'\\';
    }
    RtlpCurrentDirectory[Length] = 0;
    current->DosPath.Buffer = RtlpCurrentDirectory;
    current->DosPath.Length = (USHORT)(Length * sizeof(WCHAR));
    current->DosPath.MaximumLength = sizeof(RtlpCurrentDirectory);
    current->Handle = handle;
    if (old != NULL)
    {
        NtClose(old);
    }
    return STATUS_SUCCESS;
}

/** Changes the current directory. The path may be relative; it must name a directory. */
NTSTATUS NTAPI RtlSetCurrentDirectory_U(PUNICODE_STRING Path)
{
    WCHAR full[CURRENT_DIRECTORY_CHARACTERS];
    PWSTR copy = RtlpAllocate((SIZE_T)Path->Length + sizeof(WCHAR));
    if (copy == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    memcpy(copy, Path->Buffer, Path->Length);
    copy[Path->Length / sizeof(WCHAR)] = 0;

    RtlAcquirePebLock();
    ULONG bytes = RtlGetFullPathName_U(copy, sizeof(full), full, NULL);
    NTSTATUS status = bytes == 0                ? STATUS_OBJECT_NAME_INVALID
                      : bytes >= sizeof(full) ? STATUS_NAME_TOO_LONG
                                                : RtlpEnterDirectory(full, bytes / sizeof(WCHAR));
    RtlReleasePebLock();
    RtlpFree(copy);
    return status;
}

/** Copies the current directory, without a trailing '\' unless it is a root. Lengths as RtlGetFullPathName_U. */
ULONG NTAPI RtlGetCurrentDirectory_U(ULONG Size, PWSTR Buffer)
{
    RtlAcquirePebLock();
    PUNICODE_STRING path = &NtCurrentPeb()->ProcessParameters->CurrentDirectory.DosPath;
    ULONG bytes = path->Length;
    if (bytes > 3 * sizeof(WCHAR) && path->Buffer[bytes / sizeof(WCHAR) - 1] == L'\\')
    {
        bytes -= sizeof(WCHAR);
    }
    if (bytes + sizeof(WCHAR) > Size)
    {
        bytes += sizeof(WCHAR);
    }
    else
    {
        memcpy(Buffer, path->Buffer, bytes);
        Buffer[bytes / sizeof(WCHAR)] = 0;
    }
    RtlReleasePebLock();
    return bytes;
}

NTSTATUS RtlpInitializeCurrentDirectory(VOID)
{
    PCURDIR current = &NtCurrentPeb()->ProcessParameters->CurrentDirectory;
    WCHAR path[CURRENT_DIRECTORY_CHARACTERS];
    SIZE_T length = current->DosPath.Length / sizeof(WCHAR);

    current->Handle = NULL; /* the parent's value means nothing here */
    if (length != 0 && length + 2 <= CURRENT_DIRECTORY_CHARACTERS)
    {
        memcpy(path, current->DosPath.Buffer, length * sizeof(WCHAR));
        path[length] = 0;
        if (NT_SUCCESS(RtlpEnterDirectory(path, length)))
        {
            return STATUS_SUCCESS;
        }
    }
    return RtlpEnterDirectory(L"C:\\", 3);
}

/* ---- Parameter blocks ---- */

static PUNICODE_STRING RtlpParameterString(PRTL_USER_PROCESS_PARAMETERS Parameters, ULONG Index)
{
    PUNICODE_STRING strings[] = {
        &Parameters->CurrentDirectory.DosPath, &Parameters->DllPath,     &Parameters->ImagePathName,
        &Parameters->CommandLine,              &Parameters->WindowTitle, &Parameters->DesktopInfo,
        &Parameters->ShellInfo,                &Parameters->RuntimeData,
    };
    return Index < ARRAYSIZE(strings) ? strings[Index] : NULL;
}

/** Turns the offsets of a block into pointers, once. */
PRTL_USER_PROCESS_PARAMETERS NTAPI RtlNormalizeProcessParams(PRTL_USER_PROCESS_PARAMETERS Parameters)
{
    PUNICODE_STRING string;
    if (Parameters != NULL && !(Parameters->Flags & RTL_USER_PROC_PARAMS_NORMALIZED))
    {
        for (ULONG i = 0; (string = RtlpParameterString(Parameters, i)) != NULL; i++)
        {
            if (string->Buffer != NULL)
            {
                string->Buffer = (PWSTR)((PUCHAR)Parameters + (ULONG_PTR)string->Buffer);
            }
        }
        Parameters->Flags |= RTL_USER_PROC_PARAMS_NORMALIZED;
    }
    return Parameters;
}

/* Turns the pointers into offsets. The environment's stays a pointer, as on Windows. */
PRTL_USER_PROCESS_PARAMETERS NTAPI RtlDeNormalizeProcessParams(PRTL_USER_PROCESS_PARAMETERS Parameters)
{
    PUNICODE_STRING string;
    if (Parameters != NULL && (Parameters->Flags & RTL_USER_PROC_PARAMS_NORMALIZED))
    {
        for (ULONG i = 0; (string = RtlpParameterString(Parameters, i)) != NULL; i++)
        {
            if (string->Buffer != NULL)
            {
                string->Buffer = (PWSTR)((ULONG_PTR)string->Buffer - (ULONG_PTR)Parameters);
            }
        }
        Parameters->Flags &= ~RTL_USER_PROC_PARAMS_NORMALIZED;
    }
    return Parameters;
}

static SIZE_T RtlpEnvironmentBytes(PCWSTR Environment)
{
    SIZE_T length = 0;
    if (Environment == NULL)
    {
        return 0;
    }
    while (Environment[length] != 0)
    {
        while (Environment[length] != 0)
        {
            length++;
        }
        length++;
    }
    return (length == 0 ? 2 : length + 1) * sizeof(WCHAR);
}

/**
 * Makes the parameter block for a new process: header, strings and environment in one heap block.
 *
 * @param ImagePathName     NT path of the program
 * @param CurrentDirectory  DOS path; NULL = the caller's. DllPath, Environment likewise
 * @param Flags             RTL_USER_PROC_PARAMS_NORMALIZED leaves pointers in the block, else offsets
 * @return STATUS_NO_MEMORY, STATUS_NAME_TOO_LONG. Free it with RtlDestroyProcessParameters.
 */
NTSTATUS NTAPI RtlCreateProcessParametersEx(PRTL_USER_PROCESS_PARAMETERS *Parameters, PUNICODE_STRING ImagePathName,
                                            PUNICODE_STRING DllPath, PUNICODE_STRING CurrentDirectory,
                                            PUNICODE_STRING CommandLine, PVOID Environment,
                                            PUNICODE_STRING WindowTitle, PUNICODE_STRING DesktopInfo,
                                            PUNICODE_STRING ShellInfo, PUNICODE_STRING RuntimeData, ULONG Flags)
{
    static UNICODE_STRING empty = {0, 0, NULL};
    NTSTATUS status = STATUS_SUCCESS;
    PRTL_USER_PROCESS_PARAMETERS own = NtCurrentPeb()->ProcessParameters;

    RtlAcquirePebLock();
    PUNICODE_STRING sources[] = {
        CurrentDirectory != NULL ? CurrentDirectory : &own->CurrentDirectory.DosPath,
        DllPath != NULL ? DllPath : &own->DllPath,
        ImagePathName,
        CommandLine != NULL ? CommandLine : ImagePathName,
        WindowTitle != NULL ? WindowTitle : &empty,
        DesktopInfo != NULL ? DesktopInfo : &empty,
        ShellInfo != NULL ? ShellInfo : &empty,
        RuntimeData != NULL ? RuntimeData : &empty,
    };
    PCWSTR environment = Environment != NULL ? Environment : own->Environment;
    SIZE_T environmentBytes = RtlpEnvironmentBytes(environment);
    SIZE_T size = sizeof(RTL_USER_PROCESS_PARAMETERS);
    for (ULONG i = 0; i < ARRAYSIZE(sources); i++)
    {
        size = ALIGN_UP(size + sources[i]->Length + sizeof(WCHAR), sizeof(PVOID));
    }
    SIZE_T total = size + environmentBytes;
    PRTL_USER_PROCESS_PARAMETERS block = NULL;
    if (total > 0x7FFFFFFF)
    {
        status = STATUS_NAME_TOO_LONG;
        goto Exit;
    }
    block = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, total);
    if (block == NULL)
    {
        status = STATUS_NO_MEMORY;
        goto Exit;
    }
    block->MaximumLength = (ULONG)total;
    block->Length = (ULONG)total;
    block->Flags = RTL_USER_PROC_PARAMS_NORMALIZED;

    SIZE_T offset = sizeof(*block);
    for (ULONG i = 0; i < ARRAYSIZE(sources); i++)
    {
        PUNICODE_STRING target = RtlpParameterString(block, i);
        target->Length = sources[i]->Length;
        target->MaximumLength = sources[i]->Length + sizeof(WCHAR);
        target->Buffer = (PWSTR)((PUCHAR)block + offset);
        memcpy(target->Buffer, sources[i]->Buffer, target->Length);
        offset = ALIGN_UP(offset + target->MaximumLength, sizeof(PVOID));
    }
    if (environmentBytes != 0)
    {
        block->Environment = (PWSTR)((PUCHAR)block + offset);
        block->EnvironmentSize = environmentBytes;
        memcpy(block->Environment, environment, environmentBytes);
    }
    if (!(Flags & RTL_USER_PROC_PARAMS_NORMALIZED))
    {
        RtlDeNormalizeProcessParams(block);
    }
Exit:
    RtlReleasePebLock();
    *Parameters = block;
    return status;
}

NTSTATUS NTAPI RtlDestroyProcessParameters(PRTL_USER_PROCESS_PARAMETERS Parameters)
{
    RtlpFree(Parameters);
    return STATUS_SUCCESS;
}

/*
 * What the kernel hands over: pointers (or offsets, from a parent that left them), and the program's
 * NT path, of which programs want to see the DOS form.
 */
NTSTATUS RtlpInitializeParameters(VOID)
{
    PRTL_USER_PROCESS_PARAMETERS parameters = RtlNormalizeProcessParams(NtCurrentPeb()->ProcessParameters);
    if (parameters == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    static const UNICODE_STRING prefix = RTL_CONSTANT_STRING16(L"\\??\\");
    PUNICODE_STRING path = &parameters->ImagePathName;
    if (path->Length > prefix.Length && memcmp(path->Buffer, prefix.Buffer, prefix.Length) == 0)
    {
        path->Buffer += prefix.Length / sizeof(WCHAR);
        path->Length -= prefix.Length;
        path->MaximumLength -= prefix.Length;
    }
    return STATUS_SUCCESS;
}
