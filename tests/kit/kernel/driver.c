/* SPDX-License-Identifier: MIT */
/*
 * libcheck.sys: the kernel library called where isthmus.sys doesn't call it. What it finds goes back to libcheck.exe,
 * which knows what it must be.
 */
#include <ntifs.h>
#include <isthmus/isthmus_kernel.h>
#include "libcheck.h"

static LIBCHECK_ANSWER Result;
static PDEVICE_OBJECT CheckDevice;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
static DRIVER_DISPATCH Create, Cleanup, Close, Control;

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* Captures, sums up, releases. */
static NTSTATUS Capture(PIRP Irp)
{
    ISTHMUS_REQUEST request;
    RtlZeroMemory(&Result, sizeof(Result));
    NTSTATUS status = IsthmusRequestCapture(Irp, IoReadAccess, &request);
    if (NT_SUCCESS(status))
    {
        Result.Crc32 = IsthmusRequestChecksum(&request, request.Length);
        Result.Length = request.Length;
        Result.More[0] = KeGetCurrentIrql();
        IsthmusRequestRelease(&request);
    }
    Result.Status = (UINT32)status;
    return STATUS_SUCCESS;
}

static NTSTATUS CaptureRaised(PIRP Irp)
{
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    NTSTATUS status = Capture(Irp);
    KeLowerIrql(irql);
    return status;
}

typedef struct _WORK
{
    PIRP Irp;
    KEVENT Done;
} WORK;

static VOID NTAPI Worker(PDEVICE_OBJECT Device, PVOID Context)
{
    WORK *work = Context;
    UNREFERENCED_PARAMETER(Device);
    Capture(work->Irp);
    KeSetEvent(&work->Done, IO_NO_INCREMENT, FALSE);
}

static NTSTATUS CaptureElsewhere(PIRP Irp)
{
    WORK work = {.Irp = Irp};
    PIO_WORKITEM item = IoAllocateWorkItem(CheckDevice);
    if (item == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    KeInitializeEvent(&work.Done, NotificationEvent, FALSE);
    IoQueueWorkItem(item, Worker, DelayedWorkQueue, &work);
    KeWaitForSingleObject(&work.Done, Executive, KernelMode, FALSE, NULL);
    IoFreeWorkItem(item);
    return STATUS_SUCCESS;
}

/* What must be refused in a thread that is attached: More = session, share, allocate, map. */
static NTSTATUS Attached(PISTHMUS_SESSION Session, LIBCHECK_ANSWER *Answer)
{
    ISTHMUS_REGION_INFO region, made;
    ISTHMUS_VIEW_INFO view;
    PISTHMUS_SESSION other;
    KAPC_STATE state;
    NTSTATUS status = IsthmusRegionAllocate(Session, ISTHMUS_KIND_PAGED_POOL, PAGE_SIZE, &region);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    KeStackAttachProcess((PKPROCESS)PsInitialSystemProcess, &state);
    Answer->More[0] = (UINT32)IsthmusSessionCreate(&other);
    Answer->More[1] = (UINT32)IsthmusRegionShare(Session, 0x10000, PAGE_SIZE, ISTHMUS_ACCESS_READ, UserMode, &made);
    Answer->More[2] = (UINT32)IsthmusRegionAllocate(Session, ISTHMUS_KIND_PAGES, PAGE_SIZE, &made);
    Answer->More[3] = (UINT32)IsthmusViewMap(Session, region.Region, ISTHMUS_ACCESS_ALL, &view);
    KeUnstackDetachProcess(&state);
    return IsthmusRegionRelease(Session, region.Region);
}

typedef struct _DPC_WRITE
{
    KDPC Dpc;
    KEVENT Done;
    PISTHMUS_REGION Region;
    UINT32 Entered;
    UINT32 Status;
} DPC_WRITE;

static VOID NTAPI WriteDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    static const UCHAR text[] = "written by a DPC";
    DPC_WRITE *write = Context;
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);
    write->Entered = IsthmusRegionTryEnter(write->Region);
    if (write->Entered)
    {
        write->Status = (UINT32)IsthmusRegionWrite(write->Region, 3, text, sizeof(text) - 1);
        IsthmusRegionLeave(write->Region);
    }
    KeSetEvent(&write->Done, IO_NO_INCREMENT, FALSE);
}

static VOID RunDpc(DPC_WRITE *Write)
{
    Write->Entered = 0;
    KeInitializeDpc(&Write->Dpc, WriteDpc, Write);
    KeInitializeEvent(&Write->Done, NotificationEvent, FALSE);
    KeInsertQueueDpc(&Write->Dpc, NULL, NULL);
    KeWaitForSingleObject(&Write->Done, Executive, KernelMode, FALSE, NULL);
    KeFlushQueuedDpcs(); /* the DPC lies in the caller's stack frame */
}

