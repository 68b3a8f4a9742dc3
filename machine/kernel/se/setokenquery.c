/* SPDX-License-Identifier: MIT */
/*
 * What a token says about itself. Each answer is built in kernel memory, with pointers as they will be in the
 * caller's buffer, and copied out whole.
 */
#include "sep.h"

/* A growing answer: Base is where it is built, Target where it will lie. */
typedef struct _SEP_ANSWER
{
    PUCHAR Base;                   /* NULL while measuring */
    PUCHAR Target;
    ULONG Used;
} SEP_ANSWER;

static PVOID SepReserve(SEP_ANSWER *Answer, ULONG Size)
{
    PVOID place = Answer->Base == NULL ? NULL : Answer->Base + Answer->Used;
    Answer->Used += Size;
    return place;
}

static VOID SepPut(SEP_ANSWER *Answer, const VOID *Data, ULONG Size)
{
    PVOID place = SepReserve(Answer, Size);
    if (place != NULL)
    {
        RtlCopyMemory(place, Data, Size);
    }
}

/* Appends a SID and returns the address it will have. */
static PSID SepPutSid(SEP_ANSWER *Answer, PSID Sid)
{
    PSID address = Answer->Target + Answer->Used;
    SepPut(Answer, Sid, SepSidLength(Sid));
    return address;
}

static VOID SepAlign(SEP_ANSWER *Answer)
{
    Answer->Used = (Answer->Used + 7) & ~7U;
}

static VOID SepPutSidArray(SEP_ANSWER *Answer, PSID_AND_ATTRIBUTES Place, const SID_AND_ATTRIBUTES *Source, ULONG Count)
{
    for (ULONG i = 0; i < Count; i++)
    {
        PSID address = SepPutSid(Answer, Source[i].Sid);
        if (Place != NULL)
        {
            Place[i].Sid = address;
            Place[i].Attributes = Source[i].Attributes;
        }
    }
}

static VOID SepAnswerOneSid(SEP_ANSWER *Answer, PSID Sid)
{
    PSID *place = SepReserve(Answer, sizeof(PSID));
    PSID address = SepPutSid(Answer, Sid);
    if (place != NULL)
    {
        *place = address;
    }
}

static VOID SepAnswerSidAndAttributes(SEP_ANSWER *Answer, PSID Sid, ULONG Attributes)
{
    PSID_AND_ATTRIBUTES place = SepReserve(Answer, sizeof(SID_AND_ATTRIBUTES));
    PSID address = SepPutSid(Answer, Sid);
    if (place != NULL)
    {
        place->Sid = address;
        place->Attributes = Attributes;
    }
}

static VOID SepAnswerGroups(SEP_ANSWER *Answer, const SID_AND_ATTRIBUTES *Sids, ULONG Count)
{
    PTOKEN_GROUPS place = SepReserve(Answer, FIELD_OFFSET(TOKEN_GROUPS, Groups) + Count * sizeof(SID_AND_ATTRIBUTES));
    if (place != NULL)
    {
        place->GroupCount = Count;
    }
    SepPutSidArray(Answer, place == NULL ? NULL : place->Groups, Sids, Count);
}

static VOID SepAnswerPrivileges(SEP_ANSWER *Answer, PTOKEN Token)
{
    SepPut(Answer, &Token->PrivilegeCount, sizeof(ULONG));
    SepPut(Answer, Token->Privileges, Token->PrivilegeCount * sizeof(LUID_AND_ATTRIBUTES));
}

static VOID SepAnswerStatistics(SEP_ANSWER *Answer, PTOKEN Token)
{
    TOKEN_STATISTICS statistics = {
        .TokenId = Token->TokenId,
        .AuthenticationId = Token->AuthenticationId,
        .ExpirationTime = Token->ExpirationTime,
        .TokenType = Token->Type,
        .ImpersonationLevel = Token->ImpersonationLevel,
        .DynamicCharged = Token->DefaultDacl == NULL ? 0 : Token->DefaultDacl->AclSize,
        .GroupCount = Token->UserAndGroupCount - 1,
        .PrivilegeCount = Token->PrivilegeCount,
        .ModifiedId = Token->ModifiedId,
    };
    SepPut(Answer, &statistics, sizeof(statistics));
}

