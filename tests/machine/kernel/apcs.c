/* SPDX-License-Identifier: MIT */
/* Kernel APCs: special and normal, what holds each back, their order and IRQL, other threads, threads that end. */
#include "ktlib.h"

#define MAX_LOG 32

typedef struct _APC_LOG
{
    volatile LONG Count;
    CHAR What[MAX_LOG + 1];
} APC_LOG;

typedef struct _TEST_APC
{
    KAPC Apc;
    APC_LOG *Log;
    CHAR Letter;        /* lower case in the log: kernel routine; upper case: normal routine */
    BOOLEAN DropNormal; /* the kernel routine takes the normal routine away */
    struct _TEST_APC *QueueMore;
    KIRQL KernelIrql, NormalIrql;
    PVOID Argument1, Argument2, Context;
    PKTHREAD RanIn;
    BOOLEAN RunDown;
} TEST_APC;

static VOID Log(APC_LOG *Log, CHAR What)
{
    LONG place = InterlockedIncrement(&Log->Count) - 1;

    if (place < MAX_LOG)
    {
        Log->What[place] = What;
    }
}

static VOID NTAPI KernelRoutine(PKAPC Apc, PKNORMAL_ROUTINE *NormalRoutine, PVOID *NormalContext, PVOID *Argument1,
                                PVOID *Argument2)
{
    TEST_APC *apc = CONTAINING_RECORD(Apc, TEST_APC, Apc);

    apc->KernelIrql = KeGetCurrentIrql();
    apc->RanIn = KeGetCurrentThread();
    apc->Argument1 = *Argument1;
    apc->Argument2 = *Argument2;
    Log(apc->Log, apc->Letter);
    if (apc->DropNormal)
    {
        *NormalRoutine = NULL;
    }
}

static VOID NTAPI NormalRoutine(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    TEST_APC *apc = Context;

    apc->NormalIrql = KeGetCurrentIrql();
    apc->Context = Context;
    apc->Argument1 = Argument1;
    apc->Argument2 = Argument2;
    if (apc->QueueMore != NULL)
    {
        KeInsertQueueApc(&apc->QueueMore->Apc, NULL, NULL, IO_NO_INCREMENT);
    }
    Log(apc->Log, (CHAR)(apc->Letter - 'a' + 'A'));
}

static VOID NTAPI RundownRoutine(PKAPC Apc)
{
    CONTAINING_RECORD(Apc, TEST_APC, Apc)->RunDown = TRUE;
}

static VOID Prepare(TEST_APC *Apc, APC_LOG *Log, CHAR Letter, PKTHREAD Thread, BOOLEAN Normal)
{
    RtlZeroMemory(Apc, sizeof(*Apc));
    Apc->Log = Log;
    Apc->Letter = Letter;
    Apc->KernelIrql = Apc->NormalIrql = 99;
    KeInitializeApc(&Apc->Apc, Thread, OriginalApcEnvironment, KernelRoutine, RundownRoutine,
                    Normal ? NormalRoutine : NULL, KernelMode, Normal ? Apc : NULL);
}

static BOOLEAN Queue(TEST_APC *Apc)
{
    return KeInsertQueueApc(&Apc->Apc, (PVOID)0x51, (PVOID)0x52, IO_NO_INCREMENT);
}

#define CHECK_LOG(log, text) CHECK(strcmp((log).What, text) == 0)

/* To the current thread at PASSIVE_LEVEL: delivered before the call returns. */
static VOID TestImmediate(KTEST_RUN *Run)
{
    APC_LOG log = {0};
    TEST_APC special, normal;

    Prepare(&special, &log, 's', KeGetCurrentThread(), FALSE);
    Prepare(&normal, &log, 'n', KeGetCurrentThread(), TRUE);
    CHECK(Queue(&special));
    CHECK_LOG(log, "s");
    CHECK_EQUAL(special.KernelIrql, APC_LEVEL);
    CHECK(special.RanIn == KeGetCurrentThread());
    CHECK(special.Argument1 == (PVOID)0x51 && special.Argument2 == (PVOID)0x52);
    CHECK(Queue(&normal));
    CHECK_LOG(log, "snN");
    CHECK_EQUAL(normal.KernelIrql, APC_LEVEL);
    CHECK_EQUAL(normal.NormalIrql, PASSIVE_LEVEL);
    CHECK(normal.Context == &normal && normal.Argument2 == (PVOID)0x52);
    KtSay(Run, "special APC at IRQL %d; normal APC: kernel routine at %d, normal routine at %d", special.KernelIrql,
          normal.KernelIrql, normal.NormalIrql);

    normal.DropNormal = TRUE;
    CHECK(Queue(&normal));
    CHECK_LOG(log, "snNn");
}

