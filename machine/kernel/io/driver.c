/* SPDX-License-Identifier: MIT */
/*
 * Driver objects: their making and end, what drivers attach to them, and the built-in drivers of the machine.
 */
#include "iop.h"

volatile LONG64 IopDriverCount;
KMUTEX IopImageLock;
UNICODE_STRING IopHardwareKeyName = RTL_CONSTANT_STRING(L"\\REGISTRY\\MACHINE\\HARDWARE\\DESCRIPTION\\SYSTEM");

typedef struct _IOP_REINITIALIZATION
{
    LIST_ENTRY Links;
    PDRIVER_OBJECT Driver;
    PDRIVER_REINITIALIZE Routine;
    PVOID Context;
} IOP_REINITIALIZATION;

static LIST_ENTRY IopReinitializations = { &IopReinitializations, &IopReinitializations };
static KSPIN_LOCK IopReinitializationLock;

/** What every major function does until the driver says otherwise. IRQL <= DISPATCH_LEVEL. */
NTSTATUS NTAPI IopInvalidDeviceRequest(PDEVICE_OBJECT Device, PIRP Irp)
{
    Irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
    Irp->IoStatus.Information = 0;
    IofCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_INVALID_DEVICE_REQUEST;
}

/* A pool copy with a terminating zero. */
static NTSTATUS IopCopyString(PCUNICODE_STRING Source, PUNICODE_STRING Copy)
{
    Copy->Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Source->Length + sizeof(WCHAR), IOP_TAG_DRIVER);
    if (Copy->Buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Copy->MaximumLength = Source->Length + sizeof(WCHAR);
    RtlCopyUnicodeString(Copy, Source);
    Copy->Buffer[Copy->Length / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}

static VOID IopInitializeDriverObject(IOP_DRIVER *Driver, BOOLEAN Builtin)
{
    Driver->Object.Type = IO_TYPE_DRIVER;
    Driver->Object.Size = sizeof(DRIVER_OBJECT);
    Driver->Object.DriverExtension = &Driver->Extension;
    Driver->Object.HardwareDatabase = &IopHardwareKeyName;
    Driver->Object.Flags = Builtin ? DRVO_BUILTIN_DRIVER : DRVO_LEGACY_DRIVER;
    Driver->Extension.DriverObject = &Driver->Object;
    Driver->Builtin = Builtin;
    for (ULONG Major = 0; Major <= IRP_MJ_MAXIMUM_FUNCTION; Major++)
    {
        Driver->Object.MajorFunction[Major] = IopInvalidDeviceRequest;
    }
}

/**
 * Makes a driver object and enters it under its full name (\Driver\x), which also keeps a second load of the same
 * driver out. The caller gets a reference; the name holds another. STATUS_OBJECT_NAME_COLLISION. PASSIVE_LEVEL.
 */
NTSTATUS IopCreateDriverObject(PCUNICODE_STRING Name, BOOLEAN Builtin, PDRIVER_OBJECT *Created)
{
    OBJECT_ATTRIBUTES Attributes;
    IOP_DRIVER *Driver;
    PVOID Inserted = NULL;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, (PUNICODE_STRING)Name,
                               OBJ_PERMANENT | OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = ObCreateObject(KernelMode, IoDriverObjectType, &Attributes, KernelMode, NULL, sizeof(IOP_DRIVER), 0, 0,
                            (PVOID *)&Driver);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    IopInitializeDriverObject(Driver, Builtin);
    if (!Builtin)
    {
        InterlockedIncrement64(&IopDriverCount);
    }
    Status = IopCopyString(Name, &Driver->Object.DriverName);
    if (NT_SUCCESS(Status))
    {
        const UNICODE_STRING *Full = &Driver->Object.DriverName;
        UNICODE_STRING Last = *Full;
        for (ULONG Index = 0; Index < Full->Length / sizeof(WCHAR); Index++)
        {
            if (Full->Buffer[Index] == L'\\')
            {
                Last.Buffer = &Full->Buffer[Index + 1];
                Last.Length = (USHORT)(Full->Length - (Index + 1) * sizeof(WCHAR));
            }
        }
        Status = IopCopyString(&Last, &Driver->Extension.ServiceKeyName);
    }
    if (!NT_SUCCESS(Status))
    {
        ObDereferenceObject(Driver);
        return Status;
    }
    Status = ObInsertObject(Driver, NULL, 0, 0, &Inserted, NULL);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    *Created = &((IOP_DRIVER *)Inserted)->Object;
    return STATUS_SUCCESS;
}

/* The type's delete method: no device and no code of the driver is in use any more. */
VOID IopDeleteDriverObject(PVOID Object)
{
    IOP_DRIVER *Driver = Object;

    for (IOP_CLIENT_EXTENSION *Extension = Driver->ClientExtensions, *Next; Extension != NULL; Extension = Next)
    {
        Next = Extension->Next;
        ExFreePoolWithTag(Extension, IOP_TAG_DRIVER);
    }
    if (Driver->Module != NULL)
    {
        KeWaitForSingleObject(&IopImageLock, Executive, KernelMode, FALSE, NULL);
        LdrUnloadImage(Driver->Module);
        KeReleaseMutex(&IopImageLock, FALSE);
    }
    if (Driver->ImagePath.Buffer != NULL)
    {
        ExFreePoolWithTag(Driver->ImagePath.Buffer, IOP_TAG_DRIVER);
    }
    if (Driver->Extension.ServiceKeyName.Buffer != NULL)
    {
        ExFreePoolWithTag(Driver->Extension.ServiceKeyName.Buffer, IOP_TAG_DRIVER);
    }
    if (Driver->Object.DriverName.Buffer != NULL)
    {
        ExFreePoolWithTag(Driver->Object.DriverName.Buffer, IOP_TAG_DRIVER);
    }
    if (!Driver->Builtin)
    {
        InterlockedDecrement64(&IopDriverCount);
    }
}

/** Ends the initialising state of the devices a driver made in DriverEntry. <= DISPATCH_LEVEL. */
VOID IopReadyDevices(PDRIVER_OBJECT Driver)
{
    KIRQL Irql;

    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    Driver->Flags |= DRVO_INITIALIZED;
    for (PDEVICE_OBJECT Device = Driver->DeviceObject; Device != NULL; Device = Device->NextDevice)
    {
        Device->Flags &= ~DO_DEVICE_INITIALIZING;
    }
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
}

/** A driver that is part of the kernel: Initialize makes its devices. PASSIVE_LEVEL. */
NTSTATUS IopCreateBuiltinDriver(PCWSTR Name, PDRIVER_INITIALIZE Initialize, PDRIVER_OBJECT *Created)
{
    UNICODE_STRING DriverName;
    PDRIVER_OBJECT Driver;
    NTSTATUS Status;

    RtlInitUnicodeString(&DriverName, Name);
    Status = IopCreateDriverObject(&DriverName, TRUE, &Driver);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Driver->DriverInit = Initialize;
    Status = Initialize(Driver, &DriverName);
    if (NT_SUCCESS(Status))
    {
        IopReadyDevices(Driver);
        *Created = Driver;
    }
    return Status;
}

/**
 * A driver object without a file, for code that is loaded already. The name may be NULL: one is made up.
 * IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoCreateDriver(_In_opt_ PUNICODE_STRING DriverName, _In_ PDRIVER_INITIALIZE InitializationFunction)
{
    static volatile LONG Next;
    UNICODE_STRING Name;
    WCHAR Buffer[32] = L"\\Driver\\00000000";
    PDRIVER_OBJECT Driver;
    NTSTATUS Status;

    if (DriverName == NULL)
    {
        ULONG Number = (ULONG)InterlockedIncrement(&Next);
        for (ULONG Digit = 0; Digit < 8; Digit++)
        {
            Buffer[15 - Digit] = L"0123456789"[Number % 10];
            Number /= 10;
        }
        RtlInitUnicodeString(&Name, Buffer);
        DriverName = &Name;
    }
    Status = IopCreateDriverObject(DriverName, FALSE, &Driver);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Driver->DriverInit = InitializationFunction;
    Status = InitializationFunction(Driver, NULL);
    if (NT_SUCCESS(Status))
    {
        IopReadyDevices(Driver);
        return Status;
    }
    IopReportLeftoverDevices(Driver);
    ObMakeTemporaryObject(Driver);
    ObDereferenceObject(Driver);
    return Status;
}

/** Undoes IoCreateDriver. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoDeleteDriver(_In_ PDRIVER_OBJECT DriverObject)
{
    ObMakeTemporaryObject(DriverObject);
    ObDereferenceObject(DriverObject);
}

/* ---- extensions of drivers' own ---- */

/**
 * Memory that lives with the driver object, found again by ClientIdentificationAddress. Zeroed.
 * STATUS_OBJECT_NAME_COLLISION if the identification is taken. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoAllocateDriverObjectExtension(_In_ PDRIVER_OBJECT DriverObject, _In_ PVOID ClientIdentificationAddress,
                                               _In_ ULONG DriverObjectExtensionSize, _Out_ PVOID *DriverObjectExtension)
{
    IOP_DRIVER *Driver = IOP_DRIVER_OF(DriverObject);
    IOP_CLIENT_EXTENSION *Extension, *Other;
    KIRQL Irql;

    *DriverObjectExtension = NULL;
    if (DriverObjectExtensionSize > MAXULONG - sizeof(*Extension))
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Extension =
        ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Extension) + (SIZE_T)DriverObjectExtensionSize, IOP_TAG_DRIVER);
    if (Extension == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(Extension, sizeof(*Extension) + (SIZE_T)DriverObjectExtensionSize);
    Extension->Identification = ClientIdentificationAddress;
    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    for (Other = Driver->ClientExtensions; Other != NULL; Other = Other->Next)
    {
        if (Other->Identification == ClientIdentificationAddress)
        {
            break;
        }
    }
    if (Other == NULL)
    {
        Extension->Next = Driver->ClientExtensions;
        Driver->ClientExtensions = Extension;
    }
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    if (Other != NULL)
    {
        ExFreePoolWithTag(Extension, IOP_TAG_DRIVER);
        return STATUS_OBJECT_NAME_COLLISION;
    }
    *DriverObjectExtension = Extension->Data;
    return STATUS_SUCCESS;
}

/** What IoAllocateDriverObjectExtension made, or NULL. IRQL <= DISPATCH_LEVEL. */
PVOID NTAPI IoGetDriverObjectExtension(_In_ PDRIVER_OBJECT DriverObject, _In_ PVOID ClientIdentificationAddress)
{
    PVOID Found = NULL;
    KIRQL Irql;

    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    for (IOP_CLIENT_EXTENSION *Extension = IOP_DRIVER_OF(DriverObject)->ClientExtensions; Extension != NULL;
         Extension = Extension->Next)
    {
        if (Extension->Identification == ClientIdentificationAddress)
        {
            Found = Extension->Data;
            break;
        }
    }
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    return Found;
}

/* ---- reinitialisation ---- */

/**
 * Has a routine called once after DriverEntry has returned success, on the thread that loads the driver. Without memory
 * nothing is registered, as on NT. IRQL PASSIVE_LEVEL.
 */
VOID NTAPI IoRegisterDriverReinitialization(_In_ PDRIVER_OBJECT DriverObject,
                                            _In_ PDRIVER_REINITIALIZE DriverReinitializationRoutine,
                                            _In_opt_ PVOID Context)
{
    IOP_REINITIALIZATION *Entry = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Entry), IOP_TAG_DRIVER);
    KIRQL Irql;

    if (Entry == NULL)
    {
        return;
    }
    Entry->Driver = DriverObject;
    Entry->Routine = DriverReinitializationRoutine;
    Entry->Context = Context;
    DriverObject->Flags |= DRVO_REINIT_REGISTERED;
    KeAcquireSpinLock(&IopReinitializationLock, &Irql);
    InsertTailList(&IopReinitializations, &Entry->Links);
    KeReleaseSpinLock(&IopReinitializationLock, Irql);
}

