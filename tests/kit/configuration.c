/* SPDX-License-Identifier: MIT */
/*
 * The driver restarted with small segments and small quotas: regions of many MDLs, and limits that are reached.
 */
#include "check.h"

#define PAGE    4096
#define SEGMENT (4 * PAGE)

/* Every segment's description, and that together they cover the region. */
static void CheckSegments(HISTHMUS Isthmus, UINT64 Region, UINT64 View, UINT64 Length, UINT32 Wanted)
{
    struct
    {
        ISTHMUS_DESCRIPTION Description;
        ISTHMUS_PAGE Pages[8];
    } d;
    UINT64 covered = 0;
    UINT32 same = 0, pages = 0;
    for (UINT32 i = 0; i < Wanted; i++)
    {
        if (!CheckDone(IsthmusDescribe(Isthmus, Region, View, i, 0, &d.Description, sizeof(d)), "describe segment %u",
                       i) ||
            !Check(d.Description.Segments == Wanted && d.Description.SegmentOffset == covered,
                   "it starts at %llu, one of %u", (unsigned long long)d.Description.SegmentOffset,
                   d.Description.Segments))
        {
            return;
        }
        covered += d.Description.Mdl.ByteCount;
        for (UINT32 page = 0; page < d.Description.PagesReturned; page++, pages++)
        {
            same += d.Pages[page].MdlPfn == d.Pages[page].KernelPfn && d.Pages[page].KernelPfn == d.Pages[page].UserPfn;
        }
    }
    Check(covered >= Length && covered < Length + PAGE && same == pages,
          "%u segments cover %llu bytes; %u of %u frames agree", Wanted, (unsigned long long)covered, same, pages);
}

static void TestSegments(HISTHMUS Isthmus)
{
    UINT64 region, view, length = 9 * SEGMENT + 0x123;
    UINT32 crc = 0;
    BYTE *memory = VirtualAlloc(NULL, (SIZE_T)length + PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    Pattern(memory, (size_t)length + PAGE, 21);
    if (CheckDone(IsthmusShare(Isthmus, memory + 0xF01, length, ISTHMUS_ACCESS_ALL, &region),
                  "share across ten segments"))
    {
        CheckSegments(Isthmus, region, 0, length, 10);
        CheckDone(IsthmusChecksum(Isthmus, region, 0, length, &crc) && crc == Crc(memory + 0xF01, (size_t)length),
                  "CRC-32 %08X", crc);
        CheckDone(IsthmusChecksum(Isthmus, region, SEGMENT - 0xF01 - 5, 10, &crc) &&
                      crc == Crc(memory + SEGMENT - 5, 10),
                  "CRC-32 of ten bytes across two segments %08X", crc);
        CheckDone(IsthmusRelease(Isthmus, region), "release");
    }
    for (DWORD kind = ISTHMUS_KIND_NONPAGED_POOL; kind <= ISTHMUS_KIND_PAGES; kind++)
    {
        if (!CheckDone(IsthmusAllocate(Isthmus, kind, length, &region), "allocate kind %lu across ten segments",
                       (unsigned long)kind))
        {
            continue;
        }
        BYTE *shown = IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view);
        if (CheckDone(shown != NULL, "map them in a row"))
        {
            memcpy(shown, memory, (size_t)length);
            CheckSegments(Isthmus, region, view, length, 10);
            CheckDone(IsthmusChecksum(Isthmus, region, 0, length, &crc) && crc == Crc(memory, (size_t)length),
                      "CRC-32 %08X", crc);
        }
        CheckDone(IsthmusRelease(Isthmus, region), "release");
    }
    /* A raw buffer that needs a chain of the driver's own. */
    HANDLE device = OpenDevice(ISTHMUS_DEVICE_NEITHER_W);
    ISTHMUS_TRANSFER query = {{ISTHMUS_REVISION, sizeof(query)}, 0, 0, ISTHMUS_TO_DRIVER, 0};
    ISTHMUS_LAST_REQUEST last = {0};
    CheckDone(Raw(device, IOCTL_ISTHMUS_TRANSFER_NEITHER, &query, sizeof(query), memory + 1, (DWORD)length, NULL) &&
                  Raw(device, IOCTL_ISTHMUS_LAST_REQUEST, NULL, 0, &last, sizeof(last), NULL),
              "neither across ten segments");
    Check(last.MdlCount == 10 && last.Crc32 == Crc(memory + 1, (size_t)length), "%u MDLs, CRC-32 %08X", last.MdlCount,
          last.Crc32);
    CloseHandle(device);
    VirtualFree(memory, 0, MEM_RELEASE);
}

