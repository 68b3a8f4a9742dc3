/* SPDX-License-Identifier: MIT */
/*
 * Transfers by every method, at lengths around the page size and at odd addresses; chains; and their misuse.
 */
#include "check.h"

#define PAGE   4096
#define REGION (64 * PAGE)

typedef struct FIXTURE
{
    HANDLE Device;
    UINT64 Region;
    BYTE *Buffer; /* REGION + PAGE bytes */
} FIXTURE;

static BOOL Begin(FIXTURE *Fixture, const wchar_t *Name)
{
    ISTHMUS_ALLOCATE query = {{ISTHMUS_REVISION, sizeof(query)}, REGION, ISTHMUS_KIND_PAGES, 0};
    ISTHMUS_REGION_INFO info = {0};
    Fixture->Device = OpenDevice(Name);
    Fixture->Buffer = malloc(REGION + PAGE);
    if (Fixture->Device == INVALID_HANDLE_VALUE || Fixture->Buffer == NULL)
    {
        return FALSE;
    }
    if (!CheckDone(Raw(Fixture->Device, IOCTL_ISTHMUS_ALLOCATE, &query, sizeof(query), &info, sizeof(info), NULL),
                   "allocate"))
    {
        CloseHandle(Fixture->Device);
        free(Fixture->Buffer);
        return FALSE;
    }
    Fixture->Region = info.Region;
    return TRUE;
}

static void End(FIXTURE *Fixture)
{
    CloseHandle(Fixture->Device);
    free(Fixture->Buffer);
}

static BOOL Last(FIXTURE *Fixture, ISTHMUS_LAST_REQUEST *Request)
{
    ZeroMemory(Request, sizeof(*Request));
    return CheckDone(Raw(Fixture->Device, IOCTL_ISTHMUS_LAST_REQUEST, NULL, 0, Request, sizeof(*Request), NULL),
                     "last request");
}

static BOOL Transfer(FIXTURE *Fixture, DWORD Code, DWORD Direction, UINT64 Offset, BYTE *Data, DWORD Length, DWORD *Got)
{
    static BYTE input[sizeof(ISTHMUS_TRANSFER) + REGION + PAGE];
    ISTHMUS_TRANSFER query = {{ISTHMUS_REVISION, sizeof(query)}, Fixture->Region, Offset, Direction, 0};
    memcpy(input, &query, sizeof(query));
    if (Code == IOCTL_ISTHMUS_TRANSFER_BUFFERED && Direction == ISTHMUS_TO_DRIVER)
    {
        memcpy(input + sizeof(query), Data, Length);
        return Raw(Fixture->Device, Code, input, sizeof(query) + Length, NULL, 0, Got);
    }
    return Raw(Fixture->Device, Code, input, sizeof(query), Data, Length, Got);
}

/* There and back by one pair of codes; Lead bytes into a page. */
static void RoundTrip(FIXTURE *Fixture, DWORD In, DWORD Out, DWORD Length, DWORD Lead)
{
    ISTHMUS_LAST_REQUEST last;
    BYTE *data = (BYTE *)(((ULONG_PTR)Fixture->Buffer + PAGE - 1) & ~(ULONG_PTR)(PAGE - 1)) + Lead;
    DWORD got = 0;
    UINT64 offset = Length < REGION ? (REGION - Length) / 2 + Lead % 2 : 0;
    Pattern(data, Length, Length + Lead);
    UINT32 crc = Crc(data, Length);
    CheckDone(Transfer(Fixture, In, ISTHMUS_TO_DRIVER, offset, data, Length, &got),
              "method %lu: %lu bytes to the driver from %p", (unsigned long)(In & 3), (unsigned long)Length, data);
    if (Last(Fixture, &last))
    {
        Check(last.Crc32 == crc && last.Length == Length && last.Method == (In & 3) && last.MajorFunction == 14,
              "the driver took %llu bytes, CRC-32 %08X, ours %08X, %u MDLs", (unsigned long long)last.Length,
              last.Crc32, crc, last.MdlCount);
    }
    memset(data, 0, Length);
    CheckDone(Transfer(Fixture, Out, ISTHMUS_FROM_DRIVER, offset, data, Length, &got), "method %lu: %lu bytes back",
              (unsigned long)(Out & 3), (unsigned long)Length);
    Check(got == Length && Crc(data, Length) == crc, "%lu bytes came back, CRC-32 %08X", (unsigned long)got,
          Crc(data, Length));
}

