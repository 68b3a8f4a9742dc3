/* SPDX-License-Identifier: MIT */
/*
 * The access check: may this subject do that to something with such a descriptor?
 *
 *     kernel caller            everything
 *     SeSecurityPrivilege      ACCESS_SYSTEM_SECURITY
 *     integrity label          takes away writing (reading, executing) for subjects below it
 *     owner                    READ_CONTROL, WRITE_DAC, unless an OWNER RIGHTS entry says otherwise
 *     SeTakeOwnershipPrivilege WRITE_OWNER
 *     DACL                     in order, until everything is granted or one right is denied; no DACL grants all
 *     restricting SIDs         the DACL once more with these; only what both grant counts
 */
#include "sep.h"

typedef struct _SEP_CHECK
{
    PTOKEN Token;
    PSECURITY_DESCRIPTOR Descriptor;
    PACL Dacl;
    PGENERIC_MAPPING Mapping;
    ACCESS_MASK Remaining;         /* still to be granted, without MAXIMUM_ALLOWED */
    ACCESS_MASK Granted;           /* by privileges and previously */
    ACCESS_MASK Forbidden;         /* by the integrity label */
    BOOLEAN Maximum;
    BOOLEAN IsOwner;
    BOOLEAN OwnerRightsSeen;
    BOOLEAN UsedSecurity, UsedTakeOwnership;
} SEP_CHECK;

/* Does the ACE speak of this subject? */
static BOOLEAN SepAceApplies(const SEP_CHECK *Check, PSID Sid, BOOLEAN Deny, BOOLEAN Restricted)
{
    if (Check->IsOwner && SepEqualSid(Sid, SeExports->SeOwnerRightsSid))
    {
        return TRUE;
    }
    return SepSidInToken(Check->Token, Sid, Deny, Restricted);
}

static BOOLEAN SepIsAllow(PACE_HEADER Ace)
{
    /* An object ACE for one kind of child says nothing about the object as a whole. */
    return Ace->AceType == ACCESS_ALLOWED_ACE_TYPE ||
           (Ace->AceType == ACCESS_ALLOWED_OBJECT_ACE_TYPE && (((PULONG)Ace)[2] & 1) == 0);
}

static BOOLEAN SepIsDeny(PACE_HEADER Ace)
{
    return Ace->AceType == ACCESS_DENIED_ACE_TYPE || Ace->AceType == ACCESS_DENIED_OBJECT_ACE_TYPE;
}

/*
 * Walks the DACL. Without Maximum: returns what of Wanted was granted before a deny entry hit it. With Maximum: returns
 * everything the subject can get.
 */
static ACCESS_MASK SepWalkDacl(const SEP_CHECK *Check, ACCESS_MASK Wanted, BOOLEAN Restricted)
{
    ACCESS_MASK granted = 0, denied = 0;
    PACE_HEADER ace = SepFirstAce(Check->Dacl);
    for (USHORT i = 0; i < Check->Dacl->AceCount; i++, ace = SepNextAce(ace))
    {
        BOOLEAN allow = SepIsAllow(ace), deny = SepIsDeny(ace);
        if ((ace->AceFlags & INHERIT_ONLY_ACE) != 0 || (!allow && !deny) ||
            !SepAceApplies(Check, SepAceSid(ace), deny, Restricted))
        {
            continue;
        }
        ACCESS_MASK mask = ((PACCESS_ALLOWED_ACE)ace)->Mask;
        RtlMapGenericMask(&mask, Check->Mapping);
        if (allow)
        {
            granted |= mask & ~denied;
        }
        else
        {
            denied |= mask & ~granted;
        }
        if (!Check->Maximum && ((Wanted & ~granted) == 0 || (Wanted & denied) != 0))
        {
            break;
        }
    }
    return granted;
}

static BOOLEAN SepHasOwnerRights(PACL Dacl)
{
    PACE_HEADER ace = Dacl == NULL ? NULL : SepFirstAce(Dacl);
    for (USHORT i = 0; ace != NULL && i < Dacl->AceCount; i++, ace = SepNextAce(ace))
    {
        PSID sid = SepAceSid(ace);
        if ((ace->AceFlags & INHERIT_ONLY_ACE) == 0 && sid != NULL && SepEqualSid(sid, SeExports->SeOwnerRightsSid))
        {
            return TRUE;
        }
    }
    return FALSE;
}

