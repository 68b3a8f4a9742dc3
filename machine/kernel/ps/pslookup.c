/* SPDX-License-Identifier: MIT */
/*
 * Looking up processes and threads, and asking them simple things. Any IRQL unless said otherwise.
 */
#include "psp.h"
#include "vf.h"

/**
 * The process of an id, referenced; also one that has ended while somebody refers to it. STATUS_INVALID_CID. <=
 * APC_LEVEL.
 */
NTSTATUS NTAPI PsLookupProcessByProcessId(_In_ HANDLE ProcessId, _Out_ PEPROCESS *Process)
{
    *Process = ObReferenceId(PspCidTable, ProcessId, PsProcessType);
    if (*Process == NULL)
    {
        return STATUS_INVALID_CID;
    }
    VfTakeReference(*Process, _ReturnAddress());
    return STATUS_SUCCESS;
}

/** The thread of an id, referenced. STATUS_INVALID_CID. <= APC_LEVEL. */
NTSTATUS NTAPI PsLookupThreadByThreadId(_In_ HANDLE ThreadId, _Out_ PETHREAD *Thread)
{
    *Thread = ObReferenceId(PspCidTable, ThreadId, PsThreadType);
    if (*Thread == NULL)
    {
        return STATUS_INVALID_CID;
    }
    VfTakeReference(*Thread, _ReturnAddress());
    return STATUS_SUCCESS;
}

/** Thread, and optionally its process, of a client id, both referenced. STATUS_INVALID_CID. <= APC_LEVEL. */
NTSTATUS NTAPI PsLookupProcessThreadByCid(_In_ PCLIENT_ID Cid, _Out_opt_ PEPROCESS *Process, _Out_ PETHREAD *Thread)
{
    PETHREAD thread = ObReferenceId(PspCidTable, Cid->UniqueThread, PsThreadType);
    *Thread = NULL;
    if (thread == NULL)
    {
        return STATUS_INVALID_CID;
    }
    if (thread->Cid.UniqueProcess != Cid->UniqueProcess)
    {
        ObDereferenceObject(thread);
        return STATUS_INVALID_CID;
    }
    if (Process != NULL)
    {
        ObReferenceObject(thread->ThreadsProcess);
        *Process = thread->ThreadsProcess;
        VfTakeReference(*Process, _ReturnAddress());
    }
    *Thread = thread;
    VfTakeReference(thread, _ReturnAddress());
    return STATUS_SUCCESS;
}

/** Id of the process the current thread belongs to, attached or not. */
HANDLE NTAPI PsGetCurrentProcessId(VOID)
{
    PETHREAD thread = PsGetCurrentThread();
    return PsIsIdleThread(thread) ? NULL : thread->Cid.UniqueProcess;
}

HANDLE NTAPI PsGetCurrentThreadId(VOID)
{
    PETHREAD thread = PsGetCurrentThread();
    return PsIsIdleThread(thread) ? NULL : thread->Cid.UniqueThread;
}

HANDLE NTAPI PsGetProcessId(_In_ PEPROCESS Process)
{
    return Process->UniqueProcessId;
}

HANDLE NTAPI PsGetThreadId(_In_ PETHREAD Thread)
{
    return Thread->Cid.UniqueThread;
}

HANDLE NTAPI PsGetThreadProcessId(_In_ PETHREAD Thread)
{
    return Thread->Cid.UniqueProcess;
}

PEPROCESS NTAPI PsGetThreadProcess(_In_ PETHREAD Thread)
{
    return Thread->ThreadsProcess;
}

/** The process the current thread belongs to, attached or not. */
PEPROCESS NTAPI PsGetCurrentThreadProcess(VOID)
{
    return CONTAINING_RECORD(KiCurrentThread()->Process, EPROCESS, Pcb);
}

HANDLE NTAPI PsGetCurrentThreadProcessId(VOID)
{
    return PsGetCurrentProcessId();
}

PVOID NTAPI PsGetThreadTeb(_In_ PETHREAD Thread)
{
    return Thread->Tcb.Teb;
}

PVOID NTAPI PsGetCurrentThreadTeb(VOID)
{
    return KiCurrentThread()->Teb;
}

/** Up to 15 characters of the image's file name, NUL-terminated, inside the process object. */
PUCHAR NTAPI PsGetProcessImageFileName(_In_ PEPROCESS Process)
{
    return Process->ImageFileName;
}

PPEB NTAPI PsGetProcessPeb(_In_ PEPROCESS Process)
{
    return Process->Peb;
}

NTSTATUS NTAPI PsGetProcessExitStatus(_In_ PEPROCESS Process)
{
    return Process->ExitStatus;
}

LARGE_INTEGER NTAPI PsGetProcessExitTime(VOID)
{
    return PsGetCurrentProcess()->ExitTime;
}

LONGLONG NTAPI PsGetProcessCreateTimeQuadPart(_In_ PEPROCESS Process)
{
    return Process->CreateTime.QuadPart;
}

HANDLE NTAPI PsGetProcessInheritedFromUniqueProcessId(_In_ PEPROCESS Process)
{
    return Process->InheritedFromUniqueProcessId;
}

