/* SPDX-License-Identifier: MIT */
/*
 * Memory, C strings, numbers and sorting, against the build machine's own C library or known values.
 */
#include "rtltest.h"

static void TestMemoryAgainstModel(void **State)
{
    uint64_t Random = 1;
    int Round;

    (void)State;
    for (Round = 0; Round < 20000; Round += 1)
    {
        size_t Size = TestRandom(&Random) % 200;
        size_t From = TestRandom(&Random) % 60;
        size_t To = TestRandom(&Random) % 60;
        size_t Length = Size > 120 ? TestRandom(&Random) % 140 : TestRandom(&Random) % 40;
        unsigned char *Ours = malloc(200); /* exact blocks, so that the sanitizer sees one byte too many */
        unsigned char *Model = malloc(200);
        size_t Index;

        for (Index = 0; Index < 200; Index += 1)
        {
            Ours[Index] = Model[Index] = (unsigned char)TestRandom(&Random);
        }

        switch (Round % 4)
        {
        case 0:
            assert_ptr_equal(memmove(Ours + To, Ours + From, Length), Ours + To);
            host_memmove(Model + To, Model + From, Length);
            break;

        case 1:
            memcpy(Ours + To, Ours + From, Length); /* overlapping is allowed here */
            host_memmove(Model + To, Model + From, Length);
            break;

        case 2:
            assert_ptr_equal(memset(Ours + To, Round, Length), Ours + To);
            host_memset(Model + To, Round, Length);
            break;

        default:
            Ours[To + Length] ^= 1;
            {
                int A = memcmp(Ours + To, Model + To, Length + 1);
                int B = host_memcmp(Ours + To, Model + To, Length + 1);

                assert_true((A < 0) == (B < 0) && (A > 0) == (B > 0));
                assert_int_equal(RtlCompareMemory(Ours + To, Model + To, Length + 1), Length);
            }
            Ours[To + Length] ^= 1;
            break;
        }

        assert_memory_equal(Ours, Model, 200);
        free(Ours);
        free(Model);
    }
}

static void TestMemoryEnds(void **State)
{
    size_t Length;

    (void)State;
    for (Length = 0; Length < 100; Length += 1)
    {
        unsigned char *A = malloc(Length + 1);
        unsigned char *B = malloc(Length + 1);

        host_memset(A, 1, Length + 1);
        host_memset(B, 2, Length + 1);
        memcpy(A, B, Length);
        assert_int_equal(A[Length], 1);
        assert_int_equal(memcmp(A, B, Length), 0);
        memset(A, 7, Length);
        assert_int_equal(A[Length], 1);
        assert_ptr_equal(memchr(A, 1, Length + 1), A + Length);
        free(A);
        free(B);
    }

    {
        ULONG Words[4] = {5, 5, 6, 5};

        assert_int_equal(RtlCompareMemoryUlong(Words, 16, 5), 8);
        assert_int_equal(RtlCompareMemoryUlong((PUCHAR)Words + 1, 8, 5), 0);
        RtlFillMemoryUlong(Words, 15, 9);
        assert_int_equal(Words[2], 9);
        assert_int_equal(Words[3], 5);
    }
}

