/* SPDX-License-Identifier: MIT */
/*
 * Kernel memory that can leave: paged pool, and the sections of drivers whose names begin with PAGE. It is resident
 * from the start, and leaves only if a mode of the verifier takes it away (trim, force-irql).
 *
 *   valid  -- trimmed -->  transition (page stays, entry not valid)  -- page file -->  slot (page freed)
 *     ^                        |                                                         |
 *     +------- fault ----------+---------------------------- fault ----------------------+
 *
 * The entry of a page that was trimmed, not valid for the CPU, differs from the valid one in these bits only:
 *
 *    63 62                  12  11    10       9     8..5   4       1  0
 *   +--+--------------------+---+-------+-----------+-----+----------+---+
 *   |NX|  PFN, or the slot  | 0 |in file| was write | as  | trimmed  | 0 |
 *   +--+--------------------+---+-------+-----------+-----+----------+---+
 *
 * The trimmer leaves pages alone that are locked through an MDL, and sends a page to the file only if its entry is the
 * one reference to it. Force-IRQL takes the address away from locked pages too: their frames, and so the MDL's mapping,
 * stay.
 *
 * One lock guards every change of such an entry. Flushes and copies happen under it: whoever waits for it waits at
 * DISPATCH_LEVEL with interrupts on, and so answers the flush.
 */
#include "mmp.h"

#define MI_TRIMMED_IN_FILE MI_PTE_PHYSICAL
#define MI_TRIMMED_WRITE MI_PTE_COPY
#define MI_TRIM_STEP 2048 /* entries of paged pool looked at per call */
#define MI_PAGE_BATCH 16
#define MI_MAXIMUM_SECTIONS 128
#define MI_BUGCHECK_INPAGE 0x7A

/* A pageable part of an image, or an image that MmPageEntireDriver made pageable as a whole. */
struct _MI_PAGEABLE_SECTION
{
    ULONG_PTR Base; /* 0: free */
    ULONG Pages;
    LONG Locks;     /* MmLockPagable*: the pages stay */
    BOOLEAN Whole;
};

BOOLEAN MiPageable;
static KSPIN_LOCK MipPageableLock;
static MI_PAGEABLE_SECTION MipSections[MI_MAXIMUM_SECTIONS];
static volatile ULONG MipSectionSlots; /* those that were ever in use */
static volatile LONG MipResidentPages; /* of the sections, those that may be trimmed: 0 makes force-irql cheap */
static volatile LONG64 MipTrimmed, MipFiled, MipBroughtBack;

VOID MiInitializePageable(VOID)
{
    MiPageable = VfOption(VfTrimPressure) || VfOption(VfForceIrql);
}

static inline BOOLEAN MipIsTrimmed(ULONG64 Entry)
{
    return (Entry & MI_PTE_VALID) == 0 && MiRecordKind(Entry) == MiRecordTrimmed;
}

static inline ULONG64 MipTrimmedForm(ULONG64 Entry)
{
    return (Entry & ~(0x1FULL | MI_TRIMMED_WRITE)) | ((ULONG64)MiRecordTrimmed << 1) |
           ((Entry & MI_PTE_WRITE) ? MI_TRIMMED_WRITE : 0);
}

static inline ULONG64 MipValidForm(ULONG64 Entry)
{
    return (Entry & ~(0x1FULL | MI_TRIMMED_WRITE | MI_TRIMMED_IN_FILE)) | MI_PTE_VALID |
           ((Entry & MI_TRIMMED_WRITE) ? MI_PTE_WRITE : 0);
}

KIRQL MiLockPageable(VOID)
{
    return MiAcquireLock(&MipPageableLock);
}

VOID MiUnlockPageable(KIRQL Irql)
{
    MiReleaseLock(&MipPageableLock, Irql);
}

static BOOLEAN MipIsImage(ULONG_PTR Va)
{
    return MiInRegion(&MiImageRegion, Va);
}

ULONG64 MiTakePageableEntry(PMMPTE Entry, ULONG64 Leave)
{
    KIRQL irql = MiLockPageable();
    ULONG64 old = (ULONG64)InterlockedExchange64((volatile LONG64 *)Entry, (LONG64)Leave);

    MiUnlockPageable(irql);
    if (!MipIsTrimmed(old))
    {
        return old;
    }
    if (old & MI_TRIMMED_IN_FILE)
    {
        MiFreePageFileSlot(MI_PTE_PFN(old));
        return 0;
    }
    return MipValidForm(old);
}

/* The lock is held. FALSE: the page is in the file and there is no page to read it to. */
static BOOLEAN MipBringBack(ULONG_PTR Va, PMMPTE Entry)
{
    ULONG64 old = *Entry;

    if (!MipIsTrimmed(old))
    {
        return TRUE;
    }
    if (old & MI_TRIMMED_IN_FILE)
    {
        PFN_NUMBER page = MiAllocatePage(0, MipIsImage(Va) ? MiPageKernel : MiPagePool);
        if (page == 0)
        {
            return FALSE;
        }
        MiReadFromPageFile(MI_PTE_PFN(old), page);
        MiFreePageFileSlot(MI_PTE_PFN(old));
        old = (old & ~MI_PTE_PFN_MASK) | (page << PAGE_SHIFT);
    }
    InterlockedExchange64((volatile LONG64 *)Entry, (LONG64)MipValidForm(old));
    MipBroughtBack++;
    if (MipIsImage(Va))
    {
        MipResidentPages++;
    }
    return TRUE;
}

