/* SPDX-License-Identifier: MIT */
/*
 * Bringing MM up: sizes, ranges, the parts in their order; what exported data tells about the address space.
 */
#include "mmp.h"

#define MI_IA32_PAT 0x277
#define MI_PAT_VALUE 0x0007010600070106ULL /* WB, WC, UC-, UC; twice: as NT */
#define MI_IMAGE_PAGES (1u << 17)          /* 512 MB of addresses for drivers, never reused */

PVOID MmHighestUserAddress = MM_HIGHEST_USER;
PVOID MmSystemRangeStart = MM_SYSTEM_RANGE_START;
ULONG64 MmUserProbeAddress = MM_USER_PROBE_ADDRESS;

MI_COUNTERS MiCounters;
BOOLEAN MiTrackLocks;
BOOLEAN MiStrictMdl;
BOOLEAN MiNoExecutable;
ULONG64 MiCommitLimit;
static BOOT_BLOCK MipBoot; /* a copy: the original lies in memory that is given back */

/**
 * What every processor needs before it uses mappings that are not write-back: the page attribute table.
 *
 * IRQL any, on the processor itself, once. Processor 0's is done by MmInitializePhase0.
 */
VOID MmInitializeProcessor(VOID)
{
    __writemsr(MI_IA32_PAT, MI_PAT_VALUE);
}

/* Somewhere in the images' 512 GB, away from the kernel's own 2 MB tables. */
static ULONG_PTR MipImageBase(const BOOT_BLOCK *Block)
{
    ULONG_PTR size = (ULONG_PTR)MI_IMAGE_PAGES << PAGE_SHIFT;
    ULONG_PTR kernel = Block->KernelBase & ~(BOOT_KERNEL_ALIGNMENT - 1);
    ULONG_PTR kernelEnd =
        (Block->KernelBase + Block->KernelSize + BOOT_KERNEL_ALIGNMENT - 1) & ~(BOOT_KERNEL_ALIGNMENT - 1);
    ULONG_PTR slots = (BOOT_KERNEL_HIGHEST + 1 - BOOT_KERNEL_LOWEST - size) / BOOT_KERNEL_ALIGNMENT;
    ULONG_PTR base = BOOT_KERNEL_LOWEST + Block->RandomSeed[2] % slots * BOOT_KERNEL_ALIGNMENT;

    if (base < kernelEnd && kernel < base + size)
    {
        base = kernelEnd + size <= BOOT_KERNEL_HIGHEST ? kernelEnd : kernel - size;
    }
    return base;
}

/* The entries of the top-level table that the kernel half will ever have, so that processes can copy them at birth. */
static VOID MipMakeTopLevel(VOID)
{
    static const ULONG_PTR bases[] = {MM_NONPAGED_POOL_BASE, MM_PAGED_POOL_BASE,  MM_SYSTEM_PTE_BASE,
                                      MM_SPECIAL_POOL_BASE,  MM_SPECIAL_PAGED_POOL_BASE,
                                      MM_SHARED_USER_DATA,   MM_IMAGE_BASE,       MM_PFN_DATABASE_BASE};

    for (ULONG i = 0; i < RTL_NUMBER_OF(bases); i++)
    {
        (VOID)MiMakeKernelTable(bases[i]); /* phase 0: out of pages is a bug check */
    }
    MiShowKernelTables();
}

static VOID MipMapSharedUserData(VOID)
{
    PFN_NUMBER page = MiAllocatePage(MI_ALLOCATE_ZEROED, MiPageKernel);
    PMMPTE table = MiMakeKernelTable(MM_SHARED_USER_DATA);

    table[(MM_SHARED_USER_DATA >> PAGE_SHIFT) & 511] = ((ULONG64)page << PAGE_SHIFT) | MI_PTE_KERNEL;
    ((KUSER_SHARED_DATA *)MM_SHARED_USER_DATA)->LargePageMinimum = 0x200000;
    ((KUSER_SHARED_DATA *)MM_SHARED_USER_DATA)->NumberOfPhysicalPages = MiTotalPages;
}

/**
 * PFN database, kernel address ranges, pool. Processor 0, before any thread; any IRQL up to HIGH_LEVEL.
 */
VOID MmInitializePhase0(const BOOT_BLOCK *Block)
{
    ULONG pages;

    MipBoot = *Block;
    MiKernelPml4 = Block->Pml4Physical;
    MmInitializeProcessor();
    MiTrackLocks = VfOption(VfTrackLockedPages);
    MiStrictMdl = VfOptionGiven("strictmdl");
    MiNoExecutable = VfOptionGiven("codeintegrity");
    MiInitializePfnDatabase(Block);
    MipMakeTopLevel();
    MipMapSharedUserData();

    pages = MiTotalPages;
    MiInitializeRegion(&MiSystemPtes, MM_SYSTEM_PTE_BASE, (ULONG)min(16u << 20, max(256u << 10, (ULONG64)pages * 4)));
    MiInitializeRegion(&MiNonPagedRegion, MM_NONPAGED_POOL_BASE,
                       (ULONG)min(4u << 20, max(64u << 10, (ULONG64)pages * 2)));
    MiInitializeRegion(&MiPagedRegion, MM_PAGED_POOL_BASE, (ULONG)min(4u << 20, max(64u << 10, (ULONG64)pages * 2)));
    MiInitializeRegion(&MiImageRegion, MipImageBase(Block), MI_IMAGE_PAGES);
    MiInitializeSpecialPool((ULONG)min(4u << 20, max(64u << 10, (ULONG64)pages * 8)));
    MiInitializePageable();
    MiInitializeForceIrql();
    MiInitializePool(Block->RandomSeed[1]);
    MiInitializePageFile();
    MiCommitLimit = (ULONG64)MiFreePageCount - pages / 16 + MiPageFileSize();
}

