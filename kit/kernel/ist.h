/* SPDX-License-Identifier: MIT */
/*
 * Private to the kernel library: its objects, its one lock, and what its files offer each other.
 *
 * Locks and IRQL
 *   IstLibrary.Lock   a fast mutex (APC_LEVEL). Guards every list, state, holder count and charge of sessions,
 *                     regions, views and accounts. One lock, because management calls are rare beside the use of the
 *                     memory, which takes none. Nothing is locked, mapped, allocated by the page, attached or waited
 *                     for while it is held.
 *   IST_WATCH.Lock    a spin lock (DISPATCH_LEVEL), innermost; taken by the watch's DPC.
 *   Uses and references are interlocked counts; they rise only under IstLibrary.Lock (see region.c).
 */
#pragma once

#include <ntifs.h>
#include <isthmus/isthmus_kernel.h>

#define IST_TAG 'htsI'

#ifndef min
#define min(a, b) (((a) < (b)) ? (a) : (b))
#endif
#ifndef max
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif

/* ---- Quotas (quota.c) ---------------------------------------------------------------------------------------- */

typedef enum _IST_CHARGE
{
    IstChargeSessions,
    IstChargeRegions,
    IstChargeViews,
    IstChargeLocked,    /* bytes */
    IstChargeAllocated, /* bytes */
    IstChargeKinds
} IST_CHARGE;

/* What one process holds. Lives from its first charge to its last uncharge. */
typedef struct _IST_ACCOUNT
{
    LIST_ENTRY Link;
    PEPROCESS Process; /* referenced, so the pointer and the id can't come to mean another process */
    HANDLE ProcessId;
    ULONG References;  /* IstLibrary.Lock */
    ULONG OwnSessions;
    ULONGLONG Used[IstChargeKinds];
    KMUTEX Mapping;    /* held while a view comes to be and while a buffer is locked: see IstViewOverlaps */
} IST_ACCOUNT, *PIST_ACCOUNT;

NTSTATUS IstAccountOpen(_Out_ PIST_ACCOUNT *Account);
VOID IstAccountClose(_In_ PIST_ACCOUNT Account);
PIST_ACCOUNT IstAccountFindLocked(_In_ HANDLE ProcessId);
VOID IstAccountLockMapping(_Inout_ PIST_ACCOUNT Account);
VOID IstAccountUnlockMapping(_Inout_ PIST_ACCOUNT Account);
NTSTATUS IstCharge(_Inout_ PIST_ACCOUNT Account, _In_ IST_CHARGE Kind, _In_ ULONGLONG Amount);
VOID IstUnchargeLocked(_Inout_ PIST_ACCOUNT Account, _In_ IST_CHARGE Kind, _In_ ULONGLONG Amount);
VOID IstUncharge(_Inout_ PIST_ACCOUNT Account, _In_ IST_CHARGE Kind, _In_ ULONGLONG Amount);
NTSTATUS IstQuotaRead(_In_opt_ PUNICODE_STRING RegistryPath);

/* ---- The library (library.c) --------------------------------------------------------------------------------- */

/* Things counted for the statistics; interlocked. */
typedef enum _IST_COUNT
{
    IstCountMdls,
    IstCountLocks,
    IstCountKernelMappings,
    IstCountUserMappings,
    IstCountPoolBlocks,
    IstCountPoolBytes,
    IstCountPageAllocations,
    IstCountWatches,
    IstCountTotalSessions,
    IstCountTotalRegions,
    IstCountTotalViews,
    IstCountTotalRequests,
    IstCountTotalBytes,
    IstCountRefusals,
    IstCountRevocations,
    IstCounts
} IST_COUNT;

typedef PMDL(NTAPI *IST_ALLOCATE_PAGES)(PHYSICAL_ADDRESS, PHYSICAL_ADDRESS, PHYSICAL_ADDRESS, SIZE_T,
                                        MEMORY_CACHING_TYPE, ULONG);

typedef struct _IST_LIBRARY
{
    FAST_MUTEX Lock;
    LIST_ENTRY Sessions;
    LIST_ENTRY Regions;  /* until their memory is released */
    LIST_ENTRY Accounts;
    ULONGLONG NextId;
    ULONGLONG Used[IstChargeKinds];
    ULONGLONG LimitProcess[IstChargeKinds];
    ULONGLONG LimitTotal[IstChargeKinds];
    volatile LONG64 Counts[IstCounts];
    SIZE_T SegmentBytes;           /* most bytes one MDL of ours describes; whole pages */
    UINT32 Capabilities;           /* ISTHMUS_CAN_* that depend on the system */
    ULONG MapPriority;             /* of kernel views: priority and no-execute where known */
    ULONG MapNoWrite;              /* MdlMappingNoWrite where known, else 0 */
    POOL_TYPE NonPaged;            /* NonPagedPoolNx where known */
    IST_ALLOCATE_PAGES AllocatePages; /* MmAllocatePagesForMdlEx; NULL where it is missing */
    BOOLEAN Tokens;                /* the kernel has tokens and access checks (caller.c) */
    BOOLEAN Started;
} IST_LIBRARY;

