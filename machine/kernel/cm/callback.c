/* SPDX-License-Identifier: MIT */
/*
 * Registry callbacks: drivers that watch, block, change or take over what is done to the registry.
 *
 *        altitude           before                  after
 *        higher   A     success      |        ^  sees B's status, may replace it
 *                 B     blocks ------+--------+  (itself not told: handled is handled)
 *        lower    C     not called
 *
 * The order and who is told afterwards follow "Supporting Layered Registry Filtering Drivers" and "Handling
 * Notifications" in Microsoft's driver documentation, as of version 1.1 (the RegFltr sample of the WDK tells the
 * difference from 1.0). A registry call made by a callback goes on below that callback, not again from the top.
 *
 * Each callback is kept (rundown) from its notification before to its notification after; unregistering waits for that.
 */
#include "cmp.h"
#include "ex.h"

typedef struct _CMP_CALLBACK
{
    LIST_ENTRY Links;              /* CmpCallbacks, highest altitude first */
    PEX_CALLBACK_FUNCTION Function;
    PVOID Context;
    LARGE_INTEGER Cookie;
    EX_RUNDOWN_REF Rundown;
    BOOLEAN Layered;               /* has an altitude; those without stand above all that have one */
    UNICODE_STRING Altitude;       /* buffer behind the structure */
} CMP_CALLBACK;

/* A callback that takes part in an operation. */
typedef struct _CMP_CALL
{
    LIST_ENTRY Links;              /* CMP_NOTIFICATION.Calls, in the order of the calls */
    CMP_CALLBACK *Callback;
    PVOID CallContext;             /* what it left before, for after */
} CMP_CALL;

/* A callback's context for a key object. */
struct _CMP_OBJECT_CONTEXT
{
    CMP_OBJECT_CONTEXT *Next;      /* CM_KEY.Contexts */
    CMP_CALLBACK *Callback;
    LIST_ENTRY Links;              /* CmpContexts */
    CM_KEY *Key;
    PVOID Context;
};

/* A callback that is running now, so that its own registry calls can be told. On the stack of its thread. */
typedef struct _CMP_RUNNING
{
    LIST_ENTRY Links;              /* CmpRunning, the innermost of a thread first */
    PKTHREAD Thread;
    CMP_CALLBACK *Callback;
} CMP_RUNNING;

static FAST_MUTEX CmpCallbackLock; /* guards the lists below and all contexts; never held during a call */
static LIST_ENTRY CmpCallbacks, CmpRunning, CmpContexts;
static LONGLONG CmpNextCookie;
static volatile LONG CmpCallbackCount;

VOID CmpInitializeCallbacks(VOID)
{
    ExInitializeFastMutex(&CmpCallbackLock);
    InitializeListHead(&CmpCallbacks);
    InitializeListHead(&CmpRunning);
    InitializeListHead(&CmpContexts);
}

ULONG CmQueryCallbackCount(VOID)
{
    return (ULONG)CmpCallbackCount;
}

/* ---- Registration ---- */

/* At its altitude; lock held. */
static NTSTATUS CmpInsertCallback(CMP_CALLBACK *Callback)
{
    PLIST_ENTRY place = CmpCallbacks.Flink;

    for (; place != &CmpCallbacks; place = place->Flink)
    {
        CMP_CALLBACK *other = CONTAINING_RECORD(place, CMP_CALLBACK, Links);
        LONG order;

        if (!other->Layered)
        {
            continue;
        }
        order = Callback->Layered ? ObCompareAltitude(&Callback->Altitude, &other->Altitude) : 1;
        if (order == 0)
        {
            return STATUS_FLT_INSTANCE_ALTITUDE_COLLISION;
        }
        if (order > 0)
        {
            break;
        }
    }
    InsertTailList(place, &Callback->Links);
    Callback->Cookie.QuadPart = ++CmpNextCookie;
    CmpCallbackCount++;
    return STATUS_SUCCESS;
}

