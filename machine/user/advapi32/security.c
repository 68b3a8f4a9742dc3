/* SPDX-License-Identifier: MIT */
/* SIDs, ACLs and security descriptors, over the routines of machine/common/rtl that ntdll exports. */
#include "adv.h"

#include <sddl.h>

BOOLEAN NTAPI RtlValidSid(PSID Sid);
ULONG NTAPI RtlLengthRequiredSid(ULONG Count);
ULONG NTAPI RtlLengthSid(PSID Sid);
NTSTATUS NTAPI RtlInitializeSid(PSID Sid, PSID_IDENTIFIER_AUTHORITY Authority, UCHAR Count);
PULONG NTAPI RtlSubAuthoritySid(PSID Sid, ULONG Index);
PUCHAR NTAPI RtlSubAuthorityCountSid(PSID Sid);
PSID_IDENTIFIER_AUTHORITY NTAPI RtlIdentifierAuthoritySid(PSID Sid);
BOOLEAN NTAPI RtlEqualSid(PSID A, PSID B);
BOOLEAN NTAPI RtlEqualPrefixSid(PSID A, PSID B);
NTSTATUS NTAPI RtlCopySid(ULONG Length, PSID Destination, PSID Source);
NTSTATUS NTAPI RtlAllocateAndInitializeSid(PSID_IDENTIFIER_AUTHORITY Authority, UCHAR Count, ULONG A0, ULONG A1,
                                           ULONG A2, ULONG A3, ULONG A4, ULONG A5, ULONG A6, ULONG A7, PSID *Sid);
PVOID NTAPI RtlFreeSid(PSID Sid);
BOOLEAN NTAPI RtlValidAcl(PACL Acl);
NTSTATUS NTAPI RtlCreateAcl(PACL Acl, ULONG Length, ULONG Revision);
NTSTATUS NTAPI RtlAddAccessAllowedAceEx(PACL Acl, ULONG Revision, ULONG Flags, ACCESS_MASK Mask, PSID Sid);
NTSTATUS NTAPI RtlAddAccessDeniedAceEx(PACL Acl, ULONG Revision, ULONG Flags, ACCESS_MASK Mask, PSID Sid);
NTSTATUS NTAPI RtlGetAce(PACL Acl, ULONG Index, PVOID *Ace);
NTSTATUS NTAPI RtlDeleteAce(PACL Acl, ULONG Index);
NTSTATUS NTAPI RtlCreateSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, ULONG Revision);
NTSTATUS NTAPI RtlSetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, BOOLEAN Present, PACL Acl,
                                            BOOLEAN Defaulted);
NTSTATUS NTAPI RtlSetSaclSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, BOOLEAN Present, PACL Acl,
                                            BOOLEAN Defaulted);
NTSTATUS NTAPI RtlSetOwnerSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PSID Owner, BOOLEAN Defaulted);
NTSTATUS NTAPI RtlSetGroupSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PSID Group, BOOLEAN Defaulted);
NTSTATUS NTAPI RtlGetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PBOOLEAN Present, PACL *Acl,
                                            PBOOLEAN Defaulted);
NTSTATUS NTAPI RtlGetSaclSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PBOOLEAN Present, PACL *Acl,
                                            PBOOLEAN Defaulted);
NTSTATUS NTAPI RtlGetOwnerSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PSID *Owner, PBOOLEAN Defaulted);
NTSTATUS NTAPI RtlGetGroupSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, PSID *Group, PBOOLEAN Defaulted);
ULONG NTAPI RtlLengthSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor);
BOOLEAN NTAPI RtlValidSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor);
NTSTATUS NTAPI RtlMakeSelfRelativeSD(PSECURITY_DESCRIPTOR Descriptor, PSECURITY_DESCRIPTOR Relative, PULONG Length);
NTSTATUS RtlpSddlToSecurityDescriptor(PCWSTR Sddl, PSECURITY_DESCRIPTOR *Descriptor, PULONG Length);
NTSTATUS RtlpStringToSid(PCWSTR Text, PSID *Sid);

/* ---- SIDs ---- */

BOOL WINAPI IsValidSid(PSID pSid)
{
    return RtlValidSid(pSid) ? TRUE : AdvFailWith(ERROR_INVALID_SID);
}

