/* SPDX-License-Identifier: MIT */
/*
 * Restricted tokens: a copy with fewer privileges, with groups that only deny, with restricting SIDs. How an
 * administrator starts something with a plain user's rights.
 */
#include "sep.h"

static BOOLEAN SepListed(const SID_AND_ATTRIBUTES *List, ULONG Count, PSID Sid)
{
    for (ULONG i = 0; i < Count; i++)
    {
        if (SepEqualSid(List[i].Sid, Sid))
        {
            return TRUE;
        }
    }
    return FALSE;
}

static BOOLEAN SepPrivilegeListed(const LUID_AND_ATTRIBUTES *List, ULONG Count, LUID Luid)
{
    for (ULONG i = 0; i < Count; i++)
    {
        if (RtlEqualLuid(&List[i].Luid, &Luid))
        {
            return TRUE;
        }
    }
    return FALSE;
}

static VOID SepDenyOnly(PSID_AND_ATTRIBUTES Group, BOOLEAN User)
{
    Group->Attributes &= ~(SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED | SE_GROUP_OWNER);
    Group->Attributes |= SE_GROUP_USE_FOR_DENY_ONLY;
    if (User)
    {
        Group->Attributes = SE_GROUP_USE_FOR_DENY_ONLY;
    }
}

/* LUA_TOKEN: the groups that make an administrator, as User Account Control filters them. */
static BOOLEAN SepIsPowerGroup(PSID Sid)
{
    return SepEqualSid(Sid, SeExports->SeAliasAdminsSid) || SepEqualSid(Sid, SeExports->SeAliasPowerUsersSid) ||
           SepEqualSid(Sid, SeExports->SeAliasBackupOpsSid) || SepEqualSid(Sid, SeExports->SeAliasAccountOpsSid) ||
           SepEqualSid(Sid, SeExports->SeAliasSystemOpsSid) || SepEqualSid(Sid, SeExports->SeAliasPrintOpsSid);
}

static BOOLEAN SepIsUserPrivilege(LUID Luid)
{
    return Luid.HighPart == 0 &&
           (Luid.LowPart == SE_CHANGE_NOTIFY_PRIVILEGE || Luid.LowPart == SE_SHUTDOWN_PRIVILEGE ||
            Luid.LowPart == SE_UNDOCK_PRIVILEGE || Luid.LowPart == SE_INC_WORKING_SET_PRIVILEGE ||
            Luid.LowPart == SE_TIME_ZONE_PRIVILEGE);
}

/* Removes privileges from a token that nobody else knows yet. */
static VOID SepRemovePrivileges(PTOKEN Token, ULONG Flags, const LUID_AND_ATTRIBUTES *Delete, ULONG DeleteCount)
{
    ULONG kept = 0;
    for (ULONG i = 0; i < Token->PrivilegeCount; i++)
    {
        LUID luid = Token->Privileges[i].Luid;
        BOOLEAN traverse = luid.HighPart == 0 && luid.LowPart == SE_CHANGE_NOTIFY_PRIVILEGE;
        if (((Flags & DISABLE_MAX_PRIVILEGE) != 0 && !traverse) ||
            ((Flags & LUA_TOKEN) != 0 && !SepIsUserPrivilege(luid)) || SepPrivilegeListed(Delete, DeleteCount, luid))
        {
            continue;
        }
        Token->Privileges[kept++] = Token->Privileges[i];
    }
    Token->PrivilegeCount = kept;
}

