/* SPDX-License-Identifier: MIT */
/* The RAM disk's tree: nodes, names, the lock. */
#include "ramdisk.h"

RAM_NODE *RamRoot;
ULONG64 RamUsedBytes;
static ERESOURCE RamResource;
static ULONG64 RamNextId;

VOID RamLockShared(VOID)
{
    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(&RamResource, TRUE);
}

VOID RamLockExclusive(VOID)
{
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&RamResource, TRUE);
}

VOID RamUnlock(VOID)
{
    ExReleaseResourceLite(&RamResource);
    KeLeaveCriticalRegion();
}

RAM_NODE *RamCreateNode(PCUNICODE_STRING Name, ULONG Attributes)
{
    RAM_NODE *Node = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*Node), RAM_TAG_NODE);

    if (Node == NULL)
    {
        return NULL;
    }
    RtlZeroMemory(Node, sizeof(*Node));
    Node->Name.Buffer = ExAllocatePoolWithTag(PagedPool, Name->Length + sizeof(WCHAR), RAM_TAG_NODE);
    if (Node->Name.Buffer == NULL)
    {
        ExFreePoolWithTag(Node, RAM_TAG_NODE);
        return NULL;
    }
    Node->Name.MaximumLength = Name->Length + sizeof(WCHAR);
    RtlCopyUnicodeString(&Node->Name, Name);
    InitializeListHead(&Node->Children);
    InitializeListHead(&Node->Siblings);
    Node->Attributes = Attributes;
    Node->Id = ++RamNextId;
    KeQuerySystemTime(&Node->CreationTime);
    Node->LastAccessTime = Node->LastWriteTime = Node->ChangeTime = Node->CreationTime;
    return Node;
}

VOID RamFreeNode(RAM_NODE *Node)
{
    if (Node->Capacity != 0)
    {
        ExFreePoolWithTag(Node->Data, RAM_TAG_DATA);
    }
    RamUsedBytes -= Node->Size;
    ExFreePoolWithTag(Node->Name.Buffer, RAM_TAG_NODE);
    ExFreePoolWithTag(Node, RAM_TAG_NODE);
}

VOID RamLinkNode(RAM_NODE *Parent, RAM_NODE *Node)
{
    PLIST_ENTRY Entry = Parent->Children.Flink;

    while (Entry != &Parent->Children &&
           RtlCompareUnicodeString(&CONTAINING_RECORD(Entry, RAM_NODE, Siblings)->Name, &Node->Name, TRUE) < 0)
    {
        Entry = Entry->Flink;
    }
    InsertTailList(Entry, &Node->Siblings); /* before the first greater one */
    Node->Parent = Parent;
    Node->Unlinked = FALSE;
}

VOID RamUnlinkNode(RAM_NODE *Node)
{
    RemoveEntryList(&Node->Siblings);
    InitializeListHead(&Node->Siblings);
    KeQuerySystemTime(&Node->Parent->LastWriteTime);
    Node->Parent = NULL;
    Node->Unlinked = TRUE;
}

RAM_NODE *RamFindChild(RAM_NODE *Parent, PCUNICODE_STRING Name)
{
    for (PLIST_ENTRY Entry = Parent->Children.Flink; Entry != &Parent->Children; Entry = Entry->Flink)
    {
        RAM_NODE *Node = CONTAINING_RECORD(Entry, RAM_NODE, Siblings);
        if (Node->Name.Length == Name->Length && RtlEqualUnicodeString(&Node->Name, Name, TRUE))
        {
            return Node;
        }
    }
    return NULL;
}

