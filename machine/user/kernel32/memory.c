/* SPDX-License-Identifier: MIT */
/* Virtual memory, heaps, sections. */
#include "base.h"

/* ---- Virtual memory ---- */

LPVOID WINAPI VirtualAllocEx(HANDLE hProcess, LPVOID lpAddress, SIZE_T dwSize, DWORD flAllocationType,
                             DWORD flProtect)
{
    PVOID base = lpAddress;
    SIZE_T size = dwSize;
    if (lpAddress != NULL && (ULONG_PTR)lpAddress < 0x10000)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER); /* would be rounded down to "anywhere" */
        return NULL;
    }
    NTSTATUS status = NtAllocateVirtualMemory(hProcess, &base, 0, &size, flAllocationType, flProtect);
    return BaseResult(status) ? base : NULL;
}

LPVOID WINAPI VirtualAlloc(LPVOID lpAddress, SIZE_T dwSize, DWORD flAllocationType, DWORD flProtect)
{
    return VirtualAllocEx(NtCurrentProcess(), lpAddress, dwSize, flAllocationType, flProtect);
}

BOOL WINAPI VirtualFreeEx(HANDLE hProcess, LPVOID lpAddress, SIZE_T dwSize, DWORD dwFreeType)
{
    PVOID base = lpAddress;
    SIZE_T size = dwSize;
    if ((dwFreeType & MEM_RELEASE) && dwSize != 0)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    return BaseResult(NtFreeVirtualMemory(hProcess, &base, &size, dwFreeType));
}

BOOL WINAPI VirtualFree(LPVOID lpAddress, SIZE_T dwSize, DWORD dwFreeType)
{
    return VirtualFreeEx(NtCurrentProcess(), lpAddress, dwSize, dwFreeType);
}

BOOL WINAPI VirtualProtectEx(HANDLE hProcess, LPVOID lpAddress, SIZE_T dwSize, DWORD flNewProtect,
                             PDWORD lpflOldProtect)
{
    PVOID base = lpAddress;
    SIZE_T size = dwSize;
    return BaseResult(NtProtectVirtualMemory(hProcess, &base, &size, flNewProtect, lpflOldProtect));
}

BOOL WINAPI VirtualProtect(LPVOID lpAddress, SIZE_T dwSize, DWORD flNewProtect, PDWORD lpflOldProtect)
{
    return VirtualProtectEx(NtCurrentProcess(), lpAddress, dwSize, flNewProtect, lpflOldProtect);
}

SIZE_T WINAPI VirtualQueryEx(HANDLE hProcess, LPCVOID lpAddress, PMEMORY_BASIC_INFORMATION lpBuffer, SIZE_T dwLength)
{
    SIZE_T length = 0;
    NTSTATUS status = NtQueryVirtualMemory(hProcess, (PVOID)lpAddress, MemoryBasicInformation, lpBuffer, dwLength,
                                           &length);
    return BaseResult(status) ? length : 0;
}

SIZE_T WINAPI VirtualQuery(LPCVOID lpAddress, PMEMORY_BASIC_INFORMATION lpBuffer, SIZE_T dwLength)
{
    return VirtualQueryEx(NtCurrentProcess(), lpAddress, lpBuffer, dwLength);
}

#define BASE_MAP_PROCESS 1u /* lock into the working set, not into memory for good */

BOOL WINAPI VirtualLock(LPVOID lpAddress, SIZE_T dwSize)
{
    PVOID base = lpAddress;
    SIZE_T size = dwSize;
    return BaseResult(NtLockVirtualMemory(NtCurrentProcess(), &base, &size, BASE_MAP_PROCESS));
}

BOOL WINAPI VirtualUnlock(LPVOID lpAddress, SIZE_T dwSize)
{
    PVOID base = lpAddress;
    SIZE_T size = dwSize;
    return BaseResult(NtUnlockVirtualMemory(NtCurrentProcess(), &base, &size, BASE_MAP_PROCESS));
}

