/* SPDX-License-Identifier: MIT */
/* The archive reader, against an archive built here and against everything that can be wrong with one. */
#include "support.h"

#include "archive.h"

typedef struct BUILT
{
    uint8_t Data[4096];
    size_t Size;
} BUILT;

static void Pad(BUILT *Built)
{
    while ((Built->Size & 3) != 0)
    {
        Built->Data[Built->Size++] = 0;
    }
}

static void AddRaw(BUILT *Built, const char *Name, size_t NameSize, uint32_t Mode, const char *Contents, size_t Size)
{
    Built->Size += (size_t)sprintf((char *)Built->Data + Built->Size,
                                   "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1u, Mode, 0u, 0u, 1u,
                                   0x65000000u, (unsigned)Size, 0u, 0u, 0u, 0u, (unsigned)NameSize, 0u);
    memcpy(Built->Data + Built->Size, Name, NameSize);
    Built->Size += NameSize;
    Pad(Built);
    memcpy(Built->Data + Built->Size, Contents, Size);
    Built->Size += Size;
    Pad(Built);
    assert_true(Built->Size <= sizeof(Built->Data));
}

static void Add(BUILT *Built, const char *Name, const char *Contents)
{
    AddRaw(Built, Name, strlen(Name) + 1, ARCHIVE_MODE_FILE | 0644, Contents, strlen(Contents));
}

static void Finish(BUILT *Built)
{
    AddRaw(Built, "TRAILER!!!", 11, 0, "", 0);
}

static void BuildSample(BUILT *Built)
{
    memset(Built, 0, sizeof(*Built));
    AddRaw(Built, ".", 2, ARCHIVE_MODE_DIRECTORY | 0755, "", 0);
    AddRaw(Built, "Windows", 8, ARCHIVE_MODE_DIRECTORY | 0755, "", 0);
    Add(Built, "./Windows/System32/ntdll.dll", "nt");
    Add(Built, "/boot.cfg", "program=x");
    Add(Built, "run/a", "");
    Add(Built, "run/b.txt", "12345");
    Finish(Built);
}

static ARCHIVE Open(const BUILT *Built)
{
    return (ARCHIVE){.Data = Built->Data, .Size = Built->Size};
}

/* Walks all members of an exact copy; returns how it ended and how many there were. */
static ARCHIVE_ERROR Walk(const uint8_t *Data, size_t Size, unsigned *Count)
{
    uint8_t *copy = ExactCopy(Data, Size);
    ARCHIVE archive = {.Data = copy, .Size = Size};
    ARCHIVE_ERROR error = ArchiveOk;
    size_t position = 0;

    for (*Count = 0; error == ArchiveOk; ++*Count)
    {
        ARCHIVE_MEMBER member;
        size_t before = position;

        error = ArchiveNext(&archive, &position, &member);
        if (error != ArchiveOk)
        {
            assert_int_equal(position, before);
            break;
        }
        assert_true(position > before && position <= Size);
        assert_true(member.Data >= copy && member.Size <= (size_t)(copy + Size - member.Data));
        assert_int_equal(strlen(member.Name), member.NameLength);
    }
    free(copy);
    return error;
}

static void TestIterate(void **State)
{
    static const char *const names[] = {".", "Windows", "Windows/System32/ntdll.dll", "boot.cfg", "run/a", "run/b.txt"};
    ARCHIVE_MEMBER member;
    size_t position = 0;
    ARCHIVE archive;
    BUILT built;

    (void)State;
    BuildSample(&built);
    archive = Open(&built);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    {
        assert_int_equal(ArchiveNext(&archive, &position, &member), ArchiveOk);
        assert_string_equal(member.Name, names[i]);
        assert_int_equal(member.Time, 0x65000000);
        assert_int_equal(member.Mode & ARCHIVE_MODE_TYPE, i < 2 ? ARCHIVE_MODE_DIRECTORY : ARCHIVE_MODE_FILE);
    }
    assert_int_equal(member.Size, 5);
    assert_memory_equal(member.Data, "12345", 5);
    assert_int_equal(ArchiveNext(&archive, &position, &member), ArchiveEnd);
    assert_int_equal(ArchiveNext(&archive, &position, &member), ArchiveEnd);
}

static void TestFind(void **State)
{
    ARCHIVE_MEMBER member;
    ARCHIVE archive;
    BUILT built;

    (void)State;
    BuildSample(&built);
    archive = Open(&built);
    assert_int_equal(ArchiveFind(&archive, "windows\\SYSTEM32/NtDll.DLL", &member), ArchiveOk);
    assert_memory_equal(member.Data, "nt", 2);
    assert_int_equal(ArchiveFind(&archive, "BOOT.CFG", &member), ArchiveOk);
    assert_int_equal(ArchiveFind(&archive, "boot.cf", &member), ArchiveEnd);
    assert_int_equal(ArchiveFind(&archive, "boot.cfgx", &member), ArchiveEnd);
    assert_int_equal(ArchiveFind(&archive, "", &member), ArchiveEnd);
    assert_int_equal(ArchiveFind(&archive, "TRAILER!!!", &member), ArchiveEnd);
}

