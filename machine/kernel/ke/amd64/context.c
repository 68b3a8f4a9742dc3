/* SPDX-License-Identifier: MIT */
/*
 * CONTEXT and KTRAP_FRAME: one into the other, and the two services that put a program's registers where it says.
 *
 * A frame made by a system call holds the non-volatile registers as the program had them; its volatile XMM registers
 * were never stored (the program counts on nothing there), they read as zero. The x87 state stays in the processor
 * while the thread runs, for the kernel does not use it; a new one goes by way of KTHREAD.UserFloatSave.
 *
 * Debug registers are not switched with threads on this machine: they read as zero, and a context that sets one
 * other than zero is refused.
 */
#include "../kip.h"
#include "ps.h"

#define KI_HAS(Flags, Part) (((Flags) & (Part) & ~CONTEXT_AMD64) != 0)
#define KI_HAS_DEBUG(Flags) (((Flags) & 0x10) != 0)

static VOID KiFloatToContext(const KTRAP_FRAME *Frame, PCONTEXT Context)
{
    PKTHREAD thread = KiCurrentThread();

    if ((Frame->Flags & KTF_FLAG_FLOAT) && thread->UserFloatSave != NULL)
    {
        RtlCopyMemory(&Context->FltSave, thread->UserFloatSave, sizeof(XSAVE_FORMAT));
    }
    else
    {
        DECLSPEC_ALIGN(16) UCHAR area[512];

        __asm__ volatile("fxsave64 %0" : "=m"(area));
        RtlCopyMemory(&Context->FltSave, area, sizeof(XSAVE_FORMAT));
        RtlZeroMemory(Context->FltSave.Reserved4, sizeof(Context->FltSave.Reserved4));
    }
    RtlCopyMemory(Context->FltSave.XmmRegisters, Frame->Xmm, sizeof(Frame->Xmm));
    if (Frame->Vector == KI_SYSCALL_MARK && !(Frame->Flags & KTF_FLAG_FULL))
    {
        RtlZeroMemory(Context->FltSave.XmmRegisters, 6 * sizeof(M128A));
    }
    Context->FltSave.MxCsr = Frame->MxCsr;
    Context->MxCsr = Frame->MxCsr;
}

/* Fills the parts that Context->ContextFlags names. Any IRQL; the frame is the current thread's. */
VOID KiFrameToContext(const KTRAP_FRAME *Frame, PCONTEXT Context)
{
    ULONG flags = Context->ContextFlags;

    if (KI_HAS(flags, CONTEXT_CONTROL))
    {
        Context->Rip = Frame->Rip;
        Context->Rsp = Frame->Rsp;
        Context->EFlags = (ULONG)Frame->Rflags;
        Context->SegCs = (USHORT)Frame->Cs;
        Context->SegSs = (USHORT)Frame->Ss;
    }
    if (KI_HAS(flags, CONTEXT_SEGMENTS))
    {
        Context->SegDs = KI_USER_SS;
        Context->SegEs = KI_USER_SS;
        Context->SegFs = KI_USER_FS;
        Context->SegGs = KI_USER_SS;
    }
    if (KI_HAS(flags, CONTEXT_INTEGER))
    {
        Context->Rax = Frame->Rax;
        Context->Rcx = Frame->Rcx;
        Context->Rdx = Frame->Rdx;
        Context->Rbx = Frame->Rbx;
        Context->Rbp = Frame->Rbp;
        Context->Rsi = Frame->Rsi;
        Context->Rdi = Frame->Rdi;
        Context->R8 = Frame->R8;
        Context->R9 = Frame->R9;
        Context->R10 = Frame->R10;
        Context->R11 = Frame->R11;
        Context->R12 = Frame->R12;
        Context->R13 = Frame->R13;
        Context->R14 = Frame->R14;
        Context->R15 = Frame->R15;
    }
    if (KI_HAS(flags, CONTEXT_FLOATING_POINT))
    {
        KiFloatToContext(Frame, Context);
    }
    if (KI_HAS_DEBUG(flags))
    {
        Context->Dr0 = Context->Dr1 = Context->Dr2 = Context->Dr3 = Context->Dr6 = Context->Dr7 = 0;
    }
}

