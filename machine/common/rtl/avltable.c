/* SPDX-License-Identifier: MIT */
/*
 * Generic tables over AVL trees. Look-ups change nothing, so that readers may share a lock.
 *
 * BalancedRoot is a sentinel: the tree hangs on its right child, and the root's parent is the sentinel. Balance is
 * the height of the right subtree minus that of the left one.
 *
 * The caller serialises changes. IRQL: any at which the table is resident.
 */
#include "rtlp.h"

typedef struct _RTLP_AVL_ELEMENT
{
    RTL_BALANCED_LINKS Links;
    LONGLONG UserData;
} RTLP_AVL_ELEMENT, *PRTLP_AVL_ELEMENT;

#define RTLP_HEADER_SIZE FIELD_OFFSET(RTLP_AVL_ELEMENT, UserData)

static PVOID RtlpData(PRTL_BALANCED_LINKS Node)
{
    return &CONTAINING_RECORD(Node, RTLP_AVL_ELEMENT, Links)->UserData;
}

static PRTL_BALANCED_LINKS RtlpFirst(PRTL_AVL_TABLE Table)
{
    PRTL_BALANCED_LINKS Node = Table->BalancedRoot.RightChild;

    while (Node != NULL && Node->LeftChild != NULL)
    {
        Node = Node->LeftChild;
    }

    return Node;
}

/* Next and previous in order; the sentinel's parent is itself, and it is never anyone's left child. */
static PRTL_BALANCED_LINKS RtlpSuccessor(PRTL_AVL_TABLE Table, PRTL_BALANCED_LINKS Node)
{
    if (Node->RightChild != NULL)
    {
        for (Node = Node->RightChild; Node->LeftChild != NULL;)
        {
            Node = Node->LeftChild;
        }

        return Node;
    }

    while (Node != &Table->BalancedRoot && Node->Parent->RightChild == Node)
    {
        Node = Node->Parent;
        if (Node == &Table->BalancedRoot)
        {
            return NULL;
        }
    }

    return Node->Parent;
}

static PRTL_BALANCED_LINKS RtlpPredecessor(PRTL_AVL_TABLE Table, PRTL_BALANCED_LINKS Node)
{
    if (Node->LeftChild != NULL)
    {
        for (Node = Node->LeftChild; Node->RightChild != NULL;)
        {
            Node = Node->RightChild;
        }

        return Node;
    }

    while (Node->Parent->LeftChild == Node)
    {
        Node = Node->Parent;
    }

    return Node->Parent != &Table->BalancedRoot ? Node->Parent : NULL;
}

