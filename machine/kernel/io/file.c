/* SPDX-License-Identifier: MIT */
/*
 * File objects as OB sees them: handles come and go, the object dies.
 *
 *     last handle closed   -> IRP_MJ_CLEANUP  (requests may still be under way)
 *     last reference gone  -> IRP_MJ_CLOSE, then the device may go
 *
 * A file whose handle could never be made (FO_HANDLE_CREATED not set) gets its cleanup just before its close.
 */
#include "iop.h"

/* Sends a request without buffers that cannot fail for want of memory, and waits. */
static NTSTATUS IopSendCloseRequest(PFILE_OBJECT File, UCHAR Major, UCHAR Minor)
{
    PDEVICE_OBJECT Device = IopTopDevice(File);
    PIRP Irp = IopAllocateIrpMustSucceed(Device->StackSize);
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    IO_STATUS_BLOCK Iosb;
    KEVENT Event;
    NTSTATUS Status;

    KeInitializeEvent(&Event, SynchronizationEvent, FALSE);
    Iosb.Status = STATUS_PENDING;
    Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION;
    Irp->UserIosb = &Iosb;
    Irp->UserEvent = &Event;
    Irp->Tail.Overlay.OriginalFileObject = File;
    Irp->Tail.Overlay.Thread = PsGetCurrentThread();
    Stack->MajorFunction = Major;
    Stack->MinorFunction = Minor;
    Stack->FileObject = File;
    Status = IofCallDriver(Device, Irp);
    if (Status == STATUS_PENDING || *(volatile NTSTATUS *)&Iosb.Status == STATUS_PENDING)
    {
        if (Status != STATUS_PENDING)
        {
            IopReportViolation(0x226, Device, Major, Irp, (ULONG_PTR)Device);
        }
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    }
    Status = Iosb.Status;
    IoFreeIrp(Irp);
    return Status;
}

/* The type's open method. The flag is set before anyone can close the handle. */
NTSTATUS IopOpenFileHandle(OB_OPEN_REASON Reason, PEPROCESS Process, PVOID Object, PACCESS_MASK Granted,
                           ULONG HandleCount)
{
    PFILE_OBJECT File = Object;

    if (!(File->Flags & FO_HANDLE_CREATED))
    {
        File->Flags |= FO_HANDLE_CREATED;
    }
    return STATUS_SUCCESS;
}

/* The type's close method; the counts are those before the handle went. */
VOID IopCloseFileHandle(PEPROCESS Process, PVOID Object, ACCESS_MASK Granted, ULONG ProcessHandleCount,
                        ULONG SystemHandleCount)
{
    PFILE_OBJECT File = Object;
    BOOLEAN Locked = FALSE;

    if (File->DeviceObject == NULL)
    {
        return;
    }
    if (ProcessHandleCount == 1 && File->LockOperation)
    {
        IopSendCloseRequest(File, IRP_MJ_LOCK_CONTROL, IRP_MN_UNLOCK_ALL);
    }
    if (SystemHandleCount != 1)
    {
        return;
    }
    if (File->Flags & FO_SYNCHRONOUS_IO)
    {
        Locked = NT_SUCCESS(IopAcquireFileLock(File, KernelMode));
    }
    IopSendCloseRequest(File, IRP_MJ_CLEANUP, 0);
    File->Flags |= FO_CLEANUP_COMPLETE;
    if (Locked)
    {
        IopReleaseFileLock(File);
    }
}

/* The type's delete method. */
VOID IopDeleteFileObject(PVOID Object)
{
    PFILE_OBJECT File = Object;
    PDEVICE_OBJECT Device = File->DeviceObject;

    if (Device != NULL)
    {
        if (!(File->Flags & FO_CLEANUP_COMPLETE) && !(File->Flags & FO_STREAM_FILE))
        {
            IopSendCloseRequest(File, IRP_MJ_CLEANUP, 0);
            File->Flags |= FO_CLEANUP_COMPLETE;
        }
        IopSendCloseRequest(File, IRP_MJ_CLOSE, 0);
    }
    if (File->FileName.Buffer != NULL)
    {
        ExFreePool(File->FileName.Buffer);
        File->FileName.Buffer = NULL;
    }
    IopFreeCompletionContext(File);
    if (Device != NULL)
    {
        File->DeviceObject = NULL;
        IopDereferenceDevice(Device);
    }
}

/* Appends to a name in the caller's buffer as far as it fits; *Needed counts all. */
static VOID IopAppendName(PUNICODE_STRING Name, const WCHAR *Text, ULONG Bytes, PULONG Needed)
{
    *Needed += Bytes;
    if (Name->Length + Bytes <= Name->MaximumLength)
    {
        RtlCopyMemory((PUCHAR)Name->Buffer + Name->Length, Text, Bytes);
        Name->Length += (USHORT)Bytes;
    }
}

