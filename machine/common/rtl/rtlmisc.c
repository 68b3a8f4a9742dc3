/* SPDX-License-Identifier: MIT */
/*
 * Small things: checksums, LUIDs.
 */
#include "rtlp.h"
#include "rtlmore.h"

#undef RtlEqualLuid

/**
 * The CRC-32 of Ethernet and ZIP.
 *
 * @param PartialCrc  zero, or the result for the bytes before
 */
ULONG NTAPI RtlComputeCrc32(_In_ ULONG PartialCrc, _In_reads_bytes_(Length) const VOID *Buffer, _In_ ULONG Length)
{
    /* Four bits at a time: a small table is enough for the little that is summed here. */
    static const ULONG Table[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
                                    0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                    0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    const UCHAR *Bytes = Buffer;
    ULONG Crc = ~PartialCrc;

    for (; Length != 0; Length -= 1, Bytes += 1)
    {
        Crc ^= *Bytes;
        Crc = (Crc >> 4) ^ Table[Crc & 15];
        Crc = (Crc >> 4) ^ Table[Crc & 15];
    }

    return ~Crc;
}

VOID NTAPI RtlCopyLuid(_Out_ PLUID DestinationLuid, _In_ PLUID SourceLuid)
{
    *DestinationLuid = *SourceLuid;
}

BOOLEAN NTAPI RtlEqualLuid(_In_ PLUID Luid1, _In_ PLUID Luid2)
{
    return Luid1->LowPart == Luid2->LowPart && Luid1->HighPart == Luid2->HighPart;
}
