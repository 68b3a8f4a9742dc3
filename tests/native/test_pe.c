/* SPDX-License-Identifier: MIT */
/* The PE parser: a good image read in both layouts, and everything that can be wrong with one. */
#include "support.h"

#include "pe.h"
#include "pebuilder.h"

#define NEW_BASE 0xFFFFF80012340000ull

static uint8_t Built[BUILT_FILE_SIZE];

static int BuildFresh(void **State)
{
    (void)State;
    PeBuild(Built);
    return 0;
}

/* Opens an exact copy of the first Size bytes of Built and hands the copy out for freeing. */
static PE_ERROR OpenCopy(PE_IMAGE *Image, size_t Size, uint8_t **Copy)
{
    *Copy = ExactCopy(Built, Size);
    return PeOpenFile(Image, *Copy, Size);
}

static PE_ERROR OpenResult(void)
{
    PE_IMAGE image;
    uint8_t *copy;
    PE_ERROR error = OpenCopy(&image, BUILT_FILE_SIZE, &copy);

    free(copy);
    return error;
}

/* Lays Built out in a block of exactly the image's size. */
static uint8_t *MapBuilt(PE_IMAGE *Image)
{
    PE_IMAGE file;
    uint8_t *memory = malloc(BUILT_IMAGE_SIZE);

    assert_non_null(memory);
    memset(memory, 0xEE, BUILT_IMAGE_SIZE);
    assert_int_equal(PeOpenFile(&file, Built, BUILT_FILE_SIZE), PeOk);
    assert_int_equal(PeMapFile(&file, memory, BUILT_IMAGE_SIZE), PeOk);
    assert_int_equal(PeOpenMapped(Image, memory, BUILT_IMAGE_SIZE), PeOk);
    return memory;
}

/* Calls everything that reads an image. What it returns does not matter; where it reads does. */
static void Exercise(PE_IMAGE *Image)
{
    static const uint32_t rvas[] = {0,      0x3FF,  0x400,  0xFFF,  0x1000, 0x1FFF,
                                    0x31FF, 0x3200, 0x4000, 0x5FFF, 0x6000, ~0u};
    PE_SECTION section;
    PE_EXPORT export;
    PE_IMPORT_DLL dll;
    PE_IMPORT import;
    uint32_t rva;
    uint32_t size;
    size_t offset;

    for (unsigned i = 0; i < sizeof(rvas) / sizeof(rvas[0]); i++)
    {
        uint8_t *at = PeAt(Image, rvas[i], 16);

        if (at != NULL)
        {
            assert_true(at >= Image->Base && at + 16 <= Image->Base + Image->Size);
        }
        PeSectionFor(Image, rvas[i], &section);
        PeString(Image, rvas[i]);
        PeRvaToOffset(Image, rvas[i], 16, &offset);
    }
    for (unsigned i = 0; i < PE_DIRECTORIES + 1; i++)
    {
        if (PeDirectory(Image, i, &rva, &size) == PeOk)
        {
            assert_true((uint64_t)rva + size <= Image->SizeOfImage);
        }
    }
    PeFindExport(Image, "Alpha", &export);
    PeFindExport(Image, "Zulu", &export);
    for (uint32_t i = 0; i < 16; i++)
    {
        PeFindExportByOrdinal(Image, i, &export);
    }
    for (unsigned i = 0; PeImportDll(Image, i, &dll) == PeOk; i++)
    {
        for (unsigned j = 0; PeImport(Image, &dll, j, &import) == PeOk; j++)
        {
            assert_true((uint64_t)import.SlotRva + 8 <= Image->SizeOfImage);
        }
    }
}

