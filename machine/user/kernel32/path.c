/* SPDX-License-Identifier: MIT */
/* Paths, the current directory, the environment, the command line. */
#include "base.h"

/* Turns ntdll's byte counts (without the zero if it fitted, with it if not) into characters. */
static DWORD BaseCharacters(ULONG Bytes)
{
    return Bytes / sizeof(WCHAR);
}

static ULONG BaseBytes(DWORD Characters)
{
    return Characters < 0x3FFFFFFF ? Characters * sizeof(WCHAR) : 0x7FFFFFFE;
}

/* ---- Paths ---- */

DWORD WINAPI GetFullPathNameW(LPCWSTR lpFileName, DWORD nBufferLength, LPWSTR lpBuffer, LPWSTR *lpFilePart)
{
    ULONG bytes = RtlGetFullPathName_U(lpFileName, BaseBytes(nBufferLength), lpBuffer, lpFilePart);
    if (bytes == 0)
    {
        RtlSetLastWin32Error(ERROR_INVALID_NAME);
    }
    return BaseCharacters(bytes);
}

DWORD WINAPI GetFullPathNameA(LPCSTR lpFileName, DWORD nBufferLength, LPSTR lpBuffer, LPSTR *lpFilePart)
{
    BASE_WIDE name;
    WCHAR full[1024];
    PWSTR part = NULL;
    DWORD result = 0;
    if (BaseWiden(&name, lpFileName))
    {
        DWORD length = GetFullPathNameW(name.Text, ARRAYSIZE(full), full, &part);
        if (length >= ARRAYSIZE(full))
        {
            RtlSetLastWin32Error(ERROR_FILENAME_EXCED_RANGE);
        }
        else if (length != 0)
        {
            result = BaseNarrow(full, length, lpBuffer, nBufferLength);
        }
        if (lpFilePart != NULL)
        {
            *lpFilePart = NULL;
            if (part != NULL && result != 0 && result < nBufferLength)
            {
                ULONG front = 0;
                RtlUnicodeToUTF8N(NULL, 0, &front, full, (ULONG)((PUCHAR)part - (PUCHAR)full));
                *lpFilePart = lpBuffer + front;
            }
        }
    }
    BaseRelease(&name);
    return result;
}

DWORD WINAPI GetCurrentDirectoryW(DWORD nBufferLength, LPWSTR lpBuffer)
{
    return BaseCharacters(RtlGetCurrentDirectory_U(BaseBytes(nBufferLength), lpBuffer));
}

DWORD WINAPI GetCurrentDirectoryA(DWORD nBufferLength, LPSTR lpBuffer)
{
    WCHAR path[MAX_PATH + 8];
    DWORD length = GetCurrentDirectoryW(ARRAYSIZE(path), path);
    return BaseNarrow(path, length, lpBuffer, nBufferLength);
}

BOOL WINAPI SetCurrentDirectoryW(LPCWSTR lpPathName)
{
    UNICODE_STRING path;
    if (lpPathName == NULL)
    {
        return BaseFailWith(ERROR_INVALID_NAME);
    }
    return BaseInitString(&path, lpPathName) && BaseResult(RtlSetCurrentDirectory_U(&path));
}

BOOL WINAPI SetCurrentDirectoryA(LPCSTR lpPathName)
{
    BASE_WIDE path;
    BOOL result = BaseWiden(&path, lpPathName) && SetCurrentDirectoryW(path.Text);
    BaseRelease(&path);
    return result;
}

static DWORD BaseCopyOut(PCWSTR Text, LPWSTR Buffer, DWORD Size)
{
    DWORD length = (DWORD)BaseLength(Text);
    if (length + 1 > Size || Buffer == NULL)
    {
        return length + 1;
    }
    memcpy(Buffer, Text, (length + 1) * sizeof(WCHAR));
    return length;
}

static VOID BaseWindowsDirectory(PCWSTR Tail, PWSTR Path)
{
    SIZE_T length = BaseLength((PCWSTR)(ULONG_PTR)SharedUserData->NtSystemRoot);
    if (length == 0 || length > 200)
    {
        length = 10;
        memcpy(Path, L"C:\\Windows", length * sizeof(WCHAR));
    }
    else
    {
        memcpy(Path, (PCWSTR)(ULONG_PTR)SharedUserData->NtSystemRoot, length * sizeof(WCHAR));
    }
    memcpy(Path + length, Tail, (BaseLength(Tail) + 1) * sizeof(WCHAR));
}

