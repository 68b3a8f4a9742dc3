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

MISUSE(lock_raised)
{
    PMDL mdl = MisuseMdl(Context->User, PAGE_SIZE);
    KIRQL irql;

    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    MmProbeAndLockPages(mdl, UserMode, IoReadAccess);
    KeLowerIrql(irql);
}

CORRECT(lock_raised)
{
    PMDL mdl = MisuseMdl(Context->User, PAGE_SIZE);
    KIRQL irql;

    MmProbeAndLockPages(mdl, UserMode, IoReadAccess);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    MmUnlockPages(mdl); /* that may be done here */
    KeLowerIrql(irql);
    IoFreeMdl(mdl);
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
