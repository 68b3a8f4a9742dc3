/* SPDX-License-Identifier: MIT */
/*
 * The tree of a process's VADs: balanced (AVL), by page number, without overlaps; AddressSpaceLock held.
 *
 * Each VAD knows its parent, so that one that is found is taken out without another way down, and which of its sides is
 * the higher one by a level. On the way up a change ends where it does not change the height.
 */
#include "mmp.h"

/* Which child of its parent it is. */
static inline ULONG MipSide(PMMVAD Parent, PMMVAD Vad)
{
    return Parent->Child[1] == Vad;
}

/* Puts New, which may be NULL, where Old is below Parent (NULL: at the top). */
static inline VOID MipReplace(MM_ADDRESS_SPACE *Space, PMMVAD Parent, PMMVAD Old, PMMVAD New)
{
    PMMVAD *link = Parent != NULL ? &Parent->Child[MipSide(Parent, Old)] : &Space->Vads;

    *link = New;
    if (New != NULL)
    {
        New->Parent = Parent;
    }
}

/* Lifts the child on a side above its parent; balances are the caller's. Returns the child. */
static PMMVAD MipRotate(MM_ADDRESS_SPACE *Space, PMMVAD Vad, ULONG Side)
{
    PMMVAD child = Vad->Child[Side];
    PMMVAD moved = child->Child[1 - Side];

    MipReplace(Space, Vad->Parent, Vad, child);
    child->Child[1 - Side] = Vad;
    Vad->Parent = child;
    Vad->Child[Side] = moved;
    if (moved != NULL)
    {
        moved->Parent = Vad;
    }
    return child;
}

/*
 * A side is two levels higher than the other (Balance says 2 or -2). Returns the new top; its balance is not 0 only if
 * the height stays as it is, which happens when a VAD was taken out.
 *
 *         v               c                   v                g
 *        / \             / \                 / \             /   \
 *       .   c    ->     v   .      or       .   c    ->     v     c
 *          / \         / \                     / \         / \   / \
 *         .   .       .   .                   g   .       .   . .   .
 */
static MI_KEEPS_REGISTERS PMMVAD MipStraighten(MM_ADDRESS_SPACE *Space, PMMVAD Vad)
{
    ULONG side = Vad->Balance > 0;
    LONG sign = side ? 1 : -1;
    PMMVAD child = Vad->Child[side];
    PMMVAD grandchild;

    if (child->Balance != -sign)
    {
        Vad->Balance = child->Balance == 0 ? sign : 0;
        child->Balance = child->Balance == 0 ? -sign : 0;
        return MipRotate(Space, Vad, side);
    }
    grandchild = child->Child[1 - side];
    Vad->Balance = grandchild->Balance == sign ? -sign : 0;
    child->Balance = grandchild->Balance == -sign ? sign : 0;
    grandchild->Balance = 0;
    MipRotate(Space, child, 1 - side);
    return MipRotate(Space, Vad, side);
}

VOID MiInsertVad(MM_ADDRESS_SPACE *Space, PMMVAD Vad)
{
    PMMVAD parent = NULL;
    PMMVAD *link = &Space->Vads;

    while (*link != NULL)
    {
        parent = *link;
        link = &parent->Child[Vad->Start > parent->Start];
    }
    *link = Vad;
    Vad->Child[0] = Vad->Child[1] = NULL;
    Vad->Parent = parent;
    Vad->Balance = 0;
    for (PMMVAD grown = Vad; parent != NULL; grown = parent, parent = parent->Parent)
    {
        parent->Balance += 2 * (LONG)MipSide(parent, grown) - 1;
        if (parent->Balance == 0)
        {
            break;
        }
        if (parent->Balance != 1 && parent->Balance != -1)
        {
            MipStraighten(Space, parent);
            break;
        }
    }
    Space->VirtualSize += (Vad->End - Vad->Start + 1) << PAGE_SHIFT;
    Space->PeakVirtualSize = max(Space->PeakVirtualSize, Space->VirtualSize);
}

/* Exchanges the places of a VAD with two children and of the next one, which has one at most. */
static MI_KEEPS_REGISTERS VOID MipSinkVad(MM_ADDRESS_SPACE *Space, PMMVAD Vad)
{
    PMMVAD next = Vad->Child[1];
    PMMVAD parent, child;

    while (next->Child[0] != NULL)
    {
        next = next->Child[0];
    }
    parent = next->Parent;
    child = next->Child[1];
    MipReplace(Space, Vad->Parent, Vad, next);
    next->Balance = Vad->Balance;
    next->Child[0] = Vad->Child[0];
    next->Child[0]->Parent = next;
    if (parent == Vad)
    {
        next->Child[1] = Vad;
        parent = next;
    }
    else
    {
        next->Child[1] = Vad->Child[1];
        next->Child[1]->Parent = next;
        parent->Child[0] = Vad;
    }
    Vad->Parent = parent;
    Vad->Child[0] = NULL;
    Vad->Child[1] = child;
    if (child != NULL)
    {
        child->Parent = Vad;
    }
}

VOID MiRemoveVad(MM_ADDRESS_SPACE *Space, PMMVAD Vad)
{
    PMMVAD parent, child;
    ULONG side;

    if (Vad->Child[0] != NULL && Vad->Child[1] != NULL)
    {
        MipSinkVad(Space, Vad);
    }
    parent = Vad->Parent;
    side = parent != NULL ? MipSide(parent, Vad) : 0;
    child = Vad->Child[Vad->Child[0] == NULL];
    *(parent != NULL ? &parent->Child[side] : &Space->Vads) = child;
    if (child != NULL)
    {
        child->Parent = parent;
    }
    while (parent != NULL) /* its child on this side is a level lower now */
    {
        PMMVAD top = parent;
        LONG step = side ? -1 : 1;
        LONG balance = parent->Balance + step;
        parent->Balance = balance;
        if (balance == step)
        {
            break; /* it was even: as high as before */
        }
        if (balance != 0)
        {
            top = MipStraighten(Space, parent);
            if (top->Balance != 0)
            {
                break;
            }
        }
        parent = top->Parent;
        side = parent != NULL ? MipSide(parent, top) : 0;
    }
    Space->LowestFree = min(Space->LowestFree, Vad->Start & ~(ULONG_PTR)(MI_GRANULARITY_PAGES - 1));
    Space->VirtualSize -= (Vad->End - Vad->Start + 1) << PAGE_SHIFT;
}

PMMVAD MiFindVad(MM_ADDRESS_SPACE *Space, ULONG_PTR Page)
{
    PMMVAD vad = Space->Vads;

    while (vad != NULL)
    {
        if (Page < vad->Start)
        {
            vad = vad->Child[0];
        }
        else if (Page > vad->End)
        {
            vad = vad->Child[1];
        }
        else
        {
            break;
        }
    }
    return vad;
}

PMMVAD MiFindVadFrom(MM_ADDRESS_SPACE *Space, ULONG_PTR Page)
{
    PMMVAD best = NULL;

    for (PMMVAD vad = Space->Vads; vad != NULL;)
    {
        best = vad->End >= Page ? vad : best;
        vad = vad->Child[vad->End < Page];
    }
    return best;
}

PMMVAD MiFindVadBelow(MM_ADDRESS_SPACE *Space, ULONG_PTR Page)
{
    PMMVAD best = NULL;

    for (PMMVAD vad = Space->Vads; vad != NULL;)
    {
        best = vad->Start <= Page ? vad : best;
        vad = vad->Child[vad->Start <= Page];
    }
    return best;
}
