/* SPDX-License-Identifier: MIT */
/*
 * Threads: made, started, and their memory freed when they are gone.
 */
#include "psp.h"

/* Room above the first frame of a user thread: home space for four arguments, and 8 bytes so that the stack is
   aligned as after a call. */
#define PSP_STACK_RESERVE 0x28

/* ---- first routines ---- */

static VOID NTAPI PspSystemThreadStartup(PKSTART_ROUTINE StartRoutine, PVOID StartContext)
{
    PETHREAD thread = PsGetCurrentThread();
    KeLowerIrql(PASSIVE_LEVEL);
    if ((thread->Flags & PSP_THREAD_DEAD_ON_START) == 0)
    {
        StartRoutine(StartContext);
    }
    PspExitThread(STATUS_SUCCESS);
}

/* A user thread's way out of the kernel for the first time: KE continues with the user context when this returns. */
static VOID NTAPI PspUserThreadStartup(PKSTART_ROUTINE StartRoutine, PVOID StartContext)
{
    PETHREAD thread = PsGetCurrentThread();
    PEPROCESS process = thread->ThreadsProcess;
    KeLowerIrql(PASSIVE_LEVEL);
    if ((thread->Flags & PSP_THREAD_DEAD_ON_START) != 0)
    {
        PspExitThread(thread->ExitStatus == STATUS_PENDING ? STATUS_THREAD_IS_TERMINATING : thread->ExitStatus);
    }
    if ((InterlockedOr(&process->Flags, PSP_PROCESS_STARTED) & PSP_PROCESS_STARTED) == 0)
    {
        PspReportFirstImages(process);
    }
    KfRaiseIrql(APC_LEVEL);
}

/* ---- the user side of a new thread; attached to the process ---- */

typedef struct _PSP_USER_THREAD
{
    INITIAL_TEB Stack;
    PTEB Teb;
    CONTEXT Context;               /* enters ntdll!LdrInitializeThunk */
} PSP_USER_THREAD;

