/* SPDX-License-Identifier: MIT */
/* Tokens, privileges, group membership. */
#include "adv.h"

/* ---- Tokens ---- */

BOOL WINAPI OpenProcessToken(HANDLE ProcessHandle, DWORD DesiredAccess, PHANDLE TokenHandle)
{
    return AdvResult(NtOpenProcessToken(ProcessHandle, DesiredAccess, TokenHandle));
}

BOOL WINAPI OpenThreadToken(HANDLE ThreadHandle, DWORD DesiredAccess, BOOL OpenAsSelf, PHANDLE TokenHandle)
{
    return AdvResult(NtOpenThreadToken(ThreadHandle, DesiredAccess, OpenAsSelf != FALSE, TokenHandle));
}

BOOL WINAPI GetTokenInformation(HANDLE TokenHandle, TOKEN_INFORMATION_CLASS TokenInformationClass,
                                LPVOID TokenInformation, DWORD TokenInformationLength, PDWORD ReturnLength)
{
    return AdvResult(NtQueryInformationToken(TokenHandle, TokenInformationClass, TokenInformation,
                                             TokenInformationLength, ReturnLength));
}

BOOL WINAPI SetTokenInformation(HANDLE TokenHandle, TOKEN_INFORMATION_CLASS TokenInformationClass,
                                LPVOID TokenInformation, DWORD TokenInformationLength)
{
    return AdvResult(NtSetInformationToken(TokenHandle, TokenInformationClass, TokenInformation,
                                           TokenInformationLength));
}

/** TRUE also if only some privileges could be changed: the last error is ERROR_NOT_ALL_ASSIGNED then, else 0. */
BOOL WINAPI AdjustTokenPrivileges(HANDLE TokenHandle, BOOL DisableAllPrivileges, PTOKEN_PRIVILEGES NewState,
                                  DWORD BufferLength, PTOKEN_PRIVILEGES PreviousState, PDWORD ReturnLength)
{
    NTSTATUS status = NtAdjustPrivilegesToken(TokenHandle, DisableAllPrivileges != FALSE, NewState, BufferLength,
                                              PreviousState, ReturnLength);
    if (!NT_SUCCESS(status))
    {
        return AdvFail(status);
    }
    RtlSetLastWin32Error(status == STATUS_NOT_ALL_ASSIGNED ? ERROR_NOT_ALL_ASSIGNED : ERROR_SUCCESS);
    return TRUE;
}

NTSTATUS AdvEnablePrivilege(ULONG Luid)
{
    HANDLE token;
    TOKEN_PRIVILEGES privileges = {1, {{{Luid, 0}, SE_PRIVILEGE_ENABLED}}};
    NTSTATUS status = NtOpenProcessToken(NtCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token);
    if (NT_SUCCESS(status))
    {
        status = NtAdjustPrivilegesToken(token, FALSE, &privileges, 0, NULL, NULL);
        NtClose(token);
    }
    return status == STATUS_NOT_ALL_ASSIGNED ? STATUS_PRIVILEGE_NOT_HELD : status;
}

/* ---- Privileges: their numbers are fixed ---- */

