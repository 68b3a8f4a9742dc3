/* SPDX-License-Identifier: MIT */
/*
 * Well-known SIDs and privileges, as drivers see them through SeExports.
 */
#include "sep.h"

typedef struct _SEP_SID
{
    UCHAR Revision;
    UCHAR SubAuthorityCount;
    SID_IDENTIFIER_AUTHORITY Authority;
    ULONG SubAuthority[2];
} SEP_SID;

#define SEP_SID1(Name, Authority, A) static SEP_SID Name = {SID_REVISION, 1, {{0, 0, 0, 0, 0, Authority}}, {A, 0}}
#define SEP_SID2(Name, Authority, A, B) static SEP_SID Name = {SID_REVISION, 2, {{0, 0, 0, 0, 0, Authority}}, {A, B}}

SEP_SID1(SepNull, 0, 0);
SEP_SID1(SepWorld, 1, 0);
SEP_SID1(SepLocal, 2, 0);
SEP_SID1(SepCreatorOwner, 3, 0);
SEP_SID1(SepCreatorGroup, 3, 1);
SEP_SID1(SepOwnerRights, 3, 4);
static SEP_SID SepNtAuthority = {SID_REVISION, 0, {{0, 0, 0, 0, 0, 5}}, {0, 0}};
SEP_SID1(SepDialup, 5, 1);
SEP_SID1(SepNetwork, 5, 2);
SEP_SID1(SepBatch, 5, 3);
SEP_SID1(SepInteractive, 5, 4);
SEP_SID1(SepAnonymous, 5, 7);
SEP_SID1(SepAuthenticated, 5, 11);
SEP_SID1(SepRestricted, 5, 12);
SEP_SID1(SepIUser, 5, 17);
SEP_SID1(SepLocalSystem, 5, 18);
SEP_SID1(SepLocalService, 5, 19);
SEP_SID1(SepNetworkService, 5, 20);
SEP_SID2(SepAdmins, 5, 32, DOMAIN_ALIAS_RID_ADMINS);
SEP_SID2(SepUsers, 5, 32, DOMAIN_ALIAS_RID_USERS);
SEP_SID2(SepGuests, 5, 32, DOMAIN_ALIAS_RID_GUESTS);
SEP_SID2(SepPowerUsers, 5, 32, DOMAIN_ALIAS_RID_POWER_USERS);
SEP_SID2(SepAccountOps, 5, 32, DOMAIN_ALIAS_RID_ACCOUNT_OPS);
SEP_SID2(SepSystemOps, 5, 32, DOMAIN_ALIAS_RID_SYSTEM_OPS);
SEP_SID2(SepPrintOps, 5, 32, DOMAIN_ALIAS_RID_PRINT_OPS);
SEP_SID2(SepBackupOps, 5, 32, DOMAIN_ALIAS_RID_BACKUP_OPS);
SEP_SID1(SepUntrusted, 16, SECURITY_MANDATORY_UNTRUSTED_RID);
SEP_SID1(SepLow, 16, SECURITY_MANDATORY_LOW_RID);
SEP_SID1(SepMedium, 16, SECURITY_MANDATORY_MEDIUM_RID);
SEP_SID1(SepHigh, 16, SECURITY_MANDATORY_HIGH_RID);
SEP_SID1(SepSystemLevel, 16, SECURITY_MANDATORY_SYSTEM_RID);

#define SEP_PRIVILEGE(Number) {(Number), 0}

