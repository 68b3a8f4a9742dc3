/* SPDX-License-Identifier: MIT */
/*
 * The user half of a process's page tables: walking, emptying, freeing. WorkingSetLock held throughout.
 *
 * Page numbers have 36 bits: 9 for each level. Tables are made when first needed and freed with the last VAD in
 * their range.
 */
#include "mmp.h"

#define MI_BATCH 64

static PMMPTE MipTopTable(PEPROCESS Process)
{
    return MiPhysicalToVirtual(Process->Pcb.DirectoryTableBase & MI_PTE_PFN_MASK);
}

PMMPTE MiUserPte(PEPROCESS Process, ULONG_PTR Page, BOOLEAN Create)
{
    PMMPTE found = MiFindUserPte(Process, Page);
    PMMPTE table;

    if (found != NULL || !Create)
    {
        return found;
    }
    table = MipTopTable(Process);
    for (ULONG shift = 27; shift != 0; shift -= 9)
    {
        PMMPTE entry = &table[(Page >> shift) & 511];
        if ((*entry & MI_PTE_VALID) == 0)
        {
            PFN_NUMBER pfn = MiAllocatePage(MI_ALLOCATE_ZEROED | MI_ALLOCATE_USER, MiPagePageTable);
            if (pfn == 0)
            {
                return NULL;
            }
            Process->Space.PageTablePages++;
            *entry = ((ULONG64)pfn << PAGE_SHIFT) | MI_PTE_TABLE | MI_PTE_USER;
        }
        table = MiPhysicalToVirtual(*entry & MI_PTE_PFN_MASK);
    }
    return &table[Page & 511];
}

/* The entry of level Shift (9: page directory ...) for Page; NULL: a level above is missing, *Page moves behind its
   range. */
static PMMPTE MipTableEntry(PEPROCESS Process, PULONG_PTR Page, ULONG Shift)
{
    PMMPTE table = MipTopTable(Process);

    for (ULONG shift = 27; shift != Shift; shift -= 9)
    {
        PMMPTE entry = &table[(*Page >> shift) & 511];
        if ((*entry & MI_PTE_VALID) == 0)
        {
            *Page = ((*Page >> shift) + 1) << shift;
            return NULL;
        }
        table = MiPhysicalToVirtual(*entry & MI_PTE_PFN_MASK);
    }
    return &table[(*Page >> Shift) & 511];
}

PMMPTE MiNextUserPte(PEPROCESS Process, PULONG_PTR Page, ULONG_PTR End)
{
    while (*Page <= End)
    {
        PMMPTE entry = MipTableEntry(Process, Page, 0);
        if (entry != NULL)
        {
            return entry;
        }
    }
    return NULL;
}

VOID MiDeleteUserRange(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End, MMPTE Leave)
{
    PFN_NUMBER batch[MI_BATCH];
    ULONG count = 0;
    ULONG_PTR flushFrom = 0, flushTo = 0;
    BOOLEAN flush = FALSE;
    ULONG_PTR page = Start;
    PMMPTE entry;

    while ((entry = MiNextUserPte(Process, &page, End)) != NULL)
    {
        ULONG_PTR stop = min(End, page | 511);
        for (; page <= stop; page++, entry++)
        {
            ULONG64 old;
            if (*entry == 0)
            {
                *entry = Leave;
                continue;
            }
            old = (ULONG64)InterlockedExchange64((volatile LONG64 *)entry, (LONG64)Leave);
            if ((old & MI_PTE_VALID) == 0)
            {
                if (MI_SOFT_KIND(old) == MiSoftPageFile)
                {
                    MiFreePageFileSlot(MI_PTE_PFN(old));
                }
                else if (MI_SOFT_KIND(old) == MiSoftTransition)
                {
                    MiReleasePage(MI_PTE_PFN(old)); /* flushed when it became that */
                }
                continue;
            }
            flushFrom = flush ? flushFrom : page;
            flushTo = page;
            flush = TRUE;
            if ((old & MI_PTE_PHYSICAL) == 0)
            {
                Process->Space.WorkingSetPages--;
            }
            else if (!MiIsMemory(MI_PTE_PFN(old)))
            {
                continue;
            }
            batch[count++] = MI_PTE_PFN(old);
            if (count == MI_BATCH)
            {
                KeFlushTb(&Process->Pcb, MI_VA(flushFrom), flushTo - flushFrom + 1);
                MiReleasePages(batch, count);
                count = 0;
                flush = FALSE;
            }
        }
    }
    if (flush)
    {
        KeFlushTb(&Process->Pcb, MI_VA(flushFrom), flushTo - flushFrom + 1);
    }
    MiReleasePages(batch, count);
}

/* Tables that have been taken out are chained by their first entry, whose bit 0 stays clear: a processor that still
   walks through one, until the flush, finds nothing there. */
static VOID MipFreeChain(PEPROCESS Process, PFN_NUMBER Chain)
{
    if (Chain == 0)
    {
        return;
    }
    KeFlushTb(&Process->Pcb, NULL, 0);
    while (Chain != 0)
    {
        PFN_NUMBER next = *(ULONG64 *)MiPfnToVirtual(Chain) >> PAGE_SHIFT;
        Process->Space.PageTablePages--;
        MiReleasePage(Chain);
        Chain = next;
    }
}

/* Takes out the tables of one level that lie in the hole and cover a part of [Start, End]. */
static PFN_NUMBER MipUnlinkTables(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End, ULONG_PTR HoleStart,
                                  ULONG_PTR HoleEnd, ULONG Shift, PFN_NUMBER Chain)
{
    ULONG_PTR span = 1ULL << Shift;
    ULONG_PTR page = max(Start & ~(span - 1), (HoleStart + span - 1) & ~(span - 1));

    while (page <= End && page + span - 1 <= HoleEnd)
    {
        ULONG_PTR here = page;
        PMMPTE entry = MipTableEntry(Process, &page, Shift);
        if (entry == NULL)
        {
            continue;
        }
        if (*entry & MI_PTE_VALID)
        {
            PFN_NUMBER table = MI_PTE_PFN(*entry);
            *entry = 0;
            *(volatile ULONG64 *)MiPfnToVirtual(table) = Chain << PAGE_SHIFT;
            Chain = table;
        }
        page = here + span;
    }
    return Chain;
}

MI_KEEPS_REGISTERS VOID MiFreeTablesIn(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End, MI_HOLE Hole)
{
    PFN_NUMBER chain = 0;

    for (ULONG shift = 9; shift <= 27; shift += 9)
    {
        chain = MipUnlinkTables(Process, Start, End, Hole.Start, Hole.End, shift, chain);
    }
    MipFreeChain(Process, chain);
}

VOID MiFreeUserTables(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End)
{
    MI_HOLE hole;

    if (MiFindVadAndHole(MiSpace(Process), Start, &hole) == NULL) /* else it is in use again */
    {
        MiFreeUserTablesIn(Process, Start, End, hole);
    }
}

VOID MiFreeAllUserTables(PEPROCESS Process)
{
    PFN_NUMBER chain = 0;

    for (ULONG shift = 9; shift <= 27; shift += 9)
    {
        chain = MipUnlinkTables(Process, 0, (1ULL << 35) - 1, 0, (1ULL << 35) - 1, shift, chain);
    }
    MipFreeChain(Process, chain);
}
