/* SPDX-License-Identifier: MIT */
/*
 * KE's private side: processors, trap frames, the dispatcher lock and what works under it.
 *
 * One lock, the dispatcher lock, guards everything that decides who runs: thread states, ready queues, wait lists
 * of all dispatcher objects, timers, APC queues, attached processes. It is a spin lock held with interrupts off, which
 * spares two writes of CR8 each time; nobody waits for another processor under it. It belongs to the processor, not to
 * the thread: a thread that gives up its processor switches stacks with the lock held, and the thread that comes
 * out of the switch releases it. So a thread on a queue is never still on its stack, and a terminated thread seen
 * under the lock is already off its stack. CR8 is the thread's: each sets its own when it comes out of the switch.
 *
 * Lock order: dispatcher lock -> DPC queue locks. Nothing else is taken below it.
 */
#pragma once

#include "ke.h"
#include "hal.h"
#include "amd64/offsets.h"

#define KI_KERNEL_CS 0x10
#define KI_KERNEL_SS 0x18
#define KI_USER_CS 0x33
#define KI_USER_SS 0x2B
#define KI_TSS_SELECTOR 0x40
#define KI_USER_FS 0x53 /* its limit tells the processor number: limit >> 14 */

#define KI_EFLAGS_TF 0x100ULL
#define KI_EFLAGS_IF 0x200ULL
#define KI_EFLAGS_USER 0x250FD5ULL /* CF PF AF ZF SF TF DF OF NT AC ID: what user mode may set */
#define KI_MXCSR_DEFAULT 0x1F80

#define KI_SPURIOUS_VECTOR 0xDF
#define KI_SYSCALL_MARK 0x100 /* KTRAP_FRAME.Vector of a system call */

#define KI_TICK 10000           /* one clock tick: 1 ms in 100 ns units */
#define KI_QUANTUM 20           /* ticks a thread may run while others of its priority wait */
#define KI_TIMER_BUCKETS 512
#define KI_MAXIMUM_SUSPEND 0x7F
#define KI_DPC_STACK_SIZE KI_KERNEL_STACK_SIZE
#define KI_IST_STACK_SIZE 0x2000

/* Types of dispatcher objects and of other KE objects: NT's numbers. */
enum
{
    KiEventNotification = 0, KiEventSynchronization = 1, KiMutantObject = 2, KiProcessObject = 3, KiQueueObject = 4,
    KiSemaphoreObject = 5, KiThreadObject = 6, KiGateObject = 7, KiTimerNotification = 8, KiTimerSynchronization = 9,
    KiApcObject = 0x12, KiDpcObject = 0x13, KiDeviceQueueObject = 0x14, KiThreadedDpcObject = 0x18,
};

/* What every entry into the kernel leaves on the stack. All registers, so that a CONTEXT can be made and changed.
   The machine frame at the end is the processor's. */
struct _KTRAP_FRAME
{
    ULONG64 Home[4]; /* for the C code called with the frame at the bottom of the stack */
    M128A Xmm[16];
    ULONG64 Rax, Rcx, Rdx, Rbx, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15;
    ULONG MxCsr;
    UCHAR Flags;        /* KTF_FLAG_ */
    KIRQL PreviousIrql; /* CR8 at the interruption */
    UCHAR Fill[2];
    ULONG64 Dr6;
    ULONG64 FaultAddress; /* CR2 of a page fault */
    ULONG64 Spare;
    ULONG64 Vector;
    ULONG64 ErrorCode;
    ULONG64 Rip, Cs, Rflags, Rsp, Ss;
};

#pragma pack(push, 4)
typedef struct _KI_TSS
{
    ULONG Reserved0;
    ULONG64 Rsp0, Rsp1, Rsp2;
    ULONG64 Ist[8]; /* Ist[0] is reserved */
    ULONG64 Reserved1;
    USHORT Reserved2;
    USHORT IoMapBase;
} KI_TSS;
#pragma pack(pop)
C_ASSERT(sizeof(KI_TSS) == 104);

typedef enum _KI_IST { KiIstDebug = 1, KiIstNmi, KiIstDoubleFault, KiIstMachineCheck, KiIstCount } KI_IST;

/* A processor that idles need not be woken for a shoot-down: it is marked, and drops all translations before it does
   anything else. */
enum { KI_IDLE_NOT, KI_IDLE_HALTED, KI_IDLE_MUST_FLUSH };

typedef struct _KI_FLUSH
{
    ULONG64 Va;
    SIZE_T PageCount;          /* 0: everything, global translations too */
    volatile LONG Pending;     /* processors that have not yet answered */
} KI_FLUSH;

