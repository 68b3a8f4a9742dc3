/* SPDX-License-Identifier: MIT */
/*
 * Starting a driver from its service key:
 *
 *   key -> names -> driver object (reserves the name) -> file -> image -> DriverEntry -> devices become open for all
 *
 * All of it runs in the System process at PASSIVE_LEVEL. A step that fails takes back those before it; what DriverEntry
 * leaves behind when it fails is named.
 */
#include "iop.h"

#define IOP_MAX_DRIVER_FILE (256u * 1024 * 1024)

typedef struct _IOP_WORKER_CALL
{
    WORK_QUEUE_ITEM Item;
    NTSTATUS (*Routine)(PVOID);
    PVOID Context;
    NTSTATUS Status;
    KEVENT Done;
} IOP_WORKER_CALL;

static VOID NTAPI IopWorkerEntry(PVOID Parameter)
{
    IOP_WORKER_CALL *Call = Parameter;

    Call->Status = Call->Routine(Call->Context);
    KeSetEvent(&Call->Done, IO_NO_INCREMENT, FALSE);
}

NTSTATUS IopRunOnWorker(NTSTATUS (*Routine)(PVOID), PVOID Context)
{
    IOP_WORKER_CALL Call;

    if (KiCurrentThread()->SystemThread && (PEPROCESS)KiCurrentProcess() == PsInitialSystemProcess)
    {
        return Routine(Context); /* in the right place already; a driver's own DriverEntry may load another */
    }
    Call.Routine = Routine;
    Call.Context = Context;
    Call.Status = STATUS_UNSUCCESSFUL;
    KeInitializeEvent(&Call.Done, NotificationEvent, FALSE);
    ExInitializeWorkItem(&Call.Item, IopWorkerEntry, &Call);
    ExQueueWorkItem(&Call.Item, DelayedWorkQueue);
    KeWaitForSingleObject(&Call.Done, Executive, KernelMode, FALSE, NULL);
    return Call.Status;
}

