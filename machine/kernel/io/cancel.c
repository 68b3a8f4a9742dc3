/* SPDX-License-Identifier: MIT */
/*
 * Cancelling requests: one, a thread's, or a file's.
 *
 * A thread's list of requests is looked at only by that thread at APC_LEVEL. At that level no request of it can be
 * finished (that takes an APC to the same thread), so the IRPs stay valid while they are being cancelled. Another
 * thread that wants to cancel sends a special kernel APC.
 */
#include "iop.h"

KSPIN_LOCK IopCancelLock;

/** Takes the system-wide cancel spin lock. IRQL <= DISPATCH_LEVEL, raised to DISPATCH_LEVEL. */
VOID NTAPI IoAcquireCancelSpinLock(_Out_ PKIRQL Irql)
{
    KeAcquireSpinLock(&IopCancelLock, Irql);
}

/** Releases the cancel spin lock; a cancel routine passes Irp->CancelIrql. IRQL DISPATCH_LEVEL. */
VOID NTAPI IoReleaseCancelSpinLock(_In_ KIRQL Irql)
{
    KeReleaseSpinLock(&IopCancelLock, Irql);
}

/**
 * Marks an IRP as cancelled and calls its cancel routine if there is one.
 * @return TRUE if a cancel routine was called (which completes the IRP, now or later).
 * Bug check 48 if a completed IRP still has a cancel routine. IRQL <= DISPATCH_LEVEL.
 */
BOOLEAN NTAPI IoCancelIrp(_In_ PIRP Irp)
{
    PDRIVER_CANCEL Routine;
    KIRQL Irql;

    KeAcquireSpinLock(&IopCancelLock, &Irql);
    Irp->Cancel = TRUE;
    Routine = IoSetCancelRoutine(Irp, NULL);
    if (Routine == NULL)
    {
        KeReleaseSpinLock(&IopCancelLock, Irql);
        return FALSE;
    }
    if (Irp->CurrentLocation > Irp->StackCount + 1)
    {
        KeBugCheckEx(CANCEL_STATE_IN_COMPLETED_IRP, (ULONG_PTR)Irp, (ULONG_PTR)Routine, 0, 0);
    }
    Irp->CancelIrql = Irql;
    Routine(IoGetCurrentIrpStackLocation(Irp)->DeviceObject, Irp);
    return TRUE;
}

typedef struct _IOP_CANCEL_MATCH
{
    PFILE_OBJECT File;        /* NULL: any */
    PIO_STATUS_BLOCK Iosb;    /* NULL: any */
} IOP_CANCEL_MATCH;

static BOOLEAN IopMatches(PIRP Irp, const IOP_CANCEL_MATCH *Match)
{
    if (Irp->CurrentLocation > Irp->StackCount + 1)
    {
        return FALSE; /* completed, its APC is on the way: there is nothing to cancel, and Tail is the APC */
    }
    return (Match->File == NULL || Irp->Tail.Overlay.OriginalFileObject == Match->File) &&
           (Match->Iosb == NULL || Irp->UserIosb == Match->Iosb);
}

/* Cancels the matching requests of the calling thread; returns how many there are. APC_LEVEL. */
static ULONG IopCancelOwnRequests(const IOP_CANCEL_MATCH *Match)
{
    PETHREAD Thread = PsGetCurrentThread();
    ULONG Count = 0;

    for (PLIST_ENTRY Entry = Thread->IrpList.Flink; Entry != &Thread->IrpList; Entry = Entry->Flink)
    {
        PIRP Irp = CONTAINING_RECORD(Entry, IRP, ThreadListEntry);
        if (IopMatches(Irp, Match))
        {
            Count++;
            IoCancelIrp(Irp);
        }
    }
    return Count;
}

static VOID IopWaitTenMilliseconds(VOID)
{
    LARGE_INTEGER Delay = { .QuadPart = -10 * 10000 };
    KeDelayExecutionThread(KernelMode, FALSE, &Delay);
}

/*
 * At thread exit. Drivers get five minutes (option=iotimeout:<seconds>) to let go; what they keep is cut off from the
 * thread then and freed when they complete it.
 */
