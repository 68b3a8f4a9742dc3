/* SPDX-License-Identifier: MIT */
/*
 * The end of a request in the thread that issued it: buffered output goes to the caller, resources are freed, and the
 * caller is told through status block, event, APC or completion port.
 */
#include "iop.h"

static VOID NTAPI IopUserApcDelivered(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *A1, PVOID *A2)
{
    IoFreeIrp(CONTAINING_RECORD(Apc, IRP, Tail.Apc));
}

static VOID NTAPI IopUserApcRundown(PKAPC Apc)
{
    IoFreeIrp(CONTAINING_RECORD(Apc, IRP, Tail.Apc));
}

/*
 * Copies a buffered request's output to the caller. Information is the driver's claim: no more than the caller's buffer
 * takes is ever copied, so that a wrong claim cannot show the caller foreign pool.
 */
static VOID IopCopyBack(PIRP Irp)
{
    SIZE_T Length = Irp->IoStatus.Information;
    SIZE_T Limit = IopIrpHeader(Irp)->OutputLength;

    if (Length > Limit)
    {
        Length = Limit; /* with the checks on IofCompleteRequest has looked */
    }
    __try
    {
        RtlCopyMemory(Irp->UserBuffer, Irp->AssociatedIrp.SystemBuffer, Length);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Irp->IoStatus.Status = GetExceptionCode();
    }
}

static VOID IopFreeBuffers(PIRP Irp)
{
    if (Irp->Flags & IRP_BUFFERED_IO)
    {
        if ((Irp->Flags & IRP_INPUT_OPERATION) && !NT_ERROR(Irp->IoStatus.Status) && Irp->IoStatus.Information != 0 &&
            Irp->IoStatus.Status != STATUS_VERIFY_REQUIRED && Irp->AssociatedIrp.SystemBuffer != NULL)
        {
            IopCopyBack(Irp);
        }
        if ((Irp->Flags & IRP_DEALLOCATE_BUFFER) && Irp->AssociatedIrp.SystemBuffer != NULL)
        {
            ExFreePool(Irp->AssociatedIrp.SystemBuffer);
        }
        Irp->Flags &= ~(IRP_BUFFERED_IO | IRP_DEALLOCATE_BUFFER);
    }
    for (PMDL Mdl = Irp->MdlAddress, Next; Mdl != NULL; Mdl = Next)
    {
        Next = Mdl->Next;
        IoFreeMdl(Mdl);
    }
    Irp->MdlAddress = NULL;
}

VOID IopWriteIosb(PIO_STATUS_BLOCK Iosb, NTSTATUS Status, ULONG_PTR Information)
{
    __try
    {
        /* Information first: whoever polls Status must then find it. */
        *(volatile ULONG_PTR *)&Iosb->Information = Information;
        *(volatile NTSTATUS *)&Iosb->Status = Status;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
    }
}

/* An event that stays signalled needs no dispatcher lock. */
static inline VOID IopSetFileEvent(PFILE_OBJECT File, NTSTATUS Status)
{
    File->FinalStatus = Status;
    if (File->Event.Header.SignalState == 0)
    {
        KeSetEvent(&File->Event, IO_NO_INCREMENT, FALSE);
    }
}

