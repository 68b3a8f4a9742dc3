/* SPDX-License-Identifier: MIT */
/*
 * Exception handling where it gets tangled: exceptions inside filters and termination handlers, longjmp, consolidated
 * frames, stack traces, and exceptions that nobody takes.
 */
#include "guesttest.h"

EXPORT int Test_RaiseInFilter(void)
{
    volatile ULONG Flags = 0;
    volatile ULONG Code = 0;

    /* The second exception is searched from the filter outwards; it meets the frame of the first dispatch. */
    BEGIN();
    __try
    {
        __try
        {
            Raise(CODE, 0);
        }
        __except (Filter('f', 0), GetExceptionCode() == CODE ? (Raise(CODE + 1, 0), 0) : Filter('n', 0))
        {
            Mark('!');
        }
    }
    __except (Code = GetExceptionCode(), Flags = INFORMATION->ExceptionRecord->ExceptionFlags,
              Filter('g', GetExceptionCode() == CODE + 1))
    {
        Mark('h');
    }

    REQUIRE(Code == CODE + 1);
    (void)Flags;
    END("ffngh");
}

static volatile ULONG SeenFlags;

static LONG NoteFlags(PEXCEPTION_POINTERS Pointers)
{
    SeenFlags = Pointers->ExceptionRecord->ExceptionFlags;
    return EXCEPTION_EXECUTE_HANDLER;
}

static NOINLINE LONG RaiseAgain(void)
{
    Mark('r');
    Raise(CODE + 1, 0);
    return EXCEPTION_CONTINUE_SEARCH;
}

static volatile ULONG NestedFlags;

static LONG NoteNestedFlags(PEXCEPTION_POINTERS Pointers)
{
    NestedFlags = Pointers->ExceptionRecord->ExceptionFlags;
    return EXCEPTION_CONTINUE_SEARCH;
}

static NOINLINE void RaiseWithBadFilter(void)
{
    __try
    {
        Raise(CODE, 0);
    }
    __except (GetExceptionCode() == CODE ? RaiseAgain() : NoteNestedFlags(INFORMATION))
    {
        Mark('!');
    }
}

/* Frames between the nested dispatch and where the outer one had come are marked EXCEPTION_NESTED_CALL. */
EXPORT int Test_NestedCallFlag(void)
{
    volatile ULONG After;

    BEGIN();
    SeenFlags = 0xFFFF;
    __try
    {
        RaiseWithBadFilter();
    }
    __except (NoteFlags(INFORMATION))
    {
        Mark('h');
    }

    After = SeenFlags;
    REQUIRE(NestedFlags == EXCEPTION_NESTED_CALL); /* the filter that had raised is asked again, inside itself */
    REQUIRE((After & EXCEPTION_UNWIND) == 0 && (After & EXCEPTION_NONCONTINUABLE) == 0);
    REQUIRE((After & EXCEPTION_NESTED_CALL) == 0); /* behind that frame the mark is gone again */
    END("rh");
}

/* A termination handler raises while the first unwind is running: a collided unwind. */
static NOINLINE void FinallyRaises(void)
{
    __try
    {
        __try
        {
            __try
            {
                Raise(CODE, 0);
            }
            __finally
            {
                Mark('1');
                Raise(CODE + 1, 0);
                Mark('!');
            }
        }
        __finally
        {
            Mark('2');
        }
    }
    __finally
    {
        Mark('3');
    }
}

EXPORT int Test_CollidedUnwind(void)
{
    volatile ULONG Code = 0;

    BEGIN();
    __try
    {
        __try
        {
            FinallyRaises();
        }
        __except (GetExceptionCode() == CODE ? Filter('f', 1) : Filter('s', 0))
        {
            Mark('!');
        }
    }
    __except (Filter('g', 1))
    {
        Code = GetExceptionCode();
        Mark('h');
    }

    REQUIRE(Code == CODE + 1);
    END("f1sg23h");
}

/* The same, but the new exception is caught inside the termination handler: the old unwind goes on. */
static NOINLINE void FinallyCatches(void)
{
    __try
    {
        Raise(CODE, 0);
    }
    __finally
    {
        __try
        {
            Mark('1');
            Raise(CODE + 1, 0);
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            Mark('2');
        }

        Mark('3');
    }
}

EXPORT int Test_CatchInsideFinally(void)
{
    BEGIN();
    __try
    {
        FinallyCatches();
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Mark('h');
    }

    END("123h");
}

/* ---- longjmp ---- */

static RTLP_JUMP_BUFFER __attribute__((aligned(16))) Jump;

