/* SPDX-License-Identifier: MIT */
/* Processes that exist: ends, handles, times, memory. */
#include "base.h"

#include <psapi.h>

DECLSPEC_NORETURN VOID WINAPI ExitProcess(UINT uExitCode)
{
    RtlExitUserProcess((NTSTATUS)uExitCode);
}

BOOL WINAPI TerminateProcess(HANDLE hProcess, UINT uExitCode)
{
    if (hProcess == NULL)
    {
        return BaseFailWith(ERROR_INVALID_HANDLE); /* the service would take it for "all other threads" */
    }
    return BaseResult(NtTerminateProcess(hProcess, (NTSTATUS)uExitCode));
}

HANDLE WINAPI GetCurrentProcess(VOID)
{
    return NtCurrentProcess();
}

DWORD WINAPI GetCurrentProcessId(VOID)
{
    return (DWORD)(ULONG_PTR)NtCurrentTeb()->ClientId.UniqueProcess;
}

DWORD WINAPI GetProcessId(HANDLE Process)
{
    PROCESS_BASIC_INFORMATION basic;
    NTSTATUS status = NtQueryInformationProcess(Process, ProcessBasicInformation, &basic, sizeof(basic), NULL);
    return BaseResult(status) ? (DWORD)basic.UniqueProcessId : 0;
}

HANDLE WINAPI OpenProcess(DWORD dwDesiredAccess, BOOL bInheritHandle, DWORD dwProcessId)
{
    OBJECT_ATTRIBUTES attributes;
    CLIENT_ID id = {(HANDLE)(ULONG_PTR)dwProcessId, NULL};
    HANDLE handle;
    InitializeObjectAttributes(&attributes, NULL, bInheritHandle ? OBJ_INHERIT : 0, NULL, NULL);
    NTSTATUS status = NtOpenProcess(&handle, dwDesiredAccess, &attributes, &id);
    return BaseResult(status) ? handle : NULL;
}

BOOL WINAPI GetExitCodeProcess(HANDLE hProcess, LPDWORD lpExitCode)
{
    PROCESS_BASIC_INFORMATION basic;
    NTSTATUS status = NtQueryInformationProcess(hProcess, ProcessBasicInformation, &basic, sizeof(basic), NULL);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    *lpExitCode = (DWORD)basic.ExitStatus;
    return TRUE;
}

BOOL WINAPI GetProcessTimes(HANDLE hProcess, LPFILETIME lpCreationTime, LPFILETIME lpExitTime,
                            LPFILETIME lpKernelTime, LPFILETIME lpUserTime)
{
    KERNEL_USER_TIMES times;
    NTSTATUS status = NtQueryInformationProcess(hProcess, ProcessTimes, &times, sizeof(times), NULL);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    *lpCreationTime = times.CreateTime;
    *lpExitTime = times.ExitTime;
    memcpy(lpKernelTime, &times.KernelTime, sizeof(FILETIME));
    memcpy(lpUserTime, &times.UserTime, sizeof(FILETIME));
    return TRUE;
}

BOOL WINAPI GetProcessHandleCount(HANDLE hProcess, PDWORD pdwHandleCount)
{
    return BaseResult(NtQueryInformationProcess(hProcess, ProcessHandleCount, pdwHandleCount,
                                                sizeof(*pdwHandleCount), NULL));
}

DWORD WINAPI GetPriorityClass(HANDLE hProcess)
{
    static const DWORD classes[] = {0,
                                    IDLE_PRIORITY_CLASS,
                                    NORMAL_PRIORITY_CLASS,
                                    HIGH_PRIORITY_CLASS,
                                    REALTIME_PRIORITY_CLASS,
                                    BELOW_NORMAL_PRIORITY_CLASS,
                                    ABOVE_NORMAL_PRIORITY_CLASS};
    struct
    {
        BOOLEAN Foreground;
        UCHAR PriorityClass;
    } information;
    NTSTATUS status = NtQueryInformationProcess(hProcess, ProcessPriorityClass, &information, sizeof(information),
                                                NULL);
    if (!NT_SUCCESS(status) || information.PriorityClass >= ARRAYSIZE(classes))
    {
        BaseFail(NT_SUCCESS(status) ? STATUS_INVALID_PARAMETER : status);
        return 0;
    }
    return classes[information.PriorityClass];
}

BOOL WINAPI GetProcessAffinityMask(HANDLE hProcess, PDWORD_PTR lpProcessAffinityMask,
                                   PDWORD_PTR lpSystemAffinityMask)
{
    PROCESS_BASIC_INFORMATION basic;
    SYSTEM_BASIC_INFORMATION_FULL system;
    NTSTATUS status = NtQueryInformationProcess(hProcess, ProcessBasicInformation, &basic, sizeof(basic), NULL);
    if (NT_SUCCESS(status))
    {
        status = NtQuerySystemInformation(SystemBasicInformation, &system, sizeof(system), NULL);
    }
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    *lpProcessAffinityMask = basic.AffinityMask;
    *lpSystemAffinityMask = system.ActiveProcessorsAffinityMask;
    return TRUE;
}

BOOL WINAPI SetProcessAffinityMask(HANDLE hProcess, DWORD_PTR dwProcessAffinityMask)
{
    return BaseResult(NtSetInformationProcess(hProcess, ProcessAffinityMask, &dwProcessAffinityMask,
                                              sizeof(dwProcessAffinityMask)));
}

