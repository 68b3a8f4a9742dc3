/* SPDX-License-Identifier: MIT */
/*
 * Private to channel.c, demo_channel.c and stream*.c: one stream of records through a channel, and all that can be found
 * out about it from this side. The driver's numbers come from the driver, this program's from what it did.
 */
#pragma once

#include "cli.h"
#include <isthmus/isthmus_ring.h>

#define STREAM_PARTS  4 /* a channel's segments: description, producer's page, consumer's page, data */
#define STREAM_DATA   3
#define STREAM_WAIT   30000 /* milliseconds without a sign of the driver */

typedef struct STREAM_PART
{
    UINT64 Address;  /* in this process */
    UINT64 Pages;    /* data: counted once */
    UINT64 Frame;    /* of the first page; ISTHMUS_NO_PFN: not told */
    BOOL Writable;   /* tried, on each page */
} STREAM_PART;

typedef struct STREAM
{
    /* Asked for. */
    HISTHMUS Isthmus;
    DWORD Direction;   /* ISTHMUS_CHANNEL_TO_* */
    DWORD Flags;       /* ISTHMUS_CHANNEL_* */
    UINT64 Capacity;
    UINT64 Records;    /* per producer; not with Bytes */
    DWORD Producers;   /* 1 to the driver */
    DWORD LengthMin;   /* bytes of a record */
    DWORD LengthMax;
    BOOL Drop;
    const BYTE *Bytes; /* to the driver: what to cut into records; NULL: they are made up */
    UINT64 Length;

    /* The channel, from StreamOpen to StreamClose. */
    HISTHMUSCHANNEL Channel;
    UINT64 Id;
    UINT64 View;
    STREAM_PART Parts[STREAM_PARTS];
    UINT64 SameFrames; /* data pages whose frame is the same in both places, seen from here, the kernel and the MDL */
    BOOL Withheld;     /* frames: not an administrator */

    /* What this program did and found, after StreamRun. */
    volatile UINT64 Taken; /* records read or sent */
    UINT64 DataBytes;
    UINT32 Crc;        /* of each producer's records, XORed */
    UINT64 Bad;        /* records that aren't as the driver makes them */
    UINT64 Missing;    /* sequence numbers that never came */
    UINT64 Stalls;     /* as this side's control page counts them */
    UINT64 Wakeups;
    ISTHMUS_CHANNEL_STATE Driver;

    DWORD Error;       /* of what failed */
    const char *What;
} STREAM;

/* Each FALSE leaves Error and What. Close what was opened, whatever failed. */
BOOL StreamOpen(STREAM *Stream);
BOOL StreamRun(STREAM *Stream);
void StreamClose(STREAM *Stream);
BOOL StreamFail(STREAM *Stream, const char *What); /* with the reason in GetLastError; FALSE */

/* streamproof.c: what is wrong with a stream that has run; NULL if all holds. The text is good until the next call. */
const char *StreamJudge(const STREAM *Stream);
BOOL StreamProtected(const STREAM *Stream); /* writable are its own control page, and the data if it produces */
const char *StreamPartName(int Part);

/* TRUE if this process can write there. The byte stays what it is, for a moment without another writer. */
BOOL CanWrite(void *Address);
