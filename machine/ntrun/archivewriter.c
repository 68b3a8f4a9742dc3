/* SPDX-License-Identifier: MIT */
/* Writes a package as a cpio archive in the "newc" form. See archivewriter.h. */
#include "archivewriter.h"

#include "archive.h"
#include "hostfile.h"

#include <string.h>
#include <strings.h>

#define MODE_FILE (ARCHIVE_MODE_FILE | 0644u)
#define MODE_DIRECTORY (ARCHIVE_MODE_DIRECTORY | 0755u)

typedef struct WRITER
{
    int Fd;
    uint64_t Size;
    uint32_t Inode;
    TEXT_LIST Directories; /* those written */
} WRITER;

static bool WriterPut(WRITER *Writer, const void *Data, size_t Size)
{
    if (!HostWriteAll(Writer->Fd, Data, Size))
    {
        return false;
    }
    Writer->Size += Size;
    return true;
}

static bool WriterMember(WRITER *Writer, const char *Name, uint32_t Mode, uint32_t Time, const void *Data, size_t Size)
{
    static const char zeroes[4];
    TEXT head = {0};
    bool written;

    /* Inode, mode, user, group, links, time, size, device, device, node's device, node's device, name, check sum. */
    TextAppend(&head, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s", ++Writer->Inode, Mode, 0u, 0u, 1u,
               Time, (uint32_t)Size, 0u, 0u, 0u, 0u, (uint32_t)strlen(Name) + 1, 0u, Name);
    TextAppendRepeated(&head, '\0', 1);
    TextAppendRepeated(&head, '\0', -head.Length & 3);
    written = WriterPut(Writer, head.Data, head.Length) && WriterPut(Writer, Data, Size) &&
              WriterPut(Writer, zeroes, -Size & 3);
    TextFree(&head);
    return written;
}

static bool WriterHasDirectory(const WRITER *Writer, const char *Path, size_t Length)
{
    for (size_t i = 0; i < Writer->Directories.Count; i++)
    {
        const char *directory = Writer->Directories.Items[i];

        if (strlen(directory) == Length && strncasecmp(directory, Path, Length) == 0)
        {
            return true;
        }
    }
    return false;
}

/* Writes the directories above Name that are not there yet, the outermost first. */
static bool WriterParents(WRITER *Writer, const char *Name)
{
    for (const char *slash = strchr(Name, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
    {
        size_t length = (size_t)(slash - Name);

        if (!WriterHasDirectory(Writer, Name, length))
        {
            TextListAdd(&Writer->Directories, "%.*s", (int)length, Name);
            if (!WriterMember(Writer, Writer->Directories.Items[Writer->Directories.Count - 1], MODE_DIRECTORY, 0, "",
                              0))
            {
                return false;
            }
        }
    }
    return true;
}

bool ArchiveWrite(int Fd, const PACKAGE *Package, uint64_t *Size)
{
    WRITER writer = {.Fd = Fd};
    bool written = true;

    for (size_t i = 0; written && i < Package->Count; i++)
    {
        const PACKAGE_FILE *file = &Package->Files[i];

        written = WriterParents(&writer, file->Name) &&
                  WriterMember(&writer, file->Name, MODE_FILE, file->Time, file->Data, file->Size);
    }
    /* The driver directory is there even when it is empty. */
    written = written && WriterParents(&writer, "Windows/System32/drivers/");
    written = written && WriterMember(&writer, "TRAILER!!!", 0, 0, "", 0);
    TextListFree(&writer.Directories);
    *Size = writer.Size;
    return written;
}
