/* SPDX-License-Identifier: MIT */
/*
 * iotest.sys: three devices, one for each sort of read and write, and control codes of every method. For the programs
 * u_io, u_overlapped and u_scm.
 */
#include <ntifs.h>
#include "iotest.h"

#define IOTEST_TAG 'tToI'

static const PCWSTR DeviceNames[] = {L"\\Device\\IoTestBuffered", L"\\Device\\IoTestDirect",
                                     L"\\Device\\IoTestNeither"};
static const PCWSTR LinkNames[] = {L"\\DosDevices\\IoTestBuffered", L"\\DosDevices\\IoTestDirect",
                                   L"\\DosDevices\\IoTestNeither"};
static const ULONG DeviceFlags[] = {DO_BUFFERED_IO, DO_DIRECT_IO, 0};
static PDEVICE_OBJECT Devices[3];
static IOTEST_SEEN Seen;
static IOTEST_COUNTERS Counters;
static LIST_ENTRY Held; /* IRPs, by Tail.Overlay.ListEntry, under the cancel spin lock */

typedef struct _DELAY
{
    KTIMER Timer;
    KDPC Dpc;
    PIRP Irp;
    ULONG_PTR Information;
} DELAY;

static NTSTATUS Finish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static VOID Look(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    BOOLEAN control = Stack->MajorFunction == IRP_MJ_DEVICE_CONTROL;

    Seen.SystemBuffer = Irp->AssociatedIrp.SystemBuffer != NULL;
    Seen.Mdl = Irp->MdlAddress != NULL;
    Seen.UserBuffer = Irp->UserBuffer != NULL;
    Seen.Type3 = control && Stack->Parameters.DeviceIoControl.Type3InputBuffer != NULL;
    Seen.MdlFlags = Irp->MdlAddress != NULL ? (USHORT)Irp->MdlAddress->MdlFlags : 0;
    Seen.MdlByteCount = Irp->MdlAddress != NULL ? MmGetMdlByteCount(Irp->MdlAddress) : 0;
    Seen.MdlByteOffset = Irp->MdlAddress != NULL ? MmGetMdlByteOffset(Irp->MdlAddress) : 0;
    Seen.InputLength = control ? Stack->Parameters.DeviceIoControl.InputBufferLength : 0;
    Seen.OutputLength = control ? Stack->Parameters.DeviceIoControl.OutputBufferLength : Stack->Parameters.Read.Length;
    Seen.RequestorMode = (UINT32)Irp->RequestorMode;
    Seen.InRequestor = IoGetRequestorProcess(Irp) == IoGetCurrentProcess();
    Seen.Irql = KeGetCurrentIrql();
}

static VOID NTAPI FinishLater(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    DELAY *delay = Context;
    PIRP irp = delay->Irp;
    ULONG_PTR information = delay->Information;

    ExFreePoolWithTag(delay, IOTEST_TAG);
    Finish(irp, STATUS_SUCCESS, information);
}

