/* SPDX-License-Identifier: MIT */
/*
 * Privileges, the security context of a caller, and the access state of one open.
 */
#include "sep.h"

/* ---- privileges ---- */

BOOLEAN SepPrivilegeCheck(PTOKEN Token, PLUID_AND_ATTRIBUTES Privileges, ULONG Count, BOOLEAN AllNecessary,
                          KPROCESSOR_MODE Mode)
{
    ULONG held = 0;
    if (Mode == KernelMode)
    {
        return TRUE;
    }
    if (Token == NULL)
    {
        return FALSE;
    }
    SepLockTokensShared();
    for (ULONG i = 0; i < Count; i++)
    {
        for (ULONG j = 0; j < Token->PrivilegeCount; j++)
        {
            if (RtlEqualLuid(&Privileges[i].Luid, &Token->Privileges[j].Luid) &&
                (Token->Privileges[j].Attributes & SE_PRIVILEGE_ENABLED) != 0)
            {
                Privileges[i].Attributes |= SE_PRIVILEGE_USED_FOR_ACCESS;
                held++;
                break;
            }
        }
    }
    SepUnlockTokens();
    return AllNecessary ? held == Count : held != 0;
}

BOOLEAN SepSinglePrivilege(PTOKEN Token, LUID Privilege, KPROCESSOR_MODE Mode)
{
    LUID_AND_ATTRIBUTES one = {.Luid = Privilege};
    return SepPrivilegeCheck(Token, &one, 1, TRUE, Mode);
}

/**
 * Does the caller hold these privileges, enabled?
 *
 * @param RequiredPrivileges  Control PRIVILEGE_SET_ALL_NECESSARY or any; those held are marked
 *                            SE_PRIVILEGE_USED_FOR_ACCESS
 * @param AccessMode          KernelMode: always TRUE. PASSIVE_LEVEL.
 */
BOOLEAN NTAPI SePrivilegeCheck(_Inout_ PPRIVILEGE_SET RequiredPrivileges, _In_ PSECURITY_SUBJECT_CONTEXT SubjectContext,
                               _In_ KPROCESSOR_MODE AccessMode)
{
    if (SubjectContext->ClientToken != NULL && SubjectContext->ImpersonationLevel < SecurityImpersonation)
    {
        return FALSE;
    }
    return SepPrivilegeCheck(SepEffectiveToken(SubjectContext), RequiredPrivileges->Privilege,
                             RequiredPrivileges->PrivilegeCount,
                             (RequiredPrivileges->Control & PRIVILEGE_SET_ALL_NECESSARY) != 0, AccessMode);
}

/** Does the current thread (the client it impersonates, if any) hold one privilege, enabled? PASSIVE_LEVEL. */
BOOLEAN NTAPI SeSinglePrivilegeCheck(_In_ LUID PrivilegeValue, _In_ KPROCESSOR_MODE PreviousMode)
{
    SECURITY_SUBJECT_CONTEXT context;
    PRIVILEGE_SET required = {.PrivilegeCount = 1, .Control = PRIVILEGE_SET_ALL_NECESSARY};
    BOOLEAN held;
    if (PreviousMode == KernelMode)
    {
        return TRUE;
    }
    required.Privilege[0].Luid = PrivilegeValue;
    SeCaptureSubjectContext(&context);
    held = SePrivilegeCheck(&required, &context, PreviousMode);
    SeReleaseSubjectContext(&context);
    return held;
}

PPRIVILEGE_SET SepAllocatePrivileges(ULONG Count)
{
    SIZE_T size = FIELD_OFFSET(PRIVILEGE_SET, Privilege) + Count * sizeof(LUID_AND_ATTRIBUTES);
    PPRIVILEGE_SET set = ExAllocatePoolWithTag(PagedPool, size, SEP_TAG_PRIVILEGES);
    if (set != NULL)
    {
        RtlZeroMemory(set, size);
        set->PrivilegeCount = Count;
        set->Control = PRIVILEGE_SET_ALL_NECESSARY;
    }
    return set;
}

/** Frees the set SeAccessCheck may return. <= APC_LEVEL. */
VOID NTAPI SeFreePrivileges(_In_ PPRIVILEGE_SET Privileges)
{
    ExFreePoolWithTag(Privileges, SEP_TAG_PRIVILEGES);
}

