/* SPDX-License-Identifier: MIT */
/*
 * What all services that send a request have in common: the file and its lock, the event, the IRP, sending, waiting.
 *
 * Two shapes. A request of a caller's (read, write, control): the IRP owns the references and reports through the
 * caller's status block; IopSendRequest. A question the I/O manager itself asks and waits for (create, information,
 * volume): the answer comes back in kernel memory; IopCallAndWait.
 */
#include "iop.h"

/* Waits for the file's lock. Ownership is Busy; the event only wakes those who count themselves in Waiters. */
NTSTATUS IopAcquireFileLockSlow(PFILE_OBJECT File, KPROCESSOR_MODE Mode)
{
    NTSTATUS Status = STATUS_SUCCESS;

    InterlockedIncrement((volatile LONG *)&File->Waiters);
    while (InterlockedExchange((volatile LONG *)&File->Busy, 1) != 0)
    {
        Status = KeWaitForSingleObject(&File->Lock, Executive, Mode, (File->Flags & FO_ALERTABLE_IO) != 0, NULL);
        if (Status != STATUS_SUCCESS)
        {
            break;
        }
    }
    InterlockedDecrement((volatile LONG *)&File->Waiters);
    if (Status != STATUS_SUCCESS)
    {
        /* The wake-up may have been meant for us: pass it on. */
        if (File->Busy == 0 && File->Waiters != 0)
        {
            KeSetEvent(&File->Lock, IO_NO_INCREMENT, FALSE);
        }
        return NT_SUCCESS(Status) ? STATUS_CANCELLED : Status;
    }
    return STATUS_SUCCESS;
}

VOID IopReleaseFileLock(PFILE_OBJECT File)
{
    InterlockedExchange((volatile LONG *)&File->Busy, 0); /* a full barrier before Waiters is read */
    if (File->Waiters != 0)
    {
        KeSetEvent(&File->Lock, IO_NO_INCREMENT, FALSE);
    }
}

NTSTATUS IopBeginRequest(IOP_REQUEST *Request, HANDLE FileHandle, HANDLE EventHandle, ACCESS_MASK Access,
                         PIO_APC_ROUTINE ApcRoutine)
{
    OBJECT_HANDLE_INFORMATION Information;
    PFILE_OBJECT File;
    NTSTATUS Status;

    Request->Mode = ExGetPreviousMode();
    Request->Event = NULL;
    Request->Irp = NULL;
    Request->Synchronous = FALSE;
    Status =
        ObReferenceObjectByHandle(FileHandle, Access, IoFileObjectType, Request->Mode, (PVOID *)&File, &Information);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Request->File = File;
    Request->Granted = Information.GrantedAccess;
    if (ApcRoutine != NULL && File->CompletionContext != NULL)
    {
        ObDereferenceObject(File);
        return STATUS_INVALID_PARAMETER;
    }
    if (EventHandle != NULL)
    {
        Status = ObReferenceObjectByHandle(EventHandle, EVENT_MODIFY_STATE, ExEventObjectType, Request->Mode,
                                           (PVOID *)&Request->Event, NULL);
        if (!NT_SUCCESS(Status))
        {
            ObDereferenceObject(File);
            return Status;
        }
        KeClearEvent(Request->Event);
    }
    if (File->Flags & FO_SYNCHRONOUS_IO)
    {
        Status = IopAcquireFileLock(File, Request->Mode);
        if (!NT_SUCCESS(Status))
        {
            IopEndRequest(Request);
            return Status;
        }
        Request->Synchronous = TRUE;
    }
    Request->Device = IopTopDevice(File);
    return STATUS_SUCCESS;
}

VOID IopEndRequest(IOP_REQUEST *Request)
{
    if (Request->Irp != NULL)
    {
        IopDiscardRequest(Request->Irp);
        Request->Irp = NULL;
    }
    if (Request->Synchronous)
    {
        IopReleaseFileLock(Request->File);
    }
    if (Request->Event != NULL)
    {
        ObDereferenceObject(Request->Event);
    }
    ObDereferenceObject(Request->File);
}

