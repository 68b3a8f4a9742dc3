/* SPDX-License-Identifier: MIT */
/*
 * The map of physical memory while the loader fills it in: sorted ranges without overlap, neighbours of one type
 * merged. No dependency on the machine, so that it is tested natively.
 */
#ifndef ISTHMUS_BOOT_MEMORYMAP_H
#define ISTHMUS_BOOT_MEMORYMAP_H

#include "bootblock.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct MEMORY_MAP
{
    uint32_t Count;
    BOOT_MEMORY_RANGE Ranges[BOOT_MAX_MEMORY_RANGES];
} MEMORY_MAP;

/**
 * Gives [Base, Base + Size) a type, whatever it had before. Free memory is rounded inwards to pages, everything else
 * outwards; what lies above 2^52 does not exist.
 *
 * @return false if the map has no room for the pieces; it is unchanged then.
 */
bool MemoryMapMark(MEMORY_MAP *Map, uint64_t Base, uint64_t Size, BOOT_MEMORY_TYPE Type);

/** True if every byte of [Base, Base + Size) is free. */
bool MemoryMapIsFree(const MEMORY_MAP *Map, uint64_t Base, uint64_t Size);

/**
 * Takes the lowest free block in [Low, High) and gives it a type.
 *
 * @param Size       Bytes; a multiple of 4096, not 0.
 * @param Base       Out: its physical address, page-aligned.
 * @return false if there is none, or if the map is full.
 */
bool MemoryMapAllocate(MEMORY_MAP *Map, uint64_t Low, uint64_t High, uint64_t Size, BOOT_MEMORY_TYPE Type,
                       uint64_t *Base);

#endif
