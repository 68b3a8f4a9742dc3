/* SPDX-License-Identifier: MIT */
/* The pool itself: queue, workers, and the thread that watches handles and times (threadpool.h has the drawing). */
#include "threadpool.h"

#define BASE_POOL_WORKERS 500u     /* as many as Windows' default */
#define BASE_POOL_IDLE 10000u      /* milliseconds until an idle worker leaves */
#define BASE_POOL_SLICE 10u        /* milliseconds for one group of handles when there are several groups */

static RTL_SRWLOCK BasePoolLock;
static RTL_CONDITION_VARIABLE BasePoolWork, BasePoolDone;
static LIST_ENTRY BasePoolQueue, BasePoolWatched;
static ULONG BasePoolWorkers, BasePoolFree; /* free: idle, or just made */
static HANDLE BasePoolWake;        /* tells the watcher that what it watches has changed */

static VOID BasePoolEnter(VOID)
{
    RtlAcquireSRWLockExclusive(&BasePoolLock);
    if (BasePoolQueue.Flink == NULL)
    {
        BasePoolQueue.Flink = BasePoolQueue.Blink = &BasePoolQueue;
        BasePoolWatched.Flink = BasePoolWatched.Blink = &BasePoolWatched;
    }
}

static VOID BasePoolLeave(VOID)
{
    RtlReleaseSRWLockExclusive(&BasePoolLock);
}

static VOID BaseInsertTail(PLIST_ENTRY Head, PLIST_ENTRY Entry)
{
    Entry->Flink = Head;
    Entry->Blink = Head->Blink;
    Head->Blink->Flink = Entry;
    Head->Blink = Entry;
}

static VOID BaseRemove(PLIST_ENTRY Entry)
{
    Entry->Flink->Blink = Entry->Blink;
    Entry->Blink->Flink = Entry->Flink;
    Entry->Flink = NULL;
}

static LONG64 BaseNow(VOID)
{
    ULONGLONG now;

    QueryUnbiasedInterruptTime(&now);
    return (LONG64)now;
}

static BOOLEAN BaseIsIdle(const BASE_TASK *Task)
{
    return Task->Pending == 0 && Task->Running == 0;
}

/* Lock held: tells those who wait for it, or frees it. */
static BOOLEAN BaseSettle(BASE_TASK *Task)
{
    if (!BaseIsIdle(Task))
    {
        return FALSE;
    }
    if (Task->Closed && Task->WatchLinks.Flink == NULL)
    {
        if (Task->Ended != NULL)
        {
            NtSetEvent(Task->Ended, NULL);
        }
        RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, Task);
        return TRUE;
    }
    RtlWakeAllConditionVariable(&BasePoolDone);
    return FALSE;
}

/* ---- Workers ---- */

static BOOLEAN BaseArm(BASE_TASK *Task, HANDLE Handle, const LARGE_INTEGER *Due, ULONG Period);

/* Takes one call of the first task; lock held. A task with more calls stays in the queue for the other workers. */
static BASE_TASK *BaseTakeTask(VOID)
{
    BASE_TASK *task = CONTAINING_RECORD(BasePoolQueue.Flink, BASE_TASK, QueueLinks);

    task->Running++;
    if (--task->Pending == 0)
    {
        BaseRemove(&task->QueueLinks);
        task->Queued = FALSE;
    }
    return task;
}

static VOID BaseRunTask(BASE_TASK *Task)
{
    DWORD result = Task->WaitResult;

    BasePoolLeave();
    Task->Run(Task, result);
    BasePoolEnter();
    Task->Running--;
    if (Task->Repeat && !Task->Closed && Task->WatchLinks.Flink == NULL)
    {
        LARGE_INTEGER due = {.QuadPart = -(LONG64)Task->Timeout * 10000};
        BaseArm(Task, Task->Handle, Task->Timeout == INFINITE ? NULL : &due, 0);
    }
    BaseSettle(Task);
}

static DWORD WINAPI BaseWorker(PVOID Unused);

/*
 * One more if none is free; lock held. Done for each call that is queued, and by each worker that leaves others in the
 * queue when it takes one: so calls that block never hold up the rest, and short ones make few threads.
 */
static VOID BaseAddWorker(VOID)
{
    HANDLE worker;

    if (BasePoolFree != 0 || BasePoolWorkers >= BASE_POOL_WORKERS)
    {
        return;
    }
    worker = CreateThread(NULL, 0, BaseWorker, NULL, 0, NULL);
    if (worker != NULL) /* else one of those that are there will come to it */
    {
        BasePoolWorkers++;
        BasePoolFree++;
        NtClose(worker);
    }
}

