/* SPDX-License-Identifier: MIT */
/* Exceptions of a program through vectored handlers and the last filter: codes, contexts, order, software raises. */
#include "check.h"

static struct
{
    DWORD Code, Parameters;
    ULONG_PTR Information[3];
    void *Address;
} Seen;
static char Order[16];
static int OrderLength;
static BYTE *volatile Resume;

static void Note(EXCEPTION_RECORD *Record)
{
    Seen.Code = Record->ExceptionCode;
    Seen.Parameters = Record->NumberParameters;
    memcpy(Seen.Information, Record->ExceptionInformation, sizeof(Seen.Information));
    Seen.Address = Record->ExceptionAddress;
}

static LONG CALLBACK First(EXCEPTION_POINTERS *Pointers)
{
    (void)Pointers;
    Order[OrderLength++ & 15] = '1';
    return EXCEPTION_CONTINUE_SEARCH;
}

static LONG CALLBACK Second(EXCEPTION_POINTERS *Pointers)
{
    Order[OrderLength++ & 15] = '2';
    Note(Pointers->ExceptionRecord);
    if (Resume != NULL)
    {
        Pointers->ContextRecord->Rip = (DWORD64)Resume;
        return EXCEPTION_CONTINUE_EXECUTION;
    }
    return Seen.Code >= 0xE0000000 ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

/* One faulting instruction, with the place behind it to resume at. */
#define FAULT(code, ...)                                                                                               \
    do                                                                                                                 \
    {                                                                                                                  \
        memset(&Seen, 0, sizeof(Seen));                                                                                \
        __asm__ volatile("leaq 1f(%%rip), %%r10\n\tmovq %%r10, %0\n\t" code "\n1:"                                     \
                         : "=m"(Resume)                                                                                \
                         : __VA_ARGS__                                                                                 \
                         : "rax", "rdx", "r10", "memory", "cc");                                                       \
        Resume = NULL;                                                                                                 \
    } while (0)

static void TestFaults(void)
{
    FAULT("movl (%1), %%eax", "r"((ULONG_PTR)0x20));
    CHECK_EQUAL(Seen.Code, EXCEPTION_ACCESS_VIOLATION);
    CHECK(Seen.Parameters == 2 && Seen.Information[0] == 0 && Seen.Information[1] == 0x20);
    FAULT("movl %%eax, (%1)", "r"((ULONG_PTR)0x28));
    CHECK_EQUAL(Seen.Code, EXCEPTION_ACCESS_VIOLATION);
    CHECK(Seen.Information[0] == 1 && Seen.Information[1] == 0x28);
    FAULT("movl (%1), %%eax", "r"(0x1234567812345678));
    CHECK_EQUAL(Seen.Code, EXCEPTION_ACCESS_VIOLATION);
    CHECK(Seen.Information[0] == 0 && Seen.Information[1] == (ULONG_PTR)-1);
    FAULT("movl (%1), %%eax", "r"((ULONG_PTR)0xFFFFF80000001000));
    CHECK_EQUAL(Seen.Code, EXCEPTION_ACCESS_VIOLATION);
    FAULT("xorl %%edx, %%edx\n\tmovl $1, %%eax\n\tdivl %1", "m"(*(const int[]){0}));
    CHECK_EQUAL(Seen.Code, EXCEPTION_INT_DIVIDE_BY_ZERO);
    CHECK_EQUAL(Seen.Parameters, 0);
    FAULT("movl $0x80000000, %%eax\n\tcltd\n\tidivl %1", "m"(*(const int[]){-1}));
    CHECK_EQUAL(Seen.Code, EXCEPTION_INT_OVERFLOW);
    FAULT("ud2", "i"(0));
    CHECK_EQUAL(Seen.Code, EXCEPTION_ILLEGAL_INSTRUCTION);
    FAULT("cli", "i"(0));
    CHECK_EQUAL(Seen.Code, EXCEPTION_PRIV_INSTRUCTION);
    FAULT("hlt", "i"(0));
    CHECK_EQUAL(Seen.Code, EXCEPTION_PRIV_INSTRUCTION);
    FAULT("int3", "i"(0));
    CHECK_EQUAL(Seen.Code, EXCEPTION_BREAKPOINT);
    FAULT("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tnop", "i"(0));
    CHECK_EQUAL(Seen.Code, EXCEPTION_SINGLE_STEP);
    /* Data that never executes: the fault says so. */
    static BYTE data[16] = {0xC3};
    FAULT("jmpq *%1", "r"(data));
    printf("a jump into data: code 0x%lx kind %llu address 0x%llx (data at %p)\n", Seen.Code,
           (ULONG64)Seen.Information[0], (ULONG64)Seen.Information[1], (void *)data);
    CHECK_EQUAL(Seen.Code, EXCEPTION_ACCESS_VIOLATION);
    CHECK(Seen.Information[0] == 8 && Seen.Information[1] == (ULONG_PTR)data);
}

static void TestRaise(void)
{
    ULONG_PTR arguments[3] = {11, 22, 33};

    OrderLength = 0;
    memset(&Seen, 0, sizeof(Seen));
    RaiseException(0xE0001234, 0, 3, arguments);
    CHECK_EQUAL(Seen.Code, 0xE0001234);
    CHECK(Seen.Parameters == 3 && Seen.Information[2] == 33);
    CHECK(Order[0] == '1' && Order[1] == '2' && OrderLength == 2);
}

/* Registers survive a fault that the handler resumes. */
static void TestRegisters(void)
{
    ULONG64 rbx = 0x1111, r12 = 0x2222, r15 = 0x3333;
    double x = 1.25;

    for (int i = 0; i < 20; i++)
    {
        FAULT("movl (%1), %%eax", "r"((ULONG_PTR)0x30 + (ULONG_PTR)i));
        CHECK_EQUAL(Seen.Information[1], 0x30 + i);
        rbx += (ULONG64)i;
        r12 ^= rbx;
        r15 += r12;
        x *= 1.5;
    }
    CHECK(rbx == 0x1111 + 190 && r12 != 0 && r15 != 0);
    CHECK(x > 4156.0 && x < 4157.0);
}

static DWORD WINAPI FaultInThread(void *Context)
{
    volatile ULONG_PTR address = (ULONG_PTR)Context;
    for (int i = 0; i < 200; i++)
    {
        (void)*(volatile BYTE *)address;
    }
    return 9;
}

static LONG CALLBACK SkipLoad(EXCEPTION_POINTERS *Pointers)
{
    /* The load is "movzbl (%rax), %eax" or the like: let it read a byte that is there instead. */
    static BYTE there;
    ULONG_PTR wrong = Pointers->ExceptionRecord->ExceptionInformation[1];
    DWORD64 *registers = &Pointers->ContextRecord->Rax;

    if (Pointers->ExceptionRecord->ExceptionCode != EXCEPTION_ACCESS_VIOLATION || wrong < 0x500 || wrong > 0x600)
    {
        return EXCEPTION_CONTINUE_SEARCH;
    }
    for (int i = 0; i < 16; i++)
    {
        if (registers[i] == wrong)
        {
            registers[i] = (DWORD64)&there;
        }
    }
    return EXCEPTION_CONTINUE_EXECUTION;
}

/* Two threads fault at the same time; each gets its own context back. */
static void TestThreads(void)
{
    HANDLE threads[3];
    void *handler = AddVectoredExceptionHandler(1, SkipLoad);
    DWORD code = 0;

    for (int i = 0; i < 3; i++)
    {
        threads[i] = CreateThread(NULL, 0, FaultInThread, (void *)(ULONG_PTR)(0x500 + i * 8), 0, NULL);
    }
    CHECK_EQUAL(WaitForMultipleObjects(3, threads, TRUE, 30000), WAIT_OBJECT_0);
    for (int i = 0; i < 3; i++)
    {
        CHECK(GetExitCodeThread(threads[i], &code) && code == 9);
        CloseHandle(threads[i]);
    }
    CHECK(RemoveVectoredExceptionHandler(handler) != 0);
}

int main(void)
{
    void *second = AddVectoredExceptionHandler(0, Second), *first = AddVectoredExceptionHandler(1, First);

    CHECK(first != NULL && second != NULL);
    TestFaults();
    TestRaise();
    TestRegisters();
    TestThreads();
    CHECK(RemoveVectoredExceptionHandler(first) != 0);
    OrderLength = 0;
    RaiseException(0xE0000001, 0, 0, NULL);
    CHECK(OrderLength == 1 && Order[0] == '2');
    CHECK_EQUAL(RemoveVectoredExceptionHandler(first), 0);
    return Done("u_seh");
}
