/* SPDX-License-Identifier: MIT */
/*
 * Security identifiers.
 *
 * IRQL: any at which the SID is resident; <= APC_LEVEL if a function allocates. SIDs are trusted memory here: who
 * takes one from user mode captures it first.
 */
#include "rtlp.h"
#include "crtnames.h"

BOOLEAN NTAPI RtlValidSid(_In_ PSID Sid)
{
    PISID Known = Sid;

    return Known != NULL && Known->Revision == SID_REVISION && Known->SubAuthorityCount <= SID_MAX_SUB_AUTHORITIES;
}

ULONG NTAPI RtlLengthRequiredSid(_In_ ULONG SubAuthorityCount)
{
    return FIELD_OFFSET(SID, SubAuthority) + SubAuthorityCount * sizeof(ULONG);
}

ULONG NTAPI RtlLengthSid(_In_ PSID Sid)
{
    return RtlLengthRequiredSid(((PISID)Sid)->SubAuthorityCount);
}

/**
 * Prepares a SID; the sub-authorities are left for the caller to fill.
 *
 * @param Sid                RtlLengthRequiredSid(SubAuthorityCount) bytes
 * @param SubAuthorityCount  at most SID_MAX_SUB_AUTHORITIES
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER
 */
NTSTATUS NTAPI RtlInitializeSid(_Out_ PSID Sid, _In_ PSID_IDENTIFIER_AUTHORITY IdentifierAuthority,
                                _In_ UCHAR SubAuthorityCount)
{
    PISID New = Sid;

    if (SubAuthorityCount > SID_MAX_SUB_AUTHORITIES)
    {
        return STATUS_INVALID_PARAMETER;
    }

    New->Revision = SID_REVISION;
    New->SubAuthorityCount = SubAuthorityCount;
    New->IdentifierAuthority = *IdentifierAuthority;
    return STATUS_SUCCESS;
}

PULONG NTAPI RtlSubAuthoritySid(_In_ PSID Sid, _In_ ULONG SubAuthority)
{
    return &((PISID)Sid)->SubAuthority[SubAuthority];
}

PUCHAR NTAPI RtlSubAuthorityCountSid(_In_ PSID Sid)
{
    return &((PISID)Sid)->SubAuthorityCount;
}

PSID_IDENTIFIER_AUTHORITY NTAPI RtlIdentifierAuthoritySid(_In_ PSID Sid)
{
    return &((PISID)Sid)->IdentifierAuthority;
}

BOOLEAN NTAPI RtlEqualSid(_In_ PSID Sid1, _In_ PSID Sid2)
{
    return ((PISID)Sid1)->Revision == ((PISID)Sid2)->Revision &&
           ((PISID)Sid1)->SubAuthorityCount == ((PISID)Sid2)->SubAuthorityCount &&
           memcmp(Sid1, Sid2, RtlLengthSid(Sid1)) == 0;
}

/**
 * TRUE if two SIDs are equal but for the last sub-authority.
 */
BOOLEAN NTAPI RtlEqualPrefixSid(_In_ PSID Sid1, _In_ PSID Sid2)
{
    UCHAR Count = ((PISID)Sid1)->SubAuthorityCount;

    return ((PISID)Sid1)->Revision == ((PISID)Sid2)->Revision && Count == ((PISID)Sid2)->SubAuthorityCount &&
           memcmp(Sid1, Sid2, RtlLengthRequiredSid(Count != 0 ? Count - 1u : 0)) == 0;
}

/**
 * @return STATUS_SUCCESS, STATUS_BUFFER_TOO_SMALL
 */
NTSTATUS NTAPI RtlCopySid(_In_ ULONG DestinationSidLength, _Out_writes_bytes_(DestinationSidLength) PSID DestinationSid,
                          _In_ PSID SourceSid)
{
    ULONG Length = RtlLengthSid(SourceSid);

    if (Length > DestinationSidLength)
    {
        return STATUS_BUFFER_TOO_SMALL;
    }

    memmove(DestinationSid, SourceSid, Length);
    return STATUS_SUCCESS;
}

/**
 * Makes a SID of up to eight sub-authorities.
 *
 * @param Sid  receives the new SID; free with RtlFreeSid
 * @return STATUS_SUCCESS, STATUS_INVALID_SID (more than eight), STATUS_NO_MEMORY
 */
