/* SPDX-License-Identifier: MIT */
/*
 * Stacks of devices, and the ways to get from a name or a file to a device. The links lie under IopDatabaseLock.
 */
#include "iop.h"

static PDEVICE_OBJECT IopTopOfStack(PDEVICE_OBJECT Device)
{
    while (Device->AttachedDevice != NULL)
    {
        Device = Device->AttachedDevice;
    }
    return Device;
}

/** The top of the stack that a device is in; no reference is taken. IRQL <= DISPATCH_LEVEL. */
PDEVICE_OBJECT NTAPI IoGetAttachedDevice(_In_ PDEVICE_OBJECT DeviceObject)
{
    return IopTopOfStack(DeviceObject);
}

/** The top of the stack that a device is in, referenced. IRQL <= DISPATCH_LEVEL. */
PDEVICE_OBJECT NTAPI IoGetAttachedDeviceReference(_In_ PDEVICE_OBJECT DeviceObject)
{
    PDEVICE_OBJECT Device;
    KIRQL Irql;

    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    Device = IopTopOfStack(DeviceObject);
    ObReferenceObject(Device);
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    VfTakeReference(Device, _ReturnAddress());
    return Device;
}

/** The device that a device is attached to, referenced, or NULL at the bottom. IRQL <= DISPATCH_LEVEL. */
PDEVICE_OBJECT NTAPI IoGetLowerDeviceObject(_In_ PDEVICE_OBJECT DeviceObject)
{
    PDEVICE_OBJECT Lower = NULL;
    KIRQL Irql;

    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    if (!(IopDeviceExtension(DeviceObject)->Flags & (DOE_UNLOAD_PENDING | DOE_DELETE_PENDING)))
    {
        Lower = IopDeviceExtension(DeviceObject)->AttachedTo;
        if (Lower != NULL)
        {
            ObReferenceObject(Lower);
        }
    }
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    return Lower;
}

/** The lowest device of the stack that a device is in, referenced. IRQL <= DISPATCH_LEVEL. */
PDEVICE_OBJECT NTAPI IoGetDeviceAttachmentBaseRef(_In_ PDEVICE_OBJECT DeviceObject)
{
    PDEVICE_OBJECT Device = DeviceObject;
    KIRQL Irql;

    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    while (IopDeviceExtension(Device)->AttachedTo != NULL)
    {
        Device = IopDeviceExtension(Device)->AttachedTo;
    }
    ObReferenceObject(Device);
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    return Device;
}

/* Attaches Source on top of Target's stack; *Below gets the device below before anyone can see the new link. */
static PDEVICE_OBJECT IopAttach(PDEVICE_OBJECT Source, PDEVICE_OBJECT Target, PDEVICE_OBJECT *Below)
{
    PDEVICE_OBJECT Top;
    KIRQL Irql;

    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    Top = IopTopOfStack(Target);
    if (IopDeviceExtension(Top)->Flags != 0 || (Top->Flags & DO_DEVICE_INITIALIZING) || Top->StackSize >= 127)
    {
        Top = NULL;
    }
    else
    {
        Source->StackSize = Top->StackSize + 1;
        Source->AlignmentRequirement = Top->AlignmentRequirement;
        Source->SectorSize = Top->SectorSize;
        IopDeviceExtension(Source)->AttachedTo = Top;
        if (Below != NULL)
        {
            *Below = Top;
        }
        InterlockedExchangePointer((PVOID *)&Top->AttachedDevice, Source);
    }
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    return Top;
}

/**
 * Puts SourceDevice on top of the stack that TargetDevice is in.
 * @return The device directly below, or NULL if the target is going away or not yet initialised.
 * IRQL <= DISPATCH_LEVEL.
 */
PDEVICE_OBJECT NTAPI IoAttachDeviceToDeviceStack(_In_ PDEVICE_OBJECT SourceDevice, _In_ PDEVICE_OBJECT TargetDevice)
{
    return IopAttach(SourceDevice, TargetDevice, NULL);
}

/**
 * As IoAttachDeviceToDeviceStack, with *AttachedToDeviceObject set before a request can arrive.
 * IRQL <= DISPATCH_LEVEL.
 */
NTSTATUS NTAPI IoAttachDeviceToDeviceStackSafe(_In_ PDEVICE_OBJECT SourceDevice, _In_ PDEVICE_OBJECT TargetDevice,
                                               _Inout_ PDEVICE_OBJECT *AttachedToDeviceObject)
{
    return IopAttach(SourceDevice, TargetDevice, AttachedToDeviceObject) != NULL ? STATUS_SUCCESS
                                                                                 : STATUS_NO_SUCH_DEVICE;
}

/** Old form of IoAttachDeviceToDeviceStack. IRQL <= DISPATCH_LEVEL. */
NTSTATUS NTAPI IoAttachDeviceByPointer(_In_ PDEVICE_OBJECT SourceDevice, _In_ PDEVICE_OBJECT TargetDevice)
{
    return IopAttach(SourceDevice, TargetDevice, NULL) != NULL ? STATUS_SUCCESS : STATUS_NO_SUCH_DEVICE;
}

