/* SPDX-License-Identifier: MIT */
/*
 * VADs: what a process has reserved; gaps between them; ranges that are secured. AddressSpaceLock held. The tree that
 * holds them is in vadtree.c.
 */
#include "mmp.h"

#define MI_VAD_TAG 'daVM'

MI_CACHE MiVadCache = {.Size = sizeof(MMVAD), .Tag = MI_VAD_TAG};

PMMVAD MiAllocateVad(MI_VAD_TYPE Type, ULONG_PTR Start, ULONG_PTR Pages, ULONG Protection)
{
    PMMVAD vad = MiCacheAllocate(&MiVadCache);

    if (vad != NULL)
    {
        __builtin_memset_inline(vad, 0, sizeof(*vad)); /* a few stores instead of a call */
        vad->Type = (UCHAR)Type;
        vad->Protection = vad->Maximum = (UCHAR)Protection;
        vad->Start = Start;
        vad->End = Start + Pages - 1;
        InitializeListHead(&vad->Secures);
    }
    return vad;
}

BOOLEAN MiIsRangeFree(MM_ADDRESS_SPACE *Space, ULONG_PTR Start, ULONG_PTR End)
{
    PMMVAD vad = MiFindVadFrom(Space, Start);

    return vad == NULL || vad->Start > End;
}

/* What is densely in use from below, mostly images and heaps, is walked over once and then remembered. */
static ULONG_PTR MipFindGapFromBelow(MM_ADDRESS_SPACE *Space, ULONG_PTR Pages, ULONG_PTR Highest)
{
    const ULONG_PTR mask = MI_GRANULARITY_PAGES - 1;
    ULONG_PTR start = max(Space->LowestFree, MI_LOWEST_USER_PAGE);

    while (start <= Highest - Pages + 1)
    {
        PMMVAD vad = MiFindVadFrom(Space, start);
        ULONG_PTR next;
        if (vad == NULL || vad->Start >= start + Pages)
        {
            return start;
        }
        next = (vad->End + 1 + mask) & ~mask;
        if (vad->Start <= start && start <= max(Space->LowestFree, MI_LOWEST_USER_PAGE))
        {
            Space->LowestFree = next;
        }
        start = next;
    }
    return 0;
}

ULONG_PTR MiFindGap(MM_ADDRESS_SPACE *Space, ULONG_PTR Pages, ULONG_PTR Highest, BOOLEAN TopDown)
{
    const ULONG_PTR mask = MI_GRANULARITY_PAGES - 1;

    Highest = min(Highest, MI_HIGHEST_USER_PAGE);
    if (Pages == 0 || Highest < MI_LOWEST_USER_PAGE || Pages > Highest - MI_LOWEST_USER_PAGE + 1)
    {
        return 0;
    }
    if (!TopDown)
    {
        return MipFindGapFromBelow(Space, Pages, Highest);
    }
    for (ULONG_PTR start = (Highest - Pages + 1) & ~mask; start >= MI_LOWEST_USER_PAGE;)
    {
        PMMVAD vad = MiFindVadBelow(Space, start + Pages - 1);
        if (vad == NULL || vad->End < start)
        {
            return start;
        }
        if (vad->Start < Pages)
        {
            return 0;
        }
        start = (vad->Start - Pages) & ~mask;
    }
    return 0;
}

/* ---- secured ranges ---- */

NTSTATUS MiCheckSecured(PMMVAD Vad, ULONG_PTR Start, ULONG_PTR End, ULONG NewProtection)
{
    for (PLIST_ENTRY link = Vad->Secures.Flink; link != &Vad->Secures; link = link->Flink)
    {
        MI_SECURE *secure = CONTAINING_RECORD(link, MI_SECURE, Links);
        ULONG base = NewProtection & MM_PROTECTION_BASE;
        if (Start > secure->End || End < secure->Start)
        {
            continue;
        }
        if (NewProtection == MI_INVALID_PROTECTION || base == MM_ZERO_ACCESS || base == MM_EXECUTE ||
            (NewProtection & ~MM_PROTECTION_BASE) == MM_GUARD || (secure->Write && !MiAllowsWrite(base)))
        {
            return STATUS_INVALID_PAGE_PROTECTION;
        }
    }
    return STATUS_SUCCESS;
}

/**
 * Keeps a range of the current process from being freed, or protected so that the access would fail.
 *
 * @param Address, Size  committed private memory or a view, within one allocation
 * @param ProbeMode      PAGE_READONLY or PAGE_READWRITE: the access that must stay possible
 * @return a handle for MmUnsecureVirtualMemory, NULL if the range does not allow the access now
 * IRQL <= APC_LEVEL. The contents may still change, and the pages may be paged out.
 */
HANDLE NTAPI MmSecureVirtualMemory(_In_ PVOID Address, _In_ SIZE_T Size, _In_ ULONG ProbeMode)
{
    PEPROCESS process = MiCurrentProcess();
    ULONG_PTR first = MI_PAGE(Address), last = MI_PAGE((ULONG_PTR)Address + Size - 1);
    MI_SECURE *secure = NULL;
    BOOLEAN granted;
    PMMVAD vad;

    if (Size == 0 || (ULONG_PTR)Address + Size - 1 < (ULONG_PTR)Address || last > MI_HIGHEST_USER_PAGE ||
        (ProbeMode != PAGE_READONLY && ProbeMode != PAGE_READWRITE))
    {
        return NULL;
    }
    secure = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*secure), MI_VAD_TAG);
    if (secure == NULL)
    {
        return NULL;
    }
    secure->Start = first;
    secure->End = last;
    secure->Write = ProbeMode == PAGE_READWRITE;
    secure->Process = process;

    MiLockSpace(process);
    vad = MiFindVad(MiSpace(process), first);
    granted = vad != NULL && last <= vad->End && vad->Type != MiVadMdl;
    for (ULONG_PTR page = first; granted && page <= last; page++)
    {
        ULONG protection = MiPageProtection(vad, page, MiUserPte(process, page, FALSE));
        granted = protection != MI_INVALID_PROTECTION && (protection & MM_PROTECTION_BASE) != MM_ZERO_ACCESS &&
                  (protection & ~MM_PROTECTION_BASE) != MM_GUARD && (!secure->Write || MiAllowsWrite(protection));
    }
    if (granted)
    {
        InsertTailList(&vad->Secures, &secure->Links);
    }
    MiUnlockSpace(process);
    if (!granted)
    {
        ExFreePoolWithTag(secure, MI_VAD_TAG);
        return NULL;
    }
    return (HANDLE)secure;
}

/** Ends what MmSecureVirtualMemory began; in the same process, before it ends. IRQL <= APC_LEVEL. */
VOID NTAPI MmUnsecureVirtualMemory(_In_ HANDLE SecureHandle)
{
    MI_SECURE *secure = (MI_SECURE *)SecureHandle;

    MiLockSpace(secure->Process);
    RemoveEntryList(&secure->Links);
    MiUnlockSpace(secure->Process);
    ExFreePoolWithTag(secure, MI_VAD_TAG);
}
