/* SPDX-License-Identifier: MIT */
/*
 * Handles across processes: duplication, inheritance, and the end of a process's table.
 */
#include "obp.h"

/* The part of a duplication that runs in the source process. */
static NTSTATUS ObpReferenceSource(PEPROCESS Source, HANDLE Handle, KPROCESSOR_MODE Mode, PVOID *Object,
                                   POBJECT_HANDLE_INFORMATION Information)
{
    KAPC_STATE apcState;
    BOOLEAN attach = Source != PsGetCurrentProcess();
    NTSTATUS status;
    if (attach)
    {
        KeStackAttachProcess(&Source->Pcb, &apcState);
    }
    /* Pseudo handles mean the caller's own process and thread. */
    if (attach && Handle == ZwCurrentProcess())
    {
        status = STATUS_INVALID_HANDLE;
    }
    else
    {
        status = ObReferenceObjectByHandle(Handle, 0, NULL, Mode, Object, Information);
    }
    if (attach)
    {
        KeUnstackDetachProcess(&apcState);
    }
    return status;
}

static NTSTATUS ObpCloseSource(PEPROCESS Source, HANDLE Handle, KPROCESSOR_MODE Mode)
{
    KAPC_STATE apcState;
    KeStackAttachProcess(&Source->Pcb, &apcState);
    NTSTATUS status = ObCloseHandle(Handle, Mode);
    KeUnstackDetachProcess(&apcState);
    return status;
}

/* What the new handle may do: the old handle's rights or fewer need no check; more is checked like an open. */
static NTSTATUS ObpDuplicateAccess(PVOID Object, ACCESS_MASK SourceAccess, ACCESS_MASK Wanted, ULONG Options,
                                   KPROCESSOR_MODE Mode, PACCESS_MASK Granted)
{
    POBJECT_TYPE type = ObGetType(Object);
    ACCESS_STATE state;
    DECLSPEC_ALIGN(16) UCHAR aux[SE_AUX_DATA_SIZE];
    NTSTATUS status;
    if ((Options & DUPLICATE_SAME_ACCESS) != 0)
    {
        *Granted = SourceAccess;
        return STATUS_SUCCESS;
    }
    if ((Wanted & (GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL)) != 0)
    {
        RtlMapGenericMask(&Wanted, &type->Info.Mapping);
    }
    Wanted &= type->Info.ValidAccess | ACCESS_SYSTEM_SECURITY | MAXIMUM_ALLOWED;
    if ((Wanted & ~SourceAccess) == 0)
    {
        *Granted = Wanted;
        return STATUS_SUCCESS;
    }
    status = SeCreateAccessState(&state, aux, Wanted, &type->Info.Mapping);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (ObpCheckAccess(Object, &state, Mode, &status))
    {
        *Granted = state.PreviouslyGrantedAccess;
        status = STATUS_SUCCESS;
    }
    SeDeleteAccessState(&state);
    return status;
}

static NTSTATUS ObpMakeDuplicate(PEPROCESS Source, PEPROCESS Target, PVOID Object, ACCESS_MASK Granted,
                                 ULONG Attributes, BOOLEAN KernelHandle, PHANDLE Handle)
{
    OBP_HEADER *header = ObpHeader(Object);
    OBP_CALL_LIST calls;
    KAPC_STATE apcState;
    BOOLEAN attach = Target != PsGetCurrentProcess();
    NTSTATUS status;
    InitializeListHead(&calls.Calls);
    if (header->Type->SupportsCallbacks)
    {
        ObpRunPreCallbacks(&calls, OB_OPERATION_HANDLE_DUPLICATE, Object, KernelHandle, &Granted, Source, Target);
    }
    if (attach)
    {
        KeStackAttachProcess(&Target->Pcb, &apcState);
    }
    status = ObpAddHandleCount(ObDuplicateHandle, Target, header, &Granted, Attributes);
    if (NT_SUCCESS(status))
    {
        ObReferenceObject(Object);
        status = ObpInsertHandle(Target, header, Attributes, Granted, Handle);
        if (!NT_SUCCESS(status))
        {
            ObpDropHandleCount(Target, header, Granted);
            ObDereferenceObject(Object);
        }
    }
    if (attach)
    {
        KeUnstackDetachProcess(&apcState);
    }
    if (header->Type->SupportsCallbacks)
    {
        ObpRunPostCallbacks(&calls, OB_OPERATION_HANDLE_DUPLICATE, Object, KernelHandle, Granted, status);
    }
    return status;
}

