/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 and UTF-16, and the ANSI and OEM code pages on top of them.
 *
 * Both code pages are UTF-8 (65001), which Windows 10 offers as a system setting too. The reason: the machine's file
 * names, command lines and consoles come from a Linux host and are UTF-8 there; any other code page would lose
 * characters on the way. Programs that only use ASCII see no difference to code page 1252.
 */
#include "rtlp.h"

ULONG RtlpDecodeUtf8(_In_reads_bytes_(Left) const UCHAR *Text, _In_ SIZE_T Left, _Out_ PULONG Used)
{
    ULONG Lead = Text[0];
    ULONG Low = 0x80;
    ULONG High = 0xBF;
    ULONG Count;
    ULONG Index;
    ULONG Value;

    *Used = 1;
    if (Lead < 0x80)
    {
        return Lead;
    }

    if (Lead < 0xC2 || Lead > 0xF4)
    {
        return RTLP_BAD_CODE_POINT;
    }

    if (Lead < 0xE0)
    {
        Count = 1;
        Value = Lead & 0x1F;
    }
    else if (Lead < 0xF0)
    {
        /* No overlong forms, no surrogates. */
        Count = 2;
        Value = Lead & 0x0F;
        Low = Lead == 0xE0 ? 0xA0 : 0x80;
        High = Lead == 0xED ? 0x9F : 0xBF;
    }
    else
    {
        Count = 3;
        Value = Lead & 0x07;
        Low = Lead == 0xF0 ? 0x90 : 0x80;
        High = Lead == 0xF4 ? 0x8F : 0xBF;
    }

    for (Index = 1; Index <= Count; Index += 1)
    {
        if (Index >= Left || Text[Index] < Low || Text[Index] > High)
        {
            return RTLP_BAD_CODE_POINT;
        }

        *Used = Index + 1;
        Value = (Value << 6) | (Text[Index] & 0x3F);
        Low = 0x80;
        High = 0xBF;
    }

    return Value;
}

ULONG RtlpDecodeUtf16(_In_reads_(Left) const WCHAR *Text, _In_ SIZE_T Left, _Out_ PULONG Used)
{
    *Used = 1;
    if (Text[0] < 0xD800 || Text[0] > 0xDFFF)
    {
        return Text[0];
    }

    if (Text[0] > 0xDBFF || Left < 2 || Text[1] < 0xDC00 || Text[1] > 0xDFFF)
    {
        return RTLP_BAD_CODE_POINT;
    }

    *Used = 2;
    return 0x10000 + (((ULONG)Text[0] & 0x3FF) << 10) + ((ULONG)Text[1] & 0x3FF);
}

ULONG RtlpEncodeUtf8(_In_ ULONG CodePoint, _Out_writes_bytes_(4) PUCHAR Text)
{
    if (CodePoint < 0x80)
    {
        Text[0] = (UCHAR)CodePoint;
        return 1;
    }

    if (CodePoint < 0x800)
    {
        Text[0] = (UCHAR)(0xC0 | (CodePoint >> 6));
        Text[1] = (UCHAR)(0x80 | (CodePoint & 0x3F));
        return 2;
    }

    if (CodePoint < 0x10000)
    {
        Text[0] = (UCHAR)(0xE0 | (CodePoint >> 12));
        Text[1] = (UCHAR)(0x80 | ((CodePoint >> 6) & 0x3F));
        Text[2] = (UCHAR)(0x80 | (CodePoint & 0x3F));
        return 3;
    }

    Text[0] = (UCHAR)(0xF0 | (CodePoint >> 18));
    Text[1] = (UCHAR)(0x80 | ((CodePoint >> 12) & 0x3F));
    Text[2] = (UCHAR)(0x80 | ((CodePoint >> 6) & 0x3F));
    Text[3] = (UCHAR)(0x80 | (CodePoint & 0x3F));
    return 4;
}

