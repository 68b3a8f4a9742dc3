/* SPDX-License-Identifier: MIT */
/*
 * Several producers of one ring, in one address space: a driver's, at DISPATCH_LEVEL on any processors. Part of
 * isthmus_ring.h; include that.
 *
 *      consumed            published = committed                              reserved
 *   ------+------------------------+---------+---------+---------+---------------+----
 *         |  consumer may read     |  busy A | ready B | ready C |  busy D       |
 *                                       ^ A commits: committed jumps over A, B and C at once
 *
 *   reserve   compare-exchange on Reserved: the space is ours. No lock, no waiting: if the exchange fails, another
 *             producer's has succeeded.
 *   commit    in any order: the record's bits in Ready are flipped.
 *   publish   whoever finds ready records right behind Committed moves it over them (compare-exchange), then raises
 *             the position in the shared page to it. It may be another producer's records that one's call shows.
 *
 * Ready has one bit per 8 bytes of ring, in private memory. A bit is not set and cleared but flipped, once per lap: in
 * even laps 1 means ready, in odd laps 0 does. So nothing has to be cleaned, and a bit that is left from the lap before
 * reads "not ready" by itself.
 *
 * What follows from this:
 *  - Busy records are never read, whatever the consumer does: it is never shown a position beyond the first busy one,
 *    and whether a record is ready is not written in memory that anybody else can write.
 *  - A consumer cannot free a busy record (CVE-2024-41009): its position is believed only up to Committed, and
 *    every busy record is past that.
 *  - A producer that is stopped between reserve and commit holds up what comes behind its record, and in the end fills
 *    the ring; the others get IsthmusRingFull then, and never wait. At DISPATCH_LEVEL nothing stops it for longer
 *    than an interrupt. That is why callers in a kernel run at DISPATCH_LEVEL from Reserve to Commit; threads of a
 *    program have to live with the delay.
 *
 * Compared with others: the BPF ring buffer reserves under a spin lock, shows busy records to the consumer and relies
 * on a busy bit in the shared header (Documentation/bpf/ringbuf.rst). eBPF for Windows reserves with a
 * compare-exchange and then waits for all earlier reservations to have shown their locked headers
 * (docs/RingBuffer.md, "Reserve algorithm"). Here nobody waits, the shared memory holds no lock bits, and the
 * consumer is the one of a single producer; the price is 1/64 of the capacity in private memory and up to three more
 * interlocked operations per record.
 *
 * Why no ready record stays unseen (tests/native/ring/model/many.pml explores it): a committer flips its bits,
 * fences, and only then looks: it reads Committed and the bits behind it.
 *  - Its record can be reached from there: it moves Committed over it, or somebody else did and it looks again.
 *  - A busy record lies between: that one's committer flips later, looks after that, and sees both.
 *  - Committed was stale, and what lies there has been used again, in the next lap, and reads "not ready": whoever did
 *    that reserved after Committed had moved, so after these bits were flipped, and has looked since.
 * A stale Committed never moves anything wrongly: its compare-exchange fails, as Committed never has a value twice.
 */
#ifndef ISTHMUS_RING_MANY_H
#define ISTHMUS_RING_MANY_H

#define IST_RING_GRANULES_PER_WORD 64u
#define IST_RING_WORD_BYTES        (IST_RING_GRANULES_PER_WORD * ISTHMUS_RING_ALIGNMENT) /* of ring, per word */

typedef struct ISTHMUS_RING_MANY_PRODUCERS
{
    IST_RING_LINE(128) volatile UINT64 Reserved; /* end of what was reserved */
    IST_RING_LINE(128) volatile UINT64 Committed; /* everything before it is ready */
    IST_RING_LINE(128) volatile UINT64 Consumed; /* the peer's position, as last checked */
    IST_RING_LINE(128) volatile UINT64 *Ready;   /* a bit per granule of ring, flipped each lap */
    UINT64 Mask;
    UINT64 Capacity;
    UINT8 *Data;
    IST_RING_END End;
} ISTHMUS_RING_MANY_PRODUCERS;

/* A reservation: on the caller's stack, or wherever it keeps it until Commit or Discard. */
typedef struct ISTHMUS_RING_SLOT
{
    void *Data;      /* write the record here: contiguous, aligned to 8 */
    UINT32 Length;   /* bytes reserved */
    UINT64 Position; /* of the header */
} ISTHMUS_RING_SLOT;

