/* SPDX-License-Identifier: MIT */
/*
 * Counted strings: set up, copy, append, compare, hash, change case.
 *
 * IRQL: any at which the strings are resident, unless a function allocates (<= APC_LEVEL). The tables for upper
 * and lower case are resident, so that comparing without case is allowed at raised IRQL too.
 */
#include "rtlp.h"
#include "crtnames.h"

/**
 * Makes a UNICODE_STRING describe a terminated string; NULL gives an empty one. A string longer than 32766
 * characters is cut off.
 */
VOID NTAPI RtlInitUnicodeString(_Out_ PUNICODE_STRING DestinationString, _In_opt_z_ PCWSTR SourceString)
{
    SIZE_T Bytes;

    DestinationString->Length = 0;
    DestinationString->MaximumLength = 0;
    DestinationString->Buffer = (PWSTR)(ULONG_PTR)SourceString;
    if (SourceString != NULL)
    {
        Bytes = wcsnlen(SourceString, RTLP_MAX_UNICODE_BYTES / sizeof(WCHAR)) * sizeof(WCHAR);
        DestinationString->Length = (USHORT)Bytes;
        DestinationString->MaximumLength = (USHORT)(Bytes + sizeof(WCHAR));
    }
}

/**
 * As RtlInitUnicodeString, but STATUS_NAME_TOO_LONG for a string that would be cut off.
 */
NTSTATUS NTAPI RtlInitUnicodeStringEx(_Out_ PUNICODE_STRING DestinationString, _In_opt_z_ PCWSTR SourceString)
{
    RtlInitUnicodeString(DestinationString, SourceString);
    if (SourceString != NULL && SourceString[DestinationString->Length / sizeof(WCHAR)] != 0)
    {
        DestinationString->Length = 0;
        DestinationString->MaximumLength = 0;
        return STATUS_NAME_TOO_LONG;
    }

    return STATUS_SUCCESS;
}

/**
 * Makes an ANSI_STRING describe a terminated string; a string longer than 65534 bytes is cut off.
 */
VOID NTAPI RtlInitAnsiString(_Out_ PANSI_STRING DestinationString, _In_opt_z_ PCSZ SourceString)
{
    SIZE_T Bytes;

    DestinationString->Length = 0;
    DestinationString->MaximumLength = 0;
    DestinationString->Buffer = (PCHAR)(ULONG_PTR)SourceString;
    if (SourceString != NULL)
    {
        Bytes = strnlen((PCSZ)SourceString, RTLP_MAX_ANSI_BYTES);
        DestinationString->Length = (USHORT)Bytes;
        DestinationString->MaximumLength = (USHORT)(Bytes + 1);
    }
}

VOID NTAPI RtlInitString(_Out_ PSTRING DestinationString, _In_opt_z_ PCSZ SourceString)
{
    RtlInitAnsiString(DestinationString, SourceString);
}

/**
 * As RtlInitAnsiString, but STATUS_NAME_TOO_LONG for a string that would be cut off.
 */