/**
 * Converts UTF-8 to UTF-16.
 *
 * @param Destination       receives the text; NULL: only measure
 * @param DestinationBytes  its size in bytes
 * @param ResultBytes       receives the number of bytes written or needed; optional with a destination
 * @param Source            UTF-8, need not be terminated
 * @param SourceBytes       its length in bytes
 * @return STATUS_SUCCESS; STATUS_SOME_NOT_MAPPED (invalid bytes became U+FFFD); STATUS_BUFFER_TOO_SMALL (as many
 *         characters as fit are written); STATUS_INVALID_PARAMETER, _4
 *
 * IRQL: any.
 */
NTSTATUS NTAPI RtlUTF8ToUnicodeN(_Out_writes_bytes_opt_(DestinationBytes) PWSTR Destination,
                                 _In_ ULONG DestinationBytes, _Out_opt_ PULONG ResultBytes,
                                 _In_reads_bytes_(SourceBytes) PCCH Source, _In_ ULONG SourceBytes)
{
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG64 Room = Destination != NULL ? DestinationBytes / sizeof(WCHAR) : ~(ULONG64)0;
    ULONG64 Count = 0;
    ULONG At = 0;

    if (Source == NULL)
    {
        return STATUS_INVALID_PARAMETER_4;
    }

    if (Destination == NULL && ResultBytes == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }

    while (At < SourceBytes)
    {
        ULONG Used;
        ULONG CodePoint = RtlpDecodeUtf8((const UCHAR *)Source + At, SourceBytes - At, &Used);
        ULONG Units;

        if (CodePoint == RTLP_BAD_CODE_POINT)
        {
            CodePoint = RTLP_REPLACEMENT;
            Status = STATUS_SOME_NOT_MAPPED;
        }

        Units = CodePoint >= 0x10000 ? 2 : 1;
        if (Units > Room - Count)
        {
            Status = STATUS_BUFFER_TOO_SMALL;
            break;
        }

        if (Destination != NULL && Units == 1)
        {
            Destination[Count] = (WCHAR)CodePoint;
        }
        else if (Destination != NULL)
        {
            Destination[Count] = (WCHAR)(0xD800 + ((CodePoint - 0x10000) >> 10));
            Destination[Count + 1] = (WCHAR)(0xDC00 + (CodePoint & 0x3FF));
        }

        Count += Units;
        At += Used;
    }

    if (Count > 0xFFFFFFFF / sizeof(WCHAR))
    {
        return STATUS_INTEGER_OVERFLOW;
    }

    if (ResultBytes != NULL)
    {
        *ResultBytes = (ULONG)(Count * sizeof(WCHAR));
    }

    return Status;
}

/**
 * Converts UTF-16 to UTF-8. Parameters and errors as RtlUTF8ToUnicodeN; an odd SourceBytes is
 * STATUS_INVALID_PARAMETER_5.
 */
NTSTATUS NTAPI RtlUnicodeToUTF8N(_Out_writes_bytes_opt_(DestinationBytes) PCHAR Destination,
                                 _In_ ULONG DestinationBytes, _Out_opt_ PULONG ResultBytes,
                                 _In_reads_bytes_(SourceBytes) PCWCH Source, _In_ ULONG SourceBytes)
{
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG64 Room = Destination != NULL ? DestinationBytes : ~(ULONG64)0;
    ULONG64 Count = 0;
    ULONG At = 0;

    if (Source == NULL)
    {
        return STATUS_INVALID_PARAMETER_4;
    }

    if (Destination == NULL && ResultBytes == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }

    if ((SourceBytes & 1) != 0)
    {
        return STATUS_INVALID_PARAMETER_5;
    }

    while (At < SourceBytes / sizeof(WCHAR))
    {
        ULONG Used;
        ULONG CodePoint = RtlpDecodeUtf16(Source + At, SourceBytes / sizeof(WCHAR) - At, &Used);
        UCHAR Text[4];
        ULONG Length;

        if (CodePoint == RTLP_BAD_CODE_POINT)
        {
            CodePoint = RTLP_REPLACEMENT;
            Status = STATUS_SOME_NOT_MAPPED;
        }

        Length = RtlpEncodeUtf8(CodePoint, Text);
        if (Length > Room - Count)
        {
            Status = STATUS_BUFFER_TOO_SMALL;
            break;
        }

        if (Destination != NULL)
        {
            ULONG Index;

            for (Index = 0; Index < Length; Index += 1)
            {
                Destination[Count + Index] = (CHAR)Text[Index];
            }
        }

        Count += Length;
        At += Used;
    }

    if (Count > 0xFFFFFFFF)
    {
        return STATUS_INTEGER_OVERFLOW;
    }

    if (ResultBytes != NULL)
    {
        *ResultBytes = (ULONG)Count;
    }

    return Status;
}

