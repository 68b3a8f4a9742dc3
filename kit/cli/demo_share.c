/* SPDX-License-Identifier: MIT */
/*
 * Ways 1 and 2: memory that both sides have mapped.
 */
#include "cli.h"

#define ROUNDS       5
#define WATCH_TIME   5000 /* milliseconds */
#define LEAD         0x123 /* the buffer starts inside a page, as any buffer may */
#define SPARE        1     /* a byte behind the file's, for the driver's answers */

/*
 * Both directions with no further call: after the watch is started, the program writes the first byte and the driver's
 * DPC answers in the spare one. Each answer shows that the driver saw the program's write, and the program the
 * driver's.
 */
static void ProveChanges(DEMO *Demo, UINT64 Region, volatile BYTE *Memory)
{
    volatile BYTE *question = Memory, *answer = Memory + Demo->Length;
    BYTE saved = *question;
    int answered = 0;

    if (!IsthmusWatch(Demo->Isthmus, Region, 0, Demo->Length, ROUNDS, WATCH_TIME))
    {
        ProofFailed(Demo, "watch");
        return;
    }
    DWORD begin = GetTickCount();
    for (int round = 0; round < ROUNDS; round++)
    {
        BYTE value = (BYTE)(saved + 1 + round); /* each differs from the one before */
        BYTE expected = value ^ 0xFF;
        *answer = value;
        *question = value;
        while (*answer != expected && GetTickCount() - begin < WATCH_TIME)
        {
            Sleep(0); /* gives up the processor; the driver isn't called */
        }
        answered += *answer == expected;
    }
    Proof(
        Demo, answered == ROUNDS,
        "with no call in between, the driver's DPC saw and answered %d of %d changes, and the program saw the answers",
        answered, ROUNDS);
    *question = saved;
}

static void ProveChecksum(DEMO *Demo, UINT64 Region)
{
    UINT32 crc = 0;
    if (!IsthmusChecksum(Demo->Isthmus, Region, 0, Demo->Length, &crc))
    {
        ProofFailed(Demo, "checksum");
        return;
    }
    Proof(Demo, crc == Demo->Crc, "CRC-32 by the driver through its own mapping %08X, by the program %08X", crc,
          Demo->Crc);
}

/* One user buffer, shared with the given access. */
static void ShareBuffer(DEMO *Demo, BYTE *Memory, DWORD Access)
{
    UINT64 region;
    if (!IsthmusShare(Demo->Isthmus, Memory, Demo->Length + SPARE, Access, &region))
    {
        ProofFailed(Demo, "share the buffer");
        return;
    }
    printf(ROW "VirtualAlloc by this process; locked and mapped by the driver for %s\n", "allocated",
           AccessName(Access));
    printf(ROW "0x%llX, %llu bytes and a spare one\n", "user address", (unsigned long long)(ULONG_PTR)Memory,
           (unsigned long long)Demo->Length);
    DemoDescribe(Demo, region, 0);
    ProveChecksum(Demo, region);
    if (Access & ISTHMUS_ACCESS_WRITE)
    {
        ProveChanges(Demo, region, Memory);
        ProveChecksum(Demo, region);
    }
    if (!IsthmusRelease(Demo->Isthmus, region))
    {
        ProofFailed(Demo, "release");
    }
}

void DemoUserBuffer(DEMO *Demo)
{
    BYTE *memory = VirtualAlloc(NULL, (SIZE_T)Demo->Length + LEAD + SPARE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (memory == NULL)
    {
        ProofFailed(Demo, "allocate");
        return;
    }
    memcpy(memory + LEAD, Demo->Bytes, (size_t)Demo->Length);
    ShareBuffer(Demo, memory + LEAD, ISTHMUS_ACCESS_ALL);
    printf("\n");
    ShareBuffer(Demo, memory + LEAD, ISTHMUS_ACCESS_READ);
    VirtualFree(memory, 0, MEM_RELEASE);
}

static void MapKind(DEMO *Demo, DWORD Kind, const char *Call)
{
    UINT64 region, view, second;
    if (!IsthmusAllocate(Demo->Isthmus, Kind, Demo->Length + SPARE, &region))
    {
        ProofFailed(Demo, KindName(Kind));
        return;
    }
    BYTE *memory = IsthmusMap(Demo->Isthmus, region, ISTHMUS_ACCESS_ALL, &view);
    if (memory == NULL)
    {
        ProofFailed(Demo, "map");
        IsthmusRelease(Demo->Isthmus, region);
        return;
    }
    printf(ROW "%s by the driver (%s), whole zeroed pages; mapped for read-write\n", "allocated", KindName(Kind), Call);
    printf(ROW "0x%llX, %llu bytes and a spare one\n", "user address", (unsigned long long)(ULONG_PTR)memory,
           (unsigned long long)Demo->Length);
    memcpy(memory, Demo->Bytes, (size_t)Demo->Length);
    DemoDescribe(Demo, region, view);
    ProveChecksum(Demo, region);
    ProveChanges(Demo, region, memory);

    if (Demo->Version.Capabilities & ISTHMUS_CAN_MAP_READ_ONLY)
    {
        const volatile BYTE *readOnly = IsthmusMap(Demo->Isthmus, region, ISTHMUS_ACCESS_READ, &second);
        if (readOnly == NULL)
        {
            ProofFailed(Demo, "map read-only");
        }
        else
        {
            memory[0] ^= 0xFF;
            BOOL seen = readOnly[0] == memory[0];
            memory[0] ^= 0xFF;
            Proof(Demo, seen && readOnly[0] == Demo->Bytes[0],
                  "a second, read-only view at 0x%llX shows a change made in the first",
                  (unsigned long long)(ULONG_PTR)readOnly);
        }
    }
    ProveChecksum(Demo, region);
    if (!IsthmusRelease(Demo->Isthmus, region))
    {
        ProofFailed(Demo, "release");
    }
}

void DemoKernelMemory(DEMO *Demo)
{
    MapKind(Demo, ISTHMUS_KIND_NONPAGED_POOL, "MmBuildMdlForNonPagedPool");
    printf("\n");
    MapKind(Demo, ISTHMUS_KIND_PAGED_POOL, "MmProbeAndLockPages");
    printf("\n");
    MapKind(Demo, ISTHMUS_KIND_PAGES, "MmAllocatePagesForMdlEx");
}
