/* SPDX-License-Identifier: MIT */
/*
 * leftlock.sys: a driver with one mistake. It locks pages of its caller and never unlocks them: not when the handle is
 * closed, not when the process ends, not when the driver is unloaded. Everything else is as it should be, so that the
 * system has nothing but the mistake to complain about.
 */
#include <ntifs.h>
#include "leftlock.h"

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD LeftlockUnload;
DRIVER_DISPATCH LeftlockOpenClose, LeftlockControl;

#define LEFTLOCK_DEVICE L"\\Device\\Leftlock"
#define LEFTLOCK_LINK   L"\\DosDevices\\Leftlock"

DECLSPEC_NOINLINE static NTSTATUS LeftlockProbe(PMDL Mdl)
{
    __try
    {
        MmProbeAndLockPages(Mdl, UserMode, IoModifyAccess);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/* Locks the caller's buffer; the MDL is forgotten here, which is the mistake. */
static NTSTATUS LeftlockForget(const LEFTLOCK_BUFFER *Buffer)
{
    PMDL mdl = IoAllocateMdl((PVOID)(ULONG_PTR)Buffer->Address, (ULONG)Buffer->Length, FALSE, FALSE, NULL);
    if (mdl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS status = LeftlockProbe(mdl);
    if (!NT_SUCCESS(status))
    {
        IoFreeMdl(mdl);
    }
    return status;
}

/* One of the locks that are given back; in a routine of its own, so that the two are told apart by who called. */
DECLSPEC_NOINLINE static PMDL LeftlockPass(const LEFTLOCK_BUFFER *Buffer)
{
    PMDL mdl = IoAllocateMdl((PVOID)(ULONG_PTR)Buffer->Address, (ULONG)Buffer->Length, FALSE, FALSE, NULL);
    if (mdl == NULL)
    {
        return NULL;
    }
    __try
    {
        MmProbeAndLockPages(mdl, UserMode, IoReadAccess);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        IoFreeMdl(mdl);
        return NULL;
    }
    return mdl;
}

/* The lock that stays, in the midst of others that do not. */
static NTSTATUS LeftlockLock(const LEFTLOCK_BUFFER *Buffer)
{
    PMDL mdls[2 * LEFTLOCK_CROWD];
    ULONG crowd = (ULONG)Buffer->Crowd;
    NTSTATUS status = STATUS_SUCCESS;

    if (Buffer->Length == 0 || Buffer->Length > 0x100000 || Buffer->Crowd > LEFTLOCK_CROWD)
    {
        return STATUS_INVALID_PARAMETER;
    }
    for (ULONG i = 0; i < 2 * crowd + 1; i++)
    {
        if (i == crowd)
        {
            status = LeftlockForget(Buffer);
            continue;
        }
        mdls[i < crowd ? i : i - 1] = LeftlockPass(Buffer);
    }
    for (ULONG i = 0; i < 2 * crowd; i++)
    {
        if (mdls[i] == NULL)
        {
            status = STATUS_INSUFFICIENT_RESOURCES;
            continue;
        }
        MmUnlockPages(mdls[i]);
        IoFreeMdl(mdls[i]);
    }
    return status;
}

static NTSTATUS LeftlockComplete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

NTSTATUS NTAPI LeftlockOpenClose(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    return LeftlockComplete(Irp, STATUS_SUCCESS);
}

NTSTATUS NTAPI LeftlockControl(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    UNREFERENCED_PARAMETER(Device);
    if (stack->Parameters.DeviceIoControl.IoControlCode != IOCTL_LEFTLOCK_LOCK)
    {
        return LeftlockComplete(Irp, STATUS_INVALID_DEVICE_REQUEST);
    }
    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(LEFTLOCK_BUFFER))
    {
        return LeftlockComplete(Irp, STATUS_INFO_LENGTH_MISMATCH);
    }
    return LeftlockComplete(Irp, LeftlockLock(Irp->AssociatedIrp.SystemBuffer));
}

VOID NTAPI LeftlockUnload(_In_ PDRIVER_OBJECT Driver)
{
    UNICODE_STRING link;
    RtlInitUnicodeString(&link, LEFTLOCK_LINK);
    IoDeleteSymbolicLink(&link);
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(_In_ PDRIVER_OBJECT Driver, _In_ PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name, link;
    PDEVICE_OBJECT device;
    UNREFERENCED_PARAMETER(RegistryPath);

    RtlInitUnicodeString(&name, LEFTLOCK_DEVICE);
    RtlInitUnicodeString(&link, LEFTLOCK_LINK);
    NTSTATUS status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &device);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IoCreateSymbolicLink(&link, &name);
    if (!NT_SUCCESS(status))
    {
        IoDeleteDevice(device);
        return status;
    }
    Driver->MajorFunction[IRP_MJ_CREATE] = LeftlockOpenClose;
    Driver->MajorFunction[IRP_MJ_CLOSE] = LeftlockOpenClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = LeftlockControl;
    Driver->DriverUnload = LeftlockUnload;
    return STATUS_SUCCESS;
}
