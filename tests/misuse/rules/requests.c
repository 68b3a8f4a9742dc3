/* SPDX-License-Identifier: MIT */
/* Mistakes with requests that the driver makes itself: sending, freeing, and what the I/O manager writes to at the end. */
#include "misuse.h"

/* A create request, which the driver's own device completes at once. */
static PIRP NewRequest(PDEVICE_OBJECT Device, PIO_COMPLETION_ROUTINE Routine, PVOID Routine_Context)
{
    PIRP irp = IoAllocateIrp(Device->StackSize, FALSE);

    if (irp == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    MisuseNote("sent", (ULONG_PTR)irp);
    MisuseNote("completion", (ULONG_PTR)Routine);
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_CREATE;
    IoSetCompletionRoutine(irp, Routine, Routine_Context, TRUE, TRUE, TRUE);
    return irp;
}

static VOID SendAndFree(PDEVICE_OBJECT Device, PIO_COMPLETION_ROUTINE Routine)
{
    KEVENT done;
    PIRP irp = NewRequest(Device, Routine, &done);

    KeInitializeEvent(&done, NotificationEvent, FALSE);
    IoCallDriver(Device, irp);
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    IoFreeIrp(irp);
}

static VOID SendWell(MISUSE_CONTEXT *Context)
{
    SendAndFree(Context->Device, MisuseKeepIrp);
}

/* What is sent is memory of the driver's that no IRP is in. */
MISUSE(send_no_irp)
{
    PIRP irp = MisusePool(IoSizeOfIrp(1));

    RtlZeroMemory(irp, IoSizeOfIrp(1));
    IoCallDriver(Context->Device, irp);
}

CORRECT(send_no_irp)
{
    SendWell(Context);
}

MISUSE(send_no_device)
{
    PDEVICE_OBJECT device = MisusePool(sizeof(*device));

    RtlZeroMemory(device, sizeof(*device));
    IoCallDriver(device, NewRequest(Context->Device, MisuseKeepIrp, NULL));
}

CORRECT(send_no_device)
{
    SendWell(Context);
}

MISUSE(send_null_device)
{
    IoCallDriver(NULL, NewRequest(Context->Device, MisuseKeepIrp, NULL));
}

CORRECT(send_null_device)
{
    SendWell(Context);
}

MISUSE(send_high)
{
    PIRP irp = NewRequest(Context->Device, MisuseKeepIrp, NULL);

    MisuseRaise(MISUSE_HIGH);
    IoCallDriver(Context->Device, irp);
}

CORRECT(send_high)
{
    SendWell(Context);
}

static VOID NTAPI NeverCancel(PDEVICE_OBJECT Device, PIRP Irp)
{
    IoReleaseCancelSpinLock(Irp->CancelIrql);
}

MISUSE(send_with_cancel_routine)
{
    PIRP irp = NewRequest(Context->Device, MisuseKeepIrp, NULL);

    IoSetCancelRoutine(irp, NeverCancel);
    IoCallDriver(Context->Device, irp);
}

CORRECT(send_with_cancel_routine)
{
    SendWell(Context);
}

MISUSE(send_interrupts_off)
{
    PIRP irp = NewRequest(Context->Device, MisuseKeepIrp, NULL);

    MisuseInterrupts(FALSE);
    IoCallDriver(Context->Device, irp);
}

CORRECT(send_interrupts_off)
{
    SendWell(Context);
}

static NTSTATUS NTAPI KeepRaised(PDEVICE_OBJECT Device, PIRP Irp, PVOID Event)
{
    MisuseRaise(APC_LEVEL);
    return MisuseKeepIrp(Device, Irp, Event);
}

MISUSE(completion_raised)
{
    SendAndFree(Context->Device, KeepRaised);
}

CORRECT(completion_raised)
{
    SendWell(Context);
}

static NTSTATUS NTAPI KeepInRegion(PDEVICE_OBJECT Device, PIRP Irp, PVOID Event)
{
    KeEnterCriticalRegion();
    return MisuseKeepIrp(Device, Irp, Event);
}

MISUSE(completion_in_region)
{
    SendAndFree(Context->Device, KeepInRegion);
}

CORRECT(completion_in_region)
{
    SendWell(Context);
}

/* ---- freeing ---- */

MISUSE(free_irp_twice)
{
    PIRP irp = NewRequest(Context->Device, MisuseKeepIrp, NULL);

    IoFreeIrp(irp);
    IoFreeIrp(irp);
}

CORRECT(free_irp_twice)
{
    IoFreeIrp(NewRequest(Context->Device, MisuseKeepIrp, NULL));
}

MISUSE(free_irp_as_pool)
{
    ExFreePool(NewRequest(Context->Device, MisuseKeepIrp, NULL));
}

CORRECT(free_irp_as_pool)
{
    Correct_free_irp_twice(Context);
}

static PIRP BuildHeld(PDEVICE_OBJECT Device, PKEVENT Event, PIO_STATUS_BLOCK Status)
{
    PIRP irp;

    KeInitializeEvent(Event, NotificationEvent, FALSE);
    MisuseNote("event", (ULONG_PTR)Event);
    MisuseNote("iosb", (ULONG_PTR)Status);
    irp = IoBuildDeviceIoControlRequest(MISUSE_HOLD, Device, NULL, 0, NULL, 0, TRUE, Event, Status);
    if (irp == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    MisuseNote("sent", (ULONG_PTR)irp);
    return irp;
}

/* It is in the thread's list of requests, and the I/O manager frees it on completion. */
MISUSE(free_irp_of_thread)
{
    IO_STATUS_BLOCK status;
    KEVENT event;

    IoFreeIrp(BuildHeld(Context->Device, &event, &status));
}

CORRECT(free_irp_of_thread)
{
    IO_STATUS_BLOCK status;
    KEVENT event;

    IoCallDriver(Context->Device, BuildHeld(Context->Device, &event, &status));
    MisuseRelease();
    KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

/* ---- what outlives the function that owns it ---- */

typedef struct _FRAME
{
    IO_STATUS_BLOCK Status;
    KEVENT Event;
    UCHAR Room[4096]; /* what is used of the stack later does not reach down to the members above */
} FRAME;

static DECLSPEC_NOINLINE VOID SendAndLeave(PDEVICE_OBJECT Device, PKEVENT Event, PIO_STATUS_BLOCK Status)
{
    FRAME frame;

    *(volatile UCHAR *)frame.Room = 0;
    IoCallDriver(Device, BuildHeld(Device, Event != NULL ? Event : &frame.Event,
                                   Status != NULL ? Status : &frame.Status));
}

MISUSE(status_block_left)
{
    KEVENT event;

    SendAndLeave(Context->Device, &event, NULL);
    MisuseRelease();
}

CORRECT(status_block_left)
{
    Correct_free_irp_of_thread(Context);
}

MISUSE(event_left)
{
    IO_STATUS_BLOCK status;

    SendAndLeave(Context->Device, NULL, &status);
    MisuseRelease();
}

CORRECT(event_left)
{
    Correct_free_irp_of_thread(Context);
}

/* ---- buffers that cannot be locked ---- */

#define NOWHERE ((PVOID)0x1000) /* no program has memory there; at a kernel address it would be bug check 50 */

static VOID BuildRead(MISUSE_CONTEXT *Context, PVOID Buffer)
{
    LARGE_INTEGER offset = {.QuadPart = 0};
    ULONG flags = Context->Device->Flags;
    IO_STATUS_BLOCK status;
    PIRP irp;

    Context->Device->Flags = (flags & ~DO_BUFFERED_IO) | DO_DIRECT_IO;
    irp = IoBuildAsynchronousFsdRequest(IRP_MJ_READ, Context->Device, Buffer, 16, &offset, &status);
    Context->Device->Flags = flags;
    if (irp != NULL)
    {
        MmUnlockPages(irp->MdlAddress);
        IoFreeMdl(irp->MdlAddress);
        IoFreeIrp(irp);
    }
}

MISUSE(read_to_nowhere)
{
    BuildRead(Context, NOWHERE);
}

CORRECT(read_to_nowhere)
{
    PVOID pool = MisusePool(16);

    BuildRead(Context, pool);
    MisuseFree(pool);
}

#define HOLD_DIRECT (MISUSE_HOLD | METHOD_OUT_DIRECT)

static VOID SendControl(MISUSE_CONTEXT *Context, PVOID Buffer)
{
    IO_STATUS_BLOCK status;
    KEVENT event;
    PIRP irp;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    MisuseNote("code", HOLD_DIRECT);
    irp = IoBuildDeviceIoControlRequest(HOLD_DIRECT, Context->Device, NULL, 0, Buffer, 16, TRUE, &event, &status);
    if (irp != NULL)
    {
        IoCallDriver(Context->Device, irp);
        MisuseRelease();
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    }
}

MISUSE(control_to_nowhere)
{
    SendControl(Context, NOWHERE);
}

CORRECT(control_to_nowhere)
{
    PVOID pool = MisusePool(16);

    SendControl(Context, pool);
    MisuseFree(pool);
}
