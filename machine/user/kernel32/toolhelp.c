/* SPDX-License-Identifier: MIT */
/*
 * Snapshots of processes, threads and modules. A snapshot's handle is that of a section, so that CloseHandle is all it
 * takes to be rid of it:
 *
 *   SNAPSHOT  counts, and which entry is next  |  PROCESSENTRY32W...  |  THREADENTRY32...  |  MODULEENTRY32W...
 */
#include "base.h"
#include "ntsysinfo.h"

#include <tlhelp32.h>

typedef struct _SNAPSHOT
{
    DWORD Processes, Threads, Modules;
    DWORD NextProcess, NextThread, NextModule;
} SNAPSHOT;

static PROCESSENTRY32W *BaseSnapshotProcesses(SNAPSHOT *Snapshot)
{
    return (PROCESSENTRY32W *)(Snapshot + 1);
}

static THREADENTRY32 *BaseSnapshotThreads(SNAPSHOT *Snapshot)
{
    return (THREADENTRY32 *)(BaseSnapshotProcesses(Snapshot) + Snapshot->Processes);
}

/* Pointers in the entries: kept aligned. */
static MODULEENTRY32W *BaseSnapshotModules(SNAPSHOT *Snapshot)
{
    ULONG_PTR end = (ULONG_PTR)(BaseSnapshotThreads(Snapshot) + Snapshot->Threads);
    return (MODULEENTRY32W *)((end + 7) & ~(ULONG_PTR)7);
}

static SIZE_T BaseSnapshotSize(SNAPSHOT *Snapshot)
{
    return (SIZE_T)((PUCHAR)(BaseSnapshotModules(Snapshot) + Snapshot->Modules) - (PUCHAR)Snapshot);
}

/* ---- What there is ---- */

/* The kernel's list, in a heap block; NULL with the last error set. */
static NT_SYSTEM_PROCESS *BaseQueryProcesses(VOID)
{
    ULONG room = 0x8000;
    NTSTATUS status;

    do
    {
        ULONG needed = 0;
        PVOID list = RtlAllocateHeap(NtCurrentPeb()->ProcessHeap, 0, room);

        if (list == NULL)
        {
            BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
            return NULL;
        }
        status = NtQuerySystemInformation(NT_SYSTEM_PROCESS_INFORMATION, list, room, &needed);
        if (NT_SUCCESS(status))
        {
            return list;
        }
        RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, list);
        room = needed + 0x1000; /* more may have come meanwhile */
    } while (status == STATUS_INFO_LENGTH_MISMATCH);
    BaseFail(status);
    return NULL;
}

static NT_SYSTEM_PROCESS *BaseNextProcess(NT_SYSTEM_PROCESS *Process)
{
    return Process->NextEntryOffset == 0 ? NULL : (NT_SYSTEM_PROCESS *)((PUCHAR)Process + Process->NextEntryOffset);
}

static BOOL BaseRead(HANDLE Process, PVOID From, PVOID To, SIZE_T Size)
{
    return NT_SUCCESS(NtReadVirtualMemory(Process, From, To, Size, NULL));
}

static VOID BaseCopyRemoteText(HANDLE Process, const UNICODE_STRING *Text, PWSTR Target, SIZE_T Room)
{
    SIZE_T bytes = min((SIZE_T)Text->Length, (Room - 1) * sizeof(WCHAR));

    if (!BaseRead(Process, Text->Buffer, Target, bytes))
    {
        bytes = 0;
    }
    Target[bytes / sizeof(WCHAR)] = 0;
}

