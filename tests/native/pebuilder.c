/* SPDX-License-Identifier: MIT */
/* Builds a small PE64 DLL in memory. See pebuilder.h. */
#include "pebuilder.h"

#include <string.h>

void Put16(uint8_t *At, uint16_t Value)
{
    memcpy(At, &Value, sizeof(Value));
}

void Put32(uint8_t *At, uint32_t Value)
{
    memcpy(At, &Value, sizeof(Value));
}

void Put64(uint8_t *At, uint64_t Value)
{
    memcpy(At, &Value, sizeof(Value));
}

uint32_t Get32(const uint8_t *At)
{
    uint32_t value;

    memcpy(&value, At, sizeof(value));
    return value;
}

uint64_t Get64(const uint8_t *At)
{
    uint64_t value;

    memcpy(&value, At, sizeof(value));
    return value;
}

static void BuildHeaders(uint8_t *File)
{
    uint8_t *nt = File + BUILT_NT;
    uint8_t *optional = File + BUILT_OPTIONAL;

    Put16(File, 0x5A4D);
    Put32(File + 0x3C, BUILT_NT);
    Put32(nt, 0x00004550);
    Put16(nt + 4, 0x8664);
    Put16(nt + 6, BUILT_SECTION_COUNT);
    Put32(nt + 8, 0x12345678);
    Put16(nt + 20, 240);
    Put16(nt + 22, 0x2022); /* executable, large addresses, DLL */

    Put16(optional, 0x020B);
    Put32(optional + 16, BUILT_ALPHA_RVA);
    Put64(optional + 24, BUILT_IMAGE_BASE);
    Put32(optional + 32, 0x1000);
    Put32(optional + 36, 0x200);
    Put16(optional + 48, 6);
    Put16(optional + 50, 1);
    Put32(optional + 56, BUILT_IMAGE_SIZE);
    Put32(optional + 60, BUILT_HEADERS_SIZE);
    Put16(optional + 68, 3);
    Put64(optional + 72, 0x100000);
    Put64(optional + 80, 0x1000);
    Put64(optional + 88, 0x200000);
    Put64(optional + 96, 0x2000);
    Put32(optional + 108, 16);
}

static void BuildDirectory(uint8_t *File, unsigned Index, uint32_t Rva, uint32_t Size)
{
    Put32(File + BUILT_DIRECTORIES + 8 * Index, Rva);
    Put32(File + BUILT_DIRECTORIES + 8 * Index + 4, Size);
}

static void BuildSection(uint8_t *File, unsigned Index, const char *Name, uint32_t Rva, uint32_t VirtualSize,
                         uint32_t Raw, uint32_t RawSize, uint32_t Characteristics)
{
    uint8_t *header = File + BUILT_SECTIONS + 40 * Index;

    memcpy(header, Name, strlen(Name));
    Put32(header + 8, VirtualSize);
    Put32(header + 12, Rva);
    Put32(header + 16, RawSize);
    Put32(header + 20, Raw);
    Put32(header + 36, Characteristics);
}

static void BuildExports(uint8_t *File)
{
    uint8_t *rdata = File + BUILT_RDATA_RAW;

    Put32(rdata + 12, BUILT_EXPORT_RVA + 0x80); /* the DLL's name */
    Put32(rdata + 16, BUILT_ORDINAL_BASE);
    Put32(rdata + 20, 5); /* functions */
    Put32(rdata + 24, 3); /* names */
    Put32(rdata + 28, BUILT_EXPORT_RVA + 0x28);
    Put32(rdata + 32, BUILT_EXPORT_RVA + 0x40);
    Put32(rdata + 36, BUILT_EXPORT_RVA + 0x50);
    Put32(rdata + 0x28, BUILT_ALPHA_RVA);
    Put32(rdata + 0x2C, 0);
    Put32(rdata + 0x30, BUILT_BETA_RVA);
    Put32(rdata + 0x34, BUILT_EXPORT_RVA + 0xB0); /* inside the directory: a forwarder */
    Put32(rdata + 0x38, BUILT_NAMELESS_RVA);
    Put32(rdata + 0x40, BUILT_EXPORT_RVA + 0x90);
    Put32(rdata + 0x44, BUILT_EXPORT_RVA + 0x98);
    Put32(rdata + 0x48, BUILT_EXPORT_RVA + 0xA0);
    Put16(rdata + 0x50, 0);
    Put16(rdata + 0x52, 2);
    Put16(rdata + 0x54, 3);
    strcpy((char *)rdata + 0x80, "built.dll");
    strcpy((char *)rdata + 0x90, "Alpha");
    strcpy((char *)rdata + 0x98, "Beta");
    strcpy((char *)rdata + 0xA0, "Gamma");
    strcpy((char *)rdata + 0xB0, BUILT_FORWARDER);
}

