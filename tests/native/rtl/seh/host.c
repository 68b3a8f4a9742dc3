/* SPDX-License-Identifier: MIT */
/*
 * Runs the real exception code natively: loads the guest, a PE image made by the cross compiler, calls its tests with
 * the Microsoft calling convention on a stack of their own, and turns SIGSEGV into exceptions as a kernel would.
 *
 * And the unwinder against the processor: guest functions run one instruction at a time, and at every step the
 * natively compiled unwinder must find the registers that the function's caller really has.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "pe.h"
#include "unwindp.h"
#include "guest.h"

#define STACK_SIZE 0x40000

static PE_IMAGE Image;
static GUEST_HOST *Host;
static UCHAR *Stack;
static UCHAR *GuestBase;
static ULONG64 DispatchEntry;
static sigjmp_buf BackToHost;
static ULONG DeathCode;
static ULONG DeathFlags;
static char Printed[1024];

/* ---- hooks of the native unwinder ---- */

BOOLEAN RtlpFindImage(PVOID Pc, PVOID *Base, PULONG Size)
{
    *Base = GuestBase;
    *Size = Image.SizeOfImage;
    return (ULONG_PTR)Pc - (ULONG_PTR)GuestBase < Image.SizeOfImage;
}

DECLSPEC_NORETURN VOID RtlRaiseStatus(NTSTATUS Status)
{
    fprintf(stderr, "RtlRaiseStatus(%x)\n", (unsigned)Status);
    abort();
}

/* ---- the guest's calls ---- */

static void __attribute__((ms_abi)) GuestPrint(const char *Text)
{
    strncat(Printed, Text, sizeof(Printed) - strlen(Printed) - 2);
    strcat(Printed, " ");
}

static void __attribute__((ms_abi)) GuestUnhandled(unsigned Code, unsigned Flags, unsigned long long Address)
{
    (void)Address;
    DeathCode = Code;
    DeathFlags = Flags;
    siglongjmp(BackToHost, 1);
}

/*
 * unsigned CallGuest(function, stack top, nonvolatile pattern or NULL): calls a function of the guest on the guest's
 * stack. With a pattern, the non-volatile registers have its values and the trap flag is on during the call.
 */
extern unsigned CallGuest(void *Function, void *StackTop, const void *Pattern, unsigned long long Argument);
extern char CallGuestReturn[];
__asm__(".intel_syntax noprefix\n"
        ".text\n"
        ".globl CallGuest\n"
        "CallGuest:\n"
        "  push rbx; push rbp; push r12; push r13; push r14; push r15\n"
        "  mov rax, rsp\n"
        "  mov rsp, rsi\n"
        "  push rax\n" /* 16-byte aligned again after the next push */
        "  push rax\n"
        "  sub rsp, 0x20\n"
        "  mov r10, rdi\n"
        "  mov r11, rdx\n"
        "  test r11, r11\n"
        "  jz 1f\n"
        "  mov rbx, [r11]; mov rbp, [r11+8]; mov rsi, [r11+16]; mov rdi, [r11+24]\n"
        "  mov r12, [r11+32]; mov r13, [r11+40]; mov r14, [r11+48]; mov r15, [r11+56]\n"
        "  movups xmm6, [r11+0x40]; movups xmm7, [r11+0x50]; movups xmm8, [r11+0x60]; movups xmm9, [r11+0x70]\n"
        "  movups xmm10, [r11+0x80]; movups xmm11, [r11+0x90]; movups xmm12, [r11+0xA0]; movups xmm13, [r11+0xB0]\n"
        "  movups xmm14, [r11+0xC0]; movups xmm15, [r11+0xD0]\n"
        "  pushfq; or dword ptr [rsp], 0x100; popfq\n"
        "1:\n"
        "  call r10\n"
        ".globl CallGuestReturn\n"
        "CallGuestReturn:\n"
        "  pushfq; and dword ptr [rsp], 0xfffffeff; popfq\n"
        "  mov rsp, [rsp+0x28]\n"
        "  pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx\n"
        "  ret\n"
        ".att_syntax\n");

static void *Export(const char *Name)
{
    PE_EXPORT Found;

    if (PeFindExport(&Image, Name, &Found) != PeOk)
    {
        fail_msg("the guest has no export %s", Name);
    }

    return GuestBase + Found.Rva;
}

/* ---- signals ---- */

