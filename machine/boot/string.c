/* SPDX-License-Identifier: MIT */
/*
 * The memory functions that the compiler and the shared parsers expect. Words, not "rep movsb": under TCG a loop of
 * 8-byte moves is several times faster.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct WORD64
{
    uint64_t Value;
} __attribute__((packed, may_alias)) WORD64;

void *memcpy(void *restrict Target, const void *restrict Source, size_t Size)
{
    uint8_t *target = Target;
    const uint8_t *source = Source;

    for (; Size >= 32; Size -= 32, target += 32, source += 32)
    {
        WORD64 a = ((const WORD64 *)source)[0];
        WORD64 b = ((const WORD64 *)source)[1];
        WORD64 c = ((const WORD64 *)source)[2];
        WORD64 d = ((const WORD64 *)source)[3];

        ((WORD64 *)target)[0] = a;
        ((WORD64 *)target)[1] = b;
        ((WORD64 *)target)[2] = c;
        ((WORD64 *)target)[3] = d;
    }
    for (; Size != 0; Size--)
    {
        *target++ = *source++;
    }
    return Target;
}

void *memset(void *Target, int Value, size_t Size)
{
    uint8_t *target = Target;
    uint64_t word = 0x0101010101010101ull * (uint8_t)Value;

    for (; Size >= 32; Size -= 32, target += 32)
    {
        ((WORD64 *)target)[0].Value = word;
        ((WORD64 *)target)[1].Value = word;
        ((WORD64 *)target)[2].Value = word;
        ((WORD64 *)target)[3].Value = word;
    }
    for (; Size != 0; Size--)
    {
        *target++ = (uint8_t)Value;
    }
    return Target;
}

int memcmp(const void *Left, const void *Right, size_t Size)
{
    const uint8_t *left = Left;
    const uint8_t *right = Right;

    for (; Size != 0; Size--, left++, right++)
    {
        if (*left != *right)
        {
            return *left < *right ? -1 : 1;
        }
    }
    return 0;
}
