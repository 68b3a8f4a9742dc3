/* SPDX-License-Identifier: MIT */
/* Hardware faults inside __try: which code, which parameters, at which IRQL, and resuming after them. */
#include "ktlib.h"

typedef struct _FAULT
{
    NTSTATUS Code;
    ULONG Parameters;
    ULONG_PTR Kind, Address;
    ULONG Flags;
    PVOID Where;
    BOOLEAN RipMatches;
} FAULT;

static LONG Note(PEXCEPTION_POINTERS Pointers, FAULT *Fault)
{
    PEXCEPTION_RECORD record = Pointers->ExceptionRecord;

    Fault->Code = record->ExceptionCode;
    Fault->Parameters = record->NumberParameters;
    Fault->Kind = record->ExceptionInformation[0];
    Fault->Address = record->ExceptionInformation[1];
    Fault->Flags = record->ExceptionFlags;
    Fault->Where = record->ExceptionAddress;
    Fault->RipMatches = (PVOID)Pointers->ContextRecord->Rip == record->ExceptionAddress;
    return EXCEPTION_EXECUTE_HANDLER;
}

static DECLSPEC_NOINLINE VOID Load(volatile ULONG *Address, FAULT *Fault)
{
    __try
    {
        ULONG value = *Address;
        (void)value;
    }
    __except (Note(GetExceptionInformation(), Fault))
    {
    }
}

static DECLSPEC_NOINLINE VOID Store(volatile ULONG *Address, FAULT *Fault)
{
    __try
    {
        *Address = 7;
    }
    __except (Note(GetExceptionInformation(), Fault))
    {
    }
}

static VOID CheckAccess(KTEST_RUN *Run, PCSTR What, PVOID Address, BOOLEAN Write, ULONG_PTR Expected)
{
    FAULT fault = {.Code = STATUS_SUCCESS};

    if (Write)
    {
        Store(Address, &fault);
    }
    else
    {
        Load(Address, &fault);
    }
    KtSay(Run, "%s %s: code 0x%08lX, %lu parameters: %I64u, 0x%I64X; at %p", Write ? "store to" : "load from", What,
          fault.Code, fault.Parameters, (ULONG64)fault.Kind, (ULONG64)fault.Address, fault.Where);
    CHECK_STATUS(fault.Code, STATUS_ACCESS_VIOLATION);
    CHECK_EQUAL(fault.Parameters, 2);
    CHECK_EQUAL(fault.Kind, Expected == MAXULONG_PTR ? 0 : Write);
    CHECK_EQUAL(fault.Address, Expected);
    CHECK_EQUAL(fault.Flags & EXCEPTION_NONCONTINUABLE, 0);
    CHECK(fault.RipMatches);
}

static VOID TestAddresses(KTEST_RUN *Run)
{
    PUCHAR page = KtUserAllocate(Run, 2 * PAGE_SIZE, PAGE_READWRITE);
    ULONG_PTR straddle;
    SIZE_T size = PAGE_SIZE;
    PVOID second;

    CheckAccess(Run, "the null page", (PVOID)0x10, FALSE, 0x10);
    CheckAccess(Run, "the null page", (PVOID)0x18, TRUE, 0x18);
    CheckAccess(Run, "the last user page", (PVOID)0x7FFFFFFE0010, FALSE, 0x7FFFFFFE0010);
    CheckAccess(Run, "a non-canonical address", (PVOID)0x1234567812345678, FALSE, MAXULONG_PTR);
    if (page == NULL)
    {
        return;
    }
    *(volatile UCHAR *)page = 1;
    CHECK_STATUS(KtUserProtect(page, PAGE_SIZE, PAGE_READONLY), STATUS_SUCCESS);
    CheckAccess(Run, "a read-only page", page + 8, TRUE, (ULONG_PTR)page + 8);
    CHECK_EQUAL(*(volatile UCHAR *)page, 1);
    CHECK_STATUS(KtUserProtect(page, PAGE_SIZE, PAGE_NOACCESS), STATUS_SUCCESS);
    CheckAccess(Run, "a page without access", page + 8, FALSE, (ULONG_PTR)page + 8);
    CHECK_STATUS(KtUserProtect(page, PAGE_SIZE, PAGE_READWRITE), STATUS_SUCCESS);

    /* Across a boundary: the fault names the first byte of the page that is missing. */
    second = page + PAGE_SIZE;
    CHECK_STATUS(ZwFreeVirtualMemory(NtCurrentProcess(), &second, &size, MEM_DECOMMIT), STATUS_SUCCESS);
    straddle = (ULONG_PTR)page + PAGE_SIZE - 2;
    CheckAccess(Run, "two bytes before a decommitted page", (PVOID)straddle, FALSE, (ULONG_PTR)page + PAGE_SIZE);
    KtUserFree(page);
    CheckAccess(Run, "freed memory", page, FALSE, (ULONG_PTR)page);
}

static VOID TestAtApcLevel(KTEST_RUN *Run)
{
    KIRQL irql;

    KeRaiseIrql(APC_LEVEL, &irql);
    CheckAccess(Run, "the null page at APC_LEVEL", (PVOID)0x20, FALSE, 0x20);
    CHECK_EQUAL(KeGetCurrentIrql(), APC_LEVEL);
    KeLowerIrql(irql);
}

static DECLSPEC_NOINLINE LONG Divide(LONG Dividend, volatile LONG *Divisor)
{
    LONG result;

    /* The compiler may assume that a division does not trap: leave it no say. */
    __asm__ volatile("cltd\n\tidivl %2" : "=a"(result) : "a"(Dividend), "m"(*Divisor) : "edx", "cc");
    return result;
}

