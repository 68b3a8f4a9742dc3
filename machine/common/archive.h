/* SPDX-License-Identifier: MIT */
/*
 * Reader for cpio archives in the "newc" form: the machine's start disk. Freestanding, allocates nothing, copies
 * nothing: members point into the caller's buffer. The buffer may hold anything; nothing outside it is ever read.
 * The buffer must not change while it is being read.
 */
#ifndef ISTHMUS_MACHINE_ARCHIVE_H
#define ISTHMUS_MACHINE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ARCHIVE_ERROR
{
    ArchiveOk = 0,
    ArchiveEnd,       /* iteration: no member left; find: no such member */
    ArchiveTruncated, /* a header, a name, contents or the trailer lies outside the buffer */
    ArchiveBadMagic,  /* not a newc header where one must be */
    ArchiveBadNumber, /* a header field that is not eight hexadecimal digits */
    ArchiveBadName,   /* empty, not terminated, NUL inside, or with a component ".." */
} ARCHIVE_ERROR;

/* File type bits of ARCHIVE_MEMBER.Mode. */
#define ARCHIVE_MODE_TYPE 0170000u
#define ARCHIVE_MODE_DIRECTORY 0040000u
#define ARCHIVE_MODE_FILE 0100000u

typedef struct ARCHIVE
{
    const uint8_t *Data;
    size_t Size;
} ARCHIVE;

typedef struct ARCHIVE_MEMBER
{
    const char *Name; /* NUL-terminated, components separated by '/', no leading "/" or "./"; may be "." for the root */
    size_t NameLength;
    const uint8_t *Data;
    size_t Size;   /* bytes */
    uint32_t Mode; /* Unix mode */
    uint32_t Time; /* seconds since 1970 */
} ARCHIVE_MEMBER;

/**
 * Reads the member at *Position and moves *Position behind it.
 *
 * @param Archive   The bytes.
 * @param Position  Offset in bytes; start with 0, then pass back what came out.
 * @param Member    Out: the member. Undefined unless ArchiveOk is returned.
 * @return ArchiveOk; ArchiveEnd at the trailer; an error otherwise, and then *Position has not moved.
 */
ARCHIVE_ERROR ArchiveNext(const ARCHIVE *Archive, size_t *Position, ARCHIVE_MEMBER *Member);

/**
 * Finds a member by its path. ASCII letters compare without case; '\' in Path stands for '/'.
 *
 * @return ArchiveOk; ArchiveEnd if there is no such member; an error if the archive is broken before it is found.
 */
ARCHIVE_ERROR ArchiveFind(const ARCHIVE *Archive, const char *Path, ARCHIVE_MEMBER *Member);

/** True if a member's name is Path, by the rules of ArchiveFind. */
bool ArchiveNameMatches(const ARCHIVE_MEMBER *Member, const char *Path);

/** A short English text for an error. Never NULL, static. */
const char *ArchiveErrorText(ARCHIVE_ERROR Error);

#endif
