/* SPDX-License-Identifier: MIT */
/*
 * OB, private: what an object, a type, a directory and a handle table look like.
 *
 *     +-------------------+  OBP_HEADER
 *     | PointerCount      |  every handle holds one, the name holds one, the creator holds one
 *     | HandleCount       |  handles in all tables
 *     | Type, name, ...   |
 *     +-------------------+  <- the address everybody else sees
 *     | body              |  16-byte aligned
 *     +-------------------+
 *
 * Locks, in the order they are taken:
 *     object lock (hashed fast mutex)   handle counts, descriptor, exclusive owner
 *     ObpNamespaceLock (fast mutex)     directories, names, the link from object to directory
 *     handle entry lock (bit 0, DISPATCH_LEVEL), then the table's free-list spin lock; never both at once
 */
#pragma once

#include "nt.h"
#include "ke.h"
#include "ob.h"
#include "se.h"
#include "ps.h"
#include "vf.h"

#define OBP_TAG_OBJECT 'jbOI'
#define OBP_TAG_NAME 'mNbO'
#define OBP_TAG_TABLE 'bTbO'
#define OBP_TAG_SECURITY 'cSbO'
#define OBP_TAG_CREATE 'rCbO'
#define OBP_TAG_MISC 'sMbO'

/* Handle attributes that live in the low bits of a table entry. OBJ_INHERIT is 2 in both places. */
#define OBP_ENTRY_LOCKED 1ULL
#define OBP_ENTRY_INHERIT 2ULL
#define OBP_ENTRY_PROTECT 4ULL
#define OBP_ENTRY_BITS 0xFULL

#define OBP_KERNEL_HANDLE_BITS 0xFFFFFFFF80000000ULL

#ifndef STATUS_REPARSE_POINT_ENCOUNTERED
#define STATUS_REPARSE_POINT_ENCOUNTERED ((NTSTATUS)0xC000050BL)
#endif

#ifndef OBJ_PROTECT_CLOSE
#define OBJ_PROTECT_CLOSE 0x00000001UL
#endif

struct _OBJECT_TYPE
{
    LIST_ENTRY TypeList;           /* points to itself, for ever: see KERNEL contract on import slots */
    UNICODE_STRING Name;
    ULONG Index;
    OB_TYPE_DEFINITION Info;
    volatile LONG TotalObjects;
    volatile LONG TotalHandles;
    LIST_ENTRY Callbacks;          /* OBP_CALLBACK_ITEM, under ObpCallbackLock */
    BOOLEAN SupportsCallbacks;
};

/* OBP_HEADER.Flags */
#define OBP_PERMANENT 0x01
#define OBP_EXCLUSIVE 0x02
#define OBP_KERNEL_CREATED 0x04

typedef struct _OBP_PROCESS_COUNT
{
    PEPROCESS Process;
    ULONG Count;
} OBP_PROCESS_COUNT;

/* What the creator asked for, kept between ObCreateObject and ObInsertObject. */
typedef struct _OBP_CREATE
{
    ULONG Attributes;
    HANDLE Root;
    KPROCESSOR_MODE Mode;
    UNICODE_STRING Name;           /* owned pool buffer or NULL */
    PSECURITY_DESCRIPTOR Descriptor; /* captured, owned */
    SECURITY_QUALITY_OF_SERVICE Qos;
    BOOLEAN HasQos;
} OBP_CREATE;

/* A security descriptor that readers share: replaced as a whole, never changed. */
typedef struct _OBP_DESCRIPTOR
{
    volatile LONG References;
    ULONG Length;
    DECLSPEC_ALIGN(8) UCHAR Bytes[];
} OBP_DESCRIPTOR;

typedef struct _OBP_DIRECTORY OBP_DIRECTORY;

typedef struct DECLSPEC_ALIGN(16) _OBP_HEADER
{
    volatile LONG64 PointerCount;
    volatile LONG64 HandleCount;
    POBJECT_TYPE Type;
    OBP_DIRECTORY *Directory;      /* where the name is, referenced; NULL when unnamed or unlinked */
    struct _OBP_HEADER *HashNext;  /* in Directory's bucket */
    UNICODE_STRING Name;           /* last component */
    OBP_DESCRIPTOR *Descriptor;
    OBP_CREATE *Create;
    PEPROCESS ExclusiveProcess;
    OBP_PROCESS_COUNT *Counts;     /* handles per process, for types that ask for it */
    ULONG CountSlots;
    volatile LONG Flags;
    struct _OBP_HEADER *DeleteNext;
    OBP_PROCESS_COUNT FirstCount;  /* the first slot, so that most objects need no array */
    LARGE_INTEGER CreationTime;
    DECLSPEC_ALIGN(16) UCHAR Body[];
} OBP_HEADER;