/**
 * Makes a handle of one process into a handle of another.
 *
 * @param Target        NULL with DUPLICATE_CLOSE_SOURCE: only closes
 * @param TargetHandle  out, optional: kernel memory
 * @param Access        for the new handle, unless DUPLICATE_SAME_ACCESS
 * @param Attributes    OBJ_INHERIT, OBJ_PROTECT_CLOSE, OBJ_KERNEL_HANDLE (KernelMode), unless DUPLICATE_SAME_ATTRIBUTES
 * @return STATUS_INVALID_HANDLE, STATUS_ACCESS_DENIED, STATUS_PROCESS_IS_TERMINATING, STATUS_INSUFFICIENT_RESOURCES.
 *         DUPLICATE_CLOSE_SOURCE closes the source handle in every case once it was found. PASSIVE_LEVEL.
 */
NTSTATUS ObDuplicateObject(_In_ PEPROCESS Source, _In_ HANDLE SourceHandle, _In_opt_ PEPROCESS Target,
                           _Out_opt_ PHANDLE TargetHandle, _In_ ACCESS_MASK Access, _In_ ULONG Attributes,
                           _In_ ULONG Options, _In_ KPROCESSOR_MODE Mode)
{
    OBJECT_HANDLE_INFORMATION information;
    BOOLEAN kernelHandle = Mode == KernelMode && (Attributes & OBJ_KERNEL_HANDLE) != 0;
    PVOID object = NULL;
    ACCESS_MASK granted = 0;
    HANDLE handle = NULL;
    NTSTATUS status;

    if (TargetHandle != NULL)
    {
        *TargetHandle = NULL;
    }
    if (!ExAcquireRundownProtection(&Source->RundownProtect))
    {
        return STATUS_PROCESS_IS_TERMINATING;
    }
    status = ObpReferenceSource(Source, SourceHandle, Mode, &object, &information);
    if (!NT_SUCCESS(status) || Target == NULL)
    {
        goto Exit;
    }
    if (kernelHandle)
    {
        Target = PsInitialSystemProcess;
    }
    if ((Options & DUPLICATE_SAME_ATTRIBUTES) != 0)
    {
        Attributes = information.HandleAttributes;
    }
    status = ObpDuplicateAccess(object, information.GrantedAccess, Access, Options, Mode, &granted);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    if (!ExAcquireRundownProtection(&Target->RundownProtect))
    {
        status = STATUS_PROCESS_IS_TERMINATING;
        goto Exit;
    }
    status = ObpMakeDuplicate(Source, Target, object, granted, Attributes, kernelHandle, &handle);
    ExReleaseRundownProtection(&Target->RundownProtect);
    if (NT_SUCCESS(status) && TargetHandle != NULL)
    {
        *TargetHandle = kernelHandle ? (HANDLE)((ULONG_PTR)handle | OBP_KERNEL_HANDLE_BITS) : handle;
    }

Exit:
    if (object != NULL)
    {
        if ((Options & DUPLICATE_CLOSE_SOURCE) != 0)
        {
            ObpCloseSource(Source, SourceHandle, Mode);
        }
        ObDereferenceObject(object);
    }
    ExReleaseRundownProtection(&Source->RundownProtect);
    return status;
}

/**
 * Duplicates a handle between processes the caller may duplicate from and to (PROCESS_DUP_HANDLE).
 *
 * @param TargetProcessHandle  may be NULL with DUPLICATE_CLOSE_SOURCE
 * @return as ObDuplicateObject. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtDuplicateObject(_In_ HANDLE SourceProcessHandle, _In_ HANDLE SourceHandle,
                                 _In_opt_ HANDLE TargetProcessHandle, _Out_opt_ PHANDLE TargetHandle,
                                 _In_ ACCESS_MASK DesiredAccess, _In_ ULONG HandleAttributes, _In_ ULONG Options)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PEPROCESS source = NULL, target = NULL;
    HANDLE handle = NULL;
    NTSTATUS status;
    if (TargetHandle != NULL && mode != KernelMode)
    {
        __try
        {
            ProbeForWrite(TargetHandle, sizeof(HANDLE), sizeof(HANDLE));
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            return GetExceptionCode();
        }
    }
    status =
        ObReferenceObjectByHandle(SourceProcessHandle, PROCESS_DUP_HANDLE, PsProcessType, mode, (PVOID *)&source, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (TargetProcessHandle != NULL)
    {
        status = ObReferenceObjectByHandle(TargetProcessHandle, PROCESS_DUP_HANDLE, PsProcessType, mode,
                                           (PVOID *)&target, NULL);
    }
    else if ((Options & DUPLICATE_CLOSE_SOURCE) == 0)
    {
        status = STATUS_INVALID_HANDLE;
    }
    if (NT_SUCCESS(status))
    {
        status =
            ObDuplicateObject(source, SourceHandle, target, &handle, DesiredAccess, HandleAttributes, Options, mode);
    }
    if (TargetHandle != NULL)
    {
        __try
        {
            *TargetHandle = handle;
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
            status = GetExceptionCode();
        }
    }
    if (target != NULL)
    {
        ObDereferenceObject(target);
    }
    ObDereferenceObject(source);
    return status;
}

/* ---- tables of processes ---- */