/* What the integrity label of the object takes from this subject. Objects without one count as medium, no write up. */
static ACCESS_MASK SepForbiddenByLabel(PTOKEN Token, PSECURITY_DESCRIPTOR Descriptor, PGENERIC_MAPPING Mapping)
{
    ULONG level = SECURITY_MANDATORY_MEDIUM_RID, policy = SYSTEM_MANDATORY_LABEL_NO_WRITE_UP;
    PACL sacl = SepSacl(Descriptor);
    ACCESS_MASK forbidden = 0, allowed = 0;
    if ((Token->MandatoryPolicy & TOKEN_MANDATORY_POLICY_NO_WRITE_UP) == 0)
    {
        return 0;
    }
    PACE_HEADER ace = sacl == NULL ? NULL : SepFirstAce(sacl);
    for (USHORT i = 0; ace != NULL && i < sacl->AceCount; i++, ace = SepNextAce(ace))
    {
        if (ace->AceType == SYSTEM_MANDATORY_LABEL_ACE_TYPE && (ace->AceFlags & INHERIT_ONLY_ACE) == 0)
        {
            PISID sid = SepAceSid(ace);
            level = sid->SubAuthorityCount == 0 ? 0 : sid->SubAuthority[sid->SubAuthorityCount - 1];
            policy = ((PSYSTEM_MANDATORY_LABEL_ACE)ace)->Mask;
            break;
        }
    }
    if (SepIntegrityLevel(Token) >= level)
    {
        return 0;
    }
    if ((policy & SYSTEM_MANDATORY_LABEL_NO_READ_UP) != 0)
    {
        forbidden |= Mapping->GenericRead;
    }
    else
    {
        allowed |= Mapping->GenericRead;
    }
    if ((policy & SYSTEM_MANDATORY_LABEL_NO_EXECUTE_UP) != 0)
    {
        forbidden |= Mapping->GenericExecute;
    }
    else
    {
        allowed |= Mapping->GenericExecute;
    }
    if ((policy & SYSTEM_MANDATORY_LABEL_NO_WRITE_UP) != 0)
    {
        /* Everything that is neither reading nor executing changes the object. */
        forbidden |= Mapping->GenericAll & ~(Mapping->GenericRead | Mapping->GenericExecute);
        forbidden |= WRITE_DAC | WRITE_OWNER | DELETE;
    }
    return forbidden & ~(allowed & (READ_CONTROL | SYNCHRONIZE));
}

/* Rights that privileges give regardless of the DACL. */
static NTSTATUS SepCheckPrivilegedRights(SEP_CHECK *Check, KPROCESSOR_MODE Mode)
{
    if ((Check->Remaining & ACCESS_SYSTEM_SECURITY) != 0)
    {
        if (!SepSinglePrivilege(Check->Token, SeExports->SeSecurityPrivilege, Mode))
        {
            return STATUS_PRIVILEGE_NOT_HELD;
        }
        Check->UsedSecurity = TRUE;
        Check->Granted |= ACCESS_SYSTEM_SECURITY;
        Check->Remaining &= ~ACCESS_SYSTEM_SECURITY;
    }
    if (((Check->Remaining & WRITE_OWNER) != 0 || Check->Maximum) &&
        SepSinglePrivilege(Check->Token, SeExports->SeTakeOwnershipPrivilege, Mode))
    {
        Check->UsedTakeOwnership = (Check->Remaining & WRITE_OWNER) != 0;
        Check->Granted |= WRITE_OWNER;
        Check->Remaining &= ~WRITE_OWNER;
    }
    if (Check->IsOwner && !Check->OwnerRightsSeen)
    {
        ACCESS_MASK rights =
            (Check->Maximum ? READ_CONTROL | WRITE_DAC : Check->Remaining & (READ_CONTROL | WRITE_DAC)) &
            ~Check->Forbidden;
        Check->Granted |= rights;
        Check->Remaining &= ~rights;
    }
    return STATUS_SUCCESS;
}

static BOOLEAN SepRunCheck(SEP_CHECK *Check, KPROCESSOR_MODE Mode, NTSTATUS *Status)
{
    ACCESS_MASK granted;
    Check->IsOwner = SepTokenIsOwner(Check->Token, Check->Descriptor);
    Check->OwnerRightsSeen = SepHasOwnerRights(Check->Dacl);
    Check->Forbidden = SepForbiddenByLabel(Check->Token, Check->Descriptor, Check->Mapping);
    *Status = SepCheckPrivilegedRights(Check, Mode);
    if (!NT_SUCCESS(*Status))
    {
        return FALSE;
    }
    *Status = STATUS_ACCESS_DENIED;
    if ((Check->Remaining & Check->Forbidden) != 0)
    {
        return FALSE;
    }
    if (Check->Dacl == NULL)
    {
        granted = Check->Maximum ? Check->Remaining | Check->Mapping->GenericAll : Check->Remaining;
    }
    else
    {
        granted = SepWalkDacl(Check, Check->Remaining, FALSE);
        if (Check->Token->RestrictedSidCount != 0)
        {
            ACCESS_MASK second = SepWalkDacl(Check, Check->Remaining, TRUE);
            if ((Check->Token->Flags & TOKEN_WRITE_RESTRICTED) != 0)
            {
                second |= Check->Mapping->GenericRead | Check->Mapping->GenericExecute;
            }
            granted &= second;
        }
    }
    granted &= ~Check->Forbidden;
    if ((Check->Remaining & ~granted) != 0)
    {
        return FALSE;
    }
    Check->Granted |= Check->Maximum ? granted : Check->Remaining;
    if (Check->Granted == 0)
    {
        return FALSE; /* MAXIMUM_ALLOWED that comes to nothing */
    }
    *Status = STATUS_SUCCESS;
    return TRUE;
}

