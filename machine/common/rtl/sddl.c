/* SPDX-License-Identifier: MIT */
/*
 * Security descriptors from text. The text may come from an installer, a driver or user mode: nothing in it is
 * trusted, and every byte of the result is written by this parser.
 *
 *      text     = { "O:" sid | "G:" sid | "D:" list | "S:" list }
 *      list     = { flag } { "(" type ";" aceflags ";" rights ";" ";" ";" sid ")" }
 */
#include "rtlp.h"
#include "rtlmore.h"

#define RTLP_MAX_SID_BYTES (8 + 4 * SID_MAX_SUB_AUTHORITIES)
#define RTLP_MAX_ACL_BYTES 0xFFFC

typedef union _RTLP_SID_BUFFER
{
    SID Sid;
    UCHAR Bytes[RTLP_MAX_SID_BYTES];
} RTLP_SID_BUFFER, *PRTLP_SID_BUFFER;

typedef struct _RTLP_PARSER
{
    PCWSTR At;
} RTLP_PARSER, *PRTLP_PARSER;

typedef struct _RTLP_WORD
{
    CHAR Name[4];
    ULONG Value;
} RTLP_WORD;

/* Well-known SIDs: authority, and up to two sub-authorities. */
typedef struct _RTLP_KNOWN_SID
{
    CHAR Name[4];
    UCHAR Authority;
    UCHAR Count;
    ULONG Sub[2];
} RTLP_KNOWN_SID;

static const RTLP_KNOWN_SID RtlpKnownSids[] = {
    {"AN", 5, 1, {7, 0}},     {"AO", 5, 2, {32, 548}},   {"AU", 5, 1, {11, 0}},     {"BA", 5, 2, {32, 544}},
    {"BG", 5, 2, {32, 546}},  {"BO", 5, 2, {32, 551}},   {"BU", 5, 2, {32, 545}},   {"CG", 3, 1, {1, 0}},
    {"CO", 3, 1, {0, 0}},     {"CY", 5, 2, {32, 569}},   {"ED", 5, 1, {9, 0}},      {"ER", 5, 2, {32, 573}},
    {"HI", 16, 1, {12288, 0}}, {"IU", 5, 1, {4, 0}},     {"LS", 5, 1, {19, 0}},     {"LU", 5, 2, {32, 559}},
    {"LW", 16, 1, {4096, 0}}, {"ME", 16, 1, {8192, 0}},  {"MP", 16, 1, {8448, 0}},  {"MU", 5, 2, {32, 558}},
    {"NO", 5, 2, {32, 556}},  {"NS", 5, 1, {20, 0}},     {"NU", 5, 1, {2, 0}},      {"OW", 3, 1, {4, 0}},
    {"PO", 5, 2, {32, 550}},  {"PS", 5, 1, {10, 0}},     {"PU", 5, 2, {32, 547}},   {"RC", 5, 1, {12, 0}},
    {"RD", 5, 2, {32, 555}},  {"RE", 5, 2, {32, 552}},   {"RU", 5, 2, {32, 554}},   {"SI", 16, 1, {16384, 0}},
    {"SO", 5, 2, {32, 549}},  {"SU", 5, 1, {6, 0}},      {"SY", 5, 1, {18, 0}},     {"WD", 1, 1, {0, 0}},
    {"WR", 5, 1, {33, 0}},    {"AC", 15, 2, {2, 1}},
};

static const RTLP_WORD RtlpRights[] = {
    {"GA", GENERIC_ALL}, {"GR", GENERIC_READ}, {"GW", GENERIC_WRITE}, {"GX", GENERIC_EXECUTE},
    {"RC", READ_CONTROL}, {"SD", DELETE},      {"WD", WRITE_DAC},     {"WO", WRITE_OWNER},
    {"FA", 0x1F01FF},    {"FR", 0x120089},     {"FW", 0x120116},      {"FX", 0x1200A0},
    {"KA", 0xF003F},     {"KR", 0x20019},      {"KW", 0x20006},       {"KX", 0x20019},
    {"CC", 0x1},         {"DC", 0x2},          {"LC", 0x4},           {"SW", 0x8},
    {"RP", 0x10},        {"WP", 0x20},         {"DT", 0x40},          {"LO", 0x80},
    {"CR", 0x100},       {"NW", 0x1},          {"NR", 0x2},           {"NX", 0x4},
};

