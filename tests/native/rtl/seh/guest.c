/* SPDX-License-Identifier: MIT */
/*
 * Exception handling as programs and drivers use it. Each test is an exported function Test_*: returns zero if all
 * went as on Windows, else the line that did not. The path through a test is kept as letters and compared at its end.
 */
#include "rtlenv.h"
#include "unwind.h"
#include "sehhooks.h"
#include "guest.h"

#define EXPORT __declspec(dllexport)
#define NOINLINE __attribute__((noinline))

EXPORT GUEST_HOST Host;
extern char __ImageBase;
static volatile int Vectored;

static char Trace[256];
static unsigned TraceLength;

static NOINLINE void Mark(char Letter)
{
    if (TraceLength < sizeof(Trace) - 1)
    {
        Trace[TraceLength++] = Letter;
        Trace[TraceLength] = 0;
    }
}

static int Check(const char *Expected, int Line)
{
    unsigned Index = 0;

    for (; Expected[Index] != 0 && Expected[Index] == Trace[Index]; Index += 1)
    {
    }

    if (Expected[Index] == Trace[Index])
    {
        return 0;
    }

    Host.Print("trace:");
    Host.Print(Trace);
    Host.Print("expected:");
    Host.Print(Expected);
    return Line;
}

#define INFORMATION ((PEXCEPTION_POINTERS)_exception_info())
#define BEGIN()                                                                                                        \
    TraceLength = 0;                                                                                                   \
    Trace[0] = 0
#define REQUIRE(Condition)                                                                                             \
    if (!(Condition))                                                                                                  \
    return __LINE__
#define END(Expected) return Check(Expected, __LINE__)

/* ---- the hooks ---- */

BOOLEAN RtlpFindImage(PVOID Pc, PVOID *Base, PULONG Size)
{
    *Base = &__ImageBase;
    *Size = Host.ImageSize;
    return (ULONG_PTR)Pc - (ULONG_PTR)&__ImageBase < Host.ImageSize;
}

VOID RtlpGetStackLimits(PULONG_PTR Low, PULONG_PTR High)
{
    *Low = Host.StackLow;
    *High = Host.StackHigh;
}

DECLSPEC_NORETURN VOID RtlpUnhandledException(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    Host.Unhandled((ULONG)Record->ExceptionCode, Record->ExceptionFlags, (ULONG64)Record->ExceptionAddress);
    __builtin_trap();
}

BOOLEAN RtlpCallVectoredHandlers(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    if (Vectored == 0)
    {
        return FALSE;
    }

    Mark('V');
    if (Vectored == 2)
    {
        Context->Rip += 2; /* over the two-byte instruction that faulted */
        return TRUE;
    }

    return FALSE;
}

VOID RtlpCallContinueHandlers(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    Mark('C');
}

PVOID RtlpAllocate(SIZE_T Bytes)
{
    return NULL;
}

VOID RtlpFree(PVOID Memory)
{
}

/*
 * Where the host's signal handler sends a fault: KiUserExceptionDispatcher in small. rsp points to the CONTEXT
 * (0x4D0 bytes), the EXCEPTION_RECORD lies at 0x4F0, and a machine frame with rip and rsp at 0x590. The unwind
 * information says so, which is how an unwind finds its way from here to the code that faulted.
 */
__attribute__((used)) static void DispatchFault(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    if (RtlDispatchException(Record, Context))
    {
        RtlRestoreContext(Context, NULL);
    }

    RtlpUnhandledException(Record, Context);
}

