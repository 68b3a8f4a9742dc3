/* SPDX-License-Identifier: MIT */
/* What Windows does and its verifier forbids: run with the verifier off. */
#include "mdllib.h"

#define APIC 0xFEE00000ULL

/* The verifier's rule 6F is against that. */
VOID KtGroup_mdl_unchecked(KTEST_RUN *Run)
{
    PHYSICAL_ADDRESS apic = {.QuadPart = APIC};
    PVOID mapped = MmMapIoSpace(apic, PAGE_SIZE, MmNonCached);
    PMDL locked = IoAllocateMdl(mapped, 64, FALSE, FALSE, NULL);

    KT_COVERS("MmProbeAndLockPages, MmUnlockPages", "pages outside RAM get MDL_IO_SPACE with the lock and lose it "
              "with the unlock; there is nothing to count in them", "MDL_IO_SPACE: page outside the PFN database");
    CHECK_STATUS(KtLock(locked, KernelMode, IoReadAccess), STATUS_SUCCESS);
    CHECK_EQUAL(KtState(locked), MDL_PAGES_LOCKED | MDL_IO_SPACE);
    CHECK_EQUAL(MmGetMdlPfnArray(locked)[0], APIC >> PAGE_SHIFT);
    MmUnlockPages(locked);
    CHECK_EQUAL(KtState(locked), 0);
    IoFreeMdl(locked);
    MmUnmapIoSpace(mapped, PAGE_SIZE);
}
