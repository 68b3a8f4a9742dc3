/* SPDX-License-Identifier: MIT */
/*
 * Times, versions, error codes, addresses, checksums, images.
 */
#include "rtltest.h"

static void TestCalendar(void **State)
{
    uint64_t Random = 31;
    int Round;

    (void)State;
    for (Round = 0; Round < 20000; Round += 1)
    {
        /* Against the build machine's calendar, from 1601 to about 9000. */
        time_t Seconds = (time_t)(((uint64_t)TestRandom(&Random) << 16 ^ TestRandom(&Random)) % 233000000000LL) -
                         11644473600LL;
        struct tm Tm;
        TIME_FIELDS Fields;
        LARGE_INTEGER Time;
        LARGE_INTEGER Back;

        gmtime_r(&Seconds, &Tm);
        Time.QuadPart = (Seconds + 11644473600LL) * 10000000LL + 1234567;
        RtlTimeToTimeFields(&Time, &Fields);
        assert_int_equal(Fields.Year, Tm.tm_year + 1900);
        assert_int_equal(Fields.Month, Tm.tm_mon + 1);
        assert_int_equal(Fields.Day, Tm.tm_mday);
        assert_int_equal(Fields.Hour, Tm.tm_hour);
        assert_int_equal(Fields.Minute, Tm.tm_min);
        assert_int_equal(Fields.Second, Tm.tm_sec);
        assert_int_equal(Fields.Milliseconds, 123);
        assert_int_equal(Fields.Weekday, Tm.tm_wday);
        assert_true(RtlTimeFieldsToTime(&Fields, &Back));
        assert_true(Back.QuadPart == Time.QuadPart - 4567);
    }
}

static void TestTimeLimits(void **State)
{
    TIME_FIELDS Fields = {2023, 2, 29, 0, 0, 0, 0, 0};
    LARGE_INTEGER Time;
    ULONG Seconds;

    (void)State;
    assert_false(RtlTimeFieldsToTime(&Fields, &Time));
    Fields.Year = 2024;
    assert_true(RtlTimeFieldsToTime(&Fields, &Time));
    Fields.Year = 1900;
    assert_false(RtlTimeFieldsToTime(&Fields, &Time));
    Fields.Year = 2000;
    assert_true(RtlTimeFieldsToTime(&Fields, &Time));
    Fields.Hour = 24;
    assert_false(RtlTimeFieldsToTime(&Fields, &Time));
    Fields.Hour = 0;
    Fields.Month = 13;
    assert_false(RtlTimeFieldsToTime(&Fields, &Time));
    Fields.Month = 1;
    Fields.Year = 1600;
    assert_false(RtlTimeFieldsToTime(&Fields, &Time));
    Time.QuadPart = 0x7FFFFFFFFFFFFFFFLL;
    RtlTimeToTimeFields(&Time, &Fields);
    assert_true(Fields.Year == 30828 && Fields.Month == 9 && Fields.Day == 14);
    Time.QuadPart = 116444736000000000LL;
    assert_true(RtlTimeToSecondsSince1970(&Time, &Seconds) && Seconds == 0);
    Time.QuadPart -= 10000000;
    assert_false(RtlTimeToSecondsSince1970(&Time, &Seconds));
    RtlSecondsSince1970ToTime(0xFFFFFFFF, &Time);
    assert_true(RtlTimeToSecondsSince1970(&Time, &Seconds) && Seconds == 0xFFFFFFFF);
    Time.QuadPart += 10000000;
    assert_false(RtlTimeToSecondsSince1970(&Time, &Seconds));
    RtlSecondsSince1980ToTime(0, &Time);
    RtlTimeToTimeFields(&Time, &Fields);
    assert_true(Fields.Year == 1980 && Fields.Month == 1 && Fields.Day == 1);
    Time.QuadPart = 3LL * 864000000000LL + 36000000000LL;
    RtlTimeToElapsedTimeFields(&Time, &Fields);
    assert_true(Fields.Day == 3 && Fields.Hour == 1);
}

