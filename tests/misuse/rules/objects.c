/* SPDX-License-Identifier: MIT */
/* Mistakes with handles, references, attaching, resources and lookaside lists. */
#include "misuse.h"

/* ---- references to an object that is going: IRP_MJ_CLOSE comes when the last one has gone ---- */

static VOID Reference(PFILE_OBJECT File)
{
    MisuseAtClose = NULL;
    MisuseNote("object", (ULONG_PTR)File);
    ObReferenceObject(File);
}

static VOID Dereference(PFILE_OBJECT File)
{
    MisuseAtClose = NULL;
    MisuseNote("object", (ULONG_PTR)File);
    ObDereferenceObject(File);
}

static VOID Look(PFILE_OBJECT File)
{
    MisuseAtClose = NULL;
    DbgPrint("misuse: a file object of device %p goes\n", File->DeviceObject);
}

MISUSE(reference_at_close)
{
    MisuseNote("type", (ULONG_PTR)*IoFileObjectType);
    MisuseAtClose = Reference;
}

CORRECT(reference_at_close)
{
    MisuseAtClose = Look;
}

MISUSE(dereference_at_close)
{
    MisuseNote("type", (ULONG_PTR)*IoFileObjectType);
    MisuseAtClose = Dereference;
}

CORRECT(dereference_at_close)
{
    MisuseAtClose = Look;
}

/* ---- handles ---- */

MISUSE(close_twice)
{
    HANDLE handle = MisuseEventHandle();

    ZwClose(handle);
    ZwClose(handle);
}

CORRECT(close_twice)
{
    ZwClose(MisuseEventHandle());
}

typedef struct _HANDLE_FLAGS
{
    BOOLEAN Inherit, ProtectFromClose;
} HANDLE_FLAGS, *PHANDLE_FLAGS;

NTKERNELAPI NTSTATUS NTAPI ObSetHandleAttributes(HANDLE Handle, PHANDLE_FLAGS Flags, KPROCESSOR_MODE PreviousMode);

static VOID CloseProtected(BOOLEAN Unprotect)
{
    HANDLE_FLAGS flags = {.ProtectFromClose = TRUE};
    HANDLE handle = MisuseEventHandle();

    ObSetHandleAttributes(handle, &flags, KernelMode);
    if (Unprotect)
    {
        flags.ProtectFromClose = FALSE;
        ObSetHandleAttributes(handle, &flags, KernelMode);
    }
    ZwClose(handle);
}

MISUSE(close_protected)
{
    CloseProtected(FALSE);
}

CORRECT(close_protected)
{
    CloseProtected(TRUE);
}

static VOID ReferenceHandle(HANDLE Handle, POBJECT_TYPE Type, KPROCESSOR_MODE Mode)
{
    PVOID object;

    MisuseNote("type", (ULONG_PTR)Type);
    if (NT_SUCCESS(ObReferenceObjectByHandle(Handle, 0, Type, Mode, &object, NULL)))
    {
        ObDereferenceObject(object);
    }
}

MISUSE(reference_null_handle)
{
    ReferenceHandle(NULL, *ExEventObjectType, KernelMode);
}

CORRECT(reference_null_handle)
{
    HANDLE handle = MisuseEventHandle();

    ReferenceHandle(handle, *ExEventObjectType, KernelMode);
    ZwClose(handle);
}

MISUSE(reference_closed_handle)
{
    HANDLE handle = MisuseEventHandle();

    ZwClose(handle);
    ReferenceHandle(handle, *ExEventObjectType, KernelMode);
}

CORRECT(reference_closed_handle)
{
    Correct_reference_null_handle(Context);
}

