/* SPDX-License-Identifier: MIT */
/*
 * Device timers: one system timer ticks once a second and calls, at DISPATCH_LEVEL, the routine of every device whose
 * timer is started.
 */
#include "iop.h"

#define IOP_TAG_TIMER 'mTiI'

struct _IO_TIMER
{
    CSHORT Type;
    USHORT Running;
    LIST_ENTRY Links;
    PIO_TIMER_ROUTINE Routine;
    PVOID Context;
    PDEVICE_OBJECT Device;
};

static LIST_ENTRY IopTimerList = { &IopTimerList, &IopTimerList };
static KSPIN_LOCK IopTimerLock;
static ULONG IopRunningTimers;
static KTIMER IopTimer;
static KDPC IopTimerDpc;

/*
 * Routines may start and stop timers, so they are called without the lock, a batch at a time. With more timers than one
 * batch a routine that stops another's timer may make one of the rest miss this second.
 */
static VOID NTAPI IopTimerTick(PKDPC Dpc, PVOID Context, PVOID A1, PVOID A2)
{
    struct
    {
        PIO_TIMER_ROUTINE Routine;
        PDEVICE_OBJECT Device;
        PVOID Context;
    } Batch[16];
    ULONG Skip = 0, Count;

    do
    {
        ULONG Seen = 0;
        Count = 0;
        KeAcquireSpinLockAtDpcLevel(&IopTimerLock);
        for (PLIST_ENTRY Link = IopTimerList.Flink; Link != &IopTimerList && Count < RTL_NUMBER_OF(Batch);
             Link = Link->Flink)
        {
            PIO_TIMER Timer = CONTAINING_RECORD(Link, struct _IO_TIMER, Links);
            if (Timer->Running && Seen++ >= Skip)
            {
                ObReferenceObject(Timer->Device);
                Batch[Count].Routine = Timer->Routine;
                Batch[Count].Device = Timer->Device;
                Batch[Count].Context = Timer->Context;
                Count++;
            }
        }
        KeReleaseSpinLockFromDpcLevel(&IopTimerLock);
        for (ULONG Index = 0; Index < Count; Index++)
        {
            Batch[Index].Routine(Batch[Index].Device, Batch[Index].Context);
            ObDereferenceObject(Batch[Index].Device);
        }
        Skip += Count;
    } while (Count == RTL_NUMBER_OF(Batch));
}

VOID IopInitializeTimers(VOID)
{
    KeInitializeTimerEx(&IopTimer, SynchronizationTimer);
    KeInitializeDpc(&IopTimerDpc, IopTimerTick, NULL);
}

/**
 * Gives a device a timer routine; it is called from IoStartTimer on, about once a second, at DISPATCH_LEVEL.
 * Verifier stop C9/A if the device has one. STATUS_INSUFFICIENT_RESOURCES. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoInitializeTimer(_In_ PDEVICE_OBJECT DeviceObject, _In_ PIO_TIMER_ROUTINE TimerRoutine,
                                 _In_opt_ PVOID Context)
{
    PIO_TIMER Timer = DeviceObject->Timer;
    KIRQL Irql;

    if (Timer != NULL && VfOption(VfIoChecks))
    {
        KeBugCheckEx(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x0A, (ULONG_PTR)DeviceObject, 0, 0);
    }
    if (Timer == NULL)
    {
        Timer = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Timer), IOP_TAG_TIMER);
        if (Timer == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        RtlZeroMemory(Timer, sizeof(*Timer));
        Timer->Type = IO_TYPE_TIMER;
        Timer->Device = DeviceObject;
        DeviceObject->Timer = Timer;
        Timer->Routine = TimerRoutine;
        Timer->Context = Context;
        KeAcquireSpinLock(&IopTimerLock, &Irql);
        InsertTailList(&IopTimerList, &Timer->Links);
        KeReleaseSpinLock(&IopTimerLock, Irql);
        return STATUS_SUCCESS;
    }
    Timer->Routine = TimerRoutine;
    Timer->Context = Context;
    return STATUS_SUCCESS;
}

/** Starts the device's timer. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoStartTimer(_In_ PDEVICE_OBJECT DeviceObject)
{
    LARGE_INTEGER Second = { .QuadPart = -10000000LL };
    KIRQL Irql;

    KeAcquireSpinLock(&IopTimerLock, &Irql);
    if (!DeviceObject->Timer->Running && !(IopDeviceExtension(DeviceObject)->Flags & DOE_DELETE_PENDING))
    {
        DeviceObject->Timer->Running = 1;
        if (IopRunningTimers++ == 0)
        {
            KeSetTimerEx(&IopTimer, Second, 1000, &IopTimerDpc);
        }
    }
    KeReleaseSpinLock(&IopTimerLock, Irql);
}

static VOID IopStopLocked(PIO_TIMER Timer)
{
    if (Timer->Running)
    {
        Timer->Running = 0;
        if (--IopRunningTimers == 0)
        {
            KeCancelTimer(&IopTimer);
        }
    }
}

/** Stops the device's timer; a call under way on another processor may still end. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI IoStopTimer(_In_ PDEVICE_OBJECT DeviceObject)
{
    KIRQL Irql;

    KeAcquireSpinLock(&IopTimerLock, &Irql);
    IopStopLocked(DeviceObject->Timer);
    KeReleaseSpinLock(&IopTimerLock, Irql);
}

/** At IoDeleteDevice: no call of the routine is under way or will come when this returns. PASSIVE_LEVEL. */
VOID IopRemoveDeviceTimer(PDEVICE_OBJECT Device)
{
    PIO_TIMER Timer = Device->Timer;
    KIRQL Irql;

    KeAcquireSpinLock(&IopTimerLock, &Irql);
    IopStopLocked(Timer);
    RemoveEntryList(&Timer->Links);
    Device->Timer = NULL;
    KeReleaseSpinLock(&IopTimerLock, Irql);
    KeFlushQueuedDpcs();
    ExFreePoolWithTag(Timer, IOP_TAG_TIMER);
}