static const PCWSTR AdvPrivileges[] = {
    [2] = L"SeCreateTokenPrivilege",
    [3] = L"SeAssignPrimaryTokenPrivilege",
    [4] = L"SeLockMemoryPrivilege",
    [5] = L"SeIncreaseQuotaPrivilege",
    [6] = L"SeMachineAccountPrivilege",
    [7] = L"SeTcbPrivilege",
    [8] = L"SeSecurityPrivilege",
    [9] = L"SeTakeOwnershipPrivilege",
    [10] = L"SeLoadDriverPrivilege",
    [11] = L"SeSystemProfilePrivilege",
    [12] = L"SeSystemtimePrivilege",
    [13] = L"SeProfileSingleProcessPrivilege",
    [14] = L"SeIncreaseBasePriorityPrivilege",
    [15] = L"SeCreatePagefilePrivilege",
    [16] = L"SeCreatePermanentPrivilege",
    [17] = L"SeBackupPrivilege",
    [18] = L"SeRestorePrivilege",
    [19] = L"SeShutdownPrivilege",
    [20] = L"SeDebugPrivilege",
    [21] = L"SeAuditPrivilege",
    [22] = L"SeSystemEnvironmentPrivilege",
    [23] = L"SeChangeNotifyPrivilege",
    [24] = L"SeRemoteShutdownPrivilege",
    [25] = L"SeUndockPrivilege",
    [26] = L"SeSyncAgentPrivilege",
    [27] = L"SeEnableDelegationPrivilege",
    [28] = L"SeManageVolumePrivilege",
    [29] = L"SeImpersonatePrivilege",
    [30] = L"SeCreateGlobalPrivilege",
    [31] = L"SeTrustedCredManAccessPrivilege",
    [32] = L"SeRelabelPrivilege",
    [33] = L"SeIncreaseWorkingSetPrivilege",
    [34] = L"SeTimeZonePrivilege",
    [35] = L"SeCreateSymbolicLinkPrivilege",
};

BOOL WINAPI LookupPrivilegeValueW(LPCWSTR lpSystemName, LPCWSTR lpName, PLUID lpLuid)
{
    UNICODE_STRING wanted;
    UNICODE_STRING name;
    if (lpSystemName != NULL && *lpSystemName != 0)
    {
        return AdvFailWith(ERROR_NOT_SUPPORTED);
    }
    if (lpName == NULL || !AdvInitString(&wanted, lpName))
    {
        return AdvFailWith(ERROR_INVALID_PARAMETER);
    }
    for (ULONG i = 0; i < ARRAYSIZE(AdvPrivileges); i++)
    {
        if (AdvPrivileges[i] == NULL)
        {
            continue;
        }
        AdvInitString(&name, AdvPrivileges[i]);
        if (RtlEqualUnicodeString(&name, &wanted, TRUE))
        {
            lpLuid->LowPart = i;
            lpLuid->HighPart = 0;
            return TRUE;
        }
    }
    return AdvFailWith(ERROR_NO_SUCH_PRIVILEGE);
}

BOOL WINAPI LookupPrivilegeValueA(LPCSTR lpSystemName, LPCSTR lpName, PLUID lpLuid)
{
    PWSTR system = NULL;
    PWSTR name = NULL;
    BOOL result = AdvWiden(lpSystemName, &system) && AdvWiden(lpName, &name) &&
                  LookupPrivilegeValueW(system, name, lpLuid);
    AdvFree(system);
    AdvFree(name);
    return result;
}

BOOL WINAPI LookupPrivilegeNameW(LPCWSTR lpSystemName, PLUID lpLuid, LPWSTR lpName, LPDWORD cchName)
{
    if (lpSystemName != NULL && *lpSystemName != 0)
    {
        return AdvFailWith(ERROR_NOT_SUPPORTED);
    }
    if (lpLuid->HighPart != 0 || lpLuid->LowPart >= ARRAYSIZE(AdvPrivileges) ||
        AdvPrivileges[lpLuid->LowPart] == NULL)
    {
        return AdvFailWith(ERROR_NO_SUCH_PRIVILEGE);
    }
    PCWSTR name = AdvPrivileges[lpLuid->LowPart];
    DWORD length = (DWORD)AdvLength(name);
    if (*cchName < length + 1)
    {
        *cchName = length + 1;
        return AdvFailWith(ERROR_INSUFFICIENT_BUFFER);
    }
    memcpy(lpName, name, (length + 1) * sizeof(WCHAR));
    *cchName = length;
    return TRUE;
}

/* ---- Membership ---- */

