/* SPDX-License-Identifier: MIT */
/*
 * Bringing SIDs, ACLs and security descriptors from callers into the kernel: sizes are read once, and what was
 * copied is checked in the copy.
 */
#include "sep.h"

BOOLEAN SepValidSid(PSID Sid, ULONG Room)
{
    PISID sid = Sid;
    return Room >= FIELD_OFFSET(SID, SubAuthority) && sid->Revision == SID_REVISION &&
           sid->SubAuthorityCount <= SID_MAX_SUB_AUTHORITIES && SepSidLength(sid) <= Room;
}

static ULONG SepAceSidOffset(PACE_HEADER Ace)
{
    switch (Ace->AceType)
    {
    case ACCESS_ALLOWED_ACE_TYPE:
    case ACCESS_DENIED_ACE_TYPE:
    case SYSTEM_AUDIT_ACE_TYPE:
    case SYSTEM_ALARM_ACE_TYPE:
    case SYSTEM_MANDATORY_LABEL_ACE_TYPE:
    case ACCESS_ALLOWED_CALLBACK_ACE_TYPE:
    case ACCESS_DENIED_CALLBACK_ACE_TYPE:
    case SYSTEM_AUDIT_CALLBACK_ACE_TYPE:
        return FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart);
    case ACCESS_ALLOWED_OBJECT_ACE_TYPE:
    case ACCESS_DENIED_OBJECT_ACE_TYPE:
    case SYSTEM_AUDIT_OBJECT_ACE_TYPE:
    {
        /* header, mask, flags, then one GUID for each of the two flags */
        ULONG flags = Ace->AceSize >= 12 ? *(PULONG)((PUCHAR)Ace + 8) : 0;
        return 12 + ((flags & 1) != 0 ? sizeof(GUID) : 0) + ((flags & 2) != 0 ? sizeof(GUID) : 0);
    }
    default:
        return 0;
    }
}

PSID SepAceSid(PACE_HEADER Ace)
{
    ULONG offset = SepAceSidOffset(Ace);
    return offset == 0 ? NULL : (PUCHAR)Ace + offset;
}

BOOLEAN SepValidAcl(PACL Acl, ULONG Room)
{
    if (Room < sizeof(ACL) || Acl->AclSize < sizeof(ACL) || Acl->AclSize > Room || Acl->AclRevision < 2 ||
        Acl->AclRevision > 4 || (Acl->AclSize & 3) != 0)
    {
        return FALSE;
    }
    ULONG offset = sizeof(ACL);
    for (USHORT i = 0; i < Acl->AceCount; i++)
    {
        PACE_HEADER ace = (PACE_HEADER)((PUCHAR)Acl + offset);
        if (Acl->AclSize - offset < sizeof(ACE_HEADER) || ace->AceSize < sizeof(ACE_HEADER) ||
            (ace->AceSize & 3) != 0 || ace->AceSize > Acl->AclSize - offset)
        {
            return FALSE;
        }
        ULONG sid = SepAceSidOffset(ace);
        if (sid != 0 && (ace->AceSize < sid || !SepValidSid((PUCHAR)ace + sid, ace->AceSize - sid)))
        {
            return FALSE;
        }
        offset += ace->AceSize;
    }
    return TRUE;
}

/* Copies Length bytes of a structure whose first byte(s) said how long it is; the copy is what gets checked. */
static NTSTATUS SepCopyIn(PVOID Target, const VOID *Source, ULONG Length, KPROCESSOR_MODE Mode, ULONG Alignment)
{
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead((PVOID)Source, Length, Alignment);
        }
        RtlCopyMemory(Target, Source, Length);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static NTSTATUS SepReadSidLength(PSID Source, KPROCESSOR_MODE Mode, PULONG Length)
{
    UCHAR head[2];
    NTSTATUS status = SepCopyIn(head, Source, sizeof(head), Mode, sizeof(UCHAR));
    if (NT_SUCCESS(status))
    {
        if (head[1] > SID_MAX_SUB_AUTHORITIES)
        {
            return STATUS_INVALID_SID;
        }
        *Length = FIELD_OFFSET(SID, SubAuthority) + head[1] * sizeof(ULONG);
    }
    return status;
}

static NTSTATUS SepReadAclLength(PACL Source, KPROCESSOR_MODE Mode, PULONG Length)
{
    ACL head;
    NTSTATUS status = SepCopyIn(&head, Source, sizeof(head), Mode, sizeof(ULONG));
    if (NT_SUCCESS(status))
    {
        if (head.AclSize < sizeof(ACL) || (head.AclSize & 3) != 0)
        {
            return STATUS_INVALID_ACL;
        }
        *Length = head.AclSize;
    }
    return status;
}

