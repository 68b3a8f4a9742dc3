/* SPDX-License-Identifier: MIT */
/*
 * Regions past what one MDL can describe: more than 4 GB of real memory, as a buffer of the process and as pages of the
 * kernel. Wants a machine with 6 GB and more.
 */
#include "check.h"

#define GB (1024ull * 1024 * 1024)
#define PAGE 4096
#define LENGTH (4 * GB + 256 * 1024 * 1024 + 4711)
#define STRIDE (16 * 1024 * 1024) /* between the pages that are looked at */

/* A stamp that tells which byte of the region it stands at. */
static UINT64 Stamp(UINT64 Offset)
{
    return (Offset + 1) * 0x9E3779B97F4A7C15ull;
}

/* Offsets at which bytes are compared: every STRIDE, around each multiple of 1 GB, and the end. */
static UINT64 NextOffset(UINT64 Offset)
{
    UINT64 boundary = (Offset / GB + 1) * GB - 24;
    UINT64 next = Offset + STRIDE;
    if (Offset < boundary && next > boundary)
    {
        next = boundary;
    }
    return Offset < LENGTH - 8 && next > LENGTH - 8 ? LENGTH - 8 : next;
}

/* Eight bytes of the region as the driver reads them, by their CRC-32. */
static int CompareWithDriver(HISTHMUS Isthmus, UINT64 Region, int *Compared)
{
    int wrong = 0;
    for (UINT64 offset = 0; offset < LENGTH; offset = NextOffset(offset))
    {
        UINT64 stamp = Stamp(offset);
        UINT32 crc = 0;
        wrong += !IsthmusChecksum(Isthmus, Region, offset, 8, &crc) || crc != Crc(&stamp, 8);
        (*Compared)++;
    }
    return wrong;
}

static void WriteStamps(BYTE *Memory)
{
    for (UINT64 offset = 0; offset < LENGTH; offset = NextOffset(offset))
    {
        UINT64 stamp = Stamp(offset);
        memcpy(Memory + offset, &stamp, 8);
    }
}

/* Each segment's MDL; together they must cover the region without a gap. */
static void CheckSegments(HISTHMUS Isthmus, UINT64 Region, UINT64 View)
{
    struct
    {
        ISTHMUS_DESCRIPTION Description;
        ISTHMUS_PAGE Pages[4];
    } d;
    UINT64 covered = 0;
    UINT32 segments = 1, frames = 0;
    for (UINT32 i = 0; i < segments; i++)
    {
        if (!CheckDone(IsthmusDescribe(Isthmus, Region, View, i, 0, &d.Description, sizeof(d)), "describe segment %u", i))
        {
            return;
        }
        segments = d.Description.Segments;
        printf("        segment %u of %u: offset 0x%llX, %u bytes in %u pages, user address 0x%llX, first frame 0x%llX\n",
               i, segments, (unsigned long long)d.Description.SegmentOffset, d.Description.Mdl.ByteCount,
               d.Description.Mdl.Pages, (unsigned long long)d.Description.UserAddress,
               (unsigned long long)d.Pages[0].MdlPfn);
        if (d.Description.SegmentOffset != covered)
        {
            Check(FALSE, "it must start at 0x%llX", (unsigned long long)covered);
        }
        covered += d.Description.Mdl.ByteCount;
        frames += d.Description.PagesReturned == 4 && d.Pages[0].MdlPfn == d.Pages[0].KernelPfn &&
                  d.Pages[0].MdlPfn == d.Pages[0].UserPfn;
    }
    Check(covered >= LENGTH && covered < LENGTH + PAGE && segments > 4 && frames == segments,
          "%u segments cover %llu bytes, more than one MDL can (%llu)", segments, (unsigned long long)covered,
          (unsigned long long)(4 * GB - PAGE));
}

static void TestBuffer(HISTHMUS Isthmus, UINT64 Lead)
{
    UINT64 region;
    int compared = 0;
    BYTE *memory = VirtualAlloc(NULL, (SIZE_T)(LENGTH + PAGE), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (!CheckDone(memory != NULL, "allocate %llu bytes", (unsigned long long)(LENGTH + PAGE)))
    {
        return;
    }
    WriteStamps(memory + Lead);
    if (CheckDone(IsthmusShare(Isthmus, memory + Lead, LENGTH, ISTHMUS_ACCESS_ALL, &region),
                  "share %llu bytes at offset 0x%llX of a page", (unsigned long long)LENGTH, (unsigned long long)Lead))
    {
        CheckSegments(Isthmus, region, 0);
        int wrong = CompareWithDriver(Isthmus, region, &compared);
        Check(wrong == 0, "the driver reads what the program wrote in %d places", compared);
        CheckDone(IsthmusWatch(Isthmus, region, 0, LENGTH - 1, 1, 5000), "watch the first byte, answer in the last");
        BYTE value = (BYTE)(memory[Lead] + 1), answer = (BYTE)(255 - value);
        DWORD begin = GetTickCount();
        *(volatile BYTE *)&memory[Lead] = value;
        while (*(volatile BYTE *)&memory[Lead + LENGTH - 1] != answer && GetTickCount() - begin < 5000)
        {
            Sleep(1);
        }
        Check(memory[Lead + LENGTH - 1] == answer, "the DPC answered across the segments");
        CheckDone(IsthmusRelease(Isthmus, region), "release");
    }
    CheckDone(VirtualFree(memory, 0, MEM_RELEASE), "free the memory");
}

static void TestPages(HISTHMUS Isthmus)
{
    UINT64 region, view;
    int compared = 0;
    if (!CheckDone(IsthmusAllocate(Isthmus, ISTHMUS_KIND_PAGES, LENGTH, &region), "allocate %llu bytes of pages",
                   (unsigned long long)LENGTH))
    {
        return;
    }
    BYTE *memory = IsthmusMap(Isthmus, region, ISTHMUS_ACCESS_ALL, &view);
    if (CheckDone(memory != NULL, "map them in a row"))
    {
        int dirty = 0;
        for (UINT64 offset = 0; offset < LENGTH; offset = NextOffset(offset))
        {
            dirty += memory[offset] != 0;
        }
        Check(dirty == 0, "they come zeroed");
        WriteStamps(memory);
        CheckSegments(Isthmus, region, view);
        int wrong = CompareWithDriver(Isthmus, region, &compared);
        Check(wrong == 0, "the driver reads what the program wrote in %d places", compared);
    }
    CheckDone(IsthmusRelease(Isthmus, region), "release");
}

void TestLarge(void)
{
    static const wchar_t *const names[] = {L"ProcessLockedBytes", L"TotalLockedBytes", L"ProcessAllocatedBytes",
                                           L"TotalAllocatedBytes"};
    BOOL set = TRUE;
    for (int i = 0; i < 4; i++)
    {
        set = SetParameter(names[i], REG_QWORD, 8 * GB) && set;
    }
    if (CheckDone(set && Restart(), "restart the driver with quotas of 8 GB"))
    {
        HISTHMUS isthmus = IsthmusOpen(0);
        if (CheckDone(isthmus != NULL, "open a session"))
        {
            TestBuffer(isthmus, 0);
            TestBuffer(isthmus, 0xABD);
            TestPages(isthmus);
            IsthmusClose(isthmus);
        }
    }
    for (int i = 0; i < 4; i++)
    {
        ClearParameter(names[i]);
    }
    CheckDone(Restart(), "restart the driver as it was");
}
