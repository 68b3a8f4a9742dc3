/* SPDX-License-Identifier: MIT */
/*
 * What the driver and the programs agree on: device names, control codes and the structures that travel with them.
 *
 * Rules of this interface:
 *  - Fixed-size fields only and no pointers: addresses are UINT64. A 32-bit program uses the same structures.
 *  - Each structure starts with ISTHMUS_HEADER. Size is the size of the structure without what may follow it;
 *    a revision or a size that the driver doesn't know is refused (STATUS_REVISION_MISMATCH,
 *    STATUS_INFO_LENGTH_MISMATCH), and so is any bit that has no meaning here (STATUS_INVALID_PARAMETER).
 *  - Ids of sessions, regions and views are never used twice while the driver is loaded. An id means something only
 *    in the session that received it.
 *  - No kernel address ever appears. Page frame numbers are given to administrators only.
 */
#ifndef ISTHMUS_ABI_H
#define ISTHMUS_ABI_H

#if defined(_NTDDK_) || defined(_NTIFS_) || defined(_WDMDDK_) || defined(_NTDDK_INCLUDED_)
/* The kernel's headers are in use and give UINT32 and UINT64. */
#else
#include <windows.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define ISTHMUS_REVISION        1u
#define ISTHMUS_VERSION_MAJOR   0u
#define ISTHMUS_VERSION_MINOR   1u
#define ISTHMUS_VERSION_PATCH   0u
#define ISTHMUS_VERSION_NUMBER  ((ISTHMUS_VERSION_MAJOR << 16) | (ISTHMUS_VERSION_MINOR << 8) | ISTHMUS_VERSION_PATCH)

/*
 * Three devices, one session type. They differ in how ReadFile and WriteFile bring the caller's buffer:
 * neither (the driver captures it), buffered (copied by the I/O manager), direct (locked by the I/O manager).
 * Control codes carry their own method and work alike on all three.
 */
#define ISTHMUS_DEVICE_NEITHER_W    L"\\\\.\\Isthmus"
#define ISTHMUS_DEVICE_BUFFERED_W   L"\\\\.\\IsthmusBuffered"
#define ISTHMUS_DEVICE_DIRECT_W     L"\\\\.\\IsthmusDirect"
#define ISTHMUS_SERVICE_W           L"isthmus"

/* ---- Control codes ------------------------------------------------------------------------------------------- */

/* FILE_DEVICE_UNKNOWN, access FILE_READ_DATA | FILE_WRITE_DATA, written out so that this header stands alone. */
#define ISTHMUS_CONTROL_CODE(Function, Method) ((0x22u << 16) | (0x3u << 14) | ((unsigned)(Function) << 2) | (Method))
#define ISTHMUS_METHOD_BUFFERED   0u
#define ISTHMUS_METHOD_IN_DIRECT  1u
#define ISTHMUS_METHOD_OUT_DIRECT 2u
#define ISTHMUS_METHOD_NEITHER    3u

