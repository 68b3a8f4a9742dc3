/* SPDX-License-Identifier: MIT */
/* Processes and threads seen by a driver: look-ups, attaching to another address space, notify routines. */
#include "ktlib.h"

static VOID TestLookups(KTEST_RUN *Run)
{
    PEPROCESS process = NULL;
    PETHREAD thread = NULL;
    HANDLE id = PsGetCurrentProcessId();

    CHECK_STATUS(PsLookupProcessByProcessId(id, &process), STATUS_SUCCESS);
    CHECK(process == PsGetCurrentProcess());
    ObDereferenceObject(process);
    CHECK_STATUS(PsLookupThreadByThreadId(PsGetCurrentThreadId(), &thread), STATUS_SUCCESS);
    CHECK(thread == PsGetCurrentThread());
    CHECK(PsGetThreadProcessId(thread) == id);
    ObDereferenceObject(thread);
    CHECK_STATUS(PsLookupProcessByProcessId((HANDLE)4, &process), STATUS_SUCCESS);
    CHECK(process == PsInitialSystemProcess);
    ObDereferenceObject(process);
    /* STATUS_INVALID_PARAMETER up to Windows 7, STATUS_INVALID_CID later. */
    CHECK(!NT_SUCCESS(PsLookupProcessByProcessId((HANDLE)0x7FFFFFF4, &process)));
    /* ids of processes are no threads' */
    CHECK(!NT_SUCCESS(PsLookupThreadByThreadId(id, &thread)));
    CHECK(!NT_SUCCESS(PsLookupProcessByProcessId(NULL, &process)));
    KtSay(Run, "process %I64u, thread %I64u, System 4", (ULONG64)(ULONG_PTR)id,
          (ULONG64)(ULONG_PTR)PsGetCurrentThreadId());
}

/* A system thread borrows the program's address space: the same address, the program's bytes. */
typedef struct _ATTACH
{
    PEPROCESS Process;
    PUCHAR Va;
    SIZE_T Size;
    NTSTATUS WithoutAttach, WithAttach, AfterDetach;
    SIZE_T Wrong;
    PEPROCESS Before, Inside, After;
    BOOLEAN ApcsOff;
} ATTACH;

static VOID NTAPI ReadAttached(PVOID Context)
{
    ATTACH *attach = Context;
    KAPC_STATE state;

    attach->Before = PsGetCurrentProcess();
    attach->WithoutAttach = KT_RAISED(*(volatile UCHAR *)attach->Va);
    KeStackAttachProcess((PKPROCESS)attach->Process, &state);
    attach->Inside = PsGetCurrentProcess();
    attach->WithAttach = KT_RAISED(attach->Wrong = KtMismatches(attach->Va, attach->Size, 33));
    attach->WithAttach |= KT_RAISED(KtFill(attach->Va, attach->Size, 34));
    KeUnstackDetachProcess(&state);
    attach->After = PsGetCurrentProcess();
    attach->AfterDetach = KT_RAISED(*(volatile UCHAR *)attach->Va);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestAttach(KTEST_RUN *Run)
{
    ATTACH attach = {.Process = PsGetCurrentProcess(), .Size = 3 * PAGE_SIZE, .Wrong = 99};
    PETHREAD thread;

    attach.Va = KtUserAllocate(Run, attach.Size, PAGE_READWRITE);
    if (attach.Va == NULL)
    {
        return;
    }
    KtFill(attach.Va, attach.Size, 33);
    thread = KtStart(Run, ReadAttached, &attach);
    KtJoin(thread);
    KtSay(Run, "user address %p read in System: 0x%08lX; attached: 0x%08lX, %I64u wrong bytes; detached: 0x%08lX",
          attach.Va, attach.WithoutAttach, attach.WithAttach, (ULONG64)attach.Wrong, attach.AfterDetach);
    CHECK_STATUS(attach.WithoutAttach, STATUS_ACCESS_VIOLATION);
    CHECK_STATUS(attach.WithAttach, STATUS_SUCCESS);
    CHECK_STATUS(attach.AfterDetach, STATUS_ACCESS_VIOLATION);
    CHECK_EQUAL(attach.Wrong, 0);
    CHECK_EQUAL(KtMismatches(attach.Va, attach.Size, 34), 0);
    CHECK(attach.Before == PsInitialSystemProcess && attach.After == PsInitialSystemProcess &&
          attach.Inside == attach.Process);
    KtUserFree(attach.Va);
}

/* Attaching twice, to the process itself and to another, comes back in steps. */
static VOID TestNestedAttach(KTEST_RUN *Run)
{
    PEPROCESS home = PsGetCurrentProcess();
    volatile UCHAR *page = KtUserAllocate(Run, PAGE_SIZE, PAGE_READWRITE);
    KAPC_STATE outer, inner;

    if (page == NULL)
    {
        return;
    }
    *page = 0x66;
    KeStackAttachProcess((PKPROCESS)PsInitialSystemProcess, &outer);
    CHECK(PsGetCurrentProcess() == PsInitialSystemProcess);
    CHECK(IoGetCurrentProcess() == PsInitialSystemProcess);
    CHECK(PsGetCurrentProcessId() != (HANDLE)4); /* the id is the thread's own process's */
    CHECK_STATUS(KT_RAISED(*page), STATUS_ACCESS_VIOLATION);
    KeStackAttachProcess((PKPROCESS)home, &inner);
    CHECK(PsGetCurrentProcess() == home);
    CHECK_EQUAL(*page, 0x66);
    KeUnstackDetachProcess(&inner);
    CHECK(PsGetCurrentProcess() == PsInitialSystemProcess);
    KeUnstackDetachProcess(&outer);
    CHECK(PsGetCurrentProcess() == home);
    CHECK_EQUAL(*page, 0x66);
    KeStackAttachProcess((PKPROCESS)home, &outer); /* to where it is already */
    CHECK_EQUAL(*page, 0x66);
    KeUnstackDetachProcess(&outer);
    KtUserFree((PVOID)page);
}

/* Handles of the process: created without OBJ_KERNEL_HANDLE in one process, unknown in another. */
static VOID TestHandlesFollow(KTEST_RUN *Run)
{
    OBJECT_ATTRIBUTES attributes;
    KAPC_STATE state;
    HANDLE handle;
    PVOID object;

    InitializeObjectAttributes(&attributes, NULL, 0, NULL, NULL);
    CHECK_STATUS(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE), STATUS_SUCCESS);
    KeStackAttachProcess((PKPROCESS)PsInitialSystemProcess, &state);
    CHECK(!NT_SUCCESS(ObReferenceObjectByHandle(handle, 0, *ExEventObjectType, UserMode, &object, NULL)));
    KeUnstackDetachProcess(&state);
    CHECK_STATUS(ObReferenceObjectByHandle(handle, 0, *ExEventObjectType, UserMode, &object, NULL), STATUS_SUCCESS);
    ObDereferenceObject(object);
    CHECK_STATUS(ObCloseHandle(handle, UserMode), STATUS_SUCCESS);
}

