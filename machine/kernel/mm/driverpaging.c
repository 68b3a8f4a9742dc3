/* SPDX-License-Identifier: MIT */
/*
 * The calls by which drivers page their own code in and out. Driver images are resident from load to unload unless a
 * mode of the verifier pages them (pageable.c); without one, the calls keep their contracts about arguments and results.
 */
#include "mmp.h"

/* A handle is the section's record, or the base of the image if the address lies in no pageable section. */
static PVOID MipSectionHandle(PVOID AddressOrHandle, BOOLEAN Lock)
{
    MI_PAGEABLE_SECTION *section = MiFindPageableSection(AddressOrHandle);
    const LDR_MODULE *module;

    if (section != NULL)
    {
        MiLockSection(section, Lock);
        return section;
    }
    module = LdrFindModule(AddressOrHandle, NULL);
    if (module == NULL)
    {
        KeBugCheckEx(MEMORY_MANAGEMENT, 0x1234, (ULONG_PTR)AddressOrHandle, 1, 0);
    }
    return module->Base;
}

/**
 * Makes the section of a driver image that holds an address resident, and keeps it so.
 *
 * @return a handle for MmLockPagableSectionByHandle and MmUnlockPagableImageSection. An address outside any driver is
 *         bug check 1A, as it is a call that Windows cannot survive either.
 * IRQL <= APC_LEVEL.
 */
PVOID NTAPI MmLockPagableDataSection(_In_ PVOID AddressWithinSection)
{
    return MipSectionHandle(AddressWithinSection, TRUE);
}

/** Locks a section again by its handle. IRQL <= APC_LEVEL. */
VOID NTAPI MmLockPagableSectionByHandle(_In_ PVOID ImageSectionHandle)
{
    (VOID)MipSectionHandle(ImageSectionHandle, TRUE);
}

/** Undoes one lock. IRQL <= APC_LEVEL. */
VOID NTAPI MmUnlockPagableImageSection(_In_ PVOID ImageSectionHandle)
{
    (VOID)MipSectionHandle(ImageSectionHandle, FALSE);
}

/** Makes a driver's whole image pageable, whatever its sections are called. Returns the image's base. <= APC_LEVEL. */
PVOID NTAPI MmPageEntireDriver(_In_ PVOID AddressWithinSection)
{
    const LDR_MODULE *module = LdrFindModule(AddressWithinSection, NULL);

    if (module == NULL)
    {
        return NULL;
    }
    MmAddPageableSection(module->Base, module->Size, TRUE);
    return module->Base;
}

/** Takes MmPageEntireDriver back: what is pageable by its section's name stays so. <= APC_LEVEL. */
VOID NTAPI MmResetDriverPaging(_In_ PVOID AddressWithinSection)
{
    const LDR_MODULE *module = LdrFindModule(AddressWithinSection, NULL);

    if (module != NULL)
    {
        MiForgetSections(module->Base, module->Size, TRUE);
    }
}

/**
 * Says or asks whether the contents of an MDL's pages may change while it is in use.
 *
 * @param State  MmMdlPageContentsDynamic, MmMdlPageContentsInvariant, or MmMdlPageContentsQuery
 * @return the state before. IRQL any.
 */
MM_MDL_PAGE_CONTENTS_STATE NTAPI MmMdlPageContentsState(_Inout_ PMDL MemoryDescriptorList,
                                                        _In_ MM_MDL_PAGE_CONTENTS_STATE State)
{
    const CSHORT invariant = 0x4000; /* MDL_PAGE_CONTENTS_INVARIANT */
    BOOLEAN before = (MemoryDescriptorList->MdlFlags & invariant) != 0;

    if (State == MmMdlPageContentsInvariant)
    {
        MemoryDescriptorList->MdlFlags |= invariant;
    }
    else if (State == MmMdlPageContentsDynamic)
    {
        MemoryDescriptorList->MdlFlags &= ~invariant;
    }
    return before ? MmMdlPageContentsInvariant : MmMdlPageContentsDynamic;
}