static NOINLINE void JumpOut(void)
{
    __try
    {
        longjmp((PVOID)&Jump, 5);
    }
    __finally
    {
        Mark('f');
    }
}

static NOINLINE int SetJumpPlain(void)
{
    volatile int Value = _setjmpex((PVOID)&Jump, NULL);

    if (Value == 0)
    {
        JumpOut();
    }

    return Value;
}

EXPORT int Test_LongJumpWithoutUnwind(void)
{
    BEGIN();
    REQUIRE(SetJumpPlain() == 5);
    END("");
}

/* The establisher frame of a function without alloca is its rsp after the prologue. */
static NOINLINE int SetJumpUnwinding(void)
{
    PVOID Frame;
    volatile int Value;

    __asm__ volatile("mov %%rsp, %0" : "=r"(Frame));
    Value = _setjmpex((PVOID)&Jump, Frame);
    if (Value == 0)
    {
        JumpOut();
    }

    return Value;
}

EXPORT int Test_LongJumpWithUnwind(void)
{
    BEGIN();
    REQUIRE(SetJumpUnwinding() == 5);
    END("f");
}

/* ---- consolidation ---- */

static volatile ULONG64 ConsolidatedRip;

extern char ConsolidateTarget;

static ULONG64 OnConsolidate(PEXCEPTION_RECORD Record)
{
    PVOID Frames[8];
    ULONG Count = RtlCaptureStackBackTrace(0, 8, Frames, NULL);

    /* Frames[0] is the machine frame's callee; the target function stands right above it. */
    Mark('k');
    Mark(Count >= 2 ? '2' : '!');
    ConsolidatedRip = Record->ExceptionInformation[1];
    return Record->ExceptionInformation[1];
}

static NOINLINE void UnwindTo(PVOID Frame)
{
    EXCEPTION_RECORD Record;
    CONTEXT Context;

    RtlpZero(&Record, sizeof(Record));
    Record.ExceptionCode = STATUS_UNWIND_CONSOLIDATE;
    Record.NumberParameters = 2;
    Record.ExceptionInformation[0] = (ULONG_PTR)OnConsolidate;
    Record.ExceptionInformation[1] = (ULONG_PTR)&ConsolidateTarget;
    __try
    {
        RtlUnwindEx(Frame, &ConsolidateTarget, &Record, (PVOID)9, &Context, NULL);
    }
    __finally
    {
        Mark('f');
    }
}

/* ULONG64 ConsolidateCaller(void (*)(PVOID Frame)): passes its own frame; ends at ConsolidateTarget with rax. */
__asm__(".text\n"
        ".globl ConsolidateCaller\n"
        ".def ConsolidateCaller; .scl 2; .type 32; .endef\n"
        ".seh_proc ConsolidateCaller\n"
        "ConsolidateCaller:\n"
        "  pushq %rbx\n"
        "  .seh_pushreg %rbx\n"
        "  subq $0x30, %rsp\n"
        "  .seh_stackalloc 0x30\n"
        "  .seh_endprologue\n"
        "  movq $0x77, %rbx\n"
        "  movq %rcx, %rax\n"
        "  movq %rsp, %rcx\n"
        "  callq *%rax\n"
        "  int3\n"
        ".globl ConsolidateTarget\n"
        "ConsolidateTarget:\n"
        "  addq %rbx, %rax\n"
        "  addq $0x30, %rsp\n"
        "  popq %rbx\n"
        "  retq\n"
        ".seh_endproc\n");

ULONG64 ConsolidateCaller(void (*Function)(PVOID Frame));

EXPORT int Test_Consolidate(void)
{
    BEGIN();
    REQUIRE(ConsolidateCaller(UnwindTo) == 9 + 0x77);
    END("fk2");
}

/* ---- a fault in the first instruction of a guarded range ---- */

/*
 * Seen from a nested dispatch and from the unwind, this frame lies above a machine frame: its address is the
 * instruction itself, not a return address, and the byte before it is outside of the range.
 */
__asm__(".text\n"
        ".globl FaultAtBegin\n"
        ".def FaultAtBegin; .scl 2; .type 32; .endef\n"
        ".seh_proc FaultAtBegin\n"
        ".seh_handler __C_specific_handler, @unwind, @except\n"
        "FaultAtBegin:\n"
        "  subq $0x28, %rsp\n"
        "  .seh_stackalloc 0x28\n"
        "  .seh_endprologue\n"
        "FaultAtBeginStart:\n"
        "  movl (%rcx), %eax\n"
        "  nop\n"
        "FaultAtBeginEnd:\n"
        "  addq $0x28, %rsp\n"
        "  retq\n"
        ".seh_handlerdata\n"
        "  .long 2\n"
        "  .rva FaultAtBeginStart, FaultAtBeginEnd, AtBeginFilter, FaultAtBeginEnd\n"
        "  .rva FaultAtBeginStart, FaultAtBeginEnd, AtBeginFinally\n"
        "  .long 0\n"
        ".text\n"
        ".seh_endproc\n");