static void ToContext(const ucontext_t *U, PCONTEXT C)
{
    const greg_t *R = U->uc_mcontext.gregs;

    memset(C, 0, sizeof(*C));
    C->ContextFlags = 0x10000F;
    C->Rax = (ULONG64)R[REG_RAX];
    C->Rcx = (ULONG64)R[REG_RCX];
    C->Rdx = (ULONG64)R[REG_RDX];
    C->Rbx = (ULONG64)R[REG_RBX];
    C->Rsp = (ULONG64)R[REG_RSP];
    C->Rbp = (ULONG64)R[REG_RBP];
    C->Rsi = (ULONG64)R[REG_RSI];
    C->Rdi = (ULONG64)R[REG_RDI];
    C->R8 = (ULONG64)R[REG_R8];
    C->R9 = (ULONG64)R[REG_R9];
    C->R10 = (ULONG64)R[REG_R10];
    C->R11 = (ULONG64)R[REG_R11];
    C->R12 = (ULONG64)R[REG_R12];
    C->R13 = (ULONG64)R[REG_R13];
    C->R14 = (ULONG64)R[REG_R14];
    C->R15 = (ULONG64)R[REG_R15];
    C->Rip = (ULONG64)R[REG_RIP];
    C->EFlags = (ULONG)R[REG_EFL];
    C->SegCs = 0x33;
    C->SegSs = 0x2B;
    C->MxCsr = U->uc_mcontext.fpregs->mxcsr;
    memcpy(&C->Xmm0, U->uc_mcontext.fpregs->_xmm, 16 * sizeof(M128A));
}

static void OnFault(int Signal, siginfo_t *Info, void *Ucontext)
{
    ucontext_t *U = Ucontext;
    greg_t *R = U->uc_mcontext.gregs;
    ULONG64 Sp = (ULONG64)R[REG_RSP];
    PCONTEXT Context;
    PEXCEPTION_RECORD Record;

    if ((ULONG64)R[REG_RIP] - (ULONG64)GuestBase >= Image.SizeOfImage)
    {
        signal(Signal, SIG_DFL);
        return;
    }

    /* The stack as the kernel prepares it for KiUserExceptionDispatcher: see GuestDispatch. */
    Sp = (Sp - 0x5C0) & ~15ULL;
    Context = (PCONTEXT)Sp;
    Record = (PEXCEPTION_RECORD)(Sp + 0x4F0);
    ToContext(U, Context);
    memset(Record, 0, sizeof(*Record));
    Record->ExceptionCode = STATUS_ACCESS_VIOLATION;
    Record->ExceptionAddress = (PVOID)Context->Rip;
    Record->NumberParameters = 2;
    Record->ExceptionInformation[0] = (R[REG_ERR] & 2) != 0;
    Record->ExceptionInformation[1] = (ULONG_PTR)Info->si_addr;
    *(ULONG64 *)(Sp + 0x590) = Context->Rip;
    *(ULONG64 *)(Sp + 0x5A8) = Context->Rsp;
    R[REG_RSP] = (greg_t)Sp;
    R[REG_RIP] = (greg_t)DispatchEntry;
}

/* What the caller of the function under test has, and what went wrong. */
static struct
{
    ULONG64 ReturnAddress;
    ULONG64 Rsp;
    ULONG64 Integer[8]; /* rbx rbp rsi rdi r12 r13 r14 r15 */
    M128A Xmm[10];
} Truth;

static ULONG Steps;
static ULONG WrongSteps;
static ULONG64 FirstWrong;
static const char *WrongWhat;
static ULONG DistinctSteps;
static UCHAR *Visited;

static const char *CompareWithTruth(const CONTEXT *C)
{
    static const UCHAR Number[8] = {3, 5, 6, 7, 12, 13, 14, 15};
    ULONG Index;

    if (C->Rsp != Truth.Rsp)
    {
        return "rsp";
    }

    for (Index = 0; Index < 8; Index += 1)
    {
        if (*RtlpRegister((PCONTEXT)C, Number[Index]) != Truth.Integer[Index])
        {
            return "a non-volatile register";
        }
    }

    return memcmp(&C->Xmm6, Truth.Xmm, sizeof(Truth.Xmm)) != 0 ? "an xmm register" : NULL;
}

