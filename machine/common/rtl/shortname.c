/* SPDX-License-Identifier: MIT */
/*
 * Short file names: up to eight characters, a dot, up to three.
 */
#include "rtlp.h"
#include "crtnames.h"

#define RTLP_BASE 8
#define RTLP_EXTENSION 3
#define RTLP_LONGEST (RTLP_BASE + 1 + RTLP_EXTENSION)

/* Characters that FAT does not take; the blank has rules of its own. */
static BOOLEAN RtlpIsIllegal(WCHAR Unit)
{
    static const CHAR Illegal[] = "\"*+,/:;<=>?[\\]|";
    ULONG Index;

    if (Unit < 0x20 || Unit == 0x7F)
    {
        return TRUE;
    }

    for (Index = 0; Illegal[Index] != 0; Index += 1)
    {
        if (Unit == (WCHAR)Illegal[Index])
        {
            return TRUE;
        }
    }

    return FALSE;
}

/**
 * Tells whether a name is a legal short name.
 *
 * @param Name                the name, without wildcards
 * @param OemName             optional: receives the name in upper case and the OEM code page (at least 12 bytes)
 * @param NameContainsSpaces  optional: receives whether blanks are in a legal name
 * @return TRUE if it is
 *
 * IRQL: <= APC_LEVEL.
 */
BOOLEAN NTAPI RtlIsNameLegalDOS8Dot3(_In_ PCUNICODE_STRING Name, _Inout_opt_ POEM_STRING OemName,
                                     _Inout_opt_ PBOOLEAN NameContainsSpaces)
{
    CHAR Buffer[RTLP_LONGEST];
    OEM_STRING Local = {0, sizeof(Buffer), Buffer};
    POEM_STRING Oem = OemName != NULL ? OemName : &Local;
    ULONG Dot = RTLP_LONGEST;
    BOOLEAN Spaces = FALSE;
    ULONG Index;

    if (Name->Length == 0 || Name->Length > RTLP_LONGEST * sizeof(WCHAR) ||
        RtlUpcaseUnicodeStringToCountedOemString(Oem, Name, FALSE) != STATUS_SUCCESS)
    {
        return FALSE;
    }

    /* The two names every directory has. */
    if ((Oem->Length == 1 && Oem->Buffer[0] == '.') ||
        (Oem->Length == 2 && Oem->Buffer[0] == '.' && Oem->Buffer[1] == '.'))
    {
        if (NameContainsSpaces != NULL)
        {
            *NameContainsSpaces = FALSE;
        }

        return TRUE;
    }

    for (Index = 0; Index < Oem->Length; Index += 1)
    {
        UCHAR Byte = (UCHAR)Oem->Buffer[Index];

        if (Byte == '.')
        {
            if (Dot != RTLP_LONGEST || Index == 0 || Oem->Length - Index - 1 > RTLP_EXTENSION ||
                Oem->Buffer[Index - 1] == ' ')
            {
                return FALSE;
            }

            Dot = Index;
        }
        else if (Byte < 0x80 && RtlpIsIllegal(Byte))
        {
            return FALSE;
        }
        else if (Index >= RTLP_BASE && Dot == RTLP_LONGEST)
        {
            return FALSE;
        }

        Spaces |= Byte == ' ';
    }

    if (Oem->Buffer[Oem->Length - 1] == ' ' || Oem->Buffer[Oem->Length - 1] == '.')
    {
        return FALSE;
    }

    if (NameContainsSpaces != NULL)
    {
        *NameContainsSpaces = Spaces;
    }

    return TRUE;
}

/* The unit as it may stand in a short name; zero: leave it out. */
static WCHAR RtlpShortUnit(WCHAR Unit, BOOLEAN Extended)
{
    if (Unit == ' ' || Unit == '.')
    {
        return 0;
    }

    if (RtlpIsIllegal(Unit) || (Unit >= 0x80 && !Extended))
    {
        return '_';
    }

    return RtlpUpcase(Unit);
}

