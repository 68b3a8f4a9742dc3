/* SPDX-License-Identifier: MIT */
/*
 * IRPs that drivers have built for them: reads, writes and control requests to other drivers.
 *
 * The synchronous kinds belong to the calling thread: the I/O manager finishes and frees them. The asynchronous kind
 * belongs to the caller, who frees IRP, MDLs and buffer in a completion routine.
 */
#include "iop.h"

NTSTATUS IopAttachSystemBuffer(PIRP Irp, ULONG Length, const VOID *Input, ULONG InputLength)
{
    NTSTATUS Status = STATUS_SUCCESS;
    PVOID Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Length, IOP_TAG_BUFFER);

    if (Buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (InputLength != 0)
    {
        __try
        {
            RtlCopyMemory(Buffer, Input, InputLength);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            Status = GetExceptionCode();
        }
        if (!NT_SUCCESS(Status))
        {
            ExFreePoolWithTag(Buffer, IOP_TAG_BUFFER);
            return Status;
        }
    }
    Irp->AssociatedIrp.SystemBuffer = Buffer;
    Irp->Flags |= IRP_BUFFERED_IO | IRP_DEALLOCATE_BUFFER;
    return STATUS_SUCCESS;
}

NTSTATUS IopAttachLockedBuffer(PIRP Irp, PVOID Buffer, ULONG Length, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation)
{
    NTSTATUS Status = STATUS_SUCCESS;
    PMDL Mdl = IoAllocateMdl(Buffer, Length, FALSE, TRUE, Irp);

    if (Mdl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    __try
    {
        MmProbeAndLockPages(Mdl, Mode, Operation);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Status = GetExceptionCode();
    }
    if (!NT_SUCCESS(Status))
    {
        IoFreeMdl(Mdl);
        Irp->MdlAddress = NULL;
    }
    return Status;
}

VOID IopDiscardMdls(PIRP Irp)
{
    for (PMDL Mdl = Irp->MdlAddress, Next; Mdl != NULL; Mdl = Next)
    {
        Next = Mdl->Next;
        if (Mdl->MdlFlags & MDL_PAGES_LOCKED)
        {
            MmUnlockPages(Mdl);
        }
        IoFreeMdl(Mdl);
    }
    Irp->MdlAddress = NULL;
}

VOID IopDiscardRequest(PIRP Irp)
{
    if (Irp->Flags & IRP_DEALLOCATE_BUFFER)
    {
        ExFreePoolWithTag(Irp->AssociatedIrp.SystemBuffer, IOP_TAG_BUFFER);
    }
    if (Irp->Tail.Overlay.AuxiliaryBuffer != NULL)
    {
        ExFreePool(Irp->Tail.Overlay.AuxiliaryBuffer);
    }
    IopDiscardMdls(Irp);
    IoFreeIrp(Irp);
}

/* The buffer of a read or write as the target device wants it. */
static NTSTATUS IopAttachTransferBuffer(PIRP Irp, PDEVICE_OBJECT Device, UCHAR Major, PVOID Buffer, ULONG Length)
{
    NTSTATUS Status;

    if (Device->Flags & DO_BUFFERED_IO)
    {
        if (Length == 0)
        {
            return STATUS_SUCCESS;
        }
        Status = IopAttachSystemBuffer(Irp, Length, Buffer, Major == IRP_MJ_WRITE ? Length : 0);
        if (NT_SUCCESS(Status) && Major == IRP_MJ_READ)
        {
            Irp->Flags |= IRP_INPUT_OPERATION;
            Irp->UserBuffer = Buffer;
            IopIrpHeader(Irp)->OutputLength = Length;
        }
        return Status;
    }
    if (Device->Flags & DO_DIRECT_IO)
    {
        if (Length == 0)
        {
            return STATUS_SUCCESS;
        }
        return IopAttachLockedBuffer(Irp, Buffer, Length, KernelMode,
                                     Major == IRP_MJ_READ ? IoWriteAccess : IoReadAccess);
    }
    Irp->UserBuffer = Buffer;
    return STATUS_SUCCESS;
}

static PIRP IopBuildFsdRequest(ULONG Major, PDEVICE_OBJECT Device, PVOID Buffer, ULONG Length,
                               PLARGE_INTEGER StartingOffset, PIO_STATUS_BLOCK Iosb, PVOID Caller)
{
    PIRP Irp = IopAllocateDriverIrp(Device->StackSize, Caller);
    PIO_STACK_LOCATION Stack;
    NTSTATUS Status;

    if (Irp == NULL)
    {
        return NULL;
    }
    Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = (UCHAR)Major;
    Irp->Tail.Overlay.Thread = PsGetCurrentThread();
    Irp->UserIosb = Iosb;
    if (Major == IRP_MJ_READ || Major == IRP_MJ_WRITE)
    {
        Status = IopAttachTransferBuffer(Irp, Device, (UCHAR)Major, Buffer, Length);
        if (!NT_SUCCESS(Status))
        {
            if (Status != STATUS_INSUFFICIENT_RESOURCES && VfOption(VfIoChecks))
            {
                KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x08, (ULONG_PTR)Device, Major, (ULONG)Status);
            }
            IoFreeIrp(Irp);
            return NULL;
        }
        Stack->Parameters.Read.Length = Length;
        if (StartingOffset != NULL)
        {
            Stack->Parameters.Read.ByteOffset = *StartingOffset;
        }
    }
    return Irp;
}

/**
 * Builds a read, write, flush, shutdown or PnP IRP that the caller owns (and sets a completion routine on).
 * @param Buffer         Kernel memory, Length bytes; for reads and writes.
 * @param IoStatusBlock  Kept in the IRP only.
 * @return NULL if memory is short or the buffer cannot be locked. IRQL <= APC_LEVEL.
 */
