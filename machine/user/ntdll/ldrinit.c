/* SPDX-License-Identifier: MIT */
/*
 * The start of a process and of a thread, in user mode.
 *
 *   kernel: image and ntdll mapped, PEB, TEB, stack with a CONTEXT on it
 *     -> LdrInitializeThunk (entry.S) -> LdrpInitialize(Context, NtdllBase)
 *          first thread:  heap, parameters, module records, imports, TLS, DllMains
 *          later threads: wait until that is done; TLS, DllMains
 *     -> NtContinue(Context): RtlUserThreadStart(start routine, parameter)
 */
#include "ntdllp.h"

static volatile LONG LdrpState; /* 0: nobody was here, 1: the first thread is at it, 2: done */

static const UNICODE_STRING LdrpSlashSystem32 = RTL_CONSTANT_STRING16(L"\\System32");

static SIZE_T LdrpLength(PCWSTR Text)
{
    SIZE_T length = 0;
    while (Text[length] != 0)
    {
        length++;
    }
    return length;
}

/* "<Windows>\System32" and "<program's directory>;<Windows>\System32;." */
static NTSTATUS LdrpBuildPaths(VOID)
{
    PUNICODE_STRING image = &NtCurrentPeb()->ProcessParameters->ImagePathName;
    PCWSTR root = (PCWSTR)(ULONG_PTR)SharedUserData->NtSystemRoot;
    SIZE_T rootLength = LdrpLength(root);
    if (rootLength == 0)
    {
        root = L"C:\\Windows";
        rootLength = LdrpLength(root);
    }
    SIZE_T system = rootLength + LdrpSlashSystem32.Length / sizeof(WCHAR);
    SIZE_T directory = image->Length / sizeof(WCHAR);
    while (directory > 0 && image->Buffer[directory - 1] != L'\\')
    {
        directory--;
    }
    LdrpSystemPath = RtlpAllocate((system + 1) * sizeof(WCHAR));
    LdrpDefaultPath = RtlpAllocate((directory + 1 + system + 1 + 2) * sizeof(WCHAR));
    if (LdrpSystemPath == NULL || LdrpDefaultPath == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    memcpy(LdrpSystemPath, root, rootLength * sizeof(WCHAR));
    memcpy(LdrpSystemPath + rootLength, LdrpSlashSystem32.Buffer, LdrpSlashSystem32.Length + sizeof(WCHAR));

    PWSTR out = LdrpDefaultPath;
    if (directory != 0)
    {
        memcpy(out, image->Buffer, directory * sizeof(WCHAR));
        out += directory;
        *out++ = L';';
    }
    memcpy(out, LdrpSystemPath, system * sizeof(WCHAR));
    memcpy(out + system, L";.", 3 * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

/* The two modules that the kernel mapped. */
static NTSTATUS LdrpRecordFirstModules(PVOID NtdllBase)
{
    WCHAR buffer[300];
    SIZE_T length = LdrpLength(LdrpSystemPath);
    PPEB peb = NtCurrentPeb();

    if (length > 260)
    {
        return STATUS_NAME_TOO_LONG;
    }
    memcpy(buffer, LdrpSystemPath, length * sizeof(WCHAR));
    memcpy(buffer + length, L"\\ntdll.dll", 10 * sizeof(WCHAR));
    UNICODE_STRING ntdllName = {(USHORT)((length + 10) * sizeof(WCHAR)), 0, buffer};

    NTSTATUS status = LdrpCreateModule(peb->ImageBaseAddress, &peb->ProcessParameters->ImagePathName,
                                       &LdrpImageModule);
    if (NT_SUCCESS(status))
    {
        LdrpImageModule->Entry.LoadCount = LDRP_PINNED;
        status = LdrpCreateModule(NtdllBase, &ntdllName, &LdrpNtdllModule);
    }
    if (NT_SUCCESS(status))
    {
        LdrpNtdllModule->Entry.LoadCount = LDRP_PINNED;
        LdrpNtdllModule->Snapped = TRUE;
    }
    return status;
}

static NTSTATUS LdrpPrepareProgram(VOID)
{
    NTSTATUS status;
    __try
    {
        status = LdrpRelocateImage(LdrpImageModule);
        if (NT_SUCCESS(status))
        {
            status = LdrpRegisterTls(LdrpImageModule);
        }
        if (NT_SUCCESS(status))
        {
            status = LdrpSnapModule(LdrpImageModule, NULL);
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        RtlpReport(L"the program's image is broken: exception 0x%08X", GetExceptionCode());
        status = STATUS_INVALID_IMAGE_FORMAT;
    }
    return status;
}

static NTSTATUS LdrpInitializeProcess(PCONTEXT Context, PVOID NtdllBase)
{
    PPEB peb = NtCurrentPeb();
    peb->FastPebLock = &RtlpPebLock;
    peb->LoaderLock = &LdrpLoaderLock;
    peb->Ldr = &LdrpData;
    RtlpInitializeTls();

    NTSTATUS status = RtlpInitializeHeaps();
    if (NT_SUCCESS(status))
    {
        status = RtlpInitializeParameters();
    }
    if (NT_SUCCESS(status))
    {
        status = RtlpInitializeCurrentDirectory();
    }
    if (NT_SUCCESS(status))
    {
        status = LdrpBuildPaths();
    }
    if (NT_SUCCESS(status))
    {
        status = LdrpRecordFirstModules(NtdllBase);
    }
    if (NT_SUCCESS(status))
    {
        status = LdrpPrepareProgram();
    }
    if (NT_SUCCESS(status))
    {
        status = LdrpInitializeThreadTls();
    }
    if (NT_SUCCESS(status))
    {
        LdrpData.Initialized = TRUE;
        LdrpStaticReserved = Context;
        status = LdrpAttach(LdrpImageModule);
        LdrpStaticReserved = NULL;
    }
    if (NT_SUCCESS(status))
    {
        LdrpImageModule->Attached = TRUE;
        LdrpCallTlsCallbacks(LdrpImageModule, DLL_PROCESS_ATTACH, Context);
    }
    return status;
}

/* Statuses whose reason has been told where it was found. */
static BOOLEAN LdrpIsReported(NTSTATUS Status)
{
    return Status == STATUS_DLL_NOT_FOUND || Status == STATUS_ENTRYPOINT_NOT_FOUND ||
           Status == STATUS_ORDINAL_NOT_FOUND || Status == STATUS_DLL_INIT_FAILED;
}

static NTSTATUS LdrpInitializeThread(VOID)
{
    RtlEnterCriticalSection(&LdrpLoaderLock);
    NTSTATUS status = LdrpInitializeThreadTls();
    if (NT_SUCCESS(status))
    {
        LdrpNotifyAttach();
    }
    RtlLeaveCriticalSection(&LdrpLoaderLock);
    return status;
}

/** From LdrInitializeThunk: where every user thread begins. Does not return. */
VOID LdrpInitialize(PCONTEXT Context, PVOID NtdllBase)
{
    NTSTATUS status = RtlpInitializeThreadWait();
    if (!NT_SUCCESS(status))
    {
        NtTerminateThread(NtCurrentThread(), status);
    }
    if (_InterlockedCompareExchange(&LdrpState, 1, 0) == 0)
    {
        RtlEnterCriticalSection(&LdrpLoaderLock);
        status = LdrpInitializeProcess(Context, NtdllBase);
        if (!NT_SUCCESS(status))
        {
            if (!LdrpIsReported(status))
            {
                RtlpReport(L"the process could not start: status 0x%08X", status);
            }
            NtTerminateProcess(NtCurrentProcess(), status == STATUS_ORDINAL_NOT_FOUND ? STATUS_ENTRYPOINT_NOT_FOUND
                                                                                      : status);
        }
        RtlLeaveCriticalSection(&LdrpLoaderLock);
        __atomic_store_n(&LdrpState, 2, __ATOMIC_RELEASE);
    }
    else
    {
        while (__atomic_load_n(&LdrpState, __ATOMIC_ACQUIRE) != 2)
        {
            LARGE_INTEGER interval = {.QuadPart = -10000};
            NtDelayExecution(FALSE, &interval);
        }
        status = LdrpInitializeThread();
        if (!NT_SUCCESS(status))
        {
            NtTerminateThread(NtCurrentThread(), status);
        }
    }
    status = NtContinue(Context, TRUE);
    RtlpReport(L"a thread could not start: status 0x%08X", status);
    NtTerminateProcess(NtCurrentProcess(), status);
}