/* Management, all buffered. "in -> out" names the structures; new codes are only ever appended. */
#define IOCTL_ISTHMUS_VERSION      ISTHMUS_CONTROL_CODE(0x800, 0) /* - -> ISTHMUS_VERSION */
#define IOCTL_ISTHMUS_SHARE        ISTHMUS_CONTROL_CODE(0x801, 0) /* ISTHMUS_SHARE -> ISTHMUS_REGION_INFO */
#define IOCTL_ISTHMUS_ALLOCATE     ISTHMUS_CONTROL_CODE(0x802, 0) /* ISTHMUS_ALLOCATE -> ISTHMUS_REGION_INFO */
#define IOCTL_ISTHMUS_RELEASE      ISTHMUS_CONTROL_CODE(0x803, 0) /* ISTHMUS_ID (region) -> - */
#define IOCTL_ISTHMUS_NAME         ISTHMUS_CONTROL_CODE(0x804, 0) /* ISTHMUS_NAME [+ descriptor] -> - */
#define IOCTL_ISTHMUS_OPEN         ISTHMUS_CONTROL_CODE(0x805, 0) /* ISTHMUS_NAME -> ISTHMUS_REGION_INFO */
#define IOCTL_ISTHMUS_MAP          ISTHMUS_CONTROL_CODE(0x806, 0) /* ISTHMUS_MAP -> ISTHMUS_VIEW_INFO */
#define IOCTL_ISTHMUS_UNMAP        ISTHMUS_CONTROL_CODE(0x807, 0) /* ISTHMUS_ID (view) -> - */
#define IOCTL_ISTHMUS_CHECKSUM     ISTHMUS_CONTROL_CODE(0x808, 0) /* ISTHMUS_RANGE -> ISTHMUS_CHECKSUM */
#define IOCTL_ISTHMUS_WATCH        ISTHMUS_CONTROL_CODE(0x809, 0) /* ISTHMUS_WATCH -> - */
#define IOCTL_ISTHMUS_DESCRIBE                                                                                         \
    ISTHMUS_CONTROL_CODE(0x80A, 0) /* ISTHMUS_DESCRIBE -> ISTHMUS_DESCRIPTION, pages */
#define IOCTL_ISTHMUS_LIST         ISTHMUS_CONTROL_CODE(0x80B, 0) /* ISTHMUS_LIST -> ISTHMUS_LIST_PAGE, entries */
#define IOCTL_ISTHMUS_STATISTICS   ISTHMUS_CONTROL_CODE(0x80C, 0) /* - -> ISTHMUS_STATISTICS */
#define IOCTL_ISTHMUS_TARGET       ISTHMUS_CONTROL_CODE(0x80D, 0) /* ISTHMUS_TARGET -> - */
#define IOCTL_ISTHMUS_LAST_REQUEST ISTHMUS_CONTROL_CODE(0x80E, 0) /* - -> ISTHMUS_LAST_REQUEST */
#define IOCTL_ISTHMUS_PEEK         ISTHMUS_CONTROL_CODE(0x80F, 0) /* ISTHMUS_PEEK -> ISTHMUS_PEEK_RESULT */

/*
 * Transfers: bytes between the caller's buffer and a region (or to the driver's checksum only), one code per method.
 * The parameters are an ISTHMUS_TRANSFER in the input buffer. The bytes are: for BUFFERED, what follows the
 * ISTHMUS_TRANSFER in the input buffer, or the output buffer; for the other three, the output buffer.
 */
#define IOCTL_ISTHMUS_TRANSFER_BUFFERED   ISTHMUS_CONTROL_CODE(0x820, 0)
#define IOCTL_ISTHMUS_TRANSFER_IN_DIRECT  ISTHMUS_CONTROL_CODE(0x821, 1)
#define IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT ISTHMUS_CONTROL_CODE(0x822, 2)
#define IOCTL_ISTHMUS_TRANSFER_NEITHER    ISTHMUS_CONTROL_CODE(0x823, 3)

/* Channels: rings of records (isthmus_ring.h) between the driver and the process that makes one. Buffered. */
#define IOCTL_ISTHMUS_CHANNEL        ISTHMUS_CONTROL_CODE(0x830, 0) /* ISTHMUS_CHANNEL_CREATE -> ISTHMUS_CHANNEL_INFO */
#define IOCTL_ISTHMUS_CHANNEL_STATE  ISTHMUS_CONTROL_CODE(0x831, 0) /* ISTHMUS_ID (channel) -> ISTHMUS_CHANNEL_STATE */
#define IOCTL_ISTHMUS_CHANNEL_SOURCE ISTHMUS_CONTROL_CODE(0x832, 0) /* ISTHMUS_CHANNEL_SOURCE -> - */

/* ---- Structures ---------------------------------------------------------------------------------------------- */

#define ISTHMUS_ASSERT_SIZE(Type, Bytes) typedef char Type##_is_##Bytes##_bytes[(sizeof(Type) == (Bytes)) ? 1 : -1]

