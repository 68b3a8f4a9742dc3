/* SPDX-License-Identifier: MIT */
/*
 * Ways 3 to 5: the transfer methods of control codes and of ReadFile and WriteFile. For each, the file's bytes go into
 * a region of the driver and come back; the driver tells the checksum of what it took and gave through its own view of
 * the caller's buffer.
 */
#include "cli.h"

#define BUFFERED_CHUNK (32u * 1024)        /* copied through nonpaged pool: kept small */
#define LOCKED_CHUNK   (4u * 1024 * 1024)

/* A transfer under way: the region in the driver, and the handle the requests go to. */
typedef struct CARRIER
{
    DEMO *Demo;
    HANDLE Device;
    UINT64 Region;
    DWORD Chunk;
    ISTHMUS_LAST_REQUEST Last;
} CARRIER;

static BOOL LastRequest(CARRIER *Carrier)
{
    DWORD got;
    return DeviceIoControl(Carrier->Device, IOCTL_ISTHMUS_LAST_REQUEST, NULL, 0, &Carrier->Last, sizeof(Carrier->Last),
                           &got, NULL);
}

/* One control code on a synchronous handle. Data is the output buffer, or follows the parameters if buffered. */
static BOOL TransferChunk(CARRIER *Carrier, DWORD Code, DWORD Direction, UINT64 Offset, BYTE *Data, DWORD Length)
{
    BYTE *input = malloc(sizeof(ISTHMUS_TRANSFER) + Length);
    ISTHMUS_TRANSFER *query = (ISTHMUS_TRANSFER *)input;
    DWORD inputLength = sizeof(*query), got = 0;
    BOOL inInput = Code == IOCTL_ISTHMUS_TRANSFER_BUFFERED && Direction == ISTHMUS_TO_DRIVER;
    if (input == NULL)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return FALSE;
    }
    ZeroMemory(query, sizeof(*query));
    query->Header.Revision = ISTHMUS_REVISION;
    query->Header.Size = sizeof(*query);
    query->Region = Carrier->Region;
    query->Offset = Offset;
    query->Direction = Direction;
    if (inInput)
    {
        memcpy(query + 1, Data, Length);
        inputLength += Length;
    }
    BOOL done = DeviceIoControl(Carrier->Device, Code, input, inputLength, inInput ? NULL : Data, inInput ? 0 : Length,
                                &got, NULL);
    DWORD error = GetLastError();
    free(input);
    SetLastError(error);
    return done;
}

/* ReadFile or WriteFile at an offset. */
static BOOL FileChunk(CARRIER *Carrier, DWORD Direction, UINT64 Offset, BYTE *Data, DWORD Length)
{
    OVERLAPPED overlapped = {.Offset = (DWORD)Offset, .OffsetHigh = (DWORD)(Offset >> 32)};
    DWORD count = 0;
    BOOL done = Direction == ISTHMUS_TO_DRIVER ? WriteFile(Carrier->Device, Data, Length, &count, &overlapped)
                                               : ReadFile(Carrier->Device, Data, Length, &count, &overlapped);
    if (done && count != Length)
    {
        SetLastError(ERROR_HANDLE_EOF);
        done = FALSE;
    }
    return done;
}

/*
 * The whole file in one direction; Code 0 is ReadFile or WriteFile. Each chunk's checksum by the driver must equal the
 * program's, computed from the file itself. FALSE if a request failed, with the message printed.
 */
static BOOL Carry(CARRIER *Carrier, DWORD Code, DWORD Direction, BYTE *Buffer, const char *What)
{
    DEMO *demo = Carrier->Demo;
    UINT32 driver = 0, program = 0;
    UINT64 same = 0, chunks = 0;
    for (UINT64 offset = 0; offset < demo->Length; offset += Carrier->Chunk)
    {
        DWORD length = (DWORD)min(demo->Length - offset, (UINT64)Carrier->Chunk);
        BOOL done = Code != 0 ? TransferChunk(Carrier, Code, Direction, offset, Buffer + offset, length)
                              : FileChunk(Carrier, Direction, offset, Buffer + offset, length);
        if (!done || !LastRequest(Carrier))
        {
            ProofFailed(demo, What);
            return FALSE;
        }
        driver = Carrier->Last.Crc32;
        program = ProgramCrc32(0, demo->Bytes + offset, length);
        same += driver == program && Carrier->Last.Length == length;
        chunks++;
    }
    BOOL arrived = Direction == ISTHMUS_TO_DRIVER || memcmp(Buffer, demo->Bytes, (size_t)demo->Length) == 0;
    Proof(demo, same == chunks && arrived, "%s: CRC-32 %s %08X, by the program %08X (%llu requests)%s", What,
          Direction == ISTHMUS_TO_DRIVER ? "of what the driver took" : "of what the driver gave", driver, program,
          (unsigned long long)chunks, Direction == ISTHMUS_FROM_DRIVER ? ", bytes back as they were" : "");
    return TRUE;
}

