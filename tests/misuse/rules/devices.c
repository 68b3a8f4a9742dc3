/* SPDX-License-Identifier: MIT */
/* Mistakes with device objects and work items. */
#include "misuse.h"

static PDEVICE_OBJECT NewDevice(PDEVICE_OBJECT Like)
{
    PDEVICE_OBJECT device;
    NTSTATUS status = IoCreateDevice(Like->DriverObject, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);

    if (!NT_SUCCESS(status))
    {
        ExRaiseStatus(status);
    }
    device->Flags &= ~DO_DEVICE_INITIALIZING;
    MisuseNote("other", (ULONG_PTR)device);
    return device;
}

/* The reference only keeps its memory from being something else. */
MISUSE(delete_device_twice)
{
    PDEVICE_OBJECT device = NewDevice(Context->Device);

    ObReferenceObject(device);
    IoDeleteDevice(device);
    IoDeleteDevice(device);
}

CORRECT(delete_device_twice)
{
    IoDeleteDevice(NewDevice(Context->Device));
}

MISUSE(delete_attached_device)
{
    PDEVICE_OBJECT device = NewDevice(Context->Device);

    IoAttachDeviceToDeviceStack(device, Context->Device);
    IoDeleteDevice(device);
}

CORRECT(delete_attached_device)
{
    PDEVICE_OBJECT device = NewDevice(Context->Device);

    IoDetachDevice(IoAttachDeviceToDeviceStack(device, Context->Device));
    IoDeleteDevice(device);
}

MISUSE(detach_device_twice)
{
    PDEVICE_OBJECT device = NewDevice(Context->Device);
    PDEVICE_OBJECT below = IoAttachDeviceToDeviceStack(device, Context->Device);

    IoDetachDevice(below);
    IoDetachDevice(below);
}

CORRECT(detach_device_twice)
{
    Correct_delete_attached_device(Context);
}

static VOID NTAPI EachSecond(PDEVICE_OBJECT Device, PVOID Context)
{
}

MISUSE(device_timer_twice)
{
    IoInitializeTimer(Context->Device, EachSecond, NULL);
    IoInitializeTimer(Context->Device, EachSecond, NULL);
}

CORRECT(device_timer_twice)
{
    IoInitializeTimer(Context->Device, EachSecond, NULL);
}

/* ---- work items ---- */

#define WORK_QUEUE HyperCriticalWorkQueue /* it has one thread: whatever is behind the first item stays queued */

typedef struct _WORK
{
    PIO_WORKITEM Item;
    KEVENT Done;
} WORK;

static VOID RunWork(PDEVICE_OBJECT Device, PIO_WORKITEM_ROUTINE Routine)
{
    WORK work = {.Item = IoAllocateWorkItem(Device)};

    KeInitializeEvent(&work.Done, NotificationEvent, FALSE);
    MisuseNote("item", (ULONG_PTR)work.Item);
    MisuseNote("routine", (ULONG_PTR)Routine);
    MisuseNote("work", (ULONG_PTR)&work);
    IoQueueWorkItem(work.Item, Routine, DelayedWorkQueue, &work);
    KeWaitForSingleObject(&work.Done, Executive, KernelMode, FALSE, NULL);
    KeFlushQueuedDpcs();
    IoFreeWorkItem(work.Item);
}

static VOID NTAPI WorkWell(PDEVICE_OBJECT Device, PVOID Work)
{
    KeSetEvent(&((WORK *)Work)->Done, IO_NO_INCREMENT, FALSE);
}

static VOID NTAPI WorkRaised(PDEVICE_OBJECT Device, PVOID Work)
{
    MisuseRaise(DISPATCH_LEVEL);
}

MISUSE(work_raised)
{
    RunWork(Context->Device, WorkRaised);
}

CORRECT(work_raised)
{
    RunWork(Context->Device, WorkWell);
}

static VOID NTAPI WorkInRegion(PDEVICE_OBJECT Device, PVOID Work)
{
    KeEnterCriticalRegion();
}

MISUSE(work_in_region)
{
    RunWork(Context->Device, WorkInRegion);
}

CORRECT(work_in_region)
{
    RunWork(Context->Device, WorkWell);
}

static PEPROCESS Process;

static VOID NTAPI WorkAttached(PDEVICE_OBJECT Device, PVOID Work)
{
    static KAPC_STATE state;

    KeStackAttachProcess((PKPROCESS)Process, &state);
}

MISUSE(work_attached)
{
    Process = PsGetCurrentProcess();
    RunWork(Context->Device, WorkAttached);
}

CORRECT(work_attached)
{
    RunWork(Context->Device, WorkWell);
}

