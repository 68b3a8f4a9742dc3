/* SPDX-License-Identifier: MIT */
/*
 * The kernel's first code on each processor, and the idle loop.
 */
#include "kip.h"
#include "mm.h"
#include "ps.h" /* for sizeof(ETHREAD): idle threads are seen as such by PsGetCurrentThread */

#define KI_IDLE_STACK_SIZE 0x8000 /* processor 0 runs all of phase 0 on it */

const BOOT_BLOCK *KeBootBlock;

static BOOT_BLOCK KiBootBlock; /* the loader's copy lies in memory that is given back */
static KI_PROCESSOR KiBootProcessor;
static union { EPROCESS Process; } KiIdleProcess;
static union { ETHREAD Thread; } KiBootIdleThread;
static DECLSPEC_ALIGN(4096) UCHAR KiBootIdleStack[KI_IDLE_STACK_SIZE];
static DECLSPEC_ALIGN(4096) UCHAR KiBootDpcStack[KI_DPC_STACK_SIZE];

KPROCESS *const KiBootProcess = &KiIdleProcess.Process.Pcb;

static VOID NTAPI KiNoSystemRoutine(PKSTART_ROUTINE StartRoutine, PVOID StartContext)
{
}

/* An idle thread is the thread that its processor is in when it starts: it is never started, so its first stack
   frame is not used. */
static VOID KiInitializeIdleThread(PETHREAD Thread, PVOID StackTop, ULONG StackSize, ULONG Number)
{
    PKTHREAD thread = &Thread->Tcb;

    KeInitializeThread(thread, StackTop, KiNoSystemRoutine, NULL, NULL, NULL, NULL, KiBootProcess);
    thread->StackLimit = (PUCHAR)StackTop - StackSize;
    thread->State = ThreadStateRunning;
    thread->Priority = 0;
    thread->BasePriority = 0;
    thread->Affinity = (KAFFINITY)1 << Number;
    thread->UserAffinity = thread->Affinity;
    thread->NextProcessor = Number;
    thread->IdealProcessor = Number;
    thread->OnProcessor = TRUE;
    thread->ApcQueueable = FALSE;
    Thread->ThreadsProcess = &KiIdleProcess.Process;
    InitializeListHead(&Thread->IrpList);
}

/* The masks of the two PICs, after moving them out of the exceptions' vectors: the local APIC does all. */
static VOID KiMaskLegacyInterrupts(VOID)
{
    static const struct { USHORT Port; UCHAR Value; } words[] = {
        {0x20, 0x11}, {0xA0, 0x11}, {0x21, 0x30}, {0xA1, 0x38}, {0x21, 4}, {0xA1, 2}, {0x21, 1}, {0xA1, 1},
        {0x21, 0xFF}, {0xA1, 0xFF},
    };

    for (ULONG i = 0; i < RTL_NUMBER_OF(words); i++)
    {
        __outbyte(words[i].Port, words[i].Value);
    }
}

/* PASSIVE_LEVEL, for ever: everything else interrupts. A thread that becomes ready for this processor comes with a DPC
   interrupt, so nothing is lost between sti and hlt, which are one to the processor. The idle thread never moves, so
   its processor's block stays the same. */
DECLSPEC_NORETURN VOID KiIdleLoop(VOID)
{
    PKPRCB prcb = KiPrcb();

    for (;;)
    {
        KiDisable();
        prcb->IdleState = KI_IDLE_HALTED;
        __asm__ volatile("sti; hlt" ::: "memory");
    }
}

static ULONG_PTR KiStartOnIdleStack(PVOID Argument)
{
    PKPRCB prcb = KiPrcb();
    BOOLEAN on;

    KiEnable();
    InitPhase0(KeBootBlock);
    KiBootProcess->DirectoryTableBase = __readcr3();

    on = KiLockDispatcher();
    KiSchedulerEnabled = TRUE;
    prcb->Reschedule = 1;
    KiUnlockDispatcher(on); /* the first system thread goes on from here */
    KiIdleLoop();
}

