/* SPDX-License-Identifier: MIT */
/*
 * The library's hooks as the native tests provide them: counted memory that can be made to fail.
 */
#include <stdlib.h>

#include "rtlenv.h"

int TestFailAfter = -1;
int TestBlocks;

PVOID RtlpAllocate(SIZE_T Bytes)
{
    if (TestFailAfter == 0)
    {
        return NULL;
    }

    if (TestFailAfter > 0)
    {
        TestFailAfter -= 1;
    }

    TestBlocks += 1;
    return malloc(Bytes);
}

VOID RtlpFree(PVOID Memory)
{
    if (Memory != NULL)
    {
        TestBlocks -= 1;
        free(Memory);
    }
}
