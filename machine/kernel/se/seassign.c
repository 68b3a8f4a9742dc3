/* SPDX-License-Identifier: MIT */
/*
 * Security of new objects: what the creator gave explicitly, else what the parent passes on, else the token's default.
 */
#include "sep.h"

typedef struct _SEP_ASSIGN
{
    PSID Owner, Group;
    BOOLEAN Container;
    PGENERIC_MAPPING Mapping;
    PUCHAR Out;                    /* NULL while measuring */
    ULONG Used;
    USHORT Count;
} SEP_ASSIGN;

#define SEP_ACE_FIXED FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart)

/* Emits one ACE with another SID and mask. Object ACEs and unknown ones are passed on byte for byte. */
static VOID SepEmitAce(SEP_ASSIGN *A, PACE_HEADER Source, PSID Sid, ACCESS_MASK Mask, UCHAR Flags)
{
    PSID original = SepAceSid(Source);
    BOOLEAN simple = original != NULL && (PUCHAR)original == (PUCHAR)Source + SEP_ACE_FIXED;
    ULONG size = simple ? SEP_ACE_FIXED + SepSidLength(Sid) : Source->AceSize;
    if (A->Out != NULL)
    {
        PACCESS_ALLOWED_ACE ace = (PACCESS_ALLOWED_ACE)(A->Out + A->Used);
        RtlCopyMemory(ace, Source, simple ? SEP_ACE_FIXED : Source->AceSize);
        if (simple)
        {
            RtlCopyMemory(&ace->SidStart, Sid, SepSidLength(Sid));
            ace->Mask = Mask;
        }
        ace->Header.AceSize = (USHORT)size;
        ace->Header.AceFlags = Flags;
    }
    A->Used += size;
    A->Count++;
}

/* The SID an inherited entry is for: the creator's placeholders become the new owner and group. */
static PSID SepResolveCreator(const SEP_ASSIGN *A, PSID Sid)
{
    if (Sid != NULL && SepEqualSid(Sid, SeExports->SeCreatorOwnerSid))
    {
        return A->Owner;
    }
    if (Sid != NULL && SepEqualSid(Sid, SeExports->SeCreatorGroupSid))
    {
        return A->Group;
    }
    return Sid;
}

static VOID SepInheritAce(SEP_ASSIGN *A, PACE_HEADER Ace)
{
    UCHAR inherit = Ace->AceFlags & (OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE);
    BOOLEAN stops = (Ace->AceFlags & NO_PROPAGATE_INHERIT_ACE) != 0;
    PSID sid = SepAceSid(Ace), resolved = SepResolveCreator(A, sid);
    ACCESS_MASK mask = sid == NULL ? 0 : ((PACCESS_ALLOWED_ACE)Ace)->Mask, mapped = mask;
    UCHAR audit = Ace->AceFlags & (SUCCESSFUL_ACCESS_ACE_FLAG | FAILED_ACCESS_ACE_FLAG);
    if (sid != NULL && Ace->AceType != SYSTEM_MANDATORY_LABEL_ACE_TYPE)
    {
        RtlMapGenericMask(&mapped, A->Mapping);
    }
    BOOLEAN effective = A->Container ? (inherit & CONTAINER_INHERIT_ACE) != 0 : (inherit & OBJECT_INHERIT_ACE) != 0;
    BOOLEAN passes = A->Container && inherit != 0 && !stops;
    if (effective && passes && resolved == sid && mapped == mask)
    {
        SepEmitAce(A, Ace, sid, mask, audit | inherit);
        return;
    }
    if (effective)
    {
        SepEmitAce(A, Ace, resolved, mapped, audit);
    }
    if (passes)
    {
        SepEmitAce(A, Ace, sid, mask, audit | inherit | INHERIT_ONLY_ACE);
    }
}

