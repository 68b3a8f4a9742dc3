/* SPDX-License-Identifier: MIT */
/*
 * Private to MM: page frames, page-table entries, ranges of kernel addresses, VADs, control areas.
 *
 * Locks, outermost first. All of a process's locks are fast mutexes (APC_LEVEL); the rest are spin locks.
 *
 *   AddressSpaceLock    the VAD tree of one process
 *     WorkingSetLock    the user half of its page tables
 *       control area    the prototype entries of one section
 *         region lock   the search for free addresses in a range (taking them is interlocked)
 *         pool lock     block lists of one pool
 *           PFN lock    the free list (reference counts are interlocked, and need no lock)
 */
#pragma once

#include "ke.h"
#include "ex.h"
#include "ps.h"
#include "mm.h"
#include "ldr.h"
#include "vf.h"
#include "hal.h"

/* ---- words the driver kit's headers of mingw lack ---- */

#ifndef SEC_IMAGE
#define SEC_FILE 0x00800000
#define SEC_IMAGE 0x01000000
#define SEC_NOCACHE 0x10000000
#endif
#ifndef MEM_IMAGE
#define MEM_IMAGE 0x01000000
#endif
#define MI_MEM_WRITE_WATCH 0x00200000
#define MI_MEM_PHYSICAL 0x00400000
#define MI_MEM_RESET_UNDO 0x01000000
#ifndef PROCESS_VM_OPERATION
#define PROCESS_VM_OPERATION 0x0008
#define PROCESS_VM_READ 0x0010
#define PROCESS_VM_WRITE 0x0020
#endif
#ifndef PROCESS_QUERY_INFORMATION
#define PROCESS_QUERY_INFORMATION 0x0400
#endif
#ifndef MdlMappingNoWrite
#define MdlMappingNoWrite 0x80000000u
#define MdlMappingNoExecute 0x40000000u
#define MdlMappingWithGuardPtes 0x20000000u
#endif
#ifndef MM_ALLOCATE_FAST_LARGE_PAGES
#define MM_ALLOCATE_FAST_LARGE_PAGES 0x00000040
#endif

#define MI_BUGCHECK_DRIVER_UNMAPPING_INVALID_VIEW 0xD7
#define MI_BUGCHECK_SYSTEM_PTE_MISUSE 0xDA
#define MI_BUGCHECK_LEFT_LOCKED_PAGES 0xCB
#define MI_BUGCHECK_UNLOADED_DRIVER 0xCE
#define MI_BUGCHECK_WRITE_TO_READONLY 0xBE
#define MI_BUGCHECK_EXECUTE_OF_NOEXECUTE 0xFC
#define MI_BUGCHECK_PAGE_FAULT 0x50
#define MI_BUGCHECK_PFN_LIST_CORRUPT 0x4E
#define MI_BUGCHECK_NO_MORE_SYSTEM_PTES 0x3F
#define MI_BUGCHECK_HAS_LOCKED_PAGES 0x76
#define MI_BUGCHECK_BAD_POOL_CALLER 0xC2
#define MI_BUGCHECK_BAD_POOL_HEADER 0x19
#define MI_BUGCHECK_SPECIAL_POOL 0xC1
#define MI_BUGCHECK_PARTIAL_MDL 0x12E
#define MI_BUGCHECK_TARGET_MDL_TOO_SMALL 0x40

/* ---- page-table entries (the drawing of the formats is in pte.c) ---- */

/* For what is split into routines to be read, and is one to be run. */
#define MI_INLINE static inline __attribute__((always_inline))
/* For what is mostly not called: saves all registers, so that who might call it saves none on entry for its sake. */
#define MI_KEEPS_REGISTERS __attribute__((preserve_most, noinline))

typedef volatile ULONG64 MMPTE, *PMMPTE;

#define MI_PTE_VALID 0x001ULL
#define MI_PTE_WRITE 0x002ULL
#define MI_PTE_USER 0x004ULL
#define MI_PTE_PWT 0x008ULL
#define MI_PTE_PCD 0x010ULL
#define MI_PTE_ACCESSED 0x020ULL
#define MI_PTE_DIRTY 0x040ULL
#define MI_PTE_LARGE 0x080ULL     /* in a page-directory entry */
#define MI_PTE_GLOBAL 0x100ULL
#define MI_PTE_COPY 0x200ULL      /* software: a write makes a private copy */
#define MI_PTE_PHYSICAL 0x400ULL  /* software: a view of an MDL; never trimmed, not ours to change */
#define MI_PTE_SHARED 0x800ULL    /* software: the page belongs to a section's prototype entry */
#define MI_PTE_PFN_MASK 0x000FFFFFFFFFF000ULL
#define MI_PTE_PROTECTION_SHIFT 52
#define MI_PTE_PROTECTION (0x1FULL << MI_PTE_PROTECTION_SHIFT)
#define MI_PTE_WS_LOCKED (1ULL << 57) /* software: NtLockVirtualMemory */
#define MI_PTE_NX (1ULL << 63)
#define MI_PTE_LEGACY_CACHE (MI_PTE_PWT | MI_PTE_PCD)

