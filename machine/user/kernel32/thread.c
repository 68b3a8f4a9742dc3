/* SPDX-License-Identifier: MIT */
/* Threads, their slots and their asynchronous calls. */
#include "base.h"

#include <processthreadsapi.h>

/* ---- Creation and end ---- */

HANDLE WINAPI CreateRemoteThread(HANDLE hProcess, LPSECURITY_ATTRIBUTES lpThreadAttributes, SIZE_T dwStackSize,
                                 LPTHREAD_START_ROUTINE lpStartAddress, LPVOID lpParameter, DWORD dwCreationFlags,
                                 LPDWORD lpThreadId)
{
    BASE_OBJECT object;
    HANDLE thread;
    THREAD_BASIC_INFORMATION basic;
    if (dwCreationFlags & ~(CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION))
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    BOOLEAN reserve = (dwCreationFlags & STACK_SIZE_PARAM_IS_A_RESERVATION) != 0;
    BaseObject(&object, lpThreadAttributes, NULL, 0);

    /* Suspended at first: the id is queried before the thread can be gone again. */
    NTSTATUS status = NtCreateThreadEx(&thread, THREAD_ALL_ACCESS, &object.Attributes, hProcess,
                                       (PVOID)lpStartAddress, lpParameter, THREAD_CREATE_FLAGS_CREATE_SUSPENDED, 0,
                                       reserve ? 0 : dwStackSize, reserve ? dwStackSize : 0, NULL);
    if (!NT_SUCCESS(status))
    {
        BaseFail(status);
        return NULL;
    }
    status = NtQueryInformationThread(thread, ThreadBasicInformation, &basic, sizeof(basic), NULL);
    if (NT_SUCCESS(status) && !(dwCreationFlags & CREATE_SUSPENDED))
    {
        status = NtResumeThread(thread, NULL);
    }
    if (!NT_SUCCESS(status))
    {
        NtTerminateThread(thread, status);
        NtClose(thread);
        BaseFail(status);
        return NULL;
    }
    if (lpThreadId != NULL)
    {
        *lpThreadId = (DWORD)(ULONG_PTR)basic.ClientId.UniqueThread;
    }
    return thread;
}

HANDLE WINAPI CreateThread(LPSECURITY_ATTRIBUTES lpThreadAttributes, SIZE_T dwStackSize,
                           LPTHREAD_START_ROUTINE lpStartAddress, LPVOID lpParameter, DWORD dwCreationFlags,
                           LPDWORD lpThreadId)
{
    return CreateRemoteThread(NtCurrentProcess(), lpThreadAttributes, dwStackSize, lpStartAddress, lpParameter,
                              dwCreationFlags, lpThreadId);
}

DECLSPEC_NORETURN VOID WINAPI ExitThread(DWORD dwExitCode)
{
    RtlExitUserThread((NTSTATUS)dwExitCode);
}

BOOL WINAPI TerminateThread(HANDLE hThread, DWORD dwExitCode)
{
    if (hThread == NULL)
    {
        return BaseFailWith(ERROR_INVALID_HANDLE);
    }
    return BaseResult(NtTerminateThread(hThread, (NTSTATUS)dwExitCode));
}

/* ---- Identity ---- */

HANDLE WINAPI GetCurrentThread(VOID)
{
    return NtCurrentThread();
}

DWORD WINAPI GetCurrentThreadId(VOID)
{
    return (DWORD)(ULONG_PTR)NtCurrentTeb()->ClientId.UniqueThread;
}

static BOOL BaseQueryThread(HANDLE Thread, PTHREAD_BASIC_INFORMATION Basic)
{
    return BaseResult(NtQueryInformationThread(Thread, ThreadBasicInformation, Basic, sizeof(*Basic), NULL));
}

DWORD WINAPI GetThreadId(HANDLE Thread)
{
    THREAD_BASIC_INFORMATION basic;
    return BaseQueryThread(Thread, &basic) ? (DWORD)(ULONG_PTR)basic.ClientId.UniqueThread : 0;
}

