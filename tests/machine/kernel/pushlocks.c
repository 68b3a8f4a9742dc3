/* SPDX-License-Identifier: MIT */
/* Push locks: one owner or many, nobody forgotten, inline fast paths of drivers beside the routines. */
#include "ktlib.h"

NTKERNELAPI VOID FASTCALL ExfAcquirePushLockExclusive(PEX_PUSH_LOCK PushLock);
NTKERNELAPI VOID FASTCALL ExfAcquirePushLockShared(PEX_PUSH_LOCK PushLock);
NTKERNELAPI BOOLEAN FASTCALL ExfTryAcquirePushLockShared(PEX_PUSH_LOCK PushLock);
NTKERNELAPI VOID FASTCALL ExfReleasePushLockExclusive(PEX_PUSH_LOCK PushLock);
NTKERNELAPI VOID FASTCALL ExfReleasePushLockShared(PEX_PUSH_LOCK PushLock);
NTKERNELAPI VOID FASTCALL ExfTryToWakePushLock(PEX_PUSH_LOCK PushLock);
NTKERNELAPI BOOLEAN FASTCALL ExTryAcquirePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags);

#define THREADS 4
#define ROUNDS 4000

static EX_PUSH_LOCK Lock;
static volatile LONG Owners, Sharers, Wrong, Started, Passed;
static LONG Count; /* guarded by Lock */

static VOID Own(BOOLEAN Inline, BOOLEAN Stay)
{
    /* Inline as old headers do it: bit 0, and the routines only when that fails or somebody waits. */
    if (!Inline || InterlockedCompareExchange64((volatile LONG64 *)&Lock, 1, 0) != 0)
    {
        ExfAcquirePushLockExclusive(&Lock);
    }
    Wrong += InterlockedIncrement(&Owners) != 1 || Sharers != 0;
    Count++;
    if (Stay)
    {
        KtSleep(1); /* so that the others wait */
    }
    InterlockedDecrement(&Owners);
    if (!Inline)
    {
        ExfReleasePushLockExclusive(&Lock);
    }
    else if ((InterlockedExchangeAdd64((volatile LONG64 *)&Lock, -1) & 2) != 0)
    {
        ExfTryToWakePushLock(&Lock);
    }
}

static VOID Share(VOID)
{
    ExfAcquirePushLockShared(&Lock);
    InterlockedIncrement(&Sharers);
    if (Owners != 0)
    {
        InterlockedIncrement(&Wrong);
    }
    InterlockedDecrement(&Sharers);
    ExfReleasePushLockShared(&Lock);
}

static VOID Contend(PVOID Context)
{
    ULONG self = (ULONG)(ULONG_PTR)Context;

    for (ULONG i = 0; i < ROUNDS; i++)
    {
        KeEnterCriticalRegion();
        if ((i + self) % 3 == 0)
        {
            Own((i & 1) != 0, i % 512 == self);
        }
        else
        {
            Share();
        }
        KeLeaveCriticalRegion();
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID Sharer(PVOID Context)
{
    UNREFERENCED_PARAMETER(Context);
    KeEnterCriticalRegion();
    InterlockedIncrement(&Started);
    ExfAcquirePushLockShared(&Lock);
    InterlockedIncrement(&Passed);
    KtUntil(&Passed, 2); /* both share it at once */
    ExfReleasePushLockShared(&Lock);
    KeLeaveCriticalRegion();
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestSharing(KTEST_RUN *Run)
{
    PETHREAD threads[2];

    KeEnterCriticalRegion();
    CHECK(ExTryAcquirePushLockExclusiveEx(&Lock, 0));
    CHECK(!ExTryAcquirePushLockExclusiveEx(&Lock, 0));
    CHECK(!ExfTryAcquirePushLockShared(&Lock));
    threads[0] = KtStart(Run, Sharer, NULL);
    threads[1] = KtStart(Run, Sharer, NULL);
    CHECK(KtUntil(&Started, 2));
    KtSleep(20);
    CHECK_EQUAL(Passed, 0);
    ExfReleasePushLockExclusive(&Lock);
    KeLeaveCriticalRegion();
    KtJoin(threads[0]);
    KtJoin(threads[1]);
    KT_COVERS("ExfAcquirePushLockShared", "those who wait to share a lock get it together",
              "Windows Internals, push locks");
    CHECK_EQUAL(Passed, 2);
    CHECK_EQUAL(Lock, 0);
}

VOID KtGroup_pushlocks(KTEST_RUN *Run)
{
    PETHREAD threads[THREADS];
    LONG expected = 0;

    ExInitializePushLock(&Lock);
    TestSharing(Run);
    for (ULONG i = 0; i < THREADS; i++)
    {
        threads[i] = KtStart(Run, Contend, (PVOID)(ULONG_PTR)i);
        for (ULONG round = 0; round < ROUNDS; round++)
        {
            expected += (round + i) % 3 == 0;
        }
    }
    for (ULONG i = 0; i < THREADS; i++)
    {
        KtJoin(threads[i]);
    }
    KT_COVERS("ExfAcquirePushLockExclusive",
              "one owner, never beside sharers; nobody waits for ever; inline fast paths mix in",
              "Windows Internals, push locks");
    CHECK_EQUAL(Wrong, 0);
    CHECK_EQUAL(Count, expected);
    CHECK_EQUAL(Lock, 0);
}