/* Kernel pages that hold data: writable, never executable; accessed and dirty from the start, so that the CPU need not
   say so. */
#define MI_PTE_KERNEL (MI_PTE_VALID | MI_PTE_WRITE | MI_PTE_ACCESSED | MI_PTE_DIRTY | MI_PTE_GLOBAL | MI_PTE_NX)
#define MI_PTE_TABLE (MI_PTE_VALID | MI_PTE_WRITE | MI_PTE_ACCESSED)

/* Entries that are not valid for the CPU: what bits 1..4 say. An entry of 0 has the meaning its VAD gives it. */
typedef enum _MI_SOFT
{
    MiSoftNone = 0,
    MiSoftDemandZero = 1,  /* committed, no page yet */
    MiSoftPageFile = 2,    /* PFN field: slot of the page file */
    MiSoftTransition = 3,  /* PFN field: a resident page that may not be touched (PAGE_NOACCESS, PAGE_GUARD) */
    MiSoftDecommitted = 4, /* inside a VAD that is committed as a whole */
    MiSoftPrototype = 5,   /* the section's page, with a protection of its own */
} MI_SOFT;

#define MI_SOFT_KIND(p) ((MI_SOFT)(((p) >> 1) & 0xF))
#define MI_PTE_PFN(p) ((ULONG64)(p) << 12 >> 24) /* bits 12 to 51 */

/* Protection as it is kept in entries and VADs: NT's five bits. */
#define MM_ZERO_ACCESS 0
#define MM_READONLY 1
#define MM_EXECUTE 2
#define MM_EXECUTE_READ 3
#define MM_READWRITE 4
#define MM_WRITECOPY 5
#define MM_EXECUTE_READWRITE 6
#define MM_EXECUTE_WRITECOPY 7
#define MM_PROTECTION_BASE 7
#define MM_NOCACHE 0x08
#define MM_GUARD 0x10
#define MM_WRITECOMBINE 0x18
#define MI_INVALID_PROTECTION 0xFFFFFFFFu

static inline MMPTE MiMakeSoft(MI_SOFT Kind, ULONG Protection, PFN_NUMBER Where)
{
    return ((ULONG64)Kind << 1) | ((ULONG64)Protection << MI_PTE_PROTECTION_SHIFT) | ((ULONG64)Where << PAGE_SHIFT);
}

static inline ULONG MiPteProtection(ULONG64 Pte)
{
    return (ULONG)((Pte & MI_PTE_PROTECTION) >> MI_PTE_PROTECTION_SHIFT);
}

static inline PVOID MiPhysicalToVirtual(ULONG64 Physical)
{
    return (PVOID)(MM_DIRECT_MAP_BASE + Physical);
}

static inline PVOID MiPfnToVirtual(PFN_NUMBER Pfn)
{
    return (PVOID)(MM_DIRECT_MAP_BASE + (Pfn << PAGE_SHIFT));
}

ULONG MiMakeProtection(ULONG Win32Protect);        /* PAGE_* to MM_*, or MI_INVALID_PROTECTION */
ULONG MiWin32Protection(ULONG Protection);         /* and back */
ULONG64 MiUserPteBits(ULONG Protection); /* hardware and copy-on-write bits of a valid user entry, without PFN */
ULONG64 MiCacheBits(MEMORY_CACHING_TYPE CacheType);
BOOLEAN MiAllowsWrite(ULONG Protection);
BOOLEAN MiAllowsExecute(ULONG Protection);

/** The entry that translates Va under a PML4 (physical address): at PTE level, or a large page's PDE. NULL if none. */
PMMPTE MiLookupPte(ULONG64 Pml4, ULONG_PTR Va, PBOOLEAN Large);
static inline PMMPTE MiLookupKernelPte(ULONG_PTR Va, PBOOLEAN Large);
/** PFN behind a kernel address, large pages included. FALSE if nothing is mapped there. */
BOOLEAN MiKernelVaToPfn(ULONG_PTR Va, PPFN_NUMBER Pfn, PULONG64 Pte);
/**
 * The page table that covers Va in the kernel half, made if need be. NULL if out of pages. Caller serialises per
 * range.
 */
PMMPTE MiMakeKernelTable(ULONG_PTR Va);
VOID MiShowKernelTables(VOID); /* phase 0 */
/** Where the entry of a kernel address lies once its page table is made; those of adjacent addresses are adjacent. */
static inline PMMPTE MiKernelPte(ULONG_PTR Va)
{
    return (PMMPTE)MM_PTE_BASE + ((Va >> PAGE_SHIFT) & ((1ULL << 36) - 1));
}
extern ULONG64 MiKernelPml4; /* physical; every process has a copy of its upper half */

