/* SPDX-License-Identifier: MIT */
/* boot.cfg: what ntrun tells the loader and the kernel. */
#ifndef ISTHMUS_NTRUN_BOOTCONFIG_H
#define ISTHMUS_NTRUN_BOOTCONFIG_H

#include "options.h"
#include "text.h"

#include <stdbool.h>

/**
 * Writes boot.cfg: UTF-8 lines "key=value".
 *
 *     program=C:\run\x.exe        commandline=...           the whole Windows command line
 *     env=NAME=VALUE              one line each             driver=foo.sys      one line each, in starting order
 *     option=NAME[:VALUE]         one line each, among them seed:N
 *
 * @param Config  Receives the text; empty before.
 * @param Error   Receives a message if the result is false.
 */
bool BootConfigBuild(TEXT *Config, const OPTIONS *Options, TEXT *Error);

#endif
