/* SPDX-License-Identifier: MIT */
/* What the parts of the loader offer each other. The loader runs once, on one processor, without interrupts. */
#ifndef ISTHMUS_BOOT_BOOT_H
#define ISTHMUS_BOOT_BOOT_H

#include "archive.h"
#include "bootblock.h"
#include "memorymap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_PAGE_SIZE 0x1000ull
#define BOOT_LARGE_PAGE_SIZE 0x200000ull
#define BOOT_4GB 0x100000000ull

/* console.c */

/**
 * Ends the machine: writes "<Subject> <Reason>" to the console and to the report port, and leaves QEMU.
 *
 * @param Subject  What was looked at, such as a file name.
 * @param Reason   What is wrong with it.
 */
_Noreturn void BootRefuse(const char *Subject, const char *Reason);

/* startinfo.c */

/* What hvm_start_info says, captured. */
typedef struct START_INFO
{
    uint64_t ArchivePhysical;
    uint64_t ArchiveSize;
    uint64_t RsdpPhysical;
} START_INFO;

/**
 * Captures the PVH start information and builds the memory map from it. Refuses what cannot be used.
 *
 * @param Physical  Address of hvm_start_info, identity-mapped.
 */
void StartInfoRead(uint32_t Physical, START_INFO *Info, MEMORY_MAP *Map);

/* platform.c */

/** Processors of the machine according to QEMU's fw_cfg, or 0. */
uint32_t PlatformProcessorCount(void);

/** The time stamp counter. */
uint64_t PlatformTsc(void);

/** A number nobody can guess: RDRAND where there is one, mixed with the time stamp counter. */
uint64_t PlatformEntropy(void);

/* config.c */

/** Reads option=seed:N from boot.cfg. False if there is none; refuses a seed that is not a number. */
bool ConfigSeed(const ARCHIVE *Archive, uint64_t *Seed);

/* paging.c */

/** Starts the kernel's page tables: an empty PML4 and the identity map of the first 2 MB. */
uint64_t PagingCreate(MEMORY_MAP *Map);

/** Maps all RAM of Map and the first megabyte at BOOT_DIRECT_MAP. */
void PagingMapRam(MEMORY_MAP *Map, uint64_t Pml4);

/** Maps Size bytes with 4 KB pages: both addresses and Size are page-aligned, the place is not mapped yet. */
void PagingMap(MEMORY_MAP *Map, uint64_t Pml4, uint64_t Virtual, uint64_t Physical, uint64_t Size, bool Write,
               bool Execute);

/* kernel.c */

/**
 * Finds ntoskrnl.exe in the archive, lays it out in memory, moves it to a random base and maps it.
 *
 * @param Random  Chooses the base.
 * @param Block   Receives the Kernel fields; Pml4Physical is used.
 * @return The virtual address of the entry point.
 */
uint64_t KernelLoad(const ARCHIVE *Archive, MEMORY_MAP *Map, uint64_t Random, BOOT_BLOCK *Block);

#endif
