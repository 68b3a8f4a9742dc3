/* SPDX-License-Identifier: MIT */
/*
 * File systems making themselves known, and those who want to hear of it. Volumes are not mounted here: the RAM disk is
 * both device and file system, so a registered file system is only told to the others.
 */
#include "iop.h"

typedef struct _IOP_FS_CHANGE
{
    LIST_ENTRY Links;
    PDRIVER_OBJECT Driver; /* referenced */
    PDRIVER_FS_NOTIFICATION Routine;
} IOP_FS_CHANGE;

static LIST_ENTRY IopFileSystems = { &IopFileSystems, &IopFileSystems };   /* DEVICE_OBJECT.Queue.ListEntry */
static LIST_ENTRY IopFsChanges = { &IopFsChanges, &IopFsChanges };
static KMUTEX IopFsMutex;

VOID IopInitializeFileSystems(VOID)
{
    KeInitializeMutex(&IopFsMutex, 0);
}

static VOID IopLockFileSystems(VOID)
{
    KeWaitForSingleObject(&IopFsMutex, Executive, KernelMode, FALSE, NULL);
}

static VOID IopUnlockFileSystems(VOID)
{
    KeReleaseMutex(&IopFsMutex, FALSE);
}

static VOID IopTellFsChange(PDEVICE_OBJECT Device, BOOLEAN Active)
{
    for (PLIST_ENTRY Link = IopFsChanges.Flink; Link != &IopFsChanges; Link = Link->Flink)
    {
        CONTAINING_RECORD(Link, IOP_FS_CHANGE, Links)->Routine(Device, Active);
    }
}

/** Makes a file system's control device known. It stays referenced until IoUnregisterFileSystem. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoRegisterFileSystem(_In_ PDEVICE_OBJECT DeviceObject)
{
    KIRQL Irql;

    IopLockFileSystems();
    InsertHeadList(&IopFileSystems, &DeviceObject->Queue.ListEntry);
    KeAcquireSpinLock(&IopDatabaseLock, &Irql);
    DeviceObject->ReferenceCount++;
    KeReleaseSpinLock(&IopDatabaseLock, Irql);
    DeviceObject->Flags &= ~DO_DEVICE_INITIALIZING;
    IopTellFsChange(DeviceObject, TRUE);
    IopUnlockFileSystems();
}

/** Undoes IoRegisterFileSystem. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoUnregisterFileSystem(_In_ PDEVICE_OBJECT DeviceObject)
{
    IopLockFileSystems();
    IopTellFsChange(DeviceObject, FALSE);
    RemoveEntryList(&DeviceObject->Queue.ListEntry);
    InitializeListHead(&DeviceObject->Queue.ListEntry);
    IopUnlockFileSystems();
    IopDereferenceDevice(DeviceObject);
}

/**
 * Has a routine called for every file system there is and for each that comes or goes.
 * STATUS_INSUFFICIENT_RESOURCES. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoRegisterFsRegistrationChange(_In_ PDRIVER_OBJECT DriverObject,
                                              _In_ PDRIVER_FS_NOTIFICATION DriverNotificationRoutine)
{
    IOP_FS_CHANGE *Entry = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Entry), IOP_TAG_DRIVER);

    if (Entry == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ObReferenceObject(DriverObject);
    Entry->Driver = DriverObject;
    Entry->Routine = DriverNotificationRoutine;
    IopLockFileSystems();
    InsertTailList(&IopFsChanges, &Entry->Links);
    for (PLIST_ENTRY Link = IopFileSystems.Flink; Link != &IopFileSystems; Link = Link->Flink)
    {
        DriverNotificationRoutine(CONTAINING_RECORD(Link, DEVICE_OBJECT, Queue.ListEntry), TRUE);
    }
    IopUnlockFileSystems();
    return STATUS_SUCCESS;
}

/** Undoes IoRegisterFsRegistrationChange. IRQL PASSIVE_LEVEL. */
VOID NTAPI IoUnregisterFsRegistrationChange(_In_ PDRIVER_OBJECT DriverObject,
                                            _In_ PDRIVER_FS_NOTIFICATION DriverNotificationRoutine)
{
    IOP_FS_CHANGE *Found = NULL;

    IopLockFileSystems();
    for (PLIST_ENTRY Link = IopFsChanges.Flink; Link != &IopFsChanges; Link = Link->Flink)
    {
        IOP_FS_CHANGE *Entry = CONTAINING_RECORD(Link, IOP_FS_CHANGE, Links);
        if (Entry->Driver == DriverObject && Entry->Routine == DriverNotificationRoutine)
        {
            RemoveEntryList(Link);
            Found = Entry;
            break;
        }
    }
    IopUnlockFileSystems();
    if (Found != NULL)
    {
        ObDereferenceObject(Found->Driver);
        ExFreePoolWithTag(Found, IOP_TAG_DRIVER);
    }
}

/** The transaction a file was opened in: files here are never opened in one, so NULL. IRQL any. */
PTXN_PARAMETER_BLOCK NTAPI IoGetTransactionParameterBlock(_In_ PFILE_OBJECT FileObject)
{
    return NULL;
}

/** Was the file marked as opened for a remote client? IRQL any. */
BOOLEAN NTAPI IoIsFileOriginRemote(_In_ PFILE_OBJECT FileObject)
{
    return (FileObject->Flags & FO_REMOTE_ORIGIN) != 0;
}