static void TestGoodHeader(void **State)
{
    PE_IMAGE image;

    (void)State;
    assert_int_equal(PeOpenFile(&image, Built, BUILT_FILE_SIZE), PeOk);
    assert_int_equal(image.SectionCount, BUILT_SECTION_COUNT);
    assert_int_equal(image.SizeOfImage, BUILT_IMAGE_SIZE);
    assert_int_equal(image.SizeOfHeaders, BUILT_HEADERS_SIZE);
    assert_int_equal(image.ImageBase, BUILT_IMAGE_BASE);
    assert_int_equal(image.EntryPoint, BUILT_ALPHA_RVA);
    assert_int_equal(image.Subsystem, PE_SUBSYSTEM_WINDOWS_CUI);
    assert_true((image.Characteristics & PE_FILE_DLL) != 0);
    assert_int_equal(image.StackReserve, 0x100000);
    assert_int_equal(image.HeapCommit, 0x2000);
    assert_int_equal(image.TimeDateStamp, 0x12345678);
}

static void TestSections(void **State)
{
    PE_IMAGE image;
    PE_SECTION section;

    (void)State;
    assert_int_equal(PeOpenFile(&image, Built, BUILT_FILE_SIZE), PeOk);
    assert_int_equal(PeSection(&image, 2, &section), PeOk);
    assert_string_equal(section.Name, ".data");
    assert_int_equal(section.Extent, 0x1000);
    assert_int_equal(section.RawSize, 0x200);
    assert_int_equal(section.Characteristics, PE_SECTION_READ | PE_SECTION_WRITE | 0x40);
    assert_int_equal(PeSection(&image, BUILT_SECTION_COUNT, &section), PeEnd);

    assert_int_equal(PeSectionFor(&image, BUILT_BSS_RVA + 0xFFF, &section), PeOk);
    assert_string_equal(section.Name, ".bss");
    assert_int_equal(PeSectionFor(&image, 0xFFF, &section), PeEnd);
    assert_int_equal(PeSectionFor(&image, BUILT_IMAGE_SIZE, &section), PeEnd);
}

static void TestAddresses(void **State)
{
    PE_IMAGE image;
    size_t offset;

    (void)State;
    assert_int_equal(PeOpenFile(&image, Built, BUILT_FILE_SIZE), PeOk);
    assert_ptr_equal(PeAt(&image, BUILT_DATA_RVA + 0x1F8, 8), Built + BUILT_DATA_RAW + 0x1F8);
    assert_null(PeAt(&image, BUILT_DATA_RVA + 0x1F9, 8)); /* the file ends there, the section does not */
    assert_null(PeAt(&image, BUILT_BSS_RVA, 1));
    assert_ptr_equal(PeAt(&image, BUILT_HEADERS_SIZE - 4, 4), Built + BUILT_HEADERS_SIZE - 4);
    assert_null(PeAt(&image, BUILT_HEADERS_SIZE - 3, 4));
    assert_null(PeAt(&image, ~0u, 4));
    assert_int_equal(PeRvaToOffset(&image, BUILT_RDATA_RVA + 8, 4, &offset), PeOk);
    assert_int_equal(offset, BUILT_RDATA_RAW + 8);
    assert_int_equal(PeRvaToOffset(&image, BUILT_BSS_RVA, 1, &offset), PeEnd);
}

static void TestExports(void **State)
{
    PE_IMAGE images[2];
    uint8_t *memory = MapBuilt(&images[1]);

    (void)State;
    assert_int_equal(PeOpenFile(&images[0], Built, BUILT_FILE_SIZE), PeOk);
    for (int i = 0; i < 2; i++)
    {
        PE_EXPORT export;

        assert_int_equal(PeFindExport(&images[i], "Alpha", &export), PeOk);
        assert_int_equal(export.Rva, BUILT_ALPHA_RVA);
        assert_int_equal(export.Ordinal, 5);
        assert_null(export.Forwarder);
        assert_int_equal(PeFindExport(&images[i], "Beta", &export), PeOk);
        assert_int_equal(export.Rva, BUILT_BETA_RVA);
        assert_int_equal(export.Ordinal, 7);
        assert_int_equal(PeFindExport(&images[i], "Gamma", &export), PeOk);
        assert_string_equal(export.Forwarder, BUILT_FORWARDER);
        assert_int_equal(PeFindExport(&images[i], "alpha", &export), PeEnd);
        assert_int_equal(PeFindExport(&images[i], "", &export), PeEnd);
        assert_int_equal(PeFindExport(&images[i], "Alph", &export), PeEnd);
        assert_int_equal(PeFindExport(&images[i], "AlphaX", &export), PeEnd);
        assert_int_equal(PeFindExportByOrdinal(&images[i], 9, &export), PeOk);
        assert_int_equal(export.Rva, BUILT_NAMELESS_RVA);
        assert_int_equal(PeFindExportByOrdinal(&images[i], 6, &export), PeEnd); /* the hole */
        assert_int_equal(PeFindExportByOrdinal(&images[i], 4, &export), PeEnd);
        assert_int_equal(PeFindExportByOrdinal(&images[i], 10, &export), PeEnd);
    }
    free(memory);
}

