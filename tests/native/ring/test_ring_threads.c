/* SPDX-License-Identifier: MIT */
/* The ring between threads, once under the thread sanitizer and once under the other two: order, bytes, wake-ups. */
#include "ringfixture.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif

#define RECORDS   60000
#define PRODUCERS 3
#define SPINS     200

typedef struct STREAM
{
    RING_FIXTURE *Ring;
    int DataEvent;
    int SpaceEvent;
    UINT32 Batch;      /* records published at once */
    UINT64 Sleeps[2];  /* producer's, consumer's */
} STREAM;

static int EventCreate(void)
{
    int event = eventfd(0, EFD_CLOEXEC);

    assert_true(event >= 0);
    return event;
}

static void EventSet(int Event)
{
    UINT64 one = 1;

    assert_int_equal(write(Event, &one, sizeof(one)), sizeof(one));
}

/* A lost wake-up would wait for ever: 20 seconds without one is a failure, and no time is asserted otherwise. */
static void EventWait(int Event)
{
    struct pollfd wait = {.fd = Event, .events = POLLIN};
    UINT64 count;

    assert_int_equal(poll(&wait, 1, 20000), 1);
    assert_int_equal(read(Event, &count, sizeof(count)), sizeof(count));
}

static UINT32 LengthOf(UINT64 Sequence)
{
    return (UINT32)(8 + (Sequence * 2654435761u >> 7) % 120);
}

static void WriteRecord(void *Data, UINT64 Sequence, UINT32 Length)
{
    memset(Data, (int)(Sequence & 0xFF), Length);
    memcpy(Data, &Sequence, 8);
}

static UINT64 CheckRecord(const void *Data, UINT32 Length, UINT64 *Sequence)
{
    const UINT8 *bytes = Data;

    memcpy(Sequence, Data, 8);
    for (UINT32 i = 8; i < Length; i++)
    {
        if (bytes[i] != (UINT8)*Sequence)
        {
            return 0;
        }
    }
    return 1;
}

static void *ProduceSingle(void *Context)
{
    STREAM *stream = Context;
    ISTHMUS_RING_PRODUCER *producer = &stream->Ring->Producer;
    ISTHMUS_RING_SPIN spin;
    void *data;

    IsthmusRingSpinStart(&spin, SPINS);
    for (UINT64 i = 0; i < RECORDS;)
    {
        ISTHMUS_RING_RESULT result = IsthmusRingReserve(producer, LengthOf(i), &data);

        if (result == IsthmusRingOk)
        {
            WriteRecord(data, i, LengthOf(i));
            assert_int_equal(IsthmusRingCommit(producer, LengthOf(i)), IsthmusRingOk);
            i++;
        }
        if (result == IsthmusRingFull || i % stream->Batch == 0 || i == RECORDS)
        {
            IsthmusRingPublish(producer);
            if (IsthmusRingWakeConsumer(producer))
            {
                EventSet(stream->DataEvent);
            }
        }
        if (result == IsthmusRingFull && !IsthmusRingSpin(&spin))
        {
            int slept = IsthmusRingProducerSleep(producer, 1000) == IsthmusRingFull;

            if (slept)
            {
                stream->Sleeps[0]++;
                EventWait(stream->SpaceEvent);
                IsthmusRingProducerAwake(producer);
            }
            IsthmusRingSpinEnd(&spin, slept);
        }
    }
    if (IsthmusRingProducerClose(producer))
    {
        EventSet(stream->DataEvent);
    }
    return NULL;
}

/* Gives each record to Check, sleeps when there is none, returns at the end of the stream. */
static void Consume(STREAM *Stream, void (*Check)(void *, const ISTHMUS_RING_RECORD *), void *Context)
{
    ISTHMUS_RING_CONSUMER *consumer = &Stream->Ring->Consumer;
    ISTHMUS_RING_RECORD record;
    ISTHMUS_RING_SPIN spin;

    IsthmusRingSpinStart(&spin, SPINS);
    for (;;)
    {
        ISTHMUS_RING_RESULT result;
        UINT32 count = 0;

        while (count < Stream->Batch && (result = IsthmusRingPeek(consumer, &record)) == IsthmusRingOk)
        {
            Check(Context, &record);
            count++;
        }
        assert_int_equal(IsthmusRingRelease(consumer), IsthmusRingOk);
        if (IsthmusRingWakeProducer(consumer))
        {
            EventSet(Stream->SpaceEvent);
        }
        if (result == IsthmusRingEnd)
        {
            break;
        }
        assert_int_equal(IsthmusRingError(&consumer->End), IsthmusRingErrorNone);
        assert_true(result == IsthmusRingOk || result == IsthmusRingEmpty);
        if (result == IsthmusRingEmpty && !IsthmusRingSpin(&spin))
        {
            int slept = IsthmusRingConsumerSleep(consumer) == IsthmusRingEmpty;

            if (slept)
            {
                Stream->Sleeps[1]++;
                EventWait(Stream->DataEvent);
                IsthmusRingConsumerAwake(consumer);
            }
            IsthmusRingSpinEnd(&spin, slept);
        }
    }
}

