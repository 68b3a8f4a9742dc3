/* SPDX-License-Identifier: MIT */
/*
 * Handles: making them with the access that was granted, turning them back into references, closing them.
 */
#include "obp.h"
#include "ldr.h"

/* Verifier rule: a driver referenced a user handle as if it were the kernel's. */
#define OBP_VERIFIER_USER_HANDLE 0xF6

/* Parameter 2 of bug check 93. */
#define OBP_BUGCHECK_PROTECTED_HANDLE 0
#define OBP_BUGCHECK_INVALID_HANDLE 1

static inline BOOLEAN ObpIsKernelHandle(HANDLE Handle, KPROCESSOR_MODE Mode)
{
    return Mode == KernelMode && ((ULONG_PTR)Handle & OBP_KERNEL_HANDLE_BITS) == OBP_KERNEL_HANDLE_BITS &&
           Handle != ZwCurrentProcess() && Handle != ZwCurrentThread();
}

PHANDLE_TABLE ObpTableFor(HANDLE Handle, KPROCESSOR_MODE Mode, ULONG_PTR *Value, PEPROCESS *Process)
{
    if (ObpIsKernelHandle(Handle, Mode))
    {
        *Value = (ULONG_PTR)Handle & ~OBP_KERNEL_HANDLE_BITS;
        *Process = PsInitialSystemProcess;
    }
    else
    {
        *Value = (ULONG_PTR)Handle;
        *Process = PsGetCurrentProcess();
    }
    return *Process == NULL ? NULL : (*Process)->ObjectTable;
}

/* ---- handle counts ---- */

static OBP_PROCESS_COUNT *ObpFindCount(OBP_HEADER *Header, PEPROCESS Process, BOOLEAN Make)
{
    OBP_PROCESS_COUNT *free = NULL;
    for (ULONG i = 0; i <= Header->CountSlots; i++)
    {
        OBP_PROCESS_COUNT *slot = i == 0 ? &Header->FirstCount : &Header->Counts[i - 1];
        if (slot->Count != 0 && slot->Process == Process)
        {
            return slot;
        }
        if (slot->Count == 0 && free == NULL)
        {
            free = slot;
        }
    }
    if (!Make || free != NULL)
    {
        return Make ? free : NULL;
    }
    ULONG slots = Header->CountSlots == 0 ? 4 : Header->CountSlots * 2;
    OBP_PROCESS_COUNT *grown = ExAllocatePoolWithTag(NonPagedPoolNx, slots * sizeof(*grown), OBP_TAG_MISC);
    if (grown == NULL)
    {
        return NULL;
    }
    RtlZeroMemory(grown, slots * sizeof(*grown));
    RtlCopyMemory(grown, Header->Counts, Header->CountSlots * sizeof(*grown));
    if (Header->Counts != NULL)
    {
        ExFreePoolWithTag(Header->Counts, OBP_TAG_MISC);
    }
    free = &grown[Header->CountSlots];
    Header->Counts = grown;
    Header->CountSlots = slots;
    return free;
}

