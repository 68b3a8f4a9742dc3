/* SPDX-License-Identifier: MIT */
/*
 * Trimming: pages of a program leave for the page file and come back with their contents; locked ones never leave.
 * A working set is emptied as programs do it: with both quota limits set to -1.
 */
#include "ktlib.h"

#define PAGES 64

static NTSTATUS EmptyWorkingSet(VOID)
{
    QUOTA_LIMITS limits = {.MinimumWorkingSetSize = MAXULONG_PTR, .MaximumWorkingSetSize = MAXULONG_PTR};
    return ZwSetInformationProcess(NtCurrentProcess(), ProcessQuotaLimits, &limits, sizeof(limits));
}

static ULONG Valid(PUCHAR Base, ULONG Pages)
{
    ULONG count = 0;

    for (ULONG i = 0; i < Pages; i++)
    {
        count += MmIsAddressValid(Base + i * PAGE_SIZE);
    }
    return count;
}

static VOID TestReturn(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, PAGES * PAGE_SIZE, PAGE_READWRITE);
    ULONG before, after;

    if (base == NULL)
    {
        return;
    }
    for (ULONG round = 0; round < 3; round++)
    {
        KtFill(base, PAGES * PAGE_SIZE, round);
        before = Valid(base, PAGES);
        CHECK_STATUS(EmptyWorkingSet(), STATUS_SUCCESS);
        after = Valid(base, PAGES);
        CHECK_EQUAL(KtMismatches(base, PAGES * PAGE_SIZE, round), 0);
        KtSay(Run, "of %u pages %lu were valid, after trimming %lu, after reading %lu", PAGES, before, after,
              Valid(base, PAGES));
        CHECK_EQUAL(before, PAGES);
        CHECK_EQUAL(after, 0);
        CHECK_EQUAL(Valid(base, PAGES), PAGES);
    }
    KtUserFree(base);
}

static VOID TestLocked(KTEST_RUN *Run)
{
    PUCHAR base = KtUserAllocate(Run, PAGES * PAGE_SIZE, PAGE_READWRITE), system;
    ULONG moved = 0;
    PMDL mdl;

    if (base == NULL)
    {
        return;
    }
    KtFill(base, PAGES * PAGE_SIZE, 40);
    CHECK_STATUS(EmptyWorkingSet(), STATUS_SUCCESS);
    mdl = IoAllocateMdl(base + 16 * PAGE_SIZE, 32 * PAGE_SIZE, FALSE, FALSE, NULL);
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS); /* brings them in from the page file */
    system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    CHECK(system != NULL);
    for (ULONG i = 0; i < 5; i++)
    {
        CHECK_STATUS(EmptyWorkingSet(), STATUS_SUCCESS);
    }
    for (ULONG i = 0; i < 32; i++)
    {
        moved += KtPfn(base + (16 + i) * PAGE_SIZE) != MmGetMdlPfnArray(mdl)[i];
    }
    KtSay(Run, "32 locked pages after five trims: %lu valid, %lu moved", Valid(base + 16 * PAGE_SIZE, 32), moved);
    CHECK_EQUAL(Valid(base + 16 * PAGE_SIZE, 32), 32);
    CHECK_EQUAL(moved, 0);
    CHECK_EQUAL(Valid(base, 16), 0);
    if (system != NULL)
    {
        KtFill(system, 32 * PAGE_SIZE, 41);
        CHECK_EQUAL(KtMismatches(base + 16 * PAGE_SIZE, 32 * PAGE_SIZE, 41), 0);
    }
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    CHECK_STATUS(EmptyWorkingSet(), STATUS_SUCCESS);
    CHECK_EQUAL(Valid(base, PAGES), 0); /* unlocked, they may go like the others */
    CHECK_EQUAL(KtMismatches(base + 16 * PAGE_SIZE, 32 * PAGE_SIZE, 41), 0);
    KtUserFree(base);
}

/* A page in the page file that nobody locked is an address without memory for a DPC: what the machine is for. */
static VOID TestView(KTEST_RUN *Run)
{
    PHYSICAL_ADDRESS low = {.QuadPart = 0}, high = {.QuadPart = MAXLONGLONG};
    PMDL mdl = MmAllocatePagesForMdlEx(low, high, low, 8 * PAGE_SIZE, MmCached, MM_ALLOCATE_FULLY_REQUIRED);
    NTSTATUS status;
    PUCHAR user;

    CHECK(mdl != NULL);
    if (mdl == NULL)
    {
        return;
    }
    user = KtMapUser(mdl, NULL, NormalPagePriority, &status);
    CHECK(user != NULL);
    if (user != NULL)
    {
        CHECK_STATUS(EmptyWorkingSet(), STATUS_SUCCESS);
        CHECK_EQUAL(Valid(user, 8), 8); /* views of MDLs are no part of the working set */
        MmUnmapLockedPages(user, mdl);
    }
    MmFreePagesFromMdl(mdl);
    ExFreePool(mdl);
}

/* Another thread reads and writes the pages while they are trimmed again and again. */
typedef struct _CHURN
{
    PEPROCESS Process;
    PUCHAR Base;
    volatile LONG Stop, Rounds, Wrong;
} CHURN;

static VOID NTAPI TouchPages(PVOID Context)
{
    CHURN *churn = Context;
    KAPC_STATE state;

    KeStackAttachProcess((PKPROCESS)churn->Process, &state);
    while (!churn->Stop)
    {
        ULONG round = (ULONG)churn->Rounds;
        for (ULONG i = 0; i < PAGES; i++)
        {
            volatile ULONG *place = (volatile ULONG *)(churn->Base + i * PAGE_SIZE + (i * 68) % 4000);
            churn->Wrong += *place != round * 1000 + i;
            *place = (round + 1) * 1000 + i;
        }
        churn->Rounds++;
    }
    KeUnstackDetachProcess(&state);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestChurn(KTEST_RUN *Run)
{
    CHURN churn = {.Process = PsGetCurrentProcess(), .Base = KtUserAllocate(Run, PAGES * PAGE_SIZE, PAGE_READWRITE)};
    PETHREAD thread;

    if (churn.Base == NULL)
    {
        return;
    }
    for (ULONG i = 0; i < PAGES; i++)
    {
        *(volatile ULONG *)(churn.Base + i * PAGE_SIZE + (i * 68) % 4000) = i;
    }
    thread = KtStart(Run, TouchPages, &churn);
    for (ULONG i = 0; thread != NULL && (i < 200 || (churn.Rounds < 3 && i < 100000)); i++)
    {
        CHECK_STATUS(EmptyWorkingSet(), STATUS_SUCCESS);
    }
    churn.Stop = 1;
    KtJoin(thread);
    KtSay(Run, "%ld rounds over %u pages during the trims, %ld wrong words", churn.Rounds, PAGES, churn.Wrong);
    CHECK(churn.Rounds > 0);
    CHECK_EQUAL(churn.Wrong, 0);
    KtUserFree(churn.Base);
}

VOID KtGroup_trim(KTEST_RUN *Run)
{
    TestReturn(Run);
    TestLocked(Run);
    TestView(Run);
    TestChurn(Run);
}
