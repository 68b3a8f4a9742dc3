/* SPDX-License-Identifier: MIT */
/*
 * Path prefixes and short file names.
 */
#include "rtltest.h"

/* ---- prefixes against a list ---- */

#define NAMES 24

static void TestPrefixes(void **State)
{
    static const WCHAR *const Texts[NAMES] = {
        L"\\",      L"\\a",        L"\\A",        L"\\a\\b",      L"\\A\\b",   L"\\a\\B",
        L"\\ab",    L"\\a\\b\\c", L"\\a\\B\\c", L"\\x",         L"\\x\\y\\z", L"\\X\\Y\\Z",
        L"a",        L"a\\b",       L"A",          L"\\b",         L"\\B\\c",   L"\\c",
        L"\\long\\name", L"\\Long\\name", L"\\LONG\\NAME", L"\\d", L"\\e",   L"\\f",
    };
    static const WCHAR *const Paths[] = {
        L"\\a\\b\\c\\d", L"\\A\\B\\C", L"\\ab\\c", L"\\abc", L"a\\b\\c", L"\\", L"\\x\\y", L"q", L"\\LONG\\name\\x",
        L"\\b\\c", L"", L"\\x\\Y\\z",
    };
    UNICODE_PREFIX_TABLE Table;
    UNICODE_PREFIX_TABLE_ENTRY Entries[NAMES];
    UNICODE_STRING Names[NAMES];
    UCHAR Present[NAMES] = {0};
    uint64_t Random = 51;
    int Round;

    (void)State;
    RtlInitializeUnicodePrefix(&Table);
    for (Round = 0; Round < NAMES; Round += 1)
    {
        RtlInitUnicodeString(&Names[Round], Texts[Round]);
    }

    for (Round = 0; Round < 20000; Round += 1)
    {
        int Pick = (int)(TestRandom(&Random) % NAMES);
        UNICODE_STRING Path;
        ULONG Case = TestRandom(&Random) % 3 == 0 ? TestRandom(&Random) % 5 : 0;
        PUNICODE_PREFIX_TABLE_ENTRY Found;
        int Best = -1;
        int Index;
        int Count = 0;

        if (!Present[Pick])
        {
            assert_true(RtlInsertUnicodePrefix(&Table, &Names[Pick], &Entries[Pick]));
            Present[Pick] = 1;
        }
        else if (TestRandom(&Random) & 1)
        {
            UNICODE_PREFIX_TABLE_ENTRY Again;

            assert_false(RtlInsertUnicodePrefix(&Table, &Names[Pick], &Again));
        }
        else
        {
            RtlRemoveUnicodePrefix(&Table, &Entries[Pick]);
            Present[Pick] = 0;
        }

        RtlInitUnicodeString(&Path, Paths[TestRandom(&Random) % RTL_NUMBER_OF(Paths)]);
        for (Index = 0; Index < NAMES; Index += 1)
        {
            ULONG Length = Names[Index].Length / 2;
            ULONG Exact = min(Case, Length);

            Count += Present[Index];
            if (Present[Index] && RtlPrefixUnicodeString(&Names[Index], &Path, TRUE) &&
                (Length == Path.Length / 2u || Path.Buffer[Length] == '\\' ||
                 Names[Index].Buffer[Length - 1] == '\\') &&
                host_memcmp(Names[Index].Buffer, Path.Buffer, Exact * 2) == 0 &&
                (Best < 0 || Names[Index].Length > Names[Best].Length))
            {
                Best = Index;
            }
        }

        Found = RtlFindUnicodePrefix(&Table, &Path, Case);
        assert_int_equal(Found != NULL, Best >= 0);
        if (Found != NULL)
        {
            assert_true(Present[Found - Entries]);
            assert_int_equal(Found->Prefix->Length, Names[Best].Length);
            assert_true(RtlEqualUnicodeString(Found->Prefix, &Names[Best], TRUE));
            assert_int_equal(
                host_memcmp(Found->Prefix->Buffer, Path.Buffer, min(Case, Found->Prefix->Length / 2u) * 2), 0);
        }

        for (Found = RtlNextUnicodePrefix(&Table, TRUE); Found != NULL; Found = RtlNextUnicodePrefix(&Table, FALSE))
        {
            assert_true(Present[Found - Entries]);
            Count -= 1;
        }

        assert_int_equal(Count, 0);
    }
}

static void CheckShort(const WCHAR *Text, BOOLEAN Legal, BOOLEAN Spaces)
{
    UNICODE_STRING Name;
    BOOLEAN Found = 2;

    RtlInitUnicodeString(&Name, Text);
    assert_int_equal(RtlIsNameLegalDOS8Dot3(&Name, NULL, &Found), Legal);
    assert_int_equal(Found, Legal ? Spaces : 2);
}

static void TestShortNames(void **State)
{
    static const WCHAR *const Expected[] = {L"LONGFI~1.TEX", L"LONGFI~2.TEX", L"LONGFI~3.TEX", L"LONGFI~4.TEX"};
    GENERATE_NAME_CONTEXT Context = {0};
    UNICODE_STRING Long;
    WCHAR Buffer[12];
    UNICODE_STRING Short = {0, sizeof(Buffer), Buffer};
    UNICODE_STRING Wanted;
    int Index;

    (void)State;
    CheckShort(L"FILE.TXT", TRUE, FALSE);
    CheckShort(L"a b.c", TRUE, TRUE);
    CheckShort(L".", TRUE, FALSE);
    CheckShort(L"..", TRUE, FALSE);
    CheckShort(L"12345678.123", TRUE, FALSE);
    CheckShort(L"123456789", FALSE, FALSE);
    CheckShort(L"a.1234", FALSE, FALSE);
    CheckShort(L".a", FALSE, FALSE);
    CheckShort(L"a.", FALSE, FALSE);
    CheckShort(L"a.b.c", FALSE, FALSE);
    CheckShort(L"a ", FALSE, FALSE);
    CheckShort(L"a .b", FALSE, FALSE);
    CheckShort(L"a*b", FALSE, FALSE);
    CheckShort(L"", FALSE, FALSE);
    RtlInitUnicodeString(&Long, L".long file+name.v2.text");
    for (Index = 0; Index < 1000; Index += 1)
    {
        ASSERT_STATUS(RtlGenerate8dot3Name(&Long, FALSE, &Context, &Short), STATUS_SUCCESS);
        assert_true(RtlIsNameLegalDOS8Dot3(&Short, NULL, NULL));
        if (Index < 4)
        {
            RtlInitUnicodeString(&Wanted, Expected[Index]);
            assert_true(RtlEqualUnicodeString(&Short, &Wanted, FALSE));
        }
    }

    assert_int_equal(Context.LastIndexValue, 996);
    Short.MaximumLength = 22;
    ASSERT_STATUS(RtlGenerate8dot3Name(&Long, FALSE, &Context, &Short), STATUS_BUFFER_OVERFLOW);
}

int main(void)
{
    const struct CMUnitTest Tests[] = {cmocka_unit_test(TestPrefixes), cmocka_unit_test(TestShortNames)};

    return cmocka_run_group_tests(Tests, NULL, NULL);
}