static VOID SepAnswerDefaultDacl(SEP_ANSWER *Answer, PTOKEN Token)
{
    PTOKEN_DEFAULT_DACL place = SepReserve(Answer, sizeof(*place));
    PVOID address = Answer->Target + Answer->Used;
    if (Token->DefaultDacl != NULL)
    {
        SepPut(Answer, Token->DefaultDacl, Token->DefaultDacl->AclSize);
    }
    if (place != NULL)
    {
        place->DefaultDacl = Token->DefaultDacl == NULL ? NULL : address;
    }
}

static VOID SepAnswerGroupsAndPrivileges(SEP_ANSWER *Answer, PTOKEN Token)
{
    TOKEN_GROUPS_AND_PRIVILEGES fixed = {
        .SidCount = Token->UserAndGroupCount, .RestrictedSidCount = Token->RestrictedSidCount,
        .PrivilegeCount = Token->PrivilegeCount, .PrivilegeLength = Token->PrivilegeCount * sizeof(LUID_AND_ATTRIBUTES),
        .AuthenticationId = Token->AuthenticationId,
    };
    PTOKEN_GROUPS_AND_PRIVILEGES place = SepReserve(Answer, sizeof(fixed));
    ULONG start = Answer->Used;
    PSID_AND_ATTRIBUTES sids;
    fixed.Sids = (PSID_AND_ATTRIBUTES)(Answer->Target + start);
    sids = SepReserve(Answer, fixed.SidCount * sizeof(*sids));
    SepPutSidArray(Answer, sids, Token->UserAndGroups, fixed.SidCount);
    SepAlign(Answer);
    fixed.SidLength = Answer->Used - start;
    start = Answer->Used;
    if (fixed.RestrictedSidCount != 0)
    {
        fixed.RestrictedSids = (PSID_AND_ATTRIBUTES)(Answer->Target + start);
        sids = SepReserve(Answer, fixed.RestrictedSidCount * sizeof(*sids));
        SepPutSidArray(Answer, sids, Token->RestrictedSids, fixed.RestrictedSidCount);
        SepAlign(Answer);
        fixed.RestrictedSidLength = Answer->Used - start;
    }
    fixed.Privileges = (PLUID_AND_ATTRIBUTES)(Answer->Target + Answer->Used);
    SepPut(Answer, Token->Privileges, fixed.PrivilegeLength);
    if (place != NULL)
    {
        *place = fixed;
    }
}

static VOID SepAnswerUlong(SEP_ANSWER *Answer, ULONG Value)
{
    SepPut(Answer, &Value, sizeof(Value));
}

/* Classes whose answer is one number. FALSE if Class is none of them. */
static BOOLEAN SepAnswerNumber(PTOKEN Token, TOKEN_INFORMATION_CLASS Class, SEP_ANSWER *Answer, NTSTATUS *Status)
{
    enum { ElevationDefault = 1, ElevationFull, ElevationLimited };
    switch (Class)
    {
    case TokenType:
        SepAnswerUlong(Answer, Token->Type);
        return TRUE;
    case TokenImpersonationLevel:
        if (Token->Type != TokenImpersonation)
        {
            *Status = STATUS_INVALID_INFO_CLASS;
        }
        SepAnswerUlong(Answer, Token->ImpersonationLevel);
        return TRUE;
    case TokenSessionId:
        SepAnswerUlong(Answer, Token->SessionId);
        return TRUE;
    case TokenSandBoxInert:
        SepAnswerUlong(Answer, (Token->Flags & TOKEN_SANDBOX_INERT) != 0);
        return TRUE;
    case TokenElevationType:
        /* No linked tokens here: the answer is that of a machine without split logons. */
        SepAnswerUlong(Answer, ElevationDefault);
        return TRUE;
    case TokenElevation:
        SepAnswerUlong(Answer, Token->Elevated);
        return TRUE;
    case TokenHasRestrictions:
        SepAnswerUlong(Answer, (Token->Flags & TOKEN_IS_FILTERED) != 0);
        return TRUE;
    case TokenVirtualizationAllowed:
        SepAnswerUlong(Answer, (Token->Flags & TOKEN_VIRTUALIZE_ALLOWED) != 0);
        return TRUE;
    case TokenVirtualizationEnabled:
        SepAnswerUlong(Answer, (Token->Flags & TOKEN_VIRTUALIZE_ENABLED) != 0);
        return TRUE;
    case TokenUIAccess:
        SepAnswerUlong(Answer, (Token->Flags & TOKEN_UIACCESS) != 0);
        return TRUE;
    case TokenMandatoryPolicy:
        SepAnswerUlong(Answer, Token->MandatoryPolicy);
        return TRUE;
    default:
        return FALSE;
    }
}

