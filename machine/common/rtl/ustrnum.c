/* SPDX-License-Identifier: MIT */
/*
 * Numbers and GUIDs as text. IRQL: any at which the strings are resident, unless a function allocates.
 */
#include "rtlp.h"
#include "crtnames.h"

/* Only these bases are known to the integer functions. */
static BOOLEAN RtlpIsKnownBase(ULONG Base)
{
    return Base == 2 || Base == 8 || Base == 10 || Base == 16;
}

/*
 * Reads a number: blanks, a sign, for Base 0 a prefix (0x, 0o, 0b), digits up to the first that is none. An overflow
 * is not noticed, as in NT.
 */
static NTSTATUS RtlpReadInteger(const VOID *Text, BOOLEAN Wide, ULONG Length, ULONG Base, PULONG Value)
{
    ULONG At = 0;
    ULONG Result = 0;
    BOOLEAN Negative = FALSE;

#define RTLP_UNIT(Index)                                                                                               \
    ((Index) >= Length ? 0u : Wide ? (ULONG)((const WCHAR *)Text)[Index] : (ULONG)((const UCHAR *)Text)[Index])

    while (At < Length && RTLP_UNIT(At) != 0 && RTLP_UNIT(At) <= ' ')
    {
        At += 1;
    }

    if (RTLP_UNIT(At) == '-' || RTLP_UNIT(At) == '+')
    {
        Negative = RTLP_UNIT(At) == '-';
        At += 1;
    }

    if (Base == 0)
    {
        Base = 10;
        if (RTLP_UNIT(At) == '0')
        {
            ULONG Letter = RTLP_UNIT(At + 1);

            Base = Letter == 'x' ? 16 : Letter == 'o' ? 8 : Letter == 'b' ? 2 : 10;
            At += Base != 10 ? 2 : 0;
        }
    }
    else if (!RtlpIsKnownBase(Base))
    {
        return STATUS_INVALID_PARAMETER;
    }

    for (;; At += 1)
    {
        ULONG Unit = RTLP_UNIT(At);
        ULONG Digit = Unit >= '0' && Unit <= '9'   ? Unit - '0'
                      : Unit >= 'a' && Unit <= 'f' ? Unit - 'a' + 10
                      : Unit >= 'A' && Unit <= 'F' ? Unit - 'A' + 10
                                                   : 99;

        if (Digit >= Base)
        {
            break;
        }

        Result = Result * Base + Digit;
    }

#undef RTLP_UNIT

    *Value = Negative ? 0 - Result : Result;
    return STATUS_SUCCESS;
}

/**
 * Reads a number from a string.
 *
 * @param Base   2, 8, 10, 16, or 0: by the prefix 0b, 0o, 0x
 * @param Value  receives the number; zero if there are no digits
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER
 */
NTSTATUS NTAPI RtlUnicodeStringToInteger(_In_ PCUNICODE_STRING String, _In_opt_ ULONG Base, _Out_ PULONG Value)
{
    return RtlpReadInteger(String->Buffer, TRUE, String->Length / sizeof(WCHAR), Base, Value);
}

/**
 * As RtlUnicodeStringToInteger, from a terminated ANSI string.
 */
NTSTATUS NTAPI RtlCharToInteger(_In_z_ PCSZ String, _In_opt_ ULONG Base, _Out_ PULONG Value)
{
    return RtlpReadInteger(String, FALSE, (ULONG)strlen((PCSZ)String), Base, Value);
}

static NTSTATUS RtlpWriteUnicode(ULONG64 Value, ULONG Base, PUNICODE_STRING String)
{
    CHAR Digits[64];
    ULONG Count;
    ULONG Index;

    if (Base == 0)
    {
        Base = 10;
    }

    if (!RtlpIsKnownBase(Base))
    {
        return STATUS_INVALID_PARAMETER;
    }

    Count = RtlpFormatNumber(Value, Base, TRUE, Digits);
    if (Count * sizeof(WCHAR) > String->MaximumLength)
    {
        return STATUS_BUFFER_OVERFLOW;
    }

    for (Index = 0; Index < Count; Index += 1)
    {
        String->Buffer[Index] = (WCHAR)Digits[Index];
    }

    String->Length = (USHORT)(Count * sizeof(WCHAR));
    if (String->Length + sizeof(WCHAR) <= String->MaximumLength)
    {
        String->Buffer[Count] = 0;
    }

    return STATUS_SUCCESS;
}

/**
 * Writes a number into a string.
 *
 * @param Base  2, 8, 10 (or 0), 16
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_BUFFER_OVERFLOW (nothing written)
 */
NTSTATUS NTAPI RtlIntegerToUnicodeString(_In_ ULONG Value, _In_opt_ ULONG Base, _Inout_ PUNICODE_STRING String)
{
    return RtlpWriteUnicode(Value, Base, String);
}

NTSTATUS NTAPI RtlInt64ToUnicodeString(_In_ ULONGLONG Value, _In_opt_ ULONG Base, _Inout_ PUNICODE_STRING String)
{
    return RtlpWriteUnicode(Value, Base, String);
}

/*
 * Length is the room in bytes. A negative one asks for exactly that many characters, filled up with zeros on the
 * left and without a terminator.
 */
