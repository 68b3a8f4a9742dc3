/* SPDX-License-Identifier: MIT */
/*
 * Listing directories. The place in a listing is the name listed last, so that files may come and go between two calls
 * without others being skipped.
 */
#include "ramdisk.h"

/* Every class's entry begins alike up to the name's length; these say where the rest lies. */
typedef struct _RAM_LAYOUT
{
    FILE_INFORMATION_CLASS Class;
    USHORT NameLength;  /* offset of the length field */
    USHORT Name;        /* offset of the name; also the fixed size */
    USHORT FileId;      /* offset, 0: none */
} RAM_LAYOUT;

static const RAM_LAYOUT RamLayouts[] = {
    { FileDirectoryInformation, offsetof(FILE_DIRECTORY_INFORMATION, FileNameLength),
      offsetof(FILE_DIRECTORY_INFORMATION, FileName), 0 },
    { FileFullDirectoryInformation, offsetof(FILE_FULL_DIR_INFORMATION, FileNameLength),
      offsetof(FILE_FULL_DIR_INFORMATION, FileName), 0 },
    { FileBothDirectoryInformation, offsetof(FILE_BOTH_DIR_INFORMATION, FileNameLength),
      offsetof(FILE_BOTH_DIR_INFORMATION, FileName), 0 },
    { FileIdFullDirectoryInformation, offsetof(FILE_ID_FULL_DIR_INFORMATION, FileNameLength),
      offsetof(FILE_ID_FULL_DIR_INFORMATION, FileName), offsetof(FILE_ID_FULL_DIR_INFORMATION, FileId) },
    { FileIdBothDirectoryInformation, offsetof(FILE_ID_BOTH_DIR_INFORMATION, FileNameLength),
      offsetof(FILE_ID_BOTH_DIR_INFORMATION, FileName), offsetof(FILE_ID_BOTH_DIR_INFORMATION, FileId) },
    { FileNamesInformation, offsetof(FILE_NAMES_INFORMATION, FileNameLength),
      offsetof(FILE_NAMES_INFORMATION, FileName), 0 },
};

/* An entry to list: a node under a name (its own, or a dot or two). */
typedef struct _RAM_ITEM
{
    RAM_NODE *Node;
    UNICODE_STRING Name;
} RAM_ITEM;

/* The next entry in the order ".", "..", names; the caller records it with RamRemember if it was listed. */
static BOOLEAN RamNextItem(RAM_NODE *Directory, const RAM_OPEN *Open, RAM_ITEM *Item)
{
    UNICODE_STRING Last = { Open->LastLength, Open->LastLength, (PWCHAR)Open->Last };

    if (Directory != RamRoot && Open->Dots < 2)
    {
        RtlInitUnicodeString(&Item->Name, Open->Dots == 0 ? L"." : L"..");
        Item->Node = (Open->Dots == 0 || Directory->Parent == NULL) ? Directory : Directory->Parent;
        return TRUE;
    }
    for (PLIST_ENTRY Entry = Directory->Children.Flink; Entry != &Directory->Children; Entry = Entry->Flink)
    {
        RAM_NODE *Node = CONTAINING_RECORD(Entry, RAM_NODE, Siblings);
        if (Last.Length == 0 || RtlCompareUnicodeString(&Node->Name, &Last, TRUE) > 0)
        {
            Item->Node = Node;
            Item->Name = Node->Name;
            return TRUE;
        }
    }
    return FALSE;
}

static VOID RamRemember(RAM_NODE *Directory, RAM_OPEN *Open, const RAM_ITEM *Item)
{
    if (Directory != RamRoot && Open->Dots < 2)
    {
        Open->Dots++;
        return;
    }
    RtlCopyMemory(Open->Last, Item->Name.Buffer, Item->Name.Length);
    Open->LastLength = Item->Name.Length;
}

static VOID RamPutItem(const RAM_LAYOUT *Layout, PUCHAR Entry, const RAM_ITEM *Item, ULONG NameBytes)
{
    PFILE_DIRECTORY_INFORMATION Common = (PFILE_DIRECTORY_INFORMATION)Entry;

    RtlZeroMemory(Entry, Layout->Name);
    if (Layout->Class != FileNamesInformation)
    {
        Common->CreationTime = Item->Node->CreationTime;
        Common->LastAccessTime = Item->Node->LastAccessTime;
        Common->LastWriteTime = Item->Node->LastWriteTime;
        Common->ChangeTime = Item->Node->ChangeTime;
        Common->EndOfFile.QuadPart = (LONGLONG)Item->Node->Size;
        Common->AllocationSize.QuadPart = (LONGLONG)RamAllocation(Item->Node);
        Common->FileAttributes = Item->Node->Attributes != 0 ? Item->Node->Attributes : FILE_ATTRIBUTE_NORMAL;
    }
    if (Layout->FileId != 0)
    {
        *(PULONG64)(Entry + Layout->FileId) = Item->Node->Id;
    }
    *(PULONG)(Entry + Layout->NameLength) = Item->Name.Length;
    RtlCopyMemory(Entry + Layout->Name, Item->Name.Buffer, NameBytes);
}

