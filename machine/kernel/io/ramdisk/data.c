/* SPDX-License-Identifier: MIT */
/* The contents of files: size, reading, writing. */
#include "ramdisk.h"

/* Gives the node bytes of its own, room for Size of them; the present contents are kept. */
NTSTATUS RamMakeWritable(RAM_NODE *Node, ULONG64 Size)
{
    ULONG64 Room = Size > Node->Size ? Size : Node->Size;
    PUCHAR Data;

    if (Node->Capacity != 0 && Node->Capacity >= Room)
    {
        return STATUS_SUCCESS;
    }
    if (Room > RAM_DISK_LIMIT || RamUsedBytes + (Room - Node->Size) > RAM_DISK_LIMIT)
    {
        return STATUS_DISK_FULL;
    }
    if (Node->Capacity != 0 && Room < Node->Capacity + Node->Capacity / 2)
    {
        Room = Node->Capacity + Node->Capacity / 2; /* a file written piece by piece is not copied each time */
    }
    Room = (Room + RAM_CLUSTER) & ~(ULONG64)(RAM_CLUSTER - 1);
    Data = ExAllocatePoolWithTag(PagedPool, Room, RAM_TAG_DATA);
    if (Data == NULL)
    {
        return STATUS_DISK_FULL;
    }
    RtlCopyMemory(Data, Node->Data, Node->Size);
    if (Node->Capacity != 0)
    {
        ExFreePoolWithTag(Node->Data, RAM_TAG_DATA);
    }
    Node->Data = Data;
    Node->Capacity = Room;
    return STATUS_SUCCESS;
}

/* Cuts the file, or lengthens it with zeros. */
NTSTATUS RamSetSize(RAM_NODE *Node, ULONG64 Size)
{
    if (Size > Node->Size)
    {
        NTSTATUS Status = RamMakeWritable(Node, Size);
        if (!NT_SUCCESS(Status))
        {
            return Status;
        }
        RtlZeroMemory(Node->Data + Node->Size, Size - Node->Size);
    }
    else if (Size == 0 && Node->Capacity != 0)
    {
        ExFreePoolWithTag(Node->Data, RAM_TAG_DATA);
        Node->Data = NULL;
        Node->Capacity = 0;
    }
    RamUsedBytes += Size - Node->Size;
    Node->Size = Size;
    KeQuerySystemTime(&Node->LastWriteTime);
    Node->ChangeTime = Node->LastWriteTime;
    return STATUS_SUCCESS;
}

/*
 * Where the request's bytes are: an MDL if somebody described them, else the caller's address (probed by the
 * service).
 */
static NTSTATUS RamBuffer(PIRP Irp, PUCHAR *Buffer)
{
    if (Irp->MdlAddress != NULL)
    {
        *Buffer = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
        return *Buffer == NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
    }
    *Buffer = Irp->UserBuffer;
    return STATUS_SUCCESS;
}

static NTSTATUS RamCopy(PVOID Target, const VOID *Source, SIZE_T Length)
{
    __try
    {
        RtlCopyMemory(Target, Source, Length);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/* The file position moves for synchronous files, and not for what the kernel reads for itself. */
static VOID RamAdvance(PFILE_OBJECT File, PIRP Irp, ULONG64 Position)
{
    if ((File->Flags & FO_SYNCHRONOUS_IO) && !(Irp->Flags & IRP_SYNCHRONOUS_API))
    {
        File->CurrentByteOffset.QuadPart = (LONGLONG)Position;
    }
}

NTSTATUS NTAPI RamDispatchRead(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    RAM_NODE *Node = Stack->FileObject->FsContext;
    ULONG64 Offset = (ULONG64)Stack->Parameters.Read.ByteOffset.QuadPart;
    ULONG Length = Stack->Parameters.Read.Length;
    PUCHAR Buffer;
    NTSTATUS Status;

    if (RamIsDirectory(Node))
    {
        return IopCompleteBuiltin(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    if (Length == 0)
    {
        return IopCompleteBuiltin(Irp, STATUS_SUCCESS, 0);
    }
    Status = RamBuffer(Irp, &Buffer);
    if (!NT_SUCCESS(Status))
    {
        return IopCompleteBuiltin(Irp, Status, 0);
    }
    RamLockShared();
    if (Offset >= Node->Size)
    {
        Status = STATUS_END_OF_FILE;
        Length = 0;
    }
    else
    {
        if (Length > Node->Size - Offset)
        {
            Length = (ULONG)(Node->Size - Offset);
        }
        Status = RamCopy(Buffer, Node->Data + Offset, Length);
    }
    RamUnlock();
    if (!NT_SUCCESS(Status))
    {
        return IopCompleteBuiltin(Irp, Status, 0);
    }
    RamAdvance(Stack->FileObject, Irp, Offset + Length);
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, Length);
}

static NTSTATUS RamWriteLocked(RAM_NODE *Node, ULONG64 Offset, const VOID *Buffer, ULONG Length)
{
    ULONG64 End = Offset + Length, Before = Node->Size;
    NTSTATUS Status;

    if (End < Offset || End > RAM_DISK_LIMIT)
    {
        return STATUS_DISK_FULL;
    }
    Status = End > Node->Size ? RamSetSize(Node, End) : RamMakeWritable(Node, Node->Size);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = RamCopy(Node->Data + Offset, Buffer, Length);
    if (!NT_SUCCESS(Status) && Before < Node->Size)
    {
        RamSetSize(Node, Before);
    }
    KeQuerySystemTime(&Node->LastWriteTime);
    Node->ChangeTime = Node->LastWriteTime;
    Node->Attributes |= FILE_ATTRIBUTE_ARCHIVE;
    return Status;
}

NTSTATUS NTAPI RamDispatchWrite(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    RAM_NODE *Node = Stack->FileObject->FsContext;
    LARGE_INTEGER Offset = Stack->Parameters.Write.ByteOffset;
    ULONG Length = Stack->Parameters.Write.Length;
    PUCHAR Buffer;
    NTSTATUS Status;

    if (RamIsDirectory(Node))
    {
        return IopCompleteBuiltin(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    if (Length == 0)
    {
        return IopCompleteBuiltin(Irp, STATUS_SUCCESS, 0);
    }
    Status = RamBuffer(Irp, &Buffer);
    if (!NT_SUCCESS(Status))
    {
        return IopCompleteBuiltin(Irp, Status, 0);
    }
    RamLockExclusive();
    if (Offset.HighPart == -1 && Offset.LowPart == FILE_WRITE_TO_END_OF_FILE)
    {
        Offset.QuadPart = (LONGLONG)Node->Size;
    }
    Status = RamWriteLocked(Node, (ULONG64)Offset.QuadPart, Buffer, Length);
    RamUnlock();
    if (!NT_SUCCESS(Status))
    {
        return IopCompleteBuiltin(Irp, Status, 0);
    }
    Stack->FileObject->Flags |= FO_FILE_MODIFIED;
    RamAdvance(Stack->FileObject, Irp, (ULONG64)Offset.QuadPart + Length);
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, Length);
}