static NTSTATUS SepAnswerToken(PTOKEN Token, TOKEN_INFORMATION_CLASS Class, SEP_ANSWER *Answer)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (SepAnswerNumber(Token, Class, Answer, &status))
    {
        return status;
    }
    switch (Class)
    {
    case TokenUser:
        SepAnswerSidAndAttributes(Answer, Token->UserAndGroups[0].Sid, Token->UserAndGroups[0].Attributes);
        break;
    case TokenGroups:
        SepAnswerGroups(Answer, Token->UserAndGroups + 1, Token->UserAndGroupCount - 1);
        break;
    case TokenRestrictedSids:
        SepAnswerGroups(Answer, Token->RestrictedSids, Token->RestrictedSidCount);
        break;
    case TokenPrivileges:
        SepAnswerPrivileges(Answer, Token);
        break;
    case TokenOwner:
        SepAnswerOneSid(Answer, Token->UserAndGroups[Token->DefaultOwnerIndex].Sid);
        break;
    case TokenPrimaryGroup:
        SepAnswerOneSid(Answer, Token->PrimaryGroup);
        break;
    case TokenDefaultDacl:
        SepAnswerDefaultDacl(Answer, Token);
        break;
    case TokenSource:
        SepPut(Answer, &Token->Source, sizeof(Token->Source));
        break;
    case TokenStatistics:
        SepAnswerStatistics(Answer, Token);
        break;
    case TokenGroupsAndPrivileges:
        SepAnswerGroupsAndPrivileges(Answer, Token);
        break;
    case TokenOrigin:
        SepPut(Answer, &Token->Origin, sizeof(Token->Origin));
        break;
    case TokenIntegrityLevel:
        if (Token->IntegrityIndex == SEP_NO_INDEX)
        {
            SepAnswerSidAndAttributes(Answer, SeExports->SeMediumMandatorySid,
                                      SE_GROUP_INTEGRITY | SE_GROUP_INTEGRITY_ENABLED);
        }
        else
        {
            SepAnswerSidAndAttributes(Answer, Token->UserAndGroups[Token->IntegrityIndex].Sid,
                                      Token->UserAndGroups[Token->IntegrityIndex].Attributes);
        }
        break;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
    return STATUS_SUCCESS;
}

