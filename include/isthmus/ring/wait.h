/* SPDX-License-Identifier: MIT */
/*
 * What both ends of a ring share: the sticky error, the peer's state, and sleeping. Part of isthmus_ring.h.
 *
 * The handshake, for data (consumer waits, producer signals); for space it is the same with the sides swapped:
 *
 *        waiter                                          signaller
 *   W1   WakeAt = position wanted                   S1   position = new            (release)
 *   W2   Ticket = next odd number    (release)      S2   FULL FENCE
 *   W3   FULL FENCE                                 S3   read Ticket               (acquire)
 *   W4   read position: there already?              S4   odd, and not the one woken last?
 *        yes: Ticket = next even number             S5   read WakeAt: reached?
 *        no:  wait on the event                          yes: that one is woken: tell the caller to set the event
 *
 * Each side stores, then loads what the other stores. Without a fence between its store and its load a processor, x86
 * included, may load first: then the waiter sees no data, the signaller sees nobody asleep, and both are right about
 * the past: the wake-up is lost. With both fences at least one sees the other's store. Acquire and release do not do;
 * one fence does not do (tests/native/ring/model shows each failure, and that this version has none).
 *
 * A ticket rather than a flag: only the waiter writes it, so the signaller cannot take the flag down; it remembers
 * which sleep it ended and so signals once per sleep, however many records it publishes before the sleeper runs. Every
 * sleep must have a new number: with the old one, a signal that an earlier, cancelled sleep had used up would
 * be taken for the new one's. S5 may read the WakeAt of a later sleep than S3's ticket; that sleep has its own W4.
 *
 * The event must stay set until a wait takes it (SynchronizationEvent, auto-reset event, eventfd), and a waiter
 * treats every return from the wait as a hint: look again, and sleep with a new ticket if there is nothing.
 */
#ifndef ISTHMUS_RING_WAIT_H
#define ISTHMUS_RING_WAIT_H

/* The part of an endpoint that producers and consumer have alike. Private memory of its owner. */
typedef struct IST_RING_END
{
    IST_RING_SIDE Own;          /* written here */
    IST_RING_SIDE Peer;         /* only ever read, each field once */
    UINT64 Ticket;              /* the last one written to Own.Status */
    volatile UINT64 Woken;      /* the peer's sleep that was ended last */
    UINT64 Wakeups;             /* as in the counters */
    UINT64 Stalls;
    volatile UINT32 PeerState;  /* what the caller knows of the peer, whatever the peer's page says; 0 nothing */
    volatile UINT32 Error;      /* ISTHMUS_RING_ERROR, sticky */
    UINT32 Patience;            /* pauses before the next look at the peer's position; see ahead.h */
} IST_RING_END;

/* The endpoint starts where its side's page says: a page that only this side can write. */
IST_RING_INLINE void IstRingEndStart(IST_RING_END *End, void *OwnPage, void *PeerPage,
                                     const ISTHMUS_RING_DESCRIPTION *Description)
{
    End->Own = IstRingSideAt(OwnPage, Description);
    End->Peer = IstRingSideAt(PeerPage, Description);
    End->Ticket = IstLoad64(&End->Own.Status->Ticket);
    End->Woken = 0;
    End->Wakeups = IstLoad64(&End->Own.Counters->Wakeups);
    End->Stalls = IstLoad64(&End->Own.Counters->Stalls);
    End->PeerState = ISTHMUS_RING_OPEN;
    End->Error = IsthmusRingErrorNone;
    End->Patience = 0;
    IstStoreRelease32(&End->Own.Status->State, ISTHMUS_RING_OPEN);
}

/* The peer wrote nonsense: remember the first reason, and tell the peer that nothing more will come. */
IST_RING_COLD ISTHMUS_RING_RESULT IstRingBreak(IST_RING_END *End, UINT32 Error)
{
    if (End->Error == IsthmusRingErrorNone)
    {
        End->Error = Error;
        End->Own.Status->Error = Error;
        IstStoreRelease32(&End->Own.Status->State, ISTHMUS_RING_FAILED);
    }
    return IsthmusRingBroken;
}

/* The reason why this end gave IsthmusRingBroken; IsthmusRingErrorNone: it did not. Any IRQL. */
IST_RING_INLINE ISTHMUS_RING_ERROR IsthmusRingError(const IST_RING_END *End)
{
    return (ISTHMUS_RING_ERROR)End->Error;
}

/* ISTHMUS_RING_OPEN, _CLOSED, _DIED or _FAILED: what is known of the peer. Any IRQL. */
IST_RING_INLINE UINT32 IsthmusRingPeerState(const IST_RING_END *End)
{
    UINT32 state = IstLoadAcquire32(&End->PeerState);

    return state != ISTHMUS_RING_OPEN ? state : IstLoadAcquire32(&End->Peer.Status->State);
}

/*
 * Tells this end that its peer died (ISTHMUS_RING_DIED) or was cut off (ISTHMUS_RING_CLOSED), whatever the peer's page
 * says now or later. From any thread, at any IRQL, while the endpoint exists; then set the event this end waits on.
 */