/* How the last request's buffer came, as the driver saw it. */
static void PrintLast(const CARRIER *Carrier)
{
    const ISTHMUS_LAST_REQUEST *last = &Carrier->Last;
    printf(ROW "%s, %llu bytes in the last request, %u MDLs\n", "method", MethodName(last->Method),
           (unsigned long long)last->Length, last->MdlCount);
    for (UINT32 i = 0; i < last->MdlCount && i < ISTHMUS_REQUEST_MDLS; i++)
    {
        PrintMdl(&last->Mdls[i]);
    }
    if (last->PagesReturned == 0)
    {
        return;
    }
    printf(ROW, "frames");
    for (UINT32 i = 0; i < last->PagesReturned && i < 6; i++)
    {
        printf("%#llx ", (unsigned long long)last->Pages[i]);
    }
    printf(last->PagesTotal > 6 ? "... (%u in all)\n" : "(%u in all)\n", last->PagesTotal);
}

static BOOL SetTarget(CARRIER *Carrier)
{
    ISTHMUS_TARGET target = {{ISTHMUS_REVISION, sizeof(target)}, Carrier->Region};
    DWORD got;
    return DeviceIoControl(Carrier->Device, IOCTL_ISTHMUS_TARGET, &target, sizeof(target), NULL, 0, &got, NULL);
}

