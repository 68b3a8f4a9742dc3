/* SPDX-License-Identifier: MIT */
/* The one key of boot.cfg that concerns the loader. Everything else in it is for the kernel. */
#include "boot.h"

#include <string.h>

static const char SeedKey[] = "option=seed:";

/* Reads a decimal number that fills [Text, Text + Length). */
static bool ConfigNumber(const uint8_t *Text, size_t Length, uint64_t *Value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < Length; i++)
    {
        uint64_t digit = (uint64_t)Text[i] - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
        {
            return false;
        }
        value = value * 10 + digit;
    }
    *Value = value;
    return Length != 0;
}

bool ConfigSeed(const ARCHIVE *Archive, uint64_t *Seed)
{
    const size_t keyLength = sizeof(SeedKey) - 1;
    ARCHIVE_MEMBER member;
    ARCHIVE_ERROR error = ArchiveFind(Archive, "boot.cfg", &member);
    size_t start = 0;

    if (error == ArchiveEnd)
    {
        return false; /* the kernel says what it misses */
    }
    if (error != ArchiveOk)
    {
        BootRefuse("the archive cannot be read:", ArchiveErrorText(error));
    }
    while (start < member.Size)
    {
        size_t end = start;
        size_t length;

        while (end < member.Size && member.Data[end] != '\n')
        {
            end++;
        }
        length = end - start;
        if (length != 0 && member.Data[end - 1] == '\r')
        {
            length--;
        }
        if (length >= keyLength && memcmp(member.Data + start, SeedKey, keyLength) == 0)
        {
            if (!ConfigNumber(member.Data + start + keyLength, length - keyLength, Seed))
            {
                BootRefuse("boot.cfg", "has a seed that is not a decimal number below 2^64");
            }
            return true;
        }
        start = end + 1;
    }
    return false;
}
