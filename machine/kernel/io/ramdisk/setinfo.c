/* SPDX-License-Identifier: MIT */
/* What can be changed about a file of the RAM disk: times, attributes, size, name, existence. */
#include "ramdisk.h"

static VOID RamSetTime(PLARGE_INTEGER Target, LARGE_INTEGER Value)
{
    if (Value.QuadPart > 0) /* 0 and -1 leave it as it is */
    {
        *Target = Value;
    }
}

static NTSTATUS RamSetBasic(RAM_NODE *Node, const FILE_BASIC_INFORMATION *Basic)
{
    const ULONG Settable = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM |
                           FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_TEMPORARY | FILE_ATTRIBUTE_NOT_CONTENT_INDEXED;

    if (Basic->CreationTime.QuadPart < -1 || Basic->LastAccessTime.QuadPart < -1 ||
        Basic->LastWriteTime.QuadPart < -1 || Basic->ChangeTime.QuadPart < -1 ||
        ((Basic->FileAttributes & FILE_ATTRIBUTE_DIRECTORY) && !RamIsDirectory(Node)))
    {
        return STATUS_INVALID_PARAMETER;
    }
    RamSetTime(&Node->CreationTime, Basic->CreationTime);
    RamSetTime(&Node->LastAccessTime, Basic->LastAccessTime);
    RamSetTime(&Node->LastWriteTime, Basic->LastWriteTime);
    RamSetTime(&Node->ChangeTime, Basic->ChangeTime);
    if (Basic->FileAttributes != 0)
    {
        Node->Attributes = (Basic->FileAttributes & Settable) | (Node->Attributes & FILE_ATTRIBUTE_DIRECTORY);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS RamSetDisposition(RAM_NODE *Node, PFILE_OBJECT File, BOOLEAN Delete)
{
    if (!Delete)
    {
        Node->DeletePending = FALSE;
        File->DeletePending = FALSE;
        return STATUS_SUCCESS;
    }
    if (Node == RamRoot || (Node->Attributes & FILE_ATTRIBUTE_READONLY))
    {
        return STATUS_CANNOT_DELETE;
    }
    if (!IsListEmpty(&Node->Children))
    {
        return STATUS_DIRECTORY_NOT_EMPTY;
    }
    Node->DeletePending = TRUE;
    File->DeletePending = TRUE;
    return STATUS_SUCCESS;
}

static NTSTATUS RamSetEnd(RAM_NODE *Node, LONGLONG Size, BOOLEAN AllocationOnly)
{
    if (RamIsDirectory(Node) || Size < 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (AllocationOnly && (ULONG64)Size >= Node->Size)
    {
        return STATUS_SUCCESS; /* room is found when it is written */
    }
    return RamSetSize(Node, (ULONG64)Size);
}

static BOOLEAN RamIsBelow(RAM_NODE *Node, RAM_NODE *Ancestor)
{
    for (; Node != NULL; Node = Node->Parent)
    {
        if (Node == Ancestor)
        {
            return TRUE;
        }
    }
    return FALSE;
}

static NTSTATUS RamRename(RAM_NODE *Node, PFILE_OBJECT Target, const FILE_RENAME_INFORMATION *Rename, ULONG Length,
                          BOOLEAN Replace)
{
    UNICODE_STRING Name;
    RAM_NODE *Parent = Node->Parent, *Existing;

    if (Node == RamRoot || Node->Unlinked)
    {
        return STATUS_ACCESS_DENIED;
    }
    if (Target != NULL)
    {
        Parent = Target->FsContext;
        Name = Target->FileName;
    }
    else
    {
        if (Rename->FileNameLength > Length - offsetof(FILE_RENAME_INFORMATION, FileName))
        {
            return STATUS_INVALID_PARAMETER;
        }
        Name.Buffer = (PWCHAR)Rename->FileName;
        Name.Length = Name.MaximumLength = (USHORT)Rename->FileNameLength;
    }
    if (!RamIsValidName(&Name))
    {
        return STATUS_OBJECT_NAME_INVALID;
    }
    if (!RamIsDirectory(Parent) || Parent->Unlinked || RamIsBelow(Parent, Node))
    {
        return STATUS_INVALID_PARAMETER;
    }
    Existing = RamFindChild(Parent, &Name);
    if (Existing != NULL && Existing != Node)
    {
        if (!Replace)
        {
            return STATUS_OBJECT_NAME_COLLISION;
        }
        if (RamIsDirectory(Existing) || Existing->Handles != 0 || (Existing->Attributes & FILE_ATTRIBUTE_READONLY))
        {
            return STATUS_ACCESS_DENIED;
        }
        RamUnlinkNode(Existing);
        if (Existing->Opens == 0)
        {
            RamFreeNode(Existing);
        }
    }
    return RamRenameNode(Node, Parent, &Name);
}

NTSTATUS NTAPI RamDispatchSetInformation(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    PFILE_OBJECT File = Stack->FileObject;
    RAM_NODE *Node = File->FsContext;
    PVOID Buffer = Irp->AssociatedIrp.SystemBuffer;
    NTSTATUS Status;

    RamLockExclusive();
    switch (Stack->Parameters.SetFile.FileInformationClass)
    {
    case FileBasicInformation:
        Status = RamSetBasic(Node, Buffer);
        break;
    case FileDispositionInformation:
        Status = RamSetDisposition(Node, File, ((PFILE_DISPOSITION_INFORMATION)Buffer)->DeleteFile);
        break;
    case FileEndOfFileInformation:
        Status = RamSetEnd(Node, ((PFILE_END_OF_FILE_INFORMATION)Buffer)->EndOfFile.QuadPart, FALSE);
        break;
    case FileAllocationInformation:
        Status = RamSetEnd(Node, ((PFILE_ALLOCATION_INFORMATION)Buffer)->AllocationSize.QuadPart, TRUE);
        break;
    case FileRenameInformation:
        Status = RamRename(Node, Stack->Parameters.SetFile.FileObject, Buffer, Stack->Parameters.SetFile.Length,
                           Stack->Parameters.SetFile.ReplaceIfExists);
        break;
    default:
        Status = STATUS_INVALID_PARAMETER;
        break;
    }
    RamUnlock();
    return IopCompleteBuiltin(Irp, Status, 0);
}
