/* SPDX-License-Identifier: MIT */
/*
 * NtCreateUserProcess, and the first program of the machine, which is made the same way.
 *
 *   capture      parameters, attributes: everything of the caller's is read once
 *   open         the image file with the caller's rights; an image section on it
 *   process      object, address space, handles, token
 *   space        (attached) program and ntdll mapped, PEB, parameters
 *   publish      id, list, handle of the process
 *   thread       stack, TEB, notify routines with their veto, handle, start
 */
#include "psp.h"

#define PSP_MAX_ATTRIBUTES 32
#define PSP_MAX_HANDLE_LIST 4096
#define PSP_MAX_IMAGE_NAME 0x7FFE
#define PSP_VALID_PROCESS_FLAGS PROCESS_CREATE_FLAGS_INHERIT_HANDLES
#define PSP_FLAG_HIDE_FROM_DEBUGGER 0x04

typedef struct _PSP_USER_CREATE
{
    KPROCESSOR_MODE Mode;
    PSP_PARAMETERS Parameters;
    PSP_PROCESS_CREATE Process;
    PS_ATTRIBUTE *Attributes;      /* kernel copy */
    ULONG AttributeCount;
    HANDLE *HandleList;            /* kernel copy */
    PCLIENT_ID ClientIdOut;        /* probed user pointers */
    PVOID *TebOut;
    PSECTION_IMAGE_INFORMATION ImageOut;
    PEPROCESS Parent;              /* referenced */
    PTOKEN Token;                  /* referenced, or NULL */
    PFILE_OBJECT File;
    PVOID Section;
} PSP_USER_CREATE;

/* ---- attributes ---- */

