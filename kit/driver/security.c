/* SPDX-License-Identifier: MIT */
/*
 * Who may open the devices: D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FRFW;;;IU), owner and group Administrators.
 *
 * IoCreateDeviceSecure isn't an export of the kernel but a static library of the WDK, so it can't be had for a build
 * without the WDK. This file does what it does: opens the new device object and sets the descriptor on it, so that the
 * I/O manager checks every open before the driver is called, and audit tools see the truth. The routine for that is
 * looked up, because compatible kernels may lack it; and because they may, the same descriptor is asked once more in
 * IRP_MJ_CREATE. Both must agree; on a system where neither is possible nothing is opened.
 */
#include "shell.h"

#pragma pack(push, 1)
typedef struct _SHELL_SID1
{
    UCHAR Revision, Count, Authority[6];
    ULONG SubAuthority;
} SHELL_SID1;

typedef struct _SHELL_SID2
{
    UCHAR Revision, Count, Authority[6];
    ULONG SubAuthority[2];
} SHELL_SID2;

typedef struct _SHELL_ACE1
{
    ACE_HEADER Header;
    ACCESS_MASK Mask;
    SHELL_SID1 Sid;
} SHELL_ACE1;

typedef struct _SHELL_ACE2
{
    ACE_HEADER Header;
    ACCESS_MASK Mask;
    SHELL_SID2 Sid;
} SHELL_ACE2;

/* A self-relative descriptor, laid out by hand. */
typedef struct _SHELL_DESCRIPTOR
{
    UCHAR Revision, Sbz1;
    USHORT Control;
    ULONG Owner, Group, Sacl, Dacl; /* offsets */
    SHELL_SID2 Administrators;
    ACL Acl;
    SHELL_ACE1 System;
    SHELL_ACE2 Admins;
    SHELL_ACE1 Interactive; /* last, so that it can be left out */
} SHELL_DESCRIPTOR;
#pragma pack(pop)

C_ASSERT(sizeof(SHELL_SID1) == 12 && sizeof(SHELL_SID2) == 16);
C_ASSERT(sizeof(SHELL_ACE1) == 20 && sizeof(SHELL_ACE2) == 24);
C_ASSERT(FIELD_OFFSET(SHELL_DESCRIPTOR, Administrators) == 20 && FIELD_OFFSET(SHELL_DESCRIPTOR, Acl) == 36);
C_ASSERT(sizeof(SHELL_DESCRIPTOR) == 36 + 8 + 20 + 24 + 20);

#define SHELL_NT_AUTHORITY {0, 0, 0, 0, 0, 5}

static SHELL_DESCRIPTOR ShellDescriptor = {
    .Revision = SECURITY_DESCRIPTOR_REVISION,
    .Control = SE_SELF_RELATIVE | SE_DACL_PRESENT | SE_DACL_PROTECTED,
    .Owner = FIELD_OFFSET(SHELL_DESCRIPTOR, Administrators),
    .Group = FIELD_OFFSET(SHELL_DESCRIPTOR, Administrators),
    .Dacl = FIELD_OFFSET(SHELL_DESCRIPTOR, Acl),
    .Administrators = {SID_REVISION, 2, SHELL_NT_AUTHORITY, {32, 544}},
    .Acl = {ACL_REVISION, 0, sizeof(ACL) + 20 + 24 + 20, 3, 0},
    .System = {{ACCESS_ALLOWED_ACE_TYPE, 0, 20}, FILE_ALL_ACCESS, {SID_REVISION, 1, SHELL_NT_AUTHORITY, 18}},
    .Admins = {{ACCESS_ALLOWED_ACE_TYPE, 0, 24}, FILE_ALL_ACCESS, {SID_REVISION, 2, SHELL_NT_AUTHORITY, {32, 544}}},
    .Interactive = {{ACCESS_ALLOWED_ACE_TYPE, 0, 20},
                    FILE_GENERIC_READ | FILE_GENERIC_WRITE,
                    {SID_REVISION, 1, SHELL_NT_AUTHORITY, 4}},
};

static GENERIC_MAPPING ShellMapping = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS};

typedef NTSTATUS(NTAPI *SHELL_SET_SECURITY)(HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR);

/* AllowUsers FALSE (Parameters\AllowUsers = 0) leaves the devices to the system and administrators. DriverEntry. */
VOID ShellSecurityInitialize(_In_ BOOLEAN AllowUsers)
{
    ShellDescriptor.Acl.AceCount = AllowUsers ? 3 : 2;
    ShellDescriptor.Acl.AclSize = (USHORT)(sizeof(ACL) + 20 + 24 + (AllowUsers ? 20 : 0));
}

/* Sets the DACL on a device object. PASSIVE_LEVEL. */
NTSTATUS ShellSecurityApply(_In_ PDEVICE_OBJECT Device)
{
    UNICODE_STRING name;
    HANDLE handle;
    RtlInitUnicodeString(&name, L"ZwSetSecurityObject");
    SHELL_SET_SECURITY set = (SHELL_SET_SECURITY)MmGetSystemRoutineAddress(&name);
    if (set == NULL)
    {
        return STATUS_NOT_SUPPORTED;
    }
    NTSTATUS status = ObOpenObjectByPointer(Device, OBJ_KERNEL_HANDLE, NULL, WRITE_DAC, NULL, KernelMode, &handle);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = set(handle, DACL_SECURITY_INFORMATION, &ShellDescriptor);
    ZwClose(handle);
    return status;
}

/* Asks the descriptor for the opener of IRP_MJ_CREATE. PASSIVE_LEVEL. */
NTSTATUS ShellSecurityCheckOpen(_In_ PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    PIO_SECURITY_CONTEXT context = stack->Parameters.Create.SecurityContext;
    KPROCESSOR_MODE mode = stack->Flags & SL_FORCE_ACCESS_CHECK ? UserMode : Irp->RequestorMode;
    NTSTATUS status = STATUS_ACCESS_DENIED;
    ACCESS_MASK granted = 0;

    if (mode == KernelMode)
    {
        return STATUS_SUCCESS;
    }
    if (!IsthmusSystemHasTokens())
    {
        return ShellOptions.DaclApplied ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
    }
    if (SeAccessCheck(&ShellDescriptor, &context->AccessState->SubjectSecurityContext, FALSE, context->DesiredAccess, 0,
                      NULL, &ShellMapping, mode, &granted, &status))
    {
        return STATUS_SUCCESS;
    }
    return NT_SUCCESS(status) ? STATUS_ACCESS_DENIED : status;
}
