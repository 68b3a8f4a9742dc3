/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing, device control: synchronous, overlapped, with completion routines and ports.
 *
 * An OVERLAPPED begins with the IO_STATUS_BLOCK of its request: Internal is the status, InternalHigh
 * the byte count. A set lowest bit of hEvent keeps the request off the file's completion port.
 */
#include "base.h"

#include <winioctl.h>

static PVOID BaseApcContext(LPOVERLAPPED Overlapped)
{
    return ((ULONG_PTR)Overlapped->hEvent & 1) ? NULL : Overlapped;
}

static PIO_STATUS_BLOCK BaseIoStatus(LPOVERLAPPED Overlapped)
{
    return (PIO_STATUS_BLOCK)&Overlapped->Internal;
}

static LARGE_INTEGER BaseOffset(LPOVERLAPPED Overlapped)
{
    LARGE_INTEGER offset;
    offset.LowPart = Overlapped->Offset;
    offset.HighPart = (LONG)Overlapped->OffsetHigh;
    return offset;
}

/* A request on a file opened for synchronous use is over when the service returns; other files are waited for. */
static NTSTATUS BaseFinish(HANDLE File, NTSTATUS Status, PIO_STATUS_BLOCK IoStatus)
{
    if (Status == STATUS_PENDING)
    {
        Status = NtWaitForSingleObject(File, FALSE, NULL);
        if (NT_SUCCESS(Status))
        {
            Status = IoStatus->Status;
        }
    }
    return Status;
}

/* The result of an overlapped request as its starter sees it. */
static BOOL BaseStarted(NTSTATUS Status, LPOVERLAPPED Overlapped, LPDWORD Transferred)
{
    if (NT_SUCCESS(Status) && Status != STATUS_PENDING)
    {
        if (Transferred != NULL)
        {
            *Transferred = (DWORD)Overlapped->InternalHigh;
        }
        return TRUE;
    }
    return BaseFail(Status); /* STATUS_PENDING becomes ERROR_IO_PENDING */
}

/* ---- Read and write ---- */

BOOL WINAPI ReadFile(HANDLE hFile, LPVOID lpBuffer, DWORD nNumberOfBytesToRead, LPDWORD lpNumberOfBytesRead,
                     LPOVERLAPPED lpOverlapped)
{
    HANDLE file = BaseHandle(hFile);
    if (lpNumberOfBytesRead != NULL)
    {
        *lpNumberOfBytesRead = 0;
    }
    if (lpOverlapped != NULL)
    {
        LARGE_INTEGER offset = BaseOffset(lpOverlapped);
        lpOverlapped->Internal = (ULONG_PTR)STATUS_PENDING;
        NTSTATUS status = NtReadFile(file, lpOverlapped->hEvent, NULL, BaseApcContext(lpOverlapped),
                                     BaseIoStatus(lpOverlapped), lpBuffer, nNumberOfBytesToRead, &offset, NULL);
        return BaseStarted(status, lpOverlapped, lpNumberOfBytesRead);
    }

    IO_STATUS_BLOCK ioStatus;
    NTSTATUS status = NtReadFile(file, NULL, NULL, NULL, &ioStatus, lpBuffer, nNumberOfBytesToRead, NULL, NULL);
    status = BaseFinish(file, status, &ioStatus);
    if (status == STATUS_END_OF_FILE)
    {
        return TRUE; /* nothing read */
    }
    if (!NT_ERROR(status) && lpNumberOfBytesRead != NULL)
    {
        *lpNumberOfBytesRead = (DWORD)ioStatus.Information;
    }
    return BaseResult(status);
}