static void TestBadExports(void **State)
{
    uint8_t *directory = Built + BUILT_RDATA_RAW;
    PE_IMAGE image;
    PE_EXPORT export;

    (void)State;
    assert_int_equal(PeOpenFile(&image, Built, BUILT_FILE_SIZE), PeOk);
    Put32(directory + 20, 0xFFFFFFFF); /* the count of functions */
    assert_int_equal(PeFindExport(&image, "Alpha", &export), PeBadExports);
    Put32(directory + 20, 1); /* Beta's index is outside now */
    assert_int_equal(PeFindExport(&image, "Beta", &export), PeBadExports);
    Put32(directory + 20, 5);
    Put32(directory + 24, 0x40000000); /* the count of names */
    assert_int_equal(PeFindExport(&image, "Alpha", &export), PeBadExports);
    Put32(directory + 24, 3);
    Put32(directory + 0x44, BUILT_BSS_RVA); /* a name that is not in the file */
    assert_int_equal(PeFindExport(&image, "Beta", &export), PeBadExports);
    Put32(directory + 0x28, BUILT_IMAGE_SIZE); /* a function outside the image */
    assert_int_equal(PeFindExportByOrdinal(&image, 5, &export), PeBadExports);
}

static void TestImports(void **State)
{
    PE_IMAGE images[2];
    uint8_t *memory = MapBuilt(&images[1]);

    (void)State;
    assert_int_equal(PeOpenFile(&images[0], Built, BUILT_FILE_SIZE), PeOk);
    for (int i = 0; i < 2; i++)
    {
        PE_IMPORT_DLL dll;
        PE_IMPORT import;

        assert_int_equal(PeImportDll(&images[i], 0, &dll), PeOk);
        assert_string_equal(dll.Name, BUILT_IMPORTED_DLL);
        assert_int_equal(PeImport(&images[i], &dll, 0, &import), PeOk);
        assert_string_equal(import.Name, "HelpMe");
        assert_int_equal(import.Hint, 7);
        assert_int_equal(import.SlotRva, BUILT_IAT_RVA);
        assert_int_equal(PeImport(&images[i], &dll, 1, &import), PeOk);
        assert_null(import.Name);
        assert_int_equal(import.Ordinal, 42);
        assert_int_equal(import.SlotRva, BUILT_IAT_RVA + 8);
        assert_int_equal(PeImport(&images[i], &dll, 2, &import), PeEnd);
        assert_int_equal(PeImportDll(&images[i], 1, &dll), PeEnd);
    }
    free(memory);
}

/* A linker may leave the lookup table out: then the address table holds the names until it is filled. */
static void TestImportsWithoutLookup(void **State)
{
    uint8_t *descriptor = Built + BUILT_RDATA_RAW + (BUILT_IMPORT_RVA - BUILT_RDATA_RVA);
    PE_IMPORT_DLL dll;
    PE_IMPORT import;
    PE_IMAGE image;

    (void)State;
    Put32(descriptor, 0);
    assert_int_equal(PeOpenFile(&image, Built, BUILT_FILE_SIZE), PeOk);
    assert_int_equal(PeImportDll(&image, 0, &dll), PeOk);
    assert_int_equal(PeImport(&image, &dll, 0, &import), PeOk);
    assert_string_equal(import.Name, "HelpMe");
}

