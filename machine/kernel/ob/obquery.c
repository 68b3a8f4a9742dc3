/* SPDX-License-Identifier: MIT */
/*
 * What an object is: its path, its type, its counts.
 */
#include "obp.h"

typedef struct _OBP_TYPE_INFORMATION
{
    UNICODE_STRING TypeName;
    ULONG TotalNumberOfObjects;
    ULONG TotalNumberOfHandles;
    ULONG TotalPagedPoolUsage;
    ULONG TotalNonPagedPoolUsage;
    ULONG TotalNamePoolUsage;
    ULONG TotalHandleTableUsage;
    ULONG HighWaterNumberOfObjects;
    ULONG HighWaterNumberOfHandles;
    ULONG HighWaterPagedPoolUsage;
    ULONG HighWaterNonPagedPoolUsage;
    ULONG HighWaterNamePoolUsage;
    ULONG HighWaterHandleTableUsage;
    ULONG InvalidAttributes;
    GENERIC_MAPPING GenericMapping;
    ULONG ValidAccessMask;
    BOOLEAN SecurityRequired;
    BOOLEAN MaintainHandleCount;
    UCHAR TypeIndex;
    CHAR ReservedByte;
    ULONG PoolType;
    ULONG DefaultPagedPoolCharge;
    ULONG DefaultNonPagedPoolCharge;
} OBP_TYPE_INFORMATION;
C_ASSERT(sizeof(OBP_TYPE_INFORMATION) == 0x68);

/* Length in bytes of the path of an object that is in a directory; lock held. 0 if a directory above was unlinked. */
static ULONG ObpPathLength(OBP_HEADER *Header)
{
    ULONG length = 0;
    if (Header->Body == (PUCHAR)ObpRootDirectory)
    {
        return sizeof(WCHAR);
    }
    while (Header->Body != (PUCHAR)ObpRootDirectory)
    {
        if (Header->Directory == NULL)
        {
            return length == 0 ? 0 : length + 3 * sizeof(WCHAR); /* "..." for a directory without a name */
        }
        length += sizeof(WCHAR) + Header->Name.Length;
        Header = ObpHeader(Header->Directory);
    }
    return length;
}

/* Writes the path backwards, so that it ends at End; lock held. */
static VOID ObpWritePath(OBP_HEADER *Header, PUCHAR End)
{
    if (Header->Body == (PUCHAR)ObpRootDirectory)
    {
        *(PWCHAR)(End - sizeof(WCHAR)) = OBJ_NAME_PATH_SEPARATOR;
        return;
    }
    while (Header->Body != (PUCHAR)ObpRootDirectory)
    {
        if (Header->Directory == NULL)
        {
            RtlCopyMemory(End - 3 * sizeof(WCHAR), L"...", 3 * sizeof(WCHAR));
            return;
        }
        End -= Header->Name.Length;
        RtlCopyMemory(End, Header->Name.Buffer, Header->Name.Length);
        End -= sizeof(WCHAR);
        *(PWCHAR)End = OBJ_NAME_PATH_SEPARATOR;
        Header = ObpHeader(Header->Directory);
    }
}