static const RTLP_WORD RtlpAceFlags[] = {
    {"OI", OBJECT_INHERIT_ACE}, {"CI", CONTAINER_INHERIT_ACE}, {"NP", NO_PROPAGATE_INHERIT_ACE},
    {"IO", INHERIT_ONLY_ACE},   {"ID", INHERITED_ACE},         {"SA", SUCCESSFUL_ACCESS_ACE_FLAG},
    {"FA", FAILED_ACCESS_ACE_FLAG},
};

static VOID RtlpSkipBlanks(PRTLP_PARSER Parser)
{
    while (*Parser->At == ' ' || (*Parser->At >= 9 && *Parser->At <= 13))
    {
        Parser->At += 1;
    }
}

/* Takes Text if it comes next. */
static BOOLEAN RtlpAccept(PRTLP_PARSER Parser, const char *Text)
{
    ULONG Index;

    for (Index = 0; Text[Index] != 0; Index += 1)
    {
        if (RtlpUpcase(Parser->At[Index]) != (WCHAR)(UCHAR)Text[Index])
        {
            return FALSE;
        }
    }

    Parser->At += Index;
    return TRUE;
}

static BOOLEAN RtlpAcceptWord(PRTLP_PARSER Parser, const RTLP_WORD *Words, ULONG Count, PULONG Value)
{
    ULONG Index;

    for (Index = 0; Index < Count; Index += 1)
    {
        if (RtlpAccept(Parser, Words[Index].Name))
        {
            *Value |= Words[Index].Value;
            return TRUE;
        }
    }

    return FALSE;
}

/* Reads a decimal, octal (0...) or hexadecimal (0x...) number up to Limit. */
static BOOLEAN RtlpAcceptNumber(PRTLP_PARSER Parser, ULONG64 Limit, BOOLEAN Octal, PULONG64 Value)
{
    ULONG Base = 10;
    ULONG Count = 0;

    if (RtlpAccept(Parser, "0X"))
    {
        Base = 16;
    }
    else if (Octal && *Parser->At == '0')
    {
        Base = 8;
    }

    for (*Value = 0;; Parser->At += 1, Count += 1)
    {
        WCHAR Unit = RtlpUpcase(*Parser->At);
        ULONG Digit = Unit >= '0' && Unit <= '9' ? Unit - '0' : Unit >= 'A' && Unit <= 'F' ? Unit - 'A' + 10u : 99;

        if (Digit >= Base)
        {
            return Count != 0;
        }

        if (*Value > (Limit - Digit) / Base)
        {
            return FALSE;
        }

        *Value = *Value * Base + Digit;
    }
}

static BOOLEAN RtlpParseNumericSid(PRTLP_PARSER Parser, PRTLP_SID_BUFFER Sid)
{
    SID_IDENTIFIER_AUTHORITY Authority;
    ULONG64 Value;
    ULONG Index;

    if (!RtlpAcceptNumber(Parser, 0xFFFFFFFFFFFF, FALSE, &Value))
    {
        return FALSE;
    }

    for (Index = 0; Index < 6; Index += 1)
    {
        Authority.Value[Index] = (UCHAR)(Value >> (8 * (5 - Index)));
    }

    RtlInitializeSid(&Sid->Sid, &Authority, 0);
    while (RtlpAccept(Parser, "-"))
    {
        ULONG Number;

        if (Sid->Sid.SubAuthorityCount == SID_MAX_SUB_AUTHORITIES ||
            !RtlpAcceptNumber(Parser, 0xFFFFFFFF, FALSE, &Value))
        {
            return FALSE;
        }

        Number = (ULONG)Value;
        RtlpCopy(Sid->Bytes + RtlLengthSid(&Sid->Sid), &Number, sizeof(Number));
        Sid->Sid.SubAuthorityCount += 1;
    }

    return Sid->Sid.SubAuthorityCount != 0;
}

