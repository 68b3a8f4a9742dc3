/* SPDX-License-Identifier: MIT */
/*
 * Internet addresses as text, in both widths. Parsing and formatting work on a narrow copy: the grammar is ASCII,
 * units correspond one to one, and no valid address is longer than the copy. IRQL: any.
 */
#include "rtlp.h"

/* The longest text of interest: "[" an IPv6 address with IPv4 inside "%" scope "]:" port. */
#define RTLP_TEXT 80

typedef struct _RTLP_TEXT_BUFFER
{
    CHAR Unit[RTLP_TEXT + 1];
} RTLP_TEXT_BUFFER, *PRTLP_TEXT_BUFFER;

static VOID RtlpNarrow(PRTLP_TEXT_BUFFER Text, const VOID *String, BOOLEAN Wide)
{
    ULONG Index;

    for (Index = 0; Index < RTLP_TEXT; Index += 1)
    {
        ULONG Unit = Wide ? ((const WCHAR *)String)[Index] : ((const UCHAR *)String)[Index];

        Text->Unit[Index] = (CHAR)(Unit < 0x80 ? Unit : '?');
        if (Unit == 0)
        {
            return;
        }
    }

    Text->Unit[RTLP_TEXT] = 0;
}

static ULONG RtlpDigit(CHAR Unit)
{
    if (Unit >= '0' && Unit <= '9')
    {
        return (ULONG)(Unit - '0');
    }

    if (Unit >= 'a' && Unit <= 'f')
    {
        return (ULONG)(Unit - 'a' + 10);
    }

    return Unit >= 'A' && Unit <= 'F' ? (ULONG)(Unit - 'A' + 10) : 99;
}

/* Reads a number with C's prefixes; FALSE if there is none or it exceeds Limit. */
static BOOLEAN RtlpNumber(const CHAR *Text, PULONG At, ULONG64 Limit, BOOLEAN Prefixes, PULONG Value)
{
    ULONG Base = 10;
    ULONG64 Result = 0;
    ULONG Start;

    if (Prefixes && Text[*At] == '0' && (Text[*At + 1] | 0x20) == 'x')
    {
        Base = 16;
        *At += 2;
    }
    else if (Prefixes && Text[*At] == '0')
    {
        Base = 8;
    }

    for (Start = *At; RtlpDigit(Text[*At]) < Base; *At += 1)
    {
        Result = Result * Base + RtlpDigit(Text[*At]);
        if (Result > Limit)
        {
            return FALSE;
        }
    }

    *Value = (ULONG)Result;
    return *At != Start;
}

/* Up to four parts; the last one fills all bytes that are left. At receives the end, also of a wrong text. */
static NTSTATUS RtlpParse4(const CHAR *Text, PULONG At, BOOLEAN Strict, PUCHAR Address)
{
    ULONG Part[4];
    ULONG Count = 0;
    ULONG Value;
    ULONG Index;

    for (;;)
    {
        if (!RtlpNumber(Text, At, 0xFFFFFFFF, TRUE, &Part[Count]))
        {
            return STATUS_INVALID_PARAMETER;
        }

        Count += 1;
        if (Text[*At] != '.')
        {
            break;
        }

        if (Count == 4)
        {
            return STATUS_INVALID_PARAMETER;
        }

        *At += 1;
    }

    if (Strict && Count != 4)
    {
        return STATUS_INVALID_PARAMETER;
    }

    for (Index = 0; Index + 1 < Count; Index += 1)
    {
        if (Part[Index] > 0xFF)
        {
            return STATUS_INVALID_PARAMETER;
        }
    }

    if (Count != 1 && Part[Count - 1] > 0xFFFFFFFF >> (8 * (Count - 1)))
    {
        return STATUS_INVALID_PARAMETER;
    }

    Value = Part[Count - 1];
    for (Index = 0; Index + 1 < Count; Index += 1)
    {
        Value |= Part[Index] << (24 - 8 * Index);
    }

    for (Index = 0; Index < 4; Index += 1)
    {
        Address[Index] = (UCHAR)(Value >> (24 - 8 * Index));
    }

    return STATUS_SUCCESS;
}

static ULONG RtlpPutNumber(CHAR *Text, ULONG At, ULONG Value, ULONG Base)
{
    return At + RtlpFormatNumber(Value, Base, FALSE, Text + At);
}

static ULONG RtlpFormat4(CHAR *Text, ULONG At, const UCHAR *Address)
{
    ULONG Index;

    for (Index = 0; Index < 4; Index += 1)
    {
        if (Index != 0)
        {
            Text[At++] = '.';
        }

        At = RtlpPutNumber(Text, At, Address[Index], 10);
    }

    return At;
}

