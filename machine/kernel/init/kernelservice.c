/* SPDX-License-Identifier: MIT */
/*
 * Around each ZwXxx that kernel code calls: the service must see KernelMode as the previous mode, and the caller's own
 * previous mode must come back. (The ZwXxx routines themselves are made from services.def.)
 */
#include "ke.h"

UCHAR KiEnterKernelService(VOID);
VOID KiLeaveKernelService(UCHAR Previous);

UCHAR KiEnterKernelService(VOID)
{
    PKTHREAD thread = KiCurrentThread();
    UCHAR previous = (UCHAR)thread->PreviousMode;

    thread->PreviousMode = KernelMode;
    return previous;
}

VOID KiLeaveKernelService(UCHAR Previous)
{
    KiCurrentThread()->PreviousMode = (KPROCESSOR_MODE)Previous;
}
