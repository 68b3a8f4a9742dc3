/* SPDX-License-Identifier: MIT */
/* Services on values: set, delete, query, enumerate. */
#include "cmp.h"
#include "ex.h"

NTSTATUS CmpCaptureString(PUNICODE_STRING Source, ULONG MaximumCharacters, PUNICODE_STRING Captured)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PWCHAR copy = NULL;

    Captured->Buffer = NULL;
    Captured->Length = Captured->MaximumLength = 0;
    if (Source == NULL)
    {
        return STATUS_SUCCESS;
    }
    __try
    {
        UNICODE_STRING local;

        if (mode != KernelMode)
        {
            ProbeForRead(Source, sizeof(*Source), sizeof(PVOID));
        }
        local = *(volatile UNICODE_STRING *)Source;
        if ((local.Length & 1) != 0 || local.Length > MaximumCharacters * sizeof(WCHAR))
        {
            return STATUS_INVALID_PARAMETER;
        }
        if (local.Length == 0)
        {
            return STATUS_SUCCESS;
        }
        if (mode != KernelMode)
        {
            ProbeForRead(local.Buffer, local.Length, sizeof(WCHAR));
        }
        copy = ExAllocatePoolWithTag(PagedPool, local.Length, CM_TAG);
        if (copy == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        RtlCopyMemory(copy, local.Buffer, local.Length);
        Captured->Length = Captured->MaximumLength = local.Length;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        NTSTATUS status = GetExceptionCode();
        if (copy != NULL)
        {
            ExFreePoolWithTag(copy, CM_TAG);
        }
        return status;
    }
    Captured->Buffer = copy;
    return STATUS_SUCCESS;
}

static VOID CmpFreeString(PUNICODE_STRING String)
{
    if (String->Buffer != NULL)
    {
        ExFreePoolWithTag(String->Buffer, CM_TAG);
    }
}

static NTSTATUS CmpCaptureData(const VOID *Data, ULONG Length, PVOID *Captured)
{
    PVOID copy;

    *Captured = NULL;
    if (Length == 0)
    {
        return STATUS_SUCCESS;
    }
    copy = ExAllocatePoolWithTag(PagedPool, Length, CM_TAG);
    if (copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    __try
    {
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForRead((PVOID)(ULONG_PTR)Data, Length, 1);
        }
        RtlCopyMemory(copy, Data, Length);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        NTSTATUS status = GetExceptionCode();
        ExFreePoolWithTag(copy, CM_TAG);
        return status;
    }
    *Captured = copy;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtSetValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName, ULONG TitleIndex, ULONG Type, PVOID Data, ULONG DataSize)
{
    UNICODE_STRING name;
    PVOID data = NULL;
    CM_KEY *key = NULL;
    NTSTATUS status;

    if (DataSize > CM_MAX_VALUE_DATA)
    {
        return STATUS_INVALID_PARAMETER;
    }
    status = CmpCaptureString(ValueName, CM_MAX_VALUE_NAME, &name);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = CmpCaptureData(Data, DataSize, &data);
    if (NT_SUCCESS(status))
    {
        status = CmpReferenceKey(KeyHandle, KEY_SET_VALUE, &key);
    }
    if (NT_SUCCESS(status))
    {
        REG_SET_VALUE_KEY_INFORMATION information = {.Object = key,
                                                     .ValueName = &name,
                                                     .TitleIndex = TitleIndex,
                                                     .Type = Type,
                                                     .Data = data,
                                                     .DataSize = DataSize};
        CMP_NOTIFICATION notification = CMP_NOTIFICATION_FOR(information, key);

        status = CmpNotifyBefore(&notification, RegNtPreSetValueKey);
        if (NT_SUCCESS(status))
        {
            CmpLockExclusive();
            status = key->Node->Deleted ? STATUS_KEY_DELETED : CmpSetValue(key->Node, &name, Type, data, DataSize);
            CmpUnlock();
        }
        status = CmpNotifyAfter(&notification, RegNtPostSetValueKey, key, status);
        ObDereferenceObject(key);
    }
    if (data != NULL)
    {
        ExFreePoolWithTag(data, CM_TAG);
    }
    CmpFreeString(&name);
    return status;
}