void FaultAtBegin(PVOID Address);

LONG AtBeginFilter(PEXCEPTION_POINTERS Pointers, PVOID Frame)
{
    if (Pointers->ExceptionRecord->ExceptionCode == STATUS_ACCESS_VIOLATION)
    {
        Mark('f');
        Raise(CODE, 0);
    }

    Mark('n');
    return EXCEPTION_CONTINUE_SEARCH;
}

void AtBeginFinally(BOOLEAN Abnormal, PVOID Frame)
{
    Mark(Abnormal ? '1' : '!');
}

EXPORT int Test_FaultAtBegin(void)
{
    BEGIN();
    __try
    {
        FaultAtBegin(Host.BadPage);
        Mark('!');
    }
    __except (GetExceptionCode() == CODE)
    {
        Mark('h');
    }

    END("fn1h");
}

/* ---- stack traces ---- */

/* The driver kit declares it as imported. */
extern ULONG WalkFrameChain(PVOID *Callers, ULONG Count, ULONG Flags) __asm__("RtlWalkFrameChain");

static NOINLINE ULONG Trace3(PVOID *Frames, PULONG Hash)
{
    ULONG Count = RtlCaptureStackBackTrace(0, 16, Frames, Hash);

    Mark('t');
    return Count;
}

static NOINLINE ULONG Trace2(PVOID *Frames, PULONG Hash)
{
    ULONG Count = Trace3(Frames, Hash);

    Mark('t');
    return Count;
}

EXPORT int Test_BackTrace(void)
{
    PVOID Frames[16] = {0};
    PVOID Chain[16] = {0};
    PVOID Skipped[16] = {0};
    ULONG Hash = 0;
    ULONG Sum = 0;
    ULONG Index;
    ULONG Count = Trace2(Frames, &Hash);

    REQUIRE(Count >= 3 && Count < 16);
    REQUIRE((char *)Frames[0] > (char *)Trace3 && (char *)Frames[0] < (char *)Trace3 + 0x100);
    REQUIRE((char *)Frames[1] > (char *)Trace2 && (char *)Frames[1] < (char *)Trace2 + 0x100);
    REQUIRE((char *)Frames[2] > (char *)Test_BackTrace && (char *)Frames[2] < (char *)Test_BackTrace + 0x400);
    for (Index = 0; Index < Count; Index += 1)
    {
        Sum += (ULONG)(ULONG_PTR)Frames[Index];
    }

    REQUIRE(Sum == Hash);
    REQUIRE(WalkFrameChain(Chain, 16, 0) == Count - 2 && Chain[1] == Frames[3]);
    REQUIRE(WalkFrameChain(Chain, 16, 1) == 0);
    REQUIRE(RtlCaptureStackBackTrace(1, 16, Skipped, NULL) == Count - 3 && Skipped[0] == Frames[3]);
    REQUIRE(RtlCaptureStackBackTrace(1000, 16, Skipped, NULL) == 0);
    return 0;
}

/* ---- unhandled: these never come back; the host expects the code ---- */

EXPORT void Die_Unhandled(void)
{
    Raise(CODE, 0);
}

EXPORT void Die_UnhandledFault(void)
{
    *(volatile int *)Host.BadPage = 1;
}

/* A frame that is not on the stack ends the search. */
EXPORT void Die_BadStack(void)
{
    CONTEXT Context;
    EXCEPTION_RECORD Record;

    RtlpZero(&Record, sizeof(Record));
    Record.ExceptionCode = (NTSTATUS)CODE;
    RtlCaptureContext(&Context);
    Context.Rsp = 0x1000;
    DispatchFault(&Record, &Context);
}

/* Unwinding to a frame that was passed already. */
EXPORT void Die_UnwindPastTarget(void)
{
    RtlUnwind((PVOID)(ULONG_PTR)(Host.StackLow + 0x100), (PVOID)(ULONG_PTR)&ConsolidateTarget, NULL, NULL);
}

EXPORT void Die_ExitUnwind(void)
{
    __try
    {
        RtlUnwind(NULL, NULL, NULL, NULL);
    }
    __finally
    {
        Host.Print("finally");
    }
}