/* Puts the context ntdll continues with on the user stack and makes the one that leads to ntdll. */
static NTSTATUS PspBuildUserContext(PSP_USER_THREAD *User, PEPROCESS Process, PVOID StartRoutine, PVOID Argument)
{
    ULONG_PTR stack = (ULONG_PTR)User->Stack.StackBase - PSP_STACK_RESERVE;
    PCONTEXT onStack = (PCONTEXT)((stack - sizeof(CONTEXT)) & ~(ULONG_PTR)15);
    CONTEXT *context = &User->Context;
    RtlZeroMemory(context, sizeof(*context));
    context->ContextFlags = CONTEXT_CONTROL | CONTEXT_INTEGER | CONTEXT_SEGMENTS;
    context->SegCs = 0x33;
    context->SegSs = context->SegDs = context->SegEs = context->SegGs = 0x2B;
    context->SegFs = 0x53;
    context->EFlags = 0x200;
    context->MxCsr = 0x1F80;
    context->Rip = (ULONG64)Process->UserEntries.RtlUserThreadStart;
    context->Rcx = (ULONG64)StartRoutine;
    context->Rdx = (ULONG64)Argument;
    context->Rsp = stack;
    __try
    {
        *onStack = *context;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    context->Rip = (ULONG64)Process->UserEntries.LdrInitializeThunk;
    context->Rcx = (ULONG64)onStack;
    context->Rdx = (ULONG64)Process->NtdllBase;
    context->Rsp = (ULONG64)onStack - PSP_STACK_RESERVE;
    return STATUS_SUCCESS;
}

static NTSTATUS PspPrepareUser(PSP_USER_THREAD *User, const PSP_THREAD_CREATE *Create, const CLIENT_ID *Cid)
{
    PEPROCESS process = Create->Process;
    SIZE_T reserve = Create->StackReserve != 0 ? Create->StackReserve : process->DefaultStackReserve;
    SIZE_T commit = Create->StackCommit != 0 ? Create->StackCommit : process->DefaultStackCommit;
    NTSTATUS status = MmCreateUserStack(reserve, commit, &User->Stack);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = PspCreateTeb(process, &User->Stack, Cid, &User->Teb);
    if (NT_SUCCESS(status))
    {
        status = PspBuildUserContext(User, process, Create->StartRoutine, Create->StartContext);
    }
    if (!NT_SUCCESS(status))
    {
        if (User->Teb != NULL)
        {
            MmFreeUserMemory(User->Teb);
            User->Teb = NULL;
        }
        MmFreeUserMemory(User->Stack.StackAllocationBase);
    }
    return status;
}

static VOID PspReleaseUser(PSP_USER_THREAD *User, PEPROCESS Process)
{
    KAPC_STATE apcState;
    KeStackAttachProcess(&Process->Pcb, &apcState);
    MmFreeUserMemory(User->Teb);
    MmFreeUserMemory(User->Stack.StackAllocationBase);
    KeUnstackDetachProcess(&apcState);
}

/* ---- creation ---- */

static VOID PspInitializeThreadFields(PETHREAD Thread, PEPROCESS Process, const PSP_THREAD_CREATE *Create)
{
    InitializeListHead(&Thread->ThreadListEntry);
    InitializeListHead(&Thread->IrpList);
    ExInitializeRundownProtection(&Thread->RundownProtect);
    KeInitializeSpinLock(&Thread->TokenLock);
    KeInitializeEvent(&Thread->IoCompletionEvent, SynchronizationEvent, FALSE);
    Thread->ExitStatus = STATUS_PENDING;
    Thread->StartAddress = Create->StartRoutine;
    Thread->Win32StartAddress = Create->StartRoutine;
    Thread->StartContext = Create->StartContext;
    Thread->Flags = (Create->User ? 0 : PSP_THREAD_SYSTEM) | (Create->Hidden ? PSP_THREAD_HIDDEN : 0);
    Thread->Cid.UniqueProcess = Process->UniqueProcessId;
    KeQuerySystemTime(&Thread->CreateTime);
    ObReferenceObject(Process);
    Thread->ThreadsProcess = Process;
}

/* Kernel stack, user side, KTHREAD. On failure the caller drops the object; nothing else is left. */
static NTSTATUS PspEquipThread(PETHREAD Thread, PSP_THREAD_CREATE *Create, PSP_USER_THREAD *User)
{
    KAPC_STATE apcState;
    NTSTATUS status = STATUS_SUCCESS;
    PVOID stack = MmCreateKernelStack(KI_KERNEL_STACK_SIZE);
    if (stack == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (Create->User)
    {
        KeStackAttachProcess(&Create->Process->Pcb, &apcState);
        status = PspPrepareUser(User, Create, &Thread->Cid);
        KeUnstackDetachProcess(&apcState);
    }
    if (!NT_SUCCESS(status))
    {
        MmDeleteKernelStack(stack, KI_KERNEL_STACK_SIZE);
        return status;
    }
    KeInitializeThread(&Thread->Tcb, stack, Create->User ? PspUserThreadStartup : PspSystemThreadStartup,
                       (PKSTART_ROUTINE)Create->StartRoutine, Create->StartContext,
                       Create->User ? &User->Context : NULL, User->Teb, &Create->Process->Pcb);
    Thread->UserStack = Create->User ? User->Stack.StackAllocationBase : NULL;
    Create->Teb = User->Teb;
    return STATUS_SUCCESS;
}

/* From here on the thread counts: the process cannot end without it, and it can only go by running. */
static NTSTATUS PspEnlistThread(PETHREAD Thread, PEPROCESS Process)
{
    NTSTATUS status = STATUS_SUCCESS;
    ExAcquireFastMutex(&Process->ProcessLock);
    if ((Process->Flags & PSP_PROCESS_DELETE) != 0)
    {
        status = STATUS_PROCESS_IS_TERMINATING;
    }
    else
    {
        InsertTailList(&Process->ThreadListHead, &Thread->ThreadListEntry);
        Thread->Flags |= PSP_THREAD_LISTED;
        Process->ActiveThreads++;
        ObReferenceObject(Thread); /* the running thread's own; PsReapThread gives it back */
    }
    ExReleaseFastMutex(&Process->ProcessLock);
    return status;
}

/*
 * Names nobody, secures and makes the handle. A process or thread belongs to whom its process runs as, whoever makes
 * it. Takes the creation reference.
 */
NTSTATUS PspInsertObject(PVOID Object, POBJECT_TYPE Type, PEPROCESS Process, ACCESS_MASK Access, PHANDLE Handle)
{
    ACCESS_STATE state;
    DECLSPEC_ALIGN(16) UCHAR aux[SE_AUX_DATA_SIZE];
    NTSTATUS status = SeCreateAccessStateFor(Process, &state, aux, Access, ObGetMapping(Type));
    if (!NT_SUCCESS(status))
    {
        ObDereferenceObject(Object);
        return status;
    }
    status = ObInsertObject(Object, &state, 0, 0, NULL, Handle);
    SeDeleteAccessState(&state);
    return status;
}

/* Tells drivers about the thread, and about the process if this is its first. A veto makes the thread die at once. */
static NTSTATUS PspAnnounceThread(PETHREAD Thread, PSP_THREAD_CREATE *Create)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (Create->FirstThreadInfo != NULL)
    {
        PS_CREATE_NOTIFY_INFO info = *Create->FirstThreadInfo;
        PspCallProcessCreateNotify(Create->Process, &info);
        status = info.CreationStatus;
    }
    PspCallThreadNotify(Thread, TRUE);
    return status;
}

/*
 * Makes a thread and starts it. On success Create->Thread is referenced. A thread whose handle cannot be made, or whose
 * process a driver refuses, is started all the same, to run straight into its end: that is how everything it has is
 * taken apart.
 */
NTSTATUS PspCreateThread(PSP_THREAD_CREATE *Create)
{
    PSP_USER_THREAD *user = NULL;
    PEPROCESS process = Create->Process;
    PETHREAD thread = NULL;
    NTSTATUS status;

    if (!ExAcquireRundownProtection(&process->RundownProtect))
    {
        return STATUS_PROCESS_IS_TERMINATING;
    }
    user = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*user), PSP_TAG_MISC); /* a CONTEXT is large for the stack */
    if (user == NULL)
    {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto Exit;
    }
    RtlZeroMemory(user, sizeof(*user));
    status = ObCreateObject(Create->Mode, PsThreadType, Create->Attributes, Create->Mode, NULL, sizeof(ETHREAD), 0, 0,
                            (PVOID *)&thread);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    PspInitializeThreadFields(thread, process, Create);
    thread->Cid.UniqueThread = ObAllocateId(PspCidTable);
    status = thread->Cid.UniqueThread == NULL ? STATUS_INSUFFICIENT_RESOURCES : PspEquipThread(thread, Create, user);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    status = PspEnlistThread(thread, process);
    if (!NT_SUCCESS(status))
    {
        if (Create->User)
        {
            PspReleaseUser(user, process);
        }
        goto Exit; /* PspDeleteThread frees the kernel stack */
    }
    ObPublishId(PspCidTable, thread->Cid.UniqueThread, thread);
    Create->Cid = thread->Cid;
    if (Create->Suspended)
    {
        KeSuspendThread(&thread->Tcb);
    }
    status = PspAnnounceThread(thread, Create);
    ObReferenceObject(thread);
    Create->Thread = thread;
    if (NT_SUCCESS(status))
    {
        status = PspInsertObject(thread, PsThreadType, process, Create->Access, Create->Handle);
    }
    else
    {
        ObDereferenceObject(thread); /* what ObInsertObject would have consumed */
    }
    if (!NT_SUCCESS(status))
    {
        thread->ExitStatus = status;
        InterlockedOr(&thread->Flags, PSP_THREAD_DEAD_ON_START | PSP_THREAD_TERMINATED);
        KeForceResumeThread(&thread->Tcb);
    }
    KeStartThread(&thread->Tcb);
    if (!NT_SUCCESS(status))
    {
        ObDereferenceObject(thread);
        Create->Thread = NULL;
    }
    thread = NULL;