/**
 * Converts ANSI (UTF-8) to Unicode. What does not fit is left out silently, as ever in this function.
 *
 * @param UnicodeString     receives the text, not terminated
 * @param MaxBytes          its size in bytes
 * @param ResultBytes       optional: receives the number of bytes written
 * @param MultiByteString   the ANSI text
 * @param MultiByteBytes    its length in bytes
 * @return STATUS_SUCCESS
 *
 * IRQL: any (NT says PASSIVE_LEVEL).
 */
NTSTATUS NTAPI RtlMultiByteToUnicodeN(_Out_writes_bytes_to_(MaxBytes, *ResultBytes) PWCH UnicodeString,
                                      _In_ ULONG MaxBytes, _Out_opt_ PULONG ResultBytes,
                                      _In_reads_bytes_(MultiByteBytes) const CHAR *MultiByteString,
                                      _In_ ULONG MultiByteBytes)
{
    ULONG Written = 0;

    if (MultiByteBytes != 0)
    {
        RtlUTF8ToUnicodeN(UnicodeString, MaxBytes, &Written, MultiByteString, MultiByteBytes);
    }

    if (ResultBytes != NULL)
    {
        *ResultBytes = Written;
    }

    return STATUS_SUCCESS;
}

/**
 * Measures what RtlMultiByteToUnicodeN would write, in bytes.
 */
NTSTATUS NTAPI RtlMultiByteToUnicodeSize(_Out_ PULONG UnicodeBytes,
                                         _In_reads_bytes_(MultiByteBytes) const CHAR *MultiByteString,
                                         _In_ ULONG MultiByteBytes)
{
    *UnicodeBytes = 0;
    return MultiByteBytes == 0 ? STATUS_SUCCESS
                               : (RtlUTF8ToUnicodeN(NULL, 0, UnicodeBytes, MultiByteString, MultiByteBytes),
                                  STATUS_SUCCESS);
}

/**
 * Converts Unicode to ANSI (UTF-8). What does not fit is left out: STATUS_BUFFER_OVERFLOW tells it.
 *
 * @param MultiByteString  receives the text, not terminated
 * @param MaxBytes         its size in bytes
 * @param ResultBytes      optional: receives the number of bytes written
 * @param UnicodeString    the text
 * @param UnicodeBytes     its length in bytes
 * @return STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW (a warning)
 */
