/* SPDX-License-Identifier: MIT */
/* The packed image: in memory, or in a directory that is kept. */
#ifndef ISTHMUS_NTRUN_IMAGE_H
#define ISTHMUS_NTRUN_IMAGE_H

#include "package.h"

#include <stdbool.h>

typedef struct IMAGE_FILE
{
    int Fd;          /* -1 if there is none */
    char *Path;      /* how QEMU opens it */
    char *Directory; /* with --keep: where it lies, else NULL */
    uint64_t Size;   /* bytes */
} IMAGE_FILE;

/**
 * Packs the image. Without Keep it has no name on any disk and goes with the last descriptor, however ntrun ends.
 *
 * @param Error  Receives a message if the result is false.
 */
bool ImageCreate(IMAGE_FILE *Image, const PACKAGE *Package, bool Keep, TEXT *Error);

/** Writes a text into the kept directory; does nothing if there is none. */
void ImageKeepText(const IMAGE_FILE *Image, const char *Name, const char *Text);

/** Closes and frees; a kept directory stays. */
void ImageFree(IMAGE_FILE *Image);

#endif