static VOID KiContextToFloat(const CONTEXT *Context, PKTRAP_FRAME Frame, KPROCESSOR_MODE Mode)
{
    PKTHREAD thread = KiCurrentThread();

    RtlCopyMemory(Frame->Xmm, Context->FltSave.XmmRegisters, sizeof(Frame->Xmm));
    Frame->MxCsr = Context->MxCsr & KiMxCsrMask; /* ldmxcsr faults on others */
    if (Mode == UserMode && thread->UserFloatSave != NULL)
    {
        XSAVE_FORMAT *area = thread->UserFloatSave;

        RtlCopyMemory(area, &Context->FltSave, sizeof(XSAVE_FORMAT));
        area->MxCsr = Frame->MxCsr;
        area->ControlWord = (area->ControlWord & 0x1F3F) | 0x40;
        Frame->Flags |= KTF_FLAG_FLOAT;
    }
}

static ULONG64 KiCanonical(ULONG64 Address)
{
    return (ULONG64)((LONG64)(Address << 16) >> 16);
}

/* Writes the parts that Flags names. For user mode every value is made harmless: an iretq with it cannot fault. */
VOID KiContextToFrame(const CONTEXT *Context, PKTRAP_FRAME Frame, ULONG Flags, KPROCESSOR_MODE Mode)
{
    if (KI_HAS(Flags, CONTEXT_CONTROL))
    {
        Frame->Rsp = Context->Rsp;
        if (Mode == UserMode)
        {
            Frame->Rip = KiCanonical(Context->Rip);
            Frame->Rflags = (Context->EFlags & KI_EFLAGS_USER & ~0x4000ULL) | KI_EFLAGS_IF | 2;
            Frame->Cs = KI_USER_CS;
            Frame->Ss = KI_USER_SS;
        }
        else
        {
            Frame->Rip = Context->Rip;
            Frame->Rflags = (Context->EFlags & (KI_EFLAGS_USER | KI_EFLAGS_IF)) | 2;
        }
    }
    if (KI_HAS(Flags, CONTEXT_INTEGER))
    {
        Frame->Rax = Context->Rax;
        Frame->Rcx = Context->Rcx;
        Frame->Rdx = Context->Rdx;
        Frame->Rbx = Context->Rbx;
        Frame->Rbp = Context->Rbp;
        Frame->Rsi = Context->Rsi;
        Frame->Rdi = Context->Rdi;
        Frame->R8 = Context->R8;
        Frame->R9 = Context->R9;
        Frame->R10 = Context->R10;
        Frame->R11 = Context->R11;
        Frame->R12 = Context->R12;
        Frame->R13 = Context->R13;
        Frame->R14 = Context->R14;
        Frame->R15 = Context->R15;
    }
    if (Frame->Vector == KI_SYSCALL_MARK && !(Frame->Flags & KTF_FLAG_FULL))
    {
        RtlZeroMemory(Frame->Xmm, 6 * sizeof(M128A)); /* never stored; the full return loads them */
    }
    if (KI_HAS(Flags, CONTEXT_FLOATING_POINT))
    {
        KiContextToFloat(Context, Frame, Mode);
    }
    Frame->Flags |= KTF_FLAG_FULL;
}

/**
 * Reads the user-mode registers of the current thread.
 *
 * @param Context  ContextFlags chooses the parts
 * IRQL: PASSIVE_LEVEL or APC_LEVEL, in a user thread.
 */
VOID KeGetUserContext(PCONTEXT Context)
{
    KiFrameToContext(KiCurrentThread()->TrapFrame, Context);
}

/**
 * Replaces the user-mode registers of the current thread; they take effect at its return to user mode.
 *
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER: no user thread, or a context of another architecture;
 *         STATUS_NOT_SUPPORTED: debug registers
 * IRQL: PASSIVE_LEVEL or APC_LEVEL.
 */
NTSTATUS KeSetUserContext(const CONTEXT *Context)
{
    PKTHREAD thread = KiCurrentThread();

    if (thread->TrapFrame == NULL || !(Context->ContextFlags & CONTEXT_AMD64))
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (KI_HAS_DEBUG(Context->ContextFlags) &&
        (Context->Dr0 | Context->Dr1 | Context->Dr2 | Context->Dr3 | (Context->Dr7 & 0xFF)) != 0)
    {
        return STATUS_NOT_SUPPORTED;
    }
    KiContextToFrame(Context, thread->TrapFrame, Context->ContextFlags, UserMode);
    return STATUS_SUCCESS;
}

