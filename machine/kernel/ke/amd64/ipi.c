/* SPDX-License-Identifier: MIT */
/*
 * Requests between processors: TLB shoot-down, generic calls, freezing.
 *
 * Shoot-down. Each processor has one request of its own to make at a time (Prcb->Flush) and a word of bits in which
 * others note whose request it is to serve:
 *
 *     A: fill A.Flush, Pending = targets          B: interrupt: take and clear B.FlushRequests
 *        set bit A in B.FlushRequests, interrupt     for each bit i: do i.Flush, clear bit B in i.Flush.Pending
 *        wait for Pending == 0
 *
 * A processor that idles is not woken: IdleState goes from HALTED to MUST_FLUSH, and the first thing it does on its
 * next interrupt is to drop everything. What it touches before that, its stack and the interrupt table, never moves.
 *
 * A waits with interrupts on, at DISPATCH_LEVEL, so it serves B's request meanwhile: two that shoot at each other
 * both get their answers. A target with interrupts off answers when it turns them on; nobody waits for another
 * processor with interrupts off.
 */
#include "../kip.h"

/* For what is mostly not called: saves all registers, so that who might call it saves none on entry for its sake. */
#define KI_KEEPS_REGISTERS __attribute__((preserve_most, noinline))

#define KI_FLUSH_PAGES_MAX 32 /* from here on everything is dropped */

#define CR4_PGE (1ULL << 7)

static volatile LONG KiGenericLock;
static PKIPI_BROADCAST_WORKER volatile KiGenericRoutine;
static volatile ULONG_PTR KiGenericContext;
static volatile LONG KiGenericArrived, KiGenericDone;
static volatile LONG KiGenericCount;

/* Toggling PGE drops global translations too. */
static KI_KEEPS_REGISTERS VOID KiFlushAll(VOID)
{
    BOOLEAN enabled = KiDisableInterrupts();
    ULONG64 cr4 = __readcr4();

    __writecr4(cr4 & ~CR4_PGE);
    __writecr4(cr4);
    KiRestoreInterrupts(enabled);
}

/* INVLPG takes any address in a page. */
static inline VOID KiFlushLocal(ULONG64 Va, SIZE_T PageCount)
{
    if (PageCount - 1 >= KI_FLUSH_PAGES_MAX) /* 0: everything */
    {
        KiFlushAll();
        return;
    }
    for (ULONG64 end = Va + PageCount * PAGE_SIZE; Va != end; Va += PAGE_SIZE)
    {
        __asm__ volatile("invlpg (%0)" : : "r"(Va) : "memory");
    }
}

/* Every translation of this processor. */
VOID KiFlushEverything(VOID)
{
    KiFlushAll();
}

/* Interrupt or polling. */
VOID KiServeFlushes(PKPRCB Prcb)
{
    LONG requests = InterlockedExchange(&Prcb->FlushRequests, 0);

    while (requests != 0)
    {
        ULONG from = (ULONG)__builtin_ctz((ULONG)requests);
        KI_FLUSH *flush = &KiProcessors[from]->Prcb.Flush;

        requests &= requests - 1;
        KiFlushLocal(flush->Va, flush->PageCount);
        InterlockedAnd(&flush->Pending, ~(LONG)(1UL << Prcb->Number));
    }
}

/* TRUE: the processor idles and will flush by itself. */
static BOOLEAN KiFlushLater(PKPRCB Prcb)
{
    return InterlockedCompareExchange(&Prcb->IdleState, KI_IDLE_MUST_FLUSH, KI_IDLE_HALTED) != KI_IDLE_NOT;
}

/* The processors among Targets that have to be asked. */
static ULONG KiAwakeOnly(ULONG Targets)
{
    for (ULONG left = Targets; left != 0; left &= left - 1)
    {
        ULONG number = (ULONG)__builtin_ctz(left);

        if (KiFlushLater(&KiProcessors[number]->Prcb))
        {
            Targets &= ~(1UL << number);
        }
    }
    return Targets;
}

/* Asks other processors, and waits for them. At DISPATCH_LEVEL. */
static KI_KEEPS_REGISTERS VOID KiFlushOthers(PKPRCB Prcb, ULONG Targets, PKPROCESS Process, ULONG64 Va,
                                             SIZE_T PageCount)
{
    if (Process != NULL)
    {
        Targets &= (ULONG)Process->ActiveProcessors[0];
    }
    Targets = KiAwakeOnly(Targets);
    if (Targets == 0)
    {
        return;
    }
    Prcb->Flush.Va = Va;
    Prcb->Flush.PageCount = PageCount;
    Prcb->Flush.Pending = (LONG)Targets;
    KiFence();
    for (ULONG left = Targets; left != 0; left &= left - 1)
    {
        ULONG number = (ULONG)__builtin_ctz(left);

        InterlockedOr(&KiProcessors[number]->Prcb.FlushRequests, (LONG)(1UL << Prcb->Number));
        HalSendIpi(number, KI_IPI_VECTOR);
    }
    while (Prcb->Flush.Pending != 0)
    {
        _mm_pause();
    }
}