static NTSTATUS PspCaptureAttributes(PPS_ATTRIBUTE_LIST List, PSP_USER_CREATE *C)
{
    SIZE_T total;
    NTSTATUS status;
    if (List == NULL)
    {
        return STATUS_SUCCESS;
    }
    status = PspCopyIn(&total, &List->TotalLength, sizeof(total), sizeof(PVOID), C->Mode);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (total < sizeof(SIZE_T) || (total - sizeof(SIZE_T)) % sizeof(PS_ATTRIBUTE) != 0 ||
        (total - sizeof(SIZE_T)) / sizeof(PS_ATTRIBUTE) > PSP_MAX_ATTRIBUTES)
    {
        return STATUS_INVALID_PARAMETER;
    }
    C->AttributeCount = (ULONG)((total - sizeof(SIZE_T)) / sizeof(PS_ATTRIBUTE));
    if (C->AttributeCount == 0)
    {
        return STATUS_SUCCESS;
    }
    C->Attributes = ExAllocatePoolWithTag(PagedPool, C->AttributeCount * sizeof(PS_ATTRIBUTE), PSP_TAG_PARAMETERS);
    if (C->Attributes == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return PspCopyIn(C->Attributes, List->Attributes, C->AttributeCount * sizeof(PS_ATTRIBUTE), sizeof(PVOID), C->Mode);
}

static NTSTATUS PspTakeImageName(const PS_ATTRIBUTE *Attribute, PSP_USER_CREATE *C)
{
    PWSTR buffer;
    NTSTATUS status;
    if (Attribute->Size == 0 || Attribute->Size > PSP_MAX_IMAGE_NAME || (Attribute->Size & 1) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    buffer = ExAllocatePoolWithTag(PagedPool, Attribute->Size + sizeof(WCHAR), PSP_TAG_PARAMETERS);
    if (buffer == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    status = PspCopyIn(buffer, Attribute->u.ValuePtr, Attribute->Size, sizeof(WCHAR), C->Mode);
    if (!NT_SUCCESS(status))
    {
        ExFreePoolWithTag(buffer, PSP_TAG_PARAMETERS);
        return status;
    }
    if (C->Parameters.ImagePath.Buffer != NULL)
    {
        ExFreePoolWithTag(C->Parameters.ImagePath.Buffer, PSP_TAG_PARAMETERS);
    }
    C->Parameters.ImagePath.Buffer = buffer;
    C->Parameters.ImagePath.Length = (USHORT)Attribute->Size;
    C->Parameters.ImagePath.MaximumLength = (USHORT)(Attribute->Size + sizeof(WCHAR));
    return STATUS_SUCCESS;
}

static NTSTATUS PspTakeParent(const PS_ATTRIBUTE *Attribute, PSP_USER_CREATE *C)
{
    PEPROCESS parent;
    NTSTATUS status = ObReferenceObjectByHandle((HANDLE)Attribute->u.Value, PROCESS_CREATE_PROCESS, PsProcessType,
                                                C->Mode, (PVOID *)&parent, NULL);
    if (NT_SUCCESS(status))
    {
        ObDereferenceObject(C->Parent);
        C->Parent = parent;
    }
    return status;
}

/* A token other than the parent's: a restricted copy of the caller's own, or anyone's with
   SeAssignPrimaryTokenPrivilege. */
static NTSTATUS PspTakeToken(const PS_ATTRIBUTE *Attribute, PSP_USER_CREATE *C)
{
    PTOKEN token, own;
    NTSTATUS status;
    if (C->Token != NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    status = ObReferenceObjectByHandle((HANDLE)Attribute->u.Value, TOKEN_ASSIGN_PRIMARY | TOKEN_DUPLICATE,
                                       SeTokenObjectType, C->Mode, (PVOID *)&token, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    own = PsReferencePrimaryToken(PsGetCurrentProcess());
    if (SeTokenType(token) != TokenPrimary)
    {
        status = STATUS_BAD_TOKEN_TYPE;
    }
    else if (!SeIsChildToken(own, token) && !SeSinglePrivilegeCheck(SeExports->SeAssignPrimaryTokenPrivilege, C->Mode))
    {
        status = STATUS_PRIVILEGE_NOT_HELD;
    }
    PsDereferencePrimaryToken(own);
    if (!NT_SUCCESS(status))
    {
        ObDereferenceObject(token);
        return status;
    }
    C->Token = token;
    return STATUS_SUCCESS;
}

static NTSTATUS PspTakeHandleList(const PS_ATTRIBUTE *Attribute, PSP_USER_CREATE *C)
{
    SIZE_T count = Attribute->Size / sizeof(HANDLE);
    if (Attribute->Size % sizeof(HANDLE) != 0 || count > PSP_MAX_HANDLE_LIST || C->HandleList != NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    C->HandleList = ExAllocatePoolWithTag(PagedPool, Attribute->Size + sizeof(HANDLE), PSP_TAG_PARAMETERS);
    if (C->HandleList == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    C->Process.HandleList = C->HandleList;
    C->Process.HandleListCount = (ULONG)count;
    C->Process.HasHandleList = TRUE;
    return PspCopyIn(C->HandleList, Attribute->u.ValuePtr, Attribute->Size, sizeof(PVOID), C->Mode);
}

static NTSTATUS PspTakeAttribute(const PS_ATTRIBUTE *Attribute, PSP_USER_CREATE *C)
{
    switch (Attribute->Attribute)
    {
    case PS_ATTRIBUTE_IMAGE_NAME:
        return PspTakeImageName(Attribute, C);
    case PS_ATTRIBUTE_PARENT_PROCESS:
        return PspTakeParent(Attribute, C);
    case PS_ATTRIBUTE_TOKEN:
        return PspTakeToken(Attribute, C);
    case PS_ATTRIBUTE_HANDLE_LIST:
        return PspTakeHandleList(Attribute, C);
    case PS_ATTRIBUTE_CLIENT_ID:
        C->ClientIdOut = Attribute->u.ValuePtr;
        return Attribute->Size != sizeof(CLIENT_ID)
                   ? STATUS_INVALID_PARAMETER
                   : PspProbeOutput(C->ClientIdOut, sizeof(CLIENT_ID), sizeof(PVOID), C->Mode);
    case PS_ATTRIBUTE_TEB_ADDRESS:
        C->TebOut = Attribute->u.ValuePtr;
        return Attribute->Size != sizeof(PVOID) ? STATUS_INVALID_PARAMETER
                                                : PspProbeOutput(C->TebOut, sizeof(PVOID), sizeof(PVOID), C->Mode);
    case PS_ATTRIBUTE_IMAGE_INFO:
        C->ImageOut = Attribute->u.ValuePtr;
        return Attribute->Size != sizeof(SECTION_IMAGE_INFORMATION)
                   ? STATUS_INVALID_PARAMETER
                   : PspProbeOutput(C->ImageOut, sizeof(SECTION_IMAGE_INFORMATION), sizeof(PVOID), C->Mode);
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

/* ---- the image ---- */

static NTSTATUS PspOpenImage(PSP_USER_CREATE *C)
{
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK iosb;
    MM_IMAGE_INFORMATION image;
    HANDLE handle;
    ULONG flags = OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE | (C->Mode == UserMode ? OBJ_FORCE_ACCESS_CHECK : 0);
    NTSTATUS status;
    InitializeObjectAttributes(&attributes, &C->Parameters.ImagePath, flags, NULL, NULL);
    status = ZwOpenFile(&handle, FILE_EXECUTE | FILE_READ_DATA | SYNCHRONIZE, &attributes, &iosb,
                        FILE_SHARE_READ | FILE_SHARE_DELETE, FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObReferenceObjectByHandle(handle, 0, IoFileObjectType, KernelMode, (PVOID *)&C->File, NULL);
    ZwClose(handle);
    if (NT_SUCCESS(status))
    {
        status = MmCreateImageSection(C->File, &C->Section);
    }
    if (NT_SUCCESS(status))
    {
        MmGetImageInformation(C->Section, &image);
        if ((image.Characteristics & IMAGE_FILE_DLL) != 0)
        {
            status = STATUS_INVALID_IMAGE_FORMAT;
        }
    }
    return status;
}

/* ---- standard handles ---- */

/*
 * With inheritance the child's standard handles are the inherited ones, same values. Without, they are duplicated one
 * by one, as Windows does for console programs; one that cannot be duplicated is left out.
 */
static VOID PspPlaceStandardHandles(PSP_USER_CREATE *C, PEPROCESS Process)
{
    PRTL_USER_PROCESS_PARAMETERS block = C->Parameters.Block;
    HANDLE *places[3] = {&block->StandardInput, &block->StandardOutput, &block->StandardError};
    for (ULONG i = 0; i < 3; i++)
    {
        HANDLE source = *places[i], made = NULL;
        if (source == NULL || source == (HANDLE)-1 || C->Process.InheritHandles)
        {
            continue;
        }
        if (!NT_SUCCESS(
                ObDuplicateObject(C->Parent, source, Process, &made, 0, OBJ_INHERIT, DUPLICATE_SAME_ACCESS, C->Mode)))
        {
            made = NULL;
        }
        *places[i] = made;
    }
}

/* ---- building ---- */

static NTSTATUS PspBuildSpace(PSP_USER_CREATE *C, PEPROCESS Process)
{
    KAPC_STATE apcState;
    NTSTATUS status;
    PspPlaceStandardHandles(C, Process);
    KeStackAttachProcess(&Process->Pcb, &apcState);
    status = PspMapImages(Process);
    if (NT_SUCCESS(status))
    {
        status = PspCreatePeb(Process);
    }
    if (NT_SUCCESS(status))
    {
        status = PspWriteParameters(Process, &C->Parameters);
    }
    KeUnstackDetachProcess(&apcState);
    return status;
}

static NTSTATUS PspBuildFirstThread(PSP_USER_CREATE *C, PEPROCESS Process, PSP_THREAD_CREATE *Thread)
{
    PS_CREATE_NOTIFY_INFO info = {.Size = sizeof(info),
                                  .ParentProcessId = C->Parent->UniqueProcessId,
                                  .FileObject = C->File,
                                  .ImageFileName = &Process->ImagePath,
                                  .CommandLine = &C->Parameters.CommandLine,
                                  .CreationStatus = STATUS_SUCCESS};
    MM_IMAGE_INFORMATION image;
    MmGetImageInformation(C->Section, &image);
    info.FileOpenNameAvailable = TRUE;
    info.CreatingThreadId = PsGetCurrentThread()->Cid;
    Thread->Process = Process;
    Thread->StartRoutine = (PUCHAR)Process->SectionBaseAddress + image.EntryPoint;
    Thread->StartContext = Process->Peb; /* what an entry point gets in rcx */
    Thread->User = TRUE;
    Thread->FirstThreadInfo = &info;
    NTSTATUS status = PspCreateThread(Thread);
    Thread->FirstThreadInfo = NULL;
    return status;
}

/*
 * Everything after the capture. On success *Process is referenced and has a handle if ProcessHandle is given. On
 * failure what there is of it has been told to end, or has ended.
 */
static NTSTATUS PspBuildProcess(PSP_USER_CREATE *C, ACCESS_MASK Access, PHANDLE ProcessHandle,
                                PSP_THREAD_CREATE *Thread, PEPROCESS *Result)
{
    PEPROCESS process;
    NTSTATUS status = PspOpenImage(C);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    C->Process.Parent = C->Parent;
    C->Process.Token = C->Token;
    C->Process.File = C->File;
    C->Process.Section = C->Section;
    C->Process.ImagePath = &C->Parameters.ImagePath;
    C->Process.Mode = C->Mode;
    status = PspCreateProcess(&C->Process, &process);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = PspBuildSpace(C, process);
    if (!NT_SUCCESS(status))
    {
        PspAbandonProcess(process, status);
        ObDereferenceObject(process);
        return status;
    }
    ObReferenceObject(process);
    ObPublishId(PspCidTable, process->UniqueProcessId, process);
    PspListProcess(process);
    status = PspInsertObject(process, PsProcessType, process, Access, ProcessHandle);
    if (NT_SUCCESS(status))
    {
        status = PspBuildFirstThread(C, process, Thread);
        if (!NT_SUCCESS(status) && ProcessHandle != NULL)
        {
            ObCloseHandle(*ProcessHandle, C->Mode);
        }
    }
    if (!NT_SUCCESS(status))
    {
        /* A thread that came to be takes the process with it; without one it is taken apart here. */
        if (process->ActiveThreads == 0 && (process->Flags & PSP_PROCESS_EXITING) == 0)
        {
            PspAbandonProcess(process, status);
        }
        ObDereferenceObject(process);
        return status;
    }
    *Result = process;
    return STATUS_SUCCESS;
}

static VOID PspEndCreate(PSP_USER_CREATE *C)
{
    PspFreeParameters(&C->Parameters);
    if (C->Attributes != NULL)
    {
        ExFreePoolWithTag(C->Attributes, PSP_TAG_PARAMETERS);
    }
    if (C->HandleList != NULL)
    {
        ExFreePoolWithTag(C->HandleList, PSP_TAG_PARAMETERS);
    }
    if (C->Parent != NULL)
    {
        ObDereferenceObject(C->Parent);
    }
    if (C->Token != NULL)
    {
        ObDereferenceObject(C->Token);
    }
    if (C->Section != NULL)
    {
        ObDereferenceObject(C->Section);
    }
    if (C->File != NULL)
    {
        ObDereferenceObject(C->File);
    }
}

static VOID PspFillImageInformation(PVOID Section, PSECTION_IMAGE_INFORMATION Out)
{
    MM_IMAGE_INFORMATION image;
    MmGetImageInformation(Section, &image);
    RtlZeroMemory(Out, sizeof(*Out));
    Out->TransferAddress = (PUCHAR)image.PreferredBase + image.EntryPoint;
    Out->MaximumStackSize = image.StackReserve;
    Out->CommittedStackSize = image.StackCommit;
    Out->SubSystemType = image.Subsystem;
    Out->ImageCharacteristics = image.Characteristics;
    Out->DllCharacteristics = image.DllCharacteristics;
    Out->Machine = IMAGE_FILE_MACHINE_AMD64;
    Out->ImageContainsCode = TRUE;
}

/**
 * Makes a process with its first thread from an image file.
 *
 * @param ProcessFlags       PROCESS_CREATE_FLAGS_INHERIT_HANDLES
 * @param ThreadFlags        THREAD_CREATE_FLAGS_CREATE_SUSPENDED, HIDE_FROM_DEBUGGER
 * @param ProcessParameters  normalised or not; ImagePathName is an NT path unless PS_ATTRIBUTE_IMAGE_NAME gives one
 * @param CreateInfo         optional; State is set to the step reached: 6 = success
 * @param AttributeList      PS_ATTRIBUTE_IMAGE_NAME, PARENT_PROCESS, TOKEN, HANDLE_LIST; CLIENT_ID, TEB_ADDRESS,
 *                           IMAGE_INFO (out)
 * @return those of opening the file and of image sections, STATUS_INVALID_PARAMETER, STATUS_PRIVILEGE_NOT_HELD (token),
 *         the status a notify routine refused with, STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtCreateUserProcess(_Out_ PHANDLE ProcessHandle, _Out_ PHANDLE ThreadHandle,
                                   _In_ ACCESS_MASK ProcessDesiredAccess, _In_ ACCESS_MASK ThreadDesiredAccess,
                                   _In_opt_ POBJECT_ATTRIBUTES ProcessObjectAttributes,
                                   _In_opt_ POBJECT_ATTRIBUTES ThreadObjectAttributes, _In_ ULONG ProcessFlags,
                                   _In_ ULONG ThreadFlags, _In_ PRTL_USER_PROCESS_PARAMETERS ProcessParameters,
                                   _Inout_opt_ PPS_CREATE_INFO CreateInfo, _In_opt_ PPS_ATTRIBUTE_LIST AttributeList)
{
    enum { CreateSuccess = 6 };
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    HANDLE processHandle = NULL, threadHandle = NULL;
    PSP_USER_CREATE *c;
    PSP_THREAD_CREATE thread = {.Mode = mode, .Attributes = ThreadObjectAttributes, .Access = ThreadDesiredAccess,
                                .Handle = &threadHandle};
    SECTION_IMAGE_INFORMATION imageInformation;
    PEPROCESS process = NULL;
    NTSTATUS status;

    if ((ProcessFlags & ~PSP_VALID_PROCESS_FLAGS) != 0 ||
        (ThreadFlags & ~(THREAD_CREATE_FLAGS_CREATE_SUSPENDED | PSP_FLAG_HIDE_FROM_DEBUGGER)) != 0 ||
        ProcessParameters == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    status = PspProbeOutput(ProcessHandle, sizeof(HANDLE), sizeof(HANDLE), mode);
    if (NT_SUCCESS(status))
    {
        status = PspProbeOutput(ThreadHandle, sizeof(HANDLE), sizeof(HANDLE), mode);
    }
    if (NT_SUCCESS(status) && CreateInfo != NULL)
    {
        status = PspProbeOutput(CreateInfo, sizeof(*CreateInfo), sizeof(PVOID), mode);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    c = ExAllocatePoolWithTag(PagedPool, sizeof(*c), PSP_TAG_PARAMETERS);
    if (c == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(c, sizeof(*c));
    c->Mode = mode;
    c->Parent = PsGetCurrentProcess();
    ObReferenceObject(c->Parent);
    c->Process.Attributes = ProcessObjectAttributes;
    c->Process.InheritHandles = (ProcessFlags & PROCESS_CREATE_FLAGS_INHERIT_HANDLES) != 0;
    thread.Suspended = (ThreadFlags & THREAD_CREATE_FLAGS_CREATE_SUSPENDED) != 0;
    thread.Hidden = (ThreadFlags & PSP_FLAG_HIDE_FROM_DEBUGGER) != 0;

    status = PspCaptureParameters(ProcessParameters, mode, &c->Parameters);
    if (NT_SUCCESS(status))
    {
        status = PspCaptureAttributes(AttributeList, c);
    }
    for (ULONG i = 0; i < c->AttributeCount && NT_SUCCESS(status); i++)
    {
        status = PspTakeAttribute(&c->Attributes[i], c);
    }
    if (NT_SUCCESS(status))
    {
        status = PspBuildProcess(c, ProcessDesiredAccess, &processHandle, &thread, &process);
    }
    if (NT_SUCCESS(status))
    {
        PspFillImageInformation(c->Section, &imageInformation);
        __try
        {
            *ProcessHandle = processHandle;
            *ThreadHandle = threadHandle;
            if (CreateInfo != NULL)
            {
                CreateInfo->State = CreateSuccess;
            }
            if (c->ClientIdOut != NULL)
            {
                *c->ClientIdOut = thread.Cid;
            }
            if (c->TebOut != NULL)
            {
                *c->TebOut = thread.Teb;
            }
            if (c->ImageOut != NULL)
            {
                *c->ImageOut = imageInformation;
            }
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
        ObDereferenceObject(thread.Thread);
        ObDereferenceObject(process);
    }
    PspEndCreate(c);
    ExFreePoolWithTag(c, PSP_TAG_PARAMETERS);
    return status;
}

/**
 * Starts the machine's first program. Called by a system thread.
 *
 * @param Process  out: referenced; wait for it and read ExitStatus
 * @return as NtCreateUserProcess. PASSIVE_LEVEL.
 */
NTSTATUS PsStartProgram(_In_ const PS_START_PARAMETERS *Parameters, _Out_ PEPROCESS *Process)
{
    PSP_THREAD_CREATE thread = {.Mode = KernelMode, .Access = PSP_THREAD_ALL_ACCESS};
    PSP_USER_CREATE *c = ExAllocatePoolWithTag(PagedPool, sizeof(*c), PSP_TAG_PARAMETERS);
    NTSTATUS status;
    *Process = NULL;
    if (c == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(c, sizeof(*c));
    c->Mode = KernelMode;
    c->Parent = PsInitialSystemProcess;
    ObReferenceObject(c->Parent);
    c->Token = Parameters->Token;
    ObReferenceObject(c->Token);
    status = PspBuildParameters(Parameters, &c->Parameters);
    if (NT_SUCCESS(status))
    {
        /* Duplicated into the new process like those of any console program. */
        c->Parameters.Block->StandardInput = Parameters->StandardInput;
        c->Parameters.Block->StandardOutput = Parameters->StandardOutput;
        c->Parameters.Block->StandardError = Parameters->StandardError;
        status = PspBuildProcess(c, PSP_PROCESS_ALL_ACCESS, NULL, &thread, Process);
    }
    if (NT_SUCCESS(status))
    {
        ObDereferenceObject(thread.Thread);
    }
    PspEndCreate(c);
    ExFreePoolWithTag(c, PSP_TAG_PARAMETERS);
    return status;
}
