/* SPDX-License-Identifier: MIT */
/* The ring, one call at a time: what each function promises, and what it does when the other side lies. */
#include "ringfixture.h"

#include <signal.h>

#define SMALL ISTHMUS_RING_CAPACITY_MIN

static void Put(RING_FIXTURE *Ring, const char *Text)
{
    void *data;

    assert_int_equal(IsthmusRingReserve(&Ring->Producer, (UINT32)strlen(Text), &data), IsthmusRingOk);
    memcpy(data, Text, strlen(Text));
    assert_int_equal(IsthmusRingCommit(&Ring->Producer, (UINT32)strlen(Text)), IsthmusRingOk);
}

static void ExpectRecord(RING_FIXTURE *Ring, const char *Text)
{
    ISTHMUS_RING_RECORD record;

    assert_int_equal(IsthmusRingPeek(&Ring->Consumer, &record), IsthmusRingOk);
    assert_int_equal(record.Length, strlen(Text));
    assert_memory_equal(record.Data, Text, record.Length);
}

static void ExpectPeek(RING_FIXTURE *Ring, ISTHMUS_RING_RESULT Result)
{
    ISTHMUS_RING_RECORD record;

    assert_int_equal(IsthmusRingPeek(&Ring->Consumer, &record), Result);
}

/* Fills the ring with records of 8 bytes, published; returns how many fit. */
static UINT32 Fill(RING_FIXTURE *Ring)
{
    UINT32 count = 0;
    void *data;

    while (IsthmusRingReserve(&Ring->Producer, 8, &data) == IsthmusRingOk)
    {
        memcpy(data, "12345678", 8);
        assert_int_equal(IsthmusRingCommit(&Ring->Producer, 8), IsthmusRingOk);
        count++;
    }
    IsthmusRingPublish(&Ring->Producer);
    return count;
}

static void TestDescription(void **State)
{
    ISTHMUS_RING_DESCRIPTION d;
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);
    ISTHMUS_RING_DESCRIPTION *shared = (ISTHMUS_RING_DESCRIPTION *)ring->Hostile.Base;
    UINT32 *fields = (UINT32 *)ring->Hostile.Base;
    ISTHMUS_RING_CONSUMER consumer;

    (void)State;
    assert_int_equal(IsthmusRingDescribe(SMALL, 0, &d), IsthmusRingOk);
    assert_int_equal(d.TotalBytes, 3 * 4096 + SMALL);
    assert_int_equal(IsthmusRingDescribe(SMALL + 8, 0, &d), IsthmusRingBadArgument);
    assert_int_equal(IsthmusRingDescribe(SMALL / 2, 0, &d), IsthmusRingBadArgument);
    assert_int_equal(IsthmusRingDescribe(1ull << 32, 0, &d), IsthmusRingBadArgument);
    assert_int_equal(IsthmusRingDescribe(SMALL, 4, &d), IsthmusRingBadArgument);
    assert_int_equal(IsthmusRingDescribe(SMALL, ISTHMUS_RING_FLAGS, &d), IsthmusRingBadArgument);

    /* Any damage to a field that open relies on is noticed. (Offsets of the parts are for who maps them.) */
    for (size_t i = 0; i < sizeof(d) / 4; i++)
    {
        size_t byte = i * 4;
        UINT32 was = fields[i];
        if (byte >= offsetof(ISTHMUS_RING_DESCRIPTION, TotalBytes) &&
            byte < offsetof(ISTHMUS_RING_DESCRIPTION, DataBytes))
        {
            continue;
        }
        fields[i] = was ^ 0x40000001;
        assert_int_equal(IsthmusRingConsumerOpen(&consumer, &ring->Consume.View), IsthmusRingBadArgument);
        fields[i] = was;
    }
    shared->StatusOffset = 4096;
    assert_int_equal(IsthmusRingConsumerOpen(&consumer, &ring->Consume.View), IsthmusRingBadArgument);
    RingFixtureDelete(ring);
}

