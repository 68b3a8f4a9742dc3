/* SPDX-License-Identifier: MIT */
/*
 * Request buffers: the caller's buffer behind an IRP, whichever method brought it.
 *
 *   what the caller used           where its bytes are         who locked them     kernel address
 *   buffered, DO_BUFFERED_IO       SystemBuffer (a copy)       nobody needs to     the system buffer
 *   in/out direct, DO_DIRECT_IO    MdlAddress, maybe a chain   the I/O manager     each MDL mapped here
 *   neither                        UserBuffer (raw address)    this file           our own chain, mapped here
 *
 * Afterwards all are runs of kernel memory (IsthmusRequestSpan). A raw address is never touched itself: its pages are
 * locked in the requestor's mode and read through the mapping, so that no later change of the address space matters.
 */
#include "ist.h"

/* Frees our own chain, from the first MDL on. All its pages are locked. */
static VOID IstRequestFreeChain(PMDL Chain)
{
    while (Chain != NULL)
    {
        PMDL next = Chain->Next;
        if (Chain->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA)
        {
            IstCount(IstCountKernelMappings, -1);
        }
        MmUnlockPages(Chain); /* drops the mapping first */
        IstCount(IstCountLocks, -1);
        IoFreeMdl(Chain);
        IstCount(IstCountMdls, -1);
        Chain = next;
    }
}

