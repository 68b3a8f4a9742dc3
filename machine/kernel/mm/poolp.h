/* SPDX-License-Identifier: MIT */
/* Private to the pool files. */
#pragma once

#include "mmp.h"

/* Every block below a page starts with this; its bytes follow, 16-byte aligned. */
typedef struct _MI_BLOCK
{
    ULONG Tag;
    USHORT Check;             /* of the rest of the header and its address: an overrun of the block before breaks it */
    UCHAR Previous;           /* units of the block before it in the page; 0: first */
    UCHAR Flags;
    ULONG64 Units : 9;        /* of 16 bytes, header included; 256 is the whole page */
    ULONG64 Slack : 5;        /* bytes at the end that nobody asked for; they hold MI_SLACK_FILL */
    ULONG64 Caller : 37;      /* MiPackCaller */
    ULONG64 Unused : 13;
} MI_BLOCK, *PMI_BLOCK;
C_ASSERT(sizeof(MI_BLOCK) == 16);

#define MI_BLOCK_IN_USE 0x01
#define MI_BLOCK_POOL 0x06    /* which pool, two bits */
#define MI_BLOCK_POOL_SHIFT 1
#define MI_BLOCK_DRIVER 0x08  /* allocated by a driver: counted */
#define MI_BLOCK_REDIRECT 0x10 /* stands before a cache-aligned block: Units back lies the real header */

#define MI_UNIT 16
#define MI_PAGE_UNITS (PAGE_SIZE / MI_UNIT)
#define MI_LARGEST_BLOCK (PAGE_SIZE - MI_UNIT)
#define MI_CACHE_LINE 64
#define MI_SLACK_FILL 0xA7
#define MI_SPARE_PAGES 8

typedef struct _MI_POOL
{
    KSPIN_LOCK Lock;
    MI_REGION *Region;
    ULONG64 PteBits;
    ULONG Index;
    BOOLEAN Paged;
    ULONG64 NonEmpty[(MI_PAGE_UNITS + 64) / 64];
    LIST_ENTRY Free[MI_PAGE_UNITS + 1]; /* by units */
    ULONG SpareCount;
    PVOID Spare[MI_SPARE_PAGES];        /* whole free pages, kept mapped */
} MI_POOL;

enum { MiPoolNonPaged, MiPoolExecutable, MiPoolPaged, MiPoolCount };
extern MI_POOL MiPools[MiPoolCount];

typedef struct _MI_REQUEST
{
    MI_POOL *Pool;
    SIZE_T Size;
    ULONG Tag;
    ULONG Type; /* POOL_TYPE as asked for, which bug checks name */
    PVOID Caller;
    BOOLEAN Driver; /* Caller is a driver's code: the block is counted, and checked */
    BOOLEAN Zero;
    BOOLEAN CacheAligned;
    UCHAR Special; /* MI_SPECIAL_PLACE */
} MI_REQUEST;

/* Where a block lies in its page of special pool; the caller may prefer one (EX_POOL_PRIORITY). */
typedef enum _MI_SPECIAL_PLACE { MiSpecialDefault, MiSpecialOverrun, MiSpecialUnderrun } MI_SPECIAL_PLACE;

/* What a pointer turned out to be. */
typedef struct _MI_FOUND
{
    MI_POOL *Pool;
    ULONG Tag;
    PVOID Caller;
    SIZE_T Size;
    PMI_BLOCK Block;  /* NULL: whole pages */
    ULONG Pages;
    BOOLEAN Driver;
    BOOLEAN Special;  /* on a page of special pool */
} MI_FOUND;

PVOID MiAllocateBlock(const MI_REQUEST *Request);
VOID MiFreeBlock(MI_POOL *Pool, PMI_BLOCK Block);
PMI_BLOCK MiBlockOf(PVOID Address); /* header of a small block, checked; bug check if it is none */
VOID MiCheckSlack(PMI_BLOCK Block);
USHORT MiBlockCheck(const MI_BLOCK *Block);

PVOID MiAllocatePoolPages(const MI_REQUEST *Request);
VOID MiFreePoolPages(MI_POOL *Pool, PVOID Address, ULONG Pages);

VOID MiFindPoolBlock(PVOID Address, MI_FOUND *Found); /* bug check if it is no allocated block */
/** What the two records before a range of pages say. */
VOID MiFoundPages(MI_REGION *Region, ULONG Index, ULONG64 Record, MI_FOUND *Found);
/** A tag as four printable characters. Text has room for 5. */
VOID MiTagText(ULONG Tag, PCHAR Text);

/* ---- special pool (specialpool.c) ---- */

extern BOOLEAN MiSpecialPool; /* the mode is on */
/** A block on a page of its own for a request of at most MI_LARGEST_BLOCK bytes; NULL: no room, use ordinary pool. */
PVOID MiAllocateSpecial(const MI_REQUEST *Request);
BOOLEAN MiIsSpecialPool(PVOID Address);
PVOID MiSpecialBlock(const MI_REGION *Region, ULONG Index); /* where the block of a live page begins */
VOID MiFindSpecial(PVOID Address, MI_FOUND *Found);
VOID MiFreeSpecial(PVOID Address, const MI_FOUND *Found, PVOID Caller);

/* Second record of a block of whole pages: tag, unused bytes of the last page, pool, whose. */
static inline ULONG64 MiMakePoolRecord(ULONG Tag, ULONG Slack, ULONG Pool, BOOLEAN Driver)
{
    return ((ULONG64)Tag << 32) | ((ULONG64)Slack << 8) | ((ULONG64)Driver << 7) | ((ULONG64)Pool << 5);
}
#define MI_RECORD_SLACK(Record) ((ULONG)((Record) >> 8) & 0x1FFF)
