/* SPDX-License-Identifier: MIT */
/*
 * Inside the shared run-time library: helpers that several of its files use.
 */
#ifndef ISTHMUS_RTLP_H
#define ISTHMUS_RTLP_H

#include "rtlenv.h"

#ifndef C_ASSERT
#define C_ASSERT(e) _Static_assert(e, #e)
#endif

/* The largest Length of a counted string that still leaves room for a terminator. */
#define RTLP_MAX_UNICODE_BYTES 0xFFFC
#define RTLP_MAX_ANSI_BYTES 0xFFFE

/** The case mappings of one UTF-16 unit above ASCII; see casemap.c. */
WCHAR RtlpUpcaseByTable(WCHAR Character);
WCHAR RtlpDowncaseByTable(WCHAR Character);

static inline WCHAR RtlpUpcase(WCHAR Character)
{
    if (Character < 0x80)
    {
        return Character >= 'a' && Character <= 'z' ? (WCHAR)(Character - 32) : Character;
    }

    return RtlpUpcaseByTable(Character);
}

static inline WCHAR RtlpDowncase(WCHAR Character)
{
    if (Character < 0x80)
    {
        return Character >= 'A' && Character <= 'Z' ? (WCHAR)(Character + 32) : Character;
    }

    return RtlpDowncaseByTable(Character);
}

/**
 * Reads one code point of UTF-8.
 *
 * @param Text   at least one byte
 * @param Left   number of bytes
 * @param Used   receives the number of bytes taken, at least one
 * @return the code point; RTLP_BAD_CODE_POINT for a byte sequence that is none: the longest part of it that could
 *         have begun a valid one is taken
 */
ULONG RtlpDecodeUtf8(_In_reads_bytes_(Left) const UCHAR *Text, _In_ SIZE_T Left, _Out_ PULONG Used);

/**
 * Reads one code point of UTF-16; a surrogate without its partner is RTLP_BAD_CODE_POINT.
 */
ULONG RtlpDecodeUtf16(_In_reads_(Left) const WCHAR *Text, _In_ SIZE_T Left, _Out_ PULONG Used);

/** Writes a code point as UTF-8; returns the number of bytes, 1 to 4. */
ULONG RtlpEncodeUtf8(_In_ ULONG CodePoint, _Out_writes_bytes_(4) PUCHAR Text);

#define RTLP_BAD_CODE_POINT 0xFFFFFFFF
#define RTLP_REPLACEMENT 0xFFFD

/**
 * Writes an unsigned number.
 *
 * @param Value   the number
 * @param Base    2 to 36
 * @param Upper   digits above 9 in upper case
 * @param Digits  receives up to 64 characters, most significant first, no terminator
 * @return their number, at least 1
 */
ULONG RtlpFormatNumber(_In_ ULONG64 Value, _In_ ULONG Base, _In_ BOOLEAN Upper, _Out_writes_(64) PCHAR Digits);

#endif /* ISTHMUS_RTLP_H */