static NTSTATUS Verify(ULONG Major, ULONG Minor, ULONG Build, ULONG Mask, UCHAR Condition)
{
    RTL_OSVERSIONINFOEXW Info = {0};
    ULONGLONG Conditions = 0;

    Info.dwMajorVersion = Major;
    Info.dwMinorVersion = Minor;
    Info.dwBuildNumber = Build;
    Conditions = VerSetConditionMask(Conditions, VER_MAJORVERSION, Condition);
    Conditions = VerSetConditionMask(Conditions, VER_MINORVERSION, Condition);
    Conditions = VerSetConditionMask(Conditions, VER_BUILDNUMBER, Condition);
    return RtlVerifyVersionInfo(&Info, Mask, Conditions);
}

static void TestVersion(void **State)
{
    RTL_OSVERSIONINFOEXW Info;
    const ULONG Both = VER_MAJORVERSION | VER_MINORVERSION;

    (void)State;
    host_memset(&Info, 0xCC, sizeof(Info));
    Info.dwOSVersionInfoSize = sizeof(RTL_OSVERSIONINFOW);
    ASSERT_STATUS(RtlGetVersion((PRTL_OSVERSIONINFOW)&Info), STATUS_SUCCESS);
    assert_true(Info.dwMajorVersion == 10 && Info.dwMinorVersion == 0 && Info.dwBuildNumber == 19045);
    assert_true(Info.wProductType == 0xCC && Info.szCSDVersion[0] == 0);
    Info.dwOSVersionInfoSize = sizeof(Info);
    RtlGetVersion((PRTL_OSVERSIONINFOW)&Info);
    assert_true(Info.wProductType == VER_NT_WORKSTATION && Info.wSuiteMask == 0x100);
    ASSERT_STATUS(Verify(10, 0, 0, Both, VER_GREATER_EQUAL), STATUS_SUCCESS);
    ASSERT_STATUS(Verify(6, 3, 0, Both, VER_GREATER_EQUAL), STATUS_SUCCESS); /* 10.0 is later, though 0 < 3 */
    ASSERT_STATUS(Verify(10, 1, 0, Both, VER_GREATER_EQUAL), STATUS_REVISION_MISMATCH);
    ASSERT_STATUS(Verify(10, 0, 0, Both, VER_EQUAL), STATUS_SUCCESS);
    ASSERT_STATUS(Verify(10, 0, 0, Both, VER_GREATER), STATUS_REVISION_MISMATCH);
    ASSERT_STATUS(Verify(11, 0, 0, Both, VER_LESS), STATUS_SUCCESS);
    ASSERT_STATUS(Verify(10, 0, 19046, Both | VER_BUILDNUMBER, VER_GREATER_EQUAL), STATUS_REVISION_MISMATCH);
    ASSERT_STATUS(Verify(10, 0, 0, 0, VER_EQUAL), STATUS_INVALID_PARAMETER);
    ASSERT_STATUS(Verify(10, 0, 0, Both, 0), STATUS_INVALID_PARAMETER);
    assert_true(RtlIsNtDdiVersionAvailable(0x06010000));
    assert_true(RtlIsNtDdiVersionAvailable(0x0A000000));
    assert_false(RtlIsNtDdiVersionAvailable(0x0A000008));
    assert_false(RtlIsNtDdiVersionAvailable(0x0B000000));
    assert_true(RtlIsServicePackVersionInstalled(0x0A000000));
    assert_false(RtlIsServicePackVersionInstalled(0x0A000100));
}

static void TestDosErrors(void **State)
{
    (void)State;
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_SUCCESS), 0);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_ACCESS_DENIED), 5);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_OBJECT_NAME_NOT_FOUND), 2);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_OBJECT_PATH_NOT_FOUND), 3);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_INVALID_HANDLE), 6);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_INVALID_PARAMETER), 87);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_INVALID_PARAMETER_4), 87);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_INVALID_DEVICE_REQUEST), 1);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_BUFFER_TOO_SMALL), 122);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_BUFFER_OVERFLOW), 234);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_INSUFFICIENT_RESOURCES), 1450);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_NO_MEMORY), 8);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_PENDING), 997);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_CANCELLED), 995);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_OBJECT_NAME_COLLISION), 183);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_END_OF_FILE), 38);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_NOT_SUPPORTED), 50);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_PRIVILEGE_NOT_HELD), 1314);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_DELETE_PENDING), 5);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb((NTSTATUS)0xD0000022), 5);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb((NTSTATUS)0xC0070057), 87);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb((NTSTATUS)0x80070005), 5);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb((NTSTATUS)0xE0001234), 0xE0001234);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb((NTSTATUS)0xC0FFEE00), 317);
}

