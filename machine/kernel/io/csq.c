/* SPDX-License-Identifier: MIT */
/*
 * Cancel-safe queues: the driver supplies list and lock, these routines the dance with IoCancelIrp.
 *
 * A queued IRP has IopCsqCancel as its cancel routine, and in Tail.Overlay.DriverContext[3] either the queue or the
 * caller's context (which names both). Whoever gets a non-NULL answer when he clears the cancel routine owns the IRP.
 */
#include "iop.h"

#ifndef IO_TYPE_CSQ_IRP_CONTEXT
#define IO_TYPE_CSQ_IRP_CONTEXT 1
#endif
#ifndef IO_TYPE_CSQ
#define IO_TYPE_CSQ 2
#endif
#ifndef IO_TYPE_CSQ_EX
#define IO_TYPE_CSQ_EX 3
#endif

static VOID IopCsqFill(PIO_CSQ Csq, ULONG Type, PIO_CSQ_REMOVE_IRP Remove, PIO_CSQ_PEEK_NEXT_IRP Peek,
                       PIO_CSQ_ACQUIRE_LOCK Acquire, PIO_CSQ_RELEASE_LOCK Release,
                       PIO_CSQ_COMPLETE_CANCELED_IRP Complete)
{
    Csq->Type = Type;
    Csq->CsqRemoveIrp = Remove;
    Csq->CsqPeekNextIrp = Peek;
    Csq->CsqAcquireLock = Acquire;
    Csq->CsqReleaseLock = Release;
    Csq->CsqCompleteCanceledIrp = Complete;
    Csq->ReservePointer = NULL;
}

/** Prepares a queue whose insert routine cannot fail. IRQL any. */
NTSTATUS NTAPI IoCsqInitialize(_In_ PIO_CSQ Csq, _In_ PIO_CSQ_INSERT_IRP CsqInsertIrp,
                               _In_ PIO_CSQ_REMOVE_IRP CsqRemoveIrp, _In_ PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp,
                               _In_ PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock, _In_ PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                               _In_ PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp)
{
    IopCsqFill(Csq, IO_TYPE_CSQ, CsqRemoveIrp, CsqPeekNextIrp, CsqAcquireLock, CsqReleaseLock, CsqCompleteCanceledIrp);
    Csq->CsqInsertIrp = CsqInsertIrp;
    return STATUS_SUCCESS;
}

/** Prepares a queue whose insert routine may refuse. IRQL any. */
NTSTATUS NTAPI IoCsqInitializeEx(_In_ PIO_CSQ Csq, _In_ PIO_CSQ_INSERT_IRP_EX CsqInsertIrp,
                                 _In_ PIO_CSQ_REMOVE_IRP CsqRemoveIrp, _In_ PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp,
                                 _In_ PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock, _In_ PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                                 _In_ PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp)
{
    IopCsqFill(Csq, IO_TYPE_CSQ_EX, CsqRemoveIrp, CsqPeekNextIrp, CsqAcquireLock, CsqReleaseLock,
               CsqCompleteCanceledIrp);
    Csq->CsqInsertIrp = (PIO_CSQ_INSERT_IRP)(PVOID)CsqInsertIrp;
    return STATUS_SUCCESS;
}

/* The cancel routine; called with the cancel spin lock held. */
static VOID NTAPI IopCsqCancel(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_CSQ Csq = Irp->Tail.Overlay.DriverContext[3];
    PIO_CSQ_IRP_CONTEXT Context = NULL;
    KIRQL Irql;

    IoReleaseCancelSpinLock(Irp->CancelIrql);
    if (Csq->Type == IO_TYPE_CSQ_IRP_CONTEXT)
    {
        Context = (PIO_CSQ_IRP_CONTEXT)Csq;
        Csq = Context->Csq;
    }
    Csq->CsqAcquireLock(Csq, &Irql);
    Csq->CsqRemoveIrp(Csq, Irp);
    if (Context != NULL)
    {
        Context->Irp = NULL;
    }
    Irp->Tail.Overlay.DriverContext[3] = NULL;
    Csq->CsqReleaseLock(Csq, Irql);
    Csq->CsqCompleteCanceledIrp(Csq, Irp);
}

/*
 * Takes an IRP off the queue again if it was cancelled before the routine was set. TRUE: the caller must complete it.
 */
static BOOLEAN IopCsqWasCancelled(PIRP Irp)
{
    return Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL;
}

