/* SPDX-License-Identifier: MIT */
/*
 * The registers of another thread: read or written by a special kernel APC inside that thread, so that it stands still
 * at a point where its frame is complete.
 */
#include "../kip.h"
#include "ps.h"

typedef struct _KI_CONTEXT_REQUEST
{
    KAPC Apc;
    KEVENT Done;
    BOOLEAN Set;
    NTSTATUS Status;
    CONTEXT Context;
} KI_CONTEXT_REQUEST;

static VOID KiPerformContextRequest(KI_CONTEXT_REQUEST *Request)
{
    if (Request->Set)
    {
        Request->Status = KeSetUserContext(&Request->Context);
    }
    else
    {
        KeGetUserContext(&Request->Context);
        Request->Status = STATUS_SUCCESS;
    }
}

static VOID NTAPI KiContextApc(PKAPC Apc, PKNORMAL_ROUTINE *Routine, PVOID *Context, PVOID *Argument1, PVOID *Argument2)
{
    KI_CONTEXT_REQUEST *request = CONTAINING_RECORD(Apc, KI_CONTEXT_REQUEST, Apc);

    KiPerformContextRequest(request);
    KeSetEvent(&request->Done, IO_NO_INCREMENT, FALSE);
}

/* The thread ended first. */
static VOID NTAPI KiContextRundown(PKAPC Apc)
{
    KI_CONTEXT_REQUEST *request = CONTAINING_RECORD(Apc, KI_CONTEXT_REQUEST, Apc);

    request->Status = STATUS_UNSUCCESSFUL;
    KeSetEvent(&request->Done, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS KiContextOfThread(HANDLE Handle, PCONTEXT Context, BOOLEAN Set, KPROCESSOR_MODE Mode)
{
    KI_CONTEXT_REQUEST request;
    PETHREAD thread;
    NTSTATUS status;

    status = ObReferenceObjectByHandle(Handle, Set ? THREAD_SET_CONTEXT : THREAD_GET_CONTEXT, PsThreadType, Mode,
                                       (PVOID *)&thread, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (thread->Tcb.SystemThread || thread->Tcb.TrapFrame == NULL)
    {
        ObDereferenceObject(thread);
        return STATUS_INVALID_HANDLE;
    }
    request.Set = Set;
    request.Context = *Context;
    if (&thread->Tcb == KiCurrentThread())
    {
        KIRQL irql;

        KeRaiseIrql(APC_LEVEL, &irql);
        KiPerformContextRequest(&request);
        KeLowerIrql(irql);
    }
    else
    {
        KeInitializeEvent(&request.Done, SynchronizationEvent, FALSE);
        KeInitializeApc(&request.Apc, &thread->Tcb, OriginalApcEnvironment, KiContextApc, KiContextRundown, NULL,
                        KernelMode, NULL);
        if (KeInsertQueueApc(&request.Apc, NULL, NULL, 2))
        {
            KeWaitForSingleObject(&request.Done, Executive, KernelMode, FALSE, NULL);
        }
        else
        {
            request.Status = STATUS_UNSUCCESSFUL;
        }
    }
    *Context = request.Context;
    ObDereferenceObject(thread);
    return request.Status;
}

/**
 * Reads the user-mode registers of a thread.
 *
 * @param Context  user address; ContextFlags chooses the parts, the others keep what they had
 * @return STATUS_SUCCESS; STATUS_INVALID_HANDLE also for system threads; STATUS_UNSUCCESSFUL if the thread ends
 * IRQL: PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtGetContextThread(HANDLE ThreadHandle, PCONTEXT Context)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    CONTEXT captured;
    NTSTATUS status;

    __try
    {
        if (mode == UserMode)
        {
            ProbeForWrite(Context, sizeof(CONTEXT), 16);
        }
        RtlCopyMemory(&captured, Context, sizeof(CONTEXT));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    status = KiContextOfThread(ThreadHandle, &captured, FALSE, mode);
    if (NT_SUCCESS(status))
    {
        __try
        {
            RtlCopyMemory(Context, &captured, sizeof(CONTEXT));
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    return status;
}

/**
 * Writes the user-mode registers of a thread; inside a system service they take effect when it returns.
 *
 * @return as NtGetContextThread, and what KeSetUserContext refuses
 * IRQL: PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtSetContextThread(HANDLE ThreadHandle, PCONTEXT Context)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    CONTEXT captured;

    __try
    {
        if (mode == UserMode)
        {
            ProbeForRead(Context, sizeof(CONTEXT), 16);
        }
        RtlCopyMemory(&captured, Context, sizeof(CONTEXT));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return KiContextOfThread(ThreadHandle, &captured, TRUE, mode);
}
