/* SPDX-License-Identifier: MIT */
/*
 * careless.sys: mistakes that an ordinary run does not show, one for each kind of sweep:
 *
 *   failures   the first of two blocks is forgotten when the second is refused; a block is used that was refused
 *   kill       pages stay locked if the program dies between two control codes
 *   schedules  two threads add to a number, and each looks at it before a lock and writes it after
 *
 * and one that only a machine with real shoot-downs answers: another processor reads a view that is unmapped already.
 *
 * Beside each stands the careful way.
 */
#include <ntifs.h>
#include "careless.h"

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD CarelessUnload;
DRIVER_DISPATCH CarelessDispatch, CarelessCleanup, CarelessControl;

#define CARELESS_DEVICE L"\\Device\\Careless"
#define CARELESS_LINK   L"\\DosDevices\\Careless"
#define CARELESS_TAG    'rmcC'
#define CARELESS_BYTES  3000

static KSPIN_LOCK CarelessLock;
static volatile ULONG CarelessNumber;
static PMDL CarelessMdl; /* one program at a time */
static BOOLEAN CarelessUnlockAtCleanup;

static NTSTATUS CarelessTwo(BOOLEAN Careful)
{
    PVOID first = ExAllocatePoolWithTag(NonPagedPoolNx, CARELESS_BYTES, CARELESS_TAG);
    PVOID second;

    if (first == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    second = ExAllocatePoolWithTag(PagedPool, CARELESS_BYTES, CARELESS_TAG);
    if (second == NULL)
    {
        if (Careful)
        {
            ExFreePoolWithTag(first, CARELESS_TAG);
        }
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ExFreePoolWithTag(second, CARELESS_TAG);
    ExFreePoolWithTag(first, CARELESS_TAG);
    return STATUS_SUCCESS;
}

static NTSTATUS CarelessUse(BOOLEAN Careful)
{
    volatile ULONG *block = ExAllocatePoolWithTag(NonPagedPoolNx, CARELESS_BYTES, CARELESS_TAG);

    if (Careful && block == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *block = 1;
    ExFreePoolWithTag((PVOID)block, CARELESS_TAG);
    return STATUS_SUCCESS;
}

static VOID CarelessDrop(VOID)
{
    if (CarelessMdl != NULL)
    {
        MmUnlockPages(CarelessMdl);
        IoFreeMdl(CarelessMdl);
        CarelessMdl = NULL;
    }
}

static NTSTATUS CarelessHold(PVOID Address, ULONG Length)
{
    PMDL mdl = IoAllocateMdl(Address, Length, FALSE, FALSE, NULL);
    NTSTATUS status = STATUS_SUCCESS;

    if (mdl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    __try
    {
        MmProbeAndLockPages(mdl, UserMode, IoModifyAccess);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
        IoFreeMdl(mdl);
        return status;
    }
    CarelessMdl = mdl;
    return status;
}

static VOID CarelessCount(BOOLEAN Careful)
{
    ULONG seen = CarelessNumber;
    KIRQL irql;

    KeAcquireSpinLock(&CarelessLock, &irql);
    CarelessNumber = (Careful ? CarelessNumber : seen) + 1;
    KeReleaseSpinLock(&CarelessLock, irql);
}

typedef struct CARELESS_VIEW
{
    volatile ULONG *View;
    volatile LONG Reads, Gone;
    BOOLEAN Careful;
} CARELESS_VIEW;

static VOID NTAPI CarelessReader(PVOID Context)
{
    CARELESS_VIEW *view = Context;

    KeSetSystemAffinityThread(2);
    while (!view->Gone && !(view->Careful && view->Reads > 1000))
    {
        (void)*view->View;
        view->Reads++;
    }
    if (!view->Careful)
    {
        (void)*view->View;
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* The careful way waits for the reader before it unmaps. */
static VOID CarelessUnmap(CARELESS_VIEW *View, PMDL Mdl, HANDLE Reader)
{
    if (View->Careful)
    {
        ZwWaitForSingleObject(Reader, FALSE, NULL);
    }
    while (View->Reads < 1000)
    {
        YieldProcessor();
    }
    MmUnmapLockedPages((PVOID)View->View, Mdl);
    View->Gone = 1;
    ZwWaitForSingleObject(Reader, FALSE, NULL);
}

static NTSTATUS CarelessView(BOOLEAN Careful)
{
    PHYSICAL_ADDRESS low = {.QuadPart = 0}, high = {.QuadPart = -1};
    CARELESS_VIEW view = {.Careful = Careful};
    PMDL mdl = MmAllocatePagesForMdl(low, high, low, PAGE_SIZE);
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    HANDLE reader;

    if (mdl == NULL)
    {
        return status;
    }
    view.View = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
    if (view.View != NULL)
    {
        status = PsCreateSystemThread(&reader, SYNCHRONIZE, NULL, NULL, NULL, CarelessReader, &view);
        if (NT_SUCCESS(status))
        {
            CarelessUnmap(&view, mdl, reader);
            ZwClose(reader);
        }
    }
    MmFreePagesFromMdl(mdl);
    ExFreePool(mdl);
    return status;
}

static NTSTATUS CarelessComplete(PIRP Irp, NTSTATUS Status)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

NTSTATUS NTAPI CarelessDispatch(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    return CarelessComplete(Irp, STATUS_SUCCESS);
}

NTSTATUS NTAPI CarelessCleanup(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    if (CarelessUnlockAtCleanup)
    {
        CarelessDrop();
    }
    return CarelessComplete(Irp, STATUS_SUCCESS);
}

static NTSTATUS CarelessReturnTotal(PVOID Output, ULONG Length)
{
    __try
    {
        ProbeForWrite(Output, sizeof(ULONG), sizeof(ULONG));
        *(volatile ULONG *)Output = CarelessNumber;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return Length >= sizeof(ULONG) ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
}

NTSTATUS NTAPI CarelessControl(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG length = stack->Parameters.DeviceIoControl.OutputBufferLength;
    BOOLEAN careful = FALSE;
    NTSTATUS status = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(Device);
    __try
    {
        ProbeForRead(stack->Parameters.DeviceIoControl.Type3InputBuffer, sizeof(ULONG), sizeof(ULONG));
        careful = *(volatile ULONG *)stack->Parameters.DeviceIoControl.Type3InputBuffer == CAREFUL;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return CarelessComplete(Irp, GetExceptionCode());
    }
    switch (stack->Parameters.DeviceIoControl.IoControlCode)
    {
    case IOCTL_CARELESS_TWO:
        status = CarelessTwo(careful);
        break;
    case IOCTL_CARELESS_USE:
        status = CarelessUse(careful);
        break;
    case IOCTL_CARELESS_LOCK:
        CarelessUnlockAtCleanup = careful;
        status = CarelessHold(Irp->UserBuffer, length);
        break;
    case IOCTL_CARELESS_UNLOCK:
        CarelessDrop();
        break;
    case IOCTL_CARELESS_COUNT:
        CarelessCount(careful);
        break;
    case IOCTL_CARELESS_TOTAL:
        status = CarelessReturnTotal(Irp->UserBuffer, length);
        break;
    case IOCTL_CARELESS_VIEW:
        status = CarelessView(careful);
        break;
    default:
        status = STATUS_INVALID_DEVICE_REQUEST;
        break;
    }
    return CarelessComplete(Irp, status);
}

VOID NTAPI CarelessUnload(_In_ PDRIVER_OBJECT Driver)
{
    UNICODE_STRING link;

    RtlInitUnicodeString(&link, CARELESS_LINK);
    IoDeleteSymbolicLink(&link);
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(_In_ PDRIVER_OBJECT Driver, _In_ PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name, link;
    PDEVICE_OBJECT device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    KeInitializeSpinLock(&CarelessLock);
    RtlInitUnicodeString(&name, CARELESS_DEVICE);
    RtlInitUnicodeString(&link, CARELESS_LINK);
    status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &device);
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
    Driver->MajorFunction[IRP_MJ_CREATE] = CarelessDispatch;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = CarelessCleanup;
    Driver->MajorFunction[IRP_MJ_CLOSE] = CarelessDispatch;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = CarelessControl;
    Driver->DriverUnload = CarelessUnload;
    return STATUS_SUCCESS;
}
