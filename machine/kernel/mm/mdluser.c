/* SPDX-License-Identifier: MIT */
/*
 * User views of MDLs.
 *
 * A view is a VAD of its own kind: the program can neither free it, nor change its protection, nor unmap it; the
 * trimmer leaves it alone. Every entry holds a reference on its page (our decision, Windows does not say): should the
 * driver unlock or free the pages too early, the program keeps seeing the old page, and never the next owner's data.
 */
#include "mmp.h"

/* Writes the entries, the first at Entry. Both locks held, the tables made. */
static VOID MipWriteEntries(PEPROCESS Process, PMDL Mdl, PMMPTE Entry, ULONG_PTR Page, ULONG Pages,
                            MEMORY_CACHING_TYPE CacheType, ULONG64 Bits)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);
    BOOLEAN simple = (Mdl->MdlFlags & MDL_IO_SPACE) == 0 && MiUncachedPages == 0;

    for (ULONG i = 0; i < Pages; i++, Page++, Entry++)
    {
        PFN_NUMBER pfn = pfns[i];
        ULONG64 cache = 0;
        if ((Page & 511) == 0 && i != 0)
        {
            Entry = MiUserPte(Process, Page, FALSE);
        }
        if (simple)
        {
            MiReferencePage(pfn);
        }
        else if (MiIsMemory(pfn))
        {
            MiReferencePage(pfn);
            cache = MiCacheBits(MiChooseCacheType(pfn, CacheType));
        }
        else
        {
            cache = MiCacheBits(CacheType);
        }
        *Entry = (pfn << PAGE_SHIFT) | Bits | cache;
    }
}

/*
 * Makes the page tables of a range before anything is written, so that failing needs no undoing. Returns the first
 * page's entry; NULL: out of pages.
 */
static PMMPTE MipMakeTables(PEPROCESS Process, ULONG_PTR Start, ULONG_PTR End)
{
    PMMPTE first = MiUserPte(Process, Start, TRUE);
    PMMPTE entry = first;

    for (ULONG_PTR page = (Start | 511) + 1; entry != NULL && page <= End; page += 512)
    {
        entry = MiUserPte(Process, page, TRUE);
    }
    return entry != NULL ? first : NULL;
}

static NTSTATUS MipPlaceView(PEPROCESS Process, PMMVAD Vad, PVOID Base, ULONG Pages)
{
    MM_ADDRESS_SPACE *space = MiSpace(Process);
    ULONG_PTR start = MI_PAGE(Base);

    if (space->Dead)
    {
        return STATUS_PROCESS_IS_TERMINATING;
    }
    if (Base == NULL)
    {
        start = MiFindGap(space, Pages, MI_HIGHEST_USER_PAGE, FALSE);
        if (start == 0)
        {
            return STATUS_NO_MEMORY;
        }
    }
    else if (BYTE_OFFSET(Base) != 0 || start < MI_LOWEST_USER_PAGE || start > MI_HIGHEST_USER_PAGE ||
             Pages > MI_HIGHEST_USER_PAGE - start + 1)
    {
        return STATUS_INVALID_ADDRESS;
    }
    else if (!MiIsRangeFree(space, start, start + Pages - 1))
    {
        return STATUS_CONFLICTING_ADDRESSES;
    }
    Vad->Start = start;
    Vad->End = start + Pages - 1;
    return STATUS_SUCCESS;
}

