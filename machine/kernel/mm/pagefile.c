/* SPDX-License-Identifier: MIT */
/*
 * The page file: pages of RAM set aside at the start, where pages that leave a process go. A slot holds one page's
 * bytes; slot numbers start at 1. There is no other copy: a page that comes back frees its slot and is written again
 * in full when it leaves again, so no dirty state can get lost, whoever wrote to the page.
 */
#include "mmp.h"

#define MI_LARGEST_PAGE_FILE (64u << 20 >> PAGE_SHIFT)

static PFN_NUMBER *MipSlots;    /* page of each slot */
static PULONG64 MipSlotBitmap;  /* 1 = taken */
static SIZE_T MipSlotCount;
static SIZE_T MipSlotHint;
static KSPIN_LOCK MipSlotLock;

SIZE_T MiPageFileSize(VOID)
{
    return MipSlotCount;
}

VOID MiInitializePageFile(VOID)
{
    SIZE_T wanted = min(MI_LARGEST_PAGE_FILE, MiTotalPages / 8);

    KeInitializeSpinLock(&MipSlotLock);
    MipSlots = MiBootAllocate(wanted * sizeof(PFN_NUMBER));
    MipSlotBitmap = MiBootAllocate((wanted + 63) / 64 * sizeof(ULONG64));
    MipSlotCount = MiAllocatePages(wanted, MipSlots, MI_ALLOCATE_PARTIAL, MiPagePageFile);
}

static SIZE_T MipTakeSlot(VOID)
{
    KIRQL irql = MiAcquireLock(&MipSlotLock);
    SIZE_T words = (MipSlotCount + 63) / 64;
    SIZE_T slot = MipSlotCount;

    for (SIZE_T n = 0; n < words && slot >= MipSlotCount; n++)
    {
        SIZE_T word = (MipSlotHint + n) % words;
        if (~MipSlotBitmap[word] != 0)
        {
            slot = word * 64 + (SIZE_T)__builtin_ctzll(~MipSlotBitmap[word]);
            if (slot < MipSlotCount)
            {
                MipSlotBitmap[word] |= 1ULL << (slot % 64);
                MipSlotHint = word;
            }
        }
    }
    MiReleaseLock(&MipSlotLock, irql);
    return slot < MipSlotCount ? slot + 1 : 0;
}

PFN_NUMBER MiWriteToPageFile(PFN_NUMBER Pfn)
{
    SIZE_T slot = MipTakeSlot();

    if (slot != 0)
    {
        RtlCopyMemory(MiPfnToVirtual(MipSlots[slot - 1]), MiPfnToVirtual(Pfn), PAGE_SIZE);
    }
    return slot;
}

VOID MiReadFromPageFile(PFN_NUMBER Slot, PFN_NUMBER Pfn)
{
    RtlCopyMemory(MiPfnToVirtual(Pfn), MiPfnToVirtual(MipSlots[Slot - 1]), PAGE_SIZE);
}

VOID MiFreePageFileSlot(PFN_NUMBER Slot)
{
    KIRQL irql = MiAcquireLock(&MipSlotLock);

    MipSlotBitmap[(Slot - 1) / 64] &= ~(1ULL << ((Slot - 1) % 64));
    MiReleaseLock(&MipSlotLock, irql);
}

/* A page of zeroes needs no slot: it comes back as demand-zero. */
BOOLEAN MiIsPageZero(PFN_NUMBER Pfn)
{
    const ULONG64 *words = MiPfnToVirtual(Pfn);

    for (ULONG i = 0; i < PAGE_SIZE / sizeof(ULONG64); i++)
    {
        if (words[i] != 0)
        {
            return FALSE;
        }
    }
    return TRUE;
}
