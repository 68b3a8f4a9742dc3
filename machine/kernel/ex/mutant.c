/* SPDX-License-Identifier: MIT */
/* Mutants (what Win32 calls mutexes) as programs see them. */
#include "exp.h"

POBJECT_TYPE ExMutantObjectType;

#ifndef MUTANT_QUERY_STATE
#define MUTANT_QUERY_STATE 0x0001
#define MUTANT_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | MUTANT_QUERY_STATE)
#endif

VOID NTAPI KeInitializeMutant(PRKMUTANT Mutant, BOOLEAN InitialOwner);
LONG NTAPI KeReleaseMutant(PRKMUTANT Mutant, KPRIORITY Increment, BOOLEAN Abandoned, BOOLEAN Wait);

/* The last reference went while a thread still owned it: it leaves that thread's list, nobody can wait any more. */
static VOID ExpDeleteMutant(PVOID Object)
{
    PKMUTANT mutant = Object;

    if (mutant->OwnerThread != NULL)
    {
        KeReleaseMutant(mutant, MUTANT_INCREMENT, TRUE, FALSE);
    }
}

VOID ExpInitializeMutants(VOID)
{
    static const OB_TYPE_DEFINITION definition = {
        .Name = L"Mutant", .BodySize = sizeof(KMUTANT), .PoolType = NonPagedPool, .ValidAccess = MUTANT_ALL_ACCESS, .Waitable = TRUE,
        .Mapping = {STANDARD_RIGHTS_READ | MUTANT_QUERY_STATE, STANDARD_RIGHTS_WRITE, STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE, MUTANT_ALL_ACCESS},
        .Methods = {.Delete = ExpDeleteMutant}};

    ExpCreateType(&definition, &ExMutantObjectType);
}

static VOID ExpStartMutant(PVOID Object, const VOID *InitialOwner)
{
    KeInitializeMutant(Object, *(const BOOLEAN *)InitialOwner);
}

NTSTATUS NTAPI NtCreateMutant(PHANDLE MutantHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, BOOLEAN InitialOwner)
{
    return ExpCreateWaitable(MutantHandle, DesiredAccess, ObjectAttributes, ExMutantObjectType, sizeof(KMUTANT), ExpStartMutant, &InitialOwner);
}

NTSTATUS NTAPI NtOpenMutant(PHANDLE MutantHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    return ExpOpenWaitable(MutantHandle, DesiredAccess, ObjectAttributes, ExMutantObjectType);
}

NTSTATUS NTAPI NtReleaseMutant(HANDLE MutantHandle, PLONG PreviousCount)
{
    PKMUTANT mutant;
    LONG previous = 0;
    NTSTATUS status = ObReferenceObjectByHandle(MutantHandle, 0, ExMutantObjectType, ExGetPreviousMode(), (PVOID *)&mutant, NULL);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    __try
    {
        previous = KeReleaseMutant(mutant, MUTANT_INCREMENT, FALSE, FALSE);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode(); /* STATUS_MUTANT_NOT_OWNED */
    }
    ObDereferenceObject(mutant);
    return NT_SUCCESS(status) ? ExpReturnLong(PreviousCount, previous) : status;
}