UINT WINAPI GetWindowsDirectoryW(LPWSTR lpBuffer, UINT uSize)
{
    WCHAR path[260];
    BaseWindowsDirectory(L"", path);
    return BaseCopyOut(path, lpBuffer, uSize);
}

UINT WINAPI GetWindowsDirectoryA(LPSTR lpBuffer, UINT uSize)
{
    WCHAR path[260];
    BaseWindowsDirectory(L"", path);
    return BaseNarrow(path, BaseLength(path), lpBuffer, uSize);
}

UINT WINAPI GetSystemDirectoryW(LPWSTR lpBuffer, UINT uSize)
{
    WCHAR path[260];
    BaseWindowsDirectory(L"\\System32", path);
    return BaseCopyOut(path, lpBuffer, uSize);
}

UINT WINAPI GetSystemDirectoryA(LPSTR lpBuffer, UINT uSize)
{
    WCHAR path[260];
    BaseWindowsDirectory(L"\\System32", path);
    return BaseNarrow(path, BaseLength(path), lpBuffer, uSize);
}

/** TMP, else TEMP, else the Windows directory; always ends in a backslash, and need not exist. */
DWORD WINAPI GetTempPathW(DWORD nBufferLength, LPWSTR lpBuffer)
{
    WCHAR path[MAX_PATH + 2];
    DWORD length = GetEnvironmentVariableW(L"TMP", path, MAX_PATH);
    if (length == 0 || length >= MAX_PATH)
    {
        length = GetEnvironmentVariableW(L"TEMP", path, MAX_PATH);
    }
    if (length == 0 || length >= MAX_PATH)
    {
        BaseWindowsDirectory(L"", path);
        length = (DWORD)BaseLength(path);
    }
    if (path[length - 1] != L'\\')
    {
        path[length++] = L'\\';
        path[length] = 0;
    }
    return BaseCopyOut(path, lpBuffer, nBufferLength);
}

DWORD WINAPI GetTempPathA(DWORD nBufferLength, LPSTR lpBuffer)
{
    WCHAR path[MAX_PATH + 2];
    DWORD length = GetTempPathW(ARRAYSIZE(path), path);
    return BaseNarrow(path, length, lpBuffer, nBufferLength);
}

/* ---- Environment ---- */

DWORD WINAPI GetEnvironmentVariableW(LPCWSTR lpName, LPWSTR lpBuffer, DWORD nSize)
{
    UNICODE_STRING name;
    if (lpName == NULL || !BaseInitString(&name, lpName))
    {
        RtlSetLastWin32Error(ERROR_INVALID_PARAMETER);
        return 0;
    }
    ULONG bytes = nSize != 0 ? BaseBytes(nSize - 1) : 0;
    UNICODE_STRING value = {0, (USHORT)(bytes < 0xFFFC ? bytes : 0xFFFC), lpBuffer};
    NTSTATUS status = RtlQueryEnvironmentVariable_U(NULL, &name, &value);
    if (status == STATUS_BUFFER_TOO_SMALL)
    {
        return BaseCharacters(value.Length) + 1;
    }
    if (!NT_SUCCESS(status))
    {
        BaseFail(status);
        return 0;
    }
    if (nSize == 0)
    {
        return 1; /* an empty value, and no room for its zero */
    }
    lpBuffer[value.Length / sizeof(WCHAR)] = 0;
    if (value.Length == 0)
    {
        RtlSetLastWin32Error(ERROR_SUCCESS);
    }
    return BaseCharacters(value.Length);
}

DWORD WINAPI GetEnvironmentVariableA(LPCSTR lpName, LPSTR lpBuffer, DWORD nSize)
{
    BASE_WIDE name;
    DWORD result = 0;
    if (BaseWiden(&name, lpName))
    {
        PWSTR value = RtlAllocateHeap(RtlProcessHeap(), 0, 0x8000 * sizeof(WCHAR));
        if (value == NULL)
        {
            RtlSetLastWin32Error(ERROR_NOT_ENOUGH_MEMORY);
        }
        else
        {
            RtlSetLastWin32Error(ERROR_SUCCESS);
            DWORD length = GetEnvironmentVariableW(name.Text, value, 0x8000);
            if (length != 0 || GetLastError() == ERROR_SUCCESS)
            {
                result = BaseNarrow(value, length, lpBuffer, nSize);
            }
            RtlFreeHeap(RtlProcessHeap(), 0, value);
        }
    }
    BaseRelease(&name);
    return result;
}

