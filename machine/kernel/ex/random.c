/* SPDX-License-Identifier: MIT */
/*
 * Random numbers: xoshiro256** (Blackman and Vigna, 2018), seeded by the loader. Good for addresses and cookies and,
 * with a fixed seed, the same in every run; not for keys, and nothing here claims so.
 */
#include "exp.h"

static ULONG64 ExpState[4];
static KSPIN_LOCK ExpStateLock;

VOID ExpInitializeRandom(VOID)
{
    RtlCopyMemory(ExpState, KeBootBlock->RandomSeed, sizeof(ExpState));
    ExpState[0] |= 1; /* all zero is the one state it cannot leave */
}

static ULONG64 ExpRotate(ULONG64 Value, int Bits)
{
    return (Value << Bits) | (Value >> (64 - Bits));
}

ULONG64 ExGenRandom64(VOID)
{
    BOOLEAN enabled = ExpLockInterrupts(&ExpStateLock);
    ULONG64 result, shifted;

    result = ExpRotate(ExpState[1] * 5, 7) * 9;
    shifted = ExpState[1] << 17;
    ExpState[2] ^= ExpState[0];
    ExpState[3] ^= ExpState[1];
    ExpState[1] ^= ExpState[2];
    ExpState[0] ^= ExpState[3];
    ExpState[2] ^= shifted;
    ExpState[3] = ExpRotate(ExpState[3], 45);
    ExpUnlockInterrupts(&ExpStateLock, enabled);
    return result;
}

/** A version-4 UUID. IRQL PASSIVE_LEVEL. */
NTSTATUS NTAPI ExUuidCreate(UUID *Uuid)
{
    ULONG64 bits[2] = {ExGenRandom64(), ExGenRandom64()};

    RtlCopyMemory(Uuid, bits, sizeof(*Uuid));
    Uuid->Data3 = (Uuid->Data3 & 0x0FFF) | 0x4000;
    Uuid->Data4[0] = (Uuid->Data4[0] & 0x3F) | 0x80;
    return STATUS_SUCCESS;
}