BOOL WINAPI EqualSid(PSID pSid1, PSID pSid2)
{
    RtlSetLastWin32Error(ERROR_SUCCESS);
    return RtlEqualSid(pSid1, pSid2);
}

BOOL WINAPI EqualPrefixSid(PSID pSid1, PSID pSid2)
{
    RtlSetLastWin32Error(ERROR_SUCCESS);
    return RtlEqualPrefixSid(pSid1, pSid2);
}

DWORD WINAPI GetLengthSid(PSID pSid)
{
    return RtlLengthSid(pSid);
}

DWORD WINAPI GetSidLengthRequired(UCHAR nSubAuthorityCount)
{
    return RtlLengthRequiredSid(nSubAuthorityCount);
}

BOOL WINAPI InitializeSid(PSID Sid, PSID_IDENTIFIER_AUTHORITY pIdentifierAuthority, BYTE nSubAuthorityCount)
{
    return AdvResult(RtlInitializeSid(Sid, pIdentifierAuthority, nSubAuthorityCount));
}

PDWORD WINAPI GetSidSubAuthority(PSID pSid, DWORD nSubAuthority)
{
    return RtlSubAuthoritySid(pSid, nSubAuthority);
}

PUCHAR WINAPI GetSidSubAuthorityCount(PSID pSid)
{
    return RtlSubAuthorityCountSid(pSid);
}

PSID_IDENTIFIER_AUTHORITY WINAPI GetSidIdentifierAuthority(PSID pSid)
{
    return RtlIdentifierAuthoritySid(pSid);
}

BOOL WINAPI CopySid(DWORD nDestinationSidLength, PSID pDestinationSid, PSID pSourceSid)
{
    return AdvResult(RtlCopySid(nDestinationSidLength, pDestinationSid, pSourceSid));
}

BOOL WINAPI AllocateAndInitializeSid(PSID_IDENTIFIER_AUTHORITY pIdentifierAuthority, BYTE nSubAuthorityCount,
                                     DWORD nSubAuthority0, DWORD nSubAuthority1, DWORD nSubAuthority2,
                                     DWORD nSubAuthority3, DWORD nSubAuthority4, DWORD nSubAuthority5,
                                     DWORD nSubAuthority6, DWORD nSubAuthority7, PSID *pSid)
{
    return AdvResult(RtlAllocateAndInitializeSid(pIdentifierAuthority, nSubAuthorityCount, nSubAuthority0,
                                                 nSubAuthority1, nSubAuthority2, nSubAuthority3, nSubAuthority4,
                                                 nSubAuthority5, nSubAuthority6, nSubAuthority7, pSid));
}

PVOID WINAPI FreeSid(PSID pSid)
{
    RtlFreeSid(pSid);
    return NULL;
}

/** The text form in a block for LocalFree. */
BOOL WINAPI ConvertSidToStringSidW(PSID Sid, LPWSTR *StringSid)
{
    UNICODE_STRING text = {0, 0, NULL};
    if (!RtlValidSid(Sid))
    {
        return AdvFailWith(ERROR_INVALID_SID);
    }
    NTSTATUS status = RtlConvertSidToUnicodeString(&text, Sid, TRUE);
    if (!NT_SUCCESS(status))
    {
        return AdvFail(status);
    }
    PWSTR copy = AdvAllocate(text.Length + sizeof(WCHAR));
    if (copy != NULL)
    {
        memcpy(copy, text.Buffer, text.Length);
    }
    RtlFreeUnicodeString(&text);
    *StringSid = copy;
    return copy != NULL ? TRUE : AdvFailWith(ERROR_NOT_ENOUGH_MEMORY);
}

BOOL WINAPI ConvertSidToStringSidA(PSID Sid, LPSTR *StringSid)
{
    PWSTR wide;
    if (!ConvertSidToStringSidW(Sid, &wide))
    {
        return FALSE;
    }
    SIZE_T length = AdvLength(wide);
    PSTR narrow = AdvAllocate(length + 1);
    for (SIZE_T i = 0; narrow != NULL && i < length; i++)
    {
        narrow[i] = (CHAR)wide[i]; /* digits, letters and '-' */
    }
    AdvFree(wide);
    *StringSid = narrow;
    return narrow != NULL ? TRUE : AdvFailWith(ERROR_NOT_ENOUGH_MEMORY);
}

