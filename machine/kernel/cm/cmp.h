/* SPDX-License-Identifier: MIT */
/*
 * Private to CM: the registry as a tree in paged pool.
 *
 *   "Key" object (one per open handle's object) --> CM_NODE --> children, values
 *
 * A node lives while it is in the tree or a key object refers to it. Everything is guarded by CmpLock (shared to read,
 * exclusive to change); user memory is never touched while it is held.
 */
#pragma once

#include "cm.h"
#include "ke.h"
#include "ob.h"
#include "se.h"

#define CM_TAG '  mC'
#define CM_MAX_NAME 255           /* characters of one key's name, as on Windows */
#define CM_MAX_VALUE_NAME 16383
#define CM_MAX_VALUE_DATA 0x100000 /* bytes of one value */

typedef struct _CM_VALUE
{
    LIST_ENTRY Links;
    UNICODE_STRING Name;           /* buffer behind the data */
    ULONG Type;
    ULONG Length;
    UCHAR Data[];
} CM_VALUE;

typedef struct _CM_NODE
{
    LIST_ENTRY Links;              /* in Parent->Children, in order of creation */
    struct _CM_NODE *Parent;       /* NULL for the root, and once deleted */
    LIST_ENTRY Children;
    LIST_ENTRY Values;
    ULONG ChildCount, ValueCount;
    ULONG References;              /* key objects */
    BOOLEAN Deleted;
    LARGE_INTEGER LastWriteTime;
    UNICODE_STRING Name;           /* buffer behind the node */
} CM_NODE;

typedef struct _CMP_OBJECT_CONTEXT CMP_OBJECT_CONTEXT;

typedef struct _CM_KEY
{
    CM_NODE *Node;
    CMP_OBJECT_CONTEXT *Contexts;  /* of registry callbacks */
    PUNICODE_STRING Name;          /* made when a callback asks for it, to live as long as the object */
} CM_KEY;

/* What NtCreateKey hands through the object manager to the parse routine. */
typedef struct _CM_CREATE
{
    ULONG Disposition;             /* out: REG_CREATED_NEW_KEY or REG_OPENED_EXISTING_KEY */
    ULONG Options;
} CM_CREATE;

/* One operation that registry callbacks are told of (callback.c): before it, and those that agreed after it. */
typedef struct _CMP_NOTIFICATION
{
    PVOID Information;             /* the REG_..._INFORMATION */
    PVOID *CallContext;            /* its fields */
    PVOID *ObjectContext;
    CM_KEY *Key;                   /* whose object context that is */
    LIST_ENTRY Calls;
} CMP_NOTIFICATION;

#define CMP_NOTIFICATION_FOR(Info, KeyObject) \
    { \
        .Information = &(Info), .CallContext = &(Info).CallContext, .ObjectContext = &(Info).ObjectContext, \
        .Key = (KeyObject) \
    }

/* Missing in the driver-kit headers: the answer to class KeyNameInformation. */
typedef struct _CM_NAME_INFORMATION
{
    ULONG NameLength;              /* bytes */
    WCHAR Name[1];
} CM_NAME_INFORMATION;

extern ERESOURCE CmpLock;
extern CM_NODE *CmpRoot;

VOID CmpLockShared(VOID);
VOID CmpLockExclusive(VOID);
VOID CmpUnlock(VOID);

/* All with CmpLock held; those that change the tree exclusively. */
CM_NODE *CmpFindChild(CM_NODE *Parent, PCUNICODE_STRING Name);
CM_NODE *CmpChildAt(CM_NODE *Parent, ULONG Index);
NTSTATUS CmpCreateChild(CM_NODE *Parent, PCUNICODE_STRING Name, CM_NODE **Child);
NTSTATUS CmpRemoveNode(CM_NODE *Node);
VOID CmpDereferenceNode(CM_NODE *Node);
CM_VALUE *CmpFindValue(CM_NODE *Node, PCUNICODE_STRING Name);
CM_VALUE *CmpValueAt(CM_NODE *Node, ULONG Index);
NTSTATUS CmpSetValue(CM_NODE *Node, PCUNICODE_STRING Name, ULONG Type, const VOID *Data, ULONG Length);
VOID CmpRemoveValue(CM_NODE *Node, CM_VALUE *Value);

NTSTATUS CmpParse(PVOID ParseObject, POBJECT_TYPE Type, PACCESS_STATE AccessState, KPROCESSOR_MODE Mode, ULONG Attributes,
                  PUNICODE_STRING CompleteName, PUNICODE_STRING RemainingName, PVOID ParseContext, PVOID *Object);
NTSTATUS CmpQueryKeyName(PVOID Object, PUNICODE_STRING Name, PULONG Needed);

VOID CmpInitializeCallbacks(VOID);
/**
 * Tells the callbacks what is about to happen. In every case to be followed by CmpNotifyAfter. No lock held.
 *
 * @return STATUS_SUCCESS: do it; anything else: don't, and pass it on to CmpNotifyAfter
 */
NTSTATUS CmpNotifyBefore(CMP_NOTIFICATION *Notification, REG_NOTIFY_CLASS Class);
/** Tells those that agreed what has happened. Returns the status that the caller of the service gets. */
NTSTATUS CmpNotifyAfter(CMP_NOTIFICATION *Notification, REG_NOTIFY_CLASS Class, PVOID Object, NTSTATUS Status);
/** The last reference to a key object goes: callbacks give up their contexts. */
VOID CmpCleanUpKeyContexts(CM_KEY *Key);

/** Makes a key object for a node, with one reference. CmpLock held. */
NTSTATUS CmpMakeKeyObject(CM_NODE *Node, CM_KEY **Key);

/** The key behind a handle, referenced. */
NTSTATUS CmpReferenceKey(HANDLE Handle, ACCESS_MASK Access, CM_KEY **Key);

/** A copy of a caller's UNICODE_STRING in pool (Buffer NULL if it is empty); free with ExFreePool. */
NTSTATUS CmpCaptureString(PUNICODE_STRING Source, ULONG MaximumCharacters, PUNICODE_STRING Captured);

/** Hands Size bytes of an answer to the caller, by the rules that all registry queries share. */
NTSTATUS CmpReturn(const VOID *Answer, ULONG Fixed, ULONG Size, PVOID Target, ULONG Length, PULONG ResultLength);
