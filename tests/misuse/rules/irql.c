/* SPDX-License-Identifier: MIT */
/* Mistakes with the IRQL and with locks. */
#include "misuse.h"

/* The headers' own KeLowerIrql writes CR8 and checks nothing; drivers of older kits import this. */
NTKERNELAPI VOID FASTCALL KfLowerIrql(KIRQL NewIrql);

MISUSE(lower_to_higher)
{
    KfLowerIrql(DISPATCH_LEVEL);
}

CORRECT(lower_to_higher)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KfLowerIrql(irql);
}

static VOID WaitAt(KIRQL Irql, PLARGE_INTEGER Timeout)
{
    KEVENT event;
    KIRQL irql;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    MisuseNote("event", (ULONG_PTR)&event);
    KeRaiseIrql(Irql, &irql);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, Timeout);
    KeLowerIrql(irql);
}

MISUSE(wait_raised)
{
    WaitAt(DISPATCH_LEVEL, NULL);
}

CORRECT(wait_raised)
{
    LARGE_INTEGER none = {.QuadPart = 0};

    WaitAt(DISPATCH_LEVEL, &none); /* that only asks */
}

static VOID NTAPI WaitHere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    LARGE_INTEGER time = {.QuadPart = -10000};

    KeDelayExecutionThread(KernelMode, FALSE, &time);
}

static VOID NTAPI SetEventHere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeSetEvent(Context, IO_NO_INCREMENT, FALSE);
}

MISUSE(wait_in_dpc)
{
    static KDPC dpc;

    MisuseNote("dpc", (ULONG_PTR)&dpc);
    KeInitializeDpc(&dpc, WaitHere, NULL);
    KeInsertQueueDpc(&dpc, NULL, NULL);
    KeFlushQueuedDpcs();
}

CORRECT(wait_in_dpc)
{
    static KDPC dpc;
    static KEVENT event;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeInitializeDpc(&dpc, SetEventHere, &event);
    KeInsertQueueDpc(&dpc, NULL, NULL);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    KeFlushQueuedDpcs();
}

static KSPIN_LOCK Lock;

MISUSE(spin_lock_twice)
{
    KIRQL irql;

    MisuseNote("lock", (ULONG_PTR)&Lock);
    KeAcquireSpinLock(&Lock, &irql);
    KeAcquireSpinLockAtDpcLevel(&Lock);
}

CORRECT(spin_lock_twice)
{
    KIRQL irql;

    KeAcquireSpinLock(&Lock, &irql);
    KeReleaseSpinLock(&Lock, irql);
}

MISUSE(spin_lock_not_held)
{
    KIRQL irql;

    MisuseNote("lock", (ULONG_PTR)&Lock);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeReleaseSpinLock(&Lock, irql);
}

CORRECT(spin_lock_not_held)
{
    Correct_spin_lock_twice(Context);
}

MISUSE(return_raised)
{
    KIRQL irql;

    KeRaiseIrql(APC_LEVEL, &irql);
}

CORRECT(return_raised)
{
    KIRQL irql;

    KeRaiseIrql(APC_LEVEL, &irql);
    KeLowerIrql(irql);
}

MISUSE(return_in_region)
{
    KeEnterCriticalRegion();
}

CORRECT(return_in_region)
{
    KeEnterCriticalRegion();
    KeLeaveCriticalRegion();
}
