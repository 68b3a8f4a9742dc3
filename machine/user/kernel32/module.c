/* SPDX-License-Identifier: MIT */
/* DLLs and their exports. */
#include "base.h"

#ifndef LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR
#define LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR 0x100u
#define LOAD_LIBRARY_SEARCH_APPLICATION_DIR 0x200u
#define LOAD_LIBRARY_SEARCH_USER_DIRS 0x400u
#define LOAD_LIBRARY_SEARCH_SYSTEM32 0x800u
#define LOAD_LIBRARY_SEARCH_DEFAULT_DIRS 0x1000u
#endif

#define BASE_SEARCH_FLAGS                                                                                             \
    (LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_APPLICATION_DIR | LOAD_LIBRARY_SEARCH_USER_DIRS |         \
     LOAD_LIBRARY_SEARCH_SYSTEM32 | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)

/* The path of a module (NULL = the program) in a heap buffer. */
static PWSTR BaseModulePath(HMODULE Module)
{
    PWSTR buffer = RtlAllocateHeap(RtlProcessHeap(), 0, 0xFFFE);
    UNICODE_STRING name = {0, 0xFFFE, buffer};
    NTSTATUS status = buffer != NULL ? LdrGetDllFullName(Module, &name) : STATUS_NO_MEMORY;
    if (!NT_SUCCESS(status))
    {
        RtlFreeHeap(RtlProcessHeap(), 0, buffer);
        BaseFail(status);
        return NULL;
    }
    return buffer;
}

DWORD WINAPI GetModuleFileNameW(HMODULE hModule, LPWSTR lpFilename, DWORD nSize)
{
    DWORD bytes = nSize < 0x7FFF ? nSize * sizeof(WCHAR) : 0xFFFE;
    UNICODE_STRING name = {0, (USHORT)bytes, lpFilename};
    NTSTATUS status = LdrGetDllFullName(hModule, &name);
    if (status == STATUS_BUFFER_TOO_SMALL)
    {
        RtlSetLastWin32Error(ERROR_INSUFFICIENT_BUFFER);
        return nSize; /* cut off, with a zero behind it */
    }
    if (!NT_SUCCESS(status))
    {
        BaseFail(status);
        return 0;
    }
    RtlSetLastWin32Error(ERROR_SUCCESS);
    return name.Length / sizeof(WCHAR);
}

DWORD WINAPI GetModuleFileNameA(HMODULE hModule, LPSTR lpFilename, DWORD nSize)
{
    PWSTR path = BaseModulePath(hModule);
    ULONG bytes = 0;
    if (path == NULL)
    {
        return 0;
    }
    SIZE_T length = BaseLength(path);
    DWORD result = BaseNarrow(path, length, lpFilename, nSize);
    RtlSetLastWin32Error(ERROR_SUCCESS);
    if (result >= nSize)
    {
        if (nSize != 0)
        {
            RtlUnicodeToUTF8N(lpFilename, nSize - 1, &bytes, path, (ULONG)(length * sizeof(WCHAR)));
            lpFilename[bytes] = 0;
        }
        RtlSetLastWin32Error(ERROR_INSUFFICIENT_BUFFER);
        result = nSize;
    }
    RtlFreeHeap(RtlProcessHeap(), 0, path);
    return result;
}

/* ---- Handles of loaded modules ---- */

