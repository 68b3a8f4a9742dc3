/* SPDX-License-Identifier: MIT */
/*
 * The guest's ground: the hooks of exception handling, the way from a signal to the dispatcher, the trace.
 */
#include "guesttest.h"

GUEST_HOST Host;
extern char __ImageBase;
volatile int Vectored;

char Trace[256];
unsigned TraceLength;

NOINLINE void Mark(char Letter)
{
    if (TraceLength < sizeof(Trace) - 1)
    {
        Trace[TraceLength++] = Letter;
        Trace[TraceLength] = 0;
    }
}

int Check(const char *Expected, int Line)
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
void DispatchFault(PEXCEPTION_RECORD Record, PCONTEXT Context)
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

NOINLINE void Raise(ULONG Code, ULONG Flags)
{
    EXCEPTION_RECORD Record;

    RtlpZero(&Record, sizeof(Record));
    Record.ExceptionCode = (NTSTATUS)Code;
    Record.ExceptionFlags = Flags;
    Record.NumberParameters = 1;
    Record.ExceptionInformation[0] = 0x1234;
    RtlRaiseException(&Record);
}

NOINLINE int Filter(char Letter, int Answer)
{
    Mark(Letter);
    return Answer;
}

int DllMainCRTStartup(PVOID Instance, ULONG Reason, PVOID Reserved)
{
    return 1;
}