static inline PMMPTE MiLookupKernelPte(ULONG_PTR Va, PBOOLEAN Large)
{
    return MiLookupPte(MiKernelPml4, Va, Large);
}

/* ---- page frames ---- */

typedef enum _MI_PAGE_STATE
{
    MiPageNotMemory = 0, /* a hole in the physical address space */
    MiPageFree,
    MiPageReserved,      /* RAM that is never handed out: firmware tables, archive, boot page tables */
    MiPageKernel,        /* images, stacks, the database itself */
    MiPagePageTable,
    MiPagePool,
    MiPageUser,          /* private or section page */
    MiPageMdl,           /* MmAllocatePagesForMdl* */
    MiPageContiguous,
    MiPagePageFile,
} MI_PAGE_STATE;

typedef struct _MMPFN
{
    ULONG Flink, Blink;        /* on the free list only */
    volatile LONG64 Counts;    /* low half: references of all kinds; high half: how many of them are page locks */
    PMMPTE Pte;                /* user pages: the entry or prototype entry that owns the page */
    UCHAR State;               /* MI_PAGE_STATE */
    UCHAR CacheType;           /* MEMORY_CACHING_TYPE its mappings must have, or MI_CACHE_UNDECIDED */
    USHORT Spare;
    ULONG Spare2;
} MMPFN, *PMMPFN;
C_ASSERT(sizeof(MMPFN) == 32);

#define MI_PFN_DATABASE ((PMMPFN)MM_PFN_DATABASE_BASE)
#define MI_CACHE_UNDECIDED ((UCHAR)MmNotMapped) /* the first mapping's type will be the page's */
#define MI_LARGE_PAGE_SIZE (2u << 20)
#define MI_LOCK_UNIT ((1LL << 32) + 1)
#define MI_LOCKS(Counts) ((LONG)((Counts) >> 32))
#define MI_REFERENCES(Counts) ((LONG)(Counts))
#define MI_SHARES(Counts) (MI_REFERENCES(Counts) - MI_LOCKS(Counts)) /* entries that show the page */
#define MI_MAXIMUM_LOCKS 0xFFF0 /* of one page at a time; NT's counter has 16 bits */

extern PFN_NUMBER MiHighestPage;
extern PFN_COUNT MiTotalPages;         /* RAM the machine can use */
extern volatile LONG64 MiFreePageCount;
extern volatile LONG64 MiUncachedPages; /* RAM pages whose CacheType is not MmCached */

static inline PMMPFN MiPfn(PFN_NUMBER Pfn)
{
    return &MI_PFN_DATABASE[Pfn];
}

static inline BOOLEAN MiIsMemory(PFN_NUMBER Pfn)
{
    return Pfn <= MiHighestPage && MI_PFN_DATABASE[Pfn].State != MiPageNotMemory;
}

#define MI_ALLOCATE_ZEROED 1u
#define MI_ALLOCATE_USER 2u    /* leaves the last pages to the kernel */
#define MI_ALLOCATE_PARTIAL 4u /* fewer are welcome */

/**
 * Takes Count pages with one reference each; returns how many it took (Count or 0 unless MI_ALLOCATE_PARTIAL).
 * IRQL <= DISPATCH_LEVEL.
 */
SIZE_T MiAllocatePages(SIZE_T Count, PPFN_NUMBER Pages, ULONG Flags, MI_PAGE_STATE State);
/** One page, or 0. */
PFN_NUMBER MiAllocatePage(ULONG Flags, MI_PAGE_STATE State);
/**
 * Count adjacent pages within [Low, High], the first a multiple of Alignment, none crossing a multiple of Boundary
 * (0: any). 0 if none.
 */
PFN_NUMBER MiAllocateRun(SIZE_T Count, PFN_NUMBER Low, PFN_NUMBER High, PFN_NUMBER Alignment, PFN_NUMBER Boundary,
                         MI_PAGE_STATE State);
/** Up to Count single pages within [Low, High]. */
SIZE_T MiAllocatePagesInRange(SIZE_T Count, PPFN_NUMBER Pages, PFN_NUMBER Low, PFN_NUMBER High, MI_PAGE_STATE State);
/** Its last reference has gone; Last: reuse it as late as possible. */
MI_KEEPS_REGISTERS VOID MiFreePage(PFN_NUMBER Pfn, BOOLEAN Last);
VOID MiSetCacheType(PFN_NUMBER Pfn, MEMORY_CACHING_TYPE CacheType);
/** The type of a page of RAM for a mapping that wants this one: the page's own if it has one. */
MEMORY_CACHING_TYPE MiChooseCacheType(PFN_NUMBER Pfn, MEMORY_CACHING_TYPE Wanted);