/* Asks the type: device paths and key paths are their own affair. */
static NTSTATUS ObpQueryNameOfType(PVOID Object, POBJECT_NAME_INFORMATION Information, ULONG Length, PULONG Needed)
{
    ULONG overhead = sizeof(OBJECT_NAME_INFORMATION) + sizeof(WCHAR);
    UNICODE_STRING name = {0};
    ULONG bytes = 0;
    NTSTATUS status;
    if (Information != NULL && Length > overhead)
    {
        ULONG room = Length - overhead;
        name.Buffer = (PWSTR)(Information + 1);
        name.MaximumLength = (USHORT)(room > UNICODE_STRING_MAX_BYTES - 2 ? UNICODE_STRING_MAX_BYTES - 2 : room & ~1U);
    }
    status = ObGetType(Object)->Info.Methods.QueryName(Object, &name, &bytes);
    *Needed = overhead + bytes;
    if (!NT_SUCCESS(status))
    {
        return status == STATUS_BUFFER_OVERFLOW || status == STATUS_BUFFER_TOO_SMALL ? STATUS_INFO_LENGTH_MISMATCH
                                                                                     : status;
    }
    if (Information == NULL || Length < overhead + name.Length)
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    Information->Name = name;
    Information->Name.MaximumLength = name.Length + sizeof(WCHAR);
    Information->Name.Buffer[name.Length / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}

/**
 * The path of an object in the namespace.
 *
 * @param Information  kernel memory: the string's header, the characters behind it, NUL-terminated; for an unnamed
 *                     object an empty string with a NULL buffer
 * @param Length       bytes of Information
 * @param Needed       out: bytes for the whole answer
 * @return STATUS_INFO_LENGTH_MISMATCH. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI ObQueryNameString(_In_ PVOID Object, _Out_writes_bytes_opt_(Length) POBJECT_NAME_INFORMATION Information,
                                 _In_ ULONG Length, _Out_ PULONG Needed)
{
    OBP_HEADER *header = ObpHeader(Object);
    NTSTATUS status = STATUS_SUCCESS;
    ULONG path;
    if (header->Type->Info.Methods.QueryName != NULL)
    {
        return ObpQueryNameOfType(Object, Information, Length, Needed);
    }
    ExAcquireFastMutex(&ObpNamespaceLock);
    path = ObpPathLength(header);
    *Needed = sizeof(OBJECT_NAME_INFORMATION) + (path == 0 ? 0 : path + sizeof(WCHAR));
    if (path > UNICODE_STRING_MAX_BYTES - sizeof(WCHAR))
    {
        status = STATUS_NAME_TOO_LONG;
    }
    else if (Information == NULL || Length < *Needed)
    {
        status = STATUS_INFO_LENGTH_MISMATCH;
    }
    else if (path == 0)
    {
        RtlZeroMemory(Information, sizeof(*Information));
    }
    else
    {
        Information->Name.Buffer = (PWSTR)(Information + 1);
        Information->Name.Length = (USHORT)path;
        Information->Name.MaximumLength = (USHORT)(path + sizeof(WCHAR));
        ObpWritePath(header, (PUCHAR)(Information + 1) + path);
        Information->Name.Buffer[path / sizeof(WCHAR)] = 0;
    }
    ExReleaseFastMutex(&ObpNamespaceLock);
    return status;
}

/**
 * Makes an object temporary: its name goes when the last handle does, at once if there is none.
 *
 * PASSIVE_LEVEL. The caller keeps his reference.
 */
VOID NTAPI ObMakeTemporaryObject(_In_ PVOID Object)
{
    OBP_HEADER *header = ObpHeader(Object);
    ExAcquireFastMutex(&ObpNamespaceLock);
    header->Flags &= ~OBP_PERMANENT;
    ExReleaseFastMutex(&ObpNamespaceLock);
    ObpRemoveEntry(header, TRUE);
}

/** NtMakeTemporaryObject: the same through a handle with DELETE access. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtMakeTemporaryObject(_In_ HANDLE Handle)
{
    PVOID object;
    NTSTATUS status = ObReferenceObjectByHandle(Handle, DELETE, NULL, ExGetPreviousMode(), &object, NULL);
    if (NT_SUCCESS(status))
    {
        ObMakeTemporaryObject(object);
        ObDereferenceObject(object);
    }
    return status;
}

static VOID ObpFillBasic(OBP_HEADER *Header, POBJECT_HANDLE_INFORMATION Handle, OBJECT_BASIC_INFORMATION *Out)
{
    ULONG nameLength = 0;
    RtlZeroMemory(Out, sizeof(*Out));
    Out->Attributes = Handle->HandleAttributes;
    if ((Header->Flags & OBP_PERMANENT) != 0)
    {
        Out->Attributes |= OBJ_PERMANENT;
    }
    if ((Header->Flags & OBP_EXCLUSIVE) != 0)
    {
        Out->Attributes |= OBJ_EXCLUSIVE;
    }
    Out->GrantedAccess = Handle->GrantedAccess;
    Out->HandleCount = (ULONG)Header->HandleCount;
    Out->PointerCount = (ULONG)Header->PointerCount - 1; /* without the reference this query holds */
    Out->NonPagedPoolCharge = Header->Type->Info.BodySize;
    Out->TypeInfoSize = sizeof(OBP_TYPE_INFORMATION) + Header->Type->Name.Length + sizeof(WCHAR);
    ObQueryNameString(Header->Body, NULL, 0, &nameLength);
    Out->NameInfoSize = nameLength;
    ObpLockObject(Header);
    Out->SecurityDescriptorSize = Header->Descriptor == NULL ? 0 : Header->Descriptor->Length;
    ObpUnlockObject(Header);
    if (Header->Type == ObpSymbolicLinkObjectType)
    {
        Out->CreationTime = ((OBP_SYMBOLIC_LINK *)Header->Body)->CreationTime;
    }
}

static VOID ObpFillType(POBJECT_TYPE Type, OBP_TYPE_INFORMATION *Out)
{
    RtlZeroMemory(Out, sizeof(*Out));
    Out->TypeName.Length = Type->Name.Length;
    Out->TypeName.MaximumLength = Type->Name.Length + sizeof(WCHAR);
    Out->TotalNumberOfObjects = (ULONG)Type->TotalObjects;
    Out->TotalNumberOfHandles = (ULONG)Type->TotalHandles;
    Out->InvalidAttributes = Type->Info.InvalidAttributes;
    Out->GenericMapping = Type->Info.Mapping;
    Out->ValidAccessMask = Type->Info.ValidAccess;
    Out->SecurityRequired = Type->Info.SecurityRequired;
    Out->MaintainHandleCount = TRUE;
    Out->TypeIndex = (UCHAR)Type->Index;
    Out->PoolType = Type->Info.PoolType;
}

