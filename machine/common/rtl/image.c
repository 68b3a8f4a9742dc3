/* SPDX-License-Identifier: MIT */
/*
 * Looking into PE images, PE32 and PE64 alike.
 *
 * These are NT's own routines, for images that are loaded or known to be whole. For files from elsewhere use pe.h.
 */
#include "rtlp.h"
#include "rtlmore.h"

#define RTLP_OPTIONAL_HDR32_MAGIC 0x10B
#define RTLP_MAX_HEADER_OFFSET 0x10000000

#ifndef RTL_IMAGE_NT_HEADER_EX_FLAG_NO_RANGE_CHECK
#define RTL_IMAGE_NT_HEADER_EX_FLAG_NO_RANGE_CHECK 0x1
#endif

/**
 * Finds the NT headers of an image.
 *
 * @param Flags    RTL_IMAGE_NT_HEADER_EX_FLAG_NO_RANGE_CHECK: Size is ignored
 * @param Base     first byte of the image
 * @param Size     bytes that may be read from there
 * @param Headers  receives the headers' address
 * @return STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_INVALID_IMAGE_FORMAT
 */
NTSTATUS NTAPI RtlImageNtHeaderEx(_In_ ULONG Flags, _In_ PVOID Base, _In_ ULONG64 Size,
                                  _Out_ PIMAGE_NT_HEADERS *Headers)
{
    BOOLEAN Check = (Flags & RTL_IMAGE_NT_HEADER_EX_FLAG_NO_RANGE_CHECK) == 0;
    PIMAGE_DOS_HEADER Dos = Base;
    PIMAGE_NT_HEADERS Nt;
    ULONG Offset;

    if (Headers == NULL)
    {
        return STATUS_INVALID_PARAMETER;
    }

    *Headers = NULL;
    if ((Flags & ~(ULONG)RTL_IMAGE_NT_HEADER_EX_FLAG_NO_RANGE_CHECK) != 0 || Base == NULL ||
        Base == (PVOID)(LONG_PTR)-1)
    {
        return STATUS_INVALID_PARAMETER;
    }

    if ((Check && Size < sizeof(*Dos)) || Dos->e_magic != IMAGE_DOS_SIGNATURE)
    {
        return STATUS_INVALID_IMAGE_FORMAT;
    }

    Offset = (ULONG)Dos->e_lfanew;
    if (Offset >= RTLP_MAX_HEADER_OFFSET || (Offset & 3) != 0 ||
        (Check && (Offset >= Size || Size - Offset < sizeof(ULONG) + sizeof(IMAGE_FILE_HEADER))))
    {
        return STATUS_INVALID_IMAGE_FORMAT;
    }

    Nt = (PIMAGE_NT_HEADERS)((PUCHAR)Base + Offset);
    if (Nt->Signature != IMAGE_NT_SIGNATURE)
    {
        return STATUS_INVALID_IMAGE_FORMAT;
    }

    *Headers = Nt;
    return STATUS_SUCCESS;
}

/**
 * Finds the NT headers of a loaded image; NULL if Base is none.
 */
PIMAGE_NT_HEADERS NTAPI RtlImageNtHeader(_In_ PVOID Base)
{
    PIMAGE_NT_HEADERS Headers;

    RtlImageNtHeaderEx(RTL_IMAGE_NT_HEADER_EX_FLAG_NO_RANGE_CHECK, Base, 0, &Headers);
    return Headers;
}

/* The section that holds an RVA, or NULL. */
static PIMAGE_SECTION_HEADER RtlpFindSection(PIMAGE_NT_HEADERS Nt, ULONG Rva)
{
    PIMAGE_SECTION_HEADER Section =
        (PIMAGE_SECTION_HEADER)((PUCHAR)&Nt->OptionalHeader + Nt->FileHeader.SizeOfOptionalHeader);
    ULONG Index;

    for (Index = 0; Index < Nt->FileHeader.NumberOfSections; Index += 1, Section += 1)
    {
        if (Rva >= Section->VirtualAddress && Rva - Section->VirtualAddress < Section->SizeOfRawData)
        {
            return Section;
        }
    }

    return NULL;
}