typedef struct ISTHMUS_HEADER
{
    UINT32 Revision; /* ISTHMUS_REVISION */
    UINT32 Size;     /* of the structure, in bytes, without what follows it */
} ISTHMUS_HEADER;
ISTHMUS_ASSERT_SIZE(ISTHMUS_HEADER, 8);

/* Access to a region or through a view. */
#define ISTHMUS_ACCESS_READ  0x1u
#define ISTHMUS_ACCESS_WRITE 0x2u
#define ISTHMUS_ACCESS_ALL   (ISTHMUS_ACCESS_READ | ISTHMUS_ACCESS_WRITE)

/* Kinds of region. */
#define ISTHMUS_KIND_USER_BUFFER   1u /* the process allocated it; locked and mapped by the kernel */
#define ISTHMUS_KIND_NONPAGED_POOL 2u
#define ISTHMUS_KIND_PAGED_POOL    3u
#define ISTHMUS_KIND_PAGES         4u /* pages of their own, without a pool block around them */
#define ISTHMUS_KIND_CHANNEL       5u /* a channel's ring: paged pool, locked */

/* States of a region or view, as LIST and DESCRIBE report them. */
#define ISTHMUS_STATE_LIVE     1u
#define ISTHMUS_STATE_DRAINING 2u
#define ISTHMUS_STATE_GONE     3u

/* What this driver on this system can do. */
#define ISTHMUS_CAN_MAP_READ_ONLY 0x1u /* read-only mappings (Windows 8 and later) */
#define ISTHMUS_CAN_NO_EXECUTE    0x2u /* kernel views without execute right (Windows 8 and later) */
#define ISTHMUS_CAN_PEEK          0x4u /* the Demo option is on */
#define ISTHMUS_CALLER_IS_ADMIN   0x8u

typedef struct ISTHMUS_VERSION
{
    ISTHMUS_HEADER Header;
    UINT32 Driver;       /* ISTHMUS_VERSION_NUMBER of the driver */
    UINT32 SystemMajor;  /* as RtlGetVersion tells it */
    UINT32 SystemMinor;
    UINT32 SystemBuild;
    UINT32 Capabilities; /* ISTHMUS_CAN_*, ISTHMUS_CALLER_* */
    UINT32 PageSize;     /* bytes */
    UINT64 Session;      /* id of the caller's session */
    UINT64 SegmentBytes; /* most bytes described by one MDL */
} ISTHMUS_VERSION;
ISTHMUS_ASSERT_SIZE(ISTHMUS_VERSION, 48);

typedef struct ISTHMUS_ID
{
    ISTHMUS_HEADER Header;
    UINT64 Id;
} ISTHMUS_ID;
ISTHMUS_ASSERT_SIZE(ISTHMUS_ID, 16);

typedef struct ISTHMUS_SHARE
{
    ISTHMUS_HEADER Header;
    UINT64 Address; /* any alignment */
    UINT64 Length;  /* bytes, not 0 */
    UINT32 Access;  /* what the driver may do with it */
    UINT32 Flags;   /* 0 */
} ISTHMUS_SHARE;
ISTHMUS_ASSERT_SIZE(ISTHMUS_SHARE, 32);

typedef struct ISTHMUS_ALLOCATE
{
    ISTHMUS_HEADER Header;
    UINT64 Length; /* bytes, not 0; whole zeroed pages are allocated */
    UINT32 Kind;   /* one of the three that the kernel allocates */
    UINT32 Flags;  /* 0 */
} ISTHMUS_ALLOCATE;
ISTHMUS_ASSERT_SIZE(ISTHMUS_ALLOCATE, 24);

typedef struct ISTHMUS_REGION_INFO
{
    ISTHMUS_HEADER Header;
    UINT64 Region;
    UINT64 Length;   /* bytes asked for */
    UINT64 Pages;    /* spanned */
    UINT32 Kind;
    UINT32 Access;   /* granted to this session */
    UINT32 Segments; /* MDLs */
    UINT32 Reserved;
} ISTHMUS_REGION_INFO;
ISTHMUS_ASSERT_SIZE(ISTHMUS_REGION_INFO, 48);

