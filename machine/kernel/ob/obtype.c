/* SPDX-License-Identifier: MIT */
/*
 * Object types, and the start of the object manager.
 */
#include "obp.h"

POBJECT_TYPE ObpTypeObjectType, ObpDirectoryObjectType, ObpSymbolicLinkObjectType;
KEVENT ObpDefaultObject;

static volatile LONG ObpTypeCount;

#define OBP_TYPE_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | 0x1)

static VOID ObpSetType(POBJECT_TYPE Type, const OB_TYPE_DEFINITION *Definition)
{
    Type->TypeList.Flink = &Type->TypeList;
    Type->TypeList.Blink = &Type->TypeList;
    RtlInitUnicodeString(&Type->Name, Definition->Name);
    Type->Info = *Definition;
    Type->Index = (ULONG)InterlockedIncrement(&ObpTypeCount);
    InitializeListHead(&Type->Callbacks);
    if (!Definition->Waitable)
    {
        /* Every handle can be waited on; those without a state of their own are always signalled. */
        Type->Info.ValidAccess |= SYNCHRONIZE;
    }
}

/**
 * Makes a type of objects and shows it in \ObjectTypes. Types live as long as the machine.
 *
 * @param Definition  copied; the Name string must stay where it is
 * @return STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_COLLISION. PASSIVE_LEVEL.
 */
NTSTATUS ObCreateType(_In_ const OB_TYPE_DEFINITION *Definition, _Out_ POBJECT_TYPE *Type)
{
    OBP_HEADER *header;
    *Type = NULL;
    NTSTATUS status = ObpAllocateObject(ObpTypeObjectType, sizeof(struct _OBJECT_TYPE), &header);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    POBJECT_TYPE type = (POBJECT_TYPE)header->Body;
    ObpSetType(type, Definition);
    header->Flags |= OBP_PERMANENT | OBP_KERNEL_CREATED;
    if (header->Type == NULL)
    {
        /* The type of types is its own. */
        header->Type = type;
        type->TotalObjects = 1;
    }
    if (ObpTypesDirectory != NULL)
    {
        status = ObpInsertEntry(ObpTypesDirectory, header, &type->Name);
        if (!NT_SUCCESS(status))
        {
            ObDereferenceObject(type);
            return status;
        }
    }
    *Type = type;
    return STATUS_SUCCESS;
}

static VOID ObpMustCreateType(const OB_TYPE_DEFINITION *Definition, POBJECT_TYPE *Type)
{
    NTSTATUS status = ObCreateType(Definition, Type);
    if (!NT_SUCCESS(status))
    {
        KeBugCheckEx(OBJECT1_INITIALIZATION_FAILED, (ULONG_PTR)status, 0, 0, 0);
    }
}

/** Types "Type", "Directory" and "SymbolicLink" and the first directories. Once, on processor 0. */
VOID ObInitialize(VOID)
{
    static const OB_TYPE_DEFINITION typeType = {
        .Name = L"Type",
        .BodySize = sizeof(struct _OBJECT_TYPE),
        .PoolType = NonPagedPoolNx,
        .InvalidAttributes = OBJ_OPENLINK,
        .ValidAccess = OBP_TYPE_ALL_ACCESS,
        .Mapping = {STANDARD_RIGHTS_READ, STANDARD_RIGHTS_WRITE, STANDARD_RIGHTS_EXECUTE, OBP_TYPE_ALL_ACCESS},
    };
    static const OB_TYPE_DEFINITION directoryType = {
        .Name = L"Directory", .BodySize = sizeof(OBP_DIRECTORY), .PoolType = NonPagedPoolNx,
        .InvalidAttributes = OBJ_OPENLINK, .ValidAccess = DIRECTORY_ALL_ACCESS,
        .Mapping = {STANDARD_RIGHTS_READ | DIRECTORY_QUERY | DIRECTORY_TRAVERSE,
                    STANDARD_RIGHTS_WRITE | DIRECTORY_CREATE_OBJECT | DIRECTORY_CREATE_SUBDIRECTORY,
                    STANDARD_RIGHTS_EXECUTE | DIRECTORY_QUERY | DIRECTORY_TRAVERSE, DIRECTORY_ALL_ACCESS},
    };
    static const OB_TYPE_DEFINITION linkType = {
        .Name = L"SymbolicLink", .BodySize = sizeof(OBP_SYMBOLIC_LINK), .PoolType = NonPagedPoolNx,
        .InvalidAttributes = OBJ_OPENLINK, .ValidAccess = SYMBOLIC_LINK_ALL_ACCESS,
        .Mapping = {STANDARD_RIGHTS_READ | SYMBOLIC_LINK_QUERY, STANDARD_RIGHTS_WRITE,
                    STANDARD_RIGHTS_EXECUTE | SYMBOLIC_LINK_QUERY, SYMBOLIC_LINK_ALL_ACCESS},
        .Methods = {.Parse = ObpParseSymbolicLink, .Delete = ObpDeleteSymbolicLink},
    };

    KeInitializeEvent(&ObpDefaultObject, NotificationEvent, TRUE);
    ObpInitializeReferences();
    ObpInitializeCallbacks();
    ObpMustCreateType(&typeType, &ObpTypeObjectType);
    ObpMustCreateType(&directoryType, &ObpDirectoryObjectType);
    ObpMustCreateType(&linkType, &ObpSymbolicLinkObjectType);
    ObpInitializeDirectories();
}

/** The type of an object. Any IRQL. */
POBJECT_TYPE ObGetType(_In_ PVOID Object)
{
    return ObpHeader(Object)->Type;
}

/** The generic mapping of a type, valid for ever. Any IRQL. */
PGENERIC_MAPPING ObGetMapping(_In_ POBJECT_TYPE Type)
{
    return &Type->Info.Mapping;
}

/** ObGetType under the name drivers know. Any IRQL. */
POBJECT_TYPE NTAPI ObGetObjectType(_In_ PVOID Object)
{
    return ObpHeader(Object)->Type;
}

/** The name of an object's type, valid for ever. Any IRQL. */
PCUNICODE_STRING ObTypeName(_In_ PVOID Object)
{
    return &ObpHeader(Object)->Type->Name;
}

/** What to wait on when a handle to this object is waited on. Any IRQL. */
PDISPATCHER_HEADER ObGetWaitObject(_In_ PVOID Object)
{
    POBJECT_TYPE type = ObpHeader(Object)->Type;
    if (!type->Info.Waitable)
    {
        return &ObpDefaultObject.Header;
    }
    return (PDISPATCHER_HEADER)((PUCHAR)Object + type->Info.WaitOffset);
}
