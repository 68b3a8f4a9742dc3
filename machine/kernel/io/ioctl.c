/* SPDX-License-Identifier: MIT */
/*
 * Device and file system control requests from programs. The transfer method in the code's low bits decides who
 * describes the buffers to the driver:
 *
 *   method      input                              output
 *   BUFFERED    copied into the system buffer      copied back from the system buffer (max of both lengths)
 *   IN_DIRECT   copied into the system buffer      MDL, locked for reading
 *   OUT_DIRECT  copied into the system buffer      MDL, locked for writing
 *   NEITHER     Type3InputBuffer, as given         UserBuffer, as given
 *
 * Fewer than one byte makes no buffer and no MDL.
 */
#include "iop.h"

typedef struct _IOP_CONTROL
{
    ULONG Code;
    PVOID Input;
    ULONG InputLength;
    PVOID Output;
    ULONG OutputLength;
} IOP_CONTROL;

/* For callers in user mode: every pointer is checked here, before the request exists. */
static NTSTATUS IopProbeControl(IOP_CONTROL *Control, PIO_STATUS_BLOCK Iosb)
{
    ULONG Method = Control->Code & 3;

    __try
    {
        IopProbeIosb(Iosb);
        if (Method == METHOD_BUFFERED)
        {
            if (Control->Output != NULL)
            {
                ProbeForWrite(Control->Output, Control->OutputLength, 1);
            }
            else
            {
                Control->OutputLength = 0;
            }
        }
        if (Method != METHOD_NEITHER)
        {
            if (Control->Input != NULL)
            {
                ProbeForRead(Control->Input, Control->InputLength, 1);
            }
            else
            {
                Control->InputLength = 0;
            }
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static NTSTATUS IopAttachBuffers(PIRP Irp, PIO_STACK_LOCATION Stack, const IOP_CONTROL *Control, KPROCESSOR_MODE Mode)
{
    ULONG Method = Control->Code & 3;
    ULONG Larger = Control->InputLength > Control->OutputLength ? Control->InputLength : Control->OutputLength;
    NTSTATUS Status = STATUS_SUCCESS;

    switch (Method)
    {
    case METHOD_BUFFERED:
        if (Larger != 0)
        {
            Status =
                IopAttachSystemBuffer(Irp, Larger, Control->Input, Control->Input != NULL ? Control->InputLength : 0);
            Irp->UserBuffer = Control->Output;
            if (Control->Output != NULL)
            {
                Irp->Flags |= IRP_INPUT_OPERATION;
                IopIrpHeader(Irp)->OutputLength = Control->OutputLength;
            }
        }
        break;
    case METHOD_IN_DIRECT:
    case METHOD_OUT_DIRECT:
        if (Control->InputLength != 0 && Control->Input != NULL)
        {
            Status = IopAttachSystemBuffer(Irp, Control->InputLength, Control->Input, Control->InputLength);
        }
        if (NT_SUCCESS(Status) && Control->OutputLength != 0)
        {
            Status = IopAttachLockedBuffer(Irp, Control->Output, Control->OutputLength, Mode,
                                           Method == METHOD_IN_DIRECT ? IoReadAccess : IoWriteAccess);
        }
        break;
    default:
        Irp->UserBuffer = Control->Output;
        Stack->Parameters.DeviceIoControl.Type3InputBuffer = Control->Input;
        break;
    }
    return Status;
}

/* A driver may answer without an IRP. TRUE if it did. */
static BOOLEAN IopTryFastControl(IOP_REQUEST *Request, const IOP_CONTROL *Control, PIO_STATUS_BLOCK Iosb,
                                 PVOID ApcContext, NTSTATUS *Result)
{
    PFAST_IO_DISPATCH Fast = Request->Device->DriverObject->FastIoDispatch;
    IO_STATUS_BLOCK Local = {0};

    if (Fast == NULL || Fast->SizeOfFastIoDispatch <= offsetof(FAST_IO_DISPATCH, FastIoDeviceControl) ||
        Fast->FastIoDeviceControl == NULL)
    {
        return FALSE;
    }
    if (!Fast->FastIoDeviceControl(Request->File, TRUE, Control->Input, Control->InputLength, Control->Output,
                                   Control->OutputLength, Control->Code, &Local, Request->Device))
    {
        return FALSE;
    }
    IopWriteIosb(Iosb, Local.Status, Local.Information);
    if (Request->Event != NULL)
    {
        KeSetEvent(Request->Event, IO_NO_INCREMENT, FALSE);
    }
    if (Request->File->CompletionContext != NULL && ApcContext != NULL &&
        !(Request->File->Flags & FO_SKIP_COMPLETION_PORT))
    {
        IopPostPacket(Request->File->CompletionContext, ApcContext, Local.Status, Local.Information);
    }
    IopEndRequest(Request);
    *Result = Local.Status;
    return TRUE;
}

static NTSTATUS IopControlFile(HANDLE FileHandle, HANDLE EventHandle, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                               PIO_STATUS_BLOCK Iosb, IOP_CONTROL *Control, UCHAR Major)
{
    IOP_REQUEST Request;
    PIO_STACK_LOCATION Stack;
    ULONG Access = (Control->Code >> 14) & 3;
    NTSTATUS Status;

    if (ExGetPreviousMode() != KernelMode)
    {
        Status = IopProbeControl(Control, Iosb);
        if (!NT_SUCCESS(Status))
        {
            return Status;
        }
    }
    Status = IopBeginRequest(&Request, FileHandle, EventHandle, 0, ApcRoutine);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    /* FILE_READ_ACCESS and FILE_WRITE_ACCESS have the values of FILE_READ_DATA and FILE_WRITE_DATA. */
    if (Access != FILE_ANY_ACCESS && Request.Mode != KernelMode && (Request.Granted & Access) != Access)
    {
        IopEndRequest(&Request);
        return STATUS_ACCESS_DENIED;
    }
    if (Major == IRP_MJ_DEVICE_CONTROL && ApcRoutine == NULL &&
        IopTryFastControl(&Request, Control, Iosb, ApcContext, &Status))
    {
        return Status;
    }
    Status = IopBuildRequest(&Request, Major, Iosb, ApcRoutine, ApcContext, &Stack);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Stack->Parameters.DeviceIoControl.OutputBufferLength = Control->OutputLength;
    Stack->Parameters.DeviceIoControl.InputBufferLength = Control->InputLength;
    Stack->Parameters.DeviceIoControl.IoControlCode = Control->Code;
    Status = IopAttachBuffers(Request.Irp, Stack, Control, Request.Mode);
    if (!NT_SUCCESS(Status))
    {
        IopEndRequest(&Request);
        return Status;
    }
    if (Major == IRP_MJ_FILE_SYSTEM_CONTROL)
    {
        Stack->MinorFunction = Request.Mode == KernelMode ? IRP_MN_KERNEL_CALL : IRP_MN_USER_FS_REQUEST;
    }
    else
    {
        Stack->Flags = (Request.Granted & FILE_READ_DATA) ? SL_READ_ACCESS_GRANTED : 0;
        Stack->Flags |= (Request.Granted & FILE_WRITE_DATA) ? SL_WRITE_ACCESS_GRANTED : 0;
    }
    return IopSendRequest(&Request);
}

/**
 * Sends a control code to a device. Buffers as the code's method says; the access bits of the code are checked against
 * the handle for user-mode callers.
 * @return The driver's status; STATUS_PENDING (asynchronous file), STATUS_ACCESS_DENIED, STATUS_ACCESS_VIOLATION,
 *         STATUS_INSUFFICIENT_RESOURCES. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtDeviceIoControlFile(_In_ HANDLE FileHandle, _In_opt_ HANDLE Event, _In_opt_ PIO_APC_ROUTINE ApcRoutine,
                                     _In_opt_ PVOID ApcContext, _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                                     _In_ ULONG IoControlCode, _In_opt_ PVOID InputBuffer, _In_ ULONG InputBufferLength,
                                     _Out_opt_ PVOID OutputBuffer, _In_ ULONG OutputBufferLength)
{
    IOP_CONTROL Control = { IoControlCode, InputBuffer, InputBufferLength, OutputBuffer, OutputBufferLength };

    return IopControlFile(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, &Control, IRP_MJ_DEVICE_CONTROL);
}

/** Sends a control code to a file system. As NtDeviceIoControlFile. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI NtFsControlFile(_In_ HANDLE FileHandle, _In_opt_ HANDLE Event, _In_opt_ PIO_APC_ROUTINE ApcRoutine,
                               _In_opt_ PVOID ApcContext, _Out_ PIO_STATUS_BLOCK IoStatusBlock,
                               _In_ ULONG FsControlCode, _In_opt_ PVOID InputBuffer, _In_ ULONG InputBufferLength,
                               _Out_opt_ PVOID OutputBuffer, _In_ ULONG OutputBufferLength)
{
    IOP_CONTROL Control = { FsControlCode, InputBuffer, InputBufferLength, OutputBuffer, OutputBufferLength };

    return IopControlFile(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, &Control,
                          IRP_MJ_FILE_SYSTEM_CONTROL);
}

/**
 * For a driver whose code is FILE_ANY_ACCESS: was the file opened with RequiredAccess (FILE_READ_DATA,
 * FILE_WRITE_DATA)? Requests from kernel mode always pass. STATUS_ACCESS_DENIED. IRQL any.
 */
NTSTATUS NTAPI IoValidateDeviceIoControlAccess(_In_ PIRP Irp, _In_ ULONG RequiredAccess)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);

    if (RequiredAccess & ~(FILE_READ_DATA | FILE_WRITE_DATA))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Irp->RequestorMode == KernelMode)
    {
        return STATUS_SUCCESS;
    }
    if (((RequiredAccess & FILE_READ_DATA) && !(Stack->Flags & SL_READ_ACCESS_GRANTED)) ||
        ((RequiredAccess & FILE_WRITE_DATA) && !(Stack->Flags & SL_WRITE_ACCESS_GRANTED)))
    {
        return STATUS_ACCESS_DENIED;
    }
    return STATUS_SUCCESS;
}
