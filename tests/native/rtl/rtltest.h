/* SPDX-License-Identifier: MIT */
/*
 * What the native tests of the run-time library share: cmocka beside the library's own types and names.
 */
#ifndef ISTHMUS_TEST_RTLTEST_H
#define ISTHMUS_TEST_RTLTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* The build machine's C library under other names, before the library's own take theirs. */
static inline void *host_memcpy(void *To, const void *From, size_t Length)
{
    return memcpy(To, From, Length);
}

static inline void *host_memset(void *To, int Value, size_t Length)
{
    return memset(To, Value, Length);
}

static inline int host_memcmp(const void *A, const void *B, size_t Length)
{
    return memcmp(A, B, Length);
}

static inline void *host_memmove(void *To, const void *From, size_t Length)
{
    return memmove(To, From, Length);
}

#include "rtlenv.h"
#include "rtlp.h"
#include "rtlmore.h"
#include "crtnames.h"

/** Allocations to let pass before one fails; negative: none fails. */
extern int TestFailAfter;
/** Blocks from RtlpAllocate that are not freed yet. */
extern int TestBlocks;

/** A repeatable sequence of random numbers. */
static inline uint32_t TestRandom(uint64_t *State)
{
    *State = *State * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*State >> 33);
}

#define ASSERT_STATUS(Expression, Expected) assert_int_equal((Expression), (Expected))

#endif
