/* SPDX-License-Identifier: MIT */
/*
 * What keeps two processors out of each other's way. Part of isthmus_ring.h. Nothing here changes what is read or
 * written, only when; docs/performance.md has the measurements.
 *
 * Fetching ahead. Every line of the data comes from the other processor's cache, some hundred cycles away: to the
 * producer, which is going to write it, as well as to the consumer. Both know where the next records are, so while one
 * record is worked on the lines of a later one are under way:
 *
 *           this record              IST_RING_AHEAD or more on, as many bytes as this record has
 *      ----+-----------+- - - - - - +-----------+- - - - +---
 *          | in use    |            | fetched   |        |  Known: published (consumer), free (producer)
 *
 * Never beyond Known, where the other side is at work: taking its lines away would cost both.
 *
 * Patience. A look at the peer's position takes that line away from the peer, which writes it once a record. A side
 * that has caught up and looks again at once sees very little more, and pays for it with a slow peer. So when a look
 * brought little the next one waits for a few pauses, twice as many each time, IST_RING_PATIENCE at most: well below a
 * microsecond. A look that found nothing ends it: the first record after a silence is never made to wait.
 */
#ifndef ISTHMUS_RING_AHEAD_H
#define ISTHMUS_RING_AHEAD_H

#define IST_RING_FETCH_UNIT  64u   /* bytes: a cache line */
#define IST_RING_FETCH_MOST  8192u /* bytes of one record that are fetched */
#define IST_RING_AHEAD       2048u /* bytes, at least, from the record in use to the lines that are fetched */

#define IST_RING_PATIENCE 16u /* pauses */
#define IST_RING_LITTLE   16u /* a look that brings less than this part of the ring brought little */

/* ToWrite is a constant: one hint or the other is what remains. */
IST_RING_INLINE void IstRingFetchLine(const UINT8 *Place, int ToWrite)
{
    if (ToWrite)
    {
        IstPrefetchWrite(Place);
    }
    else
    {
        IstPrefetch(Place);
    }
}

/* Place: of a record that takes Span bytes of the ring; Known bytes from there on are this side's. */
IST_RING_INLINE void IstRingFetchAhead(const UINT8 *Place, UINT64 Span, UINT64 Known, int ToWrite)
{
    if (Span <= IST_RING_FETCH_UNIT)
    {
        if (Known > IST_RING_AHEAD)
        {
            IstRingFetchLine(Place + IST_RING_AHEAD, ToWrite);
        }
    }
    else
    {
        UINT_PTR from = (UINT_PTR)(Span > IST_RING_AHEAD ? Span : IST_RING_AHEAD);
        const UINT_PTR to = from + (UINT_PTR)(Span > IST_RING_FETCH_MOST ? IST_RING_FETCH_MOST : Span);

        if (to <= Known)
        {
            for (; from < to; from += IST_RING_FETCH_UNIT)
            {
                IstRingFetchLine(Place + from, ToWrite);
            }
        }
    }
}

/* Before a look at the peer's position. */
IST_RING_INLINE void IstRingWaitBeforeLook(const IST_RING_END *End)
{
    UINT32 pauses;

    for (pauses = End->Patience; pauses != 0; pauses--)
    {
        IstPause();
    }
}

/* After a look that brought Gained bytes in a ring of Capacity bytes. */
IST_RING_INLINE void IstRingLooked(IST_RING_END *End, UINT64 Gained, UINT64 Capacity)
{
    if (Gained == 0 || Gained >= Capacity / IST_RING_LITTLE)
    {
        End->Patience = 0;
    }
    else if (End->Patience < IST_RING_PATIENCE)
    {
        End->Patience = End->Patience == 0 ? 1 : 2 * End->Patience;
    }
}

#endif