/* One string value of a key; Value->Buffer NULL if it is not there. */
static NTSTATUS IopQueryString(HANDLE Key, PCWSTR Name, PUNICODE_STRING Value)
{
    UNICODE_STRING ValueName;
    PKEY_VALUE_PARTIAL_INFORMATION Information;
    const ULONG Size = sizeof(*Information) + 1024;
    ULONG Returned;
    NTSTATUS Status;

    RtlZeroMemory(Value, sizeof(*Value));
    Information = ExAllocatePoolWithTag(PagedPool, Size, IOP_TAG_DRIVER);
    if (Information == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlInitUnicodeString(&ValueName, Name);
    Status = ZwQueryValueKey(Key, &ValueName, KeyValuePartialInformation, Information, Size, &Returned);
    if (NT_SUCCESS(Status) && (Information->Type == REG_SZ || Information->Type == REG_EXPAND_SZ))
    {
        ULONG Length = Information->DataLength & ~1u;
        PCWSTR Data = (PCWSTR)Information->Data;
        while (Length >= sizeof(WCHAR) && Data[Length / sizeof(WCHAR) - 1] == 0)
        {
            Length -= sizeof(WCHAR);
        }
        Value->Buffer = ExAllocatePoolWithTag(PagedPool, Length + sizeof(WCHAR), IOP_TAG_DRIVER);
        if (Value->Buffer != NULL)
        {
            RtlCopyMemory(Value->Buffer, Data, Length);
            Value->Buffer[Length / sizeof(WCHAR)] = 0;
            Value->Length = (USHORT)Length;
            Value->MaximumLength = (USHORT)(Length + sizeof(WCHAR));
        }
    }
    Status = (NT_SUCCESS(Status) && Value->Buffer == NULL) ? STATUS_INSUFFICIENT_RESOURCES
             : Status == STATUS_OBJECT_NAME_NOT_FOUND      ? STATUS_SUCCESS
                                                           : Status;
    ExFreePoolWithTag(Information, IOP_TAG_DRIVER);
    return Status;
}

static ULONG IopQueryDword(HANDLE Key, PCWSTR Name, ULONG Default)
{
    __attribute__((aligned(8))) UCHAR Buffer[sizeof(KEY_VALUE_PARTIAL_INFORMATION) + sizeof(ULONG)];
    PKEY_VALUE_PARTIAL_INFORMATION Information = (PKEY_VALUE_PARTIAL_INFORMATION)Buffer;
    UNICODE_STRING ValueName;
    ULONG Returned;

    RtlInitUnicodeString(&ValueName, Name);
    if (!NT_SUCCESS(
            ZwQueryValueKey(Key, &ValueName, KeyValuePartialInformation, Information, sizeof(Buffer), &Returned)) ||
        Information->Type != REG_DWORD || Information->DataLength != sizeof(ULONG))
    {
        return Default;
    }
    return *(PULONG)Information->Data;
}

static NTSTATUS IopConcatenate(PCWSTR First, PCUNICODE_STRING Second, PCWSTR Third, PUNICODE_STRING Result)
{
    SIZE_T Length = (wcslen(First) + wcslen(Third)) * sizeof(WCHAR) + Second->Length;

    if (Length > MAXUSHORT - sizeof(WCHAR))
    {
        return STATUS_NAME_TOO_LONG;
    }
    Result->Buffer = ExAllocatePoolWithTag(PagedPool, Length + sizeof(WCHAR), IOP_TAG_DRIVER);
    if (Result->Buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Result->Length = 0;
    Result->MaximumLength = (USHORT)(Length + sizeof(WCHAR));
    RtlAppendUnicodeToString(Result, First);
    RtlAppendUnicodeStringToString(Result, Second);
    RtlAppendUnicodeToString(Result, Third);
    return STATUS_SUCCESS;
}

static VOID IopFreeString(PUNICODE_STRING String)
{
    if (String->Buffer != NULL)
    {
        ExFreePoolWithTag(String->Buffer, IOP_TAG_DRIVER);
        String->Buffer = NULL;
    }
}

/* ImagePath as the registry may have it: absolute, below the system root, or missing. */
static NTSTATUS IopMakeImagePath(PCUNICODE_STRING ServiceName, PUNICODE_STRING ImagePath)
{
    UNICODE_STRING Given = *ImagePath;
    NTSTATUS Status;

    if (Given.Buffer == NULL || Given.Length == 0)
    {
        IopFreeString(ImagePath);
        return IopConcatenate(L"\\SystemRoot\\System32\\Drivers\\", ServiceName, L".sys", ImagePath);
    }
    if (Given.Buffer[0] == L'\\')
    {
        return STATUS_SUCCESS;
    }
    Status = IopConcatenate(L"\\SystemRoot\\", &Given, L"", ImagePath);
    if (NT_SUCCESS(Status))
    {
        IopFreeString(&Given);
    }
    return Status;
}

/**
 * Reads a service key: where the driver's file is and what its object is called. Both strings are freed by the caller.
 * STATUS_OBJECT_NAME_NOT_FOUND, STATUS_INVALID_PARAMETER (no driver service). PASSIVE_LEVEL.
 */
NTSTATUS IopQueryServiceKey(PCUNICODE_STRING ServiceKey, PUNICODE_STRING ImagePath, PUNICODE_STRING ObjectName)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING ServiceName = *ServiceKey;
    ULONG Type;
    HANDLE Key;
    NTSTATUS Status;

    RtlZeroMemory(ImagePath, sizeof(*ImagePath));
    RtlZeroMemory(ObjectName, sizeof(*ObjectName));
    for (ULONG Index = 0; Index < ServiceKey->Length / sizeof(WCHAR); Index++)
    {
        if (ServiceKey->Buffer[Index] == L'\\')
        {
            ServiceName.Buffer = &ServiceKey->Buffer[Index + 1];
            ServiceName.Length = (USHORT)(ServiceKey->Length - (Index + 1) * sizeof(WCHAR));
        }
    }
    if (ServiceName.Length == 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    InitializeObjectAttributes(&Attributes, (PUNICODE_STRING)ServiceKey, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL,
                               NULL);
    Status = ZwOpenKey(&Key, KEY_READ, &Attributes);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Type = IopQueryDword(Key, L"Type", 1);
    Status = (Type == 1 || Type == 2 || Type == 8) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(Status))
    {
        Status = IopQueryString(Key, L"ImagePath", ImagePath);
    }
    if (NT_SUCCESS(Status))
    {
        Status = IopMakeImagePath(&ServiceName, ImagePath);
    }
    if (NT_SUCCESS(Status))
    {
        Status = IopQueryString(Key, L"ObjectName", ObjectName);
    }
    if (NT_SUCCESS(Status) && (ObjectName->Length == 0 || ObjectName->Buffer[0] != L'\\'))
    {
        IopFreeString(ObjectName);
        Status = IopConcatenate(Type == 1 ? L"\\Driver\\" : L"\\FileSystem\\", &ServiceName, L"", ObjectName);
    }
    if (!NT_SUCCESS(Status))
    {
        IopFreeString(ImagePath);
        IopFreeString(ObjectName);
    }
    ZwClose(Key);
    return Status;
}

/* The bytes of a file, in pool. */
static NTSTATUS IopReadWholeFile(PUNICODE_STRING Path, PVOID *Bytes, PSIZE_T Size)
{
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    PFILE_OBJECT File = NULL;
    PVOID Buffer = NULL;
    ULONG64 FileSize;
    HANDLE Handle;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, Path, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = ZwOpenFile(&Handle, FILE_READ_DATA | SYNCHRONIZE, &Attributes, &Iosb, FILE_SHARE_READ | FILE_SHARE_DELETE,
                        FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = ObReferenceObjectByHandle(Handle, 0, IoFileObjectType, KernelMode, (PVOID *)&File, NULL);
    if (!NT_SUCCESS(Status))
    {
        goto Exit;
    }
    Status = IoQueryFileObjectSize(File, &FileSize);
    if (!NT_SUCCESS(Status))
    {
        goto Exit;
    }
    if (FileSize == 0 || FileSize > IOP_MAX_DRIVER_FILE)
    {
        Status = STATUS_INVALID_IMAGE_FORMAT;
        goto Exit;
    }
    Buffer = ExAllocatePoolWithTag(PagedPool, FileSize, IOP_TAG_DRIVER);
    if (Buffer == NULL)
    {
        Status = STATUS_INSUFFICIENT_RESOURCES;
        goto Exit;
    }
    Status = IoReadFileObject(File, 0, Buffer, FileSize, Size);
    if (NT_SUCCESS(Status))
    {
        *Bytes = Buffer;
        Buffer = NULL;
    }

Exit:
    if (Buffer != NULL)
    {
        ExFreePoolWithTag(Buffer, IOP_TAG_DRIVER);
    }
    if (File != NULL)
    {
        ObDereferenceObject(File);
    }
    ZwClose(Handle);
    return Status;
}

static VOID IopFillSection(IOP_DRIVER *Driver)
{
    LDR_MODULE *Module = Driver->Module;
    IOP_DRIVER_SECTION *Section = &Driver->Section;

    InitializeListHead(&Section->InLoadOrderLinks);
    Section->DllBase = Module->Base;
    Section->EntryPoint = Module->EntryPoint;
    Section->SizeOfImage = (ULONG)Module->Size;
    RtlInitUnicodeString(&Section->BaseDllName, Module->Name);
    Section->FullDllName = Driver->ImagePath;
    Section->Flags = 0x09004000;
    Section->LoadCount = 1;
    Driver->Object.DriverSection = Section;
    Driver->Object.DriverStart = Module->Base;
    Driver->Object.DriverSize = (ULONG)Module->Size;
    Driver->Object.DriverInit = (PDRIVER_INITIALIZE)Module->EntryPoint;
}

static NTSTATUS IopLoadImage(IOP_DRIVER *Driver, PUNICODE_STRING ImagePath)
{
    PVOID Bytes = NULL;
    SIZE_T Size = 0;
    UNICODE_STRING FileName = *ImagePath;
    NTSTATUS Status = IopReadWholeFile(ImagePath, &Bytes, &Size);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    for (ULONG Index = 0; Index < ImagePath->Length / sizeof(WCHAR); Index++)
    {
        if (ImagePath->Buffer[Index] == L'\\')
        {
            FileName.Buffer = &ImagePath->Buffer[Index + 1];
            FileName.Length = (USHORT)(ImagePath->Length - (Index + 1) * sizeof(WCHAR));
        }
    }
    KeWaitForSingleObject(&IopImageLock, Executive, KernelMode, FALSE, NULL);
    Status = LdrLoadImage(&FileName, Bytes, Size, &Driver->Module);
    KeReleaseMutex(&IopImageLock, FALSE);
    ExFreePoolWithTag(Bytes, IOP_TAG_DRIVER);
    if (NT_SUCCESS(Status))
    {
        PsCallImageNotifyRoutines(ImagePath, NULL, Driver->Module->Base, Driver->Module->Size, NULL, TRUE);
        Driver->ImagePath = *ImagePath;
        ImagePath->Buffer = NULL;
        IopFillSection(Driver);
    }
    return Status;
}

/* Calls DriverEntry with a registry path that is the driver's only until it returns. */
static NTSTATUS IopCallDriverEntry(IOP_DRIVER *Driver, PCUNICODE_STRING ServiceKey)
{
    UNICODE_STRING RegistryPath = {0};
    NTSTATUS Status = IopConcatenate(L"", ServiceKey, L"", &RegistryPath);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = Driver->Object.DriverInit(&Driver->Object, &RegistryPath);
    if (KeGetCurrentIrql() != PASSIVE_LEVEL)
    {
        KeBugCheckEx(IRQL_UNEXPECTED_VALUE, ((ULONG_PTR)KeGetCurrentIrql() << 16), (ULONG_PTR)Driver->Object.DriverInit,
                     0, 0);
    }
    IopFreeString(&RegistryPath);
    LdrDiscardInitSections(Driver->Module);
    for (ULONG Major = 0; Major <= IRP_MJ_MAXIMUM_FUNCTION; Major++)
    {
        if (Driver->Object.MajorFunction[Major] == NULL)
        {
            Driver->Object.MajorFunction[Major] = IopInvalidDeviceRequest;
        }
    }
    return Status;
}

NTSTATUS IopLoadDriverWorker(PVOID Context)
{
    PCUNICODE_STRING ServiceKey = Context;
    UNICODE_STRING ImagePath, ObjectName;
    PDRIVER_OBJECT Object = NULL;
    IOP_DRIVER *Driver;
    NTSTATUS Status = IopQueryServiceKey(ServiceKey, &ImagePath, &ObjectName);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = IopCreateDriverObject(&ObjectName, FALSE, &Object);
    if (!NT_SUCCESS(Status))
    {
        if (Status == STATUS_OBJECT_NAME_COLLISION || Status == STATUS_OBJECT_NAME_EXISTS)
        {
            Status = STATUS_IMAGE_ALREADY_LOADED;
        }
        goto Exit;
    }
    Driver = IOP_DRIVER_OF(Object);
    Status = IopLoadImage(Driver, &ImagePath);
    if (NT_SUCCESS(Status))
    {
        Status = IopCallDriverEntry(Driver, ServiceKey);
    }
    if (!NT_SUCCESS(Status))
    {
        IopCancelReinitialization(Object);
        Driver->Finished = TRUE;
        IopReportLeftoverDevices(Object);
        ObMakeTemporaryObject(Object);
        ObDereferenceObject(Object);
        goto Exit;
    }
    if (Object->DriverExtension->AddDevice != NULL)
    {
        Object->Flags &= ~DRVO_LEGACY_DRIVER; /* devices would come from a plug-and-play manager; there is none */
    }
    IopReadyDevices(Object);
    IopRunReinitialization(Object);

Exit:
    IopFreeString(&ImagePath);
    IopFreeString(&ObjectName);
    return Status;
}

NTSTATUS IoLoadDriver(PCUNICODE_STRING ServiceKey)
{
    return IopRunOnWorker(IopLoadDriverWorker, (PVOID)ServiceKey);
}