#define ISTHMUS_NAME_CHARS 64u

/*
 * For NAME the caller's own region gets a name; a self-relative security descriptor of SecurityLength bytes may
 * follow the structure (without one, the caller's default applies). For OPEN, Region and SecurityLength are 0.
 * Names are compared without regard to case. A region keeps its first name for life.
 */
typedef struct ISTHMUS_NAME
{
    ISTHMUS_HEADER Header;
    UINT64 Region;
    UINT32 Access;         /* OPEN: wanted; NAME: 0 */
    UINT32 NameLength;     /* bytes, even, not 0 */
    UINT32 SecurityLength; /* bytes */
    UINT32 Reserved;
    UINT16 Name[ISTHMUS_NAME_CHARS];
} ISTHMUS_NAME;
ISTHMUS_ASSERT_SIZE(ISTHMUS_NAME, 160);
#define ISTHMUS_SECURITY_MAX 4096u

typedef struct ISTHMUS_MAP
{
    ISTHMUS_HEADER Header;
    UINT64 Region;
    UINT32 Access;
    UINT32 Flags; /* 0 */
} ISTHMUS_MAP;
ISTHMUS_ASSERT_SIZE(ISTHMUS_MAP, 24);

typedef struct ISTHMUS_VIEW_INFO
{
    ISTHMUS_HEADER Header;
    UINT64 View;
    UINT64 Region;
    UINT64 Address; /* in the calling process */
    UINT64 Length;  /* bytes, whole pages */
    UINT32 Access;
    UINT32 Reserved;
} ISTHMUS_VIEW_INFO;
ISTHMUS_ASSERT_SIZE(ISTHMUS_VIEW_INFO, 48);

typedef struct ISTHMUS_RANGE
{
    ISTHMUS_HEADER Header;
    UINT64 Region;
    UINT64 Offset; /* bytes from the region's start */
    UINT64 Length; /* bytes */
} ISTHMUS_RANGE;
ISTHMUS_ASSERT_SIZE(ISTHMUS_RANGE, 32);

typedef struct ISTHMUS_CHECKSUM
{
    ISTHMUS_HEADER Header;
    UINT64 Length;
    UINT32 Crc32; /* ISO-HDLC, as zlib's crc32() */
    UINT32 Reserved;
} ISTHMUS_CHECKSUM;
ISTHMUS_ASSERT_SIZE(ISTHMUS_CHECKSUM, 24);

/*
 * Lets the driver watch one byte of a region from a timer DPC: each time the byte at Question changes to a value v,
 * the byte at Answer becomes v XOR 0xFF. It ends after Rounds answers, after Timeout, or with the region.
 */
typedef struct ISTHMUS_WATCH
{
    ISTHMUS_HEADER Header;
    UINT64 Region;
    UINT64 Question; /* offsets in bytes */
    UINT64 Answer;
    UINT32 Rounds;   /* 1 .. 65535 */
    UINT32 Timeout;  /* milliseconds, 1 .. 60000 */
} ISTHMUS_WATCH;
ISTHMUS_ASSERT_SIZE(ISTHMUS_WATCH, 40);

/* ---- Describe ------------------------------------------------------------------------------------------------ */

/* The fixed part of an MDL. Kernel addresses in it are only said to be there. */
#define ISTHMUS_MDL_HAS_NEXT       0x1u
#define ISTHMUS_MDL_HAS_PROCESS    0x2u
#define ISTHMUS_MDL_HAS_SYSTEM_VA  0x4u
#define ISTHMUS_MDL_KERNEL_START   0x8u /* StartVa is a kernel address and not shown */

