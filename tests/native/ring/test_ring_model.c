/* SPDX-License-Identifier: MIT */
/* Random operations on the ring beside a plain queue that says what must come out. */
#include "ringfixture.h"

#define STEPS     200000
#define QUEUE_MAX 8192

/* The model: records in the order in which they were reserved. */
typedef struct MODEL_RECORD
{
    UINT64 Sequence;
    UINT32 Reserved;  /* bytes asked for */
    UINT32 Length;    /* bytes committed */
    enum
    {
        ModelBusy,
        ModelReady,
        ModelDiscarded
    } State;
    ISTHMUS_RING_SLOT Slot;
} MODEL_RECORD;

typedef struct MODEL
{
    MODEL_RECORD Queue[QUEUE_MAX];
    UINT64 Head;      /* records peeked */
    UINT64 Released;  /* records released */
    UINT64 Tail;      /* records reserved */
    UINT64 Shown;     /* records published */
    UINT64 Used;      /* bytes of ring from the first not released to the last reserved */
    UINT64 Reserved;  /* bytes of ring ever reserved (many) */
} MODEL;

static MODEL_RECORD *At(MODEL *Model, UINT64 Index)
{
    return &Model->Queue[Index % QUEUE_MAX];
}

/* A record's bytes follow from its number. */
static UINT8 Byte(UINT64 Sequence, UINT32 Index)
{
    return (UINT8)(Sequence * 131 + Index * 7 + (Sequence >> 8));
}

static void WriteBytes(void *Data, UINT64 Sequence, UINT32 Length)
{
    for (UINT32 i = 0; i < Length; i++)
    {
        ((UINT8 *)Data)[i] = Byte(Sequence, i);
    }
}

static void CheckBytes(const ISTHMUS_RING_RECORD *Record, UINT64 Sequence, UINT32 Length)
{
    assert_int_equal(Record->Length, Length);
    for (UINT32 i = 0; i < Length; i++)
    {
        assert_int_equal(((const UINT8 *)Record->Data)[i], Byte(Sequence, i));
    }
}

static UINT32 RandomLength(UINT64 *Random, UINT64 Capacity)
{
    UINT64 value = NextRandom(Random);

    switch (value % 16)
    {
    case 0:
        return (UINT32)((value >> 8) % (Capacity + 16));
    case 1:
        return (UINT32)(Capacity - 8 - (value >> 8) % 3);
    default:
        return (UINT32)((value >> 8) % 96);
    }
}

static UINT64 BytesOf(const MODEL_RECORD *Record, UINT32 Flags)
{
    /* One producer gives back what it did not use; of several, the rest is skipped by the consumer. */
    return IstRingSpan((Flags & ISTHMUS_RING_MANY) != 0 ? Record->Reserved : Record->Length);
}

static void PeekOne(RING_FIXTURE *Ring, MODEL *Model)
{
    ISTHMUS_RING_RECORD record;
    ISTHMUS_RING_RESULT result = IsthmusRingPeek(&Ring->Consumer, &record);

    while (Model->Head < Model->Shown && At(Model, Model->Head)->State == ModelDiscarded)
    {
        Model->Head++;
    }
    if (Model->Head == Model->Shown)
    {
        assert_int_equal(result, IsthmusRingEmpty);
        return;
    }
    assert_int_equal(result, IsthmusRingOk);
    CheckBytes(&record, At(Model, Model->Head)->Sequence, At(Model, Model->Head)->Length);
    Model->Head++;
}

static void ReleaseAll(RING_FIXTURE *Ring, MODEL *Model)
{
    assert_int_equal(IsthmusRingRelease(&Ring->Consumer), IsthmusRingOk);
    while (Model->Released < Model->Head)
    {
        Model->Used -= BytesOf(At(Model, Model->Released), Ring->Produce.Description.Flags);
        Model->Released++;
    }
}