static void TestBadImports(void **State)
{
    uint8_t *descriptor = Built + BUILT_RDATA_RAW + (BUILT_IMPORT_RVA - BUILT_RDATA_RVA);
    uint8_t *lookup = Built + BUILT_RDATA_RAW + (BUILT_LOOKUP_RVA - BUILT_RDATA_RVA);
    PE_IMPORT_DLL dll;
    PE_IMPORT import;
    PE_IMAGE image;

    (void)State;
    assert_int_equal(PeOpenFile(&image, Built, BUILT_FILE_SIZE), PeOk);
    assert_int_equal(PeImportDll(&image, 0, &dll), PeOk);
    Put64(lookup, 0x7FFFFFFFFFFF0000ull); /* neither an RVA nor an ordinal */
    assert_int_equal(PeImport(&image, &dll, 0, &import), PeBadImports);
    Put64(lookup, 1ull << 63 | 0x10000); /* an ordinal of more than 16 bits */
    assert_int_equal(PeImport(&image, &dll, 0, &import), PeBadImports);
    dll.AddressRva = BUILT_IMAGE_SIZE - 8;
    assert_int_equal(PeImport(&image, &dll, 1, &import), PeBadImports);
    dll.LookupRva = ~0u - 4;
    assert_int_equal(PeImport(&image, &dll, 0x20000000, &import), PeBadImports);
    Put32(descriptor + 12, BUILT_BSS_RVA);
    assert_int_equal(PeImportDll(&image, 0, &dll), PeBadImports);
    assert_int_equal(PeImportDll(&image, 0x0FFFFFFF, &dll), PeBadImports);
}

static void TestMapAndRelocate(void **State)
{
    PE_IMAGE image;
    uint8_t *memory = MapBuilt(&image);

    (void)State;
    assert_memory_equal(memory, Built, BUILT_HEADERS_SIZE);
    assert_int_equal(memory[BUILT_HEADERS_SIZE], 0); /* zeroes between the pieces, not what was there before */
    assert_int_equal(memory[BUILT_TEXT_RVA], 0xCC);
    assert_int_equal(memory[BUILT_TEXT_RVA + 0x200], 0);
    assert_int_equal(memory[BUILT_BSS_RVA], 0);
    assert_int_equal(memory[BUILT_IMAGE_SIZE - 1], 0);

    assert_int_equal(PeRelocate(&image, BUILT_IMAGE_BASE), PeOk);
    assert_int_equal(Get64(memory + BUILT_POINTER_RVA), BUILT_IMAGE_BASE + BUILT_ALPHA_RVA);
    assert_int_equal(PeRelocate(&image, NEW_BASE), PeOk);
    assert_int_equal(Get64(memory + BUILT_POINTER_RVA), NEW_BASE + BUILT_ALPHA_RVA);
    assert_int_equal(Get64(memory + BUILT_POINTER_RVA + 8), NEW_BASE + BUILT_BETA_RVA);
    assert_int_equal(Get64(memory + BUILT_OPTIONAL + 24), NEW_BASE);
    assert_int_equal(image.ImageBase, NEW_BASE);

    /* A second time, and back below: the delta is taken from the base it has now. */
    assert_int_equal(PeRelocate(&image, 0x10000), PeOk);
    assert_int_equal(Get64(memory + BUILT_POINTER_RVA), 0x10000 + BUILT_ALPHA_RVA);
    free(memory);
}

/* Applies a change to the relocation block of a mapped image and relocates. */
static PE_ERROR RelocateWith(uint32_t Offset, uint32_t Value, unsigned Bytes)
{
    PE_IMAGE image;
    uint8_t *memory = MapBuilt(&image);
    PE_ERROR error;

    memcpy(memory + BUILT_RELOC_RVA + Offset, &Value, Bytes);
    error = PeRelocate(&image, NEW_BASE);
    free(memory);
    return error;
}