/** The machine has no boot-start phase: as IoRegisterDriverReinitialization. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoRegisterBootDriverReinitialization(_In_ PDRIVER_OBJECT DriverObject,
                                                _In_ PDRIVER_REINITIALIZE DriverReinitializationRoutine,
                                                _In_opt_ PVOID Context)
{
    IoRegisterDriverReinitialization(DriverObject, DriverReinitializationRoutine, Context);
}

/* Takes the first entry, of one driver or of any. */
static IOP_REINITIALIZATION *IopTakeReinitialization(PDRIVER_OBJECT Driver)
{
    IOP_REINITIALIZATION *Found = NULL;
    KIRQL Irql;

    KeAcquireSpinLock(&IopReinitializationLock, &Irql);
    for (PLIST_ENTRY Link = IopReinitializations.Flink; Link != &IopReinitializations; Link = Link->Flink)
    {
        IOP_REINITIALIZATION *Entry = CONTAINING_RECORD(Link, IOP_REINITIALIZATION, Links);
        if (Entry->Driver == Driver)
        {
            RemoveEntryList(Link);
            Found = Entry;
            break;
        }
    }
    KeReleaseSpinLock(&IopReinitializationLock, Irql);
    return Found;
}

/** Calls a driver's reinitialisation routines, also those that they register meanwhile. PASSIVE_LEVEL. */
VOID IopRunReinitialization(PDRIVER_OBJECT Driver)
{
    IOP_REINITIALIZATION *Entry;

    while ((Entry = IopTakeReinitialization(Driver)) != NULL)
    {
        Driver->DriverExtension->Count++;
        Driver->Flags &= ~DRVO_REINIT_REGISTERED;
        Entry->Routine(Driver, Entry->Context, Driver->DriverExtension->Count);
        ExFreePoolWithTag(Entry, IOP_TAG_DRIVER);
    }
}

/** Forgets the routines of a driver that failed to start. */
VOID IopCancelReinitialization(PDRIVER_OBJECT Driver)
{
    IOP_REINITIALIZATION *Entry;

    while ((Entry = IopTakeReinitialization(Driver)) != NULL)
    {
        ExFreePoolWithTag(Entry, IOP_TAG_DRIVER);
    }
}