BOOL WINAPI GetModuleHandleExW(DWORD dwFlags, LPCWSTR lpModuleName, HMODULE *phModule)
{
    const DWORD known = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT |
                        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
    BOOLEAN pin = (dwFlags & GET_MODULE_HANDLE_EX_FLAG_PIN) != 0;
    BOOLEAN unchanged = (dwFlags & GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT) != 0;
    UNICODE_STRING name;
    PVOID base = NULL;
    NTSTATUS status = STATUS_SUCCESS;

    if (phModule == NULL)
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    *phModule = NULL;
    if ((dwFlags & ~known) || (pin && unchanged))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    if (lpModuleName == NULL)
    {
        base = NtCurrentPeb()->ImageBaseAddress;
    }
    else if (dwFlags & GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS)
    {
        PLDR_DATA_TABLE_ENTRY entry;
        ULONG_PTR cookie;
        LdrLockLoaderLock(0, NULL, &cookie);
        status = LdrFindEntryForAddress((PVOID)lpModuleName, &entry);
        if (NT_SUCCESS(status))
        {
            base = entry->DllBase;
            if (!unchanged)
            {
                status = LdrAddRefDll(pin ? LDR_ADDREF_DLL_PIN : 0, base);
            }
        }
        LdrUnlockLoaderLock(0, cookie);
        if (!NT_SUCCESS(status))
        {
            return BaseFailWith(ERROR_MOD_NOT_FOUND);
        }
    }
    else
    {
        if (!BaseInitString(&name, lpModuleName))
        {
            return FALSE;
        }
        status = LdrGetDllHandleEx((unchanged ? LDR_GET_DLL_HANDLE_EX_UNCHANGED_REFCOUNT : 0) |
                                       (pin ? LDR_GET_DLL_HANDLE_EX_PIN : 0),
                                   NULL, NULL, &name, &base);
    }
    *phModule = base;
    return BaseResult(status);
}

BOOL WINAPI GetModuleHandleExA(DWORD dwFlags, LPCSTR lpModuleName, HMODULE *phModule)
{
    if (dwFlags & GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS)
    {
        return GetModuleHandleExW(dwFlags, (LPCWSTR)lpModuleName, phModule);
    }
    BASE_WIDE name;
    BOOL result = BaseWiden(&name, lpModuleName) && GetModuleHandleExW(dwFlags, name.Text, phModule);
    BaseRelease(&name);
    return result;
}

HMODULE WINAPI GetModuleHandleW(LPCWSTR lpModuleName)
{
    HMODULE module;
    return GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, lpModuleName, &module) ? module : NULL;
}

HMODULE WINAPI GetModuleHandleA(LPCSTR lpModuleName)
{
    HMODULE module;
    return GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, lpModuleName, &module) ? module : NULL;
}

/* ---- Loading ---- */

static PWSTR BaseAppendDirectory(PWSTR Out, PCWSTR Text, SIZE_T Length)
{
    memcpy(Out, Text, Length * sizeof(WCHAR));
    Out[Length] = L';';
    return Out + Length + 1;
}

static SIZE_T BaseDirectoryLength(PCWSTR Path)
{
    SIZE_T length = BaseLength(Path);
    while (length > 0 && Path[length - 1] != L'\\' && Path[length - 1] != L'/')
    {
        length--;
    }
    return length;
}

/*
 * The directories that the flags ask for, ';' between them, in a heap buffer; NULL with *Failed FALSE
 * means "the usual ones".
 */
static PWSTR BaseSearchPath(PCWSTR FileName, DWORD Flags, PBOOL Failed)
{
    *Failed = FALSE;
    if (!(Flags & (BASE_SEARCH_FLAGS | LOAD_WITH_ALTERED_SEARCH_PATH)))
    {
        return NULL;
    }
    WCHAR system[MAX_PATH];
    SIZE_T systemLength = GetSystemDirectoryW(system, MAX_PATH);
    PWSTR program = BaseModulePath(NULL);
    SIZE_T own = BaseDirectoryLength(FileName);
    SIZE_T programLength = program != NULL ? BaseDirectoryLength(program) : 0;
    PWSTR path = RtlAllocateHeap(RtlProcessHeap(), 0, (own + programLength + systemLength + 8) * sizeof(WCHAR));
    if (path == NULL || program == NULL)
    {
        RtlFreeHeap(RtlProcessHeap(), 0, program);
        RtlFreeHeap(RtlProcessHeap(), 0, path);
        RtlSetLastWin32Error(ERROR_NOT_ENOUGH_MEMORY);
        *Failed = TRUE;
        return NULL;
    }
    PWSTR out = path;
    BOOLEAN altered = (Flags & LOAD_WITH_ALTERED_SEARCH_PATH) != 0;
    if (((Flags & LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR) || altered) && own != 0)
    {
        out = BaseAppendDirectory(out, FileName, own);
    }
    else if (altered)
    {
        out = BaseAppendDirectory(out, program, programLength);
    }
    if (Flags & (LOAD_LIBRARY_SEARCH_APPLICATION_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS))
    {
        out = BaseAppendDirectory(out, program, programLength);
    }
    if ((Flags & (LOAD_LIBRARY_SEARCH_SYSTEM32 | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)) || altered)
    {
        out = BaseAppendDirectory(out, system, systemLength);
    }
    if (altered)
    {
        out = BaseAppendDirectory(out, L".", 1);
    }
    *out = 0;
    RtlFreeHeap(RtlProcessHeap(), 0, program);
    return path;
}

