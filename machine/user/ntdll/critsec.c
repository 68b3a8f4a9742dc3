/* SPDX-License-Identifier: MIT */
/*
 * Critical sections.
 *
 * LockCount is -1 when free and otherwise counts the owner and those behind it. LockSemaphore, a
 * handle on Windows, is a counter of permits here: a leaver that sees others waiting puts one in,
 * and the waiter that takes it out is the next owner. Ownership is thus handed over, in order, and
 * no kernel object is needed per section, so that entering can't fail.
 */
#include "ntdllp.h"

#define CRITSEC_NO_DEBUG ((PRTL_CRITICAL_SECTION_DEBUG)(LONG_PTR)-1)
#define CRITSEC_SPIN_MASK 0x00FFFFFFu

static HANDLE RtlpThreadId(VOID)
{
    return NtCurrentTeb()->ClientId.UniqueThread;
}

static volatile LONG64 *RtlpPermits(PRTL_CRITICAL_SECTION Section)
{
    return (volatile LONG64 *)&Section->LockSemaphore;
}

NTSTATUS NTAPI RtlInitializeCriticalSectionEx(PRTL_CRITICAL_SECTION Section, ULONG SpinCount, ULONG Flags)
{
    UNREFERENCED_PARAMETER(Flags);
    if (SpinCount & ~CRITSEC_SPIN_MASK & 0x7F000000u)
    {
        return STATUS_INVALID_PARAMETER_2;
    }
    Section->DebugInfo = CRITSEC_NO_DEBUG;
    Section->LockCount = -1;
    Section->RecursionCount = 0;
    Section->OwningThread = NULL;
    Section->LockSemaphore = NULL;
    /* On one processor spinning only delays the owner. */
    Section->SpinCount = NtCurrentPeb()->NumberOfProcessors > 1 ? SpinCount & CRITSEC_SPIN_MASK : 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlInitializeCriticalSectionAndSpinCount(PRTL_CRITICAL_SECTION Section, ULONG SpinCount)
{
    return RtlInitializeCriticalSectionEx(Section, SpinCount & CRITSEC_SPIN_MASK, 0);
}

NTSTATUS NTAPI RtlInitializeCriticalSection(PRTL_CRITICAL_SECTION Section)
{
    return RtlInitializeCriticalSectionEx(Section, 0, 0);
}

/** The section must be free; it can't be entered any more before it is initialised again. */
NTSTATUS NTAPI RtlDeleteCriticalSection(PRTL_CRITICAL_SECTION Section)
{
    Section->DebugInfo = NULL;
    Section->LockCount = -1;
    Section->RecursionCount = 0;
    Section->OwningThread = NULL;
    Section->LockSemaphore = NULL;
    Section->SpinCount = 0;
    return STATUS_SUCCESS;
}

ULONG NTAPI RtlSetCriticalSectionSpinCount(PRTL_CRITICAL_SECTION Section, ULONG SpinCount)
{
    ULONG old = (ULONG)Section->SpinCount;
    Section->SpinCount = NtCurrentPeb()->NumberOfProcessors > 1 ? SpinCount & CRITSEC_SPIN_MASK : 0;
    return old;
}

static VOID RtlpWaitForPermit(PRTL_CRITICAL_SECTION Section)
{
    volatile LONG64 *permits = RtlpPermits(Section);
    for (;;)
    {
        LONG64 seen = *permits;
        if (seen > 0)
        {
            if (_InterlockedCompareExchange64(permits, seen - 1, seen) == seen)
            {
                return;
            }
            continue;
        }
        RtlpCheckHopelessWait();
        RtlWaitOnAddress(permits, &seen, sizeof(seen), NULL);
    }
}

/** Enters, waiting as long as it takes. The same thread may enter again. */
NTSTATUS NTAPI RtlEnterCriticalSection(PRTL_CRITICAL_SECTION Section)
{
    HANDLE self = RtlpThreadId();
    if (Section->OwningThread == self)
    {
        _InterlockedIncrement(&Section->LockCount);
        Section->RecursionCount++;
        return STATUS_SUCCESS;
    }
    for (ULONG_PTR spin = Section->SpinCount & CRITSEC_SPIN_MASK; spin != 0; spin--)
    {
        if (Section->LockCount == -1 && _InterlockedCompareExchange(&Section->LockCount, 0, -1) == -1)
        {
            goto Owned;
        }
        if (Section->LockCount > 0)
        {
            break; /* others sleep already: spinning would only jump the queue */
        }
        YieldProcessor();
    }
    if (_InterlockedIncrement(&Section->LockCount) != 0)
    {
        RtlpWaitForPermit(Section);
    }
Owned:
    Section->OwningThread = self;
    Section->RecursionCount = 1;
    NtCurrentTeb()->CountOfOwnedCriticalSections++;
    return STATUS_SUCCESS;
}

/** Enters if that is possible without waiting. */
BOOL NTAPI RtlTryEnterCriticalSection(PRTL_CRITICAL_SECTION Section)
{
    HANDLE self = RtlpThreadId();
    if (_InterlockedCompareExchange(&Section->LockCount, 0, -1) == -1)
    {
        Section->OwningThread = self;
        Section->RecursionCount = 1;
        NtCurrentTeb()->CountOfOwnedCriticalSections++;
        return TRUE;
    }
    if (Section->OwningThread == self)
    {
        _InterlockedIncrement(&Section->LockCount);
        Section->RecursionCount++;
        return TRUE;
    }
    return FALSE;
}

/** Leaves. Only the owner may; STATUS_RESOURCE_NOT_OWNED otherwise, and nothing changes. */
NTSTATUS NTAPI RtlLeaveCriticalSection(PRTL_CRITICAL_SECTION Section)
{
    if (Section->OwningThread != RtlpThreadId())
    {
        return STATUS_RESOURCE_NOT_OWNED;
    }
    if (--Section->RecursionCount != 0)
    {
        _InterlockedDecrement(&Section->LockCount);
        return STATUS_SUCCESS;
    }
    Section->OwningThread = NULL;
    NtCurrentTeb()->CountOfOwnedCriticalSections--;

    /* The section may be freed by the next owner as soon as it can get in: only addresses are used after. */
    volatile LONG64 *permits = RtlpPermits(Section);
    if (_InterlockedDecrement(&Section->LockCount) >= 0)
    {
        _InterlockedIncrement64(permits);
        RtlWakeAddressSingle((PVOID)(ULONG_PTR)permits);
    }
    return STATUS_SUCCESS;
}

ULONG NTAPI RtlIsCriticalSectionLockedByThread(PRTL_CRITICAL_SECTION Section)
{
    return Section->OwningThread == RtlpThreadId() && Section->RecursionCount != 0;
}
