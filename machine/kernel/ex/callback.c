/* SPDX-License-Identifier: MIT */
/* Callback objects: named points in the kernel at which drivers ask to be called. */
#include "exp.h"

static POBJECT_TYPE ExpCallbackType;

typedef struct _CALLBACK_OBJECT
{
    KSPIN_LOCK Lock;
    LIST_ENTRY Registrations;
    BOOLEAN AllowMultiple;
} EXP_CALLBACK;

typedef struct _EXP_REGISTRATION
{
    LIST_ENTRY Links;
    EXP_CALLBACK *Callback; /* referenced */
    PCALLBACK_FUNCTION Function;
    PVOID Context;
    ULONG Busy;             /* calls under way; under the callback's lock, as all fields */
    BOOLEAN Leaving;
    KEVENT Idle;
} EXP_REGISTRATION;

VOID ExpInitializeCallbacks(VOID)
{
    static const OB_TYPE_DEFINITION definition = {
        .Name = L"Callback", .BodySize = sizeof(EXP_CALLBACK), .PoolType = NonPagedPool, .ValidAccess = STANDARD_RIGHTS_ALL | 1,
        .Mapping = {STANDARD_RIGHTS_READ, STANDARD_RIGHTS_WRITE, STANDARD_RIGHTS_EXECUTE, STANDARD_RIGHTS_ALL | 1}};

    ExpCreateType(&definition, &ExpCallbackType);
}

static NTSTATUS ExpMakeCallback(POBJECT_ATTRIBUTES Attributes, BOOLEAN AllowMultiple, PHANDLE Handle)
{
    EXP_CALLBACK *callback;
    NTSTATUS status = ObCreateObject(KernelMode, ExpCallbackType, Attributes, KernelMode, NULL, sizeof(EXP_CALLBACK), 0, 0, (PVOID *)&callback);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    KeInitializeSpinLock(&callback->Lock);
    InitializeListHead(&callback->Registrations);
    callback->AllowMultiple = AllowMultiple;
    return ObInsertObject(callback, NULL, STANDARD_RIGHTS_ALL, 0, NULL, Handle);
}

/**
 * Opens or (Create) makes a callback object.
 *
 * @param CallbackObject  receives a referenced object, to be dereferenced by the caller
 * IRQL PASSIVE_LEVEL.
 */
NTSTATUS NTAPI ExCreateCallback(PCALLBACK_OBJECT *CallbackObject, POBJECT_ATTRIBUTES ObjectAttributes, BOOLEAN Create, BOOLEAN AllowMultipleCallbacks)
{
    HANDLE handle = NULL;
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;

    if (ObjectAttributes->ObjectName != NULL)
    {
        status = ObOpenObjectByName(ObjectAttributes, ExpCallbackType, KernelMode, NULL, 0, NULL, &handle);
    }
    if (!NT_SUCCESS(status) && Create)
    {
        status = ExpMakeCallback(ObjectAttributes, AllowMultipleCallbacks, &handle);
    }
    if (NT_SUCCESS(status))
    {
        status = ObReferenceObjectByHandle(handle, 0, ExpCallbackType, KernelMode, (PVOID *)CallbackObject, NULL);
        ObCloseHandle(handle, KernelMode);
    }
    return status;
}

/** Registers a function; returns the registration, or NULL (no memory, or the one allowed is taken). IRQL <= APC_LEVEL. */
PVOID NTAPI ExRegisterCallback(PCALLBACK_OBJECT CallbackObject, PCALLBACK_FUNCTION CallbackFunction, PVOID CallbackContext)
{
    EXP_CALLBACK *callback = (EXP_CALLBACK *)CallbackObject;
    EXP_REGISTRATION *registration = ExAllocatePoolWithTag(NonPagedPool, sizeof(*registration), EX_TAG);
    BOOLEAN taken;
    KIRQL irql;

    if (registration == NULL)
    {
        return NULL;
    }
    RtlZeroMemory(registration, sizeof(*registration));
    registration->Callback = callback;
    registration->Function = CallbackFunction;
    registration->Context = CallbackContext;
    KeInitializeEvent(&registration->Idle, NotificationEvent, FALSE);
    ObReferenceObject(callback);

    KeAcquireSpinLock(&callback->Lock, &irql);
    taken = callback->AllowMultiple || IsListEmpty(&callback->Registrations);
    if (taken)
    {
        InsertTailList(&callback->Registrations, &registration->Links);
    }
    KeReleaseSpinLock(&callback->Lock, irql);
    if (!taken)
    {
        ObDereferenceObject(callback);
        ExFreePoolWithTag(registration, EX_TAG);
        registration = NULL;
    }
    return registration;
}

/** Takes a registration back; waits for a call of it that is under way. IRQL <= APC_LEVEL. */
VOID NTAPI ExUnregisterCallback(PVOID CallbackRegistration)
{
    EXP_REGISTRATION *registration = CallbackRegistration;
    EXP_CALLBACK *callback = registration->Callback;
    BOOLEAN busy;
    KIRQL irql;

    KeAcquireSpinLock(&callback->Lock, &irql);
    registration->Leaving = TRUE;
    busy = registration->Busy != 0;
    if (!busy)
    {
        RemoveEntryList(&registration->Links);
    }
    KeReleaseSpinLock(&callback->Lock, irql);
    if (busy)
    {
        KeWaitForSingleObject(&registration->Idle, Executive, KernelMode, FALSE, NULL); /* the last caller unlinks it */
    }
    ExFreePoolWithTag(registration, EX_TAG);
    ObDereferenceObject(callback);
}

/** Calls every registered function at the caller's IRQL. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI ExNotifyCallback(PCALLBACK_OBJECT CallbackObject, PVOID Argument1, PVOID Argument2)
{
    EXP_CALLBACK *callback = (EXP_CALLBACK *)CallbackObject;
    PLIST_ENTRY entry;
    KIRQL irql;

    KeAcquireSpinLock(&callback->Lock, &irql);
    entry = callback->Registrations.Flink;
    while (entry != &callback->Registrations)
    {
        EXP_REGISTRATION *registration = CONTAINING_RECORD(entry, EXP_REGISTRATION, Links);
        if (registration->Leaving)
        {
            entry = entry->Flink;
            continue;
        }
        registration->Busy++; /* keeps it linked while the lock is let go */
        KeReleaseSpinLock(&callback->Lock, irql);
        registration->Function(registration->Context, Argument1, Argument2);
        KeAcquireSpinLock(&callback->Lock, &irql);
        entry = entry->Flink;
        if (--registration->Busy == 0 && registration->Leaving)
        {
            RemoveEntryList(&registration->Links);
            KeSetEvent(&registration->Idle, IO_NO_INCREMENT, FALSE);
        }
    }
    KeReleaseSpinLock(&callback->Lock, irql);
}
