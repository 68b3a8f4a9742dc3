/* SPDX-License-Identifier: MIT */
/*
 * Counted strings between Unicode and the ANSI and OEM code pages (both UTF-8, see utf.c).
 *
 * IRQL: any at which the strings are resident; <= APC_LEVEL if the function allocates.
 */
#include "rtlp.h"

#undef RtlAnsiStringToUnicodeSize
#undef RtlOemStringToUnicodeSize
#undef RtlUnicodeStringToAnsiSize
#undef RtlUnicodeStringToOemSize
#undef RtlUnicodeStringToCountedOemSize

static ULONG RtlpUnicodeSize(const STRING *String)
{
    ULONG Bytes;

    RtlMultiByteToUnicodeSize(&Bytes, String->Buffer, String->Length);
    return Bytes + sizeof(WCHAR);
}

/** Bytes that the Unicode form takes, terminator included. */
ULONG NTAPI RtlxAnsiStringToUnicodeSize(_In_ PCANSI_STRING AnsiString)
{
    return RtlpUnicodeSize(AnsiString);
}

/** Bytes that the ANSI form takes, terminator included. */
ULONG NTAPI RtlxUnicodeStringToAnsiSize(_In_ PCUNICODE_STRING UnicodeString)
{
    ULONG Bytes;

    RtlUnicodeToMultiByteSize(&Bytes, UnicodeString->Buffer, UnicodeString->Length);
    return Bytes + 1;
}

ULONG NTAPI RtlAnsiStringToUnicodeSize(_In_ PCANSI_STRING AnsiString)
{
    return RtlpUnicodeSize(AnsiString);
}

ULONG NTAPI RtlUnicodeStringToAnsiSize(_In_ PCUNICODE_STRING UnicodeString)
{
    return RtlxUnicodeStringToAnsiSize(UnicodeString);
}

ULONG NTAPI RtlxOemStringToUnicodeSize(_In_ PCOEM_STRING OemString)
{
    return RtlpUnicodeSize(OemString);
}

ULONG NTAPI RtlxUnicodeStringToOemSize(_In_ PCUNICODE_STRING UnicodeString)
{
    return RtlxUnicodeStringToAnsiSize(UnicodeString);
}

ULONG NTAPI RtlOemStringToUnicodeSize(_In_ PCOEM_STRING OemString)
{
    return RtlpUnicodeSize(OemString);
}

ULONG NTAPI RtlUnicodeStringToOemSize(_In_ PCUNICODE_STRING UnicodeString)
{
    return RtlxUnicodeStringToAnsiSize(UnicodeString);
}

/* Counted: no terminator is written, and the length may reach MaximumLength. */
static NTSTATUS RtlpToUnicodeString(PUNICODE_STRING Destination, const STRING *Source, BOOLEAN Allocate,
                                    BOOLEAN Counted)
{
    ULONG Terminator = Counted ? 0 : sizeof(WCHAR);
    ULONG Size = RtlpUnicodeSize(Source) - sizeof(WCHAR) + Terminator;

    if (Size > 0xFFFE)
    {
        return STATUS_INVALID_PARAMETER_2;
    }

    if (Allocate)
    {
        if (Size == 0)
        {
            RtlpZero(Destination, sizeof(*Destination));
            return STATUS_SUCCESS;
        }

        Destination->Buffer = RtlpAllocate(Size);
        if (Destination->Buffer == NULL)
        {
            return STATUS_NO_MEMORY;
        }

        Destination->MaximumLength = (USHORT)Size;
    }
    else if (Size > Destination->MaximumLength)
    {
        return STATUS_BUFFER_OVERFLOW;
    }

    Destination->Length = (USHORT)(Size - Terminator);
    RtlMultiByteToUnicodeN(Destination->Buffer, Destination->Length, NULL, Source->Buffer, Source->Length);
    if (!Counted)
    {
        Destination->Buffer[Destination->Length / sizeof(WCHAR)] = 0;
    }

    return STATUS_SUCCESS;
}

