/* SPDX-License-Identifier: MIT */
/*
 * costs.exe PAGES SAMPLES: measures with costs.sys, up to PAGES pages, and prints "name<TAB>size<TAB>instructions", the
 * median of SAMPLES. Only with ntrun --icount does the time-stamp counter count instructions. ./run makes tables of it.
 */
#include "program.h"

#define WARM_UP      4
#define HAND_OVER_MAX (1024u * 1024)
#define LARGE_PAGES  4096   /* from here on three samples do: they vary by parts in a thousand, and take seconds */
#define LARGE_SAMPLES 3
#define SHARE_PAGES  65536  /* the kit's default quota lets a process have no more in one region */

HANDLE Device;
unsigned Samples;
static uint64_t Idle; /* what two looks at the counter cost by themselves */

void Fail(const char *What)
{
    fprintf(stderr, "costs: %s: error %lu\n", What, GetLastError());
    exit(1);
}

void Row(const char *Name, uint64_t Size, uint64_t Instructions)
{
    printf("%s\t%llu\t%llu\n", Name, (unsigned long long)Size, (unsigned long long)Instructions);
}

static int Compare(const void *Left, const void *Right)
{
    uint64_t left = *(const uint64_t *)Left, right = *(const uint64_t *)Right;
    return left < right ? -1 : left > right;
}

uint64_t Median(uint64_t *Values, unsigned Count)
{
    qsort(Values, Count, sizeof(*Values), Compare);
    return Values[Count / 2];
}

void Ask(const char *What, DWORD Code, const void *Input, DWORD InputBytes, void *Output, DWORD OutputBytes)
{
    DWORD returned;
    if (!DeviceIoControl(Device, Code, (void *)Input, InputBytes, Output, OutputBytes, &returned, NULL) ||
        returned != OutputBytes)
    {
        Fail(What);
    }
}

/* ---- Requests ------------------------------------------------------------------------------------------------ */

/* The round trip as the program sees it: DeviceIoControl and everything behind it. */
static uint64_t RoundTrip(DWORD Code, void *Input, DWORD InputBytes, void *Output, DWORD OutputBytes)
{
    uint64_t values[COSTS_SAMPLES_MAX];
    DWORD returned;

    for (unsigned i = 0; i < WARM_UP + Samples; i++)
    {
        uint64_t start = __rdtsc();
        BOOL done = DeviceIoControl(Device, Code, Input, InputBytes, Output, OutputBytes, &returned, NULL);
        uint64_t end = __rdtsc();
        if (!done)
        {
            Fail("round trip");
        }
        if (i >= WARM_UP)
        {
            values[i - WARM_UP] = end - start - Idle;
        }
    }
    return Median(values, Samples);
}

static void MeasureIdle(void)
{
    uint64_t values[COSTS_SAMPLES_MAX];
    for (unsigned i = 0; i < Samples; i++)
    {
        uint64_t start = __rdtsc();
        values[i] = __rdtsc() - start;
    }
    Idle = Median(values, Samples);
}

static void MeasureRequests(char *Buffer)
{
    static const DWORD sizes[] = {64, 4096, 65536};

    Row("buffered, empty", 0, RoundTrip(COSTS_BUFFERED, NULL, 0, NULL, 0));
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
    {
        DWORD bytes = sizes[i];
        Row("buffered, in and out", bytes, RoundTrip(COSTS_BUFFERED, Buffer, bytes, Buffer, bytes));
        Row("direct, in", bytes, RoundTrip(COSTS_IN_DIRECT, NULL, 0, Buffer, bytes));
        Row("direct, out", bytes, RoundTrip(COSTS_OUT_DIRECT, NULL, 0, Buffer, bytes));
        Row("neither, captured", bytes, RoundTrip(COSTS_NEITHER, NULL, 0, Buffer, bytes));
    }
}

/* Ways to give the driver bytes to look at. A shared region needs a request only to say which part of it is meant. */
static void MeasureHandingOver(char *Buffer)
{
    uint64_t part[2] = {0, HAND_OVER_MAX}; /* offset, length */

    Row("hand over: shared region", 0, RoundTrip(COSTS_BUFFERED, part, sizeof(part), NULL, 0));
    for (DWORD bytes = 64; bytes <= HAND_OVER_MAX; bytes *= 2)
    {
        Row("hand over: buffered", bytes, RoundTrip(COSTS_BUFFERED, Buffer, bytes, NULL, 0));
        Row("hand over: direct", bytes, RoundTrip(COSTS_IN_DIRECT, NULL, 0, Buffer, bytes));
        Row("hand over: neither", bytes, RoundTrip(COSTS_NEITHER, NULL, 0, Buffer, bytes));
    }
}