Exit:
    if (thread != NULL)
    {
        ObDereferenceObject(thread);
    }
    if (user != NULL)
    {
        ExFreePoolWithTag(user, PSP_TAG_MISC);
    }
    ExReleaseRundownProtection(&process->RundownProtect);
    return status;
}

/**
 * Called by the reaper when a thread that ended has left its stack for good.
 *
 * PASSIVE_LEVEL.
 */
VOID PsReapThread(_In_ PKTHREAD Tcb)
{
    PETHREAD thread = CONTAINING_RECORD(Tcb, ETHREAD, Tcb);
    PVOID stack = InterlockedExchangePointer(&Tcb->StackBase, NULL);
    if (stack != NULL)
    {
        MmDeleteKernelStack(stack, KI_KERNEL_STACK_SIZE);
    }
    ObDereferenceObject(thread);
}

/* Delete method: the last reference went. */
VOID PspDeleteThread(PVOID Object)
{
    PETHREAD thread = Object;
    if ((thread->Flags & PSP_THREAD_LISTED) != 0)
    {
        /* Not earlier: who walks the list stands on a thread that has ended just as well. */
        ExAcquireFastMutex(&thread->ThreadsProcess->ProcessLock);
        RemoveEntryList(&thread->ThreadListEntry);
        ExReleaseFastMutex(&thread->ThreadsProcess->ProcessLock);
    }
    if (thread->Cid.UniqueThread != NULL)
    {
        ObRemoveId(PspCidTable, thread->Cid.UniqueThread);
    }
    if (thread->Tcb.StackBase != NULL)
    {
        MmDeleteKernelStack(thread->Tcb.StackBase, KI_KERNEL_STACK_SIZE); /* it never ran */
    }
    PspClearImpersonation(thread);
    if (thread->ThreadsProcess != NULL)
    {
        ObDereferenceObject(thread->ThreadsProcess);
    }
}