BOOL WINAPI ConvertStringSidToSidW(LPCWSTR StringSid, PSID *Sid)
{
    if (StringSid == NULL || Sid == NULL)
    {
        return AdvFailWith(ERROR_INVALID_PARAMETER);
    }
    return AdvResult(RtlpStringToSid(StringSid, Sid));
}

BOOL WINAPI ConvertStringSidToSidA(LPCSTR StringSid, PSID *Sid)
{
    PWSTR wide = NULL;
    BOOL result = AdvWiden(StringSid, &wide) && ConvertStringSidToSidW(wide, Sid);
    AdvFree(wide);
    return result;
}

/** Of the well-known SIDs, those that exist on the machine. */
BOOL WINAPI CreateWellKnownSid(WELL_KNOWN_SID_TYPE WellKnownSidType, PSID DomainSid, PSID pSid, DWORD *cbSid)
{
    static const struct
    {
        WELL_KNOWN_SID_TYPE Type;
        UCHAR Authority;
        UCHAR Count;
        DWORD First;
        DWORD Second;
    } known[] = {
        {WinNullSid, 0, 1, SECURITY_NULL_RID, 0},
        {WinWorldSid, 1, 1, SECURITY_WORLD_RID, 0},
        {WinLocalSid, 2, 1, SECURITY_LOCAL_RID, 0},
        {WinCreatorOwnerSid, 3, 1, SECURITY_CREATOR_OWNER_RID, 0},
        {WinCreatorGroupSid, 3, 1, SECURITY_CREATOR_GROUP_RID, 0},
        {WinInteractiveSid, 5, 1, SECURITY_INTERACTIVE_RID, 0},
        {WinServiceSid, 5, 1, SECURITY_SERVICE_RID, 0},
        {WinAnonymousSid, 5, 1, SECURITY_ANONYMOUS_LOGON_RID, 0},
        {WinAuthenticatedUserSid, 5, 1, SECURITY_AUTHENTICATED_USER_RID, 0},
        {WinRestrictedCodeSid, 5, 1, SECURITY_RESTRICTED_CODE_RID, 0},
        {WinLocalSystemSid, 5, 1, SECURITY_LOCAL_SYSTEM_RID, 0},
        {WinLocalServiceSid, 5, 1, SECURITY_LOCAL_SERVICE_RID, 0},
        {WinNetworkServiceSid, 5, 1, SECURITY_NETWORK_SERVICE_RID, 0},
        {WinBuiltinAdministratorsSid, 5, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS},
        {WinBuiltinUsersSid, 5, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_USERS},
        {WinBuiltinGuestsSid, 5, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_GUESTS},
        {WinBuiltinPowerUsersSid, 5, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_POWER_USERS},
    };
    UNREFERENCED_PARAMETER(DomainSid);
    for (ULONG i = 0; i < ARRAYSIZE(known); i++)
    {
        if (known[i].Type != WellKnownSidType)
        {
            continue;
        }
        SID_IDENTIFIER_AUTHORITY authority = {{0, 0, 0, 0, 0, known[i].Authority}};
        DWORD size = RtlLengthRequiredSid(known[i].Count);
        if (*cbSid < size || pSid == NULL)
        {
            *cbSid = size;
            return AdvFailWith(ERROR_INSUFFICIENT_BUFFER);
        }
        *cbSid = size;
        RtlInitializeSid(pSid, &authority, known[i].Count);
        *RtlSubAuthoritySid(pSid, 0) = known[i].First;
        if (known[i].Count == 2)
        {
            *RtlSubAuthoritySid(pSid, 1) = known[i].Second;
        }
        return TRUE;
    }
    return AdvFailWith(ERROR_INVALID_PARAMETER);
}

/* ---- ACLs ---- */

BOOL WINAPI InitializeAcl(PACL pAcl, DWORD nAclLength, DWORD dwAclRevision)
{
    return AdvResult(RtlCreateAcl(pAcl, nAclLength, dwAclRevision));
}

BOOL WINAPI IsValidAcl(PACL pAcl)
{
    return RtlValidAcl(pAcl) ? TRUE : AdvFailWith(ERROR_INVALID_ACL);
}

BOOL WINAPI AddAccessAllowedAceEx(PACL pAcl, DWORD dwAceRevision, DWORD AceFlags, DWORD AccessMask, PSID pSid)
{
    return AdvResult(RtlAddAccessAllowedAceEx(pAcl, dwAceRevision, AceFlags, AccessMask, pSid));
}

