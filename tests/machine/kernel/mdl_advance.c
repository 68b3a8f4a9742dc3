/* SPDX-License-Identifier: MIT */
/* The start of an MDL moved forward: locked, mapped, of pool, of a part, to the very end. */
#include "mdllib.h"

typedef struct _BUFFER
{
    PUCHAR Base, Va;
    ULONG Size;
    PMDL Mdl;
} BUFFER;

static BOOLEAN Open(KTEST_RUN *Run, BUFFER *Buffer, ULONG Offset, ULONG Size)
{
    Buffer->Base = KtUserAllocate(Run, Offset + Size, PAGE_READWRITE);
    Buffer->Va = Buffer->Base + Offset;
    Buffer->Size = Size;
    Buffer->Mdl = IoAllocateMdl(Buffer->Va, Size, FALSE, FALSE, NULL);
    CHECK(Buffer->Mdl != NULL);
    if (Buffer->Base == NULL || Buffer->Mdl == NULL)
    {
        return FALSE;
    }
    KtFill(Buffer->Va, Size, 12);
    CHECK_STATUS(KtLock(Buffer->Mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    return TRUE;
}

static VOID Close(KTEST_RUN *Run, BUFFER *Buffer)
{
    MmUnlockPages(Buffer->Mdl);
    CHECK_EQUAL(KtState(Buffer->Mdl) & (MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA), 0);
    IoFreeMdl(Buffer->Mdl);
    KtUserFree(Buffer->Base);
}

/* Step by step over a buffer, checking all fields; the sum of the steps is Total. */
static VOID Walk(KTEST_RUN *Run, BUFFER *Buffer, const ULONG *Steps, ULONG Count, BOOLEAN Map)
{
    PUCHAR view = Map ? MmGetSystemAddressForMdlSafe(Buffer->Mdl, NormalPagePriority) : NULL;
    ULONG flags = KtFlags(Buffer->Mdl), at = 0;

    CHECK(!Map || view != NULL);
    for (ULONG i = 0; i < Count; i++)
    {
        PMDL mdl = Buffer->Mdl;
        CHECK_STATUS(MmAdvanceMdl(mdl, Buffer->Size - at + 1), STATUS_INVALID_PARAMETER_2);
        CHECK_STATUS(MmAdvanceMdl(mdl, Steps[i]), STATUS_SUCCESS);
        at += Steps[i];
        CHECK(MmGetMdlVirtualAddress(mdl) == Buffer->Va + at);
        CHECK_EQUAL(mdl->ByteCount, Buffer->Size - at);
        CHECK_EQUAL(mdl->ByteOffset, BYTE_OFFSET(Buffer->Va + at));
        CHECK_EQUAL(KtFlags(mdl), flags);
        CHECK(!Map || mdl->MappedSystemVa == view + at);
        if (at < Buffer->Size)
        {
            CHECK_EQUAL(MmGetMdlPfnArray(mdl)[0], KtPfn(Buffer->Va + at));
            CHECK(!Map || memcmp(view + at, Buffer->Va + at, Buffer->Size - at) == 0);
        }
        if (Map && (ULONG_PTR)PAGE_ALIGN(view + at) != (ULONG_PTR)PAGE_ALIGN(view))
        {
            CHECK(!MmIsAddressValid((PUCHAR)PAGE_ALIGN(view + at) - 1)); /* what was passed has no address any more */
        }
    }
    KtSay(Run, "advanced by 0x%lX of 0x%lX bytes in %lu steps, flags 0x%04lX", at, Buffer->Size, Count, flags);
}

static VOID TestWalks(KTEST_RUN *Run)
{
    static const ULONG bits[] = {1, 0x7FF, 0x900, 0, PAGE_SIZE, 3 * PAGE_SIZE + 5};
    static const ULONG whole[] = {PAGE_SIZE, 2 * PAGE_SIZE, PAGE_SIZE};
    BUFFER buffer;

    for (ULONG map = 0; map < 2; map++)
    {
        KT_COVERS("MmAdvanceMdl", "moves StartVa, ByteOffset, ByteCount, the PFNs and a kernel view's address; the "
                  "flags stay; STATUS_INVALID_PARAMETER_2 past the end changes nothing", "DDI MmAdvanceMdl");
        if (Open(Run, &buffer, 0x234, 7 * PAGE_SIZE))
        {
            Walk(Run, &buffer, bits, RTL_NUMBER_OF(bits), map != 0);
            Close(Run, &buffer);
        }
        KT_COVERS("MmAdvanceMdl, MmUnlockPages", "up to the very end: an MDL of no bytes and no pages, whose unlock "
                  "finds nothing left to do", "DDI MmAdvanceMdl: only beyond the end is an error");
        if (Open(Run, &buffer, 0, 4 * PAGE_SIZE))
        {
            Walk(Run, &buffer, whole, RTL_NUMBER_OF(whole), map != 0);
            CHECK_EQUAL(buffer.Mdl->ByteCount, 0);
            Close(Run, &buffer);
        }
    }
}

/* The skipped pages are nobody's any more: they can leave memory, which a locked page cannot. */
static VOID TestUnlocked(KTEST_RUN *Run)
{
    BUFFER buffer;

    KT_COVERS("MmAdvanceMdl", "whole pages that are passed are unlocked at once, a page passed in part is not", "DDI");
    if (!Open(Run, &buffer, 0, 4 * PAGE_SIZE))
    {
        return;
    }
    CHECK_STATUS(MmAdvanceMdl(buffer.Mdl, 2 * PAGE_SIZE + 100), STATUS_SUCCESS);
    for (ULONG i = 0; i < 4; i++)
    {
        ULONG locked = KtLockedPages(buffer.Va + i * PAGE_SIZE, 1);
        KtSay(Run, "page %lu: locked %lu", i, locked);
        CHECK_EQUAL(locked, i >= 2);
    }
    Close(Run, &buffer);

    KT_COVERS("MmAdvanceMdl, IoFreeMdl", "after the very end no page is locked, and the MDL may be freed without "
              "MmUnlockPages", "ours: the page says only that skipped pages are unlocked");
    if (Open(Run, &buffer, 0, 4 * PAGE_SIZE))
    {
        CHECK_STATUS(MmAdvanceMdl(buffer.Mdl, 4 * PAGE_SIZE), STATUS_SUCCESS);
        CHECK_EQUAL(KtLockedPages(buffer.Va, 4), 0);
        IoFreeMdl(buffer.Mdl);
        KtUserFree(buffer.Base);
    }
}

static VOID TestOthers(KTEST_RUN *Run)
{
    PUCHAR pool = ExAllocatePoolWithTag(NonPagedPoolNx, 3 * PAGE_SIZE, KT_TAG), view;
    PMDL mdl = IoAllocateMdl(pool, 3 * PAGE_SIZE, FALSE, FALSE, NULL), part;
    BUFFER buffer;

    KT_COVERS("MmAdvanceMdl", "an MDL of nonpaged pool moves on within the pool's own addresses", "DDI");
    MmBuildMdlForNonPagedPool(mdl);
    CHECK_STATUS(MmAdvanceMdl(mdl, PAGE_SIZE + 9), STATUS_SUCCESS);
    CHECK(mdl->MappedSystemVa == pool + PAGE_SIZE + 9);
    CHECK(MmGetMdlVirtualAddress(mdl) == pool + PAGE_SIZE + 9);
    CHECK_EQUAL(MmGetMdlPfnArray(mdl)[0], KtPfn(pool + PAGE_SIZE));
    CHECK_EQUAL(KtState(mdl), MDL_SOURCE_IS_NONPAGED_POOL);
    IoFreeMdl(mdl);
    ExFreePoolWithTag(pool, KT_TAG);

    KT_COVERS("MmAdvanceMdl", "a part moves on within its source's view, or takes its own view along; the source's "
              "pages stay locked and mapped", "ours: the page says nothing of parts");
    if (!Open(Run, &buffer, 0x40, 4 * PAGE_SIZE))
    {
        return;
    }
    part = IoAllocateMdl(buffer.Va, buffer.Size, FALSE, FALSE, NULL);
    IoBuildPartialMdl(buffer.Mdl, part, buffer.Va, 0);
    view = MmGetSystemAddressForMdlSafe(part, NormalPagePriority); /* its own */
    CHECK_STATUS(MmAdvanceMdl(part, 2 * PAGE_SIZE), STATUS_SUCCESS);
    CHECK(part->MappedSystemVa == view + 2 * PAGE_SIZE);
    CHECK(memcmp(part->MappedSystemVa, buffer.Va + 2 * PAGE_SIZE, part->ByteCount) == 0);
    IoFreeMdl(part);
    CHECK_EQUAL(KtState(buffer.Mdl), MDL_PAGES_LOCKED | MDL_WRITE_OPERATION);
    view = MmGetSystemAddressForMdlSafe(buffer.Mdl, NormalPagePriority);
    part = IoAllocateMdl(buffer.Va, buffer.Size, FALSE, FALSE, NULL);
    IoBuildPartialMdl(buffer.Mdl, part, buffer.Va, 0);
    CHECK_STATUS(MmAdvanceMdl(part, 3 * PAGE_SIZE), STATUS_SUCCESS);
    CHECK(part->MappedSystemVa == view + 3 * PAGE_SIZE);
    IoFreeMdl(part);
    CHECK_EQUAL(KtMismatches(view, buffer.Size, 12), 0);
    Close(Run, &buffer);
}

VOID KtGroup_mdl_advance(KTEST_RUN *Run)
{
    TestWalks(Run);
    TestUnlocked(Run);
    TestOthers(Run);
}