static inline VOID MiReferencePage(PFN_NUMBER Pfn)
{
    InterlockedIncrement64(&MiPfn(Pfn)->Counts);
}

static inline VOID MiReleasePage(PFN_NUMBER Pfn)
{
    if (MI_REFERENCES(InterlockedDecrement64(&MiPfn(Pfn)->Counts)) <= 0)
    {
        MiFreePage(Pfn, FALSE);
    }
}

/** MiReleasePage for many. */
VOID MiReleasePages(const PFN_NUMBER *Pages, SIZE_T Count);
VOID MiInitializePfnDatabase(const BOOT_BLOCK *Block);
PVOID MiBootAllocate(SIZE_T Size); /* zeroed, page-aligned, for ever; phase 0 only */
VOID MiZeroPage(PFN_NUMBER Pfn);
VOID MiDonateRange(PFN_NUMBER First, SIZE_T Count);

/* A rule of VF's whose parameters are looked at only where it is broken. */
#define MI_RULE(Holds, Rule, P2, P3, P4) \
    do \
    { \
        if (__builtin_expect(!(Holds), 0)) \
        { \
            VfpCheck(Rule, (ULONG_PTR)(P2), (ULONG_PTR)(P3), (ULONG_PTR)(P4)); \
        } \
    } while (0)

#include "lockp.h"
#include "regionp.h"

/* ---- pool ---- */

VOID MiInitializePool(ULONG64 Cookie);
/** ExAllocatePoolWithTag(NonPagedPoolNx) on behalf of somebody else, who will be named if the block is left. */
PVOID MiAllocatePoolFor(PVOID Caller, SIZE_T Size, ULONG Tag);
ULONG MiPoolTagOf(PVOID Address);
VOID MiInitializeSpecialPool(ULONG Pages); /* Pages: of addresses, for each of the two kinds */
VOID MiSpecialPoolFault(ULONG_PTR Va, ULONG_PTR Access, ULONG_PTR Pc);
VOID MiReportSpecialPool(VOID);

/* ---- kernel memory that can leave (pageable.c), and that is hidden from drivers (forceirql.c) ---- */

typedef struct _MI_PAGEABLE_SECTION MI_PAGEABLE_SECTION;

extern BOOLEAN MiPageable; /* some mode of the verifier takes pages of it away */
VOID MiInitializePageable(VOID);
/** Keeps entries of pageable kernel memory as they are while pages behind them are looked up. <= DISPATCH_LEVEL. */
KIRQL MiLockPageable(VOID);
VOID MiUnlockPageable(KIRQL Irql);
/**
 * TRUE if the address had a page that was trimmed: it is back, try again. FALSE: it is there, or was never pageable.
 * <= APC_LEVEL; above, only for a page that nobody has sent to the page file (else bug check 7A if memory is short).
 */
BOOLEAN MiBringBackKernelPage(ULONG_PTR Va);
/** Takes one in eight of the resident pages of one part of paged pool, and of all pageable sections. */
VOID MiTrimKernel(VOID);
/** Takes the pages of all pageable sections out of reach; they stay in memory. <= DISPATCH_LEVEL. */
VOID MiTrimSections(VOID);
VOID MiForgetSections(PVOID Base, SIZE_T Size, BOOLEAN WholeOnly); /* those that begin in the range */
MI_PAGEABLE_SECTION *MiFindPageableSection(PVOID AddressOrHandle);
VOID MiLockSection(MI_PAGEABLE_SECTION *Section, BOOLEAN Lock);
VOID MiReportPageable(VOID);
ULONG64 MiTakePageableEntry(PMMPTE Entry, ULONG64 Leave);

/**
 * Empties an entry of kernel memory that may be pageable. Returns what it held: a valid entry, whose page is now the
 * caller's to release; or no valid one, and nothing is left to do.
 */
static inline ULONG64 MiTakeKernelEntry(PMMPTE Entry, ULONG64 Leave)
{
    return MiPageable ? MiTakePageableEntry(Entry, Leave)
                      : (ULONG64)InterlockedExchange64((volatile LONG64 *)Entry, (LONG64)Leave);
}

VOID MiInitializeForceIrql(VOID);
VOID MiShowPageable(VOID); /* ends this processor's hiding. < DISPATCH_LEVEL */
/** For a fault: TRUE if the address was only hidden and may be seen now. */
BOOLEAN MiShowForFault(ULONG_PTR Va);
BOOLEAN MiIsHidden(ULONG_PTR Va);
/** TRUE if this thread is inside the pool's own code: its headers are in paged pool, under a lock at DISPATCH_LEVEL. */
BOOLEAN MiOwnsPagedPool(VOID);
/** TRUE for one in so many calls; always for 1. For others than 1 the trimmer's thread only. */
BOOLEAN MiChosenToTrim(ULONG OneIn);

