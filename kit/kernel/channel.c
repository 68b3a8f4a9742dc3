/* SPDX-License-Identifier: MIT */
/*
 * Channels: how one comes to be and ends. channelring.c is what the driver does with its end.
 *
 * A channel is a region (region.c) of a kind of its own, and lives by the region's rules. Its memory is a ring, in four
 * segments, each mapped twice:
 *
 *    segment          pages     in the kernel    in the program: consumer    producer
 *    0 description    1         writable         read-only                   read-only
 *    1 producer's     1         writable         read-only                   writable
 *    2 consumer's     1         writable         writable                    read-only
 *    3 data           n, twice  writable         read-only                   writable
 *
 * Data pages twice in a row. An MDL is a list of frames, and nothing says that a frame is listed once: the second MDL of
 * segment 3 has the frames of the first and then the same again, so that one mapping of it shows the ring twice, and
 * a record that starts at the end goes on at the beginning. The frames belong to the first MDL, which has them locked;
 * the second borrows them: MDL_PAGES_LOCKED is set by hand, as the map calls want it, and cleared before the
 * MDL is freed. (eBPF for Windows maps its ring buffer this way: ebpf_allocate_ring_buffer_memory.)
 *
 * Paged pool, locked, for the reason that IsthmusRegionAllocate gives: a program can have the pages of a view locked by
 * another driver, and of all kinds of kernel memory only paged pool may be freed then.
 *
 *                   made, mapped into the process             last holder gone, or the process ends
 *   (nothing) ----------------------------------> [ live ] ------------------------------------------> [ draining ]
 *                                                  uses by the driver: Enter ... Leave                     |
 *                                                                                                         |
 *      the ring is told that its peer died; Ending wakes a driver's thread that waits; uses under way end;
 *      the events are let go, the memory goes with the region. The structure stays while somebody refers to it, and
 *      answers STATUS_PIPE_BROKEN.
 */
#include "channel.h"

/* A handle of the caller's to an event of his own: both sides set it and wait on it. */
static NTSTATUS IstChannelTakeEvent(UINT64 Handle, KPROCESSOR_MODE Mode, PKEVENT *Event)
{
    /* The exported variable; compilers' headers disagree on how often it is dereferenced, its address does not. */
    POBJECT_TYPE *type = IstFindRoutine(L"ExEventObjectType");
    *Event = NULL;
    if (type == NULL || *type == NULL)
    {
        return STATUS_NOT_SUPPORTED;
    }
    if (Handle == 0 || Handle > MAXULONG_PTR) /* Driver Verifier stops at a null handle (C4, F5), whoever gave it */
    {
        return STATUS_INVALID_HANDLE;
    }
    return ObReferenceObjectByHandle((HANDLE)(ULONG_PTR)Handle, EVENT_MODIFY_STATE | SYNCHRONIZE, *type, Mode,
                                     (PVOID *)Event, NULL);
}

/* Allocates the structure, on a cache line. */
static PISTHMUS_CHANNEL IstChannelAllocate(const ISTHMUS_CHANNEL_CREATE *Query)
{
    PVOID block = IstAllocate(sizeof(ISTHMUS_CHANNEL) + ISTHMUS_RING_LINE);
    if (block == NULL)
    {
        return NULL;
    }
    PISTHMUS_CHANNEL channel = (PISTHMUS_CHANNEL)(((ULONG_PTR)block + ISTHMUS_RING_LINE - 1) &
                                                 ~(ULONG_PTR)(ISTHMUS_RING_LINE - 1));
    channel->Block = block;
    channel->Direction = Query->Direction;
    channel->Flags = Query->Flags;
    KeInitializeEvent(&channel->Ending, NotificationEvent, FALSE);
    return channel;
}

static BOOLEAN IstChannelQueryGood(const ISTHMUS_CHANNEL_CREATE *Query)
{
    ISTHMUS_RING_DESCRIPTION description;
    if (Query->Direction != ISTHMUS_CHANNEL_TO_PROGRAM &&
        (Query->Direction != ISTHMUS_CHANNEL_TO_DRIVER || Query->Flags != 0))
    {
        return FALSE;
    }
    return Query->Capacity <= ISTHMUS_CHANNEL_CAPACITY_MAX &&
           IsthmusRingDescribe(Query->Capacity, Query->Flags, &description) == IsthmusRingOk;
}

