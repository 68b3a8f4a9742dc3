/* SPDX-License-Identifier: MIT */
/*
 * printf by the rules of Windows.
 */
#include "rtltest.h"

static char Text[256];
static WCHAR Wide[256];

#define NARROW(Expected, ...)                                                                                          \
    do                                                                                                                 \
    {                                                                                                                  \
        assert_int_equal(sprintf(Text, __VA_ARGS__), sizeof(Expected) - 1);                                            \
        assert_string_equal(Text, Expected);                                                                           \
    } while (0)

#define WIDE(Expected, ...)                                                                                            \
    do                                                                                                                 \
    {                                                                                                                  \
        assert_int_equal(swprintf(Wide, __VA_ARGS__), sizeof(Expected) / sizeof(WCHAR) - 1);                           \
        assert_memory_equal(Wide, Expected, sizeof(Expected));                                                         \
    } while (0)

static void TestIntegers(void **State)
{
    (void)State;
    NARROW("-5|5|5|a|A|12", "%d|%i|%u|%x|%X|%o", -5, 5, 5u, 10, 10, 10);
    NARROW("    5|5    |00005|  +5|+0005", "%5d|%-5d|%05d|%+4d|%+05d", 5, 5, 5, 5, 5);
    NARROW("  005|005  | 5| 0005", "%5.3d|%-5.3d|% d|% 05d", 5, 5, 5, 5);
    NARROW("0x1f|0X1F|0|017|0", "%#x|%#X|%#x|%#o|%#o", 31, 31, 0, 15, 0);
    NARROW("||0|", "%.0d|%.d|%#.0o|%.0x", 0, 0, 0, 0);
    NARROW("123456789abcdef0|123456789abcdef0|123456789abcdef0", "%I64x|%llx|%Ix", 0x123456789ABCDEF0ULL,
           0x123456789ABCDEF0ULL, 0x123456789ABCDEF0ULL);
    NARROW("-9223372036854775808", "%I64d", (long long)0x8000000000000000ULL);
    NARROW("4294967295|-1|65535|255|-1", "%lu|%ld|%hu|%hhu|%hhd", 0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFF, 0x7FF, 0xFF);
    NARROW("4294967295|18446744073709551615|7", "%I32u|%zu|%ju", 0xFFFFFFFFu, ~0ULL, 7ULL);
    NARROW("    7|7    |7", "%*d|%*d|%.*d", 5, 7, -5, 7, -1, 7);
    NARROW("   0x05", "%#7.2x", 5);
    NARROW("0000000000001234|FFFFF80000001000|  0000000000000001", "%p|%p|%18p", (void *)0x1234,
           (void *)0xFFFFF80000001000ULL, (void *)1);
}

static void TestText(void **State)
{
    ANSI_STRING Ansi = {3, 3, "abcdef"};
    UNICODE_STRING Unicode = {6, 6, L"xyzuvw"};
    ANSI_STRING Empty = {0, 0, NULL};
    char NotTerminated[3] = {'p', 'q', 'r'};

    (void)State;
    NARROW("abc|  abc|abc  |ab|(null)", "%s|%5s|%-5s|%.2s|%s", "abc", "abc", "abc", "abc", (char *)NULL);
    NARROW("wide|wide|wide|w", "%ws|%ls|%S|%.1S", L"wide", L"wide", L"wide", L"wide");
    NARROW("narrow|narrow", "%hs|%hS", "narrow", "narrow");
    NARROW("abc|xyz|xyz|(null)|(null)", "%Z|%wZ|%lZ|%Z|%wZ", &Ansi, &Unicode, &Unicode, &Empty, (void *)NULL);
    NARROW("  abc|xyz  ", "%5Z|%-5wZ", &Ansi, &Unicode);
    NARROW("A|B|C|   D|%", "%c|%wc|%C|%4c|%%", 'A', L'B', L'C', 'D');
    NARROW("pq", "%.2s", NotTerminated);
    NARROW("\xE2\x82\xAC|\xC3\xA4", "%ws|%C", L"\x20AC", 0xE4);
    NARROW("\xE2\x82\xAC", "%.4S", L"\x20AC\x20AC"); /* a character is not cut in two */
    NARROW("\xEF\xBF\xBD", "%ws", L"\xD800");
    WIDE(L"wide|narrow|narrow|wide", L"%s|%S|%hs|%ls", L"wide", "narrow", "narrow", L"wide");
    WIDE(L"abc|xyz|A|B", L"%Z|%wZ|%c|%C", &Ansi, &Unicode, L'A', 'B');
    WIDE(L"\x20AC|\xD83D\xDE00", L"%S|%hs", "\xE2\x82\xAC", "\xF0\x9F\x98\x80");
    WIDE(L"  ab|(null)", L"%4.2s|%s", L"abc", (WCHAR *)NULL);
    WIDE(L"-12|0000000000000000|ff", L"%d|%p|%I64x", -12, NULL, 255ULL);
}

