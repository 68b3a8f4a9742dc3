/* SPDX-License-Identifier: MIT */
/*
 * Splay trees: binary trees that move what was touched to the root. The root is its own parent.
 *
 * No locks, not even for look-ups, as these change the tree. IRQL: any at which the nodes are resident.
 */
#include "rtlp.h"

static BOOLEAN RtlpIsRoot(PRTL_SPLAY_LINKS Links)
{
    return Links->Parent == Links;
}

static BOOLEAN RtlpIsLeft(PRTL_SPLAY_LINKS Links)
{
    return Links->Parent->LeftChild == Links;
}

/* Puts New where Old hangs; Old's own links stay as they are. */
static VOID RtlpReplaceChild(PRTL_SPLAY_LINKS Old, PRTL_SPLAY_LINKS New)
{
    if (RtlpIsRoot(Old))
    {
        New->Parent = New;
        return;
    }

    if (RtlpIsLeft(Old))
    {
        Old->Parent->LeftChild = New;
    }
    else
    {
        Old->Parent->RightChild = New;
    }

    New->Parent = Old->Parent;
}

/* Rotates a node over its parent:   P(N(a, b), c)  ->  N(a, P(b, c))   and the mirror image. */
static VOID RtlpRotateUp(PRTL_SPLAY_LINKS Node)
{
    PRTL_SPLAY_LINKS Parent = Node->Parent;
    PRTL_SPLAY_LINKS Middle;
    BOOLEAN Left = RtlpIsLeft(Node);

    RtlpReplaceChild(Parent, Node);
    Middle = Left ? Node->RightChild : Node->LeftChild;
    if (Left)
    {
        Parent->LeftChild = Middle;
        Node->RightChild = Parent;
    }
    else
    {
        Parent->RightChild = Middle;
        Node->LeftChild = Parent;
    }

    Parent->Parent = Node;
    if (Middle != NULL)
    {
        Middle->Parent = Parent;
    }
}

/**
 * Moves a node to the root of its tree.
 *
 * @return the node, now the root
 */
PRTL_SPLAY_LINKS NTAPI RtlSplay(_Inout_ PRTL_SPLAY_LINKS Links)
{
    while (!RtlpIsRoot(Links))
    {
        PRTL_SPLAY_LINKS Parent = Links->Parent;

        if (!RtlpIsRoot(Parent))
        {
            /* In line with its grandparent the parent goes first, else the node goes twice. */
            RtlpRotateUp(RtlpIsLeft(Links) == RtlpIsLeft(Parent) ? Parent : Links);
        }

        RtlpRotateUp(Links);
    }

    return Links;
}

/**
 * The largest node below the left child, or NULL.
 */
PRTL_SPLAY_LINKS NTAPI RtlSubtreePredecessor(_In_ PRTL_SPLAY_LINKS Links)
{
    PRTL_SPLAY_LINKS Node = Links->LeftChild;

    while (Node != NULL && Node->RightChild != NULL)
    {
        Node = Node->RightChild;
    }

    return Node;
}

/**
 * The smallest node below the right child, or NULL.
 */
PRTL_SPLAY_LINKS NTAPI RtlSubtreeSuccessor(_In_ PRTL_SPLAY_LINKS Links)
{
    PRTL_SPLAY_LINKS Node = Links->RightChild;

    while (Node != NULL && Node->LeftChild != NULL)
    {
        Node = Node->LeftChild;
    }

    return Node;
}

/**
 * The next node in the order of the tree, or NULL.
 */
PRTL_SPLAY_LINKS NTAPI RtlRealSuccessor(_In_ PRTL_SPLAY_LINKS Links)
{
    if (Links->RightChild != NULL)
    {
        return RtlSubtreeSuccessor(Links);
    }

    while (!RtlpIsRoot(Links) && !RtlpIsLeft(Links))
    {
        Links = Links->Parent;
    }

    return RtlpIsRoot(Links) ? NULL : Links->Parent;
}

