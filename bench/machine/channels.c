/* SPDX-License-Identifier: MIT */
/*
 * costs.exe, channels: the program's end, through the ring's own functions. A record is copied in by its producer and
 * found in place by its consumer, who does not read it: what reading costs depends on the reader.
 */
#include "program.h"
#include <isthmus/isthmus_ring.h>

#define CAPACITY (1024u * 1024)
#define ROUND    32u /* records; the largest fill half of the ring */

static HANDLE DataEvent, SpaceEvent;
static ISTHMUS_RING_PRODUCER Producer;
static ISTHMUS_RING_CONSUMER Consumer;

static void Open(UINT32 Direction)
{
    ISTHMUS_CHANNEL_CREATE query = {{ISTHMUS_REVISION, sizeof(query)}, CAPACITY, (uintptr_t)DataEvent,
                                    (uintptr_t)SpaceEvent, Direction, 0};
    ISTHMUS_CHANNEL_INFO info;
    ISTHMUS_RING_VIEW view;

    Ask("channel", COSTS_CHANNEL_OPEN, &query, sizeof(query), &info, sizeof(info));
    void *base = (void *)(uintptr_t)info.Address;
    view = IsthmusRingViewAt(base, (const ISTHMUS_RING_DESCRIPTION *)base);
    if ((Direction == ISTHMUS_CHANNEL_TO_DRIVER ? IsthmusRingProducerOpen(&Producer, &view)
                                                : IsthmusRingConsumerOpen(&Consumer, &view)) != IsthmusRingOk)
    {
        Fail("ring");
    }
}

static void Close(void)
{
    Ask("close", COSTS_CHANNEL_CLOSE, NULL, 0, NULL, 0);
}

/* ---- Records ------------------------------------------------------------------------------------------------- */

static uint64_t DriverRound(DWORD Code, UINT32 Length, UINT32 Batch)
{
    COSTS_RECORDS records = {Length, ROUND, Batch, 0};
    uint64_t count;
    Ask("records", Code, &records, sizeof(records), &count, sizeof(count));
    return count / ROUND;
}

static uint64_t ProduceRound(UINT32 Length, UINT32 Batch)
{
    static const char payload[COSTS_RECORD_MAX];
    uint64_t start = __rdtsc();

    for (unsigned i = 1; i <= ROUND; i++)
    {
        void *place = NULL;
        if (IsthmusRingReserve(&Producer, Length, &place) != IsthmusRingOk)
        {
            Fail("reserve");
        }
        memcpy(place, payload, Length);
        IsthmusRingCommit(&Producer, Length);
        if (i % Batch == 0)
        {
            IsthmusRingPublish(&Producer);
            if (IsthmusRingWakeConsumer(&Producer))
            {
                SetEvent(DataEvent);
            }
        }
    }
    return (__rdtsc() - start) / ROUND;
}

static uint64_t ConsumeRound(UINT32 Batch)
{
    uint64_t start = __rdtsc();

    for (unsigned i = 1; i <= ROUND; i++)
    {
        ISTHMUS_RING_RECORD record;
        if (IsthmusRingPeek(&Consumer, &record) != IsthmusRingOk)
        {
            Fail("peek");
        }
        if (i % Batch == 0)
        {
            IsthmusRingRelease(&Consumer);
            if (IsthmusRingWakeProducer(&Consumer))
            {
                SetEvent(SpaceEvent);
            }
        }
    }
    return (__rdtsc() - start) / ROUND;
}

/* One size, one batch, both directions; the first round of each is a warm-up. */
static void MeasureRecords(UINT32 Length, UINT32 Batch)
{
    uint64_t written[COSTS_SAMPLES_MAX + 1], found[COSTS_SAMPLES_MAX + 1];
    BOOL single = Batch == 1;

    Open(ISTHMUS_CHANNEL_TO_PROGRAM);
    for (unsigned i = 0; i <= Samples; i++)
    {
        written[i] = DriverRound(COSTS_CHANNEL_PRODUCE, Length, Batch);
        found[i] = ConsumeRound(Batch);
    }
    Close();
    Row(single ? "to program: driver writes, single" : "to program: driver writes, batch of 32", Length,
        Median(written + 1, Samples));
    Row(single ? "to program: program finds, single" : "to program: program finds, batch of 32", Length,
        Median(found + 1, Samples));

    Open(ISTHMUS_CHANNEL_TO_DRIVER);
    for (unsigned i = 0; i <= Samples; i++)
    {
        written[i] = ProduceRound(Length, Batch);
        found[i] = DriverRound(COSTS_CHANNEL_CONSUME, Length, Batch);
    }
    Close();
    Row(single ? "to driver: program writes, single" : "to driver: program writes, batch of 32", Length,
        Median(written + 1, Samples));
    Row(single ? "to driver: driver finds, single" : "to driver: driver finds, batch of 32", Length,
        Median(found + 1, Samples));
}

