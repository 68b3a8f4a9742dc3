/* SPDX-License-Identifier: MIT */
/* What is still to come when the driver goes: timers, DPCs, work items, threads, and what keeps addresses in its image. */
#include "misuse.h"

static KTIMER Timer;
static KDPC Dpc;

static VOID NTAPI TooLate(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    DbgPrint("misuse: a timer fired in a driver that is gone\n");
}

static VOID StartTimer(PKTIMER Which, PKDPC Its)
{
    LARGE_INTEGER due = {.QuadPart = -10000000};

    MisuseNote("timer", (ULONG_PTR)Which);
    MisuseNote("dpc", (ULONG_PTR)Its);
    MisuseNote("routine", (ULONG_PTR)TooLate);
    KeInitializeTimer(Which);
    KeInitializeDpc(Its, TooLate, NULL);
    KeSetTimer(Which, due, Its);
}

static VOID StopTimer(VOID)
{
    KeCancelTimer(&Timer);
    KeFlushQueuedDpcs();
}

MISUSE(unload_with_timer)
{
    StartTimer(&Timer, &Dpc);
}

CORRECT(unload_with_timer)
{
    StartTimer(&Timer, &Dpc);
    MisuseAtUnload = StopTimer;
}

typedef struct _POOL_TIMER
{
    KTIMER Timer;
    KDPC Dpc;
} POOL_TIMER;

static POOL_TIMER *PoolTimer;

static VOID StopPoolTimer(VOID)
{
    KeCancelTimer(&PoolTimer->Timer);
    KeFlushQueuedDpcs();
    MisuseFree(PoolTimer);
}

static VOID StartPoolTimer(VOID)
{
    PoolTimer = MisusePool(sizeof(*PoolTimer));
    StartTimer(&PoolTimer->Timer, &PoolTimer->Dpc);
}

MISUSE(unload_with_pool_timer)
{
    StartPoolTimer();
}

CORRECT(unload_with_pool_timer)
{
    StartPoolTimer();
    MisuseAtUnload = StopPoolTimer;
}

static WORK_QUEUE_ITEM Blocker, Item;
static KEVENT Started, Done;

static VOID NTAPI Block(PVOID Context)
{
    LARGE_INTEGER time = {.QuadPart = -100000000};

    KeSetEvent(&Started, IO_NO_INCREMENT, FALSE);
    KeDelayExecutionThread(KernelMode, FALSE, &time);
}

static VOID NTAPI Work(PVOID Context)
{
    KeSetEvent(&Done, IO_NO_INCREMENT, FALSE);
}

static VOID WaitForWork(VOID)
{
    KeWaitForSingleObject(&Done, Executive, KernelMode, FALSE, NULL);
    KeFlushQueuedDpcs();
}

static VOID QueueWork(VOID)
{
    MisuseNote("item", (ULONG_PTR)&Item);
    KeInitializeEvent(&Done, NotificationEvent, FALSE);
    ExInitializeWorkItem(&Item, Work, NULL);
    ExQueueWorkItem(&Item, HyperCriticalWorkQueue);
}

/* The queue's only thread is busy, so that the item waits. */
MISUSE(unload_with_work)
{
    KeInitializeEvent(&Started, NotificationEvent, FALSE);
    ExInitializeWorkItem(&Blocker, Block, NULL);
    ExQueueWorkItem(&Blocker, HyperCriticalWorkQueue);
    KeWaitForSingleObject(&Started, Executive, KernelMode, FALSE, NULL);
    QueueWork();
}

CORRECT(unload_with_work)
{
    QueueWork();
    MisuseAtUnload = WaitForWork;
}

static ERESOURCE Resource;

static VOID DeleteResource(VOID)
{
    ExDeleteResourceLite(&Resource);
}

MISUSE(unload_with_resource)
{
    MisuseNote("resource", (ULONG_PTR)&Resource);
    ExInitializeResourceLite(&Resource);
}

CORRECT(unload_with_resource)
{
    ExInitializeResourceLite(&Resource);
    MisuseAtUnload = DeleteResource;
}

static NPAGED_LOOKASIDE_LIST List;

static VOID DeleteList(VOID)
{
    ExDeleteNPagedLookasideList(&List);
}

MISUSE(unload_with_lookaside)
{
    MisuseNote("list", (ULONG_PTR)&List);
    ExInitializeNPagedLookasideList(&List, NULL, NULL, 0, 32, MISUSE_TAG, 0);
}

CORRECT(unload_with_lookaside)
{
    ExInitializeNPagedLookasideList(&List, NULL, NULL, 0, 32, MISUSE_TAG, 0);
    MisuseAtUnload = DeleteList;
}

static VOID StartThread(PKSTART_ROUTINE Routine)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE thread;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    if (NT_SUCCESS(PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, &attributes, NULL, NULL, Routine, NULL)))
    {
        ZwClose(thread);
    }
}

static PVOID Thread;

static VOID Begin(VOID)
{
    ObReferenceObject(PsGetCurrentThread());
    InterlockedExchangePointer(&Thread, PsGetCurrentThread());
}

static VOID WaitForThread(VOID)
{
    LARGE_INTEGER time = {.QuadPart = -10000};

    while (Thread == NULL) /* it has not begun */
    {
        KeDelayExecutionThread(KernelMode, FALSE, &time);
    }
    KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(Thread);
}

static VOID NTAPI SleepTooLong(PVOID Context)
{
    LARGE_INTEGER time = {.QuadPart = -10000000};

    Begin();
    KeDelayExecutionThread(KernelMode, FALSE, &time);
    DbgPrint("misuse: the thread wakes up\n");
    PsTerminateSystemThread(STATUS_SUCCESS);
}

MISUSE(unload_with_thread)
{
    StartThread(SleepTooLong);
}

CORRECT(unload_with_thread)
{
    StartThread(SleepTooLong);
    MisuseAtUnload = WaitForThread;
}

/* The end of the wait takes the thread out of the event's list: the kernel writes to the event. */
static KEVENT Event;

static VOID NTAPI WaitTooLong(PVOID Context)
{
    LARGE_INTEGER time = {.QuadPart = -10000000};

    MisuseNote("event", (ULONG_PTR)&Event);
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Begin();
    KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, &time);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID WakeThread(VOID)
{
    KeSetEvent(&Event, IO_NO_INCREMENT, FALSE);
    WaitForThread();
}

MISUSE(unload_with_waiter)
{
    StartThread(WaitTooLong);
}

CORRECT(unload_with_waiter)
{
    StartThread(WaitTooLong);
    MisuseAtUnload = WakeThread;
}