static NTSTATUS CmpRegister(PEX_CALLBACK_FUNCTION Function, PCUNICODE_STRING Altitude, PVOID Context,
                            PLARGE_INTEGER Cookie)
{
    USHORT length = Altitude != NULL ? Altitude->Length : 0;
    CMP_CALLBACK *callback = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*callback) + length, CM_TAG);
    NTSTATUS status;

    if (callback == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(callback, sizeof(*callback));
    callback->Function = Function;
    callback->Context = Context;
    callback->Layered = Altitude != NULL;
    callback->Altitude.Buffer = (PWSTR)(callback + 1);
    callback->Altitude.Length = callback->Altitude.MaximumLength = length;
    if (length != 0)
    {
        RtlCopyMemory(callback->Altitude.Buffer, Altitude->Buffer, length);
    }
    ExInitializeRundownProtection(&callback->Rundown);
    ExAcquireFastMutex(&CmpCallbackLock);
    status = CmpInsertCallback(callback);
    if (NT_SUCCESS(status))
    {
        *Cookie = callback->Cookie;
    }
    ExReleaseFastMutex(&CmpCallbackLock);
    if (!NT_SUCCESS(status))
    {
        ExFreePoolWithTag(callback, CM_TAG);
    }
    return status;
}

/**
 * Registers a routine for all operations on the registry.
 *
 * @param Altitude  a decimal number; routines are called from the highest to the lowest
 * @param Driver    the caller's driver object
 * @param Cookie    out: for CmUnRegisterCallback, before the driver unloads
 * @return STATUS_FLT_INSTANCE_ALTITUDE_COLLISION, STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES. <=
 * APC_LEVEL.
 */
NTSTATUS NTAPI CmRegisterCallbackEx(PEX_CALLBACK_FUNCTION Function, PCUNICODE_STRING Altitude, PVOID Driver,
                                    PVOID Context, PLARGE_INTEGER Cookie, PVOID Reserved)
{
    UNREFERENCED_PARAMETER(Reserved);
    if (Function == NULL || Altitude == NULL || Altitude->Length == 0 || Driver == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    return CmpRegister(Function, Altitude, Context, Cookie);
}

/** The same without an altitude, as before Vista: above all that have one, in the order of registration. <= APC_LEVEL.
 */
NTSTATUS NTAPI CmRegisterCallback(PEX_CALLBACK_FUNCTION Function, PVOID Context, PLARGE_INTEGER Cookie)
{
    return CmpRegister(Function, NULL, Context, Cookie);
}

/* The callback of a cookie; lock held. */
static CMP_CALLBACK *CmpFindCallback(LONGLONG Cookie)
{
    for (PLIST_ENTRY link = CmpCallbacks.Flink; link != &CmpCallbacks; link = link->Flink)
    {
        CMP_CALLBACK *callback = CONTAINING_RECORD(link, CMP_CALLBACK, Links);
        if (callback->Cookie.QuadPart == Cookie)
        {
            return callback;
        }
    }
    return NULL;
}

VOID NTAPI CmGetCallbackVersion(PULONG Major, PULONG Minor)
{
    if (Major != NULL)
    {
        *Major = 1;
    }
    if (Minor != NULL)
    {
        *Minor = 1;
    }
}

/* ---- Calls ---- */

static NTSTATUS CmpInvoke(CMP_CALLBACK *Callback, REG_NOTIFY_CLASS Class, PVOID Information)
{
    CMP_RUNNING running = {.Thread = KeGetCurrentThread(), .Callback = Callback};
    NTSTATUS status;

    ExAcquireFastMutex(&CmpCallbackLock);
    InsertHeadList(&CmpRunning, &running.Links);
    ExReleaseFastMutex(&CmpCallbackLock);
    status = Callback->Function(Callback->Context, (PVOID)(ULONG_PTR)Class, Information);
    ExAcquireFastMutex(&CmpCallbackLock);
    RemoveEntryList(&running.Links);
    ExReleaseFastMutex(&CmpCallbackLock);
    return status;
}

/* Where an operation of this thread enters the list: below the callback that makes it. Lock held. */
static PLIST_ENTRY CmpFirstCallback(VOID)
{
    for (PLIST_ENTRY link = CmpRunning.Flink; link != &CmpRunning; link = link->Flink)
    {
        CMP_RUNNING *running = CONTAINING_RECORD(link, CMP_RUNNING, Links);
        if (running->Thread == KeGetCurrentThread())
        {
            /* One that is being unregistered is off the list: nobody is below it any more. */
            return IsListEmpty(&running->Callback->Links) ? &CmpCallbacks : running->Callback->Links.Flink;
        }
    }
    return CmpCallbacks.Flink;
}

/* Holds every callback to be called. What cannot be told must not happen: no memory fails the operation. */
static NTSTATUS CmpCollectCalls(CMP_NOTIFICATION *Notification)
{
    NTSTATUS status = STATUS_SUCCESS;

    ExAcquireFastMutex(&CmpCallbackLock);
    for (PLIST_ENTRY link = CmpFirstCallback(); link != &CmpCallbacks && NT_SUCCESS(status); link = link->Flink)
    {
        CMP_CALLBACK *callback = CONTAINING_RECORD(link, CMP_CALLBACK, Links);
        CMP_CALL *call = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*call), CM_TAG);

        if (call == NULL)
        {
            status = STATUS_INSUFFICIENT_RESOURCES;
        }
        else if (!ExAcquireRundownProtection(&callback->Rundown))
        {
            ExFreePoolWithTag(call, CM_TAG);
        }
        else
        {
            call->Callback = callback;
            call->CallContext = NULL;
            InsertTailList(&Notification->Calls, &call->Links);
        }
    }
    ExReleaseFastMutex(&CmpCallbackLock);
    return status;
}

