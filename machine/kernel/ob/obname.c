/* SPDX-License-Identifier: MIT */
/*
 * Names: from a path to an object, and from an object to its path.
 *
 * A path is walked component by component through directories. An object with a parse method (a symbolic link, a
 * device, a key) gets the rest of the path; it answers with an object, or rewrites the path and asks to start again.
 * As on Windows with its default setting (obcaseinsensitive), names are compared without regard to case.
 */
#include "obp.h"

/* Rewrites of one path before it counts as a loop. */
#define OBP_MAX_REPARSES 32

FAST_MUTEX ObpNamespaceLock;

VOID ObpEndLookup(OBP_LOOKUP *Lookup)
{
    if (Lookup->Object != NULL)
    {
        ObDereferenceObject(Lookup->Object);
    }
    if (Lookup->Directory != NULL)
    {
        ObDereferenceObject(Lookup->Directory);
    }
    if (Lookup->Path.Buffer != NULL)
    {
        ExFreePoolWithTag(Lookup->Path.Buffer, OBP_TAG_NAME);
    }
    RtlZeroMemory(Lookup, sizeof(*Lookup));
}

/* Splits "a\b\c" into "a" and "\b\c"; FALSE if the component is empty. */
static BOOLEAN ObpNextComponent(PUNICODE_STRING Remaining, PUNICODE_STRING Component)
{
    ULONG count = Remaining->Length / sizeof(WCHAR);
    ULONG i = 0;
    while (i < count && Remaining->Buffer[i] != OBJ_NAME_PATH_SEPARATOR)
    {
        i++;
    }
    Component->Buffer = Remaining->Buffer;
    Component->Length = Component->MaximumLength = (USHORT)(i * sizeof(WCHAR));
    Remaining->Buffer += i;
    Remaining->Length -= Component->Length;
    Remaining->MaximumLength = Remaining->Length;
    return i != 0;
}

static NTSTATUS ObpCallParse(OBP_LOOKUP *Lookup, PVOID Object, PUNICODE_STRING Remaining)
{
    PVOID found = NULL;
    NTSTATUS status = ObGetType(Object)->Info.Methods.Parse(Object, Lookup->Type, Lookup->AccessState, Lookup->Mode,
                                                            Lookup->Attributes, &Lookup->Path, Remaining,
                                                            Lookup->ParseContext, &found);
    if (status == STATUS_REPARSE || status == STATUS_REPARSE_OBJECT)
    {
        return (Lookup->Attributes & OBJ_DONT_REPARSE) != 0 ? STATUS_REPARSE_POINT_ENCOUNTERED : STATUS_REPARSE;
    }
    if (NT_SUCCESS(status))
    {
        if (found == NULL)
        {
            return STATUS_OBJECT_NAME_NOT_FOUND;
        }
        Lookup->Object = found;
    }
    return status;
}

/* A component was found: the object itself, its parse method's answer, or the next directory to walk. */
static NTSTATUS ObpStepInto(OBP_LOOKUP *Lookup, OBP_HEADER *Found, PUNICODE_STRING Remaining, BOOLEAN *Descend)
{
    POBJECT_TYPE type = Found->Type;
    *Descend = FALSE;
    /* A name to be created collides with a device or key of that name instead of being parsed by it. */
    if (type->Info.Methods.Parse != NULL && (!Lookup->Insert || type == ObpSymbolicLinkObjectType))
    {
        NTSTATUS status = ObpCallParse(Lookup, Found->Body, Remaining);
        ObDereferenceObject(Found->Body);
        return status;
    }
    if (Remaining->Length == 0)
    {
        Lookup->Object = Found->Body;
        return STATUS_SUCCESS;
    }
    if (type != ObpDirectoryObjectType)
    {
        ObDereferenceObject(Found->Body);
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    *Descend = TRUE;
    return STATUS_SUCCESS;
}

/* Walks from Directory, whose reference it takes over. */
static NTSTATUS ObpWalk(OBP_LOOKUP *Lookup, OBP_DIRECTORY *Directory, UNICODE_STRING Remaining)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (Remaining.Length == 0)
    {
        Lookup->Object = Directory;
        return STATUS_SUCCESS;
    }
    for (;;)
    {
        UNICODE_STRING component;
        OBP_HEADER *found;
        BOOLEAN descend;
        if (!ObpNextComponent(&Remaining, &component))
        {
            status = STATUS_OBJECT_NAME_INVALID;
            break;
        }
        if (!ObpCheckDirectoryAccess(Directory, DIRECTORY_TRAVERSE, Lookup->AccessState, Lookup->Mode, &status))
        {
            break;
        }
        ExAcquireFastMutex(&ObpNamespaceLock);
        found = ObpFindEntry(Directory, &component);
        if (found != NULL && !ObpReferenceSafe(found))
        {
            found = NULL;
        }
        ExReleaseFastMutex(&ObpNamespaceLock);

        if (found == NULL)
        {
            if (Remaining.Length != 0)
            {
                status = STATUS_OBJECT_PATH_NOT_FOUND;
            }
            else if (!Lookup->Insert)
            {
                status = STATUS_OBJECT_NAME_NOT_FOUND;
            }
            else
            {
                Lookup->Directory = Directory;
                Lookup->Leaf = component;
                Directory = NULL;
                status = STATUS_SUCCESS;
            }
            break;
        }
        status = ObpStepInto(Lookup, found, &Remaining, &descend);
        if (!descend)
        {
            break;
        }
        ObDereferenceObject(Directory);
        Directory = (OBP_DIRECTORY *)found->Body;
        Remaining.Buffer++; /* the separator */
        Remaining.Length -= sizeof(WCHAR);
        Remaining.MaximumLength = Remaining.Length;
    }
    if (Directory != NULL)
    {
        ObDereferenceObject(Directory);
    }
    return status;
}