/* Walks the loader's list of a process; fills Entries if they are given. Returns how many modules there are. */
static DWORD BaseListModules(HANDLE Process, DWORD Id, MODULEENTRY32W *Entries, DWORD Room)
{
    PROCESS_BASIC_INFORMATION basic;
    LDR_DATA_TABLE_ENTRY module;
    PEB_LDR_DATA loader;
    PEB peb;
    DWORD count = 0;

    if (!NT_SUCCESS(NtQueryInformationProcess(Process, ProcessBasicInformation, &basic, sizeof(basic), NULL)) ||
        !BaseRead(Process, basic.PebBaseAddress, &peb, sizeof(peb)) || peb.Ldr == NULL ||
        !BaseRead(Process, peb.Ldr, &loader, sizeof(loader)))
    {
        return 0;
    }
    PLIST_ENTRY head = &peb.Ldr->InLoadOrderModuleList;
    for (PLIST_ENTRY link = loader.InLoadOrderModuleList.Flink; link != head && link != NULL && count < 1024;
         link = module.InLoadOrderLinks.Flink)
    {
        if (!BaseRead(Process, CONTAINING_RECORD(link, LDR_DATA_TABLE_ENTRY, InLoadOrderLinks), &module,
                      sizeof(module)))
        {
            break;
        }
        if (count < Room)
        {
            MODULEENTRY32W *entry = &Entries[count];
            entry->dwSize = sizeof(*entry);
            entry->th32ModuleID = 1;
            entry->th32ProcessID = Id;
            entry->GlblcntUsage = entry->ProccntUsage = module.LoadCount;
            entry->modBaseAddr = module.DllBase;
            entry->modBaseSize = module.SizeOfImage;
            entry->hModule = module.DllBase;
            BaseCopyRemoteText(Process, &module.BaseDllName, entry->szModule, RTL_NUMBER_OF(entry->szModule));
            BaseCopyRemoteText(Process, &module.FullDllName, entry->szExePath, RTL_NUMBER_OF(entry->szExePath));
        }
        count++;
    }
    return count;
}

/* ---- The snapshot ---- */

static VOID BaseFillSnapshot(SNAPSHOT *Snapshot, NT_SYSTEM_PROCESS *List)
{
    PROCESSENTRY32W *process = BaseSnapshotProcesses(Snapshot);
    THREADENTRY32 *thread = BaseSnapshotThreads(Snapshot);

    for (; List != NULL; List = BaseNextProcess(List))
    {
        if (Snapshot->Processes != 0)
        {
            SIZE_T length = min((SIZE_T)List->ImageName.Length / sizeof(WCHAR), RTL_NUMBER_OF(process->szExeFile) - 1);
            process->dwSize = sizeof(*process);
            process->th32ProcessID = (DWORD)(ULONG_PTR)List->UniqueProcessId;
            process->th32ParentProcessID = (DWORD)(ULONG_PTR)List->InheritedFromUniqueProcessId;
            process->cntThreads = List->NumberOfThreads;
            process->pcPriClassBase = List->BasePriority;
            memcpy(process->szExeFile, List->ImageName.Buffer, length * sizeof(WCHAR));
            process++;
        }
        for (ULONG i = 0; i < List->NumberOfThreads && Snapshot->Threads != 0; i++, thread++)
        {
            thread->dwSize = sizeof(*thread);
            thread->th32ThreadID = (DWORD)(ULONG_PTR)List->Threads[i].ClientId.UniqueThread;
            thread->th32OwnerProcessID = (DWORD)(ULONG_PTR)List->UniqueProcessId;
            thread->tpBasePri = List->Threads[i].BasePriority;
        }
    }
}

/* A section of this size, mapped; NULL with the last error set. */
static SNAPSHOT *BaseCreateSnapshot(SIZE_T Size, BOOL Inherit, PHANDLE Section)
{
    SECURITY_ATTRIBUTES security = {.nLength = sizeof(security), .bInheritHandle = Inherit};
    SNAPSHOT *snapshot;

    *Section =
        CreateFileMappingW(INVALID_HANDLE_VALUE, &security, PAGE_READWRITE, (DWORD)(Size >> 32), (DWORD)Size, NULL);
    if (*Section == NULL)
    {
        return NULL;
    }
    snapshot = MapViewOfFile(*Section, FILE_MAP_WRITE, 0, 0, 0);
    if (snapshot == NULL)
    {
        DWORD error = GetLastError();
        CloseHandle(*Section);
        BaseFailWith(error);
    }
    return snapshot;
}