/* Unwinds from every single instruction up to CallGuest. */
static void OnStep(int Signal, siginfo_t *Info, void *Ucontext)
{
    CONTEXT Context __attribute__((aligned(16)));
    RTLP_FRAME Frame;
    ULONG Depth;
    const char *What = "the walk did not reach the caller";
    ULONG64 Start;

    (void)Signal;
    (void)Info;
    ToContext(Ucontext, &Context);
    Start = Context.Rip - (ULONG64)GuestBase;
    if (Start >= Image.SizeOfImage)
    {
        return;
    }

    Steps += 1;
    if (Visited[Start] == 0)
    {
        Visited[Start] = 1;
        DistinctSteps += 1;
    }

    Frame.Context = &Context;
    Frame.Pointers = NULL;
    Frame.StackLow = (ULONG64)Stack;
    Frame.StackHigh = (ULONG64)Stack + STACK_SIZE;
    for (Depth = 0; Depth < 64; Depth += 1)
    {
        RtlpFindFrameCode(&Frame, Context.Rip);
        if (!NT_SUCCESS(RtlpUnwindFrame(&Frame, UNW_FLAG_NHANDLER)))
        {
            What = "a frame could not be unwound";
            break;
        }

        if (Context.Rip == Truth.ReturnAddress)
        {
            What = CompareWithTruth(&Context);
            break;
        }
    }

    if (What != NULL)
    {
        WrongSteps += 1;
        if (FirstWrong == 0)
        {
            FirstWrong = Start;
            WrongWhat = What;
        }
    }
}

/* ---- tests ---- */

/* cmocka has handlers of its own, which it puts in place before each test. */
static void TakeSignals(void)
{
    struct sigaction Action;

    memset(&Action, 0, sizeof(Action));
    Action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    Action.sa_sigaction = OnFault;
    sigaction(SIGSEGV, &Action, NULL);
    Action.sa_sigaction = OnStep;
    sigaction(SIGTRAP, &Action, NULL);
}

static void RunGuestTest(void **State)
{
    int Line;

    TakeSignals();
    Printed[0] = 0;
    if (sigsetjmp(BackToHost, 1) != 0)
    {
        fail_msg("unhandled exception %x, flags %x", (unsigned)DeathCode, (unsigned)DeathFlags);
    }

    Line = (int)CallGuest(Export(*State), Stack + STACK_SIZE, NULL, 0);
    if (Line != 0)
    {
        fail_msg("line %d of guest.c or guestunwind.c: %s", Line, Printed);
    }
}

static void RunGuestDeath(const char *Name, ULONG Code, ULONG Flags, const char *Text)
{
    TakeSignals();
    Printed[0] = 0;
    DeathCode = 0;
    if (sigsetjmp(BackToHost, 1) == 0)
    {
        CallGuest(Export(Name), Stack + STACK_SIZE, NULL, 0);
        fail_msg("%s came back", Name);
    }

    assert_int_equal(DeathCode, Code);
    assert_int_equal(DeathFlags, Flags);
    assert_string_equal(Printed, Text);
}

static void TestUnhandled(void **State)
{
    (void)State;
    RunGuestDeath("Die_Unhandled", 0xE0001234, 0, "");
    RunGuestDeath("Die_UnhandledFault", (ULONG)STATUS_ACCESS_VIOLATION, 0, "");
}

static void TestBadStack(void **State)
{
    (void)State;
    RunGuestDeath("Die_BadStack", 0xE0001234, EXCEPTION_STACK_INVALID, "");
    RunGuestDeath("Die_UnwindPastTarget", (ULONG)STATUS_BAD_STACK, EXCEPTION_NONCONTINUABLE, "");
    RunGuestDeath("Die_ExitUnwind", (ULONG)STATUS_UNWIND, EXCEPTION_UNWINDING | EXCEPTION_EXIT_UNWIND, "finally ");
}

static void StepThrough(const char *Name, ULONG AtLeast)
{
    ULONG64 Pattern[8 + 20];
    ULONG Index;

    TakeSignals();
    for (Index = 0; Index < RTL_NUMBER_OF(Pattern); Index += 1)
    {
        Pattern[Index] = 0x1111111111111111ULL * (Index + 1) + 0x9876;
    }

    memcpy(Truth.Integer, Pattern, sizeof(Truth.Integer));
    memcpy(Truth.Xmm, Pattern + 8, sizeof(Truth.Xmm));
    Truth.ReturnAddress = (ULONG64)CallGuestReturn;
    Truth.Rsp = (ULONG64)Stack + STACK_SIZE - 0x30;
    Steps = 0;
    WrongSteps = 0;
    FirstWrong = 0;
    DistinctSteps = 0;
    memset(Visited, 0, Image.SizeOfImage);
    CallGuest(Export(Name), Stack + STACK_SIZE, Pattern, 0);
    print_message("    %-24s %u steps at %u places\n", Name, (unsigned)Steps, (unsigned)DistinctSteps);
    if (WrongSteps != 0)
    {
        fail_msg("%s: wrong at %u of %u steps, first at RVA %llx: %s", Name, (unsigned)WrongSteps, (unsigned)Steps,
                 FirstWrong, WrongWhat);
    }

    assert_true(DistinctSteps > AtLeast);
}

