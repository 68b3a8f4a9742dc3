/* SPDX-License-Identifier: MIT */
/* Where the machine's own files lie on the host. */
#ifndef ISTHMUS_NTRUN_PLACES_H
#define ISTHMUS_NTRUN_PLACES_H

#include "text.h"

#include <stdbool.h>

typedef struct PLACES
{
    char *System;     /* directory with ntoskrnl.exe and the DLLs */
    char *Loader;     /* boot.elf */
    const char *Qemu; /* a name for execvp */
} PLACES;

/**
 * Finds the system's directory and the loader.
 *
 * @param System  The directory the user named, or NULL: then beside ntrun, or where it was installed.
 * @param Error   Receives a message if the result is false.
 */
bool PlacesFind(PLACES *Places, const char *System, TEXT *Error);

/** Frees what PlacesFind allocated, whatever it returned. */
void PlacesFree(PLACES *Places);

/** The directory part of a path: "." if it has none. The caller frees it. */
char *PathDirectory(const char *Path);

/**
 * Finds a file by name in a directory, ASCII letters without case.
 *
 * @return Its path, which the caller frees; NULL if there is none.
 */
char *DirectoryFind(const char *Directory, const char *Name);

#endif
