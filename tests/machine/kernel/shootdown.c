/* SPDX-License-Identifier: MIT */
/*
 * TLB shoot-downs: once an unmap, a free or a reprotect has returned, no processor uses the old translation any more.
 *
 * A thread on the other processor keeps its translation hot by touching the page in a tight loop. It looks at the
 * flag first and touches then: a touch that succeeds after the flag was set has used a stale translation.
 *
 *     processor 0   make, fill       wait until it is hot   unmap   Gone = 1          wait for Done
 *     processor 1              touch touch touch touch touch ... fault    touch -> must fault, Done = 1
 *
 * A kernel address may not fault, so there the other processor holds still while the address gets another page, and
 * then must see that page's bytes.
 */
#include "ktlib.h"

#define ROUNDS 40
#define HOT 200       /* touches before the translation is taken away */
#define OLD 0x0101010101010101ULL
#define NEW 0x0202020202020202ULL

typedef struct _SHOOT
{
    KTEST_RUN *Run;
    PEPROCESS Process;
    volatile ULONG64 *volatile Va;
    BOOLEAN Write;             /* touch by writing */
    volatile LONG Round;       /* set by processor 0 when Va can be touched */
    volatile LONG Gone;        /* the operation has returned */
    volatile LONG Done;        /* round that processor 1 has finished */
    volatile LONG Stop;
    volatile LONG Touches;     /* of this round */
    volatile LONG Stale, Wrong; /* of all rounds */
} SHOOT;

/* TRUE if the page could be touched. */
DECLSPEC_NOINLINE static BOOLEAN Touch(volatile ULONG64 *Va, BOOLEAN Write, PULONG64 Value)
{
    __try
    {
        if (Write)
        {
            *Va = OLD;
        }
        *Value = *Va;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return FALSE;
    }
    return TRUE;
}

/* One round of processor 1. */
static VOID TouchUntilGone(SHOOT *Shoot)
{
    for (;;)
    {
        LONG gone = Shoot->Gone;
        ULONG64 value = 0;
        BOOLEAN touched = Touch(Shoot->Va, Shoot->Write, &value);

        if (touched && value != OLD)
        {
            InterlockedIncrement(&Shoot->Wrong); /* the next owner's bytes */
        }
        if (touched && gone)
        {
            InterlockedIncrement(&Shoot->Stale);
        }
        if (gone)
        {
            return;
        }
        Shoot->Touches += touched;
    }
}

static VOID NTAPI Toucher(PVOID Context)
{
    SHOOT *shoot = Context;
    KAPC_STATE state;
    LONG seen = 0;

    KtRunOn(1);
    KeStackAttachProcess((PVOID)shoot->Process, &state);
    while (!shoot->Stop)
    {
        if (shoot->Round != seen)
        {
            seen = shoot->Round;
            TouchUntilGone(shoot);
            InterlockedExchange(&shoot->Done, seen);
        }
        YieldProcessor();
    }
    KeUnstackDetachProcess(&state);
}

/* Lets processor 1 touch until its translation is hot. */
static VOID Heat(SHOOT *Shoot, PVOID Va)
{
    Shoot->Va = Va;
    Shoot->Touches = 0;
    Shoot->Gone = 0;
    InterlockedIncrement(&Shoot->Round);
    while (Shoot->Touches < HOT)
    {
        YieldProcessor();
    }
}

/* Says that the translation has gone, and waits until processor 1 has tried it once more. */
static VOID Gone(SHOOT *Shoot)
{
    InterlockedExchange(&Shoot->Gone, 1);
    while (Shoot->Done != Shoot->Round)
    {
        YieldProcessor();
    }
}

/* ---- what takes user translations away ---- */

static VOID FreeMemory(SHOOT *Shoot)
{
    KTEST_RUN *Run = Shoot->Run;
    volatile ULONG64 *next = KtUserAllocate(Run, PAGE_SIZE, PAGE_READWRITE);
    volatile ULONG64 *page = KtUserAllocate(Run, PAGE_SIZE, PAGE_READWRITE);

    if (page != NULL && next != NULL)
    {
        *page = OLD;
        Heat(Shoot, (PVOID)page);
        KtUserFree((PVOID)page);
        *next = NEW; /* its first touch: it gets a frame now, which may well be the one just freed */
        Gone(Shoot);
        KtUserFree((PVOID)next);
    }
}

static VOID Reprotect(SHOOT *Shoot)
{
    KTEST_RUN *Run = Shoot->Run;
    PVOID page = KtUserAllocate(Run, PAGE_SIZE, PAGE_READWRITE);

    if (page == NULL)
    {
        return;
    }
    *(volatile ULONG64 *)page = OLD;
    Heat(Shoot, page);
    CHECK_STATUS(KtUserProtect(page, PAGE_SIZE, Shoot->Write ? PAGE_READONLY : PAGE_NOACCESS), STATUS_SUCCESS);
    Gone(Shoot);
    KtUserFree(page);
}

