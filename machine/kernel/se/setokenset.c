/* SPDX-License-Identifier: MIT */
/*
 * Changing tokens: switching privileges, default owner, group and DACL, session, integrity level.
 */
#include "sep.h"

static PLUID_AND_ATTRIBUTES SepFindPrivilege(PTOKEN Token, LUID Luid)
{
    for (ULONG i = 0; i < Token->PrivilegeCount; i++)
    {
        if (RtlEqualLuid(&Token->Privileges[i].Luid, &Luid))
        {
            return &Token->Privileges[i];
        }
    }
    return NULL;
}

/* Takes a removed privilege out of the array for good; lock held exclusively. */
static VOID SepRemovePrivilege(PTOKEN Token, PLUID_AND_ATTRIBUTES Privilege)
{
    ULONG index = (ULONG)(Privilege - Token->Privileges);
    RtlMoveMemory(Privilege, Privilege + 1, (Token->PrivilegeCount - index - 1) * sizeof(*Privilege));
    Token->PrivilegeCount--;
}

typedef struct _SEP_ADJUSTMENT
{
    PLUID_AND_ATTRIBUTES Wanted;
    ULONG Count;
    BOOLEAN DisableAll;
    LUID_AND_ATTRIBUTES Old[SEP_MAX_PRIVILEGES]; /* what changed, as it was */
    ULONG Changed;
    ULONG Found;
} SEP_ADJUSTMENT;

/* Goes through the privileges; without Apply it only finds out what would change. Lock held exclusively. */
static VOID SepAdjust(PTOKEN Token, SEP_ADJUSTMENT *A, BOOLEAN Apply)
{
    A->Changed = 0;
    A->Found = 0;
    for (ULONG i = 0; A->DisableAll && i < Token->PrivilegeCount; i++)
    {
        if ((Token->Privileges[i].Attributes & SE_PRIVILEGE_ENABLED) != 0)
        {
            A->Old[A->Changed++] = Token->Privileges[i];
            if (Apply)
            {
                Token->Privileges[i].Attributes &= ~SE_PRIVILEGE_ENABLED;
            }
        }
    }
    for (ULONG i = 0; !A->DisableAll && i < A->Count; i++)
    {
        PLUID_AND_ATTRIBUTES held = SepFindPrivilege(Token, A->Wanted[i].Luid);
        ULONG enable = A->Wanted[i].Attributes & SE_PRIVILEGE_ENABLED;
        if (held == NULL)
        {
            continue;
        }
        A->Found++;
        if ((A->Wanted[i].Attributes & SE_PRIVILEGE_REMOVED) != 0)
        {
            if (Apply)
            {
                SepRemovePrivilege(Token, held);
            }
        }
        else if ((held->Attributes & SE_PRIVILEGE_ENABLED) != enable)
        {
            A->Old[A->Changed++] = *held;
            if (Apply)
            {
                held->Attributes = (held->Attributes & ~SE_PRIVILEGE_ENABLED) | enable;
            }
        }
    }
}