static NTSTATUS RtlpWriteChars(ULONG64 Value, ULONG Base, LONG Length, PCHAR String)
{
    CHAR Digits[64];
    ULONG Room = Length < 0 ? 0 - (ULONG)Length : (ULONG)Length;
    ULONG Count;

    if (Base == 0)
    {
        Base = 10;
    }

    if (!RtlpIsKnownBase(Base))
    {
        return STATUS_INVALID_PARAMETER;
    }

    Count = RtlpFormatNumber(Value, Base, TRUE, Digits);
    if (Count > Room)
    {
        return STATUS_BUFFER_OVERFLOW;
    }

    if (Length < 0)
    {
        memset(String, '0', Room - Count);
        memcpy(String + (Room - Count), Digits, Count);
        return STATUS_SUCCESS;
    }

    memcpy(String, Digits, Count);
    if (Count < Room)
    {
        String[Count] = 0;
    }

    return STATUS_SUCCESS;
}

/**
 * Writes a number as ANSI characters.
 *
 * @param Base    2, 8, 10 (or 0), 16
 * @param Length  room in bytes; negative: exactly so many characters with leading zeros
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_BUFFER_OVERFLOW
 */
NTSTATUS NTAPI RtlIntegerToChar(_In_ ULONG Value, _In_opt_ ULONG Base, _In_ LONG Length, _Out_ PCHAR String)
{
    return RtlpWriteChars(Value, Base, Length, String);
}

NTSTATUS NTAPI RtlLargeIntegerToChar(_In_ PLARGE_INTEGER Value, _In_opt_ ULONG Base, _In_ LONG Length,
                                     _Out_ PCHAR String)
{
    return RtlpWriteChars((ULONG64)Value->QuadPart, Base, Length, String);
}

/* "{01234567-89ab-cdef-0123-456789abcdef}" */
#define RTLP_GUID_CHARS 38

/**
 * Writes a GUID with braces and lower-case digits.
 *
 * @param GuidString  receives a new terminated string; free with RtlFreeUnicodeString
 * @return STATUS_SUCCESS, STATUS_NO_MEMORY
 */
NTSTATUS NTAPI RtlStringFromGUID(_In_ REFGUID Guid, _Out_ PUNICODE_STRING GuidString)
{
    PWSTR Buffer = RtlpAllocate((RTLP_GUID_CHARS + 1) * sizeof(WCHAR));
    static const UCHAR Order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    const UCHAR *Bytes = (const UCHAR *)Guid;
    ULONG At = 0;
    ULONG Index;

    if (Buffer == NULL)
    {
        return STATUS_NO_MEMORY;
    }

    Buffer[At++] = '{';
    for (Index = 0; Index < sizeof(Order); Index += 1)
    {
        UCHAR Byte = Bytes[Order[Index]];

        if (Index == 4 || Index == 6 || Index == 8 || Index == 10)
        {
            Buffer[At++] = '-';
        }

        Buffer[At++] = (WCHAR)"0123456789abcdef"[Byte >> 4];
        Buffer[At++] = (WCHAR)"0123456789abcdef"[Byte & 15];
    }

    Buffer[At++] = '}';
    Buffer[At] = 0;
    GuidString->Buffer = Buffer;
    GuidString->Length = RTLP_GUID_CHARS * sizeof(WCHAR);
    GuidString->MaximumLength = (RTLP_GUID_CHARS + 1) * sizeof(WCHAR);
    return STATUS_SUCCESS;
}

static LONG RtlpHexDigit(WCHAR Unit)
{
    if (Unit >= '0' && Unit <= '9')
    {
        return Unit - '0';
    }

    if (Unit >= 'a' && Unit <= 'f')
    {
        return Unit - 'a' + 10;
    }

    return Unit >= 'A' && Unit <= 'F' ? Unit - 'A' + 10 : -1;
}

/**
 * Reads a GUID in the form that RtlStringFromGUID writes; digits in either case.
 *
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER
 */
NTSTATUS NTAPI RtlGUIDFromString(_In_ PUNICODE_STRING GuidString, _Out_ GUID *Guid)
{
    static const UCHAR Order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    const WCHAR *Text = GuidString->Buffer;
    UCHAR Bytes[16];
    ULONG At = 1;
    ULONG Index;

    if (GuidString->Length != RTLP_GUID_CHARS * sizeof(WCHAR) || Text[0] != '{' || Text[RTLP_GUID_CHARS - 1] != '}')
    {
        return STATUS_INVALID_PARAMETER;
    }

    for (Index = 0; Index < sizeof(Order); Index += 1)
    {
        LONG High;
        LONG Low;

        if ((Index == 4 || Index == 6 || Index == 8 || Index == 10) && Text[At++] != '-')
        {
            return STATUS_INVALID_PARAMETER;
        }

        High = RtlpHexDigit(Text[At++]);
        Low = RtlpHexDigit(Text[At++]);
        if (High < 0 || Low < 0)
        {
            return STATUS_INVALID_PARAMETER;
        }

        Bytes[Order[Index]] = (UCHAR)(High << 4 | Low);
    }

    memcpy(Guid, Bytes, sizeof(Bytes));
    return STATUS_SUCCESS;
}
