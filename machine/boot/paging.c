/* SPDX-License-Identifier: MIT */
/* The page tables the kernel starts with. The layout is drawn in bootblock.h. */
#include "boot.h"

#include <string.h>

#define PTE_PRESENT 0x001ull
#define PTE_WRITE 0x002ull
#define PTE_ACCESSED 0x020ull
#define PTE_DIRTY 0x040ull
#define PTE_LARGE 0x080ull
#define PTE_GLOBAL 0x100ull
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS 0x000FFFFFFFFFF000ull

#define LEVEL_PTE 1u
#define LEVEL_PDE 2u
#define LEVEL_PML4E 4u

#define LOW_MEMORY_END 0x100000ull

/* Accessed and dirty are set from the start: the processor need not write them, and nobody reads them here. */
#define PTE_DATA (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL | PTE_NO_EXECUTE)

typedef struct RUN
{
    uint64_t Base;
    uint64_t End;
} RUN;

/* Tables lie below 4 GB, where the loader's identity map reaches them, and above 2 MB, to leave low memory alone. */
static uint64_t PagingNewTable(MEMORY_MAP *Map)
{
    uint64_t table;

    if (!MemoryMapAllocate(Map, BOOT_LARGE_PAGE_SIZE, BOOT_4GB, BOOT_PAGE_SIZE, BootMemoryPageTables, &table))
    {
        BootRefuse("memory", "is not enough for the page tables; give the machine more");
    }
    memset((void *)(uintptr_t)table, 0, BOOT_PAGE_SIZE);
    return table;
}

/* The entry of Virtual at a level; makes the tables above it. */
static uint64_t *PagingEntry(MEMORY_MAP *Map, uint64_t Pml4, uint64_t Virtual, unsigned Level)
{
    uint64_t table = Pml4;

    for (unsigned level = LEVEL_PML4E;; level--)
    {
        uint64_t *entry = (uint64_t *)(uintptr_t)table + (Virtual >> (12 + 9 * (level - 1)) & 511);

        if (level == Level)
        {
            return entry;
        }
        if ((*entry & PTE_PRESENT) == 0)
        {
            *entry = PagingNewTable(Map) | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
        }
        table = *entry & PTE_ADDRESS;
    }
}

uint64_t PagingCreate(MEMORY_MAP *Map)
{
    uint64_t pml4 = PagingNewTable(Map);

    *PagingEntry(Map, pml4, 0, LEVEL_PDE) = PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_LARGE;
    return pml4;
}

void PagingMap(MEMORY_MAP *Map, uint64_t Pml4, uint64_t Virtual, uint64_t Physical, uint64_t Size, bool Write,
               bool Execute)
{
    uint64_t bits = PTE_PRESENT | PTE_ACCESSED | PTE_GLOBAL;

    bits |= Write ? PTE_WRITE | PTE_DIRTY : 0;
    bits |= Execute ? 0 : PTE_NO_EXECUTE;
    for (uint64_t offset = 0; offset < Size; offset += BOOT_PAGE_SIZE)
    {
        *PagingEntry(Map, Pml4, Virtual + offset, LEVEL_PTE) = (Physical + offset) | bits;
    }
}

static void PagingMapRun(MEMORY_MAP *Map, uint64_t Pml4, const RUN *Run)
{
    uint64_t base = Run->Base;

    while (base < Run->End)
    {
        if ((base & (BOOT_LARGE_PAGE_SIZE - 1)) == 0 && Run->End - base >= BOOT_LARGE_PAGE_SIZE)
        {
            *PagingEntry(Map, Pml4, BOOT_DIRECT_MAP + base, LEVEL_PDE) = base | PTE_DATA | PTE_LARGE;
            base += BOOT_LARGE_PAGE_SIZE;
        }
        else
        {
            *PagingEntry(Map, Pml4, BOOT_DIRECT_MAP + base, LEVEL_PTE) = base | PTE_DATA;
            base += BOOT_PAGE_SIZE;
        }
    }
}

void PagingMapRam(MEMORY_MAP *Map, uint64_t Pml4)
{
    RUN runs[BOOT_MAX_MEMORY_RANGES + 1] = {{.Base = 0, .End = LOW_MEMORY_END}};
    unsigned count = 1;

    /* First collect, then map: new tables change the map, but not which of it is RAM. */
    for (uint32_t i = 0; i < Map->Count; i++)
    {
        const BOOT_MEMORY_RANGE *range = &Map->Ranges[i];
        uint64_t end = range->Base + range->Size;

        if (range->Type == BootMemoryFirmware)
        {
            continue;
        }
        if (range->Base > runs[count - 1].End)
        {
            runs[count++] = (RUN){.Base = range->Base, .End = end};
        }
        else if (end > runs[count - 1].End)
        {
            runs[count - 1].End = end;
        }
    }
    for (unsigned i = 0; i < count; i++)
    {
        PagingMapRun(Map, Pml4, &runs[i]);
    }
}
