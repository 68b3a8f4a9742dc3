/* SPDX-License-Identifier: MIT */
/*
 * The second pass of exception handling: the frames up to a target are taken down, each language handler runs
 * its termination handlers, and execution goes on at the target.
 */
#include "unwindp.h"

typedef struct _RTLP_UNWIND
{
    PEXCEPTION_RECORD Record;
    ULONG64 TargetFrame;
    ULONG64 TargetIp;
    PVOID ReturnValue;
    PUNWIND_HISTORY_TABLE HistoryTable;
    PCONTEXT Current;  /* the state of the frame in hand: what its handler sees */
    PCONTEXT Previous; /* the state of its caller */
    RTLP_FRAME Frame;
    DISPATCHER_CONTEXT Dispatcher;
    ULONG PcKind; /* of the frame in hand */
    ULONG Flags;
} RTLP_UNWIND, *PRTLP_UNWIND;

static DECLSPEC_NORETURN VOID RtlpRaiseFromUnwind(PRTLP_UNWIND Unwind, NTSTATUS Status)
{
    EXCEPTION_RECORD Record;

    RtlpZero(&Record, sizeof(Record));
    Record.ExceptionCode = Status;
    Record.ExceptionFlags = EXCEPTION_NONCONTINUABLE;
    Record.ExceptionRecord = Unwind->Record;
    for (;;)
    {
        RtlRaiseException(&Record);
    }
}

/* Unwinds the frame that Current describes into Previous. */
static VOID RtlpStepUnwind(PRTLP_UNWIND Unwind, ULONG64 ControlPc, ULONG HandlerType)
{
    NTSTATUS Status;

    RtlpCopy(Unwind->Previous, Unwind->Current, RTLP_CONTEXT_CORE);
    Unwind->Frame.Context = Unwind->Previous;
    RtlpFindFrameCode(&Unwind->Frame, ControlPc);
    Status = RtlpUnwindFrame(&Unwind->Frame, HandlerType);
    if (!NT_SUCCESS(Status))
    {
        RtlpRaiseFromUnwind(Unwind, Status);
    }
}

/*
 * Another unwind was interrupted inside a termination handler of a frame between here and the target. The rest
 * of its work is taken over, from the scope behind the one it was in.
 */
static ULONG RtlpTakeOverUnwind(PRTLP_UNWIND Unwind)
{
    PDISPATCHER_CONTEXT Dispatcher = &Unwind->Dispatcher;
    ULONG ScopeIndex = Dispatcher->ScopeIndex;

    Unwind->PcKind = Dispatcher->Fill0;
    RtlpCopy(Unwind->Current, Dispatcher->ContextRecord, RTLP_CONTEXT_CORE);
    RtlpStepUnwind(Unwind, Dispatcher->ControlPc, UNW_FLAG_NHANDLER);
    Unwind->Frame.Establisher = Dispatcher->EstablisherFrame;
    Unwind->Frame.Handler = Dispatcher->LanguageHandler;
    Unwind->Frame.HandlerData = Dispatcher->HandlerData;
    return ScopeIndex;
}

/* Runs the handler of the frame in hand, until it has no more to do. */
static VOID RtlpRunHandler(PRTLP_UNWIND Unwind)
{
    PRTLP_FRAME Frame = &Unwind->Frame;
    PDISPATCHER_CONTEXT Dispatcher = &Unwind->Dispatcher;
    EXCEPTION_DISPOSITION Disposition;
    ULONG ScopeIndex = 0;

    for (;;)
    {
        if (Frame->Establisher == Unwind->TargetFrame)
        {
            Unwind->Flags |= EXCEPTION_TARGET_UNWIND;
        }

        Unwind->Record->ExceptionFlags = Unwind->Flags;
        Unwind->Current->Rax = (ULONG64)(ULONG_PTR)Unwind->ReturnValue; /* a handler may restore the state itself */
        Dispatcher->ControlPc = Frame->ControlPc;
        Dispatcher->ImageBase = Frame->ImageBase;
        Dispatcher->FunctionEntry = Frame->Entry;
        Dispatcher->EstablisherFrame = Frame->Establisher;
        Dispatcher->TargetIp = Unwind->TargetIp;
        Dispatcher->ContextRecord = Unwind->Current;
        Dispatcher->LanguageHandler = Frame->Handler;
        Dispatcher->HandlerData = Frame->HandlerData;
        Dispatcher->HistoryTable = Unwind->HistoryTable;
        Dispatcher->ScopeIndex = ScopeIndex;
        Dispatcher->Fill0 = Unwind->PcKind;
        Disposition = RtlpExecuteHandlerForUnwind(Unwind->Record, (PVOID)(ULONG_PTR)Frame->Establisher,
                                                  Unwind->Current, Dispatcher);
        Unwind->Flags &= ~(EXCEPTION_COLLIDED_UNWIND | EXCEPTION_TARGET_UNWIND);
        if (Disposition == ExceptionContinueSearch)
        {
            return;
        }

        if (Disposition != ExceptionCollidedUnwind)
        {
            RtlpRaiseFromUnwind(Unwind, STATUS_INVALID_DISPOSITION);
        }

        ScopeIndex = RtlpTakeOverUnwind(Unwind);
        Unwind->Flags |= EXCEPTION_COLLIDED_UNWIND;
    }
}

