/* SPDX-License-Identifier: MIT */
/*
 * The RAM disk: drive C:, a file system whose first contents are the boot archive.
 *
 * A tree of nodes in pool. A file's bytes lie in the archive until the first write, then in paged pool of the node's
 * own. One resource guards everything: shared to read, exclusive to change anything. It may be held while user memory
 * is touched: faults of the same thread may come back here to read.
 *
 * Every request is completed before its dispatch routine returns, in the caller's thread.
 */
#pragma once

#include "../iop.h"

#define RAM_TAG_NODE 'dnRi'
#define RAM_TAG_DATA 'adRi'
#define RAM_MAX_COMPONENT 255u
#define RAM_SECTOR 512u
#define RAM_CLUSTER 4096u
#define RAM_DISK_LIMIT (512ull * 1024 * 1024) /* bytes of all files together */

typedef struct _RAM_NODE
{
    LIST_ENTRY Siblings;           /* in Parent->Children, sorted by name without case */
    LIST_ENTRY Children;
    struct _RAM_NODE *Parent;      /* NULL: the root, or unlinked */
    UNICODE_STRING Name;           /* its buffer belongs to the node */
    ULONG Attributes;              /* FILE_ATTRIBUTE_DIRECTORY tells the kind */
    LARGE_INTEGER CreationTime, LastAccessTime, LastWriteTime, ChangeTime;
    ULONG64 Id;
    PUCHAR Data;                   /* Size bytes; read-only while Capacity is 0 (they lie in the archive) */
    ULONG64 Size;
    ULONG64 Capacity;
    ULONG Opens;                   /* file objects, until IRP_MJ_CLOSE */
    ULONG Handles;                 /* file objects, until IRP_MJ_CLEANUP */
    BOOLEAN DeletePending;
    BOOLEAN Unlinked;
    SHARE_ACCESS Share;
    SECTION_OBJECT_POINTERS Sections;
} RAM_NODE;

/* One open; FILE_OBJECT.FsContext2. FsContext is the node. */
typedef struct _RAM_OPEN
{
    BOOLEAN DeleteOnClose;
    BOOLEAN ScanStarted;
    UCHAR Dots;                    /* "." and ".." listed so far */
    USHORT LastLength;             /* bytes of Last: the name listed last, 0 at the beginning */
    UNICODE_STRING Pattern;        /* upper case; empty: all */
    WCHAR Last[RAM_MAX_COMPONENT];
} RAM_OPEN;

extern RAM_NODE *RamRoot;
extern PDEVICE_OBJECT RamDevice;
extern ULONG64 RamUsedBytes;

VOID RamLockShared(VOID);
VOID RamLockExclusive(VOID);
VOID RamUnlock(VOID);

/* ---- nodes (lock held) ---- */
RAM_NODE *RamCreateNode(PCUNICODE_STRING Name, ULONG Attributes);
VOID RamLinkNode(RAM_NODE *Parent, RAM_NODE *Node);
VOID RamUnlinkNode(RAM_NODE *Node);
VOID RamFreeNode(RAM_NODE *Node);
RAM_NODE *RamFindChild(RAM_NODE *Parent, PCUNICODE_STRING Name);
NTSTATUS RamRenameNode(RAM_NODE *Node, RAM_NODE *NewParent, PCUNICODE_STRING NewName);
BOOLEAN RamIsValidName(PCUNICODE_STRING Name);
/** The first component of *Path; *Path moves behind it. FALSE at the end. */
BOOLEAN RamNextComponent(PUNICODE_STRING Path, PUNICODE_STRING Component);
/** Writes the node's path ("\a\b") as far as it fits; returns the bytes needed. */
ULONG RamNodePath(RAM_NODE *Node, PWCHAR Buffer, ULONG Bytes);
static inline BOOLEAN RamIsDirectory(const RAM_NODE *Node)
{
    return (Node->Attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}
static inline ULONG64 RamAllocation(const RAM_NODE *Node)
{
    return (Node->Size + RAM_CLUSTER - 1) & ~(ULONG64)(RAM_CLUSTER - 1);
}

/* ---- contents (lock held exclusively) ---- */
NTSTATUS RamSetSize(RAM_NODE *Node, ULONG64 Size);
NTSTATUS RamMakeWritable(RAM_NODE *Node, ULONG64 Size);

NTSTATUS RamImportArchive(const VOID *Archive, SIZE_T Size);
/** Does a file name match a pattern in upper case (with the DOS wildcards < > ")? */
BOOLEAN RamMatches(PCUNICODE_STRING Pattern, PCUNICODE_STRING Name);

/* ---- dispatch ---- */
NTSTATUS NTAPI RamDispatchCreate(PDEVICE_OBJECT Device, PIRP Irp);
NTSTATUS NTAPI RamDispatchCleanup(PDEVICE_OBJECT Device, PIRP Irp);
NTSTATUS NTAPI RamDispatchClose(PDEVICE_OBJECT Device, PIRP Irp);
NTSTATUS NTAPI RamDispatchRead(PDEVICE_OBJECT Device, PIRP Irp);
NTSTATUS NTAPI RamDispatchWrite(PDEVICE_OBJECT Device, PIRP Irp);
NTSTATUS NTAPI RamDispatchQueryInformation(PDEVICE_OBJECT Device, PIRP Irp);
NTSTATUS NTAPI RamDispatchSetInformation(PDEVICE_OBJECT Device, PIRP Irp);
NTSTATUS NTAPI RamDispatchDirectory(PDEVICE_OBJECT Device, PIRP Irp);
NTSTATUS NTAPI RamDispatchVolume(PDEVICE_OBJECT Device, PIRP Irp);