BOOL WINAPI WriteFile(HANDLE hFile, LPCVOID lpBuffer, DWORD nNumberOfBytesToWrite, LPDWORD lpNumberOfBytesWritten,
                      LPOVERLAPPED lpOverlapped)
{
    HANDLE file = BaseHandle(hFile);
    if (lpNumberOfBytesWritten != NULL)
    {
        *lpNumberOfBytesWritten = 0;
    }
    if (lpOverlapped != NULL)
    {
        LARGE_INTEGER offset = BaseOffset(lpOverlapped);
        lpOverlapped->Internal = (ULONG_PTR)STATUS_PENDING;
        NTSTATUS status = NtWriteFile(file, lpOverlapped->hEvent, NULL, BaseApcContext(lpOverlapped),
                                      BaseIoStatus(lpOverlapped), (PVOID)lpBuffer, nNumberOfBytesToWrite, &offset,
                                      NULL);
        return BaseStarted(status, lpOverlapped, lpNumberOfBytesWritten);
    }

    IO_STATUS_BLOCK ioStatus;
    NTSTATUS status = NtWriteFile(file, NULL, NULL, NULL, &ioStatus, (PVOID)lpBuffer, nNumberOfBytesToWrite, NULL,
                                  NULL);
    status = BaseFinish(file, status, &ioStatus);
    if (!NT_ERROR(status) && lpNumberOfBytesWritten != NULL)
    {
        *lpNumberOfBytesWritten = (DWORD)ioStatus.Information;
    }
    return BaseResult(status);
}

/* The APC of the Ex functions: ApcContext is the program's routine. */
static VOID NTAPI BaseIoCompletion(PVOID ApcContext, PIO_STATUS_BLOCK IoStatus, ULONG Reserved)
{
    UNREFERENCED_PARAMETER(Reserved);
    NTSTATUS status = IoStatus->Status;
    DWORD error = NT_SUCCESS(status) ? ERROR_SUCCESS : RtlNtStatusToDosError(status);
    DWORD bytes = NT_ERROR(status) ? 0 : (DWORD)IoStatus->Information;
    ((LPOVERLAPPED_COMPLETION_ROUTINE)ApcContext)(error, bytes, (LPOVERLAPPED)IoStatus);
}

BOOL WINAPI ReadFileEx(HANDLE hFile, LPVOID lpBuffer, DWORD nNumberOfBytesToRead, LPOVERLAPPED lpOverlapped,
                       LPOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    LARGE_INTEGER offset = BaseOffset(lpOverlapped);
    lpOverlapped->Internal = (ULONG_PTR)STATUS_PENDING;
    NTSTATUS status = NtReadFile(BaseHandle(hFile), NULL, BaseIoCompletion, (PVOID)lpCompletionRoutine,
                                 BaseIoStatus(lpOverlapped), lpBuffer, nNumberOfBytesToRead, &offset, NULL);
    return NT_ERROR(status) ? BaseFail(status) : TRUE;
}

BOOL WINAPI WriteFileEx(HANDLE hFile, LPCVOID lpBuffer, DWORD nNumberOfBytesToWrite, LPOVERLAPPED lpOverlapped,
                        LPOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine)
{
    LARGE_INTEGER offset = BaseOffset(lpOverlapped);
    lpOverlapped->Internal = (ULONG_PTR)STATUS_PENDING;
    NTSTATUS status = NtWriteFile(BaseHandle(hFile), NULL, BaseIoCompletion, (PVOID)lpCompletionRoutine,
                                  BaseIoStatus(lpOverlapped), (PVOID)lpBuffer, nNumberOfBytesToWrite, &offset, NULL);
    return NT_ERROR(status) ? BaseFail(status) : TRUE;
}

/* ---- Device control ---- */

static NTSTATUS BaseControl(HANDLE File, HANDLE Event, PVOID ApcContext, PIO_STATUS_BLOCK IoStatus, DWORD Code,
                            LPVOID In, DWORD InSize, LPVOID Out, DWORD OutSize)
{
    if (DEVICE_TYPE_FROM_CTL_CODE(Code) == FILE_DEVICE_FILE_SYSTEM)
    {
        return NtFsControlFile(File, Event, NULL, ApcContext, IoStatus, Code, In, InSize, Out, OutSize);
    }
    return NtDeviceIoControlFile(File, Event, NULL, ApcContext, IoStatus, Code, In, InSize, Out, OutSize);
}

