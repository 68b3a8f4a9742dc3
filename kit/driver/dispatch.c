/* SPDX-License-Identifier: MIT */
/*
 * The major functions: open, clean up, close, read and write, control.
 *
 * Every request is carried out and completed in the caller's thread, inside a critical region: a thread that a program
 * suspends while it uses a region would otherwise hold up the region's teardown for as long as the program likes.
 */
#include "shell.h"

NTSTATUS ShellComplete(_In_ PIRP Irp, _In_ NTSTATUS Status, _In_ ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS ShellOpenFile(PIRP Irp)
{
    PFILE_OBJECT object = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    if (object == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    /* There is nothing below the device: \Device\Isthmus\x is refused. */
    if (object->FileName.Length != 0)
    {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    NTSTATUS status = ShellSecurityCheckOpen(Irp);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    PSHELL_FILE file = ExAllocatePoolWithTag(IsthmusNonPagedPoolType(), sizeof(*file), SHELL_TAG);
    if (file == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(file, sizeof(*file));
    ShellPumpInitialize(file);
    status = IsthmusSessionCreate(&file->Session);
    if (!NT_SUCCESS(status))
    {
        ExFreePoolWithTag(file, SHELL_TAG);
        return status;
    }
    object->FsContext = file;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ShellCreate(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    KeEnterCriticalRegion();
    NTSTATUS status = ShellOpenFile(Irp);
    KeLeaveCriticalRegion();
    return ShellComplete(Irp, status, 0);
}

/* The last handle is closed, in whichever process; requests of other threads may still be under way. */
NTSTATUS NTAPI ShellCleanup(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    PSHELL_FILE file = IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext;
    KeEnterCriticalRegion();
    IsthmusSessionCleanup(file->Session);
    KeLeaveCriticalRegion();
    return ShellComplete(Irp, STATUS_SUCCESS, 0);
}

/* No request is left and none will come. */
NTSTATUS NTAPI ShellClose(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    PFILE_OBJECT object = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    PSHELL_FILE file = object->FsContext;
    object->FsContext = NULL;
    KeEnterCriticalRegion();
    ShellPumpRundown(file);
    IsthmusSessionClose(file->Session);
    KeLeaveCriticalRegion();
    ExFreePoolWithTag(file, SHELL_TAG);
    return ShellComplete(Irp, STATUS_SUCCESS, 0);
}

NTSTATUS NTAPI ShellReadWrite(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    ULONG_PTR information = 0;
    KeEnterCriticalRegion();
    NTSTATUS status = ShellTransferFile(IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext, Irp, &information);
    KeLeaveCriticalRegion();
    return ShellComplete(Irp, status, NT_SUCCESS(status) ? information : 0);
}

NTSTATUS NTAPI ShellControl(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG code = stack->Parameters.DeviceIoControl.IoControlCode;
    PSHELL_FILE file = stack->FileObject->FsContext;
    ULONG_PTR information = 0;
    NTSTATUS status;

    KeEnterCriticalRegion();
    switch (code)
    {
    case IOCTL_ISTHMUS_TRANSFER_BUFFERED:
    case IOCTL_ISTHMUS_TRANSFER_IN_DIRECT:
    case IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT:
    case IOCTL_ISTHMUS_TRANSFER_NEITHER:
        status = ShellTransferControl(file, Irp, &information);
        break;
    default:
        status = ShellBufferedControl(file, Irp, code, &information);
        break;
    }
    KeLeaveCriticalRegion();
    return ShellComplete(Irp, status, NT_SUCCESS(status) ? information : 0);
}
