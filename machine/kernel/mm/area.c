/* SPDX-License-Identifier: MIT */
/*
 * Control areas: the pages of a section, shared by all its views.
 *
 *   section object --\                            prototype entries
 *   section object ---> control area -----------> [ 0 | resident | slot | 0 | ... ]
 *   view (VAD) ------/    references                       |
 *                                                          v
 *   process A: entry, shared --------------------------> page <---- process B: entry, shared
 *                                       references: 1 for the prototype, 1 per entry, 1 per lock
 *
 * A page may move to the page file when the prototype's is its only reference. Nobody can take another one meanwhile:
 * new ones come from the prototype, under the area's lock, or from an entry that has one.
 */
#include "mmp.h"

#define MI_AREA_TAG 'aCmM'

static LIST_ENTRY MipAreas;
static FAST_MUTEX MipAreasLock; /* the list, and whether a file's area may be joined; before any area's lock */

VOID MiInitializeAreas(VOID)
{
    InitializeListHead(&MipAreas);
    ExInitializeFastMutex(&MipAreasLock);
}

NTSTATUS MiCreateArea(MI_AREA_TYPE Type, ULONG64 Pages, MI_CONTROL_AREA **Area)
{
    MI_CONTROL_AREA *area;

    if (Pages == 0 || Pages > MI_RECORD_MAX_PAGES * 16ULL)
    {
        return STATUS_SECTION_TOO_BIG;
    }
    area = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(*area), MI_AREA_TAG);
    if (area == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    RtlZeroMemory(area, sizeof(*area));
    area->References = 1;
    area->Type = Type;
    area->Pages = Pages;
    ExInitializeFastMutex(&area->Lock);
    area->Prototypes = ExAllocatePoolWithTag(NonPagedPoolNx, Pages * sizeof(MMPTE), MI_AREA_TAG);
    if (area->Prototypes == NULL || !MiChargeCommit(Pages))
    {
        NTSTATUS status = area->Prototypes == NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_COMMITMENT_LIMIT;
        if (area->Prototypes != NULL)
        {
            ExFreePoolWithTag((PVOID)area->Prototypes, MI_AREA_TAG);
        }
        ExFreePoolWithTag(area, MI_AREA_TAG);
        return status;
    }
    area->Charged = Pages;
    RtlZeroMemory((PVOID)area->Prototypes, Pages * sizeof(MMPTE));
    ExAcquireFastMutex(&MipAreasLock);
    InsertTailList(&MipAreas, &area->Links);
    ExReleaseFastMutex(&MipAreasLock);
    *Area = area;
    return STATUS_SUCCESS;
}

VOID MiReferenceArea(MI_CONTROL_AREA *Area)
{
    InterlockedIncrement64(&Area->References);
}

/** Joins the image area that a file's section pointers name, if it is still alive. */
MI_CONTROL_AREA *MiFindImageArea(PSECTION_OBJECT_POINTERS Pointers)
{
    MI_CONTROL_AREA *area;

    ExAcquireFastMutex(&MipAreasLock);
    area = Pointers->ImageSectionObject;
    if (area != NULL)
    {
        InterlockedIncrement64(&area->References);
    }
    ExReleaseFastMutex(&MipAreasLock);
    return area;
}

/** Lets others join a finished image area through its file. FALSE if another one was faster. */
BOOLEAN MiPublishImageArea(PSECTION_OBJECT_POINTERS Pointers, MI_CONTROL_AREA *Area)
{
    BOOLEAN published = FALSE;

    ExAcquireFastMutex(&MipAreasLock);
    if (Pointers->ImageSectionObject == NULL)
    {
        Pointers->ImageSectionObject = Area;
        Area->Pointers = Pointers;
        published = TRUE;
    }
    ExReleaseFastMutex(&MipAreasLock);
    return published;
}

VOID MiDereferenceArea(MI_CONTROL_AREA *Area)
{
    BOOLEAN last;

    ExAcquireFastMutex(&MipAreasLock);
    last = InterlockedDecrement64(&Area->References) == 0;
    if (last)
    {
        RemoveEntryList(&Area->Links);
        if (Area->Pointers != NULL)
        {
            Area->Pointers->ImageSectionObject = NULL;
        }
    }
    ExReleaseFastMutex(&MipAreasLock);
    if (!last)
    {
        return;
    }
    for (ULONG64 i = 0; i < Area->Pages; i++)
    {
        ULONG64 entry = Area->Prototypes[i];
        if (MI_SOFT_KIND(entry) == MiSoftTransition)
        {
            MiReleasePage(MI_PTE_PFN(entry));
        }
        else if (MI_SOFT_KIND(entry) == MiSoftPageFile)
        {
            MiFreePageFileSlot(MI_PTE_PFN(entry));
        }
    }
    MiReturnCommit(Area->Charged);
    if (Area->File != NULL)
    {
        ObDereferenceObject(Area->File);
    }
    if (Area->Protections != NULL)
    {
        ExFreePoolWithTag(Area->Protections, 0);
    }
    ExFreePoolWithTag((PVOID)Area->Prototypes, MI_AREA_TAG);
    ExFreePoolWithTag(Area, MI_AREA_TAG);
}