/* ---- MDLs ---- */

static inline ULONG MiMdlPages(const MDL *Mdl)
{
    return (ULONG)(((ULONG_PTR)Mdl->ByteOffset + Mdl->ByteCount + PAGE_SIZE - 1) >> PAGE_SHIFT);
}
static inline PVOID MiMdlVa(const MDL *Mdl)
{
    return (PUCHAR)Mdl->StartVa + Mdl->ByteOffset;
}

PVOID MiMapMdlToUser(PMDL Mdl, MEMORY_CACHING_TYPE CacheType, PVOID Base, ULONG Priority); /* raises */
VOID MiUnmapMdlFromUser(PVOID Base, PMDL Mdl);
BOOLEAN MiMayPageLeave(PFN_NUMBER Pfn); /* nothing keeps this page of RAM where it is */

/* What VF and MM ask of an MDL before it is mapped; mdlcheck.c has the rules. */
#define MI_KERNEL_VIEW_WRONG (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL_HAS_BEEN_MAPPED)
#define MI_KERNEL_VIEW_NEEDS (MDL_PAGES_LOCKED | MDL_PARTIAL)
#define MI_USER_VIEW_NEEDS (MDL_PAGES_LOCKED | MDL_PARTIAL | MDL_SOURCE_IS_NONPAGED_POOL)
/** IRQL or flags are wrong; Obsolete: for MmMapLockedPages. Returns if MM itself can do with it. */
VF_SELDOM VOID MiReportMap(PMDL Mdl, KPROCESSOR_MODE Mode, BOOLEAN Obsolete);
/** The verifier's rules for a page that is not a program's with a lock on it. */
VF_SELDOM VOID MiCheckOddPage(PMDL Mdl, const PFN_NUMBER *Pfn);
VOID MiWriteMdlEntries(PMDL Mdl, ULONG Index, ULONG Pages, MEMORY_CACHING_TYPE CacheType, ULONG64 Bits);
ULONG64 MiKernelViewBits(ULONG Priority);
BOOLEAN MiIsValidCacheType(MEMORY_CACHING_TYPE CacheType);
VOID MiReportLockedPages(PEPROCESS Process);        /* bug check 76 or CB */
VOID MiUnlockMdlPages(PMDL Mdl, ULONG First, ULONG Count); /* locks and accounting of a part of the MDL */
VOID MiDropLocks(PMDL Mdl, ULONG Count); /* of the first pages, without any accounting */
extern MI_CACHE MiTrackerCache;
/** Where a locked MDL's tracker is, if no other MDL's is there. */
static inline MI_LOCK_TRACKER *MiLockPlace(PEPROCESS Process, PMDL Mdl)
{
    return &Process->Space.LockPlaces[((ULONG_PTR)Mdl >> 8) % MI_LOCK_PLACES]; /* our own MDLs are 256 bytes apart */
}

typedef struct _MI_COUNTERS
{
    volatile LONG64 LockedPages, SystemMappings, UserMappings, MdlPages, Contiguous, IoSpaceMappings, ReservedMappings,
        Mdls;
    volatile LONG64 DriverBlocks, DriverBytes;
    volatile LONG64 CommittedPages, PeakCommittedPages;
} MI_COUNTERS;
extern MI_COUNTERS MiCounters;
extern BOOLEAN MiTrackLocks;   /* captured from VF when MM starts */
extern BOOLEAN MiStrictMdl;    /* option=strictmdl: rules 81 and 82, which good old drivers break */
extern BOOLEAN MiNoExecutable; /* option=codeintegrity: rules 2000 to 2002, against executable memory */

/* ---- processes: VADs ---- */

typedef enum _MI_VAD_TYPE { MiVadPrivate, MiVadSection, MiVadImage, MiVadMdl, MiVadShared } MI_VAD_TYPE;

typedef struct _MI_CONTROL_AREA MI_CONTROL_AREA;

typedef struct _MMVAD
{
    struct _MMVAD *Child[2];   /* lower, higher (vadtree.c) */
    struct _MMVAD *Parent;
    LONG Balance;              /* levels that the higher side has more: -1, 0 or 1 */
    UCHAR Type;                /* MI_VAD_TYPE */
    UCHAR Protection;          /* MM_*: as allocated */
    UCHAR Maximum;             /* what a section view may be protected to at most */
    BOOLEAN Committed;         /* entries of 0 are committed pages */
    BOOLEAN Inherit;
    ULONG_PTR Start, End;      /* page numbers, both inside */
    SIZE_T Charged;            /* pages of commitment */
    MI_CONTROL_AREA *Area;     /* sections and images; a reference */
    ULONG64 FirstPage;         /* of the section, at Start */
    LIST_ENTRY Secures;        /* MI_SECURE.Links */
} MMVAD, *PMMVAD;