IST_RING_INLINE void IsthmusRingPeerGone(IST_RING_END *End, UINT32 State)
{
    IstStoreRelease32(&End->PeerState, State);
}

/* IsthmusRingOk: the peer is there. Else IsthmusRingEnd, or IsthmusRingBroken if its state has no meaning. */
IST_RING_COLD ISTHMUS_RING_RESULT IstRingPeerThere(IST_RING_END *End)
{
    UINT32 state = IsthmusRingPeerState(End);

    if (state > ISTHMUS_RING_FAILED)
    {
        return IstRingBreak(End, IsthmusRingErrorState);
    }
    return state == ISTHMUS_RING_OPEN ? IsthmusRingOk : IsthmusRingEnd;
}

/* W1 to W3. */
IST_RING_INLINE void IstRingFallAsleep(IST_RING_END *End, UINT64 WakeAt)
{
    IstStore64(&End->Own.Status->WakeAt, WakeAt);
    End->Ticket = (End->Ticket | 1) + 2;
    IstStoreRelease64(&End->Own.Status->Ticket, End->Ticket); /* release: S5 finds this WakeAt or a later one */
    IstFenceFull();                                           /* the ticket is seen before the position is read */
}

IST_RING_INLINE void IstRingAwake(IST_RING_END *End)
{
    End->Ticket = (End->Ticket | 1) + 1;
    IstStoreRelease64(&End->Own.Status->Ticket, End->Ticket);
}

/* Is the peer asleep, and not yet woken, and would Position satisfy it? At most one caller gets 1 for each sleep. */
IST_RING_INLINE int IstRingTakeWake(IST_RING_END *End, int Any, UINT64 Position)
{
    UINT64 ticket = IstLoadAcquire64(&End->Peer.Status->Ticket);

    if (IST_RING_LIKELY((ticket & 1) == 0 || ticket == IstLoad64(&End->Woken)))
    {
        return 0;
    }
    if (!Any && (INT64)(Position - IstLoad64(&End->Peer.Status->WakeAt)) < 0)
    {
        return 0;
    }
    return IstExchange64(&End->Woken, ticket) != ticket; /* several producers: one of them signals */
}

/* S2 to S5, after the position was stored. */
IST_RING_INLINE int IstRingWake(IST_RING_END *End, UINT64 Position)
{
    IstFenceFull(); /* the position is seen before the ticket is read */
    if (IstRingTakeWake(End, 0, Position))
    {
        End->Wakeups++;
        IstStore64(&End->Own.Counters->Wakeups, End->Wakeups);
        return 1;
    }
    return 0;
}

IST_RING_INLINE int IstRingClose(IST_RING_END *End)
{
    if (End->Error == IsthmusRingErrorNone)
    {
        IstStoreRelease32(&End->Own.Status->State, ISTHMUS_RING_CLOSED); /* release: after the last position */
    }
    IstFenceFull(); /* as in the handshake: a peer about to sleep sees the state, or is seen asleep */
    return IstRingTakeWake(End, 1, 0);
}

/* ---- Spinning before sleeping ---------------------------------------------------------------------------------- */

/*
 * How long to spin, learnt from how long it took lately: a wait that ended while spinning moves the limit towards
 * twice what it needed, one that ended in a sleep takes a quarter away. Counts rounds, not time: a round is one pause
 * of the processor and one look of the caller.
 */
typedef struct ISTHMUS_RING_SPIN
{
    UINT32 Most;  /* rounds; 0 on one processor */
    UINT32 Limit;
    UINT32 Used;
} ISTHMUS_RING_SPIN;

IST_RING_INLINE void IsthmusRingSpinStart(ISTHMUS_RING_SPIN *Spin, UINT32 Most)
{
    Spin->Most = Most;
    Spin->Limit = Most / 2;
    Spin->Used = 0;
}

/* 1: paused; look again. 0: enough, sleep. */
IST_RING_INLINE int IsthmusRingSpin(ISTHMUS_RING_SPIN *Spin)
{
    if (Spin->Used >= Spin->Limit)
    {
        return 0;
    }
    Spin->Used++;
    IstPause();
    return 1;
}

/* The wait is over; Slept: spinning had not been enough. */
IST_RING_INLINE void IsthmusRingSpinEnd(ISTHMUS_RING_SPIN *Spin, int Slept)
{
    UINT32 least = Spin->Most / 32;

    if (Slept)
    {
        Spin->Limit -= Spin->Limit / 4;
    }
    else
    {
        UINT32 aim = 2 * Spin->Used + least;
        Spin->Limit = (UINT32)(((UINT64)Spin->Limit * 7 + aim) / 8);
    }
    if (Spin->Limit < least)
    {
        Spin->Limit = least;
    }
    if (Spin->Limit > Spin->Most)
    {
        Spin->Limit = Spin->Most;
    }
    Spin->Used = 0;
}

#endif
