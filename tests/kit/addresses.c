/* SPDX-License-Identifier: MIT */
/*
 * Addresses and lengths: null, kernel, unaligned, page-straddling, read-only, unmapped, near 2^32 and 2^64; given to
 * SHARE and to every transfer method.
 */
#include "check.h"

#define PAGE 4096

/* One SHARE; on success checks the driver's checksum against ours and releases. */
static void Share(HISTHMUS Isthmus, const void *Address, UINT64 Length, DWORD Access, DWORD Wanted, const char *What)
{
    UINT64 region = 0;
    UINT32 crc = 0;
    BOOL done = IsthmusShare(Isthmus, (void *)Address, Length, Access, &region);
    if (Wanted != ERROR_SUCCESS)
    {
        CheckError(done, Wanted, "share %s", What);
        if (done)
        {
            IsthmusRelease(Isthmus, region);
        }
        return;
    }
    if (!CheckDone(done, "share %s", What))
    {
        return;
    }
    UINT32 ours = Crc(Address, (size_t)Length);
    CheckDone(IsthmusChecksum(Isthmus, region, 0, Length, &crc), "checksum of %s", What);
    Check(crc == ours, "%s at %p: CRC-32 %08X by the driver, %08X here", What, Address, crc, ours);
    CheckError(IsthmusChecksum(Isthmus, region, 1, Length, &crc), ERROR_INVALID_PARAMETER, "checksum past the end");
    CheckError(IsthmusChecksum(Isthmus, region, ~0ull, 2, &crc), ERROR_INVALID_PARAMETER,
               "checksum at a wrapping offset");
    CheckError(IsthmusChecksum(Isthmus, region, 2, ~0ull - 1, &crc), ERROR_INVALID_PARAMETER,
               "checksum of a wrapping length");
    CheckDone(IsthmusRelease(Isthmus, region), "release %s", What);
    CheckError(IsthmusRelease(Isthmus, region), ERROR_NOT_FOUND, "release %s again", What);
}

static const void *At(UINT64 Address)
{
    return (const void *)(ULONG_PTR)Address;
}

/* Eight pages: 0-3 writable, 4 read-only, 5 no access, 6 and 7 reserved only. */
static BYTE *MakePages(void)
{
    DWORD old;
    BYTE *pages = VirtualAlloc(NULL, 8 * PAGE, MEM_RESERVE, PAGE_NOACCESS);
    if (pages == NULL || VirtualAlloc(pages, 6 * PAGE, MEM_COMMIT, PAGE_READWRITE) == NULL)
    {
        CheckDone(FALSE, "allocate test pages");
        return NULL;
    }
    Pattern(pages, 6 * PAGE, 1);
    if (!VirtualProtect(pages + 4 * PAGE, PAGE, PAGE_READONLY, &old) ||
        !VirtualProtect(pages + 5 * PAGE, PAGE, PAGE_NOACCESS, &old))
    {
        CheckDone(FALSE, "protect test pages");
    }
    return pages;
}

static void ShareGood(HISTHMUS Isthmus, BYTE *Pages)
{
    Share(Isthmus, Pages, PAGE, ISTHMUS_ACCESS_ALL, 0, "one page");
    Share(Isthmus, Pages, 1, ISTHMUS_ACCESS_ALL, 0, "one byte");
    Share(Isthmus, Pages + PAGE - 1, 1, ISTHMUS_ACCESS_ALL, 0, "a page's last byte");
    Share(Isthmus, Pages + PAGE - 1, 2, ISTHMUS_ACCESS_ALL, 0, "two bytes across a boundary");
    Share(Isthmus, Pages + 1, 4 * PAGE - 1, ISTHMUS_ACCESS_ALL, 0, "almost four pages from an odd address");
    Share(Isthmus, Pages + 123, 2 * PAGE, ISTHMUS_ACCESS_READ, 0, "two pages' length across three");
    Share(Isthmus, Pages + 4 * PAGE, PAGE, ISTHMUS_ACCESS_READ, 0, "a read-only page for reading");
    Share(Isthmus, Pages + 3 * PAGE, 2 * PAGE, ISTHMUS_ACCESS_READ, 0, "writable and read-only for reading");
    Share(Isthmus, (const void *)(ULONG_PTR)&TestAddresses, 64, ISTHMUS_ACCESS_READ, 0, "code for reading");
}