static VOID RtlpMakeSid(PRTLP_SID_BUFFER Sid, UCHAR Authority, const ULONG *Sub, UCHAR Count)
{
    SID_IDENTIFIER_AUTHORITY Value = {{0, 0, 0, 0, 0, Authority}};

    RtlInitializeSid(&Sid->Sid, &Value, Count);
    RtlpCopy(Sid->Bytes + RtlLengthRequiredSid(0), Sub, Count * sizeof(ULONG));
}

static BOOLEAN RtlpParseSid(PRTLP_PARSER Parser, PRTLP_SID_BUFFER Sid)
{
    ULONG Account[5] = {21, RTLP_MACHINE_SID_A, RTLP_MACHINE_SID_B, RTLP_MACHINE_SID_C, 0};
    ULONG Index;

    RtlpZero(Sid, sizeof(*Sid));
    if (RtlpAccept(Parser, "S-1-"))
    {
        return RtlpParseNumericSid(Parser, Sid);
    }

    if (RtlpAccept(Parser, "LA"))
    {
        Account[4] = 500;
    }
    else if (RtlpAccept(Parser, "LG"))
    {
        Account[4] = 501;
    }

    if (Account[4] != 0)
    {
        RtlpMakeSid(Sid, 5, Account, 5);
        return TRUE;
    }

    for (Index = 0; Index < RTL_NUMBER_OF(RtlpKnownSids); Index += 1)
    {
        if (RtlpAccept(Parser, RtlpKnownSids[Index].Name))
        {
            RtlpMakeSid(Sid, RtlpKnownSids[Index].Authority, RtlpKnownSids[Index].Sub, RtlpKnownSids[Index].Count);
            return TRUE;
        }
    }

    return FALSE;
}

static BOOLEAN RtlpParseRights(PRTLP_PARSER Parser, PULONG Mask)
{
    ULONG64 Number;

    *Mask = 0;
    if (*Parser->At >= '0' && *Parser->At <= '9')
    {
        if (!RtlpAcceptNumber(Parser, 0xFFFFFFFF, TRUE, &Number))
        {
            return FALSE;
        }

        *Mask = (ULONG)Number;
        return TRUE;
    }

    while (RtlpAcceptWord(Parser, RtlpRights, RTL_NUMBER_OF(RtlpRights), Mask))
    {
    }

    return TRUE;
}

static BOOLEAN RtlpParseType(PRTLP_PARSER Parser, BOOLEAN Dacl, PUCHAR Type)
{
    if (!Dacl)
    {
        *Type = SYSTEM_MANDATORY_LABEL_ACE_TYPE;
        if (RtlpAccept(Parser, "ML;"))
        {
            return TRUE;
        }

        *Type = SYSTEM_AUDIT_ACE_TYPE;
        return RtlpAccept(Parser, "AU;");
    }

    *Type = ACCESS_ALLOWED_ACE_TYPE;
    if (RtlpAccept(Parser, "A;"))
    {
        return TRUE;
    }

    *Type = ACCESS_DENIED_ACE_TYPE;
    return RtlpAccept(Parser, "D;");
}

