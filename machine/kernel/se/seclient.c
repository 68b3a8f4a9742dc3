/* SPDX-License-Identifier: MIT */
/*
 * Acting for a client: capturing what a caller may do now, and taking it on later in another thread.
 */
#include "sep.h"

static NTSTATUS SepFillClient(PTOKEN Token, BOOLEAN Impersonating, BOOLEAN EffectiveOnly,
                              SECURITY_IMPERSONATION_LEVEL Level, PSECURITY_QUALITY_OF_SERVICE Qos, BOOLEAN Remote,
                              PSECURITY_CLIENT_CONTEXT Client)
{
    if (Impersonating)
    {
        if (Qos->ImpersonationLevel > Level || Level == SecurityAnonymous || Level == SecurityIdentification)
        {
            return STATUS_BAD_IMPERSONATION_LEVEL;
        }
        if (Remote && Level != SecurityDelegation)
        {
            return STATUS_BAD_IMPERSONATION_LEVEL;
        }
        Client->DirectAccessEffectiveOnly = EffectiveOnly || Qos->EffectiveOnly;
    }
    else
    {
        Client->DirectAccessEffectiveOnly = Qos->EffectiveOnly;
    }
    if (Qos->ContextTrackingMode == SECURITY_STATIC_TRACKING)
    {
        PTOKEN copy;
        NTSTATUS status = SepDuplicateToken(Token, NULL, Qos->EffectiveOnly, TokenImpersonation,
                                            Qos->ImpersonationLevel, KernelMode, &copy);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
        Client->DirectlyAccessClientToken = FALSE;
        Client->ClientToken = copy;
    }
    else
    {
        Client->DirectlyAccessClientToken = TRUE;
        Client->ClientTokenControl.TokenId = Token->TokenId;
        Client->ClientTokenControl.AuthenticationId = Token->AuthenticationId;
        Client->ClientTokenControl.ModifiedId = Token->ModifiedId;
        Client->ClientTokenControl.TokenSource = Token->Source;
        ObReferenceObject(Token);
        Client->ClientToken = Token;
    }
    Client->SecurityQos = *Qos;
    Client->ServerIsRemote = Remote;
    return STATUS_SUCCESS;
}

/**
 * Captures the security of a client thread so that a server can impersonate it later.
 *
 * @param ClientContext  out: give back with SeDeleteClientSecurity
 * @return STATUS_BAD_IMPERSONATION_LEVEL, STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI SeCreateClientSecurity(_In_ PETHREAD ClientThread, _In_ PSECURITY_QUALITY_OF_SERVICE ClientSecurityQos,
                                      _In_ BOOLEAN RemoteSession, _Out_ PSECURITY_CLIENT_CONTEXT ClientContext)
{
    SECURITY_IMPERSONATION_LEVEL level = SecurityAnonymous;
    BOOLEAN copyOnOpen, effectiveOnly = FALSE;
    RtlZeroMemory(ClientContext, sizeof(*ClientContext));
    PTOKEN token = PsReferenceImpersonationToken(ClientThread, &copyOnOpen, &effectiveOnly, &level);
    BOOLEAN impersonating = token != NULL;
    if (!impersonating)
    {
        token = PsReferencePrimaryToken(ClientThread->ThreadsProcess);
    }
    NTSTATUS status =
        SepFillClient(token, impersonating, effectiveOnly, level, ClientSecurityQos, RemoteSession, ClientContext);
    ObDereferenceObject(token);
    return status;
}

/** SeCreateClientSecurity for a captured subject. PASSIVE_LEVEL. */
NTSTATUS NTAPI SeCreateClientSecurityFromSubjectContext(_In_ PSECURITY_SUBJECT_CONTEXT SubjectContext,
                                                        _In_ PSECURITY_QUALITY_OF_SERVICE ClientSecurityQos,
                                                        _In_ BOOLEAN ServerIsRemote,
                                                        _Out_ PSECURITY_CLIENT_CONTEXT ClientContext)
{
    RtlZeroMemory(ClientContext, sizeof(*ClientContext));
    return SepFillClient(SepEffectiveToken(SubjectContext), SubjectContext->ClientToken != NULL, FALSE,
                         SubjectContext->ImpersonationLevel, ClientSecurityQos, ServerIsRemote, ClientContext);
}

/**
 * Lets a thread act with a client's rights.
 *
 * @param ServerThread  NULL for the current thread
 * @return those of PsImpersonateClient. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI SeImpersonateClientEx(_In_ PSECURITY_CLIENT_CONTEXT ClientContext, _In_opt_ PETHREAD ServerThread)
{
    BOOLEAN effectiveOnly = ClientContext->DirectlyAccessClientToken ? ClientContext->DirectAccessEffectiveOnly
                                                                     : ClientContext->SecurityQos.EffectiveOnly;
    return PsImpersonateClient(ServerThread == NULL ? PsGetCurrentThread() : ServerThread, ClientContext->ClientToken,
                               TRUE, effectiveOnly, ClientContext->SecurityQos.ImpersonationLevel);
}

/** SeImpersonateClientEx without an answer. PASSIVE_LEVEL. */
VOID NTAPI SeImpersonateClient(_In_ PSECURITY_CLIENT_CONTEXT ClientContext, _In_opt_ PETHREAD ServerThread)
{
    SeImpersonateClientEx(ClientContext, ServerThread);
}

BOOLEAN SeMayImpersonate(_In_ PTOKEN Own, _In_ PTOKEN Token)
{
    BOOLEAN may;
    SepLockTokensShared();
    /* The same user, unless the client is less restricted or stands above in integrity. */
    may = (Own->Flags & TOKEN_HAS_IMPERSONATE_PRIVILEGE) != 0 || RtlEqualLuid(&Own->AuthenticationId, &Token->Origin) ||
          (SepEqualSid(Own->UserAndGroups[0].Sid, Token->UserAndGroups[0].Sid) &&
           (Own->RestrictedSidCount == 0 || Token->RestrictedSidCount != 0) &&
           SepIntegrityLevel(Own) >= SepIntegrityLevel(Token));
    SepUnlockTokens();
    return may;
}

NTSTATUS SeCopyForIdentification(_In_ PTOKEN Token, _In_ BOOLEAN EffectiveOnly, _Out_ PTOKEN *Copy)
{
    return SepDuplicateToken(Token, NULL, EffectiveOnly, TokenImpersonation, SecurityIdentification, KernelMode, Copy);
}
