/* SPDX-License-Identifier: MIT */
/*
 * What programs call of the thread pool: work, timers, waits; and the older work items, registered waits and timer
 * queues. Private pools and cleanup groups are not there: an environment that names one is refused.
 */
#include "threadpool.h"

/* ---- Callbacks of the newer kind ---- */

/* What a callback asks to be done when it has returned. */
struct _TP_CALLBACK_INSTANCE
{
    HANDLE Event, Mutex, Semaphore;
    DWORD SemaphoreCount;
    PCRITICAL_SECTION Section;
    HMODULE Library;
};

static VOID BaseFinishInstance(PTP_CALLBACK_INSTANCE Instance)
{
    if (Instance->Section != NULL)
    {
        RtlLeaveCriticalSection(Instance->Section);
    }
    if (Instance->Mutex != NULL)
    {
        ReleaseMutex(Instance->Mutex);
    }
    if (Instance->Semaphore != NULL)
    {
        ReleaseSemaphore(Instance->Semaphore, (LONG)Instance->SemaphoreCount, NULL);
    }
    if (Instance->Event != NULL)
    {
        SetEvent(Instance->Event);
    }
    if (Instance->Library != NULL)
    {
        FreeLibrary(Instance->Library);
    }
}

VOID WINAPI SetEventWhenCallbackReturns(PTP_CALLBACK_INSTANCE pci, HANDLE evt)
{
    pci->Event = evt;
}

VOID WINAPI ReleaseMutexWhenCallbackReturns(PTP_CALLBACK_INSTANCE pci, HANDLE mut)
{
    pci->Mutex = mut;
}

VOID WINAPI ReleaseSemaphoreWhenCallbackReturns(PTP_CALLBACK_INSTANCE pci, HANDLE sem, DWORD crel)
{
    pci->Semaphore = sem;
    pci->SemaphoreCount = crel;
}

VOID WINAPI LeaveCriticalSectionWhenCallbackReturns(PTP_CALLBACK_INSTANCE pci, PCRITICAL_SECTION pcs)
{
    pci->Section = pcs;
}

VOID WINAPI FreeLibraryWhenCallbackReturns(PTP_CALLBACK_INSTANCE pci, HMODULE mod)
{
    pci->Library = mod;
}

/* TRUE: there is, or will be, a thread for others. */
BOOL WINAPI CallbackMayRunLong(PTP_CALLBACK_INSTANCE pci)
{
    UNREFERENCED_PARAMETER(pci);
    return TRUE;
}

static VOID BaseRunWork(BASE_TASK *Task, DWORD WaitResult)
{
    struct _TP_CALLBACK_INSTANCE instance = {0};

    UNREFERENCED_PARAMETER(WaitResult);
    ((PTP_WORK_CALLBACK)Task->Callback)(&instance, Task->Context, (PTP_WORK)Task);
    BaseFinishInstance(&instance);
}

static VOID BaseRunSimple(BASE_TASK *Task, DWORD WaitResult)
{
    struct _TP_CALLBACK_INSTANCE instance = {0};

    UNREFERENCED_PARAMETER(WaitResult);
    ((PTP_SIMPLE_CALLBACK)Task->Callback)(&instance, Task->Context);
    BaseFinishInstance(&instance);
}

static VOID BaseRunPoolTimer(BASE_TASK *Task, DWORD WaitResult)
{
    struct _TP_CALLBACK_INSTANCE instance = {0};

    UNREFERENCED_PARAMETER(WaitResult);
    ((PTP_TIMER_CALLBACK)Task->Callback)(&instance, Task->Context, (PTP_TIMER)Task);
    BaseFinishInstance(&instance);
}

static VOID BaseRunPoolWait(BASE_TASK *Task, DWORD WaitResult)
{
    struct _TP_CALLBACK_INSTANCE instance = {0};

    ((PTP_WAIT_CALLBACK)Task->Callback)(&instance, Task->Context, (PTP_WAIT)Task, WaitResult);
    BaseFinishInstance(&instance);
}

static BASE_TASK *BaseCreatePoolTask(PTP_CALLBACK_ENVIRON Environment, PBASE_RUN Run, PVOID Callback, PVOID Context)
{
    if (Environment != NULL && (Environment->Pool != NULL || Environment->CleanupGroup != NULL))
    {
        BaseFailWith(ERROR_NOT_SUPPORTED);
        return NULL;
    }
    return BaseCreateTask(Run, Callback, Context);
}