/* One ACE behind its opening parenthesis. */
static NTSTATUS RtlpParseAce(PRTLP_PARSER Parser, BOOLEAN Dacl, PACL Acl)
{
    struct
    {
        ACE_HEADER Header;
        ACCESS_MASK Mask;
        RTLP_SID_BUFFER Sid;
    } Ace;
    ULONG Flags = 0;
    NTSTATUS Status;

    RtlpZero(&Ace, sizeof(Ace));
    RtlpSkipBlanks(Parser);
    if (!RtlpParseType(Parser, Dacl, &Ace.Header.AceType))
    {
        /* Object ("O?") and conditional ("X?") types exist, but not here. */
        return RtlpAccept(Parser, "O") || RtlpAccept(Parser, "X") ? STATUS_NOT_SUPPORTED : STATUS_INVALID_ACL;
    }

    while (RtlpAcceptWord(Parser, RtlpAceFlags, RTL_NUMBER_OF(RtlpAceFlags), &Flags))
    {
    }

    if (!RtlpAccept(Parser, ";") || !RtlpParseRights(Parser, &Ace.Mask) || !RtlpAccept(Parser, ";"))
    {
        return STATUS_INVALID_ACL;
    }

    if (!RtlpAccept(Parser, ";;"))
    {
        return STATUS_NOT_SUPPORTED;
    }

    RtlpSkipBlanks(Parser);
    if (!RtlpParseSid(Parser, &Ace.Sid))
    {
        return STATUS_INVALID_SID;
    }

    RtlpSkipBlanks(Parser);
    if (!RtlpAccept(Parser, ")"))
    {
        return STATUS_INVALID_ACL;
    }

    Ace.Header.AceFlags = (UCHAR)Flags;
    Ace.Header.AceSize = (USHORT)(FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart) + RtlLengthSid(&Ace.Sid.Sid));
    Status = RtlAddAce(Acl, ACL_REVISION, 0xFFFFFFFF, &Ace, Ace.Header.AceSize);
    return NT_SUCCESS(Status) ? STATUS_SUCCESS : STATUS_INVALID_ACL;
}

/* The size an ACL for all ACEs from here to the end of the text can take. */
static ULONG RtlpBoundAcl(PCWSTR Text)
{
    ULONG Bytes = sizeof(ACL);

    for (; *Text != 0 && Bytes < RTLP_MAX_ACL_BYTES; Text += 1)
    {
        Bytes += *Text == '(' ? FIELD_OFFSET(ACCESS_ALLOWED_ACE, SidStart) + RTLP_MAX_SID_BYTES : 0;
    }

    return min(Bytes, (ULONG)RTLP_MAX_ACL_BYTES);
}

/* The list behind "D:" or "S:". */
static NTSTATUS RtlpParseAcl(PRTLP_PARSER Parser, BOOLEAN Dacl, PISECURITY_DESCRIPTOR Descriptor)
{
    USHORT Control = Dacl ? SE_DACL_PRESENT : SE_SACL_PRESENT;
    ULONG Room = RtlpBoundAcl(Parser->At);
    BOOLEAN NoControl = FALSE;
    NTSTATUS Status = STATUS_SUCCESS;
    PVOID Free;
    PACL Acl;

    for (;;)
    {
        RtlpSkipBlanks(Parser);
        if (Dacl && RtlpAccept(Parser, "NO_ACCESS_CONTROL"))
        {
            NoControl = TRUE;
        }
        else if (RtlpAccept(Parser, "P"))
        {
            Control |= Dacl ? SE_DACL_PROTECTED : SE_SACL_PROTECTED;
        }
        else if (RtlpAccept(Parser, "AR"))
        {
            Control |= Dacl ? SE_DACL_AUTO_INHERIT_REQ : SE_SACL_AUTO_INHERIT_REQ;
        }
        else if (RtlpAccept(Parser, "AI"))
        {
            Control |= Dacl ? SE_DACL_AUTO_INHERITED : SE_SACL_AUTO_INHERITED;
        }
        else
        {
            break;
        }
    }

    Descriptor->Control |= Control;
    if (NoControl)
    {
        return *Parser->At == '(' ? STATUS_INVALID_ACL : STATUS_SUCCESS;
    }

    Acl = RtlpAllocate(Room);
    if (Acl == NULL)
    {
        return STATUS_NO_MEMORY;
    }

    *(Dacl ? &Descriptor->Dacl : &Descriptor->Sacl) = Acl;
    RtlCreateAcl(Acl, Room, ACL_REVISION);
    while (NT_SUCCESS(Status) && RtlpAccept(Parser, "("))
    {
        Status = RtlpParseAce(Parser, Dacl, Acl);
        RtlpSkipBlanks(Parser);
    }

    if (NT_SUCCESS(Status) && RtlFirstFreeAce(Acl, &Free))
    {
        /* Give back what was not used. */
        Acl->AclSize = (USHORT)(Free != NULL ? (PUCHAR)Free - (PUCHAR)Acl : Acl->AclSize);
    }

    return Status;
}