PIRP NTAPI IoBuildAsynchronousFsdRequest(_In_ ULONG MajorFunction, _In_ PDEVICE_OBJECT DeviceObject,
                                         _Inout_opt_ PVOID Buffer, _In_opt_ ULONG Length,
                                         _In_opt_ PLARGE_INTEGER StartingOffset,
                                         _In_opt_ PIO_STATUS_BLOCK IoStatusBlock)
{
    return IopBuildFsdRequest(MajorFunction, DeviceObject, Buffer, Length, StartingOffset, IoStatusBlock,
                              _ReturnAddress());
}

/**
 * As IoBuildAsynchronousFsdRequest, for a caller who waits for Event: the I/O manager finishes and frees the IRP in the
 * calling thread. IRQL PASSIVE_LEVEL.
 */
PIRP NTAPI IoBuildSynchronousFsdRequest(_In_ ULONG MajorFunction, _In_ PDEVICE_OBJECT DeviceObject,
                                        _Inout_opt_ PVOID Buffer, _In_opt_ ULONG Length,
                                        _In_opt_ PLARGE_INTEGER StartingOffset, _In_ PKEVENT Event,
                                        _Out_ PIO_STATUS_BLOCK IoStatusBlock)
{
    PIRP Irp = IopBuildFsdRequest(MajorFunction, DeviceObject, Buffer, Length, StartingOffset, IoStatusBlock,
                                  _ReturnAddress());

    if (Irp != NULL)
    {
        Irp->UserEvent = Event;
        IopQueueThreadIrp(Irp);
    }
    return Irp;
}

/* The buffers of a control request between drivers, by transfer method. */
static NTSTATUS IopAttachControlBuffers(PIRP Irp, PIO_STACK_LOCATION Stack, ULONG Method, PVOID Input,
                                        ULONG InputLength, PVOID Output, ULONG OutputLength)
{
    ULONG Larger = InputLength > OutputLength ? InputLength : OutputLength;
    NTSTATUS Status = STATUS_SUCCESS;

    switch (Method)
    {
    case METHOD_BUFFERED:
        if (Larger != 0)
        {
            Status = IopAttachSystemBuffer(Irp, Larger, Input, Input != NULL ? InputLength : 0);
            Irp->UserBuffer = Output;
            if (Output != NULL)
            {
                Irp->Flags |= IRP_INPUT_OPERATION;
                IopIrpHeader(Irp)->OutputLength = OutputLength;
            }
        }
        break;
    case METHOD_IN_DIRECT:
    case METHOD_OUT_DIRECT:
        if (Input != NULL && InputLength != 0)
        {
            Status = IopAttachSystemBuffer(Irp, InputLength, Input, InputLength);
        }
        if (NT_SUCCESS(Status) && Output != NULL && OutputLength != 0)
        {
            Status = IopAttachLockedBuffer(Irp, Output, OutputLength, KernelMode,
                                           Method == METHOD_IN_DIRECT ? IoReadAccess : IoWriteAccess);
        }
        break;
    default:
        Irp->UserBuffer = Output;
        Stack->Parameters.DeviceIoControl.Type3InputBuffer = Input;
        break;
    }
    return Status;
}

/**
 * Builds a device control IRP that the I/O manager finishes and frees in the calling thread.
 * @param InternalDeviceIoControl  IRP_MJ_INTERNAL_DEVICE_CONTROL instead of IRP_MJ_DEVICE_CONTROL.
 * @param Event                    Set when the request is done after IoCallDriver said STATUS_PENDING.
 * @return NULL if memory is short or a buffer cannot be locked. IRQL PASSIVE_LEVEL.
 */
PIRP NTAPI IoBuildDeviceIoControlRequest(_In_ ULONG IoControlCode, _In_ PDEVICE_OBJECT DeviceObject,
                                         _In_opt_ PVOID InputBuffer, _In_ ULONG InputBufferLength,
                                         _Out_opt_ PVOID OutputBuffer, _In_ ULONG OutputBufferLength,
                                         _In_ BOOLEAN InternalDeviceIoControl, _In_opt_ PKEVENT Event,
                                         _Out_ PIO_STATUS_BLOCK IoStatusBlock)
{
    PIRP Irp = IopAllocateDriverIrp(DeviceObject->StackSize, _ReturnAddress());
    PIO_STACK_LOCATION Stack;
    NTSTATUS Status;

    if (Irp == NULL)
    {
        return NULL;
    }
    Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = InternalDeviceIoControl ? IRP_MJ_INTERNAL_DEVICE_CONTROL : IRP_MJ_DEVICE_CONTROL;
    Stack->Parameters.DeviceIoControl.OutputBufferLength = OutputBufferLength;
    Stack->Parameters.DeviceIoControl.InputBufferLength = InputBufferLength;
    Stack->Parameters.DeviceIoControl.IoControlCode = IoControlCode;
    Status = IopAttachControlBuffers(Irp, Stack, IoControlCode & 3, InputBuffer, InputBufferLength, OutputBuffer,
                                     OutputBufferLength);
    if (!NT_SUCCESS(Status))
    {
        if (Status != STATUS_INSUFFICIENT_RESOURCES && VfOption(VfIoChecks))
        {
            KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x09, (ULONG_PTR)DeviceObject, IoControlCode,
                         (ULONG)Status);
        }
        IopDiscardRequest(Irp);
        return NULL;
    }
    Irp->UserIosb = IoStatusBlock;
    Irp->UserEvent = Event;
    Irp->Tail.Overlay.Thread = PsGetCurrentThread();
    IopQueueThreadIrp(Irp);
    return Irp;
}
