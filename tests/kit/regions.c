/* SPDX-License-Identifier: MIT */
/*
 * Regions of every kind: contents, ids, describe, watch, and memory that changes under a shared buffer.
 */
#include "check.h"

#define PAGE 4096

static const char *const KindNames[] = {"", "user buffer", "nonpaged pool", "paged pool", "pages"};

static BOOL IsZero(const BYTE *Bytes, size_t Length)
{
    for (size_t i = 0; i < Length; i++)
    {
        if (Bytes[i] != 0)
        {
            return FALSE;
        }
    }
    return TRUE;
}

/* The three frames of each page must be one number. */
static void CheckFrames(HISTHMUS Isthmus, UINT64 Region, UINT64 View, UINT64 Pages, const char *What)
{
    struct
    {
        ISTHMUS_DESCRIPTION Description;
        ISTHMUS_PAGE Pages[64];
    } d;
    ISTHMUS_VERSION version;
    if (!CheckDone(IsthmusDescribe(Isthmus, Region, View, 0, 0, &d.Description, sizeof(d)), "describe %s", What))
    {
        return;
    }
    Check(d.Description.Header.Size == sizeof(ISTHMUS_DESCRIPTION) &&
              d.Description.Mdl.Pages == min(Pages, d.Description.Mdl.Pages) &&
              (d.Description.Flags & ISTHMUS_DESCRIPTION_KERNEL_VIEW) && (INT64)d.Description.Mdl.StartVa >= 0 &&
              (INT64)d.Description.UserAddress >= 0,
          "%s: MDL size 0x%X flags 0x%X count %u offset 0x%X, no kernel address in it", What, d.Description.Mdl.Size,
          d.Description.Mdl.MdlFlags, d.Description.Mdl.ByteCount, d.Description.Mdl.ByteOffset);
    IsthmusQueryVersion(Isthmus, &version);
    if (!(version.Capabilities & ISTHMUS_CALLER_IS_ADMIN))
    {
        Check(d.Description.PagesReturned == 0 && (d.Description.Flags & ISTHMUS_DESCRIPTION_PFN_WITHHELD),
              "%s: frames are withheld from a plain user", What);
        return;
    }
    UINT32 same = 0;
    for (UINT32 i = 0; i < d.Description.PagesReturned; i++)
    {
        same += d.Pages[i].MdlPfn == d.Pages[i].KernelPfn && d.Pages[i].KernelPfn == d.Pages[i].UserPfn &&
                d.Pages[i].MdlPfn != ISTHMUS_NO_PFN;
    }
    Check(d.Description.PagesReturned == min(d.Description.Mdl.Pages, 64) && same == d.Description.PagesReturned,
          "%s: %u of %u pages have one frame behind user, kernel and MDL (the first is 0x%llX)", What, same,
          d.Description.PagesReturned, (unsigned long long)d.Pages[0].MdlPfn);
    CheckError(IsthmusDescribe(Isthmus, Region, View, 1000, 0, &d.Description, sizeof(d)), ERROR_INVALID_PARAMETER,
               "describe a segment that isn't there");
    CheckError(IsthmusDescribe(Isthmus, Region, View + 1000000, 0, 0, &d.Description, sizeof(d)), ERROR_NOT_FOUND,
               "describe through a view that isn't there");
    CheckDone(IsthmusDescribe(Isthmus, Region, View, 0, ~0ull, &d.Description, sizeof(d)) &&
                  d.Description.PagesReturned == 0,
              "describe from a page far beyond the end: none returned");
}

/* Question and answer with the driver's DPC. */
static void CheckWatch(HISTHMUS Isthmus, UINT64 Region, volatile BYTE *Memory, UINT64 Length, const char *What)
{
    if (!CheckDone(IsthmusWatch(Isthmus, Region, 0, Length - 1, 3, 5000), "watch %s", What))
    {
        return;
    }
    CheckError(IsthmusWatch(Isthmus, Region, 0, Length - 1, 3, 5000), ERROR_BUSY, "watch it a second time");
    int answered = 0;
    DWORD begin = GetTickCount();
    for (int round = 0; round < 3; round++)
    {
        BYTE value = (BYTE)(Memory[0] + 1), expected = value ^ 0xFF;
        Memory[Length - 1] = value;
        Memory[0] = value;
        while (Memory[Length - 1] != expected && GetTickCount() - begin < 5000)
        {
            Sleep(0);
        }
        answered += Memory[Length - 1] == expected;
    }
    Check(answered == 3, "%s: the DPC answered %d of 3 changes", What, answered);
}

