/* SPDX-License-Identifier: MIT */
/* MDLs about MDLs: partial ones, their own and their source's mapping, reuse, chains, the start moved forward. */
#include "mdllib.h"

typedef struct _SOURCE
{
    PUCHAR Base, Va; /* user memory; the buffer begins at Va */
    PMDL Mdl;
    ULONG Size;
} SOURCE;

static BOOLEAN Open(KTEST_RUN *Run, SOURCE *Source, ULONG Offset, ULONG Size)
{
    Source->Base = KtUserAllocate(Run, Offset + Size, PAGE_READWRITE);
    Source->Va = Source->Base + Offset;
    Source->Size = Size;
    Source->Mdl = IoAllocateMdl(Source->Va, Size, FALSE, FALSE, NULL);
    CHECK(Source->Mdl != NULL);
    if (Source->Base == NULL || Source->Mdl == NULL)
    {
        return FALSE;
    }
    KtFill(Source->Va, Size, 21);
    CHECK_STATUS(KtLock(Source->Mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    return TRUE;
}

static VOID Close(SOURCE *Source)
{
    MmUnlockPages(Source->Mdl);
    IoFreeMdl(Source->Mdl);
    KtUserFree(Source->Base);
}

/* A part at some offset, described, mapped by itself, compared byte for byte. */
static VOID TestPart(KTEST_RUN *Run, SOURCE *Source, ULONG Offset, ULONG Length)
{
    ULONG expected = Length != 0 ? Length : Source->Size - Offset;
    ULONG skip = (ULONG)(((PUCHAR)PAGE_ALIGN(Source->Va + Offset) - (PUCHAR)Source->Mdl->StartVa) >> PAGE_SHIFT);
    PMDL part = IoAllocateMdl(Source->Va + Offset, expected, FALSE, FALSE, NULL);
    PUCHAR system;

    CHECK(part != NULL);
    if (part == NULL)
    {
        return;
    }
    KT_COVERS("IoBuildPartialMdl, IoFreeMdl", "any part of a locked buffer, Length 0 for the rest: PFNs, fields, "
              "MDL_PARTIAL without MDL_PAGES_LOCKED; mapped by itself it gets MDL_PARTIAL_HAS_BEEN_MAPPED, and "
              "IoFreeMdl drops that mapping", "DDI IoBuildPartialMdl, IoFreeMdl; the flags: ReactOS");
    IoBuildPartialMdl(Source->Mdl, part, Source->Va + Offset, Length);
    CHECK_EQUAL(KtFlags(part) & ~MDL_ALLOCATED_FIXED_SIZE, MDL_PARTIAL);
    CHECK(MmGetMdlVirtualAddress(part) == Source->Va + Offset);
    CHECK_EQUAL(part->ByteCount, expected);
    for (ULONG i = 0; i < ADDRESS_AND_SIZE_TO_SPAN_PAGES(Source->Va + Offset, expected); i++)
    {
        CHECK_EQUAL(MmGetMdlPfnArray(part)[i], MmGetMdlPfnArray(Source->Mdl)[skip + i]);
    }
    system = MmGetSystemAddressForMdlSafe(part, NormalPagePriority);
    CHECK(system != NULL);
    if (system != NULL)
    {
        KtSay(Run, "part at 0x%lX of 0x%lX bytes: flags 0x%04lX mapped at %p", Offset, expected, KtFlags(part), system);
        CHECK_EQUAL(KtFlags(part) & ~MDL_ALLOCATED_FIXED_SIZE,
                    MDL_PARTIAL | MDL_PARTIAL_HAS_BEEN_MAPPED | MDL_MAPPED_TO_SYSTEM_VA);
        CHECK_EQUAL(KtFlags(Source->Mdl) & MDL_MAPPED_TO_SYSTEM_VA, 0);
        CHECK(memcmp(system, Source->Va + Offset, expected) == 0);
    }
    IoFreeMdl(part); /* frees its own mapping */
}

static VOID TestParts(KTEST_RUN *Run)
{
    SOURCE source;

    if (!Open(Run, &source, 0x234, 6 * PAGE_SIZE))
    {
        return;
    }
    TestPart(Run, &source, 0, 0);
    TestPart(Run, &source, 0, 1);
    TestPart(Run, &source, 1, PAGE_SIZE);
    TestPart(Run, &source, PAGE_SIZE - 0x234, PAGE_SIZE);
    TestPart(Run, &source, 3 * PAGE_SIZE, 0);
    TestPart(Run, &source, 6 * PAGE_SIZE - 1, 0);
    TestPart(Run, &source, 2 * PAGE_SIZE + 5, 2 * PAGE_SIZE);
    Close(&source);
}

/* A mapped source: its parts lie within its mapping, and freeing them leaves it alone. */
static VOID TestSharedMapping(KTEST_RUN *Run)
{
    SOURCE source;
    PUCHAR system;
    PMDL part;

    if (!Open(Run, &source, 0x10, 4 * PAGE_SIZE))
    {
        return;
    }
    system = MmGetSystemAddressForMdlSafe(source.Mdl, NormalPagePriority);
    part = IoAllocateMdl(source.Va, source.Size, FALSE, FALSE, NULL);
    CHECK(system != NULL && part != NULL);
    if (system != NULL && part != NULL)
    {
    KT_COVERS("IoBuildPartialMdl", "of a mapped source: the part lies within its mapping, which outlives the part",
              "DDI IoBuildPartialMdl");
        IoBuildPartialMdl(source.Mdl, part, source.Va + 5000, 100);
        CHECK_EQUAL(KtFlags(part) & ~MDL_ALLOCATED_FIXED_SIZE, MDL_PARTIAL | MDL_MAPPED_TO_SYSTEM_VA);
        CHECK(MmGetSystemAddressForMdlSafe(part, NormalPagePriority) == system + 5000);
        IoFreeMdl(part);
        CHECK_EQUAL(KtFlags(source.Mdl) & MDL_MAPPED_TO_SYSTEM_VA, MDL_MAPPED_TO_SYSTEM_VA);
        CHECK_EQUAL(KtMismatches(system, source.Size, 21), 0); /* the mapping is still there */
    }
    Close(&source);
}

/* One target MDL walks over its source, as a driver does that splits a transfer. */
static VOID TestReuse(KTEST_RUN *Run)
{
    SOURCE source;
    ULONG wrong = 0, steps = 0;
    PMDL part;

    if (!Open(Run, &source, 0x345, 9 * PAGE_SIZE + 7))
    {
        return;
    }
    part = IoAllocateMdl(source.Va, 2 * PAGE_SIZE + 2, FALSE, FALSE, NULL);
    CHECK(part != NULL);
    KT_COVERS("MmPrepareMdlForReuse, IoBuildPartialMdl", "one target describes many parts in turn; its mapping goes "
              "in between, and only a mapping of its own", "DDI MmPrepareMdlForReuse");
    for (ULONG offset = 0; part != NULL && offset < source.Size; offset += 5001, steps++)
    {
        ULONG length = min(5001, source.Size - offset);
        PUCHAR system;

        IoBuildPartialMdl(source.Mdl, part, source.Va + offset, length);
        system = MmGetSystemAddressForMdlSafe(part, NormalPagePriority);
        CHECK(system != NULL);
        wrong += system == NULL || memcmp(system, source.Va + offset, length) != 0;
        MmPrepareMdlForReuse(part);
        CHECK_EQUAL(KtFlags(part) & (MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED), 0);
    }
    KtSay(Run, "one MDL described %lu parts in turn, %lu wrong", steps, wrong);
    CHECK_EQUAL(wrong, 0);
    if (part != NULL)
    {
        IoFreeMdl(part);
    }
    Close(&source);
}

/* A part of a part: of one with a mapping of its own, of one without. */
static VOID TestPartOfPart(KTEST_RUN *Run)
{
    SOURCE source;
    PUCHAR system;
    PMDL part, inner;

    if (!Open(Run, &source, 0x10, 5 * PAGE_SIZE))
    {
        return;
    }
    part = IoAllocateMdl(source.Va, source.Size, FALSE, FALSE, NULL);
    inner = IoAllocateMdl(source.Va, source.Size, FALSE, FALSE, NULL);
    CHECK(part != NULL && inner != NULL);
    if (part != NULL && inner != NULL)
    {
        KT_COVERS("IoBuildPartialMdl", "of a part: within its mapping if it has one, without if not; the inner part "
                  "never owns the outer one's mapping; one byte, and a target as large as it needs to be",
                  "DDI; parts of parts: ReactOS does not tell them apart");
        IoBuildPartialMdl(source.Mdl, part, source.Va + PAGE_SIZE, 3 * PAGE_SIZE);
        IoBuildPartialMdl(part, inner, source.Va + 2 * PAGE_SIZE, PAGE_SIZE);
        CHECK_EQUAL(KtState(inner), MDL_PARTIAL);
        CHECK_EQUAL(MmGetMdlPfnArray(inner)[0], KtPfn(source.Va + 2 * PAGE_SIZE));
        system = MmGetSystemAddressForMdlSafe(part, NormalPagePriority);
        IoBuildPartialMdl(part, inner, source.Va + 2 * PAGE_SIZE + 7, 1);
        CHECK_EQUAL(KtState(inner), MDL_PARTIAL | MDL_MAPPED_TO_SYSTEM_VA);
        CHECK(inner->MappedSystemVa == system + PAGE_SIZE + 7);
        CHECK_EQUAL(inner->ByteCount, 1);
        MmPrepareMdlForReuse(inner);
        CHECK(MmIsAddressValid(system));
        IoFreeMdl(inner);
        CHECK(MmIsAddressValid(system));
        IoFreeMdl(part);
        CHECK(!MmIsAddressValid(system));

        KT_COVERS("IoBuildPartialMdl", "keeps of the target's flags only those of its allocation, and its Next and "
                  "Size", "ReactOS");
        part = IoAllocateMdl(source.Va, PAGE_SIZE, FALSE, FALSE, NULL);
        part->MdlFlags |= MDL_WRITE_OPERATION | MDL_MAPPING_CAN_FAIL | MDL_IO_PAGE_READ;
        part->Next = source.Mdl;
        CSHORT size = part->Size;
        IoBuildPartialMdl(source.Mdl, part, source.Va, 10);
        CHECK_EQUAL(KtFlags(part), MDL_ALLOCATED_FIXED_SIZE | MDL_PARTIAL);
        CHECK(part->Next == source.Mdl && part->Size == size && part->Process == source.Mdl->Process);
        IoFreeMdl(part);
    }
    Close(&source);
}

/* Parts of nonpaged pool use the pool's own addresses. */
static VOID TestPoolPart(KTEST_RUN *Run)
{
    PUCHAR pool = ExAllocatePoolWithTag(NonPagedPoolNx, 3 * PAGE_SIZE, KT_TAG);
    PMDL source = IoAllocateMdl(pool, 3 * PAGE_SIZE, FALSE, FALSE, NULL);
    PMDL part = IoAllocateMdl(pool, 3 * PAGE_SIZE, FALSE, FALSE, NULL);

    CHECK(pool != NULL && source != NULL && part != NULL);
    if (pool == NULL || source == NULL || part == NULL)
    {
        return;
    }
    KT_COVERS("IoBuildPartialMdl", "of nonpaged pool: inherits MDL_SOURCE_IS_NONPAGED_POOL and lies within the pool",
              "DDI; the flags: ReactOS");
    MmBuildMdlForNonPagedPool(source);
    IoBuildPartialMdl(source, part, pool + 4000, 200);
    CHECK_EQUAL(KtFlags(part) & ~MDL_ALLOCATED_FIXED_SIZE, MDL_PARTIAL | MDL_SOURCE_IS_NONPAGED_POOL);
    CHECK(MmGetSystemAddressForMdlSafe(part, NormalPagePriority) == pool + 4000);
    CHECK_EQUAL(MmGetMdlPfnArray(part)[1], KtPfn(pool + PAGE_SIZE));
    IoFreeMdl(part);
    IoFreeMdl(source);
    ExFreePoolWithTag(pool, KT_TAG);
}

/* MDLs of an IRP: the first, replaced only when asked so, and secondary buffers at the end of the chain. */
static VOID TestChain(KTEST_RUN *Run)
{
    PIRP irp = IoAllocateIrp(1, FALSE);
    PMDL mdls[3];

    CHECK(irp != NULL);
    if (irp == NULL)
    {
        return;
    }
    mdls[0] = IoAllocateMdl((PVOID)0x10000, 100, FALSE, FALSE, irp);
    CHECK(irp->MdlAddress == mdls[0]);
    mdls[1] = IoAllocateMdl((PVOID)0x20000, 200, TRUE, FALSE, irp);
    mdls[2] = IoAllocateMdl((PVOID)0x30000, 300, TRUE, FALSE, irp);
    CHECK(irp->MdlAddress == mdls[0] && mdls[0]->Next == mdls[1] && mdls[1]->Next == mdls[2] && mdls[2]->Next == NULL);
    KtSay(Run, "chain of an IRP: %p -> %p -> %p", irp->MdlAddress, mdls[0]->Next, mdls[1]->Next);
    irp->MdlAddress = NULL; /* IoFreeIrp frees none of them */
    IoFreeIrp(irp);
    for (ULONG i = 0; i < 3; i++)
    {
        IoFreeMdl(mdls[i]);
    }
}

/* Pages that are skipped are unlocked at once, the rest keeps its bytes and its mapping. */
static VOID TestAdvance(KTEST_RUN *Run)
{
    SOURCE source;
    PUCHAR system, first;

    if (!Open(Run, &source, 0x100, 5 * PAGE_SIZE))
    {
        return;
    }
    first = MmGetSystemAddressForMdlSafe(source.Mdl, NormalPagePriority);
    CHECK_STATUS(MmAdvanceMdl(source.Mdl, 5 * PAGE_SIZE + 1), STATUS_INVALID_PARAMETER_2);
    CHECK_STATUS(MmAdvanceMdl(source.Mdl, 0x10), STATUS_SUCCESS);
    CHECK(MmGetMdlVirtualAddress(source.Mdl) == source.Va + 0x10);
    CHECK_EQUAL(source.Mdl->ByteCount, 5 * PAGE_SIZE - 0x10);
    CHECK_STATUS(MmAdvanceMdl(source.Mdl, 2 * PAGE_SIZE), STATUS_SUCCESS);
    CHECK(MmGetMdlVirtualAddress(source.Mdl) == source.Va + 2 * PAGE_SIZE + 0x10);
    CHECK_EQUAL(source.Mdl->ByteCount, 3 * PAGE_SIZE - 0x10);
    CHECK_EQUAL(MmGetMdlPfnArray(source.Mdl)[0], KtPfn(source.Va + 2 * PAGE_SIZE + 0x10));
    system = MmGetSystemAddressForMdlSafe(source.Mdl, NormalPagePriority);
    KtSay(Run, "advanced by 0x%X: buffer now %p, mapping was %p, is %p", 2 * PAGE_SIZE + 0x10,
          MmGetMdlVirtualAddress(source.Mdl), first, system);
    CHECK(system == first + 2 * PAGE_SIZE + 0x10);
    CHECK(memcmp(system, source.Va + 2 * PAGE_SIZE + 0x10, 3 * PAGE_SIZE - 0x10) == 0);
    Close(&source);
}

VOID KtGroup_mdl_partial(KTEST_RUN *Run)
{
    TestParts(Run);
    TestSharedMapping(Run);
    TestReuse(Run);
    TestPartOfPart(Run);
    TestPoolPart(Run);
    TestChain(Run);
    TestAdvance(Run);
}
