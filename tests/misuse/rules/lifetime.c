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
    MisuseRunThread(FaultInThread, NULL);
}

CORRECT(unhandled_in_thread)
{
    MisuseRunThread(HandleInThread, NULL);
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
    MisuseRunThread(EndWithMutex, NULL);
}

CORRECT(mutex_held_at_end)
{
    MisuseRunThread(EndWithoutMutex, NULL);
}

MISUSE(mutex_forgotten_at_end)
{
    MisuseRunThread(EndWithMutex, Context);
}

CORRECT(mutex_forgotten_at_end)
{
    MisuseRunThread(EndWithoutMutex, NULL);
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