static void StepSingle(RING_FIXTURE *Ring, MODEL *Model, UINT64 *Random)
{
    const UINT64 capacity = Ring->Produce.Description.DataBytes;
    UINT32 length = RandomLength(Random, capacity);
    UINT64 choice = NextRandom(Random) % 8;
    void *data;

    if (choice < 5 && Model->Tail - Model->Released < QUEUE_MAX)
    {
        ISTHMUS_RING_RESULT result = IsthmusRingReserve(&Ring->Producer, length, &data);
        MODEL_RECORD *record = At(Model, Model->Tail);

        assert_int_equal(result, IstRingSpan(length) > capacity                 ? IsthmusRingTooLarge
                                 : IstRingSpan(length) > capacity - Model->Used ? IsthmusRingFull
                                                                                : IsthmusRingOk);
        if (result != IsthmusRingOk)
        {
            return;
        }
        if (choice == 0)
        {
            IsthmusRingDiscard(&Ring->Producer);
            return;
        }
        record->Sequence = Model->Tail;
        record->Length = choice == 1 ? (UINT32)(NextRandom(Random) % (length + 1ull)) : length;
        record->State = ModelReady;
        WriteBytes(data, record->Sequence, record->Length);
        assert_int_equal(IsthmusRingCommit(&Ring->Producer, record->Length), IsthmusRingOk);
        Model->Used += IstRingSpan(record->Length);
        Model->Tail++;
    }
    else if (choice < 7)
    {
        IsthmusRingPublish(&Ring->Producer);
        Model->Shown = Model->Tail;
    }
}

static void TestSingle(void **State)
{
    static const UINT64 starts[] = {0, 4096 - 8, 1ull << 40, (1ull << 63) - 64};
    static MODEL model;

    (void)State;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
    {
        RING_FIXTURE *ring = RingFixtureCreate(4096ull << (i & 1) * 4, 0, starts[i]);
        UINT64 random = 88172645463325252ull + i;

        memset(&model, 0, sizeof(model));
        for (int step = 0; step < STEPS; step++)
        {
            switch (NextRandom(&random) % 4)
            {
            case 0:
                PeekOne(ring, &model);
                break;
            case 1:
                PeekOne(ring, &model);
                if (NextRandom(&random) % 3 == 0)
                {
                    ReleaseAll(ring, &model);
                }
                break;
            default:
                StepSingle(ring, &model, &random);
            }
        }
        print_message("  one producer from %#llx: %llu records, %llu bytes of ring\n", (unsigned long long)starts[i],
                      (unsigned long long)model.Head, (unsigned long long)(ring->Consumer.Next - starts[i]));
        assert_true(ring->Consumer.Next - starts[i] > 20 * ring->Produce.Description.DataBytes); /* laps enough */
        assert_int_equal(ring->Consumer.Records, model.Head);
        RingFixtureDelete(ring);
    }
}

/* ---- Many producers, in one thread: slots open at the same time, ended in any order --------------------------- */

/* Shown moves over what is ready, up to the first busy record. */
static void ModelPublish(MODEL *Model)
{
    while (Model->Shown < Model->Tail && At(Model, Model->Shown)->State != ModelBusy)
    {
        Model->Shown++;
    }
}

