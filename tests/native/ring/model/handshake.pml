/* SPDX-License-Identifier: MIT */
/*
 * The sleep handshake of ring/wait.h, both directions at once, on a machine that buffers stores.
 *
 * Each side's stores go into a queue of its own and reach memory later, in order: what x86 does, and with release stores
 * what weaker machines may do no worse than as far as this protocol goes (its only relaxed store, WakeAt, is followed
 * by a release). Loads take effect at once, so a load overtakes the stores before it unless a fence lets the queue
 * run empty first. A side never loads what it stores, so there is nothing to forward.
 *
 * A producer sends RECORDS records through a ring of CAPACITY; both sleep when there is nothing to do. A lost wake-up
 * shows as a state in which nobody can move and somebody is not done: spin's "invalid end state".
 *
 *   -DNO_WAITER_FENCE, -DNO_SIGNALLER_FENCE    without W3, without S2: must fail
 *   -DSAME_TICKET                              every sleep has the same number: must fail
 *
 * (With W2 before W1 nothing is lost either, as a wanted position is never past what the other side will reach; a
 * sleeper may then be woken by an older wish, too early or too late. The release store costs nothing, so W1 comes first.)
 */
#ifndef RECORDS
#define RECORDS 4
#endif
#define CAPACITY 2

#define POSITION  0 /* producer's page: position, and how it sleeps */
#define P_TICKET  1
#define P_WAKEAT  2
#define CONSUMED  3 /* consumer's page */
#define C_TICKET  4
#define C_WAKEAT  5
byte memory[6];

chan producerStores = [6] of { byte, byte };
chan consumerStores = [6] of { byte, byte };

bit dataEvent;
bit spaceEvent;

#define FENCE(queue) empty(queue)

#ifdef NO_WAITER_FENCE
#define WAITER_FENCE(queue) skip
#else
#define WAITER_FENCE(queue) FENCE(queue)
#endif
#ifdef NO_SIGNALLER_FENCE
#define SIGNALLER_FENCE(queue) skip
#else
#define SIGNALLER_FENCE(queue) FENCE(queue)
#endif

#ifdef SAME_TICKET
#define ASLEEP(ticket) 1
#define AWAKE(ticket)  0
#else
#define ASLEEP(ticket) (((ticket) | 1) + 2)
#define AWAKE(ticket)  (((ticket) | 1) + 1)
#endif

#define FALL_ASLEEP(queue, ticketAt, wakeAtAt, position)                                                               \
    ticket = ASLEEP(ticket); queue!wakeAtAt,position; queue!ticketAt,ticket; WAITER_FENCE(queue)

/* S2 to S5. */
#define SIGNAL(queue, ticketAt, wakeAtAt, position, event)                                                             \
    SIGNALLER_FENCE(queue); seen = memory[ticketAt];                                                                   \
    if                                                                                                                 \
    :: (seen & 1) == 1 && seen != woken ->                                                                             \
        at = memory[wakeAtAt];                                                                                         \
        if                                                                                                             \
        :: position >= at -> woken = seen; event = 1                                                                   \
        :: else                                                                                                        \
        fi                                                                                                             \
    :: else                                                                                                            \
    fi

active proctype Producer()
{
    byte published, consumed, ticket, woken, seen, at, wanted;
    bit timedOut;

    do
    :: published == RECORDS -> break
    :: else ->
        consumed = memory[CONSUMED];
        if
        :: published - consumed < CAPACITY ->
            published++;
            producerStores!POSITION,published;
            SIGNAL(producerStores, C_TICKET, C_WAKEAT, published, dataEvent)
        :: else ->
            if /* room for one record or for two; the next sleep may want less than this one did */
            :: wanted = 1
            :: wanted = 2
            fi;
            FALL_ASLEEP(producerStores, P_TICKET, P_WAKEAT, published + wanted - CAPACITY);
            consumed = memory[CONSUMED];
            if
            :: published + wanted - consumed <= CAPACITY
            :: else ->
                if
                :: atomic { spaceEvent == 1 -> spaceEvent = 0 }
                :: timedOut == 0 -> timedOut = 1 /* once, so that a lost wake-up cannot hide behind time-outs */
                fi
            fi;
            ticket = AWAKE(ticket);
            producerStores!P_TICKET,ticket
        fi
    od
}

active proctype Consumer()
{
    byte published, consumed, ticket, woken, seen, at;

    do
    :: consumed == RECORDS -> break
    :: else ->
        published = memory[POSITION];
        if
        :: published > consumed ->
            if /* one record, or all that is there, before it says so */
            :: consumed++
            :: consumed = published
            fi;
            consumerStores!CONSUMED,consumed;
            SIGNAL(consumerStores, P_TICKET, P_WAKEAT, consumed, spaceEvent)
        :: else ->
            FALL_ASLEEP(consumerStores, C_TICKET, C_WAKEAT, consumed + 1);
            published = memory[POSITION];
            if
            :: published > consumed
            :: else -> atomic { dataEvent == 1 -> dataEvent = 0 }
            fi;
            ticket = AWAKE(ticket);
            consumerStores!C_TICKET,ticket
        fi
    od
}

/* The store queues reach memory, whenever they like. */
active proctype ProducerMemory()
{
    byte place, value;

end:
    do
    :: atomic { producerStores?place,value -> memory[place] = value }
    od
}

active proctype ConsumerMemory()
{
    byte place, value;

end:
    do
    :: atomic { consumerStores?place,value -> memory[place] = value }
    od
}
