/* SPDX-License-Identifier: MIT */
/*
 * Questions about addresses: probing, validity, translation, safe copies; what is left at the end.
 */
#include "mmp.h"

/* What the processor would translate with; below DISPATCH_LEVEL a touch would end force-IRQL's hiding. */
static ULONG64 MipCurrentPml4(VOID)
{
    if (KeGetCurrentIrql() < DISPATCH_LEVEL)
    {
        MiShowPageable();
    }
    return __readcr3();
}

/**
 * Checks that a buffer lies in user space. It says nothing of whether it is mapped: touch it inside __try.
 *
 * @param Length     bytes; 0: nothing is checked
 * @param Alignment  1, 2, 4, 8 or 16
 * RAISES STATUS_DATATYPE_MISALIGNMENT, STATUS_ACCESS_VIOLATION. IRQL <= APC_LEVEL.
 */
VOID NTAPI ProbeForRead(_In_reads_bytes_(Length) CONST VOID *Address, _In_ SIZE_T Length, _In_ ULONG Alignment)
{
    ULONG_PTR start = (ULONG_PTR)Address;

    if (Length == 0)
    {
        return;
    }
    if ((start & (Alignment - 1)) != 0)
    {
        ExRaiseDatatypeMisalignment();
    }
    if (start + Length < start || start + Length > MM_USER_PROBE_ADDRESS)
    {
        ExRaiseAccessViolation();
    }
}

/**
 * ProbeForRead, and touches every page for writing.
 *
 * RAISES the same, and what the touch brings. IRQL <= APC_LEVEL, in the process.
 */
VOID NTAPI ProbeForWrite(_Inout_updates_bytes_(Length) PVOID Address, _In_ SIZE_T Length, _In_ ULONG Alignment)
{
    ULONG_PTR last;

    ProbeForRead(Address, Length, Alignment);
    if (Length == 0)
    {
        return;
    }
    last = ((ULONG_PTR)Address + Length - 1) & ~(ULONG_PTR)(PAGE_SIZE - 1);
    for (ULONG_PTR at = (ULONG_PTR)Address;; at = (at & ~(ULONG_PTR)(PAGE_SIZE - 1)) + PAGE_SIZE)
    {
        /* One locked instruction: reading and writing back in two would undo what another thread writes in between. */
        __asm__ volatile("lock orb $0, %0" : "+m"(*(volatile UCHAR *)at) : : "memory", "cc");
        if ((at & ~(ULONG_PTR)(PAGE_SIZE - 1)) == last)
        {
            break;
        }
    }
}

/** TRUE if touching the address now would not fault; for the user half, in the current process. Any IRQL. */
BOOLEAN NTAPI MmIsAddressValid(_In_ PVOID VirtualAddress)
{
    ULONG_PTR va = (ULONG_PTR)VirtualAddress;
    BOOLEAN large;
    PMMPTE entry;

    if ((LONG_PTR)(va << 16) >> 16 != (LONG_PTR)va)
    {
        return FALSE; /* not canonical */
    }
    entry = MiLookupPte(MipCurrentPml4(), va, &large);
    return entry != NULL && (*entry & MI_PTE_VALID) != 0;
}

/** MmIsAddressValid for kernel addresses only, that cannot be paged. */
BOOLEAN NTAPI MmIsNonPagedSystemAddressValid(_In_ PVOID VirtualAddress)
{
    return MmIsSystemAddress(VirtualAddress) && !MiIsPagedPool((ULONG_PTR)VirtualAddress) &&
           MmIsAddressValid(VirtualAddress);
}

/** The physical address behind a virtual one, 0 if nothing is mapped there. Any IRQL. */
PHYSICAL_ADDRESS NTAPI MmGetPhysicalAddress(_In_ PVOID BaseAddress)
{
    PHYSICAL_ADDRESS physical = {.QuadPart = 0};
    ULONG_PTR va = (ULONG_PTR)BaseAddress;
    BOOLEAN large;
    PMMPTE entry;
    ULONG64 value;

    if ((LONG_PTR)(va << 16) >> 16 != (LONG_PTR)va)
    {
        return physical;
    }
    entry = MiLookupPte(MipCurrentPml4(), va, &large);
    value = entry != NULL ? *entry : 0;
    if (value & MI_PTE_VALID)
    {
        ULONG_PTR offsetMask = large ? 0x1FFFFF : PAGE_SIZE - 1;
        physical.QuadPart = (LONG64)((value & MI_PTE_PFN_MASK & ~offsetMask) | (va & offsetMask));
    }
    return physical;
}

/** A kernel address through which a physical address of RAM can be reached; NULL if it is not RAM. Any IRQL. */
PVOID NTAPI MmGetVirtualForPhysical(_In_ PHYSICAL_ADDRESS PhysicalAddress)
{
    return MiIsMemory((ULONG64)PhysicalAddress.QuadPart >> PAGE_SHIFT)
               ? MiPhysicalToVirtual((ULONG64)PhysicalAddress.QuadPart)
               : NULL;
}

