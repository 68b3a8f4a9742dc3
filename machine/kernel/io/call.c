/* SPDX-License-Identifier: MIT */
/*
 * Passing an IRP to a driver, with the checks that name the driver which breaks a rule.
 */
#include "iop.h"

static DECLSPEC_NORETURN VOID IopViolation(ULONG_PTR Rule, PVOID P2, ULONG_PTR P3, ULONG_PTR P4)
{
    KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, Rule, (ULONG_PTR)P2, P3, P4);
}

/* The screen that follows does not always have the driver on its stack. */
static VOID IopNameDriver(PDEVICE_OBJECT Device, PVOID Routine)
{
    CHAR Place[96];

    HalPrint(HalStreamError, "I/O: the fault is in a request to %wZ, dispatch routine %s\n",
             &Device->DriverObject->DriverName, LdrFormatAddress(Routine, Place, sizeof(Place)));
}

static __attribute__((noinline)) DECLSPEC_NORETURN VOID IopNoStackLocation(PIRP Irp)
{
    if (Irp->StackCount > 0)
    {
        /* The lowest location is in use: by the one who passes the IRP on. */
        PIO_STACK_LOCATION Lowest = (PIO_STACK_LOCATION)(Irp + 1);
        if (Lowest->DeviceObject != NULL && Lowest->DeviceObject->Type == IO_TYPE_DEVICE &&
            Lowest->MajorFunction <= IRP_MJ_MAXIMUM_FUNCTION)
        {
            IopNameDriver(Lowest->DeviceObject,
                          (PVOID)Lowest->DeviceObject->DriverObject->MajorFunction[Lowest->MajorFunction]);
        }
    }
    KeBugCheckEx(NO_MORE_IRP_STACK_LOCATIONS, (ULONG_PTR)Irp, 0, 0, 0);
}

/* Cold: something is wrong, or the checks would say so. */
static __attribute__((noinline)) VOID IopCheckCall(PDEVICE_OBJECT Device, PIRP Irp, PVOID Caller)
{
    if (!VfOption(VfIoChecks))
    {
        return;
    }
    if (Device == NULL)
    {
        IopViolation(0x204, Caller, (ULONG_PTR)Irp, 0);
    }
    if (Irp->Type != IO_TYPE_IRP)
    {
        IopViolation(0x03, Irp, 0, 0);
    }
    if (Device->Type != IO_TYPE_DEVICE || Device->DriverObject == NULL)
    {
        IopViolation(0x04, Device, 0, 0);
    }
    if (KeGetCurrentIrql() > DISPATCH_LEVEL)
    {
        IopViolation(0x10, (PVOID)(ULONG_PTR)KeGetCurrentIrql(), 0, 0);
    }
    if (Irp->CancelRoutine != NULL)
    {
        IopViolation(0x203, Caller, (ULONG_PTR)Irp, (ULONG_PTR)Device);
    }
}

/* What a dispatch routine must leave as it found it. */
static __attribute__((noinline)) VOID IopCheckDispatch(PDEVICE_OBJECT Device, PVOID Routine, KIRQL Irql, ULONG Apcs)
{
    if (!VfOption(VfChecks))
    {
        return;
    }
    IopNameDriver(Device, Routine);
    if (KeGetCurrentIrql() != Irql && VfOption(VfIoChecks))
    {
        IopViolation(0x05, Device, Irql, KeGetCurrentIrql());
    }
    VfCheck(KiCurrentThread()->CombinedApcDisable == Apcs, 0xC5, (ULONG_PTR)Routine,
            (ULONG_PTR)(LONG_PTR)KiCurrentThread()->KernelApcDisable, (ULONG_PTR)(LONG_PTR)(SHORT)Apcs);
}

static inline BOOLEAN IopInterruptsOn(VOID)
{
    return (__readeflags() & 0x200) != 0;
}

VOID IopReportViolation(ULONG_PTR Rule, PDEVICE_OBJECT Device, UCHAR Major, PIRP Irp, ULONG_PTR P4)
{
    if (VfOption(VfIoChecks))
    {
        IopViolation(Rule, Device != NULL ? (PVOID)Device->DriverObject->MajorFunction[Major] : NULL, (ULONG_PTR)Irp,
                     P4);
    }
}

/**
 * Sends an IRP to the driver of a device: the next stack location becomes the current one, and the dispatch routine for
 * its major function is called.
 * @return What the dispatch routine returned.
 * Bug check 35 if there is no stack location left; under verification C9/3, 4, 5, 10, 203, 204, and C4/C0, C1, C5, E2.
 * IRQL <= DISPATCH_LEVEL.
 */
