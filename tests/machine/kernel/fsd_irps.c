/* SPDX-License-Identifier: MIT */
/* Reads and writes built by a driver, synchronous and asynchronous, for devices of each sort of I/O; work items. */
#include "irp_device.h"

#define SIZE (2 * PAGE_SIZE + 100)

static VOID TestSynchronous(KTEST_RUN *Run, ULONG Flags)
{
    PUCHAR buffer = ExAllocatePoolWithTag(NonPagedPool, SIZE, KT_TAG);
    IRP_STACK stack;

    CHECK(buffer != NULL);
    if (buffer == NULL || !KtOpenIrpStack(Run, &stack, Flags))
    {
        return;
    }
    for (ULONG i = 0; i < 4; i++)
    {
        BOOLEAN write = i & 1, pends = i >= 2;
        LARGE_INTEGER offset = {.QuadPart = pends};
        IO_STATUS_BLOCK iosb = {.Status = STATUS_UNSUCCESSFUL};
        IRP_DEVICE *lower = KtIrpDevice(stack.Lower);
        KEVENT event;
        NTSTATUS status;
        PIRP irp;

        KeInitializeEvent(&event, NotificationEvent, FALSE);
        RtlZeroMemory(buffer, SIZE);
        irp = IoBuildSynchronousFsdRequest(write ? IRP_MJ_WRITE : IRP_MJ_READ, stack.Upper, buffer, SIZE, &offset,
                                           &event, &iosb);
        CHECK(irp != NULL);
        if (irp == NULL)
        {
            continue;
        }
        status = IoCallDriver(stack.Upper, irp);
        CHECK_STATUS(status, pends ? STATUS_PENDING : STATUS_SUCCESS);
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        KtSay(Run, "%s, device flags 0x%lX: status 0x%08lX, %I64u bytes, system buffer %p, MDL %p flags 0x%04lX",
              write ? "write" : "read", Flags, iosb.Status, (ULONG64)iosb.Information, lower->LastSystemBuffer,
              lower->LastMdl, lower->LastMdlFlags);
        CHECK_STATUS(iosb.Status, STATUS_SUCCESS);
        CHECK_EQUAL(iosb.Information, SIZE);
        CHECK_EQUAL(lower->LastMdl != NULL, Flags == DO_DIRECT_IO);
        CHECK_EQUAL(lower->LastSystemBuffer != NULL, Flags == DO_BUFFERED_IO);
        if (Flags == DO_DIRECT_IO)
        {
            /* A read writes memory: only then is it locked for writing. */
            CHECK_EQUAL(lower->LastMdlFlags & (MDL_PAGES_LOCKED | MDL_WRITE_OPERATION),
                        MDL_PAGES_LOCKED | (write ? 0 : MDL_WRITE_OPERATION));
        }
        CHECK(KtAllBytes(buffer, SIZE, write ? 0 : 0x3C));
    }
    KtCloseIrpStack(&stack);
    ExFreePoolWithTag(buffer, KT_TAG);
}

typedef struct _ASYNC
{
    KEVENT Event;
    NTSTATUS Status;
    ULONG_PTR Information;
    ULONG Mdls;
} ASYNC;

