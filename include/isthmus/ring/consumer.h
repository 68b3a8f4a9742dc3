/* SPDX-License-Identifier: MIT */
/*
 * The consumer of a ring. Part of isthmus_ring.h; include that.
 *
 * Peek gives the next record in place and moves on; Release gives everything peeked so far back to the producer: once
 * per record, or once per batch. What Peek gave stays valid until then.
 *
 *      released                next                 published
 *   ------+----------------------+----------------------+----
 *         | peeked, still ours   | not looked at        |
 *
 * No header is trusted: it is read once, as one quadword, and must end within what was published. The record's bytes
 * lie in memory that the producer may be able to write all the time: a kernel consumer of a user producer copies what
 * it is going to check, and checks the copy (IsthmusRingRead).
 *
 * Every call is bounded, whatever the producer does: it looks at the producer's position a fixed number of times,
 * so discarded records that are published as fast as they are skipped do not hold it.
 */
#ifndef ISTHMUS_RING_CONSUMER_H
#define ISTHMUS_RING_CONSUMER_H

typedef struct ISTHMUS_RING_CONSUMER
{
    UINT64 Next;      /* end of what was peeked */
    UINT64 Published; /* the peer's position, as last checked */
    UINT64 Mask;      /* capacity - 1 */
    const UINT8 *Data;
    UINT64 Records;   /* as in the counters */
    UINT64 Bytes;
    UINT64 Released;  /* what the peer was told */
    UINT64 Header;    /* a guess: of the record before, checked there */
    UINT64 Span;      /* bytes of ring that such a record takes */
    UINT64 Oldest;    /* overwrite: the peer's, as last checked */
    UINT64 Capacity;
    UINT32 Flags;
    IST_RING_END End;
} ISTHMUS_RING_CONSUMER;

/* A record, in place. */
typedef struct ISTHMUS_RING_RECORD
{
    const void *Data; /* contiguous, aligned to 8 */
    UINT32 Length;    /* bytes */
} ISTHMUS_RING_RECORD;

#define IST_RING_LAPPED_TRIES 8 /* overwrite: looks at a producer that laps us, in one call */

/* The next record's header will be this one, which has no flags. */
IST_RING_INLINE void IstConsumerGuess(ISTHMUS_RING_CONSUMER *Consumer, UINT64 Header)
{
    Consumer->Header = Header;
    Consumer->Span = IstRingSpan((UINT32)Header);
}

/*
 * Opens the consumer's end of the ring in View. As IsthmusRingProducerOpen; rings with many producers and with one are
 * read alike.
 */
IST_RING_COLD ISTHMUS_RING_RESULT IsthmusRingConsumerOpen(ISTHMUS_RING_CONSUMER *Consumer,
                                                          const ISTHMUS_RING_VIEW *View)
{
    ISTHMUS_RING_DESCRIPTION description;
    ISTHMUS_RING_RESULT result = IstRingOpen(View, &description);

    if (result != IsthmusRingOk)
    {
        return result;
    }
    IstRingEndStart(&Consumer->End, View->Consumer, View->Producer, &description);
    Consumer->Next = IstLoad64(Consumer->End.Own.Position) & ~(UINT64)(ISTHMUS_RING_ALIGNMENT - 1);
    Consumer->Released = Consumer->Next;
    Consumer->Published = Consumer->Next;
    IstConsumerGuess(Consumer, IstRingHeader(0, 0));
    Consumer->Oldest = 0;
    Consumer->Capacity = description.DataBytes;
    Consumer->Mask = description.DataBytes - 1;
    Consumer->Data = (const UINT8 *)View->Data;
    Consumer->Records = IstLoad64(&Consumer->End.Own.Counters->Records);
    Consumer->Bytes = IstLoad64(&Consumer->End.Own.Counters->Bytes);
    Consumer->Flags = description.Flags;
    if ((description.Flags & ISTHMUS_RING_OVERWRITE) != 0)
    {
        Consumer->Span = ~(UINT64)0; /* so that no record is taken without IstConsumerNext */
    }
    return IsthmusRingOk;
}