static void TestOneRecord(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);

    (void)State;
    ExpectPeek(ring, IsthmusRingEmpty);
    Put(ring, "hello");
    ExpectPeek(ring, IsthmusRingEmpty); /* committed isn't published */
    IsthmusRingPublish(&ring->Producer);
    ExpectRecord(ring, "hello");
    ExpectPeek(ring, IsthmusRingEmpty);
    assert_int_equal(*ring->Consumer.End.Own.Position, 0);
    assert_int_equal(IsthmusRingRelease(&ring->Consumer), IsthmusRingOk);
    assert_int_equal(*ring->Consumer.End.Own.Position, 16);
    RingFixtureDelete(ring);
}

static void TestBatchIsSeenAtOnce(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);

    (void)State;
    Put(ring, "a");
    Put(ring, "");
    Put(ring, "ccccccccc");
    ExpectPeek(ring, IsthmusRingEmpty);
    IsthmusRingPublish(&ring->Producer);
    ExpectRecord(ring, "a");
    ExpectRecord(ring, "");
    ExpectRecord(ring, "ccccccccc");
    ExpectPeek(ring, IsthmusRingEmpty);
    RingFixtureDelete(ring);
}

static void TestReservationRules(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);
    void *data;
    void *again;

    (void)State;
    assert_int_equal(IsthmusRingCommit(&ring->Producer, 0), IsthmusRingBadArgument);
    assert_int_equal(IsthmusRingReserve(&ring->Producer, 100, &data), IsthmusRingOk);
    assert_int_equal((UINT_PTR)data % 8, 0);
    assert_int_equal(IsthmusRingCommit(&ring->Producer, 105), IsthmusRingTooLarge);
    IsthmusRingDiscard(&ring->Producer);
    assert_int_equal(IsthmusRingCommit(&ring->Producer, 1), IsthmusRingBadArgument);
    assert_int_equal(IsthmusRingReserve(&ring->Producer, 200, &again), IsthmusRingOk);
    assert_ptr_equal(data, again); /* what was discarded left no trace */
    memcpy(again, "abc", 3);
    assert_int_equal(IsthmusRingCommit(&ring->Producer, 3), IsthmusRingOk);
    assert_int_equal(ring->Producer.Next, 16); /* and what was not used is free */
    IsthmusRingPublish(&ring->Producer);
    ExpectRecord(ring, "abc");
    assert_int_equal(ring->Producer.End.Own.Counters->Discards, 1);
    RingFixtureDelete(ring);
}

static void TestLargest(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);
    ISTHMUS_RING_RECORD record;
    void *data;

    (void)State;
    assert_int_equal(IsthmusRingReserve(&ring->Producer, SMALL - 7, &data), IsthmusRingTooLarge);
    assert_int_equal(IsthmusRingReserve(&ring->Producer, 0xFFFFFFFF, &data), IsthmusRingTooLarge);
    Put(ring, "shift the start");
    IsthmusRingPublish(&ring->Producer);
    assert_int_equal(IsthmusRingReserve(&ring->Producer, SMALL - 8, &data), IsthmusRingFull);
    ExpectRecord(ring, "shift the start");
    IsthmusRingRelease(&ring->Consumer);
    /* The whole ring as one record, over the end and contiguous. */
    assert_int_equal(IsthmusRingReserve(&ring->Producer, SMALL - 8, &data), IsthmusRingOk);
    memset(data, 0x5A, SMALL - 8);
    assert_int_equal(IsthmusRingCommit(&ring->Producer, SMALL - 8), IsthmusRingOk);
    IsthmusRingPublish(&ring->Producer);
    assert_int_equal(IsthmusRingReserve(&ring->Producer, 0, &data), IsthmusRingFull);
    assert_int_equal(IsthmusRingPeek(&ring->Consumer, &record), IsthmusRingOk);
    assert_int_equal(record.Length, SMALL - 8);
    for (UINT32 i = 0; i < record.Length; i++)
    {
        assert_int_equal(((const UINT8 *)record.Data)[i], 0x5A);
    }
    RingFixtureDelete(ring);
}

