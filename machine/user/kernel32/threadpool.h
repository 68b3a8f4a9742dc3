/* SPDX-License-Identifier: MIT */
/*
 * The process's thread pool: callbacks are queued to worker threads; one waiter thread watches handles and due times.
 *
 *   Submit... --------------------------------> queue --> workers (made when all are busy, leave after idling)
 *   SetThreadpoolTimer/Wait --> waiter thread --^
 *
 * Every kind of object is a BASE_TASK: how often it is queued or running, and what it calls.
 */
#pragma once

#include "base.h"

typedef struct _BASE_TASK BASE_TASK;
typedef VOID (*PBASE_RUN)(BASE_TASK *Task, DWORD WaitResult);

struct _BASE_TASK
{
    LIST_ENTRY QueueLinks;         /* while Pending != 0 and not taken by a worker */
    LIST_ENTRY WatchLinks;         /* while it waits for a time or a handle; Flink NULL: it does not */
    PBASE_RUN Run;
    PVOID Callback, Context;
    ULONG Pending;                 /* calls that are due and not begun */
    ULONG Running;
    BOOLEAN Queued;
    BOOLEAN Closed;                /* freed when the last call has ended */
    HANDLE Ended;                  /* an event to set then, or NULL */
    HANDLE Handle;                 /* to wait for; NULL: only the time */
    BOOLEAN HasDue;
    LONG64 Due;                    /* in 100 ns since start (interrupt time) */
    ULONG Period;                  /* milliseconds; 0: once */
    BOOLEAN Repeat;                /* the handle is watched again after each call */
    ULONG Timeout;                 /* of such a wait */
    DWORD WaitResult;              /* for the next call */
};

/* All of these take the pool's lock themselves. */
BASE_TASK *BaseCreateTask(PBASE_RUN Run, PVOID Callback, PVOID Context);
VOID BaseSubmitTask(BASE_TASK *Task, DWORD WaitResult);
/** Watches for a handle (or NULL) and until a time (in 100 ns, relative if negative, absolute UTC if positive);
 * replaces what was watched. FALSE, with the last error: there is no thread that could. */
BOOLEAN BaseWatchTask(BASE_TASK *Task, HANDLE Handle, const LARGE_INTEGER *Due, ULONG Period);
/** Stops watching; calls already due still come unless Cancel. */
VOID BaseUnwatchTask(BASE_TASK *Task);
/** Waits until no call is due or running; with Cancel those not begun are dropped. */
VOID BaseWaitTask(BASE_TASK *Task, BOOL Cancel);
/** The task goes when its last call has ended; Ended, if not NULL, is an event to set then. TRUE: it has gone. */
BOOLEAN BaseEndTask(BASE_TASK *Task, HANDLE Ended);
VOID BaseCloseTask(BASE_TASK *Task);