/* Counts, makes the section, fills it. Process is for its modules, or NULL. */
static HANDLE BaseTakeSnapshot(DWORD Flags, HANDLE Process, DWORD Id, NT_SYSTEM_PROCESS *List)
{
    SNAPSHOT counts = {0};
    SNAPSHOT *snapshot;
    HANDLE section;

    for (NT_SYSTEM_PROCESS *process = List; process != NULL; process = BaseNextProcess(process))
    {
        counts.Processes += (Flags & TH32CS_SNAPPROCESS) != 0;
        counts.Threads += (Flags & TH32CS_SNAPTHREAD) != 0 ? process->NumberOfThreads : 0;
    }
    if (Process != NULL)
    {
        counts.Modules = BaseListModules(Process, Id, NULL, 0);
        if (counts.Modules == 0)
        {
            BaseFailWith(ERROR_PARTIAL_COPY); /* it has no loader's list (yet, or any more) */
            return INVALID_HANDLE_VALUE;
        }
    }
    snapshot = BaseCreateSnapshot(BaseSnapshotSize(&counts), (Flags & TH32CS_INHERIT) != 0, &section);
    if (snapshot == NULL)
    {
        return INVALID_HANDLE_VALUE;
    }
    *snapshot = counts;
    BaseFillSnapshot(snapshot, List);
    if (Process != NULL)
    {
        DWORD found = BaseListModules(Process, Id, BaseSnapshotModules(snapshot), counts.Modules);
        snapshot->Modules = min(found, counts.Modules);
    }
    UnmapViewOfFile(snapshot);
    return section;
}

/* Lists of heaps are not made: TH32CS_SNAPHEAPLIST alone gives an empty snapshot's error. */
HANDLE WINAPI CreateToolhelp32Snapshot(DWORD dwFlags, DWORD th32ProcessID)
{
    BOOL modules = (dwFlags & (TH32CS_SNAPMODULE | TH32CS_SNAPMODULE32)) != 0;
    DWORD id = th32ProcessID != 0 ? th32ProcessID : GetCurrentProcessId();
    NT_SYSTEM_PROCESS *list = NULL;
    HANDLE process = NULL;
    HANDLE snapshot = INVALID_HANDLE_VALUE;

    if (!modules && (dwFlags & (TH32CS_SNAPPROCESS | TH32CS_SNAPTHREAD)) == 0)
    {
        BaseFailWith((dwFlags & TH32CS_SNAPHEAPLIST) != 0 ? ERROR_NOT_SUPPORTED : ERROR_INVALID_PARAMETER);
        return INVALID_HANDLE_VALUE;
    }
    if (modules)
    {
        process = OpenProcess(PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, FALSE, id);
        if (process == NULL)
        {
            return INVALID_HANDLE_VALUE;
        }
    }
    list = BaseQueryProcesses();
    if (list != NULL)
    {
        snapshot = BaseTakeSnapshot(dwFlags, process, id, list);
        RtlFreeHeap(NtCurrentPeb()->ProcessHeap, 0, list);
    }
    if (process != NULL)
    {
        NtClose(process);
    }
    return snapshot;
}

/* ---- Reading it ---- */

typedef enum _SNAPSHOT_PART
{
    SnapshotProcesses,
    SnapshotThreads,
    SnapshotModules
} SNAPSHOT_PART;

/* Copies the next entry of a part, or the first. Size is what the caller says it has room for. */
static BOOL BaseNextEntry(HANDLE Section, SNAPSHOT_PART Part, BOOL First, PVOID Target, DWORD Size)
{
    static const DWORD sizes[] = {sizeof(PROCESSENTRY32W), sizeof(THREADENTRY32), sizeof(MODULEENTRY32W)};
    SNAPSHOT *snapshot;
    BOOL found;

    if (Size < sizes[Part])
    {
        return BaseFailWith(ERROR_BAD_LENGTH);
    }
    snapshot = MapViewOfFile(Section, FILE_MAP_WRITE, 0, 0, 0);
    if (snapshot == NULL)
    {
        return FALSE;
    }
    DWORD *next = &snapshot->NextProcess + Part;
    PUCHAR entries = Part == SnapshotProcesses ? (PUCHAR)BaseSnapshotProcesses(snapshot)
                     : Part == SnapshotThreads ? (PUCHAR)BaseSnapshotThreads(snapshot)
                                               : (PUCHAR)BaseSnapshotModules(snapshot);
    if (First)
    {
        *next = 0;
    }
    found = *next < (&snapshot->Processes)[Part];
    if (found)
    {
        memcpy(Target, entries + (SIZE_T)*next * sizes[Part], sizes[Part]);
        ++*next;
    }
    UnmapViewOfFile(snapshot);
    return found ? TRUE : BaseFailWith(ERROR_NO_MORE_FILES);
}

