/* SPDX-License-Identifier: MIT */
/*
 * Interlocked lists. The ExInterlocked*List routines take the caller's spin lock with interrupts off, so they work at any
 * IRQL, as documented. Sequenced lists (SLIST) are locked here too, by a lock chosen from the header's address: popping
 * without a lock must read a block that another processor may just have freed, and that fault would have to be hidden.
 */
#include "exp.h"

#define EX_SLIST_LOCKS 64

static KSPIN_LOCK ExpSListLocks[EX_SLIST_LOCKS];

static PKSPIN_LOCK ExpSListLock(PSLIST_HEADER Header)
{
    return &ExpSListLocks[((ULONG_PTR)Header >> 4) % EX_SLIST_LOCKS];
}

/* The header as this kernel uses it: a depth, a count of changes, and the first entry. Drivers see only the 16 bytes. */
static PSLIST_ENTRY ExpSListFirst(PSLIST_HEADER Header)
{
    return (PSLIST_ENTRY)(ULONG_PTR)(Header->Region & ~15ULL);
}

static VOID ExpSListSet(PSLIST_HEADER Header, PSLIST_ENTRY First, ULONG Depth)
{
    ULONG64 sequence = (Header->Alignment >> 16) + 1;

    Header->Alignment = (sequence << 16) | (Depth & 0xFFFF);
    Header->Region = (ULONG_PTR)First;
}

/** Makes a sequenced list empty. The header must be 16-byte aligned (STATUS_DATATYPE_MISALIGNMENT is raised). Any IRQL. */
VOID InitializeSListHead(PSLIST_HEADER SListHead)
{
    if (((ULONG_PTR)SListHead & 15) != 0)
    {
        ExRaiseDatatypeMisalignment();
    }
    SListHead->Alignment = 0;
    SListHead->Region = 0;
}

PSLIST_ENTRY FASTCALL ExpInterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry)
{
    PKSPIN_LOCK lock = ExpSListLock(ListHead);
    BOOLEAN enabled = ExpLockInterrupts(lock);
    PSLIST_ENTRY first = ExpSListFirst(ListHead);

    ListEntry->Next = first;
    ExpSListSet(ListHead, ListEntry, (ULONG)ListHead->Alignment + 1);
    ExpUnlockInterrupts(lock, enabled);
    return first;
}

PSLIST_ENTRY FASTCALL ExpInterlockedPopEntrySList(PSLIST_HEADER ListHead)
{
    PKSPIN_LOCK lock = ExpSListLock(ListHead);
    BOOLEAN enabled;
    PSLIST_ENTRY first;

    if (ExpSListFirst(ListHead) == NULL)
    {
        return NULL; /* an empty list needs no lock */
    }
    enabled = ExpLockInterrupts(lock);
    first = ExpSListFirst(ListHead);
    if (first != NULL)
    {
        ExpSListSet(ListHead, first->Next, (ULONG)ListHead->Alignment - 1);
    }
    ExpUnlockInterrupts(lock, enabled);
    return first;
}

PSLIST_ENTRY FASTCALL ExpInterlockedFlushSList(PSLIST_HEADER ListHead)
{
    PKSPIN_LOCK lock = ExpSListLock(ListHead);
    BOOLEAN enabled = ExpLockInterrupts(lock);
    PSLIST_ENTRY first = ExpSListFirst(ListHead);

    ExpSListSet(ListHead, NULL, 0);
    ExpUnlockInterrupts(lock, enabled);
    return first;
}

/* The header's inline reads the layout of its own; the depth lies in the same place. */
#undef ExQueryDepthSList
USHORT ExQueryDepthSList(PSLIST_HEADER ListHead)
{
    return (USHORT)ListHead->Alignment;
}

PLIST_ENTRY FASTCALL ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    BOOLEAN enabled = ExpLockInterrupts(Lock);
    PLIST_ENTRY first = IsListEmpty(ListHead) ? NULL : ListHead->Flink;

    InsertHeadList(ListHead, ListEntry);
    ExpUnlockInterrupts(Lock, enabled);
    return first;
}

PLIST_ENTRY FASTCALL ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    BOOLEAN enabled = ExpLockInterrupts(Lock);
    PLIST_ENTRY last = IsListEmpty(ListHead) ? NULL : ListHead->Blink;

    InsertTailList(ListHead, ListEntry);
    ExpUnlockInterrupts(Lock, enabled);
    return last;
}

PLIST_ENTRY FASTCALL ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    BOOLEAN enabled = ExpLockInterrupts(Lock);
    PLIST_ENTRY first = IsListEmpty(ListHead) ? NULL : RemoveHeadList(ListHead);

    ExpUnlockInterrupts(Lock, enabled);
    return first;
}

PSINGLE_LIST_ENTRY FASTCALL ExInterlockedPushEntryList(PSINGLE_LIST_ENTRY ListHead, PSINGLE_LIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    BOOLEAN enabled = ExpLockInterrupts(Lock);
    PSINGLE_LIST_ENTRY first = ListHead->Next;

    ListEntry->Next = first;
    ListHead->Next = ListEntry;
    ExpUnlockInterrupts(Lock, enabled);
    return first;
}

PSINGLE_LIST_ENTRY FASTCALL ExInterlockedPopEntryList(PSINGLE_LIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    BOOLEAN enabled = ExpLockInterrupts(Lock);
    PSINGLE_LIST_ENTRY first = ListHead->Next;

    if (first != NULL)
    {
        ListHead->Next = first->Next;
    }
    ExpUnlockInterrupts(Lock, enabled);
    return first;
}

ULONG FASTCALL ExInterlockedAddUlong(PULONG Addend, ULONG Increment, PKSPIN_LOCK Lock)
{
    BOOLEAN enabled = ExpLockInterrupts(Lock);
    ULONG old = *Addend;

    *Addend = old + Increment;
    ExpUnlockInterrupts(Lock, enabled);
    return old;
}

LARGE_INTEGER ExInterlockedAddLargeInteger(PLARGE_INTEGER Addend, LARGE_INTEGER Increment, PKSPIN_LOCK Lock)
{
    BOOLEAN enabled = ExpLockInterrupts(Lock);
    LARGE_INTEGER old = *Addend;

    Addend->QuadPart += Increment.QuadPart;
    ExpUnlockInterrupts(Lock, enabled);
    return old;
}
