/* SPDX-License-Identifier: MIT */
/*
 * The language handler of C: __try / __except / __finally.
 *
 * The compiler leaves a scope table behind the unwind information: one record per guarded range, inner ranges
 * before outer ones.
 *
 *      JumpTarget zero       __finally: HandlerAddress is the termination handler
 *      JumpTarget not zero   __except: HandlerAddress is the filter, or 1 for EXCEPTION_EXECUTE_HANDLER;
 *                            JumpTarget is the first instruction of the handler block
 */
#include "unwindp.h"

typedef LONG (*PRTLP_FILTER)(PEXCEPTION_POINTERS ExceptionPointers, PVOID EstablisherFrame);
typedef VOID (*PRTLP_TERMINATION)(BOOLEAN AbnormalTermination, PVOID EstablisherFrame);

#define RTLP_FILTER_ALWAYS 1

/*
 * The RVA to look up in the scope table: of the instruction that control left through. After a call, the return
 * address may already be the first instruction of the next range; the byte before it is always part of the call.
 * (MSVC puts a nop between; clang ends ranges one byte late instead, so that neighbours overlap.)
 */
static ULONG64 RtlpScopePc(PDISPATCHER_CONTEXT Dispatcher)
{
    return Dispatcher->ControlPc - Dispatcher->ImageBase - (Dispatcher->Fill0 == RTLP_PC_UNWOUND ? 1 : 0);
}

static EXCEPTION_DISPOSITION RtlpSearchScopes(PEXCEPTION_RECORD Record, PVOID Frame, PCONTEXT Context,
                                              PDISPATCHER_CONTEXT Dispatcher)
{
    PSCOPE_TABLE_AMD64 Table = Dispatcher->HandlerData;
    ULONG64 Pc = RtlpScopePc(Dispatcher);
    EXCEPTION_POINTERS Pointers;
    ULONG Index;

    Pointers.ExceptionRecord = Record;
    Pointers.ContextRecord = Context;
    for (Index = Dispatcher->ScopeIndex; Index < Table->Count; Index += 1)
    {
        LONG Answer = EXCEPTION_EXECUTE_HANDLER;
        ULONG Filter = Table->ScopeRecord[Index].HandlerAddress;
        ULONG Target = Table->ScopeRecord[Index].JumpTarget;

        if (Pc < Table->ScopeRecord[Index].BeginAddress || Pc >= Table->ScopeRecord[Index].EndAddress || Target == 0)
        {
            continue;
        }

        if (Filter != RTLP_FILTER_ALWAYS)
        {
            Answer = ((PRTLP_FILTER)(ULONG_PTR)(Dispatcher->ImageBase + Filter))(&Pointers, Frame);
        }

        if (Answer < 0)
        {
            return ExceptionContinueExecution;
        }

        if (Answer > 0)
        {
            RtlUnwindEx(Frame, (PVOID)(ULONG_PTR)(Dispatcher->ImageBase + Target), Record,
                        (PVOID)(LONG_PTR)Record->ExceptionCode, Dispatcher->ContextRecord, Dispatcher->HistoryTable);
        }
    }

    return ExceptionContinueSearch;
}

/*
 * TRUE if the unwind's target lies in the same guarded block: a compiler may split one block over several
 * records, which then have the handler and the target in common.
 */
static BOOLEAN RtlpTargetInSameBlock(PSCOPE_TABLE_AMD64 Table, ULONG Index, ULONG64 TargetPc)
{
    ULONG Other;

    for (Other = 0; Other < Table->Count; Other += 1)
    {
        if (TargetPc >= Table->ScopeRecord[Other].BeginAddress && TargetPc < Table->ScopeRecord[Other].EndAddress &&
            Table->ScopeRecord[Other].HandlerAddress == Table->ScopeRecord[Index].HandlerAddress &&
            Table->ScopeRecord[Other].JumpTarget == Table->ScopeRecord[Index].JumpTarget)
        {
            return TRUE;
        }
    }

    return FALSE;
}

static EXCEPTION_DISPOSITION RtlpUnwindScopes(PEXCEPTION_RECORD Record, PVOID Frame, PDISPATCHER_CONTEXT Dispatcher)
{
    PSCOPE_TABLE_AMD64 Table = Dispatcher->HandlerData;
    ULONG64 Pc = RtlpScopePc(Dispatcher);
    ULONG64 TargetPc = Dispatcher->TargetIp - Dispatcher->ImageBase;
    BOOLEAN AtTarget = (Record->ExceptionFlags & EXCEPTION_TARGET_UNWIND) != 0;
    ULONG Index;

    for (Index = Dispatcher->ScopeIndex; Index < Table->Count; Index += 1)
    {
        ULONG Handler = Table->ScopeRecord[Index].HandlerAddress;
        ULONG Target = Table->ScopeRecord[Index].JumpTarget;

        if (Pc < Table->ScopeRecord[Index].BeginAddress || Pc >= Table->ScopeRecord[Index].EndAddress)
        {
            continue;
        }

        /* Blocks that also hold the target are not left, and neither are those around them. */
        if (AtTarget && RtlpTargetInSameBlock(Table, Index, TargetPc))
        {
            break;
        }

        if (Target != 0)
        {
            if (AtTarget && TargetPc == Target)
            {
                break;
            }
        }
        else
        {
            /* Before the call: if the handler does not come back, the next unwind goes on behind this scope. */
            Dispatcher->ScopeIndex = Index + 1;
            ((PRTLP_TERMINATION)(ULONG_PTR)(Dispatcher->ImageBase + Handler))(TRUE, Frame);
        }
    }

    return ExceptionContinueSearch;
}

/**
 * Language handler for C functions with __try.
 *
 * @param ExceptionRecord    the exception; EXCEPTION_UNWIND in its flags tells the two passes apart
 * @param EstablisherFrame   the frame of the function with the __try
 * @param ContextRecord      first pass: the state at the exception
 * @param DispatcherContext  the state of the dispatch
 * @return ExceptionContinueSearch, ExceptionContinueExecution; does not return if a filter takes the exception
 */
EXCEPTION_DISPOSITION __C_specific_handler(struct _EXCEPTION_RECORD *ExceptionRecord, void *EstablisherFrame,
                                           struct _CONTEXT *ContextRecord,
                                           struct _DISPATCHER_CONTEXT *DispatcherContext)
{
    if ((ExceptionRecord->ExceptionFlags & EXCEPTION_UNWIND) == 0)
    {
        return RtlpSearchScopes(ExceptionRecord, EstablisherFrame, ContextRecord, DispatcherContext);
    }

    return RtlpUnwindScopes(ExceptionRecord, EstablisherFrame, DispatcherContext);
}
