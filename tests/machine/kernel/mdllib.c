/* SPDX-License-Identifier: MIT */
/* What the groups about MDLs have in common. */
#include "mdllib.h"

#define PFN_BITS 0x000FFFFFFFFFF000ULL

ULONG64 KtEntry(PVOID Va)
{
    PHYSICAL_ADDRESS table = {.QuadPart = (LONG64)(__readcr3() & PFN_BITS)};
    ULONG64 entry = 0;

    for (LONG shift = 39; shift >= 12; shift -= 9)
    {
        entry = ((volatile ULONG64 *)MmGetVirtualForPhysical(table))[((ULONG_PTR)Va >> shift) & 511];
        if ((entry & KT_PTE_VALID) == 0 || (shift != 39 && (entry & 0x80) != 0 && shift != 12))
        {
            return shift == 12 || (entry & KT_PTE_VALID) != 0 ? entry : 0;
        }
        table.QuadPart = (LONG64)(entry & PFN_BITS);
    }
    return entry;
}

PMDL KtAllocateBetween(ULONG64 Low, ULONG64 High, ULONG64 Skip, SIZE_T Size, ULONG Flags)
{
    PHYSICAL_ADDRESS low = {.QuadPart = (LONG64)Low}, high = {.QuadPart = (LONG64)High},
                     skip = {.QuadPart = (LONG64)Skip};

    return MmAllocatePagesForMdlEx(low, high, skip, Size, MmCached, Flags);
}

PMDL KtAllocatePages(KTEST_RUN *Run, SIZE_T Size)
{
    PMDL mdl = KtAllocateBetween(0, MAXLONGLONG, 0, Size, MM_ALLOCATE_FULLY_REQUIRED);

    CHECK(mdl != NULL);
    return mdl;
}

VOID KtFreePages(PMDL Mdl)
{
    if (Mdl != NULL)
    {
        MmFreePagesFromMdl(Mdl);
        ExFreePool(Mdl);
    }
}

ULONG KtPages(const MDL *Mdl)
{
    return ADDRESS_AND_SIZE_TO_SPAN_PAGES((ULONG_PTR)Mdl->ByteOffset, Mdl->ByteCount);
}

ULONG64 KtWorkingSetFlags(PVOID Va)
{
    struct
    {
        PVOID Va;
        ULONG64 Flags;
    } page = {.Va = Va};
    SIZE_T length;
    NTSTATUS status = ZwQueryVirtualMemory(NtCurrentProcess(), NULL, 4 /* MemoryWorkingSetExInformation */, &page,
                                           sizeof(page), &length);

    return NT_SUCCESS(status) ? page.Flags : 0;
}

ULONG KtLockedPages(PVOID Va, ULONG Pages)
{
    ULONG locked = 0;

    for (ULONG i = 0; i < Pages; i++)
    {
        locked += (KtWorkingSetFlags((PUCHAR)Va + i * PAGE_SIZE) >> 22) & 1;
    }
    return locked;
}