/**
 * Enables and disables privileges of a token.
 *
 * @param PreviousState  out, optional: the privileges that were changed, as they were (needs TOKEN_QUERY)
 * @return STATUS_NOT_ALL_ASSIGNED (success): the token does not have all of them; STATUS_BUFFER_TOO_SMALL: nothing was
 *         changed, ReturnLength says what PreviousState needs; STATUS_ACCESS_DENIED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtAdjustPrivilegesToken(_In_ HANDLE TokenHandle, _In_ BOOLEAN DisableAllPrivileges,
                                       _In_opt_ PTOKEN_PRIVILEGES NewState, _In_ ULONG BufferLength,
                                       _Out_writes_bytes_to_opt_(BufferLength, *ReturnLength)
                                           PTOKEN_PRIVILEGES PreviousState,
                                       _When_(PreviousState != NULL, _Out_) PULONG ReturnLength)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    SEP_ADJUSTMENT *adjustment = NULL;
    PTOKEN token = NULL;
    ULONG needed = 0;
    NTSTATUS status = STATUS_SUCCESS;

    if (!DisableAllPrivileges && NewState == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    adjustment = ExAllocatePoolWithTag(PagedPool, sizeof(*adjustment), SEP_TAG_QUERY);
    if (adjustment == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(adjustment, sizeof(*adjustment));
    adjustment->DisableAll = DisableAllPrivileges;
    __try
    {
        if (mode != KernelMode)
        {
            if (!DisableAllPrivileges)
            {
                ProbeForRead(NewState, sizeof(ULONG), sizeof(ULONG));
            }
            if (PreviousState != NULL)
            {
                ProbeForWrite(PreviousState, BufferLength, sizeof(ULONG));
                ProbeForWrite(ReturnLength, sizeof(*ReturnLength), sizeof(ULONG));
            }
        }
        if (!DisableAllPrivileges)
        {
            adjustment->Count = *(volatile ULONG *)&NewState->PrivilegeCount;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    if (NT_SUCCESS(status) && !DisableAllPrivileges)
    {
        status = SepCapturePrivileges(NewState->Privileges, adjustment->Count, mode, &adjustment->Wanted);
    }
    if (NT_SUCCESS(status))
    {
        status = SepReferenceTokenByHandle(
            TokenHandle, TOKEN_ADJUST_PRIVILEGES | (PreviousState != NULL ? TOKEN_QUERY : 0), mode, &token);
    }
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    SepLockTokensExclusive();
    SepAdjust(token, adjustment, FALSE);
    needed = FIELD_OFFSET(TOKEN_PRIVILEGES, Privileges) + adjustment->Changed * sizeof(LUID_AND_ATTRIBUTES);
    if (PreviousState != NULL && BufferLength < needed)
    {
        status = STATUS_BUFFER_TOO_SMALL;
    }
    else
    {
        SepAdjust(token, adjustment, TRUE);
        SepUpdateTokenFlags(token);
        if (!DisableAllPrivileges && adjustment->Found < adjustment->Count)
        {
            status = STATUS_NOT_ALL_ASSIGNED;
        }
    }
    SepUnlockTokens();
    __try
    {
        if (PreviousState != NULL)
        {
            *ReturnLength = needed;
            if (status != STATUS_BUFFER_TOO_SMALL)
            {
                PreviousState->PrivilegeCount = adjustment->Changed;
                RtlCopyMemory(PreviousState->Privileges, adjustment->Old,
                              adjustment->Changed * sizeof(LUID_AND_ATTRIBUTES));
            }
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }

Exit:
    if (token != NULL)
    {
        ObDereferenceObject(token);
    }
    if (adjustment->Wanted != NULL)
    {
        ExFreePoolWithTag(adjustment->Wanted, SEP_TAG_QUERY);
    }
    ExFreePoolWithTag(adjustment, SEP_TAG_QUERY);
    return status;
}

/* ---- NtSetInformationToken ---- */

static NTSTATUS SepReadBuffer(PVOID Local, PVOID Source, ULONG Needed, ULONG Given, KPROCESSOR_MODE Mode)
{
    if (Given < Needed)
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead(Source, Needed, sizeof(ULONG));
        }
        RtlCopyMemory(Local, Source, Needed);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/* Owner or primary group: must be one of the token's SIDs, and an owner must be one it may own as. */
static NTSTATUS SepSetSidDefault(PTOKEN Token, PSID Source, KPROCESSOR_MODE Mode, BOOLEAN Owner)
{
    PSID sid;
    NTSTATUS status = SepCaptureSid(Source, Mode, &sid);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = Owner ? STATUS_INVALID_OWNER : STATUS_INVALID_PRIMARY_GROUP;
    SepLockTokensExclusive();
    for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
    {
        if (!SepEqualSid(Token->UserAndGroups[i].Sid, sid) ||
            (Token->UserAndGroups[i].Attributes & SE_GROUP_INTEGRITY) != 0)
        {
            continue;
        }
        if (Owner && SepMayOwn(Token, sid))
        {
            Token->DefaultOwnerIndex = i;
            status = STATUS_SUCCESS;
        }
        else if (!Owner)
        {
            Token->PrimaryGroup = Token->UserAndGroups[i].Sid;
            status = STATUS_SUCCESS;
        }
        break;
    }
    SepUpdateTokenFlags(Token);
    SepUnlockTokens();
    ExFreePoolWithTag(sid, SEP_TAG_QUERY);
    return status;
}

static NTSTATUS SepSetDefaultDacl(PTOKEN Token, PACL Source, KPROCESSOR_MODE Mode)
{
    PACL acl = NULL, old;
    NTSTATUS status = Source == NULL ? STATUS_SUCCESS : SepCaptureAcl(Source, Mode, &acl);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    SepLockTokensExclusive();
    old = Token->DefaultDacl;
    Token->DefaultDacl = acl;
    SepUpdateTokenFlags(Token);
    SepUnlockTokens();
    if (old != NULL)
    {
        ExFreePoolWithTag(old, SEP_TAG_TOKEN);
    }
    return STATUS_SUCCESS;
}

