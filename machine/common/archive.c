/* SPDX-License-Identifier: MIT */
/* Reader for cpio archives in the "newc" form. See archive.h. */
#include "archive.h"

#include <string.h>

/*
 * One member:   header (110) | name, NUL | pad to 4 | contents | pad to 4
 * The header is "070701" and 13 numbers of 8 hexadecimal digits; padding counts from the start of the archive.
 */
#define HEADER_SIZE 110u
#define MAGIC_SIZE 6u
#define FIELD_MODE 1u
#define FIELD_TIME 5u
#define FIELD_FILE_SIZE 6u
#define FIELD_NAME_SIZE 11u

static const char Trailer[] = "TRAILER!!!";

static bool ArchivepField(const uint8_t *Header, unsigned Index, uint32_t *Value)
{
    const uint8_t *digits = Header + MAGIC_SIZE + 8u * Index;
    uint32_t value = 0;

    for (unsigned i = 0; i < 8; i++)
    {
        uint8_t c = digits[i];
        uint32_t digit;

        if (c >= '0' && c <= '9')
        {
            digit = (uint32_t)(c - '0');
        }
        else if (c >= 'a' && c <= 'f')
        {
            digit = (uint32_t)(c - 'a') + 10;
        }
        else if (c >= 'A' && c <= 'F')
        {
            digit = (uint32_t)(c - 'A') + 10;
        }
        else
        {
            return false;
        }
        value = value << 4 | digit;
    }
    *Value = value;
    return true;
}

/* Rounds Offset up to 4 within Size bytes. False if the padding does not fit. */
static bool ArchivepPad(size_t Size, size_t *Offset)
{
    size_t pad = (4 - (*Offset & 3)) & 3;

    if (pad > Size - *Offset)
    {
        return false;
    }
    *Offset += pad;
    return true;
}

static bool ArchivepNameIsGood(const char *Name, size_t Length)
{
    size_t start = 0;

    if (Length == 0)
    {
        return false;
    }
    for (size_t i = 0; i <= Length; i++)
    {
        if (i < Length && Name[i] == '\0')
        {
            return false;
        }
        if (i == Length || Name[i] == '/' || Name[i] == '\\')
        {
            if (i - start == 2 && Name[start] == '.' && Name[start + 1] == '.')
            {
                return false;
            }
            start = i + 1;
        }
    }
    return true;
}

ARCHIVE_ERROR ArchiveNext(const ARCHIVE *Archive, size_t *Position, ARCHIVE_MEMBER *Member)
{
    size_t offset = *Position;
    const uint8_t *header;
    uint32_t nameSize;
    uint32_t fileSize;
    const char *name;
    size_t length;

    if (offset > Archive->Size || Archive->Size - offset < HEADER_SIZE)
    {
        return ArchiveTruncated;
    }
    header = Archive->Data + offset;
    if (memcmp(header, "070701", MAGIC_SIZE) != 0)
    {
        return ArchiveBadMagic;
    }
    if (!ArchivepField(header, FIELD_MODE, &Member->Mode) || !ArchivepField(header, FIELD_TIME, &Member->Time) ||
        !ArchivepField(header, FIELD_FILE_SIZE, &fileSize) || !ArchivepField(header, FIELD_NAME_SIZE, &nameSize))
    {
        return ArchiveBadNumber;
    }
    offset += HEADER_SIZE;
    if (nameSize > Archive->Size - offset)
    {
        return ArchiveTruncated;
    }
    name = (const char *)(Archive->Data + offset);
    if (nameSize == 0 || name[nameSize - 1] != '\0' || !ArchivepNameIsGood(name, nameSize - 1))
    {
        return ArchiveBadName;
    }
    length = nameSize - 1;
    if (length == sizeof(Trailer) - 1 && memcmp(name, Trailer, length) == 0)
    {
        return ArchiveEnd;
    }
    offset += nameSize;
    if (!ArchivepPad(Archive->Size, &offset) || fileSize > Archive->Size - offset)
    {
        return ArchiveTruncated;
    }
    Member->Data = Archive->Data + offset;
    Member->Size = fileSize;
    offset += fileSize;
    if (!ArchivepPad(Archive->Size, &offset))
    {
        return ArchiveTruncated;
    }

    /* "./x", "/x" and "x" are one name. A bare "." or "/" remains: the root itself. */
    for (;;)
    {
        if (length > 2 && name[0] == '.' && name[1] == '/')
        {
            name += 2;
            length -= 2;
        }
        else if (length > 1 && name[0] == '/')
        {
            name += 1;
            length -= 1;
        }
        else
        {
            break;
        }
    }
    Member->Name = name;
    Member->NameLength = length;
    *Position = offset;
    return ArchiveOk;
}

static char ArchivepFold(char c)
{
    if (c >= 'a' && c <= 'z')
    {
        return (char)(c - 'a' + 'A');
    }
    return c == '\\' ? '/' : c;
}

bool ArchiveNameMatches(const ARCHIVE_MEMBER *Member, const char *Path)
{
    size_t i;

    /* Names have no NUL inside, so the comparison stops at the end of a shorter Path. */
    for (i = 0; i < Member->NameLength; i++)
    {
        if (ArchivepFold(Member->Name[i]) != ArchivepFold(Path[i]))
        {
            return false;
        }
    }
    return Path[i] == '\0';
}

ARCHIVE_ERROR ArchiveFind(const ARCHIVE *Archive, const char *Path, ARCHIVE_MEMBER *Member)
{
    size_t position = 0;

    for (;;)
    {
        ARCHIVE_ERROR error = ArchiveNext(Archive, &position, Member);

        if (error != ArchiveOk || ArchiveNameMatches(Member, Path))
        {
            return error;
        }
    }
}

const char *ArchiveErrorText(ARCHIVE_ERROR Error)
{
    switch (Error)
    {
    case ArchiveOk:
        return "no error";
    case ArchiveEnd:
        return "there is no such member";
    case ArchiveTruncated:
        return "the archive is cut off";
    case ArchiveBadMagic:
        return "not a cpio archive of the newc kind";
    case ArchiveBadNumber:
        return "a header field is not a number";
    case ArchiveBadName:
        return "a member has a bad name";
    }
    return "unknown archive error";
}
