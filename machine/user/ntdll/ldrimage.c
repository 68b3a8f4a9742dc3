/* SPDX-License-Identifier: MIT */
/*
 * A mapped image's headers, relocations and exports, over the parser of machine/common/pe.h, which
 * takes nothing in an image for granted. Page protections are changed here and put back.
 */
#include "ntdllp.h"

static NTSTATUS LdrpStatusOf(PE_ERROR Error)
{
    switch (Error)
    {
    case PeOk:
        return STATUS_SUCCESS;
    case PeNoRelocations:
        return STATUS_CONFLICTING_ADDRESSES;
    case PeTooLarge:
        return STATUS_NO_MEMORY;
    default:
        return STATUS_INVALID_IMAGE_FORMAT;
    }
}

/** Checks the headers of a mapped module and fills Image and the entry's copies of them. */
NTSTATUS LdrpOpenImage(PLDRP_MODULE Module)
{
    PIMAGE_NT_HEADERS headers = RtlImageNtHeader(Module->Entry.DllBase);
    if (headers == NULL)
    {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    PE_ERROR error = PeOpenMapped(&Module->Image, Module->Entry.DllBase, headers->OptionalHeader.SizeOfImage);
    if (error != PeOk)
    {
        return LdrpStatusOf(error);
    }
    Module->Entry.SizeOfImage = Module->Image.SizeOfImage;
    Module->Entry.TimeDateStamp = Module->Image.TimeDateStamp;
    if (Module->Image.EntryPoint != 0)
    {
        Module->Entry.EntryPoint = (PUCHAR)Module->Entry.DllBase + Module->Image.EntryPoint;
    }
    if (Module->Image.Characteristics & PE_FILE_DLL)
    {
        Module->Entry.Flags |= LDRP_IMAGE_DLL;
    }
    return STATUS_SUCCESS;
}

NTSTATUS LdrpMakeWritable(PVOID Base, SIZE_T Size, PULONG OldProtect)
{
    return NtProtectVirtualMemory(NtCurrentProcess(), &Base, &Size, PAGE_READWRITE, OldProtect);
}

VOID LdrpRestoreProtection(PVOID Base, SIZE_T Size, ULONG OldProtect)
{
    NtProtectVirtualMemory(NtCurrentProcess(), &Base, &Size, OldProtect, &OldProtect);
}

/** TRUE if the section at Rva is mapped writable anyway. */
BOOLEAN LdrpIsWritable(PLDRP_MODULE Module, ULONG Rva)
{
    PE_SECTION section;
    return PeSectionFor(&Module->Image, Rva, &section) == PeOk && (section.Characteristics & PE_SECTION_WRITE);
}

/* Opens (Writable) or closes the sections that are not writable by themselves; the header counts as one. */
static NTSTATUS LdrpProtectSections(PLDRP_MODULE Module, PULONG Old, PULONG Changed, BOOLEAN Writable)
{
    PE_SECTION section;
    NTSTATUS status = STATUS_SUCCESS;
    PUCHAR base = Module->Entry.DllBase;

    for (ULONG i = 0; i <= Module->Image.SectionCount && NT_SUCCESS(status); i++)
    {
        PVOID start = base;
        SIZE_T size = Module->Image.SizeOfHeaders;
        if (i != 0)
        {
            if (PeSection(&Module->Image, i - 1, &section) != PeOk || (section.Characteristics & PE_SECTION_WRITE))
            {
                continue;
            }
            start = base + section.Rva;
            size = section.Extent;
        }
        if (Writable)
        {
            status = LdrpMakeWritable(start, size, &Old[i]);
            *Changed = NT_SUCCESS(status) ? i + 1 : i;
        }
        else if (i < *Changed)
        {
            LdrpRestoreProtection(start, size, Old[i]);
        }
    }
    return status;
}

/**
 * Adjusts an image that does not lie where its header says. No page is writable and executable at any
 * time; afterwards all have the protection they came with.
 *
 * @return STATUS_CONFLICTING_ADDRESSES if the image can't be moved
 */
NTSTATUS LdrpRelocateImage(PLDRP_MODULE Module)
{
    ULONG old[PE_MAX_SECTIONS + 1];
    ULONG changed = 0;
    ULONG64 base = (ULONG64)Module->Entry.DllBase;

    if (Module->Image.ImageBase == base)
    {
        return STATUS_SUCCESS;
    }
    Module->Entry.Flags |= LDRP_IMAGE_NOT_AT_BASE;
    NTSTATUS status = LdrpProtectSections(Module, old, &changed, TRUE);
    if (NT_SUCCESS(status))
    {
        status = LdrpStatusOf(PeRelocate(&Module->Image, base));
    }
    LdrpProtectSections(Module, old, &changed, FALSE);
    NtFlushInstructionCache(NtCurrentProcess(), Module->Entry.DllBase, Module->Entry.SizeOfImage);
    return status;
}

/**
 * Looks up an export of one module.
 *
 * @param Name       NULL: by Ordinal
 * @param Address    receives the address, or NULL if the export is forwarded
 * @param Forwarder  receives "DLL.Name" or "DLL.#Ordinal" inside the image, or NULL
 * @return STATUS_ENTRYPOINT_NOT_FOUND, STATUS_ORDINAL_NOT_FOUND, STATUS_INVALID_IMAGE_FORMAT
 */
NTSTATUS LdrpFindExport(PLDRP_MODULE Module, PCSTR Name, ULONG Ordinal, PVOID *Address, PCSTR *Forwarder)
{
    PE_EXPORT export;
    PE_ERROR error = Name != NULL ? PeFindExport(&Module->Image, Name, &export)
                                  : PeFindExportByOrdinal(&Module->Image, Ordinal, &export);
    if (error == PeEnd)
    {
        return Name != NULL ? STATUS_ENTRYPOINT_NOT_FOUND : STATUS_ORDINAL_NOT_FOUND;
    }
    if (error != PeOk)
    {
        return STATUS_INVALID_IMAGE_FORMAT;
    }
    *Forwarder = export.Forwarder;
    *Address = export.Forwarder == NULL ? (PUCHAR)Module->Entry.DllBase + export.Rva : NULL;
    return STATUS_SUCCESS;
}

/** The NT headers of a mapped image, or NULL if Base does not start with a DOS and a PE signature. */
PIMAGE_NT_HEADERS NTAPI RtlImageNtHeader(PVOID Base)
{
    PIMAGE_DOS_HEADER dos = Base;
    if (Base == NULL || dos->e_magic != IMAGE_DOS_SIGNATURE || dos->e_lfanew < 0 || dos->e_lfanew >= 0x10000000)
    {
        return NULL;
    }
    PIMAGE_NT_HEADERS headers = (PIMAGE_NT_HEADERS)((PUCHAR)Base + dos->e_lfanew);
    return headers->Signature == IMAGE_NT_SIGNATURE ? headers : NULL;
}

/**
 * The address and size of a data directory of an image in memory.
 *
 * @param Base           bit 0 set: the bytes of a file, as MappedAsImage FALSE
 * @return NULL if the image has no such directory
 */
PVOID NTAPI RtlImageDirectoryEntryToData(PVOID Base, BOOLEAN MappedAsImage, USHORT Entry, PULONG Size)
{
    if ((ULONG_PTR)Base & 1)
    {
        Base = (PVOID)((ULONG_PTR)Base & ~(ULONG_PTR)1);
        MappedAsImage = FALSE;
    }
    PIMAGE_NT_HEADERS headers = RtlImageNtHeader(Base);
    *Size = 0;
    if (headers == NULL || headers->OptionalHeader.Magic != IMAGE_NT_OPTIONAL_HDR64_MAGIC ||
        Entry >= headers->OptionalHeader.NumberOfRvaAndSizes || Entry >= IMAGE_NUMBEROF_DIRECTORY_ENTRIES)
    {
        return NULL;
    }
    ULONG rva = headers->OptionalHeader.DataDirectory[Entry].VirtualAddress;
    if (rva == 0)
    {
        return NULL;
    }
    *Size = headers->OptionalHeader.DataDirectory[Entry].Size;
    if (MappedAsImage || rva < headers->OptionalHeader.SizeOfHeaders)
    {
        return (PUCHAR)Base + rva;
    }
    PIMAGE_SECTION_HEADER section = IMAGE_FIRST_SECTION(headers);
    for (ULONG i = 0; i < headers->FileHeader.NumberOfSections; i++, section++)
    {
        if (rva >= section->VirtualAddress && rva - section->VirtualAddress < section->SizeOfRawData)
        {
            return (PUCHAR)Base + section->PointerToRawData + (rva - section->VirtualAddress);
        }
    }
    return NULL;
}