static void TestBadRelocations(void **State)
{
    PE_IMAGE image;

    (void)State;
    assert_int_equal(RelocateWith(0, BUILT_DATA_RVA, 4), PeOk);
    assert_int_equal(RelocateWith(0, BUILT_IMAGE_SIZE, 4), PeBadRelocation);
    assert_int_equal(RelocateWith(0, BUILT_IMAGE_SIZE - 8 - 7, 4), PeBadRelocation); /* the second one sticks out */
    assert_int_equal(RelocateWith(0, 0xFFFFF000, 4), PeBadRelocation);
    assert_int_equal(RelocateWith(4, 0, 4), PeBadRelocation);
    assert_int_equal(RelocateWith(4, 7, 4), PeBadRelocation);
    assert_int_equal(RelocateWith(4, 18, 4), PeBadRelocation); /* larger than the directory */
    assert_int_equal(RelocateWith(4, 15, 4), PeBadRelocation);
    assert_int_equal(RelocateWith(4, 12, 4), PeBadRelocation); /* four bytes are left over */
    assert_int_equal(RelocateWith(8, 0x3000, 2), PeBadRelocation); /* HIGHLOW */
    for (uint32_t kind = 1; kind < 16; kind++)
    {
        assert_int_equal(RelocateWith(8, kind << 12, 2), kind == 10 ? PeOk : PeBadRelocation);
    }
    assert_int_equal(PeOpenFile(&image, Built, BUILT_FILE_SIZE), PeOk);
    assert_int_equal(PeRelocate(&image, NEW_BASE), PeBadRelocation); /* a file is never changed */
}

static void TestStrippedRelocations(void **State)
{
    PE_IMAGE image;
    uint8_t *memory;

    (void)State;
    Put16(Built + BUILT_NT + 22, 0x2023);
    memory = MapBuilt(&image);
    assert_int_equal(PeRelocate(&image, BUILT_IMAGE_BASE), PeOk);
    assert_int_equal(PeRelocate(&image, NEW_BASE), PeNoRelocations);
    free(memory);

    /* No directory, but not stripped: there is nothing to relocate. */
    PeBuild(Built);
    Put64(Built + BUILT_DIRECTORIES + 8 * PE_DIRECTORY_RELOCATION, 0);
    memory = MapBuilt(&image);
    assert_int_equal(PeRelocate(&image, NEW_BASE), PeOk);
    assert_int_equal(Get64(memory + BUILT_POINTER_RVA), BUILT_IMAGE_BASE + BUILT_ALPHA_RVA);
    free(memory);
}

typedef struct CORRUPTION
{
    uint32_t Offset;
    unsigned Bytes;
    uint64_t Value;
    PE_ERROR Error;
} CORRUPTION;

#define OPT(Offset) (BUILT_OPTIONAL + (Offset))
#define SEC(Index, Offset) (BUILT_SECTIONS + 40 * (Index) + (Offset))
#define DIR(Index, Offset) (BUILT_DIRECTORIES + 8 * (Index) + (Offset))

