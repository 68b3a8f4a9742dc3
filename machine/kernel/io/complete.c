/* SPDX-License-Identifier: MIT */
/*
 * Completing an IRP, in two halves:
 *
 *   IofCompleteRequest   any thread, <= DISPATCH_LEVEL: calls the completion routines on the way up, unlocks the MDLs
 *   IopFinishRequest     the issuing thread, <= APC_LEVEL: copies buffered output back, frees, tells the caller
 *
 * The second half runs in the issuer itself if it is still there (see IOP_RENDEZVOUS_ in iop.h), else in a special
 * kernel APC to its thread.
 */
#include "iop.h"

static KSPIN_LOCK IopDisownLock; /* completion against the disowning of a request that could not be cancelled */

/* The file whose reference the IRP owns. A caller who waits on his own event (IRP_SYNCHRONOUS_API) keeps his. */
static inline PFILE_OBJECT IopOwnedFile(PIRP Irp)
{
    return (Irp->Flags & IRP_SYNCHRONOUS_API) ? NULL : Irp->Tail.Overlay.OriginalFileObject;
}

static VOID NTAPI IopFinishApc(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *File, PVOID *Unused)
{
    IopFinishRequest(CONTAINING_RECORD(Apc, IRP, Tail.Apc), *File);
}

/* Frees a request whose thread is gone: nothing can be copied back any more. <= DISPATCH_LEVEL. */
static VOID IopDropRequest(PIRP Irp, PFILE_OBJECT File)
{
    if (Irp->Flags & IRP_DEALLOCATE_BUFFER)
    {
        ExFreePool(Irp->AssociatedIrp.SystemBuffer);
    }
    for (PMDL Mdl = Irp->MdlAddress, Next; Mdl != NULL; Mdl = Next)
    {
        Next = Mdl->Next;
        IoFreeMdl(Mdl);
    }
    if (File != NULL)
    {
        if (Irp->UserEvent != NULL)
        {
            ObDereferenceObject(Irp->UserEvent);
        }
        ObDereferenceObject(File);
    }
    InitializeListHead(&Irp->ThreadListEntry);
    IoFreeIrp(Irp);
}

static VOID NTAPI IopFinishRundown(PKAPC Apc)
{
    PIRP Irp = CONTAINING_RECORD(Apc, IRP, Tail.Apc);
    IopDequeueThreadIrp(Irp);
    IopDropRequest(Irp, Apc->SystemArgument1);
}

VOID IopDisownRequest(PIRP Irp)
{
    KIRQL Irql;

    KeAcquireSpinLock(&IopDisownLock, &Irql);
    Irp->Tail.Overlay.Thread = NULL;
    RemoveEntryList(&Irp->ThreadListEntry);
    InitializeListHead(&Irp->ThreadListEntry);
    KeReleaseSpinLock(&IopDisownLock, Irql);
}

static VOID IopQueueFinish(PIRP Irp, PKTHREAD Thread, CCHAR Boost)
{
    PFILE_OBJECT File = IopOwnedFile(Irp);

    KeInitializeApc(&Irp->Tail.Apc, Thread, (KAPC_ENVIRONMENT)Irp->ApcEnvironment, IopFinishApc, IopFinishRundown, NULL,
                    KernelMode, NULL);
    KeInsertQueueApc(&Irp->Tail.Apc, File, NULL, Boost);
}

/* The way out of IofCompleteRequest for an IRP that belongs to a thread. */
static VOID IopCompleteToThread(PIRP Irp, CCHAR Boost)
{
    IOP_IRP_HEADER *Header = IopIrpHeader(Irp);
    PKTHREAD Thread;
    KIRQL Irql;

    if (Header->Rendezvous != IOP_RENDEZVOUS_NONE)
    {
        if (_InterlockedExchange8(&Header->Rendezvous, IOP_RENDEZVOUS_COMPLETED) == IOP_RENDEZVOUS_OPEN)
        {
            return;
        }
        if (!Irp->PendingReturned)
        {
            /* The issuer was told STATUS_PENDING by a driver that did not mark the IRP. */
            IopReportViolation(0x24C, NULL, 0, Irp, 0);
            Irp->PendingReturned = TRUE;
        }
    }
    Thread = (PKTHREAD)Irp->Tail.Overlay.Thread;
    if (Irp->Cancel)
    {
        KeAcquireSpinLock(&IopDisownLock, &Irql);
        Thread = (PKTHREAD)Irp->Tail.Overlay.Thread;
        if (Thread == NULL)
        {
            KeReleaseSpinLock(&IopDisownLock, Irql);
            IopDropRequest(Irp, IopOwnedFile(Irp));
            return;
        }
        IopQueueFinish(Irp, Thread, Boost);
        KeReleaseSpinLock(&IopDisownLock, Irql);
        return;
    }
    if (Thread == NULL)
    {
        /* An IRP of IoAllocateIrp came up to the I/O manager: its completion routine should have kept it. NT would
           fault on the missing thread; the rule's number is the machine's own. */
        KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x1000, (ULONG_PTR)Irp, 0, 0);
    }
    if (Thread == KiCurrentThread() && KeGetCurrentIrql() < APC_LEVEL && Thread->SpecialApcDisable == 0 &&
        Thread->ApcStateIndex == (UCHAR)Irp->ApcEnvironment)
    {
        /* The APC would be delivered before KeInsertQueueApc returned. */
        IopFinishRequest(Irp, IopOwnedFile(Irp));
        return;
    }
    IopQueueFinish(Irp, Thread, Boost);
}