/* Locks a raw buffer, in as many MDLs as its length needs. Requestor's thread, <= APC_LEVEL. */
static NTSTATUS IstRequestLock(ULONG_PTR Address, ULONGLONG Length, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation,
                               PMDL *Chain)
{
    PMDL *link = Chain;
    *Chain = NULL;
    while (Length != 0)
    {
        SIZE_T room = IstLibrary.SegmentBytes - (Address & (PAGE_SIZE - 1));
        SIZE_T bytes = (SIZE_T)min((ULONGLONG)room, Length);
        PMDL mdl = IoAllocateMdl((PVOID)Address, (ULONG)bytes, FALSE, FALSE, NULL);
        if (mdl == NULL)
        {
            IstRequestFreeChain(*Chain);
            *Chain = NULL;
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        NTSTATUS status = IstProbeAndLock(mdl, Mode, Operation);
        if (!NT_SUCCESS(status))
        {
            IoFreeMdl(mdl);
            IstRequestFreeChain(*Chain);
            *Chain = NULL;
            return status;
        }
        IstCount(IstCountMdls, 1);
        IstCount(IstCountLocks, 1);
        mdl->Next = NULL;
        *link = mdl;
        link = &mdl->Next;
        Address += bytes;
        Length -= bytes;
    }
    return STATUS_SUCCESS;
}

/*
 * Whether raw addresses of the requestor mean his memory here: in his process, where a page fault may be served. A
 * driver above that passes requests on from a thread of its own breaks this, and is told so.
 */
static NTSTATUS IstRequestCheckContext(PIRP Irp)
{
    if (KeGetCurrentIrql() > APC_LEVEL)
    {
        return STATUS_INVALID_DEVICE_STATE;
    }
    if (Irp->RequestorMode != KernelMode && IoGetRequestorProcess(Irp) != PsGetCurrentProcess())
    {
        return STATUS_INVALID_DEVICE_STATE;
    }
    return STATUS_SUCCESS;
}

/* Maps every MDL of the chain and adds up its length. <= DISPATCH_LEVEL. */
static NTSTATUS IstRequestMap(ISTHMUS_REQUEST *Request, BOOLEAN NoWrite)
{
    ULONG priority = IstLibrary.MapPriority | (NoWrite ? IstLibrary.MapNoWrite : 0);
    Request->Length = 0;
    for (PMDL mdl = Request->Chain; mdl != NULL; mdl = mdl->Next)
    {
        BOOLEAN mapped = (mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) != 0;
        if (MmGetSystemAddressForMdlSafe(mdl, priority) == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        if (Request->OwnsChain && !mapped)
        {
            IstCount(IstCountKernelMappings, 1);
        }
        Request->Length += MmGetMdlByteCount(mdl);
    }
    return STATUS_SUCCESS;
}

/* Finds method, length and raw address of the data buffer. */
static NTSTATUS IstRequestLocate(PIRP Irp, LOCK_OPERATION Operation, ISTHMUS_REQUEST *Request)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG flags = stack->DeviceObject->Flags;

    Request->Operation = Operation;
    switch (stack->MajorFunction)
    {
    case IRP_MJ_READ:
        Request->Operation = IoWriteAccess;
        Request->Length = stack->Parameters.Read.Length;
        Request->Method = flags & DO_BUFFERED_IO ? METHOD_BUFFERED
                          : flags & DO_DIRECT_IO ? METHOD_OUT_DIRECT
                                                 : METHOD_NEITHER;
        return STATUS_SUCCESS;
    case IRP_MJ_WRITE:
        Request->Operation = IoReadAccess;
        Request->Length = stack->Parameters.Write.Length;
        Request->Method = flags & DO_BUFFERED_IO ? METHOD_BUFFERED
                          : flags & DO_DIRECT_IO ? METHOD_IN_DIRECT
                                                 : METHOD_NEITHER;
        return STATUS_SUCCESS;
    case IRP_MJ_DEVICE_CONTROL:
    case IRP_MJ_INTERNAL_DEVICE_CONTROL:
        Request->Method = stack->Parameters.DeviceIoControl.IoControlCode & 3;
        Request->Length = stack->Parameters.DeviceIoControl.OutputBufferLength;
        if (Request->Method == METHOD_BUFFERED && Operation == IoReadAccess)
        {
            Request->Length = stack->Parameters.DeviceIoControl.InputBufferLength;
        }
        return STATUS_SUCCESS;
    default:
        return STATUS_INVALID_DEVICE_REQUEST;
    }
}

NTSTATUS IsthmusRequestCapture(_In_ PIRP Irp, _In_ LOCK_OPERATION Operation, _Out_ ISTHMUS_REQUEST *Request)
{
    RtlZeroMemory(Request, sizeof(*Request));
    NTSTATUS status = IstRequestLocate(Irp, Operation, Request);
    if (!NT_SUCCESS(status))
    {
        return status;
    }

    switch (Request->Method)
    {
    case METHOD_BUFFERED:
        if (Request->Operation == IoModifyAccess)
        {
            return STATUS_INVALID_PARAMETER; /* the copy goes one way */
        }
        Request->Linear = Irp->AssociatedIrp.SystemBuffer;
        if (Request->Linear == NULL)
        {
            Request->Length = 0;
        }
        break;

    case METHOD_IN_DIRECT:
        if (Request->Operation != IoReadAccess)
        {
            return STATUS_INVALID_PARAMETER; /* locked for reading only */
        }
        /* fall through */
    case METHOD_OUT_DIRECT:
        Request->Chain = Irp->MdlAddress; /* NULL for a buffer of no bytes */
        status = IstRequestMap(Request, Request->Method == METHOD_IN_DIRECT);
        break;

    case METHOD_NEITHER:
        status = IstRequestCheckContext(Irp);
        if (NT_SUCCESS(status))
        {
            status = IstRequestLock((ULONG_PTR)Irp->UserBuffer, Request->Length, Irp->RequestorMode,
                                    (LOCK_OPERATION)Request->Operation, &Request->Chain);
        }
        if (NT_SUCCESS(status))
        {
            Request->OwnsChain = TRUE;
            status = IstRequestMap(Request, Request->Operation == IoReadAccess);
        }
        break;
    }
    if (!NT_SUCCESS(status))
    {
        IsthmusRequestRelease(Request);
        return status;
    }
    IstCount(IstCountTotalRequests, 1);
    return STATUS_SUCCESS;
}

VOID IsthmusRequestRelease(_Inout_ ISTHMUS_REQUEST *Request)
{
    if (Request->OwnsChain)
    {
        IstRequestFreeChain(Request->Chain);
    }
    RtlZeroMemory(Request, sizeof(*Request));
}

PUCHAR IsthmusRequestSpan(_In_ const ISTHMUS_REQUEST *Request, _In_ ULONGLONG Offset, _Out_ SIZE_T *Bytes)
{
    *Bytes = 0;
    if (Offset >= Request->Length)
    {
        return NULL;
    }
    if (Request->Method == METHOD_BUFFERED)
    {
        *Bytes = (SIZE_T)(Request->Length - Offset);
        return Request->Linear + Request->Start + Offset;
    }
    Offset += Request->Start;
    for (PMDL mdl = Request->Chain; mdl != NULL; mdl = mdl->Next)
    {
        ULONG count = MmGetMdlByteCount(mdl);
        if (Offset < count)
        {
            *Bytes = (SIZE_T)(count - Offset);
            return (PUCHAR)mdl->MappedSystemVa + Offset; /* mapped by the capture */
        }
        Offset -= count;
    }
    return NULL;
}

NTSTATUS IsthmusRequestAdvance(_Inout_ ISTHMUS_REQUEST *Request, _In_ ULONGLONG Bytes)
{
    if (Bytes > Request->Length)
    {
        return STATUS_INVALID_PARAMETER;
    }
    Request->Start += Bytes;
    Request->Length -= Bytes;
    return STATUS_SUCCESS;
}

UINT32 IsthmusRequestChecksum(_In_ const ISTHMUS_REQUEST *Request, _In_ ULONGLONG Length)
{
    UINT32 crc = 0;
    SIZE_T bytes;
    PUCHAR span;
    for (ULONGLONG offset = 0; offset < Length; offset += bytes)
    {
        span = IsthmusRequestSpan(Request, offset, &bytes);
        if (span == NULL)
        {
            break;
        }
        bytes = (SIZE_T)min((ULONGLONG)bytes, Length - offset);
        crc = IsthmusCrc32(crc, span, bytes);
    }
    return crc;
}

NTSTATUS IsthmusRequestTransfer(_In_ const ISTHMUS_REQUEST *Request, _In_ PISTHMUS_REGION Region, _In_ UINT64 Offset,
                                _In_ ULONGLONG Length)
{
    ULONGLONG done = 0;
    if (Length > Request->Length)
    {
        return STATUS_INVALID_PARAMETER;
    }
    while (done < Length)
    {
        SIZE_T bytes;
        PUCHAR span = IsthmusRequestSpan(Request, done, &bytes);
        if (span == NULL)
        {
            return STATUS_INVALID_PARAMETER;
        }
        bytes = (SIZE_T)min((ULONGLONG)bytes, Length - done);
        NTSTATUS status = Request->Operation == IoReadAccess
                              ? IsthmusRegionWrite(Region, Offset + done, span, bytes)
                              : IsthmusRegionRead(Region, Offset + done, span, bytes);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        done += bytes;
    }
    return STATUS_SUCCESS;
}

/* Copies from an address that may be a program's. Not inlined: the copy is a call inside __try for every compiler. */
DECLSPEC_NOINLINE static NTSTATUS IstCopyIn(PVOID To, const VOID *From, SIZE_T Length, KPROCESSOR_MODE Mode)
{
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead((PVOID)From, Length, 1);
        }
        RtlCopyMemory(To, From, Length);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

NTSTATUS IsthmusRequestInput(_In_ PIRP Irp, _In_ ULONG Offset, _Out_writes_bytes_(Length) PVOID Buffer,
                             _In_ ULONG Length)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ULONG available = stack->Parameters.DeviceIoControl.InputBufferLength;
    if (Offset > available || Length > available - Offset)
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if (Length == 0)
    {
        return STATUS_SUCCESS;
    }
    if ((stack->Parameters.DeviceIoControl.IoControlCode & 3) == METHOD_NEITHER)
    {
        NTSTATUS status = IstRequestCheckContext(Irp);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        return IstCopyIn(Buffer, (PUCHAR)stack->Parameters.DeviceIoControl.Type3InputBuffer + Offset, Length,
                         Irp->RequestorMode);
    }
    RtlCopyMemory(Buffer, (PUCHAR)Irp->AssociatedIrp.SystemBuffer + Offset, Length);
    return STATUS_SUCCESS;
}