BOOL WINAPI Process32FirstW(HANDLE hSnapshot, LPPROCESSENTRY32W lppe)
{
    return BaseNextEntry(hSnapshot, SnapshotProcesses, TRUE, lppe, lppe->dwSize);
}

BOOL WINAPI Process32NextW(HANDLE hSnapshot, LPPROCESSENTRY32W lppe)
{
    return BaseNextEntry(hSnapshot, SnapshotProcesses, FALSE, lppe, lppe->dwSize);
}

BOOL WINAPI Thread32First(HANDLE hSnapshot, LPTHREADENTRY32 lpte)
{
    return BaseNextEntry(hSnapshot, SnapshotThreads, TRUE, lpte, lpte->dwSize);
}

BOOL WINAPI Thread32Next(HANDLE hSnapshot, LPTHREADENTRY32 lpte)
{
    return BaseNextEntry(hSnapshot, SnapshotThreads, FALSE, lpte, lpte->dwSize);
}

BOOL WINAPI Module32FirstW(HANDLE hSnapshot, LPMODULEENTRY32W lpme)
{
    return BaseNextEntry(hSnapshot, SnapshotModules, TRUE, lpme, lpme->dwSize);
}

BOOL WINAPI Module32NextW(HANDLE hSnapshot, LPMODULEENTRY32W lpme)
{
    return BaseNextEntry(hSnapshot, SnapshotModules, FALSE, lpme, lpme->dwSize);
}

/* ---- The same in narrow characters ---- */

/* Undefined by tlhelp32.h for wide programs only; here the narrow forms are meant. */
static VOID BaseNarrowText(PCWSTR Text, PSTR Target, SIZE_T Room)
{
    DWORD stored = BaseNarrow(Text, BaseLength(Text), Target, (DWORD)Room);
    Target[stored < Room ? stored : 0] = 0;
}

static BOOL BaseNextProcessA(HANDLE Snapshot, BOOL First, LPPROCESSENTRY32 Target)
{
    PROCESSENTRY32W wide;

    if (Target->dwSize < sizeof(*Target))
    {
        return BaseFailWith(ERROR_BAD_LENGTH);
    }
    if (!BaseNextEntry(Snapshot, SnapshotProcesses, First, &wide, sizeof(wide)))
    {
        return FALSE;
    }
    memcpy(Target, &wide, FIELD_OFFSET(PROCESSENTRY32, szExeFile)); /* the same up to the name */
    Target->dwSize = sizeof(*Target);
    BaseNarrowText(wide.szExeFile, Target->szExeFile, sizeof(Target->szExeFile));
    return TRUE;
}

BOOL WINAPI Process32First(HANDLE hSnapshot, LPPROCESSENTRY32 lppe)
{
    return BaseNextProcessA(hSnapshot, TRUE, lppe);
}

BOOL WINAPI Process32Next(HANDLE hSnapshot, LPPROCESSENTRY32 lppe)
{
    return BaseNextProcessA(hSnapshot, FALSE, lppe);
}

static BOOL BaseNextModuleA(HANDLE Snapshot, BOOL First, LPMODULEENTRY32 Target)
{
    MODULEENTRY32W wide;

    if (Target->dwSize < sizeof(*Target))
    {
        return BaseFailWith(ERROR_BAD_LENGTH);
    }
    if (!BaseNextEntry(Snapshot, SnapshotModules, First, &wide, sizeof(wide)))
    {
        return FALSE;
    }
    memcpy(Target, &wide, FIELD_OFFSET(MODULEENTRY32, szModule));
    Target->dwSize = sizeof(*Target);
    BaseNarrowText(wide.szModule, Target->szModule, sizeof(Target->szModule));
    BaseNarrowText(wide.szExePath, Target->szExePath, sizeof(Target->szExePath));
    return TRUE;
}

BOOL WINAPI Module32First(HANDLE hSnapshot, LPMODULEENTRY32 lpme)
{
    return BaseNextModuleA(hSnapshot, TRUE, lpme);
}

BOOL WINAPI Module32Next(HANDLE hSnapshot, LPMODULEENTRY32 lpme)
{
    return BaseNextModuleA(hSnapshot, FALSE, lpme);
}