NTSTATUS SepCaptureSid(PSID Source, KPROCESSOR_MODE Mode, PSID *Captured)
{
    ULONG length;
    *Captured = NULL;
    NTSTATUS status = SepReadSidLength(Source, Mode, &length);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    PSID copy = ExAllocatePoolWithTag(PagedPool, length, SEP_TAG_QUERY);
    if (copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    status = SepCopyIn(copy, Source, length, Mode, sizeof(UCHAR));
    if (NT_SUCCESS(status) && !SepValidSid(copy, length))
    {
        status = STATUS_INVALID_SID;
    }
    if (!NT_SUCCESS(status))
    {
        ExFreePoolWithTag(copy, SEP_TAG_QUERY);
        return status;
    }
    *Captured = copy;
    return STATUS_SUCCESS;
}

NTSTATUS SepCaptureAcl(PACL Source, KPROCESSOR_MODE Mode, PACL *Captured)
{
    ULONG length;
    *Captured = NULL;
    NTSTATUS status = SepReadAclLength(Source, Mode, &length);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    PACL copy = ExAllocatePoolWithTag(PagedPool, length, SEP_TAG_TOKEN);
    if (copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    status = SepCopyIn(copy, Source, length, Mode, sizeof(ULONG));
    if (NT_SUCCESS(status) && !SepValidAcl(copy, length))
    {
        status = STATUS_INVALID_ACL;
    }
    if (!NT_SUCCESS(status))
    {
        ExFreePoolWithTag(copy, SEP_TAG_TOKEN);
        return status;
    }
    *Captured = copy;
    return STATUS_SUCCESS;
}

NTSTATUS SepCapturePrivileges(const LUID_AND_ATTRIBUTES *Source, ULONG Count, KPROCESSOR_MODE Mode,
                              PLUID_AND_ATTRIBUTES *Captured)
{
    *Captured = NULL;
    if (Count > SEP_MAX_PRIVILEGES)
    {
        return STATUS_INVALID_PARAMETER;
    }
    PLUID_AND_ATTRIBUTES copy = ExAllocatePoolWithTag(PagedPool, (Count + 1) * sizeof(*copy), SEP_TAG_QUERY);
    if (copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS status = SepCopyIn(copy, Source, Count * sizeof(*copy), Mode, sizeof(ULONG));
    if (!NT_SUCCESS(status))
    {
        ExFreePoolWithTag(copy, SEP_TAG_QUERY);
        return status;
    }
    *Captured = copy;
    return STATUS_SUCCESS;
}

/* An array of SIDs with attributes and the SIDs behind it, in one block. */
NTSTATUS SepCaptureSids(const SID_AND_ATTRIBUTES *Source, ULONG Count, KPROCESSOR_MODE Mode,
                        PSID_AND_ATTRIBUTES *Captured)
{
    *Captured = NULL;
    if (Count > SEP_MAX_GROUPS)
    {
        return STATUS_INVALID_PARAMETER;
    }
    SIZE_T arraySize = (Count + 1) * sizeof(SID_AND_ATTRIBUTES);
    PSID_AND_ATTRIBUTES copy =
        ExAllocatePoolWithTag(PagedPool, arraySize + Count * ((SEP_MAX_SID + 7) & ~7ULL), SEP_TAG_QUERY);
    if (copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PUCHAR room = (PUCHAR)copy + arraySize;
    NTSTATUS status = SepCopyIn(copy, Source, Count * sizeof(*copy), Mode, sizeof(PVOID));
    for (ULONG i = 0; i < Count && NT_SUCCESS(status); i++)
    {
        ULONG length = 0;
        status = SepReadSidLength(copy[i].Sid, Mode, &length);
        if (NT_SUCCESS(status))
        {
            status = SepCopyIn(room, copy[i].Sid, length, Mode, sizeof(UCHAR));
        }
        if (NT_SUCCESS(status) && !SepValidSid(room, length))
        {
            status = STATUS_INVALID_SID;
        }
        copy[i].Sid = room;
        room += (length + 7) & ~7U;
    }
    if (!NT_SUCCESS(status))
    {
        ExFreePoolWithTag(copy, SEP_TAG_QUERY);
        return status;
    }
    *Captured = copy;
    return STATUS_SUCCESS;
}

typedef struct _SEP_DESCRIPTOR_PARTS
{
    SECURITY_DESCRIPTOR_CONTROL Control;
    UCHAR Revision;
    PVOID Source[4];               /* owner, group, SACL, DACL in the caller's memory */
    ULONG Length[4];
} SEP_DESCRIPTOR_PARTS;

enum { SepPartOwner, SepPartGroup, SepPartSacl, SepPartDacl, SepPartCount };

static PVOID SepRelativePart(PVOID Descriptor, ULONG Offset)
{
    return Offset == 0 ? NULL : (PUCHAR)Descriptor + Offset;
}

/* Reads the fixed part of a descriptor in either form. */
static NTSTATUS SepReadDescriptor(PSECURITY_DESCRIPTOR Descriptor, KPROCESSOR_MODE Mode, SEP_DESCRIPTOR_PARTS *Parts)
{
    SECURITY_DESCRIPTOR_RELATIVE relative;
    SECURITY_DESCRIPTOR absolute;
    NTSTATUS status = SepCopyIn(&relative, Descriptor, sizeof(relative), Mode, sizeof(ULONG));
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    Parts->Revision = relative.Revision;
    Parts->Control = relative.Control;
    if (relative.Revision != SECURITY_DESCRIPTOR_REVISION)
    {
        return STATUS_UNKNOWN_REVISION;
    }
    if ((relative.Control & SE_SELF_RELATIVE) != 0)
    {
        Parts->Source[SepPartOwner] = SepRelativePart(Descriptor, relative.Owner);
        Parts->Source[SepPartGroup] = SepRelativePart(Descriptor, relative.Group);
        Parts->Source[SepPartSacl] = SepRelativePart(Descriptor, relative.Sacl);
        Parts->Source[SepPartDacl] = SepRelativePart(Descriptor, relative.Dacl);
    }
    else
    {
        status = SepCopyIn(&absolute, Descriptor, sizeof(absolute), Mode, sizeof(PVOID));
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        Parts->Control = absolute.Control;
        if ((absolute.Control & SE_SELF_RELATIVE) != 0)
        {
            return STATUS_INVALID_SECURITY_DESCR; /* it changed between the two looks */
        }
        Parts->Source[SepPartOwner] = absolute.Owner;
        Parts->Source[SepPartGroup] = absolute.Group;
        Parts->Source[SepPartSacl] = absolute.Sacl;
        Parts->Source[SepPartDacl] = absolute.Dacl;
    }
    if ((Parts->Control & SE_SACL_PRESENT) == 0)
    {
        Parts->Source[SepPartSacl] = NULL;
    }
    if ((Parts->Control & SE_DACL_PRESENT) == 0)
    {
        Parts->Source[SepPartDacl] = NULL;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS SepMeasureParts(SEP_DESCRIPTOR_PARTS *Parts, KPROCESSOR_MODE Mode, PULONG Total)
{
    NTSTATUS status = STATUS_SUCCESS;
    *Total = sizeof(SECURITY_DESCRIPTOR_RELATIVE);
    for (ULONG i = 0; i < SepPartCount && NT_SUCCESS(status); i++)
    {
        Parts->Length[i] = 0;
        if (Parts->Source[i] != NULL)
        {
            status = i <= SepPartGroup ? SepReadSidLength(Parts->Source[i], Mode, &Parts->Length[i])
                                       : SepReadAclLength(Parts->Source[i], Mode, &Parts->Length[i]);
            *Total += (Parts->Length[i] + 3) & ~3U;
        }
    }
    return status;
}

/**
 * Copies a caller's security descriptor, in either form, into self-relative kernel memory and checks it.
 *
 * @param Force     also copy for KernelMode callers; else their pointer is returned as it is
 * @param Captured  out: free with ExFreePool if it is a copy
 * @return STATUS_UNKNOWN_REVISION, STATUS_INVALID_SID, STATUS_INVALID_ACL, STATUS_INVALID_SECURITY_DESCR,
 *         STATUS_INSUFFICIENT_RESOURCES, what probing raised. PASSIVE_LEVEL.
 */
NTSTATUS SeCaptureSecurityDescriptor(_In_ PSECURITY_DESCRIPTOR Descriptor, _In_ KPROCESSOR_MODE Mode,
                                     _In_ POOL_TYPE Pool, _In_ BOOLEAN Force, _Out_ PSECURITY_DESCRIPTOR *Captured)
{
    SEP_DESCRIPTOR_PARTS parts = {0};
    ULONG total;
    *Captured = NULL;
    if (Descriptor == NULL)
    {
        return STATUS_SUCCESS;
    }
    if (Mode == KernelMode && !Force)
    {
        *Captured = Descriptor;
        return STATUS_SUCCESS;
    }
    NTSTATUS status = SepReadDescriptor(Descriptor, Mode, &parts);
    if (NT_SUCCESS(status))
    {
        status = SepMeasureParts(&parts, Mode, &total);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    SECURITY_DESCRIPTOR_RELATIVE *copy = ExAllocatePoolWithTag(Pool, total, SEP_TAG_DESCRIPTOR);
    if (copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PULONG offsets[SepPartCount] = {&copy->Owner, &copy->Group, &copy->Sacl, &copy->Dacl};
    ULONG offset = sizeof(*copy);
    RtlZeroMemory(copy, total);
    copy->Revision = parts.Revision;
    copy->Control = parts.Control | SE_SELF_RELATIVE;
    for (ULONG i = 0; i < SepPartCount && NT_SUCCESS(status); i++)
    {
        PUCHAR part = (PUCHAR)copy + offset;
        if (parts.Source[i] == NULL)
        {
            continue;
        }
        status = SepCopyIn(part, parts.Source[i], parts.Length[i], Mode, sizeof(UCHAR));
        if (NT_SUCCESS(status) && i <= SepPartGroup && !SepValidSid(part, parts.Length[i]))
        {
            status = STATUS_INVALID_SID;
        }
        if (NT_SUCCESS(status) && i > SepPartGroup && !SepValidAcl((PACL)part, parts.Length[i]))
        {
            status = STATUS_INVALID_ACL;
        }
        *offsets[i] = offset;
        offset += (parts.Length[i] + 3) & ~3U;
    }
    if (!NT_SUCCESS(status))
    {
        ExFreePoolWithTag(copy, SEP_TAG_DESCRIPTOR);
        return status;
    }
    *Captured = copy;
    return STATUS_SUCCESS;
}