BOOL WINAPI AddAccessAllowedAce(PACL pAcl, DWORD dwAceRevision, DWORD AccessMask, PSID pSid)
{
    return AddAccessAllowedAceEx(pAcl, dwAceRevision, 0, AccessMask, pSid);
}

BOOL WINAPI AddAccessDeniedAceEx(PACL pAcl, DWORD dwAceRevision, DWORD AceFlags, DWORD AccessMask, PSID pSid)
{
    return AdvResult(RtlAddAccessDeniedAceEx(pAcl, dwAceRevision, AceFlags, AccessMask, pSid));
}

BOOL WINAPI AddAccessDeniedAce(PACL pAcl, DWORD dwAceRevision, DWORD AccessMask, PSID pSid)
{
    return AddAccessDeniedAceEx(pAcl, dwAceRevision, 0, AccessMask, pSid);
}

BOOL WINAPI GetAce(PACL pAcl, DWORD dwAceIndex, LPVOID *pAce)
{
    return AdvResult(RtlGetAce(pAcl, dwAceIndex, pAce));
}

BOOL WINAPI DeleteAce(PACL pAcl, DWORD dwAceIndex)
{
    return AdvResult(RtlDeleteAce(pAcl, dwAceIndex));
}

/* ---- Security descriptors ---- */

BOOL WINAPI InitializeSecurityDescriptor(PSECURITY_DESCRIPTOR pSecurityDescriptor, DWORD dwRevision)
{
    return AdvResult(RtlCreateSecurityDescriptor(pSecurityDescriptor, dwRevision));
}

BOOL WINAPI IsValidSecurityDescriptor(PSECURITY_DESCRIPTOR pSecurityDescriptor)
{
    return RtlValidSecurityDescriptor(pSecurityDescriptor) ? TRUE : AdvFailWith(ERROR_INVALID_SECURITY_DESCR);
}

DWORD WINAPI GetSecurityDescriptorLength(PSECURITY_DESCRIPTOR pSecurityDescriptor)
{
    return RtlLengthSecurityDescriptor(pSecurityDescriptor);
}

BOOL WINAPI SetSecurityDescriptorDacl(PSECURITY_DESCRIPTOR pSecurityDescriptor, BOOL bDaclPresent, PACL pDacl,
                                      BOOL bDaclDefaulted)
{
    return AdvResult(RtlSetDaclSecurityDescriptor(pSecurityDescriptor, bDaclPresent != FALSE, pDacl,
                                                  bDaclDefaulted != FALSE));
}

BOOL WINAPI SetSecurityDescriptorSacl(PSECURITY_DESCRIPTOR pSecurityDescriptor, BOOL bSaclPresent, PACL pSacl,
                                      BOOL bSaclDefaulted)
{
    return AdvResult(RtlSetSaclSecurityDescriptor(pSecurityDescriptor, bSaclPresent != FALSE, pSacl,
                                                  bSaclDefaulted != FALSE));
}

BOOL WINAPI SetSecurityDescriptorOwner(PSECURITY_DESCRIPTOR pSecurityDescriptor, PSID pOwner, BOOL bOwnerDefaulted)
{
    return AdvResult(RtlSetOwnerSecurityDescriptor(pSecurityDescriptor, pOwner, bOwnerDefaulted != FALSE));
}

BOOL WINAPI SetSecurityDescriptorGroup(PSECURITY_DESCRIPTOR pSecurityDescriptor, PSID pGroup, BOOL bGroupDefaulted)
{
    return AdvResult(RtlSetGroupSecurityDescriptor(pSecurityDescriptor, pGroup, bGroupDefaulted != FALSE));
}

BOOL WINAPI GetSecurityDescriptorDacl(PSECURITY_DESCRIPTOR pSecurityDescriptor, LPBOOL lpbDaclPresent, PACL *pDacl,
                                      LPBOOL lpbDaclDefaulted)
{
    BOOLEAN present = FALSE;
    BOOLEAN defaulted = FALSE;
    NTSTATUS status = RtlGetDaclSecurityDescriptor(pSecurityDescriptor, &present, pDacl, &defaulted);
    *lpbDaclPresent = present;
    *lpbDaclDefaulted = defaulted;
    return AdvResult(status);
}