BOOLEAN MiBringBackKernelPage(ULONG_PTR Va)
{
    BOOLEAN large;
    PMMPTE entry = MiPageable ? MiLookupKernelPte(Va, &large) : NULL;

    if (entry == NULL || large || !MipIsTrimmed(*entry))
    {
        return FALSE;
    }
    for (ULONG attempt = 0;; attempt++)
    {
        KIRQL irql = MiLockPageable();
        BOOLEAN back = MipBringBack(Va, entry);
        MiUnlockPageable(irql);
        if (back)
        {
            return TRUE;
        }
        if (attempt == MI_MEMORY_RETRIES || KeGetCurrentIrql() > APC_LEVEL)
        {
            KeBugCheckEx(MI_BUGCHECK_INPAGE, 3, (ULONG_PTR)STATUS_INSUFFICIENT_RESOURCES, (ULONG_PTR)entry, Va);
        }
        MiWaitForPages();
    }
}

/* ---- taking pages away; the lock is held ---- */

typedef struct _MI_PAGE_BATCH_STATE
{
    ULONG Count;
    PMMPTE Entries[MI_PAGE_BATCH];
} MI_PAGE_BATCH_STATE;

static VOID MipTrimEntry(PMMPTE Entry, BOOLEAN Image)
{
    /* The CPU may be setting A or D; nothing else changes the entry. */
    for (ULONG64 old = *Entry;;)
    {
        ULONG64 now = (ULONG64)InterlockedCompareExchange64((volatile LONG64 *)Entry, (LONG64)MipTrimmedForm(old),
                                                             (LONG64)old);
        if (now == old)
        {
            break;
        }
        old = now;
    }
    MipTrimmed++;
    if (Image)
    {
        MipResidentPages--;
    }
}

/* After the flush: to the page file with those that nobody else refers to. */
static VOID MipFilePages(MI_PAGE_BATCH_STATE *Batch)
{
    if (Batch->Count == 0)
    {
        return;
    }
    KeFlushTb(NULL, NULL, 0);
    for (ULONG i = 0; i < Batch->Count; i++)
    {
        ULONG64 old = *Batch->Entries[i];
        PFN_NUMBER page = MI_PTE_PFN(old);
        PFN_NUMBER slot = MI_REFERENCES(MiPfn(page)->Counts) == 1 ? MiWriteToPageFile(page) : 0;
        if (slot != 0)
        {
            *Batch->Entries[i] = (old & ~MI_PTE_PFN_MASK) | (slot << PAGE_SHIFT) | MI_TRIMMED_IN_FILE;
            MipFiled++;
            InterlockedDecrement64(&MiPfn(page)->Counts);
            MiFreePage(page, TRUE); /* to the far end of the free list: the page comes back in another frame */
        }
    }
    Batch->Count = 0;
}

static VOID MipOffer(MI_PAGE_BATCH_STATE *Batch, PMMPTE Entry, BOOLEAN Image)
{
    ULONG64 entry = *Entry;

    if ((entry & MI_PTE_VALID) == 0 || MI_LOCKS(MiPfn(MI_PTE_PFN(entry))->Counts) != 0 || !MiChosenToTrim(8))
    {
        return;
    }
    MipTrimEntry(Entry, Image);
    Batch->Entries[Batch->Count++] = Entry;
    if (Batch->Count == MI_PAGE_BATCH)
    {
        MipFilePages(Batch);
    }
}

static BOOLEAN MipIsSectionLocked(ULONG_PTR Va)
{
    for (ULONG i = 0; i < MipSectionSlots; i++)
    {
        const MI_PAGEABLE_SECTION *section = &MipSections[i];
        if (section->Locks != 0 && Va - section->Base < (ULONG_PTR)section->Pages << PAGE_SHIFT)
        {
            return TRUE;
        }
    }
    return FALSE;
}

/* Calls back for each entry of the sections that may leave. */
static VOID MipForSections(VOID (*Routine)(MI_PAGE_BATCH_STATE *, PMMPTE, BOOLEAN), MI_PAGE_BATCH_STATE *Batch)
{
    for (ULONG i = 0; i < MipSectionSlots; i++)
    {
        const MI_PAGEABLE_SECTION *section = &MipSections[i];
        for (ULONG n = 0; section->Base != 0 && n < section->Pages; n++)
        {
            ULONG_PTR va = section->Base + ((ULONG_PTR)n << PAGE_SHIFT);
            if (!MipIsSectionLocked(va))
            {
                Routine(Batch, MiRegionPte(&MiImageRegion, MiRegionIndex(&MiImageRegion, va)), TRUE);
            }
        }
    }
}