/* Critical regions hold back normal APCs, guarded regions and APC_LEVEL all of them. */
static VOID TestRegions(KTEST_RUN *Run)
{
    APC_LOG log = {0};
    TEST_APC special, normal;
    KIRQL irql;

    Prepare(&special, &log, 's', KeGetCurrentThread(), FALSE);
    Prepare(&normal, &log, 'n', KeGetCurrentThread(), TRUE);

    KeEnterCriticalRegion();
    CHECK(KeAreApcsDisabled() && !KeAreAllApcsDisabled());
    KeEnterCriticalRegion();
    CHECK(Queue(&normal));
    CHECK(!Queue(&normal)); /* it is queued */
    CHECK(Queue(&special));
    CHECK_LOG(log, "s");
    KeLeaveCriticalRegion();
    CHECK_LOG(log, "s");
    KeLeaveCriticalRegion();
    CHECK_LOG(log, "snN");
    CHECK(!KeAreApcsDisabled());

    KeEnterGuardedRegion();
    CHECK(KeAreApcsDisabled() && KeAreAllApcsDisabled());
    CHECK(Queue(&normal));
    CHECK(Queue(&special));
    CHECK_LOG(log, "snN");
    KeEnterCriticalRegion();
    KeLeaveGuardedRegion();
    CHECK_LOG(log, "snNs");
    KeLeaveCriticalRegion();
    CHECK_LOG(log, "snNsnN");

    KeRaiseIrql(APC_LEVEL, &irql);
    CHECK(KeAreAllApcsDisabled());
    CHECK(Queue(&normal));
    CHECK(Queue(&special));
    CHECK_LOG(log, "snNsnN");
    KeLowerIrql(irql);
    CHECK_LOG(log, "snNsnNsnN"); /* special ones first */
    KtSay(Run, "log of kernel (small) and normal (large) routines: %s", log.What);
}

/* At DISPATCH_LEVEL the request stays pending; first in, first out among normal ones. */
static VOID TestOrder(KTEST_RUN *Run)
{
    APC_LOG log = {0};
    TEST_APC a, b, c, s;
    KIRQL irql;

    Prepare(&a, &log, 'a', KeGetCurrentThread(), TRUE);
    Prepare(&b, &log, 'b', KeGetCurrentThread(), TRUE);
    Prepare(&c, &log, 'c', KeGetCurrentThread(), TRUE);
    Prepare(&s, &log, 's', KeGetCurrentThread(), FALSE);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    CHECK(Queue(&a) && Queue(&b) && Queue(&s));
    CHECK_LOG(log, "");
    KeLowerIrql(irql);
    CHECK_LOG(log, "saAbB");

    /* A normal APC is not interrupted by another normal one, but by a special one. */
    Prepare(&a, &log, 'a', KeGetCurrentThread(), TRUE);
    a.QueueMore = &c;
    log.Count = 0;
    RtlZeroMemory(log.What, sizeof(log.What));
    CHECK(Queue(&a));
    CHECK_LOG(log, "aAcC");
    a.QueueMore = &s;
    log.Count = 0;
    RtlZeroMemory(log.What, sizeof(log.What));
    CHECK(Queue(&a));
    CHECK_LOG(log, "asA");
    KtSay(Run, "a special APC queued by a normal one: %s", log.What);
}

typedef struct _VICTIM
{
    KEVENT Ready, Leave, End;
    BOOLEAN Critical;
    volatile LONG Left;
    NTSTATUS Status;
} VICTIM;