/* An integrity level can be lowered by anybody and raised only with SeTcbPrivilege. */
static NTSTATUS SepSetIntegrity(PTOKEN Token, PSID Source, KPROCESSOR_MODE Mode)
{
    PISID sid;
    NTSTATUS status = SepCaptureSid(Source, Mode, (PSID *)&sid);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    static const SID_IDENTIFIER_AUTHORITY label = {SECURITY_MANDATORY_LABEL_AUTHORITY};
    if (sid->SubAuthorityCount != 1 ||
        RtlCompareMemory(&sid->IdentifierAuthority, &label, sizeof(label)) != sizeof(label) ||
        Token->IntegrityIndex == SEP_NO_INDEX)
    {
        status = STATUS_INVALID_PARAMETER;
    }
    else if (sid->SubAuthority[0] > SepIntegrityLevel(Token) &&
             !SeSinglePrivilegeCheck(SeExports->SeTcbPrivilege, Mode))
    {
        status = STATUS_PRIVILEGE_NOT_HELD;
    }
    else
    {
        SepLockTokensExclusive();
        RtlCopyMemory(Token->IntegritySid, sid, sizeof(Token->IntegritySid));
        Token->UserAndGroups[Token->IntegrityIndex].Sid = Token->IntegritySid;
        SepUpdateTokenFlags(Token);
        SepUnlockTokens();
    }
    ExFreePoolWithTag(sid, SEP_TAG_QUERY);
    return status;
}

static NTSTATUS SepSetSession(PTOKEN Token, ULONG SessionId, KPROCESSOR_MODE Mode)
{
    if (!SeSinglePrivilegeCheck(SeExports->SeTcbPrivilege, Mode))
    {
        return STATUS_PRIVILEGE_NOT_HELD;
    }
    SepLockTokensExclusive();
    Token->SessionId = SessionId;
    SepUpdateTokenFlags(Token);
    SepUnlockTokens();
    return STATUS_SUCCESS;
}

/**
 * Sets TokenOwner, TokenPrimaryGroup, TokenDefaultDacl, TokenSessionId or TokenIntegrityLevel.
 *
 * @return STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_OWNER, STATUS_INVALID_PRIMARY_GROUP,
 *         STATUS_PRIVILEGE_NOT_HELD, STATUS_ACCESS_DENIED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtSetInformationToken(_In_ HANDLE TokenHandle, _In_ TOKEN_INFORMATION_CLASS TokenInformationClass,
                                     _In_reads_bytes_(TokenInformationLength) PVOID TokenInformation,
                                     _In_ ULONG TokenInformationLength)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    ACCESS_MASK access = TOKEN_ADJUST_DEFAULT;
    SID_AND_ATTRIBUTES local = {0}; /* large enough for every class */
    ULONG size = sizeof(PVOID);
    PTOKEN token;
    NTSTATUS status;
    switch (TokenInformationClass)
    {
    case TokenOwner:
    case TokenPrimaryGroup:
    case TokenDefaultDacl:
        break;
    case TokenSessionId:
        access |= TOKEN_ADJUST_SESSIONID;
        size = sizeof(ULONG);
        break;
    case TokenIntegrityLevel:
        size = sizeof(TOKEN_MANDATORY_LABEL);
        break;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
    status = SepReadBuffer(&local, TokenInformation, size, TokenInformationLength, mode);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = SepReferenceTokenByHandle(TokenHandle, access, mode, &token);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    switch (TokenInformationClass)
    {
    case TokenOwner:
        status = SepSetSidDefault(token, local.Sid, mode, TRUE);
        break;
    case TokenPrimaryGroup:
        status = SepSetSidDefault(token, local.Sid, mode, FALSE);
        break;
    case TokenDefaultDacl:
        status = SepSetDefaultDacl(token, (PACL)local.Sid, mode);
        break;
    case TokenSessionId:
        status = SepSetSession(token, *(PULONG)&local, mode);
        break;
    default:
        status = SepSetIntegrity(token, local.Sid, mode);
        break;
    }
    ObDereferenceObject(token);
    return status;
}
