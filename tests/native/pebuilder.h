/* SPDX-License-Identifier: MIT */
/* Builds a small PE64 DLL in memory: sections, relocations, exports with a forwarder, imports. */
#ifndef ISTHMUS_TESTS_PEBUILDER_H
#define ISTHMUS_TESTS_PEBUILDER_H

#include <stdint.h>

/* Where things are in the file. All of it is written by PeBuild; tests change it and see what happens. */
#define BUILT_NT 0x80u
#define BUILT_OPTIONAL (BUILT_NT + 24u)
#define BUILT_DIRECTORIES (BUILT_OPTIONAL + 112u)
#define BUILT_SECTIONS (BUILT_OPTIONAL + 240u)
#define BUILT_HEADERS_SIZE 0x400u

#define BUILT_IMAGE_BASE 0x180000000ull
#define BUILT_IMAGE_SIZE 0x6000u
#define BUILT_FILE_SIZE 0x1200u

/* .text, .rdata, .data, .bss (no bytes in the file), .reloc */
#define BUILT_SECTION_COUNT 5u
#define BUILT_TEXT_RVA 0x1000u
#define BUILT_RDATA_RVA 0x2000u
#define BUILT_DATA_RVA 0x3000u
#define BUILT_BSS_RVA 0x4000u
#define BUILT_RELOC_RVA 0x5000u
#define BUILT_TEXT_RAW 0x400u
#define BUILT_RDATA_RAW 0x600u
#define BUILT_DATA_RAW 0xE00u
#define BUILT_RELOC_RAW 0x1000u

/* In .rdata */
#define BUILT_EXPORT_RVA BUILT_RDATA_RVA
#define BUILT_EXPORT_SIZE 0x100u
#define BUILT_IMPORT_RVA (BUILT_RDATA_RVA + 0x200u)
#define BUILT_LOOKUP_RVA (BUILT_RDATA_RVA + 0x280u)

/* In .data: two pointers that need relocation, then the import address table */
#define BUILT_POINTER_RVA BUILT_DATA_RVA
#define BUILT_IAT_RVA (BUILT_DATA_RVA + 0x40u)

/* Exports: ordinals 5 (Alpha, code), 6 (a hole), 7 (Beta, code), 8 (Gamma, forwarder), 9 (no name, code) */
#define BUILT_ORDINAL_BASE 5u
#define BUILT_ALPHA_RVA (BUILT_TEXT_RVA + 0x10u)
#define BUILT_BETA_RVA (BUILT_TEXT_RVA + 0x20u)
#define BUILT_NAMELESS_RVA (BUILT_TEXT_RVA + 0x30u)
#define BUILT_FORWARDER "OTHER.Delta"

#define BUILT_IMPORTED_DLL "helper.dll"

/** Fills File, of BUILT_FILE_SIZE bytes. */
void PeBuild(uint8_t *File);

void Put16(uint8_t *At, uint16_t Value);
void Put32(uint8_t *At, uint32_t Value);
void Put64(uint8_t *At, uint64_t Value);
uint32_t Get32(const uint8_t *At);
uint64_t Get64(const uint8_t *At);

#endif