static void TestStep(void **State)
{
    StepThrough(*State, 3);
}

static void Load(const char *Path)
{
    int File = open(Path, O_RDONLY);
    struct stat Status;
    void *Data;
    PE_IMAGE OnDisk;
    PE_ERROR Error;

    if (File < 0 || fstat(File, &Status) != 0)
    {
        perror(Path);
        exit(2);
    }

    Data = mmap(NULL, (size_t)Status.st_size, PROT_READ, MAP_PRIVATE, File, 0);
    Error = PeOpenFile(&OnDisk, Data, (size_t)Status.st_size);
    GuestBase = mmap(NULL, OnDisk.SizeOfImage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (Error == PeOk)
    {
        Error = PeMapFile(&OnDisk, GuestBase, OnDisk.SizeOfImage);
    }

    if (Error == PeOk)
    {
        Error = PeOpenMapped(&Image, GuestBase, OnDisk.SizeOfImage);
    }

    if (Error == PeOk)
    {
        Error = PeRelocate(&Image, (uint64_t)GuestBase);
    }

    if (Error != PeOk)
    {
        fprintf(stderr, "%s: %s\n", Path, PeErrorText(Error));
        exit(2);
    }
}

static void Prepare(void)
{
    static UCHAR SignalStack[0x10000];
    stack_t Alternate = {.ss_sp = SignalStack, .ss_size = sizeof(SignalStack)};

    Stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    Visited = calloc(1, Image.SizeOfImage);
    Host = Export("Host");
    Host->StackLow = (ULONG64)Stack;
    Host->StackHigh = (ULONG64)Stack + STACK_SIZE;
    Host->Print = GuestPrint;
    Host->Unhandled = GuestUnhandled;
    Host->BadPage = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    Host->ImageSize = Image.SizeOfImage;
    DispatchEntry = (ULONG64)Export("GuestDispatch");
    sigaltstack(&Alternate, NULL);
}

#define GUEST(Name) {#Name, RunGuestTest, NULL, NULL, "Test_" #Name}
#define STEP(Name) {"Step" #Name, TestStep, NULL, NULL, "Step_" #Name}

int main(int Count, char **Arguments)
{
    const struct CMUnitTest Tests[] = {
        GUEST(RaiseAndCatch),
        GUEST(ReadFault),
        GUEST(WriteFaultDirect),
        GUEST(FaultInMemcpy),
        GUEST(ContinueExecution),
        GUEST(ContinueFaultWithFix),
        GUEST(NoncontinuableContinued),
        GUEST(FinallyNormalAndLeave),
        GUEST(NestedFinally),
        GUEST(RaiseInFilter),
        GUEST(NestedCallFlag),
        GUEST(CollidedUnwind),
        GUEST(CatchInsideFinally),
        GUEST(ReturnFromTry),
        GUEST(RaiseStatus),
        GUEST(NonVolatileRegisters),
        GUEST(FrameRegister),
        GUEST(ManyFrames),
        GUEST(LongJumpWithoutUnwind),
        GUEST(LongJumpWithUnwind),
        GUEST(Consolidate),
        GUEST(FaultAtBegin),
        GUEST(LocalUnwind),
        GUEST(VectoredContinue),
        GUEST(BackTrace),
        cmocka_unit_test(TestUnhandled),
        cmocka_unit_test(TestBadStack),
        STEP(Leaf),
        STEP(Small),
        STEP(BigFrame),
        STEP(AllRegisters),
        STEP(Xmm),
        STEP(FrameRegister),
        STEP(TailCall),
        STEP(Recursive),
        STEP(Calls),
        STEP(Switch),
        STEP(Chained),
        STEP(GccPlain),
        STEP(GccAlloca),
        STEP(GccXmm),
    };

    if (Count < 2)
    {
        fprintf(stderr, "usage: %s guest.dll\n", Arguments[0]);
        return 2;
    }

    setvbuf(stdout, NULL, _IONBF, 0);
    Load(Arguments[1]);
    Prepare();
    return cmocka_run_group_tests(Tests, NULL, NULL);
}