static inline OBP_HEADER *ObpHeader(PVOID Object)
{
    return (OBP_HEADER *)((PUCHAR)Object - FIELD_OFFSET(OBP_HEADER, Body));
}

#define OBP_BUCKETS 37

struct _OBP_DIRECTORY
{
    OBP_HEADER *Buckets[OBP_BUCKETS];
};

typedef struct _OBP_SYMBOLIC_LINK
{
    LARGE_INTEGER CreationTime;
    UNICODE_STRING Target;
} OBP_SYMBOLIC_LINK;

/* ---- handle tables (obtable.c) ---- */

#define OBP_BLOCK_ENTRIES 256u
#define OBP_MIDDLE_BLOCKS 256u
#define OBP_TOP_MIDDLES 64u
#define OBP_MAX_ENTRIES (OBP_BLOCK_ENTRIES * OBP_MIDDLE_BLOCKS * OBP_TOP_MIDDLES)

typedef struct _OBP_ENTRY
{
    volatile ULONG_PTR Value;      /* header address | OBP_ENTRY_ bits; 0 = free */
    ACCESS_MASK Granted;
    ULONG NextFree;
} OBP_ENTRY;

typedef struct _HANDLE_TABLE
{
    KSPIN_LOCK Lock;               /* free list and growth */
    volatile LONG Count;
    ULONG NextUnused;
    ULONG FreeHead, FreeTail;
    ULONG FreeCount;
    ULONG KeepFree;                /* entries that stay free before one is used again */
    volatile BOOLEAN Dead;         /* nothing may be added any more */
    OBP_ENTRY **Middles[OBP_TOP_MIDDLES];
} HANDLE_TABLE, *PHANDLE_TABLE;

PHANDLE_TABLE ObpCreateTable(ULONG KeepFree);
VOID ObpDeleteTable(PHANDLE_TABLE Table);
/** Reserves a slot; 0 when there is none. The slot reads as free until ObpPublishEntry. */
ULONG ObpAllocateIndex(PHANDLE_TABLE Table, NTSTATUS *Status);
VOID ObpPublishEntry(PHANDLE_TABLE Table, ULONG Index, ULONG_PTR Value, ACCESS_MASK Granted);
VOID ObpFreeIndex(PHANDLE_TABLE Table, ULONG Index);
OBP_ENTRY *ObpEntryAt(PHANDLE_TABLE Table, ULONG Index);
/** Locks the entry of a handle: returns it at DISPATCH_LEVEL, or NULL at the old IRQL if it is free. */
OBP_ENTRY *ObpLockEntry(PHANDLE_TABLE Table, ULONG_PTR Handle, PKIRQL OldIrql);
VOID ObpUnlockEntry(OBP_ENTRY *Entry, KIRQL OldIrql);

static inline OBP_HEADER *ObpEntryHeader(const OBP_ENTRY *Entry)
{
    return (OBP_HEADER *)(Entry->Value & ~OBP_ENTRY_BITS);
}

/* ---- objects ---- */

extern FAST_MUTEX ObpNamespaceLock;
extern OBP_DIRECTORY *ObpRootDirectory, *ObpTypesDirectory, *ObpGlobalDevices;
extern KEVENT ObpDefaultObject;    /* always signalled: what types without a dispatcher header wait on */

VOID ObpLockObject(OBP_HEADER *Header);
VOID ObpUnlockObject(OBP_HEADER *Header);
/** Adds a reference unless the count has already reached zero. Any IRQL. */
BOOLEAN ObpReferenceSafe(OBP_HEADER *Header);
VOID ObpDeleteObject(OBP_HEADER *Header);
VOID ObpInitializeReferences(VOID);
NTSTATUS ObpAllocateObject(POBJECT_TYPE Type, ULONG BodySize, OBP_HEADER **Header);
VOID ObpFreeCreate(OBP_CREATE *Create);
NTSTATUS ObpCaptureAttributes(KPROCESSOR_MODE Mode, POBJECT_TYPE Type, POBJECT_ATTRIBUTES Attributes,
                              OBP_CREATE **Create);

/* ---- namespace ---- */

