/* SPDX-License-Identifier: MIT */
/*
 * Loading and unloading driver images.
 *
 *   file bytes -> checked -> laid out at a random base -> relocated -> imports bound -> sections protected
 *
 * Everything up to the last step happens in writable memory; nothing of the image runs before it is protected.
 */
#include "ex.h"
#include "ke.h"
#include "hal.h"
#include "ldrp.h"
#include "mm.h"
#include "rtl.h"
#include "vf.h"

static NTSTATUS LdrpStatusOf(PE_ERROR Error)
{
    switch (Error)
    {
    case PeOk:
        return STATUS_SUCCESS;
    case Pe32Bit:
    case PeArm64:
    case PeWrongMachine:
        return STATUS_IMAGE_MACHINE_TYPE_MISMATCH;
    case PeNoRelocations:
        return STATUS_CONFLICTING_ADDRESSES;
    default:
        return STATUS_INVALID_IMAGE_FORMAT;
    }
}

static NTSTATUS LdrpRefuse(PCUNICODE_STRING Name, PE_ERROR Error)
{
    HalPrint(HalStreamError, "%wZ: the file %s\n", Name, PeErrorText(Error));
    return LdrpStatusOf(Error);
}

/**
 * Gives the image its stack-protection cookie. Drivers built since Windows 8 rely on the loader for it: their start-up
 * code stops the machine if it still finds the linker's default.
 */
static VOID LdrpInitializeCookie(const PE_IMAGE *Image)
{
    const ULONG cookieField = 0x58; /* IMAGE_LOAD_CONFIG_DIRECTORY64.SecurityCookie, a virtual address */
    ULONG64 cookie = ExGenRandom64() & 0x0000FFFFFFFFFFFFULL; /* 16 zero bits stop string overruns */
    ULONG64 va = 0;
    uint32_t rva, size;
    PVOID field, target;

    if (PeDirectory(Image, PE_DIRECTORY_LOAD_CONFIG, &rva, &size) != PeOk || size < cookieField + sizeof(va))
    {
        return;
    }
    field = PeAt(Image, rva + cookieField, sizeof(va));
    if (field == NULL)
    {
        return;
    }
    RtlCopyMemory(&va, field, sizeof(va));
    if (va - Image->ImageBase < Image->SizeOfImage)
    {
        target = PeAt(Image, (ULONG)(va - Image->ImageBase), sizeof(cookie));
        if (target != NULL)
        {
            RtlCopyMemory(target, &cookie, sizeof(cookie));
        }
    }
}

static ULONG LdrpProtectionOf(ULONG Characteristics)
{
    BOOLEAN write = (Characteristics & PE_SECTION_WRITE) != 0;

    /* Older linkers mark INIT both writable and executable, and Windows takes that; so do we, for that section's short life. */
    if (Characteristics & PE_SECTION_EXECUTE)
    {
        return write ? PAGE_EXECUTE_READWRITE : PAGE_EXECUTE_READ;
    }
    return write ? PAGE_READWRITE : PAGE_READONLY;
}

static NTSTATUS LdrpProtectSections(const LDR_MODULE *Module, const PE_IMAGE *Image)
{
    NTSTATUS status = MmProtectSystemImage(Module->Base, ROUND_TO_PAGES(Image->SizeOfHeaders), PAGE_READONLY);
    PE_SECTION section;

    for (unsigned i = 0; NT_SUCCESS(status) && PeSection(Image, i, &section) == PeOk; i++)
    {
        status = MmProtectSystemImage((PUCHAR)Module->Base + section.Rva, section.Extent, LdrpProtectionOf(section.Characteristics));
    }
    return status;
}

/* Force-IRQL wants to see where the image's code changes the IRQL. (Not only functions of the exception directory: those
   without a stack frame are not in it.) */
static VOID LdrpPatchCode(const PE_IMAGE *Image)
{
    PE_SECTION section;

    for (unsigned i = 0; MmForceIrql && PeSection(Image, i, &section) == PeOk; i++)
    {
        PVOID code = (section.Characteristics & PE_SECTION_EXECUTE) ? PeAt(Image, section.Rva, section.VirtualSize) : NULL;
        if (code != NULL)
        {
            KePatchIrqlWrites(code, section.VirtualSize);
        }
    }
}

/* Sections that Windows pages: those named PAGE*, and the export table. */
static VOID LdrpPageSections(const LDR_MODULE *Module, const PE_IMAGE *Image)
{
    PE_SECTION section;

    for (unsigned i = 0; PeSection(Image, i, &section) == PeOk; i++)
    {
        if (strncmp(section.Name, "PAGE", 4) == 0 || strncmp(section.Name, ".eda", 4) == 0)
        {
            MmAddPageableSection((PUCHAR)Module->Base + section.Rva, section.Extent, FALSE);
        }
    }
}