/* Believes Published if it went forward, by no more than the ring holds. */
IST_RING_INLINE ISTHMUS_RING_RESULT IstConsumerBelieve(ISTHMUS_RING_CONSUMER *Consumer, UINT64 Published)
{
    if (!IST_RING_LIKELY(Published % ISTHMUS_RING_ALIGNMENT == 0 && Published >= Consumer->Published &&
                         (Published - Consumer->Released <= Consumer->Capacity ||
                          (Consumer->Flags & ISTHMUS_RING_OVERWRITE) != 0)))
    {
        Consumer->Published = Consumer->Next; /* every later peek takes the slow path */
        return IstRingBreak(&Consumer->End, Published % ISTHMUS_RING_ALIGNMENT != 0 ? IsthmusRingErrorMisaligned
                                            : Published < Consumer->Published       ? IsthmusRingErrorBackwards
                                                                                    : IsthmusRingErrorBeyond);
    }
    Consumer->Published = Published;
    return IsthmusRingOk;
}

/* Nothing to read where the last look ended: is there more, or is that all there will ever be? */
IST_RING_COLD ISTHMUS_RING_RESULT IstConsumerLook(ISTHMUS_RING_CONSUMER *Consumer)
{
    ISTHMUS_RING_RESULT there;
    ISTHMUS_RING_RESULT result;

    if (Consumer->End.Error != IsthmusRingErrorNone)
    {
        return IsthmusRingBroken;
    }
    /* State before position: a producer publishes its last records, then closes. */
    there = IstRingPeerThere(&Consumer->End);
    if (there == IsthmusRingBroken)
    {
        Consumer->Published = Consumer->Next;
        return there;
    }
    /* Acquire: headers and data are read after the position that covers them. */
    result = IstConsumerBelieve(Consumer, IstLoadAcquire64(Consumer->End.Peer.Position));
    if (result == IsthmusRingOk && Consumer->Next >= Consumer->Published)
    {
        return there == IsthmusRingOk ? IsthmusRingEmpty : IsthmusRingEnd;
    }
    return result;
}

/* Overwrite, C1: believes Oldest, and jumps there if it went past Next. */
IST_RING_COLD ISTHMUS_RING_RESULT IstConsumerJump(ISTHMUS_RING_CONSUMER *Consumer)
{
    UINT64 oldest = IstLoadAcquire64(Consumer->End.Peer.Oldest);
    ISTHMUS_RING_RESULT result = IstConsumerLook(Consumer);

    if (result == IsthmusRingBroken)
    {
        return result;
    }
    /* The position was read later, so it is not behind an honest Oldest. */
    if (oldest % ISTHMUS_RING_ALIGNMENT != 0 || oldest < Consumer->Oldest || oldest > Consumer->Published)
    {
        return IstRingBreak(&Consumer->End, oldest % ISTHMUS_RING_ALIGNMENT != 0 ? IsthmusRingErrorMisaligned
                                            : oldest < Consumer->Oldest          ? IsthmusRingErrorBackwards
                                                                                 : IsthmusRingErrorBeyond);
    }
    Consumer->Oldest = oldest;
    if (oldest > Consumer->Next)
    {
        IstCount64(&Consumer->End.Own.Counters->LostBytes, oldest - Consumer->Next);
        if (Consumer->Next == Consumer->Released)
        {
            Consumer->Released = oldest; /* nothing is held: the loss is behind us, not in what comes next */
        }
        Consumer->Next = oldest;
        return Consumer->Next < Consumer->Published ? IsthmusRingOk : IstConsumerLook(Consumer);
    }
    return result;
}

/* Records and bytes, for who looks on: when there is nothing else to do, or the peer is looked at anyway. */
IST_RING_INLINE void IstConsumerTell(ISTHMUS_RING_CONSUMER *Consumer)
{
    IstStore64(&Consumer->End.Own.Counters->Records, Consumer->Records);
    IstStore64(&Consumer->End.Own.Counters->Bytes, Consumer->Bytes);
}

/* The header of the record at Place, read once and whole. */
IST_RING_INLINE UINT64 IstConsumerHeader(const UINT8 *Place)
{
    return IstLoad64((const volatile UINT64 *)(const void *)Place);
}

