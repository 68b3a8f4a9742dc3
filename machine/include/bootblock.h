/* SPDX-License-Identifier: MIT */
/*
 * The contract between the loader (machine/boot) and ntoskrnl.exe: what the kernel finds when it gets control.
 *
 *     void KiSystemStartup(BOOT_BLOCK *Block);      AddressOfEntryPoint of ntoskrnl.exe
 *
 * State at entry, on the boot processor:
 *   - long mode, Microsoft ABI: rcx = Block, rsp = 16 n + 8 as after a call, the return address is 0, DF clear,
 *     interrupts off. IDTR describes an empty table (any fault is a triple fault), the GDT is the loader's: CS 0x08
 *     (64-bit code), SS/DS/ES 0x10 (data), FS/GS null with base 0. The other processors wait for INIT.
 *   - CR0: PE MP ET NE WP AM PG.  CR4: PAE PGE OSFXSR OSXMMEXCPT, nothing else.  EFER: LME LMA NXE.
 *     x87 and MXCSR have their reset values (MXCSR 0x1F80).
 *   - Block and the stack are loader-reclaimable memory, addressed through the direct map, so both stay valid when
 *     the identity map goes. The stack is BOOT_STACK_SIZE bytes.
 *
 * Virtual memory (4-level tables, PML4 at Block->Pml4Physical; all tables lie below 4 GB):
 *
 *     0 .. 2 MB                      identity, RWX: carries the jump, and the start of further processors.
 *                                    It is all of PML4 entry 0; the kernel drops that entry when it is done with it.
 *     BOOT_DIRECT_MAP + physical     all RAM (see BOOT_MEMORY_RANGE) and the whole first megabyte: RW, NX, global,
 *                                    2 MB pages where a whole one is RAM, else 4 KB pages. Devices are not in it.
 *                                    The kernel image is RW here as well: pages it gives back can be zeroed.
 *     Block->KernelBase              the kernel image, relocated, 4 KB pages, global; a random 2 MB-aligned address
 *                                    in BOOT_KERNEL_LOWEST..BOOT_KERNEL_HIGHEST. Headers read-only NX; each section
 *                                    as its characteristics say. A kernel with a section that is both writable and
 *                                    executable is refused.
 * Everything else is not present. PML4 entries not named here are zero; user bits are clear everywhere.
 */
#ifndef ISTHMUS_MACHINE_BOOTBLOCK_H
#define ISTHMUS_MACHINE_BOOTBLOCK_H

#include <stddef.h>
#include <stdint.h>

#define BOOT_BLOCK_REVISION 1u

#define BOOT_DIRECT_MAP 0xFFFF800000000000ull
#define BOOT_KERNEL_LOWEST 0xFFFFF80000000000ull
#define BOOT_KERNEL_HIGHEST 0xFFFFF87FFFFFFFFFull
#define BOOT_KERNEL_ALIGNMENT 0x200000ull

#define BOOT_STACK_SIZE 0x8000u
#define BOOT_MAX_MEMORY_RANGES 64u

/* Console ports (isa-debugcon) and the exit port (isa-debug-exit): shared by loader, kernel and ntrun. */
#define BOOT_PORT_STDOUT 0xE9u
#define BOOT_PORT_STDERR 0xEAu
#define BOOT_PORT_REPORT 0xEBu
#define BOOT_PORT_EXIT 0xF4u

/* What a range of physical memory holds. All types except BootMemoryFirmware are RAM and are in the direct map. */
typedef enum BOOT_MEMORY_TYPE
{
    BootMemoryFree = 1,              /* free from the start; contents undefined */
    BootMemoryLoaderReclaimable = 2, /* loader image, boot block, loader stack: free once the kernel is off them */
    BootMemoryKernelImage = 3,       /* ntoskrnl.exe, contiguous, KernelSize bytes from KernelPhysical */
    BootMemoryArchive = 4,           /* the cpio archive, rounded outwards to pages */
    BootMemoryPageTables = 5,        /* the tables under Pml4Physical: the kernel keeps them or replaces them whole */
    BootMemoryReserved = 6,          /* RAM not to be handed out: page 0, ACPI tables and NVS */
    BootMemoryFirmware = 7,          /* reported by the firmware as not RAM; not mapped above 1 MB */
} BOOT_MEMORY_TYPE;

/* Page-aligned. Free ranges are rounded inwards, all others outwards. */
typedef struct BOOT_MEMORY_RANGE
{
    uint64_t Base; /* physical address */
    uint64_t Size; /* bytes, never 0 */
    uint32_t Type; /* BOOT_MEMORY_TYPE */
    uint32_t Reserved;
} BOOT_MEMORY_RANGE;

/* BOOT_BLOCK.Flags */
#define BOOT_FLAG_FIXED_SEED 0x1u /* boot.cfg had option=seed:N: RandomSeed repeats from run to run */

typedef struct BOOT_BLOCK
{
    uint32_t Revision; /* BOOT_BLOCK_REVISION */
    uint32_t Size;     /* sizeof(BOOT_BLOCK) */
    uint32_t Flags;    /* BOOT_FLAG_ */
    uint32_t ProcessorCount; /* as QEMU says through fw_cfg; 0 if it does not. APIC ids are 0..count-1 */

    uint64_t DirectMapBase;          /* BOOT_DIRECT_MAP */
    uint64_t HighestPhysicalAddress; /* last byte of RAM */
    uint64_t Pml4Physical;           /* below 4 GB; what CR3 holds */

    uint64_t KernelBase;          /* virtual */
    uint64_t KernelPhysical;      /* contiguous */
    uint64_t KernelSize;          /* bytes, a multiple of 4096 */
    uint64_t KernelPreferredBase; /* ImageBase the file was linked at; the header in memory says KernelBase */

    uint64_t ArchivePhysical; /* first byte */
    uint64_t ArchiveSize;     /* exact, in bytes */

    uint64_t StackBase; /* virtual, lowest address of the loader's stack; BOOT_STACK_SIZE bytes */

    uint64_t TrampolinePhysical; /* a page below 1 MB, loader-reclaimable and unused: code for starting processors */
    uint64_t RsdpPhysical;       /* ACPI root pointer, 0 if the firmware named none */

    uint64_t RandomSeed[4]; /* secret from user mode */
    uint64_t EntryTsc;      /* time stamp counter when the loader began and when it left */
    uint64_t ExitTsc;

    uint32_t MemoryRangeCount;
    uint32_t Reserved;
    BOOT_MEMORY_RANGE MemoryRanges[BOOT_MAX_MEMORY_RANGES]; /* ascending, without overlap */
} BOOT_BLOCK;

_Static_assert(sizeof(BOOT_MEMORY_RANGE) == 24, "loader and kernel agree on BOOT_MEMORY_RANGE");
_Static_assert(offsetof(BOOT_BLOCK, DirectMapBase) == 16, "loader and kernel agree on BOOT_BLOCK");
_Static_assert(offsetof(BOOT_BLOCK, RandomSeed) == 112, "loader and kernel agree on BOOT_BLOCK");
_Static_assert(offsetof(BOOT_BLOCK, MemoryRanges) == 168, "loader and kernel agree on BOOT_BLOCK");
_Static_assert(sizeof(BOOT_BLOCK) == 168 + BOOT_MAX_MEMORY_RANGES * 24, "loader and kernel agree on BOOT_BLOCK");

#endif