DWORD WINAPI GetProcessIdOfThread(HANDLE Thread)
{
    THREAD_BASIC_INFORMATION basic;
    return BaseQueryThread(Thread, &basic) ? (DWORD)(ULONG_PTR)basic.ClientId.UniqueProcess : 0;
}

HANDLE WINAPI OpenThread(DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwThreadId)
{
    OBJECT_ATTRIBUTES attributes;
    CLIENT_ID id = {NULL, (HANDLE)(ULONG_PTR)dwThreadId};
    HANDLE handle;
    InitializeObjectAttributes(&attributes, NULL, bInheritHandle ? OBJ_INHERIT : 0, NULL, NULL);
    NTSTATUS status = NtOpenThread(&handle, dwDesiredAccess, &attributes, &id);
    return BaseResult(status) ? handle : NULL;
}

BOOL WINAPI GetExitCodeThread(HANDLE hThread, LPDWORD lpExitCode)
{
    THREAD_BASIC_INFORMATION basic;
    if (!BaseQueryThread(hThread, &basic))
    {
        return FALSE;
    }
    *lpExitCode = (DWORD)basic.ExitStatus;
    return TRUE;
}

BOOL WINAPI GetThreadTimes(HANDLE hThread, LPFILETIME lpCreationTime, LPFILETIME lpExitTime,
                           LPFILETIME lpKernelTime, LPFILETIME lpUserTime)
{
    KERNEL_USER_TIMES times;
    NTSTATUS status = NtQueryInformationThread(hThread, ThreadTimes, &times, sizeof(times), NULL);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    *lpCreationTime = times.CreateTime;
    *lpExitTime = times.ExitTime;
    memcpy(lpKernelTime, &times.KernelTime, sizeof(FILETIME));
    memcpy(lpUserTime, &times.UserTime, sizeof(FILETIME));
    return TRUE;
}

/* ---- Running ---- */

DWORD WINAPI SuspendThread(HANDLE hThread)
{
    ULONG count;
    return BaseResult(NtSuspendThread(hThread, &count)) ? count : (DWORD)-1;
}

DWORD WINAPI ResumeThread(HANDLE hThread)
{
    ULONG count;
    return BaseResult(NtResumeThread(hThread, &count)) ? count : (DWORD)-1;
}

BOOL WINAPI SwitchToThread(VOID)
{
    return NtYieldExecution() != STATUS_NO_YIELD_PERFORMED;
}

/* The base priority of a thread is an increment; the outermost two values mean "saturated" and are 16 inside. */
BOOL WINAPI SetThreadPriority(HANDLE hThread, int nPriority)
{
    LONG increment = nPriority;
    if (nPriority == THREAD_PRIORITY_TIME_CRITICAL)
    {
        increment = 16;
    }
    else if (nPriority == THREAD_PRIORITY_IDLE)
    {
        increment = -16;
    }
    return BaseResult(NtSetInformationThread(hThread, ThreadBasePriority, &increment, sizeof(increment)));
}

int WINAPI GetThreadPriority(HANDLE hThread)
{
    THREAD_BASIC_INFORMATION basic;
    if (!BaseQueryThread(hThread, &basic))
    {
        return THREAD_PRIORITY_ERROR_RETURN;
    }
    return basic.BasePriority == 16    ? THREAD_PRIORITY_TIME_CRITICAL
           : basic.BasePriority == -16 ? THREAD_PRIORITY_IDLE
                                       : basic.BasePriority;
}

DWORD_PTR WINAPI SetThreadAffinityMask(HANDLE hThread, DWORD_PTR dwThreadAffinityMask)
{
    THREAD_BASIC_INFORMATION basic;
    if (!BaseQueryThread(hThread, &basic))
    {
        return 0;
    }
    NTSTATUS status = NtSetInformationThread(hThread, ThreadAffinityMask, &dwThreadAffinityMask,
                                             sizeof(dwThreadAffinityMask));
    return BaseResult(status) ? basic.AffinityMask : 0;
}

