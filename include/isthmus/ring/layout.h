/* SPDX-License-Identifier: MIT */
/*
 * What a ring looks like in shared memory, and how one is made and found. Part of isthmus_ring.h; include that.
 *
 *     description   4 KB   written once by who makes the ring; both sides then only read it
 *     producer      4 KB   control page, written by the producer's side only
 *     consumer      4 KB   control page, written by the consumer's side only
 *     data          n KB   a power of two
 *    (data again)          the same pages mapped a second time, right behind
 *
 * The order is that of the memory; the parts may be mapped apart, each with the protection it should have. A control
 * page holds four groups, each on cache lines of its own (128 bytes: processors fetch lines in pairs).
 */
#ifndef ISTHMUS_RING_LAYOUT_H
#define ISTHMUS_RING_LAYOUT_H

#define ISTHMUS_RING_MAGIC        0x474E5249u /* "IRNG" */
#define ISTHMUS_RING_REVISION     1u
#define ISTHMUS_RING_PAGE         4096u
#define ISTHMUS_RING_LINE         128u
#define ISTHMUS_RING_ALIGNMENT    8u  /* of positions and records, bytes */
#define ISTHMUS_RING_HEADER_BYTES 8u  /* before each record's data */
#define ISTHMUS_RING_CAPACITY_MIN 4096ull
#define ISTHMUS_RING_CAPACITY_MAX (1ull << 31)

/* Flags of a ring. */
#define ISTHMUS_RING_OVERWRITE 0x1u /* the oldest records give way when the ring is full; see producer.h */
#define ISTHMUS_RING_MANY      0x2u /* several producers; see many.h */
#define ISTHMUS_RING_FLAGS     (ISTHMUS_RING_OVERWRITE | ISTHMUS_RING_MANY)

/* What the functions answer. */
typedef enum ISTHMUS_RING_RESULT
{
    IsthmusRingOk = 0,
    IsthmusRingEmpty,      /* consumer: nothing there now */
    IsthmusRingFull,       /* producer: no room now */
    IsthmusRingTooLarge,   /* the record can never fit, or is larger than what was reserved or than the buffer given */
    IsthmusRingLost,       /* overwrite: what was peeked since the last release may have been overwritten; drop it */
    IsthmusRingEnd,        /* the peer closed or died, and nothing is left */
    IsthmusRingBroken,     /* the peer wrote nonsense: sticky, with the reason in Error */
    IsthmusRingBadArgument /* the caller's mistake: no such layout, or commit without reserve */
} ISTHMUS_RING_RESULT;

/* Why a ring is broken; ids are only ever appended. */
typedef enum ISTHMUS_RING_ERROR
{
    IsthmusRingErrorNone = 0,
    IsthmusRingErrorBackwards,  /* the peer's position went back */
    IsthmusRingErrorBeyond,     /* the peer's position is past what there is to read, or past the capacity */
    IsthmusRingErrorMisaligned, /* the peer's position is no multiple of 8 */
    IsthmusRingErrorLength,     /* a record reaches past what was published */
    IsthmusRingErrorFlags,      /* a record has flags without a meaning */
    IsthmusRingErrorState       /* a state without a meaning */
} ISTHMUS_RING_ERROR;

/* State of a side, in its control page. */
#define ISTHMUS_RING_OPEN   0u
#define ISTHMUS_RING_CLOSED 1u /* orderly */
#define ISTHMUS_RING_DIED   2u /* set by who took the side apart after its process ended */
#define ISTHMUS_RING_FAILED 3u /* the side stopped because the other wrote nonsense; Error says which */

/*
 * What a side counts, since the ring was made. Written by that side only; the other reads it for display, at most.
 * Records and Bytes are brought up to date whenever the side asks whether to wake the peer, finds nothing to do, or
 * closes.
 */
typedef struct ISTHMUS_RING_COUNTERS
{
    volatile UINT64 Records;      /* committed, or peeked */
    volatile UINT64 Bytes;        /* their data, without headers */
    volatile UINT64 Stalls;       /* producer: found the ring full; consumer: was about to sleep and found nothing */
    volatile UINT64 Wakeups;      /* times the caller was told to wake the peer */
    volatile UINT64 Drops;        /* producer: records given up, says its caller; consumer: releases that were Lost */
    volatile UINT64 Discards;     /* reservations taken back, or discarded records skipped */
    volatile UINT64 LostRecords;  /* producer, overwrite: overwritten before the consumer had released them */
    volatile UINT64 LostBytes;    /* overwrite: the same in bytes of ring (producer), bytes jumped over (consumer) */
} ISTHMUS_RING_COUNTERS;

