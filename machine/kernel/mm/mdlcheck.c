/* SPDX-License-Identifier: MIT */
/*
 * What an MDL must be to be mapped, as Driver Verifier and MM itself ask it; in Windows' order: the IRQL, the flags,
 * then the pages.
 *
 *   flags     kernel view: none of 25 (mapped, nonpaged pool, partial with a view of its own)     B2
 *             kernel view: one of 12 (locked, partial); user view: one of 16 (and nonpaged pool)  B3
 *   pages     described by an MDL that is not marked as I/O space, but no memory                  89
 *             memory that may leave at any time, because nothing locks it                         85
 *
 * The masks are those of the assertions in ReactOS' ntoskrnl/mm/ARM3/mdlsup.c.
 */
#include "poolp.h"

#define MI_KERNEL_VIEW_WRONG (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL_HAS_BEEN_MAPPED)
#define MI_KERNEL_VIEW_NEEDS (MDL_PAGES_LOCKED | MDL_PARTIAL)
#define MI_USER_VIEW_NEEDS (MDL_PAGES_LOCKED | MDL_PARTIAL | MDL_SOURCE_IS_NONPAGED_POOL)

/* A page of a program (or of none) without a lock; pages of the kernel's own kinds do not leave by themselves. */
BOOLEAN MiMayPageLeave(PFN_NUMBER Pfn)
{
    const MMPFN *page = MiPfn(Pfn);

    return page->State == MiPageFree || (page->State == MiPageUser && MI_LOCKS(page->Counts) <= 0);
}

static VOID MipCheckPages(PMDL Mdl)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);
    ULONG pages = MiMdlPages(Mdl);

    for (ULONG i = 0; i < pages; i++)
    {
        if (!MiIsMemory(pfns[i]))
        {
            MI_RULE(Mdl->MdlFlags & MDL_IO_SPACE, 0x89, Mdl, &pfns[i], pfns[i]);
        }
        else if (MiMayPageLeave(pfns[i]))
        {
            VfCheck(FALSE, 0x85, (ULONG_PTR)Mdl, pages, pfns[i]);
        }
    }
}

/* Without the verifier Windows still refuses to map what is not locked: MEMORY_MANAGEMENT 1236. */
static DECLSPEC_NORETURN VOID MipReportUnlocked(PMDL Mdl)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);

    KeBugCheckEx(MEMORY_MANAGEMENT, 0x1236, (ULONG_PTR)Mdl, (ULONG_PTR)pfns, pfns[0]);
}

static VOID MipCheckMapIrql(PMDL Mdl, KPROCESSOR_MODE Mode, BOOLEAN Obsolete)
{
    KIRQL irql = KeGetCurrentIrql();

    if (irql > (Mode == KernelMode ? DISPATCH_LEVEL : APC_LEVEL))
    {
        VfCheck(FALSE, (Obsolete ? 0x74 : 0x76) + (Mode != KernelMode), irql, (ULONG_PTR)Mdl, (UCHAR)Mode);
        KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)Mdl, irql, 0, (ULONG_PTR)MiCheckMdlForMap);
    }
}

VOID MiCheckMdlForMap(PMDL Mdl, KPROCESSOR_MODE Mode, BOOLEAN Obsolete, ULONG Priority, PVOID Caller)
{
    ULONG_PTR flags = (USHORT)Mdl->MdlFlags;
    ULONG needs = Mode == KernelMode ? MI_KERNEL_VIEW_NEEDS : MI_USER_VIEW_NEEDS;

    MipCheckMapIrql(Mdl, Mode, Obsolete);
    MI_RULE(Mode != KernelMode || (flags & MI_KERNEL_VIEW_WRONG) == 0, 0xB2, Mdl, flags, MI_KERNEL_VIEW_WRONG);
    if ((flags & (needs | MDL_IO_SPACE)) == 0)
    {
        VfCheck(FALSE, 0xB3, (ULONG_PTR)Mdl, flags, needs);
        MipReportUnlocked(Mdl);
    }
    if (VfOption(VfChecks))
    {
        MipCheckPages(Mdl);
    }
    if (MiNoExecutable && Mode == KernelMode && (Priority & MdlMappingNoExecute) == 0 && MiIsDriverCode(Caller))
    {
        VfCheck(FALSE, 0x2002, (ULONG_PTR)Caller, Priority, 0);
    }
}
