/* SPDX-License-Identifier: MIT */
/* A ring with both ends in one process, for cmocka tests: each end with a view and the rights of its own. */
#ifndef ISTHMUS_TESTS_RINGFIXTURE_H
#define ISTHMUS_TESTS_RINGFIXTURE_H

#include "support.h"

#include "ringmemory.h"

#include <stdalign.h>
#include <unistd.h>

typedef struct RING_FIXTURE
{
    int Memory;
    RING_MAPPING Produce; /* with the producer's rights */
    RING_MAPPING Consume; /* with the consumer's rights */
    RING_MAPPING Hostile; /* may write everything */
    ISTHMUS_RING_PRODUCER Producer;
    ISTHMUS_RING_MANY_PRODUCERS Many;
    ISTHMUS_RING_CONSUMER Consumer;
    UINT64 *Ready;
} RING_FIXTURE;

static inline void RingFixtureOpen(RING_FIXTURE *Ring)
{
    if ((Ring->Produce.Description.Flags & ISTHMUS_RING_MANY) != 0)
    {
        Ring->Ready = calloc(1, ISTHMUS_RING_MANY_READY_BYTES(Ring->Produce.Description.DataBytes));
        assert_non_null(Ring->Ready);
        assert_int_equal(IsthmusRingManyOpen(&Ring->Many, &Ring->Produce.View, Ring->Ready), IsthmusRingOk);
    }
    else
    {
        assert_int_equal(IsthmusRingProducerOpen(&Ring->Producer, &Ring->Produce.View), IsthmusRingOk);
    }
    assert_int_equal(IsthmusRingConsumerOpen(&Ring->Consumer, &Ring->Consume.View), IsthmusRingOk);
}

/* Start: both positions before anything was written (0 unless laps near 2^64 are to be tried). */
static inline RING_FIXTURE *RingFixtureCreate(UINT64 Capacity, UINT32 Flags, UINT64 Start)
{
    RING_FIXTURE *ring = aligned_alloc(128, (sizeof(*ring) + 127) / 128 * 128);

    assert_non_null(ring);
    memset(ring, 0, sizeof(*ring));
    ring->Memory = RingMemoryCreate(Capacity, Flags);
    assert_true(ring->Memory >= 0);
    assert_int_equal(RingMemoryMap(ring->Memory, RingRoleProducer, &ring->Produce), 0);
    assert_int_equal(RingMemoryMap(ring->Memory, RingRoleConsumer, &ring->Consume), 0);
    assert_int_equal(RingMemoryMap(ring->Memory, RingRoleBoth, &ring->Hostile), 0);
    *IstRingSideAt(ring->Hostile.View.Producer, &ring->Hostile.Description).Position = Start;
    *IstRingSideAt(ring->Hostile.View.Producer, &ring->Hostile.Description).Oldest = Start;
    *IstRingSideAt(ring->Hostile.View.Consumer, &ring->Hostile.Description).Position = Start;
    RingFixtureOpen(ring);
    return ring;
}

static inline void RingFixtureDelete(RING_FIXTURE *Ring)
{
    RingMemoryUnmap(&Ring->Produce);
    RingMemoryUnmap(&Ring->Consume);
    RingMemoryUnmap(&Ring->Hostile);
    close(Ring->Memory);
    free(Ring->Ready);
    free(Ring);
}

/* The two control pages as somebody sees them who may write both. */
static inline IST_RING_SIDE RingFixtureProducerPage(RING_FIXTURE *Ring)
{
    return IstRingSideAt(Ring->Hostile.View.Producer, &Ring->Hostile.Description);
}

static inline IST_RING_SIDE RingFixtureConsumerPage(RING_FIXTURE *Ring)
{
    return IstRingSideAt(Ring->Hostile.View.Consumer, &Ring->Hostile.Description);
}

#endif
