/* SPDX-License-Identifier: MIT */
/*
 * Shutdown notifications: devices that want IRP_MJ_SHUTDOWN when the machine ends.
 */
#include "iop.h"

typedef struct _IOP_SHUTDOWN
{
    LIST_ENTRY Links;
    PDEVICE_OBJECT Device; /* referenced */
} IOP_SHUTDOWN;

static LIST_ENTRY IopShutdownList = { &IopShutdownList, &IopShutdownList };
static LIST_ENTRY IopLastChanceList = { &IopLastChanceList, &IopLastChanceList };
static KSPIN_LOCK IopShutdownLock;

static NTSTATUS IopRegisterShutdown(PLIST_ENTRY List, PDEVICE_OBJECT Device)
{
    IOP_SHUTDOWN *Entry = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Entry), IOP_TAG_DEVICE);
    KIRQL Irql;

    if (Entry == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ObReferenceObject(Device);
    Entry->Device = Device;
    Device->Flags |= DO_SHUTDOWN_REGISTERED;
    KeAcquireSpinLock(&IopShutdownLock, &Irql);
    InsertHeadList(List, &Entry->Links); /* the last to register is told first */
    KeReleaseSpinLock(&IopShutdownLock, Irql);
    return STATUS_SUCCESS;
}

/** Has IRP_MJ_SHUTDOWN sent to the device before the file systems are shut down. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI IoRegisterShutdownNotification(_In_ PDEVICE_OBJECT DeviceObject)
{
    return IopRegisterShutdown(&IopShutdownList, DeviceObject);
}

/** Has IRP_MJ_SHUTDOWN sent to the device after all others. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI IoRegisterLastChanceShutdownNotification(_In_ PDEVICE_OBJECT DeviceObject)
{
    return IopRegisterShutdown(&IopLastChanceList, DeviceObject);
}

/* Takes out the first entry of a list, of one device or of any. */
static IOP_SHUTDOWN *IopTakeShutdown(PLIST_ENTRY List, PDEVICE_OBJECT Device)
{
    IOP_SHUTDOWN *Found = NULL;
    KIRQL Irql;

    KeAcquireSpinLock(&IopShutdownLock, &Irql);
    for (PLIST_ENTRY Link = List->Flink; Link != List; Link = Link->Flink)
    {
        IOP_SHUTDOWN *Entry = CONTAINING_RECORD(Link, IOP_SHUTDOWN, Links);
        if (Device == NULL || Entry->Device == Device)
        {
            RemoveEntryList(Link);
            Found = Entry;
            break;
        }
    }
    KeReleaseSpinLock(&IopShutdownLock, Irql);
    return Found;
}

/** Withdraws both kinds of notification. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoUnregisterShutdownNotification(_In_ PDEVICE_OBJECT DeviceObject)
{
    PLIST_ENTRY Lists[] = { &IopShutdownList, &IopLastChanceList };

    for (ULONG Index = 0; Index < RTL_NUMBER_OF(Lists); Index++)
    {
        IOP_SHUTDOWN *Entry;
        while ((Entry = IopTakeShutdown(Lists[Index], DeviceObject)) != NULL)
        {
            ObDereferenceObject(Entry->Device);
            ExFreePoolWithTag(Entry, IOP_TAG_DEVICE);
        }
    }
    DeviceObject->Flags &= ~DO_SHUTDOWN_REGISTERED;
}

static VOID IopNotifyShutdown(PLIST_ENTRY List)
{
    IOP_SHUTDOWN *Entry;

    while ((Entry = IopTakeShutdown(List, NULL)) != NULL)
    {
        PDEVICE_OBJECT Top = IoGetAttachedDeviceReference(Entry->Device);
        IO_STATUS_BLOCK Iosb;
        PIRP Irp = IopAllocateIrpMustSucceed(Top->StackSize);

        IoGetNextIrpStackLocation(Irp)->MajorFunction = IRP_MJ_SHUTDOWN;
        IopCallAndWait(Top, Irp, &Iosb);
        ObDereferenceObject(Top);
        ObDereferenceObject(Entry->Device);
        ExFreePoolWithTag(Entry, IOP_TAG_DEVICE);
    }
}

VOID IoShutdownSystem(VOID)
{
    IopNotifyShutdown(&IopShutdownList);
    IopNotifyShutdown(&IopLastChanceList);
}