static NTSTATUS CmpDeleteValue(CM_KEY *Key, PCUNICODE_STRING Name)
{
    CM_VALUE *value;
    NTSTATUS status;

    CmpLockExclusive();
    value = CmpFindValue(Key->Node, Name);
    status = Key->Node->Deleted ? STATUS_KEY_DELETED : value == NULL ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_SUCCESS;
    if (NT_SUCCESS(status))
    {
        CmpRemoveValue(Key->Node, value);
    }
    CmpUnlock();
    return status;
}

NTSTATUS NTAPI NtDeleteValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName)
{
    UNICODE_STRING name;
    CM_KEY *key;
    NTSTATUS status = CmpCaptureString(ValueName, CM_MAX_VALUE_NAME, &name);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = CmpReferenceKey(KeyHandle, KEY_SET_VALUE, &key);
    if (NT_SUCCESS(status))
    {
        REG_DELETE_VALUE_KEY_INFORMATION information = {.Object = key, .ValueName = &name};
        CMP_NOTIFICATION notification = CMP_NOTIFICATION_FOR(information, key);

        status = CmpNotifyBefore(&notification, RegNtPreDeleteValueKey);
        if (NT_SUCCESS(status))
        {
            status = CmpDeleteValue(key, &name);
        }
        status = CmpNotifyAfter(&notification, RegNtPostDeleteValueKey, key, status);
        ObDereferenceObject(key);
    }
    CmpFreeString(&name);
    return status;
}