static DWORD WINAPI BaseWorker(PVOID Unused)
{
    UNREFERENCED_PARAMETER(Unused);
    BasePoolEnter();
    BasePoolFree--;
    for (;;)
    {
        LARGE_INTEGER timeout = {.QuadPart = -(LONG64)BASE_POOL_IDLE * 10000};
        NTSTATUS status = STATUS_SUCCESS;

        if (BasePoolQueue.Flink == &BasePoolQueue)
        {
            BasePoolFree++;
            status = RtlSleepConditionVariableSRW(&BasePoolWork, &BasePoolLock, &timeout, 0);
            BasePoolFree--;
        }
        if (BasePoolQueue.Flink != &BasePoolQueue)
        {
            BASE_TASK *task = BaseTakeTask();
            if (BasePoolQueue.Flink != &BasePoolQueue)
            {
                BaseAddWorker();
            }
            BaseRunTask(task);
        }
        else if (status == STATUS_TIMEOUT)
        {
            BasePoolWorkers--;
            BasePoolLeave();
            return 0;
        }
    }
}

/* Queues one call; lock held. */
static VOID BaseQueue(BASE_TASK *Task, DWORD WaitResult)
{
    Task->WaitResult = WaitResult;
    Task->Pending++;
    if (!Task->Queued)
    {
        Task->Queued = TRUE;
        BaseInsertTail(&BasePoolQueue, &Task->QueueLinks);
    }
    BaseAddWorker();
    RtlWakeConditionVariable(&BasePoolWork);
}

/* ---- The watcher ---- */

/* Something a task waited for has come; lock held. */
static VOID BaseFire(BASE_TASK *Task, DWORD WaitResult)
{
    if (WaitResult == WAIT_TIMEOUT && Task->Handle == NULL && Task->Period != 0)
    {
        Task->Due += (LONG64)Task->Period * 10000;
        Task->Due = max(Task->Due, BaseNow()); /* what was missed is not made up for */
    }
    else
    {
        BaseRemove(&Task->WatchLinks);
    }
    BaseQueue(Task, WaitResult);
}

/* Queues what is due; returns the milliseconds until the next time. Lock held. */
static DWORD BaseFireDue(VOID)
{
    LONG64 now = BaseNow(), nearest = MAXLONG64;

    for (PLIST_ENTRY link = BasePoolWatched.Flink; link != &BasePoolWatched;)
    {
        BASE_TASK *task = CONTAINING_RECORD(link, BASE_TASK, WatchLinks);

        link = link->Flink;
        if (task->HasDue && task->Due <= now)
        {
            BaseFire(task, WAIT_TIMEOUT);
        }
        if (task->WatchLinks.Flink != NULL && task->HasDue)
        {
            nearest = min(nearest, task->Due);
        }
    }
    return nearest == MAXLONG64 ? INFINITE : (DWORD)min((nearest - min(now, nearest)) / 10000 + 1, 0x7FFFFFFF);
}

/* The handles from number First on, after the one that wakes the watcher; lock held. Returns how many there are in all.
 */
static ULONG BaseGather(ULONG First, HANDLE *Handles, BASE_TASK **Tasks, PULONG Count)
{
    ULONG all = 0;

    Handles[0] = BasePoolWake;
    *Count = 1;
    for (PLIST_ENTRY link = BasePoolWatched.Flink; link != &BasePoolWatched; link = link->Flink)
    {
        BASE_TASK *task = CONTAINING_RECORD(link, BASE_TASK, WatchLinks);

        if (task->Handle == NULL)
        {
            continue;
        }
        if (all >= First && *Count < MAXIMUM_WAIT_OBJECTS)
        {
            Handles[*Count] = task->Handle;
            Tasks[(*Count)++] = task;
        }
        all++;
    }
    return all;
}

/*
 * The wait for several handles failed, because of one of them: each is tried by itself. One that cannot be waited for
 * (closed, no SYNCHRONIZE right, nothing that is signalled) is not watched further; all others are as before.
 */
static VOID BaseTryEachHandle(VOID)
{
    for (PLIST_ENTRY link = BasePoolWatched.Flink; link != &BasePoolWatched;)
    {
        BASE_TASK *task = CONTAINING_RECORD(link, BASE_TASK, WatchLinks);
        DWORD result;

        link = link->Flink;
        result = task->Handle != NULL ? WaitForSingleObject(task->Handle, 0) : WAIT_TIMEOUT;
        if (result == WAIT_FAILED)
        {
            BaseRemove(&task->WatchLinks);
        }
        else if (result != WAIT_TIMEOUT)
        {
            BaseFire(task, WAIT_OBJECT_0); /* the try may have taken the signal */
        }
    }
}

/* The task may be gone, or wait for something else, since the watcher began to wait: it is looked for, never followed.
 */
static VOID BaseFireSignalled(const BASE_TASK *Task, HANDLE Handle)
{
    for (PLIST_ENTRY link = BasePoolWatched.Flink; link != &BasePoolWatched; link = link->Flink)
    {
        BASE_TASK *task = CONTAINING_RECORD(link, BASE_TASK, WatchLinks);

        if (task == Task && task->Handle == Handle)
        {
            BaseFire(task, WAIT_OBJECT_0);
            return;
        }
    }
}

