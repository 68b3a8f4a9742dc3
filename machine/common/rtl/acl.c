/* SPDX-License-Identifier: MIT */
/*
 * Access control lists, and access masks.
 *
 *      +------+-------+-------+------------------------------+
 *      | ACL  | ACE 0 | ACE 1 | unused, up to AclSize        |
 *      +------+-------+-------+------------------------------+
 *
 * IRQL: any at which the list is resident. The caller serialises changes.
 */
#include "rtlp.h"
#include "rtlmore.h"
#include "crtnames.h"

#define RTLP_MIN_REVISION 2
#define RTLP_MAX_REVISION 4

static PACE_HEADER RtlpAt(PACL Acl, ULONG Offset)
{
    return (PACE_HEADER)((PUCHAR)Acl + Offset);
}

/*
 * Walks over Count ACEs. Returns the offset behind them, or zero if one leaves the list.
 */
static ULONG RtlpSkipAces(PACL Acl, ULONG Count)
{
    ULONG Offset = sizeof(ACL);

    if (Acl->AclSize < sizeof(ACL))
    {
        return 0;
    }

    for (; Count != 0; Count -= 1)
    {
        /* Sizes are multiples of 4, so that every ACE is aligned. */
        if (Acl->AclSize - Offset < sizeof(ACE_HEADER) || RtlpAt(Acl, Offset)->AceSize < sizeof(ACE_HEADER) ||
            (RtlpAt(Acl, Offset)->AceSize & 3) != 0 || RtlpAt(Acl, Offset)->AceSize > Acl->AclSize - Offset)
        {
            return 0;
        }

        Offset += RtlpAt(Acl, Offset)->AceSize;
    }

    return Offset;
}

/* The ACE types whose SID follows the mask directly. */
static BOOLEAN RtlpIsSimpleAce(UCHAR Type)
{
    return Type <= SYSTEM_ALARM_ACE_TYPE || Type == SYSTEM_MANDATORY_LABEL_ACE_TYPE;
}

/**
 * Checks a list: revision, sizes, that all ACEs are inside, and the SIDs of simple ACEs.
 */
BOOLEAN NTAPI RtlValidAcl(_In_ PACL Acl)
{
    ULONG Offset = sizeof(ACL);
    ULONG Index;

    if (Acl->AclRevision < RTLP_MIN_REVISION || Acl->AclRevision > RTLP_MAX_REVISION || (Acl->AclSize & 3) != 0 ||
        RtlpSkipAces(Acl, Acl->AceCount) == 0)
    {
        return FALSE;
    }

    for (Index = 0; Index < Acl->AceCount; Index += 1)
    {
        PACE_HEADER Ace = RtlpAt(Acl, Offset);
        ULONG SidOffset = FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart);

        if (RtlpIsSimpleAce(Ace->AceType))
        {
            PSID Sid = (PUCHAR)Ace + SidOffset;

            if (Ace->AceSize < SidOffset + RtlLengthRequiredSid(0) || !RtlValidSid(Sid) ||
                Ace->AceSize < SidOffset + RtlLengthSid(Sid))
            {
                return FALSE;
            }
        }

        Offset += Ace->AceSize;
    }

    return TRUE;
}

/**
 * Makes an empty list.
 *
 * @param AclLength    size of the whole list in bytes
 * @param AclRevision  ACL_REVISION (2) to 4
 * @return STATUS_SUCCESS, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER
 */
NTSTATUS NTAPI RtlCreateAcl(_Out_writes_bytes_(AclLength) PACL Acl, _In_ ULONG AclLength, _In_ ULONG AclRevision)
{
    if (AclLength < sizeof(ACL))
    {
        return STATUS_BUFFER_TOO_SMALL;
    }

    if (AclRevision < RTLP_MIN_REVISION || AclRevision > RTLP_MAX_REVISION || AclLength > 0xFFFF)
    {
        return STATUS_INVALID_PARAMETER;
    }

    memset(Acl, 0, sizeof(*Acl));
    Acl->AclRevision = (UCHAR)AclRevision;
    Acl->AclSize = (USHORT)(AclLength & ~3u);
    return STATUS_SUCCESS;
}

/**
 * Finds the first free byte of a list.
 *
 * @param Ace  receives its address, or NULL if the list is full to the last byte
 * @return FALSE if the list is damaged
 */