static void TestQuotas(HISTHMUS Isthmus)
{
    UINT64 regions[4], views[4], region;
    BYTE bytes[16];
    ISTHMUS_STATISTICS before, after;
    IsthmusStatistics(Isthmus, &before);
    for (int i = 0; i < 4; i++)
    {
        CheckDone(IsthmusAllocate(Isthmus, ISTHMUS_KIND_PAGES, PAGE, &regions[i]), "region %d of 4", i + 1);
    }
    CheckError(IsthmusAllocate(Isthmus, ISTHMUS_KIND_PAGES, PAGE, &region), ERROR_NOT_ENOUGH_QUOTA, "region 5 of 4");
    CheckError(IsthmusShare(Isthmus, bytes, sizeof(bytes), ISTHMUS_ACCESS_READ, &region), ERROR_NOT_ENOUGH_QUOTA,
               "one more, shared");
    for (int i = 0; i < 3; i++)
    {
        CheckDone(IsthmusMap(Isthmus, regions[i], ISTHMUS_ACCESS_ALL, &views[i]) != NULL, "view %d of 3", i + 1);
    }
    CheckError(IsthmusMap(Isthmus, regions[3], ISTHMUS_ACCESS_ALL, &views[3]) != NULL, ERROR_NOT_ENOUGH_QUOTA,
               "view 4 of 3");
    for (int i = 0; i < 4; i++)
    {
        CheckDone(IsthmusRelease(Isthmus, regions[i]), "release");
    }
    CheckError(IsthmusAllocate(Isthmus, ISTHMUS_KIND_PAGES, 0x100001, &region), ERROR_NOT_ENOUGH_QUOTA,
               "a byte more than the bytes allowed");
    CheckDone(IsthmusAllocate(Isthmus, ISTHMUS_KIND_PAGES, 0x100000, &region), "exactly the bytes allowed");
    CheckError(IsthmusAllocate(Isthmus, ISTHMUS_KIND_PAGES, 1, &regions[0]), ERROR_NOT_ENOUGH_QUOTA, "one page more");
    CheckDone(IsthmusRelease(Isthmus, region), "release");
    IsthmusStatistics(Isthmus, &after);
    Check(after.Refusals == before.Refusals + 5, "%llu refusals were counted",
          (unsigned long long)(after.Refusals - before.Refusals));
}

void TestConfiguration(void)
{
    static const struct
    {
        const wchar_t *Name;
        DWORD Value;
    } parameters[] = {
        {L"SegmentBytes", SEGMENT}, {L"ProcessRegions", 4},
        {L"ProcessViews", 3},       {L"ProcessAllocatedBytes", 0x100000},
    };
    BOOL set = TRUE;
    for (unsigned i = 0; i < 4; i++)
    {
        set = SetParameter(parameters[i].Name, REG_DWORD, parameters[i].Value) && set;
    }
    if (CheckDone(set, "set the parameters") && CheckDone(Restart(), "restart the driver"))
    {
        HISTHMUS isthmus = IsthmusOpen(0);
        if (CheckDone(isthmus != NULL, "open a session"))
        {
            TestSegments(isthmus);
            TestQuotas(isthmus);
            IsthmusClose(isthmus);
        }
    }
    for (unsigned i = 0; i < 4; i++)
    {
        ClearParameter(parameters[i].Name);
    }
    CheckDone(Restart(), "restart the driver as it was");
}
