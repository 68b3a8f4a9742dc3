/* SPDX-License-Identifier: MIT */
/*
 * Reserving, committing and freeing user memory.
 */
#include "mmp.h"

#define MI_KNOWN_TYPES (MEM_COMMIT | MEM_RESERVE | MEM_RESET | MEM_TOP_DOWN)

BOOLEAN MiChargeCommit(SIZE_T Pages)
{
    LONG64 now = InterlockedAdd64(&MiCounters.CommittedPages, (LONG64)Pages);

    if (now > (LONG64)MiCommitLimit)
    {
        InterlockedAdd64(&MiCounters.CommittedPages, -(LONG64)Pages);
        return FALSE;
    }
    if (now > MiCounters.PeakCommittedPages)
    {
        MiCounters.PeakCommittedPages = now; /* two at once may lose the higher one: it is a statistic */
    }
    return TRUE;
}

VOID MiReturnCommit(SIZE_T Pages)
{
    InterlockedAdd64(&MiCounters.CommittedPages, -(LONG64)Pages);
}

/* Both locks held from here on, unless said otherwise. */

static BOOLEAN MipIsCommitted(PMMVAD Vad, ULONG64 Entry)
{
    if (Entry == 0)
    {
        return Vad->Committed;
    }
    return (Entry & MI_PTE_VALID) || MI_SOFT_KIND(Entry) != MiSoftDecommitted;
}

/* Committed pages of a private VAD in [Start, End]. */
static SIZE_T MipCountCommitted(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Start, ULONG_PTR End)
{
    SIZE_T count = Vad->Committed ? End - Start + 1 : 0;
    ULONG_PTR page = Start;
    PMMPTE entry;

    while ((entry = MiNextUserPte(Process, &page, End)) != NULL)
    {
        for (ULONG_PTR stop = min(End, page | 511); page <= stop; page++, entry++)
        {
            BOOLEAN committed = MipIsCommitted(Vad, *entry);
            count += committed && !Vad->Committed;
            count -= !committed && Vad->Committed;
        }
    }
    return count;
}