static void TestKind(HISTHMUS Isthmus, HISTHMUS Other, DWORD Kind, UINT64 Length)
{
    UINT64 region, view, foreign;
    UINT32 crc = 0;
    UINT64 whole = (Length + PAGE - 1) & ~(UINT64)(PAGE - 1);
    const char *name = KindNames[Kind];
    if (!CheckDone(IsthmusAllocate(Isthmus, Kind, Length, &region), "allocate %llu bytes of %s",
                   (unsigned long long)Length, name))
    {
        return;
    }
    BYTE *memory = IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view);
    if (CheckDone(memory != NULL, "map %s", name))
    {
        Check(((ULONG_PTR)memory & (PAGE - 1)) == 0 && IsZero(memory, (size_t)whole),
              "%s at %p: whole pages, all %llu bytes zero", name, memory, (unsigned long long)whole);
        Pattern(memory, (size_t)Length, Kind);
        CheckDone(IsthmusChecksum(Isthmus, region, 0, Length, &crc), "checksum");
        Check(crc == Crc(memory, (size_t)Length), "%s: CRC-32 %08X by the driver", name, crc);
        CheckFrames(Isthmus, region, view, whole / PAGE, name);
        if (Length >= 2)
        {
            CheckWatch(Isthmus, region, memory, Length, name);
        }
        CheckDone(IsthmusUnmap(Isthmus, view), "unmap");
        CheckError(IsthmusUnmap(Isthmus, view), ERROR_NOT_FOUND, "unmap again");
    }
    CheckError(IsthmusChecksum(Other, region, 0, 1, &crc), ERROR_NOT_FOUND, "another session uses the id");
    CheckError(IsthmusMap(Other, region, ISTHMUS_ACCESS_ALL, &foreign) != NULL, ERROR_NOT_FOUND,
               "another session maps the id");
    CheckError(IsthmusRelease(Other, region), ERROR_NOT_FOUND, "another session releases the id");
    CheckDone(IsthmusRelease(Isthmus, region), "release");
    CheckError(IsthmusRelease(Isthmus, region), ERROR_NOT_FOUND, "release again");
    CheckError(IsthmusChecksum(Isthmus, region, 0, 1, &crc), ERROR_NOT_FOUND, "use after release");
}

/* What the process does to its memory meanwhile must not matter to the driver. */
static void TestChanges(HISTHMUS Isthmus)
{
    UINT64 region;
    UINT32 crc = 0;
    DWORD old;
    BYTE *memory = VirtualAlloc(NULL, 4 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    Pattern(memory, 4 * PAGE, 7);
    UINT32 before = Crc(memory, 4 * PAGE);
    if (!CheckDone(IsthmusShare(Isthmus, memory, 4 * PAGE, ISTHMUS_ACCESS_ALL, &region), "share four pages"))
    {
        return;
    }
    CheckDone(VirtualProtect(memory, 4 * PAGE, PAGE_NOACCESS, &old), "take the program's own access away");
    CheckDone(IsthmusChecksum(Isthmus, region, 0, 4 * PAGE, &crc) && crc == before,
              "the driver still reads %08X, was %08X", crc, before);
    CheckDone(VirtualFree(memory, 0, MEM_RELEASE), "free the memory while it is shared");
    CheckDone(IsthmusChecksum(Isthmus, region, 0, 4 * PAGE, &crc) && crc == before,
              "the driver still reads %08X, was %08X", crc, before);
    void *again = VirtualAlloc(memory, 4 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (again != NULL)
    {
        memset(again, 0xEE, 4 * PAGE);
        CheckDone(IsthmusChecksum(Isthmus, region, 0, 4 * PAGE, &crc) && crc == before,
                  "with new memory at the address the driver still reads %08X, was %08X", crc, before);
        CheckDone(VirtualFree(again, 0, MEM_RELEASE), "free that too");
    }
    CheckDone(IsthmusRelease(Isthmus, region), "release");
}

/* A mapped file's view: unmapped while it is shared, and copy-on-write while it is shared for reading. */
static void TestMappedFile(HISTHMUS Isthmus)
{
    UINT64 region;
    UINT32 crc = 0;
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4 * PAGE, NULL);
    BYTE *file = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0), *second = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
    if (!CheckDone(file != NULL && second != NULL, "map a section twice"))
    {
        return;
    }
    Pattern(file, 4 * PAGE, 13);
    UINT32 before = Crc(file, 4 * PAGE);
    CheckDone(IsthmusShare(Isthmus, second, 4 * PAGE, ISTHMUS_ACCESS_READ, &region), "share the read-only view");
    CheckDone(UnmapViewOfFile(second), "unmap it while it is shared");
    CheckDone(IsthmusChecksum(Isthmus, region, 0, 4 * PAGE, &crc), "the driver still reads it");
    Check(crc == before, "%08X, was %08X", crc, before);
    file[PAGE] ^= 0xFF;
    CheckDone(IsthmusChecksum(Isthmus, region, 0, 4 * PAGE, &crc), "and what the other view writes");
    Check(crc == Crc(file, 4 * PAGE) && crc != before, "%08X", crc);
    CheckDone(IsthmusRelease(Isthmus, region), "release");

    BYTE *copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
    if (CheckDone(copy != NULL, "map it copy-on-write") &&
        CheckDone(IsthmusShare(Isthmus, copy + 7, 3 * PAGE, ISTHMUS_ACCESS_READ, &region), "share that for reading"))
    {
        copy[100] = (BYTE)~copy[100];
        copy[3 * PAGE + 2] = (BYTE)~copy[3 * PAGE + 2];
        CheckDone(IsthmusChecksum(Isthmus, region, 0, 3 * PAGE, &crc), "the driver reads it");
        Check(crc == Crc(copy + 7, 3 * PAGE), "with what the program wrote afterwards: %08X", crc);
        Check(file[100] != copy[100], "and the section doesn't have it");
        CheckDone(IsthmusRelease(Isthmus, region), "release");
    }
    UnmapViewOfFile(copy);
    UnmapViewOfFile(file);
    CloseHandle(section);
}

