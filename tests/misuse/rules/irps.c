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

NTSTATUS NTAPI MisuseKeepIrp(PDEVICE_OBJECT Device, PIRP Irp, PVOID Event)
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
    IoSetCompletionRoutine(irp, MisuseKeepIrp, &done, TRUE, TRUE, TRUE);
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

MISUSE(complete_no_status)
{
    Complete(Context, -1);
}

CORRECT(complete_no_status)
{
    Complete(Context, STATUS_SUCCESS);
}

MISUSE(complete_high)
{
    MisuseRaise(MISUSE_HIGH);
    Complete(Context, STATUS_SUCCESS);
}

CORRECT(complete_high)
{
    KIRQL irql = MisuseRaise(DISPATCH_LEVEL);

    Complete(Context, STATUS_SUCCESS);
    KeLowerIrql(irql);
}

static VOID NTAPI NeverCancel(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
}

MISUSE(complete_with_cancel_routine)
{
    MisuseNote("cancel", (ULONG_PTR)NeverCancel);
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

/* Nobody called the routine when the request was completed; then somebody cancels it. */
MISUSE(cancel_completed)
{
    KIRQL irql = MisuseRaise(APC_LEVEL);

    MisuseNote("cancel", (ULONG_PTR)NeverCancel);
    IoSetCancelRoutine(Context->Irp, NeverCancel);
    Complete(Context, STATUS_SUCCESS);
    IoCancelIrp(Context->Irp);
    KeLowerIrql(irql);
}

CORRECT(cancel_completed)
{
    Correct_complete_with_cancel_routine(Context);
}

/* ---- what the dispatch routine returns ---- */

/* As if the request were completed later, which nobody will do. */
MISUSE(lose_request)
{
    Context->Completed = TRUE;
}

CORRECT(lose_request)
{
    Complete(Context, STATUS_SUCCESS);
}

MISUSE(return_other_status)
{
    Complete(Context, STATUS_UNSUCCESSFUL);
}

CORRECT(return_other_status)
{
    Complete(Context, STATUS_SUCCESS);
}

MISUSE(pend_and_return)
{
    IoMarkIrpPending(Context->Irp);
    Complete(Context, STATUS_SUCCESS);
}

CORRECT(pend_and_return)
{
    IoMarkIrpPending(Context->Irp);
    Complete(Context, STATUS_SUCCESS);
    Context->Status = STATUS_PENDING;
}

MISUSE(return_pending)
{
    Complete(Context, STATUS_SUCCESS);
    Context->Status = STATUS_PENDING;
}

CORRECT(return_pending)
{
    Correct_pend_and_return(Context);
}

MISUSE(return_interrupts_off)
{
    MisuseInterrupts(FALSE);
}

CORRECT(return_interrupts_off)
{
    MisuseInterrupts(FALSE);
    MisuseInterrupts(TRUE);
}
