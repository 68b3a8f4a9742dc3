/* SPDX-License-Identifier: MIT */
/*
 * MM: physical pages, page tables, pool, system PTEs, MDLs, process address spaces, sections.
 */
#pragma once

#include "nt.h"
#include "bootblock.h"

/* What VF's tracking of locked pages keeps per lock of user memory, to name the driver that forgot one. */
typedef struct _MI_LOCK_TRACKER
{
    struct _MI_LOCK_TRACKER *Next; /* on the list only */
    PMDL volatile Mdl;             /* a place's: NULL if it is free */
    PVOID Caller;
    ULONG Pages;
} MI_LOCK_TRACKER;

#define MI_LOCK_PLACES 16

/* MM's part of a process; embedded in EPROCESS. */
typedef struct _MM_ADDRESS_SPACE
{
    struct _MMVAD *Vads;           /* AVL tree by start page; guarded by AddressSpaceLock */
    ULONG_PTR LowestFree;          /* page: no 64 KB boundary below it is free; guarded by AddressSpaceLock */
    FAST_MUTEX AddressSpaceLock;   /* order: AddressSpaceLock -> WorkingSetLock -> PFN lock */
    FAST_MUTEX WorkingSetLock;     /* guards the user half of the page tables */
    SIZE_T WorkingSetPages;        /* valid user pages */
    SIZE_T PageTablePages;
    SIZE_T CommittedBytes;
    SIZE_T VirtualSize;
    SIZE_T PeakVirtualSize;
    ULONG64 PageFaults;
    volatile LONG64 LockedPages;   /* PFNs locked by MmProbeAndLockPages on behalf of this process */
    MI_LOCK_TRACKER LockPlaces[MI_LOCK_PLACES]; /* when locked-page tracking is on: by the MDL's address */
    MI_LOCK_TRACKER *volatile LockTrackers;     /* of MDLs whose place was taken, the youngest first */
    KSPIN_LOCK LockTrackersLock;
    volatile LONG64 MdlViews;      /* user-mode MDL mappings alive */
    BOOLEAN Dead;                  /* cleaned: nothing may be mapped any more */
} MM_ADDRESS_SPACE;

typedef struct _MM_LEFTOVERS
{
    LONG64 LockedPages;            /* page locks not yet undone, whole system */
    LONG64 SystemMappings;         /* kernel views of MDLs */
    LONG64 UserMappings;           /* user views of MDLs */
    LONG64 MdlPages;               /* pages out from MmAllocatePagesForMdl* */
    LONG64 PoolBlocks;             /* allocated by code of drivers, not of the kernel */
    LONG64 PoolBytes;
    LONG64 Contiguous;             /* contiguous and noncached blocks */
    LONG64 IoSpaceMappings;
    LONG64 ReservedMappings;       /* MmAllocateMappingAddress */
    LONG64 MdlsAllocated;          /* IoAllocateMdl minus IoFreeMdl */
} MM_LEFTOVERS;

/* ---- start ---- */
VOID MmInitializePhase0(const BOOT_BLOCK *Block); /* PFN database, kernel page tables, pool; before any thread */
VOID MmInitializePhase1(VOID);                    /* page-file, trimmer thread, section types; PASSIVE_LEVEL */

/** The page attribute table of the running processor; every processor but 0 calls it when it starts. Any IRQL. */
VOID MmInitializeProcessor(VOID);
/** After HalStartProcessors: drops the identity map (PML4 entry 0) and frees the loader's memory. PASSIVE_LEVEL. */
VOID MmReleaseLoaderMemory(VOID);

/* ---- faults ---- */
/**
 * Resolves a page fault. ErrorCode is the CPU's (bit 0 present, 1 write, 2 user, 3 reserved bit, 4 fetch).
 * STATUS_SUCCESS: retry the instruction. STATUS_ACCESS_VIOLATION, STATUS_GUARD_PAGE_VIOLATION, STATUS_IN_PAGE_ERROR,
 * STATUS_STACK_OVERFLOW: raise it. Invalid kernel addresses bug-check here (50, BE, FC, CE);
 * MM_FAULT_AT_HIGH_IRQL tells KE to bug-check A or D1. Interrupts are enabled by KE as they were.
 */
#define MM_FAULT_AT_HIGH_IRQL ((NTSTATUS)0xD0000006L)
NTSTATUS MmAccessFault(ULONG64 ErrorCode, PVOID Va, KPROCESSOR_MODE Mode, PVOID TrapFrame);

/* ---- kernel stacks, images ---- */
/** A guarded kernel stack; returns its top (Base) or NULL. Size in bytes. <= APC_LEVEL. */
PVOID MmCreateKernelStack(SIZE_T Size);
VOID MmDeleteKernelStack(PVOID Top, SIZE_T Size);

