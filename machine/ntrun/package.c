/* SPDX-License-Identifier: MIT */
/* The files that go onto the machine's disk. See package.h. */
#include "package.h"

#include "bootconfig.h"
#include "cmdline.h"
#include "exitcodes.h"
#include "hostfile.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SYSTEM_DIRECTORY "Windows/System32"
#define DRIVER_DIRECTORY "Windows/System32/drivers"
#define RUN_DIRECTORY "run"

/* Takes ownership of Name, HostPath and Data. */
static PACKAGE_FILE *PackageAppend(PACKAGE *Package, char *Name, char *HostPath, uint8_t *Data, size_t Size,
                                   uint32_t Time)
{
    PACKAGE_FILE *file;

    Package->Files = MemoryGrow(Package->Files, &Package->Capacity, Package->Count + 1, sizeof(*Package->Files));
    file = &Package->Files[Package->Count++];
    *file = (PACKAGE_FILE){.Name = Name, .HostPath = HostPath, .Data = Data, .Size = Size, .Time = Time};
    return file;
}

/* Reads a host file into the package as Directory/Name; Directory may be NULL for the root. */
static int PackageAddFile(PACKAGE *Package, const char *HostPath, const char *Directory, const char *Name, TEXT *Error)
{
    char *path = Directory != NULL ? TextFormat("%s/%s", Directory, Name) : TextFormat("%s", Name);
    uint8_t *data;
    size_t size;
    uint32_t time;

    for (char *at = path; *at != '\0'; at++)
    {
        *at = *at == '\\' ? '/' : *at;
    }
    if (PackageFind(Package, path) != NULL)
    {
        TextAppend(Error, "two files would be C:\\%s on the machine; the second is %s", path, HostPath);
        free(path);
        return NTRUN_USAGE;
    }
    if (!HostFileRead(HostPath, &data, &size, &time, Error))
    {
        free(path);
        return NTRUN_CANNOT_START;
    }
    PackageAppend(Package, path, TextFormat("%s", HostPath), data, size, time);
    return 0;
}

const PACKAGE_FILE *PackageFind(const PACKAGE *Package, const char *Name)
{
    for (size_t i = 0; i < Package->Count; i++)
    {
        if (strcasecmp(Package->Files[i].Name, Name) == 0)
        {
            return &Package->Files[i];
        }
    }
    return NULL;
}

void PackageFree(PACKAGE *Package)
{
    for (size_t i = 0; i < Package->Count; i++)
    {
        free(Package->Files[i].Name);
        free(Package->Files[i].HostPath);
        free(Package->Files[i].Data);
    }
    free(Package->Files);
    memset(Package, 0, sizeof(*Package));
}

int ImageCheck(const char *HostPath, const uint8_t *Data, size_t Size, IMAGE_USE Use, PE_IMAGE *Image, TEXT *Error)
{
    PE_ERROR error = PeOpenFile(Image, Data, Size);
    bool native = Image->Subsystem == PE_SUBSYSTEM_NATIVE;
    bool dll = (Image->Characteristics & PE_FILE_DLL) != 0;

    if (error != PeOk)
    {
        TextAppend(Error, "%s %s", HostPath, PeErrorText(error));
    }
    else if ((Use == ImageUseDriver || Use == ImageUseKernel) && !native)
    {
        TextAppend(Error, "%s is not a driver: its subsystem is %u, not native (1); link it with --subsystem=native",
                   HostPath, Image->Subsystem);
    }
    else if (Use == ImageUseProgram && dll)
    {
        TextAppend(Error, "%s is a DLL, not a program; name the program that uses it", HostPath);
    }
    else if (Use == ImageUseProgram && native)
    {
        TextAppend(Error, "%s is a driver or native program, not a Windows program; a driver's name ends in .sys",
                   HostPath);
    }
    else if (Use == ImageUseProgram && Image->Subsystem != PE_SUBSYSTEM_WINDOWS_CUI &&
             Image->Subsystem != PE_SUBSYSTEM_WINDOWS_GUI)
    {
        TextAppend(Error, "%s is not a Windows program: its subsystem is %u", HostPath, Image->Subsystem);
    }
    else if (Use == ImageUseDll && !dll)
    {
        TextAppend(Error, "%s is imported as a DLL but is none", HostPath);
    }
    else
    {
        return 0;
    }
    return NTRUN_REFUSED;
}

