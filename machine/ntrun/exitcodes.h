/* SPDX-License-Identifier: MIT */
/* What ntrun returns. 0..199 belongs to the program; a program's code above that is returned as NTRUN_PROGRAM_HIGH. */
#ifndef ISTHMUS_NTRUN_EXITCODES_H
#define ISTHMUS_NTRUN_EXITCODES_H

#define NTRUN_PROGRAM_HIGH 199
#define NTRUN_USAGE 200
#define NTRUN_CANNOT_START 201
#define NTRUN_REFUSED 202
#define NTRUN_BUGCHECK 203
#define NTRUN_CRASHED 204
#define NTRUN_TIMEOUT 205
#define NTRUN_LEFTOVERS 206

#endif
