/* SPDX-License-Identifier: MIT */
/*
 * Information about open files and volumes. What the I/O manager knows itself (position, mode, access, alignment,
 * completion port) it answers; the rest are IRP_MJ_QUERY_/SET_INFORMATION and IRP_MJ_QUERY_VOLUME_INFORMATION, always
 * with a buffer in kernel memory.
 */
#include "iop.h"

#ifndef IO_OPEN_TARGET_DIRECTORY
#define IO_OPEN_TARGET_DIRECTORY 0x0004
#endif
#define IOP_NO_PARAMETER_CHECKING 0x0100

/* Per information class: smallest buffer (0: the class is not valid for this) and the access asked of the handle. */
typedef struct _IOP_CLASS_RULE
{
    UCHAR Class;
    UCHAR Minimum;
    ACCESS_MASK Access;
} IOP_CLASS_RULE;

static const IOP_CLASS_RULE IopQueryRules[] = {
    { FileBasicInformation, sizeof(FILE_BASIC_INFORMATION), FILE_READ_ATTRIBUTES },
    { FileStandardInformation, sizeof(FILE_STANDARD_INFORMATION), 0 },
    { FileInternalInformation, sizeof(FILE_INTERNAL_INFORMATION), 0 },
    { FileEaInformation, sizeof(FILE_EA_INFORMATION), 0 },
    { FileAccessInformation, sizeof(FILE_ACCESS_INFORMATION), 0 },
    { FileNameInformation, sizeof(FILE_NAME_INFORMATION), 0 },
    { FilePositionInformation, sizeof(FILE_POSITION_INFORMATION), 0 },
    { FileModeInformation, sizeof(FILE_MODE_INFORMATION), 0 },
    { FileAlignmentInformation, sizeof(FILE_ALIGNMENT_INFORMATION), 0 },
    { FileAllInformation, sizeof(FILE_ALL_INFORMATION), FILE_READ_ATTRIBUTES },
    { FileAlternateNameInformation, sizeof(FILE_NAME_INFORMATION), 0 },
    { FileStreamInformation, sizeof(FILE_STREAM_INFORMATION), 0 },
    { FilePipeInformation, sizeof(FILE_PIPE_INFORMATION), FILE_READ_ATTRIBUTES },
    { FilePipeLocalInformation, sizeof(FILE_PIPE_LOCAL_INFORMATION), FILE_READ_ATTRIBUTES },
    { FileCompressionInformation, sizeof(FILE_COMPRESSION_INFORMATION), 0 },
    { FileNetworkOpenInformation, sizeof(FILE_NETWORK_OPEN_INFORMATION), FILE_READ_ATTRIBUTES },
    { FileAttributeTagInformation, sizeof(FILE_ATTRIBUTE_TAG_INFORMATION), FILE_READ_ATTRIBUTES },
    { FileIoCompletionNotificationInformation, sizeof(ULONG), 0 },
};

static const IOP_CLASS_RULE IopSetRules[] = {
    { FileBasicInformation, sizeof(FILE_BASIC_INFORMATION), FILE_WRITE_ATTRIBUTES },
    { FileRenameInformation, sizeof(FILE_RENAME_INFORMATION), DELETE },
    { FileLinkInformation, sizeof(FILE_LINK_INFORMATION), 0 },
    { FileDispositionInformation, sizeof(FILE_DISPOSITION_INFORMATION), DELETE },
    { FilePositionInformation, sizeof(FILE_POSITION_INFORMATION), 0 },
    { FileModeInformation, sizeof(FILE_MODE_INFORMATION), 0 },
    { FileAllocationInformation, sizeof(FILE_ALLOCATION_INFORMATION), FILE_WRITE_DATA },
    { FileEndOfFileInformation, sizeof(FILE_END_OF_FILE_INFORMATION), FILE_WRITE_DATA },
    { FilePipeInformation, sizeof(FILE_PIPE_INFORMATION), FILE_WRITE_ATTRIBUTES },
    { FileCompletionInformation, sizeof(FILE_COMPLETION_INFORMATION), 0 },
    { FileValidDataLengthInformation, sizeof(FILE_VALID_DATA_LENGTH_INFORMATION), FILE_WRITE_DATA },
    { FileIoCompletionNotificationInformation, sizeof(ULONG), 0 },
};