/* Counts a new handle and asks the type whether it may exist. */
NTSTATUS ObpAddHandleCount(OB_OPEN_REASON Reason, PEPROCESS Process, OBP_HEADER *Header, PACCESS_MASK Granted,
                           ULONG Attributes)
{
    POBJECT_TYPE type = Header->Type;
    OBP_PROCESS_COUNT *count;
    NTSTATUS status = STATUS_SUCCESS;
    ULONG handles = 0;

    ObpLockObject(Header);
    if ((Header->Flags & OBP_EXCLUSIVE) != 0 && Header->HandleCount != 0 && Header->ExclusiveProcess != Process)
    {
        status = STATUS_ACCESS_DENIED;
    }
    else if ((count = ObpFindCount(Header, Process, TRUE)) == NULL)
    {
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    else
    {
        count->Process = Process;
        handles = ++count->Count;
        InterlockedIncrement64(&Header->HandleCount);
        if ((Header->Flags & OBP_EXCLUSIVE) != 0)
        {
            Header->ExclusiveProcess = Process;
        }
    }
    ObpUnlockObject(Header);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    InterlockedIncrement(&type->TotalHandles);
    if (type->Info.Methods.Open != NULL)
    {
        status = type->Info.Methods.Open(Reason, Process, Header->Body, Granted, handles);
        if (!NT_SUCCESS(status))
        {
            /* The type never saw this handle, so its Close is not called for it. */
            ObpLockObject(Header);
            count = ObpFindCount(Header, Process, FALSE);
            count->Count--;
            InterlockedDecrement64(&Header->HandleCount);
            ObpUnlockObject(Header);
            InterlockedDecrement(&type->TotalHandles);
        }
    }
    return status;
}

/* Uncounts a handle that is gone from its table; the last one also ends the name of a temporary object. */
VOID ObpDropHandleCount(PEPROCESS Process, OBP_HEADER *Header, ACCESS_MASK Granted)
{
    POBJECT_TYPE type = Header->Type;
    OBP_PROCESS_COUNT *count;
    ULONG processCount, systemCount;

    ObpLockObject(Header);
    count = ObpFindCount(Header, Process, FALSE);
    processCount = count == NULL ? 1 : count->Count--;
    systemCount = (ULONG)Header->HandleCount;
    InterlockedDecrement64(&Header->HandleCount);
    if (systemCount == 1)
    {
        Header->ExclusiveProcess = NULL;
    }
    ObpUnlockObject(Header);

    InterlockedDecrement(&type->TotalHandles);
    if (type->Info.Methods.Close != NULL)
    {
        type->Info.Methods.Close(Process, Header->Body, Granted, processCount, systemCount);
    }
    if (systemCount == 1 && Header->Directory != NULL)
    {
        ObpRemoveEntry(Header, TRUE);
    }
}

/* ---- making handles ---- */

/* Puts a counted object into a table. The entry takes over one reference and the handle count. */
NTSTATUS ObpInsertHandle(PEPROCESS Process, OBP_HEADER *Header, ULONG Attributes, ACCESS_MASK Granted, HANDLE *Handle)
{
    PHANDLE_TABLE table = Process->ObjectTable;
    ULONG_PTR value = (ULONG_PTR)Header;
    NTSTATUS status = STATUS_PROCESS_IS_TERMINATING;
    ULONG index = table == NULL ? 0 : ObpAllocateIndex(table, &status);
    if (index == 0)
    {
        return status;
    }
    value |= (Attributes & OBJ_INHERIT) != 0 ? OBP_ENTRY_INHERIT : 0;
    value |= (Attributes & OBJ_PROTECT_CLOSE) != 0 ? OBP_ENTRY_PROTECT : 0;
    ObpPublishEntry(table, index, value, Granted);
    *Handle = (HANDLE)((ULONG_PTR)index << 2);
    VfTakeHandle(*Handle, Process, Header->Body);
    return STATUS_SUCCESS;
}

/*
 * A handle on an object the caller has a reference on. The table gets a reference of its own.
 * Kernel handles lie in the System process's table, whose owner is attached to for the type's sake.
 */
NTSTATUS ObpCreateHandle(OB_OPEN_REASON Reason, PVOID Object, POBJECT_TYPE Type, PACCESS_STATE AccessState,
                         ULONG Attributes, KPROCESSOR_MODE Mode, PHANDLE Handle)
{
    OBP_HEADER *header = ObpHeader(Object);
    BOOLEAN kernelHandle = (Attributes & OBJ_KERNEL_HANDLE) != 0 && Mode == KernelMode;
    PEPROCESS process = kernelHandle ? PsInitialSystemProcess : PsGetCurrentProcess();
    KPROCESSOR_MODE checkMode = (Attributes & OBJ_FORCE_ACCESS_CHECK) != 0 ? UserMode : Mode;
    BOOLEAN attached = FALSE;
    KAPC_STATE apcState;
    OBP_CALL_LIST calls;
    ACCESS_MASK granted, desired;
    HANDLE handle = NULL;
    NTSTATUS status;

    if (Type != NULL && header->Type != Type)
    {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    if (Reason == ObCreateHandle)
    {
        /* Who makes an object gets what he asked for; MAXIMUM_ALLOWED then means everything. */
        desired = AccessState->RemainingDesiredAccess | AccessState->PreviouslyGrantedAccess;
        if ((desired & MAXIMUM_ALLOWED) != 0)
        {
            desired = (desired & ~MAXIMUM_ALLOWED) | header->Type->Info.Mapping.GenericAll;
        }
        if ((desired & ACCESS_SYSTEM_SECURITY) != 0 && checkMode != KernelMode &&
            !SeSinglePrivilegeCheck(SeExports->SeSecurityPrivilege, checkMode))
        {
            return STATUS_PRIVILEGE_NOT_HELD;
        }
        RtlMapGenericMask(&desired, &header->Type->Info.Mapping);
        AccessState->PreviouslyGrantedAccess = desired;
        AccessState->RemainingDesiredAccess = 0;
    }
    else if (!ObpCheckAccess(Object, AccessState, checkMode, &status))
    {
        return status;
    }
    granted = AccessState->PreviouslyGrantedAccess & (header->Type->Info.ValidAccess | ACCESS_SYSTEM_SECURITY);
    InitializeListHead(&calls.Calls);
    if (header->Type->SupportsCallbacks)
    {
        ObpRunPreCallbacks(&calls, OB_OPERATION_HANDLE_CREATE, Object, kernelHandle, &granted, NULL, NULL);
    }
    if (kernelHandle && process != PsGetCurrentProcess())
    {
        KeStackAttachProcess(&process->Pcb, &apcState);
        attached = TRUE;
    }
    status = ObpAddHandleCount(Reason, process, header, &granted, Attributes);
    if (NT_SUCCESS(status))
    {
        ObReferenceObject(Object);
        status = ObpInsertHandle(process, header, Attributes, granted, &handle);
        if (!NT_SUCCESS(status))
        {
            ObpDropHandleCount(process, header, granted);
            ObDereferenceObject(Object);
        }
    }
    if (attached)
    {
        KeUnstackDetachProcess(&apcState);
    }
    if (header->Type->SupportsCallbacks)
    {
        ObpRunPostCallbacks(&calls, OB_OPERATION_HANDLE_CREATE, Object, kernelHandle, granted, status);
    }
    if (NT_SUCCESS(status))
    {
        *Handle = kernelHandle ? (HANDLE)((ULONG_PTR)handle | OBP_KERNEL_HANDLE_BITS) : handle;
    }
    return status;
}

/**
 * Opens an object by name, or below a handle, and makes a handle on it.
 *
 * @param Attributes    probed and captured if Mode is UserMode
 * @param Type          what the object must be, or NULL
 * @param AccessState   the caller's, or NULL to make one from DesiredAccess
 * @param ParseContext  for the parse method that the name ends in
 * @param Handle        out: kernel memory
 * @return those of name lookup and of parse methods, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI ObOpenObjectByName(_In_ POBJECT_ATTRIBUTES Attributes, _In_opt_ POBJECT_TYPE Type,
                                  _In_ KPROCESSOR_MODE Mode, _In_opt_ PACCESS_STATE PassedAccessState,
                                  _In_ ACCESS_MASK DesiredAccess, _In_opt_ PVOID ParseContext, _Out_ PHANDLE Handle)
{
    static const GENERIC_MAPPING noMapping;
    ACCESS_STATE localState;
    DECLSPEC_ALIGN(16) UCHAR aux[SE_AUX_DATA_SIZE];
    PACCESS_STATE state = PassedAccessState;
    OBP_CREATE *create = NULL;
    OBP_LOOKUP lookup;
    NTSTATUS status;

    if (Attributes == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }
    status = ObpCaptureAttributes(Mode, Type, Attributes, &create);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (state == NULL)
    {
        status = SeCreateAccessState(&localState, aux, DesiredAccess,
                                     Type == NULL ? (PGENERIC_MAPPING)&noMapping : &Type->Info.Mapping);
        if (!NT_SUCCESS(status))
        {
            ObpFreeCreate(create);
            return status;
        }
        state = &localState;
    }
    state->SecurityDescriptor = create->Descriptor;
    lookup = (OBP_LOOKUP){.Root = create->Root, .Mode = Mode, .Attributes = create->Attributes, .Type = Type,
                          .ParseContext = ParseContext, .AccessState = state, .Path = create->Name};
    RtlZeroMemory(&create->Name, sizeof(create->Name));
    status = ObpLookup(&lookup);
    if (NT_SUCCESS(status))
    {
        NTSTATUS lookupStatus = status;
        if (Type == NULL)
        {
            SeSetAccessStateGenericMapping(state, &ObGetType(lookup.Object)->Info.Mapping);
        }
        status = ObpCreateHandle(ObOpenHandle, lookup.Object, Type, state, create->Attributes, Mode, Handle);
        if (status == STATUS_SUCCESS)
        {
            status = lookupStatus; /* a parse method may have something to say */
        }
    }
    ObpEndLookup(&lookup);
    state->SecurityDescriptor = NULL;
    if (state == &localState)
    {
        SeDeleteAccessState(state);
    }
    ObpFreeCreate(create);
    return status;
}

