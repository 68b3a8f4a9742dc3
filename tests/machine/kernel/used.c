/* SPDX-License-Identifier: MIT */
/* Routines that many drivers call and that no other group is about. */
#include "ktlib.h"
#include <stdarg.h>

NTKERNELAPI VOID NTAPI IoSetTopLevelIrp(PIRP Irp);
NTKERNELAPI PIRP NTAPI IoGetTopLevelIrp(VOID);
NTKERNELAPI NTSTATUS NTAPI KeSaveFloatingPointState(PKFLOATING_SAVE Save);
NTKERNELAPI NTSTATUS NTAPI KeRestoreFloatingPointState(PKFLOATING_SAVE Save);
#ifndef SEC_IMAGE
#define SEC_IMAGE 0x01000000
#endif
NTSYSAPI ULONG NTAPI vDbgPrintEx(ULONG ComponentId, ULONG Level, PCCH Format, va_list Arguments);

static ULONG PrintThrough(ULONG Level, PCCH Format, ...)
{
    va_list arguments;
    ULONG status;

    va_start(arguments, Format);
    status = vDbgPrintEx(DPFLTR_IHVDRIVER_ID, Level, Format, arguments);
    va_end(arguments);
    return status;
}

static VOID TestDebug(KTEST_RUN *Run)
{
    KT_COVERS("DbgPrintEx, vDbgPrintEx", "STATUS_SUCCESS, whether the filter lets the text through or not",
              "DDI DbgPrintEx");
    CHECK_STATUS(DbgPrintEx(DPFLTR_IHVDRIVER_ID, DPFLTR_ERROR_LEVEL, "ktest: DbgPrintEx %d\n", 1), STATUS_SUCCESS);
    CHECK_STATUS(PrintThrough(DPFLTR_ERROR_LEVEL, "ktest: vDbgPrintEx %s %d\n", "says", 2), STATUS_SUCCESS);
    CHECK_STATUS(DbgPrintEx(DPFLTR_IDEP_ID, DPFLTR_INFO_LEVEL, "ktest: this is filtered out\n"), STATUS_SUCCESS);

    KT_COVERS("DbgBreakPoint", "raises STATUS_BREAKPOINT where no debugger listens, and goes on behind it",
              "DDI DbgBreakPoint");
    ULONG after = 0;
    CHECK_STATUS(KT_RAISED(DbgBreakPoint()), STATUS_BREAKPOINT);
    after++;
    CHECK_EQUAL(after, 1);
}

static VOID TestThreads(KTEST_RUN *Run)
{
    PIRP before = IoGetTopLevelIrp(), mark = (PIRP)0x5;

    KT_COVERS("IoGetTopLevelIrp, IoSetTopLevelIrp", "the thread's own word: NULL until set, and back",
              "DDI IoGetTopLevelIrp");
    CHECK(before == NULL);
    IoSetTopLevelIrp(mark);
    CHECK(IoGetTopLevelIrp() == mark);
    IoSetTopLevelIrp(before);
    CHECK(IoGetTopLevelIrp() == NULL);

    KT_COVERS("IoIs32bitProcess", "FALSE for a request of a 64-bit program, and without a request",
              "DDI IoIs32bitProcess");
    CHECK(!IoIs32bitProcess(Run->Irp));
    CHECK(!IoIs32bitProcess(NULL));

    KT_COVERS("PsGetProcessId, PsGetCurrentProcess, PsGetCurrentThread", "the process's and the thread's identifiers "
              "are those that PsGetCurrentProcessId and PsGetCurrentThreadId give", "DDI");
    CHECK(PsGetProcessId(PsGetCurrentProcess()) == PsGetCurrentProcessId());
    CHECK(PsGetThreadId(PsGetCurrentThread()) == PsGetCurrentThreadId());
    CHECK(PsGetProcessId(PsInitialSystemProcess) == (HANDLE)4);

    KT_COVERS("KeSaveFloatingPointState, KeRestoreFloatingPointState", "STATUS_SUCCESS; computing in between disturbs "
              "nobody, also at DISPATCH_LEVEL", "DDI KeSaveFloatingPointState");
    KFLOATING_SAVE save;
    KIRQL irql;
    volatile double third = 1.0;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    NTSTATUS saved = KeSaveFloatingPointState(&save);
    third /= 3.0;
    NTSTATUS restored = KeRestoreFloatingPointState(&save);
    KeLowerIrql(irql);
    CHECK_STATUS(saved, STATUS_SUCCESS);
    CHECK_STATUS(restored, STATUS_SUCCESS);
    CHECK(third > 0.3333 && third < 0.3334);
}