static NTSTATUS IopCsqInsert(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context, PVOID InsertContext)
{
    NTSTATUS Status = STATUS_SUCCESS;
    BOOLEAN Cancelled = FALSE;
    KIRQL Irql;

    Csq->CsqAcquireLock(Csq, &Irql);
    if (Context != NULL)
    {
        Context->Type = IO_TYPE_CSQ_IRP_CONTEXT;
        Context->Irp = Irp;
        Context->Csq = Csq;
        Irp->Tail.Overlay.DriverContext[3] = Context;
    }
    else
    {
        Irp->Tail.Overlay.DriverContext[3] = Csq;
    }
    IoMarkIrpPending(Irp);
    if (Csq->Type == IO_TYPE_CSQ_EX)
    {
        Status = ((PIO_CSQ_INSERT_IRP_EX)(PVOID)Csq->CsqInsertIrp)(Csq, Irp, InsertContext);
    }
    else
    {
        Csq->CsqInsertIrp(Csq, Irp);
    }
    if (!NT_SUCCESS(Status))
    {
        IoGetCurrentIrpStackLocation(Irp)->Control &= ~SL_PENDING_RETURNED;
        Irp->Tail.Overlay.DriverContext[3] = NULL;
        if (Context != NULL)
        {
            Context->Irp = NULL;
        }
        Csq->CsqReleaseLock(Csq, Irql);
        return Status;
    }
    IoSetCancelRoutine(Irp, IopCsqCancel);
    if (IopCsqWasCancelled(Irp))
    {
        Cancelled = TRUE;
        Csq->CsqRemoveIrp(Csq, Irp);
        if (Context != NULL)
        {
            Context->Irp = NULL;
        }
        Irp->Tail.Overlay.DriverContext[3] = NULL;
    }
    Csq->CsqReleaseLock(Csq, Irql);
    if (Cancelled)
    {
        Csq->CsqCompleteCanceledIrp(Csq, Irp);
    }
    return Status;
}

/** Queues an IRP and marks it pending. Context, if given, lets IoCsqRemoveIrp find it. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoCsqInsertIrp(_In_ PIO_CSQ Csq, _In_ PIRP Irp, _In_opt_ PIO_CSQ_IRP_CONTEXT Context)
{
    IopCsqInsert(Csq, Irp, Context, NULL);
}

/** As IoCsqInsertIrp; returns what the driver's insert routine said. IRQL <= DISPATCH_LEVEL. */
NTSTATUS NTAPI IoCsqInsertIrpEx(_In_ PIO_CSQ Csq, _In_ PIRP Irp, _In_opt_ PIO_CSQ_IRP_CONTEXT Context,
                                _In_opt_ PVOID InsertContext)
{
    return IopCsqInsert(Csq, Irp, Context, InsertContext);
}

/* Takes ownership of a queued IRP from its cancellation. Queue lock held. */
static BOOLEAN IopCsqClaim(PIO_CSQ Csq, PIRP Irp)
{
    if (IoSetCancelRoutine(Irp, NULL) == NULL)
    {
        return FALSE; /* the cancel routine is on its way and will take it */
    }
    Csq->CsqRemoveIrp(Csq, Irp);
    if (Irp->Tail.Overlay.DriverContext[3] != Csq)
    {
        ((PIO_CSQ_IRP_CONTEXT)Irp->Tail.Overlay.DriverContext[3])->Irp = NULL;
    }
    Irp->Tail.Overlay.DriverContext[3] = NULL;
    return TRUE;
}

/** Takes the first IRP that matches PeekContext, or returns NULL. IRQL <= DISPATCH_LEVEL. */
PIRP NTAPI IoCsqRemoveNextIrp(_In_ PIO_CSQ Csq, _In_opt_ PVOID PeekContext)
{
    PIRP Irp;
    KIRQL Irql;

    Csq->CsqAcquireLock(Csq, &Irql);
    for (Irp = Csq->CsqPeekNextIrp(Csq, NULL, PeekContext); Irp != NULL;
         Irp = Csq->CsqPeekNextIrp(Csq, Irp, PeekContext))
    {
        if (IopCsqClaim(Csq, Irp))
        {
            break;
        }
    }
    Csq->CsqReleaseLock(Csq, Irql);
    return Irp;
}

/** Takes one particular IRP, or returns NULL if it was cancelled or taken. IRQL <= DISPATCH_LEVEL. */
PIRP NTAPI IoCsqRemoveIrp(_In_ PIO_CSQ Csq, _In_ PIO_CSQ_IRP_CONTEXT Context)
{
    PIRP Irp;
    KIRQL Irql;

    Csq->CsqAcquireLock(Csq, &Irql);
    Irp = Context->Irp;
    if (Irp != NULL && !IopCsqClaim(Csq, Irp))
    {
        Irp = NULL;
    }
    Csq->CsqReleaseLock(Csq, Irql);
    return Irp;
}