/* Is the text from At on a dotted IPv4 address (and not a group of hexadecimal digits)? */
static BOOLEAN RtlpIsDotted(const CHAR *Text, ULONG At)
{
    while (Text[At] >= '0' && Text[At] <= '9')
    {
        At += 1;
    }

    return Text[At] == '.';
}

static NTSTATUS RtlpParse6(const CHAR *Text, PULONG At, PUCHAR Address)
{
    UCHAR Bytes[16] = {0};
    ULONG Count = 0;     /* bytes so far */
    ULONG Gap = 17;      /* where the double colon stands */
    ULONG Start = *At;

    if (Text[*At] == ':')
    {
        if (Text[*At + 1] != ':')
        {
            return STATUS_INVALID_PARAMETER;
        }

        Gap = 0;
        *At += 2;
    }

    while (Count < 16 && RtlpDigit(Text[*At]) < 16)
    {
        ULONG Digits;
        ULONG Group = 0;

        if (Count <= 12 && (Count != 0 || Gap == 0) && RtlpIsDotted(Text, *At))
        {
            if (!NT_SUCCESS(RtlpParse4(Text, At, TRUE, &Bytes[Count])))
            {
                return STATUS_INVALID_PARAMETER;
            }

            Count += 4;
            break;
        }

        for (Digits = 0; RtlpDigit(Text[*At]) < 16; Digits += 1, *At += 1)
        {
            if (Digits == 4)
            {
                return STATUS_INVALID_PARAMETER;
            }

            Group = Group * 16 + RtlpDigit(Text[*At]);
        }

        Bytes[Count] = (UCHAR)(Group >> 8);
        Bytes[Count + 1] = (UCHAR)Group;
        Count += 2;
        if (Text[*At] != ':' || Count == 16)
        {
            break;
        }

        if (Text[*At + 1] == ':')
        {
            if (Gap != 17)
            {
                break; /* a second one ends the address */
            }

            Gap = Count;
            *At += 2;
        }
        else if (RtlpDigit(Text[*At + 1]) < 16)
        {
            *At += 1;
        }
        else
        {
            break;
        }
    }

    if (*At == Start || (Gap == 17 && Count != 16) || (Gap != 17 && Count == 16))
    {
        return STATUS_INVALID_PARAMETER;
    }

    RtlpZero(Address, 16);
    if (Gap == 17)
    {
        Gap = Count;
    }

    RtlpCopy(Address, Bytes, Gap);
    RtlpCopy(Address + 16 - (Count - Gap), Bytes + Gap, Count - Gap);
    return STATUS_SUCCESS;
}

static ULONG RtlpGroup(const UCHAR *Address, ULONG Index)
{
    return (ULONG)Address[2 * Index] << 8 | Address[2 * Index + 1];
}

/* Do the last four bytes read better as IPv4: mapped, compatible, translated, or ISATAP? */
static BOOLEAN RtlpEndsIn4(const UCHAR *Address)
{
    ULONG Index;

    if ((RtlpGroup(Address, 4) & 0xFFFD) == 0 && RtlpGroup(Address, 5) == 0x5EFE)
    {
        return TRUE;
    }

    for (Index = 0; Index < 4; Index += 1)
    {
        if (RtlpGroup(Address, Index) != 0)
        {
            return FALSE;
        }
    }

    if (RtlpGroup(Address, 4) == 0xFFFF && RtlpGroup(Address, 5) == 0)
    {
        return TRUE;
    }

    return RtlpGroup(Address, 4) == 0 &&
           (RtlpGroup(Address, 5) == 0xFFFF || (RtlpGroup(Address, 5) == 0 && RtlpGroup(Address, 6) != 0));
}

static ULONG RtlpFormat6(CHAR *Text, ULONG At, const UCHAR *Address)
{
    ULONG Groups = RtlpEndsIn4(Address) ? 6 : 8;
    ULONG Best = 8;
    ULONG BestLength = 1; /* a single zero group is not shortened */
    ULONG Index;
    ULONG Run = 0;

    for (Index = 0; Index < Groups; Index += 1)
    {
        Run = RtlpGroup(Address, Index) == 0 ? Run + 1 : 0;
        if (Run > BestLength)
        {
            BestLength = Run;
            Best = Index + 1 - Run;
        }
    }

    for (Index = 0; Index < Groups; Index += 1)
    {
        if (Index == Best)
        {
            Text[At++] = ':';
            Text[At++] = ':';
            Index += BestLength - 1;
            continue;
        }

        if (Index != 0 && Index != Best + BestLength)
        {
            Text[At++] = ':';
        }

        At = RtlpPutNumber(Text, At, RtlpGroup(Address, Index), 16);
    }

    if (Groups == 6)
    {
        if (Best + BestLength != 6)
        {
            Text[At++] = ':';
        }

        At = RtlpFormat4(Text, At, Address + 12);
    }

    return At;
}

