/* SPDX-License-Identifier: MIT */
/*
 * The first stack of a thread.
 *
 *   StackBase     ---------------------------------
 *                 FXSAVE area of context switches      512 bytes   (FloatSave)
 *                 FXSAVE area of changed user state    512 bytes   (UserFloatSave)
 *   InitialStack  ---------------------------------   where entries from user mode begin
 *                 KTRAP_FRAME                          user threads: the state to enter user mode with
 *                 0                                    return address of KiThreadStartup: ends stack walks
 *                 KiThreadStartup                      return address of KiSwapContext
 *                 non-volatile registers
 *   KernelStack   ---------------------------------
 */
#include "../kip.h"

#define KI_FLOAT_AREA 512

extern const UCHAR KiThreadStartup[];

static VOID KiInitializeFloat(PVOID Area)
{
    XSAVE_FORMAT *state = Area;

    RtlZeroMemory(state, KI_FLOAT_AREA);
    state->ControlWord = 0x27F;
    state->MxCsr = KI_MXCSR_DEFAULT;
}

static VOID KiInitializeUserFrame(PKTHREAD Thread, PKTRAP_FRAME Frame, const CONTEXT *UserContext)
{
    RtlZeroMemory(Frame, sizeof(*Frame));
    Frame->MxCsr = KI_MXCSR_DEFAULT;
    Frame->Cs = KI_USER_CS;
    Frame->Ss = KI_USER_SS;
    Frame->Rflags = KI_EFLAGS_IF | 2;
    /* The x87 and XMM registers start clean whatever the context says: KiInitializeFloat's. */
    KiContextToFrame(UserContext, Frame, UserContext->ContextFlags & ~(CONTEXT_FLOATING_POINT & ~CONTEXT_AMD64),
                     UserMode);
    Frame->Flags = KTF_FLAG_FULL;
    Thread->TrapFrame = Frame;
}

VOID KiInitializeThreadStack(PKTHREAD Thread, PKI_SYSTEM_ROUTINE SystemRoutine, PKSTART_ROUTINE StartRoutine,
                             PVOID StartContext, const CONTEXT *UserContext)
{
    ULONG64 top = (ULONG64)Thread->StackBase;
    PULONG64 stack;

    Thread->FloatSave = (PVOID)(top - KI_FLOAT_AREA);
    Thread->UserFloatSave = (PVOID)(top - 2 * KI_FLOAT_AREA);
    Thread->InitialStack = Thread->UserFloatSave;
    KiInitializeFloat(Thread->FloatSave);
    KiInitializeFloat(Thread->UserFloatSave);
    stack = Thread->InitialStack;
    if (UserContext != NULL)
    {
        PKTRAP_FRAME frame = (PKTRAP_FRAME)((PUCHAR)Thread->InitialStack - sizeof(KTRAP_FRAME));

        KiInitializeUserFrame(Thread, frame, UserContext);
        stack = (PULONG64)frame;
    }
    *--stack = 0;
    *--stack = (ULONG64)KiThreadStartup;
    *--stack = UserContext != NULL ? (ULONG64)Thread->TrapFrame : 0; /* rbp */
    *--stack = (ULONG64)SystemRoutine;                               /* rbx */
    *--stack = (ULONG64)StartRoutine;                                /* rsi */
    *--stack = (ULONG64)StartContext;                                /* rdi */
    for (ULONG i = 12; i <= 15; i++)
    {
        *--stack = 0; /* r12 .. r15 */
    }
    Thread->KernelStack = stack;
}

/* The first C code of a thread, still in the context switch that started it. */
VOID KiStartThread(PKI_SYSTEM_ROUTINE SystemRoutine, PKSTART_ROUTINE StartRoutine, PVOID StartContext,
                   PKTRAP_FRAME Frame)
{
    PKTHREAD thread = KiCurrentThread();

    if (thread->ApcState.KernelApcPending)
    {
        HalRequestSoftwareInterrupt(APC_LEVEL); /* for when the IRQL falls to PASSIVE_LEVEL */
    }
    if (KiPrcb()->SwitchIrql != APC_LEVEL)
    {
        __writecr8(APC_LEVEL);
    }
    KiUnlockDispatcher(TRUE);
    SystemRoutine(StartRoutine, StartContext);
    if (Frame == NULL)
    {
        KeBugCheckEx(0x0E, (ULONG_PTR)thread, (ULONG_PTR)SystemRoutine, 0, 0); /* NO_USER_MODE_CONTEXT */
    }
    KeLowerIrql(PASSIVE_LEVEL);
}
