/* SPDX-License-Identifier: MIT */
/*
 * Handles on tokens: of processes, of threads, duplicates.
 */
#include "sep.h"

#define SEP_CURRENT_PROCESS_TOKEN ((HANDLE)(LONG_PTR)-4)
#define SEP_CURRENT_THREAD_TOKEN ((HANDLE)(LONG_PTR)-5)
#define SEP_CURRENT_EFFECTIVE_TOKEN ((HANDLE)(LONG_PTR)-6)

/* A token handle, or one of the pseudo handles, which allow queries only. */
NTSTATUS SepReferenceTokenByHandle(HANDLE Handle, ACCESS_MASK Access, KPROCESSOR_MODE Mode, PTOKEN *Token)
{
    BOOLEAN copyOnOpen, effectiveOnly;
    SECURITY_IMPERSONATION_LEVEL level;
    if (Handle != SEP_CURRENT_PROCESS_TOKEN && Handle != SEP_CURRENT_THREAD_TOKEN &&
        Handle != SEP_CURRENT_EFFECTIVE_TOKEN)
    {
        return ObReferenceObjectByHandle(Handle, Access, SeTokenObjectType, Mode, (PVOID *)Token, NULL);
    }
    if ((Access & ~(TOKEN_QUERY | TOKEN_QUERY_SOURCE)) != 0)
    {
        return STATUS_ACCESS_DENIED;
    }
    *Token = NULL;
    if (Handle != SEP_CURRENT_PROCESS_TOKEN)
    {
        *Token = PsReferenceImpersonationToken(PsGetCurrentThread(), &copyOnOpen, &effectiveOnly, &level);
        if (*Token == NULL && Handle == SEP_CURRENT_THREAD_TOKEN)
        {
            return STATUS_NO_TOKEN;
        }
    }
    if (*Token == NULL)
    {
        *Token = PsReferencePrimaryToken(PsGetCurrentProcess());
    }
    return STATUS_SUCCESS;
}