extern IST_LIBRARY IstLibrary;

BOOLEAN IstTokensDetect(VOID);
PVOID IstFindRoutine(_In_z_ PCWSTR Name);
PVOID IstAllocate(_In_ SIZE_T Bytes);
VOID IstFree(_In_opt_ PVOID Block);

FORCEINLINE VOID IstCount(IST_COUNT Kind, LONG64 Difference)
{
    InterlockedExchangeAdd64(&IstLibrary.Counts[Kind], Difference);
}

FORCEINLINE VOID IstLock(VOID)
{
    ExAcquireFastMutex(&IstLibrary.Lock);
}

FORCEINLINE VOID IstUnlock(VOID)
{
    ExReleaseFastMutex(&IstLibrary.Lock);
}

/* ---- Sessions (session.c) ------------------------------------------------------------------------------------ */

typedef struct _ISTHMUS_SESSION
{
    LIST_ENTRY Link;
    UINT64 Id;
    PIST_ACCOUNT Account;
    BOOLEAN Closed;    /* cleaned up: nothing new is given to it */
    LIST_ENTRY Grants; /* IST_GRANT */
    LIST_ENTRY Views;  /* IST_VIEW that nobody has claimed */
    ULONG GrantCount;
    ISTHMUS_LAST_REQUEST Last;
} ISTHMUS_SESSION;

/* A session's hold on a region. */
typedef struct _IST_GRANT
{
    LIST_ENTRY Link;
    PISTHMUS_REGION Region; /* referenced and held */
    UINT32 Access;
    BOOLEAN Maker;          /* the session made the region, it didn't open it */
} IST_GRANT, *PIST_GRANT;

PIST_GRANT IstGrantFindLocked(_In_ PISTHMUS_SESSION Session, _In_ UINT64 Region);
NTSTATUS IstGrantAdd(_Inout_ PISTHMUS_SESSION Session, _Inout_ PISTHMUS_REGION Region, _In_ UINT32 Access,
                     _In_ BOOLEAN Maker);

/* ---- Regions (region.c, memory.c, name.c, watch.c) ------------------------------------------------------------ */

typedef struct _IST_SEGMENT
{
    PMDL Mdl;
    PUCHAR Kernel;    /* the first byte in the kernel's view; NULL until mapped */
    PVOID Pool;       /* pool kinds: the block */
    ULONGLONG Offset; /* of the first byte within the region */
    SIZE_T Bytes;
    BOOLEAN Locked;   /* by MmProbeAndLockPages: one MmUnlockPages is owed */
    BOOLEAN Mapped;   /* by MmMapLockedPagesSpecifyCache, KernelMode */
    BOOLEAN ReadOnly; /* in every view, whatever the view's access */
    PMDL Single;      /* the pages' own MDL, where Mdl lists them twice (channel.c) */
} IST_SEGMENT, *PIST_SEGMENT;

/* Of a channel: description, producer's page, consumer's page, data. */
#define IST_CHANNEL_SEGMENTS 4

typedef struct _IST_WATCH
{
    KSPIN_LOCK Lock;
    KTIMER Timer;
    KDPC Dpc;
    KEVENT Done;        /* set when the DPC won't touch the watch again */
    BOOLEAN Used;       /* a watch was started on this region */
    BOOLEAN Active;     /* Lock: the timer is set or its DPC is on the way */
    BOOLEAN Stopping;   /* Lock */
    UCHAR LastSeen;
    ULONG Rounds;
    ULONGLONG Deadline; /* interrupt time, 100 ns */
    volatile UCHAR *Question;
    volatile UCHAR *Answer;
} IST_WATCH, *PIST_WATCH;

typedef enum _IST_REGION_STATE
{
    IstRegionLive = ISTHMUS_STATE_LIVE,
    IstRegionDraining = ISTHMUS_STATE_DRAINING,
    IstRegionGone = ISTHMUS_STATE_GONE
} IST_REGION_STATE;

typedef struct _ISTHMUS_REGION
{
    LIST_ENTRY Link;
    volatile LONG References; /* of this structure */
    volatile LONG Uses;       /* of the memory, plus one while it is live */
    volatile IST_REGION_STATE State;
    ULONG Holders;            /* grants and views */
    UINT64 Id;
    UINT32 Kind;
    UINT32 Access;
    UINT64 Address;           /* of a user buffer, in its process */
    UINT64 Length;
    UINT64 Charged;           /* bytes */
    PIST_ACCOUNT Account;
    HANDLE ProcessId;         /* of a user buffer or channel: it ends with this process */
    PISTHMUS_CHANNEL Channel; /* of a channel; freed with the region */
    LIST_ENTRY Views;         /* IST_VIEW, claimed ones too, until unmapped */
    KEVENT Idle;              /* Uses fell to 0 */
    KEVENT Gone;              /* the memory is released */
    PSECURITY_DESCRIPTOR Security;
    USHORT NameLength;        /* bytes; 0: no name */
    WCHAR Name[ISTHMUS_NAME_CHARS];
    WCHAR FoldedName[ISTHMUS_NAME_CHARS];
    IST_WATCH Watch;
    ULONG SegmentCount;
    IST_SEGMENT Segments[ANYSIZE_ARRAY];
} ISTHMUS_REGION;