static SE_EXPORTS SepExports = {
    .SeCreateTokenPrivilege = SEP_PRIVILEGE(SE_CREATE_TOKEN_PRIVILEGE),
    .SeAssignPrimaryTokenPrivilege = SEP_PRIVILEGE(SE_ASSIGNPRIMARYTOKEN_PRIVILEGE),
    .SeLockMemoryPrivilege = SEP_PRIVILEGE(SE_LOCK_MEMORY_PRIVILEGE),
    .SeIncreaseQuotaPrivilege = SEP_PRIVILEGE(SE_INCREASE_QUOTA_PRIVILEGE),
    .SeUnsolicitedInputPrivilege = SEP_PRIVILEGE(SE_MACHINE_ACCOUNT_PRIVILEGE),
    .SeTcbPrivilege = SEP_PRIVILEGE(SE_TCB_PRIVILEGE),
    .SeSecurityPrivilege = SEP_PRIVILEGE(SE_SECURITY_PRIVILEGE),
    .SeTakeOwnershipPrivilege = SEP_PRIVILEGE(SE_TAKE_OWNERSHIP_PRIVILEGE),
    .SeLoadDriverPrivilege = SEP_PRIVILEGE(SE_LOAD_DRIVER_PRIVILEGE),
    .SeCreatePagefilePrivilege = SEP_PRIVILEGE(SE_CREATE_PAGEFILE_PRIVILEGE),
    .SeIncreaseBasePriorityPrivilege = SEP_PRIVILEGE(SE_INC_BASE_PRIORITY_PRIVILEGE),
    .SeSystemProfilePrivilege = SEP_PRIVILEGE(SE_SYSTEM_PROFILE_PRIVILEGE),
    .SeSystemtimePrivilege = SEP_PRIVILEGE(SE_SYSTEMTIME_PRIVILEGE),
    .SeProfileSingleProcessPrivilege = SEP_PRIVILEGE(SE_PROF_SINGLE_PROCESS_PRIVILEGE),
    .SeCreatePermanentPrivilege = SEP_PRIVILEGE(SE_CREATE_PERMANENT_PRIVILEGE),
    .SeBackupPrivilege = SEP_PRIVILEGE(SE_BACKUP_PRIVILEGE),
    .SeRestorePrivilege = SEP_PRIVILEGE(SE_RESTORE_PRIVILEGE),
    .SeShutdownPrivilege = SEP_PRIVILEGE(SE_SHUTDOWN_PRIVILEGE),
    .SeDebugPrivilege = SEP_PRIVILEGE(SE_DEBUG_PRIVILEGE),
    .SeAuditPrivilege = SEP_PRIVILEGE(SE_AUDIT_PRIVILEGE),
    .SeSystemEnvironmentPrivilege = SEP_PRIVILEGE(SE_SYSTEM_ENVIRONMENT_PRIVILEGE),
    .SeChangeNotifyPrivilege = SEP_PRIVILEGE(SE_CHANGE_NOTIFY_PRIVILEGE),
    .SeRemoteShutdownPrivilege = SEP_PRIVILEGE(SE_REMOTE_SHUTDOWN_PRIVILEGE),
    .SeNullSid = &SepNull,
    .SeWorldSid = &SepWorld,
    .SeLocalSid = &SepLocal,
    .SeCreatorOwnerSid = &SepCreatorOwner,
    .SeCreatorGroupSid = &SepCreatorGroup,
    .SeNtAuthoritySid = &SepNtAuthority,
    .SeDialupSid = &SepDialup,
    .SeNetworkSid = &SepNetwork,
    .SeBatchSid = &SepBatch,
    .SeInteractiveSid = &SepInteractive,
    .SeLocalSystemSid = &SepLocalSystem,
    .SeAliasAdminsSid = &SepAdmins,
    .SeAliasUsersSid = &SepUsers,
    .SeAliasGuestsSid = &SepGuests,
    .SeAliasPowerUsersSid = &SepPowerUsers,
    .SeAliasAccountOpsSid = &SepAccountOps,
    .SeAliasSystemOpsSid = &SepSystemOps,
    .SeAliasPrintOpsSid = &SepPrintOps,
    .SeAliasBackupOpsSid = &SepBackupOps,
    .SeAuthenticatedUsersSid = &SepAuthenticated,
    .SeRestrictedSid = &SepRestricted,
    .SeAnonymousLogonSid = &SepAnonymous,
    .SeUndockPrivilege = SEP_PRIVILEGE(SE_UNDOCK_PRIVILEGE),
    .SeSyncAgentPrivilege = SEP_PRIVILEGE(SE_SYNC_AGENT_PRIVILEGE),
    .SeEnableDelegationPrivilege = SEP_PRIVILEGE(SE_ENABLE_DELEGATION_PRIVILEGE),
    .SeLocalServiceSid = &SepLocalService,
    .SeNetworkServiceSid = &SepNetworkService,
    .SeManageVolumePrivilege = SEP_PRIVILEGE(SE_MANAGE_VOLUME_PRIVILEGE),
    .SeImpersonatePrivilege = SEP_PRIVILEGE(SE_IMPERSONATE_PRIVILEGE),
    .SeCreateGlobalPrivilege = SEP_PRIVILEGE(SE_CREATE_GLOBAL_PRIVILEGE),
    .SeTrustedCredManAccessPrivilege = SEP_PRIVILEGE(SE_TRUSTED_CREDMAN_ACCESS_PRIVILEGE),
    .SeRelabelPrivilege = SEP_PRIVILEGE(SE_RELABEL_PRIVILEGE),
    .SeIncreaseWorkingSetPrivilege = SEP_PRIVILEGE(SE_INC_WORKING_SET_PRIVILEGE),
    .SeTimeZonePrivilege = SEP_PRIVILEGE(SE_TIME_ZONE_PRIVILEGE),
    .SeCreateSymbolicLinkPrivilege = SEP_PRIVILEGE(SE_CREATE_SYMBOLIC_LINK_PRIVILEGE),
    .SeIUserSid = &SepIUser,
    .SeUntrustedMandatorySid = &SepUntrusted,
    .SeLowMandatorySid = &SepLow,
    .SeMediumMandatorySid = &SepMedium,
    .SeHighMandatorySid = &SepHigh,
    .SeSystemMandatorySid = &SepSystemLevel,
    .SeOwnerRightsSid = &SepOwnerRights,
};

PSE_EXPORTS SeExports = &SepExports;

/** Brings up tokens and gives the first objects their security. Once, after ObInitialize. */
VOID SeInitialize(VOID)
{
    SepInitializeTokens();
    ObSecureNamespace();
}