typedef struct _OBP_LOOKUP
{
    HANDLE Root;
    KPROCESSOR_MODE Mode;
    ULONG Attributes;
    POBJECT_TYPE Type;
    PVOID ParseContext;
    PACCESS_STATE AccessState;
    BOOLEAN Insert;                /* a free last component is a result, not an error */
    UNICODE_STRING Path;           /* in a pool buffer owned by this structure; links replace it */
    PVOID Object;                  /* out: referenced, or NULL if Insert found the place free */
    OBP_DIRECTORY *Directory;      /* out with Object NULL: referenced */
    UNICODE_STRING Leaf;           /* out with Object NULL: inside Path */
} OBP_LOOKUP;

NTSTATUS ObpLookup(OBP_LOOKUP *Lookup);
VOID ObpEndLookup(OBP_LOOKUP *Lookup);
NTSTATUS ObpInsertEntry(OBP_DIRECTORY *Directory, OBP_HEADER *Header, PCUNICODE_STRING Name);
BOOLEAN ObpRemoveEntry(OBP_HEADER *Header, BOOLEAN OnlyWithoutHandles);
OBP_HEADER *ObpFindEntry(OBP_DIRECTORY *Directory, PCUNICODE_STRING Name); /* lock held */
VOID ObpInitializeDirectories(VOID);
NTSTATUS ObpCreateDirectoryByName(PCWSTR Path, OBP_DIRECTORY **Directory);
NTSTATUS ObpPlaceByName(PCWSTR Path, OBP_HEADER *Header);
NTSTATUS ObpCreateLinkByName(PCWSTR Path, PCWSTR Target);
NTSTATUS ObpParseSymbolicLink(PVOID ParseObject, POBJECT_TYPE Type, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode,
                              ULONG Attributes, PUNICODE_STRING CompleteName, PUNICODE_STRING RemainingName,
                              PVOID ParseContext, PVOID *Object);
VOID ObpDeleteSymbolicLink(PVOID Object);

/* ---- handles ---- */

NTSTATUS ObpCreateHandle(OB_OPEN_REASON Reason, PVOID Object, POBJECT_TYPE Type, PACCESS_STATE AccessState,
                         ULONG Attributes, KPROCESSOR_MODE Mode, PHANDLE Handle);
NTSTATUS ObpAddHandleCount(OB_OPEN_REASON Reason, PEPROCESS Process, OBP_HEADER *Header, PACCESS_MASK Granted,
                           ULONG Attributes);
VOID ObpDropHandleCount(PEPROCESS Process, OBP_HEADER *Header, ACCESS_MASK Granted);
NTSTATUS ObpCloseEntry(PEPROCESS Process, PHANDLE_TABLE Table, ULONG_PTR Handle, KPROCESSOR_MODE Mode,
                       BOOLEAN IgnoreProtection);
/**
 * The table a handle belongs to for this mode and process, with the handle reduced to an offset in it; NULL if none.
 */
PHANDLE_TABLE ObpTableFor(HANDLE Handle, KPROCESSOR_MODE Mode, ULONG_PTR *Value, PEPROCESS *Process);
NTSTATUS ObpInsertHandle(PEPROCESS Process, OBP_HEADER *Header, ULONG Attributes, ACCESS_MASK Granted, HANDLE *Handle);

/* ---- security ---- */

NTSTATUS ObpAssignSecurity(OBP_HEADER *Header, PACCESS_STATE AccessState, OBP_DIRECTORY *Parent);
NTSTATUS ObpSetDescriptor(OBP_HEADER *Header, PSECURITY_DESCRIPTOR Descriptor);
VOID ObpDereferenceDescriptor(OBP_DESCRIPTOR *Descriptor);
BOOLEAN ObpCheckAccess(PVOID Object, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode, NTSTATUS *Status);
BOOLEAN ObpCheckDirectoryAccess(OBP_DIRECTORY *Directory, ACCESS_MASK Access, PACCESS_STATE AccessState,
                                KPROCESSOR_MODE Mode, NTSTATUS *Status);

/* ---- callbacks of drivers ---- */

typedef struct _OBP_CALL_LIST
{
    LIST_ENTRY Calls;              /* OBP_CALL: pre-operations that ran, for their post-operations */
} OBP_CALL_LIST;

VOID ObpInitializeCallbacks(VOID);
VOID ObpRunPreCallbacks(OBP_CALL_LIST *List, OB_OPERATION Operation, PVOID Object, BOOLEAN KernelHandle,
                        PACCESS_MASK Access, PEPROCESS Source, PEPROCESS Target);
VOID ObpRunPostCallbacks(OBP_CALL_LIST *List, OB_OPERATION Operation, PVOID Object, BOOLEAN KernelHandle,
                         ACCESS_MASK Granted, NTSTATUS Status);