/**
 * Makes a handle on an object known by its address.
 *
 * @param HandleAttributes  OBJ_KERNEL_HANDLE, OBJ_INHERIT, OBJ_EXCLUSIVE, OBJ_FORCE_ACCESS_CHECK
 * @param AccessMode        UserMode: DesiredAccess is checked against the object's security
 * @return STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED, STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI ObOpenObjectByPointer(_In_ PVOID Object, _In_ ULONG HandleAttributes,
                                     _In_opt_ PACCESS_STATE PassedAccessState, _In_ ACCESS_MASK DesiredAccess,
                                     _In_opt_ POBJECT_TYPE ObjectType, _In_ KPROCESSOR_MODE AccessMode,
                                     _Out_ PHANDLE Handle)
{
    ACCESS_STATE localState;
    DECLSPEC_ALIGN(16) UCHAR aux[SE_AUX_DATA_SIZE];
    PACCESS_STATE state = PassedAccessState;
    NTSTATUS status = ObReferenceObjectByPointer(Object, 0, ObjectType, AccessMode);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (state == NULL)
    {
        status = SeCreateAccessState(&localState, aux, DesiredAccess, &ObGetType(Object)->Info.Mapping);
        if (!NT_SUCCESS(status))
        {
            ObDereferenceObject(Object);
            return status;
        }
        state = &localState;
    }
    status = (HandleAttributes & ObGetType(Object)->Info.InvalidAttributes) != 0
                 ? STATUS_INVALID_PARAMETER
                 : ObpCreateHandle(ObOpenHandle, Object, ObjectType, state, HandleAttributes, AccessMode, Handle);
    if (state == &localState)
    {
        SeDeleteAccessState(state);
    }
    ObDereferenceObject(Object);
    return status;
}

/** ObOpenObjectByPointer; the tag is not kept. */
NTSTATUS NTAPI ObOpenObjectByPointerWithTag(_In_ PVOID Object, _In_ ULONG HandleAttributes,
                                            _In_opt_ PACCESS_STATE PassedAccessState, _In_ ACCESS_MASK DesiredAccess,
                                            _In_opt_ POBJECT_TYPE ObjectType, _In_ KPROCESSOR_MODE AccessMode,
                                            _In_ ULONG Tag, _Out_ PHANDLE Handle)
{
    return ObOpenObjectByPointer(Object, HandleAttributes, PassedAccessState, DesiredAccess, ObjectType, AccessMode,
                                 Handle);
}

