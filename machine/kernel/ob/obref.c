/* SPDX-License-Identifier: MIT */
/*
 * Reference counts and the end of objects. The last reference may go at any IRQL <= DISPATCH_LEVEL; type methods run
 * at PASSIVE_LEVEL, so an object that dies higher up is handed to a worker.
 */
#include "obp.h"

#define OBP_OBJECT_LOCKS 64

static FAST_MUTEX ObpObjectLocks[OBP_OBJECT_LOCKS];
static OBP_HEADER *volatile ObpDeleteList;
static WORK_QUEUE_ITEM ObpDeleteWork;

/* Parameter 3 of bug check 18. */
#define OBP_BUGCHECK_DELETED_WITH_HANDLES 1
#define OBP_BUGCHECK_UNDERFLOW 2
#define OBP_BUGCHECK_REFERENCE_OF_DEAD 0x10

static FAST_MUTEX *ObpLockOf(OBP_HEADER *Header)
{
    return &ObpObjectLocks[((ULONG_PTR)Header >> 6) % OBP_OBJECT_LOCKS];
}

VOID ObpLockObject(OBP_HEADER *Header)
{
    ExAcquireFastMutex(ObpLockOf(Header));
}

VOID ObpUnlockObject(OBP_HEADER *Header)
{
    ExReleaseFastMutex(ObpLockOf(Header));
}

BOOLEAN ObpReferenceSafe(OBP_HEADER *Header)
{
    LONG64 count = Header->PointerCount;
    while (count > 0)
    {
        LONG64 seen = InterlockedCompareExchange64(&Header->PointerCount, count + 1, count);
        if (seen == count)
        {
            return TRUE;
        }
        count = seen;
    }
    return FALSE;
}

/* Ends an object: PASSIVE_LEVEL, no reference and no handle left, so not in a directory either. */
VOID ObpDeleteObject(OBP_HEADER *Header)
{
    POBJECT_TYPE type = Header->Type;

    if (VfLedgerOn)
    {
        VfpForget(VfReference, Header->Body); /* given back by a way that the ledger does not see */
    }
    if (Header->Create != NULL)
    {
        ObpFreeCreate(Header->Create);
        Header->Create = NULL;
    }
    if (type->Info.Methods.Delete != NULL)
    {
        type->Info.Methods.Delete(Header->Body);
    }
    if (Header->Descriptor != NULL)
    {
        ObpDereferenceDescriptor(Header->Descriptor);
        Header->Descriptor = NULL;
    }
    if (type->Info.Methods.Security != NULL)
    {
        SECURITY_INFORMATION none = 0;
        type->Info.Methods.Security(Header->Body, DeleteSecurityDescriptor, &none, NULL, NULL, NULL);
    }
    if (Header->Name.Buffer != NULL)
    {
        ExFreePoolWithTag(Header->Name.Buffer, OBP_TAG_NAME);
    }
    if (Header->Counts != NULL)
    {
        ExFreePoolWithTag(Header->Counts, OBP_TAG_MISC);
    }
    InterlockedDecrement(&type->TotalObjects);
    ExFreePoolWithTag(Header, OBP_TAG_OBJECT);
}

static VOID NTAPI ObpDeleteWorker(PVOID Context)
{
    /* The list is pushed by many and emptied by one: the item is queued by whoever finds it empty. */
    for (;;)
    {
        OBP_HEADER *list = InterlockedExchangePointer((PVOID volatile *)&ObpDeleteList, (PVOID)1);
        while (list != NULL && list != (OBP_HEADER *)1)
        {
            OBP_HEADER *next = list->DeleteNext;
            ObpDeleteObject(list);
            list = next;
        }
        if (InterlockedCompareExchangePointer((PVOID volatile *)&ObpDeleteList, NULL, (PVOID)1) == (PVOID)1)
        {
            return;
        }
    }
}

static VOID ObpDeferDelete(OBP_HEADER *Header)
{
    OBP_HEADER *head;
    do
    {
        head = ObpDeleteList;
        /* 1 marks "the worker is at it": the chain that ends there needs no second work item. */
        Header->DeleteNext = head == (OBP_HEADER *)1 ? NULL : head;
    } while (InterlockedCompareExchangePointer((PVOID volatile *)&ObpDeleteList, Header, head) != head);
    if (head == NULL)
    {
        ExQueueWorkItem(&ObpDeleteWork, CriticalWorkQueue);
    }
}

VOID ObpInitializeReferences(VOID)
{
    for (ULONG i = 0; i < OBP_OBJECT_LOCKS; i++)
    {
        ExInitializeFastMutex(&ObpObjectLocks[i]);
    }
    ExInitializeWorkItem(&ObpDeleteWork, ObpDeleteWorker, NULL);
}

static LONG_PTR ObpReference(PVOID Object)
{
    OBP_HEADER *header = ObpHeader(Object);
    LONG64 count = InterlockedIncrement64(&header->PointerCount);
    if (count <= 1)
    {
        VfCheck(FALSE, 0x3F, (ULONG_PTR)Object, 1, 0);
        KeBugCheckEx(REFERENCE_BY_POINTER, (ULONG_PTR)header->Type, (ULONG_PTR)Object, OBP_BUGCHECK_REFERENCE_OF_DEAD,
                     (ULONG_PTR)count);
    }
    return count;
}