/* Success, warning, or an error that the caller learns later: everything that was asked for happens. */
static VOID IopTellCaller(PIRP Irp, PFILE_OBJECT File)
{
    PIO_COMPLETION_CONTEXT Port = NULL;
    PKEVENT Event = Irp->UserEvent;
    BOOLEAN SynchronousFile = File != NULL && (File->Flags & FO_SYNCHRONOUS_IO);

    IopWriteIosb(Irp->UserIosb, Irp->IoStatus.Status, Irp->IoStatus.Information);
    if (File != NULL && !SynchronousFile && !(Irp->Flags & IRP_SYNCHRONOUS_API) &&
        !((File->Flags & FO_SKIP_COMPLETION_PORT) && !Irp->PendingReturned))
    {
        Port = File->CompletionContext;
    }
    if (Event != NULL)
    {
        KeSetEvent(Event, IO_NO_INCREMENT, FALSE);
        if (File != NULL)
        {
            if (!(Irp->Flags & IRP_SYNCHRONOUS_API))
            {
                ObDereferenceObject(Event);
            }
            if (SynchronousFile)
            {
                IopSetFileEvent(File, Irp->IoStatus.Status);
            }
        }
    }
    else if (File != NULL && !(File->Flags & FO_SKIP_SET_EVENT))
    {
        IopSetFileEvent(File, Irp->IoStatus.Status);
    }
    IopDequeueThreadIrp(Irp);
    if (Irp->Flags & IRP_CREATE_OPERATION)
    {
        IoFreeIrp(Irp); /* its Overlay is the allocation size */
    }
    else if (Irp->Overlay.AsynchronousParameters.UserApcRoutine != NULL)
    {
        KeInitializeApc(&Irp->Tail.Apc, KiCurrentThread(), CurrentApcEnvironment, IopUserApcDelivered,
                        IopUserApcRundown, (PKNORMAL_ROUTINE)(PVOID)Irp->Overlay.AsynchronousParameters.UserApcRoutine,
                        Irp->RequestorMode, Irp->Overlay.AsynchronousParameters.UserApcContext);
        if (!KeInsertQueueApc(&Irp->Tail.Apc, Irp->UserIosb, NULL, 2))
        {
            IoFreeIrp(Irp);
        }
    }
    else if (Port != NULL && Irp->Overlay.AsynchronousParameters.UserApcContext != NULL)
    {
        IopPostIrp(Port, Irp);
    }
    else
    {
        IoFreeIrp(Irp);
    }
}

/* An error that the caller gets as the service's result: only who waits is woken. */
static VOID IopTellFailure(PIRP Irp, PFILE_OBJECT File)
{
    if (Irp->Flags & IRP_SYNCHRONOUS_API)
    {
        *Irp->UserIosb = Irp->IoStatus;
        if (Irp->UserEvent != NULL)
        {
            KeSetEvent(Irp->UserEvent, IO_NO_INCREMENT, FALSE);
        }
    }
    else if (File != NULL && Irp->PendingReturned)
    {
        IopSetFileEvent(File, Irp->IoStatus.Status);
    }
    if (Irp->UserEvent != NULL && File != NULL && !(Irp->Flags & IRP_SYNCHRONOUS_API))
    {
        ObDereferenceObject(Irp->UserEvent);
    }
    IopDequeueThreadIrp(Irp);
    IoFreeIrp(Irp);
}

/*
 * C9, C and D: the status block or the event lie on this thread's stack, below what is in use of it. (In the part that
 * this routine and the APC around it use they are not told from their own variables.)
 */
static VOID IopCheckStack(PIRP Irp)
{
    PKTHREAD Thread = KiCurrentThread();
    ULONG_PTR Unused = (ULONG_PTR)__builtin_frame_address(0) - (ULONG_PTR)Thread->StackLimit;

    if ((ULONG_PTR)__builtin_frame_address(0) >= (ULONG_PTR)Thread->StackBase || !VfOption(VfIoChecks))
    {
        return;
    }
    if ((ULONG_PTR)Irp->UserIosb - (ULONG_PTR)Thread->StackLimit < Unused)
    {
        KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x0C, (ULONG_PTR)Irp->UserIosb, 0, 0);
    }
    if ((ULONG_PTR)Irp->UserEvent - (ULONG_PTR)Thread->StackLimit < Unused)
    {
        KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x0D, (ULONG_PTR)Irp->UserEvent, 0, 0);
    }
}

NTSTATUS IopFinishRequestStatus(PIRP Irp, PFILE_OBJECT File)
{
    NTSTATUS Status;
    BOOLEAN Synchronous = (Irp->Flags & IRP_SYNCHRONOUS_API) || (File != NULL && (File->Flags & FO_SYNCHRONOUS_IO));
    KIRQL Irql;

    IopCheckStack(Irp);
    if (Irp->Flags & IRP_BUFFERED_IO || Irp->MdlAddress != NULL)
    {
        IopFreeBuffers(Irp);
    }
    Status = Irp->IoStatus.Status;
    KeRaiseIrql(APC_LEVEL, &Irql);
    if (!NT_ERROR(Irp->IoStatus.Status) || (Irp->PendingReturned && !Synchronous))
    {
        IopTellCaller(Irp, File);
    }
    else
    {
        IopTellFailure(Irp, File);
    }
    KeLowerIrql(Irql);
    if (File != NULL)
    {
        ObDereferenceObject(File);
    }
    return Status;
}

VOID IopFinishRequest(PIRP Irp, PFILE_OBJECT File)
{
    IopFinishRequestStatus(Irp, File);
}
