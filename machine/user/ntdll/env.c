/* SPDX-License-Identifier: MIT */
/*
 * The environment: NAME=VALUE strings one after another, an empty one at the end, sorted by name
 * without regard to case. A name may begin with '=' (the current directories of drives). Parameters
 * that are NULL mean the environment of the process, under the PEB lock.
 *
 * The first environment of a process lies inside its parameter block; changed ones are heap blocks.
 */
#include "ntdllp.h"

RTL_CRITICAL_SECTION RtlpPebLock = {(PVOID)(LONG_PTR)-1, -1, 0, 0, 0, 0};

static PWSTR RtlpHeapEnvironment; /* the current environment, if the heap owns it */

VOID NTAPI RtlAcquirePebLock(VOID)
{
    RtlEnterCriticalSection(&RtlpPebLock);
}

VOID NTAPI RtlReleasePebLock(VOID)
{
    RtlLeaveCriticalSection(&RtlpPebLock);
}

static SIZE_T RtlpStringLength(PCWSTR String)
{
    SIZE_T length = 0;
    while (String[length] != 0)
    {
        length++;
    }
    return length;
}

/* Characters of an environment with both of its final zeros. */
static SIZE_T RtlpEnvironmentLength(PCWSTR Environment)
{
    SIZE_T length = 0;
    while (Environment[length] != 0)
    {
        length += RtlpStringLength(Environment + length) + 1;
    }
    return length == 0 ? 2 : length + 1;
}

static SIZE_T RtlpNameLength(PCWSTR Entry)
{
    SIZE_T length = Entry[0] != 0; /* a leading '=' belongs to the name */
    while (Entry[length] != 0 && Entry[length] != L'=')
    {
        length++;
    }
    return length;
}

static LONG RtlpCompareNames(PCWSTR Entry, PCUNICODE_STRING Name)
{
    SIZE_T length = RtlpNameLength(Entry) * sizeof(WCHAR);
    UNICODE_STRING entryName = {(USHORT)(length < 0xFFFE ? length : 0xFFFE), 0, (PWSTR)Entry};
    return RtlCompareUnicodeString(&entryName, Name, TRUE);
}

/* The entry of that name, or the place where it would be. */
static PWSTR RtlpFindEntry(PWSTR Environment, PCUNICODE_STRING Name, PBOOLEAN Found)
{
    PWSTR place = NULL;
    PWSTR entry = Environment;
    *Found = FALSE;
    while (*entry != 0)
    {
        LONG order = RtlpCompareNames(entry, Name);
        if (order == 0)
        {
            *Found = TRUE;
            return entry;
        }
        if (order > 0 && place == NULL)
        {
            place = entry;
        }
        entry += RtlpStringLength(entry) + 1;
    }
    return place != NULL ? place : entry;
}

/**
 * Reads a variable.
 *
 * @param Value  its buffer is filled up to MaximumLength, with a zero behind it if there is room
 * @return STATUS_VARIABLE_NOT_FOUND; STATUS_BUFFER_TOO_SMALL with Value->Length = bytes needed without zero
 */
NTSTATUS NTAPI RtlQueryEnvironmentVariable_U(PWSTR Environment, PUNICODE_STRING Name, PUNICODE_STRING Value)
{
    NTSTATUS status = STATUS_VARIABLE_NOT_FOUND;
    BOOLEAN found = FALSE;
    BOOLEAN own = Environment == NULL;

    if (own)
    {
        RtlAcquirePebLock();
        Environment = NtCurrentPeb()->ProcessParameters->Environment;
    }
    PWSTR entry = Environment != NULL ? RtlpFindEntry(Environment, Name, &found) : NULL;
    if (found)
    {
        PWSTR text = entry + RtlpNameLength(entry);
        text += *text == L'=';
        SIZE_T bytes = RtlpStringLength(text) * sizeof(WCHAR);
        if (bytes > 0xFFFC)
        {
            status = STATUS_BUFFER_TOO_SMALL;
            bytes = 0xFFFC;
        }
        else if (bytes > Value->MaximumLength)
        {
            status = STATUS_BUFFER_TOO_SMALL;
        }
        else
        {
            memcpy(Value->Buffer, text, bytes);
            if (bytes + sizeof(WCHAR) <= Value->MaximumLength)
            {
                Value->Buffer[bytes / sizeof(WCHAR)] = 0;
            }
            status = STATUS_SUCCESS;
        }
        Value->Length = (USHORT)bytes;
    }
    if (own)
    {
        RtlReleasePebLock();
    }
    return status;
}

