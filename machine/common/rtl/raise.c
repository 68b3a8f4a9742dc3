/* SPDX-License-Identifier: MIT */
/*
 * Raising exceptions by software, and the last step of every unwind.
 */
#include "unwindp.h"

/*
 * Turns the state inside a function of this file into that of its caller. If the code's own unwind
 * information can't be found, the state stays as it is: still a place to start from.
 */
static VOID RtlpUnwindToCaller(PCONTEXT Context)
{
    RTLP_FRAME Frame;
    CONTEXT Work;
    ULONG_PTR Low;
    ULONG_PTR High;

    RtlpGetStackLimits(&Low, &High);
    RtlpCopy(&Work, Context, RTLP_CONTEXT_CORE);
    Frame.Context = &Work;
    Frame.Pointers = NULL;
    Frame.StackLow = Low;
    Frame.StackHigh = High;
    RtlpFindFrameCode(&Frame, Context->Rip);
    if (NT_SUCCESS(RtlpUnwindFrame(&Frame, UNW_FLAG_NHANDLER)))
    {
        RtlpCopy(Context, &Work, RTLP_CONTEXT_CORE);
    }
}

/* Dispatches; comes back never: execution continues at Context, in a handler, or the exception is unhandled. */
static DECLSPEC_NORETURN VOID RtlpDispatchRaised(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    Record->ExceptionAddress = (PVOID)(ULONG_PTR)Context->Rip;
    if (RtlpDispatch(Record, Context, RTLP_PC_UNWOUND))
    {
        RtlRestoreContext(Context, NULL);
    }

    RtlpUnhandledException(Record, Context);
}

/**
 * Raises an exception.
 *
 * @param ExceptionRecord  code, flags, parameters; ExceptionAddress is set to the return address
 *
 * Returns if a handler answers EXCEPTION_CONTINUE_EXECUTION. IRQL: any at which the handlers are resident.
 */
VOID NTAPI RtlRaiseException(_In_ PEXCEPTION_RECORD ExceptionRecord)
{
    CONTEXT Context;

    RtlCaptureContext(&Context);
    RtlpUnwindToCaller(&Context);
    RtlpDispatchRaised(ExceptionRecord, &Context);
}

/**
 * Raises a noncontinuable exception that consists of a status.
 *
 * @param Status  the exception code
 *
 * Does not return. IRQL: any at which the handlers are resident.
 */
DECLSPEC_NORETURN VOID NTAPI RtlRaiseStatus(_In_ NTSTATUS Status)
{
    CONTEXT Context;
    EXCEPTION_RECORD Record;

    RtlpZero(&Record, sizeof(Record));
    Record.ExceptionCode = Status;
    Record.ExceptionFlags = EXCEPTION_NONCONTINUABLE;
    RtlCaptureContext(&Context);
    RtlpUnwindToCaller(&Context);
    RtlpDispatchRaised(&Record, &Context);
}

/* The registers that longjmp brings back; the others keep what the target frame has. */
static VOID RtlpLoadJumpBuffer(PCONTEXT Context, const RTLP_JUMP_BUFFER *Buffer)
{
    Context->Rbx = Buffer->Rbx;
    Context->Rsp = Buffer->Rsp;
    Context->Rbp = Buffer->Rbp;
    Context->Rsi = Buffer->Rsi;
    Context->Rdi = Buffer->Rdi;
    Context->R12 = Buffer->R12;
    Context->R13 = Buffer->R13;
    Context->R14 = Buffer->R14;
    Context->R15 = Buffer->R15;
    Context->Rip = Buffer->Rip;
    Context->MxCsr = Buffer->MxCsr;
    RtlpCopy((PUCHAR)Context + FIELD_OFFSET(CONTEXT, Xmm6), Buffer->Xmm, sizeof(Buffer->Xmm));
    Context->ContextFlags |= CONTEXT_FULL;
}

/**
 * Continues execution with the registers of a context.
 *
 * @param ContextRecord    the registers; xmm registers only if CONTEXT_FLOATING_POINT is set
 * @param ExceptionRecord  optional: a record with STATUS_LONGJUMP or STATUS_UNWIND_CONSOLIDATE changes the target,
 *                         see RtlUnwindEx
 *
 * Does not return. IRQL: any.
 */
DECLSPEC_NORETURN VOID RtlRestoreContext(_In_ PCONTEXT ContextRecord, _In_opt_ PEXCEPTION_RECORD ExceptionRecord)
{
    if (ExceptionRecord != NULL && ExceptionRecord->NumberParameters >= 1)
    {
        if (ExceptionRecord->ExceptionCode == STATUS_LONGJUMP)
        {
            RtlpLoadJumpBuffer(ContextRecord, (const RTLP_JUMP_BUFFER *)ExceptionRecord->ExceptionInformation[0]);
        }
        else if (ExceptionRecord->ExceptionCode == STATUS_UNWIND_CONSOLIDATE)
        {
            RtlpConsolidateFrames(ContextRecord, ExceptionRecord);
        }
    }

    RtlpRestoreContext(ContextRecord);
}

/**
 * Jumps to where setjmp was called, running the termination handlers between here and there.
 *
 * @param Buffer  filled by _setjmp; a buffer with Frame zero is jumped to without unwinding
 * @param Value   what that setjmp returns; zero is turned into one
 *
 * Does not return. IRQL: any.
 */
DECLSPEC_NORETURN VOID RtlpLongJump(_In_ PRTLP_JUMP_BUFFER Buffer, _In_ int Value)
{
    CONTEXT Context;
    EXCEPTION_RECORD Record;

    if (Value == 0)
    {
        Value = 1;
    }

    if (Buffer->Frame != 0)
    {
        RtlpZero(&Record, sizeof(Record));
        Record.ExceptionCode = STATUS_LONGJUMP;
        Record.NumberParameters = 1;
        Record.ExceptionInformation[0] = (ULONG_PTR)Buffer;
        RtlUnwindEx((PVOID)(ULONG_PTR)Buffer->Frame, (PVOID)(ULONG_PTR)Buffer->Rip, &Record,
                    (PVOID)(LONG_PTR)Value, &Context, NULL);
    }

    RtlCaptureContext(&Context);
    RtlpLoadJumpBuffer(&Context, Buffer);
    Context.Rax = (ULONG64)(LONG64)Value;
    RtlpRestoreContext(&Context);
}

/**
 * Leaves a __try block by a jump, running its termination handlers.
 *
 * @param TargetFrame  establisher frame of the calling function
 * @param TargetIp     where to continue in it
 */
VOID _local_unwind(PVOID TargetFrame, PVOID TargetIp)
{
    RtlUnwind(TargetFrame, TargetIp, NULL, NULL);
}

/**
 * The name older compilers call it by.
 */
VOID __jump_unwind(PVOID TargetFrame, PVOID TargetIp)
{
    RtlUnwind(TargetFrame, TargetIp, NULL, NULL);
}
