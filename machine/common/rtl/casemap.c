/* SPDX-License-Identifier: MIT */
/*
 * Upper and lower case of UTF-16 units. The ranges in casemap.inc are generated; see gencasemap.py for the rules.
 */
#include "rtlp.h"

typedef struct _RTLP_CASE_RANGE
{
    USHORT First;
    USHORT Last;
    SHORT Step; /* 2: every other character of the range is mapped */
    LONG Delta;
} RTLP_CASE_RANGE;

#include "casemap.inc"

static WCHAR RtlpMapCase(const RTLP_CASE_RANGE *Table, ULONG Count, WCHAR Character)
{
    ULONG Low = 0;
    ULONG High = Count;

    while (Low < High)
    {
        ULONG Middle = Low + (High - Low) / 2;

        if (Character < Table[Middle].First)
        {
            High = Middle;
        }
        else if (Character > Table[Middle].Last)
        {
            Low = Middle + 1;
        }
        else
        {
            if ((Character - Table[Middle].First) % Table[Middle].Step != 0)
            {
                return Character;
            }

            return (WCHAR)(Character + Table[Middle].Delta);
        }
    }

    return Character;
}

WCHAR RtlpUpcaseByTable(WCHAR Character)
{
    return RtlpMapCase(RtlpUpcaseRanges, RTL_NUMBER_OF(RtlpUpcaseRanges), Character);
}

WCHAR RtlpDowncaseByTable(WCHAR Character)
{
    return RtlpMapCase(RtlpDowncaseRanges, RTL_NUMBER_OF(RtlpDowncaseRanges), Character);
}

/**
 * Upper case of one UTF-16 unit by the system's table; surrogates map to themselves. IRQL: any.
 */
WCHAR NTAPI RtlUpcaseUnicodeChar(_In_ WCHAR SourceCharacter)
{
    return RtlpUpcase(SourceCharacter);
}

/**
 * Lower case of one UTF-16 unit by the system's table. IRQL: any.
 */
WCHAR NTAPI RtlDowncaseUnicodeChar(_In_ WCHAR SourceCharacter)
{
    return RtlpDowncase(SourceCharacter);
}

/**
 * Upper case of one ANSI character: ASCII letters only, as every other character takes several bytes of UTF-8.
 */
CHAR NTAPI RtlUpperChar(_In_ CHAR Character)
{
    return Character >= 'a' && Character <= 'z' ? (CHAR)(Character - 32) : Character;
}
