/* SPDX-License-Identifier: MIT */
/* PE64 images for x64: header checks, sections, addresses. See pe.h. */
#include "pep.h"

#include <string.h>

#define DOS_HEADER_SIZE 64u
#define DOS_LFANEW 60u
#define OPTIONAL_HEADER_SIZE 112u /* without directories */
#define SECTION_HEADER_SIZE 40u

static bool PepIsPowerOfTwo(uint32_t Value)
{
    return Value != 0 && (Value & (Value - 1)) == 0;
}

static uint64_t PepAlign(uint64_t Value, uint32_t Alignment)
{
    return (Value + Alignment - 1) & ~(uint64_t)(Alignment - 1);
}

/* Finds the NT headers and tells foreign kinds of file apart, so that the message can name them. */
static PE_ERROR PepOpenFileHeader(PE_IMAGE *Image, uint32_t *OptionalSize)
{
    const uint8_t *nt;
    uint32_t offset;
    uint16_t machine;

    if (Image->Size < 2 || PepRead16(Image->Base) != 0x5A4D)
    {
        return PeNotPe;
    }
    if (Image->Size < DOS_HEADER_SIZE)
    {
        return PeTruncated;
    }
    offset = PepRead32(Image->Base + DOS_LFANEW);
    if ((offset & 3) != 0)
    {
        return PeNotPe;
    }
    if (offset > Image->Size || Image->Size - offset < PEP_FILE_HEADER_SIZE + OPTIONAL_HEADER_SIZE)
    {
        return PeTruncated;
    }
    nt = Image->Base + offset;
    if (PepRead32(nt) != 0x00004550)
    {
        return PeNotPe;
    }
    machine = PepRead16(nt + 4);
    if (machine != 0x8664)
    {
        return machine == 0x014C ? Pe32Bit : machine == 0xAA64 ? PeArm64 : PeWrongMachine;
    }
    Image->SectionCount = PepRead16(nt + 6);
    Image->TimeDateStamp = PepRead32(nt + 8);
    *OptionalSize = PepRead16(nt + 20);
    Image->Characteristics = PepRead16(nt + 22);
    Image->HeaderOffset = offset;
    Image->SectionTable = offset + PEP_FILE_HEADER_SIZE + *OptionalSize;
    if ((Image->Characteristics & PE_FILE_EXECUTABLE_IMAGE) == 0)
    {
        return PeNotExecutable;
    }
    return *OptionalSize < OPTIONAL_HEADER_SIZE ? PeBadHeader : PeOk;
}

static PE_ERROR PepOpenOptionalHeader(PE_IMAGE *Image, uint32_t OptionalSize)
{
    const uint8_t *header = Image->Base + Image->HeaderOffset + PEP_FILE_HEADER_SIZE;
    uint32_t count;

    if (PepRead16(header) != 0x020B)
    {
        return PepRead16(header) == 0x010B ? Pe32Bit : PeBadHeader;
    }
    Image->EntryPoint = PepRead32(header + 16);
    Image->ImageBase = PepRead64(header + PEP_IMAGE_BASE);
    Image->SectionAlignment = PepRead32(header + 32);
    Image->FileAlignment = PepRead32(header + 36);
    Image->MajorSubsystemVersion = PepRead16(header + 48);
    Image->MinorSubsystemVersion = PepRead16(header + 50);
    Image->SizeOfImage = PepRead32(header + 56);
    Image->SizeOfHeaders = PepRead32(header + 60);
    Image->CheckSum = PepRead32(header + 64);
    Image->Subsystem = PepRead16(header + 68);
    Image->DllCharacteristics = PepRead16(header + 70);
    Image->StackReserve = PepRead64(header + 72);
    Image->StackCommit = PepRead64(header + 80);
    Image->HeapReserve = PepRead64(header + 88);
    Image->HeapCommit = PepRead64(header + 96);

    count = PepRead32(header + 108);
    count = count < PE_DIRECTORIES ? count : PE_DIRECTORIES;
    if (count > (OptionalSize - OPTIONAL_HEADER_SIZE) / 8)
    {
        return PeBadHeader;
    }
    if ((uint64_t)Image->HeaderOffset + PEP_FILE_HEADER_SIZE + OPTIONAL_HEADER_SIZE + 8u * count > Image->Size)
    {
        return PeTruncated;
    }
    for (uint32_t i = 0; i < count; i++)
    {
        Image->Directories[i].Rva = PepRead32(header + OPTIONAL_HEADER_SIZE + 8 * i);
        Image->Directories[i].Size = PepRead32(header + OPTIONAL_HEADER_SIZE + 8 * i + 4);
    }
    return PeOk;
}