NTSTATUS NTAPI RtlUnicodeToMultiByteN(_Out_writes_bytes_to_(MaxBytes, *ResultBytes) PCHAR MultiByteString,
                                      _In_ ULONG MaxBytes, _Out_opt_ PULONG ResultBytes,
                                      _In_reads_bytes_(UnicodeBytes) PCWCH UnicodeString, _In_ ULONG UnicodeBytes)
{
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Written = 0;

    if (UnicodeBytes / sizeof(WCHAR) != 0)
    {
        Status = RtlUnicodeToUTF8N(MultiByteString, MaxBytes, &Written, UnicodeString,
                                   UnicodeBytes & ~(ULONG)(sizeof(WCHAR) - 1));
    }

    if (ResultBytes != NULL)
    {
        *ResultBytes = Written;
    }

    return Status == STATUS_BUFFER_TOO_SMALL ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/**
 * Measures what RtlUnicodeToMultiByteN would write, in bytes.
 */
NTSTATUS NTAPI RtlUnicodeToMultiByteSize(_Out_ PULONG MultiByteBytes,
                                         _In_reads_bytes_(UnicodeBytes) PCWCH UnicodeString, _In_ ULONG UnicodeBytes)
{
    *MultiByteBytes = 0;
    if (UnicodeBytes / sizeof(WCHAR) != 0)
    {
        RtlUnicodeToUTF8N(NULL, 0, MultiByteBytes, UnicodeString, UnicodeBytes & ~(ULONG)(sizeof(WCHAR) - 1));
    }

    return STATUS_SUCCESS;
}

/**
 * As RtlUnicodeToMultiByteN, in upper case.
 */
NTSTATUS NTAPI RtlUpcaseUnicodeToMultiByteN(_Out_writes_bytes_to_(MaxBytes, *ResultBytes) PCHAR MultiByteString,
                                            _In_ ULONG MaxBytes, _Out_opt_ PULONG ResultBytes,
                                            _In_reads_bytes_(UnicodeBytes) PCWCH UnicodeString, _In_ ULONG UnicodeBytes)
{
    ULONG Written = 0;
    ULONG At = 0;
    NTSTATUS Status = STATUS_SUCCESS;

    /* Character by character: the caller's text stays as it is, and no copy of it is needed. */
    while (At < UnicodeBytes / sizeof(WCHAR) && NT_SUCCESS(Status))
    {
        WCHAR Pair[2];
        ULONG Used;
        ULONG Length = 0;

        RtlpDecodeUtf16(UnicodeString + At, UnicodeBytes / sizeof(WCHAR) - At, &Used);
        Pair[0] = RtlpUpcase(UnicodeString[At]);
        Pair[1] = Used == 2 ? UnicodeString[At + 1] : 0;
        Status = RtlUnicodeToUTF8N(MultiByteString + Written, MaxBytes - Written, &Length, Pair, Used * sizeof(WCHAR));
        Written += Length;
        At += Used;
    }

    if (ResultBytes != NULL)
    {
        *ResultBytes = Written;
    }

    return Status == STATUS_BUFFER_TOO_SMALL ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* The OEM code page is the same. */

NTSTATUS NTAPI RtlOemToUnicodeN(_Out_writes_bytes_to_(MaxBytes, *ResultBytes) PWCH UnicodeString, _In_ ULONG MaxBytes,
                                _Out_opt_ PULONG ResultBytes, _In_reads_bytes_(OemBytes) PCCH OemString,
                                _In_ ULONG OemBytes)
{
    return RtlMultiByteToUnicodeN(UnicodeString, MaxBytes, ResultBytes, OemString, OemBytes);
}

NTSTATUS NTAPI RtlUnicodeToOemN(_Out_writes_bytes_to_(MaxBytes, *ResultBytes) PCHAR OemString, _In_ ULONG MaxBytes,
                                _Out_opt_ PULONG ResultBytes, _In_reads_bytes_(UnicodeBytes) PCWCH UnicodeString,
                                _In_ ULONG UnicodeBytes)
{
    return RtlUnicodeToMultiByteN(OemString, MaxBytes, ResultBytes, UnicodeString, UnicodeBytes);
}

NTSTATUS NTAPI RtlUpcaseUnicodeToOemN(_Out_writes_bytes_to_(MaxBytes, *ResultBytes) PCHAR OemString,
                                      _In_ ULONG MaxBytes, _Out_opt_ PULONG ResultBytes,
                                      _In_reads_bytes_(UnicodeBytes) PCWCH UnicodeString, _In_ ULONG UnicodeBytes)
{
    return RtlUpcaseUnicodeToMultiByteN(OemString, MaxBytes, ResultBytes, UnicodeString, UnicodeBytes);
}

/**
 * Reads one Unicode character of an ANSI string and moves the pointer behind it. A character outside the BMP does
 * not fit into the result: U+FFFD.
 */
WCHAR NTAPI RtlAnsiCharToUnicodeChar(_Inout_ PUCHAR *SourceCharacter)
{
    const UCHAR *Text = *SourceCharacter;
    SIZE_T Left = 1;
    ULONG Used;
    ULONG CodePoint;

    while (Left < 4 && Text[Left - 1] != 0)
    {
        Left += 1;
    }

    CodePoint = RtlpDecodeUtf8(Text, Left, &Used);
    *SourceCharacter += Used;
    return CodePoint < 0x10000 ? (WCHAR)CodePoint : RTLP_REPLACEMENT;
}
