/* SPDX-License-Identifier: MIT */
/*
 * Completion ports: a kernel queue with handles. An entry is either a finished IRP itself (no memory is needed to
 * report a completion) or a small packet. Both have the list entry and the packet type at the same distance.
 */
#include "iop.h"

#define IO_COMPLETION_QUERY_STATE_ 0x0001
#define IO_COMPLETION_MODIFY_STATE_ 0x0002
#define IO_COMPLETION_ALL_ACCESS_ (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 3)

C_ASSERT(offsetof(IOP_PACKET, PacketType) - offsetof(IOP_PACKET, Links) ==
         offsetof(IRP, Tail.Overlay.PacketType) - offsetof(IRP, Tail.Overlay.ListEntry));

POBJECT_TYPE IopCompletionObjectType;

static VOID IopFreeEntry(PLIST_ENTRY Entry)
{
    IOP_PACKET *Packet = CONTAINING_RECORD(Entry, IOP_PACKET, Links);

    if (Packet->PacketType == IOP_PACKET_IRP)
    {
        IoFreeIrp(CONTAINING_RECORD(Entry, IRP, Tail.Overlay.ListEntry));
    }
    else
    {
        ExFreePoolWithTag(Packet, IOP_TAG_PACKET);
    }
}

static VOID IopDeletePort(PVOID Object)
{
    PLIST_ENTRY First = KeRundownQueue(Object);
    PLIST_ENTRY Entry = First;

    if (First == NULL)
    {
        return;
    }
    do
    {
        PLIST_ENTRY Next = Entry->Flink;
        IopFreeEntry(Entry);
        Entry = Next;
    } while (Entry != First);
}

NTSTATUS IopInitializeCompletionPorts(VOID)
{
    const OB_TYPE_DEFINITION Definition = {
        .Name = L"IoCompletion",
        .BodySize = sizeof(KQUEUE),
        .PoolType = NonPagedPoolNx,
        .ValidAccess = IO_COMPLETION_ALL_ACCESS_,
        .Mapping = { STANDARD_RIGHTS_READ | IO_COMPLETION_QUERY_STATE_,
                     STANDARD_RIGHTS_WRITE | IO_COMPLETION_MODIFY_STATE_, STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE,
                     IO_COMPLETION_ALL_ACCESS_ },
        .SecurityRequired = TRUE,
        .Waitable = TRUE,
        .Methods = { .Delete = IopDeletePort },
    };

    return ObCreateType(&Definition, &IopCompletionObjectType);
}

VOID IopPostIrp(PIO_COMPLETION_CONTEXT Context, PIRP Irp)
{
    Irp->Tail.CompletionKey = Context->Key;
    Irp->Tail.Overlay.PacketType = IOP_PACKET_IRP;
    KeInsertQueue(Context->Port, &Irp->Tail.Overlay.ListEntry);
}

static NTSTATUS IopInsertPacket(PKQUEUE Port, PVOID Key, PVOID ApcContext, NTSTATUS Status, ULONG_PTR Information)
{
    IOP_PACKET *Packet = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Packet), IOP_TAG_PACKET);

    if (Packet == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Packet->PacketType = IOP_PACKET_MINI;
    Packet->KeyContext = Key;
    Packet->ApcContext = ApcContext;
    Packet->Status = Status;
    Packet->Information = Information;
    KeInsertQueue(Port, &Packet->Links);
    return STATUS_SUCCESS;
}

NTSTATUS IopPostPacket(PIO_COMPLETION_CONTEXT Context, PVOID ApcContext, NTSTATUS Status, ULONG_PTR Information)
{
    return IopInsertPacket(Context->Port, Context->Key, ApcContext, Status, Information);
}

NTSTATUS IopAssociatePort(PFILE_OBJECT File, HANDLE Port, PVOID Key, KPROCESSOR_MODE Mode)
{
    PIO_COMPLETION_CONTEXT Context;
    NTSTATUS Status;

    if (File->Flags & FO_SYNCHRONOUS_IO)
    {
        return STATUS_INVALID_PARAMETER;
    }
    Context = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Context), IOP_TAG_PACKET);
    if (Context == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Status = ObReferenceObjectByHandle(Port, IO_COMPLETION_MODIFY_STATE_, IopCompletionObjectType, Mode, &Context->Port,
                                       NULL);
    if (NT_SUCCESS(Status))
    {
        Context->Key = Key;
        if (InterlockedCompareExchangePointer((PVOID volatile *)&File->CompletionContext, Context, NULL) == NULL)
        {
            return STATUS_SUCCESS;
        }
        ObDereferenceObject(Context->Port);
        Status = STATUS_INVALID_PARAMETER; /* one port for the life of a file */
    }
    ExFreePoolWithTag(Context, IOP_TAG_PACKET);
    return Status;
}

VOID IopFreeCompletionContext(PFILE_OBJECT File)
{
    PIO_COMPLETION_CONTEXT Context = File->CompletionContext;

    if (Context != NULL)
    {
        File->CompletionContext = NULL;
        ObDereferenceObject(Context->Port);
        ExFreePoolWithTag(Context, IOP_TAG_PACKET);
    }
}