/* Described in ke.h. */
VOID KeFlushTb(PKPROCESS Process, PVOID Va, SIZE_T PageCount)
{
    KIRQL old = KeGetCurrentIrql();
    PKPRCB prcb;
    ULONG targets;

    if (old < DISPATCH_LEVEL)
    {
        __writecr8(DISPATCH_LEVEL);
    }
    prcb = KiPrcb();
    KiFlushLocal((ULONG64)Va, PageCount);
    KiFence(); /* the caller's change of the page tables before the look at who runs, and runs the process */
    targets = (ULONG)KiActiveAffinity & ~(ULONG)prcb->SetMember;
    if (targets != 0)
    {
        KiFlushOthers(prcb, targets, Process, (ULONG64)Va, PageCount);
    }
    if (old < DISPATCH_LEVEL)
    {
        KeLowerIrql(old);
    }
}

static ULONG_PTR KiRunGeneric(VOID)
{
    PKIPI_BROADCAST_WORKER routine;
    ULONG_PTR context, result;

    /* All start together, and none leaves before all are done. */
    InterlockedIncrement(&KiGenericArrived);
    while (KiGenericArrived < KiGenericCount)
    {
        KiServeFlushes(KiPrcb());
        _mm_pause();
    }
    routine = KiGenericRoutine;
    context = KiGenericContext;
    result = routine(context);
    InterlockedIncrement(&KiGenericDone);
    return result;
}

VOID KiIpiInterrupt(VOID)
{
    PKPRCB prcb = KiPrcb();

    KiServeFlushes(prcb);
    if (InterlockedExchange(&prcb->GenericRequest, 0) != 0)
    {
        KiRunGeneric();
    }
}

/**
 * Runs a routine on all processors at once, at IPI_LEVEL.
 *
 * @return what it returned on this one
 * IRQL: <= DISPATCH_LEVEL with interrupts on.
 */
ULONG_PTR NTAPI KeIpiGenericCall(PKIPI_BROADCAST_WORKER BroadcastFunction, ULONG_PTR Context)
{
    KIRQL old = KeGetCurrentIrql();
    ULONG_PTR result;
    ULONG targets;

    if (old < DISPATCH_LEVEL)
    {
        __writecr8(DISPATCH_LEVEL);
    }
    while (InterlockedExchange(&KiGenericLock, 1) != 0)
    {
        _mm_pause(); /* interrupts are on: the other call runs on us */
    }
    targets = (ULONG)KiActiveAffinity & ~(ULONG)KiPrcb()->SetMember;
    KiGenericRoutine = BroadcastFunction;
    KiGenericContext = Context;
    KiGenericArrived = 0;
    KiGenericDone = 0;
    KiGenericCount = __builtin_popcount(targets) + 1;
    KiFence();
    for (ULONG left = targets; left != 0; left &= left - 1)
    {
        ULONG number = (ULONG)__builtin_ctz(left);

        KiProcessors[number]->Prcb.GenericRequest = 1;
        HalSendIpi(number, KI_IPI_VECTOR);
    }
    __writecr8(IPI_LEVEL);
    result = KiRunGeneric();
    while (KiGenericDone < KiGenericCount)
    {
        KiServeFlushes(KiPrcb());
        _mm_pause();
    }
    __writecr8(old < DISPATCH_LEVEL ? DISPATCH_LEVEL : old);
    InterlockedExchange(&KiGenericLock, 0);
    if (old < DISPATCH_LEVEL)
    {
        KeLowerIrql(old);
    }
    return result;
}

static ULONG_PTR KiInvalidateCaches(ULONG_PTR Context)
{
    __asm__ volatile("wbinvd" ::: "memory");
    return 0;
}

/** Writes back and drops the caches of every processor. IRQL: <= DISPATCH_LEVEL. */
BOOLEAN NTAPI KeInvalidateAllCaches(VOID)
{
    KeIpiGenericCall(KiInvalidateCaches, 0);
    return TRUE;
}

/** Writes back and drops cached data of a range. IRQL: any. */
VOID NTAPI KeInvalidateRangeAllCaches(PVOID BaseAddress, ULONG Length)
{
    ULONG_PTR address = (ULONG_PTR)BaseAddress & ~(ULONG_PTR)63;

    for (; address < (ULONG_PTR)BaseAddress + Length; address += 64)
    {
        __asm__ volatile("clflush (%0)" : : "r"(address) : "memory");
    }
    KiFence();
}
