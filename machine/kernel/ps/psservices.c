/* SPDX-License-Identifier: MIT */
/*
 * Services on processes and threads that exist: opening, suspending, alerting, queueing APCs.
 */
#include "psp.h"

/* ---- opening ---- */

typedef struct _PSP_OPEN
{
    CLIENT_ID Cid;
    BOOLEAN HasCid;
    BOOLEAN HasName;
    ULONG Attributes;
} PSP_OPEN;

/* Processes and threads have no names: an id it must be. */
static NTSTATUS PspCaptureOpen(PHANDLE Handle, POBJECT_ATTRIBUTES Attributes, PCLIENT_ID Cid, KPROCESSOR_MODE Mode,
                               PSP_OPEN *Open)
{
    OBJECT_ATTRIBUTES local;
    RtlZeroMemory(Open, sizeof(*Open));
    NTSTATUS status = PspProbeOutput(Handle, sizeof(HANDLE), sizeof(HANDLE), Mode);
    if (NT_SUCCESS(status) && Attributes != NULL)
    {
        status = PspCopyIn(&local, Attributes, sizeof(local), sizeof(PVOID), Mode);
        if (NT_SUCCESS(status))
        {
            Open->HasName = local.ObjectName != NULL;
            Open->Attributes = local.Attributes &
                               (OBJ_INHERIT | (Mode == KernelMode ? OBJ_KERNEL_HANDLE | OBJ_FORCE_ACCESS_CHECK : 0));
        }
    }
    if (NT_SUCCESS(status) && Cid != NULL)
    {
        status = PspCopyIn(&Open->Cid, Cid, sizeof(*Cid), sizeof(PVOID), Mode);
        Open->HasCid = TRUE;
    }
    if (NT_SUCCESS(status) && (Open->HasName || !Open->HasCid))
    {
        status = Open->HasName && Open->HasCid ? STATUS_INVALID_PARAMETER_MIX : STATUS_INVALID_PARAMETER;
    }
    return status;
}

/* SeDebugPrivilege opens everything fully. */
static NTSTATUS PspOpenObject(PVOID Object, POBJECT_TYPE Type, ACCESS_MASK Access, ACCESS_MASK AllAccess,
                              ULONG Attributes, KPROCESSOR_MODE Mode, PHANDLE Handle)
{
    ACCESS_STATE state;
    DECLSPEC_ALIGN(16) UCHAR aux[SE_AUX_DATA_SIZE];
    HANDLE handle;
    NTSTATUS status;
    if (Mode == KernelMode || !SeSinglePrivilegeCheck(SeExports->SeDebugPrivilege, Mode))
    {
        status = ObOpenObjectByPointer(Object, Attributes, NULL, Access, Type, Mode, &handle);
    }
    else
    {
        status = SeCreateAccessState(&state, aux, Access, NULL);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        SeSetAccessStateGenericMapping(&state, ObGetMapping(Type));
        state.PreviouslyGrantedAccess |= (state.RemainingDesiredAccess & MAXIMUM_ALLOWED) != 0
                                             ? AllAccess
                                             : state.RemainingDesiredAccess;
        state.RemainingDesiredAccess = 0;
        status = ObOpenObjectByPointer(Object, Attributes, &state, 0, Type, Mode, &handle);
        SeDeleteAccessState(&state);
    }
    return NT_SUCCESS(status) ? PspCopyOut(Handle, &handle, sizeof(handle)) : status;
}

/**
 * Opens a process by id, or the process of a thread if the id names that too.
 *
 * @return STATUS_INVALID_CID, STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, STATUS_INVALID_PARAMETER_MIX.
 *         PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtOpenProcess(_Out_ PHANDLE ProcessHandle, _In_ ACCESS_MASK DesiredAccess,
                             _In_ POBJECT_ATTRIBUTES ObjectAttributes, _In_opt_ PCLIENT_ID ClientId)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PEPROCESS process;
    PETHREAD thread;
    PSP_OPEN open;
    NTSTATUS status = PspCaptureOpen(ProcessHandle, ObjectAttributes, ClientId, mode, &open);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (open.Cid.UniqueThread != NULL)
    {
        status = PsLookupProcessThreadByCid(&open.Cid, &process, &thread);
        if (NT_SUCCESS(status))
        {
            ObDereferenceObject(thread);
        }
    }
    else
    {
        status = PsLookupProcessByProcessId(open.Cid.UniqueProcess, &process);
        status = NT_SUCCESS(status) ? status : STATUS_INVALID_CID;
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = PspOpenObject(process, PsProcessType, DesiredAccess, PSP_PROCESS_ALL_ACCESS, open.Attributes, mode,
                           ProcessHandle);
    ObDereferenceObject(process);
    return status;
}

/** Opens a thread by id; with a process id as well it must be that process's. As NtOpenProcess. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtOpenThread(_Out_ PHANDLE ThreadHandle, _In_ ACCESS_MASK DesiredAccess,
                            _In_ POBJECT_ATTRIBUTES ObjectAttributes, _In_opt_ PCLIENT_ID ClientId)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PETHREAD thread;
    PSP_OPEN open;
    NTSTATUS status = PspCaptureOpen(ThreadHandle, ObjectAttributes, ClientId, mode, &open);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = open.Cid.UniqueProcess != NULL ? PsLookupProcessThreadByCid(&open.Cid, NULL, &thread)
                                            : PsLookupThreadByThreadId(open.Cid.UniqueThread, &thread);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status =
        PspOpenObject(thread, PsThreadType, DesiredAccess, PSP_THREAD_ALL_ACCESS, open.Attributes, mode, ThreadHandle);
    ObDereferenceObject(thread);
    return status;
}

/* ---- suspension ---- */

