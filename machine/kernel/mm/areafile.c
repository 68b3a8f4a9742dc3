/* SPDX-License-Identifier: MIT */
/*
 * Control areas filled from files: images, and read-only copies of data.
 */
#include "mmp.h"
#include "io.h"
#include "pe.h"

#define MI_FILE_TAG 'iFmM'
#define MI_LARGEST_FILE (1ULL << 30)

#ifndef STATUS_INVALID_IMAGE_WIN_32
#define STATUS_INVALID_IMAGE_WIN_32 ((NTSTATUS)0xC0000359L)
#endif

static NTSTATUS MipStatusOf(PE_ERROR Error, const VOID *File, SIZE_T Size)
{
    switch (Error)
    {
    case PeNotPe:
        return Size < 2 || ((const UCHAR *)File)[0] != 'M' || ((const UCHAR *)File)[1] != 'Z'
                   ? STATUS_INVALID_IMAGE_NOT_MZ
                   : STATUS_INVALID_IMAGE_FORMAT;
    case Pe32Bit:
        return STATUS_INVALID_IMAGE_WIN_32;
    case PeTooLarge:
        return STATUS_SECTION_TOO_BIG;
    default:
        return STATUS_INVALID_IMAGE_FORMAT;
    }
}

/* Copies bytes into the area's pages, making those that are not there yet. The area is not public. */
static NTSTATUS MipFill(MI_CONTROL_AREA *Area, ULONG64 Offset, const UCHAR *Bytes, SIZE_T Size)
{
    while (Size != 0)
    {
        SIZE_T now = min(Size, PAGE_SIZE - (SIZE_T)(Offset & (PAGE_SIZE - 1)));
        PFN_NUMBER pfn;
        NTSTATUS status;

        for (ULONG attempt = 0;; attempt++)
        {
            status = MiGetSectionPage(Area, Offset >> PAGE_SHIFT, &pfn);
            if (status != STATUS_NO_MEMORY || attempt == 100)
            {
                break;
            }
            MiWaitForPages();
        }
        if (!NT_SUCCESS(status))
        {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        RtlCopyMemory((PUCHAR)MiPfnToVirtual(pfn) + (Offset & (PAGE_SIZE - 1)), Bytes, now);
        MiReleasePage(pfn);
        Offset += now;
        Bytes += now;
        Size -= now;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS MipReadFile(PFILE_OBJECT File, PVOID *Bytes, PSIZE_T Size)
{
    ULONG64 size;
    SIZE_T read = 0;
    PVOID bytes;
    NTSTATUS status = IoQueryFileObjectSize(File, &size);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (size == 0)
    {
        return STATUS_MAPPED_FILE_SIZE_ZERO;
    }
    if (size > MI_LARGEST_FILE)
    {
        return STATUS_SECTION_TOO_BIG;
    }
    bytes = ExAllocatePoolWithTag(PagedPool, size, MI_FILE_TAG);
    if (bytes == NULL)
    {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    status = IoReadFileObject(File, 0, bytes, size, &read);
    if (NT_SUCCESS(status) && read != size)
    {
        status = STATUS_END_OF_FILE;
    }
    if (!NT_SUCCESS(status))
    {
        ExFreePoolWithTag(bytes, MI_FILE_TAG);
        return status;
    }
    *Bytes = bytes;
    *Size = size;
    return STATUS_SUCCESS;
}

static UCHAR MipSectionProtection(ULONG Characteristics)
{
    BOOLEAN execute = (Characteristics & PE_SECTION_EXECUTE) != 0;

    if (Characteristics & PE_SECTION_WRITE)
    {
        if (Characteristics & PE_SECTION_SHARED)
        {
            return execute ? MM_EXECUTE_READWRITE : MM_READWRITE;
        }
        return execute ? MM_EXECUTE_WRITECOPY : MM_WRITECOPY;
    }
    if (execute)
    {
        return (Characteristics & PE_SECTION_READ) ? MM_EXECUTE_READ : MM_EXECUTE;
    }
    return (Characteristics & PE_SECTION_READ) ? MM_READONLY : MM_ZERO_ACCESS;
}

static NTSTATUS MipFillImage(MI_CONTROL_AREA *Area, const PE_IMAGE *Pe, const UCHAR *Bytes, SIZE_T Size)
{
    NTSTATUS status = MipFill(Area, 0, Bytes, min(Pe->SizeOfHeaders, Size));
    PE_SECTION section;

    RtlFillMemory(Area->Protections, Area->Pages, MM_READONLY); /* headers, and whatever lies between sections */
    for (unsigned i = 0; NT_SUCCESS(status) && PeSection(Pe, i, &section) == PeOk; i++)
    {
        ULONG64 end = min((ULONG64)section.Rva + section.Extent, Area->Pages << PAGE_SHIFT);
        if ((ULONG64)section.RawOffset + section.RawSize > Size ||
            (ULONG64)section.Rva + section.RawSize > Area->Pages << PAGE_SHIFT)
        {
            return STATUS_INVALID_IMAGE_FORMAT;
        }
        Area->ContainsCode |= (section.Characteristics & (PE_SECTION_CODE | PE_SECTION_EXECUTE)) != 0;
        for (ULONG64 page = section.Rva >> PAGE_SHIFT; page << PAGE_SHIFT < end; page++)
        {
            Area->Protections[page] = MipSectionProtection(section.Characteristics);
        }
        status = MipFill(Area, section.Rva, Bytes + section.RawOffset, section.RawSize);
    }
    return status;
}

static NTSTATUS MipMakeImage(PFILE_OBJECT File, const UCHAR *Bytes, SIZE_T Size, MI_CONTROL_AREA **Area)
{
    MI_CONTROL_AREA *area = NULL;
    PE_IMAGE pe;
    PE_ERROR error = PeOpenFile(&pe, Bytes, Size);
    NTSTATUS status;

    if (error != PeOk)
    {
        return MipStatusOf(error, Bytes, Size);
    }
    status = MiCreateArea(MiAreaImage, BYTES_TO_PAGES((ULONG64)pe.SizeOfImage), &area);
    if (!NT_SUCCESS(status))
    {
        return status;
    }
    area->Protections = ExAllocatePoolWithTag(NonPagedPoolNx, area->Pages, MI_FILE_TAG);
    status = area->Protections != NULL ? MipFillImage(area, &pe, Bytes, Size) : STATUS_INSUFFICIENT_RESOURCES;
    if (!NT_SUCCESS(status))
    {
        MiDereferenceArea(area);
        return status;
    }
    area->Image.PreferredBase = (PVOID)pe.ImageBase;
    area->Image.Size = area->Pages << PAGE_SHIFT;
    area->Image.EntryPoint = pe.EntryPoint;
    area->Image.StackReserve = pe.StackReserve;
    area->Image.StackCommit = pe.StackCommit;
    area->Image.Subsystem = pe.Subsystem;
    area->Image.DllCharacteristics = pe.DllCharacteristics;
    area->Image.Characteristics = pe.Characteristics;
    area->ImageVersion[0] = pe.MajorSubsystemVersion;
    area->ImageVersion[1] = pe.MinorSubsystemVersion;
    area->FileSize = (ULONG)Size;
    area->CheckSum = pe.CheckSum;
    ObReferenceObject(File);
    area->File = File;
    *Area = area;
    return STATUS_SUCCESS;
}

/**
 * The image area of a file: the one that is mapped already, or a new one.
 */
NTSTATUS MiCreateImageArea(PFILE_OBJECT File, MI_CONTROL_AREA **Area)
{
    PSECTION_OBJECT_POINTERS pointers = File->SectionObjectPointer;
    PVOID bytes;
    SIZE_T size;
    NTSTATUS status;

    for (;;)
    {
        if (pointers != NULL && (*Area = MiFindImageArea(pointers)) != NULL)
        {
            return STATUS_SUCCESS;
        }
        status = MipReadFile(File, &bytes, &size);
        if (!NT_SUCCESS(status))
        {
            return status == STATUS_MAPPED_FILE_SIZE_ZERO ? STATUS_INVALID_FILE_FOR_SECTION : status;
        }
        status = MipMakeImage(File, bytes, size, Area);
        ExFreePoolWithTag(bytes, MI_FILE_TAG);
        if (!NT_SUCCESS(status) || pointers == NULL || MiPublishImageArea(pointers, *Area))
        {
            return status;
        }
        MiDereferenceArea(*Area); /* another thread made the same one meanwhile: use that */
    }
}

/**
 * A copy of a file's bytes as they are now. Views of it cannot be written to (but for private copies), so the one thing
 * in which it differs from a view of the file is that later changes of the file do not show.
 *
 * @param Size  in: bytes wanted, 0 for the file's size; out: the section's size
 */
NTSTATUS MiCreateFileArea(PFILE_OBJECT File, ULONG64 *Size, MI_CONTROL_AREA **Area)
{
    MI_CONTROL_AREA *area;
    PVOID bytes;
    SIZE_T size;
    NTSTATUS status = MipReadFile(File, &bytes, &size);

    if (!NT_SUCCESS(status))
    {
        return status;
    }
    if (*Size > size)
    {
        ExFreePoolWithTag(bytes, MI_FILE_TAG);
        return STATUS_SECTION_TOO_BIG; /* a section that only reads cannot extend the file */
    }
    *Size = *Size != 0 ? *Size : size;
    status = MiCreateArea(MiAreaFileCopy, BYTES_TO_PAGES(*Size), &area);
    if (NT_SUCCESS(status))
    {
        status = MipFill(area, 0, bytes, min(size, area->Pages << PAGE_SHIFT));
        if (NT_SUCCESS(status))
        {
            ObReferenceObject(File);
            area->File = File;
            *Area = area;
        }
        else
        {
            MiDereferenceArea(area);
        }
    }
    ExFreePoolWithTag(bytes, MI_FILE_TAG);
    return status;
}
