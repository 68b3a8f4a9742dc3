/* SPDX-License-Identifier: MIT */
/*
 * SIDs, access control lists, security descriptors, SDDL.
 */
#include "rtltest.h"

static UCHAR *SidOf(const WCHAR *Text)
{
    PSID Sid;

    ASSERT_STATUS(RtlpStringToSid(Text, &Sid), STATUS_SUCCESS);
    return Sid;
}

static void CheckSidText(const WCHAR *Text, const char *Expected)
{
    UCHAR *Sid = SidOf(Text);
    UNICODE_STRING String;
    ANSI_STRING Ansi;

    assert_true(RtlValidSid(Sid));
    ASSERT_STATUS(RtlConvertSidToUnicodeString(&String, Sid, TRUE), STATUS_SUCCESS);
    ASSERT_STATUS(RtlUnicodeStringToAnsiString(&Ansi, &String, TRUE), STATUS_SUCCESS);
    assert_string_equal(Ansi.Buffer, Expected);
    RtlFreeUnicodeString(&String);
    RtlFreeAnsiString(&Ansi);
    RtlpFree(Sid);
}

static void TestSids(void **State)
{
    SID_IDENTIFIER_AUTHORITY Nt = {{0, 0, 0, 0, 0, 5}};
    PSID Sid;
    UCHAR Buffer[32];
    UCHAR *System = SidOf(L"SY");
    UCHAR *Admins = SidOf(L"BA");
    UNICODE_STRING Small = {0, 4, (PWSTR)Buffer};

    (void)State;
    CheckSidText(L"SY", "S-1-5-18");
    CheckSidText(L"BA", "S-1-5-32-544");
    CheckSidText(L"WD", "S-1-1-0");
    CheckSidText(L"LA", "S-1-5-21-1951530857-1164797545-842018914-500");
    CheckSidText(L"S-1-5-21-1-2-3-4294967295", "S-1-5-21-1-2-3-4294967295");
    CheckSidText(L"s-1-0x123456789abc-0x10", "S-1-0x123456789abc-16");
    ASSERT_STATUS(RtlpStringToSid(L"S-1-5", &Sid), STATUS_INVALID_SID);
    ASSERT_STATUS(RtlpStringToSid(L"S-1-5-4294967296", &Sid), STATUS_INVALID_SID);
    ASSERT_STATUS(RtlpStringToSid(L"S-1-5-1-", &Sid), STATUS_INVALID_SID);
    ASSERT_STATUS(RtlpStringToSid(L"SYX", &Sid), STATUS_INVALID_SID);
    ASSERT_STATUS(RtlpStringToSid(L"S-1-1-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15", &Sid), STATUS_SUCCESS);
    RtlpFree(Sid);
    ASSERT_STATUS(RtlpStringToSid(L"S-1-1-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16", &Sid), STATUS_INVALID_SID);
    ASSERT_STATUS(RtlAllocateAndInitializeSid(&Nt, 2, 32, 544, 0, 0, 0, 0, 0, 0, &Sid), STATUS_SUCCESS);
    assert_true(RtlEqualSid(Sid, Admins));
    assert_false(RtlEqualSid(Sid, System));
    *RtlSubAuthoritySid(Sid, 1) = 545;
    assert_true(RtlEqualPrefixSid(Sid, Admins));
    assert_int_equal(RtlLengthSid(Sid), 16);
    assert_int_equal(*RtlSubAuthorityCountSid(Sid), 2);
    ASSERT_STATUS(RtlCopySid(15, Buffer, Sid), STATUS_BUFFER_TOO_SMALL);
    ASSERT_STATUS(RtlCopySid(16, Buffer, Sid), STATUS_SUCCESS);
    assert_true(RtlEqualSid(Sid, Buffer));
    RtlFreeSid(Sid);
    Buffer[0] = 2;
    assert_false(RtlValidSid(Buffer));
    Buffer[0] = 1;
    Buffer[1] = 16;
    assert_false(RtlValidSid(Buffer));
    ASSERT_STATUS(RtlConvertSidToUnicodeString(&Small, Buffer, FALSE), STATUS_INVALID_SID);
    ASSERT_STATUS(RtlConvertSidToUnicodeString(&Small, System, FALSE), STATUS_BUFFER_OVERFLOW);
    ASSERT_STATUS(RtlInitializeSid(Buffer, &Nt, 16), STATUS_INVALID_PARAMETER);
    RtlpFree(System);
    RtlpFree(Admins);
}

