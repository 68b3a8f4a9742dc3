/* SPDX-License-Identifier: MIT */
/*
 * checkcost.exe: one line per operation, "name<TAB>instructions", measured by checkcost.sys or, for the round trip, by
 * the program itself. Only with ntrun --icount does the time-stamp counter count instructions.
 */
#include <windows.h>
#include <winioctl.h>
#include <stdio.h>
#include <x86intrin.h>
#include "checkcost.h"

#define ROUNDS 64
#define LARGEST (256 * 4096)

static const struct
{
    const char *Name;
    unsigned Operation;
    unsigned long long Size;
} Measures[] = {
    {"nonpaged pool, 100 bytes: allocate, free", CheckCostNonPagedPool, 100},
    {"nonpaged pool, 8192 bytes: allocate, free", CheckCostNonPagedPool, 8192},
    {"paged pool, 100 bytes: allocate, free", CheckCostPagedPool, 100},
    {"KeRaiseIrql, KeLowerIrql", CheckCostRaise, 0},
    {"spin lock: acquire, release", CheckCostSpinLock, 0},
    {"two spin locks, nested", CheckCostTwoSpinLocks, 0},
    {"fast mutex: acquire, release", CheckCostFastMutex, 0},
    {"mutex: acquire, release", CheckCostMutex, 0},
    {"MDL of 1 page: allocate, lock, map, unlock, free", CheckCostMdl, 4096},
    {"MDL of 16 pages", CheckCostMdl, 16 * 4096},
    {"MDL of 256 pages", CheckCostMdl, LARGEST},
};

static HANDLE Device;

static int Ask(unsigned Operation, unsigned long long Size, char *Buffer, unsigned long long *Counts)
{
    CHECKCOST_REQUEST request = {Operation, ROUNDS, Size, (unsigned long long)(uintptr_t)Buffer};
    DWORD returned;

    if (!DeviceIoControl(Device, CHECKCOST_MEASURE, &request, sizeof(request), &request, sizeof(request), &returned,
                         NULL))
    {
        fprintf(stderr, "checkcost: operation %u: error %lu\n", Operation, GetLastError());
        return 0;
    }
    *Counts = *(unsigned long long *)&request;
    return 1;
}

int main(void)
{
    unsigned long long counts, empty;
    DWORD returned;
    char *buffer = VirtualAlloc(NULL, LARGEST, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);

    Device = CreateFileA("\\\\.\\CheckCost", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (Device == INVALID_HANDLE_VALUE || buffer == NULL)
    {
        fprintf(stderr, "checkcost: error %lu\n", GetLastError());
        return 1;
    }
    for (int i = 0; i < 4; i++)
    {
        DeviceIoControl(Device, CHECKCOST_NOTHING, NULL, 0, NULL, 0, &returned, NULL);
    }
    counts = __rdtsc();
    for (int i = 0; i < ROUNDS; i++)
    {
        DeviceIoControl(Device, CHECKCOST_NOTHING, NULL, 0, NULL, 0, &returned, NULL);
    }
    printf("IOCTL round trip, empty\t%llu\n", (__rdtsc() - counts) / ROUNDS);
    if (!Ask(CheckCostEmpty, 0, buffer, &empty))
    {
        return 1;
    }
    for (size_t i = 0; i < sizeof(Measures) / sizeof(Measures[0]); i++)
    {
        if (!Ask(Measures[i].Operation, Measures[i].Size, buffer, &counts))
        {
            return 1;
        }
        printf("%s\t%llu\n", Measures[i].Name, (counts - empty) / ROUNDS);
    }
    return 0;
}
