/* SPDX-License-Identifier: MIT */
/* What can be asked about a file of the RAM disk, and about the volume. */
#include "ramdisk.h"

static VOID RamFillBasic(const RAM_NODE *Node, PFILE_BASIC_INFORMATION Basic)
{
    Basic->CreationTime = Node->CreationTime;
    Basic->LastAccessTime = Node->LastAccessTime;
    Basic->LastWriteTime = Node->LastWriteTime;
    Basic->ChangeTime = Node->ChangeTime;
    Basic->FileAttributes = Node->Attributes != 0 ? Node->Attributes : FILE_ATTRIBUTE_NORMAL;
}

static VOID RamFillStandard(const RAM_NODE *Node, PFILE_STANDARD_INFORMATION Standard)
{
    Standard->AllocationSize.QuadPart = (LONGLONG)RamAllocation(Node);
    Standard->EndOfFile.QuadPart = (LONGLONG)Node->Size;
    Standard->NumberOfLinks = Node->DeletePending ? 0 : 1;
    Standard->DeletePending = Node->DeletePending;
    Standard->Directory = RamIsDirectory(Node);
}

/* Name and length as far as they fit behind the fixed part; Room counts from the structure's beginning. */
static NTSTATUS RamFillName(RAM_NODE *Node, PFILE_NAME_INFORMATION Name, ULONG Room, PULONG_PTR Used)
{
    ULONG Fits = Room - (ULONG)offsetof(FILE_NAME_INFORMATION, FileName);
    ULONG Needed = RamNodePath(Node, Name->FileName, Fits);

    Name->FileNameLength = Needed;
    *Used = offsetof(FILE_NAME_INFORMATION, FileName) + (Needed < Fits ? Needed : Fits & ~1u);
    return Needed > Fits ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static NTSTATUS RamFillAll(RAM_NODE *Node, PFILE_OBJECT File, PFILE_ALL_INFORMATION All, ULONG Length, PULONG_PTR Used)
{
    const ULONG NameOffset = offsetof(FILE_ALL_INFORMATION, NameInformation);
    NTSTATUS Status;

    RamFillBasic(Node, &All->BasicInformation);
    RamFillStandard(Node, &All->StandardInformation);
    All->InternalInformation.IndexNumber.QuadPart = (LONGLONG)Node->Id;
    All->EaInformation.EaSize = 0;
    All->PositionInformation.CurrentByteOffset = File->CurrentByteOffset;
    Status = RamFillName(Node, &All->NameInformation, Length - NameOffset, Used);
    *Used += NameOffset;
    return Status;
}

static NTSTATUS RamFillStream(const RAM_NODE *Node, PFILE_STREAM_INFORMATION Stream, ULONG Length, PULONG_PTR Used)
{
    static const WCHAR Name[] = L"::$DATA";
    const ULONG Needed = offsetof(FILE_STREAM_INFORMATION, StreamName) + sizeof(Name) - sizeof(WCHAR);

    if (RamIsDirectory(Node))
    {
        *Used = 0; /* directories have no stream */
        return STATUS_SUCCESS;
    }
    if (Length < Needed)
    {
        return STATUS_BUFFER_OVERFLOW;
    }
    Stream->NextEntryOffset = 0;
    Stream->StreamNameLength = sizeof(Name) - sizeof(WCHAR);
    Stream->StreamSize.QuadPart = (LONGLONG)Node->Size;
    Stream->StreamAllocationSize.QuadPart = (LONGLONG)RamAllocation(Node);
    RtlCopyMemory(Stream->StreamName, Name, sizeof(Name) - sizeof(WCHAR));
    *Used = Needed;
    return STATUS_SUCCESS;
}

static NTSTATUS RamQuery(RAM_NODE *Node, PFILE_OBJECT File, FILE_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length,
                         PULONG_PTR Used)
{
    PFILE_NETWORK_OPEN_INFORMATION Network = Buffer;
    PFILE_ATTRIBUTE_TAG_INFORMATION Tag = Buffer;
    FILE_BASIC_INFORMATION Basic = {0};

    /* The I/O manager has checked Length against the fixed parts. */
    switch (Class)
    {
    case FileBasicInformation:
        RamFillBasic(Node, Buffer);
        *Used = sizeof(FILE_BASIC_INFORMATION);
        return STATUS_SUCCESS;
    case FileStandardInformation:
        RamFillStandard(Node, Buffer);
        *Used = sizeof(FILE_STANDARD_INFORMATION);
        return STATUS_SUCCESS;
    case FileInternalInformation:
        ((PFILE_INTERNAL_INFORMATION)Buffer)->IndexNumber.QuadPart = (LONGLONG)Node->Id;
        *Used = sizeof(FILE_INTERNAL_INFORMATION);
        return STATUS_SUCCESS;
    case FileEaInformation:
        ((PFILE_EA_INFORMATION)Buffer)->EaSize = 0;
        *Used = sizeof(FILE_EA_INFORMATION);
        return STATUS_SUCCESS;
    case FileNameInformation:
        return RamFillName(Node, Buffer, Length, Used);
    case FileAllInformation:
        return RamFillAll(Node, File, Buffer, Length, Used);
    case FileStreamInformation:
        return RamFillStream(Node, Buffer, Length, Used);
    case FileNetworkOpenInformation:
        RamFillBasic(Node, &Basic);
        Network->CreationTime = Basic.CreationTime;
        Network->LastAccessTime = Basic.LastAccessTime;
        Network->LastWriteTime = Basic.LastWriteTime;
        Network->ChangeTime = Basic.ChangeTime;
        Network->AllocationSize.QuadPart = (LONGLONG)RamAllocation(Node);
        Network->EndOfFile.QuadPart = (LONGLONG)Node->Size;
        Network->FileAttributes = Basic.FileAttributes;
        *Used = sizeof(*Network);
        return STATUS_SUCCESS;
    case FileAttributeTagInformation:
        RamFillBasic(Node, &Basic);
        Tag->FileAttributes = Basic.FileAttributes;
        Tag->ReparseTag = 0;
        *Used = sizeof(*Tag);
        return STATUS_SUCCESS;
    case FileAlternateNameInformation:
        return STATUS_OBJECT_NAME_NOT_FOUND; /* there are no short names */
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

NTSTATUS NTAPI RamDispatchQueryInformation(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG_PTR Used = 0;
    NTSTATUS Status;

    RamLockShared();
    Status = RamQuery(Stack->FileObject->FsContext, Stack->FileObject, Stack->Parameters.QueryFile.FileInformationClass,
                      Irp->AssociatedIrp.SystemBuffer, Stack->Parameters.QueryFile.Length, &Used);
    RamUnlock();
    return IopCompleteBuiltin(Irp, Status, Used);
}

/* A name at the end of a volume answer, as far as it fits. */
static NTSTATUS RamPutText(PWCHAR Target, ULONG Room, PCWSTR Text, PULONG Length, PULONG_PTR Used, ULONG Fixed)
{
    ULONG Needed = (ULONG)(wcslen(Text) * sizeof(WCHAR));
    ULONG Copied = Needed < Room ? Needed : Room & ~1u;

    *Length = Needed;
    RtlCopyMemory(Target, Text, Copied);
    *Used = Fixed + Copied;
    return Copied < Needed ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

NTSTATUS NTAPI RamDispatchVolume(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PVOID Buffer = Irp->AssociatedIrp.SystemBuffer;
    ULONG Length = Stack->Parameters.QueryVolume.Length;
    PFILE_FS_VOLUME_INFORMATION Volume = Buffer;
    PFILE_FS_ATTRIBUTE_INFORMATION Attribute = Buffer;
    PFILE_FS_SIZE_INFORMATION Size = Buffer;
    PFILE_FS_FULL_SIZE_INFORMATION Full = Buffer;
    LONGLONG Total = RAM_DISK_LIMIT / RAM_CLUSTER;
    LONGLONG Free;
    ULONG_PTR Used = 0;
    NTSTATUS Status = STATUS_SUCCESS;

    RamLockShared();
    Free = RamUsedBytes < RAM_DISK_LIMIT ? (LONGLONG)((RAM_DISK_LIMIT - RamUsedBytes) / RAM_CLUSTER) : 0;
    switch (Stack->Parameters.QueryVolume.FsInformationClass)
    {
    case FileFsVolumeInformation:
        Volume->VolumeCreationTime = RamRoot->CreationTime;
        Volume->VolumeSerialNumber = 0x49535448;
        Volume->SupportsObjects = FALSE;
        Status = RamPutText(Volume->VolumeLabel, Length - offsetof(FILE_FS_VOLUME_INFORMATION, VolumeLabel), L"ISTHMUS",
                            &Volume->VolumeLabelLength, &Used, offsetof(FILE_FS_VOLUME_INFORMATION, VolumeLabel));
        break;
    case FileFsSizeInformation:
        Size->TotalAllocationUnits.QuadPart = Total;
        Size->AvailableAllocationUnits.QuadPart = Free;
        Size->SectorsPerAllocationUnit = RAM_CLUSTER / RAM_SECTOR;
        Size->BytesPerSector = RAM_SECTOR;
        Used = sizeof(*Size);
        break;
    case FileFsFullSizeInformation:
        Full->TotalAllocationUnits.QuadPart = Total;
        Full->CallerAvailableAllocationUnits.QuadPart = Free;
        Full->ActualAvailableAllocationUnits.QuadPart = Free;
        Full->SectorsPerAllocationUnit = RAM_CLUSTER / RAM_SECTOR;
        Full->BytesPerSector = RAM_SECTOR;
        Used = sizeof(*Full);
        break;
    case FileFsAttributeInformation:
        Attribute->FileSystemAttributes = FILE_CASE_PRESERVED_NAMES | FILE_UNICODE_ON_DISK;
        Attribute->MaximumComponentNameLength = RAM_MAX_COMPONENT;
        Status = RamPutText(Attribute->FileSystemName, Length - offsetof(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemName),
                            L"RAMFS", &Attribute->FileSystemNameLength, &Used,
                            offsetof(FILE_FS_ATTRIBUTE_INFORMATION, FileSystemName));
        break;
    default:
        Status = STATUS_INVALID_PARAMETER;
        break;
    }
    RamUnlock();
    return IopCompleteBuiltin(Irp, Status, Used);
}