static NTSTATUS SepProbeHandle(PHANDLE Handle, KPROCESSOR_MODE Mode)
{
    __try
    {
        if (Mode != KernelMode)
        {
            ProbeForWrite(Handle, sizeof(HANDLE), sizeof(HANDLE));
        }
        *(volatile HANDLE *)Handle = NULL;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

static NTSTATUS SepReturnHandle(PHANDLE Target, HANDLE Handle)
{
    __try
    {
        *Target = Handle;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return STATUS_SUCCESS;
}

/**
 * Opens the primary token of a process (PROCESS_QUERY_INFORMATION or its limited form).
 *
 * @param HandleAttributes  OBJ_INHERIT; OBJ_KERNEL_HANDLE for kernel callers
 * @return STATUS_ACCESS_DENIED, STATUS_INVALID_HANDLE. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtOpenProcessTokenEx(_In_ HANDLE ProcessHandle, _In_ ACCESS_MASK DesiredAccess,
                                    _In_ ULONG HandleAttributes, _Out_ PHANDLE TokenHandle)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PEPROCESS process;
    HANDLE handle;
    NTSTATUS status = SepProbeHandle(TokenHandle, mode);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    HandleAttributes &= OBJ_INHERIT | (mode == KernelMode ? OBJ_KERNEL_HANDLE : 0);
    status = ObReferenceObjectByHandle(ProcessHandle, PROCESS_QUERY_LIMITED_INFORMATION, PsProcessType, mode,
                                       (PVOID *)&process, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    PTOKEN token = PsReferencePrimaryToken(process);
    ObDereferenceObject(process);
    status = ObOpenObjectByPointer(token, HandleAttributes, NULL, DesiredAccess, SeTokenObjectType, mode, &handle);
    PsDereferencePrimaryToken(token);
    return NT_SUCCESS(status) ? SepReturnHandle(TokenHandle, handle) : status;
}

/** NtOpenProcessTokenEx without attributes. */
NTSTATUS NTAPI NtOpenProcessToken(_In_ HANDLE ProcessHandle, _In_ ACCESS_MASK DesiredAccess, _Out_ PHANDLE TokenHandle)
{
    return NtOpenProcessTokenEx(ProcessHandle, DesiredAccess, 0, TokenHandle);
}

/**
 * Opens the token a thread impersonates with (THREAD_QUERY_INFORMATION).
 *
 * @param OpenAsSelf  check the access to the token as the process, not as the impersonated client
 * @return STATUS_NO_TOKEN (not impersonating), STATUS_CANT_OPEN_ANONYMOUS, STATUS_ACCESS_DENIED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtOpenThreadTokenEx(_In_ HANDLE ThreadHandle, _In_ ACCESS_MASK DesiredAccess, _In_ BOOLEAN OpenAsSelf,
                                   _In_ ULONG HandleAttributes, _Out_ PHANDLE TokenHandle)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    SECURITY_IMPERSONATION_LEVEL level;
    SE_IMPERSONATION_STATE saved;
    BOOLEAN copyOnOpen, effectiveOnly, disabled = FALSE;
    PETHREAD thread;
    PTOKEN token, opened;
    HANDLE handle;
    NTSTATUS status = SepProbeHandle(TokenHandle, mode);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    HandleAttributes &= OBJ_INHERIT | (mode == KernelMode ? OBJ_KERNEL_HANDLE : 0);
    status = ObReferenceObjectByHandle(ThreadHandle, THREAD_QUERY_LIMITED_INFORMATION, PsThreadType, mode,
                                       (PVOID *)&thread, NULL);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    token = PsReferenceImpersonationToken(thread, &copyOnOpen, &effectiveOnly, &level);
    if (token == NULL)
    {
        ObDereferenceObject(thread);
        return STATUS_NO_TOKEN;
    }
    if (level == SecurityAnonymous)
    {
        status = STATUS_CANT_OPEN_ANONYMOUS;
        goto Exit;
    }
    if (OpenAsSelf)
    {
        disabled = PsDisableImpersonation(PsGetCurrentThread(), &saved);
    }
    opened = token;
    if (copyOnOpen)
    {
        /* The thread shares somebody else's token: the caller gets a copy he cannot change under its owner. */
        status = SepDuplicateToken(token, NULL, effectiveOnly, TokenImpersonation, level, KernelMode, &opened);
    }
    if (NT_SUCCESS(status))
    {
        status = ObOpenObjectByPointer(opened, HandleAttributes, NULL, DesiredAccess, SeTokenObjectType, mode, &handle);
        if (opened != token)
        {
            ObDereferenceObject(opened);
        }
    }
    if (disabled)
    {
        PsRestoreImpersonation(PsGetCurrentThread(), &saved);
    }
    if (NT_SUCCESS(status))
    {
        status = SepReturnHandle(TokenHandle, handle);
    }

Exit:
    ObDereferenceObject(token);
    ObDereferenceObject(thread);
    return status;
}

/** NtOpenThreadTokenEx without attributes. */
NTSTATUS NTAPI NtOpenThreadToken(_In_ HANDLE ThreadHandle, _In_ ACCESS_MASK DesiredAccess, _In_ BOOLEAN OpenAsSelf,
                                 _Out_ PHANDLE TokenHandle)
{
    return NtOpenThreadTokenEx(ThreadHandle, DesiredAccess, OpenAsSelf, 0, TokenHandle);
}

/* The impersonation level the caller asks for in his attributes; SecurityAnonymous if he says nothing. */
static NTSTATUS SepCaptureLevel(POBJECT_ATTRIBUTES Attributes, KPROCESSOR_MODE Mode,
                                SECURITY_IMPERSONATION_LEVEL *Level)
{
    *Level = SecurityAnonymous;
    __try
    {
        if (Attributes != NULL)
        {
            PSECURITY_QUALITY_OF_SERVICE qos;
            if (Mode != KernelMode)
            {
                ProbeForRead(Attributes, sizeof(*Attributes), sizeof(PVOID));
            }
            qos = *(PVOID volatile *)&Attributes->SecurityQualityOfService;
            if (qos != NULL)
            {
                if (Mode != KernelMode)
                {
                    ProbeForRead(qos, sizeof(*qos), sizeof(ULONG));
                }
                *Level = *(volatile SECURITY_IMPERSONATION_LEVEL *)&qos->ImpersonationLevel;
            }
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    return (ULONG)*Level > SecurityDelegation ? STATUS_BAD_IMPERSONATION_LEVEL : STATUS_SUCCESS;
}

/**
 * Copies a token, as primary or as impersonation token.
 *
 * @param ObjectAttributes  its SecurityQualityOfService says the level of an impersonation token
 * @param EffectiveOnly     leave disabled groups and privileges out
 * @return STATUS_BAD_IMPERSONATION_LEVEL (a higher level than the source has; a primary from identification or less),
 *         STATUS_INVALID_PARAMETER, STATUS_ACCESS_DENIED. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtDuplicateToken(_In_ HANDLE ExistingTokenHandle, _In_ ACCESS_MASK DesiredAccess,
                                _In_ POBJECT_ATTRIBUTES ObjectAttributes, _In_ BOOLEAN EffectiveOnly,
                                _In_ TOKEN_TYPE TokenType, _Out_ PHANDLE NewTokenHandle)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    SECURITY_IMPERSONATION_LEVEL level;
    OBJECT_HANDLE_INFORMATION information;
    PTOKEN existing, copy = NULL;
    HANDLE handle;
    NTSTATUS status;
    if (TokenType != TokenPrimary && TokenType != TokenImpersonation)
    {
        return STATUS_INVALID_PARAMETER;
    }
    status = SepProbeHandle(NewTokenHandle, mode);
    if (NT_SUCCESS(status))
    {
        status = SepCaptureLevel(ObjectAttributes, mode, &level);
    }
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObReferenceObjectByHandle(ExistingTokenHandle, TOKEN_DUPLICATE, SeTokenObjectType, mode,
                                       (PVOID *)&existing, &information);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (existing->Type == TokenImpersonation &&
        (TokenType == TokenPrimary ? existing->ImpersonationLevel < SecurityImpersonation
                                   : level > existing->ImpersonationLevel))
    {
        status = STATUS_BAD_IMPERSONATION_LEVEL;
    }
    if (NT_SUCCESS(status))
    {
        status = SepDuplicateToken(existing, ObjectAttributes, EffectiveOnly, TokenType, level, mode, &copy);
    }
    if (NT_SUCCESS(status))
    {
        status = ObInsertObject(copy, NULL, DesiredAccess != 0 ? DesiredAccess : information.GrantedAccess, 0, NULL,
                                &handle);
    }
    ObDereferenceObject(existing);
    return NT_SUCCESS(status) ? SepReturnHandle(NewTokenHandle, handle) : status;
}

/** See se.h. */
BOOLEAN SeIsChildToken(_In_ PTOKEN Parent, _In_ PTOKEN Token)
{
    return RtlEqualLuid(&Token->ParentTokenId, &Parent->TokenId) ||
           (RtlEqualLuid(&Token->ParentTokenId, &Parent->ParentTokenId) &&
            RtlEqualLuid(&Token->AuthenticationId, &Parent->AuthenticationId));
}