static void BuildImports(uint8_t *File)
{
    uint8_t *imports = File + BUILT_RDATA_RAW + (BUILT_IMPORT_RVA - BUILT_RDATA_RVA);
    uint8_t *lookup = File + BUILT_RDATA_RAW + (BUILT_LOOKUP_RVA - BUILT_RDATA_RVA);
    uint8_t *addresses = File + BUILT_DATA_RAW + (BUILT_IAT_RVA - BUILT_DATA_RVA);

    Put32(imports, BUILT_LOOKUP_RVA);
    Put32(imports + 12, BUILT_IMPORT_RVA + 0x100);
    Put32(imports + 16, BUILT_IAT_RVA);
    strcpy((char *)imports + 0x100, BUILT_IMPORTED_DLL);
    for (int i = 0; i < 2; i++)
    {
        uint8_t *table = i == 0 ? lookup : addresses;

        Put64(table, BUILT_IMPORT_RVA + 0x120);
        Put64(table + 8, 1ull << 63 | 42);
        Put64(table + 16, 0);
    }
    Put16(imports + 0x120, 7);
    strcpy((char *)imports + 0x122, "HelpMe");
}

static void BuildRelocations(uint8_t *File)
{
    uint8_t *relocations = File + BUILT_RELOC_RAW;
    uint8_t *data = File + BUILT_DATA_RAW;

    Put64(data, BUILT_IMAGE_BASE + BUILT_ALPHA_RVA);
    Put64(data + 8, BUILT_IMAGE_BASE + BUILT_BETA_RVA);
    Put32(relocations, BUILT_DATA_RVA);
    Put32(relocations + 4, 8 + 2 * 4);
    Put16(relocations + 8, 0xA000);
    Put16(relocations + 10, 0xA008);
    Put16(relocations + 12, 0);
    Put16(relocations + 14, 0);
}

void PeBuild(uint8_t *File)
{
    memset(File, 0, BUILT_FILE_SIZE);
    BuildHeaders(File);
    BuildDirectory(File, 0, BUILT_EXPORT_RVA, BUILT_EXPORT_SIZE);
    BuildDirectory(File, 1, BUILT_IMPORT_RVA, 40);
    BuildDirectory(File, 5, BUILT_RELOC_RVA, 16);
    BuildDirectory(File, 12, BUILT_IAT_RVA, 24);
    BuildSection(File, 0, ".text", BUILT_TEXT_RVA, 0x1F0, BUILT_TEXT_RAW, 0x200, 0x60000020);
    BuildSection(File, 1, ".rdata", BUILT_RDATA_RVA, 0x700, BUILT_RDATA_RAW, 0x800, 0x40000040);
    BuildSection(File, 2, ".data", BUILT_DATA_RVA, 0x900, BUILT_DATA_RAW, 0x200, 0xC0000040);
    BuildSection(File, 3, ".bss", BUILT_BSS_RVA, 0x800, 0, 0, 0xC0000080);
    BuildSection(File, 4, ".reloc", BUILT_RELOC_RVA, 16, BUILT_RELOC_RAW, 0x200, 0x42000040);
    memset(File + BUILT_TEXT_RAW, 0xCC, 0x200);
    BuildExports(File);
    BuildImports(File);
    BuildRelocations(File);
}
