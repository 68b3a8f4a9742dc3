/* SPDX-License-Identifier: MIT */
/*
 * Security descriptors, in both forms:
 *
 *      absolute         a header with pointers to owner, group, SACL and DACL
 *      self-relative    one block; offsets from its start take the place of the pointers
 *
 * IRQL: any at which the descriptor is resident. Descriptors from user mode are captured and checked with
 * RtlValidRelativeSecurityDescriptor before anything else here may see them.
 */
#include "rtlp.h"
#include "rtlmore.h"
#include "crtnames.h"

/* One view of both forms. */
typedef struct _RTLP_PARTS
{
    PSID Owner;
    PSID Group;
    PACL Sacl;
    PACL Dacl;
} RTLP_PARTS, *PRTLP_PARTS;

static PVOID RtlpFromOffset(PVOID Descriptor, ULONG Offset)
{
    return Offset != 0 ? (PUCHAR)Descriptor + Offset : NULL;
}

static VOID RtlpGetParts(PSECURITY_DESCRIPTOR Descriptor, PRTLP_PARTS Parts)
{
    PISECURITY_DESCRIPTOR Absolute = Descriptor;
    PISECURITY_DESCRIPTOR_RELATIVE Relative = Descriptor;
    BOOLEAN HasSacl = (Absolute->Control & SE_SACL_PRESENT) != 0;
    BOOLEAN HasDacl = (Absolute->Control & SE_DACL_PRESENT) != 0;

    if ((Absolute->Control & SE_SELF_RELATIVE) != 0)
    {
        Parts->Owner = RtlpFromOffset(Descriptor, Relative->Owner);
        Parts->Group = RtlpFromOffset(Descriptor, Relative->Group);
        Parts->Sacl = HasSacl ? RtlpFromOffset(Descriptor, Relative->Sacl) : NULL;
        Parts->Dacl = HasDacl ? RtlpFromOffset(Descriptor, Relative->Dacl) : NULL;
    }
    else
    {
        Parts->Owner = Absolute->Owner;
        Parts->Group = Absolute->Group;
        Parts->Sacl = HasSacl ? Absolute->Sacl : NULL;
        Parts->Dacl = HasDacl ? Absolute->Dacl : NULL;
    }
}

static ULONG RtlpSidSize(PSID Sid)
{
    return Sid != NULL ? (RtlLengthSid(Sid) + 3) & ~3u : 0;
}

static ULONG RtlpAclSize(PACL Acl)
{
    return Acl != NULL ? (Acl->AclSize + 3u) & ~3u : 0;
}

/**
 * Makes an empty absolute descriptor.
 *
 * @return STATUS_SUCCESS, STATUS_UNKNOWN_REVISION
 */
