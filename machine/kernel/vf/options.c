/* SPDX-License-Identifier: MIT */
/*
 * The machine's options: `option=name` and `option=name:value` lines of boot.cfg.
 */
#include "rtl.h"
#include "vfp.h"

static PCSTR VfpConfiguration;
static SIZE_T VfpConfigurationLength;
BOOLEAN VfOptions[VfOptionCount];
static PCSTR VfpBadOption;

/* Options with a grammar of their own. */
static const struct
{
    PCSTR Name;
    BOOLEAN (*Parse)(VFP_TEXT Text);
    VOID (*Report)(VOID);
} VfpModes[] = {
    {"fail", VfpParseFailures, VfpReportFailures},
    {"kill", VfpParseKill, VfpReportKill},
    {"shuffle", VfpParseShuffle, VfpReportShuffle},
};

static BOOLEAN VfpMatches(PCSTR Line, SIZE_T Length, PCSTR Name, PCSTR *Value, SIZE_T *ValueLength)
{
    static const CHAR prefix[] = "option=";
    SIZE_T prefixLength = sizeof(prefix) - 1;
    SIZE_T nameLength = strlen(Name);

    if (Length < prefixLength + nameLength || memcmp(Line, prefix, prefixLength) != 0 ||
        memcmp(Line + prefixLength, Name, nameLength) != 0)
    {
        return FALSE;
    }
    Line += prefixLength + nameLength;
    Length -= prefixLength + nameLength;
    if (Length != 0 && *Line != ':')
    {
        return FALSE;
    }
    *Value = Length != 0 ? Line + 1 : Line;
    *ValueLength = Length != 0 ? Length - 1 : 0;
    return TRUE;
}

/* The last line that names the option wins, as with command-line options. */
static BOOLEAN VfpFind(PCSTR Name, PCSTR *Value, SIZE_T *ValueLength)
{
    PCSTR line = VfpConfiguration;
    PCSTR end = line + VfpConfigurationLength;
    BOOLEAN found = FALSE;

    while (line < end)
    {
        PCSTR next = line;
        SIZE_T length;
        while (next < end && *next != '\n')
        {
            next++;
        }
        length = (SIZE_T)(next - line);
        if (length != 0 && line[length - 1] == '\r')
        {
            length--;
        }
        found |= VfpMatches(line, length, Name, Value, ValueLength);
        line = next + 1;
    }
    return found;
}

ULONG64 VfOptionValue(PCSTR Name, ULONG64 Default)
{
    PCSTR value;
    SIZE_T length;
    ULONG64 number = 0;
    ULONG base = 10;

    if (!VfpFind(Name, &value, &length) || length == 0)
    {
        return Default;
    }
    if (length > 2 && value[0] == '0' && (value[1] | 0x20) == 'x')
    {
        base = 16;
        value += 2;
        length -= 2;
    }
    for (; length != 0; value++, length--)
    {
        ULONG digit = *value >= '0' && *value <= '9' ? (ULONG)(*value - '0') : (ULONG)((*value | 0x20) - 'a') + 10;
        if (digit >= base)
        {
            return Default;
        }
        number = number * base + digit;
    }
    return number;
}

BOOLEAN VfOptionGiven(PCSTR Name)
{
    PCSTR value;
    SIZE_T length;

    return VfpFind(Name, &value, &length);
}

BOOLEAN VfpSkip(VFP_TEXT *Text, PCSTR Word)
{
    SIZE_T length = strlen(Word);

    if (Text->Length < length || memcmp(Text->Value, Word, length) != 0)
    {
        return FALSE;
    }
    Text->Value += length;
    Text->Length -= length;
    return TRUE;
}

BOOLEAN VfpReadNumber(VFP_TEXT *Text, ULONG64 *Number)
{
    SIZE_T before = Text->Length;

    for (*Number = 0; Text->Length != 0 && *Text->Value >= '0' && *Text->Value <= '9'; Text->Value++, Text->Length--)
    {
        ULONG64 digit = (ULONG64)(*Text->Value - '0');

        if (*Number > (MAXULONG64 - digit) / 10)
        {
            return FALSE;
        }
        *Number = *Number * 10 + digit;
    }
    return Text->Length != before;
}

PCSTR VfBadOption(VOID)
{
    return VfpBadOption;
}

VOID VfReport(VOID)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(VfpModes); i++)
    {
        VfpModes[i].Report();
    }
}

BOOLEAN VfOptionIs(PCSTR Name, PCSTR Value)
{
    PCSTR value;
    SIZE_T length;

    return VfpFind(Name, &value, &length) && length == strlen(Value) && memcmp(value, Value, length) == 0;
}

VOID VfInitialize(PCSTR Configuration, SIZE_T Length)
{
    VfpConfiguration = Configuration;
    VfpConfigurationLength = Length;
    VfOptions[VfTrackLockedPages] = !VfOptionGiven("notrack");
    VfOptions[VfChecks] = !VfOptionGiven("noverifier");
    VfOptions[VfIoChecks] = VfOptions[VfChecks] && !VfOptionGiven("noio");
    VfOptions[VfSpecialPool] = VfOptionGiven("specialpool");
    VfOptions[VfForceIrql] = VfOptionGiven("forceirql");
    VfOptions[VfDeadlock] = VfOptionGiven("deadlock");
    VfOptions[VfTrimPressure] = VfOptionGiven("trim");
    VfOptions[VfVerbose] = VfOptionGiven("verbose");
    for (ULONG i = 0; i < RTL_NUMBER_OF(VfpModes); i++)
    {
        VFP_TEXT text;

        if (VfpFind(VfpModes[i].Name, &text.Value, &text.Length) && !VfpModes[i].Parse(text))
        {
            VfpBadOption = VfpModes[i].Name;
        }
    }
}

VF_SELDOM VOID VfpCheck(ULONG_PTR Rule, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4)
{
    if (VfOption(VfChecks))
    {
        KeBugCheckEx(0xC4 /* DRIVER_VERIFIER_DETECTED_VIOLATION */, Rule, P2, P3, P4);
    }
}
