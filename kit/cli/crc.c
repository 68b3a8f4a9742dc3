/* SPDX-License-Identifier: MIT */
/*
 * CRC-32 (as zlib's), one bit at a time, most significant bit first on reflected bytes: shares neither code nor method
 * with the driver's, so that equal results mean equal bytes.
 */
#include "cli.h"

static UINT32 Reflect(UINT32 Value, int Bits)
{
    UINT32 result = 0;
    for (int i = 0; i < Bits; i++)
    {
        result |= ((Value >> i) & 1u) << (Bits - 1 - i);
    }
    return result;
}

UINT32 ProgramCrc32(UINT32 Crc, const void *Block, UINT64 Length)
{
    static BYTE reflected[256];
    static BOOL ready;
    if (!ready)
    {
        for (UINT32 i = 0; i < 256; i++)
        {
            reflected[i] = (BYTE)Reflect(i, 8);
        }
        ready = TRUE;
    }
    UINT32 remainder = Reflect(~Crc, 32);
    const BYTE *p = Block;
    for (UINT64 i = 0; i < Length; i++)
    {
        remainder ^= (UINT32)reflected[p[i]] << 24;
        for (int bit = 0; bit < 8; bit++)
        {
            remainder = (remainder << 1) ^ (0x04C11DB7u & (0u - (remainder >> 31)));
        }
    }
    return ~Reflect(remainder, 32);
}
