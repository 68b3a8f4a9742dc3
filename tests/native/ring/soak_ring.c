/* SPDX-License-Identifier: MIT */
/*
 * Two processes and a ring between them, each with the rights of its side; in most rounds one is killed at a moment it
 * cannot foresee. The supervisor does what a kernel would: it marks the dead side's page and sets the other's event.
 * The survivor must come to the end of the stream, having seen whole records in order, and exit by itself.
 *
 * soak_ring [rounds [seed]]
 */
#include "ringmemory.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CAPACITY 8192
#define ENDED    0 /* exit code: end of stream */
#define WRONG    1

static int DataEvent;
static int SpaceEvent;

static void Fail(const char *What, UINT64 Value)
{
    fprintf(stderr, "soak: %s (%llu)\n", What, (unsigned long long)Value);
    _exit(WRONG);
}

static void EventSet(int Event)
{
    UINT64 one = 1;

    if (write(Event, &one, sizeof(one)) != sizeof(one))
    {
        Fail("event", 0);
    }
}

static void EventWait(int Event)
{
    struct pollfd wait = {.fd = Event, .events = POLLIN};
    UINT64 count;

    if (poll(&wait, 1, 20000) != 1 || read(Event, &count, sizeof(count)) != sizeof(count))
    {
        Fail("nobody woke this process in 20 seconds", (UINT64)Event);
    }
}

static UINT32 LengthOf(UINT64 Sequence)
{
    return (UINT32)(8 + (Sequence * 2654435761u >> 9) % 1000);
}

/* Until the consumer is gone. */
static void Produce(int Memory, UINT64 Records)
{
    RING_MAPPING map;
    ISTHMUS_RING_PRODUCER producer;

    if (RingMemoryMap(Memory, RingRoleProducer, &map) != 0 ||
        IsthmusRingProducerOpen(&producer, &map.View) != IsthmusRingOk)
    {
        Fail("producer cannot open", 0);
    }
    for (UINT64 i = 0; i < Records;)
    {
        UINT32 length = LengthOf(i);
        void *data;
        ISTHMUS_RING_RESULT result = IsthmusRingReserve(&producer, length, &data);

        if (result == IsthmusRingOk)
        {
            memset(data, (int)(i & 0xFF), length);
            memcpy(data, &i, sizeof(i));
            (void)IsthmusRingCommit(&producer, length);
            i++;
        }
        if (i % 4 == 0 || result != IsthmusRingOk || i == Records)
        {
            IsthmusRingPublish(&producer);
            if (IsthmusRingWakeConsumer(&producer))
            {
                EventSet(DataEvent);
            }
        }
        if (result == IsthmusRingFull)
        {
            result = IsthmusRingProducerSleep(&producer, CAPACITY / 2);
            if (result == IsthmusRingFull)
            {
                EventWait(SpaceEvent);
                IsthmusRingProducerAwake(&producer);
            }
        }
        if (result == IsthmusRingEnd)
        {
            _exit(ENDED);
        }
        if (result != IsthmusRingOk && result != IsthmusRingFull)
        {
            Fail("producer", result);
        }
    }
    if (IsthmusRingProducerClose(&producer))
    {
        EventSet(DataEvent);
    }
    _exit(ENDED);
}