static const IOP_CLASS_RULE IopVolumeRules[] = {
    { FileFsVolumeInformation, sizeof(FILE_FS_VOLUME_INFORMATION), 0 },
    { FileFsSizeInformation, sizeof(FILE_FS_SIZE_INFORMATION), 0 },
    { FileFsDeviceInformation, sizeof(FILE_FS_DEVICE_INFORMATION), 0 },
    { FileFsAttributeInformation, sizeof(FILE_FS_ATTRIBUTE_INFORMATION), 0 },
    { FileFsFullSizeInformation, sizeof(FILE_FS_FULL_SIZE_INFORMATION), 0 },
    { FileFsObjectIdInformation, sizeof(FILE_FS_OBJECTID_INFORMATION), 0 },
};

/* STATUS_INVALID_INFO_CLASS if the class is not in the list, STATUS_INFO_LENGTH_MISMATCH if the buffer is too small. */
static NTSTATUS IopFindRule(const IOP_CLASS_RULE *Rules, SIZE_T Count, ULONG Class, ULONG Length, ACCESS_MASK *Access)
{
    for (SIZE_T Index = 0; Index < Count; Index++)
    {
        if (Rules[Index].Class == Class)
        {
            *Access = Rules[Index].Access;
            return Length < Rules[Index].Minimum ? STATUS_INFO_LENGTH_MISMATCH : STATUS_SUCCESS;
        }
    }
    return STATUS_INVALID_INFO_CLASS;
}

