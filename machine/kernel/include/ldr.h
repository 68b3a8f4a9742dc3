/* SPDX-License-Identifier: MIT */
/*
 * LDR: PE images in the kernel: the kernel itself and the drivers.
 */
#pragma once

#include "nt.h"
#include "bootblock.h"

typedef struct _LDR_MODULE
{
    LIST_ENTRY Links;              /* PsLoadedModuleList order */
    PVOID Base;
    SIZE_T Size;
    PVOID EntryPoint;
    WCHAR Name[64];                /* "isthmus.sys" */
    LONG References;               /* images importing from this one, plus one while loaded */
    BOOLEAN IsKernel;
    UNICODE_STRING Path;
} LDR_MODULE;

VOID LdrInitialize(const BOOT_BLOCK *Block);
/**
 * Loads a driver from the bytes of its file: validates, relocates, binds imports (ntoskrnl.exe, hal.dll: both this kernel;
 * other drivers loaded already). On a missing import prints its name and the report line `refused ...`.
 * STATUS_INVALID_IMAGE_FORMAT, STATUS_PROCEDURE_NOT_FOUND, STATUS_DRIVER_ENTRYPOINT_NOT_FOUND, STATUS_DLL_NOT_FOUND, STATUS_INSUFFICIENT_RESOURCES. PASSIVE_LEVEL.
 */
NTSTATUS LdrLoadImage(PCUNICODE_STRING Path, const VOID *File, SIZE_T FileSize, LDR_MODULE **Module);
VOID LdrUnloadImage(LDR_MODULE *Module);

/** The module an address lies in, or NULL; also unloaded ones (*Unloaded set). Any IRQL. */
const LDR_MODULE *LdrFindModule(PVOID Address, BOOLEAN *Unloaded);
/** "isthmus.sys+0x1234" or the bare address; returns Buffer. Any IRQL. */
PCSTR LdrFormatAddress(PVOID Address, PCHAR Buffer, SIZE_T Size);