static void ShareBad(HISTHMUS Isthmus, BYTE *Pages)
{
    Share(Isthmus, NULL, PAGE, ISTHMUS_ACCESS_READ, ERROR_NOACCESS, "null");
    Share(Isthmus, At(0x1000), PAGE, ISTHMUS_ACCESS_READ, ERROR_NOACCESS, "the first 64 KB");
    Share(Isthmus, Pages, 0, ISTHMUS_ACCESS_READ, ERROR_INVALID_PARAMETER, "no bytes");
    Share(Isthmus, NULL, 0, ISTHMUS_ACCESS_READ, ERROR_INVALID_PARAMETER, "no bytes at null");
    Share(Isthmus, Pages, PAGE, 0, ERROR_INVALID_PARAMETER, "for no access");
    Share(Isthmus, Pages, PAGE, ISTHMUS_ACCESS_WRITE, ERROR_INVALID_PARAMETER, "for writing only");
    Share(Isthmus, Pages + 4 * PAGE, PAGE, ISTHMUS_ACCESS_ALL, ERROR_NOACCESS, "a read-only page for writing");
    Share(Isthmus, Pages + 3 * PAGE + 5, PAGE, ISTHMUS_ACCESS_ALL, ERROR_NOACCESS,
          "running into a read-only page for writing");
    Share(Isthmus, Pages + 5 * PAGE, PAGE, ISTHMUS_ACCESS_READ, ERROR_NOACCESS, "a page without access");
    Share(Isthmus, Pages + 6 * PAGE, PAGE, ISTHMUS_ACCESS_READ, ERROR_NOACCESS, "a reserved page");
    Share(Isthmus, Pages + 3 * PAGE, 3 * PAGE, ISTHMUS_ACCESS_READ, ERROR_NOACCESS,
          "running into a page without access");
    Share(Isthmus, (const void *)(ULONG_PTR)&TestAddresses, 64, ISTHMUS_ACCESS_ALL, ERROR_NOACCESS, "code for writing");

    static const UINT64 kernel[] = {0x0000800000000000ull, 0x7FFFFFFFFFFFF000ull, 0x8000000000000000ull,
                                    0xFFFF800000000000ull, 0xFFFFF78000000000ull, 0xFFFFF80000000000ull,
                                    0xFFFFFFFFFFFFF000ull, 0xFFFFFFFFFFFFFFFFull};
    for (unsigned i = 0; i < sizeof(kernel) / sizeof(kernel[0]); i++)
    {
        Share(Isthmus, At(kernel[i]), 1, ISTHMUS_ACCESS_READ, ERROR_NOACCESS, "outside the user half");
    }
    Share(Isthmus, At(0x00007FFFFFFF0000ull), 0x20000, ISTHMUS_ACCESS_READ, ERROR_NOACCESS,
          "across the end of user space");
    Share(Isthmus, At(0xFFFFFFFFFFFFF000ull), 0x2000, ISTHMUS_ACCESS_READ, ERROR_ARITHMETIC_OVERFLOW,
          "across the end of all");
    Share(Isthmus, Pages, ~0ull, ISTHMUS_ACCESS_READ, ERROR_ARITHMETIC_OVERFLOW, "2^64-1 bytes");
    Share(Isthmus, Pages, 0ull - (UINT64)(ULONG_PTR)Pages + 1, ISTHMUS_ACCESS_READ, ERROR_ARITHMETIC_OVERFLOW,
          "one byte too many");
    Share(Isthmus, Pages, 0ull - (UINT64)(ULONG_PTR)Pages, ISTHMUS_ACCESS_READ, ERROR_NOACCESS, "up to the end of all");
    Share(Isthmus, Pages, 0x8000000000000000ull, ISTHMUS_ACCESS_READ, ERROR_NOACCESS, "2^63 bytes");
    Share(Isthmus, Pages, 0x7FF000000000ull, ISTHMUS_ACCESS_READ, ERROR_NOT_ENOUGH_QUOTA, "almost all of user space");
    Share(Isthmus, Pages, 0x100000000ull, ISTHMUS_ACCESS_READ, ERROR_NOT_ENOUGH_QUOTA, "2^32 bytes");
    Share(Isthmus, Pages, 0xFFFFFFFFull, ISTHMUS_ACCESS_READ, ERROR_NOT_ENOUGH_QUOTA, "2^32-1 bytes");
    Share(Isthmus, Pages, 0x1000000, ISTHMUS_ACCESS_READ, ERROR_NOACCESS, "16 MB where there are four pages");
}

