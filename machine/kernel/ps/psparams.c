/* SPDX-License-Identifier: MIT */
/*
 * RTL_USER_PROCESS_PARAMETERS on their way from the creator to the new process.
 *
 * The creator's block may lie anywhere and change while it is read: the header is copied once, every string by the
 * lengths of that copy. In between everything lies in one kernel block with offsets in place of pointers.
 */
#include "psp.h"

#define PSP_MAX_ENVIRONMENT (4u * 1024 * 1024)

/* The strings of the header, in the order they are laid out. */
static const USHORT PspStringOffsets[] = {
    FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, CurrentDirectory.DosPath),
    FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, DllPath),
    FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, ImagePathName),
    FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, CommandLine),
    FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, WindowTitle),
    FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, DesktopInfo),
    FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, ShellInfo),
    FIELD_OFFSET(RTL_USER_PROCESS_PARAMETERS, RuntimeData),
};

static PUNICODE_STRING PspString(PRTL_USER_PROCESS_PARAMETERS Block, ULONG Index)
{
    return (PUNICODE_STRING)((PUCHAR)Block + PspStringOffsets[Index]);
}

VOID PspFreeParameters(PSP_PARAMETERS *Parameters)
{
    if (Parameters->Block != NULL)
    {
        ExFreePoolWithTag(Parameters->Block, PSP_TAG_PARAMETERS);
    }
    if (Parameters->Environment != NULL)
    {
        ExFreePoolWithTag(Parameters->Environment, PSP_TAG_PARAMETERS);
    }
    if (Parameters->ImagePath.Buffer != NULL)
    {
        ExFreePoolWithTag(Parameters->ImagePath.Buffer, PSP_TAG_PARAMETERS);
    }
    RtlZeroMemory(Parameters, sizeof(*Parameters));
}

/* Room for the header and its strings; the CurrentDirectory gets MAX_PATH characters, as ntdll changes it in place. */
static ULONG PspStringRoom(PCUNICODE_STRING String, ULONG Index)
{
    ULONG room = String->Length + sizeof(WCHAR);
    if (Index == 0 && room < 264 * sizeof(WCHAR))
    {
        room = 264 * sizeof(WCHAR);
    }
    return (room + 7) & ~7U;
}

static SIZE_T PspBlockSize(PRTL_USER_PROCESS_PARAMETERS Header)
{
    SIZE_T size = sizeof(*Header);
    for (ULONG i = 0; i < RTL_NUMBER_OF(PspStringOffsets); i++)
    {
        size += PspStringRoom(PspString(Header, i), i);
    }
    return size;
}

/* Lays Header and the strings it points to out in the new block. May raise when the strings are a user's. */
static VOID PspFillBlock(PRTL_USER_PROCESS_PARAMETERS Block, SIZE_T Size, PRTL_USER_PROCESS_PARAMETERS Header)
{
    SIZE_T offset = sizeof(*Header);
    RtlZeroMemory(Block, Size);
    *Block = *Header;
    Block->MaximumLength = Block->Length = (ULONG)Size;
    for (ULONG i = 0; i < RTL_NUMBER_OF(PspStringOffsets); i++)
    {
        PUNICODE_STRING from = PspString(Header, i), to = PspString(Block, i);
        ULONG room = PspStringRoom(from, i);
        RtlCopyMemory((PUCHAR)Block + offset, from->Buffer, from->Length);
        to->Length = from->Length;
        to->MaximumLength = (USHORT)(room > UNICODE_STRING_MAX_BYTES ? UNICODE_STRING_MAX_BYTES : room);
        to->Buffer = (PWSTR)offset;
        offset += room;
    }
    RtlZeroMemory(Block->CurrentDirectories, sizeof(Block->CurrentDirectories));
    Block->CurrentDirectory.Handle = NULL; /* the creator's handle means nothing in the new process */
    Block->Flags &= ~RTL_USER_PROC_PARAMS_NORMALIZED;
    Block->Environment = NULL;
    Block->PackageDependencyData = NULL;
}

/* Bytes up to and including the double NUL; probes as it goes. Raises. */
static SIZE_T PspMeasureEnvironment(PWSTR Environment, KPROCESSOR_MODE Mode)
{
    SIZE_T count = 0;
    for (;;)
    {
        if (Mode != KernelMode && (count * sizeof(WCHAR)) % PAGE_SIZE == 0)
        {
            ProbeForRead(Environment + count, PAGE_SIZE + sizeof(WCHAR), sizeof(WCHAR));
        }
        if (count * sizeof(WCHAR) >= PSP_MAX_ENVIRONMENT)
        {
            ExRaiseStatus(STATUS_INVALID_PARAMETER);
        }
        if (((volatile WCHAR *)Environment)[count++] == 0 && ((volatile WCHAR *)Environment)[count] == 0)
        {
            return (count + 1) * sizeof(WCHAR);
        }
    }
}