static VOID NTAPI WaitAsVictim(PVOID Context)
{
    VICTIM *victim = Context;

    if (victim->Critical)
    {
        KeEnterCriticalRegion();
    }
    KeSetEvent(&victim->Ready, IO_NO_INCREMENT, FALSE);
    victim->Status = KeWaitForSingleObject(&victim->Leave, Executive, KernelMode, FALSE, NULL);
    victim->Left = 1;
    if (victim->Critical)
    {
        KeLeaveCriticalRegion();
    }
    KeWaitForSingleObject(&victim->End, Executive, KernelMode, FALSE, NULL);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static PETHREAD StartVictim(KTEST_RUN *Run, VICTIM *Victim, BOOLEAN Critical)
{
    PETHREAD thread;

    RtlZeroMemory(Victim, sizeof(*Victim));
    Victim->Critical = Critical;
    Victim->Status = STATUS_PENDING;
    KeInitializeEvent(&Victim->Ready, NotificationEvent, FALSE);
    KeInitializeEvent(&Victim->Leave, NotificationEvent, FALSE);
    KeInitializeEvent(&Victim->End, NotificationEvent, FALSE);
    thread = KtStart(Run, WaitAsVictim, Victim);
    if (thread != NULL)
    {
        KeWaitForSingleObject(&Victim->Ready, Executive, KernelMode, FALSE, NULL);
    }
    return thread;
}

/* A waiting thread wakes for kernel APCs and goes on waiting; in a critical region only for special ones. */
static VOID TestOtherThread(KTEST_RUN *Run, BOOLEAN Critical)
{
    APC_LOG log = {0};
    TEST_APC special, normal;
    VICTIM victim;
    PETHREAD thread = StartVictim(Run, &victim, Critical);

    if (thread == NULL)
    {
        return;
    }
    Prepare(&special, &log, 's', (PKTHREAD)thread, FALSE);
    Prepare(&normal, &log, 'n', (PKTHREAD)thread, TRUE);
    CHECK(Queue(&special));
    CHECK(KtUntil(&log.Count, 1));
    CHECK(special.RanIn == (PKTHREAD)thread);
    CHECK(Queue(&normal));
    if (Critical)
    {
        KtSleep(20);
        CHECK_EQUAL(log.Count, 1);
    }
    else
    {
        CHECK(KtUntil(&log.Count, 3));
        CHECK_EQUAL(normal.NormalIrql, PASSIVE_LEVEL);
    }
    CHECK_STATUS(victim.Status, STATUS_PENDING); /* the wait was not ended by them */
    KeSetEvent(&victim.Leave, IO_NO_INCREMENT, FALSE);
    CHECK(KtUntil(&log.Count, 3));
    CHECK(KtUntil(&victim.Left, 1));
    CHECK_STATUS(victim.Status, STATUS_SUCCESS);
    CHECK_LOG(log, "snN");
    KeSetEvent(&victim.End, IO_NO_INCREMENT, FALSE);
    KtJoin(thread);
}

/* An APC for a thread that has ended is refused. */
static VOID TestEndedThread(KTEST_RUN *Run)
{
    APC_LOG log = {0};
    TEST_APC special;
    VICTIM victim;
    PETHREAD thread = StartVictim(Run, &victim, FALSE);

    if (thread == NULL)
    {
        return;
    }
    KeSetEvent(&victim.Leave, IO_NO_INCREMENT, FALSE);
    KeSetEvent(&victim.End, IO_NO_INCREMENT, FALSE);
    KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);
    Prepare(&special, &log, 's', (PKTHREAD)thread, FALSE);
    CHECK(!Queue(&special));
    CHECK_LOG(log, "");
    ObDereferenceObject(thread);
}

/* A user APC left over when its thread ends is not run but run down. */
static VOID TestRundown(KTEST_RUN *Run)
{
    APC_LOG log = {0};
    TEST_APC user;
    VICTIM victim;
    PETHREAD thread = StartVictim(Run, &victim, FALSE);

    if (thread == NULL)
    {
        return;
    }
    RtlZeroMemory(&user, sizeof(user));
    user.Log = &log;
    user.Letter = 'u';
    KeInitializeApc(&user.Apc, (PKTHREAD)thread, OriginalApcEnvironment, KernelRoutine, RundownRoutine, NormalRoutine,
                    UserMode, NULL);
    CHECK(Queue(&user));
    KeSetEvent(&victim.Leave, IO_NO_INCREMENT, FALSE);
    KeSetEvent(&victim.End, IO_NO_INCREMENT, FALSE);
    KtJoin(thread);
    KtSay(Run, "user APC of a system thread that ended: ran '%s', run down %d", log.What, user.RunDown);
    CHECK(user.RunDown);
    CHECK_LOG(log, "");
}

VOID KtGroup_apcs(KTEST_RUN *Run)
{
    TestImmediate(Run);
    TestRegions(Run);
    TestOrder(Run);
    TestOtherThread(Run, FALSE);
    TestOtherThread(Run, TRUE);
    TestEndedThread(Run);
    TestRundown(Run);
}