/* Whether every page of a range can be touched. Asked by touching, like the originals. */
static BOOL BaseProbe(const volatile UCHAR *Address, UINT_PTR Size, BOOLEAN Write)
{
    BOOL bad = FALSE;
    if (Size == 0)
    {
        return FALSE;
    }
    if (Address == NULL || (ULONG_PTR)Address + Size - 1 < (ULONG_PTR)Address)
    {
        return TRUE;
    }
    __try
    {
        const volatile UCHAR *last = Address + Size - 1;
        for (const volatile UCHAR *byte = Address;;
             byte = (const volatile UCHAR *)(((ULONG_PTR)byte & ~0xFFFull) + 0x1000))
        {
            if (byte > last)
            {
                byte = last;
            }
            UCHAR value = *byte;
            if (Write)
            {
                *(volatile UCHAR *)(ULONG_PTR)byte = value;
            }
            if (byte == last)
            {
                break;
            }
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        bad = TRUE;
    }
    return bad;
}

BOOL WINAPI IsBadReadPtr(CONST VOID *lp, UINT_PTR ucb)
{
    return BaseProbe(lp, ucb, FALSE);
}

BOOL WINAPI IsBadWritePtr(LPVOID lp, UINT_PTR ucb)
{
    return BaseProbe(lp, ucb, TRUE);
}

/* ---- Heaps: allocation itself is forwarded to ntdll ---- */

HANDLE WINAPI GetProcessHeap(VOID)
{
    return RtlProcessHeap();
}

HANDLE WINAPI HeapCreate(DWORD flOptions, SIZE_T dwInitialSize, SIZE_T dwMaximumSize)
{
    ULONG flags = flOptions & (HEAP_NO_SERIALIZE | HEAP_GENERATE_EXCEPTIONS | HEAP_CREATE_ENABLE_EXECUTE);
    if (dwMaximumSize == 0)
    {
        flags |= HEAP_GROWABLE;
    }
    else if (dwMaximumSize < dwInitialSize)
    {
        dwMaximumSize = dwInitialSize;
    }
    HANDLE heap = RtlCreateHeap(flags, NULL, dwMaximumSize, dwInitialSize, NULL, NULL);
    if (heap == NULL)
    {
        RtlSetLastWin32Error(ERROR_NOT_ENOUGH_MEMORY);
    }
    return heap;
}

BOOL WINAPI HeapDestroy(HANDLE hHeap)
{
    return RtlDestroyHeap(hHeap) == NULL ? TRUE : BaseFailWith(ERROR_INVALID_HANDLE);
}

BOOL WINAPI HeapFree(HANDLE hHeap, DWORD dwFlags, LPVOID lpMem)
{
    return RtlFreeHeap(hHeap, dwFlags, lpMem);
}

BOOL WINAPI HeapValidate(HANDLE hHeap, DWORD dwFlags, LPCVOID lpMem)
{
    return RtlValidateHeap(hHeap, dwFlags, (PVOID)lpMem);
}

BOOL WINAPI HeapLock(HANDLE hHeap)
{
    return RtlLockHeap(hHeap);
}

BOOL WINAPI HeapUnlock(HANDLE hHeap)
{
    return RtlUnlockHeap(hHeap);
}

SIZE_T WINAPI HeapCompact(HANDLE hHeap, DWORD dwFlags)
{
    return RtlCompactHeap(hHeap, dwFlags);
}

DWORD WINAPI GetProcessHeaps(DWORD NumberOfHeaps, PHANDLE ProcessHeaps)
{
    return RtlGetProcessHeaps(NumberOfHeaps, ProcessHeaps);
}

/* ---- Sections ---- */

HANDLE WINAPI CreateFileMappingW(HANDLE hFile, LPSECURITY_ATTRIBUTES lpFileMappingAttributes, DWORD flProtect,
                                 DWORD dwMaximumSizeHigh, DWORD dwMaximumSizeLow, LPCWSTR lpName)
{
    const DWORD sectionFlags = SEC_FILE | SEC_IMAGE | SEC_RESERVE | SEC_COMMIT | SEC_NOCACHE | SEC_LARGE_PAGES;
    BASE_OBJECT object;
    HANDLE handle = NULL;
    ACCESS_MASK access = STANDARD_RIGHTS_REQUIRED | SECTION_QUERY | SECTION_MAP_READ;
    LARGE_INTEGER size;
    DWORD attributes = flProtect & sectionFlags;
    DWORD protect = flProtect & ~sectionFlags;

    switch (protect)
    {
    case PAGE_READWRITE:
        access |= SECTION_MAP_WRITE;
        break;
    case PAGE_EXECUTE_READWRITE:
        access |= SECTION_MAP_WRITE | SECTION_MAP_EXECUTE;
        break;
    case PAGE_EXECUTE_READ:
    case PAGE_EXECUTE_WRITECOPY:
        access |= SECTION_MAP_EXECUTE;
        break;
    case PAGE_READONLY:
    case PAGE_WRITECOPY:
        break;
    default:
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    size.LowPart = dwMaximumSizeLow;
    size.HighPart = (LONG)dwMaximumSizeHigh;
    if (hFile == INVALID_HANDLE_VALUE && size.QuadPart == 0)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (!BaseObject(&object, lpFileMappingAttributes, lpName, OBJ_OPENIF))
    {
        return NULL;
    }
    NTSTATUS status = NtCreateSection(&handle, access, &object.Attributes, size.QuadPart != 0 ? &size : NULL, protect,
                                      attributes != 0 ? attributes : SEC_COMMIT,
                                      hFile != INVALID_HANDLE_VALUE ? hFile : NULL);
    BaseReleaseObject(&object);
    return BaseCreated(status, handle);
}

HANDLE WINAPI CreateFileMappingA(HANDLE hFile, LPSECURITY_ATTRIBUTES lpFileMappingAttributes, DWORD flProtect,
                                 DWORD dwMaximumSizeHigh, DWORD dwMaximumSizeLow, LPCSTR lpName)
{
    BASE_WIDE name;
    HANDLE handle = NULL;
    if (BaseWiden(&name, lpName))
    {
        handle = CreateFileMappingW(hFile, lpFileMappingAttributes, flProtect, dwMaximumSizeHigh, dwMaximumSizeLow,
                                    name.Text);
    }
    BaseRelease(&name);
    return handle;
}

HANDLE WINAPI OpenFileMappingW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName)
{
    BASE_OBJECT object;
    HANDLE handle = NULL;
    ACCESS_MASK access = dwDesiredAccess;
    if (lpName == NULL)
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (dwDesiredAccess == FILE_MAP_COPY)
    {
        access = SECTION_MAP_READ;
    }
    if (!BaseObject(&object, NULL, lpName, bInheritHandle ? OBJ_INHERIT : 0))
    {
        return NULL;
    }
    NTSTATUS status = NtOpenSection(&handle, access & ~FILE_MAP_EXECUTE, &object.Attributes);
    BaseReleaseObject(&object);
    return BaseResult(status) ? handle : NULL;
}

HANDLE WINAPI OpenFileMappingA(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCSTR lpName)
{
    BASE_WIDE name;
    HANDLE handle = NULL;
    if (BaseWiden(&name, lpName))
    {
        handle = OpenFileMappingW(dwDesiredAccess, bInheritHandle, name.Text);
    }
    BaseRelease(&name);
    return handle;
}

LPVOID WINAPI MapViewOfFileEx(HANDLE hFileMappingObject, DWORD dwDesiredAccess, DWORD dwFileOffsetHigh,
                              DWORD dwFileOffsetLow, SIZE_T dwNumberOfBytesToMap, LPVOID lpBaseAddress)
{
    PVOID base = lpBaseAddress;
    SIZE_T size = dwNumberOfBytesToMap;
    LARGE_INTEGER offset;
    BOOLEAN execute = (dwDesiredAccess & FILE_MAP_EXECUTE) != 0;
    ULONG protect;

    if (dwDesiredAccess == FILE_MAP_COPY || dwDesiredAccess == (FILE_MAP_COPY | FILE_MAP_EXECUTE))
    {
        protect = execute ? PAGE_EXECUTE_WRITECOPY : PAGE_WRITECOPY;
    }
    else if (dwDesiredAccess & FILE_MAP_WRITE)
    {
        protect = execute ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE;
    }
    else if (dwDesiredAccess & FILE_MAP_READ)
    {
        protect = execute ? PAGE_EXECUTE_READ : PAGE_READONLY;
    }
    else
    {
        protect = PAGE_NOACCESS;
    }
    offset.LowPart = dwFileOffsetLow;
    offset.HighPart = (LONG)dwFileOffsetHigh;
    NTSTATUS status = NtMapViewOfSection(hFileMappingObject, NtCurrentProcess(), &base, 0, 0, &offset, &size,
                                         ViewShare, 0, protect);
    return BaseResult(status) ? base : NULL;
}

LPVOID WINAPI MapViewOfFile(HANDLE hFileMappingObject, DWORD dwDesiredAccess, DWORD dwFileOffsetHigh,
                            DWORD dwFileOffsetLow, SIZE_T dwNumberOfBytesToMap)
{
    return MapViewOfFileEx(hFileMappingObject, dwDesiredAccess, dwFileOffsetHigh, dwFileOffsetLow,
                           dwNumberOfBytesToMap, NULL);
}

BOOL WINAPI UnmapViewOfFile(LPCVOID lpBaseAddress)
{
    return BaseResult(NtUnmapViewOfSection(NtCurrentProcess(), (PVOID)lpBaseAddress));
}