BOOL WINAPI DeviceIoControl(HANDLE hDevice, DWORD dwIoControlCode, LPVOID lpInBuffer, DWORD nInBufferSize,
                            LPVOID lpOutBuffer, DWORD nOutBufferSize, LPDWORD lpBytesReturned,
                            LPOVERLAPPED lpOverlapped)
{
    HANDLE device = BaseHandle(hDevice);
    NTSTATUS status;
    if (lpOverlapped != NULL)
    {
        lpOverlapped->Internal = (ULONG_PTR)STATUS_PENDING;
        status = BaseControl(device, lpOverlapped->hEvent, BaseApcContext(lpOverlapped), BaseIoStatus(lpOverlapped),
                             dwIoControlCode, lpInBuffer, nInBufferSize, lpOutBuffer, nOutBufferSize);
        if (!NT_ERROR(status) && status != STATUS_PENDING && lpBytesReturned != NULL)
        {
            *lpBytesReturned = (DWORD)lpOverlapped->InternalHigh;
        }
        return NT_SUCCESS(status) && status != STATUS_PENDING ? TRUE : BaseFail(status);
    }

    IO_STATUS_BLOCK ioStatus;
    status = BaseControl(device, NULL, NULL, &ioStatus, dwIoControlCode, lpInBuffer, nInBufferSize, lpOutBuffer,
                         nOutBufferSize);
    status = BaseFinish(device, status, &ioStatus);
    if (lpBytesReturned != NULL)
    {
        /* A warning such as STATUS_BUFFER_OVERFLOW comes with data; an error comes with none. */
        *lpBytesReturned = NT_ERROR(status) ? 0 : (DWORD)ioStatus.Information;
    }
    return BaseResult(status);
}

/* ---- Results and cancellation ---- */

BOOL WINAPI GetOverlappedResultEx(HANDLE hFile, LPOVERLAPPED lpOverlapped, LPDWORD lpNumberOfBytesTransferred,
                                  DWORD dwMilliseconds, BOOL bAlertable)
{
    volatile OVERLAPPED *overlapped = lpOverlapped;
    if ((NTSTATUS)overlapped->Internal == STATUS_PENDING)
    {
        if (dwMilliseconds == 0)
        {
            return BaseFailWith(ERROR_IO_INCOMPLETE);
        }
        HANDLE object = (HANDLE)((ULONG_PTR)lpOverlapped->hEvent & ~(ULONG_PTR)1);
        DWORD wait = WaitForSingleObjectEx(object != NULL ? object : hFile, dwMilliseconds, bAlertable);
        if (wait == WAIT_FAILED)
        {
            return FALSE;
        }
        if (wait != WAIT_OBJECT_0)
        {
            return BaseFailWith(wait);
        }
    }
    MemoryBarrier(); /* the status was written after the data and the count */
    NTSTATUS status = (NTSTATUS)overlapped->Internal;
    *lpNumberOfBytesTransferred = (DWORD)overlapped->InternalHigh;
    return NT_SUCCESS(status) ? TRUE : BaseFail(status);
}

BOOL WINAPI GetOverlappedResult(HANDLE hFile, LPOVERLAPPED lpOverlapped, LPDWORD lpNumberOfBytesTransferred,
                                BOOL bWait)
{
    return GetOverlappedResultEx(hFile, lpOverlapped, lpNumberOfBytesTransferred, bWait ? INFINITE : 0, FALSE);
}

BOOL WINAPI CancelIo(HANDLE hFile)
{
    IO_STATUS_BLOCK ioStatus;
    return BaseResult(NtCancelIoFile(BaseHandle(hFile), &ioStatus));
}

BOOL WINAPI CancelIoEx(HANDLE hFile, LPOVERLAPPED lpOverlapped)
{
    IO_STATUS_BLOCK ioStatus;
    return BaseResult(NtCancelIoFileEx(BaseHandle(hFile),
                                       lpOverlapped != NULL ? BaseIoStatus(lpOverlapped) : NULL, &ioStatus));
}

/* ---- Completion ports ---- */

