/* SPDX-License-Identifier: MIT */
/* ntoskrnl.exe: from a member of the archive to a mapped image. */
#include "boot.h"
#include "pe.h"
#include "random.h"

static const char KernelPath[] = "Windows/System32/ntoskrnl.exe";
static const char KernelName[] = "ntoskrnl.exe";

static void KernelCheck(PE_ERROR Error)
{
    if (Error != PeOk)
    {
        BootRefuse(KernelName, PeErrorText(Error));
    }
}

static void KernelOpen(const ARCHIVE *Archive, PE_IMAGE *File)
{
    ARCHIVE_MEMBER member;
    ARCHIVE_ERROR error = ArchiveFind(Archive, KernelPath, &member);
    PE_SECTION section;

    if (error == ArchiveEnd)
    {
        BootRefuse(KernelName, "is not in the archive's Windows/System32");
    }
    if (error != ArchiveOk)
    {
        BootRefuse("the archive cannot be read:", ArchiveErrorText(error));
    }
    KernelCheck(PeOpenFile(File, member.Data, member.Size));
    if (File->Subsystem != PE_SUBSYSTEM_NATIVE)
    {
        BootRefuse(KernelName, "is not an image of the native subsystem");
    }
    if (File->EntryPoint == 0 || PeSectionFor(File, File->EntryPoint, &section) != PeOk ||
        (section.Characteristics & PE_SECTION_EXECUTE) == 0)
    {
        BootRefuse(KernelName, "has no entry point in executable code");
    }
}

/* Maps headers read-only and each section as its characteristics say. */
static void KernelMap(const PE_IMAGE *Image, MEMORY_MAP *Map, uint64_t Pml4, uint64_t Physical)
{
    for (unsigned i = 0; i < Image->SectionCount; i++)
    {
        PE_SECTION section;
        bool write;
        bool execute;

        KernelCheck(PeSection(Image, i, &section));
        write = (section.Characteristics & PE_SECTION_WRITE) != 0;
        execute = (section.Characteristics & PE_SECTION_EXECUTE) != 0;
        if (write && execute)
        {
            BootRefuse(KernelName, "has a section that is both writable and executable");
        }
        if (i == 0)
        {
            /* Everything before the first section is header. */
            PagingMap(Map, Pml4, Image->ImageBase, Physical, section.Rva, false, false);
        }
        PagingMap(Map, Pml4, Image->ImageBase + section.Rva, Physical + section.Rva, section.Extent, write, execute);
    }
}

uint64_t KernelLoad(const ARCHIVE *Archive, MEMORY_MAP *Map, uint64_t Random, BOOT_BLOCK *Block)
{
    PE_IMAGE file;
    PE_IMAGE image;
    uint64_t physical;
    void *memory;

    KernelOpen(Archive, &file);
    if (!MemoryMapAllocate(Map, BOOT_LARGE_PAGE_SIZE, BOOT_4GB, file.SizeOfImage, BootMemoryKernelImage, &physical))
    {
        BootRefuse(KernelName, "does not fit into memory; give the machine more");
    }
    memory = (void *)(uintptr_t)physical;
    KernelCheck(PeMapFile(&file, memory, file.SizeOfImage));
    KernelCheck(PeOpenMapped(&image, memory, file.SizeOfImage));
    Block->KernelPreferredBase = image.ImageBase;
    KernelCheck(PeRelocate(&image, BootKernelBase(Random, image.SizeOfImage)));
    KernelMap(&image, Map, Block->Pml4Physical, physical);

    Block->KernelBase = image.ImageBase;
    Block->KernelPhysical = physical;
    Block->KernelSize = image.SizeOfImage;
    return image.ImageBase + image.EntryPoint;
}