static NTSTATUS RtlpFromUnicodeString(PSTRING Destination, PCUNICODE_STRING Source, BOOLEAN Allocate, BOOLEAN Counted,
                                      BOOLEAN Upcase)
{
    ULONG Terminator = Counted ? 0 : 1;
    ULONG Length;
    ULONG Room;
    NTSTATUS Status;

    if (Upcase)
    {
        /* Upper case may take more bytes or fewer: up to three for every unit. */
        Length = (ULONG)Source->Length / sizeof(WCHAR) * 3;
        if (!Allocate)
        {
            Length = min(Length, (ULONG)Destination->MaximumLength);
        }
    }
    else
    {
        Length = RtlxUnicodeStringToAnsiSize(Source) - 1;
    }

    if (Allocate)
    {
        if (!Upcase && Length + Terminator > 0xFFFF)
        {
            return STATUS_INVALID_PARAMETER_2;
        }

        if (Length + Terminator == 0)
        {
            RtlpZero(Destination, sizeof(*Destination));
            return STATUS_SUCCESS;
        }

        Room = min(Length + Terminator, 0xFFFFu);
        Destination->Buffer = RtlpAllocate(Room);
        if (Destination->Buffer == NULL)
        {
            return STATUS_NO_MEMORY;
        }

        Destination->MaximumLength = (USHORT)Room;
    }
    else if (Destination->MaximumLength < Terminator)
    {
        return STATUS_BUFFER_OVERFLOW;
    }

    Room = Destination->MaximumLength - Terminator;
    Status = Upcase ? RtlUpcaseUnicodeToMultiByteN(Destination->Buffer, Room, &Length, Source->Buffer, Source->Length)
                    : RtlUnicodeToMultiByteN(Destination->Buffer, Room, &Length, Source->Buffer, Source->Length);
    if (Status != STATUS_SUCCESS && Allocate)
    {
        RtlpFree(Destination->Buffer);
        RtlpZero(Destination, sizeof(*Destination));
        return STATUS_INVALID_PARAMETER_2;
    }

    /* Without room for everything the caller gets what fits, and the warning. */
    Destination->Length = (USHORT)Length;
    if (!Counted)
    {
        Destination->Buffer[Length] = 0;
    }

    return Status;
}

/**
 * Converts an ANSI string to Unicode, with a terminator.
 *
 * @param AllocateDestinationString  TRUE: the buffer is allocated, RtlFreeUnicodeString frees it
 * @return STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW (does not fit, nothing written), STATUS_INVALID_PARAMETER_2 (longer
 *         than a counted string can be), STATUS_NO_MEMORY
 */
NTSTATUS NTAPI RtlAnsiStringToUnicodeString(_Inout_ PUNICODE_STRING DestinationString, _In_ PCANSI_STRING SourceString,
                                            _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpToUnicodeString(DestinationString, SourceString, AllocateDestinationString, FALSE);
}

NTSTATUS NTAPI RtlOemStringToUnicodeString(_Inout_ PUNICODE_STRING DestinationString, _In_ PCOEM_STRING SourceString,
                                           _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpToUnicodeString(DestinationString, SourceString, AllocateDestinationString, FALSE);
}

/**
 * As RtlOemStringToUnicodeString without a terminator.
 */
NTSTATUS NTAPI RtlOemStringToCountedUnicodeString(_Inout_ PUNICODE_STRING DestinationString,
                                                  _In_ PCOEM_STRING SourceString,
                                                  _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpToUnicodeString(DestinationString, SourceString, AllocateDestinationString, TRUE);
}

/**
 * Converts a Unicode string to ANSI, with a terminator.
 *
 * @param AllocateDestinationString  TRUE: the buffer is allocated, RtlFreeAnsiString frees it
 * @return STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW (cut off where the buffer ends), STATUS_INVALID_PARAMETER_2,
 *         STATUS_NO_MEMORY
 */
NTSTATUS NTAPI RtlUnicodeStringToAnsiString(_Inout_ PANSI_STRING DestinationString, _In_ PCUNICODE_STRING SourceString,
                                            _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpFromUnicodeString(DestinationString, SourceString, AllocateDestinationString, FALSE, FALSE);
}

NTSTATUS NTAPI RtlUnicodeStringToOemString(_Inout_ POEM_STRING DestinationString, _In_ PCUNICODE_STRING SourceString,
                                           _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpFromUnicodeString(DestinationString, SourceString, AllocateDestinationString, FALSE, FALSE);
}

NTSTATUS NTAPI RtlUnicodeStringToCountedOemString(_Inout_ POEM_STRING DestinationString,
                                                  _In_ PCUNICODE_STRING SourceString,
                                                  _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpFromUnicodeString(DestinationString, SourceString, AllocateDestinationString, TRUE, FALSE);
}

NTSTATUS NTAPI RtlUpcaseUnicodeStringToAnsiString(_Inout_ PANSI_STRING DestinationString,
                                                  _In_ PCUNICODE_STRING SourceString,
                                                  _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpFromUnicodeString(DestinationString, SourceString, AllocateDestinationString, FALSE, TRUE);
}

NTSTATUS NTAPI RtlUpcaseUnicodeStringToOemString(_Inout_ POEM_STRING DestinationString,
                                                 _In_ PCUNICODE_STRING SourceString,
                                                 _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpFromUnicodeString(DestinationString, SourceString, AllocateDestinationString, FALSE, TRUE);
}

NTSTATUS NTAPI RtlUpcaseUnicodeStringToCountedOemString(_Inout_ POEM_STRING DestinationString,
                                                        _In_ PCUNICODE_STRING SourceString,
                                                        _In_ BOOLEAN AllocateDestinationString)
{
    return RtlpFromUnicodeString(DestinationString, SourceString, AllocateDestinationString, TRUE, TRUE);
}