/* The type's name method: the device's name followed by what the file system calls the file. */
NTSTATUS IopQueryFileName(PVOID Object, PUNICODE_STRING Name, PULONG Needed)
{
    const ULONG Size = 0x8000;
    PFILE_OBJECT File = Object;
    POBJECT_NAME_INFORMATION DeviceName;
    PFILE_NAME_INFORMATION FileName;
    ULONG Returned;
    NTSTATUS Status;

    *Needed = 0;
    Name->Length = 0;
    if (File->DeviceObject == NULL)
    {
        return STATUS_OBJECT_PATH_INVALID;
    }
    DeviceName = ExAllocatePoolWithTag(NonPagedPoolNx, Size, IOP_TAG_NAME);
    if (DeviceName == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Status = ObQueryNameString(File->DeviceObject, DeviceName, Size, &Returned);
    if (NT_SUCCESS(Status))
    {
        IopAppendName(Name, DeviceName->Name.Buffer, DeviceName->Name.Length, Needed);
        FileName = (PFILE_NAME_INFORMATION)DeviceName;
        if (NT_SUCCESS(IopQuerySetFile(File, IRP_MJ_QUERY_INFORMATION, FileNameInformation, FileName, Size, NULL)) &&
            FileName->FileNameLength <= Size - offsetof(FILE_NAME_INFORMATION, FileName))
        {
            IopAppendName(Name, FileName->FileName, FileName->FileNameLength, Needed);
        }
        else
        {
            IopAppendName(Name, File->FileName.Buffer, File->FileName.Length, Needed);
        }
        Status = *Needed > Name->MaximumLength ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
    }
    ExFreePoolWithTag(DeviceName, IOP_TAG_NAME);
    return Status;
}

/* The type's security method: a file has the protection of its device. */
NTSTATUS IopFileSecurity(PVOID Object, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION Information,
                         PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Stored)
{
    PFILE_OBJECT File = Object;
    PSECURITY_DESCRIPTOR Current;
    BOOLEAN Allocated;
    NTSTATUS Status;

    switch (Operation)
    {
    case AssignSecurityDescriptor:
    case DeleteSecurityDescriptor:
        return STATUS_SUCCESS; /* nothing is kept with the file object */
    case QuerySecurityDescriptor:
        if (File->DeviceObject == NULL)
        {
            return STATUS_INVALID_DEVICE_REQUEST;
        }
        Status = ObGetObjectSecurity(File->DeviceObject, &Current, &Allocated);
        if (NT_SUCCESS(Status))
        {
            Status = SeQuerySecurityDescriptorInfo(Information, Descriptor, Length, &Current);
            ObReleaseObjectSecurity(Current, Allocated);
        }
        return Status;
    default:
        return STATUS_NOT_SUPPORTED; /* a device's protection is set through a handle on the device object */
    }
}

/**
 * A file object that names no file yet, on a device, for file systems' internal streams.
 * @return NULL if memory is short; dereference when done. IRQL PASSIVE_LEVEL.
 */
PFILE_OBJECT NTAPI IoCreateStreamFileObjectLite(_In_opt_ PFILE_OBJECT FileObject, _In_opt_ PDEVICE_OBJECT DeviceObject)
{
    OBJECT_ATTRIBUTES Attributes;
    PFILE_OBJECT File;

    if (FileObject != NULL)
    {
        DeviceObject = FileObject->DeviceObject;
    }
    InitializeObjectAttributes(&Attributes, NULL, 0, NULL, NULL);
    if (!NT_SUCCESS(ObCreateObject(KernelMode, IoFileObjectType, &Attributes, KernelMode, NULL, sizeof(FILE_OBJECT), 0,
                                   0, (PVOID *)&File)))
    {
        return NULL;
    }
    File->Type = IO_TYPE_FILE;
    File->Size = sizeof(FILE_OBJECT);
    File->Flags = FO_STREAM_FILE;
    KeInitializeEvent(&File->Event, SynchronizationEvent, FALSE);
    KeInitializeEvent(&File->Lock, SynchronizationEvent, FALSE);
    InitializeListHead(&File->IrpList);
    if (!NT_SUCCESS(IopReferenceDevice(DeviceObject, FALSE)))
    {
        ObDereferenceObject(File);
        return NULL;
    }
    File->DeviceObject = DeviceObject;
    return File;
}

/** The generic mapping of files. IRQL any. */
PGENERIC_MAPPING NTAPI IoGetFileObjectGenericMapping(VOID)
{
    return &IopFileMapping;
}