/* Described in ke.h. */
DECLSPEC_NORETURN VOID KiSystemStartup(const BOOT_BLOCK *Block)
{
    PVOID stack = KiBootIdleStack + KI_IDLE_STACK_SIZE;

    KiBootBlock = *Block;
    KeBootBlock = &KiBootBlock;
    KiInitializeDispatcher();
    KiInitializeTimers();
    KeInitializeProcess(KiBootProcess, 0, ~(KAFFINITY)0, __readcr3());
    KiBootProcess->ActiveProcessors[0] = 1;
    KiInitializeIdleThread(&KiBootIdleThread.Thread, stack, KI_IDLE_STACK_SIZE, 0);
    KiBootProcessor.Prcb.DpcStack = KiBootDpcStack + KI_DPC_STACK_SIZE;
    KiInitializeProcessor(&KiBootProcessor, 0, &KiBootIdleThread.Thread.Tcb, stack);
    KiInitializeInterruptTable();
    KiLoadProcessor(&KiBootProcessor);
    KiMaskLegacyInterrupts();
    __writecr8(PASSIVE_LEVEL);
    /* The loader's stack is given back as well. Room is left above for the FXSAVE areas. */
    KiCallOnStack(KiStartOnIdleStack, NULL, KiBootIdleThread.Thread.Tcb.InitialStack);
    __builtin_unreachable();
}

/* ---- further processors ---- */

/* Described in ke.h. PASSIVE_LEVEL. */
PVOID KiCreateProcessor(ULONG Number, PULONG64 StackTop)
{
    PKI_PROCESSOR processor = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(KI_PROCESSOR), 'rPeK');
    PETHREAD idle = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(ETHREAD), 'rPeK');
    PVOID stack = MmCreateKernelStack(KI_KERNEL_STACK_SIZE);
    PVOID dpcStack = MmCreateKernelStack(KI_DPC_STACK_SIZE);

    if (processor == NULL || idle == NULL || stack == NULL || dpcStack == NULL)
    {
        goto Fail;
    }
    RtlZeroMemory(processor, sizeof(*processor));
    RtlZeroMemory(idle, sizeof(*idle));
    KiInitializeIdleThread(idle, stack, KI_KERNEL_STACK_SIZE, Number);
    processor->Prcb.DpcStack = dpcStack;
    KiInitializeProcessor(processor, Number, &idle->Tcb, stack);
    *StackTop = (ULONG64)idle->Tcb.InitialStack;
    return processor;

Fail:
    if (dpcStack != NULL)
    {
        MmDeleteKernelStack(dpcStack, KI_DPC_STACK_SIZE);
    }
    if (stack != NULL)
    {
        MmDeleteKernelStack(stack, KI_KERNEL_STACK_SIZE);
    }
    if (idle != NULL)
    {
        ExFreePoolWithTag(idle, 'rPeK');
    }
    if (processor != NULL)
    {
        ExFreePoolWithTag(processor, 'rPeK');
    }
    return NULL;
}

/* A processor that did not come up. */
VOID KiDeleteProcessor(PVOID Processor)
{
    PKI_PROCESSOR processor = Processor;

    KiProcessors[processor->Prcb.Number] = NULL;
    MmDeleteKernelStack(processor->Prcb.DpcStack, KI_DPC_STACK_SIZE);
    MmDeleteKernelStack(processor->IdleStack, KI_KERNEL_STACK_SIZE);
    ExFreePoolWithTag(processor->Idle, 'rPeK');
    ExFreePoolWithTag(processor, 'rPeK');
}

/* Takes part from now on: scheduled to, interrupted, shot at. */
static VOID KiGoOnline(PKPRCB Prcb)
{
    BOOLEAN on = KiLockDispatcher();

    InterlockedOr(&KiBootProcess->ActiveProcessors[0], (LONG)Prcb->SetMember);
    KiActiveAffinity |= Prcb->SetMember;
    KiProcessorCount++;
    KiAnnounceProcessors();
    Prcb->RunningPriority = -1;
    KiIdleSummary |= Prcb->SetMember;
    Prcb->Reschedule = 1;
    KiFence();
    KiFlushEverything(); /* what changed between the load of CR3 and the store above was not told to us */
    KiUnlockDispatcher(on);
}

/* Described in ke.h. */
DECLSPEC_NORETURN VOID KiProcessorStartup(PVOID Processor)
{
    PKI_PROCESSOR processor = Processor;

    __writecr3(KiBootProcess->DirectoryTableBase);
    KiLoadProcessor(processor);
    MmInitializeProcessor();
    __writecr8(PASSIVE_LEVEL);
    HalInitializeLocalApic();
    HalProcessorReached(processor->Prcb.Number); /* returns when all have been started */
    KiEnable();
    HalStartClock();
    KiGoOnline(&processor->Prcb);
    KiIdleLoop();
}
