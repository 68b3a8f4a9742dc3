/* SPDX-License-Identifier: MIT */
/*
 * Lookaside lists. Allocation and freeing from the classic lists are inline in drivers, over the layout of
 * GENERAL_LOOKASIDE; here are their set-up and take-down, and the Ex form.
 */
#include "exp.h"
#include "vf.h"

#define EX_LOOKASIDE_DEPTH 4
#define EX_LOOKASIDE_MAXIMUM 256

/* Special pool wants every block back when it is freed: a list then keeps none. */
static USHORT ExpDepth(USHORT Depth)
{
    return VfOption(VfSpecialPool) ? 0 : Depth;
}

/* Verifier: C4, CA and CD. The smallest block is the link of a free one. */
static VOID ExpCheckNewList(PGENERAL_LOOKASIDE L, SIZE_T Size, PVOID Caller)
{
    ExpCheckNew(ExpLiveLookaside, L, Caller);
    if (Size < sizeof(PVOID) && VfIsChecked(Caller))
    {
        VfCheck(FALSE, 0xCD, (ULONG_PTR)L, Size, sizeof(PVOID));
    }
}

static VOID ExpInitialize(PGENERAL_LOOKASIDE L, POOL_TYPE Type, SIZE_T Size, ULONG Tag, PVOID Caller)
{
    ExpCheckNewList(L, Size, Caller);
    RtlZeroMemory(L, sizeof(*L));
    InitializeSListHead(&L->ListHead);
    ExpEnterLive(ExpLiveLookaside, L, Caller);
    L->Depth = ExpDepth(EX_LOOKASIDE_DEPTH);
    L->MaximumDepth = ExpDepth(EX_LOOKASIDE_MAXIMUM);
    L->Type = Type;
    L->Size = (ULONG)max(Size, sizeof(SLIST_ENTRY));
    L->Tag = Tag;
}

static VOID ExpDelete(PGENERAL_LOOKASIDE L, PVOID Caller)
{
    PSLIST_ENTRY entry;

    ExpLeaveLive(ExpLiveLookaside, L, Caller);
    entry = ExpInterlockedFlushSList(&L->ListHead);
    while (entry != NULL)
    {
        PSLIST_ENTRY next = entry->Next;
        L->Free(entry);
        entry = next;
    }
}

/** Prepares a list of nonpaged blocks. Size in bytes. IRQL <= DISPATCH_LEVEL. */
VOID NTAPI ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate, PFREE_FUNCTION Free, ULONG Flags,
                                           SIZE_T Size, ULONG Tag, USHORT Depth)
{
    UNREFERENCED_PARAMETER(Depth);
    ExpInitialize(&Lookaside->L, NonPagedPool | (Flags & POOL_RAISE_IF_ALLOCATION_FAILURE), Size, Tag,
                  __builtin_return_address(0));
    Lookaside->L.Allocate = Allocate != NULL ? Allocate : ExAllocatePoolWithTag;
    Lookaside->L.Free = Free != NULL ? Free : ExFreePool;
}

VOID NTAPI ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside)
{
    ExpDelete(&Lookaside->L, __builtin_return_address(0));
}

/** Prepares a list of pageable blocks. Size in bytes. IRQL <= APC_LEVEL. */
VOID NTAPI ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate, PFREE_FUNCTION Free, ULONG Flags,
                                          SIZE_T Size, ULONG Tag, USHORT Depth)
{
    UNREFERENCED_PARAMETER(Depth);
    ExpInitialize(&Lookaside->L, PagedPool | (Flags & POOL_RAISE_IF_ALLOCATION_FAILURE), Size, Tag,
                  __builtin_return_address(0));
    Lookaside->L.Allocate = Allocate != NULL ? Allocate : ExAllocatePoolWithTag;
    Lookaside->L.Free = Free != NULL ? Free : ExFreePool;
}

VOID NTAPI ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside)
{
    ExpDelete(&Lookaside->L, __builtin_return_address(0));
}

/* The pool's own routines, called by the driver itself, so that the driver is whom the block belongs to. They take no
   notice of the last argument. */
#define ExpPoolAllocateEx ((PALLOCATE_FUNCTION_EX)(PVOID)ExAllocatePoolWithTag)
#define ExpPoolFreeEx ((PFREE_FUNCTION_EX)(PVOID)ExFreePool)

/** Prepares a list with allocation routines that know their list. IRQL <= DISPATCH_LEVEL. */
NTSTATUS NTAPI ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PALLOCATE_FUNCTION_EX Allocate, PFREE_FUNCTION_EX Free,
                                           POOL_TYPE PoolType, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth)
{
    PGENERAL_LOOKASIDE list = (PGENERAL_LOOKASIDE)&Lookaside->L;

    UNREFERENCED_PARAMETER(Depth);
    if ((Flags & ~(EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL | EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE)) != 0 ||
        Flags == (EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL | EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE))
    {
        return STATUS_INVALID_PARAMETER_5;
    }
    ExpCheckNewList(list, Size, __builtin_return_address(0));
    RtlZeroMemory(Lookaside, sizeof(*Lookaside));
    InitializeSListHead(&list->ListHead);
    ExpEnterLive(ExpLiveLookaside, list, __builtin_return_address(0));
    list->Depth = ExpDepth(EX_LOOKASIDE_DEPTH);
    list->MaximumDepth = ExpDepth(EX_LOOKASIDE_MAXIMUM);
    list->Type = PoolType;
    if ((Flags & EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL) != 0)
    {
        list->Type |= POOL_RAISE_IF_ALLOCATION_FAILURE;
    }
    list->Size = (ULONG)max(Size, sizeof(SLIST_ENTRY));
    list->Tag = Tag;
    list->AllocateEx = Allocate != NULL ? Allocate : ExpPoolAllocateEx;
    list->FreeEx = Free != NULL ? Free : ExpPoolFreeEx;
    return STATUS_SUCCESS;
}

VOID NTAPI ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    PSLIST_ENTRY entry = ExpInterlockedFlushSList(&Lookaside->L.ListHead);

    while (entry != NULL)
    {
        PSLIST_ENTRY next = entry->Next;
        Lookaside->L.FreeEx(entry, Lookaside);
        entry = next;
    }
}

VOID NTAPI ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside)
{
    ExpLeaveLive(ExpLiveLookaside, Lookaside, __builtin_return_address(0));
    ExFlushLookasideListEx(Lookaside);
}
