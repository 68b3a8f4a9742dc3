/* SPDX-License-Identifier: MIT */
/*
 * The only producer of a ring. Part of isthmus_ring.h; include that.
 *
 * One reservation is open at a time: Reserve, write the data in place, then Commit or Discard. Committed records are
 * seen when Publish says so: once per record, or once per batch.
 *
 *      consumed              published             next            limit = consumed + capacity
 *   ------+----------------------+--------------------+- - - - - - - - +----
 *         |  consumer may read   | committed, unseen  | open           |
 *
 * Overwriting (ISTHMUS_RING_OVERWRITE), for telemetry that wants the newest records. Who may move what: the producer
 * moves Published and Oldest, both in its own page; the consumer moves its own position, which the producer uses for
 * counting losses and for nothing else. A consumer that lags finds Oldest ahead of it and jumps there, which is always
 * the start of a record.
 *
 *      producer                                        consumer
 *   O1   Oldest = past what will be overwritten     C1   read Oldest, then position; jump forward to Oldest
 *   O2   store-store fence                          C2   read header and data
 *   O3   write header and data                      C3   load-load fence
 *   O4   position = new  (release)                  C4   read Oldest: beyond the record? then what was read is void
 *
 * If C2 read anything that O3 wrote, O1 came before it and C4 sees it. The consumer needs no write access for this;
 * it learns of a loss when it releases (IsthmusRingLost), so it has to copy before it believes.
 * The producer finds the records to give up by walking their headers from Oldest. It wrote them itself, into pages
 * that the consumer can't write; should a header be damaged all the same, the ring breaks instead of walking astray.
 * Records that are committed but not published are not overwritten: a batch larger than the ring gets IsthmusRingFull.
 */
#ifndef ISTHMUS_RING_PRODUCER_H
#define ISTHMUS_RING_PRODUCER_H

typedef struct ISTHMUS_RING_PRODUCER
{
    UINT64 Next;      /* end of what is committed */
    UINT64 Limit;     /* Next may grow to here without another look at the peer */
    UINT64 Mask;      /* capacity - 1 */
    UINT8 *Data;
    UINT64 Reserved;  /* end of the open reservation; Next: none is open */
    UINT64 Records;   /* as in the counters */
    UINT64 Bytes;
    UINT64 Published; /* what the peer was told */
    UINT64 Consumed;  /* the peer's position, as last checked */
    UINT64 Oldest;    /* overwrite: the first record that is still there */
    UINT64 Capacity;
    UINT32 Flags;
    IST_RING_END End;
} ISTHMUS_RING_PRODUCER;

/*
 * Opens the producer's end of the ring in View. *Producer is the caller's, in private memory, and used by one thread
 * at a time. It continues where its own page says, which is 0 in fresh memory. The view must outlive it.
 * IsthmusRingBadArgument: the description is not one this code can use, or it is a ring for many.
 * IRQL: any at which the view may be touched; this holds for all functions below.
 */
IST_RING_COLD ISTHMUS_RING_RESULT IsthmusRingProducerOpen(ISTHMUS_RING_PRODUCER *Producer,
                                                          const ISTHMUS_RING_VIEW *View)
{
    ISTHMUS_RING_DESCRIPTION description;
    ISTHMUS_RING_RESULT result = IstRingOpen(View, &description);

    if (result != IsthmusRingOk || (description.Flags & ISTHMUS_RING_MANY) != 0)
    {
        return IsthmusRingBadArgument;
    }
    IstRingEndStart(&Producer->End, View->Producer, View->Consumer, &description);
    Producer->Next = IstLoad64(Producer->End.Own.Position) & ~(UINT64)(ISTHMUS_RING_ALIGNMENT - 1);
    Producer->Published = Producer->Next;
    Producer->Limit = Producer->Next;
    Producer->Capacity = description.DataBytes;
    Producer->Mask = description.DataBytes - 1;
    Producer->Data = (UINT8 *)View->Data;
    Producer->Reserved = Producer->Next;
    Producer->Records = IstLoad64(&Producer->End.Own.Counters->Records);
    Producer->Bytes = IstLoad64(&Producer->End.Own.Counters->Bytes);
    Producer->Consumed = Producer->Next > Producer->Capacity ? Producer->Next - Producer->Capacity : 0;
    Producer->Oldest = IstLoad64(Producer->End.Own.Oldest);
    Producer->Flags = description.Flags;
    return IsthmusRingOk;
}

