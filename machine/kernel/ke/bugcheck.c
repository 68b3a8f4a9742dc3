/* SPDX-License-Identifier: MIT */
/*
 * Bug checks: stop the other processors, let the callbacks run, say what happened, leave.
 *
 * The first processor to come here wins; others that come meanwhile wait to be stopped. The report is written on a
 * stack of its own, because the one that led here may be full. It is drawn in parts; a fault inside a part (a damaged
 * list, a stack that points nowhere) ends that part and goes on with the next one.
 */
#include "kip.h"
#include "ldr.h"
#include "vf.h"
#include "rtl/unwind.h"

#define KI_STACK_FRAMES 32
#define KI_DRIVERS_MAX 4
#define KI_OVERFLOW_REACH 0x4000
#define KI_FREEZE_SPINS 20000000

typedef struct _KI_BUG_REPORT
{
    ULONG Code;
    ULONG_PTR Parameters[4];
    const CONTEXT *Context;
    BOOLEAN HasFrames;
    PVOID Frames[KI_STACK_FRAMES];
    ULONG FrameCount;
} KI_BUG_REPORT;

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

static VOID KiSay(PCSTR Format, ...)
{
    char text[400];
    va_list arguments;
    int length;

    va_start(arguments, Format);
    length = _vsnprintf(text, sizeof(text), Format, arguments);
    va_end(arguments);
    HalWriteConsole(HalStreamError, text, length < 0 || length > (int)sizeof(text) ? sizeof(text) : (SIZE_T)length);
}

/* An English sentence in lines of at most 96 characters, indented. */
static VOID KiSayWrapped(PCSTR Text)
{
    while (*Text != 0)
    {
        SIZE_T length = __builtin_strlen(Text);

        if (length > 92)
        {
            length = 92;
            while (length > 40 && Text[length] != ' ')
            {
                length--;
            }
        }
        KiSay("    %.*s\n", (int)length, Text);
        Text += length;
        while (*Text == ' ')
        {
            Text++;
        }
    }
}

static VOID KiSayHead(KI_BUG_REPORT *Report)
{
    const KI_BUG_CODE *code = KiFindBugCode(Report->Code, Report->Parameters[0]);
    BOOLEAN color = VfOptionGiven("color");

    KiSay("\n%s*** STOP 0x%08lX %s (0x%llX, 0x%llX, 0x%llX, 0x%llX)%s\n\n", color ? "\x1b[97;44m" : "", Report->Code,
          code != NULL ? code->Name : "UNKNOWN_BUG_CHECK", Report->Parameters[0], Report->Parameters[1],
          Report->Parameters[2], Report->Parameters[3], color ? "\x1b[0m" : "");
    for (ULONG i = 0; i < 4; i++)
    {
        PCSTR word = code != NULL ? code->Parameters[i] : "parameter";
        char name[128];

        if (word == NULL)
        {
            continue;
        }
        if (MmIsSystemAddress((PVOID)Report->Parameters[i]) &&
            LdrFindModule((PVOID)Report->Parameters[i], NULL) != NULL)
        {
            KiSay("  %-44s %p  %s\n", word, (PVOID)Report->Parameters[i],
                  LdrFormatAddress((PVOID)Report->Parameters[i], name, sizeof(name)));
        }
        else
        {
            KiSay("  %-44s %p\n", word, (PVOID)Report->Parameters[i]);
        }
    }
    if (code != NULL && code->Advice != NULL)
    {
        KiSay("\n  What to look for:\n");
        KiSayWrapped(code->Advice);
    }
}

static VOID KiSayWhere(KI_BUG_REPORT *Report)
{
    PKPRCB prcb = KiPrcb();

    KiSay("\n  Processor %lu, IRQL %u, thread %p, process %p%s\n", prcb->Number, (ULONG)KiBugReportIrql(),
          (PVOID)prcb->CurrentThread, (PVOID)prcb->CurrentThread->ApcState.Process,
          prcb->CurrentThread == prcb->IdleThread ? " (idle)" : "");
    if (prcb->DpcRoutineActive)
    {
        char name[128];

        KiSay("  In the DPC %s\n", LdrFormatAddress(prcb->CurrentDpcRoutine, name, sizeof(name)));
    }
}

static VOID KiCollectFrames(KI_BUG_REPORT *Report)
{
    ULONG_PTR low, high;

    KiStackOf(Report->Context->Rsp, &low, &high);
    if (low == 0)
    {
        /* Past the end of the thread's stack: what overflowed it is what one wants to see. */
        PKTHREAD thread = KiCurrentThread();

        if (Report->Context->Rsp >= (ULONG_PTR)thread->StackLimit - KI_OVERFLOW_REACH &&
            Report->Context->Rsp < (ULONG_PTR)thread->StackLimit)
        {
            low = Report->Context->Rsp & ~15ULL;
            high = (ULONG_PTR)thread->StackBase;
        }
    }
    Report->FrameCount = RtlpWalkContext(Report->Context, low, high, Report->Frames, KI_STACK_FRAMES);
    Report->HasFrames = TRUE;
}