/* The same by WriteFile and ReadFile. */
static void FileTrip(FIXTURE *Fixture, DWORD Length, DWORD Lead, const char *What)
{
    BYTE *data = Fixture->Buffer + Lead;
    OVERLAPPED at = {.Offset = REGION - Length};
    DWORD got = 0;
    Pattern(data, Length, Length * 3 + Lead);
    UINT32 crc = Crc(data, Length);
    CheckDone(WriteFile(Fixture->Device, data, Length, &got, &at) && got == Length, "%s: write %lu bytes", What,
              (unsigned long)Length);
    memset(data, 0, Length);
    CheckDone(ReadFile(Fixture->Device, data, Length, &got, &at) && got == Length, "%s: read them", What);
    Check(Crc(data, Length) == crc, "%s: CRC-32 %08X, was %08X", What, Crc(data, Length), crc);
}

static void TestMethods(void)
{
    static const DWORD lengths[] = {1, 4095, 4096, 4097, 3 * PAGE, 10000, REGION - PAGE};
    FIXTURE fixture;
    if (!Begin(&fixture, ISTHMUS_DEVICE_NEITHER_W))
    {
        return;
    }
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
    {
        for (DWORD lead = 0; lead <= 1023; lead += 341)
        {
            DWORD length = min(lengths[i], REGION - PAGE - lead);
            RoundTrip(&fixture, IOCTL_ISTHMUS_TRANSFER_BUFFERED, IOCTL_ISTHMUS_TRANSFER_BUFFERED, length, lead);
            RoundTrip(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT, length, lead);
            RoundTrip(&fixture, IOCTL_ISTHMUS_TRANSFER_NEITHER, IOCTL_ISTHMUS_TRANSFER_NEITHER, length, lead);
        }
    }
    End(&fixture);
}

static void TestFiles(const wchar_t *Name, const char *What)
{
    static const DWORD lengths[] = {1, 4095, 4097, REGION};
    FIXTURE fixture;
    DWORD got = 0;
    if (!Begin(&fixture, Name))
    {
        return;
    }
    ISTHMUS_TARGET target = {{ISTHMUS_REVISION, sizeof(target)}, fixture.Region};
    CheckDone(Raw(fixture.Device, IOCTL_ISTHMUS_TARGET, &target, sizeof(target), NULL, 0, NULL), "%s: set the target",
              What);
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
    {
        FileTrip(&fixture, lengths[i], 0, What);
        FileTrip(&fixture, lengths[i], 777, What);
    }
    OVERLAPPED at = {.Offset = REGION - 10};
    CheckDone(ReadFile(fixture.Device, fixture.Buffer, 100, &got, &at) && got == 10,
              "%s: a read across the end gives 10 bytes", What);
    CheckError(WriteFile(fixture.Device, fixture.Buffer, 100, &got, &at), ERROR_INVALID_PARAMETER,
               "%s: a write across the end", What);
    at.Offset = REGION;
    CheckError(ReadFile(fixture.Device, fixture.Buffer, 1, &got, &at), ERROR_HANDLE_EOF, "%s: a read at the end", What);
    at.Offset = 0;
    at.OffsetHigh = 0x40000000;
    CheckError(WriteFile(fixture.Device, fixture.Buffer, 1, &got, &at), ERROR_INVALID_PARAMETER,
               "%s: a write far beyond", What);
    target.Region = fixture.Region + 1000000;
    CheckError(Raw(fixture.Device, IOCTL_ISTHMUS_TARGET, &target, sizeof(target), NULL, 0, NULL), ERROR_NOT_FOUND,
               "%s: a target that isn't there", What);
    ISTHMUS_ID release = {{ISTHMUS_REVISION, sizeof(release)}, fixture.Region};
    CheckDone(Raw(fixture.Device, IOCTL_ISTHMUS_RELEASE, &release, sizeof(release), NULL, 0, NULL),
              "%s: release the target", What);
    at.OffsetHigh = 0;
    CheckError(WriteFile(fixture.Device, fixture.Buffer, 1, &got, &at), ERROR_NOT_FOUND,
               "%s: a write to the released target", What);
    End(&fixture);
}