/* A thread that was told to end meanwhile must not stay suspended. */
static NTSTATUS PspSuspendThread(PETHREAD Thread, PULONG Previous)
{
    NTSTATUS status = STATUS_SUCCESS;
    if ((Thread->Flags & PSP_THREAD_SYSTEM) != 0)
    {
        return STATUS_ACCESS_DENIED;
    }
    if (Thread != PsGetCurrentThread() && !ExAcquireRundownProtection(&Thread->RundownProtect))
    {
        return STATUS_THREAD_IS_TERMINATING;
    }
    if ((Thread->Flags & PSP_THREAD_TERMINATED) != 0)
    {
        status = STATUS_THREAD_IS_TERMINATING;
    }
    else
    {
        __try
        {
            *Previous = KeSuspendThread(&Thread->Tcb);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
        if (NT_SUCCESS(status) && (Thread->Flags & PSP_THREAD_TERMINATED) != 0)
        {
            KeForceResumeThread(&Thread->Tcb);
            status = STATUS_THREAD_IS_TERMINATING;
        }
    }
    if (Thread != PsGetCurrentThread())
    {
        ExReleaseRundownProtection(&Thread->RundownProtect);
    }
    return status;
}

static NTSTATUS PspReturnCount(PULONG Target, ULONG Value)
{
    return Target == NULL ? STATUS_SUCCESS : PspCopyOut(Target, &Value, sizeof(Value));
}

/**
 * Suspends a thread (THREAD_SUSPEND_RESUME). STATUS_SUSPEND_COUNT_EXCEEDED, STATUS_THREAD_IS_TERMINATING.
 * PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtSuspendThread(_In_ HANDLE ThreadHandle, _Out_opt_ PULONG PreviousSuspendCount)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    ULONG previous = 0;
    PETHREAD thread;
    NTSTATUS status = PreviousSuspendCount == NULL
                          ? STATUS_SUCCESS
                          : PspProbeOutput(PreviousSuspendCount, sizeof(ULONG), sizeof(ULONG), mode);
    if (NT_SUCCESS(status))
    {
        status =
            ObReferenceObjectByHandle(ThreadHandle, THREAD_SUSPEND_RESUME, PsThreadType, mode, (PVOID *)&thread, NULL);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = PspSuspendThread(thread, &previous);
    ObDereferenceObject(thread);
    return NT_SUCCESS(status) ? PspReturnCount(PreviousSuspendCount, previous) : status;
}

/** Undoes one suspension (THREAD_SUSPEND_RESUME). PASSIVE_LEVEL. */
NTSTATUS NTAPI NtResumeThread(_In_ HANDLE ThreadHandle, _Out_opt_ PULONG PreviousSuspendCount)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    ULONG previous;
    PETHREAD thread;
    NTSTATUS status = PreviousSuspendCount == NULL
                          ? STATUS_SUCCESS
                          : PspProbeOutput(PreviousSuspendCount, sizeof(ULONG), sizeof(ULONG), mode);
    if (NT_SUCCESS(status))
    {
        status =
            ObReferenceObjectByHandle(ThreadHandle, THREAD_SUSPEND_RESUME, PsThreadType, mode, (PVOID *)&thread, NULL);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    previous = KeResumeThread(&thread->Tcb);
    ObDereferenceObject(thread);
    return PspReturnCount(PreviousSuspendCount, previous);
}

/** Suspends every thread of a process. STATUS_PROCESS_IS_TERMINATING. PASSIVE_LEVEL. */
NTSTATUS NTAPI PsSuspendProcess(_In_ PEPROCESS Process)
{
    PETHREAD thread = NULL, self = NULL;
    ULONG previous;
    if (!ExAcquireRundownProtection(&Process->RundownProtect))
    {
        return STATUS_PROCESS_IS_TERMINATING;
    }
    while ((thread = PsGetNextProcessThread(Process, thread)) != NULL)
    {
        if (thread == PsGetCurrentThread())
        {
            self = thread; /* last, or the others would go on */
        }
        else
        {
            PspSuspendThread(thread, &previous);
        }
    }
    ExReleaseRundownProtection(&Process->RundownProtect);
    return self != NULL ? PspSuspendThread(self, &previous) : STATUS_SUCCESS;
}

/** Undoes one suspension of every thread of a process. STATUS_PROCESS_IS_TERMINATING. PASSIVE_LEVEL. */
NTSTATUS NTAPI PsResumeProcess(_In_ PEPROCESS Process)
{
    PETHREAD thread = NULL;
    if (!ExAcquireRundownProtection(&Process->RundownProtect))
    {
        return STATUS_PROCESS_IS_TERMINATING;
    }
    while ((thread = PsGetNextProcessThread(Process, thread)) != NULL)
    {
        KeResumeThread(&thread->Tcb);
    }
    ExReleaseRundownProtection(&Process->RundownProtect);
    return STATUS_SUCCESS;
}

/** PsSuspendProcess through a handle (PROCESS_SUSPEND_RESUME). PASSIVE_LEVEL. */
NTSTATUS NTAPI NtSuspendProcess(_In_ HANDLE ProcessHandle)
{
    PEPROCESS process;
    NTSTATUS status = ObReferenceObjectByHandle(ProcessHandle, PROCESS_SUSPEND_RESUME, PsProcessType,
                                                ExGetPreviousMode(), (PVOID *)&process, NULL);
    if (NT_SUCCESS(status))
    {
        status = PsSuspendProcess(process);
        ObDereferenceObject(process);
    }
    return status;
}

/** PsResumeProcess through a handle (PROCESS_SUSPEND_RESUME). PASSIVE_LEVEL. */
NTSTATUS NTAPI NtResumeProcess(_In_ HANDLE ProcessHandle)
{
    PEPROCESS process;
    NTSTATUS status = ObReferenceObjectByHandle(ProcessHandle, PROCESS_SUSPEND_RESUME, PsProcessType,
                                                ExGetPreviousMode(), (PVOID *)&process, NULL);
    if (NT_SUCCESS(status))
    {
        status = PsResumeProcess(process);
        ObDereferenceObject(process);
    }
    return status;
}

/* ---- alerts and APCs ---- */

/** Alerts a thread: an alertable wait of its ends with STATUS_ALERTED (THREAD_ALERT). PASSIVE_LEVEL. */
NTSTATUS NTAPI NtAlertThread(_In_ HANDLE ThreadHandle)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PETHREAD thread;
    NTSTATUS status = ObReferenceObjectByHandle(ThreadHandle, THREAD_ALERT, PsThreadType, mode, (PVOID *)&thread, NULL);
    if (NT_SUCCESS(status))
    {
        KeAlertThread(&thread->Tcb, mode);
        ObDereferenceObject(thread);
    }
    return status;
}

