/* SPDX-License-Identifier: MIT */
/*
 * The start of PS: types, the idle process, the System process, the reaper.
 */
#include "psp.h"

POBJECT_TYPE PsProcessType, PsThreadType;
PEPROCESS PsInitialSystemProcess;
LIST_ENTRY PsActiveProcessHead;
struct _HANDLE_TABLE *PspCidTable;
FAST_MUTEX PspActiveProcessLock;

static DECLSPEC_NORETURN VOID PspFail(NTSTATUS Status, ULONG_PTR Where)
{
    KeBugCheckEx(PROCESS_INITIALIZATION_FAILED, (ULONG_PTR)Status, Where, 0, 0);
}

/* Rights that come with others ("Process Security and Access Rights", "Thread Security and Access Rights"). */
static NTSTATUS PspOpenProcess(OB_OPEN_REASON Reason, PEPROCESS Process, PVOID Object, PACCESS_MASK Granted,
                               ULONG HandleCount)
{
    *Granted |= (*Granted & PROCESS_QUERY_INFORMATION) != 0 ? PROCESS_QUERY_LIMITED_INFORMATION : 0;
    return STATUS_SUCCESS;
}

static NTSTATUS PspOpenThread(OB_OPEN_REASON Reason, PEPROCESS Process, PVOID Object, PACCESS_MASK Granted,
                              ULONG HandleCount)
{
    *Granted |= (*Granted & THREAD_QUERY_INFORMATION) != 0 ? THREAD_QUERY_LIMITED_INFORMATION : 0;
    *Granted |= (*Granted & THREAD_SET_INFORMATION) != 0 ? THREAD_SET_LIMITED_INFORMATION : 0;
    return STATUS_SUCCESS;
}

static VOID PspCreateTypes(VOID)
{
    static const OB_TYPE_DEFINITION processType = {
        .Name = L"Process",
        .BodySize = sizeof(EPROCESS),
        .PoolType = NonPagedPoolNx,
        .InvalidAttributes = OBJ_OPENLINK | OBJ_PERMANENT | OBJ_EXCLUSIVE | OBJ_OPENIF,
        .ValidAccess = PSP_PROCESS_ALL_ACCESS,
        .Mapping = {STANDARD_RIGHTS_READ | PROCESS_VM_READ | PROCESS_QUERY_INFORMATION |
                        PROCESS_QUERY_LIMITED_INFORMATION,
                    STANDARD_RIGHTS_WRITE | PROCESS_CREATE_PROCESS | PROCESS_CREATE_THREAD | PROCESS_VM_OPERATION |
                        PROCESS_VM_WRITE | PROCESS_DUP_HANDLE | PROCESS_TERMINATE | PROCESS_SET_QUOTA |
                        PROCESS_SET_INFORMATION | PROCESS_SUSPEND_RESUME | PROCESS_SET_LIMITED_INFORMATION,
                    STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE | PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION,
                    PSP_PROCESS_ALL_ACCESS},
        .SecurityRequired = TRUE,
        .Waitable = TRUE,
        .WaitOffset = FIELD_OFFSET(EPROCESS, Pcb.Header),
        .Methods = {.Open = PspOpenProcess, .Delete = PspDeleteProcess},
    };
    static const OB_TYPE_DEFINITION threadType = {
        .Name = L"Thread",
        .BodySize = sizeof(ETHREAD),
        .PoolType = NonPagedPoolNx,
        .InvalidAttributes = OBJ_OPENLINK | OBJ_PERMANENT | OBJ_EXCLUSIVE | OBJ_OPENIF,
        .ValidAccess = PSP_THREAD_ALL_ACCESS,
        .Mapping = {STANDARD_RIGHTS_READ | THREAD_GET_CONTEXT | THREAD_QUERY_INFORMATION |
                        THREAD_QUERY_LIMITED_INFORMATION,
                    STANDARD_RIGHTS_WRITE | THREAD_TERMINATE | THREAD_SUSPEND_RESUME | THREAD_ALERT |
                        THREAD_SET_INFORMATION | THREAD_SET_CONTEXT | THREAD_SET_LIMITED_INFORMATION,
                    STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE | THREAD_QUERY_LIMITED_INFORMATION | THREAD_RESUME,
                    PSP_THREAD_ALL_ACCESS},
        .SecurityRequired = TRUE,
        .Waitable = TRUE,
        .WaitOffset = FIELD_OFFSET(ETHREAD, Tcb.Header),
        .Methods = {.Open = PspOpenThread, .Delete = PspDeleteThread},
    };
    NTSTATUS status = ObCreateType(&processType, &PsProcessType);
    if (NT_SUCCESS(status))
    {
        status = ObCreateType(&threadType, &PsThreadType);
    }
    if (!NT_SUCCESS(status))
    {
        PspFail(status, 1);
    }
    ObEnableTypeCallbacks(PsProcessType);
    ObEnableTypeCallbacks(PsThreadType);
}

