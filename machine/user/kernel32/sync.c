/* SPDX-License-Identifier: MIT */
/* Waiting, and the objects to wait for. */
#include "base.h"

/* ---- Waits ---- */

/* Translates a wait's status, which is the result itself unless it is an error. */
static DWORD BaseWaitResult(NTSTATUS Status)
{
    if (NT_ERROR(Status))
    {
        BaseFail(Status);
        return WAIT_FAILED;
    }
    return (DWORD)Status;
}

DWORD WINAPI WaitForSingleObjectEx(HANDLE hHandle, DWORD dwMilliseconds, BOOL bAlertable)
{
    LARGE_INTEGER time;
    PLARGE_INTEGER timeout = BaseTimeout(dwMilliseconds, &time);
    NTSTATUS status;
    do
    {
        status = NtWaitForSingleObject(BaseHandle(hHandle), bAlertable != FALSE, timeout);
    } while (status == STATUS_ALERTED && bAlertable);
    return BaseWaitResult(status);
}

DWORD WINAPI WaitForSingleObject(HANDLE hHandle, DWORD dwMilliseconds)
{
    return WaitForSingleObjectEx(hHandle, dwMilliseconds, FALSE);
}

DWORD WINAPI WaitForMultipleObjectsEx(DWORD nCount, const HANDLE *lpHandles, BOOL bWaitAll, DWORD dwMilliseconds,
                                      BOOL bAlertable)
{
    HANDLE handles[MAXIMUM_WAIT_OBJECTS];
    LARGE_INTEGER time;
    PLARGE_INTEGER timeout = BaseTimeout(dwMilliseconds, &time);
    NTSTATUS status;

    if (nCount == 0 || nCount > MAXIMUM_WAIT_OBJECTS)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return WAIT_FAILED;
    }
    for (DWORD i = 0; i < nCount; i++)
    {
        handles[i] = BaseHandle(lpHandles[i]);
    }
    do
    {
        status = NtWaitForMultipleObjects(nCount, handles, bWaitAll ? WaitAll : WaitAny, bAlertable != FALSE, timeout);
    } while (status == STATUS_ALERTED && bAlertable);
    return BaseWaitResult(status);
}

DWORD WINAPI WaitForMultipleObjects(DWORD nCount, const HANDLE *lpHandles, BOOL bWaitAll, DWORD dwMilliseconds)
{
    return WaitForMultipleObjectsEx(nCount, lpHandles, bWaitAll, dwMilliseconds, FALSE);
}

DWORD WINAPI SignalObjectAndWait(HANDLE hObjectToSignal, HANDLE hObjectToWaitOn, DWORD dwMilliseconds,
                                 BOOL bAlertable)
{
    LARGE_INTEGER time;
    NTSTATUS status = NtSignalAndWaitForSingleObject(hObjectToSignal, BaseHandle(hObjectToWaitOn),
                                                     bAlertable != FALSE, BaseTimeout(dwMilliseconds, &time));
    while (status == STATUS_ALERTED && bAlertable)
    {
        status = NtWaitForSingleObject(BaseHandle(hObjectToWaitOn), TRUE, BaseTimeout(dwMilliseconds, &time));
    }
    return BaseWaitResult(status);
}

/** WAIT_IO_COMPLETION if an asynchronous call ended it, else 0. */
DWORD WINAPI SleepEx(DWORD dwMilliseconds, BOOL bAlertable)
{
    LARGE_INTEGER time;
    if (BaseTimeout(dwMilliseconds, &time) == NULL)
    {
        time.QuadPart = (LONG64)0x8000000000000000ull; /* some 29,000 years from now */
    }
    if (dwMilliseconds == 0 && !bAlertable)
    {
        NtYieldExecution();
        return 0;
    }
    NTSTATUS status;
    do
    {
        status = NtDelayExecution(bAlertable != FALSE, &time);
    } while (status == STATUS_ALERTED && bAlertable);
    return status == STATUS_USER_APC ? WAIT_IO_COMPLETION : 0;
}

VOID WINAPI Sleep(DWORD dwMilliseconds)
{
    SleepEx(dwMilliseconds, FALSE);
}

/* ---- Names: the A variants widen them and call the W ones ---- */

#define BASE_NAMED_A(Name, Call)                                                                                      \
    BASE_WIDE wide;                                                                                                   \
    HANDLE handle = NULL;                                                                                             \
    if (BaseWiden(&wide, Name))                                                                                       \
    {                                                                                                                 \
        handle = Call;                                                                                                \
    }                                                                                                                 \
    BaseRelease(&wide);                                                                                               \
    return handle

