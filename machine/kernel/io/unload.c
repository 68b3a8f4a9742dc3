/* SPDX-License-Identifier: MIT */
/*
 * Stopping drivers.
 *
 *   asked --(no open handle on any device)--> DriverUnload --> name gone --(last device and reference)--> image freed
 *      \--(handles open)--> unload pending: no new opens, DriverUnload at the last close
 */
#include "iop.h"
#include "rtl.h"

/** Names the devices a driver leaves behind. They keep its image in memory, so that nothing breaks later. */
VOID IopReportLeftoverDevices(PDRIVER_OBJECT Driver)
{
    ULONG Count = 0;
    KIRQL Irql;

    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    for (PDEVICE_OBJECT Device = Driver->DeviceObject; Device != NULL; Device = Device->NextDevice)
    {
        Count++;
        IopDeviceExtension(Device)->Flags |= DOE_UNLOAD_PENDING; /* its driver is gone: no opens */
    }
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    if (Count != 0)
    {
        HalPrint(HalStreamError, "I/O: %wZ ended and left %lu device%s behind\n", &Driver->DriverName, Count,
                 Count == 1 ? "" : "s");
    }
}

/* What a driver still holds after DriverUnload. */
static VOID IopReportHoldings(PVOID Start)
{
    const LDR_MODULE *Module = VfLedgerOn ? LdrFindModule(Start, NULL) : NULL;
    CHAR Title[LDR_NAME_LENGTH + 32];

    if (Module != NULL)
    {
        _snprintf(Title, sizeof(Title), "when %ws has unloaded", Module->Name);
        VfReportLedger(Title, Module);
    }
}

static NTSTATUS IopRunUnload(PVOID Context)
{
    IOP_DRIVER *Driver = Context;

    Driver->Object.DriverUnload(&Driver->Object);
    IopReportHoldings(Driver->Object.DriverStart);
    Driver->Finished = TRUE;
    IopCancelReinitialization(&Driver->Object);
    IopReportLeftoverDevices(&Driver->Object);
    ObMakeTemporaryObject(Driver);
    ObDereferenceObject(Driver); /* the reference of IopCreateDriverObject */
    return STATUS_SUCCESS;
}

/* May DriverUnload run now? Marks it as invoked if so. IopDatabaseLock held. */
static BOOLEAN IopClaimUnload(PDRIVER_OBJECT Driver)
{
    for (PDEVICE_OBJECT Device = Driver->DeviceObject; Device != NULL; Device = Device->NextDevice)
    {
        if (Device->ReferenceCount != 0 || Device->AttachedDevice != NULL)
        {
            return FALSE;
        }
    }
    Driver->Flags |= DRVO_UNLOAD_INVOKED;
    return TRUE;
}

/** A device of a driver with a pending unload was closed for the last time. PASSIVE_LEVEL. */
VOID IopContinueUnload(PDRIVER_OBJECT Driver)
{
    BOOLEAN Claimed;
    KIRQL Irql;

    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    Claimed = IOP_DRIVER_OF(Driver)->UnloadPending && !(Driver->Flags & DRVO_UNLOAD_INVOKED) && IopClaimUnload(Driver);
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    if (Claimed)
    {
        IopRunOnWorker(IopRunUnload, IOP_DRIVER_OF(Driver));
    }
}