BOOLEAN NTAPI RtlFirstFreeAce(_In_ PACL Acl, _Out_ PVOID *Ace)
{
    ULONG Offset = RtlpSkipAces(Acl, Acl->AceCount);

    *Ace = Offset != 0 && Offset < Acl->AclSize ? RtlpAt(Acl, Offset) : NULL;
    return Offset != 0;
}

static NTSTATUS RtlpAddSidAce(PACL Acl, ULONG Revision, ULONG Flags, ACCESS_MASK Mask, PSID Sid, UCHAR Type)
{
    PACCESS_ALLOWED_ACE Ace;
    ULONG Offset;
    ULONG Size;

    if (!RtlValidSid(Sid))
    {
        return STATUS_INVALID_SID;
    }

    if (Acl->AclRevision > RTLP_MAX_REVISION || Revision > RTLP_MAX_REVISION)
    {
        return STATUS_REVISION_MISMATCH;
    }

    Offset = RtlpSkipAces(Acl, Acl->AceCount);
    if (Offset == 0)
    {
        return STATUS_INVALID_ACL;
    }

    Size = FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart) + RtlLengthSid(Sid);
    if (Size > Acl->AclSize - Offset || Acl->AceCount == 0xFFFF)
    {
        return STATUS_ALLOTTED_SPACE_EXCEEDED;
    }

    Ace = (PACCESS_ALLOWED_ACE)RtlpAt(Acl, Offset);
    Ace->Header.AceType = Type;
    Ace->Header.AceFlags = (UCHAR)Flags;
    Ace->Header.AceSize = (USHORT)Size;
    Ace->Mask = Mask;
    memcpy(&Ace->SidStart, Sid, RtlLengthSid(Sid));
    Acl->AceCount += 1;
    Acl->AclRevision = max(Acl->AclRevision, (UCHAR)Revision);
    return STATUS_SUCCESS;
}

/**
 * Appends an ACE that allows access.
 *
 * @param AceRevision  the list's revision becomes at least this
 * @param AceFlags     inheritance flags
 * @return STATUS_SUCCESS, STATUS_INVALID_SID, STATUS_REVISION_MISMATCH, STATUS_INVALID_ACL,
 *         STATUS_INVALID_PARAMETER, STATUS_ALLOTTED_SPACE_EXCEEDED
 */
NTSTATUS NTAPI RtlAddAccessAllowedAceEx(_Inout_ PACL Acl, _In_ ULONG AceRevision, _In_ ULONG AceFlags,
                                        _In_ ACCESS_MASK AccessMask, _In_ PSID Sid)
{
    if ((AceFlags & ~(ULONG)VALID_INHERIT_FLAGS) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }

    return RtlpAddSidAce(Acl, AceRevision, AceFlags, AccessMask, Sid, ACCESS_ALLOWED_ACE_TYPE);
}

NTSTATUS NTAPI RtlAddAccessAllowedAce(_Inout_ PACL Acl, _In_ ULONG AceRevision, _In_ ACCESS_MASK AccessMask,
                                      _In_ PSID Sid)
{
    return RtlpAddSidAce(Acl, AceRevision, 0, AccessMask, Sid, ACCESS_ALLOWED_ACE_TYPE);
}

NTSTATUS NTAPI RtlAddAccessDeniedAceEx(_Inout_ PACL Acl, _In_ ULONG AceRevision, _In_ ULONG AceFlags,
                                       _In_ ACCESS_MASK AccessMask, _In_ PSID Sid)
{
    if ((AceFlags & ~(ULONG)VALID_INHERIT_FLAGS) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }

    return RtlpAddSidAce(Acl, AceRevision, AceFlags, AccessMask, Sid, ACCESS_DENIED_ACE_TYPE);
}

NTSTATUS NTAPI RtlAddAccessDeniedAce(_Inout_ PACL Acl, _In_ ULONG AceRevision, _In_ ACCESS_MASK AccessMask,
                                     _In_ PSID Sid)
{
    return RtlpAddSidAce(Acl, AceRevision, 0, AccessMask, Sid, ACCESS_DENIED_ACE_TYPE);
}

/**
 * Inserts a run of ACEs before the one with the given index; an index past the end appends.
 *
 * @param AceList        the ACEs
 * @param AceListLength  their size in bytes
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER (the run is damaged), STATUS_INVALID_ACL, STATUS_BUFFER_TOO_SMALL
 */
