/* SPDX-License-Identifier: MIT */
/* The executive: resources, fast mutexes, rundown protection, work items, interlocked lists and sums, callbacks. */
#include "ktlib.h"

typedef struct _SHARED
{
    ERESOURCE Resource;
    FAST_MUTEX Mutex;
    EX_RUNDOWN_REF Rundown;
    KEVENT Event, Leave;
    volatile LONG Inside, Most, Writers, Wrong, Done;
    volatile ULONG64 First, Second;
    BOOLEAN GotExclusive, GotShared;
} SHARED;

static VOID NTAPI ReadShared(PVOID Context)
{
    SHARED *shared = Context;
    LONG inside;

    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(&shared->Resource, TRUE);
    inside = InterlockedIncrement(&shared->Inside);
    if (inside == 2)
    {
        KeSetEvent(&shared->Event, IO_NO_INCREMENT, FALSE);
    }
    KeWaitForSingleObject(&shared->Leave, Executive, KernelMode, FALSE, NULL);
    InterlockedDecrement(&shared->Inside);
    ExReleaseResourceLite(&shared->Resource);
    KeLeaveCriticalRegion();
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI TryBoth(PVOID Context)
{
    SHARED *shared = Context;

    KeEnterCriticalRegion();
    shared->GotExclusive = ExAcquireResourceExclusiveLite(&shared->Resource, FALSE);
    if (shared->GotExclusive)
    {
        ExReleaseResourceLite(&shared->Resource);
    }
    shared->GotShared = ExAcquireResourceSharedLite(&shared->Resource, FALSE);
    if (shared->GotShared)
    {
        ExReleaseResourceLite(&shared->Resource);
    }
    KeLeaveCriticalRegion();
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestResource(KTEST_RUN *Run)
{
    SHARED *shared = ExAllocatePoolWithTag(NonPagedPool, sizeof(*shared), KT_TAG);
    PETHREAD readers[2];

    CHECK(shared != NULL);
    if (shared == NULL)
    {
        return;
    }
    RtlZeroMemory(shared, sizeof(*shared));
    KeInitializeEvent(&shared->Event, NotificationEvent, FALSE);
    KeInitializeEvent(&shared->Leave, NotificationEvent, FALSE);
    CHECK_STATUS(ExInitializeResourceLite(&shared->Resource), STATUS_SUCCESS);
    KeEnterCriticalRegion();
    CHECK(ExAcquireResourceExclusiveLite(&shared->Resource, TRUE));
    CHECK(ExIsResourceAcquiredExclusiveLite(&shared->Resource));
    CHECK(ExAcquireResourceExclusiveLite(&shared->Resource, FALSE)); /* again, by its owner */
    CHECK(ExAcquireResourceSharedLite(&shared->Resource, FALSE));
    CHECK_EQUAL(ExIsResourceAcquiredSharedLite(&shared->Resource), 3);
    KtJoin(KtStart(Run, TryBoth, shared));
    CHECK(!shared->GotExclusive && !shared->GotShared);
    ExReleaseResourceLite(&shared->Resource);
    ExReleaseResourceLite(&shared->Resource);
    ExConvertExclusiveToSharedLite(&shared->Resource);
    CHECK(!ExIsResourceAcquiredExclusiveLite(&shared->Resource));
    CHECK_EQUAL(ExIsResourceAcquiredSharedLite(&shared->Resource), 1);
    KtJoin(KtStart(Run, TryBoth, shared));
    CHECK(!shared->GotExclusive && shared->GotShared);
    ExReleaseResourceLite(&shared->Resource);
    CHECK_EQUAL(ExIsResourceAcquiredSharedLite(&shared->Resource), 0);

    readers[0] = KtStart(Run, ReadShared, shared);
    readers[1] = KtStart(Run, ReadShared, shared);
    KeWaitForSingleObject(&shared->Event, Executive, KernelMode, FALSE, NULL); /* two readers inside at once */
    CHECK(!ExAcquireResourceExclusiveLite(&shared->Resource, FALSE));
    KeSetEvent(&shared->Leave, IO_NO_INCREMENT, FALSE);
    CHECK(ExAcquireResourceExclusiveLite(&shared->Resource, TRUE));
    CHECK_EQUAL(shared->Inside, 0);
    ExReleaseResourceLite(&shared->Resource);
    KeLeaveCriticalRegion();
    KtJoin(readers[0]);
    KtJoin(readers[1]);
    CHECK_STATUS(ExDeleteResourceLite(&shared->Resource), STATUS_SUCCESS);
    ExFreePoolWithTag(shared, KT_TAG);
}

#define ROUNDS 400

static VOID NTAPI MixResource(PVOID Context)
{
    SHARED *shared = Context;
    ULONG seed = (ULONG)(ULONG_PTR)PsGetCurrentThreadId();

    for (ULONG i = 0; i < ROUNDS; i++)
    {
        KeEnterCriticalRegion();
        if (KtRandom(&seed) % 3 == 0)
        {
            ExAcquireResourceExclusiveLite(&shared->Resource, TRUE);
            shared->First++;
            if (i % 32 == 0)
            {
                ZwYieldExecution();
            }
            shared->Second++;
            InterlockedIncrement(&shared->Writers);
        }
        else
        {
            ExAcquireResourceSharedLite(&shared->Resource, TRUE);
            if (shared->First != shared->Second)
            {
                InterlockedIncrement(&shared->Wrong);
            }
        }
        ExReleaseResourceLite(&shared->Resource);
        KeLeaveCriticalRegion();
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI MixFastMutex(PVOID Context)
{
    SHARED *shared = Context;

    for (ULONG i = 0; i < ROUNDS; i++)
    {
        if (i % 5 != 0 || !ExTryToAcquireFastMutex(&shared->Mutex))
        {
            ExAcquireFastMutex(&shared->Mutex);
        }
        if (KeGetCurrentIrql() != APC_LEVEL || shared->First != shared->Second)
        {
            InterlockedIncrement(&shared->Wrong);
        }
        shared->First++;
        if (i % 32 == 0)
        {
            ZwYieldExecution();
        }
        shared->Second++;
        InterlockedIncrement(&shared->Writers);
        ExReleaseFastMutex(&shared->Mutex);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestContention(KTEST_RUN *Run, PCSTR What, PKSTART_ROUTINE Routine)
{
    SHARED *shared = ExAllocatePoolWithTag(NonPagedPool, sizeof(*shared), KT_TAG);
    PETHREAD threads[3];

    CHECK(shared != NULL);
    if (shared == NULL)
    {
        return;
    }
    RtlZeroMemory(shared, sizeof(*shared));
    ExInitializeResourceLite(&shared->Resource);
    ExInitializeFastMutex(&shared->Mutex);
    for (ULONG i = 0; i < 3; i++)
    {
        threads[i] = KtStart(Run, Routine, shared);
    }
    for (ULONG i = 0; i < 3; i++)
    {
        KtJoin(threads[i]);
    }
    KtSay(Run, "%s: %ld changes by three threads, counters %I64u and %I64u, wrong %ld", What, shared->Writers,
          shared->First, shared->Second, shared->Wrong);
    CHECK_EQUAL(shared->First, shared->Writers);
    CHECK_EQUAL(shared->Second, shared->Writers);
    CHECK(shared->Writers > 0);
    CHECK_EQUAL(shared->Wrong, 0);
    ExDeleteResourceLite(&shared->Resource);
    ExFreePoolWithTag(shared, KT_TAG);
}

static VOID NTAPI RunDown(PVOID Context)
{
    SHARED *shared = Context;

    KeSetEvent(&shared->Event, IO_NO_INCREMENT, FALSE);
    ExWaitForRundownProtectionRelease(&shared->Rundown);
    shared->Done = 1;
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestRundown(KTEST_RUN *Run)
{
    SHARED shared = {.Done = 0};
    PETHREAD thread;

    KeInitializeEvent(&shared.Event, NotificationEvent, FALSE);
    ExInitializeRundownProtection(&shared.Rundown);
    CHECK(ExAcquireRundownProtection(&shared.Rundown));
    CHECK(ExAcquireRundownProtection(&shared.Rundown));
    thread = KtStart(Run, RunDown, &shared);
    KeWaitForSingleObject(&shared.Event, Executive, KernelMode, FALSE, NULL);
    KtSleep(10);
    CHECK_EQUAL(shared.Done, 0); /* two hold it */
    ExReleaseRundownProtection(&shared.Rundown);
    KtSleep(10);
    CHECK_EQUAL(shared.Done, 0);
    CHECK(!ExAcquireRundownProtection(&shared.Rundown)); /* nobody comes in any more */
    ExReleaseRundownProtection(&shared.Rundown);
    KtJoin(thread);
    CHECK_EQUAL(shared.Done, 1);
    ExReInitializeRundownProtection(&shared.Rundown);
    CHECK(ExAcquireRundownProtection(&shared.Rundown));
    ExReleaseRundownProtection(&shared.Rundown);
}

typedef struct _ITEM
{
    SLIST_ENTRY Single;
    LIST_ENTRY Double;
    ULONG Number;
} ITEM;

typedef struct _LISTS
{
    SLIST_HEADER Stack;
    LIST_ENTRY Queue;
    KSPIN_LOCK Lock;
    LARGE_INTEGER Sum;
    ULONG Small;
    volatile LONG Empty;
} LISTS;

/* Takes items off and puts them back, so that all are there in the end, each once. */
static VOID NTAPI ShuffleLists(PVOID Context)
{
    LISTS *lists = Context;
    LARGE_INTEGER one = {.QuadPart = 1};

    for (ULONG i = 0; i < 2000; i++)
    {
        PSLIST_ENTRY single = InterlockedPopEntrySList(&lists->Stack);
        PLIST_ENTRY item = ExInterlockedRemoveHeadList(&lists->Queue, &lists->Lock);

        if (single != NULL)
        {
            InterlockedPushEntrySList(&lists->Stack, single);
        }
        else
        {
            InterlockedIncrement(&lists->Empty);
        }
        if (item != NULL)
        {
            i % 2 != 0 ? ExInterlockedInsertTailList(&lists->Queue, item, &lists->Lock)
                       : ExInterlockedInsertHeadList(&lists->Queue, item, &lists->Lock);
        }
        ExInterlockedAddLargeInteger(&lists->Sum, one, &lists->Lock);
        ExInterlockedAddUlong(&lists->Small, 1, &lists->Lock);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestLists(KTEST_RUN *Run)
{
    static DECLSPEC_ALIGN(16) LISTS lists;
    static DECLSPEC_ALIGN(16) ITEM items[20];
    PETHREAD threads[3];
    ULONG seen = 0, count = 0;
    PSLIST_ENTRY single;

    RtlZeroMemory(&lists, sizeof(lists));
    InitializeSListHead(&lists.Stack);
    InitializeListHead(&lists.Queue);
    KeInitializeSpinLock(&lists.Lock);
    CHECK(InterlockedPopEntrySList(&lists.Stack) == NULL);
    CHECK(ExInterlockedRemoveHeadList(&lists.Queue, &lists.Lock) == NULL);
    for (ULONG i = 0; i < 20; i++)
    {
        items[i].Number = i;
        CHECK(InterlockedPushEntrySList(&lists.Stack, &items[i].Single) == (i == 0 ? NULL : &items[i - 1].Single));
        ExInterlockedInsertTailList(&lists.Queue, &items[i].Double, &lists.Lock);
    }
    CHECK_EQUAL(QueryDepthSList(&lists.Stack), 20);
    for (ULONG i = 0; i < 3; i++)
    {
        threads[i] = KtStart(Run, ShuffleLists, &lists);
    }
    for (ULONG i = 0; i < 3; i++)
    {
        KtJoin(threads[i]);
    }
    while ((single = InterlockedPopEntrySList(&lists.Stack)) != NULL)
    {
        seen |= 1UL << CONTAINING_RECORD(single, ITEM, Single)->Number;
        count++;
    }
    CHECK_EQUAL(count, 20);
    CHECK_EQUAL(seen, (1UL << 20) - 1);
    seen = count = 0;
    while (!IsListEmpty(&lists.Queue) && count < 100)
    {
        seen |= 1UL << CONTAINING_RECORD(RemoveHeadList(&lists.Queue), ITEM, Double)->Number;
        count++;
    }
    CHECK_EQUAL(count, 20);
    CHECK_EQUAL(seen, (1UL << 20) - 1);
    CHECK_EQUAL(lists.Sum.QuadPart, 6000);
    CHECK_EQUAL(lists.Small, 6000);
    KtSay(Run, "6000 rounds of pop and push by three threads left all 20 items; the list was found empty %ld times",
          lists.Empty);
}

typedef struct _CALLED
{
    ULONG Count;
    PVOID Argument1, Argument2;
} CALLED;

static VOID NTAPI CallMe(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CALLED *called = Context;

    called->Count++;
    called->Argument1 = Argument1;
    called->Argument2 = Argument2;
}

static VOID TestCallbacks(KTEST_RUN *Run)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Callback\\KTest");
    OBJECT_ATTRIBUTES attributes;
    PCALLBACK_OBJECT object = NULL;
    CALLED called = {0};
    PVOID registration;

    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK_STATUS(ExCreateCallback(&object, &attributes, TRUE, TRUE), STATUS_SUCCESS);
    if (object == NULL)
    {
        return;
    }
    registration = ExRegisterCallback(object, CallMe, &called);
    CHECK(registration != NULL);
    ExNotifyCallback(object, (PVOID)5, (PVOID)6);
    CHECK_EQUAL(called.Count, 1);
    CHECK(called.Argument1 == (PVOID)5 && called.Argument2 == (PVOID)6);
    ExUnregisterCallback(registration);
    ExNotifyCallback(object, (PVOID)5, (PVOID)6);
    CHECK_EQUAL(called.Count, 1);
    ObDereferenceObject(object);
}

VOID KtGroup_executive(KTEST_RUN *Run)
{
    TestResource(Run);
    TestContention(Run, "resource", MixResource);
    TestContention(Run, "fast mutex", MixFastMutex);
    TestRundown(Run);
    TestLists(Run);
    TestCallbacks(Run);
}
