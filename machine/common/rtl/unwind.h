/* SPDX-License-Identifier: MIT */
/*
 * The x64 unwinder's types and routines.
 *
 * winnt.h declares the types for programs; the DDK headers declare none of them. This header supplies what
 * is missing, so that the same unwinder compiles in the kernel, in ntdll and natively in the tests.
 */
#ifndef ISTHMUS_UNWIND_H
#define ISTHMUS_UNWIND_H

#if !defined(_WINNT_)

#define UNW_FLAG_NHANDLER 0x0
#define UNW_FLAG_EHANDLER 0x1
#define UNW_FLAG_UHANDLER 0x2
#define UNW_FLAG_CHAININFO 0x4

#define RUNTIME_FUNCTION_INDIRECT 0x1

#define EXCEPTION_UNWINDING 0x2
#define EXCEPTION_EXIT_UNWIND 0x4
#define EXCEPTION_STACK_INVALID 0x8
#define EXCEPTION_NESTED_CALL 0x10
#define EXCEPTION_TARGET_UNWIND 0x20
#define EXCEPTION_COLLIDED_UNWIND 0x40
#define EXCEPTION_UNWIND                                                                                              \
    (EXCEPTION_UNWINDING | EXCEPTION_EXIT_UNWIND | EXCEPTION_TARGET_UNWIND | EXCEPTION_COLLIDED_UNWIND)

#define UNWIND_HISTORY_TABLE_SIZE 12

typedef struct _RUNTIME_FUNCTION
{
    ULONG BeginAddress;
    ULONG EndAddress;
    ULONG UnwindData;
} RUNTIME_FUNCTION, *PRUNTIME_FUNCTION;

typedef struct _UNWIND_HISTORY_TABLE_ENTRY
{
    ULONG64 ImageBase;
    PRUNTIME_FUNCTION FunctionEntry;
} UNWIND_HISTORY_TABLE_ENTRY, *PUNWIND_HISTORY_TABLE_ENTRY;

typedef struct _UNWIND_HISTORY_TABLE
{
    ULONG Count;
    UCHAR LocalHint;
    UCHAR GlobalHint;
    UCHAR Search;
    UCHAR Once;
    ULONG64 LowAddress;
    ULONG64 HighAddress;
    UNWIND_HISTORY_TABLE_ENTRY Entry[UNWIND_HISTORY_TABLE_SIZE];
} UNWIND_HISTORY_TABLE, *PUNWIND_HISTORY_TABLE;

typedef struct _DISPATCHER_CONTEXT
{
    ULONG64 ControlPc;
    ULONG64 ImageBase;
    PRUNTIME_FUNCTION FunctionEntry;
    ULONG64 EstablisherFrame;
    ULONG64 TargetIp;
    PCONTEXT ContextRecord;
    PEXCEPTION_ROUTINE LanguageHandler;
    PVOID HandlerData;
    PUNWIND_HISTORY_TABLE HistoryTable;
    ULONG ScopeIndex;
    ULONG Fill0;
} DISPATCHER_CONTEXT, *PDISPATCHER_CONTEXT;

typedef struct _KNONVOLATILE_CONTEXT_POINTERS
{
    PM128A FloatingContext[16];
    PULONG64 IntegerContext[16];
} KNONVOLATILE_CONTEXT_POINTERS, *PKNONVOLATILE_CONTEXT_POINTERS;

typedef struct _SCOPE_TABLE_AMD64
{
    ULONG Count;
    struct
    {
        ULONG BeginAddress;
        ULONG EndAddress;
        ULONG HandlerAddress;
        ULONG JumpTarget;
    } ScopeRecord[1];
} SCOPE_TABLE_AMD64, *PSCOPE_TABLE_AMD64;

#endif /* _WINNT_ */

#ifndef STATUS_LONGJUMP
#define STATUS_LONGJUMP ((NTSTATUS)0x80000026L)
#endif
#ifndef STATUS_UNWIND_CONSOLIDATE
#define STATUS_UNWIND_CONSOLIDATE ((NTSTATUS)0x80000029L)
#endif

/* The unwind codes of .xdata. */
#define UWOP_PUSH_NONVOL 0
#define UWOP_ALLOC_LARGE 1
#define UWOP_ALLOC_SMALL 2
#define UWOP_SET_FPREG 3
#define UWOP_SAVE_NONVOL 4
#define UWOP_SAVE_NONVOL_FAR 5
#define UWOP_EPILOG 6 /* version 2 */
#define UWOP_SPARE_CODE 7
#define UWOP_SAVE_XMM128 8
#define UWOP_SAVE_XMM128_FAR 9
#define UWOP_PUSH_MACHFRAME 10

typedef union _UNWIND_CODE
{
    struct
    {
        UCHAR CodeOffset; /* offset of the end of the instruction in the prologue, in bytes */
        UCHAR UnwindOp : 4;
        UCHAR OpInfo : 4;
    };
    USHORT FrameOffset;
} UNWIND_CODE, *PUNWIND_CODE;

/*
 * Behind the codes, from the next even slot: the RVA of the language handler and its data (flags
 * UNW_FLAG_EHANDLER, UNW_FLAG_UHANDLER), or a RUNTIME_FUNCTION (UNW_FLAG_CHAININFO).
 */
typedef struct _UNWIND_INFO
{
    UCHAR Version : 3;
    UCHAR Flags : 5;
    UCHAR SizeOfProlog;
    UCHAR CountOfCodes;
    UCHAR FrameRegister : 4;
    UCHAR FrameOffset : 4; /* in units of 16 bytes */
    UNWIND_CODE UnwindCode[];
} UNWIND_INFO, *PUNWIND_INFO;

