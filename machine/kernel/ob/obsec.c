/* SPDX-License-Identifier: MIT */
/*
 * Security of objects: the descriptor in the header, checks when a handle is opened, the services that read and
 * write descriptors.
 *
 * A descriptor is shared by its readers and replaced as a whole: who checks access holds a reference on the block he
 * looks at, and no lock.
 */
#include "obp.h"

VOID ObpDereferenceDescriptor(OBP_DESCRIPTOR *Descriptor)
{
    if (InterlockedDecrement(&Descriptor->References) == 0)
    {
        ExFreePoolWithTag(Descriptor, OBP_TAG_SECURITY);
    }
}

static OBP_DESCRIPTOR *ObpReferenceDescriptor(OBP_HEADER *Header)
{
    ObpLockObject(Header);
    OBP_DESCRIPTOR *descriptor = Header->Descriptor;
    if (descriptor != NULL)
    {
        InterlockedIncrement(&descriptor->References);
    }
    ObpUnlockObject(Header);
    return descriptor;
}

/* A shared block holding Descriptor in self-relative form. */
static NTSTATUS ObpMakeDescriptor(PSECURITY_DESCRIPTOR Descriptor, OBP_DESCRIPTOR **Block)
{
    ULONG length = RtlLengthSecurityDescriptor(Descriptor);
    ULONG actual = length;
    NTSTATUS status = STATUS_SUCCESS;
    OBP_DESCRIPTOR *block = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*block) + length, OBP_TAG_SECURITY);
    *Block = NULL;
    if (block == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    block->References = 1;
    block->Length = length;
    if ((((PISECURITY_DESCRIPTOR)Descriptor)->Control & SE_SELF_RELATIVE) != 0)
    {
        RtlCopyMemory(block->Bytes, Descriptor, length);
    }
    else
    {
        status = RtlAbsoluteToSelfRelativeSD(Descriptor, block->Bytes, &actual);
    }
    if (!NT_SUCCESS(status))
    {
        ExFreePoolWithTag(block, OBP_TAG_SECURITY);
        return status;
    }
    *Block = block;
    return STATUS_SUCCESS;
}

static VOID ObpSwapDescriptor(OBP_HEADER *Header, OBP_DESCRIPTOR *Block)
{
    ObpLockObject(Header);
    OBP_DESCRIPTOR *old = Header->Descriptor;
    Header->Descriptor = Block;
    ObpUnlockObject(Header);
    if (old != NULL)
    {
        ObpDereferenceDescriptor(old);
    }
}

NTSTATUS ObpSetDescriptor(OBP_HEADER *Header, PSECURITY_DESCRIPTOR Descriptor)
{
    OBP_DESCRIPTOR *block;
    NTSTATUS status = ObpMakeDescriptor(Descriptor, &block);
    if (NT_SUCCESS(status))
    {
        ObpSwapDescriptor(Header, block);
    }
    return status;
}

