/* SPDX-License-Identifier: MIT */
/* The tree of keys and values. */
#include "cmp.h"
#include "ex.h"

ERESOURCE CmpLock;
CM_NODE *CmpRoot;

VOID CmpLockShared(VOID)
{
    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(&CmpLock, TRUE);
}

VOID CmpLockExclusive(VOID)
{
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&CmpLock, TRUE);
}

VOID CmpUnlock(VOID)
{
    ExReleaseResourceLite(&CmpLock);
    KeLeaveCriticalRegion();
}

CM_NODE *CmpFindChild(CM_NODE *Parent, PCUNICODE_STRING Name)
{
    for (PLIST_ENTRY e = Parent->Children.Flink; e != &Parent->Children; e = e->Flink)
    {
        CM_NODE *child = CONTAINING_RECORD(e, CM_NODE, Links);
        if (RtlEqualUnicodeString(&child->Name, Name, TRUE))
        {
            return child;
        }
    }
    return NULL;
}

CM_NODE *CmpChildAt(CM_NODE *Parent, ULONG Index)
{
    for (PLIST_ENTRY e = Parent->Children.Flink; e != &Parent->Children; e = e->Flink)
    {
        if (Index-- == 0)
        {
            return CONTAINING_RECORD(e, CM_NODE, Links);
        }
    }
    return NULL;
}

/* Parent NULL makes the root. */
NTSTATUS CmpCreateChild(CM_NODE *Parent, PCUNICODE_STRING Name, CM_NODE **Child)
{
    CM_NODE *node;

    if (Name->Length == 0 || Name->Length > CM_MAX_NAME * sizeof(WCHAR))
    {
        return STATUS_OBJECT_NAME_INVALID;
    }
    node = ExAllocatePoolWithTag(PagedPool, sizeof(CM_NODE) + Name->Length, CM_TAG);
    if (node == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(node, sizeof(*node));
    InitializeListHead(&node->Children);
    InitializeListHead(&node->Values);
    node->Name.Buffer = (PWCHAR)(node + 1);
    node->Name.Length = node->Name.MaximumLength = Name->Length;
    RtlCopyMemory(node->Name.Buffer, Name->Buffer, Name->Length);
    KeQuerySystemTime(&node->LastWriteTime);
    if (Parent != NULL)
    {
        node->Parent = Parent;
        InsertTailList(&Parent->Children, &node->Links);
        Parent->ChildCount++;
        Parent->LastWriteTime = node->LastWriteTime;
    }
    *Child = node;
    return STATUS_SUCCESS;
}

static VOID CmpFreeNode(CM_NODE *Node)
{
    while (!IsListEmpty(&Node->Values))
    {
        CmpRemoveValue(Node, CONTAINING_RECORD(Node->Values.Flink, CM_VALUE, Links));
    }
    ExFreePoolWithTag(Node, CM_TAG);
}

/* Takes a node out of the tree; it is freed with its last key object. */
NTSTATUS CmpRemoveNode(CM_NODE *Node)
{
    if (Node->Deleted)
    {
        return STATUS_KEY_DELETED;
    }
    if (Node->ChildCount != 0 || Node->Parent == NULL)
    {
        return STATUS_CANNOT_DELETE;
    }
    RemoveEntryList(&Node->Links);
    Node->Parent->ChildCount--;
    KeQuerySystemTime(&Node->Parent->LastWriteTime);
    Node->Parent = NULL;
    Node->Deleted = TRUE;
    return STATUS_SUCCESS;
}

VOID CmpDereferenceNode(CM_NODE *Node)
{
    if (--Node->References == 0 && Node->Deleted)
    {
        CmpFreeNode(Node);
    }
}

CM_VALUE *CmpFindValue(CM_NODE *Node, PCUNICODE_STRING Name)
{
    for (PLIST_ENTRY e = Node->Values.Flink; e != &Node->Values; e = e->Flink)
    {
        CM_VALUE *value = CONTAINING_RECORD(e, CM_VALUE, Links);
        if (RtlEqualUnicodeString(&value->Name, Name, TRUE))
        {
            return value;
        }
    }
    return NULL;
}

CM_VALUE *CmpValueAt(CM_NODE *Node, ULONG Index)
{
    for (PLIST_ENTRY e = Node->Values.Flink; e != &Node->Values; e = e->Flink)
    {
        if (Index-- == 0)
        {
            return CONTAINING_RECORD(e, CM_VALUE, Links);
        }
    }
    return NULL;
}

NTSTATUS CmpSetValue(CM_NODE *Node, PCUNICODE_STRING Name, ULONG Type, const VOID *Data, ULONG Length)
{
    CM_VALUE *old = CmpFindValue(Node, Name);
    CM_VALUE *value;
    ULONG nameOffset = (Length + 1) & ~1UL;

    value = ExAllocatePoolWithTag(PagedPool, sizeof(CM_VALUE) + nameOffset + Name->Length, CM_TAG);
    if (value == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    value->Type = Type;
    value->Length = Length;
    if (Length != 0)
    {
        RtlCopyMemory(value->Data, Data, Length);
    }
    value->Name.Buffer = (PWCHAR)(value->Data + nameOffset);
    value->Name.Length = value->Name.MaximumLength = Name->Length;
    RtlCopyMemory(value->Name.Buffer, Name->Buffer, Name->Length);
    if (old != NULL)
    {
        InsertHeadList(&old->Links, &value->Links); /* keeps the place in the enumeration */
        Node->ValueCount++;
        CmpRemoveValue(Node, old);
    }
    else
    {
        InsertTailList(&Node->Values, &value->Links);
        Node->ValueCount++;
    }
    KeQuerySystemTime(&Node->LastWriteTime);
    return STATUS_SUCCESS;
}

VOID CmpRemoveValue(CM_NODE *Node, CM_VALUE *Value)
{
    RemoveEntryList(&Value->Links);
    Node->ValueCount--;
    ExFreePoolWithTag(Value, CM_TAG);
}