/* Private memory, in bytes, that IsthmusRingManyOpen wants for a ring of Capacity bytes. */
#define ISTHMUS_RING_MANY_READY_BYTES(Capacity) ((Capacity) / ISTHMUS_RING_ALIGNMENT / 8)

/*
 * Opens the producers' end of the ring in View. Ready: ISTHMUS_RING_MANY_READY_BYTES(capacity) bytes of zeroed,
 * nonpaged, private memory, aligned to 8, of the caller's; so is *Many (aligned to 128). Both must outlive all
 * producers. Starts an empty, fresh ring only. IsthmusRingBadArgument: not a ring for many, or not fresh, or not
 * described in a way that this code can use.
 */
IST_RING_COLD ISTHMUS_RING_RESULT IsthmusRingManyOpen(ISTHMUS_RING_MANY_PRODUCERS *Many, const ISTHMUS_RING_VIEW *View,
                                                      UINT64 *Ready)
{
    ISTHMUS_RING_DESCRIPTION description;
    ISTHMUS_RING_RESULT result = IstRingOpen(View, &description);

    if (result != IsthmusRingOk || (description.Flags & ISTHMUS_RING_MANY) == 0)
    {
        return IsthmusRingBadArgument;
    }
    IstRingEndStart(&Many->End, View->Producer, View->Consumer, &description);
    if (IstLoad64(Many->End.Own.Position) != 0)
    {
        return IsthmusRingBadArgument;
    }
    Many->Reserved = 0;
    Many->Committed = 0;
    Many->Consumed = 0;
    Many->Ready = Ready;
    Many->Mask = description.DataBytes - 1;
    Many->Capacity = description.DataBytes;
    Many->Data = (UINT8 *)View->Data;
    return IsthmusRingOk;
}

/* Reads the peer's position, once, and believes it if it went forward and not past what is committed. */
IST_RING_COLD ISTHMUS_RING_RESULT IstManyLook(ISTHMUS_RING_MANY_PRODUCERS *Many)
{
    /* In this order: an honest position is not behind an earlier one, nor ahead of a later Committed. Acquire: the
     * consumer's last reads of the space come before our writes into it. */
    UINT64 before = IstLoadAcquire64(&Many->Consumed);
    UINT64 consumed = IstLoadAcquire64(Many->End.Peer.Position);
    UINT64 committed = IstLoadAcquire64(&Many->Committed);

    if (consumed % ISTHMUS_RING_ALIGNMENT != 0)
    {
        return IstRingBreak(&Many->End, IsthmusRingErrorMisaligned);
    }
    if (consumed > committed)
    {
        return IstRingBreak(&Many->End, IsthmusRingErrorBeyond);
    }
    if (consumed < before)
    {
        return IstRingBreak(&Many->End, IsthmusRingErrorBackwards);
    }
    while (before < consumed && !IstCompareExchange64(&Many->Consumed, &before, consumed))
    {
    }
    return IsthmusRingOk;
}

/* No room by the position last seen: look again, or say why there is none. Ok: try once more. */
IST_RING_COLD ISTHMUS_RING_RESULT IstManyMakeRoom(ISTHMUS_RING_MANY_PRODUCERS *Many, UINT64 Span, UINT64 Seen)
{
    ISTHMUS_RING_RESULT result;

    if (Span > Many->Capacity)
    {
        return IsthmusRingTooLarge;
    }
    result = IstManyLook(Many);
    if (result != IsthmusRingOk || IstLoad64(&Many->Consumed) != Seen)
    {
        return result;
    }
    result = IstRingPeerThere(&Many->End);
    if (result == IsthmusRingOk)
    {
        IstAdd64(&Many->End.Own.Counters->Stalls, 1);
        result = IsthmusRingFull;
    }
    return result;
}

/*
 * Finds room for a record of Length bytes. Results as IsthmusRingReserve. Every slot must end in Commit or Discard;
 * several may be open, also on one processor. Kernel: call at DISPATCH_LEVEL, and stay there until then.
 */
