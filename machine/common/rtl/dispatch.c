/* SPDX-License-Identifier: MIT */
/*
 * The first pass of exception handling: from the frame that faulted or raised outwards, each language handler
 * is asked whether it takes the exception.
 *
 *      disposition of the handler        what happens
 *      ExceptionContinueSearch           the next frame
 *      ExceptionContinueExecution        done, unless the exception can't be continued
 *      ExceptionNestedException          an earlier dispatch is still running below this frame: its frames up to
 *                                        the one it had reached are marked EXCEPTION_NESTED_CALL
 *      ExceptionCollidedUnwind           an earlier unwind is still running below this frame: go on where it was
 *      (does not return)                 the handler unwound to itself
 */
#include "unwindp.h"

typedef struct _RTLP_SEARCH
{
    PEXCEPTION_RECORD Record;
    PCONTEXT Context;
    RTLP_FRAME Frame;
    CONTEXT Work; /* the state that is unwound, frame by frame */
    DISPATCHER_CONTEXT Dispatcher;
    ULONG PcKind; /* of the frame in hand */
    ULONG Flags;
    ULONG64 NestedFrame;
} RTLP_SEARCH, *PRTLP_SEARCH;

static DECLSPEC_NORETURN VOID RtlpRaiseFromDispatch(PRTLP_SEARCH Search, NTSTATUS Status)
{
    EXCEPTION_RECORD Record;

    RtlpZero(&Record, sizeof(Record));
    Record.ExceptionCode = Status;
    Record.ExceptionFlags = EXCEPTION_NONCONTINUABLE;
    Record.ExceptionRecord = Search->Record;
    for (;;)
    {
        RtlRaiseException(&Record);
    }
}

/* An interrupted unwind is taken over at the frame whose handler it was running. */
static NTSTATUS RtlpTakeOverUnwind(PRTLP_SEARCH Search)
{
    PDISPATCHER_CONTEXT Dispatcher = &Search->Dispatcher;
    NTSTATUS Status;

    Search->PcKind = Dispatcher->Fill0;
    RtlpCopy(&Search->Work, Dispatcher->ContextRecord, RTLP_CONTEXT_CORE);
    RtlpFindFrameCode(&Search->Frame, Dispatcher->ControlPc);
    if (Search->Frame.Entry == NULL)
    {
        return STATUS_BAD_FUNCTION_TABLE;
    }

    Status = RtlpUnwindFrame(&Search->Frame, UNW_FLAG_NHANDLER);
    Search->Frame.Handler = Dispatcher->LanguageHandler;
    Search->Frame.HandlerData = Dispatcher->HandlerData;
    Search->Frame.Establisher = Dispatcher->EstablisherFrame;
    return Status;
}

/* Asks the handlers of one frame. TRUE: the answer was to continue execution. */
static BOOLEAN RtlpAskHandler(PRTLP_SEARCH Search, NTSTATUS *Status)
{
    PRTLP_FRAME Frame = &Search->Frame;
    PDISPATCHER_CONTEXT Dispatcher = &Search->Dispatcher;
    EXCEPTION_DISPOSITION Disposition;
    ULONG ScopeIndex = 0;

    *Status = STATUS_SUCCESS;
    for (;;)
    {
        Dispatcher->ControlPc = Frame->ControlPc;
        Dispatcher->ImageBase = Frame->ImageBase;
        Dispatcher->FunctionEntry = Frame->Entry;
        Dispatcher->EstablisherFrame = Frame->Establisher;
        Dispatcher->TargetIp = 0;
        Dispatcher->ContextRecord = &Search->Work;
        Dispatcher->LanguageHandler = Frame->Handler;
        Dispatcher->HandlerData = Frame->HandlerData;
        Dispatcher->HistoryTable = NULL;
        Dispatcher->ScopeIndex = ScopeIndex;
        Dispatcher->Fill0 = Search->PcKind;
        Search->Record->ExceptionFlags = Search->Flags;
        Disposition = RtlpExecuteHandlerForException(Search->Record, (PVOID)(ULONG_PTR)Frame->Establisher,
                                                     Search->Context, Dispatcher);
        Search->Flags |= Search->Record->ExceptionFlags & EXCEPTION_NONCONTINUABLE;
        if (Search->NestedFrame == Frame->Establisher)
        {
            Search->Flags &= ~EXCEPTION_NESTED_CALL;
            Search->NestedFrame = 0;
        }

        switch (Disposition)
        {
        case ExceptionContinueExecution:
            if ((Search->Flags & EXCEPTION_NONCONTINUABLE) != 0)
            {
                RtlpRaiseFromDispatch(Search, STATUS_NONCONTINUABLE_EXCEPTION);
            }
            return TRUE;

        case ExceptionContinueSearch:
            return FALSE;

        case ExceptionNestedException:
            Search->Flags |= EXCEPTION_NESTED_CALL;
            if (Dispatcher->EstablisherFrame > Search->NestedFrame)
            {
                Search->NestedFrame = Dispatcher->EstablisherFrame;
            }
            return FALSE;

        case ExceptionCollidedUnwind:
            ScopeIndex = Dispatcher->ScopeIndex;
            *Status = RtlpTakeOverUnwind(Search);
            if (!NT_SUCCESS(*Status))
            {
                return FALSE;
            }
            break;

        default:
            RtlpRaiseFromDispatch(Search, STATUS_INVALID_DISPOSITION);
        }
    }
}