static void TestAcls(void **State)
{
    UCHAR *System = SidOf(L"SY");
    UCHAR *Admins = SidOf(L"BA");
    PACL Acl = malloc(64);
    PACCESS_ALLOWED_ACE Ace;
    PVOID Free;

    (void)State;
    ASSERT_STATUS(RtlCreateAcl(Acl, 4, ACL_REVISION), STATUS_BUFFER_TOO_SMALL);
    ASSERT_STATUS(RtlCreateAcl(Acl, 64, 5), STATUS_INVALID_PARAMETER);
    ASSERT_STATUS(RtlCreateAcl(Acl, 64, ACL_REVISION), STATUS_SUCCESS);
    assert_true(RtlValidAcl(Acl));
    ASSERT_STATUS(RtlAddAccessAllowedAce(Acl, ACL_REVISION, GENERIC_ALL, System), STATUS_SUCCESS);
    ASSERT_STATUS(RtlAddAccessDeniedAceEx(Acl, ACL_REVISION, CONTAINER_INHERIT_ACE, GENERIC_READ, Admins),
                  STATUS_SUCCESS);
    ASSERT_STATUS(RtlAddAccessAllowedAceEx(Acl, ACL_REVISION, 0xE0, 1, System), STATUS_INVALID_PARAMETER);
    ASSERT_STATUS(RtlAddAccessAllowedAce(Acl, ACL_REVISION, GENERIC_ALL, Admins), STATUS_ALLOTTED_SPACE_EXCEEDED);
    assert_true(RtlValidAcl(Acl) && Acl->AceCount == 2);
    ASSERT_STATUS(RtlGetAce(Acl, 1, (PVOID *)&Ace), STATUS_SUCCESS);
    assert_int_equal(Ace->Header.AceType, ACCESS_DENIED_ACE_TYPE);
    assert_true(RtlEqualSid(&Ace->SidStart, Admins));
    ASSERT_STATUS(RtlGetAce(Acl, 2, (PVOID *)&Ace), STATUS_INVALID_PARAMETER);
    ASSERT_STATUS(RtlDeleteAce(Acl, 0), STATUS_SUCCESS);
    ASSERT_STATUS(RtlGetAce(Acl, 0, (PVOID *)&Ace), STATUS_SUCCESS);
    assert_int_equal(Ace->Mask, GENERIC_READ);
    {
        UCHAR Copy[24];

        host_memcpy(Copy, Ace, Ace->Header.AceSize);
        ((PACCESS_ALLOWED_ACE)Copy)->Mask = 7;
        ASSERT_STATUS(RtlAddAce(Acl, ACL_REVISION, 0, Copy, Ace->Header.AceSize), STATUS_SUCCESS);
        ASSERT_STATUS(RtlGetAce(Acl, 0, (PVOID *)&Ace), STATUS_SUCCESS);
        assert_int_equal(Ace->Mask, 7);
        ASSERT_STATUS(RtlAddAce(Acl, ACL_REVISION, 0, Copy, 3), STATUS_INVALID_PARAMETER);
    }

    assert_true(RtlFirstFreeAce(Acl, &Free) && Free == (PUCHAR)Acl + 56);
    Ace->Header.AceSize = 0;
    assert_false(RtlValidAcl(Acl));
    assert_false(RtlFirstFreeAce(Acl, &Free));
    ASSERT_STATUS(RtlDeleteAce(Acl, 0), STATUS_INVALID_PARAMETER);
    free(Acl);
    RtlpFree(System);
    RtlpFree(Admins);
}

