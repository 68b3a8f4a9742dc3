/* SPDX-License-Identifier: MIT */
/*
 * What a bug check reports: the code, whose addresses are what, where it happened, the stack and the registers. Numbers
 * only; ntrun has the words and the symbols. The lines are described in docs/report.md.
 */
#include "kip.h"
#include "ldr.h"
#include "ps.h"
#include "vf.h"
#include "rtl/unwind.h"

#define KI_OVERFLOW_REACH 0x4000
#define KI_REPORT_FRAMES 2048 /* a stack of 24 KB full of the smallest frames there are has 1536 */

VOID KiReportCode(KI_BUG_REPORT *Report)
{
    HalPrint(HalStreamReport, "bugcheck %lx %llx %llx %llx %llx\n", Report->Code, Report->Parameters[0],
             Report->Parameters[1], Report->Parameters[2], Report->Parameters[3]);
}

/* A driver that has unloaded with pool is on no stack; parameter 2 of C4/62 points to its name. */
VOID KiReportDriver(KI_BUG_REPORT *Report)
{
    if (Report->Code == 0xC4 && Report->Parameters[0] == 0x62 && MmIsSystemAddress((PVOID)Report->Parameters[1]))
    {
        HalPrint(HalStreamReport, "driver %wZ\n", (PUNICODE_STRING)Report->Parameters[1]);
    }
}

VOID KiReportModules(KI_BUG_REPORT *Report)
{
    UNREFERENCED_PARAMETER(Report);
    LdrReportModules();
}

VOID KiReportWhere(KI_BUG_REPORT *Report)
{
    PKPRCB prcb = KiPrcb();
    PKTHREAD thread = prcb->CurrentThread;
    PKPROCESS process = thread->ApcState.Process;
    BOOLEAN idle = thread == prcb->IdleThread; /* its thread and process objects are KE's part only */

    HalPrint(HalStreamReport, "where cpu=%lu irql=%u uptime=%llu thread=%p process=%p attached=%u\n", prcb->Number,
             Report->Irql, KeQueryInterruptTime() / 10000, (PVOID)thread, (PVOID)process, process != thread->Process);
    if (prcb->DpcRoutineActive)
    {
        HalPrint(HalStreamReport, "dpc %p\n", (PVOID)prcb->CurrentDpcRoutine);
    }
    if (idle)
    {
        HalPrint(HalStreamReport, "who 0 0 Idle\n");
        return;
    }
    HalPrint(HalStreamReport, "who %llu %llu %.15s\n", (ULONG64)PsGetProcessId((PEPROCESS)process),
             (ULONG64)PsGetThreadId((PETHREAD)thread), (PCSTR)PsGetProcessImageFileName((PEPROCESS)process));
}

VOID KiReportStack(KI_BUG_REPORT *Report)
{
    static PVOID frames[KI_REPORT_FRAMES]; /* one report at most */
    ULONG64 exact = 0;
    ULONG_PTR low, high;
    ULONG count;

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
    count = RtlpWalkContext(Report->Context, low, high, frames, KI_REPORT_FRAMES, &exact);
    if (Report->AtFault)
    {
        exact |= 1;
    }
    for (ULONG i = 0; i < count; i++)
    {
        HalPrint(HalStreamReport, "frame %p %s\n", frames[i], i < 64 && exact >> i & 1 ? "at" : "call");
    }
    if (count == KI_REPORT_FRAMES)
    {
        HalPrint(HalStreamReport, "cut\n");
    }
}

/* Who took what the parameters point to: an MDL, a block, a mapping. */
VOID KiReportHoldings(KI_BUG_REPORT *Report)
{
    VfReportLedgerFor(Report->Parameters, 4);
}

/* Of what was interrupted; those of a caller of KeBugCheckEx say nothing. */
VOID KiReportRegisters(KI_BUG_REPORT *Report)
{
    const CONTEXT *c = Report->Context;

    if (!Report->AtFault)
    {
        return;
    }
    HalPrint(HalStreamReport, "registers rax=%llx rbx=%llx rcx=%llx rdx=%llx rsi=%llx rdi=%llx rbp=%llx rsp=%llx\n",
             c->Rax, c->Rbx, c->Rcx, c->Rdx, c->Rsi, c->Rdi, c->Rbp, c->Rsp);
    HalPrint(HalStreamReport,
             "registers r8=%llx r9=%llx r10=%llx r11=%llx r12=%llx r13=%llx r14=%llx r15=%llx rip=%llx flags=%lx\n",
             c->R8, c->R9, c->R10, c->R11, c->R12, c->R13, c->R14, c->R15, c->Rip, c->EFlags);
}