/* Fills the buffer; faults of the caller's memory come out as exceptions. */
static NTSTATUS RamList(RAM_NODE *Directory, RAM_OPEN *Open, const RAM_LAYOUT *Layout, PUCHAR Buffer, ULONG Length,
                        BOOLEAN Single, PULONG_PTR Used)
{
    PULONG Link = NULL;
    ULONG Offset = 0;
    RAM_ITEM Item;

    while (RamNextItem(Directory, Open, &Item))
    {
        ULONG Room = Offset < Length ? Length - Offset : 0;
        if (!RamMatches(&Open->Pattern, &Item.Name))
        {
            RamRemember(Directory, Open, &Item);
            continue;
        }
        if (Room < (ULONG)Layout->Name + Item.Name.Length)
        {
            if (Link != NULL)
            {
                return STATUS_SUCCESS; /* the next call goes on with it */
            }
            if (Room < Layout->Name)
            {
                return STATUS_BUFFER_TOO_SMALL;
            }
            /* Not even one fits: as much of its name as does. */
            RamPutItem(Layout, Buffer, &Item, (Room - Layout->Name) & ~1u);
            RamRemember(Directory, Open, &Item);
            *Used = Length;
            return STATUS_BUFFER_OVERFLOW;
        }
        RamPutItem(Layout, Buffer + Offset, &Item, Item.Name.Length);
        RamRemember(Directory, Open, &Item);
        if (Link != NULL)
        {
            *Link = (ULONG)(Buffer + Offset - (PUCHAR)Link);
        }
        Link = (PULONG)(Buffer + Offset);
        *Used = Offset + Layout->Name + Item.Name.Length;
        Offset = (ULONG)ALIGN_UP_BY(*Used, 8);
        if (Single)
        {
            return STATUS_SUCCESS;
        }
    }
    return Link != NULL ? STATUS_SUCCESS : STATUS_NO_MORE_FILES;
}

/* The pattern holds for the whole listing; it is taken at the first call. */
static NTSTATUS RamStartScan(RAM_OPEN *Open, PUNICODE_STRING Pattern, BOOLEAN Restart, PBOOLEAN First)
{
    *First = !Open->ScanStarted;
    if (!Open->ScanStarted && Pattern != NULL && Pattern->Length != 0)
    {
        if (Pattern->Length > RAM_MAX_COMPONENT * sizeof(WCHAR))
        {
            return STATUS_OBJECT_NAME_INVALID;
        }
        Open->Pattern.Buffer = ExAllocatePoolWithTag(PagedPool, Pattern->Length, RAM_TAG_NODE);
        if (Open->Pattern.Buffer == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        Open->Pattern.MaximumLength = Pattern->Length;
        RtlUpcaseUnicodeString(&Open->Pattern, Pattern, FALSE);
    }
    if (Restart || !Open->ScanStarted)
    {
        Open->Dots = 0;
        Open->LastLength = 0;
    }
    Open->ScanStarted = TRUE;
    return STATUS_SUCCESS;
}

static NTSTATUS RamListGuarded(PIO_STACK_LOCATION Stack, const RAM_LAYOUT *Layout, PUCHAR Buffer, PULONG_PTR Used)
{
    RAM_OPEN *Open = Stack->FileObject->FsContext2;
    BOOLEAN First;
    NTSTATUS Status = RamStartScan(Open, (PUNICODE_STRING)Stack->Parameters.QueryDirectory.FileName,
                                   (Stack->Flags & SL_RESTART_SCAN) != 0, &First);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    __try
    {
        Status = RamList(Stack->FileObject->FsContext, Open, Layout, Buffer, Stack->Parameters.QueryDirectory.Length,
                         (Stack->Flags & SL_RETURN_SINGLE_ENTRY) != 0, Used);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Status = GetExceptionCode();
    }
    return (Status == STATUS_NO_MORE_FILES && First) ? STATUS_NO_SUCH_FILE : Status;
}

NTSTATUS NTAPI RamDispatchDirectory(PDEVICE_OBJECT Device, PIRP Irp)
{
    PIO_STACK_LOCATION Stack = IoGetCurrentIrpStackLocation(Irp);
    const RAM_LAYOUT *Layout = NULL;
    PUCHAR Buffer = Irp->UserBuffer;
    ULONG_PTR Used = 0;
    NTSTATUS Status;

    if (Stack->MinorFunction != IRP_MN_QUERY_DIRECTORY)
    {
        return IopCompleteBuiltin(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    for (ULONG Index = 0; Index < RTL_NUMBER_OF(RamLayouts); Index++)
    {
        if (RamLayouts[Index].Class == Stack->Parameters.QueryDirectory.FileInformationClass)
        {
            Layout = &RamLayouts[Index];
        }
    }
    if (Layout == NULL || !RamIsDirectory(Stack->FileObject->FsContext))
    {
        return IopCompleteBuiltin(Irp, Layout == NULL ? STATUS_INVALID_INFO_CLASS : STATUS_INVALID_PARAMETER, 0);
    }
    if (Irp->MdlAddress != NULL)
    {
        Buffer = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
        if (Buffer == NULL)
        {
            return IopCompleteBuiltin(Irp, STATUS_INSUFFICIENT_RESOURCES, 0);
        }
    }
    RamLockExclusive();
    Status = RamListGuarded(Stack, Layout, Buffer, &Used);
    RamUnlock();
    return IopCompleteBuiltin(Irp, Status, Used);
}
