/* SPDX-License-Identifier: MIT */
/* Opening and closing files of the RAM disk. */
#include "ramdisk.h"

typedef struct _RAM_CREATE
{
    PFILE_OBJECT File;
    ULONG Disposition;
    ULONG Options;
    ULONG Attributes;
    ULONG Share;
    ACCESS_MASK Access;
    RAM_NODE *Parent;
    UNICODE_STRING Leaf;
    BOOLEAN WantsDirectory;   /* by option or by a trailing backslash */
} RAM_CREATE;

/*
 * Walks to the directory that holds the last component. *Node gets what the whole path names, NULL if only the last
 * component is missing (Parent and Leaf are set then).
 */
static NTSTATUS RamWalk(RAM_CREATE *Create, RAM_NODE **Node)
{
    UNICODE_STRING Path = Create->File->FileName;
    UNICODE_STRING Component;
    RAM_NODE *Here = RamRoot;

    if (Create->File->RelatedFileObject != NULL)
    {
        Here = Create->File->RelatedFileObject->FsContext;
        if (Path.Length != 0 && Path.Buffer[0] == L'\\')
        {
            return STATUS_OBJECT_NAME_INVALID;
        }
        if (Here->Unlinked)
        {
            return STATUS_OBJECT_PATH_NOT_FOUND;
        }
    }
    if (Path.Length > sizeof(WCHAR) && Path.Buffer[Path.Length / sizeof(WCHAR) - 1] == L'\\')
    {
        Path.Length -= sizeof(WCHAR);
        Create->WantsDirectory = TRUE;
    }
    if (Path.Length == sizeof(WCHAR) && Path.Buffer[0] == L'\\')
    {
        Path.Length = 0;
    }
    Create->Parent = NULL;
    while (RamNextComponent(&Path, &Component))
    {
        if (!RamIsValidName(&Component))
        {
            return STATUS_OBJECT_NAME_INVALID;
        }
        if (Here == NULL || !RamIsDirectory(Here))
        {
            return STATUS_OBJECT_PATH_NOT_FOUND;
        }
        Create->Parent = Here;
        Create->Leaf = Component;
        Here = RamFindChild(Here, &Component);
    }
    *Node = Here;
    return STATUS_SUCCESS;
}

/* May the existing node be opened like this? */
static NTSTATUS RamCheckExisting(const RAM_CREATE *Create, RAM_NODE *Node)
{
    BOOLEAN Overwrites = Create->Disposition == FILE_SUPERSEDE || Create->Disposition == FILE_OVERWRITE ||
                         Create->Disposition == FILE_OVERWRITE_IF;

    if (Node->DeletePending)
    {
        return STATUS_DELETE_PENDING;
    }
    if (Create->Disposition == FILE_CREATE)
    {
        return STATUS_OBJECT_NAME_COLLISION;
    }
    if (RamIsDirectory(Node))
    {
        if (Create->Options & FILE_NON_DIRECTORY_FILE)
        {
            return STATUS_FILE_IS_A_DIRECTORY;
        }
        if (Overwrites)
        {
            return STATUS_OBJECT_NAME_COLLISION;
        }
    }
    else if (Create->WantsDirectory)
    {
        return (Create->Options & FILE_DIRECTORY_FILE) ? STATUS_NOT_A_DIRECTORY : STATUS_OBJECT_NAME_INVALID;
    }
    if ((Node->Attributes & FILE_ATTRIBUTE_READONLY) && !RamIsDirectory(Node))
    {
        if (Overwrites || (Create->Access & (FILE_WRITE_DATA | FILE_APPEND_DATA)))
        {
            return STATUS_ACCESS_DENIED;
        }
        if (Create->Options & FILE_DELETE_ON_CLOSE)
        {
            return STATUS_CANNOT_DELETE;
        }
    }
    if (Node == RamRoot && (Create->Options & FILE_DELETE_ON_CLOSE))
    {
        return STATUS_CANNOT_DELETE;
    }
    return STATUS_SUCCESS;
}