NTSTATUS NTAPI RtlCreateSecurityDescriptor(_Out_ PSECURITY_DESCRIPTOR SecurityDescriptor, _In_ ULONG Revision)
{
    if (Revision != SECURITY_DESCRIPTOR_REVISION)
    {
        return STATUS_UNKNOWN_REVISION;
    }

    memset(SecurityDescriptor, 0, sizeof(SECURITY_DESCRIPTOR));
    ((PISECURITY_DESCRIPTOR)SecurityDescriptor)->Revision = SECURITY_DESCRIPTOR_REVISION;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlCreateSecurityDescriptorRelative(_Out_ PISECURITY_DESCRIPTOR_RELATIVE SecurityDescriptor,
                                                   _In_ ULONG Revision)
{
    if (Revision != SECURITY_DESCRIPTOR_REVISION)
    {
        return STATUS_UNKNOWN_REVISION;
    }

    memset(SecurityDescriptor, 0, sizeof(*SecurityDescriptor));
    SecurityDescriptor->Revision = SECURITY_DESCRIPTOR_REVISION;
    SecurityDescriptor->Control = SE_SELF_RELATIVE;
    return STATUS_SUCCESS;
}

/* The Set functions work on absolute descriptors only. */
static NTSTATUS RtlpCheckAbsolute(PISECURITY_DESCRIPTOR Descriptor)
{
    if (Descriptor->Revision != SECURITY_DESCRIPTOR_REVISION)
    {
        return STATUS_UNKNOWN_REVISION;
    }

    return (Descriptor->Control & SE_SELF_RELATIVE) != 0 ? STATUS_INVALID_SECURITY_DESCR : STATUS_SUCCESS;
}

static VOID RtlpControl(PISECURITY_DESCRIPTOR Descriptor, USHORT Flag, BOOLEAN Value)
{
    Descriptor->Control = (USHORT)(Value ? Descriptor->Control | Flag : Descriptor->Control & ~Flag);
}

/**
 * Refers to a DACL (present and NULL: everybody may do everything) or takes it out.
 *
 * @return STATUS_SUCCESS, STATUS_UNKNOWN_REVISION, STATUS_INVALID_SECURITY_DESCR (self-relative)
 */
NTSTATUS NTAPI RtlSetDaclSecurityDescriptor(_Inout_ PSECURITY_DESCRIPTOR SecurityDescriptor, _In_ BOOLEAN DaclPresent,
                                            _In_opt_ PACL Dacl, _In_ BOOLEAN DaclDefaulted)
{
    PISECURITY_DESCRIPTOR Descriptor = SecurityDescriptor;
    NTSTATUS Status = RtlpCheckAbsolute(Descriptor);

    if (NT_SUCCESS(Status))
    {
        RtlpControl(Descriptor, SE_DACL_PRESENT, DaclPresent);
        if (DaclPresent)
        {
            Descriptor->Dacl = Dacl;
            RtlpControl(Descriptor, SE_DACL_DEFAULTED, DaclDefaulted);
        }
    }

    return Status;
}

NTSTATUS NTAPI RtlSetSaclSecurityDescriptor(_Inout_ PSECURITY_DESCRIPTOR SecurityDescriptor, _In_ BOOLEAN SaclPresent,
                                            _In_opt_ PACL Sacl, _In_ BOOLEAN SaclDefaulted)
{
    PISECURITY_DESCRIPTOR Descriptor = SecurityDescriptor;
    NTSTATUS Status = RtlpCheckAbsolute(Descriptor);

    if (NT_SUCCESS(Status))
    {
        RtlpControl(Descriptor, SE_SACL_PRESENT, SaclPresent);
        if (SaclPresent)
        {
            Descriptor->Sacl = Sacl;
            RtlpControl(Descriptor, SE_SACL_DEFAULTED, SaclDefaulted);
        }
    }

    return Status;
}

NTSTATUS NTAPI RtlSetOwnerSecurityDescriptor(_Inout_ PSECURITY_DESCRIPTOR SecurityDescriptor, _In_opt_ PSID Owner,
                                             _In_ BOOLEAN OwnerDefaulted)
{
    PISECURITY_DESCRIPTOR Descriptor = SecurityDescriptor;
    NTSTATUS Status = RtlpCheckAbsolute(Descriptor);

    if (NT_SUCCESS(Status))
    {
        Descriptor->Owner = Owner;
        RtlpControl(Descriptor, SE_OWNER_DEFAULTED, OwnerDefaulted);
    }

    return Status;
}

NTSTATUS NTAPI RtlSetGroupSecurityDescriptor(_Inout_ PSECURITY_DESCRIPTOR SecurityDescriptor, _In_opt_ PSID Group,
                                             _In_ BOOLEAN GroupDefaulted)
{
    PISECURITY_DESCRIPTOR Descriptor = SecurityDescriptor;
    NTSTATUS Status = RtlpCheckAbsolute(Descriptor);

    if (NT_SUCCESS(Status))
    {
        Descriptor->Group = Group;
        RtlpControl(Descriptor, SE_GROUP_DEFAULTED, GroupDefaulted);
    }

    return Status;
}

static NTSTATUS RtlpGetAcl(PSECURITY_DESCRIPTOR SecurityDescriptor, BOOLEAN Dacl, PBOOLEAN Present, PACL *Acl,
                           PBOOLEAN Defaulted)
{
    PISECURITY_DESCRIPTOR Descriptor = SecurityDescriptor;
    RTLP_PARTS Parts;

    if (Descriptor->Revision != SECURITY_DESCRIPTOR_REVISION)
    {
        return STATUS_UNKNOWN_REVISION;
    }

    *Present = (Descriptor->Control & (Dacl ? SE_DACL_PRESENT : SE_SACL_PRESENT)) != 0;
    if (*Present)
    {
        RtlpGetParts(SecurityDescriptor, &Parts);
        *Acl = Dacl ? Parts.Dacl : Parts.Sacl;
        *Defaulted = (Descriptor->Control & (Dacl ? SE_DACL_DEFAULTED : SE_SACL_DEFAULTED)) != 0;
    }

    return STATUS_SUCCESS;
}

/**
 * Finds the DACL.
 *
 * @param DaclPresent          receives FALSE if there is none; the other two are then not written
 * @param Dacl, DaclDefaulted  receive the list (may be NULL: no protection) and whether it came by default
 * @return STATUS_SUCCESS, STATUS_UNKNOWN_REVISION
 */
NTSTATUS NTAPI RtlGetDaclSecurityDescriptor(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor, _Out_ PBOOLEAN DaclPresent,
                                            _Out_ PACL *Dacl, _Out_ PBOOLEAN DaclDefaulted)
{
    return RtlpGetAcl(SecurityDescriptor, TRUE, DaclPresent, Dacl, DaclDefaulted);
}

NTSTATUS NTAPI RtlGetSaclSecurityDescriptor(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor, _Out_ PBOOLEAN SaclPresent,
                                            _Out_ PACL *Sacl, _Out_ PBOOLEAN SaclDefaulted)
{
    return RtlpGetAcl(SecurityDescriptor, FALSE, SaclPresent, Sacl, SaclDefaulted);
}

NTSTATUS NTAPI RtlGetOwnerSecurityDescriptor(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor, _Out_ PSID *Owner,
                                             _Out_ PBOOLEAN OwnerDefaulted)
{
    PISECURITY_DESCRIPTOR Descriptor = SecurityDescriptor;
    RTLP_PARTS Parts;

    if (Descriptor->Revision != SECURITY_DESCRIPTOR_REVISION)
    {
        return STATUS_UNKNOWN_REVISION;
    }

    RtlpGetParts(SecurityDescriptor, &Parts);
    *Owner = Parts.Owner;
    *OwnerDefaulted = (Descriptor->Control & SE_OWNER_DEFAULTED) != 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGetGroupSecurityDescriptor(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor, _Out_ PSID *Group,
                                             _Out_ PBOOLEAN GroupDefaulted)
{
    PISECURITY_DESCRIPTOR Descriptor = SecurityDescriptor;
    RTLP_PARTS Parts;

    if (Descriptor->Revision != SECURITY_DESCRIPTOR_REVISION)
    {
        return STATUS_UNKNOWN_REVISION;
    }

    RtlpGetParts(SecurityDescriptor, &Parts);
    *Group = Parts.Group;
    *GroupDefaulted = (Descriptor->Control & SE_GROUP_DEFAULTED) != 0;
    return STATUS_SUCCESS;
}

/**
 * Reads the control word and the revision.
 */
NTSTATUS NTAPI RtlGetControlSecurityDescriptor(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor,
                                               _Out_ PSECURITY_DESCRIPTOR_CONTROL Control, _Out_ PULONG Revision)
{
    PISECURITY_DESCRIPTOR Descriptor = SecurityDescriptor;

    *Revision = Descriptor->Revision;
    if (Descriptor->Revision != SECURITY_DESCRIPTOR_REVISION)
    {
        return STATUS_UNKNOWN_REVISION;
    }

    *Control = Descriptor->Control;
    return STATUS_SUCCESS;
}

/**
 * The bytes that a descriptor takes in self-relative form.
 */
ULONG NTAPI RtlLengthSecurityDescriptor(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor)
{
    RTLP_PARTS Parts;
    ULONG Header = (((PISECURITY_DESCRIPTOR)SecurityDescriptor)->Control & SE_SELF_RELATIVE) != 0
                       ? sizeof(SECURITY_DESCRIPTOR_RELATIVE)
                       : sizeof(SECURITY_DESCRIPTOR);

    RtlpGetParts(SecurityDescriptor, &Parts);
    return Header + RtlpSidSize(Parts.Owner) + RtlpSidSize(Parts.Group) + RtlpAclSize(Parts.Sacl) +
           RtlpAclSize(Parts.Dacl);
}

/**
 * Checks a descriptor of either form and all its parts, trusting its memory to be there.
 */
BOOLEAN NTAPI RtlValidSecurityDescriptor(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor)
{
    PISECURITY_DESCRIPTOR Descriptor = SecurityDescriptor;
    RTLP_PARTS Parts;

    if (Descriptor->Revision != SECURITY_DESCRIPTOR_REVISION)
    {
        return FALSE;
    }

    RtlpGetParts(SecurityDescriptor, &Parts);
    return (Parts.Owner == NULL || RtlValidSid(Parts.Owner)) && (Parts.Group == NULL || RtlValidSid(Parts.Group)) &&
           (Parts.Sacl == NULL || RtlValidAcl(Parts.Sacl)) && (Parts.Dacl == NULL || RtlValidAcl(Parts.Dacl));
}

static BOOLEAN RtlpInside(ULONG Length, ULONG Offset, ULONG Size)
{
    return (Offset & 3) == 0 && Offset >= sizeof(SECURITY_DESCRIPTOR_RELATIVE) && Offset <= Length &&
           Size <= Length - Offset;
}

static BOOLEAN RtlpValidRelativeSid(PUCHAR Base, ULONG Length, ULONG Offset)
{
    return RtlpInside(Length, Offset, RtlLengthRequiredSid(0)) && RtlValidSid(Base + Offset) &&
           RtlpInside(Length, Offset, RtlLengthSid(Base + Offset));
}

static BOOLEAN RtlpValidRelativeAcl(PUCHAR Base, ULONG Length, ULONG Offset)
{
    return RtlpInside(Length, Offset, sizeof(ACL)) && RtlpInside(Length, Offset, ((PACL)(Base + Offset))->AclSize) &&
           RtlValidAcl((PACL)(Base + Offset));
}

/**
 * Checks a self-relative descriptor that may hold anything: nothing outside the buffer is read.
 *
 * @param SecurityDescriptorInput   the buffer; its contents must not change meanwhile
 * @param SecurityDescriptorLength  its size in bytes
 * @param RequiredInformation       OWNER_, GROUP_, DACL_, SACL_SECURITY_INFORMATION: parts that have to be there
 */
BOOLEAN NTAPI RtlValidRelativeSecurityDescriptor(
    _In_reads_bytes_(SecurityDescriptorLength) PSECURITY_DESCRIPTOR SecurityDescriptorInput,
    _In_ ULONG SecurityDescriptorLength, _In_ SECURITY_INFORMATION RequiredInformation)
{
    PISECURITY_DESCRIPTOR_RELATIVE Descriptor = SecurityDescriptorInput;
    PUCHAR Base = SecurityDescriptorInput;
    ULONG Length = SecurityDescriptorLength;

    if (Length < sizeof(*Descriptor) || Descriptor->Revision != SECURITY_DESCRIPTOR_REVISION ||
        (Descriptor->Control & SE_SELF_RELATIVE) == 0)
    {
        return FALSE;
    }

    if (Descriptor->Owner != 0 ? !RtlpValidRelativeSid(Base, Length, Descriptor->Owner)
                               : (RequiredInformation & OWNER_SECURITY_INFORMATION) != 0)
    {
        return FALSE;
    }

    if (Descriptor->Group != 0 ? !RtlpValidRelativeSid(Base, Length, Descriptor->Group)
                               : (RequiredInformation & GROUP_SECURITY_INFORMATION) != 0)
    {
        return FALSE;
    }

    if ((Descriptor->Control & SE_DACL_PRESENT) != 0)
    {
        if (Descriptor->Dacl != 0 && !RtlpValidRelativeAcl(Base, Length, Descriptor->Dacl))
        {
            return FALSE;
        }
    }
    else if ((RequiredInformation & DACL_SECURITY_INFORMATION) != 0)
    {
        return FALSE;
    }

    if ((Descriptor->Control & SE_SACL_PRESENT) != 0)
    {
        return Descriptor->Sacl == 0 || RtlpValidRelativeAcl(Base, Length, Descriptor->Sacl);
    }

    return (RequiredInformation & SACL_SECURITY_INFORMATION) == 0;
}

static ULONG RtlpAppendPart(PUCHAR Base, PULONG At, const VOID *Part, ULONG Length, ULONG Size)
{
    ULONG Offset = *At;

    if (Part == NULL)
    {
        return 0;
    }

    memcpy(Base + Offset, Part, Length);
    memset(Base + Offset + Length, 0, Size - Length);
    *At += Size;
    return Offset;
}

/**
 * Makes a self-relative copy of a descriptor of either form.
 *
 * @param BufferLength  in: room in bytes; out: bytes needed, if it was too small
 * @return STATUS_SUCCESS, STATUS_BUFFER_TOO_SMALL
 */
NTSTATUS NTAPI RtlMakeSelfRelativeSD(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor,
                                     _Out_writes_bytes_opt_(*BufferLength) PSECURITY_DESCRIPTOR SelfRelative,
                                     _Inout_ PULONG BufferLength)
{
    PISECURITY_DESCRIPTOR Source = SecurityDescriptor;
    PISECURITY_DESCRIPTOR_RELATIVE Copy = SelfRelative;
    ULONG At = sizeof(*Copy);
    RTLP_PARTS Parts;
    ULONG Needed;

    RtlpGetParts(SecurityDescriptor, &Parts);
    Needed = At + RtlpSidSize(Parts.Owner) + RtlpSidSize(Parts.Group) + RtlpAclSize(Parts.Sacl) +
             RtlpAclSize(Parts.Dacl);
    if (Needed > *BufferLength)
    {
        *BufferLength = Needed;
        return STATUS_BUFFER_TOO_SMALL;
    }

    memset(Copy, 0, sizeof(*Copy));
    Copy->Revision = Source->Revision;
    Copy->Sbz1 = Source->Sbz1;
    Copy->Control = Source->Control | SE_SELF_RELATIVE;
    Copy->Sacl = RtlpAppendPart((PUCHAR)Copy, &At, Parts.Sacl, Parts.Sacl != NULL ? Parts.Sacl->AclSize : 0,
                                RtlpAclSize(Parts.Sacl));
    Copy->Dacl = RtlpAppendPart((PUCHAR)Copy, &At, Parts.Dacl, Parts.Dacl != NULL ? Parts.Dacl->AclSize : 0,
                                RtlpAclSize(Parts.Dacl));
    Copy->Owner = RtlpAppendPart((PUCHAR)Copy, &At, Parts.Owner, RtlpSidSize(Parts.Owner), RtlpSidSize(Parts.Owner));
    Copy->Group = RtlpAppendPart((PUCHAR)Copy, &At, Parts.Group, RtlpSidSize(Parts.Group), RtlpSidSize(Parts.Group));
    return STATUS_SUCCESS;
}

/**
 * As RtlMakeSelfRelativeSD, for absolute descriptors only; STATUS_BAD_DESCRIPTOR_FORMAT for others.
 */
NTSTATUS NTAPI RtlAbsoluteToSelfRelativeSD(
    _In_ PSECURITY_DESCRIPTOR AbsoluteSecurityDescriptor,
    _Out_writes_bytes_opt_(*BufferLength) PSECURITY_DESCRIPTOR SelfRelativeSecurityDescriptor,
    _Inout_ PULONG BufferLength)
{
    if ((((PISECURITY_DESCRIPTOR)AbsoluteSecurityDescriptor)->Control & SE_SELF_RELATIVE) != 0)
    {
        return STATUS_BAD_DESCRIPTOR_FORMAT;
    }

    return RtlMakeSelfRelativeSD(AbsoluteSecurityDescriptor, SelfRelativeSecurityDescriptor, BufferLength);
}

/* Compares the room of one part with its need; the need is always reported. */
static BOOLEAN RtlpFits(ULONG Need, PULONG Room)
{
    BOOLEAN Fits = Need <= *Room;

    *Room = Need;
    return Fits;
}

/**
 * Takes a self-relative descriptor apart into an absolute one and its parts.
 *
 * @param AbsoluteSecurityDescriptor, Dacl, Sacl, Owner, PrimaryGroup  receive the parts
 * @param ...Size  in: room in bytes; out: bytes needed
 * @return STATUS_SUCCESS, STATUS_BUFFER_TOO_SMALL (nothing written but the sizes), STATUS_BAD_DESCRIPTOR_FORMAT
 */
NTSTATUS NTAPI RtlSelfRelativeToAbsoluteSD(_In_ PSECURITY_DESCRIPTOR SelfRelativeSecurityDescriptor,
                                           _Out_opt_ PSECURITY_DESCRIPTOR AbsoluteSecurityDescriptor,
                                           _Inout_ PULONG AbsoluteSecurityDescriptorSize, _Out_opt_ PACL Dacl,
                                           _Inout_ PULONG DaclSize, _Out_opt_ PACL Sacl, _Inout_ PULONG SaclSize,
                                           _Out_opt_ PSID Owner, _Inout_ PULONG OwnerSize, _Out_opt_ PSID PrimaryGroup,
                                           _Inout_ PULONG PrimaryGroupSize)
{
    PISECURITY_DESCRIPTOR Source = SelfRelativeSecurityDescriptor;
    PISECURITY_DESCRIPTOR Copy = AbsoluteSecurityDescriptor;
    RTLP_PARTS Parts;
    BOOLEAN Fits;

    if ((Source->Control & SE_SELF_RELATIVE) == 0)
    {
        return STATUS_BAD_DESCRIPTOR_FORMAT;
    }

    RtlpGetParts(SelfRelativeSecurityDescriptor, &Parts);
    Fits = RtlpFits(sizeof(*Copy), AbsoluteSecurityDescriptorSize);
    Fits &= RtlpFits(RtlpAclSize(Parts.Dacl), DaclSize);
    Fits &= RtlpFits(RtlpAclSize(Parts.Sacl), SaclSize);
    Fits &= RtlpFits(RtlpSidSize(Parts.Owner), OwnerSize);
    Fits &= RtlpFits(RtlpSidSize(Parts.Group), PrimaryGroupSize);
    if (!Fits)
    {
        return STATUS_BUFFER_TOO_SMALL;
    }

    memset(Copy, 0, sizeof(*Copy));
    Copy->Revision = Source->Revision;
    Copy->Sbz1 = Source->Sbz1;
    Copy->Control = (USHORT)(Source->Control & ~SE_SELF_RELATIVE);
    if (Parts.Dacl != NULL)
    {
        memmove(Dacl, Parts.Dacl, Parts.Dacl->AclSize);
        Copy->Dacl = Dacl;
    }

    if (Parts.Sacl != NULL)
    {
        memmove(Sacl, Parts.Sacl, Parts.Sacl->AclSize);
        Copy->Sacl = Sacl;
    }

    if (Parts.Owner != NULL)
    {
        memmove(Owner, Parts.Owner, RtlLengthSid(Parts.Owner));
        Copy->Owner = Owner;
    }

    if (Parts.Group != NULL)
    {
        memmove(PrimaryGroup, Parts.Group, RtlLengthSid(Parts.Group));
        Copy->Group = PrimaryGroup;
    }

    return STATUS_SUCCESS;
}