/* A request with parts; Parts[i] of Lengths[i]. */
static BOOL Chain(FIXTURE *Fixture, DWORD Code, DWORD Direction, UINT64 Region, BYTE *First, DWORD FirstLength,
                  const ISTHMUS_PART *Parts, DWORD Count, DWORD Claimed)
{
    struct
    {
        ISTHMUS_TRANSFER Transfer;
        ISTHMUS_PART Parts[16];
    } query;
    ZeroMemory(&query, sizeof(query));
    query.Transfer.Header.Revision = ISTHMUS_REVISION;
    query.Transfer.Header.Size = sizeof(query.Transfer);
    query.Transfer.Region = Region;
    query.Transfer.Direction = Direction;
    query.Transfer.PartCount = Claimed;
    memcpy(query.Parts, Parts, Count * sizeof(*Parts));
    return Raw(Fixture->Device, Code, &query, sizeof(query.Transfer) + Count * sizeof(*Parts), First, FirstLength,
               NULL);
}

static void TestChains(void)
{
    FIXTURE fixture;
    ISTHMUS_PART parts[8];
    ISTHMUS_LAST_REQUEST last;
    if (!Begin(&fixture, ISTHMUS_DEVICE_DIRECT_W))
    {
        return;
    }
    BYTE *data = fixture.Buffer;
    Pattern(data, REGION, 5);
    for (DWORD count = 1; count <= 7; count++)
    {
        /* Eight pieces of one buffer in a row, so that the whole is easy to check. */
        DWORD piece = 3001;
        for (DWORD i = 0; i < count; i++)
        {
            parts[i].Address = (UINT64)(ULONG_PTR)(data + (i + 1) * piece);
            parts[i].Length = piece;
        }
        DWORD total = (count + 1) * piece;
        CheckDone(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_TO_DRIVER, fixture.Region, data, piece,
                        parts, count, count),
                  "a chain with %lu parts", (unsigned long)count);
        if (Last(&fixture, &last))
        {
            Check(last.Crc32 == Crc(data, total) && last.Length == total && last.MdlCount == count + 1,
                  "%u MDLs, %llu bytes, CRC-32 %08X", last.MdlCount, (unsigned long long)last.Length, last.Crc32);
        }
        static BYTE copy[8 * 3001];
        memset(copy, 0, sizeof(copy));
        for (DWORD i = 0; i < count; i++)
        {
            parts[i].Address = (UINT64)(ULONG_PTR)(copy + (i + 1) * piece);
        }
        CheckDone(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT, ISTHMUS_FROM_DRIVER, fixture.Region, copy, piece,
                        parts, count, count),
                  "and back into %lu buffers", (unsigned long)(count + 1));
        Check(memcmp(copy, data, total) == 0, "the bytes are the same");
    }
    CheckDone(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_TO_DRIVER, 0, NULL, 0, parts, 2, 2),
              "a chain without a first buffer");
    CheckError(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_TO_DRIVER, 0, data, 16, parts, 8, 8),
               ERROR_INVALID_PARAMETER, "eight parts");
    CheckError(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_TO_DRIVER, 0, data, 16, parts, 2, 3),
               ERROR_BAD_LENGTH, "more parts claimed than given");
    CheckError(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_TO_DRIVER, 0, data, 16, parts, 2, 0xFFFFFFFF),
               ERROR_INVALID_PARAMETER, "2^32-1 parts claimed");
    CheckError(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_NEITHER, ISTHMUS_TO_DRIVER, 0, data, 16, parts, 1, 1),
               ERROR_INVALID_PARAMETER, "parts with neither");
    parts[1].Address = 0xFFFFF80000000000ull;
    CheckError(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_TO_DRIVER, 0, data, 16, parts, 3, 3),
               ERROR_NOACCESS, "a kernel address as second part");
    parts[1].Address = 0xFFFFFFFFFFFFFFFFull;
    CheckError(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_TO_DRIVER, 0, data, 16, parts, 3, 3),
               ERROR_ARITHMETIC_OVERFLOW, "a part that wraps");
    parts[1].Address = (UINT64)(ULONG_PTR)data;
    parts[1].Length = 0;
    CheckError(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_TO_DRIVER, 0, data, 16, parts, 3, 3),
               ERROR_INVALID_PARAMETER, "a part of no bytes");
    parts[1].Length = ~0ull;
    CheckError(Chain(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_TO_DRIVER, 0, data, 16, parts, 3, 3),
               ERROR_INVALID_PARAMETER, "a part of 2^64-1 bytes");
    End(&fixture);
}

