/* SPDX-License-Identifier: MIT */
/*
 * Process objects: made without a thread, taken apart when nobody refers to them any more.
 */
#include "psp.h"

VOID PspListProcess(PEPROCESS Process)
{
    ExAcquireFastMutex(&PspActiveProcessLock);
    InsertTailList(&PsActiveProcessHead, &Process->ActiveProcessLinks);
    Process->Flags |= PSP_PROCESS_LISTED;
    ExReleaseFastMutex(&PspActiveProcessLock);
}

/* The last part of the path, as ASCII, cut to 15 characters. */
static VOID PspSetShortName(PEPROCESS Process, PCUNICODE_STRING Path)
{
    ULONG start = 0, count = Path->Length / sizeof(WCHAR);
    for (ULONG i = 0; i < count; i++)
    {
        if (Path->Buffer[i] == L'\\')
        {
            start = i + 1;
        }
    }
    for (ULONG i = 0; i + 1 < sizeof(Process->ImageFileName) && start + i < count; i++)
    {
        WCHAR c = Path->Buffer[start + i];
        Process->ImageFileName[i] = c < 0x80 ? (UCHAR)c : '?';
    }
}

static NTSTATUS PspCopyPath(PEPROCESS Process, PCUNICODE_STRING Path)
{
    Process->ImagePath.Buffer = ExAllocatePoolWithTag(PagedPool, Path->Length + sizeof(WCHAR), PSP_TAG_PROCESS);
    if (Process->ImagePath.Buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlCopyMemory(Process->ImagePath.Buffer, Path->Buffer, Path->Length);
    Process->ImagePath.Buffer[Path->Length / sizeof(WCHAR)] = 0;
    Process->ImagePath.Length = Path->Length;
    Process->ImagePath.MaximumLength = Path->Length + sizeof(WCHAR);
    PspSetShortName(Process, Path);
    return STATUS_SUCCESS;
}

static VOID PspInitializeProcessFields(PEPROCESS Process, const PSP_PROCESS_CREATE *Create)
{
    ExInitializeRundownProtection(&Process->RundownProtect);
    ExInitializeFastMutex(&Process->ProcessLock);
    KeInitializeSpinLock(&Process->TokenLock);
    InitializeListHead(&Process->ThreadListHead);
    InitializeListHead(&Process->ActiveProcessLinks);
    Process->ExitStatus = STATUS_PENDING;
    Process->LastThreadExitStatus = STATUS_PENDING;
    Process->InheritedFromUniqueProcessId = Create->Parent->UniqueProcessId;
    Process->DefaultHardErrorProcessing = Create->Parent->DefaultHardErrorProcessing;
    KeQuerySystemTime(&Process->CreateTime);
}

static NTSTATUS PspGiveToken(PEPROCESS Process, const PSP_PROCESS_CREATE *Create)
{
    PTOKEN token;
    NTSTATUS status =
        Create->Token != NULL ? SeCopyAsPrimary(Create->Token, &token) : SeSubProcessToken(Create->Parent, &token);
    if (NT_SUCCESS(status))
    {
        Process->Token = token;
        SeQuerySessionIdToken(token, &Process->SessionId);
    }
    return status;
}

static NTSTATUS PspGiveHandles(PEPROCESS Process, const PSP_PROCESS_CREATE *Create)
{
    NTSTATUS status = ObInitializeProcess(Create->Parent, Process, Create->InheritHandles && !Create->HasHandleList);
    if (NT_SUCCESS(status) && Create->InheritHandles && Create->HasHandleList)
    {
        status = ObInheritHandles(Create->Parent, Process, Create->HandleList, Create->HandleListCount);
    }
    return status;
}

/*
 * Makes a process with an empty address space, its handles and its token. It has an id but cannot be looked up before
 * PspListProcess' caller publishes it, and no thread. On failure nothing is left.
 */
NTSTATUS PspCreateProcess(const PSP_PROCESS_CREATE *Create, PEPROCESS *Result)
{
    PEPROCESS process;
    MM_IMAGE_INFORMATION image;
    NTSTATUS status = ObCreateObject(Create->Mode, PsProcessType, Create->Attributes, Create->Mode, NULL,
                                     sizeof(EPROCESS), 0, 0, (PVOID *)&process);
    *Result = NULL;
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    PspInitializeProcessFields(process, Create);
    process->UniqueProcessId = ObAllocateId(PspCidTable);
    status = process->UniqueProcessId == NULL ? STATUS_INSUFFICIENT_RESOURCES : PspCopyPath(process, Create->ImagePath);
    if (NT_SUCCESS(status))
    {
        status = MmCreateProcessAddressSpace(process);
    }
    if (!NT_SUCCESS(status))
    {
        ObDereferenceObject(process);
        return status;
    }
    KeInitializeProcess(&process->Pcb, PSP_DEFAULT_PRIORITY, ~(KAFFINITY)0, process->Pcb.DirectoryTableBase);
    ObReferenceObject(Create->Section);
    process->SectionObject = Create->Section;
    ObReferenceObject(Create->File);
    process->ImageFile = Create->File;
    MmGetImageInformation(Create->Section, &image);
    process->DefaultStackReserve = image.StackReserve;
    process->DefaultStackCommit = image.StackCommit;
    status = PspGiveToken(process, Create);
    if (NT_SUCCESS(status))
    {
        status = PspGiveHandles(process, Create);
    }
    if (!NT_SUCCESS(status))
    {
        PspAbandonProcess(process, status);
        ObDereferenceObject(process);
        return status;
    }
    *Result = process;
    return STATUS_SUCCESS;
}

VOID PspAbandonProcess(PEPROCESS Process, NTSTATUS Status)
{
    KAPC_STATE apcState;
    InterlockedOr(&Process->Flags, PSP_PROCESS_DELETE | PSP_PROCESS_EXITING);
    Process->ExitStatus = Status;
    KeQuerySystemTime(&Process->ExitTime);
    KeStackAttachProcess(&Process->Pcb, &apcState);
    ObKillProcess(Process);
    MmCleanProcessAddressSpace(Process);
    KeUnstackDetachProcess(&apcState);
    if (Process->SectionObject != NULL)
    {
        ObDereferenceObject(Process->SectionObject);
        Process->SectionObject = NULL;
    }
    KeSetProcess(&Process->Pcb, 0);
}

/* Delete method: the last reference went. Threads hold references, so there are none; the address space is clean. */
VOID PspDeleteProcess(PVOID Object)
{
    PEPROCESS process = Object;
    if ((process->Flags & PSP_PROCESS_LISTED) != 0)
    {
        ExAcquireFastMutex(&PspActiveProcessLock);
        RemoveEntryList(&process->ActiveProcessLinks);
        ExReleaseFastMutex(&PspActiveProcessLock);
    }
    if (process->UniqueProcessId != NULL)
    {
        ObRemoveId(PspCidTable, process->UniqueProcessId);
    }
    ObDeleteProcessTable(process);
    if (process->SectionObject != NULL)
    {
        ObDereferenceObject(process->SectionObject);
    }
    if (process->ImageFile != NULL)
    {
        ObDereferenceObject(process->ImageFile);
    }
    if (process->Pcb.DirectoryTableBase != 0)
    {
        MmDeleteProcessAddressSpace(process);
    }
    if (process->Token != NULL)
    {
        ObDereferenceObject(process->Token);
    }
    if (process->ImagePath.Buffer != NULL)
    {
        ExFreePoolWithTag(process->ImagePath.Buffer, PSP_TAG_PROCESS);
    }
}

/**
 * Walks all processes: references the next one, gives back the reference on Previous.
 *
 * @param Previous  NULL to begin
 * @return NULL after the last. <= APC_LEVEL.
 */
PEPROCESS PsGetNextProcess(_In_opt_ PEPROCESS Previous)
{
    PEPROCESS found = NULL;
    ExAcquireFastMutex(&PspActiveProcessLock);
    PLIST_ENTRY link = Previous == NULL ? PsActiveProcessHead.Flink : Previous->ActiveProcessLinks.Flink;
    for (; link != &PsActiveProcessHead; link = link->Flink)
    {
        PEPROCESS process = CONTAINING_RECORD(link, EPROCESS, ActiveProcessLinks);
        if (ObReferenceObjectSafe(process))
        {
            found = process;
            break;
        }
    }
    ExReleaseFastMutex(&PspActiveProcessLock);
    if (Previous != NULL)
    {
        ObDereferenceObject(Previous);
    }
    return found;
}

PETHREAD PsGetNextProcessThread(_In_ PEPROCESS Process, _In_opt_ PETHREAD Previous)
{
    PETHREAD found = NULL;
    ExAcquireFastMutex(&Process->ProcessLock);
    PLIST_ENTRY link = Previous == NULL ? Process->ThreadListHead.Flink : Previous->ThreadListEntry.Flink;
    for (; link != &Process->ThreadListHead; link = link->Flink)
    {
        PETHREAD thread = CONTAINING_RECORD(link, ETHREAD, ThreadListEntry);
        if (ObReferenceObjectSafe(thread))
        {
            found = thread;
            break;
        }
    }
    ExReleaseFastMutex(&Process->ProcessLock);
    if (Previous != NULL)
    {
        ObDereferenceObject(Previous);
    }
    return found;
}

/**
 * Keeps the process's address space and handles from being taken apart. STATUS_PROCESS_IS_TERMINATING. <= APC_LEVEL.
 */
NTSTATUS NTAPI PsAcquireProcessExitSynchronization(_In_ PEPROCESS Process)
{
    return ExAcquireRundownProtection(&Process->RundownProtect) ? STATUS_SUCCESS : STATUS_PROCESS_IS_TERMINATING;
}

/** Ends PsAcquireProcessExitSynchronization. <= DISPATCH_LEVEL. */
VOID NTAPI PsReleaseProcessExitSynchronization(_In_ PEPROCESS Process)
{
    ExReleaseRundownProtection(&Process->RundownProtect);
}
