/* SPDX-License-Identifier: MIT */
/*
 * Directories of the namespace: hashed lists of objects, the tree the kernel starts with, and their services.
 *
 *     \                        \Device  \Driver  \FileSystem  \Callback  \KernelObjects  \ObjectTypes
 *     \GLOBAL??  = \??         drive letters and device names that programs open; \DosDevices leads here
 *     \BaseNamedObjects        what programs name; Local, Global and Session lead back to it
 */
#include "obp.h"

OBP_DIRECTORY *ObpRootDirectory, *ObpTypesDirectory, *ObpGlobalDevices;

static ULONG ObpHashName(PCUNICODE_STRING Name)
{
    ULONG hash = 5381;
    for (ULONG i = 0; i < Name->Length / sizeof(WCHAR); i++)
    {
        hash = hash * 33 + RtlUpcaseUnicodeChar(Name->Buffer[i]);
    }
    return hash % OBP_BUCKETS;
}

OBP_HEADER *ObpFindEntry(OBP_DIRECTORY *Directory, PCUNICODE_STRING Name)
{
    OBP_HEADER *header = Directory->Buckets[ObpHashName(Name)];
    while (header != NULL && !RtlEqualUnicodeString(&header->Name, (PUNICODE_STRING)Name, TRUE))
    {
        header = header->HashNext;
    }
    return header;
}

/* Links an object under a name; the directory then holds a reference on it and it holds one on the directory. */
NTSTATUS ObpInsertEntry(OBP_DIRECTORY *Directory, OBP_HEADER *Header, PCUNICODE_STRING Name)
{
    NTSTATUS status = STATUS_SUCCESS;
    PWSTR buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Name->Length + sizeof(WCHAR), OBP_TAG_NAME);
    if (buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlCopyMemory(buffer, Name->Buffer, Name->Length);
    buffer[Name->Length / sizeof(WCHAR)] = 0;

    ExAcquireFastMutex(&ObpNamespaceLock);
    if (ObpFindEntry(Directory, Name) != NULL)
    {
        status = STATUS_OBJECT_NAME_COLLISION;
    }
    else
    {
        ULONG bucket = ObpHashName(Name);
        Header->Name.Buffer = buffer;
        Header->Name.Length = Name->Length;
        Header->Name.MaximumLength = Name->Length;
        Header->Directory = Directory;
        Header->HashNext = Directory->Buckets[bucket];
        Directory->Buckets[bucket] = Header;
        ObReferenceObject(Directory);
        ObReferenceObject(Header->Body);
        buffer = NULL;
    }
    ExReleaseFastMutex(&ObpNamespaceLock);
    if (buffer != NULL)
    {
        ExFreePoolWithTag(buffer, OBP_TAG_NAME);
    }
    return status;
}

/* Unlinks an object from its directory. OnlyWithoutHandles: not if a handle was opened or it is permanent. */
BOOLEAN ObpRemoveEntry(OBP_HEADER *Header, BOOLEAN OnlyWithoutHandles)
{
    OBP_DIRECTORY *directory;
    ExAcquireFastMutex(&ObpNamespaceLock);
    directory = Header->Directory;
    if (directory != NULL && OnlyWithoutHandles && (Header->HandleCount != 0 || (Header->Flags & OBP_PERMANENT) != 0))
    {
        directory = NULL;
    }
    if (directory != NULL)
    {
        OBP_HEADER **link = &directory->Buckets[ObpHashName(&Header->Name)];
        while (*link != Header)
        {
            link = &(*link)->HashNext;
        }
        *link = Header->HashNext;
        Header->HashNext = NULL;
        Header->Directory = NULL;
    }
    ExReleaseFastMutex(&ObpNamespaceLock);
    if (directory == NULL)
    {
        return FALSE;
    }
    ObDereferenceObject(Header->Body);
    ObDereferenceObject(directory);
    return TRUE;
}

/* ---- the tree at start ---- */

NTSTATUS ObpPlaceByName(PCWSTR Path, OBP_HEADER *Header)
{
    /* At start there are only two levels: "\Name" in the root, "\Dir\Name" in a directory of the root. */
    UNICODE_STRING name, parentName;
    OBP_DIRECTORY *parent = ObpRootDirectory;
    RtlInitUnicodeString(&name, Path + 1);
    for (ULONG i = 0; i < name.Length / sizeof(WCHAR); i++)
    {
        if (name.Buffer[i] == OBJ_NAME_PATH_SEPARATOR)
        {
            parentName = name;
            parentName.Length = (USHORT)(i * sizeof(WCHAR));
            name.Buffer += i + 1;
            name.Length -= parentName.Length + sizeof(WCHAR);
            ExAcquireFastMutex(&ObpNamespaceLock);
            OBP_HEADER *found = ObpFindEntry(parent, &parentName);
            ExReleaseFastMutex(&ObpNamespaceLock);
            if (found == NULL || found->Type != ObpDirectoryObjectType)
            {
                return STATUS_OBJECT_PATH_NOT_FOUND;
            }
            parent = (OBP_DIRECTORY *)found->Body;
            break;
        }
    }
    return ObpInsertEntry(parent, Header, &name);
}