NTSTATUS LdrLoadImage(PCUNICODE_STRING FileName, const VOID *File, SIZE_T FileSize, LDR_MODULE **Module)
{
    NTSTATUS status;
    PE_IMAGE file, image;
    PE_ERROR error;
    LDR_MODULE *module = NULL;
    PVOID base = NULL;
    ULONG size = 0;

    if (LdrpFindModuleByName(FileName) != NULL)
    {
        return STATUS_IMAGE_ALREADY_LOADED;
    }
    error = PeOpenFile(&file, File, FileSize);
    if (error == PeOk && (file.EntryPoint == 0 || file.Subsystem != PE_SUBSYSTEM_NATIVE))
    {
        error = PeBadHeader; /* a driver has an entry point and the native subsystem */
    }
    if (error != PeOk)
    {
        return LdrpRefuse(FileName, error);
    }

    size = (ULONG)ROUND_TO_PAGES(file.SizeOfImage);
    module = LdrpAllocateModule(FileName);
    base = MmAllocateSystemImage(size);
    if (module == NULL || base == NULL)
    {
        status = STATUS_INSUFFICIENT_RESOURCES;
        goto Exit;
    }
    error = PeMapFile(&file, base, size);
    if (error == PeOk)
    {
        error = PeOpenMapped(&image, base, size);
    }
    if (error == PeOk)
    {
        error = PeRelocate(&image, (ULONG64)base);
    }
    if (error != PeOk)
    {
        status = LdrpRefuse(FileName, error);
        goto Exit;
    }
    module->Base = base;
    module->Size = size;
    module->EntryPoint = (PUCHAR)base + image.EntryPoint;
    LdrpInitializeCookie(&image);
    status = LdrpBindImports(module, &image);
    if (!NT_SUCCESS(status))
    {
        goto Exit;
    }
    LdrpPatchCode(&image);
    status = LdrpProtectSections(module, &image);
    if (!NT_SUCCESS(status))
    {
        LdrpReleaseImports(module, &image);
        goto Exit;
    }
    LdrpPageSections(module, &image);
    WriteRelease(&module->State, LdrModuleLoaded);
    *Module = module;
    module = NULL;
    base = NULL;

Exit:
    if (module != NULL)
    {
        module->Base = NULL;
        module->Size = 0;
        WriteRelease(&module->State, LdrModuleFree);
    }
    if (base != NULL)
    {
        MmFreeSystemImage(base, size);
    }
    return status;
}

VOID LdrDiscardInitSections(LDR_MODULE *Module)
{
    PE_IMAGE image;
    PE_SECTION section;

    if (PeOpenMapped(&image, Module->Base, Module->Size) != PeOk)
    {
        return;
    }
    for (unsigned i = 0; PeSection(&image, i, &section) == PeOk; i++)
    {
        if ((section.Characteristics & (PE_SECTION_DISCARDABLE | PE_SECTION_EXECUTE)) == (PE_SECTION_DISCARDABLE | PE_SECTION_EXECUTE))
        {
            /* Code that stays reachable here would be a bug that bites on Windows as well: let it bite. */
            (VOID)MmProtectSystemImage((PUCHAR)Module->Base + section.Rva, section.Extent, PAGE_NOACCESS);
        }
    }
}

/* Pool that the image's code allocated and did not free: the verifier's rule 62, with the driver's name. */
static VOID LdrpCheckPool(LDR_MODULE *Module)
{
    static UNICODE_STRING name; /* the bug check's, if there is one */
    LONG64 bytes;
    LONG64 blocks = VfOption(VfChecks) ? MmCountImagePool(Module->Base, Module->Size, &bytes) : 0;

    if (blocks != 0)
    {
        MmPrintLeftoverPool();
        RtlInitUnicodeString(&name, Module->Name);
        VfCheck(FALSE, 0x62, (ULONG_PTR)&name, (ULONG_PTR)Module, (ULONG_PTR)blocks);
    }
}

VOID LdrUnloadImage(LDR_MODULE *Module)
{
    PE_IMAGE image;

    if (VfOption(VfChecks))
    {
        /* C7, C4 and E4: what would still call or touch the image. (Driver Verifier, automatic checks: unload) */
        KeCheckForTimer(Module->Base, Module->Size);
        ExCheckForLive(Module->Base, Module->Size);
        ExCheckForWorker(Module->Base, Module->Size);
    }
    LdrpCheckPool(Module);
    if (PeOpenMapped(&image, Module->Base, Module->Size) == PeOk)
    {
        LdrpReleaseImports(Module, &image);
    }
    WriteRelease(&Module->State, LdrModuleUnloaded);
    MmFreeSystemImage(Module->Base, Module->Size);
}