/* More = entered before, status of the write, bytes right, entered after release. */
static NTSTATUS FromDpc(PISTHMUS_SESSION Session, UINT32 Kind, LIBCHECK_ANSWER *Answer)
{
    ISTHMUS_REGION_INFO info;
    DPC_WRITE write;
    PISTHMUS_REGION region;
    UCHAR bytes[16];
    RtlZeroMemory(&write, sizeof(write));
    NTSTATUS status = IsthmusRegionAllocate(Session, Kind, PAGE_SIZE, &info);
    if (NT_SUCCESS(status))
    {
        status = IsthmusRegionReference(Session, info.Region, ISTHMUS_ACCESS_WRITE, &write.Region);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    RunDpc(&write);
    Answer->More[0] = write.Entered;
    Answer->More[1] = write.Status;
    status = IsthmusRegionEnter(Session, info.Region, ISTHMUS_ACCESS_READ, &region);
    if (NT_SUCCESS(status))
    {
        IsthmusRegionRead(region, 3, bytes, sizeof(bytes));
        IsthmusRegionLeave(region);
        Answer->More[2] = RtlCompareMemory(bytes, "written by a DPC", sizeof(bytes)) == sizeof(bytes);
    }
    status = IsthmusRegionRelease(Session, info.Region);
    RunDpc(&write);
    Answer->More[3] = write.Entered;
    IsthmusRegionDereference(write.Region);
    return status;
}

/* A request of our own, for METHOD_NEITHER, with nonpaged pool as its buffer. */
static NTSTATUS OwnRequest(PFILE_OBJECT File)
{
    IO_STATUS_BLOCK block;
    KEVENT event;
    PUCHAR pool = ExAllocatePoolWithTag(IsthmusNonPagedPoolType(), 5000, 'kcLI');
    if (pool == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlFillMemory(pool, 5000, 0x5C);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp = IoBuildDeviceIoControlRequest(ISTHMUS_CONTROL_CODE(LIBCHECK_PASSIVE, ISTHMUS_METHOD_NEITHER),
                                             CheckDevice, NULL, 0, pool, 5000, FALSE, &event, &block);
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    if (irp != NULL)
    {
        IoGetNextIrpStackLocation(irp)->FileObject = File;
        status = IoCallDriver(CheckDevice, irp);
        if (status == STATUS_PENDING)
        {
            KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
            status = block.Status;
        }
    }
    ExFreePoolWithTag(pool, 'kcLI');
    return status;
}

static NTSTATUS Answer(PIRP Irp, ULONG Function, PFILE_OBJECT File)
{
    LIBCHECK_ANSWER answer = Result;
    if (Function != LIBCHECK_RESULT)
    {
        RtlZeroMemory(&answer, sizeof(answer));
        NTSTATUS status = Function == LIBCHECK_ATTACHED ? Attached(File->FsContext, &answer)
                          : Function == LIBCHECK_DPC    ? FromDpc(File->FsContext, ISTHMUS_KIND_PAGED_POOL, &answer)
                                                        : OwnRequest(File);
        answer.Status = (UINT32)status;
        if (Function == LIBCHECK_OWN && NT_SUCCESS(status))
        {
            answer = Result;
        }
    }
    RtlCopyMemory(Irp->AssociatedIrp.SystemBuffer, &answer, sizeof(answer));
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG code = stack->Parameters.DeviceIoControl.IoControlCode;
    ULONG function = (code >> 2) & 0xFFF;
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
    ULONG_PTR information = 0;
    UNREFERENCED_PARAMETER(Device);

    KeEnterCriticalRegion();
    switch (function)
    {
    case LIBCHECK_PASSIVE:
        status = Capture(Irp);
        break;
    case LIBCHECK_DISPATCH:
        status = CaptureRaised(Irp);
        break;
    case LIBCHECK_WORKER:
        status = CaptureElsewhere(Irp);
        break;
    default:
        if ((code & 3) == METHOD_BUFFERED && function >= LIBCHECK_RESULT && function <= LIBCHECK_OWN &&
            stack->Parameters.DeviceIoControl.OutputBufferLength >= sizeof(LIBCHECK_ANSWER))
        {
            status = Answer(Irp, function, stack->FileObject);
            information = sizeof(LIBCHECK_ANSWER);
        }
        break;
    }
    KeLeaveCriticalRegion();
    return Complete(Irp, status, information);
}

static NTSTATUS NTAPI Create(PDEVICE_OBJECT Device, PIRP Irp)
{
    PISTHMUS_SESSION session;
    UNREFERENCED_PARAMETER(Device);
    KeEnterCriticalRegion();
    NTSTATUS status = IsthmusSessionCreate(&session);
    KeLeaveCriticalRegion();
    IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext = session;
    return Complete(Irp, status, 0);
}

static NTSTATUS NTAPI Cleanup(PDEVICE_OBJECT Device, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    KeEnterCriticalRegion();
    IsthmusSessionCleanup(IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext);
    KeLeaveCriticalRegion();
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI Close(PDEVICE_OBJECT Device, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    KeEnterCriticalRegion();
    IsthmusSessionClose(IoGetCurrentIrpStackLocation(Irp)->FileObject->FsContext);
    KeLeaveCriticalRegion();
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    UNICODE_STRING link = RTL_CONSTANT_STRING(L"\\DosDevices\\IsthmusLibCheck");
    UNREFERENCED_PARAMETER(Driver);
    IsthmusLibraryStop();
    IoDeleteSymbolicLink(&link);
    IoDeleteDevice(CheckDevice);
}

NTSTATUS NTAPI DriverEntry(_In_ PDRIVER_OBJECT Driver, _In_ PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\IsthmusLibCheck");
    UNICODE_STRING link = RTL_CONSTANT_STRING(L"\\DosDevices\\IsthmusLibCheck");
    NTSTATUS status = IsthmusLibraryStart(RegistryPath);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &CheckDevice);
    if (!NT_SUCCESS(status))
    {
        IsthmusLibraryStop();
        return status;
    }
    Driver->MajorFunction[IRP_MJ_CREATE] = Create;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = Cleanup;
    Driver->MajorFunction[IRP_MJ_CLOSE] = Close;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    status = IoCreateSymbolicLink(&link, &name);
    if (!NT_SUCCESS(status))
    {
        Unload(Driver);
    }
    return status;
}
