/* SPDX-License-Identifier: MIT */
/*
 * Views of sections in processes and in system space.
 */
#include "mmp.h"

/* The protection of a view of data must not give more than the section has. */
static BOOLEAN MipIsCompatible(ULONG View, ULONG Section)
{
    ULONG view = View & MM_PROTECTION_BASE, section = Section & MM_PROTECTION_BASE;

    if (view == MM_ZERO_ACCESS)
    {
        return TRUE;
    }
    if (MiAllowsExecute(view) && !MiAllowsExecute(section))
    {
        return FALSE;
    }
    return (view != MM_READWRITE && view != MM_EXECUTE_READWRITE) || section == MM_READWRITE ||
           section == MM_EXECUTE_READWRITE;
}

static NTSTATUS MipPlace(PEPROCESS Process, PMMVAD Vad, ULONG_PTR Wanted, BOOLEAN MustBeThere, ULONG_PTR Highest,
                         BOOLEAN TopDown)
{
    MM_ADDRESS_SPACE *space = MiSpace(Process);
    ULONG_PTR pages = Vad->End - Vad->Start + 1;
    ULONG_PTR start = Wanted;

    if (space->Dead)
    {
        return STATUS_PROCESS_IS_TERMINATING;
    }
    if (Wanted == 0 || Wanted < MI_LOWEST_USER_PAGE || Wanted > MI_HIGHEST_USER_PAGE ||
        pages > MI_HIGHEST_USER_PAGE - Wanted + 1 || !MiIsRangeFree(space, Wanted, Wanted + pages - 1))
    {
        if (MustBeThere)
        {
            return STATUS_CONFLICTING_ADDRESSES;
        }
        start = MiFindGap(space, pages, Highest, TopDown);
        if (start == 0)
        {
            return STATUS_NO_MEMORY;
        }
    }
    Vad->Start = start;
    Vad->End = start + pages - 1;
    MiInsertVad(space, Vad);
    return STATUS_SUCCESS;
}