NTSTATUS MiGetSectionPage(MI_CONTROL_AREA *Area, ULONG64 Index, PPFN_NUMBER Pfn)
{
    PMMPTE prototype = &Area->Prototypes[Index];
    NTSTATUS status = STATUS_SUCCESS;
    PFN_NUMBER pfn;
    ULONG64 entry;

    ExAcquireFastMutex(&Area->Lock);
    entry = *prototype;
    if (MI_SOFT_KIND(entry) == MiSoftTransition)
    {
        pfn = MI_PTE_PFN(entry);
    }
    else
    {
        BOOLEAN paged = MI_SOFT_KIND(entry) == MiSoftPageFile;
        pfn = MiAllocatePage(MI_ALLOCATE_USER | (paged ? 0 : MI_ALLOCATE_ZEROED), MiPageUser);
        if (pfn == 0)
        {
            status = STATUS_NO_MEMORY;
        }
        else
        {
            if (paged)
            {
                MiReadFromPageFile(MI_PTE_PFN(entry), pfn);
                MiFreePageFileSlot(MI_PTE_PFN(entry));
            }
            MiPfn(pfn)->Pte = prototype;
            *prototype = MiMakeSoft(MiSoftTransition, 0, pfn);
        }
    }
    if (NT_SUCCESS(status))
    {
        MiReferencePage(pfn);
        *Pfn = pfn;
    }
    ExReleaseFastMutex(&Area->Lock);
    return status;
}

/* Moves the pages of an area that nobody maps or locks to the page file. */
static SIZE_T MipTrimArea(MI_CONTROL_AREA *Area)
{
    SIZE_T taken = 0;

    ExAcquireFastMutex(&Area->Lock);
    for (ULONG64 i = 0; i < Area->Pages; i++)
    {
        ULONG64 entry = Area->Prototypes[i];
        PFN_NUMBER pfn = MI_PTE_PFN(entry), slot = 0;
        if (MI_SOFT_KIND(entry) != MiSoftTransition || MiPfn(pfn)->Counts != 1)
        {
            continue;
        }
        if (!MiIsPageZero(pfn))
        {
            slot = MiWriteToPageFile(pfn);
            if (slot == 0)
            {
                break;
            }
        }
        Area->Prototypes[i] = slot != 0 ? MiMakeSoft(MiSoftPageFile, 0, slot) : 0;
        MiReleasePage(pfn);
        taken++;
    }
    ExReleaseFastMutex(&Area->Lock);
    return taken;
}

SIZE_T MiTrimAreas(VOID)
{
    SIZE_T taken = 0;

    ExAcquireFastMutex(&MipAreasLock);
    for (PLIST_ENTRY link = MipAreas.Flink; link != &MipAreas; link = link->Flink)
    {
        taken += MipTrimArea(CONTAINING_RECORD(link, MI_CONTROL_AREA, Links));
    }
    ExReleaseFastMutex(&MipAreasLock);
    return taken;
}

/* ---- what file systems ask ---- */

/**
 * TRUE if no image of the file is mapped, so that it may be written or deleted. IRQL <= APC_LEVEL.
 */
BOOLEAN NTAPI MmFlushImageSection(_In_ PSECTION_OBJECT_POINTERS SectionObjectPointer, _In_ MMFLUSH_TYPE FlushType)
{
    UNREFERENCED_PARAMETER(FlushType);
    return *(PVOID volatile *)&SectionObjectPointer->ImageSectionObject == NULL;
}

/** TRUE unless the file is mapped as data: it never is, data sections are copies. */
BOOLEAN NTAPI MmCanFileBeTruncated(_In_ PSECTION_OBJECT_POINTERS SectionObjectPointer,
                                   _In_opt_ PLARGE_INTEGER NewFileSize)
{
    UNREFERENCED_PARAMETER(NewFileSize);
    return MmFlushImageSection(SectionObjectPointer, MmFlushForDelete);
}

/** 0: no user can write to a file through a view here. */
ULONG NTAPI MmDoesFileHaveUserWritableReferences(_In_ PSECTION_OBJECT_POINTERS SectionPointer)
{
    UNREFERENCED_PARAMETER(SectionPointer);
    return 0;
}