static VOID UnmapUserView(SHOOT *Shoot)
{
    KTEST_RUN *Run = Shoot->Run;
    PHYSICAL_ADDRESS low = {.QuadPart = 0}, high = {.QuadPart = -1};
    PMDL mdl = MmAllocatePagesForMdl(low, high, low, PAGE_SIZE);
    NTSTATUS status = STATUS_NO_MEMORY;
    volatile ULONG64 *view = mdl != NULL ? KtMapUser(mdl, NULL, NormalPagePriority, &status) : NULL;

    CHECK_STATUS(status, STATUS_SUCCESS);
    if (view != NULL)
    {
        *view = OLD;
        Heat(Shoot, (PVOID)view);
        MmUnmapLockedPages((PVOID)view, mdl);
        MmFreePagesFromMdl(mdl);
        Gone(Shoot);
    }
    if (mdl != NULL)
    {
        if (view == NULL)
        {
            MmFreePagesFromMdl(mdl);
        }
        ExFreePool(mdl);
    }
}

static VOID TestUser(KTEST_RUN *Run, PCSTR What, VOID (*Take)(SHOOT *), BOOLEAN Write)
{
    SHOOT shoot = {.Run = Run, .Process = PsGetCurrentProcess(), .Write = Write};
    PETHREAD thread = KtStart(Run, Toucher, &shoot);

    for (ULONG round = 0; thread != NULL && round < ROUNDS; round++)
    {
        Take(&shoot);
    }
    shoot.Stop = 1;
    KtJoin(thread);
    KtSay(Run, "%s: %ld rounds, %ld stale, %ld with other bytes", What, shoot.Done, shoot.Stale, shoot.Wrong);
    CHECK_EQUAL(shoot.Done, ROUNDS);
    CHECK_EQUAL(shoot.Stale, 0);
    CHECK_EQUAL(shoot.Wrong, 0);
}

/* ---- kernel views: the same address, another page ---- */

typedef struct _LOOK
{
    volatile ULONG64 *volatile Va;
    volatile LONG Asked, Answered, Stop;
    volatile ULONG64 Value;
} LOOK;

/* Reads when asked, and holds still at DISPATCH_LEVEL in between: no other thread's page tables drop what it knows. */
static VOID NTAPI Looker(PVOID Context)
{
    LOOK *look = Context;
    KIRQL irql;

    KtRunOn(1);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    while (!look->Stop)
    {
        if (look->Asked != look->Answered)
        {
            look->Value = *look->Va;
            InterlockedIncrement(&look->Answered);
        }
        YieldProcessor();
    }
    KeLowerIrql(irql);
}

static ULONG64 Ask(LOOK *Look, PVOID Va)
{
    Look->Va = Va;
    InterlockedIncrement(&Look->Asked);
    while (Look->Answered != Look->Asked)
    {
        YieldProcessor();
    }
    return Look->Value;
}

static PMDL PageOf(ULONG64 Value)
{
    PHYSICAL_ADDRESS low = {.QuadPart = 0}, high = {.QuadPart = -1};
    PMDL mdl = MmAllocatePagesForMdl(low, high, low, PAGE_SIZE);
    volatile ULONG64 *va = mdl != NULL ? MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority) : NULL;

    if (va != NULL)
    {
        *va = Value;
        MmUnmapLockedPages((PVOID)va, mdl);
    }
    return mdl;
}

static VOID DropPage(PMDL Mdl)
{
    if (Mdl != NULL)
    {
        MmFreePagesFromMdl(Mdl);
        ExFreePool(Mdl);
    }
}

/* A reservation shows one page, then another. */
static VOID TestReserved(KTEST_RUN *Run, LOOK *Look, PMDL Old, PMDL New)
{
    PVOID room = MmAllocateMappingAddress(PAGE_SIZE, KT_TAG);
    ULONG stale = 0;

    CHECK(room != NULL);
    for (ULONG round = 0; room != NULL && round < ROUNDS; round++)
    {
        PVOID va = MmMapLockedPagesWithReservedMapping(room, KT_TAG, Old, MmCached);
        CHECK_EQUAL(Ask(Look, va), OLD);
        MmUnmapReservedMapping(room, KT_TAG, Old);
        va = MmMapLockedPagesWithReservedMapping(room, KT_TAG, New, MmCached);
        stale += Ask(Look, va) != NEW;
        MmUnmapReservedMapping(room, KT_TAG, New);
    }
    KtSay(Run, "kernel view in a reservation: %u rounds, %lu stale", ROUNDS, stale);
    CHECK_EQUAL(stale, 0);
    if (room != NULL)
    {
        MmFreeMappingAddress(room, KT_TAG);
    }
}

/* (Views outside a reservation never get the same address again before long. That one is not seen any more after
   MmUnmapLockedPages is tried where a bug check is expected: misuse.shootdown.view.) */
VOID KtGroup_shootdown(KTEST_RUN *Run)
{
    LOOK look = {0};
    PMDL old, new;
    PETHREAD thread;

    if (KeNumberProcessors < 2)
    {
        KtSay(Run, "one processor: there is nobody to be told");
        CHECK(TRUE);
        return;
    }
    KtRunOn(0);
    TestUser(Run, "memory freed", FreeMemory, FALSE);
    TestUser(Run, "memory without access", Reprotect, FALSE);
    TestUser(Run, "memory made read-only", Reprotect, TRUE);
    TestUser(Run, "user view unmapped, pages freed", UnmapUserView, FALSE);

    old = PageOf(OLD);
    new = PageOf(NEW);
    thread = KtStart(Run, Looker, &look);
    if (old != NULL && new != NULL && thread != NULL)
    {
        TestReserved(Run, &look, old, new);
    }
    look.Stop = 1;
    KtJoin(thread);
    DropPage(old);
    DropPage(new);
}
