/* SPDX-License-Identifier: MIT */
/*
 * Tokens: creation, duplication, the ones the machine starts with.
 *
 * All arrays and SIDs of a token lie in one pool block:
 *     UserAndGroups[] | RestrictedSids[] | Privileges[] | SIDs
 */
#include "sep.h"
#include "ex.h"

POBJECT_TYPE SeTokenObjectType;
ERESOURCE SepTokenResource;

static volatile LONG64 SepNextLuid = 0x10000;

static const TOKEN_SOURCE SepSystemSource = {.SourceName = "*SYSTEM*"};

/** A locally unique id. Any IRQL. */
static LUID SepNewLuid(VOID)
{
    LONG64 value = InterlockedIncrement64(&SepNextLuid);
    return (LUID){.LowPart = (ULONG)value, .HighPart = (LONG)(value >> 32)};
}

/** A locally unique id, for services and drivers. Any IRQL. */
NTSTATUS NTAPI ExAllocateLocallyUniqueId(_Out_ PLUID Luid)
{
    *Luid = SepNewLuid();
    return STATUS_SUCCESS;
}

static VOID SepDeleteToken(PVOID Object)
{
    PTOKEN token = Object;
    if (token->DefaultDacl != NULL)
    {
        ExFreePoolWithTag(token->DefaultDacl, SEP_TAG_TOKEN);
    }
    if (token->Variable != NULL)
    {
        ExFreePoolWithTag(token->Variable, SEP_TAG_TOKEN);
    }
}

VOID SepInitializeTokens(VOID)
{
    static const OB_TYPE_DEFINITION definition = {
        .Name = L"Token", .BodySize = sizeof(TOKEN), .PoolType = NonPagedPoolNx, .InvalidAttributes = OBJ_OPENLINK,
        .ValidAccess = TOKEN_ALL_ACCESS, .SecurityRequired = TRUE,
        .Mapping = {TOKEN_READ, TOKEN_WRITE, TOKEN_EXECUTE, TOKEN_ALL_ACCESS},
        .Methods = {.Delete = SepDeleteToken},
    };
    ExInitializeResourceLite(&SepTokenResource);
    NTSTATUS status = ObCreateType(&definition, &SeTokenObjectType);
    if (!NT_SUCCESS(status))
    {
        KeBugCheckEx(SECURITY_INITIALIZATION_FAILED, (ULONG_PTR)status, 0, 0, 0);
    }
}

static BOOLEAN SepPrivilegeEnabled(PTOKEN Token, ULONG Privilege)
{
    for (ULONG i = 0; i < Token->PrivilegeCount; i++)
    {
        if (Token->Privileges[i].Luid.LowPart == Privilege && Token->Privileges[i].Luid.HighPart == 0)
        {
            return (Token->Privileges[i].Attributes & SE_PRIVILEGE_ENABLED) != 0;
        }
    }
    return FALSE;
}

/* The flags that lookups read without the lock follow the arrays; lock held or token still private. */
VOID SepUpdateTokenFlags(PTOKEN Token)
{
    ULONG flags = Token->Flags & ~(TOKEN_HAS_TRAVERSE_PRIVILEGE | TOKEN_HAS_BACKUP_PRIVILEGE |
                                   TOKEN_HAS_RESTORE_PRIVILEGE | TOKEN_HAS_IMPERSONATE_PRIVILEGE | TOKEN_IS_RESTRICTED);
    flags |= SepPrivilegeEnabled(Token, SE_CHANGE_NOTIFY_PRIVILEGE) ? TOKEN_HAS_TRAVERSE_PRIVILEGE : 0;
    flags |= SepPrivilegeEnabled(Token, SE_BACKUP_PRIVILEGE) ? TOKEN_HAS_BACKUP_PRIVILEGE : 0;
    flags |= SepPrivilegeEnabled(Token, SE_RESTORE_PRIVILEGE) ? TOKEN_HAS_RESTORE_PRIVILEGE : 0;
    flags |= SepPrivilegeEnabled(Token, SE_IMPERSONATE_PRIVILEGE) ? TOKEN_HAS_IMPERSONATE_PRIVILEGE : 0;
    flags |= Token->RestrictedSidCount != 0 ? TOKEN_IS_RESTRICTED : 0;
    Token->Flags = flags;
    Token->ModifiedId = SepNewLuid();
}

