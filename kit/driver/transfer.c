/* SPDX-License-Identifier: MIT */
/*
 * Transfers: bytes between the caller's buffer, however it came, and a region. One path for all four methods and for
 * read and write on the three devices; what differs is in the library's request buffer.
 *
 * The buffer is captured before the region is entered. A capture may fault pages in, and a page may come from
 * wherever the program put it; the use of a region must not wait for that.
 */
#include "shell.h"

/*
 * Moves Length bytes and notes the request. Region 0: nothing to read from, and written bytes are only summed up.
 */
static NTSTATUS ShellMove(PSHELL_FILE File, PIRP Irp, const ISTHMUS_REQUEST *Request, UINT64 Region, UINT64 Offset,
                          ULONGLONG Length)
{
    PISTHMUS_REGION region;
    BOOLEAN toDriver = Request->Operation == IoReadAccess;

    if (Region == 0 && !toDriver)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Region != 0)
    {
        NTSTATUS status =
            IsthmusRegionEnter(File->Session, Region, toDriver ? ISTHMUS_ACCESS_WRITE : ISTHMUS_ACCESS_READ, &region);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        status = IsthmusRequestTransfer(Request, region, Offset, Length);
        IsthmusRegionLeave(region);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
    IsthmusRequestRecord(File->Session, Irp, Request, Length, IsthmusRequestChecksum(Request, Length));
    return STATUS_SUCCESS;
}

/* Which way the bytes go by this method; STATUS_INVALID_PARAMETER if the parameters ask for another. */
static NTSTATUS ShellCheckTransfer(const ISTHMUS_TRANSFER *Query, ULONG Method, ULONG InputLength)
{
    BOOLEAN direct = Method == METHOD_IN_DIRECT || Method == METHOD_OUT_DIRECT;
    NTSTATUS status = ShellCheckHeader(&Query->Header, sizeof(*Query));
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if ((Query->Direction != ISTHMUS_TO_DRIVER && Query->Direction != ISTHMUS_FROM_DRIVER) ||
        (Method == METHOD_IN_DIRECT && Query->Direction != ISTHMUS_TO_DRIVER) ||
        (Method == METHOD_OUT_DIRECT && Query->Direction != ISTHMUS_FROM_DRIVER) ||
        Query->PartCount > (direct ? ISTHMUS_PARTS_MAX : 0))
    {
        return STATUS_INVALID_PARAMETER;
    }
    /* Only a buffered transfer to the driver has its bytes behind the parameters. */
    ULONG expected = sizeof(*Query) + Query->PartCount * sizeof(ISTHMUS_PART);
    BOOLEAN bytesFollow = Method == METHOD_BUFFERED && Query->Direction == ISTHMUS_TO_DRIVER;
    return bytesFollow || InputLength == expected ? STATUS_SUCCESS : STATUS_INFO_LENGTH_MISMATCH;
}

NTSTATUS ShellTransferControl(_In_ PSHELL_FILE File, _In_ PIRP Irp, _Out_ ULONG_PTR *Information)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG method = stack->Parameters.DeviceIoControl.IoControlCode & 3;
    ISTHMUS_TRANSFER query;
    ISTHMUS_REQUEST request;

    *Information = 0;
    NTSTATUS status = IsthmusRequestInput(Irp, 0, &query, sizeof(query));
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ShellCheckTransfer(&query, method, stack->Parameters.DeviceIoControl.InputBufferLength);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    LOCK_OPERATION operation = query.Direction == ISTHMUS_TO_DRIVER ? IoReadAccess : IoWriteAccess;
    for (ULONG i = 0; i < query.PartCount; i++)
    {
        ISTHMUS_PART part;
        status = IsthmusRequestInput(Irp, sizeof(query) + i * sizeof(part), &part, sizeof(part));
        if (NT_SUCCESS(status))
        {
            status = IsthmusRequestAppend(Irp, part.Address, part.Length, operation);
        }
        if (!NT_SUCCESS(status))
        {
            return status; /* the parts appended so far go with the IRP */
        }
    }

    status = IsthmusRequestCapture(Irp, operation, &request);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (method == METHOD_BUFFERED && operation == IoReadAccess)
    {
        status = IsthmusRequestAdvance(&request, sizeof(query));
    }
    if (NT_SUCCESS(status))
    {
        status = ShellMove(File, Irp, &request, query.Region, query.Offset, request.Length);
    }
    /* Buffered, this many bytes are copied back to the caller, so none if the bytes went to the driver. */
    if (NT_SUCCESS(status) && !(method == METHOD_BUFFERED && operation == IoReadAccess))
    {
        *Information = (ULONG_PTR)request.Length;
    }
    IsthmusRequestRelease(&request);
    return status;
}

/* How much of a read or write lies in its target: all of a write or an error, a read up to the region's end. */
static NTSTATUS ShellFitFile(PSHELL_FILE File, UINT64 Target, UINT64 Offset, BOOLEAN Write, ULONGLONG *Length)
{
    PISTHMUS_REGION region;
    if (Target == 0)
    {
        return Write || *Length == 0 ? STATUS_SUCCESS : STATUS_END_OF_FILE;
    }
    NTSTATUS status = IsthmusRegionEnter(File->Session, Target, 0, &region);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    UINT64 size = IsthmusRegionLength(region);
    IsthmusRegionLeave(region);
    if (Write)
    {
        return Offset <= size && *Length <= size - Offset ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    }
    if (*Length != 0 && Offset >= size)
    {
        return STATUS_END_OF_FILE;
    }
    *Length = Offset >= size ? 0 : min(*Length, size - Offset);
    return STATUS_SUCCESS;
}

/*
 * ReadFile and WriteFile. The devices keep no file pointer: the offset is the OVERLAPPED's, or what the I/O manager
 * has as the current position, which stays 0.
 */
NTSTATUS ShellTransferFile(_In_ PSHELL_FILE File, _In_ PIRP Irp, _Out_ ULONG_PTR *Information)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    BOOLEAN write = stack->MajorFunction == IRP_MJ_WRITE;
    LONGLONG offset = write ? stack->Parameters.Write.ByteOffset.QuadPart : stack->Parameters.Read.ByteOffset.QuadPart;
    UINT64 target = (UINT64)InterlockedCompareExchange64(&File->Target, 0, 0);
    ISTHMUS_REQUEST request;

    *Information = 0;
    if (offset < 0)
    {
        return STATUS_INVALID_PARAMETER; /* "append" and "current position" mean nothing here */
    }
    NTSTATUS status = IsthmusRequestCapture(Irp, write ? IoReadAccess : IoWriteAccess, &request);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    ULONGLONG length = request.Length;
    status = ShellFitFile(File, target, (UINT64)offset, write, &length);
    if (NT_SUCCESS(status) && length != 0)
    {
        status = ShellMove(File, Irp, &request, target, (UINT64)offset, length);
    }
    if (NT_SUCCESS(status))
    {
        *Information = (ULONG_PTR)length;
    }
    IsthmusRequestRelease(&request);
    return status;
}
