/* SPDX-License-Identifier: MIT */
/*
 * LDR: PE images in the kernel: the kernel itself and the drivers.
 */
#pragma once

#include "nt.h"
#include "bootblock.h"

#define LDR_NAME_LENGTH 64 /* characters of a module's file name, with the NUL */

typedef enum _LDR_MODULE_STATE
{
    LdrModuleFree,
    LdrModuleLoading,
    LdrModuleLoaded,
    LdrModuleUnloaded, /* gone, but still named when something touches its range */
} LDR_MODULE_STATE;

/* One image. Records are never freed, so that a look-up needs no lock and works on a dying machine. */
typedef struct _LDR_MODULE
{
    volatile LONG State;           /* LDR_MODULE_STATE; readers take it with acquire */
    volatile LONG References;      /* loaded images that import from this one */
    PVOID Base;
    ULONG Size;                    /* bytes, a multiple of PAGE_SIZE */
    PVOID EntryPoint;
    WCHAR Name[LDR_NAME_LENGTH];   /* "isthmus.sys" */
    LONG64 Sequence;               /* order of loading; the oldest unloaded record is reused first */
} LDR_MODULE;

/** Registers the kernel's own image. Before any other room asks for a module. */
VOID LdrInitialize(const BOOT_BLOCK *Block);

/**
 * Loads a driver from the bytes of its file: checks, lays out, relocates, binds imports, protects.
 *
 * Imports from ntoskrnl.exe and hal.dll are both found in this kernel, others in drivers loaded already. Every import that is
 * missing is named on the error console.
 *
 * @param FileName  last component of the path, for the list of modules
 * @param File      nonpaged or paged kernel memory; not needed after the call
 * @return STATUS_SUCCESS; STATUS_INVALID_IMAGE_FORMAT; STATUS_IMAGE_MACHINE_TYPE_MISMATCH; STATUS_DRIVER_ENTRYPOINT_NOT_FOUND (a
 *         name missing); STATUS_DLL_NOT_FOUND; STATUS_INSUFFICIENT_RESOURCES; STATUS_IMAGE_ALREADY_LOADED.
 * IRQL PASSIVE_LEVEL; callers serialise (the I/O manager's driver lock).
 */
NTSTATUS LdrLoadImage(PCUNICODE_STRING FileName, const VOID *File, SIZE_T FileSize, LDR_MODULE **Module);

/** Takes away the sections marked discardable; the I/O manager calls it when DriverEntry has returned. PASSIVE_LEVEL. */
VOID LdrDiscardInitSections(LDR_MODULE *Module);

/** Unloads an image nobody imports from. PASSIVE_LEVEL, serialised as LdrLoadImage. */
VOID LdrUnloadImage(LDR_MODULE *Module);

/** The module an address lies in, or NULL; also unloaded ones, and then *Unloaded (optional) is TRUE. Any IRQL. */
const LDR_MODULE *LdrFindModule(PVOID Address, BOOLEAN *Unloaded);

/** TRUE if the address lies in the kernel's own image. Any IRQL. */
BOOLEAN LdrIsKernelAddress(PVOID Address);

/** Writes "isthmus.sys+0x1234" (or the bare address) into Buffer and returns it. Any IRQL. */
PCSTR LdrFormatAddress(PVOID Address, PCHAR Buffer, SIZE_T Size);

/** Reports every module there is or was, one line each, so that ntrun can name addresses. Any IRQL. */
VOID LdrReportModules(VOID);

/** The name under which the kernel exports the routine that begins at Address, or NULL. Any IRQL. */
PCSTR LdrKernelExportName(PVOID Address);

/** Enumerates modules: the next loaded one after Index (start with -1), or NULL. Any IRQL. */
const LDR_MODULE *LdrNextModule(LONG *Index);
