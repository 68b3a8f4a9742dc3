/* SPDX-License-Identifier: MIT */
/* The devices below the tests of the I/O manager. */
#include "irp_device.h"

static NTSTATUS Finish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static VOID NTAPI CompleteInDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    IRP_DEVICE *device = Context;
    PIRP irp = device->Pending;
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);

    device->Pending = NULL;
    Finish(irp, STATUS_SUCCESS,
           stack->MajorFunction == IRP_MJ_READ || stack->MajorFunction == IRP_MJ_WRITE
               ? stack->Parameters.Read.Length
               : stack->Parameters.DeviceIoControl.InputBufferLength);
}

static NTSTATUS PendToDpc(IRP_DEVICE *Device, PIRP Irp)
{
    IoMarkIrpPending(Irp);
    Device->Pending = Irp;
    KeSetTimer(&Device->Timer, KtMilliseconds(3), &Device->Dpc);
    return STATUS_PENDING;
}

static VOID NTAPI CancelHeld(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KtIrpDevice(Device)->Held = NULL;
    Finish(Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS Hold(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoMarkIrpPending(Irp);
    KtIrpDevice(Device)->Held = Irp;
    IoSetCancelRoutine(Irp, CancelHeld);
    if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL)
    {
        KtIrpDevice(Device)->Held = NULL;
        Finish(Irp, STATUS_CANCELLED, 0);
    }
    return STATUS_PENDING;
}

static ULONG Invert(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    ULONG length =
        min(Stack->Parameters.DeviceIoControl.InputBufferLength, Stack->Parameters.DeviceIoControl.OutputBufferLength);
    PUCHAR bytes = Irp->AssociatedIrp.SystemBuffer;

    for (ULONG i = 0; i < length; i++)
    {
        bytes[i] = (UCHAR)~bytes[i];
    }
    return length;
}

/* Secondary buffers that the I/O manager has to unlock and free with the first one. */
static NTSTATUS Chain(IRP_DEVICE *Device, PIRP Irp)
{
    NTSTATUS status = STATUS_SUCCESS;

    for (ULONG i = 0; i < 2 && NT_SUCCESS(status); i++)
    {
        PMDL mdl = IoAllocateMdl((PUCHAR)Device->Chained + i * PAGE_SIZE, PAGE_SIZE, TRUE, FALSE, Irp);
        status = mdl != NULL ? KtLock(mdl, UserMode, IoWriteAccess) : STATUS_INSUFFICIENT_RESOURCES;
        if (NT_SUCCESS(status) && MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == NULL)
        {
            status = STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    return Finish(Irp, status, 0);
}

static NTSTATUS SumDirect(PIRP Irp, ULONG Length)
{
    PUCHAR system =
        Irp->MdlAddress != NULL ? MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority) : NULL;
    ULONG_PTR sum = 0;

    for (ULONG i = 0; system != NULL && i < Length; i++)
    {
        sum += system[i];
    }
    return Finish(Irp, STATUS_SUCCESS, sum);
}

static NTSTATUS Control(PDEVICE_OBJECT Device, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PVOID system;

    switch (Stack->Parameters.DeviceIoControl.IoControlCode)
    {
    case CODE_INVERT_BUFFERED:
        return Finish(Irp, STATUS_SUCCESS, Invert(Irp, Stack));
    case CODE_PEND_BUFFERED:
        Invert(Irp, Stack);
        return PendToDpc(KtIrpDevice(Device), Irp);
    case CODE_HOLD:
        return Hold(Device, Irp);
    case CODE_FAIL:
        return Finish(Irp, STATUS_DEVICE_NOT_READY, 0);
    case CODE_WARN:
        RtlFillMemory(Irp->AssociatedIrp.SystemBuffer, 4, 0xAB);
        return Finish(Irp, STATUS_BUFFER_OVERFLOW, 4);
    case CODE_OUT_DIRECT:
        system = Irp->MdlAddress != NULL ? MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority) : NULL;
        if (system == NULL)
        {
            return Finish(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
        }
        RtlFillMemory(system, Stack->Parameters.DeviceIoControl.OutputBufferLength, 0x5C);
        return Finish(Irp, STATUS_SUCCESS, Stack->Parameters.DeviceIoControl.OutputBufferLength);
    case CODE_IN_DIRECT:
        return SumDirect(Irp, Stack->Parameters.DeviceIoControl.OutputBufferLength);
    case CODE_NEITHER:
        return Finish(Irp, STATUS_SUCCESS, 0);
    case CODE_CHAIN:
        return Chain(KtIrpDevice(Device), Irp);
    default:
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

/* Reads give 0x3C, writes are remembered by their first byte; both through whichever buffer the device asked for. */
static NTSTATUS ReadWrite(PDEVICE_OBJECT Device, PIRP Irp, PIO_STACK_LOCATION Stack)
{
    PVOID buffer = Irp->AssociatedIrp.SystemBuffer;
    ULONG length = Stack->Parameters.Read.Length;

    if (Device->Flags & DO_DIRECT_IO)
    {
        buffer = Irp->MdlAddress != NULL ? MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority) : NULL;
    }
    else if ((Device->Flags & DO_BUFFERED_IO) == 0)
    {
        buffer = Irp->UserBuffer;
    }
    if (length != 0 && buffer == NULL)
    {
        return Finish(Irp, STATUS_INVALID_PARAMETER, 0);
    }
    if (Stack->MajorFunction == IRP_MJ_READ && length != 0)
    {
        RtlFillMemory(buffer, length, 0x3C);
    }
    return Stack->Parameters.Read.ByteOffset.QuadPart == 1 ? PendToDpc(KtIrpDevice(Device), Irp)
                                                           : Finish(Irp, STATUS_SUCCESS, length);
}

static NTSTATUS PassDown(IRP_DEVICE *Device, PIRP Irp)
{
    if (Device->Completion == NULL)
    {
        IoSkipCurrentIrpStackLocation(Irp);
    }
    else
    {
        IoCopyCurrentIrpStackLocationToNext(Irp);
        IoSetCompletionRoutine(Irp, Device->Completion, Device->Context, TRUE, TRUE, TRUE);
    }
    return IoCallDriver(Device->Lower, Irp);
}

NTSTATUS NTAPI KtDeviceDispatch(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    IRP_DEVICE *device;

    if (Device == KtDevice)
    {
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    device = KtIrpDevice(Device);
    InterlockedIncrement(&device->Requests);
    if (device->Lower != NULL)
    {
        return PassDown(device, Irp);
    }
    device->LastMdl = Irp->MdlAddress;
    device->LastMdlFlags = Irp->MdlAddress != NULL ? KtFlags(Irp->MdlAddress) : 0;
    device->LastSystemBuffer = Irp->AssociatedIrp.SystemBuffer;
    device->LastFlags = Irp->Flags;
    device->LastMode = Irp->RequestorMode;
    switch (stack->MajorFunction)
    {
    case IRP_MJ_DEVICE_CONTROL:
    case IRP_MJ_INTERNAL_DEVICE_CONTROL:
        return Control(Device, Irp, stack);
    case IRP_MJ_READ:
    case IRP_MJ_WRITE:
        return ReadWrite(Device, Irp, stack);
    case IRP_MJ_CREATE:
    case IRP_MJ_CLEANUP:
    case IRP_MJ_CLOSE:
        return Finish(Irp, STATUS_SUCCESS, 0);
    default:
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

static PDEVICE_OBJECT MakeDevice(KTEST_RUN *Run, ULONG Flags)
{
    PDEVICE_OBJECT device;
    NTSTATUS status =
        IoCreateDevice(KtDevice->DriverObject, sizeof(IRP_DEVICE), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);

    CHECK_STATUS(status, STATUS_SUCCESS);
    if (!NT_SUCCESS(status))
    {
        return NULL;
    }
    KeInitializeTimer(&KtIrpDevice(device)->Timer);
    KeInitializeDpc(&KtIrpDevice(device)->Dpc, CompleteInDpc, KtIrpDevice(device));
    device->Flags |= Flags;
    device->Flags &= ~DO_DEVICE_INITIALIZING;
    return device;
}

BOOLEAN KtOpenIrpStack(KTEST_RUN *Run, IRP_STACK *Stack, ULONG Flags)
{
    Stack->Lower = MakeDevice(Run, Flags);
    Stack->Upper = MakeDevice(Run, Flags);
    if (Stack->Lower == NULL || Stack->Upper == NULL)
    {
        KtCloseIrpStack(Stack);
        return FALSE;
    }
    KtIrpDevice(Stack->Upper)->Lower = IoAttachDeviceToDeviceStack(Stack->Upper, Stack->Lower);
    CHECK(KtIrpDevice(Stack->Upper)->Lower == Stack->Lower);
    CHECK_EQUAL(Stack->Upper->StackSize, Stack->Lower->StackSize + 1);
    return TRUE;
}

VOID KtCloseIrpStack(IRP_STACK *Stack)
{
    KeFlushQueuedDpcs();
    if (Stack->Upper != NULL)
    {
        if (KtIrpDevice(Stack->Upper)->Lower != NULL)
        {
            IoDetachDevice(KtIrpDevice(Stack->Upper)->Lower);
        }
        IoDeleteDevice(Stack->Upper);
    }
    if (Stack->Lower != NULL)
    {
        IoDeleteDevice(Stack->Lower);
    }
}
