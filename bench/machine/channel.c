/* SPDX-License-Identifier: MIT */
/* The driver's end of a channel: what a record costs to write and to read, and what it costs to be woken for one. */
#include "driver.h"

static UCHAR Payload[COSTS_RECORD_MAX];

/* Copies records in, as a driver does that has them elsewhere. Returns how many there was room for. */
static ULONG Produce(PISTHMUS_CHANNEL Channel, const COSTS_RECORDS *Records)
{
    ISTHMUS_RING_PRODUCER *ring = IsthmusChannelProducer(Channel);
    ULONG done = 0;
    PVOID place;

    while (done < Records->Records && IsthmusRingReserve(ring, Records->Length, &place) == IsthmusRingOk)
    {
        RtlCopyMemory(place, Payload, Records->Length);
        IsthmusRingCommit(ring, Records->Length);
        done++;
        if (done % Records->Batch == 0)
        {
            IsthmusRingPublish(ring);
            if (IsthmusRingWakeConsumer(ring))
            {
                IsthmusChannelSignal(Channel);
            }
        }
    }
    return done;
}

/* Finds records in place and gives them back. Their data is not read: what that costs depends on the reader. */
static ULONG Consume(PISTHMUS_CHANNEL Channel, const COSTS_RECORDS *Records)
{
    ISTHMUS_RING_CONSUMER *ring = IsthmusChannelConsumer(Channel);
    ISTHMUS_RING_RECORD record;
    ULONG done = 0;

    while (done < Records->Records && IsthmusRingPeek(ring, &record) == IsthmusRingOk)
    {
        done++;
        if (done % Records->Batch == 0)
        {
            IsthmusRingRelease(ring);
            if (IsthmusRingWakeProducer(ring))
            {
                IsthmusChannelSignal(Channel);
            }
        }
    }
    return done;
}

static NTSTATUS Run(PCOSTS_FILE File, PIRP Irp, BOOLEAN Producer, ULONG_PTR *Information)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    COSTS_RECORDS records;
    UINT64 start, count;
    ULONG done;

    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(records) ||
        stack->Parameters.DeviceIoControl.OutputBufferLength < sizeof(count))
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    records = *(COSTS_RECORDS *)Irp->AssociatedIrp.SystemBuffer;
    if (File->Channel == NULL || records.Length > COSTS_RECORD_MAX || records.Batch == 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = IsthmusChannelEnter(File->Channel);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if ((Producer && IsthmusChannelProducer(File->Channel) == NULL) ||
        (!Producer && IsthmusChannelConsumer(File->Channel) == NULL))
    {
        IsthmusChannelLeave(File->Channel);
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    start = __rdtsc();
    done = Producer ? Produce(File->Channel, &records) : Consume(File->Channel, &records);
    count = __rdtsc() - start;
    IsthmusChannelLeave(File->Channel);
    *(UINT64 *)Irp->AssociatedIrp.SystemBuffer = count;
    *Information = sizeof(count);
    return done == records.Records ? STATUS_SUCCESS : STATUS_PIPE_BUSY;
}

/* Sleeps until the program sends its time, and tells how long ago that was. */
static NTSTATUS Await(PCOSTS_FILE File, PIRP Irp, ULONG_PTR *Information)
{
    LARGE_INTEGER timeout = {.QuadPart = -100000000LL}; /* 10 s: then something is wrong */
    UINT64 stamp;
    UINT32 length;

    if (File->Channel == NULL ||
        IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.OutputBufferLength < sizeof(UINT64))
    {
        return STATUS_INVALID_PARAMETER;
    }
    for (;;)
    {
        NTSTATUS status = IsthmusChannelReceive(File->Channel, &stamp, sizeof(stamp), &length);
        if (status == STATUS_PIPE_EMPTY)
        {
            status = IsthmusChannelWait(File->Channel, 0, &timeout);
            if (status == STATUS_SUCCESS)
            {
                continue;
            }
        }
        if (status != STATUS_SUCCESS)
        {
            return status == STATUS_TIMEOUT ? STATUS_IO_TIMEOUT : status;
        }
        *(UINT64 *)Irp->AssociatedIrp.SystemBuffer = __rdtsc() - stamp;
        *Information = sizeof(UINT64);
        return STATUS_SUCCESS;
    }
}

static NTSTATUS Open(PCOSTS_FILE File, PIRP Irp, ULONG_PTR *Information)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    ISTHMUS_CHANNEL_CREATE query;
    ISTHMUS_CHANNEL_INFO info;

    if (stack->Parameters.DeviceIoControl.InputBufferLength != sizeof(query) ||
        stack->Parameters.DeviceIoControl.OutputBufferLength < sizeof(info))
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if (File->Channel != NULL)
    {
        return STATUS_INVALID_DEVICE_STATE;
    }
    query = *(ISTHMUS_CHANNEL_CREATE *)Irp->AssociatedIrp.SystemBuffer;
    NTSTATUS status = IsthmusChannelCreate(File->Session, &query, Irp->RequestorMode, &info);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IsthmusChannelReference(File->Session, info.Channel, &File->Channel);
    if (!NT_SUCCESS(status))
    {
        IsthmusRegionRelease(File->Session, info.Channel);
        return status;
    }
    File->ChannelId = info.Channel;
    *(ISTHMUS_CHANNEL_INFO *)Irp->AssociatedIrp.SystemBuffer = info;
    *Information = sizeof(info);
    return STATUS_SUCCESS;
}

VOID CostsChannelClose(_Inout_ PCOSTS_FILE File)
{
    if (File->Channel != NULL)
    {
        IsthmusRegionRelease(File->Session, File->ChannelId);
        IsthmusChannelDereference(File->Channel);
        File->Channel = NULL;
    }
}

NTSTATUS CostsChannel(_Inout_ PCOSTS_FILE File, _Inout_ PIRP Irp, _In_ ULONG Code, _Out_ ULONG_PTR *Information)
{
    UINT64 stamp;

    *Information = 0;
    switch (Code)
    {
    case COSTS_CHANNEL_OPEN:
        return Open(File, Irp, Information);
    case COSTS_CHANNEL_CLOSE:
        CostsChannelClose(File);
        return STATUS_SUCCESS;
    case COSTS_CHANNEL_PRODUCE:
    case COSTS_CHANNEL_CONSUME:
        return Run(File, Irp, Code == COSTS_CHANNEL_PRODUCE, Information);
    case COSTS_CHANNEL_STAMP:
        if (File->Channel == NULL)
        {
            return STATUS_INVALID_PARAMETER;
        }
        stamp = __rdtsc();
        return IsthmusChannelSend(File->Channel, &stamp, sizeof(stamp));
    case COSTS_CHANNEL_AWAIT:
        return Await(File, Irp, Information);
    default:
        return STATUS_INVALID_DEVICE_REQUEST;
    }
}