/* Name and type: built in kernel memory, then moved with the pointers adjusted. */
static NTSTATUS ObpQueryString(PVOID Object, OBJECT_INFORMATION_CLASS Class, PVOID Buffer, ULONG Length, PULONG Needed)
{
    ULONG room = sizeof(OBP_TYPE_INFORMATION) + UNICODE_STRING_MAX_BYTES + 2 * sizeof(WCHAR);
    PUCHAR scratch = ExAllocatePoolWithTag(PagedPool, room, OBP_TAG_MISC);
    NTSTATUS status = STATUS_SUCCESS;
    if (scratch == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PUNICODE_STRING string = (PUNICODE_STRING)scratch; /* first field of both structures */
    if (Class == ObjectNameInformation)
    {
        status = ObQueryNameString(Object, (POBJECT_NAME_INFORMATION)scratch, room, Needed);
    }
    else
    {
        POBJECT_TYPE type = ObGetType(Object);
        OBP_TYPE_INFORMATION *out = (OBP_TYPE_INFORMATION *)scratch;
        ObpFillType(type, out);
        out->TypeName.Buffer = (PWSTR)(out + 1);
        RtlCopyMemory(out->TypeName.Buffer, type->Name.Buffer, type->Name.Length);
        out->TypeName.Buffer[type->Name.Length / sizeof(WCHAR)] = 0;
        *Needed = sizeof(*out) + ((out->TypeName.MaximumLength + 7) & ~7U);
    }
    if (NT_SUCCESS(status) && Length < *Needed)
    {
        status = STATUS_INFO_LENGTH_MISMATCH;
    }
    if (NT_SUCCESS(status))
    {
        if (string->Buffer != NULL)
        {
            string->Buffer = (PWSTR)((PUCHAR)Buffer + ((PUCHAR)string->Buffer - scratch));
        }
        __try
        {
            RtlCopyMemory(Buffer, scratch, *Needed);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    ExFreePoolWithTag(scratch, OBP_TAG_MISC);
    return status;
}

static NTSTATUS ObpQueryFixed(OBP_HEADER *Header, POBJECT_HANDLE_INFORMATION Handle, OBJECT_INFORMATION_CLASS Class,
                              PVOID Buffer, ULONG Length, PULONG Needed)
{
    OBJECT_BASIC_INFORMATION basic;
    OBJECT_HANDLE_FLAG_INFORMATION flags;
    PVOID source = &basic;
    *Needed = sizeof(basic);
    if (Class == ObjectHandleFlagInformation)
    {
        flags.Inherit = (Handle->HandleAttributes & OBJ_INHERIT) != 0;
        flags.ProtectFromClose = (Handle->HandleAttributes & OBJ_PROTECT_CLOSE) != 0;
        source = &flags;
        *Needed = sizeof(flags);
    }
    if (Length != *Needed)
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if (Class == ObjectBasicInformation)
    {
        ObpFillBasic(Header, Handle, &basic);
    }
    __try
    {
        RtlCopyMemory(Buffer, source, *Needed);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/**
 * Tells about the object behind a handle: basic, name, type, handle flags.
 *
 * @return STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_HANDLE. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtQueryObject(_In_opt_ HANDLE Handle, _In_ OBJECT_INFORMATION_CLASS ObjectInformationClass,
                             _Out_writes_bytes_opt_(Length) PVOID Buffer, _In_ ULONG Length,
                             _Out_opt_ PULONG ReturnLength)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    OBJECT_HANDLE_INFORMATION information;
    ULONG needed = 0;
    PVOID object;
    NTSTATUS status;
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(Buffer, Length,
                          ObjectInformationClass == ObjectHandleFlagInformation ? sizeof(UCHAR) : sizeof(ULONG));
            if (ReturnLength != NULL)
            {
                ProbeForWrite(ReturnLength, sizeof(*ReturnLength), sizeof(ULONG));
            }
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    status = ObReferenceObjectByHandle(Handle, 0, NULL, mode, &object, &information);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    switch (ObjectInformationClass)
    {
    case ObjectBasicInformation:
    case ObjectHandleFlagInformation:
        status = ObpQueryFixed(ObpHeader(object), &information, ObjectInformationClass, Buffer, Length, &needed);
        break;
    case ObjectNameInformation:
    case ObjectTypeInformation:
        status = ObpQueryString(object, ObjectInformationClass, Buffer, Length, &needed);
        break;
    default:
        status = STATUS_INVALID_INFO_CLASS;
        break;
    }
    ObDereferenceObject(object);
    if (ReturnLength != NULL)
    {
        __try
        {
            *ReturnLength = needed;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    return status;
}
