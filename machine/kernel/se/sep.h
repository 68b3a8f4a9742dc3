/* SPDX-License-Identifier: MIT */
/*
 * SE, private: tokens, and the pieces of security descriptors.
 *
 * One resource guards the changeable parts of all tokens (privilege attributes, group attributes, defaults). What SIDs
 * a token has and where they lie never changes after its creation.
 */
#pragma once

#include "nt.h"
#include "ke.h"
#include "ob.h"
#include "se.h"
#include "ps.h"

#define SEP_TAG_TOKEN 'koTS'
#define SEP_TAG_DESCRIPTOR 'dSeS'
#define SEP_TAG_PRIVILEGES 'rPeS'
#define SEP_TAG_QUERY 'uQeS'

#ifndef SE_GROUP_ENABLED
#define SE_GROUP_MANDATORY 0x00000001L
#define SE_GROUP_ENABLED_BY_DEFAULT 0x00000002L
#define SE_GROUP_ENABLED 0x00000004L
#define SE_GROUP_OWNER 0x00000008L
#define SE_GROUP_USE_FOR_DENY_ONLY 0x00000010L
#define SE_GROUP_INTEGRITY 0x00000020L
#define SE_GROUP_INTEGRITY_ENABLED 0x00000040L
#define SE_GROUP_LOGON_ID 0xC0000000L
#endif

#ifndef DISABLE_MAX_PRIVILEGE
#define DISABLE_MAX_PRIVILEGE 0x1
#define SANDBOX_INERT 0x2
#define LUA_TOKEN 0x4
#define WRITE_RESTRICTED 0x8
#endif

#define SEP_MAX_GROUPS 1024u
#define SEP_MAX_PRIVILEGES 64u
#define SEP_NO_INDEX 0xFFFFFFFFu
#define SEP_MAX_SID (FIELD_OFFSET(SID, SubAuthority) + SID_MAX_SUB_AUTHORITIES * sizeof(ULONG))

struct _TOKEN
{
    TOKEN_SOURCE Source;
    LUID TokenId;
    LUID AuthenticationId;
    LUID ParentTokenId;
    LUID ModifiedId;               /* new with every change */
    LARGE_INTEGER ExpirationTime;
    LUID Origin;
    ULONG SessionId;
    TOKEN_TYPE Type;
    SECURITY_IMPERSONATION_LEVEL ImpersonationLevel;
    ULONG Flags;                   /* TOKEN_HAS_TRAVERSE_PRIVILEGE and kin of ntifs.h */
    ULONG MandatoryPolicy;
    ULONG UserAndGroupCount;       /* [0] is the user */
    ULONG RestrictedSidCount;
    ULONG PrivilegeCount;
    ULONG DefaultOwnerIndex;       /* in UserAndGroups */
    ULONG IntegrityIndex;          /* in UserAndGroups, or SEP_NO_INDEX */
    BOOLEAN Elevated;              /* made with the Administrators group enabled */
    PSID_AND_ATTRIBUTES UserAndGroups;
    PSID_AND_ATTRIBUTES RestrictedSids;
    PLUID_AND_ATTRIBUTES Privileges;
    PSID PrimaryGroup;             /* one of UserAndGroups */
    PACL DefaultDacl;              /* a pool block of its own, or NULL */
    UCHAR IntegritySid[FIELD_OFFSET(SID, SubAuthority) + sizeof(ULONG)]; /* replaces the group's SID when lowered */
    PVOID Variable;                /* the pool block the arrays and SIDs lie in */
};

/* What SE keeps behind ACCESS_STATE.AuxData. */
typedef struct _SEP_AUX_DATA
{
    PPRIVILEGE_SET PrivilegesUsed;
    GENERIC_MAPPING GenericMapping;
    ACCESS_MASK AccessesToAudit;
} SEP_AUX_DATA;
C_ASSERT(sizeof(SEP_AUX_DATA) <= SE_AUX_DATA_SIZE);

typedef struct _SEP_TOKEN_PARTS
{
    const SID_AND_ATTRIBUTES *Groups;        /* user first */
    ULONG GroupCount;
    const SID_AND_ATTRIBUTES *Restricted;
    ULONG RestrictedCount;
    const LUID_AND_ATTRIBUTES *Privileges;
    ULONG PrivilegeCount;
    ULONG OwnerIndex;
    ULONG PrimaryGroupIndex;
    PACL DefaultDacl;                        /* copied */
} SEP_TOKEN_PARTS;

extern ERESOURCE SepTokenResource;

VOID SepInitializeSids(VOID);
VOID SepInitializeTokens(VOID);

static inline VOID SepLockTokensShared(VOID)
{
    KeEnterCriticalRegion();
    ExAcquireResourceSharedLite(&SepTokenResource, TRUE);
}

static inline VOID SepLockTokensExclusive(VOID)
{
    KeEnterCriticalRegion();
    ExAcquireResourceExclusiveLite(&SepTokenResource, TRUE);
}

static inline VOID SepUnlockTokens(VOID)
{
    ExReleaseResourceLite(&SepTokenResource);
    KeLeaveCriticalRegion();
}

