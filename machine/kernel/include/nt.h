/* SPDX-License-Identifier: MIT */
/*
 * What every file of the kernel starts with: the public driver-kit types as the mingw-w64 headers
 * give them, the layouts shared with user mode, and the few words that all rooms use.
 *
 * The headers are compiled with _NTOSKRNL_ and NTSYSAPI= so that nothing is declared as imported.
 */
#pragma once

/* The driver kit declares the exported object types as a driver sees them: as the import slot, that is a
   pointer to the variable. In here the variable itself is meant, so these declarations are set aside. */
#define CmKeyObjectType CmKeyObjectType_seen_by_drivers
#define ExEventObjectType ExEventObjectType_seen_by_drivers
#define ExSemaphoreObjectType ExSemaphoreObjectType_seen_by_drivers
#define IoFileObjectType IoFileObjectType_seen_by_drivers
#define PsProcessType PsProcessType_seen_by_drivers
#define PsThreadType PsThreadType_seen_by_drivers
#define SeTokenObjectType SeTokenObjectType_seen_by_drivers
#include <ntifs.h>
#undef CmKeyObjectType
#undef ExEventObjectType
#undef ExSemaphoreObjectType
#undef IoFileObjectType
#undef PsProcessType
#undef PsThreadType
#undef SeTokenObjectType
#include <ntimage.h>
#include "ntpeb.h"

/* Declared by the headers, provided by no library when code is freestanding. */
#define _disable() __asm__ __volatile__("cli" ::: "memory")
#define _enable() __asm__ __volatile__("sti" ::: "memory")

extern POBJECT_TYPE CmKeyObjectType, ExEventObjectType, ExSemaphoreObjectType, IoFileObjectType;
extern POBJECT_TYPE PsProcessType, PsThreadType, SeTokenObjectType, MmSectionObjectType;

/* Opaque to drivers, known in here (ke.h, ps.h). */
typedef struct _KPROCESS KPROCESS;
typedef struct _KTHREAD KTHREAD;
typedef struct _EPROCESS EPROCESS;
typedef struct _ETHREAD ETHREAD;

#ifndef C_ASSERT
#define C_ASSERT(e) _Static_assert(e, #e)
#endif

/* Size of one page and the shapes derived from it; PFN_NUMBER is 8 bytes on x64. */
#define BYTES_TO_MB(b) ((b) >> 20)

/* Where things lie in the kernel half. One table, so that a bug-check screen can name a region.
 *
 *   FFFF8000'00000000  direct map of all physical memory (set up by the loader, RW NX)   512 GB
 *   FFFFA000'00000000  nonpaged pool                                                     16 GB
 *   FFFFA800'00000000  paged pool                                                        16 GB
 *   FFFFB000'00000000  system PTEs: kernel views of MDLs, kernel stacks, I/O space       64 GB
 *   FFFFB800'00000000  special pool, nonpaged                                            16 GB
 *   FFFFB880'00000000  special pool, paged: a top-level entry of its own (forceirql.c)    16 GB
 *   FFFFF680'00000000  page tables of the kernel half, their entries in a row (pte.c)     512 GB
 *   FFFFF780'00000000  KUSER_SHARED_DATA (kernel's writable view)                        4 KB
 *   FFFFF800'00000000  images: the kernel and the drivers                                512 GB
 *   FFFFFA80'00000000  PFN database
 */
#define MM_DIRECT_MAP_BASE      0xFFFF800000000000ULL
#define MM_NONPAGED_POOL_BASE   0xFFFFA00000000000ULL
#define MM_PAGED_POOL_BASE      0xFFFFA80000000000ULL
#define MM_SYSTEM_PTE_BASE      0xFFFFB00000000000ULL
#define MM_SPECIAL_POOL_BASE    0xFFFFB80000000000ULL
#define MM_SPECIAL_PAGED_POOL_BASE 0xFFFFB88000000000ULL
#define MM_PTE_BASE             0xFFFFF68000000000ULL
#define MM_SHARED_USER_DATA     0xFFFFF78000000000ULL
#define MM_IMAGE_BASE           0xFFFFF80000000000ULL
#define MM_PFN_DATABASE_BASE    0xFFFFFA8000000000ULL
#undef MM_SYSTEM_RANGE_START
#undef MM_USER_PROBE_ADDRESS
#define MM_SYSTEM_RANGE_START   ((PVOID)0xFFFF800000000000ULL)
#define MM_LOWEST_USER          ((PVOID)0x10000ULL)
#define MM_HIGHEST_USER         ((PVOID)0x7FFFFFFEFFFFULL)
#define MM_USER_PROBE_ADDRESS   0x7FFFFFFF0000ULL

/** TRUE if the address lies in the kernel half. Any IRQL. */
static inline BOOLEAN MmIsSystemAddress(const volatile void *Address)
{
    return (ULONG_PTR)Address >= (ULONG_PTR)MM_SYSTEM_RANGE_START;
}

/* The ordered accesses that the driver kit of Windows 8 and later has and these headers lack. Any IRQL. */
#ifndef ReadAcquire
static inline LONG ReadAcquire(const volatile LONG *Source) { return __atomic_load_n(Source, __ATOMIC_ACQUIRE); }
static inline LONG64 ReadAcquire64(const volatile LONG64 *Source) { return __atomic_load_n(Source, __ATOMIC_ACQUIRE); }
static inline VOID WriteRelease(volatile LONG *Target, LONG Value) { __atomic_store_n(Target, Value, __ATOMIC_RELEASE); }
static inline VOID WriteRelease64(volatile LONG64 *Target, LONG64 Value) { __atomic_store_n(Target, Value, __ATOMIC_RELEASE); }
#define ReadAcquire ReadAcquire
#endif