static NTSTATUS MipReserve(PEPROCESS Process, PVOID *Base, PSIZE_T Size, ULONG_PTR Highest, ULONG Type,
                           ULONG Protection)
{
    MM_ADDRESS_SPACE *space = MiSpace(Process);
    ULONG_PTR start = MI_PAGE(*Base) & ~(ULONG_PTR)(MI_GRANULARITY_PAGES - 1);
    ULONG_PTR pages = *Base != NULL ? MI_PAGE((ULONG_PTR)*Base + *Size - 1) - start + 1 : BYTES_TO_PAGES(*Size);
    SIZE_T charge = (Type & MEM_COMMIT) ? pages : 0;
    NTSTATUS status = STATUS_SUCCESS;
    PMMVAD vad = MiAllocateVad(MiVadPrivate, 0, pages, Protection);

    if (vad == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (charge != 0 && !MiChargeCommit(charge))
    {
        MiFreeVad(vad);
        return STATUS_COMMITMENT_LIMIT;
    }
    MiLockSpace(Process);
    if (space->Dead)
    {
        status = STATUS_PROCESS_IS_TERMINATING;
    }
    else if (*Base == NULL)
    {
        start = MiFindGap(space, pages, Highest, (Type & MEM_TOP_DOWN) != 0);
        status = start != 0 ? STATUS_SUCCESS : STATUS_NO_MEMORY;
    }
    else if (!MiIsRangeFree(space, start, start + pages - 1))
    {
        status = STATUS_CONFLICTING_ADDRESSES;
    }
    if (NT_SUCCESS(status))
    {
        vad->Start = start;
        vad->End = start + pages - 1;
        vad->Committed = charge != 0;
        vad->Charged = charge;
        space->CommittedBytes += charge << PAGE_SHIFT;
        MiInsertVad(space, vad);
        vad = NULL;
    }
    MiUnlockSpace(Process);
    if (vad != NULL)
    {
        MiReturnCommit(charge);
        MiFreeVad(vad);
        return status;
    }
    *Base = MI_VA(start);
    *Size = pages << PAGE_SHIFT;
    return STATUS_SUCCESS;
}

/* Makes page tables for a range, so that what follows cannot fail half-way. */
static BOOLEAN MipMakeTables(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End)
{
    for (ULONG_PTR page = Start; page <= End; page = (page | 511) + 1)
    {
        if (MiUserPte(Process, page, TRUE) == NULL)
        {
            return FALSE;
        }
    }
    return TRUE;
}

static NTSTATUS MipCommitRange(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Start, ULONG_PTR End, ULONG Protection)
{
    SIZE_T charge = End - Start + 1 - MipCountCommitted(Process, Vad, Start, End);
    BOOLEAN change = charge != End - Start + 1; /* pages that are committed already take the new protection, too */
    PMMPTE entry = NULL;
    ULONG old;

    if (!MiChargeCommit(charge))
    {
        return STATUS_COMMITMENT_LIMIT;
    }
    if (!MipMakeTables(Process, Start, End))
    {
        MiReturnCommit(charge);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (ULONG_PTR page = Start; page <= End; page++, entry++)
    {
        if (page == Start || (page & 511) == 0)
        {
            entry = MiUserPte(Process, page, FALSE);
        }
        if (!MipIsCommitted(Vad, *entry))
        {
            *entry = MiMakeSoft(MiSoftDemandZero, Protection, 0);
        }
    }
    Vad->Charged += charge;
    Process->Space.CommittedBytes += charge << PAGE_SHIFT;
    return change ? MiProtectRange(Process, Vad, Start, End, Protection, &old) : STATUS_SUCCESS;
}

static NTSTATUS MipCommit(PEPROCESS Process, PVOID *Base, PSIZE_T Size, ULONG Type, ULONG Protection)
{
    ULONG_PTR start = MI_PAGE(*Base);
    ULONG_PTR end = MI_PAGE((ULONG_PTR)*Base + *Size - 1);
    NTSTATUS status;
    PMMVAD vad;

    MiLockSpace(Process);
    vad = MiFindVad(MiSpace(Process), start);
    if (Process->Space.Dead)
    {
        status = STATUS_PROCESS_IS_TERMINATING;
    }
    else if (vad == NULL || end > vad->End || vad->Type == MiVadMdl || vad->Type == MiVadShared)
    {
        status = STATUS_CONFLICTING_ADDRESSES;
    }
    else if (vad->Type != MiVadPrivate)
    {
        status = (Type & MEM_COMMIT) ? STATUS_ALREADY_COMMITTED : STATUS_CONFLICTING_ADDRESSES;
    }
    else if (Type & MEM_RESET)
    {
        /* The contents may go; that they also may stay lets this be no more than a check. */
        status = MipCountCommitted(Process, vad, start, end) == end - start + 1 ? STATUS_SUCCESS
                                                                                : STATUS_CONFLICTING_ADDRESSES;
    }
    else
    {
        status = MiCheckSecured(vad, start, end, Protection);
        if (NT_SUCCESS(status))
        {
            status = MipCommitRange(Process, vad, start, end, Protection);
        }
    }
    MiUnlockSpace(Process);
    if (NT_SUCCESS(status))
    {
        *Base = MI_VA(start);
        *Size = (end - start + 1) << PAGE_SHIFT;
    }
    return status;
}

NTSTATUS MiAllocateVirtual(PEPROCESS Process, PVOID *Base, PSIZE_T Size, ULONG_PTR ZeroBits, ULONG Type, ULONG Protect)
{
    ULONG protection = MiMakeProtection(Protect);
    ULONG_PTR last = (ULONG_PTR)*Base + *Size - 1;
    ULONG_PTR highest;

    if ((Type & (MEM_COMMIT | MEM_RESERVE | MEM_RESET)) == 0 ||
        ((Type & MEM_RESET) && (Type & ~MEM_TOP_DOWN) != MEM_RESET))
    {
        return STATUS_INVALID_PARAMETER_5;
    }
    if (Type & ~MI_KNOWN_TYPES)
    {
        return (Type & (MEM_LARGE_PAGES | MI_MEM_PHYSICAL | MI_MEM_WRITE_WATCH)) ? STATUS_NOT_SUPPORTED
                                                                                 : STATUS_INVALID_PARAMETER_5;
    }
    if (protection == MI_INVALID_PROTECTION || (protection & MM_PROTECTION_BASE) == MM_WRITECOPY ||
        (protection & MM_PROTECTION_BASE) == MM_EXECUTE_WRITECOPY)
    {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    if (ZeroBits > 53 && ZeroBits < 0x10000)
    {
        return STATUS_INVALID_PARAMETER_3;
    }
    highest = ZeroBits == 0 ? MI_HIGHEST_USER_PAGE : MI_PAGE(ZeroBits <= 53 ? MAXULONG_PTR >> ZeroBits : ZeroBits);
    if (*Base != NULL &&
        ((ULONG_PTR)*Base > (ULONG_PTR)MM_HIGHEST_USER || (ULONG_PTR)*Base < (ULONG_PTR)MM_LOWEST_USER))
    {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (*Size == 0 || *Size > (ULONG_PTR)MM_HIGHEST_USER || (*Base != NULL && last > (ULONG_PTR)MM_HIGHEST_USER))
    {
        return STATUS_INVALID_PARAMETER_4;
    }
    if (*Base == NULL && (Type & MEM_RESET))
    {
        return STATUS_CONFLICTING_ADDRESSES;
    }
    if ((Type & MEM_RESERVE) || *Base == NULL)
    {
        return MipReserve(Process, Base, Size, highest, Type, protection);
    }
    return MipCommit(Process, Base, Size, Type, protection);
}

/* ---- freeing ---- */

/* Takes [Start, End] out of its VAD: all of it, an end of it, or a hole (then Spare becomes the upper part). */
static VOID MipCutVad(MM_ADDRESS_SPACE *Space, PMMVAD Vad, ULONG_PTR Start, ULONG_PTR End, SIZE_T Charged,
                      PMMVAD *Spare, SIZE_T UpperCharge)
{
    MiRemoveVad(Space, Vad);
    Vad->Charged -= Charged;
    if (Start > Vad->Start && End < Vad->End)
    {
        PMMVAD upper = *Spare;
        *Spare = NULL;
        upper->Protection = Vad->Protection;
        upper->Maximum = Vad->Maximum;
        upper->Committed = Vad->Committed;
        upper->Start = End + 1;
        upper->End = Vad->End;
        upper->Charged = UpperCharge;
        Vad->Charged -= UpperCharge;
        Vad->End = Start - 1;
        for (PLIST_ENTRY link = Vad->Secures.Flink, next; link != &Vad->Secures; link = next)
        {
            next = link->Flink;
            if (CONTAINING_RECORD(link, MI_SECURE, Links)->Start >= upper->Start)
            {
                RemoveEntryList(link);
                InsertTailList(&upper->Secures, link);
            }
        }
        MiInsertVad(Space, upper);
    }
    else if (Start > Vad->Start)
    {
        Vad->End = Start - 1;
    }
    else if (End < Vad->End)
    {
        Vad->Start = End + 1;
    }
    else
    {
        MiFreeVad(Vad);
        return;
    }
    MiInsertVad(Space, Vad);
}

static VOID MipRelease(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Start, ULONG_PTR End, PMMVAD *Spare)
{
    MM_ADDRESS_SPACE *space = MiSpace(Process);
    SIZE_T charged = MipCountCommitted(Process, Vad, Start, End);
    SIZE_T upper = End < Vad->End && Start > Vad->Start ? MipCountCommitted(Process, Vad, End + 1, Vad->End) : 0;

    MipCutVad(space, Vad, Start, End, charged, Spare, upper);
    MiDeleteUserRange(Process, Start, End, 0);
    MiFreeUserTables(Process, Start, End);
    space->CommittedBytes -= charged << PAGE_SHIFT;
    MiReturnCommit(charged);
}

static NTSTATUS MipDecommit(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Start, ULONG_PTR End)
{
    SIZE_T charged;

    /* Where the VAD is committed as a whole, every page needs an entry that says it is not. */
    if (Vad->Committed && !MipMakeTables(Process, Start, End))
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    charged = MipCountCommitted(Process, Vad, Start, End);
    MiDeleteUserRange(Process, Start, End, Vad->Committed ? MiMakeSoft(MiSoftDecommitted, 0, 0) : 0);
    Vad->Charged -= charged;
    Process->Space.CommittedBytes -= charged << PAGE_SHIFT;
    MiReturnCommit(charged);
    return STATUS_SUCCESS;
}

NTSTATUS MiFreeVirtual(PEPROCESS Process, PVOID *Base, PSIZE_T Size, ULONG Type)
{
    ULONG_PTR start = MI_PAGE(*Base), end;
    PMMVAD spare, vad;
    NTSTATUS status = STATUS_SUCCESS;

    if (Type != MEM_RELEASE && Type != MEM_DECOMMIT)
    {
        return STATUS_INVALID_PARAMETER_4;
    }
    if ((ULONG_PTR)*Base > (ULONG_PTR)MM_HIGHEST_USER)
    {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (*Size > (ULONG_PTR)MM_HIGHEST_USER - (ULONG_PTR)*Base + 1)
    {
        return STATUS_INVALID_PARAMETER_3;
    }
    spare = MiAllocateVad(MiVadPrivate, 0, 1, 0); /* for a hole in the middle, which must not fail later */
    if (spare == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    MiLockSpace(Process);
    vad = MiFindVad(MiSpace(Process), start);
    if (vad == NULL)
    {
        status = STATUS_MEMORY_NOT_ALLOCATED;
        goto Exit;
    }
    if (vad->Type != MiVadPrivate)
    {
        status = STATUS_UNABLE_TO_DELETE_SECTION;
        goto Exit;
    }
    if (*Size == 0)
    {
        if (start != vad->Start)
        {
            status = STATUS_FREE_VM_NOT_AT_BASE;
            goto Exit;
        }
        end = vad->End;
    }
    else
    {
        end = MI_PAGE((ULONG_PTR)*Base + *Size - 1);
        if (end > vad->End)
        {
            status = STATUS_UNABLE_TO_FREE_VM;
            goto Exit;
        }
    }
    status = MiCheckSecured(vad, start, end, MI_INVALID_PROTECTION);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    if (Type == MEM_RELEASE)
    {
        MipRelease(Process, vad, start, end, &spare);
    }
    else
    {
        status = MipDecommit(Process, vad, start, end);
    }
    *Base = MI_VA(start);
    *Size = (end - start + 1) << PAGE_SHIFT;

Exit:
    MiUnlockSpace(Process);
    if (spare != NULL)
    {
        MiFreeVad(spare);
    }
    return status;
}

/* ---- for PS ---- */

NTSTATUS MmAllocateUserMemory(PVOID *Base, SIZE_T *Size, ULONG Type, ULONG Protect)
{
    return MiAllocateVirtual(MiCurrentProcess(), Base, Size, 0, Type, Protect);
}

NTSTATUS MmFreeUserMemory(PVOID Base)
{
    SIZE_T size = 0;

    return MiFreeVirtual(MiCurrentProcess(), &Base, &size, MEM_RELEASE);
}

NTSTATUS MmCreateUserStack(SIZE_T Reserve, SIZE_T Commit, INITIAL_TEB *Result)
{
    PEPROCESS process = MiCurrentProcess();
    PVOID base = NULL, at;
    SIZE_T size, part;
    NTSTATUS status;

    Commit = ROUND_TO_PAGES(max(Commit, PAGE_SIZE));
    Reserve = ROUND_TO_PAGES(max(Reserve, Commit + 4 * PAGE_SIZE)); /* guard page and what an overflow handler needs */
    size = Reserve;
    status = MiAllocateVirtual(process, &base, &size, 0, MEM_RESERVE, PAGE_READWRITE);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    at = (PUCHAR)base + size - Commit;
    part = Commit;
    status = MiAllocateVirtual(process, &at, &part, 0, MEM_COMMIT, PAGE_READWRITE);
    if (NT_SUCCESS(status))
    {
        at = (PUCHAR)base + size - Commit - PAGE_SIZE;
        part = PAGE_SIZE;
        status = MiAllocateVirtual(process, &at, &part, 0, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);
    }
    if (!NT_SUCCESS(status))
    {
        (VOID)MmFreeUserMemory(base);
        return status;
    }
    RtlZeroMemory(Result, sizeof(*Result));
    Result->StackBase = (PUCHAR)base + size;
    Result->StackLimit = (PUCHAR)base + size - Commit;
    Result->StackAllocationBase = base;
    return STATUS_SUCCESS;
}
