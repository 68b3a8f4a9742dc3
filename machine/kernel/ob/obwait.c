/* SPDX-License-Identifier: MIT */
/*
 * Waiting on handles.
 */
#include "obp.h"
#include "ex.h"

static NTSTATUS ObpCaptureTimeout(PLARGE_INTEGER Source, KPROCESSOR_MODE Mode, PLARGE_INTEGER Local,
                                  PLARGE_INTEGER *Timeout)
{
    *Timeout = NULL;
    if (Source == NULL)
    {
        return STATUS_SUCCESS;
    }
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForRead(Source, sizeof(*Source), sizeof(ULONG));
        }
        *Local = *(volatile LARGE_INTEGER *)Source;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    *Timeout = Local;
    return STATUS_SUCCESS;
}

/**
 * Waits until an object is signalled.
 *
 * @param Timeout  100 ns units: negative relative, positive absolute; NULL for ever
 * @return STATUS_WAIT_0, STATUS_ABANDONED, STATUS_TIMEOUT, STATUS_USER_APC, STATUS_ALERTED, STATUS_INVALID_HANDLE,
 *         STATUS_ACCESS_DENIED (no SYNCHRONIZE). PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtWaitForSingleObject(_In_ HANDLE Handle, _In_ BOOLEAN Alertable, _In_opt_ PLARGE_INTEGER Timeout)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    LARGE_INTEGER local;
    PLARGE_INTEGER timeout;
    PVOID object;
    NTSTATUS status = ObpCaptureTimeout(Timeout, mode, &local, &timeout);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObReferenceObjectByHandle(Handle, SYNCHRONIZE, NULL, mode, &object, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    __try
    {
        status = KeWaitForSingleObject(ObGetWaitObject(object), UserRequest, mode, Alertable, timeout);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode(); /* a mutant acquired too often */
    }
    ObDereferenceObject(object);
    return status;
}

/**
 * Waits for one or all of up to MAXIMUM_WAIT_OBJECTS objects.
 *
 * @return STATUS_WAIT_0 + index, STATUS_ABANDONED_WAIT_0 + index, STATUS_TIMEOUT, STATUS_USER_APC,
 *         STATUS_INVALID_PARAMETER_1 (count), STATUS_INVALID_PARAMETER_3 (type),
 *         STATUS_INVALID_PARAMETER_MIX (the same object twice in a wait for all). PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtWaitForMultipleObjects(_In_ ULONG Count, _In_ const HANDLE *Handles, _In_ WAIT_TYPE WaitType,
                                        _In_ BOOLEAN Alertable, _In_opt_ PLARGE_INTEGER Timeout)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    HANDLE handles[MAXIMUM_WAIT_OBJECTS];
    PVOID objects[MAXIMUM_WAIT_OBJECTS], waits[MAXIMUM_WAIT_OBJECTS];
    PKWAIT_BLOCK blocks = NULL;
    LARGE_INTEGER local;
    PLARGE_INTEGER timeout;
    ULONG referenced = 0;
    NTSTATUS status;

    if (Count == 0 || Count > MAXIMUM_WAIT_OBJECTS)
    {
        return STATUS_INVALID_PARAMETER_1;
    }
    if (WaitType != WaitAny && WaitType != WaitAll)
    {
        return STATUS_INVALID_PARAMETER_3;
    }
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForRead((PVOID)Handles, Count * sizeof(HANDLE), sizeof(HANDLE));
        }
        RtlCopyMemory(handles, Handles, Count * sizeof(HANDLE));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    status = ObpCaptureTimeout(Timeout, mode, &local, &timeout);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (Count > THREAD_WAIT_OBJECTS)
    {
        blocks = ExAllocatePoolWithTag(NonPagedPoolNx, Count * sizeof(KWAIT_BLOCK), OBP_TAG_MISC);
        if (blocks == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    for (; referenced < Count; referenced++)
    {
        status = ObReferenceObjectByHandle(handles[referenced], SYNCHRONIZE, NULL, mode, &objects[referenced], NULL);
        if (!NT_SUCCESS(status))
        {
            goto Exit;
        }
        waits[referenced] = ObGetWaitObject(objects[referenced]);
    }
    for (ULONG i = 0; WaitType == WaitAll && i < Count; i++)
    {
        for (ULONG j = i + 1; j < Count; j++)
        {
            if (waits[i] == waits[j])
            {
                status = STATUS_INVALID_PARAMETER_MIX;
                goto Exit;
            }
        }
    }
    __try
    {
        status = KeWaitForMultipleObjects(Count, waits, WaitType, UserRequest, mode, Alertable, timeout, blocks);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }

Exit:
    while (referenced-- > 0)
    {
        ObDereferenceObject(objects[referenced]);
    }
    if (blocks != NULL)
    {
        ExFreePoolWithTag(blocks, OBP_TAG_MISC);
    }
    return status;
}

/* Signals an event, a semaphore (by one) or a mutant (which the thread must own), as part of signal-and-wait. */
static NTSTATUS ObpSignal(PVOID Object, ACCESS_MASK Granted, KPROCESSOR_MODE Mode)
{
    POBJECT_TYPE type = ObGetType(Object);
    if (type == ExEventObjectType)
    {
        if (Mode != KernelMode && (Granted & EVENT_MODIFY_STATE) == 0)
        {
            return STATUS_ACCESS_DENIED;
        }
        KeSetEvent(Object, EVENT_INCREMENT, TRUE);
        return STATUS_SUCCESS;
    }
    if (type == ExSemaphoreObjectType)
    {
        if (Mode != KernelMode && (Granted & SEMAPHORE_MODIFY_STATE) == 0)
        {
            return STATUS_ACCESS_DENIED;
        }
        KeReleaseSemaphore(Object, SEMAPHORE_INCREMENT, 1, TRUE);
        return STATUS_SUCCESS;
    }
    if (type == ExMutantObjectType)
    {
        KeReleaseMutex(Object, TRUE);
        return STATUS_SUCCESS;
    }
    return STATUS_OBJECT_TYPE_MISMATCH;
}

/**
 * Signals one object and waits for another, without letting a thread run in between.
 *
 * @return as NtWaitForSingleObject; STATUS_OBJECT_TYPE_MISMATCH, STATUS_MUTANT_NOT_OWNED,
 *         STATUS_SEMAPHORE_LIMIT_EXCEEDED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtSignalAndWaitForSingleObject(_In_ HANDLE SignalHandle, _In_ HANDLE WaitHandle, _In_ BOOLEAN Alertable,
                                              _In_opt_ PLARGE_INTEGER Timeout)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    OBJECT_HANDLE_INFORMATION information;
    LARGE_INTEGER local;
    PLARGE_INTEGER timeout;
    PVOID signal, wait;
    NTSTATUS status = ObpCaptureTimeout(Timeout, mode, &local, &timeout);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObReferenceObjectByHandle(SignalHandle, 0, NULL, mode, &signal, &information);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObReferenceObjectByHandle(WaitHandle, SYNCHRONIZE, NULL, mode, &wait, NULL);
    if (!NT_SUCCESS(status))
    {
        ObDereferenceObject(signal);
        return status;
    }
    __try
    {
        status = ObpSignal(signal, information.GrantedAccess, mode);
        if (NT_SUCCESS(status))
        {
            status = KeWaitForSingleObject(ObGetWaitObject(wait), UserRequest, mode, Alertable, timeout);
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    ObDereferenceObject(signal);
    ObDereferenceObject(wait);
    return status;
}
