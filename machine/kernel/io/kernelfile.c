/* SPDX-License-Identifier: MIT */
/*
 * Reading files inside the kernel, for image sections and the loader.
 */
#include "iop.h"

#define IOP_READ_CHUNK (16u * 1024 * 1024)

static NTSTATUS IopReadChunk(PFILE_OBJECT File, ULONG64 Offset, PVOID Buffer, ULONG Length, PULONG_PTR Read)
{
    PDEVICE_OBJECT Device = IopTopDevice(File);
    PIRP Irp = IopAllocateIrp(Device->StackSize);
    PIO_STACK_LOCATION Stack;
    IO_STATUS_BLOCK Iosb;
    NTSTATUS Status = STATUS_SUCCESS;

    if (Irp == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (Device->Flags & DO_BUFFERED_IO)
    {
        Irp->AssociatedIrp.SystemBuffer = Buffer;
        Irp->Flags |= IRP_BUFFERED_IO;
    }
    else if (Device->Flags & DO_DIRECT_IO)
    {
        Status = IopAttachLockedBuffer(Irp, Buffer, Length, KernelMode, IoWriteAccess);
    }
    else
    {
        Irp->UserBuffer = Buffer;
    }
    if (!NT_SUCCESS(Status))
    {
        IopDiscardRequest(Irp);
        return Status;
    }
    Irp->Flags |= IRP_READ_OPERATION;
    Irp->Tail.Overlay.OriginalFileObject = File;
    Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = IRP_MJ_READ;
    Stack->FileObject = File;
    Stack->Parameters.Read.Length = Length;
    Stack->Parameters.Read.ByteOffset.QuadPart = (LONGLONG)Offset;
    Status = IopCallAndWait(Device, Irp, &Iosb);
    *Read = Iosb.Information;
    return Status;
}

NTSTATUS IoReadFileObject(PFILE_OBJECT File, ULONG64 Offset, PVOID Buffer, SIZE_T Length, PSIZE_T Read)
{
    NTSTATUS Status = STATUS_SUCCESS;

    *Read = 0;
    while (Length != 0)
    {
        ULONG Chunk = Length > IOP_READ_CHUNK ? IOP_READ_CHUNK : (ULONG)Length;
        ULONG_PTR Got = 0;

        Status = IopReadChunk(File, Offset, Buffer, Chunk, &Got);
        if (!NT_SUCCESS(Status) || Got == 0)
        {
            break;
        }
        *Read += Got;
        Offset += Got;
        Buffer = (PUCHAR)Buffer + Got;
        Length -= Got;
    }
    return (Status == STATUS_END_OF_FILE && *Read != 0) ? STATUS_SUCCESS : Status;
}

NTSTATUS IoQueryFileObjectSize(PFILE_OBJECT File, PULONG64 Size)
{
    FILE_STANDARD_INFORMATION Information = {0};
    NTSTATUS Status = IopQuerySetFile(File, IRP_MJ_QUERY_INFORMATION, FileStandardInformation, &Information,
                                      sizeof(Information), NULL);

    *Size = (ULONG64)Information.EndOfFile.QuadPart;
    return Status;
}

/**
 * Asks about a file that a driver has as an object.
 * @param ReturnedLength  Out: bytes written. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoQueryFileInformation(_In_ PFILE_OBJECT FileObject, _In_ FILE_INFORMATION_CLASS FileInformationClass,
                                      _In_ ULONG Length, _Out_ PVOID FileInformation, _Out_ PULONG ReturnedLength)
{
    ULONG_PTR Information = 0;
    NTSTATUS Status = IopQuerySetFile(FileObject, IRP_MJ_QUERY_INFORMATION, FileInformationClass, FileInformation,
                                      Length, &Information);

    *ReturnedLength = (ULONG)Information;
    return Status;
}
