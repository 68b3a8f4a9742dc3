/* SPDX-License-Identifier: MIT */
/*
 * Creating objects: the caller's attributes are captured first, the name and the security follow at insertion.
 */
#include "obp.h"

VOID ObpFreeCreate(OBP_CREATE *Create)
{
    if (Create->Name.Buffer != NULL)
    {
        ExFreePoolWithTag(Create->Name.Buffer, OBP_TAG_NAME);
    }
    if (Create->Descriptor != NULL)
    {
        ExFreePool(Create->Descriptor);
    }
    ExFreePoolWithTag(Create, OBP_TAG_CREATE);
}

/* Copies a name that may lie in hostile memory. The result always owns a buffer, even for an empty name. */
static NTSTATUS ObpCaptureName(KPROCESSOR_MODE Mode, PUNICODE_STRING Source, PUNICODE_STRING Name)
{
    UNICODE_STRING local;
    PWSTR buffer = NULL;
    NTSTATUS status = STATUS_SUCCESS;
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead(Source, sizeof(*Source), sizeof(PVOID));
        }
        local = *(volatile UNICODE_STRING *)Source;
        if ((local.Length & 1) != 0 || (local.Length != 0 && local.Buffer == NULL))
        {
            return STATUS_OBJECT_NAME_INVALID;
        }
        if (Mode != KernelMode && local.Length != 0)
        {
            ProbeForRead(local.Buffer, local.Length, sizeof(WCHAR));
        }
        ULONG room = local.Length + sizeof(WCHAR);
        room = room > UNICODE_STRING_MAX_BYTES ? UNICODE_STRING_MAX_BYTES : room;
        buffer = ExAllocatePoolWithTag(PagedPool, room, OBP_TAG_NAME);
        if (buffer == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        RtlCopyMemory(buffer, local.Buffer, local.Length);
        Name->Buffer = buffer;
        Name->Length = local.Length;
        Name->MaximumLength = (USHORT)room;
        buffer = NULL;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
        if (buffer != NULL)
        {
            ExFreePoolWithTag(buffer, OBP_TAG_NAME);
        }
    }
    return status;
}