/* Until the producer is gone and all it published is read. */
static void Consume(int Memory)
{
    RING_MAPPING map;
    ISTHMUS_RING_CONSUMER consumer;
    UINT64 next = 0;

    if (RingMemoryMap(Memory, RingRoleConsumer, &map) != 0 ||
        IsthmusRingConsumerOpen(&consumer, &map.View) != IsthmusRingOk)
    {
        Fail("consumer cannot open", 0);
    }
    for (;;)
    {
        ISTHMUS_RING_RECORD record;
        ISTHMUS_RING_RESULT result;

        while ((result = IsthmusRingPeek(&consumer, &record)) == IsthmusRingOk)
        {
            const UINT8 *bytes = record.Data;

            if (record.Length != LengthOf(next) || memcmp(bytes, &next, sizeof(next)) != 0)
            {
                Fail("wrong record", next);
            }
            for (UINT32 i = sizeof(next); i < record.Length; i++)
            {
                if (bytes[i] != (UINT8)next)
                {
                    Fail("torn record", next);
                }
            }
            next++;
        }
        (void)IsthmusRingRelease(&consumer);
        if (IsthmusRingWakeProducer(&consumer))
        {
            EventSet(SpaceEvent);
        }
        if (result == IsthmusRingEmpty)
        {
            result = IsthmusRingConsumerSleep(&consumer);
            if (result == IsthmusRingEmpty)
            {
                EventWait(DataEvent);
                IsthmusRingConsumerAwake(&consumer);
            }
        }
        if (result == IsthmusRingEnd && IsthmusRingConsumerSleep(&consumer) == IsthmusRingEnd)
        {
            _exit(ENDED);
        }
        if (result == IsthmusRingBroken)
        {
            Fail("consumer", IsthmusRingError(&consumer.End));
        }
    }
}

typedef struct TALLY
{
    unsigned ProducerKilled, ConsumerKilled, NobodyKilled;
    UINT64 Records;
} TALLY;

static int Round(unsigned Seed, TALLY *Tally)
{
    int memory = RingMemoryCreate(CAPACITY, 0);
    int kill_ = rand_r(&Seed) % 5; /* 0, 1 the producer; 2, 3 the consumer; 4 nobody */
    struct timespec moment = {0, rand_r(&Seed) % 12000000};
    RING_MAPPING map;
    pid_t pids[2];
    int failed = 0;

    DataEvent = eventfd(0, 0);
    SpaceEvent = eventfd(0, 0);
    if (memory < 0 || DataEvent < 0 || SpaceEvent < 0 || RingMemoryMap(memory, RingRoleBoth, &map) != 0)
    {
        perror("soak");
        return 1;
    }
    for (int side = 0; side < 2; side++)
    {
        pids[side] = fork();
        if (pids[side] == 0)
        {
            side == 0 ? Produce(memory, kill_ == 4 ? 5000 : ~0ull) : Consume(memory);
        }
    }
    if (kill_ < 4)
    {
        int side = kill_ / 2;

        nanosleep(&moment, NULL);
        kill(pids[side], SIGKILL);
        waitpid(pids[side], NULL, 0);
        pids[side] = 0;
        IsthmusRingBury(side == 0 ? map.View.Producer : map.View.Consumer, &map.Description);
        EventSet(side == 0 ? DataEvent : SpaceEvent);
        Tally->ProducerKilled += side == 0;
        Tally->ConsumerKilled += side == 1;
    }
    Tally->NobodyKilled += kill_ == 4;
    for (int side = 0; side < 2; side++)
    {
        int status = 0;

        if (pids[side] != 0 && (waitpid(pids[side], &status, 0) != pids[side] || status != 0))
        {
            fprintf(stderr, "soak: the %s ended with status %#x\n", side == 0 ? "producer" : "consumer",
                    (unsigned)status);
            failed = 1;
        }
    }
    Tally->Records += IstRingSideAt(map.View.Consumer, &map.Description).Counters->Records;
    RingMemoryUnmap(&map);
    close(memory);
    close(DataEvent);
    close(SpaceEvent);
    return failed;
}

int main(int Count, char **Arguments)
{
    unsigned rounds = Count > 1 ? (unsigned)atoi(Arguments[1]) : 60;
    unsigned seed = Count > 2 ? (unsigned)atoi(Arguments[2]) : (unsigned)time(NULL);
    TALLY tally = {0};

    for (unsigned i = 0; i < rounds; i++)
    {
        if (Round(seed + i, &tally) != 0)
        {
            fprintf(stderr, "soak: round %u failed; again with: soak_ring 1 %u\n", i, seed + i);
            return 1;
        }
    }
    printf("%u rounds from seed %u: producer killed in %u, consumer in %u, nobody in %u; %llu records\n", rounds, seed,
           tally.ProducerKilled, tally.ConsumerKilled, tally.NobodyKilled, (unsigned long long)tally.Records);
    return tally.Records == 0;
}
