/* SPDX-License-Identifier: MIT */
/*
 * Work items of drivers: a routine on a system thread. While one is queued or runs, the device (or driver) object it
 * was made for cannot go, and so the driver's image cannot either.
 */
#include "iop.h"

#include "ex.h"

volatile LONG64 IopWorkItemCount;

struct _IO_WORKITEM
{
    WORK_QUEUE_ITEM Item;
    PVOID Routine;              /* PIO_WORKITEM_ROUTINE or ..._EX */
    PVOID Object;               /* device or driver object */
    PVOID Context;
    BOOLEAN Extended;
    volatile LONG Queued;
    IOP_TRACKED Tracked;        /* for those that IoAllocateWorkItem made */
};

/* The routine may free or queue the item again: nothing of it is looked at after the call. */
static VOID NTAPI IopRunWorkItem(PVOID Parameter)
{
    PIO_WORKITEM Item = Parameter;
    PVOID Object = Item->Object, Routine = Item->Routine, Context = Item->Context;

    InterlockedExchange(&Item->Queued, 0);
    if (Item->Extended)
    {
        ((PIO_WORKITEM_ROUTINE_EX)Item->Routine)(Object, Item->Context, Item);
    }
    else
    {
        ((PIO_WORKITEM_ROUTINE)Item->Routine)(Object, Item->Context);
    }
    ExCheckWorkerReturn(Routine, Context, Item); /* here, where the driver's routine is known */
    ObDereferenceObject(Object);
}

/** Bytes of an IO_WORKITEM, for those who provide the memory. IRQL any. */
ULONG NTAPI IoSizeofWorkItem(VOID)
{
    return sizeof(struct _IO_WORKITEM);
}

/** Prepares a work item in the caller's nonpaged memory. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoInitializeWorkItem(_In_ PVOID IoObject, _Out_ PIO_WORKITEM IoWorkItem)
{
    if (IoObject == NULL)
    {
        KeBugCheckEx(WORKER_INVALID, 3, (ULONG_PTR)IoWorkItem, (ULONG_PTR)IoObject, 0);
    }
    RtlZeroMemory(IoWorkItem, sizeof(*IoWorkItem));
    IoWorkItem->Object = IoObject;
    ExInitializeWorkItem(&IoWorkItem->Item, IopRunWorkItem, IoWorkItem);
}

/** Ends the use of a work item of IoInitializeWorkItem. Bug check E4, kind 2, if it is queued. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoUninitializeWorkItem(_In_ PIO_WORKITEM IoWorkItem)
{
    if (IoWorkItem->Queued != 0)
    {
        KeBugCheckEx(WORKER_INVALID, 2, (ULONG_PTR)IoWorkItem, (ULONG_PTR)IoWorkItem->Routine, 0);
    }
    IoWorkItem->Object = NULL;
}

/** Allocates a work item; NULL if memory is short. Freed with IoFreeWorkItem. IRQL <= DISPATCH_LEVEL. */
PIO_WORKITEM NTAPI IoAllocateWorkItem(_In_ PDEVICE_OBJECT DeviceObject)
{
    PIO_WORKITEM Item = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Item), IOP_TAG_PACKET);

    if (Item != NULL)
    {
        IoInitializeWorkItem(DeviceObject, Item);
        InterlockedIncrement64(&IopWorkItemCount);
        IopTrack(&IopTrackedWorkItems, &Item->Tracked, _ReturnAddress());
        VfTake(VfWorkItem, Item, NULL, 0, 0);
    }
    return Item;
}

/** Frees a work item; its own routine may do it. Bug check E4, kind 2, if it is queued. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoFreeWorkItem(_In_ PIO_WORKITEM IoWorkItem)
{
    IoUninitializeWorkItem(IoWorkItem);
    InterlockedDecrement64(&IopWorkItemCount);
    if (IoWorkItem->Tracked.Links.Flink != NULL)
    {
        IopUntrack(&IoWorkItem->Tracked);
        VfGive(VfWorkItem, IoWorkItem, NULL);
    }
    ExFreePoolWithTag(IoWorkItem, IOP_TAG_PACKET);
}

static VOID IopQueueItem(PIO_WORKITEM Item, PVOID Routine, BOOLEAN Extended, WORK_QUEUE_TYPE Queue, PVOID Context)
{
    if (InterlockedExchange(&Item->Queued, 1) != 0)
    {
        KeBugCheckEx(WORKER_INVALID, 1, (ULONG_PTR)Item, Queue, 0);
    }
    ObReferenceObject(Item->Object);
    Item->Routine = Routine;
    Item->Context = Context;
    Item->Extended = Extended;
    ExQueueWorkItem(&Item->Item, Queue);
}

/**
 * Has WorkerRoutine(device, Context) called by a system thread at PASSIVE_LEVEL.
 * Bug check E4, kind 1, if the item is queued already. IRQL <= DISPATCH_LEVEL.
 */
VOID NTAPI IoQueueWorkItem(_In_ PIO_WORKITEM IoWorkItem, _In_ PIO_WORKITEM_ROUTINE WorkerRoutine,
                           _In_ WORK_QUEUE_TYPE QueueType, _In_opt_ PVOID Context)
{
    IopQueueItem(IoWorkItem, WorkerRoutine, FALSE, QueueType, Context);
}

/** As IoQueueWorkItem, with the item as the routine's third argument. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoQueueWorkItemEx(_In_ PIO_WORKITEM IoWorkItem, _In_ PIO_WORKITEM_ROUTINE_EX WorkerRoutine,
                             _In_ WORK_QUEUE_TYPE QueueType, _In_opt_ PVOID Context)
{
    IopQueueItem(IoWorkItem, WorkerRoutine, TRUE, QueueType, Context);
}