PTP_WORK WINAPI CreateThreadpoolWork(PTP_WORK_CALLBACK pfnwk, PVOID pv, PTP_CALLBACK_ENVIRON pcbe)
{
    return (PTP_WORK)BaseCreatePoolTask(pcbe, BaseRunWork, (PVOID)pfnwk, pv);
}

VOID WINAPI SubmitThreadpoolWork(PTP_WORK pwk)
{
    BaseSubmitTask((BASE_TASK *)pwk, 0);
}

VOID WINAPI WaitForThreadpoolWorkCallbacks(PTP_WORK pwk, BOOL fCancelPendingCallbacks)
{
    BaseWaitTask((BASE_TASK *)pwk, fCancelPendingCallbacks);
}

VOID WINAPI CloseThreadpoolWork(PTP_WORK pwk)
{
    BaseCloseTask((BASE_TASK *)pwk);
}

BOOL WINAPI TrySubmitThreadpoolCallback(PTP_SIMPLE_CALLBACK pfns, PVOID pv, PTP_CALLBACK_ENVIRON pcbe)
{
    BASE_TASK *task = BaseCreatePoolTask(pcbe, BaseRunSimple, (PVOID)pfns, pv);

    if (task != NULL)
    {
        BaseSubmitTask(task, 0);
        BaseCloseTask(task); /* it goes after the call */
    }
    return task != NULL;
}

PTP_TIMER WINAPI CreateThreadpoolTimer(PTP_TIMER_CALLBACK pfnti, PVOID pv, PTP_CALLBACK_ENVIRON pcbe)
{
    return (PTP_TIMER)BaseCreatePoolTask(pcbe, BaseRunPoolTimer, (PVOID)pfnti, pv);
}

static PLARGE_INTEGER BaseDueTime(const FILETIME *Time, PLARGE_INTEGER Value)
{
    if (Time == NULL)
    {
        return NULL;
    }
    Value->LowPart = Time->dwLowDateTime;
    Value->HighPart = (LONG)Time->dwHighDateTime;
    return Value;
}

VOID WINAPI SetThreadpoolTimer(PTP_TIMER pti, PFILETIME pftDueTime, DWORD msPeriod, DWORD msWindowLength)
{
    LARGE_INTEGER due;

    UNREFERENCED_PARAMETER(msWindowLength);
    if (pftDueTime == NULL)
    {
        BaseUnwatchTask((BASE_TASK *)pti);
    }
    else
    {
        BaseWatchTask((BASE_TASK *)pti, NULL, BaseDueTime(pftDueTime, &due), msPeriod);
    }
}

BOOL WINAPI IsThreadpoolTimerSet(PTP_TIMER pti)
{
    return ((BASE_TASK *)pti)->WatchLinks.Flink != NULL;
}

VOID WINAPI WaitForThreadpoolTimerCallbacks(PTP_TIMER pti, BOOL fCancelPendingCallbacks)
{
    BaseWaitTask((BASE_TASK *)pti, fCancelPendingCallbacks);
}

VOID WINAPI CloseThreadpoolTimer(PTP_TIMER pti)
{
    BaseCloseTask((BASE_TASK *)pti);
}

PTP_WAIT WINAPI CreateThreadpoolWait(PTP_WAIT_CALLBACK pfnwa, PVOID pv, PTP_CALLBACK_ENVIRON pcbe)
{
    return (PTP_WAIT)BaseCreatePoolTask(pcbe, BaseRunPoolWait, (PVOID)pfnwa, pv);
}

VOID WINAPI SetThreadpoolWait(PTP_WAIT pwa, HANDLE h, PFILETIME pftTimeout)
{
    LARGE_INTEGER due;

    if (h == NULL)
    {
        BaseUnwatchTask((BASE_TASK *)pwa);
    }
    else
    {
        BaseWatchTask((BASE_TASK *)pwa, h, BaseDueTime(pftTimeout, &due), 0);
    }
}

VOID WINAPI WaitForThreadpoolWaitCallbacks(PTP_WAIT pwa, BOOL fCancelPendingCallbacks)
{
    BaseWaitTask((BASE_TASK *)pwa, fCancelPendingCallbacks);
}

VOID WINAPI CloseThreadpoolWait(PTP_WAIT pwa)
{
    BaseCloseTask((BASE_TASK *)pwa);
}

/* ---- The older kind ---- */

static VOID BaseRunWorkItem(BASE_TASK *Task, DWORD WaitResult)
{
    UNREFERENCED_PARAMETER(WaitResult);
    ((LPTHREAD_START_ROUTINE)Task->Callback)(Task->Context);
}