NTSTATUS NTAPI RtlInitAnsiStringEx(_Out_ PANSI_STRING DestinationString, _In_opt_z_ PCSZ SourceString)
{
    RtlInitAnsiString(DestinationString, SourceString);
    if (SourceString != NULL && SourceString[DestinationString->Length] != 0)
    {
        DestinationString->Length = 0;
        DestinationString->MaximumLength = 0;
        return STATUS_NAME_TOO_LONG;
    }

    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlInitStringEx(_Out_ PSTRING DestinationString, _In_opt_z_ PCSZ SourceString)
{
    return RtlInitAnsiStringEx(DestinationString, SourceString);
}

/**
 * Copies as many characters as fit; a terminator is added if there is room for it.
 */
VOID NTAPI RtlCopyUnicodeString(_Inout_ PUNICODE_STRING DestinationString, _In_opt_ PCUNICODE_STRING SourceString)
{
    USHORT Bytes = 0;

    if (SourceString != NULL)
    {
        Bytes = min(SourceString->Length, DestinationString->MaximumLength);
        memmove(DestinationString->Buffer, SourceString->Buffer, Bytes);
        if ((ULONG)Bytes + sizeof(WCHAR) <= DestinationString->MaximumLength)
        {
            DestinationString->Buffer[Bytes / sizeof(WCHAR)] = 0;
        }
    }

    DestinationString->Length = Bytes;
}

/**
 * Copies as many characters as fit, without a terminator.
 */
VOID NTAPI RtlCopyString(_Inout_ PSTRING DestinationString, _In_opt_ PSTRING SourceString)
{
    USHORT Bytes = 0;

    if (SourceString != NULL)
    {
        Bytes = min(SourceString->Length, DestinationString->MaximumLength);
        memmove(DestinationString->Buffer, SourceString->Buffer, Bytes);
    }

    DestinationString->Length = Bytes;
}

static NTSTATUS RtlpAppend(PUNICODE_STRING Destination, const WCHAR *Text, SIZE_T Bytes)
{
    ULONG Length = Destination->Length;

    if (Bytes > Destination->MaximumLength || Length + Bytes > Destination->MaximumLength)
    {
        return STATUS_BUFFER_TOO_SMALL;
    }

    memmove((PUCHAR)Destination->Buffer + Length, Text, Bytes);
    Length += (ULONG)Bytes;
    Destination->Length = (USHORT)Length;
    if (Length + sizeof(WCHAR) <= Destination->MaximumLength)
    {
        Destination->Buffer[Length / sizeof(WCHAR)] = 0;
    }

    return STATUS_SUCCESS;
}

/**
 * Appends a terminated string; STATUS_BUFFER_TOO_SMALL leaves the destination as it was.
 */
NTSTATUS NTAPI RtlAppendUnicodeToString(_Inout_ PUNICODE_STRING Destination, _In_opt_z_ PCWSTR Source)
{
    return Source == NULL ? STATUS_SUCCESS : RtlpAppend(Destination, Source, wcslen(Source) * sizeof(WCHAR));
}

NTSTATUS NTAPI RtlAppendUnicodeStringToString(_Inout_ PUNICODE_STRING Destination, _In_ PCUNICODE_STRING Source)
{
    return Source->Length == 0 ? STATUS_SUCCESS : RtlpAppend(Destination, Source->Buffer, Source->Length);
}

NTSTATUS NTAPI RtlAppendStringToString(_Inout_ PSTRING Destination, _In_ const STRING *Source)
{
    if ((ULONG)Destination->Length + Source->Length > Destination->MaximumLength)
    {
        return STATUS_BUFFER_TOO_SMALL;
    }

    memmove(Destination->Buffer + Destination->Length, Source->Buffer, Source->Length);
    Destination->Length = (USHORT)(Destination->Length + Source->Length);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAppendAsciizToString(_Inout_ PSTRING Destination, _In_opt_z_ PCSZ Source)
{
    SIZE_T Bytes = Source != NULL ? strlen((PCSZ)Source) : 0;

    if (Bytes > 0xFFFF || Destination->Length + Bytes > Destination->MaximumLength)
    {
        return STATUS_BUFFER_TOO_SMALL;
    }

    memmove(Destination->Buffer + Destination->Length, Source, Bytes);
    Destination->Length = (USHORT)(Destination->Length + Bytes);
    return STATUS_SUCCESS;
}

/**
 * Compares two runs of characters.
 *
 * @param Length1, Length2  in characters
 * @return negative, zero, positive: the order of the first difference, else of the lengths
 */
LONG NTAPI RtlCompareUnicodeStrings(_In_reads_(Length1) PCWCH String1, _In_ SIZE_T Length1,
                                    _In_reads_(Length2) PCWCH String2, _In_ SIZE_T Length2,
                                    _In_ BOOLEAN CaseInSensitive)
{
    SIZE_T Shorter = min(Length1, Length2);
    SIZE_T Index;

    for (Index = 0; Index < Shorter; Index += 1)
    {
        WCHAR A = String1[Index];
        WCHAR B = String2[Index];

        if (A != B && CaseInSensitive)
        {
            A = RtlpUpcase(A);
            B = RtlpUpcase(B);
        }

        if (A != B)
        {
            return (LONG)A - (LONG)B;
        }
    }

    return Length1 < Length2 ? -1 : Length1 > Length2 ? 1 : 0;
}

/**
 * Compares two strings; see RtlCompareUnicodeStrings. If one begins with the other, the result is the difference of
 * their lengths in bytes.
 */
LONG NTAPI RtlCompareUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                   _In_ BOOLEAN CaseInSensitive)
{
    SIZE_T Shorter = min(String1->Length, String2->Length) / sizeof(WCHAR);
    LONG Order = RtlCompareUnicodeStrings(String1->Buffer, Shorter, String2->Buffer, Shorter, CaseInSensitive);

    return Order != 0 ? Order : (LONG)String1->Length - (LONG)String2->Length;
}

BOOLEAN NTAPI RtlEqualUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                    _In_ BOOLEAN CaseInSensitive)
{
    return String1->Length == String2->Length && RtlCompareUnicodeString(String1, String2, CaseInSensitive) == 0;
}

/**
 * TRUE if String2 begins with String1.
 */
BOOLEAN NTAPI RtlPrefixUnicodeString(_In_ PCUNICODE_STRING String1, _In_ PCUNICODE_STRING String2,
                                     _In_ BOOLEAN CaseInSensitive)
{
    SIZE_T Length = String1->Length / sizeof(WCHAR);

    return String1->Length <= String2->Length &&
           RtlCompareUnicodeStrings(String1->Buffer, Length, String2->Buffer, Length, CaseInSensitive) == 0;
}