/**
 * Has the current thread been alerted? Also lets queued user APCs run. STATUS_ALERTED or STATUS_SUCCESS. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtTestAlert(VOID)
{
    return KeTestAlertThread(ExGetPreviousMode()) ? STATUS_ALERTED : STATUS_SUCCESS;
}

static VOID NTAPI PspUserApcKernelRoutine(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext,
                                          PVOID *Argument1, PVOID *Argument2)
{
    ExFreePoolWithTag(Apc, PSP_TAG_MISC);
}

static VOID NTAPI PspUserApcRundown(PKAPC Apc)
{
    ExFreePoolWithTag(Apc, PSP_TAG_MISC);
}

/**
 * Queues a user APC (THREAD_SET_CONTEXT): Routine(Argument1, Argument2, Argument3) at the thread's next alertable wait.
 *
 * @return STATUS_INVALID_HANDLE (a system thread), STATUS_UNSUCCESSFUL (the thread ends), STATUS_NO_MEMORY.
 *         PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtQueueApcThread(_In_ HANDLE ThreadHandle, _In_ PVOID Routine, _In_opt_ PVOID Argument1,
                                _In_opt_ PVOID Argument2, _In_opt_ PVOID Argument3)
{
    PETHREAD thread;
    NTSTATUS status = ObReferenceObjectByHandle(ThreadHandle, THREAD_SET_CONTEXT, PsThreadType, ExGetPreviousMode(),
                                                (PVOID *)&thread, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    PKAPC apc = NULL;
    if ((thread->Flags & PSP_THREAD_SYSTEM) != 0)
    {
        status = STATUS_INVALID_HANDLE;
    }
    else if ((apc = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*apc), PSP_TAG_MISC)) == NULL)
    {
        status = STATUS_NO_MEMORY;
    }
    else
    {
        KeInitializeApc(apc, &thread->Tcb, OriginalApcEnvironment, PspUserApcKernelRoutine, PspUserApcRundown,
                        (PKNORMAL_ROUTINE)Routine, UserMode, Argument1);
        if (!KeInsertQueueApc(apc, Argument2, Argument3, 0))
        {
            ExFreePoolWithTag(apc, PSP_TAG_MISC);
            status = STATUS_UNSUCCESSFUL;
        }
    }
    ObDereferenceObject(thread);
    return status;
}