/* Adds a PE file and checks it. */
static int PackageAddImage(PACKAGE *Package, const char *HostPath, const char *Directory, IMAGE_USE Use, TEXT *Error)
{
    const char *name = PathBaseName(HostPath);
    const PACKAGE_FILE *file;
    PE_IMAGE image;
    int code;

    if (!WindowsPathIsValid(name))
    {
        TextAppend(Error, "%s cannot be a file name on Windows; rename the file", name);
        return NTRUN_USAGE;
    }
    code = PackageAddFile(Package, HostPath, Directory, name, Error);
    if (code != 0)
    {
        return code;
    }
    file = &Package->Files[Package->Count - 1];
    return ImageCheck(HostPath, file->Data, file->Size, Use, &image, Error);
}

static int CompareNames(const void *Left, const void *Right)
{
    return strcmp(*(char *const *)Left, *(char *const *)Right);
}

/* ntoskrnl.exe and every DLL of the system's directory, in a fixed order. */
static int PackageAddSystem(PACKAGE *Package, const char *System, TEXT *Error)
{
    TEXT_LIST paths = {0};
    struct dirent *entry;
    DIR *stream = opendir(System);
    char *kernel;
    int code;

    if (stream == NULL)
    {
        TextAppend(Error, "cannot read the directory %s: %s", System, strerror(errno));
        return NTRUN_CANNOT_START;
    }
    while ((entry = readdir(stream)) != NULL)
    {
        if (PathHasExtension(entry->d_name, ".dll"))
        {
            TextListAdd(&paths, "%s/%s", System, entry->d_name);
        }
    }
    closedir(stream);
    if (paths.Count != 0)
    {
        qsort(paths.Items, paths.Count, sizeof(*paths.Items), CompareNames);
    }

    kernel = TextFormat("%s/ntoskrnl.exe", System);
    code = PackageAddImage(Package, kernel, SYSTEM_DIRECTORY, ImageUseKernel, Error);
    for (size_t i = 0; code == 0 && i < paths.Count; i++)
    {
        code = PackageAddImage(Package, paths.Items[i], SYSTEM_DIRECTORY, ImageUseDll, Error);
    }
    free(kernel);
    TextListFree(&paths);
    return code;
}

/* FILE or FILE=NAME; what exists as a whole is a FILE. */
static int PackageAddExtra(PACKAGE *Package, const char *Spec, TEXT *Error)
{
    const char *equals = access(Spec, F_OK) == 0 ? NULL : strrchr(Spec, '=');
    char *path = equals != NULL ? TextFormat("%.*s", (int)(equals - Spec), Spec) : TextFormat("%s", Spec);
    const char *name = equals != NULL ? equals + 1 : PathBaseName(path);
    int code;

    if (!WindowsPathIsValid(name))
    {
        TextAppend(Error, "\"%s\" cannot be a file name on Windows; give another one: --add FILE=NAME", name);
        code = NTRUN_USAGE;
    }
    else
    {
        code = PackageAddFile(Package, path, RUN_DIRECTORY, name, Error);
    }
    free(path);
    return code;
}

/*
 * Makes sure that an imported DLL will be found: added by name, one of the system's, or beside the importer. Those
 * beside it are added; the caller's walk over the package reaches their own imports.
 */