static void AllocateSizes(HISTHMUS Isthmus)
{
    static const struct
    {
        UINT64 Length;
        DWORD Wanted;
    } sizes[] = {
        {0, ERROR_INVALID_PARAMETER},         {~0ull, ERROR_NOT_ENOUGH_QUOTA},
        {~0ull - 4094, ERROR_NOT_ENOUGH_QUOTA}, {0x8000000000000000ull, ERROR_NOT_ENOUGH_QUOTA},
        {0x100000000ull, ERROR_NOT_ENOUGH_QUOTA}, {0xFFFFFFFFull, ERROR_NOT_ENOUGH_QUOTA},
    };
    for (DWORD kind = ISTHMUS_KIND_NONPAGED_POOL; kind <= ISTHMUS_KIND_PAGES; kind++)
    {
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        {
            UINT64 region;
            CheckError(IsthmusAllocate(Isthmus, kind, sizes[i].Length, &region), sizes[i].Wanted,
                       "allocate kind %lu, 0x%llX bytes", (unsigned long)kind, (unsigned long long)sizes[i].Length);
        }
    }
}

/* One transfer with addresses of the caller's choice; nothing but an error and no harm is wanted. */
static void TransferBad(HANDLE Device, DWORD Code, DWORD Direction, UINT64 Region, const void *Data, DWORD Length,
                        const char *What)
{
    ISTHMUS_TRANSFER query = {{ISTHMUS_REVISION, sizeof(query)}, Region, 0, Direction, 0};
    CheckError(Raw(Device, Code, &query, sizeof(query), (void *)Data, Length, NULL), ERROR_NOACCESS,
               "%s, method %lu, %s", What, (unsigned long)(Code & 3),
               Direction == ISTHMUS_TO_DRIVER ? "to the driver" : "from the driver");
}