static void TestFullAndAgain(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);

    (void)State;
    for (int lap = 0; lap < 3; lap++)
    {
        assert_int_equal(Fill(ring), SMALL / 16);
        for (UINT32 i = 0; i < SMALL / 16; i++)
        {
            ExpectRecord(ring, "12345678");
        }
        IsthmusRingRelease(&ring->Consumer);
    }
    ExpectPeek(ring, IsthmusRingEmpty);
    assert_int_equal(ring->Producer.End.Own.Counters->Records, 3 * SMALL / 16);
    assert_int_equal(ring->Producer.End.Own.Counters->Bytes, 3 * SMALL / 2);
    assert_int_equal(ring->Producer.End.Own.Counters->Stalls, 3);
    assert_int_equal(ring->Consumer.End.Own.Counters->Records, 3 * SMALL / 16);
    RingFixtureDelete(ring);
}

static void TestReadAndWrite(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);
    char buffer[4];
    UINT32 length;
    int wake;

    (void)State;
    assert_int_equal(IsthmusRingWrite(&ring->Producer, "12345", 5, &wake), IsthmusRingOk);
    assert_int_equal(wake, 0);
    assert_int_equal(IsthmusRingRead(&ring->Consumer, buffer, 4, &length), IsthmusRingTooLarge);
    assert_int_equal(length, 5);
    assert_int_equal(ring->Consumer.Records, 0);
    ExpectRecord(ring, "12345");
    IsthmusRingRelease(&ring->Consumer);
    assert_int_equal(IsthmusRingWrite(&ring->Producer, "67", 2, &wake), IsthmusRingOk);
    assert_int_equal(IsthmusRingRead(&ring->Consumer, buffer, 4, &length), IsthmusRingOk);
    assert_int_equal(length, 2);
    assert_memory_equal(buffer, "67", 2);
    RingFixtureDelete(ring);
}

/* The consumer's position as a hostile program may set it, while 32 of 4096 bytes are published. */
static void TestHostileConsumerPosition(void **State)
{
    static const struct
    {
        UINT64 Position;
        ISTHMUS_RING_ERROR Error;
    } cases[] = {
        {4, IsthmusRingErrorMisaligned}, {SMALL, IsthmusRingErrorBeyond}, {~7ull, IsthmusRingErrorBeyond},
        {8, IsthmusRingErrorBackwards},
    };

    (void)State;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    {
        RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);
        void *data;

        Put(ring, "x");
        IsthmusRingPublish(&ring->Producer);
        ExpectRecord(ring, "x");
        IsthmusRingRelease(&ring->Consumer);
        Fill(ring); /* the producer has looked: 16 bytes are consumed */
        *RingFixtureConsumerPage(ring).Position = cases[i].Position == SMALL ? SMALL + 32 : cases[i].Position;
        assert_int_equal(IsthmusRingReserve(&ring->Producer, 8, &data), IsthmusRingBroken);
        assert_int_equal(IsthmusRingError(&ring->Producer.End), cases[i].Error);
        /* Sticky, and shown to the other side. */
        *RingFixtureConsumerPage(ring).Position = 16;
        assert_int_equal(IsthmusRingReserve(&ring->Producer, 0, &data), IsthmusRingBroken);
        assert_int_equal(IsthmusRingPeerState(&ring->Consumer.End), ISTHMUS_RING_FAILED);
        RingFixtureDelete(ring);
    }
}

static void TestHostileProducerPosition(void **State)
{
    static const struct
    {
        UINT64 Position;
        ISTHMUS_RING_ERROR Error;
    } cases[] = {
        {28, IsthmusRingErrorMisaligned}, {SMALL + 32, IsthmusRingErrorBeyond}, {~7ull, IsthmusRingErrorBeyond},
        {8, IsthmusRingErrorBackwards},
    };

    (void)State;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    {
        RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);

        Put(ring, "x");
        IsthmusRingPublish(&ring->Producer);
        ExpectRecord(ring, "x");
        IsthmusRingRelease(&ring->Consumer);
        *RingFixtureProducerPage(ring).Position = cases[i].Position;
        ExpectPeek(ring, IsthmusRingBroken);
        assert_int_equal(IsthmusRingError(&ring->Consumer.End), cases[i].Error);
        *RingFixtureProducerPage(ring).Position = 32;
        ExpectPeek(ring, IsthmusRingBroken);
        assert_int_equal(IsthmusRingConsumerSleep(&ring->Consumer), IsthmusRingBroken);
        RingFixtureDelete(ring);
    }
}

