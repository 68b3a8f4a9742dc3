/* SPDX-License-Identifier: MIT */
/*
 * CRC-32 (ISO-HDLC, the one of zlib and Ethernet), polynomial 0x04C11DB7 reflected, eight bytes per step.
 * The tables are made at the first use; making them twice at once writes the same values.
 */
#include "ist.h"

static UINT32 IstCrcTable[8][256];
static volatile LONG IstCrcReady;

static VOID IstCrcMakeTable(VOID)
{
    for (UINT32 n = 0; n < 256; n++)
    {
        UINT32 c = n;
        for (int bit = 0; bit < 8; bit++)
        {
            c = (c & 1) ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        }
        IstCrcTable[0][n] = c;
    }
    for (UINT32 n = 0; n < 256; n++)
    {
        for (int k = 1; k < 8; k++)
        {
            UINT32 c = IstCrcTable[k - 1][n];
            IstCrcTable[k][n] = IstCrcTable[0][c & 0xFF] ^ (c >> 8);
        }
    }
    InterlockedExchange(&IstCrcReady, 1); /* the table is complete for whoever sees this */
}

UINT32 IsthmusCrc32(_In_ UINT32 Crc, _In_reads_bytes_(Length) const VOID *Block, _In_ SIZE_T Length)
{
    const UCHAR *p = Block;
    UINT32 c = ~Crc;

    if (InterlockedCompareExchange(&IstCrcReady, 0, 0) == 0)
    {
        IstCrcMakeTable();
    }
    while (Length >= 8)
    {
        /* Each shared byte is read once: two 32-bit loads, volatile so that the compiler can't repeat them. */
        UINT32 a = c ^ *(const volatile UINT32 UNALIGNED *)p;
        UINT32 b = *(const volatile UINT32 UNALIGNED *)(p + 4);
        c = IstCrcTable[7][a & 0xFF] ^ IstCrcTable[6][(a >> 8) & 0xFF] ^ IstCrcTable[5][(a >> 16) & 0xFF] ^
            IstCrcTable[4][a >> 24] ^ IstCrcTable[3][b & 0xFF] ^ IstCrcTable[2][(b >> 8) & 0xFF] ^
            IstCrcTable[1][(b >> 16) & 0xFF] ^ IstCrcTable[0][b >> 24];
        p += 8;
        Length -= 8;
    }
    while (Length-- != 0)
    {
        c = IstCrcTable[0][(c ^ *(const volatile UCHAR *)p++) & 0xFF] ^ (c >> 8);
    }
    return ~c;
}
