/* SPDX-License-Identifier: MIT */
/* The loader's memory map and its choice of the kernel's base. */
#include "support.h"

#include "memorymap.h"
#include "random.h"

#define MB(N) ((uint64_t)(N) << 20)

static void CheckRange(const MEMORY_MAP *Map, uint32_t Index, uint64_t Base, uint64_t End, uint32_t Type)
{
    assert_true(Index < Map->Count);
    assert_int_equal(Map->Ranges[Index].Base, Base);
    assert_int_equal(Map->Ranges[Index].Base + Map->Ranges[Index].Size, End);
    assert_int_equal(Map->Ranges[Index].Type, Type);
}

static void CheckOrder(const MEMORY_MAP *Map)
{
    for (uint32_t i = 0; i < Map->Count; i++)
    {
        assert_true(Map->Ranges[i].Size != 0);
        assert_int_equal((Map->Ranges[i].Base | Map->Ranges[i].Size) & 0xFFF, 0);
        if (i != 0)
        {
            uint64_t end = Map->Ranges[i - 1].Base + Map->Ranges[i - 1].Size;

            assert_true(end <= Map->Ranges[i].Base);
            assert_false(end == Map->Ranges[i].Base && Map->Ranges[i - 1].Type == Map->Ranges[i].Type);
        }
    }
}

static void TestMark(void **State)
{
    MEMORY_MAP map = {0};

    (void)State;
    assert_true(MemoryMapMark(&map, 0, MB(64), BootMemoryFree));
    assert_true(MemoryMapMark(&map, MB(1), MB(1), BootMemoryLoaderReclaimable));
    assert_int_equal(map.Count, 3);
    CheckRange(&map, 0, 0, MB(1), BootMemoryFree);
    CheckRange(&map, 1, MB(1), MB(2), BootMemoryLoaderReclaimable);
    CheckRange(&map, 2, MB(2), MB(64), BootMemoryFree);

    /* Over two borders at once, and merged with a neighbour of its type. */
    assert_true(MemoryMapMark(&map, MB(2) - 0x1000, MB(1), BootMemoryLoaderReclaimable));
    assert_int_equal(map.Count, 3);
    CheckRange(&map, 1, MB(1), MB(3) - 0x1000, BootMemoryLoaderReclaimable);

    /* Beyond everything, and before everything. */
    assert_true(MemoryMapMark(&map, MB(4096), MB(1), BootMemoryFree));
    CheckRange(&map, 3, MB(4096), MB(4097), BootMemoryFree);
    assert_true(MemoryMapMark(&map, 0, 0x1000, BootMemoryReserved));
    CheckRange(&map, 0, 0, 0x1000, BootMemoryReserved);

    /* All of it. */
    assert_true(MemoryMapMark(&map, 0, MB(8192), BootMemoryFirmware));
    assert_int_equal(map.Count, 1);
}

static void TestRounding(void **State)
{
    MEMORY_MAP map = {0};

    (void)State;
    assert_true(MemoryMapMark(&map, 0x10, 0x9FC00 - 0x10, BootMemoryFree));
    CheckRange(&map, 0, 0x1000, 0x9F000, BootMemoryFree);
    assert_true(MemoryMapMark(&map, 0x20FFF, 2, BootMemoryReserved));
    CheckRange(&map, 1, 0x20000, 0x22000, BootMemoryReserved);
    assert_true(MemoryMapMark(&map, 0x100800, 0x800, BootMemoryFree)); /* not one whole page */
    assert_int_equal(map.Count, 3);
    assert_true(MemoryMapMark(&map, 0x200000, 0, BootMemoryFree));
    assert_int_equal(map.Count, 3);
}

static void TestEdgesOfTheWorld(void **State)
{
    MEMORY_MAP map = {0};

    (void)State;
    assert_true(MemoryMapMark(&map, 0, UINT64_MAX, BootMemoryFree));
    CheckRange(&map, 0, 0, 1ull << 52, BootMemoryFree);
    assert_true(MemoryMapMark(&map, UINT64_MAX - 10, UINT64_MAX, BootMemoryFirmware));
    assert_int_equal(map.Count, 1);
    assert_true(MemoryMapMark(&map, (1ull << 52) - 1, UINT64_MAX, BootMemoryFirmware));
    CheckRange(&map, 1, (1ull << 52) - 0x1000, 1ull << 52, BootMemoryFirmware);
}

static void TestFull(void **State)
{
    MEMORY_MAP map = {0};
    MEMORY_MAP before;
    uint64_t base = 0x77000;

    (void)State;
    assert_true(MemoryMapMark(&map, 0, MB(64), BootMemoryFree));
    for (unsigned i = 0; i < 31; i++)
    {
        assert_true(MemoryMapMark(&map, MB(2 * i + 1), 0x1000, BootMemoryReserved));
    }
    assert_int_equal(map.Count, 63);
    before = map;
    assert_false(MemoryMapMark(&map, MB(63), 0x1000, BootMemoryReserved)); /* needs two more, there is one */
    assert_memory_equal(&map, &before, sizeof(map));
    assert_true(MemoryMapMark(&map, MB(64) - 0x1000, 0x1000, BootMemoryReserved));
    assert_int_equal(map.Count, 64);
    assert_false(MemoryMapAllocate(&map, 0, MB(64), 0x1000, BootMemoryPageTables, &base));
}

