/* SPDX-License-Identifier: MIT */
/*
 * Kernel stacks and driver images: ranges with pages of their own.
 */
#include "mmp.h"

/**
 * Makes a kernel stack with a guard page below it.
 *
 * @param Size  bytes, a multiple of PAGE_SIZE
 * @return its top (one past the last byte), or NULL if addresses or pages ran out
 * IRQL <= APC_LEVEL. Give it back with MmDeleteKernelStack and the same size.
 */
PVOID MmCreateKernelStack(SIZE_T Size)
{
    ULONG pages = (ULONG)BYTES_TO_PAGES(Size);
    PVOID base = MiAllocateMapped(&MiSystemPtes, pages, MiRecordStack, 0, MI_PTE_KERNEL, MiPageKernel);

    return base != NULL ? (PUCHAR)base + ((ULONG_PTR)pages << PAGE_SHIFT) : NULL;
}

/** Frees a kernel stack that no processor runs on any more. */
VOID MmDeleteKernelStack(PVOID Top, SIZE_T Size)
{
    ULONG pages = (ULONG)BYTES_TO_PAGES(Size);
    PVOID base = (PUCHAR)Top - ((ULONG_PTR)pages << PAGE_SHIFT);
    ULONG64 record = MiFindRecord(&MiSystemPtes, (ULONG_PTR)base);

    if (MiRecordKind(record) != MiRecordStack || MiRecordPages(record) != pages)
    {
        KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 2, (ULONG_PTR)base, record, pages);
    }
    MiFreeMapped(&MiSystemPtes, base, pages);
}

/* Gives back the addresses of unloaded images, when there are no others left. */
static VOID MipForgetUnloadedImages(VOID)
{
    for (ULONG i = 0; i < MiImageRegion.Mapped;)
    {
        ULONG64 record = *MiRegionPte(&MiImageRegion, i++);
        if (MiRecordKind(record) == MiRecordUnloadedImage)
        {
            *MiRegionPte(&MiImageRegion, i - 1) = 0;
            MiReturnRange(&MiImageRegion, i, MiRecordPages(record), 1);
        }
        if (MiRecordKind(record) != MiRecordNone)
        {
            i += MiRecordPages(record);
        }
    }
}

/**
 * Reserves and maps room for a driver image: read-write, zeroed, not executable until MmProtectSystemImage says so.
 *
 * @param Size  bytes
 * @return the base, or NULL
 * IRQL PASSIVE_LEVEL. Give it back with MmFreeSystemImage.
 */
PVOID MmAllocateSystemImage(SIZE_T Size)
{
    ULONG pages = (ULONG)BYTES_TO_PAGES(Size);
    PVOID base;

    if (pages == 0)
    {
        return NULL;
    }
    base = MiAllocateMapped(&MiImageRegion, pages, MiRecordImage, 0, MI_PTE_KERNEL, MiPageKernel);
    if (base == NULL)
    {
        MipForgetUnloadedImages();
        base = MiAllocateMapped(&MiImageRegion, pages, MiRecordImage, 0, MI_PTE_KERNEL, MiPageKernel);
    }
    if (base != NULL)
    {
        RtlZeroMemory(base, (SIZE_T)pages << PAGE_SHIFT);
    }
    return base;
}

/**
 * Sets the protection of whole pages of an image.
 *
 * @param Protect  PAGE_READONLY, PAGE_READWRITE, PAGE_EXECUTE, PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, or
 *                 PAGE_NOACCESS, which frees the pages
 * @return STATUS_INVALID_PARAMETER, STATUS_INVALID_PAGE_PROTECTION, STATUS_NOT_COMMITTED
 * IRQL PASSIVE_LEVEL.
 */
NTSTATUS MmProtectSystemImage(PVOID Base, SIZE_T Size, ULONG Protect)
{
    ULONG protection = MiMakeProtection(Protect);
    ULONG pages = (ULONG)BYTES_TO_PAGES(Size);
    ULONG index;

    if (!MiInRegion(&MiImageRegion, (ULONG_PTR)Base) || ((ULONG_PTR)Base & (PAGE_SIZE - 1)) != 0)
    {
        return STATUS_INVALID_PARAMETER;
    }
    if (protection > MM_EXECUTE_READWRITE || protection == MM_WRITECOPY)
    {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    index = MiRegionIndex(&MiImageRegion, (ULONG_PTR)Base);
    for (ULONG i = 0; i < pages; i++)
    {
        PMMPTE entry = MiRegionPte(&MiImageRegion, index + i);
        ULONG64 old = *entry;
        if (protection == MM_ZERO_ACCESS)
        {
            old = MiTakeKernelEntry(entry, 0);
        }
        if ((old & MI_PTE_VALID) == 0)
        {
            if (protection != MM_ZERO_ACCESS)
            {
                return STATUS_NOT_COMMITTED;
            }
            continue;
        }
        if (protection == MM_ZERO_ACCESS)
        {
            KeFlushTb(NULL, (PUCHAR)Base + ((ULONG_PTR)i << PAGE_SHIFT), 1);
            MiReleasePage(MI_PTE_PFN(old));
            continue;
        }
        *entry = (old & (MI_PTE_PFN_MASK | MI_PTE_VALID | MI_PTE_ACCESSED | MI_PTE_DIRTY | MI_PTE_GLOBAL)) |
                 (MiAllowsWrite(protection) ? MI_PTE_WRITE : 0) | (MiAllowsExecute(protection) ? 0 : MI_PTE_NX);
    }
    if (protection != MM_ZERO_ACCESS)
    {
        KeFlushTb(NULL, Base, pages);
    }
    return STATUS_SUCCESS;
}

/**
 * Frees the pages of an image. Its addresses stay taken, so that a late call into it faults and names the driver.
 */
VOID MmFreeSystemImage(PVOID Base, SIZE_T Size)
{
    ULONG pages = (ULONG)BYTES_TO_PAGES(Size);
    ULONG64 record = MiFindRecord(&MiImageRegion, (ULONG_PTR)Base);
    ULONG index = MiRegionIndex(&MiImageRegion, (ULONG_PTR)Base);

    if (MiRecordKind(record) != MiRecordImage || MiRecordPages(record) != pages)
    {
        KeBugCheckEx(MI_BUGCHECK_SYSTEM_PTE_MISUSE, 2, (ULONG_PTR)Base, record, pages);
    }
    MiForgetSections(Base, Size, FALSE);
    VfForgetLocks(Base, Size);
    for (ULONG done = 0; done < pages;)
    {
        PFN_NUMBER chunk[64];
        ULONG now = 0;
        ULONG first = done;
        for (; done < pages && now < RTL_NUMBER_OF(chunk); done++)
        {
            ULONG64 entry = MiTakeKernelEntry(MiRegionPte(&MiImageRegion, index + done), 0);
            if (entry & MI_PTE_VALID)
            {
                chunk[now++] = MI_PTE_PFN(entry);
            }
        }
        KeFlushTb(NULL, MiRegionVa(&MiImageRegion, index + first), done - first);
        MiReleasePages(chunk, now);
    }
    *MiRegionPte(&MiImageRegion, index - 1) = MiMakeRecord(MiRecordUnloadedImage, pages, 0);
}