/* Copies what lies on one page. STATUS_INVALID_ADDRESS if no RAM is there: reading a device's registers has effects. */
static NTSTATUS MipCopyFromPage(PVOID Target, ULONG64 At, SIZE_T Size, BOOLEAN Virtual)
{
    BOOLEAN user = Virtual && !MmIsSystemAddress((PVOID)At);
    PFN_NUMBER pfn = At >> PAGE_SHIFT;
    ULONG64 entry;
    NTSTATUS status = STATUS_SUCCESS;

    if (user)
    {
        /* With a reference, so that the page is this one's until it has been read. */
        status = At <= (ULONG_PTR)MM_HIGHEST_USER
                     ? MiReferenceUserPage(MiCurrentProcess(), At >> PAGE_SHIFT, MiAccessRead, &pfn)
                     : STATUS_INVALID_ADDRESS;
    }
    else if (Virtual && !MiKernelVaToPfn(At, &pfn, &entry))
    {
        status = STATUS_INVALID_ADDRESS;
    }
    if (!NT_SUCCESS(status))
    {
        return STATUS_INVALID_ADDRESS;
    }
    if (!MiIsMemory(pfn))
    {
        return STATUS_INVALID_ADDRESS;
    }
    RtlCopyMemory(Target, (PUCHAR)MiPfnToVirtual(pfn) + BYTE_OFFSET(At), Size);
    if (user)
    {
        MiReleasePage(pfn);
    }
    return STATUS_SUCCESS;
}

/**
 * Copies from virtual addresses (of the kernel, or of the current process) or from physical RAM to a nonpaged buffer,
 * without a fault if nothing is there. User pages that are not resident are brought in.
 *
 * @param Flags  MM_COPY_MEMORY_PHYSICAL or MM_COPY_MEMORY_VIRTUAL
 * @param NumberOfBytesTransferred  receives how far it got
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER; STATUS_INVALID_ADDRESS, at the first byte that is not there
 * IRQL <= APC_LEVEL.
 */
NTSTATUS NTAPI MmCopyMemory(_Out_writes_bytes_(NumberOfBytes) PVOID TargetAddress, _In_ MM_COPY_ADDRESS SourceAddress,
                            _In_ SIZE_T NumberOfBytes, _In_ ULONG Flags, _Out_ PSIZE_T NumberOfBytesTransferred)
{
    ULONG64 at = (ULONG64)SourceAddress.PhysicalAddress.QuadPart;
    SIZE_T done = 0;

    *NumberOfBytesTransferred = 0;
    if ((Flags != MM_COPY_MEMORY_PHYSICAL && Flags != MM_COPY_MEMORY_VIRTUAL) || !MmIsSystemAddress(TargetAddress) ||
        at + NumberOfBytes < at)
    {
        return STATUS_INVALID_PARAMETER;
    }
    while (done < NumberOfBytes)
    {
        SIZE_T now = min(NumberOfBytes - done, PAGE_SIZE - (SIZE_T)((at + done) & (PAGE_SIZE - 1)));
        if (!NT_SUCCESS(MipCopyFromPage((PUCHAR)TargetAddress + done, at + done, now,
                                        Flags == MM_COPY_MEMORY_VIRTUAL)))
        {
            break;
        }
        done += now;
    }
    *NumberOfBytesTransferred = done;
    return done == NumberOfBytes ? STATUS_SUCCESS : STATUS_INVALID_ADDRESS;
}

/* ---- counts ---- */

VOID MmQueryLeftovers(MM_LEFTOVERS *Leftovers)
{
    Leftovers->LockedPages = MiCounters.LockedPages;
    Leftovers->SystemMappings = MiCounters.SystemMappings;
    Leftovers->UserMappings = MiCounters.UserMappings;
    Leftovers->MdlPages = MiCounters.MdlPages;
    Leftovers->PoolBlocks = MiCounters.DriverBlocks;
    Leftovers->PoolBytes = MiCounters.DriverBytes;
    Leftovers->Contiguous = MiCounters.Contiguous;
    Leftovers->IoSpaceMappings = MiCounters.IoSpaceMappings;
    Leftovers->ReservedMappings = MiCounters.ReservedMappings;
    Leftovers->MdlsAllocated = MiCounters.Mdls;
}

VOID MmQueryMemoryCounts(MM_MEMORY_COUNTS *Counts)
{
    Counts->Available = (ULONG64)MiFreePageCount;
    Counts->Committed = (ULONG64)MiCounters.CommittedPages;
    Counts->PeakCommitted = (ULONG64)MiCounters.PeakCommittedPages;
    Counts->CommitLimit = MiCommitLimit;
    Counts->NonPagedPool = MiNonPagedRegion.Pages - (ULONG)MiNonPagedRegion.Free; /* with its guard pages */
    Counts->PagedPool = MiPagedRegion.Pages - (ULONG)MiPagedRegion.Free;
    Counts->FreeSystemPtes = (ULONG)MiSystemPtes.Free;
}