NTSTATUS FASTCALL IofCallDriver(_In_ PDEVICE_OBJECT DeviceObject, _Inout_ PIRP Irp)
{
    PIO_STACK_LOCATION Stack;
    PDRIVER_DISPATCH Routine;
    NTSTATUS Status;
    KIRQL Before = KeGetCurrentIrql();
    ULONG Apcs = KiCurrentThread()->CombinedApcDisable;

    if (DeviceObject == NULL || Irp->Type != IO_TYPE_IRP || DeviceObject->Type != IO_TYPE_DEVICE ||
        Before > DISPATCH_LEVEL || Irp->CancelRoutine != NULL)
    {
        IopCheckCall(DeviceObject, Irp, __builtin_return_address(0));
    }
    VfCheck(IopInterruptsOn(), 0xC0, (ULONG_PTR)Irp, 0, 0);
    if (Irp->RequestorMode == KernelMode)
    {
        VfCheckIrpAddresses(Irp, __builtin_return_address(0));
    }
    if (--Irp->CurrentLocation <= 0)
    {
        IopNoStackLocation(Irp);
    }
    Stack = --Irp->Tail.Overlay.CurrentStackLocation;
    Stack->DeviceObject = DeviceObject;
    Routine = DeviceObject->DriverObject->MajorFunction[Stack->MajorFunction];
    if (VfKillOn)
    {
        VfKillAtCall((PVOID)Routine);
    }
    Status = Routine(DeviceObject, Irp);
    VfCheck(IopInterruptsOn(), 0xC1, (ULONG_PTR)Routine, 0, 0);
    if (KeGetCurrentIrql() != Before || KiCurrentThread()->CombinedApcDisable != Apcs)
    {
        IopCheckDispatch(DeviceObject, (PVOID)Routine, Before, Apcs);
    }
    return Status;
}

/* IoForwardIrpSynchronously: wakes the forwarder, keeps the IRP. */
static NTSTATUS NTAPI IopForwardCompletion(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    if (Irp->PendingReturned)
    {
        KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
    }
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/**
 * Sends the IRP with the same parameters to a lower device and waits for it; the caller completes it then.
 * @return FALSE if there is no stack location for it. IRQL PASSIVE_LEVEL.
 */
BOOLEAN NTAPI IoForwardIrpSynchronously(_In_ PDEVICE_OBJECT DeviceObject, _In_ PIRP Irp)
{
    KEVENT Event;

    if (Irp->CurrentLocation <= 1)
    {
        return FALSE;
    }
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, IopForwardCompletion, &Event, TRUE, TRUE, TRUE);
    if (IofCallDriver(DeviceObject, Irp) == STATUS_PENDING)
    {
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    }
    return TRUE;
}

/* IoSetCompletionRoutineEx: what lies between the stack location and the driver's routine. */
typedef struct _IOP_UNLOAD_SAFE_COMPLETION
{
    PDEVICE_OBJECT Device;
    PVOID Context;
    PIO_COMPLETION_ROUTINE Routine;
} IOP_UNLOAD_SAFE_COMPLETION;

static NTSTATUS NTAPI IopUnloadSafeCompletion(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    IOP_UNLOAD_SAFE_COMPLETION Saved = *(IOP_UNLOAD_SAFE_COMPLETION *)Context;
    NTSTATUS Status;

    ExFreePoolWithTag(Context, IOP_TAG_IRP);
    Status = Saved.Routine(Device, Irp, Saved.Context);
    ObDereferenceObject(Saved.Device);
    return Status;
}

/**
 * As IoSetCompletionRoutine, and the driver of DeviceObject stays in memory until its routine has returned.
 * @return STATUS_INSUFFICIENT_RESOURCES. IRQL <= DISPATCH_LEVEL.
 */
NTSTATUS NTAPI IoSetCompletionRoutineEx(_In_ PDEVICE_OBJECT DeviceObject, _In_ PIRP Irp,
                                        _In_ PIO_COMPLETION_ROUTINE CompletionRoutine, _In_opt_ PVOID Context,
                                        _In_ BOOLEAN InvokeOnSuccess, _In_ BOOLEAN InvokeOnError,
                                        _In_ BOOLEAN InvokeOnCancel)
{
    IOP_UNLOAD_SAFE_COMPLETION *Saved = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Saved), IOP_TAG_IRP);

    if (Saved == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ObReferenceObject(DeviceObject);
    Saved->Device = DeviceObject;
    Saved->Context = Context;
    Saved->Routine = CompletionRoutine;
    IoSetCompletionRoutine(Irp, IopUnloadSafeCompletion, Saved, InvokeOnSuccess, InvokeOnError, InvokeOnCancel);
    return STATUS_SUCCESS;
}