NTSTATUS IopBuildRequest(IOP_REQUEST *Request, UCHAR Major, PIO_STATUS_BLOCK Iosb, PIO_APC_ROUTINE ApcRoutine,
                         PVOID ApcContext, PIO_STACK_LOCATION *Stack)
{
    PIRP Irp = IopAllocateIrp(Request->Device->StackSize);

    if (Irp == NULL)
    {
        IopEndRequest(Request);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Request->Irp = Irp;
    Irp->Tail.Overlay.OriginalFileObject = Request->File;
    Irp->Tail.Overlay.Thread = PsGetCurrentThread();
    Irp->RequestorMode = Request->Mode;
    Irp->UserIosb = Iosb;
    Irp->UserEvent = Request->Event;
    Irp->Overlay.AsynchronousParameters.UserApcRoutine = ApcRoutine;
    Irp->Overlay.AsynchronousParameters.UserApcContext = ApcContext;
    *Stack = IoGetNextIrpStackLocation(Irp);
    (*Stack)->MajorFunction = Major;
    (*Stack)->FileObject = Request->File;
    return STATUS_SUCCESS;
}

static __attribute__((noinline)) VOID IopCheckReturn(PIRP Irp, PDEVICE_OBJECT Device, UCHAR Major, NTSTATUS Status)
{
    if (Status == STATUS_PENDING)
    {
        if (!Irp->PendingReturned)
        {
            IopReportViolation(0x24C, Device, Major, Irp, (ULONG_PTR)Device);
        }
    }
    else if (Irp->PendingReturned)
    {
        IopReportViolation(0x23E, Device, Major, Irp, (ULONG_PTR)Device);
    }
    else if (Status != Irp->IoStatus.Status)
    {
        IopReportViolation(0x224, Device, Major, Irp, (ULONG)Irp->IoStatus.Status);
    }
}

BOOLEAN IopLeaveRequest(PIRP Irp, PDEVICE_OBJECT Device, UCHAR Major, NTSTATUS Status)
{
    IOP_IRP_HEADER *Header = IopIrpHeader(Irp);

    if (Header->Rendezvous == IOP_RENDEZVOUS_OPEN)
    {
        if (Status != STATUS_PENDING)
        {
            /* Neither completed nor pended: unless another thread is just completing it, it is lost. */
            IopReportViolation(0x226, Device, Major, Irp, (ULONG_PTR)Device);
        }
        if (_InterlockedExchange8(&Header->Rendezvous, IOP_RENDEZVOUS_ISSUER_LEFT) == IOP_RENDEZVOUS_OPEN)
        {
            return FALSE;
        }
    }
    if (Irp->PendingReturned || Status != Irp->IoStatus.Status)
    {
        IopCheckReturn(Irp, Device, Major, Status);
        Irp->PendingReturned = Status == STATUS_PENDING;
    }
    return TRUE;
}

NTSTATUS IopSendRequest(IOP_REQUEST *Request)
{
    PIRP Irp = Request->Irp;
    PFILE_OBJECT File = Request->File;
    UCHAR Major = IoGetNextIrpStackLocation(Irp)->MajorFunction;
    BOOLEAN Synchronous = Request->Synchronous;
    NTSTATUS Status;

    if (Synchronous)
    {
        ObReferenceObject(File); /* the IRP's own reference goes with it; the lock lies in the file */
    }
    IopIrpHeader(Irp)->Rendezvous = IOP_RENDEZVOUS_OPEN;
    IopQueueThreadIrp(Irp);
    Status = IofCallDriver(Request->Device, Irp);
    if (Status == STATUS_PENDING && IopIrpHeader(Irp)->Rendezvous == IOP_RENDEZVOUS_OPEN)
    {
        /* Before the issuer leaves, because from then on the completion may set it. A request that is completed at
           once leaves the event signalled from the one before. */
        KeClearEvent(&File->Event);
    }
    if (IopLeaveRequest(Irp, Request->Device, Major, Status))
    {
        NTSTATUS Before = Irp->IoStatus.Status;
        NTSTATUS After = IopFinishRequestStatus(Irp, File);

        /* The service says what the dispatch routine said, unless the file is synchronous and had to be waited for, or
           copying the output to the caller failed. */
        if (After != Before || (Synchronous && Status == STATUS_PENDING))
        {
            Status = After;
        }
    }
    else if (Synchronous && Status == STATUS_PENDING)
    {
        NTSTATUS Wait = KeWaitForSingleObject(&File->Event, Executive, Request->Mode,
                                              (File->Flags & FO_ALERTABLE_IO) != 0, NULL);
        if (Wait != STATUS_SUCCESS)
        {
            IopCancelAlertedRequest(&File->Event, Irp);
        }
        Status = File->FinalStatus;
    }
    if (Synchronous)
    {
        IopReleaseFileLock(File);
        ObDereferenceObject(File);
    }
    return Status;
}

NTSTATUS IopCallAndWait(PDEVICE_OBJECT Device, PIRP Irp, PIO_STATUS_BLOCK Iosb)
{
    UCHAR Major = IoGetNextIrpStackLocation(Irp)->MajorFunction;
    KEVENT Event;
    NTSTATUS Status;

    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Iosb->Status = STATUS_PENDING;
    Iosb->Information = 0;
    Irp->Flags |= IRP_SYNCHRONOUS_API;
    Irp->UserIosb = Iosb;
    Irp->UserEvent = &Event;
    Irp->Tail.Overlay.Thread = PsGetCurrentThread();
    IopIrpHeader(Irp)->Rendezvous = IOP_RENDEZVOUS_OPEN;
    IopQueueThreadIrp(Irp);
    Status = IofCallDriver(Device, Irp);
    if (IopLeaveRequest(Irp, Device, Major, Status))
    {
        Irp->UserEvent = NULL;
        IopFinishRequest(Irp, NULL);
    }
    else
    {
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    }
    return Iosb->Status;
}

NTSTATUS IopQuerySetFile(PFILE_OBJECT File, UCHAR Major, ULONG Class, PVOID Buffer, ULONG Length,
                         PULONG_PTR Information)
{
    PDEVICE_OBJECT Device = IopTopDevice(File);
    PIRP Irp = IopAllocateIrp(Device->StackSize);
    PIO_STACK_LOCATION Stack;
    IO_STATUS_BLOCK Iosb;
    NTSTATUS Status;

    if (Irp == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Irp->Tail.Overlay.OriginalFileObject = File;
    Irp->AssociatedIrp.SystemBuffer = Buffer; /* kernel memory: no copy is needed */
    Irp->Flags = IRP_BUFFERED_IO;
    Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = Major;
    Stack->FileObject = File;
    /* Length and class lie at the same place in the four parameter blocks this is used for. */
    Stack->Parameters.QueryFile.Length = Length;
    Stack->Parameters.QueryFile.FileInformationClass = Class;
    Status = IopCallAndWait(Device, Irp, &Iosb);
    if (Information != NULL)
    {
        *Information = Iosb.Information;
    }
    return Status;
}