static VOID IopCompleteAssociated(PIRP Irp, CCHAR Boost)
{
    PIRP Master = Irp->AssociatedIrp.MasterIrp;
    LONG Left = InterlockedDecrement(&Master->AssociatedIrp.IrpCount);

    for (PMDL Mdl = Irp->MdlAddress, Next; Mdl != NULL; Mdl = Next)
    {
        Next = Mdl->Next;
        IoFreeMdl(Mdl);
    }
    IoFreeIrp(Irp);
    if (Left == 0)
    {
        IofCompleteRequest(Master, Boost);
    }
}

static __attribute__((noinline)) VOID IopCheckCompletion(PIRP Irp)
{
    ULONG_PTR Rule = 0, P2 = (ULONG_PTR)Irp, P3 = 0;

    if (!VfOption(VfIoChecks))
    {
        return;
    }
    if (KeGetCurrentIrql() > DISPATCH_LEVEL)
    {
        Rule = 0x0E, P2 = KeGetCurrentIrql(), P3 = (ULONG_PTR)Irp;
    }
    else if (Irp->CancelRoutine != NULL)
    {
        Rule = 0x07, P2 = (ULONG_PTR)Irp->CancelRoutine, P3 = (ULONG_PTR)Irp;
    }
    else
    {
        Rule = 0x06, P2 = (ULONG)Irp->IoStatus.Status, P3 = (ULONG_PTR)Irp;
    }
    KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, Rule, P2, P3, 0);
}

static inline VOID IopClearLocation(PIO_STACK_LOCATION Location)
{
    Location->MinorFunction = 0;
    Location->Flags = 0;
    Location->Control = 0;
    __builtin_memset_inline(&Location->Parameters, 0, sizeof(Location->Parameters));
    Location->FileObject = NULL;
}

/* C4, FA and FB: what a completion routine must leave as it found it. */
static __attribute__((noinline)) VOID IopCheckRoutine(PVOID Routine, KIRQL Irql, ULONG Apcs)
{
    VfCheck(KeGetCurrentIrql() == Irql, 0xFA, (ULONG_PTR)Routine, Irql, KeGetCurrentIrql());
    VfCheck(KiCurrentThread()->CombinedApcDisable == Apcs, 0xFB, (ULONG_PTR)Routine,
            (ULONG_PTR)(LONG_PTR)KiCurrentThread()->KernelApcDisable, (ULONG_PTR)(LONG_PTR)(SHORT)Apcs);
}

/*
 * C9, 312: more bytes than the caller's buffer has. Looked at when all drivers are done with the IRP; who completed it
 * is named, though a driver above may have changed the figure. Only IRPs of the I/O manager's own requests have these
 * flags together, and a header.
 */
static inline VOID IopCheckOutput(PIRP Irp, PDEVICE_OBJECT Device, PVOID Caller)
{
    const ULONG Output = IRP_BUFFERED_IO | IRP_INPUT_OPERATION | IRP_DEALLOCATE_BUFFER;

    if ((Irp->Flags & Output) == Output && !NT_ERROR(Irp->IoStatus.Status) &&
        Irp->IoStatus.Status != STATUS_VERIFY_REQUIRED &&
        Irp->IoStatus.Information > IopIrpHeader(Irp)->OutputLength && VfOption(VfIoChecks))
    {
        KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x312, (ULONG_PTR)Caller, (ULONG_PTR)Irp, (ULONG_PTR)Device);
    }
}

/*
 * Goes up the stack locations, calling the completion routines whose conditions hold.
 * FALSE: a routine kept the IRP (STATUS_MORE_PROCESSING_REQUIRED); it may be gone already.
 */