static PE_ERROR PepCheckSizes(PE_IMAGE *Image)
{
    uint64_t size;

    if (!PepIsPowerOfTwo(Image->SectionAlignment) || !PepIsPowerOfTwo(Image->FileAlignment) ||
        Image->FileAlignment < 512 || Image->FileAlignment > 0x10000 || Image->SectionAlignment < PE_PAGE_SIZE ||
        Image->SectionAlignment < Image->FileAlignment)
    {
        return PeBadAlignment;
    }
    if (Image->SizeOfImage > PE_MAX_IMAGE_SIZE || Image->SectionAlignment > PE_MAX_IMAGE_SIZE)
    {
        return PeTooLarge;
    }
    size = PepAlign(Image->SizeOfImage, Image->SectionAlignment);
    if (size > PE_MAX_IMAGE_SIZE)
    {
        return PeTooLarge;
    }
    if (size == 0 || Image->SizeOfHeaders > size || Image->EntryPoint >= size || (Image->ImageBase & 0xFFFF) != 0 ||
        Image->ImageBase > UINT64_MAX - size)
    {
        return PeBadHeader;
    }
    Image->SizeOfImage = (uint32_t)size;
    if (Image->SizeOfHeaders > Image->Size || (Image->Mapped && size > Image->Size))
    {
        return PeTruncated;
    }
    if ((uint64_t)Image->SectionTable + SECTION_HEADER_SIZE * (uint64_t)Image->SectionCount > Image->SizeOfHeaders)
    {
        return PeBadHeader;
    }
    return PeOk;
}

/* As in Windows, sections follow each other in the address space without a gap, starting behind the headers. */
static PE_ERROR PepCheckSections(const PE_IMAGE *Image)
{
    uint64_t next = PepAlign(Image->SizeOfHeaders, Image->SectionAlignment);

    if (Image->SectionCount == 0 || Image->SectionCount > PE_MAX_SECTIONS)
    {
        return PeBadSection;
    }
    for (unsigned i = 0; i < Image->SectionCount; i++)
    {
        PE_SECTION section;
        PE_ERROR error = PeSection(Image, i, &section);

        if (error != PeOk)
        {
            return error;
        }
        if (section.Rva != next)
        {
            return PeBadSection;
        }
        next = (uint64_t)section.Rva + section.Extent;
    }
    return PeOk;
}

static PE_ERROR PepCheckDirectories(const PE_IMAGE *Image)
{
    static const uint8_t checked[] = {
        PE_DIRECTORY_EXPORT,     PE_DIRECTORY_IMPORT, PE_DIRECTORY_RESOURCE,    PE_DIRECTORY_EXCEPTION,
        PE_DIRECTORY_RELOCATION, PE_DIRECTORY_TLS,    PE_DIRECTORY_LOAD_CONFIG, PE_DIRECTORY_IAT,
        PE_DIRECTORY_DELAY_IMPORT,
    };

    for (unsigned i = 0; i < sizeof(checked); i++)
    {
        uint32_t rva;
        uint32_t size;

        if (PeDirectory(Image, checked[i], &rva, &size) == PeBadDirectory)
        {
            return PeBadDirectory;
        }
    }
    return Image->Directories[PE_DIRECTORY_CLR].Rva != 0 ? PeManaged : PeOk;
}