/* Flags choose among kinds of threads that all are the same here. */
BOOL WINAPI QueueUserWorkItem(LPTHREAD_START_ROUTINE Function, PVOID Context, ULONG Flags)
{
    BASE_TASK *task = BaseCreateTask(BaseRunWorkItem, (PVOID)Function, Context);

    UNREFERENCED_PARAMETER(Flags);
    if (task != NULL)
    {
        BaseSubmitTask(task, 0);
        BaseCloseTask(task);
    }
    return task != NULL;
}

static VOID BaseRunRegistered(BASE_TASK *Task, DWORD WaitResult)
{
    ((WAITORTIMERCALLBACK)Task->Callback)(Task->Context, WaitResult == WAIT_TIMEOUT);
}

BOOL WINAPI RegisterWaitForSingleObject(PHANDLE phNewWaitObject, HANDLE hObject, WAITORTIMERCALLBACK Callback,
                                        PVOID Context, ULONG dwMilliseconds, ULONG dwFlags)
{
    LARGE_INTEGER due = {.QuadPart = -(LONG64)dwMilliseconds * 10000};
    BASE_TASK *task = BaseCreateTask(BaseRunRegistered, (PVOID)Callback, Context);

    if (task == NULL)
    {
        return FALSE;
    }
    task->Repeat = (dwFlags & WT_EXECUTEONLYONCE) == 0;
    task->Timeout = dwMilliseconds;
    *phNewWaitObject = (HANDLE)task;
    if (!BaseWatchTask(task, hObject, dwMilliseconds == INFINITE ? NULL : &due, 0))
    {
        BaseCloseTask(task);
        return FALSE;
    }
    return TRUE;
}

/*
 * Event NULL: don't wait; INVALID_HANDLE_VALUE: wait for its calls; else set when they have ended, also when one of them
 * is what calls this.
 */
static BOOL BaseEndWatch(BASE_TASK *Task, HANDLE Event)
{
    if (Task == NULL)
    {
        return BaseFailWith(ERROR_INVALID_HANDLE);
    }
    if (Event == INVALID_HANDLE_VALUE)
    {
        BaseUnwatchTask(Task);
        BaseWaitTask(Task, FALSE);
        BaseCloseTask(Task);
        return TRUE;
    }
    return BaseEndTask(Task, Event) ? TRUE : BaseFailWith(ERROR_IO_PENDING);
}

BOOL WINAPI UnregisterWaitEx(HANDLE WaitHandle, HANDLE CompletionEvent)
{
    return BaseEndWatch((BASE_TASK *)WaitHandle, CompletionEvent);
}

BOOL WINAPI UnregisterWait(HANDLE WaitHandle)
{
    return BaseEndWatch((BASE_TASK *)WaitHandle, NULL);
}

/* ---- Timer queues ---- */

typedef struct _BASE_QUEUE_TIMER
{
    struct _BASE_QUEUE_TIMER *Next;
    BASE_TASK *Task;
} BASE_QUEUE_TIMER;

typedef struct _BASE_TIMER_QUEUE
{
    RTL_SRWLOCK Lock;
    BASE_QUEUE_TIMER *Timers;
} BASE_TIMER_QUEUE;

static BASE_TIMER_QUEUE BaseDefaultQueue;

static BASE_TIMER_QUEUE *BaseTimerQueue(HANDLE Queue)
{
    return Queue == NULL ? &BaseDefaultQueue : (BASE_TIMER_QUEUE *)Queue;
}

static VOID BaseRunQueueTimer(BASE_TASK *Task, DWORD WaitResult)
{
    UNREFERENCED_PARAMETER(WaitResult);
    ((WAITORTIMERCALLBACK)Task->Callback)(Task->Context, TRUE);
}

HANDLE WINAPI CreateTimerQueue(VOID)
{
    BASE_TIMER_QUEUE *queue = RtlAllocateHeap(NtCurrentPeb()->ProcessHeap, HEAP_ZERO_MEMORY, sizeof(*queue));

    if (queue == NULL)
    {
        BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
    }
    return (HANDLE)queue;
}

