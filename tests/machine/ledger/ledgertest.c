/* SPDX-License-Identifier: MIT */
/*
 * ledgertest.sys: takes one of each thing that the ledger keeps, each in a function of its own, and gives all back when
 * asked. The ledger must list exactly these, with exactly these functions.
 */
#include <ntifs.h>
#include "ledgertest.h"

#define TAG 'tsTL'
#define DEVICE_NAME L"\\Device\\LedgerTest"
#define LINK_NAME L"\\DosDevices\\LedgerTest"

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD LedgerTestUnload;
DRIVER_DISPATCH LedgerTestOpenClose, LedgerTestControl;

static struct
{
    PMDL User, Pages;
    PVOID SystemView, UserView, Reserved, ReservedView, IoView, Contiguous, Pool;
    PIRP Irp;
    PIO_WORKITEM Item;
    HANDLE Event;
    PVOID EventObject, Process;
} Held;

#define STEP static DECLSPEC_NOINLINE VOID

STEP TakeMdl(const LEDGERTEST_BUFFER *Buffer)
{
    Held.User = IoAllocateMdl((PVOID)(ULONG_PTR)Buffer->Address, (ULONG)Buffer->Length, FALSE, FALSE, NULL);
}

STEP TakePageLock(VOID)
{
    __try
    {
        MmProbeAndLockPages(Held.User, UserMode, IoWriteAccess);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        DbgPrint("ledgertest: the lock failed: %08lx\n", GetExceptionCode());
    }
}

STEP TakeSystemMapping(VOID)
{
    Held.SystemView = MmGetSystemAddressForMdlSafe(Held.User, NormalPagePriority);
}

STEP TakeMdlPages(VOID)
{
    PHYSICAL_ADDRESS low = {.QuadPart = 0}, high = {.QuadPart = -1}, skip = {.QuadPart = 0};

    Held.Pages = MmAllocatePagesForMdlEx(low, high, skip, 3 * PAGE_SIZE, MmCached, MM_ALLOCATE_FULLY_REQUIRED);
}

STEP TakeUserMapping(VOID)
{
    __try
    {
        Held.UserView = MmMapLockedPagesSpecifyCache(Held.Pages, UserMode, MmCached, NULL, FALSE, NormalPagePriority);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        DbgPrint("ledgertest: the view failed: %08lx\n", GetExceptionCode());
    }
}

STEP TakeReservedMapping(VOID)
{
    Held.Reserved = MmAllocateMappingAddress(3 * PAGE_SIZE, TAG);
}

STEP TakeViewThere(VOID)
{
    Held.ReservedView = MmMapLockedPagesWithReservedMapping(Held.Reserved, TAG, Held.Pages, MmCached);
}

STEP TakeIoMapping(VOID)
{
    PHYSICAL_ADDRESS address = {.QuadPart = 0xFEE00000}; /* the local APIC's page */

    Held.IoView = MmMapIoSpace(address, PAGE_SIZE, MmNonCached);
}

STEP TakeContiguous(VOID)
{
    PHYSICAL_ADDRESS highest = {.QuadPart = -1};

    Held.Contiguous = MmAllocateContiguousMemory(2 * PAGE_SIZE, highest);
}

STEP TakePool(VOID)
{
    Held.Pool = ExAllocatePoolWithTag(PagedPool, 777, TAG);
}

STEP TakeIrp(PDEVICE_OBJECT Device)
{
    Held.Irp = IoAllocateIrp(Device->StackSize, FALSE);
}

STEP TakeWorkItem(PDEVICE_OBJECT Device)
{
    Held.Item = IoAllocateWorkItem(Device);
}

