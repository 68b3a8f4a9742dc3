/* SPDX-License-Identifier: MIT */
/* Services on keys: create, open, delete, query, enumerate. */
#include "cmp.h"
#include "ex.h"

NTSTATUS CmpReferenceKey(HANDLE Handle, ACCESS_MASK Access, CM_KEY **Key)
{
    return ObReferenceObjectByHandle(Handle, Access, CmKeyObjectType, ExGetPreviousMode(), (PVOID *)Key, NULL);
}

static NTSTATUS CmpReturnHandle(PHANDLE Target, HANDLE Handle, PULONG Disposition, ULONG Value)
{
    __try
    {
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForWrite(Target, sizeof(HANDLE), sizeof(HANDLE));
            if (Disposition != NULL)
            {
                ProbeForWrite(Disposition, sizeof(ULONG), sizeof(ULONG));
            }
        }
        *Target = Handle;
        if (Disposition != NULL)
        {
            *Disposition = Value;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        NTSTATUS status = GetExceptionCode();
        NtClose(Handle);
        return status;
    }
    return STATUS_SUCCESS;
}

/** Opens or creates a key; its parent must exist. REG_OPTION_NON_VOLATILE and VOLATILE are the same here. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtCreateKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, ULONG TitleIndex,
                           PUNICODE_STRING Class, ULONG CreateOptions, PULONG Disposition)
{
    CM_CREATE create = {.Options = CreateOptions};
    HANDLE handle;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(TitleIndex);
    UNREFERENCED_PARAMETER(Class); /* class names are not kept: queries report none */
    if ((CreateOptions & ~REG_OPTION_VOLATILE) != 0)
    {
        return STATUS_NOT_SUPPORTED; /* symbolic links, backup */
    }
    status = ObOpenObjectByName(ObjectAttributes, CmKeyObjectType, ExGetPreviousMode(), NULL, DesiredAccess, &create, &handle);
    return NT_SUCCESS(status) ? CmpReturnHandle(KeyHandle, handle, Disposition, create.Disposition) : status;
}

NTSTATUS NTAPI NtOpenKey(PHANDLE KeyHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    HANDLE handle;
    NTSTATUS status = ObOpenObjectByName(ObjectAttributes, CmKeyObjectType, ExGetPreviousMode(), NULL, DesiredAccess, NULL, &handle);

    return NT_SUCCESS(status) ? CmpReturnHandle(KeyHandle, handle, NULL, 0) : status;
}

NTSTATUS NTAPI NtDeleteKey(HANDLE KeyHandle)
{
    CM_KEY *key;
    NTSTATUS status = CmpReferenceKey(KeyHandle, DELETE, &key);

    if (NT_SUCCESS(status))
    {
        REG_DELETE_KEY_INFORMATION information = {.Object = key};
        CMP_NOTIFICATION notification = CMP_NOTIFICATION_FOR(information, key);

        status = CmpNotifyBefore(&notification, RegNtPreDeleteKey);
        if (NT_SUCCESS(status))
        {
            CmpLockExclusive();
            status = CmpRemoveNode(key->Node);
            CmpUnlock();
        }
        status = CmpNotifyAfter(&notification, RegNtPostDeleteKey, key, status);
        ObDereferenceObject(key);
    }
    return status;
}