/* Everything Peek's fast path is not made for: nothing there, discarded records, overwriting, nonsense. */
IST_RING_COLD ISTHMUS_RING_RESULT IstConsumerNext(ISTHMUS_RING_CONSUMER *Consumer, ISTHMUS_RING_RECORD *Record)
{
    const int overwrite = (Consumer->Flags & ISTHMUS_RING_OVERWRITE) != 0;
    const int held = Consumer->Next != Consumer->Released;
    ISTHMUS_RING_RESULT result = IsthmusRingOk;
    int looks = overwrite ? IST_RING_LAPPED_TRIES : 1;

    IstConsumerTell(Consumer);
    if (Consumer->End.Error != IsthmusRingErrorNone)
    {
        return IsthmusRingBroken;
    }
    for (;;)
    {
        UINT64 header;
        UINT64 span;
        int fits;

        if (overwrite || Consumer->Next == Consumer->Published)
        {
            result = looks-- == 0 ? IsthmusRingEmpty
                     : overwrite  ? IstConsumerJump(Consumer)
                                  : IstConsumerLook(Consumer);
            if (result != IsthmusRingOk)
            {
                break;
            }
        }
        header = IstConsumerHeader(Consumer->Data + (UINT_PTR)(Consumer->Next & Consumer->Mask));
        if (overwrite)
        {
            IstFenceAcquire(); /* C3, for the header */
            if (IstLoad64(Consumer->End.Peer.Oldest) > Consumer->Next)
            {
                continue; /* overwritten while we looked */
            }
        }
        span = IstRingSpan((UINT32)header);
        fits = span <= Consumer->Published - Consumer->Next && span <= Consumer->Capacity;
        if (!fits || (header >> 32 & ~(UINT64)IST_RECORD_DISCARDED) != 0)
        {
            result = IstRingBreak(&Consumer->End, fits ? IsthmusRingErrorFlags : IsthmusRingErrorLength);
            Consumer->Published = Consumer->Next;
            break;
        }
        Consumer->Next += span;
        if (header >> 32 == 0)
        {
            Record->Data = Consumer->Data + (UINT_PTR)((Consumer->Next - span) & Consumer->Mask) +
                           ISTHMUS_RING_HEADER_BYTES;
            Record->Length = (UINT32)header;
            Consumer->Records++;
            Consumer->Bytes += (UINT32)header;
            return IsthmusRingOk;
        }
        IstCount64(&Consumer->End.Own.Counters->Discards, 1);
    }
    if (!held && Consumer->Next != Consumer->Released && result != IsthmusRingBroken)
    {
        /* Only discarded records were there, and no caller will release them. */
        Consumer->Released = Consumer->Next;
        IstStoreRelease64(Consumer->End.Own.Position, Consumer->Next);
    }
    return result;
}

/* Everything that was published is peeked: is there more? As IstConsumerLook. */
IST_RING_COLD ISTHMUS_RING_RESULT IstConsumerMore(ISTHMUS_RING_CONSUMER *Consumer)
{
    const UINT64 before = Consumer->Published;
    ISTHMUS_RING_RESULT result;

    IstRingWaitBeforeLook(&Consumer->End);
    result = IstConsumerLook(Consumer);
    IstRingLooked(&Consumer->End, Consumer->Published - before, Consumer->Capacity);
    if (result != IsthmusRingOk)
    {
        IstConsumerTell(Consumer);
    }
    return result;
}

/*
 * The next record, in place. IsthmusRingEmpty: none now; IsthmusRingEnd: none any more, the producer closed, failed or
 * died; IsthmusRingBroken. Overwrite: the record may be overwritten while you read it: copy it, then see what Release
 * says.
 */
IST_RING_INLINE ISTHMUS_RING_RESULT IsthmusRingPeek(ISTHMUS_RING_CONSUMER *Consumer, ISTHMUS_RING_RECORD *Record)
{
    UINT64 left = Consumer->Published - Consumer->Next;
    const UINT8 *place;
    UINT64 header;
    UINT64 span;

    if (!IST_RING_LIKELY(left >= Consumer->Span))
    {
        if (left == 0)
        {
            ISTHMUS_RING_RESULT result = IstConsumerMore(Consumer);
            if (result != IsthmusRingOk)
            {
                return result;
            }
            left = Consumer->Published - Consumer->Next;
        }
        if ((Consumer->Flags & ISTHMUS_RING_OVERWRITE) != 0)
        {
            return IstConsumerNext(Consumer, Record);
        }
        if (left < Consumer->Span)
        {
            IstConsumerGuess(Consumer, IstRingHeader(0, 0)); /* the least there can be */
        }
    }
    /*
     * Where the next record starts depends on this one's header, and that chain of loads is what small records cost.
     * Most are as the one before: then the guess, which the processor checks on the side, starts the next.
     */
    place = Consumer->Data + (UINT_PTR)(Consumer->Next & Consumer->Mask);
    header = IstConsumerHeader(place);
    span = Consumer->Span;
    if (!IST_RING_LIKELY(header == Consumer->Header))
    {
        span = IstRingSpan((UINT32)header);
        if (header >> 32 != 0 || span > left)
        {
            return IstConsumerNext(Consumer, Record); /* reads the header anew, and judges it alone */
        }
        IstConsumerGuess(Consumer, header);
    }
    IstRingFetchAhead(place, span, left, 0);
    Record->Data = place + ISTHMUS_RING_HEADER_BYTES;
    Record->Length = (UINT32)header;
    Consumer->Next += span;
    Consumer->Records++;
    Consumer->Bytes += (UINT32)header;
    return IsthmusRingOk;
}