static VOID TestStrings(KTEST_RUN *Run)
{
    WCHAR room[8] = L"";
    UNICODE_STRING target = {.Buffer = room, .MaximumLength = sizeof(room)},
                   part = RTL_CONSTANT_STRING(L"abcd"), none = {0};

    KT_COVERS("RtlAppendUnicodeStringToString", "appends, with a terminator where there is room for one; what does "
              "not fit is STATUS_BUFFER_TOO_SMALL and changes nothing; an empty source is no error",
              "DDI RtlAppendUnicodeStringToString");
    CHECK_STATUS(RtlAppendUnicodeStringToString(&target, &part), STATUS_SUCCESS);
    CHECK_EQUAL(target.Length, 8);
    CHECK_EQUAL(room[4], 0);
    CHECK_STATUS(RtlAppendUnicodeStringToString(&target, &none), STATUS_SUCCESS);
    CHECK_EQUAL(target.Length, 8);
    CHECK_STATUS(RtlAppendUnicodeStringToString(&target, &part), STATUS_SUCCESS); /* just fits, no terminator */
    CHECK_EQUAL(target.Length, 16);
    CHECK(memcmp(room, L"abcdabcd", 16) == 0);
    part.Length = 2;
    CHECK_STATUS(RtlAppendUnicodeStringToString(&target, &part), STATUS_BUFFER_TOO_SMALL);
    CHECK_EQUAL(target.Length, 16);
}

typedef struct _EX_WORK
{
    WORK_QUEUE_ITEM Item;
    KEVENT Done;
    KIRQL Irql;
    BOOLEAN System;
    ULONG Runs;
} EX_WORK;

static VOID NTAPI Work(PVOID Context)
{
    EX_WORK *work = Context;

    work->Irql = KeGetCurrentIrql();
    work->System = PsGetCurrentProcess() == PsInitialSystemProcess;
    work->Runs++;
    KeSetEvent(&work->Done, IO_NO_INCREMENT, FALSE);
}