/* Builds Old with [Cut, CutEnd) replaced by NAME=VALUE (or by nothing). */
static PWSTR RtlpRebuild(PCWSTR Old, PCWSTR Cut, PCWSTR CutEnd, PCUNICODE_STRING Name, PCUNICODE_STRING Value)
{
    SIZE_T oldLength = RtlpEnvironmentLength(Old);
    SIZE_T front = (SIZE_T)(Cut - Old);
    SIZE_T entry = Value != NULL ? (SIZE_T)Name->Length / 2 + 1 + Value->Length / 2 + 1 : 0;
    SIZE_T back = oldLength - (SIZE_T)(CutEnd - Old);
    PWSTR built = RtlpAllocate((front + entry + back + 1) * sizeof(WCHAR));
    if (built == NULL)
    {
        return NULL;
    }
    PWSTR out = built;
    memcpy(out, Old, front * sizeof(WCHAR));
    out += front;
    if (Value != NULL)
    {
        memcpy(out, Name->Buffer, Name->Length);
        out += Name->Length / 2;
        *out++ = L'=';
        memcpy(out, Value->Buffer, Value->Length);
        out += Value->Length / 2;
        *out++ = 0;
    }
    memcpy(out, CutEnd, back * sizeof(WCHAR));
    out[back] = 0;
    return built;
}

/**
 * Sets a variable, or removes it if Value is NULL.
 *
 * @param Environment  the variable of a heap environment (replaced), or NULL for the process's own
 * @return STATUS_INVALID_PARAMETER for an empty name or one with '=' behind its first character;
 *         STATUS_VARIABLE_NOT_FOUND when there is nothing to remove
 */
NTSTATUS NTAPI RtlSetEnvironmentVariable(PWSTR *Environment, PUNICODE_STRING Name, PUNICODE_STRING Value)
{
    if (Name->Length < sizeof(WCHAR))
    {
        return STATUS_INVALID_PARAMETER;
    }
    for (USHORT i = 1; i < Name->Length / sizeof(WCHAR); i++)
    {
        if (Name->Buffer[i] == L'=')
        {
            return STATUS_INVALID_PARAMETER;
        }
    }

    static WCHAR empty[2];
    PRTL_USER_PROCESS_PARAMETERS parameters = NtCurrentPeb()->ProcessParameters;
    NTSTATUS status = STATUS_SUCCESS;
    RtlAcquirePebLock();
    PWSTR old = Environment != NULL ? *Environment : parameters->Environment;
    if (old == NULL)
    {
        old = empty;
    }
    BOOLEAN found;
    PWSTR place = RtlpFindEntry(old, Name, &found);
    if (Value == NULL && !found)
    {
        status = STATUS_VARIABLE_NOT_FOUND;
    }
    else
    {
        PWSTR built = RtlpRebuild(old, place, found ? place + RtlpStringLength(place) + 1 : place, Name, Value);
        if (built == NULL)
        {
            status = STATUS_NO_MEMORY;
        }
        else if (Environment != NULL)
        {
            *Environment = built;
            RtlpFree(old == empty ? NULL : old);
        }
        else
        {
            RtlpFree(RtlpHeapEnvironment);
            RtlpHeapEnvironment = built;
            parameters->Environment = built;
            parameters->EnvironmentSize = RtlpEnvironmentLength(built) * sizeof(WCHAR);
            parameters->EnvironmentVersion++;
        }
    }
    RtlReleasePebLock();
    return status;
}

