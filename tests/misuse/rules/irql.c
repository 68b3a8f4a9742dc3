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

/* Likewise: the kernel's own. */
typedef KIRQL NTAPI RAISE_IRQL(KIRQL NewIrql);

static RAISE_IRQL *FindRaiseIrql(VOID)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"KfRaiseIrql");

    return (RAISE_IRQL *)MmGetSystemRoutineAddress(&name);
}

MISUSE(raise_to_lower)
{
    RAISE_IRQL *raise = FindRaiseIrql();

    MisuseRaise(DISPATCH_LEVEL);
    raise(PASSIVE_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
}

CORRECT(raise_to_lower)
{
    KeLowerIrql(FindRaiseIrql()(DISPATCH_LEVEL));
}

MISUSE(raise_too_high)
{
    FindRaiseIrql()(HIGH_LEVEL + 1);
    KeLowerIrql(PASSIVE_LEVEL);
}

CORRECT(raise_too_high)
{
    Correct_raise_to_lower(Context);
}

static VOID NTAPI LowerHere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KfLowerIrql(PASSIVE_LEVEL);
}

static VOID NTAPI RaiseAndLowerHere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KfLowerIrql(MisuseRaise(DISPATCH_LEVEL));
}

MISUSE(lower_in_dpc)
{
    MisuseRunDpc(LowerHere, NULL);
}

CORRECT(lower_in_dpc)
{
    MisuseRunDpc(RaiseAndLowerHere, NULL);
}

static VOID NTAPI EnterRegionHere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    KeEnterCriticalRegion();
}

/* The thread that the DPC interrupted would keep its APCs back for ever. */
MISUSE(region_in_dpc)
{
    MisuseRunDpc(EnterRegionHere, NULL);
}

CORRECT(region_in_dpc)
{
    MisuseRunDpc(RaiseAndLowerHere, NULL);
}

MISUSE(enter_region_raised)
{
    MisuseRaise(DISPATCH_LEVEL);
    KeEnterCriticalRegion();
}

CORRECT(enter_region_raised)
{
    Correct_return_in_region(Context);
}

MISUSE(leave_region_raised)
{
    KeEnterCriticalRegion();
    MisuseRaise(DISPATCH_LEVEL);
    KeLeaveCriticalRegion();
}

CORRECT(leave_region_raised)
{
    Correct_return_in_region(Context);
}

MISUSE(leave_no_region)
{
    KeLeaveCriticalRegion();
}

CORRECT(leave_no_region)
{
    Correct_return_in_region(Context);
}

static KSPIN_LOCK Lock;

MISUSE(spin_lock_high)
{
    KIRQL irql;

    MisuseNote("lock", (ULONG_PTR)&Lock);
    MisuseRaise(MISUSE_HIGH);
    KeAcquireSpinLock(&Lock, &irql);
}

CORRECT(spin_lock_high)
{
    Correct_spin_lock_twice(Context);
}

MISUSE(spin_lock_low)
{
    MisuseNote("lock", (ULONG_PTR)&Lock);
    KeAcquireSpinLockAtDpcLevel(&Lock);
}

CORRECT(spin_lock_low)
{
    KIRQL irql = MisuseRaise(DISPATCH_LEVEL);

    KeAcquireSpinLockAtDpcLevel(&Lock);
    KeReleaseSpinLockFromDpcLevel(&Lock);
    KeLowerIrql(irql);
}

MISUSE(spin_unlock_low)
{
    KIRQL irql;

    MisuseNote("lock", (ULONG_PTR)&Lock);
    KeAcquireSpinLock(&Lock, &irql);
    KeLowerIrql(irql);
    KeReleaseSpinLockFromDpcLevel(&Lock);
}

CORRECT(spin_unlock_low)
{
    Correct_spin_lock_low(Context);
}

MISUSE(spin_unlock_lowered)
{
    KIRQL irql;

    MisuseNote("lock", (ULONG_PTR)&Lock);
    KeAcquireSpinLock(&Lock, &irql);
    KeLowerIrql(irql);
    KeReleaseSpinLock(&Lock, irql);
}

CORRECT(spin_unlock_lowered)
{
    Correct_spin_lock_twice(Context);
}

MISUSE(queued_lock_low)
{
    KLOCK_QUEUE_HANDLE handle;

    MisuseNote("lock", (ULONG_PTR)&Lock);
    KeAcquireInStackQueuedSpinLockAtDpcLevel(&Lock, &handle);
}

CORRECT(queued_lock_low)
{
    KLOCK_QUEUE_HANDLE handle;

    KeAcquireInStackQueuedSpinLock(&Lock, &handle);
    KeReleaseInStackQueuedSpinLock(&handle);
}

static FAST_MUTEX FastMutex;

MISUSE(fast_mutex_raised)
{
    ExInitializeFastMutex(&FastMutex);
    MisuseNote("mutex", (ULONG_PTR)&FastMutex);
    MisuseRaise(DISPATCH_LEVEL);
    ExAcquireFastMutex(&FastMutex);
}

CORRECT(fast_mutex_raised)
{
    ExInitializeFastMutex(&FastMutex);
    ExAcquireFastMutex(&FastMutex);
    ExReleaseFastMutex(&FastMutex);
}

MISUSE(fast_mutex_lowered)
{
    ExInitializeFastMutex(&FastMutex);
    MisuseNote("mutex", (ULONG_PTR)&FastMutex);
    ExAcquireFastMutex(&FastMutex);
    KeLowerIrql(PASSIVE_LEVEL);
    ExReleaseFastMutex(&FastMutex);
}

CORRECT(fast_mutex_lowered)
{
    Correct_fast_mutex_raised(Context);
}