static TABLE_SEARCH_RESULT RtlpSearch(PRTL_AVL_TABLE Table, PVOID Buffer, PRTL_BALANCED_LINKS *NodeOrParent)
{
    PRTL_BALANCED_LINKS Node = Table->BalancedRoot.RightChild;

    if (Node == NULL)
    {
        *NodeOrParent = NULL;
        return TableEmptyTree;
    }

    for (;;)
    {
        RTL_GENERIC_COMPARE_RESULTS Order = Table->CompareRoutine(Table, Buffer, RtlpData(Node));
        PRTL_BALANCED_LINKS Next;

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

/* Puts New (or nothing) where Old hangs. */
static VOID RtlpReplaceChild(PRTL_BALANCED_LINKS Old, PRTL_BALANCED_LINKS New)
{
    if (Old->Parent->LeftChild == Old)
    {
        Old->Parent->LeftChild = New;
    }
    else
    {
        Old->Parent->RightChild = New;
    }

    if (New != NULL)
    {
        New->Parent = Old->Parent;
    }
}

/* Rotates a node over its parent, and works out both balances from what they were. */
static VOID RtlpRotateUp(PRTL_BALANCED_LINKS Node)
{
    PRTL_BALANCED_LINKS Parent = Node->Parent;
    BOOLEAN Left = Parent->LeftChild == Node;
    PRTL_BALANCED_LINKS Middle = Left ? Node->RightChild : Node->LeftChild;
    LONG ParentBalance = (signed char)Parent->Balance;
    LONG NodeBalance = (signed char)Node->Balance;

    RtlpReplaceChild(Parent, Node);
    if (Left)
    {
        Parent->LeftChild = Middle;
        Node->RightChild = Parent;
        ParentBalance = ParentBalance + 1 - min(NodeBalance, 0);
        NodeBalance = NodeBalance + 1 + max(ParentBalance, 0);
    }
    else
    {
        Parent->RightChild = Middle;
        Node->LeftChild = Parent;
        ParentBalance = ParentBalance - 1 - max(NodeBalance, 0);
        NodeBalance = NodeBalance - 1 + min(ParentBalance, 0);
    }

    Parent->Parent = Node;
    if (Middle != NULL)
    {
        Middle->Parent = Parent;
    }

    Parent->Balance = (CHAR)ParentBalance;
    Node->Balance = (CHAR)NodeBalance;
}

/* Repairs a node whose balance is 2 or -2; returns the node that stands in its place. */
static PRTL_BALANCED_LINKS RtlpRebalance(PRTL_BALANCED_LINKS Node)
{
    PRTL_BALANCED_LINKS Child = (signed char)Node->Balance > 0 ? Node->RightChild : Node->LeftChild;

    if ((signed char)Node->Balance * (signed char)Child->Balance < 0)
    {
        PRTL_BALANCED_LINKS Grandchild = (signed char)Child->Balance > 0 ? Child->RightChild : Child->LeftChild;

        RtlpRotateUp(Grandchild);
        Child = Grandchild;
    }

    RtlpRotateUp(Child);
    return Child;
}

/**
 * Prepares an empty table; see RtlInitializeGenericTable.
 */
VOID NTAPI RtlInitializeGenericTableAvl(_Out_ PRTL_AVL_TABLE Table, _In_ PRTL_AVL_COMPARE_ROUTINE CompareRoutine,
                                        _In_ PRTL_AVL_ALLOCATE_ROUTINE AllocateRoutine,
                                        _In_ PRTL_AVL_FREE_ROUTINE FreeRoutine, _In_opt_ PVOID TableContext)
{
    RtlpZero(Table, sizeof(*Table));
    Table->BalancedRoot.Parent = &Table->BalancedRoot;
    Table->CompareRoutine = CompareRoutine;
    Table->AllocateRoutine = AllocateRoutine;
    Table->FreeRoutine = FreeRoutine;
    Table->TableContext = TableContext;
}

/* Hangs a new leaf and repairs the balances up to where the height did not change. */
static VOID RtlpInsertNode(PRTL_AVL_TABLE Table, PRTL_BALANCED_LINKS Node, PRTL_BALANCED_LINKS Parent,
                           TABLE_SEARCH_RESULT Side)
{
    RtlpZero(Node, sizeof(*Node));
    if (Side == TableEmptyTree)
    {
        Node->Parent = &Table->BalancedRoot;
        Table->BalancedRoot.RightChild = Node;
        Table->DepthOfTree = 1;
        return;
    }

    Node->Parent = Parent;
    if (Side == TableInsertAsLeft)
    {
        Parent->LeftChild = Node;
    }
    else
    {
        Parent->RightChild = Node;
    }

    for (; Parent != &Table->BalancedRoot; Node = Parent, Parent = Parent->Parent)
    {
        Parent->Balance = (CHAR)(Parent->Balance + (Parent->LeftChild == Node ? -1 : 1));
        if (Parent->Balance == 0)
        {
            return;
        }

        if ((signed char)Parent->Balance == 2 || (signed char)Parent->Balance == -2)
        {
            RtlpRebalance(Parent);
            return;
        }
    }

    Table->DepthOfTree += 1; /* the height grew all the way up */
}

/* Takes a node out and repairs the balances up to where the height did not change. */
static VOID RtlpRemoveNode(PRTL_AVL_TABLE Table, PRTL_BALANCED_LINKS Node)
{
    PRTL_BALANCED_LINKS Parent;
    BOOLEAN Left;

    if (Node->LeftChild != NULL && Node->RightChild != NULL)
    {
        /* The successor takes the node's place; what is removed is a node with one child at most. */
        PRTL_BALANCED_LINKS Next = RtlpSuccessor(Table, Node);

        Parent = Next->Parent;
        Left = Parent->LeftChild == Next;
        RtlpReplaceChild(Next, Next->RightChild);
        if (Parent == Node)
        {
            Parent = Next;
        }

        RtlpReplaceChild(Node, Next);
        Next->LeftChild = Node->LeftChild;
        Next->RightChild = Node->RightChild;
        Next->Balance = Node->Balance;
        Next->LeftChild->Parent = Next;
        if (Next->RightChild != NULL)
        {
            Next->RightChild->Parent = Next;
        }
    }
    else
    {
        Parent = Node->Parent;
        Left = Parent->LeftChild == Node;
        RtlpReplaceChild(Node, Node->LeftChild != NULL ? Node->LeftChild : Node->RightChild);
    }

    while (Parent != &Table->BalancedRoot)
    {
        Parent->Balance = (CHAR)(Parent->Balance + (Left ? 1 : -1));
        if ((signed char)Parent->Balance == 2 || (signed char)Parent->Balance == -2)
        {
            Parent = RtlpRebalance(Parent);
        }

        if (Parent->Balance != 0)
        {
            return; /* as high as before */
        }

        Left = Parent->Parent->LeftChild == Parent;
        Parent = Parent->Parent;
    }

    Table->DepthOfTree -= 1;
}

/**
 * Inserts at the place that RtlLookupElementGenericTableFullAvl reported; see RtlInsertElementGenericTableFull.
 */
PVOID NTAPI RtlInsertElementGenericTableFullAvl(_In_ PRTL_AVL_TABLE Table, _In_reads_bytes_(BufferSize) PVOID Buffer,
                                                _In_ CLONG BufferSize, _Out_opt_ PBOOLEAN NewElement,
                                                _In_ PVOID NodeOrParent, _In_ TABLE_SEARCH_RESULT SearchResult)
{
    PRTLP_AVL_ELEMENT Element;

    if (NewElement != NULL)
    {
        *NewElement = FALSE;
    }

    if (SearchResult == TableFoundNode)
    {
        return RtlpData(NodeOrParent);
    }

    if (BufferSize > 0xFFFFFFFF - (ULONG)RTLP_HEADER_SIZE)
    {
        return NULL;
    }

    Element = Table->AllocateRoutine(Table, BufferSize + (ULONG)RTLP_HEADER_SIZE);
    if (Element == NULL)
    {
        return NULL;
    }

    RtlpInsertNode(Table, &Element->Links, NodeOrParent, SearchResult);
    Table->NumberGenericTableElements += 1;
    Table->OrderedPointer = NULL;
    Table->WhichOrderedElement = 0;
    RtlpCopy(&Element->UserData, Buffer, BufferSize);
    if (NewElement != NULL)
    {
        *NewElement = TRUE;
    }

    return &Element->UserData;
}

/**
 * Inserts an element, unless there is an equal one.
 */
PVOID NTAPI RtlInsertElementGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_reads_bytes_(BufferSize) PVOID Buffer,
                                            _In_ CLONG BufferSize, _Out_opt_ PBOOLEAN NewElement)
{
    PRTL_BALANCED_LINKS Node;
    TABLE_SEARCH_RESULT Result = RtlpSearch(Table, Buffer, &Node);

    return RtlInsertElementGenericTableFullAvl(Table, Buffer, BufferSize, NewElement, Node, Result);
}

/**
 * Removes and frees the element that equals Buffer; FALSE if there is none.
 */
BOOLEAN NTAPI RtlDeleteElementGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_ PVOID Buffer)
{
    PRTL_BALANCED_LINKS Node;

    if (RtlpSearch(Table, Buffer, &Node) != TableFoundNode)
    {
        return FALSE;
    }

    /* An enumeration that stands here goes on behind it. */
    if (Table->RestartKey == Node)
    {
        Table->RestartKey = RtlpPredecessor(Table, Node);
    }

    RtlpRemoveNode(Table, Node);
    Table->DeleteCount += 1;
    Table->NumberGenericTableElements -= 1;
    Table->OrderedPointer = NULL;
    Table->WhichOrderedElement = 0;
    Table->FreeRoutine(Table, Node);
    return TRUE;
}