NTSTATUS IsthmusRequestAppend(_Inout_ PIRP Irp, _In_ UINT64 Address, _In_ UINT64 Length, _In_ LOCK_OPERATION Operation)
{
    if (Length == 0 || Length > IstLibrary.SegmentBytes)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Length - 1 > ~Address)
    {
        return STATUS_INTEGER_OVERFLOW;
    }
    if (Address + (Length - 1) > MAXULONG_PTR)
    {
        return STATUS_ACCESS_VIOLATION;
    }
    NTSTATUS status = IstRequestCheckContext(Irp);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    /* "Secondary" walks the chain from its head, so there must be one. */
    PMDL mdl = IoAllocateMdl((PVOID)(ULONG_PTR)Address, (ULONG)Length, Irp->MdlAddress != NULL, FALSE, Irp);
    if (mdl == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    status = IstProbeAndLock(mdl, Irp->RequestorMode, Operation);
    if (NT_SUCCESS(status))
    {
        return STATUS_SUCCESS;
    }
    /* The I/O manager unlocks every MDL of the chain at completion: one that isn't locked must not stay in it. */
    for (PMDL *link = &Irp->MdlAddress; *link != NULL; link = &(*link)->Next)
    {
        if (*link == mdl)
        {
            *link = NULL;
            break;
        }
    }
    IoFreeMdl(mdl);
    return status;
}