static ULONG RamFileAttributes(ULONG Asked)
{
    return (Asked &
            (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_TEMPORARY)) |
           FILE_ATTRIBUTE_ARCHIVE;
}

static NTSTATUS RamOpenExisting(RAM_CREATE *Create, RAM_NODE *Node, PULONG_PTR Information)
{
    NTSTATUS Status = RamCheckExisting(Create, Node);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    if (Node->Handles == 0)
    {
        IoSetShareAccess(Create->Access, Create->Share, Create->File, &Node->Share);
    }
    else
    {
        Status = IoCheckShareAccess(Create->Access, Create->Share, Create->File, &Node->Share, TRUE);
        if (!NT_SUCCESS(Status))
        {
            return Status;
        }
    }
    *Information = FILE_OPENED;
    if (Create->Disposition != FILE_OPEN && Create->Disposition != FILE_OPEN_IF)
    {
        Status = RamSetSize(Node, 0);
        if (!NT_SUCCESS(Status))
        {
            IoRemoveShareAccess(Create->File, &Node->Share);
            return Status;
        }
        if (Create->Disposition == FILE_SUPERSEDE)
        {
            Node->Attributes = 0;
        }
        Node->Attributes |= RamFileAttributes(Create->Attributes);
        *Information = Create->Disposition == FILE_SUPERSEDE ? FILE_SUPERSEDED : FILE_OVERWRITTEN;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS RamCreateNew(RAM_CREATE *Create, RAM_NODE **Created, PULONG_PTR Information)
{
    BOOLEAN Directory = (Create->Options & FILE_DIRECTORY_FILE) != 0;
    RAM_NODE *Node;

    if (Create->Disposition == FILE_OPEN || Create->Disposition == FILE_OVERWRITE)
    {
        return STATUS_OBJECT_NAME_NOT_FOUND;
    }
    if (Create->WantsDirectory && !Directory)
    {
        return STATUS_OBJECT_NAME_INVALID;
    }
    if (Create->Parent->DeletePending)
    {
        return STATUS_DELETE_PENDING;
    }
    Node = RamCreateNode(&Create->Leaf, Directory ? FILE_ATTRIBUTE_DIRECTORY : RamFileAttributes(Create->Attributes));
    if (Node == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RamLinkNode(Create->Parent, Node);
    Create->Parent->LastWriteTime = Node->CreationTime;
    IoSetShareAccess(Create->Access, Create->Share, Create->File, &Node->Share);
    *Created = Node;
    *Information = FILE_CREATED;
    return STATUS_SUCCESS;
}

/* For a rename: opens the directory and leaves the last component as the file object's name. */
static NTSTATUS RamOpenTarget(RAM_CREATE *Create, RAM_NODE **Node, PULONG_PTR Information)
{
    PUNICODE_STRING Name = &Create->File->FileName;

    if (Create->Parent == NULL || !RamIsDirectory(Create->Parent))
    {
        return STATUS_OBJECT_NAME_INVALID;
    }
    *Information = *Node != NULL ? FILE_EXISTS : FILE_DOES_NOT_EXIST;
    *Node = Create->Parent;
    RtlMoveMemory(Name->Buffer, Create->Leaf.Buffer, Create->Leaf.Length);
    Name->Length = Create->Leaf.Length;
    if ((*Node)->Handles == 0)
    {
        IoSetShareAccess(Create->Access, Create->Share, Create->File, &(*Node)->Share);
        return STATUS_SUCCESS;
    }
    return IoCheckShareAccess(Create->Access, Create->Share, Create->File, &(*Node)->Share, TRUE);
}

static NTSTATUS RamCreateLocked(RAM_CREATE *Create, BOOLEAN TargetDirectory, RAM_OPEN *Open, PULONG_PTR Information)
{
    RAM_NODE *Node = NULL;
    NTSTATUS Status = RamWalk(Create, &Node);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    if (TargetDirectory)
    {
        Status = RamOpenTarget(Create, &Node, Information);
    }
    else if (Node != NULL)
    {
        Status = RamOpenExisting(Create, Node, Information);
    }
    else
    {
        Status = RamCreateNew(Create, &Node, Information);
    }
    if (NT_SUCCESS(Status))
    {
        Node->Opens++;
        Node->Handles++;
        Open->DeleteOnClose = (Create->Options & FILE_DELETE_ON_CLOSE) != 0;
        Create->File->FsContext = Node;
        Create->File->FsContext2 = Open;
        Create->File->SectionObjectPointer = &Node->Sections;
        if (Create->File->FileName.Length == 0 && Create->File->RelatedFileObject == NULL)
        {
            Create->File->Flags |= FO_VOLUME_OPEN;
        }
    }
    return Status;
}

NTSTATUS NTAPI RamDispatchCreate(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    RAM_CREATE Create = {0};
    ULONG_PTR Information = 0;
    RAM_OPEN *Open;
    NTSTATUS Status;

    Create.File = Stack->FileObject;
    Create.Disposition = Stack->Parameters.Create.Options >> 24;
    Create.Options = Stack->Parameters.Create.Options & 0x00FFFFFF;
    Create.Attributes = Stack->Parameters.Create.FileAttributes;
    Create.Share = Stack->Parameters.Create.ShareAccess;
    Create.Access = Stack->Parameters.Create.SecurityContext->DesiredAccess;
    Create.WantsDirectory = (Create.Options & FILE_DIRECTORY_FILE) != 0;
    if (Create.Options & FILE_OPEN_BY_FILE_ID)
    {
        return IopCompleteBuiltin(Irp, STATUS_NOT_SUPPORTED, 0);
    }
    if (Stack->Parameters.Create.EaLength != 0)
    {
        return IopCompleteBuiltin(Irp, STATUS_EAS_NOT_SUPPORTED, 0);
    }
    Open = ExAllocatePoolWithTag(PagedPool, sizeof(*Open), RAM_TAG_NODE);
    if (Open == NULL)
    {
        return IopCompleteBuiltin(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    }
    RtlZeroMemory(Open, sizeof(*Open));
    RamLockExclusive();
    Status = RamCreateLocked(&Create, (Stack->Flags & SL_OPEN_TARGET_DIRECTORY) != 0, Open, &Information);
    RamUnlock();
    if (!NT_SUCCESS(Status))
    {
        ExFreePoolWithTag(Open, RAM_TAG_NODE);
    }
    return IopCompleteBuiltin(Irp, Status, Information);
}

/*
 * The last handle of a file object goes: sharing ends, and a deletion that was asked for happens with the last of
 * all.
 */
NTSTATUS NTAPI RamDispatchCleanup(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    RAM_NODE *Node = File->FsContext;
    RAM_OPEN *Open = File->FsContext2;

    RamLockExclusive();
    IoRemoveShareAccess(File, &Node->Share);
    Node->Handles--;
    if (Open->DeleteOnClose && IsListEmpty(&Node->Children))
    {
        Node->DeletePending = TRUE;
    }
    if (Node->DeletePending && Node->Handles == 0 && !Node->Unlinked && Node != RamRoot)
    {
        RamUnlinkNode(Node);
    }
    RamUnlock();
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, 0);
}

NTSTATUS NTAPI RamDispatchClose(PDEVICE_OBJECT Device, PIRP Irp)
{
    PFILE_OBJECT File = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    RAM_NODE *Node = File->FsContext;
    RAM_OPEN *Open = File->FsContext2;

    RamLockExclusive();
    if (--Node->Opens == 0 && Node->Unlinked)
    {
        RamFreeNode(Node);
    }
    RamUnlock();
    if (Open->Pattern.Buffer != NULL)
    {
        ExFreePoolWithTag(Open->Pattern.Buffer, RAM_TAG_NODE);
    }
    ExFreePoolWithTag(Open, RAM_TAG_NODE);
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, 0);
}
