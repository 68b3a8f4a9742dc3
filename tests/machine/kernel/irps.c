/* SPDX-License-Identifier: MIT */
/* Requests built by a driver: each way to build one, completion routines in order, pending, reuse, cancelling. */
#include "irp_device.h"

#define LENGTH 200

static VOID TestControl(KTEST_RUN *Run, IRP_STACK *Stack, ULONG Code, NTSTATUS Called, NTSTATUS Status,
                        ULONG Information)
{
    PUCHAR input = ExAllocatePoolWithTag(NonPagedPool, LENGTH, KT_TAG),
           output = ExAllocatePoolWithTag(NonPagedPool, LENGTH, KT_TAG);
    IO_STATUS_BLOCK iosb = {.Status = STATUS_UNSUCCESSFUL, .Information = 12345};
    ULONG wrong = 0;
    KEVENT event;
    PIRP irp;
    NTSTATUS status;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    CHECK(input != NULL && output != NULL);
    KtFill(input, LENGTH, 1);
    RtlZeroMemory(output, LENGTH);
    irp = IoBuildDeviceIoControlRequest(Code, Stack->Upper, input, LENGTH, output, LENGTH, TRUE, &event, &iosb);
    CHECK(irp != NULL);
    if (irp != NULL)
    {
        CHECK_EQUAL(IoGetNextIrpStackLocation(irp)->MajorFunction, IRP_MJ_INTERNAL_DEVICE_CONTROL);
        CHECK_EQUAL(irp->RequestorMode, KernelMode);
        status = IoCallDriver(Stack->Upper, irp);
        CHECK_STATUS(status, Called);
        if (status == STATUS_PENDING)
        {
            KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        }
        /* An error that was not pending is told by the call's result; event and status block are for those who wait. */
        if (!NT_ERROR(status))
        {
            CHECK_EQUAL(KeReadStateEvent(&event), 1);
            CHECK_STATUS(iosb.Status, Status);
            CHECK_EQUAL(iosb.Information, Information);
        }
        CHECK_EQUAL(KtMismatches(input, LENGTH, 1), 0); /* buffered: the caller's input is a copy */
        for (ULONG i = 0; i < LENGTH && NT_SUCCESS(Status); i++)
        {
            wrong += output[i] != (UCHAR)~input[i];
        }
        KtSay(Run, "control 0x%08lX: call 0x%08lX, completed 0x%08lX with %I64u, %lu wrong bytes", Code, status,
              iosb.Status, (ULONG64)iosb.Information, wrong);
        CHECK_EQUAL(wrong, 0);
        CHECK(NT_SUCCESS(Status) || KtAllBytes(output, LENGTH, 0));
    }
    ExFreePoolWithTag(input, KT_TAG);
    ExFreePoolWithTag(output, KT_TAG);
}

