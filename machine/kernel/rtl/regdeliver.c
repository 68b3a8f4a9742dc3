/* SPDX-License-Identifier: MIT */
/*
 * How a registry value reaches the driver that asked with RtlQueryRegistryValues: through a routine, or straight into
 * a variable (RTL_QUERY_REGISTRY_DIRECT).
 */
#include "rtlp_registry.h"
#include "rtl/rtlenv.h"
#include "rtl/crtnames.h"

#ifndef RTL_QUERY_REGISTRY_NOSTRING
#define RTL_QUERY_REGISTRY_NOSTRING 0x00000080
#endif
#ifndef RTL_QUERY_REGISTRY_TYPECHECK
#define RTL_QUERY_REGISTRY_TYPECHECK 0x00000100
#endif
#define RTLP_TYPECHECK_SHIFT 24
#define RTLP_DEFAULT_TYPE_MASK 0x00FFFFFF

static BOOLEAN RtlpIsStringType(ULONG Type)
{
    return Type == REG_SZ || Type == REG_EXPAND_SZ || Type == REG_MULTI_SZ;
}

static NTSTATUS RtlpStoreString(PUNICODE_STRING Target, const VOID *Data, ULONG Length)
{
    /* The length of the string does not count its terminator; a multi-string keeps its inner ones. */
    USHORT Bytes;

    if (Length > 0xFFFE)
    {
        return STATUS_INVALID_BUFFER_SIZE;
    }

    Bytes = (USHORT)(Length & ~1u);
    if (Bytes >= sizeof(WCHAR) && ((const WCHAR *)Data)[Bytes / sizeof(WCHAR) - 1] == 0)
    {
        Bytes -= sizeof(WCHAR);
    }

    if (Target->Buffer == NULL)
    {
        Target->Buffer = ExAllocatePoolWithTag(PagedPool, (SIZE_T)Bytes + sizeof(WCHAR), RTLP_REGISTRY_TAG);
        if (Target->Buffer == NULL)
        {
            return STATUS_NO_MEMORY;
        }

        Target->MaximumLength = (USHORT)(Bytes + sizeof(WCHAR));
    }
    else if (Bytes > Target->MaximumLength)
    {
        return STATUS_BUFFER_TOO_SMALL;
    }

    memcpy(Target->Buffer, Data, Bytes);
    Target->Length = Bytes;
    if (Bytes + sizeof(WCHAR) <= Target->MaximumLength)
    {
        Target->Buffer[Bytes / sizeof(WCHAR)] = 0;
    }

    return STATUS_SUCCESS;
}

/*
 * Data that is no string: up to four bytes go straight into the variable. For more, the variable begins with a LONG:
 * negative, the size of the plain buffer; positive, the size of a buffer that receives length, type and data.
 */
static NTSTATUS RtlpStoreBytes(PVOID Target, ULONG Type, const VOID *Data, ULONG Length)
{
    LONG Size;

    if (Length <= sizeof(ULONG))
    {
        memcpy(Target, Data, Length);
        return STATUS_SUCCESS;
    }

    memcpy(&Size, Target, sizeof(Size));
    if (Size < 0)
    {
        if (0 - (ULONG)Size < Length)
        {
            return STATUS_BUFFER_TOO_SMALL;
        }

        memcpy(Target, Data, Length);
        return STATUS_SUCCESS;
    }

    if ((ULONG)Size < 2 * sizeof(ULONG) || (ULONG)Size - 2 * sizeof(ULONG) < Length)
    {
        return STATUS_BUFFER_TOO_SMALL;
    }

    memcpy(Target, &Length, sizeof(Length));
    memcpy((PUCHAR)Target + sizeof(ULONG), &Type, sizeof(Type));
    memcpy((PUCHAR)Target + 2 * sizeof(ULONG), Data, Length);
    return STATUS_SUCCESS;
}

static NTSTATUS RtlpDeliverDirect(PRTL_QUERY_REGISTRY_TABLE Entry, ULONG Type, const VOID *Data, ULONG Length)
{
    if (!RtlpIsStringType(Type))
    {
        return RtlpStoreBytes(Entry->EntryContext, Type, Data, Length);
    }

    if ((Entry->Flags & RTL_QUERY_REGISTRY_NOSTRING) != 0)
    {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }

    return RtlpStoreString(Entry->EntryContext, Data, Length);
}

/* The value of an environment variable in a block of NAME=VALUE strings, or NULL. */
static PCWSTR RtlpFindVariable(PCWSTR Environment, const WCHAR *Name, SIZE_T Length)
{
    while (Environment != NULL && *Environment != 0)
    {
        if (_wcsnicmp(Environment, Name, Length) == 0 && Environment[Length] == '=')
        {
            return Environment + Length + 1;
        }

        Environment += wcslen(Environment) + 1;
    }

    return NULL;
}

/*
 * Replaces %NAME% by the variable's value; an unknown one stays as it is. With a NULL target only measures.
 * Returns the number of characters, the terminator included.
 */
static SIZE_T RtlpExpand(PCWSTR Source, SIZE_T Length, PCWSTR Environment, PWSTR Target)
{
    SIZE_T Count = 0;
    SIZE_T At = 0;

    while (At < Length && Source[At] != 0)
    {
        PCWSTR Value = NULL;
        SIZE_T End = At + 1;

        if (Source[At] == '%')
        {
            while (End < Length && Source[End] != 0 && Source[End] != '%')
            {
                End += 1;
            }

            if (End < Length && Source[End] == '%')
            {
                Value = RtlpFindVariable(Environment, Source + At + 1, End - At - 1);
            }
        }

        if (Value != NULL)
        {
            SIZE_T ValueLength = wcslen(Value);

            if (Target != NULL)
            {
                memcpy(Target + Count, Value, ValueLength * sizeof(WCHAR));
            }

            Count += ValueLength;
            At = End + 1;
        }
        else
        {
            if (Target != NULL)
            {
                Target[Count] = Source[At];
            }

            Count += 1;
            At += 1;
        }
    }

    if (Target != NULL)
    {
        Target[Count] = 0;
    }

    return Count + 1;
}