NTSTATUS NTAPI RtlAddAce(_Inout_ PACL Acl, _In_ ULONG AceRevision, _In_ ULONG StartingAceIndex,
                         _In_reads_bytes_(AceListLength) PVOID AceList, _In_ ULONG AceListLength)
{
    ULONG End = RtlpSkipAces(Acl, Acl->AceCount);
    ULONG Count = 0;
    ULONG Offset = 0;

    if (End == 0 || AceRevision > RTLP_MAX_REVISION)
    {
        return STATUS_INVALID_PARAMETER;
    }

    while (Offset < AceListLength)
    {
        PACE_HEADER Ace = (PACE_HEADER)((PUCHAR)AceList + Offset);

        if (AceListLength - Offset < sizeof(*Ace) || Ace->AceSize < sizeof(*Ace) ||
            Ace->AceSize > AceListLength - Offset)
        {
            return STATUS_INVALID_PARAMETER;
        }

        Offset += Ace->AceSize;
        Count += 1;
    }

    if (AceListLength > Acl->AclSize - End || Count > 0xFFFFu - Acl->AceCount)
    {
        return STATUS_BUFFER_TOO_SMALL;
    }

    Offset = StartingAceIndex < Acl->AceCount ? RtlpSkipAces(Acl, StartingAceIndex) : End;
    memmove(RtlpAt(Acl, Offset + AceListLength), RtlpAt(Acl, Offset), End - Offset);
    memcpy(RtlpAt(Acl, Offset), AceList, AceListLength);
    Acl->AceCount = (USHORT)(Acl->AceCount + Count);
    Acl->AclRevision = max(Acl->AclRevision, (UCHAR)AceRevision);
    return STATUS_SUCCESS;
}

/**
 * Returns the ACE with the given index.
 *
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER
 */
NTSTATUS NTAPI RtlGetAce(_In_ PACL Acl, _In_ ULONG AceIndex, _Out_ PVOID *Ace)
{
    ULONG Offset;

    if (Acl->AclRevision < RTLP_MIN_REVISION || Acl->AclRevision > RTLP_MAX_REVISION || AceIndex >= Acl->AceCount)
    {
        return STATUS_INVALID_PARAMETER;
    }

    Offset = RtlpSkipAces(Acl, AceIndex);
    if (Offset == 0 || RtlpSkipAces(Acl, AceIndex + 1) == 0)
    {
        return STATUS_INVALID_PARAMETER;
    }

    *Ace = RtlpAt(Acl, Offset);
    return STATUS_SUCCESS;
}

/**
 * Removes the ACE with the given index.
 *
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER
 */
NTSTATUS NTAPI RtlDeleteAce(_Inout_ PACL Acl, _In_ ULONG AceIndex)
{
    ULONG End = RtlpSkipAces(Acl, Acl->AceCount);
    ULONG Offset;
    ULONG Next;

    if (End == 0 || AceIndex >= Acl->AceCount)
    {
        return STATUS_INVALID_PARAMETER;
    }

    Offset = RtlpSkipAces(Acl, AceIndex);
    Next = RtlpSkipAces(Acl, AceIndex + 1);
    memmove(RtlpAt(Acl, Offset), RtlpAt(Acl, Next), End - Next);
    memset(RtlpAt(Acl, Offset + (End - Next)), 0, Next - Offset);
    Acl->AceCount -= 1;
    return STATUS_SUCCESS;
}

/**
 * Turns the generic rights of a mask into the specific ones of an object type.
 */
VOID NTAPI RtlMapGenericMask(_Inout_ PACCESS_MASK AccessMask, _In_ PGENERIC_MAPPING GenericMapping)
{
    ACCESS_MASK Mask = *AccessMask;

    Mask |= (Mask & GENERIC_READ) != 0 ? GenericMapping->GenericRead : 0;
    Mask |= (Mask & GENERIC_WRITE) != 0 ? GenericMapping->GenericWrite : 0;
    Mask |= (Mask & GENERIC_EXECUTE) != 0 ? GenericMapping->GenericExecute : 0;
    Mask |= (Mask & GENERIC_ALL) != 0 ? GenericMapping->GenericAll : 0;
    *AccessMask = Mask & ~(GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL);
}

BOOLEAN NTAPI RtlAreAllAccessesGranted(_In_ ACCESS_MASK GrantedAccess, _In_ ACCESS_MASK DesiredAccess)
{
    return (DesiredAccess & ~GrantedAccess) == 0;
}

BOOLEAN NTAPI RtlAreAnyAccessesGranted(_In_ ACCESS_MASK GrantedAccess, _In_ ACCESS_MASK DesiredAccess)
{
    return (DesiredAccess & GrantedAccess) != 0;
}
