/* SPDX-License-Identifier: MIT */
/*
 * Changing the protection of user pages; holding them in memory.
 */
#include "mmp.h"

/* A resident private page that is to be without access, or a guard, keeps its frame in a transition entry. */
static ULONG64 MipNewValidEntry(ULONG64 Old, ULONG Protection, PBOOLEAN Dropped)
{
    BOOLEAN hidden =
        (Protection & MM_PROTECTION_BASE) == MM_ZERO_ACCESS || (Protection & ~MM_PROTECTION_BASE) == MM_GUARD;
    ULONG base = Protection & MM_PROTECTION_BASE;

    *Dropped = FALSE;
    if (Old & MI_PTE_SHARED)
    {
        if (hidden)
        {
            *Dropped = TRUE;
            return MiMakeSoft(MiSoftPrototype, Protection, 0);
        }
        return (Old & (MI_PTE_PFN_MASK | MI_PTE_WS_LOCKED)) | MI_PTE_SHARED | MiUserPteBits(Protection);
    }
    if (base == MM_WRITECOPY || base == MM_EXECUTE_WRITECOPY)
    {
        Protection--; /* it has been copied already */
    }
    if (hidden)
    {
        return MiMakeSoft(MiSoftTransition, Protection, MI_PTE_PFN(Old));
    }
    return (Old & (MI_PTE_PFN_MASK | MI_PTE_WS_LOCKED | MI_PTE_DIRTY)) | MiUserPteBits(Protection);
}

static ULONG64 MipNewSoftEntry(PMMVAD Vad, ULONG64 Old, ULONG Protection)
{
    if (Old == 0)
    {
        return MiMakeSoft(Vad->Type == MiVadPrivate ? MiSoftDemandZero : MiSoftPrototype, Protection, 0);
    }
    return (Old & ~MI_PTE_PROTECTION) | ((ULONG64)Protection << MI_PTE_PROTECTION_SHIFT);
}

/* Both locks held; every page of the range is committed and has a page table. */
static VOID MipProtectPages(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Start, ULONG_PTR End, ULONG Protection)
{
    PFN_NUMBER dropped[64];
    ULONG count = 0;
    BOOLEAN flush = FALSE;
    PMMPTE entry = NULL;

    for (ULONG_PTR page = Start; page <= End; page++, entry++)
    {
        ULONG64 old, now;
        BOOLEAN drop = FALSE;
        if (page == Start || (page & 511) == 0)
        {
            entry = MiUserPte(Process, page, FALSE);
        }
        old = *entry;
        if ((old & MI_PTE_VALID) == 0)
        {
            *entry = MipNewSoftEntry(Vad, old, Protection);
            continue;
        }
        now = MipNewValidEntry(old, Protection, &drop);
        InterlockedExchange64((volatile LONG64 *)entry, (LONG64)now);
        flush = TRUE;
        if ((now & MI_PTE_VALID) == 0)
        {
            Process->Space.WorkingSetPages--;
        }
        if (drop)
        {
            dropped[count++] = MI_PTE_PFN(old);
        }
        if (count == RTL_NUMBER_OF(dropped))
        {
            KeFlushTb(&Process->Pcb, MI_VA(Start), page - Start + 1);
            while (count != 0)
            {
                MiReleasePage(dropped[--count]);
            }
        }
    }
    if (flush)
    {
        KeFlushTb(&Process->Pcb, MI_VA(Start), End - Start + 1);
    }
    while (count != 0)
    {
        MiReleasePage(dropped[--count]);
    }
}

/* What a view may become: images write to copies; a view of data never gets more than the section allows. */
static NTSTATUS MipAdjustProtection(PMMVAD Vad, PULONG Protection)
{
    ULONG base = *Protection & MM_PROTECTION_BASE;
    ULONG maximum = Vad->Maximum & MM_PROTECTION_BASE;

    switch (Vad->Type)
    {
    case MiVadPrivate:
        return base == MM_WRITECOPY || base == MM_EXECUTE_WRITECOPY ? STATUS_INVALID_PAGE_PROTECTION : STATUS_SUCCESS;
    case MiVadImage:
        if (base == MM_READWRITE || base == MM_EXECUTE_READWRITE)
        {
            *Protection += 1; /* MM_WRITECOPY, MM_EXECUTE_WRITECOPY */
        }
        return STATUS_SUCCESS;
    case MiVadSection:
        if ((MiAllowsExecute(base) && !MiAllowsExecute(maximum)) ||
            ((base == MM_READWRITE || base == MM_EXECUTE_READWRITE) && maximum != MM_READWRITE &&
             maximum != MM_EXECUTE_READWRITE))
        {
            return STATUS_SECTION_PROTECTION;
        }
        return STATUS_SUCCESS;
    default:
        return STATUS_CONFLICTING_ADDRESSES; /* a view of an MDL has no pages of its own to protect */
    }
}

