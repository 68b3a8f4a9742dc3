/* SPDX-License-Identifier: MIT */
/*
 * ObRegisterCallbacks: drivers that watch, and may weaken, the handles opened on processes and threads.
 *
 * Registrations are ordered by altitude, the highest first. A list of calls made for one handle operation keeps each
 * item alive (rundown) from its pre-operation to its post-operation; unregistering waits for that.
 */
#include "obp.h"

typedef struct _OBP_REGISTRATION OBP_REGISTRATION;

typedef struct _OBP_CALLBACK_ITEM
{
    LIST_ENTRY Links;              /* OBJECT_TYPE.Callbacks */
    OBP_REGISTRATION *Registration;
    POBJECT_TYPE Type;
    OB_OPERATION Operations;
    POB_PRE_OPERATION_CALLBACK Pre;
    POB_POST_OPERATION_CALLBACK Post;
    EX_RUNDOWN_REF Rundown;
} OBP_CALLBACK_ITEM;

struct _OBP_REGISTRATION
{
    PVOID Context;
    UNICODE_STRING Altitude;
    USHORT Count;
    OBP_CALLBACK_ITEM Items[];
};

typedef struct _OBP_CALL
{
    LIST_ENTRY Links;
    OBP_CALLBACK_ITEM *Item;
    PVOID Context;                 /* what the pre-operation left for the post-operation */
} OBP_CALL;

static FAST_MUTEX ObpCallbackLock;

VOID ObpInitializeCallbacks(VOID)
{
    ExInitializeFastMutex(&ObpCallbackLock);
}

VOID ObEnableTypeCallbacks(_In_ POBJECT_TYPE Type)
{
    Type->SupportsCallbacks = TRUE;
}

/** The version drivers put into OB_CALLBACK_REGISTRATION. Any IRQL. */
USHORT NTAPI ObGetFilterVersion(VOID)
{
    return OB_FLT_REGISTRATION_VERSION;
}

LONG ObCompareAltitude(PCUNICODE_STRING A, PCUNICODE_STRING B)
{
    ULONG integralA = 0, integralB = 0;
    while (integralA < A->Length / sizeof(WCHAR) && A->Buffer[integralA] != L'.')
    {
        integralA++;
    }
    while (integralB < B->Length / sizeof(WCHAR) && B->Buffer[integralB] != L'.')
    {
        integralB++;
    }
    if (integralA != integralB)
    {
        return integralA < integralB ? -1 : 1;
    }
    return RtlCompareUnicodeString((PUNICODE_STRING)A, (PUNICODE_STRING)B, FALSE);
}

/* Puts an item at its altitude; lock held. */
static NTSTATUS ObpInsertItem(OBP_CALLBACK_ITEM *Item)
{
    PLIST_ENTRY place = Item->Type->Callbacks.Flink;
    for (; place != &Item->Type->Callbacks; place = place->Flink)
    {
        OBP_CALLBACK_ITEM *other = CONTAINING_RECORD(place, OBP_CALLBACK_ITEM, Links);
        LONG order = ObCompareAltitude(&Item->Registration->Altitude, &other->Registration->Altitude);
        if (order == 0 && other->Registration != Item->Registration)
        {
            return STATUS_FLT_INSTANCE_ALTITUDE_COLLISION;
        }
        if (order > 0)
        {
            break;
        }
    }
    InsertTailList(place, &Item->Links);
    return STATUS_SUCCESS;
}

static VOID ObpFreeRegistration(OBP_REGISTRATION *Registration)
{
    for (USHORT i = 0; i < Registration->Count; i++)
    {
        OBP_CALLBACK_ITEM *item = &Registration->Items[i];
        BOOLEAN linked;
        ExAcquireFastMutex(&ObpCallbackLock);
        linked = item->Links.Flink != NULL;
        if (linked)
        {
            RemoveEntryList(&item->Links);
            item->Links.Flink = NULL;
        }
        ExReleaseFastMutex(&ObpCallbackLock);
        if (linked)
        {
            ExWaitForRundownProtectionRelease(&item->Rundown);
        }
    }
    ExFreePoolWithTag(Registration, OBP_TAG_MISC);
}

