/* SPDX-License-Identifier: MIT */
/*
 * Who a process is, and whom a thread acts for.
 */
#include "psp.h"

/** The primary token of a process, referenced: give back with PsDereferencePrimaryToken. <= DISPATCH_LEVEL. */
PACCESS_TOKEN NTAPI PsReferencePrimaryToken(_In_ PEPROCESS Process)
{
    KIRQL irql;
    KeAcquireSpinLock(&Process->TokenLock, &irql);
    PTOKEN token = Process->Token;
    ObReferenceObject(token);
    KeReleaseSpinLock(&Process->TokenLock, irql);
    return token;
}

/** Ends PsReferencePrimaryToken. <= DISPATCH_LEVEL. */
VOID NTAPI PsDereferencePrimaryToken(_In_ PACCESS_TOKEN PrimaryToken)
{
    ObDereferenceObject(PrimaryToken);
}

/**
 * The token a thread impersonates with, referenced: give back with PsDereferenceImpersonationToken.
 *
 * @return NULL if it acts for itself. <= DISPATCH_LEVEL.
 */
PACCESS_TOKEN NTAPI PsReferenceImpersonationToken(_Inout_ PETHREAD Thread, _Out_ PBOOLEAN CopyOnOpen,
                                                  _Out_ PBOOLEAN EffectiveOnly,
                                                  _Out_ PSECURITY_IMPERSONATION_LEVEL ImpersonationLevel)
{
    const LONG wanted = PSP_THREAD_IMPERSONATING;
    PTOKEN token = NULL;
    KIRQL irql;
    *CopyOnOpen = FALSE;
    *EffectiveOnly = FALSE;
    *ImpersonationLevel = SecurityAnonymous;
    if ((Thread->Flags & PSP_THREAD_IMPERSONATING) == 0)
    {
        return NULL; /* nearly always */
    }
    KeAcquireSpinLock(&Thread->TokenLock, &irql);
    if ((Thread->Flags & (PSP_THREAD_IMPERSONATING | PSP_THREAD_IMPERSONATION_OFF)) == wanted)
    {
        token = Thread->ImpersonationToken;
        ObReferenceObject(token);
        *CopyOnOpen = Thread->ImpersonationCopyOnOpen;
        *EffectiveOnly = Thread->ImpersonationEffectiveOnly;
        *ImpersonationLevel = Thread->ImpersonationLevel;
    }
    KeReleaseSpinLock(&Thread->TokenLock, irql);
    return token;
}

#undef PsDereferenceImpersonationToken
/** Ends PsReferenceImpersonationToken; NULL is allowed. <= DISPATCH_LEVEL. */
VOID NTAPI PsDereferenceImpersonationToken(_In_opt_ PACCESS_TOKEN ImpersonationToken)
{
    if (ImpersonationToken != NULL)
    {
        ObDereferenceObject(ImpersonationToken);
    }
}

static VOID PspSwapImpersonation(PETHREAD Thread, PTOKEN Token, BOOLEAN CopyOnOpen, BOOLEAN EffectiveOnly,
                                 SECURITY_IMPERSONATION_LEVEL Level)
{
    KIRQL irql;
    KeAcquireSpinLock(&Thread->TokenLock, &irql);
    PTOKEN old = Thread->ImpersonationToken;
    Thread->ImpersonationToken = Token;
    Thread->ImpersonationCopyOnOpen = CopyOnOpen;
    Thread->ImpersonationEffectiveOnly = EffectiveOnly;
    Thread->ImpersonationLevel = Level;
    if (Token != NULL)
    {
        InterlockedOr(&Thread->Flags, PSP_THREAD_IMPERSONATING);
    }
    else
    {
        InterlockedAnd(&Thread->Flags, ~PSP_THREAD_IMPERSONATING);
    }
    KeReleaseSpinLock(&Thread->TokenLock, irql);
    if (old != NULL)
    {
        ObDereferenceObject(old);
    }
}

VOID PspClearImpersonation(PETHREAD Thread)
{
    PspSwapImpersonation(Thread, NULL, FALSE, FALSE, SecurityAnonymous);
}

/**
 * Lets a thread act with another token.
 *
 * Who may not impersonate that client (no SeImpersonatePrivilege, another logon) gets it at SecurityIdentification: he
 * can ask who the client is, not act as him.
 *
 * @param Token  NULL ends impersonation
 * @return STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI PsImpersonateClient(_In_ PETHREAD Thread, _In_opt_ PACCESS_TOKEN Token, _In_ BOOLEAN CopyOnOpen,
                                   _In_ BOOLEAN EffectiveOnly, _In_ SECURITY_IMPERSONATION_LEVEL ImpersonationLevel)
{
    PTOKEN use = Token;
    if (Token == NULL)
    {
        PspClearImpersonation(Thread);
        return STATUS_SUCCESS;
    }
    PTOKEN own = PsReferencePrimaryToken(Thread->ThreadsProcess);
    if (ImpersonationLevel >= SecurityImpersonation && !SeMayImpersonate(own, Token))
    {
        NTSTATUS status = SeCopyForIdentification(Token, EffectiveOnly, &use);
        if (!NT_SUCCESS(status))
        {
            PsDereferencePrimaryToken(own);
            return status;
        }
        ImpersonationLevel = SecurityIdentification;
        CopyOnOpen = FALSE;
    }
    else
    {
        ObReferenceObject(use);
    }
    PsDereferencePrimaryToken(own);
    PspSwapImpersonation(Thread, use, CopyOnOpen, EffectiveOnly, ImpersonationLevel);
    return STATUS_SUCCESS;
}

/** The current thread acts for itself again. PASSIVE_LEVEL. */
VOID NTAPI PsRevertToSelf(VOID)
{
    PspClearImpersonation(PsGetCurrentThread());
}