static VOID TestArithmetic(KTEST_RUN *Run)
{
    volatile LONG zero = 0, minusOne = -1, three = 3;
    FAULT fault = {0};

    CHECK_EQUAL(Divide(21, &three), 7);
    __try
    {
        Divide(1, &zero);
    }
    __except (Note(GetExceptionInformation(), &fault))
    {
    }
    KtSay(Run, "division by zero: 0x%08lX", fault.Code);
    CHECK_STATUS(fault.Code, STATUS_INTEGER_DIVIDE_BY_ZERO);
    CHECK_EQUAL(fault.Parameters, 0);
    CHECK(fault.RipMatches);
    __try
    {
        Divide(MINLONG, &minusOne);
    }
    __except (Note(GetExceptionInformation(), &fault))
    {
    }
    KtSay(Run, "quotient too large: 0x%08lX", fault.Code);
    CHECK_STATUS(fault.Code, STATUS_INTEGER_OVERFLOW);
}

static DECLSPEC_NOINLINE VOID ExecuteIllegal(VOID)
{
    __asm__ volatile("ud2");
}

static VOID TestIllegalInstruction(KTEST_RUN *Run)
{
    FAULT fault = {0};

    __try
    {
        ExecuteIllegal();
    }
    __except (Note(GetExceptionInformation(), &fault))
    {
    }
    KtSay(Run, "ud2: 0x%08lX at %p", fault.Code, fault.Where);
    CHECK_STATUS(fault.Code, STATUS_ILLEGAL_INSTRUCTION);
    CHECK(fault.RipMatches);
}

static LONG MakeWritable(PEXCEPTION_POINTERS Pointers, PVOID Page, ULONG *Calls)
{
    ++*Calls;
    if (Pointers->ExceptionRecord->ExceptionCode != STATUS_ACCESS_VIOLATION || *Calls > 1)
    {
        return EXCEPTION_EXECUTE_HANDLER;
    }
    return NT_SUCCESS(KtUserProtect(Page, PAGE_SIZE, PAGE_READWRITE)) ? EXCEPTION_CONTINUE_EXECUTION
                                                                      : EXCEPTION_EXECUTE_HANDLER;
}

/* A filter mends the cause and resumes the store that failed. */
static VOID TestContinue(KTEST_RUN *Run)
{
    volatile ULONG *page = KtUserAllocate(Run, PAGE_SIZE, PAGE_READONLY);
    volatile BOOLEAN handled = FALSE;
    ULONG calls = 0;

    if (page == NULL)
    {
        return;
    }
    __try
    {
        page[3] = 0xC0FFEE;
    }
    __except (MakeWritable(GetExceptionInformation(), (PVOID)page, &calls))
    {
        handled = TRUE;
    }
    KtSay(Run, "the filter ran %lu time, the store was resumed and left 0x%lX", calls, page[3]);
    CHECK_EQUAL(calls, 1);
    CHECK(!handled);
    CHECK_EQUAL(page[3], 0xC0FFEE);
    KtUserFree((PVOID)page);
}

static VOID TestProbes(KTEST_RUN *Run)
{
    PUCHAR page = KtUserAllocate(Run, 3 * PAGE_SIZE, PAGE_READWRITE);

    if (page == NULL)
    {
        return;
    }
    CHECK_STATUS(KT_RAISED(ProbeForRead(page, PAGE_SIZE, 1)), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForWrite(page, 3 * PAGE_SIZE, 1)), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForRead(page + 1, 8, 4)), STATUS_DATATYPE_MISALIGNMENT);
    CHECK_STATUS(KT_RAISED(ProbeForWrite(page + 2, 8, 4)), STATUS_DATATYPE_MISALIGNMENT);
    CHECK_STATUS(KT_RAISED(ProbeForRead((PVOID)0xFFFFF80000000000, 4, 1)), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(KT_RAISED(ProbeForWrite(Run, 4, 1)), STATUS_ACCESS_VIOLATION); /* kernel memory, though it is there */
    CHECK_STATUS(KT_RAISED(ProbeForRead(page, (SIZE_T)-1, 1)), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(KT_RAISED(ProbeForWrite(page, (SIZE_T)0 - (ULONG_PTR)page, 1)), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(KT_RAISED(ProbeForRead((PVOID)0x7FFFFFFEFFFF, 2, 1)), STATUS_ACCESS_VIOLATION);
    /* length 0: no check at all */
    CHECK_STATUS(KT_RAISED(ProbeForRead((PVOID)0xFFFFF80000000001, 0, 8)), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForWrite((PVOID)0xFFFFF80000000001, 0, 8)), STATUS_SUCCESS);
    /* Reading checks bounds only; writing touches every page. */
    CHECK_STATUS(KtUserProtect(page + 2 * PAGE_SIZE, PAGE_SIZE, PAGE_READONLY), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForRead(page, 3 * PAGE_SIZE, 1)), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForWrite(page, 2 * PAGE_SIZE, 1)), STATUS_SUCCESS);
    CHECK_STATUS(KT_RAISED(ProbeForWrite(page, 2 * PAGE_SIZE + 1, 1)), STATUS_ACCESS_VIOLATION);
    KtUserFree(page);
}

VOID KtGroup_seh_faults(KTEST_RUN *Run)
{
    TestAddresses(Run);
    TestAtApcLevel(Run);
    TestArithmetic(Run);
    TestIllegalInstruction(Run);
    TestContinue(Run);
    TestProbes(Run);
}