/**
 * Finds the data of a directory entry.
 *
 * @param Base            first byte of the image; bit 0 set means that it is a plain file mapping
 * @param MappedAsImage   FALSE: sections lie at their file offsets
 * @param DirectoryEntry  IMAGE_DIRECTORY_ENTRY_...
 * @param Size            receives the size in bytes
 * @return the data, or NULL
 */
PVOID NTAPI RtlImageDirectoryEntryToData(_In_ PVOID Base, _In_ BOOLEAN MappedAsImage, _In_ USHORT DirectoryEntry,
                                         _Out_ PULONG Size)
{
    PIMAGE_NT_HEADERS Nt;
    PIMAGE_SECTION_HEADER Section;
    PIMAGE_DATA_DIRECTORY Directory;
    ULONG Offset;
    ULONG Count;
    ULONG Rva;

    *Size = 0;
    if (((ULONG_PTR)Base & 1) != 0)
    {
        Base = (PVOID)((ULONG_PTR)Base & ~(ULONG_PTR)1);
        MappedAsImage = FALSE;
    }

    Nt = RtlImageNtHeader(Base);
    if (Nt == NULL)
    {
        return NULL;
    }

    /* The two formats differ in where the directories begin; the count stands right before them. */
    if (Nt->OptionalHeader.Magic == IMAGE_NT_OPTIONAL_HDR64_MAGIC)
    {
        Offset = FIELD_OFFSET(IMAGE_OPTIONAL_HEADER64, DataDirectory);
    }
    else if (Nt->OptionalHeader.Magic == RTLP_OPTIONAL_HDR32_MAGIC)
    {
        Offset = 96;
    }
    else
    {
        return NULL;
    }

    RtlpCopy(&Count, (PUCHAR)&Nt->OptionalHeader + Offset - sizeof(ULONG), sizeof(Count));
    if (DirectoryEntry >= min(Count, (ULONG)IMAGE_NUMBEROF_DIRECTORY_ENTRIES))
    {
        return NULL;
    }

    Directory = (PIMAGE_DATA_DIRECTORY)((PUCHAR)&Nt->OptionalHeader + Offset) + DirectoryEntry;
    Rva = Directory->VirtualAddress;
    if (Rva == 0)
    {
        return NULL;
    }

    *Size = Directory->Size;
    if (MappedAsImage || Rva < Nt->OptionalHeader.SizeOfHeaders)
    {
        return (PUCHAR)Base + Rva;
    }

    Section = RtlpFindSection(Nt, Rva);
    return Section != NULL ? (PUCHAR)Base + (Rva - Section->VirtualAddress) + Section->PointerToRawData : NULL;
}

/**
 * Finds the section header that holds an RVA; NULL if none does.
 */
PIMAGE_SECTION_HEADER NTAPI RtlImageRvaToSection(_In_ PIMAGE_NT_HEADERS NtHeaders, _In_ PVOID Base, _In_ ULONG Rva)
{
    UNREFERENCED_PARAMETER(Base);
    return RtlpFindSection(NtHeaders, Rva);
}

/**
 * Translates an RVA to an address in a plain file mapping.
 *
 * @param LastRvaSection  optional: the section found last, looked at first and updated
 */
PVOID NTAPI RtlImageRvaToVa(_In_ PIMAGE_NT_HEADERS NtHeaders, _In_ PVOID Base, _In_ ULONG Rva,
                            _Inout_opt_ PIMAGE_SECTION_HEADER *LastRvaSection)
{
    PIMAGE_SECTION_HEADER Section = LastRvaSection != NULL ? *LastRvaSection : NULL;

    if (Section == NULL || Rva < Section->VirtualAddress || Rva - Section->VirtualAddress >= Section->SizeOfRawData)
    {
        Section = RtlpFindSection(NtHeaders, Rva);
        if (Section == NULL)
        {
            return NULL;
        }

        if (LastRvaSection != NULL)
        {
            *LastRvaSection = Section;
        }
    }

    return (PUCHAR)Base + (Rva - Section->VirtualAddress) + Section->PointerToRawData;
}