/* An answer about a value, in paged pool: fixed part, name, data, as the class asks. */
static NTSTATUS CmpDescribeValue(CM_VALUE *Value, KEY_VALUE_INFORMATION_CLASS Class, PVOID *Answer, PULONG Fixed, PULONG Size)
{
    ULONG nameLength = Value->Name.Length;
    ULONG dataOffset = 0;
    PUCHAR buffer;

    switch (Class)
    {
    case KeyValueBasicInformation:
        *Fixed = FIELD_OFFSET(KEY_VALUE_BASIC_INFORMATION, Name);
        *Size = *Fixed + nameLength;
        break;
    case KeyValueFullInformation:
        *Fixed = FIELD_OFFSET(KEY_VALUE_FULL_INFORMATION, Name);
        dataOffset = (*Fixed + nameLength + 3) & ~3UL;
        *Size = dataOffset + Value->Length;
        break;
    case KeyValuePartialInformation:
        *Fixed = FIELD_OFFSET(KEY_VALUE_PARTIAL_INFORMATION, Data);
        *Size = *Fixed + Value->Length;
        break;
    default:
        return STATUS_INVALID_PARAMETER;
    }
    buffer = ExAllocatePoolWithTag(PagedPool, max(*Size, sizeof(KEY_VALUE_FULL_INFORMATION)), CM_TAG);
    if (buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(buffer, *Size);
    if (Class == KeyValueBasicInformation)
    {
        KEY_VALUE_BASIC_INFORMATION *basic = (PVOID)buffer;
        basic->Type = Value->Type;
        basic->NameLength = nameLength;
        RtlCopyMemory(basic->Name, Value->Name.Buffer, nameLength);
    }
    else if (Class == KeyValueFullInformation)
    {
        KEY_VALUE_FULL_INFORMATION *full = (PVOID)buffer;
        full->Type = Value->Type;
        full->DataOffset = dataOffset;
        full->DataLength = Value->Length;
        full->NameLength = nameLength;
        RtlCopyMemory(full->Name, Value->Name.Buffer, nameLength);
        RtlCopyMemory(buffer + dataOffset, Value->Data, Value->Length);
    }
    else
    {
        KEY_VALUE_PARTIAL_INFORMATION *partial = (PVOID)buffer;
        partial->Type = Value->Type;
        partial->DataLength = Value->Length;
        RtlCopyMemory(partial->Data, Value->Data, Value->Length);
    }
    *Answer = buffer;
    return STATUS_SUCCESS;
}

static NTSTATUS CmpQueryValue(CM_KEY *Key, PCUNICODE_STRING Name, ULONG Index, KEY_VALUE_INFORMATION_CLASS Class,
                              PVOID Target, ULONG Length, PULONG ResultLength)
{
    PVOID answer = NULL;
    ULONG fixed = 0, size = 0;
    CM_VALUE *value;
    NTSTATUS status;

    CmpLockShared();
    value = Name != NULL ? CmpFindValue(Key->Node, Name) : CmpValueAt(Key->Node, Index);
    if (Key->Node->Deleted)
    {
        status = STATUS_KEY_DELETED;
    }
    else if (value == NULL)
    {
        status = Name != NULL ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_NO_MORE_ENTRIES;
    }
    else
    {
        status = CmpDescribeValue(value, Class, &answer, &fixed, &size);
    }
    CmpUnlock();
    if (NT_SUCCESS(status))
    {
        status = CmpReturn(answer, fixed, size, Target, Length, ResultLength);
        ExFreePoolWithTag(answer, CM_TAG);
    }
    return status;
}

NTSTATUS NTAPI NtQueryValueKey(HANDLE KeyHandle, PUNICODE_STRING ValueName, KEY_VALUE_INFORMATION_CLASS Class, PVOID Information,
                               ULONG Length, PULONG ResultLength)
{
    UNICODE_STRING name;
    CM_KEY *key;
    NTSTATUS status = CmpCaptureString(ValueName, CM_MAX_VALUE_NAME, &name);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = CmpReferenceKey(KeyHandle, KEY_QUERY_VALUE, &key);
    if (NT_SUCCESS(status))
    {
        REG_QUERY_VALUE_KEY_INFORMATION information = {.Object = key,
                                                       .ValueName = &name,
                                                       .KeyValueInformationClass = Class,
                                                       .KeyValueInformation = Information,
                                                       .Length = Length,
                                                       .ResultLength = ResultLength};
        CMP_NOTIFICATION notification = CMP_NOTIFICATION_FOR(information, key);

        status = CmpNotifyBefore(&notification, RegNtPreQueryValueKey);
        if (NT_SUCCESS(status))
        {
            status = CmpQueryValue(key, &name, 0, Class, Information, Length, ResultLength);
        }
        status = CmpNotifyAfter(&notification, RegNtPostQueryValueKey, key, status);
        ObDereferenceObject(key);
    }
    CmpFreeString(&name);
    return status;
}

NTSTATUS NTAPI NtEnumerateValueKey(HANDLE KeyHandle, ULONG Index, KEY_VALUE_INFORMATION_CLASS Class, PVOID Information, ULONG Length,
                                   PULONG ResultLength)
{
    CM_KEY *key;
    NTSTATUS status = CmpReferenceKey(KeyHandle, KEY_QUERY_VALUE, &key);

    if (NT_SUCCESS(status))
    {
        REG_ENUMERATE_VALUE_KEY_INFORMATION information = {.Object = key,
                                                           .Index = Index,
                                                           .KeyValueInformationClass = Class,
                                                           .KeyValueInformation = Information,
                                                           .Length = Length,
                                                           .ResultLength = ResultLength};
        CMP_NOTIFICATION notification = CMP_NOTIFICATION_FOR(information, key);

        status = CmpNotifyBefore(&notification, RegNtPreEnumerateValueKey);
        if (NT_SUCCESS(status))
        {
            status = CmpQueryValue(key, NULL, Index, Class, Information, Length, ResultLength);
        }
        status = CmpNotifyAfter(&notification, RegNtPostEnumerateValueKey, key, status);
        ObDereferenceObject(key);
    }
    return status;
}