NTSTATUS RamRenameNode(RAM_NODE *Node, RAM_NODE *NewParent, PCUNICODE_STRING NewName)
{
    UNICODE_STRING Copy;

    Copy.MaximumLength = NewName->Length + sizeof(WCHAR);
    Copy.Buffer = ExAllocatePoolWithTag(PagedPool, Copy.MaximumLength, RAM_TAG_NODE);
    if (Copy.Buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlCopyUnicodeString(&Copy, NewName);
    RamUnlinkNode(Node);
    ExFreePoolWithTag(Node->Name.Buffer, RAM_TAG_NODE);
    Node->Name = Copy;
    RamLinkNode(NewParent, Node);
    KeQuerySystemTime(&Node->ChangeTime);
    NewParent->LastWriteTime = Node->ChangeTime;
    return STATUS_SUCCESS;
}

BOOLEAN RamIsValidName(PCUNICODE_STRING Name)
{
    ULONG Count = Name->Length / sizeof(WCHAR);

    if (Count == 0 || Count > RAM_MAX_COMPONENT)
    {
        return FALSE;
    }
    for (ULONG Index = 0; Index < Count; Index++)
    {
        WCHAR Character = Name->Buffer[Index];
        if (Character < L' ' || wcschr(L"\"*/:<>?|\\", Character) != NULL)
        {
            return FALSE;
        }
    }
    return TRUE;
}

BOOLEAN RamNextComponent(PUNICODE_STRING Path, PUNICODE_STRING Component)
{
    USHORT Length = 0;

    if (Path->Length == 0)
    {
        return FALSE;
    }
    if (Path->Buffer[0] == L'\\')
    {
        Path->Buffer++;
        Path->Length -= sizeof(WCHAR);
    }
    while (Length < Path->Length && Path->Buffer[Length / sizeof(WCHAR)] != L'\\')
    {
        Length += sizeof(WCHAR);
    }
    Component->Buffer = Path->Buffer;
    Component->Length = Component->MaximumLength = Length;
    Path->Buffer += Length / sizeof(WCHAR);
    Path->Length -= Length;
    return TRUE;
}

ULONG RamNodePath(RAM_NODE *Node, PWCHAR Buffer, ULONG Bytes)
{
    ULONG Needed = 0, Position;

    if (Node == RamRoot)
    {
        if (Bytes >= sizeof(WCHAR))
        {
            Buffer[0] = L'\\';
        }
        return sizeof(WCHAR);
    }
    for (RAM_NODE *Walk = Node; Walk != RamRoot && Walk != NULL; Walk = Walk->Parent)
    {
        Needed += sizeof(WCHAR) + Walk->Name.Length;
    }
    /* From the back; characters that lie behind the buffer's end are left out. */
    Position = Needed;
    for (RAM_NODE *Walk = Node; Walk != RamRoot && Walk != NULL; Walk = Walk->Parent)
    {
        Position -= Walk->Name.Length;
        for (ULONG Offset = 0; Offset < Walk->Name.Length && Position + Offset + sizeof(WCHAR) <= Bytes;
             Offset += sizeof(WCHAR))
        {
            Buffer[(Position + Offset) / sizeof(WCHAR)] = Walk->Name.Buffer[Offset / sizeof(WCHAR)];
        }
        Position -= sizeof(WCHAR);
        if (Position + sizeof(WCHAR) <= Bytes)
        {
            Buffer[Position / sizeof(WCHAR)] = L'\\';
        }
    }
    return Needed;
}

PDEVICE_OBJECT RamDevice;

/* Nothing is ever held back from the disk: writes are in place when they are completed. */
static NTSTATUS NTAPI RamDispatchFlush(PDEVICE_OBJECT Device, PIRP Irp)
{
    return IopCompleteBuiltin(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS NTAPI RamInitializeDriver(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\RamDisk");
    NTSTATUS Status;

    Driver->MajorFunction[IRP_MJ_CREATE] = RamDispatchCreate;
    Driver->MajorFunction[IRP_MJ_CLEANUP] = RamDispatchCleanup;
    Driver->MajorFunction[IRP_MJ_CLOSE] = RamDispatchClose;
    Driver->MajorFunction[IRP_MJ_READ] = RamDispatchRead;
    Driver->MajorFunction[IRP_MJ_WRITE] = RamDispatchWrite;
    Driver->MajorFunction[IRP_MJ_FLUSH_BUFFERS] = RamDispatchFlush;
    Driver->MajorFunction[IRP_MJ_QUERY_INFORMATION] = RamDispatchQueryInformation;
    Driver->MajorFunction[IRP_MJ_SET_INFORMATION] = RamDispatchSetInformation;
    Driver->MajorFunction[IRP_MJ_DIRECTORY_CONTROL] = RamDispatchDirectory;
    Driver->MajorFunction[IRP_MJ_QUERY_VOLUME_INFORMATION] = RamDispatchVolume;
    Status = IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_DISK_FILE_SYSTEM, 0, FALSE, &RamDevice);
    if (NT_SUCCESS(Status))
    {
        RamDevice->SectorSize = RAM_SECTOR;
    }
    return Status;
}

NTSTATUS IopInitializeRamDisk(const VOID *Archive, SIZE_T ArchiveSize)
{
    static const UNICODE_STRING Empty = { 0, 0, NULL };
    PDRIVER_OBJECT Driver;
    NTSTATUS Status = ExInitializeResourceLite(&RamResource);

    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    RamRoot = RamCreateNode(&Empty, FILE_ATTRIBUTE_DIRECTORY);
    if (RamRoot == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Status = RamImportArchive(Archive, ArchiveSize);
    if (!NT_SUCCESS(Status))
    {
        return Status;
    }
    return IopCreateBuiltinDriver(L"\\FileSystem\\RamDisk", RamInitializeDriver, &Driver);
}
