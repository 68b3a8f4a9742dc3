/* SPDX-License-Identifier: MIT */
/*
 * What isthmus.sys does with channels: a sink thread reads each channel to the driver and sums it up, and a source of
 * DPCs fills a channel to the program when asked to. A driver of one's own would send what it has to say instead.
 *
 *   sink      made with the channel; a system thread that sleeps while there is nothing; ends with the stream
 *   source    IOCTL_ISTHMUS_CHANNEL_SOURCE; a timer and a DPC per producer, on processors in turn; ends with its last
 *             record, or with the channel
 *
 * A pump is on its file's list from its making until its channel is released, or until the file closes: then the
 * channel has ended, and what is still on its way is waited for. (A channel that ended with its process, under a file
 * that another process holds, is cleared away when the next pump is made.)
 */
#include "shell.h"

#define SHELL_BURST         256                /* records in one use of the channel, at most */
#define SHELL_BURST_BYTES   (128 * 1024)       /* and about so much data: a DPC must not take long */
#define SHELL_SOURCE_PERIOD (-10LL * 1000 * 1) /* 1 ms, relative, in 100 ns */

typedef struct _SHELL_PRODUCER
{
    KTIMER Timer;
    KDPC Dpc;
    struct _SHELL_PUMP *Pump;
    UINT64 Sequence;
    UINT32 Index;
    UINT32 Random;
    volatile LONG Crc; /* over the data of the records it committed */
} SHELL_PRODUCER, *PSHELL_PRODUCER;

typedef struct _SHELL_PUMP
{
    LIST_ENTRY Link;
    PISTHMUS_CHANNEL Channel; /* referenced */
    HANDLE Thread;            /* a sink's */
    volatile LONG Crc;        /* a sink's */
    volatile LONG Active;     /* a source's producers that aren't finished */
    KEVENT Done;              /* nothing of the pump runs any more, or will */
    ISTHMUS_CHANNEL_SOURCE Query;
    SHELL_PRODUCER Producers[ANYSIZE_ARRAY];
} SHELL_PUMP, *PSHELL_PUMP;

/* ---- The sink -------------------------------------------------------------------------------------------------- */

/* Reads what is there, up to a burst: FALSE at the end of the stream. */
static BOOLEAN ShellSinkRead(PSHELL_PUMP Pump, BOOLEAN *Empty)
{
    ISTHMUS_RING_CONSUMER *ring = IsthmusChannelConsumer(Pump->Channel);
    ISTHMUS_RING_RESULT result = IsthmusRingOk;
    ISTHMUS_RING_RECORD record;
    UINT32 crc = (UINT32)Pump->Crc;

    if (!NT_SUCCESS(IsthmusChannelEnter(Pump->Channel)))
    {
        return FALSE;
    }
    for (ULONG64 i = 0, bytes = 0; i < SHELL_BURST && bytes < SHELL_BURST_BYTES && result == IsthmusRingOk; i++)
    {
        result = IsthmusRingPeek(ring, &record);
        if (result == IsthmusRingOk)
        {
            crc = IsthmusCrc32(crc, record.Data, record.Length);
            bytes += record.Length;
        }
    }
    InterlockedExchange(&Pump->Crc, (LONG)crc); /* before the room is given back: who sees that sees the sum */
    IsthmusRingRelease(ring);
    if (IsthmusRingWakeProducer(ring))
    {
        IsthmusChannelSignal(Pump->Channel);
    }
    IsthmusChannelLeave(Pump->Channel);
    *Empty = result == IsthmusRingEmpty;
    return result == IsthmusRingOk || result == IsthmusRingEmpty;
}