VOID IsthmusRequestRecord(_Inout_ PISTHMUS_SESSION Session, _In_ PIRP Irp, _In_ const ISTHMUS_REQUEST *Request,
                          _In_ ULONGLONG Length, _In_ UINT32 Crc32)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ISTHMUS_LAST_REQUEST *last = &Session->Last;
    IstCount(IstCountTotalBytes, (LONG64)Length);

    IstLock();
    last->Sequence++;
    last->Length = Length;
    last->MajorFunction = stack->MajorFunction;
    last->ControlCode =
        stack->MajorFunction == IRP_MJ_DEVICE_CONTROL || stack->MajorFunction == IRP_MJ_INTERNAL_DEVICE_CONTROL
            ? stack->Parameters.DeviceIoControl.IoControlCode
            : 0;
    last->Method = Request->Method;
    last->Crc32 = Crc32;
    last->MdlCount = 0;
    last->PagesReturned = 0;
    last->PagesTotal = 0;
    for (PMDL mdl = Request->Chain; mdl != NULL; mdl = mdl->Next)
    {
        ISTHMUS_MDL description;
        PPFN_NUMBER frames = MmGetMdlPfnArray(mdl);
        IsthmusDescribeMdl(mdl, &description);
        for (UINT32 page = 0; page < description.Pages && last->PagesReturned < ISTHMUS_REQUEST_PAGES; page++)
        {
            last->Pages[last->PagesReturned++] = frames[page];
        }
        last->PagesTotal += description.Pages;
        if (last->MdlCount < ISTHMUS_REQUEST_MDLS)
        {
            last->Mdls[last->MdlCount] = description;
        }
        last->MdlCount++;
    }
    IstUnlock();
}

VOID IsthmusRequestQueryLast(_Inout_ PISTHMUS_SESSION Session, _In_ BOOLEAN Administrator,
                             _Out_ ISTHMUS_LAST_REQUEST *Last)
{
    IstLock();
    *Last = Session->Last;
    IstUnlock();
    Last->Flags = 0;
    if (!Administrator)
    {
        Last->Flags |= ISTHMUS_DESCRIPTION_PFN_WITHHELD;
        Last->PagesReturned = 0;
        RtlZeroMemory(Last->Pages, sizeof(Last->Pages));
    }
}