typedef struct _MI_SECURE
{
    LIST_ENTRY Links;
    ULONG_PTR Start, End;      /* page numbers */
    BOOLEAN Write;
    PEPROCESS Process;
} MI_SECURE;

PMMVAD MiFindVad(MM_ADDRESS_SPACE *Space, ULONG_PTR Page);

/* Pages, both inside, that no VAD covers; the upper half of the top-level table is the kernel's. */
typedef struct _MI_HOLE
{
    ULONG_PTR Start, End;
} MI_HOLE;

/** MiFindVad, and what would be free without the VAD, or is. */
static inline PMMVAD MiFindVadAndHole(MM_ADDRESS_SPACE *Space, ULONG_PTR Page, MI_HOLE *Hole)
{
    PMMVAD found = Space->Vads;

    Hole->Start = 0;
    Hole->End = (1ULL << 35) - 1;
    while (found != NULL)
    {
        if (Page < found->Start)
        {
            Hole->End = found->Start - 1;
            found = found->Child[0];
        }
        else if (Page > found->End)
        {
            Hole->Start = found->End + 1;
            found = found->Child[1];
        }
        else
        {
            break;
        }
    }
    for (PMMVAD vad = found != NULL ? found->Child[0] : NULL; vad != NULL; vad = vad->Child[1])
    {
        Hole->Start = vad->End + 1;
    }
    for (PMMVAD vad = found != NULL ? found->Child[1] : NULL; vad != NULL; vad = vad->Child[0])
    {
        Hole->End = vad->Start - 1;
    }
    return found;
}

/** The lowest VAD that ends at Page or above, or NULL. */
PMMVAD MiFindVadFrom(MM_ADDRESS_SPACE *Space, ULONG_PTR Page);
PMMVAD MiFindVadBelow(MM_ADDRESS_SPACE *Space, ULONG_PTR Page);
PMMVAD MiAllocateVad(MI_VAD_TYPE Type, ULONG_PTR Start, ULONG_PTR Pages, ULONG Protection);
extern MI_CACHE MiVadCache;
static inline VOID MiFreeVad(PMMVAD Vad) { MiCacheFree(&MiVadCache, Vad); }
VOID MiInsertVad(MM_ADDRESS_SPACE *Space, PMMVAD Vad);
VOID MiRemoveVad(MM_ADDRESS_SPACE *Space, PMMVAD Vad);
/** A gap of Pages on a 64 KB boundary at or below Highest, lowest first or highest first; 0 if none. */
ULONG_PTR MiFindGap(MM_ADDRESS_SPACE *Space, ULONG_PTR Pages, ULONG_PTR Highest, BOOLEAN TopDown);
BOOLEAN MiIsRangeFree(MM_ADDRESS_SPACE *Space, ULONG_PTR Start, ULONG_PTR End);
NTSTATUS MiCheckSecured(PMMVAD Vad, ULONG_PTR Start, ULONG_PTR End, ULONG NewProtection);

/* ---- processes: page tables ---- */

static inline MM_ADDRESS_SPACE *MiSpace(PEPROCESS Process) { return &Process->Space; }
static inline PEPROCESS MiCurrentProcess(VOID) { return (PEPROCESS)KiCurrentProcess(); }
#define MI_PAGE(Va) ((ULONG_PTR)(Va) >> PAGE_SHIFT)
#define MI_VA(Page) ((PVOID)((ULONG_PTR)(Page) << PAGE_SHIFT))
#define MI_HIGHEST_USER_PAGE (MI_PAGE(MM_HIGHEST_USER))
#define MI_LOWEST_USER_PAGE (MI_PAGE(MM_LOWEST_USER))
#define MI_GRANULARITY_PAGES 16
#define MI_SHARED_USER_DATA_VA 0x7FFE0000ULL

/** The entry for a user page, or NULL if it has no page table. WorkingSetLock held. */
static inline PMMPTE MiFindUserPte(PEPROCESS Process, ULONG_PTR Page)
{
    PMMPTE table = MiPhysicalToVirtual(Process->Pcb.DirectoryTableBase & MI_PTE_PFN_MASK);

    for (ULONG shift = 27; shift != 0; shift -= 9)
    {
        ULONG64 entry = table[(Page >> shift) & 511];
        if ((entry & MI_PTE_VALID) == 0)
        {
            return NULL;
        }
        table = MiPhysicalToVirtual(entry & MI_PTE_PFN_MASK);
    }
    return &table[Page & 511];
}
/** The same; with Create its tables are made (NULL: out of pages). */
PMMPTE MiUserPte(PEPROCESS Process, ULONG_PTR Page, BOOLEAN Create);
/** The entry of the first page from *Page to End that has a page table; *Page moves there. NULL if none. */
PMMPTE MiNextUserPte(PEPROCESS Process, PULONG_PTR Page, ULONG_PTR End);
/**
 * Empties [Start, End]: entries become Leave (0, or decommitted), pages and slots are freed after the flush.
 * WorkingSetLock held.
 */
