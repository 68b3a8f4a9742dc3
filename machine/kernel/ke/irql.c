/* SPDX-License-Identifier: MIT */
/*
 * The IRQL routines as exports. The driver kit's headers of mingw make them inline functions on CR8; drivers built with
 * others call them. Lowering CR8 is all it takes: software interrupts are interrupts of the local APIC, and it holds
 * back those whose vector's class is not above CR8.
 */
#include "kip.h"
#include "vf.h"

#undef KeLowerIrql
#undef KeRaiseIrql

KIRQL NTAPI KiExportGetCurrentIrql(VOID) __asm__("KeGetCurrentIrql");
KIRQL NTAPI KiExportRaiseIrql(KIRQL NewIrql) __asm__("KfRaiseIrql");
VOID NTAPI KiExportRaiseIrqlOld(KIRQL NewIrql, PKIRQL OldIrql) __asm__("KeRaiseIrql");
VOID NTAPI KiExportLowerIrql(KIRQL NewIrql) __asm__("KeLowerIrql");
VOID NTAPI KiExportLowerIrqlFast(KIRQL NewIrql) __asm__("KfLowerIrql");
KIRQL NTAPI KiExportRaiseIrqlToDpcLevel(VOID) __asm__("KeRaiseIrqlToDpcLevel");
KIRQL NTAPI KiExportRaiseIrqlToSynchLevel(VOID) __asm__("KeRaiseIrqlToSynchLevel");
KIRQL FASTCALL KiExportAcquireSpinLock(PKSPIN_LOCK SpinLock) __asm__("KfAcquireSpinLock");
VOID FASTCALL KiExportReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql) __asm__("KfReleaseSpinLock");
VOID FASTCALL KiExportAcquireAtDpc(PKSPIN_LOCK SpinLock) __asm__("KefAcquireSpinLockAtDpcLevel");
VOID FASTCALL KiExportReleaseFromDpc(PKSPIN_LOCK SpinLock) __asm__("KefReleaseSpinLockFromDpcLevel");
VOID NTAPI KiExportInitializeSpinLock(PKSPIN_LOCK SpinLock) __asm__("KeInitializeSpinLock");
PKTHREAD NTAPI KiExportGetCurrentThread(VOID) __asm__("KeGetCurrentThread");
ULONG NTAPI KiExportGetCurrentProcessorNumber(VOID) __asm__("KeGetCurrentProcessorNumber");

/** The processor's IRQL. */
KIRQL NTAPI KiExportGetCurrentIrql(VOID)
{
    return (KIRQL)__readcr8();
}

/*
 * Raising below the present level is what IRQL_NOT_GREATER_OR_EQUAL (9) is for; Verifier: C4, 30. (Windows for x64 does
 * not look unless the verifier is on; the parameters without it are ours.)
 */
static KIRQL KiRaise(KIRQL NewIrql, PVOID Caller)
{
    KIRQL old = (KIRQL)__readcr8();

    if (NewIrql < old || NewIrql > HIGH_LEVEL)
    {
        VfCheck(FALSE, 0x30, old, NewIrql, 0);
        KeBugCheckEx(0x09, old, NewIrql, 0, (ULONG_PTR)Caller);
    }
    __writecr8(NewIrql);
    return old;
}

/** Raises the IRQL; returns the one before. */
KIRQL NTAPI KiExportRaiseIrql(KIRQL NewIrql)
{
    return KiRaise(NewIrql, __builtin_return_address(0));
}

/** Raises the IRQL; *OldIrql receives the one before. */
VOID NTAPI KiExportRaiseIrqlOld(KIRQL NewIrql, PKIRQL OldIrql)
{
    *OldIrql = KiRaise(NewIrql, __builtin_return_address(0));
}

/* C4, 31; its fourth parameter says whether it is the level that is wrong, or lowering it in a DPC. */
static VOID KiLower(KIRQL NewIrql, PVOID Caller)
{
    KIRQL old = (KIRQL)__readcr8();

    if (NewIrql > old)
    {
        VfCheck(FALSE, 0x31, old, NewIrql, 0);
        KeBugCheckEx(0x0A, 0, old, NewIrql, (ULONG_PTR)Caller);
    }
    if (old >= DISPATCH_LEVEL && NewIrql < DISPATCH_LEVEL && KiPrcb()->DpcRoutineActive)
    {
        VfCheck(FALSE, 0x31, old, NewIrql, 1);
    }
    __writecr8(NewIrql);
}

/** Lowers the IRQL; what was held back runs at once. */
VOID NTAPI KiExportLowerIrql(KIRQL NewIrql)
{
    KiLower(NewIrql, __builtin_return_address(0));
}

/** KeLowerIrql. */
VOID NTAPI KiExportLowerIrqlFast(KIRQL NewIrql)
{
    KiLower(NewIrql, __builtin_return_address(0));
}

/** Raises to DISPATCH_LEVEL; returns the IRQL before. */
KIRQL NTAPI KiExportRaiseIrqlToDpcLevel(VOID)
{
    return KiRaise(DISPATCH_LEVEL, __builtin_return_address(0));
}

/** Raises to SYNCH_LEVEL, 12; returns the IRQL before. */
KIRQL NTAPI KiExportRaiseIrqlToSynchLevel(VOID)
{
    return KiRaise(12, __builtin_return_address(0));
}

/** KeAcquireSpinLockRaiseToDpc by its old name. */
KIRQL FASTCALL KiExportAcquireSpinLock(PKSPIN_LOCK SpinLock)
{
    return KeAcquireSpinLockRaiseToDpc(SpinLock);
}

/** KeReleaseSpinLock by its old name. */
VOID FASTCALL KiExportReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    KeReleaseSpinLock(SpinLock, NewIrql);
}

/** KeAcquireSpinLockAtDpcLevel by its old name. */
VOID FASTCALL KiExportAcquireAtDpc(PKSPIN_LOCK SpinLock)
{
    KeAcquireSpinLockAtDpcLevel(SpinLock);
}

/** KeReleaseSpinLockFromDpcLevel by its old name. */
VOID FASTCALL KiExportReleaseFromDpc(PKSPIN_LOCK SpinLock)
{
    KeReleaseSpinLockFromDpcLevel(SpinLock);
}

/** Makes a free spin lock. */
VOID NTAPI KiExportInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    *SpinLock = 0;
}

/** The running thread. */
PKTHREAD NTAPI KiExportGetCurrentThread(VOID)
{
    return KiCurrentThread();
}

/** The processor's number. */
ULONG NTAPI KiExportGetCurrentProcessorNumber(VOID)
{
    return KiCurrentProcessor();
}