/*
 * Access for Everyone and for SYSTEM and Administrators; the rights of the first depend on whether any program may
 * create names there.
 */
static NTSTATUS ObpStartDescriptor(OBP_HEADER *Header, ACCESS_MASK WorldAccess, ACCESS_MASK AllAccess)
{
    SECURITY_DESCRIPTOR descriptor;
    DECLSPEC_ALIGN(8) UCHAR acl[256];
    NTSTATUS status = RtlCreateSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    if (NT_SUCCESS(status))
    {
        status = RtlCreateAcl((PACL)acl, sizeof(acl), ACL_REVISION);
    }
    if (NT_SUCCESS(status))
    {
        status = RtlAddAccessAllowedAce((PACL)acl, ACL_REVISION, WorldAccess, SeExports->SeWorldSid);
    }
    if (NT_SUCCESS(status))
    {
        status = RtlAddAccessAllowedAce((PACL)acl, ACL_REVISION, AllAccess, SeExports->SeAliasAdminsSid);
    }
    if (NT_SUCCESS(status))
    {
        status = RtlAddAccessAllowedAce((PACL)acl, ACL_REVISION, AllAccess, SeExports->SeLocalSystemSid);
    }
    if (NT_SUCCESS(status))
    {
        status = RtlSetDaclSecurityDescriptor(&descriptor, TRUE, (PACL)acl, FALSE);
    }
    if (NT_SUCCESS(status))
    {
        descriptor.Owner = SeExports->SeAliasAdminsSid;
        descriptor.Group = SeExports->SeLocalSystemSid;
        status = ObpSetDescriptor(Header, &descriptor);
    }
    return status;
}

NTSTATUS ObpCreateDirectoryByName(PCWSTR Path, OBP_DIRECTORY **Directory)
{
    OBP_HEADER *header;
    NTSTATUS status = ObpAllocateObject(ObpDirectoryObjectType, sizeof(OBP_DIRECTORY), &header);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    header->Flags |= OBP_PERMANENT | OBP_KERNEL_CREATED;
    if (Path != NULL)
    {
        status = ObpPlaceByName(Path, header);
    }
    if (!NT_SUCCESS(status))
    {
        ObDereferenceObject(header->Body);
        return status;
    }
    *Directory = (OBP_DIRECTORY *)header->Body;
    return STATUS_SUCCESS;
}

static VOID ObpMust(NTSTATUS Status, ULONG_PTR Where)
{
    if (!NT_SUCCESS(Status))
    {
        KeBugCheckEx(OBJECT1_INITIALIZATION_FAILED, (ULONG_PTR)Status, Where, 0, 0);
    }
}

VOID ObpInitializeDirectories(VOID)
{
    static const PCWSTR directories[] = {L"\\ObjectTypes", L"\\Device", L"\\Driver", L"\\FileSystem", L"\\Callback",
                                         L"\\KernelObjects", L"\\BaseNamedObjects", L"\\GLOBAL??"};
    static const struct { PCWSTR Path, Target; } links[] = {
        {L"\\DosDevices", L"\\??"},
        {L"\\??", L"\\GLOBAL??"},
        {L"\\BaseNamedObjects\\Global", L"\\BaseNamedObjects"},
        {L"\\BaseNamedObjects\\Local", L"\\BaseNamedObjects"},
        {L"\\BaseNamedObjects\\Session", L"\\BaseNamedObjects"},
        {L"\\GLOBAL??\\GLOBALROOT", L""},
        {L"\\GLOBAL??\\Global", L"\\GLOBAL??"},
    };
    POBJECT_TYPE types[] = {ObpTypeObjectType, ObpDirectoryObjectType, ObpSymbolicLinkObjectType};
    OBP_DIRECTORY *made;

    ExInitializeFastMutex(&ObpNamespaceLock);
    ObpMust(ObpCreateDirectoryByName(NULL, &ObpRootDirectory), 1);
    for (ULONG i = 0; i < RTL_NUMBER_OF(directories); i++)
    {
        ObpMust(ObpCreateDirectoryByName(directories[i], &made), 0x100 + i);
        if (i == 0)
        {
            ObpTypesDirectory = made;
        }
        ObpGlobalDevices = made; /* the last of the list */
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(links); i++)
    {
        ObpMust(ObpCreateLinkByName(links[i].Path, links[i].Target), 0x200 + i);
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(types); i++)
    {
        ObpMust(ObpInsertEntry(ObpTypesDirectory, ObpHeader(types[i]), &types[i]->Name), 0x300 + i);
    }
}