static BOOLEAN IopWalkUp(PIRP Irp)
{
    PIO_STACK_LOCATION Location = Irp->Tail.Overlay.CurrentStackLocation;

    for (;;)
    {
        UCHAR Control = Location->Control;
        BOOLEAN Invoke = (NT_SUCCESS(Irp->IoStatus.Status) ? (Control & SL_INVOKE_ON_SUCCESS)
                                                           : (Control & SL_INVOKE_ON_ERROR)) ||
                         (Irp->Cancel && (Control & SL_INVOKE_ON_CANCEL));

        Irp->CurrentLocation++;
        Irp->Tail.Overlay.CurrentStackLocation++;
        Irp->PendingReturned = Control & SL_PENDING_RETURNED;
        if (Invoke)
        {
            PIO_COMPLETION_ROUTINE Routine = Location->CompletionRoutine;
            PVOID Context = Location->Context;
            PDEVICE_OBJECT Device = Irp->CurrentLocation == Irp->StackCount + 1
                                        ? NULL
                                        : Irp->Tail.Overlay.CurrentStackLocation->DeviceObject;
            KIRQL Before = KeGetCurrentIrql();
            ULONG Apcs = KiCurrentThread()->CombinedApcDisable;
            NTSTATUS Status;
            IopClearLocation(Location);
            Status = Routine(Device, Irp, Context);
            if (KeGetCurrentIrql() != Before || KiCurrentThread()->CombinedApcDisable != Apcs)
            {
                IopCheckRoutine((PVOID)Routine, Before, Apcs);
            }
            if (Status == STATUS_MORE_PROCESSING_REQUIRED)
            {
                return FALSE;
            }
        }
        else
        {
            if (Irp->PendingReturned && Irp->CurrentLocation <= Irp->StackCount)
            {
                IoMarkIrpPending(Irp);
            }
            IopClearLocation(Location);
        }
        if (Irp->CurrentLocation > Irp->StackCount)
        {
            return TRUE;
        }
        Location = Irp->Tail.Overlay.CurrentStackLocation;
    }
}

/**
 * Completes an IRP: no driver below owns it any more, and its IoStatus is final.
 * @param PriorityBoost  For the thread that waits, IO_NO_INCREMENT and kin.
 * Bug check 44 if the IRP was completed before; under verification C9/6, 7, E, 312, and C4/FA, FB.
 * IRQL <= DISPATCH_LEVEL.
 */
VOID FASTCALL IofCompleteRequest(_In_ PIRP Irp, _In_ CCHAR PriorityBoost)
{
    PDEVICE_OBJECT Device = NULL; /* whose driver completes it */

    if (Irp->Type != IO_TYPE_IRP || Irp->CurrentLocation > Irp->StackCount + 1)
    {
        KeBugCheckEx(MULTIPLE_IRP_COMPLETE_REQUESTS, (ULONG_PTR)Irp, __LINE__, 0, 0);
    }
    if (Irp->IoStatus.Status == STATUS_PENDING || Irp->IoStatus.Status == -1 || Irp->CancelRoutine != NULL ||
        KeGetCurrentIrql() > DISPATCH_LEVEL)
    {
        IopCheckCompletion(Irp);
    }
    if (Irp->CurrentLocation <= Irp->StackCount)
    {
        Device = Irp->Tail.Overlay.CurrentStackLocation->DeviceObject;
        if (!IopWalkUp(Irp))
        {
            return;
        }
    }
    IopCheckOutput(Irp, Device, __builtin_return_address(0));
    /* Past the last location and one more: a second completion is told by this. */
    Irp->CurrentLocation = Irp->StackCount + 2;
    if (Irp->Flags & IRP_ASSOCIATED_IRP)
    {
        IopCompleteAssociated(Irp, PriorityBoost);
        return;
    }
    if (Irp->Flags & (IRP_CLOSE_OPERATION | IRP_PAGING_IO))
    {
        /* The issuer waits for its own event and frees the IRP itself. */
        if (Irp->UserIosb != NULL)
        {
            *Irp->UserIosb = Irp->IoStatus;
        }
        if (Irp->UserEvent != NULL)
        {
            KeSetEvent(Irp->UserEvent, PriorityBoost, FALSE);
        }
        return;
    }
    if (Irp->Tail.Overlay.AuxiliaryBuffer != NULL)
    {
        ExFreePool(Irp->Tail.Overlay.AuxiliaryBuffer);
        Irp->Tail.Overlay.AuxiliaryBuffer = NULL;
    }
    for (PMDL Mdl = Irp->MdlAddress; Mdl != NULL; Mdl = Mdl->Next)
    {
        MmUnlockPages(Mdl);
    }
    IopCompleteToThread(Irp, PriorityBoost);
}