static void TestStrings(void **State)
{
    char Buffer[32];
    WCHAR Wide[32];
    char *Context = NULL;
    char Tokens[] = ",a,,bc,";

    (void)State;
    assert_int_equal(strlen("abc"), 3);
    assert_int_equal(wcslen(L"abcd"), 4);
    assert_int_equal(strnlen("abc", 2), 2);
    assert_true(strcmp("a", "b") < 0 && strcmp("\xFF", "a") > 0 && strcmp("a", "a") == 0);
    assert_int_equal(strncmp("abcX", "abcY", 3), 0);
    assert_int_equal(_stricmp("HeLLo", "hEllO"), 0);
    assert_true(_strnicmp("abc", "ABD", 3) < 0);
    assert_int_equal(_wcsicmp(L"\x00C4pfel\x0416", L"\x00E4PFEL\x0436"), 0);
    assert_string_equal(strcpy(Buffer, "abc"), "abc");
    assert_string_equal(strcat(Buffer, "def"), "abcdef");
    assert_string_equal(strncat(Buffer, "ghijk", 2), "abcdefgh");
    strncpy(Buffer, "xy", 5);
    assert_memory_equal(Buffer, "xy\0\0\0fgh", 8);
    assert_string_equal(strstr("hello world", "o w"), "o world");
    assert_string_equal(strstr("abc", ""), "abc");
    assert_null(strstr("aab", "ab\x01"));
    assert_string_equal(strstr("aaab", "aab"), "aab");
    assert_string_equal(strchr("abca", 'c'), "ca");
    assert_string_equal(strchr("abc", 0), "");
    assert_string_equal(strrchr("abca", 'a'), "a");
    assert_null(strrchr("abc", 'x'));
    assert_int_equal(strspn("aabbc", "ab"), 4);
    assert_int_equal(strcspn("xyza", "az"), 2);
    assert_null(strpbrk("abc", "xyz"));
    strcpy(Buffer, "AbC1");
    assert_string_equal(_strlwr(Buffer), "abc1");
    assert_string_equal(_strupr(Buffer), "ABC1");
    assert_string_equal(_strrev(Buffer), "1CBA");
    assert_string_equal(_strnset(Buffer, '*', 2), "**BA");
    assert_string_equal(_strset(Buffer, '-'), "----");
    wcscpy(Wide, L"abc");
    _wcsrev(Wide);
    assert_int_equal(wcscmp(Wide, L"cba"), 0);
    assert_string_equal(strtok_s(Tokens, ",", &Context), "a");
    assert_string_equal(strtok_s(NULL, ",", &Context), "bc");
    assert_null(strtok_s(NULL, ",", &Context));
    assert_true(wcsstr(L"abcabd", L"abd") != NULL && wcschr(L"abc", L'd') == NULL);
}

static void TestSafeStrings(void **State)
{
    char Buffer[4];
    char Full[4] = {'a', 'b', 'c', 'd'};

    (void)State;
    assert_int_equal(strcpy_s(Buffer, 4, "abc"), 0);
    assert_int_equal(strcpy_s(Buffer, 4, "abcd"), RTLP_ERANGE);
    assert_int_equal(Buffer[0], 0);
    assert_int_equal(strcpy_s(Buffer, 0, "a"), RTLP_EINVAL);
    assert_int_equal(strcpy_s(Buffer, 4, NULL), RTLP_EINVAL);
    assert_int_equal(strncpy_s(Buffer, 4, "abcdef", 3), 0);
    assert_string_equal(Buffer, "abc");
    assert_int_equal(strncpy_s(Buffer, 4, "abcdef", RTLP_TRUNCATE), RTLP_STRUNCATE);
    assert_string_equal(Buffer, "abc");
    assert_int_equal(strcat_s(Buffer, 4, "d"), RTLP_ERANGE);
    assert_int_equal(Buffer[0], 0);
    assert_int_equal(strcat_s(Full, 4, "x"), RTLP_EINVAL);
    assert_int_equal(strncat_s(Buffer, 4, "abcdef", 2), 0);
    assert_string_equal(Buffer, "ab");
    assert_int_equal(memcpy_s(Buffer, 4, "xyz", 5), RTLP_ERANGE);
    assert_int_equal(Buffer[1], 0);
    assert_int_equal(memmove_s(Buffer, 4, NULL, 1), RTLP_EINVAL);
    assert_int_equal(memcpy_s(NULL, 0, NULL, 0), 0);
}

