/* SPDX-License-Identifier: MIT */
/*
 * KE: processors, traps, IRQL, threads, waits, DPCs, APCs, timers, system calls, bug checks.
 * Routines that drivers call are declared by ntifs.h; here is what the other rooms need beyond that.
 */
#pragma once

#include "nt.h"
#include "bootblock.h"

#define KI_MAXIMUM_PROCESSORS 32
#define KI_KERNEL_STACK_SIZE 0x6000 /* as on Windows x64: 24 KB, a guard page below */

/* Interrupt vectors; the high nibble is the IRQL, as on NT. */
#define KI_APC_VECTOR 0x1F
#define KI_DPC_VECTOR 0x2F
#define KI_CLOCK_VECTOR 0xD1
#define KI_IPI_VECTOR 0xE1

/* The state of what was interrupted, all registers, as the trap entry code leaves it. KE alone knows its layout. */
typedef struct _KTRAP_FRAME KTRAP_FRAME, *PKTRAP_FRAME;

typedef enum _KTHREAD_STATE
{
    ThreadStateInitialized, ThreadStateReady, ThreadStateRunning, ThreadStateStandby,
    ThreadStateTerminated, ThreadStateWaiting, ThreadStateTransition, ThreadStateDeferredReady,
} KTHREAD_STATE;

struct _KPROCESS
{
    DISPATCHER_HEADER Header;      /* Type ProcessObject, signalled when the last thread has gone */
    LIST_ENTRY ThreadListHead;     /* KTHREAD.ThreadListEntry */
    ULONG64 DirectoryTableBase;    /* CR3 */
    KAFFINITY Affinity;
    volatile LONG ActiveProcessors[1]; /* bit per processor that has this CR3 loaded (for TLB shoot-down) */
    SCHAR BasePriority;
    ULONG64 KernelTime;            /* clock ticks */
    ULONG64 UserTime;
};

struct _KTHREAD
{
    DISPATCHER_HEADER Header;      /* Type ThreadObject, signalled when the thread has gone */
    LIST_ENTRY MutantListHead;     /* KMUTANT.MutantListEntry of every mutant owned */
    PVOID InitialStack;            /* top of the kernel stack, where trap frames from user mode lie */
    PVOID StackBase;
    PVOID StackLimit;              /* lowest valid byte */
    PVOID KernelStack;             /* saved RSP while not running */
    PVOID Teb;                     /* user GS base; NULL for a system thread */
    PKTRAP_FRAME TrapFrame;        /* innermost frame that came from user mode */

    volatile UCHAR State;          /* KTHREAD_STATE */
    SCHAR Priority;
    SCHAR BasePriority;
    SCHAR PriorityDecrement;
    LONG Quantum;
    KPROCESSOR_MODE PreviousMode;
    KPROCESSOR_MODE WaitMode;
    UCHAR WaitReason;
    BOOLEAN Alertable;
    volatile BOOLEAN Alerted[MaximumMode];
    BOOLEAN ApcQueueable;
    BOOLEAN SystemThread;
    KIRQL WaitIrql;
    volatile BOOLEAN Preempted;
    LONG_PTR WaitStatus;
    PKWAIT_BLOCK WaitBlockList;
    KWAIT_BLOCK WaitBlock[THREAD_WAIT_OBJECTS + 1]; /* the last one belongs to the timer */
    KTIMER Timer;
    LIST_ENTRY WaitListEntry;      /* on a ready queue, or on a KQUEUE's */
    PKQUEUE Queue;
    LIST_ENTRY QueueListEntry;
    ULONG WaitTime;

    union
    {
        struct
        {
            volatile SHORT KernelApcDisable;  /* KeEnterCriticalRegion */
            volatile SHORT SpecialApcDisable; /* KeEnterGuardedRegion */
        };
        volatile ULONG CombinedApcDisable;
    };
    KAPC_STATE ApcState;
    KAPC_STATE SavedApcState;      /* the home process's, while attached */
    UCHAR ApcStateIndex;           /* 0 home, 1 attached */
    LONG AttachCount;

    KAPC SuspendApc;
    KSEMAPHORE SuspendSemaphore;
    volatile LONG SuspendCount;

    KAFFINITY Affinity;
    KAFFINITY UserAffinity;
    ULONG IdealProcessor;
    volatile ULONG NextProcessor;
    volatile BOOLEAN OnProcessor;  /* its stack is in use by some processor: not yet free to run elsewhere */

    PKPROCESS Process;             /* home process */
    LIST_ENTRY ThreadListEntry;
    ULONG64 KernelTime;
    ULONG64 UserTime;
    ULONG ContextSwitches;
    PVOID FloatSave;               /* 512-byte FXSAVE area, 16-byte aligned, inside the stack */
    PVOID SehStackLimits[2];       /* bounds while on an expanded stack, else NULL */
    PVOID UserFloatSave;           /* second FXSAVE area: what the next return to user mode loads if it was changed */
    BOOLEAN WaitNext;              /* KeSetEvent and kin were called with Wait = TRUE: the dispatcher lock is held */
    BOOLEAN WaitNextOn;            /* and interrupts were on before */
    BOOLEAN TimerInWait;           /* WaitBlock[THREAD_WAIT_OBJECTS] is on Timer's list */
    UCHAR WaitType;                /* WaitAny or WaitAll of the current wait */
    ULONG64 LastSwitchTsc;         /* when it got its processor */
    ULONG64 CycleTime;             /* time stamp counts it has run, up to LastSwitchTsc */
    KAFFINITY SystemAffinityRestore; /* what KeRevertToUserAffinityThread goes back to, 0 if not overridden */
};

