/* SPDX-License-Identifier: MIT */
/*
 * Reader-writer spin locks (EX_SPIN_LOCK, 32 bits): bit 31 a writer has it or waits, bits 30..0 readers inside.
 * A waiting writer keeps new readers out.
 */
#include "kip.h"

typedef LONG EX_SPIN_LOCK, *PEX_SPIN_LOCK;

#undef ExAcquireSpinLock
#undef ExReleaseSpinLock

#define KI_WRITER 0x80000000UL

static VOID KiAcquireShared(volatile LONG *Lock)
{
    for (;;)
    {
        LONG value = *Lock;

        if (!((ULONG)value & KI_WRITER) && InterlockedCompareExchange(Lock, value + 1, value) == value)
        {
            return;
        }
        _mm_pause();
    }
}

static VOID KiAcquireExclusive(volatile LONG *Lock)
{
    while (InterlockedOr(Lock, (LONG)KI_WRITER) & KI_WRITER)
    {
        while ((ULONG)*Lock & KI_WRITER)
        {
            _mm_pause();
        }
    }
    while ((ULONG)*Lock != KI_WRITER)
    {
        _mm_pause(); /* readers leave */
    }
}

/** Takes the lock for reading; returns the IRQL before. IRQL: <= DISPATCH_LEVEL, then DISPATCH_LEVEL. */
KIRQL NTAPI ExAcquireSpinLockShared(PEX_SPIN_LOCK SpinLock)
{
    KIRQL old = KfRaiseIrql(DISPATCH_LEVEL);

    KiAcquireShared(SpinLock);
    return old;
}

/** Takes the lock for reading. IRQL: >= DISPATCH_LEVEL. */
VOID NTAPI ExAcquireSpinLockSharedAtDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    KiAcquireShared(SpinLock);
}

/** Ends reading. IRQL: >= DISPATCH_LEVEL. */
VOID NTAPI ExReleaseSpinLockSharedFromDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    if (((ULONG)*SpinLock & ~KI_WRITER) == 0)
    {
        KeBugCheckEx(0x10, (ULONG_PTR)SpinLock, 0, 0, 0);
    }
    InterlockedDecrement(SpinLock);
}

/** Ends reading and lowers the IRQL. */
VOID NTAPI ExReleaseSpinLockShared(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql)
{
    ExReleaseSpinLockSharedFromDpcLevel(SpinLock);
    KeLowerIrql(OldIrql);
}

/** Takes the lock for writing; returns the IRQL before. IRQL: <= DISPATCH_LEVEL, then DISPATCH_LEVEL. */
KIRQL NTAPI ExAcquireSpinLockExclusive(PEX_SPIN_LOCK SpinLock)
{
    KIRQL old = KfRaiseIrql(DISPATCH_LEVEL);

    KiAcquireExclusive(SpinLock);
    return old;
}

/** Takes the lock for writing. IRQL: >= DISPATCH_LEVEL. */
VOID NTAPI ExAcquireSpinLockExclusiveAtDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    KiAcquireExclusive(SpinLock);
}

/** Ends writing. IRQL: >= DISPATCH_LEVEL. */
VOID NTAPI ExReleaseSpinLockExclusiveFromDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    if (!((ULONG)*SpinLock & KI_WRITER))
    {
        KeBugCheckEx(0x10, (ULONG_PTR)SpinLock, 0, 0, 0);
    }
    InterlockedAnd(SpinLock, (LONG)~KI_WRITER);
}

/** Ends writing and lowers the IRQL. */
VOID NTAPI ExReleaseSpinLockExclusive(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql)
{
    ExReleaseSpinLockExclusiveFromDpcLevel(SpinLock);
    KeLowerIrql(OldIrql);
}

/** Turns the only reader into the writer; FALSE if there are other readers or a waiting writer. IRQL: DISPATCH_LEVEL.
    */
LOGICAL NTAPI ExTryConvertSharedSpinLockExclusive(PEX_SPIN_LOCK SpinLock)
{
    return InterlockedCompareExchange(SpinLock, (LONG)KI_WRITER, 1) == 1;
}
