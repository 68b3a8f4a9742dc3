/* SPDX-License-Identifier: MIT */
/*
 * Registry keys by the short names that drivers use, and the simple operations on them.
 *
 * IRQL of everything here: PASSIVE_LEVEL.
 */
#include "rtlp_registry.h"
#include "rtl/rtlenv.h"
#include "rtl/crtnames.h"

static const PCWSTR RtlpRegistryRoots[RTL_REGISTRY_MAXIMUM] = {
    L"",
    L"\\Registry\\Machine\\System\\CurrentControlSet\\Services",
    L"\\Registry\\Machine\\System\\CurrentControlSet\\Control",
    L"\\Registry\\Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion",
    L"\\Registry\\Machine\\Hardware\\DeviceMap",
    L"\\Registry\\User\\.Default",
};

/* Makes "root\path" in a new buffer. */
static NTSTATUS RtlpJoinPath(PCWSTR Root, PCWSTR Path, PUNICODE_STRING Name)
{
    SIZE_T RootLength = wcslen(Root);
    SIZE_T PathLength = wcsnlen(Path, 0x8000);
    SIZE_T Bytes = (RootLength + 1 + PathLength + 1) * sizeof(WCHAR);
    ULONG At;

    if (Bytes > 0xFFFE)
    {
        return STATUS_NAME_TOO_LONG;
    }

    Name->Buffer = ExAllocatePoolWithTag(PagedPool, Bytes, RTLP_REGISTRY_TAG);
    if (Name->Buffer == NULL)
    {
        return STATUS_NO_MEMORY;
    }

    memcpy(Name->Buffer, Root, RootLength * sizeof(WCHAR));
    At = (ULONG)RootLength;
    if (RootLength != 0 && PathLength != 0 && Path[0] != '\\')
    {
        Name->Buffer[At++] = '\\';
    }

    memcpy(Name->Buffer + At, Path, PathLength * sizeof(WCHAR));
    At += (ULONG)PathLength;
    Name->Buffer[At] = 0;
    Name->Length = (USHORT)(At * sizeof(WCHAR));
    Name->MaximumLength = (USHORT)Bytes;
    return STATUS_SUCCESS;
}

NTSTATUS RtlpOpenRegistryKey(_In_ ULONG RelativeTo, _In_opt_ PCWSTR Path, _In_ BOOLEAN Create, _Out_ PHANDLE Key,
                             _Out_ PBOOLEAN Owned)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    ULONG Disposition;
    NTSTATUS Status;

    *Key = NULL;
    *Owned = TRUE;
    if ((RelativeTo & RTL_REGISTRY_HANDLE) != 0)
    {
        *Key = (HANDLE)(ULONG_PTR)Path;
        *Owned = FALSE;
        return STATUS_SUCCESS;
    }

    RelativeTo &= ~(ULONG)RTL_REGISTRY_OPTIONAL;
    if (RelativeTo >= RTL_REGISTRY_MAXIMUM || (RelativeTo == RTL_REGISTRY_ABSOLUTE && Path == NULL))
    {
        return STATUS_INVALID_PARAMETER;
    }

    Status = RtlpJoinPath(RtlpRegistryRoots[RelativeTo], Path != NULL ? Path : L"", &Name);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }

    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = Create ? ZwCreateKey(Key, KEY_READ | KEY_WRITE, &Attributes, 0, NULL, REG_OPTION_NON_VOLATILE,
                                  &Disposition)
                    : ZwOpenKey(Key, KEY_READ | KEY_WRITE, &Attributes);
    ExFreePoolWithTag(Name.Buffer, RTLP_REGISTRY_TAG);
    return Status;
}

/**
 * Tells whether a key exists.
 *
 * @param RelativeTo  RTL_REGISTRY_...
 * @param Path        path below it
 * @return STATUS_SUCCESS, or why it could not be opened
 */
NTSTATUS NTAPI RtlCheckRegistryKey(_In_ ULONG RelativeTo, _In_ PWSTR Path)
{
    BOOLEAN Owned;
    HANDLE Key;
    NTSTATUS Status = RtlpOpenRegistryKey(RelativeTo, Path, FALSE, &Key, &Owned);

    if (NT_SUCCESS(Status) && Owned)
    {
        ZwClose(Key);
    }

    return Status;
}

/**
 * Makes a key, unless it exists.
 */
NTSTATUS NTAPI RtlCreateRegistryKey(_In_ ULONG RelativeTo, _In_ PWSTR Path)
{
    BOOLEAN Owned;
    HANDLE Key;
    NTSTATUS Status = RtlpOpenRegistryKey(RelativeTo, Path, TRUE, &Key, &Owned);

    if (NT_SUCCESS(Status) && Owned)
    {
        ZwClose(Key);
    }

    return Status;
}

/**
 * Writes a value; the key is made if it is missing.
 *
 * @param ValueName    NULL: the key's unnamed value
 * @param ValueType    REG_...
 * @param ValueData    ValueLength bytes
 */
NTSTATUS NTAPI RtlWriteRegistryValue(_In_ ULONG RelativeTo, _In_ PCWSTR Path, _In_opt_ PCWSTR ValueName,
                                     _In_ ULONG ValueType, _In_reads_bytes_opt_(ValueLength) PVOID ValueData,
                                     _In_ ULONG ValueLength)
{
    UNICODE_STRING Name;
    BOOLEAN Owned;
    HANDLE Key;
    NTSTATUS Status = RtlpOpenRegistryKey(RelativeTo, Path, TRUE, &Key, &Owned);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }

    RtlInitUnicodeString(&Name, ValueName);
    Status = ZwSetValueKey(Key, &Name, 0, ValueType, ValueData, ValueLength);
    if (Owned)
    {
        ZwClose(Key);
    }

    return Status;
}

/**
 * Deletes a value.
 */
NTSTATUS NTAPI RtlDeleteRegistryValue(_In_ ULONG RelativeTo, _In_ PCWSTR Path, _In_opt_ PCWSTR ValueName)
{
    UNICODE_STRING Name;
    BOOLEAN Owned;
    HANDLE Key;
    NTSTATUS Status = RtlpOpenRegistryKey(RelativeTo, Path, FALSE, &Key, &Owned);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }

    RtlInitUnicodeString(&Name, ValueName);
    Status = ZwDeleteValueKey(Key, &Name);
    if (Owned)
    {
        ZwClose(Key);
    }

    return Status;
}
