/* SPDX-License-Identifier: MIT */
/* Mistakes with requests. */
#include "misuse.h"

VOID Misuse_complete_twice(MISUSE_CONTEXT *Context)
{
    Context->Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Context->Irp, IO_NO_INCREMENT);
    IoCompleteRequest(Context->Irp, IO_NO_INCREMENT);
    Context->Completed = TRUE;
}

VOID Misuse_no_location(MISUSE_CONTEXT *Context)
{
    PIRP irp = IoAllocateIrp(1, FALSE);

    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_CREATE;
    IoSetNextIrpStackLocation(irp); /* the only location is used up, as if a driver had forgotten to count itself */
    IoCallDriver(Context->Device, irp);
}

VOID Misuse_complete_pended(MISUSE_CONTEXT *Context)
{
    Context->Irp->IoStatus.Status = STATUS_PENDING;
    IoCompleteRequest(Context->Irp, IO_NO_INCREMENT);
    Context->Completed = TRUE;
}

static VOID NTAPI NeverCancel(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
}

VOID Misuse_complete_with_cancel_routine(MISUSE_CONTEXT *Context)
{
    IoSetCancelRoutine(Context->Irp, NeverCancel);
    Context->Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Context->Irp, IO_NO_INCREMENT);
    Context->Completed = TRUE;
}

/* More bytes than the caller's buffer has: they would come from behind the system buffer. */
VOID Misuse_complete_too_much(MISUSE_CONTEXT *Context)
{
    Context->Irp->IoStatus.Status = STATUS_SUCCESS;
    Context->Irp->IoStatus.Information = 100000;
}