/* ---- start ---- */

/** First C code of the kernel (PE entry). Brings up processor 0 and turns into the idle thread of it. */
DECLSPEC_NORETURN VOID KiSystemStartup(const BOOT_BLOCK *Block);

/** The init room's phase 1: runs as the first system thread at PASSIVE_LEVEL with all rooms' phase 0 done. */
VOID InitPhase1(PVOID Context);

extern const BOOT_BLOCK *KeBootBlock;
extern volatile LONG KiProcessorCount;

/** The init room's phase 0: starts the other rooms in order and makes the first system thread. IRQL PASSIVE_LEVEL, on
    the idle thread: it may not block, and no other thread runs before it returns. */
VOID InitPhase0(const BOOT_BLOCK *Block);

/** The idle process: static, as large as an EPROCESS, CR3 = the address space MM made in phase 0. */
extern KPROCESS *const KiBootProcess;

/** HAL: a started processor, on its idle stack, IF off, GS not yet set. */
DECLSPEC_NORETURN VOID KiProcessorStartup(PVOID Processor);
/** HAL: makes what processor Number needs before it is started; NULL if memory is short. *StackTop: its idle stack. */
PVOID KiCreateProcessor(ULONG Number, PULONG64 StackTop);
VOID KiDeleteProcessor(PVOID Processor);

/** HAL: once the performance counter runs. Starts KUSER_SHARED_DATA's clocks. SystemTime in 100 ns since 1601. */
VOID KiInitializeTime(LONG64 SystemTime);
ULONGLONG NTAPI KeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp);
VOID NTAPI KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime);

NTSTATUS NTAPI NtYieldExecution(VOID);

/** Lets VF look on when system services begin and end, if its options want that. */
VOID KeWatchServices(VOID);

/** The system service the current thread is in, by name; "no-service" if it is in none. Any IRQL. */
PCSTR KeCurrentServiceName(VOID);

/* ---- threads and processes (for PS) ---- */

VOID KeInitializeProcess(PKPROCESS Process, SCHAR BasePriority, KAFFINITY Affinity, ULONG64 DirectoryTableBase);

/**
 * Prepares a thread that will run SystemRoutine(StartRoutine, StartContext) at APC_LEVEL first.
 * A user thread passes its first user CONTEXT: when SystemRoutine returns, the thread leaves to user mode with it.
 * KernelStack is what MmCreateKernelStack returned (its top). IRQL PASSIVE_LEVEL.
 */
typedef VOID (NTAPI *PKI_SYSTEM_ROUTINE)(PKSTART_ROUTINE StartRoutine, PVOID StartContext);
VOID KeInitializeThread(PKTHREAD Thread, PVOID KernelStack, PKI_SYSTEM_ROUTINE SystemRoutine,
                        PKSTART_ROUTINE StartRoutine, PVOID StartContext, const CONTEXT *UserContext,
                        PVOID Teb, PKPROCESS Process);
VOID KeStartThread(PKTHREAD Thread);

/** Takes the running thread away for good: signals it, reaps it later (PsReapThread frees stack and reference). */
DECLSPEC_NORETURN VOID KeTerminateThread(KPRIORITY Increment);

/** PS: called at PASSIVE_LEVEL by the reaper thread when a terminated thread's stack is no longer in use. */
VOID PsReapThread(PKTHREAD Thread);

/**
 * Body of the reaper thread: PS makes one system thread with it in phase 1. Waits for terminated threads and
 * calls PsReapThread for each once its stack is out of use. Never returns.
 */
VOID NTAPI KeReaperThread(PVOID Context);

/** Shutdown: waits until every user thread there was has been reaped, a second at most. PASSIVE_LEVEL; FALSE: some are
    left. */
BOOLEAN KeWaitForUserThreads(VOID);

VOID KeRundownThread(VOID);                 /* abandons owned mutants; bug check if owned by kernel code at exit */
ULONG KeSuspendThread(PKTHREAD Thread);     /* previous count; raises STATUS_SUSPEND_COUNT_EXCEEDED */
ULONG KeResumeThread(PKTHREAD Thread);
ULONG KeForceResumeThread(PKTHREAD Thread);
BOOLEAN KeAlertThread(PKTHREAD Thread, KPROCESSOR_MODE Mode);
BOOLEAN KeTestAlertThread(KPROCESSOR_MODE Mode);
VOID KeSetProcess(PKPROCESS Process, KPRIORITY Increment); /* signals the process object */
BOOLEAN KeInsertQueueApc(PKAPC Apc, PVOID Argument1, PVOID Argument2, KPRIORITY Increment);
/**
 * PS, to end a thread: queues a user APC in front of all others and makes it due at once. A wait of UserMode ends with
 * STATUS_USER_APC even if it is not alertable, and the APC's kernel routine runs before the thread is in user mode
 * again.
 * IRQL <= DISPATCH_LEVEL; FALSE if it is queued already or the thread takes no APCs any more.
 */