/* A session of its own, with a region of the file's size. Nonpaged pool is the kind that needs no mapping at all. */
static BOOL BeginCarry(CARRIER *Carrier, DEMO *Demo, const wchar_t *Device, DWORD Chunk)
{
    ISTHMUS_ALLOCATE query = {{ISTHMUS_REVISION, sizeof(query)}, Demo->Length, ISTHMUS_KIND_NONPAGED_POOL, 0};
    ISTHMUS_REGION_INFO info;
    DWORD got;
    ZeroMemory(Carrier, sizeof(*Carrier));
    Carrier->Demo = Demo;
    Carrier->Chunk = Chunk;
    Carrier->Device = CreateFileW(Device, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (Carrier->Device == INVALID_HANDLE_VALUE)
    {
        ProofFailed(Demo, "open the device");
        return FALSE;
    }
    printf(ROW "malloc by this process; a region of nonpaged pool by the driver takes the bytes\n", "allocated");
    if (!DeviceIoControl(Carrier->Device, IOCTL_ISTHMUS_ALLOCATE, &query, sizeof(query), &info, sizeof(info), &got,
                         NULL))
    {
        /* Without regions (a kernel that can't build MDLs) the methods themselves can still be shown. */
        printf(ROW "no region on this system (error %lu): bytes are only summed up\n", "note",
               (unsigned long)GetLastError());
        return TRUE;
    }
    Carrier->Region = info.Region;
    if (!SetTarget(Carrier))
    {
        ProofFailed(Demo, "set the target");
        CloseHandle(Carrier->Device);
        return FALSE;
    }
    return TRUE;
}

/* Both directions, by control codes and by the file functions. */
static void CarryAll(CARRIER *Carrier, DWORD InCode, DWORD OutCode, const char *In, const char *Out)
{
    BYTE *buffer = malloc((size_t)Carrier->Demo->Length);
    if (buffer == NULL)
    {
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        ProofFailed(Carrier->Demo, "allocate");
        return;
    }
    printf(ROW "0x%llX, %llu bytes\n", "user address", (unsigned long long)(ULONG_PTR)buffer,
           (unsigned long long)Carrier->Demo->Length);
    const struct
    {
        DWORD Code;
        DWORD Direction;
        const char *Name;
    } steps[] = {
        {InCode, ISTHMUS_TO_DRIVER, In},
        {OutCode, ISTHMUS_FROM_DRIVER, Out},
        {0, ISTHMUS_TO_DRIVER, "WriteFile"},
        {0, ISTHMUS_FROM_DRIVER, "ReadFile"},
    };
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
    {
        if (steps[i].Direction == ISTHMUS_FROM_DRIVER && Carrier->Region == 0)
        {
            continue; /* nothing to read from */
        }
        if (steps[i].Direction == ISTHMUS_TO_DRIVER)
        {
            memcpy(buffer, Carrier->Demo->Bytes, (size_t)Carrier->Demo->Length);
        }
        else
        {
            ZeroMemory(buffer, (size_t)Carrier->Demo->Length);
        }
        if (Carry(Carrier, steps[i].Code, steps[i].Direction, buffer, steps[i].Name))
        {
            PrintLast(Carrier);
        }
    }
    free(buffer);
}

/* Three buffers in one request: the output buffer and two parts, a chain of three MDLs for the driver. */
static void CarryChain(CARRIER *Carrier)
{
    DEMO *demo = Carrier->Demo;
    struct
    {
        ISTHMUS_TRANSFER Transfer;
        ISTHMUS_PART Parts[2];
    } query;
    DWORD got;
    UINT64 total = min(demo->Length, (UINT64)LOCKED_CHUNK);
    UINT64 first = total / 3, second = (total - first) / 2, third = total - first - second;
    BYTE *a = malloc((size_t)first + 1), *b = malloc((size_t)second + 1), *c = malloc((size_t)third);
    if (a == NULL || b == NULL || c == NULL || first == 0)
    {
        printf(ROW "the file is too small for a chain of three buffers\n", "note");
        goto Exit;
    }
    memcpy(a, demo->Bytes, (size_t)first);
    memcpy(b, demo->Bytes + first, (size_t)second);
    memcpy(c, demo->Bytes + first + second, (size_t)third);
    ZeroMemory(&query, sizeof(query));
    query.Transfer.Header.Revision = ISTHMUS_REVISION;
    query.Transfer.Header.Size = sizeof(query.Transfer);
    query.Transfer.Direction = ISTHMUS_TO_DRIVER;
    query.Transfer.PartCount = 2;
    query.Parts[0].Address = (UINT64)(ULONG_PTR)b;
    query.Parts[0].Length = second;
    query.Parts[1].Address = (UINT64)(ULONG_PTR)c;
    query.Parts[1].Length = third;
    if (!DeviceIoControl(Carrier->Device, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, &query, sizeof(query), a, (DWORD)first,
                         &got, NULL) ||
        !LastRequest(Carrier))
    {
        ProofFailed(demo, "a chain of three MDLs");
        goto Exit;
    }
    UINT32 program = ProgramCrc32(0, demo->Bytes, total);
    Proof(demo, Carrier->Last.Crc32 == program && Carrier->Last.MdlCount == 3 && Carrier->Last.Length == total,
          "three buffers as a chain of %u MDLs, %llu bytes: CRC-32 by the driver %08X, by the program %08X",
          Carrier->Last.MdlCount, (unsigned long long)Carrier->Last.Length, Carrier->Last.Crc32, program);
    PrintLast(Carrier);

Exit:
    free(a);
    free(b);
    free(c);
}

void DemoBuffered(DEMO *Demo)
{
    CARRIER carrier;
    if (BeginCarry(&carrier, Demo, ISTHMUS_DEVICE_BUFFERED_W, BUFFERED_CHUNK))
    {
        CarryAll(&carrier, IOCTL_ISTHMUS_TRANSFER_BUFFERED, IOCTL_ISTHMUS_TRANSFER_BUFFERED,
                 "METHOD_BUFFERED, to the driver", "METHOD_BUFFERED, from the driver");
        CloseHandle(carrier.Device);
    }
}

void DemoDirect(DEMO *Demo)
{
    CARRIER carrier;
    if (BeginCarry(&carrier, Demo, ISTHMUS_DEVICE_DIRECT_W, LOCKED_CHUNK))
    {
        CarryAll(&carrier, IOCTL_ISTHMUS_TRANSFER_IN_DIRECT, IOCTL_ISTHMUS_TRANSFER_OUT_DIRECT, "METHOD_IN_DIRECT",
                 "METHOD_OUT_DIRECT");
        CarryChain(&carrier);
        CloseHandle(carrier.Device);
    }
}

void DemoNeither(DEMO *Demo)
{
    CARRIER carrier;
    if (BeginCarry(&carrier, Demo, ISTHMUS_DEVICE_NEITHER_W, LOCKED_CHUNK))
    {
        CarryAll(&carrier, IOCTL_ISTHMUS_TRANSFER_NEITHER, IOCTL_ISTHMUS_TRANSFER_NEITHER,
                 "METHOD_NEITHER, to the driver", "METHOD_NEITHER, from the driver");
        CloseHandle(carrier.Device);
    }
}