typedef struct ISTHMUS_MDL
{
    UINT64 StartVa;
    UINT32 Size;       /* the field as it stands, 16 bits */
    UINT32 MdlFlags;
    UINT32 ByteCount;
    UINT32 ByteOffset;
    UINT32 Present;    /* ISTHMUS_MDL_* */
    UINT32 Pages;      /* spanned */
} ISTHMUS_MDL;
ISTHMUS_ASSERT_SIZE(ISTHMUS_MDL, 32);

#define ISTHMUS_NO_PFN 0xFFFFFFFFFFFFFFFFull

/* One page: its frame as the MDL has it, behind the kernel's view and behind the user's. */
typedef struct ISTHMUS_PAGE
{
    UINT64 MdlPfn;
    UINT64 KernelPfn; /* by MmGetPhysicalAddress; ISTHMUS_NO_PFN if there is no kernel view */
    UINT64 UserPfn;   /* the same; ISTHMUS_NO_PFN if the page isn't in the calling process */
} ISTHMUS_PAGE;
ISTHMUS_ASSERT_SIZE(ISTHMUS_PAGE, 24);

typedef struct ISTHMUS_DESCRIBE
{
    ISTHMUS_HEADER Header;
    UINT64 Region;
    UINT64 View;      /* whose user pages to show; 0: of a user buffer, the buffer's */
    UINT64 FirstPage; /* within the segment */
    UINT32 Segment;
    UINT32 Flags;     /* 0 */
} ISTHMUS_DESCRIBE;
ISTHMUS_ASSERT_SIZE(ISTHMUS_DESCRIBE, 40);

#define ISTHMUS_DESCRIPTION_PFN_WITHHELD 0x1u /* the caller isn't an administrator */
#define ISTHMUS_DESCRIPTION_KERNEL_VIEW  0x2u /* the driver has the region mapped */

typedef struct ISTHMUS_DESCRIPTION
{
    ISTHMUS_HEADER Header;
    UINT64 Region;
    UINT64 Length;        /* of the region, bytes */
    UINT64 SegmentOffset; /* bytes */
    UINT64 UserAddress;   /* of the segment's first byte in the calling process; 0 if none */
    UINT64 FirstPage;
    UINT32 Kind;
    UINT32 Access;
    UINT32 State;
    UINT32 Segment;
    UINT32 Segments;
    UINT32 Flags;         /* ISTHMUS_DESCRIPTION_* */
    UINT32 PagesReturned; /* ISTHMUS_PAGE entries that follow */
    UINT32 PageStride;    /* sizeof(ISTHMUS_PAGE) */
    ISTHMUS_MDL Mdl;
} ISTHMUS_DESCRIPTION;
ISTHMUS_ASSERT_SIZE(ISTHMUS_DESCRIPTION, 112);

/* ---- List and statistics ------------------------------------------------------------------------------------- */

#define ISTHMUS_LIST_SESSIONS 1u
#define ISTHMUS_LIST_REGIONS  2u
#define ISTHMUS_LIST_VIEWS    3u

typedef struct ISTHMUS_LIST
{
    ISTHMUS_HEADER Header;
    UINT64 After; /* entries with a greater id; 0 for the first */
    UINT32 What;  /* ISTHMUS_LIST_* */
    UINT32 Flags; /* 0 */
} ISTHMUS_LIST;
ISTHMUS_ASSERT_SIZE(ISTHMUS_LIST, 24);

typedef struct ISTHMUS_LIST_PAGE
{
    ISTHMUS_HEADER Header;
    UINT32 What;
    UINT32 Count;  /* entries that follow */
    UINT32 Stride; /* sizeof(ISTHMUS_LIST_ENTRY) */
    UINT32 More;   /* not 0: ask again with After = the last id */
} ISTHMUS_LIST_PAGE;
ISTHMUS_ASSERT_SIZE(ISTHMUS_LIST_PAGE, 24);