static void StepMany(RING_FIXTURE *Ring, MODEL *Model, UINT64 *Random)
{
    const UINT64 capacity = Ring->Produce.Description.DataBytes;
    UINT64 choice = NextRandom(Random) % 8;

    if (choice < 3 && Model->Tail - Model->Released < QUEUE_MAX)
    {
        UINT32 length = RandomLength(Random, capacity);
        UINT64 used = Model->Reserved - Ring->Consumer.Released; /* skipped records are released without being asked */
        MODEL_RECORD *record = At(Model, Model->Tail);
        ISTHMUS_RING_RESULT result = IsthmusRingManyReserve(&Ring->Many, length, &record->Slot);

        assert_int_equal(result, IstRingSpan(length) > capacity                 ? IsthmusRingTooLarge
                                 : IstRingSpan(length) > capacity - used ? IsthmusRingFull
                                                                                : IsthmusRingOk);
        assert_true(Ring->Consumer.Released >= Model->Reserved - Model->Used);
        if (result == IsthmusRingOk)
        {
            record->Sequence = Model->Tail++;
            record->Reserved = length;
            record->State = ModelBusy;
            Model->Used += IstRingSpan(length);
            Model->Reserved += IstRingSpan(length);
        }
    }
    else if (choice < 7 && Model->Shown < Model->Tail)
    {
        /* A record somewhere in the busy ones, the first one included. */
        UINT64 index = Model->Shown + NextRandom(Random) % (Model->Tail - Model->Shown) % 8;
        MODEL_RECORD *record = At(Model, index);

        if (record->State != ModelBusy)
        {
            return;
        }
        if (choice == 3)
        {
            IsthmusRingManyDiscard(&Ring->Many, &record->Slot);
            record->State = ModelDiscarded;
            return;
        }
        record->Length = choice == 4 ? (UINT32)(NextRandom(Random) % (record->Reserved + 1ull)) : record->Reserved;
        WriteBytes(record->Slot.Data, record->Sequence, record->Length);
        assert_int_equal(IsthmusRingManyCommit(&Ring->Many, &record->Slot, record->Reserved + 1), IsthmusRingTooLarge);
        assert_int_equal(IsthmusRingManyCommit(&Ring->Many, &record->Slot, record->Length), IsthmusRingOk);
        record->State = ModelReady;
    }
    else
    {
        IsthmusRingManyPublish(&Ring->Many);
        ModelPublish(Model);
    }
}

static void TestMany(void **State)
{
    static MODEL model;

    (void)State;
    for (int i = 0; i < 4; i++)
    {
        RING_FIXTURE *ring = RingFixtureCreate(4096ull << (i & 1) * 4, ISTHMUS_RING_MANY, 0);
        UINT64 random = 2463534242u + (UINT64)i;

        memset(&model, 0, sizeof(model));
        for (int step = 0; step < STEPS; step++)
        {
            UINT64 choice = NextRandom(&random) % 8;

            if (choice >= 3)
            {
                StepMany(ring, &model, &random);
                continue;
            }
            PeekOne(ring, &model);
            if (choice == 0)
            {
                /* Whole records only: what is skipped goes with the next release, or by itself. */
                while (model.Head < model.Shown)
                {
                    PeekOne(ring, &model);
                }
                PeekOne(ring, &model);
                ReleaseAll(ring, &model);
            }
        }
        print_message("  many: %llu records, %llu bytes of ring, %llu left, %llu discarded\n",
                      (unsigned long long)ring->Consumer.Records, (unsigned long long)ring->Consumer.Next,
                      (unsigned long long)(model.Tail - model.Head),
                      (unsigned long long)ring->Many.End.Own.Counters->Discards);
        assert_true(ring->Consumer.Next > 20 * ring->Produce.Description.DataBytes);
        RingFixtureDelete(ring);
    }
}

/* ---- Overwriting ----------------------------------------------------------------------------------------------- */