static NTSTATUS AdvQueryGroups(HANDLE Token, PTOKEN_GROUPS *Groups)
{
    ULONG size = 0;
    *Groups = NULL;
    NTSTATUS status = NtQueryInformationToken(Token, TokenGroups, NULL, 0, &size);
    if (status != STATUS_BUFFER_TOO_SMALL)
    {
        return NT_SUCCESS(status) ? STATUS_INVALID_PARAMETER : status;
    }
    *Groups = AdvAllocate(size);
    if (*Groups == NULL)
    {
        return STATUS_NO_MEMORY;
    }
    status = NtQueryInformationToken(Token, TokenGroups, *Groups, size, &size);
    if (!NT_SUCCESS(status))
    {
        AdvFree(*Groups);
        *Groups = NULL;
    }
    return status;
}

NTSTATUS AdvHasGroup(HANDLE Token, PSID Group, PBOOL Member)
{
    HANDLE own = NULL;
    PTOKEN_GROUPS groups;
    NTSTATUS status = STATUS_SUCCESS;
    *Member = FALSE;
    if (Token == NULL)
    {
        status = NtOpenThreadToken(NtCurrentThread(), TOKEN_QUERY, TRUE, &own);
        if (status == STATUS_NO_TOKEN)
        {
            status = NtOpenProcessToken(NtCurrentProcess(), TOKEN_QUERY, &own);
        }
        Token = own;
    }
    if (NT_SUCCESS(status))
    {
        status = AdvQueryGroups(Token, &groups);
    }
    if (NT_SUCCESS(status))
    {
        for (DWORD i = 0; i < groups->GroupCount; i++)
        {
            DWORD attributes = groups->Groups[i].Attributes;
            if (EqualSid(groups->Groups[i].Sid, Group))
            {
                *Member = (attributes & SE_GROUP_ENABLED) != 0 && !(attributes & SE_GROUP_USE_FOR_DENY_ONLY);
                break;
            }
        }
        AdvFree(groups);
    }
    if (own != NULL)
    {
        NtClose(own);
    }
    return status;
}

BOOL WINAPI CheckTokenMembership(HANDLE TokenHandle, PSID SidToCheck, PBOOL IsMember)
{
    return AdvResult(AdvHasGroup(TokenHandle, SidToCheck, IsMember));
}

BOOLEAN AdvIsAdministrator(VOID)
{
    struct
    {
        SID Sid;
        DWORD Second;
    } administrators = {{SID_REVISION, 2, {SECURITY_NT_AUTHORITY}, {SECURITY_BUILTIN_DOMAIN_RID}},
                        DOMAIN_ALIAS_RID_ADMINS};
    BOOL member;
    return NT_SUCCESS(AdvHasGroup(NULL, &administrators.Sid, &member)) && member;
}

/* ---- Other tokens ---- */

BOOL WINAPI DuplicateTokenEx(HANDLE hExistingToken, DWORD dwDesiredAccess, LPSECURITY_ATTRIBUTES lpTokenAttributes,
                             SECURITY_IMPERSONATION_LEVEL ImpersonationLevel, TOKEN_TYPE TokenType,
                             PHANDLE phNewToken)
{
    OBJECT_ATTRIBUTES attributes;
    SECURITY_QUALITY_OF_SERVICE quality = {sizeof(quality), ImpersonationLevel, SECURITY_STATIC_TRACKING, FALSE};
    InitializeObjectAttributes(&attributes, NULL, 0, NULL, NULL);
    attributes.SecurityQualityOfService = &quality;
    if (lpTokenAttributes != NULL)
    {
        attributes.SecurityDescriptor = lpTokenAttributes->lpSecurityDescriptor;
        attributes.Attributes |= lpTokenAttributes->bInheritHandle ? OBJ_INHERIT : 0;
    }
    return AdvResult(NtDuplicateToken(hExistingToken, dwDesiredAccess, &attributes, FALSE, TokenType, phNewToken));
}

BOOL WINAPI DuplicateToken(HANDLE ExistingTokenHandle, SECURITY_IMPERSONATION_LEVEL ImpersonationLevel,
                           PHANDLE DuplicateTokenHandle)
{
    return DuplicateTokenEx(ExistingTokenHandle, TOKEN_IMPERSONATE | TOKEN_QUERY, NULL, ImpersonationLevel,
                            TokenImpersonation, DuplicateTokenHandle);
}