static void TestDosErrorOrder(void **State)
{
    /* Every status of the facility is found if the table is sorted: try those at its ends and in the middle. */
    (void)State;
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_ABANDONED_WAIT_0), 735);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_HASH_NOT_SUPPORTED), 1);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_UNSUCCESSFUL), 31);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_MEDIA_WRITE_PROTECTED), 19);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_DLL_NOT_FOUND), 126);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_ENTRYPOINT_NOT_FOUND), 127);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_DRIVER_UNABLE_TO_LOAD), 2001);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_IMAGE_ALREADY_LOADED), 1056);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_NO_MORE_ENTRIES), 259);
    assert_int_equal(RtlNtStatusToDosErrorNoTeb(STATUS_NO_MORE_FILES), 18);
}

static void Check4(const char *Text, BOOLEAN Strict, NTSTATUS Status, ULONG Address, size_t Used)
{
    UCHAR Bytes[4] = {0};
    PCSTR End;
    WCHAR Wide[40];
    PCWSTR WideEnd;
    UCHAR WideBytes[4] = {0};
    size_t Index;

    ASSERT_STATUS(RtlIpv4StringToAddressA(Text, Strict, &End, Bytes), Status);
    assert_int_equal(End - Text, Used);
    for (Index = 0; Index <= strlen(Text); Index += 1)
    {
        Wide[Index] = (WCHAR)Text[Index];
    }

    ASSERT_STATUS(RtlIpv4StringToAddressW(Wide, Strict, &WideEnd, WideBytes), Status);
    assert_int_equal(WideEnd - Wide, Used);
    assert_memory_equal(Bytes, WideBytes, 4);
    if (NT_SUCCESS(Status))
    {
        assert_int_equal((ULONG)Bytes[0] << 24 | Bytes[1] << 16 | Bytes[2] << 8 | Bytes[3], Address);
    }
}

static void TestIpv4(void **State)
{
    char Text[40];
    UCHAR Address[4] = {192, 168, 0, 255};
    USHORT Port;
    ULONG Length = 5;

    (void)State;
    Check4("1.2.3.4", TRUE, STATUS_SUCCESS, 0x01020304, 7);
    Check4("0x7f.1", FALSE, STATUS_SUCCESS, 0x7F000001, 6);
    Check4("0x7f.1", TRUE, STATUS_INVALID_PARAMETER, 0, 6);
    Check4("010.1.1.1x", TRUE, STATUS_SUCCESS, 0x08010101, 9);
    Check4("4294967295", FALSE, STATUS_SUCCESS, 0xFFFFFFFF, 10);
    Check4("1.2.256", FALSE, STATUS_SUCCESS, 0x01020100, 7);
    Check4("1.2.3.256", FALSE, STATUS_INVALID_PARAMETER, 0, 9);
    Check4("1.2.3.4.5", FALSE, STATUS_INVALID_PARAMETER, 0, 7);
    Check4("", FALSE, STATUS_INVALID_PARAMETER, 0, 0);
    Check4("1..2", FALSE, STATUS_INVALID_PARAMETER, 0, 2);
    assert_int_equal(RtlIpv4AddressToStringA(Address, Text) - Text, 13);
    assert_string_equal(Text, "192.168.0.255");
    ASSERT_STATUS(RtlIpv4StringToAddressExA("1.2.3.4:8080", TRUE, Address, &Port), STATUS_SUCCESS);
    assert_int_equal(Port, 0x901F);
    ASSERT_STATUS(RtlIpv4StringToAddressExA("1.2.3.4:65536", TRUE, Address, &Port), STATUS_INVALID_PARAMETER);
    ASSERT_STATUS(RtlIpv4AddressToStringExA(Address, Port, Text, &Length), STATUS_INVALID_PARAMETER);
    Length = sizeof(Text);
}