static const CORRUPTION Corruptions[] = {
    {0, 2, 0x4D5A, PeNotPe},
    {0x3C, 4, 0x82, PeNotPe}, /* unaligned */
    {0x3C, 4, 0x40, PeNotPe},
    {0x3C, 4, 0xFFFFFFFC, PeTruncated},
    {0x3C, 4, BUILT_FILE_SIZE - 100, PeTruncated},
    {BUILT_NT, 4, 0x00004551, PeNotPe},
    {BUILT_NT + 4, 2, 0x014C, Pe32Bit},
    {BUILT_NT + 4, 2, 0xAA64, PeArm64},
    {BUILT_NT + 4, 2, 0x0200, PeWrongMachine},
    {BUILT_NT + 4, 2, 0, PeWrongMachine},
    {BUILT_NT + 6, 2, 0, PeBadSection},
    {BUILT_NT + 6, 2, 6, PeBadSection}, /* the sixth header is empty */
    {BUILT_NT + 6, 2, 97, PeBadHeader}, /* more than the headers hold */
    {BUILT_NT + 6, 2, 0xFFFF, PeBadHeader},
    {BUILT_NT + 20, 2, 111, PeBadHeader},
    {BUILT_NT + 20, 2, 200, PeBadHeader}, /* too small for 16 directories */
    {BUILT_NT + 20, 2, 0xFFFF, PeBadHeader},
    {BUILT_NT + 22, 2, 0x2020, PeNotExecutable},
    {OPT(0), 2, 0x010B, Pe32Bit},
    {OPT(0), 2, 0x0107, PeBadHeader},
    {OPT(16), 4, BUILT_IMAGE_SIZE, PeBadHeader},
    {OPT(16), 4, 0xFFFFFFFF, PeBadHeader},
    {OPT(24), 8, 0x180000001ull, PeBadHeader},
    {OPT(24), 8, 0xFFFFFFFFFFFF0000ull, PeOk}, /* ends exactly at 2^64 - 0xA000 */
    {OPT(24), 8, 0xFFFFFFFFFFFFF000ull, PeBadHeader},
    {OPT(32), 4, 0, PeBadAlignment},
    {OPT(32), 4, 0x800, PeBadAlignment},
    {OPT(32), 4, 0x1800, PeBadAlignment},
    {OPT(32), 4, 0x2000, PeBadSection},
    {OPT(32), 4, 0x80000000, PeTooLarge},
    {OPT(36), 4, 0, PeBadAlignment},
    {OPT(36), 4, 0x100, PeBadAlignment},
    {OPT(36), 4, 0x300, PeBadAlignment},
    {OPT(36), 4, 0x2000, PeBadAlignment}, /* above the section alignment */
    {OPT(56), 4, 0, PeBadHeader},
    {OPT(56), 4, 0x5000, PeBadSection}, /* too small for the sections */
    {OPT(56), 4, 0x40000001, PeTooLarge},
    {OPT(56), 4, 0xFFFFFFFF, PeTooLarge},
    {OPT(60), 4, 0, PeBadHeader},
    {OPT(60), 4, 0x100, PeBadHeader}, /* does not hold the section table */
    {OPT(60), 4, BUILT_FILE_SIZE + 1, PeTruncated},
    {OPT(60), 4, 0xFFFFFFFF, PeBadHeader},
    {OPT(108), 4, 0xFFFFFFFF, PeOk}, /* more than 16 are ignored, as by Windows */
    {OPT(108), 4, 0, PeOk},
    {SEC(0, 8), 4, 0x1001, PeBadSection}, /* reaches into the next one */
    {SEC(0, 8), 4, 0xFFFFFFFF, PeBadSection},
    {SEC(0, 12), 4, 0, PeBadSection},
    {SEC(0, 12), 4, 0x1200, PeBadSection},
    {SEC(1, 12), 4, 0x1000, PeBadSection}, /* overlaps */
    {SEC(1, 12), 4, 0x3000, PeBadSection}, /* leaves a gap */
    {SEC(4, 12), 4, 0x7FFFF000, PeBadSection},
    {SEC(4, 8), 4, 0x1001, PeBadSection}, /* past the end of the image */
    {SEC(0, 16), 4, 0xFFFFFFFF, PeTruncated},
    {SEC(0, 20), 4, 0xFFFFFE00, PeTruncated},
    {SEC(0, 20), 4, 0x401, PeBadSection},
    {SEC(4, 16), 4, 0x201, PeTruncated},
    {DIR(0, 0), 4, BUILT_IMAGE_SIZE, PeBadDirectory},
    {DIR(0, 4), 4, 0xFFFFFFFF, PeBadDirectory},
    {DIR(1, 0), 4, 0xFFFFFFFF, PeBadDirectory},
    {DIR(3, 0), 8, 0x0000000C00005FFCull, PeBadDirectory},
    {DIR(5, 4), 4, 0x1001, PeBadDirectory},
    {DIR(9, 0), 8, 0x0000002800006000ull, PeBadDirectory},
    {DIR(10, 0), 8, 0xFFFFFFFFFFFFFFFFull, PeBadDirectory},
    {DIR(12, 0), 4, 0xFFFFFFFF, PeBadDirectory},
    {DIR(13, 0), 8, 0xFFFFFFFF00001000ull, PeBadDirectory},
    {DIR(4, 0), 8, 0xFFFFFFFFFFFFFFFFull, PeOk}, /* the signature's place is a file offset */
    {DIR(14, 0), 8, 0x0000004800002000ull, PeManaged},
};