static PPRIVILEGE_SET SepUsedPrivileges(const SEP_CHECK *Check)
{
    ULONG count = (ULONG)Check->UsedSecurity + (ULONG)Check->UsedTakeOwnership;
    PPRIVILEGE_SET set = count == 0 ? NULL : SepAllocatePrivileges(count);
    ULONG next = 0;
    if (set != NULL && Check->UsedSecurity)
    {
        set->Privilege[next].Luid = SeExports->SeSecurityPrivilege;
        set->Privilege[next++].Attributes = SE_PRIVILEGE_USED_FOR_ACCESS;
    }
    if (set != NULL && Check->UsedTakeOwnership)
    {
        set->Privilege[next].Luid = SeExports->SeTakeOwnershipPrivilege;
        set->Privilege[next++].Attributes = SE_PRIVILEGE_USED_FOR_ACCESS;
    }
    return set;
}

/**
 * Decides whether a subject gets the access it asks for.
 *
 * @param SubjectContextLocked     TRUE if the caller holds SeLockSubjectContext
 * @param DesiredAccess            may hold generic rights and MAXIMUM_ALLOWED
 * @param PreviouslyGrantedAccess  added to the result
 * @param Privileges               out, optional: privileges that were needed; free with SeFreePrivileges
 * @param GrantedAccess            out: 0 if refused
 * @param AccessStatus             out: STATUS_ACCESS_DENIED, STATUS_PRIVILEGE_NOT_HELD, STATUS_BAD_IMPERSONATION_LEVEL
 * @return TRUE if everything asked for is granted. PASSIVE_LEVEL.
 */
BOOLEAN NTAPI SeAccessCheck(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor,
                            _In_ PSECURITY_SUBJECT_CONTEXT SubjectSecurityContext, _In_ BOOLEAN SubjectContextLocked,
                            _In_ ACCESS_MASK DesiredAccess, _In_ ACCESS_MASK PreviouslyGrantedAccess,
                            _Out_opt_ PPRIVILEGE_SET *Privileges, _In_ PGENERIC_MAPPING GenericMapping,
                            _In_ KPROCESSOR_MODE AccessMode, _Out_ PACCESS_MASK GrantedAccess,
                            _Out_ PNTSTATUS AccessStatus)
{
    SEP_CHECK check = {0};
    BOOLEAN allowed;
    if (Privileges != NULL)
    {
        *Privileges = NULL;
    }
    RtlMapGenericMask(&DesiredAccess, GenericMapping);
    *GrantedAccess = 0;
    *AccessStatus = STATUS_SUCCESS;
    if (AccessMode == KernelMode)
    {
        *GrantedAccess = PreviouslyGrantedAccess | (DesiredAccess & ~MAXIMUM_ALLOWED);
        if ((DesiredAccess & MAXIMUM_ALLOWED) != 0)
        {
            *GrantedAccess |= GenericMapping->GenericAll;
        }
        return TRUE;
    }
    *AccessStatus = STATUS_ACCESS_DENIED;
    if (SecurityDescriptor == NULL || SepEffectiveToken(SubjectSecurityContext) == NULL)
    {
        return FALSE;
    }
    if (SubjectSecurityContext->ClientToken != NULL &&
        SubjectSecurityContext->ImpersonationLevel < SecurityImpersonation)
    {
        *AccessStatus = STATUS_BAD_IMPERSONATION_LEVEL;
        return FALSE;
    }
    if (DesiredAccess == 0)
    {
        if (PreviouslyGrantedAccess == 0)
        {
            return FALSE;
        }
        *GrantedAccess = PreviouslyGrantedAccess;
        *AccessStatus = STATUS_SUCCESS;
        return TRUE;
    }
    check.Token = SepEffectiveToken(SubjectSecurityContext);
    check.Descriptor = SecurityDescriptor;
    check.Dacl = SepDacl(SecurityDescriptor);
    check.Mapping = GenericMapping;
    check.Remaining = DesiredAccess & ~MAXIMUM_ALLOWED;
    check.Maximum = (DesiredAccess & MAXIMUM_ALLOWED) != 0;
    check.Granted = PreviouslyGrantedAccess;
    if (!SubjectContextLocked)
    {
        SeLockSubjectContext(SubjectSecurityContext);
    }
    allowed = SepRunCheck(&check, AccessMode, AccessStatus);
    if (!SubjectContextLocked)
    {
        SeUnlockSubjectContext(SubjectSecurityContext);
    }
    if (allowed)
    {
        *GrantedAccess = check.Granted;
        if (Privileges != NULL)
        {
            *Privileges = SepUsedPrivileges(&check);
        }
    }
    return allowed;
}
