/* SPDX-License-Identifier: MIT */
/*
 * RTL: what the run-time library offers to the other rooms beyond ntifs.h. Most of it lives in machine/common/rtl,
 * because ntdll has it too; these headers document it.
 *
 *   rtl/unwind.h     unwinding and dispatching of exceptions: RtlDispatchException, RtlVirtualUnwind, RtlpWalkContext
 *   rtl/sehhooks.h   what exceptions need from ke and ldr
 *   rtl/crtnames.h   memory, string and printf functions of the C run time
 *   rtl/rtlmore.h    SDDL, images, checksums, routines that the driver kit does not declare
 *
 * Memory that the library allocates in the kernel is paged pool with the tag 'Rtul'.
 */
#pragma once

#include "nt.h"
#include "rtl/unwind.h"
#include "rtl/sehhooks.h"
#include "rtl/crtnames.h"
#include "rtl/rtlmore.h"

/** Allocates paged pool for a result; the same as the library itself uses. IRQL <= APC_LEVEL. */
_Must_inspect_result_ PVOID RtlpAllocate(_In_ SIZE_T Bytes);

/** Frees what RtlpAllocate returned; NULL is allowed. */
VOID RtlpFree(_In_opt_ PVOID Memory);
