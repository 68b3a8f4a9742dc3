/* SPDX-License-Identifier: MIT */
/* Mistakes with the IRQL, locks, and memory that is not there. */
#include "misuse.h"

/* The headers' own KeLowerIrql writes CR8 and checks nothing; drivers of older kits import this. */
NTKERNELAPI VOID FASTCALL KfLowerIrql(KIRQL NewIrql);

VOID Misuse_lower_to_higher(MISUSE_CONTEXT *Context)
{
    KfLowerIrql(DISPATCH_LEVEL);
}

VOID Misuse_wait_raised(MISUSE_CONTEXT *Context)
{
    KEVENT event;
    KIRQL irql;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    KeLowerIrql(irql);
}

static VOID NTAPI WaitHere(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    LARGE_INTEGER time = {.QuadPart = -10000};

    KeDelayExecutionThread(KernelMode, FALSE, &time);
}

VOID Misuse_wait_in_dpc(MISUSE_CONTEXT *Context)
{
    static KDPC dpc;

    KeInitializeDpc(&dpc, WaitHere, NULL);
    KeInsertQueueDpc(&dpc, NULL, NULL);
    KeFlushQueuedDpcs();
}

VOID Misuse_spin_lock_twice(MISUSE_CONTEXT *Context)
{
    static KSPIN_LOCK lock;
    KIRQL irql;

    KeInitializeSpinLock(&lock);
    KeAcquireSpinLock(&lock, &irql);
    KeAcquireSpinLockAtDpcLevel(&lock);
}

VOID Misuse_spin_lock_not_held(MISUSE_CONTEXT *Context)
{
    static KSPIN_LOCK lock;
    KIRQL irql;

    KeInitializeSpinLock(&lock);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeReleaseSpinLock(&lock, irql);
}

static VOID Touch(volatile UCHAR *Address, BOOLEAN Write)
{
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    if (Write)
    {
        *Address = 1;
    }
    else
    {
        (void)*Address;
    }
    KeLowerIrql(irql);
}

/* A page of the program that was never touched is not there, and cannot come at DISPATCH_LEVEL. */
VOID Misuse_touch_paged_raised(MISUSE_CONTEXT *Context)
{
    Touch(Context->User, FALSE);
}

VOID Misuse_touch_null_raised(MISUSE_CONTEXT *Context)
{
    Touch((PUCHAR)0x18, FALSE);
}

VOID Misuse_write_null_raised(MISUSE_CONTEXT *Context)
{
    Touch((PUCHAR)0x18, TRUE);
}

static volatile UCHAR *BadKernelAddress(VOID)
{
    return (volatile UCHAR *)0xFFFFF00000001234;
}

VOID Misuse_touch_bad_kernel(MISUSE_CONTEXT *Context)
{
    (void)*BadKernelAddress();
}

/* No __try catches that. */
VOID Misuse_touch_bad_kernel_in_try(MISUSE_CONTEXT *Context)
{
    __try
    {
        (void)*BadKernelAddress();
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        DbgPrint("misuse: the fault was caught, which it must not be\n");
    }
}

VOID Misuse_write_code(MISUSE_CONTEXT *Context)
{
    *(volatile UCHAR *)(ULONG_PTR)Misuse_write_code = 0x90;
}

VOID Misuse_return_raised(MISUSE_CONTEXT *Context)
{
    KIRQL irql;

    KeRaiseIrql(APC_LEVEL, &irql);
}

VOID Misuse_return_in_region(MISUSE_CONTEXT *Context)
{
    KeEnterCriticalRegion();
}