static volatile LONG ThreadsBorn, ThreadsGone, WrongIrql;
static HANDLE LastBorn, LastGone;

static VOID NTAPI ThreadNotify(HANDLE ProcessId, HANDLE ThreadId, BOOLEAN Create)
{
    if (KeGetCurrentIrql() != PASSIVE_LEVEL)
    {
        InterlockedIncrement(&WrongIrql);
    }
    if (ProcessId == (HANDLE)4)
    {
        *(Create ? &LastBorn : &LastGone) = ThreadId;
        InterlockedIncrement(Create ? &ThreadsBorn : &ThreadsGone);
    }
}

static VOID NTAPI TellId(PVOID Context)
{
    *(HANDLE *)Context = PsGetCurrentThreadId();
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID TestThreadNotify(KTEST_RUN *Run)
{
    HANDLE id = NULL;

    ThreadsBorn = ThreadsGone = WrongIrql = 0;
    CHECK_STATUS(PsSetCreateThreadNotifyRoutine(ThreadNotify), STATUS_SUCCESS);
    KtJoin(KtStart(Run, TellId, &id));
    CHECK_STATUS(PsRemoveCreateThreadNotifyRoutine(ThreadNotify), STATUS_SUCCESS);
    KtSay(Run, "thread %I64u: %ld births and %ld ends told", (ULONG64)(ULONG_PTR)id, ThreadsBorn, ThreadsGone);
    CHECK(ThreadsBorn >= 1 && ThreadsGone >= 1);
    CHECK(LastBorn == id && LastGone == id);
    CHECK_EQUAL(WrongIrql, 0);
    KtJoin(KtStart(Run, TellId, &id));
    CHECK(LastBorn != id); /* removed is removed */
    CHECK_STATUS(PsRemoveCreateThreadNotifyRoutine(ThreadNotify), STATUS_PROCEDURE_NOT_FOUND);
}

static VOID NTAPI ProcessNotify(HANDLE ParentId, HANDLE ProcessId, BOOLEAN Create)
{
}

static VOID TestProcessNotify(KTEST_RUN *Run)
{
    CHECK_STATUS(PsSetCreateProcessNotifyRoutine(ProcessNotify, FALSE), STATUS_SUCCESS);
    CHECK_STATUS(PsSetCreateProcessNotifyRoutine(ProcessNotify, TRUE), STATUS_SUCCESS);
    CHECK_STATUS(PsSetCreateProcessNotifyRoutine(ProcessNotify, TRUE), STATUS_PROCEDURE_NOT_FOUND);
}

static VOID NTAPI ExitWith(PVOID Context)
{
    PsTerminateSystemThread((NTSTATUS)(LONG_PTR)Context);
}

static VOID TestExitStatus(KTEST_RUN *Run)
{
    PETHREAD thread = KtStart(Run, ExitWith, (PVOID)(LONG_PTR)0x12345);

    if (thread != NULL)
    {
        KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);
        CHECK_STATUS(PsGetThreadExitStatus(thread), 0x12345);
        ObDereferenceObject(thread);
    }
    CHECK_STATUS(PsTerminateSystemThread(STATUS_SUCCESS), STATUS_INVALID_PARAMETER); /* this thread is the program's */
}

VOID KtGroup_processes(KTEST_RUN *Run)
{
    TestLookups(Run);
    TestAttach(Run);
    TestNestedAttach(Run);
    TestHandlesFollow(Run);
    TestThreadNotify(Run);
    TestProcessNotify(Run);
    TestExitStatus(Run);
}