/* A TOKEN_GROUPS of Count entries; NULL for none. */
static BOOL AdvMakeGroups(DWORD Count, PSID_AND_ATTRIBUTES Entries, PTOKEN_GROUPS *Groups)
{
    *Groups = NULL;
    if (Count == 0)
    {
        return TRUE;
    }
    if (Count > 0x10000)
    {
        return AdvFailWith(ERROR_INVALID_PARAMETER);
    }
    *Groups = AdvAllocate(offsetof(TOKEN_GROUPS, Groups) + Count * sizeof(*Entries));
    if (*Groups == NULL)
    {
        return AdvFailWith(ERROR_NOT_ENOUGH_MEMORY);
    }
    (*Groups)->GroupCount = Count;
    memcpy((*Groups)->Groups, Entries, Count * sizeof(*Entries));
    return TRUE;
}

/** A copy of a token with fewer rights: groups only for denying, privileges gone, a list of restricting SIDs. */
BOOL WINAPI CreateRestrictedToken(HANDLE ExistingTokenHandle, DWORD Flags, DWORD DisableSidCount,
                                  PSID_AND_ATTRIBUTES SidsToDisable, DWORD DeletePrivilegeCount,
                                  PLUID_AND_ATTRIBUTES PrivilegesToDelete, DWORD RestrictedSidCount,
                                  PSID_AND_ATTRIBUTES SidsToRestrict, PHANDLE NewTokenHandle)
{
    PTOKEN_GROUPS disable = NULL;
    PTOKEN_GROUPS restricting = NULL;
    PTOKEN_PRIVILEGES privileges = NULL;
    BOOL result = AdvMakeGroups(DisableSidCount, SidsToDisable, &disable) &&
                  AdvMakeGroups(RestrictedSidCount, SidsToRestrict, &restricting);
    if (result && DeletePrivilegeCount != 0)
    {
        if (DeletePrivilegeCount > 0x1000)
        {
            result = AdvFailWith(ERROR_INVALID_PARAMETER);
        }
        else
        {
            SIZE_T size = DeletePrivilegeCount * sizeof(*PrivilegesToDelete);
            privileges = AdvAllocate(offsetof(TOKEN_PRIVILEGES, Privileges) + size);
            if (privileges == NULL)
            {
                result = AdvFailWith(ERROR_NOT_ENOUGH_MEMORY);
            }
            else
            {
                privileges->PrivilegeCount = DeletePrivilegeCount;
                memcpy(privileges->Privileges, PrivilegesToDelete, size);
            }
        }
    }
    if (result)
    {
        result = AdvResult(NtFilterToken(ExistingTokenHandle, Flags, disable, privileges, restricting, NewTokenHandle));
    }
    AdvFree(disable);
    AdvFree(restricting);
    AdvFree(privileges);
    return result;
}

/* ---- Impersonation; SetThreadToken and CreateProcessAsUserW are kernel32's ---- */

BOOL WINAPI RevertToSelf(VOID)
{
    return SetThreadToken(NULL, NULL);
}

/** The calling thread acts as the token's user from now on; a primary token is copied for that. */
BOOL WINAPI ImpersonateLoggedOnUser(HANDLE hToken)
{
    TOKEN_TYPE type;
    DWORD size;
    HANDLE copy;
    if (!GetTokenInformation(hToken, TokenType, &type, sizeof(type), &size))
    {
        return FALSE;
    }
    if (type == TokenImpersonation)
    {
        return SetThreadToken(NULL, hToken);
    }
    if (!DuplicateTokenEx(hToken, TOKEN_IMPERSONATE | TOKEN_QUERY, NULL, SecurityImpersonation, TokenImpersonation,
                          &copy))
    {
        return FALSE;
    }
    BOOL result = SetThreadToken(NULL, copy);
    NtClose(copy);
    return result;
}