static NTSTATUS IopProbeInformation(PIO_STATUS_BLOCK Iosb, PVOID Buffer, ULONG Length, BOOLEAN Write)
{
    if (ExGetPreviousMode() == KernelMode)
    {
        return STATUS_SUCCESS;
    }
    __try
    {
        /* A class of one BOOLEAN, such as FileDispositionInformation, may lie anywhere. */
        ULONG Alignment = Length < sizeof(ULONG) ? sizeof(UCHAR) : sizeof(ULONG);
        IopProbeIosb(Iosb);
        if (Write)
        {
            ProbeForWrite(Buffer, Length, Alignment);
        }
        else
        {
            ProbeForRead(Buffer, Length, Alignment);
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static ULONG IopFileMode(PFILE_OBJECT File)
{
    ULONG Mode = 0;

    Mode |= (File->Flags & FO_WRITE_THROUGH) ? FILE_WRITE_THROUGH : 0;
    Mode |= (File->Flags & FO_SEQUENTIAL_ONLY) ? FILE_SEQUENTIAL_ONLY : 0;
    Mode |= (File->Flags & FO_NO_INTERMEDIATE_BUFFERING) ? FILE_NO_INTERMEDIATE_BUFFERING : 0;
    Mode |= (File->Flags & FO_DELETE_ON_CLOSE) ? FILE_DELETE_ON_CLOSE : 0;
    if (File->Flags & FO_SYNCHRONOUS_IO)
    {
        Mode |= (File->Flags & FO_ALERTABLE_IO) ? FILE_SYNCHRONOUS_IO_ALERT : FILE_SYNCHRONOUS_IO_NONALERT;
    }
    return Mode;
}

/* FileIoCompletionNotificationInformation's bits and the file flags they stand for. */
static ULONG IopNotificationModes(PFILE_OBJECT File)
{
    return ((File->Flags & FO_SKIP_COMPLETION_PORT) ? 1u : 0u) | ((File->Flags & FO_SKIP_SET_EVENT) ? 2u : 0u) |
           ((File->Flags & FO_SKIP_SET_FAST_IO) ? 4u : 0u);
}

/* What no driver needs to be asked. FALSE: ask. */
static BOOLEAN IopQueryOwn(IOP_REQUEST *Request, FILE_INFORMATION_CLASS Class, PVOID Buffer, PULONG_PTR Information)
{
    PFILE_OBJECT File = Request->File;

    *Information = sizeof(ULONG);
    switch (Class)
    {
    case FileAccessInformation:
        *(PULONG)Buffer = Request->Granted;
        return TRUE;
    case FileModeInformation:
        *(PULONG)Buffer = IopFileMode(File);
        return TRUE;
    case FileAlignmentInformation:
        *(PULONG)Buffer = Request->Device->AlignmentRequirement;
        return TRUE;
    case FileIoCompletionNotificationInformation:
        *(PULONG)Buffer = IopNotificationModes(File);
        return TRUE;
    case FilePositionInformation:
        *(PLONGLONG)Buffer = File->CurrentByteOffset.QuadPart;
        *Information = sizeof(LONGLONG);
        return TRUE;
    default:
        return FALSE;
    }
}

/* Copies an answer out, frees it, fills the status block. */
static NTSTATUS IopReturnInformation(PVOID Kernel, PVOID Buffer, PIO_STATUS_BLOCK Iosb, NTSTATUS Status,
                                     ULONG_PTR Information, ULONG Length)
{
    if (!NT_ERROR(Status))
    {
        __try
        {
            RtlCopyMemory(Buffer, Kernel, Information < Length ? Information : Length);
            Iosb->Information = Information;
            Iosb->Status = Status;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            Status = GetExceptionCode();
        }
    }
    ExFreePoolWithTag(Kernel, IOP_TAG_BUFFER);
    return Status;
}

/**
 * Asks about an open file. STATUS_INVALID_INFO_CLASS, STATUS_INFO_LENGTH_MISMATCH, the driver's. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtQueryInformationFile(_In_ HANDLE FileHandle, _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                                      _Out_ PVOID FileInformation, _In_ ULONG Length,
                                      _In_ FILE_INFORMATION_CLASS FileInformationClass)
{
    IOP_REQUEST Request;
    ACCESS_MASK Access;
    ULONG_PTR Information = 0;
    PVOID Kernel;
    NTSTATUS Status = IopFindRule(IopQueryRules, RTL_NUMBER_OF(IopQueryRules), FileInformationClass, Length, &Access);

    if (NT_SUCCESS(Status))
    {
        Status = IopProbeInformation(IoStatusBlock, FileInformation, Length, TRUE);
    }
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = IopBeginRequest(&Request, FileHandle, NULL, Access, NULL);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Kernel = ExAllocatePoolWithTag(NonPagedPoolNx, Length, IOP_TAG_BUFFER);
    if (Kernel == NULL)
    {
        IopEndRequest(&Request);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(Kernel, Length);
    if (!IopQueryOwn(&Request, FileInformationClass, Kernel, &Information))
    {
        Status =
            IopQuerySetFile(Request.File, IRP_MJ_QUERY_INFORMATION, FileInformationClass, Kernel, Length, &Information);
        if (FileInformationClass == FileAllInformation && !NT_ERROR(Status))
        {
            PFILE_ALL_INFORMATION All = Kernel;
            All->AccessInformation.AccessFlags = Request.Granted;
            All->ModeInformation.Mode = IopFileMode(Request.File);
            All->AlignmentInformation.AlignmentRequirement = Request.Device->AlignmentRequirement;
        }
    }
    IopEndRequest(&Request);
    return IopReturnInformation(Kernel, FileInformation, IoStatusBlock, Status, Information, Length);
}

static NTSTATUS IopSetMode(PFILE_OBJECT File, ULONG Mode)
{
    const ULONG Changeable = FILE_WRITE_THROUGH | FILE_SEQUENTIAL_ONLY | FILE_SYNCHRONOUS_IO_ALERT |
                             FILE_SYNCHRONOUS_IO_NONALERT;

    if ((Mode & ~Changeable) || ((Mode & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)) != 0) !=
                                    ((File->Flags & FO_SYNCHRONOUS_IO) != 0))
    {
        return STATUS_INVALID_PARAMETER;
    }
    File->Flags &= ~(FO_WRITE_THROUGH | FO_SEQUENTIAL_ONLY | FO_ALERTABLE_IO);
    File->Flags |= (Mode & FILE_WRITE_THROUGH) ? FO_WRITE_THROUGH : 0;
    File->Flags |= (Mode & FILE_SEQUENTIAL_ONLY) ? FO_SEQUENTIAL_ONLY : 0;
    File->Flags |= (Mode & FILE_SYNCHRONOUS_IO_ALERT) ? FO_ALERTABLE_IO : 0;
    return STATUS_SUCCESS;
}

static NTSTATUS IopSetNotificationModes(PFILE_OBJECT File, ULONG Modes)
{
    if (Modes & ~7u)
    {
        return STATUS_INVALID_PARAMETER;
    }
    /* As on NT the bits can be set but not taken back. */
    File->Flags |= (Modes & 1) ? FO_SKIP_COMPLETION_PORT : 0;
    File->Flags |= (Modes & 2) ? FO_SKIP_SET_EVENT : 0;
    File->Flags |= (Modes & 4) ? FO_SKIP_SET_FAST_IO : 0;
    return STATUS_SUCCESS;
}

/* What no driver needs to be told. FALSE: tell it. */
static BOOLEAN IopSetOwn(IOP_REQUEST *Request, FILE_INFORMATION_CLASS Class, PVOID Buffer, NTSTATUS *Status)
{
    switch (Class)
    {
    case FilePositionInformation:
        if (((PFILE_POSITION_INFORMATION)Buffer)->CurrentByteOffset.QuadPart < 0)
        {
            *Status = STATUS_INVALID_PARAMETER;
            return TRUE;
        }
        Request->File->CurrentByteOffset = ((PFILE_POSITION_INFORMATION)Buffer)->CurrentByteOffset;
        return TRUE;
    case FileModeInformation:
        *Status = IopSetMode(Request->File, *(PULONG)Buffer);
        return TRUE;
    case FileCompletionInformation:
        *Status = IopAssociatePort(Request->File, ((PFILE_COMPLETION_INFORMATION)Buffer)->Port,
                                   ((PFILE_COMPLETION_INFORMATION)Buffer)->Key, Request->Mode);
        return TRUE;
    case FileIoCompletionNotificationInformation:
        *Status = IopSetNotificationModes(Request->File, *(PULONG)Buffer);
        return TRUE;
    default:
        return FALSE;
    }
}

/* The directory a rename or link goes to, opened; NULL for a plain name in the same directory. */
static NTSTATUS IopOpenTarget(PFILE_OBJECT File, PFILE_RENAME_INFORMATION Rename, ULONG Length, PFILE_OBJECT *Target,
                              PHANDLE TargetHandle)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    IO_STATUS_BLOCK Iosb;
    NTSTATUS Status;

    *Target = NULL;
    *TargetHandle = NULL;
    if (Rename->FileNameLength == 0 || (Rename->FileNameLength & 1) || Rename->FileNameLength > MAXUSHORT - 1 ||
        Rename->FileNameLength > Length - offsetof(FILE_RENAME_INFORMATION, FileName))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Rename->FileName[0] != L'\\' && Rename->RootDirectory == NULL)
    {
        return STATUS_SUCCESS;
    }
    Name.Buffer = Rename->FileName;
    Name.Length = Name.MaximumLength = (USHORT)Rename->FileNameLength;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, Rename->RootDirectory,
                               NULL);
    Status = IoCreateFile(TargetHandle, FILE_WRITE_DATA | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0,
                          FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, FILE_OPEN_FOR_BACKUP_INTENT, NULL, 0,
                          CreateFileTypeNone, NULL, IO_OPEN_TARGET_DIRECTORY | IOP_NO_PARAMETER_CHECKING);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = ObReferenceObjectByHandle(*TargetHandle, 0, IoFileObjectType, KernelMode, (PVOID *)Target, NULL);
    if (NT_SUCCESS(Status) && IoGetRelatedDeviceObject(*Target) != IoGetRelatedDeviceObject(File))
    {
        ObDereferenceObject(*Target);
        *Target = NULL;
        Status = STATUS_NOT_SAME_DEVICE;
    }
    if (!NT_SUCCESS(Status))
    {
        ZwClose(*TargetHandle);
        *TargetHandle = NULL;
    }
    return Status;
}