IST_RING_INLINE ISTHMUS_RING_RESULT IsthmusRingManyReserve(ISTHMUS_RING_MANY_PRODUCERS *Many, UINT32 Length,
                                                           ISTHMUS_RING_SLOT *Slot)
{
    const UINT64 span = IstRingSpan(Length);
    UINT64 reserved = IstLoad64(&Many->Reserved);

    if (Many->End.Error != IsthmusRingErrorNone)
    {
        return IsthmusRingBroken;
    }
    for (;;)
    {
        UINT64 consumed = IstLoadAcquire64(&Many->Consumed);
        UINT64 used = reserved - consumed;

        if (used > Many->Capacity)
        {
            reserved = IstLoad64(&Many->Reserved); /* it was read before others moved on by a lap */
        }
        else if (span > Many->Capacity - used)
        {
            ISTHMUS_RING_RESULT result = IstManyMakeRoom(Many, span, consumed);
            if (result != IsthmusRingOk)
            {
                return result;
            }
            reserved = IstLoad64(&Many->Reserved);
        }
        else if (IstCompareExchange64(&Many->Reserved, &reserved, reserved + span))
        {
            break;
        }
    }
    Slot->Position = reserved;
    Slot->Length = Length;
    Slot->Data = Many->Data + (UINT_PTR)(reserved & Many->Mask) + ISTHMUS_RING_HEADER_BYTES;
    return IsthmusRingOk;
}

IST_RING_INLINE volatile UINT64 *IstManyWord(ISTHMUS_RING_MANY_PRODUCERS *Many, UINT64 Position)
{
    return &Many->Ready[(UINT_PTR)((Position & Many->Mask) / IST_RING_WORD_BYTES)];
}

/*
 * Flips the bits of Span bytes from Position on, backwards: who finds the first of them flipped, reading forwards,
 * finds all of them flipped, and never takes a part of a record for the whole. Words inside the record are nobody
 * else's and need no interlock; the first one is done last and always has one, which makes it a full fence on x86.
 */
IST_RING_INLINE void IstManyFlip(ISTHMUS_RING_MANY_PRODUCERS *Many, UINT64 Position, UINT64 Span)
{
    UINT64 end = Position + Span;

    while (end != Position)
    {
        UINT64 start = (end - 1) & ~(UINT64)(IST_RING_WORD_BYTES - 1); /* of the word that holds the last granule */
        volatile UINT64 *word = IstManyWord(Many, start);
        UINT32 first;
        UINT32 count;

        if (start < Position)
        {
            start = Position;
        }
        first = (UINT32)(start / ISTHMUS_RING_ALIGNMENT) % IST_RING_GRANULES_PER_WORD;
        count = (UINT32)((end - start) / ISTHMUS_RING_ALIGNMENT);
        if (count == IST_RING_GRANULES_PER_WORD && start != Position)
        {
            IstStoreRelease64(word, ~IstLoad64(word)); /* release: after the words behind it, as the exchange below */
        }
        else
        {
            IstXor64(word, (~0ull >> (IST_RING_GRANULES_PER_WORD - count)) << first);
        }
        end = start;
    }
}

/* The end of the ready records from Position on, as far as the bits tell; at most one lap. */
IST_RING_INLINE UINT64 IstManyReadyEnd(ISTHMUS_RING_MANY_PRODUCERS *Many, UINT64 Position)
{
    for (;;)
    {
        UINT32 first = (UINT32)(Position / ISTHMUS_RING_ALIGNMENT) % IST_RING_GRANULES_PER_WORD;
        UINT64 word = IstLoadAcquire64(IstManyWord(Many, Position)); /* acquire: passes on what the committer wrote */
        UINT32 ready;

        if ((Position & Many->Capacity) != 0)
        {
            word = ~word; /* an odd lap: 0 is ready */
        }
        ready = IstTrailingOnes64(word >> first); /* the shift brings in zeros: never beyond this word */
        Position += (UINT64)ready * ISTHMUS_RING_ALIGNMENT;
        if (first + ready < IST_RING_GRANULES_PER_WORD)
        {
            return Position;
        }
    }
}

/*
 * Shows the consumer all records that are ready up to the first busy one, whoever committed them. Follow it with
 * IsthmusRingManyWakeConsumer, also after a discard: others' records may have been waiting behind it. Kernel:
 * <= DISPATCH_LEVEL, like all below.
 */
IST_RING_INLINE void IsthmusRingManyPublish(ISTHMUS_RING_MANY_PRODUCERS *Many)
{
    UINT64 committed = IstLoadAcquire64(&Many->Committed);
    UINT64 published;

    for (;;)
    {
        UINT64 end = IstManyReadyEnd(Many, committed);

        if (end == committed)
        {
            break;
        }
        if (IstCompareExchange64(&Many->Committed, &committed, end))
        {
            committed = end;
            break;
        }
    }
    /* Two producers may come here in either order: the position only rises. What is read from the page decides only
     * whether to write, so it need not be trusted. */
    published = IstLoad64(Many->End.Own.Position);
    while (published < committed && !IstCompareExchange64(Many->End.Own.Position, &published, committed))
    {
    }
}