static VOID NTAPI ShellSinkThread(PVOID Context)
{
    PSHELL_PUMP pump = Context;
    BOOLEAN empty;
    while (ShellSinkRead(pump, &empty))
    {
        if (empty && !NT_SUCCESS(IsthmusChannelWait(pump->Channel, 0, NULL)))
        {
            break;
        }
    }
    IsthmusChannelFinish(pump->Channel);
    KeSetEvent(&pump->Done, IO_NO_INCREMENT, FALSE);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* ---- The source ------------------------------------------------------------------------------------------------ */

/* Any distribution will do, as long as it is the same every time. */
static UINT32 ShellSourceLength(PSHELL_PRODUCER Producer)
{
    const ISTHMUS_CHANNEL_SOURCE *query = &Producer->Pump->Query;
    Producer->Random = Producer->Random * 1664525u + 1013904223u;
    return query->LengthMin + (Producer->Random >> 8) % (query->LengthMax - query->LengthMin + 1);
}

static VOID ShellSourceFill(PSHELL_PRODUCER Producer, PVOID Data, UINT32 Length)
{
    ISTHMUS_SOURCE_RECORD record = {Producer->Sequence, Producer->Index, Length};
    UINT8 *bytes = (UINT8 *)Data + sizeof(record);
    RtlCopyMemory(Data, &record, sizeof(record));
    for (UINT32 i = 0; i < Length - sizeof(record); i++)
    {
        bytes[i] = (UINT8)(record.Sequence + i);
    }
}

/* One record, committed but not shown. DISPATCH_LEVEL, within a use. The program can only read the data: a sum is true. */
static ISTHMUS_RING_RESULT ShellSourceWrite(PSHELL_PRODUCER Producer, UINT32 Length)
{
    ISTHMUS_RING_MANY_PRODUCERS *many = IsthmusChannelManyProducers(Producer->Pump->Channel);
    ISTHMUS_RING_PRODUCER *one = IsthmusChannelProducer(Producer->Pump->Channel);
    ISTHMUS_RING_SLOT slot;
    PVOID data = NULL;
    ISTHMUS_RING_RESULT result =
        many != NULL ? IsthmusRingManyReserve(many, Length, &slot) : IsthmusRingReserve(one, Length, &data);
    if (result == IsthmusRingOk)
    {
        data = many != NULL ? slot.Data : data;
        ShellSourceFill(Producer, data, Length);
        UINT32 crc = IsthmusCrc32((UINT32)Producer->Crc, data, Length);
        result = many != NULL ? IsthmusRingManyCommit(many, &slot, Length) : IsthmusRingCommit(one, Length);
        if (result == IsthmusRingOk)
        {
            InterlockedExchange(&Producer->Crc, (LONG)crc);
        }
    }
    else if (result == IsthmusRingFull && Producer->Pump->Query.Drop)
    {
        if (many != NULL)
        {
            IsthmusRingManyDropped(many, 1);
        }
        else
        {
            IsthmusRingDropped(one, 1);
        }
    }
    return result;
}

static VOID ShellSourceShow(PISTHMUS_CHANNEL Channel)
{
    ISTHMUS_RING_MANY_PRODUCERS *many = IsthmusChannelManyProducers(Channel);
    ISTHMUS_RING_PRODUCER *one = IsthmusChannelProducer(Channel);
    int wake;
    if (many != NULL)
    {
        IsthmusRingManyPublish(many);
        wake = IsthmusRingManyWakeConsumer(many);
    }
    else
    {
        IsthmusRingPublish(one);
        wake = IsthmusRingWakeConsumer(one);
    }
    if (wake)
    {
        IsthmusChannelSignal(Channel);
    }
}

/* Produces a burst. FALSE: this producer is finished. */
static BOOLEAN ShellSourceBurst(PSHELL_PRODUCER Producer)
{
    PSHELL_PUMP pump = Producer->Pump;
    ISTHMUS_RING_RESULT result = IsthmusRingOk;
    if (!NT_SUCCESS(IsthmusChannelEnter(pump->Channel)))
    {
        return FALSE;
    }
    for (ULONG i = 0, bytes = 0; i < SHELL_BURST && bytes < SHELL_BURST_BYTES && Producer->Sequence < pump->Query.Records;
         i++)
    {
        UINT32 random = Producer->Random, length = ShellSourceLength(Producer);
        result = ShellSourceWrite(Producer, length);
        bytes += length;
        if (result != IsthmusRingOk && !(result == IsthmusRingFull && pump->Query.Drop))
        {
            Producer->Random = random; /* the same record again, later */
            break;
        }
        Producer->Sequence++;
        result = IsthmusRingOk;
    }
    ShellSourceShow(pump->Channel);
    IsthmusChannelLeave(pump->Channel);
    return (result == IsthmusRingOk || result == IsthmusRingFull) && Producer->Sequence < pump->Query.Records;
}

static VOID NTAPI ShellSourceDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    PSHELL_PRODUCER producer = Context;
    PSHELL_PUMP pump = producer->Pump;
    LARGE_INTEGER due;
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Argument1);
    UNREFERENCED_PARAMETER(Argument2);

    if (ShellSourceBurst(producer))
    {
        due.QuadPart = SHELL_SOURCE_PERIOD;
        KeSetTimer(&producer->Timer, due, &producer->Dpc);
        return;
    }
    if (InterlockedDecrement(&pump->Active) == 0)
    {
        IsthmusChannelFinish(pump->Channel);
        KeSetEvent(&pump->Done, IO_NO_INCREMENT, FALSE); /* the pump may be gone after this */
    }
}

