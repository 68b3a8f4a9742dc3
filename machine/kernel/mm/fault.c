/* SPDX-License-Identifier: MIT */
/*
 * Page faults on user addresses.
 *
 *   entry        page comes from                       becomes
 *   0, private   a zeroed page (if committed)          private, protection of the VAD
 *   demand-zero  a zeroed page                         private
 *   page file    the slot, which is freed              private
 *   transition   the page it names (access allowed?)   private
 *   0, section   the section's prototype entry         shared; or a private copy if the write asks for one
 *   valid, copy  a copy of the shared page             private, on a write
 *
 * A guard page loses its guard on the first access, and the access fails; on a thread's own stack it means "grow".
 */
#include "mmp.h"

ULONG MiPageProtection(PMMVAD Vad, ULONG_PTR Page, PMMPTE Entry)
{
    ULONG64 value = Entry != NULL ? *Entry : 0;

    if (value != 0)
    {
        BOOLEAN gone = (value & MI_PTE_VALID) == 0 && MI_SOFT_KIND(value) == MiSoftDecommitted;
        return gone ? MI_INVALID_PROTECTION : MiPteProtection(value);
    }
    switch (Vad->Type)
    {
    case MiVadPrivate:
        return Vad->Committed ? Vad->Protection : MI_INVALID_PROTECTION;
    case MiVadImage:
        return Vad->Area->Protections[Vad->FirstPage + Page - Vad->Start];
    default:
        return Vad->Protection;
    }
}

static VOID MipInstallPrivate(PEPROCESS Process, PMMPTE Entry, PFN_NUMBER Pfn, ULONG Protection, MI_ACCESS Access)
{
    ULONG base = Protection & MM_PROTECTION_BASE;

    if (base == MM_WRITECOPY || base == MM_EXECUTE_WRITECOPY)
    {
        Protection--; /* the copy has been made: MM_READWRITE, MM_EXECUTE_READWRITE */
    }
    MiPfn(Pfn)->Pte = Entry;
    *Entry = ((ULONG64)Pfn << PAGE_SHIFT) | MiUserPteBits(Protection) | (Access == MiAccessWrite ? MI_PTE_DIRTY : 0);
    Process->Space.WorkingSetPages++;
}

static NTSTATUS MipCopyOnWrite(PEPROCESS Process, ULONG_PTR Page, PMMPTE Entry)
{
    ULONG64 old = *Entry;
    PFN_NUMBER copy = MiAllocatePage(MI_ALLOCATE_USER, MiPageUser);

    if (copy == 0)
    {
        return STATUS_NO_MEMORY;
    }
    RtlCopyMemory(MiPfnToVirtual(copy), MiPfnToVirtual(MI_PTE_PFN(old)), PAGE_SIZE);
    Process->Space.WorkingSetPages--;
    MipInstallPrivate(Process, Entry, copy, MiPteProtection(old), MiAccessWrite);
    KeFlushTb(&Process->Pcb, MI_VA(Page), 1); /* other threads may read through the old one until here */
    MiReleasePage(MI_PTE_PFN(old));
    return STATUS_SUCCESS;
}

static NTSTATUS MipResolveSection(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Page, PMMPTE Entry, ULONG Protection,
                                  MI_ACCESS Access)
{
    ULONG base = Protection & MM_PROTECTION_BASE;
    PFN_NUMBER pfn, copy;
    NTSTATUS status = MiGetSectionPage(Vad->Area, Vad->FirstPage + Page - Vad->Start, &pfn);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (Access == MiAccessWrite && (base == MM_WRITECOPY || base == MM_EXECUTE_WRITECOPY))
    {
        copy = MiAllocatePage(MI_ALLOCATE_USER, MiPageUser);
        if (copy != 0)
        {
            RtlCopyMemory(MiPfnToVirtual(copy), MiPfnToVirtual(pfn), PAGE_SIZE);
            MipInstallPrivate(Process, Entry, copy, Protection, Access);
        }
        MiReleasePage(pfn);
        return copy != 0 ? STATUS_SUCCESS : STATUS_NO_MEMORY;
    }
    *Entry = ((ULONG64)pfn << PAGE_SHIFT) | MiUserPteBits(Protection) | MI_PTE_SHARED;
    Process->Space.WorkingSetPages++;
    return STATUS_SUCCESS;
}