STEP TakeHandle(VOID)
{
    OBJECT_ATTRIBUTES attributes;

    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    ZwCreateEvent(&Held.Event, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
}

STEP TakeReference(VOID)
{
    ObReferenceObjectByHandle(Held.Event, 0, *ExEventObjectType, KernelMode, &Held.EventObject, NULL);
}

STEP TakeProcess(VOID)
{
    ObReferenceObject(PsGetCurrentProcess());
    Held.Process = PsGetCurrentProcess(); /* after the call, which would else be a jump and leave no frame */
}

static NTSTATUS TakeAll(PDEVICE_OBJECT Device, const LEDGERTEST_BUFFER *Buffer)
{
    TakeMdl(Buffer);
    TakePageLock();
    TakeSystemMapping();
    TakeMdlPages();
    TakeUserMapping();
    TakeReservedMapping();
    TakeViewThere();
    TakeIoMapping();
    TakeContiguous();
    TakePool();
    TakeIrp(Device);
    TakeWorkItem(Device);
    TakeHandle();
    TakeReference();
    TakeProcess();
    return Held.User != NULL && Held.SystemView != NULL && Held.UserView != NULL && Held.ReservedView != NULL &&
                   Held.IoView != NULL && Held.Contiguous != NULL && Held.Pool != NULL && Held.Irp != NULL &&
                   Held.Item != NULL && Held.EventObject != NULL
               ? STATUS_SUCCESS
               : STATUS_UNSUCCESSFUL;
}

static NTSTATUS ReleaseAll(VOID)
{
    ObDereferenceObject(Held.Process);
    ObDereferenceObject(Held.EventObject);
    ZwClose(Held.Event);
    IoFreeWorkItem(Held.Item);
    IoFreeIrp(Held.Irp);
    ExFreePoolWithTag(Held.Pool, TAG);
    MmFreeContiguousMemory(Held.Contiguous);
    MmUnmapIoSpace(Held.IoView, PAGE_SIZE);
    MmUnmapReservedMapping(Held.Reserved, TAG, Held.Pages);
    MmFreeMappingAddress(Held.Reserved, TAG);
    MmUnmapLockedPages(Held.UserView, Held.Pages);
    MmFreePagesFromMdl(Held.Pages);
    ExFreePool(Held.Pages);
    MmUnlockPages(Held.User); /* and the system mapping */
    IoFreeMdl(Held.User);
    RtlZeroMemory(&Held, sizeof(Held));
    return STATUS_SUCCESS;
}

static NTSTATUS Leak(VOID)
{
    for (int i = 0; i < 3; i++)
    {
        if (ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG) == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI LedgerTestOpenClose(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    UNREFERENCED_PARAMETER(Device);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI LedgerTestControl(_In_ PDEVICE_OBJECT Device, _In_ PIRP Irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;

    switch (stack->Parameters.DeviceIoControl.IoControlCode)
    {
    case IOCTL_LEDGERTEST_TAKE:
        status = stack->Parameters.DeviceIoControl.InputBufferLength == sizeof(LEDGERTEST_BUFFER)
                     ? TakeAll(Device, Irp->AssociatedIrp.SystemBuffer)
                     : STATUS_INVALID_PARAMETER;
        break;
    case IOCTL_LEDGERTEST_RELEASE:
        status = ReleaseAll();
        break;
    case IOCTL_LEDGERTEST_LEAK:
        status = Leak();
        break;
    }
    Irp->IoStatus.Status = status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return status;
}

VOID NTAPI LedgerTestUnload(_In_ PDRIVER_OBJECT Driver)
{
    UNICODE_STRING link;

    RtlInitUnicodeString(&link, LINK_NAME);
    IoDeleteSymbolicLink(&link);
    IoDeleteDevice(Driver->DeviceObject);
}

NTSTATUS NTAPI DriverEntry(_In_ PDRIVER_OBJECT Driver, _In_ PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING name, link;
    PDEVICE_OBJECT device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    RtlInitUnicodeString(&name, DEVICE_NAME);
    RtlInitUnicodeString(&link, LINK_NAME);
    status = IoCreateDevice(Driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &device);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IoCreateSymbolicLink(&link, &name);
    if (!NT_SUCCESS(status))
    {
        IoDeleteDevice(device);
        return status;
    }
    Driver->MajorFunction[IRP_MJ_CREATE] = LedgerTestOpenClose;
    Driver->MajorFunction[IRP_MJ_CLOSE] = LedgerTestOpenClose;
    Driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = LedgerTestControl;
    Driver->DriverUnload = LedgerTestUnload;
    return STATUS_SUCCESS;
}
