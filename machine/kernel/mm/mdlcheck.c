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

/* A page of a program (or of none) without a lock; pages of the kernel's own kinds do not leave by themselves. */
BOOLEAN MiMayPageLeave(PFN_NUMBER Pfn)
{
    const MMPFN *page = MiPfn(Pfn);

    return page->State == MiPageFree || (page->State == MiPageUser && MI_LOCKS(page->Counts) <= 0);
}

VF_SELDOM VOID MiCheckOddPage(PMDL Mdl, const PFN_NUMBER *Pfn)
{
    if (!MiIsMemory(*Pfn))
    {
        VfCheck((Mdl->MdlFlags & MDL_IO_SPACE) != 0, 0x89, (ULONG_PTR)Mdl, (ULONG_PTR)Pfn, *Pfn);
    }
    else if (MiMayPageLeave(*Pfn))
    {
        VfCheck(FALSE, 0x85, (ULONG_PTR)Mdl, MiMdlPages(Mdl), *Pfn);
    }
}

/* Without the verifier Windows still refuses to map what is not locked: MEMORY_MANAGEMENT 1236. */
static DECLSPEC_NORETURN VOID MipReportUnlocked(PMDL Mdl)
{
    PPFN_NUMBER pfns = MmGetMdlPfnArray(Mdl);

    KeBugCheckEx(MEMORY_MANAGEMENT, 0x1236, (ULONG_PTR)Mdl, (ULONG_PTR)pfns, pfns[0]);
}

/* The verifier's rules come first, then MM's own. */
VF_SELDOM VOID MiReportMap(PMDL Mdl, KPROCESSOR_MODE Mode, BOOLEAN Obsolete)
{
    ULONG_PTR flags = (USHORT)Mdl->MdlFlags;
    ULONG needs = Mode == KernelMode ? MI_KERNEL_VIEW_NEEDS : MI_USER_VIEW_NEEDS;
    KIRQL irql = KeGetCurrentIrql();

    if (irql > (Mode == KernelMode ? DISPATCH_LEVEL : APC_LEVEL))
    {
        VfCheck(FALSE, (Obsolete ? 0x74 : 0x76) + (Mode != KernelMode), irql, (ULONG_PTR)Mdl, (UCHAR)Mode);
        KeBugCheckEx(IRQL_NOT_LESS_OR_EQUAL, (ULONG_PTR)Mdl, irql, 0, (ULONG_PTR)MmMapLockedPagesSpecifyCache);
    }
    VfCheck(Mode != KernelMode || (flags & MI_KERNEL_VIEW_WRONG) == 0, 0xB2, (ULONG_PTR)Mdl, flags,
            MI_KERNEL_VIEW_WRONG);
    if ((flags & (needs | MDL_IO_SPACE)) == 0)
    {
        VfCheck(FALSE, 0xB3, (ULONG_PTR)Mdl, flags, needs);
        MipReportUnlocked(Mdl);
    }
}