static NTSTATUS MipResolvePrivate(PEPROCESS Process, PMMPTE Entry, ULONG Protection, MI_ACCESS Access)
{
    ULONG64 value = *Entry;
    PFN_NUMBER pfn;

    switch (MI_SOFT_KIND(value))
    {
    case MiSoftTransition:
        pfn = MI_PTE_PFN(value);
        break;
    case MiSoftPageFile:
        pfn = MiAllocatePage(MI_ALLOCATE_USER, MiPageUser);
        if (pfn != 0)
        {
            MiReadFromPageFile(MI_PTE_PFN(value), pfn);
            MiFreePageFileSlot(MI_PTE_PFN(value));
        }
        break;
    default:
        pfn = MiAllocatePage(MI_ALLOCATE_USER | MI_ALLOCATE_ZEROED, MiPageUser);
        break;
    }
    if (pfn == 0)
    {
        return STATUS_NO_MEMORY;
    }
    MipInstallPrivate(Process, Entry, pfn, Protection, Access);
    return STATUS_SUCCESS;
}

/* What an entry of 0 stands for, written out. */
static MI_SOFT MipKindOf(PMMVAD Vad, ULONG64 Value)
{
    if (Value != 0)
    {
        return MI_SOFT_KIND(Value);
    }
    return Vad->Type == MiVadPrivate ? MiSoftDemandZero : MiSoftPrototype;
}

NTSTATUS MiResolveEntry(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Page, PMMPTE Entry, MI_ACCESS Access)
{
    ULONG64 value = *Entry;
    ULONG protection;

    if (value & MI_PTE_VALID)
    {
        if (Access == MiAccessWrite && (value & MI_PTE_WRITE) == 0)
        {
            return (value & MI_PTE_COPY) ? MipCopyOnWrite(Process, Page, Entry) : STATUS_ACCESS_VIOLATION;
        }
        return Access == MiAccessExecute && (value & MI_PTE_NX) ? STATUS_ACCESS_VIOLATION : STATUS_SUCCESS;
    }
    if (Vad->Type == MiVadMdl || Vad->Type == MiVadShared)
    {
        return STATUS_ACCESS_VIOLATION; /* these are complete from the start */
    }
    protection = MiPageProtection(Vad, Page, Entry);
    if (protection == MI_INVALID_PROTECTION || (protection & MM_PROTECTION_BASE) == MM_ZERO_ACCESS)
    {
        return STATUS_ACCESS_VIOLATION;
    }
    if ((protection & ~MM_PROTECTION_BASE) == MM_GUARD)
    {
        *Entry = MiMakeSoft(MipKindOf(Vad, value), protection & MM_PROTECTION_BASE, MI_PTE_PFN(value));
        return STATUS_GUARD_PAGE_VIOLATION;
    }
    if ((Access == MiAccessWrite && !MiAllowsWrite(protection)) ||
        (Access == MiAccessExecute && !MiAllowsExecute(protection)))
    {
        return STATUS_ACCESS_VIOLATION;
    }
    return MipKindOf(Vad, value) == MiSoftPrototype ? MipResolveSection(Process, Vad, Page, Entry, protection, Access)
                                                    : MipResolvePrivate(Process, Entry, protection, Access);
}

/*
 * A guard page of the current thread's stack was touched: the page below becomes the guard, until the last pages, which
 * are left to whoever handles the overflow.
 *
 *   StackBase  | in use | in use | <- touched | next guard | reserved ... | never committed |  DeallocationStack
 */
