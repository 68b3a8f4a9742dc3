/* SPDX-License-Identifier: MIT */
/*
 * Prologues and epilogues as mingw's gcc makes them; see steps.c.
 */
#define EXPORT __declspec(dllexport)
#define NOINLINE __attribute__((noinline))

static volatile int Sink;
static volatile double Real = 2.5;

static NOINLINE int GccCallee(int A, int B)
{
    Sink = A;
    return A * B;
}

EXPORT void Step_GccPlain(void)
{
    int Index;

    for (Index = 0; Index < 3; Index += 1)
    {
        Sink = GccCallee(Index, Sink) + GccCallee(1, Index);
    }
}

static NOINLINE void GccUse(volatile char *Block, int Size)
{
    Block[0] = 1;
    Block[Size - 1] = 2;
}

EXPORT void Step_GccAlloca(void)
{
    int Size = 48 + (Sink & 7);
    volatile char *Block = __builtin_alloca((unsigned)Size);

    GccUse(Block, Size);
    Sink = GccCallee(Block[0], Size);
}

EXPORT void Step_GccXmm(void)
{
    double A = Real, B = Real * 2, C = Real * 3;

    Sink = GccCallee(1, 2);
    __asm__ volatile("xorps %%xmm6,%%xmm6; xorps %%xmm7,%%xmm7; xorps %%xmm12,%%xmm12"
                     :
                     :
                     : "xmm6", "xmm7", "xmm12", "rbx", "rsi");
    Sink = GccCallee(2, 3);
    Real = A + B + C;
}
