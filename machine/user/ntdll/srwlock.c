/* SPDX-License-Identifier: MIT */
/*
 * Slim reader/writer locks, condition variables and one-time initialisation: each one pointer in
 * size, valid when zero, and waiting through RtlWaitOnAddress.
 *
 *   SRW lock   bit 0      held exclusively
 *              bit 1      somebody sleeps (cleared by the release that wakes them all)
 *              bits 4..   number of shared holders
 *
 * A reader does not join other readers while somebody sleeps: the sleeper is a writer, and would
 * starve otherwise. As on Windows a lock can't be taken again by the thread that holds it.
 */
#include "ntdllp.h"

#define SRW_EXCLUSIVE ((ULONG64)1)
#define SRW_CONTENDED ((ULONG64)2)
#define SRW_SHARED_ONE ((ULONG64)16)

static volatile LONG64 *RtlpSrwWord(PRTL_SRWLOCK Lock)
{
    return (volatile LONG64 *)&Lock->Ptr;
}

static BOOLEAN RtlpSrwSwap(PRTL_SRWLOCK Lock, ULONG64 From, ULONG64 To)
{
    return (ULONG64)_InterlockedCompareExchange64(RtlpSrwWord(Lock), (LONG64)To, (LONG64)From) == From;
}

/* Marks the lock as contended and sleeps until a release. Seen is the state that made us wait. */
static VOID RtlpSrwWait(PRTL_SRWLOCK Lock, ULONG64 Seen)
{
    ULONG64 contended = Seen | SRW_CONTENDED;
    if (Seen != contended && !RtlpSrwSwap(Lock, Seen, contended))
    {
        return;
    }
    RtlpCheckHopelessWait();
    RtlWaitOnAddress(RtlpSrwWord(Lock), &contended, sizeof(contended), NULL);
}

VOID NTAPI RtlInitializeSRWLock(PRTL_SRWLOCK Lock)
{
    Lock->Ptr = NULL;
}

BOOLEAN NTAPI RtlTryAcquireSRWLockExclusive(PRTL_SRWLOCK Lock)
{
    return RtlpSrwSwap(Lock, 0, SRW_EXCLUSIVE);
}

BOOLEAN NTAPI RtlTryAcquireSRWLockShared(PRTL_SRWLOCK Lock)
{
    for (;;)
    {
        ULONG64 seen = (ULONG64)*RtlpSrwWord(Lock);
        if (seen & (SRW_EXCLUSIVE | SRW_CONTENDED))
        {
            return FALSE;
        }
        if (RtlpSrwSwap(Lock, seen, seen + SRW_SHARED_ONE))
        {
            return TRUE;
        }
    }
}

VOID NTAPI RtlAcquireSRWLockExclusive(PRTL_SRWLOCK Lock)
{
    while (!RtlTryAcquireSRWLockExclusive(Lock))
    {
        ULONG64 seen = (ULONG64)*RtlpSrwWord(Lock);
        if (seen != 0)
        {
            RtlpSrwWait(Lock, seen);
        }
    }
}

VOID NTAPI RtlAcquireSRWLockShared(PRTL_SRWLOCK Lock)
{
    while (!RtlTryAcquireSRWLockShared(Lock))
    {
        ULONG64 seen = (ULONG64)*RtlpSrwWord(Lock);
        if (seen & (SRW_EXCLUSIVE | SRW_CONTENDED))
        {
            RtlpSrwWait(Lock, seen);
        }
    }
}

VOID NTAPI RtlReleaseSRWLockExclusive(PRTL_SRWLOCK Lock)
{
    ULONG64 old = (ULONG64)_InterlockedExchange64(RtlpSrwWord(Lock), 0);
    if (!(old & SRW_EXCLUSIVE))
    {
        RtlRaiseStatus(STATUS_RESOURCE_NOT_OWNED);
    }
    if (old & SRW_CONTENDED)
    {
        RtlWakeAddressAll(&Lock->Ptr);
    }
}