/* A side's state, and its wish to be woken; see wait.h. */
typedef struct ISTHMUS_RING_STATUS
{
    volatile UINT32 State;  /* ISTHMUS_RING_OPEN... */
    volatile UINT32 Error;  /* ISTHMUS_RING_ERROR, for display */
    volatile UINT64 Ticket; /* 0 awake; else asleep, a new number for each sleep */
    volatile UINT64 WakeAt; /* wake when the other side's position has reached this */
} ISTHMUS_RING_STATUS;

/* The description. Offsets are in bytes: the first five from the description, the next four within a control page. */
typedef struct ISTHMUS_RING_DESCRIPTION
{
    UINT32 Revision; /* ISTHMUS_RING_REVISION */
    UINT32 Size;     /* of this structure */
    UINT32 Magic;
    UINT32 Flags;
    UINT64 TotalBytes;     /* of memory: data counted once */
    UINT64 ProducerOffset; /* control page */
    UINT64 ConsumerOffset; /* control page */
    UINT64 DataOffset;
    UINT64 DataBytes;      /* the capacity */
    UINT32 PositionOffset; /* UINT64: the side's published position */
    UINT32 OldestOffset;   /* UINT64, producer's page only: the oldest record that is still there (overwrite) */
    UINT32 StatusOffset;   /* ISTHMUS_RING_STATUS */
    UINT32 CountersOffset; /* ISTHMUS_RING_COUNTERS */
    UINT32 HeaderBytes;    /* ISTHMUS_RING_HEADER_BYTES */
    UINT32 Alignment;      /* ISTHMUS_RING_ALIGNMENT */
} ISTHMUS_RING_DESCRIPTION;

typedef char IstRingDescriptionIs80Bytes[(sizeof(ISTHMUS_RING_DESCRIPTION) == 80) ? 1 : -1];
typedef char IstRingStatusIs24Bytes[(sizeof(ISTHMUS_RING_STATUS) == 24) ? 1 : -1];
typedef char IstRingCountersIs64Bytes[(sizeof(ISTHMUS_RING_COUNTERS) == 64) ? 1 : -1];

/* Where the parts of a ring are mapped in this address space. */
typedef struct ISTHMUS_RING_VIEW
{
    const void *Description; /* read-only will do */
    void *Producer;          /* control page; the consumer needs it read-only */
    void *Consumer;          /* control page; the producer needs it read-only */
    void *Data;              /* twice in a row; the consumer needs it read-only */
} ISTHMUS_RING_VIEW;

/* One side's control page, found. */
typedef struct IST_RING_SIDE
{
    volatile UINT64 *Position;
    volatile UINT64 *Oldest;
    ISTHMUS_RING_STATUS *Status;
    ISTHMUS_RING_COUNTERS *Counters;
} IST_RING_SIDE;

/*
 * Describes a ring of Capacity bytes (a power of two, ISTHMUS_RING_CAPACITY_MIN to _MAX) with Flags.
 * Description->TotalBytes is the memory to allocate, zeroed. Any IRQL.
 */
IST_RING_INLINE ISTHMUS_RING_RESULT IsthmusRingDescribe(UINT64 Capacity, UINT32 Flags,
                                                        ISTHMUS_RING_DESCRIPTION *Description)
{
    if (Capacity < ISTHMUS_RING_CAPACITY_MIN || Capacity > ISTHMUS_RING_CAPACITY_MAX ||
        (Capacity & (Capacity - 1)) != 0 || (Flags & ~ISTHMUS_RING_FLAGS) != 0 || Flags == ISTHMUS_RING_FLAGS)
    {
        return IsthmusRingBadArgument;
    }
    Description->Revision = ISTHMUS_RING_REVISION;
    Description->Size = sizeof(*Description);
    Description->Magic = ISTHMUS_RING_MAGIC;
    Description->Flags = Flags;
    Description->ProducerOffset = ISTHMUS_RING_PAGE;
    Description->ConsumerOffset = 2 * ISTHMUS_RING_PAGE;
    Description->DataOffset = 3 * ISTHMUS_RING_PAGE;
    Description->DataBytes = Capacity;
    Description->TotalBytes = Description->DataOffset + Capacity;
    Description->PositionOffset = 0;
    Description->OldestOffset = ISTHMUS_RING_LINE;
    Description->StatusOffset = 2 * ISTHMUS_RING_LINE;
    Description->CountersOffset = 3 * ISTHMUS_RING_LINE;
    Description->HeaderBytes = ISTHMUS_RING_HEADER_BYTES;
    Description->Alignment = ISTHMUS_RING_ALIGNMENT;
    return IsthmusRingOk;
}