static void CheckSingle(void *Context, const ISTHMUS_RING_RECORD *Record)
{
    UINT64 *next = Context;
    UINT64 sequence;

    assert_int_equal(CheckRecord(Record->Data, Record->Length, &sequence), 1);
    assert_int_equal(sequence, *next);
    assert_int_equal(Record->Length, LengthOf(sequence));
    ++*next;
}

/*
 * How often this end fell asleep: each time moves its ticket on by four. One that was called off, because there was
 * something after all, is no stall, but the peer may have seen its ticket and signalled it, once.
 */
static UINT64 SleepsOf(const IST_RING_END *End)
{
    return (End->Ticket + 1) / 4;
}

static void TestSingle(void **State)
{
    static const UINT32 batches[] = {1, 7, 64};

    (void)State;
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
    {
        STREAM stream = {RingFixtureCreate(4096, 0, 0), EventCreate(), EventCreate(), batches[i], {0, 0}};
        UINT64 next = 0;
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, ProduceSingle, &stream), 0);
        Consume(&stream, CheckSingle, &next);
        pthread_join(thread, NULL);
        assert_int_equal(next, RECORDS);
        print_message("  batches of %u: sleeps %llu for space, %llu for data; wake-ups asked %llu, %llu\n", batches[i],
                      (unsigned long long)stream.Sleeps[0], (unsigned long long)stream.Sleeps[1],
                      (unsigned long long)stream.Ring->Consumer.End.Wakeups,
                      (unsigned long long)stream.Ring->Producer.End.Wakeups);
        assert_true(stream.Ring->Producer.End.Wakeups <= SleepsOf(&stream.Ring->Consumer.End));
        close(stream.DataEvent);
        close(stream.SpaceEvent);
        RingFixtureDelete(stream.Ring);
    }
}

/* ---- Many producers --------------------------------------------------------------------------------------------- */

typedef struct MANY_PRODUCER
{
    STREAM *Stream;
    UINT64 Index;
} MANY_PRODUCER;

static void Show(STREAM *Stream)
{
    IsthmusRingManyPublish(&Stream->Ring->Many);
    if (IsthmusRingManyWakeConsumer(&Stream->Ring->Many))
    {
        EventSet(Stream->DataEvent);
    }
}

/* Sequence: producer in the top byte. Some records are discarded, some are shortened, some stay open across another. */
static void *ProduceMany(void *Context)
{
    MANY_PRODUCER *self = Context;
    ISTHMUS_RING_MANY_PRODUCERS *many = &self->Stream->Ring->Many;
    ISTHMUS_RING_SLOT slots[2];

    for (UINT64 i = 0; i < RECORDS / PRODUCERS;)
    {
        UINT64 sequence = self->Index << 56 | i;
        UINT32 length = LengthOf(i);

        if (IsthmusRingManyReserve(many, length + (i % 5 == 0 ? 40 : 0), &slots[0]) != IsthmusRingOk)
        {
            Show(self->Stream); /* what others are waiting behind may be ours */
            sched_yield();
            continue;
        }
        if (i % 3 == 0 && IsthmusRingManyReserve(many, 24, &slots[1]) == IsthmusRingOk)
        {
            IsthmusRingManyDiscard(many, &slots[1]); /* later than the first, ended before it */
            Show(self->Stream);
        }
        WriteRecord(slots[0].Data, sequence, length);
        if (i % 1000 == 0)
        {
            sched_yield(); /* stopped between reserve and commit */
        }
        assert_int_equal(IsthmusRingManyCommit(many, &slots[0], length), IsthmusRingOk);
        i++;
        if (i % self->Stream->Batch == 0 || i == RECORDS / PRODUCERS)
        {
            Show(self->Stream);
        }
    }
    return NULL;
}

static void CheckMany(void *Context, const ISTHMUS_RING_RECORD *Record)
{
    UINT64 *next = Context;
    UINT64 sequence;

    assert_int_equal(CheckRecord(Record->Data, Record->Length, &sequence), 1);
    assert_true(sequence >> 56 < PRODUCERS);
    assert_int_equal(sequence & (~0ull >> 8), next[sequence >> 56]);
    assert_int_equal(Record->Length, LengthOf(sequence & (~0ull >> 8)));
    next[sequence >> 56]++;
}

