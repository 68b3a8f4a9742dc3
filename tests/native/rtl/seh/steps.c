/* SPDX-License-Identifier: MIT */
/*
 * Functions with every kind of prologue and epilogue, for stepping through them one instruction at a time. Compiled
 * by clang; stepsgcc.c has what gcc makes of some.
 */
#define EXPORT __declspec(dllexport)
#define NOINLINE __attribute__((noinline))

static volatile int Sink;
static volatile double Real = 1.25;

EXPORT void Step_Leaf(void)
{
    Sink += 1;
    Sink += 2;
    Sink ^= 4;
    Sink += 8;
}

static NOINLINE int Callee(int A, int B)
{
    Sink = A;
    return A * B + Sink;
}

EXPORT void Step_Small(void)
{
    Sink = Callee(1, 2);
    Sink = Callee(Sink, 3);
}

EXPORT void Step_BigFrame(void)
{
    volatile char Block[0x9000];

    Block[0] = 1;
    Block[sizeof(Block) - 1] = 2;
    Sink = Callee(Block[0], Block[sizeof(Block) - 1]);
}

EXPORT void Step_AllRegisters(void)
{
    int A = Sink, B = Sink + 1, C = Sink + 2, D = Sink + 3, E = Sink + 4, F = Sink + 5, G = Sink + 6, H = Sink + 7;

    Sink = Callee(A, B);
    __asm__ volatile("xor %%ebx,%%ebx; xor %%ebp,%%ebp; xor %%esi,%%esi; xor %%edi,%%edi; xor %%r12d,%%r12d;"
                     "xor %%r13d,%%r13d; xor %%r14d,%%r14d; xor %%r15d,%%r15d"
                     :
                     :
                     : "rbx", "rbp", "rsi", "rdi", "r12", "r13", "r14", "r15");
    Sink = Callee(A + C, B + D) + Callee(E + F, G + H) + A + B + C + D + E + F + G + H;
}

EXPORT void Step_Xmm(void)
{
    double A = Real, B = Real + 1, C = Real + 2, D = Real + 3, E = Real + 4;

    Sink = Callee(1, 2);
    __asm__ volatile("xorps %%xmm6,%%xmm6; xorps %%xmm7,%%xmm7; xorps %%xmm8,%%xmm8; xorps %%xmm9,%%xmm9;"
                     "xorps %%xmm10,%%xmm10; xorps %%xmm11,%%xmm11; xorps %%xmm12,%%xmm12; xorps %%xmm13,%%xmm13;"
                     "xorps %%xmm14,%%xmm14; xorps %%xmm15,%%xmm15"
                     :
                     :
                     : "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    Sink = Callee(3, 4);
    Real = (A + B * C - D / E) * 0 + 1.25;
}

static NOINLINE void UseBlock(volatile char *Block, int Size)
{
    Block[0] = 1;
    Block[Size - 1] = 2;
}

EXPORT void Step_FrameRegister(void)
{
    int Size = 32 + (Sink & 15);
    volatile char *Block = __builtin_alloca((unsigned)Size);
    double A = Real;

    UseBlock(Block, Size);
    __asm__ volatile("xorps %%xmm6,%%xmm6; xor %%ebx,%%ebx; xor %%r15d,%%r15d" : : : "xmm6", "rbx", "r15");
    UseBlock(Block, Size);
    Real = A;
}

static NOINLINE int TailTarget(int A)
{
    Sink = A;
    return A + 1;
}

static NOINLINE int TailWithFrame(int A)
{
    volatile int Local = Callee(A, 5);

    Sink = Local;
    return TailTarget(A);
}

static int (*volatile Indirect)(int) = TailTarget;

static NOINLINE int TailIndirect(int A)
{
    Sink = Callee(A, 6);
    return Indirect(A);
}

EXPORT void Step_TailCall(void)
{
    Sink = TailWithFrame(3);
    Sink = TailIndirect(4);
}

static NOINLINE int Fibonacci(int N)
{
    return N < 2 ? N : Fibonacci(N - 1) + Fibonacci(N - 2);
}

EXPORT void Step_Recursive(void)
{
    Sink = Fibonacci(9);
}

static NOINLINE int ManyArguments(int A, int B, int C, int D, int E, int F, double G, int H)
{
    Sink = A + B + C;
    return D + E + F + (int)G + H;
}

EXPORT void Step_Calls(void)
{
    int Index;

    for (Index = 0; Index < 5; Index += 1)
    {
        Sink = ManyArguments(Index, 2, 3, 4, 5, Sink, 1.5, 8) + Callee(Index, Index);
    }
}

static NOINLINE int Select(int A)
{
    switch (A)
    {
    case 0: return Callee(1, A);
    case 1: return Callee(2, A) + 5;
    case 2: return TailTarget(A);
    case 3: Sink = 9; return 4;
    case 4: return Callee(4, 4) * Callee(5, 5);
    case 5: Sink = Callee(7, 7); return TailTarget(8);
    default: return -1;
    }
}

EXPORT void Step_Switch(void)
{
    int Index;

    for (Index = 0; Index < 7; Index += 1)
    {
        Sink = Select(Index);
    }
}

/*
 * A function in two regions, the second chained to the first and with two more registers saved, as compilers do with
 * cold code. The assembler has no directives that split a function, so its unwind information is written out.
 */
__asm__(".section .drectve, \"yn\"\n"
        ".ascii \" -export:Step_Chained\"\n"
        ".text\n"
        ".globl Step_Chained\n"
        ".def Step_Chained; .scl 2; .type 32; .endef\n"
        ".p2align 4\n"
        "Step_Chained:\n"
        "  pushq %rsi\n"
        "1: subq $0x40, %rsp\n"
        "2: xorl %esi, %esi\n"
        "Step_ChainedCold:\n"
        "  movq %rbx, 0x30(%rsp)\n"
        "3: movaps %xmm8, 0x20(%rsp)\n"
        "4: xorl %ebx, %ebx\n"
        "  xorps %xmm8, %xmm8\n"
        "  movl $3, %ecx\n"
        "  movl $4, %edx\n"
        "  callq Callee\n"
        "  nop\n"
        "  movq 0x30(%rsp), %rbx\n"
        "  movaps 0x20(%rsp), %xmm8\n"
        "  addq $0x40, %rsp\n"
        "  popq %rsi\n"
        "  retq\n"
        "Step_ChainedEnd:\n"
        ".section .xdata, \"dr\"\n"
        ".p2align 2\n"
        "Step_ChainedInfo: .byte 1, 2b - Step_Chained, 2, 0\n"
        "  .byte 2b - Step_Chained, 0x72\n" /* alloc 0x40 */
        "  .byte 1b - Step_Chained, 0x60\n" /* push rsi */
        "Step_ChainedColdInfo: .byte 0x21, 4b - Step_ChainedCold, 4, 0\n"
        "  .byte 4b - Step_ChainedCold, 0x88, 2, 0\n" /* xmm8 at 2 * 16 */
        "  .byte 3b - Step_ChainedCold, 0x34, 6, 0\n" /* rbx at 6 * 8 */
        "  .rva Step_Chained, Step_ChainedCold, Step_ChainedInfo\n"
        ".section .pdata, \"dr\"\n"
        "  .rva Step_Chained, Step_ChainedCold, Step_ChainedInfo\n"
        "  .rva Step_ChainedCold, Step_ChainedEnd, Step_ChainedColdInfo\n"
        ".text\n");
/* The compiler can't see the call above. */
__attribute__((used)) static int (*const KeepCallee)(int, int) = Callee;