static void TestNumbers(void **State)
{
    char Text[80];
    char *End;
    WCHAR Wide[80];
    WCHAR *WideEnd;

    (void)State;
    assert_int_equal(atoi("  -42x"), -42);
    assert_int_equal(strtol("0x7fg", &End, 0), 0x7F);
    assert_string_equal(End, "g");
    assert_int_equal(strtol("0x", &End, 16), 0);
    assert_string_equal(End, "x");
    assert_int_equal(strtol("zz", &End, 36), 35 * 36 + 35);
    assert_int_equal(strtol("99999999999", NULL, 10), 0x7FFFFFFF);
    assert_int_equal(strtol("-99999999999", NULL, 10), (LONG)0x80000000);
    assert_int_equal(strtoul("-1", NULL, 10), 0xFFFFFFFF);
    assert_int_equal(strtoul("4294967296", NULL, 10), 0xFFFFFFFF);
    assert_true(_strtoui64("18446744073709551615", NULL, 10) == ~0ULL);
    assert_true(_strtoui64("99999999999999999999", NULL, 10) == ~0ULL);
    assert_int_equal(strtol("12", &End, 1), 0);
    assert_int_equal(wcstol(L" 017", &WideEnd, 0), 15);
    assert_int_equal(_wtoi(L"-7"), -7);
    assert_string_equal(_itoa(-1, Text, 16), "ffffffff");
    assert_string_equal(_itoa(-2147483647 - 1, Text, 10), "-2147483648");
    assert_int_equal(_i64toa_s(-1, Text, sizeof(Text), 2), 0);
    assert_int_equal(strlen(Text), 64);
    assert_int_equal(_itoa_s(1234, Text, 4, 10), RTLP_ERANGE);
    assert_int_equal(Text[0], 0);
    assert_int_equal(_ui64tow_s(~0ULL, Wide, 80, 36), 0);
    assert_int_equal(_itoa_s(1, Text, 4, 99), RTLP_EINVAL);
}

static int CompareInts(const void *A, const void *B)
{
    return *(const int *)A < *(const int *)B ? -1 : *(const int *)A > *(const int *)B;
}

static void TestSorting(void **State)
{
    uint64_t Random = 7;
    int Round;

    (void)State;
    for (Round = 0; Round < 200; Round += 1)
    {
        size_t Count = TestRandom(&Random) % 100;
        int *Values = malloc((Count + 1) * sizeof(int));
        int Key;
        size_t Index;
        long long Sum = 0;

        for (Index = 0; Index < Count; Index += 1)
        {
            Values[Index] = (int)(TestRandom(&Random) % 50);
            Sum += Values[Index];
        }

        qsort(Values, Count, sizeof(int), CompareInts);
        for (Index = 1; Index < Count; Index += 1)
        {
            assert_true(Values[Index - 1] <= Values[Index]);
        }

        for (Index = 0; Index < Count; Index += 1)
        {
            Sum -= Values[Index];
        }

        assert_true(Sum == 0);
        for (Key = -1; Key <= 50; Key += 1)
        {
            int *Found = bsearch(&Key, Values, Count, sizeof(int), CompareInts);
            int Expected = 0;

            for (Index = 0; Index < Count; Index += 1)
            {
                Expected |= Values[Index] == Key;
            }

            assert_int_equal(Found != NULL && *Found == Key, Expected);
        }

        free(Values);
    }

    srand(1);
    assert_int_equal(rand(), 41); /* as every Windows program sees it */
    assert_int_equal(rand(), 18467);
}

static void TestMultibyte(void **State)
{
    WCHAR Wide[8];
    char Narrow[8];

    (void)State;
    assert_int_equal(mbstowcs(NULL, "a\xC3\xA4\xF0\x9F\x98\x80", 0), 4);
    assert_int_equal(mbstowcs(Wide, "a\xC3\xA4\xF0\x9F\x98\x80", 8), 4);
    assert_int_equal(Wide[2], 0xD83D);
    assert_int_equal(Wide[4], 0);
    assert_int_equal(mbstowcs(Wide, "a\xC3\xA4\xF0\x9F\x98\x80", 3), 2);
    assert_int_equal(mbstowcs(Wide, "\xC3", 8), -1);
    assert_int_equal(wcstombs(Narrow, L"\x20AC", 8), 3);
    assert_string_equal(Narrow, "\xE2\x82\xAC");
    assert_int_equal(wcstombs(Narrow, L"\x20AC\x20AC\x20AC", 8), 6);
    assert_int_equal(mbtowc(Wide, "\xE2\x82\xAC", 2), -1);
    assert_int_equal(mbtowc(Wide, "\xE2\x82\xAC", 3), 3);
    assert_int_equal(wctomb(Narrow, 0xD800), -1);
}

int main(void)
{
    const struct CMUnitTest Tests[] = {
        cmocka_unit_test(TestMemoryAgainstModel), cmocka_unit_test(TestMemoryEnds), cmocka_unit_test(TestStrings),
        cmocka_unit_test(TestSafeStrings),        cmocka_unit_test(TestNumbers),    cmocka_unit_test(TestSorting),
        cmocka_unit_test(TestMultibyte),
    };

    return cmocka_run_group_tests(Tests, NULL, NULL);
}
