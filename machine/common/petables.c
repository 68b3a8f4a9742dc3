/* SPDX-License-Identifier: MIT */
/* PE64 images for x64: relocations, exports and imports. See pe.h. */
#include "pep.h"

#include <string.h>

#define EXPORT_DIRECTORY_SIZE 40u
#define IMPORT_DESCRIPTOR_SIZE 20u
#define IMPORT_BY_ORDINAL (1ull << 63)
#define RELOCATION_ABSOLUTE 0u
#define RELOCATION_DIR64 10u

/* A table of Count entries of EntrySize bytes. */
static const uint8_t *PepTable(const PE_IMAGE *Image, uint32_t Rva, uint32_t Count, uint32_t EntrySize)
{
    return (uint64_t)Count * EntrySize > PE_MAX_IMAGE_SIZE ? NULL : PeAt(Image, Rva, Count * EntrySize);
}

/* Entry Index of a table that begins at Rva, without overflow. */
static const uint8_t *PepEntry(const PE_IMAGE *Image, uint32_t Rva, uint32_t Index, uint32_t EntrySize)
{
    uint64_t rva = Rva + (uint64_t)Index * EntrySize;

    return rva >= Image->SizeOfImage ? NULL : PeAt(Image, (uint32_t)rva, EntrySize);
}

/* One block: the entries of one page. */
static PE_ERROR PepRelocateBlock(const PE_IMAGE *Image, uint32_t PageRva, uint32_t EntriesRva, uint32_t Count,
                                 uint64_t Delta)
{
    const uint8_t *entries = PepTable(Image, EntriesRva, Count, 2);

    if (Count != 0 && entries == NULL)
    {
        return PeBadRelocation;
    }
    for (uint32_t i = 0; i < Count; i++)
    {
        uint16_t entry = PepRead16(entries + 2 * i);
        uint64_t rva = (uint64_t)PageRva + (entry & 0xFFF);
        uint8_t *target;
        uint64_t value;

        if (entry >> 12 == RELOCATION_ABSOLUTE)
        {
            continue; /* padding */
        }
        if (entry >> 12 != RELOCATION_DIR64 || rva >= Image->SizeOfImage)
        {
            return PeBadRelocation;
        }
        target = PeAt(Image, (uint32_t)rva, 8);
        if (target == NULL)
        {
            return PeBadRelocation;
        }
        value = PepRead64(target) + Delta;
        memcpy(target, &value, sizeof(value));
    }
    return PeOk;
}

PE_ERROR PeRelocate(PE_IMAGE *Image, uint64_t NewBase)
{
    uint64_t delta = NewBase - Image->ImageBase;
    uint32_t rva = 0;
    uint32_t left = 0;
    PE_ERROR error;

    if (!Image->Mapped)
    {
        return PeBadRelocation;
    }
    if (delta == 0)
    {
        return PeOk;
    }
    if ((Image->Characteristics & PE_FILE_RELOCS_STRIPPED) != 0)
    {
        return PeNoRelocations;
    }
    error = PeDirectory(Image, PE_DIRECTORY_RELOCATION, &rva, &left);
    if (error == PeBadDirectory)
    {
        return error;
    }
    /* An image without the directory, but not marked as stripped, holds no absolute address. */
    left = error == PeEnd ? 0 : left;
    while (left != 0)
    {
        const uint8_t *block = left < 8 ? NULL : PeAt(Image, rva, 8);
        uint32_t pageRva;
        uint32_t size;

        if (block == NULL)
        {
            return PeBadRelocation;
        }
        pageRva = PepRead32(block);
        size = PepRead32(block + 4);
        if (size < 8 || size > left || (size & 1) != 0)
        {
            return PeBadRelocation;
        }
        error = PepRelocateBlock(Image, pageRva, rva + 8, (size - 8) / 2, delta);
        if (error != PeOk)
        {
            return error;
        }
        rva += size;
        left -= size;
    }
    memcpy(Image->Base + Image->HeaderOffset + PEP_FILE_HEADER_SIZE + PEP_IMAGE_BASE, &NewBase, sizeof(NewBase));
    Image->ImageBase = NewBase;
    return PeOk;
}

/* The export directory's fields, captured. */
typedef struct EXPORTS
{
    uint32_t Rva;
    uint32_t Size;
    uint32_t OrdinalBase;
    uint32_t FunctionCount;
    uint32_t NameCount;
    const uint8_t *Functions;
    const uint8_t *Names;
    const uint8_t *Ordinals;
} EXPORTS;

static PE_ERROR PepOpenExports(const PE_IMAGE *Image, EXPORTS *Exports)
{
    PE_ERROR error = PeDirectory(Image, PE_DIRECTORY_EXPORT, &Exports->Rva, &Exports->Size);
    const uint8_t *directory;

    if (error != PeOk)
    {
        return error;
    }
    directory = PeAt(Image, Exports->Rva, EXPORT_DIRECTORY_SIZE);
    if (directory == NULL)
    {
        return PeBadExports;
    }
    Exports->OrdinalBase = PepRead32(directory + 16);
    Exports->FunctionCount = PepRead32(directory + 20);
    Exports->NameCount = PepRead32(directory + 24);
    if (Exports->FunctionCount == 0)
    {
        return PeEnd;
    }
    Exports->Functions = PepTable(Image, PepRead32(directory + 28), Exports->FunctionCount, 4);
    Exports->Names = NULL;
    Exports->Ordinals = NULL;
    if (Exports->NameCount != 0)
    {
        Exports->Names = PepTable(Image, PepRead32(directory + 32), Exports->NameCount, 4);
        Exports->Ordinals = PepTable(Image, PepRead32(directory + 36), Exports->NameCount, 2);
        if (Exports->Names == NULL || Exports->Ordinals == NULL)
        {
            return PeBadExports;
        }
    }
    return Exports->Functions == NULL ? PeBadExports : PeOk;
}

