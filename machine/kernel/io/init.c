/* SPDX-License-Identifier: MIT */
/*
 * IO's start: object types, the built-in devices, the links every program expects.
 */
#include "iop.h"

POBJECT_TYPE IoFileObjectType, IoDriverObjectType, IoDeviceObjectType;
GENERIC_MAPPING IopFileMapping = { FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS };

static VOID IopCreateType(const OB_TYPE_DEFINITION *Definition, POBJECT_TYPE *Type)
{
    NTSTATUS Status = ObCreateType(Definition, Type);

    if (!NT_SUCCESS(Status))
    {
        KeBugCheckEx(IO1_INITIALIZATION_FAILED, (ULONG_PTR)Status, (ULONG_PTR)Definition->Name, 0, 0);
    }
}

VOID IoInitializePhase0(VOID)
{
    const OB_TYPE_DEFINITION Device = {
        .Name = L"Device",
        .BodySize = IOP_DEVICE_OBJECT_SIZE,
        .PoolType = NonPagedPoolNx,
        .ValidAccess = FILE_ALL_ACCESS,
        .Mapping = IopFileMapping,
        .SecurityRequired = TRUE,
        .Methods = { .Parse = IopParseDevice, .Delete = IopDeleteDeviceObject },
    };
    const OB_TYPE_DEFINITION Driver = {
        .Name = L"Driver",
        .BodySize = sizeof(IOP_DRIVER),
        .PoolType = NonPagedPoolNx,
        .ValidAccess = FILE_ALL_ACCESS,
        .Mapping = IopFileMapping,
        .Methods = { .Delete = IopDeleteDriverObject },
    };
    const OB_TYPE_DEFINITION File = {
        .Name = L"File",
        .BodySize = sizeof(FILE_OBJECT),
        .PoolType = NonPagedPoolNx,
        .InvalidAttributes = OBJ_PERMANENT | OBJ_EXCLUSIVE | OBJ_OPENIF,
        .ValidAccess = FILE_ALL_ACCESS,
        .Mapping = IopFileMapping,
        .Waitable = TRUE,
        .WaitOffset = offsetof(FILE_OBJECT, Event),
        .Methods = { .Open = IopOpenFileHandle, .Close = IopCloseFileHandle, .Delete = IopDeleteFileObject,
                     .Parse = IopParseFile, .Security = IopFileSecurity, .QueryName = IopQueryFileName },
    };

    KeInitializeSpinLock(&IopDatabaseLock);
    KeInitializeSpinLock(&IopCancelLock);
    KeInitializeMutex(&IopImageLock, 0);
    IopCreateType(&Device, &IoDeviceObjectType);
    IopCreateType(&Driver, &IoDriverObjectType);
    IopCreateType(&File, &IoFileObjectType);
    IopInitializeTimers();
    IopInitializeFileSystems();
    if (!NT_SUCCESS(IopInitializeCompletionPorts()))
    {
        KeBugCheckEx(IO1_INITIALIZATION_FAILED, 1, 0, 0, 0);
    }
}

static NTSTATUS IopLink(PCWSTR From, PCWSTR To)
{
    UNICODE_STRING Name, Target;

    RtlInitUnicodeString(&Name, From);
    RtlInitUnicodeString(&Target, To);
    return IoCreateSymbolicLink(&Name, &Target);
}

NTSTATUS IoInitializePhase1(const VOID *Archive, SIZE_T ArchiveSize)
{
    static const struct
    {
        PCWSTR From, To;
    } Links[] = {
        { L"\\GLOBAL??\\C:", L"\\Device\\RamDisk" },
        { L"\\SystemRoot", L"\\Device\\RamDisk\\Windows" },
        { L"\\GLOBAL??\\NUL", L"\\Device\\Null" },
        { L"\\GLOBAL??\\CONIN$", L"\\Device\\ConDrv\\Input" },
        { L"\\GLOBAL??\\CONOUT$", L"\\Device\\ConDrv\\Output" },
        { L"\\GLOBAL??\\CON", L"\\Device\\ConDrv\\Console" },
    };
    NTSTATUS Status = IopInitializeRamDisk(Archive, ArchiveSize);

    if (NT_SUCCESS(Status))
    {
        Status = IopInitializeConsole(Archive, ArchiveSize);
    }
    if (NT_SUCCESS(Status))
    {
        Status = IopInitializeNull();
    }
    for (ULONG Index = 0; NT_SUCCESS(Status) && Index < RTL_NUMBER_OF(Links); Index++)
    {
        Status = IopLink(Links[Index].From, Links[Index].To);
    }
    return Status;
}