static VOID CmpEndCall(CMP_CALL *Call)
{
    RemoveEntryList(&Call->Links);
    ExReleaseRundownProtection(&Call->Callback->Rundown);
    ExFreePoolWithTag(Call, CM_TAG);
}

static PVOID CmpObjectContext(CM_KEY *Key, CMP_CALLBACK *Callback)
{
    PVOID context = NULL;

    ExAcquireFastMutex(&CmpCallbackLock);
    for (CMP_OBJECT_CONTEXT *c = Key != NULL ? Key->Contexts : NULL; c != NULL && context == NULL; c = c->Next)
    {
        context = c->Callback == Callback ? c->Context : NULL;
    }
    ExReleaseFastMutex(&CmpCallbackLock);
    return context;
}

NTSTATUS CmpNotifyBefore(CMP_NOTIFICATION *Notification, REG_NOTIFY_CLASS Class)
{
    NTSTATUS status;

    InitializeListHead(&Notification->Calls);
    if (IsListEmpty(&CmpCallbacks))
    {
        return STATUS_SUCCESS;
    }
    status = CmpCollectCalls(Notification);
    for (PLIST_ENTRY link = Notification->Calls.Flink; link != &Notification->Calls;)
    {
        CMP_CALL *call = CONTAINING_RECORD(link, CMP_CALL, Links);

        link = link->Flink;
        if (NT_SUCCESS(status))
        {
            *Notification->CallContext = NULL;
            *Notification->ObjectContext = CmpObjectContext(Notification->Key, call->Callback);
            status = CmpInvoke(call->Callback, Class, Notification->Information);
            call->CallContext = *Notification->CallContext;
        }
        if (!NT_SUCCESS(status))
        {
            CmpEndCall(call); /* who refused, and all below */
        }
    }
    return status;
}

NTSTATUS CmpNotifyAfter(CMP_NOTIFICATION *Notification, REG_NOTIFY_CLASS Class, PVOID Object, NTSTATUS Status)
{
    if (Status == STATUS_CALLBACK_BYPASS)
    {
        Status = STATUS_SUCCESS;
    }
    while (!IsListEmpty(&Notification->Calls))
    {
        CMP_CALL *call = CONTAINING_RECORD(Notification->Calls.Blink, CMP_CALL, Links);
        REG_POST_OPERATION_INFORMATION after = {
            .Object = Object, .Status = Status, .PreInformation = Notification->Information, .ReturnStatus = Status,
            .CallContext = call->CallContext, .ObjectContext = CmpObjectContext(Object, call->Callback)};

        *Notification->CallContext = call->CallContext;
        if (CmpInvoke(call->Callback, Class, &after) == STATUS_CALLBACK_BYPASS)
        {
            Status = after.ReturnStatus;
        }
        CmpEndCall(call);
    }
    return Status;
}

/* ---- Contexts of key objects ---- */

/* Takes a context out of its key; lock held. */
static VOID CmpUnlinkContext(CMP_OBJECT_CONTEXT *Context)
{
    CMP_OBJECT_CONTEXT **link = &Context->Key->Contexts;

    while (*link != Context)
    {
        link = &(*link)->Next;
    }
    *link = Context->Next;
    RemoveEntryList(&Context->Links);
}