/**
 * Opens the device of that name (for its attributes only) and attaches SourceDevice on top of its stack.
 * IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoAttachDevice(_In_ PDEVICE_OBJECT SourceDevice, _In_ PUNICODE_STRING TargetDevice,
                              _Out_ PDEVICE_OBJECT *AttachedDevice)
{
    PFILE_OBJECT File;
    PDEVICE_OBJECT Target;
    NTSTATUS Status = IoGetDeviceObjectPointer(TargetDevice, FILE_READ_ATTRIBUTES, &File, &Target);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = IoAttachDeviceToDeviceStackSafe(SourceDevice, Target, AttachedDevice);
    ObDereferenceObject(File);
    return Status;
}

/** Takes off the device that is attached to TargetDevice. Verifier stop C9, 202 if there is none. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoDetachDevice(_Inout_ PDEVICE_OBJECT TargetDevice)
{
    PDRIVER_OBJECT Driver = TargetDevice->DriverObject;
    PDEVICE_OBJECT Upper;
    ULONG Pending;
    LONG Count;
    KIRQL Irql;

    if (TargetDevice->AttachedDevice == NULL && VfOption(VfIoChecks))
    {
        KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x202, (ULONG_PTR)_ReturnAddress(), 0,
                     (ULONG_PTR)TargetDevice);
    }
    ObReferenceObject(TargetDevice);
    ObReferenceObject(Driver);
    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    Upper = TargetDevice->AttachedDevice;
    if (Upper != NULL)
    {
        IopDeviceExtension(Upper)->AttachedTo = NULL;
        TargetDevice->AttachedDevice = NULL;
    }
    Pending = IopDeviceExtension(TargetDevice)->Flags;
    Count = TargetDevice->ReferenceCount;
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    if (Count == 0 && (Pending & DOE_UNLOAD_PENDING))
    {
        IopContinueUnload(Driver);
    }
    ObDereferenceObject(Driver);
    ObDereferenceObject(TargetDevice);
}

/** The device that requests on a file are sent to. IRQL <= DISPATCH_LEVEL. */
PDEVICE_OBJECT NTAPI IoGetRelatedDeviceObject(_In_ PFILE_OBJECT FileObject)
{
    PDEVICE_OBJECT Device = FileObject->DeviceObject;

    if (!(FileObject->Flags & FO_DIRECT_DEVICE_OPEN) && FileObject->Vpb != NULL &&
        FileObject->Vpb->DeviceObject != NULL)
    {
        Device = FileObject->Vpb->DeviceObject;
    }
    return IopTopOfStack(Device);
}

/** The file system's own device for a file, below any filter. IRQL <= DISPATCH_LEVEL. */
PDEVICE_OBJECT NTAPI IoGetBaseFileSystemDeviceObject(_In_ PFILE_OBJECT FileObject)
{
    if (FileObject->Vpb != NULL && FileObject->Vpb->DeviceObject != NULL)
    {
        return FileObject->Vpb->DeviceObject;
    }
    return FileObject->DeviceObject;
}

/**
 * Opens a device by name and returns the top of its stack.
 * @param FileObject    Out: the file; dereference it when done (that closes the device).
 * @param DeviceObject  Out: the device; valid as long as the file. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoGetDeviceObjectPointer(_In_ PUNICODE_STRING ObjectName, _In_ ACCESS_MASK DesiredAccess,
                                        _Out_ PFILE_OBJECT *FileObject, _Out_ PDEVICE_OBJECT *DeviceObject)
{
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    PVOID File;
    HANDLE Handle;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, ObjectName, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    Status = ZwOpenFile(&Handle, DesiredAccess, &Attributes, &Iosb, 0, FILE_NON_DIRECTORY_FILE);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = ObReferenceObjectByHandle(Handle, 0, IoFileObjectType, KernelMode, &File, NULL);
    if (NT_SUCCESS(Status))
    {
        *FileObject = File;
        VfTakeReference(File, _ReturnAddress());
        *DeviceObject = IoGetRelatedDeviceObject(File);
    }
    ZwClose(Handle);
    return Status;
}

/**
 * Makes a permanent symbolic link, usually from \??\ or \DosDevices\ to a device.
 * IRQL PASSIVE_LEVEL. STATUS_OBJECT_NAME_COLLISION if the name is taken.
 */
NTSTATUS NTAPI IoCreateSymbolicLink(_In_ PUNICODE_STRING SymbolicLinkName, _In_ PUNICODE_STRING DeviceName)
{
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Handle;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, SymbolicLinkName, OBJ_PERMANENT | OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE,
                               NULL, NULL);
    Status = ZwCreateSymbolicLinkObject(&Handle, SYMBOLIC_LINK_ALL_ACCESS, &Attributes, DeviceName);
    if (NT_SUCCESS(Status))
    {
        ZwClose(Handle);
    }
    return Status;
}

/** As IoCreateSymbolicLink; the protection is the same here. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI IoCreateUnprotectedSymbolicLink(_In_ PUNICODE_STRING SymbolicLinkName, _In_ PUNICODE_STRING DeviceName)
{
    return IoCreateSymbolicLink(SymbolicLinkName, DeviceName);
}

/** Removes a symbolic link that IoCreateSymbolicLink made. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI IoDeleteSymbolicLink(_In_ PUNICODE_STRING SymbolicLinkName)
{
    OBJECT_ATTRIBUTES Attributes;
    PVOID Link;
    HANDLE Handle;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, SymbolicLinkName, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = ZwOpenSymbolicLinkObject(&Handle, DELETE, &Attributes);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = ObReferenceObjectByHandle(Handle, DELETE, NULL, KernelMode, &Link, NULL);
    if (NT_SUCCESS(Status))
    {
        ObMakeTemporaryObject(Link);
        ObDereferenceObject(Link);
    }
    ZwClose(Handle);
    return Status;
}