static NTSTATUS RtlpPass(PRTL_QUERY_REGISTRY_TABLE Entry, PCWSTR Name, ULONG Type, PVOID Data, ULONG Length,
                         PVOID Context)
{
    if ((Entry->Flags & RTL_QUERY_REGISTRY_DIRECT) != 0)
    {
        return RtlpDeliverDirect(Entry, Type, Data, Length);
    }

    return Entry->QueryRoutine((PWSTR)Name, Type, Data, Length, Context, Entry->EntryContext);
}

static NTSTATUS RtlpPassExpanded(PRTL_QUERY_REGISTRY_TABLE Entry, PCWSTR Name, PVOID Data, ULONG Length, PVOID Context,
                                 PVOID Environment)
{
    SIZE_T Count = RtlpExpand(Data, Length / sizeof(WCHAR), Environment, NULL);
    PWSTR Expanded;
    NTSTATUS Status;

    if (Count > 0x7FFFFFFF / sizeof(WCHAR))
    {
        return STATUS_INVALID_BUFFER_SIZE;
    }

    Expanded = ExAllocatePoolWithTag(PagedPool, Count * sizeof(WCHAR), RTLP_REGISTRY_TAG);
    if (Expanded == NULL)
    {
        return STATUS_NO_MEMORY;
    }

    RtlpExpand(Data, Length / sizeof(WCHAR), Environment, Expanded);
    Status = RtlpPass(Entry, Name, REG_SZ, Expanded, (ULONG)(Count * sizeof(WCHAR)), Context);
    ExFreePoolWithTag(Expanded, RTLP_REGISTRY_TAG);
    return Status;
}

/* A multi-string reaches a routine as one REG_SZ after the other. */
static NTSTATUS RtlpPassStrings(PRTL_QUERY_REGISTRY_TABLE Entry, PCWSTR Name, PWSTR Data, ULONG Length, PVOID Context)
{
    SIZE_T Left = Length / sizeof(WCHAR);
    NTSTATUS Status = STATUS_SUCCESS;

    while (NT_SUCCESS(Status) && Left != 0 && *Data != 0)
    {
        SIZE_T Count = wcsnlen(Data, Left);

        /* The last string may lack its terminator; there are zeros behind the data. */
        Status = RtlpPass(Entry, Name, REG_SZ, Data, (ULONG)((Count + 1) * sizeof(WCHAR)), Context);
        Data += min(Count + 1, Left);
        Left -= min(Count + 1, Left);
    }

    return Status;
}

/* The default's size, where the table leaves it to be found out. */
static ULONG RtlpDefaultLength(ULONG Type, PCWSTR Data, ULONG Length)
{
    PCWSTR At = Data;

    if (Length != 0 || Data == NULL || !RtlpIsStringType(Type))
    {
        return Length;
    }

    if (Type == REG_MULTI_SZ)
    {
        while (*At != 0)
        {
            At += wcslen(At) + 1;
        }
    }
    else
    {
        At += wcslen(At);
    }

    return (ULONG)((PUCHAR)(At + 1) - (PUCHAR)Data);
}

NTSTATUS RtlpDeliverValue(_In_ PRTL_QUERY_REGISTRY_TABLE Entry, _In_ PCWSTR Name, _In_ ULONG Type, _In_opt_ PVOID Data,
                          _In_ ULONG Length, _In_opt_ PVOID Context, _In_opt_ PVOID Environment)
{
    const ULONG Checked = RTL_QUERY_REGISTRY_DIRECT | RTL_QUERY_REGISTRY_TYPECHECK;

    if (Data == NULL)
    {
        Type = Entry->DefaultType & RTLP_DEFAULT_TYPE_MASK;
        Data = Entry->DefaultData;
        if (Type == REG_NONE)
        {
            return STATUS_SUCCESS; /* no default: the entry is left alone */
        }

        Length = RtlpDefaultLength(Type, Data, Entry->DefaultLength);
        if (Data == NULL)
        {
            /* A default without data: a direct variable already holds it. */
            return (Entry->Flags & RTL_QUERY_REGISTRY_DIRECT) != 0 ? STATUS_SUCCESS
                                                                   : RtlpPass(Entry, Name, Type, NULL, 0, Context);
        }
    }
    else if ((Entry->Flags & Checked) == Checked && Entry->DefaultType >> RTLP_TYPECHECK_SHIFT != Type)
    {
        return STATUS_OBJECT_TYPE_MISMATCH; /* the check is about the type that is stored, before any expansion */
    }

    if ((Entry->Flags & RTL_QUERY_REGISTRY_NOEXPAND) == 0 && Type == REG_EXPAND_SZ)
    {
        return RtlpPassExpanded(Entry, Name, Data, Length, Context, Environment);
    }

    if ((Entry->Flags & (RTL_QUERY_REGISTRY_NOEXPAND | RTL_QUERY_REGISTRY_DIRECT)) == 0 && Type == REG_MULTI_SZ)
    {
        return RtlpPassStrings(Entry, Name, Data, Length, Context);
    }

    return RtlpPass(Entry, Name, Type, Data, Length, Context);
}