static PUCHAR SepCopySids(PSID_AND_ATTRIBUTES To, const SID_AND_ATTRIBUTES *From, ULONG Count, PUCHAR Room)
{
    for (ULONG i = 0; i < Count; i++)
    {
        ULONG length = SepSidLength(From[i].Sid);
        RtlCopyMemory(Room, From[i].Sid, length);
        To[i].Sid = Room;
        To[i].Attributes = From[i].Attributes;
        Room += (length + 7) & ~7U;
    }
    return Room;
}

static SIZE_T SepSidsSize(const SID_AND_ATTRIBUTES *Sids, ULONG Count)
{
    SIZE_T size = Count * sizeof(SID_AND_ATTRIBUTES);
    for (ULONG i = 0; i < Count; i++)
    {
        size += (SepSidLength(Sids[i].Sid) + 7) & ~7U;
    }
    return size;
}

static NTSTATUS SepFillToken(PTOKEN Token, const SEP_TOKEN_PARTS *Parts)
{
    SIZE_T privileges = (Parts->PrivilegeCount * sizeof(LUID_AND_ATTRIBUTES) + 7) & ~(SIZE_T)7;
    SIZE_T size = SepSidsSize(Parts->Groups, Parts->GroupCount) +
                  SepSidsSize(Parts->Restricted, Parts->RestrictedCount) + privileges;
    PUCHAR room = ExAllocatePoolWithTag(PagedPool, size, SEP_TAG_TOKEN);
    if (room == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Token->Variable = room;
    Token->UserAndGroups = (PSID_AND_ATTRIBUTES)room;
    Token->UserAndGroupCount = Parts->GroupCount;
    Token->RestrictedSids = Token->UserAndGroups + Parts->GroupCount;
    Token->RestrictedSidCount = Parts->RestrictedCount;
    Token->Privileges = (PLUID_AND_ATTRIBUTES)(Token->RestrictedSids + Parts->RestrictedCount);
    Token->PrivilegeCount = Parts->PrivilegeCount;
    RtlCopyMemory(Token->Privileges, Parts->Privileges, Parts->PrivilegeCount * sizeof(LUID_AND_ATTRIBUTES));
    room = SepCopySids(Token->UserAndGroups, Parts->Groups, Parts->GroupCount, (PUCHAR)Token->Privileges + privileges);
    SepCopySids(Token->RestrictedSids, Parts->Restricted, Parts->RestrictedCount, room);
    Token->DefaultOwnerIndex = Parts->OwnerIndex;
    Token->PrimaryGroup = Token->UserAndGroups[Parts->PrimaryGroupIndex].Sid;
    Token->IntegrityIndex = SEP_NO_INDEX;
    for (ULONG i = 0; i < Parts->GroupCount; i++)
    {
        if ((Token->UserAndGroups[i].Attributes & SE_GROUP_INTEGRITY) != 0)
        {
            Token->IntegrityIndex = i;
        }
    }
    if (Parts->DefaultDacl != NULL)
    {
        Token->DefaultDacl = ExAllocatePoolWithTag(PagedPool, Parts->DefaultDacl->AclSize, SEP_TAG_TOKEN);
        if (Token->DefaultDacl == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        RtlCopyMemory(Token->DefaultDacl, Parts->DefaultDacl, Parts->DefaultDacl->AclSize);
    }
    return STATUS_SUCCESS;
}

/* A token that is not yet inserted: the caller has its only reference and may pass it to ObInsertObject. */
NTSTATUS SepCreateToken(const SEP_TOKEN_PARTS *Parts, TOKEN_TYPE Type, SECURITY_IMPERSONATION_LEVEL Level,
                        POBJECT_ATTRIBUTES Attributes, KPROCESSOR_MODE Mode, PTOKEN *Token)
{
    PTOKEN token;
    NTSTATUS status =
        ObCreateObject(Mode, SeTokenObjectType, Attributes, Mode, NULL, sizeof(TOKEN), 0, 0, (PVOID *)&token);
    *Token = NULL;
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    token->Source = SepSystemSource;
    token->TokenId = SepNewLuid();
    token->AuthenticationId = (LUID)SYSTEM_LUID;
    token->ExpirationTime.QuadPart = MAXLONGLONG;
    token->Type = Type;
    token->ImpersonationLevel = Type == TokenPrimary ? SecurityAnonymous : Level;
    token->MandatoryPolicy = TOKEN_MANDATORY_POLICY_NO_WRITE_UP | TOKEN_MANDATORY_POLICY_NEW_PROCESS_MIN;
    status = SepFillToken(token, Parts);
    if (!NT_SUCCESS(status))
    {
        ObDereferenceObject(token);
        return status;
    }
    SepUpdateTokenFlags(token);
    *Token = token;
    return STATUS_SUCCESS;
}

/* Copies what is not in the arrays from one token to its child. */
static VOID SepInheritFields(PTOKEN To, PTOKEN From)
{
    To->Source = From->Source;
    To->AuthenticationId = From->AuthenticationId;
    To->ParentTokenId = From->ParentTokenId;
    To->ExpirationTime = From->ExpirationTime;
    To->Origin = From->Origin;
    To->SessionId = From->SessionId;
    To->MandatoryPolicy = From->MandatoryPolicy;
    To->Elevated = From->Elevated;
    To->Flags = From->Flags & (TOKEN_IS_FILTERED | TOKEN_SANDBOX_INERT | TOKEN_UIACCESS | TOKEN_WRITE_RESTRICTED);
    SepUpdateTokenFlags(To);
}

static ULONG SepIndexOfSid(PTOKEN Token, PSID Sid)
{
    for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
    {
        if (Token->UserAndGroups[i].Sid == Sid)
        {
            return i;
        }
    }
    return 0;
}

/* With EffectiveOnly disabled groups and privileges are left out: they must not come back in the copy. */
static NTSTATUS SepKeepEffective(PTOKEN Token, SEP_TOKEN_PARTS *Parts, PVOID *Scratch)
{
    SIZE_T groups = Token->UserAndGroupCount * sizeof(SID_AND_ATTRIBUTES);
    SIZE_T privileges = Token->PrivilegeCount * sizeof(LUID_AND_ATTRIBUTES);
    PSID_AND_ATTRIBUTES keptGroups = ExAllocatePoolWithTag(PagedPool, groups + privileges, SEP_TAG_QUERY);
    PLUID_AND_ATTRIBUTES keptPrivileges;
    if (keptGroups == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    keptPrivileges = (PLUID_AND_ATTRIBUTES)(keptGroups + Token->UserAndGroupCount);
    *Scratch = keptGroups;
    Parts->GroupCount = 0;
    Parts->OwnerIndex = 0;
    Parts->PrimaryGroupIndex = 0;
    for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
    {
        ULONG attributes = Token->UserAndGroups[i].Attributes;
        if (i != 0 && (attributes & (SE_GROUP_ENABLED | SE_GROUP_USE_FOR_DENY_ONLY | SE_GROUP_INTEGRITY)) == 0 &&
            Token->UserAndGroups[i].Sid != Token->PrimaryGroup)
        {
            continue;
        }
        if (i == Token->DefaultOwnerIndex)
        {
            Parts->OwnerIndex = Parts->GroupCount;
        }
        if (Token->UserAndGroups[i].Sid == Token->PrimaryGroup)
        {
            Parts->PrimaryGroupIndex = Parts->GroupCount;
        }
        keptGroups[Parts->GroupCount++] = Token->UserAndGroups[i];
    }
    Parts->PrivilegeCount = 0;
    for (ULONG i = 0; i < Token->PrivilegeCount; i++)
    {
        if ((Token->Privileges[i].Attributes & SE_PRIVILEGE_ENABLED) != 0)
        {
            keptPrivileges[Parts->PrivilegeCount++] = Token->Privileges[i];
        }
    }
    Parts->Groups = keptGroups;
    Parts->Privileges = keptPrivileges;
    return STATUS_SUCCESS;
}

NTSTATUS SepDuplicateToken(PTOKEN Existing, POBJECT_ATTRIBUTES Attributes, BOOLEAN EffectiveOnly, TOKEN_TYPE Type,
                           SECURITY_IMPERSONATION_LEVEL Level, KPROCESSOR_MODE Mode, PTOKEN *Token)
{
    SEP_TOKEN_PARTS parts = {0};
    PVOID scratch = NULL;
    NTSTATUS status = STATUS_SUCCESS;

    SepLockTokensShared();
    parts.Groups = Existing->UserAndGroups;
    parts.GroupCount = Existing->UserAndGroupCount;
    parts.Restricted = Existing->RestrictedSids;
    parts.RestrictedCount = Existing->RestrictedSidCount;
    parts.Privileges = Existing->Privileges;
    parts.PrivilegeCount = Existing->PrivilegeCount;
    parts.OwnerIndex = Existing->DefaultOwnerIndex;
    parts.PrimaryGroupIndex = SepIndexOfSid(Existing, Existing->PrimaryGroup);
    parts.DefaultDacl = Existing->DefaultDacl;
    if (EffectiveOnly)
    {
        status = SepKeepEffective(Existing, &parts, &scratch);
    }
    if (NT_SUCCESS(status))
    {
        status = SepCreateToken(&parts, Type, Level, Attributes, Mode, Token);
    }
    if (NT_SUCCESS(status))
    {
        SepInheritFields(*Token, Existing);
    }
    SepUnlockTokens();
    if (scratch != NULL)
    {
        ExFreePoolWithTag(scratch, SEP_TAG_QUERY);
    }
    return status;
}

/* A token that gets no handle at first is secured by its own defaults: its user and SYSTEM may open it. */
static NTSTATUS SepSecureToken(PTOKEN *Token)
{
    NTSTATUS status = ObAssignTokenSecurity(*Token, *Token);
    if (!NT_SUCCESS(status))
    {
        ObDereferenceObject(*Token);
        *Token = NULL;
    }
    return status;
}

NTSTATUS SeSubProcessToken(_In_ PEPROCESS Parent, _Out_ PTOKEN *Token)
{
    PTOKEN primary = PsReferencePrimaryToken(Parent);
    NTSTATUS status = SeCopyAsPrimary(primary, Token);
    PsDereferencePrimaryToken(primary);
    return status;
}

/** A primary token for a new process made from a token handle's object: always a copy. PASSIVE_LEVEL. */
NTSTATUS SeCopyAsPrimary(_In_ PTOKEN Source, _Out_ PTOKEN *Token)
{
    NTSTATUS status = SepDuplicateToken(Source, NULL, FALSE, TokenPrimary, SecurityAnonymous, KernelMode, Token);
    if (NT_SUCCESS(status))
    {
        status = SepSecureToken(Token);
    }
    return status;
}

/* ---- the tokens of the start ---- */

static NTSTATUS SepDefaultDacl(PSID Owner, PACL Acl, ULONG Size)
{
    NTSTATUS status = RtlCreateAcl(Acl, Size, ACL_REVISION);
    if (NT_SUCCESS(status))
    {
        status = RtlAddAccessAllowedAce(Acl, ACL_REVISION, GENERIC_ALL, Owner);
    }
    if (NT_SUCCESS(status) && Owner != SeExports->SeLocalSystemSid)
    {
        status = RtlAddAccessAllowedAce(Acl, ACL_REVISION, GENERIC_ALL, SeExports->SeLocalSystemSid);
    }
    if (NT_SUCCESS(status) && Owner == SeExports->SeLocalSystemSid)
    {
        status = RtlAddAccessAllowedAce(Acl, ACL_REVISION, GENERIC_READ | GENERIC_EXECUTE | READ_CONTROL,
                                        SeExports->SeAliasAdminsSid);
    }
    return status;
}

#define SEP_GROUP_ON (SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED)

static PTOKEN SepMakeStartToken(const SEP_TOKEN_PARTS *Template, PSID DaclOwner, BOOLEAN Elevated)
{
    DECLSPEC_ALIGN(8) UCHAR acl[256];
    SEP_TOKEN_PARTS parts = *Template;
    PTOKEN token = NULL;
    NTSTATUS status = SepDefaultDacl(DaclOwner, (PACL)acl, sizeof(acl));
    parts.DefaultDacl = (PACL)acl;
    if (NT_SUCCESS(status))
    {
        status = SepCreateToken(&parts, TokenPrimary, SecurityAnonymous, NULL, KernelMode, &token);
    }
    if (!NT_SUCCESS(status))
    {
        return NULL;
    }
    token->Elevated = Elevated;
    return NT_SUCCESS(SepSecureToken(&token)) ? token : NULL;
}

/** LocalSystem with every privilege enabled, as the kernel's own threads run. NULL without memory. PASSIVE_LEVEL. */
PTOKEN SeCreateSystemToken(VOID)
{
    SID_AND_ATTRIBUTES groups[] = {
        {SeExports->SeLocalSystemSid, 0},
        {SeExports->SeAliasAdminsSid, SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED | SE_GROUP_OWNER},
        {SeExports->SeWorldSid, SEP_GROUP_ON},
        {SeExports->SeAuthenticatedUsersSid, SEP_GROUP_ON},
        {SeExports->SeSystemMandatorySid, SE_GROUP_INTEGRITY | SE_GROUP_INTEGRITY_ENABLED},
    };
    LUID_AND_ATTRIBUTES privileges[SE_MAX_WELL_KNOWN_PRIVILEGE - SE_MIN_WELL_KNOWN_PRIVILEGE + 1];
    SEP_TOKEN_PARTS parts = {.Groups = groups, .GroupCount = RTL_NUMBER_OF(groups), .Privileges = privileges,
                             .OwnerIndex = 1, .PrimaryGroupIndex = 0};
    for (ULONG privilege = SE_MIN_WELL_KNOWN_PRIVILEGE; privilege <= SE_MAX_WELL_KNOWN_PRIVILEGE; privilege++)
    {
        privileges[parts.PrivilegeCount].Luid = RtlConvertUlongToLuid(privilege);
        privileges[parts.PrivilegeCount++].Attributes = SE_PRIVILEGE_ENABLED | SE_PRIVILEGE_ENABLED_BY_DEFAULT;
    }
    return SepMakeStartToken(&parts, SeExports->SeLocalSystemSid, TRUE);
}

static const struct { UCHAR Privilege; BOOLEAN Enabled;
} SepAdminPrivileges[] = {
    {SE_INCREASE_QUOTA_PRIVILEGE, FALSE},
    {SE_SECURITY_PRIVILEGE, FALSE},
    {SE_TAKE_OWNERSHIP_PRIVILEGE, FALSE},
    {SE_LOAD_DRIVER_PRIVILEGE, FALSE},
    {SE_SYSTEM_PROFILE_PRIVILEGE, FALSE},
    {SE_SYSTEMTIME_PRIVILEGE, FALSE},
    {SE_PROF_SINGLE_PROCESS_PRIVILEGE, FALSE},
    {SE_INC_BASE_PRIORITY_PRIVILEGE, FALSE},
    {SE_CREATE_PAGEFILE_PRIVILEGE, FALSE},
    {SE_BACKUP_PRIVILEGE, FALSE},
    {SE_RESTORE_PRIVILEGE, FALSE},
    {SE_SHUTDOWN_PRIVILEGE, FALSE},
    {SE_DEBUG_PRIVILEGE, FALSE},
    {SE_SYSTEM_ENVIRONMENT_PRIVILEGE, FALSE},
    {SE_CHANGE_NOTIFY_PRIVILEGE, TRUE},
    {SE_REMOTE_SHUTDOWN_PRIVILEGE, FALSE},
    {SE_UNDOCK_PRIVILEGE, FALSE},
    {SE_MANAGE_VOLUME_PRIVILEGE, FALSE},
    {SE_IMPERSONATE_PRIVILEGE, TRUE},
    {SE_CREATE_GLOBAL_PRIVILEGE, TRUE},
    {SE_INC_WORKING_SET_PRIVILEGE, FALSE},
    {SE_TIME_ZONE_PRIVILEGE, FALSE},
    {SE_CREATE_SYMBOLIC_LINK_PRIVILEGE, FALSE},
};
static const struct { UCHAR Privilege; BOOLEAN Enabled; } SepUserPrivileges[] = {
    {SE_SHUTDOWN_PRIVILEGE, FALSE}, {SE_CHANGE_NOTIFY_PRIVILEGE, TRUE}, {SE_UNDOCK_PRIVILEGE, FALSE},
    {SE_INC_WORKING_SET_PRIVILEGE, FALSE}, {SE_TIME_ZONE_PRIVILEGE, FALSE},
};

/*
 * The accounts of this machine: S-1-5-21-<three numbers>-500 is the built-in Administrator, -1000 the plain user;
 * both have -513 ("None") for their primary group.
 */
typedef struct _SEP_ACCOUNT_SID
{
    UCHAR Revision, SubAuthorityCount;
    SID_IDENTIFIER_AUTHORITY Authority;
    ULONG SubAuthority[5];
} SEP_ACCOUNT_SID;

#define SEP_ACCOUNT(Rid) {SID_REVISION, 5, {SECURITY_NT_AUTHORITY}, {21, 1951530857, 1164797545, 842018914, Rid}}
static SEP_ACCOUNT_SID SepAdministratorSid = SEP_ACCOUNT(500);
static SEP_ACCOUNT_SID SepPlainUserSid = SEP_ACCOUNT(1000);
static SEP_ACCOUNT_SID SepNoneGroupSid = SEP_ACCOUNT(513);

/**
 * A primary token of an interactive user.
 *
 * @param Administrator  the built-in Administrator, elevated, high integrity; else a member of Users, medium integrity
 * @return a reference, or NULL without memory. PASSIVE_LEVEL.
 */
PTOKEN SeCreateUserToken(_In_ BOOLEAN Administrator)
{
    SID_AND_ATTRIBUTES groups[8] = {
        {Administrator ? (PSID)&SepAdministratorSid : (PSID)&SepPlainUserSid, 0},
        {&SepNoneGroupSid, SEP_GROUP_ON},
        {SeExports->SeWorldSid, SEP_GROUP_ON},
        {SeExports->SeAliasUsersSid, SEP_GROUP_ON},
        {SeExports->SeInteractiveSid, SEP_GROUP_ON},
        {SeExports->SeAuthenticatedUsersSid, SEP_GROUP_ON},
        {Administrator ? SeExports->SeHighMandatorySid : SeExports->SeMediumMandatorySid,
         SE_GROUP_INTEGRITY | SE_GROUP_INTEGRITY_ENABLED},
        {SeExports->SeAliasAdminsSid, SEP_GROUP_ON | SE_GROUP_OWNER},
    };
    LUID_AND_ATTRIBUTES privileges[RTL_NUMBER_OF(SepAdminPrivileges)];
    SEP_TOKEN_PARTS parts = {.Groups = groups, .GroupCount = Administrator ? 8 : 7, .Privileges = privileges,
                             .OwnerIndex = Administrator ? 7 : 0, .PrimaryGroupIndex = 1};
    ULONG count = Administrator ? RTL_NUMBER_OF(SepAdminPrivileges) : RTL_NUMBER_OF(SepUserPrivileges);
    for (ULONG i = 0; i < count; i++)
    {
        BOOLEAN enabled = Administrator ? SepAdminPrivileges[i].Enabled : SepUserPrivileges[i].Enabled;
        privileges[i].Luid = RtlConvertUlongToLuid(Administrator ? SepAdminPrivileges[i].Privilege
                                                                 : SepUserPrivileges[i].Privilege);
        privileges[i].Attributes = enabled ? SE_PRIVILEGE_ENABLED | SE_PRIVILEGE_ENABLED_BY_DEFAULT : 0;
    }
    parts.PrivilegeCount = count;
    PTOKEN token = SepMakeStartToken(&parts, groups[parts.OwnerIndex].Sid, Administrator);
    if (token != NULL)
    {
        token->AuthenticationId = SepNewLuid();
        token->SessionId = 1;
    }
    return token;
}

/* ---- questions about tokens ---- */

/* The integrity level as a RID; medium without a label. Lock held or value may be old. */
ULONG SepIntegrityLevel(PTOKEN Token)
{
    if (Token->IntegrityIndex == SEP_NO_INDEX)
    {
        return SECURITY_MANDATORY_MEDIUM_RID;
    }
    PISID sid = Token->UserAndGroups[Token->IntegrityIndex].Sid;
    return sid->SubAuthorityCount == 0 ? 0 : sid->SubAuthority[sid->SubAuthorityCount - 1];
}

/* Is Sid among the token's SIDs, and does it count for granting (or, with Deny, for denying)? Lock held. */
BOOLEAN SepSidInToken(PTOKEN Token, PSID Sid, BOOLEAN Deny, BOOLEAN Restricted)
{
    PSID_AND_ATTRIBUTES sids = Restricted ? Token->RestrictedSids : Token->UserAndGroups;
    ULONG count = Restricted ? Token->RestrictedSidCount : Token->UserAndGroupCount;
    for (ULONG i = 0; i < count; i++)
    {
        if (!SepEqualSid(sids[i].Sid, Sid) || (sids[i].Attributes & SE_GROUP_INTEGRITY) != 0)
        {
            continue;
        }
        if ((sids[i].Attributes & SE_GROUP_USE_FOR_DENY_ONLY) != 0)
        {
            return Deny;
        }
        return Restricted || i == 0 || (sids[i].Attributes & SE_GROUP_ENABLED) != 0;
    }
    return FALSE;
}

BOOLEAN SepTokenIsOwner(PTOKEN Token, PSECURITY_DESCRIPTOR Descriptor)
{
    PSID owner = SepOwner(Descriptor);
    return owner != NULL && SepSidInToken(Token, owner, FALSE, FALSE) &&
           (Token->RestrictedSidCount == 0 || SepSidInToken(Token, owner, FALSE, TRUE));
}

/* May this token make Sid the owner of its objects? Lock held. */
BOOLEAN SepMayOwn(PTOKEN Token, PSID Sid)
{
    for (ULONG i = 0; i < Token->UserAndGroupCount; i++)
    {
        ULONG attributes = Token->UserAndGroups[i].Attributes;
        if (SepEqualSid(Token->UserAndGroups[i].Sid, Sid))
        {
            return (attributes & SE_GROUP_USE_FOR_DENY_ONLY) == 0 && (i == 0 || (attributes & SE_GROUP_OWNER) != 0);
        }
    }
    return FALSE;
}

/** TRUE if the Administrators group is enabled in the token. <= APC_LEVEL. */
BOOLEAN NTAPI SeTokenIsAdmin(_In_ PACCESS_TOKEN Token)
{
    SepLockTokensShared();
    BOOLEAN admin = SepSidInToken(Token, SeExports->SeAliasAdminsSid, FALSE, FALSE) &&
                    (((PTOKEN)Token)->RestrictedSidCount == 0 ||
                     SepSidInToken(Token, SeExports->SeAliasAdminsSid, FALSE, TRUE));
    SepUnlockTokens();
    return admin;
}

/** TRUE if the token has restricting SIDs. Any IRQL. */
BOOLEAN NTAPI SeTokenIsRestricted(_In_ PACCESS_TOKEN Token)
{
    return (((PTOKEN)Token)->Flags & TOKEN_IS_RESTRICTED) != 0;
}

/** Primary or impersonation. Any IRQL. */
TOKEN_TYPE NTAPI SeTokenType(_In_ PACCESS_TOKEN Token)
{
    return ((PTOKEN)Token)->Type;
}

/** The level an impersonation token allows. Any IRQL. */
SECURITY_IMPERSONATION_LEVEL NTAPI SeTokenImpersonationLevel(_In_ PACCESS_TOKEN Token)
{
    return ((PTOKEN)Token)->ImpersonationLevel;
}

/** The logon the token belongs to. Any IRQL. */
NTSTATUS NTAPI SeQueryAuthenticationIdToken(_In_ PACCESS_TOKEN Token, _Out_ PLUID AuthenticationId)
{
    *AuthenticationId = ((PTOKEN)Token)->AuthenticationId;
    return STATUS_SUCCESS;
}

/** The session the token belongs to. Any IRQL. */
NTSTATUS NTAPI SeQuerySessionIdToken(_In_ PACCESS_TOKEN Token, _Out_ PULONG SessionId)
{
    *SessionId = ((PTOKEN)Token)->SessionId;
    return STATUS_SUCCESS;
}
