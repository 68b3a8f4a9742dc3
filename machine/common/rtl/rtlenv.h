/* SPDX-License-Identifier: MIT */
/*
 * The ground the shared run-time library stands on: the NT types, whichever way it is compiled.
 *
 *   kernel     nt.h (the DDK headers with the kernel's settings)
 *   ntdll      the DDK headers too (RTL_USER_MODE is defined): one set of types for one set of sources,
 *              and no struggle between ntifs.h and windows.h inside the library
 *   native     a small shim (RTL_NATIVE is defined), for the tests that run on the build machine
 */
#ifndef ISTHMUS_RTLENV_H
#define ISTHMUS_RTLENV_H

#if defined(RTL_NATIVE)

#include "ntshim.h"

#else

#ifndef _CRTIMP
#define _CRTIMP
#endif

/* mingw's intrin.h and wdm.h both define these two, the first one as external functions in every object. */
#ifndef __INTRINSIC_DEFINED_InterlockedBitTestAndSet
#define __INTRINSIC_DEFINED_InterlockedBitTestAndSet
#endif
#ifndef __INTRINSIC_DEFINED_InterlockedBitTestAndReset
#define __INTRINSIC_DEFINED_InterlockedBitTestAndReset
#endif

#if defined(RTL_USER_MODE)
#ifndef _NTOSKRNL_
#define _NTOSKRNL_
#endif
#ifndef NTSYSAPI
#define NTSYSAPI
#endif
#include <ntifs.h>
#include <ntimage.h>
#else
#include "nt.h"
#include <ntimage.h>
#endif

#include <sal.h>
#include <stdarg.h>
#include <stddef.h>

/* Headers turn these names into calls of the C run time; the library defines the functions themselves. */
#undef RtlMoveMemory
#undef RtlCopyMemory
#undef RtlFillMemory
#undef RtlZeroMemory
#undef RtlEqualMemory
#undef RtlCompareMemory

#endif /* RTL_NATIVE */

#ifndef UNREFERENCED_PARAMETER
#define UNREFERENCED_PARAMETER(P) ((void)(P))
#endif

/** Copies Length bytes between buffers that do not overlap. */
#define RtlpCopy(Destination, Source, Length) __builtin_memcpy((Destination), (Source), (Length))
/** Copies Length bytes between buffers that may overlap. */
#define RtlpMove(Destination, Source, Length) __builtin_memmove((Destination), (Source), (Length))
/** Clears Length bytes. */
#define RtlpZero(Destination, Length) __builtin_memset((Destination), 0, (Length))

/**
 * Allocates memory for a result that the caller frees later (a string buffer, an ACL).
 * Kernel: paged pool. ntdll: the process heap. Native tests: malloc, with failures on demand.
 *
 * @param Bytes  size in bytes, not zero
 * @return 16-byte aligned memory with undefined contents, or NULL
 *
 * IRQL: <= APC_LEVEL (the kernel's is paged pool).
 */
_Must_inspect_result_ PVOID RtlpAllocate(_In_ SIZE_T Bytes);

/**
 * Frees what RtlpAllocate returned; NULL is allowed.
 */
VOID RtlpFree(_In_opt_ PVOID Memory);

#endif /* ISTHMUS_RTLENV_H */
