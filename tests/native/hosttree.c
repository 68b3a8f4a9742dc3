/* SPDX-License-Identifier: MIT */
/* A temporary directory for tests that need files. See hosttree.h. */
#include "hosttree.h"

#include "support.h"

#include "pebuilder.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static char Root[256];

const char *TreeCreate(void)
{
    const char *temporary = getenv("TMPDIR");

    snprintf(Root, sizeof(Root), "%s/isthmus-test-XXXXXX", temporary != NULL ? temporary : "/tmp");
    assert_non_null(mkdtemp(Root));
    assert_int_equal(mkdir(TreePath("system"), 0700), 0);
    return Root;
}

static void RemoveAll(const char *Directory)
{
    DIR *stream = opendir(Directory);
    struct dirent *entry;

    assert_non_null(stream);
    while ((entry = readdir(stream)) != NULL)
    {
        char path[600];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        {
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", Directory, entry->d_name);
        if (unlink(path) != 0)
        {
            RemoveAll(path);
        }
    }
    closedir(stream);
    rmdir(Directory);
}

void TreeRemove(void)
{
    RemoveAll(Root);
}

char *TreePath(const char *Name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", Root, Name);
    return path;
}

void TreeWrite(const char *Name, const void *Data, size_t Size)
{
    FILE *file = fopen(TreePath(Name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(Data, 1, Size, file), Size);
    assert_int_equal(fclose(file), 0);
}

void TreeWriteImage(const char *Name, TREE_KIND Kind, const char *Imported)
{
    uint8_t built[BUILT_FILE_SIZE];
    uint8_t *imports = built + BUILT_RDATA_RAW + (BUILT_IMPORT_RVA - BUILT_RDATA_RVA);

    PeBuild(built);
    Put16(built + BUILT_NT + 22, Kind == TreeDll ? 0x2022 : 0x0022);
    Put16(built + BUILT_OPTIONAL + 68, Kind == TreeDriver ? 1 : 3);
    if (Imported != NULL)
    {
        snprintf((char *)imports + 0x100, 0x20, "%s", Imported);
    }
    else
    {
        memset(built + BUILT_DIRECTORIES + 8, 0, 8);
    }
    TreeWrite(Name, built, sizeof(built));
}

void TreeWriteSystem(void)
{
    TreeWriteImage("system/ntoskrnl.exe", TreeDriver, NULL);
    TreeWriteImage("system/kernel32.dll", TreeDll, NULL);
    TreeWrite("system/boot.elf", "elf", 3);
    TreeWrite("system/readme.txt", "not for the machine", 19);
}