HMODULE WINAPI LoadLibraryExW(LPCWSTR lpLibFileName, HANDLE hFile, DWORD dwFlags)
{
    UNICODE_STRING name;
    PVOID base = NULL;
    BOOL failed;
    if (lpLibFileName == NULL || hFile != NULL ||
        ((dwFlags & BASE_SEARCH_FLAGS) && (dwFlags & LOAD_WITH_ALTERED_SEARCH_PATH)))
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return NULL;
    }
    if (dwFlags & ~(BASE_SEARCH_FLAGS | LOAD_WITH_ALTERED_SEARCH_PATH))
    {
        RtlSetLastWin32Error(ERROR_NOT_SUPPORTED); /* as data, without imports, signatures */
        return NULL;
    }
    if (!BaseInitString(&name, lpLibFileName))
    {
        return NULL;
    }
    PWSTR path = BaseSearchPath(lpLibFileName, dwFlags, &failed);
    if (failed)
    {
        return NULL;
    }
    NTSTATUS status = LdrLoadDll(path, NULL, &name, &base);
    RtlFreeHeap(RtlProcessHeap(), 0, path);
    return BaseResult(status) ? base : NULL;
}

HMODULE WINAPI LoadLibraryExA(LPCSTR lpLibFileName, HANDLE hFile, DWORD dwFlags)
{
    BASE_WIDE name;
    HMODULE module = NULL;
    if (BaseWiden(&name, lpLibFileName))
    {
        module = LoadLibraryExW(name.Text, hFile, dwFlags);
    }
    BaseRelease(&name);
    return module;
}

HMODULE WINAPI LoadLibraryW(LPCWSTR lpLibFileName)
{
    return LoadLibraryExW(lpLibFileName, NULL, 0);
}

HMODULE WINAPI LoadLibraryA(LPCSTR lpLibFileName)
{
    return LoadLibraryExA(lpLibFileName, NULL, 0);
}

BOOL WINAPI FreeLibrary(HMODULE hLibModule)
{
    return BaseResult(LdrUnloadDll(hLibModule));
}

DECLSPEC_NORETURN VOID WINAPI FreeLibraryAndExitThread(HMODULE hLibModule, DWORD dwExitCode)
{
    LdrUnloadDll(hLibModule);
    ExitThread(dwExitCode);
}

BOOL WINAPI DisableThreadLibraryCalls(HMODULE hLibModule)
{
    return BaseResult(LdrDisableThreadCalloutsForDll(hLibModule));
}

FARPROC WINAPI GetProcAddress(HMODULE hModule, LPCSTR lpProcName)
{
    PVOID address = NULL;
    NTSTATUS status;
    PVOID base = hModule != NULL ? (PVOID)hModule : NtCurrentPeb()->ImageBaseAddress;
    if ((ULONG_PTR)lpProcName < 0x10000)
    {
        status = LdrGetProcedureAddress(base, NULL, (ULONG)(ULONG_PTR)lpProcName, &address);
    }
    else
    {
        SIZE_T length = BaseLengthA(lpProcName);
        if (length > 0xFFFE)
        {
            BaseFailWith(ERROR_PROC_NOT_FOUND);
            return NULL;
        }
        ANSI_STRING name = {(USHORT)length, (USHORT)length, (PSTR)lpProcName};
        status = LdrGetProcedureAddress(base, &name, 0, &address);
    }
    if (status == STATUS_ENTRYPOINT_NOT_FOUND || status == STATUS_ORDINAL_NOT_FOUND)
    {
        RtlSetLastWin32Error(ERROR_PROC_NOT_FOUND);
        return NULL;
    }
    return BaseResult(status) ? (FARPROC)address : NULL;
}
