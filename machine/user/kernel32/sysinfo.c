/* SPDX-License-Identifier: MIT */
/* The system: processors, memory, version, names. */
#include "base.h"

static BOOL BaseSystemInformation(PSYSTEM_BASIC_INFORMATION_FULL Basic)
{
    return BaseResult(NtQuerySystemInformation(SystemBasicInformation, Basic, sizeof(*Basic), NULL));
}

VOID WINAPI GetSystemInfo(LPSYSTEM_INFO lpSystemInfo)
{
    SYSTEM_BASIC_INFORMATION_FULL basic;
    SYSTEM_PROCESSOR_INFORMATION processor;
    memset(lpSystemInfo, 0, sizeof(*lpSystemInfo));
    if (!BaseSystemInformation(&basic))
    {
        return;
    }
    lpSystemInfo->wProcessorArchitecture = PROCESSOR_ARCHITECTURE_AMD64;
    lpSystemInfo->dwPageSize = basic.PageSize;
    lpSystemInfo->lpMinimumApplicationAddress = (LPVOID)basic.MinimumUserModeAddress;
    lpSystemInfo->lpMaximumApplicationAddress = (LPVOID)basic.MaximumUserModeAddress;
    lpSystemInfo->dwActiveProcessorMask = basic.ActiveProcessorsAffinityMask;
    lpSystemInfo->dwNumberOfProcessors = (DWORD)basic.NumberOfProcessors;
    lpSystemInfo->dwProcessorType = PROCESSOR_AMD_X8664;
    lpSystemInfo->dwAllocationGranularity = basic.AllocationGranularity;
    if (NT_SUCCESS(NtQuerySystemInformation(SystemProcessorInformation, &processor, sizeof(processor), NULL)))
    {
        lpSystemInfo->wProcessorLevel = processor.ProcessorLevel;
        lpSystemInfo->wProcessorRevision = processor.ProcessorRevision;
    }
}

VOID WINAPI GetNativeSystemInfo(LPSYSTEM_INFO lpSystemInfo)
{
    GetSystemInfo(lpSystemInfo);
}

BOOL WINAPI GlobalMemoryStatusEx(LPMEMORYSTATUSEX lpBuffer)
{
    SYSTEM_BASIC_INFORMATION_FULL basic;
    SYSTEM_PERFORMANCE_INFORMATION performance;
    if (lpBuffer->dwLength != sizeof(*lpBuffer))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    NTSTATUS status = NtQuerySystemInformation(SystemBasicInformation, &basic, sizeof(basic), NULL);
    if (NT_SUCCESS(status))
    {
        status = NtQuerySystemInformation(SystemPerformanceInformation, &performance, sizeof(performance), NULL);
    }
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    ULONG64 page = basic.PageSize;
    lpBuffer->ullTotalPhys = basic.NumberOfPhysicalPages * page;
    lpBuffer->ullAvailPhys = performance.AvailablePages * page;
    lpBuffer->ullTotalPageFile = performance.TotalCommitLimit * page;
    lpBuffer->ullAvailPageFile = performance.TotalCommitLimit > performance.TotalCommittedPages
                                     ? (performance.TotalCommitLimit - performance.TotalCommittedPages) * page
                                     : 0;
    lpBuffer->ullTotalVirtual = basic.MaximumUserModeAddress - basic.MinimumUserModeAddress + 1;
    lpBuffer->ullAvailVirtual = lpBuffer->ullTotalVirtual;
    lpBuffer->ullAvailExtendedVirtual = 0;
    lpBuffer->dwMemoryLoad = lpBuffer->ullTotalPhys != 0
                                 ? (DWORD)((lpBuffer->ullTotalPhys - lpBuffer->ullAvailPhys) * 100 /
                                           lpBuffer->ullTotalPhys)
                                 : 0;
    return TRUE;
}

BOOL WINAPI IsProcessorFeaturePresent(DWORD ProcessorFeature)
{
    return ProcessorFeature < ARRAYSIZE(SharedUserData->ProcessorFeatures) &&
           SharedUserData->ProcessorFeatures[ProcessorFeature];
}

