/* SPDX-License-Identifier: MIT */
/*
 * Checks and helpers of kit-test.exe.
 */
#include "check.h"

int Checks, Failures;

static BOOL Report(BOOL Holds, const char *Format, va_list Arguments)
{
    Checks++;
    Failures += !Holds;
    printf(Holds ? "  ok    " : "  FAIL  ");
    vprintf(Format, Arguments);
    return Holds;
}

BOOL Check(BOOL Holds, const char *Format, ...)
{
    va_list arguments;
    va_start(arguments, Format);
    Report(Holds, Format, arguments);
    va_end(arguments);
    printf("\n");
    return Holds;
}

BOOL CheckError(BOOL Done, DWORD Wanted, const char *Format, ...)
{
    DWORD error = Done ? ERROR_SUCCESS : GetLastError();
    va_list arguments;
    va_start(arguments, Format);
    BOOL holds = Report(!Done && error == Wanted, Format, arguments);
    va_end(arguments);
    if (holds)
    {
        printf(": error %lu\n", (unsigned long)error);
    }
    else
    {
        printf(": error %lu, wanted %lu\n", (unsigned long)error, (unsigned long)Wanted);
    }
    return holds;
}

BOOL CheckDone(BOOL Done, const char *Format, ...)
{
    DWORD error = Done ? ERROR_SUCCESS : GetLastError();
    va_list arguments;
    va_start(arguments, Format);
    Report(Done, Format, arguments);
    va_end(arguments);
    if (Done)
    {
        printf("\n");
    }
    else
    {
        printf(": error %lu\n", (unsigned long)error);
    }
    return Done;
}

HANDLE OpenDevice(const wchar_t *Name)
{
    HANDLE device = CreateFileW(Name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (device == INVALID_HANDLE_VALUE)
    {
        CheckDone(FALSE, "open a device of the driver");
    }
    return device;
}

BOOL Raw(HANDLE Device, DWORD Code, const void *Input, DWORD InputBytes, void *Output, DWORD OutputBytes, DWORD *Got)
{
    DWORD got = 0;
    BOOL done = DeviceIoControl(Device, Code, (void *)Input, InputBytes, Output, OutputBytes, &got, NULL);
    if (Got != NULL)
    {
        *Got = got;
    }
    return done;
}

UINT32 CrcContinue(UINT32 Crc, const void *Block, size_t Length)
{
    const BYTE *p = Block;
    UINT32 crc = ~Crc;
    for (size_t i = 0; i < Length; i++)
    {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
        {
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
        }
    }
    return ~crc;
}

UINT32 Crc(const void *Block, size_t Length)
{
    return CrcContinue(0, Block, Length);
}

void Pattern(void *Block, size_t Length, UINT32 Seed)
{
    BYTE *p = Block;
    UINT32 x = Seed * 2654435761u + 1;
    for (size_t i = 0; i < Length; i++)
    {
        x = x * 1664525u + 1013904223u;
        p[i] = (BYTE)(x >> 24);
    }
}

void TakeCounters(ISTHMUS_STATISTICS *Counters)
{
    HANDLE device = OpenDevice(ISTHMUS_DEVICE_NEITHER_W);
    ZeroMemory(Counters, sizeof(*Counters));
    if (device != INVALID_HANDLE_VALUE)
    {
        if (!Raw(device, IOCTL_ISTHMUS_STATISTICS, NULL, 0, Counters, sizeof(*Counters), NULL))
        {
            CheckDone(FALSE, "statistics");
        }
        CloseHandle(device);
    }
}

static BOOL SameCounters(const ISTHMUS_STATISTICS *A, const ISTHMUS_STATISTICS *B)
{
    return A->Sessions == B->Sessions && A->Regions == B->Regions && A->Views == B->Views &&
           A->LockedBytes == B->LockedBytes && A->AllocatedBytes == B->AllocatedBytes && A->Mdls == B->Mdls &&
           A->Locks == B->Locks && A->KernelMappings == B->KernelMappings && A->UserMappings == B->UserMappings &&
           A->PoolBlocks == B->PoolBlocks && A->PoolBytes == B->PoolBytes && A->PageAllocations == B->PageAllocations &&
           A->Watches == B->Watches;
}

void CheckSame(const ISTHMUS_STATISTICS *Before, const char *What)
{
    ISTHMUS_STATISTICS now;
    TakeCounters(&now);
    for (int wait = 0; wait < 100 && !SameCounters(Before, &now); wait++)
    {
        Sleep(50);
        TakeCounters(&now);
    }
    Check(SameCounters(Before, &now),
          "%s left nothing: sessions %lld regions %lld views %lld locks %lld mdls %lld kernel maps %lld user maps %lld "
          "pages %lld pool %lld",
          What, (long long)(now.Sessions - Before->Sessions), (long long)(now.Regions - Before->Regions),
          (long long)(now.Views - Before->Views), (long long)(now.Locks - Before->Locks),
          (long long)(now.Mdls - Before->Mdls), (long long)(now.KernelMappings - Before->KernelMappings),
          (long long)(now.UserMappings - Before->UserMappings),
          (long long)(now.PageAllocations - Before->PageAllocations), (long long)(now.PoolBlocks - Before->PoolBlocks));
}

HANDLE StartSelf(const char *Arguments, DWORD *ProcessId)
{
    char program[1024], line[1400];
    STARTUPINFOA startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION process;
    DWORD length = GetModuleFileNameA(NULL, program, sizeof(program));
    if (length == 0 || length >= sizeof(program))
    {
        CheckDone(FALSE, "find this program");
        return NULL;
    }
    snprintf(line, sizeof(line), "\"%s\" child %s", program, Arguments);
    fflush(stdout);
    if (!CreateProcessA(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process))
    {
        CheckDone(FALSE, "start a child: %s", Arguments);
        return NULL;
    }
    CloseHandle(process.hThread);
    if (ProcessId != NULL)
    {
        *ProcessId = process.dwProcessId;
    }
    return process.hProcess;
}

DWORD WaitExit(HANDLE Process)
{
    DWORD code = 0xFFFFFFFF;
    if (Process == NULL)
    {
        return code;
    }
    if (WaitForSingleObject(Process, 30000) == WAIT_OBJECT_0)
    {
        GetExitCodeProcess(Process, &code);
    }
    else
    {
        TerminateProcess(Process, code);
    }
    CloseHandle(Process);
    return code;
}
