/* SPDX-License-Identifier: MIT */
/*
 * Creating processes: the program's file from application name or command line, the parameter block,
 * one system call, the standard handles, and the first thread's start.
 */
#include "base.h"

#ifndef DUPLICATE_SAME_ATTRIBUTES
#define DUPLICATE_SAME_ATTRIBUTES 0x4u
#endif

#define BASE_PRIORITY_FLAGS                                                                                           \
    (NORMAL_PRIORITY_CLASS | IDLE_PRIORITY_CLASS | HIGH_PRIORITY_CLASS | REALTIME_PRIORITY_CLASS |                    \
     BELOW_NORMAL_PRIORITY_CLASS | ABOVE_NORMAL_PRIORITY_CLASS)

/* ---- Finding the program ---- */

/* Program's directory, current directory, System32, Windows, PATH. */
PWSTR BaseProgramPath(VOID)
{
    static const WCHAR system[] = L".;C:\\Windows\\System32;C:\\Windows;";
    const DWORD capacity = 0x10000;
    PWSTR path = RtlAllocateHeap(RtlProcessHeap(), 0, capacity * sizeof(WCHAR));
    if (path == NULL)
    {
        return NULL;
    }
    DWORD length = GetModuleFileNameW(NULL, path, 0x4000);
    while (length > 0 && path[length - 1] != L'\\')
    {
        length--;
    }
    if (length != 0)
    {
        path[length++] = L';';
    }
    memcpy(path + length, system, sizeof(system));
    length += ARRAYSIZE(system) - 1;
    if (GetEnvironmentVariableW(L"PATH", path + length, 0x8000) >= 0x8000)
    {
        path[length] = 0;
    }
    return path;
}

