/* SPDX-License-Identifier: MIT */
/*
 * RtlQueryRegistryValues: a table of questions about one key and its subkeys.
 */
#include "rtlp_registry.h"
#include "rtl/rtlenv.h"
#include "rtl/crtnames.h"

#define RTLP_FIRST_SIZE 256

typedef struct _RTLP_QUERY
{
    HANDLE Top;     /* the key the call names; NULL if it is missing and was optional */
    HANDLE Current; /* Top, or the subkey of the last RTL_QUERY_REGISTRY_SUBKEY entry */
    PVOID Context;
    PVOID Environment;
} RTLP_QUERY, *PRTLP_QUERY;

/*
 * Reads a value by name, or the Index-th one. *Information is from pool; two zero bytes follow the data.
 */
static NTSTATUS RtlpReadValue(HANDLE Key, PUNICODE_STRING Name, ULONG Index, PKEY_VALUE_FULL_INFORMATION *Information)
{
    ULONG Size = RTLP_FIRST_SIZE;
    NTSTATUS Status;

    for (;;)
    {
        PKEY_VALUE_FULL_INFORMATION Buffer = ExAllocatePoolWithTag(PagedPool, (SIZE_T)Size + sizeof(WCHAR),
                                                                   RTLP_REGISTRY_TAG);
        ULONG Needed = 0;

        if (Buffer == NULL)
        {
            return STATUS_NO_MEMORY;
        }

        Status = Name != NULL ? ZwQueryValueKey(Key, Name, KeyValueFullInformation, Buffer, Size, &Needed)
                              : ZwEnumerateValueKey(Key, Index, KeyValueFullInformation, Buffer, Size, &Needed);
        if (NT_SUCCESS(Status) && Status != STATUS_BUFFER_OVERFLOW)
        {
            memset((PUCHAR)Buffer + Buffer->DataOffset + Buffer->DataLength, 0, sizeof(WCHAR));
            *Information = Buffer;
            return STATUS_SUCCESS;
        }

        ExFreePoolWithTag(Buffer, RTLP_REGISTRY_TAG);
        if ((Status != STATUS_BUFFER_OVERFLOW && Status != STATUS_BUFFER_TOO_SMALL) || Needed <= Size ||
            Needed > 0x7FFFFFFF)
        {
            return Status;
        }

        Size = Needed;
    }
}

static NTSTATUS RtlpQueryNamedValue(PRTLP_QUERY Query, PRTL_QUERY_REGISTRY_TABLE Entry)
{
    PKEY_VALUE_FULL_INFORMATION Value;
    UNICODE_STRING Name;
    NTSTATUS Status = STATUS_OBJECT_NAME_NOT_FOUND;

    RtlInitUnicodeString(&Name, Entry->Name);
    if (Query->Current != NULL)
    {
        Status = RtlpReadValue(Query->Current, &Name, 0, &Value);
    }

    if (Status == STATUS_OBJECT_NAME_NOT_FOUND)
    {
        return (Entry->Flags & RTL_QUERY_REGISTRY_REQUIRED) != 0
                   ? Status
                   : RtlpDeliverValue(Entry, Entry->Name, REG_NONE, NULL, 0, Query->Context, Query->Environment);
    }

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }

    Status = RtlpDeliverValue(Entry, Entry->Name, Value->Type, (PUCHAR)Value + Value->DataOffset, Value->DataLength,
                              Query->Context, Query->Environment);
    ExFreePoolWithTag(Value, RTLP_REGISTRY_TAG);
    if (NT_SUCCESS(Status) && (Entry->Flags & RTL_QUERY_REGISTRY_DELETE) != 0)
    {
        ZwDeleteValueKey(Query->Current, &Name);
    }

    return Status;
}