/** Marks it, or takes the mark away. STATUS_INVALID_PARAMETER_MIX if it is so already. IRQL any. */
NTSTATUS NTAPI IoSetFileOrigin(_In_ PFILE_OBJECT FileObject, _In_ BOOLEAN Remote)
{
    if (IoIsFileOriginRemote(FileObject) == (Remote != FALSE))
    {
        return STATUS_INVALID_PARAMETER_MIX;
    }
    FileObject->Flags ^= FO_REMOTE_ORIGIN;
    return STATUS_SUCCESS;
}

/* The target of a symbolic link, in the caller's buffer. */
static NTSTATUS IopReadLink(PUNICODE_STRING LinkName, PUNICODE_STRING Target)
{
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Link;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, LinkName, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    Status = ZwOpenSymbolicLinkObject(&Link, SYMBOLIC_LINK_QUERY, &Attributes);
    if (NT_SUCCESS(Status))
    {
        Status = ZwQuerySymbolicLinkObject(Link, Target, NULL);
        ZwClose(Link);
    }
    return Status;
}

/**
 * The drive letter ("C:") that leads to a device.
 * @param DosName  Out: its buffer is paged pool, freed by the caller with ExFreePool.
 * @return STATUS_OBJECT_NAME_NOT_FOUND. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoVolumeDeviceToDosName(_In_ PVOID VolumeDeviceObject, _Out_ PUNICODE_STRING DosName)
{
    const ULONG Size = 1024;
    WCHAR LinkBuffer[] = L"\\GLOBAL??\\A:";
    UNICODE_STRING Link, Target;
    POBJECT_NAME_INFORMATION Name;
    PWCHAR Buffer;
    ULONG Returned;
    NTSTATUS Status;

    Name = ExAllocatePoolWithTag(PagedPool, 2 * Size, IOP_TAG_NAME);
    if (Name == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Buffer = (PWCHAR)((PUCHAR)Name + Size);
    Status = ObQueryNameString(VolumeDeviceObject, Name, Size, &Returned);
    if (NT_SUCCESS(Status))
    {
        Status = STATUS_OBJECT_NAME_NOT_FOUND;
        RtlInitUnicodeString(&Link, LinkBuffer);
        for (WCHAR Letter = L'A'; Letter <= L'Z'; Letter++)
        {
            LinkBuffer[10] = Letter;
            Target.Buffer = Buffer;
            Target.Length = 0;
            Target.MaximumLength = (USHORT)Size;
            if (NT_SUCCESS(IopReadLink(&Link, &Target)) && RtlEqualUnicodeString(&Target, &Name->Name, TRUE))
            {
                Status = STATUS_SUCCESS;
                break;
            }
        }
    }
    ExFreePoolWithTag(Name, IOP_TAG_NAME);
    if (NT_SUCCESS(Status))
    {
        DosName->Buffer = ExAllocatePoolWithTag(PagedPool, 3 * sizeof(WCHAR), IOP_TAG_NAME);
        if (DosName->Buffer == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        DosName->Length = 2 * sizeof(WCHAR);
        DosName->MaximumLength = 3 * sizeof(WCHAR);
        RtlCopyMemory(DosName->Buffer, &LinkBuffer[10], 3 * sizeof(WCHAR));
    }
    return Status;
}

/**
 * A file's path as a program would write it ("C:\dir\file").
 * @param ObjectNameInformation  Out: paged pool, freed by the caller with ExFreePool. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoQueryFileDosDeviceName(_In_ PFILE_OBJECT FileObject,
                                        _Out_ POBJECT_NAME_INFORMATION *ObjectNameInformation)
{
    const ULONG Size = 0x8000;
    UNICODE_STRING Drive;
    PFILE_NAME_INFORMATION FileName;
    POBJECT_NAME_INFORMATION Result;
    ULONG Length;
    NTSTATUS Status = IoVolumeDeviceToDosName(FileObject->DeviceObject, &Drive);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    FileName = ExAllocatePoolWithTag(NonPagedPoolNx, Size, IOP_TAG_NAME);
    Result = ExAllocatePoolWithTag(PagedPool, sizeof(*Result) + Size, IOP_TAG_NAME);
    Status = (FileName == NULL || Result == NULL)
                 ? STATUS_INSUFFICIENT_RESOURCES
                 : IopQuerySetFile(FileObject, IRP_MJ_QUERY_INFORMATION, FileNameInformation, FileName, Size, NULL);
    if (NT_SUCCESS(Status))
    {
        Length = Drive.Length + FileName->FileNameLength;
        Result->Name.Buffer = (PWCHAR)(Result + 1);
        Result->Name.Length = (USHORT)Length;
        Result->Name.MaximumLength = (USHORT)(Length + sizeof(WCHAR));
        RtlCopyMemory(Result->Name.Buffer, Drive.Buffer, Drive.Length);
        RtlCopyMemory((PUCHAR)Result->Name.Buffer + Drive.Length, FileName->FileName, FileName->FileNameLength);
        Result->Name.Buffer[Length / sizeof(WCHAR)] = 0;
        *ObjectNameInformation = Result;
        Result = NULL;
    }
    if (FileName != NULL)
    {
        ExFreePoolWithTag(FileName, IOP_TAG_NAME);
    }
    if (Result != NULL)
    {
        ExFreePoolWithTag(Result, IOP_TAG_NAME);
    }
    ExFreePoolWithTag(Drive.Buffer, IOP_TAG_NAME);
    return Status;
}