/* The default DACL must let the filtered token reach what it makes itself: its user is named in it. */
static NTSTATUS SepGrantUserInDefaultDacl(PTOKEN Token)
{
    PSID user = Token->UserAndGroups[0].Sid;
    PACL old = Token->DefaultDacl;
    if (old == NULL)
    {
        return STATUS_SUCCESS;
    }
    ULONG size = old->AclSize + FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart) + SepSidLength(user);
    PACL acl = ExAllocatePoolWithTag(PagedPool, size, SEP_TAG_TOKEN);
    if (acl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlCopyMemory(acl, old, old->AclSize);
    /* The copy's entries may be followed by unused room; the new one goes right behind them. */
    PACE_HEADER ace = SepFirstAce(acl);
    for (USHORT i = 0; i < acl->AceCount; i++)
    {
        ace = SepNextAce(ace);
    }
    PACCESS_ALLOWED_ACE own = (PACCESS_ALLOWED_ACE)ace;
    own->Header.AceType = ACCESS_ALLOWED_ACE_TYPE;
    own->Header.AceFlags = 0;
    own->Header.AceSize = (USHORT)(FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart) + SepSidLength(user));
    own->Mask = GENERIC_ALL;
    RtlCopyMemory(&own->SidStart, user, SepSidLength(user));
    acl->AceCount++;
    acl->AclSize = (USHORT)size;
    Token->DefaultDacl = acl;
    ExFreePoolWithTag(old, SEP_TAG_TOKEN);
    return STATUS_SUCCESS;
}

static VOID SepFilterGroups(PTOKEN Token, ULONG Flags, const SID_AND_ATTRIBUTES *Disable, ULONG DisableCount)
{
    for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
    {
        PSID_AND_ATTRIBUTES group = &Token->UserAndGroups[i];
        if ((group->Attributes & SE_GROUP_INTEGRITY) != 0)
        {
            if ((Flags & LUA_TOKEN) != 0 && SepIntegrityLevel(Token) > SECURITY_MANDATORY_MEDIUM_RID)
            {
                RtlCopyMemory(Token->IntegritySid, SeExports->SeMediumMandatorySid, sizeof(Token->IntegritySid));
                group->Sid = Token->IntegritySid;
            }
            continue;
        }
        if (SepListed(Disable, DisableCount, group->Sid) ||
            ((Flags & LUA_TOKEN) != 0 && i != 0 && SepIsPowerGroup(group->Sid)))
        {
            SepDenyOnly(group, i == 0);
            if (i == Token->DefaultOwnerIndex && i != 0)
            {
                Token->DefaultOwnerIndex = 0; /* who is no administrator any more owns as himself */
            }
        }
    }
}

/* Restricting SIDs of the old token that the new list has too, or the whole list if there were none. */
static ULONG SepIntersect(PTOKEN Existing, const SID_AND_ATTRIBUTES *Restrict, ULONG Count, PSID_AND_ATTRIBUTES Out)
{
    ULONG kept = 0;
    for (ULONG i = 0; i < Count; i++)
    {
        if (Existing->RestrictedSidCount == 0 ||
            SepListed(Existing->RestrictedSids, Existing->RestrictedSidCount, Restrict[i].Sid))
        {
            Out[kept] = Restrict[i];
            Out[kept++].Attributes = SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED;
        }
    }
    return kept;
}