/* Security of a new object: what its creator asked for, what its directory passes on, his token's defaults. */
NTSTATUS ObpAssignSecurity(OBP_HEADER *Header, PACCESS_STATE AccessState, OBP_DIRECTORY *Parent)
{
    POBJECT_TYPE type = Header->Type;
    OBP_DESCRIPTOR *parent = Parent == NULL ? NULL : ObpReferenceDescriptor(ObpHeader(Parent));
    PSECURITY_DESCRIPTOR made = NULL;
    NTSTATUS status = SeAssignSecurity(parent == NULL ? NULL : parent->Bytes, AccessState->SecurityDescriptor, &made,
                                       type == ObpDirectoryObjectType, &AccessState->SubjectSecurityContext,
                                       &type->Info.Mapping, PagedPool);
    if (parent != NULL)
    {
        ObpDereferenceDescriptor(parent);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (type->Info.Methods.Security != NULL)
    {
        SECURITY_INFORMATION all = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |
                                   SACL_SECURITY_INFORMATION;
        status = type->Info.Methods.Security(Header->Body, AssignSecurityDescriptor, &all, made, NULL, NULL);
    }
    else
    {
        status = ObpSetDescriptor(Header, made);
    }
    SeDeassignSecurity(&made);
    return status;
}

NTSTATUS ObSetObjectDescriptor(_In_ PVOID Object, _In_ PSECURITY_DESCRIPTOR Descriptor)
{
    return ObpSetDescriptor(ObpHeader(Object), Descriptor);
}

NTSTATUS ObAssignTokenSecurity(_In_ PVOID Object, _In_ PACCESS_TOKEN Token)
{
    ACCESS_STATE state;
    RtlZeroMemory(&state, sizeof(state));
    state.SubjectSecurityContext.PrimaryToken = Token;
    return ObpAssignSecurity(ObpHeader(Object), &state, NULL);
}

/**
 * The security descriptor of an object, self-relative.
 *
 * @param SecurityDescriptor  out: NULL if the object has none
 * @param MemoryAllocated     out: pass both to ObReleaseObjectSecurity
 * @return STATUS_INSUFFICIENT_RESOURCES, those of the type's method. <= APC_LEVEL.
 */
NTSTATUS NTAPI ObGetObjectSecurity(_In_ PVOID Object, _Out_ PSECURITY_DESCRIPTOR *SecurityDescriptor,
                                   _Out_ PBOOLEAN MemoryAllocated)
{
    OBP_HEADER *header = ObpHeader(Object);
    SECURITY_INFORMATION all = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |
                               SACL_SECURITY_INFORMATION;
    ULONG length = 0;
    NTSTATUS status;

    *SecurityDescriptor = NULL;
    *MemoryAllocated = FALSE;
    if (header->Type->Info.Methods.Security == NULL)
    {
        OBP_DESCRIPTOR *block = ObpReferenceDescriptor(header);
        *SecurityDescriptor = block == NULL ? NULL : block->Bytes;
        return STATUS_SUCCESS;
    }
    status = header->Type->Info.Methods.Security(Object, QuerySecurityDescriptor, &all, NULL, &length, NULL);
    while (status == STATUS_BUFFER_TOO_SMALL)
    {
        PSECURITY_DESCRIPTOR copy = ExAllocatePoolWithTag(PagedPool, length, OBP_TAG_SECURITY);
        if (copy == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        status = header->Type->Info.Methods.Security(Object, QuerySecurityDescriptor, &all, copy, &length, NULL);
        if (NT_SUCCESS(status))
        {
            *SecurityDescriptor = copy;
            *MemoryAllocated = TRUE;
            return STATUS_SUCCESS;
        }
        ExFreePoolWithTag(copy, OBP_TAG_SECURITY);
    }
    return status;
}

/** Gives back what ObGetObjectSecurity returned. <= APC_LEVEL. */
VOID NTAPI ObReleaseObjectSecurity(_In_ PSECURITY_DESCRIPTOR SecurityDescriptor, _In_ BOOLEAN MemoryAllocated)
{
    if (SecurityDescriptor == NULL)
    {
        return;
    }
    if (MemoryAllocated)
    {
        ExFreePoolWithTag(SecurityDescriptor, OBP_TAG_SECURITY);
    }
    else
    {
        ObpDereferenceDescriptor(CONTAINING_RECORD(SecurityDescriptor, OBP_DESCRIPTOR, Bytes));
    }
}

/*
 * Moves the access the state still asks for to what it has been granted, if the object's security allows. FALSE with
 * the reason otherwise.
 */
BOOLEAN ObpCheckAccess(PVOID Object, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode, NTSTATUS *Status)
{
    POBJECT_TYPE type = ObGetType(Object);
    PSECURITY_DESCRIPTOR descriptor = NULL;
    PPRIVILEGE_SET privileges = NULL;
    ACCESS_MASK granted = 0;
    BOOLEAN allocated = FALSE, allowed;

    *Status = STATUS_SUCCESS;
    if (AccessState->RemainingDesiredAccess == 0)
    {
        return TRUE;
    }
    if (Mode != KernelMode)
    {
        *Status = ObGetObjectSecurity(Object, &descriptor, &allocated);
        if (!NT_SUCCESS(*Status))
        {
            return FALSE;
        }
    }
    if (descriptor == NULL && Mode != KernelMode)
    {
        /* An object without security is open to all. */
        granted = AccessState->RemainingDesiredAccess & ~MAXIMUM_ALLOWED;
        if ((AccessState->RemainingDesiredAccess & MAXIMUM_ALLOWED) != 0)
        {
            granted |= type->Info.Mapping.GenericAll;
        }
        RtlMapGenericMask(&granted, &type->Info.Mapping);
        allowed = TRUE;
    }
    else
    {
        allowed = SeAccessCheck(descriptor, &AccessState->SubjectSecurityContext, FALSE,
                                AccessState->RemainingDesiredAccess, AccessState->PreviouslyGrantedAccess, &privileges,
                                &type->Info.Mapping, Mode, &granted, Status);
        if (privileges != NULL)
        {
            SeAppendPrivileges(AccessState, privileges);
            SeFreePrivileges(privileges);
        }
    }
    if (allowed)
    {
        AccessState->RemainingDesiredAccess &= ~(granted | MAXIMUM_ALLOWED);
        AccessState->PreviouslyGrantedAccess |= granted;
    }
    ObReleaseObjectSecurity(descriptor, allocated);
    return allowed;
}

/* May the subject use this directory so? Traversal is free for those who hold SeChangeNotifyPrivilege. */
BOOLEAN ObpCheckDirectoryAccess(OBP_DIRECTORY *Directory, ACCESS_MASK Access, PACCESS_STATE AccessState,
                                KPROCESSOR_MODE Mode, NTSTATUS *Status)
{
    OBP_DESCRIPTOR *block;
    ACCESS_MASK granted;
    BOOLEAN allowed;
    *Status = STATUS_SUCCESS;
    if (Mode == KernelMode ||
        (Access == DIRECTORY_TRAVERSE && (AccessState->Flags & TOKEN_HAS_TRAVERSE_PRIVILEGE) != 0))
    {
        return TRUE;
    }
    block = ObpReferenceDescriptor(ObpHeader(Directory));
    if (block == NULL)
    {
        return TRUE;
    }
    allowed = SeAccessCheck(block->Bytes, &AccessState->SubjectSecurityContext, FALSE, Access, 0, NULL,
                            &ObpDirectoryObjectType->Info.Mapping, Mode, &granted, Status);
    ObpDereferenceDescriptor(block);
    return allowed;
}

/* ---- services ---- */

static NTSTATUS ObpChangeDescriptor(PVOID Object, PSECURITY_INFORMATION Information, PSECURITY_DESCRIPTOR Descriptor)
{
    OBP_HEADER *header = ObpHeader(Object);
    POBJECT_TYPE type = header->Type;
    if (type->Info.Methods.Security != NULL)
    {
        return type->Info.Methods.Security(Object, SetSecurityDescriptor, Information, Descriptor, NULL, NULL);
    }
    for (;;)
    {
        /* Make the new one from a snapshot; if the object's changed meanwhile, make it again. */
        OBP_DESCRIPTOR *old = ObpReferenceDescriptor(header), *block = NULL;
        PSECURITY_DESCRIPTOR changed = old == NULL ? NULL : old->Bytes;
        BOOLEAN done = FALSE;
        if (old == NULL)
        {
            return STATUS_NO_SECURITY_ON_OBJECT;
        }
        NTSTATUS status =
            SeSetSecurityDescriptorInfo(Object, Information, Descriptor, &changed, PagedPool, &type->Info.Mapping);
        if (NT_SUCCESS(status))
        {
            status = ObpMakeDescriptor(changed, &block);
            if (changed != (PSECURITY_DESCRIPTOR)old->Bytes)
            {
                ExFreePool(changed);
            }
        }
        if (NT_SUCCESS(status))
        {
            ObpLockObject(header);
            done = header->Descriptor == old;
            if (done)
            {
                header->Descriptor = block;
            }
            ObpUnlockObject(header);
            if (done)
            {
                ObpDereferenceDescriptor(old); /* the header's */
            }
            else
            {
                ObpDereferenceDescriptor(block);
            }
        }
        ObpDereferenceDescriptor(old);
        if (done || !NT_SUCCESS(status))
        {
            return status;
        }
    }
}

static ACCESS_MASK ObpSetSecurityAccess(SECURITY_INFORMATION Information)
{
    ACCESS_MASK access = 0;
    if ((Information & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION)) != 0)
    {
        access |= WRITE_OWNER;
    }
    if ((Information & DACL_SECURITY_INFORMATION) != 0)
    {
        access |= WRITE_DAC;
    }
    if ((Information & SACL_SECURITY_INFORMATION) != 0)
    {
        access |= ACCESS_SYSTEM_SECURITY;
    }
    return access;
}

/**
 * Sets owner, group, DACL or SACL of an object.
 *
 * @return STATUS_ACCESS_DENIED (the handle lacks WRITE_DAC, WRITE_OWNER or ACCESS_SYSTEM_SECURITY),
 *         STATUS_INVALID_OWNER, STATUS_INVALID_SECURITY_DESCR, STATUS_NO_SECURITY_ON_OBJECT. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtSetSecurityObject(_In_ HANDLE Handle, _In_ SECURITY_INFORMATION SecurityInformation,
                                   _In_ PSECURITY_DESCRIPTOR SecurityDescriptor)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PSECURITY_DESCRIPTOR captured = NULL;
    PVOID object = NULL;
    PISECURITY_DESCRIPTOR fixed;
    NTSTATUS status;
    if (SecurityDescriptor == NULL)
    {
        return STATUS_ACCESS_VIOLATION;
    }
    status = ObReferenceObjectByHandle(Handle, ObpSetSecurityAccess(SecurityInformation), NULL, mode, &object, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = SeCaptureSecurityDescriptor(SecurityDescriptor, mode, PagedPool, TRUE, &captured);
    if (NT_SUCCESS(status))
    {
        SECURITY_DESCRIPTOR_RELATIVE *relative = captured;
        fixed = captured;
        /* An owner or group that is to be set must be there. */
        if (((SecurityInformation & OWNER_SECURITY_INFORMATION) != 0 && relative->Owner == 0) ||
            ((SecurityInformation & GROUP_SECURITY_INFORMATION) != 0 && relative->Group == 0) ||
            (fixed->Control & SE_SELF_RELATIVE) == 0)
        {
            status = STATUS_INVALID_SECURITY_DESCR;
        }
    }
    if (NT_SUCCESS(status))
    {
        status = ObpChangeDescriptor(object, &SecurityInformation, captured);
    }
    if (captured != NULL)
    {
        ExFreePool(captured);
    }
    ObDereferenceObject(object);
    return status;
}

