/* SPDX-License-Identifier: MIT */
/*
 * What may be done with a region's memory within a use: find its bytes, copy, sum up.
 *
 * A use holds up the region's teardown, and with it, for a user buffer, the end of the process that made it. So what
 * takes long goes in steps, and breaks off between two of them when the region is being taken back.
 */
#include "ist.h"

UINT32 IsthmusRegionKind(_In_ PISTHMUS_REGION Region)
{
    return Region->Kind;
}

UINT64 IsthmusRegionLength(_In_ PISTHMUS_REGION Region)
{
    return Region->Length;
}

PUCHAR IsthmusRegionSpan(_In_ PISTHMUS_REGION Region, _In_ UINT64 Offset, _Out_ SIZE_T *Bytes)
{
    *Bytes = 0;
    if (Offset >= Region->Length || Region->Channel != NULL) /* a channel is used through its ring only */
    {
        return NULL;
    }
    /* All segments but the first start on a page and, but for the last, end on a multiple of SegmentBytes. */
    UINT64 lead = Region->Kind == ISTHMUS_KIND_USER_BUFFER ? Region->Address & (PAGE_SIZE - 1) : 0;
    ULONG index = (ULONG)((lead + Offset) / IstLibrary.SegmentBytes);
    PIST_SEGMENT segment = &Region->Segments[index];
    UINT64 inside = Offset - segment->Offset;
    *Bytes = (SIZE_T)min(segment->Bytes - inside, Region->Length - Offset);
    return segment->Kernel + inside;
}

/* One step of a long use: whoever drains the region waits for a step and not for gigabytes. */
#define IST_STEP (1024 * 1024)

/* TRUE if the range lies in the region. */
static BOOLEAN IstRangeFits(PISTHMUS_REGION Region, UINT64 Offset, UINT64 Length)
{
    return Offset <= Region->Length && Length <= Region->Length - Offset;
}

NTSTATUS IsthmusRegionRead(_In_ PISTHMUS_REGION Region, _In_ UINT64 Offset, _Out_writes_bytes_(Length) PVOID Buffer,
                           _In_ SIZE_T Length)
{
    PUCHAR to = Buffer;
    if (!IstRangeFits(Region, Offset, Length))
    {
        return STATUS_INVALID_PARAMETER;
    }
    while (Length != 0)
    {
        SIZE_T bytes;
        PUCHAR from = IsthmusRegionSpan(Region, Offset, &bytes);
        bytes = min(min(bytes, Length), IST_STEP);
        if (Region->State != IstRegionLive)
        {
            return STATUS_NOT_LOCKED;
        }
        RtlCopyMemory(to, from, bytes);
        to += bytes;
        Offset += bytes;
        Length -= bytes;
    }
    return STATUS_SUCCESS;
}

NTSTATUS IsthmusRegionWrite(_In_ PISTHMUS_REGION Region, _In_ UINT64 Offset,
                            _In_reads_bytes_(Length) const VOID *Buffer, _In_ SIZE_T Length)
{
    const UCHAR *from = Buffer;
    if (!(Region->Access & ISTHMUS_ACCESS_WRITE))
    {
        return STATUS_ACCESS_DENIED;
    }
    if (!IstRangeFits(Region, Offset, Length))
    {
        return STATUS_INVALID_PARAMETER;
    }
    while (Length != 0)
    {
        SIZE_T bytes;
        PUCHAR to = IsthmusRegionSpan(Region, Offset, &bytes);
        bytes = min(min(bytes, Length), IST_STEP);
        if (Region->State != IstRegionLive)
        {
            return STATUS_NOT_LOCKED;
        }
        RtlCopyMemory(to, from, bytes);
        from += bytes;
        Offset += bytes;
        Length -= bytes;
    }
    return STATUS_SUCCESS;
}

NTSTATUS IsthmusRegionChecksum(_In_ PISTHMUS_REGION Region, _In_ UINT64 Offset, _In_ UINT64 Length, _Out_ UINT32 *Crc32)
{
    UINT32 crc = 0;
    *Crc32 = 0;
    if (!IstRangeFits(Region, Offset, Length))
    {
        return STATUS_INVALID_PARAMETER;
    }
    while (Length != 0)
    {
        SIZE_T bytes;
        PUCHAR span = IsthmusRegionSpan(Region, Offset, &bytes);
        bytes = (SIZE_T)min(min(bytes, Length), IST_STEP);
        if (Region->State != IstRegionLive)
        {
            return STATUS_NOT_LOCKED;
        }
        crc = IsthmusCrc32(crc, span, bytes);
        Offset += bytes;
        Length -= bytes;
    }
    *Crc32 = crc;
    return STATUS_SUCCESS;
}
