/* SPDX-License-Identifier: MIT */
/*
 * The services that open files: parameters are checked and captured here, OB finds the device, its parse method does
 * the rest (parse.c).
 */
#include "iop.h"

#ifndef IO_FORCE_ACCESS_CHECK
#define IO_FORCE_ACCESS_CHECK 0x0001
#endif
#ifndef IO_NO_PARAMETER_CHECKING
#define IO_NO_PARAMETER_CHECKING 0x0100
#endif

#define IOP_DIRECTORY_OPTIONS                                                                                          \
    (FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT | FILE_WRITE_THROUGH |             \
     FILE_COMPLETE_IF_OPLOCKED | FILE_OPEN_FOR_BACKUP_INTENT | FILE_DELETE_ON_CLOSE | FILE_OPEN_FOR_FREE_SPACE_QUERY | \
     FILE_OPEN_BY_FILE_ID | FILE_OPEN_REPARSE_POINT)

static NTSTATUS IopCheckCreateParameters(ACCESS_MASK Access, ULONG Attributes, ULONG Share, ULONG Disposition,
                                         ULONG Options, ULONG EaLength, PVOID EaBuffer)
{
    const ULONG Synchronous = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT;

    if ((Attributes & ~FILE_ATTRIBUTE_VALID_FLAGS) || (Share & ~FILE_SHARE_VALID_FLAGS) ||
        Disposition > FILE_MAXIMUM_DISPOSITION || (Options & ~FILE_VALID_OPTION_FLAGS) ||
        (EaBuffer == NULL && EaLength != 0))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if ((Options & Synchronous) && (!(Access & SYNCHRONIZE) || (Options & Synchronous) == Synchronous))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if ((Options & FILE_DELETE_ON_CLOSE) && !(Access & (DELETE | GENERIC_ALL | MAXIMUM_ALLOWED)))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if ((Options & FILE_DIRECTORY_FILE) &&
        ((Options & ~IOP_DIRECTORY_OPTIONS) ||
         (Disposition != FILE_CREATE && Disposition != FILE_OPEN && Disposition != FILE_OPEN_IF)))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if ((Options & FILE_COMPLETE_IF_OPLOCKED) && (Options & FILE_RESERVE_OPFILTER))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if ((Options & FILE_NO_INTERMEDIATE_BUFFERING) && (Access & FILE_APPEND_DATA))
    {
        return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

/* A nonpaged copy of the caller's extended attributes, checked. */
static NTSTATUS IopCaptureEa(IOP_OPEN_PACKET *Packet, PVOID Buffer, ULONG Length, KPROCESSOR_MODE Mode)
{
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG ErrorOffset;
    PVOID Copy;

    if (Buffer == NULL || Length == 0)
    {
        return STATUS_SUCCESS;
    }
    Copy = ExAllocatePoolWithTag(NonPagedPoolNx, Length, IOP_TAG_FILE);
    if (Copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead(Buffer, Length, sizeof(ULONG));
        }
        RtlCopyMemory(Copy, Buffer, Length);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Status = GetExceptionCode();
    }
    if (NT_SUCCESS(Status))
    {
        Status = IoCheckEaBufferValidity(Copy, Length, &ErrorOffset);
    }
    if (!NT_SUCCESS(Status))
    {
        ExFreePoolWithTag(Copy, IOP_TAG_FILE);
        return Status;
    }
    Packet->EaBuffer = Copy;
    Packet->EaLength = Length;
    return STATUS_SUCCESS;
}

/**
 * Checks a list of FILE_FULL_EA_INFORMATION.
 * @param ErrorOffset  Out: offset of the first bad entry. STATUS_EA_LIST_INCONSISTENT. IRQL any, EaBuffer resident.
 */
NTSTATUS NTAPI IoCheckEaBufferValidity(_In_ PFILE_FULL_EA_INFORMATION EaBuffer, _In_ ULONG EaLength,
                                       _Out_ PULONG ErrorOffset)
{
    const ULONG Fixed = offsetof(FILE_FULL_EA_INFORMATION, EaName);
    ULONG Offset = 0;

    for (;;)
    {
        PFILE_FULL_EA_INFORMATION Entry = (PFILE_FULL_EA_INFORMATION)((PUCHAR)EaBuffer + Offset);
        ULONG Left = EaLength - Offset;
        ULONG Needed;

        *ErrorOffset = Offset;
        if (Left < Fixed)
        {
            return STATUS_EA_LIST_INCONSISTENT;
        }
        Needed = Fixed + Entry->EaNameLength + 1 + Entry->EaValueLength;
        if (Left < Needed || Entry->EaName[Entry->EaNameLength] != 0)
        {
            return STATUS_EA_LIST_INCONSISTENT;
        }
        if (Entry->NextEntryOffset == 0)
        {
            return STATUS_SUCCESS;
        }
        if (Entry->NextEntryOffset != ALIGN_UP_BY(Needed, sizeof(ULONG)) || Entry->NextEntryOffset >= Left)
        {
            return STATUS_EA_LIST_INCONSISTENT;
        }
        Offset += Entry->NextEntryOffset;
    }
}

static VOID IopInitializePacket(IOP_OPEN_PACKET *Packet)
{
    RtlZeroMemory(Packet, sizeof(*Packet));
    Packet->Type = IOP_OPEN_PACKET_TYPE;
    Packet->Size = sizeof(*Packet);
    Packet->FinalStatus = STATUS_OBJECT_NAME_NOT_FOUND;
}

/* Probes what a user-mode caller gave to be written, and takes the allocation size. */
static NTSTATUS IopCaptureCreate(IOP_OPEN_PACKET *Packet, PHANDLE FileHandle, PIO_STATUS_BLOCK Iosb,
                                 PLARGE_INTEGER AllocationSize, KPROCESSOR_MODE Mode)
{
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForWrite(FileHandle, sizeof(HANDLE), sizeof(HANDLE));
            IopProbeIosb(Iosb);
            if (AllocationSize != NULL)
            {
                ProbeForRead(AllocationSize, sizeof(LARGE_INTEGER), sizeof(ULONG));
            }
        }
        if (AllocationSize != NULL)
        {
            Packet->AllocationSize.QuadPart = *(volatile LONGLONG *)&AllocationSize->QuadPart;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return Packet->AllocationSize.QuadPart < 0 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

static NTSTATUS IopReturnHandle(PHANDLE Target, HANDLE Handle, PIO_STATUS_BLOCK Iosb, NTSTATUS Status,
                                ULONG_PTR Information, KPROCESSOR_MODE Mode)
{
    __try
    {
        *Target = Handle;
        Iosb->Information = Information;
        Iosb->Status = Status;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Status = GetExceptionCode();
        ObCloseHandle(Handle, Mode);
    }
    return Status;
}

static NTSTATUS IopCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                              PIO_STATUS_BLOCK Iosb, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                              ULONG ShareAccess, ULONG Disposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength,
                              ULONG Options, KPROCESSOR_MODE Mode)
{
    IOP_OPEN_PACKET Packet;
    HANDLE Handle = NULL;
    NTSTATUS Status;

    if (Mode != KernelMode || !(Options & IO_NO_PARAMETER_CHECKING))
    {
        Status = IopCheckCreateParameters(DesiredAccess, FileAttributes, ShareAccess, Disposition, CreateOptions,
                                          EaLength, EaBuffer);
        if (!NT_SUCCESS(Status))
        {
            return Status;
        }
    }
    IopInitializePacket(&Packet);
    Packet.CreateOptions = CreateOptions;
    Packet.Disposition = Disposition;
    Packet.FileAttributes = FileAttributes;
    Packet.ShareAccess = ShareAccess;
    Packet.Options = Options;
    Packet.ForceAccessCheck = (Options & IO_FORCE_ACCESS_CHECK) != 0;
    Status = IopCaptureCreate(&Packet, FileHandle, Iosb, AllocationSize, Mode);
    if (NT_SUCCESS(Status))
    {
        Status = IopCaptureEa(&Packet, EaBuffer, EaLength, Mode);
    }
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Status = ObOpenObjectByName(ObjectAttributes, IoFileObjectType, Mode, NULL, DesiredAccess, &Packet, &Handle);
    if (Packet.EaBuffer != NULL)
    {
        ExFreePoolWithTag(Packet.EaBuffer, IOP_TAG_FILE);
    }
    if (NT_SUCCESS(Status))
    {
        if (!Packet.Parsed)
        {
            ObCloseHandle(Handle, Mode);
            return STATUS_OBJECT_TYPE_MISMATCH;
        }
        return IopReturnHandle(FileHandle, Handle, Iosb, Packet.FinalStatus, Packet.Information, Mode);
    }
    if (Packet.Parsed && !NT_SUCCESS(Packet.FinalStatus))
    {
        Status = Packet.FinalStatus;
        if (!NT_ERROR(Status))
        {
            IopWriteIosb(Iosb, Status, Packet.Information);
        }
    }
    return Status;
}

/**
 * Opens or creates a file, directory, device or volume.
 * See the DDI for the parameters; user pointers are probed. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtCreateFile(_Out_ PHANDLE FileHandle, _In_ ACCESS_MASK DesiredAccess,
                            _In_ POBJECT_ATTRIBUTES ObjectAttributes, _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                            _In_opt_ PLARGE_INTEGER AllocationSize, _In_ ULONG FileAttributes, _In_ ULONG ShareAccess,
                            _In_ ULONG CreateDisposition, _In_ ULONG CreateOptions, _In_opt_ PVOID EaBuffer,
                            _In_ ULONG EaLength)
{
    return IopCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, AllocationSize, FileAttributes,
                         ShareAccess, CreateDisposition, CreateOptions, EaBuffer, EaLength, 0, ExGetPreviousMode());
}

/** Opens an existing file. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI NtOpenFile(_Out_ PHANDLE FileHandle, _In_ ACCESS_MASK DesiredAccess,
                          _In_ POBJECT_ATTRIBUTES ObjectAttributes, _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                          _In_ ULONG ShareAccess, _In_ ULONG OpenOptions)
{
    return IopCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, NULL, 0, ShareAccess, FILE_OPEN,
                         OpenOptions, NULL, 0, 0, ExGetPreviousMode());
}

/**
 * For drivers: as ZwCreateFile, with options (IO_FORCE_ACCESS_CHECK checks as for a user-mode caller).
 * Named pipes and mailslots are refused: STATUS_NOT_SUPPORTED. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoCreateFile(_Out_ PHANDLE FileHandle, _In_ ACCESS_MASK DesiredAccess,
                            _In_ POBJECT_ATTRIBUTES ObjectAttributes, _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                            _In_opt_ PLARGE_INTEGER AllocationSize, _In_ ULONG FileAttributes, _In_ ULONG ShareAccess,
                            _In_ ULONG Disposition, _In_ ULONG CreateOptions, _In_opt_ PVOID EaBuffer,
                            _In_ ULONG EaLength, _In_ CREATE_FILE_TYPE CreateFileType,
                            _In_opt_ PVOID InternalParameters, _In_ ULONG Options)
{
    if (CreateFileType != CreateFileTypeNone || InternalParameters != NULL)
    {
        return STATUS_NOT_SUPPORTED;
    }
    return IopCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, AllocationSize, FileAttributes,
                         ShareAccess, Disposition, CreateOptions, EaBuffer, EaLength, Options, KernelMode);
}

/**
 * As IoCreateFile. Extra create parameters, device hints and transactions are refused: STATUS_NOT_SUPPORTED.
 * IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI IoCreateFileEx(_Out_ PHANDLE FileHandle, _In_ ACCESS_MASK DesiredAccess,
                              _In_ POBJECT_ATTRIBUTES ObjectAttributes, _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                              _In_opt_ PLARGE_INTEGER AllocationSize, _In_ ULONG FileAttributes,
                              _In_ ULONG ShareAccess, _In_ ULONG Disposition, _In_ ULONG CreateOptions,
                              _In_opt_ PVOID EaBuffer, _In_ ULONG EaLength, _In_ CREATE_FILE_TYPE CreateFileType,
                              _In_opt_ PVOID InternalParameters, _In_ ULONG Options,
                              _In_opt_ PIO_DRIVER_CREATE_CONTEXT DriverContext)
{
    if (DriverContext != NULL && (DriverContext->ExtraCreateParameter != NULL ||
                                  DriverContext->DeviceObjectHint != NULL || DriverContext->TxnParameters != NULL))
    {
        return STATUS_NOT_SUPPORTED;
    }
    return IoCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, AllocationSize, FileAttributes,
                        ShareAccess, Disposition, CreateOptions, EaBuffer, EaLength, CreateFileType, InternalParameters,
                        Options);
}

/* Opens without a handle: the parse method answers and closes again. */
static NTSTATUS IopShortOpen(POBJECT_ATTRIBUTES ObjectAttributes, IOP_OPEN_PACKET *Packet, ACCESS_MASK Access)
{
    HANDLE Handle = NULL;
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    NTSTATUS Status;

    Packet->Disposition = FILE_OPEN;
    Packet->ShareAccess = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    Status = ObOpenObjectByName(ObjectAttributes, IoFileObjectType, Mode, NULL, Access, Packet, &Handle);
    if (NT_SUCCESS(Status))
    {
        ObCloseHandle(Handle, Mode); /* the name is that of something else */
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    return Packet->Parsed ? Packet->FinalStatus : Status;
}

static NTSTATUS IopQueryNetworkInformation(POBJECT_ATTRIBUTES ObjectAttributes,
                                           PFILE_NETWORK_OPEN_INFORMATION Information)
{
    IOP_OPEN_PACKET Packet;

    IopInitializePacket(&Packet);
    Packet.QueryOnly = TRUE;
    Packet.CreateOptions = FILE_OPEN_REPARSE_POINT;
    Packet.NetworkInformation = Information;
    return IopShortOpen(ObjectAttributes, &Packet, FILE_READ_ATTRIBUTES);
}

/** Attributes and times of a file by name. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI NtQueryAttributesFile(_In_ POBJECT_ATTRIBUTES ObjectAttributes,
                                     _Out_ PFILE_BASIC_INFORMATION FileInformation)
{
    FILE_NETWORK_OPEN_INFORMATION Full;
    NTSTATUS Status;

    __try
    {
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForWrite(FileInformation, sizeof(*FileInformation), sizeof(ULONG));
        }
        Status = IopQueryNetworkInformation(ObjectAttributes, &Full);
        if (NT_SUCCESS(Status))
        {
            FileInformation->CreationTime = Full.CreationTime;
            FileInformation->LastAccessTime = Full.LastAccessTime;
            FileInformation->LastWriteTime = Full.LastWriteTime;
            FileInformation->ChangeTime = Full.ChangeTime;
            FileInformation->FileAttributes = Full.FileAttributes;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Status = GetExceptionCode();
    }
    return Status;
}

/** Attributes, times and sizes of a file by name. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI NtQueryFullAttributesFile(_In_ POBJECT_ATTRIBUTES ObjectAttributes,
                                         _Out_ PFILE_NETWORK_OPEN_INFORMATION FileInformation)
{
    FILE_NETWORK_OPEN_INFORMATION Full;
    NTSTATUS Status;

    __try
    {
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForWrite(FileInformation, sizeof(*FileInformation), sizeof(ULONG));
        }
        Status = IopQueryNetworkInformation(ObjectAttributes, &Full);
        if (NT_SUCCESS(Status))
        {
            *FileInformation = Full;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Status = GetExceptionCode();
    }
    return Status;
}

/** Deletes a file by name, when its last handle is closed. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI NtDeleteFile(_In_ POBJECT_ATTRIBUTES ObjectAttributes)
{
    IOP_OPEN_PACKET Packet;

    IopInitializePacket(&Packet);
    Packet.DeleteOnly = TRUE;
    Packet.CreateOptions = FILE_DELETE_ON_CLOSE | FILE_OPEN_REPARSE_POINT;
    return IopShortOpen(ObjectAttributes, &Packet, DELETE);
}
