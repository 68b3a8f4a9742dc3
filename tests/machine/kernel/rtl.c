/* SPDX-License-Identifier: MIT */
/* Spot checks of the run-time library as drivers import it; its depth is tested natively. */
#include "ktlib.h"
#include <ntstrsafe.h>

static VOID TestStrings(KTEST_RUN *Run)
{
    UNICODE_STRING lower = RTL_CONSTANT_STRING(L"hello world"), upper = RTL_CONSTANT_STRING(L"HELLO World"),
                   prefix = RTL_CONSTANT_STRING(L"Hello");
    WCHAR room[32];
    UNICODE_STRING copy = {.Buffer = room, .MaximumLength = sizeof(room)}, made;
    ANSI_STRING ansi, text;
    ULONG number = 0;

    CHECK(RtlEqualUnicodeString(&lower, &upper, TRUE));
    CHECK(!RtlEqualUnicodeString(&lower, &upper, FALSE));
    CHECK(RtlCompareUnicodeString(&upper, &lower, FALSE) < 0);
    CHECK(RtlPrefixUnicodeString(&prefix, &lower, TRUE));
    CHECK(!RtlPrefixUnicodeString(&prefix, &lower, FALSE));
    RtlCopyUnicodeString(&copy, &lower);
    CHECK_STATUS(RtlAppendUnicodeToString(&copy, L" 123"), STATUS_SUCCESS);
    CHECK_STATUS(RtlAppendUnicodeToString(&copy, L" and far too much for the room"), STATUS_BUFFER_TOO_SMALL);
    CHECK_EQUAL(copy.Length, 15 * sizeof(WCHAR));
    CHECK_STATUS(RtlUpcaseUnicodeString(&made, &copy, TRUE), STATUS_SUCCESS);
    CHECK(memcmp(made.Buffer, L"HELLO WORLD 123", 30) == 0);
    KtSay(Run, "upper case: %wZ", &made);
    CHECK_STATUS(RtlUnicodeStringToAnsiString(&ansi, &made, TRUE), STATUS_SUCCESS);
    CHECK_EQUAL(ansi.Length, 15);
    CHECK(strcmp(ansi.Buffer, "HELLO WORLD 123") == 0);
    RtlFreeAnsiString(&ansi);
    RtlFreeUnicodeString(&made);
    CHECK(made.Buffer == NULL);
    RtlInitAnsiString(&text, "abc");
    CHECK_STATUS(RtlAnsiStringToUnicodeString(&made, &text, TRUE), STATUS_SUCCESS);
    CHECK_EQUAL(made.Length, 6);
    RtlFreeUnicodeString(&made);

    CHECK_STATUS(RtlIntegerToUnicodeString(0xBEEF, 16, &copy), STATUS_SUCCESS);
    CHECK(wcscmp(copy.Buffer, L"BEEF") == 0);
    CHECK_STATUS(RtlUnicodeStringToInteger(&copy, 16, &number), STATUS_SUCCESS);
    CHECK_EQUAL(number, 0xBEEF);
}

static VOID TestFormats(KTEST_RUN *Run)
{
    CHAR text[64];

    CHECK_STATUS(RtlStringCbPrintfA(text, sizeof(text), "%d|%5u|%-5d|%05x|%I64X|%s|%ws|%c", -7, 42u, 3, 0xABCu,
                                    0x123456789ABCDEFULL, "narrow", L"wide", '!'),
                 STATUS_SUCCESS);
    KtSay(Run, "%s", text);
    CHECK(strcmp(text, "-7|   42|3    |00abc|123456789ABCDEF|narrow|wide|!") == 0);
    CHECK_STATUS(RtlStringCbPrintfA(text, 8, "%s", "longer than that"), STATUS_BUFFER_OVERFLOW);
    CHECK(strcmp(text, "longer ") == 0);
    CHECK_EQUAL(_snprintf(text, 4, "%s", "abcdef"), -1); /* the C routine does not terminate what it cuts */
    CHECK(memcmp(text, "abcd", 4) == 0);
}

static VOID TestMemory(KTEST_RUN *Run)
{
    UCHAR a[100], b[100];

    KtFill(a, sizeof(a), 1);
    RtlCopyMemory(b, a, sizeof(a));
    CHECK_EQUAL(RtlCompareMemory(a, b, sizeof(a)), 100);
    b[37] ^= 1;
    CHECK_EQUAL(RtlCompareMemory(a, b, sizeof(a)), 37);
    RtlMoveMemory(a + 10, a, 50); /* overlapping, upwards and downwards */
    CHECK_EQUAL(KtMismatches(a + 10, 50, 1), 0);
    RtlMoveMemory(a, a + 10, 50);
    CHECK_EQUAL(KtMismatches(a, 50, 1), 0);
    RtlFillMemory(a, 20, 0x77);
    RtlZeroMemory(a + 5, 10);
    CHECK(KtAllBytes(a, 5, 0x77) && KtAllBytes(a + 5, 10, 0) && KtAllBytes(a + 15, 5, 0x77));
}

