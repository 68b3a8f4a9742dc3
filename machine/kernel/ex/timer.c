/* SPDX-License-Identifier: MIT */
/*
 * Timer objects as programs see them (waitable timers), with an optional APC to the thread that set them.
 *
 * The object keeps one reference on that thread, and the queued APC one on the object, so that neither is gone
 * when the other still points at it:   ETIMER --Thread--> thread        APC (queued) --> ETIMER
 */
#include "exp.h"

POBJECT_TYPE ExTimerObjectType;

#ifndef TIMER_QUERY_STATE
#define TIMER_QUERY_STATE 0x0001
#define TIMER_MODIFY_STATE 0x0002
#define TIMER_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | TIMER_QUERY_STATE | TIMER_MODIFY_STATE)
#endif

typedef struct _ETIMER
{
    KTIMER Timer;
    KDPC Dpc;
    KAPC Apc;
    KSPIN_LOCK Lock;      /* guards what follows */
    PETHREAD Thread;      /* gets the APC; referenced; NULL if no APC is asked for */
    BOOLEAN ApcQueued;
} ETIMER, *PETIMER;

typedef VOID (NTAPI *PEXP_TIMER_APC)(PVOID Context, ULONG LowTime, LONG HighTime);

static VOID ExpTimerApcDone(PETIMER Timer)
{
    KIRQL irql;

    KeAcquireSpinLock(&Timer->Lock, &irql);
    Timer->ApcQueued = FALSE;
    KeReleaseSpinLock(&Timer->Lock, irql);
    ObDereferenceObject(Timer);
}

static VOID NTAPI ExpTimerKernelApc(PKAPC Apc, PKNORMAL_ROUTINE *Routine, PVOID *Context, PVOID *Argument1, PVOID *Argument2)
{
    LARGE_INTEGER now;

    UNREFERENCED_PARAMETER(Routine);
    UNREFERENCED_PARAMETER(Context);
    KeQuerySystemTime(&now);
    *Argument1 = (PVOID)(ULONG_PTR)now.LowPart;
    *Argument2 = (PVOID)(LONG_PTR)now.HighPart;
    ExpTimerApcDone(CONTAINING_RECORD(Apc, ETIMER, Apc));
}

static VOID NTAPI ExpTimerApcRundown(PKAPC Apc)
{
    ExpTimerApcDone(CONTAINING_RECORD(Apc, ETIMER, Apc));
}

static VOID NTAPI ExpTimerDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PETIMER timer = Context;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);
    KeAcquireSpinLockAtDpcLevel(&timer->Lock);
    if (timer->Thread != NULL && !timer->ApcQueued)
    {
        ObReferenceObject(timer);
        timer->ApcQueued = TRUE;
        if (!KeInsertQueueApc(&timer->Apc, NULL, NULL, TIMER_APC_INCREMENT))
        {
            timer->ApcQueued = FALSE; /* the thread is leaving */
            ObDereferenceObjectDeferDelete(timer);
        }
    }
    KeReleaseSpinLockFromDpcLevel(&timer->Lock);
}

/* Stops the timer; a queued APC that can still be taken back is. Returns the thread to dereference, if any. */
static PETHREAD ExpDisarm(PETIMER Timer)
{
    PETHREAD thread;
    KIRQL irql;

    KeCancelTimer(&Timer->Timer);
    KeRemoveQueueDpc(&Timer->Dpc);
    KeAcquireSpinLock(&Timer->Lock, &irql);
    thread = Timer->Thread;
    Timer->Thread = NULL;
    KeReleaseSpinLock(&Timer->Lock, irql);
    return thread;
}

static VOID ExpDeleteTimer(PVOID Object)
{
    PETIMER timer = Object;
    PETHREAD thread = ExpDisarm(timer);

    KeFlushQueuedDpcs(); /* the DPC may be running on another processor */
    if (thread != NULL)
    {
        ObDereferenceObject(thread);
    }
}

VOID ExpInitializeTimers(VOID)
{
    static const OB_TYPE_DEFINITION definition = {
        .Name = L"Timer", .BodySize = sizeof(ETIMER), .PoolType = NonPagedPool, .ValidAccess = TIMER_ALL_ACCESS, .Waitable = TRUE,
        .Mapping = {STANDARD_RIGHTS_READ | TIMER_QUERY_STATE, STANDARD_RIGHTS_WRITE | TIMER_MODIFY_STATE,
                    STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, TIMER_ALL_ACCESS},
        .Methods = {.Delete = ExpDeleteTimer}};

    ExpCreateType(&definition, &ExTimerObjectType);
}

