/* SPDX-License-Identifier: MIT */
/*
 * System worker threads. A queue per urgency, each a KQUEUE: the kernel lets as many of its threads run as there are
 * processors, and another one when a worker blocks.
 */
#include "exp.h"
#include "mm.h"
#include "ps.h"
#include "vf.h"

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

/*
 * What a routine of a work item must leave as it was: the IRQL (bug check E1), the APC counts and the process (1,
 * kind 1), and the thread's identity (DF).
 */
VOID ExCheckWorkerReturn(PVOID Routine, PVOID Parameter, PVOID Item)
{
    PKTHREAD thread = KiCurrentThread();

    if (KeGetCurrentIrql() != PASSIVE_LEVEL)
    {
        KeBugCheckEx(WORKER_THREAD_RETURNED_AT_BAD_IRQL, (ULONG_PTR)Routine, KeGetCurrentIrql(), (ULONG_PTR)Parameter,
                     (ULONG_PTR)Item);
    }
    if (thread->CombinedApcDisable != 0 || thread->ApcStateIndex != 0)
    {
        KeBugCheckEx(APC_INDEX_MISMATCH, (ULONG_PTR)Routine, thread->ApcStateIndex, thread->CombinedApcDisable, 1);
    }
    if (((PETHREAD)thread)->ImpersonationToken != NULL)
    {
        KeBugCheckEx(0xDF /* IMPERSONATING_WORKER_THREAD */, (ULONG_PTR)Routine, (ULONG_PTR)Parameter,
                     (ULONG_PTR)Item, 0);
    }
}

static VOID ExpRunItem(PWORK_QUEUE_ITEM Item)
{
    PWORKER_THREAD_ROUTINE routine = Item->WorkerRoutine;
    PVOID parameter = Item->Parameter;

    routine(parameter); /* the item may be freed or queued again from here on */
    ExCheckWorkerReturn((PVOID)routine, parameter, Item);
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
 * @param WorkItem   initialised with ExInitializeWorkItem, not queued now (bug check E4, kind 1); the caller's until its
 *                   routine runs
 * @param QueueType  Critical, Delayed or HyperCritical; anything else is taken as Delayed
 * IRQL <= DISPATCH_LEVEL.
 */
VOID NTAPI ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType)
{
    EXP_WORK_QUEUE *queue = &ExpQueues[(ULONG)QueueType < RTL_NUMBER_OF(ExpQueueShape) ? QueueType : DelayedWorkQueue];

    VfCheck(!MmIsPagedPool(WorkItem), 0x131, (ULONG_PTR)WorkItem, 0, 0);
    if (WorkItem->List.Flink != NULL)
    {
        KeBugCheckEx(WORKER_INVALID, 1, (ULONG_PTR)WorkItem, QueueType, 0);
    }
    InterlockedIncrement64(&queue->Outstanding);
    KeInsertQueue(&queue->Queue, &WorkItem->List);
}

VOID ExCheckForWorker(PVOID Memory, SIZE_T Size)
{
    for (ULONG q = 0; q < RTL_NUMBER_OF(ExpQueueShape); q++)
    {
        PLIST_ENTRY entry = ReadAcquire64(&ExpQueues[q].Outstanding) == 0
                                ? NULL
                                : KeFindInQueue(&ExpQueues[q].Queue, Memory, Size);

        if (entry != NULL)
        {
            KeBugCheckEx(WORKER_INVALID, 0, (ULONG_PTR)CONTAINING_RECORD(entry, WORK_QUEUE_ITEM, List),
                         (ULONG_PTR)Memory, (ULONG_PTR)Memory + Size);
        }
    }
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