/* Processes of the kernel have no user half: their address space is dead from the start. */
static VOID PspInitializeKernelSpace(MM_ADDRESS_SPACE *Space)
{
    RtlZeroMemory(Space, sizeof(*Space));
    ExInitializeFastMutex(&Space->AddressSpaceLock);
    ExInitializeFastMutex(&Space->WorkingSetLock);
    KeInitializeSpinLock(&Space->LockTrackersLock);
    Space->Dead = TRUE;
}

static VOID PspInitializeKernelProcess(PEPROCESS Process, PCSTR Name, PTOKEN Token)
{
    PspInitializeKernelSpace(&Process->Space);
    ExInitializeRundownProtection(&Process->RundownProtect);
    ExInitializeFastMutex(&Process->ProcessLock);
    KeInitializeSpinLock(&Process->TokenLock);
    InitializeListHead(&Process->ThreadListHead);
    InitializeListHead(&Process->ActiveProcessLinks);
    Process->ExitStatus = STATUS_PENDING;
    Process->Token = Token;
    KeQuerySystemTime(&Process->CreateTime);
    for (ULONG i = 0; i + 1 < sizeof(Process->ImageFileName) && Name[i] != 0; i++)
    {
        Process->ImageFileName[i] = (UCHAR)Name[i];
    }
}

/* Nobody but SYSTEM may do anything to the System process; administrators may look at it. */
static NTSTATUS PspSecureSystemProcess(PEPROCESS System)
{
    SECURITY_DESCRIPTOR descriptor;
    DECLSPEC_ALIGN(8) UCHAR acl[128];
    NTSTATUS status = RtlCreateSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    if (NT_SUCCESS(status))
    {
        status = RtlCreateAcl((PACL)acl, sizeof(acl), ACL_REVISION);
    }
    if (NT_SUCCESS(status))
    {
        status = RtlAddAccessAllowedAce((PACL)acl, ACL_REVISION, PSP_PROCESS_ALL_ACCESS, SeExports->SeLocalSystemSid);
    }
    if (NT_SUCCESS(status))
    {
        status = RtlAddAccessAllowedAce((PACL)acl, ACL_REVISION,
                                        READ_CONTROL | SYNCHRONIZE | PROCESS_QUERY_INFORMATION |
                                            PROCESS_QUERY_LIMITED_INFORMATION,
                                        SeExports->SeAliasAdminsSid);
    }
    if (NT_SUCCESS(status))
    {
        status = RtlSetDaclSecurityDescriptor(&descriptor, TRUE, (PACL)acl, FALSE);
    }
    if (NT_SUCCESS(status))
    {
        descriptor.Owner = SeExports->SeLocalSystemSid; /* as its owner an administrator could rewrite the list */
        descriptor.Group = SeExports->SeLocalSystemSid;
        status = ObSetObjectDescriptor(System, &descriptor);
    }
    return status;
}

/**
 * Types, process 0 (KE's boot process, completed) and process 4 with the kernel's handle table. Once, on processor 0's
 * idle thread, after SeInitialize; threads can be created from here on.
 */
VOID PsInitializePhase0(VOID)
{
    PEPROCESS system;
    PTOKEN token;
    NTSTATUS status;

    InitializeListHead(&PsActiveProcessHead);
    ExInitializeFastMutex(&PspActiveProcessLock);
    PspInitializeNotify();
    PspCreateTypes();
    PspCidTable = ObCreateIdTable();
    token = SeCreateSystemToken();
    if (PspCidTable == NULL || token == NULL)
    {
        PspFail(STATUS_INSUFFICIENT_RESOURCES, 2);
    }
    status =
        ObCreateObject(KernelMode, PsProcessType, NULL, KernelMode, NULL, sizeof(EPROCESS), 0, 0, (PVOID *)&system);
    if (!NT_SUCCESS(status))
    {
        PspFail(status, 3);
    }
    KeInitializeProcess(&system->Pcb, PSP_DEFAULT_PRIORITY, ~(KAFFINITY)0, KiBootProcess->DirectoryTableBase);
    PspInitializeKernelProcess(system, "System", token);
    status = PspSecureSystemProcess(system);
    if (NT_SUCCESS(status))
    {
        status = ObInitializeProcess(NULL, system, FALSE);
    }
    if (!NT_SUCCESS(status))
    {
        PspFail(status, 4);
    }
    system->UniqueProcessId = ObAllocateId(PspCidTable);
    ObPublishId(PspCidTable, system->UniqueProcessId, system);

    /* What runs before the first thread runs in the idle process, with the System process's rights and handles. */
    PspInitializeKernelProcess(PsIdleProcess, "Idle", token);
    PsIdleProcess->ObjectTable = system->ObjectTable;
    ObReferenceObject(token);
    PsInitialSystemProcess = system;
    PspListProcess(system);
}

/** The thread that frees the stacks of threads that ended. PASSIVE_LEVEL. */
VOID PsInitializePhase1(VOID)
{
    HANDLE thread;
    NTSTATUS status = PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, KeReaperThread, NULL);
    if (!NT_SUCCESS(status))
    {
        PspFail(status, 5);
    }
    ZwClose(thread);
}