/**
 * Finds the element that equals Buffer, and tells where it would be inserted if there is none.
 */
PVOID NTAPI RtlLookupElementGenericTableFullAvl(_In_ PRTL_AVL_TABLE Table, _In_ PVOID Buffer, _Out_ PVOID *NodeOrParent,
                                                _Out_ TABLE_SEARCH_RESULT *SearchResult)
{
    PRTL_BALANCED_LINKS Node;

    *SearchResult = RtlpSearch(Table, Buffer, &Node);
    *NodeOrParent = Node;
    return *SearchResult == TableFoundNode ? RtlpData(Node) : NULL;
}

/**
 * Finds the element that equals Buffer; NULL if there is none.
 */
PVOID NTAPI RtlLookupElementGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_ PVOID Buffer)
{
    PRTL_BALANCED_LINKS Node;

    return RtlpSearch(Table, Buffer, &Node) == TableFoundNode ? RtlpData(Node) : NULL;
}

/**
 * Finds the first, in order, of several elements that compare equal to Buffer.
 *
 * @param RestartKey  receives a position for RtlEnumerateGenericTableWithoutSplayingAvl
 */
PVOID NTAPI RtlLookupFirstMatchingElementGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_ PVOID Buffer,
                                                         _Out_ PVOID *RestartKey)
{
    PRTL_BALANCED_LINKS Node;
    PRTL_BALANCED_LINKS Before;

    *RestartKey = NULL;
    if (RtlpSearch(Table, Buffer, &Node) != TableFoundNode)
    {
        return NULL;
    }

    while ((Before = RtlpPredecessor(Table, Node)) != NULL &&
           Table->CompareRoutine(Table, Buffer, RtlpData(Before)) == GenericEqual)
    {
        Node = Before;
    }

    *RestartKey = Node;
    return RtlpData(Node);
}