/** Adds privileges that were used to an access state. STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL. */
NTSTATUS NTAPI SeAppendPrivileges(_Inout_ PACCESS_STATE AccessState, _In_ PPRIVILEGE_SET Privileges)
{
    SEP_AUX_DATA *aux = AccessState->AuxData;
    PPRIVILEGE_SET old = aux->PrivilegesUsed;
    ULONG total = old->PrivilegeCount + Privileges->PrivilegeCount;
    if (AccessState->PrivilegesAllocated || total > INITIAL_PRIVILEGE_COUNT)
    {
        PPRIVILEGE_SET grown = SepAllocatePrivileges(total);
        if (grown == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        grown->Control = old->Control;
        RtlCopyMemory(grown->Privilege, old->Privilege, old->PrivilegeCount * sizeof(LUID_AND_ATTRIBUTES));
        grown->PrivilegeCount = old->PrivilegeCount;
        if (AccessState->PrivilegesAllocated)
        {
            SeFreePrivileges(old);
        }
        aux->PrivilegesUsed = old = grown;
        AccessState->PrivilegesAllocated = TRUE;
    }
    RtlCopyMemory(&old->Privilege[old->PrivilegeCount], Privileges->Privilege,
                  Privileges->PrivilegeCount * sizeof(LUID_AND_ATTRIBUTES));
    old->PrivilegeCount = total;
    return STATUS_SUCCESS;
}

/* ---- the caller ---- */

/**
 * Takes references on the tokens that decide what the current thread may do.
 *
 * @param SubjectContext  out: give back with SeReleaseSubjectContext. PASSIVE_LEVEL.
 */
VOID NTAPI SeCaptureSubjectContext(_Out_ PSECURITY_SUBJECT_CONTEXT SubjectContext)
{
    PETHREAD thread = PsGetCurrentThread();
    PEPROCESS process = PsGetCurrentProcess();
    BOOLEAN copyOnOpen, effectiveOnly;

    RtlZeroMemory(SubjectContext, sizeof(*SubjectContext));
    if (PsInitialSystemProcess == NULL)
    {
        return; /* before there are processes only the kernel asks, and it is not checked */
    }
    SubjectContext->ProcessAuditId = PsGetProcessId(process);
    if (!PsIsIdleThread(thread))
    {
        SubjectContext->ClientToken =
            PsReferenceImpersonationToken(thread, &copyOnOpen, &effectiveOnly, &SubjectContext->ImpersonationLevel);
    }
    SubjectContext->PrimaryToken = PsReferencePrimaryToken(process);
}

/** Gives back the references of SeCaptureSubjectContext. PASSIVE_LEVEL. */
VOID NTAPI SeReleaseSubjectContext(_Inout_ PSECURITY_SUBJECT_CONTEXT SubjectContext)
{
    if (SubjectContext->PrimaryToken != NULL)
    {
        ObDereferenceObject(SubjectContext->PrimaryToken);
        SubjectContext->PrimaryToken = NULL;
    }
    if (SubjectContext->ClientToken != NULL)
    {
        ObDereferenceObject(SubjectContext->ClientToken);
        SubjectContext->ClientToken = NULL;
    }
}

/**
 * Keeps the tokens of a context from changing until SeUnlockSubjectContext, for several checks in a row. PASSIVE_LEVEL.
 */
VOID NTAPI SeLockSubjectContext(_In_ PSECURITY_SUBJECT_CONTEXT SubjectContext)
{
    SepLockTokensShared();
}

/** Ends SeLockSubjectContext. */
VOID NTAPI SeUnlockSubjectContext(_In_ PSECURITY_SUBJECT_CONTEXT SubjectContext)
{
    SepUnlockTokens();
}

/* ---- the state of one open ---- */

/**
 * Starts the access check of one open or creation for the current thread.
 *
 * @param AuxData  SE_AUX_DATA_SIZE bytes that live as long as State
 * @param Access   what is asked for; generic rights are mapped if Mapping is given
 *
 * End with SeDeleteAccessState. PASSIVE_LEVEL.
 */
NTSTATUS SeCreateAccessState(_Out_ PACCESS_STATE State, _Out_ PVOID AuxData, _In_ ACCESS_MASK Access,
                             _In_opt_ PGENERIC_MAPPING Mapping)
{
    SEP_AUX_DATA *aux = AuxData;
    static const GENERIC_MAPPING none;
    RtlZeroMemory(State, sizeof(*State));
    RtlZeroMemory(aux, sizeof(*aux));
    if (Mapping != NULL && RtlCompareMemory(Mapping, &none, sizeof(none)) != sizeof(none))
    {
        RtlMapGenericMask(&Access, Mapping);
        aux->GenericMapping = *Mapping;
    }
    SeCaptureSubjectContext(&State->SubjectSecurityContext);
    PTOKEN token = SepEffectiveToken(&State->SubjectSecurityContext);
    if (token != NULL && (token->Flags & TOKEN_HAS_TRAVERSE_PRIVILEGE) != 0)
    {
        State->Flags = TOKEN_HAS_TRAVERSE_PRIVILEGE;
    }
    State->RemainingDesiredAccess = Access;
    State->OriginalDesiredAccess = Access;
    State->AuxData = aux;
    aux->PrivilegesUsed = &State->Privileges.PrivilegeSet;
    ExAllocateLocallyUniqueId(&State->OperationID);
    return STATUS_SUCCESS;
}

NTSTATUS SeCreateAccessStateFor(_In_ PEPROCESS Process, _Out_ PACCESS_STATE State, _Out_ PVOID AuxData,
                                _In_ ACCESS_MASK Access, _In_opt_ PGENERIC_MAPPING Mapping)
{
    NTSTATUS status = SeCreateAccessState(State, AuxData, Access, Mapping);
    if (NT_SUCCESS(status))
    {
        SeReleaseSubjectContext(&State->SubjectSecurityContext);
        State->SubjectSecurityContext.PrimaryToken = PsReferencePrimaryToken(Process);
    }
    return status;
}

/** Ends SeCreateAccessState. PASSIVE_LEVEL. */
VOID SeDeleteAccessState(_In_ PACCESS_STATE State)
{
    SEP_AUX_DATA *aux = State->AuxData;
    if (State->PrivilegesAllocated)
    {
        SeFreePrivileges(aux->PrivilegesUsed);
    }
    SeReleaseSubjectContext(&State->SubjectSecurityContext);
}

/** Tells an access state the generic mapping of the object that was found. <= APC_LEVEL. */
VOID NTAPI SeSetAccessStateGenericMapping(_Inout_ PACCESS_STATE AccessState, _In_ PGENERIC_MAPPING GenericMapping)
{
    SEP_AUX_DATA *aux = AccessState->AuxData;
    aux->GenericMapping = *GenericMapping;
    RtlMapGenericMask(&AccessState->RemainingDesiredAccess, GenericMapping);
}
