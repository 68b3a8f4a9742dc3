/* SPDX-License-Identifier: MIT */
/* Symbols. See symbols.h. */
#include "symbols.h"

#include "cmdline.h"
#include "hostfile.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Which file names a module's addresses. */
typedef struct SYMBOL_FILE
{
    const MODULE *Module;
    char *Path;    /* NULL: there is none */
    bool HasTable; /* of COFF symbols: names without lines are right, not just the nearest export's */
    bool Useful;   /* it had a line for some address */
    bool Asked;
} SYMBOL_FILE;

uint64_t FrameCode(const FRAME *Frame)
{
    return Frame->Exact ? Frame->Address : Frame->Address - 1;
}

static void SymbolsAppend(SYMBOLS *Symbols, uint64_t Address, bool IsCode)
{
    Symbols->Items = MemoryGrow(Symbols->Items, &Symbols->Capacity, Symbols->Count + 1, sizeof(SYMBOL));
    Symbols->Items[Symbols->Count++] = (SYMBOL){.Address = Address, .IsCode = IsCode};
}

void SymbolsAdd(SYMBOLS *Symbols, uint64_t Address)
{
    SymbolsAppend(Symbols, Address, false);
}

void SymbolsAddStack(SYMBOLS *Symbols, const STACK *Stack)
{
    for (size_t i = 0; i < Stack->Count; i++)
    {
        SymbolsAppend(Symbols, FrameCode(&Stack->Frames[i]), true);
    }
}

static int SymbolCompare(const void *Left, const void *Right)
{
    uint64_t left = ((const SYMBOL *)Left)->Address;
    uint64_t right = ((const SYMBOL *)Right)->Address;

    return left < right ? -1 : left > right;
}

/* Sorts, and leaves one of each address. */
static void SymbolsSort(SYMBOLS *Symbols)
{
    size_t kept = 0;

    if (Symbols->Count == 0)
    {
        return;
    }
    qsort(Symbols->Items, Symbols->Count, sizeof(SYMBOL), SymbolCompare);
    for (size_t i = 1; i < Symbols->Count; i++)
    {
        if (Symbols->Items[i].Address != Symbols->Items[kept].Address)
        {
            Symbols->Items[++kept] = Symbols->Items[i];
        }
        Symbols->Items[kept].IsCode |= Symbols->Items[i].IsCode;
    }
    Symbols->Count = kept + 1;
}

const SYMBOL *SymbolsFind(const SYMBOLS *Symbols, uint64_t Address)
{
    SYMBOL key = {.Address = Address};
    const SYMBOL *found;

    if (!Symbols->Resolved || Symbols->Count == 0)
    {
        return NULL;
    }
    found = bsearch(&key, Symbols->Items, Symbols->Count, sizeof(SYMBOL), SymbolCompare);
    return found != NULL && found->LineCount != 0 ? found : NULL;
}

/* ---- which file ---- */

/* True if two images have the same code at the same place: then what is said about one holds for the other. */
static bool SameCode(const PACKAGE_FILE *Packed, const char *Path)
{
    uint8_t *data = NULL;
    size_t size;
    uint32_t time;
    TEXT error = {0};
    PE_IMAGE left, right;
    PE_SECTION a, b;
    bool same = HostFileRead(Path, &data, &size, &time, &error) &&
                PeOpenFile(&left, Packed->Data, Packed->Size) == PeOk && PeOpenFile(&right, data, size) == PeOk &&
                left.EntryPoint == right.EntryPoint;

    for (unsigned i = 0; same && PeSection(&left, i, &a) == PeOk; i++)
    {
        if (a.Characteristics & PE_SECTION_EXECUTE)
        {
            same = PeSection(&right, i, &b) == PeOk && a.Rva == b.Rva && a.RawSize == b.RawSize &&
                   (size_t)a.RawOffset + a.RawSize <= Packed->Size && (size_t)b.RawOffset + b.RawSize <= size &&
                   memcmp(Packed->Data + a.RawOffset, data + b.RawOffset, a.RawSize) == 0;
        }
    }
    free(data);
    TextFree(&error);
    return same;
}

/* The packed file of a module: drivers lie in one place, a program's own copies come after. */
static const PACKAGE_FILE *PackedFile(const PACKAGE *Package, const char *Name)
{
    for (size_t i = 0; i < Package->Count; i++)
    {
        const PACKAGE_FILE *file = &Package->Files[i];

        if (file->HostPath != NULL && strcasecmp(PathBaseName(file->Name), Name) == 0)
        {
            return file;
        }
    }
    return NULL;
}