DWORD WINAPI GetCurrentProcessorNumber(VOID)
{
    return RtlGetCurrentProcessorNumber();
}

WORD WINAPI GetActiveProcessorGroupCount(VOID)
{
    return 1;
}

DWORD WINAPI GetActiveProcessorCount(WORD GroupNumber)
{
    SYSTEM_BASIC_INFORMATION_FULL basic;
    if (GroupNumber != 0 && GroupNumber != ALL_PROCESSOR_GROUPS)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return 0;
    }
    return BaseSystemInformation(&basic) ? (DWORD)basic.NumberOfProcessors : 0;
}

/* ---- Versions ---- */

BOOL WINAPI GetVersionExW(LPOSVERSIONINFOW lpVersionInformation)
{
    if (lpVersionInformation->dwOSVersionInfoSize != sizeof(OSVERSIONINFOW) &&
        lpVersionInformation->dwOSVersionInfoSize != sizeof(OSVERSIONINFOEXW))
    {
        return BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    return BaseResult(RtlGetVersion(lpVersionInformation));
}

BOOL WINAPI GetVersionExA(LPOSVERSIONINFOA lpVersionInformation)
{
    OSVERSIONINFOEXW wide = {.dwOSVersionInfoSize = sizeof(wide)};
    BOOLEAN extended = lpVersionInformation->dwOSVersionInfoSize == sizeof(OSVERSIONINFOEXA);
    if (!extended && lpVersionInformation->dwOSVersionInfoSize != sizeof(OSVERSIONINFOA))
    {
        return BaseFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    RtlGetVersion((PRTL_OSVERSIONINFOW)&wide);
    lpVersionInformation->dwMajorVersion = wide.dwMajorVersion;
    lpVersionInformation->dwMinorVersion = wide.dwMinorVersion;
    lpVersionInformation->dwBuildNumber = wide.dwBuildNumber;
    lpVersionInformation->dwPlatformId = wide.dwPlatformId;
    lpVersionInformation->szCSDVersion[0] = 0;
    BaseNarrow(wide.szCSDVersion, BaseLength(wide.szCSDVersion), lpVersionInformation->szCSDVersion,
               sizeof(lpVersionInformation->szCSDVersion));
    if (extended)
    {
        LPOSVERSIONINFOEXA full = (LPOSVERSIONINFOEXA)lpVersionInformation;
        full->wServicePackMajor = wide.wServicePackMajor;
        full->wServicePackMinor = wide.wServicePackMinor;
        full->wSuiteMask = wide.wSuiteMask;
        full->wProductType = wide.wProductType;
        full->wReserved = 0;
    }
    return TRUE;
}

DWORD WINAPI GetVersion(VOID)
{
    PPEB peb = NtCurrentPeb();
    return (peb->OSMajorVersion & 0xFF) | (peb->OSMinorVersion & 0xFF) << 8 | (DWORD)peb->OSBuildNumber << 16;
}

NTSTATUS NTAPI RtlVerifyVersionInfo(PRTL_OSVERSIONINFOEXW Information, ULONG TypeMask, ULONGLONG ConditionMask);

BOOL WINAPI VerifyVersionInfoW(LPOSVERSIONINFOEXW lpVersionInformation, DWORD dwTypeMask, DWORDLONG dwlConditionMask)
{
    NTSTATUS status = RtlVerifyVersionInfo(lpVersionInformation, dwTypeMask, dwlConditionMask);
    return status == STATUS_REVISION_MISMATCH ? BaseFailWith(ERROR_OLD_WIN_VERSION) : BaseResult(status);
}

/* ---- Names ---- */

/* The machine has no network; its name is a fixed one. */
static const WCHAR BaseComputerName[] = L"ISTHMUS";

BOOL WINAPI GetComputerNameW(LPWSTR lpBuffer, LPDWORD nSize)
{
    DWORD needed = ARRAYSIZE(BaseComputerName);
    if (*nSize < needed)
    {
        *nSize = needed;
        return BaseFailWith(ERROR_BUFFER_OVERFLOW);
    }
    memcpy(lpBuffer, BaseComputerName, sizeof(BaseComputerName));
    *nSize = needed - 1;
    return TRUE;
}

BOOL WINAPI GetComputerNameA(LPSTR lpBuffer, LPDWORD nSize)
{
    DWORD needed = ARRAYSIZE(BaseComputerName);
    if (*nSize < needed)
    {
        *nSize = needed;
        return BaseFailWith(ERROR_BUFFER_OVERFLOW);
    }
    *nSize = BaseNarrow(BaseComputerName, needed - 1, lpBuffer, *nSize);
    return TRUE;
}

/** The target of a DOS device name, from \??. Only one name at a time; the list of all is not offered. */
DWORD WINAPI QueryDosDeviceW(LPCWSTR lpDeviceName, LPWSTR lpTargetPath, DWORD ucchMax)
{
    static const WCHAR prefix[] = L"\\??\\";
    WCHAR buffer[260];
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    HANDLE link;
    ULONG needed = 0;

    if (lpDeviceName == NULL)
    {
        RtlSetLastWin32Error(ERROR_NOT_SUPPORTED);
        return 0;
    }
    SIZE_T length = BaseLength(lpDeviceName);
    if (length > 250)
    {
        RtlSetLastWin32Error(ERROR_FILENAME_EXCED_RANGE);
        return 0;
    }
    memcpy(buffer, prefix, sizeof(prefix));
    memcpy(buffer + ARRAYSIZE(prefix) - 1, lpDeviceName, (length + 1) * sizeof(WCHAR));
    BaseInitString(&name, buffer);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    NTSTATUS status = NtOpenSymbolicLinkObject(&link, SYMBOLIC_LINK_QUERY, &attributes);
    if (!NT_SUCCESS(status))
    {
        BaseFail(status);
        return 0;
    }
    DWORD room = ucchMax >= 2 ? ucchMax - 2 : 0;
    UNICODE_STRING target = {0, (USHORT)(room < 0x7FFE ? room * sizeof(WCHAR) : 0xFFFC), lpTargetPath};
    status = NtQuerySymbolicLinkObject(link, &target, &needed);
    NtClose(link);
    if (!NT_SUCCESS(status))
    {
        RtlSetLastWin32Error(status == STATUS_BUFFER_TOO_SMALL ? ERROR_INSUFFICIENT_BUFFER
                                                              : RtlNtStatusToDosError(status));
        return 0;
    }
    lpTargetPath[target.Length / sizeof(WCHAR)] = 0;
    lpTargetPath[target.Length / sizeof(WCHAR) + 1] = 0;
    return target.Length / sizeof(WCHAR) + 2;
}

DWORD WINAPI QueryDosDeviceA(LPCSTR lpDeviceName, LPSTR lpTargetPath, DWORD ucchMax)
{
    BASE_WIDE name;
    WCHAR target[300];
    DWORD result = 0;
    if (BaseWiden(&name, lpDeviceName))
    {
        DWORD length = QueryDosDeviceW(name.Text, target, ARRAYSIZE(target));
        if (length >= 2 && ucchMax >= 1)
        {
            DWORD bytes = BaseNarrow(target, length - 2, lpTargetPath, ucchMax - 1);
            if (bytes >= ucchMax - 1)
            {
                RtlSetLastWin32Error(ERROR_INSUFFICIENT_BUFFER);
            }
            else
            {
                lpTargetPath[bytes + 1] = 0;
                result = bytes + 2;
            }
        }
    }
    BaseRelease(&name);
    return result;
}

/* ---- Arithmetic that is a function ---- */

int WINAPI MulDiv(int nNumber, int nNumerator, int nDenominator)
{
    if (nDenominator == 0)
    {
        return -1;
    }
    LONG64 product = (LONG64)nNumber * nNumerator;
    LONG64 divisor = nDenominator;
    if (divisor < 0)
    {
        divisor = -divisor;
        product = -product;
    }
    LONG64 result = product < 0 ? (product - divisor / 2) / divisor : (product + divisor / 2) / divisor;
    return result > 0x7FFFFFFF || result < -0x7FFFFFFFll - 1 ? -1 : (int)result;
}