/* All parts; the pieces that Descriptor refers to are freed by the caller, also after a failure. */
static NTSTATUS RtlpParseDescriptor(PRTLP_PARSER Parser, PISECURITY_DESCRIPTOR Descriptor, PRTLP_SID_BUFFER Owner,
                                    PRTLP_SID_BUFFER Group)
{
    NTSTATUS Status;

    for (;;)
    {
        RtlpSkipBlanks(Parser);
        if (*Parser->At == 0)
        {
            return STATUS_SUCCESS;
        }

        if (RtlpAccept(Parser, "O:") && Descriptor->Owner == NULL)
        {
            RtlpSkipBlanks(Parser);
            Descriptor->Owner = &Owner->Sid;
            Status = RtlpParseSid(Parser, Owner) ? STATUS_SUCCESS : STATUS_INVALID_SID;
        }
        else if (RtlpAccept(Parser, "G:") && Descriptor->Group == NULL)
        {
            RtlpSkipBlanks(Parser);
            Descriptor->Group = &Group->Sid;
            Status = RtlpParseSid(Parser, Group) ? STATUS_SUCCESS : STATUS_INVALID_SID;
        }
        else if (RtlpAccept(Parser, "D:") && (Descriptor->Control & SE_DACL_PRESENT) == 0)
        {
            Status = RtlpParseAcl(Parser, TRUE, Descriptor);
        }
        else if (RtlpAccept(Parser, "S:") && (Descriptor->Control & SE_SACL_PRESENT) == 0)
        {
            Status = RtlpParseAcl(Parser, FALSE, Descriptor);
        }
        else
        {
            Status = STATUS_INVALID_PARAMETER;
        }

        if (!NT_SUCCESS(Status))
        {
            return Status;
        }
    }
}

NTSTATUS RtlpSddlToSecurityDescriptor(_In_z_ PCWSTR Sddl, _Outptr_ PSECURITY_DESCRIPTOR *Descriptor,
                                      _Out_opt_ PULONG Length)
{
    RTLP_PARSER Parser = {Sddl};
    SECURITY_DESCRIPTOR Absolute;
    RTLP_SID_BUFFER Owner;
    RTLP_SID_BUFFER Group;
    PSECURITY_DESCRIPTOR Result = NULL;
    ULONG Needed = 0;
    NTSTATUS Status;

    *Descriptor = NULL;
    RtlCreateSecurityDescriptor(&Absolute, SECURITY_DESCRIPTOR_REVISION);
    Status = RtlpParseDescriptor(&Parser, &Absolute, &Owner, &Group);
    if (!NT_SUCCESS(Status))
    {
        goto Exit;
    }

    RtlMakeSelfRelativeSD(&Absolute, NULL, &Needed);
    Result = RtlpAllocate(Needed);
    if (Result == NULL)
    {
        Status = STATUS_NO_MEMORY;
        goto Exit;
    }

    Status = RtlMakeSelfRelativeSD(&Absolute, Result, &Needed);
    if (NT_SUCCESS(Status))
    {
        *Descriptor = Result;
        Result = NULL;
        if (Length != NULL)
        {
            *Length = Needed;
        }
    }

Exit:
    RtlpFree(Result);
    RtlpFree(Absolute.Dacl);
    RtlpFree(Absolute.Sacl);
    return Status;
}

NTSTATUS RtlpStringToSid(_In_z_ PCWSTR Text, _Outptr_ PSID *Sid)
{
    RTLP_PARSER Parser = {Text};
    RTLP_SID_BUFFER Buffer;
    ULONG Length;

    *Sid = NULL;
    if (!RtlpParseSid(&Parser, &Buffer) || *Parser.At != 0)
    {
        return STATUS_INVALID_SID;
    }

    Length = RtlLengthSid(&Buffer.Sid);
    *Sid = RtlpAllocate(Length);
    if (*Sid == NULL)
    {
        return STATUS_NO_MEMORY;
    }

    RtlpCopy(*Sid, &Buffer, Length);
    return STATUS_SUCCESS;
}
