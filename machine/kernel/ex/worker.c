/* SPDX-License-Identifier: MIT */
/*
 * System worker threads. A queue per urgency, each a KQUEUE: the kernel lets as many of its threads run as there are
 * processors, and another one when a worker blocks.
 */
#include "exp.h"

#define EX_WORKERS_CRITICAL 4
#define EX_WORKERS_DELAYED 4
#define EX_WORKERS_HYPER 1

typedef struct _EXP_WORK_QUEUE
{
    KQUEUE Queue;
    volatile LONG64 Outstanding; /* queued and not yet finished */
} EXP_WORK_QUEUE;

static EXP_WORK_QUEUE ExpQueues[MaximumWorkQueue];
static const struct
{
    ULONG Threads;
    KPRIORITY Priority;
} ExpQueueShape[] = {
    [CriticalWorkQueue] = {EX_WORKERS_CRITICAL, 13},
    [DelayedWorkQueue] = {EX_WORKERS_DELAYED, 12},
    [HyperCriticalWorkQueue] = {EX_WORKERS_HYPER, 15},
};

static VOID ExpRunItem(PWORK_QUEUE_ITEM Item)
{
    PWORKER_THREAD_ROUTINE routine = Item->WorkerRoutine;
    PVOID parameter = Item->Parameter;

    routine(parameter); /* the item may be freed or queued again from here on */
    if (KeGetCurrentIrql() != PASSIVE_LEVEL || KeAreAllApcsDisabled())
    {
        KeBugCheckEx(WORKER_THREAD_RETURNED_AT_BAD_IRQL, (ULONG_PTR)routine, KeGetCurrentIrql(), (ULONG_PTR)parameter, (ULONG_PTR)Item);
    }
}

static VOID NTAPI ExpWorkerThread(PVOID Context)
{
    EXP_WORK_QUEUE *queue = Context;

    KeSetPriorityThread(KiCurrentThread(), ExpQueueShape[queue - ExpQueues].Priority);
    for (;;)
    {
        PLIST_ENTRY entry = KeRemoveQueue(&queue->Queue, KernelMode, NULL);
        PWORK_QUEUE_ITEM item = CONTAINING_RECORD(entry, WORK_QUEUE_ITEM, List);

        item->List.Flink = NULL; /* as ExQueueWorkItem finds an item that is not queued */
        ExpRunItem(item);
        InterlockedDecrement64(&queue->Outstanding);
    }
}

VOID ExpInitializeWorkers(VOID)
{
    for (ULONG q = 0; q < RTL_NUMBER_OF(ExpQueueShape); q++)
    {
        KeInitializeQueue(&ExpQueues[q].Queue, 0);
        for (ULONG i = 0; i < ExpQueueShape[q].Threads; i++)
        {
            HANDLE thread;
            NTSTATUS status = PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, ExpWorkerThread, &ExpQueues[q]);
            if (!NT_SUCCESS(status))
            {
                KeBugCheckEx(PHASE1_INITIALIZATION_FAILED, (ULONG_PTR)status, q, i, 0);
            }
            ZwClose(thread);
        }
    }
}

/**
 * Has a worker thread call the item's routine at PASSIVE_LEVEL in the System process.
 *
 * @param WorkItem   initialised with ExInitializeWorkItem, not queued now (bug check 96 otherwise); the caller's until its routine runs
 * @param QueueType  Critical, Delayed or HyperCritical; anything else is taken as Delayed
 * IRQL <= DISPATCH_LEVEL.
 */
VOID NTAPI ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType)
{
    EXP_WORK_QUEUE *queue = &ExpQueues[(ULONG)QueueType < RTL_NUMBER_OF(ExpQueueShape) ? QueueType : DelayedWorkQueue];

    if (WorkItem->List.Flink != NULL)
    {
        KeBugCheckEx(INVALID_WORK_QUEUE_ITEM, (ULONG_PTR)WorkItem->List.Flink, (ULONG_PTR)WorkItem->List.Blink, (ULONG_PTR)queue, (ULONG_PTR)WorkItem);
    }
    InterlockedIncrement64(&queue->Outstanding);
    KeInsertQueue(&queue->Queue, &WorkItem->List);
}

static BOOLEAN ExpQueuesIdle(VOID)
{
    for (ULONG q = 0; q < RTL_NUMBER_OF(ExpQueueShape); q++)
    {
        if (ReadAcquire64(&ExpQueues[q].Outstanding) != 0)
        {
            return FALSE;
        }
    }
    return TRUE;
}

VOID ExDrainWorkQueues(VOID)
{
    LARGE_INTEGER millisecond = {.QuadPart = -10000};

    /* An item that queues itself for ever must not keep the machine from ending. */
    for (ULONG i = 0; i < 2000 && !ExpQueuesIdle(); i++)
    {
        KeDelayExecutionThread(KernelMode, FALSE, &millisecond);
    }
}