/* Delivers one enumerated value under its own name. */
static NTSTATUS RtlpDeliverEnumerated(PRTLP_QUERY Query, PRTL_QUERY_REGISTRY_TABLE Entry,
                                      PKEY_VALUE_FULL_INFORMATION Value, PBOOLEAN Deleted)
{
    UNICODE_STRING Name;
    PWSTR Text;
    NTSTATUS Status;

    *Deleted = FALSE;
    if (Value->NameLength > 0xFFFC)
    {
        return STATUS_NAME_TOO_LONG;
    }

    Text = ExAllocatePoolWithTag(PagedPool, (SIZE_T)Value->NameLength + sizeof(WCHAR), RTLP_REGISTRY_TAG);
    if (Text == NULL)
    {
        return STATUS_NO_MEMORY;
    }

    memcpy(Text, Value->Name, Value->NameLength);
    Text[Value->NameLength / sizeof(WCHAR)] = 0;
    Status = RtlpDeliverValue(Entry, Text, Value->Type, (PUCHAR)Value + Value->DataOffset, Value->DataLength,
                              Query->Context, Query->Environment);
    if (NT_SUCCESS(Status) && (Entry->Flags & RTL_QUERY_REGISTRY_DELETE) != 0)
    {
        RtlInitUnicodeString(&Name, Text);
        *Deleted = NT_SUCCESS(ZwDeleteValueKey(Query->Current, &Name));
    }

    ExFreePoolWithTag(Text, RTLP_REGISTRY_TAG);
    return Status;
}

static NTSTATUS RtlpQueryAllValues(PRTLP_QUERY Query, PRTL_QUERY_REGISTRY_TABLE Entry)
{
    NTSTATUS Status = STATUS_NO_MORE_ENTRIES;
    BOOLEAN Deleted;
    ULONG Count = 0;
    ULONG Index = 0;

    while (Query->Current != NULL)
    {
        PKEY_VALUE_FULL_INFORMATION Value;

        Status = RtlpReadValue(Query->Current, NULL, Index, &Value);
        if (!NT_SUCCESS(Status))
        {
            break;
        }

        Status = RtlpDeliverEnumerated(Query, Entry, Value, &Deleted);
        ExFreePoolWithTag(Value, RTLP_REGISTRY_TAG);
        if (!NT_SUCCESS(Status))
        {
            return Status;
        }

        /* Deleting a value moves the next one to its place. */
        Index += Deleted ? 0 : 1;
        Count += 1;
    }

    if (Status != STATUS_NO_MORE_ENTRIES)
    {
        return Status;
    }

    return Count == 0 && (Entry->Flags & RTL_QUERY_REGISTRY_REQUIRED) != 0 ? STATUS_OBJECT_NAME_NOT_FOUND
                                                                           : STATUS_SUCCESS;
}

static VOID RtlpLeaveSubkey(PRTLP_QUERY Query)
{
    if (Query->Current != Query->Top)
    {
        ZwClose(Query->Current);
        Query->Current = Query->Top;
    }
}

static NTSTATUS RtlpEnterSubkey(PRTLP_QUERY Query, PRTL_QUERY_REGISTRY_TABLE Entry)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    HANDLE Key = NULL;
    NTSTATUS Status = STATUS_OBJECT_NAME_NOT_FOUND;

    if (Query->Top != NULL)
    {
        RtlInitUnicodeString(&Name, Entry->Name);
        InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, Query->Top, NULL);
        Status = ZwOpenKey(&Key, KEY_READ | KEY_WRITE, &Attributes);
    }

    if (!NT_SUCCESS(Status))
    {
        /* The entries up to the next top or subkey ask a key that is not there. */
        if (Status == STATUS_OBJECT_NAME_NOT_FOUND && (Entry->Flags & RTL_QUERY_REGISTRY_REQUIRED) == 0 &&
            Query->Top == NULL)
        {
            return STATUS_SUCCESS;
        }

        return Status;
    }

    Query->Current = Key;
    return Entry->QueryRoutine != NULL ? RtlpQueryAllValues(Query, Entry) : STATUS_SUCCESS;
}

