/* SPDX-License-Identifier: MIT */
/*
 * Which stack is this, and running on a bigger one.
 */
#include "../kip.h"
#include "mm.h"
#include "rtl/rtlenv.h"
#include "rtl/sehhooks.h"

#define KI_LARGE_STACK 0x12000            /* what Windows calls KERNEL_LARGE_STACK_SIZE */
#define KI_MAXIMUM_EXPANSION (KI_LARGE_STACK - 0x3000)
#define KI_CALLOUT_RESERVE 0x800          /* for the frames between here and the callout */

UCHAR KiBugCheckStack[KI_BUGCHECK_STACK_SIZE] __attribute__((aligned(16)));

static BOOLEAN KiWithin(ULONG_PTR Pointer, ULONG_PTR Low, ULONG_PTR High)
{
    return Pointer >= Low && Pointer < High;
}

/* The stack that a pointer lies in, among those the current processor and thread use. */
VOID KiStackOf(ULONG_PTR Pointer, PULONG_PTR Low, PULONG_PTR High)
{
    PKTHREAD thread = KiCurrentThread(); /* by one instruction: the thread may go on on another processor at any time */
    PKPRCB prcb = KiPrcb();              /* whose own stacks nobody leaves for another processor */
    ULONG_PTR dpc = (ULONG_PTR)prcb->DpcStack;
    ULONG_PTR bug = (ULONG_PTR)KiBugCheckStack;
    PKI_PROCESSOR processor = prcb->Processor;

    *Low = *High = 0;
    if (KiWithin(Pointer, (ULONG_PTR)thread->StackLimit, (ULONG_PTR)thread->StackBase))
    {
        *Low = (ULONG_PTR)thread->StackLimit;
        *High = (ULONG_PTR)thread->StackBase;
    }
    else if (KiWithin(Pointer, dpc - KI_DPC_STACK_SIZE, dpc))
    {
        *Low = dpc - KI_DPC_STACK_SIZE;
        *High = dpc;
    }
    else if (KiWithin(Pointer, (ULONG_PTR)thread->SehStackLimits[0], (ULONG_PTR)thread->SehStackLimits[1]))
    {
        *Low = (ULONG_PTR)thread->SehStackLimits[0];
        *High = (ULONG_PTR)thread->SehStackLimits[1];
    }
    else if (KiWithin(Pointer, bug, bug + sizeof(KiBugCheckStack)))
    {
        *Low = bug;
        *High = bug + sizeof(KiBugCheckStack);
    }
    else
    {
        for (ULONG i = 0; i < KiIstCount - 1; i++)
        {
            ULONG_PTR base = (ULONG_PTR)processor->IstStacks[i];

            if (KiWithin(Pointer, base, base + KI_IST_STACK_SIZE))
            {
                *Low = base;
                *High = base + KI_IST_STACK_SIZE;
            }
        }
    }
}

/** Bounds of the stack the caller runs on. IRQL: any. */
VOID KeGetStackLimits(PULONG_PTR Low, PULONG_PTR High)
{
    KiStackOf((ULONG_PTR)__builtin_frame_address(0), Low, High);
}

/* The same, as the unwinder asks for it. */
VOID RtlpGetStackLimits(_Out_ PULONG_PTR Low, _Out_ PULONG_PTR High)
{
    KeGetStackLimits(Low, High);
}

typedef struct _KI_CALLOUT
{
    PEXPAND_STACK_CALLOUT Routine;
    PVOID Parameter;
} KI_CALLOUT;

static ULONG_PTR KiRunCallout(PVOID Argument)
{
    KI_CALLOUT *callout = Argument;

    callout->Routine(callout->Parameter);
    return 0;
}

/**
 * Calls a routine with at least Size bytes of stack.
 *
 * @param Size     bytes, at most 0xF000
 * @param Wait     TRUE: may wait for memory
 * @param Context  not used
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER_3; STATUS_NO_MEMORY (also at DISPATCH_LEVEL if the present stack
 * is too
 *         small: stacks are made at <= APC_LEVEL)
 * IRQL: <= DISPATCH_LEVEL. An exception in the routine does not pass its end.
 */
NTSTATUS NTAPI KeExpandKernelStackAndCalloutEx(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size,
                                               BOOLEAN Wait, PVOID Context)
{
    PKTHREAD thread = KiCurrentThread();
    KI_CALLOUT callout = {Callout, Parameter};
    PVOID oldLow = thread->SehStackLimits[0], oldHigh = thread->SehStackLimits[1];
    ULONG_PTR low, high, here = (ULONG_PTR)__builtin_frame_address(0);
    PVOID top;

    if (Size > KI_MAXIMUM_EXPANSION)
    {
        return STATUS_INVALID_PARAMETER_3;
    }
    KiStackOf(here, &low, &high);
    if (here - low >= Size + KI_CALLOUT_RESERVE)
    {
        Callout(Parameter);
        return STATUS_SUCCESS;
    }
    if (KeGetCurrentIrql() > APC_LEVEL)
    {
        return STATUS_NO_MEMORY;
    }
    top = MmCreateKernelStack(KI_LARGE_STACK);
    if (top == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    thread->SehStackLimits[0] = (PUCHAR)top - KI_LARGE_STACK;
    thread->SehStackLimits[1] = top;
    KiCallOnStack(KiRunCallout, &callout, top);
    thread->SehStackLimits[0] = oldLow;
    thread->SehStackLimits[1] = oldHigh;
    MmDeleteKernelStack(top, KI_LARGE_STACK);
    return STATUS_SUCCESS;
}

/** KeExpandKernelStackAndCalloutEx(Callout, Parameter, Size, TRUE, NULL). IRQL: <= APC_LEVEL. */
NTSTATUS NTAPI KeExpandKernelStackAndCallout(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size)
{
    return KeExpandKernelStackAndCalloutEx(Callout, Parameter, Size, TRUE, NULL);
}