static NTSTATUS IopSendSet(PFILE_OBJECT File, FILE_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length)
{
    PDEVICE_OBJECT Device = IopTopDevice(File);
    PFILE_OBJECT Target = NULL;
    HANDLE TargetHandle = NULL;
    PIO_STACK_LOCATION Stack;
    IO_STATUS_BLOCK Iosb;
    PIRP Irp;
    NTSTATUS Status;

    if (Class == FileRenameInformation || Class == FileLinkInformation)
    {
        Status = IopOpenTarget(File, Buffer, Length, &Target, &TargetHandle);
        if (!NT_SUCCESS(Status))
        {
            return Status;
        }
    }
    Irp = IopAllocateIrp(Device->StackSize);
    if (Irp == NULL)
    {
        Status = STATUS_INSUFFICIENT_RESOURCES;
        goto Exit;
    }
    Irp->Tail.Overlay.OriginalFileObject = File;
    Irp->AssociatedIrp.SystemBuffer = Buffer;
    Irp->Flags = IRP_BUFFERED_IO;
    Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = IRP_MJ_SET_INFORMATION;
    Stack->FileObject = File;
    Stack->Parameters.SetFile.Length = Length;
    Stack->Parameters.SetFile.FileInformationClass = Class;
    Stack->Parameters.SetFile.FileObject = Target;
    if (Class == FileRenameInformation || Class == FileLinkInformation)
    {
        Stack->Parameters.SetFile.ReplaceIfExists = ((PFILE_RENAME_INFORMATION)Buffer)->ReplaceIfExists;
    }
    Status = IopCallAndWait(Device, Irp, &Iosb);

Exit:
    if (Target != NULL)
    {
        ObDereferenceObject(Target);
    }
    if (TargetHandle != NULL)
    {
        ZwClose(TargetHandle);
    }
    return Status;
}

