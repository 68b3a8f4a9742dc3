/* SPDX-License-Identifier: MIT */
/*
 * Channels, the program's side: isthmus_ring.h on the view that the driver made, with events for the sleeps.
 *
 * The driver is trusted no more than the ring does; what it costs is nothing. The structure is this process's own, on
 * its heap. A producer learns from Reserve how much room the program wants, for the wait that follows.
 */
#include "client.h"
#include <isthmus/isthmus_ring.h>

#define SPIN_ROUNDS 4000 /* at most, before sleeping; about what a sleep and a wake-up cost */

struct HISTHMUSCHANNEL__
{
    union
    {
        ISTHMUS_RING_PRODUCER Producer;
        ISTHMUS_RING_CONSUMER Consumer;
    } Ring;
    HISTHMUS Isthmus;
    UINT64 Id;
    HANDLE OwnEvent;  /* this side waits on it */
    HANDLE PeerEvent; /* the driver waits on it */
    UINT32 Room;      /* a producer: data bytes to wait for */
    BOOL Produces;
    ISTHMUS_RING_SPIN Spin;
};

/* ERROR_SUCCESS for IsthmusRingOk, else what isthmus.h says. */
static DWORD RingError(HISTHMUSCHANNEL Channel, ISTHMUS_RING_RESULT Result)
{
    switch (Result)
    {
    case IsthmusRingOk:
        return ERROR_SUCCESS;
    case IsthmusRingEmpty:
        return ERROR_NO_MORE_ITEMS;
    case IsthmusRingFull:
        return ERROR_PIPE_BUSY;
    case IsthmusRingTooLarge:
        return ERROR_BAD_LENGTH;
    case IsthmusRingLost:
        return ERROR_RETRY;
    case IsthmusRingEnd:
        return Channel->Produces ? ERROR_BROKEN_PIPE : ERROR_HANDLE_EOF;
    case IsthmusRingBroken:
        return ERROR_INVALID_DATA;
    default:
        return ERROR_INVALID_PARAMETER;
    }
}

/* TRUE for IsthmusRingOk; else FALSE with the last error set. */
static BOOL Answer(HISTHMUSCHANNEL Channel, ISTHMUS_RING_RESULT Result)
{
    DWORD error = RingError(Channel, Result);
    if (error != ERROR_SUCCESS)
    {
        SetLastError(error);
    }
    return error == ERROR_SUCCESS;
}

static BOOL IsSide(HISTHMUSCHANNEL Channel, BOOL Produces)
{
    if (Channel == NULL)
    {
        SetLastError(ERROR_INVALID_HANDLE);
        return FALSE;
    }
    if (Channel->Produces != Produces)
    {
        SetLastError(ERROR_INVALID_FUNCTION);
        return FALSE;
    }
    return TRUE;
}

static DWORD Processors(void)
{
    SYSTEM_INFO system;
    GetSystemInfo(&system);
    return system.dwNumberOfProcessors;
}

/* The view, from the description that the driver wrote: this process can only read it. */
static BOOL OpenRing(HISTHMUSCHANNEL Channel, const ISTHMUS_CHANNEL_INFO *Info, UINT64 Capacity)
{
    void *base = (void *)(ULONG_PTR)Info->Address;
    ISTHMUS_RING_VIEW view = IsthmusRingViewAt(base, (const ISTHMUS_RING_DESCRIPTION *)base);
    ISTHMUS_RING_RESULT result = Channel->Produces ? IsthmusRingProducerOpen(&Channel->Ring.Producer, &view)
                                                   : IsthmusRingConsumerOpen(&Channel->Ring.Consumer, &view);
    if (result != IsthmusRingOk)
    {
        SetLastError(ERROR_REVISION_MISMATCH);
        return FALSE;
    }
    Channel->Room = (UINT32)(Capacity / 2 - ISTHMUS_RING_HEADER_BYTES);
    IsthmusRingSpinStart(&Channel->Spin, Processors() > 1 ? SPIN_ROUNDS : 0);
    return TRUE;
}

static void FreeChannel(HISTHMUSCHANNEL Channel)
{
    DWORD error = GetLastError();
    if (Channel->OwnEvent != NULL)
    {
        CloseHandle(Channel->OwnEvent);
    }
    if (Channel->PeerEvent != NULL)
    {
        CloseHandle(Channel->PeerEvent);
    }
    HeapFree(GetProcessHeap(), 0, Channel);
    SetLastError(error);
}