static PE_ERROR PepExportAt(const PE_IMAGE *Image, const EXPORTS *Exports, uint32_t Index, PE_EXPORT *Export)
{
    uint32_t rva;

    if (Index >= Exports->FunctionCount)
    {
        return PeBadExports;
    }
    rva = PepRead32(Exports->Functions + 4ull * Index);
    if (rva == 0)
    {
        return PeEnd; /* a hole in the ordinals */
    }
    if (rva >= Image->SizeOfImage)
    {
        return PeBadExports;
    }
    Export->Rva = rva;
    Export->Ordinal = Exports->OrdinalBase + Index;
    Export->Forwarder = NULL;
    if (rva >= Exports->Rva && rva - Exports->Rva < Exports->Size)
    {
        /* An address inside the directory itself is the text of a forwarder. */
        Export->Forwarder = PeString(Image, rva);
        if (Export->Forwarder == NULL)
        {
            return PeBadExports;
        }
    }
    return PeOk;
}

static int PepCompare(const char *Left, const char *Right)
{
    while (*Left != '\0' && *Left == *Right)
    {
        Left++;
        Right++;
    }
    return (int)(unsigned char)*Left - (int)(unsigned char)*Right;
}

PE_ERROR PeFindExport(const PE_IMAGE *Image, const char *Name, PE_EXPORT *Export)
{
    EXPORTS exports;
    PE_ERROR error = PepOpenExports(Image, &exports);
    uint32_t low = 0;
    uint32_t high;

    if (error != PeOk)
    {
        return error;
    }
    high = exports.NameCount;
    while (low < high)
    {
        uint32_t middle = low + (high - low) / 2;
        const char *name = PeString(Image, PepRead32(exports.Names + 4ull * middle));
        int order;

        if (name == NULL)
        {
            return PeBadExports;
        }
        order = PepCompare(Name, name);
        if (order == 0)
        {
            return PepExportAt(Image, &exports, PepRead16(exports.Ordinals + 2ull * middle), Export);
        }
        if (order < 0)
        {
            high = middle;
        }
        else
        {
            low = middle + 1;
        }
    }
    return PeEnd;
}

PE_ERROR PeFindExportByOrdinal(const PE_IMAGE *Image, uint32_t Ordinal, PE_EXPORT *Export)
{
    EXPORTS exports;
    PE_ERROR error = PepOpenExports(Image, &exports);

    if (error != PeOk)
    {
        return error;
    }
    if (Ordinal < exports.OrdinalBase || Ordinal - exports.OrdinalBase >= exports.FunctionCount)
    {
        return PeEnd;
    }
    return PepExportAt(Image, &exports, Ordinal - exports.OrdinalBase, Export);
}

PE_ERROR PeImportDll(const PE_IMAGE *Image, unsigned Index, PE_IMPORT_DLL *Dll)
{
    uint32_t rva;
    uint32_t size;
    PE_ERROR error = PeDirectory(Image, PE_DIRECTORY_IMPORT, &rva, &size);
    const uint8_t *descriptor;
    uint32_t nameRva;

    if (error != PeOk)
    {
        return error;
    }
    /* The list ends with a descriptor that has no name or no address table; the directory's size says nothing. */
    descriptor = PepEntry(Image, rva, Index, IMPORT_DESCRIPTOR_SIZE);
    if (descriptor == NULL)
    {
        return PeBadImports;
    }
    Dll->LookupRva = PepRead32(descriptor);
    nameRva = PepRead32(descriptor + 12);
    Dll->AddressRva = PepRead32(descriptor + 16);
    if (nameRva == 0 || Dll->AddressRva == 0)
    {
        return PeEnd;
    }
    if (Dll->LookupRva == 0)
    {
        Dll->LookupRva = Dll->AddressRva;
    }
    Dll->Name = PeString(Image, nameRva);
    return Dll->Name == NULL || Dll->Name[0] == '\0' ? PeBadImports : PeOk;
}

PE_ERROR PeImport(const PE_IMAGE *Image, const PE_IMPORT_DLL *Dll, unsigned Index, PE_IMPORT *Import)
{
    const uint8_t *entry = PepEntry(Image, Dll->LookupRva, Index, 8);
    uint64_t slot = Dll->AddressRva + 8ull * Index;
    const uint8_t *hint;
    uint64_t value;

    if (entry == NULL)
    {
        return PeBadImports;
    }
    value = PepRead64(entry);
    if (value == 0)
    {
        return PeEnd;
    }
    if (slot + 8 > Image->SizeOfImage)
    {
        return PeBadImports;
    }
    Import->SlotRva = (uint32_t)slot;
    Import->Name = NULL;
    Import->Hint = 0;
    Import->Ordinal = 0;
    if ((value & IMPORT_BY_ORDINAL) != 0)
    {
        Import->Ordinal = (uint16_t)value;
        return (value & ~IMPORT_BY_ORDINAL) > UINT16_MAX ? PeBadImports : PeOk;
    }
    hint = value > PE_MAX_IMAGE_SIZE ? NULL : PeAt(Image, (uint32_t)value, 2);
    if (hint == NULL)
    {
        return PeBadImports;
    }
    Import->Hint = PepRead16(hint);
    Import->Name = PeString(Image, (uint32_t)value + 2);
    return Import->Name == NULL || Import->Name[0] == '\0' ? PeBadImports : PeOk;
}
