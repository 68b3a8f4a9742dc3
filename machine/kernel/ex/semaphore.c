/* SPDX-License-Identifier: MIT */
/* Semaphores as programs see them. */
#include "exp.h"

POBJECT_TYPE ExSemaphoreObjectType;

#ifndef SEMAPHORE_QUERY_STATE
#define SEMAPHORE_QUERY_STATE 0x0001
#endif

typedef struct _EXP_SEMAPHORE_BASIC_INFORMATION
{
    LONG CurrentCount;
    LONG MaximumCount;
} EXP_SEMAPHORE_BASIC_INFORMATION;

VOID ExpInitializeSemaphores(VOID)
{
    static const OB_TYPE_DEFINITION definition = {
        .Name = L"Semaphore", .BodySize = sizeof(KSEMAPHORE), .PoolType = NonPagedPool, .ValidAccess = SEMAPHORE_ALL_ACCESS, .Waitable = TRUE,
        .Mapping = {STANDARD_RIGHTS_READ | SEMAPHORE_QUERY_STATE, STANDARD_RIGHTS_WRITE | SEMAPHORE_MODIFY_STATE,
                    STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, SEMAPHORE_ALL_ACCESS}};

    ExpCreateType(&definition, &ExSemaphoreObjectType);
}

static VOID ExpStartSemaphore(PVOID Object, const VOID *Parameters)
{
    const EXP_SEMAPHORE_BASIC_INFORMATION *p = Parameters;

    KeInitializeSemaphore(Object, p->CurrentCount, p->MaximumCount);
}

NTSTATUS NTAPI NtCreateSemaphore(PHANDLE SemaphoreHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                 LONG InitialCount, LONG MaximumCount)
{
    EXP_SEMAPHORE_BASIC_INFORMATION parameters = {InitialCount, MaximumCount};

    if (MaximumCount <= 0 || InitialCount < 0 || InitialCount > MaximumCount)
    {
        return STATUS_INVALID_PARAMETER;
    }
    return ExpCreateWaitable(SemaphoreHandle, DesiredAccess, ObjectAttributes, ExSemaphoreObjectType, sizeof(KSEMAPHORE), ExpStartSemaphore, &parameters);
}

NTSTATUS NTAPI NtOpenSemaphore(PHANDLE SemaphoreHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return ExpOpenWaitable(SemaphoreHandle, DesiredAccess, ObjectAttributes, ExSemaphoreObjectType);
}

NTSTATUS NTAPI NtReleaseSemaphore(HANDLE SemaphoreHandle, LONG ReleaseCount, PLONG PreviousCount)
{
    PKSEMAPHORE semaphore;
    LONG previous = 0;
    NTSTATUS status;

    if (ReleaseCount <= 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    status = ObReferenceObjectByHandle(SemaphoreHandle, SEMAPHORE_MODIFY_STATE, ExSemaphoreObjectType, ExGetPreviousMode(), (PVOID *)&semaphore, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    __try
    {
        previous = KeReleaseSemaphore(semaphore, SEMAPHORE_INCREMENT, ReleaseCount, FALSE);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode(); /* STATUS_SEMAPHORE_LIMIT_EXCEEDED */
    }
    ObDereferenceObject(semaphore);
    return NT_SUCCESS(status) ? ExpReturnLong(PreviousCount, previous) : status;
}

NTSTATUS NTAPI NtQuerySemaphore(HANDLE SemaphoreHandle, ULONG InformationClass, PVOID Information, ULONG Length, PULONG ReturnLength)
{
    EXP_SEMAPHORE_BASIC_INFORMATION basic;
    PKSEMAPHORE semaphore;
    NTSTATUS status;

    if (InformationClass != 0) /* SemaphoreBasicInformation */
    {
        return STATUS_INVALID_INFO_CLASS;
    }
    if (Length != sizeof(basic))
    {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    status = ObReferenceObjectByHandle(SemaphoreHandle, SEMAPHORE_QUERY_STATE, ExSemaphoreObjectType, ExGetPreviousMode(), (PVOID *)&semaphore, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    basic.CurrentCount = KeReadStateSemaphore(semaphore);
    basic.MaximumCount = semaphore->Limit;
    ObDereferenceObject(semaphore);
    __try
    {
        if (ExGetPreviousMode() != KernelMode)
        {
            ProbeForWrite(Information, Length, sizeof(ULONG));
        }
        RtlCopyMemory(Information, &basic, sizeof(basic));
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return ExpReturnLong((PLONG)ReturnLength, sizeof(basic));
}