/* One candidate: as it is, or with ".exe" behind it. */
static BOOL BaseTryProgram(PCWSTR Name, SIZE_T Length, PCWSTR Path, PWSTR Full, ULONG FullBytes)
{
    PWSTR candidate = RtlAllocateHeap(RtlProcessHeap(), 0, (Length + 1) * sizeof(WCHAR));
    if (candidate == NULL)
    {
        return FALSE;
    }
    memcpy(candidate, Name, Length * sizeof(WCHAR));
    candidate[Length] = 0;
    ULONG bytes = RtlDosSearchPath_U(Path, candidate, L".exe", FullBytes, Full, NULL);
    RtlFreeHeap(RtlProcessHeap(), 0, candidate);
    if (bytes == 0 || bytes >= FullBytes)
    {
        return FALSE;
    }
    DWORD attributes = GetFileAttributesW(Full);
    return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/*
 * The program named by a command line: its first word, which may be quoted. Without quotes, spaces may
 * belong to the path, so longer and longer beginnings are tried: "C:\a b\c d" is C:\a.exe with an
 * argument, or C:\a b\c.exe, or C:\a b\c d.exe.
 */
static BOOL BaseFindInCommandLine(PCWSTR CommandLine, PCWSTR Path, PWSTR Full, ULONG FullBytes)
{
    while (*CommandLine == L' ' || *CommandLine == L'\t')
    {
        CommandLine++;
    }
    SIZE_T length = 0;
    if (*CommandLine == L'"')
    {
        CommandLine++;
        while (CommandLine[length] != 0 && CommandLine[length] != L'"')
        {
            length++;
        }
        return length != 0 && BaseTryProgram(CommandLine, length, Path, Full, FullBytes);
    }
    while (CommandLine[length] != 0)
    {
        while (CommandLine[length] != 0 && CommandLine[length] != L' ' && CommandLine[length] != L'\t')
        {
            length++;
        }
        if (BaseTryProgram(CommandLine, length, Path, Full, FullBytes))
        {
            return TRUE;
        }
        while (CommandLine[length] == L' ' || CommandLine[length] == L'\t')
        {
            length++;
        }
    }
    return FALSE;
}

static BOOL BaseFindProgram(PCWSTR Application, PCWSTR CommandLine, PWSTR Full, ULONG FullBytes)
{
    if (Application != NULL)
    {
        ULONG bytes = RtlGetFullPathName_U(Application, FullBytes, Full, NULL);
        if (bytes == 0 || bytes >= FullBytes)
        {
            return BaseFailWith(bytes == 0 ? ERROR_PATH_NOT_FOUND : ERROR_FILENAME_EXCED_RANGE);
        }
        return TRUE;
    }
    PWSTR path = BaseProgramPath();
    if (path == NULL)
    {
        return BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
    }
    BOOL found = BaseFindInCommandLine(CommandLine, path, Full, FullBytes);
    RtlFreeHeap(RtlProcessHeap(), 0, path);
    return found ? TRUE : BaseFailWith(ERROR_FILE_NOT_FOUND);
}

/* ---- Parameters ---- */

/* A full path with a backslash behind it; it must be a directory. NULL stays NULL: the creator's own. */
static BOOL BaseStartDirectory(PCWSTR Given, PWSTR *Directory)
{
    *Directory = NULL;
    if (Given == NULL)
    {
        return TRUE;
    }
    ULONG bytes = RtlGetFullPathName_U(Given, 0, NULL, NULL);
    DWORD attributes = GetFileAttributesW(Given);
    if (bytes == 0 || attributes == INVALID_FILE_ATTRIBUTES || !(attributes & FILE_ATTRIBUTE_DIRECTORY))
    {
        return BaseFailWith(ERROR_DIRECTORY);
    }
    PWSTR full = RtlAllocateHeap(RtlProcessHeap(), 0, bytes + 2 * sizeof(WCHAR));
    if (full == NULL)
    {
        return BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
    }
    SIZE_T length = RtlGetFullPathName_U(Given, bytes, full, NULL) / sizeof(WCHAR);
    if (full[length - 1] != L'\\')
    {
        full[length++] = L'\\';
        full[length] = 0;
    }
    *Directory = full;
    return TRUE;
}

/* An ANSI environment as a wide one. */
static BOOL BaseWidenEnvironment(PCSTR Environment, PWSTR *Wide)
{
    SIZE_T length = 0;
    ULONG bytes = 0;
    while (Environment[length] != 0)
    {
        length += BaseLengthA(Environment + length) + 1;
    }
    length++;
    PWSTR wide = RtlAllocateHeap(RtlProcessHeap(), HEAP_ZERO_MEMORY, (length + 1) * sizeof(WCHAR));
    if (wide == NULL)
    {
        return BaseFailWith(ERROR_NOT_ENOUGH_MEMORY);
    }
    RtlUTF8ToUnicodeN(wide, (ULONG)(length * sizeof(WCHAR)), &bytes, Environment, (ULONG)length);
    *Wide = wide;
    return TRUE;
}

static VOID BaseCopyStartupInfo(PRTL_USER_PROCESS_PARAMETERS Parameters, const STARTUPINFOW *Startup, DWORD Flags)
{
    PRTL_USER_PROCESS_PARAMETERS own = NtCurrentPeb()->ProcessParameters;
    Parameters->StartingX = Startup->dwX;
    Parameters->StartingY = Startup->dwY;
    Parameters->CountX = Startup->dwXSize;
    Parameters->CountY = Startup->dwYSize;
    Parameters->CountCharsX = Startup->dwXCountChars;
    Parameters->CountCharsY = Startup->dwYCountChars;
    Parameters->FillAttribute = Startup->dwFillAttribute;
    Parameters->WindowFlags = Startup->dwFlags;
    Parameters->ShowWindowFlags = Startup->wShowWindow;
    Parameters->ProcessGroupId = (Flags & CREATE_NEW_PROCESS_GROUP) ? 0 : own->ProcessGroupId;
    if (Startup->dwFlags & STARTF_USESTDHANDLES)
    {
        Parameters->StandardInput = Startup->hStdInput;
        Parameters->StandardOutput = Startup->hStdOutput;
        Parameters->StandardError = Startup->hStdError;
    }
    else if (!(Flags & DETACHED_PROCESS))
    {
        Parameters->StandardInput = own->StandardInput;
        Parameters->StandardOutput = own->StandardOutput;
        Parameters->StandardError = own->StandardError;
    }
}

/* Whether the creator's standard handles arrive in a child that inherits handles. */
static BOOL BaseStandardHandlesInherit(VOID)
{
    PRTL_USER_PROCESS_PARAMETERS own = NtCurrentPeb()->ProcessParameters;
    HANDLE handles[3] = {own->StandardInput, own->StandardOutput, own->StandardError};
    for (ULONG i = 0; i < 3; i++)
    {
        DWORD flags;
        if (handles[i] != NULL && GetHandleInformation(handles[i], &flags) && !(flags & HANDLE_FLAG_INHERIT))
        {
            return FALSE;
        }
    }
    return TRUE;
}

/*
 * Without STARTF_USESTDHANDLES a console program writes where its creator does. A child that inherits
 * nothing gets duplicates from the kernel, one that inherits has the same handles; but those that are
 * not inheritable are missing then, and all three are duplicated here before its first thread runs.
 */
static NTSTATUS BaseGiveStandardHandles(HANDLE Process)
{
    PRTL_USER_PROCESS_PARAMETERS own = NtCurrentPeb()->ProcessParameters;
    HANDLE sources[3] = {own->StandardInput, own->StandardOutput, own->StandardError};
    HANDLE targets[3] = {NULL, NULL, NULL};
    PROCESS_BASIC_INFORMATION basic;
    PVOID parameters = NULL;

    for (ULONG i = 0; i < 3; i++)
    {
        if (sources[i] != NULL && sources[i] != INVALID_HANDLE_VALUE)
        {
            /* A handle that was closed is simply not passed on. */
            NtDuplicateObject(NtCurrentProcess(), sources[i], Process, &targets[i], 0, 0,
                              DUPLICATE_SAME_ACCESS | DUPLICATE_SAME_ATTRIBUTES);
        }
    }
    NTSTATUS status = NtQueryInformationProcess(Process, ProcessBasicInformation, &basic, sizeof(basic), NULL);
    if (NT_SUCCESS(status))
    {
        status = NtReadVirtualMemory(Process, (PUCHAR)basic.PebBaseAddress + offsetof(PEB, ProcessParameters),
                                     &parameters, sizeof(parameters), NULL);
    }
    if (NT_SUCCESS(status))
    {
        status = NtWriteVirtualMemory(Process,
                                      (PUCHAR)parameters + offsetof(RTL_USER_PROCESS_PARAMETERS, StandardInput),
                                      targets, sizeof(targets), NULL);
    }
    return status;
}

static NTSTATUS BaseSetPriorityClass(HANDLE Process, DWORD Class)
{
    struct
    {
        BOOLEAN Foreground;
        UCHAR PriorityClass;
    } information = {FALSE, 0};
    switch (Class)
    {
    case IDLE_PRIORITY_CLASS:
        information.PriorityClass = 1;
        break;
    case NORMAL_PRIORITY_CLASS:
        information.PriorityClass = 2;
        break;
    case HIGH_PRIORITY_CLASS:
        information.PriorityClass = 3;
        break;
    case REALTIME_PRIORITY_CLASS:
        information.PriorityClass = 4;
        break;
    case BELOW_NORMAL_PRIORITY_CLASS:
        information.PriorityClass = 5;
        break;
    case ABOVE_NORMAL_PRIORITY_CLASS:
        information.PriorityClass = 6;
        break;
    default:
        return STATUS_INVALID_PARAMETER;
    }
    return NtSetInformationProcess(Process, ProcessPriorityClass, &information, sizeof(information));
}

/* ---- The call ---- */

typedef struct _BASE_CREATION
{
    PRTL_USER_PROCESS_PARAMETERS Parameters;
    LPSECURITY_ATTRIBUTES ProcessSecurity;
    LPSECURITY_ATTRIBUTES ThreadSecurity;
    const STARTUPINFOW *Startup;
    DWORD Flags;
    BOOL Inherit;
    HANDLE Token; /* NULL: the creator's */
} BASE_CREATION, *PBASE_CREATION;

static NTSTATUS BaseCreate(PBASE_CREATION Creation, LPPROCESS_INFORMATION Information)
{
    BASE_OBJECT process;
    BASE_OBJECT thread;
    HANDLE processHandle;
    HANDLE threadHandle;
    PS_CREATE_INFO createInfo = {.Size = sizeof(createInfo)};
    PS_ATTRIBUTE_LIST list = {.TotalLength = sizeof(list)};
    THREAD_BASIC_INFORMATION basic;

    list.Attributes[0].Attribute = PS_ATTRIBUTE_TOKEN;
    list.Attributes[0].Size = sizeof(HANDLE);
    list.Attributes[0].u.ValuePtr = Creation->Token;

    BaseObject(&process, Creation->ProcessSecurity, NULL, 0);
    BaseObject(&thread, Creation->ThreadSecurity, NULL, 0);
    NTSTATUS status = NtCreateUserProcess(&processHandle, &threadHandle, PROCESS_ALL_ACCESS, THREAD_ALL_ACCESS,
                                          &process.Attributes, &thread.Attributes,
                                          Creation->Inherit ? PROCESS_CREATE_FLAGS_INHERIT_HANDLES : 0,
                                          THREAD_CREATE_FLAGS_CREATE_SUSPENDED, Creation->Parameters, &createInfo,
                                          Creation->Token != NULL ? &list : NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = NtQueryInformationThread(threadHandle, ThreadBasicInformation, &basic, sizeof(basic), NULL);
    if (NT_SUCCESS(status) && Creation->Inherit && !(Creation->Startup->dwFlags & STARTF_USESTDHANDLES) &&
        !(Creation->Flags & DETACHED_PROCESS) && !BaseStandardHandlesInherit())
    {
        status = BaseGiveStandardHandles(processHandle);
    }
    if (NT_SUCCESS(status) && (Creation->Flags & BASE_PRIORITY_FLAGS))
    {
        status = BaseSetPriorityClass(processHandle, Creation->Flags & BASE_PRIORITY_FLAGS);
    }
    if (NT_SUCCESS(status) && !(Creation->Flags & CREATE_SUSPENDED))
    {
        status = NtResumeThread(threadHandle, NULL);
    }
    if (!NT_SUCCESS(status))
    {
        NtTerminateProcess(processHandle, status);
        NtClose(threadHandle);
        NtClose(processHandle);
        return status;
    }
    Information->hProcess = processHandle;
    Information->hThread = threadHandle;
    Information->dwProcessId = (DWORD)(ULONG_PTR)basic.ClientId.UniqueProcess;
    Information->dwThreadId = (DWORD)(ULONG_PTR)basic.ClientId.UniqueThread;
    return STATUS_SUCCESS;
}

static BOOL BaseMakeParameters(PBASE_CREATION Creation, PCWSTR Program, PCWSTR CommandLine, PCWSTR Directory,
                               PVOID Environment)
{
    UNICODE_STRING image;
    UNICODE_STRING command;
    UNICODE_STRING directory;
    UNICODE_STRING title;
    NTSTATUS status = RtlDosPathNameToNtPathName_U_WithStatus(Program, &image, NULL, NULL);
    if (!NT_SUCCESS(status))
    {
        return BaseFail(status);
    }
    BOOL result = BaseInitString(&command, CommandLine != NULL ? CommandLine : Program) &&
                  BaseInitString(&directory, Directory) && BaseInitString(&title, Creation->Startup->lpTitle);
    if (result)
    {
        status = RtlCreateProcessParametersEx(&Creation->Parameters, &image, NULL,
                                              Directory != NULL ? &directory : NULL, &command, Environment, &title,
                                              NULL, NULL, NULL, RTL_USER_PROC_PARAMS_NORMALIZED);
        result = BaseResult(status);
    }
    RtlFreeUnicodeString(&image);
    if (result)
    {
        BaseCopyStartupInfo(Creation->Parameters, Creation->Startup, Creation->Flags);
    }
    return result;
}

/**
 * Creates a process, as CreateProcessW and CreateProcessAsUserW do; the name is Windows' own.
 *
 * @param hToken     primary token of the new process, NULL = the creator's
 * @param hNewToken  unused
 */
BOOL WINAPI CreateProcessInternalW(HANDLE hToken, LPCWSTR lpApplicationName, LPWSTR lpCommandLine,
                                   LPSECURITY_ATTRIBUTES lpProcessAttributes,
                                   LPSECURITY_ATTRIBUTES lpThreadAttributes, BOOL bInheritHandles,
                                   DWORD dwCreationFlags, LPVOID lpEnvironment, LPCWSTR lpCurrentDirectory,
                                   LPSTARTUPINFOW lpStartupInfo, LPPROCESS_INFORMATION lpProcessInformation,
                                   PHANDLE hNewToken)
{
    const ULONG fullBytes = 0x8000 * sizeof(WCHAR);
    BASE_CREATION creation = {NULL, lpProcessAttributes, lpThreadAttributes, lpStartupInfo, dwCreationFlags,
                              bInheritHandles, hToken};
    UNREFERENCED_PARAMETER(hNewToken);
    PWSTR full = NULL;
    PWSTR directory = NULL;
    PWSTR environment = NULL;
    BOOL result = FALSE;

    if (lpApplicationName == NULL && (lpCommandLine == NULL || *lpCommandLine == 0))
    {
        return BaseFailWith(ERROR_INVALID_PARAMETER);
    }
    if (dwCreationFlags & (EXTENDED_STARTUPINFO_PRESENT | DEBUG_PROCESS | DEBUG_ONLY_THIS_PROCESS))
    {
        return BaseFailWith(ERROR_NOT_SUPPORTED);
    }
    full = RtlAllocateHeap(RtlProcessHeap(), 0, fullBytes);
    if (full == NULL)
    {
        RtlSetLastWin32Error(ERROR_NOT_ENOUGH_MEMORY);
        goto Exit;
    }
    if (!BaseFindProgram(lpApplicationName, lpCommandLine, full, fullBytes) ||
        !BaseStartDirectory(lpCurrentDirectory, &directory))
    {
        goto Exit;
    }
    if (lpEnvironment != NULL && !(dwCreationFlags & CREATE_UNICODE_ENVIRONMENT))
    {
        if (!BaseWidenEnvironment(lpEnvironment, &environment))
        {
            goto Exit;
        }
        lpEnvironment = environment;
    }
    if (!BaseMakeParameters(&creation, full, lpCommandLine, directory, lpEnvironment))
    {
        goto Exit;
    }
    result = BaseResult(BaseCreate(&creation, lpProcessInformation));

Exit:
    if (creation.Parameters != NULL)
    {
        RtlDestroyProcessParameters(creation.Parameters);
    }
    RtlFreeHeap(RtlProcessHeap(), 0, environment);
    RtlFreeHeap(RtlProcessHeap(), 0, directory);
    RtlFreeHeap(RtlProcessHeap(), 0, full);
    return result;
}

BOOL WINAPI CreateProcessW(LPCWSTR lpApplicationName, LPWSTR lpCommandLine,
                           LPSECURITY_ATTRIBUTES lpProcessAttributes, LPSECURITY_ATTRIBUTES lpThreadAttributes,
                           BOOL bInheritHandles, DWORD dwCreationFlags, LPVOID lpEnvironment,
                           LPCWSTR lpCurrentDirectory, LPSTARTUPINFOW lpStartupInfo,
                           LPPROCESS_INFORMATION lpProcessInformation)
{
    return CreateProcessInternalW(NULL, lpApplicationName, lpCommandLine, lpProcessAttributes, lpThreadAttributes,
                                  bInheritHandles, dwCreationFlags, lpEnvironment, lpCurrentDirectory, lpStartupInfo,
                                  lpProcessInformation, NULL);
}

/** CreateProcess with a primary token. The kernel decides whether the caller may assign it. */
BOOL WINAPI CreateProcessAsUserW(HANDLE hToken, LPCWSTR lpApplicationName, LPWSTR lpCommandLine,
                                 LPSECURITY_ATTRIBUTES lpProcessAttributes,
                                 LPSECURITY_ATTRIBUTES lpThreadAttributes, WINBOOL bInheritHandles,
                                 DWORD dwCreationFlags, LPVOID lpEnvironment, LPCWSTR lpCurrentDirectory,
                                 LPSTARTUPINFOW lpStartupInfo, LPPROCESS_INFORMATION lpProcessInformation)
{
    if (hToken == NULL)
    {
        return BaseFailWith(ERROR_INVALID_HANDLE);
    }
    return CreateProcessInternalW(hToken, lpApplicationName, lpCommandLine, lpProcessAttributes, lpThreadAttributes,
                                  bInheritHandles, dwCreationFlags, lpEnvironment, lpCurrentDirectory, lpStartupInfo,
                                  lpProcessInformation, NULL);
}

BOOL WINAPI CreateProcessA(LPCSTR lpApplicationName, LPSTR lpCommandLine, LPSECURITY_ATTRIBUTES lpProcessAttributes,
                           LPSECURITY_ATTRIBUTES lpThreadAttributes, BOOL bInheritHandles, DWORD dwCreationFlags,
                           LPVOID lpEnvironment, LPCSTR lpCurrentDirectory, LPSTARTUPINFOA lpStartupInfo,
                           LPPROCESS_INFORMATION lpProcessInformation)
{
    BASE_WIDE application = {0};
    BASE_WIDE command = {0};
    BASE_WIDE directory = {0};
    STARTUPINFOW startup;
    memcpy(&startup, lpStartupInfo, sizeof(startup));
    startup.lpDesktop = NULL;
    startup.lpTitle = NULL;
    startup.lpReserved = NULL;
    BOOL result = BaseWiden(&application, lpApplicationName) && BaseWiden(&command, lpCommandLine) &&
                  BaseWiden(&directory, lpCurrentDirectory) &&
                  CreateProcessW(application.Text, command.Text, lpProcessAttributes, lpThreadAttributes,
                                 bInheritHandles, dwCreationFlags, lpEnvironment, directory.Text, &startup,
                                 lpProcessInformation);
    BaseRelease(&application);
    BaseRelease(&command);
    BaseRelease(&directory);
    return result;
}

BOOL WINAPI SetPriorityClass(HANDLE hProcess, DWORD dwPriorityClass)
{
    return BaseResult(BaseSetPriorityClass(hProcess, dwPriorityClass));
}