NTSTATUS SepFilterToken(PTOKEN Existing, ULONG Flags, const SID_AND_ATTRIBUTES *Disable, ULONG DisableCount,
                        const LUID_AND_ATTRIBUTES *Delete, ULONG DeleteCount, const SID_AND_ATTRIBUTES *Restrict,
                        ULONG RestrictCount, PTOKEN *Filtered)
{
    SEP_TOKEN_PARTS parts = {0};
    PSID_AND_ATTRIBUTES restricting = NULL;
    PTOKEN token = NULL;
    NTSTATUS status;
    *Filtered = NULL;
    if (RestrictCount != 0)
    {
        restricting = ExAllocatePoolWithTag(PagedPool, RestrictCount * sizeof(*restricting), SEP_TAG_QUERY);
        if (restricting == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    SepLockTokensShared();
    parts.Groups = Existing->UserAndGroups;
    parts.GroupCount = Existing->UserAndGroupCount;
    parts.Privileges = Existing->Privileges;
    parts.PrivilegeCount = Existing->PrivilegeCount;
    parts.OwnerIndex = Existing->DefaultOwnerIndex;
    parts.DefaultDacl = Existing->DefaultDacl;
    for (ULONG i = 0; i < Existing->UserAndGroupCount; i++)
    {
        if (Existing->UserAndGroups[i].Sid == Existing->PrimaryGroup)
        {
            parts.PrimaryGroupIndex = i;
        }
    }
    parts.Restricted = RestrictCount == 0 ? Existing->RestrictedSids : restricting;
    parts.RestrictedCount = RestrictCount == 0 ? Existing->RestrictedSidCount
                                               : SepIntersect(Existing, Restrict, RestrictCount, restricting);
    if (RestrictCount != 0 && parts.RestrictedCount == 0)
    {
        status = STATUS_INVALID_PARAMETER; /* nothing in common: an empty list would lift the restriction */
    }
    else
    {
        status = SepCreateToken(&parts, Existing->Type, Existing->ImpersonationLevel, NULL, KernelMode, &token);
    }
    if (NT_SUCCESS(status))
    {
        token->Source = Existing->Source;
        token->AuthenticationId = Existing->AuthenticationId;
        token->ParentTokenId = Existing->TokenId;
        token->SessionId = Existing->SessionId;
        token->MandatoryPolicy = Existing->MandatoryPolicy;
        token->Flags |= TOKEN_IS_FILTERED | ((Flags & SANDBOX_INERT) != 0 ? TOKEN_SANDBOX_INERT : 0) |
                        ((Flags & WRITE_RESTRICTED) != 0 && parts.RestrictedCount != 0 ? TOKEN_WRITE_RESTRICTED : 0) |
                        (Existing->Flags & (TOKEN_SANDBOX_INERT | TOKEN_WRITE_RESTRICTED));
        SepFilterGroups(token, Flags, Disable, DisableCount);
        SepRemovePrivileges(token, Flags, Delete, DeleteCount);
        token->Elevated = Existing->Elevated && SepSidInToken(token, SeExports->SeAliasAdminsSid, FALSE, FALSE);
        if (Existing->Elevated && !token->Elevated)
        {
            status = SepGrantUserInDefaultDacl(token);
        }
        SepUpdateTokenFlags(token);
    }
    SepUnlockTokens();
    if (restricting != NULL)
    {
        ExFreePoolWithTag(restricting, SEP_TAG_QUERY);
    }
    if (!NT_SUCCESS(status) && token != NULL)
    {
        ObDereferenceObject(token);
        token = NULL;
    }
    *Filtered = token;
    return status;
}

#define SEP_FILTER_FLAGS (DISABLE_MAX_PRIVILEGE | SANDBOX_INERT | LUA_TOKEN | WRITE_RESTRICTED)

/**
 * A restricted copy of a token, for kernel callers.
 *
 * @param Flags               DISABLE_MAX_PRIVILEGE, SANDBOX_INERT, LUA_TOKEN, WRITE_RESTRICTED
 * @param SidsToDisable       these only deny in the copy
 * @param PrivilegesToDelete  not in the copy
 * @param RestrictedSids      a second check with these alone must also grant
 * @param FilteredToken       out: a reference
 * @return STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI SeFilterToken(_In_ PACCESS_TOKEN ExistingToken, _In_ ULONG Flags, _In_opt_ PTOKEN_GROUPS SidsToDisable,
                             _In_opt_ PTOKEN_PRIVILEGES PrivilegesToDelete, _In_opt_ PTOKEN_GROUPS RestrictedSids,
                             _Out_ PACCESS_TOKEN *FilteredToken)
{
    if ((Flags & ~SEP_FILTER_FLAGS) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    return SepFilterToken(ExistingToken, Flags, SidsToDisable == NULL ? NULL : SidsToDisable->Groups,
                          SidsToDisable == NULL ? 0 : SidsToDisable->GroupCount,
                          PrivilegesToDelete == NULL ? NULL : PrivilegesToDelete->Privileges,
                          PrivilegesToDelete == NULL ? 0 : PrivilegesToDelete->PrivilegeCount,
                          RestrictedSids == NULL ? NULL : RestrictedSids->Groups,
                          RestrictedSids == NULL ? 0 : RestrictedSids->GroupCount, (PTOKEN *)FilteredToken);
}

typedef struct _SEP_FILTER_ARGUMENTS
{
    PSID_AND_ATTRIBUTES Disable, Restrict;
    PLUID_AND_ATTRIBUTES Delete;
    ULONG DisableCount, RestrictCount, DeleteCount;
} SEP_FILTER_ARGUMENTS;

static NTSTATUS SepReadCount(const VOID *Source, KPROCESSOR_MODE Mode, PULONG Count)
{
    *Count = 0;
    __try
    {
        if (Source != NULL)
        {
            if (Mode != KernelMode)
            {
                ProbeForRead((PVOID)Source, sizeof(ULONG), sizeof(ULONG));
            }
            *Count = *(volatile ULONG *)Source;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static NTSTATUS SepCaptureFilter(SEP_FILTER_ARGUMENTS *A, PTOKEN_GROUPS Disable, PTOKEN_PRIVILEGES Delete,
                                 PTOKEN_GROUPS Restrict, KPROCESSOR_MODE Mode)
{
    NTSTATUS status = SepReadCount(Disable, Mode, &A->DisableCount);
    if (NT_SUCCESS(status))
    {
        status = SepReadCount(Delete, Mode, &A->DeleteCount);
    }
    if (NT_SUCCESS(status))
    {
        status = SepReadCount(Restrict, Mode, &A->RestrictCount);
    }
    if (NT_SUCCESS(status) && A->DisableCount != 0)
    {
        status = SepCaptureSids(Disable->Groups, A->DisableCount, Mode, &A->Disable);
    }
    if (NT_SUCCESS(status) && A->DeleteCount != 0)
    {
        status = SepCapturePrivileges(Delete->Privileges, A->DeleteCount, Mode, &A->Delete);
    }
    if (NT_SUCCESS(status) && A->RestrictCount != 0)
    {
        status = SepCaptureSids(Restrict->Groups, A->RestrictCount, Mode, &A->Restrict);
    }
    return status;
}

/**
 * Makes a restricted copy of a token the caller may duplicate; what CreateRestrictedToken calls.
 *
 * @return as SeFilterToken; STATUS_ACCESS_DENIED (TOKEN_DUPLICATE). PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtFilterToken(_In_ HANDLE ExistingTokenHandle, _In_ ULONG Flags, _In_opt_ PTOKEN_GROUPS SidsToDisable,
                             _In_opt_ PTOKEN_PRIVILEGES PrivilegesToDelete, _In_opt_ PTOKEN_GROUPS RestrictedSids,
                             _Out_ PHANDLE NewTokenHandle)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    SEP_FILTER_ARGUMENTS arguments = {0};
    OBJECT_HANDLE_INFORMATION information;
    PTOKEN existing = NULL, filtered = NULL;
    HANDLE handle;
    NTSTATUS status;
    if ((Flags & ~SEP_FILTER_FLAGS) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(NewTokenHandle, sizeof(HANDLE), sizeof(HANDLE));
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    status = ObReferenceObjectByHandle(ExistingTokenHandle, TOKEN_DUPLICATE, SeTokenObjectType, mode,
                                       (PVOID *)&existing, &information);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = SepCaptureFilter(&arguments, SidsToDisable, PrivilegesToDelete, RestrictedSids, mode);
    if (NT_SUCCESS(status))
    {
        status = SepFilterToken(existing, Flags, arguments.Disable, arguments.DisableCount, arguments.Delete,
                                arguments.DeleteCount, arguments.Restrict, arguments.RestrictCount, &filtered);
    }
    if (NT_SUCCESS(status))
    {
        status = ObInsertObject(filtered, NULL, information.GrantedAccess, 0, NULL, &handle);
    }
    if (NT_SUCCESS(status))
    {
        __try
        {
            *NewTokenHandle = handle;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    if (arguments.Disable != NULL)
    {
        ExFreePoolWithTag(arguments.Disable, SEP_TAG_QUERY);
    }
    if (arguments.Delete != NULL)
    {
        ExFreePoolWithTag(arguments.Delete, SEP_TAG_QUERY);
    }
    if (arguments.Restrict != NULL)
    {
        ExFreePoolWithTag(arguments.Restrict, SEP_TAG_QUERY);
    }
    ObDereferenceObject(existing);
    return status;
}
