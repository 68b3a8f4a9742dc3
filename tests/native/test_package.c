/* SPDX-License-Identifier: MIT */
/* What ntrun packs and what it refuses before anything starts; and the archive it writes, read by the reader. */
#include "support.h"

#include "archive.h"
#include "archivewriter.h"
#include "exitcodes.h"
#include "hostfile.h"
#include "hosttree.h"
#include "package.h"
#include "pebuilder.h"

#include <sys/stat.h>
#include <unistd.h>

static int Setup(void **State)
{
    (void)State;
    TreeCreate();
    TreeWriteSystem();
    return 0;
}

static int Teardown(void **State)
{
    (void)State;
    TreeRemove();
    return 0;
}

/* The value of --add that puts a file of the tree under another name. Valid until the next call. */
static const char *AddAs(const char *File, const char *Name)
{
    static char value[600];

    snprintf(value, sizeof(value), "%s=%s", TreePath(File), Name);
    return value;
}

/* Packs with up to eight words; words that name a file in the tree are given as TreePath. */
static int Build(PACKAGE *Package, TEXT *Error, const char *const *Words)
{
    char *argv[10] = {"ntrun"};
    PLACES places = {.System = TreePath("system")};
    OPTIONS options;
    int argc = 1;
    int code;

    for (; *Words != NULL; Words++)
    {
        argv[argc++] = (char *)(uintptr_t)*Words;
    }
    memset(Package, 0, sizeof(*Package));
    assert_int_equal(OptionsParse(&options, argc, argv, Error), OptionsRun);
    code = PackageBuild(Package, &options, &places, Error);
    OptionsFree(&options);
    return code;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void CheckCode(int Code, const char *Part, const char *const *Words)
{
    PACKAGE package;
    TEXT error = {0};
    int code = Build(&package, &error, Words);

    if (code != Code || strstr(TextString(&error), Part) == NULL)
    {
        fail_msg("%d instead of %d, \"%s\" not in: %s", code, Code, Part, TextString(&error));
    }
    PackageFree(&package);
    TextFree(&error);
}

static void TestLayout(void **State)
{
    PACKAGE package;
    TEXT error = {0};

    (void)State;
    TreeWriteImage("p.exe", TreeProgram, "KERNEL32.dll");
    TreeWriteImage("d.sys", TreeDriver, "ntoskrnl.exe");
    TreeWrite("data", "12345", 5);
    assert_int_equal(Build(&package, &error,
                           WORDS("--add", "/dev/null=sub\\empty", "--stdin", TreePath("data"), TreePath("d.sys"),
                                 TreePath("p.exe"))),
                     0);
    assert_string_equal(package.Files[0].Name, "boot.cfg");
    assert_non_null(PackageFind(&package, "Windows/System32/ntoskrnl.exe"));
    assert_non_null(PackageFind(&package, "Windows/System32/kernel32.dll"));
    assert_non_null(PackageFind(&package, "Windows/System32/drivers/d.sys"));
    assert_non_null(PackageFind(&package, "run/p.exe"));
    assert_non_null(PackageFind(&package, "run/sub/empty"));
    assert_int_equal(PackageFind(&package, "stdin")->Size, 5);
    assert_int_equal(package.Count, 7); /* neither readme.txt nor boot.elf */
    PackageFree(&package);
}

static void TestDllsBesideTheProgram(void **State)
{
    PACKAGE package;
    TEXT error = {0};

    (void)State;
    TreeWriteImage("p.exe", TreeProgram, "One.dll");
    TreeWriteImage("one.DLL", TreeDll, "two.dll"); /* found in spite of the case */
    TreeWriteImage("two.dll", TreeDll, "ONE.dll"); /* a circle */
    TreeWriteImage("unused.dll", TreeDll, NULL);
    assert_int_equal(Build(&package, &error, WORDS(TreePath("p.exe"))), 0);
    assert_non_null(PackageFind(&package, "run/one.dll"));
    assert_non_null(PackageFind(&package, "run/two.dll"));
    assert_null(PackageFind(&package, "run/unused.dll"));
    PackageFree(&package);

    TreeWriteImage("two.dll", TreeDll, "three.dll");
    CheckCode(NTRUN_REFUSED, "imports three.dll", WORDS(TreePath("p.exe")));
    TreeWriteImage("elsewhere.dll", TreeDll, NULL);
    CheckCode(0, "", WORDS("--add", AddAs("elsewhere.dll", "three.dll"), TreePath("p.exe")));
    TreeWrite("three.dll", "MZ", 2);
    CheckCode(NTRUN_REFUSED, "three.dll is cut off", WORDS(TreePath("p.exe")));
    TreeWriteImage("three.dll", TreeProgram, NULL);
    CheckCode(NTRUN_REFUSED, "imported as a DLL but is none", WORDS(TreePath("p.exe")));
}

static void TestSystemDllsComeFromTheSystem(void **State)
{
    (void)State;
    TreeWriteImage("p.exe", TreeProgram, "kernel32.dll");
    TreeWrite("kernel32.dll", "rubbish", 7);
    CheckCode(0, "", WORDS(TreePath("p.exe")));
}

static void TestStrangeImport(void **State)
{
    (void)State;
    TreeWriteImage("p.exe", TreeProgram, "../../etc/x.dll");
    CheckCode(NTRUN_REFUSED, "imports ../../etc/x.dll", WORDS(TreePath("p.exe")));
}

static void TestFileNameWithEqualsSign(void **State)
{
    PACKAGE package;
    TEXT error = {0};

    (void)State;
    TreeWriteImage("p.exe", TreeProgram, NULL);
    TreeWrite("a=b", "1", 1);
    assert_int_equal(Build(&package, &error, WORDS("--add", TreePath("a=b"), "--add", AddAs("a=b", "c"),
                                                   TreePath("p.exe"))),
                     0);
    assert_non_null(PackageFind(&package, "run/a=b"));
    assert_non_null(PackageFind(&package, "run/c"));
    PackageFree(&package);
}

/* Writes a program with one header field changed. */
static void WriteChanged(const char *Name, uint32_t Offset, uint16_t Value)
{
    uint8_t built[BUILT_FILE_SIZE];

    PeBuild(built);
    Put16(built + BUILT_NT + 22, 0x0022);
    Put16(built + Offset, Value);
    TreeWrite(Name, built, sizeof(built));
}

static void TestWrongKinds(void **State)
{
    (void)State;
    TreeWriteImage("p.exe", TreeProgram, NULL);
    TreeWriteImage("d.sys", TreeDriver, NULL);
    CheckCode(0, "", WORDS(TreePath("d.sys"), TreePath("p.exe")));

    TreeWriteImage("console.sys", TreeProgram, NULL);
    CheckCode(NTRUN_REFUSED, "not a driver", WORDS(TreePath("console.sys"), TreePath("p.exe")));
    TreeWriteImage("native.exe", TreeDriver, NULL);
    CheckCode(NTRUN_REFUSED, "native program", WORDS(TreePath("native.exe")));
    TreeWriteImage("library.exe", TreeDll, NULL);
    CheckCode(NTRUN_REFUSED, "is a DLL", WORDS(TreePath("library.exe")));
    WriteChanged("efi.exe", BUILT_OPTIONAL + 68, 10);
    CheckCode(NTRUN_REFUSED, "subsystem is 10", WORDS(TreePath("efi.exe")));
    WriteChanged("old.exe", BUILT_NT + 4, 0x014C);
    CheckCode(NTRUN_REFUSED, "32-bit", WORDS(TreePath("old.exe")));
    WriteChanged("arm.exe", BUILT_NT + 4, 0xAA64);
    CheckCode(NTRUN_REFUSED, "ARM64", WORDS(TreePath("arm.exe")));
    TreeWrite("elf.exe", "\177ELF", 4);
    CheckCode(NTRUN_REFUSED, "not a PE file", WORDS(TreePath("elf.exe")));
    TreeWrite("short.sys", "MZ", 2);
    CheckCode(NTRUN_REFUSED, "cut off", WORDS(TreePath("short.sys"), TreePath("p.exe")));
    TreeWrite("empty.exe", "", 0);
    CheckCode(NTRUN_REFUSED, "not a PE file", WORDS(TreePath("empty.exe")));
}

static void TestUnreadable(void **State)
{
    (void)State;
    TreeWriteImage("p.exe", TreeProgram, NULL);
    CheckCode(NTRUN_CANNOT_START, "cannot read", WORDS(TreePath("absent.exe")));
    CheckCode(NTRUN_CANNOT_START, "cannot read", WORDS(TreePath("absent.sys"), TreePath("p.exe")));
    CheckCode(NTRUN_CANNOT_START, "cannot read", WORDS("--add", TreePath("absent"), TreePath("p.exe")));
    CheckCode(NTRUN_CANNOT_START, "directory", WORDS("--add", TreePath("system"), TreePath("p.exe")));
    CheckCode(NTRUN_CANNOT_START, "cannot read", WORDS("--stdin", TreePath("absent"), TreePath("p.exe")));
}

static void TestNameClashes(void **State)
{
    (void)State;
    TreeWriteImage("p.exe", TreeProgram, NULL);
    TreeWriteImage("d.sys", TreeDriver, NULL);
    CheckCode(NTRUN_USAGE, "C:\\run/P.EXE", WORDS("--add", "/dev/null=P.EXE", TreePath("p.exe")));
    CheckCode(NTRUN_USAGE, "drivers/d.sys", WORDS(TreePath("d.sys"), TreePath("d.sys"), TreePath("p.exe")));
    CheckCode(NTRUN_USAGE, "cannot be a file name", WORDS("--add", "/dev/null=../x", TreePath("p.exe")));
    CheckCode(NTRUN_USAGE, "cannot be a file name", WORDS("--add", "/dev/null=", TreePath("p.exe")));
}

static void TestArchive(void **State)
{
    static const char *const expected[] = {"boot.cfg",
                                           "Windows",
                                           "Windows/System32",
                                           "Windows/System32/ntoskrnl.exe",
                                           "Windows/System32/kernel32.dll",
                                           "run",
                                           "run/p.exe",
                                           "run/a",
                                           "run/a/b",
                                           "run/a/b/one",
                                           "run/a/two",
                                           "Windows/System32/drivers"};
    FILE *file = tmpfile();
    ARCHIVE_MEMBER member;
    ARCHIVE archive;
    PACKAGE package;
    TEXT error = {0};
    uint64_t size;
    size_t position = 0;
    uint8_t *data;

    (void)State;
    TreeWriteImage("p.exe", TreeProgram, NULL);
    TreeWrite("odd", "123", 3);
    assert_int_equal(Build(&package, &error,
                           WORDS("--add", AddAs("odd", "a/b/one"), "--add", "/dev/null=A/two",
                                 TreePath("p.exe"))),
                     0);
    assert_non_null(file);
    assert_true(ArchiveWrite(fileno(file), &package, &size));
    data = malloc(size);
    assert_non_null(data);
    assert_int_equal(pread(fileno(file), data, size, 0), size);
    archive = (ARCHIVE){.Data = data, .Size = size};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
    {
        const PACKAGE_FILE *packed;

        assert_int_equal(ArchiveNext(&archive, &position, &member), ArchiveOk);
        assert_int_equal(strcasecmp(member.Name, expected[i]), 0);
        packed = PackageFind(&package, member.Name);
        assert_int_equal((member.Mode & ARCHIVE_MODE_TYPE) == ARCHIVE_MODE_FILE, packed != NULL);
        if (packed != NULL)
        {
            assert_int_equal(member.Size, packed->Size);
            assert_memory_equal(member.Data, packed->Data, member.Size);
        }
    }
    assert_int_equal(ArchiveNext(&archive, &position, &member), ArchiveEnd);
    free(data);
    fclose(file);
    PackageFree(&package);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(TestLayout, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestDllsBesideTheProgram, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestSystemDllsComeFromTheSystem, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestStrangeImport, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestFileNameWithEqualsSign, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestWrongKinds, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestUnreadable, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestNameClashes, Setup, Teardown),
        cmocka_unit_test_setup_teardown(TestArchive, Setup, Teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