/**
 * Gives the directories and links of the start their security descriptors: readable by everyone, writable by
 * administrators, and \BaseNamedObjects open for names of all programs. Called by SE once its SIDs exist.
 */
VOID ObSecureNamespace(VOID)
{
    ACCESS_MASK read = STANDARD_RIGHTS_READ | DIRECTORY_QUERY | DIRECTORY_TRAVERSE;
    OBP_DIRECTORY *root = ObpRootDirectory;
    UNICODE_STRING based = RTL_CONSTANT_STRING(L"BaseNamedObjects");
    ObpMust(ObpStartDescriptor(ObpHeader(root), read, DIRECTORY_ALL_ACCESS), 0x400);
    for (ULONG bucket = 0; bucket < OBP_BUCKETS; bucket++)
    {
        for (OBP_HEADER *entry = root->Buckets[bucket]; entry != NULL; entry = entry->HashNext)
        {
            if (entry->Type == ObpDirectoryObjectType)
            {
                ACCESS_MASK world = read;
                if (RtlEqualUnicodeString(&entry->Name, &based, TRUE))
                {
                    world |= DIRECTORY_CREATE_OBJECT | DIRECTORY_CREATE_SUBDIRECTORY;
                }
                ObpMust(ObpStartDescriptor(entry, world, DIRECTORY_ALL_ACCESS), 0x401);
            }
            else if (entry->Type == ObpSymbolicLinkObjectType)
            {
                ObpMust(ObpStartDescriptor(entry, STANDARD_RIGHTS_READ | SYMBOLIC_LINK_QUERY, SYMBOLIC_LINK_ALL_ACCESS),
                        0x402);
            }
        }
    }
}

/* ---- services ---- */

/**
 * Creates (or with OBJ_OPENIF opens) a directory.
 *
 * @return those of name lookup, STATUS_OBJECT_NAME_COLLISION, STATUS_ACCESS_DENIED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtCreateDirectoryObject(_Out_ PHANDLE DirectoryHandle, _In_ ACCESS_MASK DesiredAccess,
                                       _In_ POBJECT_ATTRIBUTES ObjectAttributes)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PVOID directory;
    HANDLE handle;
    NTSTATUS status;
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(DirectoryHandle, sizeof(HANDLE), sizeof(HANDLE));
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    status = ObCreateObject(mode, ObpDirectoryObjectType, ObjectAttributes, mode, NULL, sizeof(OBP_DIRECTORY), 0, 0,
                            &directory);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObInsertObject(directory, NULL, DesiredAccess, 0, NULL, &handle);
    if (NT_SUCCESS(status))
    {
        __try
        {
            *DirectoryHandle = handle;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            return GetExceptionCode();
        }
    }
    return status;
}

/** Opens a directory. STATUS_OBJECT_TYPE_MISMATCH if the name is something else's. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtOpenDirectoryObject(_Out_ PHANDLE DirectoryHandle, _In_ ACCESS_MASK DesiredAccess,
                                     _In_ POBJECT_ATTRIBUTES ObjectAttributes)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    HANDLE handle;
    NTSTATUS status;
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(DirectoryHandle, sizeof(HANDLE), sizeof(HANDLE));
        }
        status = ObOpenObjectByName(ObjectAttributes, ObpDirectoryObjectType, mode, NULL, DesiredAccess, NULL, &handle);
        if (NT_SUCCESS(status))
        {
            *DirectoryHandle = handle;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    return status;
}

typedef struct _OBP_DIRECTORY_INFORMATION
{
    UNICODE_STRING Name;
    UNICODE_STRING TypeName;
} OBP_DIRECTORY_INFORMATION;

/* The entry with number Index in bucket order; lock held. */
static OBP_HEADER *ObpEntryByIndex(OBP_DIRECTORY *Directory, ULONG Index)
{
    for (ULONG bucket = 0; bucket < OBP_BUCKETS; bucket++)
    {
        for (OBP_HEADER *header = Directory->Buckets[bucket]; header != NULL; header = header->HashNext)
        {
            if (Index-- == 0)
            {
                return header;
            }
        }
    }
    return NULL;
}

typedef struct _OBP_ENUMERATION
{
    PUCHAR Scratch;                /* kernel copy of the result; pointers inside are already the caller's */
    PUCHAR Target;
    ULONG Length;
    ULONG Count;                   /* entries that fit */
    ULONG Strings;                 /* bytes of strings */
    ULONG First;
} OBP_ENUMERATION;