static int PackageResolve(PACKAGE *Package, const PACKAGE_FILE *Importer, const char *Name,
                          const char *ProgramDirectory, const char *System, TEXT *Error)
{
    char *runName = TextFormat("%s/%s", RUN_DIRECTORY, Name);
    char *systemName = TextFormat("%s/%s", SYSTEM_DIRECTORY, Name);
    const PACKAGE_FILE *present = PackageFind(Package, runName);
    char *beside = NULL;
    PE_IMAGE image;
    int code = 0;

    if (PackageFind(Package, systemName) != NULL)
    {
        goto Exit; /* as on Windows, the system's own DLLs come from the system, whatever lies beside the program */
    }
    if (present != NULL)
    {
        code = ImageCheck(present->HostPath, present->Data, present->Size, ImageUseDll, &image, Error);
        goto Exit;
    }
    beside = WindowsPathIsValid(Name) && strpbrk(Name, "/\\") == NULL ? DirectoryFind(ProgramDirectory, Name) : NULL;
    if (beside == NULL)
    {
        TextAppend(Error,
                   "%s imports %s, which is neither beside the program nor in %s; put it beside the program or add "
                   "it with --add",
                   Importer->HostPath, Name, System);
        code = NTRUN_REFUSED;
        goto Exit;
    }
    code = PackageAddImage(Package, beside, RUN_DIRECTORY, ImageUseDll, Error);

Exit:
    free(runName);
    free(systemName);
    free(beside);
    return code;
}

/* All imports of one file of the package. */
static int PackageResolveFile(PACKAGE *Package, size_t Index, const char *ProgramDirectory, const char *System,
                              TEXT *Error)
{
    PACKAGE_FILE file = Package->Files[Index]; /* a copy: the array may move; what it points to does not */
    PE_IMAGE image;
    PE_ERROR error = PeOpenFile(&image, file.Data, file.Size);

    for (unsigned i = 0; error == PeOk; i++)
    {
        PE_IMPORT_DLL dll;

        error = PeImportDll(&image, i, &dll);
        if (error == PeOk)
        {
            int code = PackageResolve(Package, &file, dll.Name, ProgramDirectory, System, Error);

            if (code != 0)
            {
                return code;
            }
        }
    }
    if (error != PeEnd)
    {
        TextAppend(Error, "%s %s", file.HostPath, PeErrorText(error));
        return NTRUN_REFUSED;
    }
    return 0;
}

/*
 * Walks the imports of the program and of every DLL it needs. An added DLL is looked at only if something imports it:
 * it may be there to be refused by the machine.
 */
static int PackageResolveAll(PACKAGE *Package, size_t Program, const char *System, TEXT *Error)
{
    char *directory = PathDirectory(Package->Files[Program].HostPath);
    size_t first = Package->Count;
    int code = PackageResolveFile(Package, Program, directory, System, Error);

    /* Files found beside the program are appended, so this loop ends when nothing new turns up. */
    for (size_t i = first; code == 0 && i < Package->Count; i++)
    {
        code = PackageResolveFile(Package, i, directory, System, Error);
    }
    free(directory);
    return code;
}

int PackageBuild(PACKAGE *Package, const OPTIONS *Options, const PLACES *Places, TEXT *Error)
{
    TEXT config = {0};
    size_t program;
    int code;

    if (!BootConfigBuild(&config, Options, Error))
    {
        TextFree(&config);
        return NTRUN_USAGE;
    }
    PackageAppend(Package, TextFormat("boot.cfg"), NULL, (uint8_t *)config.Data, config.Length, 0);
    code = PackageAddSystem(Package, Places->System, Error);
    for (size_t i = 0; code == 0 && i < Options->Drivers.Count; i++)
    {
        code = PackageAddImage(Package, Options->Drivers.Items[i], DRIVER_DIRECTORY, ImageUseDriver, Error);
    }
    program = Package->Count;
    if (code == 0)
    {
        code = PackageAddImage(Package, Options->Program, RUN_DIRECTORY, ImageUseProgram, Error);
    }
    for (size_t i = 0; code == 0 && i < Options->Adds.Count; i++)
    {
        code = PackageAddExtra(Package, Options->Adds.Items[i], Error);
    }
    if (code == 0 && Options->Stdin != NULL)
    {
        code = PackageAddFile(Package, strcmp(Options->Stdin, "-") == 0 ? "/dev/stdin" : Options->Stdin, NULL, "stdin",
                              Error);
    }
    if (code == 0)
    {
        code = PackageResolveAll(Package, program, Places->System, Error);
    }
    return code;
}
