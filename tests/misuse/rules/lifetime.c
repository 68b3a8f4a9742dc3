/* SPDX-License-Identifier: MIT */
/* Exceptions nobody handles, ends that leave something behind, and a bug check of the driver's own. */
#include "misuse.h"

static volatile ULONG *volatile Nowhere = (volatile ULONG *)0x20;

static VOID WriteNowhere(VOID)
{
    *Nowhere = 1;
}

static VOID Handle(VOID (*Routine)(VOID))
{
    __try
    {
        Routine();
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        DbgPrint("misuse: handled 0x%08lx\n", GetExceptionCode());
    }
}

MISUSE(unhandled)
{
    WriteNowhere();
}

CORRECT(unhandled)
{
    Handle(WriteNowhere);
}

static VOID Raise(VOID)
{
    ExRaiseStatus((NTSTATUS)0xC0000123);
}

MISUSE(unhandled_raise)
{
    Raise();
}

CORRECT(unhandled_raise)
{
    Handle(Raise);
}

/* Starts a system thread and waits for its end if asked. */
static VOID StartThread(PKSTART_ROUTINE Routine, PVOID Context, BOOLEAN Wait)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE thread;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    if (NT_SUCCESS(PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, &attributes, NULL, NULL, Routine, Context)))
    {
        if (Wait)
        {
            ZwWaitForSingleObject(thread, FALSE, NULL);
        }
        ZwClose(thread);
    }
}

static VOID NTAPI FaultInThread(PVOID Context)
{
    WriteNowhere();
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI HandleInThread(PVOID Context)
{
    Handle(WriteNowhere);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

MISUSE(unhandled_in_thread)
{
    StartThread(FaultInThread, NULL, TRUE);
}

CORRECT(unhandled_in_thread)
{
    StartThread(HandleInThread, NULL, TRUE);
}

static KMUTEX Mutex;

/* Holding the mutex holds back APCs, which is noticed first. */
static VOID NTAPI EndWithMutex(PVOID AllowApcs)
{
    KeInitializeMutex(&Mutex, 0);
    MisuseNote("mutex", (ULONG_PTR)&Mutex);
    MisuseNote("thread", (ULONG_PTR)PsGetCurrentThread());
    KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
    if (AllowApcs != NULL)
    {
        KeLeaveCriticalRegion();
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI EndWithoutMutex(PVOID Context)
{
    KeInitializeMutex(&Mutex, 0);
    KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
    KeReleaseMutex(&Mutex, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

MISUSE(mutex_held_at_end)
{
    StartThread(EndWithMutex, NULL, TRUE);
}

CORRECT(mutex_held_at_end)
{
    StartThread(EndWithoutMutex, NULL, TRUE);
}

MISUSE(mutex_forgotten_at_end)
{
    StartThread(EndWithMutex, Context, TRUE);
}

CORRECT(mutex_forgotten_at_end)
{
    StartThread(EndWithoutMutex, NULL, TRUE);
}

MISUSE(bug_check)
{
    KeBugCheckEx(0xDEADBEEF, 1, 2, 3, 4);
}

/* What a driver cannot mend it reports to whoever asked, and goes on. */
CORRECT(bug_check)
{
    Context->Status = STATUS_SUCCESS;
}

static DECLSPEC_NOINLINE ULONG Recurse(volatile ULONG *Depth)
{
    volatile UCHAR room[512];

    room[0] = (UCHAR)--*Depth;
    return (*Depth == 0 ? 0 : Recurse(Depth)) + room[0];
}

MISUSE(stack_overflow)
{
    volatile ULONG depth = 1000000;

    Recurse(&depth);
}

CORRECT(stack_overflow)
{
    volatile ULONG depth = 10;

    Recurse(&depth);
}

static VOID Dereference(ULONG Times)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;
    PVOID object;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
    ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL);
    MisuseNote("object", (ULONG_PTR)object);
    MisuseNote("type", (ULONG_PTR)*ExEventObjectType);
    for (ULONG i = 0; i < Times; i++)
    {
        ObDereferenceObject(object);
    }
    ZwClose(handle);
}

MISUSE(dereference_too_often)
{
    Dereference(3);
}

CORRECT(dereference_too_often)
{
    Dereference(1);
}

static KTIMER UnloadTimer;
static KDPC UnloadDpc;

static VOID NTAPI TooLate(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    DbgPrint("misuse: a timer fired in a driver that is gone\n");
}

static VOID StartUnloadTimer(VOID)
{
    LARGE_INTEGER due = {.QuadPart = -10000000};

    MisuseNote("timer", (ULONG_PTR)&UnloadTimer);
    KeInitializeTimer(&UnloadTimer);
    KeInitializeDpc(&UnloadDpc, TooLate, NULL);
    KeSetTimer(&UnloadTimer, due, &UnloadDpc);
}

static VOID StopUnloadTimer(VOID)
{
    KeCancelTimer(&UnloadTimer);
    KeFlushQueuedDpcs();
}

MISUSE(unload_with_timer)
{
    StartUnloadTimer();
}

CORRECT(unload_with_timer)
{
    StartUnloadTimer();
    MisuseAtUnload = StopUnloadTimer;
}

static PVOID UnloadThread;

static VOID NTAPI SleepTooLong(PVOID Context)
{
    LARGE_INTEGER time = {.QuadPart = -10000000};

    ObReferenceObject(PsGetCurrentThread());
    InterlockedExchangePointer(&UnloadThread, PsGetCurrentThread());
    KeDelayExecutionThread(KernelMode, FALSE, &time);
    DbgPrint("misuse: the thread wakes up\n");
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID WaitForThread(VOID)
{
    LARGE_INTEGER time = {.QuadPart = -10000};

    while (UnloadThread == NULL) /* it has not begun */
    {
        KeDelayExecutionThread(KernelMode, FALSE, &time);
    }
    KeWaitForSingleObject(UnloadThread, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(UnloadThread);
}

MISUSE(unload_with_thread)
{
    StartThread(SleepTooLong, NULL, FALSE);
}

CORRECT(unload_with_thread)
{
    StartThread(SleepTooLong, NULL, FALSE);
    MisuseAtUnload = WaitForThread;
}

static VOID UseHandle(ULONG Attributes)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;
    PVOID object;

    InitializeObjectAttributes(&attributes, NULL, Attributes, NULL, NULL);
    ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
    MisuseNote("handle", (ULONG_PTR)handle);
    ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL);
    ObDereferenceObject(object);
    ZwClose(handle);
}

/* A handle of the program, used as if the kernel had made it. */
MISUSE(user_handle)
{
    UseHandle(0);
}

CORRECT(user_handle)
{
    UseHandle(OBJ_KERNEL_HANDLE);
}
