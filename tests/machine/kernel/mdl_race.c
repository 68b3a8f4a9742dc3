/* SPDX-License-Identifier: MIT */
/*
 * Several threads of one process at once: one locks, maps, writes and unlocks, one reads through locks of its own, one
 * takes pages away, protects and gives them back, one maps pages at wanted addresses, two map pages of their own into the
 * kernel. Whatever the order, a lock either succeeds or raises, a locked page is nobody else's, no two views have an
 * address in common, and nothing stays behind.
 */
#include "mdllib.h"

#define PAGES 24
#define ROUNDS 250

typedef struct _RACE
{
    PEPROCESS Process;
    PUCHAR Base;
    ULONG Seed;
    LONG Locked, Refused, Strange, Wrong; /* strange: a status that no order of events explains */
} RACE;

static VOID Count(RACE *Race, NTSTATUS Status)
{
    Race->Locked += NT_SUCCESS(Status);
    Race->Refused += Status == STATUS_ACCESS_VIOLATION;
    Race->Strange += !NT_SUCCESS(Status) && Status != STATUS_ACCESS_VIOLATION;
}

static PMDL RandomPart(RACE *Race)
{
    ULONG first = KtRandom(&Race->Seed) % PAGES, pages = 1 + KtRandom(&Race->Seed) % 6;

    return IoAllocateMdl(Race->Base + first * PAGE_SIZE, min(pages, PAGES - first) * PAGE_SIZE, FALSE, FALSE, NULL);
}