/* The driver is told that a context, already unlinked, is no longer used. */
static VOID CmpCleanUpContext(CMP_OBJECT_CONTEXT *Context)
{
    REG_CALLBACK_CONTEXT_CLEANUP_INFORMATION information = {.Object = Context->Key, .ObjectContext = Context->Context};

    CmpInvoke(Context->Callback, RegNtCallbackObjectContextCleanup, &information);
    ExFreePoolWithTag(Context, CM_TAG);
}

VOID CmpCleanUpKeyContexts(CM_KEY *Key)
{
    for (;;)
    {
        CMP_OBJECT_CONTEXT *context;
        CMP_CALLBACK *callback;

        ExAcquireFastMutex(&CmpCallbackLock);
        context = Key->Contexts;
        if (context != NULL)
        {
            /* Cannot fail: unregistering cleans up all contexts before it begins the run-down. */
            ExAcquireRundownProtection(&context->Callback->Rundown);
            CmpUnlinkContext(context);
        }
        ExReleaseFastMutex(&CmpCallbackLock);
        if (context == NULL)
        {
            return;
        }
        callback = context->Callback;
        CmpCleanUpContext(context);
        ExReleaseRundownProtection(&callback->Rundown);
    }
}

static VOID CmpCleanUpCallbackContexts(CMP_CALLBACK *Callback)
{
    CMP_OBJECT_CONTEXT *found;

    do
    {
        found = NULL;
        ExAcquireFastMutex(&CmpCallbackLock);
        for (PLIST_ENTRY link = CmpContexts.Flink; link != &CmpContexts && found == NULL; link = link->Flink)
        {
            CMP_OBJECT_CONTEXT *context = CONTAINING_RECORD(link, CMP_OBJECT_CONTEXT, Links);
            found = context->Callback == Callback ? context : NULL;
        }
        if (found != NULL)
        {
            CmpUnlinkContext(found);
        }
        ExReleaseFastMutex(&CmpCallbackLock);
        if (found != NULL)
        {
            CmpCleanUpContext(found);
        }
    } while (found != NULL);
}

/**
 * Ends a registration. When it returns no call of the routine runs, and it was told of each context it had left with
 * key objects. Not from the routine itself. <= APC_LEVEL.
 *
 * @return STATUS_INVALID_PARAMETER: there is no such cookie
 */
