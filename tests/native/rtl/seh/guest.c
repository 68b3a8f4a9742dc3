/* SPDX-License-Identifier: MIT */
/*
 * Exception handling as programs and drivers use it: __try, __except, __finally, raises, faults, registers.
 */
#include "guesttest.h"

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
