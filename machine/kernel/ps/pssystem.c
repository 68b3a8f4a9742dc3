/* SPDX-License-Identifier: MIT */
/*
 * All processes with their threads, as NtQuerySystemInformation tells them: an entry, its threads, its name, and so on.
 * Processes come and go meanwhile; each entry is true by itself.
 */
#include "psp.h"
#include "ntsysinfo.h"

/* The answer while it is made. What does not fit is counted all the same, so that the caller learns how much it needs.
 */
typedef struct _PSP_LISTING
{
    PUCHAR Copy;                   /* kernel memory */
    PUCHAR Target;                 /* where the caller will have it: for the names' addresses */
    ULONG Room, Used;
    NT_SYSTEM_PROCESS *Last;
} PSP_LISTING;

/* Room for some bytes, zeroed; NULL if there is none. */
static PVOID PspListingTake(PSP_LISTING *Listing, ULONG Size)
{
    ULONG at = Listing->Used;

    Listing->Used += Size;
    if (Listing->Used > Listing->Room)
    {
        return NULL;
    }
    RtlZeroMemory(Listing->Copy + at, Size);
    return Listing->Copy + at;
}

static VOID PspListThreads(PSP_LISTING *Listing, PEPROCESS Process, NT_SYSTEM_PROCESS *Entry)
{
    for (PETHREAD thread = PsGetNextProcessThread(Process, NULL); thread != NULL;
         thread = PsGetNextProcessThread(Process, thread))
    {
        NT_SYSTEM_THREAD *item;

        if (thread->Tcb.Header.SignalState != 0)
        {
            continue; /* it has ended, and is not taken apart yet */
        }
        item = PspListingTake(Listing, sizeof(*item));
        if (item == NULL || Entry == NULL)
        {
            continue;
        }
        item->KernelTime.QuadPart = (LONGLONG)(thread->Tcb.KernelTime * KeQueryTimeIncrement());
        item->UserTime.QuadPart = (LONGLONG)(thread->Tcb.UserTime * KeQueryTimeIncrement());
        item->CreateTime = thread->CreateTime;
        item->WaitTime = thread->Tcb.WaitTime;
        item->StartAddress = thread->StartAddress;
        item->ClientId = thread->Cid;
        item->Priority = thread->Tcb.Priority;
        item->BasePriority = thread->Tcb.BasePriority;
        item->ContextSwitches = thread->Tcb.ContextSwitches;
        item->ThreadState = thread->Tcb.State;
        item->WaitReason = thread->Tcb.WaitReason;
        Entry->NumberOfThreads++;
    }
}

static UNICODE_STRING PspLastPart(PCUNICODE_STRING Path)
{
    USHORT start = Path->Length / sizeof(WCHAR);

    while (start > 0 && Path->Buffer[start - 1] != L'\\')
    {
        start--;
    }
    return (UNICODE_STRING){.Buffer = Path->Buffer + start, .Length = (USHORT)(Path->Length - start * sizeof(WCHAR))};
}

static VOID PspListName(PSP_LISTING *Listing, PEPROCESS Process, NT_SYSTEM_PROCESS *Entry)
{
    UNICODE_STRING system = RTL_CONSTANT_STRING(L"System");
    UNICODE_STRING name = PspLastPart(Process == PsInitialSystemProcess ? &system : &Process->ImagePath);
    ULONG size = (name.Length + sizeof(WCHAR) + 7u) & ~7u; /* with a zero; the next entry is aligned */
    PVOID text = PspListingTake(Listing, size);

    if (text != NULL && Entry != NULL)
    {
        RtlCopyMemory(text, name.Buffer, name.Length);
        Entry->ImageName.Buffer = (PWSTR)(Listing->Target + ((PUCHAR)text - Listing->Copy));
        Entry->ImageName.Length = name.Length;
        Entry->ImageName.MaximumLength = (USHORT)(name.Length + sizeof(WCHAR));
    }
}

static VOID PspListEntry(PSP_LISTING *Listing, PEPROCESS Process)
{
    NT_SYSTEM_PROCESS *entry = PspListingTake(Listing, sizeof(*entry));
    MM_ADDRESS_SPACE *space = &Process->Space;

    PspListThreads(Listing, Process, entry);
    PspListName(Listing, Process, entry);
    if (entry == NULL)
    {
        return;
    }
    entry->CreateTime = Process->CreateTime;
    entry->KernelTime.QuadPart = (LONGLONG)(Process->Pcb.KernelTime * KeQueryTimeIncrement());
    entry->UserTime.QuadPart = (LONGLONG)(Process->Pcb.UserTime * KeQueryTimeIncrement());
    entry->BasePriority = Process->Pcb.BasePriority;
    entry->UniqueProcessId = Process->UniqueProcessId;
    entry->InheritedFromUniqueProcessId = Process->InheritedFromUniqueProcessId;
    entry->HandleCount = ObGetProcessHandleCount(Process);
    entry->SessionId = Process->SessionId;
    entry->VirtualSize = space->VirtualSize;
    entry->PeakVirtualSize = space->PeakVirtualSize;
    entry->PageFaultCount = (ULONG)space->PageFaults;
    entry->WorkingSetSize = entry->PeakWorkingSetSize = space->WorkingSetPages * PAGE_SIZE;
    entry->PagefileUsage = entry->PeakPagefileUsage = entry->PrivatePageCount = space->CommittedBytes;
    entry->IoCounters[0] = (ULONGLONG)Process->ReadOperations;
    entry->IoCounters[1] = (ULONGLONG)Process->WriteOperations;
    entry->IoCounters[2] = (ULONGLONG)Process->OtherOperations;
    if (Listing->Last != NULL)
    {
        Listing->Last->NextEntryOffset = (ULONG)((PUCHAR)entry - (PUCHAR)Listing->Last);
    }
    Listing->Last = entry;
}

NTSTATUS PsQueryProcesses(PVOID Target, ULONG Length, PVOID *Copy, PULONG Needed)
{
    PSP_LISTING listing = {.Target = Target, .Room = min(Length, 4u << 20)};

    listing.Copy = ExAllocatePoolWithTag(PagedPool, max(listing.Room, 1), PSP_TAG_MISC);
    if (listing.Copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (PEPROCESS process = PsGetNextProcess(NULL); process != NULL; process = PsGetNextProcess(process))
    {
        if (process->ActiveThreads != 0) /* one that has ended lives on only for those who hold a handle */
        {
            PspListEntry(&listing, process);
        }
    }
    *Needed = listing.Used;
    *Copy = listing.Copy;
    return STATUS_SUCCESS;
}