/**
 * Creates a completion port.
 * @param Count  Threads that may run at once; 0 = the number of processors. IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtCreateIoCompletion(_Out_ PHANDLE IoCompletionHandle, _In_ ACCESS_MASK DesiredAccess,
                                    _In_opt_ POBJECT_ATTRIBUTES ObjectAttributes, _In_ ULONG Count)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    HANDLE Handle;
    PVOID Port;
    NTSTATUS Status;

    if (Mode != KernelMode)
    {
        __try
        {
            ProbeForWrite(IoCompletionHandle, sizeof(HANDLE), sizeof(HANDLE));
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            return GetExceptionCode();
        }
    }
    Status = ObCreateObject(Mode, IopCompletionObjectType, ObjectAttributes, Mode, NULL, sizeof(KQUEUE), 0, 0, &Port);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    KeInitializeQueue(Port, Count);
    Status = ObInsertObject(Port, NULL, DesiredAccess, 0, NULL, &Handle);
    if (NT_SUCCESS(Status))
    {
        __try
        {
            *IoCompletionHandle = Handle;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            Status = GetExceptionCode();
            ObCloseHandle(Handle, Mode);
        }
    }
    return Status;
}

/** Puts an entry of the caller's into the port. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI NtSetIoCompletion(_In_ HANDLE IoCompletionHandle, _In_opt_ PVOID KeyContext, _In_opt_ PVOID ApcContext,
                                 _In_ NTSTATUS IoStatus, _In_ ULONG_PTR IoStatusInformation)
{
    PVOID Port;
    NTSTATUS Status = ObReferenceObjectByHandle(IoCompletionHandle, IO_COMPLETION_MODIFY_STATE_,
                                                IopCompletionObjectType, ExGetPreviousMode(), &Port, NULL);

    if (NT_SUCCESS(Status))
    {
        Status = IopInsertPacket(Port, KeyContext, ApcContext, IoStatus, IoStatusInformation);
        ObDereferenceObject(Port);
    }
    return Status;
}

/* Hands an entry to the caller and frees it. */
static NTSTATUS IopDeliverEntry(PLIST_ENTRY Entry, PVOID *Key, PVOID *ApcContext, PIO_STATUS_BLOCK Iosb)
{
    IOP_PACKET *Packet = CONTAINING_RECORD(Entry, IOP_PACKET, Links);
    PIRP Irp = CONTAINING_RECORD(Entry, IRP, Tail.Overlay.ListEntry);
    BOOLEAN IsIrp = Packet->PacketType == IOP_PACKET_IRP;
    NTSTATUS Status = STATUS_SUCCESS;

    __try
    {
        *Key = IsIrp ? Irp->Tail.CompletionKey : Packet->KeyContext;
        *ApcContext = IsIrp ? Irp->Overlay.AsynchronousParameters.UserApcContext : Packet->ApcContext;
        Iosb->Status = IsIrp ? Irp->IoStatus.Status : Packet->Status;
        Iosb->Information = IsIrp ? Irp->IoStatus.Information : Packet->Information;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Status = GetExceptionCode();
    }
    IopFreeEntry(Entry);
    return Status;
}

/**
 * Takes an entry out of the port, waiting for one. STATUS_TIMEOUT, STATUS_USER_APC, STATUS_ABANDONED.
 * IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtRemoveIoCompletion(_In_ HANDLE IoCompletionHandle, _Out_ PVOID *KeyContext, _Out_ PVOID *ApcContext,
                                    _Out_ PIO_STATUS_BLOCK IoStatusBlock, _In_opt_ PLARGE_INTEGER Timeout)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    LARGE_INTEGER Limit;
    PLIST_ENTRY Entry;
    PVOID Port;
    NTSTATUS Status;

    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForWrite(KeyContext, sizeof(PVOID), sizeof(PVOID));
            ProbeForWrite(ApcContext, sizeof(PVOID), sizeof(PVOID));
            IopProbeIosb(IoStatusBlock);
            if (Timeout != NULL)
            {
                ProbeForRead(Timeout, sizeof(LARGE_INTEGER), sizeof(ULONG));
            }
        }
        if (Timeout != NULL)
        {
            Limit.QuadPart = *(volatile LONGLONG *)&Timeout->QuadPart;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    Status = ObReferenceObjectByHandle(IoCompletionHandle, IO_COMPLETION_MODIFY_STATE_, IopCompletionObjectType, Mode,
                                       &Port, NULL);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    Entry = KeRemoveQueue(Port, Mode, Timeout != NULL ? &Limit : NULL);
    if ((LONG_PTR)Entry == STATUS_TIMEOUT || (LONG_PTR)Entry == STATUS_USER_APC ||
        (LONG_PTR)Entry == STATUS_ABANDONED)
    {
        Status = (NTSTATUS)(LONG_PTR)Entry;
    }
    else
    {
        Status = IopDeliverEntry(Entry, KeyContext, ApcContext, IoStatusBlock);
    }
    ObDereferenceObject(Port);
    return Status;
}
