/* SPDX-License-Identifier: MIT */
/*
 * What a trap or an interrupt leads to. The assembly entry calls KiTrapDispatch with interrupts off; it returns with
 * interrupts off and, when the way leads to user mode, with user APCs delivered.
 */
#include "../kip.h"
#include "mm.h"

extern const UCHAR KiSystemCall64[], KiSystemCallEnd[];
extern const UCHAR KiServiceCopyStart[], KiServiceCopyEnd[], KiServiceFault[], KiServiceReturn[];

static inline BOOLEAN KiFromUser(const KTRAP_FRAME *Frame)
{
    return (Frame->Cs & 3) != 0;
}

/* Delivers what waits for the return to user mode. Interrupts off on entry and exit, IRQL PASSIVE_LEVEL. */
VOID KiExitToUser(PKTRAP_FRAME Frame)
{
    PKTHREAD thread = KiCurrentThread();

    while (thread->ApcState.UserApcPending)
    {
        __writecr8(APC_LEVEL);
        KiEnable();
        KiDeliverApc(UserMode, Frame);
        KiDisable();
        __writecr8(PASSIVE_LEVEL);
    }
}

/* Called by the system call exit when the IRQL, the APC counts or the process are not what they were: the service is at
   fault. */
DECLSPEC_NORETURN VOID KiServiceExitCheck(PKTRAP_FRAME Frame, ULONG_PTR Service)
{
    PKTHREAD thread = KiCurrentThread();
    KIRQL irql = KeGetCurrentIrql();

    if (irql != PASSIVE_LEVEL)
    {
        KeBugCheckEx(0x4A, Service, irql, 0, 0);
    }
    KeBugCheckEx(0x01, Service, thread->ApcStateIndex, thread->CombinedApcDisable, 0);
}

static VOID KiServeInterrupt(PKTRAP_FRAME Frame, UCHAR Vector)
{
    PKPRCB prcb = KiPrcb();
    KIRQL old = (KIRQL)__readcr8();

    if (prcb->IdleState != KI_IDLE_NOT && InterlockedExchange(&prcb->IdleState, KI_IDLE_NOT) == KI_IDLE_MUST_FLUSH)
    {
        KiFlushEverything();
    }
    if (Vector == KI_SPURIOUS_VECTOR)
    {
        return; /* has no in-service bit, so no end of interrupt */
    }
    Frame->PreviousIrql = old;
    __writecr8(Vector >> 4);
    HalEndOfInterrupt();
    prcb->Interrupts++;
    KiEnable();
    switch (Vector)
    {
    case KI_APC_VECTOR:
        KiDeliverApc(KiFromUser(Frame) ? UserMode : KernelMode, Frame);
        break;
    case KI_DPC_VECTOR:
        KiDispatchInterrupt();
        break;
    case KI_CLOCK_VECTOR:
        KiClockInterrupt(Frame);
        break;
    case KI_IPI_VECTOR:
        KiIpiInterrupt();
        break;
    default:
        break; /* no device is connected: a stray interrupt is only acknowledged */
    }
    KiDisable();
    __writecr8(old);
}

/* A fault while arguments were copied from the user's stack becomes the service's status. */
BOOLEAN KiIsServiceCopyFault(PKTRAP_FRAME Frame)
{
    if (Frame->Rip >= (ULONG64)KiServiceCopyStart && Frame->Rip < (ULONG64)KiServiceCopyEnd)
    {
        Frame->Rip = (ULONG64)KiServiceFault;
        return TRUE;
    }
    return FALSE;
}

VOID KiTrapDispatch(PKTRAP_FRAME Frame)
{
    UCHAR vector = (UCHAR)Frame->Vector;

    if (KiBugCheckActive)
    {
        KiBugCheckFault(Frame);
    }
    if (vector > 0x20 || vector == KI_APC_VECTOR)
    {
        if (vector != 0x29 && vector != 0x2C && vector != 0x2D)
        {
            KiServeInterrupt(Frame, vector);
            if (KiFromUser(Frame))
            {
                KiExitToUser(Frame);
            }
            return;
        }
    }
    if (vector == 14)
    {
        Frame->FaultAddress = __readcr2();
    }
    if (Frame->Rflags & KI_EFLAGS_IF)
    {
        KiEnable();
    }
    KiHandleFault(Frame);
    KiDisable();
    if (KiFromUser(Frame))
    {
        KiExitToUser(Frame);
    }
}

/* NMI, double fault, machine check, debug trap in the kernel: on a stack of their own, interrupts off. */
VOID KiParanoidDispatch(PKTRAP_FRAME Frame)
{
    switch (Frame->Vector)
    {
    case 1:
        if (Frame->Rip >= (ULONG64)KiSystemCall64 && Frame->Rip < (ULONG64)KiSystemCallEnd)
        {
            /* A trap that a program held back until its system call. The program is not owed it. */
            Frame->Rflags &= ~KI_EFLAGS_TF;
            return;
        }
        break;
    case 2:
        if (KiFreeze(Frame) || KiCallNmiCallbacks())
        {
            return;
        }
        KeBugCheckEx(0x80, 0, 0, 0, 0);
    case 18:
        KeBugCheckEx(0x9C, 0, (ULONG_PTR)Frame, 0, 0);
    default:
        break;
    }
    if (Frame->Vector == 8 && KiBugCheckActive)
    {
        KiBugCheckFault(Frame);
    }
    {
        CONTEXT context;

        context.ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
        KiFrameToContext(Frame, &context);
        KiBugCheck(Frame->Vector == 8 ? 0x7F : 0x1E, Frame->Vector == 8 ? 8 : (ULONG_PTR)STATUS_SINGLE_STEP,
                   Frame->Vector == 8 ? (ULONG_PTR)Frame : Frame->Rip, Frame->Rip, Frame->Rsp, &context);
    }
}

PVOID KeGetTrapFramePc(const VOID *TrapFrame)
{
    return TrapFrame == NULL ? NULL : (PVOID)((const KTRAP_FRAME *)TrapFrame)->Rip;
}