static void TestHostileHeader(void **State)
{
    static const struct
    {
        UINT64 Header;
        ISTHMUS_RING_ERROR Error;
    } cases[] = {
        {9, IsthmusRingErrorLength},          {0xFFFFFFFF, IsthmusRingErrorLength},
        {0xFFFFFFF8, IsthmusRingErrorLength}, {8 | 2ull << 32, IsthmusRingErrorFlags},
        {8 | 1ull << 63, IsthmusRingErrorFlags}, {16 | 1ull << 32, IsthmusRingErrorLength},
        {~0ull, IsthmusRingErrorLength},
    };

    (void)State;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    {
        RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);

        Put(ring, "12345678");
        IsthmusRingPublish(&ring->Producer);
        memcpy(ring->Hostile.View.Data, &cases[i].Header, 8);
        ExpectPeek(ring, IsthmusRingBroken);
        assert_int_equal(IsthmusRingError(&ring->Consumer.End), cases[i].Error);
        RingFixtureDelete(ring);
    }
}

/*
 * A consumer guesses that a record is like the one before. Whatever that one was, a record that does not end within
 * what was published is no record, and neither is a header that no producer writes.
 */
static void TestHostileGuess(void **State)
{
    static const struct
    {
        UINT64 Header;
        UINT64 Published; /* bytes behind the good record */
        ISTHMUS_RING_ERROR Error;
    } cases[] = {
        {8, 8, IsthmusRingErrorLength},         {~0ull, 8, IsthmusRingErrorLength},
        {~0ull, 16, IsthmusRingErrorLength},    {8 | 2ull << 32, 16, IsthmusRingErrorFlags},
        {1, 8, IsthmusRingErrorLength},         {0xFFFFFFFF, 4096, IsthmusRingErrorLength},
        {4096 - 7, 4096, IsthmusRingErrorLength},
    };

    (void)State;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    {
        RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);

        Put(ring, "12345678");
        IsthmusRingPublish(&ring->Producer);
        ExpectRecord(ring, "12345678");
        IsthmusRingRelease(&ring->Consumer);
        memcpy((UINT8 *)ring->Hostile.View.Data + 16, &cases[i].Header, 8);
        *RingFixtureProducerPage(ring).Position = 16 + cases[i].Published;
        ExpectPeek(ring, IsthmusRingBroken);
        assert_int_equal(IsthmusRingError(&ring->Consumer.End), cases[i].Error);
        RingFixtureDelete(ring);
    }
}

/* Records of all sizes, one look each: the guess is wrong every time, too long and too short. */
static void TestGuessesWrong(void **State)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);

    (void)State;
    for (size_t i = 0; i < 500; i++)
    {
        const char *record = text + i * 7 % sizeof(text);

        Put(ring, record);
        IsthmusRingPublish(&ring->Producer);
        ExpectRecord(ring, record);
        ExpectPeek(ring, IsthmusRingEmpty);
        IsthmusRingRelease(&ring->Consumer);
    }
    assert_int_equal(ring->Consumer.Records, 500);
    RingFixtureDelete(ring);
}