/* Measures, allocates, builds; all under the token lock so that both passes see the same token. */
static NTSTATUS SepBuildAnswer(PTOKEN Token, TOKEN_INFORMATION_CLASS Class, PVOID Target, BOOLEAN TargetIsCopy,
                               PVOID *Copy, PULONG Length)
{
    SEP_ANSWER answer = {.Target = Target};
    NTSTATUS status;
    *Copy = NULL;
    *Length = 0;
    SepLockTokensShared();
    status = SepAnswerToken(Token, Class, &answer);
    if (NT_SUCCESS(status))
    {
        *Length = answer.Used;
        *Copy = ExAllocatePoolWithTag(PagedPool, answer.Used, SEP_TAG_QUERY);
        if (*Copy == NULL)
        {
            status = STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    if (NT_SUCCESS(status))
    {
        RtlZeroMemory(*Copy, answer.Used);
        answer.Base = *Copy;
        answer.Target = TargetIsCopy ? *Copy : Target;
        answer.Used = 0;
        SepAnswerToken(Token, Class, &answer);
    }
    SepUnlockTokens();
    return status;
}

/* Classes whose number is stored in place of the pointer; all other answers come in a pool block. */
static BOOLEAN SepStoredInPlace(PTOKEN Token, TOKEN_INFORMATION_CLASS Class, PULONG Value)
{
    switch (Class)
    {
    case TokenSessionId:
        *Value = Token->SessionId;
        return TRUE;
    case TokenIntegrityLevel:
        *Value = SepIntegrityLevel(Token);
        return TRUE;
    case TokenVirtualizationAllowed:
        *Value = (Token->Flags & TOKEN_VIRTUALIZE_ALLOWED) != 0;
        return TRUE;
    case TokenVirtualizationEnabled:
        *Value = (Token->Flags & TOKEN_VIRTUALIZE_ENABLED) != 0;
        return TRUE;
    default:
        return FALSE;
    }
}

/**
 * Asks a token, for kernel callers.
 *
 * @param TokenInformation  out: a pool block, to be freed with ExFreePool; for TokenSessionId, TokenIntegrityLevel (its
 *                          RID) and TokenVirtualization* a ULONG stored at this address itself, as Windows does
 * @return STATUS_INVALID_INFO_CLASS, STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI SeQueryInformationToken(_In_ PACCESS_TOKEN Token, _In_ TOKEN_INFORMATION_CLASS TokenInformationClass,
                                       _Out_ PVOID *TokenInformation)
{
    PVOID copy;
    ULONG length, value;
    if (SepStoredInPlace(Token, TokenInformationClass, &value))
    {
        *(PULONG)TokenInformation = value;
        return STATUS_SUCCESS;
    }
    NTSTATUS status = SepBuildAnswer(Token, TokenInformationClass, NULL, TRUE, &copy, &length);
    if (NT_SUCCESS(status))
    {
        *TokenInformation = copy;
    }
    return status;
}

/**
 * Asks a token through a handle (TOKEN_QUERY; TOKEN_QUERY_SOURCE for its source) or a pseudo handle: -4 the process's
 * token, -5 the thread's, -6 the effective one.
 *
 * @param ReturnLength  out: bytes of the answer, also when the buffer is too small
 * @return STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_INFO_CLASS, STATUS_ACCESS_DENIED, STATUS_NO_TOKEN. PASSIVE_LEVEL.
 */
NTSTATUS NTAPI NtQueryInformationToken(_In_ HANDLE TokenHandle, _In_ TOKEN_INFORMATION_CLASS TokenInformationClass,
                                       _Out_writes_bytes_opt_(TokenInformationLength) PVOID TokenInformation,
                                       _In_ ULONG TokenInformationLength, _Out_ PULONG ReturnLength)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    PTOKEN token;
    PVOID copy;
    ULONG length;
    NTSTATUS status;
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(TokenInformation, TokenInformationLength, sizeof(ULONG));
            ProbeForWrite(ReturnLength, sizeof(*ReturnLength), sizeof(ULONG));
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    status = SepReferenceTokenByHandle(
        TokenHandle, TokenInformationClass == TokenSource ? TOKEN_QUERY_SOURCE : TOKEN_QUERY, mode, &token);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = SepBuildAnswer(token, TokenInformationClass, TokenInformation, FALSE, &copy, &length);
    ObDereferenceObject(token);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    __try
    {
        *ReturnLength = length;
        if (TokenInformation == NULL || TokenInformationLength < length)
        {
            status = STATUS_BUFFER_TOO_SMALL;
        }
        else
        {
            RtlCopyMemory(TokenInformation, copy, length);
        }
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        status = GetExceptionCode();
    }
    ExFreePoolWithTag(copy, SEP_TAG_QUERY);
    return status;
}