BOOL WINAPI ReadProcessMemory(HANDLE hProcess, LPCVOID lpBaseAddress, LPVOID lpBuffer, SIZE_T nSize,
                              SIZE_T *lpNumberOfBytesRead)
{
    SIZE_T done = 0;
    NTSTATUS status = NtReadVirtualMemory(hProcess, (PVOID)lpBaseAddress, lpBuffer, nSize, &done);
    if (lpNumberOfBytesRead != NULL)
    {
        *lpNumberOfBytesRead = done;
    }
    return BaseResult(status);
}

/** Writes also to pages that are read-only for the target, which are opened for the moment, as on Windows. */
BOOL WINAPI WriteProcessMemory(HANDLE hProcess, LPVOID lpBaseAddress, LPCVOID lpBuffer, SIZE_T nSize,
                               SIZE_T *lpNumberOfBytesWritten)
{
    SIZE_T done = 0;
    NTSTATUS status = NtWriteVirtualMemory(hProcess, lpBaseAddress, lpBuffer, nSize, &done);
    if (status == STATUS_ACCESS_VIOLATION || status == STATUS_PARTIAL_COPY)
    {
        PVOID base = lpBaseAddress;
        SIZE_T size = nSize;
        ULONG old;
        if (NT_SUCCESS(NtProtectVirtualMemory(hProcess, &base, &size, PAGE_READWRITE, &old)))
        {
            BOOLEAN code = (old & (PAGE_EXECUTE | PAGE_EXECUTE_READ)) != 0;
            if (code || (old & PAGE_READONLY))
            {
                status = NtWriteVirtualMemory(hProcess, lpBaseAddress, lpBuffer, nSize, &done);
            }
            NtProtectVirtualMemory(hProcess, &base, &size, old, &old);
            if (code)
            {
                NtFlushInstructionCache(hProcess, lpBaseAddress, nSize);
            }
        }
    }
    if (lpNumberOfBytesWritten != NULL)
    {
        *lpNumberOfBytesWritten = done;
    }
    return BaseResult(status);
}

BOOL WINAPI FlushInstructionCache(HANDLE hProcess, LPCVOID lpBaseAddress, SIZE_T dwSize)
{
    return BaseResult(NtFlushInstructionCache(hProcess, (PVOID)lpBaseAddress, dwSize));
}

/** x64 programs are the only kind on the machine. */
BOOL WINAPI IsWow64Process(HANDLE hProcess, PBOOL Wow64Process)
{
    PROCESS_BASIC_INFORMATION basic;
    NTSTATUS status = NtQueryInformationProcess(hProcess, ProcessBasicInformation, &basic, sizeof(basic), NULL);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    *Wow64Process = FALSE;
    return TRUE;
}

/** The path of a process's program: C:\..., or with PROCESS_NAME_NATIVE \Device\... *lpdwSize counts characters. */
BOOL WINAPI QueryFullProcessImageNameW(HANDLE hProcess, DWORD dwFlags, LPWSTR lpExeName, PDWORD lpdwSize)
{
    union
    {
        UNICODE_STRING Name;
        UCHAR Room[sizeof(UNICODE_STRING) + 1024 * sizeof(WCHAR)];
    } answer;
    if (dwFlags & ~PROCESS_NAME_NATIVE)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    NTSTATUS status = NtQueryInformationProcess(
        hProcess, dwFlags & PROCESS_NAME_NATIVE ? ProcessImageFileName : ProcessImageFileNameWin32, &answer,
        sizeof(answer), NULL);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    DWORD length = answer.Name.Length / sizeof(WCHAR);
    if (length >= *lpdwSize)
    {
        return BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    memcpy(lpExeName, answer.Name.Buffer, length * sizeof(WCHAR));
    lpExeName[length] = 0;
    *lpdwSize = length;
    return TRUE;
}

/** What psapi's GetProcessMemoryInfo compiles to. */
BOOL WINAPI K32GetProcessMemoryInfo(HANDLE Process, PPROCESS_MEMORY_COUNTERS ppsmemCounters, DWORD cb)
{
    VM_COUNTERS counters;
    if (cb < sizeof(PROCESS_MEMORY_COUNTERS))
    {
        return BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    NTSTATUS status = NtQueryInformationProcess(Process, ProcessVmCounters, &counters, sizeof(counters), NULL);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    memset(ppsmemCounters, 0, cb);
    ppsmemCounters->cb = cb;
    ppsmemCounters->PageFaultCount = counters.PageFaultCount;
    ppsmemCounters->PeakWorkingSetSize = counters.PeakWorkingSetSize;
    ppsmemCounters->WorkingSetSize = counters.WorkingSetSize;
    ppsmemCounters->QuotaPeakPagedPoolUsage = counters.QuotaPeakPagedPoolUsage;
    ppsmemCounters->QuotaPagedPoolUsage = counters.QuotaPagedPoolUsage;
    ppsmemCounters->QuotaPeakNonPagedPoolUsage = counters.QuotaPeakNonPagedPoolUsage;
    ppsmemCounters->QuotaNonPagedPoolUsage = counters.QuotaNonPagedPoolUsage;
    ppsmemCounters->PagefileUsage = counters.PagefileUsage;
    ppsmemCounters->PeakPagefileUsage = counters.PeakPagefileUsage;
    return TRUE;
}

BOOL WINAPI GetProcessIoCounters(HANDLE hProcess, PIO_COUNTERS lpIoCounters)
{
    return BaseResult(NtQueryInformationProcess(hProcess, ProcessIoCounters, lpIoCounters, sizeof(*lpIoCounters),
                                                NULL));
}
