/* SPDX-License-Identifier: MIT */
/* The map of physical memory while the loader fills it in. See memorymap.h. */
#include "memorymap.h"

#include <stddef.h>

#define PAGE_MASK 0xFFFull
#define HIGHEST_END (1ull << 52)

static uint64_t MapEnd(const BOOT_MEMORY_RANGE *Range)
{
    return Range->Base + Range->Size;
}

/* Appends a piece to a map that is built in ascending order, merging it with the last one where they agree. */
static bool MapAppend(MEMORY_MAP *Map, uint64_t Base, uint64_t End, uint32_t Type)
{
    BOOT_MEMORY_RANGE *last = Map->Count != 0 ? &Map->Ranges[Map->Count - 1] : NULL;

    if (Base >= End)
    {
        return true;
    }
    if (last != NULL && last->Type == Type && MapEnd(last) == Base)
    {
        last->Size += End - Base;
        return true;
    }
    if (Map->Count == BOOT_MAX_MEMORY_RANGES)
    {
        return false;
    }
    Map->Ranges[Map->Count++] = (BOOT_MEMORY_RANGE){.Base = Base, .Size = End - Base, .Type = Type};
    return true;
}

bool MemoryMapMark(MEMORY_MAP *Map, uint64_t Base, uint64_t Size, BOOT_MEMORY_TYPE Type)
{
    MEMORY_MAP result = {.Count = 0};
    uint64_t end = Size < HIGHEST_END && Base < HIGHEST_END - Size ? Base + Size : HIGHEST_END;
    bool placed = false;

    if (Size == 0 || Base >= HIGHEST_END)
    {
        return true;
    }
    if (Type == BootMemoryFree)
    {
        Base = (Base + PAGE_MASK) & ~PAGE_MASK;
        end &= ~PAGE_MASK;
        if (Base >= end)
        {
            return true;
        }
    }
    else
    {
        Base &= ~PAGE_MASK;
        end = (end + PAGE_MASK) & ~PAGE_MASK;
    }

    for (uint32_t i = 0; i < Map->Count; i++)
    {
        const BOOT_MEMORY_RANGE *range = &Map->Ranges[i];
        uint64_t rangeEnd = MapEnd(range);

        if (!MapAppend(&result, range->Base, rangeEnd < Base ? rangeEnd : Base, range->Type))
        {
            return false;
        }
        if (!placed && rangeEnd > Base)
        {
            if (!MapAppend(&result, Base, end, Type))
            {
                return false;
            }
            placed = true;
        }
        if (!MapAppend(&result, range->Base > end ? range->Base : end, rangeEnd, range->Type))
        {
            return false;
        }
    }
    if (!placed && !MapAppend(&result, Base, end, Type))
    {
        return false;
    }
    *Map = result;
    return true;
}

bool MemoryMapIsFree(const MEMORY_MAP *Map, uint64_t Base, uint64_t Size)
{
    for (uint32_t i = 0; i < Map->Count; i++)
    {
        const BOOT_MEMORY_RANGE *range = &Map->Ranges[i];

        if (Base >= range->Base && Base < MapEnd(range))
        {
            /* Neighbours of one type are merged, so one range holds all of it or it is not free. */
            return range->Type == BootMemoryFree && Size <= MapEnd(range) - Base;
        }
    }
    return false;
}

bool MemoryMapAllocate(MEMORY_MAP *Map, uint64_t Low, uint64_t High, uint64_t Size, BOOT_MEMORY_TYPE Type,
                       uint64_t *Base)
{
    for (uint32_t i = 0; i < Map->Count; i++)
    {
        const BOOT_MEMORY_RANGE *range = &Map->Ranges[i];
        uint64_t start = range->Base > Low ? range->Base : Low;
        uint64_t end = MapEnd(range) < High ? MapEnd(range) : High;

        if (range->Type == BootMemoryFree && start < end && end - start >= Size)
        {
            *Base = start;
            return MemoryMapMark(Map, start, Size, Type);
        }
    }
    return false;
}