/* An administrator sees all entries, anyone else those of his own process. */
typedef struct ISTHMUS_LIST_ENTRY
{
    UINT64 Id;
    UINT64 Parent;    /* of a view: its region */
    UINT64 Session;   /* of a view: its session */
    UINT64 ProcessId; /* charged for it; of a view: where it is mapped */
    UINT64 Length;
    UINT64 Address;   /* of a user buffer or view, in its process */
    UINT32 Kind;
    UINT32 Access;
    UINT32 State;
    UINT32 Count;     /* of a session: its regions; of a region: grants and views */
    UINT16 Name[ISTHMUS_NAME_CHARS];
} ISTHMUS_LIST_ENTRY;
ISTHMUS_ASSERT_SIZE(ISTHMUS_LIST_ENTRY, 192);

/* What is held now, by everyone; then what happened since the driver started; then the limits. */
typedef struct ISTHMUS_STATISTICS
{
    ISTHMUS_HEADER Header;
    UINT64 Sessions;
    UINT64 Regions;
    UINT64 Views;
    UINT64 LockedBytes;     /* user memory */
    UINT64 AllocatedBytes;  /* memory that the kernel allocated for regions */
    UINT64 Mdls;
    UINT64 Locks;           /* MDLs whose pages the library has locked */
    UINT64 KernelMappings;
    UINT64 UserMappings;    /* one per segment of a view */
    UINT64 PoolBlocks;      /* of the library itself */
    UINT64 PoolBytes;
    UINT64 PageAllocations; /* MDLs made by MmAllocatePagesForMdl(Ex) */
    UINT64 Watches;
    UINT64 TotalSessions;
    UINT64 TotalRegions;
    UINT64 TotalViews;
    UINT64 TotalRequests;   /* request buffers captured */
    UINT64 TotalBytes;      /* through request buffers */
    UINT64 Refusals;        /* by quota */
    UINT64 Revocations;     /* regions and views taken back because their process ended */
    UINT64 LimitProcessLocked;
    UINT64 LimitProcessAllocated;
    UINT64 LimitProcessRegions;
    UINT64 LimitProcessViews;
    UINT64 LimitProcessSessions;
    UINT64 LimitTotalLocked;
    UINT64 LimitTotalAllocated;
    UINT64 LimitTotalRegions;
    UINT64 LimitTotalViews;
    UINT64 LimitTotalSessions;
} ISTHMUS_STATISTICS;
ISTHMUS_ASSERT_SIZE(ISTHMUS_STATISTICS, 248);

/* ---- Transfers ----------------------------------------------------------------------------------------------- */

#define ISTHMUS_TO_DRIVER   1u
#define ISTHMUS_FROM_DRIVER 2u

#define ISTHMUS_PARTS_MAX 7u

/* One more buffer of a transfer, chained behind the first (direct methods only). */
typedef struct ISTHMUS_PART
{
    UINT64 Address;
    UINT64 Length; /* bytes, not 0 */
} ISTHMUS_PART;
ISTHMUS_ASSERT_SIZE(ISTHMUS_PART, 16);

/* Region 0 takes the checksum of the bytes and drops them. PartCount entries of ISTHMUS_PART follow. */
typedef struct ISTHMUS_TRANSFER
{
    ISTHMUS_HEADER Header;
    UINT64 Region;
    UINT64 Offset;
    UINT32 Direction; /* ISTHMUS_TO_DRIVER or ISTHMUS_FROM_DRIVER; must fit the method */
    UINT32 PartCount;
} ISTHMUS_TRANSFER;
ISTHMUS_ASSERT_SIZE(ISTHMUS_TRANSFER, 32);

/* The region that ReadFile and WriteFile on this handle reach; 0: writes are summed and dropped, reads find nothing. */
typedef struct ISTHMUS_TARGET
{
    ISTHMUS_HEADER Header;
    UINT64 Region;
} ISTHMUS_TARGET;
ISTHMUS_ASSERT_SIZE(ISTHMUS_TARGET, 16);

#define ISTHMUS_REQUEST_MDLS  8u
#define ISTHMUS_REQUEST_PAGES 64u

