/* SPDX-License-Identifier: MIT */
/*
 * Generic tables over splay trees. An element is one block from the table's allocator:
 *
 *      +-------------+------------------+-----------------------------+
 *      | splay links | insertion order  | the caller's data           |
 *      +-------------+------------------+-----------------------------+
 *
 * The caller serialises all access, look-ups included. IRQL: any at which the table is resident.
 */
#include "rtlp.h"

typedef struct _RTLP_ELEMENT
{
    RTL_SPLAY_LINKS Links;
    LIST_ENTRY Order;
    LONGLONG UserData;
} RTLP_ELEMENT, *PRTLP_ELEMENT;

#define RTLP_HEADER_SIZE FIELD_OFFSET(RTLP_ELEMENT, UserData)

static PRTLP_ELEMENT RtlpElement(PRTL_SPLAY_LINKS Links)
{
    return CONTAINING_RECORD(Links, RTLP_ELEMENT, Links);
}

/* Where an element is, or where it would be hung. The tree is not splayed. */
static TABLE_SEARCH_RESULT RtlpSearch(PRTL_GENERIC_TABLE Table, PVOID Buffer, PRTL_SPLAY_LINKS *NodeOrParent)
{
    PRTL_SPLAY_LINKS Node = Table->TableRoot;

    if (Node == NULL)
    {
        *NodeOrParent = NULL;
        return TableEmptyTree;
    }

    for (;;)
    {
        RTL_GENERIC_COMPARE_RESULTS Order = Table->CompareRoutine(Table, Buffer, &RtlpElement(Node)->UserData);
        PRTL_SPLAY_LINKS Next;

        *NodeOrParent = Node;
        if (Order != GenericLessThan && Order != GenericGreaterThan)
        {
            return TableFoundNode;
        }

        Next = Order == GenericLessThan ? Node->LeftChild : Node->RightChild;
        if (Next == NULL)
        {
            return Order == GenericLessThan ? TableInsertAsLeft : TableInsertAsRight;
        }

        Node = Next;
    }
}

/**
 * Prepares an empty table.
 *
 * @param CompareRoutine   orders two callers' data
 * @param AllocateRoutine  returns memory for an element, or NULL
 * @param FreeRoutine      takes it back
 * @param TableContext     stored in the table for these routines
 */
VOID NTAPI RtlInitializeGenericTable(_Out_ PRTL_GENERIC_TABLE Table, _In_ PRTL_GENERIC_COMPARE_ROUTINE CompareRoutine,
                                     _In_ PRTL_GENERIC_ALLOCATE_ROUTINE AllocateRoutine,
                                     _In_ PRTL_GENERIC_FREE_ROUTINE FreeRoutine, _In_opt_ PVOID TableContext)
{
    Table->TableRoot = NULL;
    Table->InsertOrderList.Flink = &Table->InsertOrderList;
    Table->InsertOrderList.Blink = &Table->InsertOrderList;
    Table->OrderedPointer = &Table->InsertOrderList;
    Table->WhichOrderedElement = 0;
    Table->NumberGenericTableElements = 0;
    Table->CompareRoutine = CompareRoutine;
    Table->AllocateRoutine = AllocateRoutine;
    Table->FreeRoutine = FreeRoutine;
    Table->TableContext = TableContext;
}

/**
 * Inserts at the place that RtlLookupElementGenericTableFull reported.
 *
 * @param Buffer        data to copy into a new element
 * @param BufferSize    its size in bytes
 * @param NewElement    optional: receives TRUE if an element was made, FALSE if there was an equal one (or no memory)
 * @param NodeOrParent, SearchResult  what the look-up reported, with nothing changed since
 * @return the element's data, or NULL if there is no memory
 */
PVOID NTAPI RtlInsertElementGenericTableFull(_In_ PRTL_GENERIC_TABLE Table, _In_reads_bytes_(BufferSize) PVOID Buffer,
                                             _In_ CLONG BufferSize, _Out_opt_ PBOOLEAN NewElement,
                                             _In_ PVOID NodeOrParent, _In_ TABLE_SEARCH_RESULT SearchResult)
{
    PRTL_SPLAY_LINKS Node = NodeOrParent;
    PRTLP_ELEMENT Element;

    if (NewElement != NULL)
    {
        *NewElement = FALSE;
    }

    if (SearchResult != TableFoundNode)
    {
        if (BufferSize > 0xFFFFFFFF - (ULONG)RTLP_HEADER_SIZE)
        {
            return NULL;
        }

        Element = Table->AllocateRoutine(Table, BufferSize + (ULONG)RTLP_HEADER_SIZE);
        if (Element == NULL)
        {
            return NULL;
        }

        Element->Links.LeftChild = NULL;
        Element->Links.RightChild = NULL;
        Element->Links.Parent = SearchResult == TableEmptyTree ? &Element->Links : Node;
        if (SearchResult == TableInsertAsLeft)
        {
            Node->LeftChild = &Element->Links;
        }
        else if (SearchResult == TableInsertAsRight)
        {
            Node->RightChild = &Element->Links;
        }

        Element->Order.Flink = &Table->InsertOrderList;
        Element->Order.Blink = Table->InsertOrderList.Blink;
        Element->Order.Blink->Flink = &Element->Order;
        Table->InsertOrderList.Blink = &Element->Order;
        Table->NumberGenericTableElements += 1;
        RtlpCopy(&Element->UserData, Buffer, BufferSize);
        Node = &Element->Links;
        if (NewElement != NULL)
        {
            *NewElement = TRUE;
        }
    }

    Table->TableRoot = RtlSplay(Node);
    return &RtlpElement(Node)->UserData;
}

/**
 * Inserts an element, unless there is an equal one. See RtlInsertElementGenericTableFull.
 */
