/* SPDX-License-Identifier: MIT */
/* A temporary directory for tests that need files, with PE files made for the purpose. */
#ifndef ISTHMUS_TESTS_HOSTTREE_H
#define ISTHMUS_TESTS_HOSTTREE_H

#include <stddef.h>

typedef enum TREE_KIND
{
    TreeProgram,
    TreeDll,
    TreeDriver,
} TREE_KIND;

/** Makes a new directory, with an empty "system" in it. The path is valid until the next call. */
const char *TreeCreate(void);

/** Removes the directory of the last TreeCreate and all in it. */
void TreeRemove(void);

/** The path of a file in the directory. Up to eight results are valid at a time. */
char *TreePath(const char *Name);

/** Writes a file. Directories in Name must be there. */
void TreeWrite(const char *Name, const void *Data, size_t Size);

/** Writes a PE file that imports one DLL; NULL = none. */
void TreeWriteImage(const char *Name, TREE_KIND Kind, const char *Imported);

/** Fills "system" with a kernel, kernel32.dll and boot.elf: nothing that runs, but all that ntrun looks at. */
void TreeWriteSystem(void);

#endif