/* The numbers that come out rise; what is missing was counted as lost; bytes are those of the number. */
static void TestOverwrite(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(4096, ISTHMUS_RING_OVERWRITE, 0);
    UINT64 random = 1234567, sequence = 0, next = 0, seen = 0, lost = 0;

    (void)State;
    for (int step = 0; step < STEPS; step++)
    {
        UINT64 choice = NextRandom(&random) % 4;

        if (choice < 2)
        {
            UINT32 length = 8 + (UINT32)(NextRandom(&random) % 120);
            void *data;
            ISTHMUS_RING_RESULT result = IsthmusRingReserve(&ring->Producer, length, &data);

            if (result == IsthmusRingFull)
            {
                /* Only an unpublished batch can fill it. */
                assert_true(ring->Producer.Next - ring->Producer.Published + IstRingSpan(length) > 4096);
                IsthmusRingPublish(&ring->Producer);
                continue;
            }
            assert_int_equal(result, IsthmusRingOk);
            memcpy(data, &sequence, 8);
            WriteBytes((UINT8 *)data + 8, sequence, length - 8);
            assert_int_equal(IsthmusRingCommit(&ring->Producer, length), IsthmusRingOk);
            sequence++;
            if (NextRandom(&random) % 3 == 0)
            {
                IsthmusRingPublish(&ring->Producer);
            }
        }
        else if (choice == 2 || step % 64 < 8) /* slower than the producer */
        {
            ISTHMUS_RING_RECORD record;
            ISTHMUS_RING_RESULT result = IsthmusRingPeek(&ring->Consumer, &record);
            UINT64 number;

            if (result == IsthmusRingEmpty)
            {
                continue;
            }
            assert_int_equal(result, IsthmusRingOk);
            memcpy(&number, record.Data, 8);
            assert_true(number >= next);
            record.Data = (const UINT8 *)record.Data + 8;
            record.Length -= 8;
            CheckBytes(&record, number, record.Length);
            lost += number - next;
            next = number + 1;
            seen++;
            assert_int_equal(IsthmusRingRelease(&ring->Consumer), IsthmusRingOk);
        }
    }
    print_message("  overwrite: %llu written, %llu seen, %llu lost\n", (unsigned long long)sequence,
                  (unsigned long long)seen, (unsigned long long)lost);
    /* What was overwritten since the consumer last looked is in the producer's count already. */
    assert_true(lost > 0 && seen > 0);
    assert_true(ring->Producer.End.Own.Counters->LostRecords >= lost);
    for (;;)
    {
        ISTHMUS_RING_RECORD record;
        UINT64 number;

        if (IsthmusRingPeek(&ring->Consumer, &record) != IsthmusRingOk)
        {
            break;
        }
        memcpy(&number, record.Data, 8);
        lost += number - next;
        next = number + 1;
        seen++;
        assert_int_equal(IsthmusRingRelease(&ring->Consumer), IsthmusRingOk);
    }
    assert_int_equal(ring->Producer.End.Own.Counters->LostRecords, lost);
    assert_int_equal(ring->Consumer.End.Own.Counters->LostBytes, ring->Producer.End.Own.Counters->LostBytes);
    RingFixtureDelete(ring);
}

/* Peeked, overwritten, released: the consumer is told. */
static void TestOverwrittenInHand(void **State)
{
    RING_FIXTURE *ring = RingFixtureCreate(4096, ISTHMUS_RING_OVERWRITE, 0);
    ISTHMUS_RING_RECORD record;
    char buffer[64];
    UINT32 length;
    int wake;

    (void)State;
    assert_int_equal(IsthmusRingWrite(&ring->Producer, "first", 5, &wake), IsthmusRingOk);
    assert_int_equal(IsthmusRingPeek(&ring->Consumer, &record), IsthmusRingOk);
    for (int i = 0; i < 1000; i++)
    {
        assert_int_equal(IsthmusRingWrite(&ring->Producer, "others", 6, &wake), IsthmusRingOk);
    }
    assert_int_equal(IsthmusRingRelease(&ring->Consumer), IsthmusRingLost);
    assert_int_equal(IsthmusRingRead(&ring->Consumer, buffer, sizeof(buffer), &length), IsthmusRingOk);
    assert_int_equal(length, 6);
    assert_int_equal(ring->Consumer.End.Own.Counters->Drops, 1);
    assert_int_equal(ring->Producer.End.Own.Counters->LostRecords, 1001 - 4096 / 16);
    RingFixtureDelete(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestSingle),
        cmocka_unit_test(TestMany),
        cmocka_unit_test(TestOverwrite),
        cmocka_unit_test(TestOverwrittenInHand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
