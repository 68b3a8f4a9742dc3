/* SPDX-License-Identifier: MIT */
/* Where the machine's own files lie on the host. See places.h. */
#include "places.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Relative to ntrun itself: the build's output, then an installation. */
static const char *const SystemPlaces[] = {"system", ".", "../system", "../lib/isthmus/system"};
static const char *const LoaderPlaces[] = {".", "..", "../lib/isthmus"};

char *PathDirectory(const char *Path)
{
    const char *slash = strrchr(Path, '/');

    if (slash == NULL)
    {
        return TextFormat(".");
    }
    return slash == Path ? TextFormat("/") : TextFormat("%.*s", (int)(slash - Path), Path);
}

char *DirectoryFind(const char *Directory, const char *Name)
{
    char *path = TextFormat("%s/%s", Directory, Name);
    struct dirent *entry;
    DIR *stream;

    if (access(path, F_OK) == 0)
    {
        return path;
    }
    free(path);
    path = NULL;
    stream = opendir(Directory);
    if (stream == NULL)
    {
        return NULL;
    }
    while (path == NULL && (entry = readdir(stream)) != NULL)
    {
        if (strcasecmp(entry->d_name, Name) == 0)
        {
            path = TextFormat("%s/%s", Directory, entry->d_name);
        }
    }
    closedir(stream);
    return path;
}

/* Directory/Name if it is there, else NULL. */
static char *PlacesProbe(const char *Directory, const char *Name)
{
    char *path = TextFormat("%s/%s", Directory, Name);

    if (access(path, R_OK) != 0)
    {
        free(path);
        return NULL;
    }
    return path;
}

static char *PlacesOwnDirectory(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (length <= 0)
    {
        return TextFormat(".");
    }
    path[length] = '\0';
    return PathDirectory(path);
}

static bool PlacesFindSystem(PLACES *Places, const char *Own, const char *System, TEXT *Error)
{
    char *kernel = NULL;

    if (System != NULL)
    {
        Places->System = TextFormat("%s", System);
        kernel = PlacesProbe(System, "ntoskrnl.exe");
        if (kernel == NULL)
        {
            TextAppend(Error, "there is no readable ntoskrnl.exe in %s, which --system names", System);
            return false;
        }
        free(kernel);
        return true;
    }
    for (size_t i = 0; i < sizeof(SystemPlaces) / sizeof(SystemPlaces[0]); i++)
    {
        char *directory = TextFormat("%s/%s", Own, SystemPlaces[i]);

        kernel = PlacesProbe(directory, "ntoskrnl.exe");
        if (kernel != NULL)
        {
            free(kernel);
            Places->System = directory;
            return true;
        }
        free(directory);
    }
    TextAppend(Error, "ntoskrnl.exe is not in %s/system nor in another usual place; build it, or name its directory "
                      "with --system", Own);
    return false;
}

static bool PlacesFindLoader(PLACES *Places, const char *Own, TEXT *Error)
{
    Places->Loader = PlacesProbe(Places->System, "boot.elf");
    for (size_t i = 0; Places->Loader == NULL && i < sizeof(LoaderPlaces) / sizeof(LoaderPlaces[0]); i++)
    {
        char *directory = TextFormat("%s/%s", Own, LoaderPlaces[i]);

        Places->Loader = PlacesProbe(directory, "boot.elf");
        free(directory);
    }
    if (Places->Loader == NULL)
    {
        TextAppend(Error, "the loader boot.elf is neither in %s nor beside ntrun; build it, or copy it there",
                   Places->System);
        return false;
    }
    return true;
}

bool PlacesFind(PLACES *Places, const char *System, TEXT *Error)
{
    char *own = PlacesOwnDirectory();
    bool found;

    memset(Places, 0, sizeof(*Places));
    Places->Qemu = getenv("NTRUN_QEMU");
    if (Places->Qemu == NULL || *Places->Qemu == '\0')
    {
        Places->Qemu = "qemu-system-x86_64";
    }
    found = PlacesFindSystem(Places, own, System, Error) && PlacesFindLoader(Places, own, Error);
    free(own);
    return found;
}

void PlacesFree(PLACES *Places)
{
    free(Places->System);
    free(Places->Loader);
    memset(Places, 0, sizeof(*Places));
}
