/* SPDX-License-Identifier: MIT */
/* The helpers of adv.h and random numbers. */
#include "adv.h"

PWSTR AdvWidenN(PCSTR Text, SIZE_T Bytes, PSIZE_T Characters)
{
    ULONG written = 0;
    if (Bytes > 0x3FFFFFFF)
    {
        return NULL;
    }
    PWSTR wide = AdvAllocate((Bytes + 1) * sizeof(WCHAR));
    if (wide != NULL)
    {
        RtlUTF8ToUnicodeN(wide, (ULONG)(Bytes * sizeof(WCHAR)), &written, Text, (ULONG)Bytes);
        if (Characters != NULL)
        {
            *Characters = written / sizeof(WCHAR);
        }
    }
    return wide;
}

BOOL AdvWiden(PCSTR Text, PWSTR *Wide)
{
    SIZE_T length = 0;
    *Wide = NULL;
    if (Text == NULL)
    {
        return TRUE;
    }
    while (Text[length] != 0)
    {
        length++;
    }
    *Wide = AdvWidenN(Text, length, NULL);
    return *Wide != NULL ? TRUE : AdvFailWith(ERROR_NOT_ENOUGH_MEMORY);
}

BOOL AdvInitString(PUNICODE_STRING String, PCWSTR Text)
{
    SIZE_T length = Text != NULL ? AdvLength(Text) : 0;
    if (length > 0x7FFE)
    {
        return AdvFailWith(ERROR_FILENAME_EXCED_RANGE);
    }
    String->Buffer = (PWSTR)Text;
    String->Length = (USHORT)(length * sizeof(WCHAR));
    String->MaximumLength = Text != NULL ? (USHORT)(String->Length + sizeof(WCHAR)) : 0;
    return TRUE;
}

static BOOLEAN AdvHasRandomInstruction(VOID)
{
    ULONG eax = 1;
    ULONG ebx;
    ULONG ecx = 0;
    ULONG edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return (ecx & 1u << 30) != 0;
}

static BOOLEAN AdvRandomWord(PULONG64 Word)
{
    for (ULONG tries = 0; tries < 100; tries++)
    {
        BOOLEAN valid;
        __asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(*Word), "=q"(valid) : : "cc");
        if (valid)
        {
            return TRUE;
        }
    }
    return FALSE;
}

/**
 * RtlGenRandom under its export name: fills a buffer from the processor's random number generator.
 *
 * @return FALSE if the processor has none; weaker numbers are not passed off as good ones
 */
BOOLEAN NTAPI SystemFunction036(PVOID Buffer, ULONG Length)
{
    PUCHAR out = Buffer;
    if (!AdvHasRandomInstruction())
    {
        return FALSE;
    }
    while (Length != 0)
    {
        ULONG64 word;
        ULONG part = Length < sizeof(word) ? Length : sizeof(word);
        if (!AdvRandomWord(&word))
        {
            return FALSE;
        }
        memcpy(out, &word, part);
        out += part;
        Length -= part;
    }
    return TRUE;
}