/** Room for a driver image at a random base, RW until protected. NULL if none. PASSIVE_LEVEL. */
PVOID MmAllocateSystemImage(SIZE_T Size);
/**
 * Sets protection of whole pages inside a system image: PAGE_READONLY, PAGE_READWRITE, PAGE_EXECUTE_READ,
 * PAGE_NOACCESS.
 */
NTSTATUS MmProtectSystemImage(PVOID Base, SIZE_T Size, ULONG Protect);
/**
 * Says that a section of an image is pageable; Whole: that all of the image is, until MmResetDriverPaging. Does nothing
 * unless a mode of the verifier pages kernel memory. <= APC_LEVEL.
 */
VOID MmAddPageableSection(PVOID Base, SIZE_T Size, BOOLEAN Whole);
/** Frees an image; its range stays reserved so that a late call raises bug check CE naming the driver. */
VOID MmFreeSystemImage(PVOID Base, SIZE_T Size);

/* ---- processes ---- */
/** Page tables, VAD tree, shared user data page; sets Pcb.DirectoryTableBase. */
NTSTATUS MmCreateProcessAddressSpace(PEPROCESS Process);
/** At exit, in the process: unmaps all; bug check 76 or CB if pages are locked. */
VOID MmCleanProcessAddressSpace(PEPROCESS Process);
/** At object deletion: frees the page tables. */
VOID MmDeleteProcessAddressSpace(PEPROCESS Process);

/** NtAllocateVirtualMemory and kin for the current process, callable by PS with kernel pointers. PASSIVE_LEVEL. */
NTSTATUS MmAllocateUserMemory(PVOID *Base, SIZE_T *Size, ULONG Type, ULONG Protect);
NTSTATUS MmFreeUserMemory(PVOID Base);
/** A user stack of Reserve bytes with Commit committed and a guard page, as CreateThread makes it. */
NTSTATUS MmCreateUserStack(SIZE_T Reserve, SIZE_T Commit, INITIAL_TEB *Result);

/* ---- sections ---- */
typedef struct _MM_IMAGE_INFORMATION
{
    PVOID PreferredBase;
    SIZE_T Size;
    ULONG EntryPoint;              /* RVA */
    SIZE_T StackReserve, StackCommit;
    USHORT Subsystem;
    USHORT DllCharacteristics;
    USHORT Characteristics;
} MM_IMAGE_INFORMATION;
/** An image section from an open file. Fails with STATUS_INVALID_IMAGE_FORMAT and kin. PASSIVE_LEVEL. */
NTSTATUS MmCreateImageSection(PFILE_OBJECT File, PVOID *Section);
VOID MmGetImageInformation(PVOID Section, MM_IMAGE_INFORMATION *Information);
/** Maps a section into the current process (see NtMapViewOfSection). STATUS_IMAGE_NOT_AT_BASE is a success code. */
NTSTATUS MmMapSection(PVOID Section, PVOID *Base, SIZE_T *Size, ULONG64 Offset, ULONG Protect);

/* ---- modes of the verifier ---- */
extern BOOLEAN MmForceIrql;
VOID MmHidePageable(VOID);
BOOLEAN MmIsPageableAddress(PVOID Address);
BOOLEAN MmIsSystemPteAddress(PVOID Address);
/** What the modes that are on have done, a line each on the error console. */
VOID MmReportModes(VOID);

/* ---- leftovers ---- */
VOID MmQueryLeftovers(MM_LEFTOVERS *Leftovers);
/** One line per pool block that a driver's code allocated and has not freed: tag, size, caller. The machine at rest. */
VOID MmPrintLeftoverPool(VOID);

typedef struct _MM_MEMORY_COUNTS /* pages */
{
    ULONG64 Available, Committed, CommitLimit, PeakCommitted, NonPagedPool, PagedPool, FreeSystemPtes;
} MM_MEMORY_COUNTS;
/** Counts of the moment for SystemPerformanceInformation; pools in addresses, guard pages included. Any IRQL. */
VOID MmQueryMemoryCounts(MM_MEMORY_COUNTS *Counts);

/**
 * Blocks (and bytes) of pool that code of an image allocated and has not freed: verifier rule C4/62 at unload.
 * PASSIVE_LEVEL.
 */
BOOLEAN MmIsPagedPool(PVOID Address); /* Any IRQL. */
BOOLEAN MmOwnsPool(VOID); /* this processor holds a pool's lock. Any IRQL. */
LONG64 MmCountImagePool(PVOID Base, SIZE_T Size, PLONG64 Bytes);