static inline PTOKEN SepEffectiveToken(PSECURITY_SUBJECT_CONTEXT Context)
{
    return Context->ClientToken != NULL ? Context->ClientToken : Context->PrimaryToken;
}

/* ---- tokens ---- */
NTSTATUS SepCreateToken(const SEP_TOKEN_PARTS *Parts, TOKEN_TYPE Type, SECURITY_IMPERSONATION_LEVEL Level,
                        POBJECT_ATTRIBUTES Attributes, KPROCESSOR_MODE Mode, PTOKEN *Token);
NTSTATUS SepDuplicateToken(PTOKEN Existing, POBJECT_ATTRIBUTES Attributes, BOOLEAN EffectiveOnly, TOKEN_TYPE Type,
                           SECURITY_IMPERSONATION_LEVEL Level, KPROCESSOR_MODE Mode, PTOKEN *Token);
VOID SepUpdateTokenFlags(PTOKEN Token);
ULONG SepIntegrityLevel(PTOKEN Token);
BOOLEAN SepSidInToken(PTOKEN Token, PSID Sid, BOOLEAN Deny, BOOLEAN Restricted);
BOOLEAN SepTokenIsOwner(PTOKEN Token, PSECURITY_DESCRIPTOR Descriptor);
BOOLEAN SepMayOwn(PTOKEN Token, PSID Sid);
NTSTATUS SepReferenceTokenByHandle(HANDLE Handle, ACCESS_MASK Access, KPROCESSOR_MODE Mode, PTOKEN *Token);
NTSTATUS SepFilterToken(PTOKEN Existing, ULONG Flags, const SID_AND_ATTRIBUTES *Disable, ULONG DisableCount,
                        const LUID_AND_ATTRIBUTES *Delete, ULONG DeleteCount, const SID_AND_ATTRIBUTES *Restrict,
                        ULONG RestrictCount, PTOKEN *Filtered);

/* ---- privileges ---- */
BOOLEAN SepPrivilegeCheck(PTOKEN Token, PLUID_AND_ATTRIBUTES Privileges, ULONG Count, BOOLEAN AllNecessary,
                          KPROCESSOR_MODE Mode);
BOOLEAN SepSinglePrivilege(PTOKEN Token, LUID Privilege, KPROCESSOR_MODE Mode);
PPRIVILEGE_SET SepAllocatePrivileges(ULONG Count);

/* ---- captured arguments (secapture.c): pool blocks, free with ExFreePool ---- */
NTSTATUS SepCaptureSids(const SID_AND_ATTRIBUTES *Source, ULONG Count, KPROCESSOR_MODE Mode,
                        PSID_AND_ATTRIBUTES *Captured);
NTSTATUS SepCapturePrivileges(const LUID_AND_ATTRIBUTES *Source, ULONG Count, KPROCESSOR_MODE Mode,
                              PLUID_AND_ATTRIBUTES *Captured);
NTSTATUS SepCaptureSid(PSID Source, KPROCESSOR_MODE Mode, PSID *Captured);
NTSTATUS SepCaptureAcl(PACL Source, KPROCESSOR_MODE Mode, PACL *Captured);
BOOLEAN SepValidSid(PSID Sid, ULONG Room);
BOOLEAN SepValidAcl(PACL Acl, ULONG Room);

static inline ULONG SepSidLength(PSID Sid)
{
    return FIELD_OFFSET(SID, SubAuthority) + ((PISID)Sid)->SubAuthorityCount * sizeof(ULONG);
}

static inline BOOLEAN SepEqualSid(PSID A, PSID B)
{
    return ((PISID)A)->SubAuthorityCount == ((PISID)B)->SubAuthorityCount &&
           RtlCompareMemory(A, B, SepSidLength(A)) == SepSidLength(A);
}

/* ---- descriptors, either form ---- */
PSID SepOwner(PSECURITY_DESCRIPTOR Descriptor);
PSID SepGroup(PSECURITY_DESCRIPTOR Descriptor);
PACL SepDacl(PSECURITY_DESCRIPTOR Descriptor);  /* NULL if absent or null */
PACL SepSacl(PSECURITY_DESCRIPTOR Descriptor);
NTSTATUS SepBuildDescriptor(PSID Owner, PSID Group, PACL Sacl, PACL Dacl, SECURITY_DESCRIPTOR_CONTROL Control,
                            POOL_TYPE Pool, PSECURITY_DESCRIPTOR *Descriptor);
static inline SECURITY_DESCRIPTOR_CONTROL SepControl(PSECURITY_DESCRIPTOR Descriptor)
{
    return ((PISECURITY_DESCRIPTOR)Descriptor)->Control;
}

/** Calls for each ACE: the SID inside, or NULL if the ACE is of a kind without one that we know. */
PSID SepAceSid(PACE_HEADER Ace);
static inline PACE_HEADER SepFirstAce(PACL Acl)
{
    return (PACE_HEADER)(Acl + 1);
}
static inline PACE_HEADER SepNextAce(PACE_HEADER Ace)
{
    return (PACE_HEADER)((PUCHAR)Ace + Ace->AceSize);
}