/* Takes down frames until the target is reached (TRUE) or the stack ends (FALSE). */
static BOOLEAN RtlpUnwindFrames(PRTLP_UNWIND Unwind)
{
    PRTLP_FRAME Frame = &Unwind->Frame;

    for (;;)
    {
        PCONTEXT Swap;

        RtlpStepUnwind(Unwind, Unwind->Current->Rip, UNW_FLAG_UHANDLER);
        if (!RtlpInBounds(Frame, Frame->Establisher) ||
            (Unwind->TargetFrame != 0 && Unwind->TargetFrame < Frame->Establisher))
        {
            RtlpRaiseFromUnwind(Unwind, STATUS_BAD_STACK);
        }

        if (Frame->Handler != NULL)
        {
            RtlpRunHandler(Unwind);
        }

        if (Frame->Establisher == Unwind->TargetFrame)
        {
            return TRUE;
        }

        if (Unwind->Previous->Rip == 0 || !RtlpInBounds(Frame, Unwind->Previous->Rsp))
        {
            return FALSE;
        }

        if (Unwind->Previous->Rsp <= Unwind->Current->Rsp)
        {
            RtlpRaiseFromUnwind(Unwind, STATUS_BAD_STACK);
        }

        Unwind->PcKind = Frame->MachineFrame ? RTLP_PC_EXACT : RTLP_PC_UNWOUND;
        Swap = Unwind->Current;
        Unwind->Current = Unwind->Previous;
        Unwind->Previous = Swap;
    }
}

/**
 * Unwinds to a target frame, running the termination handlers on the way, and continues at TargetIp.
 *
 * @param TargetFrame      establisher frame to unwind to; NULL: unwind everything (EXCEPTION_EXIT_UNWIND)
 * @param TargetIp         where to continue
 * @param ExceptionRecord  NULL: a record with STATUS_UNWIND is made. STATUS_LONGJUMP with a jump buffer in
 *                         ExceptionInformation[0] continues with the buffer's registers; STATUS_UNWIND_CONSOLIDATE
 *                         calls the function in ExceptionInformation[0] on top of the unwound frames
 * @param ReturnValue      value of rax at the target
 * @param ContextRecord    working storage for the caller's state; contents on entry are ignored
 * @param HistoryTable     passed to handlers
 *
 * Does not return: an unwind that meets the end of the stack is an unhandled exception. Raises STATUS_BAD_STACK (a
 * frame out of bounds, or the target was passed), STATUS_BAD_FUNCTION_TABLE, STATUS_INVALID_DISPOSITION. IRQL: any.
 */
VOID NTAPI RtlUnwindEx(_In_opt_ PVOID TargetFrame, _In_opt_ PVOID TargetIp, _In_opt_ PEXCEPTION_RECORD ExceptionRecord,
                       _In_ PVOID ReturnValue, _In_ PCONTEXT ContextRecord, _In_opt_ PUNWIND_HISTORY_TABLE HistoryTable)
{
    RTLP_UNWIND Unwind;
    CONTEXT LocalContext;
    EXCEPTION_RECORD LocalRecord;
    ULONG_PTR Low;
    ULONG_PTR High;

    RtlpGetStackLimits(&Low, &High);
    RtlCaptureContext(ContextRecord);
    if (ExceptionRecord == NULL)
    {
        RtlpZero(&LocalRecord, sizeof(LocalRecord));
        LocalRecord.ExceptionCode = STATUS_UNWIND;
        LocalRecord.ExceptionAddress = (PVOID)(ULONG_PTR)ContextRecord->Rip;
        ExceptionRecord = &LocalRecord;
    }

    Unwind.Record = ExceptionRecord;
    Unwind.TargetFrame = (ULONG64)(ULONG_PTR)TargetFrame;
    Unwind.TargetIp = (ULONG64)(ULONG_PTR)TargetIp;
    Unwind.ReturnValue = ReturnValue;
    Unwind.HistoryTable = HistoryTable;
    Unwind.Current = ContextRecord;
    Unwind.Previous = &LocalContext;
    Unwind.Frame.Pointers = NULL;
    Unwind.Frame.StackLow = Low;
    Unwind.Frame.StackHigh = High;
    Unwind.PcKind = RTLP_PC_UNWOUND;
    Unwind.Flags = EXCEPTION_UNWINDING | (TargetFrame == NULL ? EXCEPTION_EXIT_UNWIND : 0);

    /* This function's own frame is the first; it has no handler and is never the target. */
    if (RtlpUnwindFrames(&Unwind))
    {
        Unwind.Current->Rax = (ULONG64)(ULONG_PTR)ReturnValue;
        if (ExceptionRecord->ExceptionCode != STATUS_UNWIND_CONSOLIDATE)
        {
            Unwind.Current->Rip = Unwind.TargetIp;
        }

        RtlRestoreContext(Unwind.Current, ExceptionRecord);
    }

    /* The stack ended before the target: nobody is left to continue. */
    RtlpUnhandledException(ExceptionRecord, Unwind.Current);
}

/**
 * RtlUnwindEx without a context of the caller's own.
 */
VOID NTAPI RtlUnwind(_In_opt_ PVOID TargetFrame, _In_opt_ PVOID TargetIp, _In_opt_ PEXCEPTION_RECORD ExceptionRecord,
                     _In_ PVOID ReturnValue)
{
    CONTEXT Context;

    RtlUnwindEx(TargetFrame, TargetIp, ExceptionRecord, ReturnValue, &Context, NULL);
}