/* The issuer of an asynchronous request releases what was built with it, down to the last MDL of the chain. */
static NTSTATUS NTAPI ReleaseAsync(PDEVICE_OBJECT Device, PIRP Irp, PVOID Context)
{
    ASYNC *async = Context;

    async->Status = Irp->IoStatus.Status;
    async->Information = Irp->IoStatus.Information;
    while (Irp->MdlAddress != NULL)
    {
        PMDL mdl = Irp->MdlAddress;
        Irp->MdlAddress = mdl->Next;
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
        async->Mdls++;
    }
    IoFreeIrp(Irp);
    KeSetEvent(&async->Event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static VOID TestAsynchronous(KTEST_RUN *Run)
{
    PUCHAR buffer = ExAllocatePoolWithTag(NonPagedPool, SIZE, KT_TAG);
    LARGE_INTEGER offset = {.QuadPart = 1};
    IRP_STACK stack;
    ASYNC async = {0};
    PIRP irp;

    CHECK(buffer != NULL);
    if (buffer == NULL || !KtOpenIrpStack(Run, &stack, DO_DIRECT_IO))
    {
        return;
    }
    KeInitializeEvent(&async.Event, NotificationEvent, FALSE);
    irp = IoBuildAsynchronousFsdRequest(IRP_MJ_READ, stack.Upper, buffer, SIZE, &offset, NULL);
    CHECK(irp != NULL);
    if (irp != NULL)
    {
        IoSetCompletionRoutine(irp, ReleaseAsync, &async, TRUE, TRUE, TRUE);
        CHECK_STATUS(IoCallDriver(stack.Upper, irp), STATUS_PENDING);
        KeWaitForSingleObject(&async.Event, Executive, KernelMode, FALSE, NULL);
        KtSay(Run, "asynchronous read: 0x%08lX, %I64u bytes, %lu MDL released by its issuer", async.Status,
              (ULONG64)async.Information, async.Mdls);
        CHECK_STATUS(async.Status, STATUS_SUCCESS);
        CHECK_EQUAL(async.Information, SIZE);
        CHECK_EQUAL(async.Mdls, 1);
        CHECK(KtAllBytes(buffer, SIZE, 0x3C));
    }
    KtCloseIrpStack(&stack);
    ExFreePoolWithTag(buffer, KT_TAG);
}

/* Opening a device by name from the kernel, and its file object. */
static VOID TestByName(KTEST_RUN *Run)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\KTest"),
                   wrong = RTL_CONSTANT_STRING(L"\\Device\\KTestNotThere");
    PDEVICE_OBJECT device = NULL;
    PFILE_OBJECT file = NULL;

    CHECK_STATUS(IoGetDeviceObjectPointer(&name, FILE_READ_DATA, &file, &device), STATUS_SUCCESS);
    CHECK(device == KtDevice);
    if (file != NULL)
    {
        CHECK(file->DeviceObject == KtDevice);
        CHECK(IoGetRelatedDeviceObject(file) == KtDevice);
        ObDereferenceObject(file);
    }
    CHECK_STATUS(IoGetDeviceObjectPointer(&wrong, FILE_READ_DATA, &file, &device), STATUS_OBJECT_NAME_NOT_FOUND);
}

typedef struct _WORK
{
    KEVENT Event;
    KIRQL Irql;
    PEPROCESS Process;
    PDEVICE_OBJECT Device;
    BOOLEAN SystemThread;
} WORK;

static VOID NTAPI DoWork(PDEVICE_OBJECT Device, PVOID Context)
{
    WORK *work = Context;

    work->Irql = KeGetCurrentIrql();
    work->Process = PsGetCurrentProcess();
    work->Device = Device;
    work->SystemThread = PsIsSystemThread(PsGetCurrentThread());
    KeSetEvent(&work->Event, IO_NO_INCREMENT, FALSE);
}

static VOID TestWorkItem(KTEST_RUN *Run)
{
    PIO_WORKITEM item = IoAllocateWorkItem(KtDevice);
    WORK work = {.Irql = 99};
    KIRQL irql;

    CHECK(item != NULL);
    if (item == NULL)
    {
        return;
    }
    for (ULONG i = 0; i < 3; i++)
    {
        KeInitializeEvent(&work.Event, NotificationEvent, FALSE);
        KeRaiseIrql(DISPATCH_LEVEL, &irql); /* may be queued from DPCs */
        IoQueueWorkItem(item, DoWork, i == 0 ? CriticalWorkQueue : DelayedWorkQueue, &work);
        KeLowerIrql(irql);
        CHECK_STATUS(KeWaitForSingleObject(&work.Event, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(work.Irql, PASSIVE_LEVEL);
        CHECK(work.Process == PsInitialSystemProcess);
        CHECK(work.SystemThread);
        CHECK(work.Device == KtDevice);
    }
    IoFreeWorkItem(item);
}

VOID KtGroup_fsd_irps(KTEST_RUN *Run)
{
    TestSynchronous(Run, DO_BUFFERED_IO);
    TestSynchronous(Run, DO_DIRECT_IO);
    TestSynchronous(Run, 0);
    TestAsynchronous(Run);
    TestByName(Run);
    TestWorkItem(Run);
}