static void TestCorruptedFields(void **State)
{
    (void)State;
    assert_int_equal(OpenResult(), PeOk);
    for (size_t i = 0; i < sizeof(Corruptions) / sizeof(Corruptions[0]); i++)
    {
        const CORRUPTION *corruption = &Corruptions[i];
        PE_ERROR error;

        PeBuild(Built);
        memcpy(Built + corruption->Offset, &corruption->Value, corruption->Bytes);
        error = OpenResult();
        if (error != corruption->Error)
        {
            fail_msg("offset 0x%X = 0x%llX: %s, not: %s", corruption->Offset, (unsigned long long)corruption->Value,
                     PeErrorText(error), PeErrorText(corruption->Error));
        }
    }
}

/* A gap in the address space is refused even if all else fits. */
static void TestGapBetweenSections(void **State)
{
    (void)State;
    Put32(Built + OPT(56), BUILT_IMAGE_SIZE + 0x1000);
    Put32(Built + DIR(5, 0), BUILT_RELOC_RVA + 0x1000);
    Put32(Built + SEC(3, 8), 0x1001); /* .bss grows over two pages: all is well */
    Put32(Built + SEC(4, 12), BUILT_RELOC_RVA + 0x1000);
    assert_int_equal(OpenResult(), PeOk);
    Put32(Built + SEC(3, 8), 0x1000);
    assert_int_equal(OpenResult(), PeBadSection);
}

static void TestTruncation(void **State)
{
    (void)State;
    for (size_t size = 0; size < BUILT_FILE_SIZE; size++)
    {
        PE_IMAGE image;
        uint8_t *copy;
        PE_ERROR error = OpenCopy(&image, size, &copy);

        free(copy);
        assert_int_equal(error, size < 2 ? PeNotPe : PeTruncated);
    }
}

static void TestMappedTruncation(void **State)
{
    PE_IMAGE image;
    uint8_t *memory = MapBuilt(&image);

    (void)State;
    for (size_t size = 0; size < BUILT_IMAGE_SIZE; size++)
    {
        uint8_t *copy = ExactCopy(memory, size);
        PE_ERROR error = PeOpenMapped(&image, copy, size);

        free(copy);
        assert_int_equal(error, size < 2 ? PeNotPe : PeTruncated);
    }
    free(memory);
}

static void TestMapNeedsRoom(void **State)
{
    uint8_t target[16];
    PE_IMAGE image;

    (void)State;
    assert_int_equal(PeOpenFile(&image, Built, BUILT_FILE_SIZE), PeOk);
    assert_int_equal(PeMapFile(&image, target, sizeof(target)), PeBufferTooSmall);
}

/* Each byte of headers and tables in turn takes values that turn counts, sizes and signs around. */
static void TestEveryByte(void **State)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};

    (void)State;
    for (uint32_t offset = 0; offset < BUILT_FILE_SIZE; offset++)
    {
        bool header = offset < BUILT_HEADERS_SIZE;
        bool tables = (offset >= BUILT_RDATA_RAW && offset < BUILT_RDATA_RAW + 0x340) || offset >= BUILT_RELOC_RAW;

        for (size_t i = 0; (header || tables) && i < sizeof(values); i++)
        {
            uint8_t before = Built[offset];
            PE_IMAGE image;
            uint8_t *copy;

            Built[offset] = values[i];
            if (OpenCopy(&image, BUILT_FILE_SIZE, &copy) == PeOk)
            {
                Exercise(&image);
            }
            free(copy);
            Built[offset] = before;
        }
    }
}

