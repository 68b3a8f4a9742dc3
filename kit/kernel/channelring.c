/* SPDX-License-Identifier: MIT */
/*
 * The driver's end of a channel: uses, records, waiting, state.
 *
 * What the program can do to it: write anything into its own control page and, if it produces, into the data, at any
 * moment; set, reset or pulse both events; die. The ring believes none of it unchecked (isthmus_ring.h), the events are
 * hints, and the end of the process waits for the uses under way, which is why they are short and why a wait is broken
 * off by Ending.
 */
#include "channel.h"

static NTSTATUS IstChannelStatus(ISTHMUS_RING_RESULT Result)
{
    switch (Result)
    {
    case IsthmusRingOk:
        return STATUS_SUCCESS;
    case IsthmusRingEmpty:
        return STATUS_PIPE_EMPTY;
    case IsthmusRingFull:
        return STATUS_PIPE_BUSY;
    case IsthmusRingTooLarge:
        return STATUS_INVALID_BUFFER_SIZE;
    case IsthmusRingLost:
        return STATUS_DATA_OVERRUN;
    case IsthmusRingEnd:
        return STATUS_PIPE_BROKEN;
    case IsthmusRingBroken:
        return STATUS_DATA_ERROR;
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

NTSTATUS IsthmusChannelEnter(_In_ PISTHMUS_CHANNEL Channel)
{
    return IsthmusRegionTryEnter(Channel->Region) ? STATUS_SUCCESS : STATUS_PIPE_BROKEN;
}

VOID IsthmusChannelLeave(_In_ PISTHMUS_CHANNEL Channel)
{
    IsthmusRegionLeave(Channel->Region);
}

ISTHMUS_RING_PRODUCER *IsthmusChannelProducer(_In_ PISTHMUS_CHANNEL Channel)
{
    BOOLEAN one = Channel->Direction == ISTHMUS_CHANNEL_TO_PROGRAM && !(Channel->Flags & ISTHMUS_CHANNEL_MANY);
    return one ? &Channel->Ring.Producer : NULL;
}

ISTHMUS_RING_MANY_PRODUCERS *IsthmusChannelManyProducers(_In_ PISTHMUS_CHANNEL Channel)
{
    return Channel->Flags & ISTHMUS_CHANNEL_MANY ? &Channel->Ring.Many : NULL;
}

ISTHMUS_RING_CONSUMER *IsthmusChannelConsumer(_In_ PISTHMUS_CHANNEL Channel)
{
    return Channel->Direction == ISTHMUS_CHANNEL_TO_DRIVER ? &Channel->Ring.Consumer : NULL;
}

VOID IsthmusChannelSignal(_In_ PISTHMUS_CHANNEL Channel)
{
    KeSetEvent(Channel->PeerEvent, IO_NO_INCREMENT, FALSE);
}

static ISTHMUS_RING_RESULT IstChannelWrite(PISTHMUS_CHANNEL Channel, const VOID *Data, UINT32 Length, int *Wake)
{
    ISTHMUS_RING_RESULT result;
    if (Channel->Flags & ISTHMUS_CHANNEL_MANY)
    {
        KIRQL irql;
        KeRaiseIrql(DISPATCH_LEVEL, &irql); /* a preempted producer would hold up what the others write behind it */
        result = IsthmusRingManyWrite(&Channel->Ring.Many, Data, Length, Wake);
        KeLowerIrql(irql);
        if (result == IsthmusRingFull)
        {
            IsthmusRingManyDropped(&Channel->Ring.Many, 1);
        }
        return result;
    }
    result = IsthmusRingWrite(&Channel->Ring.Producer, Data, Length, Wake);
    if (result == IsthmusRingFull)
    {
        IsthmusRingDropped(&Channel->Ring.Producer, 1);
    }
    return result;
}

NTSTATUS IsthmusChannelSend(_In_ PISTHMUS_CHANNEL Channel, _In_reads_bytes_(Length) const VOID *Data,
                            _In_ UINT32 Length)
{
    int wake = 0;
    if (Channel->Direction != ISTHMUS_CHANNEL_TO_PROGRAM)
    {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    NTSTATUS status = IsthmusChannelEnter(Channel);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IstChannelStatus(IstChannelWrite(Channel, Data, Length, &wake));
    if (wake)
    {
        IsthmusChannelSignal(Channel);
    }
    IsthmusChannelLeave(Channel);
    return status;
}

NTSTATUS IsthmusChannelReceive(_In_ PISTHMUS_CHANNEL Channel, _Out_writes_bytes_(Size) PVOID Buffer, _In_ UINT32 Size,
                               _Out_ UINT32 *Length)
{
    *Length = 0;
    if (Channel->Direction != ISTHMUS_CHANNEL_TO_DRIVER)
    {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    NTSTATUS status = IsthmusChannelEnter(Channel);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    ISTHMUS_RING_RESULT result = IsthmusRingRead(&Channel->Ring.Consumer, Buffer, Size, Length);
    if (result == IsthmusRingOk && IsthmusRingWakeProducer(&Channel->Ring.Consumer))
    {
        IsthmusChannelSignal(Channel);
    }
    IsthmusChannelLeave(Channel);
    return result == IsthmusRingTooLarge ? STATUS_BUFFER_TOO_SMALL : IstChannelStatus(result);
}

/* The ring's half of going to sleep: IsthmusRingEmpty or IsthmusRingFull mean sleep, everything else don't. */
static ISTHMUS_RING_RESULT IstChannelFallAsleep(PISTHMUS_CHANNEL Channel, UINT32 Room)
{
    return Channel->Direction == ISTHMUS_CHANNEL_TO_DRIVER ? IsthmusRingConsumerSleep(&Channel->Ring.Consumer)
                                                           : IsthmusRingProducerSleep(&Channel->Ring.Producer, Room);
}

static VOID IstChannelAwake(PISTHMUS_CHANNEL Channel)
{
    if (Channel->Direction == ISTHMUS_CHANNEL_TO_DRIVER)
    {
        IsthmusRingConsumerAwake(&Channel->Ring.Consumer);
    }
    else
    {
        IsthmusRingProducerAwake(&Channel->Ring.Producer);
    }
}

NTSTATUS IsthmusChannelWait(_In_ PISTHMUS_CHANNEL Channel, _In_ UINT32 Room, _In_opt_ PLARGE_INTEGER Timeout)
{
    if (Channel->Flags & ISTHMUS_CHANNEL_MANY)
    {
        return STATUS_INVALID_DEVICE_REQUEST; /* who of the many would wait? */
    }
    NTSTATUS status = IsthmusChannelEnter(Channel);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    ISTHMUS_RING_RESULT result = IstChannelFallAsleep(Channel, Room);
    if (result == IsthmusRingEmpty || result == IsthmusRingFull)
    {
        PVOID events[] = {&Channel->Ending, Channel->OwnEvent};
        status = KeWaitForMultipleObjects(ARRAYSIZE(events), events, WaitAny, Executive, KernelMode, FALSE, Timeout,
                                          NULL);
        IstChannelAwake(Channel);
        if (status == STATUS_WAIT_0)
        {
            status = STATUS_PIPE_BROKEN;
        }
        else if (status == STATUS_WAIT_1)
        {
            KeClearEvent(Channel->OwnEvent); /* should it be one that stays set: a wait each, not none */
            status = STATUS_SUCCESS;
        }
    }
    else
    {
        status = IstChannelStatus(result);
    }
    IsthmusChannelLeave(Channel);
    return status;
}

VOID IsthmusChannelFinish(_In_ PISTHMUS_CHANNEL Channel)
{
    int wake;
    if (!NT_SUCCESS(IsthmusChannelEnter(Channel)))
    {
        return;
    }
    if (Channel->Direction == ISTHMUS_CHANNEL_TO_DRIVER)
    {
        wake = IsthmusRingConsumerClose(&Channel->Ring.Consumer);
    }
    else if (Channel->Flags & ISTHMUS_CHANNEL_MANY)
    {
        wake = IsthmusRingManyClose(&Channel->Ring.Many);
    }
    else
    {
        wake = IsthmusRingProducerClose(&Channel->Ring.Producer);
    }
    if (wake)
    {
        IsthmusChannelSignal(Channel);
    }
    IsthmusChannelLeave(Channel);
}

VOID IsthmusChannelQuery(_In_ PISTHMUS_CHANNEL Channel, _Out_ ISTHMUS_CHANNEL_STATE *State)
{
    IST_RING_END *end = IstChannelRingEnd(Channel);
    RtlZeroMemory(State, sizeof(*State));
    State->Header.Revision = ISTHMUS_REVISION;
    State->Header.Size = sizeof(*State);
    State->Channel = Channel->Region->Id;
    State->Direction = Channel->Direction;
    State->Flags = Channel->Flags;
    State->State = Channel->Region->State;
    State->Error = IsthmusRingError(end);
    if (NT_SUCCESS(IsthmusChannelEnter(Channel)))
    {
        /* The driver's own control page, which the program can only read. */
        const ISTHMUS_RING_COUNTERS *counters = end->Own.Counters;
        State->Records = counters->Records;
        State->Bytes = counters->Bytes;
        State->Drops = counters->Drops;
        State->Lost = counters->LostRecords;
        State->Stalls = counters->Stalls;
        State->Wakeups = counters->Wakeups;
        IsthmusChannelLeave(Channel);
    }
}