/* The number of symbols in the file header. */
static bool HasSymbolTable(const PACKAGE_FILE *Packed)
{
    PE_IMAGE image;
    uint32_t count = 0;

    if (PeOpenFile(&image, Packed->Data, Packed->Size) == PeOk)
    {
        memcpy(&count, Packed->Data + image.HeaderOffset + 16, sizeof(count)); /* behind the signature, 4 + 12 */
    }
    return count != 0;
}

static char *SymbolPath(const MODULE *Module, const PACKAGE *Package, const PLACES *Places, bool *HasTable)
{
    const PACKAGE_FILE *packed = PackedFile(Package, Module->Name);
    char *path;

    if (packed == NULL)
    {
        return NULL;
    }
    path = TextFormat("%s/../symbols/%s", Places->System, Module->Name);
    if (access(path, R_OK) == 0 && SameCode(packed, path))
    {
        *HasTable = true;
        return path;
    }
    free(path);
    *HasTable = HasSymbolTable(packed);
    return strpbrk(packed->HostPath, "\"\n") == NULL ? TextFormat("%s", packed->HostPath) : NULL;
}

/* ---- llvm-symbolizer ---- */

/* Runs it with both files as its streams. Returns 0, or an errno. */
static int RunSymbolizer(int Input, int Output)
{
    const char *own = getenv("NTRUN_SYMBOLIZER");
    const char *const names[] = {own != NULL ? own : "llvm-symbolizer-19", own != NULL ? NULL : "llvm-symbolizer",
                                 NULL};
    char *arguments[] = {"llvm-symbolizer", "--relative-address", "--inlines", "--output-style=JSON", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t child;
    int error = ENOENT;

    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, Input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, Output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    for (size_t i = 0; names[i] != NULL && error == ENOENT; i++)
    {
        error = posix_spawnp(&child, names[i], &actions, &attributes, arguments, environ);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    while (error == 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
    {
    }
    return error;
}

/* "/a/b/../c" is "/a/c": compilers leave the way that led to a file in its name. */
static char *CleanPath(const char *Path)
{
    char *clean = TextFormat("%s", Path);
    char *out = clean;

    for (const char *in = Path; *in != '\0';)
    {
        size_t length = strcspn(in + 1, "/") + 1; /* "/name", or "name" at the start */

        if (length == 3 && strncmp(in, "/..", 3) == 0 && out != clean)
        {
            do
            {
                out--;
            } while (out > clean && *out != '/');
        }
        else if (!(length == 2 && strncmp(in, "/.", 2) == 0))
        {
            memmove(out, in, length);
            out += length;
        }
        in += length;
    }
    *out = '\0';
    return clean;
}

/* One answer; the order of questions and answers is the same. */
static void TakeAnswer(SYMBOL *Symbol, SYMBOL_FILE *File, const char *Line)
{
    json_t *root = json_loads(Line, 0, NULL);
    json_t *frames = json_object_get(root, "Symbol");
    size_t index;
    json_t *frame;

    json_array_foreach(frames, index, frame)
    {
        const char *function = json_string_value(json_object_get(frame, "FunctionName"));
        const char *file = json_string_value(json_object_get(frame, "FileName"));
        SOURCE_LINE line = {.Line = (unsigned)json_integer_value(json_object_get(frame, "Line"))};
        size_t capacity = Symbol->LineCount;

        if (function == NULL || *function == '\0' || ((file == NULL || *file == '\0') && !File->HasTable))
        {
            continue;
        }
        line.Function = TextFormat("%s", function);
        if (file != NULL && *file != '\0')
        {
            line.File = CleanPath(file);
            File->Useful = true;
        }
        else
        {
            line.Line = 0;
        }
        Symbol->Lines = MemoryGrow(Symbol->Lines, &capacity, Symbol->LineCount + 1, sizeof(SOURCE_LINE));
        Symbol->Lines[Symbol->LineCount++] = line;
    }
    json_decref(root);
}

static SYMBOL_FILE *FileOf(SYMBOL_FILE *Files, size_t Count, const MODULE *Module)
{
    for (size_t i = 0; i < Count; i++)
    {
        if (Files[i].Module == Module)
        {
            return &Files[i];
        }
    }
    return NULL;
}

static void WriteQuestions(FILE *Stream, SYMBOLS *Symbols, const MODULES *Modules, SYMBOL_FILE *Files)
{
    for (size_t i = 0; i < Symbols->Count; i++)
    {
        uint64_t address = Symbols->Items[i].Address;
        const MODULE *module = ModulesFind(Modules, address);
        SYMBOL_FILE *file = FileOf(Files, Modules->Count, module);

        if (file != NULL && Symbols->Items[i].IsCode)
        {
            file->Asked = true;
        }
        if (file != NULL && file->Path != NULL)
        {
            fprintf(Stream, "CODE \"%s\" 0x%llx\n", file->Path, (unsigned long long)(address - module->Base));
        }
    }
}

static void ReadAnswers(FILE *Stream, SYMBOLS *Symbols, const MODULES *Modules, SYMBOL_FILE *Files)
{
    char *line = NULL;
    size_t capacity = 0;

    for (size_t i = 0; i < Symbols->Count; i++)
    {
        SYMBOL_FILE *file = FileOf(Files, Modules->Count, ModulesFind(Modules, Symbols->Items[i].Address));

        if (file == NULL || file->Path == NULL)
        {
            continue;
        }
        if (getline(&line, &capacity, Stream) < 0)
        {
            break;
        }
        TakeAnswer(&Symbols->Items[i], file, line);
    }
    free(line);
}

/* The machine's own sources are shown from their root: where the kernel's files say it is. */
static void ShortenPaths(SYMBOLS *Symbols)
{
    static const char inside[] = "/machine/kernel/";
    char *root = NULL;

    for (size_t i = 0; i < Symbols->Count && root == NULL; i++)
    {
        const char *file = Symbols->Items[i].LineCount != 0 ? Symbols->Items[i].Lines[0].File : NULL;
        const char *at = file != NULL ? strstr(file, inside) : NULL;

        if (at != NULL)
        {
            root = TextFormat("%.*s", (int)(at - file + 1), file);
        }
    }
    for (size_t i = 0; root != NULL && i < Symbols->Count; i++)
    {
        for (size_t l = 0; l < Symbols->Items[i].LineCount; l++)
        {
            char *file = Symbols->Items[i].Lines[l].File;

            if (file != NULL && strncmp(file, root, strlen(root)) == 0)
            {
                memmove(file, file + strlen(root), strlen(file) - strlen(root) + 1);
            }
        }
    }
    Symbols->Root = root;
}

FILE *SymbolsOpenSource(const SYMBOLS *Symbols, const char *File)
{
    char *path = TextFormat("%s%s", *File != '/' && Symbols->Root != NULL ? Symbols->Root : "", File);
    FILE *source = fopen(path, "re");

    free(path);
    return source;
}

static void Complain(SYMBOLS *Symbols, const SYMBOL_FILE *Files, size_t Count)
{
    for (size_t i = 0; i < Count; i++)
    {
        if (Files[i].Asked && !Files[i].Useful)
        {
            TextListAdd(&Symbols->Problems, "%s has no debug information: compile it with -g, or put its PDB beside it",
                        Files[i].Path != NULL ? Files[i].Path : Files[i].Module->Name);
        }
    }
}

void SymbolsResolve(SYMBOLS *Symbols, const MODULES *Modules, const PACKAGE *Package, const PLACES *Places)
{
    SYMBOL_FILE *files = MemoryAllocate((Modules->Count + 1) * sizeof(SYMBOL_FILE));
    FILE *input = fdopen(memfd_create("questions", MFD_CLOEXEC), "w");
    FILE *output = fdopen(memfd_create("answers", MFD_CLOEXEC), "r");
    int error = errno;

    SymbolsSort(Symbols);
    Symbols->Resolved = true;
    for (size_t i = 0; i < Modules->Count; i++)
    {
        files[i].Module = &Modules->Items[i];
        files[i].Path = SymbolPath(&Modules->Items[i], Package, Places, &files[i].HasTable);
    }
    if (input != NULL && output != NULL)
    {
        WriteQuestions(input, Symbols, Modules, files);
        fflush(input);
        rewind(input);
        error = RunSymbolizer(fileno(input), fileno(output));
        rewind(output);
    }
    if (error == 0)
    {
        ReadAnswers(output, Symbols, Modules, files);
        ShortenPaths(Symbols);
        Complain(Symbols, files, Modules->Count);
    }
    else
    {
        TextListAdd(&Symbols->Problems, "cannot run llvm-symbolizer: %s%s", strerror(error),
                    error == ENOENT ? "; install Debian's package llvm-19, or name it in NTRUN_SYMBOLIZER" : "");
    }
    for (size_t i = 0; i < Modules->Count; i++)
    {
        free(files[i].Path);
    }
    free(files);
    if (input != NULL)
    {
        fclose(input);
    }
    if (output != NULL)
    {
        fclose(output);
    }
}

void SymbolsFree(SYMBOLS *Symbols)
{
    for (size_t i = 0; i < Symbols->Count; i++)
    {
        for (size_t l = 0; l < Symbols->Items[i].LineCount; l++)
        {
            free(Symbols->Items[i].Lines[l].Function);
            free(Symbols->Items[i].Lines[l].File);
        }
        free(Symbols->Items[i].Lines);
    }
    free(Symbols->Items);
    free(Symbols->Root);
    TextListFree(&Symbols->Problems);
    memset(Symbols, 0, sizeof(*Symbols));
}