static NTSTATUS MipGrowStack(PEPROCESS Process, ULONG_PTR Page)
{
    const ULONG lastPages = 3; /* for the handler of STATUS_STACK_OVERFLOW */
    PTEB teb = KiCurrentThread()->Teb;
    ULONG_PTR bottom, top;
    PVOID base;
    SIZE_T size;
    NTSTATUS status;

    if (teb == NULL || Process != MiCurrentProcess())
    {
        return STATUS_GUARD_PAGE_VIOLATION;
    }
    __try
    {
        bottom = MI_PAGE(*(volatile PVOID *)&teb->DeallocationStack);
        top = MI_PAGE(*(volatile PVOID *)&teb->NtTib.StackBase);
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return STATUS_GUARD_PAGE_VIOLATION;
    }
    if (Page <= bottom || Page >= top)
    {
        return STATUS_GUARD_PAGE_VIOLATION;
    }
    if (Page > bottom + lastPages)
    {
        base = MI_VA(Page - 1);
        size = PAGE_SIZE;
        status = MiAllocateVirtual(Process, &base, &size, 0, MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);
        base = MI_VA(Page);
    }
    else
    {
        base = MI_VA(bottom + 1);
        size = (Page - bottom - 1) << PAGE_SHIFT;
        if (size != 0)
        {
            (VOID)MiAllocateVirtual(Process, &base, &size, 0, MEM_COMMIT, PAGE_READWRITE);
        }
        base = MI_VA(bottom + 1);
        status = STATUS_STACK_OVERFLOW;
    }
    __try
    {
        *(volatile PVOID *)&teb->NtTib.StackLimit = base;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return STATUS_GUARD_PAGE_VIOLATION;
    }
    return NT_SUCCESS(status) ? STATUS_SUCCESS : STATUS_STACK_OVERFLOW;
}

NTSTATUS MiFaultUserPage(PEPROCESS Process, ULONG_PTR Page, MI_ACCESS Access)
{
    for (ULONG attempt = 0;; attempt++)
    {
        NTSTATUS status = STATUS_ACCESS_VIOLATION;
        PMMVAD vad;

        MiLockSpace(Process);
        Process->Space.PageFaults++;
        vad = Process->Space.Dead ? NULL : MiFindVad(MiSpace(Process), Page);
        if (vad != NULL)
        {
            PMMPTE entry = MiUserPte(Process, Page, FALSE);
            if (entry != NULL || MiPageProtection(vad, Page, NULL) != MI_INVALID_PROTECTION)
            {
                /* Only what is committed gets page tables: touching a reservation must not cost memory. */
                entry = entry != NULL ? entry : MiUserPte(Process, Page, TRUE);
                status = entry != NULL ? MiResolveEntry(Process, vad, Page, entry, Access) : STATUS_NO_MEMORY;
            }
        }
        MiUnlockSpace(Process);
        if (status == STATUS_GUARD_PAGE_VIOLATION)
        {
            return MipGrowStack(Process, Page);
        }
        if (status != STATUS_NO_MEMORY || attempt == MI_MEMORY_RETRIES)
        {
            MiNotifyTrimmer();
            return status;
        }
        MiWaitForPages();
    }
}

NTSTATUS MiReferenceUserPage(PEPROCESS Process, ULONG_PTR Page, MI_ACCESS Access, PPFN_NUMBER Pfn)
{
    ULONG64 need = MI_PTE_VALID | (Access == MiAccessWrite ? MI_PTE_WRITE : 0);
    NTSTATUS status;

    do
    {
        PMMPTE entry;
        BOOLEAN found = FALSE, memory = TRUE;

        MiLockWorkingSet(Process);
        entry = Process->Space.Dead ? NULL : MiUserPte(Process, Page, FALSE);
        if (entry != NULL && (*entry & need) == need)
        {
            *Pfn = MI_PTE_PFN(*entry);
            found = TRUE;
            memory = MiIsMemory(*Pfn);
            if (memory)
            {
                MiReferencePage(*Pfn);
            }
        }
        MiUnlockWorkingSet(Process);
        if (found)
        {
            return memory ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
        }
        status = MiFaultUserPage(Process, Page, Access);
    } while (NT_SUCCESS(status));
    return status;
}