/* Looks at the next part of a pool's addresses. A block's records are not valid entries, and so are left alone. */
static VOID MipTrimRegion(MI_REGION *Region, PULONG Cursor, MI_PAGE_BATCH_STATE *Batch)
{
    for (ULONG looked = 0; looked < min(MI_TRIM_STEP, Region->Mapped); looked++)
    {
        *Cursor = *Cursor < Region->Mapped ? *Cursor : 0;
        MipOffer(Batch, MiRegionPte(Region, (*Cursor)++), FALSE);
    }
}

VOID MiTrimKernel(VOID)
{
    static ULONG pool, special; /* the trimmer's alone */
    MI_PAGE_BATCH_STATE batch = {0};
    KIRQL irql = MiLockPageable();

    MipTrimRegion(&MiPagedRegion, &pool, &batch);
    MipTrimRegion(&MiSpecialPagedRegion, &special, &batch);
    MipForSections(MipOffer, &batch);
    MipFilePages(&batch);
    MiUnlockPageable(irql);
}

static VOID MipHide(MI_PAGE_BATCH_STATE *Batch, PMMPTE Entry, BOOLEAN Image)
{
    if (*Entry & MI_PTE_VALID)
    {
        MipTrimEntry(Entry, Image);
        Batch->Count++;
    }
}

VOID MiTrimSections(VOID)
{
    MI_PAGE_BATCH_STATE batch = {0};
    KIRQL irql;

    if (MipResidentPages == 0)
    {
        return;
    }
    irql = MiLockPageable();
    MipForSections(MipHide, &batch);
    if (batch.Count != 0)
    {
        KeFlushTb(NULL, NULL, 0);
    }
    MiUnlockPageable(irql);
}

/* ---- sections ---- */

/* Sections at their start are resident. Counts what may be trimmed from scratch: rare, and never wrong. Lock held. */
static VOID MipCountEntry(MI_PAGE_BATCH_STATE *Batch, PMMPTE Entry, BOOLEAN Image)
{
    UNREFERENCED_PARAMETER(Image);
    Batch->Count += (*Entry & MI_PTE_VALID) != 0;
}

static VOID MipRecount(VOID)
{
    MI_PAGE_BATCH_STATE count = {0};

    MipForSections(MipCountEntry, &count);
    MipResidentPages = (LONG)count.Count;
}

VOID MmAddPageableSection(PVOID Base, SIZE_T Size, BOOLEAN Whole)
{
    KIRQL irql;

    if (!MiPageable)
    {
        return;
    }
    irql = MiLockPageable();
    for (ULONG i = 0; i < MI_MAXIMUM_SECTIONS; i++)
    {
        if (MipSections[i].Base == 0)
        {
            MipSectionSlots = max(MipSectionSlots, i + 1);
            MipSections[i] = (MI_PAGEABLE_SECTION){(ULONG_PTR)Base, (ULONG)BYTES_TO_PAGES(Size), 0, Whole};
            break; /* with all of them taken a section stays resident, as without the mode */
        }
    }
    MipRecount();
    MiUnlockPageable(irql);
}

VOID MiForgetSections(PVOID Base, SIZE_T Size, BOOLEAN WholeOnly)
{
    KIRQL irql;

    if (!MiPageable)
    {
        return;
    }
    irql = MiLockPageable();
    for (ULONG i = 0; i < MI_MAXIMUM_SECTIONS; i++)
    {
        if (MipSections[i].Base != 0 && MipSections[i].Base - (ULONG_PTR)Base < Size &&
            (MipSections[i].Whole || !WholeOnly))
        {
            RtlZeroMemory(&MipSections[i], sizeof(MipSections[i]));
        }
    }
    MipRecount();
    MiUnlockPageable(irql);
}

MI_PAGEABLE_SECTION *MiFindPageableSection(PVOID AddressOrHandle)
{
    for (ULONG i = 0; i < MipSectionSlots; i++)
    {
        MI_PAGEABLE_SECTION *section = &MipSections[i];
        if (section->Base != 0 && (AddressOrHandle == section || (ULONG_PTR)AddressOrHandle - section->Base <
                                                                     (ULONG_PTR)section->Pages << PAGE_SHIFT))
        {
            return section;
        }
    }
    return NULL;
}

VOID MiLockSection(MI_PAGEABLE_SECTION *Section, BOOLEAN Lock)
{
    KIRQL irql = MiLockPageable();

    Section->Locks += Lock ? 1 : -1;
    MipRecount();
    MiUnlockPageable(irql);
    for (ULONG i = 0; Lock && i < Section->Pages; i++)
    {
        (VOID)MiBringBackKernelPage(Section->Base + ((ULONG_PTR)i << PAGE_SHIFT));
    }
}

/** One line for the account at the machine's end, if a mode took pages away. */
VOID MiReportPageable(VOID)
{
    if (MiPageable)
    {
        HalPrint(HalStreamError,
                 "machine: pageable kernel memory left %lld times, %lld of them to the page file, and came back %lld "
                 "times\n",
                 MipTrimmed, MipFiled, MipBroughtBack);
    }
}