/* ---- Events ---- */

HANDLE WINAPI CreateEventExW(LPSECURITY_ATTRIBUTES lpEventAttributes, LPCWSTR lpName, DWORD dwFlags,
                             DWORD dwDesiredAccess)
{
    BASE_OBJECT object;
    HANDLE handle = NULL;
    if (dwFlags & ~(CREATE_EVENT_MANUAL_RESET | CREATE_EVENT_INITIAL_SET))
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (!BaseObject(&object, lpEventAttributes, lpName, OBJ_OPENIF))
    {
        return NULL;
    }
    NTSTATUS status = NtCreateEvent(&handle, dwDesiredAccess, &object.Attributes,
                                    (dwFlags & CREATE_EVENT_MANUAL_RESET) ? NotificationEvent : SynchronizationEvent,
                                    (dwFlags & CREATE_EVENT_INITIAL_SET) != 0);
    BaseReleaseObject(&object);
    return BaseCreated(status, handle);
}

HANDLE WINAPI CreateEventExA(LPSECURITY_ATTRIBUTES lpEventAttributes, LPCSTR lpName, DWORD dwFlags,
                             DWORD dwDesiredAccess)
{
    BASE_NAMED_A(lpName, CreateEventExW(lpEventAttributes, wide.Text, dwFlags, dwDesiredAccess));
}

HANDLE WINAPI CreateEventW(LPSECURITY_ATTRIBUTES lpEventAttributes, BOOL bManualReset, BOOL bInitialState,
                           LPCWSTR lpName)
{
    DWORD flags = (bManualReset ? CREATE_EVENT_MANUAL_RESET : 0) | (bInitialState ? CREATE_EVENT_INITIAL_SET : 0);
    return CreateEventExW(lpEventAttributes, lpName, flags, EVENT_ALL_ACCESS);
}

HANDLE WINAPI CreateEventA(LPSECURITY_ATTRIBUTES lpEventAttributes, BOOL bManualReset, BOOL bInitialState,
                           LPCSTR lpName)
{
    BASE_NAMED_A(lpName, CreateEventW(lpEventAttributes, bManualReset, bInitialState, wide.Text));
}

HANDLE WINAPI OpenEventW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName)
{
    BASE_OBJECT object;
    HANDLE handle = NULL;
    if (lpName == NULL)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (!BaseObject(&object, NULL, lpName, bInheritHandle ? OBJ_INHERIT : 0))
    {
        return NULL;
    }
    NTSTATUS status = NtOpenEvent(&handle, dwDesiredAccess, &object.Attributes);
    BaseReleaseObject(&object);
    return BaseResult(status) ? handle : NULL;
}

HANDLE WINAPI OpenEventA(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCSTR lpName)
{
    BASE_NAMED_A(lpName, OpenEventW(dwDesiredAccess, bInheritHandle, wide.Text));
}

BOOL WINAPI SetEvent(HANDLE hEvent)
{
    return BaseResult(NtSetEvent(hEvent, NULL));
}

BOOL WINAPI ResetEvent(HANDLE hEvent)
{
    return BaseResult(NtClearEvent(hEvent));
}

BOOL WINAPI PulseEvent(HANDLE hEvent)
{
    return BaseResult(NtPulseEvent(hEvent, NULL));
}

/* ---- Mutexes ---- */

HANDLE WINAPI CreateMutexExW(LPSECURITY_ATTRIBUTES lpMutexAttributes, LPCWSTR lpName, DWORD dwFlags,
                             DWORD dwDesiredAccess)
{
    BASE_OBJECT object;
    HANDLE handle = NULL;
    if (dwFlags & ~CREATE_MUTEX_INITIAL_OWNER)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (!BaseObject(&object, lpMutexAttributes, lpName, OBJ_OPENIF))
    {
        return NULL;
    }
    NTSTATUS status = NtCreateMutant(&handle, dwDesiredAccess, &object.Attributes,
                                     (dwFlags & CREATE_MUTEX_INITIAL_OWNER) != 0);
    BaseReleaseObject(&object);
    return BaseCreated(status, handle);
}

HANDLE WINAPI CreateMutexW(LPSECURITY_ATTRIBUTES lpMutexAttributes, BOOL bInitialOwner, LPCWSTR lpName)
{
    return CreateMutexExW(lpMutexAttributes, lpName, bInitialOwner ? CREATE_MUTEX_INITIAL_OWNER : 0,
                          MUTEX_ALL_ACCESS);
}