static NTSTATUS PspCopyEnvironment(PVOID Source, SIZE_T Size, PSP_PARAMETERS *Captured)
{
    PWSTR copy = ExAllocatePoolWithTag(PagedPool, Size + 2 * sizeof(WCHAR), PSP_TAG_PARAMETERS);
    if (copy == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Captured->Environment = copy;
    Captured->EnvironmentSize = Size;
    RtlCopyMemory(copy, Source, Size);
    /* Whatever was there, the copy ends as an environment ends. */
    copy[Size / sizeof(WCHAR)] = 0;
    copy[Size / sizeof(WCHAR) + 1] = 0;
    return STATUS_SUCCESS;
}

static NTSTATUS PspCopyImagePath(PCUNICODE_STRING Path, PSP_PARAMETERS *Captured)
{
    Captured->ImagePath.Buffer = ExAllocatePoolWithTag(PagedPool, Path->Length + sizeof(WCHAR), PSP_TAG_PARAMETERS);
    if (Captured->ImagePath.Buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlCopyMemory(Captured->ImagePath.Buffer, Path->Buffer, Path->Length);
    Captured->ImagePath.Length = Path->Length;
    Captured->ImagePath.MaximumLength = Path->Length + sizeof(WCHAR);
    return STATUS_SUCCESS;
}

/* A program wants to see "C:\x.exe" where the kernel opened "\??\C:\x.exe". */
static VOID PspStripPrefix(PUNICODE_STRING Path)
{
    static const WCHAR prefix[] = L"\\??\\";
    if (Path->Length >= 4 * sizeof(WCHAR) &&
        RtlCompareMemory(Path->Buffer, prefix, 4 * sizeof(WCHAR)) == 4 * sizeof(WCHAR))
    {
        Path->Buffer += 4;
        Path->Length -= 4 * sizeof(WCHAR);
    }
}

static NTSTATUS PspMakeBlock(PRTL_USER_PROCESS_PARAMETERS Header, PSP_PARAMETERS *Captured)
{
    Captured->BlockSize = PspBlockSize(Header);
    Captured->Block = ExAllocatePoolWithTag(PagedPool, Captured->BlockSize, PSP_TAG_PARAMETERS);
    if (Captured->Block == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    PspFillBlock(Captured->Block, Captured->BlockSize, Header);
    Captured->CommandLine = Captured->Block->CommandLine;
    Captured->CommandLine.Buffer = (PWSTR)((PUCHAR)Captured->Block + (ULONG_PTR)Captured->Block->CommandLine.Buffer);
    return STATUS_SUCCESS;
}

/* The caller's header, pointers made absolute and probed. Raises. */
static NTSTATUS PspReadHeader(PRTL_USER_PROCESS_PARAMETERS Source, KPROCESSOR_MODE Mode,
                              PRTL_USER_PROCESS_PARAMETERS Header)
{
    if (Mode != KernelMode)
    {
        ProbeForRead(Source, sizeof(*Source), sizeof(PVOID));
    }
    *Header = *(volatile RTL_USER_PROCESS_PARAMETERS *)Source;
    for (ULONG i = 0; i < RTL_NUMBER_OF(PspStringOffsets); i++)
    {
        PUNICODE_STRING string = PspString(Header, i);
        if ((string->Length & 1) != 0 || string->Length > UNICODE_STRING_MAX_BYTES - sizeof(WCHAR))
        {
            return STATUS_INVALID_PARAMETER;
        }
        if (string->Length == 0)
        {
            string->Buffer = NULL;
            continue;
        }
        if ((Header->Flags & RTL_USER_PROC_PARAMS_NORMALIZED) == 0)
        {
            string->Buffer = (PWSTR)((ULONG_PTR)Source + (ULONG_PTR)string->Buffer);
        }
        if (Mode != KernelMode)
        {
            ProbeForRead(string->Buffer, string->Length, sizeof(WCHAR));
        }
    }
    return STATUS_SUCCESS;
}

/*
 * Captures the creator's parameters. ImagePath is the header's ImagePathName; a caller with an image name attribute
 * replaces it. Free with PspFreeParameters in every case.
 */
NTSTATUS PspCaptureParameters(PRTL_USER_PROCESS_PARAMETERS Source, KPROCESSOR_MODE Mode, PSP_PARAMETERS *Captured)
{
    RTL_USER_PROCESS_PARAMETERS *header = ExAllocatePoolWithTag(PagedPool, sizeof(*header), PSP_TAG_PARAMETERS);
    NTSTATUS status;
    RtlZeroMemory(Captured, sizeof(*Captured));
    if (header == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    __try
    {
        status = PspReadHeader(Source, Mode, header);
        if (NT_SUCCESS(status))
        {
            status = PspCopyImagePath(&header->ImagePathName, Captured);
        }
        if (NT_SUCCESS(status))
        {
            PspStripPrefix(&header->ImagePathName);
            status = PspMakeBlock(header, Captured);
        }
        if (NT_SUCCESS(status) && header->Environment != NULL)
        {
            SIZE_T size = header->EnvironmentSize;
            if (size == 0)
            {
                size = PspMeasureEnvironment(header->Environment, Mode);
            }
            if (size > PSP_MAX_ENVIRONMENT || (size & 1) != 0)
            {
                status = STATUS_INVALID_PARAMETER;
            }
            else
            {
                if (Mode != KernelMode)
                {
                    ProbeForRead(header->Environment, size, sizeof(WCHAR));
                }
                status = PspCopyEnvironment(header->Environment, size, Captured);
            }
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    ExFreePoolWithTag(header, PSP_TAG_PARAMETERS);
    return status;
}

/* The same for the first program, from the machine's configuration. */
NTSTATUS PspBuildParameters(const PS_START_PARAMETERS *Start, PSP_PARAMETERS *Built)
{
    RTL_USER_PROCESS_PARAMETERS *header = ExAllocatePoolWithTag(PagedPool, sizeof(*header), PSP_TAG_PARAMETERS);
    NTSTATUS status;
    RtlZeroMemory(Built, sizeof(*Built));
    if (header == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(header, sizeof(*header));
    header->Flags = RTL_USER_PROC_PARAMS_NORMALIZED;
    header->CurrentDirectory.DosPath = Start->CurrentDirectory;
    header->ImagePathName = Start->ImagePath;
    header->CommandLine = Start->CommandLine;
    header->WindowTitle = Start->ImagePath;
    PspStripPrefix(&header->ImagePathName);
    PspStripPrefix(&header->WindowTitle);
    status = PspCopyImagePath(&Start->ImagePath, Built);
    if (NT_SUCCESS(status))
    {
        status = PspMakeBlock(header, Built);
    }
    if (NT_SUCCESS(status) && Start->Environment != NULL)
    {
        status = PspCopyEnvironment(Start->Environment, Start->EnvironmentBytes & ~(SIZE_T)1, Built);
    }
    ExFreePoolWithTag(header, PSP_TAG_PARAMETERS);
    return status;
}

NTSTATUS PspWriteParameters(PEPROCESS Process, const PSP_PARAMETERS *Parameters)
{
    PVOID base = NULL, environment = NULL;
    SIZE_T size = Parameters->BlockSize;
    SIZE_T environmentSize = Parameters->EnvironmentSize == 0 ? 0 : Parameters->EnvironmentSize + 2 * sizeof(WCHAR);
    NTSTATUS status = MmAllocateUserMemory(&base, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (NT_SUCCESS(status) && environmentSize != 0)
    {
        size = environmentSize;
        status = MmAllocateUserMemory(&environment, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    __try
    {
        PRTL_USER_PROCESS_PARAMETERS block = base;
        RtlCopyMemory(block, Parameters->Block, Parameters->BlockSize);
        for (ULONG i = 0; i < RTL_NUMBER_OF(PspStringOffsets); i++)
        {
            PUNICODE_STRING string = PspString(block, i);
            string->Buffer = (PWSTR)((PUCHAR)base + (ULONG_PTR)PspString(Parameters->Block, i)->Buffer);
        }
        block->Flags |= RTL_USER_PROC_PARAMS_NORMALIZED;
        if (environment != NULL)
        {
            RtlCopyMemory(environment, Parameters->Environment, environmentSize);
            block->Environment = environment;
            block->EnvironmentSize = Parameters->EnvironmentSize;
        }
        Process->Peb->ProcessParameters = block;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}