static VOID NTAPI ReferenceAs(PVOID Mode)
{
    HANDLE handle = MisuseEventHandle();

    ReferenceHandle(handle, *ExEventObjectType, (KPROCESSOR_MODE)(ULONG_PTR)Mode);
    ZwClose(handle);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

MISUSE(reference_as_user)
{
    MisuseRunThread(ReferenceAs, (PVOID)UserMode);
}

CORRECT(reference_as_user)
{
    MisuseRunThread(ReferenceAs, (PVOID)KernelMode);
}

/* ---- address spaces ---- */

MISUSE(attach_attached)
{
    KAPC_STATE state;

    MisuseNote("system", (ULONG_PTR)PsInitialSystemProcess);
    KeStackAttachProcess((PKPROCESS)PsInitialSystemProcess, &state);
    KeAttachProcess((PKPROCESS)IoGetRequestorProcess(Context->Irp));
}

CORRECT(attach_attached)
{
    KAPC_STATE system, process;

    KeStackAttachProcess((PKPROCESS)PsInitialSystemProcess, &system);
    KeStackAttachProcess((PKPROCESS)IoGetRequestorProcess(Context->Irp), &process);
    KeUnstackDetachProcess(&process);
    KeUnstackDetachProcess(&system);
}

static VOID NTAPI AttachHere(PKDPC Dpc, PVOID Process, PVOID Argument1, PVOID Argument2)
{
    KAPC_STATE state;

    KeStackAttachProcess(Process, &state);
}

static VOID NTAPI LookAtHere(PKDPC Dpc, PVOID Process, PVOID Argument1, PVOID Argument2)
{
    DbgPrint("misuse: process %p\n", PsGetProcessId(Process));
}

MISUSE(attach_in_dpc)
{
    MisuseNote("system", (ULONG_PTR)PsInitialSystemProcess);
    MisuseRunDpc(AttachHere, PsInitialSystemProcess);
}

CORRECT(attach_in_dpc)
{
    MisuseRunDpc(LookAtHere, PsInitialSystemProcess);
}

MISUSE(detach_unattached)
{
    KAPC_STATE state;

    RtlZeroMemory(&state, sizeof(state));
    KeUnstackDetachProcess(&state);
}

CORRECT(detach_unattached)
{
    Correct_attach_attached(Context);
}

MISUSE(return_attached)
{
    KAPC_STATE state;

    KeStackAttachProcess((PKPROCESS)PsInitialSystemProcess, &state);
}

CORRECT(return_attached)
{
    Correct_attach_attached(Context);
}

static VOID NTAPI EndAttached(PVOID Process)
{
    KAPC_STATE state;

    KeStackAttachProcess(Process, &state);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI EndDetached(PVOID Process)
{
    KAPC_STATE state;

    KeStackAttachProcess(Process, &state);
    KeUnstackDetachProcess(&state);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

MISUSE(end_attached)
{
    MisuseNote("system", (ULONG_PTR)PsInitialSystemProcess);
    MisuseRunThread(EndAttached, PsGetCurrentProcess());
}

CORRECT(end_attached)
{
    MisuseRunThread(EndDetached, PsGetCurrentProcess());
}

/* ---- resources ---- */

static ERESOURCE Resource;

static VOID NewResource(PERESOURCE New)
{
    MisuseNote("resource", (ULONG_PTR)New);
    ExInitializeResourceLite(New);
}

static VOID UseResource(VOID)
{
    NewResource(&Resource);
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    ExReleaseResourceLite(&Resource);
    KeLeaveCriticalRegion();
    ExDeleteResourceLite(&Resource);
}

MISUSE(resource_not_owned)
{
    NewResource(&Resource);
    KeEnterCriticalRegion();
    ExReleaseResourceLite(&Resource);
}

CORRECT(resource_not_owned)
{
    UseResource();
}

MISUSE(resource_no_region)
{
    NewResource(&Resource);
    ExAcquireResourceSharedLite(&Resource, TRUE);
}

CORRECT(resource_no_region)
{
    UseResource();
}

MISUSE(resource_region_left)
{
    NewResource(&Resource);
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&Resource, TRUE);
    KeLeaveCriticalRegion();
    ExReleaseResourceLite(&Resource);
}

CORRECT(resource_region_left)
{
    UseResource();
}

MISUSE(resource_unaligned)
{
    PUCHAR pool = MisusePool(sizeof(Resource) + 4);

    NewResource((PERESOURCE)(pool + 4));
    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite((PERESOURCE)(pool + 4), TRUE);
}

CORRECT(resource_unaligned)
{
    UseResource();
}

MISUSE(resource_twice)
{
    NewResource(&Resource);
    NewResource(&Resource);
}

CORRECT(resource_twice)
{
    UseResource();
    UseResource();
}

MISUSE(resource_never)
{
    MisuseNote("resource", (ULONG_PTR)&Resource);
    ExDeleteResourceLite(&Resource);
}

CORRECT(resource_never)
{
    UseResource();
}

MISUSE(pool_live_resource)
{
    PERESOURCE resource = MisusePool(sizeof(*resource));

    NewResource(resource);
    MisuseNote("size", sizeof(*resource));
    MisuseFree(resource);
}

CORRECT(pool_live_resource)
{
    PERESOURCE resource = MisusePool(sizeof(*resource));

    NewResource(resource);
    ExDeleteResourceLite(resource);
    MisuseFree(resource);
}

/* ---- lookaside lists ---- */

static NPAGED_LOOKASIDE_LIST List;

static VOID NewList(PNPAGED_LOOKASIDE_LIST New, SIZE_T Size)
{
    MisuseNote("list", (ULONG_PTR)New);
    ExInitializeNPagedLookasideList(New, NULL, NULL, 0, Size, MISUSE_TAG, 0);
}

static VOID UseList(VOID)
{
    NewList(&List, 32);
    ExFreeToNPagedLookasideList(&List, ExAllocateFromNPagedLookasideList(&List));
    ExDeleteNPagedLookasideList(&List);
}

MISUSE(lookaside_twice)
{
    NewList(&List, 32);
    NewList(&List, 32);
}

CORRECT(lookaside_twice)
{
    UseList();
    UseList();
}

MISUSE(lookaside_never)
{
    MisuseNote("list", (ULONG_PTR)&List);
    ExDeleteNPagedLookasideList(&List);
}

CORRECT(lookaside_never)
{
    UseList();
}

MISUSE(pool_live_lookaside)
{
    PNPAGED_LOOKASIDE_LIST list = MisusePool(sizeof(*list));

    MisuseNote("size", sizeof(*list));
    NewList(list, 32);
    MisuseFree(list);
}

CORRECT(pool_live_lookaside)
{
    PNPAGED_LOOKASIDE_LIST list = MisusePool(sizeof(*list));

    NewList(list, 32);
    ExDeleteNPagedLookasideList(list);
    MisuseFree(list);
}

MISUSE(lookaside_small)
{
    NewList(&List, 4);
}

CORRECT(lookaside_small)
{
    UseList();
}