/* Behind an address: ":port". At has to reach the end of the text. */
static BOOLEAN RtlpParsePort(const CHAR *Text, PULONG At, PUSHORT Port)
{
    ULONG Value = 0;

    if (Text[*At] == ':')
    {
        *At += 1;
        if (!RtlpNumber(Text, At, 0xFFFF, TRUE, &Value))
        {
            return FALSE;
        }
    }

    *Port = (USHORT)(Value >> 8 | Value << 8);
    return Text[*At] == 0;
}

static NTSTATUS RtlpParse6Ex(const CHAR *Text, PUCHAR Address, PULONG ScopeId, PUSHORT Port)
{
    ULONG At = Text[0] == '[' ? 1 : 0;
    NTSTATUS Status = RtlpParse6(Text, &At, Address);

    *ScopeId = 0;
    *Port = 0;
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }

    if (Text[At] == '%')
    {
        At += 1;
        if (!RtlpNumber(Text, &At, 0xFFFFFFFF, FALSE, ScopeId))
        {
            return STATUS_INVALID_PARAMETER;
        }
    }

    if (Text[0] == '[')
    {
        if (Text[At] != ']')
        {
            return STATUS_INVALID_PARAMETER;
        }

        At += 1;
        return RtlpParsePort(Text, &At, Port) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    }

    return Text[At] == 0 ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

static ULONG RtlpFormat4Ex(CHAR *Text, const UCHAR *Address, USHORT Port)
{
    ULONG At = RtlpFormat4(Text, 0, Address);

    if (Port != 0)
    {
        Text[At++] = ':';
        At = RtlpPutNumber(Text, At, (ULONG)((Port >> 8 | Port << 8) & 0xFFFF), 10);
    }

    return At;
}

static ULONG RtlpFormat6Ex(CHAR *Text, const UCHAR *Address, ULONG ScopeId, USHORT Port)
{
    ULONG At = 0;

    if (Port != 0)
    {
        Text[At++] = '[';
    }

    At = RtlpFormat6(Text, At, Address);
    if (ScopeId != 0)
    {
        Text[At++] = '%';
        At = RtlpPutNumber(Text, At, ScopeId, 10);
    }

    if (Port != 0)
    {
        Text[At++] = ']';
        Text[At++] = ':';
        At = RtlpPutNumber(Text, At, (ULONG)((Port >> 8 | Port << 8) & 0xFFFF), 10);
    }

    return At;
}

/* Gives a formatted text to a caller who said how much room there is; Length counts the terminator. */
static NTSTATUS RtlpGive(const CHAR *Text, ULONG Count, PVOID String, BOOLEAN Wide, PULONG Length)
{
    ULONG Room = *Length;
    ULONG Index;

    *Length = Count + 1;
    if (String == NULL || Room < Count + 1)
    {
        return STATUS_INVALID_PARAMETER;
    }

    for (Index = 0; Index <= Count; Index += 1)
    {
        CHAR Unit = Index < Count ? Text[Index] : 0;

        if (Wide)
        {
            ((PWCHAR)String)[Index] = (WCHAR)Unit;
        }
        else
        {
            ((PCHAR)String)[Index] = Unit;
        }
    }

    return STATUS_SUCCESS;
}

/*
 * The public routines, for both widths:
 *
 *   RtlIpv4StringToAddress    parses; Strict asks for four decimal parts; Terminator receives where parsing ended.
 *   RtlIpv4StringToAddressEx  with ":port" (network byte order); the whole string must fit.
 *   RtlIpv4AddressToString    formats into at least 16 (IPv6: 46) characters, returns the terminator's address.
 *   RtlIpv4AddressToStringEx  with port; *Length in characters, the terminator included.
 *
 * STATUS_SUCCESS, or STATUS_INVALID_PARAMETER. Addresses are in network byte order.
 */
