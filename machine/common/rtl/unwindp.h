/* SPDX-License-Identifier: MIT */
/*
 * Inside the unwinder: one frame in hand, and the bounds within which it may be read.
 *
 * Everything the unwinder touches is checked before it is touched: .pdata and .xdata against the image, saved
 * registers against the stack. A damaged image or stack ends the walk with a status, never with a second fault.
 */
#ifndef ISTHMUS_UNWINDP_H
#define ISTHMUS_UNWINDP_H

#include "rtlenv.h"
#include "unwind.h"
#include "sehhooks.h"

/* No compiler chains more regions than this; a longer chain is a loop. */
#define RTLP_CHAIN_LIMIT 32

/* The part of a CONTEXT that unwinding reads and writes: everything up to the AVX state. */
#define RTLP_CONTEXT_CORE FIELD_OFFSET(CONTEXT, VectorRegister)

typedef struct _RTLP_FRAME
{
    /* What to unwind: filled by the caller. */
    PCONTEXT Context;
    PKNONVOLATILE_CONTEXT_POINTERS Pointers;
    ULONG64 StackLow;
    ULONG64 StackHigh;

    /* The code: filled by RtlpFindFrameCode. Entry is NULL for a leaf function. */
    ULONG64 ControlPc;
    ULONG64 ImageBase;
    ULONG64 ImageSize;
    PRUNTIME_FUNCTION Entry;

    /* The result of RtlpUnwindFrame, besides the changed Context. */
    ULONG64 Establisher;
    PEXCEPTION_ROUTINE Handler;
    PVOID HandlerData;
    BOOLEAN MachineFrame; /* the new rip was pushed by the processor: it is not a return address */
} RTLP_FRAME, *PRTLP_FRAME;

/*
 * DISPATCHER_CONTEXT.Fill0 tells handlers in here whether ControlPc is a return address, that is whether the
 * instruction that control left through is the one before it. Windows for ARM64 keeps ControlPcIsUnwound at the
 * same place; x64 leaves it unused.
 */
#define RTLP_PC_EXACT 0
#define RTLP_PC_UNWOUND 1

/**
 * Looks up the code that ControlPc lies in.
 */
VOID RtlpFindFrameCode(_Inout_ PRTLP_FRAME Frame, _In_ ULONG64 ControlPc);

/**
 * Unwinds one frame: Context changes from the callee's state to that of its caller.
 *
 * @param HandlerType  UNW_FLAG_EHANDLER or UNW_FLAG_UHANDLER: the kind of language handler to report
 * @return STATUS_SUCCESS, STATUS_BAD_FUNCTION_TABLE (damaged .pdata or .xdata), STATUS_BAD_STACK (a saved
 *         register lies outside the stack). After a failure the Context is not to be used.
 */
NTSTATUS RtlpUnwindFrame(_Inout_ PRTLP_FRAME Frame, _In_ ULONG HandlerType);

/**
 * Returns image bytes, or NULL if the range is not wholly inside the image.
 */
static inline PVOID RtlpImageRange(const RTLP_FRAME *Frame, ULONG64 Rva, ULONG64 Length)
{
    if (Rva > Frame->ImageSize || Length > Frame->ImageSize - Rva)
    {
        return NULL;
    }

    return (PVOID)(ULONG_PTR)(Frame->ImageBase + Rva);
}

/**
 * Reads 8 bytes of the stack. FALSE: the address is outside of it.
 */
static inline BOOLEAN RtlpReadStack(const RTLP_FRAME *Frame, ULONG64 Address, PULONG64 Value)
{
    if (Address < Frame->StackLow || Frame->StackHigh < sizeof(ULONG64) ||
        Address > Frame->StackHigh - sizeof(ULONG64))
    {
        return FALSE;
    }

    RtlpCopy(Value, (const VOID *)(ULONG_PTR)Address, sizeof(*Value));
    return TRUE;
}

/** TRUE if a frame may lie at this address. */
static inline BOOLEAN RtlpInBounds(const RTLP_FRAME *Frame, ULONG64 Address)
{
    return (Address & 7) == 0 && Address >= Frame->StackLow && Address < Frame->StackHigh;
}

/** An integer register of a CONTEXT by its machine number (0 rax ... 15 r15). */
static inline PULONG64 RtlpRegister(PCONTEXT Context, ULONG Number)
{
    return (PULONG64)((PUCHAR)Context + FIELD_OFFSET(CONTEXT, Rax)) + Number;
}

/** The unwind information of an entry, or NULL if it is damaged. */
PUNWIND_INFO RtlpGetUnwindInfo(_In_ const RTLP_FRAME *Frame, _In_ const RUNTIME_FUNCTION *Entry);

/** The entry that the information of a chained region names, or NULL if it is damaged. */
PRUNTIME_FUNCTION RtlpGetChainedEntry(_In_ const RTLP_FRAME *Frame, _In_ PUNWIND_INFO Info);

/** The primary entry of the function that Entry is a region of; NULL if the chain is damaged or endless. */
PRUNTIME_FUNCTION RtlpGetPrimaryEntry(_In_ const RTLP_FRAME *Frame, _In_ PRUNTIME_FUNCTION Entry);

/** The .pdata entry that covers an RVA, with indirection resolved; NULL if there is none. */
PRUNTIME_FUNCTION RtlpSearchFunctionTable(_In_ const RTLP_FRAME *Frame, _In_ ULONG Rva);

/**
 * Unwinds the rest of an epilogue, if the frame's ControlPc lies in one.
 *
 * @param InEpilogue  receives TRUE if it did; the Context is then that of the caller
 */
NTSTATUS RtlpUnwindEpilogue(_Inout_ PRTLP_FRAME Frame, _In_ PUNWIND_INFO Info, _Out_ PBOOLEAN InEpilogue);

/** RtlDispatchException, told what kind of address Context->Rip is (RTLP_PC_...). */
BOOLEAN RtlpDispatch(_In_ PEXCEPTION_RECORD ExceptionRecord, _In_ PCONTEXT Context, _In_ ULONG PcKind);

/** Calls a language handler; a handler of its own marks the frame for nested exceptions. */
EXCEPTION_DISPOSITION RtlpExecuteHandlerForException(PEXCEPTION_RECORD ExceptionRecord, PVOID EstablisherFrame,
                                                     PCONTEXT ContextRecord, PDISPATCHER_CONTEXT DispatcherContext);

/** The same for the unwind pass; its handler reports a collided unwind. */
EXCEPTION_DISPOSITION RtlpExecuteHandlerForUnwind(PEXCEPTION_RECORD ExceptionRecord, PVOID EstablisherFrame,
                                                  PCONTEXT ContextRecord, PDISPATCHER_CONTEXT DispatcherContext);

/** Loads every register from a CONTEXT; the end of every unwind. */
DECLSPEC_NORETURN VOID RtlpRestoreContext(PCONTEXT Context);

/**
 * Calls the function in ExceptionInformation[0] while the frames below the target still lie on the stack; to the
 * unwinder its frame looks as if the target frame had called it. The function returns where to continue.
 */
DECLSPEC_NORETURN VOID RtlpConsolidateFrames(PCONTEXT Context, PEXCEPTION_RECORD ExceptionRecord);

#endif /* ISTHMUS_UNWINDP_H */