HISTHMUSCHANNEL WINAPI IsthmusChannelOpen(HISTHMUS Isthmus, DWORD Direction, UINT64 Capacity, DWORD Flags)
{
    ISTHMUS_CHANNEL_CREATE query = {0};
    ISTHMUS_CHANNEL_INFO info;
    HISTHMUSCHANNEL channel = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*channel));
    if (channel == NULL)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return NULL;
    }
    channel->Isthmus = Isthmus;
    channel->Produces = Direction == ISTHMUS_CHANNEL_TO_DRIVER;
    channel->OwnEvent = CreateEventW(NULL, FALSE, FALSE, NULL);
    channel->PeerEvent = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (channel->OwnEvent == NULL || channel->PeerEvent == NULL)
    {
        FreeChannel(channel);
        return NULL;
    }
    ClientSetHeader(&query.Header, sizeof(query));
    query.Capacity = Capacity;
    query.DataEvent = (UINT64)(ULONG_PTR)(channel->Produces ? channel->PeerEvent : channel->OwnEvent);
    query.SpaceEvent = (UINT64)(ULONG_PTR)(channel->Produces ? channel->OwnEvent : channel->PeerEvent);
    query.Direction = Direction;
    query.Flags = Flags;
    if (!ClientCall(Isthmus, IOCTL_ISTHMUS_CHANNEL, &query, sizeof(query), &info, sizeof(info), sizeof(info)))
    {
        FreeChannel(channel);
        return NULL;
    }
    channel->Id = info.Channel;
    if (!OpenRing(channel, &info, Capacity))
    {
        DWORD error = GetLastError();
        IsthmusRelease(Isthmus, channel->Id);
        SetLastError(error);
        FreeChannel(channel);
        return NULL;
    }
    return channel;
}

/* Tells the driver that this side is finished. */
static void CloseEnd(HISTHMUSCHANNEL Channel)
{
    if (Channel->Produces ? IsthmusRingProducerClose(&Channel->Ring.Producer)
                          : IsthmusRingConsumerClose(&Channel->Ring.Consumer))
    {
        SetEvent(Channel->PeerEvent);
    }
}

BOOL WINAPI IsthmusChannelClose(HISTHMUSCHANNEL Channel)
{
    if (Channel == NULL)
    {
        SetLastError(ERROR_INVALID_HANDLE);
        return FALSE;
    }
    BOOL done = IsthmusRelease(Channel->Isthmus, Channel->Id);
    FreeChannel(Channel);
    return done;
}

UINT64 WINAPI IsthmusChannelId(HISTHMUSCHANNEL Channel)
{
    return Channel != NULL ? Channel->Id : 0;
}

/* ---- Producing ------------------------------------------------------------------------------------------------- */

void *WINAPI IsthmusChannelReserve(HISTHMUSCHANNEL Channel, DWORD Length)
{
    void *data;
    if (!IsSide(Channel, TRUE))
    {
        return NULL;
    }
    ISTHMUS_RING_RESULT result = IsthmusRingReserve(&Channel->Ring.Producer, Length, &data);
    if (result == IsthmusRingFull && Length > Channel->Room)
    {
        Channel->Room = Length;
    }
    return Answer(Channel, result) ? data : NULL;
}

BOOL WINAPI IsthmusChannelCommit(HISTHMUSCHANNEL Channel, DWORD Length)
{
    return IsSide(Channel, TRUE) && Answer(Channel, IsthmusRingCommit(&Channel->Ring.Producer, Length));
}

BOOL WINAPI IsthmusChannelDiscard(HISTHMUSCHANNEL Channel)
{
    if (!IsSide(Channel, TRUE))
    {
        return FALSE;
    }
    IsthmusRingDiscard(&Channel->Ring.Producer);
    return TRUE;
}

BOOL WINAPI IsthmusChannelSend(HISTHMUSCHANNEL Channel, const void *Data, DWORD Length)
{
    void *place = IsthmusChannelReserve(Channel, Length);
    if (place == NULL)
    {
        return FALSE;
    }
    CopyMemory(place, Data, Length);
    return IsthmusChannelCommit(Channel, Length) && IsthmusChannelFlush(Channel);
}