HANDLE WINAPI CreateMutexA(LPSECURITY_ATTRIBUTES lpMutexAttributes, BOOL bInitialOwner, LPCSTR lpName)
{
    BASE_NAMED_A(lpName, CreateMutexW(lpMutexAttributes, bInitialOwner, wide.Text));
}

HANDLE WINAPI OpenMutexW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName)
{
    BASE_OBJECT object;
    HANDLE handle = NULL;
    if (lpName == NULL)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (!BaseObject(&object, NULL, lpName, bInheritHandle ? OBJ_INHERIT : 0))
    {
        return NULL;
    }
    NTSTATUS status = NtOpenMutant(&handle, dwDesiredAccess, &object.Attributes);
    BaseReleaseObject(&object);
    return BaseResult(status) ? handle : NULL;
}

HANDLE WINAPI OpenMutexA(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCSTR lpName)
{
    BASE_NAMED_A(lpName, OpenMutexW(dwDesiredAccess, bInheritHandle, wide.Text));
}

BOOL WINAPI ReleaseMutex(HANDLE hMutex)
{
    return BaseResult(NtReleaseMutant(hMutex, NULL));
}

/* ---- Semaphores ---- */

HANDLE WINAPI CreateSemaphoreExW(LPSECURITY_ATTRIBUTES lpSemaphoreAttributes, LONG lInitialCount, LONG lMaximumCount,
                                 LPCWSTR lpName, DWORD dwFlags, DWORD dwDesiredAccess)
{
    BASE_OBJECT object;
    HANDLE handle = NULL;
    if (dwFlags != 0)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (!BaseObject(&object, lpSemaphoreAttributes, lpName, OBJ_OPENIF))
    {
        return NULL;
    }
    NTSTATUS status = NtCreateSemaphore(&handle, dwDesiredAccess, &object.Attributes, lInitialCount, lMaximumCount);
    BaseReleaseObject(&object);
    return BaseCreated(status, handle);
}

HANDLE WINAPI CreateSemaphoreW(LPSECURITY_ATTRIBUTES lpSemaphoreAttributes, LONG lInitialCount, LONG lMaximumCount,
                               LPCWSTR lpName)
{
    return CreateSemaphoreExW(lpSemaphoreAttributes, lInitialCount, lMaximumCount, lpName, 0, SEMAPHORE_ALL_ACCESS);
}

HANDLE WINAPI CreateSemaphoreA(LPSECURITY_ATTRIBUTES lpSemaphoreAttributes, LONG lInitialCount, LONG lMaximumCount,
                               LPCSTR lpName)
{
    BASE_NAMED_A(lpName, CreateSemaphoreW(lpSemaphoreAttributes, lInitialCount, lMaximumCount, wide.Text));
}

HANDLE WINAPI OpenSemaphoreW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName)
{
    BASE_OBJECT object;
    HANDLE handle = NULL;
    if (lpName == NULL)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (!BaseObject(&object, NULL, lpName, bInheritHandle ? OBJ_INHERIT : 0))
    {
        return NULL;
    }
    NTSTATUS status = NtOpenSemaphore(&handle, dwDesiredAccess, &object.Attributes);
    BaseReleaseObject(&object);
    return BaseResult(status) ? handle : NULL;
}

BOOL WINAPI ReleaseSemaphore(HANDLE hSemaphore, LONG lReleaseCount, LPLONG lpPreviousCount)
{
    return BaseResult(NtReleaseSemaphore(hSemaphore, lReleaseCount, lpPreviousCount));
}

/* ---- Waitable timers ---- */

HANDLE WINAPI CreateWaitableTimerExW(LPSECURITY_ATTRIBUTES lpTimerAttributes, LPCWSTR lpTimerName, DWORD dwFlags,
                                     DWORD dwDesiredAccess)
{
    BASE_OBJECT object;
    HANDLE handle = NULL;
    if (dwFlags & ~CREATE_WAITABLE_TIMER_MANUAL_RESET)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (!BaseObject(&object, lpTimerAttributes, lpTimerName, OBJ_OPENIF))
    {
        return NULL;
    }
    NTSTATUS status = NtCreateTimer(&handle, dwDesiredAccess, &object.Attributes,
                                    (dwFlags & CREATE_WAITABLE_TIMER_MANUAL_RESET) ? NotificationTimer
                                                                                   : SynchronizationTimer);
    BaseReleaseObject(&object);
    return BaseCreated(status, handle);
}