/* ISTHMUS_CHANNEL_* are the ring's flags, so that none has to be translated. */
C_ASSERT(ISTHMUS_CHANNEL_OVERWRITE == ISTHMUS_RING_OVERWRITE && ISTHMUS_CHANNEL_MANY == ISTHMUS_RING_MANY);

NTSTATUS IsthmusChannelCreate(_Inout_ PISTHMUS_SESSION Session, _In_ const ISTHMUS_CHANNEL_CREATE *Query,
                              _In_ KPROCESSOR_MODE Mode, _Out_ ISTHMUS_CHANNEL_INFO *Info)
{
    PISTHMUS_CHANNEL channel = NULL;
    PKEVENT data = NULL, space = NULL;
    ISTHMUS_REGION_INFO made;
    ISTHMUS_VIEW_INFO view;

    if (!IstChannelQueryGood(Query))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (IstLibrary.MapNoWrite == 0)
    {
        return STATUS_NOT_SUPPORTED;
    }
    NTSTATUS status = IstChannelTakeEvent(Query->DataEvent, Mode, &data);
    if (NT_SUCCESS(status))
    {
        status = IstChannelTakeEvent(Query->SpaceEvent, Mode, &space);
    }
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    channel = IstChannelAllocate(Query);
    if (channel == NULL)
    {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto Exit;
    }
    channel->OwnEvent = Query->Direction == ISTHMUS_CHANNEL_TO_PROGRAM ? space : data;
    channel->PeerEvent = Query->Direction == ISTHMUS_CHANNEL_TO_PROGRAM ? data : space;
    data = space = NULL;

    status = IstRegionMake(Session, ISTHMUS_KIND_CHANNEL, ISTHMUS_ACCESS_ALL, 0,
                           3 * ISTHMUS_RING_PAGE + Query->Capacity, Mode, channel, &made);
    channel = NULL; /* the region's, or freed */
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    status = IstViewMap(Session, made.Region, 0, ISTHMUS_ACCESS_ALL, &view);
    if (!NT_SUCCESS(status))
    {
        IsthmusRegionRelease(Session, made.Region);
        goto Exit;
    }
    RtlZeroMemory(Info, sizeof(*Info));
    Info->Header.Revision = ISTHMUS_REVISION;
    Info->Header.Size = sizeof(*Info);
    Info->Channel = made.Region;
    Info->Address = view.Address;
    Info->Length = view.Length;

Exit:
    if (data != NULL)
    {
        ObDereferenceObject(data);
    }
    if (space != NULL)
    {
        ObDereferenceObject(space);
    }
    return status;
}

NTSTATUS IsthmusChannelReference(_Inout_ PISTHMUS_SESSION Session, _In_ UINT64 Id, _Out_ PISTHMUS_CHANNEL *Channel)
{
    PISTHMUS_REGION region;
    *Channel = NULL;
    NTSTATUS status = IsthmusRegionReference(Session, Id, 0, &region);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (region->Channel == NULL)
    {
        IsthmusRegionDereference(region);
        return STATUS_NOT_FOUND;
    }
    *Channel = region->Channel;
    return STATUS_SUCCESS;
}

VOID IsthmusChannelDereference(_In_ PISTHMUS_CHANNEL Channel)
{
    IsthmusRegionDereference(Channel->Region);
}

/* ---- For region.c; Channel is NULL for other kinds ------------------------------------------------------------- */

/* Lists the segment's pages a second time behind themselves, and maps that. */
static NTSTATUS IstSegmentDouble(PIST_SEGMENT Segment)
{
    PMDL single = Segment->Mdl;
    SIZE_T bytes = Segment->Bytes, pages = bytes / PAGE_SIZE;

    Segment->Bytes = 2 * bytes;
    NTSTATUS status = IstSegmentMakeMdl(Segment, NULL);
    if (!NT_SUCCESS(status))
    {
        Segment->Mdl = single;
        return status;
    }
    Segment->Single = single;
    RtlCopyMemory(MmGetMdlPfnArray(Segment->Mdl), MmGetMdlPfnArray(single), pages * sizeof(PFN_NUMBER));
    RtlCopyMemory(MmGetMdlPfnArray(Segment->Mdl) + pages, MmGetMdlPfnArray(single), pages * sizeof(PFN_NUMBER));
    Segment->Mdl->Process = NULL; /* undefined until a lock sets it; of pool it is nobody's */
    Segment->Mdl->MdlFlags |= MDL_PAGES_LOCKED;
    return IstSegmentMapKernel(Segment, FALSE);
}