BOOL WINAPI SetEnvironmentVariableW(LPCWSTR lpName, LPCWSTR lpValue)
{
    UNICODE_STRING name;
    UNICODE_STRING value;
    if (lpName == NULL || !BaseInitString(&name, lpName) || !BaseInitString(&value, lpValue))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    NTSTATUS status = RtlSetEnvironmentVariable(NULL, &name, lpValue != NULL ? &value : NULL);
    return BaseResult(status);
}

BOOL WINAPI SetEnvironmentVariableA(LPCSTR lpName, LPCSTR lpValue)
{
    BASE_WIDE name = {0};
    BASE_WIDE value = {0};
    BOOL result = BaseWiden(&name, lpName) && BaseWiden(&value, lpValue) &&
                  SetEnvironmentVariableW(name.Text, value.Text);
    BaseRelease(&name);
    BaseRelease(&value);
    return result;
}

/** A copy of the environment, for FreeEnvironmentStringsW. */
LPWCH WINAPI GetEnvironmentStringsW(VOID)
{
    PWSTR environment;
    NTSTATUS status = RtlCreateEnvironment(TRUE, &environment);
    if (!NT_SUCCESS(status))
    {
        BaseFail(status);
        return NULL;
    }
    return environment;
}

BOOL WINAPI FreeEnvironmentStringsW(LPWCH penv)
{
    RtlDestroyEnvironment(penv);
    return TRUE;
}

/** The same as ANSI text (exported as GetEnvironmentStringsA too). */
LPCH WINAPI BaseGetEnvironmentStringsA(VOID)
{
    PWSTR wide = GetEnvironmentStringsW();
    SIZE_T length = 0;
    ULONG bytes = 0;
    if (wide == NULL)
    {
        return NULL;
    }
    while (wide[length] != 0)
    {
        length += BaseLength(wide + length) + 1;
    }
    length++;
    RtlUnicodeToUTF8N(NULL, 0, &bytes, wide, (ULONG)(length * sizeof(WCHAR)));
    PSTR narrow = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, bytes + 1);
    if (narrow == NULL)
    {
        RtlSetLastWin32Error(ERROR_NOT_ENOUGH_MEMORY);
    }
    else
    {
        RtlUnicodeToUTF8N(narrow, bytes, &bytes, wide, (ULONG)(length * sizeof(WCHAR)));
    }
    RtlDestroyEnvironment(wide);
    return narrow;
}

BOOL WINAPI FreeEnvironmentStringsA(LPCH penv)
{
    return RtlFreeHeap(RtlProcessHeap(), 0, penv);
}

DWORD WINAPI ExpandEnvironmentStringsW(LPCWSTR lpSrc, LPWSTR lpDst, DWORD nSize)
{
    UNICODE_STRING source;
    ULONG needed = 0;
    if (!BaseInitString(&source, lpSrc))
    {
        return 0;
    }
    ULONG bytes = BaseBytes(nSize);
    UNICODE_STRING destination = {0, (USHORT)(bytes < 0xFFFE ? bytes : 0xFFFE), lpDst};
    NTSTATUS status = RtlExpandEnvironmentStrings_U(NULL, &source, &destination, &needed);
    if (!NT_SUCCESS(status) && status != STATUS_BUFFER_TOO_SMALL)
    {
        BaseFail(status);
        return 0;
    }
    return BaseCharacters(needed);
}

DWORD WINAPI ExpandEnvironmentStringsA(LPCSTR lpSrc, LPSTR lpDst, DWORD nSize)
{
    BASE_WIDE source;
    DWORD result = 0;
    if (BaseWiden(&source, lpSrc) && source.Text != NULL)
    {
        PWSTR expanded = RtlAllocateHeap(RtlProcessHeap(), 0, 0xFFFE);
        DWORD length = expanded != NULL ? ExpandEnvironmentStringsW(source.Text, expanded, 0x7FFF) : 0;
        if (length != 0 && length <= 0x7FFF)
        {
            result = BaseNarrow(expanded, length - 1, lpDst, nSize);
            result += result < nSize; /* this one counts the zero */
        }
        RtlFreeHeap(RtlProcessHeap(), 0, expanded);
    }
    BaseRelease(&source);
    return result;
}

/* ---- Command line and start-up information ---- */

static RTL_RUN_ONCE BaseCommandLineOnce;
static PSTR BaseCommandLineA;