static BOOLEAN ShellSourceQueryGood(const ISTHMUS_CHANNEL_SOURCE *Query)
{
    return Query->Producers != 0 && Query->Producers <= ISTHMUS_SOURCE_PRODUCERS_MAX && Query->Records != 0 &&
           Query->LengthMin >= sizeof(ISTHMUS_SOURCE_RECORD) && Query->LengthMin <= Query->LengthMax &&
           Query->LengthMax <= ISTHMUS_SOURCE_LENGTH_MAX && Query->Drop <= 1;
}

/* ---- Pumps ----------------------------------------------------------------------------------------------------- */

/* What all pumps cost together, and the most: a sink is a thread, a producer a DPC each millisecond. */
#define SHELL_COST_MAXIMUM 128
static volatile LONG ShellCost;

static LONG ShellPumpCost(UINT32 Producers)
{
    return Producers != 0 ? (LONG)Producers : 1;
}

/* Takes back what ShellPumpAllocate did, and nothing else. */
static VOID ShellPumpDiscard(PSHELL_PUMP Pump)
{
    InterlockedExchangeAdd(&ShellCost, -ShellPumpCost(Pump->Query.Producers));
    ExFreePoolWithTag(Pump, SHELL_TAG);
}

/* STATUS_QUOTA_EXCEEDED beyond SHELL_COST_MAXIMUM. Producers: 0 for a sink. */
static NTSTATUS ShellPumpAllocate(UINT32 Producers, PSHELL_PUMP *Pump)
{
    LONG cost = ShellPumpCost(Producers);
    *Pump = NULL;
    if (InterlockedExchangeAdd(&ShellCost, cost) + cost > SHELL_COST_MAXIMUM)
    {
        InterlockedExchangeAdd(&ShellCost, -cost);
        return STATUS_QUOTA_EXCEEDED;
    }
    SIZE_T bytes = FIELD_OFFSET(SHELL_PUMP, Producers) + (SIZE_T)Producers * sizeof(SHELL_PRODUCER);
    PSHELL_PUMP pump = ExAllocatePoolWithTag(IsthmusNonPagedPoolType(), bytes, SHELL_TAG);
    if (pump == NULL)
    {
        InterlockedExchangeAdd(&ShellCost, -cost);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(pump, bytes);
    KeInitializeEvent(&pump->Done, NotificationEvent, FALSE);
    pump->Query.Producers = Producers;
    *Pump = pump;
    return STATUS_SUCCESS;
}

/* Waits until nothing of the pump runs, and frees it. PASSIVE_LEVEL; it is on no list. */
static VOID ShellPumpFree(PSHELL_PUMP Pump)
{
    if (Pump->Thread != NULL)
    {
        ZwWaitForSingleObject(Pump->Thread, FALSE, NULL); /* not for Done: the thread runs our code to its end */
        ZwClose(Pump->Thread);
    }
    else
    {
        KeWaitForSingleObject(&Pump->Done, Executive, KernelMode, FALSE, NULL);
    }
    IsthmusChannelDereference(Pump->Channel);
    ShellPumpDiscard(Pump);
}

/* Done, and its channel gone: nobody will ask for it any more. */
static BOOLEAN ShellPumpOver(PSHELL_PUMP Pump)
{
    if (KeReadStateEvent(&Pump->Done) == 0)
    {
        return FALSE;
    }
    if (NT_SUCCESS(IsthmusChannelEnter(Pump->Channel)))
    {
        IsthmusChannelLeave(Pump->Channel);
        return FALSE;
    }
    return TRUE;
}

static PSHELL_PUMP ShellPumpFindLocked(PSHELL_FILE File, PISTHMUS_CHANNEL Channel)
{
    for (PLIST_ENTRY link = File->Pumps.Flink; link != &File->Pumps; link = link->Flink)
    {
        PSHELL_PUMP pump = CONTAINING_RECORD(link, SHELL_PUMP, Link);
        if (pump->Channel == Channel)
        {
            return pump;
        }
    }
    return NULL;
}

/* Adds a pump for a channel that has none yet; takes those that are over from the list, for the caller to free. */
static NTSTATUS ShellPumpAdd(PSHELL_FILE File, PSHELL_PUMP Pump, PLIST_ENTRY Over)
{
    NTSTATUS status = STATUS_SUCCESS;
    ExAcquireFastMutex(&File->PumpLock);
    for (PLIST_ENTRY link = File->Pumps.Flink, next = link->Flink; link != &File->Pumps; link = next, next = next->Flink)
    {
        if (ShellPumpOver(CONTAINING_RECORD(link, SHELL_PUMP, Link)))
        {
            RemoveEntryList(link);
            InsertTailList(Over, link);
        }
    }
    if (ShellPumpFindLocked(File, Pump->Channel) != NULL)
    {
        status = STATUS_DEVICE_BUSY;
    }
    else
    {
        InsertTailList(&File->Pumps, &Pump->Link);
    }
    ExReleaseFastMutex(&File->PumpLock);
    return status;
}

static VOID ShellPumpsFree(PLIST_ENTRY List)
{
    while (!IsListEmpty(List))
    {
        ShellPumpFree(CONTAINING_RECORD(RemoveHeadList(List), SHELL_PUMP, Link));
    }
}

/* Takes the pump of a channel from the list, for the caller to free; NULL if there is none. */
static PSHELL_PUMP ShellPumpTake(PSHELL_FILE File, UINT64 Channel)
{
    PISTHMUS_CHANNEL channel;
    if (!NT_SUCCESS(IsthmusChannelReference(File->Session, Channel, &channel)))
    {
        return NULL;
    }
    ExAcquireFastMutex(&File->PumpLock);
    PSHELL_PUMP pump = ShellPumpFindLocked(File, channel);
    if (pump != NULL)
    {
        RemoveEntryList(&pump->Link);
    }
    ExReleaseFastMutex(&File->PumpLock);
    IsthmusChannelDereference(channel);
    return pump;
}

NTSTATUS ShellRegionRelease(_In_ PSHELL_FILE File, _In_ UINT64 Region)
{
    PSHELL_PUMP pump = ShellPumpTake(File, Region);
    NTSTATUS status = IsthmusRegionRelease(File->Session, Region);
    if (pump != NULL)
    {
        ShellPumpFree(pump); /* the channel has ended: so do its thread or its DPCs, within a tick */
    }
    return status;
}

VOID ShellPumpInitialize(_Out_ PSHELL_FILE File)
{
    InitializeListHead(&File->Pumps);
    ExInitializeFastMutex(&File->PumpLock);
}

VOID ShellPumpRundown(_Inout_ PSHELL_FILE File)
{
    ShellPumpsFree(&File->Pumps); /* the file closes: nobody else looks at the list */
}

static NTSTATUS ShellSinkStart(PSHELL_FILE File, UINT64 Channel)
{
    OBJECT_ATTRIBUTES attributes;
    LIST_ENTRY over;
    InitializeListHead(&over);

    PSHELL_PUMP pump;
    NTSTATUS status = ShellPumpAllocate(0, &pump);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IsthmusChannelReference(File->Session, Channel, &pump->Channel);
    if (!NT_SUCCESS(status))
    {
        ShellPumpDiscard(pump);
        return status;
    }
    InitializeObjectAttributes(&attributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    status = PsCreateSystemThread(&pump->Thread, SYNCHRONIZE, &attributes, NULL, NULL, ShellSinkThread, pump);
    if (!NT_SUCCESS(status))
    {
        IsthmusChannelDereference(pump->Channel);
        ShellPumpDiscard(pump);
        return status;
    }
    /* On the list only now: a pump there may be freed as soon as it is over, and that waits for the thread. */
    status = ShellPumpAdd(File, pump, &over);
    if (!NT_SUCCESS(status))
    {
        IsthmusRegionRelease(File->Session, Channel);
        ShellPumpFree(pump);
    }
    ShellPumpsFree(&over);
    return status;
}

NTSTATUS ShellChannelCreate(_In_ PSHELL_FILE File, _In_ const ISTHMUS_CHANNEL_CREATE *Query, _In_ KPROCESSOR_MODE Mode,
                            _Out_ ISTHMUS_CHANNEL_INFO *Info)
{
    ISTHMUS_CHANNEL_INFO made;
    NTSTATUS status = IsthmusChannelCreate(File->Session, Query, Mode, &made);
    if (NT_SUCCESS(status) && Query->Direction == ISTHMUS_CHANNEL_TO_DRIVER)
    {
        status = ShellSinkStart(File, made.Channel);
        if (!NT_SUCCESS(status))
        {
            IsthmusRegionRelease(File->Session, made.Channel);
        }
    }
    if (NT_SUCCESS(status))
    {
        *Info = made;
    }
    return status;
}

/* Processors in turn. (KeQueryActiveProcessorCount is newer than some kernels that run this driver.) */
static CCHAR ShellSourceProcessor(UINT32 Index)
{
    KAFFINITY active = KeQueryActiveProcessors();
    UINT32 count = 0;
    for (KAFFINITY rest = active; rest != 0; rest &= rest - 1)
    {
        count++;
    }
    UINT32 skip = Index % count;
    CCHAR processor = 0;
    while (!(active >> processor & 1) || skip-- != 0)
    {
        processor++;
    }
    return processor;
}

NTSTATUS ShellChannelSource(_In_ PSHELL_FILE File, _In_ const ISTHMUS_CHANNEL_SOURCE *Query)
{
    LIST_ENTRY over;
    LARGE_INTEGER now;
    InitializeListHead(&over);
    now.QuadPart = 0;

    if (!ShellSourceQueryGood(Query))
    {
        return STATUS_INVALID_PARAMETER;
    }
    PSHELL_PUMP pump;
    NTSTATUS status = ShellPumpAllocate(Query->Producers, &pump);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = IsthmusChannelReference(File->Session, Query->Channel, &pump->Channel);
    if (!NT_SUCCESS(status))
    {
        ShellPumpDiscard(pump);
        return status;
    }
    BOOLEAN many = IsthmusChannelManyProducers(pump->Channel) != NULL;
    BOOLEAN toProgram = many || IsthmusChannelProducer(pump->Channel) != NULL;
    status = !toProgram                         ? STATUS_INVALID_DEVICE_REQUEST
             : Query->Producers != 1 && !many ? STATUS_INVALID_PARAMETER
                                                : STATUS_SUCCESS;
    pump->Query = *Query;
    pump->Active = (LONG)Query->Producers;
    if (NT_SUCCESS(status))
    {
        status = ShellPumpAdd(File, pump, &over);
    }
    if (NT_SUCCESS(status))
    {
        for (UINT32 i = 0; i < Query->Producers; i++)
        {
            PSHELL_PRODUCER producer = &pump->Producers[i];
            producer->Pump = pump;
            producer->Index = i;
            producer->Random = i;
            KeInitializeTimer(&producer->Timer);
            KeInitializeDpc(&producer->Dpc, ShellSourceDpc, producer);
            KeSetTargetProcessorDpc(&producer->Dpc, ShellSourceProcessor(i));
        }
        /* Not before all are set up: the last to finish counts them all. */
        for (UINT32 i = 0; i < Query->Producers; i++)
        {
            KeSetTimer(&pump->Producers[i].Timer, now, &pump->Producers[i].Dpc);
        }
    }
    else
    {
        KeSetEvent(&pump->Done, IO_NO_INCREMENT, FALSE);
        ShellPumpFree(pump);
    }
    ShellPumpsFree(&over);
    return status;
}

NTSTATUS ShellChannelState(_In_ PSHELL_FILE File, _In_ UINT64 Id, _Out_ ISTHMUS_CHANNEL_STATE *State)
{
    PISTHMUS_CHANNEL channel;
    NTSTATUS status = IsthmusChannelReference(File->Session, Id, &channel);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    IsthmusChannelQuery(channel, State);
    ExAcquireFastMutex(&File->PumpLock);
    PSHELL_PUMP pump = ShellPumpFindLocked(File, channel);
    if (pump != NULL)
    {
        State->Busy = KeReadStateEvent(&pump->Done) == 0;
        State->Crc32 = (UINT32)pump->Crc;
        for (UINT32 i = 0; i < pump->Query.Producers; i++) /* none of a sink */
        {
            State->Crc32 ^= (UINT32)pump->Producers[i].Crc;
        }
    }
    ExReleaseFastMutex(&File->PumpLock);
    IsthmusChannelDereference(channel);
    return STATUS_SUCCESS;
}
