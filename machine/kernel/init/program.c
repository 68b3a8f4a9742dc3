/* SPDX-License-Identifier: MIT */
/*
 * The first program: its environment and console, its life, and the end of the machine.
 */
#include "cm.h"
#include "ex.h"
#include "hal.h"
#include "initp.h"
#include "io.h"
#include "ldr.h"
#include "ps.h"
#include "rtl.h"
#include "vf.h"

#define INIT_TAG 'tinI'

static NTSTATUS InitpRequiredLine(PCSTR Key, PCWSTR Prefix, PUNICODE_STRING String)
{
    SIZE_T position = 0;
    INIT_LINE line;

    return InitpNextLine(Key, &position, &line) ? InitpToUnicode(Prefix, &line, String) : STATUS_OBJECT_NAME_NOT_FOUND;
}

/* NAME=VALUE strings one after another, an empty one at the end. */
static NTSTATUS InitpBuildEnvironment(PWSTR *Environment, SIZE_T *Bytes)
{
    SIZE_T position = 0;
    SIZE_T size = 2 * sizeof(WCHAR);
    PWCHAR out, end;
    INIT_LINE line;

    while (InitpNextLine("env", &position, &line))
    {
        size += (line.Length + 1) * sizeof(WCHAR); /* UTF-16 never has more units than UTF-8 has bytes */
    }
    *Environment = out = ExAllocatePoolWithTag(PagedPool, size, INIT_TAG);
    if (out == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(out, size);
    end = out + size / sizeof(WCHAR) - 2;
    position = 0;
    while (InitpNextLine("env", &position, &line))
    {
        ULONG written = 0;
        NTSTATUS status = RtlUTF8ToUnicodeN(out, (ULONG)((PUCHAR)end - (PUCHAR)out), &written, line.Value, (ULONG)line.Length);
        if (!NT_SUCCESS(status))
        {
            ExFreePoolWithTag(*Environment, INIT_TAG);
            return status;
        }
        out += written / sizeof(WCHAR) + 1;
    }
    *Bytes = (SIZE_T)(out - *Environment + 1) * sizeof(WCHAR);
    if (out == *Environment)
    {
        *Bytes = 2 * sizeof(WCHAR);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS InitpOpenConsole(PCWSTR Path, ACCESS_MASK Access, PHANDLE Handle)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK iosb;

    RtlInitUnicodeString(&name, Path);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwOpenFile(Handle, Access | SYNCHRONIZE, &attributes, &iosb, FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_SYNCHRONOUS_IO_NONALERT);
}

static NTSTATUS InitpOpenConsoles(PS_START_PARAMETERS *Parameters)
{
    NTSTATUS status = InitpOpenConsole(L"\\Device\\ConDrv\\Input", FILE_GENERIC_READ, &Parameters->StandardInput);

    if (NT_SUCCESS(status))
    {
        status = InitpOpenConsole(L"\\Device\\ConDrv\\Output", FILE_GENERIC_READ | FILE_GENERIC_WRITE, &Parameters->StandardOutput);
    }
    if (NT_SUCCESS(status))
    {
        status = InitpOpenConsole(L"\\Device\\ConDrv\\Error", FILE_GENERIC_READ | FILE_GENERIC_WRITE, &Parameters->StandardError);
    }
    return status;
}

static VOID InitpFreeParameters(PS_START_PARAMETERS *Parameters)
{
    const HANDLE handles[] = {Parameters->StandardInput, Parameters->StandardOutput, Parameters->StandardError};

    for (ULONG i = 0; i < RTL_NUMBER_OF(handles); i++)
    {
        if (handles[i] != NULL)
        {
            ZwClose(handles[i]);
        }
    }
    RtlFreeUnicodeString(&Parameters->ImagePath);
    RtlFreeUnicodeString(&Parameters->CommandLine);
    if (Parameters->Environment != NULL)
    {
        ExFreePoolWithTag(Parameters->Environment, INIT_TAG);
    }
    if (Parameters->Token != NULL)
    {
        ObDereferenceObject(Parameters->Token);
    }
}

static NTSTATUS InitpStartProgram(PEPROCESS *Process)
{
    PS_START_PARAMETERS parameters = {0};
    NTSTATUS status = InitpRequiredLine("program", L"\\??\\", &parameters.ImagePath);

    if (NT_SUCCESS(status))
    {
        status = InitpRequiredLine("commandline", L"", &parameters.CommandLine);
    }
    if (NT_SUCCESS(status))
    {
        status = InitpBuildEnvironment(&parameters.Environment, &parameters.EnvironmentBytes);
    }
    if (NT_SUCCESS(status))
    {
        status = InitpOpenConsoles(&parameters);
    }
    if (NT_SUCCESS(status))
    {
        RtlInitUnicodeString(&parameters.CurrentDirectory, L"C:\\run\\");
        parameters.Token = SeCreateUserToken(!VfOptionGiven("plainuser"));
        status = parameters.Token != NULL ? PsStartProgram(&parameters, Process) : STATUS_INSUFFICIENT_RESOURCES;
    }
    InitpFreeParameters(&parameters);
    return status;
}

/* ntdll ends a process with one of these, having named what is missing, when the loader cannot make the program ready. */
static BOOLEAN InitpIsLoaderStatus(NTSTATUS Status)
{
    return Status == STATUS_DLL_NOT_FOUND || Status == STATUS_ENTRYPOINT_NOT_FOUND || Status == STATUS_ORDINAL_NOT_FOUND ||
           Status == STATUS_DLL_INIT_FAILED;
}

NTSTATUS InitpRunProgram(PNTSTATUS ExitStatus)
{
    PEPROCESS process;
    NTSTATUS status = InitpStartProgram(&process);
    ULONG left;

    if (!NT_SUCCESS(status))
    {
        HalPrint(HalStreamError, "machine: the program did not start: status 0x%08lX\n", status);
        HalPrint(HalStreamReport, "refused the program did not start: status 0x%08lX\n", status);
        return status;
    }
    VfWatchProgram(process);
    KeWaitForSingleObject(process, Executive, KernelMode, FALSE, NULL);
    VfWatchEnded();
    *ExitStatus = process->ExitStatus;
    ObDereferenceObject(process);
    if (InitpIsLoaderStatus(*ExitStatus))
    {
        HalPrint(HalStreamReport, "refused the program could not be loaded: status 0x%08lX\n", *ExitStatus);
    }
    left = PsTerminateAllProcesses(STATUS_SYSTEM_SHUTDOWN);
    if (left != 0)
    {
        HalPrint(HalStreamError, "machine: the program left %lu process%s running; ended\n", left, left == 1 ? "" : "es");
    }
    return STATUS_SUCCESS;
}

DECLSPEC_NORETURN VOID InitpRefuse(PCSTR What, NTSTATUS Status)
{
    HalPrint(HalStreamError, "machine: cannot use %s: status 0x%08lX\n", What, Status);
    HalPrint(HalStreamReport, "refused cannot use %s: status 0x%08lX\n", What, Status);
    HalExitMachine(1);
}

/* Modules other than the kernel that are still loaded; they may rightly hold memory, so they are named. */
static ULONG InitpNameLoadedDrivers(VOID)
{
    ULONG count = 0;
    LONG index = 0; /* behind the kernel's own record */
    const LDR_MODULE *module;

    while ((module = LdrNextModule(&index)) != NULL)
    {
        HalPrint(HalStreamError, "machine: %ws is still loaded\n", module->Name);
        count++;
    }
    return count;
}

/* What the kernel itself holds once it has started (the local APIC's mapping, and so on) is not the drivers'. */
static MM_LEFTOVERS InitpBaseline;

VOID InitpTakeBaseline(VOID)
{
    MmQueryLeftovers(&InitpBaseline);
}

static VOID InitpQueryLeftovers(MM_LEFTOVERS *Left)
{
    MmQueryLeftovers(Left);
    C_ASSERT(sizeof(MM_LEFTOVERS) % sizeof(LONG64) == 0);
    for (ULONG i = 0; i < sizeof(*Left) / sizeof(LONG64); i++)
    {
        ((PLONG64)Left)[i] -= ((PLONG64)&InitpBaseline)[i];
    }
}

static VOID InitpReportLeftover(PCSTR Kind, LONG64 Count)
{
    if (Count != 0)
    {
        HalPrint(HalStreamReport, "leak %s %lld\n", Kind, Count);
    }
}

/* What drivers have registered to be called and not taken back. */
static ULONG InitpNotifyRoutines(VOID)
{
    return PsQueryNotifyRoutineCount() + CmQueryCallbackCount() + IoQueryNotificationCount() + EtwQueryProviderCount();
}

static VOID InitpReportLeftovers(const MM_LEFTOVERS *Mm, const IO_LEFTOVERS *Io)
{
    InitpReportLeftover("locked pages", Mm->LockedPages);
    InitpReportLeftover("pool blocks", Mm->PoolBlocks);
    InitpReportLeftover("system mappings", Mm->SystemMappings);
    InitpReportLeftover("user mappings", Mm->UserMappings);
    InitpReportLeftover("reserved mappings", Mm->ReservedMappings);
    InitpReportLeftover("I/O space mappings", Mm->IoSpaceMappings);
    InitpReportLeftover("MDL pages", Mm->MdlPages);
    InitpReportLeftover("contiguous blocks", Mm->Contiguous);
    InitpReportLeftover("MDLs", Mm->MdlsAllocated);
    InitpReportLeftover("IRPs", Io->Irps);
    InitpReportLeftover("work items", Io->WorkItems);
    InitpReportLeftover("notify routines", InitpNotifyRoutines());
}

DECLSPEC_NORETURN VOID InitpShutDown(NTSTATUS Started, NTSTATUS ExitStatus)
{
    MM_LEFTOVERS mm;
    IO_LEFTOVERS io;
    LONG64 mappings, locked, pool, other;
    ULONG loaded;

    KeWaitForUserThreads(); /* what they held goes as they are reaped */
    IoShutdownSystem(); /* for drivers that stay */
    ExDrainWorkQueues();
    loaded = InitpNameLoadedDrivers();
    VfReportLedger("at shutdown", NULL);
    InitpQueryLeftovers(&mm);
    IoQueryLeftovers(&io);
    locked = mm.LockedPages;
    mappings = mm.SystemMappings + mm.UserMappings + mm.ReservedMappings + mm.IoSpaceMappings;
    pool = mm.PoolBlocks;
    other = mm.MdlPages + mm.Contiguous + mm.MdlsAllocated + io.Irps + io.WorkItems + InitpNotifyRoutines();

    MmReportModes();
    HalPrint(HalStreamError, "machine: shut down; locked pages %lld, pool blocks %lld, mappings %lld\n", locked, pool, mappings);
    if (loaded == 0 && (locked | mappings | pool | other) != 0)
    {
        MmPrintLeftoverPool();
        IoPrintLeftovers();
        HalPrint(HalStreamError,
                 "machine: left over: MDL pages %lld, contiguous blocks %lld, MDLs %lld, IRPs %lld, work items %lld, notify routines %lu\n",
                 mm.MdlPages, mm.Contiguous, mm.MdlsAllocated, io.Irps, io.WorkItems, InitpNotifyRoutines());
        InitpReportLeftovers(&mm, &io);
    }
    VfReport();
    if (!NT_SUCCESS(Started))
    {
        HalExitMachine(1);
    }
    HalPrint(HalStreamReport, "exit %lu\n", (ULONG)ExitStatus);
    HalExitMachine(0);
}