/* ---- system threads ---- */

/**
 * Makes a thread that runs in kernel mode until it calls PsTerminateSystemThread or its routine returns.
 *
 * @param ThreadHandle   out: in the current process's table unless the attributes say OBJ_KERNEL_HANDLE
 * @param ProcessHandle  NULL: the System process; else the thread runs in that process's address space
 * @param ClientId       out, optional
 * @return STATUS_INSUFFICIENT_RESOURCES, STATUS_PROCESS_IS_TERMINATING, STATUS_INVALID_HANDLE. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI PsCreateSystemThread(_Out_ PHANDLE ThreadHandle, _In_ ULONG DesiredAccess,
                                    _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes, _In_opt_ HANDLE ProcessHandle,
                                    _Out_opt_ PCLIENT_ID ClientId, _In_ PKSTART_ROUTINE StartRoutine,
                                    _In_opt_ PVOID StartContext)
{
    PSP_THREAD_CREATE create = {.Mode = KernelMode,
                                .Attributes = ObjectAttributes,
                                .Access = DesiredAccess,
                                .StartRoutine = (PVOID)StartRoutine,
                                .StartContext = StartContext,
                                .Handle = ThreadHandle};
    PEPROCESS process = PsInitialSystemProcess;
    NTSTATUS status;
    if (ProcessHandle != NULL)
    {
        status = ObReferenceObjectByHandle(ProcessHandle, PROCESS_CREATE_THREAD, PsProcessType, KernelMode,
                                           (PVOID *)&process, NULL);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
    else
    {
        ObReferenceObject(process);
    }
    create.Process = process;
    status = PspCreateThread(&create);
    if (NT_SUCCESS(status))
    {
        if (ClientId != NULL)
        {
            *ClientId = create.Cid;
        }
        ObDereferenceObject(create.Thread);
    }
    ObDereferenceObject(process);
    return status;
}

/** Ends the current system thread; returns only on STATUS_INVALID_PARAMETER: a user thread. PASSIVE_LEVEL. */
NTSTATUS NTAPI PsTerminateSystemThread(_In_ NTSTATUS ExitStatus)
{
    PETHREAD thread = PsGetCurrentThread();
    if ((thread->Flags & PSP_THREAD_SYSTEM) == 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    PspExitThread(ExitStatus);
}

/* ---- NtCreateThreadEx ---- */

#define PSP_VALID_THREAD_FLAGS 0x07 /* CREATE_SUSPENDED, SKIP_THREAD_ATTACH, HIDE_FROM_DEBUGGER */
#define PSP_SKIP_THREAD_ATTACH 0x02
#define PSP_HIDE_FROM_DEBUGGER 0x04

typedef struct _PSP_THREAD_OUTPUTS
{
    PCLIENT_ID ClientId;
    PVOID *Teb;
} PSP_THREAD_OUTPUTS;

static NTSTATUS PspReadThreadAttributes(PPS_ATTRIBUTE_LIST List, KPROCESSOR_MODE Mode, PSP_THREAD_OUTPUTS *Outputs)
{
    if (List == NULL)
    {
        return STATUS_SUCCESS;
    }
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead(List, sizeof(SIZE_T), sizeof(PVOID));
        }
        SIZE_T total = *(volatile SIZE_T *)&List->TotalLength;
        if (total < sizeof(SIZE_T) || total > PAGE_SIZE || (total - sizeof(SIZE_T)) % sizeof(PS_ATTRIBUTE) != 0)
        {
            return STATUS_INVALID_PARAMETER;
        }
        if (Mode != KernelMode)
        {
            ProbeForRead(List, total, sizeof(PVOID));
        }
        for (SIZE_T i = 0; i < (total - sizeof(SIZE_T)) / sizeof(PS_ATTRIBUTE); i++)
        {
            PS_ATTRIBUTE attribute = *(volatile PS_ATTRIBUTE *)&List->Attributes[i];
            if (attribute.Attribute == PS_ATTRIBUTE_CLIENT_ID && attribute.Size == sizeof(CLIENT_ID))
            {
                Outputs->ClientId = attribute.u.ValuePtr;
            }
            else if (attribute.Attribute == PS_ATTRIBUTE_TEB_ADDRESS && attribute.Size == sizeof(PVOID))
            {
                Outputs->Teb = attribute.u.ValuePtr;
            }
            else
            {
                return STATUS_INVALID_PARAMETER;
            }
        }
        if (Mode != KernelMode)
        {
            ProbeForWrite(Outputs->ClientId, Outputs->ClientId == NULL ? 0 : sizeof(CLIENT_ID), sizeof(PVOID));
            ProbeForWrite(Outputs->Teb, Outputs->Teb == NULL ? 0 : sizeof(PVOID), sizeof(PVOID));
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/**
 * Makes a user thread in a process the caller may create threads in.
 *
 * @param StartRoutine  what RtlUserThreadStart calls with Argument
 * @param StackCommit   bytes, 0 = as the program's header says; StackReserve likewise
 * @param AttributeList optional: PS_ATTRIBUTE_CLIENT_ID, PS_ATTRIBUTE_TEB_ADDRESS (outputs)
 * @return STATUS_INVALID_PARAMETER (flags, ZeroBits, attributes), STATUS_PROCESS_IS_TERMINATING, STATUS_ACCESS_DENIED,
 *         STATUS_INSUFFICIENT_RESOURCES, STATUS_NOT_SUPPORTED (thread in the System process). PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtCreateThreadEx(_Out_ PHANDLE ThreadHandle, _In_ ACCESS_MASK DesiredAccess,
                                _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes, _In_ HANDLE ProcessHandle,
                                _In_ PVOID StartRoutine, _In_opt_ PVOID Argument, _In_ ULONG CreateFlags,
                                _In_ SIZE_T ZeroBits, _In_ SIZE_T StackCommit, _In_ SIZE_T StackReserve,
                                _In_opt_ PPS_ATTRIBUTE_LIST AttributeList)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PSP_THREAD_OUTPUTS outputs = {0};
    PEPROCESS process;
    HANDLE handle = NULL;
    NTSTATUS status = PspProbeOutput(ThreadHandle, sizeof(HANDLE), sizeof(HANDLE), mode);
    if (NT_SUCCESS(status))
    {
        status = PspReadThreadAttributes(AttributeList, mode, &outputs);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if ((CreateFlags & ~PSP_VALID_THREAD_FLAGS) != 0 || ZeroBits != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if ((CreateFlags & PSP_SKIP_THREAD_ATTACH) != 0)
    {
        return STATUS_NOT_SUPPORTED;
    }
    status =
        ObReferenceObjectByHandle(ProcessHandle, PROCESS_CREATE_THREAD, PsProcessType, mode, (PVOID *)&process, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (process->UserEntries.LdrInitializeThunk == NULL)
    {
        ObDereferenceObject(process);
        return STATUS_NOT_SUPPORTED;
    }
    PSP_THREAD_CREATE create = {
        .Process = process,
        .Mode = mode,
        .Attributes = ObjectAttributes,
        .Access = DesiredAccess,
        .StartRoutine = StartRoutine,
        .StartContext = Argument,
        .User = TRUE,
        .Suspended = (CreateFlags & THREAD_CREATE_FLAGS_CREATE_SUSPENDED) != 0,
        .Hidden = (CreateFlags & PSP_HIDE_FROM_DEBUGGER) != 0,
        .StackReserve = StackReserve,
        .StackCommit = StackCommit,
        .Handle = &handle,
    };
    status = PspCreateThread(&create);
    ObDereferenceObject(process);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    ObDereferenceObject(create.Thread);
    __try
    {
        *ThreadHandle = handle;
        if (outputs.ClientId != NULL)
        {
            *outputs.ClientId = create.Cid;
        }
        if (outputs.Teb != NULL)
        {
            *outputs.Teb = create.Teb;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    return status;
}