static DWORD WINAPI BaseMakeCommandLine(PRTL_RUN_ONCE Once, PVOID Parameter, PVOID *Context)
{
    UNREFERENCED_PARAMETER(Once);
    UNREFERENCED_PARAMETER(Parameter);
    PUNICODE_STRING wide = &NtCurrentPeb()->ProcessParameters->CommandLine;
    SIZE_T size = (SIZE_T)wide->Length * 3 / 2 + 1;
    BaseCommandLineA = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, size);
    if (BaseCommandLineA == NULL)
    {
        return FALSE;
    }
    BaseNarrow(wide->Buffer, wide->Length / sizeof(WCHAR), BaseCommandLineA, (DWORD)size);
    *Context = NULL;
    return TRUE;
}

LPWSTR WINAPI GetCommandLineW(VOID)
{
    return NtCurrentPeb()->ProcessParameters->CommandLine.Buffer;
}

LPSTR WINAPI GetCommandLineA(VOID)
{
    RtlRunOnceExecuteOnce(&BaseCommandLineOnce, BaseMakeCommandLine, NULL, NULL);
    return BaseCommandLineA;
}

VOID WINAPI GetStartupInfoW(LPSTARTUPINFOW lpStartupInfo)
{
    PRTL_USER_PROCESS_PARAMETERS parameters = NtCurrentPeb()->ProcessParameters;
    memset(lpStartupInfo, 0, sizeof(*lpStartupInfo));
    lpStartupInfo->cb = sizeof(*lpStartupInfo);
    lpStartupInfo->lpDesktop = parameters->DesktopInfo.Buffer;
    lpStartupInfo->lpTitle = parameters->WindowTitle.Buffer;
    lpStartupInfo->dwX = parameters->StartingX;
    lpStartupInfo->dwY = parameters->StartingY;
    lpStartupInfo->dwXSize = parameters->CountX;
    lpStartupInfo->dwYSize = parameters->CountY;
    lpStartupInfo->dwXCountChars = parameters->CountCharsX;
    lpStartupInfo->dwYCountChars = parameters->CountCharsY;
    lpStartupInfo->dwFillAttribute = parameters->FillAttribute;
    lpStartupInfo->dwFlags = parameters->WindowFlags;
    lpStartupInfo->wShowWindow = (WORD)parameters->ShowWindowFlags;
    lpStartupInfo->cbReserved2 = parameters->RuntimeData.Length;
    lpStartupInfo->lpReserved2 = (LPBYTE)parameters->RuntimeData.Buffer;
    if (lpStartupInfo->dwFlags & STARTF_USESTDHANDLES)
    {
        lpStartupInfo->hStdInput = parameters->StandardInput;
        lpStartupInfo->hStdOutput = parameters->StandardOutput;
        lpStartupInfo->hStdError = parameters->StandardError;
    }
}

/** The ANSI version leaves title and desktop out: no program of the machine has windows. */
VOID WINAPI GetStartupInfoA(LPSTARTUPINFOA lpStartupInfo)
{
    STARTUPINFOW wide;
    GetStartupInfoW(&wide);
    wide.lpDesktop = NULL;
    wide.lpTitle = NULL;
    _Static_assert(sizeof(STARTUPINFOA) == sizeof(STARTUPINFOW), "the same fields");
    memcpy(lpStartupInfo, &wide, sizeof(wide));
}

HANDLE WINAPI GetStdHandle(DWORD nStdHandle)
{
    if (nStdHandle != STD_INPUT_HANDLE && nStdHandle != STD_OUTPUT_HANDLE && nStdHandle != STD_ERROR_HANDLE)
    {
        RtlSetLastWin32Error(ERROR_INVALID_HANDLE);
        return INVALID_HANDLE_VALUE;
    }
    return BaseHandle((HANDLE)(LONG_PTR)(LONG)nStdHandle);
}

BOOL WINAPI SetStdHandle(DWORD nStdHandle, HANDLE hHandle)
{
    PRTL_USER_PROCESS_PARAMETERS parameters = NtCurrentPeb()->ProcessParameters;
    switch (nStdHandle)
    {
    case STD_INPUT_HANDLE:
        parameters->StandardInput = hHandle;
        return TRUE;
    case STD_OUTPUT_HANDLE:
        parameters->StandardOutput = hHandle;
        return TRUE;
    case STD_ERROR_HANDLE:
        parameters->StandardError = hHandle;
        return TRUE;
    default:
        return BaseFailWith(ERROR_INVALID_HANDLE);
    }
}
