/* SPDX-License-Identifier: MIT */
/*
 * Bug checks: stop the other processors, let the callbacks run, say what happened, leave.
 *
 * The first processor to come here wins; others that come meanwhile wait to be stopped. The report is written on a
 * stack of its own, because the one that led here may be full. It is written in parts; a fault inside a part (a damaged
 * list, a stack that points nowhere) ends that part and goes on with the next one. What the report says is in
 * bugreport.c; ntrun, which has the words and the symbols, makes the screen of it.
 */
#include "kip.h"
#include "ldr.h"
#include "rtl/unwind.h"

#define KI_FREEZE_SPINS 20000000
#define KI_STACK_FRAMES 32

volatile LONG KiBugCheckActive;
static volatile LONG KiBugCheckOwner; /* processor number + 1 */
static KI_JUMP KiBugCheckPart;        /* where a fault in the present part goes on */
static volatile LONG KiBugCheckInPart;
static KI_BUG_REPORT KiBugReport;
static CONTEXT KiBugContext;

/* NMI. The processor that reports sends it to all others. */
BOOLEAN KiFreeze(PKTRAP_FRAME Frame)
{
    PKPRCB prcb = KiPrcb();

    if (!KiBugCheckActive || KiBugCheckOwner == (LONG)prcb->Number + 1)
    {
        return FALSE;
    }
    prcb->Frozen = 1;
    for (;;)
    {
        __asm__ volatile("cli; hlt");
    }
}

static VOID KiFreezeOthers(VOID)
{
    KAFFINITY others = KiActiveAffinity & ~KiPrcb()->SetMember;

    if (others == 0)
    {
        return;
    }
    HalSendNmiToOthers();
    for (ULONG spins = 0; others != 0 && spins < KI_FREEZE_SPINS; spins++)
    {
        for (ULONG i = 0; i < KI_MAXIMUM_PROCESSORS; i++)
        {
            if ((others & ((KAFFINITY)1 << i)) && KiProcessors[i]->Prcb.Frozen)
            {
                others &= ~((KAFFINITY)1 << i);
            }
        }
        _mm_pause();
    }
}

/* Described in kip.h. */
VOID KiBugCheckFault(PKTRAP_FRAME Frame)
{
    if (KiBugCheckOwner != (LONG)KiPrcb()->Number + 1)
    {
        return; /* another processor, about to be stopped */
    }
    if (Frame->Vector >= 0x20 || Frame->Vector == KI_APC_VECTOR)
    {
        return; /* cannot be: interrupts are off */
    }
    if (InterlockedExchange(&KiBugCheckInPart, 0))
    {
        KiRestoreJump(&KiBugCheckPart);
    }
    HalPrint(HalStreamError, "\n*** fault %llu at %p while the report was ended\n", Frame->Vector, (PVOID)Frame->Rip);
    HalExitMachine(3);
}

static VOID KiRunCallbacksPart(KI_BUG_REPORT *Report)
{
    KiRunBugCheckCallbacks();
}

static VOID KiPart(VOID (*Part)(KI_BUG_REPORT *), KI_BUG_REPORT *Report)
{
    if (KiSaveJump(&KiBugCheckPart) == 0)
    {
        InterlockedExchange(&KiBugCheckInPart, 1);
        Part(Report);
    }
    else
    {
        HalPrint(HalStreamReport, "cut\n"); /* a fault ended this part */
    }
    InterlockedExchange(&KiBugCheckInPart, 0);
}

static ULONG_PTR KiReportBugCheck(PVOID Argument)
{
    KI_BUG_REPORT *report = Argument;

    KiPart(KiReportCode, report);
    KiPart(KiReportModules, report);
    KiPart(KiReportDriver, report);
    KiPart(KiReportWhere, report);
    KiPart(KiReportStack, report);
    KiPart(KiReportRegisters, report);
    KiPart(KiReportHoldings, report);
    KiPart(KiRunCallbacksPart, report);
    HalExitMachine(2);
}

static DECLSPEC_NORETURN VOID KiStop(ULONG Code, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4,
                                     const CONTEXT *Context, BOOLEAN AtFault)
{
    LONG me;
    LONG owner;

    KiDisable();
    me = (LONG)KiPrcb()->Number + 1;
    owner = InterlockedCompareExchange(&KiBugCheckOwner, me, 0);
    if (owner == me)
    {
        /* A bug check inside the report: to the next part, or out. */
        if (InterlockedExchange(&KiBugCheckInPart, 0))
        {
            KiRestoreJump(&KiBugCheckPart);
        }
        HalExitMachine(3);
    }
    while (owner != 0)
    {
        __asm__ volatile("hlt"); /* the winner's NMI comes */
    }
    KiBugReport.Irql = KeGetCurrentIrql();
    __writecr8(HIGH_LEVEL);
    InterlockedExchange(&KiBugCheckActive, 1);
    KiFreezeOthers();
    KiBugContext = *Context;
    KiBugReport.Code = Code;
    KiBugReport.Parameters[0] = P1;
    KiBugReport.Parameters[1] = P2;
    KiBugReport.Parameters[2] = P3;
    KiBugReport.Parameters[3] = P4;
    KiBugReport.Context = &KiBugContext;
    KiBugReport.AtFault = AtFault;
    KiCallOnStack(KiReportBugCheck, &KiBugReport, KiBugCheckStack + sizeof(KiBugCheckStack));
    __builtin_unreachable();
}

/* A bug check whose machine state is known. Any IRQL. */
DECLSPEC_NORETURN VOID KiBugCheck(ULONG Code, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4,
                                  const CONTEXT *Context)
{
    KiStop(Code, P1, P2, P3, P4, Context, TRUE);
}

/**
 * Ends the machine because going on would do harm.
 *
 * @param BugCheckCode            NT's code; the four parameters depend on it
 * IRQL: any. Does not return.
 */
DECLSPEC_NORETURN VOID NTAPI KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR BugCheckParameter1,
                                          ULONG_PTR BugCheckParameter2, ULONG_PTR BugCheckParameter3,
                                          ULONG_PTR BugCheckParameter4)
{
    CONTEXT context;

    RtlCaptureContext(&context);
    KiStop(BugCheckCode, BugCheckParameter1, BugCheckParameter2, BugCheckParameter3, BugCheckParameter4, &context,
           FALSE);
}

/** KeBugCheckEx with four zeroes. */
DECLSPEC_NORETURN VOID NTAPI KeBugCheck(ULONG BugCheckCode)
{
    KeBugCheckEx(BugCheckCode, 0, 0, 0, 0);
}

/** Prints the stack that Context describes, or the caller's if NULL, to the error console. IRQL: any. */
VOID KePrintStack(const CONTEXT *Context)
{
    PVOID frames[KI_STACK_FRAMES];
    CONTEXT here;
    ULONG_PTR low, high;
    ULONG count;

    if (Context == NULL)
    {
        RtlCaptureContext(&here);
        Context = &here;
    }
    KiStackOf(Context->Rsp, &low, &high);
    count = RtlpWalkContext(Context, low, high, frames, KI_STACK_FRAMES, NULL);
    for (ULONG i = 0; i < count; i++)
    {
        char name[128];

        HalPrint(HalStreamError, "  %2lu  %p  %s\n", i, frames[i], LdrFormatAddress(frames[i], name, sizeof(name)));
    }
}
