/* SPDX-License-Identifier: MIT */
/*
 * MM: physical pages, page tables, pool, system PTEs, MDLs, process address spaces, sections.
 */
#pragma once

#include "nt.h"
#include "bootblock.h"

/* MM's part of a process; embedded in EPROCESS. */
typedef struct _MM_ADDRESS_SPACE
{
    RTL_AVL_TABLE Vads;            /* MMVAD ordered by start page; guarded by AddressSpaceLock */
    FAST_MUTEX AddressSpaceLock;   /* order: AddressSpaceLock -> WorkingSetLock -> PFN lock */
    FAST_MUTEX WorkingSetLock;     /* guards the user half of the page tables */
    SIZE_T WorkingSetPages;        /* valid user pages */
    SIZE_T PageTablePages;
    SIZE_T CommittedBytes;
    SIZE_T VirtualSize;
    SIZE_T PeakVirtualSize;
    ULONG64 PageFaults;
    volatile LONG64 LockedPages;   /* PFNs locked by MmProbeAndLockPages on behalf of this process */
    LIST_ENTRY LockedMdls;         /* trackers, when locked-page tracking is on */
    KSPIN_LOCK LockedMdlsLock;
    volatile LONG64 MdlViews;      /* user-mode MDL mappings alive */
    BOOLEAN Dead;                  /* cleaned: nothing may be mapped any more */
} MM_ADDRESS_SPACE;

typedef struct _MM_LEFTOVERS
{
    LONG64 LockedPages;            /* page locks not yet undone, whole system */
    LONG64 SystemMappings;         /* kernel views of MDLs */
    LONG64 UserMappings;           /* user views of MDLs */
    LONG64 MdlPages;               /* pages out from MmAllocatePagesForMdl* */
    LONG64 PoolBlocks;             /* blocks allocated by drivers since the baseline, any tag of theirs */
    LONG64 PoolBytes;
    LONG64 Contiguous;             /* contiguous and noncached blocks */
    LONG64 IoSpaceMappings;
    LONG64 ReservedMappings;       /* MmAllocateMappingAddress */
    LONG64 MdlsAllocated;          /* IoAllocateMdl minus IoFreeMdl (kept by IO through MmCountMdl) */
} MM_LEFTOVERS;

/* ---- start ---- */
VOID MmInitializePhase0(const BOOT_BLOCK *Block); /* PFN database, kernel page tables, pool; before any thread */
VOID MmInitializePhase1(VOID);                    /* page-file, trimmer thread, section types; PASSIVE_LEVEL */

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
/** Sets protection of whole pages inside a system image: PAGE_READONLY, PAGE_READWRITE, PAGE_EXECUTE_READ, PAGE_NOACCESS. */
NTSTATUS MmProtectSystemImage(PVOID Base, SIZE_T Size, ULONG Protect);
/** Frees an image; its range stays reserved so that a late call raises bug check CE naming the driver. */
VOID MmFreeSystemImage(PVOID Base, SIZE_T Size);

/* ---- processes ---- */
NTSTATUS MmCreateProcessAddressSpace(PEPROCESS Process);   /* page tables, VAD tree, shared user data page; sets Pcb.DirectoryTableBase */
VOID MmCleanProcessAddressSpace(PEPROCESS Process);        /* at exit, in the process: unmap all; bug check 76/CB if pages are locked */
VOID MmDeleteProcessAddressSpace(PEPROCESS Process);       /* at object deletion: frees the page tables */

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

/* ---- leftovers ---- */
VOID MmQueryLeftovers(MM_LEFTOVERS *Leftovers);
/** Pool blocks allocated from here on by code outside the kernel image count as drivers'. */
VOID MmPrintLeftoverPool(VOID);                   /* one line per block: tag, size, caller */
VOID MmCountMdl(LONG Delta);

/** Copies without trusting either side: FALSE with the status if a page cannot be read or written. <= APC_LEVEL. */
NTSTATUS MmCopyVirtualMemory(PEPROCESS From, PVOID Source, PEPROCESS To, PVOID Target, SIZE_T Size,
                             KPROCESSOR_MODE Mode, PSIZE_T Copied);

/** Low-resource simulation and tests: lets the trimmer take every page of the process that is not locked. PASSIVE_LEVEL. */
SIZE_T MmTrimProcess(PEPROCESS Process);