/** Changes an open file. As NtQueryInformationFile. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI NtSetInformationFile(_In_ HANDLE FileHandle, _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                                    _In_ PVOID FileInformation, _In_ ULONG Length,
                                    _In_ FILE_INFORMATION_CLASS FileInformationClass)
{
    IOP_REQUEST Request;
    ACCESS_MASK Access;
    PVOID Kernel = NULL;
    NTSTATUS Status = IopFindRule(IopSetRules, RTL_NUMBER_OF(IopSetRules), FileInformationClass, Length, &Access);

    if (NT_SUCCESS(Status))
    {
        Status = IopProbeInformation(IoStatusBlock, FileInformation, Length, FALSE);
    }
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = IopBeginRequest(&Request, FileHandle, NULL, Access, NULL);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Kernel = ExAllocatePoolWithTag(NonPagedPoolNx, Length, IOP_TAG_BUFFER);
    if (Kernel == NULL)
    {
        Status = STATUS_INSUFFICIENT_RESOURCES;
        goto Exit;
    }
    __try
    {
        RtlCopyMemory(Kernel, FileInformation, Length);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Status = GetExceptionCode();
        goto Exit;
    }
    if (!IopSetOwn(&Request, FileInformationClass, Kernel, &Status))
    {
        Status = IopSendSet(Request.File, FileInformationClass, Kernel, Length);
    }
    if (!NT_ERROR(Status))
    {
        IopWriteIosb(IoStatusBlock, Status, 0);
    }

Exit:
    if (Kernel != NULL)
    {
        ExFreePoolWithTag(Kernel, IOP_TAG_BUFFER);
    }
    IopEndRequest(&Request);
    return Status;
}

/** Asks about the volume or device a file lies on. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI NtQueryVolumeInformationFile(_In_ HANDLE FileHandle, _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                                            _Out_ PVOID FsInformation, _In_ ULONG Length,
                                            _In_ FS_INFORMATION_CLASS FsInformationClass)
{
    IOP_REQUEST Request;
    ACCESS_MASK Access;
    ULONG_PTR Information = 0;
    PVOID Kernel;
    NTSTATUS Status = IopFindRule(IopVolumeRules, RTL_NUMBER_OF(IopVolumeRules), FsInformationClass, Length, &Access);

    if (NT_SUCCESS(Status))
    {
        Status = IopProbeInformation(IoStatusBlock, FsInformation, Length, TRUE);
    }
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = IopBeginRequest(&Request, FileHandle, NULL, Access, NULL);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Kernel = ExAllocatePoolWithTag(NonPagedPoolNx, Length, IOP_TAG_BUFFER);
    if (Kernel == NULL)
    {
        IopEndRequest(&Request);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(Kernel, Length);
    if (FsInformationClass == FileFsDeviceInformation)
    {
        PFILE_FS_DEVICE_INFORMATION Device = Kernel;
        Device->DeviceType = Request.File->DeviceObject->DeviceType;
        Device->Characteristics = Request.File->DeviceObject->Characteristics;
        Information = sizeof(*Device);
    }
    else
    {
        Status = IopQuerySetFile(Request.File, IRP_MJ_QUERY_VOLUME_INFORMATION, FsInformationClass, Kernel, Length,
                                 &Information);
    }
    IopEndRequest(&Request);
    return IopReturnInformation(Kernel, FsInformation, IoStatusBlock, Status, Information, Length);
}
