/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: a ring whose shared memory, all of it, is rewritten between any two calls, by somebody who knows the
 * layout. Whatever he writes, the endpoints never touch memory outside the data, never give a record outside it,
 * never run for ever, keep their private positions in order, and stay broken once broken.
 */
#include "ringmemory.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CAPACITY 4096ull
#define SLOTS    4
#define CHECK(condition)                                                                                               \
    do                                                                                                                 \
    {                                                                                                                  \
        if (!(condition))                                                                                              \
        {                                                                                                              \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

typedef struct INPUT
{
    const UINT8 *Data;
    size_t Left;
} INPUT;

typedef struct WORLD
{
    RING_MAPPING Map;
    UINT32 Flags;
    ISTHMUS_RING_PRODUCER Producer;
    ISTHMUS_RING_MANY_PRODUCERS Many;
    ISTHMUS_RING_CONSUMER Consumer;
    ISTHMUS_RING_SLOT Slots[SLOTS];
    int Open[SLOTS];
    UINT64 Ready[ISTHMUS_RING_MANY_READY_BYTES(CAPACITY) / 8];
    int ProducerBroken;
    int ConsumerBroken;
} WORLD;

static UINT64 Take(INPUT *Input, size_t Bytes)
{
    UINT64 value = 0;

    for (; Bytes != 0 && Input->Left != 0; Bytes--, Input->Left--)
    {
        value = value << 8 | *Input->Data++;
    }
    return value;
}

/* One shared word rewritten: near the truth more often than at random. */
static void Rewrite(WORLD *World, INPUT *Input)
{
    IST_RING_SIDE producer = IstRingSideAt(World->Map.View.Producer, &World->Map.Description);
    IST_RING_SIDE consumer = IstRingSideAt(World->Map.View.Consumer, &World->Map.Description);
    UINT64 how = Take(Input, 1);
    UINT64 value = Take(Input, 2) * (how & 0x80 ? 8 : 1);

    switch (how % 12)
    {
    case 0:
        *producer.Position += value;
        break;
    case 1:
        *producer.Position -= value;
        break;
    case 2:
        *consumer.Position += value;
        break;
    case 3:
        *consumer.Position -= value;
        break;
    case 4:
        *producer.Oldest += value;
        break;
    case 5:
        *producer.Oldest = World->Consumer.Next + value;
        break;
    case 6: /* a header where the consumer, or the overwriting producer, will look */
    case 7:
    {
        UINT64 at = how % 12 == 6 ? World->Consumer.Next : World->Producer.Oldest;
        *(UINT64 *)(void *)((UINT8 *)World->Map.View.Data + at % CAPACITY) = IstRingHeader((UINT32)value, how >> 6 & 1);
        break;
    }
    case 8:
        producer.Status->Ticket = value;
        consumer.Status->Ticket = value;
        break;
    case 9:
        producer.Status->State = (UINT32)value % 5;
        break;
    case 10:
        consumer.Status->State = (UINT32)value % 5;
        break;
    default: /* any byte of the control pages and the data */
        value = ISTHMUS_RING_PAGE + value % (2 * ISTHMUS_RING_PAGE + CAPACITY);
        ((UINT8 *)World->Map.Base)[value] = (UINT8)Take(Input, 1);
    }
}

/* Data lies in the mapping and may be touched from end to end. */
static void Touch(WORLD *World, const void *Data, UINT32 Length, int Write)
{
    volatile UINT8 *first = (volatile UINT8 *)Data;
    UINT8 *base = World->Map.View.Data;

    CHECK((const UINT8 *)Data >= base + ISTHMUS_RING_HEADER_BYTES && Length <= CAPACITY - ISTHMUS_RING_HEADER_BYTES &&
          (const UINT8 *)Data + Length <= base + 2 * CAPACITY);
    CHECK((UINT_PTR)Data % 8 == 0);
    for (UINT32 i = 0; i < Length; i += 61)
    {
        UINT8 byte = first[i];
        if (Write)
        {
            first[i] = (UINT8)(byte + 1);
        }
    }
}

static void StepProducer(WORLD *World, INPUT *Input)
{
    ISTHMUS_RING_PRODUCER *producer = &World->Producer;
    const UINT64 next = producer->Next;
    const UINT64 published = producer->Published;
    UINT32 length = (UINT32)Take(Input, 2) % 5000;
    ISTHMUS_RING_RESULT result = IsthmusRingOk;
    void *data;

    switch (Take(Input, 1) % 6)
    {
    case 0:
        IsthmusRingPublish(producer);
        (void)IsthmusRingWakeConsumer(producer);
        break;
    case 1:
        result = IsthmusRingProducerSleep(producer, length);
        if (result == IsthmusRingFull)
        {
            IsthmusRingProducerAwake(producer);
        }
        break;
    default:
        result = IsthmusRingReserve(producer, length, &data);
        if (result == IsthmusRingOk)
        {
            CHECK(!World->ProducerBroken);
            Touch(World, data, length, 1);
            CHECK(IsthmusRingCommit(producer, length) == IsthmusRingOk);
        }
    }
    CHECK(producer->Next >= next && producer->Published >= published && producer->Published <= producer->Next);
    CHECK(producer->Next - producer->Consumed <= CAPACITY || (World->Flags & ISTHMUS_RING_OVERWRITE) != 0);
    World->ProducerBroken |= result == IsthmusRingBroken;
    CHECK(World->ProducerBroken == (IsthmusRingError(&producer->End) != IsthmusRingErrorNone));
}

static void StepMany(WORLD *World, INPUT *Input)
{
    ISTHMUS_RING_MANY_PRODUCERS *many = &World->Many;
    UINT64 index = Take(Input, 1) % SLOTS;
    UINT64 choice = Take(Input, 1) % 4;
    UINT32 length = (UINT32)Take(Input, 2) % 5000;

    if (!World->Open[index])
    {
        ISTHMUS_RING_RESULT result = IsthmusRingManyReserve(many, length, &World->Slots[index]);

        World->ProducerBroken |= result == IsthmusRingBroken;
        if (result == IsthmusRingOk)
        {
            World->Open[index] = 1;
            Touch(World, World->Slots[index].Data, length, 1);
        }
    }
    else if (choice == 0)
    {
        IsthmusRingManyDiscard(many, &World->Slots[index]);
        World->Open[index] = 0;
    }
    else
    {
        ISTHMUS_RING_RESULT result = IsthmusRingManyCommit(many, &World->Slots[index], length);

        CHECK(result == (length <= World->Slots[index].Length ? IsthmusRingOk : IsthmusRingTooLarge));
        World->Open[index] = result != IsthmusRingOk;
    }
    IsthmusRingManyPublish(many);
    (void)IsthmusRingManyWakeConsumer(many);
    CHECK(many->Committed <= many->Reserved && many->Consumed <= many->Committed);
    CHECK(many->Reserved - many->Consumed <= CAPACITY);
    for (index = 0; index < SLOTS; index++)
    {
        /* A busy record is neither shown nor freed. */
        CHECK(!World->Open[index] || World->Slots[index].Position >= many->Committed);
    }
}

static void StepConsumer(WORLD *World, INPUT *Input)
{
    ISTHMUS_RING_CONSUMER *consumer = &World->Consumer;
    const UINT64 next = consumer->Next;
    UINT8 copy[256];
    ISTHMUS_RING_RECORD record;
    ISTHMUS_RING_RESULT result = IsthmusRingOk;
    UINT32 length;

    switch (Take(Input, 1) % 6)
    {
    case 0:
        (void)IsthmusRingRelease(consumer);
        (void)IsthmusRingWakeProducer(consumer);
        break;
    case 1:
        result = IsthmusRingConsumerSleep(consumer);
        if (result == IsthmusRingEmpty)
        {
            IsthmusRingConsumerAwake(consumer);
        }
        break;
    case 2:
        result = IsthmusRingRead(consumer, copy, sizeof(copy), &length);
        CHECK(result != IsthmusRingOk || length <= sizeof(copy));
        break;
    default:
        result = IsthmusRingPeek(consumer, &record);
        if (result == IsthmusRingOk)
        {
            Touch(World, record.Data, record.Length, 0);
        }
    }
    CHECK(consumer->Next >= next && consumer->Released <= consumer->Next && consumer->Next <= consumer->Published);
    CHECK(!World->ConsumerBroken || result == IsthmusRingBroken || result == IsthmusRingOk);
    World->ConsumerBroken |= result == IsthmusRingBroken;
    CHECK(World->ConsumerBroken == (IsthmusRingError(&consumer->End) != IsthmusRingErrorNone));
}

int LLVMFuzzerTestOneInput(const UINT8 *Data, size_t Size);

int LLVMFuzzerTestOneInput(const UINT8 *Data, size_t Size)
{
    static const UINT32 flags[] = {0, ISTHMUS_RING_OVERWRITE, ISTHMUS_RING_MANY};
    static WORLD *worlds[3];
    INPUT input = {Data, Size};
    size_t kind = Take(&input, 1) % 3;
    WORLD *world = worlds[kind];

    if (world == NULL)
    {
        int memory = RingMemoryCreate(CAPACITY, flags[kind]);

        world = worlds[kind] = aligned_alloc(128, (sizeof(WORLD) + 127) / 128 * 128);
        CHECK(memory >= 0 && world != NULL && RingMemoryMap(memory, RingRoleBoth, &world->Map) == 0);
        close(memory);
    }
    memset((UINT8 *)world->Map.Base + ISTHMUS_RING_PAGE, 0, 2 * ISTHMUS_RING_PAGE + CAPACITY);
    memset(&world->Flags, 0, sizeof(*world) - offsetof(WORLD, Flags));
    world->Flags = flags[kind];
    CHECK(IsthmusRingConsumerOpen(&world->Consumer, &world->Map.View) == IsthmusRingOk);
    CHECK((kind == 2 ? IsthmusRingManyOpen(&world->Many, &world->Map.View, world->Ready)
                     : IsthmusRingProducerOpen(&world->Producer, &world->Map.View)) == IsthmusRingOk);
    while (input.Left != 0)
    {
        switch (Take(&input, 1) % 4)
        {
        case 0:
            Rewrite(world, &input);
            break;
        case 1:
            StepConsumer(world, &input);
            break;
        default:
            if (kind == 2)
            {
                StepMany(world, &input);
            }
            else
            {
                StepProducer(world, &input);
            }
        }
    }
    return 0;
}
