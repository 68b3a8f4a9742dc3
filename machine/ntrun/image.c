/* SPDX-License-Identifier: MIT */
/* The packed image. See image.h. */
#include "image.h"

#include "archivewriter.h"
#include "hostfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *TemporaryDirectory(void)
{
    const char *directory = getenv("TMPDIR");

    return directory != NULL && *directory != '\0' ? directory : "/tmp";
}

/* A file in a directory of its own. */
static bool ImageOpenKept(IMAGE_FILE *Image)
{
    Image->Directory = TextFormat("%s/ntrun-XXXXXX", TemporaryDirectory());
    if (mkdtemp(Image->Directory) == NULL)
    {
        free(Image->Directory);
        Image->Directory = NULL;
        return false;
    }
    Image->Path = TextFormat("%s/image.cpio", Image->Directory);
    Image->Fd = open(Image->Path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return Image->Fd >= 0;
}

/* A file without a name; QEMU opens it through the descriptor it inherits. */
static bool ImageOpenNameless(IMAGE_FILE *Image)
{
    Image->Fd = memfd_create("ntrun-image", MFD_CLOEXEC);
    if (Image->Fd < 0)
    {
        Image->Fd = open(TemporaryDirectory(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    }
    if (Image->Fd >= 0)
    {
        Image->Path = TextFormat("/dev/fd/%d", Image->Fd);
    }
    return Image->Fd >= 0;
}

bool ImageCreate(IMAGE_FILE *Image, const PACKAGE *Package, bool Keep, TEXT *Error)
{
    bool opened;

    *Image = (IMAGE_FILE){.Fd = -1};
    opened = Keep ? ImageOpenKept(Image) : ImageOpenNameless(Image);
    if (!opened || !ArchiveWrite(Image->Fd, Package, &Image->Size))
    {
        TextAppend(Error, "cannot write the image%s%s: %s", Keep ? " in " : "", Keep ? TemporaryDirectory() : "",
                   strerror(errno));
        return false;
    }
    return true;
}

void ImageKeepText(const IMAGE_FILE *Image, const char *Name, const char *Text)
{
    char *path;
    int fd;

    if (Image->Directory == NULL)
    {
        return;
    }
    path = TextFormat("%s/%s", Image->Directory, Name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || !HostWriteAll(fd, Text, strlen(Text)))
    {
        Say("cannot write %s: %s", path, strerror(errno));
    }
    if (fd >= 0)
    {
        close(fd);
    }
    free(path);
}

void ImageFree(IMAGE_FILE *Image)
{
    if (Image->Fd >= 0)
    {
        close(Image->Fd);
    }
    free(Image->Path);
    free(Image->Directory);
    *Image = (IMAGE_FILE){.Fd = -1};
}