/**
 * Compares two ANSI strings, byte by byte; only ASCII letters have a case.
 */
LONG NTAPI RtlCompareString(_In_ PSTRING String1, _In_ PSTRING String2, _In_ BOOLEAN CaseInSensitive)
{
    USHORT Shorter = min(String1->Length, String2->Length);
    USHORT Index;

    for (Index = 0; Index < Shorter; Index += 1)
    {
        UCHAR A = (UCHAR)String1->Buffer[Index];
        UCHAR B = (UCHAR)String2->Buffer[Index];

        if (CaseInSensitive)
        {
            A = (UCHAR)toupper(A);
            B = (UCHAR)toupper(B);
        }

        if (A != B)
        {
            return (LONG)A - (LONG)B;
        }
    }

    return (LONG)String1->Length - (LONG)String2->Length;
}

BOOLEAN NTAPI RtlEqualString(_In_ PSTRING String1, _In_ PSTRING String2, _In_ BOOLEAN CaseInSensitive)
{
    return String1->Length == String2->Length && RtlCompareString(String1, String2, CaseInSensitive) == 0;
}

/**
 * TRUE if String2 begins with String1.
 */
BOOLEAN NTAPI RtlPrefixString(_In_ PSTRING String1, _In_ PSTRING String2, _In_ BOOLEAN CaseInSensitive)
{
    STRING Start = *String2;

    if (String1->Length > String2->Length)
    {
        return FALSE;
    }

    Start.Length = String1->Length;
    return RtlCompareString(String1, &Start, CaseInSensitive) == 0;
}

/**
 * Copies an ANSI string in upper case, as much as fits.
 */
VOID NTAPI RtlUpperString(_Inout_ PSTRING DestinationString, _In_ PSTRING SourceString)
{
    USHORT Bytes = min(SourceString->Length, DestinationString->MaximumLength);
    USHORT Index;

    for (Index = 0; Index < Bytes; Index += 1)
    {
        DestinationString->Buffer[Index] = (CHAR)toupper((UCHAR)SourceString->Buffer[Index]);
    }

    DestinationString->Length = Bytes;
}