static void TestTruncation(void **State)
{
    unsigned count;
    BUILT built;

    (void)State;
    BuildSample(&built);
    /* Behind the trailer's name only padding follows, which nobody needs. */
    while (built.Data[built.Size - 2] == 0)
    {
        built.Size--;
    }
    assert_int_equal(Walk(built.Data, built.Size, &count), ArchiveEnd);
    assert_int_equal(count, 6);
    for (size_t size = 0; size < built.Size; size++)
    {
        assert_int_equal(Walk(built.Data, size, &count), ArchiveTruncated);
    }
}

static void TestBadNames(void **State)
{
    static const struct
    {
        const char *Name;
        size_t Size;
    } names[] = {
        {"", 0},          {"", 1},           {"abc", 3}, {"a\0b", 4}, {"..", 3},
        {"../x", 5},      {"a/../b", 7},     {"a/..", 5}, {"a\\..\\b", 7},
    };
    unsigned count;

    (void)State;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    {
        BUILT built = {.Size = 0};

        AddRaw(&built, names[i].Name, names[i].Size, ARCHIVE_MODE_FILE, "x", 1);
        Finish(&built);
        assert_int_equal(Walk(built.Data, built.Size, &count), ArchiveBadName);
    }
}

static void TestGoodNames(void **State)
{
    static const char *const names[] = {"...", "..x", "x..", "a/...", "a b", ".", "/", "./", "\xC3\xA4"};
    unsigned count;

    (void)State;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    {
        BUILT built = {.Size = 0};

        Add(&built, names[i], "x");
        Finish(&built);
        assert_int_equal(Walk(built.Data, built.Size, &count), ArchiveEnd);
        assert_int_equal(count, 1);
    }
}

static void TestBadFields(void **State)
{
    unsigned count;
    BUILT built = {.Size = 0};

    (void)State;
    Add(&built, "x", "y");
    Finish(&built);
    built.Data[5] = '2'; /* the form with check sums is another one */
    assert_int_equal(Walk(built.Data, built.Size, &count), ArchiveBadMagic);
    built.Data[5] = '1';
    memcpy(built.Data + 54, "FFFFFFFF", 8); /* file size */
    assert_int_equal(Walk(built.Data, built.Size, &count), ArchiveTruncated);
    memcpy(built.Data + 54, "0000000g", 8);
    assert_int_equal(Walk(built.Data, built.Size, &count), ArchiveBadNumber);
    memcpy(built.Data + 54, " 0000001", 8);
    assert_int_equal(Walk(built.Data, built.Size, &count), ArchiveBadNumber);
    memcpy(built.Data + 54, "00000001", 8);
    memcpy(built.Data + 94, "FFFFFFFF", 8); /* name size */
    assert_int_equal(Walk(built.Data, built.Size, &count), ArchiveTruncated);
    memcpy(built.Data + 94, "00000002", 8);
    assert_int_equal(Walk(built.Data, built.Size, &count), ArchiveEnd);
}

static void TestEveryByte(void **State)
{
    static const uint8_t values[] = {0x00, '0', 'f', '/', 0x80, 0xFF};
    BUILT built;

    (void)State;
    BuildSample(&built);
    for (size_t offset = 0; offset < built.Size; offset++)
    {
        uint8_t before = built.Data[offset];

        for (size_t i = 0; i < sizeof(values); i++)
        {
            unsigned count;

            built.Data[offset] = values[i];
            Walk(built.Data, built.Size, &count);
        }
        built.Data[offset] = before;
    }
}

static void TestGarbage(void **State)
{
    uint64_t random = 4711;
    unsigned count;

    (void)State;
    for (int round = 0; round < 20000; round++)
    {
        uint8_t data[256];
        size_t size = NextRandom(&random) % sizeof(data);

        for (size_t i = 0; i < sizeof(data); i++)
        {
            data[i] = (uint8_t)NextRandom(&random);
        }
        if (round % 2 == 0)
        {
            memcpy(data, "070701", 6);
            for (size_t i = 6; i < 110; i++)
            {
                data[i] = (uint8_t)"0123456789abcdef"[data[i] & 15];
            }
        }
        assert_int_not_equal(Walk(data, size, &count), ArchiveEnd);
    }
}

static void TestErrorTexts(void **State)
{
    (void)State;
    for (int error = ArchiveOk; error <= ArchiveBadName + 1; error++)
    {
        assert_true(strlen(ArchiveErrorText((ARCHIVE_ERROR)error)) > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestIterate),   cmocka_unit_test(TestFind),       cmocka_unit_test(TestTruncation),
        cmocka_unit_test(TestBadNames),  cmocka_unit_test(TestGoodNames),  cmocka_unit_test(TestBadFields),
        cmocka_unit_test(TestEveryByte), cmocka_unit_test(TestGarbage),    cmocka_unit_test(TestErrorTexts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