static NTSTATUS IopUnloadDriverObject(PDRIVER_OBJECT Object)
{
    IOP_DRIVER *Driver = IOP_DRIVER_OF(Object);
    BOOLEAN Claimed;
    KIRQL Irql;

    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    /*
     * Without a plug-and-play manager a driver with AddDevice has no device, and may go as it would after the last
     * one.
     */
    if (Object->DriverUnload == NULL || !(Object->Flags & DRVO_INITIALIZED) || (Object->Flags & DRVO_UNLOAD_INVOKED) ||
        Driver->Builtin || (!(Object->Flags & DRVO_LEGACY_DRIVER) && Object->DeviceObject != NULL))
    {
        KeReleaseSpinLock(&IopDatabaseLock, Irql);
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    Driver->UnloadPending = TRUE;
    for (PDEVICE_OBJECT Device = Object->DeviceObject; Device != NULL; Device = Device->NextDevice)
    {
        IopDeviceExtension(Device)->Flags |= DOE_UNLOAD_PENDING;
    }
    Claimed = IopClaimUnload(Object);
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    return Claimed ? IopRunOnWorker(IopRunUnload, Driver) : STATUS_SUCCESS;
}

/* IoUnloadDriver's search for the object, in the System process. */
static NTSTATUS IopUnloadDriverWorker(PVOID Context)
{
    UNICODE_STRING ImagePath, ObjectName;
    PVOID Object;
    NTSTATUS Status = IopQueryServiceKey(Context, &ImagePath, &ObjectName);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = ObReferenceObjectByName(&ObjectName, OBJ_CASE_INSENSITIVE, NULL, 0, IoDriverObjectType, KernelMode, NULL,
                                     &Object);
    ExFreePoolWithTag(ImagePath.Buffer, IOP_TAG_DRIVER);
    ExFreePoolWithTag(ObjectName.Buffer, IOP_TAG_DRIVER);
    if (NT_SUCCESS(Status))
    {
        Status = IopUnloadDriverObject(Object);
        ObDereferenceObject(Object);
    }
    return Status;
}

NTSTATUS IoUnloadDriver(PCUNICODE_STRING ServiceKey)
{
    return IopRunOnWorker(IopUnloadDriverWorker, (PVOID)ServiceKey);
}

/* Privilege check and a kernel copy of the key's name, for both services. */
static NTSTATUS IopCaptureServiceKey(PUNICODE_STRING ServiceKey, PUNICODE_STRING Captured)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    LUID Privilege = { .LowPart = SE_LOAD_DRIVER_PRIVILEGE };
    UNICODE_STRING Local;

    if (Mode != KernelMode && !SeSinglePrivilegeCheck(Privilege, Mode))
    {
        return STATUS_PRIVILEGE_NOT_HELD;
    }
    Captured->Buffer = NULL;
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead(ServiceKey, sizeof(*ServiceKey), sizeof(PVOID));
        }
        Local = *(volatile UNICODE_STRING *)ServiceKey;
        if (Local.Length == 0 || (Local.Length & 1) || Local.Length > MAXUSHORT - sizeof(WCHAR))
        {
            return STATUS_INVALID_PARAMETER;
        }
        if (Mode != KernelMode)
        {
            ProbeForRead(Local.Buffer, Local.Length, sizeof(WCHAR));
        }
        Captured->Buffer = ExAllocatePoolWithTag(PagedPool, Local.Length + sizeof(WCHAR), IOP_TAG_DRIVER);
        if (Captured->Buffer == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        RtlCopyMemory(Captured->Buffer, Local.Buffer, Local.Length);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        if (Captured->Buffer != NULL)
        {
            ExFreePoolWithTag(Captured->Buffer, IOP_TAG_DRIVER);
        }
        return GetExceptionCode();
    }
    Captured->Length = Local.Length;
    Captured->MaximumLength = Local.Length + sizeof(WCHAR);
    Captured->Buffer[Local.Length / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}

/**
 * Loads and starts a driver by its service key. Needs the load-driver privilege.
 * @return STATUS_PRIVILEGE_NOT_HELD, STATUS_IMAGE_ALREADY_LOADED, STATUS_OBJECT_NAME_NOT_FOUND, what the loader says,
 * or what DriverEntry returned. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtLoadDriver(_In_ PUNICODE_STRING DriverServiceName)
{
    UNICODE_STRING ServiceKey;
    NTSTATUS Status = IopCaptureServiceKey(DriverServiceName, &ServiceKey);

    if (NT_SUCCESS(Status))
    {
        Status = IoLoadDriver(&ServiceKey);
        ExFreePoolWithTag(ServiceKey.Buffer, IOP_TAG_DRIVER);
    }
    return Status;
}

/**
 * Stops a driver by its service key. Success also if DriverUnload has to wait for open handles.
 * @return STATUS_INVALID_DEVICE_REQUEST if the driver has no DriverUnload or is being unloaded already.
 * IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtUnloadDriver(_In_ PUNICODE_STRING DriverServiceName)
{
    UNICODE_STRING ServiceKey;
    NTSTATUS Status = IopCaptureServiceKey(DriverServiceName, &ServiceKey);

    if (NT_SUCCESS(Status))
    {
        Status = IoUnloadDriver(&ServiceKey);
        ExFreePoolWithTag(ServiceKey.Buffer, IOP_TAG_DRIVER);
    }
    return Status;
}