PVOID NTAPI PsGetProcessSectionBaseAddress(_In_ PEPROCESS Process)
{
    return Process->SectionBaseAddress;
}

/** The 32-bit PEB of a WOW64 process; there are none on this machine, so NULL. */
PVOID NTAPI PsGetProcessWow64Process(_In_ PEPROCESS Process)
{
    return NULL;
}

/** NULL: there are no jobs, so no process is in one. IRQL: any. */
PVOID NTAPI PsGetProcessJob(_In_ PEPROCESS Process)
{
    UNREFERENCED_PARAMETER(Process);
    return NULL;
}

PVOID NTAPI PsGetCurrentProcessWow64Process(VOID)
{
    return NULL;
}

ULONG NTAPI PsGetProcessSessionId(_In_ PEPROCESS Process)
{
    return Process->SessionId;
}

/** TRUE once the process's last thread has begun to take it apart. */
BOOLEAN NTAPI PsGetProcessExitProcessCalled(_In_ PEPROCESS Process)
{
    return (Process->Flags & PSP_PROCESS_EXITING) != 0;
}

/** There is no debugger on this machine that a process could be under. */
BOOLEAN NTAPI PsIsProcessBeingDebugged(_In_ PEPROCESS Process)
{
    return FALSE;
}

BOOLEAN NTAPI PsIsSystemProcess(_In_ PEPROCESS Process)
{
    return Process == PsInitialSystemProcess;
}

BOOLEAN NTAPI PsIsSystemThread(_In_ PETHREAD Thread)
{
    return PsIsIdleThread(Thread) || (Thread->Flags & PSP_THREAD_SYSTEM) != 0;
}

BOOLEAN NTAPI PsIsThreadTerminating(_In_ PETHREAD Thread)
{
    return !PsIsIdleThread(Thread) && (Thread->Flags & PSP_THREAD_TERMINATED) != 0;
}

/** STATUS_PENDING while the thread lives. */
NTSTATUS NTAPI PsGetThreadExitStatus(_In_ PETHREAD Thread)
{
    return Thread->ExitStatus;
}

LONGLONG NTAPI PsGetThreadCreateTime(_In_ PETHREAD Thread)
{
    return Thread->CreateTime.QuadPart;
}

/** Mode the current thread was in before it entered the kernel. */
KPROCESSOR_MODE NTAPI PsGetCurrentThreadPreviousMode(VOID)
{
    return KiCurrentThread()->PreviousMode;
}

/** Bounds of the current kernel stack. */
PVOID NTAPI PsGetCurrentThreadStackBase(VOID)
{
    return KiCurrentThread()->StackBase;
}

PVOID NTAPI PsGetCurrentThreadStackLimit(VOID)
{
    return KiCurrentThread()->StackLimit;
}

/**
 * Version of the system. All arguments optional.
 *
 * @return FALSE: a free build
 */
BOOLEAN NTAPI PsGetVersion(_Out_opt_ PULONG MajorVersion, _Out_opt_ PULONG MinorVersion, _Out_opt_ PULONG BuildNumber,
                           _Out_opt_ PUNICODE_STRING CSDVersion)
{
    if (MajorVersion != NULL)
    {
        *MajorVersion = PS_OS_MAJOR_VERSION;
    }
    if (MinorVersion != NULL)
    {
        *MinorVersion = PS_OS_MINOR_VERSION;
    }
    if (BuildNumber != NULL)
    {
        *BuildNumber = PS_OS_BUILD;
    }
    if (CSDVersion != NULL)
    {
        RtlZeroMemory(CSDVersion, sizeof(*CSDVersion));
    }
    return FALSE;
}

/** The file a process runs from, referenced. STATUS_UNSUCCESSFUL for one without (System). <= APC_LEVEL. */
NTSTATUS NTAPI PsReferenceProcessFilePointer(_In_ PEPROCESS Process, _Out_ PFILE_OBJECT *File)
{
    *File = NULL;
    if (Process->ImageFile == NULL)
    {
        return STATUS_UNSUCCESSFUL;
    }
    ObReferenceObject(Process->ImageFile);
    *File = Process->ImageFile;
    return STATUS_SUCCESS;
}

/**
 * The path a process was started from, in one pool block: free with ExFreePool.
 *
 * @return STATUS_INSUFFICIENT_RESOURCES. <= APC_LEVEL.
 */
NTSTATUS NTAPI SeLocateProcessImageName(_In_ PEPROCESS Process, _Out_ PUNICODE_STRING *ImageFileName)
{
    PUNICODE_STRING name =
        ExAllocatePoolWithTag(PagedPool, sizeof(*name) + Process->ImagePath.Length + sizeof(WCHAR), PSP_TAG_MISC);
    *ImageFileName = NULL;
    if (name == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    name->Buffer = (PWSTR)(name + 1);
    name->Length = Process->ImagePath.Length;
    name->MaximumLength = Process->ImagePath.Length + sizeof(WCHAR);
    RtlCopyMemory(name->Buffer, Process->ImagePath.Buffer, name->Length);
    name->Buffer[name->Length / sizeof(WCHAR)] = 0;
    *ImageFileName = name;
    return STATUS_SUCCESS;
}