NTSTATUS NTAPI RtlAllocateAndInitializeSid(_In_ PSID_IDENTIFIER_AUTHORITY IdentifierAuthority,
                                           _In_ UCHAR SubAuthorityCount, _In_ ULONG SubAuthority0,
                                           _In_ ULONG SubAuthority1, _In_ ULONG SubAuthority2, _In_ ULONG SubAuthority3,
                                           _In_ ULONG SubAuthority4, _In_ ULONG SubAuthority5, _In_ ULONG SubAuthority6,
                                           _In_ ULONG SubAuthority7, _Out_ PSID *Sid)
{
    const ULONG Values[8] = {SubAuthority0, SubAuthority1, SubAuthority2, SubAuthority3,
                             SubAuthority4, SubAuthority5, SubAuthority6, SubAuthority7};
    PISID New;

    if (SubAuthorityCount > 8)
    {
        return STATUS_INVALID_SID;
    }

    New = RtlpAllocate(RtlLengthRequiredSid(SubAuthorityCount));
    if (New == NULL)
    {
        return STATUS_NO_MEMORY;
    }

    RtlInitializeSid(New, IdentifierAuthority, SubAuthorityCount);
    memcpy(New->SubAuthority, Values, SubAuthorityCount * sizeof(ULONG));
    *Sid = New;
    return STATUS_SUCCESS;
}

/**
 * Frees what RtlAllocateAndInitializeSid made.
 *
 * @return NULL
 */
PVOID NTAPI RtlFreeSid(_In_ PSID Sid)
{
    RtlpFree(Sid);
    return NULL;
}

/* "S-1-" 0x and 12 digits, 15 times '-' and 10 digits, a terminator */
#define RTLP_SID_CHARS 200

static ULONG RtlpPutText(PWCHAR Text, ULONG At, ULONG64 Value, ULONG Base, ULONG Width)
{
    CHAR Digits[64];
    ULONG Count = RtlpFormatNumber(Value, Base, FALSE, Digits);
    ULONG Index;

    for (Index = Count; Index < Width; Index += 1)
    {
        Text[At++] = '0';
    }

    for (Index = 0; Index < Count; Index += 1)
    {
        Text[At++] = (WCHAR)Digits[Index];
    }

    return At;
}

/**
 * Writes a SID as S-1-...
 *
 * @param UnicodeString              receives the text, terminated
 * @param AllocateDestinationString  TRUE: the buffer is allocated, RtlFreeUnicodeString frees it
 * @return STATUS_SUCCESS, STATUS_INVALID_SID, STATUS_NO_MEMORY, STATUS_BUFFER_OVERFLOW (does not fit)
 */
NTSTATUS NTAPI RtlConvertSidToUnicodeString(_Inout_ PUNICODE_STRING UnicodeString, _In_ PSID Sid,
                                            _In_ BOOLEAN AllocateDestinationString)
{
    PISID Known = Sid;
    WCHAR Text[RTLP_SID_CHARS];
    ULONG64 Authority = 0;
    ULONG At = 0;
    ULONG Index;

    if (!RtlValidSid(Sid))
    {
        return STATUS_INVALID_SID;
    }

    for (Index = 0; Index < 6; Index += 1)
    {
        Authority = (Authority << 8) | Known->IdentifierAuthority.Value[Index];
    }

    Text[At++] = 'S';
    Text[At++] = '-';
    At = RtlpPutText(Text, At, Known->Revision, 10, 0);
    Text[At++] = '-';
    if (Authority > 0xFFFFFFFF)
    {
        Text[At++] = '0';
        Text[At++] = 'x';
        At = RtlpPutText(Text, At, Authority, 16, 12);
    }
    else
    {
        At = RtlpPutText(Text, At, Authority, 10, 0);
    }

    for (Index = 0; Index < Known->SubAuthorityCount; Index += 1)
    {
        Text[At++] = '-';
        At = RtlpPutText(Text, At, Known->SubAuthority[Index], 10, 0);
    }

    Text[At] = 0;
    if (AllocateDestinationString)
    {
        return RtlCreateUnicodeString(UnicodeString, Text) ? STATUS_SUCCESS : STATUS_NO_MEMORY;
    }

    if (At * sizeof(WCHAR) > UnicodeString->MaximumLength)
    {
        return STATUS_BUFFER_OVERFLOW;
    }

    memcpy(UnicodeString->Buffer, Text, At * sizeof(WCHAR));
    UnicodeString->Length = (USHORT)(At * sizeof(WCHAR));
    if (UnicodeString->Length + sizeof(WCHAR) <= UnicodeString->MaximumLength)
    {
        UnicodeString->Buffer[At] = 0;
    }

    return STATUS_SUCCESS;
}