static PE_ERROR PepOpen(PE_IMAGE *Image, uint8_t *Base, size_t Size, bool Mapped)
{
    uint32_t optionalSize;
    PE_ERROR error;

    memset(Image, 0, sizeof(*Image));
    Image->Base = Base;
    Image->Size = Size;
    Image->Mapped = Mapped;

    error = PepOpenFileHeader(Image, &optionalSize);
    if (error == PeOk)
    {
        error = PepOpenOptionalHeader(Image, optionalSize);
    }
    if (error == PeOk)
    {
        error = PepCheckSizes(Image);
    }
    if (error == PeOk)
    {
        error = PepCheckSections(Image);
    }
    if (error == PeOk)
    {
        error = PepCheckDirectories(Image);
    }
    return error;
}

PE_ERROR PeOpenFile(PE_IMAGE *Image, const void *Data, size_t Size)
{
    /* The file layout is never written through: PeAt alone hands the address out. */
    return PepOpen(Image, (uint8_t *)(uintptr_t)Data, Size, false);
}

PE_ERROR PeOpenMapped(PE_IMAGE *Image, void *Base, size_t Size)
{
    return PepOpen(Image, Base, Size, true);
}

PE_ERROR PeSection(const PE_IMAGE *Image, unsigned Index, PE_SECTION *Section)
{
    const uint8_t *header;
    uint64_t extent;

    if (Index >= Image->SectionCount)
    {
        return PeEnd;
    }
    header = Image->Base + Image->SectionTable + SECTION_HEADER_SIZE * Index;
    memcpy(Section->Name, header, 8);
    Section->Name[8] = '\0';
    Section->VirtualSize = PepRead32(header + 8);
    Section->Rva = PepRead32(header + 12);
    Section->RawSize = PepRead32(header + 16);
    Section->RawOffset = PepRead32(header + 20);
    Section->Characteristics = PepRead32(header + 36);

    if (Section->VirtualSize == 0)
    {
        Section->VirtualSize = Section->RawSize;
    }
    extent = PepAlign(Section->VirtualSize, Image->SectionAlignment);
    if (extent == 0 || Section->Rva < Image->SizeOfHeaders || (Section->Rva & (Image->SectionAlignment - 1)) != 0 ||
        Section->Rva + extent > Image->SizeOfImage)
    {
        return PeBadSection;
    }
    Section->Extent = (uint32_t)extent;
    if (Section->RawOffset == 0 || Section->RawSize == 0)
    {
        Section->RawOffset = 0;
        Section->RawSize = 0;
        return PeOk;
    }
    if (!Image->Mapped)
    {
        if ((Section->RawOffset & 511) != 0)
        {
            return PeBadSection;
        }
        if (Section->RawOffset > Image->Size || Section->RawSize > Image->Size - Section->RawOffset)
        {
            return PeTruncated;
        }
    }
    Section->RawSize = Section->RawSize < Section->Extent ? Section->RawSize : Section->Extent;
    return PeOk;
}

PE_ERROR PeSectionFor(const PE_IMAGE *Image, uint32_t Rva, PE_SECTION *Section)
{
    for (unsigned i = 0; i < Image->SectionCount; i++)
    {
        PE_ERROR error = PeSection(Image, i, Section);

        if (error != PeOk)
        {
            return error;
        }
        if (Rva >= Section->Rva && Rva - Section->Rva < Section->Extent)
        {
            return PeOk;
        }
    }
    return PeEnd;
}

/* The file offset of Rva and how many bytes follow it without a break; 0 bytes if the file has nothing there. */
static uint32_t PepFileSpan(const PE_IMAGE *Image, uint32_t Rva, size_t *Offset)
{
    PE_SECTION section;
    uint32_t delta;

    if (Rva < Image->SizeOfHeaders)
    {
        *Offset = Rva;
        return Image->SizeOfHeaders - Rva;
    }
    if (PeSectionFor(Image, Rva, &section) != PeOk)
    {
        return 0;
    }
    delta = Rva - section.Rva;
    *Offset = (size_t)section.RawOffset + delta;
    return delta < section.RawSize ? section.RawSize - delta : 0;
}

