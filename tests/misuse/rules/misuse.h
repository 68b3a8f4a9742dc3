/* SPDX-License-Identifier: MIT */
/*
 * misuse.sys breaks one rule of the kernel per request; the machine must stop with the bug check that Windows, or its
 * Driver Verifier, has for it. A mistake is a routine Misuse_<name>; rules.def says what it must bring.
 */
#pragma once

#include <ntifs.h>

#define MISUSE_BREAK CTL_CODE(FILE_DEVICE_UNKNOWN, 0xB00, METHOD_BUFFERED, FILE_ANY_ACCESS) /* input: the rule's name */
#define MISUSE_TAG 'sseM'

typedef struct _MISUSE_CONTEXT
{
    PIRP Irp;
    PDEVICE_OBJECT Device;
    PUCHAR User;            /* two pages of the program's memory, writable */
    BOOLEAN Completed;      /* set by a rule that has completed the request itself */
    NTSTATUS Status;        /* of the request if the rule let it live */
    VOID (*AtUnload)(VOID); /* what to do wrong when the driver is unloaded */
} MISUSE_CONTEXT;

#define RULE(name, expected) VOID Misuse_##name(MISUSE_CONTEXT *Context);
#include "rules.def"
#undef RULE

extern VOID (*MisuseAtUnload)(VOID);

/** A locked and mapped MDL of the program's memory. */
PMDL MisuseLocked(MISUSE_CONTEXT *Context, BOOLEAN Map);
/** Nonpaged pool of one page or more. */
PVOID MisusePool(SIZE_T Size);