/* One pass over a source ACL: with Inherit what a child gets from it, else the ACL itself with rights mapped. */
static VOID SepPassAcl(SEP_ASSIGN *A, PACL Source, BOOLEAN Inherit)
{
    PACE_HEADER ace = SepFirstAce(Source);
    A->Used = sizeof(ACL);
    A->Count = 0;
    for (USHORT i = 0; i < Source->AceCount; i++, ace = SepNextAce(ace))
    {
        PSID sid = SepAceSid(ace);
        if (Inherit)
        {
            if ((ace->AceFlags & (OBJECT_INHERIT_ACE | CONTAINER_INHERIT_ACE)) != 0)
            {
                SepInheritAce(A, ace);
            }
            continue;
        }
        ACCESS_MASK mask = sid == NULL ? 0 : ((PACCESS_ALLOWED_ACE)ace)->Mask;
        if ((ace->AceFlags & INHERIT_ONLY_ACE) == 0 && sid != NULL && ace->AceType != SYSTEM_MANDATORY_LABEL_ACE_TYPE)
        {
            RtlMapGenericMask(&mask, A->Mapping);
            sid = SepResolveCreator(A, sid);
        }
        SepEmitAce(A, ace, sid, mask, ace->AceFlags);
    }
}

/* *Result is NULL if inheritance leaves nothing. */
static NTSTATUS SepMakeAcl(SEP_ASSIGN *A, PACL Source, BOOLEAN Inherit, PACL *Result)
{
    *Result = NULL;
    if (Source == NULL)
    {
        return STATUS_SUCCESS;
    }
    A->Out = NULL;
    SepPassAcl(A, Source, Inherit);
    if (Inherit && A->Count == 0)
    {
        return STATUS_SUCCESS;
    }
    if (A->Used > MAXUSHORT - 3)
    {
        return STATUS_BAD_INHERITANCE_ACL;
    }
    PACL acl = ExAllocatePoolWithTag(PagedPool, A->Used, SEP_TAG_DESCRIPTOR);
    if (acl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    A->Out = (PUCHAR)acl;
    SepPassAcl(A, Source, Inherit);
    *acl = (ACL){.AclRevision = Source->AclRevision, .AclSize = (USHORT)A->Used, .AceCount = A->Count};
    *Result = acl;
    return STATUS_SUCCESS;
}

/* Nothing but an integrity label: then a SACL needs no privilege. */
static BOOLEAN SepOnlyLabel(PACL Sacl)
{
    PACE_HEADER ace = SepFirstAce(Sacl);
    for (USHORT i = 0; i < Sacl->AceCount; i++, ace = SepNextAce(ace))
    {
        if (ace->AceType != SYSTEM_MANDATORY_LABEL_ACE_TYPE)
        {
            return FALSE;
        }
    }
    return TRUE;
}

typedef struct _SEP_NEW_DESCRIPTOR
{
    PACL Dacl, Sacl;
    SECURITY_DESCRIPTOR_CONTROL Control;
} SEP_NEW_DESCRIPTOR;

static NTSTATUS SepChooseDacl(SEP_ASSIGN *A, PSECURITY_DESCRIPTOR Parent, PSECURITY_DESCRIPTOR Explicit, PTOKEN Token,
                              SEP_NEW_DESCRIPTOR *New)
{
    SECURITY_DESCRIPTOR_CONTROL control = Explicit == NULL ? 0 : SepControl(Explicit);
    NTSTATUS status;
    if ((control & SE_DACL_PRESENT) != 0 && (control & SE_DACL_DEFAULTED) == 0)
    {
        New->Control |= SE_DACL_PRESENT | (control & SE_DACL_PROTECTED);
        return SepMakeAcl(A, SepDacl(Explicit), FALSE, &New->Dacl);
    }
    status = Parent == NULL ? STATUS_SUCCESS : SepMakeAcl(A, SepDacl(Parent), TRUE, &New->Dacl);
    if (!NT_SUCCESS(status) || New->Dacl != NULL)
    {
        New->Control |= SE_DACL_PRESENT;
        return status;
    }
    if ((control & SE_DACL_PRESENT) != 0)
    {
        New->Control |= SE_DACL_PRESENT | SE_DACL_DEFAULTED;
        return SepMakeAcl(A, SepDacl(Explicit), FALSE, &New->Dacl);
    }
    if (Token->DefaultDacl != NULL)
    {
        New->Control |= SE_DACL_PRESENT | SE_DACL_DEFAULTED;
        return SepMakeAcl(A, Token->DefaultDacl, FALSE, &New->Dacl);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS SepChooseSacl(SEP_ASSIGN *A, PSECURITY_DESCRIPTOR Parent, PSECURITY_DESCRIPTOR Explicit,
                              BOOLEAN Privileged, SEP_NEW_DESCRIPTOR *New)
{
    SECURITY_DESCRIPTOR_CONTROL control = Explicit == NULL ? 0 : SepControl(Explicit);
    PACL given = Explicit == NULL ? NULL : SepSacl(Explicit);
    NTSTATUS status;
    if ((control & SE_SACL_PRESENT) != 0 && (control & SE_SACL_DEFAULTED) == 0)
    {
        if (given != NULL && !Privileged && !SepOnlyLabel(given))
        {
            return STATUS_PRIVILEGE_NOT_HELD;
        }
        New->Control |= SE_SACL_PRESENT | (control & SE_SACL_PROTECTED);
        return SepMakeAcl(A, given, FALSE, &New->Sacl);
    }
    status = Parent == NULL ? STATUS_SUCCESS : SepMakeAcl(A, SepSacl(Parent), TRUE, &New->Sacl);
    if (New->Sacl != NULL)
    {
        New->Control |= SE_SACL_PRESENT;
    }
    return status;
}

/* What a subject below medium integrity makes is labelled with its level: unlabelled it would count as medium and be
   out of its maker's own reach. */
static NTSTATUS SepLabelLow(PTOKEN Token, SEP_NEW_DESCRIPTOR *New)
{
    if (New->Sacl != NULL || Token->IntegrityIndex == SEP_NO_INDEX ||
        SepIntegrityLevel(Token) >= SECURITY_MANDATORY_MEDIUM_RID)
    {
        return STATUS_SUCCESS;
    }
    PSID sid = Token->UserAndGroups[Token->IntegrityIndex].Sid;
    ULONG aceSize = SEP_ACE_FIXED + SepSidLength(sid);
    PACL acl = ExAllocatePoolWithTag(PagedPool, sizeof(ACL) + aceSize, SEP_TAG_DESCRIPTOR);
    if (acl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PSYSTEM_MANDATORY_LABEL_ACE ace = (PSYSTEM_MANDATORY_LABEL_ACE)SepFirstAce(acl);
    *acl = (ACL){.AclRevision = ACL_REVISION, .AclSize = (USHORT)(sizeof(ACL) + aceSize), .AceCount = 1};
    ace->Header = (ACE_HEADER){.AceType = SYSTEM_MANDATORY_LABEL_ACE_TYPE, .AceSize = (USHORT)aceSize};
    ace->Mask = SYSTEM_MANDATORY_LABEL_NO_WRITE_UP;
    RtlCopyMemory(&ace->SidStart, sid, SepSidLength(sid));
    New->Sacl = acl;
    New->Control |= SE_SACL_PRESENT;
    return STATUS_SUCCESS;
}

/**
 * The security descriptor of a new object.
 *
 * @param ParentDescriptor    of the container, or NULL; its inheritable entries count if the creator gave no DACL
 * @param ExplicitDescriptor  what the creator gave, or NULL
 * @param NewDescriptor       out: self-relative; free with SeDeassignSecurity
 * @param IsDirectoryObject   the new object is a container itself
 * @param SubjectContext      whose token supplies owner, group and default DACL
 * @return STATUS_INVALID_OWNER, STATUS_INVALID_PRIMARY_GROUP, STATUS_PRIVILEGE_NOT_HELD (a SACL), STATUS_NO_TOKEN,
 *         STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI SeAssignSecurity(_In_opt_ PSECURITY_DESCRIPTOR ParentDescriptor,
                                _In_opt_ PSECURITY_DESCRIPTOR ExplicitDescriptor,
                                _Out_ PSECURITY_DESCRIPTOR *NewDescriptor, _In_ BOOLEAN IsDirectoryObject,
                                _In_ PSECURITY_SUBJECT_CONTEXT SubjectContext, _In_ PGENERIC_MAPPING GenericMapping,
                                _In_ POOL_TYPE PoolType)
{
    PTOKEN token = SepEffectiveToken(SubjectContext);
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    SEP_NEW_DESCRIPTOR made = {0};
    SEP_ASSIGN assign = {.Container = IsDirectoryObject, .Mapping = GenericMapping};
    BOOLEAN privileged;
    NTSTATUS status = STATUS_SUCCESS;
    *NewDescriptor = NULL;
    if (token == NULL)
    {
        return STATUS_NO_TOKEN;
    }
    privileged = SepSinglePrivilege(token, SeExports->SeSecurityPrivilege, mode);
    BOOLEAN restorer = SepSinglePrivilege(token, SeExports->SeRestorePrivilege, mode);
    SeLockSubjectContext(SubjectContext);
    assign.Owner = ExplicitDescriptor == NULL ? NULL : SepOwner(ExplicitDescriptor);
    assign.Group = ExplicitDescriptor == NULL ? NULL : SepGroup(ExplicitDescriptor);
    if (assign.Owner == NULL)
    {
        assign.Owner = token->UserAndGroups[token->DefaultOwnerIndex].Sid;
        made.Control |= SE_OWNER_DEFAULTED;
    }
    else if (!restorer && !SepMayOwn(token, assign.Owner))
    {
        status = STATUS_INVALID_OWNER;
    }
    if (assign.Group == NULL)
    {
        assign.Group = token->PrimaryGroup;
        made.Control |= SE_GROUP_DEFAULTED;
    }
    if (NT_SUCCESS(status))
    {
        status = SepChooseDacl(&assign, ParentDescriptor, ExplicitDescriptor, token, &made);
    }
    if (NT_SUCCESS(status))
    {
        status = SepChooseSacl(&assign, ParentDescriptor, ExplicitDescriptor, privileged, &made);
    }
    if (NT_SUCCESS(status))
    {
        status = SepLabelLow(token, &made);
    }
    if (NT_SUCCESS(status))
    {
        /* Defaulted owner and group are real ones from now on; the bits only steered this call. */
        status = SepBuildDescriptor(assign.Owner, assign.Group, made.Sacl, made.Dacl,
                                    made.Control & ~(SE_OWNER_DEFAULTED | SE_GROUP_DEFAULTED | SE_DACL_DEFAULTED),
                                    PoolType, NewDescriptor);
    }
    SeUnlockSubjectContext(SubjectContext);
    if (made.Dacl != NULL)
    {
        ExFreePoolWithTag(made.Dacl, SEP_TAG_DESCRIPTOR);
    }
    if (made.Sacl != NULL)
    {
        ExFreePoolWithTag(made.Sacl, SEP_TAG_DESCRIPTOR);
    }
    return status;
}

/**
 * SeAssignSecurity with control over automatic inheritance; only AutoInheritFlags 0 is supported.
 *
 * @return STATUS_NOT_SUPPORTED for other flags or an object type GUID, else as SeAssignSecurity. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI SeAssignSecurityEx(_In_opt_ PSECURITY_DESCRIPTOR ParentDescriptor,
                                  _In_opt_ PSECURITY_DESCRIPTOR ExplicitDescriptor,
                                  _Out_ PSECURITY_DESCRIPTOR *NewDescriptor, _In_opt_ GUID *ObjectType,
                                  _In_ BOOLEAN IsDirectoryObject, _In_ ULONG AutoInheritFlags,
                                  _In_ PSECURITY_SUBJECT_CONTEXT SubjectContext, _In_ PGENERIC_MAPPING GenericMapping,
                                  _In_ POOL_TYPE PoolType)
{
    if (AutoInheritFlags != 0 || ObjectType != NULL)
    {
        *NewDescriptor = NULL;
        return STATUS_NOT_SUPPORTED;
    }
    return SeAssignSecurity(ParentDescriptor, ExplicitDescriptor, NewDescriptor, IsDirectoryObject, SubjectContext,
                            GenericMapping, PoolType);
}

/** Frees what SeAssignSecurity made. <= APC_LEVEL. */
NTSTATUS NTAPI SeDeassignSecurity(_Inout_ PSECURITY_DESCRIPTOR *SecurityDescriptor)
{
    if (*SecurityDescriptor != NULL)
    {
        ExFreePool(*SecurityDescriptor);
        *SecurityDescriptor = NULL;
    }
    return STATUS_SUCCESS;
}