static NTSTATUS ObpWalkFromRoot(OBP_LOOKUP *Lookup)
{
    UNICODE_STRING remaining = Lookup->Path;
    if (remaining.Length == 0 || remaining.Buffer[0] != OBJ_NAME_PATH_SEPARATOR)
    {
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    }
    if (remaining.Length > 4 * sizeof(WCHAR) && remaining.Buffer[1] == L'?' && remaining.Buffer[2] == L'?' &&
        remaining.Buffer[3] == OBJ_NAME_PATH_SEPARATOR)
    {
        /* What nearly every file name starts with: straight to the directory that the link \?? leads to. */
        remaining.Buffer += 4;
        remaining.Length -= 4 * sizeof(WCHAR);
        ObReferenceObject(ObpGlobalDevices);
        return ObpWalk(Lookup, ObpGlobalDevices, remaining);
    }
    remaining.Buffer++;
    remaining.Length -= sizeof(WCHAR);
    ObReferenceObject(ObpRootDirectory);
    return ObpWalk(Lookup, ObpRootDirectory, remaining);
}

static NTSTATUS ObpWalkFromHandle(OBP_LOOKUP *Lookup)
{
    PVOID root;
    UNICODE_STRING remaining = Lookup->Path;
    NTSTATUS status = ObReferenceObjectByHandle(Lookup->Root, 0, NULL, Lookup->Mode, &root, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (ObGetType(root) == ObpDirectoryObjectType)
    {
        if (remaining.Length != 0 && remaining.Buffer[0] == OBJ_NAME_PATH_SEPARATOR)
        {
            ObDereferenceObject(root);
            return STATUS_OBJECT_PATH_SYNTAX_BAD;
        }
        return ObpWalk(Lookup, root, remaining);
    }
    if (!Lookup->Insert && ObGetType(root)->Info.Methods.Parse != NULL && ObGetType(root) != ObpSymbolicLinkObjectType)
    {
        status = ObpCallParse(Lookup, root, &remaining);
    }
    else
    {
        status = STATUS_OBJECT_TYPE_MISMATCH;
    }
    ObDereferenceObject(root);
    return status;
}

/*
 * Finds what Lookup->Path names, from Lookup->Root or from the root directory. On success Object is referenced; with
 * Insert it may be NULL, then Directory (referenced) and Leaf say where the name would go. Call ObpEndLookup after it.
 */
NTSTATUS ObpLookup(OBP_LOOKUP *Lookup)
{
    BOOLEAN fromHandle = Lookup->Root != NULL;
    for (ULONG reparses = 0; reparses <= OBP_MAX_REPARSES; reparses++)
    {
        NTSTATUS status = fromHandle ? ObpWalkFromHandle(Lookup) : ObpWalkFromRoot(Lookup);
        if (status != STATUS_REPARSE)
        {
            return status;
        }
        fromHandle = FALSE; /* what a link says is absolute */
    }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

/**
 * Finds an object by its path, for the kernel's own use and for drivers.
 *
 * @param Name  absolute path
 * @param Type  what it must be: STATUS_OBJECT_TYPE_MISMATCH
 * @param Object  out: referenced
 * @return those of name lookup, STATUS_ACCESS_DENIED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI ObReferenceObjectByName(PUNICODE_STRING Name, ULONG Attributes, PACCESS_STATE PassedAccessState,
                                       ACCESS_MASK Access, POBJECT_TYPE Type, KPROCESSOR_MODE Mode, PVOID ParseContext,
                                       PVOID *Object)
{
    ACCESS_STATE localState;
    DECLSPEC_ALIGN(16) UCHAR aux[SE_AUX_DATA_SIZE];
    PACCESS_STATE state = PassedAccessState;
    OBP_CREATE *create = NULL;
    OBJECT_ATTRIBUTES attributes;
    OBP_LOOKUP lookup;
    NTSTATUS status;

    *Object = NULL;
    InitializeObjectAttributes(&attributes, Name, Attributes & ~OBJ_KERNEL_HANDLE, NULL, NULL);
    status = ObpCaptureAttributes(Mode, NULL, &attributes, &create);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (state == NULL)
    {
        status = SeCreateAccessState(&localState, aux, Access, &Type->Info.Mapping);
        if (!NT_SUCCESS(status))
        {
            ObpFreeCreate(create);
            return status;
        }
        state = &localState;
    }
    lookup = (OBP_LOOKUP){.Mode = Mode, .Attributes = create->Attributes, .Type = Type, .ParseContext = ParseContext,
                          .AccessState = state, .Path = create->Name};
    RtlZeroMemory(&create->Name, sizeof(create->Name));
    status = ObpLookup(&lookup);
    if (NT_SUCCESS(status))
    {
        if (Type != NULL && ObGetType(lookup.Object) != Type)
        {
            status = STATUS_OBJECT_TYPE_MISMATCH;
        }
        else if (ObpCheckAccess(lookup.Object, state, Mode, &status))
        {
            *Object = lookup.Object;
            VfTakeReference(lookup.Object, _ReturnAddress());
            lookup.Object = NULL;
            status = STATUS_SUCCESS;
        }
    }
    ObpEndLookup(&lookup);
    if (state == &localState)
    {
        SeDeleteAccessState(state);
    }
    ObpFreeCreate(create);
    return status;
}