/* A direct request: the caller's buffer locked and described by an MDL which the I/O manager releases. */
static VOID TestDirect(KTEST_RUN *Run, IRP_STACK *Stack)
{
    PUCHAR output = ExAllocatePoolWithTag(NonPagedPool, 3 * PAGE_SIZE, KT_TAG);
    IO_STATUS_BLOCK iosb;
    KEVENT event;
    PIRP irp;

    KeInitializeEvent(&event, NotificationEvent, FALSE);
    CHECK(output != NULL);
    irp = IoBuildDeviceIoControlRequest(CODE_OUT_DIRECT, Stack->Lower, NULL, 0, output + 5, 2 * PAGE_SIZE, FALSE,
                                        &event, &iosb);
    CHECK(irp != NULL);
    if (irp != NULL)
    {
        CHECK(irp->MdlAddress != NULL && MmGetMdlVirtualAddress(irp->MdlAddress) == output + 5);
        CHECK_EQUAL(KtFlags(irp->MdlAddress) & (MDL_PAGES_LOCKED | MDL_WRITE_OPERATION),
                    MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
        CHECK_STATUS(IoCallDriver(Stack->Lower, irp), STATUS_SUCCESS);
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        CHECK_EQUAL(iosb.Information, 2 * PAGE_SIZE);
        CHECK(KtAllBytes(output + 5, 2 * PAGE_SIZE, 0x5C));
    }
    ExFreePoolWithTag(output, KT_TAG);
}

typedef struct _ORDER
{
    CHAR Text[16];
    ULONG Count;
    BOOLEAN Keep, PendingReturned;
    KEVENT Event;
    KIRQL Irql;
    NTSTATUS Seen;
} ORDER;

static NTSTATUS NTAPI UpperDone(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    ORDER *order = Context;

    order->Text[order->Count++] = 'u';
    order->Seen = Irp->IoStatus.Status;
    if (Irp->PendingReturned)
    {
        IoMarkIrpPending(Irp);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI IssuerDone(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    ORDER *order = Context;

    order->Text[order->Count++] = 'i';
    order->PendingReturned = Irp->PendingReturned;
    order->Irql = KeGetCurrentIrql();
    KeSetEvent(&order->Event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static PIRP BuildOwn(IRP_STACK *Stack, ULONG Code, PVOID Buffer, ULONG Length)
{
    PIRP irp = IoAllocateIrp(Stack->Upper->StackSize, FALSE);

    if (irp != NULL)
    {
        PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
        next->MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
        next->Parameters.DeviceIoControl.IoControlCode = Code;
        next->Parameters.DeviceIoControl.InputBufferLength = Length;
        next->Parameters.DeviceIoControl.OutputBufferLength = Length;
        irp->AssociatedIrp.SystemBuffer = Buffer;
    }
    return irp;
}

/* The driver's own IRP: routines run from the bottom up, the issuer keeps the IRP and frees it. */
static VOID TestOrder(KTEST_RUN *Run, IRP_STACK *Stack, ULONG Code, BOOLEAN Pends)
{
    UCHAR buffer[16] = {1, 2, 3};
    ORDER order = {.Count = 0};
    NTSTATUS status;
    PIRP irp;

    KeInitializeEvent(&order.Event, NotificationEvent, FALSE);
    KtIrpDevice(Stack->Upper)->Completion = UpperDone;
    KtIrpDevice(Stack->Upper)->Context = &order;
    irp = BuildOwn(Stack, Code, buffer, sizeof(buffer));
    CHECK(irp != NULL);
    if (irp != NULL)
    {
        CHECK_EQUAL(irp->StackCount, 2);
        CHECK_EQUAL(irp->CurrentLocation, 3);
        IoSetCompletionRoutine(irp, IssuerDone, &order, TRUE, TRUE, TRUE);
        status = IoCallDriver(Stack->Upper, irp);
        CHECK_STATUS(status, Pends ? STATUS_PENDING : STATUS_SUCCESS);
        KeWaitForSingleObject(&order.Event, Executive, KernelMode, FALSE, NULL);
        KtSay(Run, "completion order %s, call returned 0x%08lX, PendingReturned %d, issuer's routine at IRQL %d",
              order.Text, status, order.PendingReturned, order.Irql);
        CHECK(strcmp(order.Text, "ui") == 0);
        CHECK_EQUAL(order.PendingReturned, Pends);
        CHECK_EQUAL(order.Irql, Pends ? DISPATCH_LEVEL : PASSIVE_LEVEL);
        CHECK_STATUS(irp->IoStatus.Status, STATUS_SUCCESS);
        CHECK_EQUAL(buffer[0], 0xFE);
        IoFreeIrp(irp);
    }
    KtIrpDevice(Stack->Upper)->Completion = NULL;
}

/* Completion routines run only for the outcomes they asked for. */
static VOID TestOutcomes(KTEST_RUN *Run, IRP_STACK *Stack)
{
    static const struct
    {
        ULONG Code;
        BOOLEAN Success, Error, Runs;
    } cases[] = {
        {CODE_INVERT_BUFFERED, TRUE, FALSE, TRUE},
        {CODE_INVERT_BUFFERED, FALSE, TRUE, FALSE},
        {CODE_FAIL, FALSE, TRUE, TRUE},
        {CODE_FAIL, TRUE, FALSE, FALSE},
    };

    for (ULONG i = 0; i < RTL_NUMBER_OF(cases); i++)
    {
        UCHAR buffer[16] = {0};
        ORDER inner = {.Count = 0}, outer = {.Count = 0};
        PIRP irp = IoAllocateIrp((CCHAR)(Stack->Lower->StackSize + 1), FALSE);
        PIO_STACK_LOCATION next;

        CHECK(irp != NULL);
        if (irp == NULL)
        {
            continue;
        }
        KeInitializeEvent(&inner.Event, NotificationEvent, FALSE);
        KeInitializeEvent(&outer.Event, NotificationEvent, FALSE);
        /* Two locations of the issuer's own: the outer routine always keeps the IRP, the inner one is the case. */
        IoSetNextIrpStackLocation(irp);
        next = IoGetNextIrpStackLocation(irp);
        next->MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
        next->Parameters.DeviceIoControl.IoControlCode = cases[i].Code;
        next->Parameters.DeviceIoControl.InputBufferLength = next->Parameters.DeviceIoControl.OutputBufferLength =
            sizeof(buffer);
        irp->AssociatedIrp.SystemBuffer = buffer;
        IoSetCompletionRoutine(irp, UpperDone, &inner, cases[i].Success, cases[i].Error, FALSE);
        irp->CurrentLocation++;
        irp->Tail.Overlay.CurrentStackLocation++;
        IoSetCompletionRoutine(irp, IssuerDone, &outer, TRUE, TRUE, TRUE);
        IoSetNextIrpStackLocation(irp);
        IoCallDriver(Stack->Lower, irp);
        CHECK_EQUAL(outer.Count, 1);
        CHECK_EQUAL(inner.Count, cases[i].Runs);
        IoFreeIrp(irp);
    }
}

/* One IRP, many times. */
static VOID TestReuse(KTEST_RUN *Run, IRP_STACK *Stack)
{
    UCHAR buffer[16] = {0};
    PIRP irp = BuildOwn(Stack, CODE_INVERT_BUFFERED, buffer, sizeof(buffer));

    CHECK(irp != NULL);
    for (ULONG i = 0; irp != NULL && i < 20; i++)
    {
        ORDER order = {.Count = 0};
        PIO_STACK_LOCATION next;

        KeInitializeEvent(&order.Event, NotificationEvent, FALSE);
        IoReuseIrp(irp, STATUS_UNSUCCESSFUL);
        CHECK_STATUS(irp->IoStatus.Status, STATUS_UNSUCCESSFUL);
        next = IoGetNextIrpStackLocation(irp);
        next->MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
        next->Parameters.DeviceIoControl.IoControlCode = CODE_INVERT_BUFFERED;
        next->Parameters.DeviceIoControl.InputBufferLength = next->Parameters.DeviceIoControl.OutputBufferLength =
            sizeof(buffer);
        irp->AssociatedIrp.SystemBuffer = buffer;
        IoSetCompletionRoutine(irp, IssuerDone, &order, TRUE, TRUE, TRUE);
        CHECK_STATUS(IoCallDriver(Stack->Upper, irp), STATUS_SUCCESS);
        CHECK_EQUAL(order.Count, 1);
    }
    CHECK_EQUAL(buffer[3], 0);
    if (irp != NULL)
    {
        IoFreeIrp(irp);
    }
}

static VOID TestCancel(KTEST_RUN *Run, IRP_STACK *Stack)
{
    UCHAR buffer[16] = {0};
    ORDER order = {.Count = 0};
    PIRP irp = BuildOwn(Stack, CODE_HOLD, buffer, sizeof(buffer));

    KeInitializeEvent(&order.Event, NotificationEvent, FALSE);
    CHECK(irp != NULL);
    if (irp == NULL)
    {
        return;
    }
    IoSetCompletionRoutine(irp, IssuerDone, &order, TRUE, TRUE, TRUE);
    CHECK_STATUS(IoCallDriver(Stack->Upper, irp), STATUS_PENDING);
    CHECK_EQUAL(order.Count, 0);
    CHECK(KtIrpDevice(Stack->Lower)->Held == irp);
    CHECK(IoCancelIrp(irp)); /* there was a cancel routine, and it ran */
    KeWaitForSingleObject(&order.Event, Executive, KernelMode, FALSE, NULL);
    CHECK_STATUS(irp->IoStatus.Status, STATUS_CANCELLED);
    CHECK(irp->Cancel);
    CHECK_EQUAL(order.Count, 1);
    CHECK(KtIrpDevice(Stack->Lower)->Held == NULL);

    /* Cancelled before it is sent: the driver finds the mark. */
    IoReuseIrp(irp, STATUS_SUCCESS);
    CHECK(!irp->Cancel);
    CHECK(!IoCancelIrp(irp));
    CHECK(irp->Cancel);
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_INTERNAL_DEVICE_CONTROL;
    IoGetNextIrpStackLocation(irp)->Parameters.DeviceIoControl.IoControlCode = CODE_HOLD;
    IoSetCompletionRoutine(irp, IssuerDone, &order, TRUE, TRUE, TRUE);
    CHECK_STATUS(IoCallDriver(Stack->Upper, irp), STATUS_PENDING);
    CHECK_EQUAL(order.Count, 2);
    CHECK_STATUS(irp->IoStatus.Status, STATUS_CANCELLED);
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
    IoFreeIrp(irp);
}

VOID KtGroup_irps(KTEST_RUN *Run)
{
    IRP_STACK stack;

    if (KtOpenIrpStack(Run, &stack, 0))
    {
        TestControl(Run, &stack, CODE_INVERT_BUFFERED, STATUS_SUCCESS, STATUS_SUCCESS, LENGTH);
        TestControl(Run, &stack, CODE_PEND_BUFFERED, STATUS_PENDING, STATUS_SUCCESS, LENGTH);
        TestControl(Run, &stack, CODE_FAIL, STATUS_DEVICE_NOT_READY, STATUS_DEVICE_NOT_READY, 0);
        TestDirect(Run, &stack);
        TestOrder(Run, &stack, CODE_INVERT_BUFFERED, FALSE);
        TestOrder(Run, &stack, CODE_PEND_BUFFERED, TRUE);
        TestOutcomes(Run, &stack);
        TestReuse(Run, &stack);
        TestCancel(Run, &stack);
        CHECK(KtIrpDevice(stack.Lower)->Requests > 20);
        KtCloseIrpStack(&stack);
    }
}