/** The thread acts for itself again. PASSIVE_LEVEL. */
VOID NTAPI PsRevertThreadToSelf(_Inout_ PETHREAD Thread)
{
    PspClearImpersonation(Thread);
}

/** Suspends impersonation and saves it; FALSE if the thread does not impersonate. PASSIVE_LEVEL. */
BOOLEAN NTAPI PsDisableImpersonation(_Inout_ PETHREAD Thread, _Inout_ PSE_IMPERSONATION_STATE ImpersonationState)
{
    ImpersonationState->Token = PsReferenceImpersonationToken(
        Thread, &ImpersonationState->CopyOnOpen, &ImpersonationState->EffectiveOnly, &ImpersonationState->Level);
    if (ImpersonationState->Token == NULL)
    {
        return FALSE;
    }
    PspClearImpersonation(Thread);
    return TRUE;
}

/** Resumes what PsDisableImpersonation suspended. PASSIVE_LEVEL. */
VOID NTAPI PsRestoreImpersonation(_Inout_ PETHREAD Thread, _In_ PSE_IMPERSONATION_STATE ImpersonationState)
{
    PspSwapImpersonation(Thread, ImpersonationState->Token, ImpersonationState->CopyOnOpen,
                         ImpersonationState->EffectiveOnly, ImpersonationState->Level); /* takes the reference over */
}

/** Sets a thread's impersonation token by handle (TOKEN_IMPERSONATE), or ends it with NULL. */
NTSTATUS PspAssignImpersonationToken(PETHREAD Thread, HANDLE Token, KPROCESSOR_MODE Mode)
{
    PTOKEN token;
    NTSTATUS status;
    if (Token == NULL)
    {
        PspClearImpersonation(Thread);
        return STATUS_SUCCESS;
    }
    status = ObReferenceObjectByHandle(Token, TOKEN_IMPERSONATE, SeTokenObjectType, Mode, (PVOID *)&token, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (SeTokenType(token) != TokenImpersonation)
    {
        status = STATUS_BAD_TOKEN_TYPE;
    }
    else
    {
        status = PsImpersonateClient(Thread, token, FALSE, FALSE, SeTokenImpersonationLevel(token));
    }
    ObDereferenceObject(token);
    return status;
}

/** PspAssignImpersonationToken for kernel callers. PASSIVE_LEVEL. */
NTSTATUS NTAPI PsAssignImpersonationToken(_In_ PETHREAD Thread, _In_opt_ HANDLE Token)
{
    return PspAssignImpersonationToken(Thread, Token, KernelMode);
}

/*
 * Gives a process another primary token, while it has not run yet. A child of the caller's own token, or any with
 * SeAssignPrimaryTokenPrivilege.
 */
NTSTATUS PspAssignPrimaryToken(PEPROCESS Process, HANDLE Token, KPROCESSOR_MODE Mode)
{
    PTOKEN token, own, copy, old;
    KIRQL irql;
    NTSTATUS status =
        ObReferenceObjectByHandle(Token, TOKEN_ASSIGN_PRIMARY, SeTokenObjectType, Mode, (PVOID *)&token, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    own = PsReferencePrimaryToken(PsGetCurrentProcess());
    if (SeTokenType(token) != TokenPrimary)
    {
        status = STATUS_BAD_TOKEN_TYPE;
    }
    else if (!SeIsChildToken(own, token) && !SeSinglePrivilegeCheck(SeExports->SeAssignPrimaryTokenPrivilege, Mode))
    {
        status = STATUS_PRIVILEGE_NOT_HELD;
    }
    else if ((Process->Flags & PSP_PROCESS_STARTED) != 0)
    {
        status = STATUS_NOT_SUPPORTED;
    }
    else
    {
        status = SeCopyAsPrimary(token, &copy);
    }
    PsDereferencePrimaryToken(own);
    ObDereferenceObject(token);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    KeAcquireSpinLock(&Process->TokenLock, &irql);
    old = Process->Token;
    Process->Token = copy;
    KeReleaseSpinLock(&Process->TokenLock, irql);
    ObDereferenceObject(old);
    return STATUS_SUCCESS;
}