EXPORT void GuestDispatch(void);
__asm__(".text\n"
        ".globl GuestDispatch\n"
        ".def GuestDispatch; .scl 2; .type 32; .endef\n"
        ".section .drectve, \"yn\"\n"
        ".ascii \" -export:GuestDispatch\"\n"
        ".text\n"
        ".seh_proc GuestDispatch\n"
        "GuestDispatch:\n"
        "  .seh_pushframe\n"
        "  .seh_stackalloc 0x590\n"
        "  .seh_savereg %rbx, 0x90\n"
        "  .seh_savereg %rbp, 0xA0\n"
        "  .seh_savereg %rsi, 0xA8\n"
        "  .seh_savereg %rdi, 0xB0\n"
        "  .seh_savereg %r12, 0xD8\n"
        "  .seh_savereg %r13, 0xE0\n"
        "  .seh_savereg %r14, 0xE8\n"
        "  .seh_savereg %r15, 0xF0\n"
        "  .seh_savexmm %xmm6, 0x200\n"
        "  .seh_savexmm %xmm7, 0x210\n"
        "  .seh_savexmm %xmm8, 0x220\n"
        "  .seh_savexmm %xmm9, 0x230\n"
        "  .seh_savexmm %xmm10, 0x240\n"
        "  .seh_savexmm %xmm11, 0x250\n"
        "  .seh_savexmm %xmm12, 0x260\n"
        "  .seh_savexmm %xmm13, 0x270\n"
        "  .seh_savexmm %xmm14, 0x280\n"
        "  .seh_savexmm %xmm15, 0x290\n"
        "  .seh_endprologue\n"
        "  leaq 0x4F0(%rsp), %rcx\n"
        "  movq %rsp, %rdx\n" /* the home space of the call is CONTEXT.P1Home to P4Home */
        "  callq DispatchFault\n"
        "  int3\n"
        ".seh_endproc\n");

/* ---- helpers ---- */

static NOINLINE void Raise(ULONG Code, ULONG Flags)
{
    EXCEPTION_RECORD Record;

    RtlpZero(&Record, sizeof(Record));
    Record.ExceptionCode = (NTSTATUS)Code;
    Record.ExceptionFlags = Flags;
    Record.NumberParameters = 1;
    Record.ExceptionInformation[0] = 0x1234;
    RtlRaiseException(&Record);
}

static NOINLINE int Filter(char Letter, int Answer)
{
    Mark(Letter);
    return Answer;
}

#define CODE 0xE0001234

/* ---- tests ---- */

EXPORT int Test_RaiseAndCatch(void)
{
    volatile ULONG Code = 0;

    BEGIN();
    __try
    {
        Mark('a');
        Raise(CODE, 0);
        Mark('!');
    }
    __except (Filter('f', EXCEPTION_EXECUTE_HANDLER))
    {
        Code = GetExceptionCode();
        Mark('h');
    }

    REQUIRE(Code == CODE);
    END("afh");
}

EXPORT int Test_ReadFault(void)
{
    volatile int *Bad = Host.BadPage;
    volatile ULONG Code = 0;
    volatile ULONG_PTR Address = 0;
    volatile ULONG_PTR Kind = 9;

    BEGIN();
    __try
    {
        Mark('a');
        *Bad;
        Mark('!');
    }
    __except (Code = GetExceptionCode(), Kind = INFORMATION->ExceptionRecord->ExceptionInformation[0],
              Address = INFORMATION->ExceptionRecord->ExceptionInformation[1], EXCEPTION_EXECUTE_HANDLER)
    {
        Mark('h');
    }

    REQUIRE(Code == (ULONG)STATUS_ACCESS_VIOLATION && Kind == 0 && Address == (ULONG_PTR)Host.BadPage);
    END("ah");
}

EXPORT int Test_WriteFaultDirect(void)
{
    volatile int *Bad = Host.BadPage;
    volatile int Done = 0;

    BEGIN();
    __try
    {
        Bad[3] = 1;
        Done = 1;
    }
    __except (GetExceptionCode() == STATUS_ACCESS_VIOLATION)
    {
        Mark('h');
    }

    REQUIRE(Done == 0);
    END("h");
}

EXPORT int Test_FaultInMemcpy(void)
{
    char Buffer[64];

    BEGIN();
    __try
    {
        memcpy(Buffer, Host.BadPage, sizeof(Buffer));
        Mark('!');
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Mark('r');
    }

    __try
    {
        memset(Host.BadPage, 1, 100);
        Mark('!');
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Mark('w');
    }

    END("rw");
}

