/* SPDX-License-Identifier: MIT */
/* The first and the last steps of threads, and the end of the process. */
#include "ntdllp.h"

/**
 * The first routine of every thread, behind RtlUserThreadStart (entry.S). Its filter is the outermost
 * one: an exception that arrives here ends the process with the exception's code.
 */
DECLSPEC_NORETURN VOID NTAPI RtlpUserThreadStart(PUSER_THREAD_START_ROUTINE Start, PVOID Parameter)
{
    __try
    {
        RtlExitUserThread(Start(Parameter));
    }
    __except (RtlUnhandledExceptionFilter(GetExceptionInformation()))
    {
        NtTerminateProcess(NtCurrentProcess(), GetExceptionCode());
    }
    for (;;)
    {
        NtTerminateThread(NtCurrentThread(), STATUS_UNSUCCESSFUL);
    }
}

/**
 * Ends the calling thread; the last one ends the process with the same status, and its DLLs are told.
 */
DECLSPEC_NORETURN VOID NTAPI RtlExitUserThread(NTSTATUS Status)
{
    ULONG last = FALSE;
    NtQueryInformationThread(NtCurrentThread(), ThreadAmILastThread, &last, sizeof(last), NULL);
    if (last)
    {
        RtlExitUserProcess(Status);
    }
    LdrShutdownThread();
    for (;;)
    {
        NtTerminateThread(NtCurrentThread(), Status);
    }
}

/**
 * Ends the process in order: no other thread runs any more, then the DLLs are told, then it is gone.
 *
 * The locks that the DLLs are likely to need are taken before the other threads are stopped, so that
 * none of them dies as an owner. A lock that one did own can't be waited for: RtlpCheckHopelessWait.
 */
DECLSPEC_NORETURN VOID NTAPI RtlExitUserProcess(NTSTATUS Status)
{
    RtlEnterCriticalSection(&LdrpLoaderLock);
    if (!RtlpProcessIsEnding)
    {
        RtlEnterCriticalSection(&RtlpPebLock);
        RtlpLockProcessHeapForExit();
        RtlpProcessExitStatus = Status;
        NtTerminateProcess(NULL, Status);
        RtlpProcessIsEnding = TRUE;
        RtlUnlockHeap(RtlProcessHeap());
        RtlLeaveCriticalSection(&RtlpPebLock);
        LdrShutdownProcess();
    }
    for (;;)
    {
        NtTerminateProcess(NtCurrentProcess(), RtlpProcessExitStatus);
    }
}

/**
 * Creates a thread in any process.
 *
 * @param StackReserve  bytes, 0 = as the program's header says; StackCommit likewise
 * @param Thread        receives the handle; if NULL the handle is closed
 */
NTSTATUS NTAPI RtlCreateUserThread(HANDLE Process, PSECURITY_DESCRIPTOR Security, BOOLEAN Suspended, ULONG ZeroBits,
                                   SIZE_T StackReserve, SIZE_T StackCommit, PUSER_THREAD_START_ROUTINE Start,
                                   PVOID Parameter, PHANDLE Thread, PCLIENT_ID Id)
{
    OBJECT_ATTRIBUTES attributes;
    CLIENT_ID clientId = {0};
    HANDLE thread;
    PS_ATTRIBUTE_LIST list = {.TotalLength = sizeof(list)};
    InitializeObjectAttributes(&attributes, NULL, 0, NULL, Security);
    list.Attributes[0].Attribute = PS_ATTRIBUTE_CLIENT_ID;
    list.Attributes[0].Size = sizeof(clientId);
    list.Attributes[0].u.ValuePtr = &clientId;

    NTSTATUS status = NtCreateThreadEx(&thread, THREAD_ALL_ACCESS, &attributes, Process, (PVOID)Start, Parameter,
                                       Suspended ? THREAD_CREATE_FLAGS_CREATE_SUSPENDED : 0, ZeroBits, StackCommit,
                                       StackReserve, &list);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (Id != NULL)
    {
        *Id = clientId;
    }
    if (Thread != NULL)
    {
        *Thread = thread;
    }
    else
    {
        NtClose(thread);
    }
    return STATUS_SUCCESS;
}