static VOID NTAPI Write(PVOID Context)
{
    RACE *race = Context;
    KAPC_STATE state;

    KeStackAttachProcess((PKPROCESS)race->Process, &state);
    for (ULONG i = 0; i < ROUNDS; i++)
    {
        PMDL mdl = RandomPart(race);
        NTSTATUS status = KtLock(mdl, UserMode, IoWriteAccess);
        PUCHAR system;

        Count(race, status);
        if (NT_SUCCESS(status))
        {
            system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
            race->Wrong += system == NULL;
            if (system != NULL)
            {
                RtlFillMemory(system, mdl->ByteCount, (UCHAR)i | 1);
                YieldProcessor();
                race->Wrong += !KtAllBytes(system, mdl->ByteCount, (UCHAR)i | 1); /* who else has these pages? */
            }
            MmUnlockPages(mdl);
        }
        IoFreeMdl(mdl);
    }
    KeUnstackDetachProcess(&state);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* Locks from the System process, never attached. */
static VOID NTAPI Read(PVOID Context)
{
    RACE *race = Context;

    for (ULONG i = 0; i < ROUNDS; i++)
    {
        PMDL mdl = RandomPart(race);
        NTSTATUS volatile status = KT_RAISED(MmProbeAndLockProcessPages(mdl, race->Process, UserMode, IoReadAccess));

        Count(race, status);
        if (NT_SUCCESS(status))
        {
            volatile PUCHAR system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoWrite);
            race->Wrong += system == NULL || (system[0] != 0 && (system[0] & 1) == 0); /* only odd bytes are written */
            MmUnlockPages(mdl);
        }
        IoFreeMdl(mdl);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI Change(PVOID Context)
{
    static const ULONG protections[] = {PAGE_READWRITE, PAGE_READONLY, PAGE_NOACCESS};
    RACE *race = Context;
    KAPC_STATE state;

    KeStackAttachProcess((PKPROCESS)race->Process, &state);
    for (ULONG i = 0; i < ROUNDS; i++)
    {
        PVOID page = race->Base + (KtRandom(&race->Seed) % PAGES) * PAGE_SIZE;
        SIZE_T size = PAGE_SIZE;
        ULONG what = KtRandom(&race->Seed) % 5;

        if (what < RTL_NUMBER_OF(protections))
        {
            KtUserProtect(page, PAGE_SIZE, protections[what]); /* fails where nothing is committed */
            continue;
        }
        ZwFreeVirtualMemory(NtCurrentProcess(), &page, &size, MEM_DECOMMIT);
        race->Strange += !NT_SUCCESS(
            ZwAllocateVirtualMemory(NtCurrentProcess(), &page, 0, &size, MEM_COMMIT, PAGE_READWRITE));
    }
    KeUnstackDetachProcess(&state);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID NTAPI Map(PVOID Context)
{
    RACE *race = Context;
    KAPC_STATE state;

    KeStackAttachProcess((PKPROCESS)race->Process, &state);
    for (ULONG i = 0; i < ROUNDS; i++)
    {
        PMDL mdl = KtAllocateBetween(0, MAXLONGLONG, 0, 3 * PAGE_SIZE, MM_ALLOCATE_FULLY_REQUIRED);
        NTSTATUS status;
        PUCHAR user;

        race->Wrong += mdl == NULL;
        if (mdl == NULL)
        {
            continue;
        }
        user = KtMapUser(mdl, i % 2 == 0 ? NULL : race->Base + (KtRandom(&race->Seed) % 64) * 0x10000,
                         NormalPagePriority, &status);
        race->Locked += NT_SUCCESS(status);
        race->Refused += status == STATUS_CONFLICTING_ADDRESSES;
        race->Strange += !NT_SUCCESS(status) && status != STATUS_CONFLICTING_ADDRESSES;
        if (user != NULL)
        {
            race->Wrong += !KtAllBytes(user, 3 * PAGE_SIZE, 0);
            RtlFillMemory(user, 3 * PAGE_SIZE, 0xEE);
            MmUnmapLockedPages(user, mdl);
        }
        KtFreePages(mdl);
    }
    KeUnstackDetachProcess(&state);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* Kernel views of all sizes, from one page to more than a word of the address bitmap has bits. */
static VOID NTAPI MapSystem(PVOID Context)
{
    RACE *race = Context;
    UCHAR stamp = (UCHAR)race->Seed;

    for (ULONG i = 0; i < ROUNDS; i++)
    {
        SIZE_T bytes = (SIZE_T)(1 + KtRandom(&race->Seed) % (i % 4 == 0 ? 80 : 3)) * PAGE_SIZE;
        PMDL mdl = KtAllocateBetween(0, MAXLONGLONG, 0, bytes, MM_ALLOCATE_FULLY_REQUIRED);
        PUCHAR system;

        race->Wrong += mdl == NULL;
        if (mdl == NULL)
        {
            continue;
        }
        system = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
        race->Wrong += system == NULL;
        if (system != NULL)
        {
            RtlFillMemory(system, bytes, stamp);
            YieldProcessor();
            race->Wrong += !KtAllBytes(system, bytes, stamp); /* whose addresses are these besides? */
            MmUnmapLockedPages(system, mdl);
            race->Locked++;
        }
        KtFreePages(mdl);
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

VOID KtGroup_mdl_race(KTEST_RUN *Run)
{
    static const PKSTART_ROUTINE routines[] = {Write, Read, Change, Map, Read, MapSystem, MapSystem};
    static const PCSTR names[] = {"write", "read", "change", "map", "read", "map system", "map system"};
    PUCHAR base = KtUserAllocate(Run, PAGES * PAGE_SIZE, PAGE_READWRITE);
    RACE races[RTL_NUMBER_OF(routines)] = {0};
    PETHREAD threads[RTL_NUMBER_OF(routines)];
    PMDL mdl;

    if (base == NULL)
    {
        return;
    }
    KT_COVERS("MmProbeAndLockPages, MmProbeAndLockProcessPages, MmUnlockPages, MmMapLockedPagesSpecifyCache", "locks, "
              "views, decommits, protections and pages of seven threads at once: every lock succeeds or raises "
              "STATUS_ACCESS_VIOLATION, a locked page is nobody else's, a view shows zeroed pages or what was written", "DDI");
    for (ULONG i = 0; i < RTL_NUMBER_OF(routines); i++)
    {
        races[i].Process = PsGetCurrentProcess();
        races[i].Base = base;
        races[i].Seed = 100 + i;
        threads[i] = KtStart(Run, routines[i], &races[i]);
    }
    for (ULONG i = 0; i < RTL_NUMBER_OF(routines); i++)
    {
        KtJoin(threads[i]);
        KtSay(Run, "%s: %ld succeeded, %ld refused, %ld strange, %ld wrong", names[i], races[i].Locked,
              races[i].Refused, races[i].Strange, races[i].Wrong);
        CHECK_EQUAL(races[i].Strange, 0);
        CHECK_EQUAL(races[i].Wrong, 0);
    }
    CHECK(races[0].Locked > 0 && races[3].Locked > 0);
    for (ULONG i = 0; i < PAGES; i++)
    {
        KtUserProtect(base + i * PAGE_SIZE, PAGE_SIZE, PAGE_READWRITE);
    }
    mdl = IoAllocateMdl(base, PAGES * PAGE_SIZE, FALSE, FALSE, NULL); /* all is as usual again */
    CHECK_STATUS(KtLock(mdl, UserMode, IoWriteAccess), STATUS_SUCCESS);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    KtUserFree(base);
}