static NTSTATUS RtlpChangeCase(PUNICODE_STRING Destination, PCUNICODE_STRING Source, BOOLEAN Allocate, BOOLEAN Up)
{
    ULONG Count = Source->Length / sizeof(WCHAR);
    ULONG Index;

    if (Allocate)
    {
        Destination->Buffer = RtlpAllocate(max(Source->Length, (USHORT)sizeof(WCHAR)));
        if (Destination->Buffer == NULL)
        {
            return STATUS_NO_MEMORY;
        }

        Destination->MaximumLength = Source->Length;
    }
    else if (Source->Length > Destination->MaximumLength)
    {
        return STATUS_BUFFER_OVERFLOW;
    }

    for (Index = 0; Index < Count; Index += 1)
    {
        Destination->Buffer[Index] = Up ? RtlpUpcase(Source->Buffer[Index]) : RtlpDowncase(Source->Buffer[Index]);
    }

    Destination->Length = (USHORT)(Count * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

/**
 * Copies a string in upper case; source and destination may be the same.
 *
 * @param AllocateDestinationString  TRUE: the buffer is allocated, RtlFreeUnicodeString frees it
 * @return STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW (does not fit, nothing copied), STATUS_NO_MEMORY
 */
NTSTATUS NTAPI RtlUpcaseUnicodeString(_Inout_ PUNICODE_STRING DestinationString, _In_ PCUNICODE_STRING SourceString,
                                      _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpChangeCase(DestinationString, SourceString, AllocateDestinationString, TRUE);
}

/**
 * As RtlUpcaseUnicodeString, in lower case.
 */
NTSTATUS NTAPI RtlDowncaseUnicodeString(_Inout_ PUNICODE_STRING DestinationString, _In_ PCUNICODE_STRING SourceString,
                                        _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpChangeCase(DestinationString, SourceString, AllocateDestinationString, FALSE);
}

VOID NTAPI RtlFreeUnicodeString(_Inout_ PUNICODE_STRING UnicodeString)
{
    if (UnicodeString->Buffer != NULL)
    {
        RtlpFree(UnicodeString->Buffer);
        memset(UnicodeString, 0, sizeof(*UnicodeString));
    }
}

VOID NTAPI RtlFreeAnsiString(_Inout_ PANSI_STRING AnsiString)
{
    if (AnsiString->Buffer != NULL)
    {
        RtlpFree(AnsiString->Buffer);
        memset(AnsiString, 0, sizeof(*AnsiString));
    }
}

VOID NTAPI RtlFreeOemString(_Inout_ POEM_STRING OemString)
{
    if (OemString->Buffer != NULL)
    {
        RtlpFree(OemString->Buffer);
        OemString->Buffer = NULL;
    }
}

/* Flags are checked, lengths are even and ordered, a buffer is there if there is a length. */
static BOOLEAN RtlpIsValidString(PCUNICODE_STRING String)
{
    return (String->Length & 1) == 0 && (String->MaximumLength & 1) == 0 && String->Length <= String->MaximumLength &&
           (String->Buffer != NULL || String->MaximumLength == 0);
}

/**
 * Checks the fields of a UNICODE_STRING; Flags must be zero. NULL is valid.
 */
NTSTATUS NTAPI RtlValidateUnicodeString(_In_ ULONG Flags, _In_opt_ PCUNICODE_STRING String)
{
    return Flags == 0 && (String == NULL || RtlpIsValidString(String)) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

#ifndef RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE
#define RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE 0x1
#endif
#ifndef RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING
#define RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING 0x2
#endif

/**
 * Copies a string into a new buffer.
 *
 * @param Flags              RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE: add a terminator;
 *                           RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING (only with the first): allocate for an
 *                           empty string too
 * @param SourceString       may be NULL: as an empty string
 * @param DestinationString  receives the copy; free with RtlFreeUnicodeString
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_NAME_TOO_LONG, STATUS_NO_MEMORY
 */
NTSTATUS NTAPI RtlDuplicateUnicodeString(_In_ ULONG Flags, _In_opt_ PCUNICODE_STRING SourceString,
                                         _Out_ PUNICODE_STRING DestinationString)
{
    BOOLEAN Terminate = (Flags & RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE) != 0;
    BOOLEAN AllocateNull = (Flags & RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING) != 0;
    USHORT Length = SourceString != NULL ? SourceString->Length : 0;
    ULONG Bytes = Length + (Terminate ? sizeof(WCHAR) : 0);
    PWSTR Buffer;

    if ((Flags & ~3u) != 0 || (AllocateNull && !Terminate) || DestinationString == NULL ||
        (SourceString != NULL && !RtlpIsValidString(SourceString)))
    {
        return STATUS_INVALID_PARAMETER;
    }

    memset(DestinationString, 0, sizeof(*DestinationString));
    if (Length == 0 && !AllocateNull)
    {
        return STATUS_SUCCESS;
    }

    if (Bytes > 0xFFFE)
    {
        return STATUS_NAME_TOO_LONG;
    }

    Buffer = RtlpAllocate(Bytes);
    if (Buffer == NULL)
    {
        return STATUS_NO_MEMORY;
    }

    if (Length != 0)
    {
        memcpy(Buffer, SourceString->Buffer, Length);
    }

    if (Terminate)
    {
        Buffer[Length / sizeof(WCHAR)] = 0;
    }

    DestinationString->Buffer = Buffer;
    DestinationString->Length = Length;
    DestinationString->MaximumLength = (USHORT)Bytes;
    return STATUS_SUCCESS;
}

/**
 * Copies a terminated string into a new buffer.
 *
 * @return FALSE if there is no memory or the string is too long
 */
BOOLEAN NTAPI RtlCreateUnicodeString(_Out_ PUNICODE_STRING DestinationString, _In_z_ PCWSTR SourceString)
{
    SIZE_T Bytes = (wcsnlen(SourceString, 0x8000) + 1) * sizeof(WCHAR);

    if (Bytes > 0xFFFE)
    {
        return FALSE;
    }

    DestinationString->Buffer = RtlpAllocate(Bytes);
    if (DestinationString->Buffer == NULL)
    {
        return FALSE;
    }

    memcpy(DestinationString->Buffer, SourceString, Bytes);
    DestinationString->Length = (USHORT)(Bytes - sizeof(WCHAR));
    DestinationString->MaximumLength = (USHORT)Bytes;
    return TRUE;
}

/**
 * Hashes a string.
 *
 * @param HashAlgorithm  HASH_STRING_ALGORITHM_DEFAULT or HASH_STRING_ALGORITHM_X65599 (the same)
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER
 */
NTSTATUS NTAPI RtlHashUnicodeString(_In_ PCUNICODE_STRING String, _In_ BOOLEAN CaseInSensitive,
                                    _In_ ULONG HashAlgorithm, _Out_ PULONG HashValue)
{
    ULONG Hash = 0;
    ULONG Index;

    if (String == NULL || HashValue == NULL || HashAlgorithm > HASH_STRING_ALGORITHM_X65599)
    {
        return STATUS_INVALID_PARAMETER;
    }

    for (Index = 0; Index < String->Length / sizeof(WCHAR); Index += 1)
    {
        WCHAR Unit = String->Buffer[Index];

        Hash = Hash * 65599 + (CaseInSensitive ? RtlpUpcase(Unit) : Unit);
    }

    *HashValue = Hash;
    return STATUS_SUCCESS;
}