/* The view of a ring whose memory, and behind it the data a second time, is mapped in one piece at Base. */
IST_RING_INLINE ISTHMUS_RING_VIEW IsthmusRingViewAt(void *Base, const ISTHMUS_RING_DESCRIPTION *Description)
{
    UINT8 *base = (UINT8 *)Base;
    ISTHMUS_RING_VIEW view;

    view.Description = base;
    view.Producer = base + (UINT_PTR)Description->ProducerOffset;
    view.Consumer = base + (UINT_PTR)Description->ConsumerOffset;
    view.Data = base + (UINT_PTR)Description->DataOffset;
    return view;
}

/* An offset of Bytes inside a control page, with a line to itself. */
IST_RING_INLINE int IstRingOffsetGood(UINT32 Offset, UINT32 Bytes)
{
    return Offset % ISTHMUS_RING_LINE == 0 && Offset <= ISTHMUS_RING_PAGE - Bytes;
}

/*
 * Copies the description out of a view, field by field once, and checks the copy: revision, size, flags, capacity,
 * offsets. IsthmusRingBadArgument: this code can't use it. Any IRQL at which the view may be touched.
 */
IST_RING_COLD ISTHMUS_RING_RESULT IstRingOpen(const ISTHMUS_RING_VIEW *View, ISTHMUS_RING_DESCRIPTION *Copy)
{
    const volatile UINT32 *from = (const volatile UINT32 *)View->Description;
    UINT32 *to = (UINT32 *)(void *)Copy;
    UINT32 i;

    for (i = 0; i < sizeof(*Copy) / sizeof(UINT32); i++)
    {
        to[i] = from[i];
    }
    if (Copy->Magic != ISTHMUS_RING_MAGIC || Copy->Revision != ISTHMUS_RING_REVISION || Copy->Size != sizeof(*Copy) ||
        Copy->HeaderBytes != ISTHMUS_RING_HEADER_BYTES || Copy->Alignment != ISTHMUS_RING_ALIGNMENT ||
        (Copy->Flags & ~ISTHMUS_RING_FLAGS) != 0 || Copy->Flags == ISTHMUS_RING_FLAGS ||
        Copy->DataBytes < ISTHMUS_RING_CAPACITY_MIN || Copy->DataBytes > ISTHMUS_RING_CAPACITY_MAX ||
        (Copy->DataBytes & (Copy->DataBytes - 1)) != 0 || !IstRingOffsetGood(Copy->PositionOffset, sizeof(UINT64)) ||
        !IstRingOffsetGood(Copy->OldestOffset, sizeof(UINT64)) ||
        !IstRingOffsetGood(Copy->StatusOffset, sizeof(ISTHMUS_RING_STATUS)) ||
        !IstRingOffsetGood(Copy->CountersOffset, sizeof(ISTHMUS_RING_COUNTERS)))
    {
        return IsthmusRingBadArgument;
    }
    return IsthmusRingOk;
}

IST_RING_INLINE IST_RING_SIDE IstRingSideAt(void *ControlPage, const ISTHMUS_RING_DESCRIPTION *Description)
{
    UINT8 *page = (UINT8 *)ControlPage;
    IST_RING_SIDE side;

    side.Position = (volatile UINT64 *)(void *)(page + Description->PositionOffset);
    side.Oldest = (volatile UINT64 *)(void *)(page + Description->OldestOffset);
    side.Status = (ISTHMUS_RING_STATUS *)(void *)(page + Description->StatusOffset);
    side.Counters = (ISTHMUS_RING_COUNTERS *)(void *)(page + Description->CountersOffset);
    return side;
}

/* Bytes of ring a record of Length bytes takes. */
IST_RING_INLINE UINT64 IstRingSpan(UINT32 Length)
{
    return ((UINT64)Length + ISTHMUS_RING_HEADER_BYTES + (ISTHMUS_RING_ALIGNMENT - 1)) &
           ~(UINT64)(ISTHMUS_RING_ALIGNMENT - 1);
}

/*
 * A record's header is one quadword: length of the data in the low half, flags in the high half. It is written and
 * read whole, so that a reader that trusts nobody has one value to check, once.
 */
#define IST_RECORD_DISCARDED 0x1u /* skip it */

IST_RING_INLINE UINT64 IstRingHeader(UINT32 Length, UINT32 Flags)
{
    return (UINT64)Length | ((UINT64)Flags << 32);
}

/*
 * Says, in the control page of a side that can no longer speak for itself, that it died. For who takes a dead
 * process apart and has the page mapped writable: the kernel, or a supervisor. Then signal the other side's event,
 * whether or not it sleeps. Any IRQL.
 */
IST_RING_INLINE void IsthmusRingBury(void *ControlPage, const ISTHMUS_RING_DESCRIPTION *Description)
{
    IST_RING_SIDE side = IstRingSideAt(ControlPage, Description);

    IstStoreRelease32(&side.Status->State, ISTHMUS_RING_DIED);
}

#endif