/* What setjmp fills and longjmp hands to RtlUnwindEx in ExceptionInformation[0]; the C run time's layout. */
typedef struct _RTLP_JUMP_BUFFER
{
    ULONG64 Frame;
    ULONG64 Rbx;
    ULONG64 Rsp;
    ULONG64 Rbp;
    ULONG64 Rsi;
    ULONG64 Rdi;
    ULONG64 R12;
    ULONG64 R13;
    ULONG64 R14;
    ULONG64 R15;
    ULONG64 Rip;
    ULONG MxCsr;
    USHORT FpCsr;
    USHORT Spare;
    M128A Xmm[10]; /* xmm6 to xmm15 */
} RTLP_JUMP_BUFFER, *PRTLP_JUMP_BUFFER;

#ifndef RTLP_UNWIND_TYPES_ONLY

#if !defined(_WINNT_)

PRUNTIME_FUNCTION NTAPI RtlLookupFunctionEntry(_In_ ULONG64 ControlPc, _Out_ PULONG64 ImageBase,
                                               _Inout_opt_ PUNWIND_HISTORY_TABLE HistoryTable);

PEXCEPTION_ROUTINE NTAPI RtlVirtualUnwind(_In_ ULONG HandlerType, _In_ ULONG64 ImageBase, _In_ ULONG64 ControlPc,
                                          _In_ PRUNTIME_FUNCTION FunctionEntry, _Inout_ PCONTEXT ContextRecord,
                                          _Out_ PVOID *HandlerData, _Out_ PULONG64 EstablisherFrame,
                                          _Inout_opt_ PKNONVOLATILE_CONTEXT_POINTERS ContextPointers);

VOID NTAPI RtlUnwindEx(_In_opt_ PVOID TargetFrame, _In_opt_ PVOID TargetIp, _In_opt_ PEXCEPTION_RECORD ExceptionRecord,
                       _In_ PVOID ReturnValue, _In_ PCONTEXT ContextRecord,
                       _In_opt_ PUNWIND_HISTORY_TABLE HistoryTable);

VOID NTAPI RtlUnwind(_In_opt_ PVOID TargetFrame, _In_opt_ PVOID TargetIp, _In_opt_ PEXCEPTION_RECORD ExceptionRecord,
                     _In_ PVOID ReturnValue);

VOID NTAPI RtlCaptureContext(_Out_ PCONTEXT ContextRecord);

DECLSPEC_NORETURN VOID RtlRestoreContext(_In_ PCONTEXT ContextRecord, _In_opt_ PEXCEPTION_RECORD ExceptionRecord);

VOID NTAPI RtlRaiseException(_In_ PEXCEPTION_RECORD ExceptionRecord);

DECLSPEC_NORETURN VOID NTAPI RtlRaiseStatus(_In_ NTSTATUS Status);

USHORT NTAPI RtlCaptureStackBackTrace(_In_ ULONG FramesToSkip, _In_ ULONG FramesToCapture, _Out_ PVOID *BackTrace,
                                      _Out_opt_ PULONG BackTraceHash);

PVOID NTAPI RtlPcToFileHeader(_In_ PVOID PcValue, _Out_ PVOID *BaseOfImage);

#endif /* _WINNT_ */

/**
 * Finds and runs the handlers for an exception, from the frame in Context outwards.
 *
 * @param ExceptionRecord  the exception; ExceptionFlags are updated on the way
 * @param Context          the machine state where it happened; a handler may change it
 * @return TRUE: a filter answered EXCEPTION_CONTINUE_EXECUTION, continue at Context. FALSE: nobody took it, or
 *         the stack is bad (EXCEPTION_STACK_INVALID is then set). Does not return if a handler unwound.
 *
 * IRQL: any at which the stack and the handlers are resident. Context: on the stack that Context describes.
 */
BOOLEAN NTAPI RtlDispatchException(_In_ PEXCEPTION_RECORD ExceptionRecord, _In_ PCONTEXT Context);

/**
 * Lists the return addresses from a given machine state outwards, reading only inside the given stack.
 *
 * @param Context    where to start; not changed
 * @param StackLow   lowest address of the stack
 * @param StackHigh  address behind the stack
 * @param Frames     receives up to Count addresses; the first is Context->Rip
 * @param Exact      optional: bit n is set if frame n (below 64) is where a trap interrupted, not a return address
 * @return the number of addresses stored
 *
 * Any IRQL, also while a blue screen is drawn: no locks are taken besides those of RtlpFindImage.
 */
ULONG RtlpWalkContext(_In_ const CONTEXT *Context, _In_ ULONG64 StackLow, _In_ ULONG64 StackHigh,
                      _Out_writes_to_(Count, return) PVOID *Frames, _In_ ULONG Count, _Out_opt_ PULONG64 Exact);

/**
 * longjmp under another name, for a C run time that exports its own: see raise.c.
 */
DECLSPEC_NORETURN VOID RtlpLongJump(_In_ PRTLP_JUMP_BUFFER Buffer, _In_ int Value);

VOID _local_unwind(PVOID TargetFrame, PVOID TargetIp);
VOID __jump_unwind(PVOID TargetFrame, PVOID TargetIp);

#endif /* RTLP_UNWIND_TYPES_ONLY */

#endif /* ISTHMUS_UNWIND_H */