typedef struct _KPRCB
{
    ULONG MxCsr;                     /* gs:[180] */
    ULONG Number;                    /* gs:[184] */
    PKTHREAD CurrentThread;          /* gs:[188] */
    PKTHREAD NextThread;             /* NULL: a thread is chosen when the processor switches. Holds NT's place */
    PKTHREAD IdleThread;
    ULONG64 NestingLevel;
    ULONG64 RspBase;                 /* gs:[1A8] top of the current thread's kernel stack, for system calls */
    KAFFINITY SetMember;
    struct _KI_PROCESSOR *Processor;

    /* scheduling; under the dispatcher lock */
    volatile LONG Reschedule;        /* somebody better may be on the ready queues */
    KIRQL SwitchIrql;                /* CR8 as the thread left it that was switched away from last */
    LONG RunningPriority;            /* of the current thread, or of a better one that was promised this processor */
    volatile BOOLEAN QuantumEnd;     /* set by the clock */
    volatile BOOLEAN TimerRequest;   /* set by the clock: expired timers */

    /* DPCs */
    KSPIN_LOCK DpcLock;              /* taken with interrupts off */
    LIST_ENTRY DpcListHead;
    volatile LONG DpcQueueDepth;
    volatile BOOLEAN DpcRoutineActive;
    volatile BOOLEAN DpcInterruptRequested;
    PKDPC volatile CurrentDpc;       /* for comparison only: the object may be gone */
    PVOID volatile CurrentDpcRoutine;
    PVOID DpcStack;                  /* top */

    /* requests by other processors */
    volatile LONG FlushRequests;     /* bit per processor whose Flush is to be served */
    volatile LONG GenericRequest;
    KI_FLUSH Flush;                  /* the request this processor makes */
    volatile LONG IdleState;         /* KI_IDLE_ */

    /* accounts, in clock ticks */
    ULONG64 KernelTime, UserTime, DpcTime, IdleTime;
    ULONG64 ContextSwitches, Interrupts, DpcCount;

    volatile LONG Frozen;            /* stopped by a bug check elsewhere */
} KPRCB, *PKPRCB;

typedef struct _KI_PROCESSOR
{
    KPCR Pcr;
    ULONG64 PcrFill;                 /* KPRCB at 0x180 */
    KPRCB Prcb;
    DECLSPEC_ALIGN(16) ULONG64 Gdt[12];
    DECLSPEC_ALIGN(16) KI_TSS Tss;
    PVOID IdleStack;                 /* top */
    PKTHREAD Idle;
    DECLSPEC_ALIGN(16) UCHAR IstStacks[KiIstCount - 1][KI_IST_STACK_SIZE];
} KI_PROCESSOR, *PKI_PROCESSOR;
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, Prcb) == 0x180);
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, Prcb.Number) == 0x184);
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, Prcb.CurrentThread) == 0x188);

extern ULONG KiMxCsrMask; /* the bits of MXCSR that this processor has */
extern KI_PROCESSOR *KiProcessors[KI_MAXIMUM_PROCESSORS];
extern volatile KAFFINITY KiActiveAffinity;

static inline PKPRCB KiPrcb(VOID) { return (PKPRCB)__readgsqword(0x20); }
static inline BOOLEAN KiInterruptsEnabled(VOID) { return (__builtin_ia32_readeflags_u64() & KI_EFLAGS_IF) != 0; }

/* ---- raw spinning: no checks, no IRQL ---- */

static inline VOID KiAcquireRaw(PKSPIN_LOCK Lock)
{
    while (_InterlockedExchange64((volatile LONG64 *)Lock, 1) != 0)
    {
        while (*(volatile KSPIN_LOCK *)Lock != 0)
        {
            _mm_pause();
        }
    }
}

static inline VOID KiReleaseRaw(PKSPIN_LOCK Lock)
{
    __atomic_store_n((volatile LONG64 *)Lock, 0, __ATOMIC_RELEASE);
}

/* Stores before it are seen by all before loads after it are made. */
static inline VOID KiFence(VOID)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Interrupts off; returns whether they were on. */
static inline BOOLEAN KiDisableInterrupts(VOID)
{
    BOOLEAN enabled = KiInterruptsEnabled();
    __asm__ volatile("cli" ::: "memory");
    return enabled;
}

static inline VOID KiRestoreInterrupts(BOOLEAN Enabled)
{
    if (Enabled)
    {
        __asm__ volatile("sti" ::: "memory");
    }
}

/* ---- dispatcher (sched.c) ---- */

extern KSPIN_LOCK KiDispatcherLock;
extern BOOLEAN KiSchedulerEnabled;
extern KAFFINITY KiIdleSummary;
extern LIST_ENTRY KiReaperListHead;
extern KEVENT KiReaperEvent;