/**
 * Walks through the table in order.
 *
 * @param RestartKey  the position; NULL begins with the smallest element
 * @return the element's data, or NULL at the end
 */
PVOID NTAPI RtlEnumerateGenericTableWithoutSplayingAvl(_In_ PRTL_AVL_TABLE Table, _Inout_ PVOID *RestartKey)
{
    PRTL_BALANCED_LINKS Node = *RestartKey != NULL ? RtlpSuccessor(Table, *RestartKey) : RtlpFirst(Table);

    if (Node == NULL)
    {
        return NULL;
    }

    *RestartKey = Node;
    return RtlpData(Node);
}

/**
 * Walks through the table in order, with the position kept in the table.
 */
PVOID NTAPI RtlEnumerateGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_ BOOLEAN Restart)
{
    PVOID Key = Restart ? NULL : Table->RestartKey;
    PVOID Data = RtlEnumerateGenericTableWithoutSplayingAvl(Table, &Key);

    if (Data != NULL)
    {
        Table->RestartKey = Key;
    }

    return Data;
}

/**
 * Walks through the table as a directory is listed: also right if elements come and go between the calls.
 *
 * @param MatchFunction  optional: STATUS_SUCCESS takes an element, STATUS_NO_MATCH goes on, STATUS_NO_MORE_MATCHES ends
 * @param MatchData      for MatchFunction
 * @param NextFlag       TRUE: begin behind the position, FALSE: at it
 * @param RestartKey     the position; NULL: look it up by Buffer
 * @param DeleteCount    kept between the calls; if the table's differs, RestartKey is void and Buffer is looked up
 * @param Buffer         data of the element to begin with
 * @return the element's data, or NULL at the end
 */
PVOID NTAPI RtlEnumerateGenericTableLikeADirectory(_In_ PRTL_AVL_TABLE Table,
                                                   _In_opt_ PRTL_AVL_MATCH_FUNCTION MatchFunction,
                                                   _In_opt_ PVOID MatchData, _In_ ULONG NextFlag,
                                                   _Inout_ PVOID *RestartKey, _Inout_ PULONG DeleteCount,
                                                   _In_ PVOID Buffer)
{
    PRTL_BALANCED_LINKS Node = *RestartKey;

    if (Table->BalancedRoot.RightChild == NULL)
    {
        *RestartKey = NULL;
        return NULL;
    }

    if (Node == NULL || *DeleteCount != Table->DeleteCount)
    {
        TABLE_SEARCH_RESULT Result = RtlpSearch(Table, Buffer, &Node);

        /* Without an equal element the next larger one is the place, and nothing is to be skipped. */
        if (Result == TableInsertAsRight || (Result == TableFoundNode && NextFlag))
        {
            Node = RtlpSuccessor(Table, Node);
        }
    }
    else if (NextFlag)
    {
        Node = RtlpSuccessor(Table, Node);
    }

    for (; Node != NULL; Node = RtlpSuccessor(Table, Node))
    {
        NTSTATUS Status = MatchFunction != NULL ? MatchFunction(Table, RtlpData(Node), MatchData) : STATUS_SUCCESS;

        if (Status == STATUS_SUCCESS)
        {
            *RestartKey = Node;
            *DeleteCount = Table->DeleteCount;
            return RtlpData(Node);
        }

        if (Status == STATUS_NO_MORE_MATCHES)
        {
            break;
        }
    }

    *DeleteCount = Table->DeleteCount;
    return NULL;
}

/**
 * Returns the I-th element in order, from zero; NULL past the end.
 */
PVOID NTAPI RtlGetElementGenericTableAvl(_In_ PRTL_AVL_TABLE Table, _In_ ULONG I)
{
    PRTL_BALANCED_LINKS Node = Table->OrderedPointer;
    ULONG At = Table->WhichOrderedElement;

    if (I >= Table->NumberGenericTableElements)
    {
        return NULL;
    }

    if (Node == NULL || I < At / 2)
    {
        Node = RtlpFirst(Table);
        At = 0;
    }

    for (; At < I; At += 1)
    {
        Node = RtlpSuccessor(Table, Node);
    }

    for (; At > I; At -= 1)
    {
        Node = RtlpPredecessor(Table, Node);
    }

    Table->OrderedPointer = Node;
    Table->WhichOrderedElement = At;
    return RtlpData(Node);
}

ULONG NTAPI RtlNumberGenericTableElementsAvl(_In_ PRTL_AVL_TABLE Table)
{
    return Table->NumberGenericTableElements;
}

BOOLEAN NTAPI RtlIsGenericTableEmptyAvl(_In_ PRTL_AVL_TABLE Table)
{
    return Table->NumberGenericTableElements == 0;
}
