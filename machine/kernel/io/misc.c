/* SPDX-License-Identifier: MIT */
/* Small questions drivers ask: who sent this, which thread, how much stack. */
#include "iop.h"

/** The process the calling thread is attached to. IRQL any. */
PEPROCESS NTAPI IoGetCurrentProcess(VOID)
{
    return (PEPROCESS)KiCurrentProcess();
}

/** The process a thread belongs to. IRQL any. */
PEPROCESS NTAPI IoThreadToProcess(_In_ PETHREAD Thread)
{
    return Thread->ThreadsProcess;
}

/** The process that sent the request, or NULL if no thread did. IRQL any. */
PEPROCESS NTAPI IoGetRequestorProcess(_In_ PIRP Irp)
{
    PETHREAD Thread = Irp->Tail.Overlay.Thread;

    if (Thread == NULL)
    {
        return NULL;
    }
    if (Irp->ApcEnvironment != OriginalApcEnvironment && Thread == PsGetCurrentThread())
    {
        return (PEPROCESS)KiCurrentProcess();
    }
    return Thread->ThreadsProcess;
}

/** Its id, or 0. IRQL any. */
ULONG NTAPI IoGetRequestorProcessId(_In_ PIRP Irp)
{
    PEPROCESS Process = IoGetRequestorProcess(Irp);

    return Process == NULL ? 0 : HandleToUlong(Process->UniqueProcessId);
}

/** The session of the process that sent the request. STATUS_UNSUCCESSFUL if there is none. IRQL any. */
NTSTATUS NTAPI IoGetRequestorSessionId(_In_ PIRP Irp, _Out_ PULONG pSessionId)
{
    PEPROCESS Process = IoGetRequestorProcess(Irp);

    *pSessionId = Process == NULL ? MAXULONG : Process->SessionId;
    return Process == NULL ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

/** Programs here are 64-bit: always FALSE. IRQL any. */
BOOLEAN NTAPI IoIs32bitProcess(_In_opt_ PIRP Irp)
{
    return FALSE;
}

/** Is it a thread of the kernel's? IRQL any. */
BOOLEAN NTAPI IoIsSystemThread(_In_ PETHREAD Thread)
{
    return Thread->Tcb.SystemThread;
}

/** Does the caller of the request wait for it? IRQL any. */
BOOLEAN NTAPI IoIsOperationSynchronous(_In_ PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);

    if ((Irp->Flags & IRP_PAGING_IO) && !(Irp->Flags & IRP_SYNCHRONOUS_PAGING_IO))
    {
        return FALSE;
    }
    return (Irp->Flags & (IRP_SYNCHRONOUS_API | IRP_SYNCHRONOUS_PAGING_IO)) ||
           (Stack->FileObject != NULL && (Stack->FileObject->Flags & FO_SYNCHRONOUS_IO));
}

/** The current stack's bounds. IRQL any. */
VOID NTAPI IoGetStackLimits(_Out_ PULONG_PTR LowLimit, _Out_ PULONG_PTR HighLimit)
{
    KeGetStackLimits(LowLimit, HighLimit);
}

/** Does the region lie within the current stack? IRQL any. */
ULONG NTAPI IoWithinStackLimits(ULONG_PTR RegionStart, SIZE_T RegionSize)
{
    ULONG_PTR Low, High;

    KeGetStackLimits(&Low, &High);
    return RegionStart >= Low && RegionStart <= High && RegionSize <= High - RegionStart;
}

/** The initial stack pointer of the current thread. IRQL any. */
PVOID NTAPI IoGetInitialStack(VOID)
{
    return KiCurrentThread()->InitialStack;
}

/** What a file system noted as the current thread's top-level request. IRQL <= APC_LEVEL. */
PIRP NTAPI IoGetTopLevelIrp(VOID)
{
    return (PIRP)PsGetCurrentThread()->TopLevelIrp;
}

/** Notes it. IRQL <= APC_LEVEL. */
VOID NTAPI IoSetTopLevelIrp(_In_opt_ PIRP Irp)
{
    PsGetCurrentThread()->TopLevelIrp = (ULONG_PTR)Irp;
}

/** Is this version of the driver model there? 6.0 and below, as on Windows 10. IRQL any. */
BOOLEAN NTAPI IoIsWdmVersionAvailable(_In_ UCHAR MajorVersion, _In_ UCHAR MinorVersion)
{
    return MajorVersion < 6 || (MajorVersion == 6 && MinorVersion == 0);
}

static PKEVENT IopCreateNamedEvent(PUNICODE_STRING Name, EVENT_TYPE Type, PHANDLE Handle)
{
    OBJECT_ATTRIBUTES Attributes;
    PVOID Event;

    InitializeObjectAttributes(&Attributes, Name, OBJ_OPENIF | OBJ_KERNEL_HANDLE, NULL, NULL);
    if (!NT_SUCCESS(ZwCreateEvent(Handle, EVENT_ALL_ACCESS, &Attributes, Type, TRUE)))
    {
        return NULL;
    }
    if (!NT_SUCCESS(ObReferenceObjectByHandle(*Handle, 0, ExEventObjectType, KernelMode, &Event, NULL)))
    {
        ZwClose(*Handle);
        *Handle = NULL;
        return NULL;
    }
    ObDereferenceObject(Event); /* the handle keeps it */
    return Event;
}

/** Creates or opens a named notification event, signalled at first. NULL on failure. IRQL PASSIVE_LEVEL. */
PKEVENT NTAPI IoCreateNotificationEvent(_In_ PUNICODE_STRING EventName, _Out_ PHANDLE EventHandle)
{
    return IopCreateNamedEvent(EventName, NotificationEvent, EventHandle);
}

/** Creates or opens a named synchronisation event, signalled at first. NULL on failure. IRQL PASSIVE_LEVEL. */
PKEVENT NTAPI IoCreateSynchronizationEvent(_In_ PUNICODE_STRING EventName, _Out_ PHANDLE EventHandle)
{
    return IopCreateNamedEvent(EventName, SynchronizationEvent, EventHandle);
}