/* Takes the lock, interrupts off; returns whether they were on. IRQL <= DISPATCH_LEVEL, and it stays what it is. */
BOOLEAN KiLockDispatcher(VOID);
/* Releases the lock; switches to a better thread first if one is ready and the IRQL allows. */
VOID KiUnlockDispatcher(BOOLEAN On);
VOID KiInitializeDispatcher(VOID);
VOID KiReadyThread(PKTHREAD Thread);
VOID KiSwitchAway(PKPRCB Prcb);
VOID KiPreempt(PKPRCB Prcb);
VOID KiQuantumEnd(VOID);
VOID KiSetPriority(PKTHREAD Thread, KPRIORITY Priority);
VOID KiSwapProcess(PKPROCESS From, PKPROCESS To);
BOOLEAN KiReadyAffinityChanged(PKTHREAD Thread);

/* ---- waits (waitsup.c) ---- */

VOID KiWaitTest(PDISPATCHER_HEADER Object, KPRIORITY Increment);
VOID KiUnwaitThread(PKTHREAD Thread, LONG_PTR Status, KPRIORITY Increment);
BOOLEAN KiIsSignalled(PDISPATCHER_HEADER Object, PKTHREAD Thread);
VOID KiSatisfy(PDISPATCHER_HEADER Object, PKTHREAD Thread, LONG_PTR *Status);
KIRQL KiCheckWaitIrql(PVOID Object, PLARGE_INTEGER Timeout, PVOID Caller);
BOOLEAN KiBeginWait(PKTHREAD Thread);
NTSTATUS KiTestAlert(PKTHREAD Thread, BOOLEAN Alertable, KPROCESSOR_MODE Mode);
typedef struct _KI_TIMEOUT
{
    BOOLEAN Infinite, Poll, Absolute;
    LONG64 SystemDue;   /* if Absolute */
    ULONG64 Due;        /* interrupt time, else */
} KI_TIMEOUT;
VOID KiPrepareTimeout(KI_TIMEOUT *Timeout, PLARGE_INTEGER Interval);
/* Puts the wait's timer on. FALSE: it has run out already. */
BOOLEAN KiStartWaitTimer(PKTHREAD Thread, KI_TIMEOUT *Timeout);
/* Blocks the current thread (its wait blocks are linked), releases the lock, and returns the wait's result. */
LONG_PTR KiBlock(PKTHREAD Thread, KIRQL Irql, BOOLEAN On, KWAIT_REASON Reason, KPROCESSOR_MODE Mode, BOOLEAN Alertable);
VOID KiActivateQueueWaiter(PKQUEUE Queue);
VOID KiLinkWaitBlock(PKWAIT_BLOCK Block, PKTHREAD Thread, PDISPATCHER_HEADER Object, USHORT Key, UCHAR Type);

/* ---- timers (timer.c) ---- */

BOOLEAN KiInsertTimer(PKTIMER Timer, ULONG64 Due);
VOID KiRemoveTimer(PKTIMER Timer);
VOID KiInitializeTimers(VOID);
VOID KiTimerExpiration(VOID);
BOOLEAN KiTimersDue(ULONG64 Tick);

/* ---- time (time.c) ---- */

ULONG64 KiInterruptTimePrecise(VOID);   /* 100 ns since boot */
ULONG64 KiSystemTimeOffset(VOID);       /* system time - interrupt time */
VOID KiUpdateTime(VOID);
extern BOOLEAN KiTimeRunning;

/* ---- DPCs (dpc.c) ---- */

VOID KiInitializeDpcQueue(PKPRCB Prcb);
VOID KiRequestDispatch(PKPRCB Prcb);
VOID KiDispatchInterrupt(VOID);
VOID KiCheckForDpc(PVOID Memory, SIZE_T Size);

/* ---- APCs (apc.c, apcdeliver.c) ---- */

VOID KiDeliverApc(KPROCESSOR_MODE Mode, PKTRAP_FRAME Frame);
VOID KiInitializeUserApc(PKTRAP_FRAME Frame, PKNORMAL_ROUTINE Routine, PVOID Context, PVOID Argument1, PVOID Argument2);
VOID KiCheckKernelApcs(PKTHREAD Thread);
BOOLEAN KiInsertApcLocked(PKAPC Apc, KPRIORITY Increment);
VOID KiInitializeApcState(PKAPC_STATE State, PKPROCESS Process);
VOID KiInitializeSuspend(PKTHREAD Thread);

/* ---- threads (thread.c, amd64/threadstart.c) ---- */

VOID KiInitializeThreadStack(PKTHREAD Thread, PKI_SYSTEM_ROUTINE SystemRoutine, PKSTART_ROUTINE StartRoutine,
                             PVOID StartContext, const CONTEXT *UserContext);

