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
