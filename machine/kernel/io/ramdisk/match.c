/* SPDX-License-Identifier: MIT */
/*
 * File name patterns. Besides * and ? there are the three characters kernel32 sends for the DOS rules:
 *
 *   <  any characters, but not past the name's last dot
 *   >  one character, or none in front of a dot and at the end
 *   "  a dot, or nothing at the end
 *
 * The pattern is run as a nondeterministic automaton: a set of positions, one step per character. So no pattern takes
 * longer than pattern length times name length.
 */
#include "ramdisk.h"

#define RAM_STATES (RAM_MAX_COMPONENT + 1)

typedef struct _RAM_STATE_SET
{
    UCHAR On[RAM_STATES];
} RAM_STATE_SET;

/* Adds what can be reached without taking a character. */
static VOID RamClose(const UNICODE_STRING *Pattern, RAM_STATE_SET *Set, BOOLEAN AtEnd, BOOLEAN AtDot)
{
    ULONG Count = Pattern->Length / sizeof(WCHAR);

    for (ULONG Index = 0; Index < Count; Index++)
    {
        WCHAR Symbol = Pattern->Buffer[Index];
        if (Set->On[Index] && (Symbol == L'*' || Symbol == L'<' || (Symbol == L'>' && (AtEnd || AtDot)) ||
                               (Symbol == L'"' && AtEnd)))
        {
            Set->On[Index + 1] = TRUE;
        }
    }
}

BOOLEAN RamMatches(PCUNICODE_STRING Pattern, PCUNICODE_STRING Name)
{
    ULONG States = Pattern->Length / sizeof(WCHAR), Length = Name->Length / sizeof(WCHAR);
    LONG LastDot = -1;
    RAM_STATE_SET Now, Next;

    if (States == 0)
    {
        return TRUE;
    }
    if (States >= RAM_STATES)
    {
        return FALSE;
    }
    for (ULONG Index = 0; Index < Length; Index++)
    {
        LastDot = Name->Buffer[Index] == L'.' ? (LONG)Index : LastDot;
    }
    RtlZeroMemory(&Now, States + 1);
    Now.On[0] = TRUE;
    for (ULONG Position = 0; Position < Length; Position++)
    {
        WCHAR Character = RtlUpcaseUnicodeChar(Name->Buffer[Position]);
        RamClose(Pattern, &Now, FALSE, Character == L'.');
        RtlZeroMemory(&Next, States + 1);
        for (ULONG Index = 0; Index < States; Index++)
        {
            WCHAR Symbol = Pattern->Buffer[Index];
            if (!Now.On[Index])
            {
                continue;
            }
            if (Symbol == L'*' || (Symbol == L'<' && (LONG)Position != LastDot))
            {
                Next.On[Index] = TRUE;
            }
            else if (Symbol == L'?' || (Symbol == L'>' && Character != L'.') || (Symbol == L'"' && Character == L'.') ||
                     Symbol == Character)
            {
                Next.On[Index + 1] = TRUE;
            }
        }
        RtlCopyMemory(&Now, &Next, States + 1);
    }
    RamClose(Pattern, &Now, TRUE, FALSE);
    return Now.On[States];
}
