/* SPDX-License-Identifier: MIT */
/*
 * NtQueryInformationProcess. Every answer is made in kernel memory first, then copied out once.
 */
#include "psp.h"

/* Clock ticks to 100 ns units. */
static LONGLONG PspTicksToTime(ULONG64 Ticks)
{
    return (LONGLONG)(Ticks * KeQueryTimeIncrement());
}

typedef union _PSP_PROCESS_ANSWER
{
    PROCESS_EXTENDED_BASIC_INFORMATION Extended;
    PROCESS_BASIC_INFORMATION Basic;
    IO_COUNTERS Io;
    VM_COUNTERS_EX Vm;
    KERNEL_USER_TIMES Times;
    PROCESS_SESSION_INFORMATION Session;
    SECTION_IMAGE_INFORMATION Image;
    struct { BOOLEAN Foreground; UCHAR PriorityClass; } PriorityClass;
    ULONG64 Large;
    ULONG_PTR Pointer;
    ULONG Number;
} PSP_PROCESS_ANSWER;

static VOID PspBasicInformation(PEPROCESS Process, PPROCESS_BASIC_INFORMATION Out)
{
    Out->ExitStatus = Process->ExitStatus;
    Out->PebBaseAddress = Process->Peb;
    Out->AffinityMask = Process->Pcb.Affinity & KeQueryActiveProcessors();
    Out->BasePriority = Process->Pcb.BasePriority;
    Out->UniqueProcessId = (ULONG_PTR)Process->UniqueProcessId;
    Out->InheritedFromUniqueProcessId = (ULONG_PTR)Process->InheritedFromUniqueProcessId;
}

static VOID PspVmCounters(PEPROCESS Process, VM_COUNTERS_EX *Out)
{
    MM_ADDRESS_SPACE *space = &Process->Space;
    Out->VirtualSize = space->VirtualSize;
    Out->PeakVirtualSize = space->PeakVirtualSize;
    Out->PageFaultCount = (ULONG)space->PageFaults;
    Out->WorkingSetSize = space->WorkingSetPages * PAGE_SIZE;
    Out->PeakWorkingSetSize = Out->WorkingSetSize;
    Out->PagefileUsage = space->CommittedBytes;
    Out->PeakPagefileUsage = space->CommittedBytes;
    Out->PrivateUsage = space->CommittedBytes;
}

/* Sums up: threads that are gone have left their time in the process. */
static VOID PspProcessTimes(PEPROCESS Process, PKERNEL_USER_TIMES Out)
{
    Out->CreateTime = Process->CreateTime;
    Out->ExitTime = Process->ExitTime;
    Out->KernelTime.QuadPart = PspTicksToTime(Process->Pcb.KernelTime);
    Out->UserTime.QuadPart = PspTicksToTime(Process->Pcb.UserTime);
}

static VOID PspImageAnswer(PEPROCESS Process, PSECTION_IMAGE_INFORMATION Out)
{
    MM_IMAGE_INFORMATION image;
    MmGetImageInformation(Process->SectionObject, &image);
    Out->TransferAddress = (PUCHAR)image.PreferredBase + image.EntryPoint;
    Out->MaximumStackSize = image.StackReserve;
    Out->CommittedStackSize = image.StackCommit;
    Out->SubSystemType = image.Subsystem;
    Out->ImageCharacteristics = image.Characteristics;
    Out->DllCharacteristics = image.DllCharacteristics;
    Out->Machine = IMAGE_FILE_MACHINE_AMD64;
    Out->ImageContainsCode = TRUE;
}

/* A secret of the process for EncodePointer, made when first asked for. Only the process itself may know it. */
static NTSTATUS PspCookie(PEPROCESS Process, PULONG Out)
{
    if (Process != PsGetCurrentProcess())
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (Process->Cookie == 0)
    {
        ULONG made = (ULONG)ExGenRandom64() | 1;
        InterlockedCompareExchange((volatile LONG *)&Process->Cookie, (LONG)made, 0);
    }
    *Out = Process->Cookie;
    return STATUS_SUCCESS;
}

