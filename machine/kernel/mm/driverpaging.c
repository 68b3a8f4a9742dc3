/* SPDX-License-Identifier: MIT */
/*
 * The calls by which drivers page their own code in and out. Driver images are resident here from load to unload, so a
 * lock holds from the start; the calls keep their contracts about arguments and results.
 */
#include "mmp.h"

/**
 * Locks the section of a driver image that holds an address.
 *
 * @return a handle for MmLockPagableSectionByHandle and MmUnlockPagableImageSection: the image's base. An address
 *         outside any driver is bug check 1A, as it is a call that Windows cannot survive either.
 * IRQL <= APC_LEVEL.
 */
PVOID NTAPI MmLockPagableDataSection(_In_ PVOID AddressWithinSection)
{
    const LDR_MODULE *module = LdrFindModule(AddressWithinSection, NULL);

    if (module == NULL)
    {
        KeBugCheckEx(MEMORY_MANAGEMENT, 0x1234, (ULONG_PTR)AddressWithinSection, 1, 0);
    }
    return module->Base;
}

/** Locks a section again by its handle. IRQL <= APC_LEVEL. */
VOID NTAPI MmLockPagableSectionByHandle(_In_ PVOID ImageSectionHandle)
{
    (VOID)MmLockPagableDataSection(ImageSectionHandle);
}

/** Undoes one lock. IRQL <= APC_LEVEL. */
VOID NTAPI MmUnlockPagableImageSection(_In_ PVOID ImageSectionHandle)
{
    (VOID)MmLockPagableDataSection(ImageSectionHandle); /* checks the handle */
}

/** Allows a driver's whole image to be paged, which the machine then makes no use of. Returns the image's base. */
PVOID NTAPI MmPageEntireDriver(_In_ PVOID AddressWithinSection)
{
    const LDR_MODULE *module = LdrFindModule(AddressWithinSection, NULL);

    return module != NULL ? module->Base : NULL;
}

/** Takes MmPageEntireDriver back. */
VOID NTAPI MmResetDriverPaging(_In_ PVOID AddressWithinSection)
{
    UNREFERENCED_PARAMETER(AddressWithinSection);
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