/* How the session's last read, write or transfer brought its bytes. */
typedef struct ISTHMUS_LAST_REQUEST
{
    ISTHMUS_HEADER Header;
    UINT64 Sequence;      /* counts the session's requests */
    UINT64 Length;        /* bytes taken or given by the driver */
    UINT32 MajorFunction; /* IRP_MJ_READ 3, IRP_MJ_WRITE 4, IRP_MJ_DEVICE_CONTROL 14 */
    UINT32 ControlCode;
    UINT32 Method;        /* ISTHMUS_METHOD_* */
    UINT32 Crc32;         /* over those bytes, through the driver's own view */
    UINT32 MdlCount;      /* in the chain; entries filled: at most ISTHMUS_REQUEST_MDLS */
    UINT32 PagesReturned; /* PFNs of the chain in order; 0 unless the caller is an administrator */
    UINT32 PagesTotal;
    UINT32 Flags;         /* ISTHMUS_DESCRIPTION_PFN_WITHHELD */
    ISTHMUS_MDL Mdls[ISTHMUS_REQUEST_MDLS];
    UINT64 Pages[ISTHMUS_REQUEST_PAGES];
} ISTHMUS_LAST_REQUEST;
ISTHMUS_ASSERT_SIZE(ISTHMUS_LAST_REQUEST, 824);

/* ---- Channels ------------------------------------------------------------------------------------------------ */

#define ISTHMUS_CHANNEL_TO_PROGRAM 1u /* the driver produces, the program consumes */
#define ISTHMUS_CHANNEL_TO_DRIVER  2u

#define ISTHMUS_CHANNEL_OVERWRITE  0x1u /* to the program: the oldest records give way when the ring is full */
#define ISTHMUS_CHANNEL_MANY       0x2u /* to the program: produced on several processors at once */

#define ISTHMUS_CHANNEL_CAPACITY_MAX (512ull * 1024 * 1024)

/*
 * Makes a channel and maps it into the calling process. It has its own mapping and no other: it can't be named, mapped
 * again or transferred to; IOCTL_ISTHMUS_RELEASE with its id ends it. The events are the caller's handles, best
 * auto-reset; each side sets the one for which the other sleeps, and takes every wake-up for a hint.
 */
typedef struct ISTHMUS_CHANNEL_CREATE
{
    ISTHMUS_HEADER Header;
    UINT64 Capacity;   /* bytes, a power of two, 4096 to ISTHMUS_CHANNEL_CAPACITY_MAX */
    UINT64 DataEvent;  /* handle: the consumer waits on it */
    UINT64 SpaceEvent; /* handle: the producer waits on it */
    UINT32 Direction;  /* ISTHMUS_CHANNEL_TO_* */
    UINT32 Flags;      /* ISTHMUS_CHANNEL_OVERWRITE or _MANY, not both */
} ISTHMUS_CHANNEL_CREATE;
ISTHMUS_ASSERT_SIZE(ISTHMUS_CHANNEL_CREATE, 40);

typedef struct ISTHMUS_CHANNEL_INFO
{
    ISTHMUS_HEADER Header;
    UINT64 Channel;
    UINT64 Address; /* of the ring's description, in the calling process; the rest follows as it says */
    UINT64 Length;  /* bytes mapped: three control pages, and the data twice */
} ISTHMUS_CHANNEL_INFO;
ISTHMUS_ASSERT_SIZE(ISTHMUS_CHANNEL_INFO, 32);

