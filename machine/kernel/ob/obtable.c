/* SPDX-License-Identifier: MIT */
/*
 * Handle tables: three levels of arrays that only ever grow, so that a lookup needs no lock on the table. Each entry
 * has a lock bit of its own, held at DISPATCH_LEVEL for the few instructions that turn it into a reference.
 * Processes use a table for their handles, PS uses one for process and thread ids.
 */
#include "obp.h"

/**
 * Makes an empty table. Entry 0 is never given out, so that 0 is no handle.
 *
 * @param KeepFree  entries that have to be free before one of them is used again (0 for handles; ids should rest)
 * @return the table, or NULL without memory. IRQL <= DISPATCH_LEVEL.
 */
PHANDLE_TABLE ObpCreateTable(ULONG KeepFree)
{
    PHANDLE_TABLE table = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*table), OBP_TAG_TABLE);
    if (table == NULL)
    {
        return NULL;
    }
    RtlZeroMemory(table, sizeof(*table));
    KeInitializeSpinLock(&table->Lock);
    table->NextUnused = 1;
    table->KeepFree = KeepFree;
    return table;
}

/**
 * Frees a table that nobody can reach any more. Entries still in use are the caller's business. IRQL <= DISPATCH_LEVEL.
 */
VOID ObpDeleteTable(PHANDLE_TABLE Table)
{
    for (ULONG top = 0; top < OBP_TOP_MIDDLES; top++)
    {
        if (Table->Middles[top] == NULL)
        {
            continue;
        }
        for (ULONG middle = 0; middle < OBP_MIDDLE_BLOCKS; middle++)
        {
            if (Table->Middles[top][middle] != NULL)
            {
                ExFreePoolWithTag(Table->Middles[top][middle], OBP_TAG_TABLE);
            }
        }
        ExFreePoolWithTag(Table->Middles[top], OBP_TAG_TABLE);
    }
    ExFreePoolWithTag(Table, OBP_TAG_TABLE);
}

/** The entry of an index, or NULL if its block does not exist. Any IRQL. */
OBP_ENTRY *ObpEntryAt(PHANDLE_TABLE Table, ULONG Index)
{
    if (Index == 0 || Index >= OBP_MAX_ENTRIES)
    {
        return NULL;
    }
    ULONG block = Index / OBP_BLOCK_ENTRIES;
    OBP_ENTRY **middle = __atomic_load_n(&Table->Middles[block / OBP_MIDDLE_BLOCKS], __ATOMIC_ACQUIRE);
    if (middle == NULL)
    {
        return NULL;
    }
    OBP_ENTRY *entries = __atomic_load_n(&middle[block % OBP_MIDDLE_BLOCKS], __ATOMIC_ACQUIRE);
    return entries == NULL ? NULL : &entries[Index % OBP_BLOCK_ENTRIES];
}

/* Installs Memory in a slot unless another processor was faster. */
static VOID ObpInstall(PVOID *Slot, PVOID Memory)
{
    if (InterlockedCompareExchangePointer(Slot, Memory, NULL) != NULL)
    {
        ExFreePoolWithTag(Memory, OBP_TAG_TABLE);
    }
}

static PVOID ObpAllocateZeroed(SIZE_T Size)
{
    PVOID memory = ExAllocatePoolWithTag(NonPagedPoolNx, Size, OBP_TAG_TABLE);
    if (memory != NULL)
    {
        RtlZeroMemory(memory, Size);
    }
    return memory;
}

static BOOLEAN ObpGrow(PHANDLE_TABLE Table, ULONG Index)
{
    ULONG block = Index / OBP_BLOCK_ENTRIES;
    OBP_ENTRY ***top = &Table->Middles[block / OBP_MIDDLE_BLOCKS];
    if (*top == NULL)
    {
        PVOID middle = ObpAllocateZeroed(OBP_MIDDLE_BLOCKS * sizeof(OBP_ENTRY *));
        if (middle == NULL)
        {
            return FALSE;
        }
        ObpInstall((PVOID *)top, middle);
    }
    OBP_ENTRY **slot = &(*top)[block % OBP_MIDDLE_BLOCKS];
    if (*slot == NULL)
    {
        PVOID entries = ObpAllocateZeroed(OBP_BLOCK_ENTRIES * sizeof(OBP_ENTRY));
        if (entries == NULL)
        {
            return FALSE;
        }
        ObpInstall((PVOID *)slot, entries);
    }
    return TRUE;
}

/* Takes an index under the table's lock: from the free list, or the next never used one if its block is there. */
static ULONG ObpTakeIndexLocked(PHANDLE_TABLE Table)
{
    ULONG index = 0;
    if (Table->FreeHead != 0 && (Table->FreeCount > Table->KeepFree || Table->NextUnused >= OBP_MAX_ENTRIES))
    {
        index = Table->FreeHead;
        OBP_ENTRY *entry = ObpEntryAt(Table, index);
        Table->FreeHead = entry->NextFree;
        if (Table->FreeHead == 0)
        {
            Table->FreeTail = 0;
        }
        Table->FreeCount--;
    }
    else if (Table->NextUnused < OBP_MAX_ENTRIES && ObpEntryAt(Table, Table->NextUnused) != NULL)
    {
        index = Table->NextUnused++;
    }
    return index;
}

