/* SPDX-License-Identifier: MIT */
/*
 * Counted strings, code pages, case, numbers and GUIDs.
 */
#include "rtltest.h"

static UNICODE_STRING U(const WCHAR *Text)
{
    UNICODE_STRING String;

    RtlInitUnicodeString(&String, Text);
    return String;
}

static ANSI_STRING A(const char *Text)
{
    ANSI_STRING String;

    RtlInitAnsiString(&String, Text);
    return String;
}

static void TestInit(void **State)
{
    WCHAR *Long = malloc(0x9000 * sizeof(WCHAR));
    char *LongAnsi = malloc(0x12000);
    UNICODE_STRING String;
    ANSI_STRING Ansi;
    int Index;

    (void)State;
    for (Index = 0; Index < 0x8FFF; Index += 1)
    {
        Long[Index] = 'x';
    }

    Long[0x8FFF] = 0;
    host_memset(LongAnsi, 'y', 0x11FFF);
    LongAnsi[0x11FFF] = 0;
    RtlInitUnicodeString(&String, L"abc");
    assert_true(String.Length == 6 && String.MaximumLength == 8);
    RtlInitUnicodeString(&String, NULL);
    assert_true(String.Length == 0 && String.MaximumLength == 0 && String.Buffer == NULL);
    RtlInitUnicodeString(&String, Long);
    assert_true(String.Length == 0xFFFC && String.MaximumLength == 0xFFFE);
    ASSERT_STATUS(RtlInitUnicodeStringEx(&String, Long), STATUS_NAME_TOO_LONG);
    Long[0x7FFE] = 0;
    ASSERT_STATUS(RtlInitUnicodeStringEx(&String, Long), STATUS_SUCCESS);
    assert_true(String.Length == 0xFFFC);
    RtlInitAnsiString(&Ansi, LongAnsi);
    assert_true(Ansi.Length == 0xFFFE && Ansi.MaximumLength == 0xFFFF);
    ASSERT_STATUS(RtlInitAnsiStringEx(&Ansi, LongAnsi), STATUS_NAME_TOO_LONG);
    free(Long);
    free(LongAnsi);
}

