/* SPDX-License-Identifier: MIT */
/* Structured exceptions raised by software: search and unwind, __finally, nesting, raising again, deep stacks. */
#include "ktlib.h"

#define MAX_STEPS 64

static DECLSPEC_NOINLINE BOOLEAN Raise(NTSTATUS Code, volatile BOOLEAN *Really)
{
    if (*Really)
    {
        ExRaiseStatus(Code);
    }
    return FALSE;
}

/* The order in which filters, handlers and termination handlers run, one character each. */
typedef struct _STEPS
{
    ULONG Count;
    CHAR Text[MAX_STEPS + 1];
} STEPS;

static VOID Step(STEPS *Steps, CHAR What)
{
    if (Steps->Count < MAX_STEPS)
    {
        Steps->Text[Steps->Count++] = What;
    }
}

static LONG Filter(STEPS *Steps, CHAR What, LONG Answer)
{
    Step(Steps, What);
    return Answer;
}

static VOID CheckSteps(KTEST_RUN *Run, PCSTR What, const STEPS *Steps, PCSTR Expected)
{
    KtSay(Run, "%s: %s", What, Steps->Text);
    KtCheck(Run, strcmp(Steps->Text, Expected) == 0, What, __FILE__, __LINE__);
}

static VOID TestCodes(KTEST_RUN *Run)
{
    static const NTSTATUS codes[] = {STATUS_INSUFFICIENT_RESOURCES, STATUS_ACCESS_VIOLATION,
                                     STATUS_DATATYPE_MISALIGNMENT, 0xE0001234};

    for (ULONG i = 0; i < RTL_NUMBER_OF(codes); i++)
    {
        CHECK_STATUS(KT_RAISED(ExRaiseStatus(codes[i])), codes[i]);
    }
    CHECK_STATUS(KT_RAISED(ExRaiseAccessViolation()), STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(KT_RAISED(ExRaiseDatatypeMisalignment()), STATUS_DATATYPE_MISALIGNMENT);
    CHECK_STATUS(KT_RAISED((void)0), STATUS_SUCCESS);
}

static LONG CopyRecord(PEXCEPTION_POINTERS Pointers, PEXCEPTION_RECORD Record, LONG Answer)
{
    *Record = *Pointers->ExceptionRecord;
    return Answer;
}

static VOID TestRecord(KTEST_RUN *Run)
{
    EXCEPTION_RECORD sent = {.ExceptionCode = 0xE0005555, .NumberParameters = 3, .ExceptionInformation = {11, 22, 33}};
    EXCEPTION_RECORD seen = {0};
    volatile BOOLEAN resumed = FALSE, handled = FALSE;

    __try
    {
        RtlRaiseException(&sent);
        resumed = TRUE; /* a raise that may be continued returns */
    }
    __except (CopyRecord(GetExceptionInformation(), &seen, EXCEPTION_CONTINUE_EXECUTION))
    {
        handled = TRUE;
    }
    KtSay(Run, "RtlRaiseException: code 0x%08lX, %lu parameters %I64u %I64u %I64u, from %p", seen.ExceptionCode,
          seen.NumberParameters, (ULONG64)seen.ExceptionInformation[0], (ULONG64)seen.ExceptionInformation[1],
          (ULONG64)seen.ExceptionInformation[2], seen.ExceptionAddress);
    CHECK_STATUS(seen.ExceptionCode, 0xE0005555);
    CHECK_EQUAL(seen.NumberParameters, 3);
    CHECK(seen.ExceptionInformation[0] == 11 && seen.ExceptionInformation[2] == 33);
    CHECK(resumed && !handled);
}

/* Inner filters first, then the handler's unwind runs the inner __finally, then the handler. */
static VOID TestSearchOrder(KTEST_RUN *Run)
{
    STEPS steps = {0};

    __try
    {
        __try
        {
            __try
            {
                Step(&steps, '1');
                ExRaiseStatus(STATUS_UNSUCCESSFUL);
            }
            __finally
            {
                Step(&steps, AbnormalTermination() ? 'F' : 'f');
            }
        }
        __except (Filter(&steps, 'a', EXCEPTION_CONTINUE_SEARCH))
        {
            Step(&steps, 'A');
        }
    }
    __except (Filter(&steps, 'b', EXCEPTION_EXECUTE_HANDLER))
    {
        Step(&steps, 'B');
    }
    CheckSteps(Run, "search order", &steps, "1abFB");
}

static DECLSPEC_NOINLINE ULONG LeaveEarly(STEPS *Steps, ULONG How)
{
    __try
    {
        Step(Steps, 't');
        if (How == 1)
        {
            __leave;
        }
        if (How == 2)
        {
            return 2;
        }
        Step(Steps, 'e');
    }
    __finally
    {
        Step(Steps, AbnormalTermination() ? 'F' : 'f');
    }
    Step(Steps, 'x');
    return 1;
}

static VOID TestFinally(KTEST_RUN *Run)
{
    STEPS steps = {0};

    CHECK_EQUAL(LeaveEarly(&steps, 0), 1);
    Step(&steps, ' ');
    CHECK_EQUAL(LeaveEarly(&steps, 1), 1);
    Step(&steps, ' ');
    /* a return runs the handler too; whether as abnormal is the compiler's matter */
    CHECK_EQUAL(LeaveEarly(&steps, 2), 2);
    for (ULONG i = 0; i < steps.Count; i++)
    {
        if (i > 8 && steps.Text[i] == 'F')
        {
            steps.Text[i] = 'f';
        }
    }
    CheckSteps(Run, "ways out of a __try", &steps, "tefx tfx tf");
}

/* An exception inside a handler goes outwards; the same one again, and another one. */
static VOID TestAgain(KTEST_RUN *Run)
{
    volatile NTSTATUS first = 0, second = 0, third = 0;
    STEPS steps = {0};

    __try
    {
        __try
        {
            __try
            {
                ExRaiseStatus(STATUS_UNSUCCESSFUL);
            }
            __except (EXCEPTION_EXECUTE_HANDLER)
            {
                first = GetExceptionCode();
                Step(&steps, '1');
                ExRaiseStatus(first);
            }
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            second = GetExceptionCode();
            Step(&steps, '2');
            *(volatile ULONG *)0x30 = 1;
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        third = GetExceptionCode();
        Step(&steps, '3');
    }
    CheckSteps(Run, "raising again", &steps, "123");
    CHECK_STATUS(first, STATUS_UNSUCCESSFUL);
    CHECK_STATUS(second, STATUS_UNSUCCESSFUL);
    CHECK_STATUS(third, STATUS_ACCESS_VIOLATION);
}

/*
 * clang 19 may keep values in volatile registers across a store that faults, where no exception brings them back, and
 * lets a range that ends with a call which never returns overlap its handler. So here the pointer lives in memory and
 * Raise is a routine of which the compiler knows nothing.
 */
static LONG FaultyFilter(STEPS *volatile Steps)
{
    Step(Steps, 'f');
    __try
    {
        *(volatile ULONG *)0x38 = 1;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        Step(Steps, 'g');
    }
    return EXCEPTION_EXECUTE_HANDLER;
}

/* A filter may have and handle an exception of its own; a __finally that raises during an unwind starts a new one. */
static VOID TestNested(KTEST_RUN *Run)
{
    volatile NTSTATUS outer = 0;
    volatile BOOLEAN really = TRUE;
    STEPS steps = {0};

    __try
    {
        ExRaiseStatus(STATUS_UNSUCCESSFUL);
    }
    __except (FaultyFilter(&steps))
    {
        Step(&steps, 'h');
    }
    Step(&steps, ' ');
    __try
    {
        __try
        {
            __try
            {
                Raise(STATUS_UNSUCCESSFUL, &really);
            }
            __finally
            {
                Step(&steps, 'a');
                Raise(STATUS_NO_MEMORY, &really);
            }
        }
        __finally
        {
            Step(&steps, 'b');
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        outer = GetExceptionCode();
        Step(&steps, 'c');
    }
    CheckSteps(Run, "nested", &steps, "fgh abc");
    CHECK_STATUS(outer, STATUS_NO_MEMORY);
}

typedef struct _DEPTH
{
    ULONG Finals;
    ULONG LastDepth;
    BOOLEAN Wrong;
} DEPTH;

static DECLSPEC_NOINLINE ULONG Descend(DEPTH *Depth, ULONG Level)
{
    volatile UCHAR local[64];
    ULONG result = 0;

    local[0] = (UCHAR)Level;
    __try
    {
        if (Level == 0)
        {
            *(volatile ULONG *)0x40 = 1;
        }
        result = Descend(Depth, Level - 1) + local[0];
    }
    __finally
    {
        Depth->Wrong |= Level != 0 && local[0] != (UCHAR)Level; /* the frame is still whole */
        Depth->Wrong |= Depth->Finals != Level;                 /* innermost first */
        Depth->Finals++;
        Depth->LastDepth = Level;
    }
    return result;
}

static VOID TestDeep(KTEST_RUN *Run)
{
    DEPTH depth = {0};
    volatile ULONG before = 0x1234, after = 0;
    volatile NTSTATUS code = 0;

    __try
    {
        Descend(&depth, 40);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        code = GetExceptionCode();
        after = before;
    }
    KtSay(Run, "an access violation 41 frames down ran %lu termination handlers, the last at level %lu", depth.Finals,
          depth.LastDepth);
    CHECK_STATUS(code, STATUS_ACCESS_VIOLATION);
    CHECK_EQUAL(depth.Finals, 41);
    CHECK_EQUAL(depth.LastDepth, 40);
    CHECK(!depth.Wrong);
    CHECK_EQUAL(after, 0x1234);
}

/* Through frames that have no handler and keep values in registers which the handler's function still needs. */
static DECLSPEC_NOINLINE ULONG64 Churn(ULONG64 a, ULONG64 b, ULONG64 c, ULONG64 d, volatile ULONG *Address)
{
    ULONG64 e = a * 3, f = b * 5, g = c * 7, h = d * 11;

    for (ULONG i = 0; i < 4; i++)
    {
        e += f ^ g;
        f += g ^ h;
        g += h ^ e;
        h += e ^ f;
    }
    *Address = (ULONG)(e + f + g + h);
    return e ^ f ^ g ^ h;
}

static DECLSPEC_NOINLINE ULONG64 CatchChurn(ULONG64 Seed)
{
    ULONG64 kept1 = Seed * 17, kept2 = Seed ^ 0xAAAA, kept3 = Seed + 99, kept4 = ~Seed;
    volatile ULONG64 result = 0;

    __try
    {
        result = Churn(kept1, kept2, kept3, kept4, (volatile ULONG *)0x50);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        result = 1;
    }
    return kept1 + kept2 * 2 + kept3 * 3 + kept4 * 4 + result;
}

static VOID TestRegisters(KTEST_RUN *Run)
{
    for (ULONG64 seed = 1; seed < 100000; seed *= 13)
    {
        ULONG64 expected = seed * 17 + (seed ^ 0xAAAA) * 2 + (seed + 99) * 3 + ~seed * 4 + 1;
        CHECK_EQUAL(CatchChurn(seed), expected);
    }
}

/* Two threads raise and catch all the time: the tables are shared, the state is not. */
typedef struct _STORM
{
    ULONG Seed;
    volatile LONG Caught, Wrong;
    NTSTATUS LastWanted, LastSeen; /* of the last that was wrong */
} STORM;

static VOID NTAPI RaiseManyTimes(PVOID Context)
{
    STORM *storm = Context;

    for (ULONG i = 0; i < 300; i++)
    {
        NTSTATUS code = (NTSTATUS)(0xE0000000 | (KtRandom(&storm->Seed) & 0xFFFF));
        NTSTATUS wanted = i % 2 != 0 ? code : STATUS_ACCESS_VIOLATION;
        NTSTATUS seen = i % 2 != 0 ? KT_RAISED(ExRaiseStatus(code)) : KT_RAISED(*(volatile ULONG *)0x60 = i);

        if (seen != wanted)
        {
            storm->Wrong++;
            storm->LastWanted = wanted;
            storm->LastSeen = seen;
        }
        storm->Caught++;
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestStorm(KTEST_RUN *Run)
{
    STORM storms[3] = {{.Seed = 1}, {.Seed = 2}, {.Seed = 3}};
    PETHREAD threads[3];

    for (ULONG i = 0; i < 3; i++)
    {
        threads[i] = KtStart(Run, RaiseManyTimes, &storms[i]);
    }
    for (ULONG i = 0; i < 3; i++)
    {
        KtJoin(threads[i]);
        CHECK_EQUAL(storms[i].Caught, 300);
        CHECK_EQUAL(storms[i].Wrong, 0);
        CHECK_STATUS(storms[i].LastSeen, storms[i].LastWanted);
    }
}

/* More threads than processors, so that each goes from one to the other. */
static VOID NTAPI AskManyTimes(PVOID Context)
{
    PLONG wrong = Context;

    for (ULONG i = 0; i < 300000; i++)
    {
        ULONG_PTR low, high, here = (ULONG_PTR)__builtin_frame_address(0);
        IoGetStackLimits(&low, &high);
        *wrong += here < low || here >= high;
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestLimits(KTEST_RUN *Run)
{
    PETHREAD threads[5];
    LONG wrong[5] = {0};

    KT_COVERS("IoGetStackLimits", "the caller's own stack, which is also where handlers are looked for, while threads "
              "move between processors", "DDI IoGetStackLimits");
    for (ULONG i = 0; i < RTL_NUMBER_OF(threads); i++)
    {
        threads[i] = KtStart(Run, AskManyTimes, &wrong[i]);
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(threads); i++)
    {
        KtJoin(threads[i]);
        KtSay(Run, "thread %lu: another stack %ld times", i, wrong[i]);
        CHECK_EQUAL(wrong[i], 0);
    }
}

VOID KtGroup_seh(KTEST_RUN *Run)
{
    TestCodes(Run);
    TestRecord(Run);
    TestSearchOrder(Run);
    TestFinally(Run);
    TestAgain(Run);
    TestNested(Run);
    TestDeep(Run);
    TestRegisters(Run);
    TestStorm(Run);
    TestLimits(Run);
}