static NTSTATUS MipMapImage(PEPROCESS Process, MI_SECTION *Section, PVOID *Base, PSIZE_T Size, ULONG_PTR Highest)
{
    MI_CONTROL_AREA *area = Section->Area;
    PMMVAD vad = MiAllocateVad(MiVadImage, 0, area->Pages, MM_EXECUTE_WRITECOPY);
    SIZE_T charge = 0;
    NTSTATUS status;

    if (vad == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (ULONG64 i = 0; i < area->Pages; i++) /* every page that may be copied */
    {
        ULONG base = area->Protections[i];
        charge += base == MM_WRITECOPY || base == MM_EXECUTE_WRITECOPY;
    }
    if (!MiChargeCommit(charge))
    {
        MiFreeVad(vad);
        return STATUS_COMMITMENT_LIMIT;
    }
    vad->Charged = charge;
    vad->Area = area;
    MiReferenceArea(area);
    MiLockSpace(Process);
    status = MipPlace(Process, vad, *Base != NULL ? MI_PAGE(*Base) : MI_PAGE(area->Image.PreferredBase), *Base != NULL,
                      Highest, FALSE);
    if (NT_SUCCESS(status))
    {
        Process->Space.CommittedBytes += charge << PAGE_SHIFT;
        *Base = MI_VA(vad->Start);
        *Size = area->Pages << PAGE_SHIFT;
    }
    MiUnlockSpace(Process);
    if (!NT_SUCCESS(status))
    {
        MiReturnCommit(charge);
        MiDereferenceArea(area);
        MiFreeVad(vad);
        return status;
    }
    return *Base == area->Image.PreferredBase ? STATUS_SUCCESS : STATUS_IMAGE_NOT_AT_BASE;
}

static NTSTATUS MipMapData(PEPROCESS Process, MI_SECTION *Section, PVOID *Base, PSIZE_T Size, ULONG64 *Offset,
                           ULONG_PTR Highest, ULONG AllocationType, ULONG Protection, BOOLEAN Inherit)
{
    ULONG64 offset = *Offset & ~0xFFFFULL;
    ULONG64 size = *Size != 0 ? *Size + (*Offset - offset) : Section->Size - offset;
    BOOLEAN copies = Protection == MM_WRITECOPY || Protection == MM_EXECUTE_WRITECOPY;
    SIZE_T pages, charge;
    NTSTATUS status;
    PMMVAD vad;

    if (!MipIsCompatible(Protection, Section->Protection))
    {
        return STATUS_SECTION_PROTECTION;
    }
    if (*Offset >= Section->Size || size < *Size || offset + size < offset ||
        offset + size > ROUND_TO_PAGES(Section->Size))
    {
        return STATUS_INVALID_VIEW_SIZE;
    }
    pages = BYTES_TO_PAGES(size);
    charge = copies ? pages : 0;
    vad = MiAllocateVad(MiVadSection, 0, pages, Protection);
    if (vad == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!MiChargeCommit(charge))
    {
        MiFreeVad(vad);
        return STATUS_COMMITMENT_LIMIT;
    }
    vad->Maximum = (UCHAR)Section->Protection;
    vad->Charged = charge;
    vad->Inherit = Inherit;
    vad->Area = Section->Area;
    vad->FirstPage = offset >> PAGE_SHIFT;
    MiReferenceArea(Section->Area);
    MiLockSpace(Process);
    status = MipPlace(Process, vad, MI_PAGE(*Base), *Base != NULL, Highest, (AllocationType & MEM_TOP_DOWN) != 0);
    if (NT_SUCCESS(status))
    {
        Process->Space.CommittedBytes += charge << PAGE_SHIFT;
        *Base = MI_VA(vad->Start);
        *Size = pages << PAGE_SHIFT;
        *Offset = offset;
    }
    MiUnlockSpace(Process);
    if (!NT_SUCCESS(status))
    {
        MiReturnCommit(charge);
        MiDereferenceArea(Section->Area);
        MiFreeVad(vad);
    }
    return status;
}

NTSTATUS MiMapViewOfSection(PEPROCESS Process, MI_SECTION *Section, PVOID *Base, PSIZE_T Size, ULONG64 *Offset,
                            ULONG_PTR ZeroBits, ULONG AllocationType, ULONG Protect, BOOLEAN Inherit)
{
    ULONG protection = MiMakeProtection(Protect);
    ULONG_PTR highest =
        ZeroBits == 0 ? MI_HIGHEST_USER_PAGE : MI_PAGE(ZeroBits <= 53 ? MAXULONG_PTR >> ZeroBits : ZeroBits);

    if (protection == MI_INVALID_PROTECTION || (protection & ~MM_PROTECTION_BASE) != 0)
    {
        return STATUS_INVALID_PAGE_PROTECTION;
    }
    if (((ULONG_PTR)*Base & 0xFFFF) != 0)
    {
        return STATUS_MAPPED_ALIGNMENT;
    }
    if (Section->Attributes & SEC_IMAGE)
    {
        return MipMapImage(Process, Section, Base, Size, highest);
    }
    return MipMapData(Process, Section, Base, Size, Offset, highest, AllocationType, protection, Inherit);
}

NTSTATUS MmMapSection(PVOID Section, PVOID *Base, SIZE_T *Size, ULONG64 Offset, ULONG Protect)
{
    return MiMapViewOfSection(MiCurrentProcess(), Section, Base, Size, &Offset, 0, 0, Protect, FALSE);
}

NTSTATUS MiUnmapView(PEPROCESS Process, PVOID Base)
{
    NTSTATUS status = STATUS_NOT_MAPPED_VIEW;
    MI_CONTROL_AREA *area = NULL;
    PMMVAD vad = NULL;

    if ((ULONG_PTR)Base > (ULONG_PTR)MM_HIGHEST_USER)
    {
        return STATUS_NOT_MAPPED_VIEW;
    }
    MiLockSpace(Process);
    vad = Process->Space.Dead ? NULL : MiFindVad(MiSpace(Process), MI_PAGE(Base));
    if (vad != NULL && (vad->Type == MiVadSection || vad->Type == MiVadImage))
    {
        status = MiCheckSecured(vad, vad->Start, vad->End, MI_INVALID_PROTECTION);
    }
    if (NT_SUCCESS(status))
    {
        MiRemoveVad(MiSpace(Process), vad);
        MiDeleteUserRange(Process, vad->Start, vad->End, 0);
        MiFreeUserTables(Process, vad->Start, vad->End);
        Process->Space.CommittedBytes -= vad->Charged << PAGE_SHIFT;
        MiReturnCommit(vad->Charged);
        area = vad->Area;
    }
    MiUnlockSpace(Process);
    if (area != NULL)
    {
        MiDereferenceArea(area);
        MiFreeVad(vad);
    }
    return status;
}

/* ---- services ---- */

static ACCESS_MASK MipAccessFor(ULONG Protect)
{
    ULONG protection = MiMakeProtection(Protect);
    ULONG base = protection & MM_PROTECTION_BASE;
    ACCESS_MASK access = base == MM_READWRITE || base == MM_EXECUTE_READWRITE ? SECTION_MAP_WRITE : SECTION_MAP_READ;

    return protection != MI_INVALID_PROTECTION && MiAllowsExecute(base) ? access | SECTION_MAP_EXECUTE : access;
}

/**
 * Maps a view of a section into a process. STATUS_IMAGE_NOT_AT_BASE is a success: the image wants relocation.
 */
NTSTATUS NTAPI NtMapViewOfSection(_In_ HANDLE SectionHandle, _In_ HANDLE ProcessHandle, _Inout_ PVOID *BaseAddress,
                                  _In_ ULONG_PTR ZeroBits, _In_ SIZE_T CommitSize,
                                  _Inout_opt_ PLARGE_INTEGER SectionOffset, _Inout_ PSIZE_T ViewSize,
                                  _In_ SECTION_INHERIT InheritDisposition, _In_ ULONG AllocationType,
                                  _In_ ULONG Win32Protect)
{
    KPROCESSOR_MODE mode = ExGetPreviousMode();
    MI_SECTION *section;
    PEPROCESS process;
    ULONG64 offset = 0;
    SIZE_T size;
    PVOID base;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(CommitSize); /* sections are committed when they are created */
    if ((InheritDisposition != ViewShare && InheritDisposition != ViewUnmap) ||
        (AllocationType & ~(MEM_TOP_DOWN | MEM_RESERVE)) != 0)
    {
        return InheritDisposition != ViewShare && InheritDisposition != ViewUnmap ? STATUS_INVALID_PARAMETER_8
                                                                                  : STATUS_INVALID_PARAMETER_9;
    }
    if (ZeroBits > 53 && ZeroBits < 0x10000)
    {
        return STATUS_INVALID_PARAMETER_4;
    }
    __try
    {
        if (mode != KernelMode)
        {
            ProbeForWrite(BaseAddress, sizeof(*BaseAddress), sizeof(PVOID));
            ProbeForWrite(ViewSize, sizeof(*ViewSize), sizeof(SIZE_T));
            if (SectionOffset != NULL)
            {
                ProbeForWrite(SectionOffset, sizeof(*SectionOffset), sizeof(ULONG));
            }
        }
        base = *(volatile PVOID *)BaseAddress;
        size = *(volatile SIZE_T *)ViewSize;
        offset = SectionOffset != NULL ? *(volatile ULONG64 *)&SectionOffset->QuadPart : 0;
    }
    __except (EXCEPTION_EXECUTE_HANDLER)
    {
        return GetExceptionCode();
    }
    if ((ULONG_PTR)base > (ULONG_PTR)MM_HIGHEST_USER)
    {
        return STATUS_INVALID_PARAMETER_3;
    }
    if (size > (ULONG_PTR)MM_HIGHEST_USER)
    {
        return STATUS_INVALID_VIEW_SIZE;
    }
    status = MiReferenceProcess(ProcessHandle, PROCESS_VM_OPERATION, &process);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    status = ObReferenceObjectByHandle(SectionHandle, MipAccessFor(Win32Protect), MmSectionObjectType, mode,
                                       (PVOID *)&section, NULL);
    if (NT_SUCCESS(status))
    {
        status = MiMapViewOfSection(process, section, &base, &size, &offset, ZeroBits, AllocationType, Win32Protect,
                                    InheritDisposition == ViewShare);
        if (NT_SUCCESS(status) && section->Area->Type == MiAreaImage)
        {
            PsReportMappedImage(process, section->Area->File, base, size);
        }
        ObDereferenceObject(section);
    }
    ObDereferenceObject(process);
    if (NT_SUCCESS(status))
    {
        __try
        {
            *BaseAddress = base;
            *ViewSize = size;
            if (SectionOffset != NULL)
            {
                SectionOffset->QuadPart = (LONG64)offset;
            }
        }
        __except (EXCEPTION_EXECUTE_HANDLER)
        {
        }
    }
    return status;
}

/** Unmaps the view that holds an address; STATUS_NOT_MAPPED_VIEW if none does. */
NTSTATUS NTAPI NtUnmapViewOfSection(_In_ HANDLE ProcessHandle, _In_opt_ PVOID BaseAddress)
{
    PEPROCESS process;
    NTSTATUS status = MiReferenceProcess(ProcessHandle, PROCESS_VM_OPERATION, &process);

    if (NT_SUCCESS(status))
    {
        status = MiUnmapView(process, BaseAddress);
        ObDereferenceObject(process);
    }
    return status;
}

/** NtUnmapViewOfSection for kernel callers. IRQL <= APC_LEVEL. */
NTSTATUS NTAPI MmUnmapViewOfSection(_In_ PEPROCESS Process, _In_ PVOID BaseAddress)
{
    return MiUnmapView(Process, BaseAddress);
}

/** NtMapViewOfSection for kernel callers, with the section object. IRQL <= APC_LEVEL. */
NTSTATUS NTAPI MmMapViewOfSection(_In_ PVOID SectionToMap, _In_ PEPROCESS Process, _Inout_ PVOID *CapturedBase,
                                  _In_ ULONG_PTR ZeroBits, _In_ SIZE_T CommitSize, _Inout_ PLARGE_INTEGER SectionOffset,
                                  _Inout_ PSIZE_T CapturedViewSize, _In_ SECTION_INHERIT InheritDisposition,
                                  _In_ ULONG AllocationType, _In_ ULONG Protect)
{
    ULONG64 offset = (ULONG64)SectionOffset->QuadPart;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(CommitSize);
    status = MiMapViewOfSection(Process, SectionToMap, CapturedBase, CapturedViewSize, &offset, ZeroBits,
                                AllocationType, Protect, InheritDisposition == ViewShare);
    if (NT_SUCCESS(status))
    {
        SectionOffset->QuadPart = (LONG64)offset;
    }
    return status;
}

/* ---- system space ---- */

/**
 * Maps a page-file or file section into the kernel, read-write for the former; its pages are resident meanwhile.
 *
 * @param ViewSize  in: bytes from the section's start, 0: all; out: what is mapped
 * @return STATUS_INVALID_VIEW_SIZE, STATUS_NOT_SUPPORTED (images), STATUS_NO_MEMORY
 * IRQL <= APC_LEVEL. Undone by MmUnmapViewInSystemSpace.
 */
NTSTATUS NTAPI MmMapViewInSystemSpace(_In_ PVOID Section, _Outptr_ PVOID *MappedBase, _Inout_ PSIZE_T ViewSize)
{
    MI_SECTION *section = Section;
    SIZE_T size = *ViewSize != 0 ? *ViewSize : section->Size;
    ULONG pages = (ULONG)BYTES_TO_PAGES(size);
    ULONG64 bits = MI_PTE_KERNEL;
    ULONG index, mapped;

    if (section->Area->Type == MiAreaImage)
    {
        return STATUS_NOT_SUPPORTED;
    }
    if (size > section->Size)
    {
        return STATUS_INVALID_VIEW_SIZE;
    }
    if (section->Protection != MM_READWRITE && section->Protection != MM_EXECUTE_READWRITE)
    {
        bits &= ~(MI_PTE_WRITE | MI_PTE_DIRTY);
    }
    index = MiReserveRange(&MiSystemPtes, pages, 2);
    if (index == 0)
    {
        return STATUS_NO_MEMORY;
    }
    for (mapped = 0; mapped < pages; mapped++)
    {
        PFN_NUMBER pfn;
        if (!NT_SUCCESS(MiGetSectionPage(section->Area, mapped, &pfn)))
        {
            break;
        }
        *MiRegionPte(&MiSystemPtes, index + mapped) = (pfn << PAGE_SHIFT) | bits;
    }
    if (mapped < pages)
    {
        while (mapped != 0)
        {
            MiReleasePage(MI_PTE_PFN(*MiRegionPte(&MiSystemPtes, index + --mapped)));
            *MiRegionPte(&MiSystemPtes, index + mapped) = 0;
        }
        MiReturnRange(&MiSystemPtes, index, pages, 2);
        return STATUS_NO_MEMORY;
    }
    MiReferenceArea(section->Area);
    *MiRegionPte(&MiSystemPtes, index - 1) = MiMakeRecord(MiRecordSectionView, pages, 0);
    /* The second record is the area's address moved up by 4: not valid, of no record kind; moving back extends the
       sign. */
    *MiRegionPte(&MiSystemPtes, index - 2) = (ULONG64)section->Area << 4;
    *MappedBase = MiRegionVa(&MiSystemPtes, index);
    *ViewSize = (SIZE_T)pages << PAGE_SHIFT;
    return STATUS_SUCCESS;
}

/** Undoes MmMapViewInSystemSpace; STATUS_NOT_MAPPED_VIEW. IRQL <= APC_LEVEL. */
NTSTATUS NTAPI MmUnmapViewInSystemSpace(_In_ PVOID MappedBase)
{
    ULONG64 record = MiFindRecord(&MiSystemPtes, (ULONG_PTR)MappedBase);
    ULONG index = MiRegionIndex(&MiSystemPtes, (ULONG_PTR)MappedBase);
    ULONG pages = MiRecordPages(record);
    MI_CONTROL_AREA *area;

    if (MiRecordKind(record) != MiRecordSectionView)
    {
        return STATUS_NOT_MAPPED_VIEW;
    }
    area = (MI_CONTROL_AREA *)((LONG64)*MiRegionPte(&MiSystemPtes, index - 2) >> 4);
    *MiRegionPte(&MiSystemPtes, index - 2) = 0;
    MiFreeMapped(&MiSystemPtes, MappedBase, pages); /* drops the references of the entries */
    MiReturnRange(&MiSystemPtes, index - 1, 0, 1);
    MiDereferenceArea(area);
    return STATUS_SUCCESS;
}
