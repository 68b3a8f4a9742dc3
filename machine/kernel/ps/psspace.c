/* SPDX-License-Identifier: MIT */
/*
 * The user half of a new process: program and ntdll mapped, PEB, TEBs. Everything here runs attached to the process.
 */
#include "psp.h"
#include "pe.h"

#define PSP_NTDLL L"\\SystemRoot\\System32\\ntdll.dll"
#define PSP_DEFAULT_LOCALE 0x0409

/* ntdll's section and what was found in it, made by the first process. */
PVOID PspNtdllSection;
static BOOLEAN PspEntriesKnown;
static struct
{
    ULONG LdrInitializeThunk, RtlUserThreadStart, KiUserExceptionDispatcher, KiUserApcDispatcher;
} PspEntryRvas;

static NTSTATUS PspOpenNtdll(PVOID *Section)
{
    UNICODE_STRING path = RTL_CONSTANT_STRING(PSP_NTDLL);
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK iosb;
    PFILE_OBJECT file;
    HANDLE handle;
    NTSTATUS status;
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    status = ZwOpenFile(&handle, FILE_READ_DATA | FILE_EXECUTE | SYNCHRONIZE, &attributes, &iosb,
                        FILE_SHARE_READ | FILE_SHARE_DELETE, FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObReferenceObjectByHandle(handle, 0, IoFileObjectType, KernelMode, (PVOID *)&file, NULL);
    if (NT_SUCCESS(status))
    {
        status = MmCreateImageSection(file, Section);
        ObDereferenceObject(file);
    }
    ZwClose(handle);
    return status;
}

static NTSTATUS PspReferenceNtdll(PVOID *Section)
{
    PVOID made = NULL;
    NTSTATUS status;
    if (PspNtdllSection == NULL)
    {
        status = PspOpenNtdll(&made);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        if (InterlockedCompareExchangePointer(&PspNtdllSection, made, NULL) != NULL)
        {
            ObDereferenceObject(made); /* another process was faster */
        }
    }
    *Section = PspNtdllSection;
    return STATUS_SUCCESS;
}

static ULONG PspFindEntry(const PE_IMAGE *Image, PCSTR Name)
{
    PE_EXPORT export;
    return PeFindExport(Image, Name, &export) == PeOk && export.Forwarder == NULL ? export.Rva : 0;
}

/* The bytes come from a file of the machine but lie in user memory: nothing here trusts them. */
static NTSTATUS PspFindEntries(PVOID Base, SIZE_T Size)
{
    PE_IMAGE image;
    __try
    {
        if (PeOpenMapped(&image, Base, Size) != PeOk)
        {
            return STATUS_INVALID_IMAGE_FORMAT;
        }
        PspEntryRvas.LdrInitializeThunk = PspFindEntry(&image, "LdrInitializeThunk");
        PspEntryRvas.RtlUserThreadStart = PspFindEntry(&image, "RtlUserThreadStart");
        PspEntryRvas.KiUserExceptionDispatcher = PspFindEntry(&image, "KiUserExceptionDispatcher");
        PspEntryRvas.KiUserApcDispatcher = PspFindEntry(&image, "KiUserApcDispatcher");
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    if (PspEntryRvas.LdrInitializeThunk == 0 || PspEntryRvas.RtlUserThreadStart == 0 ||
        PspEntryRvas.KiUserExceptionDispatcher == 0 || PspEntryRvas.KiUserApcDispatcher == 0)
    {
        return STATUS_ENTRYPOINT_NOT_FOUND;
    }
    PspEntriesKnown = TRUE;
    return STATUS_SUCCESS;
}

static NTSTATUS PspProtect(PVOID Base, SIZE_T Size, ULONG Protect)
{
    ULONG old;
    return ZwProtectVirtualMemory(ZwCurrentProcess(), &Base, &Size, Protect, &old);
}

static ULONG PspSectionProtection(ULONG Characteristics)
{
    BOOLEAN execute = (Characteristics & PE_SECTION_EXECUTE) != 0;
    if ((Characteristics & PE_SECTION_WRITE) != 0)
    {
        return execute ? PAGE_EXECUTE_WRITECOPY : PAGE_WRITECOPY;
    }
    if ((Characteristics & PE_SECTION_READ) != 0)
    {
        return execute ? PAGE_EXECUTE_READ : PAGE_READONLY;
    }
    return execute ? PAGE_EXECUTE : PAGE_NOACCESS;
}

/* ntdll relocates every image but itself. */
static NTSTATUS PspRelocateNtdll(PVOID Base, SIZE_T Size)
{
    PE_IMAGE image;
    PE_SECTION section;
    NTSTATUS status = PspProtect(Base, Size, PAGE_WRITECOPY);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    __try
    {
        if (PeOpenMapped(&image, Base, Size) != PeOk || PeRelocate(&image, (ULONG64)Base) != PeOk)
        {
            return STATUS_INVALID_IMAGE_FORMAT;
        }
        status = PspProtect(Base, image.SizeOfHeaders, PAGE_READONLY);
        for (unsigned i = 0; NT_SUCCESS(status) && PeSection(&image, i, &section) == PeOk; i++)
        {
            status = PspProtect((PUCHAR)Base + section.Rva, section.VirtualSize,
                                PspSectionProtection(section.Characteristics));
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    return status;
}

/* Maps the program, then ntdll, and notes where ntdll's entry points are. */
NTSTATUS PspMapImages(PEPROCESS Process)
{
    PVOID base = NULL, ntdll = NULL, section;
    SIZE_T size = 0;
    NTSTATUS status = MmMapSection(Process->SectionObject, &base, &size, 0, PAGE_EXECUTE);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    Process->SectionBaseAddress = base;
    status = PspReferenceNtdll(&section);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    size = 0;
    status = MmMapSection(section, &ntdll, &size, 0, PAGE_EXECUTE);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (status == STATUS_IMAGE_NOT_AT_BASE)
    {
        status = PspRelocateNtdll(ntdll, size);
    }
    if (NT_SUCCESS(status) && !PspEntriesKnown)
    {
        status = PspFindEntries(ntdll, size);
    }
    if (NT_SUCCESS(status))
    {
        Process->NtdllBase = ntdll;
        Process->UserEntries.LdrInitializeThunk = (PUCHAR)ntdll + PspEntryRvas.LdrInitializeThunk;
        Process->UserEntries.RtlUserThreadStart = (PUCHAR)ntdll + PspEntryRvas.RtlUserThreadStart;
        Process->UserEntries.KiUserExceptionDispatcher = (PUCHAR)ntdll + PspEntryRvas.KiUserExceptionDispatcher;
        Process->UserEntries.KiUserApcDispatcher = (PUCHAR)ntdll + PspEntryRvas.KiUserApcDispatcher;
        status = STATUS_SUCCESS;
    }
    return status;
}

/** The user-mode entry points of the current process, or NULL if it has none. Any IRQL. */
const KE_USER_ENTRIES *PsGetUserEntries(VOID)
{
    PEPROCESS process = PsGetCurrentProcess();
    return process->UserEntries.LdrInitializeThunk == NULL ? NULL : &process->UserEntries;
}

static VOID PspFillPeb(PPEB Peb, PEPROCESS Process, const MM_IMAGE_INFORMATION *Image)
{
    Peb->ImageBaseAddress = Process->SectionBaseAddress;
    Peb->NumberOfProcessors = KeQueryActiveProcessorCount(NULL);
    Peb->OSMajorVersion = PS_OS_MAJOR_VERSION;
    Peb->OSMinorVersion = PS_OS_MINOR_VERSION;
    Peb->OSBuildNumber = PS_OS_BUILD;
    Peb->OSPlatformId = VER_PLATFORM_WIN32_NT;
    Peb->ImageSubsystem = Image->Subsystem;
    Peb->ImageSubsystemMajorVersion = 6;
    Peb->ActiveProcessAffinityMask = KeQueryActiveProcessors();
    Peb->SessionId = Process->SessionId;
    Peb->MinimumStackCommit = 0;
}

/* A zeroed PEB of its own pages, filled with what the kernel knows. */
NTSTATUS PspCreatePeb(PEPROCESS Process)
{
    PVOID base = NULL;
    SIZE_T size = sizeof(PEB);
    MM_IMAGE_INFORMATION image;
    NTSTATUS status = MmAllocateUserMemory(&base, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    MmGetImageInformation(Process->SectionObject, &image);
    __try
    {
        PspFillPeb(base, Process, &image);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    Process->Peb = base;
    return STATUS_SUCCESS;
}

static VOID PspFillTeb(PTEB Teb, PEPROCESS Process, const INITIAL_TEB *Stack, const CLIENT_ID *Cid)
{
    Teb->NtTib.StackBase = Stack->StackBase;
    Teb->NtTib.StackLimit = Stack->StackLimit;
    Teb->NtTib.Self = &Teb->NtTib;
    Teb->ClientId = *Cid;
    Teb->RealClientId = *Cid;
    Teb->ProcessEnvironmentBlock = Process->Peb;
    Teb->CurrentLocale = PSP_DEFAULT_LOCALE;
    Teb->StaticUnicodeString.Buffer = Teb->StaticUnicodeBuffer;
    Teb->StaticUnicodeString.MaximumLength = sizeof(Teb->StaticUnicodeBuffer);
    Teb->DeallocationStack = Stack->StackAllocationBase;
}

/* A zeroed TEB of its own pages. Another thread of the process can write there at once: faults and nonsense are
   survived. */
NTSTATUS PspCreateTeb(PEPROCESS Process, const INITIAL_TEB *Stack, const CLIENT_ID *Cid, PTEB *Teb)
{
    PVOID base = NULL;
    SIZE_T size = sizeof(TEB);
    NTSTATUS status = MmAllocateUserMemory(&base, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    *Teb = NULL;
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    __try
    {
        PspFillTeb(base, Process, Stack, Cid);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    if (!NT_SUCCESS(status))
    {
        MmFreeUserMemory(base);
        return status;
    }
    *Teb = base;
    return STATUS_SUCCESS;
}