static void TestAllocate(void **State)
{
    MEMORY_MAP map = {0};
    uint64_t base;

    (void)State;
    assert_true(MemoryMapMark(&map, 0, MB(1), BootMemoryFree));
    assert_true(MemoryMapMark(&map, MB(4), MB(4), BootMemoryFree));
    assert_true(MemoryMapAllocate(&map, MB(2), MB(4096), 0x3000, BootMemoryPageTables, &base));
    assert_int_equal(base, MB(4));
    assert_true(MemoryMapAllocate(&map, MB(2), MB(4096), 0x1000, BootMemoryPageTables, &base));
    assert_int_equal(base, MB(4) + 0x3000);
    CheckRange(&map, 1, MB(4), MB(4) + 0x4000, BootMemoryPageTables);
    assert_false(MemoryMapAllocate(&map, 0, MB(4096), MB(4), BootMemoryPageTables, &base));
    assert_false(MemoryMapAllocate(&map, MB(8), MB(4096), 0x1000, BootMemoryPageTables, &base));
    assert_true(MemoryMapAllocate(&map, MB(5), MB(6), MB(1), BootMemoryKernelImage, &base));
    assert_int_equal(base, MB(5));
    assert_false(MemoryMapAllocate(&map, MB(5), MB(6), 0x1000, BootMemoryKernelImage, &base));
    assert_true(MemoryMapIsFree(&map, MB(6), MB(2)));
    assert_false(MemoryMapIsFree(&map, MB(6), MB(2) + 1));
    assert_false(MemoryMapIsFree(&map, MB(5), 1));
    assert_false(MemoryMapIsFree(&map, MB(2), 1));
    assert_false(MemoryMapIsFree(&map, MB(7), UINT64_MAX));
}

/* The map against a plain array of one type per page. */
static void TestAgainstModel(void **State)
{
    uint64_t random = 31;

    (void)State;
    for (int round = 0; round < 300; round++)
    {
        uint8_t model[256] = {0};
        MEMORY_MAP map = {0};

        for (int step = 0; step < 25; step++)
        {
            uint64_t first = NextRandom(&random) % 256;
            uint64_t count = NextRandom(&random) % (257 - first);
            uint8_t type = (uint8_t)(1 + NextRandom(&random) % 7);

            assert_true(MemoryMapMark(&map, first << 12, count << 12, (BOOT_MEMORY_TYPE)type));
            memset(model + first, type, count);
            CheckOrder(&map);
        }
        for (uint32_t i = 0; i < map.Count; i++)
        {
            uint64_t end = map.Ranges[i].Base + map.Ranges[i].Size;

            for (uint64_t page = map.Ranges[i].Base >> 12; page < end >> 12; page++)
            {
                assert_int_equal(model[page], map.Ranges[i].Type);
                model[page] = 0;
            }
        }
        for (unsigned page = 0; page < 256; page++)
        {
            assert_int_equal(model[page], 0);
        }
    }
}

static void TestKernelBase(void **State)
{
    static const uint64_t sizes[] = {0x1000, 0x200000, 0x201000, 0x40000000};
    uint64_t random = 5;
    uint64_t seed = 0;

    (void)State;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
    {
        for (int round = 0; round < 1000; round++)
        {
            uint64_t base = BootKernelBase(round == 0 ? UINT64_MAX : NextRandom(&random), sizes[i]);

            assert_true(base >= BOOT_KERNEL_LOWEST && base <= BOOT_KERNEL_HIGHEST);
            assert_true(sizes[i] - 1 <= BOOT_KERNEL_HIGHEST - base);
            assert_int_equal(base % BOOT_KERNEL_ALIGNMENT, 0);
        }
    }
    assert_int_equal(BootKernelBase(0x3FFFF, 0x1000), BOOT_KERNEL_LOWEST + 0x3FFFF * BOOT_KERNEL_ALIGNMENT);
    assert_int_equal(BootKernelBase(0x40000, 0x1000), BOOT_KERNEL_LOWEST);
    assert_int_equal(BootRandomNext(&seed), 0xE220A8397B1DCDAFull);
    assert_int_not_equal(BootRandomNext(&seed), 0xE220A8397B1DCDAFull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestMark),     cmocka_unit_test(TestRounding),     cmocka_unit_test(TestEdgesOfTheWorld),
        cmocka_unit_test(TestFull),     cmocka_unit_test(TestAllocate),     cmocka_unit_test(TestAgainstModel),
        cmocka_unit_test(TestKernelBase),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