NTSTATUS MiProtectRange(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Start, ULONG_PTR End, ULONG Protection,
                        PULONG OldProtection)
{
    NTSTATUS status = MipAdjustProtection(Vad, &Protection);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = MiCheckSecured(Vad, Start, End, Protection);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    for (ULONG_PTR page = Start; page <= End; page++)
    {
        PMMPTE entry = MiUserPte(Process, page, TRUE);
        ULONG old;
        if (entry == NULL)
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        old = MiPageProtection(Vad, page, entry);
        if (old == MI_INVALID_PROTECTION)
        {
            return STATUS_NOT_COMMITTED;
        }
        if (page == Start)
        {
            *OldProtection = old;
        }
    }
    MipProtectPages(Process, Vad, Start, End, Protection);
    return STATUS_SUCCESS;
}

NTSTATUS MiProtectVirtual(PEPROCESS Process, PVOID *Base, PSIZE_T Size, ULONG Protect, PULONG OldProtect)
{
    ULONG protection = MiMakeProtection(Protect);
    ULONG_PTR start = MI_PAGE(*Base);
    ULONG_PTR end = MI_PAGE((ULONG_PTR)*Base + *Size - 1);
    ULONG old = MM_ZERO_ACCESS;
    NTSTATUS status;
    PMMVAD vad;

    if (protection == MI_INVALID_PROTECTION)
    {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    if ((ULONG_PTR)*Base > (ULONG_PTR)MM_HIGHEST_USER)
    {
        return STATUS_INVALID_PARAMETER_2;
    }
    if (*Size == 0 || *Size > (ULONG_PTR)MM_HIGHEST_USER - (ULONG_PTR)*Base + 1)
    {
        return STATUS_INVALID_PARAMETER_3;
    }
    MiLockSpace(Process);
    vad = Process->Space.Dead ? NULL : MiFindVad(MiSpace(Process), start);
    status = vad == NULL || end > vad->End ? STATUS_CONFLICTING_ADDRESSES
                                           : MiProtectRange(Process, vad, start, end, protection, &old);
    MiUnlockSpace(Process);
    if (NT_SUCCESS(status))
    {
        *Base = MI_VA(start);
        *Size = (end - start + 1) << PAGE_SHIFT;
        *OldProtect = MiWin32Protection(old);
    }
    return status;
}

/* ---- holding pages in the working set ---- */

static NTSTATUS MipLockOne(PEPROCESS Process, ULONG_PTR Page)
{
    for (;;)
    {
        PMMPTE entry;
        NTSTATUS status = MiFaultUserPage(Process, Page, MiAccessRead);
        BOOLEAN done = FALSE;

        if (!NT_SUCCESS(status))
        {
            return status;
        }
        MiLockWorkingSet(Process);
        entry = Process->Space.Dead ? NULL : MiUserPte(Process, Page, FALSE);
        if (entry != NULL && (*entry & MI_PTE_VALID))
        {
            InterlockedOr64((volatile LONG64 *)entry, MI_PTE_WS_LOCKED);
            done = TRUE;
        }
        MiUnlockWorkingSet(Process);
        if (done)
        {
            return STATUS_SUCCESS;
        }
    }
}

/** VirtualLock: the pages stay resident until unlocked or freed. */
NTSTATUS MiLockVirtual(PEPROCESS Process, PVOID *Base, PSIZE_T Size)
{
    ULONG_PTR start = MI_PAGE(*Base), end = MI_PAGE((ULONG_PTR)*Base + *Size - 1);

    if (end - start + 1 > MiTotalPages / 4)
    {
        return STATUS_WORKING_SET_QUOTA;
    }
    for (ULONG_PTR page = start; page <= end; page++)
    {
        NTSTATUS status = MipLockOne(Process, page);
        if (!NT_SUCCESS(status))
        {
            return status;
        }
    }
    *Base = MI_VA(start);
    *Size = (end - start + 1) << PAGE_SHIFT;
    return STATUS_SUCCESS;
}

NTSTATUS MiUnlockVirtual(PEPROCESS Process, PVOID *Base, PSIZE_T Size)
{
    ULONG_PTR start = MI_PAGE(*Base), end = MI_PAGE((ULONG_PTR)*Base + *Size - 1);
    NTSTATUS status = STATUS_SUCCESS;

    MiLockWorkingSet(Process);
    for (ULONG_PTR page = start; page <= end && NT_SUCCESS(status); page++)
    {
        PMMPTE entry = Process->Space.Dead ? NULL : MiUserPte(Process, page, FALSE);
        if (entry == NULL || (*entry & (MI_PTE_VALID | MI_PTE_WS_LOCKED)) != (MI_PTE_VALID | MI_PTE_WS_LOCKED))
        {
            status = STATUS_NOT_LOCKED;
        }
    }
    for (ULONG_PTR page = start; page <= end && NT_SUCCESS(status); page++)
    {
        InterlockedAnd64((volatile LONG64 *)MiUserPte(Process, page, FALSE), ~(LONG64)MI_PTE_WS_LOCKED);
    }
    MiUnlockWorkingSet(Process);
    *Base = MI_VA(start);
    *Size = (end - start + 1) << PAGE_SHIFT;
    return status;
}