/* ---- Consuming ------------------------------------------------------------------------------------------------- */

BOOL WINAPI IsthmusChannelPeek(HISTHMUSCHANNEL Channel, const void **Data, DWORD *Length)
{
    ISTHMUS_RING_RECORD record;
    if (!IsSide(Channel, FALSE) || !Answer(Channel, IsthmusRingPeek(&Channel->Ring.Consumer, &record)))
    {
        return FALSE;
    }
    *Data = record.Data;
    *Length = record.Length;
    return TRUE;
}

BOOL WINAPI IsthmusChannelReceive(HISTHMUSCHANNEL Channel, void *Buffer, DWORD Size, DWORD *Received)
{
    UINT32 length;
    if (!IsSide(Channel, FALSE))
    {
        return FALSE;
    }
    ISTHMUS_RING_RESULT result = IsthmusRingRead(&Channel->Ring.Consumer, Buffer, Size, &length);
    *Received = length;
    if (result == IsthmusRingTooLarge)
    {
        SetLastError(ERROR_INSUFFICIENT_BUFFER);
        return FALSE;
    }
    if (result == IsthmusRingOk && IsthmusRingWakeProducer(&Channel->Ring.Consumer))
    {
        SetEvent(Channel->PeerEvent);
    }
    return Answer(Channel, result);
}

/* ---- Both ------------------------------------------------------------------------------------------------------ */

BOOL WINAPI IsthmusChannelFlush(HISTHMUSCHANNEL Channel)
{
    ISTHMUS_RING_RESULT result = IsthmusRingOk;
    int wake;
    if (Channel == NULL)
    {
        SetLastError(ERROR_INVALID_HANDLE);
        return FALSE;
    }
    if (Channel->Produces)
    {
        IsthmusRingPublish(&Channel->Ring.Producer);
        wake = IsthmusRingWakeConsumer(&Channel->Ring.Producer);
    }
    else
    {
        result = IsthmusRingRelease(&Channel->Ring.Consumer);
        wake = IsthmusRingWakeProducer(&Channel->Ring.Consumer);
    }
    if (wake)
    {
        SetEvent(Channel->PeerEvent);
    }
    return Answer(Channel, result);
}

/* Says that this side sleeps: IsthmusRingEmpty or IsthmusRingFull, it does; everything else, it needn't. */
static ISTHMUS_RING_RESULT FallAsleep(HISTHMUSCHANNEL Channel, UINT32 Room)
{
    return Channel->Produces ? IsthmusRingProducerSleep(&Channel->Ring.Producer, Room)
                             : IsthmusRingConsumerSleep(&Channel->Ring.Consumer);
}

static void Awake(HISTHMUSCHANNEL Channel)
{
    if (Channel->Produces)
    {
        IsthmusRingProducerAwake(&Channel->Ring.Producer);
    }
    else
    {
        IsthmusRingConsumerAwake(&Channel->Ring.Consumer);
    }
}

static BOOL Sleeps(ISTHMUS_RING_RESULT Result)
{
    return Result == IsthmusRingEmpty || Result == IsthmusRingFull;
}

BOOL WINAPI IsthmusChannelArm(HISTHMUSCHANNEL Channel)
{
    if (Channel == NULL)
    {
        SetLastError(ERROR_INVALID_HANDLE);
        return FALSE;
    }
    ISTHMUS_RING_RESULT result = FallAsleep(Channel, Channel->Room);
    if (!Sleeps(result))
    {
        SetLastError(RingError(Channel, result));
        return FALSE;
    }
    return TRUE;
}

BOOL WINAPI IsthmusChannelDisarm(HISTHMUSCHANNEL Channel)
{
    if (Channel == NULL)
    {
        SetLastError(ERROR_INVALID_HANDLE);
        return FALSE;
    }
    Awake(Channel);
    return TRUE;
}

/* Is there something to do already? Looks without saying that this side sleeps. */
static BOOL Ready(HISTHMUSCHANNEL Channel, UINT32 Room)
{
    if (Channel->Produces)
    {
        ISTHMUS_RING_PRODUCER *ring = &Channel->Ring.Producer;
        return ring->Next + IstRingSpan(Room) <= IstLoadAcquire64(ring->End.Peer.Position) + ring->Capacity;
    }
    return IstLoadAcquire64(Channel->Ring.Consumer.End.Peer.Position) != Channel->Ring.Consumer.Next;
}