static NTSTATUS Pend(PIRP Irp, ULONG_PTR Information)
{
    LARGE_INTEGER due = {.QuadPart = -30000};
    DELAY *delay = ExAllocatePoolWithTag(NonPagedPool, sizeof(*delay), IOTEST_TAG);

    if (delay == NULL)
    {
        return Finish(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    }
    KeInitializeTimer(&delay->Timer);
    KeInitializeDpc(&delay->Dpc, FinishLater, delay);
    delay->Irp = Irp;
    delay->Information = Information;
    IoMarkIrpPending(Irp);
    KeSetTimer(&delay->Timer, due, &delay->Dpc);
    return STATUS_PENDING;
}

static VOID NTAPI CancelHeld(PDEVICE_OBJECT Device, PIRP Irp)
{
    RemoveEntryList(&Irp->Tail.Overlay.ListEntry);
    Counters.Held--;
    Counters.Cancelled++;
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    Finish(Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS Hold(PIRP Irp)
{
    KIRQL irql;

    IoAcquireCancelSpinLock(&irql);
    if (Irp->Cancel)
    {
        Counters.Cancelled++;
        IoReleaseCancelSpinLock(irql);
        return Finish(Irp, STATUS_CANCELLED, 0);
    }
    IoMarkIrpPending(Irp);
    IoSetCancelRoutine(Irp, CancelHeld);
    InsertTailList(&Held, &Irp->Tail.Overlay.ListEntry);
    Counters.Held++;
    IoReleaseCancelSpinLock(irql);
    return STATUS_PENDING;
}

static ULONG Invert(PUCHAR Output, const UCHAR *Input, PIO_STACK_LOCATION Stack)
{
    ULONG length =
        min(Stack->Parameters.DeviceIoControl.InputBufferLength, Stack->Parameters.DeviceIoControl.OutputBufferLength);

    for (ULONG i = 0; i < length; i++)
    {
        Output[i] = (UCHAR)~Input[i];
    }
    return length;
}

/* METHOD_NEITHER: nothing was checked; each pointer is probed, and every access may still raise. */
static NTSTATUS Capture(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    volatile NTSTATUS status = STATUS_SUCCESS;
    volatile ULONG length = 0;

    __try
    {
        ProbeForRead(Stack->Parameters.DeviceIoControl.Type3InputBuffer,
                     Stack->Parameters.DeviceIoControl.InputBufferLength, 1);
        ProbeForWrite(Irp->UserBuffer, Stack->Parameters.DeviceIoControl.OutputBufferLength, 1);
        length = Invert(Irp->UserBuffer, Stack->Parameters.DeviceIoControl.Type3InputBuffer, Stack);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
        length = 0;
    }
    return Finish(Irp, status, length);
}

static NTSTATUS Direct(PIRP Irp, PIO_STACK_LOCATION Stack, ULONG Code)
{
    ULONG length = Stack->Parameters.DeviceIoControl.OutputBufferLength;
    PUCHAR bytes = NULL;
    ULONG sum = 0;

    if (length != 0)
    {
        bytes = Irp->MdlAddress != NULL ? MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority) : NULL;
        if (bytes == NULL)
        {
            return Finish(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
        }
    }
    if (Code != IOTEST_SUM)
    {
        UCHAR fill =
            Stack->Parameters.DeviceIoControl.InputBufferLength != 0 ? *(PUCHAR)Irp->AssociatedIrp.SystemBuffer : 0xFF;
        RtlFillMemory(bytes, length, fill);
        return Code == IOTEST_FILL ? Finish(Irp, STATUS_SUCCESS, length) : Pend(Irp, length);
    }
    for (ULONG i = 0; i < length; i++)
    {
        sum += bytes[i];
    }
    return Finish(Irp, STATUS_SUCCESS, sum & 0xFFFF);
}

static NTSTATUS Answer(PIRP Irp, PIO_STACK_LOCATION Stack, const VOID *Data, ULONG Size)
{
    if (Stack->Parameters.DeviceIoControl.OutputBufferLength < Size)
    {
        return Finish(Irp, STATUS_BUFFER_TOO_SMALL, 0);
    }
    RtlCopyMemory(Irp->AssociatedIrp.SystemBuffer, Data, Size);
    return Finish(Irp, STATUS_SUCCESS, Size);
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG code = stack->Parameters.DeviceIoControl.IoControlCode;
    PVOID buffer = Irp->AssociatedIrp.SystemBuffer;
    ULONG length = stack->Parameters.DeviceIoControl.InputBufferLength;

    if (code != IOTEST_DESCRIBE)
    {
        Look(Irp, stack);
    }
    switch (code)
    {
    case IOTEST_INVERT:
        return Finish(Irp, STATUS_SUCCESS, Invert(buffer, buffer, stack));
    case IOTEST_PEND:
        return Pend(Irp, Invert(buffer, buffer, stack));
    case IOTEST_SUM:
    case IOTEST_FILL:
    case IOTEST_PEND_FILL:
        return Direct(Irp, stack, code);
    case IOTEST_NEITHER:
        return Capture(Irp, stack);
    case IOTEST_DESCRIBE:
        return Answer(Irp, stack, &Seen, sizeof(Seen));
    case IOTEST_COUNTS:
        return Answer(Irp, stack, &Counters, sizeof(Counters));
    case IOTEST_HOLD:
        return Hold(Irp);
    case IOTEST_STATUS:
        if (length != sizeof(NTSTATUS))
        {
            return Finish(Irp, STATUS_INVALID_PARAMETER, 0);
        }
        return Finish(Irp, *(NTSTATUS *)buffer, min(length, stack->Parameters.DeviceIoControl.OutputBufferLength));
    case IOTEST_FOR_READERS:
    case IOTEST_FOR_WRITERS:
        return Finish(Irp, STATUS_SUCCESS, 0);
    default:
        return Finish(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

/* Byte i of a read at offset o is o + i; a write tells in Information how many of its leading bytes are so. */
static NTSTATUS Transfer(PUCHAR Bytes, PIO_STACK_LOCATION Stack, PULONG Count)
{
    ULONG length = Stack->Parameters.Read.Length;
    UCHAR value = (UCHAR)Stack->Parameters.Read.ByteOffset.QuadPart;
    ULONG done = 0;

    if (Stack->MajorFunction == IRP_MJ_READ)
    {
        for (; done < length; done++)
        {
            Bytes[done] = value++;
        }
    }
    else
    {
        while (done < length && Bytes[done] == value++)
        {
            done++;
        }
    }
    *Count = done;
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI ReadWrite(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    PUCHAR bytes = Irp->AssociatedIrp.SystemBuffer;
    volatile NTSTATUS status = STATUS_SUCCESS;
    ULONG count = 0;

    Look(Irp, stack);
    if ((Device->Flags & DO_DIRECT_IO) && stack->Parameters.Read.Length != 0)
    {
        bytes = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
        if (bytes == NULL)
        {
            return Finish(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
        }
    }
    if (Device->Flags & (DO_DIRECT_IO | DO_BUFFERED_IO))
    {
        status = Transfer(bytes, stack, &count);
    }
    else
    {
        __try
        {
            stack->MajorFunction == IRP_MJ_READ ? ProbeForWrite(Irp->UserBuffer, stack->Parameters.Read.Length, 1)
                                                : ProbeForRead(Irp->UserBuffer, stack->Parameters.Read.Length, 1);
            status = Transfer(Irp->UserBuffer, stack, &count);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    if (!NT_SUCCESS(status))
    {
        return Finish(Irp, status, 0);
    }
    return stack->Parameters.Read.ByteOffset.QuadPart >= IOTEST_PEND_OFFSET ? Pend(Irp, count)
                                                                            : Finish(Irp, STATUS_SUCCESS, count);
}

static NTSTATUS NTAPI CreateClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    InterlockedIncrement((PLONG)(IoGetCurrentIrpStackLocation(Irp)->MajorFunction == IRP_MJ_CREATE ? &Counters.Creates
                                                                                                   : &Counters.Closes));
    return Finish(Irp, STATUS_SUCCESS, 0);
}

/* The last handle of a file is gone: what is held for it ends now. */
static NTSTATUS NTAPI Cleanup(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    BOOLEAN again;
    KIRQL irql;

    InterlockedIncrement((PLONG)&Counters.Cleanups);
    do
    {
        again = FALSE;
        IoAcquireCancelSpinLock(&irql);
        for (PLIST_ENTRY link = Held.Flink; link != &Held; link = link->Flink)
        {
            PIRP held = CONTAINING_RECORD(link, IRP, Tail.Overlay.ListEntry);
            if (IoGetCurrentIrpStackLocation(held)->FileObject == file && IoSetCancelRoutine(held, NULL) != NULL)
            {
                RemoveEntryList(link);
                Counters.Held--;
                Counters.Cancelled++;
                IoReleaseCancelSpinLock(irql);
                Finish(held, STATUS_CANCELLED, 0);
                again = TRUE;
                break;
            }
        }
        if (!again)
        {
            IoReleaseCancelSpinLock(irql);
        }
    } while (again);
    return Finish(Irp, STATUS_SUCCESS, 0);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    UNICODE_STRING link;

    KeFlushQueuedDpcs();
    for (ULONG i = 0; i < 3; i++)
    {
        if (Devices[i] != NULL)
        {
            RtlInitUnicodeString(&link, LinkNames[i]);
            IoDeleteSymbolicLink(&link);
            IoDeleteDevice(Devices[i]);
        }
    }
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name, link;
    NTSTATUS status = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(RegistryPath);
    InitializeListHead(&Held);
    for (ULONG i = 0; i < 3 && NT_SUCCESS(status); i++)
    {
        RtlInitUnicodeString(&name, DeviceNames[i]);
        RtlInitUnicodeString(&link, LinkNames[i]);
        status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &Devices[i]);
        if (NT_SUCCESS(status))
        {
            Devices[i]->Flags |= DeviceFlags[i];
            status = IoCreateSymbolicLink(&link, &name);
        }
    }
    if (!NT_SUCCESS(status))
    {
        Unload(Driver);
        return status;
    }
    Driver->MajorFunction[IRP_MJ_CREATE] = CreateClose;
    Driver->MajorFunction[IRP_MJ_CLOSE] = CreateClose;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = Cleanup;
    Driver->MajorFunction[IRP_MJ_READ] = ReadWrite;
    Driver->MajorFunction[IRP_MJ_WRITE] = ReadWrite;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