VOID MiDeleteUserRange(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End, MMPTE Leave);
MI_KEEPS_REGISTERS VOID MiFreeTablesIn(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End, MI_HOLE Hole);
/** Frees the page tables that only served the hole around [Start, End]. Both locks held, the VAD removed. */
static inline VOID MiFreeUserTablesIn(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End, MI_HOLE Hole)
{
    ULONG_PTR first = max(Start & ~511ULL, (Hole.Start + 511) & ~511ULL);

    /* Else part of the range is in use, or every page table of it serves others too, and so does every directory. */
    if (Hole.Start <= Start && Hole.End >= End && first <= End && first + 511 <= Hole.End)
    {
        MiFreeTablesIn(Process, Start, End, Hole);
    }
}
/** The same where the hole is not known. */
VOID MiFreeUserTables(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End);
VOID MiFreeAllUserTables(PEPROCESS Process);

/**
 * The lock of a process's page tables; raises to APC_LEVEL. Verifier: C4/33 as of any fast mutex. (C4/34 is for
 * drivers: between taking and releasing these runs none of their code.)
 */
static inline VOID MiLockWorkingSetAt(PEPROCESS Process, KIRQL Irql) /* the IRQL, known to be <= APC_LEVEL */
{
    PFAST_MUTEX mutex = &Process->Space.WorkingSetLock;

    __writecr8(APC_LEVEL);
    ExEnterFastMutex(mutex);
    mutex->OldIrql = Irql;
}
static inline VOID MiLockWorkingSet(PEPROCESS Process)
{
    KIRQL irql = KeGetCurrentIrql();

    MI_RULE(irql <= APC_LEVEL, 0x33, irql, &Process->Space.WorkingSetLock, 0);
    MiLockWorkingSetAt(Process, irql);
}
static inline VOID MiUnlockWorkingSet(PEPROCESS Process)
{
    PFAST_MUTEX mutex = &Process->Space.WorkingSetLock;
    KIRQL irql = (KIRQL)mutex->OldIrql;

    ExLeaveFastMutex(mutex);
    __writecr8(irql);
}

/** Both locks of an address space, in order; the IRQL is raised once, and once lowered. */
static inline VOID MiLockSpace(PEPROCESS Process)
{
    PFAST_MUTEX mutex = &Process->Space.AddressSpaceLock;
    KIRQL irql = KeGetCurrentIrql();

    MI_RULE(irql <= APC_LEVEL, 0x33, irql, mutex, 0);
    __writecr8(APC_LEVEL);
    ExEnterFastMutex(mutex);
    mutex->OldIrql = irql;
    ExEnterFastMutex(&Process->Space.WorkingSetLock);
}
static inline VOID MiUnlockSpace(PEPROCESS Process)
{
    PFAST_MUTEX mutex = &Process->Space.AddressSpaceLock;
    KIRQL irql = (KIRQL)mutex->OldIrql;

    ExLeaveFastMutex(&Process->Space.WorkingSetLock);
    ExLeaveFastMutex(mutex);
    __writecr8(irql);
}

typedef enum _MI_ACCESS { MiAccessRead, MiAccessWrite, MiAccessExecute } MI_ACCESS;

/** Makes one user page accessible, as a fault would. May wait for the trimmer. <= APC_LEVEL, no MM lock held. */
NTSTATUS MiFaultUserPage(PEPROCESS Process, ULONG_PTR Page, MI_ACCESS Access);
/** The protection of a page, or MI_INVALID_PROTECTION if it is not committed. Both locks held. Entry may be NULL. */
ULONG MiPageProtection(PMMVAD Vad, ULONG_PTR Page, PMMPTE Entry);
/** Resolves an entry that does not allow the access yet. Both locks held. */
NTSTATUS MiResolveEntry(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Page, PMMPTE Entry, MI_ACCESS Access);
/** Faults the page in and takes a reference on it. */
NTSTATUS MiReferenceUserPage(PEPROCESS Process, ULONG_PTR Page, MI_ACCESS Access, PPFN_NUMBER Pfn);

BOOLEAN MiChargeCommit(SIZE_T Pages);
VOID MiReturnCommit(SIZE_T Pages);
extern ULONG64 MiCommitLimit;

