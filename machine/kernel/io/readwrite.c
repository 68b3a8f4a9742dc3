/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing and flushing. The device's flags say how it wants the buffer: DO_BUFFERED_IO a system buffer,
 * DO_DIRECT_IO an MDL, neither of them the caller's address.
 */
#include "iop.h"

typedef struct _IOP_TRANSFER
{
    PVOID Buffer;
    ULONG Length;
    BOOLEAN Write;
    BOOLEAN HasOffset;
    LARGE_INTEGER Offset;
    ULONG Key;
} IOP_TRANSFER;

static NTSTATUS IopCaptureTransfer(IOP_TRANSFER *Transfer, PIO_STATUS_BLOCK Iosb, PLARGE_INTEGER ByteOffset, PULONG Key)
{
    BOOLEAN Probe = ExGetPreviousMode() != KernelMode;

    __try
    {
        if (Probe)
        {
            IopProbeIosb(Iosb);
            if (Transfer->Write)
            {
                ProbeForRead(Transfer->Buffer, Transfer->Length, 1);
            }
            else
            {
                ProbeForWrite(Transfer->Buffer, Transfer->Length, 1);
            }
            if (ByteOffset != NULL)
            {
                ProbeForRead(ByteOffset, sizeof(*ByteOffset), sizeof(ULONG));
            }
            if (Key != NULL)
            {
                ProbeForRead(Key, sizeof(*Key), sizeof(ULONG));
            }
        }
        if (ByteOffset != NULL)
        {
            Transfer->HasOffset = TRUE;
            Transfer->Offset.QuadPart = *(volatile LONGLONG *)&ByteOffset->QuadPart;
        }
        if (Key != NULL)
        {
            Transfer->Key = *(volatile ULONG *)Key;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static BOOLEAN IopIsSpecialOffset(LARGE_INTEGER Offset, ULONG Low)
{
    return Offset.HighPart == -1 && Offset.LowPart == Low;
}

/* Which place in the file is meant: the caller's, the file's own, or its end. */
static NTSTATUS IopResolveOffset(IOP_REQUEST *Request, IOP_TRANSFER *Transfer)
{
    PFILE_OBJECT File = Request->File;

    if (Transfer->Write && Request->Mode != KernelMode &&
        (Request->Granted & (FILE_APPEND_DATA | FILE_WRITE_DATA)) == FILE_APPEND_DATA && !(File->Flags & FO_NAMED_PIPE))
    {
        Transfer->HasOffset = TRUE;
        Transfer->Offset.LowPart = FILE_WRITE_TO_END_OF_FILE;
        Transfer->Offset.HighPart = -1;
    }
    if (Request->Synchronous)
    {
        if (!Transfer->HasOffset || IopIsSpecialOffset(Transfer->Offset, FILE_USE_FILE_POINTER_POSITION))
        {
            Transfer->Offset = File->CurrentByteOffset;
        }
    }
    else if (!Transfer->HasOffset)
    {
        if (!(File->Flags & (FO_NAMED_PIPE | FO_MAILSLOT)))
        {
            return STATUS_INVALID_PARAMETER;
        }
        Transfer->Offset.QuadPart = 0;
    }
    if (Transfer->Offset.QuadPart < 0 &&
        !(Transfer->Write && IopIsSpecialOffset(Transfer->Offset, FILE_WRITE_TO_END_OF_FILE)))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if ((File->Flags & FO_NO_INTERMEDIATE_BUFFERING) && Request->Device->SectorSize != 0 &&
        ((Transfer->Length | Transfer->Offset.LowPart) & (Request->Device->SectorSize - 1)) &&
        Transfer->Offset.QuadPart >= 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS IopAttachTransfer(PIRP Irp, PDEVICE_OBJECT Device, const IOP_TRANSFER *Transfer, KPROCESSOR_MODE Mode)
{
    NTSTATUS Status = STATUS_SUCCESS;

    if (Device->Flags & DO_BUFFERED_IO)
    {
        if (Transfer->Length != 0)
        {
            Status =
                IopAttachSystemBuffer(Irp, Transfer->Length, Transfer->Buffer, Transfer->Write ? Transfer->Length : 0);
        }
        if (!Transfer->Write)
        {
            Irp->UserBuffer = Transfer->Buffer;
            Irp->Flags |= IRP_BUFFERED_IO | IRP_INPUT_OPERATION;
            IopIrpHeader(Irp)->OutputLength = Transfer->Length;
        }
    }
    else if (Device->Flags & DO_DIRECT_IO)
    {
        if (Transfer->Length != 0)
        {
            Status = IopAttachLockedBuffer(Irp, Transfer->Buffer, Transfer->Length, Mode,
                                           Transfer->Write ? IoReadAccess : IoWriteAccess);
        }
    }
    else
    {
        Irp->UserBuffer = Transfer->Buffer;
    }
    return Status;
}

static NTSTATUS IopTransfer(HANDLE FileHandle, HANDLE EventHandle, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                            PIO_STATUS_BLOCK Iosb, IOP_TRANSFER *Transfer, PLARGE_INTEGER ByteOffset, PULONG Key)
{
    IOP_REQUEST Request;
    PIO_STACK_LOCATION Stack;
    NTSTATUS Status = IopCaptureTransfer(Transfer, Iosb, ByteOffset, Key);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = IopBeginRequest(&Request, FileHandle, EventHandle, Transfer->Write ? 0 : FILE_READ_DATA, ApcRoutine);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    if (Transfer->Write && Request.Mode != KernelMode && !(Request.Granted & (FILE_APPEND_DATA | FILE_WRITE_DATA)))
    {
        Status = STATUS_ACCESS_DENIED;
    }
    else
    {
        Status = IopResolveOffset(&Request, Transfer);
    }
    if (!NT_SUCCESS(Status))
    {
        IopEndRequest(&Request);
        return Status;
    }
    Status =
        IopBuildRequest(&Request, Transfer->Write ? IRP_MJ_WRITE : IRP_MJ_READ, Iosb, ApcRoutine, ApcContext, &Stack);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Request.Irp->Flags |= Transfer->Write ? IRP_WRITE_OPERATION : IRP_READ_OPERATION;
    Request.Irp->Flags |= (Request.File->Flags & FO_NO_INTERMEDIATE_BUFFERING) ? IRP_NOCACHE : 0;
    Stack->Flags = (Transfer->Write && (Request.File->Flags & FO_WRITE_THROUGH)) ? SL_WRITE_THROUGH : 0;
    Stack->Flags |= Key != NULL ? SL_KEY_SPECIFIED : 0;
    Stack->Parameters.Read.Length = Transfer->Length;
    Stack->Parameters.Read.Key = Transfer->Key;
    Stack->Parameters.Read.ByteOffset = Transfer->Offset;
    Status = IopAttachTransfer(Request.Irp, Request.Device, Transfer, Request.Mode);
    if (!NT_SUCCESS(Status))
    {
        IopEndRequest(&Request);
        return Status;
    }
    return IopSendRequest(&Request);
}

/**
 * Reads from a file or device. An asynchronous file needs a ByteOffset. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtReadFile(_In_ HANDLE FileHandle, _In_opt_ HANDLE Event, _In_opt_ PIO_APC_ROUTINE ApcRoutine,
                          _In_opt_ PVOID ApcContext, _Out_ PIO_STATUS_BLOCK IoStatusBlock, _Out_ PVOID Buffer,
                          _In_ ULONG Length, _In_opt_ PLARGE_INTEGER ByteOffset, _In_opt_ PULONG Key)
{
    IOP_TRANSFER Transfer = { .Buffer = Buffer, .Length = Length, .Write = FALSE };

    return IopTransfer(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, &Transfer, ByteOffset, Key);
}

/**
 * Writes to a file or device. A handle with FILE_APPEND_DATA but not FILE_WRITE_DATA writes at the end.
 * IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtWriteFile(_In_ HANDLE FileHandle, _In_opt_ HANDLE Event, _In_opt_ PIO_APC_ROUTINE ApcRoutine,
                           _In_opt_ PVOID ApcContext, _Out_ PIO_STATUS_BLOCK IoStatusBlock, _In_ PVOID Buffer,
                           _In_ ULONG Length, _In_opt_ PLARGE_INTEGER ByteOffset, _In_opt_ PULONG Key)
{
    IOP_TRANSFER Transfer = { .Buffer = Buffer, .Length = Length, .Write = TRUE };

    return IopTransfer(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, &Transfer, ByteOffset, Key);
}

/** Asks the driver to write out what it holds back. Needs FILE_WRITE_DATA or FILE_APPEND_DATA. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI NtFlushBuffersFile(_In_ HANDLE FileHandle, _Out_ PIO_STATUS_BLOCK IoStatusBlock)
{
    IOP_REQUEST Request;
    IO_STATUS_BLOCK Local;
    PIO_STACK_LOCATION Stack;
    NTSTATUS Status;

    if (ExGetPreviousMode() != KernelMode)
    {
        __try
        {
            IopProbeIosb(IoStatusBlock);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            return GetExceptionCode();
        }
    }
    Status = IopBeginRequest(&Request, FileHandle, NULL, 0, NULL);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    if (Request.Mode != KernelMode && !(Request.Granted & (FILE_APPEND_DATA | FILE_WRITE_DATA)))
    {
        IopEndRequest(&Request);
        return STATUS_ACCESS_DENIED;
    }
    Status = IopBuildRequest(&Request, IRP_MJ_FLUSH_BUFFERS, NULL, NULL, NULL, &Stack);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = IopCallAndWait(Request.Device, Request.Irp, &Local);
    Request.Irp = NULL;
    IopEndRequest(&Request);
    if (!NT_ERROR(Status))
    {
        IopWriteIosb(IoStatusBlock, Status, Local.Information);
    }
    return Status;
}