static void TestMisuse(void)
{
    FIXTURE fixture;
    DWORD got;
    if (!Begin(&fixture, ISTHMUS_DEVICE_NEITHER_W))
    {
        return;
    }
    BYTE *data = fixture.Buffer;
    CheckError(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_FROM_DRIVER, 0, data, 16, &got),
               ERROR_INVALID_PARAMETER, "in-direct from the driver");
    CheckError(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT, ISTHMUS_TO_DRIVER, 0, data, 16, &got),
               ERROR_INVALID_PARAMETER, "out-direct to the driver");
    CheckError(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_NEITHER, 3, 0, data, 16, &got), ERROR_INVALID_PARAMETER,
               "both directions");
    CheckError(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_NEITHER, ISTHMUS_TO_DRIVER, REGION - 15, data, 16, &got),
               ERROR_INVALID_PARAMETER, "across the region's end");
    CheckError(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_NEITHER, ISTHMUS_TO_DRIVER, ~0ull - 3, data, 16, &got),
               ERROR_INVALID_PARAMETER, "at an offset that wraps");
    CheckDone(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, ISTHMUS_TO_DRIVER, 0, NULL, 0, &got),
              "in-direct, no bytes");
    CheckDone(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT, ISTHMUS_FROM_DRIVER, REGION, NULL, 0, &got),
              "out-direct, no bytes");
    CheckDone(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_NEITHER, ISTHMUS_TO_DRIVER, 0, NULL, 0, &got),
              "neither, no bytes");
    CheckDone(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_BUFFERED, ISTHMUS_TO_DRIVER, 0, data, 0, &got),
              "buffered, no bytes");
    fixture.Region += 1000000;
    CheckError(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_NEITHER, ISTHMUS_TO_DRIVER, 0, data, 16, &got),
               ERROR_NOT_FOUND, "a region that isn't there");
    fixture.Region = 0;
    CheckError(Transfer(&fixture, IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT, ISTHMUS_FROM_DRIVER, 0, data, 16, &got),
               ERROR_INVALID_PARAMETER, "from no region");
    End(&fixture);
}

void TestRequests(void)
{
    TestMethods();
    TestFiles(ISTHMUS_DEVICE_NEITHER_W, "neither");
    TestFiles(ISTHMUS_DEVICE_BUFFERED_W, "buffered");
    TestFiles(ISTHMUS_DEVICE_DIRECT_W, "direct");
    TestChains();
    TestMisuse();
}