static void Check6(const char *Text, const char *Canonical)
{
    UCHAR Bytes[16];
    PCSTR End;
    char Back[64];

    if (Canonical == NULL)
    {
        assert_false(NT_SUCCESS(RtlIpv6StringToAddressA(Text, &End, Bytes)) && *End == 0);
        return;
    }

    ASSERT_STATUS(RtlIpv6StringToAddressA(Text, &End, Bytes), STATUS_SUCCESS);
    assert_int_equal(*End, 0);
    RtlIpv6AddressToStringA(Bytes, Back);
    assert_string_equal(Back, Canonical);
}

static void TestIpv6(void **State)
{
    UCHAR Bytes[16];
    ULONG Scope;
    USHORT Port;
    char Text[80];
    ULONG Length = sizeof(Text);

    (void)State;
    Check6("::", "::");
    Check6("::1", "::1");
    Check6("1::", "1::");
    Check6("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
    Check6("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8");
    Check6("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8");
    Check6("::ffff:1.2.3.4", "::ffff:1.2.3.4");
    Check6("::1.2.3.4", "::1.2.3.4");
    Check6("fe80::5efe:1.2.3.4", "fe80::5efe:1.2.3.4");
    Check6("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0");
    Check6("", NULL);
    Check6(":", NULL);
    Check6(":1", NULL);
    Check6("1:2", NULL);
    Check6("1:2:3:4:5:6:7:8:9", NULL);
    Check6("1::2::3", NULL);
    Check6("12345::", NULL);
    Check6("1:2:3:4:5:6:7:1.2.3.4", NULL);
    Check6("::1.2.3", NULL);
    Check6("g::", NULL);
    ASSERT_STATUS(RtlIpv6StringToAddressExA("[fe80::1%12]:80", Bytes, &Scope, &Port), STATUS_SUCCESS);
    assert_true(Scope == 12 && Port == 0x5000);
    ASSERT_STATUS(RtlIpv6AddressToStringExA(Bytes, Scope, Port, Text, &Length), STATUS_SUCCESS);
    assert_string_equal(Text, "[fe80::1%12]:80");
    assert_int_equal(Length, 16);
    ASSERT_STATUS(RtlIpv6StringToAddressExA("[fe80::1", Bytes, &Scope, &Port), STATUS_INVALID_PARAMETER);
    ASSERT_STATUS(RtlIpv6StringToAddressExA("fe80::1:", Bytes, &Scope, &Port), STATUS_INVALID_PARAMETER);
}

static void TestAddressGarbage(void **State)
{
    static const char Alphabet[] = "0123456789abcdefx:.%[]";
    uint64_t Random = 77;
    int Round;

    (void)State;
    for (Round = 0; Round < 50000; Round += 1)
    {
        size_t Length = TestRandom(&Random) % (Round % 100 == 0 ? 120 : 30);
        char *Text = malloc(Length + 1);
        UCHAR Bytes[16];
        PCSTR End;
        ULONG Scope;
        USHORT Port;
        char Back[80];
        size_t Index;

        for (Index = 0; Index < Length; Index += 1)
        {
            Text[Index] = Alphabet[TestRandom(&Random) % (sizeof(Alphabet) - 1)];
        }

        Text[Length] = 0;
        RtlIpv4StringToAddressA(Text, Round & 1, &End, Bytes);
        assert_true(End >= Text && End <= Text + Length);
        if (NT_SUCCESS(RtlIpv6StringToAddressA(Text, &End, Bytes)))
        {
            UCHAR Again[16];

            RtlIpv6AddressToStringA(Bytes, Back);
            ASSERT_STATUS(RtlIpv6StringToAddressA(Back, &End, Again), STATUS_SUCCESS);
            assert_memory_equal(Bytes, Again, 16);
        }

        RtlIpv6StringToAddressExA(Text, Bytes, &Scope, &Port);
        RtlIpv4StringToAddressExA(Text, FALSE, Bytes, &Port);
        free(Text);
    }
}

static void TestChecksumsAndRandom(void **State)
{
    ULONG Seed = 1;
    ULONG Other = 1;
    ULONG Index;
    ULONG Buckets[16] = {0};

    (void)State;
    assert_int_equal(RtlComputeCrc32(0, "123456789", 9), 0xCBF43926);
    assert_int_equal(RtlComputeCrc32(RtlComputeCrc32(0, "1234", 4), "56789", 5), 0xCBF43926);
    assert_int_equal(RtlUniform(&Seed), (0x7FFFFFEDULL + 0x7FFFFFC3) % 0x7FFFFFFF);
    for (Index = 0; Index < 16000; Index += 1)
    {
        ULONG Value = Index & 1 ? RtlRandom(&Other) : RtlRandomEx(&Other);

        assert_true(Value < 0x7FFFFFFF);
        Buckets[Value >> 27]++;
    }

    for (Index = 0; Index < 16; Index += 1)
    {
        assert_true(Buckets[Index] > 700 && Buckets[Index] < 1300);
    }
}

static void TestImages(void **State)
{
    UCHAR *Base = calloc(1, 0x400);
    PIMAGE_DOS_HEADER Dos = (PIMAGE_DOS_HEADER)Base;
    PIMAGE_NT_HEADERS Nt = (PIMAGE_NT_HEADERS)(Base + 0x80);
    PIMAGE_SECTION_HEADER Section = (PIMAGE_SECTION_HEADER)(Nt + 1);
    PIMAGE_NT_HEADERS Found;
    ULONG Size;

    (void)State;
    assert_null(RtlImageNtHeader(NULL));
    assert_null(RtlImageNtHeader(Base));
    Dos->e_magic = IMAGE_DOS_SIGNATURE;
    Dos->e_lfanew = 0x80;
    assert_null(RtlImageNtHeader(Base));
    Nt->Signature = IMAGE_NT_SIGNATURE;
    Nt->FileHeader.SizeOfOptionalHeader = sizeof(Nt->OptionalHeader);
    Nt->FileHeader.NumberOfSections = 1;
    Nt->OptionalHeader.Magic = IMAGE_NT_OPTIONAL_HDR64_MAGIC;
    Nt->OptionalHeader.NumberOfRvaAndSizes = 16;
    Nt->OptionalHeader.SizeOfHeaders = 0x200;
    Nt->OptionalHeader.DataDirectory[3].VirtualAddress = 0x1010;
    Nt->OptionalHeader.DataDirectory[3].Size = 24;
    Section->VirtualAddress = 0x1000;
    Section->SizeOfRawData = 0x200;
    Section->PointerToRawData = 0x200;
    assert_ptr_equal(RtlImageNtHeader(Base), Nt);
    assert_ptr_equal(RtlImageDirectoryEntryToData(Base, TRUE, 3, &Size), Base + 0x1010);
    assert_int_equal(Size, 24);
    assert_ptr_equal(RtlImageDirectoryEntryToData(Base, FALSE, 3, &Size), Base + 0x210);
    assert_ptr_equal(RtlImageDirectoryEntryToData(Base + 1, TRUE, 3, &Size), Base + 0x210);
    assert_null(RtlImageDirectoryEntryToData(Base, TRUE, 4, &Size));
    assert_null(RtlImageDirectoryEntryToData(Base, TRUE, 16, &Size));
    assert_ptr_equal(RtlImageRvaToVa(Nt, Base, 0x1004, NULL), Base + 0x204);
    assert_null(RtlImageRvaToVa(Nt, Base, 0x1200, NULL));
    ASSERT_STATUS(RtlImageNtHeaderEx(0, Base, 0x90, &Found), STATUS_INVALID_IMAGE_FORMAT);
    ASSERT_STATUS(RtlImageNtHeaderEx(0, Base, 0x400, &Found), STATUS_SUCCESS);
    Dos->e_lfanew = 0x7FFFFFF0;
    ASSERT_STATUS(RtlImageNtHeaderEx(0, Base, 0x400, &Found), STATUS_INVALID_IMAGE_FORMAT);
    free(Base);
}

int main(void)
{
    const struct CMUnitTest Tests[] = {
        cmocka_unit_test(TestCalendar),           cmocka_unit_test(TestTimeLimits),
        cmocka_unit_test(TestVersion),            cmocka_unit_test(TestDosErrors),
        cmocka_unit_test(TestDosErrorOrder),      cmocka_unit_test(TestIpv4),
        cmocka_unit_test(TestIpv6),               cmocka_unit_test(TestAddressGarbage),
        cmocka_unit_test(TestChecksumsAndRandom), cmocka_unit_test(TestImages),
    };

    return cmocka_run_group_tests(Tests, NULL, NULL);
}
