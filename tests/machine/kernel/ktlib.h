/* SPDX-License-Identifier: MIT */
/*
 * What the groups have in common: threads, memory of the current process, locks and maps that report the exception
 * they raised, and declarations of NT routines that the mingw-w64 headers lack.
 */
#pragma once

#include "ktest.h"

#define KT_TAG 'tseT'

/* ---- declarations that these headers lack ---- */

typedef enum _KT_APC_ENVIRONMENT
{
    OriginalApcEnvironment,
    AttachedApcEnvironment,
    CurrentApcEnvironment,
    InsertApcEnvironment
} KAPC_ENVIRONMENT;

NTKERNELAPI VOID NTAPI KeInitializeApc(PKAPC Apc, PKTHREAD Thread, KAPC_ENVIRONMENT Environment,
                                       PKKERNEL_ROUTINE KernelRoutine, PKRUNDOWN_ROUTINE RundownRoutine,
                                       PKNORMAL_ROUTINE NormalRoutine, KPROCESSOR_MODE Mode, PVOID NormalContext);
NTKERNELAPI BOOLEAN NTAPI KeInsertQueueApc(PKAPC Apc, PVOID Argument1, PVOID Argument2, KPRIORITY Increment);

NTSYSAPI VOID NTAPI RtlRaiseException(PEXCEPTION_RECORD Record);
NTSYSAPI NTSTATUS NTAPI ZwProtectVirtualMemory(HANDLE Process, PVOID *Base, PSIZE_T Size, ULONG Protect,
                                               PULONG OldProtect);
NTSYSAPI NTSTATUS NTAPI ZwSetInformationProcess(HANDLE Process, PROCESSINFOCLASS Class, PVOID Information,
                                                ULONG Length);

NTKERNELAPI NTSTATUS NTAPI ObCloseHandle(HANDLE Handle, KPROCESSOR_MODE PreviousMode);
NTKERNELAPI NTSTATUS NTAPI PsGetThreadExitStatus(PETHREAD Thread);

typedef struct _MEMORY_BASIC_INFORMATION
{
    PVOID BaseAddress, AllocationBase;
    ULONG AllocationProtect;
    SIZE_T RegionSize;
    ULONG State, Protect, Type;
} MEMORY_BASIC_INFORMATION;
#define KT_MEMORY_BASIC_INFORMATION 0
NTSYSAPI NTSTATUS NTAPI ZwQueryVirtualMemory(HANDLE Process, PVOID Base, ULONG Class, PVOID Information, SIZE_T Length,
                                             PSIZE_T Returned);

NTKERNELAPI KIRQL NTAPI ExAcquireSpinLockShared(PLONG SpinLock);
NTKERNELAPI VOID NTAPI ExReleaseSpinLockShared(PLONG SpinLock, KIRQL OldIrql);
NTKERNELAPI KIRQL NTAPI ExAcquireSpinLockExclusive(PLONG SpinLock);
NTKERNELAPI VOID NTAPI ExReleaseSpinLockExclusive(PLONG SpinLock, KIRQL OldIrql);
NTKERNELAPI LOGICAL NTAPI ExTryConvertSharedSpinLockExclusive(PLONG SpinLock);

NTKERNELAPI PVOID NTAPI ExAllocatePool2(ULONG64 Flags, SIZE_T NumberOfBytes, ULONG Tag);

#ifndef POOL_FLAG_NON_PAGED
#define POOL_FLAG_UNINITIALIZED 0x0000000000000002ULL
#define POOL_FLAG_CACHE_ALIGNED 0x0000000000000008ULL
#define POOL_FLAG_RAISE_ON_FAILURE 0x0000000000000020ULL
#define POOL_FLAG_NON_PAGED 0x0000000000000040ULL
#define POOL_FLAG_NON_PAGED_EXECUTE 0x0000000000000080ULL
#define POOL_FLAG_PAGED 0x0000000000000100ULL
#endif

#ifndef MdlMappingNoWrite
#define MdlMappingNoWrite 0x80000000
#define MdlMappingNoExecute 0x40000000
#endif
#ifndef MM_DONT_ZERO_ALLOCATION
#define MM_DONT_ZERO_ALLOCATION 0x00000001
#endif

/* ---- exceptions ---- */

/** The code that evaluating the statement raised, STATUS_SUCCESS if none. */
#define KT_RAISED(statement)                                \
    ({                                                      \
        volatile NTSTATUS raised_ = STATUS_SUCCESS;         \
        __try                                               \
        {                                                   \
            statement;                                      \
        }                                                   \
        __except (EXCEPTION_EXECUTE_HANDLER)                \
        {                                                   \
            raised_ = GetExceptionCode();                   \
        }                                                   \
        raised_;                                            \
    })

/* ---- time and threads ---- */

/** A relative time for waits and timers. */
LARGE_INTEGER KtMilliseconds(LONG Count);
VOID KtSleep(LONG Milliseconds);

/** Starts a system thread; NULL, and a failed check, if that cannot be. The result goes to KtJoin. PASSIVE_LEVEL. */
PETHREAD KtStart(KTEST_RUN *Run, PKSTART_ROUTINE Routine, PVOID Context);
/** Waits for the thread's end and drops the reference. NULL is ignored. */
VOID KtJoin(PETHREAD Thread);
/** Waits, for ten seconds at most, until the value is this one; TRUE if it is. PASSIVE_LEVEL. */
BOOLEAN KtUntil(volatile LONG *Value, LONG Expected);
/** Binds the current thread to one CPU; TRUE when it runs there. */
BOOLEAN KtRunOn(ULONG Cpu);

/* ---- memory of the current process ---- */

/** Reserves and commits; NULL, and a failed check, without memory. PASSIVE_LEVEL. */
PVOID KtUserAllocate(KTEST_RUN *Run, SIZE_T Size, ULONG Protect);
VOID KtUserFree(PVOID Base);
NTSTATUS KtUserProtect(PVOID Base, SIZE_T Size, ULONG Protect);

/** The frame number behind an address of the kernel or of the current process. */
PFN_NUMBER KtPfn(PVOID Va);

/* ---- MDLs ---- */

/** MmProbeAndLockPages; returns the status it raised. */
NTSTATUS KtLock(PMDL Mdl, KPROCESSOR_MODE Mode, LOCK_OPERATION Operation);
/** MmMapLockedPagesSpecifyCache into the current process; *Status is what it raised, and the result then NULL. */
PVOID KtMapUser(PMDL Mdl, PVOID Base, ULONG Priority, NTSTATUS *Status);
/** MdlFlags without the sign that CSHORT gives them. */
ULONG KtFlags(const MDL *Mdl);
/** Adds a line with the MDL's fields. */
VOID KtSayMdl(KTEST_RUN *Run, PCSTR What, PMDL Mdl);

/* ---- bytes ---- */

/** A pseudo-random number; the seed is the state. */
ULONG KtRandom(PULONG Seed);
/** Fills memory with bytes that depend on the seed and the place. */
VOID KtFill(PVOID Memory, SIZE_T Size, ULONG Seed);
/** The number of bytes that are not as KtFill left them. */
SIZE_T KtMismatches(const VOID *Memory, SIZE_T Size, ULONG Seed);
/** TRUE if every byte is this one. */
BOOLEAN KtAllBytes(const VOID *Memory, SIZE_T Size, UCHAR Byte);