/* ---- Wake-ups ------------------------------------------------------------------------------------------------ */

/*
 * From the moment before a record is written to the moment when the other side, which slept, has it in hand. The
 * sleeper is of higher priority, so that on one processor it runs as soon as it is woken. Sleep(2) lets it fall asleep first.
 */
static uint64_t Ages[COSTS_SAMPLES_MAX + 1];

static DWORD WINAPI SleepForRecords(void *Unused)
{
    (void)Unused;
    for (unsigned i = 0; i <= Samples; i++)
    {
        ISTHMUS_RING_RECORD record;
        ISTHMUS_RING_RESULT result;
        while ((result = IsthmusRingPeek(&Consumer, &record)) == IsthmusRingEmpty)
        {
            if (IsthmusRingConsumerSleep(&Consumer) == IsthmusRingEmpty)
            {
                WaitForSingleObject(DataEvent, INFINITE);
                IsthmusRingConsumerAwake(&Consumer);
            }
        }
        if (result != IsthmusRingOk)
        {
            return 1;
        }
        Ages[i] = __rdtsc() - *(const uint64_t *)record.Data;
        IsthmusRingRelease(&Consumer);
    }
    return 0;
}

static DWORD WINAPI SleepInDriver(void *Unused)
{
    (void)Unused;
    for (unsigned i = 0; i <= Samples; i++)
    {
        Ask("await", COSTS_CHANNEL_AWAIT, NULL, 0, &Ages[i], sizeof(Ages[i]));
    }
    return 0;
}

static void SendStamp(void)
{
    void *place = NULL;
    if (IsthmusRingReserve(&Producer, sizeof(uint64_t), &place) != IsthmusRingOk)
    {
        Fail("reserve");
    }
    *(uint64_t *)place = __rdtsc();
    IsthmusRingCommit(&Producer, sizeof(uint64_t));
    IsthmusRingPublish(&Producer);
    if (IsthmusRingWakeConsumer(&Producer))
    {
        SetEvent(DataEvent);
    }
}

static void MeasureWakeUp(UINT32 Direction)
{
    BOOL toDriver = Direction == ISTHMUS_CHANNEL_TO_DRIVER;
    DWORD code;
    HANDLE sleeper;

    Open(Direction);
    sleeper = CreateThread(NULL, 0, toDriver ? SleepInDriver : SleepForRecords, NULL, CREATE_SUSPENDED, NULL);
    if (sleeper == NULL || !SetThreadPriority(sleeper, THREAD_PRIORITY_TIME_CRITICAL))
    {
        Fail("thread");
    }
    ResumeThread(sleeper);
    for (unsigned i = 0; i <= Samples; i++)
    {
        Sleep(2);
        if (toDriver)
        {
            SendStamp();
        }
        else
        {
            Ask("stamp", COSTS_CHANNEL_STAMP, NULL, 0, NULL, 0);
        }
    }
    if (WaitForSingleObject(sleeper, 20000) != WAIT_OBJECT_0 || !GetExitCodeThread(sleeper, &code) || code != 0)
    {
        Fail("sleeper");
    }
    CloseHandle(sleeper);
    Close();
    Row(toDriver ? "wake-up of the driver's thread" : "wake-up of the program's thread", 0, Median(Ages + 1, Samples));
}

void MeasureChannels(void)
{
    static const UINT32 sizes[] = {8, 64, 256, 1500, 16384};

    DataEvent = CreateEventW(NULL, FALSE, FALSE, NULL);
    SpaceEvent = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (DataEvent == NULL || SpaceEvent == NULL)
    {
        Fail("events");
    }
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
    {
        MeasureRecords(sizes[i], 1);
        MeasureRecords(sizes[i], ROUND);
    }
    MeasureWakeUp(ISTHMUS_CHANNEL_TO_PROGRAM);
    MeasureWakeUp(ISTHMUS_CHANNEL_TO_DRIVER);
    CloseHandle(DataEvent);
    CloseHandle(SpaceEvent);
}
