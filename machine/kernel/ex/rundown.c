/* SPDX-License-Identifier: MIT */
/*
 * Run-down protection. Count holds the number of holders times two; bit 0 tells that the run-down has begun, and then
 * the rest is the address of the waiter's block:
 *
 *   2n      n holders, acquiring works
 *   wait|1  run-down begun; the block counts the holders that are left
 *   1       run-down complete
 */
#include "exp.h"

#define EXP_RUNDOWN_BEGUN 1ULL
#define EXP_RUNDOWN_ONE 2ULL

typedef struct _EXP_RUNDOWN_WAIT
{
    volatile LONG64 Left;
    KEVENT Event;
} EXP_RUNDOWN_WAIT;

VOID FASTCALL ExInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    RunRef->Count = 0;
}

VOID FASTCALL ExReInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    InterlockedExchange64((volatile LONG64 *)&RunRef->Count, 0);
}

VOID FASTCALL ExRundownCompleted(PEX_RUNDOWN_REF RunRef)
{
    InterlockedExchange64((volatile LONG64 *)&RunRef->Count, EXP_RUNDOWN_BEGUN);
}

/** Takes Count holds at once; FALSE once the run-down has begun. Any IRQL. */
BOOLEAN FASTCALL ExAcquireRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    ULONG_PTR old = RunRef->Count;

    while ((old & EXP_RUNDOWN_BEGUN) == 0)
    {
        ULONG_PTR seen = (ULONG_PTR)InterlockedCompareExchange64((volatile LONG64 *)&RunRef->Count,
                                                                 (LONG64)(old + Count * EXP_RUNDOWN_ONE), (LONG64)old);
        if (seen == old)
        {
            return TRUE;
        }
        old = seen;
    }
    return FALSE;
}

BOOLEAN FASTCALL ExAcquireRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    return ExAcquireRundownProtectionEx(RunRef, 1);
}

VOID FASTCALL ExReleaseRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    ULONG_PTR old = RunRef->Count;

    for (;;)
    {
        ULONG_PTR seen;

        if ((old & EXP_RUNDOWN_BEGUN) != 0)
        {
            EXP_RUNDOWN_WAIT *wait = (EXP_RUNDOWN_WAIT *)(old & ~EXP_RUNDOWN_BEGUN);
            if (InterlockedAdd64(&wait->Left, -(LONG64)Count) == 0)
            {
                KeSetEvent(&wait->Event, IO_NO_INCREMENT, FALSE);
            }
            return;
        }
        seen = (ULONG_PTR)InterlockedCompareExchange64((volatile LONG64 *)&RunRef->Count, (LONG64)(old - Count * EXP_RUNDOWN_ONE), (LONG64)old);
        if (seen == old)
        {
            return;
        }
        old = seen;
    }
}

VOID FASTCALL ExReleaseRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    ExReleaseRundownProtectionEx(RunRef, 1);
}

/** Begins the run-down and waits until every hold is released. Idempotent. IRQL <= APC_LEVEL. */
VOID FASTCALL ExWaitForRundownProtectionRelease(PEX_RUNDOWN_REF RunRef)
{
    EXP_RUNDOWN_WAIT wait;
    ULONG_PTR old = RunRef->Count;

    KeInitializeEvent(&wait.Event, SynchronizationEvent, FALSE);
    for (;;)
    {
        ULONG_PTR target, seen;

        if ((old & EXP_RUNDOWN_BEGUN) != 0)
        {
            return; /* somebody has run it down already */
        }
        wait.Left = (LONG64)(old / EXP_RUNDOWN_ONE);
        target = wait.Left == 0 ? EXP_RUNDOWN_BEGUN : (ULONG_PTR)&wait | EXP_RUNDOWN_BEGUN;
        seen = (ULONG_PTR)InterlockedCompareExchange64((volatile LONG64 *)&RunRef->Count, (LONG64)target, (LONG64)old);
        if (seen == old)
        {
            break;
        }
        old = seen;
    }
    if (old != 0)
    {
        KeWaitForSingleObject(&wait.Event, Executive, KernelMode, FALSE, NULL);
    }
    InterlockedExchange64((volatile LONG64 *)&RunRef->Count, EXP_RUNDOWN_BEGUN); /* the block on this stack goes */
}