static BOOLEAN RtlpSearchFrames(PRTLP_SEARCH Search)
{
    PRTLP_FRAME Frame = &Search->Frame;
    ULONG64 ControlPc = Search->Work.Rip;
    NTSTATUS Status;

    /* The first frame may well be at address zero: a call of a null pointer. Later it is the stack's end. */
    while (RtlpInBounds(Frame, Search->Work.Rsp))
    {
        ULONG64 Rsp = Search->Work.Rsp;

        RtlpFindFrameCode(Frame, ControlPc);
        Status = RtlpUnwindFrame(Frame, UNW_FLAG_EHANDLER);
        if (!NT_SUCCESS(Status) || !RtlpInBounds(Frame, Frame->Establisher))
        {
            Search->Flags |= EXCEPTION_STACK_INVALID;
            return FALSE;
        }

        if (Frame->Handler != NULL)
        {
            if (RtlpAskHandler(Search, &Status))
            {
                return TRUE;
            }

            if (!NT_SUCCESS(Status))
            {
                Search->Flags |= EXCEPTION_STACK_INVALID;
                return FALSE;
            }
        }

        /* Each caller lies above its callee; anything else is a loop. */
        if (Search->Work.Rsp <= Rsp)
        {
            Search->Flags |= EXCEPTION_STACK_INVALID;
            return FALSE;
        }

        ControlPc = Search->Work.Rip;
        Search->PcKind = Frame->MachineFrame ? RTLP_PC_EXACT : RTLP_PC_UNWOUND;
        if (ControlPc == 0)
        {
            break;
        }
    }

    return FALSE;
}

BOOLEAN NTAPI RtlDispatchException(_In_ PEXCEPTION_RECORD ExceptionRecord, _In_ PCONTEXT Context)
{
    return RtlpDispatch(ExceptionRecord, Context, RTLP_PC_EXACT);
}

BOOLEAN RtlpDispatch(_In_ PEXCEPTION_RECORD ExceptionRecord, _In_ PCONTEXT Context, _In_ ULONG PcKind)
{
    RTLP_SEARCH Search;
    ULONG_PTR Low;
    ULONG_PTR High;
    BOOLEAN Continue;

#if defined(RTL_USER_MODE)
    if (RtlpCallVectoredHandlers(ExceptionRecord, Context))
    {
        RtlpCallContinueHandlers(ExceptionRecord, Context);
        return TRUE;
    }
#endif

    RtlpGetStackLimits(&Low, &High);
    Search.Record = ExceptionRecord;
    Search.Context = Context;
    Search.Frame.Context = &Search.Work;
    Search.Frame.Pointers = NULL;
    Search.Frame.StackLow = Low;
    Search.Frame.StackHigh = High;
    Search.PcKind = PcKind;
    Search.Flags = ExceptionRecord->ExceptionFlags & EXCEPTION_NONCONTINUABLE;
    Search.NestedFrame = 0;
    RtlpCopy(&Search.Work, Context, RTLP_CONTEXT_CORE);
    if (!RtlpInBounds(&Search.Frame, Context->Rsp))
    {
        Search.Flags |= EXCEPTION_STACK_INVALID;
    }

    Continue = RtlpSearchFrames(&Search);
    ExceptionRecord->ExceptionFlags = Search.Flags;

#if defined(RTL_USER_MODE)
    if (Continue)
    {
        RtlpCallContinueHandlers(ExceptionRecord, Context);
    }
#endif

    return Continue;
}