NTSTATUS NTAPI CmUnRegisterCallback(LARGE_INTEGER Cookie)
{
    CMP_CALLBACK *callback;

    ExAcquireFastMutex(&CmpCallbackLock);
    callback = CmpFindCallback(Cookie.QuadPart);
    if (callback != NULL)
    {
        RemoveEntryList(&callback->Links);
        InitializeListHead(&callback->Links);
    }
    ExReleaseFastMutex(&CmpCallbackLock);
    if (callback == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    CmpCleanUpCallbackContexts(callback); /* its cookie is not found any more, so no new ones come */
    ExWaitForRundownProtectionRelease(&callback->Rundown);
    ExFreePoolWithTag(callback, CM_TAG);
    InterlockedDecrement(&CmpCallbackCount);
    return STATUS_SUCCESS;
}

/**
 * Sets a callback's context for a key object, which its notifications for that object then carry; NULL takes it away.
 *
 * @param OldContext  out: the one before, or NULL; optional
 * @return STATUS_INVALID_PARAMETER (no such cookie), STATUS_INSUFFICIENT_RESOURCES. <= APC_LEVEL.
 */
NTSTATUS NTAPI CmSetCallbackObjectContext(PVOID Object, PLARGE_INTEGER Cookie, PVOID NewContext, PVOID *OldContext)
{
    CM_KEY *key = Object;
    CMP_OBJECT_CONTEXT *fresh = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*fresh), CM_TAG);
    CMP_OBJECT_CONTEXT *context = NULL;
    CMP_CALLBACK *callback;
    PVOID old = NULL;

    if (fresh == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    ExAcquireFastMutex(&CmpCallbackLock);
    callback = CmpFindCallback(Cookie->QuadPart);
    for (context = callback != NULL ? key->Contexts : NULL; context != NULL && context->Callback != callback;
         context = context->Next)
    {
    }
    if (context != NULL)
    {
        old = context->Context;
    }
    else if (callback != NULL && NewContext != NULL)
    {
        context = fresh;
        fresh = NULL;
        context->Callback = callback;
        context->Key = key;
        context->Next = key->Contexts;
        key->Contexts = context;
        InsertTailList(&CmpContexts, &context->Links);
    }
    if (context != NULL)
    {
        context->Context = NewContext;
        if (NewContext == NULL)
        {
            CmpUnlinkContext(context);
            ExFreePoolWithTag(context, CM_TAG);
        }
    }
    ExReleaseFastMutex(&CmpCallbackLock);
    if (fresh != NULL)
    {
        ExFreePoolWithTag(fresh, CM_TAG);
    }
    if (callback != NULL && OldContext != NULL)
    {
        *OldContext = old;
    }
    return callback != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* ---- Names ---- */

/* The full name of a key in one pool block, the string's head first. */
static NTSTATUS CmpCopyKeyName(CM_KEY *Key, PUNICODE_STRING *Name)
{
    const ULONG room = 0xFFFE;
    PUNICODE_STRING name = ExAllocatePoolWithTag(PagedPool, sizeof(*name) + room, CM_TAG);
    PUNICODE_STRING copy = NULL;
    ULONG needed;
    NTSTATUS status;

    if (name == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    name->Buffer = (PWSTR)(name + 1);
    name->Length = 0;
    name->MaximumLength = (USHORT)room;
    status = CmpQueryKeyName(Key, name, &needed);
    if (NT_SUCCESS(status))
    {
        copy = ExAllocatePoolWithTag(PagedPool, sizeof(*copy) + name->Length, CM_TAG);
        status = copy != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (NT_SUCCESS(status))
    {
        copy->Buffer = (PWSTR)(copy + 1);
        copy->Length = copy->MaximumLength = name->Length;
        RtlCopyMemory(copy->Buffer, name->Buffer, name->Length);
        *Name = copy;
    }
    ExFreePoolWithTag(name, CM_TAG);
    return status;
}

/**
 * The identity and the full name of a key object.
 *
 * @param ObjectID    out: equal for all objects of one key; optional
 * @param ObjectName  out: the name, valid as long as the key object; the caller does not free it; optional
 * @return STATUS_KEY_DELETED, STATUS_INSUFFICIENT_RESOURCES. <= APC_LEVEL.
 */
NTSTATUS NTAPI CmCallbackGetKeyObjectID(PLARGE_INTEGER Cookie, PVOID Object, PULONG_PTR ObjectID,
                                        PCUNICODE_STRING *ObjectName)
{
    CM_KEY *key = Object;
    NTSTATUS status = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(Cookie);
    if (ObjectName != NULL)
    {
        PUNICODE_STRING name = key->Name;
        if (name == NULL)
        {
            status = CmpCopyKeyName(key, &name);
            if (NT_SUCCESS(status) && InterlockedCompareExchangePointer((PVOID *)&key->Name, name, NULL) != NULL)
            {
                ExFreePoolWithTag(name, CM_TAG); /* somebody was faster */
                name = key->Name;
            }
        }
        *ObjectName = NT_SUCCESS(status) ? name : NULL;
    }
    if (ObjectID != NULL)
    {
        *ObjectID = (ULONG_PTR)key->Node;
    }
    return status;
}

/** The same; the name is the caller's, until CmCallbackReleaseKeyObjectIDEx. Flags must be zero. <= APC_LEVEL. */
NTSTATUS NTAPI CmCallbackGetKeyObjectIDEx(PLARGE_INTEGER Cookie, PVOID Object, PULONG_PTR ObjectID,
                                          PCUNICODE_STRING *ObjectName, ULONG Flags)
{
    PUNICODE_STRING name = NULL;
    NTSTATUS status = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(Cookie);
    if (Flags != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (ObjectName != NULL)
    {
        status = CmpCopyKeyName(Object, &name);
        *ObjectName = name;
    }
    if (ObjectID != NULL)
    {
        *ObjectID = (ULONG_PTR)((CM_KEY *)Object)->Node;
    }
    return status;
}

VOID NTAPI CmCallbackReleaseKeyObjectIDEx(PCUNICODE_STRING ObjectName)
{
    ExFreePoolWithTag((PVOID)ObjectName, CM_TAG);
}
