/* SPDX-License-Identifier: MIT */
/*
 * costs.sys: the driver behind `make bench-machine`. This file: start and end, and the requests that the program
 * measures from outside; memory.c and channel.c measure their own work.
 */
#include "driver.h"

static UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\DosDevices\\Costs");

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
static DRIVER_DISPATCH Create, Cleanup, Close, Control;

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = NT_SUCCESS(Status) ? Information : 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* The first byte of the data is read, as a driver would that has work to do on it. */
static NTSTATUS Direct(PIRP Irp)
{
    const volatile UCHAR *data;

    if (Irp->MdlAddress == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    data = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority | MdlMappingNoExecute);
    if (data == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    (VOID)*data;
    return STATUS_SUCCESS;
}

static NTSTATUS Neither(PIRP Irp)
{
    ISTHMUS_REQUEST request;
    SIZE_T bytes;
    NTSTATUS status = IsthmusRequestCapture(Irp, IoReadAccess, &request);

    if (NT_SUCCESS(status))
    {
        const volatile UCHAR *data = IsthmusRequestSpan(&request, 0, &bytes);
        if (data != NULL)
        {
            (VOID)*data;
        }
        IsthmusRequestRelease(&request);
    }
    return status;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG code = stack->Parameters.DeviceIoControl.IoControlCode;
    ULONG_PTR information = 0;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Device);
    switch (code)
    {
    case COSTS_BUFFERED:
        return Complete(Irp, STATUS_SUCCESS, stack->Parameters.DeviceIoControl.OutputBufferLength);
    case COSTS_IN_DIRECT:
    case COSTS_OUT_DIRECT:
        return Complete(Irp, Direct(Irp), 0);
    case COSTS_NEITHER:
        return Complete(Irp, Neither(Irp), 0);
    case COSTS_LOCK:
    case COSTS_USER_MAP:
    case COSTS_SHARE:
        KeEnterCriticalRegion();
        status = CostsMemory(stack->FileObject->FsContext, Irp, code, &information);
        KeLeaveCriticalRegion();
        break;
    default:
        KeEnterCriticalRegion();
        status = CostsChannel(stack->FileObject->FsContext, Irp, code, &information);
        KeLeaveCriticalRegion();
        break;
    }
    return Complete(Irp, status, information);
}

static NTSTATUS NTAPI Create(PDEVICE_OBJECT Device, PIRP Irp)
{
    PCOSTS_FILE file = ExAllocatePoolWithTag(IsthmusNonPagedPoolType(), sizeof(*file), COSTS_TAG);
    NTSTATUS status;

    UNREFERENCED_PARAMETER(Device);
    if (file == NULL)
    {
        return Complete(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    }
    RtlZeroMemory(file, sizeof(*file));
    KeEnterCriticalRegion();
    status = IsthmusSessionCreate(&file->Session);
    KeLeaveCriticalRegion();
    if (NT_SUCCESS(status))
    {
        IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext = file;
    }
    else
    {
        ExFreePoolWithTag(file, COSTS_TAG);
    }
    return Complete(Irp, status, 0);
}

static NTSTATUS NTAPI Cleanup(PDEVICE_OBJECT Device, PIRP Irp)
{
    PCOSTS_FILE file = IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext;

    UNREFERENCED_PARAMETER(Device);
    KeEnterCriticalRegion();
    CostsChannelClose(file);
    IsthmusSessionCleanup(file->Session);
    KeLeaveCriticalRegion();
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI Close(PDEVICE_OBJECT Device, PIRP Irp)
{
    PCOSTS_FILE file = IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext;

    UNREFERENCED_PARAMETER(Device);
    KeEnterCriticalRegion();
    IsthmusSessionClose(file->Session);
    KeLeaveCriticalRegion();
    ExFreePoolWithTag(file, COSTS_TAG);
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    IoDeleteSymbolicLink(&Link);
    IsthmusLibraryStop();
    if (Driver->DeviceObject != NULL)
    {
        IoDeleteDevice(Driver->DeviceObject);
    }
}

/* The device is exclusive: one program measures, and the requests of a handle come one after the other. */
NTSTATUS NTAPI DriverEntry(_In_ PDRIVER_OBJECT Driver, _In_ PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\Costs");
    PDEVICE_OBJECT device;
    NTSTATUS status = IsthmusLibraryStart(RegistryPath);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    Driver->MajorFunction[IRP_MJ_CREATE] = Create;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = Cleanup;
    Driver->MajorFunction[IRP_MJ_CLOSE] = Close;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, TRUE, &device);
    if (NT_SUCCESS(status))
    {
        status = IoCreateSymbolicLink(&Link, &name);
    }
    if (!NT_SUCCESS(status))
    {
        Unload(Driver);
    }
    return status;
}