static void TransfersBad(BYTE *Pages)
{
    HANDLE device = OpenDevice(ISTHMUS_DEVICE_NEITHER_W);
    ISTHMUS_ALLOCATE allocate = {{ISTHMUS_REVISION, sizeof(allocate)}, 8 * PAGE, ISTHMUS_KIND_PAGES, 0};
    ISTHMUS_REGION_INFO info = {0};
    if (device == INVALID_HANDLE_VALUE)
    {
        return;
    }
    CheckDone(Raw(device, IOCTL_ISTHMUS_ALLOCATE, &allocate, sizeof(allocate), &info, sizeof(info), NULL),
              "a region for transfers");

    static const DWORD toDriver[] = {IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, IOCTL_ISTHMUS_TRANSFER_NEITHER};
    static const DWORD fromDriver[] = {IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT, IOCTL_ISTHMUS_TRANSFER_NEITHER};
    for (unsigned i = 0; i < 2; i++)
    {
        DWORD in = toDriver[i], out = fromDriver[i];
        TransferBad(device, in, ISTHMUS_TO_DRIVER, 0, NULL, PAGE, "null");
        TransferBad(device, in, ISTHMUS_TO_DRIVER, 0, At(0xFFFFF80000000000ull), PAGE, "a kernel address");
        TransferBad(device, in, ISTHMUS_TO_DRIVER, 0, At(0x00007FFFFFFFFFFEull), 4, "across the end of user space");
        TransferBad(device, in, ISTHMUS_TO_DRIVER, 0, Pages + 5 * PAGE, PAGE, "no access");
        TransferBad(device, in, ISTHMUS_TO_DRIVER, 0, Pages + 4 * PAGE + 7, PAGE, "running into no access");
        TransferBad(device, out, ISTHMUS_FROM_DRIVER, info.Region, NULL, PAGE, "null");
        TransferBad(device, out, ISTHMUS_FROM_DRIVER, info.Region, At(0xFFFFF80000000000ull), PAGE, "a kernel address");
        TransferBad(device, out, ISTHMUS_FROM_DRIVER, info.Region, Pages + 4 * PAGE, PAGE, "a read-only page");
        TransferBad(device, out, ISTHMUS_FROM_DRIVER, info.Region, Pages + 3 * PAGE + 7, PAGE,
                    "running into a read-only page");
        TransferBad(device, out, ISTHMUS_FROM_DRIVER, info.Region, Pages + 6 * PAGE, PAGE, "a reserved page");
    }
    /* Parameters at bad addresses, which only neither passes through to the driver. */
    CheckError(Raw(device, IOCTL_ISTHMUS_TRANSFER_NEITHER, NULL, sizeof(ISTHMUS_TRANSFER), Pages, 16, NULL),
               ERROR_NOACCESS, "neither, parameters at null");
    CheckError(Raw(device, IOCTL_ISTHMUS_TRANSFER_NEITHER, At(0xFFFFF80000000000ull), sizeof(ISTHMUS_TRANSFER), Pages,
                   16, NULL),
               ERROR_NOACCESS, "neither, parameters at a kernel address");
    CheckError(
        Raw(device, IOCTL_ISTHMUS_TRANSFER_NEITHER, Pages + 5 * PAGE - 8, sizeof(ISTHMUS_TRANSFER), Pages, 16, NULL),
        ERROR_NOACCESS, "neither, parameters running into no access");
    CheckError(Raw(device, IOCTL_ISTHMUS_TRANSFER_NEITHER, At(0x0000800000000000ull), sizeof(ISTHMUS_TRANSFER), Pages,
                   16, NULL),
               ERROR_NOACCESS, "neither, parameters at a non-canonical address");
    CloseHandle(device);
}

/* ReadFile and WriteFile with bad addresses on the three devices. */
static void FilesBad(const wchar_t *Name, const char *What, BYTE *Pages)
{
    HANDLE device = OpenDevice(Name);
    DWORD got;
    if (device == INVALID_HANDLE_VALUE)
    {
        return;
    }
    CheckError(WriteFile(device, At(0xFFFFF80000000000ull), PAGE, &got, NULL), ERROR_NOACCESS,
               "%s: write from a kernel address", What);
    CheckError(WriteFile(device, Pages + 5 * PAGE, 1, &got, NULL), ERROR_NOACCESS,
               "%s: write from a page without access", What);
    CheckError(WriteFile(device, Pages + 4 * PAGE, 2 * PAGE, &got, NULL), ERROR_NOACCESS, "%s: write running into one",
               What);
    CheckError(ReadFile(device, Pages + 4 * PAGE, 16, &got, NULL), ERROR_NOACCESS, "%s: read into a read-only page",
               What);
    CheckError(ReadFile(device, (void *)At(0xFFFFF80000000000ull), 16, &got, NULL), ERROR_NOACCESS,
               "%s: read into a kernel address", What);
    CheckDone(WriteFile(device, Pages, 0, &got, NULL) && got == 0, "%s: write no bytes", What);
    CheckDone(WriteFile(device, Pages + 1, 3 * PAGE, &got, NULL) && got == 3 * PAGE, "%s: write three pages' length",
              What);
    CloseHandle(device);
}

void TestAddresses(void)
{
    HISTHMUS isthmus = IsthmusOpen(0);
    if (!CheckDone(isthmus != NULL, "open a session"))
    {
        return;
    }
    BYTE *pages = MakePages();
    if (pages != NULL)
    {
        ShareGood(isthmus, pages);
        ShareBad(isthmus, pages);
        AllocateSizes(isthmus);
        TransfersBad(pages);
        FilesBad(ISTHMUS_DEVICE_NEITHER_W, "neither", pages);
        FilesBad(ISTHMUS_DEVICE_BUFFERED_W, "buffered", pages);
        FilesBad(ISTHMUS_DEVICE_DIRECT_W, "direct", pages);
        VirtualFree(pages, 0, MEM_RELEASE);
    }
    IsthmusClose(isthmus);
}
