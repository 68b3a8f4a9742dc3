/* SPDX-License-Identifier: MIT */
/* Heaps: the process heap and private ones, growing and shrinking blocks, zeroing, several threads, and the C heap. */
#include "check.h"
#include <stdint.h>
#include <stdlib.h>

static unsigned Random(unsigned *Seed)
{
    *Seed = *Seed * 1664525u + 1013904223u;
    return *Seed >> 8;
}

static void Fill(unsigned char *Block, size_t Size, unsigned Seed)
{
    for (size_t i = 0; i < Size; i++)
    {
        Block[i] = (unsigned char)(i * 7 + Seed);
    }
}

static int Intact(const unsigned char *Block, size_t Size, unsigned Seed)
{
    for (size_t i = 0; i < Size; i++)
    {
        if (Block[i] != (unsigned char)(i * 7 + Seed))
        {
            return 0;
        }
    }
    return 1;
}

static void TestBlocks(HANDLE heap)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 1000, 4095, 4096, 5000, 65536, 500000, 2000000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
    {
        unsigned char *block = HeapAlloc(heap, 0, sizes[i]), *larger;

        CHECK(block != NULL);
        CHECK(((uintptr_t)block & 15) == 0);
        CHECK_EQUAL(HeapSize(heap, 0, block), sizes[i]);
        Fill(block, sizes[i], (unsigned)i);
        larger = HeapReAlloc(heap, HEAP_ZERO_MEMORY, block, sizes[i] * 2 + 10);
        CHECK(larger != NULL);
        CHECK(Intact(larger, sizes[i], (unsigned)i));
        for (size_t j = sizes[i]; j < sizes[i] * 2 + 10; j++)
        {
            if (larger[j] != 0)
            {
                CHECK(!"the added part is zeroed");
                break;
            }
        }
        larger = HeapReAlloc(heap, 0, larger, sizes[i] / 2 + 1);
        CHECK(larger != NULL && Intact(larger, sizes[i] < 1 ? 0 : sizes[i] / 2, (unsigned)i));
        CHECK(HeapValidate(heap, 0, larger));
        CHECK(HeapFree(heap, 0, larger));
    }
    unsigned char *zero = HeapAlloc(heap, HEAP_ZERO_MEMORY, 3000);
    CHECK(zero != NULL && zero[0] == 0 && zero[2999] == 0);
    CHECK(HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY, zero, 100000000) == NULL);
    CHECK(HeapFree(heap, 0, zero));
    CHECK(HeapAlloc(heap, 0, (SIZE_T)1 << 46) == NULL);
}

typedef struct WORK
{
    HANDLE Heap;
    unsigned Seed;
    int Damaged, Refused;
} WORK;

static DWORD WINAPI Worker(void *Context)
{
    WORK *work = Context;
    unsigned char *blocks[40] = {0};
    size_t sizes[40];

    for (int i = 0; i < 4000; i++)
    {
        unsigned slot = Random(&work->Seed) % 40;
        if (blocks[slot] != NULL)
        {
            work->Damaged += !Intact(blocks[slot], sizes[slot], slot);
            HeapFree(work->Heap, 0, blocks[slot]);
            blocks[slot] = NULL;
            continue;
        }
        sizes[slot] = Random(&work->Seed) % (Random(&work->Seed) % 50 == 0 ? 100000 : 600);
        blocks[slot] = HeapAlloc(work->Heap, 0, sizes[slot]);
        work->Refused += blocks[slot] == NULL;
        if (blocks[slot] != NULL)
        {
            Fill(blocks[slot], sizes[slot], slot);
        }
    }
    for (int i = 0; i < 40; i++)
    {
        if (blocks[i] != NULL)
        {
            work->Damaged += !Intact(blocks[i], sizes[i], (unsigned)i);
            HeapFree(work->Heap, 0, blocks[i]);
        }
    }
    return 0;
}

static void TestThreads(HANDLE heap)
{
    WORK work[3] = {{heap, 1, 0, 0}, {heap, 2, 0, 0}, {heap, 3, 0, 0}};
    HANDLE threads[3];

    for (int i = 0; i < 3; i++)
    {
        threads[i] = CreateThread(NULL, 0, Worker, &work[i], 0, NULL);
        CHECK(threads[i] != NULL);
    }
    CHECK_EQUAL(WaitForMultipleObjects(3, threads, TRUE, INFINITE), WAIT_OBJECT_0);
    for (int i = 0; i < 3; i++)
    {
        CloseHandle(threads[i]);
        CHECK_EQUAL(work[i].Damaged, 0);
        CHECK_EQUAL(work[i].Refused, 0);
    }
}

static void TestOldFunctions(void)
{
    HLOCAL local = LocalAlloc(LPTR, 100);
    CHECK(local != NULL && *(char *)local == 0);
    CHECK(LocalSize(local) >= 100);
    CHECK(LocalFree(local) == NULL);
    HGLOBAL movable = GlobalAlloc(GMEM_MOVEABLE, 64);
    CHECK(movable != NULL);
    void *memory = GlobalLock(movable);
    CHECK(memory != NULL);
    memset(memory, 5, 64);
    GlobalUnlock(movable);
    CHECK(GlobalFree(movable) == NULL);
    free(malloc(0));
    free(NULL);
}

int main(void)
{
    HANDLE private = HeapCreate(0, 0, 0), small = HeapCreate(0, 4096, 64 * 1024);

    CHECK(private != NULL && small != NULL && private != GetProcessHeap());
    TestBlocks(GetProcessHeap());
    TestBlocks(private);
    TestThreads(GetProcessHeap());
    TestThreads(private);
    TestOldFunctions();
    CHECK(HeapAlloc(small, 0, 1000) != NULL);
    CHECK(HeapAlloc(small, 0, 1000000) == NULL); /* a heap with a limit keeps it */
    CHECK(HeapValidate(private, 0, NULL));
    CHECK(HeapDestroy(private));
    CHECK(HeapDestroy(small));
    return Done("u_heap");
}
