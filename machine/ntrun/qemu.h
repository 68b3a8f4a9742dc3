/* SPDX-License-Identifier: MIT */
/* QEMU's command line. */
#ifndef ISTHMUS_NTRUN_QEMU_H
#define ISTHMUS_NTRUN_QEMU_H

#include "options.h"
#include "places.h"
#include "text.h"

/* Where the machine's three debug consoles lead: descriptors that QEMU inherits. */
typedef struct QEMU_STREAMS
{
    int Output;
    int Errors;
    int Report;
} QEMU_STREAMS;

/** Builds QEMU's arguments, argv[0] included. Image is a path that QEMU can open. */
void QemuArguments(TEXT_LIST *Arguments, const OPTIONS *Options, const PLACES *Places, const char *Image,
                   const QEMU_STREAMS *Streams);

/** Appends the arguments as a line that a shell reads back. */
void QemuCommandLine(TEXT *Line, const TEXT_LIST *Arguments);

#endif