/**
 * Reads owner, group, DACL or SACL of an object as a self-relative descriptor.
 *
 * @param LengthNeeded  out: bytes of the result
 * @return STATUS_BUFFER_TOO_SMALL, STATUS_ACCESS_DENIED (READ_CONTROL, ACCESS_SYSTEM_SECURITY). PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtQuerySecurityObject(_In_ HANDLE Handle, _In_ SECURITY_INFORMATION SecurityInformation,
                                     _Out_opt_ PSECURITY_DESCRIPTOR SecurityDescriptor, _In_ ULONG Length,
                                     _Out_ PULONG LengthNeeded)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PVOID object = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL, copy = NULL;
    BOOLEAN allocated = FALSE;
    ULONG needed = Length;
    ACCESS_MASK access = 0;
    NTSTATUS status;
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(LengthNeeded, sizeof(*LengthNeeded), sizeof(ULONG));
            ProbeForWrite(SecurityDescriptor, Length, sizeof(ULONG));
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    if ((SecurityInformation & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |
                                LABEL_SECURITY_INFORMATION)) != 0)
    {
        access |= READ_CONTROL;
    }
    if ((SecurityInformation & SACL_SECURITY_INFORMATION) != 0)
    {
        access |= ACCESS_SYSTEM_SECURITY;
    }
    status = ObReferenceObjectByHandle(Handle, access, NULL, mode, &object, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObGetObjectSecurity(object, &descriptor, &allocated);
    if (NT_SUCCESS(status))
    {
        /* The caller's buffer is written from a kernel copy, once. */
        needed = 0;
        status = SeQuerySecurityDescriptorInfo(&SecurityInformation, NULL, &needed, &descriptor);
        if (status == STATUS_BUFFER_TOO_SMALL && needed <= Length)
        {
            copy = ExAllocatePoolWithTag(PagedPool, needed, OBP_TAG_SECURITY);
            status = copy == NULL ? STATUS_INSUFFICIENT_RESOURCES
                                  : SeQuerySecurityDescriptorInfo(&SecurityInformation, copy, &needed, &descriptor);
        }
    }
    __try
    {
        if (NT_SUCCESS(status) && copy != NULL)
        {
            RtlCopyMemory(SecurityDescriptor, copy, needed);
        }
        *LengthNeeded = needed;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    if (copy != NULL)
    {
        ExFreePoolWithTag(copy, OBP_TAG_SECURITY);
    }
    ObReleaseObjectSecurity(descriptor, allocated);
    ObDereferenceObject(object);
    return status;
}