EXPORT int Test_ContinueExecution(void)
{
    volatile int Done = 0;

    BEGIN();
    __try
    {
        Raise(CODE, 0);
        Mark('c');
        Done = 1;
    }
    __except (Filter('f', EXCEPTION_CONTINUE_EXECUTION))
    {
        Mark('!');
    }

    REQUIRE(Done == 1);
    END("fCc");
}

/* The filter repairs a register of the faulting instruction. */
static LONG FixRcx(PEXCEPTION_POINTERS Pointers, PVOID Good)
{
    Mark('f');
    Pointers->ContextRecord->Rcx = (ULONG64)Good;
    return EXCEPTION_CONTINUE_EXECUTION;
}

EXPORT int Test_ContinueFaultWithFix(void)
{
    int Good = 42;
    int Value = 0;

    BEGIN();
    __try
    {
        __asm__ volatile("movl (%%rcx), %0" : "=r"(Value) : "c"(Host.BadPage) : "memory");
        Mark('a');
    }
    __except (FixRcx(INFORMATION, &Good))
    {
        Mark('!');
    }

    REQUIRE(Value == 42);
    END("fCa");
}

EXPORT int Test_NoncontinuableContinued(void)
{
    volatile ULONG Code = 0;
    volatile ULONG Inner = 0;

    BEGIN();
    __try
    {
        __try
        {
            Raise(CODE, EXCEPTION_NONCONTINUABLE);
        }
        __except (Filter('f', GetExceptionCode() == CODE ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH))
        {
            Mark('!');
        }
    }
    __except (Code = GetExceptionCode(),
              Inner = (ULONG)INFORMATION->ExceptionRecord->ExceptionRecord->ExceptionCode,
              EXCEPTION_EXECUTE_HANDLER)
    {
        Mark('h');
    }

    REQUIRE(Code == (ULONG)STATUS_NONCONTINUABLE_EXCEPTION && Inner == CODE);
    END("ffh");
}

EXPORT int Test_FinallyNormalAndLeave(void)
{
    BEGIN();
    __try
    {
        Mark('a');
    }
    __finally
    {
        Mark(AbnormalTermination() ? '!' : 'n');
    }

    __try
    {
        Mark('b');
        __leave;
    }
    __finally
    {
        Mark(AbnormalTermination() ? '!' : 'n');
    }

    END("anbn");
}

static NOINLINE void InnerFinally(void)
{
    __try
    {
        __try
        {
            Raise(CODE, 0);
            Mark('!');
        }
        __finally
        {
            Mark(AbnormalTermination() ? '1' : '!');
        }
    }
    __finally
    {
        Mark(AbnormalTermination() ? '2' : '!');
    }

    Mark('!');
}

EXPORT int Test_NestedFinally(void)
{
    BEGIN();
    __try
    {
        __try
        {
            InnerFinally();
        }
        __except (Filter('s', EXCEPTION_CONTINUE_SEARCH))
        {
            Mark('!');
        }
    }
    __except (Filter('t', EXCEPTION_EXECUTE_HANDLER))
    {
        Mark('h');
    }

    END("st12h");
}

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

static NOINLINE int ReturnFromTry(void)
{
    __try
    {
        Mark('a');
        return 7;
    }
    __finally
    {
        Mark(AbnormalTermination() ? 'x' : 'n');
    }
}

EXPORT int Test_ReturnFromTry(void)
{
    BEGIN();
    REQUIRE(ReturnFromTry() == 7);
    REQUIRE(Trace[0] == 'a' && TraceLength == 2);
    return 0;
}

