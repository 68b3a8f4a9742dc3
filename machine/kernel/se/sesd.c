/* SPDX-License-Identifier: MIT */
/*
 * Security descriptors: taking apart, putting together, reading and changing parts.
 */
#include "sep.h"

static PVOID SepPart(PSECURITY_DESCRIPTOR Descriptor, ULONG RelativeOffset, PVOID Absolute)
{
    if ((SepControl(Descriptor) & SE_SELF_RELATIVE) == 0)
    {
        return Absolute;
    }
    return RelativeOffset == 0 ? NULL : (PUCHAR)Descriptor + RelativeOffset;
}

PSID SepOwner(PSECURITY_DESCRIPTOR Descriptor)
{
    return SepPart(Descriptor, ((PISECURITY_DESCRIPTOR_RELATIVE)Descriptor)->Owner,
                   ((PISECURITY_DESCRIPTOR)Descriptor)->Owner);
}

PSID SepGroup(PSECURITY_DESCRIPTOR Descriptor)
{
    return SepPart(Descriptor, ((PISECURITY_DESCRIPTOR_RELATIVE)Descriptor)->Group,
                   ((PISECURITY_DESCRIPTOR)Descriptor)->Group);
}

PACL SepDacl(PSECURITY_DESCRIPTOR Descriptor)
{
    if ((SepControl(Descriptor) & SE_DACL_PRESENT) == 0)
    {
        return NULL;
    }
    return SepPart(Descriptor, ((PISECURITY_DESCRIPTOR_RELATIVE)Descriptor)->Dacl,
                   ((PISECURITY_DESCRIPTOR)Descriptor)->Dacl);
}

PACL SepSacl(PSECURITY_DESCRIPTOR Descriptor)
{
    if ((SepControl(Descriptor) & SE_SACL_PRESENT) == 0)
    {
        return NULL;
    }
    return SepPart(Descriptor, ((PISECURITY_DESCRIPTOR_RELATIVE)Descriptor)->Sacl,
                   ((PISECURITY_DESCRIPTOR)Descriptor)->Sacl);
}

static ULONG SepAppend(PISECURITY_DESCRIPTOR_RELATIVE Out, ULONG Offset, const VOID *Part, ULONG Length, PULONG Field)
{
    if (Part == NULL)
    {
        return Offset;
    }
    RtlCopyMemory((PUCHAR)Out + Offset, Part, Length);
    *Field = Offset;
    return Offset + ((Length + 3) & ~3U);
}

static ULONG SepBuiltLength(PSID Owner, PSID Group, PACL Sacl, PACL Dacl)
{
    ULONG length = sizeof(SECURITY_DESCRIPTOR_RELATIVE);
    length += Owner == NULL ? 0 : (SepSidLength(Owner) + 3) & ~3U;
    length += Group == NULL ? 0 : (SepSidLength(Group) + 3) & ~3U;
    length += Sacl == NULL ? 0 : (Sacl->AclSize + 3U) & ~3U;
    length += Dacl == NULL ? 0 : (Dacl->AclSize + 3U) & ~3U;
    return length;
}

static VOID SepBuildInto(PISECURITY_DESCRIPTOR_RELATIVE Out, PSID Owner, PSID Group, PACL Sacl, PACL Dacl,
                         SECURITY_DESCRIPTOR_CONTROL Control)
{
    ULONG offset = sizeof(*Out);
    RtlZeroMemory(Out, sizeof(*Out));
    Out->Revision = SECURITY_DESCRIPTOR_REVISION;
    Out->Control = Control | SE_SELF_RELATIVE;
    offset = SepAppend(Out, offset, Sacl, Sacl == NULL ? 0 : Sacl->AclSize, &Out->Sacl);
    offset = SepAppend(Out, offset, Dacl, Dacl == NULL ? 0 : Dacl->AclSize, &Out->Dacl);
    offset = SepAppend(Out, offset, Owner, Owner == NULL ? 0 : SepSidLength(Owner), &Out->Owner);
    SepAppend(Out, offset, Group, Group == NULL ? 0 : SepSidLength(Group), &Out->Group);
}