/* Sleeps until the driver wakes this side, the time is over, or there is nothing to sleep for. */
static BOOL SleepOnce(HISTHMUSCHANNEL Channel, UINT32 Room, DWORD Milliseconds)
{
    ISTHMUS_RING_RESULT result = FallAsleep(Channel, Room);
    if (!Sleeps(result))
    {
        return Answer(Channel, result);
    }
    DWORD wait = WaitForSingleObject(Channel->OwnEvent, Milliseconds);
    DWORD error = wait == WAIT_TIMEOUT ? ERROR_TIMEOUT : wait == WAIT_OBJECT_0 ? ERROR_SUCCESS : GetLastError();
    Awake(Channel);
    SetLastError(error);
    return error == ERROR_SUCCESS;
}

static BOOL WaitForRoom(HISTHMUSCHANNEL Channel, UINT32 Room, DWORD Milliseconds)
{
    while (!Ready(Channel, Room))
    {
        if (Milliseconds == 0 || !IsthmusRingSpin(&Channel->Spin))
        {
            BOOL done = SleepOnce(Channel, Room, Milliseconds);
            IsthmusRingSpinEnd(&Channel->Spin, TRUE);
            return done;
        }
    }
    IsthmusRingSpinEnd(&Channel->Spin, FALSE);
    return TRUE;
}

BOOL WINAPI IsthmusChannelWait(HISTHMUSCHANNEL Channel, DWORD Milliseconds)
{
    if (Channel == NULL)
    {
        SetLastError(ERROR_INVALID_HANDLE);
        return FALSE;
    }
    return WaitForRoom(Channel, Channel->Room, Milliseconds);
}

HANDLE WINAPI IsthmusChannelEvent(HISTHMUSCHANNEL Channel)
{
    return Channel != NULL ? Channel->OwnEvent : NULL;
}

BOOL WINAPI IsthmusChannelFinish(HISTHMUSCHANNEL Channel, DWORD Milliseconds)
{
    if (Channel == NULL)
    {
        SetLastError(ERROR_INVALID_HANDLE);
        return FALSE;
    }
    CloseEnd(Channel);
    if (!Channel->Produces)
    {
        return TRUE;
    }
    /* All room is free when the last record is taken. Wake-ups are hints: look again until it is so. */
    UINT32 all = (UINT32)Channel->Ring.Producer.Capacity - ISTHMUS_RING_HEADER_BYTES;
    ULONGLONG start = GetTickCount64();
    while (!Ready(Channel, all))
    {
        ULONGLONG passed = GetTickCount64() - start;
        DWORD left = Milliseconds == INFINITE ? INFINITE
                     : passed < Milliseconds  ? Milliseconds - (DWORD)passed
                                              : 0;
        if (!WaitForRoom(Channel, all, left))
        {
            return Ready(Channel, all);
        }
    }
    return TRUE;
}

BOOL WINAPI IsthmusChannelQuery(HISTHMUSCHANNEL Channel, ISTHMUS_CHANNEL_STATE *State)
{
    ISTHMUS_ID query = {0};
    if (Channel == NULL || State == NULL)
    {
        return ClientBadParameter();
    }
    ClientSetHeader(&query.Header, sizeof(query));
    query.Id = Channel->Id;
    return ClientCall(Channel->Isthmus, IOCTL_ISTHMUS_CHANNEL_STATE, &query, sizeof(query), State, sizeof(*State),
                      sizeof(*State));
}

BOOL WINAPI IsthmusChannelSource(HISTHMUSCHANNEL Channel, UINT64 Records, DWORD Producers, DWORD LengthMin,
                                 DWORD LengthMax, BOOL Drop)
{
    ISTHMUS_CHANNEL_SOURCE query = {0};
    if (Channel == NULL)
    {
        return ClientBadParameter();
    }
    ClientSetHeader(&query.Header, sizeof(query));
    query.Channel = Channel->Id;
    query.Records = Records;
    query.Producers = Producers;
    query.LengthMin = LengthMin;
    query.LengthMax = LengthMax;
    query.Drop = Drop ? 1 : 0;
    return ClientCall(Channel->Isthmus, IOCTL_ISTHMUS_CHANNEL_SOURCE, &query, sizeof(query), NULL, 0, 0);
}