BOOL WINAPI CreateTimerQueueTimer(PHANDLE phNewTimer, HANDLE TimerQueue, WAITORTIMERCALLBACK Callback,
                                  PVOID DueTimeContext, DWORD DueTime, DWORD Period, ULONG Flags)
{
    BASE_TIMER_QUEUE *queue = BaseTimerQueue(TimerQueue);
    BASE_QUEUE_TIMER *timer = RtlAllocateHeap(NtCurrentPeb()->ProcessHeap, HEAP_ZERO_MEMORY, sizeof(*timer));
    BASE_TASK *task = BaseCreateTask(BaseRunQueueTimer, (PVOID)Callback, DueTimeContext);
    LARGE_INTEGER due = {.QuadPart = -(LONG64)DueTime * 10000};

    if (timer == NULL || task == NULL)
    {
        RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, timer);
        RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, task);
        return BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
    }
    timer->Task = task;
    RtlAcquireSRWLockExclusive(&queue->Lock);
    timer->Next = queue->Timers;
    queue->Timers = timer;
    RtlReleaseSRWLockExclusive(&queue->Lock);
    *phNewTimer = (HANDLE)timer;
    if (DueTime != INFINITE && !BaseWatchTask(task, NULL, &due, (Flags & WT_EXECUTEONLYONCE) != 0 ? 0 : Period))
    {
        DeleteTimerQueueTimer(TimerQueue, (HANDLE)timer, NULL);
        return FALSE;
    }
    return TRUE;
}

BOOL WINAPI ChangeTimerQueueTimer(HANDLE TimerQueue, HANDLE Timer, ULONG DueTime, ULONG Period)
{
    LARGE_INTEGER due = {.QuadPart = -(LONG64)DueTime * 10000};

    UNREFERENCED_PARAMETER(TimerQueue);
    if (Timer == NULL)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    return BaseWatchTask(((BASE_QUEUE_TIMER *)Timer)->Task, NULL, &due, Period);
}

BOOL WINAPI DeleteTimerQueueTimer(HANDLE TimerQueue, HANDLE Timer, HANDLE CompletionEvent)
{
    BASE_TIMER_QUEUE *queue = BaseTimerQueue(TimerQueue);
    BASE_TASK *task = NULL;

    RtlAcquireSRWLockExclusive(&queue->Lock);
    for (BASE_QUEUE_TIMER **link = &queue->Timers; *link != NULL; link = &(*link)->Next)
    {
        if (*link == (BASE_QUEUE_TIMER *)Timer)
        {
            task = (*link)->Task;
            *link = (*link)->Next;
            RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, Timer);
            break;
        }
    }
    RtlReleaseSRWLockExclusive(&queue->Lock);
    return task != NULL ? BaseEndWatch(task, CompletionEvent) : BaseFailWith(ERROR_INVALID_PARAMETER);
}

/* Deletes all timers of a queue, and waits for their calls if asked to; then the queue. */
static VOID BaseDeleteQueue(BASE_TIMER_QUEUE *Queue, BOOLEAN Wait)
{
    BASE_QUEUE_TIMER *timer;

    for (;;)
    {
        RtlAcquireSRWLockExclusive(&Queue->Lock);
        timer = Queue->Timers;
        RtlReleaseSRWLockExclusive(&Queue->Lock);
        if (timer == NULL)
        {
            break;
        }
        DeleteTimerQueueTimer((HANDLE)Queue, (HANDLE)timer, Wait ? INVALID_HANDLE_VALUE : NULL);
    }
    RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, Queue);
}

/* In the pool, so that a timer's own call may delete its queue with an event. */
static VOID BaseRunQueueEnd(BASE_TASK *Task, DWORD WaitResult)
{
    UNREFERENCED_PARAMETER(WaitResult);
    BaseDeleteQueue(Task->Callback, TRUE);
    NtSetEvent((HANDLE)Task->Context, NULL);
}

static VOID BaseStopQueue(BASE_TIMER_QUEUE *Queue)
{
    RtlAcquireSRWLockExclusive(&Queue->Lock);
    for (BASE_QUEUE_TIMER *timer = Queue->Timers; timer != NULL; timer = timer->Next)
    {
        BaseUnwatchTask(timer->Task);
    }
    RtlReleaseSRWLockExclusive(&Queue->Lock);
}

BOOL WINAPI DeleteTimerQueueEx(HANDLE TimerQueue, HANDLE CompletionEvent)
{
    BASE_TIMER_QUEUE *queue = (BASE_TIMER_QUEUE *)TimerQueue;
    BASE_TASK *end;

    if (queue == NULL)
    {
        return BaseFailWith(ERROR_INVALID_HANDLE);
    }
    if (CompletionEvent == NULL || CompletionEvent == INVALID_HANDLE_VALUE)
    {
        BaseDeleteQueue(queue, CompletionEvent != NULL);
        return TRUE;
    }
    end = BaseCreateTask(BaseRunQueueEnd, queue, CompletionEvent);
    if (end == NULL)
    {
        return FALSE;
    }
    BaseStopQueue(queue); /* no call becomes due from here on */
    BaseSubmitTask(end, 0);
    BaseCloseTask(end);
    return TRUE;
}