HANDLE WINAPI CreateIoCompletionPort(HANDLE FileHandle, HANDLE ExistingCompletionPort, ULONG_PTR CompletionKey,
                                     DWORD NumberOfConcurrentThreads)
{
    HANDLE port = ExistingCompletionPort;
    NTSTATUS status;
    if (FileHandle == INVALID_HANDLE_VALUE && ExistingCompletionPort != NULL)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (port == NULL)
    {
        status = NtCreateIoCompletion(&port, IO_COMPLETION_ALL_ACCESS, NULL, NumberOfConcurrentThreads);
        if (!NT_SUCCESS(status))
        {
            BaseFail(status);
            return NULL;
        }
    }
    if (FileHandle != INVALID_HANDLE_VALUE)
    {
        IO_STATUS_BLOCK ioStatus;
        FILE_COMPLETION_INFORMATION information = {port, (PVOID)CompletionKey};
        status = NtSetInformationFile(FileHandle, &ioStatus, &information, sizeof(information),
                                      FileCompletionInformation);
        if (!NT_SUCCESS(status))
        {
            if (ExistingCompletionPort == NULL)
            {
                NtClose(port);
            }
            BaseFail(status);
            return NULL;
        }
    }
    return port;
}

BOOL WINAPI GetQueuedCompletionStatus(HANDLE CompletionPort, LPDWORD lpNumberOfBytesTransferred,
                                      PULONG_PTR lpCompletionKey, LPOVERLAPPED *lpOverlapped, DWORD dwMilliseconds)
{
    LARGE_INTEGER time;
    IO_STATUS_BLOCK ioStatus = {0};
    PVOID key = NULL;
    PVOID context = NULL;
    NTSTATUS status = NtRemoveIoCompletion(CompletionPort, &key, &context, &ioStatus,
                                           BaseTimeout(dwMilliseconds, &time));
    if (status != STATUS_SUCCESS)
    {
        *lpOverlapped = NULL;
        return status == STATUS_TIMEOUT ? BaseFailWith(WAIT_TIMEOUT) : BaseFail(status);
    }
    *lpCompletionKey = (ULONG_PTR)key;
    *lpOverlapped = context;
    *lpNumberOfBytesTransferred = (DWORD)ioStatus.Information;
    return BaseResult(ioStatus.Status);
}

BOOL WINAPI PostQueuedCompletionStatus(HANDLE CompletionPort, DWORD dwNumberOfBytesTransferred,
                                       ULONG_PTR dwCompletionKey, LPOVERLAPPED lpOverlapped)
{
    return BaseResult(NtSetIoCompletion(CompletionPort, (PVOID)dwCompletionKey, lpOverlapped, STATUS_SUCCESS,
                                        dwNumberOfBytesTransferred));
}

/* Takes up to ulCount packets: the first one is waited for, the others only if they are there. */
BOOL WINAPI GetQueuedCompletionStatusEx(HANDLE CompletionPort, LPOVERLAPPED_ENTRY lpCompletionPortEntries,
                                        ULONG ulCount, PULONG ulNumEntriesRemoved, DWORD dwMilliseconds,
                                        BOOL fAlertable)
{
    LARGE_INTEGER time;
    PLARGE_INTEGER timeout = BaseTimeout(dwMilliseconds, &time);
    LARGE_INTEGER zero = {.QuadPart = 0};
    ULONG count = 0;
    if (fAlertable)
    {
        return BaseFailWith(ERROR_NOT_SUPPORTED); /* the service underneath does not wait alertably */
    }
    if (ulCount == 0 || lpCompletionPortEntries == NULL)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    while (count < ulCount)
    {
        IO_STATUS_BLOCK ioStatus = {0};
        PVOID key = NULL;
        PVOID context = NULL;
        NTSTATUS status = NtRemoveIoCompletion(CompletionPort, &key, &context, &ioStatus,
                                               count == 0 ? timeout : &zero);
        if (status != STATUS_SUCCESS)
        {
            if (count != 0)
            {
                break;
            }
            *ulNumEntriesRemoved = 0;
            return status == STATUS_TIMEOUT ? BaseFailWith(WAIT_TIMEOUT) : BaseFail(status);
        }
        lpCompletionPortEntries[count].lpCompletionKey = (ULONG_PTR)key;
        lpCompletionPortEntries[count].lpOverlapped = context;
        lpCompletionPortEntries[count].Internal = (ULONG_PTR)ioStatus.Status;
        lpCompletionPortEntries[count].dwNumberOfBytesTransferred = (DWORD)ioStatus.Information;
        count++;
    }
    *ulNumEntriesRemoved = count;
    return TRUE;
}