/* Looks that bring little are made more slowly; one that brings much, or nothing, ends that. Overwriting never waits. */
static void TestPatience(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);
    int wake;

    (void)State;
    for (UINT32 pauses = 1; pauses <= 2 * IST_RING_PATIENCE; pauses *= 2)
    {
        Put(ring, "little");
        IsthmusRingPublish(&ring->Producer);
        ExpectRecord(ring, "little");
        IsthmusRingRelease(&ring->Consumer);
        assert_int_equal(ring->Consumer.End.Patience, pauses <= IST_RING_PATIENCE ? pauses : IST_RING_PATIENCE);
    }
    ExpectPeek(ring, IsthmusRingEmpty);
    assert_int_equal(ring->Consumer.End.Patience, 0);
    Fill(ring);
    ExpectRecord(ring, "12345678");
    assert_int_equal(ring->Consumer.End.Patience, 0);
    for (UINT32 pauses = 1; pauses <= IST_RING_PATIENCE; pauses *= 2)
    {
        IsthmusRingRelease(&ring->Consumer);
        Put(ring, "12345678"); /* there is room for this one only */
        IsthmusRingPublish(&ring->Producer);
        assert_int_equal(ring->Producer.End.Patience, pauses);
        ExpectRecord(ring, "12345678");
    }
    assert_int_equal(Fill(ring), 0);
    assert_int_equal(ring->Producer.End.Patience, 0);
    RingFixtureDelete(ring);

    ring = RingFixtureCreate(SMALL, ISTHMUS_RING_OVERWRITE, 0);
    for (int i = 0; i < 1000; i++)
    {
        assert_int_equal(IsthmusRingWrite(&ring->Producer, "12345678", 8, &wake), IsthmusRingOk);
        ExpectRecord(ring, "12345678");
        IsthmusRingRelease(&ring->Consumer);
        assert_int_equal(ring->Producer.End.Patience, 0);
    }
    RingFixtureDelete(ring);
}

static void TestHostileState(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);
    void *data;

    (void)State;
    RingFixtureProducerPage(ring).Status->State = 77;
    ExpectPeek(ring, IsthmusRingBroken);
    assert_int_equal(IsthmusRingError(&ring->Consumer.End), IsthmusRingErrorState);
    RingFixtureDelete(ring);

    /* Broken while there is still room for a smaller record: that one is refused, too. */
    ring = RingFixtureCreate(SMALL, 0, 0);
    Put(ring, "x");
    IsthmusRingPublish(&ring->Producer);
    RingFixtureConsumerPage(ring).Status->State = 77;
    assert_int_equal(IsthmusRingReserve(&ring->Producer, SMALL - 16, &data), IsthmusRingBroken);
    assert_int_equal(IsthmusRingReserve(&ring->Producer, 8, &data), IsthmusRingBroken);
    RingFixtureDelete(ring);
}

static sigjmp_buf Fault;

static void OnFault(int Signal)
{
    siglongjmp(Fault, Signal);
}

/* Writes one byte; nonzero: it could not. */
static int WriteFaults(volatile UINT8 *Place)
{
    if (sigsetjmp(Fault, 1) != 0)
    {
        return 1;
    }
    *Place = *Place;
    return 0;
}

/* Neither side needs, nor here has, the right to write what is the other's. */
static void TestProtection(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);
    struct sigaction action = {.sa_handler = OnFault};
    struct sigaction before;

    (void)State;
    sigaction(SIGSEGV, &action, &before);
    assert_int_equal(WriteFaults(ring->Produce.View.Producer), 0);
    assert_int_equal(WriteFaults(ring->Produce.View.Data), 0);
    assert_int_equal(WriteFaults(ring->Produce.View.Consumer), 1);
    assert_int_equal(WriteFaults((volatile UINT8 *)ring->Produce.View.Description), 1);
    assert_int_equal(WriteFaults(ring->Consume.View.Consumer), 0);
    assert_int_equal(WriteFaults(ring->Consume.View.Producer), 1);
    assert_int_equal(WriteFaults(ring->Consume.View.Data), 1);
    assert_int_equal(WriteFaults((volatile UINT8 *)ring->Consume.View.Data + SMALL), 1);
    sigaction(SIGSEGV, &before, NULL);
    RingFixtureDelete(ring);
}