ULONG ObpAllocateIndex(PHANDLE_TABLE Table, NTSTATUS *Status)
{
    for (;;)
    {
        KIRQL irql;
        KeAcquireSpinLock(&Table->Lock, &irql);
        ULONG wanted = Table->NextUnused;
        BOOLEAN dead = Table->Dead;
        ULONG index = dead ? 0 : ObpTakeIndexLocked(Table);
        if (index != 0)
        {
            Table->Count++;
        }
        KeReleaseSpinLock(&Table->Lock, irql);

        if (index != 0)
        {
            *Status = STATUS_SUCCESS;
            return index;
        }
        if (dead)
        {
            *Status = STATUS_PROCESS_IS_TERMINATING;
            return 0;
        }
        if (wanted >= OBP_MAX_ENTRIES || !ObpGrow(Table, wanted))
        {
            *Status = STATUS_INSUFFICIENT_RESOURCES;
            return 0;
        }
    }
}

VOID ObpPublishEntry(PHANDLE_TABLE Table, ULONG Index, ULONG_PTR Value, ACCESS_MASK Granted)
{
    OBP_ENTRY *entry = ObpEntryAt(Table, Index);
    entry->Granted = Granted;
    __atomic_store_n(&entry->Value, Value, __ATOMIC_RELEASE);
}

/** Gives a slot back. Its entry must read as free already. IRQL <= DISPATCH_LEVEL. */
VOID ObpFreeIndex(PHANDLE_TABLE Table, ULONG Index)
{
    OBP_ENTRY *entry = ObpEntryAt(Table, Index);
    KIRQL irql;
    KeAcquireSpinLock(&Table->Lock, &irql);
    if (Table->KeepFree == 0)
    {
        entry->NextFree = Table->FreeHead;
        Table->FreeHead = Index;
        if (Table->FreeTail == 0)
        {
            Table->FreeTail = Index;
        }
    }
    else
    {
        entry->NextFree = 0;
        if (Table->FreeTail != 0)
        {
            ObpEntryAt(Table, Table->FreeTail)->NextFree = Index;
        }
        else
        {
            Table->FreeHead = Index;
        }
        Table->FreeTail = Index;
    }
    Table->FreeCount++;
    Table->Count--;
    KeReleaseSpinLock(&Table->Lock, irql);
}

OBP_ENTRY *ObpLockEntry(PHANDLE_TABLE Table, ULONG_PTR Handle, PKIRQL OldIrql)
{
    ULONG_PTR index = Handle >> 2; /* the two low bits belong to the program */
    if (index >= OBP_MAX_ENTRIES)
    {
        return NULL;
    }
    OBP_ENTRY *entry = ObpEntryAt(Table, (ULONG)index);
    if (entry == NULL)
    {
        return NULL;
    }
    KeRaiseIrql(DISPATCH_LEVEL, OldIrql);
    for (;;)
    {
        ULONG_PTR value = entry->Value;
        if (value == 0)
        {
            KeLowerIrql(*OldIrql);
            return NULL;
        }
        if ((value & OBP_ENTRY_LOCKED) != 0)
        {
            YieldProcessor();
            continue;
        }
        ULONG_PTR expected = value;
        if (__atomic_compare_exchange_n(&entry->Value, &expected, value | OBP_ENTRY_LOCKED, FALSE, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
        {
            return entry;
        }
    }
}

/** Ends ObpLockEntry; an entry that was emptied meanwhile stays empty. */
VOID ObpUnlockEntry(OBP_ENTRY *Entry, KIRQL OldIrql)
{
    __atomic_store_n(&Entry->Value, Entry->Value & ~OBP_ENTRY_LOCKED, __ATOMIC_RELEASE);
    KeLowerIrql(OldIrql);
}

/* ---- tables of ids ---- */

/* Ids that were freed last stay unused for a while, so that a stale one is not soon somebody else's. */
#define OBP_RESTING_IDS 64

struct _HANDLE_TABLE *ObCreateIdTable(VOID)
{
    return ObpCreateTable(OBP_RESTING_IDS);
}

HANDLE ObAllocateId(_In_ struct _HANDLE_TABLE *Table)
{
    NTSTATUS status;
    return (HANDLE)((ULONG_PTR)ObpAllocateIndex(Table, &status) << 2);
}

/** Lets look-ups find Object under a reserved id. No reference is taken: ObRemoveId comes before the object goes. */
VOID ObPublishId(_In_ struct _HANDLE_TABLE *Table, _In_ HANDLE Id, _In_ PVOID Object)
{
    ObpPublishEntry(Table, (ULONG)((ULONG_PTR)Id >> 2), (ULONG_PTR)ObpHeader(Object), 0);
}

PVOID ObReferenceId(_In_ struct _HANDLE_TABLE *Table, _In_ HANDLE Id, _In_ POBJECT_TYPE Type)
{
    KIRQL irql;
    PVOID object = NULL;
    OBP_ENTRY *entry = ObpLockEntry(Table, (ULONG_PTR)Id, &irql);
    if (entry == NULL)
    {
        return NULL;
    }
    OBP_HEADER *header = ObpEntryHeader(entry);
    if (header->Type == Type && ObpReferenceSafe(header))
    {
        object = header->Body;
    }
    ObpUnlockEntry(entry, irql);
    return object;
}

/** Frees an id, published or only reserved. <= DISPATCH_LEVEL. */
VOID ObRemoveId(_In_ struct _HANDLE_TABLE *Table, _In_ HANDLE Id)
{
    KIRQL irql;
    OBP_ENTRY *entry = ObpLockEntry(Table, (ULONG_PTR)Id, &irql);
    if (entry != NULL)
    {
        __atomic_store_n(&entry->Value, 0, __ATOMIC_RELEASE);
        KeLowerIrql(irql);
    }
    ObpFreeIndex(Table, (ULONG)((ULONG_PTR)Id >> 2));
}