/** Copies without trusting either side; see vmapi.c. IRQL <= APC_LEVEL. */
NTSTATUS MmCopyVirtualMemory(PEPROCESS From, PVOID Source, PEPROCESS To, PVOID Target, SIZE_T Size,
                             KPROCESSOR_MODE Mode, PSIZE_T Copied);

/**
 * Low-resource simulation and tests: lets the trimmer take every page of the process that is not locked.
 * PASSIVE_LEVEL.
 */
SIZE_T MmTrimProcess(PEPROCESS Process);
/** The working-set part of ProcessQuotaLimits: both sizes -1 empty the working set (EmptyWorkingSet,
   SetProcessWorkingSetSize); limits proper are STATUS_NOT_SUPPORTED, there is nothing here that would keep to them.
   PASSIVE_LEVEL. */
NTSTATUS MmSetWorkingSetLimits(PEPROCESS Process, const QUOTA_LIMITS *Limits);

/* ---- what mingw's headers lack of the pool ---- */
#ifndef POOL_FLAG_NON_PAGED
typedef ULONG64 POOL_FLAGS;
#define POOL_FLAG_USE_QUOTA 0x0000000000000001ULL
#define POOL_FLAG_UNINITIALIZED 0x0000000000000002ULL
#define POOL_FLAG_SESSION 0x0000000000000004ULL
#define POOL_FLAG_CACHE_ALIGNED 0x0000000000000008ULL
#define POOL_FLAG_RAISE_ON_FAILURE 0x0000000000000020ULL
#define POOL_FLAG_NON_PAGED 0x0000000000000040ULL
#define POOL_FLAG_NON_PAGED_EXECUTE 0x0000000000000080ULL
#define POOL_FLAG_PAGED 0x0000000000000100ULL
#define POOL_FLAG_REQUIRED_MASK 0x00000000FFFFFFFFULL

typedef enum _POOL_EXTENDED_PARAMETER_TYPE
{
    PoolExtendedParameterInvalidType,
    PoolExtendedParameterPriority,
    PoolExtendedParameterSecurePool,
    PoolExtendedParameterNumaNode,
} POOL_EXTENDED_PARAMETER_TYPE;

typedef struct _POOL_EXTENDED_PARAMETER
{
    struct
    {
        ULONG64 Type : 8;
        ULONG64 Optional : 1;
        ULONG64 Reserved : 55;
    };
    union
    {
        ULONG64 Reserved2;
        PVOID Reserved3;
        EX_POOL_PRIORITY Priority;
        PVOID SecurePoolParams;
        ULONG PreferredNode;
    };
} POOL_EXTENDED_PARAMETER, *PPOOL_EXTENDED_PARAMETER;

PVOID NTAPI ExAllocatePool2(_In_ ULONG64 Flags, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag);
PVOID NTAPI ExAllocatePool3(_In_ ULONG64 Flags, _In_ SIZE_T NumberOfBytes, _In_ ULONG Tag,
                            _In_reads_opt_(ExtendedParametersCount) const POOL_EXTENDED_PARAMETER *ExtendedParameters,
                            _In_ ULONG ExtendedParametersCount);
VOID NTAPI ExFreePool2(_In_ PVOID P, _In_ ULONG Tag,
                       _In_reads_opt_(ExtendedParametersCount) const POOL_EXTENDED_PARAMETER *ExtendedParameters,
                       _In_ ULONG ExtendedParametersCount);
#endif

typedef VOID (NTAPI *PMM_MDL_ROUTINE)(PVOID DriverContext, PVOID MappedVa);
NTSTATUS NTAPI MmMapMdl(_In_ PMDL MemoryDescriptorList, _In_ ULONG Protection, _In_ PMM_MDL_ROUTINE DriverRoutine,
                        _Inout_opt_ PVOID DriverContext);

#ifndef MM_COPY_MEMORY_PHYSICAL
#define MM_COPY_MEMORY_PHYSICAL 0x1
#define MM_COPY_MEMORY_VIRTUAL 0x2
typedef struct _MM_COPY_ADDRESS
{
    union
    {
        PVOID VirtualAddress;
        PHYSICAL_ADDRESS PhysicalAddress;
    };
} MM_COPY_ADDRESS, *PMM_COPY_ADDRESS;

typedef struct _MM_PHYSICAL_ADDRESS_LIST
{
    PHYSICAL_ADDRESS PhysicalAddress;
    SIZE_T NumberOfBytes;
} MM_PHYSICAL_ADDRESS_LIST, *PMM_PHYSICAL_ADDRESS_LIST;
#endif

typedef enum _MM_MDL_PAGE_CONTENTS_STATE
{
    MmMdlPageContentsDynamic,
    MmMdlPageContentsInvariant,
    MmMdlPageContentsQuery,
} MM_MDL_PAGE_CONTENTS_STATE;
