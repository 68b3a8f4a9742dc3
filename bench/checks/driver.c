/* SPDX-License-Identifier: MIT */
/* checkcost.sys: does things that the verifier checks, many times, and says how many instructions they took. */
#include <ntifs.h>
#include "checkcost.h"

#define TAG 'tsoC'

static KSPIN_LOCK Outer, Inner;
static FAST_MUTEX Fast;
static KMUTEX Mutex;
static UNICODE_STRING Link = RTL_CONSTANT_STRING(L"\\DosDevices\\CheckCost");

static VOID Empty(const CHECKCOST_REQUEST *Request)
{
    UNREFERENCED_PARAMETER(Request);
}

static VOID Pool(POOL_TYPE Type, SIZE_T Size)
{
    PVOID block = ExAllocatePoolWithTag(Type, Size, TAG);

    if (block == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    ExFreePoolWithTag(block, TAG);
}

static VOID NonPaged(const CHECKCOST_REQUEST *Request)
{
    Pool(NonPagedPoolNx, Request->Size);
}

static VOID PagedBlock(const CHECKCOST_REQUEST *Request)
{
    Pool(PagedPool, Request->Size);
}

static VOID Raise(const CHECKCOST_REQUEST *Request)
{
    KIRQL irql;

    UNREFERENCED_PARAMETER(Request);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeLowerIrql(irql);
}

static VOID OneLock(const CHECKCOST_REQUEST *Request)
{
    KIRQL irql;

    UNREFERENCED_PARAMETER(Request);
    KeAcquireSpinLock(&Outer, &irql);
    KeReleaseSpinLock(&Outer, irql);
}

static VOID TwoLocks(const CHECKCOST_REQUEST *Request)
{
    KIRQL irql;

    UNREFERENCED_PARAMETER(Request);
    KeAcquireSpinLock(&Outer, &irql);
    KeAcquireSpinLockAtDpcLevel(&Inner);
    KeReleaseSpinLockFromDpcLevel(&Inner);
    KeReleaseSpinLock(&Outer, irql);
}

static VOID FastMutex(const CHECKCOST_REQUEST *Request)
{
    UNREFERENCED_PARAMETER(Request);
    ExAcquireFastMutex(&Fast);
    ExReleaseFastMutex(&Fast);
}

static VOID TakeMutex(const CHECKCOST_REQUEST *Request)
{
    UNREFERENCED_PARAMETER(Request);
    KeWaitForSingleObject(&Mutex, Executive, KernelMode, FALSE, NULL);
    KeReleaseMutex(&Mutex, FALSE);
}

static VOID LockAndMap(const CHECKCOST_REQUEST *Request)
{
    PMDL mdl = IoAllocateMdl((PVOID)(ULONG_PTR)Request->Buffer, (ULONG)Request->Size, FALSE, FALSE, NULL);

    if (mdl == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    MmProbeAndLockPages(mdl, UserMode, IoWriteAccess);
    if (MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
}

static VOID (*const Operations[CheckCostCount])(const CHECKCOST_REQUEST *) = {
    [CheckCostEmpty] = Empty,         [CheckCostNonPagedPool] = NonPaged, [CheckCostPagedPool] = PagedBlock,
    [CheckCostRaise] = Raise,         [CheckCostSpinLock] = OneLock,      [CheckCostTwoSpinLocks] = TwoLocks,
    [CheckCostFastMutex] = FastMutex, [CheckCostMutex] = TakeMutex,       [CheckCostMdl] = LockAndMap,
};

static NTSTATUS Measure(PIRP Irp, PIO_STACK_LOCATION Stack)
{
    CHECKCOST_REQUEST *request = Irp->AssociatedIrp.SystemBuffer;
    CHECKCOST_REQUEST copy;
    ULONG64 start;

    if (Stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(*request) ||
        Stack->Parameters.DeviceIoControl.OutputBufferLength < sizeof(ULONG64) || request->Operation >= CheckCostCount)
    {
        return STATUS_INVALID_PARAMETER;
    }
    copy = *request;
    __try
    {
        for (ULONG i = 0; i < 4; i++) /* caches of the kernel's filled, pages resident */
        {
            Operations[copy.Operation](&copy);
        }
        start = __rdtsc();
        for (ULONG i = 0; i < copy.Rounds; i++)
        {
            Operations[copy.Operation](&copy);
        }
        *(PULONG64)Irp->AssociatedIrp.SystemBuffer = __rdtsc() - start;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    Irp->IoStatus.Information = sizeof(ULONG64);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;

    UNREFERENCED_PARAMETER(Device);
    Irp->IoStatus.Information = 0;
    if (stack->Parameters.DeviceIoControl.IoControlCode == CHECKCOST_NOTHING)
    {
        status = STATUS_SUCCESS;
    }
    else if (stack->Parameters.DeviceIoControl.IoControlCode == CHECKCOST_MEASURE)
    {
        status = Measure(Irp, stack);
    }
    Irp->IoStatus.Status = status;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS NTAPI CreateClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    IoDeleteSymbolicLink(&Link);
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\CheckCost");
    PDEVICE_OBJECT device;
    NTSTATUS status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &device);

    UNREFERENCED_PARAMETER(RegistryPath);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IoCreateSymbolicLink(&Link, &name);
    if (!NT_SUCCESS(status))
    {
        IoDeleteDevice(device);
        return status;
    }
    ExInitializeFastMutex(&Fast);
    KeInitializeMutex(&Mutex, 0);
    Driver->MajorFunction[IRP_MJ_CREATE] = CreateClose;
    Driver->MajorFunction[IRP_MJ_CLOSE] = CreateClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