PVOID NTAPI RtlInsertElementGenericTable(_In_ PRTL_GENERIC_TABLE Table, _In_reads_bytes_(BufferSize) PVOID Buffer,
                                         _In_ CLONG BufferSize, _Out_opt_ PBOOLEAN NewElement)
{
    PRTL_SPLAY_LINKS Node;
    TABLE_SEARCH_RESULT Result = RtlpSearch(Table, Buffer, &Node);

    return RtlInsertElementGenericTableFull(Table, Buffer, BufferSize, NewElement, Node, Result);
}

/**
 * Removes and frees the element that equals Buffer; FALSE if there is none.
 */
BOOLEAN NTAPI RtlDeleteElementGenericTable(_In_ PRTL_GENERIC_TABLE Table, _In_ PVOID Buffer)
{
    PRTL_SPLAY_LINKS Node;
    PRTLP_ELEMENT Element;

    if (RtlpSearch(Table, Buffer, &Node) != TableFoundNode)
    {
        return FALSE;
    }

    Element = RtlpElement(Node);
    Table->TableRoot = RtlDelete(Node);
    Element->Order.Blink->Flink = Element->Order.Flink;
    Element->Order.Flink->Blink = Element->Order.Blink;
    Table->NumberGenericTableElements -= 1;
    Table->OrderedPointer = &Table->InsertOrderList;
    Table->WhichOrderedElement = 0;
    Table->FreeRoutine(Table, Element);
    return TRUE;
}

/**
 * Finds the element that equals Buffer, and tells where it would be inserted if there is none.
 */
PVOID NTAPI RtlLookupElementGenericTableFull(_In_ PRTL_GENERIC_TABLE Table, _In_ PVOID Buffer,
                                             _Out_ PVOID *NodeOrParent, _Out_ TABLE_SEARCH_RESULT *SearchResult)
{
    PRTL_SPLAY_LINKS Node;

    *SearchResult = RtlpSearch(Table, Buffer, &Node);
    *NodeOrParent = Node;
    if (*SearchResult != TableFoundNode)
    {
        return NULL;
    }

    Table->TableRoot = RtlSplay(Node);
    return &RtlpElement(Node)->UserData;
}

/**
 * Finds the element that equals Buffer; NULL if there is none.
 */
PVOID NTAPI RtlLookupElementGenericTable(_In_ PRTL_GENERIC_TABLE Table, _In_ PVOID Buffer)
{
    PVOID Node;
    TABLE_SEARCH_RESULT Result;

    return RtlLookupElementGenericTableFull(Table, Buffer, &Node, &Result);
}

/**
 * Walks through the table in order. The position is kept by splaying: the last element returned is the root.
 *
 * @param Restart  TRUE: begin with the smallest element
 * @return the element's data, or NULL at the end
 */
PVOID NTAPI RtlEnumerateGenericTable(_In_ PRTL_GENERIC_TABLE Table, _In_ BOOLEAN Restart)
{
    PRTL_SPLAY_LINKS Node = Table->TableRoot;

    if (Node == NULL)
    {
        return NULL;
    }

    if (!Restart)
    {
        Node = RtlRealSuccessor(Node);
        if (Node == NULL)
        {
            return NULL;
        }
    }
    else
    {
        while (Node->LeftChild != NULL)
        {
            Node = Node->LeftChild;
        }
    }

    Table->TableRoot = RtlSplay(Node);
    return &RtlpElement(Node)->UserData;
}

/**
 * Walks through the table in order and leaves it unchanged.
 *
 * @param RestartKey  the position; NULL begins with the smallest element
 * @return the element's data, or NULL at the end
 */
PVOID NTAPI RtlEnumerateGenericTableWithoutSplaying(_In_ PRTL_GENERIC_TABLE Table, _Inout_ PVOID *RestartKey)
{
    PRTL_SPLAY_LINKS Node = Table->TableRoot;

    if (Node == NULL)
    {
        return NULL;
    }

    if (*RestartKey != NULL)
    {
        Node = RtlRealSuccessor(*RestartKey);
        if (Node == NULL)
        {
            return NULL;
        }
    }
    else
    {
        while (Node->LeftChild != NULL)
        {
            Node = Node->LeftChild;
        }
    }

    *RestartKey = Node;
    return &RtlpElement(Node)->UserData;
}

/**
 * Returns the element that was inserted as the I-th, from zero, not counting deleted ones; NULL past the end.
 */
PVOID NTAPI RtlGetElementGenericTable(_In_ PRTL_GENERIC_TABLE Table, _In_ ULONG I)
{
    if (I >= Table->NumberGenericTableElements)
    {
        return NULL;
    }

    /* The position is remembered as a count from one; zero is the list head. Take the shorter way. */
    I += 1;
    if (I < Table->WhichOrderedElement / 2)
    {
        Table->OrderedPointer = &Table->InsertOrderList;
        Table->WhichOrderedElement = 0;
    }

    while (Table->WhichOrderedElement < I)
    {
        Table->OrderedPointer = Table->OrderedPointer->Flink;
        Table->WhichOrderedElement += 1;
    }

    while (Table->WhichOrderedElement > I)
    {
        Table->OrderedPointer = Table->OrderedPointer->Blink;
        Table->WhichOrderedElement -= 1;
    }

    return &CONTAINING_RECORD(Table->OrderedPointer, RTLP_ELEMENT, Order)->UserData;
}

ULONG NTAPI RtlNumberGenericTableElements(_In_ PRTL_GENERIC_TABLE Table)
{
    return Table->NumberGenericTableElements;
}

BOOLEAN NTAPI RtlIsGenericTableEmpty(_In_ PRTL_GENERIC_TABLE Table)
{
    return Table->TableRoot == NULL;
}
