/* SPDX-License-Identifier: MIT */
/*
 * NtQueryInformationThread.
 */
#include "psp.h"

/* Not in the driver kit's list. */
#define PSP_THREAD_SUSPEND_COUNT 35

typedef struct _PSP_TEB_INFORMATION
{
    PVOID TebInformation;          /* where to put the bytes */
    ULONG TebOffset;
    ULONG BytesToRead;
} PSP_TEB_INFORMATION;

typedef union _PSP_THREAD_ANSWER
{
    THREAD_BASIC_INFORMATION Basic;
    KERNEL_USER_TIMES Times;
    PVOID Pointer;
    ULONG64 Large;
    ULONG Number;
    UCHAR Byte;
} PSP_THREAD_ANSWER;

static VOID PspThreadBasic(PETHREAD Thread, PTHREAD_BASIC_INFORMATION Out)
{
    Out->ExitStatus = Thread->Tcb.Header.SignalState != 0 ? Thread->ExitStatus : STATUS_PENDING;
    Out->TebBaseAddress = Thread->Tcb.Teb;
    Out->ClientId = Thread->Cid;
    Out->AffinityMask = Thread->Tcb.UserAffinity & KeQueryActiveProcessors();
    Out->Priority = Thread->Tcb.Priority;
    Out->BasePriority = Thread->Tcb.BasePriority - Thread->ThreadsProcess->Pcb.BasePriority;
}

static NTSTATUS PspAnswerThread(PETHREAD Thread, THREADINFOCLASS Class, PSP_THREAD_ANSWER *Answer, PULONG Size)
{
    ULONG64 increment = KeQueryTimeIncrement();
    *Size = sizeof(ULONG);
    switch ((ULONG)Class)
    {
    case ThreadBasicInformation:
        *Size = sizeof(Answer->Basic);
        PspThreadBasic(Thread, &Answer->Basic);
        return STATUS_SUCCESS;
    case ThreadTimes:
        *Size = sizeof(Answer->Times);
        Answer->Times.CreateTime = Thread->CreateTime;
        Answer->Times.ExitTime = Thread->ExitTime;
        Answer->Times.KernelTime.QuadPart = (LONGLONG)(Thread->Tcb.KernelTime * increment);
        Answer->Times.UserTime.QuadPart = (LONGLONG)(Thread->Tcb.UserTime * increment);
        return STATUS_SUCCESS;
    case ThreadQuerySetWin32StartAddress:
        *Size = sizeof(Answer->Pointer);
        Answer->Pointer = Thread->Win32StartAddress;
        return STATUS_SUCCESS;
    case ThreadAmILastThread:
        Answer->Number = Thread->ThreadsProcess->ActiveThreads == 1;
        return STATUS_SUCCESS;
    case ThreadPriorityBoost:
        return STATUS_SUCCESS; /* boosts are on: 0 */
    case ThreadIsIoPending:
        Answer->Number = !IsListEmpty(&Thread->IrpList);
        return STATUS_SUCCESS;
    case ThreadHideFromDebugger:
        *Size = sizeof(Answer->Byte);
        Answer->Byte = (Thread->Flags & PSP_THREAD_HIDDEN) != 0;
        return STATUS_SUCCESS;
    case ThreadIsTerminated:
        Answer->Number = Thread->Tcb.Header.SignalState != 0;
        return STATUS_SUCCESS;
    case PSP_THREAD_SUSPEND_COUNT:
        Answer->Number = (ULONG)Thread->Tcb.SuspendCount;
        return STATUS_SUCCESS;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}

/* Bytes out of a thread's TEB, which may be another process's. */
static NTSTATUS PspQueryTeb(PETHREAD Thread, PVOID Buffer, ULONG Length, KPROCESSOR_MODE Mode, PULONG Size)
{
    PSP_TEB_INFORMATION request;
    SIZE_T copied;
    *Size = sizeof(request);
    if (Length != sizeof(request))
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    NTSTATUS status = PspCopyIn(&request, Buffer, sizeof(request), sizeof(ULONG), Mode);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    PVOID teb = Thread->Tcb.Teb;
    if (teb == NULL || request.TebOffset >= sizeof(TEB) || request.BytesToRead > sizeof(TEB) - request.TebOffset)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (!ExAcquireRundownProtection(&Thread->ThreadsProcess->RundownProtect))
    {
        return STATUS_THREAD_IS_TERMINATING;
    }
    status = MmCopyVirtualMemory(Thread->ThreadsProcess, (PUCHAR)teb + request.TebOffset, PsGetCurrentProcess(),
                                 request.TebInformation, request.BytesToRead, Mode, &copied);
    ExReleaseRundownProtection(&Thread->ThreadsProcess->RundownProtect);
    return status;
}

static ACCESS_MASK PspThreadQueryAccess(THREADINFOCLASS Class)
{
    switch ((ULONG)Class)
    {
    case ThreadBasicInformation:
    case ThreadTimes:
    case ThreadAmILastThread:
    case ThreadIsTerminated:
    case ThreadPriorityBoost:
    case PSP_THREAD_SUSPEND_COUNT:
        return THREAD_QUERY_LIMITED_INFORMATION;
    default:
        return THREAD_QUERY_INFORMATION;
    }
}

/**
 * Tells about a thread. Classes: Basic, Times, QuerySetWin32StartAddress, AmILastThread, PriorityBoost, IsIoPending,
 * HideFromDebugger, IsTerminated, SuspendCount (35), TebInformation.
 *
 * @return STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS, STATUS_ACCESS_DENIED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtQueryInformationThread(_In_ HANDLE ThreadHandle, _In_ THREADINFOCLASS ThreadInformationClass,
                                        _Out_writes_bytes_(Length) PVOID ThreadInformation, _In_ ULONG Length,
                                        _Out_opt_ PULONG ReturnLength)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PSP_THREAD_ANSWER answer;
    ULONG size = 0;
    PETHREAD thread;
    NTSTATUS status = PspProbeOutput(ThreadInformation, Length, sizeof(UCHAR), mode);
    if (NT_SUCCESS(status) && ReturnLength != NULL)
    {
        status = PspProbeOutput(ReturnLength, sizeof(ULONG), sizeof(ULONG), mode);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObReferenceObjectByHandle(ThreadHandle, PspThreadQueryAccess(ThreadInformationClass), PsThreadType, mode,
                                       (PVOID *)&thread, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (ThreadInformationClass == ThreadTebInformation)
    {
        status = PspQueryTeb(thread, ThreadInformation, Length, mode, &size);
    }
    else
    {
        RtlZeroMemory(&answer, sizeof(answer));
        status = PspAnswerThread(thread, ThreadInformationClass, &answer, &size);
        if (NT_SUCCESS(status))
        {
            status = Length != size ? STATUS_INFO_LENGTH_MISMATCH : PspCopyOut(ThreadInformation, &answer, size);
        }
    }
    ObDereferenceObject(thread);
    if (ReturnLength != NULL && NT_SUCCESS(status))
    {
        status = PspCopyOut(ReturnLength, &size, sizeof(size));
    }
    return status;
}
