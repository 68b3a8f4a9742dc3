/* SPDX-License-Identifier: MIT */
/*
 * Quotas. Each process that uses the library has an account; a charge must fit both the account's limit and the
 * total's. The process that makes the call pays, whoever opened the handle: it is its memory that gets locked, or its
 * call that made the kernel allocate.
 *
 * Every session, region and view keeps its account open until it is uncharged, so an account outlives its process
 * when a duplicated handle keeps its regions alive.
 */
#include "ist.h"

typedef struct _IST_LIMIT
{
    PCWSTR Process;
    PCWSTR Total;
    ULONGLONG ProcessDefault;
    ULONGLONG TotalDefault;
} IST_LIMIT;

#define IST_MB (1024ull * 1024)

/* Registry names below Parameters, and what holds without them. */
static const IST_LIMIT IstLimits[IstChargeKinds] = {
    [IstChargeSessions] = {L"ProcessSessions", L"TotalSessions", 64, 1024},
    [IstChargeRegions] = {L"ProcessRegions", L"TotalRegions", 1024, 8192},
    [IstChargeViews] = {L"ProcessViews", L"TotalViews", 4096, 32768},
    [IstChargeLocked] = {L"ProcessLockedBytes", L"TotalLockedBytes", 512 * IST_MB, 2048 * IST_MB},
    [IstChargeAllocated] = {L"ProcessAllocatedBytes", L"TotalAllocatedBytes", 256 * IST_MB, 1024 * IST_MB},
};

/* Reads the limits from the registry. PASSIVE_LEVEL, at start. */
NTSTATUS IstQuotaRead(_In_opt_ PUNICODE_STRING RegistryPath)
{
    NTSTATUS status = STATUS_SUCCESS;

    for (ULONG kind = 0; kind < IstChargeKinds && NT_SUCCESS(status); kind++)
    {
        const IST_LIMIT *limit = &IstLimits[kind];
        status = IsthmusReadParameter(RegistryPath, limit->Process, limit->ProcessDefault,
                                      &IstLibrary.LimitProcess[kind]);
        if (NT_SUCCESS(status))
        {
            status = IsthmusReadParameter(RegistryPath, limit->Total, limit->TotalDefault, &IstLibrary.LimitTotal[kind]);
        }
    }
    return status;
}

/* The account of a process id, or NULL. Lock held. */
PIST_ACCOUNT IstAccountFindLocked(_In_ HANDLE ProcessId)
{
    for (PLIST_ENTRY link = IstLibrary.Accounts.Flink; link != &IstLibrary.Accounts; link = link->Flink)
    {
        PIST_ACCOUNT account = CONTAINING_RECORD(link, IST_ACCOUNT, Link);
        if (account->ProcessId == ProcessId)
        {
            return account;
        }
    }
    return NULL;
}

/*
 * Opens the current process's account, making it if need be; close it with IstAccountClose. <= APC_LEVEL.
 *
 * STATUS_INVALID_DEVICE_STATE for a thread that is attached to another process: what it makes there could outlive the
 * process, whose end waits for its own threads and for no other's. (PsGetCurrentProcessId is the thread's own process,
 * PsGetCurrentProcess the one it is attached to.)
 */
NTSTATUS IstAccountOpen(_Out_ PIST_ACCOUNT *Account)
{
    NTSTATUS status = STATUS_SUCCESS;
    HANDLE id = PsGetCurrentProcessId();

    *Account = NULL;
    if (PsGetProcessId(PsGetCurrentProcess()) != id)
    {
        return STATUS_INVALID_DEVICE_STATE;
    }
    IstLock();
    PIST_ACCOUNT account = IstAccountFindLocked(id);
    if (account == NULL)
    {
        account = IstAllocate(sizeof(*account));
        if (account == NULL)
        {
            status = STATUS_INSUFFICIENT_RESOURCES;
            goto Exit;
        }
        account->Process = PsGetCurrentProcess();
        account->ProcessId = id;
        ObReferenceObject(account->Process);
        KeInitializeMutex(&account->Mapping, 0);
        InsertTailList(&IstLibrary.Accounts, &account->Link);
    }
    account->References++;

Exit:
    IstUnlock();
    *Account = account;
    return status;
}

/* Closes an account; the last one to close frees it. <= APC_LEVEL, lock not held. */
VOID IstAccountClose(_In_ PIST_ACCOUNT Account)
{
    IstLock();
    BOOLEAN last = --Account->References == 0;
    if (last)
    {
        RemoveEntryList(&Account->Link);
    }
    IstUnlock();
    if (last)
    {
        ObDereferenceObject(Account->Process);
        IstFree(Account);
    }
}

/*
 * Keeps other threads of the process from making views or sharing buffers. PASSIVE_LEVEL, a program's thread in a
 * critical region. Only threads of the one process wait here, so a page fault that is slow by its doing (it chose what
 * lies at the address) holds up nobody else; no teardown takes this mutex.
 */
VOID IstAccountLockMapping(_Inout_ PIST_ACCOUNT Account)
{
    KeWaitForSingleObject(&Account->Mapping, Executive, KernelMode, FALSE, NULL);
}

VOID IstAccountUnlockMapping(_Inout_ PIST_ACCOUNT Account)
{
    KeReleaseMutex(&Account->Mapping, FALSE);
}

/* Charges an account and the total, or refuses with STATUS_QUOTA_EXCEEDED. <= APC_LEVEL. */
NTSTATUS IstCharge(_Inout_ PIST_ACCOUNT Account, _In_ IST_CHARGE Kind, _In_ ULONGLONG Amount)
{
    NTSTATUS status = STATUS_QUOTA_EXCEEDED;
    IstLock();
    ULONGLONG mine = Account->Used[Kind], all = IstLibrary.Used[Kind];
    /* Written so that no sum can wrap, whatever the amount and the limits are. */
    if (mine <= IstLibrary.LimitProcess[Kind] && Amount <= IstLibrary.LimitProcess[Kind] - mine &&
        all <= IstLibrary.LimitTotal[Kind] && Amount <= IstLibrary.LimitTotal[Kind] - all)
    {
        Account->Used[Kind] = mine + Amount;
        IstLibrary.Used[Kind] = all + Amount;
        status = STATUS_SUCCESS;
    }
    IstUnlock();
    if (!NT_SUCCESS(status))
    {
        IstCount(IstCountRefusals, 1);
    }
    return status;
}

/* Takes a charge back. Lock held. */
VOID IstUnchargeLocked(_Inout_ PIST_ACCOUNT Account, _In_ IST_CHARGE Kind, _In_ ULONGLONG Amount)
{
    Account->Used[Kind] -= Amount;
    IstLibrary.Used[Kind] -= Amount;
}

/* The same, lock not held. <= APC_LEVEL. */
VOID IstUncharge(_Inout_ PIST_ACCOUNT Account, _In_ IST_CHARGE Kind, _In_ ULONGLONG Amount)
{
    IstLock();
    IstUnchargeLocked(Account, Kind, Amount);
    IstUnlock();
}