static void TestRandomDamage(void **State)
{
    uint64_t random = 0x1234567;
    unsigned opened = 0;

    (void)State;
    for (int round = 0; round < 4000; round++)
    {
        PE_IMAGE file;
        uint8_t *copy;

        PeBuild(Built);
        for (uint64_t i = NextRandom(&random) % 6; i != 0; i--)
        {
            uint64_t value = NextRandom(&random);

            Built[value % BUILT_FILE_SIZE] = (uint8_t)(value >> 32);
        }
        if (OpenCopy(&file, BUILT_FILE_SIZE, &copy) == PeOk)
        {
            uint8_t *memory = malloc(file.SizeOfImage);
            PE_IMAGE image;

            opened++;
            assert_non_null(memory);
            Exercise(&file);
            if (PeMapFile(&file, memory, file.SizeOfImage) == PeOk &&
                PeOpenMapped(&image, memory, file.SizeOfImage) == PeOk)
            {
                Exercise(&image);
                PeRelocate(&image, NEW_BASE);
                Exercise(&image);
            }
            free(memory);
        }
        free(copy);
    }
    assert_true(opened > 1000); /* the rounds reached what is behind the checks */
}

static void TestGarbage(void **State)
{
    uint64_t random = 99;

    (void)State;
    for (int round = 0; round < 2000; round++)
    {
        PE_IMAGE image;
        uint8_t *copy;

        for (size_t i = 0; i < BUILT_FILE_SIZE; i += 8)
        {
            Put64(Built + i, NextRandom(&random));
        }
        Put16(Built, 0x5A4D);
        assert_int_not_equal(OpenCopy(&image, BUILT_FILE_SIZE, &copy), PeOk);
        free(copy);
    }
}

static void TestErrorTexts(void **State)
{
    (void)State;
    for (int error = PeOk; error <= PeBufferTooSmall; error++)
    {
        assert_non_null(PeErrorText((PE_ERROR)error));
        assert_true(strlen(PeErrorText((PE_ERROR)error)) > 5);
    }
    assert_non_null(PeErrorText((PE_ERROR)999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(TestGoodHeader, BuildFresh),
        cmocka_unit_test_setup(TestSections, BuildFresh),
        cmocka_unit_test_setup(TestAddresses, BuildFresh),
        cmocka_unit_test_setup(TestExports, BuildFresh),
        cmocka_unit_test_setup(TestBadExports, BuildFresh),
        cmocka_unit_test_setup(TestImports, BuildFresh),
        cmocka_unit_test_setup(TestImportsWithoutLookup, BuildFresh),
        cmocka_unit_test_setup(TestBadImports, BuildFresh),
        cmocka_unit_test_setup(TestMapAndRelocate, BuildFresh),
        cmocka_unit_test_setup(TestBadRelocations, BuildFresh),
        cmocka_unit_test_setup(TestStrippedRelocations, BuildFresh),
        cmocka_unit_test_setup(TestCorruptedFields, BuildFresh),
        cmocka_unit_test_setup(TestGapBetweenSections, BuildFresh),
        cmocka_unit_test_setup(TestTruncation, BuildFresh),
        cmocka_unit_test_setup(TestMappedTruncation, BuildFresh),
        cmocka_unit_test_setup(TestMapNeedsRoom, BuildFresh),
        cmocka_unit_test_setup(TestEveryByte, BuildFresh),
        cmocka_unit_test_setup(TestRandomDamage, BuildFresh),
        cmocka_unit_test_setup(TestGarbage, BuildFresh),
        cmocka_unit_test(TestErrorTexts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