/* The address of Rva and how many bytes may be accessed from there. */
static uint8_t *PepSpan(const PE_IMAGE *Image, uint32_t Rva, uint32_t *Size)
{
    size_t offset = Rva;

    if (Image->Mapped)
    {
        *Size = Rva < Image->SizeOfImage ? Image->SizeOfImage - Rva : 0;
    }
    else
    {
        *Size = PepFileSpan(Image, Rva, &offset);
    }
    return *Size != 0 ? Image->Base + offset : NULL;
}

PE_ERROR PeRvaToOffset(const PE_IMAGE *Image, uint32_t Rva, uint32_t Size, size_t *Offset)
{
    uint32_t span = PepFileSpan(Image, Rva, Offset);

    return span == 0 || span < Size ? PeEnd : PeOk;
}

void *PeAt(const PE_IMAGE *Image, uint32_t Rva, uint32_t Size)
{
    uint32_t span;
    uint8_t *at = PepSpan(Image, Rva, &span);

    return span < Size ? NULL : at;
}

const char *PeString(const PE_IMAGE *Image, uint32_t Rva)
{
    uint32_t span;
    const char *string = (const char *)PepSpan(Image, Rva, &span);

    span = span < PE_MAX_NAME ? span : PE_MAX_NAME;
    for (uint32_t i = 0; i < span; i++)
    {
        if (string[i] == '\0')
        {
            return string;
        }
    }
    return NULL;
}

PE_ERROR PeDirectory(const PE_IMAGE *Image, unsigned Index, uint32_t *Rva, uint32_t *Size)
{
    if (Index >= PE_DIRECTORIES || Index == PE_DIRECTORY_SECURITY)
    {
        return PeBadDirectory;
    }
    *Rva = Image->Directories[Index].Rva;
    *Size = Image->Directories[Index].Size;
    if (*Rva == 0 || *Size == 0)
    {
        return PeEnd;
    }
    return *Rva >= Image->SizeOfImage || *Size > Image->SizeOfImage - *Rva ? PeBadDirectory : PeOk;
}

PE_ERROR PeMapFile(const PE_IMAGE *File, void *Target, size_t TargetSize)
{
    uint8_t *target = Target;
    uint32_t done = File->SizeOfHeaders;

    if (File->Mapped)
    {
        return PeBadHeader;
    }
    if (TargetSize < File->SizeOfImage)
    {
        return PeBufferTooSmall;
    }
    memcpy(target, File->Base, done);
    for (unsigned i = 0; i < File->SectionCount; i++)
    {
        PE_SECTION section;
        PE_ERROR error = PeSection(File, i, &section);

        if (error != PeOk || section.Rva < done)
        {
            return error != PeOk ? error : PeBadSection;
        }
        memset(target + done, 0, section.Rva - done);
        memcpy(target + section.Rva, File->Base + section.RawOffset, section.RawSize);
        done = section.Rva + section.RawSize;
    }
    memset(target + done, 0, File->SizeOfImage - done);
    return PeOk;
}

const char *PeErrorText(PE_ERROR Error)
{
    static const char *const texts[] = {
        [PeOk] = "is valid",
        [PeEnd] = "has no such entry",
        [PeNotPe] = "is not a PE file",
        [PeTruncated] = "is cut off",
        [Pe32Bit] = "is a 32-bit image; only x64 images run here",
        [PeArm64] = "is an ARM64 image; only x64 images run here",
        [PeWrongMachine] = "is an image for another processor; only x64 images run here",
        [PeManaged] = "holds .NET code, which needs a runtime that is not there",
        [PeNotExecutable] = "is not marked as an executable image",
        [PeBadHeader] = "has a broken header",
        [PeBadAlignment] = "has an unsupported section or file alignment",
        [PeTooLarge] = "is too large an image",
        [PeBadSection] = "has a broken section table",
        [PeBadDirectory] = "has a data directory outside the image",
        [PeBadRelocation] = "has broken relocations",
        [PeNoRelocations] = "has no relocations and cannot be moved",
        [PeBadExports] = "has a broken export table",
        [PeBadImports] = "has a broken import table",
        [PeBufferTooSmall] = "does not fit its buffer",
    };

    if ((unsigned)Error >= sizeof(texts) / sizeof(texts[0]))
    {
        return "has an unknown defect";
    }
    return texts[Error];
}