/**
 * Section object type, trimmer thread. PASSIVE_LEVEL, in a system thread, after OB and PS phase 0.
 */
VOID MmInitializePhase1(VOID)
{
    MiInitializeSections();
    MiInitializeTrimmer();
}

/**
 * Drops the identity map of the loader and frees its memory, once the other processors have started. What stays:
 * page 0, the boot block and the stack that processor 0 started on. PASSIVE_LEVEL.
 */
VOID MmReleaseLoaderMemory(VOID)
{
    PMMPTE top = MiPhysicalToVirtual(MiKernelPml4);
    ULONG64 stack = MipBoot.StackBase - MM_DIRECT_MAP_BASE;
    ULONG64 block = (ULONG64)KeBootBlock - MM_DIRECT_MAP_BASE;

    InterlockedExchange64((volatile LONG64 *)&top[0], 0);
    KeFlushTb(NULL, NULL, 0);
    for (ULONG i = 0; i < MipBoot.MemoryRangeCount; i++)
    {
        const BOOT_MEMORY_RANGE *range = &MipBoot.MemoryRanges[i];
        if (range->Type != BootMemoryLoaderReclaimable)
        {
            continue;
        }
        for (ULONG64 at = range->Base; at < range->Base + range->Size; at += PAGE_SIZE)
        {
            BOOLEAN isStack = at + PAGE_SIZE > stack && at < stack + BOOT_STACK_SIZE;
            BOOLEAN isBlock = at + PAGE_SIZE > block && at < block + sizeof(BOOT_BLOCK);
            if (!isStack && !isBlock)
            {
                MiDonateRange(at >> PAGE_SHIFT, 1);
            }
        }
    }
}

/**
 * The machine's RAM as ranges, ended by a pair of zeroes.
 *
 * @return nonpaged pool that the caller frees with ExFreePool, or NULL
 * IRQL PASSIVE_LEVEL.
 */
PPHYSICAL_MEMORY_RANGE NTAPI MmGetPhysicalMemoryRanges(VOID)
{
    PPHYSICAL_MEMORY_RANGE ranges =
        MiAllocatePoolFor(__builtin_return_address(0), (BOOT_MAX_MEMORY_RANGES + 1) * sizeof(*ranges), 'hPmM');
    ULONG count = 0;

    if (ranges == NULL)
    {
        return NULL;
    }
    for (ULONG i = 0; i < MipBoot.MemoryRangeCount; i++)
    {
        const BOOT_MEMORY_RANGE *range = &MipBoot.MemoryRanges[i];
        if (range->Type == BootMemoryFirmware)
        {
            continue;
        }
        if (count != 0 &&
            (ULONG64)(ranges[count - 1].BaseAddress.QuadPart + ranges[count - 1].NumberOfBytes.QuadPart) == range->Base)
        {
            ranges[count - 1].NumberOfBytes.QuadPart += (LONG64)range->Size;
            continue;
        }
        ranges[count].BaseAddress.QuadPart = (LONG64)range->Base;
        ranges[count++].NumberOfBytes.QuadPart = (LONG64)range->Size;
    }
    ranges[count].BaseAddress.QuadPart = 0;
    ranges[count].NumberOfBytes.QuadPart = 0;
    return ranges;
}

/** MmSmallSystem below 128 MB, MmMediumSystem below 512 MB, else MmLargeSystem. Any IRQL. */
MM_SYSTEMSIZE NTAPI MmQuerySystemSize(VOID)
{
    ULONG64 megabytes = BYTES_TO_MB((ULONG64)MiTotalPages << PAGE_SHIFT);

    return megabytes < 128 ? MmSmallSystem : megabytes < 512 ? MmMediumSystem : MmLargeSystem;
}

/** FALSE: the machine presents itself as a workstation. Any IRQL. */
BOOLEAN NTAPI MmIsThisAnNtAsSystem(VOID)
{
    return ((KUSER_SHARED_DATA *)MM_SHARED_USER_DATA)->NtProductType > 1;
}

/**
 * Whether drivers are verified here.
 *
 * @param VerifierFlags  receives the DRIVER_VERIFIER_* options in force
 * @return STATUS_SUCCESS; STATUS_NOT_IMPLEMENTED when verification is off, as Windows answers then
 */
NTSTATUS NTAPI MmIsVerifierEnabled(PULONG VerifierFlags)
{
    ULONG flags = 0x0008 | 0x0800; /* pool tracking, miscellaneous checks */

    if (!VfOption(VfChecks))
    {
        *VerifierFlags = 0;
        return STATUS_NOT_IMPLEMENTED;
    }
    flags |= VfOption(VfSpecialPool) ? 0x0001 : 0;
    flags |= VfOption(VfForceIrql) ? 0x0002 : 0;
    flags |= VfOption(VfIoChecks) ? 0x0010 : 0;
    flags |= VfOption(VfDeadlock) ? 0x0020 : 0;
    *VerifierFlags = flags;
    return STATUS_SUCCESS;
}

/** TRUE if the driver that holds this address is verified; all are, or none. */
LOGICAL NTAPI MmIsDriverVerifyingByAddress(PVOID AddressWithinSection)
{
    return VfOption(VfChecks) && LdrFindModule(AddressWithinSection, NULL) != NULL;
}

/** TRUE if the driver is verified; all are, or none. */
LOGICAL NTAPI MmIsDriverVerifying(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);
    return VfOption(VfChecks);
}
