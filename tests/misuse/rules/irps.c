/* SPDX-License-Identifier: MIT */
/* Mistakes with requests. */
#include "misuse.h"

static VOID Complete(MISUSE_CONTEXT *Context, NTSTATUS Status)
{
    Context->Irp->IoStatus.Status = Status;
    IoCompleteRequest(Context->Irp, IO_NO_INCREMENT);
    Context->Completed = TRUE;
}

MISUSE(complete_twice)
{
    Complete(Context, STATUS_SUCCESS);
    Complete(Context, STATUS_SUCCESS);
}

CORRECT(complete_twice)
{
    Complete(Context, STATUS_SUCCESS);
}

/* The only location is used up, as if a driver had forgotten to count itself. */
MISUSE(no_location)
{
    PIRP irp = IoAllocateIrp(1, FALSE);

    MisuseNote("sent", (ULONG_PTR)irp);
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_CREATE;
    IoSetNextIrpStackLocation(irp);
    IoCallDriver(Context->Device, irp);
}

static NTSTATUS NTAPI KeepIrp(PDEVICE_OBJECT Device, PIRP Irp, PVOID Event)
{
    KeSetEvent(Event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

CORRECT(no_location)
{
    PIRP irp = IoAllocateIrp(Context->Device->StackSize, FALSE);
    KEVENT done;

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_CREATE;
    IoSetCompletionRoutine(irp, KeepIrp, &done, TRUE, TRUE, TRUE);
    IoCallDriver(Context->Device, irp);
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    IoFreeIrp(irp);
}

MISUSE(complete_pended)
{
    Complete(Context, STATUS_PENDING);
}

CORRECT(complete_pended)
{
    Complete(Context, STATUS_SUCCESS);
}

static VOID NTAPI NeverCancel(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
}

MISUSE(complete_with_cancel_routine)
{
    IoSetCancelRoutine(Context->Irp, NeverCancel);
    Complete(Context, STATUS_SUCCESS);
}

CORRECT(complete_with_cancel_routine)
{
    IoSetCancelRoutine(Context->Irp, NeverCancel);
    IoSetCancelRoutine(Context->Irp, NULL);
    Complete(Context, STATUS_SUCCESS);
}

/* More bytes than the caller's buffer has: they would come from behind the system buffer. */
MISUSE(complete_too_much)
{
    Context->Irp->IoStatus.Information = 100000;
}

CORRECT(complete_too_much)
{
    Context->Irp->IoStatus.Information =
        IoGetCurrentIrpStackLocation(Context->Irp)->Parameters.DeviceIoControl.OutputBufferLength;
}