/* Reads the peer's position, once, and believes it if it went forward and not past what was published. */
IST_RING_COLD ISTHMUS_RING_RESULT IstProducerLook(ISTHMUS_RING_PRODUCER *Producer)
{
    /* Acquire: the consumer's last reads of the space come before our writes into it. */
    UINT64 consumed = IstLoadAcquire64(Producer->End.Peer.Position);

    if (consumed == Producer->Consumed)
    {
        return IsthmusRingOk;
    }
    if (consumed % ISTHMUS_RING_ALIGNMENT != 0)
    {
        return IstRingBreak(&Producer->End, IsthmusRingErrorMisaligned);
    }
    if (consumed > Producer->Published)
    {
        return IstRingBreak(&Producer->End, IsthmusRingErrorBeyond);
    }
    if (consumed < Producer->Consumed)
    {
        return IstRingBreak(&Producer->End, IsthmusRingErrorBackwards);
    }
    Producer->Consumed = consumed;
    return IsthmusRingOk;
}

/* Gives up the oldest records until Span bytes fit. */
IST_RING_COLD ISTHMUS_RING_RESULT IstProducerOverwrite(ISTHMUS_RING_PRODUCER *Producer, UINT64 Span)
{
    ISTHMUS_RING_COUNTERS *counters = Producer->End.Own.Counters;
    UINT64 oldest = Producer->Oldest;
    UINT64 lostRecords = 0;
    UINT64 lostBytes = 0;

    while (Producer->Next + Span - oldest > Producer->Capacity)
    {
        UINT64 header;
        UINT64 span;

        if (oldest == Producer->Published)
        {
            return IsthmusRingFull;
        }
        header = IstLoad64((const volatile UINT64 *)(void *)(Producer->Data + (UINT_PTR)(oldest & Producer->Mask)));
        span = IstRingSpan((UINT32)header);
        if (span > Producer->Published - oldest)
        {
            Producer->Limit = Producer->Next;
            return IstRingBreak(&Producer->End, IsthmusRingErrorLength);
        }
        if (oldest >= Producer->Consumed)
        {
            lostRecords++;
            lostBytes += span;
        }
        oldest += span;
    }
    /* Only now: one that got IsthmusRingFull above has given nothing up. */
    IstCount64(&counters->LostRecords, lostRecords);
    IstCount64(&counters->LostBytes, lostBytes);
    Producer->Oldest = oldest;
    Producer->Limit = oldest + Producer->Capacity;
    IstStore64(Producer->End.Own.Oldest, oldest); /* O1 */
    IstFenceRelease();                            /* O2: seen no later than anything written from now on */
    return IsthmusRingOk;
}

/* Records and bytes, for who looks on: not at each publish, where two more stores would be felt. */
IST_RING_INLINE void IstProducerTell(ISTHMUS_RING_PRODUCER *Producer)
{
    IstStore64(&Producer->End.Own.Counters->Records, Producer->Records);
    IstStore64(&Producer->End.Own.Counters->Bytes, Producer->Bytes);
}

