/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries: formats, protections, look-up through the direct map.
 *
 * valid user entry (the CPU's format; bits 9..11 and 52..57 are ours)
 *
 *    63 62    58 57     56      52 51             12 11     10       9    8 7 6 5 4   3   2 1 0
 *   +--+--------+------+----------+-----------------+------+--------+----+-+-+-+-+---+---+-+-+-+
 *   |NX|   0    |WSlock|protection|       PFN       |shared|physical|copy|G|P|D|A|PCD|PWT|U|W|1|
 *   +--+--------+------+----------+-----------------+------+--------+----+-+-+-+-+---+---+-+-+-+
 *
 * software entry (the CPU sees only that bit 0 is clear)
 *
 *                       56      52 51             12 11                          5 4       1 0
 *   +------------------+----------+-----------------+-----------------------------+---------+-+
 *   |        0         |protection|  PFN or slot    |              0              |  kind   |0|
 *   +------------------+----------+-----------------+-----------------------------+---------+-+
 *
 * An entry of 0 means what the VAD says: committed demand-zero (MEM_COMMIT with MEM_RESERVE), reserved only, or the
 * section's page with the view's protection. Prototype entries of sections are software entries as well.
 *
 * The CPU sets A and D behind our back: a valid entry is only ever changed with one interlocked operation.
 */
#include "mmp.h"

ULONG64 MiKernelPml4;

static const ULONG MipWin32[8] = {PAGE_NOACCESS, PAGE_READONLY, PAGE_EXECUTE, PAGE_EXECUTE_READ,
                                  PAGE_READWRITE, PAGE_WRITECOPY, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY};

ULONG MiMakeProtection(ULONG Win32Protect)
{
    ULONG modifiers = Win32Protect & (PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE);
    ULONG base = Win32Protect & ~modifiers;
    ULONG protection = MI_INVALID_PROTECTION;

    for (ULONG i = 0; i < RTL_NUMBER_OF(MipWin32); i++)
    {
        if (base == MipWin32[i])
        {
            protection = i;
        }
    }
    if (protection == MI_INVALID_PROTECTION || (modifiers != 0 && protection == MM_ZERO_ACCESS))
    {
        return MI_INVALID_PROTECTION;
    }
    switch (modifiers)
    {
    case 0:
        return protection;
    case PAGE_GUARD:
        return protection | MM_GUARD;
    case PAGE_NOCACHE:
        return protection | MM_NOCACHE;
    case PAGE_WRITECOMBINE:
        return protection | MM_WRITECOMBINE;
    default:
        return MI_INVALID_PROTECTION; /* two modifiers contradict each other */
    }
}

ULONG MiWin32Protection(ULONG Protection)
{
    ULONG win32 = MipWin32[Protection & MM_PROTECTION_BASE];

    switch (Protection & ~MM_PROTECTION_BASE)
    {
    case MM_GUARD:
        return win32 | PAGE_GUARD;
    case MM_NOCACHE:
        return win32 | PAGE_NOCACHE;
    case MM_WRITECOMBINE:
        return win32 | PAGE_WRITECOMBINE;
    default:
        return win32;
    }
}

BOOLEAN MiAllowsWrite(ULONG Protection)
{
    return (Protection & MM_PROTECTION_BASE) >= MM_READWRITE;
}

BOOLEAN MiAllowsExecute(ULONG Protection)
{
    switch (Protection & MM_PROTECTION_BASE)
    {
    case MM_EXECUTE:
    case MM_EXECUTE_READ:
    case MM_EXECUTE_READWRITE:
    case MM_EXECUTE_WRITECOPY:
        return TRUE;
    default:
        return FALSE;
    }
}

ULONG64 MiCacheBits(MEMORY_CACHING_TYPE CacheType)
{
    switch (CacheType) /* the PAT is set up as NT does: 0 write-back, 1 write-combining, 2 weak uncached, 3 uncached */
    {
    case MmCached:
    case MmHardwareCoherentCached:
        return 0;
    case MmWriteCombined:
    case MmUSWCCached:
        return MI_PTE_PWT;
    default:
        return MI_PTE_PCD | MI_PTE_PWT;
    }
}

ULONG64 MiUserPteBits(ULONG Protection)
{
    ULONG64 bits = MI_PTE_VALID | MI_PTE_USER | MI_PTE_ACCESSED | ((ULONG64)Protection << MI_PTE_PROTECTION_SHIFT);
    ULONG base = Protection & MM_PROTECTION_BASE;

    if (base == MM_WRITECOPY || base == MM_EXECUTE_WRITECOPY)
    {
        bits |= MI_PTE_COPY;
    }
    else if (MiAllowsWrite(base))
    {
        bits |= MI_PTE_WRITE;
    }
    if (!MiAllowsExecute(base))
    {
        bits |= MI_PTE_NX;
    }
    if ((Protection & ~MM_PROTECTION_BASE) == MM_NOCACHE)
    {
        bits |= MiCacheBits(MmNonCached);
    }
    else if ((Protection & ~MM_PROTECTION_BASE) == MM_WRITECOMBINE)
    {
        bits |= MiCacheBits(MmWriteCombined);
    }
    return bits;
}

PMMPTE MiLookupPte(ULONG64 Pml4, ULONG_PTR Va, PBOOLEAN Large)
{
    PMMPTE table = MiPhysicalToVirtual(Pml4 & MI_PTE_PFN_MASK);

    *Large = FALSE;
    for (ULONG shift = 39; shift != 12; shift -= 9)
    {
        PMMPTE entry = &table[(Va >> shift) & 511];
        ULONG64 value = *entry;
        if ((value & MI_PTE_VALID) == 0)
        {
            return NULL;
        }
        if ((value & MI_PTE_LARGE) != 0 && shift != 39)
        {
            *Large = TRUE;
            return entry;
        }
        table = MiPhysicalToVirtual(value & MI_PTE_PFN_MASK);
    }
    return &table[(Va >> 12) & 511];
}

BOOLEAN MiKernelVaToPfn(ULONG_PTR Va, PPFN_NUMBER Pfn, PULONG64 Pte)
{
    BOOLEAN large;
    PMMPTE entry = MiLookupKernelPte(Va, &large);
    ULONG64 value = entry != NULL ? *entry : 0;

    if ((value & MI_PTE_VALID) == 0)
    {
        return FALSE;
    }
    *Pte = value;
    *Pfn = MI_PTE_PFN(value);
    if (large)
    {
        *Pfn = (*Pfn & ~1ULL) + ((Va >> PAGE_SHIFT) &
                                 511); /* bit 12 of a large entry is its PAT bit; the loader makes 2 MB pages only */
    }
    return TRUE;
}

/*
 * One entry of the top-level table leads back to that table, so that the page tables below it are seen as pages of their
 * own, those of adjacent addresses next to each other. Processes copy the entry, and so show the kernel's tables, too.
 */
VOID MiShowKernelTables(VOID)
{
    PMMPTE top = MiPhysicalToVirtual(MiKernelPml4);

    top[(MM_PTE_BASE >> 39) & 511] = (MiKernelPml4 & MI_PTE_PFN_MASK) | MI_PTE_TABLE | MI_PTE_NX;
}

PMMPTE MiMakeKernelTable(ULONG_PTR Va)
{
    PMMPTE table = MiPhysicalToVirtual(MiKernelPml4);

    for (ULONG shift = 39; shift != 12; shift -= 9)
    {
        PMMPTE entry = &table[(Va >> shift) & 511];
        if ((*entry & MI_PTE_VALID) == 0)
        {
            PFN_NUMBER page = MiAllocatePage(MI_ALLOCATE_ZEROED, MiPagePageTable);
            if (page == 0)
            {
                return NULL;
            }
            *entry = ((ULONG64)page << PAGE_SHIFT) | MI_PTE_TABLE;
        }
        table = MiPhysicalToVirtual(*entry & MI_PTE_PFN_MASK);
    }
    return table;
}