static VOID TestBitmaps(KTEST_RUN *Run)
{
    ULONG bits[4];
    RTL_BITMAP map;

    RtlInitializeBitMap(&map, bits, 100);
    RtlClearAllBits(&map);
    CHECK_EQUAL(RtlFindClearBitsAndSet(&map, 10, 0), 0);
    CHECK_EQUAL(RtlFindClearBitsAndSet(&map, 40, 0), 10);
    CHECK_EQUAL(RtlNumberOfSetBits(&map), 50);
    RtlClearBits(&map, 5, 3);
    CHECK_EQUAL(RtlFindClearBits(&map, 3, 0), 5);
    CHECK_EQUAL(RtlFindClearBits(&map, 4, 0), 50);
    CHECK_EQUAL(RtlFindClearBits(&map, 51, 0), 0xFFFFFFFF);
    CHECK(RtlAreBitsSet(&map, 8, 42) && !RtlAreBitsSet(&map, 4, 2));
    CHECK(RtlTestBit(&map, 49) && !RtlTestBit(&map, 50));
}

typedef struct _NUMBERED
{
    ULONG Key, Value;
} NUMBERED;

static RTL_GENERIC_COMPARE_RESULTS NTAPI CompareNumbered(PRTL_AVL_TABLE Table, PVOID First, PVOID Second)
{
    ULONG a = ((NUMBERED *)First)->Key, b = ((NUMBERED *)Second)->Key;
    return a < b ? GenericLessThan : a > b ? GenericGreaterThan : GenericEqual;
}

static PVOID NTAPI AllocateNode(PRTL_AVL_TABLE Table, CLONG Size)
{
    return ExAllocatePoolWithTag(PagedPool, Size, KT_TAG);
}

static VOID NTAPI FreeNode(PRTL_AVL_TABLE Table, PVOID Node)
{
    ExFreePoolWithTag(Node, KT_TAG);
}

static VOID TestTables(KTEST_RUN *Run)
{
    RTL_AVL_TABLE table;
    NUMBERED *found, wanted = {500, 0};
    ULONG seed = 9, last = 0, sorted = 0, count;
    BOOLEAN fresh;

    RtlInitializeGenericTableAvl(&table, CompareNumbered, AllocateNode, FreeNode, NULL);
    for (ULONG i = 0; i < 300; i++)
    {
        NUMBERED entry = {1 + KtRandom(&seed) % 1000, i};
        RtlInsertElementGenericTableAvl(&table, &entry, sizeof(entry), &fresh);
    }
    RtlInsertElementGenericTableAvl(&table, &wanted, sizeof(wanted), &fresh);
    CHECK(RtlLookupElementGenericTableAvl(&table, &wanted) != NULL);
    count = RtlNumberGenericTableElementsAvl(&table);
    for (found = RtlEnumerateGenericTableAvl(&table, TRUE); found != NULL;
         found = RtlEnumerateGenericTableAvl(&table, FALSE))
    {
        sorted += found->Key > last;
        last = found->Key;
    }
    KtSay(Run, "%lu elements, %lu in order", count, sorted);
    CHECK_EQUAL(sorted, count);
    CHECK(RtlDeleteElementGenericTableAvl(&table, &wanted));
    CHECK(!RtlDeleteElementGenericTableAvl(&table, &wanted));
    while ((found = RtlGetElementGenericTableAvl(&table, 0)) != NULL)
    {
        RtlDeleteElementGenericTableAvl(&table, found);
    }
    CHECK(RtlIsGenericTableEmptyAvl(&table));
}

static VOID TestTime(KTEST_RUN *Run)
{
    TIME_FIELDS fields =
                    {.Year = 2024, .Month = 2, .Day = 29, .Hour = 12, .Minute = 34, .Second = 56, .Milliseconds = 789},
                back;
    LARGE_INTEGER time, now;
    ULONG seconds;

    CHECK(RtlTimeFieldsToTime(&fields, &time));
    RtlTimeToTimeFields(&time, &back);
    CHECK(back.Year == 2024 && back.Month == 2 && back.Day == 29 && back.Hour == 12 && back.Milliseconds == 789);
    CHECK_EQUAL(back.Weekday, 4);
    CHECK(RtlTimeToSecondsSince1970(&time, &seconds));
    CHECK_EQUAL(seconds, 1709210096);
    fields.Day = 30;
    CHECK(!RtlTimeFieldsToTime(&fields, &time));
    KeQuerySystemTime(&now);
    RtlTimeToTimeFields(&now, &back);
    KtSay(Run, "now it is %d-%02d-%02d %02d:%02d:%02d", back.Year, back.Month, back.Day, back.Hour, back.Minute,
          back.Second);
    CHECK(back.Year >= 2024 && back.Year < 2100);
}

/* A routine that newer systems have is looked up by name, and one that none has is not found. */
static VOID TestLookup(KTEST_RUN *Run)
{
    UNICODE_STRING there = RTL_CONSTANT_STRING(L"MmMapMdl"), nowhere = RTL_CONSTANT_STRING(L"MmNoSuchRoutine");
    RTL_OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof(version)};

    CHECK(MmGetSystemRoutineAddress(&there) != NULL);
    CHECK(MmGetSystemRoutineAddress(&nowhere) == NULL);
    CHECK_STATUS(RtlGetVersion(&version), STATUS_SUCCESS);
    KtSay(Run, "version %lu.%lu build %lu", version.dwMajorVersion, version.dwMinorVersion, version.dwBuildNumber);
    CHECK_EQUAL(version.dwMajorVersion, 10);
}

VOID KtGroup_rtl(KTEST_RUN *Run)
{
    TestStrings(Run);
    TestFormats(Run);
    TestMemory(Run);
    TestBitmaps(Run);
    TestTables(Run);
    TestTime(Run);
    TestLookup(Run);
}