VOID IstRegionReference(_Inout_ PISTHMUS_REGION Region);
VOID IstRegionDereference(_In_ PISTHMUS_REGION Region);
BOOLEAN IstRegionDropLocked(_Inout_ PISTHMUS_REGION Region);
VOID IstRegionDrain(_In_ PISTHMUS_REGION Region);
VOID IstRegionInfo(_In_ PISTHMUS_REGION Region, _In_ UINT32 Access, _Out_ ISTHMUS_REGION_INFO *Info);
UINT64 IstRegionPages(_In_ PISTHMUS_REGION Region);
NTSTATUS IstRegionEnterLocked(_Inout_ PISTHMUS_REGION Region);

NTSTATUS IstProbeAndLock(_Inout_ PMDL Mdl, _In_ KPROCESSOR_MODE Mode, _In_ LOCK_OPERATION Operation);
NTSTATUS IstRegionMake(_Inout_ PISTHMUS_SESSION Session, _In_ UINT32 Kind, _In_ UINT32 Access, _In_ UINT64 Address,
                       _In_ UINT64 Length, _In_ KPROCESSOR_MODE Mode, _In_opt_ PISTHMUS_CHANNEL Channel,
                       _Out_ ISTHMUS_REGION_INFO *Info);
UINT64 IstRegionViewBytes(_In_ PISTHMUS_REGION Region);

NTSTATUS IstSegmentAllocatePool(_Inout_ PIST_SEGMENT Segment, _In_ BOOLEAN Paged);
NTSTATUS IstSegmentMapKernel(_Inout_ PIST_SEGMENT Segment, _In_ BOOLEAN NoWrite);
NTSTATUS IstSegmentMakeMdl(_Inout_ PIST_SEGMENT Segment, _In_opt_ PVOID Address);
NTSTATUS IstSegmentsLockUser(_Inout_ PISTHMUS_REGION Region, _In_ KPROCESSOR_MODE Mode);
NTSTATUS IstSegmentsAllocate(_Inout_ PISTHMUS_REGION Region);
VOID IstSegmentsRelease(_Inout_ PISTHMUS_REGION Region);

VOID IstWatchInitialize(_Out_ PIST_WATCH Watch);
VOID IstWatchStop(_Inout_ PIST_WATCH Watch);

/* Channels (channel.c, channelring.c): what a region does for its channel, if it has one. */
NTSTATUS IstChannelStart(_Inout_ PISTHMUS_REGION Region);
VOID IstChannelEnd(_Inout_ PISTHMUS_CHANNEL Channel);
VOID IstChannelRelease(_Inout_ PISTHMUS_CHANNEL Channel);
VOID IstChannelFree(_In_ PISTHMUS_CHANNEL Channel);

VOID IstNameForget(_Inout_ PISTHMUS_REGION Region);

/* ---- Views (view.c) ------------------------------------------------------------------------------------------ */

typedef struct _IST_VIEW
{
    LIST_ENTRY SessionLink;
    LIST_ENTRY RegionLink;
    PISTHMUS_REGION Region;   /* referenced and held */
    PIST_ACCOUNT Account;     /* its process */
    volatile LONG References;
    BOOLEAN Claimed;          /* somebody is unmapping it */
    UINT32 Access;
    UINT64 Id;
    UINT64 SessionId;
    PUCHAR Address;
    SIZE_T Bytes;
    ULONG Mapped;             /* segments mapped, from the first */
    KEVENT Gone;
} IST_VIEW, *PIST_VIEW;

NTSTATUS IstViewMap(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Region, _In_ UINT32 Granted, _In_ UINT32 Access,
                    _Out_ ISTHMUS_VIEW_INFO *Info);
VOID IstViewClaimLocked(_Inout_ PIST_VIEW View);
VOID IstViewDestroy(_In_ PIST_VIEW View);
VOID IstViewWaitUnlock(_Inout_ PIST_VIEW View);
BOOLEAN IstViewOverlaps(_In_ PIST_ACCOUNT Account, _In_ UINT64 Address, _In_ UINT64 Length);

/* ---- Process ends (process.c) -------------------------------------------------------------------------------- */

VOID NTAPI IstProcessNotify(_In_ HANDLE ParentId, _In_ HANDLE ProcessId, _In_ BOOLEAN Create);