VOID NTAPI RtlReleaseSRWLockShared(PRTL_SRWLOCK Lock)
{
    for (;;)
    {
        ULONG64 seen = (ULONG64)*RtlpSrwWord(Lock);
        if (seen < SRW_SHARED_ONE)
        {
            RtlRaiseStatus(STATUS_RESOURCE_NOT_OWNED);
        }
        ULONG64 left = seen - SRW_SHARED_ONE;
        if (left < SRW_SHARED_ONE)
        {
            left = 0; /* the last reader: wake the sleepers and forget that there were any */
        }
        if (RtlpSrwSwap(Lock, seen, left))
        {
            if (left == 0 && (seen & SRW_CONTENDED))
            {
                RtlWakeAddressAll(&Lock->Ptr);
            }
            return;
        }
    }
}

/*
 * A condition variable is a counter of wakes. A sleeper notes it before it gives up the lock: a wake
 * in between changes the counter, and the sleep ends at once.
 */

static ULONG64 RtlpConditionTicket(PRTL_CONDITION_VARIABLE Variable)
{
    return (ULONG64)__atomic_load_n((volatile LONG64 *)&Variable->Ptr, __ATOMIC_ACQUIRE);
}

VOID NTAPI RtlInitializeConditionVariable(PRTL_CONDITION_VARIABLE Variable)
{
    Variable->Ptr = NULL;
}

/** Leaves the section (entered once), sleeps until a wake, enters again. STATUS_TIMEOUT when the time is up. */
NTSTATUS NTAPI RtlSleepConditionVariableCS(PRTL_CONDITION_VARIABLE Variable, PRTL_CRITICAL_SECTION Section,
                                           PLARGE_INTEGER Timeout)
{
    ULONG64 ticket = RtlpConditionTicket(Variable);
    RtlLeaveCriticalSection(Section);
    NTSTATUS status = RtlWaitOnAddress(&Variable->Ptr, &ticket, sizeof(ticket), Timeout);
    RtlEnterCriticalSection(Section);
    return status;
}

/** The same with an SRW lock, held as Flags say (CONDITION_VARIABLE_LOCKMODE_SHARED or exclusively). */
NTSTATUS NTAPI RtlSleepConditionVariableSRW(PRTL_CONDITION_VARIABLE Variable, PRTL_SRWLOCK Lock,
                                            PLARGE_INTEGER Timeout, ULONG Flags)
{
    ULONG64 ticket = RtlpConditionTicket(Variable);
    BOOLEAN shared = (Flags & CONDITION_VARIABLE_LOCKMODE_SHARED) != 0;
    if (shared)
    {
        RtlReleaseSRWLockShared(Lock);
    }
    else
    {
        RtlReleaseSRWLockExclusive(Lock);
    }
    NTSTATUS status = RtlWaitOnAddress(&Variable->Ptr, &ticket, sizeof(ticket), Timeout);
    if (shared)
    {
        RtlAcquireSRWLockShared(Lock);
    }
    else
    {
        RtlAcquireSRWLockExclusive(Lock);
    }
    return status;
}

VOID NTAPI RtlWakeConditionVariable(PRTL_CONDITION_VARIABLE Variable)
{
    _InterlockedIncrement64((volatile LONG64 *)&Variable->Ptr);
    RtlWakeAddressSingle(&Variable->Ptr);
}

VOID NTAPI RtlWakeAllConditionVariable(PRTL_CONDITION_VARIABLE Variable)
{
    _InterlockedIncrement64((volatile LONG64 *)&Variable->Ptr);
    RtlWakeAddressAll(&Variable->Ptr);
}

/*
 * One-time initialisation. The low two bits of the word are the state, the rest the caller's context:
 *
 *   0 not begun --Begin--> 1 one thread initialises, others sleep --Complete--> 2 done
 *        ^------------------ Complete(INIT_FAILED) --'
 *   0 --Begin(ASYNC)--> 3 several threads initialise, the first Complete(ASYNC) wins --> 2
 */

#define ONCE_NONE ((ULONG64)0)
#define ONCE_RUNNING ((ULONG64)1)
#define ONCE_DONE ((ULONG64)2)
#define ONCE_ASYNC ((ULONG64)3)
#define ONCE_MASK ((ULONG64)3)

static BOOLEAN RtlpOnceSwap(PRTL_RUN_ONCE Once, ULONG64 From, ULONG64 To)
{
    return (ULONG64)_InterlockedCompareExchange64((volatile LONG64 *)&Once->Ptr, (LONG64)To, (LONG64)From) == From;
}

VOID NTAPI RtlRunOnceInitialize(PRTL_RUN_ONCE Once)
{
    Once->Ptr = NULL;
}