/**
 * Adds a reference to an object the caller already has one on.
 *
 * @return the new count. IRQL <= DISPATCH_LEVEL. Bug check 18 (C4, 3F) if the object is already on its way out.
 */
LONG_PTR FASTCALL ObfReferenceObject(_In_ PVOID Object)
{
    VfTakeReference(Object, _ReturnAddress());
    return ObpReference(Object);
}
static LONG_PTR ObpDereference(PVOID Object, BOOLEAN Defer)
{
    OBP_HEADER *header = ObpHeader(Object);
    POBJECT_TYPE type = header->Type;
    LONG64 count = InterlockedDecrement64(&header->PointerCount);
    if (count > 0)
    {
        return count;
    }
    if (count < 0)
    {
        VfCheck(FALSE, 0x3F, (ULONG_PTR)Object, (ULONG_PTR)-1, 0);
        KeBugCheckEx(REFERENCE_BY_POINTER, (ULONG_PTR)type, (ULONG_PTR)Object, OBP_BUGCHECK_UNDERFLOW,
                     (ULONG_PTR)count);
    }
    if (header->HandleCount != 0)
    {
        KeBugCheckEx(REFERENCE_BY_POINTER, (ULONG_PTR)type, (ULONG_PTR)Object, OBP_BUGCHECK_DELETED_WITH_HANDLES,
                     (ULONG_PTR)header->HandleCount);
    }
    if (Defer || KeAreAllApcsDisabled())
    {
        ObpDeferDelete(header);
    }
    else
    {
        ObpDeleteObject(header);
    }
    return 0;
}

/**
 * Gives a reference back; the last one ends the object, at once at PASSIVE_LEVEL with APCs enabled, else by a worker.
 *
 * @return the new count. IRQL <= DISPATCH_LEVEL. Bug check 18 (C4, 3F) if there was no reference to give.
 */
LONG_PTR FASTCALL ObfDereferenceObject(_In_ PVOID Object)
{
    VfGiveReference(Object, _ReturnAddress());
    return ObpDereference(Object, FALSE);
}

/** ObfReferenceObject; the tag names the holder to a debugger and is not kept. IRQL <= DISPATCH_LEVEL. */
LONG_PTR FASTCALL ObfReferenceObjectWithTag(_In_ PVOID Object, _In_ ULONG Tag)
{
    VfTakeReference(Object, _ReturnAddress());
    return ObpReference(Object);
}

/** ObfDereferenceObject; the tag is not kept. IRQL <= DISPATCH_LEVEL. */
LONG_PTR FASTCALL ObfDereferenceObjectWithTag(_In_ PVOID Object, _In_ ULONG Tag)
{
    VfGiveReference(Object, _ReturnAddress());
    return ObpDereference(Object, FALSE);
}

/** Gives a reference back; if it is the last one the object always ends in a worker, never in the caller's context. */
VOID NTAPI ObDereferenceObjectDeferDelete(_In_ PVOID Object)
{
    VfGiveReference(Object, _ReturnAddress());
    ObpDereference(Object, TRUE);
}

/** ObDereferenceObjectDeferDelete; the tag is not kept. */
VOID NTAPI ObDereferenceObjectDeferDeleteWithTag(_In_ PVOID Object, _In_ ULONG Tag)
{
    VfGiveReference(Object, _ReturnAddress());
    ObpDereference(Object, TRUE);
}

static NTSTATUS ObpReferenceByPointer(PVOID Object, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode, PVOID Caller)
{
    if (ObjectType != ObpHeader(Object)->Type &&
        (AccessMode != KernelMode || ObjectType == ObpSymbolicLinkObjectType))
    {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    ObpReference(Object);
    VfTakeReference(Object, Caller);
    return STATUS_SUCCESS;
}

/**
 * Checks that a pointer is of the expected type and adds a reference.
 *
 * @param ObjectType  checked for UserMode; as on NT a KernelMode caller is trusted, save for symbolic links
 * @return STATUS_OBJECT_TYPE_MISMATCH. IRQL <= DISPATCH_LEVEL.
 */
NTSTATUS NTAPI ObReferenceObjectByPointerWithTag(_In_ PVOID Object, _In_ ACCESS_MASK DesiredAccess,
                                                 _In_opt_ POBJECT_TYPE ObjectType, _In_ KPROCESSOR_MODE AccessMode,
                                                 _In_ ULONG Tag)
{
    return ObpReferenceByPointer(Object, ObjectType, AccessMode, _ReturnAddress());
}

/** ObReferenceObjectByPointerWithTag without a tag. */
NTSTATUS NTAPI ObReferenceObjectByPointer(_In_ PVOID Object, _In_ ACCESS_MASK DesiredAccess,
                                          _In_opt_ POBJECT_TYPE ObjectType, _In_ KPROCESSOR_MODE AccessMode)
{
    return ObpReferenceByPointer(Object, ObjectType, AccessMode, _ReturnAddress());
}

/** Adds a reference unless the object is already dying. Any IRQL; the memory must be known to be an object's still. */
BOOLEAN NTAPI ObReferenceObjectSafe(_In_ PVOID Object)
{
    return ObpReferenceSafe(ObpHeader(Object));
}

/** The reference count of an object, for display. Any IRQL. */
LONG_PTR ObGetPointerCount(_In_ PVOID Object)
{
    return ObpHeader(Object)->PointerCount;
}