static void TestEndOfStream(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);
    void *data;

    (void)State;
    Put(ring, "last");
    assert_int_equal(IsthmusRingProducerClose(&ring->Producer), 0);
    assert_int_equal(IsthmusRingConsumerSleep(&ring->Consumer), IsthmusRingOk);
    ExpectRecord(ring, "last"); /* what was published before still counts */
    ExpectPeek(ring, IsthmusRingEnd);
    assert_int_equal(IsthmusRingConsumerSleep(&ring->Consumer), IsthmusRingEnd);
    assert_int_equal(IsthmusRingPeerState(&ring->Consumer.End), ISTHMUS_RING_CLOSED);
    RingFixtureDelete(ring);

    ring = RingFixtureCreate(SMALL, 0, 0);
    Fill(ring);
    IsthmusRingBury(ring->Hostile.View.Consumer, &ring->Hostile.Description);
    assert_int_equal(IsthmusRingReserve(&ring->Producer, 8, &data), IsthmusRingEnd);
    assert_int_equal(IsthmusRingProducerSleep(&ring->Producer, 8), IsthmusRingEnd);
    assert_int_equal(IsthmusRingPeerState(&ring->Producer.End), ISTHMUS_RING_DIED);
    RingFixtureDelete(ring);

    /* What this side was told counts more than what the page says. */
    ring = RingFixtureCreate(SMALL, 0, 0);
    IsthmusRingPeerGone(&ring->Consumer.End, ISTHMUS_RING_DIED);
    ExpectPeek(ring, IsthmusRingEnd);
    RingFixtureProducerPage(ring).Status->State = ISTHMUS_RING_OPEN;
    ExpectPeek(ring, IsthmusRingEnd);
    RingFixtureDelete(ring);
}

static void TestWakeForData(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);

    (void)State;
    Put(ring, "1");
    IsthmusRingPublish(&ring->Producer);
    assert_int_equal(IsthmusRingWakeConsumer(&ring->Producer), 0); /* nobody sleeps */
    assert_int_equal(IsthmusRingConsumerSleep(&ring->Consumer), IsthmusRingOk); /* nor should */
    ExpectRecord(ring, "1");
    IsthmusRingRelease(&ring->Consumer);

    assert_int_equal(IsthmusRingConsumerSleep(&ring->Consumer), IsthmusRingEmpty);
    assert_int_equal(IsthmusRingWakeConsumer(&ring->Producer), 0); /* nothing new was published */
    Put(ring, "2");
    IsthmusRingPublish(&ring->Producer);
    assert_int_equal(IsthmusRingWakeConsumer(&ring->Producer), 1);
    Put(ring, "3");
    IsthmusRingPublish(&ring->Producer);
    assert_int_equal(IsthmusRingWakeConsumer(&ring->Producer), 0); /* once per sleep */
    IsthmusRingConsumerAwake(&ring->Consumer);
    ExpectRecord(ring, "2");
    ExpectRecord(ring, "3");
    IsthmusRingRelease(&ring->Consumer);

    assert_int_equal(IsthmusRingConsumerSleep(&ring->Consumer), IsthmusRingEmpty);
    Put(ring, "4");
    IsthmusRingPublish(&ring->Producer);
    assert_int_equal(IsthmusRingWakeConsumer(&ring->Producer), 1); /* a new sleep, a new wake-up */
    assert_int_equal(ring->Producer.End.Own.Counters->Wakeups, 2);
    assert_int_equal(ring->Consumer.End.Own.Counters->Stalls, 2);
    IsthmusRingConsumerAwake(&ring->Consumer);
    ExpectRecord(ring, "4");
    IsthmusRingRelease(&ring->Consumer);
    assert_int_equal(IsthmusRingConsumerSleep(&ring->Consumer), IsthmusRingEmpty);
    assert_int_equal(IsthmusRingProducerClose(&ring->Producer), 1); /* the end wakes, too */
    RingFixtureDelete(ring);
}