EXPORT int Test_RaiseStatus(void)
{
    volatile ULONG Code = 0;
    volatile ULONG Flags = 0;

    BEGIN();
    __try
    {
        RtlRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    __except (Flags = INFORMATION->ExceptionRecord->ExceptionFlags, EXCEPTION_EXECUTE_HANDLER)
    {
        Code = GetExceptionCode();
    }

    REQUIRE(Code == (ULONG)STATUS_INSUFFICIENT_RESOURCES && Flags == EXCEPTION_NONCONTINUABLE);
    END("");
}

static volatile double Kept[4];

/* Non-volatile registers, xmm included, have their values back in the handler. */
static NOINLINE void ClobberAndRaise(void)
{
    __asm__ volatile("xor %%ebx, %%ebx; xor %%esi, %%esi; xor %%edi, %%edi; xor %%r12d, %%r12d; xor %%r13d, %%r13d;"
                     "xor %%r14d, %%r14d; xor %%r15d, %%r15d; xorps %%xmm6, %%xmm6; xorps %%xmm9, %%xmm9;"
                     "xorps %%xmm15, %%xmm15"
                     :
                     :
                     : "rbx", "rsi", "rdi", "r12", "r13", "r14", "r15", "xmm6", "xmm9", "xmm15");
    Raise(CODE, 0);
    __asm__ volatile("" ::: "rbx", "rsi", "rdi", "r12", "r13", "r14", "r15", "xmm6", "xmm9", "xmm15");
}

static NOINLINE void CatchClobber(void)
{
    __try
    {
        ClobberAndRaise();
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Mark('h');
    }
}

EXPORT int Test_NonVolatileRegisters(void)
{
    double A = Kept[0] + 1.5;
    double B = Kept[1] + 2.5;
    double C = Kept[2] + 3.5;
    int D = (int)Kept[0] + 4;
    int E = (int)Kept[0] + 5;
    int F = (int)Kept[0] + 6;

    BEGIN();
    CatchClobber();
    REQUIRE(A == 1.5 && B == 2.5 && C == 3.5 && D == 4 && E == 5 && F == 6);
    END("h");
}

/* A frame register: the handler's frame has alloca'd memory. */
static NOINLINE int WithAlloca(volatile int Size)
{
    volatile char *Block = __builtin_alloca((size_t)Size);

    Block[0] = 1;
    Block[Size - 1] = 2;
    __try
    {
        Raise(CODE, 0);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return Block[0] + Block[Size - 1];
    }

    return -1;
}

EXPORT int Test_FrameRegister(void)
{
    REQUIRE(WithAlloca(100) == 3);
    REQUIRE(WithAlloca(5000) == 3);
    return 0;
}

static NOINLINE int Deep(volatile int Depth)
{
    volatile char Pad[200];

    Pad[0] = (char)Depth;
    if (Depth == 0)
    {
        Raise(CODE, 0);
    }

    __try
    {
        Pad[1] = (char)Deep(Depth - 1);
    }
    __finally
    {
        Mark('.');
    }

    return Pad[0];
}

EXPORT int Test_ManyFrames(void)
{
    BEGIN();
    __try
    {
        Deep(40);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Mark('h');
    }

    REQUIRE(TraceLength == 41 && Trace[39] == '.' && Trace[40] == 'h');
    return 0;
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

/* ---- local unwind ---- */

EXPORT int Test_LocalUnwind(void)
{
    volatile int Index;
    volatile int Sum = 0;

    /* `continue` out of a __try with a __finally. */
    BEGIN();
    for (Index = 0; Index < 3; Index += 1)
    {
        __try
        {
            if (Index == 1)
            {
                continue;
            }

            Sum += 1;
        }
        __finally
        {
            Mark('f');
        }
    }

    REQUIRE(Sum == 2);
    END("fff");
}

/* ---- vectored handlers ---- */

EXPORT int Test_VectoredContinue(void)
{
    BEGIN();
    Vectored = 2;
    __try
    {
        __asm__ volatile("movl %%eax, (%%rcx)" : : "c"(Host.BadPage), "a"(0) : "memory"); /* 89 01 */
        Mark('a');
    }
    __except (Filter('!', 1))
    {
        Mark('!');
    }

    Vectored = 1;
    __try
    {
        Raise(CODE, 0);
    }
    __except (Filter('f', 1))
    {
        Mark('h');
    }

    Vectored = 0;
    END("VCaVfh");
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

int DllMainCRTStartup(PVOID Instance, ULONG Reason, PVOID Reserved)
{
    return 1;
}
