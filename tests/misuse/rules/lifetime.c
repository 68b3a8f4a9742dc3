/* SPDX-License-Identifier: MIT */
/* Exceptions nobody handles, ends that leave something behind, and a bug check of the driver's own. */
#include "misuse.h"

static volatile ULONG *volatile Nowhere = (volatile ULONG *)0x20;

VOID Misuse_unhandled(MISUSE_CONTEXT *Context)
{
    *Nowhere = 1;
}

VOID Misuse_unhandled_raise(MISUSE_CONTEXT *Context)
{
    ExRaiseStatus((NTSTATUS)0xC0000123);
}

static VOID NTAPI FaultInThread(PVOID Context)
{
    *Nowhere = 1;
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI EndWithMutex(PVOID Context)
{
    static KMUTEX mutex;

    KeInitializeMutex(&mutex, 0);
    KeWaitForSingleObject(&mutex, Executive, KernelMode, FALSE, NULL); /* holds back APCs, which is noticed first */
    if (Context != NULL)
    {
        KeLeaveCriticalRegion();
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI SleepTooLong(PVOID Context)
{
    LARGE_INTEGER time = {.QuadPart = -10000000};

    KeDelayExecutionThread(KernelMode, FALSE, &time);
    DbgPrint("misuse: a thread runs on in a driver that is gone\n");
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* Starts a system thread and waits for it if asked. */
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

VOID Misuse_unhandled_in_thread(MISUSE_CONTEXT *Context)
{
    StartThread(FaultInThread, NULL, TRUE);
}

VOID Misuse_mutex_held_at_end(MISUSE_CONTEXT *Context)
{
    StartThread(EndWithMutex, NULL, TRUE);
}

VOID Misuse_mutex_forgotten_at_end(MISUSE_CONTEXT *Context)
{
    StartThread(EndWithMutex, Context, TRUE);
}

VOID Misuse_bug_check(MISUSE_CONTEXT *Context)
{
    KeBugCheckEx(0xDEADBEEF, 1, 2, 3, 4);
}

static DECLSPEC_NOINLINE ULONG Recurse(volatile ULONG *Depth)
{
    volatile UCHAR room[512];

    room[0] = (UCHAR)++ * Depth;
    return (*Depth == 0 ? 0 : Recurse(Depth)) + room[0];
}

VOID Misuse_stack_overflow(MISUSE_CONTEXT *Context)
{
    volatile ULONG depth = 0;

    Recurse(&depth);
}

VOID Misuse_dereference_too_often(MISUSE_CONTEXT *Context)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;
    PVOID object;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
    ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL);
    for (ULONG i = 0; i < 3; i++)
    {
        ObDereferenceObject(object);
    }
    ZwClose(handle);
}

static VOID Nothing(VOID)
{
}

static KTIMER UnloadTimer;
static KDPC UnloadDpc;

static VOID NTAPI TooLate(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    DbgPrint("misuse: a timer fired in a driver that is gone\n");
}

VOID Misuse_unload_with_timer(MISUSE_CONTEXT *Context)
{
    LARGE_INTEGER due = {.QuadPart = -10000000};

    KeInitializeTimer(&UnloadTimer);
    KeInitializeDpc(&UnloadDpc, TooLate, NULL);
    KeSetTimer(&UnloadTimer, due, &UnloadDpc);
    MisuseAtUnload = Nothing;
}

VOID Misuse_unload_with_thread(MISUSE_CONTEXT *Context)
{
    StartThread(SleepTooLong, NULL, FALSE);
    MisuseAtUnload = Nothing;
}

/* A handle of the program, used as if the kernel had made it. */
VOID Misuse_user_handle(MISUSE_CONTEXT *Context)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE handle;
    PVOID object;

    InitializeObjectAttributes(&attributes, NULL, 0, NULL, NULL);
    ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
    ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL);
}