/* ---- Memory -------------------------------------------------------------------------------------------------- */

static const struct
{
    const char *Lock; /* row's name, or NULL */
    const char *UserMap;
    const char *Share;
    size_t Offset;
} Steps[] = {
    {"MDL: allocate", "user view: allocate and build the MDL", "region: share", offsetof(COSTS_STEPS, Allocate)},
    {"MDL: probe and lock", NULL, NULL, offsetof(COSTS_STEPS, Lock)},
    {"MDL: map", "user view: map", NULL, offsetof(COSTS_STEPS, Map)},
    {"MDL: unmap", "user view: unmap", NULL, offsetof(COSTS_STEPS, Unmap)},
    {"MDL: unlock", NULL, NULL, offsetof(COSTS_STEPS, Unlock)},
    {"MDL: free", "user view: free the MDL", "region: release", offsetof(COSTS_STEPS, Free)},
    {"MDL: allocate, lock, map, unlock, free", NULL, NULL, offsetof(COSTS_STEPS, Whole)},
};

static void MeasureSteps(DWORD Code, uint64_t Pages, void *Buffer)
{
    unsigned samples = Pages >= LARGE_PAGES ? LARGE_SAMPLES : Samples;
    COSTS_MEMORY memory = {(uintptr_t)Buffer, Pages * 4096, samples};
    static COSTS_STEPS steps[COSTS_SAMPLES_MAX];
    uint64_t values[COSTS_SAMPLES_MAX];

    Ask(Code == COSTS_LOCK ? "MDL" : Code == COSTS_SHARE ? "region" : "user view", Code, &memory, sizeof(memory), steps,
        samples * sizeof(steps[0]));
    for (unsigned step = 0; step < sizeof(Steps) / sizeof(Steps[0]); step++)
    {
        const char *name = Code == COSTS_LOCK    ? Steps[step].Lock
                           : Code == COSTS_SHARE ? Steps[step].Share
                                                 : Steps[step].UserMap;
        for (unsigned i = 0; i < samples; i++)
        {
            values[i] = *(uint64_t *)((char *)&steps[i] + Steps[step].Offset);
        }
        if (name != NULL)
        {
            Row(name, Pages, Median(values, samples));
        }
    }
}

/* 1, 16, 256 ... pages, and Most */
static uint64_t NextPages(uint64_t Pages, uint64_t Most)
{
    return Pages * 16 > Most && Pages < Most ? Most : Pages * 16;
}

static void MeasureMemory(uint64_t Most)
{
    char *buffer = VirtualAlloc(NULL, Most * 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (buffer == NULL)
    {
        Fail("VirtualAlloc");
    }
    for (uint64_t pages = 1; pages <= Most; pages = NextPages(pages, Most))
    {
        memset(buffer, 1, pages * 4096); /* resident, as far as needed */
        MeasureSteps(COSTS_LOCK, pages, buffer);
        if (pages <= SHARE_PAGES)
        {
            MeasureSteps(COSTS_SHARE, pages, buffer);
        }
    }
    VirtualFree(buffer, 0, MEM_RELEASE);
    for (uint64_t pages = 1; pages <= Most; pages = NextPages(pages, Most))
    {
        MeasureSteps(COSTS_USER_MAP, pages, NULL);
    }
}

int main(int Count, char **Arguments)
{
    uint64_t most = Count == 3 ? strtoull(Arguments[1], NULL, 10) : 0;
    char *buffer = VirtualAlloc(NULL, HAND_OVER_MAX, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

    Samples = Count == 3 ? strtoul(Arguments[2], NULL, 10) : 0;
    if (most == 0 || most > 262144 || Samples == 0 || Samples > COSTS_SAMPLES_MAX)
    {
        fprintf(stderr, "usage: costs PAGES SAMPLES (up to 262144 and %u)\n", COSTS_SAMPLES_MAX);
        return 2;
    }
    Device = CreateFileA("\\\\.\\Costs", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (Device == INVALID_HANDLE_VALUE || buffer == NULL)
    {
        Fail("start");
    }
    memset(buffer, 1, HAND_OVER_MAX);
    MeasureIdle();
    MeasureRequests(buffer);
    MeasureHandingOver(buffer);
    MeasureChannels();
    MeasureMemory(most);
    CloseHandle(Device);
    return 0;
}