/* One buffer, many regions over it. */
static void TestOverlap(HISTHMUS Isthmus)
{
    UINT64 regions[16];
    UINT32 crc = 0;
    BYTE *memory = VirtualAlloc(NULL, 4 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    Pattern(memory, 4 * PAGE, 9);
    for (int i = 0; i < 16; i++)
    {
        CheckDone(
            IsthmusShare(Isthmus, memory + i, 3 * PAGE, i & 1 ? ISTHMUS_ACCESS_ALL : ISTHMUS_ACCESS_READ, &regions[i]),
            "share the same pages, time %d", i + 1);
    }
    for (int i = 15; i >= 0; i--)
    {
        CheckDone(IsthmusChecksum(Isthmus, regions[i], 0, 3 * PAGE, &crc) && crc == Crc(memory + i, 3 * PAGE),
                  "CRC-32 %08X", crc);
        CheckDone(IsthmusRelease(Isthmus, regions[i]), "release");
    }
    VirtualFree(memory, 0, MEM_RELEASE);
}

static void TestWatchLimits(HISTHMUS Isthmus)
{
    UINT64 region, readOnly;
    BYTE bytes[64] = {0};
    if (!CheckDone(IsthmusAllocate(Isthmus, ISTHMUS_KIND_NONPAGED_POOL, PAGE, &region), "allocate"))
    {
        return;
    }
    CheckError(IsthmusWatch(Isthmus, region, 0, PAGE, 1, 100), ERROR_INVALID_PARAMETER, "watch, answer past the end");
    CheckError(IsthmusWatch(Isthmus, region, ~0ull, 0, 1, 100), ERROR_INVALID_PARAMETER, "watch, question at 2^64-1");
    CheckError(IsthmusWatch(Isthmus, region, 5, 5, 1, 100), ERROR_INVALID_PARAMETER, "watch, one byte for both");
    CheckError(IsthmusWatch(Isthmus, region, 0, 1, 0, 100), ERROR_INVALID_PARAMETER, "watch, no rounds");
    CheckError(IsthmusWatch(Isthmus, region, 0, 1, 1, 0), ERROR_INVALID_PARAMETER, "watch, no time");
    CheckError(IsthmusWatch(Isthmus, region, 0, 1, 65536, 60001), ERROR_INVALID_PARAMETER, "watch, too much of both");
    CheckDone(IsthmusShare(Isthmus, bytes, sizeof(bytes), ISTHMUS_ACCESS_READ, &readOnly), "share for reading");
    CheckError(IsthmusWatch(Isthmus, readOnly, 0, 1, 1, 100), ERROR_ACCESS_DENIED,
               "watch what the driver may only read");
    CheckDone(IsthmusRelease(Isthmus, readOnly), "release");
    /* Left running: release has to end it. */
    CheckDone(IsthmusWatch(Isthmus, region, 0, 1, 1000, 60000), "watch for a minute");
    CheckDone(IsthmusRelease(Isthmus, region), "release what is being watched");
}

void TestRegions(void)
{
    static const UINT64 lengths[] = {1, 4095, 4096, 4097, 65537, 1048576};
    HISTHMUS isthmus = IsthmusOpen(0), other = IsthmusOpen(0);
    if (!CheckDone(isthmus != NULL && other != NULL, "open two sessions"))
    {
        return;
    }
    for (DWORD kind = ISTHMUS_KIND_NONPAGED_POOL; kind <= ISTHMUS_KIND_PAGES; kind++)
    {
        for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        {
            TestKind(isthmus, other, kind, lengths[i]);
        }
    }
    TestChanges(isthmus);
    TestMappedFile(isthmus);
    TestOverlap(isthmus);
    TestWatchLimits(isthmus);
    IsthmusClose(isthmus);
    IsthmusClose(other);
}