MISUSE(fast_mutex_unsafe)
{
    ExInitializeFastMutex(&FastMutex);
    MisuseNote("mutex", (ULONG_PTR)&FastMutex);
    ExAcquireFastMutexUnsafe(&FastMutex);
}

CORRECT(fast_mutex_unsafe)
{
    ExInitializeFastMutex(&FastMutex);
    KeEnterCriticalRegion();
    ExAcquireFastMutexUnsafe(&FastMutex);
    ExReleaseFastMutexUnsafe(&FastMutex);
    KeLeaveCriticalRegion();
}

MISUSE(fast_mutex_unsafe_release)
{
    ExInitializeFastMutex(&FastMutex);
    MisuseNote("mutex", (ULONG_PTR)&FastMutex);
    KeEnterCriticalRegion();
    ExAcquireFastMutexUnsafe(&FastMutex);
    KeLeaveCriticalRegion();
    ExReleaseFastMutexUnsafe(&FastMutex);
}

CORRECT(fast_mutex_unsafe_release)
{
    Correct_fast_mutex_unsafe(Context);
}

static VOID SetEventAt(KIRQL Irql)
{
    KEVENT event;
    KIRQL irql;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    MisuseNote("event", (ULONG_PTR)&event);
    irql = MisuseRaise(Irql);
    KeSetEvent(&event, IO_NO_INCREMENT, FALSE);
    KeLowerIrql(irql);
}

MISUSE(set_event_high)
{
    SetEventAt(MISUSE_HIGH);
}

CORRECT(set_event_high)
{
    SetEventAt(DISPATCH_LEVEL);
}

/* ---- system services ---- */

MISUSE(service_raised)
{
    MisuseRaise(APC_LEVEL);
    MisuseEventHandle();
}

CORRECT(service_raised)
{
    ZwClose(MisuseEventHandle());
}

MISUSE(service_guarded)
{
    KeEnterGuardedRegion();
    MisuseEventHandle();
}

CORRECT(service_guarded)
{
    KeEnterGuardedRegion();
    KeLeaveGuardedRegion();
    ZwClose(MisuseEventHandle());
}

/* ---- APCs and DPCs ---- */

typedef VOID NTAPI KERNEL_ROUTINE(PKAPC Apc, PVOID *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                                  PVOID *Argument2);
NTKERNELAPI VOID NTAPI KeInitializeApc(PKAPC Apc, PVOID Thread, ULONG Environment, KERNEL_ROUTINE *KernelRoutine,
                                       PVOID RundownRoutine, PVOID NormalRoutine, ULONG Mode, PVOID Context);
NTKERNELAPI BOOLEAN NTAPI KeInsertQueueApc(PKAPC Apc, PVOID Argument1, PVOID Argument2, KPRIORITY Increment);

static VOID NTAPI ReturnRaised(PKAPC Apc, PVOID *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                               PVOID *Argument2)
{
    MisuseRaise(DISPATCH_LEVEL);
}

static VOID NTAPI ReturnWell(PKAPC Apc, PVOID *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                             PVOID *Argument2)
{
}

static VOID RunApc(KERNEL_ROUTINE *Routine)
{
    static KAPC apc;

    MisuseNote("apc", (ULONG_PTR)&apc);
    MisuseNote("routine", (ULONG_PTR)Routine);
    KeInitializeApc(&apc, KeGetCurrentThread(), 0, Routine, NULL, NULL, KernelMode, NULL);
    KeInsertQueueApc(&apc, NULL, NULL, IO_NO_INCREMENT);
}

MISUSE(apc_raised)
{
    RunApc(ReturnRaised);
}

CORRECT(apc_raised)
{
    RunApc(ReturnWell);
}

static VOID NTAPI DoNothing(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

static VOID NTAPI RaiseHere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    MisuseRaise(MISUSE_HIGH);
}

MISUSE(dpc_raised)
{
    MisuseRunDpc(RaiseHere, NULL);
}

CORRECT(dpc_raised)
{
    MisuseRunDpc(RaiseAndLowerHere, NULL);
}

static KDPC Dpc;

MISUSE(dpc_no_processor)
{
    MisuseNote("dpc", (ULONG_PTR)&Dpc);
    MisuseNote("processors", KeQueryActiveProcessorCount(NULL));
    KeInitializeDpc(&Dpc, DoNothing, NULL);
    KeSetTargetProcessorDpc(&Dpc, 63);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
}

CORRECT(dpc_no_processor)
{
    KeInitializeDpc(&Dpc, DoNothing, NULL);
    KeSetTargetProcessorDpc(&Dpc, (CCHAR)(KeQueryActiveProcessorCount(NULL) - 1));
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    KeFlushQueuedDpcs();
}

static VOID FreeDpc(BOOLEAN Queued)
{
    KIRQL irql = MisuseRaise(DISPATCH_LEVEL); /* at which it cannot run */
    PKDPC dpc = MisusePool(sizeof(*dpc));

    MisuseNote("end", (ULONG_PTR)(dpc + 1));
    KeInitializeDpc(dpc, DoNothing, NULL);
    KeInsertQueueDpc(dpc, NULL, NULL);
    if (!Queued)
    {
        KeRemoveQueueDpc(dpc);
    }
    MisuseFree(dpc);
    KeLowerIrql(irql);
}

MISUSE(pool_live_dpc)
{
    FreeDpc(TRUE);
}

CORRECT(pool_live_dpc)
{
    FreeDpc(FALSE);
}

static volatile LONG Zero;

static VOID NTAPI DivideHere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Zero = 100 / Zero;
}

MISUSE(unhandled_in_dpc)
{
    MisuseRunDpc(DivideHere, NULL);
}

CORRECT(unhandled_in_dpc)
{
    MisuseRunDpc(DoNothing, NULL);
}

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