static NTSTATUS ObpFillItem(OBP_CALLBACK_ITEM *Item, OBP_REGISTRATION *Registration,
                            const OB_OPERATION_REGISTRATION *Source)
{
    POBJECT_TYPE type = Source->ObjectType == NULL ? NULL : *Source->ObjectType;
    if (type == NULL || !type->SupportsCallbacks ||
        (Source->Operations & (OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE)) == 0 ||
        (Source->PreOperation == NULL && Source->PostOperation == NULL))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if ((Source->PreOperation != NULL && !PsIsIntegrityImage((PVOID)Source->PreOperation)) ||
        (Source->PostOperation != NULL && !PsIsIntegrityImage((PVOID)Source->PostOperation)))
    {
        return STATUS_ACCESS_DENIED;
    }
    Item->Registration = Registration;
    /* A type reached through the slot of another header set points to itself: see OBJECT_TYPE. */
    Item->Type = CONTAINING_RECORD(type->TypeList.Flink, struct _OBJECT_TYPE, TypeList);
    Item->Operations = Source->Operations;
    Item->Pre = Source->PreOperation;
    Item->Post = Source->PostOperation;
    ExInitializeRundownProtection(&Item->Rundown);
    return STATUS_SUCCESS;
}

/**
 * Registers callbacks for handles on processes and threads.
 *
 * @param RegistrationHandle  out: for ObUnRegisterCallbacks, before the driver unloads
 * @return STATUS_INVALID_PARAMETER, STATUS_ACCESS_DENIED (the driver is not linked with /INTEGRITYCHECK),
 *         STATUS_FLT_INSTANCE_ALTITUDE_COLLISION, STATUS_INSUFFICIENT_RESOURCES. <= APC_LEVEL.
 */
NTSTATUS NTAPI ObRegisterCallbacks(_In_ POB_CALLBACK_REGISTRATION CallbackRegistration, _Out_ PVOID *RegistrationHandle)
{
    USHORT count = CallbackRegistration->OperationRegistrationCount;
    USHORT altitude = CallbackRegistration->Altitude.Length;
    SIZE_T size = sizeof(OBP_REGISTRATION) + count * sizeof(OBP_CALLBACK_ITEM);
    NTSTATUS status = STATUS_SUCCESS;
    if ((CallbackRegistration->Version & 0xFF00) != (OB_FLT_REGISTRATION_VERSION & 0xFF00) || count == 0 ||
        altitude == 0 || CallbackRegistration->OperationRegistration == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    OBP_REGISTRATION *registration = ExAllocatePoolWithTag(NonPagedPoolNx, size + altitude, OBP_TAG_MISC);
    if (registration == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(registration, size);
    registration->Context = CallbackRegistration->RegistrationContext;
    registration->Altitude.Buffer = (PWSTR)((PUCHAR)registration + size);
    registration->Altitude.Length = registration->Altitude.MaximumLength = altitude;
    RtlCopyMemory(registration->Altitude.Buffer, CallbackRegistration->Altitude.Buffer, altitude);
    registration->Count = count;
    for (USHORT i = 0; i < count && NT_SUCCESS(status); i++)
    {
        status = ObpFillItem(&registration->Items[i], registration, &CallbackRegistration->OperationRegistration[i]);
    }
    for (USHORT i = 0; i < count && NT_SUCCESS(status); i++)
    {
        ExAcquireFastMutex(&ObpCallbackLock);
        status = ObpInsertItem(&registration->Items[i]);
        ExReleaseFastMutex(&ObpCallbackLock);
    }
    if (!NT_SUCCESS(status))
    {
        ObpFreeRegistration(registration);
        return status;
    }
    *RegistrationHandle = registration;
    return STATUS_SUCCESS;
}

/** Ends a registration; returns when no callback of it runs. <= APC_LEVEL, not from a callback. */
VOID NTAPI ObUnRegisterCallbacks(_In_ PVOID RegistrationHandle)
{
    ObpFreeRegistration(RegistrationHandle);
}

/* Collects the items to call, each protected against its removal. */
static VOID ObpCollectCalls(OBP_CALL_LIST *List, OB_OPERATION Operation, POBJECT_TYPE Type)
{
    ExAcquireFastMutex(&ObpCallbackLock);
    for (PLIST_ENTRY link = Type->Callbacks.Flink; link != &Type->Callbacks; link = link->Flink)
    {
        OBP_CALLBACK_ITEM *item = CONTAINING_RECORD(link, OBP_CALLBACK_ITEM, Links);
        if ((item->Operations & Operation) == 0)
        {
            continue;
        }
        OBP_CALL *call = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*call), OBP_TAG_MISC);
        if (call == NULL)
        {
            break;
        }
        if (!ExAcquireRundownProtection(&item->Rundown))
        {
            ExFreePoolWithTag(call, OBP_TAG_MISC);
            continue;
        }
        call->Item = item;
        call->Context = NULL;
        InsertTailList(&List->Calls, &call->Links);
    }
    ExReleaseFastMutex(&ObpCallbackLock);
}