/* Takes the beginnings of base and extension from the long name. */
static VOID RtlpStartShortName(PCUNICODE_STRING Name, BOOLEAN Extended, PGENERATE_NAME_CONTEXT Context)
{
    ULONG Length = Name->Length / sizeof(WCHAR);
    ULONG Dot = Length;
    ULONG First = 0;
    ULONG Index;

    while (First < Length && (Name->Buffer[First] == '.' || Name->Buffer[First] == ' '))
    {
        First += 1;
    }

    for (Index = First; Index < Length; Index += 1)
    {
        Dot = Name->Buffer[Index] == '.' && Index + 1 < Length ? Index : Dot;
    }

    for (Index = First; Index < Dot && Context->NameLength < 6; Index += 1)
    {
        WCHAR Unit = RtlpShortUnit(Name->Buffer[Index], Extended);

        if (Unit != 0)
        {
            Context->NameBuffer[Context->NameLength++] = Unit;
        }
    }

    if (Dot < Length)
    {
        Context->ExtensionBuffer[0] = '.';
        Context->ExtensionLength = 1;
        for (Index = Dot + 1; Index < Length && Context->ExtensionLength <= RTLP_EXTENSION; Index += 1)
        {
            WCHAR Unit = RtlpShortUnit(Name->Buffer[Index], Extended);

            if (Unit != 0)
            {
                Context->ExtensionBuffer[Context->ExtensionLength++] = Unit;
            }
        }

        if (Context->ExtensionLength == 1)
        {
            Context->ExtensionLength = 0;
        }
    }

    /* Distinguishes names with the same beginning, once the plain numbers run out. */
    for (Index = 0; Index < Length; Index += 1)
    {
        Context->Checksum = (USHORT)(Context->Checksum * 31 + Name->Buffer[Index]);
    }
}

/**
 * Makes a short name from a long one; called again with the same context, the next candidate.
 *
 * NAMEOF~1.EXT to NAMEOF~4.EXT first, then NA1234~1.EXT and so on with four digits of a checksum.
 *
 * @param Name                     the long name
 * @param AllowExtendedCharacters  FALSE: characters beyond ASCII become underscores
 * @param Context                  cleared by the caller before the first call
 * @param Name8dot3                receives the candidate; room for 12 characters
 * @return STATUS_SUCCESS, STATUS_FILE_SYSTEM_LIMITATION (no candidates left), STATUS_BUFFER_OVERFLOW
 *
 * IRQL: <= APC_LEVEL.
 */
NTSTATUS NTAPI RtlGenerate8dot3Name(_In_ PCUNICODE_STRING Name, _In_ BOOLEAN AllowExtendedCharacters,
                                    _Inout_ PGENERATE_NAME_CONTEXT Context, _Inout_ PUNICODE_STRING Name8dot3)
{
    CHAR Digits[64];
    ULONG Count;
    ULONG Keep;
    ULONG At = 0;
    ULONG Index;

    if (Name8dot3->MaximumLength < RTLP_LONGEST * sizeof(WCHAR))
    {
        return STATUS_BUFFER_OVERFLOW;
    }

    if (Context->LastIndexValue == 0)
    {
        RtlpStartShortName(Name, AllowExtendedCharacters, Context);
    }

    Context->LastIndexValue += 1;
    if (Context->LastIndexValue > 4 && !Context->CheckSumInserted)
    {
        Context->CheckSumInserted = TRUE;
        Context->NameLength = min(Context->NameLength, (UCHAR)2);
        for (Index = 0; Index < 4; Index += 1)
        {
            Context->NameBuffer[Context->NameLength++] =
                (WCHAR)"0123456789ABCDEF"[(Context->Checksum >> (12 - 4 * Index)) & 15];
        }

        Context->LastIndexValue = 1;
    }

    Count = RtlpFormatNumber(Context->LastIndexValue, 10, TRUE, Digits);
    if (Count > 6)
    {
        return STATUS_FILE_SYSTEM_LIMITATION;
    }

    /* The number takes its room from the end of the base. */
    Keep = min(Context->NameLength, (UCHAR)(RTLP_BASE - 1 - Count));
    for (Index = 0; Index < Keep; Index += 1)
    {
        Name8dot3->Buffer[At++] = Context->NameBuffer[Index];
    }

    Name8dot3->Buffer[At++] = '~';
    for (Index = 0; Index < Count; Index += 1)
    {
        Name8dot3->Buffer[At++] = (WCHAR)Digits[Index];
    }

    for (Index = 0; Index < Context->ExtensionLength; Index += 1)
    {
        Name8dot3->Buffer[At++] = Context->ExtensionBuffer[Index];
    }

    Name8dot3->Length = (USHORT)(At * sizeof(WCHAR));
    return STATUS_SUCCESS;
}