static void TestCopyAndAppend(void **State)
{
    WCHAR Buffer[6] = {0};
    UNICODE_STRING To = {0, sizeof(Buffer), Buffer};
    UNICODE_STRING Odd = {0, 5, Buffer};
    UNICODE_STRING From = U(L"abcdefgh");

    (void)State;
    RtlCopyUnicodeString(&To, &From);
    assert_int_equal(To.Length, 12);
    assert_int_equal(host_memcmp(Buffer, L"abcdef", 12), 0);
    From.Length = 4;
    RtlCopyUnicodeString(&To, &From);
    assert_true(To.Length == 4 && Buffer[2] == 0 && Buffer[3] == 'd');
    ASSERT_STATUS(RtlAppendUnicodeToString(&To, L"XY"), STATUS_SUCCESS);
    assert_true(To.Length == 8 && Buffer[3] == 'Y' && Buffer[4] == 0);
    ASSERT_STATUS(RtlAppendUnicodeToString(&To, L"XYZ"), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(To.Length, 8);
    ASSERT_STATUS(RtlAppendUnicodeStringToString(&To, &From), STATUS_SUCCESS);
    assert_int_equal(To.Length, 12);
    ASSERT_STATUS(RtlAppendUnicodeToString(&To, NULL), STATUS_SUCCESS);
    RtlCopyUnicodeString(&To, NULL);
    assert_int_equal(To.Length, 0);
    ASSERT_STATUS(RtlAppendUnicodeToString(&Odd, L"ab"), STATUS_SUCCESS);
    assert_int_equal(Odd.Length, 4);
}

static void TestCompare(void **State)
{
    UNICODE_STRING Abc = U(L"abc"), Upper = U(L"ABC"), Abcd = U(L"abcd"), Umlaut = U(L"\x00E4"), Big = U(L"\x00C4");
    ANSI_STRING Low = A("abc"), High = A("ABD"), Longer = A("ABCx");
    ULONG Hash1, Hash2;

    (void)State;
    assert_true(RtlEqualUnicodeString(&Abc, &Upper, TRUE));
    assert_false(RtlEqualUnicodeString(&Abc, &Upper, FALSE));
    assert_true(RtlCompareUnicodeString(&Abc, &Upper, FALSE) > 0);
    assert_int_equal(RtlCompareUnicodeString(&Abc, &Abcd, TRUE), -2);
    assert_true(RtlPrefixUnicodeString(&Upper, &Abcd, TRUE));
    assert_false(RtlPrefixUnicodeString(&Abcd, &Abc, TRUE));
    assert_true(RtlEqualUnicodeString(&Umlaut, &Big, TRUE));
    assert_true(RtlCompareString(&Low, &High, TRUE) < 0);
    assert_true(RtlPrefixString(&Low, &Longer, TRUE));
    ASSERT_STATUS(RtlHashUnicodeString(&Abc, TRUE, HASH_STRING_ALGORITHM_DEFAULT, &Hash1), STATUS_SUCCESS);
    ASSERT_STATUS(RtlHashUnicodeString(&Upper, TRUE, HASH_STRING_ALGORITHM_X65599, &Hash2), STATUS_SUCCESS);
    assert_int_equal(Hash1, Hash2);
    assert_int_equal(Hash1, (('A' * 65599u) + 'B') * 65599u + 'C');
    ASSERT_STATUS(RtlHashUnicodeString(&Upper, TRUE, 7, &Hash2), STATUS_INVALID_PARAMETER);
}

static void TestCase(void **State)
{
    ULONG Unit;
    ULONG Letters = 0;

    (void)State;
    assert_int_equal(RtlUpcaseUnicodeChar(0xE4), 0xC4);
    assert_int_equal(RtlUpcaseUnicodeChar(0xFF), 0x178);
    assert_int_equal(RtlUpcaseUnicodeChar(0xDF), 0xDF);   /* sharp s has no single upper case */
    assert_int_equal(RtlUpcaseUnicodeChar(0x131), 0x131); /* dotless i stays, or names would collide */
    assert_int_equal(RtlUpcaseUnicodeChar(0xB5), 0xB5);
    assert_int_equal(RtlUpcaseUnicodeChar(0x3C2), 0x3A3);
    assert_int_equal(RtlUpcaseUnicodeChar(0x3B1), 0x391);
    assert_int_equal(RtlUpcaseUnicodeChar(0x44F), 0x42F);
    assert_int_equal(RtlDowncaseUnicodeChar(0x42F), 0x44F);
    assert_int_equal(RtlUpcaseUnicodeChar(0x1C5), 0x1C4);
    for (Unit = 0; Unit < 0x10000; Unit += 1)
    {
        WCHAR Up = RtlUpcaseUnicodeChar((WCHAR)Unit);

        assert_int_equal(RtlUpcaseUnicodeChar(Up), Up); /* upper case is a fixed point */
        Letters += Up != Unit;
        if (Unit >= 0xD800 && Unit <= 0xDFFF)
        {
            assert_int_equal(Up, Unit);
        }
    }

    assert_true(Letters > 1000);
}

static void TestCaseStrings(void **State)
{
    WCHAR Buffer[4];
    UNICODE_STRING Small = {0, 4, Buffer};
    UNICODE_STRING Source = U(L"ab\x00E4");
    UNICODE_STRING Result;
    char AnsiBuffer[8];
    ANSI_STRING Ansi = {0, 8, AnsiBuffer};
    ANSI_STRING From = A("aBc\xC3\xA4");

    (void)State;
    ASSERT_STATUS(RtlUpcaseUnicodeString(&Small, &Source, FALSE), STATUS_BUFFER_OVERFLOW);
    ASSERT_STATUS(RtlUpcaseUnicodeString(&Result, &Source, TRUE), STATUS_SUCCESS);
    assert_true(Result.Length == 6 && Result.MaximumLength == 6 && Result.Buffer[2] == 0xC4);
    ASSERT_STATUS(RtlDowncaseUnicodeString(&Result, &Result, FALSE), STATUS_SUCCESS);
    assert_int_equal(Result.Buffer[2], 0xE4);
    RtlFreeUnicodeString(&Result);
    assert_null(Result.Buffer);
    TestFailAfter = 0;
    ASSERT_STATUS(RtlUpcaseUnicodeString(&Result, &Source, TRUE), STATUS_NO_MEMORY);
    TestFailAfter = -1;
    RtlUpperString(&Ansi, &From);
    assert_int_equal(Ansi.Length, 5);
    assert_memory_equal(AnsiBuffer, "ABC\xC3\xA4", 5);
}

static void TestAnsi(void **State)
{
    ANSI_STRING Ansi = A("a\xE2\x82\xAC");
    UNICODE_STRING Unicode;
    ANSI_STRING Back;
    WCHAR Buffer[3];
    char Narrow[4];
    UNICODE_STRING Small = {0, sizeof(Buffer), Buffer};
    ANSI_STRING SmallAnsi = {0, sizeof(Narrow), Narrow};
    UNICODE_STRING Longer = U(L"abcdef");

    (void)State;
    assert_int_equal(RtlxAnsiStringToUnicodeSize(&Ansi), 6);
    ASSERT_STATUS(RtlAnsiStringToUnicodeString(&Unicode, &Ansi, TRUE), STATUS_SUCCESS);
    assert_true(Unicode.Length == 4 && Unicode.MaximumLength == 6 && Unicode.Buffer[1] == 0x20AC &&
                Unicode.Buffer[2] == 0);
    ASSERT_STATUS(RtlUnicodeStringToAnsiString(&Back, &Unicode, TRUE), STATUS_SUCCESS);
    assert_int_equal(Back.Length, 4);
    assert_string_equal(Back.Buffer, "a\xE2\x82\xAC");
    RtlFreeAnsiString(&Back);
    RtlFreeUnicodeString(&Unicode);
    ASSERT_STATUS(RtlAnsiStringToUnicodeString(&Small, &Ansi, FALSE), STATUS_SUCCESS);
    Ansi = A("abc");
    ASSERT_STATUS(RtlAnsiStringToUnicodeString(&Small, &Ansi, FALSE), STATUS_BUFFER_OVERFLOW);
    ASSERT_STATUS(RtlOemStringToCountedUnicodeString(&Small, &Ansi, FALSE), STATUS_SUCCESS);
    assert_int_equal(Small.Length, 6);
    ASSERT_STATUS(RtlUnicodeStringToAnsiString(&SmallAnsi, &Longer, FALSE), STATUS_BUFFER_OVERFLOW);
    assert_true(SmallAnsi.Length == 3 && Narrow[3] == 0);
    ASSERT_STATUS(RtlUnicodeStringToCountedOemString(&SmallAnsi, &Longer, FALSE), STATUS_BUFFER_OVERFLOW);
    assert_int_equal(SmallAnsi.Length, 4);
    Longer = U(L"a\x00E4\x0131");
    ASSERT_STATUS(RtlUpcaseUnicodeStringToOemString(&Back, &Longer, TRUE), STATUS_SUCCESS);
    assert_string_equal(Back.Buffer, "A\xC3\x84\xC4\xB1");
    RtlFreeOemString(&Back);
    Longer.Length = 0;
    ASSERT_STATUS(RtlUnicodeStringToAnsiString(&Back, &Longer, TRUE), STATUS_SUCCESS);
    assert_int_equal(Back.Buffer[0], 0);
    RtlFreeAnsiString(&Back);
}

static void TestUtf8(void **State)
{
    static const struct
    {
        const char *Bytes;
        ULONG Length;
        WCHAR Units[8];
        ULONG Count;
        NTSTATUS Status;
    } Cases[] = {
        {"abc", 3, {'a', 'b', 'c'}, 3, STATUS_SUCCESS},
        {"\xC3\xA4", 2, {0xE4}, 1, STATUS_SUCCESS},
        {"\xF0\x9F\x98\x80", 4, {0xD83D, 0xDE00}, 2, STATUS_SUCCESS},
        {"\xC0\x80", 2, {0xFFFD, 0xFFFD}, 2, STATUS_SOME_NOT_MAPPED},             /* overlong */
        {"\xED\xA0\x80", 3, {0xFFFD, 0xFFFD, 0xFFFD}, 3, STATUS_SOME_NOT_MAPPED}, /* a surrogate */
        {"\xE2\x82x", 3, {0xFFFD, 'x'}, 2, STATUS_SOME_NOT_MAPPED},               /* cut off: one replacement */
        {"\xF4\x90\x80\x80", 4, {0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD}, 4, STATUS_SOME_NOT_MAPPED},
        {"\xF0\x9F\x98", 3, {0xFFFD}, 1, STATUS_SOME_NOT_MAPPED},
        {"a\0b", 3, {'a', 0, 'b'}, 3, STATUS_SUCCESS},
    };
    WCHAR Wide[8];
    char Narrow[8];
    ULONG Bytes;
    ULONG Index;

    (void)State;
    for (Index = 0; Index < RTL_NUMBER_OF(Cases); Index += 1)
    {
        ASSERT_STATUS(RtlUTF8ToUnicodeN(Wide, sizeof(Wide), &Bytes, Cases[Index].Bytes, Cases[Index].Length),
                      Cases[Index].Status);
        assert_int_equal(Bytes, Cases[Index].Count * 2);
        assert_memory_equal(Wide, Cases[Index].Units, Bytes);
        ASSERT_STATUS(RtlUTF8ToUnicodeN(NULL, 0, &Bytes, Cases[Index].Bytes, Cases[Index].Length),
                      Cases[Index].Status);
        assert_int_equal(Bytes, Cases[Index].Count * 2);
    }

    ASSERT_STATUS(RtlUTF8ToUnicodeN(Wide, 2, &Bytes, "\xF0\x9F\x98\x80", 4), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(Bytes, 0);
    ASSERT_STATUS(RtlUTF8ToUnicodeN(Wide, 2, &Bytes, NULL, 4), STATUS_INVALID_PARAMETER_4);
    ASSERT_STATUS(RtlUTF8ToUnicodeN(NULL, 2, NULL, "a", 1), STATUS_INVALID_PARAMETER);
    ASSERT_STATUS(RtlUnicodeToUTF8N(Narrow, 8, &Bytes, L"\xDC00x", 4), STATUS_SOME_NOT_MAPPED);
    assert_int_equal(Bytes, 4);
    ASSERT_STATUS(RtlUnicodeToUTF8N(Narrow, 8, &Bytes, L"ab", 3), STATUS_INVALID_PARAMETER_5);
    ASSERT_STATUS(RtlUnicodeToUTF8N(Narrow, 2, &Bytes, L"a\x20AC", 4), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(Bytes, 1);
    ASSERT_STATUS(RtlUnicodeToMultiByteN(Narrow, 2, &Bytes, L"a\x20AC", 4), STATUS_BUFFER_OVERFLOW);
    ASSERT_STATUS(RtlMultiByteToUnicodeN(Wide, 4, &Bytes, "abc", 3), STATUS_SUCCESS);
    assert_int_equal(Bytes, 4);
}

/* Every code point survives the way there and back. */
static void TestUtfRoundTrip(void **State)
{
    ULONG Code;

    (void)State;
    for (Code = 0; Code < 0x110000; Code += Code < 0x3000 || Code > 0x10FF00 ? 1 : 61)
    {
        UCHAR Text[4];
        ULONG Length;
        ULONG Used;

        if (Code >= 0xD800 && Code <= 0xDFFF)
        {
            continue;
        }

        Length = RtlpEncodeUtf8(Code, Text);
        assert_int_equal(RtlpDecodeUtf8(Text, Length, &Used), Code);
        assert_int_equal(Used, Length);
        if (Length > 1)
        {
            assert_int_equal(RtlpDecodeUtf8(Text, Length - 1, &Used), RTLP_BAD_CODE_POINT);
        }
    }
}

static void TestUtfGarbage(void **State)
{
    uint64_t Random = 5;
    int Round;

    (void)State;
    for (Round = 0; Round < 20000; Round += 1)
    {
        ULONG Length = TestRandom(&Random) % 12;
        ULONG Room = TestRandom(&Random) % 12;
        char *Bytes = malloc(Length + 1);
        char *Wide = malloc(Room + 1);
        ULONG Needed = 0;
        ULONG Written = 0;
        ULONG Index;
        NTSTATUS Status;

        for (Index = 0; Index < Length; Index += 1)
        {
            Bytes[Index] = (char)(TestRandom(&Random) % 3 != 0 ? 0x80 + TestRandom(&Random) % 0x80 : 'a');
        }

        RtlUTF8ToUnicodeN(NULL, 0, &Needed, Bytes, Length);
        Status = RtlUTF8ToUnicodeN((PWSTR)Wide, Room, &Written, Bytes, Length);
        assert_true(Written <= Room && Written <= Needed);
        assert_int_equal(Status == STATUS_BUFFER_TOO_SMALL, Needed > Room);
        free(Bytes);
        free(Wide);
    }
}

static void TestDuplicate(void **State)
{
    UNICODE_STRING Source = U(L"abc");
    UNICODE_STRING Empty = {0, 0, NULL};
    UNICODE_STRING Bad = {4, 2, L"ab"};
    UNICODE_STRING Copy;

    (void)State;
    ASSERT_STATUS(RtlDuplicateUnicodeString(0, &Source, &Copy), STATUS_SUCCESS);
    assert_true(Copy.Length == 6 && Copy.MaximumLength == 6);
    RtlFreeUnicodeString(&Copy);
    ASSERT_STATUS(RtlDuplicateUnicodeString(1, &Source, &Copy), STATUS_SUCCESS);
    assert_true(Copy.MaximumLength == 8 && Copy.Buffer[3] == 0);
    RtlFreeUnicodeString(&Copy);
    ASSERT_STATUS(RtlDuplicateUnicodeString(1, &Empty, &Copy), STATUS_SUCCESS);
    assert_null(Copy.Buffer);
    ASSERT_STATUS(RtlDuplicateUnicodeString(3, &Empty, &Copy), STATUS_SUCCESS);
    assert_true(Copy.MaximumLength == 2 && Copy.Buffer[0] == 0);
    RtlFreeUnicodeString(&Copy);
    ASSERT_STATUS(RtlDuplicateUnicodeString(2, &Source, &Copy), STATUS_INVALID_PARAMETER);
    ASSERT_STATUS(RtlDuplicateUnicodeString(0, &Bad, &Copy), STATUS_INVALID_PARAMETER);
    ASSERT_STATUS(RtlValidateUnicodeString(0, &Bad), STATUS_INVALID_PARAMETER);
    assert_true(RtlCreateUnicodeString(&Copy, L"xyz"));
    RtlFreeUnicodeString(&Copy);
}

static void TestIntegerText(void **State)
{
    UNICODE_STRING Number = U(L"  -0x1F");
    WCHAR Buffer[4];
    UNICODE_STRING Target = {0, sizeof(Buffer), Buffer};
    char Digits[12];
    ULONG Value;
    LARGE_INTEGER Large;

    (void)State;
    ASSERT_STATUS(RtlUnicodeStringToInteger(&Number, 0, &Value), STATUS_SUCCESS);
    assert_int_equal(Value, (ULONG)-31);
    Number = U(L"0b101z");
    ASSERT_STATUS(RtlUnicodeStringToInteger(&Number, 0, &Value), STATUS_SUCCESS);
    assert_int_equal(Value, 5);
    Number = U(L"777");
    ASSERT_STATUS(RtlUnicodeStringToInteger(&Number, 8, &Value), STATUS_SUCCESS);
    assert_int_equal(Value, 0777);
    ASSERT_STATUS(RtlUnicodeStringToInteger(&Number, 7, &Value), STATUS_INVALID_PARAMETER);
    Number.Length = 0;
    ASSERT_STATUS(RtlUnicodeStringToInteger(&Number, 10, &Value), STATUS_SUCCESS);
    assert_int_equal(Value, 0);
    ASSERT_STATUS(RtlCharToInteger("0o17", 0, &Value), STATUS_SUCCESS);
    assert_int_equal(Value, 15);
    ASSERT_STATUS(RtlIntegerToUnicodeString(0xABCD, 16, &Target), STATUS_SUCCESS);
    assert_true(Target.Length == 8 && Buffer[0] == 'A' && Buffer[3] == 'D');
    ASSERT_STATUS(RtlIntegerToUnicodeString(12345, 10, &Target), STATUS_BUFFER_OVERFLOW);
    ASSERT_STATUS(RtlIntegerToUnicodeString(1, 3, &Target), STATUS_INVALID_PARAMETER);
    ASSERT_STATUS(RtlIntegerToUnicodeString(7, 0, &Target), STATUS_SUCCESS);
    assert_true(Target.Length == 2 && Buffer[1] == 0);
    ASSERT_STATUS(RtlIntegerToChar(255, 16, 12, Digits), STATUS_SUCCESS);
    assert_string_equal(Digits, "FF");
    ASSERT_STATUS(RtlIntegerToChar(255, 16, -8, Digits), STATUS_SUCCESS);
    assert_memory_equal(Digits, "000000FF", 8);
    ASSERT_STATUS(RtlIntegerToChar(255, 10, 2, Digits), STATUS_BUFFER_OVERFLOW);
    Large.QuadPart = 10000000000LL;
    ASSERT_STATUS(RtlLargeIntegerToChar(&Large, 10, 12, Digits), STATUS_SUCCESS);
    assert_string_equal(Digits, "10000000000");
}

static void TestGuid(void **State)
{
    static const GUID Guid = {0x01234567, 0x89AB, 0xCDEF, {0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF}};
    UNICODE_STRING Text;
    GUID Back;
    int Index;

    (void)State;
    ASSERT_STATUS(RtlStringFromGUID(&Guid, &Text), STATUS_SUCCESS);
    assert_int_equal(Text.Length, 76);
    assert_int_equal(host_memcmp(Text.Buffer, L"{01234567-89ab-cdef-0123-456789abcdef}", 78), 0);
    ASSERT_STATUS(RtlGUIDFromString(&Text, &Back), STATUS_SUCCESS);
    assert_memory_equal(&Guid, &Back, sizeof(Guid));
    for (Index = 0; Index < 38; Index += 1)
    {
        WCHAR Kept = Text.Buffer[Index];

        Text.Buffer[Index] = 'g';
        ASSERT_STATUS(RtlGUIDFromString(&Text, &Back), STATUS_INVALID_PARAMETER);
        Text.Buffer[Index] = Kept;
    }

    Text.Length -= 2;
    ASSERT_STATUS(RtlGUIDFromString(&Text, &Back), STATUS_INVALID_PARAMETER);
    RtlFreeUnicodeString(&Text);
}

static int NothingLeft(void **State)
{
    (void)State;
    return TestBlocks != 0;
}

int main(void)
{
    const struct CMUnitTest Tests[] = {
        cmocka_unit_test(TestInit),         cmocka_unit_test(TestCopyAndAppend), cmocka_unit_test(TestCompare),
        cmocka_unit_test(TestCase),         cmocka_unit_test(TestCaseStrings),   cmocka_unit_test(TestAnsi),
        cmocka_unit_test(TestUtf8),         cmocka_unit_test(TestUtfRoundTrip),  cmocka_unit_test(TestUtfGarbage),
        cmocka_unit_test(TestDuplicate),    cmocka_unit_test(TestIntegerText),   cmocka_unit_test(TestGuid),
    };

    return cmocka_run_group_tests(Tests, NULL, NothingLeft);
}