PVOID MiMapMdlToUser(PMDL Mdl, MEMORY_CACHING_TYPE CacheType, PVOID Base, ULONG Priority)
{
    PEPROCESS process = MiCurrentProcess();
    ULONG pages = MiMdlPages(Mdl);
    BOOLEAN write = (Priority & MdlMappingNoWrite) == 0;
    ULONG protection = write ? MM_READWRITE : MM_READONLY;
    PMMVAD vad = NULL;
    PMMPTE first = NULL;
    NTSTATUS status;
    PVOID va;

    if (pages == 0 || !MiIsValidCacheType(CacheType))
    {
        ExRaiseStatus(STATUS_INVALID_PARAMETER);
    }
    if (VfGranted(VfRequestUserView))
    {
        vad = MiAllocateVad(MiVadMdl, 0, pages, protection);
    }
    if (vad == NULL)
    {
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    }
    MiLockSpace(process);
    status = MipPlaceView(process, vad, Base, pages);
    if (NT_SUCCESS(status))
    {
        first = MipMakeTables(process, vad->Start, vad->End);
        status = first != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (NT_SUCCESS(status))
    {
        ULONG64 bits = MiUserPteBits(protection) | MI_PTE_PHYSICAL | (write ? MI_PTE_DIRTY : 0);
        MiInsertVad(MiSpace(process), vad);
        MipWriteEntries(process, Mdl, first, vad->Start, pages, CacheType, bits);
        InterlockedIncrement64(&process->Space.MdlViews);
        InterlockedIncrement64(&MiCounters.UserMappings);
        VfTake(VfUserMapping, MI_VA(vad->Start), process, pages, 0);
    }
    va = (PUCHAR)MI_VA(vad->Start) + Mdl->ByteOffset;
    MiUnlockSpace(process);
    if (!NT_SUCCESS(status))
    {
        MiFreeVad(vad);
        ExRaiseStatus(status);
    }
    return va;
}

/*
 * Empties adjacent entries, at least one. First none is valid any more, with its page still in it; then, after one
 * flush for all, the references go. Nobody looks at the entries in between: both locks are held.
 */
MI_INLINE VOID MipClearEntries(PEPROCESS Process, PMMPTE Entry, ULONG_PTR Page, ULONG_PTR Count)
{
    ULONG_PTR i = 0;

#pragma clang loop unroll(disable)
    do
    {
        Entry[i] &= MI_PTE_PFN_MASK;
    } while (++i != Count);
    KeFlushTb(&Process->Pcb, MI_VA(Page), Count);
    i = 0;
    do
    {
        PFN_NUMBER pfn = Entry[i] >> PAGE_SHIFT;
        Entry[i] = 0;
        if (MiIsMemory(pfn)) /* device memory has no references */
        {
            MiReleasePage(pfn);
        }
    } while (++i != Count);
}

static DECLSPEC_NORETURN VOID MipReportUnmap(PVOID Base, PMDL Mdl, PMMVAD Vad)
{
    if (Vad == NULL || Vad->Type != MiVadMdl || Vad->Start != MI_PAGE(Base))
    {
        VfCheck(FALSE, 0xB9, (ULONG_PTR)Mdl, (ULONG_PTR)(USHORT)Mdl->MdlFlags, (ULONG_PTR)Base);
        KeBugCheckEx(MI_BUGCHECK_DRIVER_UNMAPPING_INVALID_VIEW, (ULONG_PTR)Base, 1, 0, 0);
    }
    KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 2, (ULONG_PTR)Base, Vad->End - Vad->Start + 1, MiMdlPages(Mdl));
}

VOID MiUnmapMdlFromUser(PVOID Base, PMDL Mdl)
{
    PEPROCESS process = MiCurrentProcess();
    ULONG_PTR page = MI_PAGE(Base);
    ULONG_PTR pages = MiMdlPages(Mdl);
    ULONG_PTR end;
    MI_HOLE hole;
    PMMVAD vad;

    MiLockSpace(process);
    vad = MiFindVadAndHole(MiSpace(process), page, &hole);
    if (vad == NULL || vad->Type != MiVadMdl || vad->Start != page || vad->End - page + 1 != pages)
    {
        MipReportUnmap(Base, Mdl, vad);
    }
    MiRemoveVad(MiSpace(process), vad);
    end = page + pages;
    for (ULONG_PTR at = page, run; at != end; at += run) /* by page tables; they were made with the view */
    {
        run = min(end - at, 512 - (at & 511));
        MipClearEntries(process, MiFindUserPte(process, at), at, run);
    }
    MiFreeUserTablesIn(process, page, end - 1, hole);
    InterlockedDecrement64(&process->Space.MdlViews);
    InterlockedDecrement64(&MiCounters.UserMappings);
    VfGive(VfUserMapping, MI_VA(page), process);
    MiUnlockSpace(process);
    MiFreeVad(vad);
}