/* Copies a program's CONTEXT once. */
static NTSTATUS KiCaptureContext(PCONTEXT Target, const CONTEXT *Source)
{
    __try
    {
        ProbeForRead((PVOID)Source, sizeof(CONTEXT), 16);
        RtlCopyMemory(Target, Source, sizeof(CONTEXT));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/**
 * Continues the calling program at Context.
 *
 * @param Context    user address
 * @param TestAlert  deliver a waiting user APC first
 * @return does not return to the caller on success; the status of the capture, or of KeSetUserContext
 * IRQL: PASSIVE_LEVEL. Kernel code uses RtlRestoreContext: STATUS_NOT_SUPPORTED for it.
 */
NTSTATUS NTAPI NtContinue(PCONTEXT Context, BOOLEAN TestAlert)
{
    CONTEXT captured;
    NTSTATUS status;

    if (KiCurrentThread()->PreviousMode == KernelMode)
    {
        return STATUS_NOT_SUPPORTED;
    }
    status = KiCaptureContext(&captured, Context);
    if (NT_SUCCESS(status))
    {
        status = KeSetUserContext(&captured);
    }
    if (NT_SUCCESS(status) && TestAlert)
    {
        KeTestAlertThread(UserMode);
    }
    return status;
}

/**
 * Raises an exception in the calling program as if Context had caused it.
 *
 * @param FirstChance  FALSE: the program found no handler; the process ends
 * IRQL: PASSIVE_LEVEL, user mode only.
 */
NTSTATUS NTAPI NtRaiseException(PEXCEPTION_RECORD Record, PCONTEXT Context, BOOLEAN FirstChance)
{
    EXCEPTION_RECORD record;
    CONTEXT captured;
    NTSTATUS status;

    if (KiCurrentThread()->PreviousMode == KernelMode)
    {
        return STATUS_NOT_SUPPORTED;
    }
    __try
    {
        ProbeForRead(Record, sizeof(EXCEPTION_RECORD), 8);
        RtlCopyMemory(&record, Record, sizeof(record));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    if (record.NumberParameters > EXCEPTION_MAXIMUM_PARAMETERS)
    {
        return STATUS_INVALID_PARAMETER;
    }
    status = KiCaptureContext(&captured, Context);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    return KeRaiseUserException(&record, &captured, FirstChance);
}

/* Points the frame at ntdll's APC dispatcher, the interrupted state on the user's stack. PASSIVE or APC_LEVEL. */
VOID KiInitializeUserApc(PKTRAP_FRAME Frame, PKNORMAL_ROUTINE Routine, PVOID NormalContext, PVOID Argument1,
                         PVOID Argument2)
{
    const KE_USER_ENTRIES *entries = PsGetUserEntries();
    NTSTATUS status = STATUS_ACCESS_VIOLATION;
    CONTEXT context;
    ULONG64 stack;

    context.ContextFlags = CONTEXT_FULL | CONTEXT_SEGMENTS;
    KiFrameToContext(Frame, &context);
    context.P1Home = (ULONG64)NormalContext;
    context.P2Home = (ULONG64)Argument1;
    context.P3Home = (ULONG64)Argument2;
    context.P4Home = (ULONG64)Routine;
    context.P5Home = context.P6Home = 0;
    context.Dr0 = context.Dr1 = context.Dr2 = context.Dr3 = context.Dr6 = context.Dr7 = 0;
    RtlZeroMemory(context.VectorRegister, sizeof(CONTEXT) - FIELD_OFFSET(CONTEXT, VectorRegister));
    stack = (Frame->Rsp - sizeof(CONTEXT) - 0x30) & ~15ULL;
    if (entries != NULL && entries->KiUserApcDispatcher != NULL)
    {
        __try
        {
            ProbeForWrite((PVOID)stack, sizeof(CONTEXT), 16);
            RtlCopyMemory((PVOID)stack, &context, sizeof(CONTEXT));
            status = STATUS_SUCCESS;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    if (!NT_SUCCESS(status))
    {
        EXCEPTION_RECORD record = {0};

        record.ExceptionCode = status;
        record.ExceptionAddress = (PVOID)Frame->Rip;
        KiDispatchException(&record, Frame, UserMode, FALSE);
        return;
    }
    Frame->Rip = (ULONG64)entries->KiUserApcDispatcher;
    Frame->Rsp = stack;
    Frame->Rflags &= ~(KI_EFLAGS_TF | 0x400ULL);
}