/* A self-relative descriptor in pool; the caller frees it with ExFreePool. */
NTSTATUS SepBuildDescriptor(PSID Owner, PSID Group, PACL Sacl, PACL Dacl, SECURITY_DESCRIPTOR_CONTROL Control,
                            POOL_TYPE Pool, PSECURITY_DESCRIPTOR *Descriptor)
{
    ULONG length = SepBuiltLength(Owner, Group, Sacl, Dacl);
    PSECURITY_DESCRIPTOR out = ExAllocatePoolWithTag(Pool, length, SEP_TAG_DESCRIPTOR);
    if (out == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(out, length);
    SepBuildInto(out, Owner, Group, Sacl, Dacl, Control);
    *Descriptor = out;
    return STATUS_SUCCESS;
}

static BOOLEAN SepValidPart(ULONG Offset, ULONG Length)
{
    return (Offset & 3) == 0 && Offset >= sizeof(SECURITY_DESCRIPTOR_RELATIVE) && Offset < Length;
}

/** Is this a self-relative descriptor that lies within Length bytes and is sound inside? <= APC_LEVEL. */
BOOLEAN NTAPI SeValidSecurityDescriptor(_In_ ULONG Length,
                                        _In_reads_bytes_(Length) PSECURITY_DESCRIPTOR SecurityDescriptor)
{
    PISECURITY_DESCRIPTOR_RELATIVE relative = SecurityDescriptor;
    if (Length < sizeof(*relative) || relative->Revision != SECURITY_DESCRIPTOR_REVISION ||
        (relative->Control & SE_SELF_RELATIVE) == 0)
    {
        return FALSE;
    }
    /* An owner is needed, a group is not. */
    if (!SepValidPart(relative->Owner, Length) ||
        !SepValidSid((PUCHAR)relative + relative->Owner, Length - relative->Owner))
    {
        return FALSE;
    }
    if (relative->Group != 0 && (!SepValidPart(relative->Group, Length) ||
                                 !SepValidSid((PUCHAR)relative + relative->Group, Length - relative->Group)))
    {
        return FALSE;
    }
    if ((relative->Control & SE_DACL_PRESENT) != 0 && relative->Dacl != 0 &&
        (!SepValidPart(relative->Dacl, Length) ||
         !SepValidAcl((PACL)((PUCHAR)relative + relative->Dacl), Length - relative->Dacl)))
    {
        return FALSE;
    }
    return (relative->Control & SE_SACL_PRESENT) == 0 || relative->Sacl == 0 ||
           (SepValidPart(relative->Sacl, Length) &&
            SepValidAcl((PACL)((PUCHAR)relative + relative->Sacl), Length - relative->Sacl));
}

/**
 * Copies the wanted parts of a descriptor into the caller's buffer, self-relative.
 *
 * @param SecurityDescriptor       out: kernel memory or probed; may be NULL with *Length 0
 * @param Length                   in: bytes of room; out: bytes needed
 * @param ObjectsSecurityDescriptor  the source; a NULL one gives an empty descriptor
 * @return STATUS_BUFFER_TOO_SMALL. <= APC_LEVEL.
 */
NTSTATUS NTAPI SeQuerySecurityDescriptorInfo(_In_ PSECURITY_INFORMATION SecurityInformation,
                                             _Out_opt_ PSECURITY_DESCRIPTOR SecurityDescriptor, _Inout_ PULONG Length,
                                             _Inout_ PSECURITY_DESCRIPTOR *ObjectsSecurityDescriptor)
{
    PSECURITY_DESCRIPTOR source = *ObjectsSecurityDescriptor;
    SECURITY_INFORMATION wanted = *SecurityInformation;
    SECURITY_DESCRIPTOR_CONTROL control = 0, kept = 0;
    PSID owner = NULL, group = NULL;
    PACL sacl = NULL, dacl = NULL;
    if (source != NULL)
    {
        control = SepControl(source);
        owner = (wanted & OWNER_SECURITY_INFORMATION) != 0 ? SepOwner(source) : NULL;
        group = (wanted & GROUP_SECURITY_INFORMATION) != 0 ? SepGroup(source) : NULL;
        if ((wanted & DACL_SECURITY_INFORMATION) != 0)
        {
            dacl = SepDacl(source);
            kept |= control & (SE_DACL_PRESENT | SE_DACL_DEFAULTED | SE_DACL_PROTECTED | SE_DACL_AUTO_INHERITED);
        }
        if ((wanted & (SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION)) != 0)
        {
            sacl = SepSacl(source);
            kept |= control & (SE_SACL_PRESENT | SE_SACL_DEFAULTED | SE_SACL_PROTECTED | SE_SACL_AUTO_INHERITED);
        }
        kept |= owner != NULL ? control & SE_OWNER_DEFAULTED : 0;
        kept |= group != NULL ? control & SE_GROUP_DEFAULTED : 0;
    }
    ULONG room = *Length;
    *Length = SepBuiltLength(owner, group, sacl, dacl);
    if (room < *Length || SecurityDescriptor == NULL)
    {
        return STATUS_BUFFER_TOO_SMALL;
    }
    SepBuildInto(SecurityDescriptor, owner, group, sacl, dacl, kept);
    return STATUS_SUCCESS;
}

/* A copy of an ACL with generic rights turned into the object's own. */
static NTSTATUS SepMapAcl(PACL Source, PGENERIC_MAPPING Mapping, PACL *Mapped)
{
    *Mapped = NULL;
    if (Source == NULL)
    {
        return STATUS_SUCCESS;
    }
    PACL copy = ExAllocatePoolWithTag(PagedPool, Source->AclSize, SEP_TAG_DESCRIPTOR);
    if (copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlCopyMemory(copy, Source, Source->AclSize);
    PACE_HEADER ace = SepFirstAce(copy);
    for (USHORT i = 0; i < copy->AceCount; i++, ace = SepNextAce(ace))
    {
        if (SepAceSid(ace) != NULL && (ace->AceFlags & INHERIT_ONLY_ACE) == 0 &&
            ace->AceType != SYSTEM_MANDATORY_LABEL_ACE_TYPE)
        {
            RtlMapGenericMask(&((PACCESS_ALLOWED_ACE)ace)->Mask, Mapping);
        }
    }
    *Mapped = copy;
    return STATUS_SUCCESS;
}

/* May the current subject make Owner the owner of something? */
static BOOLEAN SepOwnerAllowed(PSID Owner)
{
    SECURITY_SUBJECT_CONTEXT context;
    BOOLEAN allowed;
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    SeCaptureSubjectContext(&context);
    SeLockSubjectContext(&context);
    allowed = mode == KernelMode || SepMayOwn(SepEffectiveToken(&context), Owner);
    SeUnlockSubjectContext(&context);
    allowed = allowed || SepSinglePrivilege(SepEffectiveToken(&context), SeExports->SeRestorePrivilege, mode);
    SeReleaseSubjectContext(&context);
    return allowed;
}

/**
 * Makes a new descriptor out of an object's old one and the parts to be changed.
 *
 * @param SecurityDescriptor         the new parts
 * @param ObjectsSecurityDescriptor  in: the old one, left as it is; out: the new one from PoolType, freed by the caller
 * @return STATUS_NO_SECURITY_ON_OBJECT, STATUS_INVALID_OWNER, STATUS_INVALID_PRIMARY_GROUP,
 *         STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI SeSetSecurityDescriptorInfo(_In_opt_ PVOID Object, _In_ PSECURITY_INFORMATION SecurityInformation,
                                           _In_ PSECURITY_DESCRIPTOR SecurityDescriptor,
                                           _Inout_ PSECURITY_DESCRIPTOR *ObjectsSecurityDescriptor,
                                           _In_ POOL_TYPE PoolType, _In_ PGENERIC_MAPPING GenericMapping)
{
    PSECURITY_DESCRIPTOR old = *ObjectsSecurityDescriptor;
    SECURITY_INFORMATION change = *SecurityInformation;
    SECURITY_DESCRIPTOR_CONTROL control;
    PACL dacl = NULL, sacl = NULL;
    PACL newDacl, newSacl;
    PSID owner, group;
    NTSTATUS status = STATUS_SUCCESS;
    if (old == NULL)
    {
        return STATUS_NO_SECURITY_ON_OBJECT;
    }
    control = SepControl(old) & ~SE_SELF_RELATIVE;
    owner = (change & OWNER_SECURITY_INFORMATION) != 0 ? SepOwner(SecurityDescriptor) : SepOwner(old);
    group = (change & GROUP_SECURITY_INFORMATION) != 0 ? SepGroup(SecurityDescriptor) : SepGroup(old);
    if ((change & OWNER_SECURITY_INFORMATION) != 0 && (owner == NULL || !SepOwnerAllowed(owner)))
    {
        return STATUS_INVALID_OWNER;
    }
    if ((change & GROUP_SECURITY_INFORMATION) != 0 && group == NULL)
    {
        return STATUS_INVALID_PRIMARY_GROUP;
    }
    newDacl = SepDacl(old);
    newSacl = SepSacl(old);
    if ((change & DACL_SECURITY_INFORMATION) != 0)
    {
        status = SepMapAcl(SepDacl(SecurityDescriptor), GenericMapping, &dacl);
        newDacl = dacl;
        control = (control & ~(SE_DACL_PRESENT | SE_DACL_DEFAULTED | SE_DACL_PROTECTED | SE_DACL_AUTO_INHERITED)) |
                  SE_DACL_PRESENT | (SepControl(SecurityDescriptor) & SE_DACL_PROTECTED);
    }
    if (NT_SUCCESS(status) && (change & (SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION)) != 0)
    {
        status = SepMapAcl(SepSacl(SecurityDescriptor), GenericMapping, &sacl);
        newSacl = sacl;
        control = (control & ~(SE_SACL_PRESENT | SE_SACL_DEFAULTED | SE_SACL_PROTECTED | SE_SACL_AUTO_INHERITED)) |
                  SE_SACL_PRESENT | (SepControl(SecurityDescriptor) & SE_SACL_PROTECTED);
    }
    if (NT_SUCCESS(status))
    {
        status = SepBuildDescriptor(owner, group, newSacl, newDacl, control, PoolType, ObjectsSecurityDescriptor);
    }
    if (dacl != NULL)
    {
        ExFreePoolWithTag(dacl, SEP_TAG_DESCRIPTOR);
    }
    if (sacl != NULL)
    {
        ExFreePoolWithTag(sacl, SEP_TAG_DESCRIPTOR);
    }
    return status;
}

/**
 * Security method for types that keep a descriptor in pool themselves (*Stored).
 *
 * Assign takes a copy, set replaces, query copies out, delete frees. The caller serialises. PASSIVE_LEVEL.
 */
NTSTATUS SeDefaultObjectMethod(_In_ PVOID Object, _In_ SECURITY_OPERATION_CODE Operation,
                               _In_ PSECURITY_INFORMATION Information, _Inout_opt_ PSECURITY_DESCRIPTOR Descriptor,
                               _Inout_opt_ PULONG Length, _Inout_ PSECURITY_DESCRIPTOR *Stored, _In_ POOL_TYPE Pool,
                               _In_ PGENERIC_MAPPING Mapping)
{
    PSECURITY_DESCRIPTOR made = *Stored;
    NTSTATUS status;
    switch (Operation)
    {
    case SetSecurityDescriptor:
        status = SeSetSecurityDescriptorInfo(Object, Information, Descriptor, &made, Pool, Mapping);
        if (NT_SUCCESS(status))
        {
            ExFreePool(*Stored);
            *Stored = made;
        }
        return status;
    case QuerySecurityDescriptor:
        return SeQuerySecurityDescriptorInfo(Information, Descriptor, Length, Stored);
    case DeleteSecurityDescriptor:
        if (*Stored != NULL)
        {
            ExFreePool(*Stored);
            *Stored = NULL;
        }
        return STATUS_SUCCESS;
    case AssignSecurityDescriptor:
        return SepBuildDescriptor(SepOwner(Descriptor), SepGroup(Descriptor), SepSacl(Descriptor), SepDacl(Descriptor),
                                  SepControl(Descriptor) & ~SE_SELF_RELATIVE, Pool, Stored);
    default:
        return STATUS_INVALID_PARAMETER;
    }
}