VOID ObpRunPreCallbacks(OBP_CALL_LIST *List, OB_OPERATION Operation, PVOID Object, BOOLEAN KernelHandle,
                        PACCESS_MASK Access, PEPROCESS Source, PEPROCESS Target)
{
    POBJECT_TYPE type = ObGetType(Object);
    ACCESS_MASK original = *Access;
    if (IsListEmpty(&type->Callbacks))
    {
        return;
    }
    ObpCollectCalls(List, Operation, type);
    for (PLIST_ENTRY link = List->Calls.Flink; link != &List->Calls; link = link->Flink)
    {
        OBP_CALL *call = CONTAINING_RECORD(link, OBP_CALL, Links);
        OB_PRE_OPERATION_PARAMETERS parameters;
        OB_PRE_OPERATION_INFORMATION information = {0};
        if (call->Item->Pre == NULL)
        {
            continue;
        }
        RtlZeroMemory(&parameters, sizeof(parameters));
        parameters.DuplicateHandleInformation.DesiredAccess = *Access;
        parameters.DuplicateHandleInformation.OriginalDesiredAccess = original;
        if (Operation == OB_OPERATION_HANDLE_DUPLICATE)
        {
            parameters.DuplicateHandleInformation.SourceProcess = Source;
            parameters.DuplicateHandleInformation.TargetProcess = Target;
        }
        information.Operation = Operation;
        information.KernelHandle = KernelHandle;
        information.Object = Object;
        information.ObjectType = type;
        information.Parameters = &parameters;
        call->Item->Pre(call->Item->Registration->Context, &information);
        call->Context = information.CallContext;
        /* Rights can be taken away, never added, and never from the kernel's own handles. */
        if (!KernelHandle)
        {
            *Access &= parameters.DuplicateHandleInformation.DesiredAccess;
        }
    }
}

VOID ObpRunPostCallbacks(OBP_CALL_LIST *List, OB_OPERATION Operation, PVOID Object, BOOLEAN KernelHandle,
                         ACCESS_MASK Granted, NTSTATUS Status)
{
    while (!IsListEmpty(&List->Calls))
    {
        OBP_CALL *call = CONTAINING_RECORD(RemoveTailList(&List->Calls), OBP_CALL, Links);
        if (call->Item->Post != NULL)
        {
            OB_POST_OPERATION_PARAMETERS parameters = {.CreateHandleInformation.GrantedAccess =
                                                           NT_SUCCESS(Status) ? Granted : 0};
            OB_POST_OPERATION_INFORMATION information = {0};
            information.Operation = Operation;
            information.KernelHandle = KernelHandle;
            information.Object = Object;
            information.ObjectType = ObGetType(Object);
            information.CallContext = call->Context;
            information.ReturnStatus = Status;
            information.Parameters = &parameters;
            call->Item->Post(call->Item->Registration->Context, &information);
        }
        ExReleaseRundownProtection(&call->Item->Rundown);
        ExFreePoolWithTag(call, OBP_TAG_MISC);
    }
}