/* Allocates and maps the four segments. On failure the caller releases what was done. */
static NTSTATUS IstChannelAllocateSegments(PISTHMUS_REGION Region, const ISTHMUS_RING_DESCRIPTION *Description)
{
    const UINT64 offsets[IST_CHANNEL_SEGMENTS + 1] = {0, Description->ProducerOffset, Description->ConsumerOffset,
                                                      Description->DataOffset, Description->TotalBytes};
    BOOLEAN toProgram = Region->Channel->Direction == ISTHMUS_CHANNEL_TO_PROGRAM;
    const BOOLEAN readOnly[IST_CHANNEL_SEGMENTS] = {TRUE, toProgram, !toProgram, toProgram};

    for (ULONG i = 0; i < IST_CHANNEL_SEGMENTS; i++)
    {
        PIST_SEGMENT segment = &Region->Segments[i];
        segment->Offset = offsets[i];
        segment->Bytes = (SIZE_T)(offsets[i + 1] - offsets[i]);
        segment->ReadOnly = readOnly[i];
        NTSTATUS status = IstSegmentAllocatePool(segment, TRUE);
        if (NT_SUCCESS(status))
        {
            status = i == IST_CHANNEL_SEGMENTS - 1 ? IstSegmentDouble(segment) : IstSegmentMapKernel(segment, FALSE);
        }
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
    return STATUS_SUCCESS;
}

/* Makes the region's memory into a ring, and opens the driver's end of it. On failure the caller releases the segments. */
NTSTATUS IstChannelStart(_Inout_ PISTHMUS_REGION Region)
{
    PISTHMUS_CHANNEL channel = Region->Channel;
    PIST_SEGMENT segments = Region->Segments;
    ISTHMUS_RING_DESCRIPTION description;
    ISTHMUS_RING_RESULT result;

    channel->Region = Region;
    if (IsthmusRingDescribe(Region->Length - 3 * ISTHMUS_RING_PAGE, channel->Flags, &description) != IsthmusRingOk)
    {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = IstChannelAllocateSegments(Region, &description);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    RtlCopyMemory(segments[0].Kernel, &description, sizeof(description));
    if (channel->Flags & ISTHMUS_CHANNEL_MANY)
    {
        /* Nonpaged pool, 1/64 of the capacity; the charge for the capacity, which has been made, bounds it. */
        channel->Ready = IstAllocate((SIZE_T)ISTHMUS_RING_MANY_READY_BYTES(description.DataBytes));
        if (channel->Ready == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }

    ISTHMUS_RING_VIEW ring = {segments[0].Kernel, segments[1].Kernel, segments[2].Kernel, segments[3].Kernel};
    if (channel->Direction == ISTHMUS_CHANNEL_TO_DRIVER)
    {
        result = IsthmusRingConsumerOpen(&channel->Ring.Consumer, &ring);
    }
    else if (channel->Flags & ISTHMUS_CHANNEL_MANY)
    {
        result = IsthmusRingManyOpen(&channel->Ring.Many, &ring, channel->Ready);
    }
    else
    {
        result = IsthmusRingProducerOpen(&channel->Ring.Producer, &ring);
    }
    return result == IsthmusRingOk ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* The region begins to drain: whoever uses the driver's end hears that the program's is gone. */
VOID IstChannelEnd(_Inout_ PISTHMUS_CHANNEL Channel)
{
    if (Channel != NULL)
    {
        IsthmusRingPeerGone(IstChannelRingEnd(Channel), ISTHMUS_RING_DIED);
        KeSetEvent(&Channel->Ending, IO_NO_INCREMENT, FALSE);
    }
}

/* No use is left: lets go of the program's events. <= APC_LEVEL */
VOID IstChannelRelease(_Inout_ PISTHMUS_CHANNEL Channel)
{
    if (Channel != NULL)
    {
        ObDereferenceObject(Channel->OwnEvent);
        ObDereferenceObject(Channel->PeerEvent);
        Channel->OwnEvent = Channel->PeerEvent = NULL;
    }
}

VOID IstChannelFree(_In_ PISTHMUS_CHANNEL Channel)
{
    if (Channel != NULL)
    {
        IstFree(Channel->Ready);
        IstFree(Channel->Block);
    }
}