/* The limit is reached: look at the peer, make room or say why there is none. */
IST_RING_COLD ISTHMUS_RING_RESULT IstProducerMakeRoom(ISTHMUS_RING_PRODUCER *Producer, UINT64 Span)
{
    const UINT64 before = Producer->Consumed;
    ISTHMUS_RING_RESULT result;

    IstProducerTell(Producer);
    if (Producer->End.Error != IsthmusRingErrorNone)
    {
        return IsthmusRingBroken;
    }
    if (Span > Producer->Capacity)
    {
        return IsthmusRingTooLarge;
    }
    if ((Producer->Flags & ISTHMUS_RING_OVERWRITE) == 0)
    {
        IstRingWaitBeforeLook(&Producer->End);
    }
    result = IstProducerLook(Producer);
    if (result != IsthmusRingOk)
    {
        Producer->Limit = Producer->Next; /* every later reserve comes here */
        return result;
    }
    if ((Producer->Flags & ISTHMUS_RING_OVERWRITE) != 0)
    {
        return IstProducerOverwrite(Producer, Span);
    }
    IstRingLooked(&Producer->End, Producer->Consumed - before, Producer->Capacity);
    Producer->Limit = Producer->Consumed + Producer->Capacity;
    if (Span <= Producer->Limit - Producer->Next)
    {
        return IsthmusRingOk;
    }
    result = IstRingPeerThere(&Producer->End);
    if (result != IsthmusRingOk)
    {
        if (result == IsthmusRingBroken)
        {
            Producer->Limit = Producer->Next; /* smaller records would still fit */
        }
        return result;
    }
    Producer->End.Stalls++;
    IstStore64(&Producer->End.Own.Counters->Stalls, Producer->End.Stalls);
    return IsthmusRingFull;
}

/*
 * Finds room for a record of Length bytes. *Data is where to write them: contiguous, aligned to 8. An open reservation
 * is replaced. IsthmusRingFull: no room now (drop it and say so, or wait for space); IsthmusRingTooLarge: it never
 * fits; IsthmusRingEnd: no room, and the consumer is gone; IsthmusRingBroken.
 */
IST_RING_INLINE ISTHMUS_RING_RESULT IsthmusRingReserve(ISTHMUS_RING_PRODUCER *Producer, UINT32 Length, void **Data)
{
    UINT64 span = IstRingSpan(Length);
    UINT8 *place;

    if (!IST_RING_LIKELY(span <= Producer->Limit - Producer->Next))
    {
        ISTHMUS_RING_RESULT result = IstProducerMakeRoom(Producer, span);
        if (result != IsthmusRingOk)
        {
            Producer->Reserved = Producer->Next;
            return result;
        }
    }
    place = Producer->Data + (UINT_PTR)(Producer->Next & Producer->Mask);
    IstRingFetchAhead(place, span, Producer->Limit - Producer->Next, 1);
    Producer->Reserved = Producer->Next + span;
    *Data = place + ISTHMUS_RING_HEADER_BYTES;
    return IsthmusRingOk;
}

/*
 * Ends the open reservation: the record has the first Length bytes of it, the rest is free again. Not yet seen by the
 * consumer. IsthmusRingBadArgument: none is open; IsthmusRingTooLarge: more than was reserved; it stays open.
 */
IST_RING_INLINE ISTHMUS_RING_RESULT IsthmusRingCommit(ISTHMUS_RING_PRODUCER *Producer, UINT32 Length)
{
    UINT64 next = Producer->Next;
    UINT64 end = next + IstRingSpan(Length);
    UINT8 *place = Producer->Data + (UINT_PTR)(next & Producer->Mask);

    if (!IST_RING_LIKELY(end <= Producer->Reserved))
    {
        return Producer->Reserved == next ? IsthmusRingBadArgument : IsthmusRingTooLarge;
    }
    IstStore64((volatile UINT64 *)(void *)place, IstRingHeader(Length, 0));
    Producer->Next = end;
    if (!IST_RING_LIKELY(end == Producer->Reserved))
    {
        Producer->Reserved = end; /* shortened: what is left is free */
    }
    Producer->Records++;
    Producer->Bytes += Length;
    return IsthmusRingOk;
}