HANDLE WINAPI CreateWaitableTimerW(LPSECURITY_ATTRIBUTES lpTimerAttributes, BOOL bManualReset, LPCWSTR lpTimerName)
{
    return CreateWaitableTimerExW(lpTimerAttributes, lpTimerName,
                                  bManualReset ? CREATE_WAITABLE_TIMER_MANUAL_RESET : 0, TIMER_ALL_ACCESS);
}

HANDLE WINAPI CreateWaitableTimerA(LPSECURITY_ATTRIBUTES lpTimerAttributes, BOOL bManualReset, LPCSTR lpTimerName)
{
    BASE_NAMED_A(lpTimerName, CreateWaitableTimerW(lpTimerAttributes, bManualReset, wide.Text));
}

BOOL WINAPI SetWaitableTimer(HANDLE hTimer, const LARGE_INTEGER *lpDueTime, LONG lPeriod,
                             PTIMERAPCROUTINE pfnCompletionRoutine, LPVOID lpArgToCompletionRoutine, BOOL fResume)
{
    NTSTATUS status = NtSetTimer(hTimer, (PLARGE_INTEGER)lpDueTime, (PTIMER_APC_ROUTINE)pfnCompletionRoutine,
                                 lpArgToCompletionRoutine, fResume != FALSE, lPeriod, NULL);
    if (status == STATUS_TIMER_RESUME_IGNORED)
    {
        RtlSetLastWin32Error(ERROR_NOT_SUPPORTED); /* the timer is set, but wakes no sleeping machine */
        return TRUE;
    }
    return BaseResult(status);
}

BOOL WINAPI CancelWaitableTimer(HANDLE hTimer)
{
    return BaseResult(NtCancelTimer(hTimer, NULL));
}

/* ---- Locks whose signatures differ from ntdll's; the others are forwarded there ---- */

VOID WINAPI InitializeCriticalSection(LPCRITICAL_SECTION lpCriticalSection)
{
    RtlInitializeCriticalSection(lpCriticalSection);
}

BOOL WINAPI InitializeCriticalSectionAndSpinCount(LPCRITICAL_SECTION lpCriticalSection, DWORD dwSpinCount)
{
    return BaseResult(RtlInitializeCriticalSectionAndSpinCount(lpCriticalSection, dwSpinCount));
}

BOOL WINAPI InitializeCriticalSectionEx(LPCRITICAL_SECTION lpCriticalSection, DWORD dwSpinCount, DWORD Flags)
{
    return BaseResult(RtlInitializeCriticalSectionEx(lpCriticalSection, dwSpinCount, Flags));
}

BOOL WINAPI SleepConditionVariableCS(PCONDITION_VARIABLE ConditionVariable, PCRITICAL_SECTION CriticalSection,
                                     DWORD dwMilliseconds)
{
    LARGE_INTEGER time;
    NTSTATUS status = RtlSleepConditionVariableCS(ConditionVariable, CriticalSection,
                                                  BaseTimeout(dwMilliseconds, &time));
    return status == STATUS_SUCCESS ? TRUE : BaseFail(status); /* STATUS_TIMEOUT becomes ERROR_TIMEOUT */
}

BOOL WINAPI SleepConditionVariableSRW(PCONDITION_VARIABLE ConditionVariable, PSRWLOCK SRWLock, DWORD dwMilliseconds,
                                      ULONG Flags)
{
    LARGE_INTEGER time;
    NTSTATUS status = RtlSleepConditionVariableSRW(ConditionVariable, SRWLock, BaseTimeout(dwMilliseconds, &time),
                                                   Flags);
    return status == STATUS_SUCCESS ? TRUE : BaseFail(status);
}

BOOL WINAPI InitOnceExecuteOnce(PINIT_ONCE InitOnce, PINIT_ONCE_FN InitFn, PVOID Parameter, LPVOID *Context)
{
    return NT_SUCCESS(RtlRunOnceExecuteOnce(InitOnce, (PRTL_RUN_ONCE_INIT_FN)InitFn, Parameter, Context));
}

BOOL WINAPI InitOnceBeginInitialize(LPINIT_ONCE lpInitOnce, DWORD dwFlags, PBOOL fPending, LPVOID *lpContext)
{
    NTSTATUS status = RtlRunOnceBeginInitialize(lpInitOnce, dwFlags, lpContext);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    *fPending = status == STATUS_PENDING;
    return TRUE;
}

BOOL WINAPI InitOnceComplete(LPINIT_ONCE lpInitOnce, DWORD dwFlags, LPVOID lpContext)
{
    return BaseResult(RtlRunOnceComplete(lpInitOnce, dwFlags, lpContext));
}
