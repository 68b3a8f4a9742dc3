/* SPDX-License-Identifier: MIT */
/* Event objects as programs see them. */
#include "exp.h"

POBJECT_TYPE ExEventObjectType;

typedef struct _EXP_EVENT_BASIC_INFORMATION
{
    EVENT_TYPE EventType;
    LONG EventState;
} EXP_EVENT_BASIC_INFORMATION;

VOID ExpInitializeEvents(VOID)
{
    static const OB_TYPE_DEFINITION definition = {
        .Name = L"Event", .BodySize = sizeof(KEVENT), .PoolType = NonPagedPool, .ValidAccess = EVENT_ALL_ACCESS, .Waitable = TRUE,
        .Mapping = {STANDARD_RIGHTS_READ | EVENT_QUERY_STATE, STANDARD_RIGHTS_WRITE | EVENT_MODIFY_STATE,
                    STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, EVENT_ALL_ACCESS}};

    ExpCreateType(&definition, &ExEventObjectType);
}

typedef struct _EXP_EVENT_PARAMETERS
{
    EVENT_TYPE Type;
    BOOLEAN State;
} EXP_EVENT_PARAMETERS;

static VOID ExpStartEvent(PVOID Object, const VOID *Parameters)
{
    const EXP_EVENT_PARAMETERS *p = Parameters;

    KeInitializeEvent(Object, p->Type, p->State);
}

/** Creates or (OBJ_OPENIF) opens an event. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtCreateEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, EVENT_TYPE EventType,
                             BOOLEAN InitialState)
{
    EXP_EVENT_PARAMETERS parameters = {EventType, InitialState};

    if (EventType != NotificationEvent && EventType != SynchronizationEvent)
    {
        return STATUS_INVALID_PARAMETER;
    }
    return ExpCreateWaitable(EventHandle, DesiredAccess, ObjectAttributes, ExEventObjectType, sizeof(KEVENT), ExpStartEvent, &parameters);
}

NTSTATUS NTAPI NtOpenEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return ExpOpenWaitable(EventHandle, DesiredAccess, ObjectAttributes, ExEventObjectType);
}

typedef LONG (*PEXP_EVENT_OPERATION)(PKEVENT Event);

static NTSTATUS ExpOnEvent(HANDLE Handle, PLONG PreviousState, PEXP_EVENT_OPERATION Operation)
{
    PKEVENT event;
    LONG previous;
    NTSTATUS status = ObReferenceObjectByHandle(Handle, EVENT_MODIFY_STATE, ExEventObjectType, ExGetPreviousMode(), (PVOID *)&event, NULL);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    previous = Operation(event);
    ObDereferenceObject(event);
    return ExpReturnLong(PreviousState, previous);
}

static LONG ExpSet(PKEVENT Event)
{
    return KeSetEvent(Event, EVENT_INCREMENT, FALSE);
}

static LONG ExpPulse(PKEVENT Event)
{
    return KePulseEvent(Event, EVENT_INCREMENT, FALSE);
}

NTSTATUS NTAPI NtSetEvent(HANDLE EventHandle, PLONG PreviousState)
{
    return ExpOnEvent(EventHandle, PreviousState, ExpSet);
}

NTSTATUS NTAPI NtResetEvent(HANDLE EventHandle, PLONG PreviousState)
{
    return ExpOnEvent(EventHandle, PreviousState, KeResetEvent);
}

NTSTATUS NTAPI NtPulseEvent(HANDLE EventHandle, PLONG PreviousState)
{
    return ExpOnEvent(EventHandle, PreviousState, ExpPulse);
}

NTSTATUS NTAPI NtClearEvent(HANDLE EventHandle)
{
    return ExpOnEvent(EventHandle, NULL, KeResetEvent);
}

NTSTATUS NTAPI NtQueryEvent(HANDLE EventHandle, ULONG InformationClass, PVOID Information, ULONG Length, PULONG ReturnLength)
{
    EXP_EVENT_BASIC_INFORMATION basic;
    PKEVENT event;
    NTSTATUS status;

    if (InformationClass != 0) /* EventBasicInformation */
    {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length != sizeof(basic))
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    status = ObReferenceObjectByHandle(EventHandle, EVENT_QUERY_STATE, ExEventObjectType, ExGetPreviousMode(), (PVOID *)&event, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    basic.EventType = (EVENT_TYPE)(event->Header.Type & 0x7F);
    basic.EventState = KeReadStateEvent(event);
    ObDereferenceObject(event);
    __try
    {
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForWrite(Information, Length, sizeof(ULONG));
        }
        RtlCopyMemory(Information, &basic, sizeof(basic));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return ExpReturnLong((PLONG)ReturnLength, sizeof(basic));
}