static void TestOddFormats(void **State)
{
    int Stored = 77;

    (void)State;
    NARROW("a", "a%");
    NARROW("k5", "%k%d", 5);
    NARROW("[f]6", "[%f]%d", 1.5, 6);
    NARROW("x3", "x%n%d", &Stored, 3);
    assert_int_equal(Stored, 77);
    NARROW("", "");
    NARROW("00abc", "%05s", "abc");
}

static void TestLimits(void **State)
{
    char Buffer[8];
    WCHAR WideBuffer[8];

    (void)State;
    host_memset(Buffer, 'z', sizeof(Buffer));
    assert_int_equal(_snprintf(Buffer, 4, "abc"), 3);
    assert_string_equal(Buffer, "abc");
    assert_int_equal(_snprintf(Buffer, 3, "xyz"), 3);
    assert_memory_equal(Buffer, "xyz\0z", 5); /* no terminator is added */
    assert_int_equal(_snprintf(Buffer, 2, "123"), -1);
    assert_memory_equal(Buffer, "12z", 3);
    assert_int_equal(_snprintf(NULL, 0, "12345"), 5);
    assert_int_equal(_snprintf(NULL, 5, "12345"), -1);
    assert_int_equal(_snprintf(Buffer, 0, "1"), -1);
    assert_int_equal(_snwprintf(WideBuffer, 8, L"%d", 1234567), 7);
    assert_int_equal(_snwprintf(WideBuffer, 4, L"%d", 1234567), -1);
    assert_int_equal(sprintf_s(Buffer, 4, "abc"), 3);
    assert_int_equal(sprintf_s(Buffer, 4, "abcd"), -1);
    assert_int_equal(Buffer[0], 0);
    assert_int_equal(_snprintf_s(Buffer, 4, RTLP_TRUNCATE, "abcdef"), -1);
    assert_string_equal(Buffer, "abc");
    assert_int_equal(_snprintf_s(Buffer, 8, 2, "abcdef"), -1);
    assert_string_equal(Buffer, "ab");
    assert_int_equal(_snprintf_s(Buffer, 8, 8, "abcdefgh"), -1);
    assert_int_equal(Buffer[0], 0);
    assert_int_equal(swprintf_s(WideBuffer, 3, L"abc"), -1);
    assert_int_equal(_snwprintf_s(WideBuffer, 3, RTLP_TRUNCATE, L"abc"), -1);
    assert_int_equal(WideBuffer[2], 0);
    /* Widths in the billions are counted, not written. */
    assert_int_equal(_snprintf(Buffer, 8, "%2147483647d%2147483647d", 1, 2), -1);
    assert_int_equal(_snprintf(Buffer, 8, "%.2147483647d", 1), -1);
    assert_int_equal(_snprintf(Buffer, 8, "%99999999999999999999d", 1), -1);
    assert_int_equal(_snprintf(Buffer, 8, "%*d", (int)0x80000000, 1), -1);
}

/* Random formats with harmless arguments: never more than the buffer, and a plausible result. */
static void TestGarbage(void **State)
{
    static const char Alphabet[] = "%%%%dxsSZcCpuIlhw64 23*.#-+0nzjta";
    uint64_t Random = 99;
    int Round;

    (void)State;
    for (Round = 0; Round < 30000; Round += 1)
    {
        /* Every argument is zero: NULL for strings, 0 for widths and numbers. */
        char Format[16];
        size_t Length = TestRandom(&Random) % 15;
        size_t Room = TestRandom(&Random) % 40;
        char *Buffer = malloc(Room + 1);
        size_t Index;
        int Result;

        for (Index = 0; Index < Length; Index += 1)
        {
            Format[Index] = Alphabet[TestRandom(&Random) % (sizeof(Alphabet) - 1)];
        }

        Format[Length] = 0;
        Result = _snprintf(Buffer, Room, Format, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL,
                           0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL, 0ULL);
        assert_true(Result >= -1 && Result <= (int)Room);
        free(Buffer);
    }
}

int main(void)
{
    const struct CMUnitTest Tests[] = {
        cmocka_unit_test(TestIntegers), cmocka_unit_test(TestText),    cmocka_unit_test(TestOddFormats),
        cmocka_unit_test(TestLimits),   cmocka_unit_test(TestGarbage),
    };

    return cmocka_run_group_tests(Tests, NULL, NULL);
}
