/* SPDX-License-Identifier: MIT */
/* EX's start, and what its objects with handles have in common. */
#include "exp.h"

VOID ExInitializePhase0(VOID)
{
    ExpInitializeRandom();
}

VOID ExInitializePhase1(VOID)
{
    ExpInitializeEvents();
    ExpInitializeMutants();
    ExpInitializeSemaphores();
    ExpInitializeTimers();
    ExpInitializeCallbacks();
    ExpInitializeWorkers();
}

VOID ExpCreateType(const OB_TYPE_DEFINITION *Definition, POBJECT_TYPE *Type)
{
    NTSTATUS status = ObCreateType(Definition, Type);

    if (!NT_SUCCESS(status))
    {
        KeBugCheckEx(PHASE1_INITIALIZATION_FAILED, (ULONG_PTR)status, (ULONG_PTR)Definition->Name, 0, 0);
    }
}

VOID ExpProbeHandle(PHANDLE Handle, KPROCESSOR_MODE Mode)
{
    if (Mode != KernelMode)
    {
        ProbeForWrite(Handle, sizeof(HANDLE), sizeof(HANDLE));
    }
}

NTSTATUS ExpReturnHandle(PHANDLE Target, HANDLE Handle)
{
    __try
    {
        *Target = Handle;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        NTSTATUS status = GetExceptionCode();
        ObCloseHandle(Handle, ExGetPreviousMode());
        return status;
    }
    return STATUS_SUCCESS;
}

NTSTATUS ExpReturnLong(PLONG Target, LONG Value)
{
    if (Target == NULL)
    {
        return STATUS_SUCCESS;
    }
    __try
    {
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForWrite(Target, sizeof(LONG), sizeof(LONG));
        }
        *Target = Value;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static NTSTATUS ExpTryProbeHandle(PHANDLE Handle, KPROCESSOR_MODE Mode)
{
    __try
    {
        ExpProbeHandle(Handle, Mode);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

NTSTATUS ExpCreateWaitable(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, POBJECT_TYPE Type, ULONG BodySize,
                           PEXP_INITIALIZE Initialize, const VOID *Parameters)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PVOID object;
    HANDLE handle;
    NTSTATUS status = ExpTryProbeHandle(Handle, mode);
    NTSTATUS returned;

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObCreateObject(mode, Type, Attributes, mode, NULL, BodySize, 0, 0, &object);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    Initialize(object, Parameters);
    status = ObInsertObject(object, NULL, Access, 0, NULL, &handle);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    returned = ExpReturnHandle(Handle, handle);
    return NT_SUCCESS(returned) ? status : returned; /* STATUS_OBJECT_NAME_EXISTS must reach the caller */
}

NTSTATUS ExpOpenWaitable(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, POBJECT_TYPE Type)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    HANDLE handle;
    NTSTATUS status = ExpTryProbeHandle(Handle, mode);

    if (NT_SUCCESS(status))
    {
        status = ObOpenObjectByName(Attributes, Type, mode, NULL, Access, NULL, &handle);
    }
    return NT_SUCCESS(status) ? ExpReturnHandle(Handle, handle) : status;
}