/* ---- amd64 ---- */

VOID KiSwapContext(PKTHREAD From, PKTHREAD To);
VOID KiSetThreadEnvironment(PKPRCB Prcb, PKTHREAD To);
ULONG_PTR KiCallOnStack(ULONG_PTR (*Routine)(PVOID), PVOID Argument, PVOID StackTop);
VOID KiInitializeProcessor(PKI_PROCESSOR Processor, ULONG Number, PKTHREAD Idle, PVOID IdleStackTop);
VOID KiLoadProcessor(PKI_PROCESSOR Processor);
VOID KiInitializeInterruptTable(VOID);
DECLSPEC_NORETURN VOID KiIdleLoop(VOID);
VOID KiClockInterrupt(PKTRAP_FRAME Frame);
VOID KiIpiInterrupt(VOID);
VOID KiServeFlushes(PKPRCB Prcb);
VOID KiFlushEverything(VOID);
VOID KiAnnounceProcessors(VOID);
BOOLEAN KiFreeze(PKTRAP_FRAME Frame);   /* NMI: TRUE if it was ours (does not return then) */
BOOLEAN KiCallNmiCallbacks(VOID);
VOID KiExitToUser(PKTRAP_FRAME Frame);

VOID KiFrameToContext(const KTRAP_FRAME *Frame, PCONTEXT Context);
VOID KiContextToFrame(const CONTEXT *Context, PKTRAP_FRAME Frame, ULONG Flags, KPROCESSOR_MODE Mode);
VOID KiDispatchException(PEXCEPTION_RECORD Record, PKTRAP_FRAME Frame, KPROCESSOR_MODE Mode, BOOLEAN FirstChance);
VOID KiHandleFault(PKTRAP_FRAME Frame);
ULONG64 KiRegister(const KTRAP_FRAME *Frame, ULONG Number); /* in the order of the instruction set: rax, rcx, ... */
BOOLEAN KiEmulateIrqlWrite(PKTRAP_FRAME Frame);
VOID KiRefineFault(PEXCEPTION_RECORD Record, const KTRAP_FRAME *Frame, BOOLEAN User);
DECLSPEC_NORETURN VOID KiUnhandledKernelException(PEXCEPTION_RECORD Record, PCONTEXT Context);
BOOLEAN KiIsServiceCopyFault(PKTRAP_FRAME Frame);
NTSTATUS KiDispatchUserException(PEXCEPTION_RECORD Record, PCONTEXT Context, PKTRAP_FRAME Frame);
VOID KiDebugService(PKTRAP_FRAME Frame);

/* ---- bug check ---- */

#define KI_BUGCHECK_STACK_SIZE 0x8000
extern UCHAR KiBugCheckStack[KI_BUGCHECK_STACK_SIZE];
VOID KiStackOf(ULONG_PTR Pointer, PULONG_PTR Low, PULONG_PTR High);

typedef struct _KI_JUMP { ULONG64 Registers[10]; } KI_JUMP;
int KiSaveJump(KI_JUMP *Jump) __attribute__((returns_twice));
DECLSPEC_NORETURN VOID KiRestoreJump(KI_JUMP *Jump);
/* The trap code asks first: a fault while the screen is drawn goes on with the next part of it. */
VOID KiBugCheckFault(PKTRAP_FRAME Frame);
DECLSPEC_NORETURN VOID KiBugCheck(ULONG Code, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4,
                                  const CONTEXT *Context);
VOID KiRunBugCheckCallbacks(VOID);

/* What a bug check says, in lines for ntrun: docs/report.md. Each part may end by a fault; the next goes on. */
typedef struct _KI_BUG_REPORT
{
    ULONG Code;
    ULONG_PTR Parameters[4];
    const CONTEXT *Context;
    BOOLEAN AtFault; /* Context is what was interrupted, not the caller of KeBugCheckEx */
    KIRQL Irql;
} KI_BUG_REPORT;

PUCHAR NTAPI PsGetProcessImageFileName(PEPROCESS Process); /* no header declares it */
VOID KiReportCode(KI_BUG_REPORT *Report);
VOID KiReportDriver(KI_BUG_REPORT *Report);
VOID KiReportModules(KI_BUG_REPORT *Report);
VOID KiReportWhere(KI_BUG_REPORT *Report);
VOID KiReportStack(KI_BUG_REPORT *Report);
VOID KiReportHoldings(KI_BUG_REPORT *Report);
VOID KiReportRegisters(KI_BUG_REPORT *Report);

int _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments);
int _snprintf(char *Buffer, size_t Count, const char *Format, ...);