/* Copies one entry of the parent to the same place of the child, if it is inheritable. */
static NTSTATUS ObpInheritEntry(PEPROCESS Parent, PEPROCESS Process, ULONG Index)
{
    KIRQL irql;
    PHANDLE_TABLE table = Process->ObjectTable;
    OBP_ENTRY *entry = ObpLockEntry(Parent->ObjectTable, (ULONG_PTR)Index << 2, &irql);
    if (entry == NULL)
    {
        return STATUS_SUCCESS;
    }
    OBP_HEADER *header = ObpEntryHeader(entry);
    ACCESS_MASK granted = entry->Granted;
    ULONG_PTR bits = entry->Value & (OBP_ENTRY_INHERIT | OBP_ENTRY_PROTECT);
    if ((bits & OBP_ENTRY_INHERIT) != 0)
    {
        InterlockedIncrement64(&header->PointerCount);
    }
    ObpUnlockEntry(entry, irql);
    if ((bits & OBP_ENTRY_INHERIT) == 0)
    {
        return STATUS_SUCCESS;
    }
    NTSTATUS status = ObpAddHandleCount(ObInheritHandle, Process, header, &granted, 0);
    if (!NT_SUCCESS(status))
    {
        /* As on NT, a type that refuses is passed over without failing the process. */
        ObDereferenceObject(header->Body);
        return STATUS_SUCCESS;
    }
    ObpPublishEntry(table, Index, (ULONG_PTR)header | bits, granted);
    return STATUS_SUCCESS;
}

/* Gives the child's table entries up to Limit, so that inherited handles keep their values. */
static NTSTATUS ObpReserveEntries(PHANDLE_TABLE Table, ULONG Limit)
{
    NTSTATUS status;
    while (Table->NextUnused < Limit)
    {
        if (ObpAllocateIndex(Table, &status) == 0)
        {
            return status;
        }
    }
    return STATUS_SUCCESS;
}

/* Entries reserved and not filled go back, highest first, so that low handles are used first. */
static VOID ObpReleaseUnfilled(PHANDLE_TABLE Table, ULONG Limit)
{
    for (ULONG index = Limit; index-- > 1;)
    {
        if (ObpEntryAt(Table, index)->Value == 0)
        {
            ObpFreeIndex(Table, index);
        }
    }
}

static NTSTATUS ObpInherit(PEPROCESS Parent, PEPROCESS Process, const HANDLE *List, ULONG Count)
{
    NTSTATUS status;
    ULONG limit;
    if (!ExAcquireRundownProtection(&Parent->RundownProtect))
    {
        return STATUS_PROCESS_IS_TERMINATING;
    }
    limit = Parent->ObjectTable->NextUnused;
    status = ObpReserveEntries(Process->ObjectTable, limit);
    if (NT_SUCCESS(status))
    {
        if (List == NULL)
        {
            for (ULONG index = 1; index < limit; index++)
            {
                ObpInheritEntry(Parent, Process, index);
            }
        }
        for (ULONG i = 0; List != NULL && i < Count; i++)
        {
            ULONG_PTR index = (ULONG_PTR)List[i] >> 2;
            if (index > 0 && index < limit && ObpEntryAt(Process->ObjectTable, (ULONG)index)->Value == 0)
            {
                ObpInheritEntry(Parent, Process, (ULONG)index);
            }
        }
        ObpReleaseUnfilled(Process->ObjectTable, limit);
    }
    ExReleaseRundownProtection(&Parent->RundownProtect);
    return status;
}

/**
 * Gives a new process its handle table.
 *
 * @param Parent   whose inheritable handles are taken over if Inherit is set; may be NULL
 * @return STATUS_INSUFFICIENT_RESOURCES, STATUS_PROCESS_IS_TERMINATING (the parent). PASSIVE_LEVEL.
 */
