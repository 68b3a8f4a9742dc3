/* SPDX-License-Identifier: MIT */
/* The PVH start information: where the archive and the RAM are. */
#include "boot.h"

#include <string.h>

#define START_MAGIC 0x336EC578u
#define START_MAX_ENTRIES 512u

/* Memory types of the PVH map; they are those of the BIOS's E820 call. */
#define E820_RAM 1u
#define E820_ACPI 3u
#define E820_NVS 4u

typedef struct HVM_START_INFO
{
    uint32_t Magic;
    uint32_t Version;
    uint32_t Flags;
    uint32_t ModuleCount;
    uint64_t ModulesPhysical;
    uint64_t CommandLinePhysical;
    uint64_t RsdpPhysical;
    uint64_t MemoryPhysical; /* since version 1 */
    uint32_t MemoryCount;
    uint32_t Reserved;
} HVM_START_INFO;

typedef struct HVM_MODULE
{
    uint64_t Physical;
    uint64_t Size;
    uint64_t CommandLinePhysical;
    uint64_t Reserved;
} HVM_MODULE;

typedef struct HVM_MEMORY
{
    uint64_t Base;
    uint64_t Size;
    uint32_t Type;
    uint32_t Reserved;
} HVM_MEMORY;

/* Copies from physical memory, which is identity-mapped up to 4 GB. */
static void StartInfoCopy(void *Target, uint64_t Physical, size_t Size)
{
    if (Physical == 0 || Physical > BOOT_4GB - Size)
    {
        BootRefuse("the start information", "points outside the first 4 GB");
    }
    memcpy(Target, (const void *)(uintptr_t)Physical, Size);
}

static BOOT_MEMORY_TYPE StartInfoType(uint32_t Type)
{
    switch (Type)
    {
    case E820_RAM:
        return BootMemoryFree;
    case E820_ACPI:
    case E820_NVS:
        return BootMemoryReserved;
    default:
        return BootMemoryFirmware;
    }
}

/* Marks all entries that are RAM, or all that are not: where entries overlap, the more careful one counts. */
static void StartInfoMark(const HVM_START_INFO *Start, MEMORY_MAP *Map, bool Free)
{
    for (uint32_t i = 0; i < Start->MemoryCount; i++)
    {
        HVM_MEMORY entry;
        BOOT_MEMORY_TYPE type;

        /* microvm's map ends in an entry of zeroes: Size 0 marks nothing. */
        StartInfoCopy(&entry, Start->MemoryPhysical + i * sizeof(entry), sizeof(entry));
        type = StartInfoType(entry.Type);
        if ((type == BootMemoryFree) == Free && !MemoryMapMark(Map, entry.Base, entry.Size, type))
        {
            BootRefuse("the memory map", "has too many pieces");
        }
    }
}

void StartInfoRead(uint32_t Physical, START_INFO *Info, MEMORY_MAP *Map)
{
    HVM_START_INFO start;
    HVM_MODULE module;

    StartInfoCopy(&start, Physical, sizeof(start));
    if (start.Magic != START_MAGIC || start.Version < 1)
    {
        BootRefuse("the start information", "is not that of the PVH protocol, version 1 or later");
    }
    if (start.MemoryCount == 0 || start.MemoryCount > START_MAX_ENTRIES)
    {
        BootRefuse("the memory map", "is missing or too long");
    }
    StartInfoMark(&start, Map, true);
    StartInfoMark(&start, Map, false);

    if (start.ModuleCount == 0)
    {
        BootRefuse("the archive", "is missing; start QEMU with -initrd");
    }
    StartInfoCopy(&module, start.ModulesPhysical, sizeof(module));
    if (module.Physical >= BOOT_4GB || module.Size == 0 || module.Size > BOOT_4GB - module.Physical)
    {
        BootRefuse("the archive", "is empty or lies above 4 GB");
    }
    Info->ArchivePhysical = module.Physical;
    Info->ArchiveSize = module.Size;
    Info->RsdpPhysical = start.RsdpPhysical;
}