/*
 * Gives back everything peeked so far. IsthmusRingOk; or IsthmusRingLost (overwrite): some of it was overwritten
 * meanwhile; what was copied since the last release is void. Follow it with IsthmusRingWakeProducer, once per burst,
 * unless the producer never waits.
 */
IST_RING_INLINE ISTHMUS_RING_RESULT IsthmusRingRelease(ISTHMUS_RING_CONSUMER *Consumer)
{
    ISTHMUS_RING_RESULT result = IsthmusRingOk;

    if (!IST_RING_LIKELY((Consumer->Flags & ISTHMUS_RING_OVERWRITE) == 0))
    {
        IstFenceAcquire(); /* C3: the data was read before Oldest is */
        if (IstLoad64(Consumer->End.Peer.Oldest) > Consumer->Released && Consumer->Next != Consumer->Released)
        {
            IstCount64(&Consumer->End.Own.Counters->Drops, 1);
            result = IsthmusRingLost;
        }
    }
    Consumer->Released = Consumer->Next;
    IstStoreRelease64(Consumer->End.Own.Position, Consumer->Next); /* release: our reads come before its writes */
    return result;
}

/* After releasing. 1: the producer sleeps and now has the room it wants: set its event. 0: nothing to do. */
IST_RING_INLINE int IsthmusRingWakeProducer(ISTHMUS_RING_CONSUMER *Consumer)
{
    IstConsumerTell(Consumer);
    return IstRingWake(&Consumer->End, Consumer->Released);
}

/*
 * Copies the next record to Buffer (Size bytes) and releases it: *Length is its length. IsthmusRingTooLarge: it has
 * *Length bytes and stays. Else as IsthmusRingPeek, and IsthmusRingLost: overwritten while being copied; call again.
 * Nothing may be peeked and not yet released.
 */
IST_RING_INLINE ISTHMUS_RING_RESULT IsthmusRingRead(ISTHMUS_RING_CONSUMER *Consumer, void *Buffer, UINT32 Size,
                                                    UINT32 *Length)
{
    const UINT64 records = Consumer->Records;
    const UINT64 bytes = Consumer->Bytes;
    ISTHMUS_RING_RECORD record;
    ISTHMUS_RING_RESULT result = IsthmusRingPeek(Consumer, &record);

    *Length = 0;
    if (result != IsthmusRingOk)
    {
        return result;
    }
    *Length = record.Length;
    if (record.Length > Size)
    {
        Consumer->Next -= IstRingSpan(record.Length);
        Consumer->Records = records;
        Consumer->Bytes = bytes;
        return IsthmusRingTooLarge;
    }
    ISTHMUS_RING_COPY(Buffer, record.Data, record.Length);
    return IsthmusRingRelease(Consumer);
}

/*
 * Before waiting for data. IsthmusRingEmpty: wait on the data event, then call IsthmusRingConsumerAwake and peek again.
 * Anything else: don't wait: IsthmusRingOk there is data, IsthmusRingEnd, IsthmusRingBroken. Release what you hold
 * first: a producer may need that room before it has more to say.
 */
IST_RING_COLD ISTHMUS_RING_RESULT IsthmusRingConsumerSleep(ISTHMUS_RING_CONSUMER *Consumer)
{
    ISTHMUS_RING_RESULT result;

    IstRingFallAsleep(&Consumer->End, Consumer->Next + 1);
    result = IstConsumerLook(Consumer);
    if (result != IsthmusRingEmpty)
    {
        IstRingAwake(&Consumer->End);
        return result;
    }
    Consumer->End.Stalls++;
    IstStore64(&Consumer->End.Own.Counters->Stalls, Consumer->End.Stalls);
    return IsthmusRingEmpty;
}

/* After the wait, whatever ended it. */
IST_RING_INLINE void IsthmusRingConsumerAwake(ISTHMUS_RING_CONSUMER *Consumer)
{
    IstRingAwake(&Consumer->End);
}

/* Nothing more will be read. 1: the producer sleeps: set its event. */
IST_RING_INLINE int IsthmusRingConsumerClose(ISTHMUS_RING_CONSUMER *Consumer)
{
    IstConsumerTell(Consumer);
    return IstRingClose(&Consumer->End);
}

#endif