/* ---- from handle to object ---- */

static NTSTATUS ObpReferencePseudo(PVOID Object, POBJECT_TYPE Actual, POBJECT_TYPE Wanted, PVOID *Result,
                                   POBJECT_HANDLE_INFORMATION Information)
{
    if (Wanted != NULL && Wanted != Actual)
    {
        return STATUS_OBJECT_TYPE_MISMATCH;
    }
    if (Information != NULL)
    {
        Information->GrantedAccess = Actual->Info.ValidAccess;
        Information->HandleAttributes = 0;
    }
    ObReferenceObject(Object);
    *Result = Object;
    return STATUS_SUCCESS;
}

/* A kernel caller that names a process's own handle trusts user mode to keep it open: the verifier's rule F6. */
static VOID ObpCheckUserHandle(HANDLE Handle, PEPROCESS Process, PVOID Caller)
{
    if (Process == PsInitialSystemProcess || !VfOption(VfChecks))
    {
        return;
    }
    if (!LdrIsKernelAddress(Caller) && LdrFindModule(Caller, NULL) != NULL)
    {
        VfCheck(FALSE, OBP_VERIFIER_USER_HANDLE, (ULONG_PTR)Handle, (ULONG_PTR)Process, (ULONG_PTR)Caller);
    }
}

