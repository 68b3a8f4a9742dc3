/* SPDX-License-Identifier: MIT */
/* Helpers of the native tests: cmocka with what it wants included first, exact-size copies, random numbers. */
#ifndef ISTHMUS_TESTS_SUPPORT_H
#define ISTHMUS_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A copy in a block of exactly that size: the address sanitizer sees any access past its end. */
static inline uint8_t *ExactCopy(const void *Data, size_t Size)
{
    uint8_t *copy = malloc(Size);

    assert_true(copy != NULL || Size == 0);
    if (Size != 0)
    {
        memcpy(copy, Data, Size);
    }
    return copy;
}

/* Repeatable: xorshift64. */
static inline uint64_t NextRandom(uint64_t *State)
{
    *State ^= *State << 13;
    *State ^= *State >> 7;
    *State ^= *State << 17;
    return *State;
}

#endif
