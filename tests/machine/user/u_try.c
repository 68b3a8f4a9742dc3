/* SPDX-License-Identifier: MIT */
/* __try, __except and __finally of a program, compiled by clang with asynchronous exceptions. */
#include "check.h"

static char Steps[32];
static int StepCount;

static void Step(char What)
{
    Steps[StepCount++ & 31] = What;
}

static LONG Filter(char What, LONG Answer)
{
    Step(What);
    return Answer;
}

static void TestCatch(void)
{
    volatile DWORD code = 0;
    volatile int zero = 0;

    __try
    {
        *(volatile int *)0x60 = 1;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        code = GetExceptionCode();
    }
    CHECK_EQUAL(code, EXCEPTION_ACCESS_VIOLATION);
    __try
    {
        __asm__ volatile("xorl %%edx, %%edx\n\tmovl $1, %%eax\n\tdivl %0" : : "m"(zero) : "rax", "rdx");
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        code = GetExceptionCode();
    }
    CHECK_EQUAL(code, EXCEPTION_INT_DIVIDE_BY_ZERO);
    __try
    {
        RaiseException(0xE0FF00FF, 0, 0, NULL);
    }
    __except (GetExceptionCode() == 0xE0FF00FF ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH)
    {
        code = GetExceptionCode();
    }
    CHECK_EQUAL(code, 0xE0FF00FF);
}

static void __attribute__((noinline)) Inner(int Level)
{
    __try
    {
        if (Level == 0)
        {
            *(volatile int *)0x68 = 1;
        }
        Inner(Level - 1);
        Step('x'); /* keeps the call from being the last */
    }
    __finally
    {
        Step((char)('0' + Level));
    }
}

static void TestUnwind(void)
{
    memset(Steps, 0, sizeof(Steps));
    StepCount = 0;
    __try
    {
        __try
        {
            Inner(4);
        }
        __except (Filter('a', EXCEPTION_CONTINUE_SEARCH))
        {
            Step('A');
        }
    }
    __except (Filter('b', EXCEPTION_EXECUTE_HANDLER))
    {
        Step('B');
    }
    printf("steps of the unwind: %s\n", Steps);
    CHECK(strcmp(Steps, "ab01234B") == 0);
}

static LONG Mend(EXCEPTION_POINTERS *Pointers, void *Page)
{
    DWORD old;
    Step('m');
    return Pointers->ExceptionRecord->ExceptionInformation[0] == 1 && VirtualProtect(Page, 4096, PAGE_READWRITE, &old)
               ? EXCEPTION_CONTINUE_EXECUTION
               : EXCEPTION_EXECUTE_HANDLER;
}

static void TestContinue(void)
{
    volatile int *page = VirtualAlloc(NULL, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READONLY);
    volatile BOOL handled = FALSE;

    __try
    {
        page[5] = 77;
    }
    __except (Mend(GetExceptionInformation(), (void *)page))
    {
        handled = TRUE;
    }
    CHECK(!handled);
    CHECK_EQUAL(page[5], 77);
    VirtualFree((void *)page, 0, MEM_RELEASE);
}

/* Strings and calls into the system with wrong pointers end with an error, not with the process. */
static void TestSystemCalls(void)
{
    DWORD read = 0;
    FILETIME *nowhere = (FILETIME *)0x70;
    volatile DWORD code = 0;

    CHECK(!ReadFile(GetStdHandle(STD_INPUT_HANDLE), (void *)0xFFFFF80000000000, 16, &read, NULL) || read == 0);
    CHECK(!WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), (void *)0x70, 16, &read, NULL));
    __try
    {
        GetSystemTimeAsFileTime(nowhere);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        code = GetExceptionCode();
    }
    CHECK_EQUAL(code, EXCEPTION_ACCESS_VIOLATION); /* in the DLL, through its frames */
}

int main(void)
{
    TestCatch();
    TestUnwind();
    TestContinue();
    TestSystemCalls();
    return Done("u_try");
}