/**
 * The previous node in the order of the tree, or NULL.
 */
PRTL_SPLAY_LINKS NTAPI RtlRealPredecessor(_In_ PRTL_SPLAY_LINKS Links)
{
    if (Links->LeftChild != NULL)
    {
        return RtlSubtreePredecessor(Links);
    }

    while (!RtlpIsRoot(Links) && RtlpIsLeft(Links))
    {
        Links = Links->Parent;
    }

    return RtlpIsRoot(Links) ? NULL : Links->Parent;
}

/* Lets two nodes change places; Lower lies below Upper's left child. */
static VOID RtlpExchange(PRTL_SPLAY_LINKS Upper, PRTL_SPLAY_LINKS Lower)
{
    RTL_SPLAY_LINKS OldLower = *Lower;
    BOOLEAN Adjacent = OldLower.Parent == Upper;

    RtlpReplaceChild(Upper, Lower);
    Lower->RightChild = Upper->RightChild;
    if (Lower->RightChild != NULL)
    {
        Lower->RightChild->Parent = Lower;
    }

    if (Adjacent)
    {
        Lower->LeftChild = Upper;
        Upper->Parent = Lower;
    }
    else
    {
        Lower->LeftChild = Upper->LeftChild;
        Lower->LeftChild->Parent = Lower;
        OldLower.Parent->RightChild = Upper; /* a predecessor that is no child is a right child */
        Upper->Parent = OldLower.Parent;
    }

    Upper->LeftChild = OldLower.LeftChild;
    Upper->RightChild = OldLower.RightChild;
    if (Upper->LeftChild != NULL)
    {
        Upper->LeftChild->Parent = Upper;
    }
}

/* Takes a node out; returns its parent, or the new root if it was the root, or NULL if it was alone. */
static PRTL_SPLAY_LINKS RtlpRemove(PRTL_SPLAY_LINKS Links, PBOOLEAN WasRoot)
{
    PRTL_SPLAY_LINKS Child;

    if (Links->LeftChild != NULL && Links->RightChild != NULL)
    {
        RtlpExchange(Links, RtlSubtreePredecessor(Links));
    }

    Child = Links->LeftChild != NULL ? Links->LeftChild : Links->RightChild;
    *WasRoot = RtlpIsRoot(Links);
    if (Child != NULL)
    {
        RtlpReplaceChild(Links, Child);
        return *WasRoot ? Child : Links->Parent;
    }

    if (*WasRoot)
    {
        return NULL;
    }

    if (RtlpIsLeft(Links))
    {
        Links->Parent->LeftChild = NULL;
    }
    else
    {
        Links->Parent->RightChild = NULL;
    }

    return Links->Parent;
}

/**
 * Removes a node and splays its parent.
 *
 * @return the new root, or NULL if the tree is empty now
 */
PRTL_SPLAY_LINKS NTAPI RtlDelete(_In_ PRTL_SPLAY_LINKS Links)
{
    BOOLEAN WasRoot;
    PRTL_SPLAY_LINKS Next = RtlpRemove(Links, &WasRoot);

    return Next == NULL || WasRoot ? Next : RtlSplay(Next);
}

/**
 * Removes a node and leaves the shape of the rest alone.
 *
 * @param Root  the tree's root, updated if it changes
 */
VOID NTAPI RtlDeleteNoSplay(_In_ PRTL_SPLAY_LINKS Links, _Inout_ PRTL_SPLAY_LINKS *Root)
{
    BOOLEAN WasRoot;
    PRTL_SPLAY_LINKS Next = RtlpRemove(Links, &WasRoot);

    if (WasRoot || Next == NULL)
    {
        *Root = Next;
        return;
    }

    /* A predecessor may have taken the root's place. */
    while (!RtlpIsRoot(Next))
    {
        Next = Next->Parent;
    }

    *Root = Next;
}
