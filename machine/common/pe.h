/* SPDX-License-Identifier: MIT */
/*
 * PE64 images for x64: checks, and access to sections, directories, relocations, exports and imports. One parser for
 * the boot loader, the kernel, ntrun and the native tests: freestanding, allocates nothing, needs memcpy, memset and
 * memcmp only. The image may hold anything: no access leaves the given buffer, no loop runs without end.
 *
 * An image is opened in one of two layouts, and everything after that works on both:
 *   file    the bytes of the file; RVAs are translated through the section table
 *   mapped  the bytes as they lie in memory; an RVA is an offset from the base
 *
 * The header fields are captured once when the image is opened. The section table and the directories' contents are
 * read where they are: bounds hold even if they change meanwhile, results are then meaningless.
 */
#ifndef ISTHMUS_MACHINE_PE_H
#define ISTHMUS_MACHINE_PE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum PE_ERROR
{
    PeOk = 0,
    PeEnd,             /* iteration: nothing left; lookup: there is none */
    PeNotPe,           /* no MZ or no PE signature */
    PeTruncated,       /* headers or a section's data lie outside the file */
    Pe32Bit,           /* an x86 image */
    PeArm64,           /* an ARM64 image */
    PeWrongMachine,    /* some other processor */
    PeManaged,         /* .NET code */
    PeNotExecutable,   /* not marked as an executable image */
    PeBadHeader,       /* a header field that contradicts another */
    PeBadAlignment,    /* file or section alignment not supported by Windows, or below a page */
    PeTooLarge,        /* SizeOfImage above PE_MAX_IMAGE_SIZE */
    PeBadSection,      /* section table: out of order, overlapping, outside image or file */
    PeBadDirectory,    /* a data directory outside the image */
    PeBadRelocation,   /* broken relocation block, or a kind that PE64 has no use for */
    PeNoRelocations,   /* must move, cannot */
    PeBadExports,
    PeBadImports,
    PeBufferTooSmall,  /* the target of PeMapFile is smaller than SizeOfImage */
} PE_ERROR;

#define PE_MAX_IMAGE_SIZE 0x40000000u
#define PE_MAX_SECTIONS 96u
#define PE_DIRECTORIES 16u
#define PE_PAGE_SIZE 0x1000u
#define PE_MAX_NAME 4096u /* longest symbol or DLL name accepted, with its NUL */

/* Indices of data directories. */
#define PE_DIRECTORY_EXPORT 0u
#define PE_DIRECTORY_IMPORT 1u
#define PE_DIRECTORY_RESOURCE 2u
#define PE_DIRECTORY_EXCEPTION 3u
#define PE_DIRECTORY_SECURITY 4u /* a file offset, not an RVA: not available through PeDirectory */
#define PE_DIRECTORY_RELOCATION 5u
#define PE_DIRECTORY_DEBUG 6u
#define PE_DIRECTORY_TLS 9u
#define PE_DIRECTORY_LOAD_CONFIG 10u
#define PE_DIRECTORY_IAT 12u
#define PE_DIRECTORY_DELAY_IMPORT 13u
#define PE_DIRECTORY_CLR 14u

/* File characteristics. */
#define PE_FILE_RELOCS_STRIPPED 0x0001u
#define PE_FILE_EXECUTABLE_IMAGE 0x0002u
#define PE_FILE_DLL 0x2000u

/* Section characteristics. */
#define PE_SECTION_CODE 0x00000020u
#define PE_SECTION_DISCARDABLE 0x02000000u
#define PE_SECTION_NOT_PAGED 0x08000000u
#define PE_SECTION_SHARED 0x10000000u
#define PE_SECTION_EXECUTE 0x20000000u
#define PE_SECTION_READ 0x40000000u
#define PE_SECTION_WRITE 0x80000000u

/* Subsystems. */
#define PE_SUBSYSTEM_NATIVE 1u
#define PE_SUBSYSTEM_WINDOWS_GUI 2u
#define PE_SUBSYSTEM_WINDOWS_CUI 3u

/* An opened image. Fields are for reading; only the Pe functions write them. */
typedef struct PE_IMAGE
{
    uint8_t *Base;
    size_t Size; /* bytes that may be accessed from Base */
    bool Mapped;

    uint16_t SectionCount;
    uint16_t Characteristics;    /* PE_FILE_ */
    uint16_t DllCharacteristics;
    uint16_t Subsystem;          /* PE_SUBSYSTEM_ */
    uint16_t MajorSubsystemVersion;
    uint16_t MinorSubsystemVersion;
    uint32_t TimeDateStamp;
    uint32_t CheckSum;
    uint32_t HeaderOffset;       /* of the PE signature */
    uint32_t SectionTable;       /* offset of the first section header */
    uint32_t EntryPoint;         /* RVA, 0 = none */
    uint32_t SectionAlignment;
    uint32_t FileAlignment;
    uint32_t SizeOfImage;        /* rounded up to SectionAlignment */
    uint32_t SizeOfHeaders;
    uint64_t ImageBase;
    uint64_t StackReserve;
    uint64_t StackCommit;
    uint64_t HeapReserve;
    uint64_t HeapCommit;
    struct
    {
        uint32_t Rva;
        uint32_t Size;
    } Directories[PE_DIRECTORIES]; /* those the file does not have are 0 */
} PE_IMAGE;