static VOID NTAPI WorkImpersonating(PDEVICE_OBJECT Device, PVOID Work)
{
    PACCESS_TOKEN token = PsReferencePrimaryToken(PsGetCurrentProcess());

    PsImpersonateClient(PsGetCurrentThread(), token, FALSE, FALSE, SecurityImpersonation);
}

MISUSE(work_impersonating)
{
    RunWork(Context->Device, WorkImpersonating);
}

CORRECT(work_impersonating)
{
    RunWork(Context->Device, WorkWell);
}

/* Keeps the queue's only thread for a second. */
static VOID NTAPI Occupy(PVOID Started)
{
    LARGE_INTEGER second = {.QuadPart = -10000000};

    KeSetEvent(Started, IO_NO_INCREMENT, FALSE);
    KeDelayExecutionThread(KernelMode, FALSE, &second);
}

static VOID OccupyQueue(VOID)
{
    static WORK_QUEUE_ITEM item;
    static KEVENT started;

    KeInitializeEvent(&started, NotificationEvent, FALSE);
    ExInitializeWorkItem(&item, Occupy, &started);
    ExQueueWorkItem(&item, WORK_QUEUE);
    KeWaitForSingleObject(&started, Executive, KernelMode, FALSE, NULL);
}

static PIO_WORKITEM QueueWork(MISUSE_CONTEXT *Context)
{
    PIO_WORKITEM item = IoAllocateWorkItem(Context->Device);
    static WORK work;

    KeInitializeEvent(&work.Done, NotificationEvent, FALSE);
    MisuseNote("item", (ULONG_PTR)item);
    MisuseNote("routine", (ULONG_PTR)WorkWell);
    IoQueueWorkItem(item, WorkWell, WORK_QUEUE, &work);
    return item;
}

MISUSE(work_queued_twice)
{
    static WORK work;

    OccupyQueue();
    IoQueueWorkItem(QueueWork(Context), WorkWell, WORK_QUEUE, &work);
}

CORRECT(work_queued_twice)
{
    RunWork(Context->Device, WorkWell);
    RunWork(Context->Device, WorkWell);
}

MISUSE(work_freed_queued)
{
    OccupyQueue();
    IoFreeWorkItem(QueueWork(Context));
}

CORRECT(work_freed_queued)
{
    RunWork(Context->Device, WorkWell);
}

MISUSE(work_no_object)
{
    PIO_WORKITEM item = MisusePool(IoSizeofWorkItem());

    IoInitializeWorkItem(NULL, item);
}

CORRECT(work_no_object)
{
    PIO_WORKITEM item = MisusePool(IoSizeofWorkItem());

    IoInitializeWorkItem(Context->Device, item);
    IoUninitializeWorkItem(item);
    MisuseFree(item);
}

typedef struct _OLD_WORK
{
    KEVENT Done;
    WORK_QUEUE_ITEM Item;
} OLD_WORK;

static VOID NTAPI OldWork(PVOID Work)
{
    KeSetEvent(&((OLD_WORK *)Work)->Done, IO_NO_INCREMENT, FALSE);
}

/* The older kind of work item, in pool of the driver's. */
static OLD_WORK *QueueOldWork(VOID)
{
    OLD_WORK *work = MisusePool(sizeof(*work));

    MisuseNote("item", (ULONG_PTR)&work->Item);
    MisuseNote("end", (ULONG_PTR)(work + 1));
    KeInitializeEvent(&work->Done, NotificationEvent, FALSE);
    ExInitializeWorkItem(&work->Item, OldWork, work);
    ExQueueWorkItem(&work->Item, WORK_QUEUE);
    return work;
}

MISUSE(old_work_queued_twice)
{
    OccupyQueue();
    ExQueueWorkItem(&QueueOldWork()->Item, WORK_QUEUE);
}

static VOID RunOldWork(VOID)
{
    OLD_WORK *work = QueueOldWork();

    KeWaitForSingleObject(&work->Done, Executive, KernelMode, FALSE, NULL);
    MisuseFree(work);
}

CORRECT(old_work_queued_twice)
{
    RunOldWork();
    RunOldWork();
}

MISUSE(pool_live_work)
{
    OccupyQueue();
    MisuseFree(QueueOldWork());
}

CORRECT(pool_live_work)
{
    RunOldWork();
}

MISUSE(work_in_paged_pool)
{
    PWORK_QUEUE_ITEM item = ExAllocatePoolWithTag(PagedPool, sizeof(*item), MISUSE_TAG);

    MisuseNote("item", (ULONG_PTR)item);
    ExInitializeWorkItem(item, OldWork, NULL);
    ExQueueWorkItem(item, WORK_QUEUE);
}

CORRECT(work_in_paged_pool)
{
    RunOldWork();
}