/**
 * Asks whether initialisation is done, and takes it over if it is not.
 *
 * @return STATUS_SUCCESS: done, Context is set. STATUS_PENDING: the caller initialises and calls
 *         RtlRunOnceComplete. STATUS_UNSUCCESSFUL: not done (RTL_RUN_ONCE_CHECK_ONLY).
 *         STATUS_INVALID_PARAMETER(_2): flags that contradict each other or the state.
 */
NTSTATUS NTAPI RtlRunOnceBeginInitialize(PRTL_RUN_ONCE Once, ULONG Flags, PVOID *Context)
{
    if ((Flags & ~(RTL_RUN_ONCE_CHECK_ONLY | RTL_RUN_ONCE_ASYNC)) ||
        Flags == (RTL_RUN_ONCE_CHECK_ONLY | RTL_RUN_ONCE_ASYNC))
    {
        return STATUS_INVALID_PARAMETER_2;
    }
    for (;;)
    {
        ULONG64 seen = (ULONG64)__atomic_load_n((volatile LONG64 *)&Once->Ptr, __ATOMIC_ACQUIRE);
        if ((seen & ONCE_MASK) == ONCE_DONE)
        {
            if (Context != NULL)
            {
                *Context = (PVOID)(seen & ~ONCE_MASK);
            }
            return STATUS_SUCCESS;
        }
        if (Flags & RTL_RUN_ONCE_CHECK_ONLY)
        {
            return STATUS_UNSUCCESSFUL;
        }
        ULONG64 running = (Flags & RTL_RUN_ONCE_ASYNC) ? ONCE_ASYNC : ONCE_RUNNING;
        if (seen == ONCE_NONE)
        {
            if (RtlpOnceSwap(Once, ONCE_NONE, running))
            {
                return STATUS_PENDING;
            }
            continue;
        }
        if (seen != running)
        {
            return STATUS_INVALID_PARAMETER;
        }
        if (running == ONCE_ASYNC)
        {
            return STATUS_PENDING;
        }
        RtlpCheckHopelessWait();
        RtlWaitOnAddress(&Once->Ptr, &seen, sizeof(seen), NULL);
    }
}

/** Ends what Begin started; RTL_RUN_ONCE_INIT_FAILED makes the next Begin start again. */
NTSTATUS NTAPI RtlRunOnceComplete(PRTL_RUN_ONCE Once, ULONG Flags, PVOID Context)
{
    BOOLEAN failed = (Flags & RTL_RUN_ONCE_INIT_FAILED) != 0;
    BOOLEAN async = (Flags & RTL_RUN_ONCE_ASYNC) != 0;
    if ((Flags & ~(RTL_RUN_ONCE_INIT_FAILED | RTL_RUN_ONCE_ASYNC)) || (failed && async))
    {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (((ULONG64)Context & ONCE_MASK) || (failed && Context != NULL))
    {
        return STATUS_INVALID_PARAMETER_3;
    }
    ULONG64 running = async ? ONCE_ASYNC : ONCE_RUNNING;
    ULONG64 result = failed ? ONCE_NONE : (ULONG64)Context | ONCE_DONE;
    if (!RtlpOnceSwap(Once, running, result))
    {
        return async ? STATUS_OBJECT_NAME_COLLISION : STATUS_UNSUCCESSFUL;
    }
    RtlWakeAddressAll(&Once->Ptr);
    return STATUS_SUCCESS;
}

/** Runs Routine unless it has run successfully before; waits for another thread that is at it. */
NTSTATUS NTAPI RtlRunOnceExecuteOnce(PRTL_RUN_ONCE Once, PRTL_RUN_ONCE_INIT_FN Routine, PVOID Parameter,
                                     PVOID *Context)
{
    NTSTATUS status = RtlRunOnceBeginInitialize(Once, 0, Context);
    if (status != STATUS_PENDING)
    {
        return status;
    }
    PVOID result = NULL;
    if (!Routine(Once, Parameter, &result))
    {
        RtlRunOnceComplete(Once, RTL_RUN_ONCE_INIT_FAILED, NULL);
        return STATUS_UNSUCCESSFUL;
    }
    status = RtlRunOnceComplete(Once, 0, result);
    if (NT_SUCCESS(status) && Context != NULL)
    {
        *Context = result;
    }
    return status;
}