static VOID ExpStartTimer(PVOID Object, const VOID *Type)
{
    PETIMER timer = Object;

    KeInitializeTimerEx(&timer->Timer, *(const TIMER_TYPE *)Type);
    KeInitializeDpc(&timer->Dpc, ExpTimerDpc, timer);
    KeInitializeSpinLock(&timer->Lock);
}

NTSTATUS NTAPI NtCreateTimer(PHANDLE TimerHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, TIMER_TYPE TimerType)
{
    if (TimerType != NotificationTimer && TimerType != SynchronizationTimer)
    {
        return STATUS_INVALID_PARAMETER;
    }
    return ExpCreateWaitable(TimerHandle, DesiredAccess, ObjectAttributes, ExTimerObjectType, sizeof(ETIMER), ExpStartTimer, &TimerType);
}

static NTSTATUS ExpCaptureTime(PLARGE_INTEGER Source, PLARGE_INTEGER Target)
{
    __try
    {
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForRead(Source, sizeof(*Source), sizeof(ULONG));
        }
        *Target = *Source;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/* With an APC asked for: binds the timer to the calling thread. Fails while an earlier APC is still on its way. */
static NTSTATUS ExpBindApc(PETIMER Timer, PTIMER_APC_ROUTINE Routine, PVOID Context)
{
    NTSTATUS status = STATUS_SUCCESS;
    KIRQL irql;

    KeAcquireSpinLock(&Timer->Lock, &irql);
    if (Timer->ApcQueued || Timer->Thread != NULL) /* or another thread armed it just now */
    {
        status = STATUS_DEVICE_BUSY;
    }
    else
    {
        ObReferenceObject(PsGetCurrentThread());
        Timer->Thread = PsGetCurrentThread();
        KeInitializeApc(&Timer->Apc, &Timer->Thread->Tcb, CurrentApcEnvironment, ExpTimerKernelApc, ExpTimerApcRundown,
                        (PKNORMAL_ROUTINE)(PVOID)Routine, ExGetPreviousMode(), Context);
    }
    KeReleaseSpinLock(&Timer->Lock, irql);
    return status;
}

NTSTATUS NTAPI NtSetTimer(HANDLE TimerHandle, PLARGE_INTEGER DueTime, PTIMER_APC_ROUTINE ApcRoutine, PVOID ApcContext, BOOLEAN Resume,
                          LONG Period, PBOOLEAN PreviousState)
{
    LARGE_INTEGER due;
    PETIMER timer;
    PETHREAD oldThread;
    BOOLEAN previous;
    NTSTATUS status = Period < 0 ? STATUS_INVALID_PARAMETER_6 : ExpCaptureTime(DueTime, &due);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObReferenceObjectByHandle(TimerHandle, TIMER_MODIFY_STATE, ExTimerObjectType, ExGetPreviousMode(), (PVOID *)&timer, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    oldThread = ExpDisarm(timer);
    previous = KeReadStateTimer(&timer->Timer);
    if (ApcRoutine != NULL)
    {
        status = ExpBindApc(timer, ApcRoutine, ApcContext);
    }
    if (NT_SUCCESS(status))
    {
        KeSetTimerEx(&timer->Timer, due, Period, ApcRoutine != NULL ? &timer->Dpc : NULL);
    }
    if (oldThread != NULL)
    {
        ObDereferenceObject(oldThread);
    }
    ObDereferenceObject(timer);
    if (NT_SUCCESS(status) && PreviousState != NULL)
    {
        __try
        {
            if (ExGetPreviousMode() != KernelMode)
            {
                ProbeForWrite(PreviousState, sizeof(BOOLEAN), 1);
            }
            *PreviousState = previous;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    /* The machine never sleeps, so it cannot be woken either: as on a system without that hardware. */
    return NT_SUCCESS(status) && Resume ? STATUS_TIMER_RESUME_IGNORED : status;
}

NTSTATUS NTAPI NtCancelTimer(HANDLE TimerHandle, PBOOLEAN CurrentState)
{
    PETIMER timer;
    PETHREAD thread;
    BOOLEAN state;
    NTSTATUS status = ObReferenceObjectByHandle(TimerHandle, TIMER_MODIFY_STATE, ExTimerObjectType, ExGetPreviousMode(), (PVOID *)&timer, NULL);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    thread = ExpDisarm(timer);
    if (thread != NULL)
    {
        ObDereferenceObject(thread);
    }
    state = KeReadStateTimer(&timer->Timer);
    ObDereferenceObject(timer);
    if (CurrentState != NULL)
    {
        __try
        {
            if (ExGetPreviousMode() != KernelMode)
            {
                ProbeForWrite(CurrentState, sizeof(BOOLEAN), 1);
            }
            *CurrentState = state;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    return status;
}