static NTSTATUS ObpHandleToObject(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                  KPROCESSOR_MODE AccessMode, PVOID *Object, POBJECT_HANDLE_INFORMATION Information,
                                  PVOID Caller)
{
    PEPROCESS process;
    ULONG_PTR value;
    KIRQL irql;
    *Object = NULL;
    if (Handle == ZwCurrentProcess())
    {
        return ObpReferencePseudo(PsGetCurrentProcess(), PsProcessType, ObjectType, Object, Information);
    }
    if (Handle == ZwCurrentThread())
    {
        return ObpReferencePseudo(PsGetCurrentThread(), PsThreadType, ObjectType, Object, Information);
    }
    PHANDLE_TABLE table = ObpTableFor(Handle, AccessMode, &value, &process);
    OBP_ENTRY *entry = table == NULL ? NULL : ObpLockEntry(table, value, &irql);
    if (entry == NULL)
    {
        return STATUS_INVALID_HANDLE;
    }
    OBP_HEADER *header = ObpEntryHeader(entry);
    ACCESS_MASK granted = entry->Granted;
    ULONG attributes = (ULONG)(entry->Value & (OBP_ENTRY_INHERIT | OBP_ENTRY_PROTECT));
    NTSTATUS status = STATUS_SUCCESS;
    if (ObjectType != NULL && header->Type != ObjectType)
    {
        status = STATUS_OBJECT_TYPE_MISMATCH;
    }
    else if (AccessMode != KernelMode && (DesiredAccess & ~granted) != 0)
    {
        status = STATUS_ACCESS_DENIED;
    }
    else
    {
        InterlockedIncrement64(&header->PointerCount);
    }
    ObpUnlockEntry(entry, irql);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (AccessMode == KernelMode && !ObpIsKernelHandle(Handle, KernelMode) && process != PsInitialSystemProcess)
    {
        ObpCheckUserHandle(Handle, process, Caller);
    }
    if (Information != NULL)
    {
        Information->GrantedAccess = granted;
        Information->HandleAttributes = ((attributes & OBP_ENTRY_INHERIT) != 0 ? OBJ_INHERIT : 0) |
                                        ((attributes & OBP_ENTRY_PROTECT) != 0 ? OBJ_PROTECT_CLOSE : 0);
    }
    *Object = header->Body;
    return STATUS_SUCCESS;
}

/*
 * A driver's handle led nowhere. For a handle that a program gave it (UserMode) that is the program's business; a NULL one
 * is always worth F5, and in the System process a kernel handle is no program's: F7.
 */