BOOLEAN KeInsertForcedUserApc(PKAPC Apc, PVOID Argument1, PVOID Argument2);
VOID KeFlushQueueApcs(PKTHREAD Thread);     /* at thread exit: empties both queues, calling rundown routines */

typedef enum _KAPC_ENVIRONMENT
{
    OriginalApcEnvironment, AttachedApcEnvironment, CurrentApcEnvironment, InsertApcEnvironment,
} KAPC_ENVIRONMENT;
typedef VOID (NTAPI *PKNORMAL_ROUTINE)(PVOID, PVOID, PVOID);
typedef VOID (NTAPI *PKKERNEL_ROUTINE)(PKAPC, PKNORMAL_ROUTINE *, PVOID *, PVOID *, PVOID *);
typedef VOID (NTAPI *PKRUNDOWN_ROUTINE)(PKAPC);
VOID KeInitializeApc(PKAPC Apc, PKTHREAD Thread, KAPC_ENVIRONMENT Environment, PKKERNEL_ROUTINE KernelRoutine,
                     PKRUNDOWN_ROUTINE RundownRoutine, PKNORMAL_ROUTINE NormalRoutine, KPROCESSOR_MODE Mode,
                     PVOID NormalContext);

/** Reads or replaces the user-mode registers of the CURRENT thread (from its user trap frame). PASSIVE/APC_LEVEL. */
VOID KeGetUserContext(PCONTEXT Context);
NTSTATUS KeSetUserContext(const CONTEXT *Context);

/** Where the trap happened and what came of it; for MmAccessFault's TrapFrame argument. NULL frame: 0. Any IRQL. */
PVOID KeGetTrapFramePc(const VOID *TrapFrame);

/* ---- exceptions ---- */

/** Dispatches to the current thread's user mode at the next return: used by NtRaiseException and the trap code. */
NTSTATUS KeRaiseUserException(PEXCEPTION_RECORD Record, PCONTEXT Context, BOOLEAN FirstChance);

/** User-mode entry points that KE needs, found by PS in the mapped ntdll. */
typedef struct _KE_USER_ENTRIES
{
    PVOID LdrInitializeThunk, RtlUserThreadStart, KiUserExceptionDispatcher, KiUserApcDispatcher;
} KE_USER_ENTRIES;

/** Supplied by PS for the current process; NULL before ntdll is mapped. */
const KE_USER_ENTRIES *PsGetUserEntries(VOID);

/**
 * Makes writes of CR8 in a driver's code known to force-IRQL (inlineirql.c). The code is writable and does not run yet.
 */
VOID KePatchIrqlWrites(PUCHAR Code, SIZE_T Size);

/** TRUE inside a DPC routine. Any IRQL. */
BOOLEAN KeIsInDpc(VOID);

/* ---- memory translation ---- */

/**
 * Drops translations on every processor that may hold them; returns when all have. IRQL <= DISPATCH_LEVEL
 * (never with interrupts off). PageCount 0 = everything. A user address goes to processors that run the process.
 */
VOID KeFlushTb(PKPROCESS Process /* NULL: kernel address */, PVOID Va, SIZE_T PageCount);

/* ---- stacks and diagnosis ---- */

VOID KeGetStackLimits(PULONG_PTR Low, PULONG_PTR High);
/** Bug check C7 if an active timer, a queued DPC or the routine of one lies inside memory about to be freed. IRQL <=
    DISPATCH_LEVEL. */
VOID KeCheckForTimer(PVOID Memory, SIZE_T Size);
/** The first entry of a KQUEUE that lies inside the memory, or NULL. IRQL <= DISPATCH_LEVEL. */
PLIST_ENTRY KeFindInQueue(PRKQUEUE Queue, PVOID Memory, SIZE_T Size);
/** TRUE while a bug check is being reported: locks must not be waited for any more. */
extern volatile LONG KiBugCheckActive;
/** Prints "NT time" stack of the caller to the error console; symbols as module+offset. Any IRQL. */
VOID KePrintStack(const CONTEXT *Context);

static inline VOID KiDisable(VOID) { __asm__ volatile("cli" ::: "memory"); }
static inline VOID KiEnable(VOID) { __asm__ volatile("sti" ::: "memory"); }
static inline PKTHREAD KiCurrentThread(VOID) { return (PKTHREAD)__readgsqword(0x188); }
static inline ULONG KiCurrentProcessor(VOID) { return __readgsdword(0x184); }

/** KPROCESS the current thread is attached to (home process if not attached). */
static inline PKPROCESS KiCurrentProcess(VOID) { return KiCurrentThread()->ApcState.Process; }