#define RTLP_INET(Suffix, Type, CType, IsWide)                                                                         \
    NTSTATUS NTAPI RtlIpv4StringToAddress##Suffix(CType S, BOOLEAN Strict, CType *Terminator, PVOID Address)           \
    {                                                                                                                  \
        RTLP_TEXT_BUFFER Text;                                                                                         \
        ULONG At = 0;                                                                                                  \
        NTSTATUS Status;                                                                                               \
                                                                                                                       \
        RtlpNarrow(&Text, S, IsWide);                                                                                  \
        Status = RtlpParse4(Text.Unit, &At, Strict, Address);                                                          \
        *Terminator = S + At;                                                                                          \
        return Status;                                                                                                 \
    }                                                                                                                  \
                                                                                                                       \
    NTSTATUS NTAPI RtlIpv4StringToAddressEx##Suffix(CType S, BOOLEAN Strict, PVOID Address, PUSHORT Port)              \
    {                                                                                                                  \
        RTLP_TEXT_BUFFER Text;                                                                                         \
        ULONG At = 0;                                                                                                  \
        NTSTATUS Status;                                                                                               \
                                                                                                                       \
        RtlpNarrow(&Text, S, IsWide);                                                                                  \
        Status = RtlpParse4(Text.Unit, &At, Strict, Address);                                                          \
        return NT_SUCCESS(Status) && !RtlpParsePort(Text.Unit, &At, Port) ? STATUS_INVALID_PARAMETER : Status;         \
    }                                                                                                                  \
                                                                                                                       \
    Type NTAPI RtlIpv4AddressToString##Suffix(const VOID *Address, Type S)                                             \
    {                                                                                                                  \
        RTLP_TEXT_BUFFER Text;                                                                                         \
        ULONG Count = RtlpFormat4(Text.Unit, 0, Address);                                                              \
        ULONG Room = Count + 1;                                                                                        \
                                                                                                                       \
        RtlpGive(Text.Unit, Count, S, IsWide, &Room);                                                                  \
        return S + Count;                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    NTSTATUS NTAPI RtlIpv4AddressToStringEx##Suffix(const VOID *Address, USHORT Port, Type S, PULONG Length)           \
    {                                                                                                                  \
        RTLP_TEXT_BUFFER Text;                                                                                         \
                                                                                                                       \
        return RtlpGive(Text.Unit, RtlpFormat4Ex(Text.Unit, Address, Port), S, IsWide, Length);                        \
    }                                                                                                                  \
                                                                                                                       \
    NTSTATUS NTAPI RtlIpv6StringToAddress##Suffix(CType S, CType *Terminator, PVOID Address)                           \
    {                                                                                                                  \
        RTLP_TEXT_BUFFER Text;                                                                                         \
        ULONG At = 0;                                                                                                  \
        NTSTATUS Status;                                                                                               \
                                                                                                                       \
        RtlpNarrow(&Text, S, IsWide);                                                                                  \
        Status = RtlpParse6(Text.Unit, &At, Address);                                                                  \
        *Terminator = S + At;                                                                                          \
        return Status;                                                                                                 \
    }                                                                                                                  \
                                                                                                                       \
    NTSTATUS NTAPI RtlIpv6StringToAddressEx##Suffix(CType S, PVOID Address, PULONG ScopeId, PUSHORT Port)              \
    {                                                                                                                  \
        RTLP_TEXT_BUFFER Text;                                                                                         \
                                                                                                                       \
        RtlpNarrow(&Text, S, IsWide);                                                                                  \
        return RtlpParse6Ex(Text.Unit, Address, ScopeId, Port);                                                        \
    }                                                                                                                  \
                                                                                                                       \
    Type NTAPI RtlIpv6AddressToString##Suffix(const VOID *Address, Type S)                                             \
    {                                                                                                                  \
        RTLP_TEXT_BUFFER Text;                                                                                         \
        ULONG Count = RtlpFormat6(Text.Unit, 0, Address);                                                              \
        ULONG Room = Count + 1;                                                                                        \
                                                                                                                       \
        RtlpGive(Text.Unit, Count, S, IsWide, &Room);                                                                  \
        return S + Count;                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    NTSTATUS NTAPI RtlIpv6AddressToStringEx##Suffix(const VOID *Address, ULONG ScopeId, USHORT Port, Type S,           \
                                                    PULONG Length)                                                     \
    {                                                                                                                  \
        RTLP_TEXT_BUFFER Text;                                                                                         \
                                                                                                                       \
        return RtlpGive(Text.Unit, RtlpFormat6Ex(Text.Unit, Address, ScopeId, Port), S, IsWide, Length);               \
    }

RTLP_INET(A, PSTR, PCSTR, FALSE)
RTLP_INET(W, PWSTR, PCWSTR, TRUE)