static void TestMasks(void **State)
{
    GENERIC_MAPPING Mapping = {1, 2, 4, 0xF};
    ACCESS_MASK Mask = GENERIC_READ | GENERIC_EXECUTE | 0x100;

    (void)State;
    RtlMapGenericMask(&Mask, &Mapping);
    assert_int_equal(Mask, 0x105);
    assert_true(RtlAreAllAccessesGranted(7, 5) && !RtlAreAllAccessesGranted(4, 5));
    assert_true(RtlAreAnyAccessesGranted(4, 5) && !RtlAreAnyAccessesGranted(8, 5));
}

static void TestDescriptors(void **State)
{
    SECURITY_DESCRIPTOR Absolute;
    SECURITY_DESCRIPTOR Again;
    UCHAR *System = SidOf(L"SY");
    UCHAR AclBuffer[64];
    PACL Acl = (PACL)AclBuffer;
    PSECURITY_DESCRIPTOR Relative;
    ULONG Length = 0;
    BOOLEAN Present, Defaulted;
    PACL Found = NULL;
    PSID Owner;
    UCHAR Dacl[64], OwnerCopy[32];
    ULONG Sizes[5] = {0};

    (void)State;
    ASSERT_STATUS(RtlCreateSecurityDescriptor(&Absolute, 2), STATUS_UNKNOWN_REVISION);
    ASSERT_STATUS(RtlCreateSecurityDescriptor(&Absolute, 1), STATUS_SUCCESS);
    RtlCreateAcl(Acl, sizeof(AclBuffer), ACL_REVISION);
    RtlAddAccessAllowedAce(Acl, ACL_REVISION, GENERIC_ALL, System);
    ASSERT_STATUS(RtlSetDaclSecurityDescriptor(&Absolute, TRUE, Acl, FALSE), STATUS_SUCCESS);
    ASSERT_STATUS(RtlSetOwnerSecurityDescriptor(&Absolute, System, TRUE), STATUS_SUCCESS);
    assert_true(RtlValidSecurityDescriptor(&Absolute));
    ASSERT_STATUS(RtlAbsoluteToSelfRelativeSD(&Absolute, NULL, &Length), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(Length, 20 + 12 + 64);
    Relative = malloc(Length);
    ASSERT_STATUS(RtlAbsoluteToSelfRelativeSD(&Absolute, Relative, &Length), STATUS_SUCCESS);
    assert_true(RtlValidRelativeSecurityDescriptor(Relative, Length, OWNER_SECURITY_INFORMATION |
                                                                         DACL_SECURITY_INFORMATION));
    assert_false(RtlValidRelativeSecurityDescriptor(Relative, Length, GROUP_SECURITY_INFORMATION));
    assert_false(RtlValidRelativeSecurityDescriptor(Relative, Length - 1, 0));
    assert_int_equal(RtlLengthSecurityDescriptor(Relative), Length);
    ASSERT_STATUS(RtlGetDaclSecurityDescriptor(Relative, &Present, &Found, &Defaulted), STATUS_SUCCESS);
    assert_true(Present && !Defaulted && Found->AceCount == 1);
    ASSERT_STATUS(RtlGetSaclSecurityDescriptor(Relative, &Present, &Found, &Defaulted), STATUS_SUCCESS);
    assert_false(Present);
    ASSERT_STATUS(RtlGetOwnerSecurityDescriptor(Relative, &Owner, &Defaulted), STATUS_SUCCESS);
    assert_true(Defaulted && RtlEqualSid(Owner, System));
    ASSERT_STATUS(RtlSetOwnerSecurityDescriptor(Relative, NULL, FALSE), STATUS_INVALID_SECURITY_DESCR);
    ASSERT_STATUS(RtlAbsoluteToSelfRelativeSD(Relative, NULL, &Length), STATUS_BAD_DESCRIPTOR_FORMAT);
    ASSERT_STATUS(RtlSelfRelativeToAbsoluteSD(Relative, NULL, &Sizes[0], NULL, &Sizes[1], NULL, &Sizes[2], NULL,
                                              &Sizes[3], NULL, &Sizes[4]),
                  STATUS_BUFFER_TOO_SMALL);
    assert_true(Sizes[0] == sizeof(Again) && Sizes[1] == 64 && Sizes[2] == 0 && Sizes[3] == 12 && Sizes[4] == 0);
    ASSERT_STATUS(RtlSelfRelativeToAbsoluteSD(Relative, &Again, &Sizes[0], (PACL)Dacl, &Sizes[1], NULL, &Sizes[2],
                                              OwnerCopy, &Sizes[3], NULL, &Sizes[4]),
                  STATUS_SUCCESS);
    assert_true(RtlValidSecurityDescriptor(&Again) && Again.Dacl == (PACL)Dacl && Again.Group == NULL);
    free(Relative);
    RtlpFree(System);
}

/* A descriptor full of random bytes, or a good one with some changed, is refused or is safe to use. */
static void TestDescriptorGarbage(void **State)
{
    uint64_t Random = 41;
    PSECURITY_DESCRIPTOR Good;
    ULONG Length;
    ULONG Accepted = 0;
    int Round;

    (void)State;
    ASSERT_STATUS(RtlpSddlToSecurityDescriptor(L"O:SYG:BAD:P(A;;GA;;;SY)(D;;GR;;;WD)S:(AU;SA;GW;;;WD)", &Good, &Length),
                  STATUS_SUCCESS);
    for (Round = 0; Round < 100000; Round += 1)
    {
        ULONG Size = Round % 8 == 0 ? TestRandom(&Random) % (Length + 1) : Length;
        UCHAR *Copy = malloc(Size + 1);
        ULONG Changes = TestRandom(&Random) % 5;

        host_memcpy(Copy, Good, Size);
        while (Size != 0 && Changes != 0)
        {
            Copy[TestRandom(&Random) % Size] = (UCHAR)TestRandom(&Random);
            Changes -= 1;
        }

        if (RtlValidRelativeSecurityDescriptor(Copy, Size, 0))
        {
            ULONG Needed = 0x10000;
            UCHAR *Again = malloc(Needed);

            Accepted += 1;
            assert_true(RtlValidSecurityDescriptor(Copy));
            ASSERT_STATUS(RtlMakeSelfRelativeSD(Copy, Again, &Needed), STATUS_SUCCESS);
            free(Again);
        }

        free(Copy);
    }

    assert_true(Accepted > 1000);
    RtlpFree(Good);
}

static PSECURITY_DESCRIPTOR Sddl(const WCHAR *Text)
{
    PSECURITY_DESCRIPTOR Descriptor;
    ULONG Length;

    ASSERT_STATUS(RtlpSddlToSecurityDescriptor(Text, &Descriptor, &Length), STATUS_SUCCESS);
    assert_true(RtlValidRelativeSecurityDescriptor(Descriptor, Length, 0));
    return Descriptor;
}

static void CheckAce(const WCHAR *Text, ULONG Index, UCHAR Type, UCHAR Flags, ACCESS_MASK Mask, const WCHAR *SidText)
{
    PSECURITY_DESCRIPTOR Descriptor = Sddl(Text);
    PACCESS_ALLOWED_ACE Ace;
    BOOLEAN Present, Defaulted;
    PACL Acl = NULL;
    UCHAR *Sid = SidOf(SidText);

    RtlGetDaclSecurityDescriptor(Descriptor, &Present, &Acl, &Defaulted);
    assert_true(Present);
    ASSERT_STATUS(RtlGetAce(Acl, Index, (PVOID *)&Ace), STATUS_SUCCESS);
    assert_int_equal(Ace->Header.AceType, Type);
    assert_int_equal(Ace->Header.AceFlags, Flags);
    assert_int_equal(Ace->Mask, Mask);
    assert_true(RtlEqualSid(&Ace->SidStart, Sid));
    RtlpFree(Sid);
    RtlpFree(Descriptor);
}

static void TestSddl(void **State)
{
    PISECURITY_DESCRIPTOR_RELATIVE Descriptor;

    (void)State;
    CheckAce(L"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GR;;;WD)", 1, 0, 0, 0xE0000000, L"BA");
    CheckAce(L"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GR;;;WD)", 2, 0, 0, 0x80000000, L"S-1-1-0");
    CheckAce(L" D: P ( D;OICI;0x1F;;; S-1-5-32-545 ) ", 0, 1, 3, 0x1F, L"BU");
    CheckAce(L"D:(A;;CCDCLCSWRPWPDTLOCR;;;IU)", 0, 0, 0, 0x1FF, L"IU");
    CheckAce(L"D:(A;ID;FA;;;LA)", 0, 0, 0x10, 0x1F01FF, L"LA");
    CheckAce(L"D:(A;;017;;;RC)", 0, 0, 0, 15, L"RC");
    CheckAce(L"d:(a;;ga;;;sy)", 0, 0, 0, GENERIC_ALL, L"SY");
    Descriptor = Sddl(L"O:SYG:BAD:PAIAR");
    assert_int_equal(Descriptor->Control, SE_SELF_RELATIVE | SE_DACL_PRESENT | SE_DACL_PROTECTED |
                                              SE_DACL_AUTO_INHERITED | SE_DACL_AUTO_INHERIT_REQ);
    assert_true(Descriptor->Owner != 0 && Descriptor->Group != 0 && Descriptor->Dacl != 0);
    assert_int_equal(((PACL)((PUCHAR)Descriptor + Descriptor->Dacl))->AceCount, 0);
    RtlpFree(Descriptor);
    Descriptor = Sddl(L"D:NO_ACCESS_CONTROL");
    assert_true((Descriptor->Control & SE_DACL_PRESENT) != 0 && Descriptor->Dacl == 0);
    RtlpFree(Descriptor);
    Descriptor = Sddl(L"S:(ML;;NW;;;LW)(AU;SAFA;GA;;;WD)");
    assert_int_equal(((PACL)((PUCHAR)Descriptor + Descriptor->Sacl))->AceCount, 2);
    RtlpFree(Descriptor);
    Descriptor = Sddl(L"");
    assert_int_equal(Descriptor->Control, SE_SELF_RELATIVE);
    RtlpFree(Descriptor);
}

static void TestSddlErrors(void **State)
{
    static const struct
    {
        const WCHAR *Text;
        NTSTATUS Status;
    } Cases[] = {
        {L"X:SY", STATUS_INVALID_PARAMETER},
        {L"O:SYO:SY", STATUS_INVALID_PARAMETER},
        {L"D:D:", STATUS_INVALID_PARAMETER},
        {L"O:", STATUS_INVALID_SID},
        {L"O:XX", STATUS_INVALID_SID},
        {L"D:(A;;GA;;;SY", STATUS_INVALID_ACL},
        {L"D:(A;;GA;;SY)", STATUS_NOT_SUPPORTED},
        {L"D:(A;;ZZ;;;SY)", STATUS_INVALID_ACL},
        {L"D:(A;XX;GA;;;SY)", STATUS_INVALID_ACL},
        {L"D:(Q;;GA;;;SY)", STATUS_INVALID_ACL},
        {L"D:(A;;GA;;;)", STATUS_INVALID_SID},
        {L"D:(A;;0x100000000;;;SY)", STATUS_INVALID_ACL},
        {L"D:(OA;;GA;bf967aba-0de6-11d0-a285-00aa003049e2;;SY)", STATUS_NOT_SUPPORTED},
        {L"D:(A;;GA;bf967aba-0de6-11d0-a285-00aa003049e2;;SY)", STATUS_NOT_SUPPORTED},
        {L"D:(XA;;FX;;;S-1-1-0;(1))", STATUS_NOT_SUPPORTED},
        {L"D:NO_ACCESS_CONTROL(A;;GA;;;SY)", STATUS_INVALID_ACL},
        {L"S:(A;;GA;;;SY)", STATUS_INVALID_ACL},
        {L"D:(", STATUS_INVALID_ACL},
        {L"D:)", STATUS_INVALID_PARAMETER},
    };
    PSECURITY_DESCRIPTOR Descriptor;
    ULONG Index;
    int Fail;

    (void)State;
    for (Index = 0; Index < RTL_NUMBER_OF(Cases); Index += 1)
    {
        NTSTATUS Status = RtlpSddlToSecurityDescriptor(Cases[Index].Text, &Descriptor, NULL);

        if (Status != Cases[Index].Status)
        {
            print_error("case %u\n", (unsigned)Index);
        }

        ASSERT_STATUS(Status, Cases[Index].Status);
        assert_null(Descriptor);
    }

    for (Fail = 0; Fail < 3; Fail += 1)
    {
        TestFailAfter = Fail;
        ASSERT_STATUS(RtlpSddlToSecurityDescriptor(L"O:SYD:(A;;GA;;;SY)S:(AU;SA;GA;;;WD)", &Descriptor, NULL),
                      STATUS_NO_MEMORY);
    }

    TestFailAfter = -1;
}

static void TestSddlGarbage(void **State)
{
    static const char Alphabet[] = "OGDS:();;;;APIARGWXSYBAWDU0x19-S-1-5-32 CI";
    static const char Pattern[] = "O:SYG:BAD:PAI(A;OICI;GRGW;;;S-1-5-32-544)(D;;0x10;;;WD)S:(AU;SA;GA;;;WD)";
    uint64_t Random = 1234;
    ULONG Good = 0;
    int Round;

    (void)State;
    for (Round = 0; Round < 200000; Round += 1)
    {
        size_t Length = Round & 1 ? sizeof(Pattern) - 1 : TestRandom(&Random) % 40;
        WCHAR *Text = malloc((Length + 1) * sizeof(WCHAR));
        PSECURITY_DESCRIPTOR Descriptor;
        ULONG Size = 0;
        size_t Index;

        for (Index = 0; Index < Length; Index += 1)
        {
            Text[Index] = Round & 1 && TestRandom(&Random) % 40 != 0
                              ? (WCHAR)Pattern[Index]
                              : (WCHAR)Alphabet[TestRandom(&Random) % (sizeof(Alphabet) - 1)];
        }

        Text[Length] = 0;
        if (NT_SUCCESS(RtlpSddlToSecurityDescriptor(Text, &Descriptor, &Size)))
        {
            Good += 1;
            assert_true(RtlValidRelativeSecurityDescriptor(Descriptor, Size, 0));
            RtlpFree(Descriptor);
        }

        free(Text);
    }

    assert_true(Good > 1000);
}

/* As many ACEs as fit into an ACL, and then one more. */
static void TestSddlLarge(void **State)
{
    const ULONG Most = (0xFFFC - sizeof(ACL)) / 20; /* an ACE for WD has 20 bytes */
    ULONG Count;

    (void)State;
    for (Count = Most - 1; Count <= Most + 1; Count += 1)
    {
        WCHAR *Text = malloc((Count * 12 + 8) * sizeof(WCHAR));
        PSECURITY_DESCRIPTOR Descriptor;
        ULONG At = 2;
        ULONG Index;
        NTSTATUS Status;

        Text[0] = 'D';
        Text[1] = ':';
        for (Index = 0; Index < Count; Index += 1)
        {
            host_memcpy(&Text[At], L"(A;;GR;;;WD)", 24);
            At += 12;
        }

        Text[At] = 0;
        Status = RtlpSddlToSecurityDescriptor(Text, &Descriptor, NULL);
        assert_int_equal(NT_SUCCESS(Status), Count <= Most);
        RtlpFree(Descriptor);
        free(Text);
    }
}

static int NothingLeft(void **State)
{
    (void)State;
    return TestBlocks != 0;
}

int main(void)
{
    const struct CMUnitTest Tests[] = {
        cmocka_unit_test(TestSids),           cmocka_unit_test(TestAcls),       cmocka_unit_test(TestMasks),
        cmocka_unit_test(TestDescriptors),    cmocka_unit_test(TestSddl),       cmocka_unit_test(TestSddlErrors),
        cmocka_unit_test(TestDescriptorGarbage), cmocka_unit_test(TestSddlGarbage), cmocka_unit_test(TestSddlLarge),
    };

    return cmocka_run_group_tests(Tests, NULL, NothingLeft);
}