/* User requests, on any process; Base and Size are captured. <= APC_LEVEL. */
NTSTATUS MiAllocateVirtual(PEPROCESS Process, PVOID *Base, PSIZE_T Size, ULONG_PTR ZeroBits, ULONG Type, ULONG Protect);
NTSTATUS MiFreeVirtual(PEPROCESS Process, PVOID *Base, PSIZE_T Size, ULONG Type);
NTSTATUS MiProtectVirtual(PEPROCESS Process, PVOID *Base, PSIZE_T Size, ULONG Protect, PULONG OldProtect);
/** Both locks held; the range lies in Vad. */
NTSTATUS MiProtectRange(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Start, ULONG_PTR End, ULONG Protection,
                        PULONG OldProtection);
NTSTATUS MiLockVirtual(PEPROCESS Process, PVOID *Base, PSIZE_T Size);
NTSTATUS MiUnlockVirtual(PEPROCESS Process, PVOID *Base, PSIZE_T Size);
NTSTATUS MiReferenceProcess(HANDLE Handle, ACCESS_MASK Access, PEPROCESS *Process);

/* ---- page file in RAM ---- */

VOID MiInitializePageFile(VOID);
PFN_NUMBER MiWriteToPageFile(PFN_NUMBER Pfn);              /* slot, or 0 if full */
VOID MiReadFromPageFile(PFN_NUMBER Slot, PFN_NUMBER Pfn);  /* copies; the slot stays */
VOID MiFreePageFileSlot(PFN_NUMBER Slot);
SIZE_T MiPageFileSize(VOID);                               /* pages */
BOOLEAN MiIsPageZero(PFN_NUMBER Pfn);
VOID MiInitializeTrimmer(VOID);
VOID MiNotifyTrimmer(VOID);                                /* wakes it if free pages run low */
#define MI_MEMORY_RETRIES 200 /* times MiWaitForPages before giving up: a second */
VOID MiWaitForPages(VOID); /* wakes the trimmer and gives it time. <= APC_LEVEL, no lock held */

/* ---- sections ---- */

typedef enum _MI_AREA_TYPE { MiAreaPageFile, MiAreaFileCopy, MiAreaImage } MI_AREA_TYPE;

struct _MI_CONTROL_AREA
{
    volatile LONG64 References; /* sections and views */
    MI_AREA_TYPE Type;
    FAST_MUTEX Lock;            /* the prototype entries */
    ULONG64 Pages;
    SIZE_T Charged;
    PMMPTE Prototypes;          /* 0 demand-zero, MiSoftTransition resident, MiSoftPageFile */
    PUCHAR Protections;         /* images: of every page */
    PFILE_OBJECT File;          /* a reference, or NULL */
    PSECTION_OBJECT_POINTERS Pointers;
    MM_IMAGE_INFORMATION Image;
    USHORT ImageVersion[2];     /* subsystem major, minor */
    ULONG FileSize, CheckSum;
    BOOLEAN ContainsCode;
    LIST_ENTRY Links;           /* all areas, for the trimmer */
};

typedef struct _MI_SECTION
{
    MI_CONTROL_AREA *Area;
    ULONG Attributes;           /* SEC_* */
    ULONG Protection;           /* MM_* the section was created with */
    ULONG64 Size;               /* bytes */
} MI_SECTION;

NTSTATUS MiCreateArea(MI_AREA_TYPE Type, ULONG64 Pages, MI_CONTROL_AREA **Area);
VOID MiReferenceArea(MI_CONTROL_AREA *Area);
VOID MiDereferenceArea(MI_CONTROL_AREA *Area);
NTSTATUS MiCreateImageArea(PFILE_OBJECT File, MI_CONTROL_AREA **Area);
NTSTATUS MiCreateFileArea(PFILE_OBJECT File, ULONG64 *Size, MI_CONTROL_AREA **Area);
/** Gives a prototype entry its page, with one more reference. STATUS_NO_MEMORY if out of pages. */
NTSTATUS MiGetSectionPage(MI_CONTROL_AREA *Area, ULONG64 Index, PPFN_NUMBER Pfn);
NTSTATUS MiMapViewOfSection(PEPROCESS Process, MI_SECTION *Section, PVOID *Base, PSIZE_T Size, ULONG64 *Offset,
                            ULONG_PTR ZeroBits, ULONG AllocationType, ULONG Protect, BOOLEAN Inherit);
NTSTATUS MiUnmapView(PEPROCESS Process, PVOID Base);
VOID MiInitializeSections(VOID);
VOID MiInitializeAreas(VOID);
MI_CONTROL_AREA *MiFindImageArea(PSECTION_OBJECT_POINTERS Pointers);
BOOLEAN MiPublishImageArea(PSECTION_OBJECT_POINTERS Pointers, MI_CONTROL_AREA *Area);
SIZE_T MiTrimAreas(VOID);