VOID IoCancelThreadIo(PETHREAD Thread)
{
    IOP_CANCEL_MATCH Match = {0};
    ULONG64 Rounds = VfOptionValue("iotimeout", 300) * 100;
    KIRQL Irql;

    if (IsListEmpty(&Thread->IrpList))
    {
        return;
    }
    KeRaiseIrql(APC_LEVEL, &Irql);
    IopCancelOwnRequests(&Match);
    KeLowerIrql(Irql);
    while (!IsListEmpty(&Thread->IrpList))
    {
        if (Rounds-- == 0)
        {
            KeRaiseIrql(APC_LEVEL, &Irql);
            while (!IsListEmpty(&Thread->IrpList))
            {
                PIRP Irp = CONTAINING_RECORD(Thread->IrpList.Flink, IRP, ThreadListEntry);
                HalPrint(HalStreamError, "I/O: a thread ends although IRP %p could not be cancelled\n", (PVOID)Irp);
                IopDisownRequest(Irp);
            }
            KeLowerIrql(Irql);
            return;
        }
        IopWaitTenMilliseconds();
    }
}

/* A synchronous wait was broken by an alert or by the thread's end: cancels the request, then waits for it. */
VOID IopCancelAlertedRequest(PKEVENT Event, PIRP Irp)
{
    KIRQL Irql;

    KeRaiseIrql(APC_LEVEL, &Irql);
    if (KeReadStateEvent(Event) == 0)
    {
        IoCancelIrp(Irp);
    }
    KeLowerIrql(Irql);
    KeWaitForSingleObject(Event, Executive, KernelMode, FALSE, NULL);
}

/**
 * Cancels the calling thread's requests on a file and waits until they are done.
 * IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtCancelIoFile(_In_ HANDLE FileHandle, _Out_ PIO_STATUS_BLOCK IoStatusBlock)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    IOP_CANCEL_MATCH Match = {0};
    PVOID File;
    BOOLEAN Left;
    KIRQL Irql;
    NTSTATUS Status;

    if (Mode != KernelMode)
    {
        __try
        {
            IopProbeIosb(IoStatusBlock);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            return GetExceptionCode();
        }
    }
    Status = ObReferenceObjectByHandle(FileHandle, 0, IoFileObjectType, Mode, &File, NULL);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Match.File = File;
    KeRaiseIrql(APC_LEVEL, &Irql);
    Left = IopCancelOwnRequests(&Match) != 0;
    KeLowerIrql(Irql);
    while (Left)
    {
        Left = FALSE;
        KeRaiseIrql(APC_LEVEL, &Irql);
        for (PLIST_ENTRY Entry = PsGetCurrentThread()->IrpList.Flink; Entry != &PsGetCurrentThread()->IrpList;
             Entry = Entry->Flink)
        {
            Left |= IopMatches(CONTAINING_RECORD(Entry, IRP, ThreadListEntry), &Match);
        }
        KeLowerIrql(Irql);
        if (Left)
        {
            IopWaitTenMilliseconds();
        }
    }
    IopWriteIosb(IoStatusBlock, STATUS_SUCCESS, 0);
    ObDereferenceObject(File);
    return STATUS_SUCCESS;
}

/* One cancellation by another thread, shared by the APCs sent. */
typedef struct _IOP_CANCEL_CALL
{
    IOP_CANCEL_MATCH Match;
    volatile LONG Found;
    volatile LONG Outstanding;
    KEVENT Done;
} IOP_CANCEL_CALL;

typedef struct _IOP_CANCEL_APC
{
    KAPC Apc;
    PETHREAD Thread;
    IOP_CANCEL_CALL *Call;
} IOP_CANCEL_APC;

static VOID IopCancelApcDone(IOP_CANCEL_APC *Apc)
{
    if (InterlockedDecrement(&Apc->Call->Outstanding) == 0)
    {
        KeSetEvent(&Apc->Call->Done, IO_NO_INCREMENT, FALSE);
    }
}

static VOID NTAPI IopCancelApc(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *A1, PVOID *A2)
{
    IOP_CANCEL_APC *Self = CONTAINING_RECORD(Apc, IOP_CANCEL_APC, Apc);
    InterlockedAdd(&Self->Call->Found, (LONG)IopCancelOwnRequests(&Self->Call->Match));
    IopCancelApcDone(Self);
}