/** The registry has no file: what is set is where it stays, so there is nothing left to do. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtFlushKey(HANDLE KeyHandle)
{
    CM_KEY *key;
    NTSTATUS status = CmpReferenceKey(KeyHandle, 0, &key);

    if (NT_SUCCESS(status))
    {
        REG_FLUSH_KEY_INFORMATION information = {.Object = key};
        CMP_NOTIFICATION notification = CMP_NOTIFICATION_FOR(information, key);

        status = CmpNotifyBefore(&notification, RegNtPreFlushKey);
        status = CmpNotifyAfter(&notification, RegNtPostFlushKey, key, status);
        ObDereferenceObject(key);
    }
    return status;
}

NTSTATUS CmpReturn(const VOID *Answer, ULONG Fixed, ULONG Size, PVOID Target, ULONG Length, PULONG ResultLength)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();

    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(ResultLength, sizeof(ULONG), sizeof(ULONG));
            ProbeForWrite(Target, Length, 1);
        }
        *ResultLength = Size;
        if (Length < Fixed)
        {
            return STATUS_BUFFER_TOO_SMALL;
        }
        RtlCopyMemory(Target, Answer, min(Length, Size));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return Length < Size ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static ULONG CmpLongestChildName(CM_NODE *Node)
{
    ULONG longest = 0;

    for (PLIST_ENTRY e = Node->Children.Flink; e != &Node->Children; e = e->Flink)
    {
        longest = max(longest, CONTAINING_RECORD(e, CM_NODE, Links)->Name.Length);
    }
    return longest;
}

static VOID CmpLongestValue(CM_NODE *Node, PULONG Name, PULONG Data)
{
    *Name = *Data = 0;
    for (PLIST_ENTRY e = Node->Values.Flink; e != &Node->Values; e = e->Flink)
    {
        CM_VALUE *value = CONTAINING_RECORD(e, CM_VALUE, Links);
        *Name = max(*Name, value->Name.Length);
        *Data = max(*Data, value->Length);
    }
}

static VOID CmpFillFull(CM_NODE *Node, KEY_FULL_INFORMATION *Full)
{
    Full->LastWriteTime = Node->LastWriteTime;
    Full->ClassOffset = MAXULONG;
    Full->SubKeys = Node->ChildCount;
    Full->MaxNameLen = CmpLongestChildName(Node);
    Full->Values = Node->ValueCount;
    CmpLongestValue(Node, &Full->MaxValueNameLen, &Full->MaxValueDataLen);
}

/* Builds the answer about a node in Buffer (at least 64 bytes and a name). Returns the fixed and the whole size. */
static NTSTATUS CmpDescribeKey(CM_NODE *Node, KEY_INFORMATION_CLASS Class, PVOID Buffer, PULONG Fixed, PULONG Size)
{
    KEY_BASIC_INFORMATION *basic = Buffer;
    KEY_NODE_INFORMATION *node = Buffer;

    switch (Class)
    {
    case KeyBasicInformation:
        basic->LastWriteTime = Node->LastWriteTime;
        basic->NameLength = Node->Name.Length;
        RtlCopyMemory(basic->Name, Node->Name.Buffer, Node->Name.Length);
        *Fixed = FIELD_OFFSET(KEY_BASIC_INFORMATION, Name);
        break;
    case KeyNodeInformation:
        node->LastWriteTime = Node->LastWriteTime;
        node->ClassOffset = MAXULONG;
        node->NameLength = Node->Name.Length;
        RtlCopyMemory(node->Name, Node->Name.Buffer, Node->Name.Length);
        *Fixed = FIELD_OFFSET(KEY_NODE_INFORMATION, Name);
        break;
    case KeyFullInformation:
        CmpFillFull(Node, Buffer);
        *Fixed = *Size = FIELD_OFFSET(KEY_FULL_INFORMATION, Class);
        return STATUS_SUCCESS;
    default:
        return STATUS_INVALID_PARAMETER;
    }
    *Size = *Fixed + Node->Name.Length;
    return STATUS_SUCCESS;
}