/* The driver's end of a channel. */
typedef struct ISTHMUS_CHANNEL_STATE
{
    ISTHMUS_HEADER Header;
    UINT64 Channel;
    UINT64 Records; /* produced, or consumed */
    UINT64 Bytes;   /* their data */
    UINT64 Drops;   /* given up for want of room */
    UINT64 Lost;    /* overwritten before they were read */
    UINT64 Stalls;  /* times the ring was full, or empty before a sleep */
    UINT64 Wakeups; /* events set for the program */
    UINT32 Direction;
    UINT32 Flags;
    UINT32 State;   /* ISTHMUS_STATE_* */
    UINT32 Error;   /* why the driver gave up: ISTHMUS_RING_ERROR, 0 if it didn't */
    UINT32 Crc32;   /* isthmus.sys: over the data of all records so far; of several producers, their sums XORed */
    UINT32 Busy;    /* isthmus.sys: 1 while it produces or consumes */
} ISTHMUS_CHANNEL_STATE;
ISTHMUS_ASSERT_SIZE(ISTHMUS_CHANNEL_STATE, 88);

#define ISTHMUS_SOURCE_PRODUCERS_MAX 8u
#define ISTHMUS_SOURCE_LENGTH_MAX    65536u

/*
 * Has isthmus.sys fill a channel to the program from DPCs: each producer writes Records records of LengthMin to
 * LengthMax bytes, and after the last one the driver closes its end. A record starts with ISTHMUS_SOURCE_RECORD;
 * byte i behind it is (UINT8)(Sequence + i). When the ring is full a producer comes back a millisecond later, unless
 * Drop says to give the record up.
 */
typedef struct ISTHMUS_CHANNEL_SOURCE
{
    ISTHMUS_HEADER Header;
    UINT64 Channel;
    UINT64 Records;   /* per producer */
    UINT32 Producers; /* 1; up to ISTHMUS_SOURCE_PRODUCERS_MAX with ISTHMUS_CHANNEL_MANY */
    UINT32 LengthMin; /* bytes, sizeof(ISTHMUS_SOURCE_RECORD) or more */
    UINT32 LengthMax; /* up to ISTHMUS_SOURCE_LENGTH_MAX */
    UINT32 Drop;      /* 0 or 1 */
} ISTHMUS_CHANNEL_SOURCE;
ISTHMUS_ASSERT_SIZE(ISTHMUS_CHANNEL_SOURCE, 40);

typedef struct ISTHMUS_SOURCE_RECORD
{
    UINT64 Sequence; /* counts the producer's records, from 0, dropped ones included */
    UINT32 Producer; /* from 0 */
    UINT32 Length;   /* of the record */
} ISTHMUS_SOURCE_RECORD;
ISTHMUS_ASSERT_SIZE(ISTHMUS_SOURCE_RECORD, 16);

/* ---- The reason for all this --------------------------------------------------------------------------------- */

#define ISTHMUS_PEEK_CALLER  0u /* in the caller's thread */
#define ISTHMUS_PEEK_SYSTEM  1u /* in a system thread */
#define ISTHMUS_PEEK_PROCESS 2u /* attached to ProcessId, which must have a session open itself */
#define ISTHMUS_PEEK_MAX     64u

/*
 * Reads Length bytes at a plain user address (Region 0) or at Offset of a region through the driver's view, in the
 * context asked for. For administrators, with the Demo option on; read-only, user range only.
 */
typedef struct ISTHMUS_PEEK
{
    ISTHMUS_HEADER Header;
    UINT64 Address;
    UINT64 Region;
    UINT64 Offset;
    UINT64 ProcessId;
    UINT32 Context; /* ISTHMUS_PEEK_CALLER, _SYSTEM, _PROCESS */
    UINT32 Length;  /* 1 .. ISTHMUS_PEEK_MAX */
} ISTHMUS_PEEK;
ISTHMUS_ASSERT_SIZE(ISTHMUS_PEEK, 48);

typedef struct ISTHMUS_PEEK_RESULT
{
    ISTHMUS_HEADER Header;
    UINT32 Status; /* NTSTATUS: 0, or the exception that was caught */
    UINT32 Length; /* bytes read */
    UINT8 Bytes[ISTHMUS_PEEK_MAX];
} ISTHMUS_PEEK_RESULT;
ISTHMUS_ASSERT_SIZE(ISTHMUS_PEEK_RESULT, 80);

#ifdef __cplusplus
}
#endif

#endif /* ISTHMUS_ABI_H */