/** Makes a new environment: empty, or a copy of the process's. Free it with RtlDestroyEnvironment. */
NTSTATUS NTAPI RtlCreateEnvironment(BOOLEAN CloneCurrent, PWSTR *Environment)
{
    SIZE_T length = 2;
    RtlAcquirePebLock();
    PWSTR current = CloneCurrent ? NtCurrentPeb()->ProcessParameters->Environment : NULL;
    if (current != NULL)
    {
        length = RtlpEnvironmentLength(current);
    }
    PWSTR copy = RtlpAllocate((length + 1) * sizeof(WCHAR));
    if (copy != NULL)
    {
        memset(copy, 0, (length + 1) * sizeof(WCHAR));
        if (current != NULL)
        {
            memcpy(copy, current, length * sizeof(WCHAR));
        }
    }
    RtlReleasePebLock();
    *Environment = copy;
    return copy != NULL ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

VOID NTAPI RtlDestroyEnvironment(PWSTR Environment)
{
    RtlpFree(Environment);
}

typedef struct _RTLP_EXPANSION
{
    PUNICODE_STRING Destination;
    SIZE_T Needed; /* bytes, also those that did not fit */
} RTLP_EXPANSION;

static VOID RtlpAppendText(RTLP_EXPANSION *Expansion, PCWSTR Text, SIZE_T Bytes)
{
    PUNICODE_STRING destination = Expansion->Destination;
    if (Expansion->Needed + Bytes <= destination->MaximumLength)
    {
        memcpy((PUCHAR)destination->Buffer + Expansion->Needed, Text, Bytes);
        destination->Length = (USHORT)(Expansion->Needed + Bytes);
    }
    Expansion->Needed += Bytes;
}

/**
 * Replaces each %NAME% by the variable's value; names that are not set stay as they are.
 *
 * @param ReturnedLength  receives the bytes needed with the final zero
 * @return STATUS_BUFFER_TOO_SMALL if the result with its zero does not fit
 */
NTSTATUS NTAPI RtlExpandEnvironmentStrings_U(PWSTR Environment, PUNICODE_STRING Source, PUNICODE_STRING Destination,
                                             PULONG ReturnedLength)
{
    RTLP_EXPANSION expansion = {Destination, 0};
    USHORT length = Source->Length / sizeof(WCHAR);
    static const WCHAR zero;

    RtlAcquirePebLock();
    PWSTR environment = Environment != NULL ? Environment : NtCurrentPeb()->ProcessParameters->Environment;
    Destination->Length = 0;
    for (USHORT i = 0; i < length;)
    {
        USHORT end = i + 1;
        if (Source->Buffer[i] == L'%' && environment != NULL)
        {
            while (end < length && Source->Buffer[end] != L'%')
            {
                end++;
            }
            UNICODE_STRING name = {(USHORT)((end - i - 1) * sizeof(WCHAR)), 0, Source->Buffer + i + 1};
            BOOLEAN found = FALSE;
            PWSTR entry = end < length && name.Length != 0 ? RtlpFindEntry(environment, &name, &found) : NULL;
            if (found)
            {
                entry += RtlpNameLength(entry);
                entry += *entry == L'=';
                RtlpAppendText(&expansion, entry, RtlpStringLength(entry) * sizeof(WCHAR));
                i = end + 1;
                continue;
            }
            end = i + 1;
        }
        RtlpAppendText(&expansion, Source->Buffer + i, sizeof(WCHAR));
        i = end;
    }
    SIZE_T without = expansion.Needed;
    RtlpAppendText(&expansion, &zero, sizeof(zero));
    RtlReleasePebLock();

    if (Destination->Length == without + sizeof(WCHAR))
    {
        Destination->Length -= sizeof(WCHAR);
    }
    if (ReturnedLength != NULL)
    {
        *ReturnedLength = (ULONG)expansion.Needed;
    }
    return expansion.Needed <= Destination->MaximumLength ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
}