static NTSTATUS ObpCaptureFixedAttributes(KPROCESSOR_MODE Mode, POBJECT_ATTRIBUTES Source, OBJECT_ATTRIBUTES *Local,
                                          OBP_CREATE *Create)
{
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead(Source, sizeof(*Source), sizeof(PVOID));
        }
        *Local = *(volatile OBJECT_ATTRIBUTES *)Source;
        if (Local->Length == sizeof(*Local) && Local->SecurityQualityOfService != NULL)
        {
            PSECURITY_QUALITY_OF_SERVICE qos = Local->SecurityQualityOfService;
            if (Mode != KernelMode)
            {
                ProbeForRead(qos, sizeof(*qos), sizeof(ULONG));
            }
            Create->Qos = *(volatile SECURITY_QUALITY_OF_SERVICE *)qos;
            Create->HasQos = TRUE;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/* Takes everything out of the caller's OBJECT_ATTRIBUTES once. Attributes may be NULL: an unnamed object. */
NTSTATUS ObpCaptureAttributes(KPROCESSOR_MODE Mode, POBJECT_TYPE Type, POBJECT_ATTRIBUTES Attributes,
                              OBP_CREATE **Create)
{
    OBJECT_ATTRIBUTES local;
    NTSTATUS status = STATUS_SUCCESS;
    OBP_CREATE *create = ExAllocatePoolWithTag(PagedPool, sizeof(*create), OBP_TAG_CREATE);
    *Create = NULL;
    if (create == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(create, sizeof(*create));
    create->Mode = Mode;
    if (Attributes == NULL)
    {
        goto Exit;
    }
    status = ObpCaptureFixedAttributes(Mode, Attributes, &local, create);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    if (local.Length != sizeof(local) || (local.Attributes & ~OBJ_VALID_ATTRIBUTES) != 0 ||
        (Type != NULL && (local.Attributes & Type->Info.InvalidAttributes) != 0))
    {
        status = STATUS_INVALID_PARAMETER;
        goto Exit;
    }
    create->Attributes = local.Attributes;
    create->Root = local.RootDirectory;
    if (Mode != KernelMode)
    {
        create->Attributes &= ~OBJ_KERNEL_HANDLE;
    }
    if (local.SecurityDescriptor != NULL)
    {
        status = SeCaptureSecurityDescriptor(local.SecurityDescriptor, Mode, PagedPool, TRUE, &create->Descriptor);
        if (!NT_SUCCESS(status))
        {
            goto Exit;
        }
    }
    if (local.ObjectName != NULL)
    {
        status = ObpCaptureName(Mode, local.ObjectName, &create->Name);
    }

Exit:
    if (!NT_SUCCESS(status))
    {
        ObpFreeCreate(create);
        return status;
    }
    *Create = create;
    return STATUS_SUCCESS;
}

/* A zeroed object with one reference. Type is NULL only for the type of types. */
NTSTATUS ObpAllocateObject(POBJECT_TYPE Type, ULONG BodySize, OBP_HEADER **Header)
{
    SIZE_T size = sizeof(OBP_HEADER) + BodySize;
    OBP_HEADER *header = ExAllocatePoolWithTag(NonPagedPoolNx, size, OBP_TAG_OBJECT);
    if (header == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(header, size);
    header->PointerCount = 1;
    header->Type = Type;
    KeQuerySystemTime(&header->CreationTime);
    if (Type != NULL)
    {
        InterlockedIncrement(&Type->TotalObjects);
    }
    *Header = header;
    return STATUS_SUCCESS;
}

/**
 * Makes an object of a type: zeroed body, one reference, no name yet.
 *
 * @param ProbeMode      UserMode: Attributes and what it points to are probed and captured
 * @param Attributes     may be NULL; kept (captured) until ObInsertObject
 * @param OwnershipMode  UserMode callers need SeCreatePermanentPrivilege for OBJ_PERMANENT
 * @param BodySize       bytes of the body; at least the type's BodySize is not checked, the type's owner decides
 * @param Object         out: the body; the caller owns the reference and passes it to ObInsertObject
 * @return STATUS_INVALID_PARAMETER, STATUS_PRIVILEGE_NOT_HELD, STATUS_INSUFFICIENT_RESOURCES, what probing raised.
 *         PASSIVE_LEVEL.
 */
NTSTATUS NTAPI ObCreateObject(KPROCESSOR_MODE ProbeMode, POBJECT_TYPE Type, POBJECT_ATTRIBUTES Attributes,
                              KPROCESSOR_MODE OwnershipMode, PVOID ParseContext, ULONG BodySize, ULONG PagedCharge,
                              ULONG NonPagedCharge, PVOID *Object)
{
    OBP_CREATE *create;
    OBP_HEADER *header;
    NTSTATUS status = ObpCaptureAttributes(ProbeMode, Type, Attributes, &create);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if ((create->Attributes & OBJ_PERMANENT) != 0 && OwnershipMode != KernelMode &&
        !SeSinglePrivilegeCheck(RtlConvertUlongToLuid(SE_CREATE_PERMANENT_PRIVILEGE), OwnershipMode))
    {
        ObpFreeCreate(create);
        return STATUS_PRIVILEGE_NOT_HELD;
    }
    status = ObpAllocateObject(Type, BodySize, &header);
    if (!NT_SUCCESS(status))
    {
        ObpFreeCreate(create);
        return status;
    }
    header->Create = create;
    if ((create->Attributes & OBJ_PERMANENT) != 0)
    {
        header->Flags |= OBP_PERMANENT;
    }
    if ((create->Attributes & OBJ_EXCLUSIVE) != 0)
    {
        header->Flags |= OBP_EXCLUSIVE;
    }
    if (OwnershipMode == KernelMode)
    {
        header->Flags |= OBP_KERNEL_CREATED;
    }
    *Object = header->Body;
    return STATUS_SUCCESS;
}

/* Puts a new object under its name, or finds the one that is there already (STATUS_OBJECT_NAME_EXISTS). */
static NTSTATUS ObpNameObject(OBP_HEADER *Header, OBP_CREATE *Create, PACCESS_STATE AccessState, PVOID *Existing)
{
    OBP_LOOKUP lookup = {
        .Root = Create->Root, .Mode = Create->Mode, .Attributes = Create->Attributes, .Type = Header->Type,
        .AccessState = AccessState, .Insert = TRUE, .Path = Create->Name,
    };
    NTSTATUS status;
    BOOLEAN directory = Header->Type == ObpDirectoryObjectType;
    RtlZeroMemory(&Create->Name, sizeof(Create->Name)); /* the lookup owns the buffer now */
    *Existing = NULL;

Again:
    status = ObpLookup(&lookup);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    if (lookup.Object != NULL)
    {
        if ((Create->Attributes & OBJ_OPENIF) == 0)
        {
            status = STATUS_OBJECT_NAME_COLLISION;
        }
        else if (ObGetType(lookup.Object) != Header->Type)
        {
            status = STATUS_OBJECT_TYPE_MISMATCH;
        }
        else
        {
            *Existing = lookup.Object;
            lookup.Object = NULL;
            status = STATUS_OBJECT_NAME_EXISTS;
        }
        goto Exit;
    }
    if (!ObpCheckDirectoryAccess(lookup.Directory, directory ? DIRECTORY_CREATE_SUBDIRECTORY : DIRECTORY_CREATE_OBJECT,
                                 AccessState, Create->Mode, &status))
    {
        goto Exit;
    }
    status = ObpAssignSecurity(Header, AccessState, lookup.Directory);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    status = ObpInsertEntry(lookup.Directory, Header, &lookup.Leaf);
    if (status == STATUS_OBJECT_NAME_COLLISION)
    {
        /* Somebody was faster; his object is what the name means now. */
        ObDereferenceObject(lookup.Directory);
        lookup.Directory = NULL;
        goto Again;
    }

Exit:
    ObpEndLookup(&lookup);
    return status;
}

/**
 * Names an object, gives it security, and makes the first handle.
 *
 * Takes the creation reference in every case: on failure the object is gone unless others refer to it.
 *
 * @param AccessState    the caller's, or NULL to make one from DesiredAccess
 * @param PointerBias    references to add for the caller; at least one is added if NewObject is given
 * @param NewObject      out, optional: the object (with OBJ_OPENIF perhaps the one that was there before)
 * @param Handle         out, optional: a handle in the current process, or a kernel handle with OBJ_KERNEL_HANDLE
 * @return STATUS_OBJECT_NAME_EXISTS (success) with OBJ_OPENIF; STATUS_OBJECT_NAME_COLLISION, STATUS_ACCESS_DENIED,
 *         those of name lookup, STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI ObInsertObject(PVOID Object, PACCESS_STATE PassedAccessState, ACCESS_MASK DesiredAccess,
                              ULONG PointerBias, PVOID *NewObject, PHANDLE Handle)
{
    OBP_HEADER *header = ObpHeader(Object);
    OBP_CREATE *create = header->Create;
    POBJECT_TYPE type = header->Type;
    ACCESS_STATE localState;
    DECLSPEC_ALIGN(16) UCHAR aux[SE_AUX_DATA_SIZE];
    PACCESS_STATE state = PassedAccessState;
    PVOID existing = NULL, result = Object;
    NTSTATUS status, handleStatus;
    BOOLEAN named;

    if (create == NULL)
    {
        ObDereferenceObject(Object);
        return STATUS_INVALID_PARAMETER;
    }
    header->Create = NULL;
    named = create->Name.Buffer != NULL && create->Name.Length != 0;
    if (state == NULL)
    {
        status = SeCreateAccessState(&localState, aux, DesiredAccess, &type->Info.Mapping);
        if (!NT_SUCCESS(status))
        {
            goto Exit;
        }
        state = &localState;
    }
    state->SecurityDescriptor = create->Descriptor;

    if (named)
    {
        status = ObpNameObject(header, create, state, &existing);
    }
    else
    {
        status = type->Info.SecurityRequired ? ObpAssignSecurity(header, state, NULL) : STATUS_SUCCESS;
    }
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    if (existing != NULL)
    {
        result = existing;
    }
    for (ULONG i = 0; i < PointerBias || (i == 0 && NewObject != NULL); i++)
    {
        ObReferenceObject(result);
    }
    if (Handle != NULL)
    {
        handleStatus = ObpCreateHandle(existing != NULL ? ObOpenHandle : ObCreateHandle, result, type, state,
                                       create->Attributes, create->Mode, Handle);
        if (!NT_SUCCESS(handleStatus))
        {
            status = handleStatus;
            for (ULONG i = 0; i < PointerBias || (i == 0 && NewObject != NULL); i++)
            {
                ObDereferenceObject(result);
            }
            if (existing == NULL && named)
            {
                header->Flags &= ~OBP_PERMANENT;
                ObpRemoveEntry(header, FALSE);
            }
            goto Exit;
        }
    }
    if (NewObject != NULL)
    {
        *NewObject = result;
    }

Exit:
    if (state != NULL)
    {
        state->SecurityDescriptor = NULL;
    }
    if (state == &localState)
    {
        SeDeleteAccessState(state);
    }
    ObpFreeCreate(create);
    if (existing != NULL)
    {
        ObDereferenceObject(existing);
    }
    ObDereferenceObject(Object);
    return status;
}