static VOID NTAPI IopCancelApcRundown(PKAPC Apc)
{
    IopCancelApcDone(CONTAINING_RECORD(Apc, IOP_CANCEL_APC, Apc));
}

/* References the threads of the current process but the caller. The array is the caller's to free. */
static NTSTATUS IopCollectThreads(IOP_CANCEL_APC **Apcs, PULONG Count)
{
    PEPROCESS Process = PsGetCurrentProcess();
    ULONG Room = (ULONG)Process->ActiveThreads + 8, Used = 0;
    IOP_CANCEL_APC *Array = ExAllocatePoolWithTag(NonPagedPoolNx, Room * sizeof(*Array), IOP_TAG_PACKET);

    if (Array == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ExAcquireFastMutex(&Process->ProcessLock);
    for (PLIST_ENTRY Entry = Process->ThreadListHead.Flink; Entry != &Process->ThreadListHead && Used < Room;
         Entry = Entry->Flink)
    {
        PETHREAD Thread = CONTAINING_RECORD(Entry, ETHREAD, ThreadListEntry);
        if (Thread != PsGetCurrentThread() && ObReferenceObjectSafe(Thread))
        {
            Array[Used++].Thread = Thread;
        }
    }
    ExReleaseFastMutex(&Process->ProcessLock);
    *Apcs = Array;
    *Count = Used;
    return STATUS_SUCCESS;
}

static NTSTATUS IopCancelInProcess(const IOP_CANCEL_MATCH *Match)
{
    IOP_CANCEL_CALL Call = { .Match = *Match, .Outstanding = 1 };
    IOP_CANCEL_APC *Apcs;
    ULONG Count;
    KIRQL Irql;
    NTSTATUS Status = IopCollectThreads(&Apcs, &Count);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    KeInitializeEvent(&Call.Done, NotificationEvent, FALSE);
    KeRaiseIrql(APC_LEVEL, &Irql);
    Call.Found = (LONG)IopCancelOwnRequests(Match);
    KeLowerIrql(Irql);
    for (ULONG Index = 0; Index < Count; Index++)
    {
        IOP_CANCEL_APC *Apc = &Apcs[Index];
        Apc->Call = &Call;
        InterlockedIncrement(&Call.Outstanding);
        KeInitializeApc(&Apc->Apc, &Apc->Thread->Tcb, OriginalApcEnvironment, IopCancelApc, IopCancelApcRundown, NULL,
                        KernelMode, NULL);
        if (!KeInsertQueueApc(&Apc->Apc, NULL, NULL, IO_NO_INCREMENT))
        {
            InterlockedDecrement(&Call.Outstanding); /* the thread is ending and cancels its requests itself */
        }
    }
    if (InterlockedDecrement(&Call.Outstanding) != 0)
    {
        KeWaitForSingleObject(&Call.Done, Executive, KernelMode, FALSE, NULL);
    }
    for (ULONG Index = 0; Index < Count; Index++)
    {
        ObDereferenceObject(Apcs[Index].Thread);
    }
    ExFreePoolWithTag(Apcs, IOP_TAG_PACKET);
    return Call.Found != 0 ? STATUS_SUCCESS : STATUS_NOT_FOUND;
}

/**
 * Cancels requests of the whole process on a file, without waiting for their end.
 * @param IoRequestToCancel  The status block of the one request meant, or NULL for all. Only compared.
 * @return STATUS_NOT_FOUND if there is none. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtCancelIoFileEx(_In_ HANDLE FileHandle, _In_opt_ PIO_STATUS_BLOCK IoRequestToCancel,
                                _Out_ PIO_STATUS_BLOCK IoStatusBlock)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    IOP_CANCEL_MATCH Match = { .Iosb = IoRequestToCancel };
    PVOID File;
    NTSTATUS Status;

    if (Mode != KernelMode)
    {
        __try
        {
            IopProbeIosb(IoStatusBlock);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            return GetExceptionCode();
        }
    }
    Status = ObReferenceObjectByHandle(FileHandle, 0, IoFileObjectType, Mode, &File, NULL);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Match.File = File;
    Status = IopCancelInProcess(&Match);
    IopWriteIosb(IoStatusBlock, Status, 0);
    ObDereferenceObject(File);
    return Status;
}
