/* SPDX-License-Identifier: MIT */
/* Mistakes with locking and unlocking pages. */
#include "misuse.h"

MISUSE(unlock_never_locked)
{
    MmUnlockPages(MisuseMdl(Context->User, PAGE_SIZE));
}

CORRECT(unlock_never_locked)
{
    IoFreeMdl(MisuseMdl(Context->User, PAGE_SIZE));
}

MISUSE(unlock_twice)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    MmUnlockPages(mdl);
    MmUnlockPages(mdl);
}

CORRECT(unlock_twice)
{
    MisuseUnlock(MisuseLocked(Context, FALSE));
}

MISUSE(unlock_nonpaged_pool)
{
    PMDL mdl = MisuseMdl(MisusePool(PAGE_SIZE), PAGE_SIZE);

    MmBuildMdlForNonPagedPool(mdl);
    MmUnlockPages(mdl);
}

CORRECT(unlock_nonpaged_pool)
{
    PVOID pool = MisusePool(PAGE_SIZE);
    PMDL mdl = MisuseMdl(pool, PAGE_SIZE);

    MmBuildMdlForNonPagedPool(mdl);
    IoFreeMdl(mdl);
    MisuseFree(pool);
}

MISUSE(unlock_partial)
{
    PMDL mdl = MisuseLocked(Context, FALSE), part = MisuseMdl(Context->User, PAGE_SIZE);

    IoBuildPartialMdl(mdl, part, Context->User, PAGE_SIZE);
    MmUnlockPages(part);
}

CORRECT(unlock_partial)
{
    PMDL mdl = MisuseLocked(Context, FALSE), part = MisuseMdl(Context->User, PAGE_SIZE);

    IoBuildPartialMdl(mdl, part, Context->User, PAGE_SIZE);
    IoFreeMdl(part);
    MisuseUnlock(mdl);
}

MISUSE(lock_twice)
{
    MmProbeAndLockPages(MisuseLocked(Context, FALSE), UserMode, IoReadAccess);
}

CORRECT(lock_twice)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    MmUnlockPages(mdl);
    MmProbeAndLockPages(mdl, UserMode, IoReadAccess);
    MisuseUnlock(mdl);
}

static VOID LockAt(KIRQL Irql, PMDL Mdl)
{
    KIRQL old = MisuseRaise(Irql);

    MmProbeAndLockPages(Mdl, UserMode, IoReadAccess);
    KeLowerIrql(old);
}

MISUSE(lock_raised)
{
    LockAt(DISPATCH_LEVEL, MisuseMdl(Context->User, PAGE_SIZE));
}

CORRECT(lock_raised)
{
    PMDL mdl = MisuseMdl(Context->User, PAGE_SIZE);
    KIRQL old;

    LockAt(APC_LEVEL, mdl);
    old = MisuseRaise(DISPATCH_LEVEL);
    MmUnlockPages(mdl); /* that may be done here */
    KeLowerIrql(old);
    IoFreeMdl(mdl);
}

MISUSE(lock_high)
{
    LockAt(MISUSE_HIGH, MisuseMdl(Context->User, PAGE_SIZE));
}

CORRECT(lock_high)
{
    Correct_lock_raised(Context);
}

static VOID LockProcessAt(KIRQL Irql, PMDL Mdl)
{
    KIRQL old = MisuseRaise(Irql);

    MmProbeAndLockProcessPages(Mdl, PsGetCurrentProcess(), UserMode, IoReadAccess);
    KeLowerIrql(old);
}

MISUSE(lock_process_high)
{
    LockProcessAt(MISUSE_HIGH, MisuseMdl(Context->User, PAGE_SIZE));
}

CORRECT(lock_process_high)
{
    PMDL mdl = MisuseMdl(Context->User, PAGE_SIZE);

    LockProcessAt(APC_LEVEL, mdl);
    MisuseUnlock(mdl);
}

MISUSE(lock_process_twice)
{
    LockProcessAt(PASSIVE_LEVEL, MisuseLocked(Context, FALSE));
}

CORRECT(lock_process_twice)
{
    Correct_lock_process_high(Context);
}

static PMDL LockSelectedAt(KIRQL Irql, MISUSE_CONTEXT *Context)
{
    FILE_SEGMENT_ELEMENT segments[] = {{.Buffer = Context->User + PAGE_SIZE}, {.Buffer = Context->User}};
    PMDL mdl = MisuseMdl(NULL, 2 * PAGE_SIZE);
    KIRQL old = MisuseRaise(Irql);

    MmProbeAndLockSelectedPages(mdl, segments, UserMode, IoReadAccess);
    KeLowerIrql(old);
    return mdl;
}

MISUSE(lock_selected_high)
{
    LockSelectedAt(MISUSE_HIGH, Context);
}

CORRECT(lock_selected_high)
{
    MisuseUnlock(LockSelectedAt(APC_LEVEL, Context));
}

#define DEVICE_PAGE 0xFEE00000 /* the local APIC: no memory */

static PVOID MapDevice(VOID)
{
    PHYSICAL_ADDRESS device = {.QuadPart = DEVICE_PAGE};

    return MmMapIoSpace(device, PAGE_SIZE, MmNonCached);
}

/* What a device decodes needs no lock, and there is nothing that could be locked. */
MISUSE(lock_not_memory)
{
    MmProbeAndLockPages(MisuseMdl(MapDevice(), PAGE_SIZE), KernelMode, IoReadAccess);
}

CORRECT(lock_not_memory)
{
    PVOID device = MapDevice();

    DbgPrint("misuse: version of the local APIC: %lx\n", *(volatile ULONG *)((PUCHAR)device + 0x30));
    MmUnmapIoSpace(device, PAGE_SIZE);
}

static VOID UnlockAt(KIRQL Irql, PMDL Mdl)
{
    KIRQL old = MisuseRaise(Irql);

    MmUnlockPages(Mdl);
    KeLowerIrql(old);
}

MISUSE(unlock_high)
{
    UnlockAt(MISUSE_HIGH, MisuseLocked(Context, FALSE));
}

CORRECT(unlock_high)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    UnlockAt(DISPATCH_LEVEL, mdl);
    IoFreeMdl(mdl);
}

/* The mistake shows when the process ends. */
MISUSE(locked_at_end)
{
    MisuseLocked(Context, FALSE);
}

CORRECT(locked_at_end)
{
    MisuseUnlock(MisuseLocked(Context, FALSE));
}

static PMDL LockPool(PVOID Pool)
{
    PMDL mdl = MisuseMdl(Pool, PAGE_SIZE);

    MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess);
    MisuseNote("pfn", MmGetMdlPfnArray(mdl)[0]);
    return mdl;
}

MISUSE(pool_freed_locked)
{
    PVOID pool = MisusePool(PAGE_SIZE);

    LockPool(pool);
    MisuseFree(pool);
}

CORRECT(pool_freed_locked)
{
    PVOID pool = MisusePool(PAGE_SIZE);

    MisuseUnlock(LockPool(pool));
    MisuseFree(pool);
}

/* The PFN array is changed, so that one page is unlocked twice and the other never. */
MISUSE(over_unlock)
{
    PMDL mdl = MisuseLocked(Context, FALSE);

    MmGetMdlPfnArray(mdl)[1] = MmGetMdlPfnArray(mdl)[0];
    MmUnlockPages(mdl);
}

/* Two MDLs may lock one page: each unlocks its own. */
CORRECT(over_unlock)
{
    PMDL first = MisuseLocked(Context, FALSE), second = MisuseLocked(Context, FALSE);

    MisuseUnlock(first);
    MisuseUnlock(second);
}
