/* SPDX-License-Identifier: MIT */
/*
 * Committing out of order, as ring/many.h does it: records of one or two granules, each granule's ready bit in a word of
 * its own (the hardest case: no two bits of a record change together), producers that race, a consumer that checks.
 * Memory is sequentially consistent here: the operations in question are interlocked, or ordered by release and
 * acquire. What is looked for: a record of which the consumer is shown a part, a busy record that is shown, and a ready
 * record that nobody shows.
 *
 *   -DFORWARDS       bits are flipped from the first granule on: must fail (assertion)
 *   -DNO_RETRY       whose compare-exchange fails leaves it at that: must fail (a ready record stays unseen)
 */
#define GRANULES  4 /* the ring, and one lap */
#define PRODUCERS 2

byte reserved, committed, published, consumed;
bit ready[GRANULES];  /* flipped each lap */
byte span[GRANULES];  /* the header, where a record starts */
bit busy[GRANULES];   /* for the check only: reserved, not yet committed */
byte finished;        /* producers */

#define READY(at) (ready[(at) % GRANULES] == 1 - ((at) / GRANULES) % 2)

inline Flip(at)
{
    ready[(at) % GRANULES] = 1 - ready[(at) % GRANULES]
}

inline Publish()
{
    from = committed;
    do
    :: true ->
        end = from;
        do
        :: READY(end) -> end++
        :: else -> break
        od;
        if
        :: end == from -> break
        :: else
        fi;
        atomic {
            if
            :: committed == from -> committed = end; from = end; break
#ifdef NO_RETRY
            :: else -> from = committed; break
#else
            :: else -> from = committed
#endif
            fi
        }
    od;
    atomic {
        if
        :: published < from -> published = from
        :: else
        fi
    }
}

proctype Producer(byte size; byte records)
{
    byte at, from, end;

    do
    :: records == 0 -> break
    :: else ->
        atomic { /* the compare-exchange; waits for room, where the code gives up */
            reserved + size - consumed <= GRANULES ->
            at = reserved;
            reserved = reserved + size;
            busy[at % GRANULES] = 1
        }
        atomic { span[at % GRANULES] = size; busy[at % GRANULES] = 0 }
        if
        :: size == 1 -> Flip(at)
#ifdef FORWARDS
        :: size == 2 -> Flip(at); Flip(at + 1)
#else
        :: size == 2 -> Flip(at + 1); Flip(at)
#endif
        fi;
        Publish();
        records--
    od;
    finished++
}

active proctype Consumer()
{
    byte seen, size;

    do
    :: published > consumed ->
        seen = published;
        size = span[consumed % GRANULES];
        assert(busy[consumed % GRANULES] == 0);
        assert(consumed + size <= seen); /* else: a part of a record, IsthmusRingErrorLength */
        consumed = consumed + size
    :: finished == PRODUCERS && published == consumed -> break
    od;
    assert(consumed == reserved) /* else: ready, and nobody showed it */
}

init
{
    atomic {
        run Producer(1, 3);
        run Producer(2, 2)
    }
}