BOOL WINAPI GetSecurityDescriptorSacl(PSECURITY_DESCRIPTOR pSecurityDescriptor, LPBOOL lpbSaclPresent, PACL *pSacl,
                                      LPBOOL lpbSaclDefaulted)
{
    BOOLEAN present = FALSE;
    BOOLEAN defaulted = FALSE;
    NTSTATUS status = RtlGetSaclSecurityDescriptor(pSecurityDescriptor, &present, pSacl, &defaulted);
    *lpbSaclPresent = present;
    *lpbSaclDefaulted = defaulted;
    return AdvResult(status);
}

BOOL WINAPI GetSecurityDescriptorOwner(PSECURITY_DESCRIPTOR pSecurityDescriptor, PSID *pOwner,
                                       LPBOOL lpbOwnerDefaulted)
{
    BOOLEAN defaulted = FALSE;
    NTSTATUS status = RtlGetOwnerSecurityDescriptor(pSecurityDescriptor, pOwner, &defaulted);
    *lpbOwnerDefaulted = defaulted;
    return AdvResult(status);
}

BOOL WINAPI GetSecurityDescriptorGroup(PSECURITY_DESCRIPTOR pSecurityDescriptor, PSID *pGroup,
                                       LPBOOL lpbGroupDefaulted)
{
    BOOLEAN defaulted = FALSE;
    NTSTATUS status = RtlGetGroupSecurityDescriptor(pSecurityDescriptor, pGroup, &defaulted);
    *lpbGroupDefaulted = defaulted;
    return AdvResult(status);
}

BOOL WINAPI MakeSelfRelativeSD(PSECURITY_DESCRIPTOR pAbsoluteSecurityDescriptor,
                               PSECURITY_DESCRIPTOR pSelfRelativeSecurityDescriptor, LPDWORD lpdwBufferLength)
{
    return AdvResult(RtlMakeSelfRelativeSD(pAbsoluteSecurityDescriptor, pSelfRelativeSecurityDescriptor,
                                           lpdwBufferLength));
}

/** The descriptor comes in a block for LocalFree. */
BOOL WINAPI ConvertStringSecurityDescriptorToSecurityDescriptorW(LPCWSTR StringSecurityDescriptor,
                                                                 DWORD StringSDRevision,
                                                                 PSECURITY_DESCRIPTOR *SecurityDescriptor,
                                                                 PULONG SecurityDescriptorSize)
{
    if (StringSecurityDescriptor == NULL || SecurityDescriptor == NULL)
    {
        return AdvFailWith(ERROR_INVALID_PARAMETER);
    }
    if (StringSDRevision != SDDL_REVISION_1)
    {
        return AdvFailWith(ERROR_UNKNOWN_REVISION);
    }
    return AdvResult(RtlpSddlToSecurityDescriptor(StringSecurityDescriptor, SecurityDescriptor,
                                                  SecurityDescriptorSize));
}

BOOL WINAPI ConvertStringSecurityDescriptorToSecurityDescriptorA(LPCSTR StringSecurityDescriptor,
                                                                 DWORD StringSDRevision,
                                                                 PSECURITY_DESCRIPTOR *SecurityDescriptor,
                                                                 PULONG SecurityDescriptorSize)
{
    PWSTR wide = NULL;
    BOOL result = AdvWiden(StringSecurityDescriptor, &wide) &&
                  ConvertStringSecurityDescriptorToSecurityDescriptorW(wide, StringSDRevision, SecurityDescriptor,
                                                                       SecurityDescriptorSize);
    AdvFree(wide);
    return result;
}

BOOL WINAPI GetKernelObjectSecurity(HANDLE Handle, SECURITY_INFORMATION RequestedInformation,
                                    PSECURITY_DESCRIPTOR pSecurityDescriptor, DWORD nLength, LPDWORD lpnLengthNeeded)
{
    return AdvResult(NtQuerySecurityObject(Handle, RequestedInformation, pSecurityDescriptor, nLength,
                                           lpnLengthNeeded));
}

BOOL WINAPI SetKernelObjectSecurity(HANDLE Handle, SECURITY_INFORMATION SecurityInformation,
                                    PSECURITY_DESCRIPTOR SecurityDescriptor)
{
    return AdvResult(NtSetSecurityObject(Handle, SecurityInformation, SecurityDescriptor));
}