static VOID TestWork(KTEST_RUN *Run)
{
    EX_WORK work = {.Irql = 99};
    KIRQL irql;

    KT_COVERS("ExQueueWorkItem", "queued at DISPATCH_LEVEL, run once at PASSIVE_LEVEL in the System process, and "
              "queued again", "DDI ExQueueWorkItem");
    KeInitializeEvent(&work.Done, SynchronizationEvent, FALSE);
    ExInitializeWorkItem(&work.Item, Work, &work);
    for (ULONG i = 1; i <= 2; i++)
    {
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        ExQueueWorkItem(&work.Item, i == 1 ? DelayedWorkQueue : CriticalWorkQueue);
        KeLowerIrql(irql);
        CHECK_STATUS(KeWaitForSingleObject(&work.Done, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(work.Runs, i);
        CHECK_EQUAL(work.Irql, PASSIVE_LEVEL);
        CHECK(work.System);
    }
}

static struct
{
    ULONG Calls;
    HANDLE Process;
    PVOID Base;
    BOOLEAN Named;
} Seen;

static VOID NTAPI SeeImage(PUNICODE_STRING Name, HANDLE Process, PIMAGE_INFO Info)
{
    Seen.Calls++;
    Seen.Process = Process;
    Seen.Base = Info->ImageBase;
    Seen.Named = Name != NULL && Name->Length != 0;
}

static VOID NTAPI SeeProcess(PEPROCESS Process, HANDLE Id, PPS_CREATE_NOTIFY_INFO Info)
{
    UNREFERENCED_PARAMETER(Process);
    UNREFERENCED_PARAMETER(Id);
    UNREFERENCED_PARAMETER(Info);
}

static HANDLE OpenImage(KTEST_RUN *Run)
{
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\??\\C:\\run\\ktest.exe");
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK iosb;
    HANDLE file = NULL, section = NULL;

    InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK_STATUS(ZwCreateFile(&file, FILE_READ_DATA | FILE_EXECUTE | SYNCHRONIZE, &attributes, &iosb, NULL, 0,
                              FILE_SHARE_READ, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0),
                 STATUS_SUCCESS);
    if (file != NULL)
    {
        CHECK_STATUS(ZwCreateSection(&section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_EXECUTE, SEC_IMAGE, file),
                     STATUS_SUCCESS);
        ZwClose(file);
    }
    return section;
}

static VOID TestNotify(KTEST_RUN *Run)
{
    HANDLE section = OpenImage(Run);
    PVOID base = NULL;
    SIZE_T size = 0;
    NTSTATUS status;

    KT_COVERS("PsSetLoadImageNotifyRoutine, PsRemoveLoadImageNotifyRoutine", "called when an image is mapped into a "
              "process, with its name, the process and the base; not any more once removed; a second removal is "
              "STATUS_PROCEDURE_NOT_FOUND", "DDI PsSetLoadImageNotifyRoutine");
    CHECK_STATUS(PsSetLoadImageNotifyRoutine(SeeImage), STATUS_SUCCESS);
    status = ZwMapViewOfSection(section, NtCurrentProcess(), &base, 0, 0, NULL, &size, ViewUnmap, 0, PAGE_EXECUTE);
    CHECK(NT_SUCCESS(status));
    KtSay(Run, "image mapped at %p: %lu calls, base %p, process %p", base, Seen.Calls, Seen.Base, Seen.Process);
    CHECK_EQUAL(Seen.Calls, 1);
    CHECK(Seen.Base == base && Seen.Process == PsGetCurrentProcessId() && Seen.Named);
    CHECK_STATUS(ZwUnmapViewOfSection(NtCurrentProcess(), base), STATUS_SUCCESS);
    CHECK_STATUS(PsRemoveLoadImageNotifyRoutine(SeeImage), STATUS_SUCCESS);
    CHECK_STATUS(PsRemoveLoadImageNotifyRoutine(SeeImage), STATUS_PROCEDURE_NOT_FOUND);
    base = NULL;
    size = 0;
    status = ZwMapViewOfSection(section, NtCurrentProcess(), &base, 0, 0, NULL, &size, ViewUnmap, 0, PAGE_EXECUTE);
    CHECK(NT_SUCCESS(status));
    CHECK_EQUAL(Seen.Calls, 1);
    CHECK_STATUS(ZwUnmapViewOfSection(NtCurrentProcess(), base), STATUS_SUCCESS);
    ZwClose(section);

    KT_COVERS("PsSetCreateProcessNotifyRoutineEx", "STATUS_ACCESS_DENIED for a driver that is not linked with "
              "/INTEGRITYCHECK", "DDI PsSetCreateProcessNotifyRoutineEx");
    CHECK_STATUS(PsSetCreateProcessNotifyRoutineEx(SeeProcess, FALSE), STATUS_ACCESS_DENIED);
}

VOID KtGroup_used(KTEST_RUN *Run)
{
    TestDebug(Run);
    TestThreads(Run);
    TestStrings(Run);
    TestWork(Run);
    TestNotify(Run);
}