static DWORD WINAPI BaseWatcher(PVOID Unused)
{
    HANDLE handles[MAXIMUM_WAIT_OBJECTS];
    BASE_TASK *tasks[MAXIMUM_WAIT_OBJECTS];
    ULONG first = 0, count;

    UNREFERENCED_PARAMETER(Unused);
    BasePoolEnter();
    for (;;)
    {
        DWORD timeout = BaseFireDue();
        ULONG all = BaseGather(first, handles, tasks, &count);

        first = first + count - 1 < all ? first + count - 1 : 0;
        if (all >= MAXIMUM_WAIT_OBJECTS)
        {
            timeout = min(timeout, BASE_POOL_SLICE);
        }
        BasePoolLeave();
        DWORD result = WaitForMultipleObjects(count, handles, FALSE, timeout);
        BasePoolEnter();
        if (result == WAIT_FAILED)
        {
            BaseTryEachHandle();
        }
        else if (result != WAIT_TIMEOUT && (result & ~WAIT_ABANDONED_0) != WAIT_OBJECT_0)
        {
            BaseFireSignalled(tasks[result & ~WAIT_ABANDONED_0], handles[result & ~WAIT_ABANDONED_0]);
        }
    }
}

/* With the first that is to be watched; lock held. FALSE: there is none, and the last error says why. */
static BOOLEAN BaseStartWatcher(VOID)
{
    HANDLE wake, watcher;

    if (BasePoolWake != NULL)
    {
        return TRUE;
    }
    wake = CreateEventW(NULL, FALSE, FALSE, NULL);
    watcher = wake != NULL ? CreateThread(NULL, 0, BaseWatcher, NULL, 0, NULL) : NULL;
    if (watcher == NULL)
    {
        if (wake != NULL)
        {
            NtClose(wake);
        }
        return FALSE;
    }
    NtClose(watcher);
    BasePoolWake = wake; /* the watcher begins by waiting for the lock */
    return TRUE;
}

/* Lock held. FALSE: nobody watches. */
static BOOLEAN BaseArm(BASE_TASK *Task, HANDLE Handle, const LARGE_INTEGER *Due, ULONG Period)
{
    if (!BaseStartWatcher())
    {
        return FALSE;
    }
    Task->Handle = Handle;
    Task->HasDue = Due != NULL;
    Task->Period = Period;
    if (Due != NULL)
    {
        LONG64 now = BaseNow();
        FILETIME utc;
        GetSystemTimeAsFileTime(&utc);
        LONG64 system = (LONG64)((ULONG64)utc.dwHighDateTime << 32 | utc.dwLowDateTime);
        Task->Due = Due->QuadPart <= 0 ? now - Due->QuadPart : now + Due->QuadPart - system;
    }
    if (Task->WatchLinks.Flink == NULL)
    {
        BaseInsertTail(&BasePoolWatched, &Task->WatchLinks);
    }
    NtSetEvent(BasePoolWake, NULL);
    return TRUE;
}

/* ---- What the kinds of objects use ---- */

BASE_TASK *BaseCreateTask(PBASE_RUN Run, PVOID Callback, PVOID Context)
{
    BASE_TASK *task = RtlAllocateHeap(NtCurrentPeb()->ProcessHeap, HEAP_ZERO_MEMORY, sizeof(*task));

    if (task == NULL)
    {
        BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    task->Run = Run;
    task->Callback = Callback;
    task->Context = Context;
    return task;
}

VOID BaseSubmitTask(BASE_TASK *Task, DWORD WaitResult)
{
    BasePoolEnter();
    BaseQueue(Task, WaitResult);
    BasePoolLeave();
}

BOOLEAN BaseWatchTask(BASE_TASK *Task, HANDLE Handle, const LARGE_INTEGER *Due, ULONG Period)
{
    BOOLEAN watched;

    BasePoolEnter();
    watched = BaseArm(Task, Handle, Due, Period);
    BasePoolLeave();
    return watched;
}

static VOID BaseDisarm(BASE_TASK *Task)
{
    Task->Repeat = FALSE;
    if (Task->WatchLinks.Flink != NULL)
    {
        BaseRemove(&Task->WatchLinks);
        NtSetEvent(BasePoolWake, NULL);
    }
}

VOID BaseUnwatchTask(BASE_TASK *Task)
{
    BasePoolEnter();
    BaseDisarm(Task);
    BasePoolLeave();
}

VOID BaseWaitTask(BASE_TASK *Task, BOOL Cancel)
{
    BasePoolEnter();
    if (Cancel && Task->Queued)
    {
        BaseRemove(&Task->QueueLinks);
        Task->Queued = FALSE;
        Task->Pending = 0;
    }
    while (!BaseIsIdle(Task))
    {
        RtlSleepConditionVariableSRW(&BasePoolDone, &BasePoolLock, NULL, 0);
    }
    BasePoolLeave();
}

BOOLEAN BaseEndTask(BASE_TASK *Task, HANDLE Ended)
{
    BOOLEAN gone;

    BasePoolEnter();
    BaseDisarm(Task);
    Task->Closed = TRUE;
    Task->Ended = Ended;
    gone = BaseSettle(Task);
    BasePoolLeave();
    return gone;
}

VOID BaseCloseTask(BASE_TASK *Task)
{
    BaseEndTask(Task, NULL);
}