static void *CloseWhenDone(void *Context)
{
    MANY_PRODUCER *producers = Context;
    STREAM *stream = producers[0].Stream;
    pthread_t threads[PRODUCERS];

    for (int i = 0; i < PRODUCERS; i++)
    {
        assert_int_equal(pthread_create(&threads[i], NULL, ProduceMany, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++)
    {
        pthread_join(threads[i], NULL);
    }
    if (IsthmusRingManyClose(&stream->Ring->Many))
    {
        EventSet(stream->DataEvent);
    }
    return NULL;
}

static void TestMany(void **State)
{
    static const UINT32 batches[] = {1, 8};

    (void)State;
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++)
    {
        STREAM stream = {RingFixtureCreate(4096 << i * 4, ISTHMUS_RING_MANY, 0), EventCreate(), EventCreate(),
                         batches[i], {0, 0}};
        MANY_PRODUCER producers[PRODUCERS];
        UINT64 next[PRODUCERS] = {0};
        pthread_t thread;

        for (UINT64 j = 0; j < PRODUCERS; j++)
        {
            producers[j] = (MANY_PRODUCER){&stream, j};
        }
        assert_int_equal(pthread_create(&thread, NULL, CloseWhenDone, producers), 0);
        Consume(&stream, CheckMany, next);
        pthread_join(thread, NULL);
        for (int j = 0; j < PRODUCERS; j++)
        {
            assert_int_equal(next[j], RECORDS / PRODUCERS);
        }
        assert_int_equal(stream.Ring->Many.Committed, stream.Ring->Many.Reserved);
        assert_int_equal(*stream.Ring->Many.End.Own.Position, stream.Ring->Many.Reserved);
        print_message("  %d producers, batches of %u: %llu bytes of ring, %llu sleeps, %llu times full\n", PRODUCERS,
                      batches[i], (unsigned long long)stream.Ring->Many.Reserved, (unsigned long long)stream.Sleeps[1],
                      (unsigned long long)stream.Ring->Many.End.Own.Counters->Stalls);
        close(stream.DataEvent);
        close(stream.SpaceEvent);
        RingFixtureDelete(stream.Ring);
    }
}

/* ---- Overwriting ------------------------------------------------------------------------------------------------ */

#ifndef THREAD_SANITIZER /* reading what may be overwritten is the point, and a race by the book */

static void *ProduceForever(void *Context)
{
    STREAM *stream = Context;
    int wake;
    UINT8 bytes[128];

    for (UINT64 i = 0; i < 10 * RECORDS; i++)
    {
        WriteRecord(bytes, i, LengthOf(i));
        assert_int_equal(IsthmusRingWrite(&stream->Ring->Producer, bytes, LengthOf(i), &wake), IsthmusRingOk);
        if (i % 500 == 0)
        {
            sched_yield();
        }
    }
    IsthmusRingProducerClose(&stream->Ring->Producer);
    return NULL;
}

static void TestOverwrite(void **State)
{
    STREAM stream = {RingFixtureCreate(4096, ISTHMUS_RING_OVERWRITE, 0), -1, -1, 1, {0, 0}};
    UINT64 seen = 0, torn = 0, next = 0;
    pthread_t thread;

    (void)State;
    assert_int_equal(pthread_create(&thread, NULL, ProduceForever, &stream), 0);
    for (;;)
    {
        UINT8 copy[128];
        UINT32 length;
        UINT64 sequence;
        ISTHMUS_RING_RESULT result = IsthmusRingRead(&stream.Ring->Consumer, copy, sizeof(copy), &length);

        if (result == IsthmusRingEnd)
        {
            break;
        }
        assert_int_not_equal(result, IsthmusRingBroken);
        assert_int_not_equal(result, IsthmusRingTooLarge);
        torn += result == IsthmusRingLost;
        if (result == IsthmusRingOk)
        {
            /* Whatever is called good is whole, and later than what came before. */
            assert_int_equal(CheckRecord(copy, length, &sequence), 1);
            assert_int_equal(length, LengthOf(sequence));
            assert_true(sequence >= next);
            next = sequence + 1;
            seen++;
        }
    }
    pthread_join(thread, NULL);
    assert_int_equal(next, 10 * RECORDS);
    print_message("  %u written, %llu seen, %llu overwritten in hand, producer counts %llu lost\n", 10 * RECORDS,
                  (unsigned long long)seen, (unsigned long long)torn,
                  (unsigned long long)stream.Ring->Producer.End.Own.Counters->LostRecords);
    /* Each record not seen was overwritten before it was released. (One released just then may be counted as well.) */
    assert_true(stream.Ring->Producer.End.Own.Counters->LostRecords >= 10 * RECORDS - seen);
    RingFixtureDelete(stream.Ring);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestSingle),
        cmocka_unit_test(TestMany),
#ifndef THREAD_SANITIZER
        cmocka_unit_test(TestOverwrite),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