static VOID ObpCheckBadHandle(HANDLE Handle, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode, NTSTATUS Status)
{
    if (Handle == NULL)
    {
        VfCheck(FALSE, 0xF5, 0, (ULONG_PTR)ObjectType, 0);
    }
    if (AccessMode == KernelMode && Status == STATUS_INVALID_HANDLE)
    {
        VfCheck(FALSE, 0x3C, (ULONG_PTR)Handle, (ULONG_PTR)ObjectType, 0);
    }
    if (AccessMode != KernelMode && ObpIsKernelHandle(Handle, KernelMode) &&
        PsGetCurrentProcess() == PsInitialSystemProcess)
    {
        VfCheck(FALSE, 0xF7, (ULONG_PTR)Handle, (ULONG_PTR)ObjectType, (ULONG_PTR)AccessMode);
    }
}

static NTSTATUS ObpReferenceByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                     KPROCESSOR_MODE AccessMode, PVOID *Object, POBJECT_HANDLE_INFORMATION Information,
                                     PVOID Caller)
{
    NTSTATUS status = ObpHandleToObject(Handle, DesiredAccess, ObjectType, AccessMode, Object, Information, Caller);

    if (NT_SUCCESS(status))
    {
        VfTakeReference(*Object, Caller);
    }
    else if (VfIsChecked(Caller))
    {
        ObpCheckBadHandle(Handle, ObjectType, AccessMode, status);
    }
    return status;
}

/**
 * Turns a handle of the current process (the one attached to), or a kernel handle, into a reference.
 *
 * @param DesiredAccess  for UserMode: must have been granted, else STATUS_ACCESS_DENIED
 * @param ObjectType     NULL accepts any, else STATUS_OBJECT_TYPE_MISMATCH
 * @param AccessMode     UserMode callers cannot use kernel handles: STATUS_INVALID_HANDLE
 * @param Object         out: give back with ObDereferenceObject
 * @param Information    out, optional: OBJ_INHERIT / OBJ_PROTECT_CLOSE and the access granted to the handle
 *
 * PASSIVE_LEVEL (the handle table itself is nonpaged: <= DISPATCH_LEVEL works here). Verifier rule F6 for drivers.
 */
NTSTATUS NTAPI ObReferenceObjectByHandle(_In_ HANDLE Handle, _In_ ACCESS_MASK DesiredAccess,
                                         _In_opt_ POBJECT_TYPE ObjectType, _In_ KPROCESSOR_MODE AccessMode,
                                         _Out_ PVOID *Object, _Out_opt_ POBJECT_HANDLE_INFORMATION HandleInformation)
{
    return ObpReferenceByHandle(Handle, DesiredAccess, ObjectType, AccessMode, Object, HandleInformation,
                                __builtin_return_address(0));
}

/** ObReferenceObjectByHandle; the tag is not kept. */
NTSTATUS NTAPI ObReferenceObjectByHandleWithTag(_In_ HANDLE Handle, _In_ ACCESS_MASK DesiredAccess,
                                                _In_opt_ POBJECT_TYPE ObjectType, _In_ KPROCESSOR_MODE AccessMode,
                                                _In_ ULONG Tag, _Out_ PVOID *Object,
                                                _Out_opt_ POBJECT_HANDLE_INFORMATION HandleInformation)
{
    return ObpReferenceByHandle(Handle, DesiredAccess, ObjectType, AccessMode, Object, HandleInformation,
                                __builtin_return_address(0));
}

/** TRUE for a handle of the kernel's own table. Any IRQL. */
BOOLEAN NTAPI ObIsKernelHandle(_In_ HANDLE Handle)
{
    return ObpIsKernelHandle(Handle, KernelMode);
}

/* ---- closing ---- */

/* Asks a type that wants to be asked. The reference keeps the object while no lock is held. */
static BOOLEAN ObpOkayToClose(PEPROCESS Process, PHANDLE_TABLE Table, ULONG_PTR Handle)
{
    KIRQL irql;
    BOOLEAN okay = TRUE;
    OBP_ENTRY *entry = ObpLockEntry(Table, Handle, &irql);
    if (entry == NULL)
    {
        return TRUE; /* the caller finds out by itself */
    }
    OBP_HEADER *header = ObpEntryHeader(entry);
    BOOLEAN ask = header->Type->Info.Methods.OkayToClose != NULL;
    if (ask)
    {
        InterlockedIncrement64(&header->PointerCount);
    }
    ObpUnlockEntry(entry, irql);
    if (ask)
    {
        okay = header->Type->Info.Methods.OkayToClose(Process, header->Body, (HANDLE)Handle);
        ObDereferenceObject(header->Body);
    }
    return okay;
}

