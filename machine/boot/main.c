/* SPDX-License-Identifier: MIT */
/*
 * The loader's course:
 *
 *     hvm_start_info -> memory map -> archive -> seed -> page tables -> ntoskrnl.exe -> boot block -> jump
 *
 * Everything it touches lies below 4 GB, which its own page tables map to itself. It allocates upwards from 2 MB.
 */
#include "boot.h"
#include "random.h"

#include <string.h>

_Static_assert(BOOT_STACK_SIZE == 0x8000, "entry.S reserves the stack");

extern uint8_t BootImageStart[];
extern uint8_t BootImageEnd[];
extern uint8_t BootStack[];
extern uint64_t BootEntryTsc;

_Noreturn void BootEnterKernel(uint64_t Pml4, uint64_t StackTop, uint64_t Entry, uint64_t Block, uint64_t DirectMap);
_Noreturn void BootMain(uint32_t StartInfo);

static MEMORY_MAP Memory;
static BOOT_BLOCK Block;

static void BootMark(uint64_t Base, uint64_t Size, BOOT_MEMORY_TYPE Type)
{
    if (!MemoryMapMark(&Memory, Base, Size, Type))
    {
        BootRefuse("the memory map", "has too many pieces");
    }
}

/* Takes what is in use already out of the free memory. */
static void BootClaimMemory(const START_INFO *Info)
{
    uint64_t image = (uintptr_t)BootImageStart;
    uint64_t imageSize = (uint64_t)(BootImageEnd - BootImageStart);

    if (!MemoryMapIsFree(&Memory, image, imageSize))
    {
        BootRefuse("the loader", "does not lie in RAM by the memory map");
    }
    BootMark(image, imageSize, BootMemoryLoaderReclaimable);
    if (!MemoryMapIsFree(&Memory, Info->ArchivePhysical, Info->ArchiveSize))
    {
        BootRefuse("the archive", "does not lie in free RAM; give the machine more memory");
    }
    BootMark(Info->ArchivePhysical, Info->ArchiveSize, BootMemoryArchive);
    BootMark(0, BOOT_PAGE_SIZE, BootMemoryReserved);
    if (!MemoryMapAllocate(&Memory, BOOT_PAGE_SIZE, 0x100000, BOOT_PAGE_SIZE, BootMemoryLoaderReclaimable,
                           &Block.TrampolinePhysical))
    {
        BootRefuse("memory", "has no free page below 1 MB, which other processors need to start");
    }
}

/* Draws the random numbers: all from the seed of boot.cfg if it names one. Returns the one for the kernel's base. */
static uint64_t BootDrawRandom(const ARCHIVE *Archive)
{
    uint64_t state = 0;
    bool fixed = ConfigSeed(Archive, &state);
    uint64_t first;

    if (fixed)
    {
        Block.Flags |= BOOT_FLAG_FIXED_SEED;
    }
    else
    {
        state = PlatformEntropy();
    }
    first = BootRandomNext(&state);
    for (unsigned i = 0; i < sizeof(Block.RandomSeed) / sizeof(Block.RandomSeed[0]); i++)
    {
        Block.RandomSeed[i] = BootRandomNext(&state) ^ (fixed ? 0 : PlatformEntropy());
    }
    return first;
}

/* The memory map goes into the block last, when nothing is allocated any more. */
static void BootFinishBlock(const START_INFO *Info)
{
    Block.Revision = BOOT_BLOCK_REVISION;
    Block.Size = sizeof(Block);
    Block.ProcessorCount = PlatformProcessorCount();
    Block.DirectMapBase = BOOT_DIRECT_MAP;
    Block.ArchivePhysical = Info->ArchivePhysical;
    Block.ArchiveSize = Info->ArchiveSize;
    Block.StackBase = BOOT_DIRECT_MAP + (uintptr_t)BootStack;
    Block.RsdpPhysical = Info->RsdpPhysical;
    Block.MemoryRangeCount = Memory.Count;
    memcpy(Block.MemoryRanges, Memory.Ranges, sizeof(Block.MemoryRanges));
    for (uint32_t i = 0; i < Memory.Count; i++)
    {
        if (Memory.Ranges[i].Type != BootMemoryFirmware)
        {
            Block.HighestPhysicalAddress = Memory.Ranges[i].Base + Memory.Ranges[i].Size - 1;
        }
    }
    Block.EntryTsc = BootEntryTsc;
    Block.ExitTsc = PlatformTsc();
}

_Noreturn void BootMain(uint32_t StartInfo)
{
    START_INFO info;
    ARCHIVE archive;
    uint64_t random;
    uint64_t entry;

    StartInfoRead(StartInfo, &info, &Memory);
    BootClaimMemory(&info);
    archive = (ARCHIVE){.Data = (const uint8_t *)(uintptr_t)info.ArchivePhysical, .Size = info.ArchiveSize};
    random = BootDrawRandom(&archive);

    Block.Pml4Physical = PagingCreate(&Memory);
    PagingMapRam(&Memory, Block.Pml4Physical);
    entry = KernelLoad(&archive, &Memory, random, &Block);
    BootFinishBlock(&info);
    BootEnterKernel(Block.Pml4Physical, Block.StackBase + BOOT_STACK_SIZE, entry,
                    BOOT_DIRECT_MAP + (uintptr_t)&Block, BOOT_DIRECT_MAP);
}