static BOOLEAN RtlpIsValidEntry(const RTL_QUERY_REGISTRY_TABLE *Entry)
{
    if ((Entry->Flags & RTL_QUERY_REGISTRY_SUBKEY) != 0 && Entry->Name == NULL)
    {
        return FALSE;
    }

    return (Entry->Flags & RTL_QUERY_REGISTRY_DIRECT) == 0 ||
           (Entry->Name != NULL && Entry->QueryRoutine == NULL && (Entry->Flags & RTL_QUERY_REGISTRY_SUBKEY) == 0);
}

static NTSTATUS RtlpAnswerEntry(PRTLP_QUERY Query, PRTL_QUERY_REGISTRY_TABLE Entry)
{
    if (!RtlpIsValidEntry(Entry))
    {
        return STATUS_INVALID_PARAMETER;
    }

    if ((Entry->Flags & (RTL_QUERY_REGISTRY_TOPKEY | RTL_QUERY_REGISTRY_SUBKEY)) != 0)
    {
        RtlpLeaveSubkey(Query);
    }

    if ((Entry->Flags & RTL_QUERY_REGISTRY_SUBKEY) != 0)
    {
        return RtlpEnterSubkey(Query, Entry);
    }

    if (Entry->Name != NULL)
    {
        return RtlpQueryNamedValue(Query, Entry);
    }

    if ((Entry->Flags & RTL_QUERY_REGISTRY_NOVALUE) != 0)
    {
        return Entry->QueryRoutine(NULL, REG_NONE, NULL, 0, Query->Context, Entry->EntryContext);
    }

    return RtlpQueryAllValues(Query, Entry);
}

/**
 * Answers a table of questions about registry values.
 *
 * @param RelativeTo   RTL_REGISTRY_..., with RTL_REGISTRY_OPTIONAL a missing key answers every entry by its default
 * @param Path         path below it, or a key handle (RTL_REGISTRY_HANDLE)
 * @param QueryTable   entries up to one with neither a QueryRoutine nor the flags SUBKEY or DIRECT
 * @param Context      for the query routines
 * @param Environment  variables for REG_EXPAND_SZ values, a block of NAME=VALUE strings; NULL: none is replaced
 * @return STATUS_SUCCESS, the first failure of an entry or a routine, STATUS_INVALID_PARAMETER
 *
 * IRQL: PASSIVE_LEVEL. Buffers of direct strings that it allocates are from paged pool, freed by ExFreePool or
 * RtlFreeUnicodeString.
 */
NTSTATUS NTAPI RtlQueryRegistryValues(_In_ ULONG RelativeTo, _In_ PCWSTR Path,
                                      _Inout_ PRTL_QUERY_REGISTRY_TABLE QueryTable, _In_opt_ PVOID Context,
                                      _In_opt_ PVOID Environment)
{
    PRTL_QUERY_REGISTRY_TABLE Entry;
    RTLP_QUERY Query;
    BOOLEAN Owned;
    NTSTATUS Status = RtlpOpenRegistryKey(RelativeTo, Path, FALSE, &Query.Top, &Owned);

    if (!NT_SUCCESS(Status))
    {
        BOOLEAN Missing = Status == STATUS_OBJECT_NAME_NOT_FOUND || Status == STATUS_OBJECT_PATH_NOT_FOUND;

        if (!Missing || (RelativeTo & RTL_REGISTRY_OPTIONAL) == 0)
        {
            return Status;
        }

        Query.Top = NULL;
        Owned = FALSE;
        Status = STATUS_SUCCESS;
    }

    Query.Current = Query.Top;
    Query.Context = Context;
    Query.Environment = Environment;
    for (Entry = QueryTable; NT_SUCCESS(Status) &&
                             (Entry->QueryRoutine != NULL ||
                              (Entry->Flags & (RTL_QUERY_REGISTRY_SUBKEY | RTL_QUERY_REGISTRY_DIRECT)) != 0);
         Entry += 1)
    {
        Status = RtlpAnswerEntry(&Query, Entry);
    }

    RtlpLeaveSubkey(&Query);
    if (Owned)
    {
        ZwClose(Query.Top);
    }

    return Status;
}
