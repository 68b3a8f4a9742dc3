/* SPDX-License-Identifier: MIT */
/*
 * Memory of the shared library inside the kernel: paged pool. RtlFreeUnicodeString and its kin free with ExFreePool,
 * so drivers may free such buffers either way, and may hand in buffers from pool of their own.
 */
#include "rtl/rtlenv.h"

#define RTLP_POOL_TAG 'ltuR'

_Must_inspect_result_ PVOID RtlpAllocate(_In_ SIZE_T Bytes)
{
    return ExAllocatePoolWithTag(PagedPool, Bytes, RTLP_POOL_TAG);
}

VOID RtlpFree(_In_opt_ PVOID Memory)
{
    if (Memory != NULL)
    {
        ExFreePool(Memory);
    }
}