/* Priority class of the base priority, as NT numbers them. */
static UCHAR PspPriorityClass(SCHAR Base)
{
    enum { ClassUnknown, ClassIdle, ClassNormal, ClassHigh, ClassRealtime, ClassBelowNormal, ClassAboveNormal };
    return Base >= 24 ? ClassRealtime : Base >= 13 ? ClassHigh : Base >= 10 ? ClassAboveNormal
           : Base >= 8 ? ClassNormal : Base >= 6 ? ClassBelowNormal : ClassIdle;
}

/* Fixed-size answers: fills Answer and says how large it is. */
static NTSTATUS PspAnswerProcess(PEPROCESS Process, PROCESSINFOCLASS Class, ULONG Length, PSP_PROCESS_ANSWER *Answer,
                                 PULONG Size)
{
    *Size = sizeof(ULONG);
    switch ((ULONG)Class)
    {
    case ProcessBasicInformation:
        if (Length == sizeof(Answer->Extended))
        {
            *Size = sizeof(Answer->Extended);
            Answer->Extended.Size = sizeof(Answer->Extended);
            Answer->Extended.IsProcessDeleting = (Process->Flags & PSP_PROCESS_DELETE) != 0;
            PspBasicInformation(Process, &Answer->Extended.BasicInfo);
            return STATUS_SUCCESS;
        }
        *Size = sizeof(Answer->Basic);
        PspBasicInformation(Process, &Answer->Basic);
        return STATUS_SUCCESS;
    case ProcessIoCounters:
        *Size = sizeof(Answer->Io);
        Answer->Io.ReadOperationCount = (ULONG64)Process->ReadOperations;
        Answer->Io.WriteOperationCount = (ULONG64)Process->WriteOperations;
        Answer->Io.OtherOperationCount = (ULONG64)Process->OtherOperations;
        return STATUS_SUCCESS;
    case ProcessVmCounters:
        *Size = Length == sizeof(VM_COUNTERS) ? sizeof(VM_COUNTERS) : sizeof(VM_COUNTERS_EX);
        PspVmCounters(Process, &Answer->Vm);
        return STATUS_SUCCESS;
    case ProcessTimes:
        *Size = sizeof(Answer->Times);
        PspProcessTimes(Process, &Answer->Times);
        return STATUS_SUCCESS;
    case ProcessDebugPort:
        *Size = sizeof(Answer->Pointer); /* no debugger: no port */
        return STATUS_SUCCESS;
    case ProcessDebugObjectHandle:
        *Size = sizeof(Answer->Pointer);
        return STATUS_PORT_NOT_SET;
    case ProcessDebugFlags:
        Answer->Number = 1; /* children are not debugged with their parent */
        return STATUS_SUCCESS;
    case ProcessWow64Information:
        *Size = sizeof(Answer->Pointer); /* 0: a 64-bit process */
        return STATUS_SUCCESS;
    case ProcessDefaultHardErrorMode:
        Answer->Number = Process->DefaultHardErrorProcessing;
        return STATUS_SUCCESS;
    case ProcessPriorityClass:
        *Size = sizeof(Answer->PriorityClass);
        Answer->PriorityClass.PriorityClass = PspPriorityClass(Process->Pcb.BasePriority);
        return STATUS_SUCCESS;
    case ProcessHandleCount:
        Answer->Number = ObGetProcessHandleCount(Process);
        return STATUS_SUCCESS;
    case ProcessPriorityBoost:
        return STATUS_SUCCESS; /* boosts are on: 0 */
    case ProcessSessionInformation:
        Answer->Session.SessionId = Process->SessionId;
        return STATUS_SUCCESS;
    case ProcessBreakOnTermination:
        Answer->Number = (Process->Flags & PSP_PROCESS_BREAK_ON_TERMINATION) != 0;
        return STATUS_SUCCESS;
    case ProcessCookie:
        return PspCookie(Process, &Answer->Number);
    case ProcessImageInformation:
        if (Process->SectionObject == NULL)
        {
            return STATUS_PROCESS_IS_TERMINATING;
        }
        *Size = sizeof(Answer->Image);
        PspImageAnswer(Process, &Answer->Image);
        return STATUS_SUCCESS;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}

/* The path as the kernel opened it, or as programs write it. */
static NTSTATUS PspQueryImageName(PEPROCESS Process, BOOLEAN Win32, PVOID Buffer, ULONG Length, PULONG Needed)
{
    UNICODE_STRING path = Process->ImagePath;
    if (Win32 && path.Length >= 4 * sizeof(WCHAR) && path.Buffer[1] == L'?' && path.Buffer[2] == L'?')
    {
        path.Buffer += 4;
        path.Length -= 4 * sizeof(WCHAR);
    }
    *Needed = sizeof(UNICODE_STRING) + path.Length + sizeof(WCHAR);
    if (Length < *Needed)
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    PUCHAR scratch = ExAllocatePoolWithTag(PagedPool, *Needed, PSP_TAG_MISC);
    if (scratch == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PUNICODE_STRING out = (PUNICODE_STRING)scratch;
    RtlZeroMemory(scratch, *Needed);
    out->Length = path.Length;
    out->MaximumLength = path.Length + sizeof(WCHAR);
    out->Buffer = (PWSTR)((PUCHAR)Buffer + sizeof(*out));
    RtlCopyMemory(out + 1, path.Buffer, path.Length);
    NTSTATUS status = PspCopyOut(Buffer, scratch, *Needed);
    ExFreePoolWithTag(scratch, PSP_TAG_MISC);
    return status;
}

/* Rights a class asks for beyond the limited ones. */
static ACCESS_MASK PspProcessQueryAccess(PROCESSINFOCLASS Class)
{
    switch ((ULONG)Class)
    {
    case ProcessDebugPort:
    case ProcessDebugObjectHandle:
    case ProcessDebugFlags:
    case ProcessHandleCount:
    case ProcessDefaultHardErrorMode:
    case ProcessBreakOnTermination:
    case ProcessCookie:
        return PROCESS_QUERY_INFORMATION;
    default:
        return PROCESS_QUERY_LIMITED_INFORMATION;
    }
}

/**
 * Tells about a process. Classes: Basic (also extended), IoCounters, VmCounters(Ex), Times, DebugPort,
 * DebugObjectHandle, DebugFlags, Wow64, DefaultHardErrorMode, PriorityClass, HandleCount, PriorityBoost, Session,
 * ImageFileName(Win32), BreakOnTermination, Cookie, ImageInformation.
 *
 * @return STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS, STATUS_ACCESS_DENIED, STATUS_PORT_NOT_SET.
 *         PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtQueryInformationProcess(_In_ HANDLE ProcessHandle, _In_ PROCESSINFOCLASS ProcessInformationClass,
                                         _Out_writes_bytes_(Length) PVOID ProcessInformation, _In_ ULONG Length,
                                         _Out_opt_ PULONG ReturnLength)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PSP_PROCESS_ANSWER answer;
    ULONG size = 0;
    PEPROCESS process;
    NTSTATUS status = PspProbeOutput(ProcessInformation, Length, sizeof(ULONG), mode);
    if (NT_SUCCESS(status) && ReturnLength != NULL)
    {
        status = PspProbeOutput(ReturnLength, sizeof(ULONG), sizeof(ULONG), mode);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObReferenceObjectByHandle(ProcessHandle, PspProcessQueryAccess(ProcessInformationClass), PsProcessType,
                                       mode, (PVOID *)&process, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (ProcessInformationClass == ProcessImageFileName || ProcessInformationClass == ProcessImageFileNameWin32)
    {
        status = PspQueryImageName(process, ProcessInformationClass == ProcessImageFileNameWin32, ProcessInformation,
                                   Length, &size);
    }
    else
    {
        RtlZeroMemory(&answer, sizeof(answer));
        status = PspAnswerProcess(process, ProcessInformationClass, Length, &answer, &size);
        if (NT_SUCCESS(status))
        {
            status = Length != size ? STATUS_INFO_LENGTH_MISMATCH : PspCopyOut(ProcessInformation, &answer, size);
        }
    }
    ObDereferenceObject(process);
    if (ReturnLength != NULL && status != STATUS_INVALID_INFO_CLASS && status != STATUS_ACCESS_VIOLATION)
    {
        NTSTATUS copied = PspCopyOut(ReturnLength, &size, sizeof(size));
        status = NT_SUCCESS(copied) ? status : copied;
    }
    return status;
}