static VOID ObpCopyString(OBP_ENUMERATION *E, ULONG *Offset, PUNICODE_STRING Out, PCUNICODE_STRING In)
{
    Out->Length = In->Length;
    Out->MaximumLength = In->Length + sizeof(WCHAR);
    Out->Buffer = (PWSTR)(E->Target + *Offset);
    RtlCopyMemory(E->Scratch + *Offset, In->Buffer, In->Length);
    *(PWCHAR)(E->Scratch + *Offset + In->Length) = 0;
    *Offset += Out->MaximumLength;
}

/* Counts how many entries fit, then lays them out; lock held. Returns STATUS_NO_MORE_ENTRIES and kin. */
static NTSTATUS ObpEnumerate(OBP_DIRECTORY *Directory, OBP_ENUMERATION *E, BOOLEAN Single)
{
    ULONG used = sizeof(OBP_DIRECTORY_INFORMATION); /* the empty entry at the end */
    OBP_HEADER *header = NULL;
    for (E->Count = 0; !Single || E->Count < 1; E->Count++)
    {
        header = ObpEntryByIndex(Directory, E->First + E->Count);
        if (header == NULL)
        {
            break;
        }
        ULONG need =
            sizeof(OBP_DIRECTORY_INFORMATION) + header->Name.Length + header->Type->Name.Length + 2 * sizeof(WCHAR);
        if (used + need > E->Length)
        {
            if (E->Count == 0)
            {
                E->Strings = used + need;
                return STATUS_BUFFER_TOO_SMALL;
            }
            break;
        }
        used += need;
    }
    if (E->Count == 0)
    {
        return STATUS_NO_MORE_ENTRIES;
    }
    ULONG offset = (E->Count + 1) * sizeof(OBP_DIRECTORY_INFORMATION);
    OBP_DIRECTORY_INFORMATION *out = (OBP_DIRECTORY_INFORMATION *)E->Scratch;
    for (ULONG i = 0; i < E->Count; i++)
    {
        OBP_HEADER *entry = ObpEntryByIndex(Directory, E->First + i);
        ObpCopyString(E, &offset, &out[i].Name, &entry->Name);
        ObpCopyString(E, &offset, &out[i].TypeName, &entry->Type->Name);
    }
    RtlZeroMemory(&out[E->Count], sizeof(*out));
    E->Strings = offset;
    return !Single && ObpEntryByIndex(Directory, E->First + E->Count) != NULL ? STATUS_MORE_ENTRIES : STATUS_SUCCESS;
}

/**
 * Lists a directory: an array of name and type name, ended by an empty element, the strings behind it.
 *
 * @param Context  in/out: number of the first entry to return; afterwards of the next
 * @return STATUS_MORE_ENTRIES (success), STATUS_NO_MORE_ENTRIES, STATUS_BUFFER_TOO_SMALL. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtQueryDirectoryObject(_In_ HANDLE DirectoryHandle, _Out_ PVOID Buffer, _In_ ULONG Length,
                                      _In_ BOOLEAN ReturnSingleEntry, _In_ BOOLEAN RestartScan, _Inout_ PULONG Context,
                                      _Out_opt_ PULONG ReturnLength)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    OBP_DIRECTORY *directory = NULL;
    OBP_ENUMERATION e = {.Target = Buffer};
    NTSTATUS status;

    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(Buffer, Length, sizeof(WCHAR));
            ProbeForWrite(Context, sizeof(*Context), sizeof(ULONG));
            if (ReturnLength != NULL)
            {
                ProbeForWrite(ReturnLength, sizeof(*ReturnLength), sizeof(ULONG));
            }
        }
        e.First = RestartScan ? 0 : *(volatile ULONG *)Context;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    e.Length = Length > 0x10000 ? 0x10000 : Length;
    e.Scratch = ExAllocatePoolWithTag(NonPagedPoolNx, e.Length + sizeof(OBP_DIRECTORY_INFORMATION), OBP_TAG_MISC);
    if (e.Scratch == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    status = ObReferenceObjectByHandle(DirectoryHandle, DIRECTORY_QUERY, ObpDirectoryObjectType, mode,
                                       (PVOID *)&directory, NULL);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    ExAcquireFastMutex(&ObpNamespaceLock);
    status = ObpEnumerate(directory, &e, ReturnSingleEntry);
    ExReleaseFastMutex(&ObpNamespaceLock);
    __try
    {
        if (NT_SUCCESS(status))
        {
            RtlCopyMemory(Buffer, e.Scratch, e.Count == 0 ? 0 : e.Strings);
            *Context = e.First + e.Count;
        }
        if (ReturnLength != NULL)
        {
            *ReturnLength = e.Strings;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }

Exit:
    if (directory != NULL)
    {
        ObDereferenceObject(directory);
    }
    ExFreePoolWithTag(e.Scratch, OBP_TAG_MISC);
    return status;
}