/* Gives the open reservation back; nothing of it is ever seen. */
IST_RING_INLINE void IsthmusRingDiscard(ISTHMUS_RING_PRODUCER *Producer)
{
    Producer->Reserved = Producer->Next;
    IstCount64(&Producer->End.Own.Counters->Discards, 1);
}

/* Says that Records records were given up for want of room. */
IST_RING_INLINE void IsthmusRingDropped(ISTHMUS_RING_PRODUCER *Producer, UINT64 Records)
{
    IstCount64(&Producer->End.Own.Counters->Drops, Records);
}

/*
 * Shows the consumer everything committed so far. No fence and no wake-up: follow it with IsthmusRingWakeConsumer, once
 * per burst, unless the consumer is known to poll.
 */
IST_RING_INLINE void IsthmusRingPublish(ISTHMUS_RING_PRODUCER *Producer)
{
    Producer->Published = Producer->Next;
    IstStoreRelease64(Producer->End.Own.Position, Producer->Next); /* release: data and headers come first */
}

/* After publishing. 1: the consumer sleeps and this is the one time you learn it: set its event. 0: nothing to do. */
IST_RING_INLINE int IsthmusRingWakeConsumer(ISTHMUS_RING_PRODUCER *Producer)
{
    IstProducerTell(Producer);
    return IstRingWake(&Producer->End, Producer->Published);
}

/* Reserve, copy, commit and publish one record; *Wake as IsthmusRingWakeConsumer. Results as IsthmusRingReserve. */
IST_RING_INLINE ISTHMUS_RING_RESULT IsthmusRingWrite(ISTHMUS_RING_PRODUCER *Producer, const void *Data, UINT32 Length,
                                                     int *Wake)
{
    void *place;
    ISTHMUS_RING_RESULT result = IsthmusRingReserve(Producer, Length, &place);

    *Wake = 0;
    if (result == IsthmusRingOk)
    {
        ISTHMUS_RING_COPY(place, Data, Length);
        (void)IsthmusRingCommit(Producer, Length);
        IsthmusRingPublish(Producer);
        *Wake = IsthmusRingWakeConsumer(Producer);
    }
    return result;
}

/*
 * Before waiting for room for Length more bytes of data (ask for more than one record's: half the ring, say, or each
 * release wakes). IsthmusRingFull: wait on the space event, then call IsthmusRingProducerAwake and try again.
 * Anything else: don't wait: IsthmusRingOk there is room, IsthmusRingEnd, IsthmusRingBroken, IsthmusRingTooLarge, or
 * IsthmusRingBadArgument: there are committed records that nobody was shown, and the room would never come.
 */
IST_RING_COLD ISTHMUS_RING_RESULT IsthmusRingProducerSleep(ISTHMUS_RING_PRODUCER *Producer, UINT32 Length)
{
    UINT64 span = IstRingSpan(Length);
    UINT64 end = Producer->Next + span;
    ISTHMUS_RING_RESULT result;

    if (Producer->Published != Producer->Next)
    {
        return IsthmusRingBadArgument;
    }
    IstRingFallAsleep(&Producer->End, end > Producer->Capacity ? end - Producer->Capacity : 0);
    result = IstProducerMakeRoom(Producer, span);
    if (result != IsthmusRingFull)
    {
        IstRingAwake(&Producer->End);
    }
    return result;
}

/* After the wait, whatever ended it. */
IST_RING_INLINE void IsthmusRingProducerAwake(ISTHMUS_RING_PRODUCER *Producer)
{
    IstRingAwake(&Producer->End);
}

/* Nothing more will come. Committed records are shown first. 1: the consumer sleeps: set its event. */
IST_RING_INLINE int IsthmusRingProducerClose(ISTHMUS_RING_PRODUCER *Producer)
{
    IsthmusRingPublish(Producer);
    IstProducerTell(Producer);
    return IstRingClose(&Producer->End);
}

#endif
