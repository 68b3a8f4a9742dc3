/* SPDX-License-Identifier: MIT */
/*
 * SE: tokens, privileges, security descriptors, access checks. What ntifs.h declares (SeAccessCheck,
 * SeSinglePrivilegeCheck, SeTokenIsAdmin, SeCaptureSubjectContext, SeExports, ...) plus this.
 */
#pragma once

#include "nt.h"

typedef struct _TOKEN TOKEN, *PTOKEN;

VOID SeInitialize(VOID);                          /* well-known SIDs, token type; after ObInitialize */
PTOKEN SeCreateSystemToken(VOID);                 /* LocalSystem, all privileges */
PTOKEN SeCreateUserToken(BOOLEAN Administrator);  /* built-in Administrator, or a plain user in BUILTIN\Users */
/** The token a new process gets: a referenced copy of the parent's primary token. */
NTSTATUS SeSubProcessToken(PEPROCESS Parent, PTOKEN *Token);

NTSTATUS SeCreateAccessState(PACCESS_STATE State, PVOID AuxData /* AUX_ACCESS_DATA */, ACCESS_MASK Access,
                             PGENERIC_MAPPING Mapping);
/**
 * The same, but what the new object gets by default is decided by a process's token, not by the caller's.
 * PASSIVE_LEVEL.
 */
NTSTATUS SeCreateAccessStateFor(PEPROCESS Process, PACCESS_STATE State, PVOID AuxData, ACCESS_MASK Access,
                                PGENERIC_MAPPING Mapping);
VOID SeDeleteAccessState(PACCESS_STATE State);
#define SE_AUX_DATA_SIZE 256

/** Default method for OB types that keep a security descriptor in their header. */
NTSTATUS SeDefaultObjectMethod(PVOID Object, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION Information,
                               PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Stored,
                               POOL_TYPE Pool, PGENERIC_MAPPING Mapping);
/** A probed copy of a user's descriptor in paged pool; free with ExFreePool. */
NTSTATUS SeCaptureSecurityDescriptor(PSECURITY_DESCRIPTOR Descriptor, KPROCESSOR_MODE Mode, POOL_TYPE Pool,
                                     BOOLEAN Force, PSECURITY_DESCRIPTOR *Captured);

/** A primary token for a new process, made from any token: always a copy of its own. PASSIVE_LEVEL. */
NTSTATUS SeCopyAsPrimary(PTOKEN Source, PTOKEN *Token);
NTSTATUS NTAPI ExAllocateLocallyUniqueId(PLUID Luid);
SECURITY_IMPERSONATION_LEVEL NTAPI SeTokenImpersonationLevel(PACCESS_TOKEN Token);
/** TRUE if Token may be assigned to a child of a process with token Parent without SeAssignPrimaryTokenPrivilege:
    it descends from it or from the same parent. PASSIVE_LEVEL. */
BOOLEAN SeIsChildToken(PTOKEN Parent, PTOKEN Token);
/**
 * May a process with token Own act fully as the client with Token? Its own logon and user, or SeImpersonatePrivilege.
 * PASSIVE_LEVEL.
 */
BOOLEAN SeMayImpersonate(PTOKEN Own, PTOKEN Token);
/** A copy that only tells who the client is. PASSIVE_LEVEL. */
NTSTATUS SeCopyForIdentification(PTOKEN Token, BOOLEAN EffectiveOnly, PTOKEN *Copy);