NTSTATUS ObpCloseEntry(PEPROCESS Process, PHANDLE_TABLE Table, ULONG_PTR Handle, KPROCESSOR_MODE Mode,
                       BOOLEAN IgnoreProtection)
{
    KIRQL irql;
    OBP_ENTRY *entry;
    if (!IgnoreProtection && !ObpOkayToClose(Process, Table, Handle))
    {
        return STATUS_HANDLE_NOT_CLOSABLE;
    }
    entry = ObpLockEntry(Table, Handle, &irql);
    if (entry == NULL)
    {
        return STATUS_INVALID_HANDLE;
    }
    if ((entry->Value & OBP_ENTRY_PROTECT) != 0 && !IgnoreProtection)
    {
        ObpUnlockEntry(entry, irql);
        return STATUS_HANDLE_NOT_CLOSABLE;
    }
    OBP_HEADER *header = ObpEntryHeader(entry);
    ACCESS_MASK granted = entry->Granted;
    __atomic_store_n(&entry->Value, 0, __ATOMIC_RELEASE);
    KeLowerIrql(irql);
    VfGive(VfHandle, (PVOID)(Handle & ~(ULONG_PTR)3), Process); /* before the index can be had again */
    ObpFreeIndex(Table, (ULONG)(Handle >> 2));
    ObpDropHandleCount(Process, header, granted);
    ObDereferenceObject(header->Body);
    return STATUS_SUCCESS;
}

/**
 * Closes a handle.
 *
 * @param PreviousMode  UserMode: STATUS_INVALID_HANDLE or STATUS_HANDLE_NOT_CLOSABLE is returned. KernelMode with
 *                      checks on: an invalid or protected handle is bug check 93. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI ObCloseHandle(_In_ HANDLE Handle, _In_ KPROCESSOR_MODE PreviousMode)
{
    PEPROCESS process;
    ULONG_PTR value;
    KAPC_STATE apcState;
    BOOLEAN attached = FALSE;
    PHANDLE_TABLE table = ObpTableFor(Handle, PreviousMode, &value, &process);
    if (Handle == ZwCurrentProcess() || Handle == ZwCurrentThread())
    {
        return STATUS_SUCCESS; /* as on NT: nothing to close, nothing wrong */
    }
    if (table == NULL)
    {
        return STATUS_INVALID_HANDLE;
    }
    if (process != PsGetCurrentProcess())
    {
        KeStackAttachProcess(&process->Pcb, &apcState);
        attached = TRUE;
    }
    NTSTATUS status = ObpCloseEntry(process, table, value, PreviousMode, FALSE);
    if (attached)
    {
        KeUnstackDetachProcess(&apcState);
    }
    if (!NT_SUCCESS(status) && PreviousMode == KernelMode && Handle != NULL && VfOption(VfChecks) &&
        !PsIsThreadTerminating(PsGetCurrentThread()))
    {
        KeBugCheckEx(INVALID_KERNEL_HANDLE, (ULONG_PTR)Handle,
                     status == STATUS_HANDLE_NOT_CLOSABLE ? OBP_BUGCHECK_PROTECTED_HANDLE : OBP_BUGCHECK_INVALID_HANDLE,
                     0, 0);
    }
    return status;
}

/** Closes a handle of the current process. STATUS_INVALID_HANDLE, STATUS_HANDLE_NOT_CLOSABLE. PASSIVE_LEVEL. */
NTSTATUS NTAPI NtClose(_In_ HANDLE Handle)
{
    return ObCloseHandle(Handle, ExGetPreviousMode());
}
