/* SPDX-License-Identifier: MIT */
/*
 * The device queue of StartIo drivers: one IRP at a time is the device's CurrentIrp and with the driver's StartIo
 * routine, the others wait in DEVICE_OBJECT.DeviceQueue. All at DISPATCH_LEVEL.
 */
#include "iop.h"

static BOOLEAN IopIsCancelable(PDEVICE_OBJECT Device)
{
    return !(IopDeviceExtension(Device)->StartIoFlags & IOP_STARTIO_NONCANCELABLE);
}

/**
 * Starts an IRP on the device, or queues it if the device is busy.
 * @param Key             Sort key, or NULL for the end of the queue.
 * @param CancelFunction  Cancel routine to set, or NULL. IRQL <= DISPATCH_LEVEL.
 */
VOID NTAPI IoStartPacket(_In_ PDEVICE_OBJECT DeviceObject, _In_ PIRP Irp, _In_opt_ PULONG Key,
                         _In_opt_ PDRIVER_CANCEL CancelFunction)
{
    KIRQL CancelIrql = PASSIVE_LEVEL, OldIrql;
    BOOLEAN Queued;

    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    if (CancelFunction != NULL)
    {
        IoAcquireCancelSpinLock(&CancelIrql);
        IoSetCancelRoutine(Irp, CancelFunction);
    }
    Queued = Key != NULL
                 ? KeInsertByKeyDeviceQueue(&DeviceObject->DeviceQueue, &Irp->Tail.Overlay.DeviceQueueEntry, *Key)
                 : KeInsertDeviceQueue(&DeviceObject->DeviceQueue, &Irp->Tail.Overlay.DeviceQueueEntry);
    if (!Queued)
    {
        DeviceObject->CurrentIrp = Irp;
        if (CancelFunction != NULL)
        {
            if (!IopIsCancelable(DeviceObject))
            {
                IoSetCancelRoutine(Irp, NULL);
            }
            IoReleaseCancelSpinLock(CancelIrql);
        }
        DeviceObject->DriverObject->DriverStartIo(DeviceObject, Irp);
    }
    else if (CancelFunction != NULL)
    {
        if (Irp->Cancel && IoSetCancelRoutine(Irp, NULL) != NULL)
        {
            /* Cancelled before it could be queued: its cancel routine takes it off again. */
            Irp->CancelIrql = CancelIrql;
            CancelFunction(DeviceObject, Irp);
        }
        else
        {
            IoReleaseCancelSpinLock(CancelIrql);
        }
    }
    KeLowerIrql(OldIrql);
}

static VOID IopStartNext(PDEVICE_OBJECT Device, BOOLEAN Cancelable, ULONG Key, BOOLEAN ByKey)
{
    PKDEVICE_QUEUE_ENTRY Entry;
    KIRQL CancelIrql = PASSIVE_LEVEL;
    PIRP Irp;

    if (Cancelable)
    {
        IoAcquireCancelSpinLock(&CancelIrql);
    }
    Device->CurrentIrp = NULL;
    Entry = ByKey ? KeRemoveByKeyDeviceQueue(&Device->DeviceQueue, Key) : KeRemoveDeviceQueue(&Device->DeviceQueue);
    if (Entry == NULL)
    {
        if (Cancelable)
        {
            IoReleaseCancelSpinLock(CancelIrql);
        }
        return;
    }
    Irp = CONTAINING_RECORD(Entry, IRP, Tail.Overlay.DeviceQueueEntry);
    Device->CurrentIrp = Irp;
    if (Cancelable)
    {
        if (!IopIsCancelable(Device))
        {
            IoSetCancelRoutine(Irp, NULL);
        }
        IoReleaseCancelSpinLock(CancelIrql);
    }
    Device->DriverObject->DriverStartIo(Device, Irp);
}

/*
 * With IoSetStartIoAttributes(deferred) StartIo is never entered from within itself: a nested start only counts, and
 * the outermost call runs the loop.
 */
static VOID IopStartNextDeferred(PDEVICE_OBJECT Device, BOOLEAN Cancelable, ULONG Key, BOOLEAN ByKey)
{
    IOP_DEVICE_EXTENSION *Extension = IopDeviceExtension(Device);

    if (!(Extension->StartIoFlags & IOP_STARTIO_DEFERRED))
    {
        IopStartNext(Device, Cancelable, Key, ByKey);
        return;
    }
    if (InterlockedIncrement(&Extension->StartIoCount) > 1)
    {
        return; /* the call we are nested in will see the count */
    }
    do
    {
        IopStartNext(Device, Cancelable, Key, ByKey);
    } while (InterlockedDecrement(&Extension->StartIoCount) > 0);
}

/** Starts the next queued IRP. Cancelable: the IRPs may have cancel routines. IRQL DISPATCH_LEVEL. */
VOID NTAPI IoStartNextPacket(_In_ PDEVICE_OBJECT DeviceObject, _In_ BOOLEAN Cancelable)
{
    IopStartNextDeferred(DeviceObject, Cancelable, 0, FALSE);
}

/** Starts the queued IRP with the lowest key not below Key, or else the first. IRQL DISPATCH_LEVEL. */
VOID NTAPI IoStartNextPacketByKey(_In_ PDEVICE_OBJECT DeviceObject, _In_ BOOLEAN Cancelable, _In_ ULONG Key)
{
    IopStartNextDeferred(DeviceObject, Cancelable, Key, TRUE);
}

/** How StartIo is called: deferred while it runs, without cancel routine. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoSetStartIoAttributes(_In_ PDEVICE_OBJECT DeviceObject, _In_ BOOLEAN DeferredStartIo,
                                  _In_ BOOLEAN NonCancelable)
{
    IopDeviceExtension(DeviceObject)->StartIoFlags = (DeferredStartIo ? IOP_STARTIO_DEFERRED : 0u) |
                                                     (NonCancelable ? IOP_STARTIO_NONCANCELABLE : 0u);
}