NTSTATUS ObInitializeProcess(_In_opt_ PEPROCESS Parent, _In_ PEPROCESS Process, _In_ BOOLEAN Inherit)
{
    Process->ObjectTable = ObpCreateTable(0);
    if (Process->ObjectTable == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return Parent != NULL && Inherit ? ObpInherit(Parent, Process, NULL, 0) : STATUS_SUCCESS;
}

/** Takes over only the inheritable handles in List (kernel memory), same values. For a fresh process. PASSIVE_LEVEL. */
NTSTATUS ObInheritHandles(_In_ PEPROCESS Parent, _In_ PEPROCESS Process, _In_ const HANDLE *List, _In_ ULONG Count)
{
    return ObpInherit(Parent, Process, List, Count);
}

/**
 * Closes every handle of a process that ends: the last thread calls it, in the process, before the address space goes,
 * so that drivers see IRP_MJ_CLEANUP and IRP_MJ_CLOSE in the right context. Waits for those who work in the process's
 * tables from outside. Nothing can be added afterwards. PASSIVE_LEVEL.
 */
VOID ObKillProcess(_In_ PEPROCESS Process)
{
    PHANDLE_TABLE table = Process->ObjectTable;
    KIRQL irql;
    if (table == NULL)
    {
        return;
    }
    ExWaitForRundownProtectionRelease(&Process->RundownProtect);
    KeAcquireSpinLock(&table->Lock, &irql);
    table->Dead = TRUE;
    KeReleaseSpinLock(&table->Lock, irql);
    for (ULONG index = 1; index < table->NextUnused; index++)
    {
        OBP_ENTRY *entry = ObpEntryAt(table, index);
        if (entry != NULL && entry->Value != 0)
        {
            ObpCloseEntry(Process, table, (ULONG_PTR)index << 2, KernelMode, TRUE);
        }
    }
}

/** Frees the memory of a table whose handles are closed; when the process object goes. PASSIVE_LEVEL. */
VOID ObDeleteProcessTable(_In_ PEPROCESS Process)
{
    if (Process->ObjectTable != NULL)
    {
        ObpDeleteTable(Process->ObjectTable);
        Process->ObjectTable = NULL;
    }
}

/** Handles open in a process. Any IRQL; the number may be old when it is returned. */
ULONG ObGetProcessHandleCount(_In_ PEPROCESS Process)
{
    PHANDLE_TABLE table = Process->ObjectTable;
    return table == NULL ? 0 : (ULONG)table->Count;
}

/* ---- attributes of a handle ---- */

static NTSTATUS ObpSetHandleFlags(HANDLE Handle, BOOLEAN Inherit, BOOLEAN Protect, KPROCESSOR_MODE Mode)
{
    PEPROCESS process;
    ULONG_PTR value;
    KIRQL irql;
    PHANDLE_TABLE table = ObpTableFor(Handle, Mode, &value, &process);
    OBP_ENTRY *entry = table == NULL ? NULL : ObpLockEntry(table, value, &irql);
    if (entry == NULL)
    {
        return STATUS_INVALID_HANDLE;
    }
    entry->Value = (entry->Value & ~(OBP_ENTRY_INHERIT | OBP_ENTRY_PROTECT)) | (Inherit ? OBP_ENTRY_INHERIT : 0) |
                   (Protect ? OBP_ENTRY_PROTECT : 0);
    ObpUnlockEntry(entry, irql);
    return STATUS_SUCCESS;
}

/**
 * Sets whether a handle is inherited and whether it can be closed.
 *
 * @return STATUS_INVALID_HANDLE. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI ObSetHandleAttributes(_In_ HANDLE Handle, _In_ POBJECT_HANDLE_FLAG_INFORMATION HandleFlags,
                                     _In_ KPROCESSOR_MODE PreviousMode)
{
    return ObpSetHandleFlags(Handle, HandleFlags->Inherit, HandleFlags->ProtectFromClose, PreviousMode);
}

/**
 * Sets ObjectHandleFlagInformation, the only class that can be set.
 *
 * @return STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_HANDLE. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtSetInformationObject(_In_ HANDLE Handle, _In_ OBJECT_INFORMATION_CLASS ObjectInformationClass,
                                      _In_ PVOID ObjectInformation, _In_ ULONG Length)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    OBJECT_HANDLE_FLAG_INFORMATION flags;
    if (ObjectInformationClass != ObjectHandleFlagInformation)
    {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length != sizeof(flags))
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForRead(ObjectInformation, sizeof(flags), sizeof(UCHAR));
        }
        flags = *(volatile OBJECT_HANDLE_FLAG_INFORMATION *)ObjectInformation;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return ObpSetHandleFlags(Handle, flags.Inherit, flags.ProtectFromClose, mode);
}
