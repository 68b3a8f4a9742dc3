/* SPDX-License-Identifier: MIT */
/*
 * Listing directories.
 */
#include "iop.h"

/* The pattern as file systems get it: a UNICODE_STRING with its characters behind it, freed at completion. */
static NTSTATUS IopCapturePattern(PUNICODE_STRING User, KPROCESSOR_MODE Mode, PUNICODE_STRING *Captured)
{
    UNICODE_STRING Local;
    PUNICODE_STRING Copy;

    *Captured = NULL;
    if (User == NULL)
    {
        return STATUS_SUCCESS;
    }
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead(User, sizeof(*User), sizeof(PVOID));
        }
        Local = *(volatile UNICODE_STRING *)User;
        if (Local.Length == 0)
        {
            return STATUS_SUCCESS;
        }
        if (Local.Length & 1)
        {
            return STATUS_INVALID_PARAMETER;
        }
        if (Mode != KernelMode)
        {
            ProbeForRead(Local.Buffer, Local.Length, sizeof(WCHAR));
        }
        Copy = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Copy) + Local.Length, IOP_TAG_NAME);
        if (Copy == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        Copy->Buffer = (PWCHAR)(Copy + 1);
        Copy->Length = Copy->MaximumLength = Local.Length;
        *Captured = Copy;
        RtlCopyMemory(Copy->Buffer, Local.Buffer, Local.Length);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        if (*Captured != NULL)
        {
            ExFreePoolWithTag(*Captured, IOP_TAG_NAME);
            *Captured = NULL;
        }
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static NTSTATUS IopCheckDirectoryClass(FILE_INFORMATION_CLASS Class, ULONG Length)
{
    ULONG Minimum;

    switch (Class)
    {
    case FileDirectoryInformation:
        Minimum = sizeof(FILE_DIRECTORY_INFORMATION);
        break;
    case FileFullDirectoryInformation:
        Minimum = sizeof(FILE_FULL_DIR_INFORMATION);
        break;
    case FileBothDirectoryInformation:
        Minimum = sizeof(FILE_BOTH_DIR_INFORMATION);
        break;
    case FileNamesInformation:
        Minimum = sizeof(FILE_NAMES_INFORMATION);
        break;
    case FileIdBothDirectoryInformation:
        Minimum = sizeof(FILE_ID_BOTH_DIR_INFORMATION);
        break;
    case FileIdFullDirectoryInformation:
        Minimum = sizeof(FILE_ID_FULL_DIR_INFORMATION);
        break;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
    return Length < Minimum ? STATUS_INFO_LENGTH_MISMATCH : STATUS_SUCCESS;
}

static NTSTATUS IopAttachDirectoryBuffer(PIRP Irp, PDEVICE_OBJECT Device, PVOID Buffer, ULONG Length,
                                         KPROCESSOR_MODE Mode)
{
    NTSTATUS Status = STATUS_SUCCESS;

    if (Device->Flags & DO_BUFFERED_IO)
    {
        Status = IopAttachSystemBuffer(Irp, Length, NULL, 0);
        Irp->UserBuffer = Buffer;
        Irp->Flags |= IRP_INPUT_OPERATION;
        IopIrpHeader(Irp)->OutputLength = Length;
    }
    else if (Device->Flags & DO_DIRECT_IO)
    {
        Status = IopAttachLockedBuffer(Irp, Buffer, Length, Mode, IoWriteAccess);
    }
    else
    {
        Irp->UserBuffer = Buffer;
    }
    return Status;
}

/**
 * Lists a directory, a buffer's worth at a time.
 * @param FileName  Pattern with * and ?; taken from the first call on a handle.
 * @return STATUS_NO_SUCH_FILE (first call), STATUS_NO_MORE_FILES, STATUS_BUFFER_OVERFLOW. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtQueryDirectoryFile(_In_ HANDLE FileHandle, _In_opt_ HANDLE Event, _In_opt_ PIO_APC_ROUTINE ApcRoutine,
                                    _In_opt_ PVOID ApcContext, _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                                    _Out_ PVOID FileInformation, _In_ ULONG Length,
                                    _In_ FILE_INFORMATION_CLASS FileInformationClass, _In_ BOOLEAN ReturnSingleEntry,
                                    _In_opt_ PUNICODE_STRING FileName, _In_ BOOLEAN RestartScan)
{
    IOP_REQUEST Request;
    PIO_STACK_LOCATION Stack;
    PUNICODE_STRING Pattern = NULL;
    NTSTATUS Status = IopCheckDirectoryClass(FileInformationClass, Length);

    if (NT_SUCCESS(Status) && ExGetPreviousMode() != KernelMode)
    {
        __try
        {
            IopProbeIosb(IoStatusBlock);
            ProbeForWrite(FileInformation, Length, sizeof(ULONG));
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            Status = GetExceptionCode();
        }
    }
    if (NT_SUCCESS(Status))
    {
        Status = IopCapturePattern(FileName, ExGetPreviousMode(), &Pattern);
    }
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = IopBeginRequest(&Request, FileHandle, Event, FILE_LIST_DIRECTORY, ApcRoutine);
    if (NT_SUCCESS(Status))
    {
        Status = IopBuildRequest(&Request, IRP_MJ_DIRECTORY_CONTROL, IoStatusBlock, ApcRoutine, ApcContext, &Stack);
    }
    if (!NT_SUCCESS(Status))
    {
        if (Pattern != NULL)
        {
            ExFreePoolWithTag(Pattern, IOP_TAG_NAME);
        }
        return Status;
    }
    Request.Irp->Tail.Overlay.AuxiliaryBuffer = (PCHAR)Pattern;
    Stack->MinorFunction = IRP_MN_QUERY_DIRECTORY;
    Stack->Flags = RestartScan ? SL_RESTART_SCAN : 0;
    Stack->Flags |= ReturnSingleEntry ? SL_RETURN_SINGLE_ENTRY : 0;
    Stack->Parameters.QueryDirectory.Length = Length;
    Stack->Parameters.QueryDirectory.FileName = Pattern;
    Stack->Parameters.QueryDirectory.FileInformationClass = FileInformationClass;
    Status = IopAttachDirectoryBuffer(Request.Irp, Request.Device, FileInformation, Length, Request.Mode);
    if (!NT_SUCCESS(Status))
    {
        IopEndRequest(&Request);
        return Status;
    }
    return IopSendRequest(&Request);
}
