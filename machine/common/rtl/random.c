/* SPDX-License-Identifier: MIT */
/*
 * Random numbers for tests and hash seeds, not for secrets. IRQL: any.
 */
#include "rtlp.h"

#define RTLP_MODULUS 0x7FFFFFFF
#define RTLP_TABLE 128

static volatile LONG RtlpRandomTable[RTLP_TABLE];
static volatile LONG RtlpRandomReady;

/**
 * One step of a linear congruential generator with the modulus 2^31 - 1.
 *
 * @param Seed  the state, updated
 * @return 0 to 0x7FFFFFFE
 */
ULONG NTAPI RtlUniform(_Inout_ PULONG Seed)
{
    *Seed = (ULONG)((0x7FFFFFEDULL * *Seed + 0x7FFFFFC3) % RTLP_MODULUS);
    return *Seed;
}

/*
 * The generator's output goes through a shared table that every caller stirs, so that equal seeds give different
 * sequences. Two processors that fill it at once write the same values.
 */
static ULONG RtlpShuffle(ULONG Index, ULONG Value)
{
    ULONG Seed = 1;
    ULONG At;

    if (RtlpRandomReady == 0)
    {
        for (At = 0; At < RTLP_TABLE; At += 1)
        {
            RtlpRandomTable[At] = (LONG)RtlUniform(&Seed);
        }

        InterlockedExchange(&RtlpRandomReady, 1);
    }

    return (ULONG)InterlockedExchange(&RtlpRandomTable[Index % RTLP_TABLE], (LONG)Value);
}

/**
 * @param Seed  the caller's state, updated
 * @return 0 to 0x7FFFFFFE
 */
ULONG NTAPI RtlRandom(_Inout_ PULONG Seed)
{
    ULONG Value = RtlUniform(Seed);

    return RtlpShuffle(RtlUniform(Seed), Value);
}

/**
 * As RtlRandom, with one step instead of two.
 */
ULONG NTAPI RtlRandomEx(_Inout_ PULONG Seed)
{
    ULONG Value = RtlUniform(Seed);

    return RtlpShuffle(Value ^ (Value >> 16), Value);
}