DWORD WINAPI SetThreadIdealProcessor(HANDLE hThread, DWORD dwIdealProcessor)
{
    /* The service answers with the former ideal processor in place of an ordinary status. */
    NTSTATUS status = NtSetInformationThread(hThread, ThreadIdealProcessor, &dwIdealProcessor,
                                             sizeof(dwIdealProcessor));
    return BaseResult(status) ? (DWORD)status : (DWORD)-1;
}

BOOL WINAPI GetThreadContext(HANDLE hThread, LPCONTEXT lpContext)
{
    return BaseResult(NtGetContextThread(hThread, lpContext));
}

BOOL WINAPI SetThreadContext(HANDLE hThread, const CONTEXT *lpContext)
{
    return BaseResult(NtSetContextThread(hThread, (PCONTEXT)lpContext));
}

/** The thread acts with an impersonation token from now on, or with its process's own again (NULL). */
BOOL WINAPI SetThreadToken(PHANDLE Thread, HANDLE Token)
{
    return BaseResult(NtSetInformationThread(Thread != NULL ? *Thread : NtCurrentThread(), ThreadImpersonationToken,
                                             &Token, sizeof(Token)));
}

/** Where the current thread's stack lies. */
VOID WINAPI GetCurrentThreadStackLimits(PULONG_PTR LowLimit, PULONG_PTR HighLimit)
{
    PTEB teb = NtCurrentTeb();
    *LowLimit = (ULONG_PTR)teb->DeallocationStack;
    *HighLimit = (ULONG_PTR)teb->NtTib.StackBase;
}

/* ---- Asynchronous procedure calls ---- */

static VOID NTAPI BaseDispatchApc(PVOID Routine, PVOID Data, PVOID Unused)
{
    UNREFERENCED_PARAMETER(Unused);
    ((PAPCFUNC)Routine)((ULONG_PTR)Data);
}

DWORD WINAPI QueueUserAPC(PAPCFUNC pfnAPC, HANDLE hThread, ULONG_PTR dwData)
{
    return (DWORD)BaseResult(NtQueueApcThread(hThread, BaseDispatchApc, (PVOID)pfnAPC, (PVOID)dwData, NULL));
}

/* ---- Thread-local and fiber-local slots ---- */

DWORD WINAPI TlsAlloc(VOID)
{
    ULONG index;
    return BaseResult(RtlTlsAlloc(&index)) ? index : TLS_OUT_OF_INDEXES;
}

BOOL WINAPI TlsFree(DWORD dwTlsIndex)
{
    return BaseResult(RtlTlsFree(dwTlsIndex));
}

BOOL WINAPI TlsSetValue(DWORD dwTlsIndex, LPVOID lpTlsValue)
{
    return BaseResult(RtlTlsSetValue(dwTlsIndex, lpTlsValue));
}

/** Clears the last error on success: a NULL may be a value. */
LPVOID WINAPI TlsGetValue(DWORD dwTlsIndex)
{
    PVOID value;
    NTSTATUS status = RtlTlsGetValue(dwTlsIndex, &value);
    RtlSetLastWin32Error(ERROR_SUCCESS);
    return BaseResult(status) ? value : NULL;
}

DWORD WINAPI FlsAlloc(PFLS_CALLBACK_FUNCTION lpCallback)
{
    ULONG index;
    return BaseResult(RtlFlsAlloc(lpCallback, &index)) ? index : FLS_OUT_OF_INDEXES;
}

BOOL WINAPI FlsFree(DWORD dwFlsIndex)
{
    return BaseResult(RtlFlsFree(dwFlsIndex));
}

BOOL WINAPI FlsSetValue(DWORD dwFlsIndex, PVOID lpFlsData)
{
    return BaseResult(RtlFlsSetValue(dwFlsIndex, lpFlsData));
}

PVOID WINAPI FlsGetValue(DWORD dwFlsIndex)
{
    PVOID value;
    NTSTATUS status = RtlFlsGetValue(dwFlsIndex, &value);
    RtlSetLastWin32Error(ERROR_SUCCESS);
    return BaseResult(status) ? value : NULL;
}