typedef struct PE_SECTION
{
    char Name[9];             /* NUL-terminated */
    uint32_t Rva;
    uint32_t VirtualSize;     /* never 0 */
    uint32_t Extent;          /* VirtualSize rounded up to SectionAlignment: up to the next section */
    uint32_t RawOffset;       /* in the file */
    uint32_t RawSize;         /* bytes of the file that are mapped; the rest up to Extent is zero */
    uint32_t Characteristics; /* PE_SECTION_ */
} PE_SECTION;

typedef struct PE_EXPORT
{
    uint32_t Rva;          /* valid if Forwarder is NULL */
    uint32_t Ordinal;      /* biased: as a program would ask for it */
    const char *Forwarder; /* "DLL.Name" or "DLL.#123", inside the image */
} PE_EXPORT;

typedef struct PE_IMPORT_DLL
{
    const char *Name;
    uint32_t LookupRva;  /* names and ordinals; the address table itself where the linker left none */
    uint32_t AddressRva; /* slots to be filled, 8 bytes each */
} PE_IMPORT_DLL;

typedef struct PE_IMPORT
{
    const char *Name; /* NULL: by ordinal */
    uint16_t Hint;
    uint16_t Ordinal;
    uint32_t SlotRva; /* where the address goes; 8 bytes inside the image */
} PE_IMPORT;

/**
 * Checks a PE64 file for x64 as thoroughly as Windows does when it makes an image section, and directories besides.
 *
 * @param Image  Out: the opened image; holds no resources. Undefined on failure.
 * @param Data   The file's bytes. Not written through this image unless PeRelocate is called, which refuses it.
 * @param Size   The file's size in bytes.
 */
PE_ERROR PeOpenFile(PE_IMAGE *Image, const void *Data, size_t Size);

/**
 * The same for an image as it lies in memory.
 *
 * @param Base  Its first byte.
 * @param Size  Bytes that may be accessed from there; at least SizeOfImage.
 */
PE_ERROR PeOpenMapped(PE_IMAGE *Image, void *Base, size_t Size);

/** A short English text for an error: a predicate about "the file". Never NULL, static. */
const char *PeErrorText(PE_ERROR Error);

/** Section number Index, from 0. PeEnd past the last one. */
PE_ERROR PeSection(const PE_IMAGE *Image, unsigned Index, PE_SECTION *Section);

/** The section that holds Rva (its Extent counts). PeEnd if none does. */
PE_ERROR PeSectionFor(const PE_IMAGE *Image, uint32_t Rva, PE_SECTION *Section);

/** The file offset of [Rva, Rva + Size). PeEnd if a part is not backed by the file. For both layouts. */
PE_ERROR PeRvaToOffset(const PE_IMAGE *Image, uint32_t Rva, uint32_t Size, size_t *Offset);

/** Address of [Rva, Rva + Size) in the buffer, or NULL if a part of it is not there. Not necessarily aligned. */
void *PeAt(const PE_IMAGE *Image, uint32_t Rva, uint32_t Size);

/** The NUL-terminated string at Rva, at most PE_MAX_NAME bytes, or NULL. */
const char *PeString(const PE_IMAGE *Image, uint32_t Rva);

/** Where a data directory lies. PeEnd if the image has none (RVA or size 0), PeBadDirectory if it is not inside. */
PE_ERROR PeDirectory(const PE_IMAGE *Image, unsigned Index, uint32_t *Rva, uint32_t *Size);

/**
 * Lays a file out as an image: headers, sections at their RVAs, zeroes between. Relocates nothing.
 *
 * @param File    Opened by PeOpenFile.
 * @param Target  Receives File->SizeOfImage bytes.
 */
PE_ERROR PeMapFile(const PE_IMAGE *File, void *Target, size_t TargetSize);

/**
 * Adjusts a mapped image to run at NewBase, and says so in its header and in Image->ImageBase. The image need not be
 * at NewBase now, so it can be prepared through another mapping.
 *
 * On failure an unknown part of the image has been adjusted: discard it.
 */
PE_ERROR PeRelocate(PE_IMAGE *Image, uint64_t NewBase);

/** Finds an export by its case-sensitive name. PeEnd if there is none; PeBadExports if the tables are broken. */
PE_ERROR PeFindExport(const PE_IMAGE *Image, const char *Name, PE_EXPORT *Export);

/** Finds an export by its biased ordinal. */
PE_ERROR PeFindExportByOrdinal(const PE_IMAGE *Image, uint32_t Ordinal, PE_EXPORT *Export);

/** Imported DLL number Index, from 0. PeEnd after the last, PeBadImports if the tables are broken. */
PE_ERROR PeImportDll(const PE_IMAGE *Image, unsigned Index, PE_IMPORT_DLL *Dll);

/** Import number Index of a DLL, from 0. PeEnd after the last, PeBadImports if the tables are broken. */
PE_ERROR PeImport(const PE_IMAGE *Image, const PE_IMPORT_DLL *Dll, unsigned Index, PE_IMPORT *Import);

#endif
