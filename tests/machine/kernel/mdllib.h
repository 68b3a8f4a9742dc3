/* SPDX-License-Identifier: MIT */
/* What the groups about MDLs share: declarations that the mingw-w64 headers lack, pages, page-table entries. */
#pragma once

#include "ktlib.h"

#ifndef MdlMappingWithGuardPtes
#define MdlMappingWithGuardPtes 0x20000000
#endif
#ifndef MM_ALLOCATE_FROM_LOCAL_NODE_ONLY
#define MM_ALLOCATE_FROM_LOCAL_NODE_ONLY 0x00000002
#endif
#ifndef MM_ALLOCATE_PREFER_CONTIGUOUS
#define MM_ALLOCATE_PREFER_CONTIGUOUS 0x00000010
#endif
#ifndef MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS
#define MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS 0x00000020
#endif
#ifndef MM_ALLOCATE_FAST_LARGE_PAGES
#define MM_ALLOCATE_FAST_LARGE_PAGES 0x00000040
#endif
#define MM_MAPPING_ADDRESS_DIVISIBLE 0x1
#define MM_COPY_MEMORY_PHYSICAL 0x1
#define MM_COPY_MEMORY_VIRTUAL 0x2

typedef struct _MM_COPY_ADDRESS
{
    union
    {
        PVOID VirtualAddress;
        PHYSICAL_ADDRESS PhysicalAddress;
    };
} MM_COPY_ADDRESS;

typedef struct _MM_PHYSICAL_ADDRESS_LIST
{
    PHYSICAL_ADDRESS PhysicalAddress;
    SIZE_T NumberOfBytes;
} MM_PHYSICAL_ADDRESS_LIST;

typedef enum _MM_MDL_PAGE_CONTENTS_STATE
{
    MmMdlPageContentsDynamic,
    MmMdlPageContentsInvariant,
    MmMdlPageContentsQuery,
} MM_MDL_PAGE_CONTENTS_STATE;

typedef VOID(NTAPI *PMM_MDL_ROUTINE)(PVOID DriverContext, PVOID MappedVa);

NTKERNELAPI VOID NTAPI MmProbeAndLockSelectedPages(PMDL Mdl, PFILE_SEGMENT_ELEMENT SegmentArray, KPROCESSOR_MODE Mode,
                                                   LOCK_OPERATION Operation);
NTKERNELAPI PMDL NTAPI MmAllocateNodePagesForMdlEx(PHYSICAL_ADDRESS Low, PHYSICAL_ADDRESS High, PHYSICAL_ADDRESS Skip,
                                                   SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType, ULONG IdealNode,
                                                   ULONG Flags);
NTKERNELAPI VOID NTAPI MmFreePagesFromMdlEx(PMDL Mdl, ULONG Flags);
NTKERNELAPI NTSTATUS NTAPI MmMapMdl(PMDL Mdl, ULONG Protection, PMM_MDL_ROUTINE Routine, PVOID Context);
NTKERNELAPI PVOID NTAPI MmAllocateMappingAddressEx(SIZE_T NumberOfBytes, ULONG PoolTag, ULONG Flags);
NTKERNELAPI NTSTATUS NTAPI MmAllocateMdlForIoSpace(MM_PHYSICAL_ADDRESS_LIST *List, SIZE_T Count, PMDL *Mdl);
NTKERNELAPI PVOID NTAPI MmMapIoSpaceEx(PHYSICAL_ADDRESS Physical, SIZE_T NumberOfBytes, ULONG Protect);
NTKERNELAPI NTSTATUS NTAPI MmCopyMemory(PVOID Target, MM_COPY_ADDRESS Source, SIZE_T NumberOfBytes, ULONG Flags,
                                        PSIZE_T Transferred);
NTKERNELAPI MM_MDL_PAGE_CONTENTS_STATE NTAPI MmMdlPageContentsState(PMDL Mdl, MM_MDL_PAGE_CONTENTS_STATE State);
NTKERNELAPI BOOLEAN NTAPI MmIsNonPagedSystemAddressValid(PVOID VirtualAddress);

/* Bits of a page-table entry, as the processor has them. */
#define KT_PTE_VALID 0x1ULL
#define KT_PTE_WRITE 0x2ULL
#define KT_PTE_USER 0x4ULL
#define KT_PTE_CACHE 0x18ULL     /* PWT and PCD: 0 cached, 8 write-combined, 0x18 uncached */
#define KT_PTE_NX (1ULL << 63)

/**
 * The page-table entry that translates an address in the current process, 0 if there is none. For evidence only: no
 * driver has a way to it that Windows documents.
 */
ULONG64 KtEntry(PVOID Va);

/** The flags without MDL_ALLOCATED_FIXED_SIZE, which says only how large the MDL is. */
static inline ULONG KtState(const MDL *Mdl)
{
    return KtFlags(Mdl) & ~MDL_ALLOCATED_FIXED_SIZE;
}

/** Pages anywhere in memory; NULL, and a failed check, if there are none. */
PMDL KtAllocatePages(KTEST_RUN *Run, SIZE_T Size);
/** Frees the pages and the MDL. NULL is ignored. */
VOID KtFreePages(PMDL Mdl);
/** MmAllocatePagesForMdlEx between two addresses, cached. */
PMDL KtAllocateBetween(ULONG64 Low, ULONG64 High, ULONG64 Skip, SIZE_T Size, ULONG Flags);

/** What any program can ask of a page: bit 0 valid, bits 1-3 how many share it, bit 22 locked. */
ULONG64 KtWorkingSetFlags(PVOID Va);
/** How many pages of the current process are locked. */
ULONG KtLockedPages(PVOID Va, ULONG Pages);

/** Pages that the MDL describes. */
ULONG KtPages(const MDL *Mdl);