static BOOLEAN KiSayDriver(PVOID Address, PCSTR Why, const LDR_MODULE **Said, PULONG Count)
{
    BOOLEAN unloaded = FALSE;
    const LDR_MODULE *module = MmIsSystemAddress(Address) ? LdrFindModule(Address, &unloaded) : NULL;

    if (module == NULL || LdrIsKernelAddress(Address))
    {
        return FALSE;
    }
    for (ULONG i = 0; i < *Count; i++)
    {
        if (Said[i] == module)
        {
            return TRUE;
        }
    }
    if (*Count < KI_DRIVERS_MAX)
    {
        Said[(*Count)++] = module;
        KiSay("  %s %ws%s (%s)\n", *Count == 1 ? "Probably caused by" : "Also involved:    ", module->Name,
              unloaded ? ", unloaded" : "", Why);
    }
    return TRUE;
}

static VOID KiSayBlame(KI_BUG_REPORT *Report)
{
    const LDR_MODULE *said[KI_DRIVERS_MAX];
    ULONG count = 0;

    for (ULONG i = 0; i < 4; i++)
    {
        KiSayDriver((PVOID)Report->Parameters[i], "named by a parameter", said, &count);
    }
    for (ULONG i = 0; i < Report->FrameCount; i++)
    {
        KiSayDriver(Report->Frames[i], "on the stack", said, &count);
    }
}

static VOID KiSayStack(KI_BUG_REPORT *Report)
{
    KiSay("\n  Stack:\n");
    for (ULONG i = 0; i < Report->FrameCount; i++)
    {
        char name[128];

        KiSay("  %2lu  %p  %s\n", i, Report->Frames[i], LdrFormatAddress(Report->Frames[i], name, sizeof(name)));
    }
}

static VOID KiSayRegisters(KI_BUG_REPORT *Report)
{
    const CONTEXT *c = Report->Context;

    KiSay("\n  rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx\n"
          "  rsi %016llx  rdi %016llx  rbp %016llx  rsp %016llx\n",
          c->Rax, c->Rbx, c->Rcx, c->Rdx, c->Rsi, c->Rdi, c->Rbp, c->Rsp);
    KiSay("  r8  %016llx  r9  %016llx  r10 %016llx  r11 %016llx\n"
          "  r12 %016llx  r13 %016llx  r14 %016llx  r15 %016llx\n"
          "  rip %016llx  flags %08lx\n\n",
          c->R8, c->R9, c->R10, c->R11, c->R12, c->R13, c->R14, c->R15, c->Rip, c->EFlags);
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
        KiSay("  (a fault ended this part)\n");
    }
    InterlockedExchange(&KiBugCheckInPart, 0);
}

static ULONG_PTR KiReportBugCheck(PVOID Argument)
{
    KI_BUG_REPORT *report = Argument;

    KiPart(KiSayHead, report);
    KiPart(KiSayWhere, report);
    KiPart(KiCollectFrames, report);
    KiPart(KiSayBlame, report);
    KiPart(KiSayStack, report);
    KiPart(KiSayRegisters, report);
    KiPart(KiRunCallbacksPart, report);
    HalPrint(HalStreamReport, "bugcheck %lx %llx %llx %llx %llx\n", report->Code, report->Parameters[0],
             report->Parameters[1], report->Parameters[2], report->Parameters[3]);
    HalExitMachine(2);
}

static KIRQL KiBugIrql;

KIRQL KiBugReportIrql(VOID)
{
    return KiBugIrql;
}

/* A bug check whose machine state is known. Any IRQL. */
DECLSPEC_NORETURN VOID KiBugCheck(ULONG Code, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4,
                                  const CONTEXT *Context)
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
            KiSay("  (bug check 0x%lX, 0x%llX, 0x%llX, 0x%llX, 0x%llX)\n", Code, P1, P2, P3, P4);
            KiRestoreJump(&KiBugCheckPart);
        }
        HalExitMachine(3);
    }
    while (owner != 0)
    {
        __asm__ volatile("hlt"); /* the winner's NMI comes */
    }
    KiBugIrql = KeGetCurrentIrql();
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
    KiCallOnStack(KiReportBugCheck, &KiBugReport, KiBugCheckStack + sizeof(KiBugCheckStack));
    __builtin_unreachable();
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
    KiBugCheck(BugCheckCode, BugCheckParameter1, BugCheckParameter2, BugCheckParameter3, BugCheckParameter4, &context);
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
    count = RtlpWalkContext(Context, low, high, frames, KI_STACK_FRAMES);
    for (ULONG i = 0; i < count; i++)
    {
        char name[128];

        HalPrint(HalStreamError, "  %2lu  %p  %s\n", i, frames[i], LdrFormatAddress(frames[i], name, sizeof(name)));
    }
}
