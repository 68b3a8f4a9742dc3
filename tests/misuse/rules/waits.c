/* SPDX-License-Identifier: MIT */
/* Mistakes with waits. */
#include "misuse.h"

static VOID WaitAt(KIRQL Irql, PLARGE_INTEGER Timeout)
{
    KEVENT event;
    KIRQL irql;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    MisuseNote("event", (ULONG_PTR)&event);
    MisuseNote("timeout", (ULONG_PTR)Timeout);
    irql = MisuseRaise(Irql);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, Timeout);
    KeLowerIrql(irql);
}

static LARGE_INTEGER None = {.QuadPart = 0}, Millisecond = {.QuadPart = -10000};

MISUSE(wait_raised)
{
    WaitAt(DISPATCH_LEVEL, NULL);
}

CORRECT(wait_raised)
{
    WaitAt(DISPATCH_LEVEL, &None); /* that only asks */
}

MISUSE(wait_raised_shortly)
{
    WaitAt(DISPATCH_LEVEL, &Millisecond);
}

CORRECT(wait_raised_shortly)
{
    WaitAt(APC_LEVEL, &Millisecond);
}

MISUSE(wait_high)
{
    WaitAt(MISUSE_HIGH, &None);
}

CORRECT(wait_high)
{
    WaitAt(DISPATCH_LEVEL, &None);
}

MISUSE(sleep_raised)
{
    MisuseNote("timeout", (ULONG_PTR)&Millisecond);
    MisuseRaise(DISPATCH_LEVEL);
    KeDelayExecutionThread(KernelMode, FALSE, &Millisecond);
}

CORRECT(sleep_raised)
{
    KeDelayExecutionThread(KernelMode, FALSE, &Millisecond);
}

static VOID NTAPI WaitHere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeWaitForSingleObject(Context, Executive, KernelMode, FALSE, NULL);
}

static VOID NTAPI SetEventHere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
}

static VOID RunOnEvent(PKDEFERRED_ROUTINE Routine)
{
    static KEVENT event;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    MisuseNote("event", (ULONG_PTR)&event);
    MisuseRunDpc(Routine, &event);
}

MISUSE(wait_in_dpc)
{
    RunOnEvent(WaitHere);
}

CORRECT(wait_in_dpc)
{
    RunOnEvent(SetEventHere);
}

/* While it waits in user mode its stack may be paged out, and the event with it. */
static VOID WaitOnStack(KPROCESSOR_MODE Mode)
{
    KEVENT event;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    MisuseNote("event", (ULONG_PTR)&event);
    KeWaitForSingleObject(&event, UserRequest, Mode, FALSE, &Millisecond);
}

MISUSE(wait_user_stack)
{
    WaitOnStack(UserMode);
}

CORRECT(wait_user_stack)
{
    WaitOnStack(KernelMode);
}

static VOID WaitForMany(PKWAIT_BLOCK Blocks)
{
    static KEVENT events[THREAD_WAIT_OBJECTS + 1];
    PVOID objects[THREAD_WAIT_OBJECTS + 1];

    for (ULONG i = 0; i < RTL_NUMBER_OF(events); i++)
    {
        KeInitializeEvent(&events[i], NotificationEvent, TRUE);
        objects[i] = &events[i];
    }
    KeWaitForMultipleObjects(RTL_NUMBER_OF(objects), objects, WaitAll, Executive, KernelMode, FALSE, NULL, Blocks);
}

MISUSE(wait_for_too_many)
{
    WaitForMany(NULL);
}

CORRECT(wait_for_too_many)
{
    static KWAIT_BLOCK blocks[THREAD_WAIT_OBJECTS + 1];

    WaitForMany(blocks);
}

static VOID ReleaseSemaphore(LONG Units)
{
    KSEMAPHORE semaphore;

    KeInitializeSemaphore(&semaphore, 0, 2);
    KeReleaseSemaphore(&semaphore, IO_NO_INCREMENT, Units, FALSE);
}

MISUSE(semaphore_past_limit)
{
    ReleaseSemaphore(3);
}

CORRECT(semaphore_past_limit)
{
    ReleaseSemaphore(2);
}

static KMUTEX Mutex;

MISUSE(mutex_not_owned)
{
    KeInitializeMutex(&Mutex, 0);
    KeReleaseMutex(&Mutex, FALSE);
}

CORRECT(mutex_not_owned)
{
    KeInitializeMutex(&Mutex, 0);
    KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
    KeReleaseMutex(&Mutex, FALSE);
}