static void TestWakeForSpace(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);
    UINT32 count = Fill(ring);

    (void)State;
    assert_int_equal(IsthmusRingProducerSleep(&ring->Producer, SMALL - 8), IsthmusRingFull);
    for (UINT32 i = 0; i < count; i++)
    {
        ExpectRecord(ring, "12345678");
        IsthmusRingRelease(&ring->Consumer);
        /* Woken when there is the room it wants, and not before. */
        assert_int_equal(IsthmusRingWakeProducer(&ring->Consumer), i == count - 1);
    }
    IsthmusRingProducerAwake(&ring->Producer);
    assert_int_equal(IsthmusRingProducerSleep(&ring->Producer, SMALL - 8), IsthmusRingOk);
    assert_int_equal(IsthmusRingProducerSleep(&ring->Producer, SMALL), IsthmusRingTooLarge);
    Put(ring, "unseen");
    assert_int_equal(IsthmusRingProducerSleep(&ring->Producer, 8), IsthmusRingBadArgument);
    Fill(ring);
    assert_int_equal(IsthmusRingProducerSleep(&ring->Producer, 8), IsthmusRingFull);
    assert_int_equal(IsthmusRingConsumerClose(&ring->Consumer), 1);
    RingFixtureDelete(ring);
}

/* An end that is opened again goes on where the last one stopped, and its sleeps are new ones. */
static void TestReopen(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(SMALL, 0, 0);

    (void)State;
    assert_int_equal(IsthmusRingConsumerSleep(&ring->Consumer), IsthmusRingEmpty);
    Put(ring, "one");
    Put(ring, "two");
    IsthmusRingPublish(&ring->Producer);
    assert_int_equal(IsthmusRingWakeConsumer(&ring->Producer), 1);
    ExpectRecord(ring, "one");
    IsthmusRingRelease(&ring->Consumer);
    RingFixtureOpen(ring);
    ExpectRecord(ring, "two");
    IsthmusRingRelease(&ring->Consumer);
    assert_int_equal(IsthmusRingConsumerSleep(&ring->Consumer), IsthmusRingEmpty);
    Put(ring, "three");
    IsthmusRingPublish(&ring->Producer);
    assert_int_equal(IsthmusRingWakeConsumer(&ring->Producer), 1);
    RingFixtureDelete(ring);
}

static void TestSpin(void **State)
{
    ISTHMUS_RING_SPIN spin;
    UINT32 rounds = 0;

    (void)State;
    IsthmusRingSpinStart(&spin, 0);
    assert_int_equal(IsthmusRingSpin(&spin), 0); /* one processor */
    IsthmusRingSpinStart(&spin, 1000);
    for (int i = 0; i < 100; i++)
    {
        for (rounds = 0; IsthmusRingSpin(&spin); rounds++)
        {
        }
        IsthmusRingSpinEnd(&spin, 1);
    }
    assert_in_range(rounds, 1, 40); /* spinning never helped: little of it is left */
    for (int i = 0; i < 100; i++)
    {
        for (rounds = 0; rounds < 200 && IsthmusRingSpin(&spin); rounds++)
        {
        }
        IsthmusRingSpinEnd(&spin, rounds < 20);
    }
    assert_in_range(spin.Limit, 30, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestDescription),
        cmocka_unit_test(TestOneRecord),
        cmocka_unit_test(TestBatchIsSeenAtOnce),
        cmocka_unit_test(TestReservationRules),
        cmocka_unit_test(TestLargest),
        cmocka_unit_test(TestFullAndAgain),
        cmocka_unit_test(TestReadAndWrite),
        cmocka_unit_test(TestHostileConsumerPosition),
        cmocka_unit_test(TestHostileProducerPosition),
        cmocka_unit_test(TestHostileHeader),
        cmocka_unit_test(TestHostileGuess),
        cmocka_unit_test(TestGuessesWrong),
        cmocka_unit_test(TestPatience),
        cmocka_unit_test(TestHostileState),
        cmocka_unit_test(TestProtection),
        cmocka_unit_test(TestEndOfStream),
        cmocka_unit_test(TestWakeForData),
        cmocka_unit_test(TestWakeForSpace),
        cmocka_unit_test(TestReopen),
        cmocka_unit_test(TestSpin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
