/* SPDX-License-Identifier: MIT */
/*
 * Floating point in the kernel.
 *
 * The Microsoft ABI makes XMM0-5 volatile and the trap code saves them, so compiled code may use SSE at any time.
 * What a driver can disturb is MXCSR (saved here) and the x87 registers, which belong to the program of the thread:
 * on x64 the rules forbid them to drivers, and KFLOATING_SAVE has no room for them.
 */
#include "kip.h"

/** Saves MXCSR and sets it to its default. Pair with KeRestoreFloatingPointState in the same thread and IRQL.
    IRQL: <= DISPATCH_LEVEL. */
NTSTATUS NTAPI KeSaveFloatingPointState(PKFLOATING_SAVE FloatSave)
{
    ULONG standard = KI_MXCSR_DEFAULT, current;

    __asm__ volatile("stmxcsr %0" : "=m"(current));
    FloatSave->Dummy = current;
    __asm__ volatile("ldmxcsr %0" : : "m"(standard));
    return STATUS_SUCCESS;
}

/** Undoes KeSaveFloatingPointState. */
NTSTATUS NTAPI KeRestoreFloatingPointState(PKFLOATING_SAVE FloatSave)
{
    ULONG saved = FloatSave->Dummy & KiMxCsrMask;

    __asm__ volatile("ldmxcsr %0" : : "m"(saved));
    return STATUS_SUCCESS;
}

/**
 * Saves processor state. This machine enables x87 and SSE only; of a Mask asking for more, those two are saved, and
 * more is not there to be disturbed.
 *
 * @return STATUS_SUCCESS; STATUS_INSUFFICIENT_RESOURCES
 * IRQL: <= DISPATCH_LEVEL. Pair with KeRestoreExtendedProcessorState in the same thread.
 */
NTSTATUS NTAPI KeSaveExtendedProcessorState(ULONG64 Mask, PXSTATE_SAVE XStateSave)
{
    PUCHAR buffer;
    PVOID area;

    RtlZeroMemory(XStateSave, sizeof(*XStateSave));
    XStateSave->Thread = KiCurrentThread();
    XStateSave->Level = KeGetCurrentIrql();
    XStateSave->XStateContext.Mask = Mask & 3;
    if ((Mask & 3) == 0)
    {
        return STATUS_SUCCESS;
    }
    buffer = ExAllocatePoolWithTag(NonPagedPoolNx, 512 + 16, 'xFeK');
    if (buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    area = (PVOID)(((ULONG_PTR)buffer + 15) & ~(ULONG_PTR)15);
    __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
    XStateSave->XStateContext.Buffer = buffer;
    XStateSave->XStateContext.Area = area;
    XStateSave->XStateContext.Length = 512;
    return STATUS_SUCCESS;
}

/** Undoes KeSaveExtendedProcessorState. */
VOID NTAPI KeRestoreExtendedProcessorState(PXSTATE_SAVE XStateSave)
{
    PVOID buffer = XStateSave->XStateContext.Buffer;

    if (buffer == NULL)
    {
        return;
    }
    __asm__ volatile("fxrstor64 (%0)" : : "r"(XStateSave->XStateContext.Area) : "memory");
    XStateSave->XStateContext.Buffer = NULL;
    XStateSave->XStateContext.Area = NULL;
    ExFreePoolWithTag(buffer, 'xFeK');
}