/* Makes a record of the first Length bytes of the slot ready, without showing it; a batch is shown by one Publish. */
IST_RING_INLINE ISTHMUS_RING_RESULT IsthmusRingManyCommit(ISTHMUS_RING_MANY_PRODUCERS *Many,
                                                          const ISTHMUS_RING_SLOT *Slot, UINT32 Length)
{
    UINT64 span = IstRingSpan(Slot->Length);
    UINT64 used = IstRingSpan(Length);

    if (Length > Slot->Length)
    {
        return IsthmusRingTooLarge;
    }
    IstStore64((volatile UINT64 *)(void *)(Many->Data + (UINT_PTR)(Slot->Position & Many->Mask)),
               IstRingHeader(Length, 0));
    if (used != span)
    {
        /* The rest can't be given back, others have reserved behind it: it becomes a record to skip. */
        IstStore64((volatile UINT64 *)(void *)(Many->Data + (UINT_PTR)((Slot->Position + used) & Many->Mask)),
                   IstRingHeader((UINT32)(span - used) - ISTHMUS_RING_HEADER_BYTES, IST_RECORD_DISCARDED));
    }
    IstAdd64(&Many->End.Own.Counters->Records, 1);
    IstAdd64(&Many->End.Own.Counters->Bytes, Length);
    IstManyFlip(Many, Slot->Position, span);
    IstFenceAfterExchange(); /* the bits are seen before Committed is read: see the top */
    return IsthmusRingOk;
}

/* Gives the slot up: the consumer skips it. Publish afterwards, as for a record: others may wait behind it. */
IST_RING_INLINE void IsthmusRingManyDiscard(ISTHMUS_RING_MANY_PRODUCERS *Many, const ISTHMUS_RING_SLOT *Slot)
{
    UINT64 span = IstRingSpan(Slot->Length);

    IstStore64((volatile UINT64 *)(void *)(Many->Data + (UINT_PTR)(Slot->Position & Many->Mask)),
               IstRingHeader((UINT32)span - ISTHMUS_RING_HEADER_BYTES, IST_RECORD_DISCARDED));
    IstAdd64(&Many->End.Own.Counters->Discards, 1);
    IstManyFlip(Many, Slot->Position, span);
    IstFenceAfterExchange();
}

/* As IsthmusRingWakeConsumer; of several producers that ask at once, one is told. */
IST_RING_INLINE int IsthmusRingManyWakeConsumer(ISTHMUS_RING_MANY_PRODUCERS *Many)
{
    IstFenceFull(); /* S2: also for records that another producer has shown */
    if (IstRingTakeWake(&Many->End, 0, IstLoad64(&Many->Committed)))
    {
        IstAdd64(&Many->End.Own.Counters->Wakeups, 1);
        return 1;
    }
    return 0;
}

/* Reserve, copy, commit and publish one record; *Wake as IsthmusRingWakeConsumer. DISPATCH_LEVEL in a kernel. */
IST_RING_INLINE ISTHMUS_RING_RESULT IsthmusRingManyWrite(ISTHMUS_RING_MANY_PRODUCERS *Many, const void *Data,
                                                         UINT32 Length, int *Wake)
{
    ISTHMUS_RING_SLOT slot;
    ISTHMUS_RING_RESULT result = IsthmusRingManyReserve(Many, Length, &slot);

    *Wake = 0;
    if (result == IsthmusRingOk)
    {
        ISTHMUS_RING_COPY(slot.Data, Data, Length);
        (void)IsthmusRingManyCommit(Many, &slot, Length);
        IsthmusRingManyPublish(Many);
        *Wake = IsthmusRingManyWakeConsumer(Many);
    }
    return result;
}

/* Says that Records records were given up for want of room. */
IST_RING_INLINE void IsthmusRingManyDropped(ISTHMUS_RING_MANY_PRODUCERS *Many, UINT64 Records)
{
    IstAdd64(&Many->End.Own.Counters->Drops, Records);
}

/* Nothing more will come: after the last producer's last call. 1: the consumer sleeps: set its event. */
IST_RING_INLINE int IsthmusRingManyClose(ISTHMUS_RING_MANY_PRODUCERS *Many)
{
    IsthmusRingManyPublish(Many);
    return IstRingClose(&Many->End);
}

#endif