static NTSTATUS CmpQueryNode(CM_KEY *Key, BOOLEAN Child, ULONG Index, KEY_INFORMATION_CLASS Class, PVOID Target, ULONG Length, PULONG ResultLength)
{
    const ULONG room = 64 + CM_MAX_NAME * sizeof(WCHAR);
    PVOID buffer = ExAllocatePoolWithTag(PagedPool, room, CM_TAG);
    ULONG fixed = 0, size = 0;
    CM_NODE *node;
    NTSTATUS status;

    if (buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(buffer, room);
    CmpLockShared();
    node = Child ? CmpChildAt(Key->Node, Index) : Key->Node;
    if (Key->Node->Deleted)
    {
        status = STATUS_KEY_DELETED;
    }
    else if (node == NULL)
    {
        status = STATUS_NO_MORE_ENTRIES;
    }
    else
    {
        status = CmpDescribeKey(node, Class, buffer, &fixed, &size);
    }
    CmpUnlock();
    if (NT_SUCCESS(status))
    {
        status = CmpReturn(buffer, fixed, size, Target, Length, ResultLength);
    }
    ExFreePoolWithTag(buffer, CM_TAG);
    return status;
}

static NTSTATUS CmpQueryName(CM_KEY *Key, PVOID Target, ULONG Length, PULONG ResultLength)
{
    const ULONG room = 0xFFFE;
    CM_NAME_INFORMATION *name = ExAllocatePoolWithTag(PagedPool, sizeof(*name) + room, CM_TAG);
    UNICODE_STRING path;
    ULONG needed;
    NTSTATUS status;

    if (name == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    path.Buffer = name->Name;
    path.Length = 0;
    path.MaximumLength = (USHORT)room;
    status = CmpQueryKeyName(Key, &path, &needed);
    if (NT_SUCCESS(status))
    {
        name->NameLength = path.Length;
        status = CmpReturn(name, FIELD_OFFSET(CM_NAME_INFORMATION, Name), FIELD_OFFSET(CM_NAME_INFORMATION, Name) + path.Length,
                           Target, Length, ResultLength);
    }
    ExFreePoolWithTag(name, CM_TAG);
    return status;
}

NTSTATUS NTAPI NtQueryKey(HANDLE KeyHandle, KEY_INFORMATION_CLASS Class, PVOID Information, ULONG Length, PULONG ResultLength)
{
    CM_KEY *key;
    NTSTATUS status = CmpReferenceKey(KeyHandle, Class == KeyNameInformation ? 0 : KEY_QUERY_VALUE, &key);

    if (NT_SUCCESS(status))
    {
        REG_QUERY_KEY_INFORMATION information = {.Object = key,
                                                 .KeyInformationClass = Class,
                                                 .KeyInformation = Information,
                                                 .Length = Length,
                                                 .ResultLength = ResultLength};
        CMP_NOTIFICATION notification = CMP_NOTIFICATION_FOR(information, key);

        status = CmpNotifyBefore(&notification, RegNtPreQueryKey);
        if (NT_SUCCESS(status))
        {
            status = Class == KeyNameInformation
                         ? CmpQueryName(key, Information, Length, ResultLength)
                         : CmpQueryNode(key, FALSE, 0, Class, Information, Length, ResultLength);
        }
        status = CmpNotifyAfter(&notification, RegNtPostQueryKey, key, status);
        ObDereferenceObject(key);
    }
    return status;
}

NTSTATUS NTAPI NtEnumerateKey(HANDLE KeyHandle, ULONG Index, KEY_INFORMATION_CLASS Class, PVOID Information, ULONG Length, PULONG ResultLength)
{
    CM_KEY *key;
    NTSTATUS status = CmpReferenceKey(KeyHandle, KEY_ENUMERATE_SUB_KEYS, &key);

    if (NT_SUCCESS(status))
    {
        REG_ENUMERATE_KEY_INFORMATION information = {.Object = key,
                                                     .Index = Index,
                                                     .KeyInformationClass = Class,
                                                     .KeyInformation = Information,
                                                     .Length = Length,
                                                     .ResultLength = ResultLength};
        CMP_NOTIFICATION notification = CMP_NOTIFICATION_FOR(information, key);

        status = CmpNotifyBefore(&notification, RegNtPreEnumerateKey);
        if (NT_SUCCESS(status))
        {
            status = CmpQueryNode(key, TRUE, Index, Class, Information, Length, ResultLength);
        }
        status = CmpNotifyAfter(&notification, RegNtPostEnumerateKey, key, status);
        ObDereferenceObject(key);
    }
    return status;
}
