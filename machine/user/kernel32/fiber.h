/* SPDX-License-Identifier: MIT */
/* Fibers: what fiber.c and fiber.S share. */
#pragma once

#include "base.h"

/* The first field is what GetFiberData reads through the TEB; the others' offsets are known to fiber.S. */
typedef struct _BASE_FIBER
{
    PVOID Parameter;
    PVOID StackPointer;            /* 0x08: where BaseSwitchFiber left its registers */
    PVOID StackBase;               /* 0x10: what the TEB holds while the fiber runs */
    PVOID StackLimit;              /* 0x18 */
    PVOID DeallocationStack;       /* 0x20 */
    PVOID FlsData;                 /* 0x28 */
    LPFIBER_START_ROUTINE Start;
    BOOLEAN OwnStack;              /* made by CreateFiber; a converted thread's stack is the thread's */
} BASE_FIBER;

/** Leaves From, goes on in To: registers, stack, and what of the TEB belongs to a fiber. */
VOID BaseSwitchFiber(BASE_FIBER *From, BASE_FIBER *To);

/** What BaseSwitchFiber pops: a new fiber's stack begins with it. */
typedef struct _BASE_FIBER_FRAME
{
    ULONG64 Xmm[10][2];            /* xmm6 to xmm15 */
    ULONG MxCsr, FpCsr;
    ULONG64 Padding;
    ULONG64 R15, R14, R13, R12, Rdi, Rsi, Rbx, Rbp;
    PVOID Return;
    PVOID End;                     /* the first routine's return address: none */
} BASE_FIBER_FRAME;
_Static_assert(sizeof(BASE_FIBER_FRAME) == 0x100, "fiber.S counts on it");
